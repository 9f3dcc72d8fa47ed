"""The words of a release, and how to read them back.

========================  ==================================================
label                     covers
========================  ==================================================
``30``                    the value itself
``30–39``                 numbers from 30 to 39, both included (en dash)
``30–<40``                numbers from 30 on and below 40
``1980-01-01–1984-12-31`` dates, both included; ``1980`` and ``1980-05`` too.
                          A day, month or year is covered to its last moment; a
                          moment such as ``1980-05-01T00:00:00`` is only itself
``521**``                 texts that begin with 521 and are five long
``{nurse, clerk}``        one of the values listed
``adams…baker``           texts from adams to baker in sorted order
``(missing)``             no value
``30–39 or (missing)``    either
``*``                     anything
========================  ==================================================
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.core.times import FIRST_YEAR, read_times
from ethicalai_lab.privacy.errors import PrivacyError, check_columns, check_table

__all__ = ["ANY", "MISSING", "Label", "parse_label", "parse_release"]

ANY = "*"
MISSING = "(missing)"
DASH = "–"
DOTS = "…"
_OR_MISSING = f" or {MISSING}"
_NUMBER = re.compile(r"-?(?:\d+\.?\d*(?:e[+-]?\d+)?|inf)$")
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(T[\d:.]+)?)?)?$")
_KINDS = ("auto", "number", "date", "text")


@dataclass(frozen=True)
class Label:
    """What one label of a release covers.

    ``low`` and ``high`` bound numbers and dates (``high_open``: high itself is not
    covered; ``whole_day``: the day that begins with high is covered to its end),
    ``values`` lists texts, ``prefix`` with ``length`` describes a masked text.
    """

    text: str
    kind: str
    low: Any = None
    high: Any = None
    high_open: bool = False
    whole_day: bool = False
    values: frozenset | None = None
    prefix: str | None = None
    length: int | None = None
    missing: bool = False

    def covers(self, value: Any) -> bool:
        """Whether a value of the original table falls under the label."""
        if self.kind == "any":
            return True
        if value is None or value is pd.NA or value is pd.NaT or value != value:
            return self.missing
        if self.kind == "missing":
            return False
        if self.values is not None:
            return str(value) in self.values
        if self.prefix is not None:
            return len(str(value)) == self.length and str(value).startswith(self.prefix)
        if self.kind == "text":
            value = str(value)
        elif self.kind == "date":
            value = moments(value)[0]
            low, stop = self.span
            return bool(low <= value < stop)
        return self.low <= value and (value < self.high if self.high_open else value <= self.high)

    @property
    def span(self) -> tuple[np.datetime64, np.datetime64]:
        """First moment of a label of dates, and the first after it, in microseconds."""
        low, high = (np.datetime64(end, "us") for end in (self.low, self.high))
        return low, high + (np.timedelta64(1, "D") if self.whole_day else np.timedelta64(1, "us"))


def moments(column: Any, missing: bool = False) -> np.ndarray:
    """Return dates as the room reckons with them: UTC in microseconds, the finer cut off.

    Raises
    ------
    PrivacyError
        If a date is outside the years 1000 to 9999.
    """
    if not isinstance(column, pd.Series):
        return read_times(column, "the date", missing=missing, error=PrivacyError)
    return read_times(
        column,
        f"column {column.name!r}",
        missing=missing,
        where=lambda row: f"row {column.index[[row]].tolist()[0]!r}",
        error=PrivacyError,
    )


def timed(values: np.ndarray) -> bool:
    """Whether some of the moments are no midnight: then a bare day would say too much."""
    known = values[~np.isnat(values)]
    return bool((known != known.astype("datetime64[D]")).any())


def number_text(value: float) -> str:
    """Shortest text of a number that reads back as the same number."""
    if isinstance(value, (int, np.integer)):
        return str(int(value))  # exact, also past 2**53
    value = float(value)
    if math.isfinite(value) and value == int(value) and abs(value) < 1e16:
        return str(int(value))
    return repr(value)


def date_text(value: Any, with_time: bool = False) -> str:
    """ISO text of a moment; of its day alone if it is midnight and no time is asked for."""
    stamp = pd.Timestamp(moments(value)[0])
    text = stamp.isoformat()
    return text if with_time or stamp != stamp.normalize() else text[:10]


def range_text(low: str, high: str) -> str:
    """Label of a closed range of numbers or dates."""
    return low if low == high else f"{low}{DASH}{high}"


def _escape(value: str) -> str:
    return re.sub(r"([\\,{}])", r"\\\1", value)


def value_text(value: Any) -> str:
    """Label of one text; put in braces where it could be mistaken for another label."""
    text = str(value)
    label = None if text == "" else _parse_text(text)
    if label is not None and label.values == frozenset([text]) and not label.missing:
        return text
    return "{" + _escape(text) + "}"


def set_text(values: list) -> str:
    """Label of several texts."""
    if len(values) == 1:
        return value_text(values[0])
    return "{" + ", ".join(_escape(str(v)) for v in values) + "}"


def with_missing(label: str) -> str:
    """Let the label cover missing values as well."""
    return label + _OR_MISSING


def _split_set(inner: str) -> frozenset:
    parts, now, i = [], "", 0
    while i < len(inner):
        if inner[i] == "\\" and i + 1 < len(inner):
            now += inner[i + 1]
            i += 2
        elif inner.startswith(", ", i):
            parts.append(now)
            now = ""
            i += 2
        else:
            now += inner[i]
            i += 1
    return frozenset([*parts, now])


def _parse_text(text: str) -> Label:
    if text == ANY:
        return Label(text, "any", missing=True)
    if text == MISSING:
        return Label(text, "missing", missing=True)
    if text.startswith("{") and text.endswith("}") and len(text) > 1:
        return Label(text, "text", values=_split_set(text[1:-1]))
    if text.endswith(_OR_MISSING):
        inner = _parse_text(text[: -len(_OR_MISSING)])
        return Label(**{**inner.__dict__, "text": text, "missing": True})
    if text.endswith(ANY):
        stem = text.rstrip(ANY)
        return Label(text, "text", prefix=stem, length=len(text))
    if DOTS in text:
        low, _, high = text.partition(DOTS)
        return Label(text, "text", low=low, high=high)
    return Label(text, "text", values=frozenset([text]))


def _parse_number(text: str) -> Label | None:
    low, dash, high = text.partition(DASH)
    opened = high.startswith("<")
    high = high[1:] if opened else high
    if not _NUMBER.match(low) or (dash and not _NUMBER.match(high)):
        return None
    return Label(text, "number", _number(low), _number(high or low), opened)


def _number(text: str) -> float | int:
    """Read a number as a float, or whole where a float would round it."""
    value = float(text)
    return value if abs(value) < 2**53 or not text.lstrip("-").isdigit() else int(text)


def _date_ends(text: str) -> tuple[pd.Timestamp, pd.Timestamp, bool] | None:
    """First and last day of a date, month or year, or a moment twice; whether it is a day."""
    found = _DATE.match(text)
    if not found or int(found[1]) < FIRST_YEAR:
        return None
    year, month, day, time = found.groups()
    try:
        if month is None:
            return pd.Timestamp(f"{year}-01-01"), pd.Timestamp(f"{year}-12-31"), True
        if day is None:
            start = np.datetime64(text, "M")
            last = (start + np.timedelta64(1, "M")).astype("datetime64[D]") - np.timedelta64(1, "D")
            return pd.Timestamp(start.astype("datetime64[s]")), pd.Timestamp(last), True
        return pd.Timestamp(text), pd.Timestamp(text), time is None
    except ValueError:
        return None


def _parse_date(text: str) -> Label | None:
    low, dash, high = text.partition(DASH)
    first = _date_ends(low)
    last = _date_ends(high) if dash else first
    if first is None or last is None:
        return None
    return Label(text, "date", first[0], last[1], whole_day=last[2])


def parse_label(text: Any, kind: str = "auto") -> Label:
    """Read one label of a release.

    Parameters
    ----------
    text : str or number
        The label as written by :class:`KAnonymizer` (a number if a CSV reader made it one).
    kind : {'auto', 'number', 'date', 'text'}
        What the column held. ``'auto'`` tries number, then text; a year such as ``1980``
        is a number unless the kind says ``'date'``, a longer date is a date.

    Returns
    -------
    Label
        With ``.covers(value)``, ``.low``, ``.high``, ``.values``.

    Raises
    ------
    PrivacyError
        If the text is not a label of that kind.

    References
    ----------
    Sweeney, "Achieving k-anonymity privacy protection using generalization and
    suppression", IJUFKS 2002.

    Examples
    --------
    >>> from ethicalai_lab.privacy import parse_label
    >>> parse_label("30–39").covers(34), parse_label("520**").covers("52062")
    (True, True)
    """
    if kind not in _KINDS:
        raise PrivacyError(f"kind is {kind!r}; one of {', '.join(_KINDS)} is accepted.")
    if text is None or text is pd.NA or (isinstance(text, float) and math.isnan(text)):
        return Label(MISSING, "missing", missing=True)
    if isinstance(text, (int, float, np.integer, np.floating)) and not isinstance(text, bool):
        text = number_text(text)
    return _parse(str(text), kind)


@lru_cache(maxsize=1 << 16)
def _parse(text: str, kind: str) -> Label:
    if kind == "text":
        return _parse_text(text)
    stem, missing = text, False
    if text.endswith(_OR_MISSING):
        stem, missing = text[: -len(_OR_MISSING)], True
    found = _parse_number(stem) if kind in ("auto", "number") else None
    if found is None and kind in ("auto", "date"):
        found = _parse_date(stem)
    if found is not None:
        return Label(**{**found.__dict__, "text": text, "missing": missing})
    label = _parse_text(text)
    if kind != "auto" and label.kind == "text":
        raise PrivacyError(
            f"{text!r} is not the label of a {kind}; something like "
            + ("'30–39', '30', '*'" if kind == "number" else "'1980-01-01–1984-12-31', '1980', '*'")
            + " is accepted."
        )
    return label


def parse_release(
    release: pd.DataFrame, kinds: Mapping[Any, str] | None = None, columns: Any = None
) -> pd.DataFrame:
    """Turn the generalised columns of a release back into typed ones.

    A column of numbers or dates becomes its midpoint, beside two new columns
    ``<name>_low`` and ``<name>_high``; a column of texts becomes a category of its labels.
    Works on a release as made and on one that went through a CSV file.

    Parameters
    ----------
    release : pandas.DataFrame
    kinds : mapping of column name to {'number', 'date', 'text'}, optional
        ``KAnonymizer.kinds_``. Columns without a kind are read as ``'auto'``.
    columns : sequence of column names, optional
        Columns to read. Default: those in ``kinds``.

    Returns
    -------
    pandas.DataFrame
        On the release's index. Where a label is ``*`` the bounds are infinite (dates:
        missing) and the midpoint is missing.

    Raises
    ------
    PrivacyError
        If a column is not there or holds a label that cannot be read; the row is named.

    References
    ----------
    LeFevre, DeWitt, Ramakrishnan, "Mondrian multidimensional k-anonymity", ICDE 2006.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy import parse_release
    >>> parse_release(pd.DataFrame({"age": ["30–39", "40"]}), {"age": "number"})
        age  age_low  age_high
    0  34.5     30.0      39.0
    1  40.0     40.0      40.0
    """
    check_table(release, "release")
    kinds = dict(kinds or {})
    names = check_columns(release, kinds if columns is None else columns, "columns")
    out = {}
    for name in release.columns:
        if name not in names:
            out[name] = release[name]
            continue
        codes, texts = pd.factorize(release[name])
        kind = kinds.get(name, "auto")
        try:
            labels = [parse_label(t, kind) for t in texts]
        except PrivacyError as error:
            for i, t in enumerate(texts):
                try:
                    parse_label(t, kind)
                except PrivacyError:
                    row = release.index[[int(np.flatnonzero(codes == i)[0])]].tolist()[0]
                    raise PrivacyError(f"column {name!r}, row {row!r}: {error}") from None
            raise
        typed = {label.kind for label in labels} - {"any", "missing"}
        if (typed and typed <= {"number"}) or (kind == "number" and not typed):
            low = np.array([_end(x.low, -math.inf, x) for x in labels] + [math.nan])[codes]
            high = np.array([_end(x.high, math.inf, x) for x in labels] + [math.nan])[codes]
            both = np.isfinite(low) & np.isfinite(high)
            middle = np.full(len(low), math.nan)
            middle[both] = low[both] + (high[both] - low[both]) / 2
        elif (typed and typed <= {"date"}) or (kind == "date" and not typed):
            low = _date_column([x.low for x in labels], codes)
            high = _date_column([x.high for x in labels], codes)
            middle = low + (high - low) / 2
        else:
            out[name] = pd.Categorical.from_codes(codes, [str(t) for t in texts])
            continue
        out[name] = middle
        out[f"{name}_low"] = low
        out[f"{name}_high"] = high
    return pd.DataFrame(
        {
            name: v if isinstance(v, pd.Series) else pd.Series(v, release.index)
            for name, v in out.items()
        }
    )


def _date_column(ends: list, codes: np.ndarray) -> pd.DatetimeIndex:
    # NaT last, for rows without a label; microseconds reach to the year 9999
    found = [np.datetime64("NaT" if end is None else end, "us") for end in [*ends, None]]
    return pd.DatetimeIndex(np.array(found, "datetime64[us]")[codes])


def _end(value: Any, unbounded: float, label: Label) -> float:
    if label.kind == "any":
        return unbounded
    return math.nan if value is None else float(value)
