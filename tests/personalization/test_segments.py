"""RFM and k-means segments."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    table = room.rfm(purchases(rows), AS_OF).set_index("customer_id").sort_index(ascending=False)
    assert table.index.tolist() == [5, 4, 3, 2, 1]
    assert table["recency_days"].tolist() == [40, 30, 20, 10, 1]
    assert table["r"].tolist() == [1, 2, 3, 4, 5]
    # Three bought once (none below them), then 2 purchases, then 3.
    assert table["f"].tolist() == [1, 1, 4, 1, 5]
    assert table["monetary"].tolist() == [8, 7, 2, 100, 15]
    assert table["m"].tolist() == [3, 2, 1, 5, 4]
    assert table["segment"].tolist() == [
        "hibernating", "hibernating", "loyal", "promising", "champion",
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
    assert table["segment"].isin(RFM_SEGMENTS).all()
    shuffled = purchases(rows).astype({"amount": float}).sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(room.rfm(shuffled, AS_OF), table)


def test_rfm_of_nobody_is_empty():
    empty = purchases([]).astype({"amount": float, "time": "datetime64[ns]"})
    assert len(room.rfm(empty, AS_OF)) == 0


def test_rfm_of_the_world_uses_every_segment_and_every_buyer(small_world):
    table = room.rfm(small_world.events, small_world.as_of)
    bought = small_world.events.query("kind == 'purchase'")
    assert table["customer_id"].tolist() == sorted(bought["customer_id"].unique())
    assert table["monetary"].sum() == pytest.approx(bought["amount"].sum())
    assert table["segment"].nunique() >= 8
    means = table.groupby("segment", observed=True)[["recency_days", "frequency"]].mean()
    assert means.loc["champion", "frequency"] > means.loc["hibernating", "frequency"]
    assert means.loc["champion", "recency_days"] < means.loc["at_risk", "recency_days"]


def test_bad_events_are_one_sentence():
    events = purchases([(1, 5, 10.0)])
    with pytest.raises(InputError, match='no column "amount"'):
        room.rfm(events.drop(columns="amount"), AS_OF)
    with pytest.raises(InputError, match="row 0: events: time is 'yesterday'"):
        room.rfm(events.assign(time="yesterday"), AS_OF)
    with pytest.raises(InputError, match="'amount' must hold numbers"):
        room.rfm(events.assign(amount="much"), AS_OF)


@pytest.mark.parametrize("stored", [int, float, str, "string", "category", "Int64"])
def test_rfm_knows_a_customer_however_the_number_is_written(stored):
    events = purchases([(1, 1, 5.0), (1, 9, 5.0), (2, 3, 8.0), (3, 7, 1.0)])
    events["customer_id"] = events["customer_id"].astype(stored)
    table = room.rfm(events, AS_OF)
    assert table["customer_id"].astype(int).tolist() == [1, 2, 3]
    assert table["frequency"].tolist() == [2, 1, 1]
    assert table["r"].tolist() == [4, 2, 1]


def test_rfm_takes_a_number_and_its_text_for_one_customer():
    events = purchases([(1, 1, 5.0), (2, 3, 8.0)])
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
