"""The bill: what each protection costs in the value of targeting, judged by the truth.

A rule that says whom to mail what is learned from each release of the same randomised
campaign, and then applied to customers it has not seen. The world's potential outcomes
say what it is worth, which no company ever knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ethicalai_lab.privacy.anonymizer import KAnonymizer
from ethicalai_lab.privacy.attacks import linkability
from ethicalai_lab.privacy.errors import PrivacyError, check_columns
from ethicalai_lab.privacy.hierarchies import Hierarchy, kind_of
from ethicalai_lab.privacy.labels import parse_label, parse_release
from ethicalai_lab.privacy.noise import membership_bound, simulate_noise
from ethicalai_lab.stats import mean_interval

if TYPE_CHECKING:
    from ethicalai_lab.world import World

__all__ = ["QUASI_IDENTIFIERS", "Prices", "campaign_table", "frontier", "rule_value"]

#: What somebody near a customer may know of him or her.
QUASI_IDENTIFIERS = ("age", "gender", "postcode", "recency", "history", "sports", "fashion")
_FEATURES = ("age", "gender", "recency", "history", "sports", "fashion")
_CONTROL = "no_mail"


@dataclass(frozen=True)
class Prices:
    """What a visit is worth and what a mail costs, in one currency.

    Attributes
    ----------
    visit : float
        Value of a visit.
    mail : float
        Cost of sending one.
    unsubscribe : float
        Cost of a customer who leaves the list.
    """

    visit: float = 1.0
    mail: float = 0.02
    unsubscribe: float = 2.0


def campaign_table(world: World) -> pd.DataFrame:
    """Everything a release of the campaign could hold, one row a customer.

    Parameters
    ----------
    world : World

    Returns
    -------
    pandas.DataFrame
        Indexed by customer_id: who they are, what they did, which mail they got (at
        random) and whether they visited.

    Raises
    ------
    PrivacyError
        If the world lacks a column.

    References
    ----------
    Hillstrom, "The MineThatData e-mail analytics and data mining challenge", 2008.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.privacy.bill import campaign_table
    >>> "visit" in campaign_table(make_world(500))
    True
    """
    who = ["age", "gender", "postcode"]
    did = ["recency", "history", "sports", "fashion", "arm", "visit"]
    check_columns(world.customers, ["customer_id", *who], "customers")
    check_columns(world.campaign, ["customer_id", *did], "campaign")
    left = world.customers.set_index("customer_id")[who]
    right = world.campaign.set_index("customer_id")[did]
    return left.join(right, how="inner")


def _value_by_arm(
    world: World, people: pd.Index, arms: Sequence[str], prices: Prices
) -> np.ndarray:
    """Look up each arm's expected value for each person; shape (people, arms)."""
    truth = world.truth.potential_outcomes.set_index("customer_id").loc[people]
    columns = []
    for arm in arms:
        worth = prices.visit * truth[f"p_visit_{arm}"].to_numpy()
        if arm != _CONTROL:
            worth = worth - prices.mail
            worth = worth - prices.unsubscribe * truth[f"p_unsubscribe_{arm}"].to_numpy()
        columns.append(worth)
    return np.column_stack(columns)


def rule_value(
    world: World, people: pd.Index, chosen: Sequence[str], prices: Prices | None = None
) -> float:
    """Judge a rule by the truth: its value a customer, over mailing nobody.

    Parameters
    ----------
    world : World
    people : pandas.Index of customer_id
    chosen : sequence of str
        The arm that the rule gives to each of them.
    prices : Prices, optional

    Returns
    -------
    float
        In the currency of the prices; below 0 if the rule does harm.

    Raises
    ------
    PrivacyError
        If an arm is unknown or the lengths differ.

    References
    ----------
    Radcliffe, "Using control groups to target on predicted lift", 2007.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.privacy.bill import rule_value
    >>> world = make_world(500)
    >>> people = world.campaign.set_index("customer_id").index
    >>> rule_value(world, people, ["no_mail"] * len(people))
    0.0
    """
    prices = prices or Prices()
    if len(people) != len(chosen):
        raise PrivacyError(f"there are {len(people)} people and {len(chosen)} choices; one each.")
    arms = [str(a) for a in world.campaign["arm"].cat.categories]
    index = pd.Index(arms).get_indexer(pd.Index(np.asarray(chosen, dtype=object)))
    if (index < 0).any():
        raise PrivacyError(
            f"chosen: {np.asarray(chosen, dtype=object)[index < 0][0]!r} is no arm of the "
            f"campaign; those are {', '.join(arms)}."
        )
    values = _value_by_arm(world, people, arms, prices)
    control = arms.index(_CONTROL)
    return float((values[np.arange(len(index)), index] - values[:, control]).mean())


# ---- rules learned from a release ---------------------------------------------------------------


def _design(
    table: pd.DataFrame, kinds: Mapping[Any, str], domains: Mapping[str, list]
) -> np.ndarray:
    """Features of a release: midpoints, and how far a label points to each category."""
    typed = parse_release(table, {c: k for c, k in kinds.items() if k == "number"})
    columns = []
    for name in _FEATURES:
        if name in domains:
            codes, texts = pd.factorize(table[name], use_na_sentinel=False)
            weight = np.array(
                [[parse_label(t, "text").covers(v) for v in domains[name]] for t in texts], float
            )
            weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1)
            columns.extend(weight[codes].T)
        else:
            number = typed[name].to_numpy(dtype=float)
            middle = np.nanmedian(number) if not np.isnan(number).all() else 0.0
            columns.append(np.where(np.isnan(number), middle, number))
            if name == "history":
                columns.append(np.log1p(np.maximum(columns[-1], 0.0)))
    return np.column_stack(columns)


def _learn_and_choose(
    release: pd.DataFrame,
    target: pd.DataFrame,
    kinds: Mapping[Any, str],
    arms: list[str],
    prices: Prices,
) -> np.ndarray:
    """One model an arm on the release; the best arm for each target."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    domains = {c: sorted(map(str, target[c].dropna().unique())) for c in ("gender",)}
    X, Z = _design(release, kinds, domains), _design(target, kinds, domains)
    scores = []
    for arm in arms:
        mine = (release["arm"] == arm).to_numpy()
        y = release["visit"].to_numpy()[mine]
        if len(y) == 0 or y.min() == y.max():  # nothing to learn from
            p = np.full(len(Z), float(y.mean()) if len(y) else 0.0)
        else:
            model = make_pipeline(StandardScaler(), LogisticRegression(solver="newton-cholesky"))
            p = model.fit(X[mine], y).predict_proba(Z)[:, 1]
        scores.append(prices.visit * p - (prices.mail if arm != _CONTROL else 0.0))
    return np.asarray(arms, dtype=object)[np.argmax(np.column_stack(scores), axis=1)]


def _cells(table: pd.DataFrame) -> np.ndarray:
    recent = (table["recency"] <= 6).astype(int)
    return (table["sports"] * 4 + table["fashion"] * 2 + recent).to_numpy()


def _choose_with_noise(
    sample: pd.DataFrame,
    target: pd.DataFrame,
    epsilon: float,
    arms: list[str],
    prices: Prices,
    seed: int,
) -> np.ndarray:
    """Best arm by cell, from counts with noise.

    A person is in one cell of one arm and adds 1 to its size and at most 1 to its visits:
    half of epsilon each.
    """
    arm = pd.Index(arms).get_indexer(sample["arm"].astype(object))
    cell = _cells(sample) * len(arms) + arm
    n_cells = 8 * len(arms)
    size = np.bincount(cell, minlength=n_cells)
    visits = np.bincount(cell, weights=sample["visit"], minlength=n_cells)
    noise = simulate_noise(2.0 / epsilon, (2, n_cells), seed)
    size, visits = size + noise[0], visits + noise[1]
    rate = np.clip(visits / np.maximum(size, 1), 0, 1).reshape(8, len(arms))
    cost = np.array([prices.mail if a != _CONTROL else 0.0 for a in arms])
    best = (prices.visit * rate - cost).argmax(axis=1)
    return np.asarray(arms, dtype=object)[best[_cells(target)]]


def frontier(
    world: World,
    ks: Sequence[int] = (2, 5, 10, 50, 200),
    epsilons: Sequence[float] = (0.01, 0.1, 1.0, 10.0),
    *,
    quasi_identifiers: Sequence = QUASI_IDENTIFIERS,
    method: str = "mondrian",
    hierarchies: Mapping[Any, Hierarchy] | None = None,
    prices: Prices | None = None,
    repeats: int = 5,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Privacy risk against value kept, with k and epsilon swept.

    Half of the customers are released (drawn anew each time), a rule is learned from the
    release and judged on the other half by their true potential outcomes.

    Parameters
    ----------
    world : World
    ks : sequence of int
        For :class:`KAnonymizer`.
    epsilons : sequence of float
        For rules learned from counts with noise (per person, over this one campaign). The
        noise is simulated, so that the figure can be drawn again.
    quasi_identifiers : sequence of column names
        Of :func:`campaign_table`.
    method, hierarchies
        As in :class:`KAnonymizer`.
    prices : Prices, optional
    repeats : int
        Halves drawn, 2 or more; the intervals are over them.
    seed : int
    confidence : float

    Returns
    -------
    pandas.DataFrame
        One row a release: ``defence`` (raw, counts, k, epsilon), ``parameter``,
        ``value`` (true value a customer over mailing nobody; ``value_low``,
        ``value_high``), ``kept`` (share of the raw rule's value; ``kept_low``,
        ``kept_high``), ``risk`` and ``risk_measure``, ``ncp``. For raw and k the risk is the
        share of people whose row an attacker who knows the quasi-identifiers names
        rightly; for epsilon it is a *bound*: the most any attack can gain over a coin in
        telling whether somebody is in the data. The two are different questions.

    Raises
    ------
    PrivacyError
        If repeats is below 2 or a setting is wrong.

    References
    ----------
    Brickell, Shmatikov, "The cost of privacy", KDD 2008.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.privacy.bill import frontier
    >>> table = frontier(make_world(2000), ks=[10], epsilons=[1.0], repeats=2)
    >>> table["defence"].tolist()
    ['raw', 'k', 'counts', 'epsilon']
    """
    if not isinstance(repeats, (int, np.integer)) or repeats < 2:
        raise PrivacyError(f"repeats is {repeats!r}; a whole number from 2 on is accepted.")
    prices = prices or Prices()
    table = campaign_table(world)
    names = check_columns(table, quasi_identifiers, "quasi_identifiers")
    arms = [str(a) for a in table["arm"].cat.categories]
    kinds = {c: kind_of(table[c]) for c in _FEATURES}
    rows: dict[tuple, dict[str, list]] = {}

    def note(key: tuple, value: float, raw: float, risk: float, ncp: float) -> None:
        entry = rows.setdefault(key, {"value": [], "kept": [], "risk": [], "ncp": []})
        entry["value"].append(value)
        entry["kept"].append(value / raw if raw > 0 else np.nan)
        entry["risk"].append(risk)
        entry["ncp"].append(ncp)

    for i, state in enumerate(np.random.SeedSequence(seed).generate_state(repeats)):
        order = np.random.default_rng(state).permutation(len(table))
        half = len(table) // 2
        sample, target = table.iloc[order[:half]], table.iloc[order[half:]]

        def worth(chosen: np.ndarray, people: pd.Index = target.index) -> float:
            return rule_value(world, people, chosen, prices)

        def found(release: pd.DataFrame, known: pd.DataFrame = sample, draw: int = i) -> float:
            return linkability(
                release, known, names, n_attacks=500, seed=draw, hierarchies=hierarchies
            ).attack.value

        raw = worth(_learn_and_choose(sample, target, kinds, arms, prices))
        note(("raw", np.nan), raw, raw, found(sample), 0.0)
        for k in ks:
            tool = KAnonymizer(k, hierarchies=hierarchies, method=method, quasi_identifiers=names)
            release = tool.fit_transform(sample).set_axis(sample.index)  # to judge it
            value = worth(_learn_and_choose(release, target, kinds, arms, prices))
            note(("k", float(k)), value, raw, found(release), tool.loss_.ncp)
        # counts without noise: what the coarser rule costs before any privacy
        exact = worth(_choose_with_noise(sample, target, 1e9, arms, prices, int(state)))
        if len(epsilons):
            note(("counts", np.nan), exact, raw, np.nan, np.nan)
        for epsilon in epsilons:
            chosen = _choose_with_noise(sample, target, epsilon, arms, prices, int(state))
            bound = 2 * membership_bound(epsilon) - 1
            note(("epsilon", float(epsilon)), worth(chosen), raw, bound, np.nan)
    measure = {
        "raw": "share of people found",
        "k": "share of people found",
        "counts": "not bounded",
        "epsilon": "bound on gain over a coin",
    }
    out = []
    for (defence, parameter), entry in rows.items():
        value, kept = (mean_interval(entry[c], confidence) for c in ("value", "kept"))
        out.append(
            {
                "defence": defence,
                "parameter": parameter,
                "risk": float(np.mean(entry["risk"])),
                "risk_measure": measure[defence],
                "value": value.value,
                "value_low": value.low,
                "value_high": value.high,
                "kept": kept.value,
                "kept_low": kept.low,
                "kept_high": kept.high,
                "ncp": float(np.mean(entry["ncp"])),
            }
        )
    return pd.DataFrame(out)
