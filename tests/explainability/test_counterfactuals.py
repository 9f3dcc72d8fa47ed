import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier

from ethicalai_lab.explainability.counterfactuals import Actionability, CounterfactualSearch
from ethicalai_lab.explainability.errors import ExplanationError


def people(n=1500, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "visits": rng.integers(0, 30, n),
            "spend": rng.gamma(2, 50, n).round(2),
            "device": pd.Categorical(rng.choice(["phone", "laptop", "tablet"], n)),
            "tier": pd.Categorical(
                rng.choice(["none", "bronze", "gold"], n), ["none", "bronze", "gold"], ordered=True
            ),
        }
    )


RULES = {
    "age": Actionability(immutable=True),
    "visits": Actionability(direction="increase", high=25),
    "spend": Actionability(low=10, high=300),
    "device": Actionability(values=("phone", "laptop")),
    "tier": Actionability(direction="increase"),
}
DATA = people()


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(1)
    z = (
        DATA["visits"] / 8
        + DATA["spend"] / 60
        + (DATA["device"] == "laptop")
        + DATA["tier"].cat.codes
    )
    y = (z + rng.normal(0, 0.5, len(DATA)) > 5).astype(int)
    fitted = HistGradientBoostingClassifier(
        max_iter=40, random_state=0, categorical_features="from_dtype"
    )
    return fitted.fit(DATA, y)


@pytest.fixture(scope="module")
def search(model):
    return CounterfactualSearch(model, DATA, RULES, threshold=0.5, seed=3)


@settings(max_examples=25, deadline=None)
@given(i=st.integers(0, len(DATA) - 1))
def test_limits_hold_and_the_model_agrees(search, model, i):
    person = DATA.iloc[i]
    before = model.predict_proba(DATA.iloc[[i]])[0, 1]
    result = search.counterfactuals(person)
    assert result.score == pytest.approx(before)
    assert result.found == (len(result.table) > 0) == (result.reason is None)
    if not result.found:
        return
    after = model.predict_proba(result.rows)[:, 1]
    assert ((after >= 0.5) != (before >= 0.5)).all()
    assert result.table.groupby("change")["new_score"].first().to_numpy() == pytest.approx(after)
    assert (result.rows["age"] == person["age"]).all()
    assert (result.rows["visits"] >= person["visits"]).all()
    order = list(DATA["tier"].cat.categories)
    assert all(order.index(t) >= order.index(person["tier"]) for t in result.rows["tier"])
    for row in result.table.itertuples(index=False):
        if row.column == "visits":
            assert row.to <= 25
        if row.column == "spend":
            assert 10 <= row.to <= 300
        if row.column == "device":
            assert row.to in ("phone", "laptop")
    assert (result.table["distance"] <= result.bound + 1e-9).all()
    sets = [set(p["column"]) for _, p in result.table.groupby("change")]
    assert not any(a <= b for k, a in enumerate(sets) for b in sets[k + 1 :])


def test_smallest_on_a_linear_model():
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.normal(size=(4000, 3)), columns=list("abc")) * [1, 5, 20]
    weights = np.array([1.0, 0.5, 0.02])
    rules = {c: Actionability() for c in data}
    search = CounterfactualSearch(lambda X: X.to_numpy() @ weights, data, rules, threshold=1.0)
    mads = (data - data.median()).abs().median().to_numpy()
    for person in (np.zeros(3), np.array([0.3, -1.0, 4.0]), np.array([0.5, 1.5, -10.0])):
        result = search.counterfactuals(dict(zip("abc", person, strict=True)))
        need = abs(1.0 - person @ weights)
        closed_form = (need / (weights * mads)).min()
        assert result.table["total_cost"].iloc[0] == pytest.approx(closed_form, abs=0.002)
        assert result.table["total_cost"].iloc[0] >= closed_form - 1e-9


def test_diverse_sets_and_sentences(search, model):
    low = DATA[model.predict_proba(DATA)[:, 1] < 0.3]
    results = [search.counterfactuals(low.iloc[i]) for i in range(20)]
    most = max(results, key=lambda r: r.table["change"].nunique())
    sets = {tuple(p["column"]) for _, p in most.table.groupby("change")}
    assert len(sets) == most.table["change"].nunique() >= 2
    assert len(most.sentences()) == len(sets)
    assert str(most.table["to"].iloc[0])[:3] in most.sentences()[0]


def test_none_exists_says_why(model):
    rules = {"visits": Actionability(low=0, high=1)}
    search = CounterfactualSearch(model, DATA, rules, threshold=0.999999)
    result = search.counterfactuals(DATA.iloc[0])
    assert not result.found
    assert result.blocked_by == "threshold"
    assert "visits" in result.reason
    assert result.sentences() == [result.reason]
    fixed = CounterfactualSearch(model, DATA, {}, threshold=0.5).counterfactuals(DATA.iloc[0])
    assert fixed.blocked_by == "nothing actionable"


def test_a_point_no_real_row_is_near_is_refused():
    rng = np.random.default_rng(0)
    a = rng.normal(size=2000)
    data = pd.DataFrame({"a": a, "b": a + rng.normal(0, 0.05, 2000)})
    # only a high a with a low b passes: no one is like that
    rules = {"a": Actionability(), "b": Actionability(immutable=True)}
    search = CounterfactualSearch(lambda X: X["a"] - X["b"], data, rules, threshold=2.0)
    result = search.counterfactuals(data.iloc[int(np.abs(a).argmin())])
    assert result.blocked_by == "manifold"
    assert not result.refused["on_manifold"].any()
    assert (result.refused["distance"] > result.bound).all()
    # both together follow the data, so that is accepted
    both = CounterfactualSearch(
        lambda X: X["b"], data, {c: Actionability() for c in "ab"}, threshold=1.0
    )
    result = both.counterfactuals(data.iloc[int(np.abs(a).argmin())])
    assert set(result.table["column"]) == {"a", "b"}


def test_same_seed_same_result(model):
    pair = [
        CounterfactualSearch(model, DATA, RULES, threshold=0.5, seed=5).counterfactuals(
            DATA.iloc[4]
        )
        for _ in range(2)
    ]
    pd.testing.assert_frame_equal(pair[0].table, pair[1].table)


@pytest.mark.parametrize("kind", ["category", "str", "object"])
def test_categories_are_switched(kind):
    data = pd.DataFrame({"device": ["phone", "laptop"] * 20, "age": list(range(40))})
    data["device"] = data["device"].astype(kind)
    rules = {"device": Actionability(cost=2)}
    search = CounterfactualSearch(
        lambda X: (X["device"] == "laptop").to_numpy(), data, rules, threshold=1
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = search.counterfactuals(data.iloc[[10]]).table
    assert table[["from", "to", "total_cost"]].values.tolist() == [["phone", "laptop", 2.0]]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda s: Actionability(direction="up"), "direction"),
        (lambda s: Actionability(low=2, high=1), "low"),
        (lambda s: Actionability(cost=0), "cost"),
        (lambda s: s.counterfactuals({"age": 3}), "visits"),
        (lambda s: s.counterfactuals({**DATA.iloc[0], "device": "fridge"}), "fridge"),
        (lambda s: s.counterfactuals({**DATA.iloc[0], "age": "old"}), "age"),
        (lambda s: s.counterfactuals(DATA.iloc[0], n=0), "n is 0"),
        (lambda s: CounterfactualSearch(len, DATA, {"x": Actionability()}, threshold=1), "'x'"),
        (lambda s: CounterfactualSearch(len, DATA, {}, threshold="a"), "threshold"),
        (
            lambda s: CounterfactualSearch(
                len, DATA, {"device": Actionability(direction="increase")}, threshold=1
            ),
            "unordered",
        ),
    ],
)
def test_bad_input_is_one_sentence(search, call, words):
    with pytest.raises(ExplanationError) as caught:
        call(search)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
