"""What if each group had a cut of its own: who gets the offer, who pays, what is it worth?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ethicalai_lab.widgets.base import WhatIf, what_if

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["group_cuts"]

_STEPS = 101  # cuts at which people are counted: a chance of 0, 1 %, ..., 100 %


def group_cuts(
    chance: Any,
    group: pd.Series,
    outcomes: Mapping[str, Any],
    *,
    start: float = 0.3,
    worth: float = 10.0,
    cost: float = 3.0,
) -> WhatIf:
    """Show rates by group, worth and who pays when each group has a cut of its own.

    Everybody whose chance reaches the cut of the own group gets the offer.

    Parameters
    ----------
    chance : array-like of shape (n_rows,)
        The model's chance of a visit, in [0, 1].
    group : Series of n_rows rows
        Each customer's group; two of them.
    outcomes : mapping of str to array-like of shape (n_rows,)
        Visits (0/1) by the name of the record that holds them.
    start : float, default 0.3
        The cut that everybody has at first.
    worth, cost : float
        Worth of the visit of somebody with the offer, cost of one offer.

    Returns
    -------
    WhatIf
        Controls: cut of the first group, cut of the second, which record of visits counts.

    Examples
    --------
    >>> import pandas as pd
    >>> shown = group_cuts([0.2, 0.4, 0.2, 0.4], pd.Series(list("aabb")), {"books": [0, 1, 0, 1]})
    >>> shown.set(second=0.1).figure.alt.split(". ")[1]
    'a: 0 gain it, 0 lose it; b: 1 gain it, 0 lose it'
    """
    import numpy as np

    from ethicalai_lab import plotting

    chance = np.asarray(chance, dtype=float)
    labels = np.asarray(group.astype(str))
    names = sorted(set(labels))
    n = chance.size

    # Offers at each cut, by group, record and visit (0, 1): all that a move has to look up.
    edges = np.round(np.linspace(0, 1, _STEPS), 2)
    counts = {
        (name, record): np.stack(
            [
                (here := np.sort(chance[(labels == name) & (np.asarray(visits) == came)])).size
                - np.searchsorted(here, edges)
                for came in (0, 1)
            ]
        )
        for name in names
        for record, visits in outcomes.items()
    }

    def at(name: str, record: str, cut: float) -> np.ndarray:
        return counts[name, record][:, round(100 * cut)]

    def value(record: str, cuts: Mapping[str, float]) -> float:
        offers = sum(at(name, record, cut) for name, cut in cuts.items())
        return float(1000 / n * (worth * offers[1] - cost * offers.sum()))

    def share(part: float, whole: float) -> float:
        return part / whole if whole else float("nan")

    def rates(name: str, record: str, cut: float) -> dict[str, float]:
        without, with_visit = at(name, record, cut)
        absent, visitors = counts[name, record][:, 0]
        return {
            "get the offer": share(without + with_visit, absent + visitors),
            "visitors who get it": share(with_visit, visitors),
            "others who get it": share(without, absent),
            "visitors among holders": share(with_visit, without + with_visit),
        }

    def cuts(first: float, second: float, record: str) -> plotting.Figure:
        chosen = dict(zip(names, (first, second), strict=True))
        found = {name: rates(name, record, cut) for name, cut in chosen.items()}
        moved = {}
        for name, cut in chosen.items():
            more = int(at(name, record, cut).sum() - at(name, record, start).sum())
            moved[name] = f"{max(more, 0):,} gain it, {max(-more, 0):,} lose it"
        now, before = value(record, chosen), value(record, dict.fromkeys(names, start))
        money = (
            f"Worth {now:,.0f} per 1,000 customers, {now - before:+,.0f} against one cut for all"
        )
        pays = "; ".join(f"{name}: {moved[name]}" for name in names)
        with plotting.style():
            figure, axes = plotting.canvas(7.5, 3.2)
            kinds = list(found[names[0]])
            rows = np.arange(len(kinds))[::-1]
            ends = np.array([[found[name][kind] for kind in kinds] for name in names])
            axes.hlines(rows, ends.min(axis=0), ends.max(axis=0), color="#DDDDDD", linewidth=4)
            for i, name in enumerate(names):
                axes.plot(
                    ends[i],
                    rows,
                    plotting.MARKERS[i],
                    color=plotting.PALETTE[i],
                    markersize=9,
                    label=f"{name}, from {100 * chosen[name]:.0f} %",
                )
            beside = [
                " / ".join("none" if np.isnan(x) else f"{100 * x:.0f} %" for x in ends[:, j])
                for j in range(len(kinds))
            ]
            axes.set_yticks(rows, kinds)
            side = axes.twinx()
            side.set_yticks(rows, beside)
            for one in (axes, side):
                one.set_ylim(-0.5, len(kinds) - 0.5)
                one.tick_params(axis="y", length=0)
            side.spines[:].set_visible(False)
            axes.spines["left"].set_visible(False)
            axes.set_xlim(-0.02, 1.02)
            axes.set_xticks(np.arange(0, 1.01, 0.2), [f"{x} %" for x in range(0, 101, 20)])
            axes.grid(axis="x")
            axes.set_title(f"{money}\n{pays}")
            figure.legend(loc="outside lower left", ncols=2)
        told = "; ".join(
            f"{kind}: "
            + ", ".join(f"{name} {part}" for name, part in zip(names, parts, strict=True))
            for kind, parts in zip(kinds, (text.split(" / ") for text in beside), strict=True)
        )
        return plotting.Figure(figure, f"{money}. {pays}. {told}.")

    return what_if(
        cuts,
        title="What if each group had a cut of its own?",
        labels={
            "first": f"Offer from this chance on, {names[0]}",
            "second": f"Offer from this chance on, {names[1]}",
            "record": "Visits",
        },
        first=(0.1, 0.6, 0.01, start),
        second=(0.1, 0.6, 0.01, round(start - 0.04, 2)),
        record=list(outcomes),
    )
