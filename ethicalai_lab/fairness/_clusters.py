"""Rows that belong together: one person on many dates, one household, one shop.

They are drawn together, and a rate is as sure as its clusters make it, not its rows.

References
----------
Kish, L. (1965). Survey Sampling, section 5.4 (the design effect). Wiley.

Field, C. A. and Welsh, A. H. (2007). Bootstrapping clustered data. Journal of the Royal
Statistical Society B 69, 369-390.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from ethicalai_lab.fairness._coding import FairnessInputError, column

Floats = NDArray[np.float64]

_AT_ONCE = 20_000_000  # numbers held at a time while drawing
_ROUNDING = 1e-31  # of a cluster's part of a variance
_DENSE = 5_000_000  # patterns are told apart in a table of up to this many numbers


def cluster_codes(values: Any, n_rows: int) -> NDArray[np.intp]:
    """Return each row's cluster as a number from 0; every row must name one."""
    codes = pd.factorize(column(values, "clusters", n_rows))[0]
    missing = codes < 0
    if missing.any():
        raise FairnessInputError(
            f"clusters is missing in {int(missing.sum()):,} rows, first in row "
            f"{int(np.argmax(missing))}; say of every row whom it belongs to."
        )
    return codes.astype(np.intp)


@dataclass(frozen=True, eq=False)
class Clusters:
    """What each kind of cluster holds in each cell, and how many clusters are of that kind."""

    n: int
    times: NDArray[np.int64]  # clusters of each pattern
    sums: Any  # (n_patterns, n_cells) sparse: rows of one cluster
    scores: Any  # the same, their scores added up; or None

    @classmethod
    def make(
        cls,
        cluster: NDArray[np.intp],
        cell: NDArray[np.intp],
        n_cells: int,
        score: Floats | None,
    ) -> Clusters:
        """Count rows by cluster and cell; clusters that are alike are kept once."""
        n = int(cluster.max()) + 1

        def table(values: Floats) -> Any:
            return sparse.csr_matrix((values, (cluster, cell)), shape=(n, n_cells))

        sums = table(np.ones(cell.size))
        scores = None if score is None else table(score)
        times = np.ones(n, dtype=np.int64)
        if scores is None and n * n_cells <= _DENSE:
            patterns, times = np.unique(sums.toarray(), axis=0, return_counts=True)
            sums = sparse.csr_matrix(patterns)
        return cls(n, times, sums, scores)

    def draw(self, n_boot: int, rng: np.random.Generator) -> tuple[Floats, Floats | None]:
        """Return replicates of the cells' sums, and of their scores: clusters drawn again."""
        step = max(1, _AT_ONCE // self.times.size)
        sums, scores = [], []
        for start in range(0, n_boot, step):
            size = min(step, n_boot - start)
            drawn = rng.multinomial(self.n, self.times / self.n, size=size)
            sums.append((self.sums.T @ drawn.T).T)
            if self.scores is not None:
                scores.append((self.scores.T @ drawn.T).T)
        return np.concatenate(sums), np.concatenate(scores) if scores else None

    def sizes(self) -> NDArray[np.int64]:
        """Return how many clusters have rows in each group of four cells."""
        held = self._by_group(self.sums, (0, 1, 2, 3)) > 0
        return np.asarray(held.T @ self.times).ravel().astype(np.int64)

    def effective(self, top: tuple[int, ...], bottom: tuple[int, ...]) -> Floats:
        """Return the number of independent rows that would leave a rate as unsure as it is.

        By the linearised variance of a ratio of two sums over clusters; where a rate is 0 or
        1 in every cluster, the number of clusters.
        """
        hits, size = self._by_group(self.sums, top), self._by_group(self.sums, bottom)
        total = np.asarray(size.T @ self.times, dtype=float).ravel()
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = np.asarray(hits.T @ self.times, dtype=float).ravel() / total
            known = np.where(np.isfinite(rate), rate, 0.0)
            rest = hits - size @ sparse.diags(known)
            clusters = np.asarray((size > 0).T @ self.times, dtype=float).ravel()
            spread = np.asarray(rest.multiply(rest).T @ self.times).ravel() / total**2
            found = rate * (1 - rate) / spread
        # less is rounding: a single row that differs leaves 1 / total ** 4
        varies = spread > _ROUNDING * self.n
        found = np.where(np.isfinite(found) & varies, found, clusters)
        # rows of one cluster may differ more than chance has it; no rate counts for more than them
        return np.where(total > 0, np.minimum(found, total), 0.0)

    @staticmethod
    def _by_group(cells: Any, positions: tuple[int, ...]) -> Any:
        parts = [cells[:, position::4] for position in positions]
        return sum(parts[1:], parts[0]).tocsr()
