"""Rows that belong together: one person on many dates, one household, one shop.

A rate is as sure as its clusters make it, not its rows.

References
----------
Kish, L. (1965). Survey Sampling, section 5.4 (the design effect). Wiley.

Dean, N. and Pagano, M. (2015). Evaluating confidence interval methods for binomial
proportions in clustered surveys. Journal of Survey Statistics and Methodology 3, 484-503.
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

_NORMAL = 1.959964  # 97.5 % quantile, which Student's is compared with
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

    def sizes(self) -> NDArray[np.int64]:
        """Return how many clusters have rows in each group of four cells."""
        held = self._by_group(self.sums, (0, 1, 2, 3)) > 0
        return np.asarray(held.T @ self.times).ravel().astype(np.int64)

    def effective(self, top: tuple[int, ...], bottom: tuple[int, ...], pool: Any = None) -> Floats:
        """Return the number of independent rows that would leave a rate as unsure as it is.

        By the linearised variance of a ratio of two sums over clusters, less what Student's
        law asks where they are few. It is at least what would be left if all rows of a cluster
        were alike, unless the variance itself says less. Of a single cluster nothing is known: 0.
        ``pool`` (groups x pools) adds groups up.
        """
        from scipy.special import stdtrit

        size = self._by_group(self.sums, bottom, pool)
        total = self._total(size)
        if self.n == 1:
            return np.zeros(total.size)
        rate, spread, clusters = self._ratio(self._by_group(self.sums, top, pool), size)
        with np.errstate(divide="ignore", invalid="ignore"):
            alike = total**2 / self._total(size.multiply(size))
            found = rate * (1 - rate) / spread
        few = (_NORMAL / stdtrit(np.maximum(clusters - 1, 1), 0.975)) ** 2
        found = np.where(found > alike, np.maximum(alike, found * few), found)
        # less is rounding: a single row that differs leaves 1 / total ** 4
        varies = spread > _ROUNDING * self.n
        found = np.where(np.isfinite(found) & varies, found, alike)
        # rows of one cluster may differ more than chance has it; no rate counts for more than them
        return np.where(total > 0, np.minimum(found, total), 0.0)

    def mean_error(self, less_positives: bool, pool: Any = None) -> tuple[Floats, Floats]:
        """Return the clusters behind each group's mean score, and its standard error.

        ``less_positives`` is for the mean of score minus outcome.
        """
        everywhere = (0, 1, 2, 3)
        scores = self._by_group(self.scores, everywhere, pool)
        if less_positives:
            scores = scores - self._by_group(self.sums, (2, 3), pool)
        _, spread, n = self._ratio(scores, self._by_group(self.sums, everywhere, pool))
        with np.errstate(divide="ignore", invalid="ignore"):
            return n, np.sqrt(spread * n / (n - 1))

    def _ratio(self, top: Any, bottom: Any) -> tuple[Floats, Floats, Floats]:
        """Return ratios of sums over clusters, their linearised variance, and the clusters."""
        total = self._total(bottom)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = self._total(top) / total
            known = np.where(np.isfinite(ratio), ratio, 0.0)
            rest = top - bottom @ sparse.diags(known)
            spread = self._total(rest.multiply(rest)) / total**2
        return ratio, spread, self._total(bottom > 0)

    def _total(self, table: Any) -> Floats:
        return np.asarray(table.T @ self.times, dtype=float).ravel()

    @staticmethod
    def _by_group(cells: Any, positions: tuple[int, ...], pool: Any = None) -> Any:
        parts = [cells[:, position::4] for position in positions]
        by_group = sum(parts[1:], parts[0]).tocsr()
        return by_group if pool is None else by_group @ pool
