"""The evaluation: every section really applied, each stage broken once, nothing run twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ethicalai_lab import make_world
from ethicalai_lab.policy import (
    DIMENSIONS,
    PRESETS,
    Policy,
    PolicyError,
    PolicyLab,
    compare_scorecards,
    evaluate,
    evaluation_graph,
    preset,
    sections,
)
from ethicalai_lab.policy.frontier import changed, neighbours
from ethicalai_lab.policy.stages import Graph, Stage, values_of

# what an evaluation draws or reads: seconds and dates of this computer are none of it
N = 3_000


@pytest.fixture(scope="module")
def world():
    return make_world(N, seed=11)


@pytest.fixture(scope="module")
def lab(world):
    return PolicyLab(world, n_boot=100)


def careful() -> Policy:
    """A policy in which every stage has something to do."""
    return changed(
        preset("consent_first"),
        {
            "personalization.share": 0.3,
            "personalization.contact_cost": 0.02,
            "personalization.unsubscribe_cost": 2.0,
            "pseudonymization.method": "keyed",
            "pseudonymization.key_rotation_days": 30,
            "pseudonymization.per_partner": True,
            "pseudonymization.per_purpose": True,
            "pseudonymization.key_holder": "separate_team",
            "storage.encryption": "per_person_key",
            "storage.erasure": "destroy_key",
            "storage.erasure_days": 14,
            "anonymization.generalization": "mondrian",
            "anonymization.k": 10,
            "anonymization.epsilon": 0.5,
            "fairness.audit.groups": ["gender", "ethnic_group"],
            "fairness.audit.frequency": "monthly",
            "fairness.mitigation.method": "group_profit_thresholds",
            "fairness.mitigation.max_value_loss": 1.0,
            "transparency.urgency_claims": "never",
            "duty.retention_register": True,
            "duty.dpia": "before_launch",
            "duty.human_review": "before_sending",
            "log.kind": "hash_chain",
            "log.witness": "external",
        },
    )


def values(card):
    return {m.key: m.value for m in card.measures}


def same(a, b):
    return (a is None and b is None) or (
        a is not None and b is not None and np.isclose(a, b, rtol=1e-9, atol=1e-12)
    )


def moved(before, after):
    return {key for key in before if not same(before[key], after[key])}


# ------------------------------------------------------------------------ the whole


def test_all_six_dimensions_are_measured_and_every_field_is_read(lab):
    card = lab.evaluate(careful())
    assert {m.dimension for m in card.measures} == set(DIMENSIONS)
    assert evaluation_graph().unread() == ()
    without = [m.key for m in card.measures if m.value is None]
    assert without == ["duty.children_profiled"]  # this world has no children
    assert all(m.needs.startswith("needs ") for m in card.measures if m.value is None)
    assert all(m.meaning and m.evidence and m.unit for m in card.measures)


@pytest.mark.parametrize("name", list(PRESETS))
def test_intervals_hold_their_value_and_the_words_pass_no_verdict(lab, name):
    card = lab.evaluate(preset(name))
    for measure in card.measures:
        if measure.low is not None:
            assert measure.low <= measure.value <= measure.high, measure.key
    text = card.to_html().lower()
    for word in ("compliant", "fully " + "anonymous", "unbiased", "is fair"):
        assert word not in text


def test_the_same_seed_gives_the_same_card_in_a_fresh_lab(world, lab):
    again = evaluate(careful(), world, n_boot=100)
    first = lab.evaluate(careful())
    for one, two in zip(first.measures, again.measures, strict=True):
        assert (one.key, one.value, one.low, one.high) == (two.key, two.value, two.low, two.high)
    other = evaluate(careful(), world, n_boot=100, seed=1)
    assert moved(values(first), values(other))


def test_an_undecided_policy_is_measured_as_what_usually_happens(lab):
    assert not moved(values(lab.evaluate(Policy())), values(lab.evaluate(Policy.default())))


def test_intervals_cover_what_the_world_knows(world):
    """Over seeds of chance, the interval of drawn outcomes holds the expected one."""
    keys = ("value.visits_added", "value.unsubscribed")
    hits = dict.fromkeys(keys, 0)
    policy = preset("average_practice")
    seeds = range(30)
    for seed in seeds:
        card = PolicyLab(world, n_boot=100, seed=seed).evaluate(policy)
        for key in keys:
            measure = card[key]
            hits[key] += measure.low <= measure.truth <= measure.high
    for key, count in hits.items():
        assert count >= 0.85 * len(seeds), (key, count)


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ({"n_boot": -1}, "n_boot"),
        ({"n_boot": True}, "n_boot"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_numbers_are_named(world, broken, named):
    with pytest.raises(PolicyError, match=named):
        PolicyLab(world, **broken)


def test_bad_worlds_and_policies_are_named(world, lab):
    with pytest.raises(PolicyError, match="no truth"):
        PolicyLab(type(world).from_tables(world.tables))
    short = {k: v for k, v in world.tables.items() if k != "events"}
    with pytest.raises(PolicyError, match="events"):
        PolicyLab(type(world)(short, world.truth))
    with pytest.raises(PolicyError, match="policy is a dict"):
        lab.evaluate({"consent": {}})
    with pytest.raises(PolicyError, match=r"recencey.*[Dd]id you mean.*recency"):
        lab.evaluate(Policy().decide("data", features=["recencey"]))


# --------------------------------------------------------------- the graph of stages


def test_a_change_recomputes_exactly_what_depends_on_it():
    """One change of every field: the stages that ran are those the graph names."""
    lab = PolicyLab(make_world(800, seed=3), n_boot=0)
    base = careful()
    lab.evaluate(base)
    seen = set()
    for step in neighbours(base):
        (path,) = step
        if path in seen:
            continue
        try:
            candidate = changed(base, step)
        except PolicyError:
            continue
        seen.add(path)
        lab.evaluate(candidate)
        assert lab.computed == lab.graph.affected(path), path
        assert set(lab.measured) == set(lab.graph.measures_affected(path)), path
        lab.evaluate(base)
        assert lab.computed == lab.measured == (), path
    assert len(seen) > 40


def test_a_remembered_card_equals_a_fresh_one(world):
    """Going back and forth between policies never leaves anything stale."""
    lab = PolicyLab(world, n_boot=20)
    names = ["collect_everything", "consent_first", "fairness_first", "privacy_first"]
    fresh = {n: values(PolicyLab(world, n_boot=20).evaluate(preset(n))) for n in names}
    for name in [*names, *reversed(names), names[1], names[3]]:
        assert not moved(fresh[name], values(lab.evaluate(preset(name)))), name


def test_a_stage_cannot_read_what_it_does_not_declare(world):
    stages = dict(evaluation_graph().stages)

    def peeks(context, settings, **needed):
        return settings["log.kind"]

    stages["targeting"] = replace(stages["targeting"], run=peeks)
    lab = PolicyLab(world, graph=Graph(stages.values(), []), n_boot=0)
    with pytest.raises(LookupError, match=r"log\.kind is read but not declared"):
        lab.results(Policy(), ["targeting"])


def test_no_measure_is_computed_from_policy_fields():
    """A measure is handed results of stages only; the settings never reach it."""
    for key, measure in evaluation_graph().measures.items():
        assert measure.needs, key
        assert set(measure.needs) <= set(evaluation_graph().stages), key


def test_the_graph_can_be_drawn():
    text = evaluation_graph().to_mermaid()
    assert text.startswith("flowchart LR\n")
    for name in evaluation_graph().stages:
        assert f"{name}[" in text


# --------------------------------------------------------------- break each stage once


def _breaking(name, spoil):
    """Return the graph with one stage whose result is spoiled on purpose."""
    graph = evaluation_graph()
    stages = dict(graph.stages)
    sound: Stage = stages[name]

    def run(context, settings, **needed):
        return spoil(context, sound.run(context, settings, **needed))

    stages[name] = replace(sound, run=run)
    return Graph(stages.values(), graph.measures.values())


def _everyone(context, permission):
    everyone = np.ones_like(permission.practice)
    return replace(permission, practice=everyone)


def _worst_first(context, model):
    both = context.uplift[["visit_sports_mail", "visit_fashion_mail"]].to_numpy()
    return replace(model, score=-both[np.arange(context.n), model.offer])


def _one_group_only(context, repair):
    codes, _ = context.groups["gender"]
    count = int(repair.selected.sum())
    wanted = np.flatnonzero(repair.contactable & (codes == 0))[:count]
    chosen = np.zeros(context.n, dtype=bool)
    chosen[wanted] = True
    return repair.with_selected(chosen)


def _lies(context, claims):
    return replace(claims, claim=claims.claim | True, false_claim=claims.false_claim | True)


def _asks_forever(context, asking):
    everyone = np.ones_like(asking.granted)
    return replace(asking, granted=everyone, asks=asking.asks + 12)


def _keeps_all(context, collection):
    """Keep the behaviour of everybody, far too long."""
    return replace(
        collection, oldest_days=collection.oldest_days + 400, records=collection.records * 2
    )


def _everyone_twice(context, targeting):
    """Contact everybody, permitted or not, objectors included."""
    return targeting.with_selected(np.ones(context.n, dtype=bool))


def _no_trust(context, trust):
    return replace(trust, after=trust.after * 0.2, effect=trust.effect * 0.3)


def _silent_response(context, response):
    nothing = {name: values * 0 for name, values in response.added.items()}
    return replace(response, added=nothing, profit=response.profit * 0 - 1)


def _plain_tokens(context, tokens):
    known = np.ones_like(tokens.guessed)
    months = np.full_like(tokens.months_linked, 66)
    return replace(
        tokens,
        guessed=known,
        guessed_inside=known,
        partners_linked=known,
        purposes_linked=known,
        months_linked=months,
    )


def _unlocked(context, store):
    return replace(
        store,
        stolen=np.ones_like(store.stolen),
        still_readable=np.ones_like(store.still_readable),
        late=np.ones_like(store.late),
    )


def _raw(context, release):
    return replace(
        release,
        named=np.ones_like(release.named),
        revealed=np.ones_like(release.revealed),
        secret_right=np.ones_like(release.secret_right),
        unique=release.shared,
        smallest_class=1,
    )


def _told_apart(context, publication):
    return replace(publication, right=np.ones_like(publication.right), spent=1e3)


def _blind(context, recording):
    return replace(recording, noticed=dict.fromkeys(recording.noticed, 0))


def _nothing_shown(context, duties):
    return replace(
        duties,
        unregistered=tuple((purpose, category) for purpose, category, _ in duties.uses),
        ignored=duties.objected,
        points=dict.fromkeys(duties.points, False),
    )


def _sees_nothing(context, own_audit):
    return replace(own_audit, run=False)


def _says_nothing(context, notices):
    none = np.zeros(context.n, dtype=bool)
    return replace(
        notices, has_notice=none, ai=none, data=none, stop=none, hides_unlawful=notices.read
    )


def _wrong_shelf(context, recommending):
    return replace(
        recommending,
        later_in=recommending.later_in * 0,
        messages_read=np.ones(context.n, dtype=bool),
    )


BROKEN = [
    # stage, what is spoiled, measures that must get worse, dimensions that may move at all
    ("permission", _everyone, {"consent.without_permission", "consent.against_their_will"}, None),
    ("model", _worst_first, {"value.ranking_quality", "value.visits_added"}, None),
    ("repair", _one_group_only, {"fairness.selection_gap_gender"}, None),
    (
        "claims",
        _lies,
        {"transparency.false_claims", "transparency.trust_change"},
        {"transparency", "value"},
    ),
    ("asking", _asks_forever, {"consent.unmeant_consent", "consent.questions_asked"}, None),
    ("collection", _keeps_all, {"privacy.values_kept", "privacy.oldest_record"}, None),
    ("targeting", _everyone_twice, {"duty.objections_ignored"}, None),
    ("trust", _no_trust, {"transparency.trust_change", "value.visits_added"}, None),
    ("response", _silent_response, {"value.profit_added", "value.visits_added"}, {"value"}),
    (
        "tokens",
        _plain_tokens,
        {
            "privacy.reidentified_by_guessing",
            "privacy.reidentified_by_insider",
            "privacy.linked_across_partners",
            "privacy.linked_across_purposes",
            "privacy.linked_over_the_year",
        },
        {"privacy"},
    ),
    (
        "store",
        _unlocked,
        {
            "privacy.readable_if_stolen",
            "privacy.readable_after_erasure",
            "duty.erasures_late",
            "duty.open_points",
        },
        {"privacy", "duty"},
    ),
    (
        "release",
        _raw,
        {
            "privacy.reidentified_by_linkage",
            "privacy.secret_revealed",
            "privacy.secret_guessed",
            "privacy.unique_share",
            "privacy.smallest_class",
        },
        {"privacy"},
    ),
    (
        "publication",
        _told_apart,
        {"privacy.presence_guessed", "privacy.loss_budget_spent"},
        {"privacy"},
    ),
    ("recording", _blind, {"duty.tampering_noticed"}, {"duty"}),
    (
        "duties",
        _nothing_shown,
        {"duty.categories_unregistered", "duty.objections_ignored", "duty.open_points"},
        {"duty"},
    ),
    ("own_audit", _sees_nothing, {"fairness.unseen_gap"}, {"fairness", "duty"}),
    (
        "notices",
        _says_nothing,
        {
            "transparency.notice_share",
            "transparency.ai_told",
            "transparency.can_stop_told",
            "transparency.data_source_told",
            "transparency.hidden_use",
        },
        None,
    ),
    (
        "recommending",
        _wrong_shelf,
        {"value.recommendation_interest", "privacy.messages_read"},
        {"value", "privacy"},
    ),
]


def test_every_stage_is_broken_once():
    assert {name for name, *_ in BROKEN} == set(evaluation_graph().stages)


@pytest.mark.parametrize(
    ("name", "spoil", "worse", "may_move"), BROKEN, ids=[case[0] for case in BROKEN]
)
def test_a_broken_stage_moves_the_right_measures_and_only_those(
    world, lab, name, spoil, worse, may_move
):
    # a ranking is worth breaking where many are ranked, by much that is known; and an audit
    # where it sees a gap beyond chance
    policy = preset("fairness_first") if name in ("model", "own_audit") else careful()
    before = lab.evaluate(policy)
    graph = _breaking(name, spoil)
    after = PolicyLab(world, n_boot=100, graph=graph).evaluate(policy)
    found = moved(values(before), values(after))
    assert worse <= found
    for key in worse:
        sign = {"higher": -1, "lower": 1}[before[key].direction]
        assert sign * (after[key].value - before[key].value) > 0, key
    # nothing that does not depend on the stage may move
    downstream = {s for s in graph.stages if s == name or _needs(graph, s, name)}
    allowed = {k for k, g in graph.measures.items() if set(g.needs) & downstream}
    assert found <= allowed
    if may_move is not None:
        assert {key.partition(".")[0] for key in found} <= may_move


def _needs(graph, stage, other):
    needs = graph.stages[stage].needs
    return other in needs or any(_needs(graph, need, other) for need in needs)


PROTECTIONS = [
    # the careful policy with one safeguard taken away, and what must get worse
    ({"pseudonymization.method": "hash"}, {"privacy.reidentified_by_guessing"}),
    ({"anonymization.generalization": "none"}, {"privacy.reidentified_by_linkage"}),
    ({"anonymization.epsilon": None}, {"privacy.presence_guessed"}),
    ({"storage.erasure": "mark_inactive"}, {"privacy.readable_after_erasure"}),
    ({"storage.erasure_days": 365}, {"duty.erasures_late"}),
    ({"consent.banner": "pre_ticked"}, {"consent.unmeant_consent", "consent.against_their_will"}),
    ({"data.inferred_traits": True}, {"privacy.sensitive_columns"}),
    ({"transparency.ai_disclosure": "none"}, {"transparency.trust_change"}),
    ({"log.kind": "none", "log.witness": "none"}, {"duty.tampering_noticed"}),
    ({"duty.human_review": "none"}, {"duty.decisions_without_recourse"}),
    ({"duty.retention_register": False}, {"duty.categories_unregistered"}),
    ({"fairness.audit.frequency": "never"}, {"fairness.unseen_gap"}),
]


@pytest.mark.parametrize(("step", "worse"), PROTECTIONS, ids=lambda x: "")
def test_taking_a_safeguard_away_shows_where_it_should_and_nowhere_else(lab, step, worse):
    base = preset("fairness_first") if "fairness.audit.frequency" in step else careful()
    before = lab.evaluate(base)
    if any(value is None for value in step.values()):
        data = base.to_dict()
        for path in step:
            section, _, field = path.rpartition(".")
            data[section].pop(field)
        after = lab.evaluate(Policy(**data))
    else:
        loose = step
        if step.get("pseudonymization.method") == "hash":
            data = base.to_dict()
            data["pseudonymization"] = {"method": "hash"}
            after = lab.evaluate(Policy(**data))
        else:
            after = lab.evaluate(changed(base, loose))
    found = moved(values(before), values(after))
    assert worse <= found
    for key in worse:
        sign = {"higher": -1, "lower": 1}[before[key].direction]
        assert sign * (after[key].value - before[key].value) > 0, key
    allowed = {key for path in step for key in lab.graph.measures_affected(path)}
    if "pseudonymization.method" in step:
        allowed |= {
            key
            for path in sections.FIELDS
            if path.startswith("pseudonymization.")
            for key in lab.graph.measures_affected(path)
        }
    assert found <= allowed


def test_every_section_moves_something(lab):
    """No section of the policy is only read: each has a change that moves a measure."""
    base = careful()
    before = values(lab.evaluate(base))
    idle = set(sections.SECTIONS)
    for step in neighbours(base):
        section = next(iter(step)).rpartition(".")[0]
        if section not in idle:
            continue
        try:
            after = values(lab.evaluate(changed(base, step)))
        except PolicyError:
            continue
        if moved(before, after):
            idle.discard(section)
    assert idle == set()


def test_values_of_a_policy_are_those_decided_or_assumed():
    found = values_of(Policy().decide("anonymization", k=7))
    assert found["anonymization.k"] == 7
    assert found["consent.banner"] == sections.assumed("consent.banner")
    assert set(found) == set(sections.FIELDS)


def test_what_a_change_cannot_touch_is_the_same_in_both(lab):
    """Nobody found in two samples is no proof of equality; one measurement seen twice is."""
    base = preset("average_practice")
    found = compare_scorecards(
        lab.evaluate(base), lab.evaluate(changed(base, {"log.kind": "hash_chain"}))
    ).table
    touched = lab.graph.measures_affected("log.kind")
    for _, row in found.iterrows():
        key = f"{row['dimension']}.{row['measure']}"
        if key not in touched and not np.isnan(row["difference"]):
            assert (row["reading"], row["difference"]) == ("same", 0.0), key


def test_none_of_many_has_a_bound_and_no_words_have_none(lab):
    card = lab.evaluate(preset("average_practice"))
    assert card["privacy.messages_read"].value == 0
    assert 0 < card["privacy.messages_read"].high < 0.01
    words = card["transparency.words_shown"]  # no share: nothing bounds it but what was seen
    assert (words.value, words.low, words.high) == (0, 0, 0)
