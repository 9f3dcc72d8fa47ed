"""Trust after a message: planted truth is found, and each conclusion rests on what it says."""

import dataclasses
import hashlib
import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.errors import InputError
from ethicalai_lab.explainability import (
    TrustAssumptions,
    message_response,
    response_factor,
    trust_after,
    trust_experiment,
    what_would_reverse,
)
from ethicalai_lab.explainability.errors import ExplanationError
from ethicalai_lab.explainability.trust import DISCLOSURES, TRUST_OUTCOMES
from ethicalai_lab.policy.sections import Explanations

TOLD = DISCLOSURES[1:]
NAMES = [f.name for f in dataclasses.fields(TrustAssumptions)]
unit = st.floats(0, 1, allow_subnormal=False)


@pytest.fixture(scope="module")
def world():
    from ethicalai_lab.world import make_world

    return make_world(6_000, seed=11)


@pytest.fixture(scope="module")
def people(world):
    return world.truth.people


def one(concern, trust):
    return pd.DataFrame({"privacy_concern": [concern], "trust": [trust]})


def drawn_assumptions():
    ranges = {
        f.name: st.floats(f.metadata["low"], f.metadata["high"], allow_subnormal=False)
        for f in dataclasses.fields(TrustAssumptions)
    }
    return st.builds(TrustAssumptions, **ranges)


# ------------------------------------------------------------------------ assumptions


def test_each_assumption_is_named_ranged_and_sourced():
    table = TrustAssumptions().table()
    assert table["name"].tolist() == NAMES
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()
    assert table["meaning"].is_unique
    assert table["unit"].str.len().gt(0).all()
    assert table["evidence"].str.contains("assumption|direction only").all()
    sourced = table.set_index("name")["evidence"]
    assert sourced["unacceptable_loss"] == "direction only, Kim, Barasz, John 2019"
    assert "Aguirre" in sourced["covert_loss"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [-0.5, math.inf, math.nan, "0.3", True, None])
def test_a_wrong_assumption_is_named(name, value):
    with pytest.raises(ExplanationError, match=f"^{name} is .* is accepted"):
        TrustAssumptions(**{name: value})


def test_the_levels_are_those_of_the_policy():
    for level in DISCLOSURES:
        assert Explanations(notice=level).notice == level
    listed = str(Explanations.model_json_schema()["properties"]["notice"])
    assert set(re.findall(r"'(\w+)'", listed.split("enum")[1].split("]")[0])) == set(DISCLOSURES)


# -------------------------------------------------------------------------- the model


def test_trust_after_agrees_with_the_sum_written_out_for_one_person():
    a = TrustAssumptions()
    read = 0.6 * 0.5 ** (25 / 150) * (1 + 0.3 * 0.6)  # concern 0.8
    knows = read * (0.5 + 0.5 * 0.15)
    found = knows * 0.3 + (1 - knows) * 0.08 * 0.45
    lost = 1.36 * (0.75 * found + 0.5 * 0.04) + 0.4 * read * 0.25 * 0.3
    lost += 0.5 * 0.15 * 0.3 + 0.3 * 0.01 + 0.7 * 0.1 * 0.3
    expected = 0.55 * (1 - lost) + 0.45 * knows * 0.25 * 0.05
    after = trust_after(
        one(0.8, 0.55),
        disclosure="layered",
        acceptable=0.25,
        reasons_true=0.6,
        false_claims=0.5,
        ai_disclosed=0.3,
        choice_given=0.5,
        assumptions=a,
    )
    assert after[0] == pytest.approx(expected, abs=1e-12)


def test_telling_acceptable_data_costs_no_trust_and_unacceptable_data_does(people):
    silent = {
        ok: trust_after(people, disclosure="none", acceptable=ok).mean() for ok in (True, False)
    }
    for level in TOLD:
        assert trust_after(people, disclosure=level, acceptable=True).mean() >= silent[True]
        assert trust_after(people, disclosure=level, acceptable=False).mean() < silent[False]
    # untold, but found out by some
    assert silent[False] < silent[True]


def test_without_the_loss_telling_unacceptable_data_is_better_than_being_found_out(people):
    a = TrustAssumptions(unacceptable_loss=0.0)
    silent = trust_after(people, disclosure="none", acceptable=False, assumptions=a)
    for level in TOLD:
        told = trust_after(people, disclosure=level, acceptable=False, assumptions=a)
        assert (told > silent).all()


@pytest.mark.parametrize("zero", ["discovery", "covert_loss"])
def test_covert_use_costs_nothing_where_it_is_never_found_or_never_minded(people, zero):
    a = TrustAssumptions(**{zero: 0.0})
    args = {"disclosure": "none", "assumptions": a}
    np.testing.assert_array_equal(
        trust_after(people, acceptable=False, **args), trust_after(people, acceptable=True, **args)
    )
    assert (
        trust_after(people, disclosure="none", acceptable=False)
        < trust_after(people, disclosure="none", acceptable=True)
    ).all()


@pytest.mark.parametrize(
    ("condition", "zero"),
    [
        ({"reasons_true": 0.0}, "false_reason_loss"),
        ({"false_claims": 1.0}, "false_claim_loss"),
        ({"ai_disclosed": False}, "ai_hidden_loss"),
        ({"choice_given": False}, "no_choice_loss"),
    ],
)
def test_each_breach_costs_trust_and_by_its_own_assumption_only(people, condition, zero):
    args = {"disclosure": "one_line", "acceptable": True}
    none_told = TrustAssumptions(ai_told_loss=0.0)
    fair = trust_after(people, **args, assumptions=none_told)
    breach = trust_after(people, **args, **condition, assumptions=none_told)
    assert (breach < fair).all()
    free = dataclasses.replace(none_told, **{zero: 0.0})
    np.testing.assert_allclose(
        trust_after(people, **args, **condition, assumptions=free), fair, rtol=0, atol=1e-15
    )


def test_invented_reasons_cost_nothing_where_no_reason_is_read(people):
    args = {"disclosure": "none", "acceptable": True}
    np.testing.assert_array_equal(
        trust_after(people, reasons_true=0.0, **args), trust_after(people, **args)
    )


def test_the_concerned_lose_more_unless_the_assumptions_say_otherwise():
    both = pd.DataFrame({"privacy_concern": [0.1, 0.9], "trust": [0.6, 0.6]})
    for level in DISCLOSURES:
        calm, concerned = trust_after(both, disclosure=level, acceptable=False)
        assert concerned < calm
        a = TrustAssumptions(loss_by_concern=0.0, reading_by_concern=0.0)
        calm, concerned = trust_after(both, disclosure=level, acceptable=False, assumptions=a)
        assert concerned == pytest.approx(calm, abs=1e-15)


def test_longer_is_read_by_fewer():
    a = TrustAssumptions()
    assert a.read("one_line") > a.read("layered") > a.read("full_text") > a.read("none") == 0
    assert a.read("one_line") == pytest.approx(0.6 * 2 ** (-0.1))
    assert TrustAssumptions(words_full_text=900).read("full_text") < a.read("full_text")
    assert a.grasped("full_text") > a.grasped("layered") > a.grasped("one_line")


@settings(max_examples=150)
@given(
    a=drawn_assumptions(),
    concern=unit,
    trust=unit,
    level=st.sampled_from(DISCLOSURES),
    shares=st.lists(unit, min_size=5, max_size=5),
)
def test_trust_stays_in_range_and_repeats_itself(a, concern, trust, level, shares):
    names = ("acceptable", "reasons_true", "false_claims", "ai_disclosed", "choice_given")
    args = dict(zip(names, shares, strict=True))
    got = trust_after(one(concern, trust), disclosure=level, assumptions=a, **args)
    assert 0.0 <= got[0] <= 1.0
    again = trust_after(
        one(concern, trust),
        disclosure=level,
        assumptions=a,
        **{k: np.array([v]) for k, v in args.items()},
    )
    assert got[0] == again[0]


@settings(max_examples=150)
@given(
    a=drawn_assumptions(),
    concern=unit,
    trust=unit,
    level=st.sampled_from(DISCLOSURES),
    name=st.sampled_from(["acceptable", "reasons_true", "false_claims", "choice_given"]),
    pair=st.tuples(unit, unit),
)
def test_trust_never_falls_as_a_message_gets_more_honest(a, concern, trust, level, name, pair):
    worse, better = sorted(pair, reverse=name == "false_claims")
    args = {"acceptable": 0.5} if name != "acceptable" else {}
    lower, higher = (
        trust_after(one(concern, trust), disclosure=level, assumptions=a, **args, **{name: v})[0]
        for v in (worse, better)
    )
    assert lower <= higher + 1e-12


@settings(max_examples=100)
@given(
    name=st.sampled_from([n for n in NAMES if n.endswith(("_loss", "discovery"))]),
    pair=st.tuples(unit, unit),
    concern=unit,
    trust=unit,
    level=st.sampled_from(DISCLOSURES),
)
def test_trust_never_rises_with_a_loss(name, pair, concern, trust, level):
    small, large = sorted(pair)
    lower, higher = (
        trust_after(
            one(concern, trust),
            disclosure=level,
            acceptable=0.3,
            reasons_true=0.5,
            false_claims=0.5,
            ai_disclosed=0.5,
            choice_given=0.5,
            assumptions=TrustAssumptions(**{name: v}),
        )[0]
        for v in (large, small)
    )
    assert lower <= higher + 1e-12


# -------------------------------------------------------------------------- responses


@settings(max_examples=100)
@given(a=drawn_assumptions(), before=unit, lower=unit, higher=unit)
def test_response_factors_are_one_without_change_and_ordered_by_it(a, before, lower, higher):
    visit, unsubscribe = response_factor([before], [before], a)
    assert visit[0] == 1.0
    assert unsubscribe[0] == 1.0
    lower, higher = sorted((lower, higher))
    (v1,), (u1,) = response_factor([before], [lower], a)
    (v2,), (u2,) = response_factor([before], [higher], a)
    assert 0 < v1 <= v2
    assert u1 >= u2 > 0


@settings(max_examples=100)
@given(without=unit, mailed=unit, small=st.floats(0.1, 1), large=st.floats(1, 5))
def test_more_trust_never_lowers_the_response_even_of_those_a_mail_repels(
    without, mailed, small, large
):
    lost, same, won = (message_response([without], [mailed], [f])[0] for f in (small, 1.0, large))
    assert same == pytest.approx(mailed, abs=1e-12)
    assert lost <= same + 1e-12
    assert same <= won + 1e-12


# ------------------------------------------------------------------------- experiment


def test_intervals_hold_the_planted_truth_at_about_their_nominal_rate(world):
    hits = {(o, k): [] for o in TRUST_OUTCOMES for k in ("value", "difference")}
    for seed in range(60):
        table = trust_experiment(world, acceptable=False, seed=seed).table.dropna()
        for outcome, part in table.groupby("outcome"):
            hits[outcome, "value"] += part["truth"].between(part["low"], part["high"]).tolist()
            hits[outcome, "difference"] += (
                part["difference_truth"]
                .between(part["difference_low"], part["difference_high"])
                .tolist()
            )
    for key, found in hits.items():
        assert len(found) == 180
        assert 0.89 <= np.mean(found) <= 1.0, key
    every = np.concatenate(list(hits.values()))
    assert 0.93 <= every.mean() <= 0.985


def test_estimates_scatter_around_the_truth_in_each_band(world):
    drawn = [trust_experiment(world, acceptable=False, seed=s).by_band for s in range(20)]
    for column, truth in (("value", "truth"), ("difference", "difference_truth")):
        values = np.array([d[column] for d in drawn])
        error = values.mean(axis=0) - drawn[0][truth].to_numpy()
        se = values.std(axis=0, ddof=1) / math.sqrt(len(drawn))
        known = ~np.isnan(error)
        assert known.any()
        assert (np.abs(error[known]) < 4.5 * se[known]).all()


def test_truth_is_the_mean_of_the_expected_outcomes(world, people):
    table = trust_experiment(world, acceptable=False).table
    truth = table.set_index(["outcome", "level"])["truth"]
    po = world.truth.potential_outcomes
    after = trust_after(people, disclosure="one_line", acceptable=False)
    visit, leave = response_factor(people["trust"], after)
    mailed = message_response(po["p_visit_no_mail"], po["p_visit_sports_mail"], visit)
    assert truth["visit", "one_line"] == pytest.approx(mailed.mean(), abs=1e-9)
    assert truth["unsubscribe", "one_line"] == pytest.approx(
        (po["p_unsubscribe_sports_mail"].to_numpy() * leave).mean(), abs=1e-9
    )
    # the scale by brute force: rounding and the scale's ends are part of the truth
    noise = np.random.default_rng(3).normal(size=(200, len(after))) * 0.8
    points = np.clip(np.floor(1 + 4 * after + noise + 0.5), 1, 5)
    assert truth["stated_trust", "one_line"] == pytest.approx(points.mean(), abs=0.005)


def test_the_concerned_lose_more_trust_in_the_experiment_too(world):
    found = trust_experiment(world, acceptable=False).by_band
    lost = found.query("outcome == 'stated_trust' and level == 'layered'").set_index("band")
    assert lost.loc["high", "difference_truth"] < lost.loc["low", "difference_truth"] < 0


def test_acceptable_may_differ_by_person(world, people):
    split = people["privacy_concern"].to_numpy() < 0.5
    mixed = trust_experiment(world, acceptable=split).table["truth"]
    good, bad = (trust_experiment(world, acceptable=ok).table["truth"] for ok in (True, False))
    told = [1, 2, 3, 9, 10, 11]
    assert (np.minimum(good, bad)[told] < mixed[told]).all()
    assert (mixed[told] < np.maximum(good, bad)[told]).all()


def test_same_seed_same_bytes_and_another_seed_others(world):
    def digest(seed):
        e = trust_experiment(world, acceptable=False, seed=seed)
        text = e.table.to_csv() + e.by_band.to_csv()
        return hashlib.sha256(text.encode()).hexdigest()

    assert digest(4) == digest(4) != digest(5)


def test_nobody_is_moved_where_no_assumption_has_any_effect(world):
    zero = {n: 0.0 for n in NAMES if n.endswith(("_loss", "_gain"))}
    found = trust_experiment(world, acceptable=False, assumptions=TrustAssumptions(**zero))
    truth = found.table.set_index(["outcome", "level"])["difference_truth"].dropna()
    assert (truth == 0).all()
    po = world.truth.potential_outcomes
    visit = found.table.query("outcome == 'visit'")["truth"]
    assert visit.to_numpy() == pytest.approx(po["p_visit_sports_mail"].mean(), abs=1e-9)


# ------------------------------------------------------------------- what would reverse


def test_the_turning_point_really_turns_the_order():
    from ethicalai_lab.world import make_world

    world = make_world(2_000, seed=11)  # as many people as the question is asked of
    found = what_would_reverse(world, "none", "one_line", acceptable=False)
    flips = found.query("result == 'flips'")
    assert {"unacceptable_loss", "discovery"} <= set(flips["name"])
    assert flips["move_of_range"].is_monotonic_increasing
    for row in flips.itertuples():
        step = math.copysign(0.002 * (row.high - row.low), row.move)

        def gap(value, name=row.name):
            changed = TrustAssumptions(**{name: value})
            trial = trust_experiment(world, acceptable=False, assumptions=changed)
            truth = trial.table.set_index(["outcome", "level"])
            return -truth.loc[("visit", "one_line"), "difference_truth"]

        assert gap(row.value) == pytest.approx(row.difference, abs=1e-8)
        assert gap(row.turns_at - step) * row.difference > 0
        assert gap(row.turns_at + step) * row.difference < 0


def test_what_cannot_matter_holds_and_what_switches_it_off_vanishes(world):
    found = what_would_reverse(world, "one_line", "none", acceptable=True).set_index("name")
    assert found.loc["acceptable_gain", ["result", "turns_at"]].tolist() == ["vanishes", 0.0]
    assert found.loc["unacceptable_loss", "result"] == "holds"
    assert np.isnan(found.loc["unacceptable_loss", "turns_at"])
    assert (found["result"] != "flips").all()


# -------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"disclosure": "some"}, "disclosure is 'some'; one of none"),
        ({"disclosure": None}, "disclosure is None"),
        ({"acceptable": [True]}, "acceptable has 1 values for 2 people"),
        ({"acceptable": 2}, "acceptable, row 0 is 2; 0 to 1"),
        ({"acceptable": "yes"}, "acceptable holds something that is no number"),
        ({"acceptable": [[True], [True, False]]}, "acceptable holds something that is no number"),
        ({"acceptable": [[True], [True]]}, "acceptable has 2 dimensions"),
        ({"reasons_true": [0.5, np.nan]}, "reasons_true, row 1 is nan"),
        ({"false_claims": -1}, "false_claims, row 0 is -1"),
        ({"ai_disclosed": [0.0, np.inf]}, "ai_disclosed, row 1 is inf"),
        ({"choice_given": ["a", "b"]}, "choice_given holds something that is no number"),
        ({"assumptions": {"noticed": 1}}, "assumptions is a dict"),
    ],
)
def test_bad_arguments_are_named(change, message):
    people = pd.DataFrame({"privacy_concern": [0.2, 0.8], "trust": [0.5, 0.5]})
    args = {"disclosure": "one_line", "acceptable": True} | change
    with pytest.raises(ExplanationError, match=message) as caught:
        trust_after(people, **args)
    assert isinstance(caught.value, InputError)


@pytest.mark.parametrize(
    ("people", "message"),
    [
        ([1, 2], "people is a list"),
        (pd.DataFrame({"trust": [0.5]}), "people has no column privacy_concern"),
        (one(0.5, 1.5), "people, column trust, row 0 is 1.5; 0 to 1"),
        (one(None, 0.5), "people, column privacy_concern, row 0 is nan"),
        (one("high", 0.5), "people, column privacy_concern holds something that is no number"),
        (one(0.5, pd.Timestamp("2026-01-01")), "people, column trust holds something"),
    ],
)
def test_bad_people_are_named(people, message):
    with pytest.raises(ExplanationError, match=message):
        trust_after(people, disclosure="none", acceptable=True)


def test_nobody_is_an_empty_answer():
    empty = pd.DataFrame({"privacy_concern": [], "trust": []}, dtype=float)
    assert trust_after(empty, disclosure="layered", acceptable=True).shape == (0,)


@pytest.mark.parametrize(
    ("args", "change", "message"),
    [
        (("none", "none"), {}, 'second is "none" like first'),
        (("all", "none"), {}, "first is 'all'"),
        (("none", "layered"), {"names": "luck"}, 'names holds "luck"; the assumptions are noticed'),
        (("none", "layered"), {"acceptable": [True]}, "acceptable has 1 values for 6000 people"),
    ],
)
def test_bad_questions_are_named(world, args, change, message):
    with pytest.raises(ExplanationError, match=message):
        what_would_reverse(world, *args, **change)


def test_bad_factors_are_named():
    with pytest.raises(ExplanationError, match="after has 2 values for 1 people"):
        response_factor([0.5], [0.5, 0.6])
    with pytest.raises(ExplanationError, match=r"before, row 0 is 1\.2"):
        response_factor([1.2], [0.5])
    with pytest.raises(ExplanationError, match="factor holds a 0"):
        message_response([0.1], [0.2], [0.0])
    with pytest.raises(ExplanationError, match=r"mailed, row 0 is -0\.1"):
        message_response([0.1], [-0.1], [1.0])
