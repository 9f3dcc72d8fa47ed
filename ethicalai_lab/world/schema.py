"""Each table and column of the world: type, role, range and meaning, read from a data file.

The one source of the data dictionary and of the checks on loaded worlds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ethicalai_lab.world.texts import rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ACTIONS", "SCHEMA", "TRUTH_SCHEMA", "Column", "data_dictionary", "levels"]

ACTIONS = ("rest", "sports_email", "fashion_email", "sports_push", "fashion_push")
OUTCOMES = ("visit", "conversion", "spend", "unsubscribed")


@dataclass(frozen=True)
class Column:
    """What a column holds.

    Parameters
    ----------
    name : str
        Column name.
    kind : {"int", "float", "bool", "flag", "text", "category", "ordered", "date", "time"}
        Logical type; a flag is 0 or 1, a date has no time of day.
    role : str
        One of `ethicalai_lab.tables.ROLES`.
    description : str
        One sentence, with the unit where there is one.
    categories : tuple of str, default ()
        Allowed values of a category, in order.
    low, high : float, optional
        Allowed range, both ends included.
    nullable : bool, default False
        Whether values may be missing.
    """

    name: str
    kind: str
    role: str
    description: str
    categories: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    nullable: bool = False


def _read(truth: bool) -> dict[str, tuple[Column, ...]]:
    """Return the world's tables, or those of its truth, in the order of the data file."""
    tables: dict[str, list[Column]] = {}
    for row in rows("schema"):
        table = row["table"].removeprefix("truth.")
        if (table != row["table"]) == truth:
            low, high = (float(row[end]) if row[end] else None for end in ("low", "high"))
            categories = tuple(filter(None, row["categories"].split("|")))
            said = (row["column"], row["kind"], row["role"], row["description"])
            column = Column(*said, categories, low, high, row["nullable"] == "yes")
            tables.setdefault(table, []).append(column)
    return {table: tuple(columns) for table, columns in tables.items()}


SCHEMA = _read(truth=False)
TRUTH_SCHEMA = _read(truth=True)


def levels(table: str, column: str) -> tuple[str, ...]:
    """Return the categories of a column, in the order of their codes.

    Examples
    --------
    >>> levels("campaign", "channel")
    ('web', 'store', 'both')
    """
    every = SCHEMA | TRUTH_SCHEMA
    return next(found.categories for found in every[table] if found.name == column)


def data_dictionary(truth: bool = False) -> pd.DataFrame:
    """Return the data dictionary: one row a column of the world.

    Parameters
    ----------
    truth : bool, default False
        Whether to list the tables of ``world.truth`` too.

    Returns
    -------
    pandas.DataFrame
        Columns table, column, type, role, description, values (allowed ones or range)
        and missing (whether values may be).

    Examples
    --------
    >>> from ethicalai_lab.world import data_dictionary
    >>> data_dictionary().query("column == 'ethnic_group'")["role"].item()
    'protected'
    """
    import pandas as pd

    tables = dict(SCHEMA)
    if truth:
        tables |= {f"truth.{name}": columns for name, columns in TRUTH_SCHEMA.items()}
    rows = []
    for table, columns in tables.items():
        for column in columns:
            values = ", ".join(column.categories)
            if column.low is not None:
                values = f"from {column.low:g}" + (
                    "" if column.high is None else f" to {column.high:g}"
                )
            rows.append(
                (
                    table,
                    column.name,
                    column.kind,
                    column.role,
                    column.description,
                    values,
                    "yes" if column.nullable else "no",
                )
            )
    names = ["table", "column", "type", "role", "description", "values", "missing"]
    return pd.DataFrame(rows, columns=names)
