"""The ledger's word on events that are in memory: for what-ifs, where nothing is to be kept.

The rules are the ledger's own (the same index decides); there is no file, no suppression
list and no evidence, so a snapshot can say what would be permitted but can prove nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.consent import _index
from ethicalai_lab.consent.errors import LedgerError
from ethicalai_lab.consent.events import check, microseconds, persons
from ethicalai_lab.consent.ledger import _code, _columns
from ethicalai_lab.consent.purposes import REGIMES, Purposes

__all__ = ["PermissionSnapshot"]


class PermissionSnapshot:
    """What events of consent permit, decided as the ledger decides, without a database.

    Parameters
    ----------
    events : DataFrame
        As :meth:`ConsentLedger.record` takes them.
    people : DataFrame
        Columns person, regime ("gdpr", "ccpa" or "other") and optionally birth_date; one
        row a person.
    now : time
        No event may lie after it.
    child_age : int, default 16

    Raises
    ------
    LedgerError
        As :meth:`ConsentLedger.record` and :meth:`ConsentLedger.register`.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.consent.snapshot import PermissionSnapshot
    >>> said = {"person": 7, "purpose": "analytics", "action": "grant", "time": "2025-03-01",
    ...         "notice_version": "2025-1", "source": "banner", "regime": "gdpr"}
    >>> people = pd.DataFrame({"person": [7, 8], "regime": ["gdpr", "other"]})
    >>> snapshot = PermissionSnapshot([said], people, now="2026-01-12")
    >>> snapshot.permitted([7, 8], "analytics", "2026-01-12").tolist()
    [True, True]
    >>> snapshot.permitted([7, 8], "analytics", "2025-01-12").tolist()
    [False, True]
    """

    def __init__(
        self,
        events: Any,
        people: Any,
        *,
        now: Any,
        child_age: int = 16,
    ) -> None:
        self.purposes = Purposes.default()
        self._now = int(microseconds([now], "now")[0])
        self._events = _columns(check(events, self.purposes, self._now))
        self._register = _registered(people, child_age)
        self._indexes: dict[int | None, _index.Index] = {}

    def permitted(
        self, people: ArrayLike, purpose: str, at: Any, *, regime: str | None = None
    ) -> NDArray[np.bool_]:
        """Say for each person whether data may be used for a purpose at a moment.

        Parameters
        ----------
        people : array-like of int, shape (n,)
        purpose : str
        at : time
        regime : {"gdpr", "ccpa", "other"}, optional
            As in :meth:`ConsentLedger.permitted`.

        Returns
        -------
        ndarray of bool, shape (n,)
        """
        names = self.purposes.names
        if purpose not in names:
            raise LedgerError(f'There is no purpose "{purpose}"; known are {", ".join(names)}.')
        override = None if regime is None else _code(regime, REGIMES, "regime")
        if override not in self._indexes:
            self._indexes[override] = _index.build(
                self._events, self._register, self.purposes, default_regime=0, override=override
            )
        moment = int(microseconds([at], "at")[0])
        person = persons(np.asarray(people), "people")
        return self._indexes[override].permitted(person, names.index(purpose), moment)


def _registered(people: Any, child_age: int) -> _index.Register:
    import pandas as pd

    if not isinstance(people, pd.DataFrame):
        raise LedgerError(f"people is a {type(people).__name__}; a DataFrame is accepted.")
    for column in ("person", "regime"):
        if column not in people.columns:
            raise LedgerError(f'people lacks the column "{column}".')
    person = persons(people["person"], "person")
    if np.unique(person).size < person.size:
        raise LedgerError("people names a person twice; one row each is accepted.")
    codes, words = pd.factorize(people["regime"])
    known = np.array([_code(word, REGIMES, "regime") for word in words], dtype=np.int8)
    if (codes < 0).any():
        raise LedgerError(f"people, row {int((codes < 0).argmax())}: regime is missing.")
    born = np.full(person.size, np.datetime64("NaT", "D"))
    if "birth_date" in people.columns:
        born = people["birth_date"].to_numpy().astype("M8[D]")
    return _index.register(person, known[codes], born, child_age)
