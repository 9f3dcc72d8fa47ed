"""Errors of the privacy room, and the checks that raise them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ethicalai_lab.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AnonymityError", "PrivacyError", "check_columns", "check_table"]


class PrivacyError(InputError):
    """Input that the privacy room cannot work with; the message says why."""


class AnonymityError(PrivacyError):
    """A release that was asked for cannot be made; the message says which rows and why.

    Attributes
    ----------
    rows : list
        Index labels of the rows at fault, as far as single rows are at fault.
    """

    def __init__(self, message: str, rows: Iterable[Any] = ()) -> None:
        super().__init__(message)
        self.rows = list(rows)


def check_table(table: pd.DataFrame, name: str = "table") -> None:
    """Refuse what is not a DataFrame with rows and distinct column names."""
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise PrivacyError(
            f"{name} is a {type(table).__name__}; a pandas DataFrame with one row a record "
            "is accepted."
        )
    if len(table) == 0:
        raise PrivacyError(f"{name} has no rows; at least one is needed.")
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()][0]
        raise PrivacyError(f"{name} has two columns named {twice!r}; names must be distinct.")


def check_columns(table: pd.DataFrame, columns: Any, name: str) -> list:
    """Return the list of columns asked for, or refuse with the name that is wrong."""
    if isinstance(columns, str):
        columns = [columns]
    columns = list(columns)
    for i, column in enumerate(columns):
        if column not in table.columns:
            known = ", ".join(map(str, table.columns[:20]))
            raise PrivacyError(f"{name}: there is no column {column!r}; the table has {known}.")
        if column in columns[:i]:
            raise PrivacyError(f"{name}: column {column!r} is named twice; once is enough.")
    return columns
