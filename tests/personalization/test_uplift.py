"""Uplift learners: their formulas, their manners, and whether they find the truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from ethicalai_lab import personalization as room
from ethicalai_lab.errors import InputError
from ethicalai_lab.personalization.uplift import spread_folds

LEARNERS = {
    "T": room.TLearner(),
    "X": room.XLearner(),
    "class": room.ClassTransformation(),
    "T boosted": room.TLearner(
        HistGradientBoostingClassifier(max_iter=25, max_leaf_nodes=4, early_stopping=False)
    ),
    "X linear": room.XLearner(LinearRegression()),
    "class pipeline": room.ClassTransformation(
        make_pipeline(StandardScaler(), LogisticRegression())
    ),
}


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("share", [0.5, 0.25])
def test_learners_find_the_known_effect(study, name, share):
    s = study(10_000, seed=1, share=share)
    learner = clone(LEARNERS[name]).fit(s.X, s.y, s.t)
    fresh = study(4000, seed=2)
    uplift = learner.predict_uplift(fresh.X)
    assert uplift.shape == (4000,)
    assert np.corrcoef(uplift, fresh.effect)[0, 1] > 0.85
    assert np.mean(np.abs(uplift - fresh.effect)) < 0.06


@pytest.mark.parametrize("name", LEARNERS)
def test_learners_follow_scikit_learn(study, name):
    learner = LEARNERS[name]
    params = learner.get_params(deep=False)
    copy = clone(learner)
    assert type(copy) is type(learner)
    assert copy.get_params(deep=False).keys() == params.keys()
    copy.set_params(estimator=LogisticRegression(C=3.0))
    assert copy.get_params()["estimator__C"] == 3.0
    with pytest.raises(Exception, match="not fitted"):
        clone(learner).predict_uplift([[0.1, 0.2]])
    s = study(400, seed=3)
    fitted = clone(learner)
    assert fitted.fit(s.X, s.y, s.t) is fitted


def test_t_learner_is_the_difference_of_two_models(study):
    s = study(600, seed=4)
    base = LogisticRegression()
    one = base.fit(s.X[s.t == 1], s.y[s.t == 1]).predict_proba(s.X)[:, 1]
    none = clone(base).fit(s.X[s.t == 0], s.y[s.t == 0]).predict_proba(s.X)[:, 1]
    learner = room.TLearner(LogisticRegression()).fit(s.X, s.y, s.t)
    assert np.allclose(learner.predict_uplift(s.X), one - none)


def test_x_learner_follows_the_published_algorithm(study):
    s = study(600, seed=5, share=0.3)
    treated = s.t == 1
    m1 = LinearRegression().fit(s.X[treated], s.y[treated])
    m0 = LinearRegression().fit(s.X[~treated], s.y[~treated])
    d1 = s.y[treated] - m0.predict(s.X[treated])
    d0 = m1.predict(s.X[~treated]) - s.y[~treated]
    tau1 = LinearRegression().fit(s.X[treated], d1).predict(s.X)
    tau0 = LinearRegression().fit(s.X[~treated], d0).predict(s.X)
    learner = room.XLearner(LinearRegression()).fit(s.X, s.y, s.t)
    # Künzel et al. (2019), equation 9: g tau_0 + (1 - g) tau_1 with g the propensity.
    g = treated.mean()
    assert np.allclose(learner.predict_uplift(s.X), g * tau0 + (1 - g) * tau1)


def test_class_transformation_is_exact_on_cells():
    # Two groups; a tree learns each group's share exactly, so uplift is the raw lift.
    rng = np.random.default_rng(6)
    g = rng.integers(0, 2, 4000)
    t = (rng.random(4000) < 0.5).astype(int)
    y = (rng.random(4000) < 0.3 + 0.2 * g * t).astype(int)
    learner = room.ClassTransformation(DecisionTreeClassifier()).fit(g[:, None], y, t)
    for group in (0, 1):
        mine = g == group
        z = np.where(t == 1, y, 1 - y)[mine]
        weight = np.where(t == 1, 0.5 / t.mean(), 0.5 / (1 - t.mean()))[mine]
        expected = 2 * np.average(z, weights=weight) - 1
        assert learner.predict_uplift([[group]])[0] == pytest.approx(expected)


def test_amounts_take_regressors_and_refuse_classifiers(study):
    s = study(4000, seed=7)
    spend = 12.5 * s.y
    uplift = room.TLearner().fit(s.X, spend, s.t).predict_uplift(s.X)
    assert np.corrcoef(uplift, s.effect)[0, 1] > 0.85
    assert uplift.mean() == pytest.approx(12.5 * 0.1, abs=0.6)
    with pytest.raises(InputError, match="LogisticRegression is a classifier"):
        room.TLearner(LogisticRegression()).fit(s.X, spend, s.t)
    with pytest.raises(InputError, match="needs a 0/1 outcome"):
        room.ClassTransformation().fit(s.X, spend, s.t)
    with pytest.raises(InputError, match="needs a classifier"):
        room.ClassTransformation(LinearRegression()).fit(s.X, s.y, s.t)
    with pytest.raises(InputError, match="must be a regressor"):
        room.XLearner(effect_estimator=LogisticRegression()).fit(s.X, s.y, s.t)


def test_an_arm_without_variation_gives_a_constant(study):
    s = study(200, seed=8)
    y = s.y * s.t  # nobody of the control buys
    uplift = room.TLearner().fit(s.X, y, s.t).predict_uplift(s.X)
    assert ((uplift > 0) & (uplift < 1)).all()


# ------------------------------------------------------------------------- cross-fitting


def test_remembering_people_is_worth_nothing_out_of_fold():
    # Pure noise, and a learner that remembers each person: in sample it looks brilliant.
    rng = np.random.default_rng(9)
    X, t, y = rng.random((3000, 3)), rng.integers(0, 2, 3000), rng.integers(0, 2, 3000)
    learner = room.TLearner(DecisionTreeClassifier(random_state=0))
    flattered = learner.fit(X, y, t).predict_uplift(X)
    honest = room.cross_fit_uplift(learner, X, y, t)
    assert room.qini_auc_score(y, flattered, t) > 0.4
    assert abs(room.qini_auc_score(y, honest, t)) < 0.05


def test_nobody_is_scored_by_a_model_that_saw_them(study):
    s = study(300, seed=10)
    found = room.cross_fit_uplift(room.TLearner(), s.X, s.y, s.t, seed=3)
    folds = spread_folds(s.t, 5, 3, s.y)
    for fold in range(5):
        held = folds == fold
        others = room.TLearner().fit(s.X[~held], s.y[~held], s.t[~held])
        np.testing.assert_array_equal(found[held], others.predict_uplift(s.X[held]))


def test_folds_are_even_in_arm_and_outcome():
    rng = np.random.default_rng(11)
    arm, y = rng.integers(0, 3, 1000), rng.gamma(1, 10, 1000)
    folds = spread_folds(arm, 5, 0, y)
    assert np.bincount(folds).tolist() == [200] * 5
    for level in range(3):
        sizes = np.bincount(folds[arm == level], minlength=5)
        assert np.ptp(sizes) <= 2
    means = [y[folds == fold].mean() for fold in range(5)]
    by_chance = [y[rng.permutation(1000)[:200]].mean() for _ in range(200)]
    assert np.std(means) < np.std(by_chance) / 3


@pytest.mark.parametrize("unit", [1.0, 30.0])
def test_cross_fitted_noise_is_worth_nothing_at_the_nominal_rate(nominal, unit):
    # Rows of other folds share in each score: without the noise share, the intervals of
    # cross-fitted noise miss zero about three times too often.
    hits, naive = [], []
    for seed in range(110):
        rng = np.random.default_rng(seed)
        X, t = rng.random((800, 3)), rng.integers(0, 2, 800)
        y = unit * (rng.random(800) < 0.3)
        uplift, noise = room.cross_fit_uplift(
            room.TLearner(LinearRegression()), X, y, t, seed=seed, return_noise=True
        )
        for found, share in ((hits, noise), (naive, 0.0)):
            evaluation = room.evaluate_ranking(y, uplift, t, n_boot=200, points=3, noise=share)
            found.append(0 in evaluation.qini_coefficient)
    assert nominal(hits, slack=0.02), np.mean(hits)
    assert np.mean(naive) < np.mean(hits) - 0.03


def test_cross_fitted_rankings_cover_the_worlds_truth(nominal):
    from ethicalai_lab.world import make_world

    hits = []
    for seed in range(60):
        world = make_world(2000, seed=900 + seed)
        campaign, truth = world.campaign, world.truth.uplift
        X = campaign[["recency", "history", "sports", "fashion", "newbie"]].to_numpy(dtype=float)
        uplift, noise = room.cross_fit_uplift(
            room.TLearner(LinearRegression()),
            X,
            campaign["visit"],
            campaign["arm"],
            3,
            seed,
            control="no_mail",
            return_noise=True,
        )
        for arm in uplift:
            mine = campaign["arm"].isin([arm, "no_mail"]).to_numpy()
            found = room.evaluate_ranking(
                campaign["visit"][mine],
                uplift[arm][mine],
                campaign["arm"][mine] == arm,
                n_boot=200,
                points=3,
                noise=noise[arm],
            )
            order = np.argsort(-uplift[arm].to_numpy(), kind="stable")
            gain = np.cumsum(truth[f"visit_{arm}"].to_numpy()[order]) / 2000
            hits.append(gain.mean() - gain[-1] / 2 in found.qini_coefficient)
    assert nominal(hits, slack=0.02), np.mean(hits)


def test_noise_share_falls_with_signal(study):
    shares = []
    for n in (300, 3000, 20_000):
        s = study(n, seed=12)
        learner = room.TLearner(LinearRegression())
        shares.append(room.cross_fit_uplift(learner, s.X, s.y, s.t, return_noise=True)[1])
    assert 1 >= shares[0] > shares[1] > shares[2] > 0
    assert shares[2] < 0.05


def test_each_arm_is_compared_with_control(study):
    s = study(2000, seed=12)
    labels = np.where(s.t == 1, "mail", "none").astype(object)
    third = np.arange(2000) % 4 == 0
    labels[third] = "push"
    X = pd.DataFrame(s.X, columns=["x", "z"], index=np.arange(2000) + 70)
    both = room.cross_fit_uplift(room.TLearner(), X, s.y, labels, control="none")
    assert both.columns.tolist() == ["mail", "push"]
    assert both.index.equals(X.index)
    assert both.notna().all().all()
    assert np.corrcoef(both["mail"], s.effect)[0, 1] > 0.5


def test_same_seed_same_scores_even_for_estimators_left_open(study):
    s = study(400, seed=13)
    forest = room.TLearner(RandomForestClassifier(n_estimators=5))
    runs = [room.cross_fit_uplift(forest, s.X, s.y, s.t, cv=3, seed=k) for k in (1, 1, 2)]
    assert (runs[0] == runs[1]).all()
    assert (runs[0] != runs[2]).any()
    assert forest.estimator.random_state is None  # the caller's own object is left alone


def test_response_model_finds_buyers_not_the_persuadable(study):
    s = study(8000, seed=14)
    response = room.response_scores(None, s.X, s.y, s.t)
    uplift = room.cross_fit_uplift(room.TLearner(), s.X, s.y, s.t)
    assert np.corrcoef(response, s.p0)[0, 1] > 0.6
    assert np.corrcoef(response, s.effect)[0, 1] < np.corrcoef(uplift, s.effect)[0, 1] - 0.1
    blind = room.response_scores(None, s.X, s.y)
    assert np.corrcoef(blind, s.p0)[0, 1] > 0.8


# ------------------------------------------------------------------------------- the world


@pytest.mark.parametrize("arm", ["sports_mail", "fashion_mail"])
def test_in_the_world_uplift_beats_response_and_random_and_nothing_beats_the_best(arm):
    from ethicalai_lab.world import make_world

    world = make_world(30_000, seed=3)
    campaign, truth = world.campaign, world.truth.potential_outcomes
    X = campaign[["recency", "history", "sports", "fashion", "newbie", "channel"]]
    uplift = room.cross_fit_uplift(
        room.TLearner(), X, campaign["visit"], campaign["arm"], control="no_mail"
    )[arm]
    response = room.response_scores(None, X, campaign["visit"], campaign["arm"] != "no_mail")
    options = {"outcome": "visit", "arm": arm}
    worth = {
        name: room.true_value(rule, truth, **options).profit
        for name, rule in {
            "random": room.random_rule(30_000, 0.3),
            "response": room.target_top(response, 0.3),
            "uplift": room.target_top(uplift, 0.3),
            "best": room.target_top(world.truth.uplift[f"visit_{arm}"], 0.3),
        }.items()
    }
    assert worth["uplift"] > 1.08 * worth["random"]
    assert worth["best"] > worth["uplift"] > worth["response"]


# --------------------------------------------------------------------------------- features


def mixed_table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": [30, 40, 50, 60],
            "spend": [1.5, None, 900.0, 2.0],
            "member": [True, False, True, True],
            "joined": pd.to_datetime(["2024-01-01", None, "2024-01-03", "2024-01-04"]),
            "channel": ["web", None, "store", "web"],
            "tier": pd.Categorical(["gold", "none", None, "gold"]),
        }
    )


def test_features_of_every_kind_are_encoded():
    encoded = room.encode_features(mixed_table())
    assert encoded["joined"].tolist()[2:] == [19725.0, 19726.0]
    assert encoded.isna().sum().tolist() == [0, 1, 0, 1, 1, 1]
    encoder = room.FeatureEncoder().fit(mixed_table())
    numbers = encoder.transform(mixed_table())
    names = encoder.get_feature_names_out().tolist()
    assert names[3:5] == ["member", "joined"]
    assert numbers.shape == (4, len(names))
    assert np.isfinite(numbers).all()
    assert numbers[:, names.index("channel missing")].tolist() == [0, 1, 0, 0]
    assert numbers[:, names.index("channel=web")].tolist() == [1, 0, 0, 1]
    assert numbers[:, 0].mean() == pytest.approx(0)
    assert numbers[:, 0].std() == pytest.approx(1)
    unseen = mixed_table().assign(channel="fax", age=1e9)
    strange = encoder.transform(unseen)
    assert strange[:, [names.index("channel=web"), names.index("channel=store")]].sum() == 0
    assert strange[0, 0] == numbers[3, 0]  # beyond the oldest counts as the oldest


def test_many_levels_are_gathered_and_strange_columns_refused():
    table = pd.DataFrame({"street": [f"s{i}" for i in range(400)] + ["s0"] * 50})
    levels = room.encode_features(table)["street"].cat.categories
    assert len(levels) == 254
    assert "(other)" in levels
    with pytest.raises(InputError, match="feature column 'wave' has type complex128"):
        room.encode_features(pd.DataFrame({"wave": [1j, 2j]}))
    with pytest.raises(InputError, match="X has no column 'age'"):
        room.FeatureEncoder().fit(mixed_table()).transform(mixed_table().drop(columns="age"))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"t": [0, 1, 2, 0] * 5}, "treatment holds 2"),
        ({"t": [1] * 20}, "both treated"),
        ({"t": [1, 0]}, "treatment has 2 rows where y has 20"),
        ({"y": [1.0] * 19 + [np.nan]}, "y holds nan in row 19"),
        ({"y": [1]}, "y has 1 rows where X has 20"),
    ],
)
def test_bad_rows_are_one_sentence(change, text):
    rows = {"X": np.zeros((20, 1)), "y": [0, 1] * 10, "t": [0, 0, 1, 1] * 5} | change
    for call in (
        lambda: room.TLearner().fit(rows["X"], rows["y"], rows["t"]),
        lambda: room.cross_fit_uplift(room.TLearner(), rows["X"], rows["y"], rows["t"]),
    ):
        with pytest.raises(InputError, match=text):
            call()


def test_folds_need_enough_rows():
    X, y, t = np.zeros((8, 1)), [0, 1] * 4, [0] * 5 + [1] * 3
    with pytest.raises(InputError, match="arm 1 has 3 rows; 5 folds need at least 5"):
        room.cross_fit_uplift(room.TLearner(), X, y, t)
    with pytest.raises(InputError, match="cv is 1"):
        room.cross_fit_uplift(room.TLearner(), X, y, t, cv=1)
