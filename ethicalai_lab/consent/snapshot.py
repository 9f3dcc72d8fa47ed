"""The ledger's word on events that are in memory: for what-ifs, where nothing is to be kept.

The rules are the ledger's own (the same index decides); there is no file, no suppression
list and no evidence, so a snapshot can say what would be permitted but can prove nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.consent.events import check, codes, microseconds, persons
from ethicalai_lab.consent.index import GDPR, build, register
from ethicalai_lab.consent.places import AGE_OF_CONSENT, places
from ethicalai_lab.consent.purposes import Purposes

__all__ = ["PermissionSnapshot"]


class PermissionSnapshot:
    """What events of consent permit, decided as the ledger decides, without a database.

    Parameters
    ----------
    events : DataFrame
        As :meth:`ConsentLedger.record` takes them.
    people : DataFrame
        As :meth:`ConsentLedger.register` takes them, without since.
    now : time
        No event may lie after it.

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

    def __init__(self, events: Any, people: Any, *, now: Any) -> None:
        self.purposes = Purposes.default()
        moment = int(microseconds([now], "now")[0])
        person, regime, born, _ = places(people, moment)
        known = register(person, regime, born, AGE_OF_CONSENT)
        said = check(events, self.purposes, moment)
        self._index = build(said, known, self.purposes, default=GDPR)

    def permitted(self, people: ArrayLike, purpose: str, at: Any) -> NDArray[np.bool_]:
        """Say for each person whether data may be used for a purpose at a moment.

        Parameters
        ----------
        people : array-like of int, shape (n,)
        purpose : str
        at : time

        Returns
        -------
        ndarray of bool, shape (n,)
        """
        person = persons(people, "people")
        asked = codes([purpose], self.purposes.names, "purpose")
        moment = microseconds([at], "at")
        return self._index.permitted(person, *np.broadcast_arrays(asked, moment, person)[:2])
