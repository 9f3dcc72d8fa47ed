"""Mitigations: they do what they say, and the comparison says whom they cost."""

import pickle
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from ethicalai_lab.errors import InputError
from ethicalai_lab.fairness import (
    CorrelationRemoval,
    ExponentiatedGradientReduction,
    GridSearchReduction,
    GroupThresholds,
    ProfitThresholds,
    Resampling,
    Reweighing,
    Unmitigated,
    audit,
    calibration_and_balance,
    compare_mitigations,
    implied_false_positive_rate,
    impossibility_table,
    reweighing_weights,
)

ALL = [
    Unmitigated(),
    Reweighing(),
    Resampling(),
    CorrelationRemoval(),
    GroupThresholds(),
    ExponentiatedGradientReduction(max_iter=4),
    GridSearchReduction(grid_size=7),
    ProfitThresholds(),
]
IDS = [type(m).__name__ for m in ALL]


def data(n=3_000, seed=0):
    rng = np.random.default_rng(seed)
    group = rng.choice(["a", "b"], n, p=[0.7, 0.3])
    x = rng.normal(size=n) + (group == "a")
    proxy = rng.normal(size=n) + 2 * (group == "a")
    y = (rng.random(n) < 1 / (1 + np.exp(1.0 - x))).astype(int)
    return pd.DataFrame({"group": group, "x": x, "proxy": proxy}), y


def gap(y, chosen, group, name="demographic_parity_difference"):
    return audit(y, chosen, sensitive_features=group).disparities.loc[name, "value"]


# ------------------------------------------------------------------- common face


@pytest.mark.parametrize("method", ALL, ids=IDS)
def test_each_works_as_a_step_of_a_pipeline(method):
    X, y = data(400)
    keep = FunctionTransformer(lambda t: t)
    pipe = Pipeline([("keep", keep), ("decide", clone(method).set_params(sensitive="group"))])
    chosen = pipe.fit(X, y).predict(X)
    assert set(np.unique(chosen)) <= {0, 1}
    assert 0 < chosen.mean() < 1
    assert chosen.tolist() == pipe.predict(X).tolist()  # same people, same answer
    assert 0.5 < pipe.score(X, y) <= 1
    direct = clone(method).fit(X[["x", "proxy"]], y, X["group"])
    assert direct.predict(X[["x", "proxy"]], X["group"]).tolist() == chosen.tolist()


@pytest.mark.parametrize("method", ALL, ids=IDS)
def test_each_can_be_cloned_and_pickled(method):
    X, y = data(400)
    fitted = clone(method).set_params(sensitive="group").fit(X, y)
    again = pickle.loads(pickle.dumps(fitted))
    assert again.predict(X).tolist() == fitted.predict(X).tolist()
    assert repr(clone(method).get_params()) == repr(method.get_params())


def test_other_estimators_and_their_pipelines_take_the_weights():
    X, y = data(600)
    for estimator in (
        RandomForestClassifier(20, random_state=0),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ):
        for method in (Reweighing(estimator), GridSearchReduction(estimator, grid_size=3)):
            method.set_params(sensitive="group").fit(X, y)
            assert set(np.unique(method.predict(X))) <= {0, 1}


def test_categories_are_encoded_and_a_new_one_is_no_error():
    X, y = data(600)
    X["channel"] = np.where(X["x"] > 0.5, "web", "store")
    model = Unmitigated(sensitive="group").fit(X.drop(columns=["x"]), y)
    new = X.drop(columns=["x"]).assign(channel="phone")
    assert set(np.unique(model.predict(new))) <= {0, 1}
    chosen = model.predict(X.drop(columns=["x"]))
    assert chosen[X["channel"] == "web"].mean() > chosen[X["channel"] == "store"].mean()


def test_only_the_methods_that_say_so_read_the_group_at_decision_time():
    X, y = data(500)
    swapped = X.assign(group=np.where(X["group"] == "a", "b", "a"))
    for method in ALL:
        fitted = clone(method).set_params(sensitive="group").fit(X, y)
        changed = (fitted.predict(X) != fitted.predict(swapped)).any()
        assert changed == method.uses_group_at_decision


# ------------------------------------------------------------------ what each does


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(2, 4))
def test_reweighing_makes_outcome_and_group_independent(seed, k):
    rng = np.random.default_rng(seed)
    group = np.concatenate([np.repeat(np.arange(k), 2), rng.integers(0, k, 60)])
    y = np.concatenate([np.tile([0, 1], k), rng.integers(0, 2, 60)])
    w = reweighing_weights(y, group)
    rates = [np.average(y[group == g], weights=w[group == g]) for g in range(k)]
    np.testing.assert_allclose(rates, y.mean())
    assert w.mean() == pytest.approx(1)
    # Kamiran and Calders' formula, cell by cell
    cell = (group == 0) & (y == 1)
    np.testing.assert_allclose(w[cell], (group == 0).mean() * y.mean() / cell.mean())


def test_resampling_reaches_the_weights_expected_counts():
    seen = {}

    class Spy(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            seen["X"], seen["y"] = X, y
            return super().fit(X, y)

    X, y = data(1_000)
    group = (X["group"] == "a").astype(float)
    Resampling(Spy()).fit(group.to_frame("g"), y, X["group"])
    drawn = np.unique(seen["X"][:, 0], return_inverse=True)[1]
    rates = [seen["y"][drawn == g].mean() for g in (0, 1)]
    assert rates[0] == pytest.approx(rates[1], abs=0.005)
    assert len(seen["y"]) == pytest.approx(1_000, abs=3)


def test_each_mitigation_narrows_the_gap_it_aims_at_on_new_rows():
    X, y = data(6_000, 1)
    new, truth = data(6_000, 2)
    plain = Unmitigated(sensitive="group").fit(X, y)
    before = gap(truth, plain.predict(new), new["group"])
    for method in ALL[1:]:
        fitted = clone(method).set_params(sensitive="group")
        if isinstance(method, GridSearchReduction):
            fitted.set_params(grid_size=15)  # a grid of 7 steps over the good models
        fitted.fit(X, y)
        assert gap(truth, fitted.predict(new), new["group"]) < 0.75 * before
    odds = "equalized_odds_difference"
    before = gap(truth, plain.predict(new), new["group"], odds)
    for method in (
        GroupThresholds(constraint="equalized_odds", sensitive="group"),
        ExponentiatedGradientReduction(constraint="equalized_odds", sensitive="group"),
    ):
        chosen = method.fit(X, y).predict(new)
        assert gap(truth, chosen, new["group"], odds) < 0.6 * before


def test_profit_thresholds_find_the_best_rule_a_full_search_finds():
    """Every pair of thresholds is tried; none within the tolerance earns more."""
    rng = np.random.default_rng(0)
    group = np.repeat(["a", "b"], 60)
    p = np.where(group == "a", rng.beta(3, 4, 120), rng.beta(2, 6, 120))
    from ethicalai_lab.fairness.mitigation import _best_thresholds

    for tolerance in (0.0, 0.05, 0.2, 1.0):
        found = _best_thresholds(p, group, ["a", "b"], 0.4, "demographic_parity", tolerance)
        chosen = p >= np.array([found[g] for g in group])
        profit = np.sum((p - 0.4)[chosen])
        best = -np.inf
        sorted_ = {g: np.sort(p[group == g])[::-1] for g in "ab"}
        for i in range(61):
            for j in range(61):
                if abs(i - j) / 60 <= tolerance + 1e-9:
                    total = np.sum(sorted_["a"][:i] - 0.4) + np.sum(sorted_["b"][:j] - 0.4)
                    best = max(best, total)
        assert profit == pytest.approx(best, abs=1e-9)
        rates = [chosen[group == g].mean() for g in "ab"]
        assert abs(rates[0] - rates[1]) <= tolerance + 1e-9


def test_more_tolerance_never_earns_less_on_the_training_rows():
    X, y = data(2_000)
    profits = []
    for tolerance in (0.0, 0.05, 0.1, 0.3):
        model = ProfitThresholds(sensitive="group", tolerance=tolerance).fit(X, y)
        p = model.estimator_.predict_proba(model.encoder_.transform(X[["x", "proxy"]]))[:, 1]
        profits.append(np.sum((p - 0.5) * model.predict(X)))
    assert all(b >= a - 0.01 * abs(a) for a, b in pairwise(profits))


def test_no_constraint_gives_every_group_the_same_threshold():
    X, y = data(500)
    model = ProfitThresholds(sensitive="group", constraint=None, threshold=0.3).fit(X, y)
    assert model.thresholds_ == {"a": 0.3, "b": 0.3}
    plain = Unmitigated(sensitive="group", threshold=0.3).fit(X, y)
    assert model.predict(X).tolist() == plain.predict(X).tolist()


# --------------------------------------------------------------------- comparison


def test_comparison_is_measured_on_held_out_rows_and_adds_up():
    X, y = data(4_000)
    methods = {"plain": Unmitigated(), "weights": Reweighing(), "profit": ProfitThresholds()}
    result = compare_mitigations(
        X[["x", "proxy"]],
        y,
        sensitive_features=X["group"],
        methods=methods,
        value=4.0,
        cost=2.0,
    )
    assert len(result.decisions) == 2_000
    # under their own labels, so that more can be asked of the same people
    assert (X.loc[result.group.index, "group"] == result.group).all()
    assert result.decisions.index.equals(result.group.index)
    assert (result.table["value_low"] <= result.table["value"]).all()
    assert result.table.loc["plain", "value_change"] == 0
    assert result.table.loc["profit", "gap"] < result.table.loc["plain", "gap"]
    for method, rows in result.who_pays.groupby(level="method"):
        people = rows["people"]
        # the groups' changes, weighted by their people, are the whole's
        whole = np.average(rows["value_change"], weights=people)
        assert whole == pytest.approx(result.table.loc[method, "value_change"])
        moved = (rows["gained"] - rows["lost"]).sum()
        before, after = result.decisions["plain"], result.decisions[method]
        assert moved == after.sum() - before.sum()
        np.testing.assert_allclose(rows["change"], rows["selected_after"] - rows["selected_before"])
        assert (rows["responders_gained"] <= rows["gained"]).all()
    assert "who" not in result.table
    assert result._repr_html_().count("<table") == 2


def test_the_value_interval_covers_what_a_large_sample_earns():
    """Decisions by a fixed rule: the interval must hold its true value."""

    class Fixed(Unmitigated):
        def _fit(self, X, y, group):
            pass

        def _predict(self, X, group):
            return X[:, 0] > 0

    rng = np.random.default_rng(0)
    x = rng.normal(size=200_000)
    truth = np.mean((x > 0) * ((rng.random(200_000) < 1 / (1 + np.exp(-x))) - 0.5)) * 1000
    hits = 0
    for seed in range(100):
        rng = np.random.default_rng(seed + 1)
        x = rng.normal(size=400)
        y = (rng.random(400) < 1 / (1 + np.exp(-x))).astype(int)
        group = rng.choice(["a", "b"], 400)
        table = compare_mitigations(
            x[:, None], y, sensitive_features=group, methods={"m": Fixed()}, seed=seed
        ).table
        hits += table.loc["m", "value_low"] <= truth <= table.loc["m", "value_high"]
    assert hits >= 87


def test_default_methods_all_run_and_benefit_replaces_the_outcome():
    X, y = data(900)
    benefit = np.full(900, 0.6)
    result = compare_mitigations(
        X[["x", "proxy"]],
        y,
        sensitive_features=X["group"],
        benefit=benefit,
        constraint="equal_opportunity",
    )
    assert len(result.table) == 8
    # everyone selected is worth 0.6 - 0.5
    np.testing.assert_allclose(
        result.table["value"], 100 * result.table["selection_rate"], rtol=1e-9
    )


# ------------------------------------------------------------------- impossibility


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.booleans(), st.booleans(), st.sampled_from("ab")), min_size=8, max_size=80
    )
)
def test_chouldechovas_identity_holds_on_any_counts(rows):
    y, p, group = (np.array(x) for x in zip(*rows, strict=True))
    table = impossibility_table(audit(y, p, sensitive_features=group))
    known = table.dropna()
    np.testing.assert_allclose(known["implied"], known["false_positive_rate"], atol=1e-12)


def test_equal_precision_and_misses_force_unequal_false_alarms():
    forced = implied_false_positive_rate([0.1, 0.3], 0.6, 0.2)
    assert forced[1] > 3 * forced[0]
    assert implied_false_positive_rate(0.3, 1.0, 0.0) == 0  # a perfect prediction is free of it
    same = implied_false_positive_rate([0.3, 0.3], 0.6, 0.2)
    assert same[0] == same[1]


def test_a_calibrated_score_cannot_be_balanced_where_base_rates_differ():
    rng = np.random.default_rng(0)
    n = 100_000
    group = rng.choice(["a", "b"], n)
    score = np.where(group == "a", rng.beta(2, 6, n), rng.beta(4, 4, n))
    y = rng.random(n) < score  # calibrated in each group, by construction
    table = calibration_and_balance(y, score, group)
    assert table["calibration_gap"].abs().max() < 0.01
    assert np.ptp(table["mean_score_positive"]) > 0.1
    assert np.ptp(table["mean_score_negative"]) > 0.1
    np.testing.assert_allclose(
        table["implied_mean_score_negative"], table["mean_score_negative"], atol=0.01
    )


# ----------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda X, y: Unmitigated().fit(X, y), "sensitive"),
        (lambda X, y: Unmitigated(sensitive="sex").fit(X, y), "'sex'"),
        (lambda X, y: Unmitigated(sensitive="group", threshold=2).fit(X, y), "threshold"),
        (lambda X, y: Unmitigated(sensitive="group").fit(X, np.ones(len(y))), "both outcomes"),
        (
            lambda X, y: Unmitigated(sensitive="group").fit(X.assign(x=np.nan), y),
            "'x'",
        ),
        (
            lambda X, y: Unmitigated(sensitive="group").fit(X, y).predict(X.assign(z=1)),
            "fit saw",
        ),
        (
            lambda X, y: ProfitThresholds().fit(X[["x"]], y, X["group"]).predict(X[["x"]]),
            "decides by group",
        ),
        (
            lambda X, y: ProfitThresholds(sensitive="group").fit(X, y).predict(X.assign(group="c")),
            "'c'",
        ),
        (
            lambda X, y: GroupThresholds(sensitive="group", constraint="luck").fit(X, y),
            "'luck'",
        ),
        (
            lambda X, y: GroupThresholds(sensitive="group").fit(
                X, np.where(X["group"] == "a", y, 0)
            ),
            "only one outcome",
        ),
        (
            lambda X, y: ExponentiatedGradientReduction(sensitive="group", tolerance=0).fit(X, y),
            "tolerance",
        ),
        (lambda X, y: CorrelationRemoval(sensitive="group", alpha=2).fit(X, y), "alpha"),
        (lambda X, y: compare_mitigations(X, y, sensitive_features=y, cost=2), "cost"),
        (
            lambda X, y: compare_mitigations(X, y, sensitive_features=y, methods={}),
            "methods",
        ),
        (lambda X, y: implied_false_positive_rate(1.0, 0.5, 0.5), "base_rate"),
        (lambda X, y: calibration_and_balance(y, 2.0 * y, X["group"]), "score"),
        (
            lambda X, y: impossibility_table(audit(None, y, sensitive_features=y)),
            "outcomes",
        ),
    ],
)
def test_bad_input_gets_one_clear_sentence(call, words):
    X, y = data(60)
    with pytest.raises(InputError, match=words) as error:
        call(X, y)
    assert "\n" not in str(error.value)


def test_chances_of_the_plain_model_are_what_its_threshold_cuts():
    X, y = data(800)
    model = Unmitigated(sensitive="group", threshold=0.4).fit(X, y)
    chance = model.predict_proba(X)
    np.testing.assert_allclose(chance.sum(axis=1), 1)
    assert ((chance[:, 1] >= 0.4) == model.predict(X).astype(bool)).all()


def test_with_four_groups_no_linear_correlation_is_left():
    """fairlearn alone leaves some with three groups or more; the room hands it centred columns."""
    rng = np.random.default_rng(0)
    group = rng.choice(list("abcd"), 4_000, p=[0.6, 0.2, 0.1, 0.1])
    shift = pd.Series(group).map({"a": 0.0, "b": 0.5, "c": -0.4, "d": 1.0}).to_numpy()
    X = pd.DataFrame(rng.normal(size=(4_000, 2)) + shift[:, None], columns=["x", "z"])
    y = (X.sum(axis=1) + rng.normal(size=4_000) > 1).astype(int)
    model = CorrelationRemoval().fit(X, y, group)
    wide, _ = model._with_group(model.encoder_.transform(X), group)
    left = pd.DataFrame(model.remover_.transform(wide)).groupby(group).mean()
    assert float((left - left.mean()).abs().to_numpy().max()) < 1e-9
    before = X.groupby(group).mean()
    assert float((before - before.mean()).abs().to_numpy().max()) > 0.4
