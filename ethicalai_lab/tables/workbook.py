"""Reading one sheet of an Excel workbook, values as the cells hold them."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from itertools import zip_longest
from typing import Any

import pyarrow as pa

from ethicalai_lab.errors import did_you_mean, shown
from ethicalai_lab.tables.roles import TableError

__all__ = ["Workbook"]

_MAX_UNPACKED = 1024**3
_BROKEN = (
    *(zipfile.BadZipFile, KeyError, ValueError, OSError, SyntaxError, TypeError, IndexError),
    *(AttributeError, EOFError, RuntimeError),
)
_MARKUP = ("#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!")


class Workbook:
    """A sheet of an Excel workbook; see :class:`~ethicalai_lab.tables.table_files.TableFile`.

    Formulas give the value that was stored with them, errors such as #N/A give gaps.
    """

    def __init__(self, name: str, raw: bytes, sheet: str | None, wanted: list[str]) -> None:
        self.name = name
        self.notes: list[str] = []
        self.found: dict[str, str] = {}
        self._is_workbook(raw)
        with self._reading():
            from openpyxl import load_workbook

            book = load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
            title = self._sheet([page.title for page in book.worksheets], sheet)
            rows = _rows(book[title])
            self._no_lost_results(
                rows, _rows(load_workbook(io.BytesIO(raw), read_only=True)[title])
            )
        full = [at for at, row in enumerate(rows) if any(not _empty(cell) for cell in row)]
        if not full:
            raise TableError(f"{name}: the sheet {shown(title)} is empty; rows are needed.")
        head, *self._at = full
        width = max(at for row in rows for at, cell in enumerate(row, 1) if not _empty(cell))
        self.names = [_text(cell).strip() for cell in _filled(rows[head], width)]
        self._rows = [_filled(rows[at], width) for at in self._at]
        if len(book.worksheets) > 1:
            self.found["sheet"] = title

    def place(self, row: int) -> str:
        """Return a row's number in the sheet."""
        return f"row {self._at[row] + 1}"

    def table(self, wanted: list[str]) -> pa.Table:
        """Return these columns: typed where all cells are of one type, else as text."""
        columns = {}
        for column in wanted:
            at = self.names.index(column)
            cells = [row[at] for row in self._rows]
            wrong = [row for row, cell in enumerate(cells) if cell in _MARKUP]
            if wrong:
                self.notes.append(
                    f'column "{shown(column)}": errors such as {cells[wrong[0]]} in '
                    f"{self.place(wrong[0])} count as gaps ({len(wrong):,} in all)."
                )
                cells = [None if cell in _MARKUP else cell for cell in cells]
            columns[column] = _column(cells)
        return pa.table(columns)

    def _is_workbook(self, raw: bytes) -> None:
        try:
            parts = zipfile.ZipFile(io.BytesIO(raw)).infolist()
        except _BROKEN:
            parts = []
        if not any(part.filename == "xl/workbook.xml" for part in parts):
            raise TableError(
                f"{self.name} is a zip archive or a damaged Excel workbook; unpack it or save it "
                "as CSV."
            )
        if sum(part.file_size for part in parts) > _MAX_UNPACKED:
            raise TableError(
                f"{self.name} unpacks to more than {_MAX_UNPACKED / 1024**3:g} GiB, which is not "
                "accepted; save the sheet as CSV."
            )

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # on parts of a workbook that are not read
                yield
        except TableError:
            raise
        except _BROKEN:
            raise TableError(
                f"{self.name}: the Excel workbook is damaged; save it again, or as CSV."
            ) from None

    def _sheet(self, titles: list[str], wanted: str | None) -> str:
        listed = ", ".join(shown(title) for title in titles[:20])
        if wanted is not None:
            for title in titles:
                if title == wanted:
                    return title
            raise TableError(
                f"{self.name} has no sheet {shown(wanted)}; there are: {listed}."
                f"{did_you_mean(wanted, titles)}"
            )
        if len(titles) != 1:
            raise TableError(
                f"{self.name} has {len(titles)} sheets ({listed}); name one, as in "
                f'"{self.name}#{shown((titles or ["Sheet1"])[0])}" or with '
                "`format: {sheet: ...}` in the roles file."
            )
        return titles[0]

    def _no_lost_results(self, values: list[Any], formulas: list[Any]) -> None:
        """Refuse formulas whose result was never computed: they would look like gaps."""
        for at, (known, written) in enumerate(zip_longest(values, formulas, fillvalue=()), 1):
            for value, formula in zip_longest(known, written):
                if value is None and isinstance(formula, str) and formula.startswith("="):
                    raise TableError(
                        f"{self.name}, row {at}: the formula {shown(formula, 30)} has no stored "
                        "result; open the workbook in a spreadsheet program and save it."
                    )


def _rows(sheet: Any) -> list[tuple[Any, ...]]:
    sheet.reset_dimensions()  # some programs store wrong ones
    return list(sheet.iter_rows(values_only=True))


def _filled(row: tuple[Any, ...], width: int) -> list[Any]:
    return [*row[:width], *[None] * (width - len(row))]


def _empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return cell.isoformat(sep=" ") if isinstance(cell, datetime) else str(cell)


def _column(cells: list[Any]) -> pa.Array:

    cells = [None if _empty(cell) else cell for cell in cells]
    kinds = {type(cell) for cell in cells} - {type(None)}
    if kinds == {bool}:
        return pa.array(cells, pa.bool_())
    if kinds and kinds <= {int, float}:
        whole = all(cell is None or float(cell).is_integer() for cell in cells)
        small = all(cell is None or abs(cell) < 2**53 for cell in cells)
        if whole and small:
            return pa.array([cell if cell is None else int(cell) for cell in cells], pa.int64())
        return pa.array([cell if cell is None else float(cell) for cell in cells], pa.float64())
    if kinds and kinds <= {datetime, date}:
        moments = [
            datetime(cell.year, cell.month, cell.day) if type(cell) is date else cell
            for cell in cells
        ]
        return pa.array(moments, pa.timestamp("us"))
    return pa.array([None if cell is None else _text(cell) for cell in cells], pa.string())
