"""Why am I seeing this?: the notice a customer would get, beside what the model weighed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ethicalai_lab.plotting import Figure
from ethicalai_lab.widgets.base import WhatIf, what_if

if TYPE_CHECKING:
    from ethicalai_lab.explainability import Attributions, Notice

__all__ = ["NoticeFigure", "named", "why_am_i_seeing_this"]

_LEVELS = {
    "full text": "full_text",  # first, so that a page without a kernel shows all of it
    "layered": "layered",
    "one line": "one_line",
    "none": "none",
}
_STATES = ("named as a reason", "named as data only", "not named")


class NoticeFigure(Figure):
    """A figure with the notice it is about as a card above it.

    Parameters
    ----------
    picture : matplotlib.figure.Figure
        What is drawn.
    alt : str
        What the picture shows, in words.
    notice : Notice
        What the customer reads; where it is empty, the card says so.

    Examples
    --------
    >>> from ethicalai_lab import plotting
    >>> from ethicalai_lab.explainability import offer_notice
    >>> figure, axes = plotting.canvas(2, 1)
    >>> notice = offer_notice(offer="the mail", sender="the shop", layer="none")
    >>> shown = NoticeFigure(figure, "An empty frame.", notice)
    >>> shown._repr_html_().startswith("<p><em>This customer gets no notice.</em></p><img")
    True
    """

    def __init__(self, picture: Any, alt: str, notice: Notice) -> None:
        super().__init__(picture, alt)
        self.notice = notice

    def _repr_html_(self) -> str:
        card = self.notice.html or "<p><em>This customer gets no notice.</em></p>"
        return card + super()._repr_html_()


def why_am_i_seeing_this(
    explained: Mapping[str, Attributions],
    people: Mapping[str, Any],
    *,
    labels: Mapping[str, str] | None = None,
    places: Mapping[Any, str] | None = None,
    **told: Any,
) -> WhatIf:
    """Show a customer's notice under a policy, and what of the model's account it leaves out.

    Parameters
    ----------
    explained : mapping of str to Attributions
        The account of one or more models, by name; each holds all of `people` and their data.
    people : mapping of str to label
        Customers by the name shown; the labels are those of the accounts.
    labels : mapping of str to str, optional
        Words for each column, all different; by default its name with spaces.
    places : mapping of label to str, optional
        Each customer's jurisdiction.
    **told
        What else :func:`ethicalai_lab.explainability.offer_notice` takes: offer, sender,
        sensitive, inferred, sources, change, stop.

    Returns
    -------
    WhatIf
        Controls: the customer, the level of disclosure, how many reasons are shown, whether
        the source of data is, where it is said that AI decided, and the model.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.explainability import linear_attributions
    >>> table = pd.DataFrame({"looks": [0.0, 4.0], "worry": [0.2, 0.8]}, index=[1, 2])
    >>> account = linear_attributions(lambda t: t["looks"] + 5 * t["worry"], table)
    >>> labels = {"looks": "looks", "worry": "guessed worry"}
    >>> shown = why_am_i_seeing_this({"as it is": account}, {"Ada": 2}, labels=labels,
    ...                              offer="the mail", sender="the shop")
    >>> shown.set(level="one_line").figure.notice.sentences[0].text
    'The mail comes from the shop mainly because of looks (4).'
    """
    from ethicalai_lab.explainability import offer_notice
    from ethicalai_lab.policy import Policy

    columns = dict.fromkeys(c for account in explained.values() for c in account.values.columns)
    words = {c: (labels or {}).get(c, c.replace("_", " ")) for c in columns}

    def card(
        customer: str, level: str, reasons: int, source: bool, ai: str, model: str
    ) -> NoticeFigure:
        account, who = explained[model], people[customer]
        at = account.values.index.get_loc(who)
        weighed = [
            (column, account.data.iat[at, j], float(account.values.iat[at, j]))
            for j, column in enumerate(account.values.columns)
        ]
        policy = (
            Policy()
            .decide("explanations", method="shapley_values", notice=level, reasons_shown=reasons)
            .decide("transparency", ai_disclosure=ai, data_source_shown=source)
            .decide("duty", human_review="on_request")
        )
        notice = offer_notice(
            reasons=weighed,
            policy=policy,
            labels=words,
            jurisdiction=None if places is None else places[who],
            **told,
        )
        return _draw(notice, weighed, words, customer)

    return what_if(
        card,
        title="Why am I seeing this?",
        labels={
            "customer": "I am",
            "level": "Notice",
            "reasons": "Reasons shown, at most",
            "source": "Say where data comes from",
            "ai": "Say that AI chose",
            "model": "Model",
        },
        customer=list(people),
        level=_LEVELS,
        reasons=(0, 4, 1, 3),
        source=True,
        ai=["upfront", "footer", "none"],
        model=list(explained),
    )


def named(notice: Notice, column: str, label: str) -> str:
    """Tell how a notice names a column: as a reason, as data only, or not at all.

    Parameters
    ----------
    notice : Notice
        The notice.
    column, label : str
        The column, and the words it goes by in the notice.

    Returns
    -------
    str

    Examples
    --------
    >>> from ethicalai_lab.explainability import offer_notice
    >>> notice = offer_notice(offer="the mail", sender="the shop", reasons=[("looks", 4, 0.5)])
    >>> named(notice, "looks", "looks"), named(notice, "worry", "worry")
    ('named as a reason', 'not named')
    """
    found = [
        sentence
        for sentence in notice.sentences
        if label in sentence.text
        and any(fact.name == f"contribution of {column}" for fact in sentence.facts)
    ]
    # only a sentence that gives it as a reason says its value too
    reason = [s for s in found if any(fact.name == f"value of {column}" for fact in s.facts)]
    return _STATES[0 if reason else 1 if found else 2]


def _draw(
    notice: Notice,
    weighed: list[tuple[str, Any, float]],
    labels: Mapping[str, str],
    customer: str,
) -> NoticeFigure:
    import math

    from ethicalai_lab import plotting

    ranked = sorted(weighed, key=lambda part: -part[2])
    how = {column: named(notice, column, labels[column]) for column, _, _ in ranked}
    looks = {
        _STATES[0]: {"color": plotting.PALETTE[0], "edgecolor": plotting.PALETTE[0]},
        _STATES[1]: {"color": "white", "edgecolor": plotting.PALETTE[0], "hatch": "///"},
        _STATES[2]: {"color": "white", "edgecolor": plotting.MUTED, "linestyle": ":"},
    }
    ease = notice.reading_ease
    said = "no notice" if math.isnan(ease) else f"reading ease {ease:.0f}"
    words = len(" ".join(sentence.text for sentence in notice.sentences).split())
    with plotting.style():
        figure, axes = plotting.canvas(7.5, 1.7 + 0.34 * len(ranked))
        widest = max(abs(part) for _, _, part in ranked) or 1.0
        done: set[str] = set()
        for row, (column, _, part) in enumerate(ranked):
            y, state = len(ranked) - 1 - row, how[column]
            axes.barh(y, part, height=0.62, label=None if state in done else state, **looks[state])
            done.add(state)
            side = 1 if part >= 0 else -1
            axes.text(
                part + side * 0.02 * widest,
                y,
                f"{part:+.2f}",
                va="center",
                ha="left" if side > 0 else "right",
            )
        axes.axvline(0, color=plotting.INK, linewidth=1)
        axes.set_yticks(range(len(ranked)), [labels[column] for column, _, _ in reversed(ranked)])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        low = min(0.0, *(part for _, _, part in ranked))
        high = max(0.0, *(part for _, _, part in ranked))
        axes.set_xlim(low - 0.2 * widest, high + 0.2 * widest)
        axes.grid(axis="x")
        axes.set_xlabel("what it adds to the score (log-odds), beside the average customer")
        axes.set_title(
            f"{customer}: what the model weighed, and what is told\n{words} words, {said}"
        )
        figure.legend(loc="outside lower left", ncols=len(done))
    told = "; ".join(f"{labels[c]} {part:+.2f}, {how[c]}" for c, _, part in ranked)
    first = f" First sentence: {notice.sentences[0].text}" if notice.sentences else ""
    return NoticeFigure(
        figure, f"{customer}: notice of {words} words, {said}. Weighed: {told}.{first}", notice
    )
