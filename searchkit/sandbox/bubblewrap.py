"""Bubblewrap: new namespaces in which there is nothing but Python, a scratch folder in memory, and no network."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from searchkit.sandbox.limits import SCRATCH

HOME = "/scratch"
"""The scratch folder, as seen from inside."""
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


def available() -> str | None:
    """The path of the program, None where it is not installed."""
    return shutil.which("bwrap")


def command(read: Iterable[str]) -> list[str]:
    """What to put in front of a command that may see only the folders of `read`, where they exist.

    There is no /proc, so no process to look at; the root folder is read-only, the scratch folder bounded in size.
    """
    shown = [word for path in read for word in ("--ro-bind-try", path, path)]
    devices = [word for path in DEVICES for word in ("--dev-bind", path, path)]
    scratch = ["--size", str(SCRATCH), "--tmpfs", HOME, "--remount-ro", "/"]
    return [available() or "bwrap", "--unshare-all", "--unshare-user", *shown, *devices, *scratch, "--"]
