"""Clocks of the law: until when a request must be answered or passed on.

One month is a calendar month, not 30 days; business days leave out weekends, and no
holidays. Where the law names no number ("without undue delay"), there is none here either.

References
----------
GDPR Art 12(3); California Civil Code 1798.130(a)(2); 11 CCR 7021, 7026(f), 7027(g).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ethicalai_lab.consent import data
from ethicalai_lab.consent.errors import ConsentError
from ethicalai_lab.core.times import read_times

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["due"]


def due(regime: str, request: str, received: Any) -> pd.Series:
    """Return the last day on which a request is in time.

    Parameters
    ----------
    regime : {"gdpr", "ccpa"}
    request : str
        gdpr: access, erasure, rectification, portability, objection. ccpa: those but the
        last, confirmation, opt_out, limit_use.
    received : time or array-like of times

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

    known = data.read("deadlines")
    if request not in known.get(regime, ()):
        names = ", ".join(f"{law} {name}" for law, requests in known.items() for name in requests)
        raise ConsentError(
            f"There is no number of days for {request} under {regime}; known are {names}."
        )
    count, unit = known[regime][request].split(" ", 1)
    day = pd.Series(read_times(received, "received", error=ConsentError)).dt.normalize()
    if unit == "business days":
        days = day.to_numpy().astype("M8[D]")
        last = pd.Series(np.busday_offset(days, int(count), roll="backward").astype("M8[us]"))
    else:
        last = day + pd.DateOffset(**{unit: int(count)})
    return last + pd.Timedelta(days=1)
