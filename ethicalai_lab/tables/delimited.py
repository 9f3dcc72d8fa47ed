"""Reading a text table: what separates fields, where the header stands, which line is which."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa
import pyarrow.csv as pv

from ethicalai_lab.errors import shown
from ethicalai_lab.tables.roles import TableError

__all__ = ["DelimitedText"]

# these words mean "missing" where they stand without quotes; an empty field always does
_MISSING = ("NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL")
_BLOCK = 16 * 1024**2
_SEPARATORS = (",", ";", "\t", "|")
_SAMPLE = 1024**2
_SAMPLED_ROWS = 200
_AGREES = 0.9  # the share of sampled rows that are as wide as the header
_SEP_LINE = re.compile(rb'\A"?sep=(.)"?[ \t]*\r?\n', re.IGNORECASE)
_COMMENTS = re.compile(rb"\A(?:[ \t]*#[^\n]*\n)+")
_BLANK_LINES = re.compile(rb"(?:[ \t]*\r?\n)+")
_BLANKS = re.compile(r'("(?:[^"]|"")*")|[ \t]+')
_NUMERIC = re.compile(r"\s*[-+]?[0-9][0-9.,: /-]*\s*")


class DelimitedText:
    """A text table in UTF-8; see :class:`~ethicalai_lab.tables.table_files.TableFile`."""

    def __init__(self, name: str, raw: bytes, separator: str | None, wanted: list[str]) -> None:
        self.name = name
        self.notes: list[str] = []
        self.found: dict[str, str] = {}
        self._raw = raw
        self._first = 1  # the line on which the text to be read begins
        self._wanted = wanted
        declared = self._without_lines_above(separator)
        self.names = self._header(declared)
        self._no_open_quote()

    def place(self, row: int) -> str:
        """Return the file's line on which a row starts."""
        for position, (line, _) in enumerate(self._rows()):
            if position == row:
                return f"line {line}"
        return f"line {row + self._first + 1}"

    def table(self, wanted: list[str]) -> pa.Table:
        """Return these columns as text, with gaps where nothing is written."""
        # unnamed columns get a name of their own; nobody can ask for them
        inner = [f"{i}\0{name}" for i, name in enumerate(self.names)]
        at = {name: i for i, name in enumerate(self.names)}
        keep = [inner[at[column]] for column in wanted]
        try:
            table = pv.read_csv(
                pa.BufferReader(self._raw),
                read_options=pv.ReadOptions(
                    column_names=inner, skip_rows=self._header_lines(), block_size=_BLOCK
                ),
                parse_options=pv.ParseOptions(delimiter=self._separator, newlines_in_values=True),
                convert_options=pv.ConvertOptions(
                    column_types=dict.fromkeys(keep, pa.string()),
                    include_columns=keep,
                    null_values=["", *_MISSING],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
        except pa.ArrowException as problem:
            if "Empty CSV" in str(problem):
                raise TableError(f"{self.name} has a header but no rows.") from None
            self._explain_ragged()
            # its own words may hold cells of the table
            raise TableError(f"{self.name} cannot be read as CSV; write the file again.") from None
        return table.rename_columns(wanted)

    # -- what stands above the header

    def _without_lines_above(self, separator: str | None) -> str | None:
        """Leave out Excel's ``sep=`` line and lines of comment; return a declared separator."""
        excel = _SEP_LINE.match(self._raw)
        if excel:
            self._skip(excel.end())
            separator = separator or excel[1].decode("ascii", "replace")
            self.notes.append(f"the first line, {shown(excel[0].decode().strip())}, is left out.")
        comments = _COMMENTS.match(self._raw)
        if comments and not self._is_header(comments[0]):
            lines = comments[0].count(b"\n")
            self._skip(comments.end())
            self.notes.append(
                f"{lines} line{'s' if lines > 1 else ''} of comment above the header "
                f"{'are' if lines > 1 else 'is'} left out."
            )
        return separator

    def _is_header(self, comments: bytes) -> bool:
        """Tell whether the last of these lines is the header, with a # as its first sign."""
        last = comments.rstrip(b"\n").rpartition(b"\n")[2].decode()
        after = self._raw[len(comments) :].partition(b"\n")[0].decode()
        for separator in _SEPARATORS:
            cells, below = (next(_records(line, separator), []) for line in (last, after))
            if len(cells) > 1 and len(cells) == len(below):
                return _like_names(cells) and not _like_names(below)
        return False

    def _skip(self, end: int) -> None:
        self._first += self._raw.count(b"\n", 0, end)
        self._raw = self._raw[end:]

    # -- columns

    def _header(self, declared: str | None) -> list[str]:
        text = self._raw[:_SAMPLE].decode("utf-8", errors="ignore")
        cut = len(self._raw) > _SAMPLE
        if declared == " ":
            self._raw = _collapsed(self._raw.decode("utf-8")).encode()
            text = _collapsed(text)
        best = max(
            (self._shape(text, s, cut) for s in ([declared] if declared else _SEPARATORS)),
            key=lambda shape: shape.rank,
        )
        if not declared and not best.hits == len(set(self._wanted)) > 0:
            best = self._unusual(text, cut, best)
        self._separator = best.separator
        return best.names

    def _unusual(self, text: str, cut: bool, best: _Shape) -> _Shape:
        """Look for a form in which exports come, but no parser reads unasked."""
        found = None
        if len(best.names) == 1 and best.agree == 1 and best.rows:
            found = self._unwrapped(text, cut, best.names[0]) or self._by_blanks(text, cut)
        return found or self._below_a_title(text, cut, best) or best

    def _by_blanks(self, text: str, cut: bool) -> _Shape | None:
        """Read fields that any number of blanks separates."""
        shape = self._shape(_collapsed(text), " ", cut)
        if len(shape.names) < 2 or shape.agree < 1 or not _like_names(shape.names):
            return None
        self._raw = _collapsed(self._raw.decode("utf-8")).encode()
        self.found["separator"] = "space"
        self.notes.append("fields are read as separated by blanks.")
        return shape

    def _unwrapped(self, text: str, cut: bool, header: str) -> _Shape | None:
        """Take off the quotes around each whole line, as some exports write them."""
        if not _all_quoted(text, cut) or not any(sign in header for sign in _SEPARATORS):
            return None
        rows = list(csv.reader(io.StringIO(self._raw.decode("utf-8"), newline="")))
        if any(len(row) > 1 for row in rows):
            return None
        inner = "\n".join(row[0] if row else "" for row in rows) + "\n"
        best = max((self._shape(inner, s, False) for s in _SEPARATORS), key=lambda s: s.rank)
        if len(best.names) < 2 or best.agree < _AGREES:
            return None
        self._raw = inner.encode()
        self.notes.append("each line stands in quotes as a whole; it is read without them.")
        return best

    def _below_a_title(self, text: str, cut: bool, best: _Shape) -> _Shape | None:
        """Look for a header below lines such as a report's title."""
        if best.agree >= _AGREES and (len(best.names) > 1 or not best.rows):
            return None
        for separator in _SEPARATORS:
            rows = list(islice(_records(text, separator), _SAMPLED_ROWS))
            for at in range(1, min(len(rows) - 1, 20)):
                names = [cell.strip() for cell in rows[at]]
                fits = len(names) > 1 and all(
                    len(row) == len(names) for row in rows[at + 1 : at + 21]
                )
                hits = len(set(self._wanted) & set(names))
                wanted = (
                    hits > best.hits if self._wanted else all(len(row) == 1 for row in rows[:at])
                )
                if fits and wanted and _like_names(names):
                    self._skip(self._end_of_record(separator, at))
                    blank = _BLANK_LINES.match(self._raw)
                    self._skip(blank.end() if blank else 0)
                    self.notes.append(
                        f"what stands above the header in line {self._first} is left out."
                    )
                    return self._shape(
                        self._raw[:_SAMPLE].decode("utf-8", "ignore"), separator, cut
                    )
        return None

    def _shape(self, text: str, separator: str, cut: bool) -> _Shape:
        rows = list(islice(_records(text, separator), _SAMPLED_ROWS + 1))
        if cut and 1 < len(rows) <= _SAMPLED_ROWS:
            rows.pop()  # the last one may be cut off
        names = [cell.strip() for cell in rows[0]] if rows else []
        rows = rows[1:]
        same = sum(len(row) == len(names) for row in rows)
        hits = len(set(self._wanted) & set(names))
        return _Shape(separator, names, rows, same / len(rows) if rows else 1.0, hits)

    def _end_of_record(self, separator: str, count: int) -> int:
        """Return where, in bytes, the first `count` records that hold something end."""
        text = io.StringIO(self._raw.decode("utf-8"), newline="")
        reader = csv.reader(text, delimiter=separator)
        seen = 0
        for row in reader:
            seen += any(cell.strip() for cell in row)
            if seen == count:
                break
        lines = self._raw.split(b"\n", reader.line_num)
        return len(self._raw) - len(lines[-1])

    # -- rows

    def _header_lines(self) -> int:
        """Return how many lines stand before the first row of data."""
        reader = csv.reader(self._text(), delimiter=self._separator)
        for row in reader:
            if row and any(cell.strip() for cell in row):
                break
        return reader.line_num

    def _text(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(io.BytesIO(self._raw), encoding="utf-8", newline="")

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each row of data with the line on which it starts."""
        reader = csv.reader(self._text(), delimiter=self._separator)
        header = True
        line = self._first
        for row in reader:
            start, line = line, self._first + reader.line_num
            if not row:
                continue
            if header:
                header = not any(cell.strip() for cell in row)
                continue
            yield start, row

    def _no_open_quote(self) -> None:
        """Refuse a quote that never closes: it would swallow the rest of the file."""
        if self._raw.count(b'"') % 2 == 0:
            return
        reader = csv.reader(self._text(), delimiter=self._separator)
        start = line = 0
        try:
            for _ in reader:
                start, line = line, reader.line_num
        except csv.Error:
            start = line
        record = self._raw.split(b"\n", start)[-1].decode("utf-8")
        try:
            list(
                csv.reader(io.StringIO(record, newline=""), delimiter=self._separator, strict=True)
            )
        except csv.Error as problem:
            if "end of data" in str(problem) or "field larger" in str(problem):
                raise TableError(
                    f"{self.name}, line {self._first + start}: a quote opens a field here and "
                    "never closes; close it, or leave it out."
                ) from None

    def _explain_ragged(self) -> None:
        width = len(self.names)
        sign = {"\t": "tab", " ": "blank"}.get(self._separator, self._separator)
        line = self._first
        try:
            for line, row in self._rows():
                if len(row) != width:
                    raise TableError(
                        f"{self.name}, line {line}: {len(row)} fields where the header has "
                        f'{width}; quote a field that holds the separator "{sign}".'
                    )
        except csv.Error as problem:
            raise TableError(
                f"{self.name}, after line {line}: this cannot be read as CSV ({problem})."
            ) from None


@dataclass(frozen=True)
class _Shape:
    """How a text looks with one separator."""

    separator: str
    names: list[str]
    rows: list[list[str]]
    agree: float
    hits: int

    @property
    def rank(self) -> tuple[int, bool, bool, float, int]:
        """Wanted columns, then rows as wide as the header, then the number of columns."""
        wide = len(self.names) > 1
        return (self.hits, wide and self.agree >= _AGREES, wide, self.agree, len(self.names))


def _records(text: str, separator: str) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    while True:
        try:
            row = next(reader)
        except (StopIteration, csv.Error):
            return
        if any(cell.strip() for cell in row):
            yield row


def _collapsed(text: str) -> str:
    """Return a text with one blank between fields, however many there were."""

    def one(line: str) -> str:
        return _BLANKS.sub(lambda found: found[1] or " ", line.strip())

    return "\n".join(map(one, text.split("\n")))


def _like_names(cells: list[str]) -> bool:
    """Tell whether cells look like names of columns: all there, different, no numbers."""
    said = [cell.strip().lstrip("#").strip() for cell in cells]
    return (
        all(said)
        and len(set(said)) == len(said)
        and not any(_NUMERIC.fullmatch(cell) for cell in said)
    )


def _all_quoted(text: str, cut: bool) -> bool:
    lines = [line.strip() for line in text.split("\n")]
    lines = [line for line in (lines[:-1] if cut else lines) if line]
    return all(len(line) > 1 and line[0] == line[-1] == '"' for line in lines)
