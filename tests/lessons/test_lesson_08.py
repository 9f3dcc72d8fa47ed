"""What lesson 08 says in words, held to the world that it is said about."""

import pandas as pd
import pytest

from ethicalai_lab.consent import Assumptions
from ethicalai_lab.consent.assistant import compare_strategies
from ethicalai_lab.consent.selection import targeting_value
from ethicalai_lab.consent.simulation import calibrate, compare_designs, simulate
from ethicalai_lab.lessons import lesson
from ethicalai_lab.lessons.lesson import course_world
from ethicalai_lab.widgets.long_run import long_run, month_lines
from ethicalai_lab.widgets.preference_ledger import preference_ledger

EX = lesson("08")


@pytest.fixture(scope="module")
def world():
    return course_world()


@pytest.fixture(scope="module")
def people(world):
    return EX.known["people"]


@pytest.fixture(scope="module")
def centre():
    return preference_ledger()


def test_the_more_a_banner_presses_the_more_yes_and_the_less_meant(world):
    met = EX.known["met"]
    order = ["neutral", "nudging", "hidden_refusal", "pre_ticked", "pay_or_okay"]
    rates = [met[name].rate.value for name in order]
    unmeant = [met[name].unmeant.value for name in order]
    assert rates == sorted(rates)
    assert unmeant == sorted(unmeant)
    assert rates[0] < 0.5
    assert EX.p1.facts.expected == "b"


def test_somebody_in_california_left_a_tick_and_was_heard_too_late(world):
    table = EX.known["delivered"].table
    late = table[table["late"] & (table["recipient"] == "data_partner")]
    assert (late["regime"] == "ccpa").all()
    accepts = world.truth.purposes.set_index("customer_id")[EX.known["SHARING"]]
    case = late[~late["person"].map(accepts) & (late["acted"] < world.as_of)]
    assert len(case) > 20
    assert ((case["acted"] - case["said"]).dt.days >= 19).all()
    assert (table.loc[table["regime"] != "ccpa", "due"].isna()).all()
    assert "gdpr" not in set(table["regime"])  # a tick let nothing out, so no notice is due


def test_most_that_the_ledger_forbids_live_in_the_eu(world):
    box = EX.known["box"]
    ticked = box[box["action"] == "grant"]
    allowed = EX.known["ledger"].permitted(ticked["person"], *EX.q2.facts["asked"])
    assert not allowed[(ticked["regime"] == "gdpr").to_numpy()].any()
    assert (ticked.loc[~allowed, "regime"] == "gdpr").mean() > 0.9


def test_the_assistant_asks_less_than_half_and_more_of_its_yes_are_meant(world):
    found = compare_strategies(world).set_index("strategy")
    assert found.loc["assistant", "asks"] < 0.5 * found.loc["always", "asks"]
    assert found.loc["always", "reached"] > 0.95 > 0.9 > found.loc["assistant", "reached"]
    assert found.loc["always", "unmeant"] > 0.4
    assert found.loc["assistant", "unmeant"] < 0.25
    assert found.loc["assistant", "fatigue"] < found.loc["always", "fatigue"]


def test_who_consents_differs_and_what_the_mail_does_is_not_told_apart(world):
    assert EX.p2.facts.expected == "a"
    seen = EX.p2.facts["chosen"]
    assert not seen.loc[EX.p2.facts["who"], "covered"].any()
    assert seen.loc[EX.p2.facts["what"], "covered"].all()
    assert seen.loc["mean privacy concern", "high"] < seen.loc["mean privacy concern", "truth"]
    assert seen.loc["mean trust", "low"] > seen.loc["mean trust", "truth"]
    older = seen.loc["share aged 60 and over"]
    assert older["high"] < older["truth"]
    learned = targeting_value(world, EX.known["met"]["neutral"].granted)
    assert learned["low"].max() < learned["high"].min()


def test_one_year_under_three_rules(people):
    pushes = calibrate(people)
    year = {
        rule: simulate(people, "neutral", regime=rule, months=12, pushes=pushes).months
        for rule in ("gdpr", "ccpa", "other")
    }
    end = pd.DataFrame({rule: table.iloc[-1] for rule, table in year.items()}).T
    assert end["permitted"].is_monotonic_increasing
    assert (end.loc[["ccpa", "other"], "unmeant"] > 3 * end.loc["gdpr", "unmeant"]).all()
    for rule in ("ccpa", "other"):
        assert year[rule]["permitted"].is_monotonic_decreasing
        assert 1.01 < end.loc[rule, "cumulative"] / end.loc["gdpr", "cumulative"] < 1.06


def test_the_order_turns_with_the_years_and_with_the_assumptions(people, world):
    def beside(months, rest, **assumed):
        found = compare_designs(
            people,
            ["nudging", "pre_ticked"],
            months=months,
            reask_months=rest,
            repeats=3,
            assumptions=Assumptions(**assumed),
        )
        return found.set_index("banner")

    for rest in (1, 12):
        assert beside(12, rest).loc["pre_ticked", "versus_low"] > 0
    yearly, monthly = beside(36, 12), beside(36, 1)
    assert (yearly["versus_high"] < 0).all()
    assert (monthly["versus_high"] < 0).all()
    assert (monthly["versus_neutral"] > 0.5 * yearly["versus_neutral"]).all()
    numb = beside(36, 12, betrayal_loss=0.0, annoyance=0.0, disclosure_gain=0.0)
    assert numb.loc["pre_ticked", "versus_low"] > 2
    assert EX.p3.facts.expected == "c"
    facts = EX.q4.facts
    assert 12 < facts["expected"] < 30
    assert facts["monthly"] < facts["expected"] - 3


def test_preference_centre_says_what_the_ledger_says(centre):
    alt = centre.figure.alt
    assert "mails: GDPR no, California yes, other yes" in alt
    assert "A yes by pre ticked of 2025-03-01 is no answer of yours" in alt
    button = centre.set(how="a button")
    assert "mails: GDPR yes, California yes, other yes" in button.figure.alt
    assert button.figure._repr_html_() != centre.figure._repr_html_()
    withdrawn = button.set(mails="yes, then withdrawn").figure.alt
    assert "mails: GDPR no, California no, other no" in withdrawn
    assert "offers by behaviour: GDPR yes" in withdrawn
    objected = button.set(mails="yes, then objected").figure.alt
    assert "offers by behaviour: GDPR no" in objected
    assert "which ends the profiling that serves it" in objected
    silent = button.set(mails="not answered").figure.alt
    assert "mails: GDPR no, California yes, other yes" in silent


def test_preference_centre_knows_signals_and_children(centre):
    signal = centre.set(signal=True, why="California").figure.alt
    assert "sharing: GDPR no, California no, other no" in signal
    assert "mails: GDPR no, California yes" in signal
    assert "sharing: You opted out on 2025-09-01." in signal
    ticked = centre.set(child=True).figure.alt  # a child's tick permits nothing anywhere
    assert "sharing: GDPR no, California no, other no" in ticked
    assert "delivering orders: GDPR yes" in ticked
    button = centre.set(child=True, how="a button", why="GDPR").figure.alt
    assert "sharing: GDPR no, California yes" in button
    assert "it was no explicit act of someone of age" in button


def test_long_run_moves_with_an_assumption_and_says_its_numbers(people):
    some = people.head(4000)
    shown = long_run(some)
    other = shown.set(betrayal=0.0, annoyance=0.0, growth=0.0)
    assert shown.figure._repr_html_() != other.figure._repr_html_()
    pushes = calibrate(some)

    def profit(banner):
        run = simulate(some, banner, months=36, pushes=pushes)
        return run.value

    lag = profit("pre_ticked") - profit("neutral")
    assert f"box ticked already: +0.11 in month 1, +0.36 in month 12, {lag:+.2f} in month 36" in (
        shown.figure.alt
    )
    assert "month 12." in shown.set(months=12).figure.alt


def test_month_lines_says_first_twelfth_and_last():
    table = pd.DataFrame({"month": range(1, 15), "permitted": [0.5 - i / 100 for i in range(14)]})
    drawn = month_lines({"one": table}, "permitted", title="May be mailed", ylabel="share")
    assert drawn.alt == (
        "May be mailed. one: 50.0 % in month 1, 39.0 % in month 12, 37.0 % in month 14."
    )
