"""What lesson 07 says in words, held to the world that it is said about."""

import numpy as np
import pandas as pd
import pytest

from ethicalai_lab import plotting
from ethicalai_lab.fairness import (
    Unmitigated,
    audit,
    calibration_and_balance,
    impossibility_table,
)
from ethicalai_lab.lessons import lesson
from ethicalai_lab.lessons.lesson import course_world
from ethicalai_lab.widgets.group_cuts import group_cuts

EX = lesson("07")

FEATURES = EX.known["features"]


@pytest.fixture(scope="module")
def world():
    return course_world()


@pytest.fixture(scope="module")
def found(world):
    """Return the notebook's comparison."""
    return EX.known["comparison"]


@pytest.fixture(scope="module")
def chance(world, found):
    learned = EX.known["shop"].drop(index=found.decisions.index)
    model = Unmitigated(threshold=0.3).fit(learned[FEATURES], learned["visited"], learned["group"])
    held = EX.known["shop"].loc[found.decisions.index, FEATURES]
    return model.predict_proba(held)[:, 1]


def test_deleting_the_column_leaves_most_of_the_gap_and_a_proxy(world):
    assert EX.p1.facts.expected == "c"
    assert 0.6 < EX.p1.facts["left"] < 0.85
    score = EX.known["shop"].groupby("group")["old_score"].mean()
    assert score["C and D"] < score["A and B"] - 0.3


def test_two_repairs_leave_most_of_the_gap_and_six_a_few_points(world, found):
    assert EX.p2.facts.expected == "c"
    gap = found.table["gap"]
    weak = ["reweighing", "resampling"]
    assert (gap[weak] > 0.65 * gap["column deleted"]).all()
    assert (gap.drop([*weak, "column deleted"]) < 0.04).all()


def test_by_the_books_no_cost_is_shown_and_none_is_ruled_out(found):
    change = found.table.iloc[1:]
    assert (change["value_change_low"] < 0).all()
    assert (change["value_change_high"] > 0).all()


def test_profit_thresholds_move_fewest_of_those_that_close_the_gap(found):
    moved = found.who_pays.groupby(level="method")[["gained", "lost"]].sum().sum(axis=1)
    closing = found.table.index[found.table["gap"] < 0.04]
    assert moved[closing].idxmin() == "profit thresholds"
    first = found.who_pays.xs("A and B", level="group")
    assert (first.loc[["old score left out", "grid search"], ["gained", "lost"]] > 100).all(
        axis=None
    )
    assert (found.who_pays.loc["group thresholds", "gained"] > 100).all()
    share = found.table["selection_rate"]
    assert share["group thresholds"] > share["column deleted"] + 0.03


def test_which_read_the_group_and_which_draw_lots(found):
    reads = found.table.index[found.table["uses_group"]]
    assert set(reads) == {"correlation removal", "group thresholds", "profit thresholds"}
    draws = found.table.index[found.table["randomised"]]
    assert set(draws) == {"exponentiated gradient", "group thresholds"}


def test_the_books_judge_every_repair_too_harshly(world, found):
    assert EX.p3.facts.expected == "c"
    facts = EX.p3.facts
    assert facts["low"] > 0
    second = found.group == "C and D"
    before = found.decisions["column deleted"]
    unseen = (EX.known["came"] - EX.known["shop"]["visited"])[found.decisions.index]
    moved = found.decisions.sub(before, axis=0).iloc[:, 1:].mul(unseen, axis=0)[second]
    assert (moved.mean() > 0).all()


def test_most_repairs_move_caused_visits_to_the_second_group(world, found):
    known = world.truth.potential_outcomes.set_index("customer_id").loc[found.decisions.index]
    caused = known["p_visit_fashion_mail"] - known["p_visit_no_mail"]
    moved = found.decisions.sub(found.decisions["column deleted"], axis=0).iloc[:, 1:]
    by_group = 1000 * moved.mul(caused, axis=0).groupby(found.group).mean().T
    shifting = (by_group["A and B"] < 0) & (by_group["C and D"] > -by_group["A and B"])
    assert shifting.sum() >= 5


def test_somebody_who_deserves_a_voucher_is_refused_for_a_lost_visit(world, found):
    shop, came = EX.known["shop"], EX.known["came"]
    before = found.decisions["column deleted"]
    lost = (came > shop["visited"]).loc[before.index] & (before == 0)
    people = before.index[lost & (found.group == "C and D")]
    known = world.truth.potential_outcomes.set_index("customer_id").loc[people]
    assert known["p_visit_fashion_mail"].max() > 0.3


def test_the_promises_collide_in_the_books_and_hardly_in_truth(world, found):
    people, repair = found.decisions.index, found.decisions["profit thresholds"]

    def gaps(visits):
        table = impossibility_table(audit(visits[people], repair, sensitive_features=found.group))
        np.testing.assert_allclose(table["implied"], table["false_positive_rate"])
        return (table.loc["A and B"] - table.loc["C and D"]).abs()

    books, truth = gaps(EX.known["shop"]["visited"]), gaps(EX.known["came"])
    assert books["precision_score"] > 0.05 > 0.03 > truth["precision_score"]
    for rate in ("false_negative_rate", "false_positive_rate"):
        assert books[rate] < 0.04
        assert truth[rate] < 0.04
    assert books["base_rate"] > 3 * truth["base_rate"]
    assert books["forced"] > 3 * truth["forced"]


def test_calibration_errs_in_opposite_directions(world, found, chance):
    people = found.decisions.index
    by_books = calibration_and_balance(EX.known["shop"]["visited"][people], chance, found.group)
    in_truth = calibration_and_balance(EX.known["came"][people], chance, found.group)
    assert by_books.loc["C and D", "calibration_gap"] > 0.01
    assert in_truth.loc["C and D", "calibration_gap"] < -0.02


def test_what_if_agrees_with_counting_and_says_so(world, found, chance):
    written = EX.known["shop"]["visited"][found.decisions.index]
    came = EX.known["came"][found.decisions.index]
    shown = group_cuts(chance, found.group, {"by the books": written, "as they were": came})
    lower = shown.set(second=0.24)
    picture = shown.figure._repr_html_()
    assert picture != lower.figure._repr_html_()
    second = (found.group == "C and D").to_numpy()
    given = chance >= np.where(second, 0.24, 0.3)
    more = int((given & (chance < 0.3)).sum())
    assert f"C and D: {more:,} gain it, 0 lose it" in lower.figure.alt
    value = 1000 * np.mean(given * (10 * written - 3))
    assert f"Worth {value:,.0f} per 1,000 customers" in lower.figure.alt
    assert f"C and D {100 * given[second].mean():.0f} %" in lower.figure.alt
    truth = lower.set(record="as they were")
    assert f"Worth {1000 * np.mean(given * (10 * came - 3)):,.0f} per" in truth.figure.alt


def test_what_if_says_none_where_nobody_has_an_offer():
    shown = group_cuts([0.2, 0.4, 0.2, 0.4], pd.Series(list("aabb")), {"books": [0, 1, 0, 1]})
    assert "visitors among holders: a none, b 100 %" in shown.set(first=0.6).figure.alt


def test_gains_and_losses_says_its_bars_and_refuses_losses_below_zero():
    rows = pd.MultiIndex.from_product([["one", "two"], ["a", "b"]])
    table = pd.DataFrame({"gained": [0, 115.6, 3, 4], "lost": [23.8, 0, 1, 0]}, index=rows)
    drawn = plotting.gains_and_losses(table, title="Who pays")
    assert "one: a: 0 gain, 24 lose; b: 116 gain, 0 lose." in drawn.alt
    other = plotting.gains_and_losses(table * 2, title="Who pays")
    assert drawn._repr_html_() != other._repr_html_()
    with pytest.raises(plotting.PlotError, match="from 0"):
        plotting.gains_and_losses(-table, title="Who pays")
