"""The assistant may propose and never grant; and it asks less."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.consent import ConsentAssistant, ConsentError, ConsentLedger, assistant

NOW = pd.Timestamp("2026-01-12")
FOUR = ["analytics", "direct_marketing", "personalization", "third_party_sharing"]


def snapshot(ledger, people, at):
    return np.column_stack([ledger.permitted(people, name, at) for name in ledger.purposes])


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_consent_never_changes_without_the_person_s_event(seed, many_events):
    rng = np.random.default_rng(seed)
    people = np.arange(0, 16)
    with ConsentLedger(None, now=NOW) as ledger:
        ledger.record(many_events(seed))
        before, count = snapshot(ledger, people, NOW), len(ledger)
        helper = ConsentAssistant(ledger, cost_of_asking=0.0, rest_months=0, seed=seed)
        for _ in range(6):
            at = NOW - pd.Timedelta(days=int(rng.integers(0, 200)))
            proposed = helper.propose(people, FOUR, at)
            for name, group in proposed.groupby("purpose"):
                helper.learn(group["person"], name, rng.random(len(group)) < 0.7)
        assert len(ledger) == count
        assert np.array_equal(snapshot(ledger, people, NOW), before)


def test_the_assistant_holds_nothing_that_writes(ledger):
    helper = ConsentAssistant(ledger)
    for value in vars(helper).values():
        assert not hasattr(value, "record")
        assert not hasattr(value, "erase")


@pytest.mark.parametrize("strategy", ["always", "never", "assistant"])
def test_in_a_whole_year_every_change_is_a_person_s_answer(small_world, strategy):
    people = small_world.truth.people.head(300).reset_index(drop=True)
    accepts = small_world.truth.purposes[FOUR].head(300).reset_index(drop=True)
    ids = people["customer_id"].to_numpy()
    with ConsentLedger(None, now=NOW) as ledger:
        year = assistant.live_a_year(people, accepts, strategy, ledger)
        assert len(year.events) == len(ledger)
        held = np.column_stack([ledger.permitted(ids, name, NOW) for name in FOUR])
    said = year.events[year.events["action"] == "grant"]
    granted = {(p, q) for p, q in zip(said["person"], said["purpose"], strict=True)}
    for row, column in zip(*np.nonzero(held), strict=True):
        assert (ids[row], FOUR[column]) in granted
    if strategy == "never":
        assert not held.any()
        assert year.asks == 0


def test_it_asks_less_than_always_and_reaches_more_than_never(small_world):
    table = assistant.compare_strategies(small_world).set_index("strategy")
    always, never, helper = (table.loc[name] for name in ("always", "never", "assistant"))
    assert helper["asks"] < 0.6 * always["asks"]
    assert helper["fatigue"] < always["fatigue"]
    assert helper["unmeant"] < 0.6 * always["unmeant"]
    assert helper["reached"] > 0.7
    assert never["reached"] == 0


def test_it_learns_whom_to_leave_alone(ledger):
    helper = ConsentAssistant(ledger, cost_of_asking=0.5, rest_months=0, seed=1)
    people = np.arange(1, 401)
    for _ in range(5):
        helper.learn(people, "third_party_sharing", np.zeros(400, bool))
        helper.learn(people, "analytics", np.ones(400, bool))
    proposed = helper.propose(people, ["third_party_sharing", "analytics"], NOW)
    assert (proposed["purpose"] == "analytics").all()
    assert len(proposed) == 400
    assert helper.propose(people, ["third_party_sharing"], NOW).empty


def test_an_opt_out_rests_a_year_and_a_refusal_as_long_as_the_house_says(ledger, event):
    ledger.record(
        [
            event(1, action="refuse", time="2025-10-01"),
            event(2, action="opt_out", time="2025-10-01"),
            event(3, action="object", time="2024-12-01"),
            event(4, time="2025-10-01"),
        ]
    )
    quick = ConsentAssistant(ledger, rest_months=1)
    asked = quick.may_ask([1, 2, 3, 4, 5], "analytics", NOW)
    assert asked.tolist() == [True, False, True, False, True]
    patient = ConsentAssistant(ledger, rest_months=12)
    assert patient.may_ask([1, 2, 5], "analytics", NOW).tolist() == [False, False, True]


def test_one_question_a_person(ledger):
    helper = ConsentAssistant(ledger, cost_of_asking=0.0)
    proposed = helper.propose(np.arange(50), FOUR, NOW)
    assert proposed["person"].is_unique
    assert list(helper.propose([], FOUR, NOW).columns) == list(proposed.columns)


@pytest.mark.parametrize(
    "wrong", [{"cost_of_asking": 2}, {"rest_months": -1}, {"rest_months": 1.5}]
)
def test_wrong_parameters_are_named(ledger, wrong):
    with pytest.raises(ConsentError, match=next(iter(wrong))):
        ConsentAssistant(ledger, **wrong)
    helper = ConsentAssistant(ledger)
    with pytest.raises(ConsentError, match="as many"):
        helper.learn([1, 2], "analytics", [True])
