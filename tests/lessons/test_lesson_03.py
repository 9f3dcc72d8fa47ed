"""What lesson 03 says in words, held to the world that it is said about."""

import numpy as np
import pytest

from ethicalai_lab.lessons import lesson
from ethicalai_lab.lessons.lesson import course_world
from ethicalai_lab.personalization import answer_quality, learn_preferences, watched
from ethicalai_lab.privacy import Prediction, Targeting, compare_sets, find_leaks, minimize
from ethicalai_lab.privacy import set_value as value_of

EX = lesson("03")
FEW = ["recency", "history", "newbie", "age"]

FORETELL = Prediction("visit")


@pytest.fixture(scope="module")
def world():
    return course_world()


@pytest.fixture(scope="module")
def table(world):
    return EX.known["table"]


def test_labels_are_wrong_for_some_and_right_for_others(world):
    price = world.preferences.query("question == 'price_range'").set_index("customer_id")
    left_open = price.index[price["answer"].isna()]
    people = world.customers.set_index("customer_id")
    known = world.truth.people.set_index("customer_id")
    guessed = people["financial_stress"].rank(pct=True)[left_open]
    really = known["financial_strain"].rank(pct=True)[left_open]
    labelled = guessed > 0.9
    assert (labelled & (really > 0.9)).sum() > 20
    assert (labelled & (really <= 0.9)).sum() > 20
    assert really[guessed > 0.8].min() < 0.3  # the customer of the story


def test_guesses_do_not_help_to_foretell_visits(world):
    assert EX.p1.facts["low"] <= 0
    assert EX.p1.facts.expected == "c"


def test_only_the_shops_own_record_is_missed(table):
    without = {
        name: [c for c in EX.known["COLUMNS"] if c not in group]
        for name, group in EX.known["GROUPS"].items()
    }
    found = compare_sets(table, FORETELL, {"all": EX.known["COLUMNS"], **without})["value"]
    assert found["all"] < 0.1  # mostly chance
    assert found["what they bought"] < 0.3 * found["all"]
    assert (found.drop(["all", "what they bought"]) > 0.9 * found["all"]).all()


def test_few_columns_do_better_than_all_on_customers_kept_apart(table):
    found = minimize(table, FORETELL, EX.known["COLUMNS"], tolerance=0.1, beam=2)
    assert found.verdict == "confirmed"
    assert set(found.minimal) == set(FEW)
    assert "age" in found.minimal
    assert found.loss.high < 0


def test_search_names_two_leaks_and_misses_the_third(world):
    columns = world.campaign.columns.drop(["customer_id", "visit"])
    leaks = find_leaks(world.campaign, "visit", columns).set_index("column")["verdict"]
    assert set(leaks.index[leaks != ""]) == {"conversion", "spend"}
    assert EX.q2.facts["after"] == {"conversion", "spend", "unsubscribed"}


def test_spend_multiplies_what_the_model_explains(table):
    found = compare_sets(table, FORETELL, {"few": FEW, "leaky": [*FEW, "spend"]})
    assert found["value"]["leaky"] > 2 * found["value"]["few"]


def test_guesses_seem_to_help_targeting_but_not_beside_age(table):
    mail = Targeting("visit", "arm", "sports_mail", "no_mail")
    assert value_of(table, mail, EX.known["GUESSES"]).low > 0
    beside = value_of(table, mail, ["age", *EX.known["GUESSES"]], than=["age"])
    assert beside.low < 0 < beside.high
    assert table["health_interest"].corr(table["age"], method="spearman") > 0.2


def test_asking_beats_watching_most_for_newcomers(world):
    report = EX.known["asking"]
    of = report.table[report.table["measure"] == "interest"].set_index("method")
    assert of.loc["nothing", "high"] < of.loc["watching", "low"]
    assert of.loc["watching", "high"] < of.loc["asking", "low"]
    by = report.by_history.set_index("history")
    assert by["difference"].idxmax() == "0"
    assert by["low"].iloc[-1] < 0 < by["high"].iloc[-1]
    assert EX.p2.facts.expected == "a"


def test_weighing_serves_rare_tastes_worse_than_obeying(world):
    favourite = world.preferences.query("question == 'favourite_category'")
    favourite = favourite.set_index("customer_id")["answer"]
    offers = EX.known["asking"].offers[["asking"]].assign(told=favourite).dropna().astype(str)
    true = world.truth.interests.set_index("customer_id").stack()
    liking = offers.apply(lambda c: true.loc[list(zip(c.index, c, strict=True))].to_numpy())
    assert liking["told"].mean() > liking["asking"].mean() + 0.01
    followed = (offers["asking"] == offers["told"]).groupby(offers["told"]).mean()
    assert (followed[["fashion", "sports"]] > 0.9).all()
    assert (followed.drop(["fashion", "sports"]) < 0.5).all()
    gain = (liking["told"] - liking["asking"]).groupby(offers["told"]).mean()
    assert (gain > 0).all()


def test_each_question_is_refused_by_more_and_the_first_carries_nearly_all(world):
    quality = answer_quality(world.preferences, world.truth.answers).set_index("question")
    assert quality["refused"].is_monotonic_increasing
    assert quality["false"].between(0.1, 0.2).all()
    ranked = EX.known["asking"].questions.set_index("question")
    assert ranked["total"].iloc[0] > 0.85 * ranked["total"].max()
    assert quality.index[0] == ranked.index[0] == "favourite_category"
    assert (ranked.loc[list(quality.index[2:]), "low"] < 0).all()
    assert EX.q5.facts["useful"] == {"favourite_category", "second_category"}


def test_data_do_not_age_here_and_deleting_costs(world):
    kept = EX.known["kept"].table.set_index("days")
    worth = kept["value_per_1000"]
    assert worth.max() < 1.4 * worth.min()  # "goes up and down a little"
    assert worth.iloc[-1] > 0.95 * worth.iloc[0]  # "and does not fall with age"
    assert (kept["loss_low"].iloc[:-1] > 0).all()


def test_the_columns_what_if_moves_and_says_its_figures(table):
    from ethicalai_lab.widgets.column_groups import column_groups

    shown = column_groups(table, FORETELL, EX.known["GROUPS"])
    assert "You keep 18 of 18 columns: 100%" in shown.figure.alt
    fewer = shown.set(group_4=False)
    assert "You keep 16 of 18 columns" in fewer.figure.alt
    assert fewer.figure.png() != shown.figure.png()
    nothing = shown.set(**{f"group_{i}": False for i in range(5)}).figure.alt
    assert "You keep 0 of 18 columns: 0%" in nothing
    whole = value_of(table, FORETELL, EX.known["COLUMNS"]).value
    assert f"all 18 columns: {100 * whole:.1f} %" in fewer.figure.alt


def test_the_preference_centre_follows_the_customer_at_once(world):
    from ethicalai_lab.widgets.preference_centre import preference_centre

    model = learn_preferences(
        world.events,
        world.products,
        world.preferences,
        at="2025-11-01",
        questions=["favourite_category", "second_category", "least_category"],
    )
    who = world.customers["customer_id"].iloc[5]
    seen = watched(world.events, world.products, [who]).loc[who]
    shown = preference_centre(model, world.events, world.products, seen)
    popular = model.average.idxmax()
    assert shown.figure.alt.startswith(f"Offered first: {popular}.")
    assert "52 mails a year" in shown.figure.alt
    for category in model.categories:
        told = shown.set(favourite=category)
        assert told.figure.alt.startswith(f"Offered first: {category}.")
        goods = world.products.loc[world.products["category"] == category, "name"]
        assert sum(name in told.figure.alt for name in goods) >= 3
        if category != popular:
            assert told.figure.png() != shown.figure.png()
    assert not shown.set(least=popular).figure.alt.startswith(f"Offered first: {popular}.")
    assert "0 mails a year" in shown.set(often="never").figure.alt
    assert shown.set(price="premium").figure.alt != shown.set(price="basic").figure.alt
    assert shown.set(watch=True).figure.alt != shown.figure.alt
    scores = model.predict({"favourite_category": "garden"})["score"]
    told = shown.set(favourite="garden", least="garden").figure.alt
    assert told == shown.figure.alt  # two answers that contradict each other count as open
    told = shown.set(favourite="garden").figure.alt
    assert f"garden, said most liked {scores['garden']:.2f}" in told
    assert np.isfinite(scores).all()
