"""What lesson 01 says in words, held to the world that it is said about."""

import pytest

from ethicalai_lab.lessons.engine import course_world
from ethicalai_lab.lessons.exercises import lesson_01 as lesson
from ethicalai_lab.personalization import rfm


@pytest.fixture(scope="module")
def world():
    return course_world()


def test_best_customers_come_without_any_mail(world):
    segments = rfm(world.events, as_of=world.as_of)[["customer_id", "segment"]]
    people = lesson._people(world).merge(segments, on="customer_id")
    alone = people[~people["mailed"]].groupby("segment", observed=True)["visit"].mean()
    assert set(alone.nlargest(2).index) == {"champion", "loyal"}


def test_response_list_is_hardly_better_than_chance_and_uplift_list_is(world):
    lists = lesson._lists(world)
    everyone = lesson._true_lift(world)
    assert lesson._true_lift(world, lists["response"]) < 1.25 * everyone
    assert lesson._true_lift(world, lists["uplift"]) > 1.5 * everyone
    assert lesson._p1_outcome(world) == "b"


def test_everyone_loses_and_uplift_earns_most_of_the_reachable(world):
    lists = lesson._lists(world)
    everyone = [True] * len(lists["uplift"])
    assert lesson._true_profit(everyone, world) < 0
    assert (
        lesson._true_profit(lists["uplift"], world)
        > 2 * lesson._true_profit(lists["response"], world)
        > 0
    )


def test_the_experiment_alone_cannot_be_sure(world):
    facts = lesson._q5_facts(world)
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

    trial = lesson._trial(world)
    shown = targeting(trial, {"uplift": trial["uplift"]}, lesson._outcomes(world))
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
