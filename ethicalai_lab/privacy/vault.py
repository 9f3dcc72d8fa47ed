"""Personal data at rest: one key a person, so that one person can be erased.

``vault.data`` holds encrypted cells, ``vault.keys`` holds each person's data key, itself
encrypted by a master key that lies in neither. Destroying a person's entry in ``vault.keys``
makes that person's cells unreadable wherever copies of ``vault.data`` may be
(crypto-shredding). ``vault.root`` holds a counter of changes and the digests of both files
under a code that only the master key makes: one file put back, cut or altered is noticed.

The limits are those of any such scheme. Old copies of the key file, plain-text exports,
features and models live on. A disk keeps the bytes of a replaced file until it uses the place
again. All files of one moment, put back together, look as they looked then: only a counter
that is kept elsewhere shows it (``verify(at_least=...)``). No regulator's text says that
destroying a key always equals erasure under GDPR Art 17.

References
----------
NIST SP 800-38D (AES-GCM); NIST SP 800-88 (cryptographic erase); Boneh, Lipton, "A
revocable backup system", USENIX Security 1996.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hmac
import json
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.core.identity import person_keys
from ethicalai_lab.privacy.errors import check_columns, check_table
from ethicalai_lab.privacy.vault_files import (
    DATA,
    KEYS,
    ROOT,
    VaultError,
    VaultFiles,
    digest,
    other_master,
    pack,
    unpack,
)

__all__ = ["ErasedError", "Vault", "VaultError", "breach", "new_master_key"]

_PARTS = ("data", "keys", "master")
_RESTORE = "restore it from the newest copy, or see accept_files()"


class ErasedError(VaultError):
    """The person's key was destroyed."""


def new_master_key() -> bytes:
    """Draw a 256-bit master key from the operating system.

    Returns
    -------
    bytes

    References
    ----------
    NIST SP 800-133, "Recommendation for cryptographic key generation".

    Examples
    --------
    >>> from ethicalai_lab.privacy.vault import new_master_key
    >>> len(new_master_key())
    32
    """
    return os.urandom(32)


def _gcm(key: bytes):
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _seal(key: bytes, plain: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(12)
    return nonce + _gcm(key).encrypt(nonce, plain, bound)


def _open(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    """Decrypt, or raise ValueError: the bytes, the key or what they are bound to differ."""
    from cryptography.exceptions import InvalidTag

    try:
        return _gcm(key).decrypt(sealed[:12], sealed[12:], bound)
    except (InvalidTag, ValueError):
        raise ValueError from None


def _bound(*parts: str) -> bytes:
    # JSON keeps ("ab", "c") and ("a", "bc") apart
    return json.dumps(["ethicalai-lab vault 1", *parts]).encode("utf-8")


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _plain(value: Any, where: str) -> bytes:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        value = None
    elif isinstance(value, pd.Timestamp) or hasattr(value, "isoformat"):
        value = None if value is pd.NaT else value.isoformat()
    elif hasattr(value, "item"):
        value = value.item()
    try:
        return json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (TypeError, ValueError):
        raise VaultError(
            f"{where} is a {type(value).__name__}; text, numbers, dates, true/false and missing "
            "values are accepted."
        ) from None


def _alone(method: Callable) -> Callable:
    """Let one thread at a time work with a vault that is open, and finish what is decided."""

    @functools.wraps(method)
    def run(self: Vault, *args: Any, **options: Any) -> Any:
        with self._threads:
            if self._opened_in != os.getpid():
                raise VaultError(
                    "the vault is closed, or was opened in another process; open it again, with "
                    "Vault.open."
                )
            return method(self, *args, **options)

    return run


class Vault:
    """Encrypted storage with a key for each person.

    Make one with :meth:`create`, open one with :meth:`open`. It is locked until :meth:`close`
    or the end of a ``with`` block: nobody else can open it meanwhile. Every change is on the
    disk when its call returns; one that is interrupted did not happen, or is finished when
    the vault is opened again.

    Examples
    --------
    >>> import tempfile
    >>> from ethicalai_lab.privacy.vault import Vault, new_master_key
    >>> with (
    ...     tempfile.TemporaryDirectory() as folder,
    ...     Vault.create(folder, new_master_key()) as vault,
    ... ):
    ...     vault.put(7, {"email": "ada@example.org"})
    ...     before = vault.get(7, "email")
    ...     vault.erase(7)
    ...     after = vault.has(7)
    >>> before, after
    ('ada@example.org', False)
    """

    def __init__(self, files: VaultFiles, master_key: bytes) -> None:
        self.folder = files.folder
        self._files = files
        self._master = master_key
        self._index = os.urandom(32)
        self._keys: dict[str, bytes] = {}  # person token -> wrapped data key
        self._cells: dict[str, dict[str, bytes]] = {}  # person token -> column -> sealed bytes
        self._erased: set[str] = set()  # tokens whose cells still wait for purge()
        self._stray: dict[str, int] = {}  # tokens in vault.data that nobody has -> line
        self._faults: dict[str, str] = {}
        self._threads = threading.RLock()
        self._opened_in: int | None = os.getpid()
        self._finalizer = weakref.finalize(self, files.release)

    def __repr__(self) -> str:
        state = f"people={len(self._keys)}" if self._opened_in is not None else "closed"
        return f"Vault({self.folder.name!r}, {state})"

    # ---- making, opening, closing ----------------------------------------------------
    @classmethod
    def create(cls, folder: str | Path, master_key: bytes) -> Vault:
        """Start an empty vault in a folder (made if it is not there).

        Raises
        ------
        VaultError
            If the folder holds a vault already, or the key is not 32 bytes.
        """
        folder, key = Path(folder), _check_master(master_key)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise VaultError(
                f"the folder {folder} cannot be made ({problem.strerror or problem})."
            ) from None
        files = VaultFiles(folder)
        try:
            for name in (DATA, KEYS, ROOT):
                if (folder / name).exists():
                    raise VaultError(f"{name} exists already; open it, or choose another folder.")
            files.clear()
            vault = cls(files, key)
            vault._write(keys={}, cells={}, erased=set())
        except BaseException:
            files.release()
            raise
        return vault

    @classmethod
    def open(cls, folder: str | Path, master_key: bytes) -> Vault:
        """Open a vault, and finish the change that was decided when its writer was killed.

        Raises
        ------
        VaultError
            If it is open already, a file is missing, cut short or altered in its structure,
            or the master key is another one. The files stay as they are.
        """
        folder, key = Path(folder), _check_master(master_key)
        if not folder.is_dir():
            raise VaultError(f"{folder} is no folder; the folder of a vault is accepted.")
        files = VaultFiles(folder)
        try:
            vault = cls(files, key)
            vault._load()
        except BaseException:
            files.release()
            raise
        return vault

    def _load(self) -> None:
        self._files.load(self._master)
        head, keys = unpack(self.folder / KEYS, "keys")
        try:
            _open(self._master, base64.b64decode(head["check"]), _bound("check"))
            self._index = _open(self._master, base64.b64decode(head["index"]), _bound("index"))
            erased = {str(who) for who in head["erased"]}
        except (ValueError, KeyError, TypeError, binascii.Error):
            why = self._files.faults().get(KEYS) if self._files.root is not None else None
            raise VaultError(why or other_master(KEYS)) from None
        _, rows = unpack(self.folder / DATA, "data")
        if self._files.root is not None:
            self._files.clear()
        self._faults = self._files.faults()
        self._keys = {who: _bytes(wrapped) for who, wrapped in keys}
        self._erased = erased
        for line, (who, column, sealed) in enumerate(rows, start=2):
            self._cells.setdefault(who, {})[column] = _bytes(sealed)
            if who not in self._keys and who not in erased:
                self._stray.setdefault(who, line)

    def close(self) -> None:
        """Let others open the vault; this object forgets its keys."""
        with self._threads:
            self._opened_in = None
            self._master = self._index = b""
            self._keys, self._cells = {}, {}
            self._finalizer()

    def __enter__(self) -> Vault:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- using -----------------------------------------------------------------------
    @property
    def change(self) -> int:
        """Number of the last change. Keep it elsewhere, for ``verify(at_least=...)``."""
        return self._files.change

    @_alone
    def put(self, person: Any, values: Mapping[str, Any]) -> None:
        """Store columns of one person.

        Raises
        ------
        VaultError
            If a value cannot be stored, or a file is not the one that was last written. Then
            nothing changes.
        """
        self._store([self._token(person)], [person], [dict(values)])

    @_alone
    def put_table(self, table: pd.DataFrame, person: str) -> None:
        """Store a table, one row a person, in one write.

        Parameters
        ----------
        table : pandas.DataFrame
        person : str
            Column that tells people apart.

        Raises
        ------
        VaultError
            As :meth:`put`; also if a row names nobody, or two rows the same person.
        """
        check_table(table)
        check_columns(table, [person], "person")
        tokens = self._tokens(table[person], f"column {person!r}")
        people = table[person].tolist()
        if len(set(tokens)) < len(tokens):
            twice = pd.Series(tokens).duplicated().idxmax()
            raise VaultError(
                f"column {person!r}: {people[twice]!r} occurs twice; one row a person."
            )
        columns = [c for c in table.columns if c != person]
        values = [table[c].astype(object).tolist() for c in columns]
        rows = [
            {str(c): v[i] for c, v in zip(columns, values, strict=True)} for i in range(len(people))
        ]
        self._store(tokens, people, rows)

    def _store(self, tokens: list[str], people: Sequence[Any], rows: Sequence[dict]) -> None:
        self._check(DATA, KEYS)
        # everything is sealed before anything is kept: a bad value changes nothing
        keys, cells = dict(self._keys), dict(self._cells)
        for who, person, values in zip(tokens, people, rows, strict=True):
            if who in self._keys:
                data_key = self._unwrap(who, person)
                kept = dict(self._cells.get(who, {}))
            else:  # an erased person who comes back starts anew
                data_key, kept = os.urandom(32), {}
                keys[who] = _seal(self._master, data_key, _bound("key", who))
            for column, value in values.items():
                plain = _plain(value, f"person {person!r}, column {column!r}")
                kept[str(column)] = _seal(data_key, plain, _bound("cell", who, str(column)))
            cells[who] = kept
        new = keys.keys() - self._keys.keys()
        self._write(
            keys=keys if new else None,
            cells=cells,
            erased=self._erased - new if new else None,
        )

    @_alone
    def has(self, person: Any) -> bool:
        """Whether the vault holds a key for the person."""
        self._check_people()
        return self._token(person) in self._keys

    @_alone
    def get(self, person: Any, column: str) -> Any:
        """Read one cell.

        Raises
        ------
        ErasedError
            If the person's key was destroyed (or never was there).
        VaultError
            If there is no such cell, or its bytes were altered, moved or swapped; or if the
            people in ``vault.keys`` are not those it was last written with.
        """
        self._check_people()
        who = self._token(person)
        if who not in self._keys:
            raise ErasedError(
                f"person {person!r} has no key in the vault: erased or never stored; the data "
                "cannot be read."
            )
        key = self._unwrap(who, person)
        sealed = self._cells.get(who, {}).get(column)
        if sealed is None:
            raise VaultError(f"person {person!r} has no column {column!r} in the vault.")
        try:
            return json.loads(_open(key, sealed, _bound("cell", who, column)))
        except ValueError:
            raise VaultError(
                f"person {person!r}, column {column!r}: the bytes were altered or belong "
                "elsewhere; restore vault.data from a copy. Other cells can still be read."
            ) from None

    @_alone
    def erase(self, person: Any) -> None:
        """Destroy the person's key. The cells stay where they are, unreadable for good.

        Raises
        ------
        ErasedError
            If the vault holds no key for the person.
        VaultError
            If ``vault.keys`` is not the file that was last written, or cannot be written.
        """
        finished = self._files.finish()
        self._check(KEYS)
        who = self._token(person)
        if who not in self._keys:
            if finished and who in self._erased:
                return  # asked again after an erasure that was decided and not finished
            raise ErasedError(f"person {person!r} has no key in the vault: erased or never stored.")
        keys = {other: wrapped for other, wrapped in self._keys.items() if other != who}
        waits = {who} & self._cells.keys()
        self._write(keys=keys, erased=self._erased | waits)

    @_alone
    def purge(self) -> int:
        """Drop erased people's cells from the data file; returns how many people's.

        Raises
        ------
        VaultError
            If a row belongs to nobody, neither to a person with a key nor to one who was
            erased: its token was damaged, and nothing is deleted.
        """
        for who, line in self._stray.items():
            raise VaultError(
                f"{DATA}, line {line}: token {who[:40]!r} is nobody's, neither a person's with a "
                f"key nor that of one who was erased. A file was altered; {_RESTORE}. Nothing "
                "was deleted."
            )
        self._check(DATA, KEYS)
        gone = self._erased & self._cells.keys()
        if gone:
            kept = {who: row for who, row in self._cells.items() if who not in gone}
            self._write(keys=self._keys, cells=kept, erased=set())
        return len(gone)

    @_alone
    def rotate(self, new_key: bytes) -> None:
        """Wrap every data key by a new master key; the data file is not touched.

        Raises
        ------
        VaultError
            If ``vault.keys`` was altered; then nothing changes.
        """
        key = _check_master(new_key)
        self._check(KEYS)
        fresh = {who: _seal(key, self._unwrap(who), _bound("key", who)) for who in self._keys}
        self._write(keys=fresh, master=key)

    @_alone
    def verify(self, at_least: int | None = None) -> pd.DataFrame:
        """Try every key and every cell, and hold the files against the root.

        One file of an earlier day that was put back, a row that was cut, added or moved and
        a byte that was changed are all noticed. What is not: all three files of an earlier
        day, put back together, by somebody who needs no key for that. Give a ``change`` that
        was read before and kept elsewhere, and that is noticed too.

        Parameters
        ----------
        at_least : int, optional
            A number of the last change (``change``) that was seen before.

        Returns
        -------
        pandas.DataFrame
            One row a fault: ``part`` (a file's name, or key, cell, row), ``token`` of the
            person, ``column``, and ``fault``, a sentence; empty if all is well. Cells of
            erased people are no fault.
        """
        self._files.finish()
        found = [(name, "", "", said) for name, said in self._files.faults().items()]
        if at_least is not None and self.change < at_least:
            said = f"the last change is number {self.change}; {at_least} was made before."
            found.append((ROOT, "", "", f"Older files were put back together: {said}"))
        for who in self._keys:
            try:
                key = self._unwrap(who)
            except VaultError as problem:
                found.append(("key", who, "", str(problem)))
                continue
            for column, sealed in self._cells.get(who, {}).items():
                try:
                    _open(key, sealed, _bound("cell", who, column))
                except ValueError:
                    said = "The bytes were altered or belong elsewhere."
                    found.append(("cell", who, column, said))
        for who, line in self._stray.items():
            said = f"{DATA}, line {line}: the token is nobody's."
            found += [("row", who, column, said) for column in self._cells[who]]
        return pd.DataFrame(found, columns=["part", "token", "column", "fault"])

    @_alone
    def accept_files(self) -> None:
        """Take the files as they are, after a restore that you made yourself.

        People who were erased since the copy was made are back, and must be erased again.
        Rows that belong to nobody count as erased from now on.
        """
        self._files.finish()
        erased = self._erased | self._stray.keys()
        self._write(keys=self._keys, cells=self._cells, erased=erased)
        self._files.clear()
        self._faults, self._stray = {}, {}

    # ---- inside ----------------------------------------------------------------------
    def _token(self, person: Any) -> str:
        if np.ndim(person) != 0:
            raise VaultError(
                f"person is a {type(person).__name__}; one person at a time, a text or a whole "
                "number, is accepted."
            )
        return self._tokens(person, "person")[0]

    def _tokens(self, people: Any, name: str) -> list[str]:
        """Tokens under which the files know people: they hold no identity in the clear."""
        keys = person_keys(people, name, error=VaultError)
        return [hmac.digest(self._index, k.encode("utf-8"), "sha256")[:16].hex() for k in keys]

    def _check(self, *names: str) -> None:
        """Refuse to write over a file that is not the one that was last written."""
        self._files.finish()
        for name in (*names, ROOT):
            if name in self._faults:
                raise VaultError(f"{self._faults[name]} Nothing was changed; {_RESTORE}.")

    def _check_people(self) -> None:
        """Refuse to read where an erased person may have been put back."""
        root = self._files.root
        if self._faults and (root is None or root["people"] != _who_are(self._keys)):
            raise VaultError(
                f"{self._faults.get(ROOT) or self._faults.get(KEYS)} The people in {KEYS} may be "
                f"others than it was last written with, so nobody is read; {_RESTORE}."
            )

    def _unwrap(self, who: str, person: Any = None) -> bytes:
        try:
            return _open(self._master, self._keys[who], _bound("key", who))
        except ValueError:
            name = f"person {person!r}" if person is not None else f"token {who[:40]}"
            raise VaultError(
                f"{name}: the wrapped key was altered; restore {KEYS} from a copy. Other people "
                "can still be read."
            ) from None

    def _write(
        self,
        *,
        keys: dict[str, bytes] | None = None,
        cells: dict[str, dict[str, bytes]] | None = None,
        erased: set[str] | None = None,
        master: bytes | None = None,
    ) -> None:
        """Make one change, on the disk and then here; what is None stays."""
        master = self._master if master is None else master
        erased = self._erased if erased is None else erased
        contents = {}
        if cells is not None:
            rows = (
                (who, column, _text(sealed))
                for who, columns in cells.items()
                for column, sealed in columns.items()
            )
            contents[DATA] = pack("data", {}, rows)
        if keys is not None:
            head = {
                "check": _text(_seal(master, b"", _bound("check"))),
                # the index key moves along, or nobody could be found any more
                "index": _text(_seal(master, self._index, _bound("index"))),
                "erased": sorted(erased),
            }
            contents[KEYS] = pack("keys", head, ((w, _text(k)) for w, k in keys.items()))
        people = _who_are(self._keys if keys is None else keys)
        before = self.change
        try:
            self._files.commit(master, people, contents)
        finally:
            if self.change > before:  # decided, even if it was interrupted right after
                self._master, self._erased = master, erased
                self._keys = self._keys if keys is None else keys
                self._cells = self._cells if cells is None else cells


def _who_are(keys: Iterable[str]) -> str:
    return digest(json.dumps(sorted(keys)).encode("utf-8"))


def _check_master(key: Any) -> bytes:
    if not isinstance(key, (bytes, bytearray)) or len(key) != 32:
        size = f"{len(key)} bytes" if isinstance(key, (bytes, bytearray)) else type(key).__name__
        raise VaultError(f"the master key is {size}; 32 bytes are accepted, see new_master_key().")
    return bytes(key)


def _bytes(text: Any) -> bytes:
    """Decode, or give bytes that no key opens: the fault shows at that cell only."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        return b""


def breach(
    folder: str | Path,
    stolen: Iterable[str],
    master_key: bytes | None = None,
    keys_backup: str | Path | None = None,
) -> dict:
    """Try, with what a thief took, to read everything there is.

    Parameters
    ----------
    folder : path
        Folder of the vault.
    stolen : iterable of {'data', 'keys', 'master'}
    master_key : bytes, optional
        Used only if ``'master'`` was stolen.
    keys_backup : path, optional
        An older copy of ``vault.keys`` that the thief took in place of the present one.

    Returns
    -------
    dict
        ``cells_seen`` (encrypted cells in hand), ``cells_read`` (decrypted), ``people_read``,
        ``columns_seen`` (names that the data file shows), ``values`` (what was read).

    Raises
    ------
    VaultError
        If a part is not one of the three.

    References
    ----------
    GDPR Art 34(3)(a): data made unintelligible to whoever accesses it.

    Examples
    --------
    >>> import tempfile
    >>> from ethicalai_lab.privacy.vault import Vault, breach, new_master_key
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     key = new_master_key()
    ...     with Vault.create(folder, key) as vault:
    ...         vault.put(7, {"email": "ada@example.org"})
    ...     some = breach(folder, ["data", "keys"])["cells_read"]
    ...     all_ = breach(folder, ["data", "keys", "master"], key)["cells_read"]
    >>> some, all_
    (0, 1)
    """
    folder, parts = Path(folder), set(stolen)
    for part in parts:
        if part not in _PARTS:
            raise VaultError(f"stolen: {part!r} is no part; {', '.join(_PARTS)} are accepted.")
    if "master" in parts:
        master = _check_master(master_key)
    rows = unpack(folder / DATA, "data")[1] if "data" in parts else []
    wrapped = {}
    if "keys" in parts:
        source = Path(keys_backup) if keys_backup is not None else folder / KEYS
        wrapped = dict(unpack(source, "keys")[1])
    values: dict = {}
    for who, column, sealed in rows:
        if who not in wrapped:
            continue
        # without the master key the wrapped bytes are the best guess there is
        tries = [_bytes(wrapped[who])[12:44]]
        if "master" in parts:
            try:
                tries.append(_open(master, _bytes(wrapped[who]), _bound("key", who)))
            except ValueError:
                continue
        for key in tries:
            try:
                plain = _open(key, _bytes(sealed), _bound("cell", who, column))
                values.setdefault(who, {})[column] = json.loads(plain)
            except ValueError:
                continue
    return {
        "cells_seen": len(rows),
        "cells_read": sum(map(len, values.values())),
        "people_read": len(values),
        "columns_seen": sorted({r[1] for r in rows}),
        "values": values,
    }
