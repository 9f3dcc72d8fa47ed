"""An erasure holds: interrupted at any instant, it is finished, and no byte of a key is left."""

import json
import os
import stat
import subprocess
import sys

import pandas as pd
import pytest

from ethicalai_lab.consent import ConsentLedger, LedgerError

NOW = pd.Timestamp("2026-01-12")
PERSON = 0x1122334455667788
OTHER = 5

# Kills an erasure before each thing it asks of the system or of the engine. Every ledger is opened in a
# forked child, so that the parent never holds a thread of the engine.
KILLER = """
import json, os, shutil, signal, sys
from pathlib import Path
import duckdb, pandas, pyarrow
from ethicalai_lab.consent import ConsentLedger

start, folder, PERSON, key = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
AT_OPEN = sys.argv[5] == "open"
NEEDLES = (bytes.fromhex(key), PERSON.to_bytes(8, "little"), str(PERSON).encode())
STEPS = {"open", "write", "fsync", "mkdir", "rmdir", "unlink", "replace", "chmod", "chown"}

def in_child(work):
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def opened():
    return ConsentLedger(folder / "ledger.duckdb", now="2026-01-12")

def erase_until(step):
    left = step
    counting = False
    def count():
        nonlocal left
        if counting and not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= counting
    class Connection:
        def __init__(self, real):
            self.real = real
        def __getattr__(self, name):
            count()
            return getattr(self.real, name)
    connect = duckdb.connect
    duckdb.connect = lambda *given, **named: Connection(connect(*given, **named))
    def call(frame, event, function):
        if event == "c_call" and function.__name__ in STEPS:
            count()
    if AT_OPEN:
        counting = True
        sys.setprofile(call)
        opened()
    else:
        it = opened()
        counting = True
        sys.setprofile(call)
        it.erase(PERSON)
    sys.setprofile(None)

def found():
    raw = [p.read_bytes() for p in folder.rglob("*") if p.is_file()]
    return sum(needle in data for needle in NEEDLES for data in raw)

def look():
    with opened() as it:
        known = not it.history(PERSON).empty
        left_after_opening = 0 if known else found()
        if known:
            it.erase(PERSON)
        left_while_open = found()
        others = bool(it.permitted([5], "analytics", "2026-01-12")[0])
        whole = it.verify().whole
        events = len(it)
    print(json.dumps({
        "known": known, "left": left_after_opening + left_while_open + found(),
        "others": others, "whole": whole, "events": events,
        "files": sorted(p.name for p in folder.iterdir()),
    }), flush=True)

step = 0
while True:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(start, folder)
    if not step and not found():
        sys.exit("the key is not there to begin with")
    code = in_child(lambda: erase_until(step))
    if code == 0:
        break
    if code != -signal.SIGKILL:
        sys.exit(f"step {step}: exit code {code}")
    if in_child(look):
        sys.exit(f"step {step}: what is left cannot be opened")
    step += 1
"""

# leaves a ledger as a killed process does: keys in the file and, of later people, in the
# engine's log; or an erasure that is to be finished when the ledger is opened
KILLED = """
import os, signal, sys
from ethicalai_lab.consent import ConsentLedger
PERSON = int(sys.argv[2])
ledger = ConsentLedger(sys.argv[1], now="2026-01-12")
said = {"action": "grant", "notice_version": "2025-1", "source": "banner", "regime": "gdpr",
        "purpose": "analytics", "time": "2025-03-01"}
ledger.record([{**said, "person": 5}, {**said, "person": PERSON}])
if sys.argv[3] == "erase":
    ledger._store.rows("CHECKPOINT")
    ledger.record({**said, "person": PERSON, "purpose": "direct_marketing"})
((key,),) = ledger._store.rows("SELECT key FROM people WHERE person = ?", [PERSON])
print(bytes(key).hex(), flush=True)
if sys.argv[3] == "open":
    ledger._store._rewrite = lambda: os.kill(os.getpid(), signal.SIGKILL)
    ledger.erase(PERSON)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and kill -9")
@pytest.mark.parametrize("killed_during", ["erase", "open"])
def test_an_erasure_killed_at_any_step_is_finished_and_leaves_nothing(
    tmp_path, repo, killed_during
):
    start = tmp_path / "start"
    start.mkdir()
    path = start / "ledger.duckdb"
    made = run(repo, KILLED, path, PERSON, killed_during)
    assert path.with_name("ledger.duckdb.wal").exists()
    key = made.stdout.strip()
    done = run(repo, KILLER, start, tmp_path / "work", PERSON, key, killed_during)
    assert done.returncode == 0, done.stderr
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(steps) > 20
    for number, step in enumerate(steps):
        assert not step["left"], (number, step)
        assert step["others"], number
        assert step["whole"], number
        assert step["events"] == (3 if killed_during == "erase" else 2), number
        assert step["files"] == ["ledger.duckdb", "ledger.duckdb.head"], number
    # before the commit the person is known, after it no more: the kills lie on both sides
    assert {step["known"] for step in steps} == {False, killed_during == "erase"}


def run(repo, code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=repo,
        capture_output=True,
        text=True,
        timeout=900,
    )


FULL = """
import resource, sys
from ethicalai_lab.consent import ConsentLedger, LedgerError
ledger = ConsentLedger(sys.argv[1], now="2026-01-12")
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    ledger.erase(int(sys.argv[2]))
except LedgerError as problem:
    print(problem)
print(ledger.history(int(sys.argv[2])).empty)
try:
    ledger.erase(int(sys.argv[2]))
except LedgerError as problem:
    print(problem)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_an_erasure_on_a_full_disk_is_said_and_finished_later(tmp_path, repo, event):
    path = tmp_path / "ledger.duckdb"
    with ConsentLedger(path, now=NOW) as ledger:
        ledger.record([event(OTHER), event(PERSON)])
        key = bytes(ledger._store.one("SELECT key FROM people WHERE person = ?", [PERSON])[0])
    # the log may still grow, a new file may not be written
    said = run(repo, FULL, path, PERSON, 12_000)
    assert said.returncode == 0, said.stderr
    first, gone, again = said.stdout.splitlines()
    for sentence in (first, again):
        assert sentence.startswith("The person is forgotten")
        assert "the disk is full" in sentence
    assert gone == "True"
    assert not list(tmp_path.glob("*.part*"))
    assert key in path.read_bytes()
    with ConsentLedger(path, now=NOW) as ledger:
        assert not any(key in part.read_bytes() for part in tmp_path.iterdir())
        assert ledger.permitted([OTHER], "analytics", NOW).all()
        assert ledger.verify().whole


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_modes_are_kept_and_hold_for_all_that_is_beside(tmp_path, event, mode):
    path = tmp_path / "ledger.duckdb"
    ConsentLedger(path, now=NOW).close()
    path.chmod(mode)
    (tmp_path / "ledger.duckdb.head").unlink()
    with pytest.warns(UserWarning, match="made anew"):
        ledger = ConsentLedger(path, now=NOW)
    with ledger:
        ledger.record([event(1), event(2)])
        modes = {part.name: stat.S_IMODE(part.stat().st_mode) for part in tmp_path.iterdir()}
        assert modes == dict.fromkeys(
            ["ledger.duckdb", "ledger.duckdb.wal", "ledger.duckdb.head"], mode
        )
        ledger.erase(1)
        assert stat.S_IMODE(path.stat().st_mode) == mode
        ledger.record(event(3))
        assert stat.S_IMODE((tmp_path / "ledger.duckdb.wal").stat().st_mode) == mode


def test_a_link_stays_a_link_and_what_it_leads_to_is_rewritten(tmp_path, event):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").mkdir()
    target, link = tmp_path / "real" / "ledger.duckdb", tmp_path / "link" / "mine.duckdb"
    try:
        link.symlink_to(target)
    except OSError:
        pytest.skip("no symbolic links here")
    with ConsentLedger(link, now=NOW) as ledger:
        ledger.record([event(1), event(2)])
        key = bytes(ledger._store.one("SELECT key FROM people WHERE person = 1")[0])
        with pytest.raises(LedgerError, match="one writer at a time"):
            ConsentLedger(target, now=NOW)
        ledger.erase(1)
    assert link.is_symlink()
    assert not any(key in part.read_bytes() for part in tmp_path.rglob("*") if part.is_file())
    assert [part.name for part in (tmp_path / "link").iterdir()] == ["mine.duckdb"]
    with ConsentLedger(target, now=NOW) as ledger:
        assert ledger.permitted([1, 2], "analytics", NOW).tolist() == [False, True]


@pytest.mark.parametrize(
    "name",
    [
        "it's.duckdb",
        "a b%20c%s.duckdb",
        "Zoë 日本.db",
        "-rf",
        "temp.duckdb",
        "main",
        "fresh",
        "a.b;c",
    ],
)
def test_any_file_name_will_do(tmp_path, monkeypatch, event, name):
    monkeypatch.chdir(tmp_path)
    with ConsentLedger(name, now=NOW) as ledger:
        ledger.record([event(1), event(2)])
        ledger.erase(1)
        assert len(ledger) == 2
    with ConsentLedger(name, now=NOW) as ledger:
        assert ledger.permitted([1, 2], "analytics", NOW).tolist() == [False, True]
    assert sorted(os.listdir(tmp_path)) == sorted([name, name + ".head"])
