"""Journeys: exact truth against simulation, estimators against the truth."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.errors import InputError
from ethicalai_lab.personalization.journeys import (
    ContactPolicy,
    Reward,
    contact_curve,
    evaluate_policy,
    journey_people,
    spaced_weeks,
    true_policy_value,
)
from ethicalai_lab.world import ACTIONS, WorldConfig, make_world

VISITS = Reward(visit=1.0, spend=0.0, contact=0.0, unsubscribed=0.0)


@pytest.fixture(scope="module")
def fair():
    """A world in which no response is lost before it is logged."""
    world = make_world(6_000, seed=3, config=WorldConfig(label_bias=0.0))
    return world, journey_people(world.customers, world.campaign, world.legacy_log)


def simulate(world, people, policy, seed, repeats):
    """Play a policy week by week, drawing who unsubscribes; average expected visits."""
    rng = np.random.default_rng(seed)
    visit, risk = world.truth.journey("visit"), world.truth.journey("unsubscribed")
    n, rows = len(people), np.arange(len(people))
    totals = []
    for _ in range(repeats):
        last, before, gone = np.zeros(n, int), np.zeros(n, int), np.zeros(n, bool)
        total = np.zeros(n)
        for week in range(6):
            recent = last + before
            chance = policy.probabilities(people, week, recent, last)
            action = (rng.random((n, 1)) > chance.cumsum(axis=1)).sum(axis=1).clip(max=4)
            action[gone] = 0
            total += visit[rows, action, recent]
            gone |= rng.random(n) < np.where(gone, 0, risk[rows, action, recent])
            last, before = (action > 0).astype(int), last
        totals.append(total.mean())
    return np.mean(totals), np.std(totals, ddof=1) / np.sqrt(repeats)


@pytest.mark.parametrize(
    "policy",
    [
        ContactPolicy(weeks=(0, 1, 2, 3, 4, 5), exploration=0.3),
        ContactPolicy("fashion", "push", weeks=(1, 2, 5), most_recent=0, exploration=0.1),
    ],
)
def test_exact_truth_agrees_with_simulation(fair, policy):
    world, people = fair
    exact = true_policy_value(world.truth, people, policy, VISITS).loc["all", "reward"]
    mean, error = simulate(world, people, policy, seed=1, repeats=40)
    assert abs(exact - mean) < 4 * error + 1e-6


def test_resting_is_the_sum_of_the_rest_outcomes(fair):
    world, people = fair
    found = true_policy_value(world.truth, people, ContactPolicy(weeks=()), Reward())
    at_rest = 6 * world.truth.journey("spend")[:, 0, 0].mean()
    assert found.loc["all", "spend"] == pytest.approx(at_rest)
    assert found.loc["all", "reward"] == pytest.approx(0.35 * at_rest)
    assert found.loc["all", ["contact", "unsubscribed"]].tolist() == [0, 0]
    assert found.loc["all", "subscribed"] == 1


def test_fatigue_makes_more_cost_something(fair):
    world, people = fair
    curve = contact_curve(world.truth, people)
    best = curve["gain"].idxmax()
    assert 0 < best < 6  # some contact pays, the most does not
    assert curve.loc[6, "high"] < curve.loc[best, "low"]
    assert curve["unsubscribed"].is_monotonic_increasing
    # the same number of contacts is worth more when it is spread out
    packed, spread = (
        true_policy_value(world.truth, people, ContactPolicy(weeks=w)).loc["all", "reward"]
        for w in ((0, 1), (0, 3))
    )
    assert spread > packed


class _Logged:
    """The old rule itself, from the propensities it logged (only for its own actions)."""

    def __init__(self, log):
        self.table = {week: part.set_index("customer_id") for week, part in log.groupby("week")}

    def probabilities(self, people, week, recent, last):
        part = self.table[week].loc[people.index]
        chance = np.zeros((len(people), 5))
        codes = pd.Index(ACTIONS).get_indexer(part["action"].astype(str))
        propensity = part["propensity"].to_numpy()
        chance += ((1 - propensity) / 4)[:, None]
        chance[np.arange(len(people)), codes] = propensity
        return chance


def test_a_policy_equal_to_the_log_has_weights_of_one(fair):
    world, people = fair
    log = world.legacy_log
    report = evaluate_policy(log, people, _Logged(log), VISITS)
    seen = log.groupby("customer_id")["visit"].sum()
    for name in ("ips", "snips", "step"):
        assert report.interval(name).value == pytest.approx(seen.mean())
    assert report.interval("ips").low == pytest.approx(seen.mean() - 1.96 * seen.sem(), abs=2e-4)
    np.testing.assert_allclose(report.weeks["share"], 1.0)


def test_importance_weights_by_hand():
    people = pd.DataFrame({"sports": [1] * 40, "fashion": [0] * 40})
    people.index = pd.Index(range(40), name="customer_id")
    log = pd.DataFrame(
        {
            "customer_id": np.repeat(np.arange(40), 6),
            "week": np.tile(np.arange(6), 40),
            "action": ["sports_email", "rest", "rest", "rest", "rest", "rest"] * 20
            + ["rest"] * 120,
            "propensity": ([0.5] + [0.8] * 5) * 40,
            "recent_contacts": [0, 1, 1, 0, 0, 0] * 20 + [0] * 120,
            "visit": [1, 0, 0, 0, 0, 0] * 20 + [0] * 120,
            "conversion": 0,
            "spend": 0.0,
            "unsubscribed": 0,
        }
    )
    report = evaluate_policy(log, people, ContactPolicy("sports", weeks=(0,)), VISITS, weeks=1)
    # twenty of forty got the mail with chance 1/2 and all of them came
    assert report.interval("ips").value == pytest.approx(1.0)
    assert report.interval("snips").value == pytest.approx(1.0)
    assert report.weeks["effective_sample_size"].iloc[0] == pytest.approx(20.0)


def off_policy_study(n_worlds, n_customers, label_bias=0.0):
    """How far the estimators lie from the truth, and how often their intervals hold it."""
    policy, rows = ContactPolicy(weeks=(0, 3), exploration=0.5), []
    for seed in range(100, 100 + n_worlds):
        world = make_world(n_customers, seed=seed, config=WorldConfig(label_bias=label_bias))
        people = journey_people(world.customers, world.campaign, world.legacy_log)
        found = evaluate_policy(world.legacy_log, people, policy, VISITS, seed=seed).table
        truth = true_policy_value(world.truth, people, policy, VISITS).loc["all", "reward"]
        rows.append(found.assign(error=found["value"] - truth, truth=truth))
    every = pd.concat(rows)
    judged = every[every["low"].notna()]
    held = judged["truth"].between(judged["low"], judged["high"]).groupby(judged["estimator"])
    width = (judged["high"] - judged["low"]).groupby(judged["estimator"])
    error = every.groupby("estimator")["error"]
    return pd.DataFrame(
        {
            "bias": error.mean(),
            "bias_se": error.std() / np.sqrt(error.size()),
            "mean_width": width.mean(),
            "coverage": held.mean(),
            "withheld": 1 - (held.size() / error.size()).reindex(error.size().index).fillna(0),
        }
    )


@pytest.fixture(scope="module")
def study():
    return off_policy_study(40, 1_500)


@pytest.mark.parametrize("name", ["ips", "snips", "dr", "sndr"])
def test_weighted_estimators_are_unbiased_and_cover(study, name):
    row = study.loc[name]
    assert abs(row["bias"]) < 3.5 * row["bias_se"] + 0.002
    assert row["coverage"] >= 0.85
    assert row["withheld"] < 0.2  # fewer than 30 effective customers


def test_trusting_the_model_or_the_match_does_not_cover(study):
    assert study.loc["direct", "withheld"] == 1  # how wrong its model is, no log tells
    assert study.loc["dr", "mean_width"] < study.loc["ips", "mean_width"]


@pytest.mark.parametrize(("weeks", "shown"), [(2, True), (6, False)])
def test_where_the_log_holds_almost_nobody_there_is_no_interval(fair, weeks, shown):
    world, people = fair
    policy = ContactPolicy("sports", weeks=(0, 1, 2, 3, 4, 5) if weeks == 6 else (0,))
    report = evaluate_policy(world.legacy_log, people, policy, VISITS, weeks=weeks)
    size = report.weeks["effective_sample_size"].min()
    table = report.table.set_index("estimator")
    assert (size >= 30) == shown
    for name in ("ips", "snips", "dr", "sndr"):
        assert report.interval(name).is_defined == shown
        warning = table.loc[name, "warning"]
        assert (f"{size:.0f} effective customers" in warning) == (size < 100)
        assert warning.endswith("no interval") == (not shown)
    assert not report.interval("direct").is_defined
    assert "no interval" in table.loc["direct", "warning"]
    assert all(table.loc[["matching", "step"], "warning"])


def test_a_plan_that_nobody_followed_has_no_normalised_value():
    people = pd.DataFrame({"sports": [1] * 40, "fashion": [0] * 40})
    people.index = pd.Index(range(40), name="customer_id")
    quiet = dict.fromkeys(("recent_contacts", "visit", "conversion", "spend", "unsubscribed"), 0)
    log = pd.DataFrame(
        {"customer_id": np.repeat(np.arange(40), 6), "week": np.tile(np.arange(6), 40)}
    )
    log = log.assign(action="rest", propensity=0.8, **quiet)
    report = evaluate_policy(log, people, ContactPolicy("sports", weeks=(0,)), VISITS, weeks=1)
    assert np.isnan(report.interval("snips").value)
    assert report.interval("ips").value == 0
    assert not report.interval("ips").is_defined


def test_the_folds_are_not_dealt_by_the_stream_that_drew_the_data():
    """What a user draws with the same seed must not tell who is in which fold."""
    people = pd.DataFrame({"sports": [1] * 400, "fashion": [0] * 400})
    people.index = pd.Index(range(400), name="customer_id")
    seed = 7
    # customers whom the bare stream would put into the first fold are those who visit
    visits = np.random.default_rng(seed).permutation(400) % 2
    log = pd.DataFrame(
        {
            "customer_id": np.repeat(np.arange(400), 6),
            "week": np.tile(np.arange(6), 400),
            "action": "rest",
            "propensity": 0.8,
            "recent_contacts": 0,
            "visit": np.repeat(visits, 6),
            "conversion": 0,
            "spend": 0.0,
            "unsubscribed": 0,
        }
    )
    report = evaluate_policy(log, people, ContactPolicy(weeks=()), VISITS, weeks=1, seed=seed)
    # the model of those who visit would have seen nobody who does, and say 0 and 1 the wrong way
    assert report.interval("direct").value == pytest.approx(0.5, abs=0.05)
    assert report.interval("dr").value == pytest.approx(visits.mean(), abs=0.3)


def test_lost_responses_bias_every_estimator():
    study = off_policy_study(8, 3_000, label_bias=1.0)
    for name in ("ips", "snips", "dr", "sndr"):
        assert study.loc[name, "bias"] < -3 * study.loc[name, "bias_se"]


@given(
    st.sampled_from(["interest", "sports", "fashion"]),
    st.sampled_from(["email", "push", "device"]),
    st.sets(st.integers(0, 5)),
    st.integers(0, 2),
    st.floats(0, 1),
    st.integers(0, 5),
)
@settings(max_examples=60)
def test_chances_are_chances_and_the_cap_holds(fair, what, channel, weeks, cap, explore, week):
    _, people = fair
    people = people.iloc[:50]
    policy = ContactPolicy(what, channel, tuple(weeks), cap, explore)
    recent = np.arange(50) % 3
    chance = policy.probabilities(people, week, recent, np.minimum(recent, 1))
    np.testing.assert_allclose(chance.sum(axis=1), 1)
    assert (chance >= 0).all()
    capped = recent > cap
    assert (chance[capped, 1:] <= explore / 5 + 1e-12).all()
    if week not in weeks:
        assert (chance[:, 1:] <= explore / 5 + 1e-12).all()


@given(st.integers(0, 6))
def test_spaced_weeks_are_distinct_and_even(contacts):
    weeks = spaced_weeks(contacts)
    assert len(set(weeks)) == contacts
    gaps = np.diff([*weeks, 6 + (weeks[0] if weeks else 0)])
    assert contacts == 0 or gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda w, p: ContactPolicy("shoes"), "shoes"),
        (lambda w, p: ContactPolicy(channel="post"), "post"),
        (lambda w, p: ContactPolicy(weeks=(7,)), "0 to 5"),
        (lambda w, p: ContactPolicy(most_recent=3), "most_recent"),
        (lambda w, p: ContactPolicy(exploration=1.5), "exploration"),
        (lambda w, p: Reward(contact=-1), "contact"),
        (lambda w, p: Reward(spend=float("nan")), "spend"),
        (lambda w, p: spaced_weeks(9), "contacts"),
        (lambda w, p: evaluate_policy(w.legacy_log, p, ContactPolicy(), weeks=7), "weeks is 7"),
        (
            lambda w, p: evaluate_policy(w.legacy_log.iloc[1:], p, ContactPolicy()),
            "customer_id 1 has 0 rows for week 0",
        ),
        (
            lambda w, p: evaluate_policy(w.legacy_log.assign(propensity=0.0), p, ContactPolicy()),
            "propensity",
        ),
        (
            lambda w, p: evaluate_policy(w.legacy_log.drop(columns="spend"), p, ContactPolicy()),
            '"spend"',
        ),
        (
            lambda w, p: true_policy_value(w.truth, p.set_index(p.index + 10_000), ContactPolicy()),
            "customer_id 10001",
        ),
        (lambda w, p: journey_people(w.customers.iloc[1:], w.campaign), "customer_id 1"),
    ],
)
def test_bad_input_is_named(fair, call, word):
    with pytest.raises(InputError, match=word):
        call(*fair)
