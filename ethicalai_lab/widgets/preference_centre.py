"""A preference centre: what a customer says drives the offer at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethicalai_lab.widgets.base import WhatIf, what_if

if TYPE_CHECKING:
    import pandas as pd

    from ethicalai_lab.personalization.zero_party import PreferenceModel

__all__ = ["preference_centre"]

_TOLD = {"favourite": "said most liked", "second": "said second", "least": "said least"}
_OPEN = "I leave this open"
_MAILS = {"weekly": 52, "monthly": 12, "rarely": 4, "never": 0}


def preference_centre(
    model: PreferenceModel,
    events: pd.DataFrame,
    products: pd.DataFrame,
    seen: pd.Series,
    *,
    usual: str = "weekly",
) -> WhatIf:
    """Show the offer that a customer's own choices lead to.

    Parameters
    ----------
    model : PreferenceModel
        What :func:`ethicalai_lab.personalization.learn_preferences` returns, for the
        questions ``favourite_category``, ``second_category`` and ``least_category``.
    events, products : DataFrame
        What was bought, for the products shown.
    seen : Series
        What the customer was watched doing: a row of
        :func:`ethicalai_lab.personalization.watched`.
    usual : {"weekly", "monthly", "rarely", "never"}, default "weekly"
        How often the shop mails a customer who leaves that open.

    Returns
    -------
    WhatIf
        Controls: the customer's answers, and whether watched behaviour is used too.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.personalization import learn_preferences, watched
    >>> world = make_world(3000, seed=1)
    >>> categories = ["favourite_category", "second_category", "least_category"]
    >>> model = learn_preferences(world.events, world.products, world.preferences,
    ...                           at="2025-11-01", questions=categories)
    >>> seen = watched(world.events, world.products, [1]).loc[1]
    >>> shown = preference_centre(model, world.events, world.products, seen)
    >>> shown.set(favourite="sports").figure.alt.startswith("Offered first: sports")
    True
    """
    from functools import cache

    from ethicalai_lab.personalization import shelf

    @cache
    def goods(category: str, price: str | None) -> tuple[str, ...]:
        found = shelf(events, products, category=category, price_range=price)
        return tuple(found["name"].astype(str))

    def offer(favourite: str, second: str, least: str, price: str, often: str, watch: bool) -> Any:
        answers = {
            "favourite_category": favourite or None,
            "second_category": second or None,
            "least_category": least or None,
        }
        ranked = model.rank(answers, seen if watch else None)
        return _bars(ranked, goods(str(ranked.index[0]), price or None), _MAILS[often or usual])

    # an empty text, not None: a dropdown shows nothing at all where its value is None
    categories = {_OPEN: "", **{name: name for name in model.categories}}
    return what_if(
        offer,
        title="Your choices",
        labels={
            "favourite": "I like most",
            "second": "Then I like",
            "least": "I like least",
            "price": "Price range",
            "often": "Write to me",
            "watch": "You may use what you watched me do",
        },
        favourite=categories,
        second=categories,
        least=categories,
        price={_OPEN: "", **{name: name for name in ("basic", "classic", "premium")}},
        often={_OPEN: "", **{name: name for name in _MAILS}},
        watch=False,
    )


def _bars(ranked: pd.DataFrame, goods: tuple[str, ...], mails: int) -> Any:
    from ethicalai_lab import plotting

    fit = ranked["score"]
    words = {
        name: f"{name}, {_TOLD[told]}" if told else str(name)
        for name, told in ranked["told"].items()
    }
    first = fit.index[0]
    with plotting.style():
        figure, axes = plotting.canvas(7.5, 3.4)
        rows = range(len(fit) - 1, -1, -1)
        for row, name in zip(rows, fit.index, strict=True):
            chosen = name == first
            axes.barh(
                row,
                fit[name],
                color=plotting.PALETTE[0] if chosen else "white",
                hatch="" if chosen else "//",
                edgecolor="white" if chosen else plotting.MUTED,
                height=0.62,
            )
            axes.text(fit[name] + 0.015, row, f"{fit[name]:.2f}", va="center")
        axes.set_yticks(list(rows), list(words.values()))
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(min(0.0, 1.1 * fit.min()), max(1.0, 1.12 * fit.max()))
        axes.grid(axis="x")
        axes.set_xlabel("score: what the answers foretell of later behaviour")
        a_year = "1 mail" if mails == 1 else f"{mails} mails"
        title = f"Offered first: {first}. {', '.join(goods)}"
        axes.set_title(f"{title}\n{a_year} a year")
    order = "; ".join(f"{words[name]} {value:.2f}" for name, value in fit.items())
    return plotting.Figure(figure, f"{title}; {a_year} a year. In order, with scores: {order}.")
