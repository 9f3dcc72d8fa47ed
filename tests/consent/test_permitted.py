"""Decisions: the properties the law asks for (the rules themselves: test_rules)."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.consent import ConsentError, ConsentLedger, LedgerError, Purposes
from ethicalai_lab.consent.purposes import REGIMES

NOW = pd.Timestamp("2026-01-12")
PURPOSES = Purposes.default()
ASKED = PURPOSES.asked("ccpa")


def registered_frame(seed, n_people=12):
    rng = np.random.default_rng(seed)
    who = np.flatnonzero(rng.random(n_people) < 0.6) + 1
    born = pd.Timestamp("2025-06-15") - pd.to_timedelta(
        rng.choice([10, 12, 13, 15, 16, 30], who.size) * 365.25 * 24, unit="h"
    )
    frame = pd.DataFrame(
        {"person": who, "regime": rng.choice(REGIMES, who.size), "birth_date": born.normalize()}
    )
    frame.loc[rng.random(who.size) < 0.4, "birth_date"] = pd.NaT
    return frame


def ask(ledger, seed, n=80, override=None):
    rng = np.random.default_rng(seed + 1)
    people = rng.integers(0, 16, n)
    names = rng.choice(ASKED, n)
    at = pd.Timestamp("2025-05-25") + pd.to_timedelta(rng.integers(0, 110, n), unit="D")
    return people, names, at, ledger.permitted(people, names, at, regime=override)


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), parts=st.integers(1, 5))
def test_order_of_arrival_does_not_matter(seed, parts, many_events):
    events = many_events(seed)
    shuffled = events.sample(frac=1, random_state=seed)
    with ConsentLedger(None, now=NOW) as one, ConsentLedger(None, now=NOW) as two:
        one.record(events)
        for part in np.array_split(np.arange(len(shuffled)), parts):
            two.record(shuffled.iloc[part])
            ask(two, seed, n=5)  # builds and drops indexes on the way
        assert np.array_equal(ask(one, seed)[-1], ask(two, seed)[-1])


def test_order_of_time_does(ledger, event):
    for person, (first, then) in enumerate([("grant", "refuse"), ("refuse", "grant")]):
        ledger.record(event(person, action=then, time="2025-06-01"))
        ledger.record(event(person, action=first, time="2025-05-01"))
    assert ledger.permitted([0, 1], "analytics", NOW).tolist() == [False, True]


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10**6),
    action=st.sampled_from(["withdraw", "object", "opt_out", "refuse"]),
    day=st.integers(0, 100),
)
def test_a_no_only_shrinks_what_is_permitted(seed, action, day, many_events):
    events = many_events(seed)
    frame = registered_frame(seed)
    rng = np.random.default_rng(seed)
    no = events.iloc[[0]].assign(
        person=rng.integers(1, 15),
        purpose=rng.choice(ASKED),
        action=action,
        regime=rng.choice(REGIMES),
        time=pd.Timestamp("2025-05-28") + pd.Timedelta(days=day),
    )
    with ConsentLedger(None, now=NOW) as ledger:
        ledger.register(frame)
        ledger.record(events)
        before = ask(ledger, seed, n=600)[-1]
        ledger.record(no)
        people, _, at, after = ask(ledger, seed, n=600)
    assert not (after & ~before).any()
    # and only that person's questions from then on are touched
    changed = before & ~after
    assert (people[changed] == int(no["person"].iloc[0])).all()
    assert (at[changed] >= no["time"].iloc[0]).all()


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6))
def test_nothing_is_permitted_before_the_yes(seed, many_events):
    events = many_events(seed)
    events = events[events["regime"] == "gdpr"]
    with ConsentLedger(None, now=NOW) as ledger:
        ledger.record(events)
        grants = events[events["action"] == "grant"]
        first = grants.groupby(["person", "purpose"])["time"].min()
        for (person, purpose), time in first.items():
            moment = time - pd.Timedelta(microseconds=1)
            assert not ledger.permitted([person], purpose, moment)[0]


def test_equal_stamps_resolve_to_the_stricter(ledger, event):
    for person, actions in enumerate([("grant", "withdraw"), ("withdraw", "grant")]):
        for action in actions:
            ledger.record(event(person, action=action))
    assert not ledger.permitted([0, 1], "analytics", NOW).any()


def test_an_objection_to_marketing_ends_profiling_for_it_at_once(ledger, event):
    ledger.record([event(purpose=p) for p in ("direct_marketing", "personalization", "analytics")])
    ledger.record(event(purpose="direct_marketing", action="object", time="2025-06-01"))
    for purpose, at, permitted in [
        ("personalization", "2025-05-31", True),
        ("personalization", "2025-06-01", False),
        ("direct_marketing", "2025-06-01", False),
        ("analytics", "2025-06-01", True),
    ]:
        assert ledger.permitted([1], purpose, at)[0] == permitted, purpose
    # a mere withdrawal from mail does not reach that far
    ledger.record([event(2, purpose=p) for p in ("direct_marketing", "personalization")])
    ledger.record(event(2, purpose="direct_marketing", action="withdraw", time="2025-06-01"))
    assert ledger.permitted([2], "personalization", NOW)[0]
    # the person can say yes to profiling again, and nobody else can
    ledger.record(event(purpose="personalization", time="2025-07-01", source="terms"))
    assert not ledger.permitted([1], "personalization", NOW)[0]
    ledger.record(event(purpose="personalization", time="2025-08-01"))
    assert ledger.permitted([1], "personalization", NOW)[0]


def test_silence_and_ticked_boxes_are_no_consent_in_the_eu(ledger, event):
    for source in ("pre_ticked", "inactivity", "terms"):
        ledger.record(event(source=source))
    assert not ledger.permitted([1], "analytics", NOW)[0]
    # nor do they undo an opt-out where one may opt out
    ledger.register(pd.DataFrame({"person": [5], "regime": ["ccpa"]}))
    sharing = {"person": 5, "purpose": "third_party_sharing", "regime": "ccpa"}
    assert ledger.permitted([5], "third_party_sharing", NOW)[0]
    ledger.record({**event(action="opt_out", source="gpc_signal", time="2025-04-01"), **sharing})
    ledger.record({**event(source="terms", time="2025-05-01"), **sharing})
    assert not ledger.permitted([5], "third_party_sharing", NOW)[0]


def test_sensitive_data_needs_an_explicit_yes(ledger, event):
    ledger.record(event(purpose="health_personalization", source="banner"))
    assert not ledger.permitted([1], "health_personalization", NOW)[0]
    ledger.record(event(purpose="health_personalization", source="preference_centre"))
    assert ledger.permitted([1], "health_personalization", NOW)[0]
    ledger.register(pd.DataFrame({"person": [2, 3, 4], "regime": ["ccpa", "other", "gdpr"]}))
    # limit-use in California, opt-in elsewhere
    answers = ledger.permitted([2, 3, 4], "health_personalization", NOW)
    assert answers.tolist() == [True, False, False]


def test_children_need_a_parent_or_a_yes(ledger, event):
    born = pd.Timestamp("2011-06-01")  # 14 in summer 2025
    ledger.register(
        pd.DataFrame({"person": [1, 2, 3], "regime": ["gdpr", "ccpa", "other"], "birth_date": born})
    )
    sharing = "third_party_sharing"
    assert not ledger.permitted([1, 2, 3], sharing, NOW).any()
    # in California only sale and sharing are opt-in for the young
    assert ledger.permitted([2], "analytics", NOW)[0]
    assert not ledger.permitted([3], "analytics", NOW)[0]
    for person, regime in ((1, "gdpr"), (2, "ccpa"), (3, "other")):
        ledger.record(event(person, purpose=sharing, regime=regime, time="2025-08-01"))
    # at 14 one opts in alone in California; elsewhere through a parent
    assert ledger.permitted([1, 2, 3], sharing, NOW).tolist() == [False, True, False]
    ledger.record(event(1, purpose=sharing, source="parental", time="2025-09-01"))
    assert ledger.permitted([1], sharing, NOW)[0]


def test_a_birthday_ends_childhood_to_the_day(event):
    with ConsentLedger(None, now="2030-01-01") as ledger:
        ledger.register(
            pd.DataFrame({"person": [1], "regime": ["other"], "birth_date": ["2010-06-01"]})
        )
        asked = ["2026-05-31 23:59:59", "2026-06-01"]
        assert ledger.permitted([1, 1], "analytics", asked).tolist() == [False, True]


def test_the_strictest_rule_for_all_permits_least(small_world):
    with ConsentLedger(None, now=small_world.as_of) as ledger:
        ledger.register(small_world.customers[["customer_id", "jurisdiction", "birth_date"]])
        ledger.record(small_world.consent_events)
        people = small_world.customers["customer_id"]
        for purpose in ASKED[:4]:
            own = ledger.permitted(people, purpose, small_world.as_of)
            strict = ledger.permitted(people, purpose, small_world.as_of, regime="gdpr")
            weak = ledger.permitted(people, purpose, small_world.as_of, regime="ccpa")
            assert not (strict & ~own).any()
            assert not (own & ~weak).any()
            eu = (small_world.customers["jurisdiction"] == "EU").to_numpy()
            assert not strict[~eu].any()  # nobody there was ever asked


def test_equal_to_merge_asof_where_both_can_answer(many_events):
    events = many_events(3, n=4_000, n_people=150, affirmative=True)
    events = events[~events["action"].isin(["object"]) & (events["regime"] == "gdpr")]
    events = events[events["purpose"] != "health_personalization"]
    events = events.drop_duplicates(["person", "purpose", "time"])
    rng = np.random.default_rng(0)
    n = 5_000
    asked = pd.DataFrame(
        {
            "person": rng.integers(1, 160, n),
            "purpose": rng.choice(ASKED[:4], n),
            "time": pd.Timestamp("2025-05-25")
            + pd.to_timedelta(rng.integers(0, 110 * 24, n), unit="h"),
        }
    ).sort_values("time")
    merged = pd.merge_asof(asked, events.sort_values("time"), on="time", by=["person", "purpose"])
    with ConsentLedger(None, now=NOW) as ledger:
        ledger.record(events)
        answer = ledger.permitted(asked["person"], asked["purpose"], asked["time"])
    assert np.array_equal(answer, (merged["action"] == "grant").to_numpy())


def test_far_apart_numbers_and_strangers(ledger, event):
    wide = [-(2**62), 5, 2**62]
    ledger.record([event(person) for person in wide])
    asked = [2**62, 5, 6, -(2**62), 0]
    assert ledger.permitted(asked, "analytics", NOW).tolist() == [True, True, False, True, False]


def test_questions_that_do_not_fit_are_refused(ledger, event):
    ledger.record(event())
    with pytest.raises(ConsentError, match='Did you mean "analytics"'):
        ledger.permitted([1], "analytic", NOW)
    with pytest.raises(LedgerError, match="one each"):
        ledger.permitted([1, 2], ["analytics"], NOW)
    with pytest.raises(LedgerError, match="one each"):
        ledger.permitted([1, 2], "analytics", [NOW])
    with pytest.raises(LedgerError, match="whole numbers"):
        ledger.permitted([1.5], "analytics", NOW)
    with pytest.raises(LedgerError, match="regime"):
        ledger.permitted([1], "analytics", NOW, regime="eu")
    with pytest.raises(LedgerError, match="a time such as"):
        ledger.permitted([1], "analytics", "tomorrow-ish")


def test_choices_give_a_reason_for_everything(ledger, event):
    ledger.record([event(), event(purpose="direct_marketing", action="object", time="2025-04-01")])
    table = ledger.choices(1).set_index("purpose")
    assert table.loc["analytics", "because"] == "You said yes on 2025-03-01."
    assert "ends the profiling" in table.loc["personalization", "because"]
    assert table.loc["order_fulfilment", "because"].startswith("It rests on contract")
    assert "nothing without a yes" in table.loc["third_party_sharing", "because"]
    assert not table.loc["order_fulfilment", "asked"]
    assert table["permitted"].dtype == bool


def test_last_event_is_found_per_person(ledger, event):
    ledger.record([event(1), event(2, action="refuse", time="2025-04-01")])
    last = ledger.last_event([2, 1, 9], "analytics", NOW, ("grant", "refuse"))
    assert last["action"].iloc[:2].tolist() == ["refuse", "grant"]
    assert last["time"].isna().tolist() == [False, False, True]
