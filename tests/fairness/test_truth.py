"""The audit held to the world's truth."""

import numpy as np
import pytest

from ethicalai_lab.errors import InputError
from ethicalai_lab.fairness import (
    alarm_rates,
    audit,
    audit_beside_truth,
    detection_rates,
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


def test_detection_rises_with_the_bias_and_false_alarms_stay_low():
    table = detection_rates(
        [0.0, 0.3, 0.9],
        n_worlds=24,
        n_customers=1_000,
        config=WorldConfig(proxy_strength=0.0),
        seed=3,
    )
    p_value = table[table["rule"] == "p_value"].set_index("label_bias")
    assert p_value.loc[0.9, "found"] > 0.9
    assert p_value["found"].is_monotonic_increasing
    assert p_value["true_gap"].is_monotonic_increasing
    honest = table[table["rule"] != "four_fifths"]
    # 72 worlds in all, aimed at 5 %: 12 % or more would come once in a thousand
    assert (honest.groupby("rule")["false_alarm"].mean() <= 0.12).all()
    # the rule of thumb looks at no sample size, and cries wolf
    rough = table[table["rule"] == "four_fifths"]
    assert rough["false_alarm"].mean() > 0.3
    for name in ("found", "false"):
        value = table["found" if name == "found" else "false_alarm"]
        assert (table[f"{name}_low"] <= value).all()
        assert (value <= table[f"{name}_high"]).all()


def test_same_seed_same_table():
    call = {"n_worlds": 2, "n_customers": 400, "seed": 5}
    assert detection_rates([0.5], **call).equals(detection_rates([0.5], **call))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda w: old_rule(w, share=0), "share"),
        (lambda w: old_rule(object()), "legacy_log"),
        (lambda w: audit_beside_truth(w, sensitive="race"), "'race'"),
        (lambda w: audit_beside_truth(w, sample=10**6), "1,000,000"),
        (lambda w: interval_coverage(w, repeats=0), "repeats"),
        (lambda w: detection_rates([0.5], metric="accuracy_score"), "accuracy_score"),
        (lambda w: detection_rates([0.5], n_worlds=0), "n_worlds"),
        (lambda w: detection_rates([2.0], n_worlds=1), "label_bias"),
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


def test_alarms_of_samples_agree_with_alarms_of_worlds(world):
    sampled = alarm_rates(world, [2.0], sample=1_000, repeats=30).set_index("rule")
    # half as strong a world knob, doubled: the same prejudice as label_bias = 1
    fresh = detection_rates([1.0], n_worlds=12, n_customers=1_000).set_index("rule")
    assert (sampled["found"] - fresh["found"]).abs().max() < 0.1
    assert sampled["true_gap"].iloc[0] == pytest.approx(fresh["true_gap"].iloc[0], abs=0.05)
    for name in ("p_value", "adjusted", "interval"):
        assert sampled.loc[name, "false_low"] <= 0.05
    assert sampled.loc["four_fifths", "false_alarm"] > 0.3


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
