"""The bill: values come from the truth, and protection is paid for."""

import numpy as np
import pytest

from ethicalai_lab import make_world
from ethicalai_lab.privacy import PrivacyError, bill


@pytest.fixture(scope="module")
def world():
    return make_world(6_000, seed=11)


def test_rule_value_is_the_truths(world):
    table = bill.campaign_table(world)
    truth = world.truth.potential_outcomes.set_index("customer_id").loc[table.index]
    prices = bill.Prices(visit=2.0, mail=0.1, unsubscribe=3.0)
    everyone = bill.rule_value(world, table.index, ["sports_mail"] * len(table), prices)
    want = (
        2.0 * (truth["p_visit_sports_mail"] - truth["p_visit_no_mail"])
        - 0.1
        - 3.0 * truth["p_unsubscribe_sports_mail"]
    ).mean()
    assert everyone == pytest.approx(want)
    assert bill.rule_value(world, table.index, ["no_mail"] * len(table)) == 0.0


def test_rule_value_follows_people_not_positions(world):
    people = bill.campaign_table(world).index[:50]
    chosen = np.where(np.arange(50) % 2, "sports_mail", "fashion_mail")
    order = np.random.default_rng(0).permutation(50)
    assert bill.rule_value(world, people[order], chosen[order]) == pytest.approx(
        bill.rule_value(world, people, chosen)
    )


def test_frontier_trades_risk_for_value(world):
    table = bill.frontier(world, ks=[2, 20], epsilons=[0.01, 5.0], repeats=4).set_index(
        ["defence", "parameter"]
    )
    raw = table.loc["raw"].iloc[0]
    assert raw["risk"] > 0.9
    assert raw["kept"] == 1.0
    assert raw["value"] > 0
    k2, k20 = table.loc[("k", 2.0)], table.loc[("k", 20.0)]
    assert raw["risk"] > k2["risk"] > k20["risk"]
    assert k2["ncp"] < k20["ncp"]
    assert k20["risk"] < 1 / 20 + 0.03
    small, large = table.loc[("epsilon", 0.01)], table.loc[("epsilon", 5.0)]
    assert small["risk"] < large["risk"]
    assert small["value"] < large["value"]
    assert (table["value_low"] <= table["value"]).all()
    assert (table["value"] <= table["value_high"]).all()


def test_frontier_is_reproducible(world):
    one = bill.frontier(world, ks=[5], epsilons=[1.0], repeats=2, seed=3)
    two = bill.frontier(world, ks=[5], epsilons=[1.0], repeats=2, seed=3)
    assert one.equals(two)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda w: bill.frontier(w, repeats=1), "repeats is 1"),
        (lambda w: bill.frontier(w, quasi_identifiers=["nope"]), "'nope'"),
        (lambda w: bill.rule_value(w, w.campaign["customer_id"].iloc[:2], ["no_mail"]), "one each"),
        (lambda w: bill.rule_value(w, w.campaign["customer_id"].iloc[:1], ["fax"]), "'fax'"),
    ],
)
def test_refusals(world, call, word):
    with pytest.raises(PrivacyError, match=word):
        call(world)
