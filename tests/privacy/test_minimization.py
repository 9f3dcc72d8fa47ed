"""Minimization: planted truths, peers on the same folds, honest confirmation, leaks."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.preprocessing import OneHotEncoder

from ethicalai_lab.privacy.errors import PrivacyError
from ethicalai_lab.privacy.minimization import (
    Prediction,
    Targeting,
    _Problem,
    compare_sets,
    find_leaks,
    minimize,
    set_value,
)


def table(n=2_000, seed=0, noise=3):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({f"noise{i}": rng.integers(0, 3, n) for i in range(noise)})
    frame["a"] = rng.integers(0, 2, n)
    frame["b"] = rng.choice(["x", "y", "z"], n)
    frame["copy"] = frame["a"]
    level = 0.15 + 0.35 * frame["a"] + 0.35 * (frame["b"] == "x")
    frame["y"] = (rng.random(n) < level).astype(int)
    return frame


def experiment(n=20_000, seed=0):
    """Only ``responsive`` people react to the message; ``buys`` foretells the outcome alone."""
    rng = np.random.default_rng(seed)
    responsive, buys = rng.integers(0, 2, (2, n))
    arm = rng.choice(["mail", "none"], n)
    chance = 0.1 + 0.4 * buys + 0.3 * responsive * (arm == "mail")
    frame = pd.DataFrame({"responsive": responsive, "buys": buys, "arm": arm})
    frame["noise"] = rng.integers(0, 4, n)
    frame["visit"] = (rng.random(n) < chance).astype(int)
    return frame


MAIL = Targeting("visit", "arm", "mail", "none", share=0.5)


def test_value_of_a_set_agrees_with_scikit_learn_on_the_same_folds():
    frame = table(800)
    columns = ["a", "b", "noise0"]
    problem = _Problem(frame, Prediction("y"), columns, 5, 3)
    x = OneHotEncoder(sparse_output=False).fit_transform(frame[columns])
    fitted = np.empty(len(frame))
    for f in range(5):
        here = problem.fold == f
        # scikit-learn leaves the intercept unpenalised by centring, as ours does
        model = Ridge(alpha=5.0).fit(x[~here], frame["y"][~here])
        fitted[here] = model.predict(x[here])
    total = problem.rows(columns).mean() - problem.rows([]).mean()
    base = np.empty(len(frame))
    for f in range(5):
        here = problem.fold == f
        base[here] = frame["y"][~here].mean()
    theirs = r2_score(frame["y"], fitted) - r2_score(frame["y"], base)
    assert total == pytest.approx(theirs, abs=1e-9)
    assert set_value(frame, Prediction("y"), columns, seed=3).value == pytest.approx(theirs)


@given(st.integers(0, 500), st.sets(st.sampled_from(["a", "b", "copy", "noise0", "noise1"])))
@settings(max_examples=30)
def test_the_fast_value_is_the_mean_of_the_rows(seed, columns):
    problem = _Problem(table(150, seed), Prediction("y"), None, 3, seed)
    assert problem.value(tuple(columns)) == pytest.approx(problem.rows(columns).mean(), abs=1e-9)


def test_the_minimal_set_is_found_and_confirmed():
    found = minimize(table(8_000), Prediction("y"), tolerance=0.1)
    assert found.method == "exhaustive"
    assert found.sets == 2**6
    assert set(found.minimal) in ({"a", "b"}, {"copy", "b"})
    assert found.verdict == "confirmed"
    assert found.loss.high <= found.allowed
    assert found.path["value"].max() == found.path.loc[found.path["within"], "value"].max()


def test_costs_choose_between_columns_that_say_the_same():
    frame = table(8_000)
    for dear, cheap in (("a", "copy"), ("copy", "a")):
        found = minimize(frame, Prediction("y"), tolerance=0.1, costs={dear: 5.0})
        assert set(found.minimal) == {cheap, "b"}


def test_beam_finds_what_trying_all_finds():
    frame = table(3_000, noise=9)  # 12 columns: tried one by one
    columns = [c for c in frame.columns if c != "y"]
    every = minimize(frame, Prediction("y"), columns, tolerance=0.1)
    wide = frame.assign(extra=np.random.default_rng(5).integers(0, 2, len(frame)))
    beam = minimize(wide, Prediction("y"), tolerance=0.1)
    assert (every.method, beam.method) == ("exhaustive", "beam")
    assert set(every.minimal) == set(beam.minimal)
    assert beam.sets < 2**13


def test_noise_alone_is_not_worth_a_column():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.integers(0, 3, (1_500, 5)), columns=list("vwxyz"))
    frame["out"] = rng.integers(0, 2, 1_500)
    found = minimize(frame, Prediction("out"))
    # what the search liked by luck is worth nothing on rows it did not see
    assert found.value.low <= 0
    assert len(found.minimal) <= 2


def test_what_the_search_found_by_luck_the_rows_kept_apart_take_back():
    searched, apart = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame(rng.integers(0, 3, (400, 8)), columns=list("stuvwxyz"))
        frame["out"] = rng.integers(0, 2, 400)
        found = minimize(frame, Prediction("out"), tolerance=0.0, held_out=0.5, seed=seed)
        searched.append(found.path["value"].max())
        apart.append(found.best_value.value)
    error = np.std(np.subtract(searched, apart), ddof=1) / np.sqrt(20)
    assert np.mean(searched) - np.mean(apart) > 3 * error
    assert np.mean(apart) < 0 < np.mean(searched)


def test_the_held_out_interval_covers_the_truth_after_selection():
    big, known, held = table(30_000, seed=99), {}, 0
    for seed in range(40):
        found = minimize(table(2_000, seed=seed), Prediction("y"), held_out=0.5, seed=seed)
        if found.minimal not in known:
            known[found.minimal] = set_value(big, Prediction("y"), found.minimal).value
        held += known[found.minimal] in found.value
    assert held >= 34


def test_targeting_values_what_moves_people_not_what_foretells_them():
    frame = experiment()
    moves = set_value(frame, MAIL, ["responsive"])
    foretells = set_value(frame, MAIL, ["buys"])
    # the half that responds gains .3 each; at random half of it would be reached
    assert 0.5 * 0.3 * 0.5 in moves
    assert 0 in foretells
    assert set_value(frame, Prediction("visit"), ["buys"]).low > 0.1
    assert minimize(frame, MAIL, tolerance=0.1).minimal == ("responsive",)


def test_targeting_without_columns_is_worth_nothing():
    problem = _Problem(experiment(2_000), MAIL, None, 4, 0)
    assert problem.rows([]) == pytest.approx(np.zeros(2_000), abs=1e-12)


def test_targeting_interval_covers_the_truth():
    held = 0
    for seed in range(80):
        held += 0.075 in set_value(experiment(3_000, seed), MAIL, ["responsive"], seed=seed)
    assert held >= 70


def test_bank_marketing_names_duration_and_only_it(shared_data):
    frame = pd.read_csv(shared_data / "bank_marketing.csv.gz", sep=";")
    leaks = find_leaks(frame, "y", positive="yes")
    assert leaks.loc[leaks["verdict"] != "", "column"].tolist() == ["duration"]
    without = find_leaks(frame.drop(columns="duration"), "y", positive="yes")
    assert (without["verdict"] == "").all()
    known = find_leaks(frame, "y", positive="yes", known_after=["duration", "campaign"])
    assert known.loc[known["verdict"] == "leak", "column"].tolist() == ["duration", "campaign"]


def test_the_campaigns_own_outcomes_are_found_as_leaks(small_world):
    frame = small_world.campaign.drop(columns=["customer_id", "arm"])
    leaks = find_leaks(frame, "visit").set_index("column")
    assert leaks.loc["spend", "verdict"] == "suspect" or leaks.loc["conversion", "certain_rows"] > 0
    assert (leaks.loc[["recency", "history", "sports", "fashion", "newbie"], "verdict"] == "").all()


def test_a_planted_leak_and_an_honest_strong_column():
    rng = np.random.default_rng(2)
    n = 4_000
    strong = rng.integers(0, 4, n)
    y = (rng.random(n) < 0.05 + 0.15 * strong).astype(int)
    other = rng.integers(0, 4, n)
    y = np.where(rng.random(n) < 0.15 * other, 1, y)
    frame = pd.DataFrame({"strong": strong, "other": other, "y": y})
    frame["refund"] = np.where(y == 1, rng.choice(["none", "full"], n), "none")
    leaks = find_leaks(frame, "y").set_index("column")
    assert leaks.loc["refund", "verdict"] == "suspect"
    assert leaks.loc["refund", "certain_rows"] == (frame["refund"] == "full").sum()
    assert leaks.loc["strong", "verdict"] == ""


def test_missing_values_dates_and_rare_levels_are_levels():
    rng = np.random.default_rng(3)
    n = 900
    shown = rng.random(n) < 0.5
    frame = pd.DataFrame(
        {
            "asked": np.where(shown, rng.normal(size=n), np.nan),
            "joined": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 700, n), "D"),
            "city": rng.integers(0, 300, n).astype(str),
            "y": shown.astype(int),
        }
    )
    assert set_value(frame, Prediction("y"), ["asked"]).low > 0.8
    assert 0 in set_value(frame, Prediction("y"), ["joined", "city"]) or (
        set_value(frame, Prediction("y"), ["joined", "city"]).high < 0
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_seed_gives_the_same_result(seed):
    frame = table(600)
    one, two = (minimize(frame, Prediction("y"), seed=seed) for _ in range(2))
    assert one.minimal == two.minimal
    assert one.loss == two.loss


def test_every_set_tried_is_no_better_than_the_best():
    frame = table(1_000)
    found = minimize(frame, Prediction("y"), ["a", "b", "noise0"], tolerance=0)
    order = np.random.default_rng(0).permutation(1_000)
    searched = _Problem(
        frame.iloc[np.sort(order[:600])], Prediction("y"), ["a", "b", "noise0"], 5, 0
    )
    values = {
        s: searched.value(s)
        for size in range(4)
        for s in itertools.combinations(["a", "b", "noise0"], size)
    }
    assert max(values, key=values.get) == found.best


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda t: set_value(t, Prediction("gone"), ["a"]), "gone"),
        (lambda t: set_value(t, Prediction("y"), ["gone"]), "gone"),
        (lambda t: set_value(t, Prediction("y"), ["y"]), "own"),
        (lambda t: set_value(t, Prediction("b"), ["a"]), "positive="),
        (lambda t: set_value(t.assign(y=1), Prediction("y"), ["a"]), "same in all"),
        (lambda t: set_value(t.assign(y=[None] * len(t)), Prediction("y"), ["a"]), "missing"),
        (lambda t: set_value(t, "y", ["a"]), "Targeting"),
        (lambda t: set_value(t, Targeting("y", "b", "x", "q"), ["a"]), "'q'"),
        (lambda t: set_value(t, Targeting("y", "b", "x", "y", share=1.0), ["a"]), "share"),
        (lambda t: set_value(t.head(9), Prediction("y"), ["a"]), "too few"),
        (lambda t: set_value(t, Prediction("y"), ["a"], n_folds=1), "n_folds"),
        (lambda t: minimize(t, Prediction("y"), tolerance=1), "tolerance"),
        (lambda t: minimize(t, Prediction("y"), held_out=0), "held_out"),
        (lambda t: minimize(t, Prediction("y"), costs={"gone": 1}), "gone"),
        (lambda t: minimize(t, Prediction("y"), costs={"a": 0}), "'a' costs 0"),
        (lambda t: minimize(t, Prediction("y"), beam=0), "beam"),
        (lambda t: find_leaks(t.assign(y=range(len(t))), "y"), "0/1"),
        (lambda t: find_leaks(t, "y", known_after=["gone"]), "gone"),
        (lambda t: find_leaks(t, "y", dominance=0), "dominance"),
        (lambda t: find_leaks(t.head(0), "y"), "no rows"),
    ],
)
def test_bad_input_is_named(call, word):
    with pytest.raises(PrivacyError, match=word):
        call(table(200))


def test_sets_compared_together_are_worth_what_each_is_alone():
    frame = table(1_000)
    sets = {"good": ["a", "b"], "none": [], "noise": ["noise0", "noise1"]}
    found = compare_sets(frame, Prediction("y"), sets)
    assert list(found.index) == ["good", "none", "noise"]
    assert found["columns"].tolist() == [2, 0, 2]
    for name, columns in sets.items():
        alone = set_value(frame, Prediction("y"), columns)
        np.testing.assert_allclose(found.loc[name, ["value", "low", "high"]], list(alone))
    assert found.loc["good", "low"] > found.loc["noise", "high"]


@pytest.mark.parametrize("sets", [{}, ["a"]])
def test_sets_to_compare_need_names(sets):
    with pytest.raises(PrivacyError, match="sets"):
        compare_sets(table(200), Prediction("y"), sets)
