"""What people are told: notices, claims of urgency, and the products they are shown."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ethicalai_lab.policy import informing, modelling, permission, repair, sections
from ethicalai_lab.policy.context import EvaluationContext
from ethicalai_lab.policy.stages import Graph, Memory, Needs, Settings, read, resampling_weights
from ethicalai_lab.world import CATEGORIES, make_world

MODULES = (permission, modelling, repair, informing)
GRAPH = Graph([s for m in MODULES for s in m.STAGES], informing.MEASURES)
METHOD, LAYER = "explanations.method", "explanations.notice"
SHOWN, CHANGES = "explanations.reasons_shown", "explanations.counterfactuals"
AI, SOURCE = "transparency.ai_disclosure", "transparency.data_source_shown"
URGENCY = "transparency.urgency_claims"
RECOMMENDER, WORDING = "personalization.recommender", "personalization.wording"
BASE = {path: sections.assumed(path) for path in sections.FIELDS} | {
    "personalization.targeting": "uplift",
    "personalization.share": 0.3,
    METHOD: "shapley_values",
    LAYER: "layered",
    SHOWN: 3,
    AI: "footer",
    SOURCE: True,
}


@pytest.fixture(scope="module")
def context():
    return EvaluationContext.of_world(make_world(4_000, seed=7))


@pytest.fixture(scope="module")
def memory():
    return Memory(40)


@pytest.fixture(scope="module")
def run(context, memory):
    return lambda fields=None: GRAPH.run(context, BASE | (fields or {}), memory)


@pytest.fixture(scope="module")
def scores(context):
    weights = resampling_weights(context.n, 100, 0)

    def measure(results):
        found = {}
        for key, step in GRAPH.measures.items():
            estimate = step.run(context, **{need: results[need] for need in step.needs})
            found[key.partition(".")[2]] = (
                None if isinstance(estimate, Needs) else read(estimate, weights)
            )
        return found

    return measure


def _again(context, results, name, values=None):
    step = GRAPH.stages[name]
    values = BASE | (values or {})
    return step.run(
        context,
        Settings({path: values[path] for path in step.reads}),
        **{need: results[need] for need in step.needs},
    )


# ------------------------------------------------------------------------------ notices


def test_exact_shares_give_true_reasons_and_one_list_for_all_gives_fewer(run):
    true = {
        method: run({METHOD: method})["notices"].reasons_true
        for method in ("shapley_values", "permutation_importance", "surrogate_model")
    }
    assert true["shapley_values"] == 1.0
    assert 0 < true["permutation_importance"] < 0.7
    assert 0 < true["surrogate_model"] < 1.0


def test_reasons_hold_when_scored_again_from_scratch(context, run):
    """The score's own slopes, found from the scores alone, bear the reasons out."""
    columns = ["recency", "history", "sports", "fashion", "age", "tenure_days"]
    results = run({"data.features": columns, SHOWN: 2})
    model, collection = results["model"], results["collection"]
    notices = results["notices"]
    fold = (context.chances("fold", context.n) < 0.5).astype(int)
    readers = np.flatnonzero(notices.read)
    checked = 0
    for person, text in zip(readers, notices.texts, strict=True):
        named = re.findall(r"(?:What counted most for it|Next): ([^(]+) \(", text)
        cell = (fold == fold[person]) & (model.offer == model.offer[person])
        design = np.column_stack([np.ones(cell.sum()), collection.matrix[cell]])
        slopes = np.linalg.lstsq(design, model.score[cell], rcond=None)[0][1:]
        change = slopes * collection.matrix[person]  # what is lost at the average
        by_column = np.bincount(collection.source, change, minlength=len(columns))
        best = np.argsort(-by_column)[: len(named)]
        assert {informing._label(columns[j]) for j in best} == set(named)
        checked += len(named)
    assert checked == notices.reasons.sum() > 60


def test_a_broken_account_of_the_model_is_noticed_by_reasons_alone(context, run, scores):
    results = run()
    model = results["model"]
    order = np.random.default_rng(0).permutation(context.n)
    broken = results | {"model": replace(model, contributions=model.contributions[order])}
    broken["notices"] = _again(context, broken, "notices")
    before, after = scores(results), scores(broken)
    assert before["reasons_true"].value == 1
    assert after["reasons_true"].value < 0.2
    for name in ("notice_share", "ai_told", "can_stop_told", "false_claims", "hidden_use"):
        assert after[name].value == before[name].value


@pytest.mark.parametrize(
    ("change", "moved"),
    [
        ({AI: "none"}, {"ai_told"}),
        ({LAYER: "none"}, {"notice_share", "can_stop_told", "reasons_true", "reading_ease"}),
        ({METHOD: "none"}, {"reasons_true"}),
        ({URGENCY: "never"}, {"false_claims"}),
        ({RECOMMENDER: "none"}, {"recommendation_interest"}),
        ({WORDING: "style_matched"}, {"messages_read"}),
        ({SOURCE: False}, {"data_source_told", "hidden_use"}),
    ],
)
def test_each_measure_is_found_in_the_texts_and_moves_alone(run, scores, change, moved):
    before, after = scores(run()), scores(run(change))
    for name in before:
        if name in ("words_shown", "reading_ease") and name not in moved:
            continue  # other sentences, other words
        first, second = (found[name] and found[name].value for found in (before, after))
        assert (first != second) == (name in moved), name


def test_what_is_told_is_read_from_the_words(run, scores):
    full, bare = run()["notices"], run({LAYER: "none", AI: "none", SOURCE: False})["notices"]
    assert full.ai[full.read].all()
    assert all("computer program" in text for text in full.texts)
    assert full.data[full.read & full.uses_data].all()
    assert full.choice_given
    assert full.ai_told
    assert full.shown
    assert not (bare.ai | bare.data | bare.stop | bare.has_notice).any()
    assert not bare.ai_told
    assert not bare.choice_given
    assert not bare.shown
    assert all("From " not in text and "program" not in text for text in bare.texts)
    assert bare.disclosure == "none"
    # without a notice the message can still say both, and it is found there
    line = run({LAYER: "none", AI: "upfront"})["notices"]
    assert line.ai[line.read].all()
    assert line.data[line.read & line.uses_data].all()
    assert line.texts[0].startswith("This message was chosen by")


def test_words_and_reading_ease_are_those_of_the_notice(run, scores):
    from ethicalai_lab.explainability import reading_ease

    short, long = run({LAYER: "one_line"}), run({LAYER: "full_text", SHOWN: 5})
    first, second = scores(short), scores(long)
    assert 0 < first["words_shown"].value < second["words_shown"].value
    notices = long["notices"]
    person = int(np.flatnonzero(notices.ease)[0])
    place = int(np.flatnonzero(np.flatnonzero(notices.read) == person)[0])
    body = notices.texts[place].partition("\n\n")[2]
    assert notices.ease[person] == pytest.approx(reading_ease(body), abs=0.5)
    assert notices.words[person] == len(body.split())


def test_use_that_is_not_accepted_is_hidden_unless_it_is_said(context, run, scores):
    said, unsaid = run(), run({LAYER: "none", SOURCE: False})
    notices = unsaid["notices"]
    assert scores(said)["hidden_use"].value == 0
    # guessed traits and protected columns are weighed for everyone whom the model chooses
    modelled = notices.read & notices.uses_data
    assert (notices.hides_unlawful == modelled).all()
    assert scores(unsaid)["hidden_use"].value == pytest.approx(modelled.sum() / notices.read.sum())
    # with nothing delicate, only those who do not accept it remain
    plain = {"data.features": ["recency", "history", "sports", "fashion"]}
    mild = run({LAYER: "none", SOURCE: False} | plain)
    found = mild["notices"]
    refused = found.read & found.uses_data & ~context.accepts[2]
    assert refused.any()
    assert (found.acceptable == ~(found.uses_data & ~context.accepts[2])).all()


def test_a_told_change_really_takes_the_mail_away(context, run):
    columns = ["recency", "history", "sports", "fashion", "age"]
    results = run({"data.features": columns, CHANGES: True})
    model, collection, chosen = results["model"], results["collection"], results["repair"]
    notices = results["notices"]
    cut = model.score[chosen.selected & chosen.ranked].min()
    fold = (context.chances("fold", context.n) < 0.5).astype(int)
    told = 0
    label = {informing._label(c): c for c in columns}
    for person, text in zip(np.flatnonzero(notices.read), notices.texts, strict=True):
        found = re.search(r"With (.+) at (\S+) instead of (\S+), this mail", text)
        assert bool(found) == bool(notices.counterfactual[person])
        if not found:
            continue
        column = label[found[1]]
        value = {"yes": 1.0, "no": 0.0}.get(found[2]) if column in ("sports", "fashion") else None
        value = float(found[2]) if value is None else value
        raw = collection.table[column].to_numpy(float)
        flat = np.log1p(raw) if column == "history" else raw
        again = np.log1p(value) if column == "history" else value
        row = collection.matrix[person].copy()
        row[collection.names.index(column)] = (again - flat.mean()) / flat.std()
        cell = (fold == fold[person]) & (model.offer == model.offer[person])
        design = np.column_stack([np.ones(cell.sum()), collection.matrix[cell]])
        line = np.linalg.lstsq(design, model.score[cell], rcond=None)[0]
        assert line[0] + row @ line[1:] < cut <= model.score[person] + 1e-12
        told += 1
    assert told > 10
    assert not run({CHANGES: False})["notices"].counterfactual.any()


def test_a_rule_of_points_is_explained_by_its_points(run, scores):
    results = run({"personalization.targeting": "rfm"})
    assert results["model"].contributions is None
    notices = results["notices"]
    assert scores(results)["reasons_true"].value == 1
    assert any("months since your last purchase (" in text for text in notices.texts)
    assert all("fixed rule" in text for text in notices.texts)


def test_nobody_contacted_gives_no_numbers(run, scores):
    found = scores(run({"personalization.targeting": "nobody"}))
    silent = ("notice_share", "reasons_true", "hidden_use", "recommendation_interest")
    assert all(found[name] is None or found[name].value is None for name in silent)


def test_the_same_seed_gives_the_same_texts(context):
    fields = {RECOMMENDER: "matrix_factorization", WORDING: "style_matched", CHANGES: True}
    first, second = (
        GRAPH.run(EvaluationContext.of_world(context.world, seed=3), BASE | fields, Memory())
        for _ in range(2)
    )
    assert first["notices"].texts == second["notices"].texts
    assert (first["recommending"].product == second["recommending"].product).all()
    assert (first["claims"].false_claim == second["claims"].false_claim).all()


# ------------------------------------------------------------------------------- claims


def test_claims_are_held_to_the_shelf(context, run, scores):
    loose, true, none = (
        run({URGENCY: rule})["claims"] for rule in ("any", "only_if_true", "never")
    )
    chosen = run()["repair"].selected
    assert (loose.claim == chosen).all()
    assert 0.3 < loose.false_claim.sum() / chosen.sum() < 1
    assert 0 < true.claim.sum() < chosen.sum()
    assert not true.false_claim.any()
    assert not none.claim.any()
    # by hand: whoever reads of "3 left" with more on the shelf, or of an end that is not today
    stock, ended, product = informing._shelf(context)
    item = product[run()["repair"].offer, np.arange(context.n)]
    hours = np.asarray((ended - context.as_of) / pd.Timedelta(hours=1))[item]
    by_hand = np.where(item % 2 == 1, stock[item] > 3, hours > 24) & chosen
    assert (loose.false_claim == by_hand).all()


def test_a_full_shelf_makes_claims_false_and_an_empty_one_makes_them_true(context, run):
    results = run({URGENCY: "any"})
    fresh = EvaluationContext.of_world(context.world)
    stock, _, product = informing._shelf(fresh)
    for units, hours, false in ((1, 6, 0.0), (500, 24 * 30, 1.0)):
        then = fresh.as_of + pd.to_timedelta(np.full(stock.size, hours), unit="h")
        fresh.__dict__["_shelf"] = np.full_like(stock, units), then, product
        found = _again(fresh, results, "claims", {URGENCY: "any"})
        chosen = results["repair"].selected
        assert found.false_claim.sum() / chosen.sum() == false


# ------------------------------------------------------------------------- recommending


@pytest.mark.parametrize("kind", ["popularity", "item_to_item", "matrix_factorization"])
def test_what_later_behaviour_says_agrees_with_true_interests(run, scores, kind):
    found = scores(run({RECOMMENDER: kind}))["recommendation_interest"]
    assert found.low <= found.truth <= found.high
    assert found.low < found.value < found.high


def test_only_those_who_permit_it_are_shown_more_than_what_is_popular(run):
    popular = run({RECOMMENDER: "popularity"})["recommending"]
    results = run({RECOMMENDER: "item_to_item"})
    found, personal = results["recommending"], results["permission"].practice[2]
    shown = np.flatnonzero(found.product >= 0)
    assert np.unique(popular.product[shown]).size == 1
    assert np.unique(found.product[shown]).size > 10
    assert (found.product[shown] == popular.product[shown])[~personal[shown]].all()
    assert (results["repair"].selected[shown]).all()
    assert set(np.unique(found.category)) <= set(range(-1, len(CATEGORIES)))


@pytest.mark.parametrize("seed", range(4))
def test_the_first_choice_is_the_recommenders_own(seed):
    from scipy import sparse

    from ethicalai_lab.personalization import ItemToItem, MatrixFactorization

    rng = np.random.default_rng(seed)
    dense = (rng.random((300, 30)) < 0.15) * rng.integers(1, 5, (300, 30)) * 1.0
    dense[0], dense[1] = 0.0, 1.0  # nothing known; nothing left to show
    seen = sparse.csr_matrix(dense)
    for fitted in (ItemToItem().fit(seen), MatrixFactorization(4, n_iterations=3).fit(seen)):
        found = informing._first(fitted, seen)
        assert (found == fitted.recommend(seen, k=1)[:, 0]).all()
        assert found[1] == -1


def test_nothing_is_learned_from_what_is_not_kept(context, run):
    results = run({RECOMMENDER: "item_to_item"})
    nobody = replace(results["collection"], kept=np.zeros(context.n, dtype=bool))
    found = _again(
        context, results | {"collection": nobody}, "recommending", {RECOMMENDER: "item_to_item"}
    )
    assert (found.product == -1).all()
    assert not found.later.any()


def test_messages_read_are_counted(context, run, scores):
    results = run({WORDING: "style_matched"})
    found, kept = results["recommending"], results["collection"].kept
    writers = np.isin(context.ids, context.world.messages["customer_id"].to_numpy())
    by_hand = writers & results["repair"].selected & results["permission"].practice[2] & kept
    assert by_hand.any()
    assert (found.messages_read == by_hand).all()
    assert scores(results)["messages_read"].value == pytest.approx(by_hand.mean())
    assert (found.style[by_hand] != "generic").all()
    assert (found.style[~by_hand] == "generic").all()
    # the style is read from the words, and mostly rightly
    truth = context.world.messages.groupby("customer_id")["language_style"].last()
    right = truth.reindex(context.ids[by_hand]).astype(str).to_numpy() == found.style[by_hand]
    assert right.mean() > 0.7
    assert not run()["recommending"].messages_read.any()
