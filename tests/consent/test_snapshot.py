"""A snapshot decides as the ledger does, and draws from the chances that it names."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ethicalai_lab import make_world
from ethicalai_lab.consent import ConsentLedger, LedgerError, PermissionSnapshot
from ethicalai_lab.consent.simulation import answer_chance, meet, population
from ethicalai_lab.world import PURPOSES


@pytest.fixture(scope="module")
def world():
    return make_world(1_500, seed=5)


def _people(world):
    words = {"EU": "gdpr", "California": "ccpa", "other": "other"}
    return pd.DataFrame(
        {
            "person": world.customers["customer_id"],
            "regime": world.customers["jurisdiction"].astype(str).map(words),
            "birth_date": world.customers["birth_date"],
        }
    )


@pytest.mark.parametrize("at", ["2025-06-01", "2026-01-12"])
def test_it_says_what_the_ledger_says(world, at):
    events = world.consent_events.rename(columns={"customer_id": "person"})
    people = _people(world)
    ids = np.append(people["person"].to_numpy(), 9_999_999)  # and a stranger
    snapshot = PermissionSnapshot(events, people, now=world.as_of)
    with ConsentLedger(None, now=world.as_of) as ledger:
        ledger.record(events)
        ledger.register(people)
        for purpose in PURPOSES:
            ours = snapshot.permitted(ids, purpose, at)
            assert np.array_equal(ours, ledger.permitted(ids, purpose, at))
            assert 0 < ours.mean() < 1


def test_children_are_decided_as_in_the_ledger():
    people = pd.DataFrame(
        {
            "person": [3, 1, 2],
            "regime": ["gdpr", "ccpa", "other"],
            "birth_date": pd.to_datetime(["2014-01-01", "2012-01-01", "1980-01-01"]),
        }
    )
    said = [
        {
            "person": person,
            "purpose": "personalization",
            "action": "grant",
            "time": "2025-05-01",
            "notice_version": "2025-1",
            "source": "banner",
            "regime": regime,
        }
        for person, regime in ((3, "gdpr"), (1, "ccpa"), (2, "other"))
    ]
    snapshot = PermissionSnapshot(said, people, now="2026-01-12")
    with ConsentLedger(None, now="2026-01-12") as ledger:
        ledger.record(said)
        ledger.register(people)
        expected = ledger.permitted([1, 2, 3], "personalization", "2026-01-12")
    got = snapshot.permitted([1, 2, 3], "personalization", "2026-01-12")
    assert got.tolist() == expected.tolist()
    assert not got[2]


@pytest.mark.parametrize(
    ("people", "named"),
    [
        ([1, 2], "people is a list"),
        (pd.DataFrame({"person": [1]}), '"regime"'),
        (pd.DataFrame({"person": [1, 1], "regime": "gdpr"}), "twice"),
        (pd.DataFrame({"person": [1], "regime": "mars"}), "mars"),
        (pd.DataFrame({"person": [1], "regime": [None]}), "row 0"),
    ],
)
def test_bad_people_are_named(people, named):
    with pytest.raises(LedgerError, match=named):
        PermissionSnapshot([], people, now="2026-01-12")


def test_an_unknown_purpose_is_named(world):
    snapshot = PermissionSnapshot([], _people(world), now="2026-01-12")
    with pytest.raises(LedgerError, match="resale"):
        snapshot.permitted([1], "resale", "2026-01-12")


def test_answers_are_drawn_from_the_chances(world):
    people = population(world)
    chance = answer_chance(people, "neutral")
    draws = np.mean([meet(people, "neutral", seed=s).granted for s in range(60)], axis=0)
    # standard error of the mean of 60 yes or no draws, over 1,500 people
    z = (draws - chance) / np.sqrt(chance * (1 - chance) / 60)
    assert abs(z.mean()) < 0.15
    assert 0.9 < z.std() < 1.1
    # full fatigue weakens the will: those who accept say yes less often
    tired = answer_chance(people, "neutral", fatigue=1.0)
    assert (tired < chance)[people["accepts"].to_numpy()].all()
