"""Consent events: what one may say, through which channel, and how a batch is checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ethicalai_lab.consent.errors import LedgerError
from ethicalai_lab.consent.purposes import REGIMES, Purposes
from ethicalai_lab.core.times import read_times

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ACTIONS", "COLUMNS", "SOURCES", "Batch", "as_frame", "check", "microseconds"]

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
_TEXTS = {"purpose": None, "action": ACTIONS, "source": SOURCES, "regime": REGIMES}


@dataclass(frozen=True)
class Batch:
    """Checked events as arrays: codes into ACTIONS, SOURCES, REGIMES; times in microseconds."""

    person: NDArray[np.int64]
    purpose: NDArray[np.int8]
    action: NDArray[np.int8]
    time: NDArray[np.int64]
    notice: NDArray[Any]
    source: NDArray[np.int8]
    regime: NDArray[np.int8]

    def __len__(self) -> int:
        return self.person.size


def as_frame(events: Any) -> pd.DataFrame:
    """Return events given as DataFrame, mapping or list of mappings as one DataFrame."""
    import pandas as pd

    if isinstance(events, Mapping):
        events = [events]
    if not isinstance(events, pd.DataFrame):
        if not isinstance(events, Iterable) or isinstance(events, str | bytes):
            raise LedgerError(
                f"events is a {type(events).__name__}; a DataFrame, a dictionary or a list of "
                f"dictionaries with {', '.join(COLUMNS)} is accepted."
            )
        rows = list(events)
        for row, item in enumerate(rows):
            if not isinstance(item, Mapping):
                raise LedgerError(
                    f"event {row} is a {type(item).__name__}; a dictionary with "
                    f"{', '.join(COLUMNS)} is accepted."
                )
        events = pd.DataFrame(rows) if rows else pd.DataFrame(columns=list(COLUMNS))
    if "person" not in events.columns and "customer_id" in events.columns:
        events = events.rename(columns={"customer_id": "person"})
    if not events.columns.is_unique:
        raise LedgerError("events has two columns of one name; names must be distinct.")
    for column in COLUMNS:
        if column not in events.columns:
            raise LedgerError(f'events lacks the column "{column}"; needed: {", ".join(COLUMNS)}.')
    for column in events.columns:
        if column not in COLUMNS:
            raise LedgerError(
                f'events has a column "{column}" that the ledger would not keep; '
                f"accepted are {', '.join(COLUMNS)}."
            )
    return events


def check(events: Any, purposes: Purposes, now: int) -> Batch:
    """Return the events as arrays, or say in one sentence which row cannot be taken."""
    frame = as_frame(events)
    person = persons(frame["person"], "person")
    codes = {
        name: _codes(frame[name], purposes.names if accepted is None else accepted, name)
        for name, accepted in _TEXTS.items()
    }
    time = microseconds(frame["time"], "time")
    if time.size:
        early = int(time.argmin())
        if time[early] < EARLIEST:
            raise LedgerError(
                f"row {early}: time {_show(time[early])} is out of range; times from 2000-01-01 "
                "on are accepted."
            )
        late = int(time.argmax())
        if time[late] > now:
            raise LedgerError(
                f"row {late}: time {_show(time[late])} lies in the future (it is {_show(now)}); "
                "an event is recorded after it happened."
            )
    notice = _notices(frame["notice_version"])
    grant = codes["action"] == GRANT
    _refuse(
        grant & (notice == ""),
        "a grant without notice_version proves nothing; name the notice that was shown "
        "(GDPR Art 7(1)).",
    )
    _refuse(
        grant & (codes["source"] == SOURCES.index("gpc_signal")),
        "a Global Privacy Control signal can only opt out; it never grants.",
    )
    optional = np.array(
        [[purposes[p].asked(regime) for p in purposes.names] for regime in REGIMES], dtype=bool
    )
    fixed = ~optional[codes["regime"], codes["purpose"]]
    if fixed.any():
        row = int(fixed.argmax())
        name = purposes.names[codes["purpose"][row]]
        basis = purposes[name].basis[REGIMES[codes["regime"][row]]]
        raise LedgerError(
            f"row {row}: {name} rests on {basis.replace('_', ' ')}, so there is nothing to grant "
            "or refuse; record events for purposes that people may say no to."
        )
    return Batch(
        person,
        codes["purpose"],
        codes["action"],
        time,
        notice,
        codes["source"],
        codes["regime"],
    )


def persons(values: Any, name: str) -> NDArray[np.int64]:
    """Return whole person numbers as int64, or refuse."""
    import pandas as pd

    array = values.to_numpy() if isinstance(values, pd.Series | pd.Index) else np.asarray(values)
    if array.ndim != 1:
        raise LedgerError(f"{name} must be one column of whole numbers, one a row.")
    if array.dtype.kind in "iu":
        if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
            raise LedgerError(f"{name} holds a number beyond 64 bits with sign.")
        return array.astype(np.int64, copy=False)
    if array.size == 0:
        return np.empty(0, dtype=np.int64)
    if array.dtype.kind == "O":
        whole = [isinstance(v, int | np.integer) and not isinstance(v, bool) for v in array]
        if all(whole) and all(abs(int(v)) <= np.iinfo(np.int64).max for v in array):
            return array.astype(np.int64)
        row = whole.index(False) if False in whole else 0
        raise LedgerError(f"{name}, row {row}: {array[row]!r} is no whole number.")
    raise LedgerError(
        f"{name} holds {array.dtype}; whole numbers such as customer_id are accepted."
    )


def microseconds(values: Any, name: str) -> NDArray[np.int64]:
    """Return times as microseconds since 1970 (UTC); a time without zone counts as UTC."""
    if isinstance(values, list) and len(values) == 1:
        values = values[0]  # one moment needs no row in a message
    return read_times(values, name, error=LedgerError).astype(np.int64)


def _codes(values: Any, accepted: tuple[str, ...], name: str) -> NDArray[np.int8]:
    import pandas as pd

    lookup = {word: code for code, word in enumerate(accepted)}
    if isinstance(values.dtype, pd.CategoricalDtype):
        words, position = list(values.cat.categories), values.cat.codes.to_numpy()
    else:
        position, uniques = pd.factorize(values, use_na_sentinel=True)
        words = list(uniques)
    # one more place at the end: what is missing has code -1
    table = np.array([lookup.get(word, -1) for word in words] + [-1], dtype=np.int8)
    codes = table[position]
    if (codes < 0).any():
        from ethicalai_lab.errors import did_you_mean

        row = int((codes < 0).argmax())
        word = values.iloc[row]
        raise LedgerError(
            f'row {row}: {name} "{word}" is not accepted; accepted are {", ".join(accepted)}.'
            f"{did_you_mean(word, accepted)}"
        )
    return codes


def _notices(values: Any) -> NDArray[Any]:
    import pandas as pd

    array = np.asarray(values.astype(object))
    missing = np.asarray(pd.isna(array))
    texts = np.where(missing, "", array)
    uniques = pd.unique(texts)
    for text in uniques:
        if not isinstance(text, str) or len(text) > 64:
            raise LedgerError(
                f"notice_version {text!r} is not accepted; a text of up to 64 characters is."
            )
    return texts


def _refuse(wrong: NDArray[np.bool_], message: str) -> None:
    if wrong.any():
        raise LedgerError(f"row {int(wrong.argmax())}: {message}")


def _show(time: int) -> str:
    return str(np.datetime64(int(time), "us").astype("datetime64[s]")).replace("T", " ")
