"""A policy's words are kept to: what it does not permit is not done, by any rule or measure."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.stats import spearmanr

from ethicalai_lab import make_world
from ethicalai_lab.policy import Policy, PolicyError, PolicyLab, preset, sweep
from ethicalai_lab.policy.context import EvaluationContext
from ethicalai_lab.policy.frontier import changed
from ethicalai_lab.policy.stages import Correlation, Ratio, read_all, resampling_weights


@pytest.fixture(scope="module")
def world():
    return make_world(2_500, seed=5)


@pytest.fixture(scope="module")
def lab(world):
    return PolicyLab(world, n_boot=50)


def by_rfm(**more) -> Policy:
    base = changed(preset("average_practice"), {"personalization.targeting": "rfm"})
    return changed(base, {path.replace("__", "."): value for path, value in more.items()})


def test_rfm_reads_only_the_columns_that_the_policy_lets_be_used(lab):
    both = lab.results(by_rfm())["model"].score
    spent = lab.results(by_rfm(data__features=["history", "age"]))["model"].score
    behaviour = lab.results(by_rfm())["collection"].behaviour
    assert np.unique(spent).size <= behaviour["history"].nunique() + 1
    assert np.unique(both).size > np.unique(spent).size
    found = lab.results(by_rfm(data__features=["age"]))
    assert not found["model"].score.any()
    assert not found["targeting"].ranked.any()
    assert found["targeting"].selected.any()  # by lot
    card = lab.evaluate(by_rfm(data__features=["age"]))
    assert "ranks nobody" in card["value.ranking_quality"].needs


def test_rfm_gives_reasons_from_the_columns_it_read(lab):
    policy = by_rfm(
        data__features=["recency", "age"],
        explanations__method="shapley_values",
        explanations__reasons_shown=3,
        explanations__notice="full_text",
    )
    texts = " ".join(lab.results(policy)["notices"].texts)
    assert "months since your last purchase" in texts
    assert "what you spent" not in texts


def test_too_little_to_learn_from_ranks_nobody_and_gives_no_reasons():
    small = PolicyLab(make_world(300, seed=2), n_boot=0)
    policy = changed(
        preset("consent_first"),
        {"explanations.notice": "full_text", "explanations.reasons_shown": 3},
    )
    found = small.results(policy)
    assert found["model"].contributions is None
    assert found["targeting"].selected.any()
    assert not found["targeting"].ranked.any()
    assert found["notices"].reasons.sum() == 0
    assert not found["notices"].uses_data.any()


def test_what_is_kept_is_of_those_who_permit_it(lab):
    """Values and their age are counted on people whose data may be kept, and on nobody else."""
    for banner in ("pre_ticked", "neutral"):
        policy = changed(preset("consent_first"), {"consent.banner": banner})
        found = lab.results(policy)
        kept, columns = found["collection"].kept, found["collection"].columns
        bought = lab.context.purchases
        mine = (bought["days"] <= 365) & kept[bought["person"]]
        static = len(columns) - len({"recency", "history", "sports", "fashion"} & set(columns))
        assert found["collection"].records == mine.sum() + static * kept.sum()
        assert found["collection"].oldest_days == bought["days"][mine].max()
    freely = lab.evaluate(changed(preset("consent_first"), {"consent.banner": "neutral"}))
    pushed = lab.evaluate(changed(preset("consent_first"), {"consent.banner": "pre_ticked"}))
    assert freely["privacy.values_kept"].value < pushed["privacy.values_kept"].value


def test_a_cap_of_nothing_contacts_nobody(lab):
    card = lab.evaluate(changed(preset("average_practice"), {"personalization.contact_cap": 0}))
    assert card["value.share_contacted"].value == 0
    assert card["value.messages_sent"].value == 0
    assert card["fairness.selection_gap_gender"].value == 0
    assert "needs" in card["transparency.ai_told"].needs


@pytest.mark.parametrize("rule", ["no_profiling", "parental_consent"])
def test_children_are_not_ranked_where_the_policy_says_so(world, rule):
    young = world.customers.copy()
    young.loc[young["customer_id"] % 20 == 0, "age"] = 15
    lab = PolicyLab(replace_tables(world, customers=young), n_boot=50)
    base = preset("fairness_first")
    as_adults = lab.evaluate(changed(base, {"duty.children": "as_adults"}))
    assert as_adults["duty.children_profiled"].value > 0
    spared = lab.evaluate(changed(base, {"duty.children": rule}))
    assert spared["duty.children_profiled"].value == 0
    ranked = lab.results(changed(base, {"duty.children": rule}))["repair"].ranked
    adults = lab.context.customers["age"].to_numpy() >= 18
    assert ranked[adults].any()


def replace_tables(world, **tables):
    return type(world)({**world.tables, **tables}, world.truth)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"anonymization.quasi_identifiers": ["postcod"]},
            r'quasi_identifiers.*"postcod".*postcode',
        ),
        ({"fairness.audit.groups": ["gendr"]}, r'audit\.groups.*"gendr".*gender'),
        ({"data.features": ["recencey"]}, r'data\.features.*"recencey".*recency'),
        (
            {"data.zero_party_questions": ["favourite"]},
            r'zero_party_questions.*"favourite".*favourite_category',
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("base", ["collect_everything", "fairness_first"])
def test_a_name_that_is_not_there_is_named_whatever_else_is_decided(lab, base, changes, words):
    """Not only where the rest of the policy makes use of it: a slip shows at once."""
    with pytest.raises(PolicyError, match=words) as found:
        lab.evaluate(changed(preset(base), changes))
    assert "\n" not in str(found.value)


def test_groups_by_name_are_refused(lab):
    with pytest.raises(PolicyError, match=r'"email".*groups'):
        lab.evaluate(changed(preset("fairness_first"), {"fairness.audit.groups": ["email"]}))


# ---------------------------------------------------------------------------- intervals


def test_intervals_over_noise_and_people_cover_the_truth(world):
    """Over seeds: what is drawn anew by each of them lands where its interval says."""
    policy = changed(
        preset("consent_first"), {"anonymization.epsilon": 2.0, "personalization.contact_cap": 3}
    )
    keys = (
        "value.published_error",
        "privacy.presence_guessed",
        "value.recommendation_interest",
        "value.visits_added",
    )
    hits = dict.fromkeys(keys, 0)
    seeds = range(25)
    for seed in seeds:
        card = PolicyLab(world, n_boot=100, seed=seed).evaluate(policy)
        for key in keys:
            hits[key] += card[key].low <= card[key].truth <= card[key].high
    for key, count in hits.items():
        assert count >= 0.8 * len(seeds), (key, count)


def test_a_value_that_few_people_make_says_so(world):
    """What a few large baskets decide has bounds that are too narrow: the evidence warns of it."""
    policy = changed(preset("consent_first"), {"personalization.contact_cap": 3})
    card = PolicyLab(world, n_boot=100).evaluate(policy)
    assert re.search(r"due to about \d people", card["value.profit_added"].evidence)
    assert "due to about" not in card["value.visits_added"].evidence
    even = Ratio(np.arange(1_000) % 7)
    rare = Ratio(np.where(np.arange(1_000) < 4, 50.0, 0.0))
    weights = resampling_weights(1_000, 50, 0)
    found = read_all({"even": even, "rare": rare}, weights)
    assert found["even"].note == ""
    assert "about 4 people" in found["rare"].note


@pytest.mark.parametrize("strength", [0.0, 0.3])
def test_intervals_of_a_rank_correlation_cover_that_of_all_people(strength):
    rng = np.random.default_rng(3)
    one = np.round(rng.standard_normal(60_000), 1)
    other = strength * one + rng.standard_normal(60_000)
    nobody = np.zeros((0, 60_000), dtype=np.float32)
    everybody = Correlation(one, other, np.ones(60_000, dtype=bool))
    whole = read_all({"": everybody}, nobody)[""].value
    assert whole == pytest.approx(spearmanr(one, other).statistic, abs=1e-9)
    hits = 0
    weights = resampling_weights(500, 200, 0)
    for draw in range(200):
        rows = np.random.default_rng(draw).integers(0, 60_000, 500)
        sample = Correlation(one[rows], other[rows], np.arange(500) < 400)
        found = read_all({"": sample}, weights)[""]
        assert found.low <= found.value <= found.high
        assert found.value == pytest.approx(
            spearmanr(one[rows[:400]], other[rows[:400]]).statistic, abs=1e-9
        )
        hits += found.low <= whole <= found.high
    assert 0.90 <= hits / 200 <= 0.99


def test_stored_numbers_are_rounded(lab):
    card = lab.evaluate(preset("fairness_first"))
    for measure in card.measures:
        if measure.value is not None:
            assert measure.value == float(f"{measure.value:.12g}"), measure.key
        if measure.replicates is not None:
            assert len(repr(float(np.abs(measure.replicates).max()))) <= 16, measure.key


# ------------------------------------------------------------------- worlds that look alike


def test_a_world_changed_in_one_table_is_another_world(world, lab):
    """Same people and campaign, other ages: no worker and no file may take one for the other."""
    aged = world.customers.copy()
    aged["disability"] = ~aged["disability"].astype(bool)
    other = replace_tables(world, customers=aged)
    assert EvaluationContext.of_world(other).identity == EvaluationContext.of_world(world).identity
    assert (
        EvaluationContext.of_world(other).fingerprint
        != EvaluationContext.of_world(world).fingerprint
    )
    policy = [preset("fairness_first")]
    one = sweep(policy, world, progress=False).table
    two = sweep(policy, other, progress=False).table
    key = "fairness.selection_gap_disability"
    again = PolicyLab(other, n_boot=0).evaluate(policy[0])
    assert two[key].iloc[0] == again[key].value
    assert one[key].iloc[0] == lab.evaluate(policy[0])[key].value


def test_a_file_of_another_world_is_not_taken_for_this_one(world, tmp_path):
    other = replace_tables(world, customers=world.customers.assign(age=40))
    store = tmp_path / "sweep.jsonl"
    policy = [preset("average_practice")]
    assert sweep(policy, world, store=store, progress=False).known == 0
    assert sweep(policy, other, store=store, progress=False).known == 0
    assert sweep(policy, other, store=store, progress=False).known == 1
