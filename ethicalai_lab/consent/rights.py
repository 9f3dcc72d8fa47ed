"""Requests of the people: access and erasure, answered with all that is held.

References
----------
GDPR Arts 15, 17 and 21.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ethicalai_lab.consent.errors import ConsentError
from ethicalai_lab.core.checks import need_columns
from ethicalai_lab.core.identity import person_keys, same_person
from ethicalai_lab.core.report import Report

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from ethicalai_lab.consent.ledger import ConsentLedger, Erasure

__all__ = ["ErasureAnswer", "RightsDesk"]

_PERSON = "customer_id"


class ErasureAnswer(NamedTuple):
    """Answer to a request for erasure.

    Attributes
    ----------
    deleted : dict of str to int
        Rows deleted, by table.
    kept : dict of str to str
        Tables of which rows were kept, with the reason.
    ledger : Erasure
        What the ledger removed and kept.
    """

    deleted: dict[str, int]
    kept: dict[str, str]
    ledger: Erasure


class RightsDesk:
    """Answers people's requests over all tables in which they appear.

    Parameters
    ----------
    ledger : ConsentLedger
    tables : mapping of str to DataFrame
        Each with a column customer_id.

    Raises
    ------
    ConsentError
        If a table lacks that column: what nobody can be found in would be left out of every
        answer.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.consent import ConsentLedger, RightsDesk
    >>> with ConsentLedger(None, now="2026-01-12") as ledger:
    ...     desk = RightsDesk(ledger, {"orders": pd.DataFrame({"customer_id": [7, 8]})})
    ...     desk.erase(7).deleted
    {'orders': 1}
    """

    def __init__(self, ledger: ConsentLedger, tables: Mapping[str, pd.DataFrame]) -> None:
        for name, table in tables.items():
            need_columns(table, [_PERSON], f'table "{name}"', ConsentError)
        self._ledger = ledger
        self.tables = dict(tables)

    def access(self, person: int | str, at: Any = None) -> Report:
        """Return all that is held about a person, and what it is used for.

        Returns
        -------
        Report
            Every row of every table; ``consents``, all that the person ever said; ``uses``,
            one row a purpose: whether it is permitted and why, its data, how long they are
            kept, and who receives them.
        """
        number = _number(person)
        uses = self._ledger.choices(number, at)[["purpose", "title", "permitted", "because"]]
        purposes = [self._ledger.purposes[name] for name in uses["purpose"]]
        uses = uses.assign(
            data=[", ".join(purpose.data) for purpose in purposes],
            retention_days=[purpose.retention_days for purpose in purposes],
            recipients=[", ".join(purpose.recipients) for purpose in purposes],
        )
        held = {name: self.tables[name][rows].copy() for name, rows in self._rows(person).items()}
        said = {"consents": self._ledger.history(number), "uses": uses}
        return Report(f"All that is held about {number}", held | said)

    def erase(
        self, person: int | str, at: Any = None, *, keep: Mapping[str, str] | None = None
    ) -> ErasureAnswer:
        """Delete a person from every table and unlink the ledger.

        Parameters
        ----------
        person : int or str
            As a number or as its digits: 7 and "7" are the same person.
        at : time, optional
        keep : mapping of str to str, optional
            Tables to leave as they are, each with the legal ground (GDPR Art 17(3)).

        Returns
        -------
        ErasureAnswer

        Raises
        ------
        ConsentError
            If `keep` names no table or gives no reason. If no table and no ledger holds the
            person, or a table holds only who may be the person: then nothing is deleted.
        """
        kept = dict(keep or {})
        for name, reason in kept.items():
            if name not in self.tables:
                raise ConsentError(f'There is no table "{name}" to keep.')
            if not isinstance(reason, str) or not reason.strip():
                raise ConsentError(f'Keeping "{name}" needs a reason that can be told.')
        rows = self._rows(person)  # of every table, before anything is deleted
        ledger = self._ledger.erase(_number(person), at)
        if not ledger.known and not any(found.any() for found in rows.values()):
            raise ConsentError(
                f"Nobody was erased: neither {', '.join(self.tables) or 'a table'} nor the "
                f"ledger holds {_PERSON} {person!r}."
            )
        gone = {name: found for name, found in rows.items() if name not in kept}
        self.tables |= {name: self.tables[name][~found].copy() for name, found in gone.items()}
        return ErasureAnswer({name: int(n.sum()) for name, n in gone.items()}, kept, ledger)

    def _rows(self, person: int | str) -> dict[str, NDArray[np.bool_]]:
        return {
            name: same_person(table[_PERSON], person, f"{name}: {_PERSON}", error=ConsentError)
            for name, table in self.tables.items()
        }


def _number(person: int | str) -> int:
    """Return the whole number under which the ledger knows a person."""
    key = person_keys(person, "person", error=ConsentError)[0]
    if not (key.isascii() and key.removeprefix("-").isdigit() and str(int(key)) == key):
        raise ConsentError(
            f"person is {person!r}; the ledger knows people by a whole number such as 7."
        )
    return int(key)
