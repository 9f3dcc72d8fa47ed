"""Recipients downstream: a no must reach everyone who got the data, and in time.

Whoever passed data on tells each recipient when the person says no (GDPR Art 19 for
erasure; 11 CCR 7026(f) for opt-outs). How long that takes is simulated; the clock it is
held against is the law's where the law names a number, else the house's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ethicalai_lab.consent.deadlines import due
from ethicalai_lab.consent.errors import ConsentError
from ethicalai_lab.core.times import read_times

if TYPE_CHECKING:
    import pandas as pd

    from ethicalai_lab.consent.ledger import ConsentLedger, LedgerReader
    from ethicalai_lab.stats import Interval

__all__ = ["Delay", "Delivery", "Recipients"]


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

    median_days: float
    spread: float = 0.5
    lost: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.median_days < 3_650:
            raise ConsentError(f"median_days is {self.median_days}; more than 0 is accepted.")
        if not 0 <= self.spread <= 5:
            raise ConsentError(f"spread is {self.spread}; 0 to 5 is accepted.")
        if not 0 <= self.lost <= 1:
            raise ConsentError(f"lost is {self.lost}; a share from 0 to 1 is accepted.")


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

    @property
    def on_time(self) -> Interval:
        """Share of the notices with a deadline that were in time, with its interval."""
        from ethicalai_lab.stats import proportion_interval

        clocked = self.table[self.table["due"].notna()]
        return proportion_interval(int((~clocked["late"]).sum()), len(clocked))

    def exposed_days(self) -> float:
        """Return the days, over all rows with an act, in which data was used after a no."""
        gap = (self.table["acted"] - self.table["said"]).dropna()
        return float(gap.dt.total_seconds().sum() / 86_400)


class Recipients:
    """Who received data for which purpose, and how fast each acts on a no.

    Parameters
    ----------
    ledger : ConsentLedger or LedgerReader
    delays : mapping of str to Delay
        By recipient; each named in a purpose that is asked about.
    house_days : float, optional
        A deadline of the house's own, in days, for regimes in which the law names no
        number (GDPR Art 7(3): the use must stop).
    """

    def __init__(
        self,
        ledger: ConsentLedger | LedgerReader,
        delays: Mapping[str, Delay],
        *,
        house_days: float | None = None,
    ) -> None:
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
        if house_days is not None and not house_days > 0:
            raise ConsentError(f"house_days is {house_days}; more than 0 is accepted.")
        self.delays = dict(delays)
        self.house_days = house_days

    def deliver(self, events: pd.DataFrame, *, seed: int = 0) -> Delivery:
        """Pass on every no among the events to every recipient of its purpose.

        Parameters
        ----------
        events : DataFrame
            As recorded in the ledger: person (or customer_id), purpose, action, time, regime.
        seed : int, default 0

        Returns
        -------
        Delivery
            Only a no that ends a permission is passed on: who had refused from the start
            never had data sent anywhere.
        """
        import pandas as pd

        from ethicalai_lab.consent.events import as_frame

        frame = as_frame(events)
        frame = frame[frame["action"].isin(["withdraw", "object", "opt_out", "refuse"])]
        frame = frame.drop_duplicates(["person", "purpose", "time"]).reset_index(drop=True)
        if len(frame):
            frame["time"] = read_times(frame["time"], "time", error=ConsentError)
            just_before = frame["time"] - pd.Timedelta(microseconds=1)
            had = self._ledger.permitted(frame["person"], frame["purpose"], just_before)
            frame = frame[had].reset_index(drop=True)
        rng = np.random.default_rng(seed)
        parts = []
        for name in self.purposes.names:
            rows = frame[frame["purpose"] == name]
            for recipient in self.purposes[name].recipients:
                if recipient in self.delays and len(rows):
                    parts.append(self._notify(rows, recipient, rng))
        columns = ["person", "purpose", "recipient", "regime", "said", "acted", "due", "late"]
        if not parts:
            empty = pd.DataFrame({c: pd.Series(dtype=object) for c in columns})
            for c in ("said", "acted", "due"):
                empty[c] = empty[c].astype("datetime64[us]")
            return Delivery(empty.astype({"late": bool}))
        table = pd.concat(parts, ignore_index=True)
        table["due"] = self._deadlines(table)
        never = table["acted"].isna()
        table["late"] = table["due"].notna() & (never | (table["acted"] >= table["due"]))
        return Delivery(table[columns])

    def _notify(self, rows: pd.DataFrame, recipient: str, rng: np.random.Generator) -> Any:
        import pandas as pd

        delay = self.delays[recipient]
        days = delay.median_days * np.exp(delay.spread * rng.standard_normal(len(rows)))
        lost = rng.random(len(rows)) < delay.lost
        said = rows["time"].reset_index(drop=True)
        acted = said + pd.to_timedelta(np.round(days * 86_400), unit="s").astype("timedelta64[us]")
        return pd.DataFrame(
            {
                "person": rows["person"].to_numpy(),
                "purpose": rows["purpose"].astype(str).to_numpy(),
                "recipient": recipient,
                "regime": rows["regime"].astype(str).to_numpy(),
                "said": said,
                "acted": acted.mask(lost),
            }
        )

    def _deadlines(self, table: pd.DataFrame) -> pd.Series:
        import pandas as pd

        last = pd.Series(pd.NaT, index=table.index, dtype="datetime64[us]")
        shared = table["purpose"].map(lambda name: self.purposes[name].sale_or_sharing)
        california = (table["regime"] == "ccpa") & shared.astype(bool)
        if california.any():
            last[california] = due("ccpa", "opt_out", table.loc[california, "said"]).to_numpy()
        if self.house_days is not None:
            own = last.isna()
            last[own] = table.loc[own, "said"] + pd.Timedelta(days=self.house_days)
        return last
