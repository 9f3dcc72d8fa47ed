"""What lesson 15 says in words, held to the world that it is said about."""

import itertools
import json
from pathlib import Path

import pandas as pd
import pytest

from ethicalai_lab import plotting
from ethicalai_lab.lessons.engine import course_world
from ethicalai_lab.lessons.exercises import lesson_15 as lesson
from ethicalai_lab.policy import (
    PRESETS,
    Policy,
    Rules,
    compare_scorecards,
    never_together,
    preset,
    variants,
)
from ethicalai_lab.widgets.whole_bill import SHOWN, whole_bill

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "15_policy_lab.ipynb"


@pytest.fixture(scope="module")
def world():
    return course_world()


@pytest.fixture(scope="module")
def cards(world):
    return lesson._cards(world)


@pytest.fixture(scope="module")
def shown(world):
    rules = Rules(tuple(rule for each in lesson._rules().values() for rule in each))
    return whole_bill(lesson.lab_for(world), preset(lesson.USUAL), rules=rules)


@pytest.fixture(scope="module")
def cell():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return {each["id"].removeprefix("l15-"): "".join(each["source"]) for each in cells}


def test_the_notebook_and_the_questions_mean_the_same_policies_and_bounds(cell):
    names = {"Rules": Rules}
    for name in ("marketing", "officer", "council"):
        exec(cell[name], names)
    in_notebook = [names[name] for name in ("marketing", "officer", "council")]
    assert in_notebook == list(lesson._rules().values())
    assert [rules.set_by for rules in in_notebook] == list(lesson.BOUNDS)

    names = {"policy": preset(lesson.USUAL)}
    source = cell["revised"]
    exec(source[: source.index("cards[")], names)
    assert names["revised"] == lesson._cards(course_world())["revised"].policy
    exec(cell["tried"][: cell["tried"].index("tried = ")], names)
    assert names["grid"] == lesson.GRID
    assert len(variants(names["revised"], names["grid"])) == 12
    exec(cell["better"].splitlines()[0], names)
    assert names["fields"] == lesson.SEARCHED


def test_one_customer_meets_all_of_it(world):
    inside = lesson.lab_for(world).results(preset(lesson.USUAL))
    release = inside["release"]
    unwilling = ~world.truth.purposes["direct_marketing"].to_numpy()
    mailed = inside["repair"].selected & inside["asking"].granted[1] & unwilling
    found = release.attacked[release.named == 1]
    cases = found[mailed[found] & inside["claims"].false_claim[found]]
    visits = inside["response"].expected["visit"][cases]
    assert len(cases) >= 2
    assert visits.min() < -0.05
    assert sorted(visits)[1] > visits.min() + 0.05  # the same person on each machine


def test_all_is_permitted_and_much_is_against_their_will(cards):
    usual = cards[lesson.USUAL]
    assert usual["consent.without_permission"].value == 0
    assert 0.1 < usual[lesson.WILL].low < usual[lesson.WILL].high < 0.35
    assert all(key in usual for key in SHOWN)
    assert len(SHOWN) == 12


def test_average_practice_contents_marketing_and_nobody_else(cards):
    missed = lesson._missed(cards[lesson.USUAL])
    assert not missed[lesson.MARKETING]
    assert missed[lesson.OFFICER]
    assert missed[lesson.COUNCIL]


def test_each_preset_misses_something_of_somebody(cards):
    for name in PRESETS:
        assert any(lesson._missed(cards[name]).values())


def test_on_two_bounds_the_data_cannot_tell_one_kept_one_missed(world):
    facts = lesson._q1_facts(world)
    assert len(facts["kept_straddled"]) == 1
    assert len(facts["missed_straddled"]) == 1


def test_consent_first_left_addresses_and_its_profit_cannot_be_told_apart(world):
    pair = lesson._pair(world, "consent_first")
    assert pair.loc["privacy.reidentified_by_guessing", "reading"] == "worse"
    assert pair.loc[lesson.PROFIT, "reading"] == "cannot tell"
    assert lesson._p2_outcome(world) == "b"
    facts = lesson._q2_facts(world)
    assert facts["answer"] < 0.9 * facts["independent"] < facts["worst"]


def test_of_six_lines_that_wait_for_refits_four_stay(world):
    waiting = lesson._pair(world, "consent_first").query("reading == 'needs refits'")
    assert len(waiting) == 6
    assert (waiting["low"] * waiting["high"] > 0).all()
    lab = lesson.lab_for(world)
    cards = [lab.evaluate(preset(name), refit=20) for name in (lesson.USUAL, "consent_first")]
    table = compare_scorecards(*cards).table
    readings = table.set_index(table["dimension"] + "." + table["measure"])["reading"]
    assert readings[waiting.index].to_dict() == {
        "value.ranking_quality": "cannot tell",
        "value.unsubscribed": "better",
        "value.contacted_in_vain": "better",
        "fairness.selection_gap_gender": "better",
        "fairness.selection_gap_ethnic_group": "better",
        "fairness.selection_gap_age_band": "cannot tell",
    }
    assert [key for key in waiting.index if key in SHOWN] == [
        "value.contacted_in_vain",
        "fairness.selection_gap_gender",
        "fairness.selection_gap_age_band",
    ]


def test_the_revision_picks_whom_consent_first_picks(world, cards):
    lab = lesson.lab_for(world)
    picked = [
        lab.results(card.policy)["repair"].selected
        for card in (cards["revised"], cards["consent_first"])
    ]
    assert (picked[0] == picked[1]).all()
    waiting = lesson._pair(world, "revised").query("reading == 'needs refits'").index
    assert [key for key in waiting if key in SHOWN and key.startswith("fairness.")] == [
        "fairness.selection_gap_gender",
        "fairness.selection_gap_age_band",
    ]


def test_two_lines_of_the_figure_are_known_only_here(cards):
    shown = [cards[lesson.USUAL][key] for key in SHOWN]
    assert {m.key for m in shown if m.only_here} == {lesson.WILL, "value.contacted_in_vain"}
    assert all(m.truth is None for m in shown if m.only_here)


def test_fairness_first_has_the_largest_gap_where_it_did_not_look(cards):
    key = "fairness.selection_gap_age_band"
    groups = preset("fairness_first").fairness.audit.groups
    assert groups == ["gender", "ethnic_group"]
    others = [cards[name][key].high for name in PRESETS if name != "fairness_first"]
    assert cards["fairness_first"][key].low > max(others)


def test_the_cheapest_way_to_less_use_against_the_will_is_the_fair_question(world):
    found = lesson._found(world)
    assert found.table["changes"].tolist() == [
        "consent.banner: neutral",
        "consent.reask_months: 12",
    ]
    assert found.table["cost"].iloc[0] < 0.9 * found.table["cost"].iloc[1]
    facts = lesson._q3_facts(world)
    assert facts["profit_low"] < 0 < facts["profit_high"]
    assert facts["answer"] > 0.05
    assert facts["gain"] > 0.05


def test_two_objections_stay_of_two_kinds(world, cards):
    missed = lesson._missed(cards["revised"])
    assert missed == {
        lesson.MARKETING: {"consent.reachable"},
        lesson.OFFICER: {"duty.open_points"},
        lesson.COUNCIL: set(),
    }
    pair = lesson._pair(world, "revised")
    assert pair.loc[lesson.PROFIT, "reading"] == "cannot tell"
    assert pair.loc["consent.reachable", "reading"] == "worse"
    assert pair.loc["consent.reachable", "high"] < 0
    assert pair.loc["value.release_detail_kept", "reading"] == "worse"
    assert Policy().duty is None
    assert cards["revised"].policy.duty is None


def test_deciding_the_duties_answers_the_officer(world, cards):
    decided = cards["revised"].policy.decide(
        "duty", retention_register=True, dpia="before_launch", human_review="on_request"
    )
    card = lesson.lab_for(world).evaluate(decided)
    assert card["duty.open_points"].value <= 4
    assert not lesson._missed(card)[lesson.OFFICER]


def test_no_policy_tried_keeps_all_and_reach_contradicts_the_will(world):
    tried = lesson._tried(world)
    assert lesson._p3_outcome(world) == "a"
    named = {str(i): card for i, card in enumerate(tried)}
    pairs = never_together(named, lesson._rules().values())
    found = set(zip(pairs["bound"], pairs["other_bound"], strict=True))
    assert ("consent.reachable", lesson.WILL) in found
    rest = [pair for pair in found if "duty.open_points" not in pair]
    assert rest == [("consent.reachable", lesson.WILL)]


def test_along_the_front_profit_comes_with_use_against_the_will(world):
    from ethicalai_lab.policy import pareto

    tried = lesson._tried(world)
    values = [[card[lesson.WILL].value, card[lesson.PROFIT].value] for card in tried]
    kept = pareto(values, ["lower", "higher"])
    front = sorted((tried[i] for i in kept.nonzero()[0]), key=lambda c: c[lesson.WILL].value)
    assert len(front) == 4
    profits = [card[lesson.PROFIT] for card in front]
    assert [p.value for p in profits] == sorted(p.value for p in profits)
    readings = []
    for one, other in itertools.pairwise(front):
        table = compare_scorecards(one, other).table.set_index("measure")
        readings.append(table.loc["profit_added", "reading"])
    assert readings == ["better", "cannot tell", "better"]


def test_a_defence_of_the_readers_own_file_is_held_to_it(world, tmp_path, monkeypatch):
    monkeypatch.setenv("ETHICALAI_LAB_WORK", str(tmp_path))
    facts = lesson.Q5.known(world)
    open_ = lesson._defended(facts, policy="mine", threshold=0.5, objector=lesson.OFFICER)
    open_ |= {"objection": "duty.open_points", "given_up": "duty.open_points"}
    assert lesson.Q5.judge(open_, world=world).passed
    before = open_["figure"]
    Policy().decide("consent", default="opt_in", banner="neutral", reask_months=12).save(
        tmp_path / "my_policy.yaml"
    )
    stale = lesson.Q5.judge(open_, world=world)
    assert stale.mistake == "figure"
    now = facts.value("mine", lesson.WILL)
    assert now < before
    assert lesson.Q5.judge(open_ | {"figure": now}, world=world).passed
    (tmp_path / "my_policy.yaml").write_text("nonsense: [", encoding="utf-8")
    assert lesson.Q5.judge(open_ | {"figure": now}, world=world).mistake == "figure"


def test_whole_bill_moves_and_says_its_numbers(world, shown, cards):
    alt = shown.figure.alt
    assert "8 of 12 bounds missed" in alt
    reach = f"reachable {100 * cards[lesson.USUAL]['consent.reachable'].value:.1f} %"
    assert reach in alt
    fair = shown.set(banner="neutral", rest=12)
    assert reach not in fair.figure.alt
    assert fair.figure._repr_html_() != shown.figure._repr_html_()
    coarse = shown.set(k=20).figure.alt
    assert "reidentified by linkage 1." in coarse
    assert "release detail kept 97." in coarse


def test_whole_bill_begins_with_the_policy_itself(world, shown, cards):
    lab, policy = lesson.lab_for(world), preset(lesson.USUAL)
    assert shown.values == {"share": 0.5, "k": 1, "banner": "nudging", "rest": 6}
    same = compare_scorecards(cards[lesson.USUAL], lab.evaluate(policy)).table
    assert (same["difference"].dropna() == 0).all()
    other = Policy().decide("consent", banner="pre_ticked", reask_months=3)
    other = other.decide("personalization", targeting="rfm", share=0.25)
    other = other.decide("anonymization", generalization="mondrian", k=7)
    begun = whole_bill(lab, other, banners=["nudging"], measures=SHOWN[:3])
    assert begun.values == {"share": 0.25, "k": 7, "banner": "pre_ticked", "rest": 3}
    kept = lab.evaluate(other)["value.release_detail_kept"].value
    assert f"release detail kept {100 * kept:.1f} %" in begun.figure.alt
    with pytest.raises(ValueError, match="no measure"):
        whole_bill(lab, policy, measures=["value.profit"], banners=["nudging"])
    with pytest.raises(ValueError, match="no banner"):
        whole_bill(lab, policy, banners=["loud"])


def test_trade_off_says_who_is_beaten_and_tells_them_apart():
    table = pd.DataFrame(
        {
            "x": [0.1, 0.2, 0.3],
            "y": [1.0, 0.5, 2.0],
            "low": [0.9, 0.4, 1.5],
            "high": [1.1, 0.6, 2.5],
            "front": [True, False, True],
        },
        index=["ask", "press", "take"],
    )
    drawn = plotting.trade_off(table, title="Three", xlabel="unasked", ylabel="profit")
    assert drawn.alt == (
        "Three. Beaten by none: ask (unasked 10.0 %, profit 1); take (unasked 30.0 %, profit 2). "
        "Beaten: press (20.0 %, 0.5)."
    )
    texts = [text.get_text() for text in drawn.axes[0].texts]
    assert {"1  ask", "2  take", "3  press", "beaten by another"} <= set(texts)
    with pytest.raises(plotting.PlotError, match="no rows"):
        plotting.trade_off(table.head(0), title="None", xlabel="x", ylabel="y")
