"""Records: tampering that is noticed, and duties counted on what is really there."""

from __future__ import annotations

import hashlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethicalai_lab.policy import Policy
from ethicalai_lab.policy import records as R
from ethicalai_lab.policy.context import EvaluationContext
from ethicalai_lab.policy.stages import Graph, Memory, read, resampling_weights, stage, values_of
from ethicalai_lab.world import make_world

N = 1_000


@pytest.fixture(scope="module")
def context():
    return EvaluationContext.of_world(make_world(N, seed=4))


def parts(n):
    """Small results of the other stages: a shop in which nothing is wrong yet."""
    rng = np.random.default_rng(0)
    ranked = rng.random(n) < 0.6
    objected = ~ranked & (rng.random(n) < 0.2)
    practice = np.ones((4, n), bool)
    return {
        "permission": SimpleNamespace(
            practice=practice, lawful=practice, erasure_requested=objected, objected=objected
        ),
        "collection": SimpleNamespace(
            columns=("age", "loyalty_tier", "recency", "said_favourite"),
            roles={
                "age": "quasi_identifier",
                "loyalty_tier": "feature",
                "recency": "feature",
                "said_favourite": "feature",
            },
            oldest_days=200.0,
        ),
        "model": SimpleNamespace(label="uplift by two models"),
        "repair": SimpleNamespace(
            selected=ranked & (rng.random(n) < 0.5),
            ranked=ranked,
            offer=rng.integers(0, 2, n),
        ),
        "store": SimpleNamespace(
            stolen=np.zeros(200, bool),
            still_readable=np.zeros(20, bool),
            late=np.zeros(20, bool),
            took_days=np.full(20, 9),
        ),
    }


def run(context, given_parts=None, **changes):
    found = parts(context.n) if given_parts is None else given_parts

    def stand_in(name):
        def result(context, settings):
            return found[name]

        result.__name__ = name
        return stage()(result)

    graph = Graph([*map(stand_in, found), *R.STAGES], R.MEASURES)
    values = values_of(Policy())
    for path, value in changes.items():
        key = path.replace("__", ".")
        assert key in values
        values[key] = value
    return graph, graph.run(context, values, Memory())


def measure(context, given_parts=None, **changes):
    graph, results = run(context, given_parts, **changes)
    weights = resampling_weights(context.n, 20, 0)
    out = {}
    for key, measure in graph.measures.items():
        reading = read(measure.run(context, **{n: results[n] for n in measure.needs}), weights)
        assert reading.value is not None or reading.needs.startswith("needs ")
        out[key.partition(".")[2]] = reading.value
    return out


# ---------------------------------------------------------------------------- recording


def split_root(entries):
    """RFC 6962, section 2.1, word for word."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while 2 * k < len(entries):
        k *= 2
    return hashlib.sha256(b"\x01" + split_root(entries[:k]) + split_root(entries[k:])).digest()


@given(st.lists(st.binary(max_size=5), max_size=70))
def test_root_is_that_of_the_rfc(entries):
    assert R.merkle_root(entries) == split_root(entries)


def test_root_of_the_published_example():
    # the eight leaves of the Certificate Transparency reference tests
    leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    leaves.append("606162636465666768696a6b6c6d6e6f")
    entries = [bytes.fromhex(leaf) for leaf in leaves]
    assert R.merkle_root(entries[:1]).hex().startswith("6e340b9cffb37a98")
    assert R.merkle_root(entries).hex() == (
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    )


ALONE = {"edit one", "delete one", "insert one"}
SEEN = [
    ("none", "none", set()),
    ("plain_file", "none", {"insert one"}),  # a second decision about the same person
    ("hash_chain", "none", ALONE),
    ("merkle_tree", "none", ALONE),
    ("hash_chain", "second_team", {*ALONE, "cut the tail"}),
    ("merkle_tree", "second_team", {*ALONE, "cut the tail"}),
    ("hash_chain", "external", set(R.TAMPERING)),
    ("merkle_tree", "external", set(R.TAMPERING)),
]


@pytest.mark.parametrize(("kind", "witness", "seen"), SEEN)
def test_what_each_record_shows_an_auditor(context, kind, witness, seen):
    _, results = run(context, log__kind=kind, log__witness=witness)
    got = results["recording"]
    assert got.intact_accepted
    assert {how for how, count in got.noticed.items() if count} == seen
    assert all(count in (0, got.tried) for count in got.noticed.values())
    value = measure(context, log__kind=kind, log__witness=witness)["tampering_noticed"]
    assert value == pytest.approx(len(seen) / 5)


def test_records_are_the_real_decisions(context):
    given_parts = parts(context.n)
    _, results = run(context, given_parts, log__kind="plain_file")
    lines = results["recording"].files["log"].split(b"\n")
    assert len(lines) == 200
    repair = given_parts["repair"]
    for line in lines:
        entry = json.loads(line)
        place = int(context.rows_of([entry["who"]])[0])
        mail = ("sports_mail", "fashion_mail")[repair.offer[place]]
        assert entry["what"] == (mail if repair.selected[place] else "no_mail")
        assert (entry["model"] == "uplift by two models") == repair.ranked[place]


@pytest.mark.parametrize("kind", ["plain_file", "hash_chain", "merkle_tree"])
@pytest.mark.parametrize("how", R.TAMPERING)
def test_tampering_really_changes_the_record(context, kind, how):
    _, results = run(context, log__kind=kind)
    got = results["recording"]
    for at in (0, 100, 199):
        changed = R._tampered(kind, how, got.files, got.entries, at)
        assert changed["log"] != got.files["log"]
        assert len(R._lines(changed)) == len(got.entries) + {
            "delete one": -1,
            "insert one": 1,
            "cut the tail": max(at, 1) - 200,
        }.get(how, 0)


def test_an_auditor_who_skips_the_chain_is_seen(context, monkeypatch):
    asked = {"log__kind": "hash_chain", "log__witness": "external"}
    assert measure(context, **asked)["tampering_noticed"] == 1
    monkeypatch.setattr(R, "_holds", lambda kind, files, witnessed: True)
    assert measure(context, **asked)["tampering_noticed"] == 0


def test_an_auditor_who_refuses_everything_proves_nothing(context, monkeypatch):
    monkeypatch.setattr(R, "_holds", lambda kind, files, witnessed: False)
    assert measure(context, log__kind="hash_chain")["tampering_noticed"] is None


def test_a_chain_without_links_is_seen(context, monkeypatch):
    def unlinked(kind, entries):
        lines = [hashlib.sha256(e).hexdigest().encode() + b" " + e for e in entries]
        return {"log": b"\n".join(lines), "head": hashlib.sha256(entries[-1]).digest()}

    monkeypatch.setattr(R, "_write", unlinked)
    # the auditor follows links, and there are none
    assert measure(context, log__kind="hash_chain")["tampering_noticed"] is None


# ------------------------------------------------------------------------------- duties


def test_a_register_covers_every_use(context):
    without = measure(context)
    kept = measure(context, duty__retention_register=True)
    assert without["categories_unregistered"] == 1
    assert kept["categories_unregistered"] == 0
    assert kept["open_points"] == without["open_points"] - 1
    _, results = run(context, duty__retention_register=True)
    entries = [json.loads(line) for line in results["duties"].register.splitlines()]
    personal = {e["category"]: e for e in entries if e["purpose"] == "personalization"}
    assert set(personal) == {
        "demographics",
        "account and device",
        "purchases",
        "stated preferences",
    }
    assert personal["purchases"]["oldest_days"] == 200


def test_a_register_that_forgets_a_category_or_ages_is_seen(context, monkeypatch):
    write = R._register

    def forgetful(uses, collection):
        return write([use for use in uses if use[1] != "inferred traits"], collection)

    monkeypatch.setattr(R, "_register", forgetful)
    got = measure(context, duty__retention_register=True)
    assert 0 < got["categories_unregistered"] < 0.3

    def stale(uses, collection):
        return write(uses, SimpleNamespace(oldest_days=collection.oldest_days - 50))

    monkeypatch.setattr(R, "_register", stale)
    _, results = run(context, duty__retention_register=True)
    assert {category for _, category in results["duties"].unregistered} == {"purchases"}


def test_recourse_is_read_off_the_decision_records(context):
    share = {
        review: measure(context, duty__human_review=review)["decisions_without_recourse"]
        for review in ("none", "on_request", "before_sending")
    }
    repair = parts(context.n)["repair"]
    assert share["none"] == 1
    assert share["on_request"] == 0
    # a look before sending is no recourse for those who were left out
    left_out = 1 - repair.selected.sum() / repair.ranked.sum()
    assert share["before_sending"] == pytest.approx(left_out)


def test_contact_after_an_objection_is_seen(context):
    assert measure(context)["objections_ignored"] == 0
    wrong = parts(context.n)
    wrong["repair"].selected = wrong["repair"].selected | wrong["permission"].objected
    got = measure(context, wrong)
    assert got["objections_ignored"] == 1
    assert got["open_points"] == measure(context)["open_points"] + 1
    nobody = parts(context.n)
    nobody["permission"].objected = np.zeros(context.n, bool)
    assert measure(context, nobody)["objections_ignored"] is None


def test_children_need_children(context):
    assert measure(context)["children_profiled"] is None
    young = EvaluationContext.of_world(context.world)
    young.customers = young.customers.copy()
    young.customers.loc[:99, "age"] = 16
    assert measure(young)["children_profiled"] == pytest.approx(
        parts(N)["repair"].ranked[:100].mean()
    )


ALL = {
    "duty__retention_register": True,
    "duty__dpia": "before_launch",
    "duty__human_review": "on_request",
    "duty__children": "no_profiling",
}


def breaks():
    """What goes wrong, and the one point that it opens."""

    def late(p):
        p["store"].late[0] = True

    def backup(p):
        p["store"].still_readable[0] = True

    def thief(p):
        p["store"].stolen[0] = True

    def special(p):
        p["collection"].columns += ("health_interest",)

    def beyond(p):
        p["permission"].lawful = p["permission"].lawful.copy()
        p["permission"].lawful[1, 0] = False

    def profiled(p):
        p["repair"].ranked = p["repair"].ranked | p["permission"].objected

    return [
        (late, "erasure within"),
        (backup, "erased people"),
        (thief, "stored data"),
        (special, "no special-category"),
        (beyond, "no use beyond"),
        (profiled, "no objector is profiled"),
    ]


def open_points(results):
    return [point for point, shown in results["duties"].points.items() if not shown]


def test_nothing_is_open_where_everything_can_be_shown(context):
    _, results = run(context, **ALL)
    assert open_points(results) == []
    assert len(results["duties"].points) == 11
    assert measure(context, **ALL)["open_points"] == 0


@pytest.mark.parametrize(("fault", "point"), breaks())
def test_each_fault_opens_its_own_point(context, fault, point):
    wrong = parts(context.n)
    fault(wrong)
    _, results = run(context, wrong, **ALL)
    (found,) = open_points(results)
    assert found.startswith(point)


@pytest.mark.parametrize("field", list(ALL))
def test_each_artefact_that_is_missing_opens_its_own_point(context, field):
    _, results = run(context, **{key: value for key, value in ALL.items() if key != field})
    assert len(open_points(results)) == 1


def test_an_assessment_says_what_was_measured(context, monkeypatch):
    wrong = parts(context.n)
    wrong["store"].stolen[:50] = True
    _, results = run(context, wrong, **ALL)
    summary = json.loads(results["duties"].assessment)
    assert "25.0% of records readable in a stolen copy" in summary["risks"]
    assert any("personalization: age" in line for line in summary["description"])
    assert summary["review"] == "not planned"
    _, yearly = run(context, **{**ALL, "duty__dpia": "before_launch_and_yearly"})
    assert json.loads(yearly["duties"].assessment)["review"] == "2027-01-12"
    # an assessment without its risks is none
    monkeypatch.setattr(R, "_assessment", lambda *a: json.dumps({**summary, "risks": []}).encode())
    _, results = run(context, **ALL)
    assert [p[:20] for p in open_points(results)] == ["a data protection im"]


def test_no_data_and_no_decisions_give_no_number(context):
    empty = parts(context.n)
    empty["permission"].practice = np.zeros((4, context.n), bool)
    empty["repair"].selected = empty["repair"].ranked = np.zeros(context.n, bool)
    got = measure(context, empty, **ALL)
    assert got["categories_unregistered"] is None
    assert got["decisions_without_recourse"] is None


def test_same_seed_same_figures(context):
    asked = {**ALL, "log__kind": "merkle_tree", "log__witness": "second_team"}
    assert measure(context, **asked) == measure(
        EvaluationContext.of_world(make_world(N, seed=4)), **asked
    )
    first, second = (run(context, **asked)[1]["recording"] for _ in range(2))
    assert first.files == second.files
