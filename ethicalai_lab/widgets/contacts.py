"""What if we wrote more often, closer together, or lost more when somebody leaves?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethicalai_lab.widgets.base import WhatIf, what_if

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["contacts"]

_SPACINGS = ("spread out", "week after week")


def contacts(
    truth: Any,
    people: pd.DataFrame,
    *,
    visit_worth: float = 4.0,
    contact_cost: float = 0.02,
) -> WhatIf:
    """Show what contacts in six weeks truly earn, and how many people leave.

    Parameters
    ----------
    truth : Truth
        ``world.truth``.
    people : DataFrame
        As ``personalization.journey_people`` gives it.
    visit_worth, contact_cost : float
        Worth of a visit, cost of one message.

    Returns
    -------
    WhatIf
        Controls: contacts in six weeks, spacing, loss of a subscriber who leaves.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.personalization import journey_people
    >>> world = make_world(300, seed=1)
    >>> shown = contacts(world.truth, journey_people(world.customers, world.campaign))
    >>> shown.set(number=6).values["number"]
    6
    """
    from ethicalai_lab import plotting
    from ethicalai_lab.personalization import ContactPolicy, contact_curve
    from ethicalai_lab.personalization.journeys import WEEKS, spaced_weeks

    # outcomes do not depend on prices: each plan is followed once, prices come after
    outcomes: dict[str, pd.DataFrame] = {}
    for spacing in _SPACINGS:
        spread = spacing == _SPACINGS[0]
        plans = [
            ContactPolicy(weeks=spaced_weeks(n) if spread else tuple(range(n)))
            for n in range(WEEKS + 1)
        ]
        outcomes[spacing] = contact_curve(truth, people, plans)

    def gains(spacing: str, leaver: float) -> pd.Series:
        found = outcomes[spacing]
        worth = (
            visit_worth * found["visit"]
            - contact_cost * found["contacts"]
            - leaver * found["unsubscribed"]
        )
        return 1000 * (worth - worth.iloc[0])

    def bill(number: int, spacing: str, leaver: float) -> plotting.Figure:
        gain = gains(spacing, float(leaver))
        leave = 1000 * outcomes[spacing]["unsubscribed"]
        number, best = int(number), int(gain.idxmax())
        with plotting.style():
            figure, axes = plotting.canvas(7.5, 3.9, columns=2)
            # placed by hand: working the layout out takes longer than drawing
            figure.set_layout_engine("none")
            for panel, left in zip(axes, (0.08, 0.57), strict=True):
                panel.set_position((left, 0.14, 0.41, 0.61))
            panels = (
                (axes[0], gain, "gain per 1,000 customers", plotting.PALETTE[0]),
                (axes[1], leave, "people who leave, of 1,000", plotting.PALETTE[1]),
            )
            for i, (panel, values, label, colour) in enumerate(panels):
                panel.plot(
                    values.index,
                    values,
                    color=colour,
                    linestyle=plotting.LINES[i],
                    marker=plotting.MARKERS[i],
                )
                panel.axhline(0, color=plotting.MUTED, linewidth=0.8)
                panel.axvline(number, color=plotting.INK, linewidth=1.2, linestyle=(0, (2, 2)))
                panel.grid(axis="y")
                panel.set_xticks(range(WEEKS + 1))
                panel.set_xlabel("contacts in six weeks")
                panel.set_title(label)
            title = (
                f"{_counted(number)} in six weeks, {spacing}: {_signed(gain[number])} per 1,000 "
                f"customers,\n{leave[number]:.0f} people leave. Most is earned at {_counted(best)}."
            )
            figure.suptitle(title, fontsize=11, x=0.01, ha="left")
        told = ", ".join(f"{n}: {_signed(value)}" for n, value in gain.items())
        gone = ", ".join(f"{n}: {value:.0f}" for n, value in leave.items())
        return plotting.Figure(
            figure, f"{title} Gain by number of contacts: {told}. People who leave: {gone}."
        )

    return what_if(
        bill,
        title="What would more contacts earn, and who would still be there?",
        labels={
            "number": "Contacts in six weeks",
            "spacing": "Spacing",
            "leaver": "Loss of a subscriber",
        },
        number=(0, WEEKS, 1, 2),
        spacing=list(_SPACINGS),
        leaver=(0.0, 40.0, 5.0, 10.0),
    )


def _signed(value: float) -> str:
    """Write a gain with its sign, and nothing as plain 0."""
    return f"{value:+,.0f}" if round(value) else "0"


def _counted(number: int) -> str:
    return "1 contact" if number == 1 else f"{number} contacts"
