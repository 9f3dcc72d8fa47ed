"""What lesson 01 says in words, held to the world that it is said about."""

import pytest

from ethicalai_lab.lessons import lesson
from ethicalai_lab.lessons.lesson import course_world
from ethicalai_lab.personalization import rfm

EX = lesson("01")


@pytest.fixture(scope="module")
def world():
    return course_world()


def test_best_customers_come_without_any_mail(world):
    segments = rfm(world.events, as_of=world.as_of)[["customer_id", "segment"]]
    people = EX.known["trial"].drop(columns="segment").merge(segments, on="customer_id")
    alone = people[~people["mailed"]].groupby("segment", observed=True)["visit"].mean()
    assert set(alone.nlargest(2).index) == {"champion", "loyal"}


def test_response_list_is_hardly_better_than_chance_and_uplift_list_is(world):
    change = EX.known["true_change"]
    assert change[EX.known["by_response"]].mean() < 1.25 * change.mean()
    assert change[EX.known["by_uplift"]].mean() > 1.5 * change.mean()
    assert EX.p1.facts.expected == "b"


def test_everyone_loses_and_uplift_earns_most_of_the_reachable(world):
    everyone = EX.known["everyone"]
    assert EX.known["true_profit"](everyone) < 0
    assert (
        EX.known["true_profit"](EX.known["by_uplift"])
        > 2 * EX.known["true_profit"](EX.known["by_response"])
        > 0
    )


def test_the_experiment_alone_cannot_be_sure(world):
    facts = EX.q5.facts
    assert facts["best"] == "uplift"
    assert facts["low_uplift"] < 0


def test_a_regular_is_driven_away(world):
    chance = world.truth.potential_outcomes
    before, after = chance["p_visit_no_mail"], chance["p_visit_fashion_mail"]
    loyal = before > before.quantile(0.98)
    worst = (after - before)[loyal].idxmin()
    assert after[worst] < before[worst] - 0.1


def test_what_if_moves_its_figure_and_says_so(world):
    from ethicalai_lab.widgets.targeting import targeting

    trial = EX.known["trial"]
    shown = targeting(trial, {"uplift": EX.known["uplift"]}, EX.known["truth"])
    assert "300 mails per 1,000 customers" in shown.figure.alt
    more = shown.set(share=0.6)
    assert "600 mails per 1,000 customers" in more.figure.alt
    assert more.figure.png() != shown.figure.png()
    cheap = shown.set(leaver=0.0).figure.alt
    assert cheap != shown.figure.alt


def test_first_touch_moves_its_figure(world):
    from ethicalai_lab.widgets.first_touch import first_touch

    shown = first_touch(world)
    all_mailed = shown.set(share=1.0)
    assert "1,000 mails to 1,000 customers" in all_mailed.figure.alt
    assert all_mailed.figure.png() != shown.figure.png()
    by_truth = shown.set(first="truth").figure.alt
    assert "0 mails in vain" in by_truth
