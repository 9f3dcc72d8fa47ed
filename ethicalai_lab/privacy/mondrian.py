"""Mondrian, level by level: all partitions of a level are cut at once in NumPy.

References
----------
LeFevre, DeWitt, Ramakrishnan, "Mondrian multidimensional k-anonymity", ICDE 2006.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ethicalai_lab.privacy.axes import Axis

__all__ = ["Partition", "mondrian"]


@dataclass
class Partition:
    """The cuts and what they led to.

    ``owner[i]`` is the class of row i. The tree (``axis``, ``level``, ``threshold``,
    ``left``, ``right``, ``leaf``) sends rows that were not there when it grew.
    """

    owner: np.ndarray
    n_classes: int
    axis: list = field(default_factory=list)
    level: list = field(default_factory=list)
    threshold: list = field(default_factory=list)
    left: list = field(default_factory=list)
    leaf: list = field(default_factory=list)

    def route(self, codes: np.ndarray, axes: list[Axis]) -> np.ndarray:
        """Class of each column of ``codes`` (shape (n_axes, n_rows))."""
        axis, level, threshold, left, leaf = (
            np.asarray(x) for x in (self.axis, self.level, self.threshold, self.left, self.leaf)
        )
        node = np.zeros(codes.shape[1], np.int64)
        moving = np.flatnonzero(axis[node] >= 0)
        while len(moving):
            at = node[moving]
            value = _views(axes, axis[at], level[at], codes[axis[at], moving])
            node[moving] = left[at] + (value >= threshold[at])
            moving = moving[axis[node[moving]] >= 0]
        return leaf[node]


def _views(axes: list[Axis], which: np.ndarray, level: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Codes as the cut sees them: on a hierarchy, the label at the cut's level."""
    out = codes
    for j, axis in enumerate(axes):
        if axis.tree is not None:
            mine = np.flatnonzero(which == j)
            if len(mine):
                out = out.copy() if out is codes else out
                out[mine] = axis.tree[level[mine], codes[mine]]
    return out


def mondrian(
    axes: list[Axis],
    k: int,
    allowed: Callable[[np.ndarray, np.ndarray, int], np.ndarray] | None = None,
) -> Partition:
    """Cut the table into classes of at least ``k`` rows.

    Of the quasi-identifiers a partition still differs in, the one whose cut takes away most
    *normalised* span is cut first, as near to its median, in steps of k rows, as equal values
    permit; where that cut is not allowed, the next is tried.

    Parameters
    ----------
    axes : list of Axis
    k : int
    allowed : callable, optional
        ``allowed(rows, part, n_parts) -> bool array``: whether each part (of the rows
        given, numbered by ``part``) may be a class.

    Returns
    -------
    Partition
    """
    codes = np.stack([a.codes for a in axes]).astype(np.int32)
    n = codes.shape[1]
    out = Partition(np.zeros(n, np.int64), 0)

    def grow(count: int) -> None:
        for column, value in (
            ("axis", -1),
            ("level", 0),
            ("threshold", 0),
            ("left", -1),
            ("leaf", -1),
        ):
            getattr(out, column).extend([value] * count)

    grow(1)
    rows = np.arange(n)
    starts = np.array([0, n])
    nodes = np.array([0])
    while len(nodes):
        sub = codes[:, rows]
        low = np.minimum.reduceat(sub, starts[:-1], axis=1)
        high = np.maximum.reduceat(sub, starts[:-1], axis=1)
        sizes = np.diff(starts)
        gain = np.stack([axis.gains(low[j], high[j]) for j, axis in enumerate(axes)])
        gain[:, sizes < 2 * k] = 0.0
        cut_at = np.zeros(len(nodes), np.int64)  # rows in the left half; 0: not cut
        pending = np.flatnonzero(gain.max(axis=0) > 0)
        while len(pending):
            chosen = gain[:, pending].argmax(axis=0)
            _try_cuts(
                axes, sub, rows, starts, low, high, pending, chosen, k, allowed, cut_at, nodes, out
            )
            gain[chosen, pending] = 0.0
            pending = pending[(cut_at[pending] == 0) & (gain[:, pending].max(axis=0) > 0)]
        # finished partitions become classes, the others split in two
        done = cut_at == 0
        row_part = np.repeat(np.arange(len(nodes)), sizes)
        finished = np.flatnonzero(done)
        number = np.zeros(len(nodes), np.int64)
        number[finished] = out.n_classes + np.arange(len(finished))
        out.n_classes += len(finished)
        settled = done[row_part]
        out.owner[rows[settled]] = number[row_part[settled]]
        for node, leaf in zip(nodes[finished].tolist(), number[finished].tolist(), strict=True):
            out.leaf[node] = leaf
        split = np.flatnonzero(~done)
        rows = rows[~settled]
        halves = np.empty(2 * len(split), np.int64)
        halves[0::2] = cut_at[split]
        halves[1::2] = sizes[split] - cut_at[split]
        starts = np.concatenate([[0], np.cumsum(halves)])
        first = len(out.axis)
        grow(2 * len(split))
        for i, node in enumerate(nodes[split].tolist()):
            out.left[node] = first + 2 * i
        nodes = first + np.arange(2 * len(split))
    return out


def _try_cuts(
    axes: list[Axis],
    sub: np.ndarray,
    rows: np.ndarray,
    starts: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    pending: np.ndarray,
    chosen: np.ndarray,
    k: int,
    allowed: Callable | None,
    cut_at: np.ndarray,
    nodes: np.ndarray,
    out: Partition,
) -> None:
    """Try one cut of each pending partition; sorts its rows and columns in place."""
    sizes = (starts[1:] - starts[:-1])[pending]
    at = np.repeat(starts[pending] - np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)
    at += np.arange(len(at))  # positions of the pending partitions' rows
    part = np.repeat(np.arange(len(pending)), sizes)
    axis_of = chosen[part]
    level = np.zeros(len(pending), np.int64)
    for j, axis in enumerate(axes):
        if axis.tree is not None:
            mine = chosen == j
            level[mine] = axis.cut_levels(low[j, pending[mine]], high[j, pending[mine]])
    value = _views(axes, axis_of, level[part], sub[axis_of, at])

    # one sort brings every partition into the order of the column it is cut by
    width = int(value.max()) + 1
    if len(pending) * width * len(at) < 1 << 62:
        key = (part * width + value) * len(at) + np.arange(len(at))
        key.sort()
        order = key % len(at)
    else:
        order = np.lexsort((value, part))
    value = value[order]
    moved = at[order]
    rows[at] = rows[moved]
    sub[:, at] = sub[:, moved]

    begin = np.concatenate([[0], np.cumsum(sizes)])
    end = begin[1:]
    begin = begin[:-1]
    change = np.flatnonzero(
        np.concatenate([[True], (value[1:] != value[:-1]) | (part[1:] != part[:-1])])
    )
    # the multiple of k nearest to the median: 35 rows at k = 10 become 20 and 15, and in the
    # end three classes, where 17 and 18 would stay two
    middle = begin + k * ((sizes + k) // (2 * k))
    right = np.searchsorted(change, middle)  # first change at or after the middle
    after = np.append(change, len(value))[right]
    before = change[np.maximum(right - 1, 0)]
    before = np.where(after == middle, middle, before)

    def legal(cut: np.ndarray) -> np.ndarray:
        return (cut - begin >= k) & (end - cut >= k)

    good_before, good_after = legal(before), legal(after)
    nearer = good_before & (~good_after | (middle - before <= after - middle))
    cut = np.where(nearer, before, np.where(good_after, after, -1))
    # gaps and values are told apart before anything else where both are enough
    for j, axis in enumerate(axes):
        if axis.tree is None and axis.missing is not None:
            mine = chosen == j
            gap = np.add.reduceat((value == axis.missing) & (axis_of == j), begin)
            edge = end - gap
            cut = np.where(mine & (gap > 0) & (gap < sizes) & legal(edge), edge, cut)
    tried = np.flatnonzero(cut >= 0)
    if allowed is not None and len(tried):
        keep = np.isin(part, tried)
        half = 2 * np.searchsorted(tried, part[keep]) + (
            np.flatnonzero(keep) >= cut[part[keep]]
        ).astype(np.int64)
        ok = allowed(rows[at[keep]], half, 2 * len(tried)).reshape(-1, 2).all(axis=1)
        tried = tried[ok]
    cut_at[pending[tried]] = (cut - begin)[tried]
    for i in tried.tolist():
        node = int(nodes[pending[i]])
        out.axis[node] = int(chosen[i])
        out.level[node] = int(level[i])
        out.threshold[node] = int(value[cut[i]])
