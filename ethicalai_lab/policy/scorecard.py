"""The scorecard: what a policy was measured to do, over six dimensions.

Each measure has a value, an interval, a direction and, where the world knows it, the
truth. A scorecard names the test that was run and what came out; it passes no verdict.

References
----------
Newcombe, R. G. (1998). Interval estimation for the difference between independent
proportions: comparison of eleven methods. Statistics in Medicine 17, 873-890.

Zou, G. Y. and Donner, A. (2008). Construction of confidence limits about effect measures:
a general approach. Statistics in Medicine 27, 1693-1702.

Efron, B. and Tibshirani, R. J. (1993). An Introduction to the Bootstrap. Chapman & Hall.
"""

from __future__ import annotations

import csv
import html
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ethicalai_lab.core.files import write_atomic
from ethicalai_lab.core.reading import READING, reading_html
from ethicalai_lab.core.yaml import Text, scalar
from ethicalai_lab.errors import did_you_mean
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.policy import Policy, _from_text
from ethicalai_lab.policy.rules import (
    DIMENSIONS,
    INTERVAL_TOLERANCE,
    TOLERANCE,
    Limit,
    Rule,
    Rules,
    RuleViolation,
    near,
)
from ethicalai_lab.policy.sections import SECTIONS
from ethicalai_lab.policy.stages import widened
from ethicalai_lab.policy.stored import FORMAT, StoredMeasure, read_stored
from ethicalai_lab.stats import percentile_interval

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "DIMENSIONS", "Comparison", "Measure", "Scorecard", "compare_scorecards"]

#: Columns of a scorecard's table.
COLUMNS = (
    "dimension",
    "measure",
    "value",
    "low",
    "high",
    "truth",
    "direction",
    "evidence",
    "unit",
    "threshold",
    "set_by",
    "needs",
    "meaning",
    "refit_low",
    "refit_high",
    "only_here",
)
DIRECTIONS = {"higher": "higher is better", "lower": "lower is better", "none": "neither is better"}
READINGS = ("better", "worse", "cannot tell", "needs refits", "same", "")
_NUMBERS = ("value", "low", "high", "truth")
#: Fewer refits than this show too little of what varies.
FEWEST_REFITS = 10
_TEXTS = ("dimension", "measure", "meaning", "unit", "direction", "evidence")
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_NOTE = (
    "Each bar has its own scale and contains zero: thick, the interval; round, the value; cross, "
    "the truth where this world knows it; dashed, a bound. An interval is over people drawn again, "
    "with this run's model, choice of people and noise held fixed, and the truth is that of these "
    "people; what is learned or drawn anew varies more, and has its interval over refits where "
    "they were run. These are results of the tests named "
    "under evidence, on the data named there. They are no verdict: what was not measured is not "
    "on the card, and a test that found nothing does not show that there is nothing."
)


# ------------------------------------------------------------------------- a measure


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

    dimension: str
    measure: str
    meaning: str
    unit: str
    direction: str
    evidence: str
    value: float | None
    low: float | None = None
    high: float | None = None
    truth: float | None = None
    needs: str = ""
    threshold: float | None = None
    set_by: str = ""
    replicates: NDArray[np.float64] | None = field(default=None, repr=False)
    samples: str = ""
    limits: tuple[Limit, ...] = ()
    basis: str = ""
    learned: bool = False
    refits: NDArray[np.float64] | None = field(default=None, repr=False)
    only_here: bool = False
    spread_by: float | None = None

    def __post_init__(self) -> None:
        for name in (*_TEXTS, "needs", "set_by", "samples", "basis"):
            if not isinstance(getattr(self, name), str):
                raise PolicyError(
                    f"Measure: {name} must be a text, not {type(getattr(self, name)).__name__}."
                )
        if self.dimension not in DIMENSIONS:
            raise PolicyError(
                f'Measure: there is no dimension "{self.dimension}"; accepted are '
                f"{', '.join(DIMENSIONS)}.{did_you_mean(self.dimension, DIMENSIONS)}"
            )
        if not _NAME.match(self.measure):
            raise PolicyError(
                f'Measure: measure is "{self.measure}"; accepted: a name in snake_case, such as '
                "reidentified_share."
            )
        if self.direction not in DIRECTIONS:
            raise PolicyError(
                f'{self.key}: direction is "{self.direction}"; accepted: higher, lower or none.'
                f"{did_you_mean(self.direction, DIRECTIONS)}"
            )
        for name in ("meaning", "evidence"):
            if not getattr(self, name).strip():
                raise PolicyError(f"{self.key}: {name} is blank; say it in one sentence.")
        for name in (*_NUMBERS, "threshold", "spread_by"):
            object.__setattr__(self, name, self._finite(name))
        self._check_interval()
        self._set_limits()
        for name in ("replicates", "refits"):
            self._set_draws(name)

    def _finite(self, name: str) -> float | None:
        number = getattr(self, name)
        if number is None:
            return None
        try:
            number = float(number)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise PolicyError(
                f"{self.key}: {name} is {getattr(self, name)!r}; accepted: a finite number"
                f"{', or None with needs' if name == 'value' else ' or None'}."
            )
        return number

    def _check_interval(self) -> None:
        if (self.low is None) != (self.high is None):
            raise PolicyError(f"{self.key}: low and high come together; one of them is missing.")
        if self.value is None:
            if not self.needs.strip():
                raise PolicyError(
                    f"{self.key}: there is no value; needs must say what is missing, such as "
                    '"needs a column with the role consent".'
                )
            if self.low is not None or self.replicates is not None:
                raise PolicyError(f"{self.key}: there is an interval, but no value.")
        elif self.needs:
            raise PolicyError(f"{self.key}: there is a value, and needs says that there is none.")
        if self.value is None or self.low is None or self.high is None:
            return
        # a bound computed apart from the value may miss it by the last bits
        slack = TOLERANCE * max(1.0, abs(self.value))
        if not self.low - slack <= self.value <= self.high + slack:
            raise PolicyError(
                f"{self.key}: the value, {self.value:.10g}, is outside its interval, "
                f"{self.low:.10g} to {self.high:.10g}."
            )
        object.__setattr__(self, "low", min(self.low, self.value))
        object.__setattr__(self, "high", max(self.high, self.value))

    def _set_limits(self) -> None:
        limits = tuple(self.limits)
        if not all(isinstance(limit, Limit) for limit in limits):
            raise PolicyError(f"{self.key}: limits holds Limit objects only.")
        if limits and self.threshold not in (None, limits[0].threshold):
            raise PolicyError(f"{self.key}: give threshold or limits, not both.")
        if not limits and self.threshold is not None:
            if not self.set_by.strip():
                raise PolicyError(f"{self.key}: the threshold needs set_by: who set it.")
            bound = "min" if self.direction == "higher" else "max"
            limits = (Limit(bound, self.threshold, self.set_by),)
        if not limits and self.set_by:
            raise PolicyError(f"{self.key}: set_by names who set a threshold, and there is none.")
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
            one = "resample" if name == "replicates" else "refit"
            raise PolicyError(
                f"{self.key}: {name} must be a list of numbers, one a {one}, not infinite."
            )
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
        return tuple(miss for miss in found if miss is not None)

    @property
    def shown(self) -> str:
        """Value and interval as people read them; what is missing where there is no value."""
        if self.value is None:
            return self.needs
        return _with_interval(self.value, self.low, self.high, self.unit)

    @property
    def shown_refits(self) -> str:
        """The interval over refits as people read it; empty where there is none."""
        if self.refit_low is None or self.refit_high is None:
            return ""
        return f"with refits {_bounds(self.refit_low, self.refit_high, self.unit)}"

    @property
    def shown_truth(self) -> str:
        """The truth as people read it; empty where the world does not know it."""
        if self.only_here and self.value is not None:
            return "known only here"
        return "" if self.truth is None else _number(self.truth, self.unit)

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


# ----------------------------------------------------------------------- a scorecard


@dataclass(frozen=True, eq=False)
class Scorecard:
    """What a policy was measured to do.

    Parameters
    ----------
    measures : iterable of Measure
        Each key once. They are kept in the order of the dimensions.
    policy : Policy
        What was measured.
    about : mapping
        On what: world, n, seed, n_boot, version; plain values only.

    Raises
    ------
    PolicyError
        If a measure is there twice, or `about` holds what no JSON file can hold.

    Examples
    --------
    >>> card = Scorecard(
    ...     [Measure("value", "profit", "Profit a customer.", "EUR per customer", "higher",
    ...              "personalization.policy_value on the campaign", 0.42, 0.31, 0.53)],
    ...     Policy(), {"n": 20_000, "seed": 0},
    ... )
    >>> card["value.profit"].shown
    '0.42 (0.31 to 0.53)'
    >>> card.with_rules(Rules.parse(
    ...     "{set_by: the head of marketing, rules: {value.profit: {min: 0.5}}}"
    ... )).misses[0].straddles
    True
    """

    measures: tuple[Measure, ...]
    policy: Policy
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        listed = tuple(self.measures)
        if not all(isinstance(measure, Measure) for measure in listed):
            raise PolicyError("Scorecard: measures holds Measure objects only.")
        seen: set[str] = set()
        for measure in listed:
            if measure.key in seen:
                raise PolicyError(f"Scorecard: {measure.key} is there twice; keep one.")
            seen.add(measure.key)
        if not isinstance(self.policy, Policy):
            raise PolicyError(
                f"Scorecard: policy must be a Policy, not {type(self.policy).__name__}."
            )
        if not isinstance(self.about, Mapping):
            raise PolicyError("Scorecard: about must be a mapping of plain values.")
        ordered = sorted(listed, key=lambda measure: DIMENSIONS.index(measure.dimension))
        object.__setattr__(self, "measures", tuple(ordered))
        object.__setattr__(self, "about", _plain(dict(self.about), "about"))

    @property
    def how_read(self) -> tuple[str, ...]:
        """What a team's own table held that was read otherwise than it is written."""
        said = self.about.get("how_read", ())
        return tuple(map(str, said)) if isinstance(said, list | tuple) else (str(said),)

    @property
    def facts(self) -> dict[str, Any]:
        """What `about` says besides: world, number of people, seed, resamples, version."""
        return {name: value for name, value in self.about.items() if name != "how_read"}

    def __len__(self) -> int:
        return len(self.measures)

    def __getitem__(self, key: str) -> Measure:
        for measure in self.measures:
            if measure.key == key:
                return measure
        known = [measure.key for measure in self.measures]
        raise PolicyError(
            f'there is no measure "{key}" on this scorecard; measures are named such as '
            f"{known[0] if known else 'privacy.reidentified_share'}.{near(key, known)}"
        )

    def get(self, key: str, default: Measure | None = None) -> Measure | None:
        """Return the measure of this key, or `default` where there is none."""
        return self[key] if key in self else default  # noqa: SIM401

    def __contains__(self, key: object) -> bool:
        return any(measure.key == key for measure in self.measures)

    @property
    def table(self) -> pd.DataFrame:
        """One row a measure; numbers that are not there are nan."""
        import pandas as pd

        rows = [[getattr(measure, name) for name in COLUMNS] for measure in self.measures]
        out = pd.DataFrame(rows, columns=list(COLUMNS))
        numbers = [*_NUMBERS, "threshold", "refit_low", "refit_high"]
        out[numbers] = out[numbers].astype(float)
        return out

    @property
    def needs(self) -> list[Measure]:
        """The measures that have no number."""
        return [measure for measure in self.measures if measure.value is None]

    @property
    def misses(self) -> list[RuleViolation]:
        """The bounds that are not kept, in the order of the measures."""
        return [miss for measure in self.measures for miss in measure.misses]

    @property
    def summary(self) -> str:
        """What is on the card, in two sentences."""
        counted = len(self.measures) - len(self.needs)
        text = f"{counted} of {_n(len(self.measures), 'measure')} {_has(counted)} a number."
        bounds = sum(len(measure.limits) for measure in self.measures)
        if not bounds:
            return f"{text} No bound is set."
        misses = self.misses
        unclear = sum(miss.straddles for miss in misses)
        text += f" {len(misses)} of {_n(bounds, 'bound')} {_is(len(misses))} missed"
        return text + (f", {unclear} of them within the interval's reach." if unclear else ".")

    def with_rules(self, rules: Rules) -> Scorecard:
        """Return a scorecard that is held to a team's rules.

        Parameters
        ----------
        rules : Rules
            Bounds and who set them; they replace those of the measures they name.

        Returns
        -------
        Scorecard

        Raises
        ------
        PolicyError
            If a rule names a measure that is not on the card.
        """
        if not isinstance(rules, Rules):
            raise PolicyError(
                f"with_rules takes Rules, such as Rules.load(path), not {type(rules).__name__}."
            )
        found: dict[str, Rule] = rules.measures(self)
        measures = [
            replace(measure, limits=found[measure.key].limits, threshold=None, set_by="")
            if measure.key in found
            else measure
            for measure in self.measures
        ]
        return Scorecard(tuple(measures), self.policy, self.about)

    # -- files -----------------------------------------------------------------

    def to_json(self, path: str | Path | None = None, *, replicates: bool = True) -> str:
        """Return the card as JSON, and write it where a path is given.

        Parameters
        ----------
        path : path-like, optional
            A file, written whole or not at all.
        replicates : bool, default True
            Whether to keep the bootstrap replicates, without which two cards read
            back are not compared in pairs.

        Returns
        -------
        str
            What :meth:`from_json` reads. Its `tolerance` says how far a number of the same
            card, relative to 1 or to itself, may be off on another machine.

        Raises
        ------
        PolicyError
            If the file cannot be written.
        """
        measures = []
        for measure in self.measures:
            row: dict[str, Any] = {name: getattr(measure, name) for name in (*_TEXTS, *_NUMBERS)}
            row["needs"] = measure.needs
            for name in ("basis", "samples"):
                if getattr(measure, name):
                    row[name] = getattr(measure, name)
            for name in ("learned", "only_here", "spread_by"):
                if getattr(measure, name):
                    row[name] = getattr(measure, name)
            if measure.refits is not None:
                row["refits"] = _listed(measure.refits)
            row["limits"] = [
                {f.name: getattr(limit, f.name) for f in fields(Limit)} for limit in measure.limits
            ]
            if replicates and measure.replicates is not None:
                row["replicates"] = _listed(measure.replicates)
            elif measure.replicates is not None:
                row["estimated"] = True
            measures.append(row)
        data = {
            "format": FORMAT,
            "version": 1,
            "tolerance": {"value": TOLERANCE, "interval": INTERVAL_TOLERANCE},
            "about": self.about,
            "policy": _policy_yaml(self.policy),
            "measures": measures,
        }
        # spelled out rather than indented: one measure a line stays readable
        lines = ",\n  ".join(_json(row) for row in measures)
        text = _json(data | {"measures": []})
        text = text.removesuffix("[]}") + (f"[\n  {lines}\n]}}\n" if lines else "[]}\n")
        return _written(text, path)

    @classmethod
    def from_json(cls, source: str | Path) -> Scorecard:
        """Read a scorecard from a file, or from the text of one.

        Parameters
        ----------
        source : path-like or str
            A file that :meth:`to_json` wrote; a str that starts with ``{`` is the text.

        Returns
        -------
        Scorecard

        Raises
        ------
        PolicyError
            If it cannot be read, naming what is at fault.
        """
        return _from_json(source)

    def to_csv(self, path: str | Path | None = None) -> str:
        """Return the table as CSV, and write it where a path is given.

        A text that a spreadsheet would take for a formula gets an apostrophe first.
        """
        rows = [[getattr(measure, name) for name in COLUMNS] for measure in self.measures]
        return _written(_csv(COLUMNS, rows), path)

    def to_markdown(self, path: str | Path | None = None) -> str:
        """Return the card as Markdown, and write it where a path is given."""
        heads = ("measure", "value (interval)", "truth", "bound", "meaning", "evidence")
        out = ["# Scorecard", "", f"**{_cell(self.summary)}**", "", *_bullets(self.facts)]
        if self.how_read:
            out += ["", f"## {READING}", "", *(f"- {_cell(said)}" for said in self.how_read)]
        for dimension, measures in self._by_dimension():
            out += ["", f"## {dimension}", "", *_pipe(heads)]
            for measure in measures:
                cells = (
                    f"{measure.measure} ({_unit(measure)})",
                    "; ".join(filter(None, (measure.shown, measure.shown_refits))),
                    measure.shown_truth,
                    "; ".join(_held(measure)),
                    measure.meaning,
                    measure.evidence,
                )
                out.append("| " + " | ".join(map(_cell, cells)) + " |")
        if self.misses:
            out += ["", "## Bounds missed", ""]
            out += [f"- {_cell(miss.text)}" for miss in self.misses]
        out += ["", "## What was decided", ""]
        out += [f"- {_cell(line)}" for line in _decided(self.policy)] or ["Nothing."]
        out += ["", _cell(_MARKDOWN_NOTE)]
        return _written("\n".join(out) + "\n", path)

    def to_html(self, path: str | Path | None = None, *, title: str = "Scorecard") -> str:
        """Return the card as one HTML page that loads nothing, and write it where told.

        Parameters
        ----------
        path : path-like, optional
            A file, written whole or not at all.
        title : str
            The page's title.

        Returns
        -------
        str
            The page. It prints on one sheet; with more than 36 measures the sheet leaves
            out what each means.
        """
        about = "".join(
            f"<div><dt>{_text(name)}</dt><dd>{_text(_told(value))}</dd></div>"
            for name, value in self.facts.items()
        )
        decided = "".join(f"<li>{_text(line)}</li>" for line in _decided(self.policy))
        dense = " dense" if len(self) > _ROOMY else ""
        body = (
            f'<h1>{_text(title)}</h1>\n<p class="sum"><strong>{_text(self.summary)}</strong></p>\n'
            f"{f'<dl>{about}</dl>' if about else ''}\n"
            f"{reading_html(self.how_read)}\n{self._table_html()}\n{self._misses_html()}"
            "<h2>What was decided</h2>\n"
            + (f'<ul class="cols">{decided}</ul>' if decided else "<p>Nothing.</p>")
            + f'\n<p class="note">{_text(_NOTE)}</p>'
            + (f'<p class="printed">{_text(_LEFT_OUT)}</p>' if dense else "")
        )
        page = (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{_text(title)}</title><style>:root{{color-scheme:light dark}}"
            f"body{{margin:0}}{_CSS}{_PAGE_CSS}</style></head>\n"
            f'<body><main class="eal-score page{dense}">{body}</main></body></html>\n'
        )
        return _written(page, path)

    def _by_dimension(self) -> list[tuple[str, list[Measure]]]:
        groups = ((d, [m for m in self.measures if m.dimension == d]) for d in DIMENSIONS)
        return [(dimension, measures) for dimension, measures in groups if measures]

    def _table_html(self) -> str:
        heads = ("measure", "value (interval)", "bar", "truth", "better", "bound", "evidence")
        head = "".join(f'<th scope="col">{name}</th>' for name in heads)
        bodies = []
        for dimension, measures in self._by_dimension():
            rows = "".join(_row_html(measure) for measure in measures)
            bodies.append(
                f'<tbody><tr class="dim"><th scope="rowgroup" colspan="{len(heads)}">{dimension}'
                f"</th></tr>\n{rows}</tbody>"
            )
        # focusable, so that a wide table scrolls from the keyboard too
        return (
            '<div class="scroll" role="region" tabindex="0" aria-label="Measures"><table>'
            f"<caption>Measures by dimension</caption><thead><tr>{head}</tr></thead>\n"
            f"{''.join(bodies)}</table></div>"
        )

    def _misses_html(self) -> str:
        if not self.misses:
            return ""
        items = "".join(f"<li>{_text(miss.text)}</li>" for miss in self.misses)
        return f"<h2>Bounds missed</h2>\n<ul>{items}</ul>\n"

    def _repr_html_(self) -> str:
        return (
            f'<section class="eal-score" lang="en" aria-label="Scorecard"><style>{_CSS}</style>\n'
            f'<p class="sum"><strong>Scorecard.</strong> {_text(self.summary)}</p>\n'
            f'{self._table_html()}\n<p class="note">{_text(_NOTE)}</p></section>'
        )

    def __repr__(self) -> str:
        return f"Scorecard: {self.summary}"


# -------------------------------------------------------------------------- comparing


@dataclass(frozen=True, eq=False)
class Comparison:
    """Scorecards side by side, with their differences to the first one.

    Attributes
    ----------
    names : tuple of str
        What the cards are called.
    cards : tuple of Scorecard
        The cards, in the same order.
    table : pandas.DataFrame
        One row a measure: dimension, measure, unit, direction, one column a card, then
        difference, low, high, paired, refits (whether the bounds are over them), reading and
        needs. With more than two cards these
        columns are there for each later card, as ``"difference: NAME"``.

    Notes
    -----
    A difference is the later card minus the first. Where both cards hold replicates on
    the same resamples of people, it is taken on each resample (`paired`): what moves both
    cards alike then cancels. Else the interval is put together from the two cards' own
    (Zou and Donner 2008), which supposes that the two are independent. Where chance in
    learning moves the measure it must exclude zero over refits as well; without them the
    reading is ``"needs refits"``. Counts on other people, or under another seed, are no
    verdict on the policies.
    """

    names: tuple[str, ...]
    cards: tuple[Scorecard, ...]
    table: pd.DataFrame = field(repr=False)

    def against(self, name: str) -> pd.DataFrame:
        """Return the comparison of one later card with the first.

        Parameters
        ----------
        name : str
            A card's name, not the first one.

        Returns
        -------
        pandas.DataFrame
            Columns as those of a comparison of two.

        Raises
        ------
        PolicyError
            If there is no such card.
        """
        if name not in self.names[1:]:
            raise PolicyError(
                f'there is no later card "{name}"; accepted are {", ".join(self.names[1:])}.'
                f"{did_you_mean(name, self.names[1:])}"
            )
        at = self.names.index(name)
        return _pair_table(self.names[0], self.cards[0], name, self.cards[at], self._keys)

    @property
    def _keys(self) -> list[str]:
        return _keys(self.cards)

    @property
    def summary(self) -> str:
        """How many measures read better, worse or neither, in a sentence a card."""
        out = []
        for name in self.names[1:]:
            readings = self.against(name)["reading"].tolist()
            counts = [f"{readings.count(word)} {word}" for word in READINGS if word]
            out.append(f"{name} against {self.names[0]}: {', '.join(counts)}.")
        return " ".join(out)

    def to_csv(self, path: str | Path | None = None) -> str:
        """Return the table as CSV, safe from formulas, and write it where a path is given."""
        rows = [
            [_none(value) for value in row] for row in self.table.itertuples(index=False, name=None)
        ]
        return _written(_csv(list(self.table.columns), rows), path)

    def to_markdown(self, path: str | Path | None = None) -> str:
        """Return the comparison as Markdown, and write it where a path is given."""
        heads, groups = self._shown()
        out = ["# Scorecards compared", "", f"**{_cell(self.summary)}**"]
        for dimension, rows in groups:
            out += ["", f"## {dimension}", "", *_pipe([_cell(head) for head in heads])]
            out += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
        return _written("\n".join(out) + "\n", path)

    def _repr_html_(self) -> str:
        heads, groups = self._shown()
        head = "".join(f'<th scope="col">{_text(name)}</th>' for name in heads)
        bodies = []
        for dimension, rows in groups:
            lines = "".join(
                f'<tr><th scope="row">{_text(row[0])}</th>'
                + "".join(f"<td>{_text(cell)}</td>" for cell in row[1:])
                + "</tr>\n"
                for row in rows
            )
            bodies.append(
                f'<tbody><tr class="dim"><th scope="rowgroup" colspan="{len(heads)}">{dimension}'
                f"</th></tr>\n{lines}</tbody>"
            )
        return (
            '<section class="eal-score" lang="en" aria-label="Scorecards compared">'
            f"<style>{_CSS}</style>\n"
            f'<p class="sum"><strong>Scorecards compared.</strong> {_text(self.summary)}</p>\n'
            '<div class="scroll" role="region" tabindex="0" aria-label="Differences"><table>'
            f"<caption>Differences to {_text(self.names[0])}</caption>"
            f"<thead><tr>{head}</tr></thead>\n{''.join(bodies)}</table></div>\n"
            '<p class="note">Paired: both cards on the same resamples of people; over refits, on '
            "the same halves of people, with all learned and chosen anew. Cannot tell: the "
            "interval of the difference holds zero. Needs refits: it does not, but chance in "
            "learning is not in it yet; <code>evaluate(policy, refit=40)</code> brings it in."
            "</p></section>"
        )

    def _shown(self) -> tuple[list[str], list[tuple[str, list[list[str]]]]]:
        heads = ["measure", *self.names]
        several = len(self.names) > 2
        for name in self.names[1:]:
            tail = f": {name}" if several else ""
            heads += [f"difference (interval){tail}", f"paired{tail}", f"reading{tail}"]
        pairs = [self.against(name) for name in self.names[1:]]
        groups: list[tuple[str, list[list[str]]]] = []
        for position, key in enumerate(self._keys):
            dimension, _, name = key.partition(".")
            holder = next(card[key] for card in self.cards if key in card)
            row = [f"{name} ({_unit(holder)}; {DIRECTIONS[holder.direction]})"]
            for own, card in zip(self.names, self.cards, strict=True):
                row.append(card[key].shown if key in card else _absent(own))
            for pair in pairs:
                found = pair.iloc[position]
                if math.isnan(found["difference"]):
                    row += ["", "", ""]
                    continue
                unit = _POINTS if _is_share(holder.unit) else holder.unit
                shown = _with_interval(
                    found["difference"], _none(found["low"]), _none(found["high"]), unit, sign=True
                )
                drawn_on = "over refits" if found["refits"] else "yes" if found["paired"] else "no"
                row += [shown, drawn_on, found["reading"]]
            if not groups or groups[-1][0] != dimension:
                groups.append((dimension, []))
            groups[-1][1].append(row)
        return heads, groups


def compare_scorecards(
    first: Scorecard,
    second: Scorecard,
    *more: Scorecard,
    names: Sequence[str] | None = None,
) -> Comparison:
    """Compare scorecards with the first one, measure by measure.

    Parameters
    ----------
    first, second, *more : Scorecard
        The cards; each later one is compared with the first.
    names : sequence of str, optional
        What to call them; ``"first"``, ``"second"``, ``"third"``, … unless told.

    Returns
    -------
    Comparison

    Raises
    ------
    PolicyError
        If a name is missing, blank or there twice, or two cards give one measure in
        different units or directions.

    References
    ----------
    Efron and Tibshirani (1993), Newcombe (1998), Zou and Donner (2008), see the module.

    Examples
    --------
    >>> def card(value, draws):
    ...     return Scorecard([Measure(
    ...         "value", "profit", "Profit a customer.", "EUR", "higher", "the campaign",
    ...         value, min(draws), max(draws), replicates=draws, samples="world 7")], Policy())
    >>> pair = compare_scorecards(card(2.0, [1.0, 3.0]), card(2.5, [1.5, 3.4]))
    >>> row = pair.table.loc[0]
    >>> float(row["difference"]), bool(row["paired"]), row["reading"]
    (0.5, True, 'better')
    """
    cards = (first, second, *more)
    for card in cards:
        if not isinstance(card, Scorecard):
            raise PolicyError(f"compare_scorecards takes scorecards, not {type(card).__name__}.")
    if names is None:
        ordinals = ("first", "second", "third", "fourth", "fifth", "sixth")
        names = [ordinals[i] if i < len(ordinals) else f"card {i + 1}" for i in range(len(cards))]
    names = (names,) if isinstance(names, str) else tuple(names)
    if len(names) != len(cards):
        raise PolicyError(f"names holds {len(names)} names for {len(cards)} scorecards.")
    columns = {*_FRONT, *_BACK}
    taken = set(columns)
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise PolicyError(f"names holds {name!r}; accepted: a text that is not blank.")
        if name in taken:
            why = "is a column of the comparison" if name in columns else "is there twice"
            raise PolicyError(f'the name "{name}" {why}; call the card something else.')
        taken.add(name)
    keys = _keys(cards)
    for key in keys:
        holders = [card[key] for card in cards if key in card]
        for name in ("unit", "direction"):
            said = list(dict.fromkeys(getattr(measure, name) for measure in holders))
            if len(said) > 1:
                raise PolicyError(
                    f'{key}: the cards give different {name}s, "{said[0]}" and "{said[1]}"; '
                    "they cannot be compared."
                )
    table = _pair_table(names[0], first, names[1], second, keys)
    if len(cards) > 2:
        pairs = {
            name: _pair_table(names[0], first, name, card, keys)
            for name, card in zip(names[1:], cards[1:], strict=True)
        }
        table = table[[*_FRONT, names[0]]].copy()
        for name, pair in pairs.items():
            table[name] = pair[name]
        for name, pair in pairs.items():
            for column in _BACK:
                table[f"{column}: {name}"] = pair[column]
    return Comparison(names, cards, table)


_FRONT = ("dimension", "measure", "unit", "direction")
_BACK = ("difference", "low", "high", "paired", "refits", "reading", "needs")


def _keys(cards: Iterable[Scorecard]) -> list[str]:
    found = dict.fromkeys(measure.key for card in cards for measure in card.measures)
    return sorted(found, key=lambda key: DIMENSIONS.index(key.partition(".")[0]))


def _absent(name: str) -> str:
    return f"needs this measure, which {name} lacks"


def _pair_table(
    name: str, card: Scorecard, other_name: str, other_card: Scorecard, keys: list[str]
) -> pd.DataFrame:
    import pandas as pd

    same = card.policy == other_card.policy
    rows = []
    for key in keys:
        one = card.get(key)
        two = other_card.get(key)
        holder = one or two
        lacks = [
            f"{label}: {_absent(label) if measure is None else measure.needs}"
            for label, measure in ((name, one), (other_name, two))
            if measure is None or measure.value is None
        ]
        values = [None if measure is None else measure.value for measure in (one, two)]
        found: tuple[Any, ...] = (None, None, None, False, False, "")
        if one is not None and two is not None and not lacks:
            found = _difference(one, two, same_policy=same)
        dimension, _, measure_name = key.partition(".")
        unit, direction = (holder.unit, holder.direction) if holder else ("", "none")
        rows.append((dimension, measure_name, unit, direction, *values, *found, "; ".join(lacks)))
    table = pd.DataFrame(rows, columns=[*_FRONT, name, other_name, *_BACK])
    numbers = [name, other_name, "difference", "low", "high"]
    table[numbers] = table[numbers].astype(float)
    for name in ("paired", "refits"):
        table[name] = table[name].astype(bool)
    return table


def _difference(
    one: Measure, two: Measure, *, same_policy: bool
) -> tuple[float, float | None, float | None, bool, bool, str]:
    """Return difference, low, high, paired, whether over refits, and reading of two values."""
    assert one.value is not None
    assert two.value is not None
    if one.basis and (one.basis, one.samples) == (two.basis, two.samples):
        bounds = (None, None) if one.exact and two.exact else (0.0, 0.0)
        return 0.0, *bounds, not one.exact, False, "same"
    value = two.value - one.value
    # counted on other people, or under other chances, it says nothing of the policies
    apart = bool(one.samples and two.samples and one.samples != two.samples and value != 0)
    apart &= one.replicates is None or two.replicates is None
    unclear = "cannot tell" if one.direction != "none" else ""
    if one.exact and two.exact and not (one.learned or two.learned):
        reading = "same" if value == 0 else _reading(one.direction, value)
        return value, None, None, False, False, unclear if apart else reading
    paired = _paired(one, two, same_policy=same_policy)
    bounds = _paired_bounds(one, two, value) if paired else _independent(one, two, value)
    wide = _refit_bounds(one, two, value, bounds)
    low, high = bounds if wide is None else wide
    found = (value, low, high, paired, wide is not None)
    if low == high == 0:
        return *found, "same"
    if apart or low is None or high is None or low <= 0 <= high:
        return *found, unclear
    if wide is None and one.direction != "none" and (one.learned or two.learned):
        return *found, "needs refits"
    return *found, _reading(one.direction, value)


def _paired_bounds(
    one: Measure, two: Measure, value: float
) -> tuple[float, float] | tuple[None, None]:
    drawn = two.replicates - one.replicates  # type: ignore[operator]
    found = percentile_interval(value, drawn)
    if math.isnan(found.low) or math.isnan(found.high):
        return None, None
    few = [m.spread_by for m in (one, two) if m.spread_by is not None]
    return widened(value, found.low, found.high, drawn, min(few)) if few else tuple(found)[1:]


def _refit_bounds(
    one: Measure, two: Measure, value: float, bounds: tuple[float | None, float | None]
) -> tuple[float, float] | None:
    """Return the bounds over refits on the same halves of people, no narrower than over people."""
    if one.refits is None or two.refits is None or one.refits.shape != two.refits.shape:
        return None
    if not one.samples or one.samples != two.samples:
        return None
    low, high = refit_bounds(value, two.refits - one.refits, *bounds)
    return None if low is None or high is None else (low, high)


def _reading(direction: str, value: float) -> str:
    if direction == "none":
        return ""
    return "better" if (value > 0) == (direction == "higher") else "worse"


def _paired(one: Measure, two: Measure, *, same_policy: bool) -> bool:
    if one.replicates is None or two.replicates is None:
        return False
    if not one.samples or one.samples != two.samples:
        return False
    if one.replicates.shape != two.replicates.shape:
        return False
    # nobody found among 500 is nobody in each resample, too: the bootstrap then knows less
    # than the interval does; but one policy on one world is the same in each
    return same_policy or not (_silent(one) or _silent(two))


def _silent(measure: Measure) -> bool:
    draws = measure.replicates
    if draws is None or measure.low is None or measure.high is None:
        return False
    return bool(np.ptp(draws[~np.isnan(draws)]) == 0) if not np.isnan(draws).all() else True


def _independent(one: Measure, two: Measure, value: float) -> tuple[float | None, float | None]:
    """Square and add the distances of the bounds to their values (Zou and Donner 2008)."""
    reach = []
    for measure in (one, two):
        if measure.exact:
            reach.append((0.0, 0.0))
        elif measure.low is None or measure.high is None or measure.value is None:
            return None, None
        else:
            reach.append((measure.value - measure.low, measure.high - measure.value))
    (down_1, up_1), (down_2, up_2) = reach
    return value - math.hypot(down_2, up_1), value + math.hypot(up_2, down_1)


# ------------------------------------------------------------------- numbers and texts


_POINTS = "difference of shares"


def _is_share(unit: str) -> bool:
    return unit == "share" or unit.startswith("share ")


def _number(value: float, unit: str, *, sign: bool = False) -> str:
    plus = "+" if sign else ""
    if _is_share(unit) or unit == _POINTS:
        percent = 100 * value
        digits = 1 if abs(percent) >= 0.95 or percent == 0 else 2
        text = f"{percent:{plus}.{digits}f}"
        ending = " points" if unit == _POINTS else " %"
    else:
        whole = value == round(value) and abs(value) < 1e15
        text = f"{value:{plus},.0f}" if whole or abs(value) >= 1000 else f"{value:{plus},.3g}"
        ending = ""
    if not text.strip("+-0.,"):
        text = text.lstrip("+-")
    return text + ending


def _with_interval(
    value: float, low: float | None, high: float | None, unit: str, *, sign: bool = False
) -> str:
    text = _number(value, unit, sign=sign)
    if low is None or high is None:
        return text
    return f"{text} ({_bounds(low, high, unit, sign=sign)})"


def _bounds(low: float, high: float, unit: str, *, sign: bool = False) -> str:
    ends = (
        _number(x, unit, sign=sign).removesuffix(" %").removesuffix(" points") for x in (low, high)
    )
    return " to ".join(ends)


def _unit(measure: Measure) -> str:
    return measure.unit or "no unit"


def _held(measure: Measure) -> list[str]:
    """Each bound with what became of it."""
    out = []
    for limit in measure.limits:
        bound = "at most" if limit.bound == "max" else "at least"
        text = f"{bound} {_number(limit.threshold, measure.unit)}"
        text += f"{', for certain' if limit.certain else ''} ({limit.set_by}): "
        miss = limit.judge(measure)
        if miss is None:
            text += "kept, cannot tell for certain" if limit.straddled(measure) else "kept"
        elif miss.kind == "needs":
            text += "no number"
        else:
            text += "missed, cannot tell for certain" if miss.straddles else "missed"
        out.append(text)
    return out


def _n(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _has(count: int) -> str:
    return "has" if count == 1 else "have"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_told(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_told, value))
    return "" if value is None else str(value)


def _decided(policy: Policy) -> list[str]:
    """One line a section: what is decided in it, without the reasons."""
    out = []
    for path, model in SECTIONS.items():
        parts = []
        for name in model.model_fields:
            value = policy[f"{path}.{name}"]
            if name != "reason" and value is not None:
                parts.append(f"{name} {_told(value) or '(none)'}")
        if parts:
            out.append(f"{path}: {'; '.join(parts)}")
    return out


def _policy_yaml(policy: Policy) -> str:
    """Return the decisions as a policy file."""
    out = ["version: 1"]
    opened = ""
    for path, model in SECTIONS.items():
        section = policy.section(path)
        if section is None:
            continue
        outer, _, name = path.rpartition(".")
        if outer and outer != opened:
            out.append(f"{outer}:")
            opened = outer
        indent = "  " if outer else ""
        out.append(f"{indent}{name}:")
        for item in model.model_fields:
            value = getattr(section, item)
            if value is None:
                continue
            if isinstance(value, list):
                text = f"[{', '.join(scalar(part, flow=True) for part in value)}]"
            else:
                text = scalar(value)
            out.append(f"{indent}  {item}: {text}")
    return "\n".join(out) + "\n"


def _plain(value: Any, where: str) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise PolicyError(f"Scorecard: {where} is {value}; accepted: finite numbers.")
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, where) for item in value]
    raise PolicyError(
        f"Scorecard: {where} is a {type(value).__name__}; accepted: texts, numbers, yes or no, "
        "lists and mappings of them."
    )


def _listed(draws: NDArray[np.float64]) -> list[float | None]:
    return [None if math.isnan(x) else x for x in draws.tolist()]


def _none(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _written(text: str, path: str | Path | None) -> str:
    if path is not None:
        write_atomic(path, text, error=PolicyError)
    return text


def _csv(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_safe(head) for head in heads])
    for row in rows:
        writer.writerow([_safe(cell) for cell in row])
    return out.getvalue()


def _safe(cell: Any) -> Any:
    if cell is None:
        return ""
    if isinstance(cell, float):
        return repr(float(cell))
    if not isinstance(cell, str):
        return str(cell)
    # a spreadsheet runs what starts so, blanks before it or not
    start = cell.lstrip()[:1]
    return f"'{cell}" if start in ("=", "+", "-", "@", "|") or cell[:1] in ("\t", "\r") else cell


def _clean(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def _text(text: str) -> str:
    return html.escape(_clean(text), quote=True)


def _cell(text: str) -> str:
    flat = html.escape(_clean(text), quote=False)
    # the dollar too: notebooks read a pair of them as mathematics
    return re.sub(r"([\\|*_`\[\]~$])", r"\\\1", flat)


def _pipe(heads: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]


def _bullets(about: Mapping[str, Any]) -> list[str]:
    return [f"- {_cell(name)}: {_cell(_told(value))}" for name, value in about.items()]


_MARKDOWN_NOTE = _NOTE[_NOTE.index("These are results") :]


# ------------------------------------------------------------------------------ reading


def _from_json(source: str | Path) -> Scorecard:
    name, stored = read_stored(source)
    policy = _from_text(Text(f"{name}, policy", stored.policy))[0]
    policy._source = None  # a card keeps decisions; it is no file to save over
    measures = tuple(
        _measure(row, f"{name}, measure {i}") for i, row in enumerate(stored.measures, start=1)
    )
    try:
        return Scorecard(measures, policy, stored.about)
    except PolicyError as problem:
        raise PolicyError(f"{name}: {problem}") from None


def _measure(stored: StoredMeasure, where: str) -> Measure:
    """Return the measure that a file holds; `where` names it."""
    row = stored.model_dump(exclude={"limits", "replicates", "refits", "estimated"})
    if stored.low is not None and stored.high is not None and stored.low > stored.high:
        raise PolicyError(f"{where}: low, {stored.low:g}, is above high, {stored.high:g}.")
    draws, refits = (
        None if kept is None else [math.nan if x is None else x for x in kept]
        for kept in (stored.replicates, stored.refits)
    )
    # saved without its replicates: still an estimate, not a count
    if draws is None and stored.estimated and stored.value is not None and stored.low is None:
        draws = [math.nan]
    try:
        limits = tuple(Limit(**limit.model_dump()) for limit in stored.limits)
        return Measure(**row, limits=limits, replicates=draws, refits=refits)
    except PolicyError as problem:
        raise PolicyError([f"{where}: {fault}" for fault in problem.faults]) from None


# ------------------------------------------------------------------------------- HTML

# with more measures than this, a printed sheet leaves out their meanings
_ROOMY = 36
_LEFT_OUT = (
    "What each measure means, and what its interval draws again, was left out to print on one "
    "sheet; the page itself says it."
)
# the notebook's own theme goes first; alone on a page, the reader's system decides
_LIGHT = (
    "--ink:var(--jp-content-font-color1,#1b1b1b);--paper:var(--jp-layout-color0,#ffffff);"
    "--line:#767676;--gap:#8a1c00;--bar:#0072b2;--band:#8fc1e3;--soft:#f1f1f1"
)
_DARK = (
    "--ink:var(--jp-content-font-color1,#eeeeee);--paper:var(--jp-layout-color0,#161616);"
    "--line:#8c8c8c;--gap:#ffb199;--bar:#8ecbff;--band:#2f6690;--soft:#2a2a2a"
)
_CSS = f"""
.eal-score{{{_LIGHT};color:var(--ink);background:var(--paper);font:.875rem/1.4 system-ui,sans-serif}}
@media (prefers-color-scheme:dark){{.eal-score{{{_DARK}}}}}
[data-jp-theme-light="true"] .eal-score,.vscode-light .eal-score{{{_LIGHT}}}
[data-jp-theme-light="false"] .eal-score,.vscode-dark .eal-score{{{_DARK}}}
.eal-score .scroll{{overflow-x:auto}}
.eal-score table{{border-collapse:collapse;width:100%;color:inherit;background:inherit;font-size:inherit}}
.eal-score caption{{text-align:left;padding:.2rem 0;color:inherit}}
.eal-score th,.eal-score td{{border:0;border-bottom:1px solid var(--line);padding:.2rem .5rem;
text-align:left!important;vertical-align:top;color:var(--ink);background:var(--paper);white-space:normal;
font-size:inherit;max-width:22rem}}
.eal-score .dim th{{background:var(--soft);font-weight:bold}}
.eal-score tbody th[scope=row] small{{display:block;font-weight:normal}}
.eal-score small{{font-size:.9em}}
.eal-score .gap{{color:var(--gap);font-weight:bold}}
.eal-score .num,.eal-score .truth{{white-space:nowrap}}
.eal-score .held{{min-width:9rem}}
.eal-score svg{{display:block;width:120px;height:18px;max-width:none}}
.eal-score svg .t{{stroke:var(--line);stroke-width:1}}
.eal-score svg .i{{stroke:var(--band);stroke-width:8}}
.eal-score svg .v{{fill:var(--bar);stroke:var(--paper);stroke-width:1}}
.eal-score svg .x{{stroke:var(--ink);stroke-width:1.6;fill:none}}
.eal-score svg .b{{stroke:var(--gap);stroke-width:2;stroke-dasharray:3 2}}
"""
_PAGE_CSS = """
.printed{display:none}
.page{max-width:80rem;margin:auto;padding:1rem}
.page dl{display:flex;flex-wrap:wrap;gap:.2rem 1.5rem;margin:.5rem 0}
.page dl div{display:flex;gap:.4rem}.page dt{font-weight:bold}.page dd{margin:0}
.page h1{font-size:1.5rem;margin:0 0 .4rem}.page h2{font-size:1.1rem;margin:.8rem 0 .3rem}
.page ul{margin:.2rem 0;padding-left:1.2rem}
@media print{@page{size:A4 portrait;margin:7mm}
:root{color-scheme:light}
.page.eal-score{--ink:#000;--paper:#fff;--line:#999;--gap:#8a1c00;--bar:#0072b2;--band:#8fc1e3;
--soft:#eee;font-size:5.5pt;line-height:1.15;padding:0;max-width:none;
-webkit-print-color-adjust:exact;print-color-adjust:exact}
.page h1{font-size:11pt}.page h2{font-size:7pt;margin:1.2mm 0 .4mm}.page p{margin:.6mm 0}
.page .scroll{overflow:visible}.page caption{display:none}
.page.eal-score th,.page.eal-score td{padding:.15mm .8mm;max-width:none}
.page.eal-score tbody th[scope=row]{width:58mm}.page.eal-score tbody th[scope=row] small{display:inline}
.page.eal-score svg{width:20mm;height:2.6mm}.page.eal-score .held{min-width:32mm}.page .cols{columns:2}.page dl{margin:.5mm 0}
.page tr{break-inside:avoid}
.dense.eal-score tbody th[scope=row] .meaning,.dense.eal-score .over{display:none}
.dense .printed{display:block}
.dense.eal-score tbody th[scope=row]{width:46mm}.dense.eal-score .held{min-width:24mm}
.dense.eal-score td:last-child{width:66mm}.page.dense.eal-score{font-size:5pt;line-height:1.1}
.dense.eal-score td,.dense.eal-score th{padding-top:0;padding-bottom:0}.page.dense.eal-score svg{height:2mm}}
"""


def _row_html(measure: Measure) -> str:
    truth = measure.shown_truth
    evidence, over = measure.evidence, ""
    if "; interval over " in evidence:  # left out where a sheet is dense
        at = evidence.rindex("; interval over ")
        evidence, over = evidence[:at], evidence[at:]
    missed = bool(measure.misses)
    bounds = "<br>".join(_text(line) for line in _held(measure))
    refits = f"<br><small>{_text(measure.shown_refits)}</small>" if measure.shown_refits else ""
    value = (
        f'<td class="gap" colspan="2">{_text(measure.needs)}</td>'
        if measure.value is None
        else f'<td class="num">{_text(measure.shown)}{refits}</td><td>{_bar(measure)}</td>'
    )
    return (
        f'<tr><th scope="row">{_text(measure.measure)} <small>'
        f'<span class="meaning">{_text(measure.meaning)} </span>[{_text(_unit(measure))}]</small>'
        f"</th>{value}"
        f'<td class="truth">{_text(truth)}</td><td>{_BETTER[measure.direction]}</td>'
        f'<td class="held{" gap" if missed else ""}">{bounds}</td>'
        f'<td><small>{_text(evidence)}<span class="over">{_text(over)}</span></small></td>'
        "</tr>\n"
    )


_BETTER = {"higher": "higher", "lower": "lower", "none": "neither"}
_WIDTH, _HEIGHT, _EDGE = 120, 18, 6


def _scale(measure: Measure) -> tuple[float, float]:
    """Return the ends of a measure's own scale, which holds zero and all that is drawn."""
    drawn = [measure.value, measure.low, measure.high, measure.truth]
    drawn += [limit.threshold for limit in measure.limits]
    known = [x for x in drawn if x is not None]
    left, right = min(0.0, *known), max(0.0, *known)
    if _is_share(measure.unit) and left >= 0 and right <= 1 and right > 0.25:
        return 0.0, 1.0
    return (left, right) if right > left else (0.0, 1.0)


def _bar(measure: Measure) -> str:
    left, right = _scale(measure)

    def at(x: float) -> str:
        return f"{_EDGE + (_WIDTH - 2 * _EDGE) * ((x - left) / (right - left)):.1f}"

    middle = _HEIGHT / 2
    label = (
        f"{measure.shown}, on a scale from {_number(left, measure.unit)} to "
        f"{_number(right, measure.unit)}"
    )
    parts = [
        f'<line class="t" x1="{_EDGE}" x2="{_WIDTH - _EDGE}" y1="{middle:g}" y2="{middle:g}"/>',
        f'<line class="t" x1="{at(0)}" x2="{at(0)}" y1="4" y2="14"/>',
    ]
    if measure.low is not None and measure.high is not None:
        parts.append(
            f'<line class="i" x1="{at(measure.low)}" x2="{at(measure.high)}" y1="{middle:g}" '
            f'y2="{middle:g}"/>'
        )
    for limit in measure.limits:
        label += f"; bound {_number(limit.threshold, measure.unit)}"
        parts.append(
            f'<line class="b" x1="{at(limit.threshold)}" x2="{at(limit.threshold)}" y1="1" y2="17"/>'
        )
    assert measure.value is not None
    parts.append(f'<circle class="v" cx="{at(measure.value)}" cy="{middle:g}" r="4"/>')
    if measure.truth is not None:
        label += f"; truth {_number(measure.truth, measure.unit)}"
        x = float(at(measure.truth))
        parts.append(f'<path class="x" d="M{x - 4:.1f} 5l8 8m0-8l-8 8"/>')
    return (
        f'<svg role="img" aria-label="{_text(label)}" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}">{"".join(parts)}</svg>'
    )
