"""What the rows of a release that fit a person say about that person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.privacy.attacks._matching import Matcher, prepare
from ethicalai_lab.privacy.errors import PrivacyError, check_columns

__all__ = ["Fitting", "fitting_rows"]


@dataclass(frozen=True, eq=False)
class Fitting:
    """The rows of a release that fit each person known, by what they hold.

    Attributes
    ----------
    levels : tuple
        Values of the sensitive column.
    counts : ndarray of int, shape (n_targets, n_levels)
        Rows that fit a target, by their value.
    own_fits : ndarray of bool, shape (n_targets,)
        Whether the target's own row is in the release and fits.
    """

    levels: tuple
    counts: np.ndarray
    own_fits: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """Rows that fit each target, shape (n_targets,)."""
        return self.counts.sum(axis=1)


def fitting_rows(
    release: pd.DataFrame,
    targets: pd.DataFrame,
    on: Sequence,
    sensitive: Any,
    *,
    own: Sequence | None = None,
    hierarchies: Mapping | None = None,
) -> Fitting:
    """Count, for each person known, the rows of a release that fit, by their sensitive value.

    A linkage attack names one of these rows, homogeneity is where they hold one value, and
    the commonest value among them is an attacker's guess.

    Parameters
    ----------
    release : pandas.DataFrame
        Generalised or not; a value fits a label that covers it.
    targets : pandas.DataFrame
        What the attacker knows, one row a person.
    on : sequence of column names
        Columns that both have.
    sensitive : column name
        In the release.
    own : sequence of index labels, optional
        The target's own row in the release, by its label; the targets' own labels where not
        given. Who is not in the release has none.
    hierarchies : mapping of column name to Hierarchy, optional

    Returns
    -------
    Fitting

    Raises
    ------
    PrivacyError
        If a column is not there, or the release's index names a row twice.

    References
    ----------
    Sweeney, "k-anonymity: a model for protecting privacy", IJUFKS 2002.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy.attacks import fitting_rows
    >>> release = pd.DataFrame({"age": ["*", "*", "41"], "ill": ["no", "yes", "no"]})
    >>> found = fitting_rows(release, pd.DataFrame({"age": [34, 41]}), ["age"], "ill", own=[0, 2])
    >>> found.levels, found.counts.tolist(), found.own_fits.tolist()
    (('no', 'yes'), [[1, 1], [2, 1]], [True, True])
    """
    names = prepare(release, targets, on)
    check_columns(release, [sensitive], "sensitive")
    if not release.index.is_unique:
        raise PrivacyError("release: its index names a row twice; distinct labels are needed.")
    wanted = targets.index if own is None else pd.Index(own)
    if len(wanted) != len(targets):
        raise PrivacyError(
            f"own has {len(wanted)} labels for {len(targets)} targets; one a target is needed."
        )
    values = release[sensitive].astype("category").cat
    codes = values.codes.to_numpy(np.int64)
    levels = tuple(values.categories)
    counts = np.zeros((len(targets), len(levels)), dtype=np.int64)
    own_fits = np.zeros(len(targets), dtype=bool)
    matcher = Matcher(release, names, targets, hierarchies)
    known = codes >= 0  # a missing value is no value: the row fits, and says nothing
    table = np.zeros((matcher.n_classes, len(levels)), dtype=np.float32)
    np.add.at(table, (matcher.owner[known], codes[known]), 1)
    row = release.index.get_indexer(wanted)
    mine = np.where(row >= 0, matcher.owner[row], -1)
    for part, fits in matcher.chunks(len(targets)):
        # counts below 2**24 are exact in single precision, and the product is far faster
        counts[part] = np.rint(fits.T.astype(np.float32) @ table)
        own_fits[part] = (mine[part] >= 0) & fits[np.maximum(mine[part], 0), np.arange(len(part))]
    return Fitting(levels, counts, own_fits)
