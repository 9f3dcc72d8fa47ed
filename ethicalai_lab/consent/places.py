"""Where people live, since when, and when they were born, read from a table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethicalai_lab.consent.errors import LedgerError
from ethicalai_lab.consent.events import codes, microseconds, persons
from ethicalai_lab.consent.purposes import REGIMES
from ethicalai_lab.core.checks import need_columns

__all__ = ["AGE_OF_CONSENT", "places"]

AGE_OF_CONSENT = 16  # by the GDPR, where a state has chosen no lower one
_JURISDICTIONS = {"EU": "gdpr", "California": "ccpa"}


def places(
    people: Any, now: int
) -> tuple[NDArray[np.int64], NDArray[np.int8], NDArray[Any], NDArray[Any]]:
    """Return person, regime, birth date and since of a table of people, or refuse it."""
    import pandas as pd

    if isinstance(people, pd.DataFrame):
        people = people.rename(columns={"customer_id": "person"} if "person" not in people else {})
        if "regime" not in people and "jurisdiction" in people:
            place = people["jurisdiction"].astype(object)
            people = people.assign(regime=place.replace(_JURISDICTIONS))
    need_columns(people, ["person", "regime"], "people", LedgerError)
    person = persons(people["person"], "person")
    if np.unique(person).size < person.size:
        raise LedgerError("people names a person twice; one row each is accepted.")
    regime = codes(people["regime"], REGIMES, "regime")
    born = _past(people, "birth_date", now).astype("M8[D]")
    return person, regime, born, _past(people, "since", now)


def _past(people: Any, column: str, now: int) -> NDArray[Any]:
    """Return an optional column of times, none of which may lie in the future."""
    dates = np.full(len(people), np.datetime64("NaT", "us"))
    if column in people.columns:
        given = people[column]
        there = given.notna().to_numpy()
        if there.any():
            dates[there] = microseconds(given[there], column).view("M8[us]")
        if (dates[there] > np.datetime64(now, "us")).any():
            raise LedgerError(f"{column} lies in the future; a date of the past is accepted.")
    return dates
