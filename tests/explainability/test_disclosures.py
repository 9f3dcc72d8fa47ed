"""AI disclosure and privacy notice: open where nothing was said, changed where it was."""

import re

import pytest

from ethicalai_lab.explainability.disclosures import NOT_STATED, ai_disclosure, privacy_notice
from ethicalai_lab.explainability.errors import ExplanationError
from ethicalai_lab.policy import Policy
from ethicalai_lab.policy.sections import FIELDS, choices, is_list, limits

DOCUMENTS = (ai_disclosure, privacy_notice)
TOLD = {
    ai_disclosure: {
        "sender": "the shop",
        "paid_by": "the shop",
        "change": "your account page",
        "marking": "a metadata field",
        "emotion_recognition": False,
        "public_interest_text": False,
    },
    privacy_notice: {
        "controller": "the shop",
        "contact": "privacy@example.com",
        "columns": ["age", "region"],
        "sources": {"age": "you"},
        "recipients": [],
        "transfers": [],
        "data_protection_officer": "none",
        "legal_bases": {"analytics": "consent"},
        "legitimate_interests": [],
        "withdraw": "your account page",
        "stop": "press Stop",
        "authority": "the authority of your country",
        "required": "no",
    },
}


def values(path):
    """Two or more values that a policy field accepts."""
    words = choices(path)
    if is_list(path):
        return [[word] for word in (words or ("age", "region"))]
    if words:
        return list(words)
    if limits(path)[:2] != (None, None):
        low, high, excluded = limits(path)
        return [high, 1 if excluded or low < 1 <= high else low]
    return [True, False] if "bool" in str(FIELDS[path].annotation) else ["first", "second"]


def said(document, told=None):
    return {i.item: (i.text, i.source, i.given) for i in document.items} | (told or {})


@pytest.mark.parametrize("make", DOCUMENTS)
def test_a_changed_field_changes_exactly_the_rows_that_rest_on_it(make):
    seen = set()
    undecided = make(Policy(), **TOLD[make])
    for path in FIELDS:
        section, _, name = path.rpartition(".")
        # alone in its section, so that no other decision can contradict it
        made = [make(Policy().decide(section, **{name: v}), **TOLD[make]) for v in values(path)]
        for other in [undecided, *made[1:]]:
            changed = {i.item for i, j in zip(made[0].items, other.items, strict=True) if i != j}
            expected = {i.item for i in other.items if path in i.fields}
            assert changed == expected, path
            seen |= changed
    assert seen == {i.item for i in undecided.items if i.fields}


@pytest.mark.parametrize("make", DOCUMENTS)
def test_what_nobody_said_stays_open(make):
    blank = make(Policy())
    assert all(not item.given and NOT_STATED in item.text for item in blank.items)
    assert blank.open == blank.items
    assert blank.markdown.count("**open**") == len(blank.items)
    assert blank.html.count("<strong>open</strong>") == len(blank.items)
    assert blank.summary.startswith(f"0 of {len(blank.items)} rows")


@pytest.mark.parametrize("make", DOCUMENTS)
def test_what_the_organisation_tells_changes_its_rows_only(make):
    told = TOLD[make]
    policy = Policy().decide("consent", purposes=["analytics"])
    full = said(make(policy, **told))
    for name in told:
        less = said(make(policy, **{k: v for k, v in told.items() if k != name}))
        changed = [item for item in full if full[item] != less[item]]
        assert changed, name
        assert all(not less[item][2] and NOT_STATED in less[item][0] for item in changed)


@pytest.mark.parametrize("make", DOCUMENTS)
def test_a_row_is_given_only_when_nothing_in_it_is_open(make):
    full = make(Policy.default().decide("data", features=["age"]), **TOLD[make])
    bases = full["Legal basis"] if make is privacy_notice else None
    for item in full.items:
        assert item.given == (NOT_STATED not in item.text)
        assert item.given or item is bases


def test_each_purpose_needs_its_own_basis():
    policy = Policy().decide("consent", purposes=["analytics", "personalization"])
    half = privacy_notice(policy, legal_bases={"analytics": "consent"})["Legal basis"]
    assert half.text == f"Analytics: consent; personalization: {NOT_STATED}."
    assert not half.given
    both = {"analytics": "consent", "personalization": "consent"}
    assert privacy_notice(policy, legal_bases=both)["Legal basis"].given


def test_nobody_receives_it_is_an_answer():
    assert privacy_notice(Policy(), recipients=[])["Who receives it"].text == "Recipients: none."
    named = privacy_notice(Policy(), recipients=["Example Mailer", "Example Ads"])
    assert named["Who receives it"].text == "Recipients: Example Mailer; Example Ads."
    assert named["Who receives it"].given


@pytest.mark.parametrize("make", DOCUMENTS)
def test_sources_dates_and_what_it_is_not(make):
    made = make(Policy.default(), **TOLD[make])
    for text in (made.markdown, made.html):
        assert "not legal advice" in text
        assert not re.search(r"complian|compliant|\bcomplies\b|uncertain", text, re.IGNORECASE)
    assert all(re.match(r"(GDPR|DSA|AI Act) Art \d+", item.source) for item in made.items)
    assert all("as of mid-2026" in item.status for item in made.items)
    for item in made.items:
        if item.source.startswith("AI Act"):
            assert "2 Aug 2026" in item.source
            assert "secondary source" in item.status
        if item.source.startswith("DSA"):
            assert "to our knowledge this binds online platforms" in item.source


def test_every_article_has_a_row():
    text = " ".join(i.source for make in DOCUMENTS for i in make(Policy()).items)
    for article in (
        "GDPR Art 13",
        "GDPR Art 14",
        "GDPR Art 15",
        "GDPR Art 22",
        "DSA Art 26(1)",
        "DSA Art 26(3)",
        "DSA Art 27",
        "AI Act Art 50(1)",
        "AI Act Art 50(2)",
        "AI Act Art 50(3)",
        "AI Act Art 50(4)",
    ):
        assert article in text


def test_foreign_text_stays_text():
    hostile = "<img src=x> | **bold**\n# heading"
    made = privacy_notice(Policy(), controller=hostile, recipients=[hostile])
    assert "<img" not in made.html
    assert "<img" not in made.markdown
    rows = [line for line in made.markdown.splitlines() if line.startswith("| ")]
    assert len(rows) == len(made.items) + 1
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 6 for row in rows)
    assert "# heading" not in [line.strip() for line in made.markdown.splitlines()]


def test_as_a_table():
    frame = ai_disclosure(Policy()).to_frame()
    assert list(frame.columns) == ["item", "text", "source", "status", "given"]
    assert not frame["given"].any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"policy": {}}, "policy: expected a Policy, but this dict has no section"),
        ({"controller": 3}, "controller: expected a text"),
        ({"sendr": "shop"}, '"sendr" is not asked for in this document'),
        ({"legal_bases": "consent"}, "legal_bases: expected a mapping"),
    ],
)
def test_bad_input_is_named(arguments, message):
    arguments = {"policy": Policy()} | arguments
    with pytest.raises(ExplanationError, match=f"^{re.escape(message)}"):
        privacy_notice(arguments.pop("policy"), **arguments)


def test_an_unknown_row_is_named():
    with pytest.raises(ExplanationError, match='there is no row "Cost"'):
        privacy_notice(Policy())["Cost"]
