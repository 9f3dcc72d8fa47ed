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
_YEAR = np.timedelta64(365 * 86_400 * 10**6, "us")


@dataclass(frozen=True, eq=False)
class Dates:
    """A table's dates: the last plausible one, and how old each row is then.

    Attributes
    ----------
    now : Timestamp or NaT
        The last date that is not odd.
    days : ndarray of float
        Age of each row in days; nan where there is no date, or an odd one after `now`.
    said : tuple of str
        One sentence for odd dates after the others, one for odd ones before.
    """

    now: pd.Timestamp
    days: NDArray[np.float64]
    said: tuple[str, ...]


def plausible(column: pd.Series, name: str, place: Callable[[int], str] | None = None) -> Dates:
    """Tell the dates that stand far from all others, such as 2052 among those of one year.

    A date is odd where at most one row in a hundred (or a single row) lies apart from the
    rest by a year and by more than the rest spans.

    Parameters
    ----------
    column : Series of datetime64
    name : str
        The column, for messages.
    place : callable of int to str, optional
        Where a row, counted from 0, stands in its file.

    Returns
    -------
    Dates

    Examples
    --------
    >>> days = pd.date_range("2025-01-01", periods=30).to_series()
    >>> found = plausible(pd.concat([days, pd.Series([pd.Timestamp("2052-03-01")])]), "day")
    >>> found.now
    Timestamp('2025-01-30 00:00:00')
    >>> found.said[0].partition(";")[0]
    'column "day": 1 date lies far after all others (2052-03-01, row 31)'
    """
    if getattr(column.dtype, "tz", None) is not None:
        column = column.dt.tz_convert(None)
    times = column.to_numpy().astype("datetime64[us]")
    known = np.sort(times[~np.isnat(times)])
    if not known.size:
        return Dates(pd.NaT, np.full(times.size, np.nan), ())
    first, last = _within(known)
    said = [
        _sentence(times, odd, name, where, edge, place or (lambda row: f"row {row + 1}"))
        for odd, where, edge in ((times > last, "after", last), (times < first, "before", first))
        if odd.any()
    ]
    age = (last - times) / np.timedelta64(86_400 * 10**6, "us")
    days = np.where(np.isnat(times) | (times > last), np.nan, age.astype(float))
    return Dates(pd.Timestamp(last), days, tuple(said))


def _sentence(
    times: NDArray[np.datetime64],
    odd: NDArray[np.bool_],
    name: str,
    where: str,
    edge: np.datetime64,
    place: Callable[[int], str],
) -> str:
    row, count = int(odd.argmax()), int(odd.sum())
    shown, day = (np.datetime_as_string(each, unit="D") for each in (times[row], edge))
    text = f"{count:,} dates lie" if count > 1 else "1 date lies"
    text = f'column "{name}": {text} far {where} all others ({shown}, {place(row)}); '
    if where == "after":
        return text + f"taken as unknown, and {day} as the last day of this table."
    return text + f"the others begin on {day}."


def _within(known: NDArray[np.datetime64]) -> tuple[np.datetime64, np.datetime64]:
    """Return the first and last of sorted dates that do not stand far from the others."""
    low, high = 0, known.size - 1
    if known.size < _FEWEST:
        return known[low], known[high]
    most = max(1, int(known.size * _ODD_SHARE))
    core = known[most : known.size - most]
    far = max(core[-1] - core[0], _YEAR)
    for step in range(most, 0, -1):
        if known[step] - known[step - 1] > far:
            low = step
            break
    for step in range(most, 0, -1):
        if known[-step] - known[-step - 1] > far:
            high = known.size - 1 - step
            break
    return known[low], known[high]
