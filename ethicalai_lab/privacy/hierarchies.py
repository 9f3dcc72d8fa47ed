"""Ways to say a value less exactly, level by level up to ``*``."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.privacy.errors import PrivacyError
from ethicalai_lab.privacy.labels import (
    ANY,
    DASH,
    MISSING,
    date_text,
    number_text,
    parse_label,
    range_text,
    timed,
    value_text,
)

__all__ = ["Hierarchy", "kind_of"]


def kind_of(column: pd.Series) -> str:
    """Tell how a column's values are generalised: as ``'number'``, ``'date'`` or ``'text'``."""
    dtype = column.dtype
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "date"
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype):
        return "number"
    return "text"


class Hierarchy:
    """Generalization levels of one column.

    Level 0 is the value itself, the top level is ``*``; each level only joins what the
    level below told apart. Make one with :meth:`prefix`, :meth:`intervals`,
    :meth:`dates` or :meth:`table`.

    Parameters
    ----------
    levels : sequence of callables
        One for each level between 0 and the top: value to label.
    kind : {'number', 'date', 'text'}
        What the values are.
    name : str
        Shown in messages.

    Examples
    --------
    >>> from ethicalai_lab.privacy import Hierarchy
    >>> [Hierarchy.prefix(5).label("52062", level) for level in (0, 2, 5)]
    ['52062', '520**', '*']
    """

    def __init__(self, levels: Sequence[Callable[[Any], str]], kind: str, name: str) -> None:
        self._levels = list(levels)
        self.kind = kind
        self.name = name
        self._fractional: Hierarchy | None = None
        self._timed = False

    def __repr__(self) -> str:
        return f"Hierarchy.{self.name}"

    @property
    def height(self) -> int:
        """Number of the top level."""
        return len(self._levels) + 1

    def label(self, value: Any, level: int) -> str:
        """Label of a value at a level (0 to ``height``)."""
        if level == self.height:
            return ANY
        if value is None or value is pd.NA or value != value:
            return MISSING
        if level == 0:
            if self.kind == "number":
                return number_text(value)
            return date_text(value, self._timed) if self.kind == "date" else value_text(value)
        return self._levels[level - 1](value)

    # ---- ready-made ----------------------------------------------------------------
    @classmethod
    def prefix(cls, length: int) -> Hierarchy:
        """Mask one more character from the right a level: ``52062``, ``5206*``, ...

        Parameters
        ----------
        length : int
            Length of every value, 1 or more.
        """
        if not isinstance(length, (int, np.integer)) or length < 1:
            raise PrivacyError(f"length is {length!r}; a whole number from 1 on is accepted.")

        def masked(kept: int) -> Callable[[Any], str]:
            def label(value: Any) -> str:
                text = str(value)
                if len(text) != length or ANY in text:
                    raise PrivacyError(
                        f"value {text!r} does not fit Hierarchy.prefix({length}); texts of "
                        f"{length} characters without '*' are accepted."
                    )
                return text[:kept] + ANY * (length - kept)

            return label

        return cls([masked(kept) for kept in range(length - 1, 0, -1)], "text", f"prefix({length})")

    @classmethod
    def intervals(cls, widths: Sequence[float], origin: float = 0.0) -> Hierarchy:
        """Numbers in ranges of growing width; each width a multiple of the one before.

        Parameters
        ----------
        widths : sequence of float
            Above 0. Whole widths on whole numbers give ``30–39``, others ``30–<40``.
        origin : float
            Where a range begins.
        """
        widths = [float(w) for w in widths]
        if not widths or not all(math.isfinite(w) and w > 0 for w in widths):
            raise PrivacyError(f"widths are {widths}; finite numbers above 0 are accepted.")
        for small, large in pairwise(widths):
            ratio = large / small
            if ratio <= 1 or abs(ratio - round(ratio)) > 1e-9:
                raise PrivacyError(
                    f"widths: {large:g} does not hold whole ranges of {small:g}; each width must "
                    "be a multiple of the one before."
                )
        whole = all(w == int(w) for w in widths) and origin == int(origin)

        # wider ranges are made of whole narrow ones, so that rounding never splits a nest
        def ranged(width: float, whole: bool) -> Callable[[Any], str]:
            factor = round(width / widths[0])

            def label(value: Any) -> str:
                value = float(value)
                if not math.isfinite(value):
                    return number_text(value)
                step = math.floor((value - origin) / widths[0]) // factor * factor
                low, high = origin + step * widths[0], origin + (step + factor) * widths[0]
                if whole:
                    return range_text(number_text(low), number_text(high - 1))
                return f"{number_text(low)}{DASH}<{number_text(high)}"

            return label

        out = cls([ranged(w, whole) for w in widths], "number", f"intervals({widths})")
        if whole:  # a column that holds 30.5 must not be told that 30–39 covers 39.5
            out._fractional = cls([ranged(w, False) for w in widths], "number", out.name)
        return out

    @classmethod
    def dates(cls, levels: Sequence[str] = ("month", "year", "decade")) -> Hierarchy:
        """Dates by month, year, five years or decade.

        Parameters
        ----------
        levels : sequence of {'month', 'year', 'five_years', 'decade'}
            From fine to coarse.
        """

        def years(width: int) -> Callable[[Any], str]:
            def label(value: Any) -> str:
                low = int(date_text(value)[:4]) // width * width
                return range_text(str(low), str(low + width - 1))

            return label

        known = {
            "month": lambda value: date_text(value)[:7],
            "year": lambda value: date_text(value)[:4],
            "five_years": years(5),
            "decade": years(10),
        }
        order = list(known)
        levels = list(levels)
        if (
            not levels
            or any(x not in known for x in levels)
            or levels != sorted(set(levels), key=order.index)
        ):
            raise PrivacyError(
                f"levels are {levels}; some of {order}, fine to coarse, are accepted."
            )
        return cls([known[x] for x in levels], "date", f"dates({levels})")

    @classmethod
    def table(cls, parents: Mapping[Any, Any]) -> Hierarchy:
        """Levels written out: each value with its labels from fine to coarse.

        Parameters
        ----------
        parents : mapping of value to label, or to a sequence of labels
            ``{"nurse": ["care", "service"], ...}``; all of the same length. ``*`` on top
            is added.
        """
        chains = {
            str(v): [str(p)] if isinstance(p, str) else [str(x) for x in p]
            for v, p in dict(parents).items()
        }
        if not chains:
            raise PrivacyError("parents is empty; give each value its labels, fine to coarse.")
        depth = len(next(iter(chains.values())))
        for value, chain in chains.items():
            if len(chain) != depth:
                raise PrivacyError(
                    f"parents: value {value!r} has {len(chain)} labels where the first value has "
                    f"{depth}; every value needs the same number."
                )
        for level in range(1, depth):
            above: dict[str, str] = {}
            for value, chain in chains.items():
                if above.setdefault(chain[level - 1], chain[level]) != chain[level]:
                    raise PrivacyError(
                        f"parents: label {chain[level - 1]!r} (of value {value!r}) lies under both "
                        f"{above[chain[level - 1]]!r} and {chain[level]!r}; one label above it is "
                        "accepted."
                    )

        def at(level: int) -> Callable[[Any], str]:
            def label(value: Any) -> str:
                try:
                    return chains[str(value)][level]
                except KeyError:
                    raise PrivacyError(
                        f"value {value!r} is not in the hierarchy; its values are "
                        f"{', '.join(list(chains)[:10])}{', ...' if len(chains) > 10 else ''}."
                    ) from None

            return label

        return cls([at(level) for level in range(depth)], "text", f"table({len(chains)} values)")

    @classmethod
    def suitable(cls, column: pd.Series) -> Hierarchy:
        """Build the default hierarchy for a column: ranges, dates, masked digits, or ``*``."""
        kind = kind_of(column)
        if kind == "date":
            return cls.dates()
        values = column.dropna().unique()
        if kind == "number":
            numbers = np.asarray(values, float)
            numbers = numbers[np.isfinite(numbers)]
            span = float(numbers.max() - numbers.min()) if len(numbers) else 0.0
            if span == 0:
                return cls([], "number", "exact or *")
            whole = bool((numbers == np.floor(numbers)).all())
            step = _nice(span / 20)
            step = max(step, 2.0) if whole else step
            widths = [step]
            while widths[-1] * 2 < span:
                widths.append(widths[-1] * 2)
            return cls.intervals(widths)
        texts = [str(v) for v in values]
        one_length = len({len(t) for t in texts}) == 1 and len(texts[0]) > 1
        if one_length and all(t.isdigit() for t in texts):
            return cls.prefix(len(texts[0]))
        return cls([], "text", "exact or *")

    # ---- tables for the algorithms -------------------------------------------------
    def for_values(self, values: Sequence) -> Hierarchy:
        """Return the same hierarchy, written for whole or fractional numbers, days or times."""
        if self.kind == "date":
            other = copy.copy(self)
            other._timed = timed(np.asarray(values, "datetime64[us]"))
            return other
        if self._fractional is None:
            return self
        numbers = np.asarray(values, float)
        numbers = numbers[np.isfinite(numbers)]
        return self if (numbers == np.floor(numbers)).all() else self._fractional

    def tabulate(self, values: Sequence, has_missing: bool) -> tuple[np.ndarray, list[list[str]]]:
        """Codes and labels of every level for distinct values (missing last).

        Returns
        -------
        codes : numpy.ndarray of int64, shape (height + 1, n_values)
        labels : list over levels of list of str
            ``labels[level][codes[level, i]]`` is the label of value i.

        Raises
        ------
        PrivacyError
            If a level tells apart what the level below joins.
        """
        items = [*values, None] if has_missing else list(values)
        codes = np.zeros((self.height + 1, len(items)), np.int64)
        labels: list[list[str]] = []
        codes[0] = np.arange(len(items))
        labels.append([self.label(v, 0) for v in items])
        for level in range(1, self.height + 1):
            found: dict[str, int] = {}
            for i, value in enumerate(items):
                codes[level, i] = found.setdefault(self.label(value, level), len(found))
            labels.append(list(found))
            above: dict[int, int] = {}
            for i, (low, high) in enumerate(zip(codes[level - 1], codes[level], strict=True)):
                if above.setdefault(int(low), int(high)) != high:
                    raise PrivacyError(
                        f"hierarchy {self.name}: level {level} tells apart what level {level - 1} "
                        f"joins (at value {items[i]!r}); each level must only join."
                    )
        return codes, labels

    def losses(
        self, values: Sequence, has_missing: bool, codes: np.ndarray, labels: list[list[str]]
    ) -> np.ndarray:
        """NCP of each value at each level, shape (height + 1, n_values), 0 to 1."""
        n = codes.shape[1]
        out = np.zeros(codes.shape)
        out[-1] = 1.0 if n > 1 else 0.0
        if n <= 1:
            return out
        numbers = None
        if self.kind == "number":
            numbers = np.asarray(values, float)
            numbers = numbers if np.isfinite(numbers).all() and np.ptp(numbers) > 0 else None
        elif self.kind == "date":
            numbers = np.asarray(values, "datetime64[us]").astype(np.int64).astype(float)
            numbers = numbers if len(numbers) and np.ptp(numbers) > 0 else None
        for level in range(1, self.height):
            counts = np.bincount(codes[level])
            out[level] = ((counts - 1) / (n - 1))[codes[level]]
            if numbers is None:
                continue
            low, high = numbers.min(), numbers.max()
            widths = np.zeros(len(labels[level]))
            for i, text in enumerate(labels[level]):
                label = parse_label(text, self.kind)
                if label.low is None:
                    continue
                ends = [label.low, label.high]
                if self.kind == "date":
                    ends = [float(np.datetime64(e, "us").astype(np.int64)) for e in ends]
                widths[i] = max(min(ends[1], high) - max(ends[0], low), 0.0)
            out[level] = (widths / (high - low))[codes[level]]
        return np.maximum.accumulate(out, axis=0)


def _nice(value: float) -> float:
    """Next of 1, 2, 5, 10, 20, 50, ... at or above a value."""
    power = 10.0 ** math.floor(math.log10(value))
    for factor in (1.0, 2.0, 5.0, 10.0):
        if factor * power >= value * (1 - 1e-12):
            return factor * power
    return 10.0 * power
