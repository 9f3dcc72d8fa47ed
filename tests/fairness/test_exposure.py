"""Delivery, prices, contacts, offers and steering: known skews are found, none is invented."""

import math

import numpy as np
import pandas as pd
import pytest

from ethicalai_lab.errors import InputError
from ethicalai_lab.fairness import (
    delivery_skew,
    left_out,
    over_contact,
    price_disparity,
    simulate_delivery,
    steering,
)


def test_a_neutral_auction_shows_the_offer_less_to_the_group_that_costs_more():
    """Lambrecht and Tucker's pattern: same relevance, same clicks, less exposure."""
    group = np.tile(["men", "women"], 10_000)
    people = simulate_delivery(group, {"men": 1.0, "women": 1.4}, bid=1.0, seed=1)
    rng = np.random.default_rng(2)
    clicked = people["shown"] & (rng.random(len(group)) < 0.02)
    table = delivery_skew(people["shown"], people["group"], cost=people["cost"], clicked=clicked)
    assert table.loc["women", "mean_cost"] > table.loc["men", "mean_cost"]
    assert table.loc["women", "difference_high"] < 0
    assert table.loc["women", "click_rate"] == pytest.approx(
        table.loc["men", "click_rate"], abs=0.01
    )
    # P(win) = Phi(log(bid / median) / spread)
    expected = 0.5 * math.erfc(math.log(1.4) / 0.5 / math.sqrt(2))
    assert table.loc["women", "low"] < expected < table.loc["women", "high"]
    assert table["shown_share"].sum() == pytest.approx(1)
    assert table["share_difference"].sum() == pytest.approx(0)


def test_equal_prices_give_no_skew_and_the_budget_holds():
    group = np.tile(["a", "b"], 4_000)
    free = simulate_delivery(group, {"a": 1.0, "b": 1.0}, bid=1.0, seed=3)
    tight = simulate_delivery(group, {"a": 1.0, "b": 1.0}, bid=1.0, budget=500, seed=3)
    assert delivery_skew(free["shown"], group)["p_value"].min() > 0.01
    spent = (tight["cost"] * tight["shown"]).sum()
    assert 495 < spent <= 500
    assert (free["shown"] >= tight["shown"]).all()
    assert simulate_delivery(group, {"a": 1, "b": 1}, bid=1, seed=3)["shown"].equals(free["shown"])


def test_price_gap_vanishes_within_products_when_only_the_baskets_differ():
    rng = np.random.default_rng(0)
    n = 6_000
    group = rng.choice(["a", "b"], n)
    dear = rng.random(n) < np.where(group == "a", 0.7, 0.3)
    price = np.where(dear, 50.0, 20.0) + rng.normal(0, 2, n)
    table = price_disparity(price, group, control=dear)
    assert table.loc["a", "low"] > 10
    assert table.loc["a", "adjusted_low"] < 0 < table.loc["a", "adjusted_high"]
    surcharge = price_disparity(price + 1.5 * (group == "b"), group, control=dear)
    assert surcharge.loc["b", "adjusted_low"] < 1.5 < surcharge.loc["b", "adjusted_high"]
    assert surcharge.loc["b", "compared"] == 1


def test_adjusted_price_interval_covers_the_truth():
    hits = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        group, product = rng.choice(["a", "b"], 300), rng.integers(0, 5, 300)
        price = 10.0 * product + rng.normal(0, 3, 300) + 0.5 * (group == "b")
        row = price_disparity(price, group, control=product).loc["b"]
        hits += row["adjusted_low"] <= 0.5 <= row["adjusted_high"]
    assert 0.90 <= hits / 200 <= 0.99


def test_over_contact_counts_people_above_the_cap():
    contacts = [0, 3, 4, 9, 3, 3, 0, 4]
    table = over_contact(contacts, list("aaaabbbb"), cap=3)
    assert table["over_cap"].to_dict() == {"a": 0.5, "b": 0.25}
    assert table["mean_contacts"].to_dict() == {"a": 4.0, "b": 2.5}
    assert (table["low"] <= table["over_cap"]).all()
    assert table.loc["a", "difference"] == -table.loc["b", "difference"]


def test_left_out_looks_only_at_those_whom_the_offer_would_help():
    received = [1, 0, 0, 1, 0, 0, 0, 0]
    helps = [1, 1, 0, 0, 1, 1, 1, 0]
    table = left_out(received, helps, list("aaaabbbb"))
    assert table["would_benefit"].to_dict() == {"a": 2, "b": 3}
    assert table["left_out"].to_dict() == {"a": 0.5, "b": 1.0}
    none = left_out([1, 0, 1], [1, 1, 0], list("aab"))
    assert math.isnan(none.loc["b", "left_out"])


def test_left_out_on_the_world_uses_the_true_uplift(small_world):
    helps = small_world.truth.uplift["visit_sports_mail"] > 0.05
    received = small_world.campaign["arm"] == "sports_mail"
    table = left_out(received, helps, small_world.customers["gender"])
    # the campaign was randomised in thirds: about two thirds are left out, of each group
    assert table["p_adjusted"].min() > 0.01
    everyone = np.average(table["left_out"], weights=table["would_benefit"])
    assert everyone == pytest.approx(2 / 3, abs=0.05)


def test_steering_is_found_and_excused_only_by_a_real_reason():
    rng = np.random.default_rng(0)
    n = 8_000
    stress = rng.random(n)
    need = rng.random(n) < 0.2 + 0.6 * stress
    excused = rng.random(n) < np.where(need, 0.5, 0.1)  # exposure follows need only
    table, measures = steering(excused, stress, control=need)
    assert measures["top_minus_bottom"].low > 0
    assert 0 in measures["adjusted"]
    steered = rng.random(n) < np.where(need, 0.4, 0.1) + 0.2 * stress
    _, measures = steering(steered, stress, control=need)
    assert measures["adjusted"].low > 0
    assert measures["concentration"].low > 0
    assert table["n"].sum() == n
    assert table["from"].is_monotonic_increasing


def test_no_steering_is_found_where_there_is_none_more_often_than_stated():
    alarms = unlike = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        _, measures = steering(rng.random(500) < 0.3, rng.random(500))
        alarms += 0 not in measures["top_minus_bottom"]
        unlike += 0 not in measures["concentration"]
    assert max(alarms, unlike) / 200 <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 200)


def test_few_who_were_exposed_prove_no_steering_and_none_no_absence_of_it():
    control = np.arange(200) % 2
    held = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        exposed = np.zeros(200, dtype=int)
        exposed[rng.choice(200, 4, replace=False)] = 1
        held += 0 in steering(exposed, rng.random(200))[1]["concentration"]
    assert held / 200 >= 0.9  # drawing rows again holds it 78 times in 100
    _, nobody = steering(np.zeros(200, dtype=int), np.arange(200), control=control)
    assert nobody["adjusted"].low < -0.05 < 0.05 < nobody["adjusted"].high
    assert not nobody["concentration"].is_defined
    _, alike = steering(np.arange(200) < 3, np.arange(200))
    assert -0.81 < alike["concentration"].low <= alike["concentration"].value < -0.79
    assert alike["concentration"].high > 0


def test_mantel_haenszel_equals_the_plain_difference_in_one_stratum():
    rng = np.random.default_rng(1)
    stress, exposed = rng.random(1_000), rng.random(1_000) < 0.3
    _, measures = steering(exposed, stress, control=np.zeros(1_000, dtype=int), bands=2)
    assert measures["adjusted"].value == pytest.approx(measures["top_minus_bottom"].value)
    assert measures["adjusted"].low == pytest.approx(measures["top_minus_bottom"].low)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: delivery_skew([1, 0], ["a", "a"]), "two groups"),
        (lambda: delivery_skew([1, 3], ["a", "b"]), "shown holds 3"),
        (lambda: simulate_delivery(["a", "b"], {"a": 1.0}, bid=1), "'b'"),
        (lambda: simulate_delivery(["a", "b"], {"a": 1.0, "b": 1.0}, bid=0), "bid"),
        (lambda: price_disparity([1.0, None], ["a", "b"]), "price"),
        (lambda: over_contact([1, -1], ["a", "b"], cap=1), "row 1"),
        (lambda: left_out([1, 0], [1, 0, 1], ["a", "b"]), "would_benefit"),
        (lambda: steering([1, 0], [1.0, 1.0]), "two bands"),
        (lambda: steering([1, 0], [1.0, 2.0], bands=1), "bands"),
    ],
)
def test_bad_input_gets_one_clear_sentence(call, words):
    with pytest.raises(InputError, match=words) as error:
        call()
    assert "\n" not in str(error.value)


def test_group_names_and_missing_answers_are_kept():
    group = pd.Series(["a", None, "b", "a"], name="sex")
    table = over_contact([1, 9, 1, 9], group, cap=3)
    assert table.index.name == "sex"
    assert list(table.index) == ["a", "b", "(missing)"]
