"""Small vectorised helpers of the generators: logistic curves, strings, frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "blocks",
    "choose",
    "codes_to_category",
    "frame",
    "join",
    "logistic",
    "take",
]


BLOCK = 1 << 15


def blocks(n: int) -> Iterator[slice]:
    """Yield slices of people small enough for the processor's cache.

    Mechanisms that draw block by block have the block's size in their definition: another
    size gives another world.
    """
    for start in range(0, n, BLOCK):
        yield slice(start, min(start + BLOCK, n))


def logistic(x: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + np.exp(-x))


def choose(u: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Return codes 0, 1, ... drawn with the given shares from uniform numbers."""
    cuts = np.cumsum(np.asarray(shares, dtype=float))
    return np.searchsorted(cuts[:-1] / cuts[-1], u, side="right").astype(np.int8)


def take(pool: Sequence[str] | pa.Array, codes: np.ndarray) -> pa.Array:
    """Return the strings of a pool at the given positions."""
    values = pool if isinstance(pool, pa.Array) else pa.array(pool, pa.string())
    return values.take(pa.array(codes))


def join(*parts: pa.Array | str, separator: str = "") -> pa.Array:
    """Return strings joined row by row."""
    return pc.binary_join_element_wise(*parts, separator)


def codes_to_category(
    codes: np.ndarray, categories: Sequence[str], ordered: bool = False
) -> pd.Categorical:
    """Return a categorical from its codes; -1 is missing."""
    dtype = pd.CategoricalDtype(list(categories), ordered=ordered)
    return pd.Categorical.from_codes(codes, dtype=dtype)


def _column(values: Any) -> Any:
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        series = values.to_pandas()
        if series.dtype == object and int(pd.__version__.split(".")[0]) >= 3:
            series = series.astype("str")
        return series
    return values


def frame(columns: Mapping[str, Any]) -> pd.DataFrame:
    """Return a frame with a plain row index from arrays, categoricals and Arrow strings."""
    return pd.DataFrame({name: _column(values) for name, values in columns.items()}, copy=False)
