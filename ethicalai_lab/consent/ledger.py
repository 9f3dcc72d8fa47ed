"""The consent ledger: what people said, kept as evidence, and what it permits.

Events are only ever added. Each is written under a pseudonym, a keyed hash of the person's
number with a key of that person's own; key and number stand in a table apart. An erasure
destroys the key, so that what remains of the events can no longer be tied to anyone, and
keeps, where the person had said no, a keyed hash that lets the house recognise and respect
that no (a suppression list).

References
----------
GDPR Arts 7(1), 7(3), 17 and 21; ISO/IEC TS 27560 (records and receipts of consent).
"""

from __future__ import annotations

import contextlib
import datetime
import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.consent import index, reasons
from ethicalai_lab.consent.errors import LedgerError
from ethicalai_lab.consent.events import ACTIONS, SOURCES, check, codes, microseconds, persons
from ethicalai_lab.consent.layers import Events, Layers
from ethicalai_lab.consent.places import AGE_OF_CONSENT, places
from ethicalai_lab.consent.purposes import REGIMES, Purposes
from ethicalai_lab.consent.receipts import receipt
from ethicalai_lab.consent.store import Store, Verification
from ethicalai_lab.core.checks import check_value, checked, whole

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Acknowledgement", "ConsentLedger", "Erasure", "LedgerReader"]

_Regime = Literal["gdpr", "ccpa", "other"]
_Age = whole(13, 21)


class Acknowledgement(NamedTuple):
    """Proof that events are kept: how many, and their numbers in the ledger.

    Attributes
    ----------
    count : int
    first, last : int or None
        Sequence numbers; None where no event was handed in.
    clock_ran_back : bool
        Whether the clock showed less than when the last events were recorded. The events
        are kept; it is for you to find out which of the two times is wrong.
    """

    count: int
    first: int | None
    last: int | None
    clock_ran_back: bool = False


class Erasure(NamedTuple):
    """What an erasure removed and what it kept, with the reason.

    Attributes
    ----------
    known : bool
        Whether the ledger knew the person.
    unlinked_events : int
        Events that stay as evidence without anyone they could be tied to.
    suppressed : tuple of str
        Purposes for which a keyed hash of the number is kept, so that the no is respected.
    kept : str
        Why anything is kept.
    """

    known: bool
    unlinked_events: int
    suppressed: tuple[str, ...]
    kept: str


def _in_turn(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let one thread at a time into a ledger."""

    @functools.wraps(method)
    def taking_turns(self: ConsentLedger, *args: Any, **named: Any) -> Any:
        with self._store.lock:
            return method(self, *args, **named)

    return taking_turns


class LedgerReader:
    """A view of a ledger that can look and never write.

    What only needs to know, a gate or an assistant, gets this view: it has no means to
    record an event.
    """

    __slots__ = ("__ledger",)

    def __init__(self, ledger: ConsentLedger) -> None:
        self.__ledger = ledger

    @property
    def purposes(self) -> Purposes:
        """The purposes of the ledger."""
        return self.__ledger.purposes

    def permitted(
        self, people: ArrayLike, purpose: Any, at: Any, *, regime: str | None = None
    ) -> NDArray[np.bool_]:
        """See :meth:`ConsentLedger.permitted`."""
        return self.__ledger.permitted(people, purpose, at, regime=regime)

    def last_event(
        self, people: ArrayLike, purpose: str, at: Any, actions: tuple[str, ...]
    ) -> pd.DataFrame:
        """See :meth:`ConsentLedger.last_event`."""
        return self.__ledger.last_event(people, purpose, at, actions)


class ConsentLedger:
    """Append-only consent events in one embedded database file.

    Parameters
    ----------
    path : path-like or None
        The file, made where there is none; None keeps the ledger in memory.
    now : time or callable, optional
        The clock. A time stands still (for a world with a calendar of its own); by
        default the computer's clock, in UTC.
    default_regime : {"gdpr", "ccpa", "other"}, default "gdpr"
        For people of whom nothing is known. Under "gdpr" nothing is permitted unasked.
    child_age : int, default 16
        Age from which people consent alone; the GDPR lets states choose 13 to 16. California's
        ages for sale and sharing are fixed: 16, and from 13 on the child's own yes counts.

    Raises
    ------
    LedgerError
        If the file is none of ours, is in use, or a parameter is out of range.

    Notes
    -----
    ``record`` returns only after the database has committed, so what it acknowledged
    survives a killed process. One handle at a time has a ledger open; the system frees it
    when the process ends, however it ends. Threads may share the handle: they take turns.
    Questions are answered from a sorted index in memory, which
    is built when it is first needed; after a change only the people touched are sorted anew.

    Examples
    --------
    >>> from ethicalai_lab.consent import ConsentLedger
    >>> with ConsentLedger(None, now="2026-01-12") as ledger:
    ...     said = {"person": 7, "purpose": "analytics", "notice_version": "2025-1",
    ...             "source": "banner", "regime": "gdpr"}
    ...     _ = ledger.record({**said, "action": "grant", "time": "2025-03-01"})
    ...     _ = ledger.record({**said, "action": "withdraw", "time": "2025-06-01"})
    ...     ledger.permitted([7, 7], "analytics", ["2025-05-01", "2025-07-01"]).tolist()
    [True, False]
    """

    @checked(LedgerError)
    def __init__(
        self,
        path: Any,
        *,
        now: Any = None,
        default_regime: _Regime = "gdpr",
        child_age: _Age = AGE_OF_CONSENT,  # type: ignore[valid-type]
    ) -> None:
        self.path = None if path is None else Path(path)
        self.purposes = Purposes.default()
        self.child_age = child_age
        self._default = REGIMES.index(default_regime)
        self._clock = now if callable(now) else lambda: now
        self._indexes: dict[str | None, Layers] = {}
        self._events: Events | None = None
        self._suppressed: dict[str, set[bytes]] | None = None
        if not callable(now):
            self.now()  # what tells no time is said at once
        self._store = Store(path)

    def close(self) -> None:
        """Close the file; what was acknowledged is in it."""
        self._store.close()

    def __enter__(self) -> ConsentLedger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @_in_turn
    def __len__(self) -> int:
        return self._store.count()

    def __repr__(self) -> str:
        where = "memory" if self.path is None else str(self.path)
        return (
            f"ConsentLedger({where}, closed)"
            if self._store.closed
            else (f"ConsentLedger({where}, {len(self)} events)")
        )

    @property
    def reader(self) -> LedgerReader:
        """A view that cannot record."""
        return LedgerReader(self)

    def now(self) -> int:
        """Return the clock's time in microseconds since 1970, UTC."""
        time = self._clock()
        if time is None:
            time = datetime.datetime.now(datetime.UTC)
        return _moment(time, "now")

    # ------------------------------------------------------------------ writing

    @_in_turn
    def record(self, events: Any) -> Acknowledgement:
        """Add events: all of them, or none.

        Parameters
        ----------
        events : DataFrame, dict or list of dict
            Columns person (or customer_id), purpose, action, time, notice_version,
            source, regime; actions grant, refuse, withdraw, object, opt_out. Times without
            a zone count as UTC. They may arrive in any order.

        Returns
        -------
        Acknowledgement
            Given only after the commit.

        Raises
        ------
        LedgerError
            One sentence with the row: an unknown purpose, action, source or regime; a time
            out of range or in the future; a grant without the notice that was shown; a
            signal or an import that would grant against a no.
        """
        now = self.now()
        batch = check(events, self.purposes, now)
        size = batch["person"].size
        if not size:
            return Acknowledgement(0, None, None)
        self._respect_suppression(batch)
        with self._changing():
            first, ran_back = self._store.add(batch, self.purposes.names, now)
        if self._events is not None:
            self._events.add({**batch, "seq": np.arange(first, first + size)})
        self._touch(batch["person"])
        return Acknowledgement(size, first, first + size - 1, ran_back)

    @_in_turn
    def register(self, people: Any) -> int:
        """Say under which regime people live, since when, and when they were born.

        Parameters
        ----------
        people : DataFrame
            Columns person (or customer_id), regime (or jurisdiction: EU, California, other)
            and optionally birth_date and since: from when on the person lives there.

        Returns
        -------
        int
            How many people were registered.

        Raises
        ------
        LedgerError
            If a column is missing or a value is not accepted.

        Notes
        -----
        What was permitted stays what it was. Without `since`, or where it is missing, the
        place of someone new holds from the beginning, and another place of someone known
        from the clock's time on. With `since` it holds from then on, in place of all that was
        known of that time; before a first `since` nothing is known. A birth date is kept
        until another is given.
        """
        import pandas as pd

        now = self.now()
        person, regime, born, since = places(people, now)
        words = np.array(REGIMES, dtype=object)[regime]
        columns = {"person": person, "regime": words, "birth_date": born, "since": since}
        incoming = pd.DataFrame({name: pd.Series(held) for name, held in columns.items()})
        with self._changing():
            self._store.register(incoming, now)
        self._touch(person)
        return int(person.size)

    @_in_turn
    def add_notice(self, version: str, text: str) -> None:
        """Keep the wording of a notice, so that it can be shown what people agreed to.

        Parameters
        ----------
        version : str
            As in the events' notice_version.
        text : str
            The full wording.

        Raises
        ------
        LedgerError
            If the version is there with another wording: a notice is never rewritten.
        """
        kept = self._store.notice(check_value(version, str, "version", LedgerError))
        if kept not in (None, text):
            raise LedgerError(
                f'notice "{version}" is there with another wording; a changed notice needs a '
                "version of its own."
            )
        if kept is None:
            self._store.add_notice(version, check_value(text, str, "text", LedgerError))

    @_in_turn
    def erase(self, person: int, at: Any = None) -> Erasure:
        """Forget who a person is, and keep as evidence only what ties to nobody.

        Parameters
        ----------
        person : int
        at : time, optional
            When the request is carried out; the clock's time by default. Standing refusals
            of that moment are kept as a suppression.

        Returns
        -------
        Erasure

        Notes
        -----
        The file is rewritten, so that the destroyed key is not left in a freed block. Copies
        made elsewhere (backups, receipts sent out) are beyond this file's reach.
        """
        one = persons([person], "person")
        number, moment = int(one[0]), self._at(at)
        self._store.finish()
        if not self._store.knows(number):
            return Erasure(False, 0, (), "The ledger holds nothing on this person.")
        denied = self._standing_refusals(one, moment)
        with self._changing():
            count = self._store.erase(number, denied, moment)
        if self._events is not None:
            self._events.drop(one)
        self._touch(one)
        self._suppressed = None
        kept = (
            "A keyed hash of the number, so that the refusal is respected on a new import "
            "(suppression list), and events that can no longer be tied to anyone."
            if denied
            else "Events that can no longer be tied to anyone, as the log's record of its own past."
        )
        return Erasure(True, count, tuple(denied), kept)

    def _standing_refusals(self, one: NDArray[np.int64], moment: int) -> list[str]:
        """Return the purposes a person has said no to, also before an earlier erasure."""
        kept = self._layers(None).of(one)
        names = self.purposes.names
        asked = np.arange(len(names))
        code, at = np.broadcast_arrays(kept.people.find(one), np.int64(moment), asked)[:2]
        decided, yes = kept.decided(code, asked, at)
        before = np.array([self._is_suppressed(int(one[0]), name) for name in names])
        return [names[p] for p in np.flatnonzero(np.where(decided, ~yes, before))]

    def _is_suppressed(self, person: int, purpose: str) -> bool:
        if self._suppressed is None:
            self._suppressed = self._store.suppressions()
        held = self._suppressed.get(purpose)
        return bool(held) and self._store.token(person) in held

    def _respect_suppression(self, batch: dict[str, NDArray[Any]]) -> None:
        """Refuse an import that would bring back, as a yes, who had said no before erasure."""
        imported = (batch["action"] == 0) & (batch["source"] == SOURCES.index("import"))
        for row in np.flatnonzero(imported).tolist():
            name = self.purposes.names[batch["purpose"][row]]
            if self._is_suppressed(int(batch["person"][row]), name):
                raise LedgerError(
                    f"row {row}: this person refused {name} before erasure; an import cannot "
                    "grant it again, only the person can."
                )

    # ------------------------------------------------------------------ deciding

    @_in_turn
    @checked(LedgerError)
    def permitted(
        self, people: ArrayLike, purpose: Any, at: Any, *, regime: _Regime | None = None
    ) -> NDArray[np.bool_]:
        """Say for each person whether data may be used for a purpose at a moment.

        Parameters
        ----------
        people : array-like of int, shape (n,)
        purpose : str or array-like of str, shape (n,)
        at : time or array-like of times, shape (n,)
        regime : {"gdpr", "ccpa", "other"}, optional
            A what-if: a regime for everyone who is registered, in place of each person's own
            ("what if the strictest rule held for all?"). For people of whom nothing is known
            it holds together with the default, and the stricter counts.

        Returns
        -------
        ndarray of bool, shape (n,)

        Raises
        ------
        LedgerError, ConsentError
            If a purpose, time, regime or length is not accepted.

        Notes
        -----
        The last decisive event at or before the moment holds. A yes needs an affirmative
        act (a ticked box, silence, terms, an import or a dark pattern is none), under the GDPR for a purpose
        with sensitive data an explicit one. A yes without force is void: it changes nothing,
        neither what was said before nor what is presumed. An objection to direct marketing
        under the GDPR ends the profiling that serves it as well, until the person says yes
        again. An event has to pass the law it names and the law of the place where the
        person lived then. Of two events with one stamp the stricter holds.

        What was never answered follows the law of the place where the person lives at the
        moment; of who is not registered, the default. Under an opt-out rule it is permitted
        for adults; children need a yes. A child's own yes counts from the age of consent on,
        in California from 13 on; a younger child's comes through a parent. In California
        people count as children up to 16 for sale and sharing, and for sensitive data up to
        16 or the age of consent, whichever is later.
        """
        person, code, moment = self._questions(people, purpose, at)
        answer = np.empty(person.size, dtype=bool)
        for part, which in self._layers(regime).split(person):
            asked = person[which], code[which], moment[which]
            answer[which] = self._unsuppressed(part, part.permitted(*asked), *asked)
        return answer

    def _unsuppressed(
        self,
        part: index.Index,
        answer: NDArray[np.bool_],
        person: NDArray[np.int64],
        code: NDArray[Any],
        moment: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """Return the answers without the yes that nobody gave since a no that was erased."""
        if self._suppressed is None:
            self._suppressed = self._store.suppressions()
        if not self._suppressed:
            return answer
        yes = np.flatnonzero(answer)
        decided, _ = part.decided(part.people.find(person[yes]), code[yes], moment[yes])
        # an answer given after the erasure speaks for itself; a mere presumption does not
        for row in yes[~decided].tolist():
            name = self.purposes.names[code[row]]
            answer[row] = not self._is_suppressed(int(person[row]), name)
        return answer

    @_in_turn
    @checked(LedgerError)
    def choices(
        self, person: int, at: Any = None, *, regime: _Regime | None = None
    ) -> pd.DataFrame:
        """Return one row a purpose: what holds for a person, since when, and why.

        Parameters
        ----------
        person : int
        at : time, optional
            The clock's time by default.
        regime : str, optional
            As in :meth:`permitted`.

        Returns
        -------
        DataFrame
            Columns purpose, title, permitted, asked (whether the person may say no),
            action, since, notice_version and because (a sentence).
        """
        import pandas as pd

        one = persons([person], "person")
        names = self.purposes.names
        moment = self._at(at)
        permitted = self.permitted(
            np.repeat(one, len(names)), names, np.datetime64(moment, "us"), regime=regime
        )
        kept = self._layers(regime).of(one)
        asked = np.arange(len(names))
        code, when = np.broadcast_arrays(kept.people.find(one), np.int64(moment), asked)[:2]
        home = REGIMES[kept.law(code[:1], when[:1])[0]]
        lasts = self._told(*kept.last_such(code, asked, when, (kept.state & index.VOID) == 0), kept)
        entry, found = kept.last(code, asked, when)
        if kept.time.size:
            found &= (kept.state[entry] & index.VOID) > 0
        voids = self._told(entry, found, kept)
        rows = []
        for name, yes, last, void in zip(names, permitted, lasts, voids, strict=True):
            told = last or void or reasons.Told()
            rows.append(
                {
                    "purpose": name,
                    "title": self.purposes[name].title,
                    "permitted": bool(yes),
                    "asked": self.purposes[name].asked(home),
                    "action": told.action,
                    "since": told.time or pd.NaT,
                    "notice_version": told.notice_version,
                    "because": reasons.because(self.purposes[name], home, yes, last, void),
                }
            )
        return pd.DataFrame(rows)

    def _told(
        self, entry: NDArray[np.int64], found: NDArray[np.bool_], kept: index.Index
    ) -> list[reasons.Told | None]:
        """Return the events behind some entries, as their person would tell them."""
        seqs = [
            int(self._loaded()["seq"][kept.row[e]]) if there else None
            for e, there in zip(entry, found, strict=True)
        ]
        events = self._store.events(sorted({seq for seq in seqs if seq is not None}))
        return [None if seq is None else reasons.Told(*events[seq]) for seq in seqs]

    @_in_turn
    def last_event(
        self, people: ArrayLike, purpose: str, at: Any, actions: tuple[str, ...]
    ) -> pd.DataFrame:
        """Return for each person the last event on a purpose up to a moment.

        Parameters
        ----------
        people : array-like of int, shape (n,)
        purpose : str
        at : time or array-like of times, shape (n,)
        actions : tuple of str
            Look for these actions only.

        Returns
        -------
        DataFrame
            Columns person, action (None where there is none) and time, in the given order.
        """
        import pandas as pd

        person, code, moment = self._questions(people, purpose, at)
        action = np.full(person.size, None, dtype=object)
        time = np.full(person.size, np.datetime64("NaT", "us"))
        wanted = codes(list(actions), ACTIONS, "actions")
        names = np.array(ACTIONS, dtype=object)
        for part, which in self._layers(None).split(person):
            said = self._loaded()["action"][part.row]
            at_ = part.people.find(person[which]), code[which], moment[which]
            entry, found = part.last_such(*at_, np.isin(said, wanted))
            here = np.arange(person.size)[which][found]
            action[here] = names[said[entry[found]]]
            time[here] = part.time[entry[found]].view("M8[us]")
        return pd.DataFrame({"person": person, "action": action, "time": time})

    def _questions(
        self, people: ArrayLike, purpose: Any, at: Any
    ) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.int64]]:
        """Return people, purposes and moments as arrays of one length."""
        person = persons(people, "people")
        one = isinstance(purpose, str)
        code = codes([purpose] if one else purpose, self.purposes.names, "purpose")
        alone = isinstance(at, str) or np.ndim(at) == 0
        moment = np.array([_moment(at, "at")]) if alone else microseconds(at, "at")
        for name, array, single in (("purpose", code, one), ("at", moment, alone)):
            if not single and array.size != person.size:
                raise LedgerError(
                    f"{name} has {array.size} entries and people {person.size}; one each, or one."
                )
        return person, np.broadcast_to(code, person.shape), np.broadcast_to(moment, person.shape)

    def _at(self, at: Any) -> int:
        return self.now() if at is None else _moment(at, "at")

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Read all anew after a change that failed: part of it may be kept."""
        try:
            yield
        except BaseException:
            self._indexes.clear()
            self._events = self._suppressed = None
            raise

    def _touch(self, people: NDArray[np.int64]) -> None:
        for layers in self._indexes.values():
            layers.touch(people)

    def _loaded(self) -> Events:
        """Return the events of everyone who is still known, as arrays."""
        if self._events is None:
            self._events = Events(self._store.load(self.purposes.names))
        return self._events

    def _layers(self, regime: str | None) -> Layers:
        self._store.check_place()
        if regime not in self._indexes:
            self._indexes[regime] = Layers(functools.partial(self._sorted, regime))
        return self._indexes[regime]

    def _sorted(self, regime: str | None, people: NDArray[np.int64] | None) -> index.Index:
        events = self._loaded()
        rows = events.rows(people)
        made = index.build(
            events.take(rows),
            index.register(child_age=self.child_age, **self._store.places(people)),
            self.purposes,
            default=self._default,
            override=None if regime is None else REGIMES.index(regime),
        )
        return replace(made, row=rows[made.row])

    # ------------------------------------------------------------------ evidence

    @_in_turn
    def verify(self, kept: str | None = None) -> Verification:
        """Go through every event and key and say whether anything is lost or changed.

        Parameters
        ----------
        kept : str, optional
            The ``head`` of an earlier verification, kept elsewhere. Then it is also
            checked that all events up to there are those of that time.

        Returns
        -------
        Verification
            whole, events, head, and findings in plain sentences: what is lost or changed,
            and where the clock ran backwards (events recorded then are kept all the same).

        Raises
        ------
        LedgerError
            If ``kept`` is no head.

        Notes
        -----
        Each event's hash covers its row and the hash before it; number and hash of the last
        one stand in the file and in a second one beside it (its name ends in ``.head``). So
        a lost end, a changed row and an older copy of the file are noticed. The chain is in
        the files that it vouches for: whoever puts older copies of *both* back, or writes
        a chain of their own, is noticed only with a head that was kept elsewhere. What is
        registered about people, notices and suppressions are counted as changes, but their
        content is not chained.

        Examples
        --------
        >>> from ethicalai_lab.consent import ConsentLedger
        >>> with ConsentLedger(None, now="2026-01-12") as ledger:
        ...     said = {"person": 7, "purpose": "analytics", "notice_version": "2025-1",
        ...             "source": "banner", "regime": "gdpr", "time": "2025-03-01"}
        ...     _ = ledger.record({**said, "action": "grant"})
        ...     head = ledger.verify().head
        ...     _ = ledger.record({**said, "action": "withdraw"})
        ...     ledger.verify(head).whole
        True
        """
        return self._store.verify(kept)

    @_in_turn
    def history(self, person: int) -> pd.DataFrame:
        """Return every event of a person in order of time, as recorded.

        Returns
        -------
        DataFrame
            Columns seq, purpose, action, time, notice_version, source, regime and
            recorded_at; empty for who is unknown.
        """
        return self._store.frame(
            "SELECT e.seq, e.purpose, e.action, e.time, e.notice_version, e.source, e.regime,"
            " e.recorded_at FROM events e JOIN people p USING (subject) WHERE p.person = ?"
            " ORDER BY e.time, e.seq",
            persons([person], "person").tolist(),
        )

    @_in_turn
    def receipt(self, person: int, at: Any = None) -> dict[str, Any]:
        """Return a consent receipt for a person, in the terms of ISO/IEC TS 27560.

        Parameters
        ----------
        person : int
        at : time, optional
            State as of this moment; the clock's time by default.

        Returns
        -------
        dict
            Plain values (it goes into JSON as it is): a header, pii_processing with one
            entry a purpose that was ever answered, party_identification, and events.

        Raises
        ------
        LedgerError
            If the ledger holds nothing on the person.

        Notes
        -----
        The record stays with the controller, the receipt goes to the person. The
        specification names fields and no way of exchange.
        """
        stamp = np.datetime64(self._at(at), "us")
        past = self.history(person)
        past = past[past["time"] <= stamp]
        if past.empty:
            raise LedgerError(f"The ledger holds no event on person {person} up to then.")
        state = self.choices(person, stamp).set_index("purpose")["permitted"]
        notices = {version: self._store.notice(version) for version in past["notice_version"]}
        return receipt(int(person), stamp, past, state, self.purposes, notices)


def _moment(value: Any, name: str) -> int:
    return int(microseconds([value], name)[0])
