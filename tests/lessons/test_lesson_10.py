"""What lesson 10 says in words, held to the world that it is said about."""

import pandas as pd
import pytest

from ethicalai_lab.explainability import (
    linear_attributions,
    offer_notice,
    reading_ease,
    trust_after,
    vulnerability_targeting,
)
from ethicalai_lab.lessons import lesson
from ethicalai_lab.lessons.bargains import bargains
from ethicalai_lab.lessons.lesson import course_world
from ethicalai_lab.widgets.why_am_i_seeing_this import named, why_am_i_seeing_this

EX = lesson("10")

OWN, GUESSED = MODELS = ("own data", "with guesses")
TOLD = {"offer": "the bargain mail", "sender": "the shop", "stop": "press Stop in any mail"}


@pytest.fixture(scope="module")
def world():
    return course_world()


@pytest.fixture(scope="module")
def lists(world):
    return {name: EX.known[name] for name in ("models", "listed", "accounts")}


@pytest.fixture(scope="module")
def case(world, lists):
    """Return the customer of the story, as the notebook finds it."""
    own, guess = (lists["listed"][name] for name in MODELS)
    table = EX.known["table"]
    added = guess & ~own & table.index.isin(EX.known["shop"].looked.index)
    order = table.loc[added, EX.known["MONEY"]].sort_values(kind="stable").index
    return order[len(order) // 2]


@pytest.fixture(scope="module")
def card(world, lists, case):
    accounts = {name: lists["accounts"][name] for name in (GUESSED, OWN)}
    return why_am_i_seeing_this(
        accounts,
        {"the customer": case},
        inferred=list(EX.known["GUESSES"].values()),
        places=world.customers.set_index("customer_id")["jurisdiction"].astype(str),
        **TOLD,
    )


def test_what_the_shop_knows_leaves_the_last_quarter_out(world):
    shop = bargains(world)
    events = world.events.merge(world.products, on="product_id")
    third = world.products.groupby("category", observed=True)["price"].rank(pct=True) <= 1 / 3
    cheap = set(world.products.loc[third, "product_id"])
    assert set(shop.offers.index) == cheap
    assert len(shop.own) == len(world.customers)
    early = events[events["time"] < "2025-10-01"]
    bought = early[(early["kind"] == "purchase") & early["product_id"].isin(cheap)]
    assert shop.own["bargains_bought"].sum() == len(bought)
    seen = early[early["kind"] == "view"]
    own = shop.own[["bargains_looked_at", "dearer_things_looked_at"]]
    assert own.to_numpy().sum() == len(seen)
    assert (shop.looked["time"] < "2025-10-01").all()
    assert set(shop.looked["product_id"]) <= cheap
    someone = shop.bought.index[0]
    late = events[(events["time"] >= "2025-10-01") & (events["kind"] == "purchase")]
    mine = late.loc[late["customer_id"] == someone, "product_id"]
    assert shop.bought[someone] == mine.isin(cheap).any()


def test_the_two_claims_of_the_story_are_false_and_the_third_cannot_be_checked(world, case):
    shop, claims = EX.known["shop"], EX.known["claims"]
    product = shop.looked.loc[case, "product_id"]
    mine = claims[claims["text"] == shop.offers.index.get_loc(product)].set_index("kind")
    assert mine.loc["stock", "holds"] is False
    assert mine.loc["stock", "true"] > 10  # not by a hair
    assert mine.loc["end", "holds"] is False
    assert mine.loc["end", "said"] == 6
    assert mine.loc["vague", "holds"] is None
    seen = pd.crosstab(claims["kind"], claims["holds"].map({True: "yes", False: "no"}))
    assert (seen.loc[["stock", "end"]] > 0).all().all()  # some are true, too
    assert EX.q1.facts["expected"] > 0.8


def test_the_person_of_the_story_is_poor_and_the_reason_is_a_guess(world, lists, case):
    person = world.customers.set_index("customer_id").loc[case]
    incomes = world.customers["household_income"]
    assert person["household_income"] < incomes.quantile(0.25)
    parts = lists["accounts"][GUESSED].values.loc[case]
    assert parts.idxmax() == EX.known["MONEY"]
    assert parts[EX.known["MONEY"]] > 1.5 * parts.drop(EX.known["MONEY"]).max()


def test_the_guesses_hit_hardly_more_and_reach_the_worried(world):
    assert EX.p1.facts.expected == "c"
    facts = EX.p1.facts
    assert 0 < facts["hits_guess"] - facts["hits_own"] < 0.03
    assert facts["stress_guess"] - facts["stress_own"] > 0.1


def test_beyond_relevance_nothing_is_left_by_own_data_and_most_by_guesses(world, lists):
    table = EX.known["table"]
    model = lists["models"][OWN]
    score = model.decision_function(table[model.feature_names_in_])
    found = {
        name: vulnerability_targeting(
            lists["listed"][name], table[EX.known["MONEY"]], relevance=score, n_boot=100
        )
        for name in MODELS
    }
    assert found[OWN].loc["unadjusted", "low"] > 0.05
    assert abs(found[OWN].loc["beyond relevance", "value"]) < 0.001
    rises = found[GUESSED]["value"]
    assert rises["beyond relevance"] > 0.6 * rises["unadjusted"]
    health = vulnerability_targeting(
        lists["listed"][GUESSED], table["guessed_health_worries"], relevance=score, n_boot=100
    )
    assert 0 < health.loc["beyond relevance", "low"] < 0.05


def test_personal_prices_have_two_halves(world):
    facts = EX.q4.facts
    assert facts["profit"] > 0.05
    assert facts["less"] > 0.5 > facts["more"]
    assert facts["expected"] < -0.04


def test_the_sentence_follows_the_model(world, lists, case):
    table = EX.known["table"]
    learn = EX.known["shop"].bought
    learn = learn[learn.index % 2 == 0]
    mixed = learn.sample(frac=1, random_state=1).set_axis(learn.index)
    model = type(lists["models"][GUESSED])(lists["models"][GUESSED].steps)
    columns = list(table)
    from sklearn.base import clone

    broken = clone(model).fit(table.loc[mixed.index, columns], mixed)
    accounts = {**lists["accounts"], "broken": linear_attributions(broken, table, table)}
    said = {}
    for name, account in accounts.items():
        parts = account.values.loc[case]
        reasons = list(zip(parts.index, table.loc[case, parts.index], parts, strict=True))
        said[name] = offer_notice(reasons=reasons, layer="one_line", **TOLD).sentences[0].text
    assert len(set(said.values())) == 3
    assert "guessed money worries" in said[GUESSED]
    assert "guessed" not in said[OWN]


def test_the_layer_that_is_seen_first_names_no_worse_reading_than_plain_english(card):
    full = card.figure.notice
    first = " ".join(s.text for s in full.sentences if s.topic == "line")
    assert reading_ease(first) > 60
    assert full.reading_ease > 60
    assert len(first.split()) < 0.3 * len(full.text.split())


def test_visits_tell_nothing_and_stated_trust_does(world):
    assert EX.p2.facts.expected == "c"
    for name, trial in EX.known["trials"].items():
        visits = trial.table.query("outcome == 'visit' and level != 'none'")
        assert ((visits["difference_low"] < 0) & (visits["difference_high"] > 0)).all()
        trust = trial.table.query("outcome == 'stated_trust'").set_index("level")
        if name == OWN:
            told = trust.drop(index="none")
            assert ((told["difference_low"] < 0) & (told["difference_high"] > 0)).all()
        else:
            assert (trust.loc[["one_line", "layered"], "difference_high"] < -0.1).all()
            full = trust.loc["full_text"]
            assert full["difference_low"] < 0 < full["difference_high"]
            assert full["difference_truth"] > 0.3 * trust.loc["layered", "difference_truth"]


def test_those_who_care_most_lose_most_and_the_trial_alone_would_not_show_it(world):
    bands = EX.known["trials"][GUESSED].by_band
    rows = bands.query("outcome == 'stated_trust' and level == 'layered'").set_index("band")
    assert rows["difference_truth"].is_monotonic_decreasing
    assert rows["difference_low"].max() < rows["difference_high"].min()  # they overlap


def test_silence_wins_until_people_find_out(world):
    assert EX.p3.facts.expected == "a"
    turns = EX.known["turned"]
    assert (turns["difference"] > 0).all()  # none above layered
    assert turns.loc["discovery", "turns_at"] > 0.4
    assert (turns.loc[["noticed", "ai_told_loss"], "result"] == "vanishes").all()


def test_a_notice_does_not_repair_a_mail(world):
    people = world.truth.people

    def change(**how):
        return float((trust_after(people, **how) - people["trust"]).mean())

    sent = change(disclosure="none", acceptable=False, ai_disclosed=False, false_claims=1.0)
    told = change(disclosure="layered", acceptable=False, false_claims=1.0)
    clean = change(disclosure="layered", acceptable=False)
    kept = change(disclosure="layered", acceptable=True)
    assert told < sent < 0
    assert told < clean < 0
    assert abs(kept) < 0.01


def test_the_card_says_what_the_model_weighed_and_what_is_kept_quiet(card, lists, case):
    parts = lists["accounts"][GUESSED].values.loc[case]
    alt = card.figure.alt
    assert f"guessed money worries {parts[EX.known['MONEY']]:+.2f}, named as a reason" in alt
    assert "bargains bought" in alt
    line = card.set(level="one_line").figure
    assert "bargains looked at +0.20, not named" in line.alt
    assert "guessed health worries +0.05, named as data only" in line.alt  # a guess is never hidden
    none = card.set(level="none").figure
    assert "no notice" in none.alt
    assert "gets no notice" in none._repr_html_()
    own = card.set(model=OWN).figure
    assert "guessed" not in own.notice.text
    assert "guessed" not in own.alt
    few = card.set(reasons=1).figure
    assert "bargains looked at +0.20, named as data only" in few.alt
    hidden = card.set(reasons=1, source=False).figure
    assert "bargains looked at +0.20, not named" in hidden.alt
    shown = {f._repr_html_() for f in (card.figure, line, none, own, few, hidden)}
    assert len(shown) == 6


def test_the_card_is_the_notice_of_the_room(card):
    page = card.figure._repr_html_()
    assert page.startswith(card.figure.notice.html)
    assert page.count("<img") == 1
    layered = card.set(level="layered").figure._repr_html_()
    assert "<details>" in layered
    assert "It was chosen by a computer program" not in card.set(ai="none").figure.notice.text


def test_named_reads_the_facts_not_the_words():
    notice = offer_notice(
        **TOLD, reasons=[("looks", 4, 0.5), ("worry", 1, 0.2), ("age", 3, -0.1)], reasons_shown=1
    )
    assert named(notice, "looks", "looks") == "named as a reason"
    assert named(notice, "worry", "worry") == "named as data only"
    assert named(notice, "age", "age") == "named as data only"
    assert named(notice, "income", "income") == "not named"
