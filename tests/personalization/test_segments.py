"""RFM and k-means segments."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from ethicalai_lab import personalization as room
from ethicalai_lab.errors import InputError
from ethicalai_lab.personalization.segments import RFM_SEGMENTS

AS_OF = pd.Timestamp("2026-01-12")


def purchases(rows) -> pd.DataFrame:
    """Build events from (customer, days before as_of, amount)."""
    frame = pd.DataFrame(rows, columns=["customer_id", "days", "amount"])
    frame["time"] = AS_OF - pd.to_timedelta(frame.pop("days"), unit="D")
    return frame.assign(kind="purchase")


def test_rfm_worked_by_hand():
    # Five buyers, each a fifth of its own: recency 1, 10, 20, 30, 40 days.
    rows = [(1, 1, 5.0), (1, 50, 5.0), (1, 60, 5.0)]
    rows += [(2, 10, 100.0), (3, 20, 1.0), (3, 25, 1.0), (4, 30, 7.0), (5, 40, 8.0)]
    table = room.rfm(purchases(rows), AS_OF, customers=[5, 4, 3, 2, 1, 9]).set_index("customer_id")
    assert table.index.tolist() == [5, 4, 3, 2, 1, 9]
    assert table["recency_days"].tolist()[:5] == [40, 30, 20, 10, 1]
    assert table["r"].tolist() == [1, 2, 3, 4, 5, 0]
    # Three bought once (none below them), then 2 purchases, then 3.
    assert table["f"].tolist() == [1, 1, 4, 1, 5, 0]
    assert table["monetary"].tolist() == [8, 7, 2, 100, 15, 0]
    assert table["m"].tolist() == [3, 2, 1, 5, 4, 0]
    assert table["segment"].tolist() == [
        "hibernating", "hibernating", "loyal", "promising", "champion", "no_purchase",
    ]  # fmt: skip


def test_only_purchases_before_the_day_count():
    events = purchases([(1, 5, 10.0), (1, -3, 99.0), (2, 0, 50.0)])
    views = events.assign(kind="view", customer_id=3)
    table = room.rfm(pd.concat([events, views]), "2026-01-12")
    assert table["customer_id"].tolist() == [1]
    assert table["monetary"].tolist() == [10.0]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(1, 12), st.integers(1, 300), st.integers(1, 50)),
        min_size=1,
        max_size=60,
    )
)
def test_scores_follow_the_values_and_every_buyer_has_a_name(rows):
    table = room.rfm(purchases(rows).astype({"amount": float}), AS_OF)
    n = len(table)
    for value, score in (("recency_days", "r"), ("frequency", "f"), ("monetary", "m")):
        sign = -1 if value == "recency_days" else 1
        x = sign * table[value].to_numpy()
        below = (x[:, None] > x[None, :]).sum(axis=1)
        assert table[score].tolist() == (below * 5 // n + 1).tolist()
    assert table["segment"].isin(RFM_SEGMENTS[:-1]).all()
    shuffled = purchases(rows).astype({"amount": float}).sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(room.rfm(shuffled, AS_OF), table)


def test_rfm_of_nobody_is_empty_or_no_purchase():
    empty = purchases([]).astype({"amount": float, "time": "datetime64[ns]"})
    assert len(room.rfm(empty, AS_OF)) == 0
    table = room.rfm(empty, AS_OF, customers=[1, 2])
    assert table["segment"].tolist() == ["no_purchase"] * 2


def test_rfm_of_the_world_uses_every_segment_and_every_customer(small_world):
    ids = small_world.customers["customer_id"]
    table = room.rfm(small_world.events, small_world.as_of, customers=ids)
    assert table["customer_id"].tolist() == ids.tolist()
    bought = small_world.events.query("kind == 'purchase'")
    assert table["monetary"].sum() == pytest.approx(bought["amount"].sum())
    assert table["segment"].nunique() >= 8
    profile = room.segment_profile(table, table["segment"], ["recency_days", "frequency"])
    assert profile["n"].sum() == len(ids)
    assert profile.loc["champion", "frequency"] > profile.loc["hibernating", "frequency"]
    assert profile.loc["champion", "recency_days"] < profile.loc["at_risk", "recency_days"]


def test_bad_events_are_one_sentence():
    events = purchases([(1, 5, 10.0)])
    with pytest.raises(InputError, match="no column 'amount'"):
        room.rfm(events.drop(columns="amount"), AS_OF)
    with pytest.raises(InputError, match="row 0: events: time is 'yesterday'"):
        room.rfm(events.assign(time="yesterday"), AS_OF)
    with pytest.raises(InputError, match="'amount' must hold numbers"):
        room.rfm(events.assign(amount="much"), AS_OF)
    with pytest.raises(InputError, match="repeats id 1"):
        room.rfm(events, AS_OF, customers=[1, 1])


# ------------------------------------------------------------------------------ k-means


def blobs(seed=0):
    rng = np.random.default_rng(seed)
    centres = np.array([[0.0, 1000.0], [5.0, 200.0], [10.0, 3000.0]])
    label = rng.integers(0, 3, 600)
    X = centres[label] + rng.normal(0, 1, (600, 2)) * [0.5, 60.0]
    return pd.DataFrame(X, columns=["visits", "spend"]), label


def test_kmeans_segments_are_scikit_learns_on_standardised_features():
    X, label = blobs()
    ours = room.KMeansSegments(n_segments=3).fit(X)
    scaled = StandardScaler().fit_transform(X)
    theirs = KMeans(n_clusters=3, n_init=10, random_state=0).fit(scaled)
    assert adjusted_rand_score(theirs.labels_, ours.labels_) == 1.0
    assert adjusted_rand_score(label, ours.labels_) == 1.0
    assert ours.inertia_ == pytest.approx(theirs.inertia_)
    for segment in range(3):
        assert np.allclose(ours.cluster_centers_[segment], X[ours.labels_ == segment].mean())
    assert (np.diff(ours.cluster_centers_[:, 0]) < 0).all()  # 0 is highest in the first
    assert (ours.predict(X) == ours.labels_).all()
    distances = ours.transform(X)
    assert (distances.argmin(axis=1) == ours.labels_).all()


def test_kmeans_numbers_do_not_depend_on_the_seed():
    X, _ = blobs()
    runs = [room.KMeansSegments(3, random_state=seed).fit_predict(X) for seed in range(4)]
    assert all((run == runs[0]).all() for run in runs)


def test_kmeans_follows_scikit_learn():
    X, _ = blobs()
    model = room.KMeansSegments(n_segments=4, n_init=2)
    assert clone(model).get_params() == {"n_segments": 4, "n_init": 2, "random_state": 0}
    frame = model.set_output(transform="pandas").fit_transform(X)
    assert frame.columns.tolist() == [f"segment{i}" for i in range(4)]
    with pytest.raises(Exception, match="not fitted"):
        room.KMeansSegments().predict(X)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X.rename(columns={"spend": "cost"}))


def test_bad_features_are_one_sentence():
    X, _ = blobs()
    with pytest.raises(InputError, match="column 'name' has type"):
        room.KMeansSegments().fit(X.assign(name="Ann"))
    with pytest.raises(InputError, match="column 'spend' has 600 missing values"):
        room.KMeansSegments().fit(X.assign(spend=np.nan))
    with pytest.raises(InputError, match="1 to 3 are possible"):
        room.KMeansSegments(4).fit(X.iloc[:3])


# ------------------------------------------------------------------------------ profile


def test_profile_describes_each_segment():
    table = pd.DataFrame(
        {
            "spend": [1.0, 3.0, 8.0, None],
            "member": [True, False, True, True],
            "channel": pd.Categorical(["web", "store", "store", None]),
            "day": pd.to_datetime(["2025-01-01"] * 4),
        }
    )
    profile = room.segment_profile(table, [1, 1, 0, 0])
    assert profile.index.tolist() == [0, 1]
    assert profile["share"].tolist() == [0.5, 0.5]
    assert profile["spend"].tolist() == [8.0, 2.0]
    assert profile["member"].tolist() == [1.0, 0.5]
    assert profile["channel"].tolist() == ["store", "store"]
    with pytest.raises(InputError, match="no column 'age'; it has: spend"):
        room.segment_profile(table, [1, 1, 0, 0], ["age"])
    with pytest.raises(InputError, match="segments has 2 rows and table 4"):
        room.segment_profile(table, [1, 1])


@pytest.mark.parametrize("stored", [int, float, str, "string", "category", "Int64"])
@pytest.mark.parametrize("asked", [[2, 9, 1], ["2", "9", "1"], [2.0, 9.0, 1.0]])
def test_rfm_knows_a_customer_however_the_number_is_written(stored, asked):
    events = purchases([(1, 1, 5.0), (1, 9, 5.0), (2, 3, 8.0), (3, 7, 1.0)])
    events["customer_id"] = events["customer_id"].astype(stored)
    table = room.rfm(events, AS_OF, customers=asked)
    assert table["customer_id"].tolist() == asked
    assert table["frequency"].tolist() == [1, 0, 2]
    assert table["r"].tolist() == [2, 0, 4]
    assert (table["segment"] == "no_purchase").tolist() == [False, True, False]


def test_rfm_refuses_ids_that_only_resemble():
    events = purchases([(1, 1, 5.0), (2, 3, 8.0)])
    with pytest.raises(InputError, match="customer_id is '1', which may or may not be '0001'"):
        room.rfm(events, AS_OF, customers=["0001"])
    mixed = events.assign(customer_id=pd.Series([1, "1"], dtype=object))
    assert room.rfm(mixed, AS_OF)["frequency"].tolist() == [2]


def test_rfm_reads_times_in_any_zone():
    events = purchases([(1, 1, 5.0), (2, 3, 8.0)])
    plain = room.rfm(events, AS_OF)
    berlin = events["time"].dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    for time in (berlin, berlin.astype(object), berlin.astype(str)):
        for as_of in (AS_OF, AS_OF.tz_localize("UTC"), "2026-01-12 01:00+01"):
            pd.testing.assert_frame_equal(room.rfm(events.assign(time=time), as_of), plain)
    with pytest.raises(InputError, match="events: time is 'x'"):
        room.rfm(events.assign(time="x"), AS_OF)
    with pytest.raises(InputError, match=r"as_of is .03\.04\.2026"):
        room.rfm(events, "03.04.2026")
