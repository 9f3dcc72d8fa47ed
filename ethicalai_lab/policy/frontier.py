"""Many policies: sweep them, keep those that nothing beats, find a better one nearby.

Every policy is evaluated for real. A sweep runs on joblib, so the same call runs on this
computer's cores or, under ``joblib.parallel_config(backend="dask")`` or a Ray backend, on a
cluster. With a file it can be stopped and goes on where it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.core.checks import check_value
from ethicalai_lab.core.report import html_table
from ethicalai_lab.errors import did_you_mean
from ethicalai_lab.policy import sections, wording
from ethicalai_lab.policy.comparison import compare_scorecards
from ethicalai_lab.policy.context import EvaluationContext
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.evaluation import PolicyLab, evaluation_graph
from ethicalai_lab.policy.measure import DIMENSIONS
from ethicalai_lab.policy.policy import Policy
from ethicalai_lab.policy.presets import PRESETS
from ethicalai_lab.policy.scorecard import Scorecard
from ethicalai_lab.policy.stages import values_of

if TYPE_CHECKING:
    from ethicalai_lab.world import World

__all__ = ["Better", "Sweep", "changed", "nearest_better", "pareto", "sweep", "variants"]

#: How many better policies are proposed.
BEST = 5
_REFITS = 20  # behind a proposal, where its measure is learned

_FORMAT = 1
_START = f'{{"format": {_FORMAT}, "key": "'


def changed(policy: Policy, changes: Mapping[str, Any]) -> Policy:
    """Return a policy with some fields decided otherwise.

    Parameters
    ----------
    policy : Policy
    changes : mapping of str to object
        Values by field path, such as ``{"anonymization.k": 10}``.

    Returns
    -------
    Policy

    Raises
    ------
    PolicyError
        If there is no such field, or the values are not accepted together.

    Examples
    --------
    >>> changed(Policy(), {"anonymization.k": 10}).anonymization.k
    10
    """
    parts: dict[str, dict[str, Any]] = {}
    for path, value in changes.items():
        policy[path]  # raises where there is no such field
        section, _, name = path.rpartition(".")
        parts.setdefault(section, {})[name] = value
    for section, values in parts.items():
        policy = policy.decide(section, **values)
    return policy


def variants(policy: Policy, grid: Mapping[str, Sequence[Any]]) -> list[Policy]:
    """Return a policy for every combination of the values given.

    Parameters
    ----------
    policy : Policy
        What is not in the grid stays as it is here.
    grid : mapping of str to sequence
        Values by field path.

    Returns
    -------
    list of Policy
        In the order of the grid; combinations that contradict themselves are left out.

    Raises
    ------
    PolicyError
        If a field is unknown, or one value alone is not accepted.

    Examples
    --------
    >>> len(variants(Policy(), {"anonymization.k": [2, 5], "consent.default": ["opt_in"]}))
    2
    """
    if not grid:
        raise PolicyError(
            "grid is empty; values by field path are needed, such as anonymization.k."
        )
    for path, values in grid.items():
        if isinstance(values, str) or not isinstance(values, Iterable) or not list(values):
            raise PolicyError(f"grid, {path}: a list of values is needed, not {values!r}.")
        for value in values:
            changed(Policy(), {path: value})
    found = []
    for combination in itertools.product(*(list(values) for values in grid.values())):
        try:
            found.append(changed(policy, dict(zip(grid, combination, strict=True))))
        except PolicyError:
            continue
    if not found:
        raise PolicyError("grid: every combination contradicts itself; there is no policy to try.")
    return found


def pareto(values: ArrayLike, directions: Sequence[str]) -> NDArray[np.bool_]:
    """Say which rows no other row beats.

    Parameters
    ----------
    values : array-like of float, shape (n, d)
    directions : sequence of {"higher", "lower"} of length d
        Which is better.

    Returns
    -------
    ndarray of bool, shape (n,)
        True where no other row is at least as good in every column and better in one.
        Rows with a missing value are never kept.

    Raises
    ------
    PolicyError
        If shapes differ or a direction is not accepted.

    Notes
    -----
    Compares rows in blocks: n rows cost n² d steps, 10,000 rows about a second.

    References
    ----------
    Kung, Luccio and Preparata (1975). On finding the maxima of a set of vectors. JACM 22(4).

    Examples
    --------
    >>> pareto([[1, 1], [2, 2], [3, 1], [1, 3]], ["higher", "higher"]).tolist()
    [False, True, True, True]
    """
    table = np.asarray(values, dtype=float)
    if table.ndim != 2 or table.shape[1] != len(directions):
        raise PolicyError(
            f"values has shape {table.shape}; (n, {len(directions)}) is needed, one column a "
            "direction."
        )
    for direction in directions:
        if direction not in ("higher", "lower"):
            raise PolicyError(f'directions holds "{direction}"; higher or lower is accepted.')
    sign = np.array([1.0 if d == "higher" else -1.0 for d in directions])
    points = table * sign
    whole = ~np.isnan(points).any(axis=1)
    keep = whole.copy()
    candidates = points[whole]
    for row in np.flatnonzero(whole):
        point = points[row]
        no_worse = (candidates >= point).all(axis=1)
        keep[row] = not (candidates[no_worse] > point).any()
    return keep


# ------------------------------------------------------------------------------ sweep


@dataclass(frozen=True)
class Sweep:
    """Many policies and what came out.

    Attributes
    ----------
    policies : tuple of Policy
    table : DataFrame
        One row a policy, in the same order: one column a field in which they differ, one a
        measure (``"privacy.unique_share"``).
    directions : dict of str to str
        By measure: higher, lower or none.
    known : int
        How many of them were read from the file and not evaluated again.
    """

    policies: tuple[Policy, ...] = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    directions: dict[str, str] = field(repr=False)
    known: int = 0

    def __len__(self) -> int:
        return len(self.policies)

    def pareto(self, measures: Sequence[str]) -> pd.DataFrame:
        """Return the policies that no other beats in all of the measures chosen.

        Parameters
        ----------
        measures : sequence of str
            At least one measure with a direction, or a dimension: all of its measures that
            have a direction and, for each policy, a number.

        Returns
        -------
        DataFrame
            The rows of `table` that are kept; their index names the policy.

        Raises
        ------
        PolicyError
            If a measure is unknown or has no direction.
        """
        names = list(measures)
        if not names:
            raise PolicyError("measures is empty; name at least one, such as value.profit_added.")
        known = [*DIMENSIONS, *self.directions]
        for name in names:
            if name not in known:
                raise PolicyError(
                    f'There is no measure or dimension "{name}".{did_you_mean(name, known)}'
                )
            if self.directions.get(name) == "none":
                raise PolicyError(f"{name} has no better direction, so nothing can be best in it.")
        names = [m for name in names for m in ([name] if "." in name else self._of(name))]
        kept = pareto(self.table[names].to_numpy(float), [self.directions[n] for n in names])
        return self.table[kept]

    def _of(self, dimension: str) -> list[str]:
        """Return a dimension's measures that can be compared over all policies."""
        found = [
            name
            for name, direction in self.directions.items()
            if name.partition(".")[0] == dimension
            and direction != "none"
            and self.table[name].notna().all()
        ]
        if not found:
            raise PolicyError(f"{dimension} has no measure with a number for every policy here.")
        return found

    def _repr_html_(self) -> str:
        return html_table(self.table, "Policies evaluated", index=True)


def _key(policy: Policy, context: EvaluationContext, n_boot: int) -> str:
    values = {k: v for k, v in values_of(policy).items() if not k.endswith(".reason")}
    from ethicalai_lab import __version__

    about = [values, context.fingerprint, context.seed, n_boot, __version__]
    text = json.dumps(about, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def recipe(world: World) -> dict[str, Any] | None:
    """Return how to make the world again, where that gives the same world."""
    from ethicalai_lab.world import make_world

    if world.seed is None or world.config is None:
        return None
    found = {"n": world.n_customers, "seed": world.seed, "config": world.config}
    again = make_world(found["n"], seed=found["seed"], config=found["config"])
    return (
        found
        if EvaluationContext.of_world(again).fingerprint
        == EvaluationContext.of_world(world).fingerprint
        else None
    )


_LABS: dict[Any, PolicyLab] = {}


def _work(
    tasks: Sequence[tuple[str, Policy]], source: Any, fingerprint: str, n_boot: int, seed: int
) -> list[tuple[str, dict[str, float | None]]]:
    """Evaluate some policies in a worker, which keeps its world from task to task."""
    key = (fingerprint, n_boot, seed)
    if key not in _LABS:
        world = source
        if isinstance(source, dict):
            from ethicalai_lab.world import make_world

            world = make_world(source["n"], seed=source["seed"], config=source["config"])
        _LABS.clear()
        _LABS[key] = PolicyLab(world, n_boot=n_boot, seed=seed)
    return [(name, _values(_LABS[key].evaluate(policy))) for name, policy in tasks]


def _values(card: Scorecard) -> dict[str, float | None]:
    return {measure.key: measure.value for measure in card.measures}


class _Store:
    """A file to which each policy that was evaluated is added, a line each."""

    def __init__(self, path: str | Path | None) -> None:
        self.path = None if path is None else Path(path)
        self.known: dict[str, dict[str, float | None]] = {}
        if self.path is None:
            return
        if self.path.is_dir():
            raise PolicyError(f"store: {path} is a folder; the name of a file is accepted.")
        if not self.path.parent.is_dir():
            raise PolicyError(f"store: the folder {self.path.parent} does not exist.")
        if self.path.exists():
            for number, line in enumerate(self.path.read_text("utf-8").split("\n"), start=1):
                self._read(line, number)

    def _read(self, line: str, number: int) -> None:
        try:
            item = json.loads(line)
            if item["format"] != _FORMAT:
                raise KeyError
            self.known[item["key"]] = dict(item["values"])
        except (ValueError, KeyError, TypeError):
            # an empty line, or a write of ours that was cut off: that policy is done again
            if line[: len(_START)] != _START[: len(line)]:
                raise PolicyError(
                    f"store: {self.path}, line {number} was not written by a sweep; give another "
                    "file."
                ) from None

    def add(self, key: str, values: Mapping[str, float | None]) -> None:
        self.known[key] = dict(values)
        if self.path is None:
            return
        line = json.dumps({"format": _FORMAT, "key": key, "values": values})
        cut = self.path.exists() and self.path.read_bytes()[-1:] not in (b"", b"\n")
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(("\n" if cut else "") + line + "\n")
            file.flush()
            os.fsync(file.fileno())


@contextlib.contextmanager
def _counting(total: int, progress: bool) -> Iterator[Callable[[int], Any]]:
    """Yield what is told how many more policies are done."""
    if not progress:
        yield lambda n: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, desc="Evaluating", unit="policy", leave=False) as bar:
        yield bar.update


def sweep(
    policies: Iterable[Policy],
    world: World | PolicyLab,
    *,
    n_boot: int = 0,
    seed: int = 0,
    n_jobs: int | None = None,
    store: str | Path | None = None,
    progress: bool = True,
) -> Sweep:
    """Evaluate many policies, on as many cores or computers as there are.

    Parameters
    ----------
    policies : iterable of Policy
        From `variants`, or any others.
    world : World or PolicyLab
        A lab evaluates them itself, here, and keeps what it learns of each stage.
    n_boot : int, default 0
        As in `evaluate`; without resamples there are values and no intervals.
    seed : int, default 0
    n_jobs : int, optional
        As in joblib; None is one worker, or what ``joblib.parallel_config`` says.
    store : path-like, optional
        A file to which every finished policy is added. Stop the sweep when you like, call
        it again with the same file, and only what is missing is evaluated.
    progress : bool, default True
        Show a progress bar.

    Returns
    -------
    Sweep

    Raises
    ------
    PolicyError
        If there is no policy, or the file is none of ours.

    References
    ----------
    joblib documentation, "Custom backend API": Dask and Ray run unchanged code.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.policy import Policy, sweep, variants
    >>> tried = variants(Policy(), {"consent.banner": ["neutral", "nudging"]})
    >>> found = sweep(tried, make_world(500, seed=1), progress=False)
    >>> found.table["consent.banner"].tolist()
    ['neutral', 'nudging']
    """
    tried = list(policies)
    if not tried:
        raise PolicyError("policies is empty; give at least one Policy.")
    for at, policy in enumerate(tried):
        if not isinstance(policy, Policy):
            raise PolicyError(f"policies, number {at}: a Policy is accepted, not {policy!r}.")
    if hasattr(world, "evaluate"):
        found = []
        with _counting(len(tried), progress) as count:
            for policy in tried:
                found.append(_values(world.evaluate(policy)))
                count(1)
        return _gathered(tried, found, 0)
    held, context = _Store(store), EvaluationContext.of_world(world, seed=seed)
    keys = [_key(policy, context, n_boot) for policy in tried]
    waiting = {
        key: policy for key, policy in zip(keys, tried, strict=True) if key not in held.known
    }
    with _counting(len(waiting), progress) as count:
        for results in _runs(list(waiting.items()), world, context, n_boot, n_jobs):
            for key, values in results:
                held.add(key, values)
            count(len(results))
    return _gathered(tried, [held.known[key] for key in keys], len(tried) - len(waiting))


def _runs(
    waiting: list[tuple[str, Policy]],
    world: World,
    context: EvaluationContext,
    n_boot: int,
    n_jobs: int | None,
) -> Iterable[list[tuple[str, dict[str, float | None]]]]:
    """Evaluate policies in workers, and yield what came out as each is done."""
    if not waiting:
        return ()
    from joblib import Parallel, delayed

    source: Any = recipe(world) or world
    # small batches: a worker keeps its stages' results, and a stop loses little
    size = max(1, min(8, len(waiting) // 4))
    batches = [waiting[i : i + size] for i in range(0, len(waiting), size)]
    return Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
        delayed(_work)(batch, source, context.fingerprint, n_boot, context.seed)
        for batch in batches
    )


def _gathered(
    tried: Sequence[Policy], found: Sequence[Mapping[str, float | None]], known: int
) -> Sweep:
    measures = evaluation_graph().measures
    own = [values_of(policy) for policy in tried]
    differing = [
        path
        for path in sections.FIELDS
        if not path.endswith(".reason") and any(v[path] != own[0][path] for v in own)
    ]
    rows = [
        {p: tuple(v[p]) if isinstance(v[p], list) else v[p] for p in differing} | values
        for v, values in zip(own, found, strict=True)
    ]
    table = pd.DataFrame(rows).astype(dict.fromkeys(measures, float))
    return Sweep(tuple(tried), table, {k: g.direction for k, g in measures.items()}, known)


# -------------------------------------------------------------------- a better one nearby


@dataclass(frozen=True)
class Better:
    """Policies one or two changes away that improve a measure, cheapest elsewhere first.

    Attributes
    ----------
    improve : str
        The measure or dimension that was to be improved.
    table : DataFrame
        One row a policy: changes (in words), number (of changes), measure (the one that
        improves, most where a dimension was named), before, after, difference, low, high
        (paired), cost (what the other measures lose, in units of their spread over
        all policies tried), worse (which they are).
    policies : tuple of Policy
        In the order of the rows.
    tried : int
        How many policies were evaluated.
    """

    improve: str
    table: pd.DataFrame = field(repr=False)
    policies: tuple[Policy, ...] = field(repr=False)
    tried: int

    def __len__(self) -> int:
        return len(self.policies)

    def _repr_html_(self) -> str:
        if not self.policies:
            return (
                f"<p>None of the {self.tried} policies one or two changes away improves "
                f"{self.improve}.</p>"
            )
        return html_table(self.table, f"Policies that improve {self.improve}")


def neighbours(policy: Policy, fields: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield every single change that is tried: all words, yes and no, some numbers.

    Numbers are those that a preset or the assumption of undecided fields has, half and
    double the present one, all within the field's limits.
    """
    here = values_of(policy)
    known = [values_of(each.policy()) for each in PRESETS.values()] + [values_of(Policy())]
    for path in sections.FIELDS if fields is None else fields:
        policy[path]  # raises where there is no such field
        if path.endswith(".reason"):
            continue
        tried = [here[path], None]
        for option in _options(path, here[path], [values[path] for values in known]):
            if option not in tried:
                tried.append(option)
                yield {path: option}


def _options(path: str, now: Any, known: list[Any]) -> list[Any]:
    if sections.is_list(path):
        return known  # a list is taken whole, from a preset
    if sections.choices(path):
        return list(sections.choices(path))
    if isinstance(now, bool):
        return [True, False]
    if not isinstance(now, int | float):
        return known
    low, high, _ = sections.limits(path)
    numbers = (
        round(number) if isinstance(now, int) else round(number, 6) for number in (now / 2, now * 2)
    )
    return known + [x for x in numbers if low is None or high is None or low <= x <= high]


@dataclass
class _Tried:
    """Changes that were tried, the policies they make, and what came out of each."""

    steps: list[dict[str, Any]]
    policies: list[Policy]
    values: pd.DataFrame

    @classmethod
    def run(
        cls, policy: Policy, lab: PolicyLab, steps: Iterable[dict[str, Any]], progress: bool
    ) -> _Tried:
        made = []
        for step in steps:
            with contextlib.suppress(PolicyError):  # it contradicts another decision
                made.append((step, changed(policy, step)))
        if not made:
            return cls([], [], pd.DataFrame(columns=list(lab.graph.measures), dtype=float))
        found = sweep([candidate for _, candidate in made], lab, progress=progress)
        values = found.table[list(found.directions)]
        return cls([step for step, _ in made], list(found.policies), values)

    def and_then(self, more: _Tried) -> _Tried:
        values = pd.concat([self.values, more.values], ignore_index=True)
        return _Tried(self.steps + more.steps, self.policies + more.policies, values)


def nearest_better(
    policy: Policy,
    lab: PolicyLab,
    improve: str,
    *,
    changes: int = 2,
    fields: Sequence[str] | None = None,
    progress: bool = True,
) -> Better:
    """Find one or two changes that improve a measure or a dimension at the least cost elsewhere.

    Parameters
    ----------
    policy : Policy
    lab : PolicyLab
        Evaluates every candidate for real, on its world.
    improve : str
        A measure with a direction, such as ``"privacy.reidentified_by_linkage"``; or a
        dimension, such as ``"privacy"``: then at least one of its measures improves, and none
        of them gets worse.
    changes : {1, 2}, default 2
        Two: also in pairs: the changes that cost least with each other and with those that win
        back what they cost; and changes of a word with all others in the section that the
        measure depends on first.
    fields : sequence of str, optional
        Fields that may change; all by default.
    progress : bool, default True

    Returns
    -------
    Better
        Only policies whose paired interval of the improvement excludes no improvement; for
        a measure that is counted any improvement counts. Where chance in learning moves the
        measure it is the interval over refits, which take a few seconds a proposal. May be empty.

    Raises
    ------
    PolicyError
        If a measure or field is unknown, or the measure has no direction or no number here.

    Notes
    -----
    The cost is the sum over all other measures that get worse, each divided by its standard
    deviation over all policies tried: a choice, since no common currency exists. Many
    candidates are compared on the same people, so the best of them looks a little better
    than it is.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.policy import Policy, PolicyLab, nearest_better
    >>> lab = PolicyLab(make_world(500, seed=1), n_boot=50)
    >>> found = nearest_better(Policy(), lab, "duty.tampering_noticed", changes=1,
    ...     fields=["log.kind"], progress=False)
    >>> found.table["changes"].str.startswith("log.kind").all().item()
    True
    """
    check_value(changes, Literal[1, 2], "changes", PolicyError)
    before = lab.evaluate(policy)
    aims = _aims(before, improve)
    tried = _Tried.run(policy, lab, neighbours(policy, fields), progress)
    if changes == 2 and tried.steps:
        pairs = _pairs(policy, lab, tried, _Gains(before, tried, aims), fields)
        tried = tried.and_then(_Tried.run(policy, lab, pairs, progress))
    rows, policies = [], []
    for at, cost, worse in _Gains(before, tried, aims).ranked():
        line = _improvement(before, lab, tried.policies[at], tried.values.iloc[at], aims)
        if line is None:
            continue  # the difference may be chance
        step = tried.steps[at]
        told = "; ".join(
            f"{path}: {wording.said(value, 'nothing')}" for path, value in step.items()
        )
        rows.append((told, len(step), *line, cost, ", ".join(worse) or "nothing"))
        policies.append(tried.policies[at])
        if len(rows) == BEST:
            break
    return Better(improve, pd.DataFrame(rows, columns=_COLUMNS), tuple(policies), len(tried.steps))


_COLUMNS = [
    "changes",
    "number",
    "measure",
    "before",
    "after",
    "difference",
    "low",
    "high",
    "cost",
    "worse",
]


def _aims(before: Scorecard, improve: str) -> list[str]:
    """Return the measures that are to improve: one, or those of a dimension."""
    measures = {m.key: m for m in before.measures}
    if improve in DIMENSIONS:
        # a dimension gets better where one of its measures does and none gets worse
        own = [m for m in before.measures if m.dimension == improve]
        aims = [m.key for m in own if m.direction != "none" and m.value is not None]
        if not aims:
            raise PolicyError(f"{improve} has no measure with a direction and a number here.")
        return aims
    if improve not in measures:
        hint = did_you_mean(improve, [*measures, *DIMENSIONS])
        raise PolicyError(f'There is no measure "{improve}".{hint}')
    if measures[improve].direction == "none":
        raise PolicyError(f"{improve} has no better direction, so it cannot be improved.")
    if measures[improve].value is None:
        raise PolicyError(f"{improve} has no number here: it {measures[improve].needs}.")
    return [improve]


def _pairs(
    policy: Policy, lab: PolicyLab, tried: _Tried, gains: _Gains, fields: Sequence[str] | None
) -> list[dict[str, Any]]:
    """Return the changes in pairs that are worth trying."""
    ranked = gains.ranked()
    best = [tried.steps[at] for at, _, _ in ranked[:6]]
    # the second change may be one that wins back what the first costs
    winning = [tried.steps[at] for at in gains.winning_back(ranked[0][2])] if ranked else []
    near = {section for aim in gains.aims for section in _sections_at(lab, aim)}
    words = [step for step in tried.steps for path in step if _is_word_in(path, near)]
    pairs = itertools.chain(
        itertools.combinations(best, 2),
        itertools.product(best[:3], winning),
        # a word can give sense to another field of its section: a witness needs a
        # log, and k a way to generalise
        ((a, b) for a in words for b in _beside(changed(policy, a), a, fields)),
    )
    joined = ({**a, **b} for a, b in pairs if not set(a) & set(b))
    return list({json.dumps(pair, sort_keys=True): pair for pair in joined}.values())


def _is_word_in(path: str, near: set[str]) -> bool:
    word = sections.choices(path) and not sections.is_list(path)
    return bool(word) and path.rpartition(".")[0] in near


def _improvement(
    before: Scorecard, lab: PolicyLab, candidate: Policy, values: pd.Series, aims: Sequence[str]
) -> tuple[str, float, float, float, float, float] | None:
    """Return the aim that improved beyond chance, with its values and interval; or None."""
    better = _by_gain(before, values, aims)
    found = _compared(before, lab.evaluate(candidate))
    if (found.loc[better, "reading"] == "needs refits").any():
        cards = (lab.evaluate(each, refit=_REFITS) for each in (before.policy, candidate))
        found = _compared(*cards)
    for aim in better:
        line, start, end = found.loc[aim], before[aim].value, float(values[aim])
        assert start is not None
        low, high = float(line["low"]), float(line["high"])
        counted = not np.isfinite(low)  # without bounds it is exact
        if line["reading"] != "cannot tell" and (
            counted or (low > 0 if before[aim].direction == "higher" else high < 0)
        ):
            return aim, start, end, end - start, low, high
    return None


def _compared(before: Scorecard, after: Scorecard) -> pd.DataFrame:
    found = compare_scorecards(before, after).table
    return found.set_index(found["dimension"].str.cat(found["measure"], sep="."))


def _by_gain(before: Scorecard, values: pd.Series, aims: Sequence[str]) -> list[str]:
    """Return the aims that improved, by how much of what was there before, most first."""
    gain = {}
    for aim in aims:
        start, end = before[aim].value or 0.0, float(values[aim])
        sign = 1.0 if before[aim].direction == "higher" else -1.0
        gain[aim] = sign * (end - start) / (abs(end) + abs(start) or 1.0)
    return sorted((aim for aim in gain if gain[aim] > 0), key=lambda aim: (-gain[aim], aim))


def _sections_at(lab: PolicyLab, measure: str) -> set[str]:
    """Return the sections that the stages right behind a measure read."""
    steps = [lab.graph.stages[name] for name in lab.graph.measures[measure].needs]
    return {path.rpartition(".")[0] for step in steps for path in step.reads}


def _beside(
    policy: Policy, step: Mapping[str, Any], fields: Sequence[str] | None
) -> Iterator[dict[str, Any]]:
    """Yield the changes in the section of a change already made."""
    section = next(iter(step)).rpartition(".")[0]
    names = sections.FIELDS if fields is None else fields
    return neighbours(
        policy, [p for p in names if p.rpartition(".")[0] == section and p not in step]
    )


class _Gains:
    """By policy and measure: how much better it got, in units of the measure's spread."""

    def __init__(self, before: Scorecard, tried: _Tried, aims: Sequence[str]) -> None:
        held = [m for m in before.measures if m.direction != "none" and m.value is not None]
        self.aims, self.names = aims, [m.key for m in held]
        self._steps = tried.steps
        sign = np.array([1.0 if m.direction == "higher" else -1.0 for m in held])
        table = tried.values[self.names].to_numpy(float)
        start = np.array([m.value for m in held], dtype=float)
        spread = np.nanstd(np.vstack([table, start]), axis=0)
        self.gains = np.nan_to_num((table - start) * sign / np.where(spread > 0, spread, 1.0))

    def ranked(self) -> list[tuple[int, float, list[str]]]:
        """Return those that improve what is aimed at: position, cost elsewhere, what gets worse."""
        columns = [self.names.index(aim) for aim in self.aims]
        found = []
        for at, row in enumerate(self.gains):
            own = row[columns]
            if own.max() <= 1e-12 or own.min() < -1e-12:
                continue
            lost = np.where(row < -1e-12, -row, 0.0)
            lost[columns] = 0.0
            order = np.argsort(-lost, kind="stable")
            worse = [self.names[i] for i in order[:4] if lost[i] > 0]
            found.append((at, float(lost.sum()), worse, -float(own.sum())))
        found.sort(key=lambda item: (round(item[1], 9), item[3], len(self._steps[item[0]])))
        return [item[:3] for item in found]

    def winning_back(self, worse: Sequence[str]) -> list[int]:
        """Return the single changes that gain most in what got worse."""
        columns = [self.names.index(key) for key in worse]
        won = self.gains[:, columns].sum(axis=1)
        return [int(at) for at in np.argsort(-won, kind="stable")[:4] if won[at] > 0]
