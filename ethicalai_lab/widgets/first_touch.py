"""A first slider: mail more people, and see who gains and who is bothered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethicalai_lab.widgets.base import WhatIf, what_if

if TYPE_CHECKING:
    from ethicalai_lab.world import World

__all__ = ["first_touch"]

_ORDERS = {"chance": "by chance", "truth": "by what the mail truly changes"}


def first_touch(world: World, *, arm: str = "sports_mail", seed: int = 0) -> WhatIf:
    """Show what a mail does to 1,000 customers as more of them get it.

    Parameters
    ----------
    world : World
        Opened for its truth: nobody in practice could draw this.
    arm : {"sports_mail", "fashion_mail"}, default "sports_mail"
        The mail.
    seed : int, default 0
        For the order by chance.

    Returns
    -------
    WhatIf
        Controls: share mailed, and who is mailed first.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> first_touch(make_world(500, seed=1)).set(share=0.0).figure.alt
    'With 0 mails to 1,000 customers: 0 extra visits, 0 mails in vain, 0 people leave the list.'
    """
    import numpy as np

    from ethicalai_lab import plotting
    from ethicalai_lab.personalization import target_top, true_value

    truth = world.truth.potential_outcomes
    scores = {
        "chance": np.random.default_rng(seed).random(len(truth)),
        "truth": (truth[f"p_visit_{arm}"] - truth["p_visit_no_mail"]).to_numpy(),
    }

    def counts(share: float, first: str) -> dict[str, float]:
        found = true_value(target_top(scores[first], share), truth, outcome="visit", arm=arm)
        return {
            "extra visits": 1000 * found.effects["visit"],
            "mails in vain": 1000 * found.in_vain,
            "people leave the list": 1000 * found.bothered,
        }

    widest = 1.15 * max(max(counts(share, "truth").values()) for share in (0.5, 0.75, 1.0))

    def people(share: float, first: str) -> plotting.Figure:
        found = counts(share, first)
        return _bars(found, f"With {1000 * share:,.0f} mails to 1,000 customers", widest)

    return what_if(
        people,
        title="Mail more people: who gains, who is bothered?",
        labels={"share": "Share mailed", "first": "Who is mailed first"},
        live=True,
        share=(0.0, 1.0, 0.05, 0.3),
        first={text: key for key, text in _ORDERS.items()},
    )


def _bars(found: dict[str, float], title: str, widest: float) -> Any:
    from ethicalai_lab import plotting

    with plotting.style():
        figure, axes = plotting.canvas(7.5, 2.6)
        rows = range(len(found) - 1, -1, -1)
        for row, value, color, hatch in zip(
            rows, found.values(), plotting.PALETTE, ("", "//", ".."), strict=False
        ):
            axes.barh(row, value, color=color, hatch=hatch, edgecolor="white", height=0.6)
            axes.text(value + 0.01 * widest, row, f"{value:,.0f}", va="center")
        axes.set_yticks(list(rows), list(found))
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, widest)
        axes.grid(axis="x")
        axes.set_xlabel("of 1,000 customers")
        axes.set_title(title)
        told = ", ".join(f"{value:,.0f} {name}" for name, value in found.items())
        return plotting.Figure(figure, f"{title}: {told}.")
