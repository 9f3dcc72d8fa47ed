"""Who contradicts whom: bounds that policies keep one at a time, and never together."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.rules import Rules

if TYPE_CHECKING:
    import pandas as pd

    from ethicalai_lab.policy.scorecard import Scorecard

__all__ = ["never_together"]


def never_together(cards: Mapping[str, Scorecard], rules: Iterable[Rules]) -> pd.DataFrame:
    """Return the pairs of bounds that some policies keep singly and none keeps both.

    Parameters
    ----------
    cards : mapping of str to Scorecard
        The policies tried, by name.
    rules : iterable of Rules
        The bounds of each stakeholder. Two may bound the same measure.

    Returns
    -------
    DataFrame
        One row a pair: columns ``bound``, ``set_by``, ``kept`` (by how many policies),
        ``other_bound``, ``other_set_by``, ``other_kept``. A bound that no policy keeps is in no
        pair; ``Rules.check`` names it.

    Raises
    ------
    PolicyError
        If there is no card or no rule, or a rule names an unknown measure.

    Notes
    -----
    That no policy tried keeps both is no proof that none could.

    Examples
    --------
    >>> from ethicalai_lab.policy import Measure, Policy, Scorecard
    >>> def card(reach, against):
    ...     return Scorecard(
    ...         [Measure("consent", "reachable", "May be mailed.", "share", "higher", "x", reach),
    ...          Measure("consent", "against", "Not meant.", "share", "lower", "x", against)],
    ...         Policy())
    >>> tried = {"ask": card(0.4, 0.05), "press": card(0.8, 0.3)}
    >>> board = Rules.parse("{set_by: board, rules: {consent.reachable: {min: 0.6}}}")
    >>> council = Rules.parse("{set_by: council, rules: {consent.against: {max: 0.1}}}")
    >>> never_together(tried, [board, council])[["bound", "other_bound"]].values.tolist()
    [['consent.reachable', 'consent.against']]
    """
    import pandas as pd

    each = [(rules_, rule) for rules_ in rules for rule in rules_]
    if not cards:
        raise PolicyError("cards is empty; give at least one scorecard by its name.")
    if not each:
        raise PolicyError("rules is empty; give at least one stakeholder's Rules.")
    keeps = np.array(
        [
            [not Rules((rule,), rules_.set_by).check(card) for card in cards.values()]
            for rules_, rule in each
        ],
        dtype=int,
    )
    together = keeps @ keeps.T  # by pair of bounds: how many policies keep both
    rows = [
        (each[i][1], together[i, i], each[j][1], together[j, j])
        for i, j in itertools.combinations(range(len(each)), 2)
        if not together[i, j] and together[i, i] and together[j, j]
    ]
    return pd.DataFrame(
        [(a.measure, a.set_by, n, b.measure, b.set_by, m) for a, n, b, m in rows],
        columns=["bound", "set_by", "kept", "other_bound", "other_set_by", "other_kept"],
    )
