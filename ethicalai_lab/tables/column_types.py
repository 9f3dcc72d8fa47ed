"""Giving each column the type that its role asks for: labels stay labels, numbers are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ethicalai_lab.errors import shown
from ethicalai_lab.tables.amounts import read_amounts
from ethicalai_lab.tables.roles import Roles, TableError
from ethicalai_lab.tables.telling import Telling, spelled

__all__ = ["LARGEST", "Typed", "first_odd", "measured", "type_columns"]

NUMBERS = ("feature", "outcome", "score")
_LABELS = ("identifier", "treatment", "decision")  # never numbers, whatever else they are
LARGEST = 1e30
"""The largest number that is accepted: squares of sums of it can still be reckoned with."""

_CANONICAL_INT = r"^(?:0|-?[1-9][0-9]{0,17})$"
_NUMBER = r"^\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\s*$"
_LEADING_ZERO = r"^\s*[-+]?0[0-9]"
_BOOL = r"^(?:true|false|True|False|TRUE|FALSE)$"
_GROUPED = r"^\s*[-+]?[0-9]{1,3}\.[0-9]{3}\s*$"
_THOUSANDS = r"^\s*[-+]?[1-9][0-9]{0,2}\.[0-9]{3}\s*$"
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,6})?")
_YEARS = (1000, 9999)
_LOOKED_AT = 1000  # rows that mostly decide already


@dataclass
class Typed:
    """A table whose columns have their types, and what was done for it.

    Attributes
    ----------
    table : pyarrow.Table
        The columns.
    notes : list of str
        One sentence for each column that was read otherwise than it is written.
    found : dict of str to str
        How numbers are written, as keys of ``format:``.
    """

    table: pa.Table
    notes: list[str] = field(default_factory=list)
    found: dict[str, str] = field(default_factory=dict)


@dataclass
class _Numbers:
    """A text column read as numbers, or left as text."""

    column: Any
    note: str = ""
    found: dict[str, str] = field(default_factory=dict)
    question: tuple[int, str] | None = None  # the row that can be read in two ways, and how
    plain: bool = False  # as computers write numbers, with decimals


def type_columns(
    table: pa.Table,
    roles: Roles,
    place: Callable[[int], str],
    name: str,
    *,
    drafting: bool = False,
) -> Typed:
    """Return a table's columns as their roles ask for.

    Parameters
    ----------
    table : pyarrow.Table
        Text columns as they are written, others in the types of their file.
    roles : Roles
        The roles; a column without one is a label.
    place : callable
        Returns where a row stands.
    name : str
        The file, for messages.
    drafting : bool
        Whether what can be read in two ways is proposed instead of asked.

    Returns
    -------
    Typed

    Raises
    ------
    TableError
        If numbers can be read in two ways, are too large, or a year is out of range.
    """
    return _Typing(table, roles, name, place, drafting).typed()


class _Typing(Telling):
    """One table's columns on their way to the types that their roles ask for."""

    def __init__(
        self,
        table: pa.Table,
        roles: Roles,
        name: str,
        place: Callable[[int], str],
        drafting: bool,
    ) -> None:
        super().__init__(name, place)
        self.table, self.roles, self.drafting = table, roles, drafting
        self.columns: dict[str, Any] = {}
        self.found: dict[str, str] = {}

    def typed(self) -> Typed:
        asked: dict[str, _Numbers] = {}
        plain: list[str] = []
        numeric = [column for column in self.table.column_names if self._is_number(column)]
        for column in self.table.column_names:
            cells = _single(self.table.column(column))
            if column not in numeric:
                self.columns[column] = self._label(cells, column)
                continue
            numbers = self._numbers(cells, column, self.roles.format)
            self.columns[column] = numbers.column
            if numbers.question:
                asked[column] = numbers
                continue
            if numbers.note:
                self.note(numbers.note, column)
            if numbers.plain:
                plain.append(column)
            self.found = numbers.found | self.found
        decimals = {self.found["decimal"]} if "decimal" in self.found else set()
        if plain and (asked or decimals == {","}):
            decimals |= self._points(plain)
        for column, numbers in asked.items():
            self._answer(column, numbers, decimals)
        for column in [] if self.drafting else numeric:
            self._no_giants(column)
        if plain and not decimals and "decimal" not in self.roles.format:
            self._undecided(plain)
        return Typed(pa.table(self.columns), self.notes, self.found)

    def _given(self, column: str) -> tuple[str, ...]:
        given = self.roles.columns.get(column, ())
        return given if isinstance(given, tuple) else (given,)

    def _role(self, column: str) -> str:
        return next(role for role in NUMBERS if role in self._given(column))

    def _is_number(self, column: str) -> bool:
        """Tell whether a column's values are numbers, not labels."""
        given = set(self._given(column))
        counts = "outcome" in given and bool(self.roles.positives(column))
        return bool(given.intersection(NUMBERS)) and not given.intersection(_LABELS) and not counts

    def _answer(self, column: str, numbers: _Numbers, decimals: set[str]) -> None:
        """Read what can be read in two ways as the file's other columns tell, or ask."""
        known = {"decimal": next(iter(decimals))} if len(decimals) == 1 else {}
        if not known and not self.drafting:
            row, said = numbers.question or (0, "")
            raise self.fault(said, column, self._role(column), row)
        again = self._numbers(self.table.column(column), column, known or numbers.found)
        self.columns[column] = again.column
        self.note(again.note, column)
        self.found = self.found | numbers.found | known

    # -- labels

    def _label(self, cells: Any, column: str) -> Any:
        """Return a column as exact texts, or as exact integers where all of them are."""
        if pa.types.is_dictionary(cells.type):
            cells = cells.cast(cells.type.value_type)
        kind = cells.type
        if pa.types.is_temporal(kind):
            return self._moments(cells, column)
        if _is_text(kind):
            cells = _with_gaps(cells)
        elif pa.types.is_floating(kind):
            cells = pc.if_else(pc.is_nan(cells), pa.scalar(None, kind), cells)
            whole = pc.all(pc.equal(pc.floor(cells), cells)).as_py() is True
            small = pc.all(pc.less(pc.abs(cells), 2.0**53)).as_py() is True
            cells = cells.cast(pa.int64()) if whole and small else cells
        if not _is_text(cells.type):
            cells = cells.cast(pa.string())
        # a gap would turn integers into floats, and so change how they are written
        whole = not cells.null_count and _every(cells, _CANONICAL_INT)
        return cells.cast(pa.int64()) if whole else cells

    def _moments(self, cells: Any, column: str) -> Any:
        """Return dates and times as moments, if their years are those of people."""
        if not (pa.types.is_timestamp(cells.type) or pa.types.is_date(cells.type)):
            return cells.cast(pa.string())
        for bound in (pc.min(cells), pc.max(cells)):
            year = _year(bound)
            if year is not None and not _YEARS[0] <= year <= _YEARS[1]:
                raise TableError(
                    f"{self.name}, row {pc.index(cells, bound).as_py() + 1}: {spelled(column)} "
                    f"holds a date of about the year {year}; years from {_YEARS[0]} to {_YEARS[1]} "
                    "are accepted."
                )
        return cells.cast(pa.timestamp("us")) if pa.types.is_date(cells.type) else cells

    # -- numbers

    def _numbers(self, cells: Any, column: str, format: Mapping[str, str]) -> _Numbers:
        """Return a column as numbers or truth values where every cell is one, or a gap."""
        kind = cells.type
        if pa.types.is_dictionary(kind):
            if _is_text(kind.value_type):
                return _Numbers(cells)
            cells, kind = cells.cast(kind.value_type), kind.value_type
        if pa.types.is_temporal(kind):
            return _Numbers(self._moments(cells, column))
        if pa.types.is_decimal(kind):
            return _Numbers(cells.cast(pa.float64()))
        if not _is_text(kind):
            return _Numbers(_truth(cells))
        written, cells = cells, _with_gaps(cells)
        read = self._from_text(cells, format)
        new = cells.null_count - written.null_count
        blanks = new - int(pc.sum(pc.equal(written, "")).as_py() or 0) if new else 0
        if blanks:
            told = f"blanks count as a gap ({blanks:,} in all, first in "
            told += f"{self.place(_first(pc.utf8_is_space(written)))})"
            read.note = f"{read.note.removesuffix('.')}{'; ' if read.note else ': '}{told}."
        return read

    def _from_text(self, cells: Any, format: Mapping[str, str]) -> _Numbers:
        if _every(cells, _CANONICAL_INT):
            return _Numbers(cells.cast(pa.int64()))
        if _every(cells, _BOOL):
            return _Numbers(_truth(pc.equal(pc.utf8_lower(cells), "true")))
        if not pc.any(pc.match_substring_regex(cells, "[0-9]")).as_py():
            return _Numbers(cells)
        if format.get("decimal") == "," or not _every(cells, _NUMBER):
            return self._amounts(cells, format)
        return self._coded(cells) or _Numbers(
            pc.utf8_trim_whitespace(cells).cast(pa.float64()), plain=True
        )

    def _coded(self, cells: Any) -> _Numbers | None:
        """Leave a column as text in which a number has leading zeros: it is a code."""
        coded = pc.match_substring_regex(cells, _LEADING_ZERO)
        if not pc.any(coded).as_py():
            return None
        row = _first(coded)
        return _Numbers(
            cells,
            f' stays text: "{shown(cells[row].as_py())}" in {self.place(row)} has a leading zero.',
        )

    def _amounts(self, cells: Any, format: Mapping[str, str]) -> _Numbers:
        """Read a column that is written for people: units, groups of thousands, words for gaps."""
        counted = pc.value_counts(cells.drop_null() if cells.null_count else cells)
        texts = counted.field("values").to_pylist()
        counts = counted.field("counts").to_pylist()
        read = read_amounts(texts, counts, format)
        numbers = sum(n for n, value in zip(counts, read.values, strict=True) if value is not None)
        odd = sum(counts[i] for i in read.odd)

        def first(text: str) -> int:
            return int(pc.index(cells, text).as_py())

        if odd or not numbers:
            if numbers <= odd:
                return _Numbers(cells)
            text = texts[read.odd[0]]
            return _Numbers(
                cells,
                f' stays text: "{shown(text)}" in {self.place(first(text))} is no number as the '
                f"others are ({odd:,} of {odd + numbers:,}).",
            )
        if coded := self._coded(cells):
            return coded
        made = _Numbers(
            pa.array(read.values, pa.float64()).take(
                pc.index_in(cells, pa.array(texts, cells.type))
            ),
            found=dict(read.found),
            plain=read.example is None,
        )
        parts = []
        if read.example is not None:
            text = texts[read.example]
            parts.append(f'"{shown(text)}" is read as {read.values[read.example]:.15g}')
            if read.readings:
                made.question = (
                    first(text),
                    (
                        f'holds "{shown(text)}", which is {read.readings[0]:.15g} or '
                        f"{read.readings[1]:.15g}; say what stands before the decimals, with "
                        '`format: {decimal: "."}` or `format: {decimal: ","}`.'
                    ),
                )
        if read.gaps:
            quoted = ", ".join(f'"{shown(texts[i])}"' for i in read.gaps[:5])
            total = sum(counts[i] for i in read.gaps)
            verb = "counts" if len(read.gaps) == 1 else "count"
            place = self.place(first(texts[read.gaps[0]]))
            parts.append(f"{quoted} {verb} as a gap ({total:,} in all, first in {place})")
        made.note = f": {'; '.join(parts)}." if parts else ""
        return made

    def _dotted(self, column: str, rows: int | None = None) -> Any:
        """Return the numbers of a column in the computers' own form that have a point."""
        cells = _with_gaps(self.table.column(column).slice(0, rows))
        return cells.filter(pc.fill_null(pc.match_substring(cells, "."), False))

    def _points(self, plain: list[str]) -> set[str]:
        """Return what columns in the computers' own form say about the file's decimals.

        In a file with decimal commas, 1.234 is a thousand and more.
        """
        said = set()
        for column in plain:
            dotted = self._dotted(column)
            if len(dotted) and not _every(dotted, _GROUPED):
                said.add(".")
            elif len(dotted) and self.found.get("decimal") == ",":
                cells = _with_gaps(self.table.column(column))
                again = self._amounts(cells, {"decimal": ",", "thousands": "."})
                self.columns[column] = again.column
                self.note(again.note, column)
        return said

    def _undecided(self, plain: list[str]) -> None:
        """Tell of numbers such as 1.234, where no number of the file shows a point is decimal."""
        found = {}
        for column in plain:
            for rows in (_LOOKED_AT, None):  # mostly the first rows decide already
                dotted = self._dotted(column, rows)
                if len(dotted) and not _every(dotted, _THOUSANDS):
                    return
            if len(dotted):
                found[column] = dotted[0].as_py().strip()
        for column, text in found.items():
            whole = text.replace(".", "")
            self.note(
                f': "{shown(text)}" is read as {float(text):.15g}; if it means {whole}, write '
                '`format: {decimal: ","}`.',
                column,
            )

    def _no_giants(self, column: str) -> None:
        """Refuse numbers so large that sums and squares of them are infinite."""
        cells = self.columns[column]
        if not pa.types.is_floating(cells.type):
            return
        size = pc.abs(pc.if_else(pc.is_nan(cells), 0.0, cells))
        most = pc.max(size).as_py()
        if most is not None and most > LARGEST:
            row = int(pc.index(size, pa.scalar(most, size.type)).as_py())
            said = f"holds {cells[row].as_py():g}; numbers up to {LARGEST:g} are accepted."
            said = "is infinite; a number is accepted." if most == float("inf") else said
            raise self.fault(said, column, self._role(column), row)


def _every(cells: Any, pattern: str) -> bool:
    return pc.all(pc.match_substring_regex(cells, pattern)).as_py() is True


def _first(mask: Any) -> int:
    return int(pc.index(pc.fill_null(mask, False), True).as_py())


def _single(cells: Any) -> Any:
    """Return a column in one of the types that everything can be done with."""
    if pa.types.is_float16(cells.type):
        return cells.cast(pa.float32())
    return cells.cast(pa.string()) if str(cells.type) == "string_view" else cells


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _with_gaps(cells: Any) -> Any:
    """Return a text column in which a cell that holds nothing but blanks is a gap."""
    empty = pc.or_(pc.utf8_is_space(cells), pc.equal(cells, ""))
    return pc.if_else(empty, pa.scalar(None, cells.type), cells) if pc.any(empty).as_py() else cells


def _truth(cells: Any) -> Any:
    """Return truth values with gaps as numbers: they would become Python objects."""
    gaps = pa.types.is_boolean(cells.type) and cells.null_count
    return cells.cast(pa.int8()).cast(pa.float64()) if gaps else cells


def _year(moment: Any) -> int | None:
    """Return about the year of a moment, however far it is from ours."""
    if not moment.is_valid:
        return None
    days = {"date32[day]": 1, "date64[ms]": 86_400_000}.get(str(moment.type))
    units = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
    per_day = days or 86_400 * units[moment.type.unit]
    whole = moment.cast(pa.int32()).cast(pa.int64()) if days == 1 else moment.cast(pa.int64())
    return int(1970 + whole.as_py() / per_day // 365.2425)


def measured(column: pd.Series) -> pd.Series:
    """Return labels as numbers, where an order of them is asked for.

    Parameters
    ----------
    column : pandas.Series
        Of a table that :func:`~ethicalai_lab.tables.load_table` gave: labels are texts there.

    Returns
    -------
    pandas.Series
        Floats, with gaps as they were, if every label is a number and no two are the same
        number; else the column itself.

    Examples
    --------
    >>> import pandas as pd
    >>> measured(pd.Series(["32000.50", None])).tolist()
    [32000.5, nan]
    >>> measured(pd.Series(["1.1", "1.10"])).tolist()
    ['1.1', '1.10']
    """
    if column.dtype.kind in "biufcmM":
        return column
    labels = column.dropna().unique().tolist()
    if not labels or not all(isinstance(v, str) and _PLAIN.fullmatch(v) for v in labels):
        return column
    numbers = {label: float(label) for label in labels}
    if len(set(numbers.values())) < len(labels):
        return column
    return column.map(numbers).astype(float)


def first_odd(values: list[Any]) -> tuple[int, Any]:
    """Return the row and value of the first entry that is no number as most others are."""
    rows: dict[str, int] = {}
    counts: dict[str, int] = {}
    for row, value in enumerate(values):
        if value == value and value is not None:
            rows.setdefault(str(value), row)
            counts[str(value)] = counts.get(str(value), 0) + 1
    texts = list(rows)
    read = read_amounts(texts, [counts[text] for text in texts], {})
    row = min((rows[texts[i]] for i in (read.odd or read.gaps)), default=0)
    return row, values[row]
