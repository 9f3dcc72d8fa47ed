"""A team's rules: read strictly, written back, checked against a scorecard."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.policy import (
    Measure,
    Policy,
    PolicyError,
    Rules,
    Scorecard,
)
from ethicalai_lab.policy.measure import Limit
from ethicalai_lab.policy.rules import Rule

GOOD = """\
# what we accept
set_by: "Marketing ethics board"
rules:
  privacy.reidentified_share: {max: 0.01}
  value.profit_per_customer: {min: 0.05, set_by: "Head of marketing"}
  fairness.selection_gap: {max: 0.05, certain: true}   # the whole interval
"""


def measure(key, value, low=None, high=None, direction="lower", **more):
    dimension, _, name = key.partition(".")
    return Measure(
        dimension, name, "What it is.", "share", direction, "a test", value, low, high, **more
    )


@pytest.fixture
def card():
    return Scorecard(
        [
            measure("privacy.reidentified_share", 0.03, 0.02, 0.04),
            measure("value.profit_per_customer", 0.06, 0.04, 0.08, "higher"),
            measure("fairness.selection_gap", 0.04, 0.03, 0.06),
            measure("consent.permitted_share", None, needs="needs a column with consent"),
            measure("duty.items_open", 4),
        ],
        Policy(),
    )


def test_a_file_is_read_with_who_set_what(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text(GOOD, encoding="utf-8")
    rules = Rules.load(path)
    assert [rule.measure for rule in rules] == [
        "privacy.reidentified_share",
        "value.profit_per_customer",
        "fairness.selection_gap",
    ]
    limits = [rule.limits[0] for rule in rules]
    assert limits == [
        Limit("max", 0.01, "Marketing ethics board"),
        Limit("min", 0.05, "Head of marketing"),
        Limit("max", 0.05, "Marketing ethics board", certain=True),
    ]
    # comments stay
    rules.save(tmp_path / "copy.yaml")
    assert (tmp_path / "copy.yaml").read_text(encoding="utf-8") == GOOD


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty; `rules:` holds lines such as"),
        ("- a", "line 1: this is no mapping"),
        ("set_by: a\n", "the rules are missing"),
        ("set_by: a\nrule: {}\n", 'line 2: there is no "rule".*Did you mean "rules"'),
        ("privacy.x: {max: 1}\nrules: {}", "line 1: .*A measure belongs under `rules:`"),
        ("set_by: [a]\nrules: {}", "line 1: set_by is a list; accepted: a text"),
        ("set_by: a\nrules: [x]", "line 2: rules is a list"),
        ("set_by: a\nrules:\n  privacy.x: 3", r"line 3: privacy\.x is 3; accepted: a mapping"),
        ("set_by: a\nrules:\n  privacy.x: {mx: 3}", 'line 3: there is no "mx".*mean "max"'),
        (
            "set_by: a\nrules:\n  privacy.x: {max: low}",
            r"privacy\.x\.max is 'low'; a number or None is accepted",
        ),
        ("set_by: a\nrules:\n  privacy.x: {max: true}", r"privacy\.x\.max is True"),
        ("set_by: a\nrules:\n  privacy.x: {max: }", r"privacy\.x\.max is empty"),
        ("set_by: a\nrules:\n  privacy.x: {max: .inf}", "not a finite number"),
        ("set_by: a\nrules:\n  privacy.x: {certain: true}", "has no bound; give max, min or both"),
        (
            "set_by: a\nrules:\n  privacy.x: {max: 1, min: 2}",
            r"privacy\.x\.min is 2, above its max",
        ),
        (
            "set_by: a\nrules:\n  privacy.x: {max: 1, certain: 1}",
            "certain is 1; True or False is accepted",
        ),
        ("set_by: a\nrules:\n  privacy.x: {max: 1, set_by: 3}", "set_by is 3; a text is accepted"),
        ("rules:\n  privacy.x: {max: 1}", "line 2: privacy.x names nobody who set it"),
        ("set_by: a\nrules:\n  privcy.x: {max: 1}", 'no dimension "privcy".*mean "privacy"'),
        ("set_by: a\nrules:\n  share: {max: 1}", '"share" is no name of a measure'),
        ("set_by: a\nrules:\n  privacy.x: {max: 1}\n  privacy.x: {max: 2}", "there twice"),
        ("set_by: &a b\nrules: {}", "anchors and aliases"),
        ("set_by: a\nrules: {privacy.x: {max: !!float 1}}", "the tag"),
    ],
)
def test_a_fault_names_line_field_and_what_is_accepted(text, says, tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PolicyError, match=says) as caught:
        Rules.load(path)
    assert all("rules.yaml" in fault for fault in caught.value.faults)
    assert len(caught.value.faults) == 1


def test_all_faults_are_told_at_once():
    with pytest.raises(PolicyError) as caught:
        Rules.parse("set_by: a\nrules:\n  privacy.x: {max: low}\n  duty: {min: 1}\n")
    assert len(caught.value.faults) == 2
    assert "line 3" in caught.value.faults[0]
    assert "line 4" in caught.value.faults[1]


def test_check_tells_each_bound_missed_and_why(card):
    misses = Rules.parse(GOOD).check(card)
    assert [(m.measure, m.kind, m.straddles) for m in misses] == [
        ("privacy.reidentified_share", "beyond", False),
        ("fairness.selection_gap", "uncertain", True),
    ]
    assert misses[0].set_by == "Marketing ethics board"
    assert "cannot tell" in misses[1].text
    held = card.with_rules(Rules.parse(GOOD))
    assert set(held.misses) == set(misses)
    assert card.misses == []


def test_a_measure_without_a_number_misses_and_says_what_it_needs(card):
    rules = Rules.parse("{set_by: a, rules: {consent.permitted_share: {min: 0.5}}}")
    (miss,) = rules.check(card)
    assert miss.kind == "needs"
    assert miss.value is None
    assert "needs a column with consent" in miss.text


def test_an_unknown_measure_names_line_and_those_near_it(card, tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text(
        "set_by: a\nrules:\n  privacy.reidentified: {max: 1}\n  duty.zzz: {max: 1}\n",
        encoding="utf-8",
    )
    rules = Rules.load(path)
    with pytest.raises(PolicyError) as caught:
        rules.check(card)
    first, second = caught.value.faults
    assert "line 3" in first
    assert 'Did you mean "privacy.reidentified_share"?' in first
    assert "duty.items_open" in second
    with pytest.raises(PolicyError, match=r"rules\.yaml, line 3"):
        card.with_rules(rules)


def test_a_band_has_two_bounds(card):
    rules = Rules((Rule("duty.items_open", max=6, min=5, set_by="a"),))
    (miss,) = rules.check(card)
    assert (miss.bound, miss.threshold) == ("min", 5)
    held = card.with_rules(rules)["duty.items_open"]
    assert held.limits == (Limit("max", 6, "a"), Limit("min", 5, "a"))
    assert held.threshold == 6


@pytest.mark.parametrize(
    ("value", "low", "high", "draws", "kind"),
    [
        (0.04, 0.03, 0.05, None, None),  # on the bound is within
        (0.04, 0.03, 0.051, None, "uncertain"),
        (0.05, None, None, None, None),  # counted
        (0.04, None, None, [float("nan")], "uncertain"),  # estimated, no interval
        (0.06, 0.05001, 0.07, None, "beyond"),
        (0.1 + 0.2 - 0.25, None, None, None, None),  # the last bits miss nothing
    ],
)
def test_for_certain_holds_the_whole_interval(value, low, high, draws, kind):
    one = Scorecard([measure("fairness.gap", value, low, high, replicates=draws)], Policy())
    misses = Rules.parse("{set_by: a, rules: {fairness.gap: {max: 0.05, certain: true}}}").check(
        one
    )
    assert [miss.kind for miss in misses] == ([kind] if kind else [])


def test_a_miss_never_shows_two_unequal_numbers_alike():
    one = Scorecard([measure("fairness.gap", 0.0500001)], Policy())
    (miss,) = Rules.parse("{set_by: a, rules: {fairness.gap: {max: 0.05}}}").check(one)
    assert "is 0.0500001; a asks for at most 0.05" in miss.text


NAMES = st.from_regex(r"(privacy|duty|value)\.[a-z][a-z_0-9]{0,12}", fullmatch=True)
WHO = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(
    lambda text: text.strip() and text.isprintable()
)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(NAMES, st.floats(-1e9, 1e9), st.booleans(), st.booleans(), st.none() | WHO),
        max_size=5,
        unique_by=lambda item: item[0],
    ),
    WHO,
)
def test_rules_come_back_as_written(items, board):
    rules = Rules(
        tuple(
            Rule(name, **{"max" if top else "min": bound}, certain=certain, set_by=who or board)
            for name, bound, top, certain, who in items
        ),
        board,
    )
    assert Rules.parse(rules.to_yaml()) == rules


@settings(max_examples=60)
@given(
    st.lists(st.floats(-10, 10), min_size=3, max_size=3).map(sorted),
    st.floats(-10, 10),
    st.sampled_from(["max", "min"]),
)
def test_asking_for_certainty_only_adds_misses(three, bound, side):
    low, value, high = three
    found = measure("privacy.x", value, low, high)
    loose = Limit(side, bound, "a").judge(found)
    strict = Limit(side, bound, "a", certain=True).judge(found)
    if loose is not None:
        assert strict is not None
    # for certain and kept: no number of the interval is beyond
    if strict is None:
        assert not any(Limit(side, bound, "a").is_beyond(x) for x in (low, value, high))


def test_rules_refuse_two_of_a_kind_and_what_is_no_rule():
    with pytest.raises(PolicyError, match="two rules"):
        Rules((Rule("duty.x", max=1, set_by="a"), Rule("duty.x", min=0, set_by="a")))
    with pytest.raises(PolicyError, match="Rule objects"):
        Rules(({"max": 1},))
    with pytest.raises(PolicyError, match="names nobody"):
        Rule("duty.x", max=1)
    with pytest.raises(PolicyError, match="does not exist"):
        Rules(()).save("/no/such/folder/rules.yaml")
