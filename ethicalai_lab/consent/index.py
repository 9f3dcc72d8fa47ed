"""Deciding fast: every person's answers in order of time, found by bisection.

What counts is the last decisive event at or before the moment asked about. An event is
*void* where the law gives it no force (a box that was ticked already, a child's own
click): it changes nothing. Of events with the same stamp the stricter holds. The order in
which events arrive plays no part. Where nothing decisive was said, the law of the place
where the person lives at that moment tells what is presumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethicalai_lab.consent.events import ACTIONS, GRANT, OBJECT, SOURCES
from ethicalai_lab.consent.purposes import BASES, REGIMES, Purposes

__all__ = ["NEVER", "Index", "People", "Register", "build", "register"]

GDPR, CCPA, OTHER = range(3)
NOT_AFFIRMATIVE = ("terms", "pre_ticked", "inactivity", "import", "dark_pattern")
# silence, pre-ticked boxes and inactivity are no consent (GDPR Recital 32), nor is a yes
# through a dark pattern (1798.140(h))
_NOT_AFFIRMATIVE = np.isin(np.array(SOURCES), NOT_AFFIRMATIVE)
_EXPLICIT = np.isin(np.array(SOURCES), ["preference_centre", "signed_form", "parental"])
_PARENTAL = np.array(SOURCES) == "parental"
_REFUSE = ACTIONS.index("refuse")
NEVER = np.iinfo(np.int64).min
# what an entry tells: whether the use is permitted, whether any answer with force stands
# behind that, and whether the entry itself is void
PERMITTED, DECIDED, VOID = 1, 2, 4
# California's ages for sale and sharing are fixed (1798.120(c))
CALIFORNIAN_ALONE, CALIFORNIAN_ADULT = 13, 16


class People:
    """Numbers of people, sorted and distinct, and where each of them stands."""

    def __init__(self, numbers: NDArray[np.int64]) -> None:
        self.numbers = numbers
        self.size = numbers.size
        self._places: NDArray[np.int32] | None = None
        # numbers that lie close are looked up in a table
        if self.size and int(numbers[-1]) - int(numbers[0]) < 8 * self.size + 1_000_000:
            self._places = np.full(numbers[-1] - numbers[0] + 1, -1, dtype=np.int32)
            self._places[numbers - numbers[0]] = np.arange(self.size, dtype=np.int32)

    def find(self, person: NDArray[np.int64]) -> NDArray[Any]:
        """Return each person's position, -1 for strangers."""
        if not self.size:
            return np.full(person.size, -1, dtype=np.int64)
        if self._places is None:
            place = np.minimum(np.searchsorted(self.numbers, person), self.size - 1)
            return np.where(self.numbers[place] == person, place, -1)
        low = self.numbers[0]
        near = person - low  # may wrap around for numbers far below; the bounds still tell
        inside = (person >= low) & (near >= 0) & (near < self._places.size)
        if inside.all():
            return self._places[near]
        return np.where(inside, self._places[np.where(inside, near, 0)], -1)


@dataclass(frozen=True)
class Register:
    """Known people: where they lived since when, and from when on they answer alone.

    ``teen`` is the 13th birthday, ``sixteen`` the 16th, ``adult`` the age of digital
    consent, in microseconds; all lie before all time where no birth date is known.
    """

    people: People
    teen: NDArray[np.int64]
    sixteen: NDArray[np.int64]
    adult: NDArray[np.int64]
    offset: NDArray[np.int64]  # of each person's places
    since: NDArray[np.int64]  # ascending within a person; NEVER means from the beginning
    regime: NDArray[np.int8]

    def law(
        self, position: NDArray[Any], at: NDArray[np.int64], otherwise: Any
    ) -> NDArray[np.int8]:
        """Return the regime of each person's place at a moment, or `otherwise`."""
        if not self.people.size:
            return np.broadcast_to(np.int8(otherwise), position.shape)
        place, known = np.maximum(position, 0), position >= 0
        if self.since.size > self.people.size or (self.since != NEVER).any():  # some have moved
            entry, found = _latest(self.offset, self.since, place, at)
            place, known = np.maximum(entry, 0), known & found
        return np.where(known, self.regime[place], np.int8(otherwise)).astype(np.int8)


def register(
    person: NDArray[np.int64],
    regime: NDArray[np.int8],
    born: NDArray[Any],
    child_age: int,
    since: NDArray[np.int64] | None = None,
) -> Register:
    """Return a register of one row a person and place; `since` is NEVER by default."""
    if since is None:
        since = np.full(person.size, NEVER)
    order = np.lexsort((since, person))
    people, first = np.unique(person[order], return_index=True)
    born = born[order][first].astype("M8[D]")
    return Register(
        People(people),
        *(_birthday(born, age) for age in (CALIFORNIAN_ALONE, CALIFORNIAN_ADULT, child_age)),
        np.append(first, person.size).astype(np.int64),
        since[order],
        regime[order].astype(np.int8),
    )


def _birthday(born: NDArray[Any], years: int) -> NDArray[np.int64]:
    """Return the moment of a birthday in microseconds; before all time where unknown."""
    month = born.astype("M8[M]")
    then = (month + np.timedelta64(12 * years, "M")).astype("M8[D]") + (born - month)
    # a date that is not there is the least number, which is NEVER
    return then.astype("M8[us]").astype(np.int64)


def _latest(
    offset: NDArray[np.int64], time: NDArray[np.int64], group: NDArray[Any], at: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the last entry of each group at or before a moment, and whether there is one."""
    if not time.size:
        return np.zeros(group.size, dtype=np.int64), np.zeros(group.size, dtype=bool)
    low = offset[group]
    first = low.copy()
    left = offset[group + 1] - low
    # bisection for all questions at once; most people have answered a few times only
    for _ in range(int(left.max(initial=0)).bit_length()):
        half = left >> 1
        middle = low + half
        fits = (left > 0) & (time[np.minimum(middle, time.size - 1)] <= at)
        low = np.where(fits, middle + 1, low)
        left = np.where(fits, left - half - 1, half)
    return np.maximum(low - 1, 0), low > first


@dataclass(frozen=True)
class Index:
    """Events in order, and what holds before the first of them.

    Questions are arrays of one length: people or their positions, purposes, moments.
    """

    people: People
    offset: NDArray[np.int64]  # of each pair of person and purpose
    time: NDArray[np.int64]
    state: NDArray[np.int8]  # PERMITTED, DECIDED and VOID, added up
    row: NDArray[np.int64]  # the event behind each entry
    register: Register
    position: NDArray[np.int64]  # of each person in the register
    before: NDArray[np.bool_]  # (adult or child, regime, purpose)
    sharing: NDArray[np.bool_]  # of each purpose: a sale or sharing
    default: int  # the regime of people who are not registered
    override: int | None

    def last(
        self, code: NDArray[Any], purpose: NDArray[Any], at: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the entry that holds at each moment, and whether there is one."""
        return _latest(self.offset, self.time, self._pair(code, purpose), at)

    def _pair(self, code: NDArray[Any], purpose: NDArray[Any]) -> NDArray[np.int64]:
        pair = code.astype(np.int64) * self.sharing.size + purpose
        stranger = code < 0
        if stranger.any():
            pair[stranger] = self.offset.size - 2  # an empty pair kept at the end
        return pair

    def last_such(
        self,
        code: NDArray[Any],
        purpose: NDArray[Any],
        at: NDArray[np.int64],
        wanted: NDArray[np.bool_],
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the last entry of a kind up to each moment; `wanted` marks the entries."""
        entry, found = self.last(code, purpose, at)
        first = self.offset[self._pair(code, purpose)]
        back = np.flatnonzero(found)
        while back.size:
            back = back[~wanted[entry[back]]]
            entry[back] -= 1
            found[back] = entry[back] >= first[back]
            back = back[found[back]]
        return entry, found

    def law(self, code: NDArray[Any], at: NDArray[np.int64]) -> NDArray[np.int8]:
        """Return the regime under which each person's silence is read."""
        position = self._position(code)
        if self.override is None:
            return self.register.law(position, at, self.default)
        stricter = min(self.override, self.default)
        return np.where(position >= 0, self.override, stricter).astype(np.int8)

    def decided(
        self, code: NDArray[Any], purpose: NDArray[Any], at: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return whether an answer with force was given, and whether it permits."""
        entry, found = self.last(code, purpose, at)
        if not self.time.size:
            return found, found.copy()
        state = self.state[entry]
        return found & ((state & DECIDED) > 0), found & ((state & PERMITTED) > 0)

    def permitted(
        self, person: NDArray[np.int64], purpose: NDArray[Any], at: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Answer every question."""
        code = self.people.find(person)
        decided, answer = self.decided(code, purpose, at)
        if not decided.all():
            rest = np.flatnonzero(~decided)
            answer[rest] = self._presumed(code[rest], purpose[rest], at[rest])
        return answer

    def _position(self, code: NDArray[Any]) -> NDArray[np.int64]:
        if not self.people.size:
            return np.full(code.size, -1, dtype=np.int64)
        return np.where(code >= 0, self.position[np.maximum(code, 0)], -1)

    def _presumed(self, code: NDArray[Any], purpose: Any, at: Any) -> NDArray[np.bool_]:
        position = self._position(code)
        if self.override is None:
            law = self.register.law(position, at, self.default)
            return self._before(law, position, purpose, at)
        answer = self._before(self.override, position, purpose, at)
        # of a stranger nothing is known: the stricter of both holds
        return answer & ((position >= 0) | self._before(self.default, position, purpose, at))

    def _before(self, law: Any, position: Any, purpose: Any, at: Any) -> NDArray[np.bool_]:
        """Return what a law lets one do before any answer; `law` is one, or one a question."""
        if not self.register.people.size:
            return self.before[0, law, purpose]
        known, safe = position >= 0, np.maximum(position, 0)
        minor = known & (self.register.adult[safe] > at)
        under_16 = known & (self.register.sixteen[safe] > at)
        # for sale and sharing California's 16 is fixed; sensitive data waits for both ages
        sixteen = under_16 | (minor & ~self.sharing[purpose])
        child = np.where(law == CCPA, sixteen, minor).astype(np.int8)
        return self.before[child, law, purpose]


def build(
    events: Mapping[str, NDArray[Any]],
    known: Register,
    purposes: Purposes,
    *,
    default: int,
    override: int | None = None,
) -> Index:
    """Sort the events of known people into an index.

    Parameters
    ----------
    events : dict
        Arrays person, purpose, action, time, source, regime.
    known : Register
    purposes : Purposes
    default : int
        Regime of people who are not registered, before any answer.
    override : int, optional
        A regime to hold for everyone who is registered instead of their own; for the
        others it holds together with `default`.
    """
    laws = _laws(events, known, default, override)
    # the stricter of all that apply
    void = np.logical_or.reduce([_void(events, law, known, purposes) for law in laws])
    european = np.logical_or.reduce([law == GDPR for law in laws])
    granted = (events["action"] == GRANT) & ~void
    # of one stamp a refusal decides, a lasting one first; then a grant; a void event is last
    lasting = (events["action"] != GRANT) & (events["action"] != _REFUSE)
    weight = np.select([void, granted, ~lasting], [3, 2, 1], 0).astype(np.int8)

    rows, purpose = _with_objections(events, european, purposes)
    people = People(np.unique(np.concatenate([events["person"], known.people.numbers])))
    pair = people.find(events["person"][rows]).astype(np.int64) * len(purposes) + purpose
    time = events["time"][rows]
    order = np.lexsort((weight[rows], time, pair))
    pair, time, rows = pair[order], time[order], rows[order]
    new = np.ones(pair.size, dtype=bool)  # the first of each stamp holds
    new[1:] = (pair[1:] != pair[:-1]) | (time[1:] != time[:-1])
    pair, time, rows = pair[new], time[new], rows[new]
    offset = np.zeros(people.size * len(purposes) + 2, dtype=np.int64)
    np.cumsum(np.bincount(pair, minlength=offset.size - 1), out=offset[1:])
    return Index(
        people,
        offset,
        time,
        _carry(pair, granted[rows], void[rows]),
        rows,
        known,
        known.people.find(people.numbers),
        _before(purposes),
        np.array([purpose.sale_or_sharing for purpose in purposes.values()], dtype=bool),
        default,
        override,
    )


def _laws(
    events: Mapping[str, NDArray[Any]], known: Register, default: int, override: int | None
) -> list[NDArray[np.int8]]:
    """Return the laws that each event has to pass: of the event, and of the person's place."""
    position = known.people.find(events["person"])
    if override is not None:
        ruled = np.full(position.size, override, dtype=np.int8)
        return [ruled, np.where(position >= 0, ruled, np.int8(default))]
    own = known.law(position, events["time"], -1)
    return [events["regime"], np.where(own >= 0, own, events["regime"]).astype(np.int8)]


def _before(purposes: Purposes) -> NDArray[np.bool_]:
    """Return what holds before any answer: (adult or child, regime, purpose)."""
    before = np.zeros((2, len(REGIMES), len(purposes)), dtype=bool)
    for r, regime in enumerate(REGIMES):
        for p, purpose in enumerate(purposes.values()):
            basis = BASES[purpose.basis[regime]]
            # children: no sale, sharing or use of sensitive data without a yes (California,
            # under 16); elsewhere no choice is presumed at all
            sensitive = purpose.basis[regime] == "limit_use"
            strict = r != CCPA or purpose.sale_or_sharing or sensitive
            before[:, r, p] = basis.unasked, basis.unasked and not (basis.presumed and strict)
    return before


def _void(
    events: Mapping[str, NDArray[Any]],
    regime: NDArray[np.int8],
    known: Register,
    purposes: Purposes,
) -> NDArray[np.bool_]:
    """Return which events a law gives no force."""
    source = events["source"]
    explicit = np.array(
        [[p.basis[law] == "explicit_consent" for p in purposes.values()] for law in REGIMES]
    )
    void = _NOT_AFFIRMATIVE[source] | (explicit[regime, events["purpose"]] & ~_EXPLICIT[source])
    if (known.adult != NEVER).any():
        position = known.people.find(events["person"])
        place = np.maximum(position, 0)
        # in California 13 to 15 year olds say yes themselves, younger ones through a parent
        alone_from = np.where(regime == CCPA, known.teen[place], known.adult[place])
        void |= ~_PARENTAL[source] & (position >= 0) & (events["time"] < alone_from)
    return void & (events["action"] == GRANT)


def _with_objections(
    events: Mapping[str, NDArray[Any]], european: NDArray[np.bool_], purposes: Purposes
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return rows and purposes; an objection under the GDPR also ends what serves its purpose.

    References
    ----------
    GDPR Art 21(2).
    """
    rows, reached = [np.arange(events["person"].size)], [events["purpose"]]
    objects = (events["action"] == OBJECT) & european
    for p, purpose in enumerate(purposes.values()):
        which = np.flatnonzero(objects & (events["purpose"] == p))
        for other in purpose.objection_covers:
            if which.size and purposes[other].asked("gdpr"):
                rows.append(which)
                reached.append(np.full(which.size, purposes.names.index(other), dtype=np.int8))
    return np.concatenate(rows), np.concatenate(reached)


def _carry(
    pair: NDArray[np.int64], granted: NDArray[np.bool_], void: NDArray[np.bool_]
) -> NDArray[np.int8]:
    """Return what each entry tells; a void one tells what held before it."""
    told = np.where(void, VOID, DECIDED + granted * PERMITTED).astype(np.int8)
    if not void.any():
        return told
    position = np.arange(pair.size)
    first = np.ones(pair.size, dtype=bool)
    first[1:] = pair[1:] != pair[:-1]
    begin = np.maximum.accumulate(np.where(first, position, 0))
    decisive = np.maximum.accumulate(np.where(void, -1, position))
    held = np.where(decisive >= begin, told[np.maximum(decisive, 0)], 0)
    return np.where(void, VOID + held, told).astype(np.int8)
