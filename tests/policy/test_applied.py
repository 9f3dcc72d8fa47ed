"""A policy's words are kept to: what it does not permit is not done, by any rule or measure."""

from __future__ import annotations

import numpy as np
import pytest

from ethicalai_lab import make_world
from ethicalai_lab.policy import Policy, PolicyLab, preset
from ethicalai_lab.policy.frontier import changed


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
        bought = lab.ground.purchases
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
    adults = lab.ground.customers["age"].to_numpy() >= 18
    assert ranked[adults].any()


def replace_tables(world, **tables):
    return type(world)({**world.tables, **tables}, world.truth)
