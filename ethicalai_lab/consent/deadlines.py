"""Clocks of the law: until when a request must be answered or passed on.

One month is a calendar month, not 30 days; business days leave out weekends and the
holidays that are handed in. Where the law names no number ("without undue delay"), there
is none here either, and what a house sets itself is a parameter.

References
----------
GDPR Art 12(3); California Civil Code 1798.130(a)(2); 11 CCR 7021, 7026(f), 7027(g).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ethicalai_lab.consent.errors import ConsentError
from ethicalai_lab.core.times import read_times

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DEADLINES", "Deadline", "due"]


@dataclass(frozen=True)
class Deadline:
    """A clock.

    Attributes
    ----------
    regime : str
    request : str
    months, days, business_days : int
        One of them is set.
    extension : str
        How it may be extended.
    source : str
    """

    regime: str
    request: str
    source: str
    months: int = 0
    days: int = 0
    business_days: int = 0
    extension: str = ""

    @property
    def text(self) -> str:
        """The length in words."""
        for count, unit in (
            (self.months, "month"),
            (self.days, "calendar day"),
            (self.business_days, "business day"),
        ):
            if count:
                return f"{count} {unit}{'s' if count > 1 else ''}"
        raise AssertionError("a deadline has a length")


_EU = ("access", "erasure", "rectification", "portability", "objection")
DEADLINES: dict[tuple[str, str], Deadline] = {
    ("gdpr", request): Deadline(
        "gdpr", request, "GDPR Art 12(3)", months=1, extension="by two months, told in the first"
    )
    for request in _EU
}
DEADLINES |= {
    ("ccpa", request): Deadline(
        "ccpa", request, "1798.130(a)(2)", days=45, extension="once by 45 days, with notice"
    )
    for request in ("access", "erasure", "rectification", "portability")
}
DEADLINES |= {
    ("ccpa", "confirmation"): Deadline("ccpa", "confirmation", "11 CCR 7021", business_days=10),
    ("ccpa", "opt_out"): Deadline("ccpa", "opt_out", "11 CCR 7026(f)", business_days=15),
    ("ccpa", "limit_use"): Deadline("ccpa", "limit_use", "11 CCR 7027(g)", business_days=15),
}


def due(regime: str, request: str, received: Any, *, holidays: Iterable[Any] = ()) -> pd.Series:
    """Return the last day on which a request is in time.

    Parameters
    ----------
    regime : {"gdpr", "ccpa"}
    request : str
        gdpr: access, erasure, rectification, portability, objection. ccpa: those but the
        last, confirmation, opt_out, limit_use.
    received : time or array-like of times
    holidays : iterable of dates, optional
        Days that are no business days besides weekends.

    Returns
    -------
    Series of datetime
        Midnight that ends the last day.

    Raises
    ------
    ConsentError
        If no number is known for the request: the law then says "without undue delay", or
        the fact sheet names none. If a time cannot be read, or has two readings.

    Examples
    --------
    >>> due("gdpr", "access", "2026-01-31")[0].date().isoformat()
    '2026-03-01'
    >>> due("ccpa", "opt_out", "2026-01-09")[0].date().isoformat()
    '2026-01-31'
    """
    import pandas as pd

    if (regime, request) not in DEADLINES:
        known = ", ".join(f"{r} {q}" for r, q in DEADLINES)
        raise ConsentError(
            f"There is no number of days for {request} under {regime}; known are {known}."
        )
    clock = DEADLINES[regime, request]
    times = pd.Series(read_times(received, "received", error=ConsentError))
    day = times.dt.normalize()
    if clock.months:
        last = day + pd.DateOffset(months=clock.months)
    elif clock.days:
        last = day + pd.Timedelta(days=clock.days)
    else:
        off = read_times(list(holidays), "holidays", error=ConsentError).astype("M8[D]")
        last = pd.Series(
            np.busday_offset(
                day.to_numpy().astype("M8[D]"), clock.business_days, roll="backward", holidays=off
            ).astype("M8[us]")
        )
    return last + pd.Timedelta(days=1)
