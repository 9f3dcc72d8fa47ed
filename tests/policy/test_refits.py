"""Intervals that hold and verdicts that are earned: what is drawn again, and what is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ethicalai_lab import make_world
from ethicalai_lab.policy import (
    Measure,
    Policy,
    PolicyError,
    PolicyLab,
    Rules,
    Scorecard,
    compare_scorecards,
    evaluate,
    evaluation_graph,
    preset,
)
from ethicalai_lab.policy.context import EvaluationContext
from ethicalai_lab.policy.frontier import changed
from ethicalai_lab.policy.stages import (
    Exact,
    Gap,
    Memory,
    Ratio,
    read,
    read_all,
    resampling_weights,
    values_of,
)
from ethicalai_lab.tables import Roles
from ethicalai_lab.tables.loading import check_table
from ethicalai_lab.world import World

N = 1_500
GAPS = [f"fairness.selection_gap_{name}" for name in ("gender", "ethnic_group", "age_band")]


@pytest.fixture(scope="module")
def world():
    return make_world(N, seed=5)


@pytest.fixture(scope="module")
def lab(world):
    return PolicyLab(world, n_boot=100)


def ranked(**more) -> Policy:
    """A policy that learns and ranks."""
    steps = {
        "personalization.targeting": "uplift",
        "personalization.share": 0.3,
        "consent.default": "opt_out",
    }
    return changed(preset("average_practice"), steps | more)


# ------------------------------------------------------------------------------- intervals


def test_a_gap_knows_that_nobody_among_forty_is_not_nobody():
    group = np.repeat([0, 1], [2_500, 40])
    top = np.zeros(2_540)
    top[:125] = 1
    found = read(Gap(group, top), resampling_weights(2_540, 200, 0))
    assert (round(found.low, 3), round(found.high, 3)) == (-0.038, 0.059)
    assert found.value == 0.05


@pytest.mark.parametrize(("few", "rate"), [(40, 0.05), (40, 0.3), (100, 0.02)])
def test_a_gap_of_a_small_group_holds(few, rate):
    rng = np.random.default_rng(few)
    group = np.repeat([0, 1], [1_000, few])
    weights = np.ones((2, group.size), np.float32)
    held = 0
    for _ in range(400):
        top = rng.random(group.size) < np.where(group == 0, 0.10, rate)
        found = read(Gap(group, top), weights)
        held += found.low <= abs(0.10 - rate) <= found.high
    assert held / 400 > 0.92


def test_few_people_behind_the_spread_widen_the_interval():
    rng = np.random.default_rng(0)
    weights = resampling_weights(400, 200, 1)
    held = {"narrow": 0, "shown": 0}
    truth = 0.02 * np.exp(2.0)  # a long-tailed basket of one in fifty
    for _ in range(300):
        spent = (rng.random(400) < 0.02) * np.exp(2 * rng.standard_normal(400))
        found = read(Ratio(spent), weights)
        narrow = np.quantile(found.replicates, [0.025, 0.975])
        held["narrow"] += narrow[0] <= truth <= narrow[1]
        held["shown"] += found.low <= truth <= found.high
        assert found.spread_by is not None or not spent.any()
    assert held["narrow"] / 300 < 0.72
    assert held["shown"] > held["narrow"] + 30


def test_a_bound_for_certain_respects_that_few_people_make_the_spread(world):
    spent = np.zeros(N)
    spent[:4] = [900, 20, 30, 40]
    found = read(Ratio(spent), resampling_weights(N, 200, 0))
    assert found.spread_by < 10
    assert "about 1 people" in found.note
    measure = Measure(
        "value", "profit", "Profit.", "EUR", "higher", "a test",
        found.value, found.low, found.high, spread_by=found.spread_by,
    )  # fmt: skip
    rules = "{set_by: the board, rules: {value.profit: {min: -100, certain: %s}}}"
    card = Scorecard([measure], Policy())
    assert card.with_rules(Rules.parse(rules % "false")).misses == []
    (miss,) = card.with_rules(Rules.parse(rules % "true")).misses
    assert miss.kind == "uncertain"
    assert "about 1 cases: cannot tell" in miss.text


def test_false_claims_vary_with_the_products_and_not_with_the_people(world):
    policy = changed(
        preset("average_practice"),
        {"personalization.targeting": "everyone", "transparency.urgency_claims": "any"},
    )
    shares = []
    for seed in range(30):
        card = PolicyLab(world, n_boot=100, seed=seed).evaluate(policy)
        shares.append(
            [getattr(card["transparency.false_claims"], x) for x in ("value", "low", "high")]
        )
    value, low, high = np.array(shares).T
    # more than three in stock, an offer that ends later: the law of the shelf, half of each claim
    truth = (1 - np.log(4) / 6 + 0.75) / 2
    held = (low <= truth) & (truth <= high)
    assert held.mean() >= 0.85
    assert value.std() > 0.02
    assert (high - low).mean() > 2.5 * value.std()


def test_what_a_company_cannot_know_stands_without_a_cross(lab):
    card = lab.evaluate(preset("average_practice"))
    only_here = {m.key for m in card.measures if m.only_here}
    assert only_here == {
        "value.ranking_quality",
        "value.contacted_in_vain",
        "consent.against_their_will",
        "consent.unmeant_consent",
        "transparency.trust_change",
    }
    assert all(card[key].truth is None for key in only_here)
    # a value is never its own truth: only what is drawn by chance has one beside it
    tested = {m.key for m in card.measures if m.truth is not None}
    assert {"value.profit_added", "value.unsubscribed", "value.visits_added"} <= tested
    assert card["privacy.presence_guessed"].truth is None  # nothing is noised here
    assert "known only here" in card.to_html()
    assert "known only here" in card.to_markdown()
    assert Scorecard.from_json(card.to_json())["value.contacted_in_vain"].only_here


def test_the_share_contacted_is_counted(lab):
    found = lab.evaluate(preset("average_practice"))["value.share_contacted"]
    assert found.exact
    assert found.value == pytest.approx(0.5, abs=1 / N)


def test_an_unseen_gap_of_a_lottery_is_none():
    run = evaluation_graph().measures["fairness.unseen_gap"].run
    found = []
    for seed in range(20):
        context = EvaluationContext.of_world(make_world(3_000, seed=seed))
        rng = np.random.default_rng([seed, 1])
        repair = replace_selected(context, rng.random(context.n) < 0.3)
        nothing = type("Audit", (), {"run": False, "columns": (), "crossed": False})()
        found.append(run(context, repair=repair, own_audit=nothing))
    assert all(isinstance(each, Exact) for each in found)
    assert sum(each.low == each.value == 0 for each in found) >= 18
    assert all(each.high > 0.05 for each in found)
    # and one that is there is found
    old = context.customers["age"].to_numpy() >= 60
    repair = replace_selected(context, rng.random(context.n) < np.where(old, 0.1, 0.4))
    there = run(context, repair=repair, own_audit=nothing)
    assert there.low > 0
    assert there.value == pytest.approx(0.3, abs=0.08)


def replace_selected(context, selected):
    return type("Chosen", (), {"selected": selected})()


# ----------------------------------------------------------------------------------- seeds


def test_each_world_is_dealt_its_own_chances(world):
    one, two = EvaluationContext.of_world(world), EvaluationContext.of_world(make_world(N, seed=6))
    assert not np.array_equal(one.chances("lot", 50), two.chances("lot", 50))
    assert np.array_equal(
        one.chances("lot", 50), EvaluationContext.of_world(make_world(N, seed=5)).chances("lot", 50)
    )
    # a world without a seed of its own is told apart by its people
    bare = [World(w.tables, w.truth) for w in (world, make_world(N, seed=6))]
    dealt = [EvaluationContext.of_world(w).chances("lot", 50) for w in (*bare, bare[0])]
    assert not np.array_equal(dealt[0], dealt[1])
    assert np.array_equal(dealt[0], dealt[2])


def test_recommendations_are_judged_by_days_that_chose_nobody(lab):
    found = []
    for seed in range(12):
        card = PolicyLab(make_world(2_000, seed=100 + seed), n_boot=50, seed=seed).evaluate(
            ranked(**{"personalization.recommender": "item_to_item"})
        )
        measure = card["value.recommendation_interest"]
        spread = (measure.high - measure.low) / 3.92
        found.append((measure.value - measure.truth) / spread)
    assert abs(np.mean(found)) * np.sqrt(12) < 3
    assert max(map(abs, found)) < 3.5


# ---------------------------------------------------------------------------------- refits


def test_refits_are_run_once_a_policy_and_widen_what_is_learned(lab):
    steps = []
    card = lab.evaluate(ranked(), refit=12, step=lambda: steps.append(1))
    assert len(steps) == 12
    again = lab.evaluate(ranked(), refit=12, step=lambda: steps.append(1))
    assert len(steps) == 12
    assert card.about["refits"] == 12
    for measure in card.measures:
        learned = measure.key in GAPS or evaluation_graph().measures[measure.key].learned
        assert measure.learned == learned
        if not learned or measure.value is None:
            assert measure.refits is None
            continue
        assert measure.refits.shape == (12,)
        if measure.refit_low is not None:
            assert measure.refit_low <= measure.low <= measure.value
            assert measure.value <= measure.high <= measure.refit_high
            assert measure.reach == (measure.refit_low, measure.refit_high)
        assert np.array_equal(measure.refits, again[measure.key].refits, equal_nan=True)
    plain = lab.evaluate(ranked())
    assert "refits" not in plain.about
    assert all(m.refits is None and m.refit_low is None for m in plain.measures)
    for one, two in zip(card.measures, plain.measures, strict=True):
        assert (one.value, one.low, one.high) == (two.value, two.low, two.high)


def test_refits_are_halves_of_the_people_with_chances_of_their_own(world):
    context = EvaluationContext.of_world(world)
    halves = [context.half(i) for i in range(3)]
    assert all(half.n == N // 2 and half.part == 0.5 for half in halves)
    assert not np.array_equal(halves[0].ids, halves[1].ids)
    assert np.array_equal(halves[0].ids, context.half(0).ids)
    assert len({half.chances("lot", 3)[0] for half in [context, *halves]}) == 4
    # each keeps what the world holds of its people, and nothing of the others
    events = halves[0].world.events
    mine = world.events[world.events["customer_id"].isin(halves[0].ids)]
    pd.testing.assert_frame_equal(events, mine.reset_index(drop=True))


@pytest.mark.parametrize("wrong", [-1, 1, 9, 1_001, 2.5, True, "40"])
def test_a_number_of_refits_that_is_none_is_named(lab, wrong):
    with pytest.raises(PolicyError, match=r"refit is .*; 0, or a whole number from 10 to 1000"):
        lab.evaluate(Policy(), refit=wrong)


def test_a_verdict_on_what_is_learned_waits_for_refits(lab):
    other = ranked(**{"data.features": ["age", "household_income"]})
    fast = compare_scorecards(lab.evaluate(ranked()), lab.evaluate(other)).table
    fast = fast.set_index("measure")
    learned = [each.measure for each in evaluation_graph().measures.values() if each.learned]
    readings = set(fast.loc[learned, "reading"])
    assert readings <= {"cannot tell", "needs refits", "same", ""}
    assert "needs refits" in readings
    assert not fast["refits"].any()
    cards = [lab.evaluate(each, refit=12) for each in (ranked(), other)]
    slow = compare_scorecards(*cards).table.set_index("measure")
    assert "needs refits" not in set(slow["reading"])
    assert slow.loc[learned, "refits"].any()
    both = slow["refits"] & fast["low"].notna()
    assert (slow.loc[both, "low"] <= fast.loc[both, "low"]).all()
    assert (slow.loc[both, "high"] >= fast.loc[both, "high"]).all()
    # read back from a file they compare as before
    stored = [Scorecard.from_json(card.to_json()) for card in cards]
    pd.testing.assert_frame_equal(compare_scorecards(*stored).table.set_index("measure"), slow)


def test_refits_of_other_people_are_not_paired(world):
    one = PolicyLab(world, n_boot=100).evaluate(ranked(), refit=12)
    two = PolicyLab(world, n_boot=100, seed=1).evaluate(ranked(), refit=12)
    table = compare_scorecards(one, two).table
    assert not table["refits"].any()
    three = PolicyLab(world, n_boot=100).evaluate(ranked(), refit=14)
    assert not compare_scorecards(one, three).table["refits"].any()


def test_a_team_s_own_table_is_refitted_too():
    rng = np.random.default_rng(3)
    n = 1_200
    table = check_table(
        pd.DataFrame(
            {
                "mail": rng.integers(0, 2, n),
                "visit": rng.integers(0, 2, n),
                "recency": rng.integers(1, 13, n),
                "town": rng.choice(["north", "south"], n),
            }
        ),
        Roles({"mail": "treatment", "visit": "outcome", "recency": "feature", "town": "protected"}),
    )
    steps = []
    card = evaluate(ranked(), table, n_boot=50, refit=10, step=lambda: steps.append(1))
    assert len(steps) == 10
    gap = card["fairness.selection_gap_town"]
    assert gap.learned
    assert gap.refits.shape == (10,)
    assert gap.refit_low < gap.refit_high
    added = card["value.visits_added"]
    assert added.refit_low < added.value < added.refit_high
    plain = evaluate(ranked(), table, n_boot=50)
    assert (plain["fairness.selection_gap_town"].low, gap.value) == (gap.low, gap.value)
    other = evaluate(replace_share(ranked()), table, n_boot=50)
    reading = compare_scorecards(plain, other).table.set_index("measure")["reading"]
    assert reading["selection_gap_town"] in ("needs refits", "cannot tell")


def replace_share(policy):
    return changed(policy, {"personalization.share": 0.5})


def test_shares_over_products_are_read_by_their_products():
    # two thousand people, but chance lies in six products
    product = np.arange(2_000) % 6
    wrong = product < 3
    by_people = read_all({"x": Ratio(wrong, np.ones(2_000))}, resampling_weights(2_000, 200, 0))[
        "x"
    ]
    drawn = Ratio(wrong, np.ones(2_000), drawn=product, kinds=6)
    by_product = read_all({"x": drawn}, resampling_weights(2_000, 200, 0), shares={"x"})["x"]
    assert by_people.value == by_product.value == 0.5005
    assert (by_product.low, by_product.high) == (0.0, 1.0)
    assert by_product.high - by_product.low > 10 * (by_people.high - by_people.low)
    none = Ratio(wrong & False, np.ones(2_000), drawn=product, kinds=6)
    found = read_all({"x": none}, resampling_weights(2_000, 200, 0), shares={"x"})["x"]
    assert (found.value, found.low, round(found.high, 2)) == (0.0, 0.0, 0.39)


def test_what_no_learned_measure_depends_on_runs_no_refits_again(lab):
    steps = []
    policy = ranked()
    lab.evaluate(policy, refit=12)
    lab.evaluate(
        changed(policy, {"log.kind": "hash_chain"}), refit=12, step=lambda: steps.append(1)
    )
    assert steps == []


def test_a_refit_learns_wherever_the_run_did():
    """Half of the people is no reason to fall back to a lottery: that is another policy."""
    lab = PolicyLab(make_world(800, seed=2), n_boot=0)
    values, stages = values_of(ranked()), lab.graph
    for context in (lab.context, *(lab.context.half(i) for i in range(4))):
        found = stages.run(context, values, Memory(1), wanted=["targeting"])
        assert found["model"].label.startswith("uplift, t_learner")
        assert found["targeting"].ranked.any()
    assert [lab.context.fewest(people) for people in (200, 30)] == [200, 30]
    assert [lab.context.half(0).fewest(people) for people in (200, 31)] == [100, 16]


def test_what_noise_drew_on_other_chances_is_no_verdict():
    shared = {"value": 0.10, "low": 0.09, "high": 0.11}
    cards = [
        Scorecard(
            [
                Measure(
                    "value",
                    "published_error",
                    "Error.",
                    "relative error",
                    "lower",
                    "a test",
                    **{name: x + more for name, x in shared.items()},
                    samples=samples,
                )
            ],
            Policy(),
        )
        for more, samples in ((0, "world 1"), (0.1, "world 2"), (0.1, "world 1"))
    ]
    readings = [compare_scorecards(cards[0], each).table.loc[0, "reading"] for each in cards[1:]]
    assert readings == ["cannot tell", "worse"]
