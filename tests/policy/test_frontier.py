"""Sweeps that can be stopped, fronts that nothing beats, better policies that were evaluated."""

from __future__ import annotations

import json

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab import make_world
from ethicalai_lab.policy import (
    Policy,
    PolicyError,
    PolicyLab,
    frontier,
    nearest_better,
    pareto,
    preset,
    sweep,
    variants,
)
from ethicalai_lab.policy.frontier import changed, neighbours
from ethicalai_lab.policy.stages import values_of

GRID = {
    "personalization.share": [0.1, 0.3],
    "consent.banner": ["neutral", "nudging"],
    "anonymization.k": [1, 10],
}


@pytest.fixture(scope="module")
def world():
    return make_world(700, seed=2)


@pytest.fixture(scope="module")
def base():
    return changed(preset("average_practice"), {"anonymization.generalization": "mondrian"})


@pytest.fixture(scope="module")
def swept(world, base):
    return sweep(variants(base, GRID), world, progress=False)


# ------------------------------------------------------------------------------ sweep


def test_each_row_is_the_policy_evaluated(world, base, swept):
    assert len(swept) == 8
    assert {c for c in swept.table.columns if "." in c and c in GRID} == set(GRID)
    lab = PolicyLab(world, n_boot=0)
    for policy, (_, row) in zip(swept.policies, swept.table.iterrows(), strict=True):
        card = lab.evaluate(policy)
        for measure in card.measures:
            value = row[measure.key]
            assert (measure.value is None and np.isnan(value)) or value == measure.value
        for path in GRID:
            assert values_of(policy)[path] == row[path]


def test_other_workers_give_the_same_numbers(world, base, swept):
    two = sweep(variants(base, GRID), world, n_jobs=2, progress=False)
    assert two.table.equals(swept.table)


def test_it_runs_unchanged_on_dask_workers(world, base, swept, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.chdir(tmp_path)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
        joblib.parallel_config(backend="dask", client=client),
    ):
        found = sweep(variants(base, GRID), world, progress=False)
        # the work was really done in the workers: each keeps its world
        labs = client.run(lambda: len(frontier._LABS))
    assert sum(labs.values()) >= 1
    assert found.table.equals(swept.table)


def test_a_stopped_sweep_goes_on_where_it_was(world, base, swept, tmp_path, monkeypatch):
    store = tmp_path / "sweep.jsonl"
    tried = variants(base, GRID)
    done = []
    sound = frontier._Store.add

    def stops(held, key, values):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(key)
        sound(held, key, values)

    monkeypatch.setattr(frontier._Store, "add", stops)
    with pytest.raises(KeyboardInterrupt):
        sweep(tried, world, store=store, progress=False)
    assert len(store.read_text(encoding="utf-8").splitlines()) == 3
    # the power failed in the middle of a line: that policy is simply done again
    with store.open("a", encoding="utf-8") as file:
        file.write('{"format": 1, "key": "ab')
    monkeypatch.setattr(frontier._Store, "add", sound)
    again = sweep(tried, world, store=store, progress=False)
    assert again.known == 3
    assert again.table.equals(swept.table)
    assert sweep(tried, world, store=store, progress=False).known == 8


def test_a_store_is_of_one_world_seed_and_number_of_resamples(world, base, tmp_path):
    store = tmp_path / "sweep.jsonl"
    tried = variants(base, {"anonymization.k": [1, 10]})
    sweep(tried, world, store=store, progress=False)
    assert sweep(tried, world, store=store, seed=1, progress=False).known == 0
    assert sweep(tried, make_world(700, seed=3), store=store, progress=False).known == 0


def test_a_foreign_file_is_refused_and_left_as_it_was(world, base, tmp_path):
    store = tmp_path / "notes.txt"
    store.write_text("shopping list\nmilk\n", encoding="utf-8")
    with pytest.raises(PolicyError, match="line 1"):
        sweep([base], world, store=store, progress=False)
    assert store.read_text(encoding="utf-8") == "shopping list\nmilk\n"
    with pytest.raises(PolicyError, match="folder"):
        sweep([base], world, store=tmp_path, progress=False)
    with pytest.raises(PolicyError, match="does not exist"):
        sweep([base], world, store=tmp_path / "no" / "file", progress=False)


def test_a_changed_world_is_not_made_again_from_its_seed(world, base):
    tables = dict(world.tables)
    tables["campaign"] = tables["campaign"].assign(visit=1)
    other = type(world)(tables, world.truth, seed=world.seed, config=world.config)
    assert frontier.recipe(world) is not None
    assert frontier.recipe(other) is None


@pytest.mark.parametrize(
    ("grid", "named"),
    [
        ({}, "empty"),
        ({"consent.baner": ["neutral"]}, "consent.banner"),
        ({"consent.banner": "neutral"}, "list of values"),
        ({"consent.banner": ["neutrall"]}, "neutrall"),
        ({"anonymization.k": []}, "list of values"),
        ({"pseudonymization.method": ["hash"], "pseudonymization.per_purpose": [True]}, "every"),
    ],
)
def test_bad_grids_are_named(grid, named):
    with pytest.raises(PolicyError, match=named):
        variants(Policy(), grid)


def test_a_bad_list_of_policies_is_named(world):
    with pytest.raises(PolicyError, match="empty"):
        sweep([], world)
    with pytest.raises(PolicyError, match="number 1"):
        sweep([Policy(), "neutral"], world)


# ----------------------------------------------------------------------------- pareto


def slow_pareto(values, directions):
    """The definition, read aloud."""
    sign = [1 if d == "higher" else -1 for d in directions]
    rows = [[v * s for v, s in zip(row, sign, strict=True)] for row in values]
    return [
        not any(
            all(b >= a for a, b in zip(row, other, strict=True))
            and any(b > a for a, b in zip(row, other, strict=True))
            for other in rows
        )
        for row in rows
    ]


@given(
    st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=25),
    st.lists(st.sampled_from(["higher", "lower"]), min_size=3, max_size=3),
)
@settings(max_examples=80, deadline=None)
def test_the_front_is_what_the_definition_says(values, directions):
    assert pareto(values, directions).tolist() == slow_pareto(values, directions)


def test_a_missing_value_is_never_best():
    assert pareto([[np.nan, 9], [1, 1]], ["higher", "higher"]).tolist() == [False, True]


def test_bad_directions_are_named(swept):
    with pytest.raises(PolicyError, match="up"):
        pareto([[1.0]], ["up"])
    with pytest.raises(PolicyError, match="shape"):
        pareto([[1.0]], ["higher", "lower"])
    with pytest.raises(PolicyError, match=r"privacy\.unique_share"):
        swept.pareto(["privacy.uniqe_share"])
    with pytest.raises(PolicyError, match="no better direction"):
        swept.pareto(["value.share_contacted"])
    with pytest.raises(PolicyError, match="empty"):
        swept.pareto([])


def test_the_front_of_a_sweep_trades_value_for_privacy(swept):
    names = ["value.messages_sent", "consent.against_their_will"]
    with pytest.raises(PolicyError):
        swept.pareto(names)  # more messages are not better in themselves
    # k costs detail and wins protection: both values stay; the banner is settled by one measure
    front = swept.pareto(["value.release_detail_kept", "privacy.unique_share"])
    assert set(front["anonymization.k"]) == {1, 10}
    best = swept.pareto(["consent.against_their_will"])
    assert set(best["consent.banner"]) == {"neutral"}
    assert 0 < len(best) < len(swept)


# --------------------------------------------------------------------- nearest better


@pytest.fixture(scope="module")
def lab(world):
    return PolicyLab(world, n_boot=60)


@pytest.mark.parametrize(
    ("improve", "fields", "pair"),
    [
        ("duty.tampering_noticed", ["log.kind", "log.witness"], {"log.kind", "log.witness"}),
        (
            "privacy.reidentified_by_linkage",
            ["anonymization.generalization", "anonymization.k", "consent.banner"],
            {"anonymization.generalization", "anonymization.k"},
        ),
    ],
)
def test_better_policies_were_evaluated_and_the_cheapest_comes_first(
    lab, improve, fields, pair, monkeypatch
):
    monkeypatch.setattr(frontier, "BEST", 50)
    base = preset("average_practice")
    found = nearest_better(base, lab, improve, fields=fields, progress=False)
    assert found.table["cost"].is_monotonic_increasing
    before = lab.evaluate(base)[improve]
    sign = {"higher": 1, "lower": -1}[before.direction]
    both = False
    for policy, (_, row) in zip(found.policies, found.table.iterrows(), strict=True):
        measured = lab.evaluate(policy)[improve].value
        assert row["before"] == before.value
        assert row["after"] == measured
        assert sign * (measured - before.value) > 0
        if np.isfinite(row["low"]):  # the paired interval excludes no improvement
            assert sign * (row["low"] if sign > 0 else row["high"]) > 0
        changes = {p for p, v in values_of(policy).items() if v != values_of(base)[p]}
        changes = {p for p in changes if not p.endswith(".reason")}
        assert len(changes) == row["number"] <= 2
        assert all(p in row["changes"] for p in changes)
        both |= changes == pair
    assert both  # two changes that only work together are found


def test_where_nothing_is_better_it_says_so(lab):
    best = changed(
        preset("average_practice"), {"log.kind": "hash_chain", "log.witness": "external"}
    )
    assert lab.evaluate(best)["duty.tampering_noticed"].value == 1.0
    found = nearest_better(
        best, lab, "duty.tampering_noticed", fields=["log.kind", "log.witness"], progress=False
    )
    assert len(found) == 0
    assert "None of the" in found._repr_html_()
    assert found.tried > 0


@pytest.mark.parametrize(
    ("improve", "more", "named"),
    [
        ("privacy.uniqe_share", {}, r"privacy\.unique_share"),
        ("value.share_contacted", {}, "no better direction"),
        ("duty.children_profiled", {}, "needs people under 18"),
        ("privacy.unique_share", {"changes": 3}, "changes is 3"),
        ("privacy.unique_share", {"fields": ["consent.baner"]}, r"consent\.banner"),
    ],
)
def test_bad_questions_are_named(lab, improve, more, named):
    with pytest.raises(PolicyError, match=named):
        nearest_better(Policy(), lab, improve, progress=False, **more)


def test_neighbours_differ_in_one_field_and_stay_within_limits():
    base = preset("consent_first")
    here = values_of(base)
    seen = set()
    for step in neighbours(base):
        ((path, value),) = step.items()
        assert value != here[path]
        assert json.dumps([path, value]) not in seen
        seen.add(json.dumps([path, value]))
        changed(Policy(), step)  # each alone is accepted
    assert len({json.loads(text)[0] for text in seen}) > 40


# -------------------------------------------------------------------- whole dimensions


def test_a_dimension_improves_in_one_measure_and_worsens_in_none():
    lab = PolicyLab(make_world(600, seed=3), n_boot=40)
    start = preset("average_practice")
    found = nearest_better(
        start, lab, "duty", changes=1, fields=["log.kind", "duty.dpia"], progress=False
    )
    assert len(found) >= 2
    before = {m.key: m for m in lab.evaluate(start).measures if m.dimension == "duty"}
    for (_, row), policy in zip(found.table.iterrows(), found.policies, strict=True):
        after = lab.evaluate(policy)
        assert after[row["measure"]].value == row["after"]
        for key, measure in before.items():
            if measure.value is None or measure.direction == "none":
                continue
            sign = 1 if measure.direction == "higher" else -1
            gain = sign * (after[key].value - measure.value)
            assert gain >= -1e-12, key
            assert gain > 0 or key != row["measure"]


def test_a_front_over_dimensions_is_the_front_over_their_measures():
    tried = variants(
        preset("average_practice"),
        {"log.kind": ["none", "hash_chain"], "duty.dpia": ["none", "before_launch"]},
    )
    found = sweep(tried, make_world(600, seed=3), progress=False)
    duties = [
        k
        for k, d in found.directions.items()
        if k.startswith("duty.") and d != "none" and found.table[k].notna().all()
    ]
    assert found.pareto(["duty"]).index.tolist() == found.pareto(duties).index.tolist() == [3]
    with pytest.raises(PolicyError, match=r'"privcy".*privacy'):
        found.pareto(["privcy"])
