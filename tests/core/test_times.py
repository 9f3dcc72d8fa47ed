"""One reader of dates: what a text means, and when it may not be guessed."""

import datetime as dt
import zoneinfo

import numpy as np
import pandas as pd
import pytest

from ethicalai_lab.core.times import read_moment, read_times
from ethicalai_lab.errors import InputError

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
NEW_YEAR = np.datetime64("2024-12-31T23:00", "us")  # 2025 in Berlin


def days(values, **options):
    return read_times(values, "t", **options).astype("M8[D]").astype(str).tolist()


def refused(values, **options):
    with pytest.raises(InputError) as caught:
        read_times(values, "t", **options)
    return str(caught.value)


# the order of day and month


def test_one_day_above_twelve_tells_the_order_of_the_whole_column():
    assert days(["31.03.2025", "03.04.2025"]) == ["2025-03-31", "2025-04-03"]
    assert days(["03.04.2025", "31.03.2025"]) == ["2025-04-03", "2025-03-31"]
    assert days(["04/13/2025", "03/04/2025"]) == ["2025-04-13", "2025-03-04"]
    assert days(["1-3-2025", "13-1-2025"]) == ["2025-03-01", "2025-01-13"]


def test_a_lone_date_with_two_readings_is_refused_with_both():
    said = refused(["2025-01-01", "03.04.2025"])
    assert said.startswith("row 1: t is '03.04.2025'")
    assert "2025-04-03 if the day comes first" in said
    assert "2025-03-04 if the month does" in said
    assert not refused("03.04.2025").startswith("row")


def test_the_other_sign_tells_nothing_about_this_one():
    assert "2025-04-03" in refused(["03.04.2025", "04/13/2025"])
    assert "2025-04-03" in refused(["03/04/2025", "31.03.2025"])


def test_a_column_of_both_orders_is_refused():
    said = refused(["01.01.2025", "31.03.2025", "04/13/2025"])
    assert "row 1" in said
    assert "row 2" in said
    assert "row 0" in refused(["31.03.2025", "04.13.2025"])


def test_a_day_that_is_its_month_has_one_reading():
    assert days(["03.03.2025", "04/04/2025"]) == ["2025-03-03", "2025-04-04"]


@pytest.mark.parametrize(
    ("order", "day"), [("dmy", "2025-04-03"), ("mdy", "2025-03-04"), (None, None)]
)
def test_a_declared_order_is_followed(order, day):
    if order is None:
        refused("03.04.2025")
    else:
        assert days(["03.04.2025", "2025-01-02"], order=order) == [day, "2025-01-02"]


def test_what_breaks_a_declared_order_is_refused():
    assert "with the day first" in refused(["03.04.2025", "04/13/2025"], order="dmy")
    assert "row 0" in refused(["31.03.2025"], order="mdy")
    assert "the year must come first" in refused(["31.03.2025"], order="ymd")
    assert "dmy, mdy, ymd" in refused(["31.03.2025"], order="ydm")


# texts


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-07-02 10:00:00+02", "2025-07-02T08:00:00"),
        ("2025-01-01 10:00:00+01", "2025-01-01T09:00:00"),
        ("2025-01-01 10:00:00.123456-05:30", "2025-01-01T15:30:00.123456"),
        ("2025-01-01T10:00:00+0100", "2025-01-01T09:00:00"),
        ("2025-01-01T10:00Z", "2025-01-01T10:00:00"),
        ("2025-01-01 10:00:00 +01:00", "2025-01-01T09:00:00"),
        ("2025-01-01 10:00 UTC", "2025-01-01T10:00:00"),
        ("1891-01-01 00:00:00+00:53:28", "1890-12-31T23:06:32"),
        ("20250301", "2025-03-01"),
        ("2025-3-1 9:05", "2025-03-01T09:05"),
        ("2025/03/01", "2025-03-01"),
        (" 2025-03-01 ", "2025-03-01"),
        ("31.03.2025 14:05", "2025-03-31T14:05"),
        ("31. 3. 2025", "2025-03-31"),
        ("12/31/2025, 11:59:59 PM", "2025-12-31T23:59:59"),
        ("12/31/2025 12:30 am", "2025-12-31T00:30"),
        ("3 March 2025", "2025-03-03"),
        ("03-Mar-2025", "2025-03-03"),
        ("Mar 3, 2025", "2025-03-03"),
        ("Mon, 03 Mar 2025 10:00:00 +0100", "2025-03-03T09:00"),
        ("2025-01-01 10:00:00.123456789", "2025-01-01T10:00:00.123456"),
        ("9999-12-31", "9999-12-31"),
        ("2025-03-31T24:00:00", "2025-04-01"),
        ("31.03.2025 24:00", "2025-04-01"),
    ],
)
def test_a_plain_text_is_read(text, moment):
    assert read_times(text, "t").tolist() == [np.datetime64(moment, "us").item()]


@pytest.mark.parametrize(
    "text",
    [
        "soon", "now", "today", "NaT", "2025", "2025-03", "10:00", "2025-02-30", "30.02.2025",
        "13.13.2025", "2025-01-01 25:00", "2025-01-01T24:01", "2025-01-01 24:00:00.5", "31.03.2025 14:05 Uhr", "31.03.2025 13:00 pm", "infinity",
        "31.03.2025 10:00 +99", "00.04.2025", "0.0.2025", "31.04.2025", "10:00 31.03.2025", "31.03-2025", "0", "1740787200", "3 Foo 2025", "\u0661.\u0661.2025",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(text):
    said = refused(["2025-01-01", text])
    assert said.startswith("row 1: t is ")
    assert repr(text) in said


@pytest.mark.parametrize("text", ["31.03.25", "3/4/25", "25-03-04", "03.04.25 10:00"])
def test_a_year_of_two_digits_is_refused(text):
    assert "year of two digits" in refused(text)


@pytest.mark.parametrize(
    ("value", "year"),
    [
        ("33657-01-01", 33657),
        ("01.01.33657", 33657),
        ("0001-01-01", 1),
        ("0025-03-04", 25),
        (dt.date(25, 3, 4), 25),
        (np.datetime64("33657-01-01", "s"), 33657),
        (np.datetime64(10**18, "s"), 31688740476),
    ],
)
def test_a_year_out_of_range_is_named(value, year):
    for given in ([value], pd.Series([value], dtype=object)):
        assert f"in the year {year}; years from 1000 to 9999" in refused(given)


def test_a_very_long_text_is_shortened():
    assert len(refused(["x" * 10_000])) < 200


def test_a_row_is_named_as_the_caller_wants():
    said = refused(["2025-01-01", "soon"], where=lambda row: f"line {row + 2}")
    assert said.startswith("line 3: t is 'soon'")


# datetimes, dates, gaps


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns"])
def test_every_unit_of_datetime64(unit):
    given = np.array(["2025-03-06", "NaT"], dtype=f"M8[{unit}]")
    read = read_times(given, "t", missing=True)
    assert read.dtype == np.dtype("M8[us]")
    assert read[0] == given[0]
    assert np.isnat(read[1])


def test_the_last_day_of_all_does_not_overflow():
    far = np.array(["9999-12-31", "2025-01-01"], dtype="M8[s]")
    for given in (far, pd.Series(far), pd.DatetimeIndex(far), far.tolist(), list(far)):
        assert days(given) == ["9999-12-31", "2025-01-01"]
    assert "in the year 33657" in refused(np.array(["33657-01-01"], dtype="M8[D]"))
    assert "in the year 33657" in refused(pd.Series(np.array(["33657-01-01"], dtype="M8[D]")))


def test_zones_become_utc():
    aware = pd.Series(pd.DatetimeIndex(["2025-01-01"]).tz_localize("Europe/Berlin"))
    mixed = [
        pd.Timestamp("2025-01-01", tz="Europe/Berlin"),
        dt.datetime(2025, 1, 1, tzinfo=BERLIN),
        dt.datetime(2024, 12, 31, 18, tzinfo=dt.timezone(dt.timedelta(hours=-5))),
        dt.datetime(2024, 12, 31, 23),
        "2025-01-01 00:00+01",
    ]
    for given in (aware, pd.DatetimeIndex(aware), aware.astype(object), mixed, pd.Series(mixed)):
        assert set(read_times(given, "t").tolist()) == {NEW_YEAR.item()}


@pytest.mark.parametrize(
    "dtype",
    [
        "timestamp[us][pyarrow]", "timestamp[s, tz=Europe/Berlin][pyarrow]", "string",
        "date32[day][pyarrow]", "string[pyarrow]", "large_string[pyarrow]", "category", object,
    ],
)  # fmt: skip
def test_every_kind_of_column(dtype):
    given = pd.Series(pd.to_datetime(["2025-03-31", None, "2025-04-03"])).astype(dtype)
    read = read_times(given, "t", missing=True)
    gap = np.isnat(read)
    assert gap.tolist() == [False, True, False]
    zone = "Europe/Berlin" if "tz=" in str(dtype) else "UTC"
    local = pd.DatetimeIndex(read[~gap]).tz_localize("UTC").tz_convert(zone)
    utc = pd.DatetimeIndex(["2025-03-31", "2025-04-03"]).tz_localize("UTC")
    assert (local == utc).all()
    assert "row 1" in refused(given)


def test_a_category_that_nobody_has_tells_nothing():
    given = pd.Series(pd.Categorical(["03.04.2025"], categories=["03.04.2025", "31.03.2025"]))
    assert "2025-04-03" in refused(given)


def test_objects_of_many_kinds_in_one_column():
    given = [dt.date(2025, 1, 1), dt.datetime(2025, 1, 1), pd.Timestamp("2025-01-01"), "2025-01-01",
             np.datetime64("2025-01-01")]  # fmt: skip
    assert days(given) == ["2025-01-01"] * 5
    assert days(pd.Series(given, dtype=object)) == ["2025-01-01"] * 5


@pytest.mark.parametrize(
    "gap", [None, float("nan"), pd.NaT, pd.NA, "", "  ", np.datetime64("NaT", "us")]
)
def test_gaps_are_refused_or_nat(gap):
    assert "row 1" in refused(["2025-01-01", gap])
    assert days(["31.03.2025", gap, "03.04.2025"], missing=True) == [
        "2025-03-31", "NaT", "2025-04-03",
    ]  # fmt: skip
    assert days(gap, missing=True) == ["NaT"]


def test_empty_columns_and_columns_of_gaps():
    for empty in ([], np.array([]), pd.Series([], dtype=float), pd.Series([], dtype="M8[ns]")):
        assert read_times(empty, "t").shape == (0,)
        assert read_times(empty, "t").dtype == np.dtype("M8[us]")
    assert days(pd.Series([np.nan, np.nan]), missing=True) == ["NaT", "NaT"]
    assert "row 0" in refused(pd.Series([np.nan, np.nan]))


@pytest.mark.parametrize("number", [20250301, 1.5, True, np.int64(3), dt.timedelta(1), dt.time(3)])
def test_numbers_and_lengths_are_no_times(number):
    for given in (number, [number], ["2025-01-01", number], pd.Series([number])):
        assert "2025-03-01 12:30" in refused(given)


def test_a_table_is_no_column():
    assert "one column" in refused(pd.DataFrame({"a": ["2025-01-01"]}))


def test_the_kind_of_error_is_the_caller_s():
    with pytest.raises(ZeroDivisionError):
        read_times(["x"], "t", error=ZeroDivisionError)


def test_a_random_column_reads_as_it_was_written():
    rng = np.random.default_rng(5)
    moments = np.datetime64("1000-01-01T00:00:00", "s") + rng.integers(0, 2 * 10**11, 400)
    plain = [m.item() for m in moments]
    for form in ("%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%d %B %Y %H:%M:%S"):
        assert read_times([m.strftime(form) for m in plain], "t").tolist() == plain
    for text in (str, dt.datetime.isoformat):
        assert read_times([text(m) for m in plain], "t").tolist() == plain


def test_one_moment():
    berlin = dt.datetime(2025, 1, 1, tzinfo=BERLIN)
    for given in (berlin, np.datetime64("2024-12-31T23:00"), "2024-12-31 23:00"):
        assert read_moment(given, "as_of") == pd.Timestamp(NEW_YEAR)
    for wrong in (None, pd.NaT, ["2025-01-01", "2025-01-02"], "03.04.2025", 3):
        with pytest.raises(InputError, match="as_of"):
            read_moment(wrong, "as_of")
