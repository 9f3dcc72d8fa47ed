"""A preference centre over a real consent ledger: what may be used now, and why."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from ethicalai_lab.widgets.base import WhatIf, what_if

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["preference_ledger"]

_PLACES = {"gdpr": "GDPR", "ccpa": "California", "other": "other"}
_SAID, _LATER, _NOW = "2025-03-01", "2025-09-01", "2026-01-12"
_MAILS = {
    "yes": "grant",
    "yes, then withdrawn": "withdraw",
    "yes, then objected": "object",
    "no": "refuse",
    "not answered": None,
}
_ANSWERS = {"yes": "grant", "no": "refuse", "not answered": None}
_WAYS = {"a box ticked already": "pre_ticked", "a button": "preference_centre"}


def preference_ledger() -> WhatIf:
    """Show what one person's answers permit under three rules, by the ledger's word.

    Every way of setting the switches is a person of an in-memory
    :class:`ethicalai_lab.consent.ConsentLedger`, with the events that these switches stand
    for; a move asks that ledger, and nothing here decides.

    Returns
    -------
    WhatIf
        Controls: the answers on mails, on offers by behaviour and on sharing; how a yes came;
        whether a browser's signal arrived; whether the person is a child; whose reasons show.

    Examples
    --------
    >>> shown = preference_ledger()
    >>> "mails: GDPR no, California yes, other yes" in shown.figure.alt
    True
    >>> "mails: GDPR yes" in shown.set(how="a button").figure.alt
    True
    """
    from ethicalai_lab.consent import ConsentLedger

    ledger = ConsentLedger(None, now=_NOW)
    people = _fill(ledger)

    def centre(
        mails: str,
        profile: str,
        sharing: str,
        how: str,
        signal: bool,
        child: bool,
        why: str,
    ) -> Any:
        person = people[
            _MAILS[mails], _ANSWERS[profile], _ANSWERS[sharing], _WAYS[how], signal, child
        ]
        found = {rule: ledger.choices(person, regime=rule) for rule in _PLACES}
        return _draw(found, next(rule for rule, name in _PLACES.items() if name == why))

    return what_if(
        centre,
        title="Your choices, and what they permit",
        labels={
            "mails": "Send me offers",
            "profile": "Choose offers by what I did",
            "sharing": "Share with ad platforms",
            "how": "A yes comes by",
            "signal": "My browser sends Global Privacy Control",
            "child": "I am 14 years old",
            "why": "Reasons under",
        },
        mails=list(_MAILS),
        profile=list(_ANSWERS),
        sharing=list(_ANSWERS),
        how=list(_WAYS),
        signal=False,
        child=False,
        why=list(_PLACES.values()),
    )


def _fill(ledger: Any) -> dict[tuple[Any, ...], int]:
    """Record a person for every way of setting the switches; return their numbers."""
    import pandas as pd

    from ethicalai_lab.consent import gpc

    people: dict[tuple[Any, ...], int] = {}
    events: list[dict[str, Any]] = []
    birth: list[str] = []
    settings = product(
        _MAILS.values(),
        _ANSWERS.values(),
        _ANSWERS.values(),
        _WAYS.values(),
        (False, True),
        (False, True),
    )
    for person, switches in enumerate(settings, start=1):
        mails, profile, sharing, how, signal, child = switches
        people[switches] = person
        birth.append("2011-06-01" if child else "1980-06-01")
        answers = {
            "direct_marketing": "grant" if mails in ("withdraw", "object") else mails,
            "personalization": profile,
            "third_party_sharing": sharing,
        }
        for purpose, action in answers.items():
            if action:  # a refusal is an act, whatever the box looked like
                source = how if action == "grant" else "preference_centre"
                events.append(_event(person, purpose, action, _SAID, source))
        if mails in ("withdraw", "object"):
            events.append(_event(person, "direct_marketing", mails, _LATER, "preference_centre"))
        if signal:
            events += gpc.opt_out_events(person, _LATER, purposes=ledger.purposes)
    ledger.register(
        pd.DataFrame({"person": list(people.values()), "regime": "gdpr", "birth_date": birth})
    )
    ledger.record(events)
    return people


def _event(person: int, purpose: str, action: str, time: str, source: str) -> dict[str, Any]:
    return {
        "person": person,
        "purpose": purpose,
        "action": action,
        "time": time,
        "notice_version": "2025-1",
        "source": source,
        "regime": "gdpr",
    }


_SHORT = {
    "analytics": "counting visits",
    "direct_marketing": "mails",
    "personalization": "offers by behaviour",
    "third_party_sharing": "sharing",
    "health_personalization": "offers by health",
    "order_fulfilment": "delivering orders",
    "fraud_prevention": "against fraud",
}


def _draw(found: dict[str, pd.DataFrame], why: str) -> Any:
    import textwrap

    from ethicalai_lab import plotting

    names = list(found[why]["purpose"])
    answer = {
        rule: dict(zip(names, table["permitted"], strict=True)) for rule, table in found.items()
    }
    reason = {
        name: text.replace("direct_marketing", "mails")
        for name, text in zip(names, found[why]["because"], strict=True)
    }
    with plotting.style():
        figure, axes = plotting.canvas(8.6, 4.2)
        for row, name in enumerate(names):
            y = len(names) - 1 - row
            axes.text(0, y, _SHORT.get(name, name), va="center")
            for column, rule in enumerate(_PLACES):
                yes = bool(answer[rule][name])
                axes.text(
                    2.35 + 0.85 * column,
                    y,
                    "yes" if yes else "no",
                    va="center",
                    ha="center",
                    color="white" if yes else plotting.INK,
                    bbox={
                        "boxstyle": "round,pad=0.3",
                        "facecolor": plotting.PALETTE[0] if yes else "white",
                        "edgecolor": plotting.PALETTE[0] if yes else plotting.MUTED,
                    },
                )
            axes.text(4.75, y, textwrap.fill(reason[name], 50), va="center", fontsize=8.5)
        for column, place in enumerate(_PLACES.values()):
            axes.text(2.35 + 0.85 * column, len(names) - 0.35, place, ha="center", weight="bold")
        axes.text(4.75, len(names) - 0.35, f"why, under {_PLACES[why]}", weight="bold")
        axes.set_xlim(0, 8.9)
        axes.set_ylim(-0.6, len(names) + 0.1)
        axes.set_axis_off()
        axes.set_title("May the shop use the data now?")
    told = "; ".join(
        f"{_SHORT.get(name, name)}: "
        + ", ".join(f"{place} {'yes' if answer[r][name] else 'no'}" for r, place in _PLACES.items())
        for name in names
    )
    reasons = " ".join(f"{_SHORT.get(name, name)}: {reason[name]}" for name in names)
    return plotting.Figure(
        figure, f"May the shop use the data now? {told}. Why, under {_PLACES[why]}: {reasons}"
    )
