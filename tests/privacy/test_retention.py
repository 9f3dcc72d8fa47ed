"""Retention: planted ageing is found, and a world that does not age says so."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from ethicalai_lab.privacy.errors import PrivacyError
from ethicalai_lab.privacy.retention import _explained, behaviour, retention
from ethicalai_lab.world import make_world

AS_OF = pd.Timestamp("2025-10-01")


def planted(informative_days, n=1_500, seed=0):
    """Events whose counts foretell the outcome only up to an age, and noise before it."""
    rng = np.random.default_rng(seed)
    taste = rng.gamma(2.0, 1.0, n)
    parts = []
    for age in range(0, 270, 30):
        pace = taste if age < informative_days else rng.permutation(taste)
        count = rng.poisson(pace)
        parts.append((np.repeat(np.arange(n), count), rng.uniform(age, age + 30, count.sum())))
    who, age = (np.concatenate(part) for part in zip(*parts, strict=True))
    events = pd.DataFrame(
        {"customer_id": who, "kind": "view", "time": AS_OF - pd.to_timedelta(age, unit="D")}
    )
    return events, pd.Series(taste + rng.normal(0, 0.5, n), index=np.arange(n))


@pytest.mark.parametrize("days", [30, 90])
def test_the_age_at_which_data_stops_telling_is_found(days):
    events, outcome = planted(days)
    found = retention(events, outcome, as_of=AS_OF, by=["kind"], tolerance=0.03)
    assert found.days == days
    assert found.verdict in ("confirmed", "open")
    older = found.table[found.table["days"] > days]
    fresh = found.table[found.table["days"] <= days]
    assert (older["slice_value_high"] < 0.02).all()
    assert (fresh["slice_value_low"] > 0.1).all()
    assert older["value_per_1000"].max() < fresh["value_per_1000"].min()


def test_where_tastes_do_not_drift_older_events_still_tell():
    events, outcome = planted(270)
    found = retention(events, outcome, as_of=AS_OF, by=["kind"], tolerance=0.02)
    assert found.days > 90
    assert (found.table["slice_value_low"] > 0.1).all()


def test_verdict_covers_repeated_samples():
    wrong = 0
    for seed in range(25):
        events, outcome = planted(60, n=600, seed=seed)
        found = retention(
            events, outcome, as_of=AS_OF, by=["kind"], windows=(30, 60, 270), tolerance=0.1
        )
        wrong += found.verdict == "refuted"
    assert wrong <= 4


def test_nothing_after_the_moment_is_used():
    events, outcome = planted(90)
    future = events.assign(time=events["time"] + pd.Timedelta(days=400))
    one = retention(events, outcome, as_of=AS_OF, by=["kind"])
    two = retention(pd.concat([events, future]), outcome, as_of=AS_OF, by=["kind"])
    pd.testing.assert_frame_equal(one.table, two.table)


def test_the_engine_agrees_with_scikit_learn_on_the_same_folds():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(300, 4)), rng.normal(size=(300, 2))
    y[:, 0] += x[:, 1]
    y -= y.mean(axis=0)
    fold = np.random.default_rng([9, 0xF01D]).permutation(300) % 5  # its own stream
    fitted = np.empty_like(y)
    for f in range(5):
        model = Ridge(alpha=20.0).fit(x[fold != f], y[fold != f])
        fitted[fold == f] = model.predict(x[fold == f])
    theirs = -((y - fitted) ** 2).sum() / (y**2).sum()
    assert _explained(x, y, 5, 9).mean() == pytest.approx(theirs, abs=1e-9)


def test_the_worlds_interests_do_not_age():
    world = make_world(12_000, seed=7)
    events = world.events[world.events["product_id"] > 0]
    category = world.products.set_index("product_id")["category"]
    events = events.assign(category=category.loc[events["product_id"]].to_numpy())
    later = behaviour(
        events,
        customers=world.customers["customer_id"],
        by="category",
        start="2025-10-01",
        end="2026-01-01",
        share=True,
    )
    found = retention(events, later, as_of="2025-10-01")
    assert (found.table["slice_value_low"] > 0).all()
    assert found.table["value"].is_monotonic_increasing


def test_behaviour_counts_by_hand():
    events = pd.DataFrame(
        {
            "customer_id": [1, 1, 2, 3],
            "category": ["a", "b", "a", "a"],
            "time": pd.to_datetime(["2025-01-01", "2025-01-31", "2025-02-01", "2025-01-05"]),
        }
    )
    options = {"by": "category", "start": "2025-01-01", "end": "2025-02-01"}
    counts = behaviour(events, customers=[1, 2], **options)
    assert counts.to_dict("list") == {"a": [1, 0], "b": [1, 0]}
    shares = behaviour(events, customers=[1, 2], share=True, **options)
    assert shares.to_dict("index") == {1: {"a": 0.5, "b": 0.5}}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"as_of": "someday"}, "someday"),
        ({"windows": [0]}, "windows"),
        ({"windows": []}, "windows"),
        ({"by": ["gone"]}, "gone"),
        ({"tolerance": 1.0}, "tolerance"),
        ({"held_out": 0.0}, "held_out"),
        ({"outcome": pd.Series([1.0, 1.0])}, "same for all"),
        ({"outcome": pd.Series([1.0, np.nan])}, "missing"),
        ({"outcome": pd.Series([1.0, 2.0])}, "too few"),
    ],
)
def test_bad_input_is_named(change, word):
    events, outcome = planted(30, n=60)
    options = {"outcome": outcome, "as_of": AS_OF, "by": ["kind"]} | change
    with pytest.raises(PrivacyError, match=word):
        retention(events, **options)


def test_zones_and_ids_as_text_change_nothing():
    events, outcome = planted(30, n=400)
    options = {"as_of": AS_OF, "by": ["kind"]}
    plain = retention(events, outcome, **options)
    berlin = events["time"].dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    other = events.assign(time=berlin, customer_id=events["customer_id"].astype(str))
    found = retention(other, outcome, **options)
    pd.testing.assert_frame_equal(found.table, plain.table)
    period = {"customers": outcome.index, "by": "kind", "start": "2025-01-01", "end": AS_OF}
    counts = behaviour(events, **period)
    assert counts.to_numpy().sum() > 0
    pd.testing.assert_frame_equal(behaviour(other, **period), counts)
    with pytest.raises(PrivacyError, match="2025-03-04 if the month"):
        behaviour(events, **{**period, "start": "03.04.2025"})
    with pytest.raises(PrivacyError, match="events: time is 'x'"):
        behaviour(events.assign(time="x"), **period)
