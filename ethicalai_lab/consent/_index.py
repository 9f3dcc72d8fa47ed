"""Deciding fast: every person's answers in order of time, found by bisection.

What counts is the last decisive event at or before the moment asked about. An event is
*void* where the law gives it no force (a box that was ticked already, a child's own
click): it changes nothing. Of events with the same stamp the stricter holds. The order in
which events arrive plays no part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethicalai_lab.consent.events import GRANT, OBJECT, SOURCES
from ethicalai_lab.consent.purposes import BASES, REGIMES, Purposes

__all__ = ["Index", "Register", "build"]

GDPR, CCPA, OTHER = range(3)
# silence, pre-ticked boxes and inactivity are no consent (GDPR Recital 32)
_NOT_AFFIRMATIVE = np.isin(np.array(SOURCES), ["terms", "pre_ticked", "inactivity", "import"])
_EXPLICIT = np.isin(np.array(SOURCES), ["preference_centre", "signed_form", "parental"])
_PARENTAL = np.array(SOURCES) == "parental"
NEVER = np.iinfo(np.int64).min
# only void events so far: what holds is what this regime presumes of the silent
UNDECIDED = 2


@dataclass(frozen=True)
class Register:
    """Known people: regime, and from when on they may answer alone (microseconds).

    ``teen`` is the 13th birthday, ``adult`` the age of digital consent; both lie before
    all time where no birth date is known.
    """

    person: NDArray[np.int64]  # sorted, unique
    regime: NDArray[np.int8]
    teen: NDArray[np.int64]
    adult: NDArray[np.int64]

    def find(self, person: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return each person's position, -1 where not registered."""
        return _find(self.person, person)


@dataclass(frozen=True)
class Index:
    """Events in order, and what holds before the first of them."""

    people: NDArray[np.int64]
    table: NDArray[np.int32] | None  # position of each person, where numbers lie close
    offset: NDArray[np.int64]  # of each pair of person and purpose
    time: NDArray[np.int64]
    allowed: NDArray[np.int8]  # 0, 1, or UNDECIDED + regime
    row: NDArray[np.int64]  # the event behind each entry
    longest: int
    regime: NDArray[np.int8]  # of each person, for what holds before any answer
    teen: NDArray[np.int64]
    adult: NDArray[np.int64]
    before: NDArray[np.bool_]  # (child 0/1, regime, purpose)
    any_child: bool
    any_undecided: bool
    n_purposes: int
    default_regime: int

    def locate(self, person: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return each person's position, -1 for strangers."""
        if self.table is None:
            return _find(self.people, person)
        low = self.people[0]
        near = person - low  # may wrap around for numbers far below; the bounds still tell
        inside = (person >= low) & (near >= 0) & (near < self.table.size)
        if inside.all():
            return self.table[near]
        return np.where(inside, self.table[np.where(inside, near, 0)], -1)

    def last(
        self, code: NDArray[Any], purpose: NDArray[Any] | int, at: NDArray[np.int64] | int
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the entry that holds at each moment, and whether there is one."""
        pair = code.astype(np.int64) * self.n_purposes + purpose
        stranger = code < 0
        if stranger.any():
            pair[stranger] = self.offset.size - 1  # an empty pair kept at the end
        low = self.offset[pair]
        first = low.copy()
        left = self.offset[np.minimum(pair + 1, self.offset.size - 1)] - low
        # bisection for all questions at once; most people have answered a few times only
        for _ in range(int(self.longest).bit_length()):
            half = left >> 1
            middle = low + half
            fits = (left > 0) & (self.time[np.minimum(middle, self.time.size - 1)] <= at)
            low = np.where(fits, middle + 1, low)
            left = np.where(fits, left - half - 1, half)
        return low - 1, low > first

    def permitted(
        self, person: NDArray[np.int64], purpose: NDArray[Any] | int, at: NDArray[np.int64] | int
    ) -> NDArray[np.bool_]:
        """Answer every question."""
        code = self.locate(person)
        regime = None
        if self.time.size:
            entry, found = self.last(code, purpose, at)
            state = self.allowed[np.maximum(entry, 0)]
            answer = (state == 1) & found
            if self.any_undecided:
                regime = np.where(found, state - UNDECIDED, -1)
                found = found & (state < UNDECIDED)
        else:
            found = np.zeros(person.size, dtype=bool)
            answer = found.copy()
        if not found.all():
            rest = np.flatnonzero(~found)
            answer[rest] = self._presumed(
                code[rest],
                purpose[rest] if isinstance(purpose, np.ndarray) else purpose,
                at[rest] if isinstance(at, np.ndarray) else at,
                None if regime is None else regime[rest],
            )
        return answer

    def decided(self, entry: NDArray[np.int64], found: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return whether an answer with force stands behind each entry."""
        if not self.time.size:
            return found
        return found & (self.allowed[np.maximum(entry, 0)] < UNDECIDED)

    def _presumed(
        self, code: NDArray[Any], purpose: Any, at: Any, regime: NDArray[Any] | None
    ) -> NDArray[np.bool_]:
        known = code >= 0
        safe = np.maximum(code, 0)
        law: Any = np.full(code.size, self.default_regime)
        child: Any = 0
        if self.people.size:
            law = np.where(known, self.regime[safe], self.default_regime)
            if self.any_child:
                child = np.where(known & (self.adult[safe] > at), 1, 0)
        if regime is not None:
            law = np.where(regime >= 0, regime, law)
        return self.before[child, law, purpose]


def build(
    events: dict[str, NDArray[Any]],
    register: Register,
    purposes: Purposes,
    *,
    default_regime: int,
    override: int | None = None,
) -> Index:
    """Sort the events of known people into an index.

    Parameters
    ----------
    events : dict
        Arrays person, purpose, action, time, source, regime.
    register : Register
    purposes : Purposes
    default_regime : int
        Of people who are not registered, before any answer.
    override : int, optional
        A regime to hold for everyone instead of their own.
    """
    names = purposes.names
    n_purposes = len(names)
    before = _before(purposes)
    person = events["person"]
    known = register.find(person)
    regime = events["regime"]
    if register.person.size:
        # the stricter of the law named in the event and of the person's own
        own = np.where(known >= 0, register.regime[np.maximum(known, 0)], np.int8(127))
        regime = np.minimum(regime, own).astype(np.int8)
    if override is not None:
        regime = np.full_like(regime, override)
    state, void = _state(events, regime, known, register, purposes)
    columns = [person, events["purpose"], events["time"], state, void, regime]
    rows = np.arange(person.size)
    columns, rows = _extend_objections(columns, rows, events["action"], regime, purposes)
    person, purpose, time, state, void, regime = columns

    people = np.unique(np.concatenate([person, register.person]))
    table = None
    if people.size and int(people[-1]) - int(people[0]) < 8 * people.size + 1_000_000:
        table = np.full(people[-1] - people[0] + 1, -1, dtype=np.int32)
        table[people - people[0]] = np.arange(people.size, dtype=np.int32)
        code = table[person - people[0]].astype(np.int64)
    else:
        code = np.searchsorted(people, person)
    pair = code * n_purposes + purpose
    order = np.lexsort((time, pair))
    pair, time, state, void, regime, rows = (
        x[order] for x in (pair, time, state, void, regime, rows)
    )
    if pair.size:
        # the stricter of what bears one stamp; a void event stands aside
        new = np.empty(pair.size, dtype=bool)
        new[0] = True
        new[1:] = (pair[1:] != pair[:-1]) | (time[1:] != time[:-1])
        starts = np.flatnonzero(new)
        if starts.size < pair.size:
            # each group shows the event that decides it: a refusal, else a grant, else a void one
            weight = np.where(void, 2, np.where(state, 1, 0))
            group = np.cumsum(new) - 1
            deciding = np.lexsort((weight, group))[starts]
            state = np.logical_and.reduceat(state | void, starts)
            void = np.logical_and.reduceat(void, starts)
            regime = np.minimum.reduceat(regime, starts)
            rows = rows[deciding]
            pair, time = pair[starts], time[starts]
    allowed = _carry(pair, state, void, regime)
    offset = np.zeros(people.size * n_purposes + 2, dtype=np.int64)
    counts = np.bincount(pair, minlength=people.size * n_purposes + 1)
    np.cumsum(counts, out=offset[1:])
    place = register.find(people)
    registered = place >= 0
    place = np.maximum(place, 0)
    if register.person.size:
        home = np.where(registered, register.regime[place], default_regime).astype(np.int8)
        teen = np.where(registered, register.teen[place], NEVER)
        adult = np.where(registered, register.adult[place], NEVER)
    else:
        home = np.full(people.size, default_regime, dtype=np.int8)
        teen = adult = np.full(people.size, NEVER)
    if override is not None:
        home = np.full_like(home, override)
    return Index(
        people,
        table,
        offset,
        time,
        allowed,
        rows,
        int(counts.max(initial=0)),
        home,
        teen,
        adult,
        before,
        bool((adult != NEVER).any()),
        bool((allowed >= UNDECIDED).any()),
        n_purposes,
        default_regime if override is None else override,
    )


def _before(purposes: Purposes) -> NDArray[np.bool_]:
    """Return what holds before any answer: (adult or child, regime, purpose)."""
    before = np.zeros((2, len(REGIMES), len(purposes)), dtype=bool)
    for r, regime in enumerate(REGIMES):
        for p, name in enumerate(purposes.names):
            purpose = purposes[name]
            basis = purpose.basis[regime]
            before[0, r, p] = BASES[basis][0]
            # children: no sale, sharing or use of sensitive data without a yes (California,
            # under 16); elsewhere no choice is presumed at all
            presumed = basis in ("opt_out", "limit_use")
            strict = r != CCPA or purpose.sale_or_sharing or basis == "limit_use"
            before[1, r, p] = BASES[basis][0] and not (presumed and strict)
    return before


def _state(
    events: dict[str, NDArray[Any]],
    regime: NDArray[np.int8],
    known: NDArray[np.int64],
    register: Register,
    purposes: Purposes,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return what each event permits, and whether it is void."""
    source, purpose = events["source"], events["purpose"]
    grant = events["action"] == GRANT
    explicit = np.zeros((len(REGIMES), len(purposes)), dtype=bool)
    sharing = np.array([purposes[name].sale_or_sharing for name in purposes.names])
    for r, law in enumerate(REGIMES):
        for p, name in enumerate(purposes.names):
            explicit[r, p] = purposes[name].basis[law] == "explicit_consent"
    void = grant & _NOT_AFFIRMATIVE[source]
    void |= grant & explicit[regime, purpose] & ~_EXPLICIT[source]
    if register.person.size and (register.adult != NEVER).any():
        place = np.maximum(known, 0)
        minor = (known >= 0) & (events["time"] < register.adult[place])
        young = (known >= 0) & (events["time"] < register.teen[place])
        alone = grant & ~_PARENTAL[source]
        # in California 13 to 15 year olds opt in themselves, younger ones through a parent
        void |= alone & minor & (regime != CCPA)
        void |= alone & young & (regime == CCPA) & sharing[purpose]
    return grant & ~void, void


def _extend_objections(
    columns: list[NDArray[Any]],
    rows: NDArray[np.int64],
    action: NDArray[np.int8],
    regime: NDArray[np.int8],
    purposes: Purposes,
) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
    """Let an objection under the GDPR also end what serves its purpose (Art 21(2))."""
    parts = [columns]
    kept = [rows]
    objects = (action == OBJECT) & (regime == GDPR)
    for p, name in enumerate(purposes.names):
        covers = purposes[name].objection_covers
        if not covers:
            continue
        which = np.flatnonzero(objects & (columns[1] == p))
        if not which.size:
            continue
        for other in covers:
            if not purposes[other].asked("gdpr"):
                continue
            code = purposes.names.index(other)
            copy = [column[which] for column in columns]
            copy[1] = np.full_like(copy[1], code)
            parts.append(copy)
            kept.append(rows[which])
    if len(parts) == 1:
        return columns, rows
    return [np.concatenate(column) for column in zip(*parts, strict=True)], np.concatenate(kept)


def _carry(
    pair: NDArray[np.int64],
    state: NDArray[np.bool_],
    void: NDArray[np.bool_],
    regime: NDArray[np.int8],
) -> NDArray[np.int8]:
    """Give a void event what held before it."""
    allowed = state.astype(np.int8)
    if not void.any():
        return allowed
    position = np.arange(pair.size)
    first = np.empty(pair.size, dtype=bool)
    first[0] = True
    first[1:] = pair[1:] != pair[:-1]
    begin = np.maximum.accumulate(np.where(first, position, 0))
    decisive = np.maximum.accumulate(np.where(void, -1, position))
    held = decisive >= begin
    return np.where(held, allowed[np.maximum(decisive, 0)], UNDECIDED + regime[begin]).astype(
        np.int8
    )


def _find(sorted_ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    if not sorted_ids.size:
        return np.full(wanted.size, -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(sorted_ids, wanted), sorted_ids.size - 1)
    return np.where(sorted_ids[place] == wanted, place, -1)
