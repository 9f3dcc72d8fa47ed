"""Consent events: what one may say, through which channel, and how a batch is checked.

A checked batch is a dictionary of arrays of one length: ``person``; ``time`` in microseconds;
``purpose``, ``action``, ``source`` and ``regime`` as places in their lists of names;
``notice_version`` as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ethicalai_lab.consent.errors import LedgerError
from ethicalai_lab.consent.purposes import REGIMES, Purposes
from ethicalai_lab.core.checks import need_columns
from ethicalai_lab.core.times import read_times
from ethicalai_lab.errors import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ACTIONS", "COLUMNS", "SOURCES", "as_frame", "check", "codes", "microseconds", "persons"]

ACTIONS = ("grant", "refuse", "withdraw", "object", "opt_out")
GRANT, OBJECT = 0, 3
# the channels an answer may come through
SOURCES = (
    "banner",
    "preference_centre",
    "email_link",
    "gpc_signal",
    "terms",
    "pre_ticked",
    "inactivity",
    "parental",
    "signed_form",
    "support",
    "tcf_string",
    "gpp_string",
    "import",
    "dark_pattern",
)
COLUMNS = ("person", "purpose", "action", "time", "notice_version", "source", "regime")
EARLIEST = np.datetime64("2000-01-01", "us").astype(np.int64)
LONGEST_VERSION = 64


def as_frame(events: Any) -> pd.DataFrame:
    """Return events given as DataFrame, mapping or list of mappings as one DataFrame."""
    import pandas as pd

    if not isinstance(events, pd.DataFrame):
        try:
            rows = [dict(event) for event in ([events] if isinstance(events, Mapping) else events)]
        except (TypeError, ValueError):
            raise LedgerError(
                f"events is a {type(events).__name__}; a DataFrame, a dictionary or a list of "
                f"dictionaries with {', '.join(COLUMNS)} is accepted."
            ) from None
        events = pd.DataFrame(rows, columns=None if rows else list(COLUMNS))
    if "person" not in events.columns and "customer_id" in events.columns:
        events = events.rename(columns={"customer_id": "person"})
    need_columns(events, COLUMNS, "events", LedgerError)
    if len(events.columns) > len(COLUMNS):
        more = [str(column) for column in events.columns if column not in COLUMNS]
        raise LedgerError(
            f"events has columns that the ledger would not keep ({', '.join(more) or 'twice'}); "
            f"accepted are {', '.join(COLUMNS)}, once each."
        )
    return events


def check(events: Any, purposes: Purposes, now: int) -> dict[str, NDArray[Any]]:
    """Return the events as arrays, or say in one sentence which row cannot be taken."""
    frame = as_frame(events)
    words = {"purpose": purposes.names, "action": ACTIONS, "source": SOURCES, "regime": REGIMES}
    batch = {
        "person": persons(frame["person"], "person"),
        "time": microseconds(frame["time"], "time"),
        "notice_version": _notices(frame["notice_version"]),
        **{name: codes(frame[name], accepted, name) for name, accepted in words.items()},
    }
    time = batch["time"]
    for wrong, why in (
        (time < EARLIEST, "is out of range; times from 2000-01-01 on are accepted."),
        (time > now, f"lies in the future (it is {_show(now)}); an event is recorded after it."),
    ):
        if wrong.any():
            row = int(wrong.argmax())
            raise LedgerError(f"row {row}: time {_show(time[row])} {why}")
    grant = batch["action"] == GRANT
    _refuse(
        grant & (batch["notice_version"] == ""),
        "a grant without notice_version proves nothing; name the notice that was shown "
        "(GDPR Art 7(1)).",
    )
    _refuse(
        grant & (batch["source"] == SOURCES.index("gpc_signal")),
        "a Global Privacy Control signal can only opt out; it never grants.",
    )
    asked = np.array([[purpose.asked(law) for purpose in purposes.values()] for law in REGIMES])
    fixed = ~asked[batch["regime"], batch["purpose"]]
    if fixed.any():
        row = int(fixed.argmax())
        purpose = purposes[purposes.names[batch["purpose"][row]]]
        basis = purpose.basis[REGIMES[batch["regime"][row]]].replace("_", " ")
        _refuse(
            fixed,
            f"{purpose.name} rests on {basis}, so there is nothing to grant or refuse; record "
            "events for purposes that people may say no to.",
        )
    return batch


def persons(values: Any, name: str) -> NDArray[np.int64]:
    """Return whole person numbers as int64, or refuse."""
    from pandas.api.types import infer_dtype

    array = np.asarray(values)
    if array.dtype.kind == "u":  # else a number beyond 64 bits with sign wraps around
        array = array.astype(object)
    kind = infer_dtype(array, skipna=False) if array.ndim == 1 else "a table"
    try:
        if array.ndim != 1 or (array.size and kind != "integer"):
            raise TypeError
        return array.astype(np.int64, copy=False)
    except (TypeError, OverflowError):
        raise LedgerError(
            f"{name} holds {kind}; one column of whole numbers of 64 bits, such as customer_id, is "
            "accepted."
        ) from None


def microseconds(values: Any, name: str) -> NDArray[np.int64]:
    """Return times as microseconds since 1970 (UTC); a time without zone counts as UTC."""
    if isinstance(values, list) and len(values) == 1:
        values = values[0]  # one moment needs no row in a message
    return read_times(values, name, error=LedgerError).astype(np.int64)


def codes(values: Any, accepted: Sequence[str], name: str) -> NDArray[np.int8]:
    """Return each word's place among those accepted, or refuse."""
    import pandas as pd

    if isinstance(getattr(values, "dtype", None), pd.CategoricalDtype):
        known = pd.Categorical(values)
        places, words = known.codes, known.categories
    else:
        places, words = pd.factorize(np.asarray(values, dtype=object))
    lookup = {word: code for code, word in enumerate(accepted)}
    # one more place at the end: what is missing has code -1
    table = np.array([lookup.get(word, -1) for word in words] + [-1], dtype=np.int8)
    found = table[places]
    if (found < 0).any():
        row = int((found < 0).argmax())
        word = words[places[row]] if places[row] >= 0 else None
        raise LedgerError(
            f'row {row}: {name} "{word}" is not accepted; accepted are {", ".join(accepted)}.'
            f"{did_you_mean(word, accepted)}"
        )
    return found


def _notices(values: Any) -> NDArray[Any]:
    import pandas as pd

    texts = values.astype(object).where(values.notna(), "").to_numpy()
    for text in pd.unique(texts):
        if not isinstance(text, str) or len(text) > LONGEST_VERSION:
            raise LedgerError(
                f"notice_version {text!r} is not accepted; a text of up to {LONGEST_VERSION} "
                "characters is."
            )
    return texts


def _refuse(wrong: NDArray[np.bool_], message: str) -> None:
    if wrong.any():
        raise LedgerError(f"row {int(wrong.argmax())}: {message}")


def _show(time: int) -> str:
    return str(np.datetime64(int(time), "us").astype("datetime64[s]")).replace("T", " ")
