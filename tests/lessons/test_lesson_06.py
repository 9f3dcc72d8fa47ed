"""What lesson 06 says in words holds on its world, and its what-if answers."""

import re

import pytest

from ethicalai_lab.fairness import (
    alarm_rates,
    audit,
    audit_beside_truth,
    compare_groups,
    delivery_skew,
    dropping_effect,
    interval_coverage,
    left_out,
    old_rule,
    proxy_strength,
    representation,
    simulate_delivery,
    worst_group,
)
from ethicalai_lab.lessons import lesson
from ethicalai_lab.lessons.lesson import course_world
from ethicalai_lab.widgets.bias_audit import bias_audit

EX = lesson("06")

DP, EO = "demographic_parity_difference", "equal_opportunity_difference"


@pytest.fixture(scope="module")
def world():
    return course_world()


@pytest.fixture(scope="module")
def rule(world):
    return old_rule(world).set_index("customer_id")


@pytest.fixture(scope="module")
def people(world):
    return EX.known["people"]


@pytest.fixture(scope="module")
def change(world):
    known = world.truth.potential_outcomes.set_index("customer_id")
    return known["p_visit_fashion_mail"] - known["p_visit_no_mail"]


def test_somebody_of_group_d_was_lost_by_prejudice_alone(world, rule, people, change):
    lost = (people["ethnic_group"] == "D") & (rule["selected"] < rule["selected_without_bias"])
    mailed = world.legacy_log.query("action == 'fashion_email'")["customer_id"]
    lost &= ~people.index.isin(mailed)
    assert lost.any()
    assert change[lost].max() > 0.05
    # C and D stand lower than A and B by the prejudiced score, group by group
    assert (rule["score"] <= rule["score_without_bias"]).all()


def test_c_and_d_are_left_out_far_more(people, change):
    missed = left_out(people["selected"], change >= change.quantile(0.7), people["ethnic_group"])
    assert missed["low"][["C", "D"]].min() > missed["high"][["A", "B"]].max() + 0.05


def test_the_audit_of_a_thousand_sees_who_is_selected_but_hardly_who_would_come(world):
    found = EX.known["found"]
    assert set(found.four_fifths.index[found.four_fifths["below"]]) == {"C", "D"}
    width = found.disparities["high"] - found.disparities["low"]
    assert found.disparities.loc[DP, "low"] > 0
    assert width[EO] > 1.5 * width[DP]


def test_the_bounds_hold_more_often_than_promised(world):
    held = interval_coverage(world, sensitive="ethnic_group").loc[[DP, EO]]
    assert (held["low"] > 0.95).all()


def test_the_smaller_the_group_the_larger_the_gap_that_stays_unseen(world):
    from ethicalai_lab.fairness import detectable

    seen = detectable(EX.known["found"], gap=0.1).sort_values("n")
    assert seen["smallest_gap"].is_monotonic_decreasing
    assert seen.index[0] == "D"


def test_a_search_finds_what_is_not_there_and_held_out_people_take_it_back(world):
    worst = EX.p2.facts["worst"]
    found = sum(one.found.value for one in worst) / len(worst)
    held_out = sum(one.confirmed.value for one in worst) / len(worst)
    assert found < -0.10
    assert abs(held_out) < 0.05
    assert EX.p2.facts.expected == "c"


def test_the_search_of_everybody_finds_older_women(people):
    hidden = worst_group(
        None, people["selected"], sensitive_features=people[EX.known["columns"][1:]], depth=3
    )
    assert hidden.group == {"gender": "female", "age_band": "from 55"}
    assert hidden.is_confirmed
    # "does not shrink": the two halves agree within their intervals
    assert hidden.confirmed.low <= hidden.found.value <= hidden.confirmed.high


def test_the_correction_for_many_tests_leaves_fewer(world):
    asked = EX.known["asked"]
    crossed = audit(None, asked["selected"], sensitive_features=asked[EX.known["columns"][:3]])
    tests = compare_groups(crossed)
    assert tests["flagged"].sum() < (tests["p_value"] < 0.05).sum()


def test_deleting_the_column_leaves_a_gap_that_name_and_quarter_carry(world, people):
    names = ["ethnic_group", "postcode", "region", "household_income", "education", "device"]
    table = people[[*names, "tenure_days", "selected"]].assign(
        surname=people["full_name"].str.split().str[-1]
    )
    table = table.join(world.campaign.set_index("customer_id")[["recency", "history"]])
    proxies = proxy_strength(table.drop(columns="selected").head(4_000), "ethnic_group")
    assert list(proxies.columns.index[:2]) == ["surname", "postcode"]
    assert proxies.balanced_accuracy.low > 2 * proxies.chance
    gap = dropping_effect(
        table, "ethnic_group", "selected", also_drop=["surname", "postcode", "region"]
    )
    assert gap.loc["without it", "gap"] > 1.4 * gap.loc["without it", "by_chance"]
    assert gap["gap"].is_monotonic_decreasing


def test_delivery_by_cost_shows_women_less(people):
    prices = {"female": 1.25, "male": 1.0, "nonbinary": 1.0}
    reached = simulate_delivery(people["gender"].astype(str), prices, bid=1.0)
    skew = delivery_skew(reached["shown"], reached["group"])
    assert skew.loc["female", "high"] < skew.loc["male", "low"]


def test_the_four_fifths_rule_rings_most_nights(world):
    alarms = alarm_rates(world, [0.0, 0.5, 1.0], repeats=60).set_index("rule")
    assert alarms.loc["four_fifths", "found"].min() > 0.85
    assert alarms.loc["four_fifths", "false_alarm"].min() > 0.45
    for name in ("interval", "adjusted"):
        assert (alarms.loc[name, "false_low"] <= 0.05).all()
        assert alarms.loc[name, "found"].iloc[0] < 0.5 < 0.9 < alarms.loc[name, "found"].iloc[-1]
    assert EX.p3.facts.expected == "c"


def test_a_part_of_the_gap_is_there_without_prejudice(world):
    row = audit_beside_truth(world, sample=1_000).loc[DP]
    assert 0.03 < row["without_bias"] < row["truth"] - 0.05


def test_the_bill_has_people_who_are_absent(world, people):
    known = world.truth.bias.dropna(subset="population_share")
    population = dict(zip(known["group"].str[-1], known["population_share"], strict=True))
    present = representation(people["ethnic_group"], population)
    assert (present["high"] < present["population_share"])[["C", "D"]].all()


# ---------------------------------------------------------------------------- the what-if


@pytest.fixture(scope="module")
def shown(rule, people):
    return bias_audit(rule.reset_index(), people["ethnic_group"])


def _numbers(figure):
    gap = re.search(
        r"Gap (\d+) points \((\d+) to (\d+)\), in truth (\d+); ratio ([\d.]+)", figure.alt
    )
    return [float(x) for x in gap.groups()]


def test_the_what_if_says_what_it_draws(shown):
    value, low, high, truth, ratio = _numbers(shown.figure)
    assert low <= value <= high
    assert low <= truth <= high
    assert 0 < ratio < 1
    assert "group D, 60 asked" in shown.figure.alt
    assert "truth" in shown.figure.alt


def test_the_what_if_follows_each_control(shown):
    few, many = shown.set(asked=200), shown.set(asked=4000)
    width = [_numbers(s.figure)[2] - _numbers(s.figure)[1] for s in (few, many)]
    assert width[0] > 2 * width[1]
    truths = [
        _numbers(shown.set(strength=s).figure)[3] for s in ("none", "half", "as it is", "double")
    ]
    assert truths == sorted(truths)
    assert truths[0] < truths[-1]
    smallest = [
        int(re.search(r"group D: (\d+) points", shown.set(rare_share=s).figure.alt)[1])
        for s in (0.03, 0.25)
    ]
    assert smallest[0] > smallest[1]
    assert shown.set(draw=2).figure.png() != shown.figure.png()
    assert "none at all" in shown.set(asked=200, rare_share=0.01).figure.alt
