"""Who consents is not who does not: what that does to values, audits and models.

Each measure is computed twice, on everyone (what a house would see without asking) and on
those who consented (what it may see), and held against the world's truth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.consent.errors import ConsentError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["selection_effects", "targeting_value"]

_FEATURES = ("recency", "history", "sports", "fashion", "newbie")


def selection_effects(
    world: Any, granted: ArrayLike, *, mail: str = "sports_mail", share: float = 0.3
) -> pd.DataFrame:
    """Return what the consented sample says, beside everyone and the truth.

    Parameters
    ----------
    world : World
        Its truth is opened.
    granted : array-like of bool, shape (n_customers,)
        Who consented, in the order of ``world.customers``.
    mail : {"sports_mail", "fashion_mail"}, default "sports_mail"
    share : float, default 0.3
        Share of customers a model would reach.

    Returns
    -------
    DataFrame
        One row a measure: measure, kind (people, value, audit, model), everyone,
        consented with low and high (95 % interval from the consented sample alone),
        truth (of everyone), covered (whether the interval holds the truth).

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

    from ethicalai_lab.stats import difference_interval, mean_interval, proportion_interval

    mask = _mask(granted, len(world.customers))
    if mail not in ("sports_mail", "fashion_mail"):
        raise ConsentError(f"mail is {mail!r}; sports_mail and fashion_mail are accepted.")
    if not 0 < share < 1:
        raise ConsentError(f"share is {share!r}; a share between 0 and 1 is accepted.")
    people, customers, campaign = world.truth.people, world.customers, world.campaign
    rows = []

    def add(measure: str, kind: str, everyone: float, interval: Any, truth: float) -> None:
        rows.append(
            {
                "measure": measure,
                "kind": kind,
                "everyone": float(everyone),
                "consented": interval.value,
                "low": interval.low,
                "high": interval.high,
                "truth": float(truth),
                "covered": bool(interval.low <= truth <= interval.high),
            }
        )

    for column, name in (("privacy_concern", "mean privacy concern"), ("trust", "mean trust")):
        values = people[column].to_numpy(dtype=float)
        add(name, "people", values.mean(), mean_interval(values[mask]), values.mean())
    older = (customers["age"] >= 60).to_numpy()
    add(
        "share aged 60 and over",
        "people",
        older.mean(),
        proportion_interval(int(older[mask].sum()), int(mask.sum())),
        older.mean(),
    )
    spend = campaign["history"].to_numpy(dtype=float)
    add("mean spend of a year", "value", spend.mean(), mean_interval(spend[mask]), spend.mean())
    arm = campaign["arm"].astype(str).to_numpy()
    visit = campaign["visit"].to_numpy(dtype=float)

    def lift(rows_: NDArray[np.bool_]) -> Any:
        return difference_interval(visit[rows_ & (arm == mail)], visit[rows_ & (arm == "no_mail")])

    truth = world.truth.uplift[f"visit_{mail}"].to_numpy(dtype=float)
    everyone = np.ones(len(mask), dtype=bool)
    add(
        f"visits that the {mail.replace('_', ' ')} adds",
        "value",
        lift(everyone).value,
        lift(mask),
        truth.mean(),
    )
    unsubscribe = world.truth.uplift[f"unsubscribe_{mail}"].to_numpy(dtype=float)
    left = campaign["unsubscribed"].to_numpy(dtype=float)
    got = arm == mail
    add(
        "share that unsubscribes after it",
        "value",
        left[got].mean(),
        proportion_interval(int(left[got & mask].sum()), int((got & mask).sum())),
        unsubscribe.mean(),
    )
    # an audit: is one age group reached less by a rule on past spending?
    chosen = spend >= np.quantile(spend, 1 - share)
    add(
        "audit: selection gap, under 60 minus over",
        "audit",
        chosen[~older].mean() - chosen[older].mean(),
        difference_interval(chosen[mask & ~older] * 1.0, chosen[mask & older] * 1.0),
        chosen[~older].mean() - chosen[older].mean(),
    )
    return pd.DataFrame(rows)


def targeting_value(
    world: Any,
    granted: ArrayLike,
    *,
    mail: str = "sports_mail",
    share: float = 0.3,
    seed: int = 0,
    repeats: int = 20,
) -> pd.DataFrame:
    """Return what a model learned from the consented is worth, for them and for everyone.

    An uplift model (least squares with an interaction of mail and features) is learned
    from the consented, and from as many people drawn at random; both choose `share` of the
    people, and the world's truth says how many visits the mail adds to each chosen.

    Returns
    -------
    DataFrame
        One row a training sample ("consented", "random, same size"): learned_from, people,
        visits_added (a chosen person, truth), low, high over bootstrap samples, best (the
        best any choice could add).
    """
    import pandas as pd

    mask = _mask(granted, len(world.customers))
    campaign = world.campaign
    arm = campaign["arm"].astype(str).to_numpy()
    use = (arm == mail) | (arm == "no_mail")
    if not use.any() or mail == "no_mail":
        raise ConsentError(f"mail is {mail!r}; sports_mail and fashion_mail are accepted.")
    x = np.column_stack(
        [
            (v - v.mean()) / max(v.std(), 1e-9)
            for v in (campaign[c].to_numpy(dtype=float) for c in _FEATURES)
        ]
    )
    visit = campaign["visit"].to_numpy(dtype=float)
    treated = (arm == mail).astype(float)
    truth = world.truth.uplift[f"visit_{mail}"].to_numpy(dtype=float)
    count = max(round(share * len(mask)), 1)
    best = float(np.sort(truth)[-count:].mean())
    design = np.column_stack([np.ones(len(x)), x])

    def value(rows: NDArray[np.int64]) -> float:
        a = np.column_stack([design[rows], design[rows] * treated[rows, None]])
        # a little ridge: resampled rows may lack a combination
        gram = a.T @ a + 1e-3 * len(rows) * np.eye(a.shape[1])
        beta = np.linalg.solve(gram, a.T @ visit[rows])
        score = design @ beta[design.shape[1] :]
        top = np.argsort(-score, kind="stable")[:count]
        return float(truth[top].mean())

    rng = np.random.default_rng(seed)
    mine = np.flatnonzero(mask & use)
    any_ = np.flatnonzero(use)
    rows = []
    for name in ("consented", "random, same size"):
        values = []
        for _ in range(repeats):
            pool = mine if name == "consented" else rng.choice(any_, mine.size, replace=False)
            values.append(value(rng.choice(pool, mine.size)))
        low, high = np.quantile(values, [0.025, 0.975])
        rows.append((name, int(mine.size), float(np.mean(values)), float(low), float(high), best))
    return pd.DataFrame(
        rows, columns=["learned_from", "people", "visits_added", "low", "high", "best"]
    )


def _mask(granted: ArrayLike, n: int) -> NDArray[np.bool_]:
    mask = np.asarray(granted)
    if mask.shape != (n,) or mask.dtype != bool:
        raise ConsentError(
            f"granted has shape {mask.shape} and type {mask.dtype}; {n} values True or False, one "
            "a customer, are accepted."
        )
    if mask.sum() < 50 or (~mask).sum() < 1:
        raise ConsentError(
            f"{int(mask.sum())} of {n} consented; at least 50, and not everyone, are needed."
        )
    return mask
