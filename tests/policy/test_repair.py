"""The repair of a selection, and the house's own audit of it."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.policy import modelling, permission, repair, sections
from ethicalai_lab.policy.context import EvaluationContext
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.stages import (
    Graph,
    Memory,
    Needs,
    Settings,
    read,
    resampling_weights,
)
from ethicalai_lab.world import make_world

MODULES = (permission, modelling, repair)
GRAPH = Graph([s for m in MODULES for s in m.STAGES], repair.MEASURES)
METHOD, LIMIT = "fairness.mitigation.method", "fairness.mitigation.max_value_loss"
CONSTRAINT, GROUPS = "fairness.mitigation.constraint", "fairness.audit.groups"
AUDITED = {"fairness.audit.frequency": "monthly", GROUPS: ["gender", "ethnic_group"]}
BASE = {path: sections.assumed(path) for path in sections.FIELDS} | {
    "personalization.targeting": "uplift",
    "personalization.share": 0.3,
    LIMIT: 1.0,
    GROUPS: ["ethnic_group"],
}
THRESHOLDS = ("threshold_optimizer", "group_profit_thresholds")
CONSTRAINTS = sections.choices(CONSTRAINT)


@pytest.fixture(scope="module")
def context():
    return EvaluationContext.of_world(make_world(6_000, seed=7))


@pytest.fixture(scope="module")
def memory():
    return Memory(40)


@pytest.fixture(scope="module")
def run(context, memory):
    return lambda **fields: GRAPH.run(context, BASE | _paths(fields), memory)


def _paths(fields):
    return {path.replace("__", "."): value for path, value in fields.items()}


def gap(found, results, constraint):
    """Return the gap between ethnic groups that a constraint speaks of, among the ranked."""
    rows = np.flatnonzero(found.ranked)
    codes = repair.group_codes(results["context"], ["ethnic_group"])[0][rows]
    chosen = found.selected[rows]
    good = repair._helped(results["model"], found.offer, rows, found.score[rows])
    everybody = np.ones(rows.size, dtype=bool)

    def spread(top, below):
        sizes = np.bincount(codes[below])
        return float(
            np.ptp(np.bincount(codes[below], top[below])[sizes >= 30] / sizes[sizes >= 30])
        )

    return {
        "demographic_parity": lambda: spread(chosen, everybody),
        "equalized_odds": lambda: max(spread(chosen, good), spread(chosen, ~good)),
        "true_positive_rate_parity": lambda: spread(chosen, good),
        "false_positive_rate_parity": lambda: spread(chosen, ~good),
        "error_rate_parity": lambda: spread(chosen != good, everybody),
    }[constraint]()


@pytest.mark.parametrize("method", sections.choices(METHOD))
def test_the_number_of_messages_stays_and_the_lot_is_not_drawn_again(context, run, method):
    results = run(**{METHOD: method})
    before, after = results["targeting"], results["repair"]
    assert after.selected.sum() == before.selected.sum() > 0
    by_lot = ~before.ranked
    assert by_lot.any()
    assert (after.selected[by_lot] == before.selected[by_lot]).all()
    assert (after.chance[by_lot] == before.chance[by_lot]).all()
    assert not (after.selected & ~before.contactable).any()
    assert (after.selected != before.selected).sum() == 2 * after.swapped
    assert (after.swapped > 0) == (method != "none")


@pytest.mark.parametrize("method", [m for m in sections.choices(METHOD) if m != "none"])
def test_each_method_narrows_the_gap_between_selection_rates(context, run, method):
    results = run(**{METHOD: method}) | {"context": context}
    before = gap(results["targeting"], results, "demographic_parity")
    after = gap(results["repair"], results, "demographic_parity")
    assert before > 0.05
    # weights, features and reductions aim at the gap; only thresholds set it
    assert after < (0.03 if method in THRESHOLDS else 0.8 * before)


@pytest.mark.parametrize(("method", "constraint"), list(product(THRESHOLDS, CONSTRAINTS)))
def test_thresholds_meet_the_parity_they_are_given(context, run, method, constraint):
    results = run(**{METHOD: method, CONSTRAINT: constraint}) | {"context": context}
    before = gap(results["targeting"], results, constraint)
    after = gap(results["repair"], results, constraint)
    assert after <= max(0.03, 0.1 * before)
    assert results["repair"].selected.sum() == results["targeting"].selected.sum()


def _pool(score, group, count, good=None, constraint="demographic_parity"):
    score, group = np.asarray(score, dtype=float), np.asarray(group)
    chosen = repair._best(score, count, np.zeros(score.size))
    good = score > np.median(score) if good is None else good
    return repair._Pool(
        np.arange(score.size),
        score,
        chosen,
        good,
        group,
        (group,),
        np.zeros((score.size, 0)),
        np.linspace(0, 1, score.size),
        constraint,
    )


@pytest.mark.parametrize("seed", range(6))
def test_profit_thresholds_find_what_trying_all_finds(seed):
    rng = np.random.default_rng(seed)
    group = (rng.random(400) < 0.4).astype(int)
    score = rng.normal(size=400) + 0.8 * group
    pool = _pool(score, group, 120)
    found = repair._group_profit_thresholds(pool)
    sizes = np.bincount(group)
    ordered = [np.sort(score[group == g])[::-1] for g in (0, 1)]
    best = -np.inf
    for first in range(121):
        second = 120 - first
        if first > sizes[0] or second > sizes[1]:
            continue
        rates = first / sizes[0], second / sizes[1]
        if abs(rates[0] - rates[1]) <= repair._TOLERANCE:
            best = max(best, ordered[0][:first].sum() + ordered[1][:second].sum())
    # a window's bounds are rounded to whole people, so it may be wider by one of each group
    assert found.sum() == 120
    assert score[found].sum() >= best - 1e-9
    rates = np.bincount(group, found) / sizes
    assert np.ptp(rates) <= repair._TOLERANCE + 2 / sizes.min()
    assert score[found].sum() >= score[repair._threshold_optimizer(pool)].sum() - 1e-9


def test_thresholds_take_the_best_of_each_group():
    group = np.repeat([0, 1], [60, 40])
    score = np.concatenate([np.arange(60.0) + 100, np.arange(40.0)])
    found = repair._threshold_optimizer(_pool(score, group, 50))
    assert np.bincount(group, found).tolist() == [30, 20]
    assert score[found & (group == 1)].min() == 20
    assert score[found & (group == 0)].min() == 130


@settings(max_examples=60)
@given(
    st.lists(st.floats(-3, 3, width=32), min_size=12, max_size=40),
    st.floats(0, 1),
    st.integers(0, 10_000),
)
def test_no_more_value_is_given_up_than_allowed(scores, limit, seed):
    rng = np.random.default_rng(seed)
    score = np.asarray(scores) + rng.random(len(scores)) * 1e-3
    pool = _pool(score, rng.integers(0, 2, score.size), score.size // 3)
    aim = rng.permutation(pool.chosen)
    found, given_up, wanted = repair._within(pool, aim, limit)
    assert found.sum() == pool.chosen.sum()
    lost = (score[pool.chosen].sum() - score[found].sum()) / np.abs(score[pool.chosen]).sum()
    assert lost == pytest.approx(given_up, abs=1e-9)
    assert given_up <= limit + 1e-9
    assert given_up <= wanted + 1e-9
    if wanted <= limit:
        assert (found == aim).all()
    # nobody changes places who neither method disagrees on
    assert not (found & ~pool.chosen & ~aim).any()


def test_the_value_that_may_be_given_up_binds(context, run):
    whole = run(**{METHOD: "threshold_optimizer"})["repair"]
    assert whole.given_up == pytest.approx(whole.wanted)
    assert whole.given_up > 0
    part = run(**{METHOD: "threshold_optimizer", LIMIT: whole.wanted / 4})["repair"]
    assert 0 < part.given_up <= whole.wanted / 4
    assert 0 < part.swapped < whole.swapped
    nothing = run(**{METHOD: "threshold_optimizer", LIMIT: 0.0})["repair"]
    assert nothing.given_up == 0
    assert nothing.swapped == 0


def test_the_same_seed_gives_the_same_people(context):
    for method in ("resampling", "exponentiated_gradient", "grid_search"):
        first, second = (
            GRAPH.run(
                EvaluationContext.of_world(context.world),
                BASE | {METHOD: method},
                Memory(),
                wanted=["repair"],
            )
            for _ in range(2)
        )
        assert (first["repair"].selected == second["repair"].selected).all()


def test_where_nobody_is_ranked_nobody_changes_places(run):
    for rule in ("nobody", "everyone", "random"):
        results = run(**{"personalization.targeting": rule, METHOD: "reweighting"})
        assert results["repair"].swapped == 0
        assert (results["repair"].selected == results["targeting"].selected).all()


def test_least_squares_agree_with_scikit_learn():
    from sklearn.linear_model import LinearRegression

    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(300, 4)), rng.random(300)
    y = (X[:, 0] + rng.normal(size=300) > 0).astype(int)
    ours = repair._LeastSquares().fit(X, y, sample_weight=w)
    peer = LinearRegression().fit(X, y, sample_weight=w)
    assert ours.score_of(X) == pytest.approx(peer.predict(X), abs=1e-5)


def test_the_margin_line_separates_label_and_parity_exactly():
    rng = np.random.default_rng(1)
    margin, group = rng.normal(size=500), rng.integers(0, 3, 500)
    sign = np.where(margin > 0.5, 1.0, -1.0)
    shift = np.array([0.0, 0.4, -0.3])
    cost = 0.7 * (sign + shift[group])  # what a reduction with these multipliers hands over
    marks = (group[:, None] == [1, 2]).astype(float)
    X = np.column_stack([margin, sign, marks])
    line = repair._MarginLine(0.3).fit(X, cost > 0, sample_weight=np.abs(cost))
    assert line.margin_of(X) == pytest.approx(margin + shift[group], abs=1e-4)
    assert line.predict(X).mean() == pytest.approx(0.3, abs=0.01)


def test_weights_are_those_of_kamiran_and_calders_in_resampling(context):
    # the expected number of copies of a person is their weight
    from ethicalai_lab.fairness import reweighing_weights

    rng = np.random.default_rng(2)
    group, chosen = rng.integers(0, 3, 5_000), rng.random(5_000) < 0.2
    weight = reweighing_weights(chosen.astype(int), group)
    times = np.floor(weight + rng.random(5_000))
    assert times.mean() == pytest.approx(weight.mean(), abs=0.03)
    assert set(np.unique(times - np.floor(weight))) <= {0.0, 1.0}


def test_removing_correlation_leaves_none_with_any_group(monkeypatch):
    rng = np.random.default_rng(3)
    group = rng.choice(4, 3_000, p=[0.6, 0.2, 0.1, 0.1])
    matrix = rng.normal(size=(3_000, 3)) + np.array([0.0, 0.5, -0.4, 1.0])[group][:, None]
    pool = replace(_pool(matrix.sum(axis=1), group, 900), matrix=matrix)
    seen = []
    fit = repair._LeastSquares.fit

    def spy(self, X, y, sample_weight=None):
        seen.append(np.asarray(X))
        return fit(self, X, y, sample_weight)

    monkeypatch.setattr(repair._LeastSquares, "fit", spy)
    found = repair._correlation_remover(pool)
    means = np.stack([seen[0][group == code].mean(axis=0) for code in range(4)])
    assert np.ptp(means, axis=0) == pytest.approx(0, abs=1e-9)
    rates = [np.bincount(group, chosen) / np.bincount(group) for chosen in (pool.chosen, found)]
    assert np.ptp(rates[1]) < 0.25 * np.ptp(rates[0])


# ---------------------------------------------------------------------------- own audit


def _measure(name, context, results):
    measure = GRAPH.measures[f"fairness.{name}"]
    return measure.run(context, **{need: results[need] for need in measure.needs})


def test_the_audit_agrees_with_fairlearn_on_those_it_may_see(context, run):
    from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference

    results = run(**AUDITED | {GROUPS: ["ethnic_group"]})
    found = results["own_audit"]
    rows = results["permission"].practice[0] & ~results["permission"].erasure_requested
    assert (found.seen == rows).all()
    assert 0 < rows.sum() < context.n
    chosen, group = results["repair"].selected, context.customers["ethnic_group"].astype(str)
    visit = context.campaign["visit"].to_numpy()
    peer = demographic_parity_difference(visit[rows], chosen[rows], sensitive_features=group[rows])
    assert found.value == pytest.approx(peer)
    assert found.low <= found.value <= found.high
    assert found.over_all == pytest.approx(
        demographic_parity_difference(visit, chosen, sensitive_features=group)
    )
    odds = run(
        **AUDITED | {GROUPS: ["ethnic_group"], "fairness.audit.metric": "equalized_odds_difference"}
    )
    assert odds["own_audit"].value == pytest.approx(
        equalized_odds_difference(visit[rows], chosen[rows], sensitive_features=group[rows])
    )


def test_a_ratio_is_taken_from_one_and_held_to_its_limit(run):
    fields = AUDITED | {GROUPS: ["ethnic_group"]}
    metric, limit = "fairness.audit.metric", "fairness.audit.tolerance"
    found = run(**fields | {metric: "demographic_parity_ratio", limit: 0.999})["own_audit"]
    assert 0 < found.low <= found.value <= found.high < 1
    assert found.exceeds is True
    loose = run(**fields | {metric: "demographic_parity_ratio", limit: 0.0})["own_audit"]
    assert loose.value == found.value
    assert loose.exceeds is False
    assert run(**fields)["own_audit"].exceeds is None


def test_a_gap_between_one_person_and_one_other_may_be_anything(context):
    fresh = EvaluationContext.of_world(context.world)
    codes = np.zeros(context.n, dtype=np.int64)
    codes[4:8] = 1
    fresh.__dict__["_group_codes"] = {("gender",): (codes, ("a", "b"))}
    seen = np.arange(context.n) < 8
    response, selected = np.zeros(context.n, dtype=np.int64), np.zeros(context.n, dtype=bool)

    def gap(kind, visits, chosen):
        response[:8] = visits
        selected[:8] = chosen
        metric = f"predictive_parity_{kind}"
        return repair._gap(fresh, ["gender"], metric, selected, response, seen, 1)[0]

    both = [1, 1, 0, 0] * 2
    value, low, high = gap("difference", [1, 0, 0, 0, 1, 1, 0, 0], both)
    assert low <= value == 0.5 <= high
    alone = [1, 0, 0, 0] * 2
    for kind in ("difference", "ratio"):
        value, low, high = gap(kind, [1] + [0] * 7, alone)
        assert low < 0.1 < 0.99 < value <= high <= 1.0
    assert gap("ratio", [0] * 8, both) is None
    assert gap("difference", [0] * 8, [0] * 8) is None


def test_without_an_audit_there_is_no_number_but_a_gap_unseen(context, run):
    results = run(**AUDITED | {"fairness.audit.frequency": "never"})
    assert _measure("audit_sees", context, results) == Needs(
        "needs an audit: the policy's frequency is never"
    )
    assert isinstance(_measure("audit_sees", context, run(**AUDITED | {GROUPS: None})), Needs)
    nothing_seen = _measure("unseen_gap", context, results).value
    some = _measure("unseen_gap", context, run(**AUDITED)).value
    every = {
        GROUPS: ["gender", "ethnic_group", "age", "disability"],
        "fairness.audit.intersections": True,
    }
    assert (
        nothing_seen > some > _measure("unseen_gap", context, run(**AUDITED | every)).value == 0.0
    )


def test_small_groups_are_named_and_not_compared(run):
    sizes = {"fairness.audit.min_group_size": 500, GROUPS: ["gender"]}
    found = run(**AUDITED | sizes)["own_audit"]
    assert found.small == ("nonbinary",)
    assert run(**AUDITED | {GROUPS: ["gender"]})["own_audit"].small == ()


def test_gaps_are_those_of_the_people_selected(context, run):
    results = run()
    weights = resampling_weights(context.n, 100, 0)
    chosen = results["repair"].selected
    for column in ("gender", "ethnic_group", "age_band", "disability"):
        found = read(_measure(f"selection_gap_{column}", context, results), weights)
        codes, names = context.groups[column]
        rates = [chosen[codes == i].mean() for i in range(len(names)) if (codes == i).sum() >= 30]
        assert found.value == pytest.approx(max(rates) - min(rates), abs=1e-6)
        assert found.low <= found.value <= found.high
    # who is selected is all that it rests on
    everyone = results | {"repair": replace(results["repair"], selected=np.ones(context.n, bool))}
    assert read(_measure("selection_gap_gender", context, everyone), weights).value == 0


def test_those_left_out_are_counted_as_the_fairness_room_counts_them(context, run):
    from ethicalai_lab.fairness import left_out

    results = run()
    found = read(_measure("left_out_gap", context, results), np.ones((2, context.n), np.float32))
    table = left_out(
        results["repair"].selected.astype(int),
        (results["model"].uplift.max(axis=1) > 0).astype(int),
        context.customers["ethnic_group"].astype(str),
    )
    assert found.value == pytest.approx(float(np.ptp(table["left_out"])))
    assert found.truth is None
    blind = results | {"model": replace(results["model"], uplift=np.zeros((context.n, 2)))}
    assert isinstance(_measure("left_out_gap", context, blind), Needs)


def test_an_unknown_column_is_named(context, run):
    with pytest.raises(PolicyError, match=r'fairness\.audit\.groups names the column "shoe_size"'):
        run(**AUDITED | {GROUPS: ["shoe_size"]})
    codes, names = repair.group_codes(context, ["household_income", "region"])
    assert codes.max() + 1 == len(names)
    assert codes.min() == 0


def test_only_what_is_declared_is_read(context, run):
    results = run()
    step = GRAPH.stages["repair"]
    with pytest.raises(LookupError, match="not declared"):
        step.run(context, Settings({}), **{need: results[need] for need in step.needs})


def test_an_audit_counts_where_others_read_it(run):
    by = {}
    for reviewer in ("marketing", "ethics_board"):
        results = run(**AUDITED | {"fairness.audit.reviewer": reviewer})
        by[reviewer] = repair.audits_read_by_others.run(None, own_audit=results["own_audit"]).value
    assert by == {"marketing": 0.0, "ethics_board": 12.0}
    never = run(
        **AUDITED
        | {"fairness.audit.frequency": "never"}
        | {"fairness.audit.reviewer": "ethics_board"}
    )
    assert repair.audits_read_by_others.run(None, own_audit=never["own_audit"]).value == 0.0
