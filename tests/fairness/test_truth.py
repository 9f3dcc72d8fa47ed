"""The audit held to the world's truth."""

import numpy as np
import pytest

from ethicalai_lab.errors import InputError
from ethicalai_lab.fairness import (
    alarm_rates,
    audit,
    audit_beside_truth,
    interval_coverage,
    old_rule,
    select_at_strength,
)
from ethicalai_lab.world import WorldConfig, make_world


@pytest.fixture(scope="module")
def world():
    return make_world(8_000, seed=11)


def test_old_rule_reads_what_was_recorded_and_what_is_true(world):
    table = old_rule(world, share=0.3)
    assert table["selected"].sum() == table["selected_without_bias"].sum() == 2_400
    by_customer = world.legacy_log.groupby("customer_id")["visit"].max()
    assert (table.set_index("customer_id")["visited"] == by_customer).all()
    # responses were lost, never invented; and lost only for those the rule was against
    assert (table["visited"] <= table["truly_visited"]).all()
    lost = table["visited"] < table["truly_visited"]
    against = world.truth.people["disfavoured"].to_numpy()
    assert lost.any()
    assert not lost[~against].any()
    assert table["selected"].min() == 0
    assert (
        table.loc[table["selected"] == 1, "score"].min()
        >= table.loc[table["selected"] == 0, "score"].max()
    )


def test_without_injected_bias_recorded_and_true_agree():
    clean = make_world(2_000, seed=1, config=WorldConfig(label_bias=0))
    table = audit_beside_truth(clean, sample=None)
    np.testing.assert_allclose(table["truth"], table["value"])
    np.testing.assert_allclose(table["truth"], table["without_bias"])
    assert table["covered"].all()


def test_the_injected_bias_widens_the_true_gap(world):
    table = audit_beside_truth(world, sample=1_000)
    row = table.loc["demographic_parity_difference"]
    assert row["truth"] > row["without_bias"] + 0.05
    direct = old_rule(world)
    group = world.customers["ethnic_group"]
    expected = audit(direct["truly_visited"], direct["selected"], sensitive_features=group)
    assert row["truth"] == expected.disparities.loc["demographic_parity_difference", "value"]


def test_lost_responses_bias_an_outcome_audit_that_sees_everybody():
    """Half the responses of one part are lost: no sample size brings the truth back."""
    harsh = make_world(20_000, seed=2, config=WorldConfig(label_bias=1.0))
    table = audit_beside_truth(harsh, sample=None)
    row = table.loc["predictive_parity_difference"]
    assert row["value"] == row["truth_recorded"]
    assert abs(row["truth_recorded"] - row["truth"]) > 0.01


def test_coverage_on_the_world(world):
    """The bounds hold the truth as often as stated, though the gaps themselves lean upwards."""
    for sensitive in ("disability", "ethnic_group"):
        table = interval_coverage(world, sensitive=sensitive, sample=1_500, repeats=120, seed=1)
        # 95 % of 120 is 114; below 107 comes once in a thousand
        assert (table["coverage"] >= 107 / 120).all()
        assert (table["low"] <= table["coverage"]).all()
        assert (table["coverage"] <= table["high"]).all()
        lean = table.filter(like="difference", axis=0)
        assert (lean["mean_value"] > lean["truth"]).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda w: old_rule(w, share=0), "share"),
        (lambda w: old_rule(object()), "legacy_log"),
        (lambda w: audit_beside_truth(w, sensitive="race"), "'race'"),
        (lambda w: audit_beside_truth(w, sample=10**6), "1,000,000"),
        (lambda w: interval_coverage(w, repeats=0), "repeats"),
    ],
)
def test_bad_input_gets_one_clear_sentence(call, words, small_world):
    with pytest.raises(InputError, match=words) as error:
        call(small_world)
    assert "\n" not in str(error.value)


def test_a_stronger_prejudice_selects_fewer_of_those_it_is_against(world):
    table = old_rule(world)
    against = world.truth.people["disfavoured"].to_numpy()
    chosen = [select_at_strength(table, s)[against].mean() for s in (0.0, 0.5, 1.0, 2.0)]
    assert chosen == sorted(chosen, reverse=True)
    assert chosen[0] > chosen[-1]
    assert (select_at_strength(table, 1.0) == table["selected"]).all()
    assert (select_at_strength(table, 0.0) == table["selected_without_bias"]).all()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda w: select_at_strength(old_rule(w), -1), "strength"),
        (lambda w: select_at_strength(old_rule(w), share=1), "share"),
        (lambda w: select_at_strength(old_rule(w)[["score"]]), "customer_id"),
        (lambda w: alarm_rates(w, repeats=0), "repeats"),
        (lambda w: alarm_rates(w, alpha=1), "alpha"),
        (lambda w: alarm_rates(w, sensitive="colour"), "colour"),
    ],
)
def test_alarm_rates_name_what_is_wrong(world, call, says):
    with pytest.raises(InputError, match=says):
        call(world)
