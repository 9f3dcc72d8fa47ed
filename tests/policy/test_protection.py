"""Protection: each defence moves its own measures, and a broken defence is seen."""

from __future__ import annotations

import tempfile
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.policy import Policy
from ethicalai_lab.policy import protection as P
from ethicalai_lab.policy import publishing as R
from ethicalai_lab.policy.context import EvaluationContext
from ethicalai_lab.policy.stages import Graph, Memory, read, resampling_weights, stage, values_of
from ethicalai_lab.world import make_world

N = 1_500


@pytest.fixture(scope="module")
def context():
    return EvaluationContext.of_world(make_world(N, seed=3))


def permission_of(n, *, asked=0.1, practice=None):
    rng = np.random.default_rng(5)
    chosen = np.ones((4, n), bool) if practice is None else practice
    return SimpleNamespace(
        practice=chosen,
        lawful=chosen,
        erasure_requested=rng.random(n) < asked,
        objected=np.zeros(n, bool),
    )


def run(context, given_permission=None, **changes):
    found = permission_of(context.n) if given_permission is None else given_permission

    @stage()
    def permission(context, settings):
        return found

    graph = Graph([permission, *P.STAGES, *R.STAGES], [*P.MEASURES, *R.MEASURES])
    values = values_of(Policy())
    for path, value in changes.items():
        key = path.replace("__", ".")
        assert key in values
        values[key] = value
    return graph, graph.run(context, values, Memory())


def measure(context, given_permission=None, **changes):
    graph, results = run(context, given_permission, **changes)
    weights = resampling_weights(context.n, 20, 0)
    out = {}
    for key, measure in graph.measures.items():
        reading = read(measure.run(context, **{n: results[n] for n in measure.needs}), weights)
        out[key.partition(".")[2]] = reading.value
        if reading.value is None:
            assert reading.needs.startswith("needs ")
        elif reading.low is not None:
            assert reading.low <= reading.value <= reading.high
    return out


KEYED = {"pseudonymization__method": "keyed"}
VAULT = {"storage__encryption": "per_person_key"}
LINKAGE = {
    "reidentified_by_linkage": -1,
    "smallest_class": 1,
    "unique_share": -1,
    "secret_revealed": -1,
    "secret_guessed": -1,
    "release_detail_kept": -1,
}

# what was there before, what changes, and every measure that must move, with its direction
MOVES = [
    ({}, {"pseudonymization__method": "hash"}, {"reidentified_by_guessing": -1, "reidentified_by_insider": -1}),
    ({"pseudonymization__method": "hash"}, KEYED, {"reidentified_by_guessing": -1}),
    (KEYED, {"pseudonymization__key_holder": "same_team"}, {}),
    (KEYED, {"pseudonymization__key_holder": "separate_team"}, {"reidentified_by_insider": -1}),
    (KEYED, {"pseudonymization__per_partner": True}, {"linked_across_partners": -1}),
    (KEYED, {"pseudonymization__per_purpose": True}, {"linked_across_purposes": -1}),
    (KEYED, {"pseudonymization__key_rotation_days": 90}, {"linked_over_the_year": -1}),
    ({}, {"storage__encryption": "at_rest"}, {"readable_if_stolen": -1}),
    ({}, VAULT, {"readable_if_stolen": -1}),
    # the backup still holds them: a deletion that only looks like one moves nothing
    ({}, {"storage__erasure": "delete_rows"}, {}),
    (VAULT, {"storage__erasure": "delete_rows"}, {}),
    (VAULT, {"storage__erasure": "destroy_key"}, {"readable_after_erasure": -1}),
    ({}, {"storage__erasure_days": 14}, {"erasures_late": -1}),
    ({}, {"anonymization__generalization": "mondrian", "anonymization__k": 5}, LINKAGE),
    ({}, {"anonymization__generalization": "full_domain", "anonymization__k": 5}, LINKAGE),
    # a wish for k without any generalization changes no table
    ({}, {"anonymization__k": 5}, {}),
    ({}, {"anonymization__epsilon": 1.0}, {"presence_guessed": -1, "published_error": 1, "loss_budget_spent": 0}),
]  # fmt: skip


@pytest.mark.parametrize(("before", "change", "moves"), MOVES)
def test_each_defence_moves_its_own_measures_and_no_others(context, before, change, moves):
    old, new = measure(context, **before), measure(context, **{**before, **change})
    moved = {key for key in old if old[key] != new[key]}
    assert moved == set(moves)
    for key, sign in moves.items():
        if sign:
            assert (new[key] - old[key]) * sign > 0


def test_same_seed_same_figures(context):
    changes = {
        **KEYED,
        **VAULT,
        "storage__erasure": "destroy_key",
        "anonymization__generalization": "mondrian",
        "anonymization__k": 4,
        "anonymization__epsilon": 0.7,
    }
    assert measure(context, **changes) == measure(
        EvaluationContext.of_world(make_world(N, seed=3)), **changes
    )


# ------------------------------------------------------------------------------- tokens


def test_a_hash_in_the_place_of_keyed_tokens_is_seen(context, monkeypatch):
    right = measure(context, **KEYED)
    assert right["reidentified_by_guessing"] == 0

    def careless(context, settings, addresses, *, use, day):
        from ethicalai_lab.privacy.pseudonymization import hash_values

        return hash_values(addresses)

    monkeypatch.setattr(P, "make_tokens", careless)
    wrong = measure(context, **KEYED, pseudonymization__per_partner=True)
    book = context.once("address book", None)
    listed = len(set(book["guesses"]) & set(book["addresses"])) / len(book["addresses"])
    assert wrong["reidentified_by_guessing"] == pytest.approx(listed)
    assert 0.3 < listed < 0.9
    assert wrong["linked_across_partners"] == 1


def test_joins_agree_with_the_rooms_link_partners(context):
    from ethicalai_lab.privacy.pseudonymization import link_partners

    for per_partner in (False, True):
        _, results = run(context, **KEYED, pseudonymization__per_partner=per_partner)
        book = context.once("address book", None)
        read_fields = {
            "pseudonymization.method": "keyed",
            "pseudonymization.per_purpose": False,
            "pseudonymization.per_partner": per_partner,
            "pseudonymization.key_rotation_days": None,
        }
        made = [
            pd.Series(
                P.make_tokens(
                    context,
                    read_fields,
                    book["addresses"],
                    use=P.use_of(read_fields, "analytics", partner),
                    day=0,
                )
            )
            for partner in P.PARTNERS
        ]
        assert link_partners(*made).recall.value == results["tokens"].partners_linked.mean()


@pytest.mark.parametrize("days", [7, 90, 200, 365, 400])
def test_rotation_is_counted_on_the_tokens_themselves(context, days):
    got = measure(context, **KEYED, pseudonymization__key_rotation_days=days)
    middle = [15 + (month * 365) // 12 for month in range(12)]
    pairs = [(a // days == b // days) for i, a in enumerate(middle) for b in middle[i + 1 :]]
    assert got["linked_over_the_year"] == pytest.approx(np.mean(pairs))


# -------------------------------------------------------------------------------- store


def test_an_eraser_that_forgets_the_backup_is_seen(context, monkeypatch):
    changes = {**VAULT, "storage__erasure": "destroy_key"}
    assert measure(context, **changes)["readable_after_erasure"] == 0

    def live_only(self, people):
        with self._vault("live") as vault:
            for who in people:
                vault.erase(who)

    monkeypatch.setattr(P._Files, "destroy_keys", live_only)
    wrong = measure(context, **changes)
    assert wrong["readable_after_erasure"] == 1
    assert wrong["readable_if_stolen"] == 0


def test_encryption_that_is_skipped_is_seen(context, monkeypatch):
    assert measure(context, storage__encryption="at_rest")["readable_if_stolen"] == 0
    write = P._Files.write

    def plain(self, records):
        self.encryption = "none"
        write(self, records)

    monkeypatch.setattr(P._Files, "write", plain)
    assert measure(context, storage__encryption="at_rest")["readable_if_stolen"] == 1


@pytest.mark.parametrize("encryption", ["none", "at_rest", "per_person_key"])
@pytest.mark.parametrize("erasure", ["mark_inactive", "delete_rows"])
def test_no_file_is_left_behind(context, monkeypatch, tmp_path, encryption, erasure):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    _, results = run(context, storage__encryption=encryption, storage__erasure=erasure)
    assert list(tmp_path.iterdir()) == []
    assert results["store"].still_readable.all()


def test_without_requests_the_test_makes_its_own(context):
    _, results = run(context, permission_of(context.n, asked=0.0))
    assert results["store"].test_requests
    assert len(results["store"].erased) == 20
    _, results = run(context)
    assert not results["store"].test_requests


def test_the_deadline_is_a_calendar_month(context):
    fake = SimpleNamespace(n=4, as_of=context.as_of)
    # asked on 31 January and on 1 July; 28 February has 28 days to wait, July 31
    day = np.array([30.5, 30.5, 181.5, 181.5]) / 365
    delay = np.array([28.5, 29.5, 31.5, 32.5]) / 366
    fake.chances = lambda name, n: day if name == "store.request_day" else delay
    took, late = P._delays(fake, np.arange(4), 365)
    assert took.tolist() == [28, 29, 31, 32]
    assert late.tolist() == [False, True, False, True]


# ------------------------------------------------------------------------------ release


@settings(max_examples=15)
@given(
    k=st.integers(2, 40),
    l=st.integers(1, 3),
    method=st.sampled_from(["mondrian", "full_domain"]),
    seed=st.integers(0, 5),
)
def test_a_release_has_the_k_and_l_asked_or_there_is_none(context, k, l, method, seed):  # noqa: E741
    from ethicalai_lab.privacy import anonymity, information_loss

    practice = np.random.default_rng(seed).random((4, context.n)) < 0.4
    _, results = run(
        context,
        permission_of(context.n, practice=practice),
        anonymization__generalization=method,
        anonymization__k=k,
        anonymization__l=l,
        anonymization__suppression=0.05,
    )
    release = results["release"]
    if release.table is None:
        assert release.why_none
        return
    found = anonymity(release.table, R._KNOWN, R._SECRET)
    assert found.k == release.smallest_class >= k
    assert found.l >= l
    assert not release.shared[~practice[3]].any()
    before = context.once("release table", None).iloc[np.flatnonzero(practice[3])]
    loss = information_loss(before, release.table, ["age", "gender", "postcode"])
    missing = 1 - len(release.table) / len(before)
    lost = [*loss.by_column.values(), *[missing] * 4]
    assert release.detail_kept == pytest.approx(1 - np.mean(lost))


@pytest.mark.parametrize("generalization", ["none", "mondrian", "full_domain"])
def test_linking_agrees_with_the_rooms_attack(context, generalization):
    from ethicalai_lab.privacy.attacks import inference, linkage

    practice = np.random.default_rng(1).random((4, context.n)) < 0.7
    _, results = run(
        context,
        permission_of(context.n, practice=practice),
        anonymization__generalization=generalization,
        anonymization__k=5,
    )
    release = results["release"]
    known = context.once("release register", None)["known"]
    truth = pd.Series(release.attacked, index=known.index)
    got = linkage(release.table, known, R._KNOWN, truth)
    assert release.named.sum() == pytest.approx(got.expected, rel=1e-5)
    assert got.in_release == release.shared[release.attacked].sum()
    secret = context.once("release table", None)[R._SECRET].astype(str)
    targets = known.assign(**{R._SECRET: secret.to_numpy()[release.attacked]})
    table = release.table.astype({R._SECRET: str})
    risk = inference(table, targets, R._KNOWN, R._SECRET, n_attacks=len(known))
    assert release.secret_right.mean() == pytest.approx(risk.attack.value, abs=0.02)
    assert release.secret_base.mean() == pytest.approx(risk.baseline.value, abs=1e-9)


def test_a_generalizer_that_does_nothing_is_seen(context, monkeypatch):
    monkeypatch.setattr(R, "anonymized", lambda table, *rest: (table, 1.0))
    got = measure(context, anonymization__generalization="mondrian", anonymization__k=20)
    assert got["smallest_class"] == 1
    assert got["unique_share"] > 0.5
    assert got["reidentified_by_linkage"] > 0.5


def test_a_column_left_out_of_the_quasi_identifiers_costs_its_people(context):
    asked = {"anonymization__generalization": "mondrian", "anonymization__k": 10}
    whole = measure(context, **asked)
    part = measure(context, **asked, anonymization__quasi_identifiers=("age", "gender"))
    assert whole["smallest_class"] >= 10
    assert part["smallest_class"] < 10
    assert part["reidentified_by_linkage"] > whole["reidentified_by_linkage"]


def test_an_impossible_release_is_not_made(context):
    got = measure(context, anonymization__generalization="mondrian", anonymization__l=4)
    assert got["smallest_class"] is None
    assert got["people_shared"] == got["reidentified_by_linkage"] == 0
    assert got["release_detail_kept"] == 0
    nobody = permission_of(context.n, practice=np.zeros((4, context.n), bool))
    got = measure(context, nobody)
    assert got["people_shared"] == got["reidentified_by_linkage"] == 0
    assert got["unique_share"] is None


def test_fewer_people_shared_fewer_found(context):
    practice = np.random.default_rng(2).random((4, context.n)) < 0.3
    some, everyone = measure(context, permission_of(context.n, practice=practice)), measure(context)
    assert some["people_shared"] < 0.4
    assert some["reidentified_by_linkage"] < everyone["reidentified_by_linkage"]
    assert some["linked_across_partners"] == everyone["linked_across_partners"]


# -------------------------------------------------------------------------- publication


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 5.0, 20.0])
@pytest.mark.parametrize("days", [1, 45, 365, 730])
def test_the_attack_reaches_the_best_and_never_beats_the_bound(context, epsilon, days):
    from ethicalai_lab.privacy.noise import membership_bound

    _, results = run(context, anonymization__epsilon=epsilon, anonymization__epsilon_days=days)
    got = results["publication"]
    assert got.right.mean() == pytest.approx(got.best.mean(), abs=0.015)
    assert (got.best <= membership_bound(got.spent) + 1e-12).all()


def test_one_figure_is_guessed_exactly_as_often_as_the_bound():
    from ethicalai_lab.privacy.noise import membership_bound

    assert R._best_guess(np.array([1]), 0.8)[0] == pytest.approx(membership_bound(0.8))
    assert R._best_guess(np.array([0]), 0.8)[0] == 0.5
    assert R._best_guess(np.array([0, 3]), None).tolist() == [0.5, 1.0]


def test_a_budget_renewed_often_is_a_large_budget(context):
    spent = {
        days: measure(context, anonymization__epsilon=1.0, anonymization__epsilon_days=days)[
            "loss_budget_spent"
        ]
        for days in (1, 7, 91, 365, 730)
    }
    assert spent[1] == spent[7] == pytest.approx(12)
    assert spent[365] == pytest.approx(1)
    assert spent[730] == pytest.approx(0.5)
    assert 2 < spent[91] <= 5


def test_noise_that_is_not_added_is_seen(context, monkeypatch):
    from ethicalai_lab.privacy import noise

    honest = measure(context, anonymization__epsilon=1.0)
    monkeypatch.setattr(noise, "simulate_noise", lambda scale, size, seed: np.zeros(size, int))
    wrong = measure(context, anonymization__epsilon=1.0)
    assert wrong["presence_guessed"] > honest["presence_guessed"] + 0.2
    assert wrong["published_error"] == 0
    assert wrong["loss_budget_spent"] == honest["loss_budget_spent"]


def test_counts_are_the_visitors_of_each_month(context):
    _, results = run(context)
    events = context.world.events
    march = events[(events["time"].dt.month == 3) & (events["time"].dt.year == 2025)]
    assert results["publication"].true[2].sum() == march["customer_id"].nunique()
    practice = np.ones((4, context.n), bool)
    practice[0] = False
    got = measure(context, permission_of(context.n, practice=practice))
    assert got["presence_guessed"] == 0.5
    assert got["published_error"] is None
