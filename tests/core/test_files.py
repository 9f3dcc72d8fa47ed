"""A file is written whole or not at all, and nothing but a file is ever replaced."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from ethicalai_lab.core.files import (
    FileLock,
    Staged,
    clear_leftovers,
    leftovers,
    locked,
    replace_file,
    write_atomic,
)
from ethicalai_lab.errors import InputError

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")


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


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_what_cannot_be_written_leaves_the_old_file(tmp_path, monkeypatch, step):
    path = tmp_path / "kept.txt"
    write_atomic(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(InputError, match="No space left"):
        write_atomic(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["kept.txt"]


@POSIX
def test_permissions_of_an_old_file_stay_and_a_new_one_gets_the_usual(tmp_path):
    path = tmp_path / "file"
    before = os.umask(0o027)
    try:
        write_atomic(path, "new")
        replace_file(tmp_path / "secret", b"new", private=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    for mode in (0o604, 0o600, 0o664):
        path.chmod(mode)
        replace_file(path, b"again", private=True)
        assert stat.S_IMODE(path.stat().st_mode) == mode


@POSIX
def test_a_symbolic_link_stays_one(tmp_path):
    far = tmp_path / "far"
    far.mkdir()
    link, dangling = tmp_path / "link", tmp_path / "dangling"
    (far / "file").write_bytes(b"old")
    link.symlink_to(far / "file")
    dangling.symlink_to("far/new")
    write_atomic(link, "one")
    write_atomic(dangling, "two")
    assert link.is_symlink()
    assert dangling.is_symlink()
    assert (far / "file").read_bytes() == b"one"
    assert (far / "new").read_bytes() == b"two"
    assert sorted(item.name for item in far.iterdir()) == ["file", "new"]


@pytest.mark.parametrize("name", ["a" * 251 + ".csv", "é漢字" * 28, "-rf", "100%s {x}", ".hidden"])
def test_any_name_that_the_system_takes_can_be_written(tmp_path, name):
    path = tmp_path / name
    write_atomic(path, "old")
    write_atomic(path, "new")
    assert path.read_text(encoding="utf-8") == "new"
    assert os.listdir(tmp_path) == [path.name]


KILLED = """
import os, sys
from ethicalai_lab.core import files
left = int(sys.argv[2])
def counted(call):
    def run(*args, **options):
        global left
        if left == 0:
            os._exit(9)
        left -= 1
        return call(*args, **options)
    return run
for name in ("open", "fsync", "replace", "close"):
    setattr(files.os, name, counted(getattr(os, name)))
files.replace_file(sys.argv[1], b"new and secret")
"""


def test_a_writer_killed_at_any_step_leaves_a_whole_file_and_nothing_after_the_next(tmp_path):
    path = tmp_path / "file"
    left_behind = 0
    for step in range(50):
        path.write_bytes(b"old")
        done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(step)], timeout=120)
        assert path.read_bytes() in (b"old", b"new and secret")
        left_behind += len(leftovers(path))
        replace_file(path, b"next")
        assert os.listdir(tmp_path) == ["file"]
        assert path.read_bytes() == b"next"
        if done.returncode == 0:
            break
    else:
        pytest.fail("it never came to its end")
    assert step >= 4
    assert left_behind >= 2  # or the kills hit nothing


def test_a_writer_that_lives_keeps_its_neighbour(tmp_path):
    path, other = tmp_path / "file", tmp_path / "file2"
    staged = Staged(path, b"mine")
    clear_leftovers(path)
    replace_file(path, b"another's")
    replace_file(other, b"x")
    staged.commit()
    assert path.read_bytes() == b"mine"
    assert sorted(os.listdir(tmp_path)) == ["file", "file2"]
    Staged(path, b"not wanted").discard()
    assert leftovers(path) == []


HOLD = "import sys; from ethicalai_lab.core.files import FileLock; l = FileLock(sys.argv[1]); "


def test_a_lock_keeps_others_out_until_it_is_released_or_its_holder_dies(tmp_path):
    path = tmp_path / "lock"
    lock = FileLock(path)
    with pytest.raises(BlockingIOError):
        FileLock(path)
    refused = subprocess.run([sys.executable, "-c", HOLD, str(path)], capture_output=True)
    assert b"BlockingIOError" in refused.stderr
    lock.release()
    lock.release()
    assert not path.exists()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD + "print(flush=True); input()", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    holder.stdout.readline()
    with pytest.raises(BlockingIOError), locked(path, wait=0.05):
        pass
    holder.kill()
    holder.communicate()
    with locked(path):
        assert path.exists()
    assert not path.exists()


def test_holders_that_come_one_after_another_never_meet(tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from ethicalai_lab.core.files import locked\n"
        "count = Path(sys.argv[1])\n"
        "for _ in range(150):\n"
        "    with locked(count.with_name('lock'), wait=60):\n"
        "        count.write_text(str(int(count.read_text()) + 1))\n"
    )
    count = tmp_path / "count"
    count.write_text("0")
    jobs = [subprocess.Popen([sys.executable, "-c", code, str(count)]) for _ in range(3)]
    assert [job.wait(120) for job in jobs] == [0, 0, 0]
    assert count.read_text() == "450"
