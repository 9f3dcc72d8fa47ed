"""One gate through which data is read: for a purpose, at a time, and nothing else.

Three things are kept back: rows of people who do not permit the purpose at that moment,
columns that the purpose may not use, and rows older than the purpose's retention. What
leaves is built anew, so that no category, level, label or note of what stays behind comes
along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ethicalai_lab.consent.errors import ConsentError
from ethicalai_lab.consent.events import microseconds
from ethicalai_lab.consent.release import rebuild
from ethicalai_lab.core.checks import need_columns

if TYPE_CHECKING:
    import pandas as pd

    from ethicalai_lab.consent.ledger import ConsentLedger, LedgerReader

__all__ = ["Enforcement"]

_PERSON = "customer_id"
_DAY = 86_400_000_000
_LOGGED = ("purpose", "at", "rows", "released", "no_permission", "too_old", "withheld")


class Enforcement:
    """Reads tables for a purpose, by the ledger's word.

    Parameters
    ----------
    ledger : ConsentLedger or LedgerReader

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.consent import ConsentLedger, Enforcement
    >>> table = pd.DataFrame({"customer_id": [1, 2], "email": "x@example.org",
    ...                       "history": [20.0, 90.0], "health_interest": [0.1, 0.9]})
    >>> with ConsentLedger(None, now="2026-01-12") as ledger:
    ...     _ = ledger.record({"person": 2, "purpose": "personalization", "action": "grant",
    ...         "time": "2025-03-01", "notice_version": "1", "source": "banner",
    ...         "regime": "gdpr"})
    ...     Enforcement(ledger).read(table, "personalization", "2026-01-12")
       customer_id  history
    1            2     90.0
    """

    def __init__(self, ledger: ConsentLedger | LedgerReader) -> None:
        self._ledger = getattr(ledger, "reader", ledger)
        self.purposes = ledger.purposes
        self._log: list[tuple[Any, ...]] = []

    def read(
        self, table: pd.DataFrame, purpose: str, at: Any, *, time: str | None = None
    ) -> pd.DataFrame:
        """Return what may be used for a purpose at a moment.

        Parameters
        ----------
        table : DataFrame
            With a column customer_id. Its index counts as columns: row numbers stay, labels
            stay where the purpose may use them by name.
        purpose : str
        at : time
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
            If a column is missing, or holds what cannot be looked into.
        """
        import pandas as pd

        _check(table, time)
        days = self.purposes[purpose].retention_days
        moment = int(microseconds([at], "at")[0])
        usable = set(self.purposes.columns(purpose))
        # the person first, then the time
        first = [_PERSON] + ([time] if time in usable and time != _PERSON else [])
        columns = first + [c for c in table.columns if c in usable and c not in first]
        allowed = self._ledger.permitted(table[_PERSON], purpose, np.datetime64(moment, "us"))
        fresh = np.ones(len(table), dtype=bool)
        if time is not None:
            stamp = microseconds(table[time], time)
            fresh = (stamp >= moment - days * _DAY) & (stamp <= moment)
        released = rebuild(table, allowed & fresh, columns, {_PERSON, *usable})
        withheld = [c for c in table.columns if c not in columns]
        withheld += [n for n in table.index.names if n not in (None, *released.index.names)]
        at = pd.Timestamp(moment, unit="us")
        kept_back = int((~allowed).sum()), int((allowed & ~fresh).sum())
        self._log.append(
            (purpose, at, len(table), len(released), *kept_back, tuple(withheld)),
        )
        return released

    def expire(self, table: pd.DataFrame, at: Any, *, time: str) -> pd.DataFrame:
        """Return the rows that a purpose still lets be held; the others are to be deleted.

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
        DataFrame

        Raises
        ------
        ConsentError
            If a column is missing, or no purpose uses any column of the table.
        """
        _check(table, time)
        moment = int(microseconds([at], "at")[0])
        age = moment - microseconds(table[time], time)
        used = set(table.columns) - {time, _PERSON}
        users = [name for name in self.purposes if used & set(self.purposes.columns(name))]
        if not users:
            raise ConsentError("No purpose uses any column of this table; it should not be held.")
        held: NDArray[np.bool_] = np.zeros(len(table), dtype=bool)
        for name in users:
            young = age <= self.purposes[name].retention_days * _DAY
            held |= young & self._ledger.permitted(
                table[_PERSON], name, np.datetime64(moment, "us")
            )
        return rebuild(table, held, list(table.columns), set(table.index.names))

    @property
    def log(self) -> pd.DataFrame:
        """Every reading so far, one a row: what was asked, what left, what stayed behind.

        Who does not permit is counted first, then what is too old.
        """
        import pandas as pd

        return pd.DataFrame(self._log, columns=_LOGGED)


def _check(table: pd.DataFrame, time: str | None) -> None:
    need_columns(table, [_PERSON] if time is None else [_PERSON, time], "table", ConsentError)
    if not table.columns.is_unique:
        raise ConsentError("table has two columns of one name; names must be distinct.")
    if table.columns.nlevels > 1:
        raise ConsentError("table has column names of several levels; plain names are accepted.")
