"""How well a score tells two classes apart, fast enough for a bootstrap."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def auc(score: NDArray[Any], target: NDArray[Any]) -> float:
    """Return the chance that a one outscores a zero, ties counted half; NaN without both.

    Parameters
    ----------
    score : ndarray of shape (people,)
        Larger means likelier to be a one.
    target : ndarray of shape (people,)
        0 or 1.

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    >>> auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([0, 0, 1, 1]))
    0.875
    """
    ones = target == 1
    positive = int(ones.sum())
    negative = len(target) - positive
    if not positive or not negative:
        return math.nan
    _, code, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[code]
    return float((rank[ones].sum() - positive * (positive + 1) / 2) / positive / negative)
