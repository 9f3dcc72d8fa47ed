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

from collections.abc import Iterable, Mapping
from typing import Any

from ethicalai_lab.consent.errors import SignalError
from ethicalai_lab.consent.purposes import Purposes

__all__ = ["opt_out_events", "read"]


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
    said = []
    for pair in pairs:
        if isinstance(pair, str | bytes) or len(pair) != 2:
            raise SignalError("headers holds something else than pairs of name and value.")
        name, value = pair
        if str(_text(name)).lower() == "sec-gpc":
            said += value if isinstance(value, list | tuple) else [value]
    values = [_text(value) for value in said]
    return any(isinstance(value, str) and value.strip(" \t") == "1" for value in values)


def _text(value: Any) -> Any:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def opt_out_events(person: int, time: Any, *, purposes: Purposes) -> list[dict[str, Any]]:
    """Return the events a signal causes in California, ready for the ledger.

    An opt-out of every purpose that is a sale or sharing, and nothing asked back: no
    log-in, no form, no proof of identity.

    Parameters
    ----------
    person : int
        The known person, or a pseudonymous profile's number: the signal reaches both.
    time : time
    purposes : Purposes

    Examples
    --------
    >>> [(e["purpose"], e["action"])
    ...  for e in opt_out_events(7, "2026-01-10", purposes=Purposes.default())]
    [('third_party_sharing', 'opt_out')]
    """
    said = {"action": "opt_out", "notice_version": "", "source": "gpc_signal", "regime": "ccpa"}
    return [
        {"person": person, "purpose": name, "time": time, **said}
        for name, purpose in purposes.items()
        if purpose.sale_or_sharing and purpose.asked("ccpa")
    ]
