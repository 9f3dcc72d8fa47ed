"""What if a policy asked otherwise, wrote to more, or released coarser tables?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ethicalai_lab.errors import InputError
from ethicalai_lab.widgets.base import WhatIf, what_if

if TYPE_CHECKING:
    from ethicalai_lab.policy import Policy, PolicyLab, Rules

__all__ = ["SHOWN", "whole_bill"]

#: Two measures a dimension, three of value and one of duty.
SHOWN = (
    "value.profit_added",
    "value.contacted_in_vain",
    "value.release_detail_kept",
    "privacy.reidentified_by_guessing",
    "privacy.reidentified_by_linkage",
    "fairness.selection_gap_gender",
    "fairness.selection_gap_age_band",
    "consent.reachable",
    "consent.against_their_will",
    "transparency.notice_share",
    "transparency.false_claims",
    "duty.open_points",
)


def whole_bill(
    lab: PolicyLab,
    policy: Policy,
    *,
    rules: Rules | None = None,
    measures: Sequence[str] = SHOWN,
    banners: Sequence[str] = ("neutral", "nudging", "hidden_refusal"),
) -> WhatIf:
    """Show a policy's scorecard, evaluated anew, as three of its fields change.

    Parameters
    ----------
    lab : PolicyLab
        Where every setting is really evaluated.
    policy : Policy
        What is not moved stays as it is here.
    rules : Rules, optional
        Bounds to hold the card to.
    measures : sequence of str
        What is shown, by key.
    banners : sequence of str
        Banners to choose from, beside the policy's own.

    Returns
    -------
    WhatIf
        Controls: share, k (1: the table is released as it is), banner, and how long a refusal
        rests. They begin where the policy is.

    Raises
    ------
    InputError
        If a measure or a banner is unknown.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.policy import PolicyLab, preset
    >>> lab = PolicyLab(make_world(500, seed=1), n_boot=20)
    >>> shown = whole_bill(lab, preset("average_practice"), banners=["nudging"])
    >>> shown.set(k=5).figure.alt == shown.figure.alt
    False
    """
    from ethicalai_lab import plotting
    from ethicalai_lab.consent.simulation import BANNERS
    from ethicalai_lab.policy.frontier import changed

    names = {name: banner.label for name, banner in BANNERS.items()}
    for banner in banners:
        if banner not in names:
            raise InputError(f'there is no banner "{banner}" here; accepted: {", ".join(names)}')
    first = lab.evaluate(policy)
    for key in measures:
        first[key]  # an unknown key is said at once, not in the widget
    start = policy.with_defaults()
    own, coarse = start.consent, start.anonymization
    own_k = 1 if coarse.generalization == "none" else coarse.k
    method = "mondrian" if own_k == 1 else coarse.generalization
    # what a control begins with is its first option
    offered = list(dict.fromkeys((own.banner, *banners)))
    months = list(dict.fromkeys((own.reask_months, 6, 12)))
    ks = list(dict.fromkeys((own_k, 1, 5, 10, 20)))

    def shown(share: float, k: int, banner: str, rest: int) -> plotting.Figure:
        moved = {
            "personalization.share": float(share),
            "anonymization.generalization": "none" if k == 1 else method,
            "anonymization.k": int(k),
            "consent.banner": banner,
            "consent.reask_months": int(rest),
        }
        card = lab.evaluate(changed(policy, moved))
        if rules is not None:
            card = card.with_rules(rules)
        table = card.table
        kept = table[(table["dimension"] + "." + table["measure"]).isin(list(measures))]
        title = f"Share {share:.0%}, k = {k}, {names[banner]}, a refusal rests {rest} months"
        if rules is not None:
            title += f": {len(card.misses)} of {len(rules)} bounds missed"
        return plotting.scorecard(kept, title=title)

    for banner in offered:  # a banner changes nearly all stages: run them before it is chosen
        for month in months:
            moved = {"consent.banner": banner, "consent.reask_months": month}
            lab.evaluate(changed(policy, moved))
    return what_if(
        shown,
        title="What does the whole bill say then?",
        labels={
            "share": "Share mailed, at most",
            "k": "People who look alike (k)",
            "banner": "The question",
            "rest": "A refusal rests (months)",
        },
        share=(0.0, 1.0, 0.1, float(start.personalization.share)),
        k=ks,
        banner={names[banner]: banner for banner in offered},
        rest=months,
    )
