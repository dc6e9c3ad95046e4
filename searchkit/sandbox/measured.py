"""What is in a scratch folder: bytes, files, folders. What cannot be measured is too much, and never nothing.

Runs inside the sandbox, in the interpreter: imports nothing but the standard library.
"""

from __future__ import annotations

import os

from searchkit.sandbox.limits import MOST_FILES, SCRATCH

TRIES = 20  # looks in a row in which something vanished before it could be measured


def too_much(folder: str) -> str:
    """Why a program must end for what is in its `folder`; "" if it need not. Looks at no more than `MOST_FILES`."""
    for _ in range(TRIES):
        try:
            return _look(folder)
        except (FileNotFoundError, NotADirectoryError):  # it went on meanwhile: not empty, but to be looked at again
            continue
        except OSError as error:
            return f"its scratch folder cannot be measured: {error.strerror}"
    return "its scratch folder cannot be measured: it never stands still"


def _look(folder: str) -> str:
    size, seen, folders = 0, 0, [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                seen += 1
                size += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                if seen > MOST_FILES:
                    return f"more than {MOST_FILES:,} files and folders in its scratch folder"
                if size > SCRATCH:
                    return "its scratch folder was full"
    return ""
