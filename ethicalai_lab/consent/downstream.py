"""Recipients downstream: a no must reach everyone who got the data, and in time.

Whoever passed data on tells each recipient when the person says no (GDPR Art 19 for
erasure; 11 CCR 7026(f) for opt-outs). How long that takes is simulated; the clock it is
held against is the law's, where the law names a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ethicalai_lab.consent.deadlines import due
from ethicalai_lab.consent.errors import ConsentError
from ethicalai_lab.consent.events import as_frame
from ethicalai_lab.core.checks import Share, check_fields, number
from ethicalai_lab.core.times import read_times

if TYPE_CHECKING:
    import pandas as pd

    from ethicalai_lab.consent.ledger import ConsentLedger, LedgerReader

__all__ = ["Delay", "Delivery", "Recipients"]

_MEDIAN, _SPREAD = number(0, 3_650, opened=True), number(0, 5)


@dataclass(frozen=True)
class Delay:
    """How long a recipient takes to hear and act: an assumption, to be measured in practice.

    Attributes
    ----------
    median_days : float
        Median of a log-normal delay, above 0.
    spread : float
        Standard deviation of its logarithm, from 0 on.
    lost : float
        Share of notices that never arrive, 0 to 1.
    """

    median_days: _MEDIAN  # type: ignore[valid-type]
    spread: _SPREAD = 0.5  # type: ignore[valid-type]
    lost: Share = 0.0  # type: ignore[valid-type]

    def __post_init__(self) -> None:
        check_fields(self, ConsentError)


@dataclass(frozen=True)
class Delivery:
    """Notices to recipients, and how many were in time.

    Attributes
    ----------
    table : DataFrame
        One row a person, purpose and recipient: person, purpose, recipient, regime, said
        (when the person said no), acted (when the recipient stopped, NaT if never), due
        (NaT where the law names no number) and late (bool).
    """

    table: pd.DataFrame


class Recipients:
    """Who received data for which purpose, and how fast each acts on a no.

    Parameters
    ----------
    ledger : ConsentLedger or LedgerReader
    delays : mapping of str to Delay
        By recipient; each named in a purpose that is asked about.
    """

    def __init__(self, ledger: ConsentLedger | LedgerReader, delays: Mapping[str, Delay]) -> None:
        self._ledger = getattr(ledger, "reader", ledger)
        self.purposes = ledger.purposes
        known = {r for purpose in self.purposes.values() for r in purpose.recipients}
        for name, delay in delays.items():
            if name not in known:
                raise ConsentError(
                    f'No purpose names the recipient "{name}"; known are '
                    f"{', '.join(sorted(known))}."
                )
            if not isinstance(delay, Delay):
                raise ConsentError(f"The delay of {name} is {delay!r}; a Delay is accepted.")
        self.delays = dict(delays)

    def deliver(self, events: pd.DataFrame) -> Delivery:
        """Pass on every no among the events to every recipient of its purpose.

        Parameters
        ----------
        events : DataFrame
            As recorded in the ledger: person (or customer_id), purpose, action, time, regime.

        Returns
        -------
        Delivery
            Only a no that ends a permission is passed on: who had refused from the start
            never had data sent anywhere. The same events have the same delays.
        """
        import pandas as pd

        frame = as_frame(events)
        frame = frame[frame["action"] != "grant"].drop_duplicates(["person", "purpose", "time"])
        said = read_times(frame["time"], "time", error=ConsentError)
        frame = frame.assign(time=said, regime=frame["regime"].astype(str))
        just_before = frame["time"] - pd.Timedelta(microseconds=1)
        frame = frame[self._ledger.permitted(frame["person"], frame["purpose"], just_before)]
        rng = np.random.default_rng(0)
        parts = [_notify(frame.head(0), "", Delay(1.0), rng)]
        for name, purpose in self.purposes.items():
            rows = frame[frame["purpose"] == name]
            for recipient in purpose.recipients:
                if recipient in self.delays and len(rows):
                    parts.append(_notify(rows, recipient, self.delays[recipient], rng))
        table = pd.concat(parts[1:] or parts, ignore_index=True)
        table["due"] = self._deadlines(table)
        late = table["acted"].isna() | (table["acted"] >= table["due"])
        return Delivery(table.assign(late=table["due"].notna() & late))

    def _deadlines(self, table: pd.DataFrame) -> pd.Series:
        """Return the end of California's clock for an opt-out of sale or sharing."""
        import pandas as pd

        last = pd.Series(pd.NaT, index=table.index, dtype="datetime64[us]")
        shared = [name for name, purpose in self.purposes.items() if purpose.sale_or_sharing]
        clocked = (table["regime"] == "ccpa") & table["purpose"].isin(shared)
        if clocked.any():
            last[clocked] = due("ccpa", "opt_out", table.loc[clocked, "said"]).to_numpy()
        return last


def _notify(
    rows: pd.DataFrame, recipient: str, delay: Delay, rng: np.random.Generator
) -> pd.DataFrame:
    import pandas as pd

    days = delay.median_days * np.exp(delay.spread * rng.standard_normal(len(rows)))
    lost = rng.random(len(rows)) < delay.lost
    later = pd.to_timedelta(np.round(days * 86_400), unit="s").astype("timedelta64[us]")
    return pd.DataFrame(
        {
            "person": rows["person"],
            "purpose": rows["purpose"].astype(str),
            "recipient": recipient,
            "regime": rows["regime"],
            "said": rows["time"],
            "acted": (rows["time"] + later).mask(lost),
        }
    )
