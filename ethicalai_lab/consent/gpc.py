"""Global Privacy Control: one header that says no, and nothing else.

The signal means: do not sell or share my data with others, do not use it to target me
across contexts. It is no request for deletion and no limit on use within the same
context, and its absence is no consent. What follows in law depends on the place; in
California a business that sells or shares must treat it as a valid opt-out and may ask
for nothing more.

References
----------
W3C Privacy Working Group, *Global Privacy Control* (Working Draft); 11 CCR 7025.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ethicalai_lab.consent.errors import SignalError
from ethicalai_lab.consent.purposes import Purposes

__all__ = ["Support", "headers", "opt_out_events", "read", "read_support", "write_support"]


def read(headers: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> bool:
    """Say whether a request carries the signal.

    Parameters
    ----------
    headers : mapping or iterable of (name, value)
        A request's headers. Names count in any case; a value may be a list.

    Returns
    -------
    bool
        True only where a ``Sec-GPC`` header is exactly ``1``; every other value is as if
        absent. Of several headers one ``1`` suffices.

    Raises
    ------
    SignalError
        If `headers` is neither mapping nor pairs.

    Examples
    --------
    >>> read({"Sec-GPC": "1"}), read({"sec-gpc": "0"}), read({"Sec-GPC": "true"}), read({})
    (True, False, False, False)
    """
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    if isinstance(pairs, str | bytes) or not isinstance(pairs, Iterable):
        raise SignalError(
            f"headers is a {type(headers).__name__}; a mapping or pairs of name and value are "
            "accepted."
        )
    for pair in pairs:
        if isinstance(pair, str | bytes) or len(pair) != 2:
            raise SignalError("headers holds something else than pairs of name and value.")
        name, value = pair
        values = value if isinstance(value, list | tuple) else [value]
        if isinstance(name, bytes):
            name = name.decode("latin-1")
        if str(name).lower() == "sec-gpc":
            for item in values:
                if isinstance(item, bytes):
                    item = item.decode("latin-1")
                if isinstance(item, str) and item.strip(" \t") == "1":
                    return True
    return False


def headers() -> dict[str, str]:
    """Return the header of someone who wants to opt out; there is none for anything else.

    Examples
    --------
    >>> headers()
    {'Sec-GPC': '1'}
    """
    return {"Sec-GPC": "1"}


@dataclass(frozen=True)
class Support:
    """What a site's ``/.well-known/gpc.json`` says.

    Attributes
    ----------
    gpc : bool or None
        Whether the site says it abides by the signal at least where it must; None where
        the file is missing or invalid: unknown.
    lastUpdate : str or None
        Day of the statement, YYYY-MM-DD.
    """

    gpc: bool | None
    lastUpdate: str | None


def read_support(text: str | bytes | None) -> Support:
    """Read a ``gpc.json``. What is missing or invalid is unknown, not a no.

    Examples
    --------
    >>> read_support('{"gpc": true, "lastUpdate": "2026-01-12"}')
    Support(gpc=True, lastUpdate='2026-01-12')
    >>> read_support("<html>not found</html>").gpc is None
    True
    """
    try:
        data = json.loads(text) if text is not None else None
    except (ValueError, TypeError, RecursionError):
        data = None
    if not isinstance(data, dict) or not isinstance(data.get("gpc"), bool):
        return Support(None, None)
    day = data.get("lastUpdate")
    try:
        datetime.date.fromisoformat(day)
    except (TypeError, ValueError):
        day = None
    return Support(data["gpc"], day)


def write_support(gpc: bool, last_update: str | datetime.date) -> str:
    """Return the text of a ``gpc.json``, to be served as application/json.

    Examples
    --------
    >>> write_support(True, "2026-01-12")
    '{"gpc": true, "lastUpdate": "2026-01-12"}'
    """
    if not isinstance(gpc, bool):
        raise SignalError(f"gpc is {gpc!r}; True or False is accepted.")
    day = last_update.isoformat()[:10] if isinstance(last_update, datetime.date) else last_update
    try:
        datetime.date.fromisoformat(day)
    except (TypeError, ValueError):
        raise SignalError(
            f"last_update is {last_update!r}; a day such as 2026-01-12 is accepted."
        ) from None
    return json.dumps({"gpc": gpc, "lastUpdate": day})


def opt_out_events(
    person: int, time: Any, *, purposes: Purposes | None = None, regime: str = "ccpa"
) -> list[dict[str, Any]]:
    """Return the events a signal causes, ready for the ledger.

    An opt-out of every purpose that is a sale or sharing, and nothing asked back: no
    log-in, no form, no proof of identity.

    Parameters
    ----------
    person : int
        The known person, or a pseudonymous profile's number: the signal reaches both.
    time : time
    purposes : Purposes, optional
    regime : {"gdpr", "ccpa", "other"}, default "ccpa"

    Examples
    --------
    >>> [(e["purpose"], e["action"]) for e in opt_out_events(7, "2026-01-10")]
    [('third_party_sharing', 'opt_out')]
    """
    chosen = Purposes.default() if purposes is None else purposes
    return [
        {
            "person": person,
            "purpose": name,
            "action": "opt_out",
            "time": time,
            "notice_version": "",
            "source": "gpc_signal",
            "regime": regime,
        }
        for name, purpose in chosen.items()
        if purpose.sale_or_sharing and purpose.asked(regime)
    ]
