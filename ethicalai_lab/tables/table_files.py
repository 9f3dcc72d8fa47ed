"""Opening a table file: its bytes, what they are, and in which letters they are written."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from ethicalai_lab.errors import did_you_mean, shown
from ethicalai_lab.tables.delimited import DelimitedText
from ethicalai_lab.tables.parquet_file import ParquetFile
from ethicalai_lab.tables.roles import TableError
from ethicalai_lab.tables.workbook import Workbook

__all__ = ["MAX_UNPACKED", "TableFile", "check_names", "open_table"]

MAX_UNPACKED = 4 * 1024**3
"""Bytes to which a packed table may unpack; a larger one is refused before it is in memory."""

_GZIP_RATIO = 1032  # what deflate can reach at most
_LONGEST = 200  # characters of a column's name
_BLOCK = 4 * 1024**2
_ACCEPTED = "a CSV (also .gz), Parquet or Excel (.xlsx) file is accepted."
_WESTERN = ("cp1252", "latin_1", "iso8859_15", "cp1254", "cp1250")
_COHERENT = 0.25  # how sure charset-normalizer must be of the language before it is believed


class TableFile(Protocol):
    """A table file, open: its columns, and where its rows stand.

    Attributes
    ----------
    name : str
        The file, as messages call it.
    names : list of str
        The columns, as the file spells them.
    notes : list of str
        What was found out about how the file is written.
    found : dict of str to str
        The same as keys of ``format:`` in a roles file.
    """

    name: str
    names: list[str]
    notes: list[str]
    found: dict[str, str]

    def table(self, wanted: list[str]) -> pa.Table:
        """Return these columns: as text where the file holds text."""
        ...

    def place(self, row: int) -> str:
        """Return where a row stands, such as "line 4"; rows count from 0."""
        ...


def open_table(
    path: str | Path,
    wanted: list[str] | None,
    format: Mapping[str, str],
    *,
    drafting: bool = False,
) -> TableFile:
    """Open a table file, whatever it is: the content decides, not the name.

    Parameters
    ----------
    path : path-like
        The file; ``mails.xlsx#Spring`` names a sheet of a workbook.
    wanted : list of str or None
        Columns that should be there: they help to find what separates fields.
    format : mapping of str to str
        What is declared, as :attr:`~ethicalai_lab.tables.Roles.format`.
    drafting : bool
        Whether guesses will be reviewed: what would be a question is then proposed.

    Returns
    -------
    TableFile

    Raises
    ------
    TableError
        If there is no such file, or it is no table.
    """
    name, sheet = str(path), format.get("sheet")
    if "#" in name and not _exists(name):
        name, _, asked = name.rpartition("#")
        if sheet not in (None, asked):
            raise TableError(
                f"{name}: the sheet {shown(asked)} is asked for, but the roles name {shown(sheet)}; "
                "name one."
            )
        sheet = asked
    raw = _read(name)
    if raw[:2] == b"\x1f\x8b":
        raw = _unpacked(raw, name)
    if not raw.strip():
        raise TableError(f"{name} is empty; a header line and rows are needed.")
    if raw[:4] == b"PAR1":
        return ParquetFile(name, raw)
    if raw[:4] == b"PK\x03\x04":
        return Workbook(name, raw, sheet, wanted or [])
    if sheet is not None:
        raise TableError(f"{name} is no Excel workbook, so it has no sheet {shown(sheet)}.")
    text, notes, found = _as_utf8(raw, name, format.get("encoding"), drafting)
    table = DelimitedText(name, text, format.get("separator"), wanted or [])
    table.notes[:0] = notes
    table.found = found | table.found
    return table


class Named(Protocol):
    """What has a name and columns."""

    name: str
    names: list[str]


def check_names(table: Named, wanted: list[str]) -> None:
    """Refuse a table with a column twice, without one that is wanted, or with a huge name.

    Parameters
    ----------
    table : object
        With `name` and `names`.
    wanted : list of str
        Columns that must be there.

    Raises
    ------
    TableError
    """
    seen: dict[str, int] = {}
    for position, column in enumerate(table.names, start=1):
        if column and column in seen:
            raise TableError(
                f'{table.name}: the column "{shown(column)}" is there twice (columns '
                f"{seen[column]} and {position}); rename one."
            )
        seen[column] = position
    for column in wanted:
        if column not in seen:
            listed = ", ".join(map(shown, table.names[:30]))
            more = ", ..." if len(table.names) > 30 else ""
            near = did_you_mean(column, [name for name in table.names if len(name) < _LONGEST])
            raise TableError(
                f'{table.name} has no column "{shown(column)}", which the roles name; there are: '
                f"{listed}{more}.{near}"
            )
        if len(column) > _LONGEST:
            raise TableError(
                f'{table.name}: the column "{shown(column, 30)}" has a name of {len(column):,} '
                f"characters; up to {_LONGEST} are accepted."
            )


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return False


def _read(name: str) -> bytes:
    try:
        if Path(name).is_dir():
            raise TableError(f"{name} is a folder; give one CSV, Parquet or Excel file.")
        return Path(name).read_bytes()
    except FileNotFoundError:
        raise TableError(f"{name}: there is no such file.") from None
    except TableError:
        raise
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise TableError(f"{shown(name, 200)} cannot be read ({reason}).") from None


def _unpacked(raw: bytes, name: str) -> bytes:
    """Return what a gzip file holds, once it is clear that it is not too much."""
    blocks: list[bytes] = []

    def unpack(keep: Callable[[bytes], None]) -> None:
        size = 0
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
            while block := file.read(_BLOCK):
                size += len(block)
                if size > MAX_UNPACKED:
                    raise TableError(
                        f"{name} unpacks to more than {MAX_UNPACKED / 1024**3:g} GiB, which is "
                        "not accepted; give a part of it, or Parquet."
                    )
                keep(block)

    try:
        if len(raw) * _GZIP_RATIO > MAX_UNPACKED:
            unpack(lambda block: None)  # counted first, so that a bomb never fills the memory
        unpack(blocks.append)
    except EOFError:
        raise TableError(f"{name}: the gzip file is cut off; fetch or pack it again.") from None
    except (OSError, zlib.error):
        raise TableError(f"{name}: the gzip file is damaged; fetch or pack it again.") from None
    return b"".join(blocks)


# -- letters -----------------------------------------------------------------------


def _as_utf8(
    raw: bytes, name: str, declared: str | None, drafting: bool
) -> tuple[bytes, list[str], dict[str, str]]:
    """Return a text file's bytes in UTF-8, a note on what they were, and what was found."""
    _refuse_others(raw, name)
    wide = _wide(raw)
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if declared is None and wide is None:
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError as problem:
            declared = _guessed(raw, name, problem.start, drafting)
        else:
            _no_zero_byte(raw, name)
            return raw, [], {}
    encoding = declared or wide or ""
    try:
        text = raw.decode(encoding).removeprefix("\ufeff")
    except UnicodeError as problem:
        at = getattr(problem, "start", 0)
        raise TableError(
            f"{name}, line {raw.count(10, 0, at) + 1}: byte 0x{raw[at]:02x} is not {encoding}; "
            "say how the file is written, such as `format: {encoding: cp1252}`."
        ) from None
    raw = text.encode("utf-8", "replace")
    _no_zero_byte(raw, name)
    said = f"the file is read as {encoding}; if letters look wrong, declare its encoding."
    return raw, [said], {"encoding": encoding}


def _refuse_others(raw: bytes, name: str) -> None:
    start = raw[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    lower = start.lower()
    if lower.startswith((b"<!doctype", b"<html", b"<?xml", b"<")):
        raise TableError(f"{name} looks like a web page or XML; {_ACCEPTED}")
    if start.startswith((b"{", b"[")):
        raise TableError(f"{name} looks like JSON; {_ACCEPTED}")
    if raw[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise TableError(f"{name} is an Excel file of the old kind; save it as .xlsx or CSV.")
    binary = b"\0" in raw[:65536] and _wide(raw) is None
    if binary or lower.startswith((b"%pdf", b"\x89png", b"sqlite format")):
        raise TableError(f"{name} is a binary file, no table; {_ACCEPTED}")


def _wide(raw: bytes) -> str | None:
    """Tell UTF-16 and UTF-32, by their mark or by the zeros between Latin letters."""
    if raw[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        return "utf-32"
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    start = raw[:4096]
    even, odd = start[::2].count(0), start[1::2].count(0)
    if len(start) >= 8 and max(even, odd) > len(start) // 4 and min(even, odd) == 0:
        return "utf-16-le" if odd else "utf-16-be"
    return None


def _no_zero_byte(raw: bytes, name: str) -> None:
    nul = raw.find(b"\0")
    if nul >= 0:
        line = raw.count(b"\n", 0, nul) + 1
        raise TableError(f"{name}, line {line}: a zero byte; this is no text table.")


def _guessed(raw: bytes, name: str, first: int, drafting: bool) -> str:
    """Return the likely encoding of a text that is not UTF-8."""
    from charset_normalizer import from_bytes

    lines = re.findall(rb"[^\n]*[\x80-\xff][^\n]*", raw)
    others = [line for line in lines if not _is_utf8(line)]
    where = f"{name}, line {raw.count(10, 0, first) + 1}: byte 0x{raw[first]:02x} is not UTF-8"
    if len(others) < len(lines) / 2:  # most lines are UTF-8: a mixture
        raise TableError(f"{where}, as other lines of the file are; write it in one encoding.")
    sample = b"\n".join(others[:400])[:65536]
    best = from_bytes(sample).best()
    sure = best is not None and best.coherence >= _COHERENT
    if best is not None and sure and best.encoding not in _WESTERN[:-1]:
        return str(best.encoding)
    try:
        b"".join(others).decode("cp1252")
        return "cp1252"
    except UnicodeDecodeError:
        pass
    likely = "cp1252" if best is None else best.encoding
    if drafting and best is not None:
        return str(likely)
    raise TableError(
        f"{where}; say how the file is written, such as `format: {{encoding: {likely}}}`, or "
        "save it as UTF-8."
    )


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
