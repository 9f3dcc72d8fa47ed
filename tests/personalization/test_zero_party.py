"""Asking against watching, judged by the world's truth."""

import numpy as np
import pandas as pd
import pytest

from ethicalai_lab.errors import InputError
from ethicalai_lab.personalization.zero_party import (
    answer_quality,
    compare_asking,
    learn_preferences,
    said,
    shelf,
    watched,
)
from ethicalai_lab.world import WorldConfig, make_world


@pytest.fixture(scope="module")
def report(world):
    return compare_asking(
        world.events,
        world.products,
        world.preferences,
        at="2025-11-01",
        interests=world.truth.interests,
    )


def test_both_sources_beat_neither_and_asking_beats_watching(report):
    table = report.table[report.table["measure"] == "interest"].set_index("method")
    assert table.loc["watching", "low"] > table.loc["nothing", "high"]
    assert table.loc["asking", "low"] > table.loc["watching", "high"]
    assert table.loc["both", "value"] > table.loc["watching", "value"]


def test_asking_pays_most_where_there_is_no_history(report):
    table = report.by_history.set_index("history")
    assert table.loc["0", "low"] > 0
    assert table.loc["0", "difference"] > table.loc["6-10", "high"]
    assert table["customers"].sum() == len(report.offers)


def test_few_questions_carry_nearly_all(report):
    first = report.questions.iloc[0]
    assert first["question"] == "favourite_category"
    assert first["low"] > 0
    total = report.questions["total"]
    assert total.iloc[1] > 0.9 * total.max()
    # questions about other things add nothing to knowing interests
    tail = report.questions.set_index("question").loc[["contact_frequency", "shops_for"]]
    assert (tail["low"] < 0.005).all()
    np.testing.assert_allclose(report.questions["gain"].cumsum(), total, atol=1e-12)


def test_lies_and_refusals_are_counted(world):
    quality = answer_quality(world.preferences, world.truth.answers)
    assert quality["refused"].is_monotonic_increasing
    truth = world.truth.answers.astype({"question": str}).merge(
        world.preferences.astype({"question": str}),
        on=["customer_id", "question"],
        suffixes=("", "_said"),
    )
    given = truth[truth["answer_said"].notna()]
    assert quality["false"].mean() == pytest.approx(1 - given["truthful"].mean(), abs=0.01)


def test_worry_makes_answers_rarer_and_less_true():
    calm, wary = (
        answer_quality(w.preferences, w.truth.answers)
        for w in (make_world(6_000, config=WorldConfig(privacy_concern=c)) for c in (0.2, 0.8))
    )
    assert (wary["refused_low"] > calm["refused_high"]).all()
    assert (wary["false"] > calm["false"]).all()


def test_tables_by_hand():
    events = pd.DataFrame(
        {
            "customer_id": [1, 1, 2, 9],
            "kind": ["view", "view", "purchase", "view"],
            "product_id": [5, 6, 5, 5],
        }
    )
    products = pd.DataFrame({"product_id": [5, 6], "category": ["home", "beauty"]})
    table = watched(events, products, [1, 2, 3])
    assert table["view:home"].tolist() == [1, 0, 0]
    assert table["purchase:home"].tolist() == [0, 1, 0]
    answers = pd.DataFrame(
        {
            "customer_id": [1, 1, 2],
            "question": ["q", "q", "q"],
            "answer": ["old", "new", None],
            "time": pd.to_datetime(["2025-01-01", "2025-02-01", "2025-01-01"]),
        }
    )
    assert said(answers, [1, 2]).sum(axis=1).tolist() == [1, 0]
    assert said(answers, [1, 2])["q=new"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"at": "never"}, "never"),
        ({"at": "2020-01-01"}, "0 customers"),
    ],
)
def test_bad_input_is_named(world, change, word):
    options = {"at": "2025-11-01", "interests": world.truth.interests} | change
    with pytest.raises(InputError, match=word):
        compare_asking(world.events, world.products, world.preferences, **options)
    with pytest.raises(InputError, match="shoe_size"):
        learn_preferences(
            world.events,
            world.products,
            world.preferences,
            at="2025-11-01",
            questions=["shoe_size"],
        )


@pytest.fixture(scope="module")
def model(world):
    return learn_preferences(
        world.events,
        world.products,
        world.preferences,
        at="2025-11-01",
        questions=["favourite_category", "second_category", "least_category"],
    )


def test_a_persons_answers_move_the_offer(model):
    plain = model.predict()
    assert plain["lift"].eq(1).all()
    assert plain.index[0] == model.average.idxmax()
    for category in model.categories:
        told = model.predict({"favourite_category": category, "second_category": None})
        assert told.loc[category, "lift"] > 1
        assert told["lift"].idxmax() == category
        disliked = model.predict({"least_category": category})
        assert disliked.loc[category, "lift"] < told.loc[category, "lift"]


def test_weights_for_one_person_agree_with_ridge_on_everybody(world, model):
    from sklearn.linear_model import Ridge

    before = world.events["time"] < pd.Timestamp("2025-11-01")
    asked = world.preferences[world.preferences["time"] < pd.Timestamp("2025-11-01")]
    people = np.unique(asked["customer_id"])
    x = said(asked, people, list(model.options))
    later = watched(world.events[~before], world.products, people)
    total = np.stack(
        [later[[f"view:{c}", f"purchase:{c}"]].sum(axis=1) for c in model.categories], axis=1
    )
    acted = total.sum(axis=1) > 0
    share = total[acted] / total[acted].sum(axis=1, keepdims=True)
    fitted = Ridge(alpha=30.0).fit(x[acted], share / share.mean(axis=0))
    answers = {"favourite_category": "garden", "least_category": "sports"}
    row = pd.DataFrame(0, index=[0], columns=x.columns)
    row[["favourite_category=garden", "least_category=sports"]] = 1
    found = model.predict(answers)["lift"].reindex(model.categories)
    np.testing.assert_allclose(found, fitted.predict(row)[0], atol=1e-8)


def test_what_was_watched_moves_the_offer_too(model):
    for category in ("fashion", "sports"):  # those with enough events to learn from
        seen = pd.Series({f"view:{category}": 5, f"purchase:{category}": 3})
        assert model.predict({}, seen).index[0] == category
        assert model.predict({}, seen).loc[category, "lift"] > 1.2


@pytest.mark.parametrize(
    ("answers", "said_in"),
    [({"shoe_size": "9"}, "shoe_size"), ({"least_category": "cars"}, "cars")],
)
def test_unknown_questions_and_answers_are_named(model, answers, said_in):
    with pytest.raises(InputError, match=said_in):
        model.predict(answers)


def test_shelf_holds_the_most_bought_of_the_price_range(world):
    for price_range in ("basic", "classic", "premium"):
        found = shelf(world.events, world.products, category="home", price_range=price_range)
        assert (found["category"] == "home").all()
        assert found["bought"].is_monotonic_decreasing
    prices = [
        shelf(world.events, world.products, category="home", price_range=name)["price"]
        for name in ("basic", "classic", "premium")
    ]
    assert prices[0].max() <= prices[1].min() <= prices[1].max() <= prices[2].min()
    with pytest.raises(InputError, match="cars"):
        shelf(world.events, world.products, category="cars")
    with pytest.raises(InputError, match="cheap"):
        shelf(world.events, world.products, category="home", price_range="cheap")


def test_ranked_answers_are_taken_at_their_word(model):
    for category in model.categories:
        other = "home" if category != "home" else "sports"
        answers = {"favourite_category": category, "least_category": other}
        ranked = model.rank(answers)
        assert ranked.index[0] == category
        assert ranked.index[-1] == other
        assert ranked["told"].tolist() == ["favourite", "", "", "", "", "least"]
        between = ranked["score"].iloc[1:-1]
        assert between.is_monotonic_decreasing
    both = model.rank({"favourite_category": "home", "second_category": "garden"})
    assert both.index[:2].tolist() == ["home", "garden"]


def test_contradicting_answers_count_as_open(model):
    plain = model.rank()
    torn = model.rank({"favourite_category": "home", "least_category": "home"})
    pd.testing.assert_frame_equal(torn, plain)
    half = model.rank(
        {"favourite_category": "garden", "second_category": "home", "least_category": "home"}
    )
    assert half["told"].tolist() == ["favourite", "", "", "", "", ""]
    with pytest.raises(InputError, match="cars"):
        model.rank({"least_category": "cars"})
