"""Columns as small integers, so that every measure is a matter of counting.

A missing value is a value like any other here: whoever sees a release sees the gap, and
a lone gap singles out its owner as surely as a lone postcode does.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ethicalai_lab.privacy.errors import PrivacyError

__all__ = ["column_codes", "pack_codes", "sorted_runs", "table_codes"]

# Packed keys stay below this; the bit to spare keeps every sum in int64.
_LIMIT = 1 << 62


def _integer_codes(values: np.ndarray, dense: bool) -> tuple[np.ndarray, int] | None:
    """Subtract the minimum where the range is narrow; None where hashing is better."""
    low, high = int(values.min()), int(values.max())
    span = high - low + 1
    if span > max(1 << 16, 2 * len(values)):
        return None
    # the difference is taken in 64 bits: 8-bit columns would overflow
    codes = values.astype(np.int64) - low if values.dtype != np.uint64 else values - np.uint64(low)
    codes = codes.astype(np.int64, copy=False)
    if not dense:
        return codes, span
    present = np.bincount(codes, minlength=span) > 0
    rank = np.cumsum(present) - 1
    return rank[codes], int(rank[-1]) + 1


def column_codes(column: pd.Series, *, ordered: bool = False) -> tuple[np.ndarray, int]:
    """Integer codes of one column.

    Parameters
    ----------
    column : pandas.Series
        Values of any hashable type.
    ordered : bool, default False
        Give codes that keep the order of the values and skip no number. Missing
        values then come last.

    Returns
    -------
    codes : numpy.ndarray of int64, shape (n_rows,)
    levels : int
        One more than the largest code that may occur.

    Raises
    ------
    PrivacyError
        If the values cannot be told apart (lists, dicts).
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy().astype(np.int64)
        levels = len(dtype.categories)
        missing = codes < 0
        if missing.any():
            codes[missing] = levels
            levels += 1
        if ordered:  # unused levels must not count as values
            found = _integer_codes(codes, dense=True)
            if found is None:
                codes, uniques = pd.factorize(codes, sort=True)
                return codes.astype(np.int64), len(uniques)
            return found
        return codes, max(levels, 1)
    if isinstance(dtype, np.dtype) and dtype.kind in "iub":
        values = column.to_numpy()
        if dtype.kind == "b":
            values = values.view(np.uint8)
        found = _integer_codes(values, dense=ordered)
        if found is not None:
            return found
        column = pd.Series(values)
    if isinstance(dtype, np.dtype) and dtype.kind in "mM":
        # nanoseconds since 1970 as integers hash faster than dates do
        missing = column.isna().to_numpy()
        codes, uniques = pd.factorize(column.to_numpy().view(np.int64), sort=ordered)
        codes, levels = codes.astype(np.int64), len(uniques)
        if missing.any():
            if ordered:  # NaT is the smallest integer: move it from first to last
                codes -= 1
                levels -= 1
                codes[missing] = levels
                levels += 1
            return codes, levels
        return codes, levels
    try:
        codes, uniques = pd.factorize(column, sort=ordered)
    except TypeError:
        raise PrivacyError(
            f"column {column.name!r} holds values that cannot be compared with each other "
            "(such as lists, or text among numbers); text, numbers, dates and categories are "
            "accepted."
        ) from None
    codes, levels = np.asarray(codes).astype(np.int64), len(uniques)
    missing = codes < 0
    if missing.any():
        codes[missing] = levels
        levels += 1
    return codes, max(levels, 1)


def pack_codes(columns: list[tuple[np.ndarray, int]], n_rows: int) -> tuple[np.ndarray, int]:
    """One integer a row for a combination of columns, without overflow.

    Mixed-radix packing; whenever the next column would pass 62 bits the keys so far are
    renumbered 0, 1, ... (at most one number a row), so 30 or 300 columns fit.

    Parameters
    ----------
    columns : list of (codes, levels)
    n_rows : int

    Returns
    -------
    keys : numpy.ndarray of int64, shape (n_rows,)
    levels : int
        Keys are below this number.
    """
    keys, levels = np.zeros(n_rows, np.int64), 1
    for codes, size in columns:
        if levels * size > _LIMIT:
            keys, uniques = pd.factorize(keys)
            keys, levels = keys.astype(np.int64), len(uniques)
        keys = codes if levels == 1 else keys * size + codes
        levels *= size
    return keys, levels


def table_codes(table: pd.DataFrame, columns: list) -> tuple[np.ndarray, int]:
    """Packed keys of the rows of some columns: equal keys, same equivalence class."""
    return pack_codes([column_codes(table[c]) for c in columns], len(table))


def sorted_runs(keys: np.ndarray, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Distinct keys in rising order and how often each occurs."""
    if levels <= max(4 * len(keys), 1024):
        counts = np.bincount(keys, minlength=1)
        found = np.flatnonzero(counts)
        return found, counts[found]
    ordered = np.sort(keys.astype(np.int32) if levels < 1 << 31 else keys)
    change = np.empty(len(ordered), bool)
    change[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=change[1:])
    starts = np.flatnonzero(change)
    return ordered[starts].astype(np.int64), np.diff(starts, append=len(ordered))
