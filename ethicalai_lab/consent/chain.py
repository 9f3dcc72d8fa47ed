"""The chain of events: each one's hash covers its row and the hash before it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

__all__ = ["COLUMNS", "extend"]

_NUMBERS = ("seq", "subject", "time", "recorded_at")
_WORDS = ("purpose", "action", "notice_version", "source", "regime")
COLUMNS = ("seq", "subject", *_WORDS[:2], "time", *_WORDS[2:], "recorded_at")
_SIZE = 8 * len(_NUMBERS) + 16


def extend(digest: str, rows: Any) -> str:
    """Return the chain's last hash after some more events.

    Parameters
    ----------
    digest : str
        The hash before them, in hexadecimal digits.
    rows : pyarrow.Table
        Events as they stand in the database, in order.

    Returns
    -------
    str

    Notes
    -----
    A row is hashed as it is kept, under its pseudonym: the chain names nobody, and holds
    after an erasure.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from ethicalai_lab.consent.chain import COLUMNS, extend
    >>> row = {name: [1] if name in ("seq", "subject") else ["a"] for name in COLUMNS}
    >>> row |= {"time": pa.array([0], pa.timestamp("us")),
    ...         "recorded_at": pa.array([0], pa.timestamp("us"))}
    >>> one = extend("00" * 32, pa.table(row))
    >>> one == extend("00" * 32, pa.table({**row, "action": ["b"]}))
    False
    """
    raw = _records(rows)
    sha, head = hashlib.sha256, bytes.fromhex(digest)
    for start in range(0, len(raw), _SIZE):
        head = sha(head + raw[start : start + _SIZE]).digest()
    return head.hex()


def _records(rows: Any) -> bytes:
    import pyarrow as pa

    n = rows.num_rows
    out = np.empty((n, _SIZE), dtype=np.uint8)
    for i, name in enumerate(_NUMBERS):
        numbers = rows[name].cast(pa.int64()).to_numpy().astype(">i8")
        out[:, 8 * i : 8 * i + 8] = numbers.view(np.uint8).reshape(n, 8)
    # there are few different combinations of words: hash each of them once
    which = np.zeros(n, dtype=np.int64)
    for name in _WORDS:
        coded = rows[name].combine_chunks().dictionary_encode()
        codes = coded.indices.to_numpy(zero_copy_only=False)
        which = which * max(len(coded.dictionary), 1) + codes
    _, first, which = np.unique(which, return_index=True, return_inverse=True)
    told = rows.select(_WORDS).take(first).to_pylist()
    texts = [json.dumps(list(row.values())).encode() for row in told]
    marks = np.array([list(hashlib.sha256(t).digest()[:16]) for t in texts], dtype=np.uint8)
    if n:
        out[:, 8 * len(_NUMBERS) :] = marks[which]
    return out.tobytes()
