"""Targeting rules: by hand, and against the truth of many experiments."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethicalai_lab import personalization as room
from ethicalai_lab.errors import InputError
from ethicalai_lab.stats import proportion_difference_interval

ARMS = ("no_mail", "sports_mail", "fashion_mail")


# ------------------------------------------------------------------------ making rules


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=50), st.floats(0, 1))
def test_top_rule_mails_the_share_with_the_highest_scores(scores, share):
    rule = room.target_top(scores, share)
    assert rule.sum() == round(share * len(scores))
    if 0 < rule.sum() < len(scores):
        assert np.array(scores)[rule].min() >= np.array(scores)[~rule].max()


def test_random_rule_is_seeded_and_blind():
    a, b, c = (room.random_rule(4000, 0.25, seed=seed) for seed in (1, 1, 2))
    assert (a == b).all()
    assert (a != c).any()
    assert a.sum() == 1000
    assert a[:2000].sum() == pytest.approx(500, abs=60)
    people = np.random.default_rng(1).random(4000)  # drawn from the very same seed
    assert abs(np.corrcoef(people, a)[0, 1]) < 0.06


# -------------------------------------------------------------------------------- lift


def test_lift_is_the_difference_in_means_with_its_error():
    y = np.array([1] * 30 + [0] * 70 + [1] * 20 + [0] * 180 + [1] * 5 + [0] * 45)
    arm = np.array(["b"] * 100 + ["none"] * 200 + ["a"] * 50)
    table = room.lift(y, arm, "none").set_index("arm")
    assert table.index.tolist() == ["a", "b"]
    row = table.loc["b"]
    assert row["lift"] == pytest.approx(0.3 - 0.1)
    assert row["se"] == pytest.approx(np.sqrt(0.3 * 0.7 / 100 + 0.1 * 0.9 / 200))
    expected = proportion_difference_interval(30, 100, 20, 200)
    assert (row["low"], row["high"]) == (expected.low, expected.high)
    amounts = room.lift(2.5 * y, arm, "none").set_index("arm").loc["b"]
    assert amounts["lift"] == pytest.approx(2.5 * 0.2)
    assert amounts["se"] == pytest.approx(2.5 * row["se"], rel=0.01)


# ------------------------------------------------------------ estimated from experiments


def test_profit_on_a_vector_worked_by_hand():
    # The rule mails the first four: mailed buy 1 of 2, control 0 of 2. Effect 1/2.
    y = [1, 0, 0, 0, 1, 0, 1, 1]
    t = [1, 1, 0, 0, 1, 1, 0, 0]
    rule = np.array([True] * 4 + [False] * 4)
    gain = 10 * np.array(y)
    # Labels say the same as booleans.
    rules = {"four": rule, "labels": np.where(rule, 1, 0), "nobody": np.zeros(8, bool)}
    table = room.compare_rules(rules, gain, t, cost=1).set_index("rule")
    assert table.loc["four", "profit"] == pytest.approx(0.5 * (0.5 * 10 - 1))
    assert table.loc["nobody", ["profit", "low", "high"]].tolist() == [0, 0, 0]
    assert table.loc["labels"].tolist() == table.loc["four"].tolist()


def test_profit_is_undefined_where_nobody_stands_for_the_rule():
    rule = np.array([True, True, False, False])
    table = room.compare_rules({"odd": rule, "all": ~rule | rule}, [1, 0, 1, 0], [1, 1, 0, 0])
    assert np.isnan(table.loc[0, "profit"])
    assert table.loc[1, "profit"] == 0


def test_profit_and_paired_difference_cover_the_truth(study, nominal):
    value, cost = 10.0, 1.2

    # Mailing x > c gains the integral of value * (.4 x - .1) - cost from c to 1.
    def worth(c):
        return value * (0.2 * (1 - c * c) - 0.1 * (1 - c)) - cost * (1 - c)

    hits, paired = [], []
    for seed in range(500):
        s = study(1200, seed=seed, share=0.3)
        rules = {"everyone": s.x >= 0, "half": s.x > 0.5}
        table = room.compare_rules(rules, value * s.y, s.t, cost=cost)
        half = table.iloc[1]
        hits.append(half["low"] <= worth(0.5) <= half["high"])
        gap = worth(0.5) - worth(0.0)
        paired.append(half["difference_low"] <= gap <= half["difference_high"])
    assert nominal(hits)
    assert nominal(paired)


def test_rules_of_an_experiment_cover_the_worlds_truth(nominal):
    from ethicalai_lab.world import make_world

    value, cost = 20.0, 0.4
    hits = {"everyone": [], "fashion_half": [], "personal": []}
    for seed in range(90):
        world = make_world(3000, seed=500 + seed)
        campaign = world.campaign
        truth = world.truth.potential_outcomes
        rules = {
            "everyone": np.full(3000, "sports_mail"),
            "fashion_half": np.where(campaign["recency"] <= 6, "fashion_mail", "no_mail"),
            "personal": np.where(campaign["fashion"] == 1, "fashion_mail", "sports_mail"),
        }
        table = room.compare_rules(
            rules, value * campaign["visit"], campaign["arm"], cost=cost, control="no_mail"
        ).set_index("rule")
        for name, rule in rules.items():
            true = room.true_value(rule, truth, outcome="visit", value=value, cost=cost)
            row = table.loc[name]
            assert row["share_targeted"] == pytest.approx(true.share_targeted)
            hits[name].append(row["low"] <= true.profit <= row["high"])
    for name, hit in hits.items():
        assert nominal(hit), (name, np.mean(hit))


def test_lifts_cover_the_worlds_truth(nominal):
    from ethicalai_lab.world import make_world

    hits = []
    for seed in range(90):
        world = make_world(1500, seed=700 + seed)
        truth = world.truth.uplift
        for outcome in ("visit", "spend"):
            table = room.lift(world.campaign[outcome], world.campaign["arm"], "no_mail")
            for row in table.itertuples():
                if outcome == "visit":  # spend is too skewed for 500 people an arm
                    hits.append(row.low <= truth[f"{outcome}_{row.arm}"].mean() <= row.high)
    assert nominal(hits)


# -------------------------------------------------------------------- where truth is known


def truth_of_three():
    return pd.DataFrame(
        {
            "p_visit_no_mail": [0.1, 0.2, 0.3],
            "p_visit_sports_mail": [0.3, 0.2, 0.2],
            "p_visit_fashion_mail": [0.2, 0.5, 0.3],
            "p_unsubscribe_no_mail": [0.0, 0.0, 0.0],
            "p_unsubscribe_sports_mail": [0.01, 0.02, 0.06],
            "p_unsubscribe_fashion_mail": [0.02, 0.03, 0.10],
            "visit_no_mail": [0, 0, 1],
            "visit_sports_mail": [1, 0, 0],
            "visit_fashion_mail": [0, 1, 1],
        }
    )


def test_true_value_worked_by_hand():
    truth = truth_of_three()
    rule = ["sports_mail", "fashion_mail", "sports_mail"]
    found = room.true_value(rule, truth, outcome="visit", value=10, cost=0.5)
    assert found.profit == pytest.approx((2 + 3 - 1) / 3 - 0.5)
    assert found.effects["visit"] == pytest.approx(0.4 / 3)
    assert found.bothered == pytest.approx((0.01 + 0.03 + 0.06) / 3)
    assert found.in_vain == pytest.approx(1 / 3)
    yes_no = room.true_value([True, False, True], truth, outcome="visit", arm="sports_mail")
    assert yes_no.share_targeted == pytest.approx(2 / 3)


def test_mailing_nobody_is_worth_nothing_and_bothers_nobody():
    found = room.true_value(["no_mail"] * 3, truth_of_three(), outcome="visit", cost=1)
    assert (found.profit, found.bothered, found.in_vain, found.share_targeted) == (0, 0, 0, 0)


def test_bad_rules_are_one_sentence():
    truth = truth_of_three()
    with pytest.raises(InputError, match="'letter' at row 1; accepted: no_mail, sports_mail"):
        room.true_value(["no_mail", "letter", "no_mail"], truth, outcome="visit")
    with pytest.raises(InputError, match="yes/no, but there are 2 arms"):
        room.true_value([True, False, True], truth, outcome="visit")
    with pytest.raises(InputError, match="p_visit_letter"):
        room.true_value([True, False, True], truth, outcome="visit", arm="letter")
    with pytest.raises(InputError, match='no column "expected_spend_no_mail"'):
        room.true_value(["no_mail"] * 3, truth)
    with pytest.raises(InputError, match="'visit' or 'conversion' or 'spend' is accepted"):
        room.true_value(["no_mail"] * 3, truth, outcome="joy")
    with pytest.raises(InputError, match="targeting has 2 rows; 3 are needed"):
        room.true_value(["no_mail"] * 2, truth, outcome="visit")
    with pytest.raises(InputError, match="control 'none' is no level of treatment; it has: a, b"):
        room.lift([1, 0], ["a", "b"], "none")
    with pytest.raises(InputError, match="only the control level"):
        room.lift([1, 0], ["a", "a"], "a")
    with pytest.raises(InputError, match="y holds nan in row 1"):
        room.lift([1, np.nan], ["a", "b"], "a")
    with pytest.raises(InputError, match="treatment has a missing value at row 0"):
        room.lift([1, 0], [None, "b"], "b")
    with pytest.raises(InputError, match=r"share is 1\.2"):
        room.target_top([1, 2], 1.2)
    with pytest.raises(InputError, match="at least one rule"):
        room.compare_rules({}, [1, 0], [1, 0])


def test_the_best_of_many_shares_is_overstated_where_it_was_chosen_and_only_there():
    """As the notes of `compare_rules` say: choosing is not judging."""
    rng = np.random.default_rng(11)
    shares, n = np.arange(0.05, 1.0, 0.05), 2_000
    same, other = [], []
    for _ in range(250):
        score = rng.standard_normal(n)
        treated = rng.integers(0, 2, n)
        # the message does the same for everybody and costs what it brings: every share earns 0
        y = rng.random(n) < 0.2 + 0.05 * treated
        half = np.arange(n) < n // 2

        def profits(rows, score=score, y=y, treated=treated):
            rules = {f"{s:.2f}": room.target_top(score[rows], s) for s in shares}
            return room.compare_rules(rules, y[rows], treated[rows], cost=0.05)

        chosen, judged = profits(half), profits(~half)
        at = int(chosen["profit"].argmax())
        for found, table in ((same, chosen), (other, judged)):
            each = table.loc[at]
            found.append(each["profit"] / ((each["high"] - each["low"]) / 3.92))
    error = 1 / np.sqrt(250)
    assert np.mean(same) > 0.5 + 3 * error
    assert abs(np.mean(other)) < 3 * error
