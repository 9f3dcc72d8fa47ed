"""The files of a vault: one change at a time, all of it or nothing, and noticed if undone.

A change is written beside the files first. Then ``vault.root`` is replaced, in one step, by
one that holds the number of the change and the digests of the files as they shall be: from
that instant the change is decided. Then the files are put in place. Whoever is killed before
the decision has changed nothing; after it, the next opening finishes the work.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ethicalai_lab.core.files import (
    FileLock,
    Staged,
    clear_leftovers,
    leftovers,
    replace_file,
)
from ethicalai_lab.privacy.errors import PrivacyError

__all__ = [
    "DATA",
    "KEYS",
    "ROOT",
    "VaultError",
    "VaultFiles",
    "digest",
    "other_master",
    "pack",
    "unpack",
]

DATA, KEYS, ROOT = "vault.data", "vault.keys", "vault.root"
_LOCK = "vault.lock"
_VERSION = 2


class VaultError(PrivacyError):
    """The vault cannot be read or written; the message says which part and why."""


def digest(content: bytes) -> str:
    """SHA-256 of a file's content, in hexadecimal.

    Examples
    --------
    >>> from ethicalai_lab.privacy.vault_files import digest
    >>> digest(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(content).hexdigest()


def pack(kind: str, head: Mapping[str, Any], rows: Iterable[tuple]) -> bytes:
    r"""Write a head and rows as lines of JSON, with a last line that counts the rows.

    Examples
    --------
    >>> from ethicalai_lab.privacy.vault_files import pack
    >>> pack("keys", {}, [("who", "wrapped")]).count(b"\n")
    3
    """
    lines = [json.dumps({"format": f"ethicalai-lab vault {kind}", "version": _VERSION, **head})]
    lines += [json.dumps(row) for row in rows]
    lines.append(json.dumps({"end": len(lines) - 1}))
    return ("\n".join(lines) + "\n").encode("utf-8")


def unpack(path: Path, kind: str) -> tuple[dict, list]:
    """Read what :func:`pack` wrote; the n-th row stands in line n + 2.

    Raises
    ------
    VaultError
        If the file is missing, cut short or altered in its structure.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise VaultError(f"{path.name} is not in the folder; the vault needs it.") from None
    lines = raw.split(b"\n")
    rows: list = []
    head: dict = {}
    width = 2 if kind == "keys" else 3
    for number, line in enumerate(lines[:-1], start=1):
        try:
            item = json.loads(line)
            if number == 1:
                if item["format"] != f"ethicalai-lab vault {kind}":
                    raise ValueError
                if item["version"] != _VERSION:
                    raise VaultError(
                        f"{path.name} has version {str(item['version'])[:20]}; {_VERSION} is "
                        "accepted. Nothing was changed."
                    )
                head = item
            elif isinstance(item, dict):
                if item["end"] == len(rows) and number == len(lines) - 1 and lines[-1] == b"":
                    return head, rows
                raise ValueError
            else:
                if len(item) != width or not all(isinstance(x, str) for x in item):
                    raise ValueError
                rows.append(item)
        except VaultError:
            raise
        except (ValueError, KeyError, TypeError):
            raise VaultError(
                f"{path.name}, line {number} is no line of a vault's {kind} file: it was altered. "
                "Restore the file from a copy; nothing was changed."
            ) from None
    raise VaultError(
        f"{path.name} is cut short after {len(rows)} entries (its closing line is missing). "
        "Restore the file from a copy; nothing was changed."
    )


def _mac(master: bytes, root: Mapping[str, Any]) -> str:
    # a key of its own, so that no other use of the master key makes such a code
    key = hmac.digest(master, b"ethicalai-lab vault root", "sha256")
    signed = {name: value for name, value in root.items() if name != "mac"}
    return hmac.digest(key, json.dumps(signed, sort_keys=True).encode("utf-8"), "sha256").hex()


def other_master(name: str) -> str:
    """Sentence on a file that was written under another master key."""
    return (
        f"the master key does not open {name}; the key it was last written with is accepted. "
        "Nothing was changed."
    )


def _not_replaced(name: str, problem: OSError) -> str:
    return (
        f"{name} cannot be replaced ({problem.strerror or problem}); the change is decided, and "
        "finished at the next call or opening."
    )


class VaultFiles:
    """The files of one vault, locked for as long as this object lives.

    Attributes
    ----------
    root : dict or None
        The last change that was decided: its number ``change``, the digests ``data``,
        ``keys`` and ``people``; None if ``vault.root`` is missing or was altered.

    Raises
    ------
    VaultError
        If somebody else has the vault open, or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root: dict | None = None
        self._written = b""
        self._staged: list[Staged] = []
        try:
            self._lock = FileLock(folder / _LOCK)
        except BlockingIOError:
            raise VaultError(
                f"the vault in {folder} is open already, here or in another program; close it "
                "there first."
            ) from None
        except OSError as problem:
            raise VaultError(
                f"the vault in {folder} cannot be locked ({problem.strerror or problem}); a "
                "folder that can be written is needed."
            ) from None

    @property
    def change(self) -> int:
        """Number of the last change; 0 if it is not known."""
        return self.root["change"] if self.root is not None else 0

    def release(self) -> None:
        """Let others open the vault."""
        for staged in self._staged:
            staged.leave()
        self._lock.release()

    def load(self, master: bytes) -> None:
        """Read the root, and finish the change that it decided, if its writer was killed."""
        with contextlib.suppress(OSError):
            self._written = (self.folder / ROOT).read_bytes()
        root: dict = {}
        with contextlib.suppress(ValueError, KeyError, TypeError):
            root = json.loads(self._written)
            if isinstance(root["change"], int) and hmac.compare_digest(
                root["mac"], _mac(master, root)
            ):
                self.root = root
        for name, part in ((DATA, "data"), (KEYS, "keys")):
            path = self.folder / name
            if not isinstance(root, dict) or self._digest(path) == root.get(part):
                continue
            for staged in leftovers(path):
                if self._digest(staged) != root.get(part):
                    continue
                if self.root is None:  # a rotation was decided, and not finished
                    raise VaultError(other_master(ROOT))
                try:
                    os.replace(staged, os.path.realpath(path))
                except OSError as problem:
                    raise VaultError(_not_replaced(name, problem)) from None
                break

    @staticmethod
    def _digest(path: Path) -> str:
        try:
            return digest(path.read_bytes())
        except OSError:
            return ""

    def clear(self) -> None:
        """Remove what writers that were killed left behind."""
        for name in (DATA, KEYS, ROOT):
            clear_leftovers(self.folder / name)

    def faults(self) -> dict[str, str]:
        """Which files are not those that were last written, and a sentence on each."""
        if self.root is None:
            here = (self.folder / ROOT).exists()
            return {ROOT: f"{ROOT} {'was altered' if here else 'is missing'}."}
        found = {}
        for name, part in ((DATA, "data"), (KEYS, "keys")):
            if self._digest(self.folder / name) != self.root[part]:
                found[name] = (
                    f"{name} is not the file that was last written: an older copy was put back, "
                    "or it was altered."
                )
        if self._digest(self.folder / ROOT) != digest(self._written):
            found[ROOT] = f"{ROOT} was replaced while the vault was open."
        return found

    def commit(self, master: bytes, people: str, contents: Mapping[str, bytes]) -> None:
        """Change files together.

        ``change`` tells whether the change was decided, also where this raises.

        Parameters
        ----------
        master : bytes
        people : str
            Digest of who has a key from then on.
        contents : mapping of file name to bytes

        Raises
        ------
        VaultError
            If a file cannot be written.
        """
        root = {"format": "ethicalai-lab vault root", "version": _VERSION, **(self.root or {})}
        root |= {"change": self.change + 1, "people": people}
        root |= {name.removeprefix("vault."): digest(c) for name, c in contents.items()}
        root["mac"] = _mac(master, root)
        written = (json.dumps(root) + "\n").encode("utf-8")
        staged: list[Staged] = []
        try:
            for name, content in contents.items():
                staged.append(Staged(self.folder / name, content, private=True))
            replace_file(self.folder / ROOT, written, private=True)
        except BaseException as problem:
            if self._digest(self.folder / ROOT) == digest(written):  # stopped just behind it
                self.root, self._written, self._staged = root, written, staged
                raise
            for part in staged:
                part.discard()
            if isinstance(problem, OSError):
                raise VaultError(
                    f"the vault cannot be written ({problem.strerror or problem}); nothing was "
                    "changed."
                ) from None
            raise
        self.root, self._written, self._staged = root, written, staged
        self.finish()

    def finish(self) -> bool:
        """Put in place what is decided and still lies beside; tells whether anything did.

        Raises
        ------
        VaultError
            If a file cannot be replaced, as when another program holds it open on Windows.
        """
        had = bool(self._staged)
        while self._staged:
            staged = self._staged[-1]
            try:
                if staged.path.exists():
                    staged.commit()
            except OSError as problem:
                raise VaultError(_not_replaced(staged.target.name, problem)) from None
            self._staged.pop()
        return had
