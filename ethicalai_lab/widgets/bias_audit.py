"""What if the audit saw more people, fewer of the smallest group, or a milder prejudice?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethicalai_lab.widgets.base import WhatIf, what_if

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["bias_audit"]

_STRENGTHS = {"as it is": 1.0, "none": 0.0, "half": 0.5, "double": 2.0}


def bias_audit(
    rule: pd.DataFrame, group: pd.Series, *, rare: str = "D", share: float = 0.3
) -> WhatIf:
    """Show what an audit of a sample would see, beside what is true of everybody.

    Parameters
    ----------
    rule : DataFrame of n_rows rows
        What :func:`ethicalai_lab.fairness.old_rule` returns.
    group : Series of n_rows rows
        Each customer's group, in the same order.
    rare : str, default "D"
        The group whose share of the sample can be set.
    share : float, default 0.3
        Share of customers that the old rule selects.

    Returns
    -------
    WhatIf
        Controls: customers asked, share of the rare group among them, strength of the
        prejudice, and which sample was drawn.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.fairness import old_rule
    >>> world = make_world(3000, seed=1)
    >>> shown = bias_audit(old_rule(world), world.customers["ethnic_group"])
    >>> shown.set(strength="none", asked=400).values["asked"]
    400
    """
    from functools import cache

    import numpy as np
    import pandas as pd

    from ethicalai_lab import plotting
    from ethicalai_lab.fairness import audit, detectable, select_at_strength

    labels = np.asarray(group.astype(str))
    members, others = np.flatnonzero(labels == rare), np.flatnonzero(labels != rare)

    @cache
    def decided(strength: str) -> tuple[np.ndarray, pd.Series]:
        chosen = select_at_strength(rule, _STRENGTHS[strength], share=share)
        return chosen, pd.Series(chosen).groupby(labels).mean()

    def seen(asked: int, rare_share: float, strength: str, draw: int) -> plotting.Figure:
        chosen, truth = decided(strength)
        rng = np.random.default_rng(draw)
        of_rare = max(1, round(rare_share * asked))
        rows = np.concatenate(
            [
                rng.choice(members, of_rare, replace=of_rare > members.size),
                rng.choice(others, asked - of_rare, replace=asked > others.size),
            ]
        )
        found = audit(None, chosen[rows], sensitive_features=labels[rows])
        gap = found.disparities.loc["demographic_parity_difference"]
        ratio = found.four_fifths["ratio_to_highest"].min()
        smallest = detectable(found).loc[rare, "smallest_gap"]
        table = found.interval("selection_rate")
        table["truth"] = truth.reindex(table.index)
        sizes = found.by_group["count"].astype(int)
        table.index = [f"group {name}, {sizes[name]:,} asked" for name in table.index]
        can = "none at all" if np.isnan(smallest) else f"{100 * smallest:.0f} points"
        title = (
            f"Gap {100 * gap.value:.0f} points ({100 * gap.low:.0f} to {100 * gap.high:.0f}), "
            f"in truth {100 * (truth.max() - truth.min()):.0f}; ratio {ratio:.2f}\n"
            f"Smallest gap it would see for group {rare}: {can}"
        )
        return plotting.intervals(table, title=title, unit="share", xlabel="share selected")

    return what_if(
        seen,
        title="What would the audit see?",
        labels={
            "asked": "Customers asked",
            "rare_share": f"Share of group {rare} among them",
            "strength": "Prejudice of the rule",
            "draw": "Sample number",
        },
        asked=(200, 4000, 200, 1000),
        rare_share=(0.01, 0.25, 0.01, 0.06),
        strength=list(_STRENGTHS),
        draw=(1, 20, 1, 1),
    )
