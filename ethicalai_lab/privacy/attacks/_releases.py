"""What several releases of the same people give away together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.privacy.attacks._matching import Matcher, prepare, sample
from ethicalai_lab.privacy.errors import PrivacyError, check_columns, check_table
from ethicalai_lab.privacy.hierarchies import Hierarchy
from ethicalai_lab.stats import proportion_interval

__all__ = ["Differencing", "differencing", "intersection"]


@dataclass(frozen=True)
class Differencing:
    """What the difference of two statistics gives away.

    Attributes
    ----------
    revealed : pandas.DataFrame
        One row a group whose count changed by exactly one person: the group,
        ``change`` (+1 came, -1 left) and ``value`` (that person's own value).
    groups : int
        Groups compared.
    """

    revealed: pd.DataFrame
    groups: int


def differencing(
    before: pd.DataFrame, after: pd.DataFrame, by: Sequence, count: Any, total: Any
) -> Differencing:
    """Subtract two releases of group statistics and read single people off the difference.

    Parameters
    ----------
    before, after : pandas.DataFrame
        One row a group: the columns ``by``, a count and a total.
    by : sequence of column names
    count, total : column names

    Returns
    -------
    Differencing
        Groups that appear in one release only are compared with zero.

    Raises
    ------
    PrivacyError
        If a column is not there or a group occurs twice.

    References
    ----------
    Dwork, Roth, "The algorithmic foundations of differential privacy", 2014, section 1.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy.attacks import differencing
    >>> monday = pd.DataFrame({"city": ["x"], "n": [20], "spend": [700.0]})
    >>> friday = pd.DataFrame({"city": ["x"], "n": [19], "spend": [612.5]})
    >>> differencing(monday, friday, ["city"], "n", "spend").revealed["value"].tolist()
    [87.5]
    """
    parts = []
    for name, table in (("before", before), ("after", after)):
        check_table(table, name)
        groups = check_columns(table, by, f"by ({name})")
        check_columns(table, [count, total], name)
        if table.duplicated(groups).any():
            raise PrivacyError(f"{name}: a group of {groups} occurs twice; one row a group.")
        part = table[[*groups, count, total]].copy()
        for g in groups:  # categories of two releases need not agree
            if isinstance(part[g].dtype, pd.CategoricalDtype):
                part[g] = part[g].astype(part[g].cat.categories.dtype)
        parts.append(part)
    both = parts[0].merge(parts[1], on=groups, how="outer", suffixes=("_before", "_after"))
    both = both.fillna({f"{c}_{s}": 0 for c in (count, total) for s in ("before", "after")})
    change = both[f"{count}_after"] - both[f"{count}_before"]
    moved = both[f"{total}_after"] - both[f"{total}_before"]
    one = change.abs() == 1
    revealed = both.loc[one, groups].copy()
    revealed["change"] = change[one].astype(int)
    revealed["value"] = (moved * np.sign(change))[one].round(9)
    return Differencing(revealed.reset_index(drop=True), len(both))


def intersection(
    releases: Sequence[pd.DataFrame],
    targets: pd.DataFrame,
    on: Sequence[Sequence],
    secret: Any,
    *,
    n_attacks: int | None = 2_000,
    seed: int = 0,
    hierarchies: Mapping[Any, Hierarchy] | None = None,
) -> pd.DataFrame:
    """Intersect what several releases leave possible for the same person.

    Parameters
    ----------
    releases : sequence of pandas.DataFrame
        Each k-anonymous on its own, perhaps.
    targets : pandas.DataFrame
        People who are in all of them, with exact values and their true ``secret``.
    on : sequence of sequences of column names
        What the attacker knows for each release.
    secret : column name
        Released as it is in each.
    n_attacks, seed, hierarchies
        As in :func:`singling_out`.

    Returns
    -------
    pandas.DataFrame
        One row a release and one for all together: ``release``, ``pinned`` (share of the
        targets for whom one secret only remains and it is the true one), ``low``,
        ``high``, ``mean_possible`` (secrets that remain, on average).

    Raises
    ------
    PrivacyError
        If a column is not there or there is no release.

    References
    ----------
    Ganta, Kasiviswanathan, Smith, "Composition attacks and auxiliary information in data
    privacy", KDD 2008.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy.attacks import intersection
    >>> one = pd.DataFrame({"age": ["30–39"] * 2, "ill": ["flu", "gout"]})
    >>> two = pd.DataFrame({"city": ["x"] * 2, "ill": ["flu", "cold"]})
    >>> ann = pd.DataFrame({"age": [34], "city": ["x"], "ill": ["flu"]})
    >>> intersection([one, two], ann, [["age"], ["city"]], "ill")["pinned"].tolist()
    [0.0, 0.0, 1.0]
    """
    if not releases or len(releases) != len(on):
        raise PrivacyError(
            f"there are {len(releases)} releases and {len(on)} lists in on; one list a release."
        )
    check_table(targets, "targets")
    check_columns(targets, [secret], "secret (targets)")
    chosen = targets.iloc[sample(len(targets), n_attacks, seed)]
    values = pd.unique(
        pd.concat([r[secret].astype(object) for r in [*releases, chosen] if secret in r])
    )
    true = pd.Index(values).get_indexer(chosen[secret].astype(object))
    together = np.ones((len(chosen), len(values)), bool)
    rows = []

    def row(name: str, possible: np.ndarray) -> tuple:
        count = possible.sum(axis=1)
        hit = (count == 1) & possible[np.arange(len(chosen)), true]
        share = proportion_interval(int(hit.sum()), len(chosen))
        return name, share.value, share.low, share.high, float(count.mean())

    for i, (release, known) in enumerate(zip(releases, on, strict=True), start=1):
        names = prepare(release, chosen, known)
        check_columns(release, [secret], f"secret (release {i})")
        matcher = Matcher(release, names, chosen, hierarchies)
        code = pd.Index(values).get_indexer(release[secret].astype(object))
        table = np.zeros((matcher.n_classes, len(values)), np.float32)
        table[matcher.owner, code] = 1
        possible = np.zeros_like(together)
        for at, fits in matcher.chunks(len(chosen)):
            possible[at] = (fits.T.astype(np.float32) @ table) > 0
        together &= possible
        rows.append(row(f"release {i}", possible))
    rows.append(row("all together", together))
    return pd.DataFrame(rows, columns=["release", "pinned", "low", "high", "mean_possible"])
