"""What if we mailed more people, ranked them otherwise, or lost more when one leaves?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ethicalai_lab.widgets.base import WhatIf, what_if

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["targeting"]

_STEPS = 21  # shares at which a rule is valued: 0, 5 %, ..., 100 %


def targeting(
    trial: pd.DataFrame,
    rankings: Mapping[str, Any],
    truth: pd.DataFrame,
    *,
    arm: str = "fashion_mail",
    visit_worth: float = 4.0,
    mail_cost: float = 0.10,
) -> WhatIf:
    """Show what mailing the top of a ranking earns, estimated and in truth.

    Parameters
    ----------
    trial : DataFrame of n_rows rows
        A randomised experiment: columns ``visit`` and ``unsubscribed`` (0/1) and
        ``mailed`` (bool).
    rankings : mapping of str to array-like of shape (n_rows,)
        Scores by the ranking's name; the highest are mailed first.
    truth : DataFrame of n_rows rows
        Potential outcomes of the same people in the same order.
    arm : str, default "fashion_mail"
        The mail that was sent.
    visit_worth, mail_cost : float
        Worth of a caused visit, cost of one mail.

    Returns
    -------
    WhatIf
        Controls: share mailed, ranking, loss of a subscriber who leaves.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> world = make_world(600, seed=1)
    >>> trial = world.campaign[world.campaign["arm"] != "sports_mail"]
    >>> trial = trial.assign(mailed=trial["arm"] == "fashion_mail")
    >>> truth = world.truth.potential_outcomes.set_index("customer_id")
    >>> truth = truth.loc[trial["customer_id"]]
    >>> shown = targeting(trial, {"recency": -trial["recency"]}, truth)
    >>> shown.set(share=0.5).values["share"]
    0.5
    """
    from functools import cache, lru_cache

    import numpy as np
    import pandas as pd

    from ethicalai_lab import plotting
    from ethicalai_lab.personalization import compare_rules, target_top, true_value

    shares = np.linspace(0.0, 1.0, _STEPS)
    rules = {
        name: {str(i): target_top(scores, share) for i, share in enumerate(shares)}
        for name, scores in rankings.items()
    }

    @cache
    def true_bills(ranking: str) -> list[Any]:
        return [
            true_value(rule, truth, outcome="visit", value=visit_worth, cost=mail_cost, arm=arm)
            for rule in rules[ranking].values()
        ]

    @lru_cache(maxsize=128)
    def table(ranking: str, leaver: float) -> pd.DataFrame:
        gain = visit_worth * trial["visit"] - leaver * trial["unsubscribed"]
        found = compare_rules(rules[ranking], gain, trial["mailed"], cost=mail_cost, control=False)
        bills = true_bills(ranking)
        return pd.DataFrame(
            {
                "share": shares,
                "profit": 1000 * found["profit"],
                "profit_low": 1000 * found["low"],
                "profit_high": 1000 * found["high"],
                "profit_truth": [1000 * (b.profit - leaver * b.bothered) for b in bills],
                "leave": [1000 * b.bothered for b in bills],
                "in_vain": [1000 * b.in_vain for b in bills],
            }
        )

    def bill(share: float, ranking: str, leaver: float) -> plotting.Figure:
        found = table(ranking, float(leaver))
        at = found.iloc[int(np.argmin(np.abs(found["share"] - share)))]
        title = (
            f"{1000 * share:,.0f} mails per 1,000 customers: estimate {at.profit:,.0f} "
            f"({at.profit_low:,.0f} to {at.profit_high:,.0f}), truth {at.profit_truth:,.0f}\n"
            f"{at.leave:.1f} people leave, {at.in_vain:.0f} mails change nothing or harm"
        )
        return plotting.curves(
            {f"by {ranking}": found},
            y="profit",
            title=title,
            ylabel="profit per 1,000 customers",
            unit="number",
            mark=share,
        )

    return what_if(
        bill,
        title="What would the list earn, and whom would it bother?",
        labels={"share": "Share mailed", "ranking": "Ranked by", "leaver": "Loss of a subscriber"},
        share=(0.0, 1.0, 0.05, 0.3),
        ranking=list(rankings),
        leaver=(0.0, 40.0, 5.0, 20.0),
    )
