"""Loading a team's own table, with a role for each column that is used."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ethicalai_lab.world.roles import ROLES, Roles, TableError, load_roles
from ethicalai_lab.world.strict_yaml import did_you_mean, scalar

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = [
    "TableError",
    "check_table",
    "how_read",
    "load_table",
    "roles_of",
    "suggest_roles",
    "table_columns",
]

# these words mean "missing" where they stand without quotes; an empty field always does
MISSING = ("NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL")
_MAX_UNPACKED = 8 * 1024**3
_BLOCK = 16 * 1024**2
_DELIMITERS = (",", ";", "\t", "|")
_COMPLETE = ("identifier", "treatment", "outcome")  # roles that may not have gaps
_CANONICAL_INT = r"^(?:0|-?[1-9][0-9]{0,17})$"
_NUMBER = r"^\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\s*$"
_LEADING_ZERO = r"^[-+]?0[0-9]"
_BOOL = r"^(?:true|false|True|False|TRUE|FALSE)$"


def load_table(path: str | Path, roles: Roles | str | Path) -> pd.DataFrame:
    r"""Read a CSV or Parquet table, checked against the roles of its columns.

    Only the columns that have a role are read: data without a purpose stays out.

    Parameters
    ----------
    path : path-like
        A CSV file (UTF-8; comma, semicolon, tab or bar between fields; a header
        line; also gzipped) or a Parquet file. The content decides, not the name.
    roles : Roles or path-like
        The roles, or the ``roles.yaml`` that holds them.

    Returns
    -------
    pandas.DataFrame
        Columns in the order of `roles`. The outcome is numeric: where
        `roles.positive` is given, 1 for that value and 0 for any other. The roles of
        the returned table are in ``.attrs["roles"]``; :func:`roles_of` gives them.

    Raises
    ------
    TableError
        One sentence with the column and the line (for Parquet: the row): no such
        file, empty, not a table, ragged line, wrong column, missing value in an
        identifier, treatment or outcome, duplicated identifier, wrong type, a time
        that cannot be read, a control level that is not there, a constant outcome.

    Notes
    -----
    Empty fields are missing, and so are NA, N/A, NaN and null unless quoted.
    Numbers with leading zeros (postcodes) stay text. Columns of other roles may
    have missing values. An identifier may repeat only in a table of events: one
    with a time and no treatment.

    Examples
    --------
    >>> import tempfile
    >>> roles = Roles({"mail": "treatment", "visit": "outcome"}, control="none", positive="yes")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "mails.csv")
    ...     _ = path.write_text("name,mail,visit\nAnn,none,no\nBo,spring,yes\n")
    ...     table = load_table(path, roles)
    >>> table["visit"].tolist(), roles_of(table).control
    ([0, 1], 'none')
    """
    if not isinstance(roles, Roles):
        roles = load_roles(roles)
    source = _Source(path)
    return source.checked(roles)


def check_table(table: pd.DataFrame, roles: Roles | str | Path) -> pd.DataFrame:
    """Check a table that is already in memory, as :func:`load_table` does.

    Parameters
    ----------
    table : pandas.DataFrame
        The table.
    roles : Roles or path-like
        The roles, or the ``roles.yaml`` that holds them.

    Returns
    -------
    pandas.DataFrame
        A new table with the columns that have a role.

    Raises
    ------
    TableError
        As :func:`load_table`; rows are counted from 1.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"visit": [0, 1, 1]})
    >>> check_table(table, Roles({"visit": "outcome"}))["visit"].tolist()
    [0, 1, 1]
    """
    import pandas as pd

    if not isinstance(roles, Roles):
        roles = load_roles(roles)
    if not isinstance(table, pd.DataFrame):
        raise TableError(f"the table is a {type(table).__name__}; a pandas DataFrame is accepted.")
    names = [str(name) for name in table.columns]
    _no_duplicates("the table", names)
    _known_columns("the table", roles, names)
    if not len(table):
        raise TableError("the table has no rows.")
    kept = table.set_axis(names, axis=1)[list(roles.columns)].reset_index(drop=True)
    return _checked(kept, roles, lambda row: f"the table, row {row + 1}", "the table")


def roles_of(table: pd.DataFrame) -> Roles:
    """Return the roles of a table that :func:`load_table` or :func:`check_table` gave.

    Parameters
    ----------
    table : pandas.DataFrame
        With the roles in its ``.attrs``.

    Returns
    -------
    Roles
        With `control` as it is written in the table, and no `positive`, since the
        outcome is numeric by then.

    Raises
    ------
    TableError
        If the table carries no roles.
    """
    try:
        return Roles.from_dict(table.attrs["roles"])
    except (AttributeError, KeyError, TypeError):
        raise TableError(
            "this table carries no roles; pass them, or load it with load_table."
        ) from None


def how_read(table: pd.DataFrame) -> tuple[str, ...]:
    """Say what in a table was read otherwise than it is written.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`load_table` or :func:`check_table`.

    Returns
    -------
    tuple of str
        Short sentences: what each level of a yes/no column counts as. None where
        everything was read as it is written.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"visit": ["yes", "no", "maybe"]})
    >>> how_read(check_table(table, Roles({"visit": "outcome"}, positive="yes")))
    ('column "visit" (outcome): yes counts as 1; maybe, no as 0.',)
    """
    return tuple(table.attrs.get("how_read", ()))


def table_columns(path: str | Path) -> list[str]:
    """Return the column names of a table file.

    Parameters
    ----------
    path : path-like
        As for :func:`load_table`.

    Returns
    -------
    list of str

    Raises
    ------
    TableError
        If the file cannot be read as a table.
    """
    return _Source(path).names([])


# -- the file --------------------------------------------------------------------


class _Source:
    """A table file: its bytes, what they are, and where its rows stand."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.name = str(path)
        raw = self._read()
        if raw[:2] == b"\x1f\x8b":
            raw = self._unpack(raw)
        self.parquet = raw[:4] == b"PAR1"
        if not raw.strip():
            raise TableError(f"{self.name} is empty; a header line and rows are needed.")
        if not self.parquet:
            raw = self._plain_text(raw)
        self.raw = raw
        self.delimiter = ","

    def _read(self) -> bytes:
        if self.path.is_dir():
            raise TableError(f"{self.name} is a folder; give one CSV or Parquet file.")
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            raise TableError(f"{self.name}: there is no such file.") from None
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or problem
            raise TableError(f"{self.name} cannot be read ({reason}).") from None

    def _unpack(self, raw: bytes) -> bytes:
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
                out = file.read(_MAX_UNPACKED + 1)
        except EOFError:
            raise TableError(
                f"{self.name}: the gzip file is cut off; fetch or pack it again."
            ) from None
        except (OSError, zlib.error):
            raise TableError(
                f"{self.name}: the gzip file is damaged; fetch or pack it again."
            ) from None
        if len(out) > _MAX_UNPACKED:
            raise TableError(f"{self.name} unpacks to more than 8 GiB, which is not accepted.")
        return out

    def _plain_text(self, raw: bytes) -> bytes:
        accepted = "a CSV (also .gz) or Parquet file is accepted."
        start = raw[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
        lower = start.lower()
        if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise TableError(f"{self.name} is in UTF-16; save the table as UTF-8.")
        if raw[:4] == b"PK\x03\x04":
            raise TableError(
                f"{self.name} is a zip archive or an Excel workbook; unpack it or save it as CSV: "
                + accepted
            )
        if lower.startswith((b"<!doctype", b"<html", b"<?xml", b"<")):
            raise TableError(f"{self.name} looks like a web page or XML; {accepted}")
        if start.startswith((b"{", b"[")):
            raise TableError(f"{self.name} looks like JSON; {accepted}")
        if b"\0" in raw[:65536] or lower.startswith((b"%pdf", b"\x89png", b"sqlite format")):
            raise TableError(f"{self.name} is a binary file, no table; {accepted}")
        raw = raw.removeprefix(b"\xef\xbb\xbf")
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError as problem:
            line = raw.count(b"\n", 0, problem.start) + 1
            raise TableError(
                f"{self.name}, line {line}: byte 0x{raw[problem.start]:02x} is not UTF-8; save "
                "the table as UTF-8."
            ) from None
        nul = raw.find(b"\0")
        if nul >= 0:
            line = raw.count(b"\n", 0, nul) + 1
            raise TableError(f"{self.name}, line {line}: a zero byte; this is no text table.")
        return raw

    # -- columns

    def names(self, wanted: list[str]) -> list[str]:
        """Return the column names, having found what separates fields."""
        if self.parquet:
            return list(self._parquet_schema().names)
        text = io.StringIO(self.raw[: 1024 * 1024].decode("utf-8", errors="ignore"), newline="")
        found: dict[str, list[str]] = {}
        for delimiter in _DELIMITERS:
            text.seek(0)
            try:
                found[delimiter] = next(
                    (
                        [cell.strip() for cell in row]
                        for row in csv.reader(text, delimiter=delimiter)
                        if row and any(cell.strip() for cell in row)
                    ),
                    [],
                )
            except csv.Error:
                found[delimiter] = []
        # the separator under which the most wanted columns appear, then the most columns
        self.delimiter = max(
            _DELIMITERS,
            key=lambda d: (len(set(wanted) & set(found[d])), len(found[d])),
        )
        return found[self.delimiter]

    def _parquet_schema(self) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return pq.read_schema(pa.BufferReader(self.raw))
        except (pa.ArrowException, OSError):
            raise TableError(
                f"{self.name}: the Parquet file is damaged or cut off; write or fetch it again."
            ) from None

    # -- rows

    def checked(self, roles: Roles) -> pd.DataFrame:
        wanted = list(roles.columns)
        names = self.names(wanted)
        _no_duplicates(self.name, names)
        _known_columns(self.name, roles, names)
        if self.parquet:
            frame = self._parquet_frame(wanted)
            where = lambda row: f"{self.name}, row {row + 1}"  # noqa: E731
        else:
            frame = self._csv_frame(names, wanted, roles)
            where = lambda row: f"{self.name}, line {self._line(row)}"  # noqa: E731
        if not len(frame):
            raise TableError(f"{self.name} has a header but no rows.")
        return _checked(frame, roles, where, self.name)

    def _parquet_frame(self, wanted: list[str]) -> pd.DataFrame:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = self._parquet_schema()
        for column in wanted:
            if pa.types.is_nested(schema.field(column).type):
                raise TableError(
                    f'{self.name}: column "{column}" holds {schema.field(column).type}; '
                    "a single value a row is accepted."
                )
        try:
            table = pq.read_table(pa.BufferReader(self.raw), columns=wanted)
            table = table.select(wanted).replace_schema_metadata(None)
            for position, field in enumerate(table.schema):
                if pa.types.is_decimal(field.type):
                    column = table.column(position).cast(pa.float64())
                    table = table.set_column(position, field.name, column)
            return _to_pandas(table)
        except (pa.ArrowException, OSError):
            raise TableError(
                f"{self.name}: the Parquet file is damaged or cut off; write or fetch it again."
            ) from None

    def _csv_frame(self, names: list[str], wanted: list[str], roles: Roles) -> pd.DataFrame:
        import pyarrow as pa
        import pyarrow.csv as pv

        # unnamed columns get a name of their own; nobody can ask for them
        inner = [f"{i}\0{name}" for i, name in enumerate(names)]
        keep = [inner[names.index(column)] for column in wanted]
        try:
            table = pv.read_csv(
                pa.BufferReader(self.raw),
                read_options=pv.ReadOptions(
                    column_names=inner, skip_rows=self._header_lines(), block_size=_BLOCK
                ),
                parse_options=pv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
                convert_options=pv.ConvertOptions(
                    column_types={name: pa.string() for name in inner},
                    include_columns=keep,
                    null_values=["", *MISSING],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
        except pa.ArrowException as problem:
            if "Empty CSV" in str(problem):
                raise TableError(f"{self.name} has a header but no rows.") from None
            self._explain_ragged(len(names))
            text = str(problem).splitlines()[0][:120]
            raise TableError(f"{self.name} cannot be read as CSV ({text}).") from None
        columns = {
            column: _typed(table.column(position), verbatim="identifier" in _roles(roles, column))
            for position, column in enumerate(wanted)
        }
        return _to_pandas(pa.table(columns))

    def _header_lines(self) -> int:
        """Return how many lines stand before the first row of data."""
        reader = csv.reader(self._text(), delimiter=self.delimiter)
        for row in reader:
            if row and any(cell.strip() for cell in row):
                return reader.line_num
        return reader.line_num

    def _text(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(io.BytesIO(self.raw), encoding="utf-8", newline="")

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each row of data with the line on which it starts."""
        reader = csv.reader(self._text(), delimiter=self.delimiter)
        header = True
        line = 1
        for row in reader:
            start, line = line, reader.line_num + 1
            if not row:
                continue
            if header:
                header = not any(cell.strip() for cell in row)
                continue
            yield start, row

    def _line(self, wanted: int) -> int:
        for position, (line, _) in enumerate(self._rows()):
            if position == wanted:
                return line
        return wanted + 2

    def _explain_ragged(self, width: int) -> None:
        try:
            for line, row in self._rows():
                if len(row) != width:
                    raise TableError(
                        f"{self.name}, line {line}: {len(row)} fields where the header has "
                        f"{width}; quote a field that holds the separator "
                        f'"{_visible(self.delimiter)}".'
                    )
        except csv.Error as problem:
            raise TableError(f"{self.name} cannot be read as CSV ({problem}).") from None


def _visible(delimiter: str) -> str:
    return "tab" if delimiter == "\t" else delimiter


def _typed(column: Any, *, verbatim: bool) -> Any:
    """Return a text column as integers, floats or booleans where every value is one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)

    def every(pattern: str) -> bool:
        return pc.all(pc.match_substring_regex(column, pattern)).as_py() is True

    if every(_CANONICAL_INT):
        return column.cast(pa.int64())
    if verbatim:
        return column
    if every(_BOOL):
        return pc.equal(pc.utf8_lower(column), "true")
    if every(_NUMBER) and not pc.any(pc.match_substring_regex(column, _LEADING_ZERO)).as_py():
        return pc.utf8_trim_whitespace(column).cast(pa.float64())
    return column


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    import pyarrow as pa

    for position, field in enumerate(table.schema):
        if pa.types.is_boolean(field.type) and table.column(position).null_count:
            # truth values with gaps would become Python objects
            column = table.column(position).cast(pa.int8()).cast(pa.float64())
            table = table.set_column(position, field.name, column)
    return table.to_pandas()


# -- the checks --------------------------------------------------------------------


def _roles(roles: Roles, column: str) -> tuple[str, ...]:
    given = roles.columns[column]
    return given if isinstance(given, tuple) else (given,)


def _no_duplicates(name: str, names: list[str]) -> None:
    seen: dict[str, int] = {}
    for position, column in enumerate(names, start=1):
        if column and column in seen:
            raise TableError(
                f'{name}: the column "{column}" is there twice (columns {seen[column]} and '
                f"{position}); rename one."
            )
        seen[column] = position


def _known_columns(name: str, roles: Roles, names: list[str]) -> None:
    for column in roles.columns:
        if column not in names:
            listed = ", ".join(names[:30]) + (", ..." if len(names) > 30 else "")
            raise TableError(
                f'{name} has no column "{column}", which the roles name; there are: {listed}.'
                f"{did_you_mean(column, names)}"
            )


def _checked(frame: pd.DataFrame, roles: Roles, where: Any, name: str) -> pd.DataFrame:
    for column in frame.columns:
        needed = [role for role in _roles(roles, column) if role in _COMPLETE]
        gaps = frame[column].isna().to_numpy()
        if needed and gaps.any():
            count = int(gaps.sum())
            values = "1 missing value" if count == 1 else f"{count} missing values"
            raise TableError(
                f'{where(int(gaps.argmax()))}: column "{column}" ({needed[0]}) has {values}, '
                f"here the first; fill in or leave out such rows "
                f"(a text such as NA counts as missing unless it is quoted)."
            )
    # in a table of events a person is there once an event
    events = bool(roles.of("time")) and roles.treatment is None
    for column in [] if events else roles.of("identifier"):
        again = frame[column].duplicated().to_numpy()
        if again.any():
            second = int(again.argmax())
            value = frame[column].iloc[second]
            first = int((frame[column] == value).to_numpy().argmax())
            raise TableError(
                f'{where(second)}: column "{column}" (identifier) repeats "{value}", first on '
                f"{where(first).rpartition(', ')[2]}; one row for each is accepted."
            )
    frame = frame.copy().infer_objects()
    notes: list[str] = []
    for column in roles.of("time"):
        frame[column] = _times(frame[column], column, where)
    control = roles.control
    if roles.treatment is not None:
        control = _control(frame[roles.treatment], roles.treatment, control, name)
    decided = [column for column in roles.of("decision") if _holds(frame[column], roles.positive)]
    for column in roles.of("outcome"):
        if column == roles.outcome and _holds(frame[column], roles.positive):
            notes.append(_counted(frame[column], column, "outcome", roles.positive))
        frame[column] = _outcome(frame[column], column, roles, where, name, bool(decided))
    for column in decided:
        gaps = frame[column].isna().to_numpy()
        if gaps.any():
            raise TableError(
                f'{where(int(gaps.argmax()))}: column "{column}" (decision) is empty; say what was '
                "decided, or leave out such rows."
            )
        notes.append(_counted(frame[column], column, "decision", roles.positive))
        frame[column] = _is(frame[column], roles.positive)
    if roles.positive is not None and roles.outcome is None and not decided:
        column = roles.of("decision")[0]
        raise _no_positive(frame[column], column, "decision", roles, name)
    for column in roles.of("score"):
        if not _numeric(frame[column]):
            row, value = _first_text(frame[column])
            raise TableError(
                f'{where(row)}: column "{column}" (score) holds "{value}"; numbers are accepted.'
            )
    if roles.outcome is not None and frame[roles.outcome].nunique() < 2:
        value = frame[roles.outcome].iloc[0]
        raise TableError(
            f'{name}: column "{roles.outcome}" (outcome) is {value} in every row, so there is '
            "nothing to compare; choose another outcome."
        )
    frame.attrs["roles"] = replace(roles, control=control, positive=None).to_dict()
    frame.attrs["how_read"] = notes
    return frame


def _numeric(column: pd.Series) -> bool:
    from pandas.api.types import is_bool_dtype, is_complex_dtype, is_numeric_dtype

    return is_bool_dtype(column) or (is_numeric_dtype(column) and not is_complex_dtype(column))


def _first_text(column: pd.Series) -> tuple[int, Any]:
    """Return the row and value of the first entry that is no number."""
    pattern = re.compile(_NUMBER)
    for row, value in enumerate(column.tolist()):
        if value == value and value is not None and not pattern.match(str(value)):
            return row, value
    return 0, column.iloc[0]


def _times(column: pd.Series, name: str, where: Any) -> pd.Series:
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        return column
    accepted = "a date such as 2025-03-31 or 2025-03-31T14:05:00 is accepted."
    if _numeric(column):
        row = int(column.notna().to_numpy().argmax())
        raise TableError(
            f'{where(row)}: column "{name}" (time) holds the number {column.iloc[row]}; {accepted}'
        )
    texts = column.astype("string")
    offset = texts.str.contains(r"(?:Z|[+-]\d\d:?\d\d)\s*$", regex=True).fillna(False).any()
    read = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=bool(offset))
    bad = (read.isna() & texts.notna()).to_numpy(dtype=bool)
    if bad.any():
        row = int(bad.argmax())
        raise TableError(
            f'{where(row)}: column "{name}" (time) holds "{column.iloc[row]}"; {accepted}'
        )
    return read


def _same(level: Any, word: Any) -> bool:
    """Tell whether a level of the table is the one the roles file writes."""
    if str(level) == str(word):
        return True
    pair = {str(level).casefold(), str(word).casefold()}
    if isinstance(level, bool) or type(level).__name__ in ("bool", "bool_"):
        return pair in ({"true"}, {"false"}) or (bool(level), word) in ((True, 1), (False, 0))
    try:
        return not isinstance(word, bool) and float(level) == float(word)
    except (TypeError, ValueError):
        return False


def _levels(column: pd.Series) -> list[Any]:
    found = column.unique().tolist()
    try:
        return sorted(found)
    except TypeError:
        return sorted(found, key=str)


def _listed(levels: list[Any]) -> str:
    return ", ".join(str(level) for level in levels[:20]) + (", ..." if len(levels) > 20 else "")


def _control(column: pd.Series, name: str, control: Any, where: str) -> Any:
    levels = _levels(column)
    if len(levels) < 2:
        raise TableError(
            f'{where}: column "{name}" (treatment) is {levels[0]} in every row, so there is '
            "nothing to compare."
        )
    if control is None:
        if len(levels) == 2 and _same(levels[0], 0):
            return levels[0]
        raise TableError(
            f'{where}: the roles do not say which level of "{name}" (treatment) is the untreated '
            f'one; add "control" with one of: {_listed(levels)}.'
        )
    for level in levels:
        if _same(level, control):
            return level
    raise TableError(
        f'{where}: column "{name}" (treatment) has no level "{control}", which the roles give as '
        f"control; there are: {_listed(levels)}.{did_you_mean(control, levels)}"
    )


def _holds(column: pd.Series, positive: Any) -> bool:
    """Tell whether the value that the roles give as positive is there."""
    if positive is None:
        return False
    return any(_same(level, positive) for level in column.dropna().unique())


def _is(column: pd.Series, positive: Any) -> pd.Series:
    """Return 1 where the column is `positive`, 0 where it is another value."""
    level = next(level for level in column.dropna().unique() if _same(level, positive))
    return (column == level).astype("int64")


def _counted(column: pd.Series, name: str, role: str, positive: Any) -> str:
    """Say what each level of a yes/no column counts as."""
    levels = _levels(column.dropna())
    yes = [level for level in levels if _same(level, positive)][:1]
    no = [level for level in levels if level not in yes]
    rest = f"; {_listed(no)} as 0" if no else ""
    return f'column "{name}" ({role}): {_listed(yes)} counts as 1{rest}.'


def _no_positive(column: pd.Series, name: str, role: str, roles: Roles, file: str) -> TableError:
    levels = _levels(column)
    return TableError(
        f'{file}: column "{name}" ({role}) has no value "{roles.positive}", which the roles '
        f"give as positive; there are: {_listed(levels)}.{did_you_mean(roles.positive, levels)}"
    )


def _outcome(
    column: pd.Series, name: str, roles: Roles, where: Any, file: str, decided: bool
) -> pd.Series:
    """Return the outcome as numbers; `decided`: the positive value is a decision's already."""
    from pandas.api.types import is_bool_dtype

    if name == roles.outcome and roles.positive is not None:
        if _holds(column, roles.positive):
            return _is(column, roles.positive)
        if not decided:
            raise _no_positive(column, name, "outcome", roles, file)
    if hasattr(column, "cat"):
        column = column.astype(column.cat.categories.dtype)
    if is_bool_dtype(column):
        return column.astype("int64")
    if _numeric(column):
        values = column.to_numpy(dtype="float64")
        infinite = abs(values) == float("inf")
        if infinite.any():
            raise TableError(
                f'{where(int(infinite.argmax()))}: column "{name}" (outcome) is infinite; a '
                "number is accepted."
            )
        return column
    row, value = _first_text(column)
    hint = f'say which value is meant, such as `positive: "{value}"`'
    if name != roles.outcome:
        hint = "or give it another role"
    if re.fullmatch(r"\s*[-+]?[0-9]+,[0-9]+\s*", str(value)):
        hint = "write decimals with a point"
    raise TableError(
        f'{where(row)}: column "{name}" (outcome) holds "{value}"; numbers or true/false are '
        f"accepted, {hint}."
    )


# -- a first draft of roles ----------------------------------------------------------

_GUESSES = (
    (
        "identifier",
        r"(?:^|_)(?:id|uuid|guid|email|e_mail|mail_address|phone|mobile|iban|ssn|"
        r"full_?name|last_?name|first_?name|user_?name|street|address)$|^(?:id|uuid|name)$|"
        r"^(?:customer|client|person|user|member|subscriber)(?:_?(?:number|no|nr|key))?$",
    ),
    ("quasi_identifier", r"zip|postal|post_?code|birth|^dob$|^city$|^occupation$|^job$"),
    (
        "protected",
        r"^(?:age|sex|gender|race|religion|nationality|disability|marital(?:_status)?)$|"
        r"ethnic",
    ),
    ("sensitive", r"health|income|salary|debt|default$|stress|diagnos|political|union"),
    ("treatment", r"^(?:segment|treatment|treated|arm|group|variant|exposure|mail)$"),
    (
        "outcome",
        r"^(?:visit|visited|conversion|converted|spend|click|clicked|purchase|purchased|"
        r"response|outcome|target|label|y|churn|unsubscribed)$",
    ),
    ("score", r"score|propensity|probability"),
    ("decision", r"decision|selected|approved|targeted"),
    ("consent", r"consent|opt_?(?:in|out)|gdpr"),
    ("time", r"(?:^|_)(?:time|timestamp|date|datetime|at)$"),
)


def suggest_roles(path: str | Path) -> str:
    """Draft a ``roles.yaml`` from a table's column names, for people to review.

    It reads names only. A name says little about what a column means, so each
    line is a guess, and every column that no guess fits is called a feature.

    Parameters
    ----------
    path : path-like
        As for :func:`load_table`.

    Returns
    -------
    str
        YAML with comments.

    Raises
    ------
    TableError
        If the file cannot be read as a table.
    """
    source = _Source(path)
    names = [name for name in source.names([]) if name]
    if not names:
        raise TableError(f"{source.name} has no named columns; a header line is needed.")
    table = source.checked(Roles(dict.fromkeys(names, "feature")))
    guessed = {name: _guess(name, table[name]) for name in names}
    treatments = [name for name in names if guessed[name] == "treatment"]
    outcomes = [name for name in names if guessed[name] == "outcome"]
    for name in treatments[1:]:  # a table has one
        guessed[name] = "feature"
    lines = [
        "# A draft, guessed from the names of the columns: review every line.",
        "# Leave out the columns you do not need: a column without a role is not read.",
        "# The roles:",
        *(f"#   {role}: {meaning}" for role, meaning in ROLES.items()),
        "columns:",
        *(f"  {scalar(name)}: {role}" for name, role in guessed.items()),
    ]
    if treatments:
        levels = _levels(table[treatments[0]].dropna())
        control = next((level for level in levels if _UNTREATED.match(str(level))), levels[0])
        lines += [
            f"# the untreated level of {treatments[0]}; there are: {_comment(_listed(levels))}",
            f"control: {scalar(control)}",
        ]
    if outcomes:
        if len(outcomes) > 1:
            lines.append("# which outcome is meant")
        lines.append(f"outcome: {scalar(outcomes[0])}")
        column = table[outcomes[0]]
        if not _numeric(column):
            levels = _levels(column.dropna())
            positive = next((level for level in levels if _POSITIVE.match(str(level))), levels[-1])
            lines += [
                f"# the positive value of {outcomes[0]}; there are: {_comment(_listed(levels))}",
                f"positive: {scalar(positive)}",
            ]
    return "\n".join(lines) + "\n"


_UNTREATED = re.compile(r"(?i)(?:no|none|control|untreated|holdout|0|false)(?:[^a-z]|$)")
_POSITIVE = re.compile(r"(?i)(?:yes|y|true|1|positive)$")


def _comment(text: str) -> str:
    return " ".join(text.split())


def _guess(name: str, column: pd.Series) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")
    for role, pattern in _GUESSES:
        if not re.search(pattern, words):
            continue
        levels = column.nunique()
        gaps = bool(column.isna().any())
        if role == "identifier" and (gaps or levels < len(column)):
            return "quasi_identifier"  # an identifier is there once, in every row
        if role == "treatment" and (gaps or not 2 <= levels <= 20):
            continue
        if role == "outcome" and (gaps or levels < 2 or (levels > 2 and not _numeric(column))):
            continue
        if role == "score" and not _numeric(column):
            continue
        if role == "time":
            try:
                _times(column, name, lambda row: "")
            except TableError:
                continue
        return role
    return "feature"
