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
import functools
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.consent import _index
from ethicalai_lab.consent._layers import Events, Layers
from ethicalai_lab.consent.errors import LedgerError
from ethicalai_lab.consent.events import ACTIONS, SOURCES, Batch, check, microseconds
from ethicalai_lab.consent.events import persons as _persons
from ethicalai_lab.consent.purposes import REGIMES, Purposes
from ethicalai_lab.consent.store import Store, Verification

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Acknowledgement", "ConsentLedger", "Erasure", "LedgerReader"]

_JURISDICTIONS = {"EU": "gdpr", "California": "ccpa", "other": "other"}


@dataclass(frozen=True)
class Acknowledgement:
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


@dataclass(frozen=True)
class Erasure:
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

    def choices(self, person: int, at: Any = None) -> pd.DataFrame:
        """See :meth:`ConsentLedger.choices`."""
        return self.__ledger.choices(person, at)

    def last_event(
        self, people: ArrayLike, purpose: str, at: Any, *, actions: tuple[str, ...] = ACTIONS
    ) -> pd.DataFrame:
        """See :meth:`ConsentLedger.last_event`."""
        return self.__ledger.last_event(people, purpose, at, actions=actions)

    def history(self, person: int) -> pd.DataFrame:
        """See :meth:`ConsentLedger.history`."""
        return self.__ledger.history(person)


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

    def __init__(
        self,
        path: str | Path | None,
        *,
        now: Any | Callable[[], Any] = None,
        default_regime: str = "gdpr",
        child_age: int = 16,
    ) -> None:
        self.path = None if path is None else Path(path)
        self.purposes = Purposes.default()
        self._default = _code(default_regime, REGIMES, "default_regime")
        if (
            not isinstance(child_age, int)
            or isinstance(child_age, bool)
            or not 13 <= child_age <= 21
        ):
            raise LedgerError(
                f"child_age is {child_age!r}; whole years from 13 to 21 are accepted."
            )
        self.child_age = child_age
        self._clock = now
        if now is not None and not callable(now):
            microseconds([now], "now")
        self._indexes: dict[int | None, Layers] = {}
        self._events: Events | None = None
        self._suppressed: dict[str, set[bytes]] | None = None
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
        clock = self._clock() if callable(self._clock) else self._clock
        if clock is None:
            import datetime

            clock = datetime.datetime.now(datetime.UTC)
        return int(microseconds([clock], "now")[0])

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
        if not len(batch):
            return Acknowledgement(0, None, None)
        self._respect_suppression(batch)
        with self._changing():
            first, ran_back = self._store.add(batch, self.purposes.names, now)
        if self._events is not None:
            self._events.add(_columns(batch))
        self._touch(batch.person)
        return Acknowledgement(len(batch), first, first + len(batch) - 1, ran_back)

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
        import pyarrow as pa

        now = self.now()
        person, regime, born, since = _places(people, now)
        incoming = pa.table(
            {
                "person": pa.array(person),
                "regime": pa.array(list(regime), pa.string()),
                "birth_date": pa.array(born, pa.date32()),
                "since": pa.array(since, pa.timestamp("us")),
            }
        )
        with self._changing():
            self._store.register(incoming, now)
        self._touch(person)
        return int(person.size)

    @_in_turn
    def add_notice(self, version: str, text: str, *, language: str = "en") -> str:
        """Keep the wording of a notice, so that it can be shown what people agreed to.

        Parameters
        ----------
        version : str
            As in the events' notice_version.
        text : str
            The full wording.
        language : str, default "en"

        Returns
        -------
        str
            SHA-256 of the text, in hexadecimal digits.

        Raises
        ------
        LedgerError
            If the version is there with another wording: a notice is never rewritten.
        """
        if not isinstance(text, str) or not text.strip() or not isinstance(version, str):
            raise LedgerError("A notice needs a version and its text.")
        kept = self._store.notice(version, language)
        if kept is not None and kept != text:
            raise LedgerError(
                f'notice "{version}" ({language}) is there with another wording; '
                "a changed notice needs a version of its own."
            )
        if kept is None:
            self._store.add_notice(version, language, text)
        return hashlib.sha256(text.encode()).hexdigest()

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
        number = int(_persons(np.array([person]), "person")[0])
        moment = self.now() if at is None else int(microseconds([at], "at")[0])
        self._store.finish()
        if not self._store.knows(number):
            return Erasure(False, 0, (), "The ledger holds nothing on this person.")
        denied = self._standing_refusals(number, moment)
        with self._changing():
            count = self._store.erase(number, denied, moment)
        one = np.array([number])
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

    def _standing_refusals(self, person: int, moment: int) -> list[str]:
        """Return the purposes a person has said no to, also before an earlier erasure."""
        index = self._index().of(person)
        code = index.locate(np.array([person]))
        token = self._store.token(person)
        denied = []
        for p, name in enumerate(self.purposes.names):
            decided = refused = False
            if index.time.size:
                entry, found = index.last(code, p, moment)
                decided = bool(index.decided(entry, found)[0])
                refused = decided and not index.state[entry[0]] & _index.PERMITTED
            if refused or (not decided and token in self._suppressions().get(name, ())):
                denied.append(name)
        return denied

    def _suppressions(self) -> dict[str, set[bytes]]:
        if self._suppressed is None:
            self._suppressed = self._store.suppressions()
        return self._suppressed

    def _respect_suppression(self, batch: Batch) -> None:
        """Refuse an import that would bring back, as a yes, who had said no before erasure."""
        suppressed = self._suppressions()
        if not suppressed:
            return
        imported = (batch.action == 0) & (batch.source == SOURCES.index("import"))
        for row in np.flatnonzero(imported):
            name = self.purposes.names[batch.purpose[row]]
            if self._store.token(int(batch.person[row])) in suppressed.get(name, ()):
                raise LedgerError(
                    f"row {int(row)}: this person refused {name} before erasure; an import cannot "
                    "grant it again, only the person can."
                )

    # ------------------------------------------------------------------ deciding

    @_in_turn
    def permitted(
        self, people: ArrayLike, purpose: Any, at: Any, *, regime: str | None = None
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
        person = _persons(people, "people")
        layers = self._index(None if regime is None else _code(regime, REGIMES, "regime"))
        code = self._purpose_codes(purpose, person.size)
        moment = self._moments(at, person.size)
        suppressed = self._suppressions()
        answer = np.empty(person.size, dtype=bool)
        for index, which in layers.split(person):
            asked = (person[which], _part(code, which), _part(moment, which))
            part = index.permitted(*asked)
            if suppressed:
                self._suppress(part, *asked, index, suppressed)
            answer[which] = part
        return answer

    def _suppress(
        self,
        answer: NDArray[np.bool_],
        person: NDArray[np.int64],
        code: Any,
        moment: Any,
        index: _index.Index,
        suppressed: dict[str, set[bytes]],
    ) -> None:
        purposes = code if isinstance(code, np.ndarray) else np.full(person.size, code)
        yes = np.flatnonzero(answer)
        if not yes.size:
            return
        found = np.zeros(yes.size, dtype=bool)
        if index.time.size:
            at = moment[yes] if isinstance(moment, np.ndarray) else moment
            found = index.decided(*index.last(index.locate(person[yes]), purposes[yes], at))
        # an answer given after the erasure speaks for itself; a mere presumption does not
        for row in yes[~found]:
            name = self.purposes.names[purposes[row]]
            if name in suppressed and self._store.token(int(person[row])) in suppressed[name]:
                answer[row] = False

    @_in_turn
    def choices(self, person: int, at: Any = None, *, regime: str | None = None) -> pd.DataFrame:
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

        number = _persons(np.array([person]), "person")
        moment = self.now() if at is None else int(microseconds([at], "at")[0])
        layers = self._index(None if regime is None else _code(regime, REGIMES, "regime"))
        index = layers.of(int(number[0]))
        code = index.locate(number)
        home = REGIMES[index.law(code, moment)[0]]
        when = np.datetime64(moment, "us")
        rows = []
        for p, name in enumerate(self.purposes.names):
            purpose = self.purposes[name]
            permitted = bool(self.permitted(number, name, when, regime=regime)[0])
            last, void = self._told(index, code, p, moment)
            told = last or void
            rows.append(
                {
                    "purpose": name,
                    "title": purpose.title,
                    "permitted": permitted,
                    "asked": purpose.asked(home),
                    "action": told and told.action,
                    "since": told.time if told else pd.NaT,
                    "notice_version": told and told.notice,
                    "because": _because(purpose, home, permitted, last, void),
                }
            )
        return pd.DataFrame(rows)

    def _told(
        self, index: _index.Index, code: NDArray[Any], purpose: int, moment: int
    ) -> tuple[_Told | None, _Told | None]:
        """Return the last answer with force, and a void one that came after it."""
        if not index.time.size:
            return None, None
        entry, found = index.last(code, purpose, moment)
        last = void = None
        if found[0] and index.state[entry[0]] & _index.VOID:
            void = self._event(index, int(entry[0]))
        entry, found = index.last_such(code, purpose, moment, (index.state & _index.VOID) == 0)
        if found[0]:
            last = self._event(index, int(entry[0]))
        return last, void

    def _event(self, index: _index.Index, entry: int) -> _Told:
        import pandas as pd

        events, row = self._loaded(), int(index.row[entry])
        return _Told(
            ACTIONS[events["action"][row]],
            pd.Timestamp(int(index.time[entry]), unit="us"),
            str(events["notice"][row]),
            self.purposes.names[events["purpose"][row]],
            SOURCES[events["source"][row]],
        )

    @_in_turn
    def last_event(
        self, people: ArrayLike, purpose: str, at: Any, *, actions: tuple[str, ...] = ACTIONS
    ) -> pd.DataFrame:
        """Return for each person the last event on a purpose up to a moment.

        Parameters
        ----------
        people : array-like of int, shape (n,)
        purpose : str
        at : time or array-like of times, shape (n,)
        actions : tuple of str, optional
            Look for these actions only.

        Returns
        -------
        DataFrame
            Columns person, action (None where there is none) and time, in the given order.
        """
        import pandas as pd

        person = _persons(people, "people")
        layers = self._index()
        action = np.full(person.size, None, dtype=object)
        time = np.full(person.size, np.datetime64("NaT", "us"))
        code = self._purpose_codes(purpose, person.size)
        moment = self._moments(at, person.size)
        wanted = [_code(word, ACTIONS, "actions") for word in actions]
        names = np.array(ACTIONS, dtype=object)
        for index, part in layers.split(person):
            if not (index.time.size and person.size):
                continue
            said = self._loaded()["action"][index.row]
            entry, found = index.last_such(
                index.locate(person[part]),
                _part(code, part),
                _part(moment, part),
                np.isin(said, wanted),
            )
            which = np.arange(person.size)[part][found]
            action[which] = names[said[entry[found]]]
            time[which] = index.time[entry[found]].view("M8[us]")
        return pd.DataFrame({"person": person, "action": action, "time": time})

    def _purpose_codes(self, purpose: Any, size: int) -> Any:
        if isinstance(purpose, str):
            return self.purposes.names.index(self.purposes[purpose].name)
        import pandas as pd

        if isinstance(purpose, pd.Series) and isinstance(purpose.dtype, pd.CategoricalDtype):
            words, position = list(purpose.cat.categories), purpose.cat.codes.to_numpy()
        else:
            position, uniques = pd.factorize(np.asarray(purpose, dtype=object))
            words = list(uniques)
        if position.size != size:
            raise LedgerError(f"purpose has {position.size} entries and people {size}; one each.")
        if (position < 0).any():
            raise LedgerError(f"purpose, row {int((position < 0).argmax())}: a name is missing.")
        used = np.unique(position)
        table = np.zeros(len(words), dtype=np.int64)
        for i in used:
            table[i] = self.purposes.names.index(self.purposes[words[i]].name)
        return table[position] if words else np.empty(0, dtype=np.int64)

    def _moments(self, at: Any, size: int) -> Any:
        import pandas as pd

        if isinstance(at, str) or np.ndim(at) == 0:
            return int(microseconds(pd.Series([at]), "at")[0])
        moment = microseconds(at, "at")
        if moment.size != size:
            raise LedgerError(f"at has {moment.size} times and people {size}; one each, or one.")
        return moment

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
            rows = self._store.arrow(
                "SELECT p.person, e.purpose, e.action, epoch_us(e.time) AS time, e.notice_version,"
                " e.source, e.regime FROM events e JOIN people p USING (subject) ORDER BY e.seq"
            )
            words = {
                "purpose": self.purposes.names,
                "action": ACTIONS,
                "source": SOURCES,
                "regime": REGIMES,
            }
            notice = rows["notice_version"].combine_chunks().dictionary_encode()
            notices = np.array([*notice.dictionary.to_pylist(), ""], dtype=object)
            self._events = Events(
                {
                    "person": rows["person"].to_numpy().astype(np.int64),
                    "time": rows["time"].to_numpy().astype(np.int64),
                    "notice": notices[notice.indices.to_numpy(zero_copy_only=False)],
                    **{
                        name: self._decode(rows[name], names, name) for name, names in words.items()
                    },
                }
            )
        return self._events

    def _decode(self, column: Any, names: tuple[str, ...], what: str) -> NDArray[np.int8]:
        coded = column.combine_chunks().dictionary_encode()
        lookup = {name: code for code, name in enumerate(names)}
        table = []
        for word in coded.dictionary.to_pylist():
            if word not in lookup:
                raise LedgerError(
                    f'The ledger holds events on the {what} "{word}", which the purposes given do '
                    "not name; open it with the purposes it was written with."
                )
            table.append(lookup[word])
        codes = coded.indices.to_numpy(zero_copy_only=False)
        return np.array([*table, 0], dtype=np.int8)[codes]

    def _index(self, override: int | None = None) -> Layers:
        self._store.check_place()
        if override not in self._indexes:
            self._indexes[override] = Layers(functools.partial(self._sorted, override))
        return self._indexes[override]

    def _sorted(self, override: int | None, people: NDArray[np.int64] | None) -> _index.Index:
        events = self._loaded()
        rows = events.rows(people)
        index = _index.build(
            events.take(rows),
            self._known(people),
            self.purposes,
            default_regime=self._default,
            override=override,
        )
        return replace(index, row=rows[index.row])

    def _known(self, people: NDArray[np.int64] | None) -> _index.Register:
        import pyarrow as pa

        query = "SELECT person, regime, birth_date, epoch_us(since) AS since FROM registered"
        if people is None:
            rows = self._store.arrow(query)
        else:
            rows = self._store.arrow(
                f"{query} WHERE person IN (SELECT person FROM wanted)",
                wanted=pa.table({"person": pa.array(people)}),
            )
        born = rows["birth_date"].combine_chunks().to_numpy(zero_copy_only=False)
        return _index.register(
            rows["person"].to_numpy().astype(np.int64),
            self._decode(rows["regime"], REGIMES, "regime"),
            born.astype("M8[D]"),
            self.child_age,
            rows["since"].fill_null(_index.NEVER).to_numpy().astype(np.int64),
        )

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
        number = int(_persons(np.array([person]), "person")[0])
        return self._store.frame(
            "SELECT e.seq, e.purpose, e.action, e.time, e.notice_version, e.source, e.regime,"
            " e.recorded_at FROM events e JOIN people p USING (subject) WHERE p.person = ?"
            " ORDER BY e.time, e.seq",
            [number],
        )

    @_in_turn
    def evidence(self, person: int, purpose: str) -> dict[str, Any]:
        """Return what shows that a person consented: who, when, how, and what was shown.

        Returns
        -------
        dict
            person, purpose, verified (the pseudonym follows from person and key), grants
            (list of dict with time, source, notice_version and the notice's text and
            hash where they are kept) and withdrawn (time or None).

        References
        ----------
        GDPR Art 7(1).
        """
        number = int(_persons(np.array([person]), "person")[0])
        name = self.purposes[purpose].name
        past = self.history(number)
        past = past[past["purpose"] == name]
        grants = []
        for event in past[past["action"] == "grant"].itertuples():
            text = self._store.notice(event.notice_version)
            grants.append(
                {
                    "time": event.time.isoformat(),
                    "source": event.source,
                    "notice_version": event.notice_version,
                    "notice_text": text,
                    "notice_sha256": text and hashlib.sha256(text.encode()).hexdigest(),
                }
            )
        ended = past[past["action"] != "grant"]["time"]
        if grants:
            ended = ended[ended >= past[past["action"] == "grant"]["time"].max()]
        return {
            "person": number,
            "purpose": name,
            "verified": self._store.verified(number),
            "grants": grants,
            "withdrawn": ended.max().isoformat() if len(ended) else None,
        }

    @_in_turn
    def receipt(self, person: int, at: Any = None, *, controller: str = "shop") -> dict[str, Any]:
        """Return a consent receipt for a person, in the terms of ISO/IEC TS 27560.

        Parameters
        ----------
        person : int
        at : time, optional
            State as of this moment; the clock's time by default.
        controller : str, default "shop"

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
        moment = self.now() if at is None else int(microseconds([at], "at")[0])
        stamp = np.datetime64(moment, "us")
        past = self.history(person)
        past = past[past["time"] <= stamp]
        if past.empty:
            raise LedgerError(f"The ledger holds no event on person {person} up to then.")
        state = self.choices(person, stamp).set_index("purpose")
        processing = []
        for name in self.purposes.names:
            events = past[past["purpose"] == name]
            if events.empty:
                continue
            purpose = self.purposes[name]
            regime = events["regime"].iloc[-1]
            version = events["notice_version"].iloc[-1]
            text = self._store.notice(version)
            processing.append(
                {
                    "privacy_notice": version,
                    "privacy_notice_sha256": text and hashlib.sha256(text.encode()).hexdigest(),
                    "purpose": purpose.title,
                    "purpose_type": f"https://w3id.org/dpv#{purpose.dpv}",
                    # only the GDPR lists bases; elsewhere there is a model of choice
                    "lawful_basis": purpose.basis[regime] if regime == "gdpr" else None,
                    "model_of_choice": None if regime == "gdpr" else purpose.basis[regime],
                    "pii_information": [
                        {
                            "pii_type": category,
                            "sensitive_pii_category": self.purposes.categories[category].sensitive,
                        }
                        for category in purpose.data
                    ],
                    "collection_method": events["source"].iloc[-1],
                    "retention_period": f"P{purpose.retention_days}D",
                    "recipient_third_parties": [r for r in purpose.recipients if r != controller],
                    "withdrawal_method": "preference_centre",
                    "privacy_rights": ["access", "erasure", "portability", "object", "withdraw"],
                    "jurisdiction": regime,
                    "event": [
                        {
                            "event_time": event.time.isoformat() + "Z",
                            "event_type": event.action,
                            "event_state": "given" if event.action == "grant" else "refused",
                            "entity_id": "pii_principal",
                        }
                        for event in events.itertuples()
                    ],
                    "permitted_now": bool(state.loc[name, "permitted"]),
                }
            )
        body = {
            "schema_version": "ISO/IEC TS 27560:2023",
            "record_id": f"consent-{int(past['seq'].iloc[0])}-{int(past['seq'].max())}",
            "pii_principal_id": int(person),
            "issued": str(stamp.astype("datetime64[s]")) + "Z",
            "pii_processing": processing,
            "party_identification": [
                {"party_id": controller, "party_type": "pii_controller"},
                {"party_id": "pii_principal", "party_type": "pii_principal"},
            ],
        }
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
        return {**body, "sha256": hashlib.sha256(canonical).hexdigest()}


def _places(
    people: Any, now: int
) -> tuple[NDArray[np.int64], NDArray[Any], list[Any], NDArray[Any]]:
    """Return person, regime, birth date and since of a table of people, or refuse it."""
    import pandas as pd

    if not isinstance(people, pd.DataFrame):
        raise LedgerError(f"people is a {type(people).__name__}; a DataFrame is accepted.")
    column = "person" if "person" in people.columns else "customer_id"
    if column not in people.columns:
        raise LedgerError('people lacks the column "person" (or "customer_id").')
    person = _persons(people[column], column)
    if np.unique(person).size < person.size:
        raise LedgerError("people names a person twice; one row each is accepted.")
    if "regime" in people.columns:
        regime = people["regime"].astype(object).to_numpy()
    elif "jurisdiction" in people.columns:
        place = people["jurisdiction"].astype(object)
        regime = place.map(_JURISDICTIONS).fillna(place).to_numpy()
    else:
        raise LedgerError('people lacks the column "regime" (or "jurisdiction").')
    for word in pd.unique(regime):
        _code(word, REGIMES, "regime")
    born = _past(people, "birth_date", now).astype("M8[D]")
    return person, regime, born.tolist(), _past(people, "since", now)


def _past(people: Any, column: str, now: int) -> NDArray[Any]:
    """Return an optional column of times, none of which may lie in the future."""
    dates = np.full(len(people), np.datetime64("NaT", "us"))
    if column in people.columns:
        given = people[column]
        there = given.notna().to_numpy()
        if there.any():
            dates[there] = microseconds(given[there], column).view("M8[us]")
        if (dates[there] > np.datetime64(now, "us")).any():
            raise LedgerError(f"{column} lies in the future; a date of the past is accepted.")
    return dates


def _part(values: Any, which: Any) -> Any:
    """Return what belongs to some questions; one value belongs to all."""
    return values[which] if isinstance(values, np.ndarray) else values


def _columns(batch: Batch) -> dict[str, NDArray[Any]]:
    return {
        "person": batch.person,
        "purpose": batch.purpose,
        "action": batch.action,
        "time": batch.time,
        "notice": np.asarray(batch.notice, dtype=object),
        "source": batch.source,
        "regime": batch.regime,
    }


def _code(word: Any, accepted: tuple[str, ...], name: str) -> int:
    if word not in accepted:
        raise LedgerError(f"{name} is {word!r}; accepted are {', '.join(accepted)}.")
    return accepted.index(word)


@dataclass(frozen=True)
class _Told:
    """An event, as its person would tell it."""

    action: str
    time: Any
    notice: str
    purpose: str
    source: str


_VERBS = {
    "grant": "You said yes",
    "refuse": "You said no",
    "withdraw": "You withdrew",
    "object": "You objected",
    "opt_out": "You opted out",
}


def _because(
    purpose: Any, regime: str, permitted: bool, last: _Told | None, void: _Told | None
) -> str:
    basis = purpose.basis[regime].replace("_", " ")
    if not purpose.asked(regime):
        return f"It rests on {basis} and is not a matter of choice."
    if last is not None:
        day = last.time.date().isoformat()
        if last.purpose != purpose.name:
            return (
                f"{_VERBS[last.action]} to {last.purpose} on {day}, which ends the profiling that "
                "serves it."
            )
        return f"{_VERBS[last.action]} on {day}."
    if permitted:
        rule = f"the rule is {basis}: it may be used until you say no."
    elif purpose.before_answer(regime):  # a child, or a no that outlived an erasure
        rule = f"the rule is {basis}, but for you nothing without a yes."
    else:
        rule = f"the rule is {basis}: nothing without a yes."
    if void is None:
        return f"Nothing was answered, and {rule}"
    day = void.time.date().isoformat()
    if void.source in _index.NOT_AFFIRMATIVE:
        return f"A yes by {void.source.replace('_', ' ')} of {day} is no answer of yours; {rule}"
    return f"A yes of {day} has no force, as it was no explicit act of someone of age; {rule}"
