"""The bill of a policy on a team's own table: what the table can support, and what it cannot.

The policy is really applied to the table's people: who may be used, which columns, what is
learned from the table's own experiment, whom it would contact, what a partner would get. A
measure that the table cannot support has no number; it says which column is missing.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ethicalai_lab.errors import did_you_mean
from ethicalai_lab.policy import protection, records, repair
from ethicalai_lab.policy.context import EvaluationContext
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.evaluation import checked_refits, evaluation_graph
from ethicalai_lab.policy.measure import Measure
from ethicalai_lab.policy.modelling import (
    _SMOOTHING,
    _TOO_FEW,
    INFERRED,
    OFFERS,
    Collection,
    Model,
    Targeting,
    _learner,
    _rfm,
    _standard,
    targeting,
)
from ethicalai_lab.policy.own_dates import Dates, plausible
from ethicalai_lab.policy.permission import Permission
from ethicalai_lab.policy.policy import Policy
from ethicalai_lab.policy.response import MARGIN
from ethicalai_lab.policy.scorecard import Scorecard
from ethicalai_lab.policy.stages import (
    Estimate,
    Exact,
    Gap,
    Needs,
    Ratio,
    Reading,
    Settings,
    read_all,
    read_half,
    resampling_weights,
    values_of,
)
from ethicalai_lab.tables.column_types import measured
from ethicalai_lab.tables.levels import consent_answers
from ethicalai_lab.tables.loading import how_read, place_of, roles_of
from ethicalai_lab.world import PURPOSES

if TYPE_CHECKING:
    from ethicalai_lab.tables.roles import Roles

__all__ = ["evaluate_table"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

_RANKING = ("rfm", "response", "uplift")
_VISITS = ("visit", "visits", "visited")
_AMOUNTS = ("spend", "spent", "spending", "amount", "revenue", "sales", "turnover", "order_value")
_AGES = ("age", "age_years", "age_in_years", "alter", "edad", "eta", "leeftijd", "idade")
_LEFT = ("unsubscribed", "unsubscribe", "unsubscribes", "opted_out")
_NOT_STATED = "not stated"
_ATTACKED = 300
_MOST_SECRETS = 12
_SECRET = "the secret"
_UNSEEN = (
    "needs somebody for each offer, among those the policy selects, who got it in the experiment, "
    "and somebody who got nothing"
)
_TRUE = "which only a synthetic world knows"
# no column can be added that would make these measurable; where one can, its role is named
_UNHELD = "which a table of people does not hold"
_NOTHING_ASKED = "needs a column with the role consent that says yes or no for each person"


# ------------------------------------------------------------------------- the context


class _Table(EvaluationContext):
    """A table as the stages see a world: one row a person, no truth behind it."""

    def __init__(self, table: pd.DataFrame, roles: Roles, seed: int, part: float = 1.0) -> None:
        # no world is read: the parts that the stages use are given below
        self.table = table.reset_index(drop=True)
        self.roles = roles
        self.seed = seed
        self.part = part
        self.entropy = (seed,)
        self.n = len(table)
        self.ids = np.arange(1, self.n + 1, dtype=np.int64)
        times = roles.of("time")
        self.dates: Dates | None = None
        if times:
            self.dates = plausible(self.table[times[0]], times[0], partial(place_of, table))
        # without a date in the table any fixed day serves: only periods are measured
        now = pd.NaT if self.dates is None else self.dates.now
        self.as_of = pd.Timestamp("2026-01-12") if pd.isna(now) else now
        self.age_column = _age_column(self.table, roles)
        age = pd.Series(np.nan, index=self.table.index)
        if self.age_column is not None:
            age = pd.to_numeric(self.table[self.age_column], errors="coerce")
        self.customers = self.table[roles.of("protected")].assign(age=age)

    @cached_property
    def groups(self) -> dict[str, tuple[NDArray[np.int64], tuple[str, ...]]]:
        """Protected groups by column; a numeric age by its bands, under that name."""
        found = {}
        for name in self.roles.of("protected"):
            column = measured(self.table[name])
            numeric = pd.api.types.is_numeric_dtype(column)
            if name == self.age_column and numeric and column.nunique() > 4:
                cuts: Any = np.array([30, 45, 60])
                words = ["under 30", "30 to 44", "45 to 59", "60 and over"]
                codes = np.digitize(column.to_numpy(float), cuts)
            elif numeric and column.nunique() > 12:
                values = column.to_numpy(float)
                cuts = np.unique(np.quantile(values[np.isfinite(values)], [0.25, 0.5, 0.75]))
                words = [f"up to {cuts[0]:g}", *(f"above {cut:g}" for cut in cuts)]
                codes = np.digitize(values, cuts, right=True)
            else:
                levels = column.astype(str).where(column.notna()).astype("category")
                words = [str(level) for level in levels.cat.categories]
                codes = levels.cat.codes.to_numpy(np.int64)
            codes = np.where(column.isna(), len(words), codes)
            if column.isna().any():
                words.append(_NOT_STATED)
            # the audits know an age by its bands
            name = "age_band" if name == self.age_column else name
            found[name] = (codes.astype(np.int64), tuple(words))
        return found

    def half(self, number: int) -> _Table:
        """Return a random half of the rows, as a table of its own."""
        rows, seed = self.half_rows(number)
        return _Table(self.table.iloc[rows], self.roles, seed, self.part / 2)

    @cached_property
    def identity(self) -> str:
        """A checksum of the table and its roles."""
        digest = hashlib.sha256(repr(sorted(self.roles.to_dict().items(), key=str)).encode())
        hashed = pd.util.hash_pandas_object(self.table, index=False)
        digest.update(np.ascontiguousarray(hashed.to_numpy()).tobytes())
        return digest.hexdigest()[:16]


def _age_column(table: pd.DataFrame, roles: Roles) -> str | None:
    """Return the column that holds ages in years, however it is written, if there is one."""
    for name in (*roles.of("protected"), *roles.columns):
        if _slug(name) in _AGES and pd.api.types.is_numeric_dtype(table[name]):
            return name
    return None


# -------------------------------------------------------------------------- permission


def _permitted(context: _Table, settings: Mapping[str, Any]) -> tuple[Permission, Bools]:
    """Return what may be used, and the uses that rest on silence."""
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
    return Permission(practice, practice & ~silent, nobody, nobody), practice & silent


# -------------------------------------------------------------------------- collection


def _collected(
    context: _Table, settings: Mapping[str, Any], permission: Permission
) -> tuple[Collection, float | None]:
    """Keep the columns that the policy allows, of the rows it still keeps; the oldest's age."""
    from ethicalai_lab.personalization.uplift import FeatureEncoder

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
        block = np.column_stack([_standard(block[:, i]) for i in range(block.shape[1])])
        parts.append(np.where(kept[:, None], block, 0.0))
        names += list(encoder.get_feature_names_out())
        source += [number] * block.shape[1]
    matrix = np.hstack(parts) if parts else np.zeros((context.n, 0))
    roles = {name: _strictest(context.roles, name) for name in columns}
    behaviour = pd.DataFrame(index=context.table.index)
    if {"recency", "history"} <= set(columns):
        behaviour = context.table[["recency", "history"]]
    collection = Collection(
        matrix,
        tuple(names),
        np.asarray(source, dtype=np.int64),
        columns,
        context.table[list(columns)],
        roles,
        kept,
        0.0 if oldest is None else oldest,
        behaviour,
        int(kept.sum()) * len(columns),
    )
    return collection, oldest


def _strictest(roles: Roles, column: str) -> str:
    for role in ("sensitive", "protected"):
        if column in roles.of(role):
            return role
    return "feature"


# ---------------------------------------------------------------------------- learning


@dataclass(frozen=True, eq=False)
class _Experiment:
    """The table's own experiment: who got what, and what followed."""

    arms: tuple[Any, ...]  # the control first
    arm: NDArray[np.int64]  # position in arms
    outcome: str
    y: Floats


def _experiment(context: _Table, settings: Mapping[str, Any]) -> _Experiment | str:
    roles = context.roles
    lacking = [role for role in ("treatment", "outcome") if not roles.of(role)]
    if lacking:
        return f"needs a column with the role {' and one with the role '.join(lacking)}"
    column = context.table[roles.treatment]
    levels = sorted(column.unique().tolist(), key=str)
    arms = (roles.control, *(level for level in levels if level != roles.control))
    arm = pd.Index(arms, dtype=object).get_indexer(column.astype(object))
    wanted = settings["personalization.objective"]
    outcome = wanted if wanted in roles.of("outcome") else roles.outcome
    y = context.table[outcome].to_numpy(float)
    return _Experiment(arms, arm, outcome, y)


def _learned(
    context: _Table,
    settings: Mapping[str, Any],
    found: _Experiment | str,
    permission: Permission,
    collection: Collection,
) -> tuple[Model, NDArray[np.int64]] | str:
    """Learn from one half and judge the other; also the best arm on average, by the other half."""
    n, p = collection.matrix.shape
    rule, wanted = settings["personalization.targeting"], settings["personalization.offer"]
    nothing = np.zeros(n)
    may = permission.practice[PURPOSES.index("analytics")]
    if isinstance(found, str):
        if rule in ("response", "uplift"):
            return found
        score = _recent_and_valuable(collection, rule)
        if isinstance(score, str):
            return score
        model = Model(np.zeros((n, 1)), score, nothing.astype(int), None, may & False, "no model")
        return model, nothing.astype(int)
    offers = len(found.arms) - 1
    fold = context.chances("fold", n) < 0.5
    names = [str(level) for level in found.arms[1:]]
    fixed = names.index(wanted) if wanted in names else None
    common = np.zeros(n, dtype=np.int64)
    uplift, answer = np.zeros((n, offers)), np.zeros(n)
    ranks = rule in ("response", "uplift")
    own = fixed is None and offers > 1 and wanted == "best_per_customer" and rule != "nobody"
    if ranks and not p:
        return "needs a column with the role feature that the policy lets be used"
    few = _too_few(found, may, fold, context.fewest(_TOO_FEW))
    if ranks and few:
        return few
    # an offer of one's own is learned where there are people enough, as in a world
    learns = bool(p) and not few and (ranks or own)
    name = settings["personalization.learner"]
    if name == "class_transformation" and not np.isin(found.y, (0, 1)).all():
        name = "t_learner"  # the transformation is of yes or no
    for side in (False, True):
        rows, judged = may & (fold == side), fold != side
        groups = [found.y[rows & (found.arm == i)] for i in range(1, offers + 1)]
        means = [float(y.mean()) if y.size else -math.inf for y in groups]
        common[judged] = int(np.argmax(means)) if fixed is None else fixed
        if not learns:
            continue
        for number in range(offers):
            those = np.flatnonzero(rows & np.isin(found.arm, (0, number + 1)))
            fitted = _learner(name).fit(
                collection.matrix[those], found.y[those], found.arm[those] == number + 1
            )
            uplift[judged, number] = fitted.predict_uplift(collection.matrix[judged])
        if rule == "response":
            from sklearn.linear_model import Ridge

            those = np.flatnonzero(rows & (found.arm > 0))
            ridge = Ridge(alpha=_SMOOTHING, solver="cholesky")
            ridge.fit(collection.matrix[those], found.y[those])
            answer[judged] = ridge.predict(collection.matrix[judged])
    offer = uplift.argmax(axis=1) if learns and own else common
    if rule == "rfm":
        score = _recent_and_valuable(collection, rule)
        if isinstance(score, str):
            return score
    else:
        score = answer if rule == "response" else uplift[np.arange(n), offer]
    label = f"{rule}, {name}, {found.outcome}, {p} features" if learns else "no model"
    return Model(uplift, score, offer, None, may & learns, label), common


def _too_few(found: _Experiment, may: Bools, fold: Bools, fewest: int) -> str:
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


def _recent_and_valuable(collection: Collection, rule: str) -> Floats | str:
    if rule != "rfm":
        return np.zeros(len(collection.matrix))
    if collection.behaviour.shape[1] < 2:
        return "needs two feature columns named recency and history, by which rfm ranks"
    for name in ("recency", "history"):
        if not pd.api.types.is_numeric_dtype(collection.behaviour[name]):
            return f'needs numbers in the feature column "{name}", by which rfm ranks'
    return np.nan_to_num(_rfm(collection))


def _targeted(
    context: _Table,
    values: Mapping[str, Any],
    permission: Permission,
    collection: Collection,
    model: Model,
    common: NDArray[np.int64],
) -> Targeting:
    # the stage's offers are the world's two; the table's own are put in their place below
    context.__dict__["campaign"] = pd.DataFrame({"visit": np.zeros(context.n), "arm": OFFERS[0]})
    settings = {path: values[path] for path in targeting.reads}
    settings["personalization.offer"] = OFFERS[0]
    chosen = targeting.run(
        context, Settings(settings), permission=permission, collection=collection, model=model
    )
    personal = permission.practice[PURPOSES.index("personalization")] & chosen.contactable
    return replace(chosen, offer=np.where(personal, model.offer, common))


def _repaired(
    context: _Table,
    values: Mapping[str, Any],
    chosen: Targeting,
    model: Model,
    collection: Collection,
) -> Any:
    columns = context.roles.of("protected")
    names = values["fairness.audit.groups"]
    for name in names or ():
        if name not in columns:
            raise PolicyError(
                f'fairness.audit.groups names the column "{name}", which is no protected column '
                f"of this table; accepted are {', '.join(columns) or 'none, as no column is'}."
                f"{did_you_mean(name, columns)}"
            )
    settings = {path: values[path] for path in repair.repair.reads}
    settings["fairness.audit.groups"] = names or columns
    if not columns:
        settings["fairness.mitigation.method"] = "none"
    return repair.repair.run(
        context, Settings(settings), targeting=chosen, model=model, collection=collection
    )


# ----------------------------------------------------------------------------- release


def _released(context: _Table, values: Mapping[str, Any], may: Bools) -> dict[str, Any]:
    """Make the table that a partner would get, and attack it with what the table itself says."""
    from ethicalai_lab.privacy.anonymizer import KAnonymizer
    from ethicalai_lab.privacy.errors import PrivacyError
    from ethicalai_lab.privacy.measures import class_sizes

    known = context.roles.of("quasi_identifier")
    decided = values["anonymization.quasi_identifiers"]
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
    before = full.loc[may]
    k, l, t = (values[f"anonymization.{name}"] for name in "klt")  # noqa: E741
    if (l > 1 or t < 1) and not secrets:
        return {"why": "needs a column with the role sensitive, on which l and t are held"}
    made, kept = before, 1.0
    names = [name for name in known if decided is None or name in decided]
    if values["anonymization.generalization"] != "none" and (k > 1 or l > 1 or t < 1) and names:
        tool = KAnonymizer(
            max(int(k), 2),  # a class of one can neither be diverse nor close
            l=int(l) if l > 1 else None,
            t=float(t) if t < 1 else None,
            suppression=float(values["anonymization.suppression"]),
            method=values["anonymization.generalization"],
            quasi_identifiers=names,
            sensitive=_SECRET if secrets else None,
        )
        try:
            made = tool.fit_transform(before).set_axis(tool.kept_)  # to judge it
        except PrivacyError as error:
            return {"why": f"needs a release; none was made: {error}"}
        if not len(made):
            return {"why": "needs a release; none was made: no row was left"}
        # columns that are not generalised lose only the rows that were left out
        missing = 1.0 - len(made) / len(before)
        lost = [tool.loss_.by_column.get(name, missing) for name in known]
        kept = 1.0 - math.fsum(lost) / len(known)
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
        words = np.array([*("low", "middle", "high")[: len(cuts) + 1], _NOT_STATED], dtype=object)
        place = np.where(np.isfinite(values), np.digitize(values, cuts), len(words) - 1)
        found, note = pd.Series(words[place], index=column.index), " in thirds"
    else:
        found, note = column.astype(str).where(column.notna(), _NOT_STATED), ""
    return found.astype(object).astype("category"), note


def _attacked(
    context: _Table, made: pd.DataFrame, full: pd.DataFrame, known: list[str]
) -> dict[str, Any]:
    """Let somebody who knows people's quasi-identifiers look them up in the release."""
    from ethicalai_lab.privacy.attacks import fitting_rows

    levels = full[_SECRET].cat.categories
    truth = full[_SECRET].cat.codes.to_numpy(np.int64)
    position = np.sort(context.rng("release.attacked").permutation(context.n)[:_ATTACKED])
    targets = full.loc[position, known].reset_index(drop=True)
    told = pd.Categorical(made[_SECRET].astype(object), categories=levels)
    overall = np.bincount(told.codes, minlength=len(levels))
    fitting = fitting_rows(made.assign(**{_SECRET: told}), targets, known, _SECRET, own=position)
    guess = (fitting.counts + overall / (2 * overall.sum() + 1)).argmax(axis=1)
    one = (fitting.counts > 0).sum(axis=1) == 1
    revealed = fitting.own_fits & one & (guess == truth[position])
    base = truth[position] == int(overall.argmax())
    gain = (guess == truth[position]).astype(float) - base
    return {"attacked": position, "revealed": revealed, "gain": gain}


# ----------------------------------------------------------------- tokens, files, record


def _tokens(context: _Table, values: Mapping[str, Any], column: str) -> dict[str, Any]:
    """Make tokens of the table's identifiers and join them as two parties would."""
    people = np.sort(
        context.rng("tokens").permutation(context.n)[: min(protection._TOKEN_PEOPLE, context.n)]
    )
    names = [str(value) for value in context.table[column].iloc[people]]
    year = names[: protection._YEAR_PEOPLE]
    purposes, partners = protection._TOKEN_PURPOSES, protection._PARTNERS

    def made(texts: list[str], purpose: str, partner: str, day: int = 0) -> list[str]:
        use = protection._use(values, purpose, partner)
        return protection._make_tokens(context, values, texts, use=use, day=day)

    first = made(names, purposes[0], partners[0])
    months = [
        np.asarray(made(year, purposes[0], partners[0], day=15 + month * 365 // 12))
        for month in range(12)
    ]
    pairs = list(itertools.combinations(months, 2))
    linked = sum((one == other).astype(int) for one, other in pairs)
    return {
        "people": people,
        "partners": protection._joined(first, made(names, purposes[0], partners[1])),
        "purposes": protection._joined(first, made(names, purposes[1], partners[0])),
        "year": people[: len(year)],
        "months": np.asarray(linked) / len(pairs),
    }


def _stored(context: _Table, values: Mapping[str, Any], permission: Permission) -> Any:
    """Write rows of the table to files, back up, erase, and try to read them."""
    size = min(protection._STORE_PEOPLE, context.n)
    people = np.sort(context.rng("store").permutation(context.n)[:size])
    rows = context.table.iloc[people].astype(str)
    written = {}
    for position, row in zip(people, rows.itertuples(index=False), strict=True):
        text = "; ".join(f"{name} {value}" for name, value in zip(rows.columns, row, strict=True))
        # one text a row that JSON writes as it is, so that a thief's search can find it
        plain = text.encode("ascii", "backslashreplace").decode("ascii")
        plain = plain.translate({ord(c): "/" for c in '\\"\n\r\t'})
        written[int(context.ids[position])] = {"email": f"row {position + 1}: {plain}"}
    context.__dict__["_store_records"] = (people, written)
    settings = Settings({path: values[path] for path in protection.store.reads})
    return protection.store.run(context, settings, permission=permission)


# ---------------------------------------------------------------------------- measures


def _spread(n: int, rows: NDArray[np.int64], flags: Any) -> Ratio:
    return protection._share(_Sized(n), rows, flags)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Sized:
    n: int


#: Why a table cannot support a measure, by its key; any other by its dimension.
_WORLD_ONLY = {
    "value.ranking_quality": f"needs what the mail truly changes for each person, {_TRUE}",
    "value.contacted_in_vain": f"needs what the mail truly changes for each person, {_TRUE}",
    "value.messages_sent": f"needs people's response to weeks of messages, {_TRUE}",
    "value.recommendation_interest": f"needs what each person looks at and buys, by product, {_UNHELD}",
    "value.published_error": f"needs each person's visits by month, {_UNHELD}",
    "privacy.messages_read": f"needs the messages that people wrote, {_UNHELD}",
    "privacy.reidentified_by_guessing": "needs the names and addresses that an attacker would "
    f"try, {_UNHELD}",
    "privacy.reidentified_by_insider": "needs the names and addresses that an attacker would "
    f"try, {_UNHELD}",
    "privacy.reidentified_by_linkage": f"needs a public register, and who is who in it, {_UNHELD}",
    "privacy.presence_guessed": f"needs each person's visits by month, {_UNHELD}",
    "privacy.loss_budget_spent": f"needs each person's visits by month, {_UNHELD}",
    "fairness.left_out_gap": f"needs people's true response, {_TRUE}",
    "consent.against_their_will": f"needs what people truly accept, {_TRUE}",
    "consent.unmeant_consent": f"needs what people truly accept, {_TRUE}",
    "consent.questions_asked": f"needs how people answer over a year of questions, {_TRUE}",
    "transparency.false_claims": f"needs the texts of the messages, and stock and end of the offer, {_UNHELD}",
    "transparency.trust_change": f"needs people's true trust, {_TRUE}",
    "duty.categories_unregistered": f"needs a record of which columns serve which purpose, {_UNHELD}",
    "duty.objections_ignored": f"needs people's objections to direct marketing over time, {_UNHELD}",
    "duty.open_points": f"needs objections and a record of uses, {_UNHELD}",
}
_BY_DIMENSION = {
    "value": f"needs people's true response, {_TRUE}",
    "privacy": f"needs people's identities and their data over time, {_TRUE}",
    "fairness": f"needs people's true response, {_TRUE}",
    "consent": f"needs what people were asked and truly accept, {_TRUE}",
    "transparency": f"needs the texts of the messages that people get, {_UNHELD}",
    "duty": f"needs a record of uses, {_UNHELD}",
}


@dataclass(frozen=True, eq=False)
class _Found:
    """An estimate on the table and what it rests on."""

    estimate: Estimate
    evidence: str


class _Bill:
    """Applies a policy to a table, stage by stage, and gathers what can be measured."""

    def __init__(self, context: _Table, policy: Policy) -> None:
        self.context, self.policy = context, policy
        self.values = values_of(policy)
        self.permission, self.silent = _permitted(context, self.values)
        self.collection, self.oldest = _collected(context, self.values, self.permission)
        self.experiment = _experiment(context, self.values)
        self.found: dict[str, _Found] = {}
        self.extra: dict[str, tuple[str, str, str]] = {}
        self._choose()

    def _choose(self) -> None:
        learned = _learned(
            self.context, self.values, self.experiment, self.permission, self.collection
        )
        self.why = learned if isinstance(learned, str) else ""
        n = self.context.n
        if isinstance(learned, str):
            # names that the policy gives must be right even where nobody can be chosen
            nobody = np.zeros(n, dtype=bool)
            zero = np.zeros(n)
            self.model = Model(np.zeros((n, 1)), zero, zero.astype(int), None, nobody, "no model")
            chosen = Targeting(nobody, zero, zero, zero.astype(int), nobody, nobody, 0.0)
        else:
            self.model, common = learned
            chosen = _targeted(
                self.context, self.values, self.permission, self.collection, self.model, common
            )
        self.repair = _repaired(self.context, self.values, chosen, self.model, self.collection)

    def put(self, key: str, estimate: Estimate, evidence: str) -> None:
        self.found[key] = _Found(estimate, evidence)

    def measure(self) -> None:
        self._value()
        self._privacy()
        self.measure_fairness()
        self._consent()
        self._duty()

    # -- value

    @property
    def _who(self) -> str:
        if self.context.roles.of("consent"):
            return "only where the consent column permits it"
        return "everybody taken as permitting it, as no column has the role consent"

    def _value(self) -> None:
        if self.why:
            self.put("value.share_contacted", Needs(self.why), "the table")
        else:
            self.put(
                "value.share_contacted",
                Exact(float(self.repair.selected.mean())),
                f"the policy's targeting on the table's {self.context.n:,} people, {self._who}",
            )
        roles = self.context.roles
        outcomes = roles.of("outcome")
        visits = next((name for name in outcomes if name.casefold() in _VISITS), None)
        spends = next((name for name in outcomes if name.casefold() in _AMOUNTS), None)
        leaves = next((name for name in outcomes if name.casefold() in _LEFT), None)
        why = self.why or (self.experiment if isinstance(self.experiment, str) else "")
        for name in outcomes:
            key = f"value.added_{_slug(name)}"
            if key in self.found:
                key += f"_{outcomes.index(name) + 1}"
            self.extra[key] = (
                f"What the campaign adds to the outcome {name}, against no contact.",
                f"{name} per person, in the table's own period",
                "none" if name == leaves else "higher",
            )
            self.put(
                key, Needs(why) if why else self._added(self._outcome(name)), self._weighing(name)
            )
        if why:
            for key in ("visits_added", "profit_added", "unsubscribed"):
                self.put(f"value.{key}", Needs(why), "the table")
            return
        if visits:
            self.put(
                "value.visits_added", self._added(self._outcome(visits)), self._weighing(visits)
            )
        else:
            asked = "needs an outcome column that says who visited, named visit"
            self.put("value.visits_added", Needs(asked), "the table")
        if leaves:
            self.put("value.unsubscribed", self._after(leaves), self._weighing(leaves))
        else:
            asked = "needs an outcome column that says who unsubscribed, named unsubscribed"
            self.put("value.unsubscribed", Needs(asked), "the table")
        self._profit(spends, leaves)

    def _profit(self, spends: str | None, leaves: str | None) -> None:
        key = "value.profit_added"
        if spends is None:
            asked = "needs an outcome column with an amount of money, named spend"
            self.put(key, Needs(asked), "the table")
            return
        prices = {}
        for name in ("contact_cost", "unsubscribe_cost"):
            price = self.policy[f"personalization.{name}"]
            if price is None:
                asked = f"needs a decision on personalization.{name}"
                self.put(key, Needs(asked), "the policy")
                return
            prices[name] = float(price)
        worth = MARGIN * self._outcome(spends)
        if prices["unsubscribe_cost"]:
            if leaves is None:
                asked = "needs an outcome column that says who unsubscribed, named unsubscribed"
                self.put(key, Needs(asked), "the table")
                return
            worth = worth - prices["unsubscribe_cost"] * self._outcome(leaves)
        self.put(key, self._added(worth, prices["contact_cost"]), self._weighing(spends))

    def _weighing(self, outcome: str) -> str:
        if isinstance(self.experiment, str):
            return "the table"
        shown = f"personalization.compare_rules (inverse-propensity weights) on the table's experiment, outcome {outcome}"
        arms = [str(arm) for arm in self.experiment.arms[1:]]
        wanted = self.values["personalization.offer"]
        if self.model.trained_on.any():
            shown += f"; learned on one half and judged on the other, for {self.experiment.outcome}"
        elif len(arms) > 1 and wanted == "best_per_customer":
            shown += "; no offer of one's own could be learned: the arm best in the other half"
        if len(arms) > 1 and wanted in OFFERS and wanted not in arms:
            shown += f"; no arm is named {wanted}, so the arm best in the other half stands for it"
        return f"{shown}; one sending, the table's own period; {self._who}"

    def _after(self, outcome: str) -> Estimate:
        """Weigh what follows a contact, so that it stands for all who are selected."""
        found, chosen = self._trial, self.repair.selected
        y = self.context.table[outcome].to_numpy(float)
        top = np.zeros(self.context.n)
        for arm in np.unique(self.repair.offer[chosen]) + 1:
            group = chosen & (self.repair.offer + 1 == arm)
            got = group & (found.arm == arm)
            if not got.any():
                return Needs(_UNSEEN)
            mean = float(y[got].mean())
            # the mean of those who got it by lot, and each one's own deviation from it
            top[group] += mean
            top[got] += (y[got] - mean) * group.sum() / got.sum()
        return Ratio(top, chosen)

    def _added(self, y: Floats, cost: float = 0.0) -> Estimate:
        """Estimate what the campaign adds per person, with each person's part in it."""
        from ethicalai_lab.personalization.rules import Trial

        rule = np.where(self.repair.selected, self.repair.offer + 1, 0)
        # as personalization.compare_rules, whose influence function is resampled here
        value, influence = Trial(y, self._trial.arm, cost, 0).profit(rule)
        return Ratio(influence + value) if math.isfinite(value) else Needs(_UNSEEN)

    def _outcome(self, name: str) -> Floats:
        return self.context.table[name].to_numpy(float)

    @property
    def _trial(self) -> _Experiment:
        assert not isinstance(self.experiment, str)
        return self.experiment

    # -- privacy

    def _privacy(self) -> None:
        context, n = self.context, self.context.n
        columns = self.collection.columns
        note = "columns with the role feature that the policy lets be used"
        asked = self.values["data.zero_party_questions"]
        if asked:
            note += f"; the answers to {', '.join(asked)} are not in this table"
        self.put("privacy.columns_in_use", Exact(len(columns)), note)
        dated = self.context.dates is not None
        touchy = [name for name in columns if self.collection.roles[name] != "feature"]
        touchy += [name for name in columns if name in INFERRED and name not in touchy]
        self.put("privacy.sensitive_columns", Exact(len(touchy)), f"roles of the table: {note}")
        self.put(
            "privacy.oldest_record",
            Needs(
                "needs " + ("a date in the rows kept" if dated else "a column with the role time")
            )
            if self.oldest is None
            else Exact(self.oldest),
            "the oldest row kept, counted back from the latest in the table",
        )
        self.put(
            "privacy.values_kept",
            Exact(self.collection.records / n),
            "columns in use times rows kept, counted",
        )
        names = context.roles.of("identifier")
        keys = ("linked_across_partners", "linked_across_purposes", "linked_over_the_year")
        if names:
            made = _tokens(context, self.values, names[0])
            rows = (("people", "partners"), ("people", "purposes"), ("year", "months"))
            for key, (who, flags) in zip(keys, rows, strict=True):
                self.put(
                    f"privacy.{key}",
                    _spread(n, made[who], made[flags]),
                    f"tokens really made of the column {names[0]}, {len(made[who]):,} people",
                )
        else:
            for key in keys:
                asked = "needs a column with the role identifier"
                self.put(f"privacy.{key}", Needs(asked), "the table")
        self.store = _stored(context, self.values, self.permission)
        files = f"files of {len(self.store.people)} rows of the table, really written and read back"
        self.put(
            "privacy.readable_if_stolen", _spread(n, self.store.people, self.store.stolen), files
        )
        self.put(
            "privacy.readable_after_erasure",
            _spread(n, self.store.erased, self.store.still_readable),
            f"{files}; {len(self.store.erased)} requests made for the test",
        )
        self._release()

    def _release(self) -> None:
        may = self.permission.practice[PURPOSES.index("third_party_sharing")]
        found = _released(self.context, self.values, may)
        keys = ("smallest_class", "unique_share", "people_shared", "secret_revealed")
        if "why" in found:
            for key in (*keys, "secret_guessed"):
                self.put(f"privacy.{key}", Needs(found["why"]), "the table")
            self.put("value.release_detail_kept", Needs(found["why"]), "the table")
            return
        shown = f"the released table, by {', '.join(found['columns'])}; {self._who}"
        self.put(
            "privacy.smallest_class", Exact(float(found["smallest"])), f"class_sizes of {shown}"
        )
        self.put(
            "privacy.unique_share",
            Ratio(found["unique"], found["shared"]),
            f"class_sizes of {shown}",
        )
        self.put("privacy.people_shared", Ratio(found["shared"]), f"rows of {shown}")
        self.put(
            "value.release_detail_kept", Exact(found["kept"]), f"KAnonymizer.loss_ (NCP) of {shown}"
        )
        for key, flags in (("secret_revealed", "revealed"), ("secret_guessed", "gain")):
            if "secret" not in found:
                asked = "needs a column with the role sensitive that is no quasi_identifier"
                self.put(f"privacy.{key}", Needs(asked), "the table")
                continue
            rows = found["attacked"]
            self.put(
                f"privacy.{key}",
                _spread(self.context.n, rows, found[flags]),
                f"the secret {found['secret']}, in {shown}; {len(rows)} people of the table, "
                "whose other columns the attacker knows",
            )

    # -- fairness

    def measure_fairness(self) -> None:
        context = self.context
        known = {
            f"fairness.selection_gap_{name}"
            for name in ("gender", "ethnic_group", "age_band", "disability")
        }
        for name, (codes, words) in context.groups.items():
            key = f"fairness.selection_gap_{_slug(name)}"
            while key in self.found:
                key += "_again"
            if key not in known:
                self.extra[key] = (
                    f"Largest difference between the groups of {name} in the share of people who "
                    "get a message.",
                    "difference of shares",
                    "lower",
                )
            stated = np.where(np.array([*words])[codes] == _NOT_STATED, -1, codes)
            estimate = Gap(stated, self.repair.selected, names=words)
            self.put(
                key,
                Needs(self.why) if self.why else estimate,
                f"selected people of all in the table, by {name}",
            )
        own = ", ".join(context.roles.of("protected"))
        asked = "needs a column with the role protected"
        if own:
            asked = f"needs a protected column of that kind; those here, {own}, have their own gap"
        for key in known - set(self.found):
            self.put(key, Needs(asked), "the table")
        asked = "needs a column with the role protected" if not context.groups else self.why
        if asked:
            for key in ("audit_sees", "unseen_gap"):
                self.put(f"fairness.{key}", Needs(asked), "the table")
            return
        self._audit()

    def _audit(self) -> None:
        context = self.context
        metric = self.values["fairness.audit.metric"]
        binary = not isinstance(self.experiment, str) and np.isin(self.experiment.y, (0, 1)).all()
        y = self._trial.y if binary else np.zeros(context.n)
        context.__dict__["campaign"] = pd.DataFrame({"visit": y})
        columns = self.values["fairness.audit.groups"]
        watched = columns and self.values["fairness.audit.frequency"] != "never"
        if watched and not binary and not metric.startswith("demographic_parity"):
            asked = f"needs a yes or no outcome, as the metric {metric} compares those who respond"
            for key in ("audit_sees", "unseen_gap"):
                self.put(f"fairness.{key}", Needs(asked), "the table")
            return
        settings = Settings({path: self.values[path] for path in repair.own_audit.reads})
        seen = repair.own_audit.run(
            context, settings, repair=self.repair, permission=self.permission
        )
        self.put(
            "fairness.audit_sees",
            repair.audit_sees.run(context, own_audit=seen),
            "fairness.audit on the people of the table whose data may be analysed",
        )
        self.put(
            "fairness.unseen_gap",
            repair.unseen_gap.run(context, repair=self.repair, own_audit=seen),
            f"{repair.unseen_gap.evidence}; here {', '.join(context.groups)}",
        )

    # -- consent and duty

    def _consent(self) -> None:
        columns = self.context.roles.of("consent")
        if not columns:
            for key in ("reachable", "without_permission"):
                self.put(f"consent.{key}", Needs(_NOTHING_ASKED), "the table")
            return
        shown = f"answers in {', '.join(columns)}, taken with the policy's default"
        count = int(self.silent[PURPOSES.index("direct_marketing")].sum())
        if count:
            shown += f" (opt_out: {count:,} who say nothing count as yes)"
        practice = self.permission.practice
        marketing = practice[PURPOSES.index("direct_marketing")]
        self.put("consent.reachable", Ratio(marketing), shown)
        if self.silent.any():
            asked = "needs each person's law: whether silence permits a use depends on it"
            self.put("consent.without_permission", Needs(asked), shown)
        elif not practice.any():
            asked = "needs at least one use; nobody permits any"
            self.put("consent.without_permission", Needs(asked), shown)
        else:
            wrong = (practice & ~self.permission.lawful).sum(axis=0, dtype=float)
            used = practice.sum(axis=0, dtype=float)
            self.put("consent.without_permission", Ratio(wrong, used), shown)

    def _duty(self) -> None:
        context, n = self.context, self.context.n
        self.put(
            "duty.erasures_late",
            _spread(n, self.store.requests, self.store.late),
            f"{len(self.store.requests)} requests made for the test, days drawn up to what the "
            "policy allows; a calendar",
        )
        # the record names the world's two mails; which offer it was plays no part in tampering
        recorded = replace(self.repair, offer=np.minimum(self.repair.offer, len(OFFERS) - 1))
        written = records.recording.run(
            context,
            Settings({path: self.values[path] for path in records.recording.reads}),
            repair=recorded,
            model=self.model,
        )
        self.put(
            "duty.tampering_noticed",
            records.tampering_noticed.run(context, recording=written),
            records.tampering_noticed.evidence + " on people of the table",
        )
        keys = ("decisions_without_recourse", "children_profiled")
        if self.why:
            for key in keys:
                self.put(f"duty.{key}", Needs(self.why), "the table")
            return
        shown = records.duties.run(
            context,
            Settings({path: self.values[path] for path in records.duties.reads}),
            permission=self.permission,
            collection=self.collection,
            repair=self.repair,
            store=self.store,
        )
        self.put(
            "duty.decisions_without_recourse",
            records.decisions_without_recourse.run(context, duties=shown),
            "decision records of the table's people",
        )
        age = context.customers["age"].to_numpy(float)
        if not np.isfinite(age).any():
            asked = Needs("needs a column age, in years, that has a role")
        elif not shown.minors.any():
            asked = Needs("needs people under 18; this table has none")
        else:
            asked = records.children_profiled.run(context, duties=shown)
        self.put("duty.children_profiled", asked, "decision records of people under 18")


def _slug(name: str) -> str:
    """Return a column's name as a measure may carry it."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")
    return plain or "column"


def evaluate_table(
    policy: Policy,
    table: pd.DataFrame,
    *,
    n_boot: int = 200,
    seed: int = 0,
    refit: int = 0,
    step: Callable[[], object] | None = None,
) -> Scorecard:
    """Measure the bill of a policy on a team's own table, as far as the table can tell.

    Parameters
    ----------
    policy : Policy
        What is undecided counts as what usually happens, see `Policy.with_defaults`.
    table : DataFrame of shape (n_people, n_columns)
        From `load_table` or `check_table`: one row a person, roles in ``attrs``. It is not
        changed.
    n_boot : int, default 200
        Resamples of the people, for the intervals; 0 gives none.
    seed : int, default 0
        Of every draw.
    refit, step
        As in `evaluate`.

    Returns
    -------
    Scorecard
        The measures of `evaluate`, in their order, with the same meaning; those that the
        table cannot support have no value and say what they need. In addition
        ``value.added_<outcome>`` for each outcome, against no contact, and
        ``fairness.selection_gap_<column>`` for each protected column. Where a measure of the
        world counts six weeks, unit and meaning say that it is the table's own period.

    Raises
    ------
    PolicyError
        If the policy names a column that the table does not have in that role, a consent
        column holds more than yes and no, or a person has several rows.
    TableError
        If the table carries no roles.

    Notes
    -----
    The treatment must have been given by lot, with the same chance for everybody: the
    weights are the arms' shares. People are ranked by a model that has not seen them.
    Without a consent column everybody is taken as permitting everything.

    References
    ----------
    Horvitz and Thompson (1952). A generalization of sampling without replacement from a
    finite universe. JASA 47.
    Athey and Wager (2021). Policy learning with observational data. Econometrica 89.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.policy import Policy
    >>> from ethicalai_lab.tables import Roles
    >>> from ethicalai_lab.tables.loading import check_table
    >>> table = check_table(
    ...     pd.DataFrame({"mail": [0, 1] * 50, "visit": [0, 1, 1, 1] * 25}),
    ...     Roles({"mail": "treatment", "visit": "outcome"}),
    ... )
    >>> card = evaluate_table(Policy(), table, n_boot=50)
    >>> round(card["value.visits_added"].value, 6)
    0.5
    >>> card["consent.reachable"].needs
    'needs a column with the role consent that says yes or no for each person'
    """
    if not isinstance(policy, Policy):
        raise PolicyError(
            f"policy is a {type(policy).__name__}; a Policy is accepted: Policy.load(path)."
        )
    for name, number, most in (("n_boot", n_boot, 10_000), ("seed", seed, None)):
        whole = isinstance(number, int) and not isinstance(number, bool)
        if not whole or number < 0 or (most is not None and number > most):
            reach = "from 0 on" if most is None else f"from 0 to {most}"
            raise PolicyError(f"{name} is {number!r}; a whole number {reach} is accepted.")
    refit = checked_refits(refit)
    roles = roles_of(table)
    for name in roles.columns:
        if name not in table.columns:
            raise PolicyError(
                f'the table has no column "{name}", which its roles name; load it anew.'
            )
    _one_row_each(table, roles)
    context = _Table(table[list(roles.columns)], roles, seed)
    bill = _Bill(context, policy)
    bill.measure()
    estimates = {key: each.estimate for key, each in bill.found.items()}
    measures = evaluation_graph().measures
    shares = {k for k in estimates if k in measures and measures[k].unit.startswith("share")}
    readings = read_all(estimates, resampling_weights(context.n, n_boot, seed), shares=shares)
    refits = _refits(bill, refit, step)
    about = _about(context, n_boot) | ({"refits": refit} if refit else {})
    about |= _by_lot(bill) | _ranked(bill)
    read = [*how_read(table), *(context.dates.said if context.dates is not None else ())]
    read += [*_too_old(bill), *_silence(bill)]
    if read:
        about["how_read"] = read
    return Scorecard(tuple(_measures(bill, readings, refits, n_boot)), policy, about)


def _is_learned(key: str) -> bool:
    each = evaluation_graph().measures.get(key)
    # of one's own columns: gaps in who is selected, as those of the world's columns
    return key.startswith("fairness.") if each is None else each.learned


def _refits(
    bill: _Bill, refit: int, step: Callable[[], object] | None
) -> dict[str, NDArray[np.float64]]:
    """Return what the learned measures are on each of so many halves of the people."""
    learned = [key for key in bill.found if _is_learned(key)]
    found = {key: np.full(refit, np.nan) for key in learned}
    for number in range(refit):
        half = _Bill(bill.context.half(number), bill.policy)
        half.measure_fairness()
        there = {key: half.found[key].estimate for key in learned if key in half.found}
        for key, value in read_half(there, half.context.n).items():
            found[key][number] = value
        if step is not None:
            step()
    return found if refit else {}


def _one_row_each(table: pd.DataFrame, roles: Roles) -> None:
    """Refuse people with several rows: they would be counted as so many people."""
    for name in roles.of("identifier"):
        if table[name].duplicated().any():
            raise PolicyError(
                f'column "{name}" (identifier) repeats: this is a table of events; one row a '
                "person is accepted."
            )
    if roles.cluster is not None and table[roles.cluster].duplicated().any():
        raise PolicyError(
            f'column "{roles.cluster}" (cluster) repeats, and intervals here are those of '
            "independent rows; keep one row of each, or leave `cluster` out."
        )


def _too_old(bill: _Bill) -> list[str]:
    """Say how many rows the policy no longer keeps, since they are dated too far back."""
    dates, most = bill.context.dates, bill.values["data.retention_days"]
    count = 0 if dates is None else int((dates.days > most).sum())
    if dates is None or not count:
        return []
    rows = f"{count:,} of {bill.context.n:,} rows are" if count > 1 else "1 row is"
    return [
        f'column "{bill.context.roles.of("time")[0]}": {rows} from more than {most:,} days before '
        f"{dates.now:%Y-%m-%d}; not kept, by this policy's data.retention_days."
    ]


def _silence(bill: _Bill) -> list[str]:
    """Say whom the policy takes to have agreed, or not, since they say nothing."""
    context, told = bill.context, []
    default = bill.values["consent.default"]
    for column in context.roles.of("consent"):
        answers, _ = consent_answers(context.table[column], column, context.roles)
        count = int(np.isnan(answers).sum())
        if not count:
            continue
        people = f"{count:,} of {context.n:,} people say" if count > 1 else "1 person says"
        taken = "a yes" if default == "opt_out" else "a no"
        told.append(
            f'column "{column}" (consent): {people} nothing; under this policy\'s consent.default '
            f"({default}) silence counts as {taken}."
        )
    reached = int(bill.silent[PURPOSES.index("direct_marketing")].sum())
    if reached:
        told.append(f"consent.reachable counts {reached:,} who say nothing among the reachable.")
    return told


def _ranked(bill: _Bill) -> dict[str, str]:
    """Say by which outcome people are ranked where it is not the policy's objective."""
    found, wanted = bill.experiment, bill.values["personalization.objective"]
    ranks = bill.values["personalization.targeting"] in ("response", "uplift")
    if isinstance(found, str) or bill.why or not ranks or found.outcome == wanted:
        return {}
    return {
        "ranked_by": f"{found.outcome}, since this table has no outcome {wanted}, which is the "
        "policy's objective"
    }


def _by_lot(bill: _Bill) -> dict[str, str]:
    """Say so where the features tell who got which arm: the values then mix two things."""
    from threadpoolctl import threadpool_limits

    from ethicalai_lab.personalization.experiment import _BALANCE_P, _balance, _features, _p_text

    found, context = bill.experiment, bill.context
    if isinstance(found, str):
        return {}
    roles = context.roles
    given = {roles.treatment, *roles.of("outcome")}
    names = [name for name in roles.of("feature") if name not in given]
    features, _ = _features(context.table, names)
    if not features.shape[1]:
        return {}
    arm_of = np.asarray([str(found.arms[i]) for i in found.arm], dtype=object)
    control, *arms = [str(level) for level in found.arms]
    with threadpool_limits(limits=1):
        rows = _balance(features, arm_of, control, arms, context.seed)
    rows = rows[rows["p_value"] < _BALANCE_P]
    if rows.empty:
        return {}
    first = rows.sort_values("auc", ascending=False).iloc[0]
    return {
        "experiment": (
            f"who got {first['arm']!r} can be told from the features (AUC {first['auc']:.3f}, p "
            f"{_p_text(first['p_value'])}; largest difference: {first['feature']!r}). If it was "
            "not given by lot, what is added mixes the campaign with the choice of people"
        )
    }


def _measures(
    bill: _Bill,
    readings: Mapping[str, Reading],
    refits: Mapping[str, NDArray[np.float64]],
    n_boot: int,
) -> list[Measure]:
    samples = f"{bill.context.identity}-{n_boot}-{bill.context.seed}"
    out = []

    def add(key: str, meaning: str, unit: str, direction: str, evidence: str) -> None:
        reading = readings.get(key)
        if reading is None:
            dimension = key.partition(".")[0]
            reading = Reading(None, needs=_WORLD_ONLY.get(key, _BY_DIMENSION[dimension]))
            evidence = "not measured on a table"
        else:
            evidence = bill.found[key].evidence
            # a table's experiment covers its own time, not the world's six simulated weeks
            unit = unit.replace(" in six weeks", ", in the table's own period")
            meaning = meaning.replace("within six weeks", "within the table's own period")
        dimension, _, measure = key.partition(".")
        out.append(
            Measure(
                dimension,
                measure,
                meaning=meaning,
                unit=unit,
                direction=direction,
                evidence=reading.says(evidence),
                value=reading.value,
                low=reading.low,
                high=reading.high,
                needs=reading.needs,
                replicates=reading.replicates,
                samples=samples,
                learned=_is_learned(key),
                refits=None if reading.value is None else refits.get(key),
                spread_by=reading.spread_by,
            )
        )

    for key, each in evaluation_graph().measures.items():
        add(key, each.meaning, each.unit, each.direction, each.evidence)
    for key, (meaning, unit, direction) in bill.extra.items():
        add(key, meaning, unit, direction, "the table")
    return out


def _about(context: _Table, n_boot: int) -> dict[str, Any]:
    from ethicalai_lab import __version__

    return {
        "world": "a table of one's own, with roles",
        "n": context.n,
        "seed": context.seed,
        "n_boot": n_boot,
        "version": __version__,
    }
