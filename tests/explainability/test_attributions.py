"""Attributions against shap, the brute-force formula, and what must hold of them."""

import itertools
import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.inspection import partial_dependence as sklearn_dependence
from sklearn.inspection import permutation_importance as sklearn_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ethicalai_lab.errors import InputError
from ethicalai_lab.explainability.attributions import (
    Attributions,
    linear_attributions,
    partial_dependence,
    permutation_importance,
    shapley_attributions,
)
from ethicalai_lab.explainability.errors import ExplanationError

NAMES = ["recency", "history", "age", "noise"]


@pytest.fixture(scope="module")
def shap():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import shap
    return shap


def make_people(n=240, seed=3):
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(n, 4)), columns=NAMES)


@pytest.fixture(scope="module")
def people():
    return make_people()


@pytest.fixture(scope="module")
def visits(people):
    rng = np.random.default_rng(5)
    lift = people["recency"] + people["history"] * people["age"]
    return (lift + rng.normal(size=len(people)) > 0).astype(int).to_numpy()


def crossed(t):
    """A model with interactions, and a feature it never looks at."""
    return t["recency"] * t["history"] + np.maximum(t["age"], t["recency"]) ** 2


def brute_force(model, person, background):
    """The Shapley formula, coalition by coalition."""
    names = list(background.columns)
    p = len(names)

    def worth(coalition):
        mixed = background.copy()
        for name in coalition:
            mixed[name] = pd.Series([person[name]] * len(mixed), index=mixed.index).astype(
                background[name].dtype
            )
        return float(np.mean(model(mixed)))

    shares = {}
    for name in names:
        others = [n for n in names if n != name]
        shares[name] = sum(
            math.factorial(k)
            * math.factorial(p - k - 1)
            / math.factorial(p)
            * (worth([*group, name]) - worth(group))
            for k in range(p)
            for group in itertools.combinations(others, k)
        )
    return shares


# ------------------------------------------------------------------------- additive


def test_linear_regression_agrees_with_shap_over_the_whole_background(shap, people):
    spend = 3 * people["recency"] - 2 * people["history"] + 7
    model = LinearRegression().fit(people, spend)
    ours = linear_attributions(model, people[:30], people)
    masker = shap.maskers.Independent(people, max_samples=len(people))
    theirs = shap.LinearExplainer(model, masker)
    np.testing.assert_allclose(ours.values, theirs.shap_values(people[:30]), atol=1e-9)
    assert ours.base == pytest.approx(float(theirs.expected_value))
    assert ours.gap < 1e-9


def test_logistic_pipeline_is_explained_in_log_odds_of_its_raw_columns(shap, people, visits):
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(people * 5 + 2, visits)
    X = people * 5 + 2
    ours = linear_attributions(model, X[:25], X)
    scaled = model[0].transform(X)
    masker = shap.maskers.Independent(scaled, max_samples=len(X))
    theirs = shap.LinearExplainer(model[1], masker).shap_values(scaled[:25])
    np.testing.assert_allclose(ours.values, theirs, atol=1e-9)
    np.testing.assert_allclose(ours.output, model.decision_function(X[:25]))
    assert ours.unit == "log_odds"


def test_categories_and_curves_are_additive_too(people, visits):
    X = people.assign(channel=pd.Categorical(np.where(people["age"] > 0, "web", "store")))
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["channel"]), remainder="passthrough"),
        LogisticRegression(),
    ).fit(X, visits)
    ours = linear_attributions(model, X)
    assert ours.gap < 1e-8
    assert ours.values.groupby(X["channel"], observed=True)["channel"].nunique().max() == 1
    curves = linear_attributions(lambda t: np.exp(t["age"]) + t["noise"] ** 2, X)
    expected = np.exp(X["age"]) - np.exp(X["age"]).mean()
    np.testing.assert_allclose(curves.values["age"], expected, atol=1e-9)
    assert (curves.values["channel"] == 0).all()


def test_what_is_not_additive_is_refused(people):
    with pytest.raises(ExplanationError, match="not additive"):
        linear_attributions(crossed, people)


@given(
    weights=st.lists(st.floats(-5, 5), min_size=4, max_size=4),
    seed=st.integers(0, 1000),
    silent=st.integers(0, 3),
)
@settings(max_examples=25)
def test_additive_shares_add_up_and_an_unused_feature_gets_nothing(weights, seed, silent):
    X = make_people(20, seed)
    weights[silent] = 0.0

    def model(t):
        return sum(w * np.sin(t[n]) for w, n in zip(weights, NAMES, strict=True))

    ours = linear_attributions(model, X[:8], X[8:])
    assert ours.gap < 1e-8
    assert (ours.values[NAMES[silent]] == 0).all()


# -------------------------------------------------------------------------- Shapley


def test_exact_values_are_those_of_the_formula(people):
    back = people[100:115]
    ours = shapley_attributions(crossed, people[:4], back, unit="money", method="exact")
    for label in ours.values.index:
        wanted = brute_force(crossed, people.loc[label], back)
        np.testing.assert_allclose(ours.values.loc[label], [wanted[n] for n in NAMES], atol=1e-9)
    assert ours.base == pytest.approx(crossed(back).mean())
    assert np.abs(ours.values["noise"]).max() < 1e-12


def test_exact_values_of_categories_are_those_of_the_formula():
    X = pd.DataFrame(
        {
            "tier": pd.Categorical(["gold", "none", "gold", "silver", "none"]),
            "mailed": [True, False, False, True, True],
            "visits": [3, 0, 2, 5, 1],
        }
    )

    def model(t):
        assert t["tier"].dtype == X["tier"].dtype
        assert t["mailed"].dtype == bool
        return (t["tier"] == "gold") * t["visits"] + t["mailed"] * 2.0

    ours = shapley_attributions(model, X[:2], X, unit="money")
    for label in ours.values.index:
        wanted = brute_force(model, X.loc[label], X)
        np.testing.assert_allclose(ours.values.loc[label], [wanted[n] for n in X], atol=1e-9)


@pytest.mark.parametrize(
    ("kind", "unit"),
    [(GradientBoostingClassifier, "log_odds"), (RandomForestClassifier, "probability")],
)
def test_trees_add_up_and_match_the_formula(kind, unit, people, visits):
    model = kind(n_estimators=8, max_depth=3, random_state=0).fit(people, visits)
    back = people[60:200]  # more than the 100 rows that shap would keep by itself
    ours = shapley_attributions(model, people[:12], back, unit=unit)

    def score(t):
        return model.decision_function(t) if unit == "log_odds" else model.predict_proba(t)[:, 1]

    assert ours.method == "tree"
    assert ours.note == ""
    assert ours.adds_up()
    assert ours.base == pytest.approx(score(back).mean())
    np.testing.assert_allclose(ours.output, score(people[:12]))
    wanted = brute_force(score, people.loc[0], back)
    np.testing.assert_allclose(ours.values.loc[0], [wanted[n] for n in NAMES], atol=1e-6)


def test_a_boosting_probability_is_not_rescaled_unless_asked_for(people, visits):
    model = GradientBoostingClassifier(n_estimators=8, max_depth=3, random_state=0)
    model.fit(people, visits)
    back = people[60:200]
    ours = shapley_attributions(model, people[:3], back)
    wanted = brute_force(lambda t: model.predict_proba(t)[:, 1], people.loc[0], back)
    np.testing.assert_allclose(ours.values.loc[0], [wanted[n] for n in NAMES], atol=1e-9)
    fast = shapley_attributions(model, people[:3], back, method="tree")
    assert fast.adds_up()
    assert "rescaled" in fast.note
    off = np.abs(fast.values - ours.values).to_numpy().max()
    assert 1e-5 < off < 0.05


def test_a_forest_of_money(people):
    model = RandomForestRegressor(n_estimators=5, max_depth=4, random_state=0)
    model.fit(people, 10 * crossed(people))
    ours = shapley_attributions(model, people[:10], people[:50], unit="money")
    assert (ours.method, ours.unit) == ("tree", "money")
    assert ours.adds_up()


def test_shares_are_never_returned_where_the_tree_algorithm_misses():
    # so close together that single precision, in which shap keeps thresholds, holds one for many
    X = pd.DataFrame(1e9 + np.random.default_rng(0).integers(0, 60, (400, 2)), columns=["a", "b"])
    y = (X["a"] % 4 < 2).astype(int)
    model = HistGradientBoostingClassifier(max_iter=10, random_state=0).fit(X, y)
    ours = shapley_attributions(model, X[:20], X[:30], unit="log_odds")
    assert ours.adds_up()
    assert ours.method == "exact"
    assert "missed" in ours.note
    with pytest.raises(ExplanationError, match="misses"):
        shapley_attributions(model, X[:20], X[:30], unit="log_odds", method="tree")


@pytest.mark.parametrize("kind", [HistGradientBoostingClassifier, GradientBoostingClassifier])
def test_trees_add_up_over_many_rows_of_any_decimals(kind):
    X = make_people(8000)
    y = (X["recency"] + X["history"] * X["age"] > 0.2).astype(int)
    size = {"max_iter": 60} if kind is HistGradientBoostingClassifier else {"n_estimators": 20}
    model = kind(random_state=0, **size).fit(X, y)
    X.iloc[7::50, 3] = np.nan if kind is HistGradientBoostingClassifier else 0.0
    many = shapley_attributions(model, X, X[:20], unit="log_odds", method="tree")
    assert many.adds_up()
    few = X.iloc[[0, 7, 8]]
    peer = shapley_attributions(model, few, X[:20], unit="log_odds", method="exact")
    np.testing.assert_allclose(many.values.loc[few.index], peer.values, atol=1e-6)


@pytest.mark.parametrize("method", ["exact", "permutation"])
def test_values_far_from_zero_are_told_apart_and_equal_people_get_nothing(method):
    back = pd.DataFrame({"time": 1.7e9 + np.arange(6.0), "age": np.arange(6.0) * 10})

    def model(t):
        return (t["time"] - 1.7e9) + t["age"] / 10

    ours = shapley_attributions(model, back, back[2:4], unit="money", method=method)
    assert ours.adds_up()
    np.testing.assert_allclose(ours.values["time"], np.arange(6) - 2.5, atol=1e-6)
    alone = shapley_attributions(model, back[:3], back[2:3], unit="money", method=method)
    assert alone.values.loc[2].abs().max() == 0


def test_permutations_come_near_the_exact_values_and_repeat(people):
    args = (crossed, people[:6], people[100:130])
    exact = shapley_attributions(*args, unit="money", method="exact")
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    near = shapley_attributions(*args, unit="money", method="permutation")
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    again = shapley_attributions(*args, unit="money", method="permutation")
    pd.testing.assert_frame_equal(near.values, again.values, check_exact=True)
    assert near.gap < 1e-8
    assert np.abs(near.values - exact.values).to_numpy().max() < 0.15


def test_many_features_go_by_permutations():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 10)))
    X.columns = [f"c{j}" for j in range(10)]
    ours = shapley_attributions(lambda t: t["c0"] * t["c1"] + t["c2"], X[:3], X, unit="money")
    assert ours.method == "permutation"
    assert ours.gap < 1e-8
    assert np.abs(ours.values[[f"c{j}" for j in range(3, 10)]]).to_numpy().max() < 1e-12


# ----------------------------------------------------------------------- the result


def test_importance_top_and_table():
    values = pd.DataFrame({"a<b": [0.3, -0.5], "c": [0.1, 0.1]}, index=[11, 12])
    ours = Attributions(values, 0.2, [0.6, -0.2], "probability", "by hand", data=values * 10)
    table = ours.importance()
    assert table["feature"].tolist() == ["a<b", "c"]
    assert table["importance"].tolist() == pytest.approx([0.4, 0.1])
    assert table.loc[0, ["low", "high"]].tolist() == pytest.approx([0.3, 0.5])
    pd.testing.assert_frame_equal(table, ours.importance())
    top = ours.top(12, 1)
    assert top.to_dict("list") == {"feature": ["a<b"], "data": [-5.0], "share": [-0.5]}
    shown = ours._repr_html_()
    assert "a&lt;b" in shown
    assert "shares add up" in shown
    wrong = Attributions(values, 0.3, [0.6, -0.2], "probability", "by hand")
    assert wrong.gap == pytest.approx(0.1)
    assert not wrong.adds_up()
    assert "do NOT add up" in wrong._repr_html_()
    with pytest.raises(ExplanationError, match="no person 99"):
        ours.top(99)
    with pytest.raises(ExplanationError, match="n is 0"):
        ours.top(11, 0)
    with pytest.raises(ExplanationError, match="shape"):
        Attributions(values, 0.0, [1.0], "money", "by hand")


# ----------------------------------------------------------------------- importance


def test_permutation_importance_agrees_with_scikit_learn(people, visits):
    model = LogisticRegression().fit(people, visits)
    ours = permutation_importance(model, people, visits, n_repeats=30)
    theirs = sklearn_importance(
        model, people, visits, scoring="roc_auc", n_repeats=30, random_state=1
    )
    error = np.sqrt(2 / 30) * theirs.importances_std + 1e-3
    mine = ours.set_index("feature").loc[NAMES, "importance"]
    assert (np.abs(mine - theirs.importances_mean) < 4 * error).all()
    assert ours["feature"].iloc[0] == "recency"
    assert ((ours["low"] <= ours["importance"]) & (ours["importance"] <= ours["high"])).all()
    again = permutation_importance(model, people, visits, n_repeats=30)
    pd.testing.assert_frame_equal(ours, again, check_exact=True)


def test_an_unused_column_has_no_importance_and_a_used_one_has(people):
    table = permutation_importance(lambda t: t["age"], people, people["age"] > 0, n_boot=30)
    table = table.set_index("feature")
    assert (table.drop("age")[["importance", "low", "high"]] == 0).all(axis=None)
    assert table.loc["age", "low"] > 0.3


# ----------------------------------------------------------------------- dependence


def test_partial_dependence_agrees_with_scikit_learn(people, visits):
    model = GradientBoostingClassifier(n_estimators=10, random_state=0).fit(people, visits)
    ours = partial_dependence(model, people, "history", grid=8)
    theirs = sklearn_dependence(
        model,
        people,
        ["history"],
        percentiles=(0, 1),
        grid_resolution=len(people) + 1,  # then its grid holds every value that occurs
        response_method="predict_proba",
        method="brute",
    )
    at = np.searchsorted(theirs["grid_values"][0], ours.curve["value"])
    np.testing.assert_array_equal(theirs["grid_values"][0][at], ours.curve["value"])
    np.testing.assert_allclose(ours.curve["mean"], theirs["average"][0][at], atol=1e-12)
    assert (ours.curve["low"] <= ours.curve["mean"]).all()
    assert ours.unit == "probability"


@pytest.mark.parametrize("seed", range(3))
def test_the_warning_appears_only_where_correlation_was_planted(seed):
    free = make_people(300, seed)
    tied = free.assign(history=free["age"] * 3 + 0.1 * free["noise"])
    calm = partial_dependence(crossed, free, "age")
    warned = partial_dependence(crossed, tied, "age")
    assert calm.warning == ""
    assert calm.associated == {}
    assert list(warned.associated) == ["history"]
    assert "'history'" in warned.warning
    assert f"{warned.off_data:.0%}" in warned.warning
    assert warned.off_data > 0.6
    assert calm.off_data < 0.15
    assert "history" in warned._repr_html_()
    # Another column of the same table is not concerned.
    assert partial_dependence(crossed, tied, "recency").warning == ""


def test_dependence_on_categories_knows_their_associations():
    rng = np.random.default_rng(2)
    tier = rng.choice(["gold", "none", "silver"], 200)
    X = pd.DataFrame(
        {
            "tier": pd.Categorical(tier),
            "colour": np.where(tier == "gold", "yellow", np.where(tier == "none", "red", "grey")),
            "spend": np.where(tier == "gold", 90.0, 10.0) + rng.normal(size=200),
            "other": rng.normal(size=200),
        }
    )
    shown = partial_dependence(lambda t: (t["tier"] == "gold") * 1.0, X, "tier")
    assert shown.curve["value"].tolist() == ["gold", "none", "silver"]
    assert shown.curve["mean"].tolist() == [1.0, 0.0, 0.0]
    assert shown.associated["colour"] == pytest.approx(1.0)
    assert set(shown.associated) == {"colour", "spend"}
    assert shown.off_data == pytest.approx(2 / 3, abs=0.05)


# --------------------------------------------------------------------------- errors


def test_bad_input_is_refused_by_name(people, visits):
    model = LogisticRegression().fit(people, visits)
    cases = [
        (lambda: shapley_attributions(model, people, people[NAMES[:3]]), "lacks column 'noise'"),
        (
            lambda: shapley_attributions(model, people, people.assign(age="old")),
            "Column 'age' is float64 in X",
        ),
        (lambda: shapley_attributions(model, people.assign(age=np.inf), people), "column 'age'"),
        (lambda: shapley_attributions(model, people[:0], people), "X is empty"),
        (lambda: shapley_attributions(model, people, people, unit="money"), "classifier"),
        (lambda: shapley_attributions(model, people, people, method="magic"), "'magic'"),
        (lambda: shapley_attributions(model, people, people, method="tree"), "'tree' cannot"),
        (lambda: shapley_attributions(7, people, people), "model is a int"),
        (
            lambda: shapley_attributions(lambda t: t["age"] * np.nan, people, people[:3]),
            "not a finite number",
        ),
        (lambda: linear_attributions(model, people.to_numpy()), "X is a ndarray"),
        (lambda: permutation_importance(model, people, visits[:5]), "y has shape"),
        (lambda: permutation_importance(model, people, visits * 2), "y must hold both 0 and 1"),
        (lambda: partial_dependence(model, people, "mood"), "no column 'mood'"),
        (lambda: partial_dependence(model, people, "age", grid=[]), "grid for column 'age'"),
        (lambda: partial_dependence(model, people, "age", grid=["x"]), "holds 'x'"),
    ]
    for call, words in cases:
        with pytest.raises(ExplanationError, match=words) as caught:
            call()
        assert isinstance(caught.value, InputError)
        assert str(caught.value).endswith(".")


def test_a_model_trained_on_arrays(people, visits):
    model = LogisticRegression().fit(people.to_numpy(), visits)
    ours = linear_attributions(model, people)
    wanted = (people - people.mean()) * model.coef_[0]
    np.testing.assert_allclose(ours.values, wanted, atol=1e-9)
    assert list(ours.values.columns) == NAMES
    # Columns in another order are put in that of X.
    shuffled = linear_attributions(model, people, people[NAMES[::-1]])
    np.testing.assert_allclose(shuffled.values, wanted, atol=1e-9)
