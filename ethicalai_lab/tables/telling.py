"""What a team is told about its table: where a value stands, what was read how, what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ethicalai_lab.errors import shown
from ethicalai_lab.tables.roles import TableError

__all__ = ["Telling", "spelled"]


def spelled(column: str, role: str = "") -> str:
    """Return a column as messages name it.

    Examples
    --------
    >>> spelled("visit", "outcome")
    'column "visit" (outcome)'
    """
    return f'column "{shown(column)}"' + (f" ({role})" if role else "")


class Telling:
    """A table's name, where its rows stand, and what was told about it.

    Examples
    --------
    >>> telling = Telling("t.csv", "line {}".format)
    >>> str(telling.fault("is odd.", "visit", "outcome", at=[False, True]))
    't.csv, line 1: column "visit" (outcome) is odd.'
    """

    def __init__(self, name: str, place: Callable[[int], str]) -> None:
        self.name, self.place = name, place
        self.notes: list[str] = []

    def where(self, at: Any) -> str:
        """Return the file and the place of a row in it, or of the first row of a mask."""
        row = at if isinstance(at, int) else int(np.asarray(at, dtype=bool).argmax())
        return f"{self.name}, {self.place(row)}"

    def fault(self, said: str, column: str, role: str = "", at: Any = None) -> TableError:
        """Return the error that says what is wrong with a column."""
        where = self.name if at is None else self.where(at)
        return TableError(f"{where}: {spelled(column, role)} {said}")

    def note(self, said: str, column: str, role: str = "") -> None:
        """Say how a column was read."""
        self.notes.append(f"{spelled(column, role)}{said}")
