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

if TYPE_CHECKING:
    import pandas as pd

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

    def access(self, person: int, at: Any = None) -> Access:
        """Return all that is held about a person, and what it is used for."""
        choices = self._ledger.choices(person, at)
        purposes = self._ledger.purposes
        uses = choices[["purpose", "title", "permitted", "because"]].copy()
        uses["data"] = [", ".join(purposes[p].data) for p in uses["purpose"]]
        uses["retention_days"] = [purposes[p].retention_days for p in uses["purpose"]]
        uses["recipients"] = [", ".join(purposes[p].recipients) for p in uses["purpose"]]
        return Access(int(person), self._of(person), self._ledger.history(person), uses)

    def portability(self, person: int) -> dict[str, list[dict[str, Any]]]:
        """Return what a person may take along: provided or observed, on consent or contract.

        Returns
        -------
        dict
            Table name to rows of plain values; ready for JSON. Columns of inferred data
            and of purposes that rest on another basis are left out.
        """
        purposes = self._ledger.purposes
        registered = self._ledger.choices(person)
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
        self, person: int, at: Any = None, *, keep: Mapping[str, str] | None = None
    ) -> ErasureAnswer:
        """Delete a person from every table and unlink the ledger.

        Parameters
        ----------
        person : int
        at : time, optional
        keep : mapping of str to str, optional
            Tables to leave as they are, each with the legal ground (GDPR Art 17(3)).

        Raises
        ------
        ConsentError
            If `keep` names no table or gives no reason.
        """
        keep = dict(keep or {})
        for name, reason in keep.items():
            if name not in self.tables:
                raise ConsentError(f'There is no table "{name}" to keep.')
            if not isinstance(reason, str) or not reason.strip():
                raise ConsentError(f'Keeping "{name}" needs a reason that can be told.')
        deleted = {}
        for name, table in self.tables.items():
            if name in keep:
                continue
            stays = table[self.person] != person
            deleted[name] = int((~stays).sum())
            self.tables[name] = table[stays].copy()
        return ErasureAnswer(dict(self.tables), deleted, keep, self._ledger.erase(person, at))

    def _of(self, person: int) -> dict[str, pd.DataFrame]:
        return {n: t[t[self.person] == person].copy() for n, t in self.tables.items()}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(table.to_json(orient="records", date_format="iso"))
