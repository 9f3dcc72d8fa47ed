"""The world's data files in ``data/``: names, phrases, message templates and the schema."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

__all__ = ["phrases", "rows", "words"]


@lru_cache
def rows(name: str) -> tuple[dict[str, str], ...]:
    """Return the lines of one data file, read once.

    Examples
    --------
    >>> rows("pools")[0]
    {'pool': 'female_names', 'word': 'Ada'}
    """
    path = Path(__file__).with_name("data") / f"{name}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@lru_cache
def words(pool: str) -> tuple[str, ...]:
    """Return the words of a pool that names, streets, products and addresses are made from.

    Everything is invented or reserved for fiction: e-mail domains by RFC 2606, and of each
    area code the numbers 555-0100 to 555-0199.

    Examples
    --------
    >>> words("street_kinds")
    ('Street', 'Road', 'Lane', 'Avenue', 'Way', 'Close')
    """
    return tuple(row["word"] for row in rows("pools") if row["pool"] == pool)


@lru_cache
def phrases(part: str, style: str) -> tuple[str, ...]:
    """Return what a message of a style may begin with, add or close with.

    Examples
    --------
    >>> phrases("closing", "informal")
    (' cheers, ', ' thx ', ' xo ')
    """
    found = rows("phrases")
    return tuple(row["text"] for row in found if (row["part"], row["style"]) == (part, style))
