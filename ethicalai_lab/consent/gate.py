"""One gate through which data is read: for a purpose, at a time, and nothing else.

Three things are kept back: rows of people who do not permit the purpose at that moment,
columns that the purpose may not use, and rows older than the purpose's retention. What
leaves is built anew, so that no category, level, label or note of what stays behind comes
along.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ethicalai_lab.consent._release import rebuild
from ethicalai_lab.consent.errors import ConsentError
from ethicalai_lab.consent.events import microseconds

if TYPE_CHECKING:
    import pandas as pd

    from ethicalai_lab.consent.ledger import ConsentLedger, LedgerReader

__all__ = ["Expiry", "Gate", "Reading"]


@dataclass(frozen=True)
class Reading:
    """What one reading let through and kept back.

    Attributes
    ----------
    purpose : str
    at : Timestamp
    rows, released : int
        Rows asked for, and rows that left.
    no_permission, too_old : int
        Rows kept back, and why; who does not permit is counted first.
    withheld : tuple of str
        Columns kept back.
    """

    purpose: str
    at: Any
    rows: int
    released: int
    no_permission: int
    too_old: int
    withheld: tuple[str, ...]


@dataclass(frozen=True)
class Expiry:
    """A table after retention, and how much was deleted.

    Attributes
    ----------
    table : DataFrame
        What may still be held.
    deleted : int
    held_for : Series
        For each kept row the purpose that lets it be held the longest.
    """

    table: pd.DataFrame = field(repr=False)
    deleted: int
    held_for: pd.Series = field(repr=False)


class Gate:
    """Reads tables for a purpose, by the ledger's word.

    Parameters
    ----------
    ledger : ConsentLedger or LedgerReader
    person : str, default "customer_id"
        The column that says whom a row is about.
    regime : str, optional
        A stricter regime for all: what it permits is let through where each person's own
        permits it as well. A gate can be tightened, never loosened.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.consent import ConsentLedger, Gate
    >>> table = pd.DataFrame({"customer_id": [1, 2], "email": "x@example.org",
    ...                       "history": [20.0, 90.0], "health_interest": [0.1, 0.9]})
    >>> with ConsentLedger(None, now="2026-01-12") as ledger:
    ...     _ = ledger.record({"person": 2, "purpose": "personalization", "action": "grant",
    ...         "time": "2025-03-01", "notice_version": "1", "source": "banner",
    ...         "regime": "gdpr"})
    ...     Gate(ledger).read(table, "personalization", "2026-01-12")
       customer_id  history
    1            2     90.0
    """

    def __init__(
        self,
        ledger: ConsentLedger | LedgerReader,
        *,
        person: str = "customer_id",
        regime: str | None = None,
    ) -> None:
        self._ledger = getattr(ledger, "reader", ledger)
        self.purposes = ledger.purposes
        self.person = person
        self.regime = regime
        self._log: list[Reading] = []

    def read(
        self,
        table: pd.DataFrame,
        purpose: str,
        at: Any,
        *,
        columns: Iterable[str] | None = None,
        time: str | None = None,
    ) -> pd.DataFrame:
        """Return what may be used for a purpose at a moment.

        Parameters
        ----------
        table : DataFrame
            With the person's column. Its index counts as columns: row numbers stay, labels
            stay where the purpose may use them by name.
        purpose : str
        at : time
        columns : iterable of str, optional
            Columns wanted; all that the purpose may use by default. Asking for one that it
            may not use is an error, not a silent gap.
        time : str, optional
            The column with each row's time; rows older than the purpose's retention, and
            rows of after `at`, stay behind. It leaves only if the purpose may use it.

        Returns
        -------
        DataFrame
            A table of its own: rows keep their order, and their labels where these may be
            used, else their positions; the person's column comes first. Nothing in it tells
            what stayed behind: no category, level, name or attribute.

        Raises
        ------
        ConsentError
            If a column is missing, or wanted and not permitted, or holds what cannot be
            looked into.
        """
        import pandas as pd

        spec = self.purposes[purpose]
        self._check(table, time)
        moment = pd.Timestamp(int(microseconds([at], "at")[0]), unit="us")
        usable = set(self.purposes.columns(purpose))
        keys = [self.person] + ([time] if time in usable and time != self.person else [])
        if columns is None:
            wanted = [c for c in table.columns if c in usable and c not in keys]
        else:
            wanted = [columns] if isinstance(columns, str) else list(columns)
            for column in wanted:
                if column not in table.columns:
                    raise ConsentError(f'The table has no column "{column}".')
                if column not in usable and column not in keys:
                    category = self.purposes.category_of(column)
                    of = f"is {category.name} data" if category else "belongs to no data category"
                    raise ConsentError(
                        f'Column "{column}" {of} and may not be used for {purpose}; that purpose '
                        f"uses {', '.join(spec.data)}."
                    )
            wanted = [c for c in dict.fromkeys(wanted) if c not in keys]
        allowed = self._permitted(table, purpose, moment)
        fresh = np.ones(len(table), dtype=bool)
        if time is not None:
            fresh = self._age_ok(table, time, moment, spec.retention_days)
        released = rebuild(table, allowed & fresh, keys + wanted, {self.person, *usable})
        self._log.append(
            Reading(
                purpose,
                moment,
                len(table),
                len(released),
                int((~allowed).sum()),
                int((allowed & ~fresh).sum()),
                tuple(c for c in table.columns if c not in keys + wanted)
                + tuple(n for n in table.index.names if n not in (None, *released.index.names)),
            )
        )
        return released

    def expire(self, table: pd.DataFrame, at: Any, *, time: str) -> Expiry:
        """Delete the rows that no purpose lets be held any longer.

        A row may be held while at least one purpose that uses any of the table's columns is
        permitted by the person, and the row is no older than that purpose's retention.

        Parameters
        ----------
        table : DataFrame
        at : time
        time : str
            The column with each row's time.

        Returns
        -------
        Expiry

        Raises
        ------
        ConsentError
            If a column is missing, or no purpose uses any column of the table.
        """
        import pandas as pd

        self._check(table, time)
        moment = pd.Timestamp(int(microseconds([at], "at")[0]), unit="us")
        held = np.zeros(len(table), dtype=bool)
        reason = np.full(len(table), None, dtype=object)
        users = [
            self.purposes[name]
            for name in self.purposes
            if set(self.purposes.columns(name)) & (set(table.columns) - {time, self.person})
        ]
        if not users:
            raise ConsentError("No purpose uses any column of this table; it should not be held.")
        for spec in sorted(users, key=lambda p: p.retention_days):
            keeps = self._permitted(table, spec.name, moment) & self._age_ok(
                table, time, moment, spec.retention_days, future=True
            )
            held |= keeps
            reason[keeps] = spec.name
        kept = rebuild(table, held, list(table.columns))
        return Expiry(
            kept, int((~held).sum()), pd.Series(reason[held], index=kept.index, name="held_for")
        )

    @property
    def log(self) -> pd.DataFrame:
        """Every reading so far, one a row: what was asked, what left, what stayed behind."""
        import pandas as pd

        names = tuple(Reading.__dataclass_fields__)
        return pd.DataFrame([[getattr(r, n) for n in names] for r in self._log], columns=names)

    def _permitted(self, table: pd.DataFrame, purpose: str, moment: Any) -> Any:
        people = table[self.person]
        allowed = self._ledger.permitted(people, purpose, moment)
        if self.regime is not None:
            allowed &= self._ledger.permitted(people, purpose, moment, regime=self.regime)
        return allowed

    def _check(self, table: Any, time: str | None) -> None:
        import pandas as pd

        if not isinstance(table, pd.DataFrame):
            raise ConsentError(f"table is a {type(table).__name__}; a DataFrame is accepted.")
        if not table.columns.is_unique:
            raise ConsentError("table has two columns of one name; names must be distinct.")
        if table.columns.nlevels > 1:
            raise ConsentError(
                "table has column names of several levels; plain names are accepted."
            )
        for column in (self.person, time):
            if column is not None and column not in table.columns:
                raise ConsentError(
                    f'table lacks the column "{column}"; without it nobody can say whose data '
                    "a row holds, or how old it is."
                )

    @staticmethod
    def _age_ok(
        table: pd.DataFrame, time: str, moment: Any, days: int, *, future: bool = False
    ) -> Any:
        stamp = microseconds(table[time], time)
        now = int(moment.value) // 1000  # value counts nanoseconds, whatever the unit
        young = stamp >= now - days * 86_400_000_000
        return young if future else young & (stamp <= now)
