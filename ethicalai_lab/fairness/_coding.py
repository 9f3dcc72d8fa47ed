"""Turn labels and groups into small integer codes: count first, then compute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ethicalai_lab.errors import InputError

MISSING = "(missing)"


class FairnessInputError(InputError):
    """Input that the fairness room cannot use, with what it would accept."""


def column(values: Any, name: str, length: int | None = None) -> Any:
    """Return one column as a Series, Categorical or one-dimensional array, length checked."""
    if isinstance(values, pd.DataFrame):
        if values.shape[1] != 1:
            raise FairnessInputError(
                f"{name} has {values.shape[1]} columns; give one column, one value a row."
            )
        values = values.iloc[:, 0]
    elif not isinstance(values, (pd.Series, pd.Categorical)):
        values = as_array(values)
        if values.ndim == 2 and 1 in values.shape:
            values = values.reshape(-1)
        if values.ndim != 1:
            raise FairnessInputError(
                f"{name} has {values.ndim} dimensions; give one column, one value a row."
            )
    if length is not None and len(values) != length:
        raise FairnessInputError(
            f"{name} has {len(values):,} rows where the other columns have {length:,}; "
            "give one value a row."
        )
    return values


def as_array(values: Any) -> NDArray[Any]:
    """Return an array in which a gap among texts is a gap, not a group named "nan"."""
    array = np.asarray(values)
    if array.dtype.kind not in "US" or not array.size:
        return array
    if isinstance(values, np.ndarray):
        gap = values == "nan"  # what NumPy makes of a gap when it packs texts into an array
        if gap.any():
            array = values.astype(object)
            array[gap] = None
        return array
    if array.ndim == 1 and all(isinstance(value, str) for value in values):
        return array
    return np.asarray(values, dtype=object)


def binary(values: Any, name: str, length: int | None = None) -> NDArray[np.intp]:
    """Return 0/1 codes of a column that holds booleans, {0, 1} or {-1, 1}."""
    values = column(values, name, length)
    accepted = "accepted are True/False, 0/1 or -1/1 (compare with the positive value first)"
    if isinstance(values, (pd.Series, pd.Categorical)):
        missing = np.asarray(pd.isna(values))
        if missing.any():
            raise FairnessInputError(
                f"{name} is missing in {int(missing.sum()):,} rows, first in row "
                f"{int(np.argmax(missing))}; {accepted}, without missing values."
            )
    array = np.asarray(values)
    if array.size == 0:
        raise FairnessInputError(f"{name} has no rows; at least one is needed.")
    if array.dtype.kind == "b":
        return array.astype(np.intp)
    if array.dtype.kind not in "iuf":
        try:
            array = array.astype(float)
        except (TypeError, ValueError):
            shown = ", ".join(repr(v) for v in pd.unique(pd.Series(array))[:3])
            raise FairnessInputError(f"{name} holds {shown}; {accepted}.") from None
    positive = array == 1
    other = array[~positive]
    if other.size and not (np.all(other == 0) or np.all(other == -1)):
        wrong = ~positive & (array != 0)
        row = int(np.argmax(wrong))
        raise FairnessInputError(f"{name} holds {array[row]} in row {row}; {accepted}.")
    return positive.astype(np.intp)


def numbers(values: Any, name: str, length: int | None = None) -> NDArray[np.float64]:
    """Return a column of finite numbers."""
    try:
        array = np.asarray(column(values, name, length), dtype=float)
    except (TypeError, ValueError):
        raise FairnessInputError(f"{name} must hold numbers only.") from None
    bad = ~np.isfinite(array)
    if bad.any():
        raise FairnessInputError(
            f"{name} is missing or infinite in row {int(np.argmax(bad))}; "
            "give a finite number in each row."
        )
    return array


def weights(values: Any, length: int, name: str = "sample_weight") -> NDArray[np.float64]:
    """Return non-negative weights with a positive sum."""
    array = numbers(values, name, length)
    if np.any(array < 0):
        row = int(np.argmax(array < 0))
        raise FairnessInputError(f"{name} is {array[row]:g} in row {row}; give at least 0.")
    if array.sum() == 0:
        raise FairnessInputError(f"{name} sums to 0; at least one row must count.")
    return array


def features(values: Any, base: str, length: int) -> list[tuple[str, Any]]:
    """Split sensitive or control features into named columns, named as fairlearn does."""
    if isinstance(values, pd.DataFrame):
        pairs = [(name, values.iloc[:, i]) for i, name in enumerate(values.columns)]
    elif isinstance(values, Mapping):
        pairs = list(values.items())
    elif isinstance(values, pd.Series):
        pairs = [(values.name if values.name is not None else f"{base}_0", values)]
    elif isinstance(values, pd.Categorical):
        pairs = [(f"{base}_0", values)]
    else:
        array = as_array(values)
        if array.ndim == 2 and array.shape[1] != 1:
            pairs = [(f"{base}_{i}", array[:, i]) for i in range(array.shape[1])]
        else:
            pairs = [(f"{base}_0", array)]
    if not pairs:
        raise FairnessInputError(f"{base}s has no columns; give at least one.")
    result = []
    for name, values_ in pairs:
        if not isinstance(name, str):
            raise FairnessInputError(f"{base} is named {name!r}; names must be text.")
        result.append((name, column(values_, name, length)))
    return result


def factor(values: Any, name: str) -> tuple[NDArray[np.intp], list[Any]]:
    """Return codes and observed levels; missing values become a level of their own.

    Levels are sorted; those of an ordered categorical keep their order.
    """
    array = values
    if isinstance(values, pd.Series) and isinstance(values.dtype, pd.CategoricalDtype):
        array = values.array
    if isinstance(array, pd.Categorical):
        codes = np.asarray(array.codes, dtype=np.intp)
        levels = list(array.categories)
        ordered = bool(array.ordered)
    else:
        raw = np.asarray(array) if isinstance(array, np.ndarray) else None
        if raw is not None and raw.dtype.kind in "biu" and raw.size:
            lowest, highest = int(raw.min()), int(raw.max())
            if highest - lowest < 65_536:
                codes = raw.astype(np.intp) - lowest
                levels = list(np.arange(lowest, highest + 1).astype(raw.dtype, copy=False))
                return _observed(codes, levels, True)
        codes, uniques = pd.factorize(array)
        codes = codes.astype(np.intp, copy=False)
        levels, ordered = list(uniques), False
    if len(levels) > 5_000:
        raise FairnessInputError(
            f"{name} has {len(levels):,} different values; bin it first, into at most 5,000 "
            "(for instance with pandas.qcut)."
        )
    return _observed(codes, levels, ordered)


def _observed(
    codes: NDArray[np.intp], levels: list[Any], ordered: bool
) -> tuple[NDArray[np.intp], list[Any]]:
    """Keep the levels that occur, in their order, with missing ones last."""
    # Plain Python values: what people compare with and what JSON can hold.
    levels = [v.item() if isinstance(v, (np.str_, np.number, np.bool_)) else v for v in levels]
    missing = codes < 0
    if missing.any():
        codes = np.where(missing, len(levels), codes)
        levels = [*levels, MISSING]
        has_missing = True
    else:
        has_missing = False
    seen = np.bincount(codes, minlength=len(levels)) > 0
    kept = np.flatnonzero(seen)
    if not ordered:
        real = [i for i in kept if not (has_missing and i == len(levels) - 1)]
        try:
            real = sorted(real, key=lambda i: levels[i])
        except TypeError:  # mixed types have no order of their own
            real = sorted(real, key=lambda i: (type(levels[i]).__name__, str(levels[i])))
        kept = np.array(real + ([len(levels) - 1] if has_missing else []), dtype=np.intp)
    if np.array_equal(kept, np.arange(len(levels))):
        return codes, levels
    back = np.zeros(len(levels), dtype=np.intp)
    back[kept] = np.arange(kept.size)
    return back[codes], [levels[i] for i in kept]


def combine(
    coded: list[tuple[NDArray[np.intp], list[Any]]],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Combine several codings into one group code.

    Returns
    -------
    group : ndarray of shape (n_rows,)
        Positions into ``combinations``.
    combinations : ndarray of shape (n_groups, n_features)
        The level code of each feature in each observed combination, sorted.
    """
    group, levels = coded[0]
    table = np.arange(len(levels), dtype=np.intp)[:, None]
    for codes, names in coded[1:]:
        size = len(names)
        raw = group * size + codes
        total = table.shape[0] * size
        if total <= 4_000_000:
            kept = np.flatnonzero(np.bincount(raw, minlength=total))
            if kept.size == total:
                group = raw
            else:
                back = np.zeros(total, dtype=np.intp)
                back[kept] = np.arange(kept.size)
                group = back[raw]
        else:
            kept, group = np.unique(raw, return_inverse=True)
        table = np.column_stack([table[kept // size], kept % size])
    return group, table
