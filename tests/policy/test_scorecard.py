"""The scorecard: what a measure accepts, how cards are exported, read back and compared."""

import json
import math
import pickle
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ethicalai_lab import plotting
from ethicalai_lab.policy import (
    DIMENSIONS,
    Measure,
    Policy,
    PolicyError,
    Rules,
    Scorecard,
    compare_scorecards,
    preset,
)
from ethicalai_lab.policy.measure import Limit
from ethicalai_lab.policy.scorecard import COLUMNS, _scale, bar


def measure(key="privacy.reidentified_share", value=0.03, low=0.02, high=0.04, **more):
    dimension, _, name = key.partition(".")
    given = {
        "meaning": "Share of people found again in the release.",
        "unit": "share",
        "direction": "lower",
        "evidence": "privacy.linkage_attack on the release",
    } | more
    return Measure(dimension, name, value=value, low=low, high=high, **given)


def card(*measures, policy=None, about=None):
    return Scorecard(measures, policy or Policy(), about or {"n": 20_000, "seed": 0})


@pytest.fixture
def full():
    """A card with each kind of measure on it."""
    draws = np.random.default_rng(3).normal(0.03, 0.005, 50)
    draws[4] = math.nan
    return card(
        measure("duty.items_open", 4, None, None, unit="items", evidence="counted"),
        measure(
            "value.profit_per_customer",
            0.42,
            0.31,
            0.53,
            unit="EUR per customer",
            direction="higher",
            truth=0.4,
            threshold=0.5,
            set_by="Head of marketing",
        ),
        measure(truth=0.031, replicates=draws, samples="world 7"),
        measure("consent.permitted_share", None, None, None, needs="needs a column with consent"),
        measure("fairness.income_gap", -1420.5, -1980, -810, unit="EUR", direction="none"),
        policy=preset("consent_first").decide("duty", reason='said "so": yes\nand more'),
        about={"world": "retailer", "n": 20_000, "seed": 0, "n_boot": 50, "version": "0.1.0"},
    )


# ------------------------------------------------------------------------- a measure


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"key": "privcy.x"}, 'dimension is .privcy.; .*Did you mean "privacy"'),
        ({"key": "privacy.Share"}, "snake_case"),
        ({"direction": "up"}, "direction is 'up'; 'higher' or 'lower' or 'none' is accepted"),
        ({"meaning": "  "}, "meaning is blank"),
        ({"unit": 3}, "unit is 3; a text is accepted"),
        ({"value": math.nan}, "value is nan; a number or None is accepted"),
        ({"truth": math.inf}, "truth is inf"),
        ({"value": "much"}, "value is 'much'"),
        ({"value": None, "low": None, "high": None}, "needs must say what is missing"),
        ({"value": None, "needs": "needs x"}, "an interval, but no value"),
        ({"needs": "needs x"}, "there is a value, and needs says that there is none"),
        ({"low": None}, "low and high come together"),
        ({"value": 0.05}, "0.05, is outside its interval, 0.02 to 0.04"),
        ({"threshold": 0.1}, "threshold needs set_by"),
        ({"set_by": "the board"}, "there is none"),
        ({"replicates": [[1.0]]}, "replicates must be a list of numbers"),
        ({"replicates": [math.inf]}, "replicates must be a list of numbers"),
        ({"replicates": ["a"]}, "replicates must be a list of numbers"),
        (
            {"threshold": 1, "set_by": "a", "limits": (Limit("max", 2, "b"),)},
            "threshold or limits, not both",
        ),
    ],
)
def test_a_measure_says_which_field_is_at_fault(fields, says):
    with pytest.raises(PolicyError, match=says):
        measure(**fields)


def test_a_bound_off_by_its_last_bits_is_taken_in():
    found = measure(value=0.0, low=1e-17, high=0.01)
    assert (found.low, found.high) == (0.0, 0.01)


def test_a_threshold_is_read_by_the_direction():
    assert measure(threshold=0.1, set_by="a").limits == (Limit("max", 0.1, "a"),)
    assert measure(threshold=0.1, set_by="a", direction="higher").limits[0].bound == "min"


def test_replicates_are_copied_and_cannot_be_changed():
    draws = np.array([0.1, 0.2])
    found = measure(replicates=draws)
    draws[0] = 9
    assert found.replicates[0] == 0.1
    with pytest.raises(ValueError, match="read-only"):
        found.replicates[0] = 5


def test_exact_is_counted_not_estimated():
    assert measure(low=None, high=None).exact
    assert not measure().exact
    # an estimate whose interval could not be found is no count
    assert not measure(low=None, high=None, replicates=[math.nan, math.nan]).exact


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.031, "share", "3.1 % (3.1 to 3.1)"),
        (0.0004, "share", "0.04 % (0.04 to 0.04)"),
        (-0.00001, "difference of shares", "0.00 points (0.00 to 0.00)"),
        (0.25, "share of customers", "25.0 % (25.0 to 25.0)"),
        (8.0, "points", "8 (8 to 8)"),
        (1420.6, "EUR", "1,421 (1,421 to 1,421)"),
        (4.0, "items", "4 (4 to 4)"),
    ],
)
def test_numbers_read_as_people_write_them(value, unit, shown):
    assert measure(value=value, low=value, high=value, unit=unit).shown == shown


# ----------------------------------------------------------------------- a scorecard


def test_the_table_has_the_columns_agreed_and_nan_where_there_is_no_number(full):
    table = full.table
    assert table.columns.tolist() == COLUMNS
    assert table.columns[:8].tolist() == [
        "dimension",
        "measure",
        "value",
        "low",
        "high",
        "truth",
        "direction",
        "evidence",
    ]
    # in the order of the dimensions, whatever the order given
    assert table["dimension"].tolist() == [
        "value",
        "privacy",
        "fairness",
        "consent",
        "duty",
    ]
    for name in ("value", "low", "high", "truth", "threshold"):
        assert table[name].dtype == float
    row = table.set_index("measure").loc["permitted_share"]
    assert np.isnan(row["value"])
    assert row["needs"] == "needs a column with consent"
    assert [m.key for m in full.needs] == ["consent.permitted_share"]


def test_an_unknown_measure_names_those_near_it(full):
    with pytest.raises(PolicyError, match=r'Did you mean "privacy\.reidentified_share"'):
        full["privacy.reidentified"]
    with pytest.raises(PolicyError, match=r'Did you mean "privacy\.reidentified_share"'):
        full["reidentified_share"]
    assert full.get("privacy.nothing") is None
    assert "duty.items_open" in full


def test_a_card_takes_each_measure_once_and_plain_facts_about_it():
    with pytest.raises(PolicyError, match="reidentified_share is there twice"):
        card(measure(), measure())
    with pytest.raises(PolicyError, match=r"about\.when is a object"):
        card(measure(), about={"when": object()})
    assert card(measure(), about={"n": np.int64(3)}).about == {"n": 3}


def test_a_card_survives_a_trip_to_another_process(full):
    again = pickle.loads(pickle.dumps(full))
    assert again.to_json() == full.to_json()


def test_misses_tell_whether_the_interval_reaches_the_bound(full):
    (miss,) = full.misses
    assert (miss.measure, miss.threshold, miss.set_by) == (
        "value.profit_per_customer",
        0.5,
        "Head of marketing",
    )
    assert miss.straddles
    assert "cannot tell" in miss.text
    clear = card(measure(threshold=0.01, set_by="the board")).misses[0]
    assert not clear.straddles
    assert clear.text == (
        "privacy.reidentified_share is 0.03; the board asks for at most 0.01. "
        "Its whole interval, 0.02 to 0.04, is beyond that."
    )
    assert card(measure(threshold=0.03, set_by="the board")).misses == []


# ---------------------------------------------------------------------------- exports


def same(one, two):
    assert one.policy == two.policy
    assert one.about == two.about
    assert len(one) == len(two)
    for a, b in zip(one.measures, two.measures, strict=True):
        for name in (*COLUMNS, "samples", "limits", "exact"):
            assert getattr(a, name) == getattr(b, name), name
        if a.replicates is None:
            assert b.replicates is None
        else:
            np.testing.assert_array_equal(a.replicates, b.replicates)


def test_json_comes_back_whole(full, tmp_path):
    path = tmp_path / "card.json"
    text = full.to_json()
    path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text
    assert [p.name for p in tmp_path.iterdir()] == ["card.json"]
    same(Scorecard.from_json(path), full)
    same(Scorecard.from_json(text), full)
    rules = "{set_by: b, rules: {fairness.income_gap: {min: -9, max: 9, certain: true}}}"
    held = full.with_rules(Rules.parse(rules))
    same(Scorecard.from_json(held.to_json()), held)


numbers = st.floats(-1e12, 1e12)


@settings(max_examples=40)
@given(
    st.lists(numbers, min_size=3, max_size=3).map(sorted),
    st.none() | numbers,
    st.text(min_size=1, max_size=30).filter(lambda t: t.strip() and t.isprintable()),
    st.none() | st.lists(st.floats(-10, 10) | st.just(math.nan), min_size=1, max_size=5),
)
def test_any_measure_comes_back_and_lies_in_its_interval(three, truth, text, draws):
    low, value, high = three
    one = card(
        measure(
            value=value, low=low, high=high, truth=truth, meaning=text, unit=text, replicates=draws
        )
    )
    two = Scorecard.from_json(one.to_json())
    same(two, one)
    found = two.measures[0]
    assert found.low <= found.value <= found.high
    left, right = _scale(found)
    known = [x for x in (low, value, high, truth, 0.0) if x is not None]
    assert left <= min(known)
    assert right >= max(known)
    drawn = bar(found)
    xs = [float(drawn[name]) for name in ("zero", "value", "low", "high") if drawn[name]]
    assert all(0 <= x <= 120 for x in xs)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d.update(format="x"), "is no scorecard"),
        (lambda d: d.update(version=2), "version is 2; this lab reads version 1"),
        (lambda d: d.update(measures={}), "measures is a mapping; accepted: a list"),
        (lambda d: d.update(policy="personalization: {share: 3}\nversion: 1"), "share is 3"),
        (lambda d: d["measures"][0].update(valu=1), 'no "valu".*Did you mean "value"'),
        (lambda d: d["measures"][0].pop("unit"), "measure 1: unit is missing"),
        (lambda d: d["measures"][0].update(value="3"), 'value is "3"; accepted: a number'),
        (lambda d: d["measures"][0].update(high=-9), "measure 1: .*is above high, -9"),
        (
            lambda d: d["measures"][0].update(limits=[{"x": 1}]),
            "measure 1, limit 1: bound is missing",
        ),
        (lambda d: d["measures"][0].update(replicates="no"), "accepted: a list of numbers"),
        (lambda d: d["measures"].append(3), "measure 6 is 3; accepted: a mapping"),
    ],
)
def test_a_damaged_file_says_where(full, change, says, tmp_path):
    data = json.loads(full.to_json())
    change(data)
    path = tmp_path / "card.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(PolicyError, match=says) as caught:
        Scorecard.from_json(path)
    assert "card.json" in str(caught.value)


def _deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d["measures"][0].update(low=9, high=-9), "low, 9, is above high, -9"),
        (
            lambda d: d["measures"][0].update(direction="up"),
            'direction is "up"; accepted: .higher., .lower. or',
        ),
        (lambda d: d["measures"][0].update(direction=["higher"]), "direction is a list"),
        (lambda d: d["measures"][0].update(dimension="worth"), "dimension is 'worth'"),
        (lambda d: d["measures"][0].update(value=10**400), '"value" is a number of 401 digits'),
        (lambda d: d["measures"][0].update(value=True), "value is yes; accepted: a number"),
        (lambda d: d["measures"][0].update(low=None), "low and high come together"),
        (lambda d: d["measures"][0].update(needs=3), "needs is 3; accepted: a text"),
        (
            lambda d: d["measures"][0].update(unit="x" * 100_001),
            "unit is too long; up to 100,000",
        ),
        (lambda d: d["measures"][0].update(limits=5), "limits is 5; accepted: a list"),
        (
            lambda d: d["measures"][0].update(limits=[3]),
            "measure 1, limit 1 is 3; accepted: a mapping",
        ),
        (lambda d: d["measures"][0].update(replicates=[1, "2"]), "accepted: a list of numbers"),
        (lambda d: d["measures"][0].update(replicates=[_deep(3)]), "accepted: a list of numbers"),
        (lambda d: d["measures"][0].update(meaning="\ud800"), '"meaning" holds half a character'),
        (lambda d: d["measures"].append(d["measures"][0]), "is there twice"),
        (lambda d: d.update(about=[]), "about is a list; accepted: a mapping"),
        (lambda d: d["about"].update(x=_deep(30)), '"x" is nested too deeply'),
        (lambda d: d["about"].update(x=_deep(900)), "nested too deeply|not readable as JSON"),
        (lambda d: d.update(policy=7), "policy is 7; accepted: a text"),
        (lambda d: d.update(policy="a: [" + "[" * 2000), "policy"),
        (lambda d: d.update(version=True), "version is True"),
        (lambda d: d.update(extra=1), 'there is no "extra"'),
    ],
)
def test_any_damage_names_the_field(full, change, says, tmp_path):
    data = json.loads(full.to_json())
    change(data)
    path = tmp_path / "card.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(PolicyError, match=says) as caught:
        Scorecard.from_json(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from([10**400, "\ud800", "higher", 1e308, -1]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_stands_in_one_place_is_read_or_refused_in_a_sentence(full, data):
    card_ = json.loads(full.to_json())
    place = card_
    for _ in range(data.draw(st.integers(1, 4))):
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key]:
            break
        place, inside = place[key], place
    else:
        place = inside
    if data.draw(st.booleans()):
        place[key] = data.draw(anything)
    else:
        del place[key]
    text = json.dumps(card_)
    said = None
    try:
        found = Scorecard.from_json(text)
    except PolicyError as problem:
        said = str(problem)
    if said is not None:
        assert said.startswith("scorecard")
        assert "\n" not in said
        return
    assert found.to_html().encode()
    assert Scorecard.from_json(found.to_json()).to_json() == found.to_json()


@pytest.mark.parametrize("raw", [b"{" * 100_000, b"\xff{", b"", b"[]", b"{}", b"1" * 5000, b"null"])
def test_any_bytes_are_refused_in_a_sentence(raw, tmp_path):
    path = tmp_path / "card.json"
    path.write_bytes(raw)
    with pytest.raises(PolicyError) as caught:
        Scorecard.from_json(path)
    assert str(caught.value).startswith(str(path))


def test_what_is_no_json_says_so(tmp_path, full):
    with pytest.raises(PolicyError, match="line 1: not readable as JSON"):
        Scorecard.from_json("{nothing")
    with pytest.raises(PolicyError, match="there is no such scorecard"):
        Scorecard.from_json(tmp_path / "none.json")
    with pytest.raises(PolicyError, match="NaN is no number"):
        Scorecard.from_json(full.to_json().replace("0.42", "NaN"))
    with pytest.raises(PolicyError, match="does not exist"):
        full.to_html(tmp_path / "none" / "card.html")


def test_markdown_keeps_its_columns_whatever_the_texts_hold(full):
    odd = replace(full["duty.items_open"], meaning="a | b\nc <script> $x$", evidence="`x`")
    lines = card(odd).to_markdown().splitlines()
    row = next(line for line in lines if line.startswith("| items"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 7
    assert "<script>" not in row
    text = full.to_markdown()
    assert "needs a column with consent" in text
    assert "missed, cannot tell for certain" in text
    assert "personalization: targeting" in text


class Page(HTMLParser):
    """Collects what a page is made of."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "line", "circle", "path"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def of(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.mark.parametrize("whole", [True, False])
def test_the_page_loads_nothing_and_reads_without_eyes(full, whole):
    text = full.to_html(title="My <card>") if whole else full._repr_html_()
    page = Page(text)
    assert page.open == []
    for tag, attrs in page.tags:
        assert tag not in ("script", "link", "img", "iframe", "object", "embed")
        assert not {"src", "href", "srcset"} & set(attrs)
        assert not any(name.startswith("on") for name in attrs)
    assert not re.search(r"url\(|@import|https?:", text)
    assert all(th.get("scope") in ("col", "row", "rowgroup") for th in page.of("th"))
    assert len(page.of("caption")) == 1
    pictures = page.of("svg")
    assert len(pictures) == len(full) - len(full.needs)
    assert all(p["role"] == "img" and p["aria-label"] for p in pictures)
    shown = full["privacy.reidentified_share"].shown
    assert any(shown in p["aria-label"] and "truth 3.1 %" in p["aria-label"] for p in pictures)
    scrolled = [d for d in page.of("div") if d.get("class") == "scroll"]
    assert scrolled[0]["tabindex"] == "0"
    assert scrolled[0]["aria-label"]
    assert "needs a column with consent" in "".join(page.text)
    assert "--jp-layout-color0" in text
    assert "prefers-color-scheme:dark" in text
    if whole:
        assert len(page.of("h1")) == 1
        assert page.of("html")[0]["lang"] == "en"
        assert "My &lt;card&gt;" in text
        assert "@media print" in text
        assert [t for t, _ in page.tags if re.fullmatch(r"h\d", t)] == ["h1", "h2", "h2"]


def test_texts_cannot_become_markup():
    one = card(
        measure(meaning="<script>alert(1)</script>", evidence='"><img src=x>', unit="<b>"),
        about={"<i>": "<u>"},
    )
    for text in (one.to_html(), one._repr_html_()):
        assert "<script>" not in text
        assert "<img" not in text
        assert "<b>" not in text
        assert "<u>" not in text


def test_no_export_passes_a_verdict(full):
    pair = compare_scorecards(full, full)
    told = [
        full.to_html(),
        full.to_markdown(),
        full._repr_html_(),
        full.summary,
        pair._repr_html_(),
        plotting.scorecard(full.table).alt,
    ]
    for text in told:
        assert not re.search(r"\b(compliant|anonymous|fair|unbiased)\b", text, re.I)


# -------------------------------------------------------------------------- comparing


def estimates(rng, people, n_boot, key):
    """Two policies' mean profit on the same people, with shared and with own resamples."""
    base = rng.normal(0, 1, people)
    first, second = base, base + 0.05 + rng.normal(0, 0.1, people)
    shared = np.random.default_rng(11).integers(0, people, (n_boot, people))
    cards = []
    for values in (first, second):
        draws = values[shared].mean(axis=1)
        low, high = np.quantile(draws, [0.025, 0.975])
        value = values.mean()
        cards.append(
            measure(
                "value.profit",
                value,
                min(low, value),
                max(high, value),
                unit="EUR",
                direction="higher",
                replicates=draws,
                samples=key,
            )
        )
    return cards


def test_paired_differences_are_narrower_and_cover_the_truth():
    rng = np.random.default_rng(5)
    rounds, covered, apart, better = 150, 0, 0, 0
    widths = []
    for _ in range(rounds):
        one, two = estimates(rng, 200, 200, "world 7, seed 0")
        paired = compare_scorecards(card(one), card(two)).table.iloc[0]
        loose = compare_scorecards(card(one), card(replace(two, samples="other"))).table.iloc[0]
        assert paired["paired"]
        assert not loose["paired"]
        covered += paired["low"] <= 0.05 <= paired["high"]
        apart += loose["low"] <= 0.05 <= loose["high"]
        widths.append((paired["high"] - paired["low"]) / (loose["high"] - loose["low"]))
        better += paired["reading"] == "better"
        assert loose["reading"] == "cannot tell"
    # 95 % of 150, four standard errors below
    assert covered >= 0.88 * rounds
    assert apart == rounds
    assert np.mean(widths) < 0.2
    assert better == rounds


def test_independent_intervals_agree_with_newcombe():
    from ethicalai_lab.stats import proportion_difference_interval, proportion_interval

    found = []
    for successes, n in ((56, 70), (48, 80)):
        interval = proportion_interval(successes, n)
        found.append(measure(value=interval.value, low=interval.low, high=interval.high))
    row = compare_scorecards(card(found[1]), card(found[0])).table.iloc[0]
    known = proportion_difference_interval(56, 70, 48, 80)
    assert row["difference"] == pytest.approx(known.value)
    assert row["low"] == pytest.approx(known.low)
    assert row["high"] == pytest.approx(known.high)


@settings(max_examples=40)
@given(
    st.lists(st.floats(-5, 5), min_size=3, max_size=3).map(sorted),
    st.lists(st.floats(-5, 5), min_size=3, max_size=3).map(sorted),
    st.sampled_from(["higher", "lower", "none"]),
)
def test_turning_the_cards_round_turns_the_reading(a, b, direction):
    one, two = (
        card(measure(value=v, low=lo, high=hi, direction=direction)) for lo, v, hi in (a, b)
    )
    there = compare_scorecards(one, two).table.iloc[0]
    back = compare_scorecards(two, one).table.iloc[0]
    assert there["low"] <= there["difference"] <= there["high"]
    assert there["difference"] == -back["difference"]
    assert there["low"] == pytest.approx(-back["high"])
    turned = {"better": "worse", "worse": "better"}
    assert back["reading"] == turned.get(there["reading"], there["reading"])


@pytest.mark.parametrize(
    ("direction", "values", "reading"),
    [
        ("lower", (23, 20), "better"),
        ("lower", (20, 23), "worse"),
        ("higher", (20, 23), "better"),
        ("none", (20, 23), ""),
        ("lower", (20, 20), "same"),
    ],
)
def test_counts_are_compared_as_they_are(direction, values, reading):
    one, two = (
        card(measure(value=v, low=None, high=None, direction=direction, unit="columns"))
        for v in values
    )
    row = compare_scorecards(one, two).table.iloc[0]
    assert row["reading"] == reading
    assert row["difference"] == values[1] - values[0]
    assert np.isnan(row["low"])


def test_a_card_against_itself_is_the_same_throughout(full):
    table = compare_scorecards(full, full).table
    estimated = table[table["measure"] == "reidentified_share"].iloc[0]
    assert estimated["paired"]
    assert (estimated["low"], estimated["high"], estimated["reading"]) == (0, 0, "same")


def test_nobody_found_in_any_resample_is_not_taken_for_certainty():
    none = measure(value=0.0, low=0.0, high=0.007, replicates=np.zeros(50), samples="w")
    some = measure(
        value=0.004, low=0.001, high=0.01, replicates=np.linspace(0.001, 0.01, 50), samples="w"
    )
    first, second = card(none), card(some, policy=preset("consent_first"))
    row = compare_scorecards(first, second).table.iloc[0]
    assert not row["paired"]
    assert row["reading"] == "cannot tell"
    assert row["low"] < 0 < row["high"]


def test_what_one_card_lacks_is_said_and_never_a_number(full):
    other = card(measure())
    pair = compare_scorecards(full, other, names=("ours", "theirs"))
    assert pair.table.columns.tolist() == [
        "dimension",
        "measure",
        "unit",
        "direction",
        "ours",
        "theirs",
        "difference",
        "low",
        "high",
        "paired",
        "refits",
        "reading",
        "needs",
    ]
    row = pair.table.set_index("measure").loc["items_open"]
    assert np.isnan(row["theirs"])
    assert np.isnan(row["difference"])
    assert row["reading"] == ""
    assert row["needs"] == "theirs: needs this measure, which theirs lacks"
    row = pair.table.set_index("measure").loc["permitted_share"]
    assert row["needs"].startswith("ours: needs a column with consent; theirs: needs")
    page = Page(pair._repr_html_())
    assert page.open == []
    assert "needs this measure, which theirs lacks" in "".join(page.text)
    assert all(th.get("scope") for th in page.of("th"))
    assert "needs a column with consent" in "".join(page.text)


def test_more_than_two_cards_are_compared_with_the_first():
    cards = [card(measure(value=v, low=v - 0.001, high=v + 0.001)) for v in (0.03, 0.02, 0.04)]
    many = compare_scorecards(*cards, names=("=a", "b", "c"))
    row = many.table.iloc[0]
    assert row["difference: b"] == pytest.approx(-0.01)
    assert (row["reading: b"], row["reading: c"]) == ("better", "worse")
    assert many.against("c")["difference"].iloc[0] == pytest.approx(0.01)
    assert list(many.against("c").columns) == list(
        compare_scorecards(cards[0], cards[2], names=("=a", "c")).table.columns
    )
    with pytest.raises(PolicyError, match='no later card "=a"; accepted are b, c'):
        many.against("=a")
    assert "b against =a: 1 better" in many.summary


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("a",), "1 names for 2"),
        (("a", "a"), '"a" is there twice'),
        (("a", "low"), '"low" is a column'),
        (("a", " "), "not blank"),
    ],
)
def test_cards_need_names_of_their_own(names, says):
    with pytest.raises(PolicyError, match=says):
        compare_scorecards(card(measure()), card(measure()), names=names)


def test_different_units_are_not_compared():
    with pytest.raises(PolicyError, match='different units, "share" and "percent"'):
        compare_scorecards(card(measure()), card(measure(unit="percent")))


# --------------------------------------------------------------------------- pictures


def test_the_picture_tells_its_misses_and_gaps(full):
    held = full.with_rules(
        Rules.parse("{set_by: b, rules: {privacy.reidentified_share: {max: 0.01}}}")
    )
    figure = plotting.scorecard(held.table)
    assert "Beyond their bound: privacy reidentified share (3.0 %, bound 1.0 %)" in figure.alt
    assert "Interval on both sides of the bound: value profit per customer" in figure.alt
    assert "Without a number: consent permitted share (needs a column with consent)" in figure.alt
    assert [axis.get_title(loc="left") for axis in figure.axes] == [
        d for d in DIMENSIONS if d in set(held.table["dimension"])
    ]
    # a mark for a miss differs by shape, not by colour alone
    marks = {line.get_marker() for axis in figure.axes for line in axis.lines}
    assert {"s", "^", "o", "x"} <= marks
    assert figure.png().startswith(b"\x89PNG")


def test_better_is_to_the_right_whatever_the_direction():
    low, high = (
        [card(measure(value=v, low=v - 0.001, high=v + 0.001, direction=direction)) for v in values]
        for direction, values in (("lower", (0.03, 0.02)), ("higher", (0.02, 0.03)))
    )
    for one, two in (low, high):
        figure = plotting.scorecard_difference(compare_scorecards(one, two).table)
        (mark,) = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
        assert mark.get_xdata()[0] > 0.5
        assert "better" in figure.alt


def test_a_picture_needs_its_columns(full):
    with pytest.raises(plotting.PlotError, match="column 'threshold' is missing"):
        plotting.scorecard(full.table.drop(columns="threshold"))
