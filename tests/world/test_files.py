"""A file is written whole or not at all, and nothing but a file is ever replaced."""

from __future__ import annotations

import os

import pytest

from ethicalai_lab.errors import InputError
from ethicalai_lab.world.files import write_atomic


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_or_device_is_never_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="device or a pipe"):
        write_atomic(pipe, "text")
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_folder_and_a_missing_folder_are_named(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        write_atomic(tmp_path, "text")
    with pytest.raises(InputError, match="does not exist"):
        write_atomic(tmp_path / "no" / "file", "text")


def test_what_cannot_be_written_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "kept.txt"
    write_atomic(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        write_atomic(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["kept.txt"]
