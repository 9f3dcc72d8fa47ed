"""The mail experiment of the world against Hillstrom's published figures."""

import numpy as np
import pandas as pd
import pytest

from ethicalai_lab.world import ARMS, WorldConfig, make_world

# arm -> mean and standard error of visit, conversion and spend at 64,000 customers,
# computed from the public table (see test_published_figures)
PUBLISHED = {
    "no_mail": ((0.106167, 0.002110), (0.005726, 0.000517), (0.652789, 0.079390)),
    "sports_mail": ((0.182757, 0.002648), (0.012531, 0.000762), (1.422617, 0.121630)),
    "fashion_mail": ((0.151400, 0.002451), (0.008837, 0.000640), (1.077202, 0.103363)),
}
OUTCOMES = ("visit", "conversion", "spend")
HILLSTROM = {"no_mail": "No E-Mail", "sports_mail": "Mens E-Mail", "fashion_mail": "Womens E-Mail"}
SEEDS = range(100, 108)


@pytest.fixture(scope="module")
def seen():
    """Observed means of eight worlds: array (seed, arm, outcome)."""
    means = []
    for seed in SEEDS:
        table = make_world(64_000, seed=seed).campaign
        by_arm = table.groupby("arm", observed=True)[list(OUTCOMES)].mean()
        means.append(by_arm.loc[list(ARMS)].to_numpy())
    return np.array(means)


def test_published_figures(shared_data):
    """The constants above are those of the public table itself."""
    table = pd.read_csv(shared_data / "hillstrom.csv.gz")
    for arm, figures in PUBLISHED.items():
        rows = table[table["segment"] == HILLSTROM[arm]]
        for outcome, (mean, error) in zip(OUTCOMES, figures, strict=True):
            assert rows[outcome].mean() == pytest.approx(mean, abs=1e-6)
            assert rows[outcome].sem() == pytest.approx(error, abs=1e-5)


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("arm", ARMS)
def test_observed_means_agree_within_their_errors(seen, arm, number):
    mean, error = PUBLISHED[arm][number]
    z = (seen[:, ARMS.index(arm), number] - mean) / error
    # eight worlds: their mean misses by less than 3 errors of a mean of eight, and a
    # single world rarely by more than two and never by four
    assert abs(z.mean()) < 3 / np.sqrt(len(z))
    assert np.abs(z).max() < 4
    assert (np.abs(z) > 2).sum() <= 2


def test_spread_over_worlds_is_that_of_the_sampling_error(seen):
    errors = np.array([[error for _, error in PUBLISHED[arm]] for arm in ARMS])
    ratio = seen.std(axis=0, ddof=1) / errors
    # 9 standard deviations from 8 worlds each: their root mean square is close to 1
    assert 0.6 < np.sqrt((ratio**2).mean()) < 1.4


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("heterogeneity", [0.0, 0.5, 1.0])
def test_expected_values_are_the_published_ones(seed, heterogeneity):
    config = WorldConfig(effect_heterogeneity=heterogeneity)
    truth = make_world(20_000, seed=seed, config=config).truth.potential_outcomes
    for arm, figures in PUBLISHED.items():
        names = (f"p_visit_{arm}", f"p_conversion_{arm}", f"expected_spend_{arm}")
        for name, (mean, error) in zip(names, figures, strict=True):
            assert truth[name].mean() == pytest.approx(mean, abs=0.02 * error), name


def test_conversion_needs_a_visit_and_spend_a_conversion(big_world):
    table = big_world.campaign
    assert not ((table["conversion"] == 1) & (table["visit"] == 0)).any()
    assert ((table["spend"] > 0) == (table["conversion"] == 1)).all()
    truth = big_world.truth.potential_outcomes
    for arm in ARMS:
        assert (truth[f"p_conversion_{arm}"] <= truth[f"p_visit_{arm}"] + 1e-6).all()
        assert truth[f"p_visit_{arm}"].between(0, 1).all()
        assert (truth[f"expected_spend_{arm}"] >= 0).all()
        assert ((truth[f"spend_{arm}"] > 0) == (truth[f"conversion_{arm}"] == 1)).all()


def test_spend_is_long_tailed_as_published(big_world):
    spend = big_world.campaign["spend"]
    basket = spend[spend > 0]
    # the published baskets: mean 116, standard deviation 108
    assert 95 < basket.mean() < 140
    assert 75 < basket.std() < 170
    assert basket.max() > 4 * basket.mean()
    assert basket.skew() > 1


def test_lifts_of_the_fashion_mail_by_earlier_purchase(big_world):
    past = big_world.campaign
    lift = big_world.truth.uplift["visit_fashion_mail"]
    fashion_only = lift[(past["fashion"] == 1) & (past["sports"] == 0)].mean()
    sports_only = lift[(past["fashion"] == 0) & (past["sports"] == 1)].mean()
    assert fashion_only == pytest.approx(0.0740, abs=0.003)
    assert sports_only == pytest.approx(0.0111, abs=0.002)


def test_some_are_put_off_and_unsubscribing_is_caused_by_mail(big_world):
    truth, table = big_world.truth, big_world.campaign
    for arm in ARMS[1:]:
        disturbed = (truth.uplift[f"visit_{arm}"] < -0.005).mean()
        assert 0.01 < disturbed < 0.15
        assert (truth.uplift[f"visit_{arm}"] > 0.15).mean() > 0.01
        assert 0.002 < truth.potential_outcomes[f"p_unsubscribe_{arm}"].mean() < 0.02
    assert table.loc[table["arm"] == "no_mail", "unsubscribed"].sum() == 0
    assert table.loc[table["arm"] != "no_mail", "unsubscribed"].sum() > 50


def test_uplift_is_not_response(big_world):
    truth = big_world.truth
    response = truth.potential_outcomes["p_visit_no_mail"]
    together = np.corrcoef(response, truth.uplift["visit_sports_mail"])[0, 1]
    assert -0.4 < together < 0.1
    # half the budget: ranking by uplift gains clearly more than ranking by response
    lift = truth.uplift["visit_sports_mail"].to_numpy()
    half = len(lift) // 2
    by_lift = np.sort(lift)[-half:].sum()
    by_response = lift[np.argsort(response.to_numpy())[-half:]].sum()
    assert by_lift > 1.3 * by_response


def test_no_heterogeneity_gives_everyone_the_same_effect():
    world = make_world(5_000, seed=4, config=WorldConfig(effect_heterogeneity=0))
    uplift = world.truth.uplift.drop(columns="customer_id")
    assert (uplift.max() - uplift.min()).max() < 2e-6


def test_arms_are_thirds_by_lot(big_world):
    table = big_world.campaign
    counts = table["arm"].value_counts()
    assert counts.max() - counts.min() <= 1
    # by lot: no earlier feature differs between the arms beyond chance
    for feature in ("recency", "history", "sports", "fashion", "newbie"):
        groups = [table.loc[table["arm"] == arm, feature] for arm in ARMS]
        for one in range(3):
            a, b = groups[one], groups[(one + 1) % 3]
            error = np.sqrt(a.var() / len(a) + b.var() / len(b))
            assert abs(a.mean() - b.mean()) < 4 * error, feature


def test_observed_outcomes_are_the_potential_ones_of_the_arm(big_world):
    table, truth = big_world.campaign, big_world.truth.potential_outcomes
    for arm in ARMS:
        rows = (table["arm"] == arm).to_numpy()
        for outcome in (*OUTCOMES, "unsubscribed"):
            assert (table.loc[rows, outcome] == truth.loc[rows, f"{outcome}_{arm}"]).all()
