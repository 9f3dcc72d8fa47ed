"""Stages of personalization: what is kept, what is learned from it, and whom it chooses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ethicalai_lab.errors import did_you_mean
from ethicalai_lab.policy.context import EvaluationContext, WorldContext
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.permission import Permission
from ethicalai_lab.policy.stages import (
    Correlation,
    Estimate,
    Exact,
    Needs,
    Settings,
    measure,
    stage,
    steps,
)
from ethicalai_lab.world import PURPOSES, SCHEMA

__all__ = ["COLUMNS", "MEASURES", "STAGES", "Collection", "Model", "Targeting"]

_ANALYTICS = PURPOSES.index("analytics")
_MARKETING = PURPOSES.index("direct_marketing")
_PERSONAL = PURPOSES.index("personalization")
OFFERS = WorldContext.offers
_ACCOUNT = (
    "age",
    "gender",
    "ethnic_group",
    "region",
    "jurisdiction",
    "household_income",
    "education",
    "occupation",
    "marital_status",
    "household_size",
    "disability",
    "tenure_days",
    "device",
    "loyalty_tier",
)
INFERRED = ("health_interest", "financial_stress")
_BEHAVIOUR = ("recency", "history", "sports", "fashion")
_CAMPAIGN = ("newbie", "channel")
COLUMNS = (*_ACCOUNT, *INFERRED, *_BEHAVIOUR, *_CAMPAIGN)
"""The columns a policy's ``data.features`` may name."""
_ADULT = 18
TOO_FEW = 200  # fewer people to learn from than this give no model
SMOOTHING = 30.0  # ridge penalty, in people: effects are weak, and learning chases noise


@dataclass(frozen=True, eq=False)
class Collection:
    """What the house keeps and uses about people.

    Attributes
    ----------
    matrix : ndarray of float, shape (n, p)
        Features, standardised; 0 (the mean) where nothing may be kept.
    names : tuple of str of length p
        Of the encoded features.
    source : ndarray of int, shape (p,)
        The column, by position in `columns`, each feature comes from.
    columns : tuple of str
        Columns in use.
    table : DataFrame of n rows
        Their values as they are.
    roles : dict of str to str
    kept : ndarray of bool, shape (n,)
        Whose behaviour is kept.
    oldest_days : float
        Age of the oldest purchase that is kept.
    behaviour : DataFrame of n rows
        recency, history, sports, fashion, from the purchases that are kept.
    records : int
        Values kept, over all people.
    """

    matrix: NDArray[np.float64]
    names: tuple[str, ...]
    source: NDArray[np.int64]
    columns: tuple[str, ...]
    table: pd.DataFrame
    roles: dict[str, str]
    kept: NDArray[np.bool_]
    oldest_days: float
    behaviour: pd.DataFrame
    records: int


@dataclass(frozen=True, eq=False)
class Model:
    """What was learned, and what it says about each person.

    Attributes
    ----------
    uplift : ndarray of float, shape (n, 2)
        Predicted change of the objective by each mail; 0 where nothing was learned.
    score : ndarray of float, shape (n,)
        What the ranking uses.
    offer : ndarray of int, shape (n,)
        0 sports_mail, 1 fashion_mail.
    contributions : ndarray of float, shape (n, p), or None
        How much each feature adds to the score, against the average person; exact, since
        the model is linear. None where the ranking uses no model.
    trained_on : ndarray of bool, shape (n,)
    label : str
    why : str
        What is missing where nobody can be chosen by it; empty otherwise.
    """

    uplift: NDArray[np.float64]
    score: NDArray[np.float64]
    offer: NDArray[np.int64]
    contributions: NDArray[np.float64] | None
    trained_on: NDArray[np.bool_]
    label: str
    why: str = ""


@dataclass(frozen=True, eq=False)
class Targeting:
    """Whom the campaign contacts, with what.

    Attributes
    ----------
    selected : ndarray of bool, shape (n,)
    chance : ndarray of float, shape (n,)
        Chance of being selected, before the lot was drawn.
    score : ndarray of float, shape (n,)
    offer : ndarray of int, shape (n,)
        0 sports_mail, 1 fashion_mail.
    ranked : ndarray of bool, shape (n,)
        Who was ranked as an individual; the others only by lot.
    contactable : ndarray of bool, shape (n,)
    share : float
        Share of all customers contacted.
    given_up : float
        Share of the predicted value given up for a repair.
    """

    selected: NDArray[np.bool_]
    chance: NDArray[np.float64]
    score: NDArray[np.float64]
    offer: NDArray[np.int64]
    ranked: NDArray[np.bool_]
    contactable: NDArray[np.bool_]
    share: float
    given_up: float = 0.0

    def with_selected(self, selected: NDArray[np.bool_], given_up: float = 0.0) -> Targeting:
        """Return the same campaign with other people in it."""
        return replace(
            self, selected=selected, share=float(selected.mean()), given_up=float(given_up)
        )


# ------------------------------------------------------------------------- collection


def _roles() -> dict[str, str]:
    found = {}
    for table in ("customers", "campaign"):
        found.update({column.name: column.role for column in SCHEMA[table]})
    return found


def standard(values: Any, among: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """Return values less their mean, in standard deviations, both taken among some people."""
    values = np.asarray(values, dtype=float)
    known = values if among is None else values[among]
    if not known.size:
        return np.zeros(values.shape)
    spread = known.std()
    return (values - known.mean()) / (spread if spread > 0 else 1.0)


def _encoded(
    values: pd.Series, name: str, among: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float64], list[str]]:
    if isinstance(values.dtype, pd.CategoricalDtype):
        codes = values.cat.codes.to_numpy()
        names = [f"{name}: {level}" for level in values.cat.categories]
        return np.column_stack([standard(codes == i) for i in range(len(names))]), names
    numbers = values.to_numpy(dtype=float)
    if name in ("history", "household_income", "tenure_days"):
        numbers = np.log1p(numbers)  # long tails
    return standard(numbers, among)[:, None], [name]


def _static(
    context: EvaluationContext, column: str
) -> tuple[pd.Series, NDArray[np.float64], list[str]]:
    def read() -> tuple[Any, ...]:
        table = context.customers if column in context.customers.columns else context.campaign
        values = table[column].reset_index(drop=True)
        if values.dtype == object or str(values.dtype) in ("str", "string"):
            values = values.astype("category")
        return values, *_encoded(values, column)

    return context.once(("column", column), read)


def _behaviour(context: EvaluationContext, days: int) -> pd.DataFrame:
    """Return what the purchases of the last days say about each person."""
    bought = context.purchases
    fresh = bought["days"] <= days
    person, age = bought["person"][fresh], bought["days"][fresh]
    last = np.full(context.n, np.inf)
    # oldest first, so that the latest purchase is written last
    order = np.argsort(-age, kind="stable")
    last[person[order]] = age[order]
    table = pd.DataFrame(
        {
            "recency": np.where(
                np.isfinite(last), np.clip(np.ceil(last / 30.4375), 1, 12), 13
            ).astype(np.int64),
            "history": np.round(
                np.bincount(person, bought["amount"][fresh], minlength=context.n), 2
            ),
        }
    )
    for code, name in enumerate(("sports", "fashion")):
        rows = person[bought["category"][fresh] == code]
        table[name] = (np.bincount(rows, minlength=context.n) > 0).astype(np.int8)
    return table


def _said(context: EvaluationContext, question: str) -> pd.Series:
    def read() -> pd.Series:
        answers = context.world.preferences
        rows = answers[answers["question"].astype(str) == question].dropna(subset=["answer"])
        column = pd.Series(["not said"] * context.n, dtype=object)
        place = context.rows_of(rows["customer_id"])
        column.iloc[place[place >= 0]] = rows["answer"].to_numpy(object)[place >= 0]
        return column.astype("category")

    return context.once(("said", question), read)


def chosen_columns(features: Any, *, inferred: bool) -> tuple[str, ...]:
    """Return the columns a policy lets be used, or say which name is not accepted."""
    names = COLUMNS if features is None else tuple(features)
    for name in names:
        if name not in COLUMNS:
            raise PolicyError(
                f'data.features names "{name}", which this world does not have as a feature; '
                f"accepted are {', '.join(COLUMNS)}.{did_you_mean(name, COLUMNS)}"
            )
    return tuple(name for name in names if inferred or name not in INFERRED)


def _features(
    context: EvaluationContext,
    columns: tuple[str, ...],
    asked: list[str],
    behaviour: pd.DataFrame,
    kept: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], list[str], list[int], dict[str, pd.Series]]:
    """Return features, their names, which column each comes from, and the columns as they are."""
    parts, names, source, table = [], [], [], {}
    for number, column in enumerate(columns):
        if column in _BEHAVIOUR:
            values = behaviour[column]
            # nothing of those whose behaviour may not be kept enters, not even a mean
            block, own = _encoded(values, column, kept)
            if column == "recency" and (values[kept] == 13).any():
                block = np.column_stack([block, standard(values == 13, kept)])
                own = [*own, "nothing bought"]
            block = np.where(kept[:, None], block, 0.0)
        else:
            values, block, own = _static(context, column)
        parts.append(block)
        names += own
        source += [number] * len(own)
        table[column] = values
    for question in asked:
        values = _said(context, question)
        block, own = _encoded(values, f"said {question}")
        parts.append(block)
        names += own
        source += [len(table)] * len(own)
        table[f"said_{question}"] = values
    matrix = np.empty((context.n, len(names)))
    first = 0
    for block in parts:
        matrix[:, first : first + block.shape[1]] = block
        first += block.shape[1]
    return matrix, names, source, table


@stage("data.features", "data.inferred_traits", "data.retention_days", "data.zero_party_questions")
def collection(
    context: EvaluationContext, settings: Settings, *, permission: Permission
) -> Collection:
    """Keep the columns and the behaviour that the policy allows, of those who permit it."""
    columns = chosen_columns(
        settings["data.features"], inferred=bool(settings["data.inferred_traits"])
    )
    known = context.questions
    for question in settings["data.zero_party_questions"]:
        if question not in known:
            raise PolicyError(
                f'data.zero_party_questions names "{question}", which nobody was asked here; '
                f"accepted are {', '.join(known)}.{did_you_mean(question, known)}"
            )
    kept = permission.practice[_ANALYTICS] | permission.practice[_PERSONAL]
    days = int(settings["data.retention_days"])
    behaviour = _behaviour(context, days)
    bought = context.purchases
    held = bought["days"][(bought["days"] <= days) & kept[bought["person"]]]
    asked = settings["data.zero_party_questions"]
    matrix, names, source, table = _features(context, columns, asked, behaviour, kept)
    roles = _roles() | {f"said_{question}": "feature" for question in asked}
    columns = tuple(table)
    used = {column: roles[column] for column in columns}
    # of people who permit neither analysis nor personalization nothing is kept to be read
    static = sum(column not in _BEHAVIOUR for column in columns)
    watched = any(column in _BEHAVIOUR for column in columns)
    records = held.size * watched + int(kept.sum()) * static
    return Collection(
        matrix,
        tuple(names),
        np.asarray(source, dtype=np.int64),
        columns,
        pd.DataFrame(table, index=pd.RangeIndex(context.n)),
        used,
        kept,
        float(held.max(initial=0.0)),
        behaviour,
        int(records),
    )


# ------------------------------------------------------------------------- learning


def learner(name: str) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    from ethicalai_lab.personalization import ClassTransformation, TLearner, XLearner

    ridge = partial(Ridge, alpha=SMOOTHING, solver="cholesky")
    if name == "x_learner":
        return XLearner(ridge(), ridge())
    if name == "class_transformation":
        return ClassTransformation(LogisticRegression(C=1 / SMOOTHING, max_iter=2000))
    return TLearner(ridge())


def _linear(predict: Any, p: int) -> tuple[float, NDArray[np.float64]]:
    """Return a linear function's constant and slopes, from its values at 0 and the unit rows."""
    probe = np.vstack([np.zeros((1, p)), np.eye(p)])
    at = np.asarray(predict(probe), dtype=float)
    return float(at[0]), at[1:] - at[0]


@stage(
    "personalization.targeting",
    "personalization.learner",
    "personalization.objective",
    "personalization.offer",
)
def model(
    context: EvaluationContext,
    settings: Settings,
    *,
    permission: Permission,
    collection: Collection,
) -> Model:
    """Learn from the randomised campaign of those who permit analytics; score out of fold."""
    n, p = collection.matrix.shape
    objective = settings["personalization.objective"]
    y = context.campaign[objective].to_numpy(float)
    arm = context.arm
    learn = permission.practice[_ANALYTICS]
    targeting, offer = settings["personalization.targeting"], settings["personalization.offer"]
    fold = context.chances("fold", n) < 0.5
    nothing = np.zeros((n, len(OFFERS)))
    wanted = targeting in ("uplift", "response") or offer == "best_per_customer"
    fewest = min(int((learn & (fold == side)).sum()) for side in (False, True))
    enough = fewest >= context.fewest(TOO_FEW)
    if not wanted or not enough or not p:
        chosen = np.full(n, _fixed_offer(offer, y, arm, learn))
        score = rfm(collection) if targeting == "rfm" else np.zeros(n)
        label = "no model" if not wanted else "no model: too little to learn from"
        return Model(nothing, score, chosen, None, learn & False, label)
    transformed = settings["personalization.learner"] == "class_transformation"
    # the transformation is of yes or no: amounts are learned by the difference of two models
    name = (
        "t_learner" if transformed and objective == "spend" else settings["personalization.learner"]
    )
    lines = [_lines(name, collection.matrix, y, arm, learn & (fold == side)) for side in (0, 1)]
    constants, slopes = (np.stack(part) for part in zip(*lines, strict=True))
    # each person is judged by the model that has not seen them
    judge = np.where(fold, 0, 1)
    uplift = np.empty((n, len(OFFERS)))
    for side in (0, 1):
        rows = judge == side
        uplift[rows] = constants[side] + collection.matrix[rows] @ slopes[side].T
    if offer == "best_per_customer":
        chosen = uplift.argmax(axis=1)
    else:
        chosen = np.full(n, OFFERS.index(offer))
    if targeting == "response":
        own = _answers(collection.matrix, y, learn & (arm != "no_mail"), fold)[judge]
        contributions = collection.matrix * own[:, 1:]
        score = own[:, 0] + contributions.sum(axis=1)
    else:
        contributions = collection.matrix * slopes[judge, chosen]
        score = uplift[np.arange(n), chosen]
    if targeting == "rfm":
        score, contributions = rfm(collection), None
    label = f"{targeting}, {name}, {objective}, {p} features"
    return Model(uplift, score, chosen, contributions, learn, label)


def _lines(
    name: str, matrix: NDArray[np.float64], y: Any, arm: Any, rows: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return constant and slopes of what each mail changes, learned from some people."""
    p = matrix.shape[1]
    constants, slopes = np.zeros(len(OFFERS)), np.zeros((len(OFFERS), p))
    for number, mail in enumerate(OFFERS):
        own = np.flatnonzero(rows & ((arm == mail) | (arm == "no_mail")))
        fitted = learner(name).fit(matrix[own], y[own], arm[own] == mail)
        predict = fitted.predict_uplift
        if name == "class_transformation":
            # on the scale on which it is linear; the order is the same
            predict = partial(_log_odds, fitted)
        constants[number], slopes[number] = _linear(predict, p)
    return constants, slopes


def _answers(
    matrix: NDArray[np.float64], y: Any, rows: NDArray[np.bool_], fold: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return constant and slopes of what those do who get a message, by half."""
    from sklearn.linear_model import Ridge

    found = []
    for side in (0, 1):
        own = np.flatnonzero(rows & (fold == side))
        fitted = Ridge(alpha=SMOOTHING, solver="cholesky").fit(matrix[own], y[own])
        found.append([fitted.intercept_, *fitted.coef_])
    return np.array(found)


def _log_odds(fitted: Any, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    chance = np.clip((fitted.predict_uplift(rows) + 1) / 2, 1e-12, 1 - 1e-12)
    return np.log(chance / (1 - chance))


def _fixed_offer(offer: str, y: Any, arm: Any, learn: NDArray[np.bool_]) -> int:
    if offer in OFFERS:
        return OFFERS.index(offer)
    # without a model the one mail that did best on average, where anything was learned
    means = [y[learn & (arm == mail)] for mail in OFFERS]
    return int(np.argmax([m.mean() if m.size else 0.0 for m in means]))


def points(collection: Collection) -> dict[str, NDArray[np.float64]]:
    """Return what recency and spending add to an rfm score, as shares of people behind.

    Only columns in use count, and only people whose behaviour is kept: the rule may read no
    more than a model may. The others have 0.
    """
    frame = collection.behaviour
    columns = {"recency": -1, "history": 1}
    return {
        name: (sign * frame[name]).where(collection.kept).rank(pct=True).fillna(0.0).to_numpy()
        for name, sign in columns.items()
        if name in collection.columns
    }


def rfm(collection: Collection) -> NDArray[np.float64]:
    """Return a score from recency and spending: most recent and most valuable first."""
    total = sum(points(collection).values(), np.zeros(len(collection.kept)))
    return np.where(collection.kept, total, 0.0)


# ------------------------------------------------------------------------- targeting


@stage(
    "personalization.targeting",
    "personalization.share",
    "personalization.offer",
    "personalization.contact_cap",
    "duty.children",
)
def targeting(
    context: EvaluationContext,
    settings: Settings,
    *,
    permission: Permission,
    collection: Collection,
    model: Model,
) -> Targeting:
    """Choose whom to contact: by rank those who permit it, by lot among the others."""
    y = context.campaign["visit"].to_numpy(float)
    offer, learn = settings["personalization.offer"], permission.practice[_ANALYTICS]
    return chosen(context, settings, permission, model, _fixed_offer(offer, y, context.arm, learn))


def chosen(
    context: EvaluationContext,
    settings: Mapping[str, Any],
    permission: Permission,
    model: Model,
    common: Any,
) -> Targeting:
    """Choose people by a model's ranking or by lot; who is not ranked gets the `common` offer."""
    n = context.n
    rule = settings["personalization.targeting"]
    contactable = permission.practice[_MARKETING]
    personal = permission.practice[_PERSONAL] & contactable
    if settings["duty.children"] != "as_adults":
        # no parent's consent is on record, so a rule that asks for it ranks no child either
        personal &= ~(context.customers["age"].to_numpy(float) < _ADULT)
    offer = np.where(personal, model.offer, common)
    # a rule that has nothing to tell people apart by ranks nobody: it draws lots
    tells = np.ptp(model.score) > 0
    ranked = personal & tells & (rule in ("rfm", "response", "uplift"))
    if rule == "nobody" or not settings["personalization.contact_cap"]:
        share = 0.0
    elif rule == "everyone":
        share = 1.0
    else:
        share = float(settings["personalization.share"])
    count = min(round(share * n), int(contactable.sum()))
    by_lot = contactable & ~ranked
    lots = round(count * by_lot.sum() / max(int(contactable.sum()), 1))
    lots = max(min(lots, int(by_lot.sum())), count - int(ranked.sum()))
    selected = np.zeros(n, dtype=bool)
    draw = context.chances("lot", n)
    people = np.flatnonzero(by_lot)
    selected[people[np.argsort(draw[people], kind="stable")[:lots]]] = True
    people = np.flatnonzero(ranked)
    order = np.lexsort((draw[people], -np.round(model.score[people], 12)))
    selected[people[order[: count - lots]]] = True
    chance = np.where(ranked, selected.astype(float), 0.0)
    if by_lot.any():
        chance[by_lot] = lots / by_lot.sum()
    return Targeting(
        selected, chance, model.score, offer, ranked, contactable, float(selected.mean())
    )


# --------------------------------------------------------------------------- measures


@measure("value", "none", "share of customers", "targeting, counted")
def share_contacted(context: EvaluationContext, *, repair: Targeting) -> Estimate:
    """Share of customers that the campaign contacts."""
    return Exact(float(repair.selected.mean()))


@measure(
    "value",
    "higher",
    "correlation",
    "model beside world.truth.uplift",
    learned=True,
    only_here=True,
)
def ranking_quality(context: EvaluationContext, *, model: Model, targeting: Targeting) -> Estimate:
    """Spearman's correlation of the ranking with what the offered mail truly changes.

    The mail's true effect on visits is the world's own.
    """
    rows = targeting.ranked
    if rows.sum() < context.fewest(30) or np.ptp(model.score[rows]) == 0:
        return Needs("needs people ranked as individuals; this policy ranks nobody")
    both = context.uplift[[f"visit_{mail}" for mail in OFFERS]].to_numpy()
    true = both[np.arange(context.n), model.offer]
    return Correlation(np.round(model.score, 12), true, rows)


@measure("privacy", "lower", "columns", "collection, the table that models read")
def columns_in_use(context: EvaluationContext, *, collection: Collection) -> Estimate:
    """Count the columns about a person that models and rules read."""
    return Exact(len(collection.columns))


@measure("privacy", "lower", "columns", "collection, roles of the world's schema")
def sensitive_columns(context: EvaluationContext, *, collection: Collection) -> Estimate:
    """Count the columns in use that are sensitive, protected or guessed about a person."""
    roles = collection.roles
    return Exact(
        sum(
            roles[column] in ("sensitive", "protected") or column in INFERRED
            for column in collection.columns
        )
    )


@measure("privacy", "lower", "days", "collection, age of the oldest purchase kept")
def oldest_record(context: EvaluationContext, *, collection: Collection) -> Estimate:
    """Age of the oldest purchase that is kept at the moment of the decision."""
    return Exact(collection.oldest_days)


@measure("privacy", "lower", "values per customer", "collection, counted")
def values_kept(context: EvaluationContext, *, collection: Collection) -> Estimate:
    """How many values about a customer are kept and read, purchases counted one by one."""
    return Exact(collection.records / context.n)


STAGES, MEASURES = steps(globals())
