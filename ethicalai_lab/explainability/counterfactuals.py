"""The smallest change a person could really make for another decision.

A counterfactual says "had these columns been so, the decision would have been
the other one". It helps only if the person can act on it, so what may change,
which way, how far and at what cost is stated column by column; what is not
stated stays fixed. It misleads if no real person looks like it, so each one
also lies as near to a real row as real rows lie to each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from ethicalai_lab.explainability._threads import one_thread
from ethicalai_lab.explainability.errors import ExplanationError

__all__ = ["Actionability", "CounterfactualSearch", "Counterfactuals"]

DIRECTIONS = ("increase", "decrease", "either")
# Rows of the first scan: enough for 3-column grids, few enough for one quick model call.
SCAN_ROWS = 6000
SINGLE_GRID = 80
REFINE_ROUNDS = 5
REFINE_POINTS = 10
MANIFOLD_SAMPLE = 1000
MANIFOLD_QUANTILE = 0.95


def _real(value: Any) -> bool:
    return (
        isinstance(value, (int, float, np.integer, np.floating))
        and not isinstance(value, bool)
        and bool(np.isfinite(value))
    )


@dataclass(frozen=True)
class Actionability:
    """What a person may change in one column, and what a change costs.

    Parameters
    ----------
    immutable : bool, default False
        True holds the column fixed whatever the other fields say.
    direction : {"either", "increase", "decrease"}, default "either"
        The only way the value may move. Ordered categories move along their
        order; unordered ones accept only ``"either"``.
    low, high : float, optional
        Range that a new value must lie in, ends included, in the column's unit.
        By default the smallest and largest value in the data.
    step : float, optional
        A new value is the present one plus a whole number of steps, in the
        column's unit. Whole-number columns have a step of 1 by default.
    values : tuple, optional
        The only new values accepted; for a category, its names.
    cost : float, optional
        Cost per unit of change, above 0: per unit of a number, per level of an
        ordered category, per switch of an unordered one. By default
        1 / MAD (median absolute deviation) for a number [1]_ and 1 otherwise.

    Raises
    ------
    ExplanationError
        If a field is out of its range, in one sentence.

    References
    ----------
    .. [1] Wachter, S., Mittelstadt, B., Russell, C. (2018). Counterfactual
       explanations without opening the black box. Harvard Journal of Law &
       Technology 31(2).
    .. [2] Ustun, B., Spangher, A., Liu, Y. (2019). Actionable recourse in
       linear classification. FAT* 2019.

    Examples
    --------
    >>> Actionability(direction="increase", high=60, step=5).high
    60
    """

    immutable: bool = False
    direction: str = "either"
    low: float | None = None
    high: float | None = None
    step: float | None = None
    values: tuple | None = None
    cost: float | None = None

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise ExplanationError(
                f"direction is {self.direction!r}; accepted are {', '.join(DIRECTIONS)}."
            )
        for name in ("low", "high", "step", "cost"):
            value = getattr(self, name)
            if value is not None and not _real(value):
                raise ExplanationError(f"{name} is {value!r}; a finite number is accepted.")
            if name in ("step", "cost") and value is not None and value <= 0:
                raise ExplanationError(f"{name} is {value!r}; a number above 0 is accepted.")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ExplanationError(
                f"low is {self.low!r}, above high {self.high!r}; low must not exceed high."
            )
        if self.values is not None:
            if isinstance(self.values, str) or not len(tuple(self.values)):
                raise ExplanationError(
                    f"values is {self.values!r}; a tuple of at least one value is accepted."
                )
            object.__setattr__(self, "values", tuple(self.values))


@dataclass(frozen=True)
class Counterfactuals:
    """Changes that would turn one person's decision, or why there are none.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per change and column: ``change`` (1 is the cheapest),
        ``column``, ``from``, ``to``, ``cost`` (of that column), ``total_cost``,
        ``new_score`` (by the model, of the whole change), ``distance`` (to the
        nearest real row, in median absolute deviations) and ``on_manifold``.
    rows : pandas.DataFrame
        The changed person, one row per change, as the model scored it.
    refused : pandas.DataFrame
        As ``table``: the cheapest change that no real row is near, when only
        such changes reach the threshold; otherwise empty.
    score, threshold : float
        The person's present score, and what it has to cross.
    bound : float
        Largest accepted distance to the nearest real row.
    blocked_by : str or None
        None when found; else ``"nothing actionable"``, ``"threshold"`` or
        ``"manifold"``.
    reason : str or None
        The same in one sentence.
    best_score : float
        The score nearest to, or furthest past, the threshold of all tried.
    n_scored, n_calls : int
        Rows the model scored, and calls made to it.

    Examples
    --------
    >>> data = pd.DataFrame({"visits": range(20)})
    >>> search = CounterfactualSearch(
    ...     lambda X: X["visits"] / 20, data, {"visits": Actionability()}, threshold=0.5)
    >>> result = search.counterfactuals({"visits": 8})
    >>> result.found, result.table["to"].tolist()
    (True, [10])
    """

    table: pd.DataFrame
    rows: pd.DataFrame
    refused: pd.DataFrame
    score: float
    threshold: float
    bound: float
    blocked_by: str | None
    reason: str | None
    best_score: float
    n_scored: int = field(repr=False)
    n_calls: int = field(repr=False)

    @property
    def found(self) -> bool:
        """Whether there is at least one change."""
        return self.blocked_by is None

    def sentences(self) -> list[str]:
        """Say each change, or why there is none, in plain text.

        Returns
        -------
        list of str
            One sentence per change, cheapest first; the reason if none.

        Examples
        --------
        >>> data = pd.DataFrame({"visits": range(20)})
        >>> search = CounterfactualSearch(
        ...     lambda X: X["visits"] / 20, data, {"visits": Actionability()}, threshold=0.5)
        >>> search.counterfactuals({"visits": 8}).sentences()
        ['If visits were 10 instead of 8, the score would be 0.5 instead of 0.4 (threshold 0.5).']
        """
        if not self.found:
            return [self.reason]
        said = []
        for _, part in self.table.groupby("change", sort=True):
            changes = [
                f"{c} were {_plain(t)} instead of {_plain(f)}"
                for c, f, t in zip(part["column"], part["from"], part["to"], strict=True)
            ]
            new = part["new_score"].iloc[0]
            said.append(
                f"If {' and '.join(changes)}, the score would be {_plain(new)} instead of "
                f"{_plain(self.score)} (threshold {_plain(self.threshold)})."
            )
        return said


def _plain(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (float, np.floating)):
        if float(value).is_integer() and abs(value) < 1e15:
            return str(int(value))
        # 6 figures; large values keep all digits before the point
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"
    return str(value)


class _Column:
    """One column as floats: numbers as they are, categories as codes."""

    def __init__(self, name: str, series: pd.Series, rule: Actionability) -> None:
        self.name, self.dtype, self.rule = name, series.dtype, rule
        types = pd.api.types
        self.is_bool = types.is_bool_dtype(series.dtype)
        self.numeric = types.is_numeric_dtype(series.dtype) and not types.is_complex_dtype(
            series.dtype
        )
        self.whole = self.is_bool or types.is_integer_dtype(series.dtype)
        self.levels: list | None = None
        self.ordered = False
        if isinstance(series.dtype, pd.CategoricalDtype):
            self.levels = list(series.dtype.categories)
            self.ordered, self.numeric = bool(series.dtype.ordered), False
            self.coded = series.cat.codes.to_numpy().astype(float)
        elif self.numeric:
            self.coded = series.to_numpy(dtype=float, na_value=np.nan)
            if np.isinf(self.coded).any():
                raise ExplanationError(
                    f"Column {name!r} of the data holds an infinite value; finite numbers are accepted."
                )
        elif types.is_string_dtype(series.dtype) or types.is_object_dtype(series.dtype):
            try:
                self.levels = sorted(series.dropna().unique())
            except TypeError:
                raise ExplanationError(
                    f"Column {name!r} of the data mixes kinds of values; numbers or names are accepted."
                ) from None
            self.coded = pd.Categorical(series, categories=self.levels).codes.astype(float)
        else:
            raise ExplanationError(
                f"Column {name!r} of the data is {series.dtype}; numbers, yes/no and categories "
                "are accepted."
            )
        self.where = {v: i for i, v in enumerate(self.levels or ())}
        seen = self.coded[~np.isnan(self.coded)]
        if self.numeric:
            if not len(seen):
                raise ExplanationError(f"Column {name!r} of the data holds no value.")
            self.median = float(np.median(seen))
            away = np.abs(seen - self.median)
            # more than half equal: the median is 0, the mean still tells the unit
            self.mad = float(np.median(away)) or float(away.mean()) or 1.0
        else:
            self.median, self.mad = 0.0, 1.0
        self._check_rule(seen)

    def _check_rule(self, seen: np.ndarray) -> None:
        rule, name = self.rule, self.name
        self.cost = rule.cost if rule.cost is not None else 1.0 / self.mad
        self.allowed: np.ndarray | None = None
        if self.numeric:
            self.low = float(seen.min()) if rule.low is None else float(rule.low)
            self.high = float(seen.max()) if rule.high is None else float(rule.high)
            self.step = float(rule.step) if rule.step else (1.0 if self.whole else None)
            if self.low > self.high and not rule.immutable:
                raise ExplanationError(
                    f"The range of column {name!r}, {self.low:g} to {self.high:g}, is empty; "
                    "low must not exceed high."
                )
            if self.whole and self.step != int(self.step):
                raise ExplanationError(
                    f"step of column {name!r} is {rule.step!r}; it holds whole numbers, so a "
                    "whole step is accepted."
                )
            self.spread = np.unique(np.quantile(seen, np.linspace(0, 1, 101)))
            if rule.values is not None:
                for v in rule.values:
                    ok = _real(v) or (self.is_bool and isinstance(v, (bool, np.bool_)))
                    if not ok or (self.whole and float(v) != int(v)):
                        kind = "whole numbers" if self.whole else "finite numbers"
                        raise ExplanationError(
                            f"values of column {name!r} hold {v!r}; {kind} are accepted."
                        )
                self.allowed = np.unique(np.array(rule.values, dtype=float))
            return
        for what in ("low", "high", "step"):
            if getattr(rule, what) is not None:
                raise ExplanationError(
                    f"Column {name!r} holds categories, so {what} has no meaning; use values."
                )
        if rule.direction != "either" and not self.ordered and not rule.immutable:
            raise ExplanationError(
                f"Column {name!r} holds unordered categories, so direction {rule.direction!r} has "
                "no meaning; 'either' is accepted."
            )
        for v in rule.values or ():
            if v not in self.where:
                raise ExplanationError(
                    f"values of column {name!r} hold {v!r}; accepted are "
                    f"{', '.join(map(str, self.levels))}."
                )
        self.allowed = np.array(
            sorted({self.where[v] for v in rule.values})
            if rule.values is not None
            else np.unique(seen[seen >= 0]),
            dtype=float,
        )
        self.low, self.high, self.step = -np.inf, np.inf, None

    def code(self, value: Any) -> float:
        missing = pd.api.types.is_scalar(value) and pd.isna(value)
        if self.numeric:
            if missing:
                return np.nan
            if isinstance(value, (bool, np.bool_)):
                return float(value)
            if not _real(value):
                raise ExplanationError(
                    f"Column {self.name!r} of the person is {value!r}; a finite number is accepted."
                )
            if self.whole and float(value) != int(value):
                raise ExplanationError(
                    f"Column {self.name!r} of the person is {value!r}; a whole number is accepted."
                )
            if self.is_bool and value not in (0, 1):
                raise ExplanationError(
                    f"Column {self.name!r} of the person is {value!r}; True or False is accepted."
                )
            return float(value)
        if missing:
            return -1.0
        try:
            return float(self.where[value])
        except (KeyError, TypeError):
            raise ExplanationError(
                f"Column {self.name!r} of the person is {value!r}; accepted are "
                f"{', '.join(map(str, self.levels))}."
            ) from None

    def decode(self, codes: np.ndarray) -> Any:
        """Codes back to what the model was given, in the column's own dtype."""
        if isinstance(self.dtype, pd.CategoricalDtype):
            return pd.Categorical.from_codes(codes.astype(int), dtype=self.dtype)
        if self.levels is not None:
            names = np.array([*self.levels, None], dtype=object)
            return pd.array(names[codes.astype(int)], dtype=self.dtype)
        if isinstance(self.dtype, np.dtype):
            return codes.astype(self.dtype)
        return pd.array(pd.array(codes, dtype="Float64"), dtype=self.dtype)

    def one(self, code: float) -> Any:
        if self.levels is not None:
            return None if code < 0 else self.levels[int(code)]
        if np.isnan(code):
            return None
        if self.is_bool:
            return bool(code)
        return int(code) if self.whole else float(code)

    def price(self, now: float, new: np.ndarray) -> np.ndarray:
        if self.numeric or self.ordered:
            return self.cost * np.abs(new - now)
        return self.cost * (new != now)

    def interval(self, now: float) -> tuple[float, float]:
        low = max(self.low, now) if self.rule.direction == "increase" else self.low
        high = min(self.high, now) if self.rule.direction == "decrease" else self.high
        return low, high

    def snap(self, now: float, new: np.ndarray) -> np.ndarray:
        """Bring values onto what is allowed; what cannot be stays at the present value."""
        low, high = self.interval(now)
        new = np.asarray(new, dtype=float)
        if self.allowed is not None:
            allowed = self.allowed[(self.allowed >= low) & (self.allowed <= high)]
            allowed = np.union1d(allowed, [now])
            return allowed[np.abs(new[..., None] - allowed).argmin(-1)]
        if low > high:
            return np.full_like(new, now)
        new = np.clip(new, low, high)
        if self.step is not None:
            k = np.rint((new - now) / self.step)
            k = np.where(now + k * self.step > high, k - 1, k)
            k = np.where(now + k * self.step < low, k + 1, k)
            new = now + k * self.step
            if not self.whole:
                new = np.round(new, 10)
            new = np.where((new < low) | (new > high), now, new)
        if self.dtype == np.float32:
            new32 = new.astype(np.float32).astype(float)
            new = np.where((new32 >= low) & (new32 <= high), new32, now)
        return new

    def grid(self, now: float, size: int) -> np.ndarray:
        """At most about ``size`` allowed new values, spread and at real quantiles."""
        if self.rule.immutable or np.isnan(now) or (not self.numeric and now < 0):
            return np.empty(0)
        low, high = self.interval(now)
        if low > high:
            return np.empty(0)
        if self.allowed is not None:
            points = self.allowed[(self.allowed >= low) & (self.allowed <= high)]
        elif self.step and (high - low) / self.step <= size:
            points = np.arange(np.ceil((low - now) / self.step), (high - now) / self.step + 1)
            points = now + points * self.step
        else:
            inside = self.spread[(self.spread > low) & (self.spread < high)]
            half = max(1, size // 2)
            pick = np.linspace(0, len(inside) - 1, min(half, len(inside))).round().astype(int)
            points = np.concatenate([np.linspace(low, high, max(2, size - half)), inside[pick]])
        points = np.unique(self.snap(now, points)) if len(points) else points
        points = points[points != now]
        if len(points) > size:
            if not self.numeric and not self.ordered:
                return points[:: -(-len(points) // size)]
            pick = np.unique(np.linspace(0, len(points) - 1, size).round().astype(int))
            points = points[pick]
        return points

    def tidy(self, now: float, new: float) -> float:
        """Round a free number to a thousandth of its MAD, away from the present value."""
        if not self.numeric or self.step is not None or self.allowed is not None or new == now:
            return new
        digits = int(np.ceil(-np.log10(self.mad / 1000)))
        unit = 10.0**-digits
        k = np.ceil(new / unit - 1e-9) if new > now else np.floor(new / unit + 1e-9)
        # round() gives the float nearest to the decimal, where k * unit would not
        return float(self.snap(now, np.array([round(k * unit, digits)]))[0])


class CounterfactualSearch:
    """Find the smallest actionable changes, for one person after another.

    What is the same for everyone (units, ranges, how near real rows lie to each
    other) is worked out once; :meth:`counterfactuals` then takes a person.

    Parameters
    ----------
    model : object or callable
        A fitted classifier (its probability of the second class is the score),
        a fitted regressor, or a function from a data frame to n scores.
    data : pandas.DataFrame of shape (n_rows, n_columns)
        Real rows, with just the model's columns in the model's order: numbers,
        yes/no, categories or names. At least 3 rows.
    actionability : mapping of str to Actionability
        The columns that may change. A column left out stays as it is, so that a
        protected trait is never suggested by oversight.
    threshold : float
        A score at or above it gets the decision. A person below it is brought
        to or above it; a person at or above it is brought below.
    max_changes : {1, 2, 3}, default 3
        Most columns changed at once.
    seed : int, default 0
        Seeds the sample of real rows that sets the bound, and the sample of
        column sets when there are too many to try all.

    Raises
    ------
    ExplanationError
        If something given cannot be used, in one sentence.

    Notes
    -----
    The cost is the sum of change times cost per unit, by default the L1
    distance in units of the MAD [1]_. Grids over all sets of 1 to
    ``max_changes`` columns are scored in one call, and the cheapest that cross
    the threshold are then refined in a few more. It is a search: the change is
    the smallest found, not proven the smallest there is.

    On the manifold means: no further from the nearest real row than 95 % of real
    rows are from theirs, in L1 distance with numbers in MADs and a difference in
    category as 1. The person's own row does not count as near. A person who is
    further off than that already must not move further off. A missing number
    counts as the median, and a missing value is never changed.

    References
    ----------
    .. [1] Wachter, S., Mittelstadt, B., Russell, C. (2018). Counterfactual
       explanations without opening the black box. Harvard Journal of Law &
       Technology 31(2).
    .. [2] Mothilal, R. K., Sharma, A., Tan, C. (2020). Explaining machine
       learning classifiers through diverse counterfactual explanations. FAT* 2020.
    .. [3] Poyiadzi, R. et al. (2020). FACE: feasible and actionable
       counterfactual explanations. AIES 2020.

    Examples
    --------
    >>> data = pd.DataFrame({"age": [30, 40, 50, 60] * 5, "visits": range(20)})
    >>> search = CounterfactualSearch(
    ...     lambda X: (X["visits"] + X["age"] / 10) / 30,
    ...     data,
    ...     {"visits": Actionability(direction="increase")},
    ...     threshold=0.5,
    ... )
    >>> search.counterfactuals({"age": 40, "visits": 9}).table[["column", "from", "to"]].values.tolist()
    [['visits', 9, 11]]
    """

    def __init__(
        self,
        model: Any,
        data: pd.DataFrame,
        actionability: Mapping[str, Actionability],
        *,
        threshold: float,
        max_changes: int = 3,
        seed: int = 0,
    ) -> None:
        if not isinstance(data, pd.DataFrame) or len(data) < 3 or not len(data.columns):
            raise ExplanationError("data must be a data frame with at least 3 real rows.")
        if not data.columns.is_unique:
            twice = data.columns[data.columns.duplicated()][0]
            raise ExplanationError(f"Column {twice!r} is in the data twice; each name once.")
        if not isinstance(actionability, Mapping):
            raise ExplanationError("actionability must map column names to Actionability.")
        for name, rule in actionability.items():
            if name not in data.columns:
                raise ExplanationError(
                    f"actionability names column {name!r}, which the data lacks; accepted are "
                    f"{', '.join(map(str, data.columns))}."
                )
            if not isinstance(rule, Actionability):
                raise ExplanationError(
                    f"actionability of column {name!r} is {rule!r}; an Actionability is accepted."
                )
        if not _real(threshold):
            raise ExplanationError(f"threshold is {threshold!r}; a finite number is accepted.")
        if max_changes not in (1, 2, 3):
            raise ExplanationError(f"max_changes is {max_changes!r}; 1, 2 or 3 is accepted.")
        if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or seed < 0:
            raise ExplanationError(f"seed is {seed!r}; a whole number of 0 or more is accepted.")
        self._score = _scorer(model)
        self.threshold, self.max_changes, self.seed = float(threshold), max_changes, int(seed)
        fixed = Actionability(immutable=True)
        self._columns = [
            _Column(name, data[name], actionability.get(name, fixed)) for name in data.columns
        ]
        self._codes = np.column_stack([c.coded for c in self._columns])
        self._numeric = np.array([c.numeric for c in self._columns])
        self._medians = np.array([c.median for c in self._columns])
        self._mads = np.array([c.mad for c in self._columns])
        self._real = self._filled(self._codes)
        self.bound = self._find_bound()

    def _filled(self, codes: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(codes), self._medians, codes) / self._mads

    def _space(self, filled: np.ndarray) -> np.ndarray:
        """Numbers in MADs and half a one-hot, so that L1 counts a differing category as 1."""
        parts = [filled[:, self._numeric]]
        for j in np.flatnonzero(~self._numeric):
            codes = np.arange(-1, len(self._columns[j].levels))
            parts.append(0.5 * (filled[:, [j]] == codes))
        return np.hstack(parts)

    def _find_bound(self) -> float:
        space = self._space(self._real)
        rng = np.random.default_rng(self.seed)
        n = len(space)
        chosen = rng.choice(n, size=min(n, MANIFOLD_SAMPLE), replace=False)
        nearest = []
        for part in np.array_split(chosen, -(-len(chosen) // 100)):
            away = cdist(space[part], space, "cityblock")
            away[np.arange(len(part)), part] = np.inf
            nearest.append(away.min(1))
        return float(np.quantile(np.concatenate(nearest), MANIFOLD_QUANTILE))

    def _frame(self, codes: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame({c.name: c.decode(codes[:, j]) for j, c in enumerate(self._columns)})

    def counterfactuals(
        self, person: pd.Series | pd.DataFrame | Mapping[str, Any], n: int = 3
    ) -> Counterfactuals:
        """Find up to ``n`` changes in different sets of columns.

        Parameters
        ----------
        person : pandas.Series, one-row pandas.DataFrame or mapping
            The person's value in each column of the data; other columns are
            ignored.
        n : int, default 3
            Most changes wanted, from 1. A change that touches all the columns
            of a cheaper one, and more, is left out.

        Returns
        -------
        Counterfactuals
            With ``found`` False and a ``reason`` when there is none.

        Raises
        ------
        ExplanationError
            If the person or ``n`` cannot be used, in one sentence.

        Examples
        --------
        >>> data = pd.DataFrame({"visits": range(20)})
        >>> search = CounterfactualSearch(
        ...     lambda X: X["visits"] / 20, data, {"visits": Actionability(high=9)}, threshold=0.5)
        >>> search.counterfactuals({"visits": 8}).blocked_by
        'threshold'
        """
        if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or n < 1:
            raise ExplanationError(f"n is {n!r}; a whole number of 1 or more is accepted.")
        with one_thread():
            return _Run(self, self._person(person), int(n)).result()

    def _person(self, person: Any) -> np.ndarray:
        if isinstance(person, pd.DataFrame):
            if len(person) != 1:
                raise ExplanationError(
                    f"person is a data frame of {len(person)} rows; one row is accepted."
                )
            person = {c: person[c].iloc[0] for c in person.columns}
        elif isinstance(person, pd.Series):
            person = person.to_dict()
        if not isinstance(person, Mapping):
            raise ExplanationError(
                f"person is {type(person).__name__}; a row of the data or a mapping is accepted."
            )
        for c in self._columns:
            if c.name not in person:
                raise ExplanationError(f"The person lacks column {c.name!r}; a value is needed.")
        return np.array([c.code(person[c.name]) for c in self._columns])


def _scorer(model: Any) -> Callable[[pd.DataFrame], np.ndarray]:
    if hasattr(model, "predict_proba"):

        def call(frame):
            found = np.asarray(model.predict_proba(frame))
            if found.ndim != 2 or found.shape[1] != 2:
                raise ExplanationError(
                    f"The model gives probabilities of shape {found.shape}; two classes are accepted."
                )
            return found[:, 1]
    elif hasattr(model, "predict"):
        call = model.predict
    elif callable(model):
        call = model
    else:
        raise ExplanationError(
            f"model is {type(model).__name__}; a fitted model or a function is accepted."
        )
    # a model fitted on an array warns when it is given names
    bare = hasattr(model, "n_features_in_") and not hasattr(model, "feature_names_in_")

    def score(frame: pd.DataFrame) -> np.ndarray:
        found = np.asarray(call(frame.to_numpy() if bare else frame), dtype=float)
        if found.shape != (len(frame),):
            raise ExplanationError(
                f"The model gives scores of shape {found.shape} for {len(frame)} rows; one score "
                "a row is accepted."
            )
        if not np.isfinite(found).all():
            raise ExplanationError("The model gives a score that is not a finite number.")
        return found

    return score


class _Run:
    """The search for one person."""

    def __init__(self, search: CounterfactualSearch, now: np.ndarray, n: int) -> None:
        self.search, self.now, self.n = search, now, n
        self.columns = search._columns
        self.n_scored = self.n_calls = 0
        self.score = float(self.ask(now[None])[0])
        self.up = self.score < search.threshold
        # per column, how far each real row is from the person
        mine = search._filled(now[None])[0]
        away = np.abs(search._real - mine)
        away[:, ~search._numeric] = away[:, ~search._numeric] > 0
        self.away, self.total = away, away.sum(1)
        same = np.flatnonzero(self.total == 0)
        if len(same):  # the person's own row says nothing about others
            self.total[same[0]] = np.inf
        self.bound = max(search.bound, float(self.total.min()))

    def ask(self, codes: np.ndarray) -> np.ndarray:
        self.n_scored += len(codes)
        self.n_calls += 1
        return self.search._score(self.search._frame(codes))

    def crosses(self, scores: np.ndarray) -> np.ndarray:
        limit = self.search.threshold
        return scores >= limit if self.up else scores < limit

    def cost(self, codes: np.ndarray) -> np.ndarray:
        return sum(c.price(self.now[j], codes[:, j]) for j, c in enumerate(self.columns))

    def distance(self, codes: np.ndarray, touched: tuple[int, ...], exact=False) -> np.ndarray:
        """Distance of each row to its nearest real row; inf when surely past the bound."""
        search, touched = self.search, list(touched)
        rest = self.total - self.away[:, touched].sum(1)
        # the untouched columns alone put most real rows out of reach
        near = np.flatnonzero(np.isfinite(rest) if exact else rest <= self.bound + 1e-9)
        if not len(near):
            return np.full(len(codes), np.inf)
        found = np.tile(rest[near], (len(codes), 1))
        filled = search._filled(codes)
        for j in touched:
            gap = np.abs(filled[:, j, None] - search._real[near, j])
            found += gap if search._numeric[j] else gap > 0
        return found.min(1)

    def near(self, distances: np.ndarray) -> np.ndarray:
        return distances <= self.bound + 1e-9

    def scan(self) -> tuple[np.ndarray, np.ndarray, list[tuple[int, ...]]]:
        """Grids over sets of columns, as rows, the set of each, and the sets."""
        fine = {j: c.grid(self.now[j], SINGLE_GRID) for j, c in enumerate(self.columns)}
        free = [j for j in fine if len(fine[j])]
        blocks, owner, sets = [], [], []
        rng = np.random.default_rng(self.search.seed)
        for size in range(1, min(self.search.max_changes, len(free)) + 1):
            groups = list(combinations(free, size))
            budget = SCAN_ROWS // 2
            least = 2**size
            if len(groups) * least > budget:
                chosen = rng.choice(len(groups), max(1, budget // least), replace=False)
                groups = [groups[i] for i in sorted(chosen)]
            points = SINGLE_GRID
            if size > 1:
                points = int(np.clip((budget / len(groups)) ** (1 / size) + 1e-9, 2, 12))
            grids = (
                fine if size == 1 else {j: self.columns[j].grid(self.now[j], points) for j in free}
            )
            for group in groups:
                values = np.array(list(product(*(grids[j] for j in group))))
                rows = np.tile(self.now, (len(values), 1))
                rows[:, group] = values
                owner.append(np.full(len(rows), len(sets)))
                blocks.append(rows)
                sets.append(group)
        if not blocks:
            return np.empty((0, len(self.now))), np.empty(0, dtype=int), []
        return np.vstack(blocks), np.concatenate(owner), sets

    def result(self) -> Counterfactuals:
        rows, owner, sets = self.scan()
        if not len(rows):
            return self.none(
                "nothing actionable",
                "There is no change to suggest: no column may change from this person's values.",
                self.score,
            )
        scores = self.ask(rows)
        best = float(scores.max() if self.up else scores.min())
        hit = self.crosses(scores)
        if not hit.any():
            side = "reaches" if self.up else "falls below"
            names = ", ".join(self.columns[j].name for j in sorted({j for s in sets for j in s}))
            return self.none(
                "threshold",
                f"No change to suggest was found: within the limits, none of {len(rows)} changes "
                f"tried, each of up to {self.search.max_changes} of {names}, {side} the threshold "
                f"{_plain(self.search.threshold)}; the best score is {_plain(best)}.",
                best,
            )
        cost = self.cost(rows)
        starts, refused = [], None
        for k in np.unique(owner[hit]):
            at = np.flatnonzero(hit & (owner == k))
            at = at[np.argsort(cost[at], kind="stable")]
            ok = self.near(self.distance(rows[at], sets[k]))
            if ok.any():
                i = at[ok.argmax()]
                starts.append((cost[i], sets[k], rows[i]))
            elif refused is None or cost[at[0]] < refused[0]:
                refused = (cost[at[0]], rows[at[0]], scores[at[0]])
        if not starts:
            _, row, new = refused
            table = self.table([(row, new)])
            return self.none(
                "manifold",
                f"There is no change to suggest: {int(hit.sum())} of {len(rows)} changes tried pass "
                f"the threshold {_plain(self.search.threshold)}, but no real row is near any of "
                f"them (the cheapest is {table['distance'].iloc[0]:.3g} away, accepted is "
                f"{self.bound:.3g}).",
                best,
                table,
            )
        found = self.refine(self.choose(starts))
        chosen: list[tuple[np.ndarray, float]] = []
        taken: list[set[int]] = []
        for row, new in found:
            touched = set(self.touched(row))
            if not any(t <= touched for t in taken):
                chosen.append((row, new))
                taken.append(touched)
            if len(chosen) == self.n:
                break
        frame = self.search._frame(np.array([row for row, _ in chosen]))
        frame.index = pd.RangeIndex(1, len(frame) + 1, name="change")
        return Counterfactuals(
            table=self.table(chosen),
            rows=frame,
            refused=self.table([]),
            score=self.score,
            threshold=self.search.threshold,
            bound=self.bound,
            blocked_by=None,
            reason=None,
            best_score=best,
            n_scored=self.n_scored,
            n_calls=self.n_calls,
        )

    def choose(self, starts: list) -> list:
        """Pick the cheapest few, then those that are not just a cheaper one with more columns."""
        starts.sort(key=lambda s: (round(s[0], 12), len(s[1]), s[1]))
        picked = starts[:4]
        for i, start in enumerate(starts[4:], 4):
            if len(picked) >= 4 + 2 * self.n:
                break
            if not any(set(s[1]) <= set(start[1]) for s in starts[:i]):
                picked.append(start)
        return picked

    def touched(self, row: np.ndarray) -> tuple[int, ...]:
        same = (row == self.now) | (np.isnan(row) & np.isnan(self.now))
        return tuple(np.flatnonzero(~same))

    def refine(self, starts: list) -> list[tuple[np.ndarray, float]]:
        """Shrink every start, all of them in one model call a round."""
        best = [(cost, row) for cost, _, row in starts]
        groups = [group for _, group, _ in starts]
        reach = [np.abs(row - self.now) for _, _, row in starts]
        shrink = np.arange(1, REFINE_POINTS + 1) / REFINE_POINTS
        for _ in range(REFINE_ROUNDS):
            blocks = [
                self.moves(best[i][1], groups[i], reach[i], shrink, best[i][0])
                for i in range(len(best))
            ]
            self.keep_best(best, blocks, groups)
            reach = [r / (REFINE_POINTS / 2) for r in reach]
        tidied = []
        for _, row in best:
            neat = row.copy()
            for j in self.touched(row):
                neat[j] = self.columns[j].tidy(self.now[j], row[j])
            tidied.append(neat)
        # the last call scores just what is handed out, rounded and not
        both = np.array([*tidied, *(row for _, row in best)])
        scores, costs = self.ask(both), self.cost(both)
        result = []
        for i in range(len(best)):
            for k in (i, i + len(best)):
                fine = self.crosses(scores[k : k + 1])[0]
                if fine and self.near(self.distance(both[[k]], groups[i]))[0]:
                    result.append((float(costs[k]), both[k], float(scores[k])))
                    break
        result.sort(key=lambda r: (round(r[0], 12), len(self.touched(r[1])), self.touched(r[1])))
        return [(row, new) for _, row, new in result]

    def moves(self, row, group, reach, shrink, cost) -> np.ndarray:
        """Cheaper neighbours: less of one column, less of all, or less of one for more of another."""
        options = []
        numeric = [j for j in group if self.columns[j].numeric or self.columns[j].ordered]
        sign = np.sign(row - self.now)
        for j in group:
            if j in numeric:
                values = row[j] - sign[j] * reach[j] * shrink
                if sign[j]:  # shrinking must not pass the present value
                    values = np.maximum(values * sign[j], self.now[j] * sign[j]) * sign[j]
            else:
                values = np.array([self.now[j]])
            part = np.tile(row, (len(values), 1))
            part[:, j] = values
            options.append(part)
        if len(numeric) > 1:
            part = np.tile(row, (len(shrink), 1))
            part[:, numeric] = row[numeric] - shrink[:, None] * (sign * reach)[numeric]
            options.append(part)
            for a, b in [(a, b) for a in numeric for b in numeric if a != b]:
                more, less = np.meshgrid(shrink[1::3], shrink[1::2])
                part = np.tile(row, (more.size, 1))
                part[:, a] = row[a] + sign[a] * reach[a] * more.ravel()
                part[:, b] = row[b] - sign[b] * reach[b] * less.ravel()
                options.append(part)
        rows = np.vstack(options)
        for j in group:
            rows[:, j] = self.columns[j].snap(self.now[j], rows[:, j])
        return rows[self.cost(rows) < cost - 1e-12]

    def keep_best(self, best: list, blocks: list, groups: list) -> None:
        if not sum(map(len, blocks)):
            return
        scores = self.ask(np.vstack(blocks))
        start = 0
        for i, rows in enumerate(blocks):
            hit = self.crosses(scores[start : start + len(rows)])
            start += len(rows)
            rows = rows[hit]
            if not len(rows):
                continue
            rows = rows[self.near(self.distance(rows, groups[i]))]
            if len(rows):
                cost = self.cost(rows)
                k = int(cost.argmin())
                best[i] = (cost[k], rows[k])

    def table(self, changes: list[tuple[np.ndarray, float]]) -> pd.DataFrame:
        parts = []
        for number, (row, new) in enumerate(changes, 1):
            touched = self.touched(row)
            distance = float(self.distance(row[None], touched, exact=True)[0])
            for j in touched:
                c = self.columns[j]
                parts.append(
                    {
                        "change": number,
                        "column": c.name,
                        "from": c.one(self.now[j]),
                        "to": c.one(row[j]),
                        "cost": float(c.price(self.now[j], row[[j]])[0]),
                        "total_cost": float(self.cost(row[None])[0]),
                        "new_score": float(new),
                        "distance": distance,
                        "on_manifold": bool(self.near(distance)),
                    }
                )
        names = [
            "change",
            "column",
            "from",
            "to",
            "cost",
            "total_cost",
            "new_score",
            "distance",
            "on_manifold",
        ]
        table = {name: [part[name] for part in parts] for name in names}
        for name in ("from", "to"):  # each its own kind: a number and a name may stand together
            table[name] = pd.Series(table[name], dtype=object)
        return pd.DataFrame(table)

    def none(self, blocked_by, reason, best_score, refused=None) -> Counterfactuals:
        return Counterfactuals(
            table=self.table([]),
            rows=self.search._frame(np.empty((0, len(self.now)))),
            refused=self.table([]) if refused is None else refused,
            score=self.score,
            threshold=self.search.threshold,
            bound=self.bound,
            blocked_by=blocked_by,
            reason=reason,
            best_score=best_score,
            n_scored=self.n_scored,
            n_calls=self.n_calls,
        )
