"""One thing measured on what a policy does, and the bounds that it is held to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ethicalai_lab.core.checks import Finite, check_fields
from ethicalai_lab.policy import wording
from ethicalai_lab.policy.errors import PolicyError

__all__ = [
    "DIMENSIONS",
    "DIRECTIONS",
    "ENOUGH",
    "FEWEST_REFITS",
    "INTERVAL_TOLERANCE",
    "TOLERANCE",
    "Limit",
    "Measure",
    "RuleViolation",
    "refit_bounds",
]

Dimension = Literal["value", "privacy", "fairness", "consent", "transparency", "duty"]
#: What a policy is measured on, in the order of the scorecard.
DIMENSIONS = get_args(Dimension)
DIRECTIONS = {"higher": "higher is better", "lower": "lower is better", "none": "neither is better"}
#: How far a value, relative to 1 or to itself, may be off and still count as equal: processors and
#: versions of linear algebra sum in other orders, and bounds are typed in decimals.
TOLERANCE = 1e-9
#: The same for the ends of an interval and its replicates, in which one person may change sides.
INTERVAL_TOLERANCE = 1e-3
#: An interval whose spread is made by fewer people than this is not to be relied upon.
ENOUGH = 10.0
#: Fewer refits than this show too little of what varies.
FEWEST_REFITS = 10
_NUMBERS = ("value", "low", "high", "truth", "threshold", "spread_by")
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_SAYS = {"max": "at most", "min": "at least"}


def _short(value: float, *beside: float | None) -> str:
    """Write a number in four digits, or in full where it would look like another one."""
    short = f"{value:.4g}"
    alike = any(x is not None and x != value and f"{x:.4g}" == short for x in beside)
    return f"{value:.15g}" if alike or (abs(value) >= 1e4 and value == round(value)) else short


@dataclass(frozen=True)
class RuleViolation:
    """A bound that a measure does not keep.

    Attributes
    ----------
    measure : str
        The measure's key, such as ``"privacy.reidentified_by_linkage"``.
    value : float or None
        What was measured; None where there is no number.
    threshold : float
        The bound.
    set_by : str
        Who set it.
    text : str
        The miss in words.
    bound : {"max", "min"}
        Whether the threshold is the most or the least accepted.
    kind : {"beyond", "uncertain", "needs"}
        The value is beyond the bound; or is within, but not for certain, where that
        was asked; or there is no number.
    straddles : bool
        Whether the interval lies on both sides of the bound, so that the data
        cannot tell.
    low, high : float or None
        The measure's interval.
    """

    measure: str
    value: float | None
    threshold: float
    set_by: str
    text: str
    bound: str
    kind: str
    straddles: bool = False
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Limit:
    """One bound on a measure.

    Parameters
    ----------
    bound : {"max", "min"}
        Whether the measure may be at most, or must be at least, `threshold`.
    threshold : float
        The bound, in the measure's unit. On it is within.
    set_by : str
        Who set it.
    certain : bool
        Whether the whole interval must be within, rather than the value alone: the one over
        refits where they were run. A measure without an interval that is counted, not
        estimated, is its value; one whose spread a few people make is never certain.

    Raises
    ------
    PolicyError
        If the threshold is no finite number or nobody is named.

    Examples
    --------
    >>> str(Limit("max", 0.01, "the board"))
    'at most 0.01 (set by the board)'
    """

    bound: Literal["max", "min"]
    threshold: Finite
    set_by: str
    certain: bool = False

    def __post_init__(self) -> None:
        check_fields(self, PolicyError)
        if not self.set_by.strip():
            raise PolicyError("a limit names nobody who set it; set_by is needed.")
        object.__setattr__(self, "threshold", float(self.threshold))

    def __str__(self) -> str:
        certain = ", for certain" if self.certain else ""
        return f"{_SAYS[self.bound]} {_short(self.threshold)}{certain} (set by {self.set_by})"

    def is_beyond(self, number: float) -> bool:
        """Return whether a number is beyond the bound."""
        slack = TOLERANCE * max(1.0, abs(self.threshold))
        if self.bound == "max":
            return number > self.threshold + slack
        return number < self.threshold - slack

    def straddled(self, measure: Measure) -> bool:
        """Return whether the measure's interval lies on both sides of the bound."""
        low, high = measure.reach
        if low is None or high is None:
            return False
        return self.is_beyond(low) != self.is_beyond(high)

    def judge(self, measure: Measure) -> RuleViolation | None:
        """Return how the measure misses this bound, or None where it is within.

        A measure that has no number misses every bound: nothing shows that it is within.
        """
        asks = f"{self.set_by} asks for {_SAYS[self.bound]} {_short(self.threshold, measure.value)}"
        if measure.value is None:
            text = f"{measure.key} has no number: {measure.needs}; {asks}."
            return self._violation(measure, text, "needs")
        says = f"{measure.key} is {_short(measure.value, self.threshold)}; {asks}"
        if self.is_beyond(measure.value):
            return self._violation(measure, f"{says}.{self._how_far(measure)}", "beyond")
        doubt = self._doubt(measure) if self.certain and not measure.exact else ""
        if not doubt:
            return None
        return self._violation(measure, f"{says}, for certain. {doubt}: cannot tell.", "uncertain")

    def _violation(self, measure: Measure, text: str, kind: str) -> RuleViolation:
        low, high = measure.reach
        straddles = kind != "needs" and self.straddled(measure)
        given = (measure.key, measure.value, self.threshold, self.set_by, text, self.bound, kind)
        return RuleViolation(*given, straddles, low, high)

    def _reach(self, measure: Measure) -> str:
        low, high = measure.reach
        if low is None or high is None:
            return ""
        return f"{_short(low, self.threshold)} to {_short(high, self.threshold)}"

    def _how_far(self, measure: Measure) -> str:
        reach = self._reach(measure)
        if self.straddled(measure):
            return f" Its interval, {reach}, lies on both sides of that: cannot tell."
        return f" Its whole interval, {reach}, is beyond that." if reach else ""

    def _doubt(self, measure: Measure) -> str:
        """Say why a value within the bound is not so for certain; empty where it is."""
        reach = self._reach(measure)
        if self.straddled(measure):
            return f"Its interval, {reach}, lies on both sides of that"
        if not reach:
            return "It has no interval, so nothing shows that it is"
        if measure.spread_by is not None and measure.spread_by < ENOUGH:
            return f"Its interval, {reach}, is made by about {round(measure.spread_by)} cases"
        return ""


@dataclass(frozen=True, eq=False)
class Measure:
    """One thing measured on what a policy does.

    Parameters
    ----------
    dimension : str
        One of :data:`DIMENSIONS`.
    measure : str
        The name, in snake_case; unique in its dimension.
    meaning : str
        What is measured, in one plain sentence.
    unit : str
        Unit of value, interval, truth and threshold. One that starts with ``"share"``
        (0 to 1) is shown in percent, ``"difference of shares"`` in percentage points.
    direction : {"higher", "lower", "none"}
        Which way is better; ``"none"`` where neither is.
    evidence : str
        Which function measured it, on which data.
    value : float or None
        What came out; None where it cannot be measured.
    low, high : float, optional
        The interval, with `value` inside; both or neither. A measure that is counted,
        not estimated, has none.
    truth : float, optional
        The true value, where the world knows it.
    needs : str
        What is missing where `value` is None, such as
        ``"needs a column with the role consent"``.
    threshold : float, optional
        A bound, read by `direction`: the least where higher is better, else the most.
    set_by : str
        Who set the threshold.
    replicates : array-like of shape (n_boot,), optional
        The measure on bootstrap resamples of people; nan where it is undefined.
    samples : str
        Names the resamples. Replicates of two measures with the same name are paired.
    limits : tuple of Limit
        The bounds, in place of `threshold`, where they do not follow the direction or
        are two.
    learned : bool
        Whether chance in learning and choosing moves it, beside chance in people. Then the
        interval over people is too narrow to compare policies by.
    refits : array-like of shape (n_refits,), optional
        The measure on random halves of the people, each with all learned and drawn anew; nan
        where it is undefined. They give ``refit_low`` and ``refit_high``.
    only_here : bool
        Whether the value itself is read from the world's truth, which no company knows.
    spread_by : float, optional
        How many people make most of the spread, where they are few.
    basis : str
        Names all that the value depends on. Two measures with one basis and the same
        resamples are one measurement, and their difference is nothing.

    Raises
    ------
    PolicyError
        If a field is not accepted, naming it.

    Examples
    --------
    >>> found = Measure(
    ...     "privacy", "reidentified_share", "Share of people found again in the release.",
    ...     "share", "lower", "privacy.linkage_attack on the release and the register",
    ...     value=0.031, low=0.022, high=0.043,
    ... )
    >>> found.key, found.shown
    ('privacy.reidentified_share', '3.1 % (2.2 to 4.3)')
    """

    dimension: Dimension
    measure: str
    meaning: str
    unit: str
    direction: Literal["higher", "lower", "none"]
    evidence: str
    value: Finite | None
    low: Finite | None = None
    high: Finite | None = None
    truth: Finite | None = None
    needs: str = ""
    threshold: Finite | None = None
    set_by: str = ""
    replicates: NDArray[np.float64] | None = field(default=None, repr=False)
    samples: str = ""
    limits: tuple[Limit, ...] = ()
    basis: str = ""
    learned: bool = False
    refits: NDArray[np.float64] | None = field(default=None, repr=False)
    only_here: bool = False
    spread_by: Finite | None = None

    def __post_init__(self) -> None:
        check_fields(self, self._wrong)  # type: ignore[arg-type]
        if not _NAME.match(self.measure):
            raise self._wrong("accepted is a name in snake_case, such as reidentified_share.")
        for name in ("meaning", "evidence"):
            if not getattr(self, name).strip():
                raise self._wrong(f"{name} is blank; say it in one sentence.")
        for name in _NUMBERS:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, float(getattr(self, name)))
        self._check_value()
        self._set_limits()
        for name in ("replicates", "refits"):
            self._set_draws(name)

    def _wrong(self, said: str) -> PolicyError:
        return PolicyError(f"{self.key}: {said}")

    def _check_value(self) -> None:
        if (self.low is None) != (self.high is None):
            raise self._wrong("low and high come together; one of them is missing.")
        if self.value is None and not self.needs.strip():
            raise self._wrong(
                "there is no value; needs must say what is missing, such as "
                '"needs a column with the role consent".'
            )
        if self.value is None and (self.low is not None or self.replicates is not None):
            raise self._wrong("there is an interval, but no value.")
        if self.value is not None and self.needs:
            raise self._wrong("there is a value, and needs says that there is none.")
        if self.value is None or self.low is None or self.high is None:
            return
        # a bound computed apart from the value may miss it by the last bits
        slack = TOLERANCE * max(1.0, abs(self.value))
        if not self.low - slack <= self.value <= self.high + slack:
            raise self._wrong(
                f"the value, {self.value:.10g}, is outside its interval, "
                f"{self.low:.10g} to {self.high:.10g}."
            )
        object.__setattr__(self, "low", min(self.low, self.value))
        object.__setattr__(self, "high", max(self.high, self.value))

    def _set_limits(self) -> None:
        limits = tuple(self.limits)
        if limits and self.threshold not in (None, limits[0].threshold):
            raise self._wrong("give threshold or limits, not both.")
        if not limits and self.threshold is not None:
            if not self.set_by.strip():
                raise self._wrong("the threshold needs set_by: who set it.")
            bound = "min" if self.direction == "higher" else "max"
            limits = (Limit(bound, self.threshold, self.set_by),)
        if not limits and self.set_by:
            raise self._wrong("set_by names who set a threshold, and there is none.")
        object.__setattr__(self, "limits", limits)
        if limits:
            object.__setattr__(self, "threshold", limits[0].threshold)
            object.__setattr__(self, "set_by", limits[0].set_by)

    def _set_draws(self, name: str) -> None:
        if getattr(self, name) is None:
            return
        try:
            draws = np.array(getattr(self, name), dtype=float)
        except (TypeError, ValueError):
            draws = np.empty((0, 0))
        if draws.ndim != 1 or not draws.size or np.isinf(draws).any():
            raise self._wrong(f"{name} must be a list of numbers, none infinite.")
        draws.setflags(write=False)
        object.__setattr__(self, name, draws)

    @property
    def key(self) -> str:
        """Dimension, dot, name."""
        return f"{self.dimension}.{self.measure}"

    @property
    def refit_low(self) -> float | None:
        """Low end of the interval over refits; None without at least ten of them."""
        return self._over_refits[0]

    @property
    def refit_high(self) -> float | None:
        """High end of the interval over refits."""
        return self._over_refits[1]

    @property
    def reach(self) -> tuple[float | None, float | None]:
        """The interval over refits where they were run, else the one over people."""
        wide = self._over_refits
        return (self.low, self.high) if wide[0] is None else wide

    @cached_property
    def _over_refits(self) -> tuple[float | None, float | None]:
        if self.value is None or self.refits is None:
            return None, None
        return refit_bounds(self.value, self.refits, self.low, self.high)

    @property
    def exact(self) -> bool:
        """Whether the value is counted rather than estimated: it has no interval to give."""
        return self.value is not None and self.low is None and self.replicates is None

    @property
    def misses(self) -> tuple[RuleViolation, ...]:
        """The bounds it does not keep."""
        found = (limit.judge(self) for limit in self.limits)
        return tuple(violation for violation in found if violation is not None)

    @property
    def shown(self) -> str:
        """Value and interval as people read them; what is missing where there is no value."""
        if self.value is None:
            return self.needs
        return wording.with_interval(self.value, self.low, self.high, self.unit)

    @property
    def shown_refits(self) -> str:
        """The interval over refits as people read it; empty where there is none."""
        if self.refit_low is None or self.refit_high is None:
            return ""
        return f"with refits {wording.bounds(self.refit_low, self.refit_high, self.unit)}"

    @property
    def shown_truth(self) -> str:
        """The truth as people read it; empty where the world does not know it."""
        if self.only_here and self.value is not None:
            return "known only here"
        return "" if self.truth is None else wording.number(self.truth, self.unit)

    @property
    def told_truth(self) -> str:
        """The truth with its name; where only the value is known by it, that this is so."""
        known = self.truth is not None and not self.only_here
        return f"truth {self.shown_truth}" if known else self.shown_truth

    @property
    def shown_unit(self) -> str:
        """The unit, or that there is none."""
        return self.unit or "no unit"

    @property
    def shown_limits(self) -> list[str]:
        """Each bound with what became of it."""
        return [self._shown_limit(limit) for limit in self.limits]

    def _shown_limit(self, limit: Limit) -> str:
        found = limit.judge(self)
        state = "no number" if self.value is None else "kept" if found is None else "missed"
        unsure = ", cannot tell for certain" if limit.straddled(self) else ""
        bound = f"{_SAYS[limit.bound]} {wording.number(limit.threshold, self.unit)}"
        certain = ", for certain" if limit.certain else ""
        return f"{bound}{certain} ({limit.set_by}): {state}{unsure}"

    def __repr__(self) -> str:
        return f"Measure({self.key}: {self.shown})"


def refit_bounds(
    value: float, refits: NDArray[np.float64], low: float | None = None, high: float | None = None
) -> tuple[float | None, float | None]:
    """Return the interval of a value over refits, no narrower than the one over people.

    Parameters
    ----------
    value : float
        On all people.
    refits : ndarray of shape (n_refits,)
        The same on random halves of them, all learned anew; nan where it is undefined.
    low, high : float, optional
        The interval over people.

    Returns
    -------
    tuple of float or None
        None where fewer than ten refits have a number.

    References
    ----------
    Shao and Wu (1989). A general theory for jackknife variance estimation. Annals of
    Statistics 17: values on halves drawn without replacement vary as the value on all does.

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(0.5, 0.1, 40)
    >>> [round(x, 2) for x in refit_bounds(0.52, draws)]
    [0.36, 0.68]
    """
    from scipy.stats import t

    good = refits[np.isfinite(refits)]
    if good.size < FEWEST_REFITS:
        return None, None
    reach = float(t.ppf(0.975, good.size - 1) * good.std(ddof=1))
    # the last digits differ between processors
    down, up = float(f"{value - reach:.6g}"), float(f"{value + reach:.6g}")
    return (down if low is None else min(low, down)), (up if high is None else max(high, up))
