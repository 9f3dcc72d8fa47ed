"""Purposes: what data is used for, on which basis, for how long, and who receives it.

They stand in ``purposes.yaml``. Names follow the W3C Data Privacy Vocabulary (DPV) and the IAB
Transparency & Consent Framework (TCF), so that a purpose here means what it means elsewhere.
Purposes form no tree in which one consent covers what lies beneath: DPV's branches share
children, and consent to ``Personalisation`` must not silently cover ``TargetedAdvertising``.
Each purpose is asked and answered by itself.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ethicalai_lab.consent import data
from ethicalai_lab.consent.errors import ConsentError
from ethicalai_lab.errors import did_you_mean

__all__ = ["BASES", "REGIMES", "Basis", "DataCategory", "Purpose", "Purposes"]

REGIMES = ("gdpr", "ccpa", "other")


class Basis(NamedTuple):
    """What a lawful basis or a model of choice lets a house do.

    Attributes
    ----------
    unasked : bool
        Whether data may be used before any answer.
    refusable : bool
        Whether the person may say no.
    presumed : bool
        Whether silence is read as a yes, which it is not from a child.
    """

    unasked: bool
    refusable: bool
    presumed: bool = False


BASES = {name: Basis(**told) for name, told in data.read("purposes")["bases"].items()}


@dataclass(frozen=True)
class DataCategory:
    """A kind of data, and the columns that hold it.

    Attributes
    ----------
    origin : {"provided", "observed", "inferred"}
        Whether the person gave it, it was seen, or it was concluded.
    columns : list of str
    sensitive : bool
        Of a special category (GDPR Art 9) or sensitive by the Californian list.
    """

    origin: str
    columns: list[str]
    sensitive: bool = False


@dataclass(frozen=True)
class Purpose:
    """One purpose.

    Attributes
    ----------
    name : str
        How code and ledger call it.
    title : str
        How people read it.
    dpv : str
        Term of the W3C Data Privacy Vocabulary.
    tcf : tuple of int
        Purposes of the IAB framework, 1 to 11; may be empty.
    basis : dict
        By regime: a lawful basis under the GDPR, elsewhere a model of choice.
    data : list of str
        Names of data categories.
    retention_days : int
        How long the data may be used for it, from 1 on.
    recipients : list of str
    objection_covers : sequence of str
        Purposes that an objection to this one ends as well: for direct marketing the
        profiling that serves it (GDPR Art 21(2)).
    sale_or_sharing : bool
        Whether it is a sale or sharing by Californian law.
    """

    name: str
    title: str
    dpv: str
    basis: Mapping[str, str]
    data: list[str]
    retention_days: int
    recipients: list[str]
    tcf: tuple[int, ...] = ()
    objection_covers: tuple[str, ...] = ()
    sale_or_sharing: bool = False

    def asked(self, regime: str) -> bool:
        """Whether a person may say no to it under a regime."""
        return BASES[self.basis[regime]].refusable

    def before_answer(self, regime: str) -> bool:
        """Whether data may be used for it before any answer of an adult."""
        return BASES[self.basis[regime]].unasked


class Purposes(Mapping[str, Purpose]):
    """The purposes of a house, by name, and the data categories they use.

    Parameters
    ----------
    purposes : mapping of str to Purpose
    categories : mapping of str to DataCategory

    Examples
    --------
    >>> from ethicalai_lab.consent import Purposes
    >>> purposes = Purposes.default()
    >>> purposes["direct_marketing"].basis["gdpr"]
    'consent'
    >>> purposes["direct_marketing"].objection_covers
    ['personalization', 'health_personalization']
    """

    def __init__(
        self, purposes: Mapping[str, Purpose], categories: Mapping[str, DataCategory]
    ) -> None:
        self._purposes, self.categories = purposes, categories
        self.names = tuple(purposes)  # in the file's order

    def __getitem__(self, name: str) -> Purpose:
        if name not in self.names:
            raise ConsentError(
                f'There is no purpose "{name}"; known are {", ".join(self.names)}.'
                f"{did_you_mean(name, self.names)}"
            )
        return self._purposes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def asked(self, regime: str) -> tuple[str, ...]:
        """Return the names of the purposes that people may say no to under a regime."""
        return tuple(name for name in self.names if self[name].asked(regime))

    def columns(self, purpose: str) -> tuple[str, ...]:
        """Return the columns that a purpose may use."""
        return tuple(
            column
            for category in self[purpose].data
            for column in self.categories[category].columns
        )

    @classmethod
    @functools.cache
    def default(cls) -> Purposes:
        """Return the purposes that come with the lab."""
        told = data.read("purposes")
        return cls(
            {name: Purpose(name, **purpose) for name, purpose in told["purposes"].items()},
            {name: DataCategory(**kind) for name, kind in told["data_categories"].items()},
        )
