"""The head of a ledger's chain of events, kept in a small file beside the database.

The file does two things. While a ledger is open it is locked, by the system, so that no
ledger is open twice and a killed process leaves nothing locked. And it says what was last
acknowledged, so that a database that lost its end, or was exchanged for an older copy, is
noticed: the database cannot know that itself.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from ethicalai_lab.consent.errors import LedgerError
from ethicalai_lab.core.files import lock_handle

__all__ = ["Head", "HeadFile", "os_trouble"]

_SLOT = 256
# Windows locks bytes against reading too: lock one that holds nothing
_LOCKED_BYTE = 1 << 20


class Head(NamedTuple):
    """How far a ledger has come: changes of any kind, events, and the last event's hash."""

    revision: int
    count: int
    digest: str

    def __str__(self) -> str:
        return f"{self.revision} {self.count} {self.digest}"

    @classmethod
    def read(cls, text: str) -> Head:
        """Return the head that a text names.

        Raises
        ------
        ValueError
            If the text is no head.
        """
        revision, count, digest = text.split()
        if len(digest) != 64:
            raise ValueError("a digest has 64 hexadecimal digits")
        bytes.fromhex(digest)
        return cls(int(revision), int(count), digest)


class HeadFile:
    """The locked file beside a ledger.

    Two places are written in turn, each with a checksum, so that a kill in the middle
    leaves the one before.

    Parameters
    ----------
    ledger : Path
        The database file; symbolic links are resolved already.

    Raises
    ------
    LedgerError
        If the ledger is open already, or the file can be neither made nor written.
    """

    def __init__(self, ledger: Path) -> None:
        self.path = ledger.with_name(ledger.name + ".head")
        self._ledger = ledger
        try:
            self.made = not self.path.exists()
            self._handle = self._locked()
            with contextlib.suppress(OSError):
                if self.made and ledger.exists():
                    os.chmod(self.path, ledger.stat().st_mode & 0o777)
        except OSError as problem:
            raise LedgerError(os_trouble(ledger, problem)) from None

    def _locked(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        while True:
            handle = os.open(self.path, flags, 0o666)
            try:
                lock_handle(handle, _LOCKED_BYTE)
            except BlockingIOError:
                os.close(handle)
                raise LedgerError(
                    f"{self._ledger} is open already, here or in another process; a ledger has "
                    "one writer at a time. Close the other first."
                ) from None
            except OSError:  # a file system without locks
                os.close(handle)
                raise
            # who held the lock before may have removed the file while we opened it
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), os.stat(self.path)):
                    return handle
            os.close(handle)

    def kept(self) -> Head | None:
        """Return the head that was acknowledged last; None where none can be read."""
        found = []
        os.lseek(self._handle, 0, os.SEEK_SET)
        raw = os.read(self._handle, 2 * _SLOT)
        for place in range(0, len(raw), _SLOT):
            text, _, check = raw[place : place + _SLOT].strip().rpartition(b" ")
            if check and hashlib.sha256(text).hexdigest().encode() == check:
                found.append(Head.read(text.decode()))
        return max(found, default=None)

    def keep(self, head: Head) -> None:
        """Write a head so that it is on the disk when this returns.

        Raises
        ------
        LedgerError
            If the disk does not take it.
        """
        text = str(head).encode()
        line = text + b" " + hashlib.sha256(text).hexdigest().encode()
        try:
            os.lseek(self._handle, head.revision % 2 * _SLOT, os.SEEK_SET)
            os.write(self._handle, line.ljust(_SLOT - 1) + b"\n")
            os.fsync(self._handle)
        except OSError as problem:
            raise LedgerError(os_trouble(self.path, problem)) from None

    def in_place(self) -> bool:
        """Return whether the file under the name is still the one that is locked."""
        try:
            return os.path.samestat(os.fstat(self._handle), os.stat(self.path))
        except OSError:
            return False

    def close(self, *, remove: bool = False) -> None:
        """Give the lock back."""
        if self._handle >= 0:
            if remove and os.name != "nt":  # while we hold it, so that nobody else does
                self.path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = -1
            if remove and os.name == "nt":  # where an open file cannot be removed
                with contextlib.suppress(OSError):
                    self.path.unlink(missing_ok=True)


def os_trouble(path: Path, problem: OSError) -> str:
    """Say in one sentence why the system refused a file."""
    if isinstance(problem, PermissionError) or problem.errno == errno.EROFS:
        return f"{path}: no permission; a ledger needs to read and write its file and folder."
    if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{path}: the disk is full; make room and try again."
    return f"{path}: the system refuses the file ({problem.strerror})."
