"""Many policies: sweep them, keep those that nothing beats, find a better one nearby.

Every policy is evaluated for real. A sweep runs on joblib, so the same call runs on this
computer's cores or, under ``joblib.parallel_config(backend="dask")`` or a Ray backend, on a
cluster. With a file it can be stopped and goes on where it was.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.errors import did_you_mean
from ethicalai_lab.policy import sections
from ethicalai_lab.policy.context import EvaluationContext
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.evaluation import PolicyLab, evaluation_graph
from ethicalai_lab.policy.policy import Policy
from ethicalai_lab.policy.presets import PRESETS
from ethicalai_lab.policy.scorecard import DIMENSIONS, Scorecard, compare_scorecards
from ethicalai_lab.policy.stages import values_of

if TYPE_CHECKING:
    from ethicalai_lab.world import World

__all__ = ["Better", "Sweep", "changed", "nearest_better", "pareto", "sweep", "variants"]

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
        if path not in sections.FIELDS:
            raise PolicyError(
                f'There is no policy field "{path}".{did_you_mean(path, sections.FIELDS)}'
            )
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
        return self.table.to_html(float_format="{:.4g}".format)


def _key(policy: Policy, context: EvaluationContext, n_boot: int) -> str:
    values = {k: v for k, v in values_of(policy).items() if not k.endswith(".reason")}
    from ethicalai_lab import __version__

    about = [values, context.fingerprint, context.seed, n_boot, __version__]
    text = json.dumps(about, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _recipe(world: World) -> dict[str, Any] | None:
    """Return how to make the world again, where that gives the same world."""
    from ethicalai_lab.world import make_world

    if world.seed is None or world.config is None:
        return None
    recipe = {"n": world.n_customers, "seed": world.seed, "config": world.config}
    again = make_world(recipe["n"], seed=recipe["seed"], config=recipe["config"])
    return (
        recipe
        if EvaluationContext(again).fingerprint == EvaluationContext(world).fingerprint
        else None
    )


_LABS: dict[Any, PolicyLab] = {}


def _work(
    tasks: Sequence[tuple[int, Policy]], source: Any, fingerprint: str, n_boot: int, seed: int
) -> list[tuple[int, dict[str, float | None]]]:
    """Evaluate some policies in a worker, which keeps its world from task to task."""
    key = (fingerprint, n_boot, seed)
    if key not in _LABS:
        world = source
        if isinstance(source, dict):
            from ethicalai_lab.world import make_world

            world = make_world(source["n"], seed=source["seed"], config=source["config"])
        _LABS.clear()
        _LABS[key] = PolicyLab(world, n_boot=n_boot, seed=seed)
    return [(at, _values(_LABS[key].evaluate(policy))) for at, policy in tasks]


def _values(card: Scorecard) -> dict[str, float | None]:
    return {measure.key: measure.value for measure in card.measures}


def _read_store(path: Path) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    if not path.exists():
        return found
    if path.is_dir():
        raise PolicyError(f"store: {path} is a folder; the name of a file is accepted.")
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            item = json.loads(line)
            if item["format"] != _FORMAT:
                raise KeyError
            found[item["key"]] = dict(item["values"])
        except (ValueError, KeyError, TypeError):
            # a write of ours that was cut off: that policy is done again
            if line[: len(_START)] == _START[: len(line)]:
                continue
            raise PolicyError(
                f"store: {path}, line {number} was not written by a sweep; give another file."
            ) from None
    return found


def _bar(total: int, show: bool, what: str) -> Any:
    if not show:
        return None
    from tqdm.auto import tqdm

    return tqdm(total=total, desc=what, unit="policy", leave=False)


def sweep(
    policies: Iterable[Policy],
    world: World,
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
    world : World
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
    from joblib import Parallel, delayed

    tried = list(policies)
    if not tried:
        raise PolicyError("policies is empty; give at least one Policy.")
    for at, policy in enumerate(tried):
        if not isinstance(policy, Policy):
            raise PolicyError(f"policies, number {at}: a Policy is accepted, not {policy!r}.")
    context = EvaluationContext(world, seed=seed)
    keys = [_key(policy, context, n_boot) for policy in tried]
    path = None if store is None else Path(store)
    done = {} if path is None else _read_store(path)
    if path is not None and not path.parent.is_dir():
        raise PolicyError(f"store: the folder {path.parent} does not exist.")
    open_ = {key: at for at, key in reversed(list(enumerate(keys))) if key not in done}
    waiting = [(at, tried[at]) for at in sorted(open_.values())]
    known = len(tried) - len(waiting)
    if waiting:
        source: Any = _recipe(world) or world
        # small batches: a worker keeps its stages' results, and a stop loses little
        size = max(1, min(8, len(waiting) // 4))
        batches = [waiting[i : i + size] for i in range(0, len(waiting), size)]
        runs = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
            delayed(_work)(batch, source, context.fingerprint, n_boot, seed) for batch in batches
        )
        bar = _bar(len(waiting), progress, "Evaluating")
        try:
            for results in runs:
                for at, values in results:
                    done[keys[at]] = values
                    if path is not None:
                        _append(path, keys[at], values)
                if bar is not None:
                    bar.update(len(results))
        finally:
            if bar is not None:
                bar.close()
    differing = _differences(tried)
    rows = []
    for policy, key in zip(tried, keys, strict=True):
        own = values_of(policy)
        shown = {p: tuple(own[p]) if isinstance(own[p], list) else own[p] for p in differing}
        rows.append({**shown, **done[key]})
    table = pd.DataFrame(rows)
    measures = evaluation_graph().measures
    for name in measures:
        table[name] = table[name].astype(float)
    return Sweep(tuple(tried), table, {k: g.direction for k, g in measures.items()}, known)


def _append(path: Path, key: str, values: Mapping[str, Any]) -> None:
    line = json.dumps({"format": _FORMAT, "key": key, "values": values})
    cut = path.exists() and path.stat().st_size and path.read_bytes()[-1:] != b"\n"
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(("\n" if cut else "") + line + "\n")
        file.flush()
        os.fsync(file.fileno())


def _differences(policies: Sequence[Policy]) -> list[str]:
    all_values = [values_of(policy) for policy in policies]
    return [
        path
        for path in sections.FIELDS
        if not path.endswith(".reason") and any(v[path] != all_values[0][path] for v in all_values)
    ]


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
        return self.table.to_html(index=False, float_format="{:.4g}".format)


def neighbours(policy: Policy, fields: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield every single change that is tried: all words, yes and no, some numbers.

    Numbers are those that a preset or the assumption of undecided fields has, half and
    double the present one, all within the field's limits.
    """
    here = values_of(policy)
    known = [values_of(each.policy()) for each in PRESETS.values()] + [values_of(Policy())]
    for path in sections.FIELDS if fields is None else fields:
        if path not in sections.FIELDS:
            raise PolicyError(
                f'There is no policy field "{path}".{did_you_mean(path, sections.FIELDS)}'
            )
        if path.endswith(".reason"):
            continue
        words = sections.choices(path)
        options: list[Any] = [v[path] for v in known]
        if sections.is_list(path):
            pass  # a list is taken whole, from a preset
        elif words:
            options = list(words)
        elif isinstance(here[path], bool):
            options = [True, False]
        elif isinstance(here[path], int | float):
            low, high, _ = sections.limits(path)
            for number in (here[path] / 2, here[path] * 2):
                number = round(number) if isinstance(here[path], int) else round(number, 6)
                if (low is None or number >= low) and (high is None or number <= high):
                    options.append(number)
        seen = [here[path], None]
        for option in options:
            if option not in seen:
                seen.append(option)
                yield {path: option}


def nearest_better(
    policy: Policy,
    lab: PolicyLab,
    improve: str,
    *,
    changes: int = 2,
    fields: Sequence[str] | None = None,
    keep: Sequence[str] = (),
    top: int = 5,
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
    keep : sequence of str, default ()
        Measures that may not get worse at all.
    top : int, default 5
        How many are returned.
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
    if changes not in (1, 2):
        raise PolicyError(f"changes is {changes!r}; 1 or 2 is accepted.")
    before = lab.evaluate(policy)
    directions = {m.key: m.direction for m in before.measures}
    for name in (improve, *keep):
        if name not in directions and not (name == improve and name in DIMENSIONS):
            known = [*directions, *(DIMENSIONS if name == improve else ())]
            raise PolicyError(f'There is no measure "{name}".{did_you_mean(name, known)}')
        if directions.get(name) == "none":
            raise PolicyError(f"{name} has no better direction, so it cannot be improved.")
    if improve in directions and before[improve].value is None:
        raise PolicyError(f"{improve} has no number here: it {before[improve].needs}.")
    # a dimension gets better where one of its measures does and none gets worse
    aims = [improve]
    if improve in DIMENSIONS:
        aims = [
            m.key
            for m in before.measures
            if m.dimension == improve and m.direction != "none" and m.value is not None
        ]
    if not aims:
        raise PolicyError(f"{improve} has no measure with a direction and a number here.")
    sign = {k: {"higher": 1.0, "lower": -1.0, "none": 0.0}[d] for k, d in directions.items()}
    base = _values(before)
    tried: list[tuple[dict[str, Any], Policy, dict[str, float | None]]] = []

    def attempt(step: dict[str, Any]) -> None:
        try:
            candidate = changed(policy, step)
        except PolicyError:
            return  # it contradicts another decision
        tried.append((step, candidate, _values(lab.evaluate(candidate))))

    singles = list(neighbours(policy, fields))
    bar = _bar(len(singles), progress, "Trying changes")
    try:
        for step in singles:
            attempt(step)
            if bar is not None:
                bar.update()
        if changes == 2 and tried:
            ranked = _ranked(tried, base, sign, aims, keep)
            best = [tried[i][0] for i, _, _ in ranked[:6]]
            # the second change may be one that wins back what the first costs
            gains = _winning_back(tried, base, sign, ranked[:1])
            near = {section for aim in aims for section in _sections_at(lab, aim)}
            words = [
                step
                for step, _, _ in tried
                for path in step
                if sections.choices(path)
                and not sections.is_list(path)
                and path.rpartition(".")[0] in near
            ]
            pairs = [
                {**a, **b}
                for a, b in itertools.chain(
                    itertools.combinations(best, 2),
                    itertools.product(best[:3], gains),
                    # a word can give sense to another field of its section: a witness needs a
                    # log, and k a way to generalise
                    ((a, b) for a in words for b in _beside(changed(policy, a), a, fields)),
                )
                if not set(a) & set(b)
            ]
            pairs = list({json.dumps(pair, sort_keys=True): pair for pair in pairs}.values())
            if bar is not None:
                bar.total += len(pairs)
            for step in pairs:
                attempt(step)
                if bar is not None:
                    bar.update()
    finally:
        if bar is not None:
            bar.close()
    rows, policies = [], []
    for at, cost, worse in _ranked(tried, base, sign, aims, keep):
        step, candidate, values = tried[at]
        better = _by_gain(aims, base, values, sign)
        found = _compared(before, lab.evaluate(candidate))
        if (found.loc[better, "reading"] == "needs refits").any():
            cards = (lab.evaluate(each, refit=_REFITS) for each in (policy, candidate))
            found = _compared(*cards)
        aim = next((a for a in better if _sure(found.loc[a], sign[a])), None)
        if aim is None:
            continue  # the difference may be chance
        low, high = float(found.loc[aim, "low"]), float(found.loc[aim, "high"])
        rows.append(
            {
                "changes": "; ".join(f"{path}: {_said(value)}" for path, value in step.items()),
                "number": len(step),
                "measure": aim,
                "before": base[aim],
                "after": values[aim],
                "difference": values[aim] - base[aim],
                "low": low,
                "high": high,
                "cost": cost,
                "worse": ", ".join(worse) or "nothing",
            }
        )
        policies.append(candidate)
        if len(rows) == top:
            break
    columns = ["changes", "number", "measure", "before", "after", "difference", "low", "high"]
    columns += ["cost", "worse"]
    return Better(improve, pd.DataFrame(rows, columns=columns), tuple(policies), len(tried))


def _compared(before: Scorecard, after: Scorecard) -> pd.DataFrame:
    found = compare_scorecards(before, after).table
    return found.set_index(found["dimension"].str.cat(found["measure"], sep="."))


def _by_gain(
    aims: Sequence[str],
    base: Mapping[str, float | None],
    values: Mapping[str, float | None],
    sign: Mapping[str, float],
) -> list[str]:
    """Return the aims that improved, by how much of what was there before, most first."""
    gain = {
        aim: sign[aim] * (values[aim] - base[aim]) / (abs(values[aim]) + abs(base[aim]) or 1.0)
        for aim in aims
        if values[aim] is not None
    }
    return sorted((aim for aim in gain if gain[aim] > 0), key=lambda aim: (-gain[aim], aim))


def _sure(line: Any, sign: float) -> bool:
    """Tell whether a paired difference excludes no improvement; without bounds it is exact."""
    low, high = float(line["low"]), float(line["high"])
    if line["reading"] == "cannot tell":
        return False
    return not np.isfinite(low) or (low if sign > 0 else -high) > 0


def _sections_at(lab: PolicyLab, measure: str) -> set[str]:
    """Return the sections that the stages right behind a measure read."""
    steps = [lab.graph.stages[name] for name in lab.graph.measures[measure].needs]
    return {path.rpartition(".")[0] for step in steps for path in step.reads}


def _beside(
    policy: Policy, step: Mapping[str, Any], fields: Sequence[str] | None
) -> Iterator[dict[str, Any]]:
    """Yield the changes in the section of a change already made."""
    section = next(iter(step)).rpartition(".")[0]
    names = [
        path
        for path in (sections.FIELDS if fields is None else fields)
        if path.rpartition(".")[0] == section and path not in step
    ]
    return neighbours(policy, names)


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "nothing"
    return str(value)


def _gains(
    tried: Sequence[tuple[Any, Any, Mapping[str, float | None]]],
    base: Mapping[str, float | None],
    sign: Mapping[str, float],
) -> tuple[list[str], NDArray[np.float64]]:
    """Return by policy and measure how much better it got, in units of its spread."""
    names = [k for k in base if sign[k] and base[k] is not None]
    table = np.array(
        [[np.nan if v[k] is None else v[k] for k in names] for _, _, v in tried], dtype=float
    )
    start = np.array([base[k] for k in names], dtype=float)
    change = (table - start) * np.array([sign[k] for k in names])
    spread = np.nanstd(np.vstack([table, start]), axis=0)
    return names, np.nan_to_num(change / np.where(spread > 0, spread, 1.0))


def _ranked(
    tried: Sequence[tuple[Any, Any, Mapping[str, float | None]]],
    base: Mapping[str, float | None],
    sign: Mapping[str, float],
    aims: Sequence[str],
    keep: Sequence[str],
) -> list[tuple[int, float, list[str]]]:
    """Return those that improve what is aimed at: position, cost elsewhere, what gets worse."""
    names, gains = _gains(tried, base, sign)
    columns = [names.index(aim) for aim in aims]
    found = []
    for at, row in enumerate(gains):
        own = row[columns]
        if (
            own.max() <= 1e-12
            or own.min() < -1e-12
            or any(row[names.index(k)] < -1e-12 for k in keep if k in names)
        ):
            continue
        lost = np.where(row < -1e-12, -row, 0.0)
        lost[columns] = 0.0
        order = np.argsort(-lost, kind="stable")
        worse = [names[i] for i in order[:4] if lost[i] > 0]
        found.append((at, float(lost.sum()), worse, -float(own.sum())))
    found.sort(key=lambda item: (round(item[1], 9), item[3], len(tried[item[0]][0])))
    return [item[:3] for item in found]


def _winning_back(
    tried: Sequence[tuple[Any, Any, Mapping[str, float | None]]],
    base: Mapping[str, float | None],
    sign: Mapping[str, float],
    best: Sequence[tuple[int, float, list[str]]],
) -> list[dict[str, Any]]:
    """Return single changes that gain most where the best change loses."""
    if not best or not best[0][2]:
        return []
    names, gains = _gains(tried, base, sign)
    lost = [names.index(k) for k in best[0][2]]
    order = np.argsort(-gains[:, lost].sum(axis=1), kind="stable")
    return [tried[i][0] for i in order[:4] if gains[i, lost].sum() > 0]
