"""One reader of dates and times, so that every room means the same moment by the same text.

A text such as ``03.04.2025`` has two readings. It is read only if the column itself tells
which (``31.03.2025`` beside it does), or if the order is declared; otherwise it is refused.

References
----------
ISO 8601-1:2019; PostgreSQL manual, 8.5 "Date/Time Types" (output).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from ethicalai_lab.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FIRST_YEAR", "LAST_YEAR", "read_moment", "read_times"]

Order = Literal["dmy", "mdy", "ymd"]
FIRST_YEAR, LAST_YEAR = 1000, 9999
_FIRST = {"dmy": "day", "mdy": "month", "ymd": "year"}
_ACCEPTED = "; a time such as 2025-03-01 12:30 is accepted"
_GAP = np.iinfo(np.int64).min  # NaT
_DAY_ZERO = dt.date(1970, 1, 1).toordinal()
_MICROS_A_DAY = 86_400_000_000
_COARSE = {"Y", "M", "W", "D", "h", "m", "s", "ms", "us"}  # units that reach beyond year 9999

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<word>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? )?"
_CLOCK = re.compile(
    r"(?P<h>[0-9]{1,2}):(?P<min>[0-9]{2})"
    r"(?::(?P<s>[0-9]{2})(?:[.,](?P<f>[0-9]+))?)?(?:\s?(?P<half>[ap])\.?m\.?)?"
    r"(?:\s*(?:z|utc|gmt|(?P<zone>[+-][0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2})?)?)))?",
    re.IGNORECASE,
)
_BEFORE_CLOCK = re.compile(r"(?:[tT]|[\s,]+)(?=[0-9]{1,2}:)")
_SHAPES = [
    re.compile(date, re.IGNORECASE)
    for date in (
        r"(?P<y>[0-9]{4,6})(?P<sign>[-./])(?P<mon>[0-9]{1,2})(?P=sign)(?P<d>[0-9]{1,2})",
        r"(?P<a>[0-9]{1,2})(?P<sign>[-/]|\. ?)(?P<b>[0-9]{1,2})(?P=sign)(?P<y>[0-9]{4,6})",
        rf"{_WEEKDAY}(?P<d>[0-9]{{1,2}})(?:[- ]|\. ?){_MONTH}[- ](?P<y>[0-9]{{4,6}})",
        rf"{_WEEKDAY}{_MONTH} (?P<d>[0-9]{{1,2}}),? (?P<y>[0-9]{{4,6}})",
    )
]
_SHORT_YEAR = re.compile(r"[0-9]{1,2}([-./])[0-9]{1,2}\1[0-9]{2}(?![0-9])")


def read_times(
    values: Any,
    name: str,
    *,
    order: Order | None = None,
    missing: bool = False,
    where: Callable[[int], str] = "row {}".format,
    error: type[ValueError] = InputError,
) -> NDArray[np.datetime64]:
    """Return a column of dates or times as moments in UTC.

    Parameters
    ----------
    values : array-like or one value
        Datetimes of any unit, with or without zone; dates; texts of ISO 8601, as PostgreSQL
        writes them (``2025-01-01 10:00:00+01``), with an English month, or in digits
        whose order is plain. A time without a zone counts as UTC.
    name : str
        What to call the column in a message.
    order : {"dmy", "mdy", "ymd"}, optional
        The order of day, month and year where the year does not come first. Left out, the
        column must tell: a day above 12 tells it for all dates written with the same sign.
    missing : bool, default False
        Whether gaps and blank texts become NaT; otherwise they are refused.
    where : callable, optional
        How a message names a row, counted from 0; for a file, its line.
    error : type of ValueError, default InputError

    Returns
    -------
    ndarray of datetime64[us]
        Without zone, in UTC; one value gives an array of one.

    Raises
    ------
    error
        If a value is no time, has two readings, a year of two digits, or a year before 1000
        or after 9999; or if there are numbers.

    Examples
    --------
    >>> read_times(["31.03.2025", "03.04.2025", "2025-01-01 10:00:00+01"], "sent").tolist()[1:]
    [datetime.datetime(2025, 4, 3, 0, 0), datetime.datetime(2025, 1, 1, 9, 0)]
    >>> read_times("03.04.2025", "sent")
    Traceback (most recent call last):
    ...
    ethicalai_lab.errors.InputError: sent is '03.04.2025': 2025-04-03 if the day comes first, \
2025-03-04 if the month does; write the year first, or declare the order.
    """
    if order not in (None, *_FIRST):
        raise error(f"order is {order!r}; accepted are {', '.join(_FIRST)}.")
    single = isinstance(values, str) or np.ndim(values) == 0
    reader = _Reader(name, order, missing, None if single else where, error)
    if single:
        return reader.objects([values])
    if np.ndim(values) != 1:
        raise error(f"{name} must be one column of times, one a row.")
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return reader.stamps(values)
    if isinstance(values, list | tuple):
        return reader.objects(values)
    return reader.column(values)


def read_moment(value: Any, name: str, *, error: type[ValueError] = InputError) -> pd.Timestamp:
    """Return one date or time as a moment in UTC.

    Parameters
    ----------
    value : date, time or text
        As in :func:`read_times`.
    name : str
        What to call it in a message.
    error : type of ValueError, default InputError

    Returns
    -------
    Timestamp
        Without zone, in UTC.

    Raises
    ------
    error
        If it is no time, several, or has two readings.

    Examples
    --------
    >>> read_moment("2025-01-01 10:00+01", "as_of")
    Timestamp('2025-01-01 09:00:00')
    """
    import pandas as pd

    if not isinstance(value, str) and np.ndim(value) != 0:
        raise error(f"{name} must be one time; it holds {len(value)}.")
    return pd.Timestamp(read_times(value, name, error=error)[0])


class _Date(NamedTuple):
    """A date in digits: year first, or two numbers whose order is not said."""

    year: int
    month: int
    day: int
    sign: str  # of a date that ends with the year, so that month and day may be the reverse
    row: int  # where it first stands

    @property
    def order(self) -> Order | None:
        """The order that the date itself tells; month and day are as in month-day-year."""
        if not self.sign or self.day > 12 or self.month == self.day:
            return "mdy"
        return "dmy" if self.month > 12 else None

    def count(self, order: Order | None) -> int | None:
        """Return the day's number, or None for what is no day of the calendar."""
        month, day = (self.day, self.month) if order == "dmy" else (self.month, self.day)
        try:
            return dt.date(self.year, month, day).toordinal()
        except ValueError:
            return None


class _Reader:
    """What one call asked for, and the words of its refusals."""

    def __init__(
        self,
        name: str,
        order: Order | None,
        missing: bool,
        where: Callable[[int], str] | None,
        error: type[ValueError],
    ) -> None:
        self.name, self.order, self.missing = name, order, missing
        self.where, self.error = where, error

    def refuse(self, row: int, value: Any, why: str) -> NoReturn:
        place = f"{self.where(row)}: " if self.where else ""
        shown = repr(value)
        shown = f"{shown[:60]}..." if len(shown) > 63 else shown
        raise self.error(f"{place}{self.name} is {shown}{why}.")

    def column(self, values: Any) -> NDArray[np.datetime64]:
        """Read a pandas column, or what pandas can make one."""
        import pandas as pd

        column = values if isinstance(values, pd.Series) else pd.Series(values)
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.astype(column.cat.categories.dtype)
        dtype = column.dtype
        if isinstance(dtype, pd.DatetimeTZDtype):
            return self.stamps(column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
        if isinstance(dtype, np.dtype) and dtype.kind == "M":
            return self.stamps(column.to_numpy())
        if pd.api.types.is_numeric_dtype(dtype) and column.notna().any():
            raise self.error(
                f"{self.name} holds numbers; times such as 2025-03-01 12:30 are accepted."
            )
        values = column.to_numpy(dtype=object)
        if pd.api.types.infer_dtype(values, skipna=True) == "datetime":
            # a million Timestamps: what pandas holds is not looked at one by one
            with contextlib.suppress(pd.errors.OutOfBoundsDatetime):
                return self.column(pd.to_datetime(values, utc=True))
        return self.objects(values)

    def stamps(self, stamps: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
        """Bring datetime64 of any unit to microseconds; nothing may overflow on the way."""
        gaps = np.isnat(stamps)
        if gaps.any() and not self.missing:
            row = int(gaps.argmax())
            self.refuse(row, stamps[row], _ACCEPTED)
        if np.datetime_data(stamps.dtype)[0] in _COARSE:
            first, end = (
                np.datetime64(str(year), "Y").astype(stamps.dtype)
                for year in (FIRST_YEAR, LAST_YEAR + 1)
            )
            odd = ~gaps & ((stamps < first) | (stamps >= end))
            if odd.any():
                row = int(odd.argmax())
                year = int(stamps[row].astype("M8[Y]").astype(np.int64)) + 1970
                self.check_year(row, str(stamps[row]), year)
        return stamps.astype("M8[us]")

    def objects(self, values: Sequence[Any]) -> NDArray[np.datetime64]:
        """Read single values: datetimes, dates, texts, gaps."""
        times = np.full(len(values), _GAP, dtype=np.int64)
        texts: dict[int, str] = {}
        for row, value in enumerate(values):
            if isinstance(value, str):
                try:
                    moment = dt.datetime.fromisoformat(value)
                except ValueError:
                    texts[row] = value.strip()
                    continue
                times[row] = self.micros(row, value, moment)
            elif isinstance(value, dt.datetime) and value == value:  # NaT is none
                times[row] = self.micros(row, value, value)
            else:
                times[row] = self.other(row, value)
        self.fill(times, texts)
        return times.view("M8[us]")

    def fill(self, times: NDArray[np.int64], texts: dict[int, str]) -> None:
        """Read texts that are not plain ISO 8601; each date and time of day is read once."""
        dates: dict[str, _Date] = {}
        clocks: dict[str, int] = {"": 0}
        rows: list[tuple[int, str, str]] = []
        for row, text in texts.items():
            if not text and self.missing:
                continue
            at = _BEFORE_CLOCK.search(text)
            date, clock = (text[: at.start()], text[at.end() :]) if at else (text, "")
            if date not in dates:
                dates[date] = self.date(row, text, date)
            if clock not in clocks:
                clocks[clock] = self.clock(row, text, clock)
            rows.append((row, date, clock))
        orders = self.orders(dates, texts)
        days = {
            date: (self.day(texts[part.row], part, orders) - _DAY_ZERO) * _MICROS_A_DAY
            for date, part in dates.items()
        }
        for row, date, clock in rows:
            times[row] = days[date] + clocks[clock]

    def other(self, row: int, value: Any) -> int:
        """Read what is neither text nor datetime."""
        import pandas as pd

        if isinstance(value, dt.date) and value is not pd.NaT:
            return self.micros(row, value, dt.datetime(value.year, value.month, value.day))
        if isinstance(value, np.datetime64) and not np.isnat(value):
            year = int(value.astype("M8[Y]").astype(np.int64)) + 1970
            self.check_year(row, str(value), year)
            return int(value.astype("M8[us]").astype(np.int64))
        if np.ndim(value) == 0 and pd.isna(value) is True and self.missing:
            return _GAP
        self.refuse(row, value, _ACCEPTED)

    def date(self, row: int, text: str, date: str) -> _Date:
        """Take a date apart."""
        for shape in _SHAPES:
            if found := shape.fullmatch(date):
                break
        else:
            if _SHORT_YEAR.match(date):
                self.refuse(row, text, ", with a year of two digits; write all four")
            self.refuse(row, text, _ACCEPTED)
        got = found.groupdict()
        year = int(got["y"])
        self.check_year(row, text, year)
        if got.get("a"):
            return _Date(year, int(got["a"]), int(got["b"]), got["sign"].strip(), row)
        word = got.get("word")
        month = _MONTHS.index(word[:3].lower()) + 1 if word else int(got["mon"])
        return _Date(year, month, int(got["d"]), "", row)

    def clock(self, row: int, text: str, clock: str) -> int:
        """Return the microseconds of a time of day in UTC."""
        found = _CLOCK.fullmatch(clock)
        if found is None:
            self.refuse(row, text, _ACCEPTED)
        hour, minute, second = (int(found[key] or 0) for key in ("h", "min", "s"))
        if half := found["half"]:
            hour = hour % 12 + 12 * (half.lower() == "p") if 1 <= hour <= 12 else 99
        # 24:00 is the day's end; from Python 3.14 on fromisoformat reads it, too
        ends = hour == 24 and not (minute or second or (found["f"] or "").strip("0"))
        zone = (found["zone"] or "").replace(":", "").ljust(7, "0")
        ahead = int(zone[1:3]) * 3600 + int(zone[3:5]) * 60 + int(zone[5:])
        if (hour > 23 and not ends) or minute > 59 or second > 59 or ahead >= 86_400:
            self.refuse(row, text, ", which no clock shows")
        seconds = hour * 3600 + minute * 60 + second + (ahead if zone[0] == "-" else -ahead)
        return seconds * 1_000_000 + int((found["f"] or "").ljust(6, "0")[:6])

    def orders(self, dates: dict[str, _Date], texts: dict[int, str]) -> dict[str, Order]:
        """Return for each sign the order that the column's own dates tell."""
        if self.order:
            return dict.fromkeys("-/.", self.order)
        orders: dict[str, Order] = {}
        tells: dict[Order, int] = {}
        for part in dates.values():
            if part.sign and max(part.month, part.day) > 12:
                orders.setdefault(part.sign, part.order)
                tells.setdefault(part.order, part.row)
        if len(tells) == 2:
            day, month = tells["dmy"], tells["mdy"]
            self.refuse(
                day,
                texts[day],
                f" with the day first, but {self.where(month)} is "
                f"{texts[month]!r} with the month first; write the year first",
            )
        return orders

    def day(self, text: str, part: _Date, orders: dict[str, Order]) -> int:
        """Return a date's number in the order told, or refuse."""
        order = orders.get(part.sign, part.order) if part.sign else "mdy"
        if order == "ymd":
            self.refuse(part.row, text, "; the year must come first, as declared")
        if order is None:
            day, month = (part.count(order) for order in ("dmy", "mdy"))
            if day and month:
                day, month = (dt.date.fromordinal(count) for count in (day, month))
                self.refuse(
                    part.row,
                    text,
                    f": {day} if the day comes first, {month} if the month does; write the "
                    "year first, or declare the order",
                )
        count = part.count(order)
        if count is None:
            first = f" with the {_FIRST[order]} first" if part.sign and order else ""
            self.refuse(part.row, text, f", which is no day of the calendar{first}")
        return count

    def check_year(self, row: int, value: Any, year: int) -> None:
        if not FIRST_YEAR <= year <= LAST_YEAR:
            self.refuse(
                row,
                value,
                f", in the year {year}; years from {FIRST_YEAR} to {LAST_YEAR} are accepted",
            )

    def micros(self, row: int, value: Any, moment: dt.datetime) -> int:
        """Return microseconds since 1970 in UTC."""
        self.check_year(row, value, moment.year)
        count = (moment.toordinal() - _DAY_ZERO) * 24 + moment.hour
        count = (count * 60 + moment.minute) * 60 + moment.second
        count = count * 1_000_000 + moment.microsecond
        ahead = moment.utcoffset()
        if ahead:
            count -= (ahead.days * 86_400 + ahead.seconds) * 1_000_000 + ahead.microseconds
        return count
