"""Who consents is not who does not: what that does to values, audits and models.

Each measure is computed twice, on everyone (what a house would see without asking) and on
those who consented (what it may see), and held against the world's truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.consent.errors import ConsentError
from ethicalai_lab.core.checks import Flags, check_value, same_length

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["selection_effects", "targeting_value"]

_FEATURES = ("recency", "history", "sports", "fashion", "newbie")
_MAIL = "sports_mail"
# the share of customers that a model reaches, and how often it learns anew
_SHARE, _REPEATS = 0.3, 20


def selection_effects(world: Any, granted: ArrayLike) -> pd.DataFrame:
    """Return what the consented sample says, beside everyone and the truth.

    Parameters
    ----------
    world : World
        Its truth is opened.
    granted : array-like of bool, shape (n_customers,)
        Who consented, in the order of ``world.customers``.

    Returns
    -------
    DataFrame
        One row a measure: measure, kind (people, value, audit), everyone, consented with low
        and high (95 % interval from the consented sample alone), truth (of everyone), covered
        (whether the interval holds the truth).

    Raises
    ------
    ConsentError
        If `granted` does not fit or leaves too few people.

    Notes
    -----
    A 95 % interval speaks of chance, not of who is missing: where consent depends on what
    is measured, the interval of the consented sample lies beside the truth, and more data
    of the same kind only makes it more certain of the wrong value.
    """
    import pandas as pd

    mask = _mask(granted, world)
    everyone = np.ones(mask.size, dtype=bool)
    rows = []
    for measure, kind, estimate, truth in _measures(world):
        interval = estimate(mask)
        row = {"measure": measure, "kind": kind, "everyone": estimate(everyone).value}
        row |= {"consented": interval.value, "low": interval.low, "high": interval.high}
        row["truth"] = row["everyone"] if truth is None else float(truth)
        rows.append(row | {"covered": bool(interval.low <= row["truth"] <= interval.high)})
    return pd.DataFrame(rows)


def _measures(world: Any) -> Iterator[tuple[str, str, Callable[[NDArray[np.bool_]], Any], Any]]:
    """Yield name, kind, estimate from some of the people, and truth where it is another."""
    from ethicalai_lab.stats import difference_interval, mean_interval, proportion_interval

    people, campaign = world.truth.people, world.campaign
    older = (world.customers["age"] >= 60).to_numpy()
    spend = campaign["history"].to_numpy(dtype=float)
    mailed, alone = ((campaign["arm"] == arm).to_numpy() for arm in (_MAIL, "no_mail"))
    visit = campaign["visit"].to_numpy(dtype=float)
    left = campaign["unsubscribed"].to_numpy(dtype=float)
    # an audit: is one age group reached less by a rule on past spending?
    chosen = (spend >= np.quantile(spend, 1 - _SHARE)) * 1.0
    truth = world.truth.uplift[[f"visit_{_MAIL}", f"unsubscribe_{_MAIL}"]].mean().to_numpy(float)

    def mean(values: NDArray[np.float64]) -> Callable[[NDArray[np.bool_]], Any]:
        return lambda rows: mean_interval(values[rows])

    def share(of: NDArray[Any], among: Any = True) -> Callable[[NDArray[np.bool_]], Any]:
        return lambda rows: proportion_interval(
            int(of[rows & among].sum()), int((rows & among).sum())
        )

    for column, name in (("privacy_concern", "mean privacy concern"), ("trust", "mean trust")):
        yield name, "people", mean(people[column].to_numpy(dtype=float)), None
    yield "share aged 60 and over", "people", share(older), None
    yield "mean spend of a year", "value", mean(spend), None
    yield (
        f"visits that the {_MAIL.replace('_', ' ')} adds",
        "value",
        lambda rows: difference_interval(visit[rows & mailed], visit[rows & alone]),
        truth[0],
    )
    yield "share that unsubscribes after it", "value", share(left, mailed), truth[1]
    yield (
        "audit: selection gap, under 60 minus over",
        "audit",
        lambda rows: difference_interval(chosen[rows & ~older], chosen[rows & older]),
        None,
    )


def targeting_value(world: Any, granted: ArrayLike) -> pd.DataFrame:
    """Return what a model learned from the consented is worth, for them and for everyone.

    An uplift model (least squares with an interaction of mail and features) is learned
    from the consented, and from as many people drawn at random; both choose three tenths of
    the people, and the world's truth says how many visits the mail adds to each chosen.

    Returns
    -------
    DataFrame
        One row a training sample ("consented", "random, same size"): learned_from, people,
        visits_added (a chosen person, truth), low, high over bootstrap samples, best (the
        best any choice could add).
    """
    import pandas as pd

    mask, campaign = _mask(granted, world), world.campaign
    treated = (campaign["arm"] == _MAIL).to_numpy(dtype=float)
    use = (treated > 0) | (campaign["arm"] == "no_mail").to_numpy()
    x = [campaign[name].to_numpy(dtype=float) for name in _FEATURES]
    x = [(values - values.mean()) / max(values.std(), 1e-9) for values in x]
    design = np.column_stack([np.ones(mask.size), *x])
    visit = campaign["visit"].to_numpy(dtype=float)
    truth = world.truth.uplift[f"visit_{_MAIL}"].to_numpy(dtype=float)
    count = max(round(_SHARE * mask.size), 1)

    def value(rows: NDArray[np.int64]) -> float:
        a = np.column_stack([design[rows], design[rows] * treated[rows, None]])
        # a little ridge: resampled rows may lack a combination
        gram = a.T @ a + 1e-3 * len(rows) * np.eye(a.shape[1])
        beta = np.linalg.solve(gram, a.T @ visit[rows])
        score = design @ beta[design.shape[1] :]
        return float(truth[np.argsort(-score, kind="stable")[:count]].mean())

    rng = np.random.default_rng(0)
    mine, anyone = np.flatnonzero(mask & use), np.flatnonzero(use)
    best = float(np.sort(truth)[-count:].mean())
    rows = []
    for name in ("consented", "random, same size"):
        values = []
        for _ in range(_REPEATS):
            pool = mine if name == "consented" else rng.choice(anyone, mine.size, replace=False)
            values.append(value(rng.choice(pool, mine.size)))
        low, high = np.quantile(values, [0.025, 0.975])
        rows.append((name, mine.size, np.mean(values), low, high, best))
    return pd.DataFrame(
        rows, columns=["learned_from", "people", "visits_added", "low", "high", "best"]
    )


def _mask(granted: ArrayLike, world: Any) -> NDArray[np.bool_]:
    mask = check_value(granted, Flags, "granted", ConsentError)
    same_length(ConsentError, customers=world.customers, granted=mask)
    if mask.sum() < 50 or mask.all():
        raise ConsentError(
            f"{int(mask.sum())} of {mask.size} consented; at least 50, and not everyone, are needed."
        )
    return mask
