"""Keeping the index: after a change only the people it touches are sorted anew.

Answers of one person never depend on another's. So a large index is left as it is, and a
small one over all events of the touched people stands before it. Small ones are merged as
they grow, and when they reach an eighth of the large one, all is sorted anew: each event is
sorted a few times only, however many come one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethicalai_lab.consent.index import Index

__all__ = ["Events", "Layers"]

# a layer is merged with the next while it is at least a quarter of it
_RATIO = 4
_LARGEST = 8
_SMALL = 1_000


class Events:
    """The events of known people as arrays that grow, in order of arrival.

    Parameters
    ----------
    columns : dict of ndarray
        All of one length; one is `person`.
    """

    def __init__(self, columns: dict[str, NDArray[Any]]) -> None:
        self._columns = columns
        self._size = columns["person"].size
        self._live = np.ones(self._size, dtype=bool)
        self._make_room(self._size + 1)  # now, where it costs little beside reading them
        self._sort()

    def _sort(self) -> None:
        self._sorted = self._size
        self._order = np.argsort(self._columns["person"][: self._size], kind="stable")

    def _make_room(self, end: int) -> None:
        if end <= self._live.size:
            return
        room = end + end // _LARGEST + _SMALL
        self._live = np.append(self._live, np.ones(room - self._live.size, dtype=bool))
        for name, column in self._columns.items():
            grown = np.empty(room, dtype=column.dtype)
            grown[: self._size] = column[: self._size]
            self._columns[name] = grown

    def add(self, new: dict[str, NDArray[Any]]) -> None:
        """Add events at the end; room is made for many more at once."""
        end = self._size + new["person"].size
        self._make_room(end)
        for name, column in self._columns.items():
            column[self._size : end] = new[name]
        self._size = end

    def drop(self, people: NDArray[np.int64]) -> None:
        """Take out all events of some people."""
        self._live[self.rows(people)] = False

    def rows(self, people: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Return the numbers of the events of some people (sorted), or of all."""
        if people is None:
            if self._size - self._sorted > self._sorted // _LARGEST:
                self._sort()
            return np.flatnonzero(self._live[: self._size])
        person = self._columns["person"]
        low, high = (
            np.searchsorted(person[: self._sorted], people, side=side, sorter=self._order)
            for side in ("left", "right")
        )
        many = high - low
        step = np.repeat(low - np.cumsum(many) + many, many)
        old = self._order[step + np.arange(step.size)]
        new = np.flatnonzero(np.isin(person[self._sorted : self._size], people)) + self._sorted
        rows = np.sort(np.concatenate([old, new]))
        return rows[self._live[rows]]

    def take(self, rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Return the columns of some events."""
        whole = rows.size == self._size
        chosen = slice(self._size) if whole else rows
        return {name: column[chosen] for name, column in self._columns.items()}

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._columns[name]


class Layers:
    """Indexes that together answer for everyone.

    Parameters
    ----------
    build : callable
        Returns the index of some people, or of all when given None.
    """

    def __init__(self, build: Callable[[NDArray[np.int64] | None], Index]) -> None:
        self._build = build
        self._base: Index | None = None
        self._layers: list[tuple[NDArray[np.int64], Index]] = []
        self._touched: list[NDArray[np.int64]] = []

    def touch(self, people: NDArray[np.int64]) -> None:
        """Note that what is known of some people has changed."""
        if self._base is not None:
            self._touched.append(people)

    def _settle(self) -> Index:
        if self._base is not None and not self._touched:
            return self._base
        people = np.unique(np.concatenate(self._touched)) if self._touched else np.empty(0, int)
        while self._layers and self._layers[-1][0].size <= _RATIO * people.size:
            people = np.union1d(people, self._layers.pop()[0])
        if self._base is None or people.size > max(_SMALL, self._base.people.size // _LARGEST):
            self._layers.clear()
            self._base = self._build(None)
        else:
            self._layers.append((people, self._build(people)))
        self._touched.clear()
        return self._base

    def split(self, person: NDArray[np.int64]) -> Iterator[tuple[Index, Any]]:
        """Yield each index and which of the people it answers for."""
        base = self._settle()
        if not self._layers:
            yield base, slice(None)
            return
        rest = np.arange(person.size)
        for people, index in reversed(self._layers):
            here = np.isin(person[rest], people)
            if here.any():
                yield index, rest[here]
                rest = rest[~here]
        if rest.size:
            yield base, rest

    def of(self, one: NDArray[np.int64]) -> Index:
        """Return the index that answers for one person."""
        ((index, _),) = self.split(one)
        return index
