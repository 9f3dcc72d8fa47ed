"""Full-domain generalization: one level a column, the cheapest combination that holds.

The search is exact. A node's cost before suppression is a lower bound of its cost, so a
node at or above the best cost found cannot win; and where the requirement is monotone, a
node that fails rules out every node below it.

References
----------
Samarati, "Protecting respondents' identities in microdata release", TKDE 2001.
LeFevre, DeWitt, Ramakrishnan, "Incognito", SIGMOD 2005. Kohlmayer et al., "Flash:
efficient, stable and optimal k-anonymity", PASSAT 2012.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ethicalai_lab.privacy.axes import Axis
from ethicalai_lab.privacy.codes import pack_codes

__all__ = ["LatticeResult", "cheapest_node"]


@dataclass(frozen=True)
class LatticeResult:
    """The winning node, its cost, and how many nodes were looked at."""

    node: tuple
    cost: float
    kept: np.ndarray
    nodes: int
    evaluated: int


def cheapest_node(
    axes: list[Axis],
    cells: np.ndarray,
    counts: np.ndarray,
    cell_value: np.ndarray | None,
    n_values: int,
    violates: Callable[[np.ndarray, np.ndarray, np.ndarray | None], np.ndarray],
    suppression: float,
    monotone: bool,
) -> LatticeResult | None:
    """Search the lattice of generalization levels for the least NCP.

    Parameters
    ----------
    axes : list of Axis
        All with a tree.
    cells : numpy.ndarray of int, shape (n_axes, n_cells)
        Ranks of the distinct rows (with the sensitive value, if any).
    counts : numpy.ndarray, shape (n_cells,)
    cell_value : numpy.ndarray or None
        Sensitive value of each cell.
    n_values : int
    violates : callable
        ``violates(owner, counts, value) -> bool array`` over classes; owner is
        numbered 0, 1, ... without gaps.
    suppression : float
        Largest share of rows that may be left out.
    monotone : bool
        Whether generalising a passing node always passes.

    Returns
    -------
    LatticeResult or None
        None if not even the top passes.
    """
    shape = tuple(len(a.tree) for a in axes)
    n = counts.sum()
    # cost of each level of each column, over all rows
    costs = []
    for j, axis in enumerate(axes):
        weight = np.bincount(cells[j], weights=counts, minlength=axis.size)
        costs.append(axis.losses @ weight / n)
    bound = np.zeros(shape)
    for j, cost in enumerate(costs):
        bound += cost.reshape([-1 if i == j else 1 for i in range(len(axes))]) / len(axes)
        # among equals the less general wins; far below any real difference
        bound += 1e-13 * np.arange(len(cost)).reshape(
            [-1 if i == j else 1 for i in range(len(axes))]
        )
    columns: dict = {}

    def column(j: int, level: int) -> tuple[np.ndarray, int]:
        if (j, level) not in columns:
            tree = axes[j].tree[level]
            columns[j, level] = tree[cells[j]], int(tree.max()) + 1
        return columns[j, level]

    def evaluate(node: tuple) -> tuple[bool, float, np.ndarray | None]:
        keys, levels = pack_codes(
            [column(j, level) for j, level in enumerate(node)], cells.shape[1]
        )
        owner = _number(keys, levels)
        bad = violates(owner, counts, cell_value)
        if not bad.any():
            return True, float(bound[node]), None
        lost = counts[bad[owner]].sum()
        if lost > np.floor(suppression * n + 1e-9) or lost == n:
            return False, np.inf, None
        kept = ~bad[owner]
        # leaving rows out changes the table that the rest is compared with
        if violates(
            _number(owner[kept], len(bad)),
            counts[kept],
            None if cell_value is None else cell_value[kept],
        ).any():
            return False, np.inf, None
        cost = np.zeros(cells.shape[1])
        for j, level in enumerate(node):
            cost += axes[j].losses[level][cells[j]] / len(axes)
        cost[~kept] = 1.0
        return True, float((cost * counts).sum() / n) + 1e-13 * sum(node), kept

    open_ = np.ones(shape, bool)
    best, best_node, best_kept, evaluated = np.inf, None, None, 0
    while True:
        open_ &= bound < best
        if not open_.any():
            break
        node = _balanced(open_) if monotone else _lowest(open_, bound)
        passed, cost, kept = evaluate(node)
        evaluated += 1
        open_[node] = False
        if passed and cost < best:
            best, best_node, best_kept = cost, node, kept
        elif not passed and monotone:
            open_[tuple(slice(0, level + 1) for level in node)] = False
    if best_node is None:
        return None
    keep = np.ones(cells.shape[1], bool) if best_kept is None else best_kept
    return LatticeResult(best_node, best, keep, int(np.prod(shape)), evaluated)


def _number(keys: np.ndarray, levels: int) -> np.ndarray:
    """Renumber keys 0, 1, ... in rising order."""
    if levels <= max(8 * len(keys), 1024):
        present = np.zeros(levels, bool)
        present[keys] = True
        return (np.cumsum(present) - 1)[keys]
    import pandas as pd

    return pd.factorize(keys)[0].astype(np.int64)


def _balanced(open_: np.ndarray) -> tuple:
    """Pick the open node that rules out most, whichever way its check ends."""
    below = open_.astype(np.int64)
    above = below.copy()
    for axis in range(open_.ndim):
        below = np.cumsum(below, axis=axis)
        above = np.flip(np.cumsum(np.flip(above, axis), axis=axis), axis)
    score = np.where(open_, np.minimum(below, above), -1)
    return tuple(int(i) for i in np.unravel_index(int(score.argmax()), open_.shape))


def _lowest(open_: np.ndarray, bound: np.ndarray) -> tuple:
    at = int(np.where(open_, bound, np.inf).argmin())
    return tuple(int(i) for i in np.unravel_index(at, open_.shape))
