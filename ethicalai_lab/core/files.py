"""Files that are there whole or not at all, and locks that die with their holder.

A file is written to a temporary neighbour, brought to the disk, and then put in the old one's
place. Whoever is killed on the way leaves the neighbour behind; the next write to the same
file removes it. A writer holds a lock on its neighbour, so that only dead ones are removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from ethicalai_lab.errors import InputError

__all__ = [
    "FileLock",
    "Staged",
    "clear_leftovers",
    "leftovers",
    "lock_handle",
    "lock_of",
    "locked",
    "replace_file",
    "writable",
    "write_atomic",
]

if os.name == "nt":
    import msvcrt
else:
    import fcntl


def lock_handle(handle: int, place: int = 0) -> None:
    """Lock an open file for as long as it is open, and wait for nobody.

    Parameters
    ----------
    handle : int
        A file's descriptor.
    place : int, default 0
        The byte that Windows locks, against reading too; elsewhere it is the whole file.

    Raises
    ------
    BlockingIOError
        If somebody else holds the lock.
    OSError
        If the file system knows no locks.

    Examples
    --------
    >>> import tempfile
    >>> from ethicalai_lab.core.files import lock_handle
    >>> with tempfile.TemporaryFile() as one:
    ...     lock_handle(one.fileno())
    """
    if os.name != "nt":
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    os.lseek(handle, place, os.SEEK_SET)
    try:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    except PermissionError:
        raise BlockingIOError("another program holds the lock") from None


def _is_at(handle: int, path: Path) -> bool:
    """Whether the open file is still the one that its path leads to."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


class FileLock:
    """An exclusive lock between programs, and between two holders in one program.

    The system frees it when the holder is killed. The lock's file is empty, and removed when
    the lock is released.

    Parameters
    ----------
    path : path-like
        The lock's own file; its folder must exist.
    wait : float, default 0
        Seconds to wait for another holder.

    Raises
    ------
    BlockingIOError
        If somebody else holds the lock.
    OSError
        If the file cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> from ethicalai_lab.core.files import FileLock
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lock = FileLock(Path(folder, "store.lock"))
    ...     try:
    ...         FileLock(Path(folder, "store.lock"))
    ...     except BlockingIOError:
    ...         print("held")
    ...     lock.release()
    held
    """

    def __init__(self, path: str | Path, *, wait: float = 0.0) -> None:
        self.path = Path(path)
        self._holder = os.getpid()
        end = time.monotonic() + wait
        while True:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                lock_handle(handle)
                if _is_at(handle, self.path):  # else its holder removed it meanwhile
                    self._handle: int | None = handle
                    return
            except BlockingIOError:
                if time.monotonic() >= end:
                    os.close(handle)
                    raise
                time.sleep(0.02)
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)

    def release(self) -> None:
        """Free the lock; a second time does nothing."""
        handle, self._handle = self._handle, None
        if handle is None:
            return
        # a forked child lets go of its copy only: the lock is its parent's
        mine = self._holder == os.getpid()
        if mine and os.name != "nt":
            self.path.unlink(missing_ok=True)
        os.close(handle)
        if mine and os.name == "nt":  # an open file cannot be removed there
            with contextlib.suppress(OSError):
                self.path.unlink()


@contextlib.contextmanager
def locked(path: str | Path, *, wait: float = 5.0) -> Iterator[None]:
    """Hold a :class:`FileLock` for the length of a block.

    Raises
    ------
    OSError
        If the lock cannot be had, for instance because another process keeps it.
    """
    lock = FileLock(path, wait=wait)
    try:
        yield
    finally:
        lock.release()


def _prefix(target: Path) -> str:
    # of one length whatever the file is called: a long name leaves no room for more
    return f".lab-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}-"


def lock_of(path: str | Path) -> Path:
    """Where the lock of a file lies that is replaced as a whole: beside it.

    Examples
    --------
    >>> from ethicalai_lab.core.files import lock_of
    >>> lock_of("store.json").suffix
    '.lock'
    """
    target = Path(os.path.realpath(path))
    return target.with_name(f"{_prefix(target)[:-1]}.lock")


def _mode(target: Path, private: bool) -> int | None:
    """Permissions that the old file has, or that a new one must; None for the usual ones."""
    if target.exists():
        return target.stat().st_mode & 0o777
    return 0o600 if private else None


class Staged:
    """A file's next content, whole and on the disk beside it, not yet in its place.

    Parameters
    ----------
    path : path-like
        The file; a symbolic link is followed, and stays one.
    content : bytes
    private : bool, default False
        Whether a file that is new may be read by its owner only. One that exists keeps its
        permissions.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left behind then.

    Examples
    --------
    >>> import tempfile
    >>> from ethicalai_lab.core.files import Staged
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     note = Path(folder, "note.txt")
    ...     staged = Staged(note, b"kept")
    ...     before = note.exists()
    ...     staged.commit()
    ...     before, note.read_bytes()
    (False, b'kept')
    """

    def __init__(self, path: str | Path, content: bytes, *, private: bool = False) -> None:
        self.target = Path(os.path.realpath(path))
        self._handle: int | None = None
        mode = _mode(self.target, private)
        try:
            self._make(0o666 if mode is None else 0o600)
            assert self._handle is not None
            with open(self._handle, "wb", closefd=False) as file:
                file.write(content)
                file.flush()
                if mode is not None and hasattr(os, "fchmod"):
                    os.fchmod(self._handle, mode)
                os.fsync(self._handle)
        except BaseException:
            self.discard()
            raise

    def _make(self, mode: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        while True:
            self.path = self.target.with_name(f"{_prefix(self.target)}{secrets.token_hex(6)}.part")
            self._handle = os.open(self.path, flags, mode)
            if os.name == "nt":  # an open file cannot be removed there: no lock is needed
                return
            with contextlib.suppress(OSError):  # a file system without locks
                lock_handle(self._handle)
            if _is_at(self._handle, self.path):
                return
            # somebody took it for a leftover between the two calls
            os.close(self._handle)

    def leave(self) -> None:
        """Let go of what was staged, and leave it where it is."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def commit(self) -> None:
        """Put the content in the file's place.

        Raises
        ------
        OSError
            If that cannot be done; the content stays staged, and the old file in its place.
        """
        if os.name == "nt":
            self.leave()
        os.replace(self.path, self.target)
        self.leave()
        _settle(self.target.parent)

    def discard(self) -> None:
        """Remove what was staged."""
        if self._handle is not None and os.name == "nt":
            self.leave()
        if hasattr(self, "path"):
            with contextlib.suppress(OSError):
                self.path.unlink()
        self.leave()


def _settle(folder: Path) -> None:
    """Bring the folder's entries to the disk, where a system can."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def leftovers(path: str | Path) -> list[Path]:
    """Temporary neighbours of a file, of writers that live or were killed.

    Examples
    --------
    >>> from ethicalai_lab.core.files import leftovers
    >>> leftovers("no-such-file")
    []
    """
    target = Path(os.path.realpath(path))
    start = _prefix(target)
    try:
        names = os.listdir(target.parent)
    except OSError:
        return []
    return [target.with_name(name) for name in sorted(names) if name.startswith(start)]


def clear_leftovers(path: str | Path) -> None:
    """Remove the temporary neighbours of a file whose writers are dead.

    Examples
    --------
    >>> from ethicalai_lab.core.files import clear_leftovers
    >>> clear_leftovers("no-such-file")
    """
    for part in leftovers(path):
        with contextlib.suppress(OSError):  # its writer lives, or it is gone already
            if os.name == "nt":
                part.unlink()
                continue
            handle = os.open(part, os.O_RDONLY)
            try:
                lock_handle(handle)
                part.unlink()
            finally:
                os.close(handle)


def replace_file(path: str | Path, content: bytes, *, private: bool = False) -> None:
    """Write a whole file or nothing, and let no earlier attempt lie about.

    Parameters
    ----------
    path : path-like
        The file; its folder must exist. A symbolic link stays one.
    content : bytes
    private : bool, default False
        Whether a new file may be read by its owner only.

    Raises
    ------
    OSError
        If it cannot be written; what was there before is then still there.

    Examples
    --------
    >>> import tempfile
    >>> from ethicalai_lab.core.files import replace_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     replace_file(Path(folder, "note.txt"), b"kept")
    ...     [file.name for file in Path(folder).iterdir()]
    ['note.txt']
    """
    clear_leftovers(path)
    staged = Staged(path, content, private=private)
    try:
        staged.commit()
    except BaseException:
        staged.discard()
        raise


def writable(path: str | Path, *, error: type[InputError] = InputError) -> None:
    """Refuse early what could only fail after the work is done.

    Parameters
    ----------
    path : path-like
        A file to write, there or not.
    error : type
        The InputError subclass to raise.

    Raises
    ------
    InputError
        If it is a folder, a device or a pipe, or lies in no folder that allows writing.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     writable(Path(folder, "page.html"))
    """
    target = Path(path)
    try:
        if target.is_dir():
            raise error(f"{path} is a folder; give the name of a file to write.")
        # what is written replaces what is there, and a device must not be replaced
        if target.exists() and not target.is_file():
            raise error(f"{path} is a device or a pipe; give the name of a file to write.")
        folder = Path(os.path.realpath(target)).parent
        if not folder.is_dir():
            raise error(f"{path}: its folder does not exist; make it first.")
    except InputError:
        raise
    except (OSError, ValueError) as problem:  # a name too long, a zero byte, a loop of links
        reason = getattr(problem, "strerror", None) or problem
        raise error(f"{str(path)[:200]!r} cannot be written ({reason}).") from None
    # files are replaced as a whole, so it is the folder that must allow it
    if not os.access(folder, os.W_OK):
        raise error(f"{path} cannot be written: its folder is read-only.")


def write_atomic(
    path: str | Path, content: str | bytes, *, error: type[InputError] = InputError
) -> None:
    r"""Write a whole file or nothing, and say in a sentence why it could not be.

    Parameters
    ----------
    path : path-like
        The file; its folder must exist. A symbolic link stays one.
    content : str or bytes
        Text is written as UTF-8, with its line ends as they are.
    error : type
        The InputError subclass to raise.

    Raises
    ------
    InputError
        If the folder is missing or the file cannot be written. What was there
        before is then still there.

    Examples
    --------
    >>> import tempfile
    >>> from ethicalai_lab.core.files import write_atomic
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomic(Path(folder, "note.txt"), "kept\n")
    ...     [file.name for file in Path(folder).iterdir()]
    ['note.txt']
    """
    writable(path, error=error)
    try:
        replace_file(path, content.encode("utf-8") if isinstance(content, str) else content)
    except OSError as problem:
        raise error(f"{path} cannot be written ({problem.strerror or problem}).") from None
