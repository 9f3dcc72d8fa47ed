"""An index that is kept up to date answers as one that is built anew."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.consent import ConsentLedger, Purposes, layers
from ethicalai_lab.consent.events import ACTIONS
from ethicalai_lab.consent.purposes import REGIMES

NOW = pd.Timestamp("2026-01-12")
ASKED = Purposes.default().asked("ccpa")


def answers(ledger, seed, override):
    rng = np.random.default_rng(seed)
    people = rng.integers(0, 45, 300)
    at = pd.Timestamp("2025-05-25") + pd.to_timedelta(rng.integers(0, 110, 300), unit="D")
    names = rng.choice(ASKED, 300)
    permitted = ledger.permitted(people, names, at, regime=override)
    last = ledger.last_event(people, "direct_marketing", at, ACTIONS)
    choices = pd.concat([ledger.choices(p, at[0], regime=override) for p in people[:4]])
    return permitted, last, choices.reset_index(drop=True)


def change(ledger, kind, rng, many_events):
    if kind == "record":
        ledger.record(many_events(int(rng.integers(10**6)), n=int(rng.integers(1, 8)), n_people=40))
    elif kind == "register":
        who = rng.choice(40, 3, replace=False) + 1
        born = pd.Timestamp("2025-06-15") - pd.to_timedelta(rng.choice([12, 15, 30], 3) * 366, "D")
        ledger.register(
            pd.DataFrame({"person": who, "regime": rng.choice(REGIMES, 3), "birth_date": born})
        )
    else:
        ledger.erase(int(rng.integers(1, 41)))


@pytest.fixture(scope="module", autouse=True)
def few_are_enough():
    """Let layers be made, merged and built anew among forty people already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "_SMALL", 25)
        patch.setattr(layers, "_RATIO", 2)
        yield


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    kinds=st.lists(st.sampled_from(["record", "record", "register", "erase"]), max_size=8),
    override=st.sampled_from([None, *REGIMES]),
)
def test_after_any_changes_it_answers_as_one_built_anew(seed, kinds, override, many_events):
    rng = np.random.default_rng(seed)
    with ConsentLedger(None, now=NOW) as ledger:
        ledger.record(many_events(seed, n=150, n_people=40))
        for kind in ["record", *kinds]:
            answers(ledger, seed, override)  # the index is in use between the changes
            change(ledger, kind, rng, many_events)
        kept = answers(ledger, seed, override)
        ledger._indexes.clear()
        ledger._events = None
        anew = answers(ledger, seed, override)
    assert np.array_equal(kept[0], anew[0])
    pd.testing.assert_frame_equal(kept[1], anew[1])
    pd.testing.assert_frame_equal(kept[2], anew[2])


def test_one_event_more_sorts_nobody_else_anew(ledger, event, monkeypatch):
    ledger.record([event(person) for person in range(5_000)])
    assert ledger.permitted([7], "analytics", NOW).all()
    sorted_anew = []
    build = layers.Layers._settle

    def spy(kept):
        inner = kept._build
        kept._build = lambda people: sorted_anew.append(people) or inner(people)
        try:
            return build(kept)
        finally:
            kept._build = inner

    monkeypatch.setattr(layers.Layers, "_settle", spy)
    ledger.record(event(7, action="withdraw", time="2025-06-01"))
    assert ledger.permitted([7, 8], "analytics", NOW).tolist() == [False, True]
    (people,) = sorted_anew
    assert people.tolist() == [7]
