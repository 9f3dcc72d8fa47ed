"""Checks a table against the schema, stores worlds as Parquet, hashes what tables hold."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ethicalai_lab.core.times import read_times
from ethicalai_lab.errors import shown
from ethicalai_lab.world.config import WorldConfig
from ethicalai_lab.world.errors import WorldError
from ethicalai_lab.world.schema import SCHEMA, TRUTH_SCHEMA, Column

__all__ = ["checksum", "conform", "read", "write"]

FORMAT = 1
_ABOUT = "world.json"
_WANTED = {
    "int": "whole numbers",
    "float": "numbers",
    "flag": "0 or 1",
    "bool": "true or false",
    "text": "text",
}


def _first(mask: Any) -> int:
    return int(np.flatnonzero(np.asarray(mask, dtype=bool))[0])


def _conform_column(values: pd.Series, column: Column, table: str) -> Any:
    """Return the column in the schema's type, or say which row does not fit it."""

    def need(fits: Any, wanted: str) -> None:
        unfit = ~np.asarray(fits, dtype=bool) & ~missing
        if unfit.any():
            raise _wrong(values, column, table, _first(unfit), wanted)

    missing = values.isna().to_numpy()
    if missing.any() and not column.nullable:
        wanted = f"a value ({column.description}), none may be missing"
        raise _wrong(values, column, table, _first(missing), wanted)
    if column.kind in ("category", "ordered"):
        dtype = pd.CategoricalDtype(list(column.categories), ordered=column.kind == "ordered")
        if values.dtype == dtype:
            return values
        given = values.astype(object)
        need(given.isin(column.categories), "one of " + ", ".join(column.categories))
        return given.astype(dtype)
    if column.kind in ("date", "time"):
        return read_times(
            values,
            column.name,
            missing=True,
            where=lambda row: f"Table {table}, column {column.name}, row {row + 1}",
            error=WorldError,
        )
    wanted = _WANTED[column.kind]
    if column.kind == "text":
        if isinstance(values.dtype, pd.StringDtype):
            return values.astype(_text_dtype())
        need(values.map(lambda value: isinstance(value, str)), wanted)
        # pandas 2 keeps text as objects, and Arrow marks what is missing with None
        text = values.astype(_text_dtype())
        return text.where(~missing, None) if text.dtype == object else text
    if column.kind == "bool" and values.dtype == bool:
        return values
    numbers = pd.to_numeric(values, errors="coerce")
    array = numbers.to_numpy(dtype=float, na_value=np.nan)
    need(~np.isnan(array), wanted)
    if column.kind in ("flag", "bool"):
        need(np.isin(array, (0, 1)), wanted)
        return array.astype(np.int8 if column.kind == "flag" else bool)
    if column.kind == "int":
        need(np.isfinite(array) & (array == np.floor(array)), wanted)
    low, high = column.low, column.high
    lower = "finite" if low is None else f"from {low:g}"
    upper = "" if high is None else f" to {high:g}"
    fits = np.isfinite(array) & (array >= (low if low is not None else -np.inf))
    need(fits & (array <= (high if high is not None else np.inf)), f"{wanted} {lower}{upper}")
    if column.kind == "int":
        keep = isinstance(numbers.dtype, np.dtype) and numbers.dtype.kind == "i"
        return numbers if keep else array.astype(np.int64)
    return numbers if numbers.dtype in (np.float32, np.float64) else array


def _wrong(values: pd.Series, column: Column, table: str, row: int, wanted: str) -> WorldError:
    value = values.iloc[row]
    value = getattr(value, "item", lambda: value)()
    held = "a missing value" if pd.isna(value) else shown(repr(value))
    return WorldError(
        f"Table {table}, column {column.name}, row {row + 1}: {held} is not accepted; "
        f"wanted: {wanted}."
    )


def _text_dtype() -> Any:
    return "str" if int(pd.__version__.split(".")[0]) >= 3 else object


def conform(table: pd.DataFrame, columns: Sequence[Column], name: str) -> pd.DataFrame:
    """Return the table in the schema's types and column order.

    Parameters
    ----------
    table : pandas.DataFrame
        A table of a world; columns that the schema does not know are kept at the end.
    columns : sequence of Column
        The schema's columns.
    name : str
        Name of the table, for messages.

    Returns
    -------
    pandas.DataFrame
        With a plain row index.

    Raises
    ------
    WorldError
        If it is no table, or a column is missing, doubled or holds what it must not.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.world.schema import TRUTH_SCHEMA
    >>> from ethicalai_lab.world.store import conform
    >>> table = pd.DataFrame({"customer_id": [1.0], "register_id": ["5"]})
    >>> conform(table, TRUTH_SCHEMA["identity"], "identity").iloc[0].to_list()
    [5, 1]
    """
    if not isinstance(table, pd.DataFrame):
        raise WorldError(f"Table {name} must be a pandas DataFrame, not {type(table).__name__}.")
    doubled = table.columns[table.columns.duplicated()]
    if len(doubled):
        raise WorldError(f"Table {name} has column {doubled[0]} twice; each may stand once.")
    lost = [column.name for column in columns if column.name not in table.columns]
    if lost:
        raise WorldError(
            f"Table {name} lacks column {', '.join(lost)}; it needs: "
            f"{', '.join(column.name for column in columns)}."
        )
    table = table.reset_index(drop=True)
    data = {c.name: _conform_column(table[c.name], c, name) for c in columns}
    data |= {other: table[other] for other in table.columns if other not in data}
    return pd.DataFrame(data, index=table.index, copy=False)


def conform_all(
    tables: Mapping[str, Any], schema: Mapping[str, Sequence[Column]], what: str
) -> dict[str, pd.DataFrame]:
    """Return several tables in the schema's types, checked against each other."""
    unknown = [name for name in tables if name not in schema]
    if unknown:
        raise WorldError(f"A {what} has no table {unknown[0]}; it may have: {', '.join(schema)}.")
    done = {name: conform(tables[name], schema[name], name) for name in schema if name in tables}
    ids = {name: table["customer_id"] for name, table in done.items() if "customer_id" in table}
    for name in ("customers", "campaign"):
        if name in ids and ids[name].duplicated().any():
            again = ids[name].duplicated()
            raise _odd(name, ids[name], again, "stands twice; wanted: one row a customer")
    for name, column in ids.items() if "customers" in ids else ():
        strange = ~column.isin(ids["customers"])
        if strange.any():
            raise _odd(name, column, strange, "is not in table customers")
    return done


def _odd(name: str, ids: pd.Series, mask: pd.Series, said: str) -> WorldError:
    row = _first(mask)
    return WorldError(
        f"Table {name}, column customer_id, row {row + 1}: customer {ids.iloc[row]} {said}."
    )


def checksum(table: pd.DataFrame) -> str:
    """Return the SHA-256 of what a table holds, whatever the versions of the libraries.

    Parameters
    ----------
    table : pandas.DataFrame
        Any table of a world.

    Returns
    -------
    str
        64 hexadecimal digits, over column names, types, values and missing marks.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.world.store import checksum
    >>> checksum(pd.DataFrame({"a": [1]})) == checksum(pd.DataFrame({"a": [1.0]}))
    False
    """
    digest = hashlib.sha256()

    def add(kind: str, array: np.ndarray) -> None:
        digest.update(f"{kind}:{array.size};".encode())
        digest.update(np.ascontiguousarray(array).tobytes())

    for name in table.columns:
        values = table[name]
        digest.update(f"|{name}|".encode())
        if isinstance(values.dtype, pd.CategoricalDtype):
            levels = json.dumps([str(level) for level in values.cat.categories])
            digest.update(f"category {values.cat.ordered} {levels}".encode())
            add("code", values.cat.codes.to_numpy().astype("<i2"))
        elif values.dtype.kind == "M":
            add("time", values.to_numpy().astype("datetime64[us]").astype("<i8"))
        elif values.dtype.kind in "iub":
            add("int", values.to_numpy().astype("<i8"))
        elif values.dtype.kind == "f":
            # adding zero turns -0.0 into 0.0
            add("float", values.to_numpy().astype("<f8") + 0.0)
        else:
            text = pa.array(values, pa.large_string(), from_pandas=True)
            add("missing", np.asarray(text.is_null()).astype("<i1"))
            whole = text.fill_null("")
            lengths = pa.compute.binary_length(whole).to_numpy(zero_copy_only=False)
            add("length", lengths.astype("<i8"))
            digest.update("".join(whole.to_pylist()).encode("utf-8"))
    return digest.hexdigest()


def _files(tables: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, Any]:
    return {**tables, **{f"truth_{name}": table for name, table in truth.items()}}


def write(
    folder: str | os.PathLike[str],
    tables: Mapping[str, pd.DataFrame],
    truth: Mapping[str, pd.DataFrame],
    seed: int | None,
    config: WorldConfig | None,
) -> Path:
    """Write a world's tables into a folder: all of it, or nothing."""
    target = Path(folder).expanduser().absolute()
    if target.exists() and (
        not target.is_dir() or (any(target.iterdir()) and not (target / _ABOUT).is_file())
    ):
        raise WorldError(
            f"{folder} exists and is no stored world; give a new, an empty or a world's folder."
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.new-{secrets.token_hex(6)}")
        fresh.mkdir()
    except OSError as error:
        raise WorldError(f"{folder} cannot be written: {error.strerror}.") from error
    try:
        for name, table in _files(tables, truth).items():
            pq.write_table(
                pa.Table.from_pandas(table, preserve_index=False),
                fresh / f"{name}.parquet",
                compression="zstd",
                write_page_checksum=True,
            )
        about = {
            "format": FORMAT,
            "seed": seed,
            "config": None if config is None else config.to_dict(),
            "tables": list(tables),
            "truth": list(truth),
        }
        (fresh / _ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        _swap(fresh, target)
    except OSError as error:
        raise WorldError(f"{folder} cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def _swap(fresh: Path, target: Path) -> None:
    """Put the fresh folder in the target's place; the old one returns if that fails."""
    if not target.exists():
        os.replace(fresh, target)
        return
    old = target.with_name(f".{target.name}.old-{secrets.token_hex(6)}")
    os.replace(target, old)
    try:
        os.replace(fresh, target)
    except OSError:
        os.replace(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def read(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a stored world; see `World.from_parquet`."""
    source = Path(folder).expanduser()
    if not (source / _ABOUT).is_file():
        raise WorldError(
            f"{folder} holds no stored world: there is no {_ABOUT}; "
            "give a folder written by World.to_parquet."
        )
    try:
        about = json.loads((source / _ABOUT).read_text(encoding="utf-8"))
        names = {"tables": list(about["tables"]), "truth": list(about["truth"])}
        if about["format"] != FORMAT:
            raise WorldError(
                f"{folder} is stored in format {about['format']}; this version reads {FORMAT}."
            )
        config = None if about["config"] is None else WorldConfig(**about["config"])
        seed = about["seed"]
    except (ValueError, TypeError, KeyError) as error:
        if isinstance(error, WorldError):
            raise
        raise WorldError(f"{source / _ABOUT} is damaged: {error}.") from None
    found: dict[str, dict[str, pd.DataFrame]] = {}
    for part, schema, prefix in (("tables", SCHEMA, ""), ("truth", TRUTH_SCHEMA, "truth_")):
        tables = {}
        for name in names[part]:
            path = source / f"{prefix}{name}.parquet"
            if not path.is_file():
                raise WorldError(f"{folder} lacks the file {path.name}.")
            try:
                table = pq.read_table(path, page_checksum_verification=True)
            except (pa.ArrowException, OSError) as error:
                why = str(error).split("\n")[0]
                raise WorldError(f"{path} cannot be read as Parquet: {why}") from None
            tables[name] = table.to_pandas()
        found[part] = conform_all(tables, schema, "world" if part == "tables" else "truth")
    return {**found, "seed": seed, "config": config}
