"""The ledger keeps what it acknowledged, and takes nothing it could not stand by."""

import hashlib
import signal
import subprocess
import sys

import duckdb
import numpy as np
import pandas as pd
import pytest

from ethicalai_lab.consent import ConsentLedger, LedgerError, Purposes

NOW = pd.Timestamp("2026-01-12")


def test_what_was_recorded_is_there_after_reopening(tmp_path, event):
    path = tmp_path / "ledger.duckdb"
    with ConsentLedger(path, now=NOW) as ledger:
        done = ledger.record([event(1), event(2, action="refuse")])
        assert (done.count, done.first, done.last) == (2, 1, 2)
        before = ledger.history(1)
    with ConsentLedger(path, now=NOW) as ledger:
        pd.testing.assert_frame_equal(ledger.history(1), before)
        assert ledger.permitted([1, 2, 3], "analytics", NOW).tolist() == [True, False, False]
        assert ledger.record(event(3)).first == 3


WRITER = """
import sys
from ethicalai_lab.consent import ConsentLedger
ledger = ConsentLedger(sys.argv[1], now="2026-01-12")
person = 0
print("ready", flush=True)
while True:
    person += 1
    batch = [
        {"person": person, "purpose": purpose, "action": "grant", "time": "2025-03-01",
         "notice_version": "2025-1", "source": "banner", "regime": "gdpr"}
        for purpose in ("analytics", "direct_marketing", "personalization")
    ]
    print(ledger.record(batch).last, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no kill -9")
def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path, repo):
    path = tmp_path / "ledger.duckdb"
    for round_ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=repo
        ) as writer:
            for _ in range(3 + round_):  # "ready", and so many batches
                told = writer.stdout.readline()
                assert told
            writer.send_signal(signal.SIGKILL)
            lines = writer.stdout.read().split("\n")
        # the last line may be torn; what stands before a line break was acknowledged
        acknowledged = max(map(int, [told, *lines[:-1]]))
        assert acknowledged >= 6
        with ConsentLedger(path, now=NOW) as ledger:
            assert len(ledger) >= acknowledged
            # a batch is kept whole or not at all
            assert len(ledger) % 3 == 0
            seq = ledger._store.frame("SELECT seq FROM events ORDER BY seq")["seq"]
            assert np.array_equal(seq, np.arange(1, len(ledger) + 1))


def test_a_batch_with_one_bad_row_leaves_nothing(ledger, event):
    ledger.record(event(1))
    with pytest.raises(LedgerError, match="row 2"):
        ledger.record([event(2), event(3), event(4, purpose="weather")])
    assert len(ledger) == 1
    assert ledger.history(2).empty


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"purpose": "direct_marketng"}, 'Did you mean "direct_marketing"'),
        ({"action": "agree"}, "accepted are grant, refuse"),
        ({"source": "telepathy"}, "accepted are banner"),
        ({"regime": "GDPR"}, 'Did you mean "gdpr"'),
        ({"time": "2026-01-12 00:00:01"}, "lies in the future"),
        ({"time": "2026-01-12T00:30:00-01:00"}, "lies in the future"),
        ({"time": "1999-12-31"}, "out of range"),
        ({"time": None}, "a time such as"),
        ({"time": "soon"}, "a time such as"),
        ({"time": 20250301}, "holds numbers"),
        ({"person": 1.5}, "whole numbers"),
        ({"person": "anna"}, "whole number"),
        ({"person": None}, "whole number"),
        ({"person": 2**70}, "whole number"),
        ({"notice_version": ""}, "proves nothing"),
        ({"notice_version": None}, "proves nothing"),
        ({"notice_version": "x" * 65}, "up to 64"),
        ({"source": "gpc_signal"}, "never grants"),
        ({"purpose": "order_fulfilment"}, "rests on contract"),
        ({"extra": 1}, "would not keep"),
    ],
)
def test_a_bad_event_is_refused_in_one_sentence(ledger, event, change, message):
    with pytest.raises(LedgerError, match=message) as error:
        ledger.record({**event(), **change})
    assert "\n" not in str(error.value)
    assert len(ledger) == 0


@pytest.mark.parametrize("events", [7, "grant", [1, 2], None, {"person": 1}])
def test_what_is_no_event_is_refused(ledger, events):
    with pytest.raises(LedgerError):
        ledger.record(events)


def test_nothing_to_record_is_acknowledged_as_nothing(ledger):
    assert ledger.record([]).count == 0
    assert ledger.permitted([], "analytics", NOW).shape == (0,)


def test_times_with_a_zone_are_compared_in_utc(ledger, event):
    ledger.record(event(time="2025-03-01T01:00:00+02:00"))  # 23:00 the day before
    asked = ["2025-02-28 22:59:59", "2025-02-28 23:00:00", "2025-03-01T00:59:59+02:00"]
    assert ledger.permitted([1, 1, 1], "analytics", asked).tolist() == [False, True, False]


def test_the_clock_is_the_computer_s_unless_told(event):
    with ConsentLedger(None) as ledger:
        tomorrow = pd.Timestamp.now("UTC") + pd.Timedelta(days=1)
        with pytest.raises(LedgerError, match="future"):
            ledger.record(event(time=tomorrow))
        assert ledger.record(event(time=tomorrow - pd.Timedelta(days=2))).count == 1


def test_opening_what_is_no_ledger(tmp_path):
    (tmp_path / "text.duckdb").write_text("not a database at all " * 500)
    with pytest.raises(LedgerError, match="it is no consent ledger"):
        ConsentLedger(tmp_path / "text.duckdb")
    base = duckdb.connect(str(tmp_path / "other.duckdb"))
    base.execute("CREATE TABLE x (a INT)")
    base.close()
    with pytest.raises(LedgerError, match="no consent ledger"):
        ConsentLedger(tmp_path / "other.duckdb")
    with pytest.raises(LedgerError, match="does not exist"):
        ConsentLedger(tmp_path / "no" / "ledger.duckdb")
    with pytest.raises(LedgerError, match="folder"):
        ConsentLedger(tmp_path)


def test_a_second_writer_is_told_so(tmp_path, repo):
    path = tmp_path / "ledger.duckdb"
    with ConsentLedger(path):
        code = (
            "import sys; from ethicalai_lab.consent import ConsentLedger, LedgerError\n"
            "try: ConsentLedger(sys.argv[1])\n"
            "except LedgerError as e: print(e)"
        )
        out = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, cwd=repo
        )
    assert "one writer at a time" in out.stdout


def test_a_closed_ledger_says_so(event):
    ledger = ConsentLedger(None)
    ledger.close()
    with pytest.raises(LedgerError, match="closed"):
        ledger.record(event())
    assert "closed" in repr(ledger)


@pytest.mark.parametrize(
    "wrong",
    [{"default_regime": "lgpd"}, {"child_age": 12}, {"now": "someday"}],
)
def test_wrong_parameters_are_named(wrong):
    with pytest.raises(LedgerError, match=next(iter(wrong))):
        ConsentLedger(None, **wrong)


def test_other_purposes_than_the_ledger_s_are_noticed(tmp_path, event, purposes, monkeypatch):
    path = tmp_path / "ledger.duckdb"
    with ConsentLedger(path, now=NOW) as ledger:
        ledger.record(event())
    fewer = Purposes({n: p for n, p in purposes.items() if n != "analytics"}, purposes.categories)
    monkeypatch.setattr(Purposes, "default", lambda: fewer)
    with (
        ConsentLedger(path, now=NOW) as ledger,
        pytest.raises(LedgerError, match='"analytics"'),
    ):
        ledger.permitted([1], "personalization", NOW)


def test_a_receipt_shows_what_wording_was_kept(ledger, event):
    text = "We count visits. You can say no at any time."
    ledger.add_notice("2025-1", text)
    ledger.add_notice("2025-1", text)
    ledger.record(event())
    told = ledger.receipt(1)["pii_processing"][0]
    assert told["privacy_notice_sha256"] == hashlib.sha256(text.encode()).hexdigest()
    with pytest.raises(LedgerError, match="another wording"):
        ledger.add_notice("2025-1", "We share everything.")
    with pytest.raises(LedgerError, match="text is 7"):
        ledger.add_notice("2025-2", 7)


def test_a_receipt_holds_the_standard_s_fields(ledger, event):
    import json

    ledger.record(
        [event(), event(purpose="third_party_sharing", action="refuse", time="2025-03-02")]
    )
    receipt = ledger.receipt(1)
    assert json.loads(json.dumps(receipt)) == receipt
    header = {"schema_version", "record_id", "pii_principal_id"}
    assert header | {"pii_processing", "party_identification"} <= set(receipt)
    first, second = receipt["pii_processing"]
    for field in (
        *("privacy_notice", "purpose", "purpose_type", "lawful_basis", "pii_information"),
        *("collection_method", "retention_period", "recipient_third_parties", "event"),
        *("withdrawal_method", "privacy_rights", "jurisdiction"),
    ):
        assert field in first, field
    assert first["permitted_now"]
    assert not second["permitted_now"]
    assert second["recipient_third_parties"] == ["ad_platform", "data_partner"]
    assert (first["lawful_basis"], first["model_of_choice"]) == ("consent", None)
    # the state of an earlier moment can be shown as well
    assert len(ledger.receipt(1, "2025-03-01 12:00")["pii_processing"]) == 1
    with pytest.raises(LedgerError, match="no event"):
        ledger.receipt(1, "2025-01-01")
    # California lists no bases: there is an opt-out
    ledger.record(event(2, purpose="third_party_sharing", action="opt_out", regime="ccpa"))
    told = ledger.receipt(2)["pii_processing"][0]
    assert (told["lawful_basis"], told["model_of_choice"]) == (None, "opt_out")


def test_history_is_in_order_of_time(ledger, event):
    ledger.record([event(action="withdraw", time="2025-06-01")])
    ledger.record([event(time="2025-03-01")])
    assert ledger.history(1)["action"].tolist() == ["grant", "withdraw"]
    assert ledger.history(99).empty


def test_erasure_unlinks_and_keeps_only_the_no(tmp_path, event):
    path = tmp_path / "ledger.duckdb"
    with ConsentLedger(path, now=NOW) as ledger:
        ledger.register(
            pd.DataFrame({"person": [1, 2], "regime": "ccpa", "birth_date": ["1980-02-29", None]})
        )
        ledger.record(
            [
                event(1, purpose="direct_marketing", action="object", regime="ccpa"),
                event(1, purpose="analytics", regime="ccpa"),
                event(2, purpose="analytics"),
            ]
        )
        key, subject = ledger._store.one("SELECT key, subject FROM people WHERE person = 1")
        gone = ledger.erase(1)
        assert gone.known
        assert gone.unlinked_events == 2
        assert gone.suppressed == ("direct_marketing",)
        assert ledger.history(1).empty
        assert len(ledger) == 3  # the log stays whole
        # the others are untouched
        assert ledger.permitted([2], "analytics", NOW).all()
        again = ledger.erase(1)
        assert not again.known
    # neither key nor number can be read from the file any more
    raw = path.read_bytes()
    assert bytes(key) not in raw
    with ConsentLedger(path, now=NOW) as ledger:
        rest = ledger._store.one("SELECT count(*) FROM events WHERE subject = ?", [subject])
        assert rest[0] == 2
        # an import cannot bring the yes back, nor does living under an opt-out rule
        with pytest.raises(LedgerError, match="refused direct_marketing before erasure"):
            ledger.record(event(1, purpose="direct_marketing", source="import", regime="other"))
        ledger.register(pd.DataFrame({"person": [1, 5], "regime": "ccpa"}))
        assert ledger.permitted([1, 5], "direct_marketing", NOW).tolist() == [False, True]
        # the person can
        ledger.record(event(1, purpose="direct_marketing", time="2025-12-01"))
        assert ledger.permitted([1], "direct_marketing", NOW).all()


def test_the_key_is_in_the_file_before_erasure(tmp_path, event):
    # else the test above could not fail
    path = tmp_path / "ledger.duckdb"
    with ConsentLedger(path, now=NOW) as ledger:
        ledger.record(event(1))
        key = ledger._store.one("SELECT key FROM people")[0]
    assert bytes(key) in path.read_bytes()


def test_the_log_holds_no_person_s_number(tmp_path, event):
    with ConsentLedger(tmp_path / "l.duckdb", now=NOW) as ledger:
        ledger.record(event(123_456_789))
        (subject,) = ledger._store.one("SELECT subject FROM events")
        assert subject != 123_456_789
        columns = [row[0] for row in ledger._store.rows("DESCRIBE events")]
        assert "person" not in columns


def test_a_reader_cannot_write(ledger, event):
    ledger.record(event())
    reader = ledger.reader
    assert reader.permitted([1], "analytics", NOW).all()
    for name in ("record", "erase", "register", "add_notice"):
        assert not hasattr(reader, name)


@pytest.mark.parametrize(
    ("people", "message"),
    [
        (pd.DataFrame({"regime": ["gdpr"]}), 'no column "person"'),
        (pd.DataFrame({"person": [1]}), 'no column "regime"'),
        (pd.DataFrame({"person": [1, 1], "regime": "gdpr"}), "twice"),
        (pd.DataFrame({"person": [1], "jurisdiction": "Mars"}), "accepted are gdpr"),
        (pd.DataFrame({"person": [1], "regime": "gdpr", "birth_date": ["2030-01-01"]}), "future"),
        ([1, 2], "a DataFrame is accepted"),
    ],
)
def test_a_bad_register_is_refused(ledger, people, message):
    with pytest.raises(LedgerError, match=message):
        ledger.register(people)


def test_dates_of_one_column_are_read_in_one_order(ledger, event):
    ledger.record([event(1, time="31.03.2025"), event(2, time="03.04.2025")])
    days = [str(ledger.history(person)["time"][0].date()) for person in (1, 2)]
    assert days == ["2025-03-31", "2025-04-03"]


def test_a_withdrawal_on_a_date_with_two_readings_is_refused(ledger, event):
    with pytest.raises(LedgerError, match=r"row 1: time is '05\.03\.2025': 2025-03-05 if the day"):
        ledger.record([event(1, time="2025-02-01"), event(1, action="withdraw", time="05.03.2025")])
    ledger.record(event(1, time="2025-02-01"))
    with pytest.raises(LedgerError, match=r"time is .05\.03\.2025.: 2025-03-05 if the day"):
        ledger.record(event(1, action="withdraw", time="05.03.2025"))
    ledger.record(event(1, action="withdraw", time="2025-03-05"))
    assert ledger.permitted([1, 1], "analytics", ["2025-03-04", "2025-03-15"]).tolist() == [
        True, False,
    ]  # fmt: skip
    with pytest.raises(LedgerError, match=r"at is .05\.03\.2025."):
        ledger.permitted([1], "analytics", "05.03.2025")
