"""The ledger's file: one embedded database that holds events, keys and what an erasure keeps.

Events are written under a pseudonym, a keyed hash of the person's number; key and number
stand in a table apart. Destroying the key unlinks the events for good.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethicalai_lab.consent.errors import LedgerError
from ethicalai_lab.consent.events import ACTIONS, SOURCES, Batch
from ethicalai_lab.consent.purposes import REGIMES

__all__ = ["Store"]

FORMAT = 1
_CLOSED = "This ledger is closed; open it again with ConsentLedger(path)."
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


class Store:
    """What a ledger keeps, in a file or in memory.

    Parameters
    ----------
    path : Path or None
        The file, made where there is none; None keeps everything in memory.

    Raises
    ------
    LedgerError
        If the file cannot be opened as a ledger; the message says why.

    Examples
    --------
    >>> from ethicalai_lab.consent.store import Store
    >>> store = Store(None)
    >>> store.one("SELECT count(*) FROM events")
    (0,)
    >>> store.close()
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._base = None
        self._open()

    def _open(self) -> None:
        import duckdb

        if self.path is not None and not self.path.parent.is_dir():
            raise LedgerError(f"{self.path}: the folder {self.path.parent} does not exist.")
        if self.path is not None and self.path.is_dir():
            raise LedgerError(f"{self.path} is a folder; give the name of the ledger file.")
        try:
            self._base = duckdb.connect(
                ":memory:" if self.path is None else str(self.path),
                config={
                    # nothing is ever fetched: the engine is what the package brings
                    "autoinstall_known_extensions": "false",
                    "autoload_known_extensions": "false",
                    "threads": "2",
                },
            )
            tables = {row[0] for row in self._base.execute("SHOW TABLES").fetchall()}
        except duckdb.Error as problem:
            first = str(problem).splitlines()[0][:200]
            if "lock" in str(problem).lower():
                raise LedgerError(
                    f"{self.path} is open in another process; a ledger has one writer at a time."
                ) from None
            raise LedgerError(f"{self.path} cannot be opened as a ledger ({first}).") from None
        if not tables:
            self._base.execute("BEGIN")
            self._base.execute(_SCHEMA)
            self._base.executemany(
                "INSERT INTO meta VALUES (?, ?)",
                [("format", str(FORMAT)), ("suppression_key", secrets.token_hex(32))],
            )
            self._base.execute("COMMIT")
        elif "meta" not in tables or "events" not in tables:
            self._base.close()
            raise LedgerError(f"{self.path} is a database, but no consent ledger.")
        meta = dict(self._base.execute("SELECT name, value FROM meta").fetchall())
        if meta.get("format") != str(FORMAT):
            self._base.close()
            raise LedgerError(
                f"{self.path} has ledger format {meta.get('format')}; this version reads {FORMAT}."
            )
        if tables:  # files of the first days knew one place a person
            self._base.execute("ALTER TABLE registered ADD COLUMN IF NOT EXISTS since TIMESTAMP")
        self._secret = bytes.fromhex(meta["suppression_key"])

    def close(self) -> None:
        """Close the file; what was acknowledged is in it."""
        if self._base is not None:
            self._base.close()
            self._base = None

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._base is None

    # ------------------------------------------------------------------ asking

    def execute(self, query: str, values: list[Any] | None = None) -> Any:
        """Run a query and return the engine's result."""
        if self._base is None:
            raise LedgerError(_CLOSED)
        return self._base.execute(query, values or [])

    def arrow(self, query: str) -> Any:
        """Return all rows of a query as an Arrow table."""
        if self._base is None:
            raise LedgerError(_CLOSED)
        return self._base.sql(query).to_arrow_table()

    def one(self, query: str, values: list[Any] | None = None) -> Any:
        """Return the first row or None; the result is read to its end, as newer engines ask."""
        rows = self.execute(query, values).fetchall()
        return rows[0] if rows else None

    def count(self) -> int:
        """Return how many events there are, those of the forgotten included."""
        return int(self.one("SELECT count(*) FROM events")[0])

    def with_table(self, name: str, table: Any, work: Callable[[], Any]) -> Any:
        """Do work that finds an Arrow table under a name."""
        if self._base is None:
            raise LedgerError(_CLOSED)
        self._base.register(name, table)
        try:
            return work()
        finally:
            self._base.unregister(name)

    def verified(self, person: int) -> bool:
        """Return whether the person's pseudonym follows from number and key."""
        row = self.one("SELECT subject, key FROM people WHERE person = ?", [person])
        return row is not None and _pseudonym(bytes(row[1]), person) == row[0]

    def notice(self, version: str, language: str | None = None) -> str | None:
        """Return a notice's text; None where it was not kept."""
        row = self.one(
            "SELECT text FROM notices WHERE version = ? AND coalesce(language = ?, true)"
            " ORDER BY language",
            [version, language],
        )
        return None if row is None else row[0]

    # ------------------------------------------------------------------ writing

    def add(self, batch: Batch, purposes: tuple[str, ...], now: int) -> int:
        """Add events, all or none, and return the number of the first."""
        first = int(self.one("SELECT coalesce(max(seq), 0) + 1 FROM events")[0])
        self._in_transaction(lambda: self._insert(batch, purposes, first, now))
        return first

    def register(self, people: Any, now: int) -> None:
        """Keep where people live, from an Arrow table of the columns of `registered`.

        Who is known already moves: at `since`, or now where it is missing. Places of after
        that are replaced, the past stays. A birth date holds until another is given.
        """

        def write() -> None:
            self.execute(
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
            self.execute(
                "UPDATE registered SET birth_date = m.birth_date FROM moved m"
                " WHERE registered.person = m.person"
            )
            self.execute("DELETE FROM moved WHERE stays")
            self.execute(
                "DELETE FROM registered r USING moved m"
                " WHERE r.person = m.person AND r.since >= m.since"
            )
            self.execute(
                "INSERT INTO registered SELECT person, regime, birth_date, since FROM moved"
            )
            self.execute("DROP TABLE moved")

        self.with_table("incoming", people, lambda: self._in_transaction(write))

    def add_notice(self, version: str, language: str, text: str) -> None:
        """Keep a notice's wording."""
        self._in_transaction(
            lambda: self.execute("INSERT INTO notices VALUES (?, ?, ?)", [version, language, text])
        )

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

        def write() -> None:
            self.execute("DELETE FROM people WHERE person = ?", [person])
            self.execute("DELETE FROM registered WHERE person = ?", [person])
            self.execute("DELETE FROM suppressed WHERE token = ?", [token])
            for name in denied:
                self.execute("INSERT INTO suppressed VALUES (?, ?)", [token, name])
            self.execute("INSERT INTO erasures VALUES (make_timestamp(?), ?)", [moment, count])

        self._in_transaction(write)
        self._rewrite()
        return count

    def token(self, person: int) -> bytes:
        """Return the keyed hash by which a suppressed person is recognised."""
        return hmac.digest(self._secret, str(person).encode(), "sha256")[:16]

    def suppressions(self) -> dict[str, set[bytes]]:
        """Return for each purpose the tokens of those who had refused it before erasure."""
        found: dict[str, set[bytes]] = {}
        for token, purpose in self.execute("SELECT * FROM suppressed").fetchall():
            found.setdefault(purpose, set()).add(bytes(token))
        return found

    def _insert(self, batch: Batch, purposes: tuple[str, ...], first: int, now: int) -> None:
        import pyarrow as pa

        people, inverse = np.unique(batch.person, return_inverse=True)
        subject = self._subjects(people)[inverse]
        n = len(batch)
        text = pa.string()

        def words(codes: NDArray[np.int8], names: tuple[str, ...]) -> Any:
            return pa.DictionaryArray.from_arrays(
                pa.array(codes.astype(np.int32)), pa.array(list(names), text)
            ).cast(text)

        stamp = pa.timestamp("us")
        table = pa.table(
            {
                "seq": pa.array(np.arange(first, first + n)),
                "subject": pa.array(subject),
                "purpose": words(batch.purpose, purposes),
                "action": words(batch.action, ACTIONS),
                "time": pa.array(batch.time).cast(stamp),
                "notice_version": pa.array(list(batch.notice), text),
                "source": words(batch.source, SOURCES),
                "regime": words(batch.regime, REGIMES),
                "recorded_at": pa.array(np.full(n, now)).cast(stamp),
            }
        )
        self.with_table(
            "incoming", table, lambda: self.execute("INSERT INTO events SELECT * FROM incoming")
        )

    def _subjects(self, people: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return pseudonyms, making a key for who is new."""
        import pyarrow as pa

        wanted = pa.table({"person": pa.array(people)})
        known = self.with_table(
            "wanted",
            wanted,
            lambda: self.execute(
                "SELECT person, subject FROM people WHERE person IN (SELECT person FROM wanted)"
            ).fetchnumpy(),
        )
        subject = np.zeros(people.size, dtype=np.int64)
        have = np.zeros(people.size, dtype=bool)
        place = np.searchsorted(people, known["person"])
        subject[place] = known["subject"]
        have[place] = True
        new = np.flatnonzero(~have)
        if new.size:
            keys = secrets.token_bytes(16 * new.size)
            made = []
            for i, row in enumerate(new):
                key = keys[16 * i : 16 * i + 16]
                made.append(key)
                subject[row] = _pseudonym(key, int(people[row]))
            table = pa.table(
                {
                    "person": pa.array(people[new]),
                    "subject": pa.array(subject[new]),
                    "key": pa.array(made, pa.binary()),
                }
            )
            self.with_table(
                "fresh", table, lambda: self.execute("INSERT INTO people SELECT * FROM fresh")
            )
        return subject

    def _in_transaction(self, work: Callable[[], Any]) -> None:
        import duckdb

        try:
            self.execute("BEGIN")
            work()
            self.execute("COMMIT")
        except duckdb.Error as problem:
            self._roll_back()
            first = str(problem).splitlines()[0][:200]
            raise LedgerError(f"Nothing was recorded: the database refused ({first}).") from None
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        import duckdb

        with contextlib.suppress(duckdb.Error, LedgerError):
            self.execute("ROLLBACK")

    def _rewrite(self) -> None:
        """Copy what is left into a new file, so that no freed block holds what was erased."""
        if self.path is None:
            self.execute("CHECKPOINT")
            return
        import duckdb

        path = str(self.path)
        copy = f"{path}.{secrets.token_hex(4)}.part"
        try:
            self.execute(f"ATTACH {_quoted(copy)} AS fresh")
            source = self.one("SELECT current_database()")[0]
            self.execute(f'COPY FROM DATABASE "{source}" TO fresh')
            self.execute("DETACH fresh")
        except duckdb.Error as problem:
            Path(copy).unlink(missing_ok=True)
            first = str(problem).splitlines()[0][:200]
            raise LedgerError(
                f"The person is erased, but the file could not be rewritten ({first}); freed "
                "blocks may still hold the old bytes."
            ) from None
        self.close()
        os.replace(copy, path)
        Path(f"{path}.wal").unlink(missing_ok=True)
        self._open()


def _pseudonym(key: bytes, person: int) -> int:
    digest = hmac.digest(key, str(person).encode(), "sha256")
    return int.from_bytes(digest[:8], "big", signed=True)


def _quoted(path: str) -> str:
    return "'" + path.replace("'", "''") + "'"
