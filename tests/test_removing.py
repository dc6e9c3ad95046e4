"""Folders are removed whatever is in them, and links in them are not followed."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from searchkit.removing import removed


def test_what_is_there_goes_and_what_links_lead_to_stays(tmp_path: Path) -> None:
    kept, folder = tmp_path / "kept", tmp_path / "folder"
    (kept / "sub").mkdir(parents=True)
    (kept / "sub" / "file").write_text("x")
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "file").write_text("x")
    (folder / "a" / "b" / "out").symlink_to(kept)
    (folder / "a" / "file out").symlink_to(kept / "sub" / "file")
    os.mkfifo(folder / "a" / "pipe")
    removed(folder)
    assert list(tmp_path.iterdir()) == [kept]
    assert (kept / "sub" / "file").read_text() == "x"


@pytest.mark.parametrize("kind", ["nothing", "file", "link", "link to nothing", "pipe"])
def test_what_is_no_folder(kind: str, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x")
    path = tmp_path / "path"
    if kind == "file":
        path.write_text("x")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind != "nothing":
        path.symlink_to("kept" if kind == "link" else "gone")
    removed(path)
    assert not os.path.lexists(path)
    assert (tmp_path / "kept" / "file").exists()


def test_while_somebody_writes_into_it(tmp_path: Path) -> None:
    """It ends, and what is left then is removed once nobody writes any more."""
    folder, ended = tmp_path / "folder", threading.Event()
    (folder / "sub").mkdir(parents=True)

    def write() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            try:
                (folder / "sub" / str(number)).mkdir(parents=True, exist_ok=True)
            except OSError:
                continue

    thread = threading.Thread(target=write)
    thread.start()
    try:
        removed(folder)
    finally:
        ended.set()
        thread.join()
    removed(folder)
    assert list(tmp_path.iterdir()) == []
