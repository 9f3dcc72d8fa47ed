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
    question: str = ""
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
    made = Typed(table)
    columns: dict[str, Any] = {}
    asked: dict[str, _Numbers] = {}
    plain: list[str] = []
    for column in table.column_names:
        cells = _single(table.column(column))
        if not _is_number(roles, column):
            columns[column] = _label(cells, column, name)
            continue
        numbers = _numbers(cells, column, roles.format, place, name)
        columns[column] = numbers.column
        if numbers.question:
            asked[column] = numbers
            continue
        if numbers.note:
            made.notes.append(numbers.note)
        if numbers.plain:
            plain.append(column)
        made.found = numbers.found | made.found
    decimals = {made.found["decimal"]} if "decimal" in made.found else set()
    if plain and (asked or decimals == {","}):
        decimals |= _points(table, plain, made, columns, place, name)
    for column, numbers in asked.items():
        known = {"decimal": decimals.copy().pop()} if len(decimals) == 1 else {}
        if not known and not drafting:
            first = next(role for role in NUMBERS if role in _roles(roles, column))
            raise TableError(numbers.question.replace("(number)", f"({first})"))
        again = _numbers(table.column(column), column, known or numbers.found, place, name)
        columns[column] = again.column
        made.notes.append(again.note)
        made.found = made.found | numbers.found | known
    for column in columns:
        if _is_number(roles, column) and not drafting:
            _no_giants(columns[column], column, _roles(roles, column), place, name)
    if plain and not decimals and "decimal" not in roles.format:
        made.notes += _undecided(table, plain)

    made.table = pa.table(columns)
    return made


def _roles(roles: Roles, column: str) -> tuple[str, ...]:
    given = roles.columns.get(column, ())
    return given if isinstance(given, tuple) else (given,)


def _is_number(roles: Roles, column: str) -> bool:
    """Tell whether a column's values are numbers, not labels."""
    given = _roles(roles, column)
    counts = "outcome" in given and bool(roles.positives(column))
    return bool(set(NUMBERS) & set(given)) and not set(_LABELS) & set(given) and not counts


# -- labels ------------------------------------------------------------------------


def _label(cells: Any, column: str, name: str) -> Any:
    """Return a column as exact texts, or as exact integers where all of them are."""
    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    kind = cells.type
    if pa.types.is_temporal(kind):
        return _moments(cells, column, name)
    if _is_text(kind):
        cells = _with_gaps(cells)
    elif pa.types.is_floating(kind):
        cells = pc.if_else(pc.is_nan(cells), pa.scalar(None, kind), cells)
        whole = pc.all(pc.equal(pc.floor(cells), cells)).as_py() is True
        small = pc.all(pc.less(pc.abs(cells), 2.0**53)).as_py() is True
        cells = cells.cast(pa.int64()) if whole and small else cells
    if not _is_text(cells.type):
        cells = cells.cast(pa.string())
    every = pc.all(pc.match_substring_regex(cells, _CANONICAL_INT)).as_py() is True
    # a gap would turn integers into floats, and so change how they are written
    return cells.cast(pa.int64()) if every and not cells.null_count else cells


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
    if pc.any(empty).as_py():
        return pc.if_else(empty, pa.scalar(None, cells.type), cells)
    return cells


def _moments(cells: Any, column: str, name: str) -> Any:
    """Return dates and times as moments, if their years are those of people."""
    if not (pa.types.is_timestamp(cells.type) or pa.types.is_date(cells.type)):
        return cells.cast(pa.string())
    for bound in (pc.min(cells), pc.max(cells)):
        year = _year(bound)
        if year is not None and not _YEARS[0] <= year <= _YEARS[1]:
            row = pc.index(cells, bound).as_py()
            raise TableError(
                f'{name}, row {row + 1}: column "{shown(column)}" holds a date of about the year '
                f"{year}; years from {_YEARS[0]} to {_YEARS[1]} are accepted."
            )
    return cells.cast(pa.timestamp("us")) if pa.types.is_date(cells.type) else cells


def _year(moment: Any) -> int | None:
    """Return about the year of a moment, however far it is from ours."""
    if not moment.is_valid:
        return None
    days = {"date32[day]": 1, "date64[ms]": 86_400_000}.get(str(moment.type))
    units = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
    per_day = days or 86_400 * units[moment.type.unit]
    whole = moment.cast(pa.int32()).cast(pa.int64()) if days == 1 else moment.cast(pa.int64())
    return int(1970 + whole.as_py() / per_day // 365.2425)


# -- numbers -----------------------------------------------------------------------


def _numbers(
    cells: Any, column: str, format: Mapping[str, str], place: Callable[[int], str], name: str
) -> _Numbers:
    """Return a column as numbers or truth values where every cell is one, or a gap."""
    kind = cells.type
    if pa.types.is_dictionary(kind):
        if _is_text(kind.value_type):
            return _Numbers(cells)
        cells, kind = cells.cast(kind.value_type), kind.value_type
    if pa.types.is_temporal(kind):
        return _Numbers(_moments(cells, column, name))
    if pa.types.is_decimal(kind):
        return _Numbers(cells.cast(pa.float64()))
    if not _is_text(kind):
        return _Numbers(_truth(cells))
    written, cells = cells, _with_gaps(cells)
    new = cells.null_count - written.null_count
    blanks = new - _count(written, "") if new else 0
    read = _from_text(cells, column, format, place, name)
    if blanks:
        row = pc.index(pc.fill_null(pc.utf8_is_space(written), False), True).as_py()
        told = f"blanks count as a gap ({blanks:,} in all, first in {place(row)})"
        note = read.note.removesuffix(".") or f'column "{shown(column)}"'
        read.note = f"{note}{'; ' if read.note else ': '}{told}."
    return read


def _count(cells: Any, text: str) -> int:

    return int(pc.sum(pc.equal(cells, text)).as_py() or 0)


def _from_text(
    cells: Any, column: str, format: Mapping[str, str], place: Callable[[int], str], name: str
) -> _Numbers:

    def every(pattern: str) -> bool:
        return pc.all(pc.match_substring_regex(cells, pattern)).as_py() is True

    if every(_CANONICAL_INT):
        return _Numbers(cells.cast(pa.int64()))
    if not pc.any(pc.match_substring_regex(cells, "[0-9]")).as_py() and not every(_BOOL):
        return _Numbers(cells)
    if every(_BOOL):
        return _Numbers(_truth(pc.equal(pc.utf8_lower(cells), "true")))
    if format.get("decimal") != "," and every(_NUMBER):
        coded = pc.match_substring_regex(cells, _LEADING_ZERO)
        if pc.any(coded).as_py():
            return _Numbers(cells, note=_stays_text(column, cells, coded, place))
        return _Numbers(pc.utf8_trim_whitespace(cells).cast(pa.float64()), plain=True)
    return _amounts(cells, column, format, place, name)


def _truth(cells: Any) -> Any:
    """Return truth values with gaps as numbers: they would become Python objects."""
    gaps = pa.types.is_boolean(cells.type) and cells.null_count
    return cells.cast(pa.int8()).cast(pa.float64()) if gaps else cells


def _stays_text(column: str, cells: Any, odd: Any, place: Callable[[int], str]) -> str:

    row = pc.index(pc.fill_null(odd, False), True).as_py()
    return (
        f'column "{shown(column)}" stays text: "{shown(cells[row].as_py())}" in {place(row)} has a '
        "leading zero."
    )


def _amounts(
    cells: Any, column: str, format: Mapping[str, str], place: Callable[[int], str], name: str
) -> _Numbers:
    """Read a column that is written for people: units, groups of thousands, words for gaps."""
    counted = pc.value_counts(cells.drop_null() if cells.null_count else cells)
    texts = counted.field("values").to_pylist()
    counts = counted.field("counts").to_pylist()
    read = read_amounts(texts, counts, format)
    numbers = sum(n for n, value in zip(counts, read.values, strict=True) if value is not None)
    odd = sum(counts[i] for i in read.odd)
    if odd or not numbers:
        note = ""
        if numbers > odd:
            first = pc.index(cells, texts[read.odd[0]]).as_py()
            note = (
                f'column "{shown(column)}" stays text: "{shown(texts[read.odd[0]])}" in '
                f"{place(first)} is no number as the others are ({odd:,} of {odd + numbers:,})."
            )
        return _Numbers(cells, note=note)
    coded = pc.match_substring_regex(cells, _LEADING_ZERO)
    if pc.any(coded).as_py():
        return _Numbers(cells, note=_stays_text(column, cells, coded, place))
    values = pa.array(read.values, pa.float64())
    found = values.take(pc.index_in(cells, pa.array(texts, cells.type)))
    question = ""
    if read.readings:
        example = texts[read.example or 0]
        question = (
            f'{name}, {place(pc.index(cells, example).as_py())}: column "{shown(column)}" (number) '
            f'holds "{shown(example)}", which is {read.readings[0]:.15g} or '
            f"{read.readings[1]:.15g}; say what stands before the decimals, with "
            '`format: {decimal: "."}` or `format: {decimal: ","}`.'
        )
    parts = []
    if read.example is not None:
        value = read.values[read.example]
        parts.append(f'"{shown(texts[read.example])}" is read as {value:.15g}')
    if read.gaps:
        words = [texts[i] for i in read.gaps]
        row = pc.index(cells, words[0]).as_py()
        total = sum(counts[i] for i in read.gaps)
        quoted = ", ".join(f'"{shown(word)}"' for word in words[:5])
        verb = "counts" if len(words) == 1 else "count"
        parts.append(f"{quoted} {verb} as a gap ({total:,} in all, first in {place(row)})")
    note = f'column "{shown(column)}": {"; ".join(parts)}.' if parts else ""
    plain = read.example is None
    return _Numbers(found, note, dict(read.found), question, plain)


def _points(
    table: pa.Table,
    plain: list[str],
    made: Typed,
    columns: dict[str, Any],
    place: Callable[[int], str],
    name: str,
) -> set[str]:
    """Return what columns in the computers' own form say about the file's decimals.

    In a file with decimal commas, 1.234 is a thousand and more.
    """
    said = set()
    for column in plain:
        cells = _with_gaps(table.column(column))
        dotted = cells.filter(pc.fill_null(pc.match_substring(cells, "."), False))
        if not len(dotted):
            continue
        if pc.all(pc.match_substring_regex(dotted, _GROUPED)).as_py() is not True:
            said.add(".")
        elif made.found.get("decimal") == ",":
            again = _amounts(cells, column, {"decimal": ",", "thousands": "."}, place, name)
            columns[column] = again.column
            made.notes.append(again.note)
    return said


def _undecided(table: pa.Table, plain: list[str]) -> list[str]:
    """Tell of numbers such as 1.234, where no number of the file shows that a point is decimal."""
    notes = []
    for column in plain:
        cells = _with_gaps(table.column(column))
        for part in (cells.slice(0, 1000), cells):  # mostly the first rows decide already
            dotted = part.filter(pc.fill_null(pc.match_substring(part, "."), False))
            if pc.all(pc.match_substring_regex(dotted, _THOUSANDS)).as_py() is False:
                return []
        if len(dotted):
            text = dotted[0].as_py().strip()
            notes.append(
                f'column "{shown(column)}": "{shown(text)}" is read as {float(text):.15g}; if it '
                f'means {text.replace(".", "")}, write `format: {{decimal: ","}}`.'
            )
    return notes


def _no_giants(
    cells: Any, column: str, given: tuple[str, ...], place: Callable[[int], str], name: str
) -> None:
    """Refuse numbers so large that sums and squares of them are infinite."""
    if not pa.types.is_floating(cells.type):
        return
    size = pc.abs(pc.if_else(pc.is_nan(cells), 0.0, cells))
    most = pc.max(size).as_py()
    if most is None or most <= LARGEST:
        return
    row = pc.index(size, pa.scalar(most, size.type)).as_py()
    role = next(role for role in NUMBERS if role in given)
    spelled = f'{name}, {place(row)}: column "{shown(column)}" ({role})'
    if most == float("inf"):
        raise TableError(f"{spelled} is infinite; a number is accepted.")
    raise TableError(
        f"{spelled} holds {cells[row].as_py():g}; numbers up to {LARGEST:g} are accepted."
    )


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
