"""Making a table anew from chosen rows and columns, so that nothing of the others comes along.

Choosing rows of a DataFrame keeps more than the rows: a categorical column goes on naming
every category, a MultiIndex every level, `attrs` whatever was noted, a sparse column its
commonest value. Here each column and each label is built again from the chosen values.
"""

from __future__ import annotations

import copy
import datetime
import decimal
import numbers
import uuid
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ethicalai_lab.consent.errors import ConsentError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["rebuild"]

# what a column of objects may hold without a look at each of them
_PLAIN = (
    *("string", "bytes", "integer", "floating", "mixed-integer-float", "decimal", "complex"),
    *("boolean", "datetime64", "datetime", "date", "timedelta64", "timedelta", "time", "period"),
    *("interval", "empty"),
)
_SINGLE = (str, bytes, numbers.Number, decimal.Decimal, uuid.UUID, np.generic, type(None))
_SINGLE += (datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo)


def rebuild(
    table: pd.DataFrame,
    keep: NDArray[np.bool_],
    columns: Sequence[str],
    labels: Collection[str],
) -> pd.DataFrame:
    """Return chosen rows and columns as a table of its own.

    Parameters
    ----------
    table : DataFrame
    keep : ndarray of bool, shape (n,)
    columns : sequence of str
    labels : collection of str
        Names of index levels that may stay. An index of which any level may not stay gives
        way to the rows' positions. Whole numbers without a name are row numbers and stay.

    Returns
    -------
    DataFrame

    Raises
    ------
    ConsentError
        If a cell holds what cannot be looked into, such as another table.
    """
    import pandas as pd

    rows = np.flatnonzero(keep)
    index = _index(table.index, rows, labels)
    # one at a time: what is assigned to an empty frame brings neither attrs nor flags
    made = {name: _values(table[name].array, rows, f'Column "{name}"') for name in columns}
    return pd.DataFrame(made, index=index, columns=pd.Index(list(columns), dtype=object))


def _index(index: pd.Index, rows: NDArray[np.int64], labels: Collection[str]) -> pd.Index:
    import pandas as pd

    numbered = index.nlevels == 1 and pd.api.types.is_integer_dtype(index.dtype)
    if numbered and (index.name is None or isinstance(index, pd.RangeIndex)):
        named = index.name if index.name in labels else None
        return pd.Index(index.to_numpy()[rows].copy(), name=named)
    if not all(name in labels for name in index.names):
        return pd.Index(rows)
    levels = [
        _values(index.get_level_values(i).array, rows, f'Index level "{name}"')
        for i, name in enumerate(index.names)
    ]
    if index.nlevels > 1:
        return pd.MultiIndex.from_arrays(levels, names=list(index.names))
    return pd.Index(levels[0], name=index.name)


def _values(array: Any, rows: NDArray[np.int64], what: str) -> Any:
    """Return the chosen values in an array of the same kind that knows no others."""
    import pandas as pd

    if isinstance(array, pd.arrays.NumpyExtensionArray):
        array = array.to_numpy()
    kind = array.dtype
    if isinstance(kind, pd.CategoricalDtype):
        chosen = array.take(rows).remove_unused_categories()
        categories = _values(
            chosen.categories.array, np.arange(len(chosen.categories)), f"{what}, categories"
        )
        return pd.Categorical.from_codes(chosen.codes.copy(), categories, ordered=chosen.ordered)
    if isinstance(kind, pd.SparseDtype):
        return pd.arrays.SparseArray(np.asarray(array.take(rows)))
    if isinstance(kind, pd.ArrowDtype):
        return _arrow(array, rows)
    if isinstance(kind, np.dtype) and kind.kind != "O":
        return array.take(rows)
    if type(kind).__module__.split(".")[0] == "pandas":
        return array.take(rows).copy()
    objects = np.asarray(array.take(rows), dtype=object).copy()
    if pd.api.types.infer_dtype(objects, skipna=True) not in _PLAIN:
        for row, value in zip(rows, objects, strict=True):
            _look_into(value, what, row)
        objects[:] = [copy.deepcopy(value) for value in objects]
    return objects


def _arrow(array: Any, rows: NDArray[np.int64]) -> Any:
    """Return Arrow values without a dictionary of what is not there."""
    import pandas as pd
    import pyarrow as pa

    chosen = pa.chunked_array(array.take(rows).__arrow_array__()).combine_chunks()
    if pa.types.is_dictionary(chosen.type):
        kind = chosen.type
        chosen = chosen.cast(kind.value_type).dictionary_encode().cast(kind)
    return pd.arrays.ArrowExtensionArray(chosen)


def _look_into(value: Any, what: str, row: int) -> None:
    """Refuse a cell that may carry more than it shows."""
    import pandas as pd

    if isinstance(value, dict):
        parts: Any = [*value, *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        parts = value
    elif type(value) is np.ndarray:
        parts = value.ravel() if value.dtype == object else ()
    elif value is pd.NaT or value is pd.NA or isinstance(value, (*_SINGLE, pd.Period, pd.Interval)):
        return
    else:
        raise ConsentError(
            f"{what}, row {row}: holds a {type(value).__name__}, which may carry data of others; "
            "plain values, and lists or dictionaries of them, are released."
        )
    for part in parts:
        _look_into(part, what, row)
