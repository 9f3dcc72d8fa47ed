"""Which day it is for a table, and which of its dates cannot be so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["Dates", "plausible"]

_ODD_SHARE = 0.01  # of the rows that have a date; one row at least
_FEWEST = 20  # dates from which one that stands alone can be told from the others
_DAY = np.timedelta64(86_400 * 10**6, "us")
_YEAR = 365 * _DAY
_ENDLESS = np.datetime64("9999-01-01", "us")
# what systems write where there is no date: time 0 of Unix, Excel, SQL Server and others
_DEFAULTS = np.array(
    ["1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1970-01-01"], dtype="datetime64[D]"
)


@dataclass(frozen=True, eq=False)
class Dates:
    """A table's dates: the last plausible one, and how old each row is then.

    Attributes
    ----------
    now : Timestamp or NaT
        The last date that is neither odd nor after today.
    days : ndarray of float
        Age of each row in days; nan where there is no date, or one after `now`.
    said : tuple of str
        One sentence for each kind of date that is not taken as it is written, or that lies
        far before all others.
    """

    now: pd.Timestamp
    days: NDArray[np.float64]
    said: tuple[str, ...]


def plausible(
    column: pd.Series,
    name: str,
    place: Callable[[int], str] | None = None,
    today: pd.Timestamp | None = None,
) -> Dates:
    """Tell a table's last day from dates that cannot be so, such as 2052 among those of one year.

    A date in the year 9999 stands for no date. Dates after today are taken as unknown,
    however many they are, unless all are, as in a table that was simulated. Of the others a
    date is odd where at most one row in a hundred (or a single row) lies apart from the rest
    by a year and by more than the rest spans.

    Parameters
    ----------
    column : Series of datetime64
    name : str
        The column, for messages.
    place : callable of int to str, optional
        Where a row, counted from 0, stands in its file.
    today : Timestamp, optional
        In UTC; the clock's if left out. One day more is let pass, for other time zones.

    Returns
    -------
    Dates

    Examples
    --------
    >>> days = pd.date_range("2025-01-01", periods=30).to_series()
    >>> typed = pd.concat([days, pd.Series([pd.Timestamp("2052-03-01")])])
    >>> found = plausible(typed, "day", today=pd.Timestamp("2025-02-01"))
    >>> found.now
    Timestamp('2025-01-30 00:00:00')
    >>> found.said[0].partition(";")[0]
    'column "day": 1 date lies after today (2052-03-01, row 31)'
    """
    if getattr(column.dtype, "tz", None) is not None:
        column = column.dt.tz_convert(None)
    if today is None:
        today = pd.Timestamp.now("UTC").tz_localize(None)
    times = column.to_numpy().astype("datetime64[us]")
    told = _Told(times, name, place or (lambda row: f"row {row + 1}"))
    endless = times >= _ENDLESS
    told.add(endless, "is", "are", "in the year 9999, which stands for no date; taken as unknown.")
    known = ~np.isnat(times) & ~endless
    if not known.any():
        return Dates(pd.NaT, np.full(times.size, np.nan), tuple(told.said))
    late = known & (times > np.datetime64(today, "us") + _DAY)
    simulated = bool(late[known].all())
    usual = known if simulated else known & ~late
    first, last = _within(np.sort(times[usual]))
    day = np.datetime_as_string(last, unit="D")
    ends = f"and {day} as the last day of this table."
    if simulated:
        told.add(late, "lies", "lie", f"after today, as all do; taken as they are, {ends}")
    else:
        told.add(late, "lies", "lie", f"after today; taken as unknown, {ends}")
    odd = usual & (times > last)
    told.add(odd, "lies", "lie", f"far after all others; taken as unknown, {ends}")
    begins = np.datetime_as_string(first, unit="D")
    told.add(
        usual & (times < first),
        "lies",
        "lie",
        f"far before all others; the others begin on {begins}.",
    )
    age = (last - times) / _DAY
    days = np.where(known & (times <= last), age.astype(float), np.nan)
    return Dates(pd.Timestamp(last), days, tuple(told.said))


class _Told:
    """Sentences about the dates of a column, each with their number and the first of them."""

    def __init__(
        self, times: NDArray[np.datetime64], name: str, place: Callable[[int], str]
    ) -> None:
        self.times, self.name, self.place = times, name, place
        self.said: list[str] = []

    def add(self, rows: NDArray[np.bool_], one: str, several: str, what: str) -> None:
        count = int(rows.sum())
        if not count:
            return
        row = int(rows.argmax())
        shown = np.datetime_as_string(self.times[row], unit="D")
        dates = f"{count:,} dates {several}" if count > 1 else f"1 date {one}"
        where, sign, rest = what.partition(";")
        first = "first " if count > 1 else ""
        self.said.append(
            f'column "{self.name}": {dates} {where} ({first}{shown}, {self.place(row)}){sign}{rest}'
        )


def _within(known: NDArray[np.datetime64]) -> tuple[np.datetime64, np.datetime64]:
    """Return the first and last of sorted dates that do not stand far from the others."""
    # a system's time 0 far from all others is odd however often it is there
    real = known[~np.isin(known.astype("datetime64[D]"), _DEFAULTS)]
    if real.size < _FEWEST:
        real = known
    if real.size < _FEWEST:
        return known[0], known[-1]
    low, high = 0, real.size - 1
    most = max(1, int(real.size * _ODD_SHARE))
    core = real[most : real.size - most]
    far = max(core[-1] - core[0], _YEAR)
    for step in range(most, 0, -1):
        if real[step] - real[step - 1] > far:
            low = step
            break
    for step in range(most, 0, -1):
        if real[-step] - real[-step - 1] > far:
            high = real.size - 1 - step
            break
    first, last = real[low], real[high]
    before, after = known[known < real[0]], known[known > real[-1]]
    if before.size and not low and first - before[-1] <= far:
        first = before[0]
    if after.size and high == real.size - 1 and after[0] - last <= far:
        last = after[-1]
    return first, last
