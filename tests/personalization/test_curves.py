"""Uplift curves: by hand, against scikit-uplift, and against a known truth."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ethicalai_lab import personalization as room
from ethicalai_lab.errors import InputError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the peer's own deprecations
    from sklift import metrics as peer


def peers(call, *args, **kwargs):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return call(*args, **kwargs)
        except ZeroDivisionError:
            return np.nan


@st.composite
def experiments(draw):
    """Outcomes, scores (many ties) and arms; both outcomes and both arms occur."""
    n = draw(st.integers(4, 40))
    bits = st.lists(st.integers(0, 1), min_size=n, max_size=n)
    y, t = np.array(draw(bits)), np.array(draw(bits))
    kind = st.integers(0, 4) if draw(st.booleans()) else st.floats(-1, 1)
    u = np.array(draw(st.lists(kind, min_size=n, max_size=n)), dtype=float)
    assume(0 < y.sum() < n)
    assume(0 < t.sum() < n)
    return y, u, t


# --------------------------------------------------------------- worked by hand


def test_curves_on_a_vector_worked_by_hand():
    # Rank: treated buyer; control other; (tie) treated other and control buyer; treated buyer.
    y = [1, 0, 0, 1, 1]
    u = [5, 4, 3, 3, 1]
    t = [1, 0, 1, 0, 1]
    n, qini = room.qini_curve(y, u, t)
    assert n.tolist() == [0, 1, 2, 4, 5]
    # Y_t - Y_c N_t/N_c:   1;   1 - 0;   1 - 1*2/2;   2 - 1*3/2
    assert qini.tolist() == [0, 1, 1, 0, 0.5]
    n, uplift = room.uplift_curve(y, u, t)
    # (Y_t/N_t - Y_c/N_c) n:  1;  2;  (1/2 - 1/2)*4;  (2/3 - 1/2)*5
    assert uplift.tolist() == pytest.approx([0, 1, 2, 0, 5 / 6])
    # Area .5 + 1 + 1 + .25, less the triangle 5 * .5 / 2; per 3 treated and 5 people.
    assert room.qini_coefficient(y, u, t) == pytest.approx((2.75 - 1.25) / 15)
    # Perfect order: 2 treated buyers, 2 others, 1 control buyer: values 2, 2, .5.
    assert room.qini_auc_score(y, u, t) == pytest.approx(1.5 / (2 + 4 + 1.25 - 1.25))
    assert room.uplift_at_k(y, u, t, k=0.4) == 1.0


def test_amounts_are_welcome_where_no_perfect_curve_is_needed():
    y, u, t = [10.0, 0.0, 2.5, 0.0], [4, 3, 2, 1], [1, 0, 0, 1]
    assert room.qini_curve(y, u, t)[1].tolist() == [0, 10, 10, 8.75, 7.5]
    assert room.qini_coefficient(y, u, t) == pytest.approx((32.5 - 15) / 8)
    with pytest.raises(InputError, match="qini_coefficient"):
        room.qini_auc_score(y, u, t)


# -------------------------------------------------------- equality with the peer


@settings(max_examples=300)
@given(experiments())
def test_curves_and_areas_equal_scikit_uplift(data):
    for ours, theirs in [
        (room.qini_curve(*data), peers(peer.qini_curve, *data)),
        (room.uplift_curve(*data), peers(peer.uplift_curve, *data)),
    ]:
        assert np.array_equal(ours[0], theirs[0])
        assert np.allclose(ours[1], theirs[1], rtol=1e-12, atol=1e-12)
    y, _, t = data
    for ours, theirs, best in [
        (room.qini_auc_score, peer.qini_auc_score, peer.perfect_qini_curve),
        (room.uplift_auc_score, peer.uplift_auc_score, peer.perfect_uplift_curve),
    ]:
        found = ours(*data)
        if np.isnan(found):
            # Undefined only where the best order itself does not rise above random.
            x, v = peers(best, y, t)
            assert np.sum(np.diff(x) * (v[1:] + v[:-1])) - x[-1] * v[-1] < 1e-9
        else:
            assert found == pytest.approx(peers(theirs, *data), rel=1e-9, abs=1e-9)


@settings(max_examples=150)
@given(experiments(), st.floats(0.05, 0.95))
def test_uplift_at_k_equals_scikit_uplift(data, k):
    theirs = peers(peer.uplift_at_k, *data, "overall", k)
    assert room.uplift_at_k(*data, k) == pytest.approx(theirs, nan_ok=True)


# --------------------------------------------------------------------- properties


@given(experiments())
def test_curves_end_at_the_overall_effect(data):
    y, _, t = data
    lift = y[t == 1].mean() - y[t == 0].mean()
    assert room.qini_curve(*data)[1][-1] == pytest.approx(lift * t.sum())
    assert room.uplift_curve(*data)[1][-1] == pytest.approx(lift * t.size)


@given(experiments())
def test_only_the_order_of_scores_matters(data):
    y, u, t = data
    rank = np.unique(u, return_inverse=True)[1]  # integers: no ties are made or lost
    for scores in (rank, np.exp(rank), 5.0 * rank**3 - 2):
        assert np.array_equal(room.qini_curve(y, rank, t)[1], room.qini_curve(y, scores, t)[1])
        assert room.qini_coefficient(y, u, t) == room.qini_coefficient(y, scores, t)


@given(experiments(), st.randoms(use_true_random=False))
def test_row_order_does_not_matter(data, random):
    order = list(range(data[0].size))
    random.shuffle(order)
    shuffled = [x[order] for x in data]
    for curve in (room.qini_curve, room.uplift_curve):
        for a, b in zip(curve(*data), curve(*shuffled), strict=True):
            assert np.allclose(a, b)


@given(experiments())
def test_no_score_beats_the_perfect_one(data):
    found = room.qini_auc_score(*data)
    assert np.isnan(found) or found <= 1 + 1e-9


@given(experiments())
def test_one_score_for_all_is_the_random_line(data):
    y, _, t = data
    assert room.qini_coefficient(y, np.zeros(y.size), t) == pytest.approx(0, abs=1e-12)


# ----------------------------------------------------------------------- intervals


def test_shuffled_scores_are_worth_nothing(study):
    s = study(20_000, seed=1)
    shuffled = np.random.default_rng(2).permutation(s.x)
    found = room.evaluate_ranking(s.y, shuffled, s.t, n_boot=400)
    assert 0 in found.qini_coefficient
    assert 0 in found.qini_auc
    assert 0 in found.uplift_auc
    assert found.lift.value in found.uplift_at_k
    real = room.evaluate_ranking(s.y, s.x, s.t, n_boot=400)
    assert real.qini_coefficient.low > 0.015
    assert real.qini_auc.low > 0.05


def test_point_values_are_the_exact_scores(study):
    s = study(3000, seed=3)
    found = room.evaluate_ranking(s.y, s.x, s.t, n_boot=50)
    data = (s.y, s.x, s.t)
    assert found.qini_auc.value == room.qini_auc_score(*data)
    assert found.uplift_auc.value == room.uplift_auc_score(*data)
    assert found.qini_coefficient.value == room.qini_coefficient(*data)
    assert found.uplift_at_k.value == room.uplift_at_k(*data)
    n, value = room.qini_curve(*data)
    assert np.allclose(
        found.curve["qini"], np.interp(found.curve["share"] * 3000, n, value) / s.t.sum()
    )
    assert found.curve["qini"].iloc[-1] == pytest.approx(found.lift.value)
    for name in ("qini", "uplift"):
        assert (found.curve[f"{name}_low"] <= found.curve[name]).all()
        assert (found.curve[name] <= found.curve[f"{name}_high"]).all()


def test_counted_replicates_spread_like_the_row_bootstrap(study):
    s = study(1500, seed=4)
    u = np.round(s.x, 2)  # 101 scores: the steps lose nothing
    counted = room.evaluate_ranking(s.y, u, s.t, n_boot=1500)
    # The same outcome in another unit takes the path that draws rows.
    drawn = room.evaluate_ranking(2.0 * s.y, u, s.t, n_boot=1500)
    a, b = counted.qini_coefficient, drawn.qini_coefficient
    assert b.value == pytest.approx(2 * a.value)
    assert b.width == pytest.approx(2 * a.width, rel=0.1)
    rng = np.random.default_rng(5)
    replicates = []
    for _ in range(600):
        arms = [rng.choice(np.flatnonzero(s.t == arm), (s.t == arm).sum()) for arm in (0, 1)]
        rows = np.concatenate(arms)
        replicates.append(room.qini_auc_score(s.y[rows], u[rows], s.t[rows]))
    low, high = np.quantile(replicates, [0.025, 0.975])
    assert counted.qini_auc.width == pytest.approx(high - low, rel=0.12)


@pytest.mark.parametrize(("share", "unit"), [(0.5, 1.0), (0.2, 25.0)])
def test_intervals_cover_the_truth_at_their_nominal_rate(study, nominal, share, unit):
    # The score is x itself: among the top k, x is uniform above 1 - k, so the mean effect
    # is .4 (1 - k/2) - .1 and the gain k times that.
    def gain(k):
        return k * (0.4 * (1 - k / 2) - 0.1)

    grid = np.linspace(0, 1, 100_001)
    coefficient = np.mean(gain(grid)) - gain(1.0) / 2
    huge = study(1_000_000, seed=99, share=share)
    auc = room.qini_auc_score(huge.y, huge.x, huge.t)
    hits = {"coefficient": [], "auc": [], "at_k": [], "qini": [], "uplift": [], "lift": []}
    for seed in range(250):
        s = study(1500, seed=1000 + seed, share=share)
        found = room.evaluate_ranking(unit * s.y, s.x, s.t, n_boot=300, seed=seed, points=11)
        row = found.curve.iloc[4]
        hits["lift"].append(unit * gain(1.0) in found.lift)
        hits["coefficient"].append(unit * coefficient in found.qini_coefficient)
        hits["at_k"].append(unit * gain(0.3) / 0.3 in found.uplift_at_k)
        hits["qini"].append(row["qini_low"] <= unit * gain(0.4) <= row["qini_high"])
        hits["uplift"].append(row["uplift_low"] <= unit * gain(0.4) <= row["uplift_high"])
        if unit == 1:
            hits["auc"].append(auc in found.qini_auc)
    for name, hit in hits.items():
        if hit:
            assert nominal(hit), (name, np.mean(hit))


def test_same_seed_same_intervals_and_json(study):
    s = study(800, seed=6)
    first, again, other = (
        room.evaluate_ranking(s.y, s.x, s.t, n_boot=60, seed=seed).to_dict() for seed in (1, 1, 2)
    )
    text = json.dumps(first, allow_nan=False)
    assert text == json.dumps(again, allow_nan=False)
    assert first["qini_auc"] != other["qini_auc"]
    amounts = room.evaluate_ranking(s.y * 9.5, s.x, s.t, n_boot=60)
    assert json.loads(json.dumps(amounts.to_dict(), allow_nan=False))["qini_auc"]["value"] is None
    assert "<table" in amounts._repr_html_()


# -------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("y", "u", "t", "text"),
    [
        ([1, 0], [1, 2, 3], [1, 0], "uplift has 3 rows where y_true has 2"),
        ([1, 0], [1, np.nan], [1, 0], "uplift holds nan in row 1"),
        ([1, 0], [1, 2], [1, 2], "treatment holds 2 in row 1"),
        ([1, 0], [1, 2], [1, 1], "both treated"),
        (["a", "b"], [1, 2], [1, 0], "y_true holds what is no number"),
    ],
)
def test_bad_rows_are_one_sentence(y, u, t, text):
    for call in (room.qini_curve, room.uplift_curve, room.evaluate_ranking, room.qini_auc_score):
        with pytest.raises(InputError, match=text):
            call(y, u, t)


def test_a_bad_k_is_one_sentence():
    data = ([1, 0, 1, 0], [1, 2, 3, 4], [1, 0, 1, 0])
    for k in (0.0, 1.0, 0, 4, -1):
        with pytest.raises(InputError, match="a number above 0 and below 1"):
            room.uplift_at_k(*data, k=k)
    with pytest.raises(InputError, match=r"k is 1\.5"):
        room.evaluate_ranking(*data, k=1.5)
