"""The gate, recipients downstream, retention, rights and the clocks of the law."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.consent import (
    ConsentError,
    ConsentLedger,
    Enforcement,
    Purposes,
    Recipients,
    RightsDesk,
    due,
)
from ethicalai_lab.consent.downstream import Delay

NOW = pd.Timestamp("2026-01-12")
PURPOSES = Purposes.default()


@pytest.fixture(scope="module")
def world_ledger(small_world):
    with ConsentLedger(None, now=small_world.as_of) as ledger:
        ledger.register(small_world.customers[["customer_id", "jurisdiction", "birth_date"]])
        ledger.record(small_world.consent_events)
        yield ledger


@pytest.mark.parametrize("purpose", list(PURPOSES))
@pytest.mark.parametrize("name", ["customers", "campaign", "messages", "preferences"])
def test_no_row_and_no_column_leaves_that_is_not_permitted(
    small_world, world_ledger, purpose, name
):
    table = getattr(small_world, name)
    gate = Enforcement(world_ledger)
    out = gate.read(table, purpose, NOW)
    allowed = world_ledger.permitted(table["customer_id"], purpose, NOW)
    assert out.index.equals(table.index[allowed])
    assert set(out.columns) <= set(PURPOSES.columns(purpose)) | {"customer_id"}
    assert {c for c in table.columns if c in PURPOSES.columns(purpose)} <= set(out.columns)
    last = gate.log.iloc[-1]
    assert last["released"] == len(out)
    assert last["rows"] == len(out) + last["no_permission"] + last["too_old"]
    assert set(last["withheld"]) == set(table.columns) - set(out.columns)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10**6),
    purpose=st.sampled_from(PURPOSES.asked("ccpa")),
    day=st.integers(-30, 130),
)
def test_the_gate_never_lets_anyone_through_who_said_no(seed, purpose, day, many_events):
    events = many_events(seed)
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {"customer_id": rng.integers(1, 15, 100), "history": 1.0, "email": "x", "age": 30}
    )
    at = pd.Timestamp("2025-06-01") + pd.Timedelta(days=day)
    with ConsentLedger(None, now=NOW) as ledger:
        ledger.record(events)
        out = Enforcement(ledger).read(table, purpose, at)
        assert ledger.permitted(out["customer_id"], purpose, at).all()
        left = table.drop(out.index)
        assert not ledger.permitted(left["customer_id"], purpose, at).any()


def test_a_table_that_does_not_fit_is_an_error(small_world, world_ledger):
    gate = Enforcement(world_ledger)
    with pytest.raises(ConsentError, match='"customer_id"'):
        gate.read(small_world.products, "analytics", NOW)
    with pytest.raises(ConsentError, match="DataFrame"):
        gate.read([1, 2], "analytics", NOW)
    strange = small_world.campaign[["customer_id"]].assign(shoe_size=42)
    assert "shoe_size" not in gate.read(strange, "analytics", NOW)


def test_what_left_is_a_copy(small_world, world_ledger):
    before = small_world.campaign["history"].copy()
    out = Enforcement(world_ledger).read(small_world.campaign, "analytics", NOW)
    out["history"] = -1.0
    pd.testing.assert_series_equal(small_world.campaign["history"], before)


def test_old_rows_stay_behind_and_retention_deletes(event):
    days = [10, 399, 400, 401, 900]
    table = pd.DataFrame(
        {
            "customer_id": 1,
            "kind": "view",
            "time": [NOW - pd.Timedelta(days=d) for d in days],
        }
    )
    with ConsentLedger(None, now=NOW) as ledger:
        ledger.record(event(1))
        gate = Enforcement(ledger)
        out = gate.read(table, "analytics", NOW, time="time")
        assert len(out) == 3  # 400 days, the last day included
        assert gate.log["too_old"].tolist() == [2]
        # fraud prevention needs no consent and keeps 365 days
        both = gate.expire(table, NOW, time="time")
        assert both.index.tolist() == [0, 1, 2]
        ledger.record(event(1, action="withdraw", time="2026-01-01"))
        after = gate.expire(table, NOW, time="time")
        assert after.index.tolist() == [0]
        assert gate.read(table, "analytics", NOW, time="time").empty
        with pytest.raises(ConsentError, match="No purpose uses"):
            gate.expire(table[["customer_id", "time"]], NOW, time="time")


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6), purpose=st.sampled_from(PURPOSES.asked("ccpa")))
def test_a_no_never_lengthens_what_is_held(seed, purpose, many_events, event):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "customer_id": rng.integers(1, 15, 120),
            "kind": "view",
            "history": 1.0,
            "time": NOW - pd.to_timedelta(rng.integers(0, 900, 120), unit="D"),
        }
    )
    with ConsentLedger(None, now=NOW) as ledger:
        ledger.record(many_events(seed))
        gate = Enforcement(ledger)
        before = set(gate.expire(table, NOW, time="time").index)
        ledger.record(event(3, purpose=purpose, action="withdraw", time=NOW))
        after = set(gate.expire(table, NOW, time="time").index)
    assert after <= before


# ---------------------------------------------------------------- clocks


@pytest.mark.parametrize(
    ("regime", "request_", "received", "last_day"),
    [
        ("gdpr", "access", "2026-01-12", "2026-02-12"),
        ("gdpr", "erasure", "2026-01-31", "2026-02-28"),  # a month, not 30 days
        ("gdpr", "access", "2024-01-31", "2024-02-29"),
        ("ccpa", "erasure", "2026-01-12", "2026-02-26"),
        ("ccpa", "confirmation", "2026-01-12", "2026-01-26"),  # a Monday, ten business days
        ("ccpa", "opt_out", "2026-01-12", "2026-02-02"),
        ("ccpa", "opt_out", "2026-01-10", "2026-01-30"),  # a Saturday counts as Friday
    ],
)
def test_deadlines(regime, request_, received, last_day):
    end = due(regime, request_, received)[0]
    assert end == pd.Timestamp(last_day) + pd.Timedelta(days=1)


def test_where_the_law_names_no_number_none_is_made_up():
    with pytest.raises(ConsentError, match="no number of days"):
        due("gdpr", "withdrawal", NOW)


# ---------------------------------------------------------------- downstream


def no_events(event, n=400, regime="ccpa"):
    people = range(1, n + 1)
    opt_out = {"purpose": "third_party_sharing", "action": "opt_out", "regime": regime}
    return pd.DataFrame([event(p, time="2025-06-02 09:00", **opt_out) for p in people])


def test_notices_reach_recipients_and_the_late_ones_are_counted(ledger, event):
    events = no_events(event)
    ledger.register(pd.DataFrame({"person": range(1, 401), "regime": "ccpa"}))
    ledger.record(events)
    slow = Recipients(ledger, {"ad_platform": Delay(30, 0.3), "data_partner": Delay(2, 0.3)})
    sent = slow.deliver(events)
    assert len(sent.table) == 800
    late = sent.table.groupby("recipient")["late"].mean()
    # the clock ends 15 business days on, 21.6 days after the word; the delay is log-normal
    from scipy.stats import norm

    end = due("ccpa", "opt_out", "2025-06-02 09:00")[0] - pd.Timestamp("2025-06-02 09:00")
    days = end / pd.Timedelta(days=1)
    expected = 1 - norm.cdf(np.log(days / 30) / 0.3)
    assert late["ad_platform"] == pytest.approx(expected, abs=0.06)
    assert late["data_partner"] == 0
    pd.testing.assert_frame_equal(slow.deliver(events).table, sent.table)


def test_lost_notices_are_late_where_the_law_has_a_clock(ledger, event):
    places = ["gdpr"] * 200 + ["ccpa"] * 200
    ledger.register(pd.DataFrame({"person": range(1, 401), "regime": places}))
    ledger.record([event(p, purpose="third_party_sharing") for p in range(1, 201)])
    events = no_events(event).assign(regime=places)
    events["action"] = ["withdraw"] * 200 + ["opt_out"] * 200
    ledger.record(events)
    sent = Recipients(ledger, {"ad_platform": Delay(3, 0, lost=0.25)}).deliver(events).table
    elsewhere, california = (sent[sent["regime"] == regime] for regime in ("gdpr", "ccpa"))
    assert elsewhere["due"].isna().all()
    assert not elsewhere["late"].any()
    assert california["late"].mean() == pytest.approx(0.25, abs=0.1)
    assert (california["late"] == california["acted"].isna()).all()


def test_who_never_agreed_had_nothing_sent(ledger, event):
    never = no_events(event, 50, "gdpr").assign(action="refuse")
    ledger.record(never)
    sent = Recipients(ledger, {"ad_platform": Delay(1)}).deliver(never)
    assert sent.table.empty


def test_wrong_recipients_and_delays_are_refused(ledger):
    with pytest.raises(ConsentError, match="known are"):
        Recipients(ledger, {"broker": Delay(1)})
    with pytest.raises(ConsentError, match="a Delay"):
        Recipients(ledger, {"ad_platform": 3})
    for wrong in (
        {"median_days": 0},
        {"median_days": 1, "spread": -1},
        {"median_days": 1, "lost": 2},
    ):
        with pytest.raises(ConsentError):
            Delay(**wrong)


# ---------------------------------------------------------------- rights


@pytest.fixture
def desk(small_world):
    with ConsentLedger(None, now=small_world.as_of) as ledger:
        ledger.register(small_world.customers[["customer_id", "jurisdiction", "birth_date"]])
        ledger.record(small_world.consent_events)
        names = ("customers", "events", "messages", "campaign", "preferences")
        yield RightsDesk(ledger, {name: getattr(small_world, name) for name in names})


def test_access_gives_every_row_and_column(desk, small_world):
    answer = desk.access(7)
    for name in desk.tables:
        table, original = answer.tables[name], getattr(small_world, name)
        pd.testing.assert_frame_equal(table, original[original["customer_id"] == 7])
    said = small_world.consent_events
    assert len(answer.tables["consents"]) == (said["customer_id"] == 7).sum()
    uses = answer.tables["uses"].set_index("purpose")
    assert uses.loc["third_party_sharing", "recipients"] == "ad_platform, data_partner"


def test_erasure_leaves_nothing_but_what_has_a_ground(desk):
    before = {name: len(table) for name, table in desk.tables.items()}
    answer = desk.erase(7, keep={"events": "Invoices are kept by law."})
    for name, table in desk.tables.items():
        if name == "events":
            assert len(table) == before[name]
        else:
            assert not (table["customer_id"] == 7).any()
            assert len(table) == before[name] - answer.deleted[name]
    assert answer.deleted["customers"] == 1
    assert answer.kept == {"events": "Invoices are kept by law."}
    assert answer.ledger.known
    later = desk.access(7)
    assert later.tables["customers"].empty
    assert later.tables["consents"].empty


@pytest.mark.parametrize("person", [7, "7", 7.0, np.int32(7)])
@pytest.mark.parametrize("dtype", [int, float, str, "string", "category"])
def test_a_person_is_erased_however_the_table_writes_the_number(person, dtype):
    table = pd.DataFrame({"customer_id": [6, 7, 8, 7], "x": 1})
    table["customer_id"] = table["customer_id"].astype(dtype)
    with ConsentLedger(None, now=NOW) as ledger:
        ledger.register(pd.DataFrame({"person": [7], "regime": "gdpr"}))
        desk = RightsDesk(ledger, {"orders": table})
        assert len(desk.access(person).tables["orders"]) == 2
        answer = desk.erase(person)
    assert answer.deleted == {"orders": 2}
    assert desk.tables["orders"]["customer_id"].astype(float).tolist() == [6, 8]
    assert answer.ledger.known


@pytest.mark.parametrize("lookalike", ["0007", "7.0", " 7"])
def test_who_may_be_the_person_stops_the_erasure(lookalike):
    tables = {
        "orders": pd.DataFrame({"customer_id": ["7", "8"]}),
        "mails": pd.DataFrame({"customer_id": [lookalike, "8"]}),
    }
    with ConsentLedger(None, now=NOW) as ledger:
        ledger.register(pd.DataFrame({"person": [7], "regime": "gdpr"}))
        desk = RightsDesk(ledger, tables)
        for ask in (desk.erase, desk.access):
            with pytest.raises(ConsentError, match="row 0: mails: customer_id is"):
                ask(7)
        assert len(desk.tables["orders"]) == 2
        assert ledger.erase(7).known  # the ledger was not touched either


def test_an_erasure_that_matches_nobody_says_so(desk):
    with pytest.raises(ConsentError, match=r"Nobody was erased: neither customers.*999999"):
        desk.erase(999_999)
    desk.erase(7)
    with pytest.raises(ConsentError, match="Nobody was erased"):
        desk.erase(7)
    with pytest.raises(ConsentError, match="whole number"):
        desk.erase("ada")


def test_a_request_s_date_with_two_readings_is_refused():
    with pytest.raises(ConsentError, match="2025-04-03 if the day comes first"):
        due("gdpr", "erasure", "03.04.2025")
    # the end of 3 May
    assert due("gdpr", "erasure", "2025-04-03 17:00")[0] == pd.Timestamp("2025-05-04")
    both = due("gdpr", "erasure", ["31.03.2025", "03.04.2025"])
    assert both.tolist() == [pd.Timestamp("2025-05-01"), pd.Timestamp("2025-05-04")]


def test_a_no_said_in_any_zone_reaches_recipients_at_its_moment():
    said = pd.Timestamp("2025-06-02 01:00", tz="Europe/Berlin")
    rows = {"person": 1, "purpose": "third_party_sharing", "regime": "gdpr"}
    rows |= {"notice_version": "1", "source": "banner"}
    events = [
        {**rows, "action": "grant", "time": "2025-05-01"},
        {**rows, "action": "withdraw", "time": said},
    ]
    with ConsentLedger(None, now=NOW) as ledger:
        ledger.record(events)
        delays = {"data_partner": Delay(median_days=1)}
        table = Recipients(ledger, delays).deliver(events).table
    assert table["said"].tolist() == [pd.Timestamp("2025-06-01 23:00")]


def test_a_desk_that_could_not_find_people_is_refused(desk, small_world):
    with pytest.raises(ConsentError, match='"products" has no column'):
        RightsDesk(desk._ledger, {"products": small_world.products})
    with pytest.raises(ConsentError, match="reason"):
        desk.erase(7, keep={"events": " "})
    with pytest.raises(ConsentError, match="no table"):
        desk.erase(7, keep={"invoices": "law"})
