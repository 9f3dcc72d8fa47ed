"""What lesson 15 says in words, held to the world that it is said about."""

import itertools
from pathlib import Path

import pandas as pd
import pytest

from ethicalai_lab import plotting
from ethicalai_lab.lessons import lesson
from ethicalai_lab.lessons.lesson import course_world
from ethicalai_lab.policy import (
    PRESETS,
    Policy,
    Rules,
    compare_scorecards,
    never_together,
    preset,
)
from ethicalai_lab.widgets.whole_bill import SHOWN, whole_bill

EX = lesson("15")
MARKETING, OFFICER = "the head of marketing", "the data protection officer"
COUNCIL, USUAL = "the customers' council", "average_practice"

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "15_policy_lab.ipynb"


def pair_to(name):
    """A card's paired differences to the usual one, by key."""
    table = compare_scorecards(EX.known["card"], EX.known["cards"][name]).table
    return table.set_index(table["dimension"] + "." + table["measure"])


def missed_by_role(card):
    rules = EX.known["roles"].items()
    return {role: {miss.measure for miss in each.check(card)} for role, each in rules}


@pytest.fixture(scope="module")
def world():
    return course_world()


@pytest.fixture(scope="module")
def cards(world):
    return EX.known["cards"]


@pytest.fixture(scope="module")
def shown(world):
    rules = Rules(tuple(rule for each in EX.known["roles"].values() for rule in each))
    return whole_bill(EX.known["lab"], preset(USUAL), rules=rules)


def test_one_customer_meets_all_of_it(world):
    inside = EX.known["lab"].results(preset(USUAL))
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
    usual = cards[USUAL]
    assert usual["consent.without_permission"].value == 0
    assert 0.1 < usual[EX.known["WILL"]].low < usual[EX.known["WILL"]].high < 0.35
    assert all(key in usual for key in SHOWN)
    assert len(SHOWN) == 12


def test_average_practice_contents_marketing_and_nobody_else(cards):
    missed = missed_by_role(cards[USUAL])
    assert not missed[MARKETING]
    assert missed[OFFICER]
    assert missed[COUNCIL]


def test_each_preset_misses_something_of_somebody(cards):
    for name in PRESETS:
        assert any(missed_by_role(cards[name]).values())


def test_on_two_bounds_the_data_cannot_tell_one_kept_one_missed(world):
    facts = EX.q1.facts
    assert len(facts["kept_straddled"]) == 1
    assert len(facts["missed_straddled"]) == 1


def test_consent_first_left_addresses_and_its_profit_cannot_be_told_apart(world):
    pair = pair_to("consent_first")
    assert pair.loc["privacy.reidentified_by_guessing", "reading"] == "worse"
    assert pair.loc[EX.known["PROFIT"], "reading"] == "cannot tell"
    assert EX.p2.facts.expected == "b"
    facts = EX.q2.facts
    assert facts["expected"] < 0.9 * facts["independent"] < facts["worst"]


def test_of_six_lines_that_wait_for_refits_four_stay(world):
    waiting = pair_to("consent_first").query("reading == 'needs refits'")
    assert len(waiting) == 6
    assert (waiting["low"] * waiting["high"] > 0).all()
    lab = EX.known["lab"]
    cards = [lab.evaluate(preset(name), refit=20) for name in (USUAL, "consent_first")]
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
    lab = EX.known["lab"]
    picked = [
        lab.results(card.policy)["repair"].selected
        for card in (cards["revised"], cards["consent_first"])
    ]
    assert (picked[0] == picked[1]).all()
    waiting = pair_to("revised").query("reading == 'needs refits'").index
    assert [key for key in waiting if key in SHOWN and key.startswith("fairness.")] == [
        "fairness.selection_gap_gender",
        "fairness.selection_gap_age_band",
    ]


def test_two_lines_of_the_figure_are_known_only_here(cards):
    shown = [cards[USUAL][key] for key in SHOWN]
    assert {m.key for m in shown if m.only_here} == {EX.known["WILL"], "value.contacted_in_vain"}
    assert all(m.truth is None for m in shown if m.only_here)


def test_fairness_first_has_the_largest_gap_where_it_did_not_look(cards):
    key = "fairness.selection_gap_age_band"
    groups = preset("fairness_first").fairness.audit.groups
    assert groups == ["gender", "ethnic_group"]
    others = [cards[name][key].high for name in PRESETS if name != "fairness_first"]
    assert cards["fairness_first"][key].low > max(others)


def test_the_cheapest_way_to_less_use_against_the_will_is_the_fair_question(world):
    found = EX.known["better"]
    assert found.table["changes"].tolist() == [
        "consent.banner: neutral",
        "consent.reask_months: 12",
    ]
    assert found.table["cost"].iloc[0] < 0.9 * found.table["cost"].iloc[1]
    facts = EX.q3.facts
    assert facts["profit_low"] < 0 < facts["profit_high"]
    assert facts["expected"] > 0.05
    assert facts["gain"] > 0.05


def test_two_objections_stay_of_two_kinds(world, cards):
    missed = missed_by_role(cards["revised"])
    assert missed == {
        MARKETING: {"consent.reachable"},
        OFFICER: {"duty.open_points"},
        COUNCIL: set(),
    }
    pair = pair_to("revised")
    assert pair.loc[EX.known["PROFIT"], "reading"] == "cannot tell"
    assert pair.loc["consent.reachable", "reading"] == "worse"
    assert pair.loc["consent.reachable", "high"] < 0
    assert pair.loc["value.release_detail_kept", "reading"] == "worse"
    assert Policy().duty is None
    assert cards["revised"].policy.duty is None


def test_deciding_the_duties_answers_the_officer(world, cards):
    decided = cards["revised"].policy.decide(
        "duty", retention_register=True, dpia="before_launch", human_review="on_request"
    )
    card = EX.known["lab"].evaluate(decided)
    assert card["duty.open_points"].value <= 4
    assert not missed_by_role(card)[OFFICER]


def test_no_policy_tried_keeps_all_and_reach_contradicts_the_will(world):
    tried = EX.p3.facts["each"]
    assert EX.p3.facts.expected == "a"
    named = {str(i): card for i, card in enumerate(tried)}
    pairs = never_together(named, EX.known["roles"].values())
    found = set(zip(pairs["bound"], pairs["other_bound"], strict=True))
    assert ("consent.reachable", EX.known["WILL"]) in found
    rest = [pair for pair in found if "duty.open_points" not in pair]
    assert rest == [("consent.reachable", EX.known["WILL"])]


def test_along_the_front_profit_comes_with_use_against_the_will(world):
    from ethicalai_lab.policy import pareto

    tried = EX.p3.facts["each"]
    values = [[card[EX.known["WILL"]].value, card[EX.known["PROFIT"]].value] for card in tried]
    kept = pareto(values, ["lower", "higher"])
    front = sorted((tried[i] for i in kept.nonzero()[0]), key=lambda c: c[EX.known["WILL"]].value)
    assert len(front) == 4
    profits = [card[EX.known["PROFIT"]] for card in front]
    assert [p.value for p in profits] == sorted(p.value for p in profits)
    readings = []
    for one, other in itertools.pairwise(front):
        table = compare_scorecards(one, other).table.set_index("measure")
        readings.append(table.loc["profit_added", "reading"])
    assert readings == ["better", "cannot tell", "better"]


def test_a_defence_of_the_readers_own_file_is_held_to_it(world, tmp_path, monkeypatch):
    monkeypatch.setenv("ETHICALAI_LAB_WORK", str(tmp_path))
    facts = EX.q5.facts
    open_ = facts.judged(policy="mine", threshold=0.5, objector=OFFICER)
    open_ |= {"objection": "duty.open_points", "given_up": "duty.open_points"}
    assert EX.q5.check(open_).passed
    before = open_["figure"]
    Policy().decide("consent", default="opt_in", banner="neutral", reask_months=12).save(
        tmp_path / "my_policy.yaml"
    )
    stale = EX.q5.check(open_)
    assert stale.mistake == "figure"
    now = facts.value("mine", EX.known["WILL"])
    assert now < before
    assert EX.q5.check(open_ | {"figure": now}).passed
    (tmp_path / "my_policy.yaml").write_text("nonsense: [", encoding="utf-8")
    assert EX.q5.check(open_ | {"figure": now}).mistake == "figure"


def test_whole_bill_moves_and_says_its_numbers(world, shown, cards):
    alt = shown.figure.alt
    assert "8 of 12 bounds missed" in alt
    reach = f"reachable {100 * cards[USUAL]['consent.reachable'].value:.1f} %"
    assert reach in alt
    fair = shown.set(banner="neutral", rest=12)
    assert reach not in fair.figure.alt
    assert fair.figure._repr_html_() != shown.figure._repr_html_()
    coarse = shown.set(k=20).figure.alt
    assert "reidentified by linkage 1." in coarse
    assert "release detail kept 97." in coarse


def test_whole_bill_begins_with_the_policy_itself(world, shown, cards):
    lab, policy = EX.known["lab"], preset(USUAL)
    assert shown.values == {"share": 0.5, "k": 1, "banner": "nudging", "rest": 6}
    same = compare_scorecards(cards[USUAL], lab.evaluate(policy)).table
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
