"""Notices: each sentence rests on computed facts, and changes when they do."""

import dataclasses
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.explainability._themes import COLOURS
from ethicalai_lab.explainability.cards import Card, Entry
from ethicalai_lab.explainability.disclosures import ai_disclosure
from ethicalai_lab.explainability.errors import ExplanationError
from ethicalai_lab.explainability.notices import LAYERS, Fact, Sentence, offer_notice
from ethicalai_lab.explainability.reading import count_syllables, reading_ease
from ethicalai_lab.policy import Policy

COLUMNS = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot"]


def contributions(columns, coefficients, rows, person):
    """Exact attributions of a linear model: coefficient times distance from the mean."""
    parts = coefficients * (rows[person] - rows.mean(axis=0))
    return [(c, float(rows[person, j]), float(parts[j])) for j, c in enumerate(columns)]


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(400, len(COLUMNS))).round(3)
    target = rows @ np.array([2.0, -1.5, 1.0, 0.7, -0.4, 0.2]) + rng.normal(0, 0.1, 400)
    coefficients = np.linalg.lstsq(rows, target, rcond=None)[0]
    return rows, coefficients


def notice(reasons, **more):
    return offer_notice(**{"offer": "the mail", "sender": "the shop", "reasons": reasons} | more)


def why(made):
    return [s.text for s in made.sentences if s.topic == "why"]


def named(text):
    return [c for c in COLUMNS if re.search(rf"\b{c}\b", text)]


# -- bound to what was computed ---------------------------------------------------


def test_reasons_are_the_positive_contributions_in_order(fitted):
    rows, coefficients = fitted
    for person in range(60):
        reasons = contributions(COLUMNS, coefficients, rows, person)
        expected = [c for c, _, part in sorted(reasons, key=lambda r: -r[2]) if part > 0][:3]
        said = [name for text in why(notice(reasons)) for name in named(text)]
        assert said == expected
        line = notice(reasons, layer="one_line").sentences[0].text
        assert named(line) == expected[:1]


@pytest.mark.parametrize("layer", ["one_line", "layered", "full_text"])
def test_a_broken_model_changes_the_sentences(fitted, layer):
    rows, coefficients = fitted
    shuffled = coefficients[[1, 2, 3, 4, 5, 0]]
    for person in range(40):
        reasons = contributions(COLUMNS, coefficients, rows, person)
        honest = notice(reasons, layer=layer)
        negated = notice(contributions(COLUMNS, -coefficients, rows, person), layer=layer)
        assert honest.text != negated.text
        # what spoke for the offer now speaks against it: no reason is kept
        before = {n for s in honest.sentences if s.topic == "why" for n in named(s.text)}
        after = {n for s in negated.sentences if s.topic == "why" for n in named(s.text)}
        assert not before & after
        if layer != "one_line":
            other = notice(contributions(COLUMNS, shuffled, rows, person), layer=layer)
            assert why(other) != why(honest)


def test_a_dropped_column_is_no_longer_named(fitted):
    rows, coefficients = fitted
    tried = 0
    for person in range(40):
        reasons = contributions(COLUMNS, coefficients, rows, person)
        best, _, part = max(reasons, key=lambda r: r[2])
        if part <= 0:
            continue  # nothing spoke for the offer, so no reason can be dropped
        tried += 1
        kept = [r for r in reasons if r[0] != best]
        assert best in named(notice(reasons).text)
        assert best not in named(notice(kept).text)
        assert why(notice(kept)) != why(notice(reasons))
    assert tried > 30


def test_a_changed_value_or_weight_changes_the_sentence():
    first = notice([("alpha", 1, 0.6), ("bravo", 2, 0.4)])
    assert "alpha (1), about 60%" in first.text
    assert "alpha (3), about 60%" in notice([("alpha", 3, 0.6), ("bravo", 2, 0.4)]).text
    assert "alpha (1), about 75%" in notice([("alpha", 1, 1.2), ("bravo", 2, 0.4)]).text


numbers = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=80)
@given(
    parts=st.lists(numbers, max_size=len(COLUMNS)),
    layer=st.sampled_from(LAYERS),
    limit=st.integers(0, 7),
    traits=st.sets(st.sampled_from(COLUMNS)),
)
def test_no_sentence_without_facts_and_no_invented_reason(parts, layer, limit, traits):
    reasons = [(c, 5, part) for c, part in zip(COLUMNS, parts, strict=False)]
    made = notice(reasons, layer=layer, reasons_shown=limit, sensitive=traits, inferred=traits)
    by_name = {c: part for c, _, part in reasons}
    for sentence in made.sentences:
        assert sentence.facts
        computed = {
            f.name.removeprefix("contribution of "): f.value
            for f in sentence.facts
            if f.name.startswith("contribution of ")
        }
        # whichever column is named has its own contribution among the sentence's facts
        for name in named(sentence.text):
            assert computed[name] == by_name[name] != 0
            if sentence.topic == "why" or sentence.text.startswith("The mail comes"):
                assert by_name[name] > 0
    positive = sum(part > 0 for part in parts)
    if layer in ("layered", "full_text"):
        assert sum(len(named(text)) for text in why(made)) == min(limit, positive)
    assert (made.text == "") == (layer == "none") == (made.html == "")


@pytest.mark.parametrize(
    ("parts", "word", "opening"),
    [
        ([0.51, 0.49], "mainly", "What counted most for it"),
        ([0.4, 0.3, 0.3], "partly", "What counted most for it"),
        ([0.5, 0.5], "partly", "What counted for it, as much as the next"),
        ([0.5, -9.0], "mainly", "What counted most for it"),
    ],
)
def test_mainly_is_said_of_more_than_half_only(parts, word, opening):
    made = notice([(c, 1, part) for c, part in zip(COLUMNS, parts, strict=False)])
    assert made.sentences[0].text == f"The mail comes from the shop {word} because of alpha (1)."
    assert any(fact.name == "share of alpha" for fact in made.sentences[0].facts)
    assert why(made)[0].startswith(f"{opening}: alpha (1)")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.004, "0.004"), (-0.0004, "-0.0004"), (0.0, "0"), (43.0, "43"), (math.inf, "not known")],
)
def test_a_small_value_is_not_called_nothing(value, shown):
    assert f"alpha ({shown})" in notice([("alpha", value, 1.0)]).text


def test_data_that_made_no_difference_is_said_to_have_made_none():
    assert "None of the data that was looked at made a difference." in notice([("a", 1, 0.0)]).text
    assert "It is not known which data was used." in notice(None).text


def test_a_sentence_on_nothing_cannot_be_made():
    with pytest.raises(ExplanationError, match="rests on no fact"):
        Sentence("You like tea.", ())
    with pytest.raises(ExplanationError, match="rests on no fact"):
        Sentence("You like tea.", ("a hunch",))
    with pytest.raises(dataclasses.FrozenInstanceError):
        Fact("a", 1, "b").value = 2


@pytest.mark.parametrize("layer", ["one_line", "layered", "full_text"])
def test_without_computed_reasons_it_says_so(layer):
    for nothing in (None, []):
        made = notice(nothing, layer=layer)
        assert "No reason could be found for this offer, so none is given." in made.text
        assert "because" not in made.text
    against = notice([("alpha", 1, -1.0)], layer=layer)
    assert "None of the data that was looked at speaks for this offer." in against.text
    assert "because" not in against.text


def test_sensitive_and_inferred_traits_are_named_even_when_they_spoke_against():
    reasons = [("alpha", 1, 0.4), ("bravo", 0.8, -0.3), ("charlie", 0.5, 0.0)]
    for layer in ("one_line", "layered", "full_text"):
        made = notice(reasons, layer=layer, sensitive=["bravo", "charlie"], inferred=["alpha"])
        assert "Sensitive data about you was used: bravo." in made.text
        assert "Guesses about you were used, which may be wrong: alpha." in made.text
        assert "charlie" not in made.text  # it was not weighed


def test_sources_and_control_are_stated_or_visibly_not():
    reasons = [("alpha", 1, 0.4), ("bravo", 2, -0.3)]
    told = notice(
        reasons, sources={"alpha": "your orders"}, stop="press Stop", jurisdiction="EU"
    ).text
    assert "From your orders: alpha." in told
    assert "Where this data came from is not stated: bravo." in told
    assert "To stop it: press Stop." in told
    assert "How to change what offers rest on is not stated." in told
    assert "at any time and free of charge" in told
    assert "How to stop it is not stated." in notice(reasons).text
    assert "free of charge" not in notice(reasons).text


# -- the policy decides --------------------------------------------------------------


def decided(**explanations):
    return (
        Policy()
        .decide("explanations", **{"method": "shapley_values", "notice": "layered"} | explanations)
        .decide("transparency", ai_disclosure="footer", data_source_shown=True)
    )


def test_the_policy_decides_layer_reasons_and_disclosure():
    reasons = [("alpha", 1, 0.5), ("bravo", 2, 0.3), ("charlie", 3, 0.2)]
    two = notice(reasons, policy=decided(reasons_shown=2))
    assert [n for t in why(two) for n in named(t)] == ["alpha", "bravo"]
    assert "There is 1 more reason." in two.text
    assert two.sentences[-2].text.startswith("It was chosen by a computer program")
    assert two.sentences[-1].text == "No person checked it before it was sent."
    upfront = decided(reasons_shown=2).decide("transparency", ai_disclosure="upfront")
    assert "(AI)" in notice(reasons, policy=upfront).sentences[1].text
    silent = decided(reasons_shown=2).decide("transparency", ai_disclosure="none")
    assert "(AI)" not in notice(reasons, policy=silent).text
    hidden = decided(reasons_shown=2).decide("transparency", data_source_shown=False)
    assert "chosen not to list the data used" in notice(reasons, policy=hidden).text
    review = decided(reasons_shown=2).decide("duty", human_review="on_request")
    assert "A person can look at it again if you ask." in notice(reasons, policy=review).text


def test_a_policy_without_reasons_shows_none():
    reasons = [("alpha", 1, 0.5)]
    zero = notice(reasons, policy=decided(reasons_shown=0))
    assert why(zero) == ["The sender has chosen to show no reasons."]
    method = notice(reasons, policy=decided(reasons_shown=3, method="none"))
    assert why(method) == ["The sender does not work out reasons, so none is given."]
    assert "because" not in zero.text + method.text
    assert notice(reasons, policy=Policy()).text == ""  # undecided: no notice
    assert math.isnan(notice(reasons, policy=Policy()).reading_ease)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer": "long"}, 'layer: there is no "long"'),
        ({"decided_by": "magic"}, 'decided_by: there is no "magic"'),
        ({"human_review": "never"}, 'human_review: there is no "never"'),
        ({"reasons_shown": -1}, "whole number from 0"),
        ({"offer": " "}, "offer: expected a text"),
        ({"reasons": [("alpha", 1)]}, "reasons, row 0: expected"),
        ({"reasons": [(3, 1, 0.5)]}, "the column must be a name"),
        (
            {"reasons": [("alpha", 1, math.nan)]},
            'column "alpha": the contribution must be a finite',
        ),
        ({"reasons": [("alpha", 1, True)]}, 'column "alpha": the contribution must be a finite'),
        ({"reasons": [("alpha", 1, 0.1), ("alpha", 1, 0.2)]}, '"alpha" comes twice'),
        (
            {"reasons": [("alpha", 1, -0.1), ("bravo", 1, 0.2)], "labels": {"alpha": "bravo"}},
            'would both be called "bravo"',
        ),
        ({"sensitive": "alpha"}, "sensitive: expected a list of columns"),
        ({"inferred": "alpha"}, "inferred: expected a list of columns"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(ExplanationError, match=re.escape(message)):
        notice(**{"reasons": [("alpha", 1, 0.5)]} | change)


# -- the card ---------------------------------------------------------------------


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.tags, self.data = [], [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.data.append(data)


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_card_is_accessible_and_holds_the_same_words():
    made = notice([("alpha", 1, 0.5)], stop="press Stop")
    card = made.html
    reader = Reader()
    reader.feed(card)
    assert not reader.open
    tags = [tag for tag, _ in reader.tags]
    section = reader.tags[0][1]
    heading = dict(next(attrs for tag, attrs in reader.tags if tag == "h2"))
    assert section["lang"] == "en"
    assert section["aria-labelledby"] == heading["id"]
    assert tags.count("details") == tags.count("summary") == 3
    assert set(tags) <= {"section", "style", "h2", "p", "details", "summary"}
    assert not re.search(r"https?:|url\(|@import|<script|src=|href=", card)
    words = " ".join(reader.data)
    assert all(sentence.text in words for sentence in made.sentences)
    full = notice([("alpha", 1, 0.5)], layer="full_text").html
    assert "<details" not in full
    assert full.count("<h3>") == 3


def test_contrast_in_light_and_dark():
    card = notice([("alpha", 1, 0.5)]).html
    pairs = re.findall(r"\{color:(#\w{6});background:(#\w{6})", card)
    assert pairs == [COLOURS["light"], COLOURS["dark"]] * 2
    for ink, paper in pairs:
        low, high = sorted((luminance(ink), luminance(paper)))
        assert (high + 0.05) / (low + 0.05) >= 4.5
    assert set(re.findall(r"#[0-9a-f]{6}\b", card)) == {
        c for pair in COLOURS.values() for c in pair
    }


@pytest.mark.parametrize("selector", [".eal-notice", ".eal-disclosure", ".eal-card"])
def test_the_page_has_the_last_word_on_light_and_dark(selector):
    shown = {
        ".eal-notice": lambda: notice([("alpha", 1, 0.5)]),
        ".eal-disclosure": lambda: ai_disclosure(Policy()),
        ".eal-card": lambda: Card("A card", {"Use": [Entry("Q", None, "", measured=False)]}),
    }[selector]()
    css = re.search(r"<style>(.*?)</style>", shown._repr_html_(), re.DOTALL)[1]
    rules = re.findall(r"([^{}]+)\{([^{}]*(?:#\w{6})[^{}]*)\}", css)
    where = [place.strip() for place, _ in rules if "--line" in _ or "background:#" in _]
    # later and more specific rules win: the page's theme over the system's
    assert where == [
        selector,
        selector,
        f'[data-jp-theme-light="true"] {selector},.vscode-light {selector}',
        f'[data-jp-theme-light="false"] {selector},.vscode-dark {selector}',
    ]
    assert css.index("prefers-color-scheme:dark") < css.index("[data-jp-theme-light")


@settings(max_examples=40)
@given(text=st.text(max_size=30))
def test_foreign_text_stays_text(text):
    hostile = f"<script>alert(1)</script>{text}\n\nWho decided\nA person."
    made = notice(
        [("alpha", hostile, 0.5)],
        offer=hostile,
        sender=hostile,
        stop=hostile,
        change=hostile,
        labels={"alpha": hostile},
        sources={"alpha": hostile},
    )
    reader = Reader()
    reader.feed(made.html)
    assert {tag for tag, _ in reader.tags} == {"section", "style", "h2", "p", "details", "summary"}
    assert [line for line in made.text.splitlines() if line == "Who decided"] == []


# -- reading ease ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentences", "words", "syllables"),
    [
        ("The cat sat on the mat.", 1, 6, 6),
        ("We made this offer because you looked at shoes. You can stop it.", 2, 13, 15),
        # com-pu-ter pro-gram chose it for you / no per-son checked it be-fore
        ("A computer program chose it for you. No person checked it before.", 2, 12, 17),
        ("Is it 3.5 percent? Yes: it is!", 3, 7, 9),
        ("Marketing organisations evaluate personalization.", 1, 4, 18),
    ],
)
def test_reading_ease_of_hand_counted_sentences(text, sentences, words, syllables):
    expected = 206.835 - 1.015 * words / sentences - 84.6 * syllables / words
    assert reading_ease(text) == pytest.approx(expected, abs=1e-9)


def test_syllables_of_common_words():
    expected = {
        1: "mail stopped makes sea free don't shop's looked",
        2: "offer table wanted boxes people being business social region station client science "
        "reason AI million because",
        3: "video idea various usual",
        4: "society reliable evaluate",
    }
    for count, words in expected.items():
        for word in words.split():
            assert count_syllables(word) == count, word


def test_a_notice_reads_as_plain_english():
    reasons = [("last_purchase", 2, 0.5), ("sports_spend", 120, 0.3)]
    made = notice(reasons, sources={"sports_spend": "your orders"}, stop="press Stop")
    assert made.reading_ease == reading_ease(" ".join(s.text for s in made.sentences))
    assert made.reading_ease >= 60


@pytest.mark.parametrize("text", ["", " ... ", None])
def test_no_words_no_reading_ease(text):
    with pytest.raises(ExplanationError, match=r"^text: "):
        reading_ease(text)
