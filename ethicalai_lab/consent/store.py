"""The ledger's file: one embedded database that holds events, keys and what an erasure keeps.

Events are written under a pseudonym, a keyed hash of the person's number; key and number
stand in a table apart. Destroying the key unlinks the events for good.
"""

from __future__ import annotations

import contextlib
import errno
import hmac
import os
import secrets
import shutil
import threading
import warnings
from collections.abc import Callable, Iterator
from operator import ne
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethicalai_lab.consent import chain
from ethicalai_lab.consent.errors import LedgerError
from ethicalai_lab.consent.events import ACTIONS, SOURCES
from ethicalai_lab.consent.head import Head, HeadFile, os_trouble
from ethicalai_lab.consent.index import NEVER
from ethicalai_lab.consent.purposes import REGIMES
from ethicalai_lab.consent.reasons import Told

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Store", "Verification"]

FORMAT = "2"
_CHUNK = 500_000
_META = "SELECT value FROM meta WHERE name = ?"
_SCHEMA = """
CREATE TABLE meta (name VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);
CREATE TABLE events (
    seq BIGINT NOT NULL, subject BIGINT NOT NULL, purpose VARCHAR NOT NULL,
    action VARCHAR NOT NULL, time TIMESTAMP NOT NULL, notice_version VARCHAR NOT NULL,
    source VARCHAR NOT NULL, regime VARCHAR NOT NULL, recorded_at TIMESTAMP NOT NULL);
CREATE TABLE people (person BIGINT NOT NULL, subject BIGINT NOT NULL, key BLOB NOT NULL);
CREATE TABLE registered (
    person BIGINT NOT NULL, regime VARCHAR NOT NULL, birth_date DATE, since TIMESTAMP);
CREATE TABLE suppressed (token BLOB NOT NULL, purpose VARCHAR NOT NULL);
CREATE TABLE erasures (time TIMESTAMP NOT NULL, events BIGINT NOT NULL);
CREATE TABLE notices (version VARCHAR NOT NULL, language VARCHAR NOT NULL, text VARCHAR NOT NULL);
"""


class Verification(NamedTuple):
    """Whether a ledger is what it was when it last acknowledged something.

    Attributes
    ----------
    whole : bool
        Whether every event is there, unchanged, and every key gives its pseudonym.
    events : int
    head : str
        Number of events and hash of the last one. Kept elsewhere, it shows later that
        nothing before it was changed.
    findings : tuple of str
        What was found: damage, and times at which the clock ran backwards.
    """

    whole: bool
    events: int
    head: str
    findings: tuple[str, ...]


class Store:
    """What a ledger keeps, in a file or in memory.

    Parameters
    ----------
    path : path-like or None
        The file, made where there is none; None keeps everything in memory.

    Raises
    ------
    LedgerError
        If the file cannot be opened as a ledger; the message says why.

    Notes
    -----
    Beside the database stands a small file, its name ending in ``.head``: the lock, and
    what was acknowledged last. An erasure is finished by writing the database anew; one
    that was interrupted is finished when the ledger is next opened.

    Examples
    --------
    >>> from ethicalai_lab.consent.store import Store
    >>> store = Store(None)
    >>> store.verify().whole
    True
    >>> store.close()
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._name = "the ledger in memory" if path is None else os.fspath(path)
        if self._name in (":memory:", ""):
            raise LedgerError(
                f"{self._name!r} keeps nothing; give the name of a file, or None for a ledger "
                "in memory that is gone when it is closed."
            )
        self.lock = threading.RLock()
        self._process = os.getpid()
        self._base: Any = None
        self._guard: HeadFile | None = None
        self._file: Path | None = None
        self._identity: os.stat_result | None = None
        if path is None:
            self._base = _connect(":memory:")
            self._create(self._base)
            self._read_meta()
            self._kept = self._head
            return
        # a link stays a link: what it leads to is opened, locked and replaced
        self._file = Path(os.path.realpath(path))
        if not self._file.parent.is_dir():
            raise LedgerError(f"{path}: the folder {self._file.parent} does not exist.")
        if self._file.is_dir():
            raise LedgerError(f"{path} is a folder; give the name of the ledger file.")
        self._guard = HeadFile(self._file)
        try:
            self._open(self._file, self._guard)
        except BaseException:
            if self._base is not None:
                self._base.close()
                self._base = None
            self._guard.close(remove=self._guard.made)
            raise

    # ------------------------------------------------------------------ the file

    def _open(self, file: Path, guard: HeadFile) -> None:
        try:
            self._clear_copy()
            kept = guard.kept()
            if file.exists():
                self._look_at(file, kept)
            else:
                kept = self._begin(file, guard, kept)
        except OSError as problem:
            raise LedgerError(os_trouble(file, problem)) from None
        self._connect()
        if kept is None:
            warnings.warn(
                f"{guard.path} is missing or unreadable, so a lost end of {self._name} cannot be "
                "noticed this time; it is made anew.",
                stacklevel=5,
            )
        elif kept not in (self._head, self._previous):
            raise LedgerError(self._fallen_behind(kept))
        self._settle(self._head)
        if self._due:
            self._rewrite()

    def _fallen_behind(self, kept: Head) -> str:
        lost = kept.count - self._head.count
        if lost > 0:
            what = f"its last {lost} events of {kept.count} are lost"
        elif kept.revision > self._head.revision:
            what = (
                f"{kept.revision - self._head.revision} later changes (registrations, notices or "
                "erasures) are lost"
            )
        else:
            what = "its events are not those that were acknowledged"
        return (
            f"{self._name} is not what it was: {what}. Put the newest copy back; to go on with "
            f"what is left, remove {self._name}.head."
        )

    def _look_at(self, file: Path, kept: Head | None) -> None:
        with open(file, "r+b") as raw:
            start = raw.read(12)
        if not start:
            raise LedgerError(f"{self._name} is empty: nothing of a ledger is left in it.")
        if start[8:] != b"DUCK":
            what = "no consent ledger" if kept is None else "damaged: its first bytes are changed"
            raise LedgerError(f"{self._name} cannot be opened as a ledger: it is {what}.")

    def _begin(self, file: Path, guard: HeadFile, kept: Head | None) -> Head:
        """Make a new ledger aside and put it in place whole."""
        if (kept is not None and kept.revision > 1) or _wal(file).exists():
            raise LedgerError(
                f"{self._name} is missing, but what stood beside it is there: a ledger was lost. "
                f"Put it back; to begin anew, remove {self._name}.head and {self._name}.wal."
            )
        self._copy.mkdir(mode=0o700)
        made = self._copy / "ledger"
        with self._told():
            base = _connect(str(made))
            self._create(base)
            head = Head.read(base.execute(_META, ["head"]).fetchall()[0][0])
            base.close()
        guard.keep(head)
        os.replace(made, file)
        self._clear_copy()
        return head

    def _create(self, base: Any) -> None:
        genesis = Head(1, 0, secrets.token_hex(32))
        base.execute("BEGIN")
        base.execute(_SCHEMA)
        base.executemany(
            "INSERT INTO meta VALUES (?, ?)",
            [
                ("format", FORMAT),
                ("suppression_key", secrets.token_hex(32)),
                ("genesis", genesis.digest),
                ("head", str(genesis)),
                ("previous", str(genesis)),
            ],
        )
        base.execute("COMMIT")

    def _connect(self) -> None:
        with self._told():
            self._base = _connect(str(self._file))
            tables = {row[0] for row in self._base.execute("SHOW TABLES").fetchall()}
        if not {"meta", "events", "people"} <= tables:
            raise LedgerError(f"{self._name} is a database, but no consent ledger.")
        self._identity = os.stat(self._file)
        self._read_meta()

    def _read_meta(self) -> None:
        meta = dict(self.rows("SELECT name, value FROM meta"))
        if meta.get("format") != FORMAT:
            raise LedgerError(
                f"{self._name} has ledger format {meta.get('format')}; this version reads {FORMAT}."
            )
        self._secret = bytes.fromhex(meta["suppression_key"])
        self._genesis = meta["genesis"]
        self._head, self._previous = Head.read(meta["head"]), Head.read(meta["previous"])
        self._due = "erasing" in meta
        there = self.one("SELECT count(*) FROM events")[0]
        if there != self._head.count:
            raise LedgerError(
                f"{self._name} is damaged: it holds {there} events, and {self._head.count} were "
                "recorded."
            )
        last = self.one("SELECT epoch_us(recorded_at) FROM events WHERE seq = ?", [there])
        self._last_time = None if last is None else last[0]

    def close(self) -> None:
        """Close the file; what was acknowledged is in it."""
        with self.lock:
            if self._base is not None and os.getpid() == self._process:
                with self._told():
                    self._base.close()
            self._base = None
            if self._guard is not None:
                self._guard.close()

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._base is None

    def check_place(self) -> None:
        """Refuse to go on where the file under the name is no longer the one that is open.

        Raises
        ------
        LedgerError
            If it was replaced or removed, the ledger is closed, or the process has forked.
        """
        if self._base is None:
            raise LedgerError("This ledger is closed; open it again with ConsentLedger(path).")
        if os.getpid() != self._process:
            raise LedgerError(
                f"{self._name} was opened by another process before this one split off; open it "
                "in one process only."
            )
        if self._file is None or self._guard is None:
            return
        try:
            same = os.path.samestat(self._identity, os.stat(self._file))
        except OSError:
            same = False
        if not same or not self._guard.in_place():
            raise LedgerError(
                f"{self._name} was replaced or removed while it was open, so what is recorded "
                "would be lost; close it and open it again."
            )

    # ------------------------------------------------------------------ asking

    @contextlib.contextmanager
    def _told(self, before: str = "") -> Iterator[None]:
        """Say what the database complains about in one sentence."""
        import duckdb

        try:
            yield
        except duckdb.Error as problem:
            raise LedgerError(before + _trouble(self._name, self._file, problem)) from None

    def _run(self, query: str, values: list[Any] | None = None) -> Any:
        self.check_place()
        return self._base.execute(query, values or [])

    def rows(self, query: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        with self._told():
            return self._run(query, values).fetchall()

    def one(self, query: str, values: list[Any] | None = None) -> Any:
        """Return the first row or None; the result is read to its end, as newer engines ask."""
        found = self.rows(query, values)
        return found[0] if found else None

    def frame(self, query: str, values: list[Any] | None = None) -> pd.DataFrame:
        """Return all rows of a query as a DataFrame."""
        with self._told():
            return self._run(query, values).df()

    def arrow(self, query: str) -> Any:
        """Return all rows of a query as an Arrow table."""
        self.check_place()
        with self._told():
            return self._base.sql(query).to_arrow_table()

    @contextlib.contextmanager
    def _lent(self, name: str, table: Any) -> Iterator[None]:
        """Let queries use a table by a name."""
        self.check_place()
        self._base.register(name, table)
        try:
            yield
        finally:
            self._base.unregister(name)

    def load(self, purposes: tuple[str, ...]) -> dict[str, NDArray[Any]]:
        """Return the events of everyone who is still known, as :mod:`events` codes them."""
        for (name,) in self.rows("SELECT DISTINCT purpose FROM events"):
            if name not in purposes:
                raise LedgerError(
                    f'The ledger holds events on the purpose "{name}", which purposes.yaml does '
                    "not name; open it with the purposes it was written with."
                )
        words = {"purpose": purposes, "action": ACTIONS, "source": SOURCES, "regime": REGIMES}
        coded = ", ".join(f"{_place(name, names)} AS {name}" for name, names in words.items())
        with self._told():
            found = self._run(
                f"SELECT p.person, e.seq, epoch_us(e.time) AS time, {coded}"
                " FROM events e JOIN people p USING (subject) ORDER BY e.seq"
            ).fetchnumpy()
        return {
            name: column.astype(np.int8 if name in words else np.int64)
            for name, column in found.items()
        }

    def places(self, people: NDArray[np.int64] | None) -> dict[str, NDArray[Any]]:
        """Return where people live, of some or of all, as :func:`index.register` takes it."""
        import pyarrow as pa

        with self._lent("wanted", pa.table({"person": people if people is not None else [0]})):
            found = self.frame(
                f"SELECT person, {_place('regime', REGIMES)} AS regime, birth_date AS born,"
                " coalesce(epoch_us(since), ?) AS since FROM registered"
                " WHERE ? OR person IN (SELECT person FROM wanted)",
                [int(NEVER), people is None],
            )
        return {name: found[name].to_numpy() for name in found.columns}

    def events(self, seqs: list[int]) -> dict[int, Told]:
        """Return some events by their numbers."""
        import pandas as pd

        found = self.rows(
            "SELECT seq, action, time, notice_version, purpose, source FROM events"
            " WHERE seq IN (SELECT unnest(?))",
            [seqs],
        )
        return {seq: Told(action, pd.Timestamp(time), *rest) for seq, action, time, *rest in found}

    def count(self) -> int:
        """Return how many events there are, those of the forgotten included."""
        self.check_place()
        return self._head.count

    def verify(self, kept: str | None = None) -> Verification:
        """Go through every event and key; see :meth:`ConsentLedger.verify`."""
        earlier = None
        if kept is not None:
            number, _, digest = kept.partition("-")
            if not number.isdecimal() or len(digest) != 64:
                raise LedgerError(f"kept is {kept!r}; the head that verify() gave is accepted.")
            earlier = int(number), digest
        findings = []
        try:
            findings += self._broken_links(earlier)
            findings += self._foreign_keys()
        except LedgerError as problem:
            findings.append(str(problem))
        whole = not findings
        if whole:
            findings += self._clock_steps()
        head = f"{self._head.count}-{self._head.digest}"
        return Verification(whole, self._head.count, head, tuple(findings))

    def _all_events(self, count: int) -> Iterator[Any]:
        for start in range(0, count, _CHUNK):
            yield self.arrow(
                f"SELECT {', '.join(chain.COLUMNS)} FROM events"
                f" WHERE seq > {start} AND seq <= {start + _CHUNK} ORDER BY seq"
            )

    def _broken_links(self, earlier: tuple[int, str] | None) -> list[str]:
        digest, done, found = self._genesis, 0, []
        held = earlier is None or earlier == (0, digest)
        for rows in self._all_events(self._head.count):
            if not np.array_equal(rows["seq"].to_numpy(), done + 1 + np.arange(rows.num_rows)):
                return [f"Events are missing among the numbers from {done + 1} on."]
            if earlier is not None and done < earlier[0] <= done + rows.num_rows:
                part = earlier[0] - done
                held = chain.extend(digest, rows.slice(0, part)) == earlier[1]
            digest = chain.extend(digest, rows)
            done += rows.num_rows
        if done != self._head.count:
            found.append(f"{self._head.count - done} events of {self._head.count} are missing.")
        elif digest != self._head.digest:
            found.append("An event was changed: the chain does not end in the hash that was kept.")
        if not held:
            found.append("The events before the head that you kept are not those of that time.")
        if self._guard is not None and self._guard.kept() != self._head:
            found.append("The head beside the file is not the one in the file.")
        return found

    def _foreign_keys(self) -> list[str]:
        people = self.arrow("SELECT person, subject, key FROM people")
        who, subjects, keys = (people[name].to_pylist() for name in people.column_names)
        wrong = sum(map(ne, map(_pseudonym, keys, who), subjects))
        return [f"{wrong} keys do not give the pseudonyms of their people."] if wrong else []

    def _clock_steps(self) -> list[str]:
        found = self.rows(
            "SELECT seq, recorded_at FROM (SELECT seq, recorded_at, lag(recorded_at) OVER"
            " (ORDER BY seq) AS before FROM events) WHERE recorded_at < before ORDER BY seq"
        )
        if not found:
            return []
        return [
            f"The clock ran backwards {len(found)} times, first at event {found[0][0]}, recorded "
            f"at {found[0][1]}: the order of recording, not the clock, tells what came first."
        ]

    def notice(self, version: str) -> str | None:
        """Return a notice's text; None where it was not kept."""
        row = self.one("SELECT text FROM notices WHERE version = ?", [version])
        return None if row is None else row[0]

    # ------------------------------------------------------------------ writing

    def add(
        self, batch: dict[str, NDArray[Any]], purposes: tuple[str, ...], now: int
    ) -> tuple[int, bool]:
        """Add events, all or none; return the first number and whether the clock ran back."""
        first = self._head.count + 1

        def insert() -> tuple[int, str]:
            rows = self._events_of(batch, purposes, first, now)
            with self._lent("incoming", rows):
                self._base.execute("INSERT INTO events SELECT * FROM incoming")
            return rows.num_rows, chain.extend(self._head.digest, rows)

        self._change(insert)
        ran_back = self._last_time is not None and now < self._last_time
        self._last_time = now
        return first, ran_back

    def register(self, people: Any, now: int) -> None:
        """Keep where people live, from a table of the columns of `registered`.

        Who is known already moves: at `since`, or now where it is missing. Places of after
        that are replaced, the past stays. A birth date holds until another is given.
        """

        def move() -> None:
            with self._lent("incoming", people):
                self._base.execute(
                    "CREATE TEMP TABLE moved AS SELECT i.person, i.regime,"
                    " coalesce(i.birth_date, max(r.birth_date)) AS birth_date,"
                    " CASE WHEN i.since IS NULL AND count(r.person) > 0 THEN make_timestamp(?)"
                    " ELSE i.since END AS since,"
                    " coalesce(i.since IS NULL AND i.regime = arg_max(r.regime, coalesce(r.since,"
                    " TIMESTAMP '0001-01-01')), false) AS stays"
                    " FROM incoming i LEFT JOIN registered r USING (person)"
                    " GROUP BY i.person, i.regime, i.birth_date, i.since",
                    [now],
                )
                self._base.execute(
                    "UPDATE registered SET birth_date = m.birth_date FROM moved m"
                    " WHERE registered.person = m.person"
                )
                self._base.execute("DELETE FROM moved WHERE stays")
                self._base.execute(
                    "DELETE FROM registered r USING moved m"
                    " WHERE r.person = m.person AND r.since >= m.since"
                )
                self._base.execute(
                    "INSERT INTO registered SELECT person, regime, birth_date, since FROM moved"
                )
                self._base.execute("DROP TABLE moved")

        self._change(move)

    def add_notice(self, version: str, text: str) -> None:
        """Keep a notice's wording."""

        def insert() -> None:
            self._run("INSERT INTO notices VALUES (?, 'en', ?)", [version, text])

        self._change(insert)

    def knows(self, person: int) -> bool:
        """Return whether anything can be tied to a person."""
        return bool(
            self.one(
                "SELECT (SELECT count(*) FROM people WHERE person = $1)"
                " + (SELECT count(*) FROM registered WHERE person = $1)",
                [person],
            )[0]
        )

    def erase(self, person: int, denied: list[str], moment: int) -> int:
        """Destroy a person's key, keep what was denied, and return how many events stay."""
        row = self.one("SELECT subject FROM people WHERE person = ?", [person])
        count = 0
        if row is not None:
            count = int(self.one("SELECT count(*) FROM events WHERE subject = ?", [row[0]])[0])
        token = self.token(person)

        def forget() -> None:
            for table, column, value in (
                ("people", "person", person),
                ("registered", "person", person),
                ("suppressed", "token", token),
            ):
                self._run(f"DELETE FROM {table} WHERE {column} = ?", [value])
            for name in denied:
                self._run("INSERT INTO suppressed VALUES (?, ?)", [token, name])
            self._run("INSERT INTO erasures VALUES (make_timestamp(?), ?)", [moment, count])
            self._run("INSERT OR REPLACE INTO meta VALUES ('erasing', 'yes')")

        self._change(forget)
        self._due = True
        self.finish()
        return count

    def finish(self) -> None:
        """Do what an interrupted erasure left to do.

        Raises
        ------
        LedgerError
            If it cannot be done now; it stays due.
        """
        if self._due:
            self._rewrite()

    def token(self, person: int) -> bytes:
        """Return the keyed hash by which a suppressed person is recognised."""
        return hmac.digest(self._secret, str(person).encode(), "sha256")[:16]

    def suppressions(self) -> dict[str, set[bytes]]:
        """Return for each purpose the tokens of those who had refused it before erasure."""
        found: dict[str, set[bytes]] = {}
        for token, purpose in self.rows("SELECT * FROM suppressed"):
            found.setdefault(purpose, set()).add(bytes(token))
        return found

    def _events_of(
        self, batch: dict[str, NDArray[Any]], purposes: tuple[str, ...], first: int, now: int
    ) -> Any:
        import pyarrow as pa

        people, inverse = np.unique(batch["person"], return_inverse=True)
        n = inverse.size
        words = {"purpose": purposes, "action": ACTIONS, "source": SOURCES, "regime": REGIMES}
        columns = {
            "seq": np.arange(first, first + n),
            "subject": self._subjects(people)[inverse],
            "time": batch["time"].view("M8[us]"),
            "notice_version": pa.array(batch["notice_version"], pa.string()),
            "recorded_at": np.full(n, now).view("M8[us]"),
        }
        for name, names in words.items():
            codes = pa.array(batch[name].astype(np.int32))
            coded = pa.DictionaryArray.from_arrays(codes, pa.array(names, pa.string()))
            columns[name] = coded.cast(pa.string())
        return pa.table({name: columns[name] for name in chain.COLUMNS})

    def _subjects(self, people: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return pseudonyms, making a key for who is new."""
        import pyarrow as pa

        with self._lent("wanted", pa.table({"person": people})):
            known = self._base.execute(
                "SELECT person, subject FROM people WHERE person IN (SELECT person FROM wanted)"
            ).fetchnumpy()
        new = np.setdiff1d(people, known["person"], assume_unique=True)
        if not new.size:
            return known["subject"][np.argsort(known["person"])]
        keys = [secrets.token_bytes(16) for _ in range(new.size)]
        subjects = np.array(list(map(_pseudonym, keys, new.tolist())), dtype=np.int64)
        with self._lent("fresh", pa.table({"person": new, "subject": subjects, "key": keys})):
            self._base.execute("INSERT INTO people SELECT * FROM fresh")
        person = np.concatenate([known["person"], new])
        return np.concatenate([known["subject"], subjects])[np.argsort(person)]

    def _change(self, work: Callable[[], tuple[int, str] | None]) -> None:
        """Do one change, whole or not at all; work returns events added and their hash."""
        self.check_place()
        self._prepare_wal()
        before = self._head
        if self._kept != before:  # the disk had not taken it
            self._settle(before)
        try:
            with self._told("Nothing was recorded: "):
                self._base.execute("BEGIN")
                more, digest = work() or (0, before.digest)
                after = Head(before.revision + 1, before.count + more, digest)
                for name, head in (("previous", before), ("head", after)):
                    self._base.execute(
                        "UPDATE meta SET value = ? WHERE name = ?", [str(head), name]
                    )
                self._base.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        try:
            self._settle(after)
        except LedgerError as problem:
            raise LedgerError(f"The change is kept, but its head is not yet: {problem}") from None

    def _settle(self, head: Head) -> None:
        """Take a head for the newest, beside the file as well."""
        self._head = head
        if self._guard is not None:
            self._guard.keep(head)
            self._kept = head

    def _roll_back(self) -> None:
        import duckdb

        with contextlib.suppress(duckdb.Error):
            self._base.execute("ROLLBACK")
        # an interrupt may come just after the commit
        with contextlib.suppress(duckdb.Error):
            head = Head.read(self._base.execute(_META, ["head"]).fetchall()[0][0])
            if head != self._head:
                self._settle(head)

    def _prepare_wal(self) -> None:
        """Make the engine's log with the modes of the ledger, before anything is in it."""
        if self._file is None or os.name == "nt":
            return
        with contextlib.suppress(FileExistsError, PermissionError):
            os.close(os.open(_wal(self._file), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            self._like_ledger(_wal(self._file))

    # ------------------------------------------------------------------ erasure, to the end

    @property
    def _copy(self) -> Path:
        """A folder for one file; only its owner may look into it."""
        assert self._file is not None
        return self._file.with_name(self._file.name + ".part")

    def _clear_copy(self) -> None:
        if self._copy.is_dir() and not self._copy.is_symlink():
            shutil.rmtree(self._copy)

    def _like_ledger(self, path: Path) -> None:
        """Give a file the ledger's modes and, where we may, its owner and group."""
        status = os.stat(self._file)
        os.chmod(path, status.st_mode & 0o7777)
        if hasattr(os, "chown"):
            with contextlib.suppress(PermissionError):
                os.chown(path, status.st_uid, status.st_gid)

    def _rewrite(self) -> None:
        """Copy what is left into a new file, so that no freed block holds what was erased.

        The order matters: the copy is whole, closed and on the disk before it takes the
        ledger's place, and the old file's log is gone by then. A kill at any instant leaves
        the old file, which says that it is to be rewritten, or the new one.
        """
        import duckdb

        if self._file is None:
            self._run("DELETE FROM meta WHERE name = 'erasing'")
            self._run("CHECKPOINT")
            self._due = False
            return
        fresh = self._copy / "ledger"
        try:
            self._fill(fresh)
            self._base.close()
            if _wal(self._file).exists():
                raise OSError(errno.EBUSY, "the log of the database could not be emptied")
            os.replace(fresh, self._file)
        except (duckdb.Error, OSError) as problem:
            why = (
                os_trouble(self._file, problem)
                if isinstance(problem, OSError)
                else _trouble(self._name, self._file, problem)
            )
            raise LedgerError(
                "The person is forgotten, but freed blocks of the file may still hold the old "
                f"bytes, for it could not be written anew; the next erasure or opening does it. {why}"
            ) from None
        finally:
            with contextlib.suppress(OSError):
                self._clear_copy()
            with contextlib.suppress(duckdb.Error):
                self._base.close()
            self._connect()
        if self._due:
            raise LedgerError(f"{self._name} is held by another handle; close it and try again.")
        if os.name != "nt":
            _to_disk(self._file.parent)

    def _fill(self, fresh: Path) -> None:
        self._clear_copy()
        self._copy.mkdir(mode=0o700)
        alias = f"fresh_{secrets.token_hex(8)}"
        source = self._base.execute("SELECT current_database()").fetchall()[0][0]
        self._base.execute(f"ATTACH {_quoted(str(fresh), chr(39))} AS {alias}")
        try:
            self._base.execute(f"COPY FROM DATABASE {_quoted(source, chr(34))} TO {alias}")
            self._base.execute(f"DELETE FROM {alias}.meta WHERE name = 'erasing'")
        finally:
            self._base.execute(f"DETACH {alias}")
        self._like_ledger(fresh)
        _to_disk(fresh)


def _place(column: str, names: tuple[str, ...]) -> str:
    """Return SQL for a word's place among its names."""
    return f"enum_code({column}::ENUM({', '.join(map(repr, names))}))"


def _pseudonym(key: bytes, person: int) -> int:
    digest = hmac.digest(key, str(person).encode(), "sha256")
    return int.from_bytes(digest[:8], "big", signed=True)


def _quoted(text: str, mark: str) -> str:
    return mark + text.replace(mark, mark * 2) + mark


def _wal(file: Path) -> Path:
    return file.with_name(file.name + ".wal")


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _connect(path: str) -> Any:
    import duckdb

    return duckdb.connect(
        path,
        config={
            # nothing is ever fetched: the engine is what the package brings
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            # nothing of a ledger is ever put down elsewhere
            "temp_directory": "",
            "threads": "2",
        },
    )


_TROUBLES = (
    ("could not set lock", "conflicting lock", "used by another process", "different config"),
    ("no space left", "not enough space", "disk full", "file too large", "disk quota"),
    ("permission denied", "access is denied", "read-only file system"),
    ("version number", "newer version", "older version"),
    ("corrupt", "checksum", "could not read", "not a valid duckdb", "serializ", "invalidated"),
)
_MEANINGS = (
    "is open in another program; a ledger has one writer at a time.",
    "cannot be written: the disk is full.",
    "may not be read and written: no permission.",
    "was written by another version of the database engine.",
    "is damaged.",
)


def _trouble(name: str, file: Path | None, problem: Exception) -> str:
    """Say in one sentence what the database complains about; the file's name tells nothing."""
    first = str(problem).splitlines()[0]
    low = first.replace(str(file), "").lower()
    for words, meaning in zip(_TROUBLES, _MEANINGS, strict=True):
        if any(word in low for word in words):
            return f"{name} {meaning}"
    return f"{name}: the database refuses ({first[:200]})."
