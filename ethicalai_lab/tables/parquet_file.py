"""Reading a Parquet file's columns, each fault in one sentence."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ethicalai_lab.errors import shown
from ethicalai_lab.tables.roles import TableError

__all__ = ["ParquetFile"]


class ParquetFile:
    """A Parquet file, open; see :class:`~ethicalai_lab.tables.table_files.TableFile`."""

    def __init__(self, name: str, raw: bytes) -> None:
        self.name = name
        self.notes: list[str] = []
        self.found: dict[str, str] = {}
        self._raw = raw
        self._schema = self._read(pq.read_schema)
        self.names = list(self._schema.names)

    def place(self, row: int) -> str:
        """Return a row's place; a Parquet file has no lines."""
        return f"row {row + 1}"

    def table(self, wanted: list[str]) -> pa.Table:
        """Return these columns in the types that the file gives them."""
        for column in wanted:
            kind = self._schema.field(column).type
            if pa.types.is_dictionary(kind):
                kind = kind.value_type
            if pa.types.is_nested(kind) or _is_bytes(kind):
                held = "bytes" if _is_bytes(kind) else shown(kind)
                raise TableError(
                    f'{self.name}: column "{shown(column)}" holds {held}; a single value a row, '
                    "a text, number, date or truth value, is accepted."
                )
        table = self._read(pq.read_table, columns=wanted)
        table = table.select(wanted).replace_schema_metadata(None)
        for column in wanted:
            try:
                table.column(column).validate(full=True)
            except pa.ArrowException:
                raise TableError(
                    f'{self.name}: column "{shown(column)}" holds text that is not UTF-8; write '
                    "the file again."
                ) from None
        return table

    def _read(self, read: Any, **options: Any) -> Any:

        try:
            return read(pa.BufferReader(self._raw), **options)
        except (pa.ArrowException, OSError, UnicodeDecodeError):
            raise TableError(
                f"{self.name}: the Parquet file is damaged or cut off; write or fetch it again."
            ) from None


def _is_bytes(kind: pa.DataType) -> bool:

    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
    )
