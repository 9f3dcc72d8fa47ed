"""What is handed on or published, and what attackers make of it: a partner's table, counts.

The table is really released and linked with a public register; the counts are really drawn
with noise. The world's truth says who was right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ethicalai_lab.errors import did_you_mean
from ethicalai_lab.policy.context import EvaluationContext
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.protection import share_of
from ethicalai_lab.policy.stages import (
    Estimate,
    Exact,
    Needs,
    Ratio,
    Settings,
    measure,
    stage,
    steps,
)
from ethicalai_lab.world import PURPOSES

__all__ = [
    "DETAIL",
    "MEASURES",
    "STAGES",
    "Publication",
    "Release",
    "anonymized",
    "attacked",
    "quasi_identifiers",
]

_YEAR = 365
_MONTHS = 12
_ATTACKED = 300
_SHARING = PURPOSES.index("third_party_sharing")
#: What a public register tells about a person.
_KNOWN = ("age", "gender", "postcode")
DETAIL = ("age", "gender", "postcode", "recency", "history", "sports", "fashion")
_SECRET = "financial_stress"
_BANDS = ("low", "middle", "high")


@dataclass(frozen=True, eq=False)
class Release:
    """The table that a partner received, and what an attacker learned from it.

    Attributes
    ----------
    table : DataFrame or None
        None where nothing was released. Its index is the person's position, which only the
        judge knows.
    why_none : str
        Why nothing was released; empty otherwise.
    permitted : int
        People who may be in it.
    shared : ndarray of bool, shape (n,)
        Who is in it.
    attacked : ndarray of int, shape (a,)
        Positions of the customers whom the attacker knows from the register.
    named : ndarray of float, shape (a,)
        Chance that the attacker, naming one of the rows that fit, names the right one.
    revealed : ndarray of bool, shape (a,)
        Whether all rows that fit hold one secret, and it is the person's own.
    secret_right, secret_base : ndarray of bool, shape (a,)
        Whether the commonest secret among the rows that fit, and among all, is right.
    smallest_class : int
    unique : ndarray of bool, shape (n,)
    detail_kept : float
        1 minus the normalized certainty penalty.
    """

    table: pd.DataFrame | None
    why_none: str
    permitted: int
    shared: NDArray[np.bool_]
    attacked: NDArray[np.int64]
    named: NDArray[np.float64]
    revealed: NDArray[np.bool_]
    secret_right: NDArray[np.bool_]
    secret_base: NDArray[np.bool_]
    smallest_class: int
    unique: NDArray[np.bool_]
    detail_kept: float


def _full_table(context: EvaluationContext) -> pd.DataFrame:
    who = context.customers[list(_KNOWN)]
    did = context.campaign[["recency", "history", "sports", "fashion", "arm", "visit"]]
    stress = context.customers[_SECRET].to_numpy(float)
    band = np.digitize(stress, [1 / 3, 2 / 3])
    secret = pd.Categorical.from_codes(band, list(_BANDS), ordered=True)
    return pd.concat([who, did], axis=1).assign(**{_SECRET: secret})


def _register(context: EvaluationContext) -> dict[str, Any]:
    """Draw the register people whom the attacker tries, and say who they truly are."""
    from ethicalai_lab.privacy.attacks import age_at

    register = context.world.register
    identity = context.world.truth.identity.set_index("register_id")["customer_id"]
    customer = identity.reindex(register["register_id"]).fillna(-1).to_numpy(np.int64)
    position = context.rows_of(customer)
    inside = np.flatnonzero(position >= 0)
    chosen = np.sort(context.rng("release.attacked").permutation(inside)[:_ATTACKED])
    rows = register.iloc[chosen]
    known = pd.DataFrame(
        {
            "age": age_at(rows["birth_date"], context.as_of).to_numpy(),
            "gender": rows["gender"].to_numpy(object),
            "postcode": rows["postcode"].to_numpy(object),
        }
    )
    # one register person a customer; a second entry would count the person twice
    first = ~pd.Series(position[chosen]).duplicated().to_numpy()
    known = known[first].reset_index(drop=True)
    customers = context.customers[list(_KNOWN)].astype({"gender": object, "postcode": object})
    exact = pd.MultiIndex.from_frame(customers).isin(pd.MultiIndex.from_frame(known))
    return {"known": known, "position": position[chosen][first], "exact": exact}


def quasi_identifiers(context: EvaluationContext, decided: Sequence[str] | None) -> list[str]:
    """Columns to be generalised: those decided, or those that the world's roles name."""
    for name in decided or ():
        if name not in context.customers and name not in context.campaign:
            known = [n for n in (*context.customers, *context.campaign) if n != "customer_id"]
            raise PolicyError(
                f'anonymization.quasi_identifiers names the column "{name}", which this world '
                f"does not have; accepted are those of a release: {', '.join(DETAIL)}."
                f"{did_you_mean(name, known)}"
            )
    if decided is None:
        roles = [context.world.roles.get(name, {}) for name in ("customers", "register")]
        decided = [c for c in _KNOWN if any(r.get(c) == "quasi_identifier" for r in roles)]
    return [name for name in DETAIL if name in decided]


def anonymized(
    table: pd.DataFrame,
    settings: Mapping[str, Any],
    names: Sequence[str],
    columns: Sequence[str],
    secret: str | None,
) -> tuple[pd.DataFrame, float]:
    """Generalise the named columns of a table as asked; also the share of detail kept in all.

    Raises
    ------
    PrivacyError
        If no release satisfies what is asked.
    """
    from ethicalai_lab.privacy.anonymizer import KAnonymizer

    method = settings["anonymization.generalization"]
    k, l, t = (settings[f"anonymization.{name}"] for name in "klt")  # noqa: E741
    if method == "none" or not names or not (k > 1 or l > 1 or t < 1):
        return table, 1.0
    tool = KAnonymizer(
        max(int(k), 2),  # a class of one can neither be diverse nor close
        l=int(l) if l > 1 else None,
        t=float(t) if t < 1 else None,
        suppression=float(settings["anonymization.suppression"]),
        method=method,
        quasi_identifiers=list(names),
        sensitive=secret,
    )
    made = tool.fit_transform(table).set_axis(tool.kept_)  # to judge it
    if secret is not None:
        made[secret] = made[secret].cat.set_categories(table[secret].cat.categories)
    # columns that are not generalised lose only the rows that were left out
    missing = 1.0 - len(made) / len(table)
    lost = [tool.loss_.by_column.get(name, missing) for name in columns]
    return made, 1.0 - math.fsum(lost) / len(columns)


def attacked(
    table: pd.DataFrame,
    look: pd.DataFrame,
    known: pd.DataFrame,
    secret: str,
    position: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64], int]:
    """Look every known person up in a released table: rows that fit, and what they say.

    Parameters
    ----------
    table : DataFrame
        As released; its index is the person's position.
    look : DataFrame
        Those rows of it that can fit anybody at all.
    known : DataFrame
        What is known of each person attacked.
    secret : str
        A categorical column.
    position : ndarray of int
        Of each person attacked.

    Returns
    -------
    named, revealed, guess : ndarray
        Chance of naming the right row; whether all rows that fit hold the person's own secret;
        the secret guessed.
    common : int
        The secret that is commonest in the table.
    """
    from ethicalai_lab.privacy.attacks import fitting_rows

    m, levels = len(position), table[secret].cat.categories
    overall = np.bincount(table[secret].cat.codes, minlength=len(levels))
    common = int(overall.argmax())
    if not len(look) or not m:
        return np.zeros(m), np.zeros(m, dtype=bool), np.full(m, common), common
    fitting = fitting_rows(look, known, list(known.columns), secret, own=position)
    named = np.where(fitting.own_fits, 1.0 / np.maximum(fitting.rows, 1), 0.0)
    # of equally common secrets the one that is commoner among all; without a row, that of all
    guess = (fitting.counts + overall / (2 * overall.sum() + 1)).argmax(axis=1)
    own = look[secret].cat.codes.to_numpy(np.int64)[look.index.get_indexer(position)]
    one = (fitting.counts > 0).sum(axis=1) == 1
    return named, fitting.own_fits & one & (guess == own), guess, common


@stage(
    "anonymization.generalization",
    "anonymization.quasi_identifiers",
    "anonymization.k",
    "anonymization.l",
    "anonymization.t",
    "anonymization.suppression",
)
def release(context: EvaluationContext, settings: Settings, *, permission: Any) -> Release:
    """Hand a partner the table of those who may be shared, and link it with a public register."""
    from ethicalai_lab.privacy.errors import PrivacyError
    from ethicalai_lab.privacy.measures import class_sizes

    full = context.once("release table", lambda: _full_table(context))
    attackers = context.once("release register", lambda: _register(context))
    position = attackers["position"]
    may = np.flatnonzero(np.asarray(permission.practice)[_SHARING])
    names = quasi_identifiers(context, settings["anonymization.quasi_identifiers"])
    table, why, kept = None, "", 1.0
    before = full.iloc[may]
    if not len(may):
        why = "nobody's data may be shared"
    else:
        try:
            table, kept = anonymized(before, settings, names, DETAIL, _SECRET)
        except PrivacyError as error:
            why = str(error)
    shared = np.zeros(context.n, dtype=bool)
    unique = np.zeros(context.n, dtype=bool)
    truth = full[_SECRET].cat.codes.to_numpy(np.int64)[position]
    if table is None or not len(table):
        none = np.zeros(len(position), dtype=bool)
        why = why or "no row was left"
        return Release(
            None, why, len(may), shared, position, none * 0.0, none, none, none, 0, unique, 0.0
        )
    shared[table.index] = True
    alike = class_sizes(table, list(_KNOWN)).to_numpy()
    unique[table.index] = alike == 1
    # exact values fit nobody but their equals; no need to try the others
    look = table[attackers["exact"][table.index]] if table is before else table
    named, revealed, guess, common = attacked(table, look, attackers["known"], _SECRET, position)
    return Release(
        table,
        "",
        len(may),
        shared,
        position,
        named,
        revealed,
        guess == truth,
        common == truth,
        int(alike.min()),
        unique,
        kept,
    )


_RELEASE = "the released table, a public register and truth.identity"


@measure("privacy", "lower", "share of attacked customers", f"attacks: linkage of {_RELEASE}")
def reidentified_by_linkage(context: EvaluationContext, *, release: Release) -> Estimate:
    """Share of customers known from a public register whose row an attacker names rightly.

    The attacker knows age, gender and postcode and names one of the rows that fit, at random;
    customers who are not in the release cannot be found in it and count as not found.
    """
    return share_of(context, release.attacked, release.named)


@measure("privacy", "higher", "people", "privacy.class_sizes of the released table")
def smallest_class(context: EvaluationContext, *, release: Release) -> Estimate:
    """Fewest people in the release who look alike in age, gender and postcode (k)."""
    if release.table is None:
        return Needs(f"needs a release; none was made: {release.why_none}")
    return Exact(float(release.smallest_class))


@measure(
    "privacy", "lower", "share of people released", "privacy.class_sizes of the released table"
)
def unique_share(context: EvaluationContext, *, release: Release) -> Estimate:
    """Share of the people in the release who are alone in their age, gender and postcode."""
    if release.table is None:
        return Needs(f"needs a release; none was made: {release.why_none}")
    return Ratio(release.unique, release.shared)


@measure("privacy", "lower", "share of attacked customers", f"attacks: homogeneity in {_RELEASE}")
def secret_revealed(context: EvaluationContext, *, release: Release) -> Estimate:
    """Share of customers known from a register whose financial stress the release gives away.

    All rows that fit the person's age, gender and postcode hold the same band of it, and it
    is the person's own: no row need be singled out for that.
    """
    return share_of(context, release.attacked, release.revealed)


@measure("privacy", "lower", "share of attacked customers", f"attacks: inference from {_RELEASE}")
def secret_guessed(context: EvaluationContext, *, release: Release) -> Estimate:
    """How much oftener an attacker guesses a known customer's financial stress rightly.

    With the release: the commonest band among the rows that fit age, gender and postcode;
    without it: the band that is commonest of all.
    """
    gain = release.secret_right.astype(float) - release.secret_base.astype(float)
    return share_of(context, release.attacked, gain)


@measure("privacy", "lower", "share of customers", "rows of the released table")
def people_shared(context: EvaluationContext, *, release: Release) -> Estimate:
    """Share of all customers who have a row in the table that a partner received."""
    return Ratio(release.shared)


@measure("value", "higher", "share of detail", "KAnonymizer.loss_ (NCP) of the released table")
def release_detail_kept(context: EvaluationContext, *, release: Release) -> Estimate:
    """How exact the released values still are: 1 minus the normalized certainty penalty.

    Over seven columns and the rows of those who may be shared; 0 where nothing is released.
    """
    return Exact(release.detail_kept)


# -------------------------------------------------------------------------- publication

_WATCHED = 600
_DRAWS = 12
_T_11 = 2.200985  # the 97.5 % point of Student's t for twelve draws
_ANALYTICS = PURPOSES.index("analytics")


@dataclass(frozen=True, eq=False)
class Publication:
    """Monthly counts as published, and how well a person's presence is told from them.

    Attributes
    ----------
    counted : int
        People whose visits may be counted.
    true, published : ndarray of float, shape (12, segments)
        Visitors by month and segment; published is the first draw.
    error : ndarray of float, shape (draws,)
        Mean over all figures of their relative error, in each draw of the noise.
    expected_error : float
        The same, expected from the noise's distribution.
    watched : ndarray of int, shape (w,)
        Positions of the people whose presence an attacker guesses.
    right : ndarray of float, shape (w,)
        Share of right guesses, over draws, half of them with and half without the person.
    best : ndarray of float, shape (w,)
        The best that any attacker could do.
    spent : float or None
        Epsilon of one person over a year of publications; None without noise.
    """

    counted: int
    true: NDArray[np.float64]
    published: NDArray[np.float64]
    error: NDArray[np.float64]
    expected_error: float
    watched: NDArray[np.int64]
    right: NDArray[np.float64]
    best: NDArray[np.float64]
    spent: float | None


def _visits(context: EvaluationContext) -> dict[str, Any]:
    """Who was active in which month of the year before, and each person's segment."""
    events = context.world.events
    year = context.as_of.year - 1
    time = events["time"].dt
    person = context.rows_of(events["customer_id"])
    seen = (time.year.to_numpy() == year) & (person >= 0)
    active = np.zeros((_MONTHS, context.n), dtype=bool)
    active[time.month.to_numpy()[seen] - 1, person[seen]] = True
    age, ages = context.groups["age_band"]
    region = context.customers["region"].astype("category").cat
    segment = age * len(region.categories) + region.codes.to_numpy(np.int64)
    return {
        "active": active,
        "segment": segment,
        "segments": len(ages) * len(region.categories),
        "days": [
            (pd.Timestamp(year, month, 1) + pd.offsets.MonthEnd()).day_of_year - 1
            for month in range(1, _MONTHS + 1)
        ],
    }


def _epsilons(epsilon: float, period: int, days: Sequence[int]) -> tuple[float, float]:
    """Epsilon of one month's figures, and what a person's year of figures really spends.

    The budget of a period is divided by the most publications that fall into one period,
    and the year is then added up in the room's ledger, period by period.
    """
    from ethicalai_lab.privacy.noise import Budget

    years = math.ceil(period / _YEAR) + 1
    planned = [day + _YEAR * year for year in range(years) for day in days]
    most = int(np.bincount([day // period for day in planned]).max())
    each = epsilon / most
    ledgers: dict[int, Any] = {}
    for month, day in enumerate(days, start=1):
        ledger = ledgers.setdefault(day // period, Budget(epsilon, f"{period} days"))
        ledger.spend(each, f"visitors of month {month} by segment")
    return each, math.fsum(ledger.spent for ledger in ledgers.values())


def _best_guess(months: NDArray[np.int64], each: float | None) -> NDArray[np.float64]:
    """Best share of right guesses on people counted in so many months' figures.

    Each figure with two-sided geometric noise says "in" or "out" and is right with the chance
    `membership_bound`; the best attacker follows the majority.
    """
    if each is None:
        return np.where(months > 0, 1.0, 0.5)
    from ethicalai_lab.privacy.noise import membership_bound

    p = membership_bound(each)
    best = np.empty(_MONTHS + 1)
    for m in range(_MONTHS + 1):
        chance = [math.comb(m, j) * p**j * (1 - p) ** (m - j) for j in range(m + 1)]
        best[m] = math.fsum(
            c * (1.0 if 2 * j > m else 0.5 if 2 * j == m else 0.0) for j, c in enumerate(chance)
        )
    return best[months]


@stage("anonymization.epsilon", "anonymization.epsilon_days")
def publication(context: EvaluationContext, settings: Settings, *, permission: Any) -> Publication:
    """Publish monthly visitors by segment, with noise if asked, and guess who was counted."""
    from ethicalai_lab.privacy.noise import simulate_noise

    base = context.once("publication visits", lambda: _visits(context))
    may = np.asarray(permission.practice)[_ANALYTICS]
    watched = context.sample("publication", min(_WATCHED, context.n))
    active = base["active"] & may
    true = np.stack(
        [
            np.bincount(base["segment"][month], minlength=base["segments"]).astype(float)
            for month in active
        ]
    )
    epsilon = settings["anonymization.epsilon"]
    each = spent = None
    mine = active[:, watched].T
    if epsilon is None:
        noise = np.zeros((1, *true.shape))
        secrecy = np.zeros((1, *mine.shape))
    else:
        days = int(settings["anonymization.epsilon_days"])
        each, spent = _epsilons(float(epsilon), days, base["days"])
        seeds = context.rng("publication.noise").integers(0, 2**31, 2).tolist()
        noise = simulate_noise(1.0 / each, (_DRAWS, *true.shape), seeds[0]).astype(float)
        secrecy = simulate_noise(1.0 / each, (_DRAWS, *mine.shape), seeds[1]).astype(float)
    published = true + noise
    right = _told_apart(published_minus_others=secrecy + 1, mine=mine, present=True)
    right = (right + _told_apart(published_minus_others=secrecy, mine=mine, present=False)) / 2
    months = mine.sum(axis=1)
    return Publication(
        int(may.sum()),
        true,
        published[0],
        (np.abs(noise) / np.maximum(true, 1.0)).mean(axis=(1, 2)),
        _expected_size(each) * float((1.0 / np.maximum(true, 1.0)).mean()),
        watched,
        right,
        _best_guess(months, each),
        spent,
    )


def _expected_size(each: float | None) -> float:
    """Mean size of two-sided geometric noise that spends an epsilon (Ghosh et al. 2009)."""
    return 0.0 if each is None else 1.0 / math.sinh(each)


def _told_apart(
    *, published_minus_others: NDArray[np.float64], mine: NDArray[np.bool_], present: bool
) -> NDArray[np.float64]:
    """Share of draws in which the attacker, who knows everybody else, says the truth.

    A figure above what the others add up to speaks for "in", any other for "out"; the months
    in which the person would be counted vote, and a tie is a coin.
    """
    votes = np.where(published_minus_others >= 1, 1, -1)
    score = np.where(mine, votes, 0).sum(axis=-1)
    says_in = np.where(score == 0, 0.5, (score > 0).astype(float))
    return (says_in if present else 1.0 - says_in).mean(axis=0)


@measure("privacy", "lower", "share of guesses", "attack on published counts, simulate_noise")
def presence_guessed(context: EvaluationContext, *, publication: Publication) -> Estimate:
    """Share of right guesses whether a customer's visits are in the published monthly counts.

    The attacker knows all others' visits and when the customer would have come; 0.5 is no
    better than a coin. The truth is what the best possible attacker would reach.
    """
    reading = share_of(context, publication.watched, publication.right)
    # without noise the attacker is the best possible one: that is no test of the value
    truth = None if publication.spent is None else float(publication.best.mean())
    return Ratio(reading.top, reading.bottom, truth)


@measure(
    "value",
    "lower",
    "relative error",
    "published counts against counts without noise, twelve draws; truth: the noise's distribution",
)
def published_error(context: EvaluationContext, *, publication: Publication) -> Estimate:
    """Mean relative error that noise brings into monthly visitor counts by age and region."""
    if not publication.counted:
        return Needs("needs people whose visits may be counted")
    draws, truth = publication.error, publication.expected_error
    value = float(draws.mean())
    if len(draws) < 2:
        return Exact(value)  # no noise, no error: nothing to hold against a truth
    reach = _T_11 * float(draws.std(ddof=1)) / math.sqrt(len(draws))
    return Exact(value, max(0.0, value - reach), value + reach, truth, over="draws of the noise")


@measure("privacy", "lower", "epsilon per person and year", "privacy.noise.Budget, twelve months")
def loss_budget_spent(context: EvaluationContext, *, publication: Publication) -> Estimate:
    """Epsilon that a year of monthly counts really spends of each person's privacy.

    A budget that is renewed often adds up to a large one.
    """
    if publication.spent is None:
        return Needs("needs noise: without it the privacy loss has no bound")
    return Exact(publication.spent)


STAGES, MEASURES = steps(globals())
