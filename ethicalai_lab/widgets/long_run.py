"""What an honest way of asking and a pressing one are worth over the months."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ethicalai_lab.widgets.base import WhatIf, what_if

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["long_run", "month_lines"]


def month_lines(
    tables: Mapping[str, pd.DataFrame], y: str, *, title: str, ylabel: str, unit: str = "share"
) -> Any:
    """Draw one line a table over its months.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        With the columns ``month`` (1, 2, ...) and `y`; at most seven.
    y : str
    title, ylabel : str
    unit : {"share", "number"}, default "share"
        Shares are written in per cent, numbers with a sign.

    Returns
    -------
    Figure

    Examples
    --------
    >>> import pandas as pd
    >>> t = pd.DataFrame({"month": [1, 2], "permitted": [0.5, 0.25]})
    >>> month_lines({"one": t}, "permitted", title="May be mailed", ylabel="share").alt
    'May be mailed. one: 50.0 % in month 1, 25.0 % in month 2.'
    """
    from ethicalai_lab import plotting

    def say(value: float) -> str:
        return f"{100 * value:.1f} %" if unit == "share" else f"{value:+.2f}"

    told = []
    with plotting.style():
        figure, axes = plotting.canvas(7.5, 3.8)
        for i, (name, table) in enumerate(tables.items()):
            month, value = table["month"].to_numpy(), table[y].to_numpy(dtype=float)
            every = max(1, len(month) // 6)
            axes.plot(
                month,
                100 * value if unit == "share" else value,
                color=plotting.PALETTE[i],
                linestyle=plotting.LINES[i],
                marker=plotting.MARKERS[i],
                markevery=every,
                label=name,
            )
            at = sorted({0, min(11, len(month) - 1), len(month) - 1})
            told.append(f"{name}: " + ", ".join(f"{say(value[j])} in month {month[j]}" for j in at))
        axes.axhline(0, color=plotting.MUTED, linewidth=0.8)
        axes.grid(axis="y")
        if unit == "share":
            axes.yaxis.set_major_formatter("{x:.0f} %")
        else:
            axes.yaxis.set_major_formatter(lambda x, _: f"{x:+.4g}" if x else "0")
        longest = max(int(table["month"].max()) for table in tables.values())
        axes.set_xticks(range(0, longest + 1, 6 if longest > 12 else 2))
        axes.set_xlabel("month")
        axes.set_ylabel(ylabel)
        axes.set_title(title)
        figure.legend(loc="outside lower left", ncols=3, handlelength=3.2)
    return plotting.Figure(figure, f"{title}. {'; '.join(told)}.")


_MONTHS = 48
_RESTS = {"12 months": 12, "6 months": 6, "1 month": 1}


def long_run(
    people: pd.DataFrame, *, banners: tuple[str, ...] = ("nudging", "pre_ticked")
) -> WhatIf:
    """Show what pressing designs earn beside equal buttons, under assumptions one can move.

    Parameters
    ----------
    people : DataFrame
        From :func:`ethicalai_lab.consent.simulation.population`; with a few thousand the
        picture follows a slider at once.
    banners : tuple of str
        Designs to hold against equal buttons.

    Returns
    -------
    WhatIf
        Controls: months, rest of a refusal, and four assumptions of the simulation.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> n = 200
    >>> people = pd.DataFrame({"customer_id": np.arange(n), "privacy_concern": 0.5, "trust": 0.5,
    ...     "fatigue_sensitivity": 0.5, "accepts": np.arange(n) % 2 == 0, "gain": 1.0,
    ...     "baseline": 10.0})
    >>> shown = long_run(people, banners=("pre_ticked",))
    >>> "box ticked already: " in shown.figure.alt
    True
    """
    from functools import lru_cache

    from ethicalai_lab.consent import Assumptions
    from ethicalai_lab.consent.simulation import BANNERS, calibrate, simulate

    usual = Assumptions()
    pushes = calibrate(people, usual)  # none of the assumptions moved here changes a first answer

    @lru_cache(maxsize=128)
    def course(banner: str, rest: int, chosen: Assumptions) -> pd.DataFrame:
        return simulate(
            people,
            banner,
            months=_MONTHS,
            reask_months=rest,
            assumptions=chosen,
            pushes=pushes,
        ).months

    def worth(
        months: int,
        rest: str,
        discovery: float,
        betrayal: float,
        annoyance: float,
        growth: float,
    ) -> Any:
        chosen = Assumptions(
            discovery=discovery,
            betrayal_loss=betrayal,
            annoyance=annoyance,
            disclosure_gain=growth,
        )

        honest = course("neutral", _RESTS[rest], chosen)["cumulative"]
        lines = {}
        for banner in banners:
            table = course(banner, _RESTS[rest], chosen)
            table = table.assign(ahead=table["cumulative"] - honest)
            lines[BANNERS[banner].short] = table.head(months)
        return month_lines(
            lines,
            "ahead",
            title="Profit so far per person, beside two equal buttons",
            ylabel="ahead (+) or behind (−)",
            unit="number",
        )

    return what_if(
        worth,
        title="What if the assumptions were others?",
        labels={
            "months": "Months",
            "rest": "A refusal rests",
            "discovery": "Assumed: monthly chance to find out",
            "betrayal": "Assumed: trust lost on finding out",
            "annoyance": "Assumed: trust lost to a pressing banner",
            "growth": "Assumed: monthly growth of trust, if honest",
        },
        months=(6, _MONTHS, 6, 36),
        rest=list(_RESTS),
        discovery=(0.0, 0.2, 0.01, usual.discovery),
        betrayal=(0.0, 1.0, 0.1, usual.betrayal_loss),
        annoyance=(0.0, 0.3, 0.02, usual.annoyance),
        growth=(0.0, 0.05, 0.005, usual.disclosure_gain),
    )
