"""A label of dates covers every moment it was made of, in the release and in the attacks."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.privacy import (
    Hierarchy,
    KAnonymizer,
    PrivacyError,
    attacks,
    information_loss,
    parse_label,
    parse_release,
)

# the unit, and the years that it reaches in every zone
UNITS = {"s": (1001, 9998), "ms": (1001, 9998), "us": (1001, 9998), "ns": (1700, 2200)}
LEVELS = ["month", "year", "five_years", "decade"]


@st.composite
def columns(draw, gaps=True):
    unit = draw(st.sampled_from(list(UNITS)))
    low, high = UNITS[unit]
    near = st.datetimes(dt.datetime(1999, 12, 30), dt.datetime(2000, 3, 1))
    far = st.datetimes(dt.datetime(low, 1, 1), dt.datetime(high, 12, 31, 23, 59, 59))
    moment = draw(st.sampled_from([near, far, st.one_of(near, far)]))
    midnight = moment.map(lambda m: m.replace(hour=0, minute=0, second=0, microsecond=0))
    moment = draw(st.sampled_from([moment, midnight, st.one_of(moment, midnight)]))
    if gaps:
        moment = st.one_of(moment, moment, moment, st.none())
    values = draw(st.lists(moment, min_size=2, max_size=30))
    made = np.array(values, "datetime64[us]").astype(f"datetime64[{unit}]")
    column = pd.Series(made)
    return column.dt.tz_localize("Asia/Tokyo") if draw(st.booleans()) and unit != "s" else column


@settings(max_examples=150, deadline=None)
@given(
    column=columns(),
    method=st.sampled_from(["mondrian", "full_domain"]),
    levels=st.one_of(st.none(), st.sets(st.sampled_from(LEVELS), min_size=1)),
    k=st.integers(2, 4),
)
def test_a_generalised_moment_is_covered_by_its_label(column, method, levels, k):
    table = pd.DataFrame(
        {"at": column, "ill": ["no", "yes"] * (len(column) // 2) + ["no"] * (len(column) % 2)}
    )
    if len(table) < k:
        k = 2
    hierarchies = levels and {"at": Hierarchy.dates([x for x in LEVELS if x in levels])}
    tool = KAnonymizer(
        k, method=method, hierarchies=hierarchies, quasi_identifiers=["at"], sensitive="ill"
    )
    release = tool.fit_transform(table)
    for text, value in zip(release["at"], table["at"], strict=True):
        assert parse_label(text, "date").covers(value), (text, value)
    if method == "mondrian":  # a label says no more than what is there
        utc = column if column.dt.tz is None else column.dt.tz_convert(None)
        typed = parse_release(release, tool.kinds_)
        days = utc.to_numpy().astype("datetime64[D]")
        low, high = typed["at_low"].to_numpy(), typed["at_high"].to_numpy()
        known = ~np.isnat(days) & ~np.isnat(low)
        if levels is None and known.any():
            assert low[known].min() >= days[known].min()
            assert high[known].max() <= days[known].max() + np.timedelta64(1, "D")
    # and the attacks see it too
    found = attacks.fitting_rows(release, table, ["at"], "ill", own=release.index)
    assert found.own_fits.all()
    assert (found.rows >= k).all()
    assert information_loss(table, release, ["at"]).ncp == pytest.approx(tool.loss_.ncp, abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(columns(gaps=False), st.sampled_from(["%Y", "%Y-%m", "%Y-%m-%d"]), st.booleans())
def test_a_label_cut_off_by_hand_covers_what_it_was_cut_from(column, form, as_dates):
    column = column if column.dt.tz is None else column.dt.tz_convert(None)
    cut = column.dt.strftime(form)
    if as_dates:  # a day written as its midnight
        cut = column.dt.normalize()
    else:
        for text, value in zip(cut, column, strict=True):
            assert parse_label(text, "date").covers(value), (text, value)
    known = pd.DataFrame({"at": column})
    release = pd.DataFrame({"at": cut, "ill": "yes"})
    assert attacks.fitting_rows(release, known, ["at"], "ill").own_fits.all()


@pytest.mark.parametrize(
    ("label", "inside", "outside"),
    [
        ("1999", ["1999-12-31 09:56", "1999-12-31 23:59:59.999999"], ["2000-01-01"]),
        ("1999-12", ["1999-12-31 09:56"], ["1999-11-30 23:59", "2000-01-01"]),
        ("1999-12-31", ["1999-12-31", "1999-12-31 09:56"], ["2000-01-01", "1999-12-30 23:59"]),
        ("1990–1999", ["1990-01-01", "1999-12-31 23:00"], ["1989-12-31 23:00", "2000-01-01"]),
        ("1999-01-01–1999-12-31", ["1999-12-31 09:56"], ["2000-01-01"]),
        ("1999-12-31T00:00:00", ["1999-12-31"], ["1999-12-31 09:56"]),
        ("1999-12-31T08:00:00–1999-12-31T09:56:00", ["1999-12-31 09:56"], ["1999-12-31 09:57"]),
        ("9999", ["9999-12-31 23:59:59"], ["9998-12-31 23:59:59"]),
        ("1999 or (missing)", ["1999-12-31 09:56", None], ["2000-01-01"]),
    ],
)
def test_what_labels_of_dates_cover(label, inside, outside):
    label = parse_label(label, "date")
    assert all(label.covers(v if v is None else pd.Timestamp(v)) for v in inside)
    assert not any(label.covers(pd.Timestamp(v)) for v in outside)


def test_a_midnight_among_times_is_only_itself():
    # as a day it would seem to cover rows of another class, and the risk would look smaller
    day = pd.Timestamp("1999-12-31")
    table = pd.DataFrame({"at": [day, day, day + pd.Timedelta("9h"), day + pd.Timedelta("9h")]})
    release = KAnonymizer(2).fit_transform(table)
    assert release["at"].tolist() == ["1999-12-31T00:00:00"] * 2 + ["1999-12-31T09:00:00"] * 2
    whole = KAnonymizer(2).fit_transform(table[:2])
    assert whole["at"].tolist() == ["1999-12-31"] * 2


@pytest.mark.parametrize("method", ["mondrian", "full_domain"])
def test_the_year_9999_gets_a_label_and_an_impossible_one_a_sentence(method):
    far = np.array(["2024-05-01", "2024-06-01", "9999-12-31", "9999-12-31"], "datetime64[s]")
    release = KAnonymizer(2, method=method).fit_transform(pd.DataFrame({"until": far}))
    for text, value in zip(release["until"], far, strict=True):
        assert parse_label(text, "date").covers(value)
    assert "1816" not in "".join(release["until"])
    odd = pd.DataFrame({"until": np.append(far, np.datetime64("33657-01-01", "s"))})
    with pytest.raises(PrivacyError, match=r"row 4: column 'until'.*the year 33657"):
        KAnonymizer(2, method=method).fit(odd)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=20))
def test_numbers_too_long_for_a_float_are_covered(values):
    table = pd.DataFrame({"id": np.array(values, np.int64)})
    for text, value in zip(KAnonymizer(2).fit_transform(table)["id"], values, strict=True):
        assert parse_label(text, "number").covers(value), (text, value)
