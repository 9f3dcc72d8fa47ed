"""Deciding fast: every person's answers in order of time, found by bisection.

What counts is the last decisive event at or before the moment asked about. An event is
*void* where the law gives it no force (a box that was ticked already, a child's own
click): it changes nothing. Of events with the same stamp the stricter holds. The order in
which events arrive plays no part. Where nothing decisive was said, the law of the place
where the person lives at that moment tells what is presumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethicalai_lab.consent.events import ACTIONS, GRANT, OBJECT, SOURCES
from ethicalai_lab.consent.purposes import BASES, REGIMES, Purposes

__all__ = ["NEVER", "Index", "Register", "build", "register"]

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


@dataclass(frozen=True)
class Register:
    """Known people: where they lived since when, and from when on they answer alone.

    ``teen`` is the 13th birthday, ``sixteen`` the 16th, ``adult`` the age of digital
    consent, in microseconds; all lie before all time where no birth date is known.
    """

    person: NDArray[np.int64]  # sorted, unique
    teen: NDArray[np.int64]
    sixteen: NDArray[np.int64]
    adult: NDArray[np.int64]
    offset: NDArray[np.int64]  # of each person's places
    since: NDArray[np.int64]  # ascending within a person; NEVER means from the beginning
    regime: NDArray[np.int8]

    def find(self, person: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return each person's position, -1 where not registered."""
        return _find(self.person, person)

    def law(
        self, position: NDArray[Any], at: NDArray[np.int64] | int, otherwise: Any
    ) -> NDArray[np.int8]:
        """Return the regime of each person's place at a moment, or `otherwise`."""
        if not self.person.size:
            return np.broadcast_to(np.int8(otherwise), position.shape)
        safe = np.maximum(position, 0)
        known = position >= 0
        if self.since.size == self.person.size and (self.since == NEVER).all():
            place = safe  # nobody has moved: one place each
        else:
            entry, found = _latest(self.offset, self.since, safe, at)
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
        people,
        _birthday(born, CALIFORNIAN_ALONE),
        _birthday(born, CALIFORNIAN_ADULT),
        _birthday(born, child_age),
        np.append(first, person.size).astype(np.int64),
        since[order],
        regime[order].astype(np.int8),
    )


def _birthday(born: NDArray[Any], years: int) -> NDArray[np.int64]:
    """Return the moment of a birthday in microseconds; before all time where unknown."""
    month = born.astype("M8[M]")
    day = born - month.astype("M8[D]")
    then = (month + np.timedelta64(12 * years, "M")).astype("M8[D]") + day
    out = then.astype("M8[us]").astype(np.int64)
    out[np.isnat(born)] = NEVER
    return out


def _latest(
    offset: NDArray[np.int64],
    time: NDArray[np.int64],
    group: NDArray[Any],
    at: NDArray[np.int64] | int,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the last entry of each group at or before a moment, and whether there is one."""
    low = offset[group]
    first = low.copy()
    left = offset[np.minimum(group + 1, offset.size - 1)] - low
    # bisection for all questions at once; most people have answered a few times only
    for _ in range(int(left.max(initial=0)).bit_length()):
        half = left >> 1
        middle = low + half
        fits = (left > 0) & (time[np.minimum(middle, time.size - 1)] <= at)
        low = np.where(fits, middle + 1, low)
        left = np.where(fits, left - half - 1, half)
    return low - 1, low > first


@dataclass(frozen=True)
class Index:
    """Events in order, and what holds before the first of them."""

    people: NDArray[np.int64]
    table: NDArray[np.int32] | None  # position of each person, where numbers lie close
    offset: NDArray[np.int64]  # of each pair of person and purpose
    time: NDArray[np.int64]
    state: NDArray[np.int8]  # PERMITTED, DECIDED and VOID, added up
    row: NDArray[np.int64]  # the event behind each entry
    register: Register
    position: NDArray[np.int64]  # of each person in the register
    before: NDArray[np.bool_]  # (adult or child, regime, purpose)
    sharing: NDArray[np.bool_]  # of each purpose: a sale or sharing
    laws: tuple[int, ...]  # of people who are not registered, all of them at once
    override: int | None

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
        pair = code.astype(np.int64) * self.sharing.size + purpose
        stranger = code < 0
        if stranger.any():
            pair[stranger] = self.offset.size - 1  # an empty pair kept at the end
        return _latest(self.offset, self.time, pair, at)

    def last_such(
        self,
        code: NDArray[Any],
        purpose: NDArray[Any] | int,
        at: NDArray[np.int64] | int,
        wanted: NDArray[np.bool_],
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the last entry of a kind up to each moment; `wanted` marks the entries."""
        entry, found = self.last(code, purpose, at)
        entry, found = entry.copy(), found.copy()
        first = self.offset[np.maximum(code, 0).astype(np.int64) * self.sharing.size + purpose]
        back = np.flatnonzero(found)
        while back.size:
            back = back[~wanted[entry[back]]]
            entry[back] -= 1
            found[back] = entry[back] >= first[back]
            back = back[found[back]]
        return entry, found

    def law(self, code: NDArray[Any], at: NDArray[np.int64] | int) -> NDArray[np.int8]:
        """Return the regime under which each person's silence is read."""
        position = self._position(code)
        if self.override is None:
            return self.register.law(position, at, self.laws[0])
        return np.where(position >= 0, self.override, min(self.laws)).astype(np.int8)

    def permitted(
        self, person: NDArray[np.int64], purpose: NDArray[Any] | int, at: NDArray[np.int64] | int
    ) -> NDArray[np.bool_]:
        """Answer every question."""
        code = self.locate(person)
        if self.time.size:
            entry, found = self.last(code, purpose, at)
            state = self.state[np.maximum(entry, 0)]
            answer = ((state & PERMITTED) > 0) & found
            found = found & ((state & DECIDED) > 0)
        else:
            found = np.zeros(person.size, dtype=bool)
            answer = found.copy()
        if not found.all():
            rest = np.flatnonzero(~found)
            answer[rest] = self._presumed(
                code[rest],
                purpose[rest] if isinstance(purpose, np.ndarray) else purpose,
                at[rest] if isinstance(at, np.ndarray) else at,
            )
        return answer

    def decided(self, entry: NDArray[np.int64], found: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return whether an answer with force stands behind each entry."""
        if not self.time.size:
            return found
        return found & ((self.state[np.maximum(entry, 0)] & DECIDED) > 0)

    def _position(self, code: NDArray[Any]) -> NDArray[np.int64]:
        if not self.people.size:
            return np.full(code.size, -1, dtype=np.int64)
        return np.where(code >= 0, self.position[np.maximum(code, 0)], -1)

    def _presumed(self, code: NDArray[Any], purpose: Any, at: Any) -> NDArray[np.bool_]:
        position = self._position(code)
        if self.override is None:
            return self._before(
                self.register.law(position, at, self.laws[0]), position, purpose, at
            )
        law = np.full(code.size, self.override, dtype=np.int8)
        answer = self._before(law, position, purpose, at)
        # of a stranger nothing is known: the stricter of both holds
        return answer & ((position >= 0) | self._before(self.laws[-1], position, purpose, at))

    def _before(self, law: Any, position: Any, purpose: Any, at: Any) -> NDArray[np.bool_]:
        """Return what a law lets one do before any answer; `law` is one, or one a question."""
        if not self.register.person.size:
            return np.array(np.broadcast_to(self.before[0, law, purpose], position.shape))
        known, safe = position >= 0, np.maximum(position, 0)
        minor = known & (self.register.adult[safe] > at)
        under_16 = known & (self.register.sixteen[safe] > at)
        # for sale and sharing California's 16 is fixed; sensitive data waits for both ages
        sixteen = under_16 | (minor & ~self.sharing[purpose])
        child = np.where(law == CCPA, sixteen, minor).astype(np.int8)
        return self.before[child, law, purpose]


def build(
    events: dict[str, NDArray[Any]],
    known: Register,
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
    known : Register
    purposes : Purposes
    default_regime : int
        Of people who are not registered, before any answer.
    override : int, optional
        A regime to hold for everyone who is registered instead of their own; for the
        others it holds together with `default_regime`.
    """
    n_purposes = len(purposes)
    person = events["person"]
    laws = _laws(events, known, default_regime, override)
    void = np.zeros(person.size, dtype=bool)
    for law in laws:  # the stricter of all that apply
        void |= _void(events, law, known, purposes)
    state = (events["action"] == GRANT) & ~void
    # of one stamp a refusal decides, a lasting one first; then a grant; a void event is last
    lasting = (events["action"] != GRANT) & (events["action"] != _REFUSE)
    weight = np.select([void, state, ~lasting], [3, 2, 1], 0).astype(np.int8)
    columns = [person, events["purpose"], events["time"], state, void, weight]
    rows = np.arange(person.size)
    european = np.logical_or.reduce([law == GDPR for law in laws])
    columns, rows = _extend_objections(columns, rows, events["action"], european, purposes)
    person, purpose, time, state, void, weight = columns

    people = np.unique(np.concatenate([person, known.person]))
    table = None
    if people.size and int(people[-1]) - int(people[0]) < 8 * people.size + 1_000_000:
        table = np.full(people[-1] - people[0] + 1, -1, dtype=np.int32)
        table[people - people[0]] = np.arange(people.size, dtype=np.int32)
        code = table[person - people[0]].astype(np.int64)
    else:
        code = np.searchsorted(people, person)
    pair = code * n_purposes + purpose
    order = np.lexsort((time, pair))
    pair, time, state, void, weight, rows = (
        x[order] for x in (pair, time, state, void, weight, rows)
    )
    if pair.size:
        # the stricter of what bears one stamp; a void event stands aside
        new = np.empty(pair.size, dtype=bool)
        new[0] = True
        new[1:] = (pair[1:] != pair[:-1]) | (time[1:] != time[:-1])
        starts = np.flatnonzero(new)
        if starts.size < pair.size:
            group = np.cumsum(new) - 1
            deciding = np.lexsort((weight, group))[starts]
            state, void, rows = (x[deciding] for x in (state, void, rows))
            pair, time = pair[starts], time[starts]
    counts = np.bincount(pair, minlength=people.size * n_purposes + 1)
    offset = np.zeros(people.size * n_purposes + 2, dtype=np.int64)
    np.cumsum(counts, out=offset[1:])
    return Index(
        people,
        table,
        offset,
        time,
        _carry(pair, state, void),
        rows,
        known,
        known.find(people),
        _before(purposes),
        np.array([purposes[name].sale_or_sharing for name in purposes.names], dtype=bool),
        (default_regime,) if override is None else (override, default_regime),
        override,
    )


def _laws(
    events: dict[str, NDArray[Any]], known: Register, default_regime: int, override: int | None
) -> list[NDArray[np.int8]]:
    """Return the laws that each event has to pass: of the event, and of the person's place."""
    position = known.find(events["person"])
    if override is not None:
        ruled = np.full(position.size, override, dtype=np.int8)
        if (position >= 0).all() or override == default_regime:
            return [ruled]
        return [ruled, np.where(position >= 0, ruled, np.int8(default_regime))]
    regime = events["regime"]
    if not known.person.size:
        return [regime]
    own = known.law(position, events["time"], -1)
    return [regime, np.where(own >= 0, own, regime).astype(np.int8)]


def _before(purposes: Purposes) -> NDArray[np.bool_]:
    """Return what holds before any answer: (adult or child, regime, purpose)."""
    before = np.zeros((2, len(REGIMES), len(purposes)), dtype=bool)
    for r, regime in enumerate(REGIMES):
        for p, name in enumerate(purposes.names):
            purpose = purposes[name]
            basis = BASES[purpose.basis[regime]]
            before[0, r, p] = basis.unasked
            # children: no sale, sharing or use of sensitive data without a yes (California,
            # under 16); elsewhere no choice is presumed at all
            sensitive = purpose.basis[regime] == "limit_use"
            strict = r != CCPA or purpose.sale_or_sharing or sensitive
            before[1, r, p] = basis.unasked and not (basis.presumed and strict)
    return before


def _void(
    events: dict[str, NDArray[Any]],
    regime: NDArray[np.int8],
    known: Register,
    purposes: Purposes,
) -> NDArray[np.bool_]:
    """Return which events a law gives no force."""
    source, purpose = events["source"], events["purpose"]
    grant = events["action"] == GRANT
    explicit = np.array(
        [[purposes[p].basis[law] == "explicit_consent" for p in purposes.names] for law in REGIMES],
        dtype=bool,
    )
    void = grant & _NOT_AFFIRMATIVE[source]
    void |= grant & explicit[regime, purpose] & ~_EXPLICIT[source]
    if known.person.size and (known.adult != NEVER).any():
        position = known.find(events["person"])
        place = np.maximum(position, 0)
        # in California 13 to 15 year olds say yes themselves, younger ones through a parent
        alone_from = np.where(regime == CCPA, known.teen[place], known.adult[place])
        void |= grant & ~_PARENTAL[source] & (position >= 0) & (events["time"] < alone_from)
    return void


def _extend_objections(
    columns: list[NDArray[Any]],
    rows: NDArray[np.int64],
    action: NDArray[np.int8],
    european: NDArray[np.bool_],
    purposes: Purposes,
) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
    """Let an objection under the GDPR also end what serves its purpose (Art 21(2))."""
    parts = [columns]
    kept = [rows]
    objects = (action == OBJECT) & european
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
    pair: NDArray[np.int64], state: NDArray[np.bool_], void: NDArray[np.bool_]
) -> NDArray[np.int8]:
    """Return what each entry tells; a void one tells what held before it."""
    told = np.where(void, VOID, DECIDED + state * PERMITTED).astype(np.int8)
    if not void.any():
        return told
    position = np.arange(pair.size)
    first = np.empty(pair.size, dtype=bool)
    first[0] = True
    first[1:] = pair[1:] != pair[:-1]
    begin = np.maximum.accumulate(np.where(first, position, 0))
    decisive = np.maximum.accumulate(np.where(void, -1, position))
    held = np.where(decisive >= begin, told[np.maximum(decisive, 0)], 0)
    return np.where(void, VOID + held, told).astype(np.int8)


def _find(sorted_ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    if not sorted_ids.size:
        return np.full(wanted.size, -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(sorted_ids, wanted), sorted_ids.size - 1)
    return np.where(sorted_ids[place] == wanted, place, -1)
