"""Proxies: what reveals a protected column, and what deleting it does."""

import numpy as np
import pandas as pd
import pytest

from ethicalai_lab.errors import InputError
from ethicalai_lab.fairness import (
    dropping_effect,
    proxy_strength,
    roc_auc,
)

skm = pytest.importorskip("sklearn.metrics")


def table(seed, strength, n=1_500, levels=2):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, levels, n)
    reveals = rng.random(n) < strength
    postcode = np.where(reveals, group, rng.integers(0, levels, n)) * 10 + rng.integers(0, 10, n)
    return pd.DataFrame(
        {
            "group": np.array(list("ABCD"))[group],
            "postcode": postcode.astype(str),
            "age": rng.integers(18, 80, n),
            "noise": rng.normal(size=n),
        }
    )


def test_auc_equals_scikit_learns_and_its_interval_covers():
    hits = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        y = rng.random(200) < 0.3
        score = np.round(rng.normal(size=200) + y, 2)  # with ties
        interval = roc_auc(y, score)
        assert interval.value == pytest.approx(skm.roc_auc_score(y, score), abs=1e-12)
        hits += interval.low <= 0.7602 <= interval.high  # Phi(1 / sqrt(2))
    assert 0.91 <= hits / 300 <= 0.99


@pytest.mark.parametrize("levels", [2, 4])
def test_a_planted_proxy_is_found_at_its_strength(levels):
    report = proxy_strength(table(0, 0.6, 4_000, levels), "group")
    best = 0.6 + 0.4 / levels  # what the best possible guess reaches
    assert report.columns.index[0] == "postcode"
    assert report.balanced_accuracy.value == pytest.approx(best, abs=0.04)
    assert report.columns.loc["postcode", "lost_without"] > 0.2
    assert abs(report.columns.loc["noise", "lost_without"]) < 0.03
    assert report.reveals
    assert (report.auc["low"] > 0.5).all()


@pytest.mark.parametrize("model", ["logistic", "boosting"])
def test_nothing_is_found_where_nothing_is(model):
    runs = 20 if model == "logistic" else 6
    found = 0
    for seed in range(runs):
        report = proxy_strength(table(seed, 0.0, 400), "group", model=model, folds=3, seed=seed)
        found += report.reveals
        assert report.balanced_accuracy.value == pytest.approx(0.5, abs=0.11)
    assert found <= runs * 0.3


def test_a_rare_level_met_once_gives_nothing_away():
    """Unique values must not leak the answer of the row itself."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"group": rng.choice(["a", "b"], 800), "name": [f"person {i}" for i in range(800)]}
    )
    assert not proxy_strength(frame, "group").reveals


def test_boosting_finds_what_only_two_columns_together_reveal():
    rng = np.random.default_rng(1)
    x, z = rng.normal(size=(2, 3_000))
    frame = pd.DataFrame({"group": np.where(x * z > 0, "a", "b"), "x": x, "z": z})
    assert not proxy_strength(frame, "group", folds=3).balanced_accuracy.low > 0.6
    boosted = proxy_strength(frame, "group", model="boosting", folds=3)
    assert boosted.balanced_accuracy.low > 0.9


def test_the_worlds_postcode_reveals_the_group_as_its_knob_says():
    from ethicalai_lab.world import WorldConfig, make_world

    columns = ["postcode", "age", "device"]
    found = []
    for strength in (0.0, 0.9):
        world = make_world(3_000, seed=3, config=WorldConfig(proxy_strength=strength))
        report = proxy_strength(world.customers, "ethnic_group", columns=columns, folds=3)
        found.append(report)
    assert found[1].columns.index[0] == "postcode"
    assert found[1].reveals
    assert found[1].balanced_accuracy.low > found[0].balanced_accuracy.high


def test_deleting_the_column_leaves_the_gap_where_a_proxy_stays():
    rng = np.random.default_rng(0)
    n = 4_000
    group = rng.choice(["a", "b"], n)
    twin = np.where(rng.random(n) < 0.95, group, rng.choice(["a", "b"], n))
    x = rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(1 - x - 1.5 * (group == "a")))).astype(int)
    frame = pd.DataFrame({"group": group, "twin": twin, "x": x, "y": y})
    result = dropping_effect(frame, "group", "y", also_drop=["twin"])
    with_, without, neither = result["gap"]
    assert without > 0.7 * with_
    assert neither < 0.3 * with_
    assert (
        result.loc["without it and its proxies", "gap_high"] < result.loc["without it", "gap_low"]
    )
    # ranking gets worse by what was taken away
    assert result["auc"].iloc[2] < result["auc"].iloc[0]


def test_same_seed_same_numbers():
    one = proxy_strength(table(0, 0.5, 300), "group", folds=2, seed=4)
    two = proxy_strength(table(0, 0.5, 300), "group", folds=2, seed=4)
    pd.testing.assert_frame_equal(one.columns, two.columns, check_exact=True)
    assert one.balanced_accuracy == two.balanced_accuracy


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda t: proxy_strength(t, "race"), "'race'"),
        (lambda t: proxy_strength(t, "noise"), "2 to 20"),
        (lambda t: proxy_strength(t, "group", columns=["group"]), "both"),
        (lambda t: proxy_strength(t, "group", columns=[]), "empty"),
        (lambda t: proxy_strength(t, "group", folds=1), "folds"),
        (lambda t: proxy_strength(t, "group", model="forest"), "forest"),
        (lambda t: proxy_strength(t, "group", folds=50), "rarest"),
        (lambda t: dropping_effect(t, "group", "bought"), "'bought'"),
        (lambda t: dropping_effect(t.assign(y=1), "group", "y", also_drop=["z"]), "'z'"),
    ],
)
def test_bad_input_gets_one_clear_sentence(call, words):
    with pytest.raises(InputError, match=words) as error:
        call(table(0, 0.5, 60))
    assert "\n" not in str(error.value)
