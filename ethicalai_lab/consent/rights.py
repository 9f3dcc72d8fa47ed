"""Requests of the people: access, portability, erasure, answered with all that is held.

References
----------
GDPR Arts 15, 17, 20 and 21; WP242 (portability reaches what was provided and observed,
not what was inferred).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ethicalai_lab.consent.errors import ConsentError
from ethicalai_lab.core.identity import person_keys, same_person

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from ethicalai_lab.consent.ledger import ConsentLedger, Erasure

__all__ = ["Access", "ErasureAnswer", "RightsDesk"]


@dataclass(frozen=True)
class Access:
    """Answer to a request for access.

    Attributes
    ----------
    person : int
    tables : dict of str to DataFrame
        Every row held about the person, with every column.
    consents : DataFrame
        The person's history in the ledger.
    uses : DataFrame
        One row a purpose: title, whether it is permitted now and why, data, retention and
        the actual recipients.
    """

    person: int
    tables: dict[str, pd.DataFrame]
    consents: pd.DataFrame
    uses: pd.DataFrame

    @property
    def rows(self) -> int:
        """Rows held in all tables."""
        return sum(len(table) for table in self.tables.values())

    def to_json(self) -> str:
        """Return everything in a common machine-readable form."""
        return json.dumps(
            {
                "person": self.person,
                "tables": {name: _records(table) for name, table in self.tables.items()},
                "consents": _records(self.consents),
                "uses": _records(self.uses),
            },
            ensure_ascii=False,
        )


@dataclass(frozen=True)
class ErasureAnswer:
    """Answer to a request for erasure.

    Attributes
    ----------
    tables : dict of str to DataFrame
        The tables without the person.
    deleted : dict of str to int
        Rows deleted, by table.
    kept : dict of str to str
        Tables of which rows were kept, with the reason.
    ledger : Erasure
        What the ledger removed and kept.
    """

    tables: dict[str, pd.DataFrame]
    deleted: dict[str, int]
    kept: dict[str, str]
    ledger: Erasure


class RightsDesk:
    """Answers people's requests over all tables in which they appear.

    Parameters
    ----------
    ledger : ConsentLedger
    tables : mapping of str to DataFrame
    person : str, default "customer_id"

    Raises
    ------
    ConsentError
        If a table lacks the person's column: what nobody can be found in would be left out
        of every answer.
    """

    def __init__(
        self,
        ledger: ConsentLedger,
        tables: Mapping[str, pd.DataFrame],
        *,
        person: str = "customer_id",
    ) -> None:
        for name, table in tables.items():
            if person not in table.columns:
                raise ConsentError(
                    f'Table "{name}" lacks the column "{person}"; without it no one in it can be '
                    "found, and every answer would leave it out."
                )
        self._ledger = ledger
        self.tables = dict(tables)
        self.person = person

    def access(self, person: int | str, at: Any = None) -> Access:
        """Return all that is held about a person, and what it is used for."""
        number = _number(person)
        choices = self._ledger.choices(number, at)
        purposes = self._ledger.purposes
        uses = choices[["purpose", "title", "permitted", "because"]].copy()
        uses["data"] = [", ".join(purposes[p].data) for p in uses["purpose"]]
        uses["retention_days"] = [purposes[p].retention_days for p in uses["purpose"]]
        uses["recipients"] = [", ".join(purposes[p].recipients) for p in uses["purpose"]]
        return Access(number, self._of(person), self._ledger.history(number), uses)

    def portability(self, person: int | str) -> dict[str, list[dict[str, Any]]]:
        """Return what a person may take along: provided or observed, on consent or contract.

        Returns
        -------
        dict
            Table name to rows of plain values; ready for JSON. Columns of inferred data
            and of purposes that rest on another basis are left out.
        """
        purposes = self._ledger.purposes
        registered = self._ledger.choices(_number(person))
        portable = set()
        for name in registered.loc[registered["permitted"], "purpose"]:
            if purposes[name].basis["gdpr"] in ("consent", "explicit_consent", "contract"):
                for category in purposes[name].data:
                    if purposes.categories[category].origin != "inferred":
                        portable |= set(purposes.categories[category].columns)
        taken = {}
        for name, rows in self._of(person).items():
            columns = [c for c in rows.columns if c in portable]
            if columns and len(rows):
                keys = [c for c in ("time",) if c in rows.columns]
                taken[name] = _records(rows[keys + columns])
        return taken

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
        keep = dict(keep or {})
        for name, reason in keep.items():
            if name not in self.tables:
                raise ConsentError(f'There is no table "{name}" to keep.')
            if not isinstance(reason, str) or not reason.strip():
                raise ConsentError(f'Keeping "{name}" needs a reason that can be told.')
        rows = self._rows(person)  # of every table, before anything is deleted
        ledger = self._ledger.erase(_number(person), at)
        if not ledger.known and not any(found.any() for found in rows.values()):
            raise ConsentError(
                f"Nobody was erased: neither {', '.join(self.tables) or 'a table'} nor the "
                f"ledger holds {self.person} {person!r}."
            )
        deleted = {}
        for name, found in rows.items():
            if name not in keep:
                deleted[name] = int(found.sum())
                self.tables[name] = self.tables[name][~found].copy()
        return ErasureAnswer(dict(self.tables), deleted, keep, ledger)

    def _rows(self, person: int | str) -> dict[str, NDArray[np.bool_]]:
        return {
            name: same_person(
                table[self.person], person, f"{name}: {self.person}", error=ConsentError
            )
            for name, table in self.tables.items()
        }

    def _of(self, person: int | str) -> dict[str, pd.DataFrame]:
        return {name: self.tables[name][rows].copy() for name, rows in self._rows(person).items()}


def _number(person: int | str) -> int:
    """Return the whole number under which the ledger knows a person."""
    key = person_keys(person, "person", error=ConsentError)[0]
    if not (key.isascii() and key.removeprefix("-").isdigit() and str(int(key)) == key):
        raise ConsentError(
            f"person is {person!r}; the ledger knows people by a whole number such as 7."
        )
    return int(key)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(table.to_json(orient="records", date_format="iso"))
