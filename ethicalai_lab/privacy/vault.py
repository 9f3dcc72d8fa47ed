"""Personal data at rest: one key a person, so that one person can be erased.

Two files lie in the vault's folder. ``vault.data`` holds encrypted cells, ``vault.keys``
holds each person's data key, itself encrypted by a master key that lies in neither.
Destroying a person's entry in ``vault.keys`` makes that person's cells unreadable
wherever copies of ``vault.data`` may be (crypto-shredding). The limits are those of any
such scheme: copies of the key file, plain-text exports, features and models live on, and
no regulator's text says that it always equals erasure under GDPR Art 17.

References
----------
NIST SP 800-38D (AES-GCM); NIST SP 800-88 (cryptographic erase); Boneh, Lipton, "A
revocable backup system", USENIX Security 1996.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ethicalai_lab.privacy.errors import PrivacyError, check_columns, check_table
from ethicalai_lab.privacy.pseudonymization import write_atomically

__all__ = ["Vault", "VaultError", "breach", "new_master_key"]

_DATA, _KEYS = "vault.data", "vault.keys"
_PARTS = ("data", "keys", "master")


class VaultError(PrivacyError):
    """The vault cannot be read or written; the message says which part and why."""


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
    except TypeError:
        raise VaultError(
            f"{where} is a {type(value).__name__}; text, numbers, dates, true/false and missing "
            "values are accepted."
        ) from None


class Vault:
    """Encrypted storage with a key for each person.

    Make one with :meth:`create`, open one with :meth:`open`.

    Examples
    --------
    >>> import tempfile
    >>> from ethicalai_lab.privacy.vault import Vault, new_master_key
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     vault = Vault.create(folder, new_master_key())
    ...     vault.put(7, {"email": "ada@example.org"})
    ...     before = vault.get(7, "email")
    ...     vault.erase(7)
    ...     after = vault.has(7)
    >>> before, after
    ('ada@example.org', False)
    """

    def __init__(self, folder: Path, master_key: bytes, keys: dict, cells: dict) -> None:
        self.folder = folder
        self._master = master_key
        self._keys = keys  # person token -> wrapped data key
        self._cells = cells  # person token -> column -> sealed bytes
        self._damaged: dict = {}

    def __repr__(self) -> str:
        return f"Vault({self.folder.name!r}, people={len(self._keys)})"

    # ---- making and opening --------------------------------------------------------
    @classmethod
    def create(cls, folder: str | Path, master_key: bytes) -> Vault:
        """Start an empty vault in a folder (made if it is not there).

        Raises
        ------
        VaultError
            If the folder holds a vault already, or the key is not 32 bytes.
        """
        folder = Path(folder)
        key = _check_master(master_key)
        for name in (_DATA, _KEYS):
            if (folder / name).exists():
                raise VaultError(f"{name} exists already; open it, or choose another folder.")
        folder.mkdir(parents=True, exist_ok=True)
        vault = cls(folder, key, {}, {})
        vault._write_keys()
        vault._write_data()
        return vault

    @classmethod
    def open(cls, folder: str | Path, master_key: bytes) -> Vault:
        """Open a vault.

        Raises
        ------
        VaultError
            If a file is missing, cut short or altered in its structure, or the master key
            is another one. The files stay as they are.
        """
        folder = Path(folder)
        key = _check_master(master_key)
        head, keys = _read(folder / _KEYS, "keys")
        try:
            _open(key, base64.b64decode(head["check"]), _bound("check"))
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise VaultError(
                f"the master key does not open {_KEYS}; the key it was last written with is "
                "accepted. Nothing was changed."
            ) from None
        _, rows = _read(folder / _DATA, "data")
        cells: dict = {}
        for who, column, sealed in rows:
            cells.setdefault(who, {})[column] = _bytes(sealed)
        return cls(folder, key, {who: _bytes(wrapped) for who, wrapped in keys}, cells)

    # ---- using ---------------------------------------------------------------------
    def put(self, person: Any, values: Mapping[str, Any]) -> None:
        """Store columns of one person."""
        self._store([(person, dict(values))])

    def put_table(self, table: pd.DataFrame, person: str) -> None:
        """Store a table, one row a person, in one write.

        Parameters
        ----------
        table : pandas.DataFrame
        person : str
            Column that tells people apart.
        """
        check_table(table)
        check_columns(table, [person], "person")
        if not table[person].is_unique:
            twice = table.loc[table[person].duplicated(), [person]].iloc[0].tolist()[0]
            raise VaultError(f"column {person!r}: {twice!r} occurs twice; one row a person.")
        if table[person].isna().any():
            row = table.index[table[person].isna()].tolist()[0]
            raise VaultError(f"column {person!r}, row {row!r} is missing; every row needs one.")
        columns = [c for c in table.columns if c != person]
        people = table[person].tolist()
        values = [table[c].astype(object).tolist() for c in columns]
        self._store(
            (who, {str(c): v[i] for c, v in zip(columns, values, strict=True)})
            for i, who in enumerate(people)
        )

    def _store(self, people: Iterable[tuple[Any, dict]]) -> None:
        # everything is sealed before anything is kept: a bad value changes nothing
        keys, cells = {}, {}
        for person, values in people:
            who = self._who(person)
            data_key = self._data_key(person) if who in self._keys else os.urandom(32)
            if who not in self._keys:
                keys[who] = _seal(self._master, data_key, _bound("key", who))
            # an erased person who comes back starts anew
            kept = dict(self._cells.get(who, {})) if who in self._keys else {}
            for column, value in values.items():
                plain = _plain(value, f"person {person!r}, column {column!r}")
                kept[str(column)] = _seal(data_key, plain, _bound("cell", who, str(column)))
            cells[who] = kept
        before = dict(self._keys), dict(self._cells)
        self._keys.update(keys)
        self._cells.update(cells)
        try:
            if keys:  # first the keys: a key without data harms nobody, data without a key does
                self._write_keys()
            self._write_data()
        except BaseException:
            self._keys, self._cells = before
            raise

    def has(self, person: Any) -> bool:
        """Whether the vault holds a key for the person."""
        return self._who(person) in self._keys

    def get(self, person: Any, column: str) -> Any:
        """Read one cell.

        Raises
        ------
        ErasedError
            If the person's key was destroyed (or never was there).
        VaultError
            If there is no such cell, or its bytes were altered, moved or swapped.
        """
        who = self._who(person)
        key = self._data_key(person)
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

    def erase(self, person: Any) -> None:
        """Destroy the person's key. The cells stay where they are, unreadable for good.

        Raises
        ------
        ErasedError
            If the vault holds no key for the person.
        """
        who = self._who(person)
        if who not in self._keys:
            raise ErasedError(f"person {person!r} has no key in the vault: erased or never stored.")
        wrapped = self._keys.pop(who)
        try:
            self._write_keys()
        except BaseException:
            self._keys[who] = wrapped
            raise

    def purge(self) -> int:
        """Drop cells whose key is gone from the data file; returns how many people's."""
        gone = [who for who in self._cells if who not in self._keys]
        before = self._cells
        self._cells = {who: c for who, c in before.items() if who in self._keys}
        try:
            self._write_data()
        except BaseException:
            self._cells = before
            raise
        return len(gone)

    def rotate(self, new_key: bytes) -> None:
        """Wrap every data key by a new master key; the data file is not touched.

        Raises
        ------
        VaultError
            If a wrapped key was altered; then nothing changes.
        """
        key = _check_master(new_key)
        index = self._index_key()
        fresh = {}
        for who, wrapped in self._keys.items():
            fresh[who] = _seal(key, self._unwrap(who, wrapped), _bound("key", who))
        before = self._master, self._keys
        # the index key moves along, or nobody could be found any more
        self._master, self._keys = key, fresh
        try:
            self._write_keys(index)
        except BaseException:
            self._master, self._keys = before
            raise

    def verify(self) -> pd.DataFrame:
        """Try every key and every cell.

        Returns
        -------
        pandas.DataFrame
            One row a fault: ``part`` (key or cell), ``token`` of the person, ``column``;
            empty if all is well. Cells of erased people are no fault.
        """
        faults = []
        for who, wrapped in self._keys.items():
            try:
                key = self._unwrap(who, wrapped)
            except VaultError:
                faults.append(("key", who, ""))
                continue
            for column, sealed in self._cells.get(who, {}).items():
                try:
                    _open(key, sealed, _bound("cell", who, column))
                except ValueError:
                    faults.append(("cell", who, column))
        return pd.DataFrame(faults, columns=["part", "token", "column"])

    # ---- inside ----------------------------------------------------------------------
    def _index_key(self) -> bytes:
        if not hasattr(self, "_index"):
            self._index = _read_index(self.folder / _KEYS, self._master)
        return self._index

    def _who(self, person: Any) -> str:
        """Token under which the files know a person: they hold no identity in the clear."""
        plain = _plain(person, "person")
        return hmac.digest(self._index_key(), plain, "sha256")[:16].hex()

    def _data_key(self, person: Any) -> bytes:
        who = self._who(person)
        if who not in self._keys:
            raise ErasedError(
                f"person {person!r} has no key in the vault: erased or never stored; the data "
                "cannot be read."
            )
        return self._unwrap(who, self._keys[who], person)

    def _unwrap(self, who: str, wrapped: bytes, person: Any = None) -> bytes:
        try:
            return _open(self._master, wrapped, _bound("key", who))
        except ValueError:
            name = f"person {person!r}" if person is not None else f"token {who}"
            raise VaultError(
                f"{name}: the wrapped key was altered; restore {_KEYS} from a copy. Other people "
                "can still be read."
            ) from None

    def _write_keys(self, index: bytes | None = None) -> None:
        if index is None:
            exists = (self.folder / _KEYS).exists()
            index = self._index_key() if exists else os.urandom(32)
        head = {
            "check": _text(_seal(self._master, b"", _bound("check"))),
            "index": _text(_seal(self._master, index, _bound("index"))),
        }
        _write(self.folder / _KEYS, "keys", head, ((w, _text(k)) for w, k in self._keys.items()))
        self._index = index

    def _write_data(self) -> None:
        rows = (
            (who, column, _text(sealed))
            for who, columns in self._cells.items()
            for column, sealed in columns.items()
        )
        _write(self.folder / _DATA, "data", {}, rows)


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


def _write(path: Path, kind: str, head: dict, rows: Iterable[tuple]) -> None:
    lines = [json.dumps({"format": f"ethicalai-lab vault {kind}", "version": 1, **head})]
    lines += [json.dumps(row) for row in rows]
    lines.append(json.dumps({"end": len(lines) - 1}))
    write_atomically(path, ("\n".join(lines) + "\n").encode("utf-8"))


def _read(path: Path, kind: str) -> tuple[dict, list]:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise VaultError(f"{path.name} is not in the folder; both files are needed.") from None
    lines = raw.split(b"\n")
    rows: list = []
    head: dict = {}
    width = 2 if kind == "keys" else 3
    for number, line in enumerate(lines[:-1], start=1):
        try:
            item = json.loads(line)
            if number == 1:
                if item["format"] != f"ethicalai-lab vault {kind}" or item["version"] != 1:
                    raise ValueError
                head = item
            elif isinstance(item, dict):
                if item["end"] == len(rows) and number == len(lines) - 1 and lines[-1] == b"":
                    return head, rows
                raise ValueError
            else:
                if len(item) != width or not all(isinstance(x, str) for x in item):
                    raise ValueError
                rows.append(item)
        except (ValueError, KeyError, TypeError):
            raise VaultError(
                f"{path.name}, line {number} is no line of a vault's {kind} file: it was altered. "
                "Restore the file from a copy; nothing was changed."
            ) from None
    raise VaultError(
        f"{path.name} is cut short after {len(rows)} entries (its closing line is missing). "
        "Restore the file from a copy; nothing was changed."
    )


def _read_index(path: Path, master: bytes) -> bytes:
    head, _ = _read(path, "keys")
    try:
        return _open(master, base64.b64decode(head["index"]), _bound("index"))
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise VaultError(
            f"{path.name}: the index key was altered, or the master key is another one."
        ) from None


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
    ...     Vault.create(folder, key).put(7, {"email": "ada@example.org"})
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
    rows = _read(folder / _DATA, "data")[1] if "data" in parts else []
    wrapped = {}
    if "keys" in parts:
        source = Path(keys_backup) if keys_backup is not None else folder / _KEYS
        wrapped = dict(_read(source, "keys")[1])
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
