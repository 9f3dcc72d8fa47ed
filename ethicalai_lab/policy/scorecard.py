"""The scorecard: what a policy was measured to do, over six dimensions.

Each measure has a value, an interval, a direction and, where the world knows it, the
truth. A scorecard names the test that was run and what came out; it passes no verdict.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ethicalai_lab.core.files import write_atomic
from ethicalai_lab.core.reading import READING, reading_html
from ethicalai_lab.core.report import render
from ethicalai_lab.policy import wording
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.measure import (
    DIMENSIONS,
    DIRECTIONS,
    INTERVAL_TOLERANCE,
    TOLERANCE,
    Limit,
    Measure,
    RuleViolation,
)
from ethicalai_lab.policy.policy import Policy
from ethicalai_lab.policy.rules import Rules, near
from ethicalai_lab.policy.stored import FORMAT, StoredMeasure, read_stored

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "Scorecard", "bar", "lacking", "one_page"]

#: Columns of a scorecard's table.
COLUMNS = [
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
]
_NUMBERS = ("value", "low", "high", "truth", "threshold", "refit_low", "refit_high")
_STORED = ("dimension", "measure", "meaning", "unit", "direction", "evidence")
_STORED += ("value", "low", "high", "truth", "needs")
_WHERE_SAID = ("basis", "samples", "learned", "only_here", "spread_by")
_NOTE = (
    "Each bar has its own scale and contains zero: thick, the interval; round, the value; cross, "
    "the truth where this world knows it; dashed, a bound. An interval is over people drawn again, "
    "with this run's model, choice of people and noise held fixed, and the truth is that of these "
    "people; what is learned or drawn anew varies more, and has its interval over refits where "
    "they were run. These are results of the tests named "
    "under evidence, on the data named there. They are no verdict: what was not measured is not "
    "on the card, and a test that found nothing does not show that there is nothing."
)
# with more measures than this, a printed sheet leaves out their meanings
_ROOMY = 36
_FACTS = {
    "world": "Measured on",
    "n": "people",
    "seed": "seed of the evaluation",
    "n_boot": "resamples",
    "refits": "refits",
    "experiment": "Warning",
}


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
        if not isinstance(self.policy, Policy):
            raise PolicyError(
                f"Scorecard: policy must be a Policy, not {type(self.policy).__name__}."
            )
        seen: set[str] = set()
        for measure in listed:
            if measure.key in seen:
                raise PolicyError(f"Scorecard: {measure.key} is there twice; keep one.")
            seen.add(measure.key)
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
        found = self.get(key)
        if found is not None:
            return found
        known = [measure.key for measure in self.measures]
        raise PolicyError(
            f'there is no measure "{key}" on this scorecard; measures are named such as '
            f"{known[0] if known else 'privacy.reidentified_share'}.{near(key, known)}"
        )

    def get(self, key: str) -> Measure | None:
        """Return the measure of this key, or None where there is none."""
        return next((measure for measure in self.measures if measure.key == key), None)

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    @property
    def by_dimension(self) -> list[tuple[str, list[Measure]]]:
        """The measures of each dimension that has some."""
        groups = ((d, [m for m in self.measures if m.dimension == d]) for d in DIMENSIONS)
        return [(dimension, measures) for dimension, measures in groups if measures]

    @property
    def table(self) -> pd.DataFrame:
        """One row a measure; numbers that are not there are nan."""
        import pandas as pd

        rows = [[getattr(measure, name) for name in COLUMNS] for measure in self.measures]
        return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(_NUMBERS, float))

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
        has = "has" if counted == 1 else "have"
        text = f"{counted} of {wording.plural(len(self.measures), 'measure')} {has} a number."
        bounds = sum(len(measure.limits) for measure in self.measures)
        if not bounds:
            return f"{text} No bound is set."
        misses = self.misses
        unclear = sum(miss.straddles for miss in misses)
        are = "is" if len(misses) == 1 else "are"
        text += f" {len(misses)} of {wording.plural(bounds, 'bound')} {are} missed"
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
        found = rules.measures(self)
        measures = [
            replace(measure, limits=found[measure.key].limits, threshold=None, set_by="")
            if measure.key in found
            else measure
            for measure in self.measures
        ]
        return Scorecard(tuple(measures), self.policy, self.about)

    # -- files -----------------------------------------------------------------

    def to_json(self) -> str:
        """Return the card as JSON.

        Returns
        -------
        str
            What :meth:`from_json` reads. Its `tolerance` says how far a number of the same
            card, relative to 1 or to itself, may be off on another machine.
        """
        data = {
            "format": FORMAT,
            "version": 1,
            "tolerance": {"value": TOLERANCE, "interval": INTERVAL_TOLERANCE},
            "about": self.about,
            "policy": self.policy.to_yaml(),
        }
        # spelled out rather than indented: one measure a line stays readable
        rows = ",\n  ".join(_json(_stored(measure)) for measure in self.measures)
        listed = f"[\n  {rows}\n]" if rows else "[]"
        return f'{_json(data)[:-1]}, "measures": {listed}}}\n'

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
        name, stored = read_stored(source)
        policy = Policy.parse(stored.policy, name=f"{name}, policy")
        measures = tuple(
            _measure(row, f"{name}, measure {i}") for i, row in enumerate(stored.measures, start=1)
        )
        try:
            return cls(measures, policy, stored.about)
        except PolicyError as problem:
            raise PolicyError(f"{name}: {problem}") from None

    def to_markdown(self) -> str:
        """Return the card as Markdown."""
        note = _NOTE[_NOTE.index("These are results") :]
        return self._rendered("card.md", cell=_cell, note=note, reading_title=READING)

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
        page = self._page(title, sheet=False)
        if path is not None:
            write_atomic(path, page, error=PolicyError)
        return page

    def _page(self, title: str, *, sheet: bool) -> str:
        return self._rendered(
            "card.html",
            title=title,
            sheet=sheet,
            dense=len(self) > _ROOMY,
            reading=reading_html(self.how_read),
            reading_title=READING,
            facts=_FACTS,
            directions=DIRECTIONS,
            lacking=lacking,
        )

    def _rendered(self, template: str, **more: Any) -> str:
        given = {"note": _NOTE, "bar": bar, "told": wording.told} | more
        decided = wording.decided(self.policy.decisions)
        return render(f"policy/templates/{template}", card=self, decided=decided, **given)

    def _repr_html_(self) -> str:
        return self._rendered("card.html", title="")

    def __repr__(self) -> str:
        return f"Scorecard: {self.summary}"


def one_page(card: Scorecard, *, title: str = "Scorecard") -> str:
    """Return a scorecard as a page of HTML that prints as a sheet one can read.

    On screen it is the page of :meth:`Scorecard.to_html`. On paper it is one A4 sheet of two
    columns, in type of 7 points or more; what does not fit goes on to a second sheet.

    Parameters
    ----------
    card : Scorecard
    title : str

    Returns
    -------
    str
        HTML that loads nothing.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.policy import Policy, PolicyLab
    >>> card = PolicyLab(make_world(200, seed=1), n_boot=0).evaluate(Policy())
    >>> page = one_page(card, title="Ours")
    >>> page.count("<h1>Ours</h1>")  # on screen, and on paper
    2
    """
    return card._page(title, sheet=True)


# ------------------------------------------------------------------------- what is drawn


def _scale(measure: Measure) -> tuple[float, float]:
    """Return the ends of a measure's own scale, which holds zero and all that is drawn."""
    drawn = [measure.value, measure.low, measure.high, measure.truth]
    drawn += [limit.threshold for limit in measure.limits]
    known = [x for x in drawn if x is not None]
    left, right = min(0.0, *known), max(0.0, *known)
    if wording.is_share(measure.unit) and left >= 0 and 0.25 < right <= 1:
        return 0.0, 1.0
    return (left, right) if right > left else (0.0, 1.0)


def bar(measure: Measure) -> dict[str, Any]:
    """Return where a measure's bar has its marks, on a drawing 120 wide, and what it says."""
    left, right = _scale(measure)

    def at(x: float | None) -> str:
        return "" if x is None else f"{6 + 108 * ((x - left) / (right - left)):.1f}"

    def read(x: float) -> str:
        return wording.number(x, measure.unit)

    label = f"{measure.shown}, on a scale from {read(left)} to {read(right)}"
    label += "".join(f"; bound {read(limit.threshold)}" for limit in measure.limits)
    label += "" if measure.truth is None else f"; truth {read(measure.truth)}"
    return {
        "label": label,
        "zero": at(0),
        "limits": [at(limit.threshold) for limit in measure.limits],
        "truth": "" if measure.truth is None else f"{float(at(measure.truth)) - 4:.1f}",
        **{name: at(getattr(measure, name)) for name in ("value", "low", "high")},
    }


def lacking(measures: Sequence[Measure]) -> dict[str, list[str]]:
    """Return what is missing, and the measures without number or bound that miss it."""
    found: dict[str, list[str]] = {}
    for measure in measures:
        if measure.value is None and not measure.limits:
            found.setdefault(measure.needs, []).append(measure.measure.replace("_", " "))
    return found


def _cell(text: str) -> str:
    flat = html.escape(" ".join(str(text).split()), quote=False)
    # the dollar too: notebooks read a pair of them as mathematics
    return re.sub(r"([\\|*_`\[\]~$])", r"\\\1", flat)


# ------------------------------------------------------------------------------ storing


def _stored(measure: Measure) -> dict[str, Any]:
    row = {name: getattr(measure, name) for name in _STORED}
    row |= {name: getattr(measure, name) for name in _WHERE_SAID if getattr(measure, name)}
    if measure.refits is not None:
        row["refits"] = _listed(measure.refits)
    row["limits"] = [asdict(limit) for limit in measure.limits]
    if measure.replicates is not None:
        row["replicates"] = _listed(measure.replicates)
    return row


def _measure(stored: StoredMeasure, where: str) -> Measure:
    """Return the measure that a file holds; `where` names it."""
    row = stored.model_dump()
    if stored.low is not None and stored.high is not None and stored.low > stored.high:
        raise PolicyError(f"{where}: low, {stored.low:g}, is above high, {stored.high:g}.")
    for name in ("replicates", "refits"):
        if row[name] is not None:
            row[name] = [math.nan if x is None else x for x in row[name]]
    try:
        row["limits"] = tuple(Limit(**limit) for limit in row["limits"])
        return Measure(**row)
    except PolicyError as problem:
        raise PolicyError(f"{where}: {problem}") from None


def _plain(value: Any, where: str) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, where) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise PolicyError(f"Scorecard: {where} is {value}; accepted: finite numbers.")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise PolicyError(
        f"Scorecard: {where} is a {type(value).__name__}; accepted: texts, numbers, yes or no, "
        "lists and mappings of them."
    )


def _listed(draws: Any) -> list[float | None]:
    return [None if math.isnan(x) else x for x in draws.tolist()]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
