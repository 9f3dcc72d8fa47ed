"""What is lost, changed, in use or out of order is said, each by its own sentence."""

import errno
import os
import shutil
import subprocess
import sys
import threading

import duckdb
import numpy as np
import pandas as pd
import pytest

from ethicalai_lab.consent import ConsentLedger, LedgerError

NOW = pd.Timestamp("2026-01-12")

# what was acknowledged is in the engine's log only, as after a killed process
WRITER = """
import os, signal, sys
from ethicalai_lab.consent import ConsentLedger
ledger = ConsentLedger(sys.argv[1], now="2026-01-12")
said = {"action": "grant", "notice_version": "2025-1", "source": "banner", "regime": "gdpr",
        "purpose": "analytics", "time": "2025-03-01"}
for person in range(1, 6):
    ledger.record({**said, "person": person})
print(ledger.verify().head, flush=True)
os._exit(9)
"""


@pytest.fixture
def killed(tmp_path, repo):
    """A ledger of five events whose process was killed."""
    path = tmp_path / "ledger.duckdb"
    made = subprocess.run(
        [sys.executable, "-c", WRITER, path], cwd=repo, capture_output=True, text=True
    )
    assert made.returncode == 9, made.stderr
    return path


@pytest.fixture
def kept(tmp_path, event):
    """A closed ledger of 300 events in two batches."""
    path = tmp_path / "ledger.duckdb"
    with ConsentLedger(path, now=NOW) as ledger:
        ledger.record([event(person) for person in range(299)])
        ledger.record(event(299))
    return path


def change(path, query):
    base = duckdb.connect(str(path))
    base.execute(query)
    base.close()


def test_a_log_that_is_whole_opens_without_a_word(killed):
    with ConsentLedger(killed, now=NOW) as ledger:
        assert len(ledger) == 5
        assert ledger.verify().whole


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.95])
def test_a_lost_end_is_noticed(killed, share):
    log = killed.with_name("ledger.duckdb.wal")
    raw = log.read_bytes()
    log.write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(LedgerError, match=r"its last \d events of 5 are lost") as error:
        ConsentLedger(killed, now=NOW)
    assert "\n" not in str(error.value)


def test_a_changed_log_is_noticed(killed):
    log = killed.with_name("ledger.duckdb.wal")
    raw = bytearray(log.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    log.write_bytes(raw)
    with pytest.raises(LedgerError, match=r"events of 5 are lost|damaged"):
        ConsentLedger(killed, now=NOW)


def test_what_is_left_can_be_gone_on_with_on_purpose(killed):
    killed.with_name("ledger.duckdb.wal").unlink()
    with pytest.raises(LedgerError, match=r"remove .*head"):
        ConsentLedger(killed, now=NOW)
    killed.with_name("ledger.duckdb.head").unlink()
    with pytest.warns(UserWarning, match="cannot be noticed"):
        ConsentLedger(killed, now=NOW).close()
    ConsentLedger(killed, now=NOW).close()


def test_changed_bytes_are_noticed_or_change_nothing(kept, tmp_path):
    with ConsentLedger(kept, now=NOW) as ledger:
        expected = ledger._store.rows("SELECT * FROM events ORDER BY seq")
    raw = kept.read_bytes()
    rng = np.random.default_rng(0)
    noticed, sentences = 0, []
    for place in [0, 8, 12, 4096, 8192, *rng.integers(0, len(raw), 25)]:
        bent = bytearray(raw)
        bent[place] ^= 0xFF
        kept.write_bytes(bent)
        try:
            with ConsentLedger(kept, now=NOW) as ledger:
                found = ledger.verify()
                if found.whole:
                    assert ledger._store.rows("SELECT * FROM events ORDER BY seq") == expected
                    continue
        except LedgerError as problem:
            sentences.append(str(problem))
        noticed += 1
    assert noticed > 5
    assert all("damaged" in said or "not what it was" in said for said in sentences), sentences


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("UPDATE events SET action = 'refuse' WHERE seq = 7", "An event was changed"),
        ("UPDATE events SET time = time - INTERVAL 1 DAY WHERE seq = 300", "An event was changed"),
        ("UPDATE events SET subject = subject + 1 WHERE seq = 1", "An event was changed"),
        ("UPDATE events SET seq = 999 WHERE seq = 5", "missing among the numbers"),
        ("UPDATE people SET person = 77777 WHERE person = 5", "1 keys do not give"),
        (
            "INSERT INTO events SELECT * REPLACE (9 AS seq) FROM events WHERE seq = 8;"
            " DELETE FROM events WHERE seq = 10",
            "missing among the numbers",
        ),
    ],
)
def test_a_change_by_another_program_is_noticed(kept, query, said):
    change(kept, query)
    with ConsentLedger(kept, now=NOW) as ledger:
        found = ledger.verify()
    assert not found.whole
    assert said in " ".join(found.findings)


def test_a_removed_event_is_noticed_at_once(kept):
    change(kept, "DELETE FROM events WHERE seq = 12")
    with pytest.raises(LedgerError, match="holds 299 events, and 300 were recorded"):
        ConsentLedger(kept, now=NOW)


@pytest.mark.parametrize("later", ["record", "register", "erase"])
def test_an_older_copy_put_back_is_noticed(kept, tmp_path, event, later):
    shutil.copy(kept, tmp_path / "old")
    with ConsentLedger(kept, now=NOW) as ledger:
        if later == "record":
            ledger.record(event(1, action="withdraw", time="2025-05-01"))
        elif later == "register":
            ledger.register(pd.DataFrame({"person": [1], "regime": ["gdpr"]}))
        else:
            ledger.erase(1)
    shutil.copy(tmp_path / "old", kept)
    said = "its last 1 events of 301" if later == "record" else "1 later changes"
    with pytest.raises(LedgerError, match=said):
        ConsentLedger(kept, now=NOW)


def test_older_copies_of_both_files_need_a_head_kept_elsewhere(kept, tmp_path, event):
    old = tmp_path / "old"
    old.mkdir()
    for part in (kept, kept.with_name("ledger.duckdb.head")):
        shutil.copy(part, old / part.name)
    with ConsentLedger(kept, now=NOW) as ledger:
        before = ledger.verify().head
        ledger.record(event(1, action="withdraw", time="2025-05-01"))
        head = ledger.verify(before).head
        assert ledger.verify(before).whole
        assert ledger.verify(head).whole
        with pytest.raises(LedgerError, match="kept is"):
            ledger.verify("300")
    for part in old.iterdir():
        shutil.copy(part, kept.with_name(part.name))
    with ConsentLedger(kept, now=NOW) as ledger:
        assert ledger.verify().whole  # the files alone cannot tell
        assert not ledger.verify(head).whole


def test_a_ledger_that_is_gone_or_empty_is_no_new_one(kept):
    raw = kept.read_bytes()
    kept.write_bytes(b"")
    with pytest.raises(LedgerError, match="is empty"):
        ConsentLedger(kept, now=NOW)
    kept.unlink()
    with pytest.raises(LedgerError, match="is missing"):
        ConsentLedger(kept, now=NOW)
    kept.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(LedgerError, match="damaged"):
        ConsentLedger(kept, now=NOW)
    kept.write_bytes(b"\0" * 4096 + raw[4096:])
    with pytest.raises(LedgerError, match="damaged"):
        ConsentLedger(kept, now=NOW)


def test_a_log_without_its_ledger_is_no_new_one(killed):
    killed.unlink()
    killed.with_name("ledger.duckdb.head").unlink()
    with pytest.raises(LedgerError, match="a ledger was lost"):
        ConsentLedger(killed, now=NOW)


def test_a_damaged_head_is_told_from_a_missing_ledger(kept):
    head = kept.with_name("ledger.duckdb.head")
    raw = bytearray(head.read_bytes())
    raw[3] ^= 1  # one of the two places: the other still says what came before
    head.write_bytes(raw)
    ConsentLedger(kept, now=NOW).close()
    head.write_bytes(b"\xff" * 600)
    with pytest.warns(UserWarning, match="missing or unreadable"):
        ConsentLedger(kept, now=NOW).close()


def test_the_sentences_tell_in_use_from_damaged_from_foreign(kept, tmp_path):
    base = duckdb.connect(str(tmp_path / "other.duckdb"))
    base.execute("CREATE TABLE block (a INT)")
    base.close()
    (tmp_path / "text.duckdb").write_text("lock " * 500)
    cases = {
        "other.duckdb": "is a database, but no consent ledger",
        "text.duckdb": "it is no consent ledger",
    }
    for name, said in cases.items():
        with pytest.raises(LedgerError, match=said):
            ConsentLedger(tmp_path / name, now=NOW)
        # a refusal leaves nothing behind
        assert not (tmp_path / f"{name}.head").exists()
    with (
        ConsentLedger(kept, now=NOW),
        pytest.raises(LedgerError, match=r"open already.*one writer at a time"),
    ):
        ConsentLedger(kept, now=NOW)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do all")
def test_a_file_without_permission_is_told_so(kept):
    kept.chmod(0o400)
    with pytest.raises(LedgerError, match="no permission"):
        ConsentLedger(kept, now=NOW)


FULL = """
import resource, sys
from ethicalai_lab.consent import ConsentLedger, LedgerError
said = {"action": "grant", "notice_version": "2025-1", "source": "banner", "regime": "gdpr",
        "purpose": "analytics", "time": "2025-03-01"}
ledger = ConsentLedger(sys.argv[1], now="2026-01-12")
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    ledger.record([{**said, "person": person} for person in range(5_000)])
except LedgerError as problem:
    print(problem)
print(len(ledger), ledger.verify().whole)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_full_disk_is_told_so_and_loses_nothing(kept, repo):
    run = subprocess.run(
        [sys.executable, "-c", FULL, kept], cwd=repo, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    said, rest = run.stdout.splitlines()
    assert said.startswith("Nothing was recorded: ")
    assert "the disk is full" in said
    assert rest == "300 True"
    with ConsentLedger(kept, now=NOW) as ledger:
        assert len(ledger) == 300


def test_a_second_handle_of_one_process_is_refused_by_whatever_name(kept, tmp_path):
    with ConsentLedger(kept, now=NOW):
        for name in (kept, tmp_path / "." / ".." / tmp_path.name / kept.name, str(kept)):
            with pytest.raises(LedgerError, match="one writer at a time"):
                ConsentLedger(name, now=NOW)
    ConsentLedger(kept, now=NOW).close()


def test_a_killed_process_leaves_nothing_locked(killed):
    ConsentLedger(killed, now=NOW).close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps open files where they are")
@pytest.mark.parametrize("what", ["replaced", "removed", "head removed"])
def test_nothing_is_acknowledged_into_a_file_that_is_gone(kept, event, tmp_path, what):
    with ConsentLedger(kept, now=NOW) as ledger:
        if what == "replaced":
            shutil.copy(kept, tmp_path / "new")
            os.replace(tmp_path / "new", kept)
        elif what == "removed":
            kept.unlink()
        else:
            kept.with_name("ledger.duckdb.head").unlink()
        with pytest.raises(LedgerError, match="replaced or removed while it was open"):
            ledger.record(event(7))
        with pytest.raises(LedgerError, match="replaced or removed while it was open"):
            ledger.permitted([7], "analytics", NOW)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_handle_does_not_go_along_into_a_forked_process(kept, repo):
    code = (
        "import os, sys; from ethicalai_lab.consent import ConsentLedger, LedgerError\n"
        "it = ConsentLedger(sys.argv[1], now='2026-01-12')\n"
        "if not os.fork():\n"
        "    try: it.permitted([1], 'analytics', '2026-01-12')\n"
        "    except LedgerError as e: print(e, flush=True)\n"
        "    os._exit(0)\n"
        "os.wait(); print(it.permitted([1], 'analytics', '2026-01-12')[0])"
    )
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, kept],
        cwd=repo,
        capture_output=True,
        text=True,
    )
    assert "opened by another process" in run.stdout
    assert run.stdout.endswith("True\n")


@pytest.mark.parametrize("name", [":memory:", ""])
def test_a_name_that_keeps_nothing_is_refused(name):
    with pytest.raises(LedgerError, match="keeps nothing"):
        ConsentLedger(name)


def test_a_clock_that_runs_backwards_is_flagged_and_the_event_is_kept(tmp_path, event):
    times = iter(pd.to_datetime(["2026-01-12", "2026-01-12", "2026-01-10", "2026-01-11"]))
    with ConsentLedger(tmp_path / "l.duckdb", now=lambda: next(times)) as ledger:
        flags = [ledger.record(event(person)).clock_ran_back for person in range(4)]
        assert flags == [False, False, True, False]
        found = ledger.verify()
        assert found.whole
        assert found.findings[0].startswith("The clock ran backwards 1 times, first at event 3")
        assert len(ledger) == 4
    with ConsentLedger(tmp_path / "l.duckdb", now="2026-01-09") as ledger:
        assert ledger.record(event(9)).clock_ran_back


def test_threads_share_a_ledger_in_turns(tmp_path, event):
    wrong, n, rounds = [], 6, 15
    with ConsentLedger(tmp_path / "l.duckdb", now=NOW) as ledger:

        def work(base):
            try:
                for i in range(rounds):
                    person = 1_000 * base + i
                    ledger.record(event(person))
                    if not ledger.permitted([person], "analytics", NOW)[0]:
                        wrong.append((person, "forgotten"))
                    if len(ledger.history(person)) != 1:
                        wrong.append((person, "history"))
                    if i % 5 == 4:
                        ledger.erase(person)
                        if ledger.permitted([person], "analytics", NOW)[0]:
                            wrong.append((person, "not erased"))
            except Exception as problem:  # a thread's error is told in the main one
                wrong.append(problem)

        threads = [threading.Thread(target=work, args=(base,)) for base in range(1, n + 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        assert len(ledger) == n * rounds
        assert ledger.verify().whole


def test_a_ledger_of_another_format_is_refused(kept):
    change(kept, "UPDATE meta SET value = '9' WHERE name = 'format'")
    with pytest.raises(LedgerError, match="has ledger format 9"):
        ConsentLedger(kept, now=NOW)


def test_an_erasure_keeps_the_chain_whole(kept):
    with ConsentLedger(kept, now=NOW) as ledger:
        head = ledger.verify().head
        ledger.erase(7)
        after = ledger.verify(head)
        assert after.whole
        assert after.head == head


def test_a_file_system_without_locks_is_not_called_open_already(tmp_path, monkeypatch):
    def refuse(handle, place):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("ethicalai_lab.consent.head.lock_handle", refuse)
    with pytest.raises(LedgerError, match=r"refuses the file \(No locks available\)\.$"):
        ConsentLedger(tmp_path / "l.duckdb")
