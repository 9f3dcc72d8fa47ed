"""The stages that read a team's own table, where a world's people answer and respond."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ethicalai_lab.errors import did_you_mean
from ethicalai_lab.policy import protection, publishing, repair
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.modelling import (
    INFERRED,
    SMOOTHING,
    TOO_FEW,
    Collection,
    Model,
    Targeting,
    chosen,
    learner,
    rfm,
    standard,
)
from ethicalai_lab.policy.own_data import NOT_STATED, TableContext
from ethicalai_lab.policy.permission import Permission
from ethicalai_lab.policy.repair import OwnAudit, Repair, audited
from ethicalai_lab.policy.stages import Settings, stage
from ethicalai_lab.tables.column_types import measured
from ethicalai_lab.tables.levels import consent_answers
from ethicalai_lab.world import PURPOSES

__all__ = ["STAGES", "Experiment", "OwnCollection", "OwnModel", "OwnPermission"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

_ATTACKED = 300
_MOST_SECRETS = 12
_SECRET = "the secret"


# -------------------------------------------------------------------------- permission


@dataclass(frozen=True, eq=False)
class OwnPermission(Permission):
    """What may be used as the table's people say, and which uses rest on their silence."""

    silent: Bools = field(kw_only=True)


@stage("consent.default")
def permission(context: TableContext, settings: Settings) -> OwnPermission:
    """Read what people permit off the consent columns; all where there is none."""
    n = context.n
    practice = np.ones((len(PURPOSES), n), dtype=bool)
    silent = np.zeros((len(PURPOSES), n), dtype=bool)
    for column in context.roles.of("consent"):
        answers, _ = consent_answers(context.table[column], column, context.roles)
        named = [i for i, name in enumerate(PURPOSES) if name in column.casefold()]
        for purpose in named or range(len(PURPOSES)):
            quiet = np.isnan(answers)
            practice[purpose] &= np.where(
                quiet, settings["consent.default"] == "opt_out", answers == 1
            )
            silent[purpose] |= quiet
    nobody = np.zeros(n, dtype=bool)
    return OwnPermission(practice, practice & ~silent, nobody, nobody, silent=practice & silent)


# -------------------------------------------------------------------------- collection


@dataclass(frozen=True, eq=False)
class OwnCollection(Collection):
    """The columns in use, with the age of the oldest row kept, where it has one."""

    oldest: float | None = field(kw_only=True)
    note: str = field(kw_only=True)


@stage("data.features", "data.inferred_traits", "data.retention_days", "data.zero_party_questions")
def collection(
    context: TableContext, settings: Settings, *, permission: OwnPermission
) -> OwnCollection:
    """Keep the columns that the policy allows, of the rows it still keeps."""
    known = context.roles.of("feature")
    wanted = settings["data.features"]
    for name in wanted or ():
        if name not in known:
            raise PolicyError(
                f'data.features names the column "{name}", which this table does not have as a '
                f"feature; accepted are {', '.join(known) or 'none, as no column is a feature'}."
                f"{did_you_mean(name, known)}"
            )
    columns = tuple(known if wanted is None else wanted)
    if not settings["data.inferred_traits"]:
        columns = tuple(name for name in columns if name not in INFERRED)
    kept = permission.practice[PURPOSES.index("analytics")]
    kept = kept | permission.practice[PURPOSES.index("personalization")]
    oldest = None
    if context.dates is not None:
        days = context.dates.days
        # a row without a date may be of any age
        kept = kept & ~(days > settings["data.retention_days"])
        left = days[kept & np.isfinite(days)]
        if left.size or not kept.any():
            oldest = float(left.max(initial=0.0))
    roles = {name: _strictest(context.roles, name) for name in columns}
    behaviour = pd.DataFrame(index=context.table.index)
    if {"recency", "history"} <= set(columns):
        behaviour = context.table[["recency", "history"]]
    asked = settings["data.zero_party_questions"]
    note = "columns with the role feature that the policy lets be used"
    if asked:
        note += f"; the answers to {', '.join(asked)} are not in this table"
    matrix, names, source = _encoded(context, columns, kept)
    return OwnCollection(
        matrix,
        names,
        source,
        columns,
        context.table[list(columns)],
        roles,
        kept,
        0.0 if oldest is None else oldest,
        behaviour,
        int(kept.sum()) * len(columns),
        oldest=oldest,
        note=note,
    )


def _encoded(
    context: TableContext, columns: tuple[str, ...], kept: Bools
) -> tuple[Floats, tuple[str, ...], NDArray[np.int64]]:
    """Return features, their names, and the column by position that each comes from."""
    from ethicalai_lab.personalization.uplift import FeatureEncoder

    parts, names, source = [], [], []
    for number, column in enumerate(columns):
        values = context.table[[column]]
        few = values[column].nunique(dropna=False)
        text = not (
            pd.api.types.is_numeric_dtype(values[column])
            or pd.api.types.is_datetime64_any_dtype(values[column])
        )
        if few < 2 or (text and few > max(20, context.n // 2)):
            continue  # nothing to learn from: never varies, or is a name
        encoder = FeatureEncoder()
        block = np.asarray(encoder.fit_transform(values), dtype=float)
        block = np.column_stack([standard(block[:, i]) for i in range(block.shape[1])])
        parts.append(np.where(kept[:, None], block, 0.0))
        names += list(encoder.get_feature_names_out())
        source += [number] * block.shape[1]
    matrix = np.hstack(parts) if parts else np.zeros((context.n, 0))
    return matrix, tuple(names), np.asarray(source, dtype=np.int64)


def _strictest(roles: Any, column: str) -> str:
    for role in ("sensitive", "protected"):
        if column in roles.of(role):
            return role
    return "feature"


# ---------------------------------------------------------------------------- learning


@dataclass(frozen=True, eq=False)
class Experiment:
    """The table's own experiment: who got what, and what followed."""

    arms: tuple[Any, ...]  # the control first
    arm: NDArray[np.int64]  # position in arms
    outcome: str
    y: Floats


def _experiment(context: TableContext, settings: Mapping[str, Any]) -> Experiment | str:
    roles = context.roles
    lacking = [role for role in ("treatment", "outcome") if not roles.of(role)]
    if lacking:
        return f"needs a column with the role {' and one with the role '.join(lacking)}"
    column = context.table[roles.treatment]
    arm = pd.Index(context.arms, dtype=object).get_indexer(column.astype(object))
    wanted = settings["personalization.objective"]
    outcome = wanted if wanted in roles.of("outcome") else roles.outcome
    y = context.table[outcome].to_numpy(float)
    return Experiment(context.arms, arm, outcome, y)


@dataclass(frozen=True, eq=False)
class OwnModel(Model):
    """What was learned from the table's own experiment, and the offer to who is not ranked."""

    common: NDArray[np.int64] = field(kw_only=True)
    experiment: Experiment | str = field(kw_only=True)


@stage(
    "personalization.targeting",
    "personalization.learner",
    "personalization.objective",
    "personalization.offer",
)
def model(
    context: TableContext, settings: Settings, *, permission: Permission, collection: Collection
) -> OwnModel:
    """Learn from one half of the table's own experiment, and judge the other by it."""
    found, rule = _experiment(context, settings), settings["personalization.targeting"]
    may = permission.practice[PURPOSES.index("analytics")]
    fold = context.chances("fold", context.n) < 0.5
    ranks = rule in ("response", "uplift")
    score = _recent_and_valuable(collection) if rule == "rfm" else np.zeros(context.n)
    nothing = np.zeros(context.n, dtype=np.int64)
    plain = OwnModel(
        np.zeros((context.n, 1)),
        np.zeros(context.n),
        nothing,
        None,
        may & False,
        "no model",
        common=nothing,
        experiment=found,
    )
    few = _lacking(context, found, collection, may, fold)
    why = few if ranks else score if isinstance(score, str) else ""
    if why:
        return replace(plain, why=why)
    if isinstance(found, str):
        return replace(plain, score=score)
    common, own = _common(settings, found, may, fold)
    # an offer of one's own is learned where there are people enough, as in a world
    if few or not (ranks or own):
        plain = replace(plain, uplift=np.zeros((context.n, len(found.arms) - 1)))
        return replace(plain, score=score, offer=common, common=common)
    name = settings["personalization.learner"]
    if name == "class_transformation" and not np.isin(found.y, (0, 1)).all():
        name = "t_learner"  # the transformation is of yes or no
    uplift = _uplift(name, collection.matrix, found, may, fold)
    offer = uplift.argmax(axis=1) if own else common
    if rule == "response":
        score = _answers(collection.matrix, found, may, fold)
    elif rule != "rfm":
        score = uplift[np.arange(context.n), offer]
    label = f"{rule}, {name}, {found.outcome}, {collection.matrix.shape[1]} features"
    return OwnModel(uplift, score, offer, None, may, label, common=common, experiment=found)


def _common(
    settings: Settings, found: Experiment, may: Bools, fold: Bools
) -> tuple[NDArray[np.int64], bool]:
    """Return the offer to all: the one decided, or the best on average in the other half.

    Also whether the policy wants an offer of each person's own.
    """
    names, wanted = [str(arm) for arm in found.arms[1:]], settings["personalization.offer"]
    if wanted in names:
        return np.full(fold.size, names.index(wanted)), False
    common = np.zeros(fold.size, dtype=np.int64)
    for side in (False, True):
        rows = may & (fold == side)
        groups = [found.y[rows & (found.arm == i)] for i in range(1, len(found.arms))]
        means = [float(y.mean()) if y.size else -math.inf for y in groups]
        common[fold != side] = int(np.argmax(means))
    rule = settings["personalization.targeting"]
    return common, len(names) > 1 and wanted == "best_per_customer" and rule != "nobody"


def _uplift(name: str, matrix: Floats, found: Experiment, may: Bools, fold: Bools) -> Floats:
    uplift = np.zeros((fold.size, len(found.arms) - 1))
    for side, number in itertools.product((False, True), range(uplift.shape[1])):
        those = np.flatnonzero(may & (fold == side) & np.isin(found.arm, (0, number + 1)))
        treated = found.arm[those] == number + 1
        fitted = learner(name).fit(matrix[those], found.y[those], treated)
        uplift[fold != side, number] = fitted.predict_uplift(matrix[fold != side])
    return uplift


def _answers(matrix: Floats, found: Experiment, may: Bools, fold: Bools) -> Floats:
    """Return what people do who get a message, as predicted from the other half."""
    from sklearn.linear_model import Ridge

    answer = np.zeros(fold.size)
    for side in (False, True):
        those = np.flatnonzero(may & (fold == side) & (found.arm > 0))
        fitted = Ridge(alpha=SMOOTHING, solver="cholesky").fit(matrix[those], found.y[those])
        answer[fold != side] = fitted.predict(matrix[fold != side])
    return answer


def _lacking(
    context: TableContext,
    found: Experiment | str,
    collection: Collection,
    may: Bools,
    fold: Bools,
) -> str:
    """Say what is missing to learn from; an empty text where nothing is."""
    if isinstance(found, str):
        return found
    if not collection.matrix.shape[1]:
        return "needs a column with the role feature that the policy lets be used"
    return _too_few(found, may, fold, context.fewest(TOO_FEW))


def _too_few(found: Experiment, may: Bools, fold: Bools, fewest: int) -> str:
    """Say what is missing to learn from each half; an empty text where nothing is."""
    for side in (False, True):
        rows = may & (fold == side)
        people = np.bincount(found.arm[rows], minlength=len(found.arms))
        if people.sum() < fewest or people.min() < 2:
            return (
                f"needs at least {fewest} people in each half to learn from, and two of each "
                f"arm; one half has {people.sum()} people, and {people.min()} in its smallest arm"
            )
    return ""


def _recent_and_valuable(collection: Collection) -> Floats | str:
    if collection.behaviour.shape[1] < 2:
        return "needs two feature columns named recency and history, by which rfm ranks"
    for name in ("recency", "history"):
        if not pd.api.types.is_numeric_dtype(collection.behaviour[name]):
            return f'needs numbers in the feature column "{name}", by which rfm ranks'
    return np.nan_to_num(rfm(collection))


# ----------------------------------------------------------------------------- choosing


@stage(
    "personalization.targeting",
    "personalization.share",
    "personalization.contact_cap",
    "duty.children",
)
def targeting(
    context: TableContext, settings: Settings, *, permission: Permission, model: OwnModel
) -> Targeting:
    """Choose whom to contact as in a world; nobody where something is missing for it."""
    if model.why:
        nobody, zero = model.trained_on, model.score
        return Targeting(nobody, zero, zero, model.offer, nobody, nobody, 0.0)
    return chosen(context, settings, permission, model, model.common)


def _repaired(context: TableContext, settings: Settings, **results: Any) -> Repair:
    """Repair the selection for the groups of the table's own protected columns."""
    columns = context.roles.of("protected")
    names = settings["fairness.audit.groups"]
    for name in names or ():
        if name not in columns:
            raise PolicyError(
                f'fairness.audit.groups names the column "{name}", which is no protected column '
                f"of this table; accepted are {', '.join(columns) or 'none, as no column is'}."
                f"{did_you_mean(name, columns)}"
            )
    own = {**settings, "fairness.audit.groups": names or columns}
    if not columns:
        own["fairness.mitigation.method"] = "none"
    return repair.repair.run(context, Settings(own), **results)


def _audited(
    context: TableContext,
    settings: Settings,
    *,
    repair: Repair,
    permission: Permission,
    model: OwnModel,
) -> OwnAudit | str:
    """Audit the selection; or say what outcome its metric needs."""
    metric = settings["fairness.audit.metric"]
    found = model.experiment
    binary = isinstance(found, Experiment) and bool(np.isin(found.y, (0, 1)).all())
    watched = settings["fairness.audit.groups"] and settings["fairness.audit.frequency"] != "never"
    if watched and not binary and not metric.startswith("demographic_parity"):
        return f"needs a yes or no outcome, as the metric {metric} compares those who respond"
    y = found.y if binary else np.zeros(context.n)
    return audited(context, settings, repair, permission, y)


# ----------------------------------------------------------------------------- release


@stage(
    "anonymization.generalization",
    "anonymization.quasi_identifiers",
    "anonymization.k",
    "anonymization.l",
    "anonymization.t",
    "anonymization.suppression",
)
def release(context: TableContext, settings: Settings, *, permission: Permission) -> dict[str, Any]:
    """Make the table that a partner would get, and attack it with what the table itself says."""
    from ethicalai_lab.privacy.errors import PrivacyError
    from ethicalai_lab.privacy.measures import class_sizes

    may = permission.practice[PURPOSES.index("third_party_sharing")]
    known = context.roles.of("quasi_identifier")
    decided = settings["anonymization.quasi_identifiers"]
    for name in decided or ():
        if name not in known:
            raise PolicyError(
                f'anonymization.quasi_identifiers names the column "{name}", which is no '
                "quasi_identifier of this table; accepted are "
                f"{', '.join(known) or 'none, as no column is'}.{did_you_mean(name, known)}"
            )
    if not known:
        return {"why": "needs a column with the role quasi_identifier"}
    if not may.any():
        return {"why": "needs a release; none was made: nobody's data may be shared"}
    secrets = [name for name in context.roles.of("sensitive") if name not in known]
    full = _plain(context.table[known])
    note = ""
    if secrets:
        full[_SECRET], note = _secret(context.table[secrets[0]])
    if (settings["anonymization.l"] > 1 or settings["anonymization.t"] < 1) and not secrets:
        return {"why": "needs a column with the role sensitive, on which l and t are held"}
    names = [name for name in known if decided is None or name in decided]
    secret = _SECRET if secrets else None
    try:
        made, kept = publishing.anonymized(full.loc[may], settings, names, known, secret)
    except PrivacyError as error:
        return {"why": f"needs a release; none was made: {error}"}
    if not len(made):
        return {"why": "needs a release; none was made: no row was left"}
    sizes = class_sizes(made, known).to_numpy()
    shared, unique = np.zeros(context.n, dtype=bool), np.zeros(context.n, dtype=bool)
    shared[made.index] = True
    unique[made.index] = sizes == 1
    found = {
        "shared": shared,
        "unique": unique,
        "smallest": int(sizes.min()),
        "kept": kept,
        "columns": known,
    }
    if secrets:
        found |= _attacked(context, made, full, known) | {"secret": secrets[0] + note}
    return found


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return a copy that can be made coarser: yes and no as words, numbers with an order."""
    table = table.apply(measured)
    for name in table.columns:
        if pd.api.types.is_bool_dtype(table[name]):
            table[name] = np.where(table[name], "yes", "no")
    return table


def _secret(column: pd.Series) -> tuple[pd.Series, str]:
    """Return a sensitive column in few values, and what was done for it."""
    column = measured(column)
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > _MOST_SECRETS:
        values = column.to_numpy(float)
        cuts = np.unique(np.quantile(values[np.isfinite(values)], [1 / 3, 2 / 3]))
        words = np.array([*("low", "middle", "high")[: len(cuts) + 1], NOT_STATED], dtype=object)
        place = np.where(np.isfinite(values), np.digitize(values, cuts), len(words) - 1)
        found, note = pd.Series(words[place], index=column.index), " in thirds"
    else:
        found, note = column.astype(str).where(column.notna(), NOT_STATED), ""
    return found.astype(object).astype("category"), note


def _attacked(
    context: TableContext, made: pd.DataFrame, full: pd.DataFrame, known: list[str]
) -> dict[str, Any]:
    """Let somebody who knows people's quasi-identifiers look them up in the release."""
    position = context.sample("release.attacked", _ATTACKED)
    truth = full[_SECRET].cat.codes.to_numpy(np.int64)[position]
    targets = full.loc[position, known].reset_index(drop=True)
    _, revealed, guess, common = publishing.attacked(made, made, targets, _SECRET, position)
    gain = (guess == truth).astype(float) - (truth == common)
    return {"attacked": position, "revealed": revealed, "gain": gain}


# ------------------------------------------------------------------------------- tokens


@stage(
    "pseudonymization.method",
    "pseudonymization.key_rotation_days",
    "pseudonymization.per_purpose",
    "pseudonymization.per_partner",
    "pseudonymization.key_holder",
)
def tokens(context: TableContext, settings: Settings) -> dict[str, Any]:
    """Make tokens of the table's identifiers and join them as two parties would."""
    columns = context.roles.of("identifier")
    if not columns:
        return {}
    people = context.sample("tokens", protection.TOKEN_PEOPLE)
    names = [str(value) for value in context.table[columns[0]].iloc[people]]
    year = names[: protection.YEAR_PEOPLE]
    purposes, partners = protection.TOKEN_PURPOSES, protection.PARTNERS

    def made(purpose: str, partner: str) -> list[str]:
        use = protection.use_of(settings, purpose, partner)
        return protection.make_tokens(context, settings, names, use=use, day=0)

    first = made(purposes[0], partners[0])
    linked = protection.months_joined(
        context, settings, year, protection.use_of(settings, purposes[0], partners[0])
    )
    return {
        "column": columns[0],
        "people": people,
        "partners": protection.joined(first, made(purposes[0], partners[1])),
        "purposes": protection.joined(first, made(purposes[1], partners[0])),
        "year": people[: len(year)],
        "months": linked / 66,
    }


STAGES = (
    permission,
    collection,
    model,
    targeting,
    replace(repair.repair, run=_repaired),
    replace(repair.own_audit, run=_audited, needs=("repair", "permission", "model")),
    tokens,
    release,
)
"""What stands in the place of a world's stages."""
