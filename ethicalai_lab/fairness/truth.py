"""Audit the audit: its estimates beside the truth, its alarms beside the bias put in.

On the synthetic world the truth is known, so an audit can be held to it: does the interval
hold the true gap, how often is bias found, how often is it found where there is none?
Practitioners never have what this module reads.

References
----------
Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference.
Journal of the American Statistical Association 22, 209-212.

Phipson, B. and Smyth, G. K. (2010). Permutation p-values should never be zero. Statistical
Applications in Genetics and Molecular Biology 9(1), article 39.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ethicalai_lab.fairness._coding import FairnessInputError
from ethicalai_lab.fairness.auditing import audit
from ethicalai_lab.fairness.power import compare_groups
from ethicalai_lab.stats import wilson_bounds

if TYPE_CHECKING:
    from ethicalai_lab.world import World

__all__ = [
    "alarm_rates",
    "audit_beside_truth",
    "interval_coverage",
    "old_rule",
    "select_at_strength",
]

_RULES = ("p_value", "adjusted", "interval", "four_fifths")


def old_rule(world: World, *, share: float = 0.3) -> pd.DataFrame:
    """Return the old rule's selection, with what was recorded and what is true.

    Parameters
    ----------
    world : World
        A world with ``legacy_log`` and its truth.
    share : float, default 0.3
        Share of customers selected: those with the highest score.

    Returns
    -------
    DataFrame
        One row a customer: ``customer_id``, ``score`` (logged, prejudiced) and
        ``score_without_bias``, ``selected`` and ``selected_without_bias`` (the same share by
        either score), ``visited`` (recorded in the six weeks) and ``truly_visited``.

    Raises
    ------
    FairnessInputError
        If the world lacks a table or ``share`` is outside (0, 1).

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.fairness import old_rule
    >>> table = old_rule(make_world(500), share=0.2)
    >>> int(table["selected"].sum()), int(table["selected_without_bias"].sum())
    (100, 100)
    """
    if not 0 < share < 1:
        raise FairnessInputError(f"share is {share}; it must lie between 0 and 1.")
    try:
        log, true = world.legacy_log, world.truth.legacy
    except (AttributeError, ValueError) as error:
        raise FairnessInputError(
            "world has no legacy_log or no truth about it; use one from make_world."
        ) from error
    people, score, visited = _per_customer(log)
    _, score_without_bias, truly_visited = _per_customer(true)
    table = pd.DataFrame(
        {
            "customer_id": people,
            "score": score,
            "score_without_bias": score_without_bias,
            "visited": visited,
            "truly_visited": truly_visited,
        }
    )
    table["selected"] = select_at_strength(table, 1.0, share=share)
    table["selected_without_bias"] = select_at_strength(table, 0.0, share=share)
    names = ["customer_id", "score", "score_without_bias", "selected", "selected_without_bias"]
    return table[[*names, "visited", "truly_visited"]]


def select_at_strength(
    table: pd.DataFrame, strength: float = 1.0, *, share: float = 0.3
) -> np.ndarray:
    """Return whom the old rule would select, were its prejudice weaker or stronger.

    Parameters
    ----------
    table : DataFrame
        What :func:`old_rule` returns, or a part of its rows.
    strength : float, default 1.0
        Multiple of the prejudice in the table's world; 0 is none.
    share : float, default 0.3
        Share of the rows selected: those with the highest score.

    Returns
    -------
    ndarray of shape (n_rows,), int8
        1 where selected. Ties go to the lower customer number.

    Raises
    ------
    FairnessInputError
        If a column is missing or a number is out of range.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.fairness import old_rule, select_at_strength
    >>> table = old_rule(make_world(500))
    >>> bool((select_at_strength(table) == table["selected"]).all())
    True
    >>> bool((select_at_strength(table, 0) == table["selected_without_bias"]).all())
    True
    """
    for name in ("customer_id", "score", "score_without_bias"):
        if name not in table:
            raise FairnessInputError(f"table lacks column {name!r}; use one from old_rule.")
    if not (np.isfinite(strength) and strength >= 0):
        raise FairnessInputError(f"strength is {strength}; it must be at least 0.")
    if not 0 < share < 1:
        raise FairnessInputError(f"share is {share}; it must lie between 0 and 1.")
    plain = table["score_without_bias"].to_numpy(dtype=float)
    # Scores are logged with four decimals; so is what is made of them.
    score = np.round(plain + strength * (table["score"].to_numpy(dtype=float) - plain), 4)
    order = np.lexsort((table["customer_id"], -score))
    chosen = np.zeros(len(table), dtype=np.int8)
    chosen[order[: round(share * len(table))]] = 1
    return chosen


def audit_beside_truth(
    world: World,
    *,
    sensitive: str = "ethnic_group",
    share: float = 0.3,
    sample: int | None = 2_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Audit a sample as a practitioner would, beside what is true of everybody.

    Parameters
    ----------
    world : World
        A world with its truth.
    sensitive : str, default "ethnic_group"
        A column of ``world.customers``.
    share : float, default 0.3
        Share the old rule selects.
    sample : int or None, default 2,000
        Customers the audit sees, drawn without replacement; all with ``None``.
    confidence : float, default 0.95
        Of the bounds.
    seed : int, default 0
        Source of the sample.

    Returns
    -------
    DataFrame
        One row a between-groups disparity: ``value``, ``low``, ``high`` (the audit, on
        recorded outcomes), ``truth`` (everybody's decisions and true outcomes),
        ``covered`` (whether the interval holds it), ``truth_recorded`` (everybody, on
        recorded outcomes: what the sample estimates; the distance to ``truth`` no sample
        size removes) and ``without_bias`` (everybody, had the rule not been prejudiced).

    Raises
    ------
    FairnessInputError
        If the column is not in the world, or the sample is larger than it.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.fairness import audit_beside_truth
    >>> table = audit_beside_truth(make_world(4000), sample=1000)
    >>> gap = table.loc["demographic_parity_difference"]
    >>> bool(gap["without_bias"] < gap["truth"])
    True
    """
    table, group = _with_group(world, sensitive, share)
    n = len(table)
    seen = np.arange(n)
    if sample is not None:
        if not 0 < sample <= n:
            raise FairnessInputError(f"sample is {sample:,}; the world has {n:,} customers.")
        seen = np.sort(np.random.default_rng(seed).choice(n, sample, replace=False))
    estimate = audit(
        table["visited"].to_numpy()[seen],
        table["selected"].to_numpy()[seen],
        sensitive_features=group.iloc[seen],
        confidence=confidence,
    ).disparities

    def whole(outcome: str, decision: str) -> pd.Series:
        found = audit(table[outcome], table[decision], sensitive_features=group)
        return found.disparities["value"]

    frame = estimate.copy()
    frame["truth"] = whole("truly_visited", "selected")
    frame["covered"] = (frame["low"] <= frame["truth"]) & (frame["truth"] <= frame["high"])
    frame["truth_recorded"] = whole("visited", "selected")
    frame["without_bias"] = whole("truly_visited", "selected_without_bias")
    return frame.loc[[name for name in frame.index if not name.endswith("_to_overall")]]


def interval_coverage(
    world: World,
    *,
    sensitive: str = "gender",
    share: float = 0.3,
    sample: int = 1_000,
    repeats: int = 200,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure how often an audit's intervals hold the true value.

    Samples are drawn with replacement from the world's customers, so that the world is the
    population and its gap the truth.

    Parameters
    ----------
    world : World
        A world with its truth.
    sensitive, share, confidence, seed
        As in :func:`audit_beside_truth`.
    sample : int, default 1,000
        Customers a sample.
    repeats : int, default 200
        Samples.

    Returns
    -------
    DataFrame
        One row a between-groups disparity: ``truth`` (everybody, recorded outcomes),
        ``coverage`` with ``low`` and ``high`` (Wilson), and ``mean_value`` (above ``truth``
        by the gap's upward lean). Samples in which a gap is undefined do not count.

    Raises
    ------
    FairnessInputError
        If an argument is out of range.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.fairness import interval_coverage
    >>> table = interval_coverage(make_world(3000), sample=500, repeats=10)
    >>> bool(table["coverage"].between(0, 1).all())
    True
    """
    if repeats < 1 or sample < 1:
        raise FairnessInputError("sample and repeats must be at least 1.")
    table, group = _with_group(world, sensitive, share)
    y, p = table["visited"].to_numpy(), table["selected"].to_numpy()
    truth = audit(y, p, sensitive_features=group).disparities["value"]
    names = [name for name in truth.index if not name.endswith("_to_overall")]
    held, values = [], []
    rng = np.random.default_rng(seed)
    for _ in range(repeats):
        rows = rng.integers(0, len(table), sample)
        found = audit(
            y[rows], p[rows], sensitive_features=group.iloc[rows], confidence=confidence
        ).disparities.reindex(names)
        inside = (found["low"] <= truth[names]) & (truth[names] <= found["high"])
        held.append(inside.astype(float).where(found["low"].notna()))
        values.append(found["value"])
    hits = pd.DataFrame(held)
    known = hits.notna().sum()
    low, high = wilson_bounds(hits.sum(), known)
    return pd.DataFrame(
        {
            "truth": truth[names],
            "coverage": hits.mean(),
            "low": low,
            "high": high,
            "mean_value": pd.DataFrame(values).mean(),
        }
    )


def alarm_rates(
    world: World,
    strengths: Sequence[float] = (0.0, 0.5, 1.0),
    *,
    sensitive: str = "ethnic_group",
    sample: int = 1_000,
    repeats: int = 100,
    share: float = 0.3,
    alpha: float = 0.05,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure how often an audit of a sample finds a selection gap, and how often one by chance.

    The quick form of :func:`detection_rates`: one world, and samples drawn from it with
    replacement, so that its customers are the population and their gap is the truth. Each
    sample is audited twice, the second time with the group labels shuffled: then no group is
    selected less, and whatever is found is a false alarm.

    Parameters
    ----------
    world : World
        A world with its truth.
    strengths : sequence of float, default (0, 0.5, 1)
        Multiples of the prejudice in this world, as in :func:`select_at_strength`.
    sensitive, share
        As in :func:`audit_beside_truth`.
    sample : int, default 1,000
        Customers an audit sees.
    repeats : int, default 100
        Samples a strength.
    alpha : float, default 0.05
        The false-alarm rate each rule aims at; the four-fifths rule aims at none.
    seed : int, default 0
        Source of samples and shuffles.

    Returns
    -------
    DataFrame
        As :func:`detection_rates` returns, with ``strength`` in place of ``label_bias``.

    Raises
    ------
    FairnessInputError
        If an argument is out of range.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.fairness import alarm_rates
    >>> table = alarm_rates(make_world(2000), [2.0], sample=1500, repeats=4)
    >>> table.set_index("rule").loc["interval", "found"].item()
    1.0
    """
    if repeats < 1 or sample < 1:
        raise FairnessInputError("sample and repeats must be at least 1.")
    if not 0 < alpha < 1:
        raise FairnessInputError(f"alpha is {alpha}; it must lie between 0 and 1.")
    table, group = _with_group(world, sensitive, share)
    labels = group.astype(str).to_numpy()
    gap = "demographic_parity_difference"
    results = []
    for s, strength in enumerate(strengths):
        chosen = select_at_strength(table, strength, share=share)
        truth = audit(None, chosen, sensitive_features=labels).disparities
        found, false = dict.fromkeys(_RULES, 0), dict.fromkeys(_RULES, 0)
        for i in range(repeats):
            rng = np.random.default_rng([seed, s, i])
            rows = rng.integers(0, len(table), sample)
            drawn = labels[rows]
            for counts, g in ((found, drawn), (false, rng.permutation(drawn))):
                alarms = _alarms(None, chosen[rows], g, "selection_rate", gap, alpha, i)
                for rule, alarm in alarms.items():
                    counts[rule] += alarm
        results += _rates_by_rule(
            "strength", strength, found, false, repeats, float(truth.loc[gap, "value"])
        )
    return pd.DataFrame(results)


def _rates_by_rule(
    name: str, strength: float, found: dict, false: dict, repeats: int, true_gap: float
) -> list[dict[str, Any]]:
    """Return one row a rule: how often it found something, and how often falsely."""
    rows = []
    for rule in _RULES:
        low, high = wilson_bounds([found[rule], false[rule]], repeats)
        rows.append(
            {
                name: float(strength),
                "rule": rule,
                "found": found[rule] / repeats,
                "found_low": low[0],
                "found_high": high[0],
                "false_alarm": false[rule] / repeats,
                "false_low": low[1],
                "false_high": high[1],
                "true_gap": true_gap,
            }
        )
    return rows


def _per_customer(log: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return customers, their score, and whether they visited in any week."""
    customer = log["customer_id"].to_numpy()
    order = np.argsort(customer, kind="stable")
    people, first = np.unique(customer[order], return_index=True)
    visited = np.maximum.reduceat(log["visit"].to_numpy()[order], first)
    return people, log["score"].to_numpy()[order][first], visited


def _alarms(
    y: np.ndarray | None,
    p: np.ndarray,
    group: np.ndarray,
    metric: str,
    gap: str,
    alpha: float,
    seed: int,
) -> dict[str, bool]:
    result = audit(y, p, sensitive_features=group, confidence=1 - alpha, seed=seed)
    ratio = result.disparities.loc[gap.replace("_difference", "_ratio"), "value"]
    return {
        "p_value": bool(result.chance.loc[gap, "p_value"] <= alpha),
        "adjusted": bool(compare_groups(result, metric, alpha=alpha)["flagged"].any()),
        "interval": bool(result.disparities.loc[gap, "low"] > 0),
        "four_fifths": bool(ratio < 0.8 - 1e-12),
    }


def _with_group(world: Any, sensitive: str, share: float) -> tuple[pd.DataFrame, pd.Series]:
    customers = world.customers
    if sensitive not in customers:
        raise FairnessInputError(
            f"sensitive {sensitive!r} is not a column of customers; it has "
            f"{', '.join(customers.columns)}."
        )
    table = old_rule(world, share=share)
    group = customers.set_index("customer_id")[sensitive].reindex(table["customer_id"])
    return table, group.reset_index(drop=True)
