"""Any policy at all: it is measured or refused in a sentence, and its own words hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ethicalai_lab import make_world
from ethicalai_lab.policy import Policy, PolicyError, PolicyLab, Scorecard, preset, sections
from ethicalai_lab.policy.frontier import changed
from ethicalai_lab.policy.modelling import COLUMNS
from ethicalai_lab.policy.response import WEEKS, schedule
from ethicalai_lab.world import PURPOSES

MARKETING = PURPOSES.index("direct_marketing")
LISTS = {
    "data.features": COLUMNS,
    "data.zero_party_questions": ("favourite_category", "contact_frequency"),
    "anonymization.quasi_identifiers": ("age", "gender", "postcode", "history", "region"),
    "fairness.audit.groups": ("gender", "ethnic_group", "age", "disability", "region"),
}
# a whole number is drawn where it matters, not evenly over what is allowed
NUMBERS = {
    "personalization.contact_cap": st.integers(0, 8),
    "personalization.contact_cap_days": st.sampled_from([1, 7, 14, 30, 366]),
    "data.retention_days": st.sampled_from([1, 30, 180, 3650]),
    "anonymization.k": st.sampled_from([1, 2, 5, 50, 10_000]),
    "anonymization.l": st.sampled_from([1, 2, 3, 4]),
    "consent.reask_months": st.sampled_from([0, 1, 6, 12, 120]),
    "fairness.audit.min_group_size": st.sampled_from([1, 50, 100_000]),
}


def _values(path: str) -> st.SearchStrategy:
    words = LISTS.get(path, ()) if sections.is_list(path) else ()
    if sections.is_list(path):
        words = words or sections.choices(path)
        least = 1 if path == "fairness.audit.groups" else 0
        return st.lists(st.sampled_from(words), unique=True, min_size=least, max_size=6)
    if sections.choices(path):
        return st.sampled_from(sections.choices(path))
    if path in NUMBERS:
        return NUMBERS[path]
    low, high, excluded = sections.limits(path)
    if low is None:
        return st.booleans()
    if "whole" in sections.accepted(path):
        return st.integers(int(low), int(high))
    return st.floats(low, high, exclude_min=excluded).map(
        lambda x: max(round(x, 4), 1e-4 * excluded)
    )


@st.composite
def policies(draw) -> Policy:
    """Draw a policy with any fields decided in any accepted way."""
    parts: dict = {}
    for path in sections.FIELDS:
        if path.endswith(".reason") or draw(st.booleans()):
            continue
        section, _, name = path.rpartition(".")
        parts.setdefault(section, {})[name] = draw(_values(path))
    policy = Policy()
    for section, fields in parts.items():
        try:
            policy = policy.decide(section, **fields)
        except PolicyError:
            assume(False)  # two decisions that contradict each other
    return policy


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A temporary folder of this test's own, for others write to the common one, too."""
    usual, tempfile.tempdir = tempfile.tempdir, str(tmp_path_factory.mktemp("scratch"))
    yield Path(tempfile.tempdir)
    tempfile.tempdir = usual


@pytest.fixture(scope="module")
def lab(scratch):
    return PolicyLab(make_world(700, seed=4), n_boot=30)


@given(policy=policies())
@settings(max_examples=60)
def test_any_policy_is_measured_and_kept_to(lab, scratch, policy):
    card = lab.evaluate(policy)
    found = lab.results(policy)
    assert not list(scratch.iterdir())  # nothing written to disk is left

    for measure in card.measures:
        assert (measure.value is None) == measure.needs.startswith("needs "), measure.key
        if measure.value is not None:
            assert np.isfinite(measure.value), measure.key
        if measure.low is not None:
            assert measure.low <= measure.value <= measure.high, measure.key
        if measure.value is not None and measure.unit.startswith("share"):
            assert -1e-9 <= abs(measure.value) <= 1 + 1e-9, measure.key
    again = Scorecard.from_json(card.to_json())
    assert again.to_json() == card.to_json()

    practice, repair = found["permission"].practice, found["repair"]
    assert not (repair.selected & ~practice[MARKETING]).any()
    assert not (repair.selected & found["permission"].objected).any()
    assert not (repair.ranked & ~practice[PURPOSES.index("personalization")]).any()
    before = found["targeting"]
    assert repair.selected.sum() == before.selected.sum()  # a repair sends as many
    share = {"nobody": 0.0, "everyone": 1.0}.get(
        policy["personalization.targeting"] or sections.assumed("personalization.targeting"),
        1.0 if policy["personalization.share"] is None else policy["personalization.share"],
    )
    assert repair.selected.sum() <= round(share * lab.context.n)
    sent = found["response"].added["contacts"]
    assert not sent[~repair.selected].any()
    assert sent.max(initial=0) <= sum(found["response"].schedule)
    held = found["store"]
    assert not (held.stolen.any() and policy["storage.encryption"] in ("at_rest", "per_person_key"))
    table = found["release"].table
    generalized = policy["anonymization.generalization"] not in (None, "none")
    names = policy["anonymization.quasi_identifiers"]
    if (
        table is not None
        and generalized
        and (names is None or {"age", "gender", "postcode"} <= {*names})
    ):
        assert found["release"].smallest_class >= (policy["anonymization.k"] or 1)


@given(cap=st.integers(0, 50), days=st.integers(1, 366))
def test_a_schedule_keeps_to_its_cap_in_every_window(cap, days):
    weeks = schedule(cap, days)
    assert len(weeks) == WEEKS
    sent = np.flatnonzero(weeks) * 7
    for first in range(WEEKS * 7):
        assert ((sent >= first) & (sent < first + days)).sum() <= cap


@given(policy=policies())
@settings(max_examples=15)
def test_the_strictest_way_of_asking_uses_nothing_without_permission(lab, policy):
    strict = changed(
        policy,
        {
            "consent.default": "opt_in",
            "consent.banner": "neutral",
            "consent.regime": "strictest_for_all",
            "consent.honour_gpc": True,
        },
    )
    found = lab.results(strict)["permission"]
    assert not (found.practice & ~found.lawful).any()


STRICTER = [
    # asked once: a ticked box put every month until it stays is not stricter than no question
    ({"consent.default": "opt_out"}, {"consent.default": "opt_in", "consent.reask_months": 12}),
    ({"consent.honour_gpc": False}, {"consent.honour_gpc": True}),
    ({"consent.banner": "pre_ticked"}, {"consent.banner": "neutral"}),
    ({"consent.banner": "hidden_refusal"}, {"consent.banner": "neutral"}),
    ({"consent.banner": "nudging"}, {"consent.banner": "neutral"}),
    (
        {"consent.default": "opt_in", "consent.purposes": list(PURPOSES)},
        {"consent.default": "opt_in", "consent.purposes": list(PURPOSES[:2])},
    ),
]


@pytest.mark.parametrize(("loose", "strict"), STRICTER, ids=str)
@pytest.mark.parametrize("base", ["average_practice", "consent_first", "collect_everything"])
def test_asking_more_strictly_never_uses_more(lab, base, loose, strict):
    uses = [
        lab.results(changed(preset(base), step))["permission"].practice.sum()
        for step in (loose, strict)
    ]
    assert uses[1] <= uses[0]


LESS_DATA = [
    ({"data.retention_days": 3650}, {"data.retention_days": 60}),
    ({"data.inferred_traits": True}, {"data.inferred_traits": False}),
    ({"data.features": list(COLUMNS)}, {"data.features": list(COLUMNS[-6:])}),
]


@pytest.mark.parametrize(("much", "little"), LESS_DATA, ids=lambda x: "")
@pytest.mark.parametrize("base", ["average_practice", "collect_everything", "fairness_first"])
def test_keeping_less_never_looks_worse_for_privacy(lab, base, much, little):
    more, less = (lab.evaluate(changed(preset(base), step)) for step in (much, little))
    for measure in more.measures:
        if measure.dimension != "privacy" or measure.value is None:
            continue
        sign = {"lower": 1, "higher": -1, "none": 0}[measure.direction]
        assert sign * (less[measure.key].value - measure.value) <= 1e-12, measure.key


SAFER = [
    # a safeguard made stronger step by step, and the measures that may only improve
    ("anonymization.k", [1, 2, 5, 20], {"anonymization.generalization": "mondrian"},
     ["privacy.reidentified_by_linkage", "privacy.unique_share", "privacy.smallest_class"]),
    ("anonymization.k", [1, 2, 5, 20], {"anonymization.generalization": "full_domain"},
     ["privacy.reidentified_by_linkage", "privacy.unique_share", "privacy.smallest_class"]),
    ("anonymization.epsilon", [50.0, 5.0, 0.5, 0.05], {},
     ["privacy.presence_guessed", "privacy.loss_budget_spent"]),
    ("anonymization.epsilon_days", [30, 90, 365], {"anonymization.epsilon": 1.0},
     ["privacy.loss_budget_spent"]),
    ("pseudonymization.key_rotation_days", [365, 90, 30], {"pseudonymization.method": "keyed"},
     ["privacy.linked_over_the_year"]),
    ("storage.erasure_days", [365, 90, 30, 7], {}, ["duty.erasures_late"]),
    ("personalization.contact_cap", [6, 3, 1, 0], {"personalization.contact_cap_days": 42},
     ["value.messages_sent"]),
    ("consent.reask_months", [0, 3, 6, 12], {"consent.default": "opt_in"}, ["consent.questions_asked"]),
    ("transparency.urgency_claims", ["any", "only_if_true", "never"], {},
     ["transparency.false_claims"]),
    ("fairness.mitigation.max_value_loss", [0.0, 1.0], {
        "fairness.mitigation.method": "threshold_optimizer",
        "fairness.audit.groups": ["ethnic_group"]},
     ["fairness.selection_gap_ethnic_group"]),
]  # fmt: skip


@pytest.mark.parametrize(("path", "steps", "beside", "keys"), SAFER, ids=lambda x: str(x)[:24])
def test_a_stronger_safeguard_never_measures_weaker(lab, path, steps, beside, keys):
    cards = [lab.evaluate(changed(preset("fairness_first"), {**beside, path: s})) for s in steps]
    for key in keys:
        sign = {"higher": -1, "lower": 1, "none": 1}[cards[0][key].direction]
        found = [sign * card[key].value for card in cards]
        assert all(b <= a + 0.01 for a, b in pairwise(found)), (key, found)
        assert found[-1] < found[0], (key, found)


_PRINT = """
import sys
from ethicalai_lab import make_world
from ethicalai_lab.policy import PolicyLab, preset
lab = PolicyLab(make_world(600, seed=9), n_boot=20)
sys.stdout.write("|||".join(lab.evaluate(preset(n)).to_json() for n in sys.argv[1:]))
"""


def test_every_process_gives_the_same_bytes():
    """Another hash seed, other threads, other policies before: the same card."""
    names = ["privacy_first", "fairness_first"]
    outputs = []
    for seed, threads, order in (("0", "1", names), ("4711", "2", names[::-1])):
        env = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads}
        env["OPENBLAS_NUM_THREADS"] = threads
        done = subprocess.run(
            [sys.executable, "-c", _PRINT, *order],
            env=env, capture_output=True, text=True, encoding="utf-8", check=True,
        )  # fmt: skip
        cards = done.stdout.split("|||")
        outputs.append(sorted(json.dumps(json.loads(card), sort_keys=True) for card in cards))
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize("rule", ["uplift", "response", "rfm"])
def test_what_people_did_who_permit_nothing_reaches_no_decision(rule):
    """Not even a mean: whatever they had bought instead, the same people are chosen."""
    world = make_world(2_500, seed=6)
    policy = changed(
        preset("consent_first"),
        {"personalization.targeting": rule, "personalization.share": 0.2},
    )
    lab = PolicyLab(world, n_boot=0)
    first = lab.results(policy, ["targeting", "collection"])
    unkept = lab.context.ids[~first["collection"].kept]
    assert len(unkept) > 100
    events = world.events.copy()
    theirs = events["customer_id"].isin(unkept).to_numpy()
    events.loc[theirs, "amount"] = events.loc[theirs, "amount"] * 50
    tables = {**world.tables, "events": events}
    other = PolicyLab(type(world)(tables, world.truth, seed=6, config=world.config), n_boot=0)
    second = other.results(policy, ["targeting", "collection"])
    spent = [r["collection"].behaviour["history"].to_numpy() for r in (first, second)]
    assert spent[1].mean() > 2 * spent[0].mean()
    assert np.array_equal(first["targeting"].selected, second["targeting"].selected)
    assert np.allclose(first["targeting"].score, second["targeting"].score)
