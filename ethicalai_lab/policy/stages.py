"""Stages and measures: the evaluation as a graph of small steps, each run only when it must.

A *stage* does one thing that a policy decides (asks for consent, keeps data, targets). It
declares the policy fields that it reads and the stages whose results it needs, and it is
handed exactly those: a field that was not declared cannot be read. A *measure* reads
something on what the stages produced. Both are computed once for each combination of the
fields and results they depend on, so a change recomputes exactly what depends on it.
"""

from __future__ import annotations

import inspect
import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.policy import sections
from ethicalai_lab.policy.measure import ENOUGH
from ethicalai_lab.policy.policy import Policy
from ethicalai_lab.stats import largest_difference_interval, people_behind, proportion_interval

__all__ = [
    "Correlation",
    "Estimate",
    "Exact",
    "Gap",
    "Graph",
    "MeasureStep",
    "Memory",
    "Needs",
    "Ratio",
    "Settings",
    "Stage",
    "measure",
    "stage",
    "steps",
]


class Settings(Mapping[str, Any]):
    """The decided and assumed values of those policy fields that a stage declared.

    Examples
    --------
    >>> from ethicalai_lab.policy import Policy
    >>> Settings({"consent.banner": "neutral"})["consent.banner"]
    'neutral'
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getitem__(self, field: str) -> Any:
        if field not in self._values:
            raise LookupError(
                f"{field} is read but not declared; this step declares "
                f"{', '.join(self._values) or 'nothing'}."
            )
        return self._values[field]

    def __iter__(self):
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def values_of(policy: Policy) -> dict[str, Any]:
    """Return every field of a policy by path; what is undecided, as usually assumed."""
    found = {}
    for path in sections.FIELDS:
        name, _, field = path.rpartition(".")
        part = policy.section(name)
        value = None if part is None else getattr(part, field)
        found[path] = sections.assumed(path) if value is None else value
    return found


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


# ------------------------------------------------------------------------- estimates


# what an interval draws again
_PEOPLE, _PRODUCTS = "people drawn again", "people and products drawn again"


@dataclass(frozen=True, eq=False)
class Estimate:
    """What a measure returns; one of `Ratio`, `Gap`, `Correlation`, `Exact` and `Needs`.

    `evidence` says what it rests on here, where that is not what its measure usually does.
    """

    evidence: str = field(default="", kw_only=True)


@dataclass(frozen=True, eq=False)
class Ratio(Estimate):
    """A mean over people, or a ratio of two sums over people.

    Parameters
    ----------
    top : array-like of float, shape (n,)
        What is summed, one value a person.
    bottom : array-like of float, shape (n,), optional
        What it is divided by; one a person where not given.
    truth : float, optional
        The value that the world's truth gives, to the same question.
    drawn : array-like of int, shape (n,), optional
        What is drawn again beside the people, where chance lies there too: of which product a
        person reads, say, from 0.
    kinds : int, optional
        How many of them there are, read of or not; goes with `drawn`.
    """

    top: ArrayLike
    bottom: ArrayLike | None = None
    truth: float | None = None
    drawn: ArrayLike | None = None
    kinds: int = 0


@dataclass(frozen=True, eq=False)
class Gap(Estimate):
    """The largest difference of a share between groups.

    Parameters
    ----------
    group : array-like of int, shape (n,)
        Group of each person, from 0; -1 for those in none.
    top, bottom : array-like of bool, shape (n,)
        Who is counted, and among whom: everybody where not given.
    truth : float, optional
    names : tuple of str
        Of the groups, for the evidence.
    smallest : int
        Groups with fewer people in ``bottom`` are left out.
    """

    group: ArrayLike
    top: ArrayLike
    bottom: ArrayLike | None = None
    truth: float | None = None
    names: tuple[str, ...] = ()
    smallest: int = 30


@dataclass(frozen=True, eq=False)
class Correlation(Estimate):
    """Spearman's correlation of two values of some people.

    Parameters
    ----------
    one, other : array-like of float, shape (n,)
    rows : array-like of bool, shape (n,)
        Those whose values count; at least two, and not all alike.
    """

    one: ArrayLike
    other: ArrayLike
    rows: ArrayLike


@dataclass(frozen=True, eq=False)
class Exact(Estimate):
    """A figure that was counted, not estimated; an interval where its own method gives one.

    `over` says what is drawn again in that interval.
    """

    value: float
    low: float | None = None
    high: float | None = None
    truth: float | None = None
    note: str = ""
    over: str = _PEOPLE


@dataclass(frozen=True)
class Needs(Estimate):
    """Why there is no number: what is missing, beginning with "needs"."""

    what: str


# ------------------------------------------------------------------- stages and measures


@dataclass(frozen=True)
class Stage:
    """A step of the evaluation.

    Attributes
    ----------
    name : str
    reads : tuple of str
        Policy fields it depends on, by path.
    needs : tuple of str
        Stages whose results it is handed.
    run : callable
        ``run(context, settings, **results)``.
    about : str
        What it does, in a sentence.
    """

    name: str
    reads: tuple[str, ...]
    needs: tuple[str, ...]
    run: Callable[..., Any]
    about: str


@dataclass(frozen=True)
class MeasureStep:
    """A measure of what the stages produced.

    Attributes
    ----------
    dimension, measure : str
    direction : {"higher", "lower", "none"}
        Which is better.
    unit : str
    meaning : str
        In a sentence.
    evidence : str
        Which function measured it, on which data.
    needs : tuple of str
        Stages whose results it is handed; it reads no policy field.
    run : callable
        ``run(context, **results)`` returns an `Estimate`.
    learned : bool
        Whether chance in learning and choosing moves it, so that a verdict needs refits.
    only_here : bool
        Whether its value is read from the world's truth, which no company knows.
    """

    dimension: str
    measure: str
    direction: str
    unit: str
    meaning: str
    evidence: str
    needs: tuple[str, ...]
    run: Callable[..., Estimate]
    learned: bool = False
    only_here: bool = False

    @property
    def key(self) -> str:
        """Such as ``"privacy.reidentified_by_linkage"``."""
        return f"{self.dimension}.{self.measure}"


def _keyword_names(function: Callable[..., Any]) -> tuple[str, ...]:
    # the signature is the list of what is needed, so the graph cannot differ from the code
    found = inspect.signature(function).parameters.values()
    return tuple(p.name for p in found if p.kind is p.KEYWORD_ONLY)


def stage(*reads: str) -> Callable[[Callable[..., Any]], Stage]:
    """Make a stage of a function ``name(context, settings, *, needed, stages)``.

    Parameters
    ----------
    *reads : str
        The policy fields that it reads, by path.

    Raises
    ------
    LookupError
        If there is no such field.

    Examples
    --------
    >>> @stage("consent.banner")
    ... def asking(context, settings):
    ...     "Ask."
    ...     return settings["consent.banner"]
    >>> asking.name, asking.reads, asking.needs
    ('asking', ('consent.banner',), ())
    """
    for path in reads:
        if path not in sections.FIELDS:
            raise LookupError(f"There is no policy field {path}.")

    def make(function: Callable[..., Any]) -> Stage:
        about = (inspect.getdoc(function) or "").split("\n")[0]
        return Stage(function.__name__, reads, _keyword_names(function), function, about)

    return make


def measure(
    dimension: str,
    direction: str,
    unit: str,
    evidence: str,
    *,
    learned: bool = False,
    only_here: bool = False,
) -> Callable[[Callable[..., Estimate]], MeasureStep]:
    """Make a measure of a function ``name(context, *, needed, stages)``; its docstring says what.

    `learned` and `only_here` are those of `MeasureStep`.

    Examples
    --------
    >>> @measure("consent", "lower", "share of people", "permission, all customers")
    ... def against_their_will(context, *, permission):
    ...     "Share of people whose data is used although they do not accept it."
    ...     return Exact(0.0)
    >>> against_their_will.key, against_their_will.needs
    ('consent.against_their_will', ('permission',))
    """

    def make(function: Callable[..., Estimate]) -> MeasureStep:
        meaning = " ".join((inspect.getdoc(function) or "").split())
        return MeasureStep(
            dimension,
            function.__name__,
            direction,
            unit,
            meaning,
            evidence,
            _keyword_names(function),
            function,
            learned,
            only_here,
        )

    return make


def steps(module: Mapping[str, Any]) -> tuple[tuple[Stage, ...], tuple[MeasureStep, ...]]:
    """Return the stages and the measures that a module defines, in its order.

    Examples
    --------
    >>> steps({"__name__": "empty"})
    ((), ())
    """
    own = [
        each
        for each in module.values()
        if isinstance(each, Stage | MeasureStep) and each.run.__module__ == module["__name__"]
    ]
    stages = tuple(each for each in own if isinstance(each, Stage))
    return stages, tuple(each for each in own if isinstance(each, MeasureStep))


class Memory:
    """Results of steps, the least recently used forgotten first.

    Parameters
    ----------
    size : int
        How many results are kept of each step.
    """

    def __init__(self, size: int = 8) -> None:
        self.size = size
        self._of: dict[str, OrderedDict[Any, Any]] = {}

    def get(self, step: str, key: Any) -> tuple[bool, Any]:
        """Return whether the result is known, and the result."""
        kept = self._of.get(step)
        if kept is None or key not in kept:
            return False, None
        kept.move_to_end(key)
        return True, kept[key]

    def put(self, step: str, key: Any, value: Any) -> None:
        """Keep a result."""
        kept = self._of.setdefault(step, OrderedDict())
        kept[key] = value
        while len(kept) > self.size:
            kept.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._of.clear()


class Graph:
    """Stages in order of their needs, and the measures of what they produce.

    Parameters
    ----------
    stages : iterable of Stage
        In any order.
    measures : iterable of MeasureStep

    Raises
    ------
    LookupError
        If a step needs a stage that is not there, or stages need each other.

    Examples
    --------
    >>> @stage("consent.banner")
    ... def asking(context, settings):
    ...     return settings["consent.banner"]
    >>> @stage("data.retention_days")
    ... def keeping(context, settings, *, asking):
    ...     return settings["data.retention_days"]
    >>> graph = Graph([keeping, asking])
    >>> list(graph.stages)
    ['asking', 'keeping']
    >>> graph.affected("consent.banner")
    ('asking', 'keeping')
    >>> graph.affected("data.retention_days")
    ('keeping',)
    """

    def __init__(self, stages: Iterable[Stage], measures: Iterable[MeasureStep] = ()) -> None:
        given = {step.name: step for step in stages}
        self.measures: dict[str, MeasureStep] = {each.key: each for each in measures}
        for step in [*given.values(), *self.measures.values()]:
            for need in step.needs:
                if need not in given:
                    name = step.name if isinstance(step, Stage) else step.key
                    raise LookupError(f"{name} needs the stage {need}, which is not there.")
        self.stages: dict[str, Stage] = {}
        waiting = dict(given)
        while waiting:
            ready = [s for s in waiting.values() if all(n in self.stages for n in s.needs)]
            if not ready:
                raise LookupError(f"These stages need each other: {', '.join(waiting)}.")
            for step in ready:
                self.stages[step.name] = waiting.pop(step.name)
        self._reads: dict[str, tuple[str, ...]] = {}
        for step in self.stages.values():
            found = dict.fromkeys(step.reads)
            for need in step.needs:
                found.update(dict.fromkeys(self._reads[need]))
            self._reads[step.name] = tuple(found)

    def reads(self, *stages: str) -> tuple[str, ...]:
        """Return every policy field that the stages depend on, directly or not."""
        return tuple(dict.fromkeys(path for name in stages for path in self._reads[name]))

    def affected(self, field: str) -> tuple[str, ...]:
        """Return the stages that a change of a field can change, in order."""
        return tuple(name for name in self.stages if field in self._reads[name])

    def measures_affected(self, field: str) -> tuple[str, ...]:
        """Return the measures that a change of a field can move."""
        return tuple(key for key, g in self.measures.items() if field in self.reads(*g.needs))

    def behind(self, *stages: str) -> tuple[str, ...]:
        """Return the stages and all that they need, directly or not, in order."""
        targets, needed = list(stages), set()
        while targets:
            name = targets.pop()
            if name not in needed:
                needed.add(name)
                targets += self.stages[name].needs
        return tuple(name for name in self.stages if name in needed)

    def unread(self) -> tuple[str, ...]:
        """Return the policy fields that no stage reads, reasons aside."""
        used = {path for step in self.stages.values() for path in step.reads}
        return tuple(
            path for path in sections.FIELDS if path not in used and not path.endswith(".reason")
        )

    def to_mermaid(self) -> str:
        """Return the graph as a Mermaid flowchart: sections, stages and dimensions."""
        lines = ["flowchart LR"]
        for step in self.stages.values():
            lines.append(f"  {step.name}[{step.name.replace('_', ' ')}]")
            for section in dict.fromkeys(path.rpartition(".")[0] for path in step.reads):
                lines.append(f"  {section.replace('.', '_')}([{section}]) --> {step.name}")
            lines += [f"  {need} --> {step.name}" for need in step.needs]
        for dimension in dict.fromkeys(each.dimension for each in self.measures.values()):
            found = [n for g in self.measures.values() if g.dimension == dimension for n in g.needs]
            lines.append(f"  {dimension}{{{{{dimension}}}}}")
            lines += [f"  {need} --> {dimension}" for need in dict.fromkeys(found)]
        return "\n".join(lines) + "\n"

    def key(self, stages: Iterable[str], values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return what the results of these stages depend on, as a key."""
        return tuple(_frozen(values[path]) for path in self.reads(*stages))

    def run(
        self,
        context: Any,
        values: Mapping[str, Any],
        memory: Memory,
        *,
        wanted: Iterable[str] | None = None,
        computed: list[str] | None = None,
    ) -> dict[str, Any]:
        """Run the stages that are wanted, each only where its result is not known.

        Parameters
        ----------
        context : object
            What every step stands on; handed through.
        values : mapping of str to object
            Every policy field by path.
        memory : Memory
        wanted : iterable of str, optional
            Stages; all by default. What they need is run as well.
        computed : list of str, optional
            The names of the stages that were really run are added to it.

        Returns
        -------
        dict of str to object
            Results by stage.
        """
        needed = self.behind(*(self.stages if wanted is None else wanted))
        results: dict[str, Any] = {}
        for name, step in self.stages.items():
            if name not in needed:
                continue
            key = self.key([name], values)
            known, result = memory.get(name, key)
            if not known:
                settings = Settings({path: values[path] for path in step.reads})
                result = step.run(context, settings, **{n: results[n] for n in step.needs})
                memory.put(name, key, result)
                if computed is not None:
                    computed.append(name)
            results[name] = result
        return results


# ------------------------------------------------------------------------- intervals


@dataclass(frozen=True, eq=False)
class Reading:
    """A measured value with its interval and the resampled values behind it."""

    value: float | None
    low: float | None = None
    high: float | None = None
    truth: float | None = None
    needs: str = ""
    replicates: NDArray[np.float64] | None = None
    note: str = ""
    spread_by: float | None = None
    over: str = _PEOPLE
    evidence: str = ""

    def says(self, evidence: str) -> str:
        """Return the evidence with what the interval is over, and what else is to be noted."""
        parts = [
            self.evidence or evidence,
            self.note,
            "" if self.low is None else f"interval over {self.over}",
        ]
        return "; ".join(filter(None, parts))


# fewer people than this behind most of the spread make a percentile interval too narrow
_MANY = 30.0


def _column(values: ArrayLike | None, n: int) -> NDArray[np.float32]:
    if values is None:
        return np.ones(n, dtype=np.float32)
    return np.asarray(values, dtype=np.float32)


def read(estimate: Estimate, weights: NDArray[np.float32], confidence: float = 0.95) -> Reading:
    """Turn an estimate into a value with an interval.

    Parameters
    ----------
    estimate : Estimate
    weights : ndarray of float32, shape (n_boot, n)
        How often each resample drew each person.
    confidence : float, default 0.95

    Returns
    -------
    Reading
        Percentile intervals for ratios. For shares Wilson's where it is none or all, since
        resamples of people who are all alike cannot differ. Where a few people make most of
        the spread, as wide as Student's t with so many degrees of freedom has it, since
        resamples of those few know too little of the others there might be. For gaps,
        `ethicalai_lab.stats.largest_difference_interval`.

    References
    ----------
    Efron and Tibshirani (1993). An Introduction to the Bootstrap, chapter 13.
    Satterthwaite (1946). An approximate distribution of estimates of variance components.
    Biometrics Bulletin 2 (degrees of freedom from the variance's own spread).
    """
    return read_all({"": estimate}, weights, confidence)[""]


def read_all(
    estimates: Mapping[str, Estimate],
    weights: NDArray[np.float32],
    confidence: float = 0.95,
    *,
    shares: Collection[str] = (),
    seed: int = 0,
) -> dict[str, Reading]:
    """Read many estimates with one pass over the weights, which is most of the work.

    Parameters
    ----------
    estimates : mapping of str to Estimate
    weights, confidence
        As in `read`.
    shares : collection of str, default ()
        Names of the estimates that are shares of people.
    seed : int, default 0
        Of the resamples of what is not people.

    Returns
    -------
    dict of str to Reading
    """
    n = weights.shape[1]
    parts: list[NDArray[np.float32]] = []
    width = 0
    plans: dict[str, tuple[int, int, Any]] = {}
    readings: dict[str, Reading] = {}
    for name, estimate in estimates.items():
        if isinstance(estimate, Needs):
            readings[name] = Reading(None, needs=estimate.what)
            continue
        if isinstance(estimate, Exact):
            readings[name] = Reading(
                float(estimate.value),
                estimate.low,
                estimate.high,
                estimate.truth,
                note=estimate.note,
                over=estimate.over,
            )
            continue
        table, plan = _PREPARE[type(estimate)](estimate, n, name in shares)
        if isinstance(plan, Reading):
            readings[name] = plan
            continue
        parts += table
        plans[name] = (width, width + len(table), plan)
        width += len(table)
    if parts:
        sums = (weights @ np.stack(parts).T).astype(np.float64)
    for name, (first, last, plan) in plans.items():
        finish = _FINISH[type(estimates[name])]
        truth = getattr(estimates[name], "truth", None)
        readings[name] = finish(plan, sums[:, first:last], truth, confidence)
        drawn = getattr(estimates[name], "drawn", None)
        if drawn is not None:
            readings[name] = _with_products(
                estimates[name], readings[name], seed, name in shares, confidence
            )
    return {
        name: replace(_rounded(readings[name]), evidence=estimate.evidence)
        for name, estimate in estimates.items()
    }


def read_half(estimates: Mapping[str, Estimate], n: int) -> dict[str, float]:
    """Return the values of estimates on half of the people, without intervals; nan where none.

    Groups may be half as small there.
    """
    halved = {
        name: replace(estimate, smallest=math.ceil(estimate.smallest / 2))
        if isinstance(estimate, Gap)
        else estimate
        for name, estimate in estimates.items()
    }
    found = read_all(halved, np.empty((0, n), dtype=np.float32))
    return {name: math.nan if x.value is None else x.value for name, x in found.items()}


def _rounded(reading: Reading) -> Reading:
    """Round off the last digits, in which computers and their linear algebra differ."""
    if reading.value is None:
        return reading
    value = float(f"{reading.value:.12g}")
    low, high = (None if x is None else float(f"{x:.6g}") for x in (reading.low, reading.high))
    draws = reading.replicates
    if draws is not None and np.isfinite(draws).any():
        most = float(np.abs(draws[np.isfinite(draws)]).max())
        digits = 6 - (math.floor(math.log10(most)) if most > 0 else 0)
        draws = np.round(draws, digits)
    return replace(
        reading,
        value=value,
        low=None if low is None else min(low, value),
        high=None if high is None else max(high, value),
        truth=None if reading.truth is None else float(f"{reading.truth:.12g}"),
        replicates=draws,
    )


def _with_products(
    estimate: Ratio, people: Reading, seed: int, share: bool, confidence: float
) -> Reading:
    """Add the chance that lies in what people are shown to the chance in people."""
    if people.value is None or people.replicates is None:
        return people
    codes = np.asarray(estimate.drawn)
    top, bottom = (
        np.bincount(codes, _column(x, codes.size), estimate.kinds)
        for x in (estimate.top, estimate.bottom)
    )
    value, seen = people.value, int((bottom > 0).sum())
    if share and value in (0.0, 1.0):
        wilson = proportion_interval(round(value * seen), seen, confidence)
        return replace(people, low=wilson.low, high=wilson.high, over=_PRODUCTS)
    weights = resampling_weights(estimate.kinds, people.replicates.size, seed)
    products = read(Ratio(top, bottom), weights, confidence)
    assert products.replicates is not None
    found = _finish_ratio(
        (value, 1, None, products.spread_by),
        (people.replicates + products.replicates - value)[:, None],
        people.truth,
        confidence,
    )
    if share and found.low is not None and found.high is not None:
        found = replace(found, low=max(0.0, found.low), high=min(1.0, found.high), note="")
    return replace(found, over=_PRODUCTS)


def _prepare_ratio(estimate: Ratio, n: int, share: bool) -> tuple[list[NDArray[np.float32]], Any]:
    top, bottom = _column(estimate.top, n), _column(estimate.bottom, n)
    total = float(np.sum(bottom, dtype=np.float64))
    if not total > 0:
        return [], Reading(None, needs="needs at least one person to measure it on")
    value = float(np.sum(top, dtype=np.float64)) / total
    # resamples of people who are all alike are alike: none or all is no certainty
    extreme = share and value in (0.0, 1.0) and bool(((bottom == 0) | (bottom == 1)).all())
    plan = (
        value,
        n if estimate.bottom is None else None,
        round(total) if extreme else None,
        None if share else _few(top - value * bottom),
    )
    if estimate.bottom is None:  # every resample has as many people
        return [top], plan
    return [top, bottom], plan


def _few(deviations: NDArray[np.float32]) -> float | None:
    people = people_behind(deviations)
    return round(people, 2) if people < _MANY else None


def widened(
    value: float,
    low: float,
    high: float,
    replicates: NDArray[np.float64],
    people: float,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Return the bounds, as wide at least as Student's t has it with so few people.

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(0, 1, 1000)
    >>> low, high = widened(0.0, -1.96, 1.96, draws, people=4)
    >>> round(low, 1), round(high, 1)
    (-2.7, 2.7)
    """
    from scipy.stats import t

    reach = float(t.ppf((1 + confidence) / 2, people) * np.nanstd(replicates, ddof=1))
    return min(low, value - reach), max(high, value + reach)


def _finish_ratio(
    plan: Any, sums: NDArray[np.float64], truth: float | None, confidence: float
) -> Reading:
    value, people, alike, few = plan
    with np.errstate(invalid="ignore", divide="ignore"):
        replicates = sums[:, 0] / (sums[:, 1] if people is None else people)
    good = replicates[np.isfinite(replicates)]
    if good.size < 2:
        return Reading(value, truth=truth)
    tail = (1 - confidence) / 2
    if alike is not None and good.min() == good.max():
        wilson = proportion_interval(round(value * alike), alike, confidence)
        return Reading(value, wilson.low, wilson.high, truth, "", replicates)
    low, high = np.quantile(good, [tail, 1 - tail])
    # a bound may miss the value by rounding alone
    bounds = min(float(low), value), max(float(high), value)
    note = ""
    if few is not None:
        bounds = widened(value, *bounds, good, few, confidence)
        if few < ENOUGH:
            note = f"most of the spread is due to about {round(few)} people: trust its bounds less"
    return Reading(value, *bounds, truth, "", replicates, note, few)


def _prepare_gap(estimate: Gap, n: int, share: bool) -> tuple[list[NDArray[np.float32]], Any]:
    top, bottom = _column(estimate.top, n), _column(estimate.bottom, n)
    group = np.asarray(estimate.group)
    count = int(group.max(initial=-1)) + 1
    inside = group >= 0
    counted, people = (
        np.bincount(group[inside], weights=x[inside], minlength=count) for x in (top, bottom)
    )
    kept = np.flatnonzero(people >= estimate.smallest)
    if kept.size < 2:
        return [], Reading(
            None, needs=f"needs two groups of at least {estimate.smallest} people to compare"
        )
    rates = counted[kept] / people[kept]
    inside_each = [group == code for code in kept]
    table = [values * rows for values in (top, bottom) for rows in inside_each]
    most, least = (kept[int(i)] for i in (rates.argmax(), rates.argmin()))
    names = estimate.names or tuple(map(str, range(count)))
    note = f"largest between {names[most]} and {names[least]}"
    return table, (counted[kept].round(), people[kept].round(), note)


def _finish_gap(
    plan: Any, sums: NDArray[np.float64], truth: float | None, confidence: float
) -> Reading:
    counted, people, note = plan
    found = largest_difference_interval(counted, people, confidence)
    groups = counted.size
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = sums[:, :groups] / sums[:, groups:]
    replicates = drawn.max(axis=1) - drawn.min(axis=1)
    if np.isfinite(replicates).sum() < 2:
        return Reading(found.value, truth=truth, note=note)
    return Reading(found.value, found.low, found.high, truth, "", replicates, note)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks from 0 to 1, equal ones for equal values, less their mean."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count + 1) / 2
    ranks = middle[place.ravel()] / max(values.size - 1, 1)
    return ranks - ranks.mean()


def _prepare_correlation(
    estimate: Correlation, n: int, share: bool
) -> tuple[list[NDArray[np.float32]], Any]:
    rows = np.asarray(estimate.rows, dtype=bool)
    one, other = (_ranks(np.asarray(x, float)[rows]) for x in (estimate.one, estimate.other))
    scale = float(np.sqrt((one**2).sum() * (other**2).sum()))
    if not scale > 0:
        return [], Reading(None, needs="needs people whose values are not all alike")
    table = []
    for values in (np.ones(one.size), one, other, one * one, other * other, one * other):
        column = np.zeros(n, dtype=np.float32)
        column[rows] = values
        table.append(column)
    return table, float((one * other).sum()) / scale


def _finish_correlation(
    value: float, sums: NDArray[np.float64], truth: None, confidence: float
) -> Reading:
    people, one, other, one2, other2, both = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = (one2 - one**2 / people) * (other2 - other**2 / people)
        replicates = (both - one * other / people) / np.sqrt(spread)
    good = replicates[np.isfinite(replicates)]
    if good.size < 2:
        return Reading(value, truth=truth)
    tail = (1 - confidence) / 2
    low, high = (float(x) for x in np.quantile(good, [tail, 1 - tail]))
    return Reading(value, min(low, value), max(high, value), truth, "", replicates)


_PREPARE: dict[type[Estimate], Callable[..., Any]] = {
    Ratio: _prepare_ratio,
    Gap: _prepare_gap,
    Correlation: _prepare_correlation,
}
_FINISH: dict[type[Estimate], Callable[..., Reading]] = {
    Ratio: _finish_ratio,
    Gap: _finish_gap,
    Correlation: _finish_correlation,
}


def resampling_weights(n: int, n_boot: int, seed: int) -> NDArray[np.float32]:
    """Return how often each of ``n_boot`` resamples draws each of ``n`` people.

    Parameters
    ----------
    n, n_boot, seed : int

    Returns
    -------
    ndarray of float32, shape (n_boot, n)
        Each row sums to n.

    Examples
    --------
    >>> resampling_weights(5, 2, seed=0).sum(axis=1).tolist()
    [5.0, 5.0]
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0xB007,)))
    weights = np.empty((n_boot, n), dtype=np.float32)
    for row in range(n_boot):
        weights[row] = np.bincount(rng.integers(0, n, n), minlength=n)
    return weights
