"""Why something is permitted or not, in a sentence for the person whom it concerns."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from ethicalai_lab.consent.index import NOT_AFFIRMATIVE
from ethicalai_lab.consent.purposes import Purpose

__all__ = ["Told", "because"]

_VERBS = {
    "grant": "You said yes",
    "refuse": "You said no",
    "withdraw": "You withdrew",
    "object": "You objected",
    "opt_out": "You opted out",
}


class Told(NamedTuple):
    """An event, as its person would tell it."""

    action: str | None = None
    time: datetime.datetime | None = None
    notice_version: str | None = None
    purpose: str = ""
    source: str = ""


def because(
    purpose: Purpose, regime: str, permitted: bool, last: Told | None, void: Told | None
) -> str:
    """Return the reason, by the last answer with force and a void one that came after it."""
    basis = purpose.basis[regime].replace("_", " ")
    if not purpose.asked(regime):
        return f"It rests on {basis} and is not a matter of choice."
    if last is not None:
        return _said(purpose, last)
    if permitted:
        rule = f"the rule is {basis}: it may be used until you say no."
    elif purpose.before_answer(regime):  # a child, or a no that outlived an erasure
        rule = f"the rule is {basis}, but for you nothing without a yes."
    else:
        rule = f"the rule is {basis}: nothing without a yes."
    if void is None:
        return f"Nothing was answered, and {rule}"
    if void.source in NOT_AFFIRMATIVE:
        way = void.source.replace("_", " ")
        return f"A yes by {way} of {_day(void)} is no answer of yours; {rule}"
    return (
        f"A yes of {_day(void)} has no force, as it was no explicit act of someone of age; {rule}"
    )


def _said(purpose: Purpose, last: Told) -> str:
    said = _VERBS[last.action or "grant"]
    if last.purpose != purpose.name:
        return f"{said} to {last.purpose} on {_day(last)}, which ends the profiling that serves it."
    return f"{said} on {_day(last)}."


def _day(told: Told) -> str:
    assert told.time is not None
    return told.time.date().isoformat()
