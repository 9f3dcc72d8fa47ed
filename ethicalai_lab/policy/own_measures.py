"""What can be measured on a team's own table, and what a measure needs where it cannot."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethicalai_lab.core.yaml import parse, to_data
from ethicalai_lab.policy import protection
from ethicalai_lab.policy.own_data import ASK_LEAVES, NOT_STATED, TableContext, slug
from ethicalai_lab.policy.own_stages import STAGES, Experiment, OwnModel
from ethicalai_lab.policy.response import MARGIN
from ethicalai_lab.policy.stages import (
    Estimate,
    Exact,
    Gap,
    Graph,
    MeasureStep,
    Needs,
    Ratio,
    stage,
)
from ethicalai_lab.world import PURPOSES

__all__ = ["graph_of_table"]

_VISITS = ("visit", "visits", "visited")
_AMOUNTS = ("spend", "spent", "spending", "amount", "revenue", "sales", "turnover", "order_value")
_LEFT = ("unsubscribed", "unsubscribe", "unsubscribes", "opted_out")
_MARKETING = PURPOSES.index("direct_marketing")
_UNSEEN = (
    "needs somebody for each offer, among those the policy selects, who got it in the experiment, "
    "and somebody who got nothing"
)


@cache
def _needs() -> dict[str, str]:
    """Return why a table cannot support a measure, by its key; any other by its dimension."""
    text = resources.files("ethicalai_lab.policy").joinpath("own_data.yaml").read_text("utf-8")
    return to_data(parse(text))


def _lacking(what: str, evidence: str = "the table") -> Needs:
    return Needs(what, evidence=evidence)


def _outcome(context: TableContext, names: tuple[str, ...]) -> str | None:
    found = (name for name in context.roles.of("outcome") if name.casefold() in names)
    return next(found, None)


def _who(context: TableContext) -> str:
    if context.roles.of("consent"):
        return "only where the consent column permits it"
    return "everybody taken as permitting it, as no column has the role consent"


# -------------------------------------------------------------------------------- value


@stage("personalization.contact_cost", "personalization.unsubscribe_cost")
def prices(context: TableContext, settings: Any) -> tuple[float, float]:
    """Read what a message and an unsubscriber cost."""
    return tuple(map(float, settings.values()))  # type: ignore[return-value]


@stage("personalization.offer")
def wanted(context: TableContext, settings: Any) -> str:
    """Read which offer the policy names."""
    return settings["personalization.offer"]


def _weighing(context: TableContext, outcome: str, model: OwnModel, wanted: str) -> str:
    found = model.experiment
    if isinstance(found, str):
        return "the table"
    shown = (
        "personalization.compare_rules (inverse-propensity weights) on the table's experiment, "
        f"outcome {outcome}"
    )
    arms = [str(arm) for arm in found.arms[1:]]
    if model.trained_on.any():
        shown += f"; learned on one half and judged on the other, for {found.outcome}"
    elif len(arms) > 1 and wanted == "best_per_customer":
        shown += "; no offer of one's own could be learned: the arm best in the other half"
    if len(arms) > 1 and wanted != "best_per_customer" and wanted not in arms:
        shown += f"; no arm is named {wanted}, so the arm best in the other half stands for it"
    return f"{shown}; one sending, the table's own period; {_who(context)}"


def _unknown(model: OwnModel) -> str:
    return model.why or (model.experiment if isinstance(model.experiment, str) else "")


def _added(
    context: TableContext, y: Any, repair: Any, found: Experiment, cost: float = 0.0
) -> Estimate:
    """Estimate what the campaign adds per person, with each person's part in it."""
    from ethicalai_lab.personalization.rules import Trial

    rule = np.where(repair.selected, repair.offer + 1, 0)
    # as personalization.compare_rules, whose influence function is resampled here
    value, influence = Trial(y, found.arm, cost, 0).profit(rule)
    return Ratio(influence + value) if math.isfinite(value) else Needs(_UNSEEN)


def _column(context: TableContext, name: str) -> NDArray[np.float64]:
    return context.table[name].to_numpy(float)


def _outcome_added(name: str) -> Callable[..., Estimate]:
    def run(context: TableContext, *, repair: Any, model: OwnModel, wanted: str) -> Estimate:
        why = _unknown(model)
        shown = _weighing(context, name, model, wanted)
        if why:
            return _lacking(why, shown)
        found = _added(context, _column(context, name), repair, model.experiment)
        return replace(found, evidence=shown)

    return run


def visits_added(context: TableContext, *, repair: Any, model: OwnModel, wanted: str) -> Estimate:
    name = _outcome(context, _VISITS)
    if _unknown(model) or name is None:
        asked = "needs an outcome column that says who visited, named visit"
        return _lacking(_unknown(model) or asked)
    return _outcome_added(name)(context, repair=repair, model=model, wanted=wanted)


def unsubscribed(context: TableContext, *, repair: Any, model: OwnModel, wanted: str) -> Estimate:
    name = _outcome(context, _LEFT)
    if _unknown(model) or name is None:
        return _lacking(_unknown(model) or ASK_LEAVES)
    found = _after(context, _column(context, name), repair, model.experiment)
    return replace(found, evidence=_weighing(context, name, model, wanted))


def _after(context: TableContext, y: Any, repair: Any, found: Experiment) -> Estimate:
    """Weigh what follows a contact, so that it stands for all who are selected."""
    top = np.zeros(context.n)
    for arm in np.unique(repair.offer[repair.selected]) + 1:
        group = repair.selected & (repair.offer + 1 == arm)
        got = group & (found.arm == arm)
        if not got.any():
            return Needs(_UNSEEN)
        mean = float(y[got].mean())
        # the mean of those who got it by lot, and each one's own deviation from it
        top[group] += mean
        top[got] += (y[got] - mean) * group.sum() / got.sum()
    return Ratio(top, repair.selected)


def profit_added(
    context: TableContext,
    *,
    repair: Any,
    model: OwnModel,
    wanted: str,
    prices: tuple[float, float],
) -> Estimate:
    spends, leaves = _outcome(context, _AMOUNTS), _outcome(context, _LEFT)
    if _unknown(model) or spends is None:
        asked = "needs an outcome column with an amount of money, named spend"
        return _lacking(_unknown(model) or asked)
    worth = MARGIN * _column(context, spends)
    contact, unsubscribe = prices
    if unsubscribe:
        if leaves is None:
            return _lacking(ASK_LEAVES)
        worth = worth - unsubscribe * _column(context, leaves)
    found = _added(context, worth, repair, model.experiment, contact)
    return replace(found, evidence=_weighing(context, spends, model, wanted))


def _outcomes(context: TableContext) -> list[MeasureStep]:
    """Return a measure of what the campaign adds to each outcome."""
    found: dict[str, MeasureStep] = {}
    outcomes = context.roles.of("outcome")
    for place, name in enumerate(outcomes, start=1):
        own = f"added_{slug(name)}"
        if own in found:
            own += f"_{place}"
        found[own] = MeasureStep(
            "value",
            own,
            "none" if name == _outcome(context, _LEFT) else "higher",
            f"{name} per person, in the table's own period",
            f"What the campaign adds to the outcome {name}, against no contact.",
            "the table",
            ("repair", "model", "wanted"),
            _outcome_added(name),
        )
    return list(found.values())


# ----------------------------------------------------------------------------- fairness


def _gap_of(name: str) -> Callable[..., Estimate]:
    def run(context: TableContext, *, repair: Any, model: OwnModel) -> Estimate:
        shown = f"selected people of all in the table, by {name}"
        if model.why:
            return _lacking(model.why, shown)
        codes, words = context.groups[name]
        stated = np.where(np.array([*words])[codes] == NOT_STATED, -1, codes)
        return Gap(stated, repair.selected, names=words, evidence=shown)

    return run


def _no_gap(context: TableContext) -> Estimate:
    own = ", ".join(context.roles.of("protected"))
    if not own:
        return _lacking("needs a column with the role protected")
    return _lacking(f"needs a protected column of that kind; those here, {own}, have their own gap")


def _gaps(context: TableContext, known: Graph) -> tuple[dict[str, Any], list[MeasureStep]]:
    """Return the gaps of the protected columns: those that a world has as well, and the others."""
    shared: dict[str, Any] = {}
    others: dict[str, MeasureStep] = {}
    for name in context.groups:
        own = f"selection_gap_{slug(name)}"
        while f"fairness.{own}" in shared or own in others:
            own += "_again"
        if f"fairness.{own}" in known.measures:
            shared[f"fairness.{own}"] = (("repair", "model"), _gap_of(name))
            continue
        others[own] = MeasureStep(
            "fairness",
            own,
            "lower",
            "difference of shares",
            f"Largest difference between the groups of {name} in the share of people who get a "
            "message.",
            "the table",
            ("repair", "model"),
            _gap_of(name),
            learned=True,
        )
    for key in known.measures:
        if key.startswith("fairness.selection_gap_"):
            shared.setdefault(key, ((), _no_gap))
    return shared, list(others.values())


def _of_audit(each: MeasureStep, shown: Callable[[TableContext], str]) -> Any:
    def run(context: TableContext, *, repair: Any, own_audit: Any, model: OwnModel) -> Estimate:
        asked = model.why if context.groups else "needs a column with the role protected"
        if asked or isinstance(own_audit, str):
            return _lacking(asked or own_audit)
        both = {"repair": repair, "own_audit": own_audit}
        found = each.run(context, **{name: both[name] for name in each.needs})
        return replace(found, evidence=shown(context))

    return ("repair", "own_audit", "model"), run


# ------------------------------------------------------------------------------ privacy


def oldest_record(context: TableContext, *, collection: Any) -> Estimate:
    shown = "the oldest row kept, counted back from the latest in the table"
    if collection.oldest is None:
        what = "a column with the role time" if context.dates is None else "a date in the rows kept"
        return _lacking(f"needs {what}", shown)
    return Exact(collection.oldest, evidence=shown)


def _linked(people: str, flags: str) -> Callable[..., Estimate]:
    def run(context: TableContext, *, tokens: dict[str, Any]) -> Estimate:
        if not tokens:
            return _lacking("needs a column with the role identifier")
        who = tokens[people]
        shown = f"tokens really made of the column {tokens['column']}, {len(who):,} people"
        return replace(protection.share_of(context, who, tokens[flags]), evidence=shown)

    return run


_RELEASED: dict[str, tuple[str, Callable[..., Estimate]]] = {
    "privacy.smallest_class": (
        "class_sizes of {}",
        lambda context, found: Exact(float(found["smallest"])),
    ),
    "privacy.unique_share": (
        "class_sizes of {}",
        lambda context, found: Ratio(found["unique"], found["shared"]),
    ),
    "privacy.people_shared": ("rows of {}", lambda context, found: Ratio(found["shared"])),
    "value.release_detail_kept": (
        "KAnonymizer.loss_ (NCP) of {}",
        lambda context, found: Exact(found["kept"]),
    ),
}
_ATTACKS = {"privacy.secret_revealed": "revealed", "privacy.secret_guessed": "gain"}


def _of_release(key: str) -> Callable[..., Estimate]:
    def run(context: TableContext, *, release: dict[str, Any]) -> Estimate:
        if "why" in release:
            return _lacking(release["why"])
        shown = f"the released table, by {', '.join(release['columns'])}; {_who(context)}"
        if key in _RELEASED:
            text, make = _RELEASED[key]
            return replace(make(context, release), evidence=text.format(shown))
        if "secret" not in release:
            return _lacking("needs a column with the role sensitive that is no quasi_identifier")
        rows = release["attacked"]
        shown = (
            f"the secret {release['secret']}, in {shown}; {len(rows)} people of the table, "
            "whose other columns the attacker knows"
        )
        found = protection.share_of(context, rows, release[_ATTACKS[key]])
        return replace(found, evidence=shown)

    return run


# ----------------------------------------------------------------------------- consent


def _of_consent(each: MeasureStep) -> Any:
    def run(context: TableContext, *, permission: Any) -> Estimate:
        columns = context.roles.of("consent")
        if not columns:
            asked = "needs a column with the role consent that says yes or no for each person"
            return _lacking(asked)
        shown = f"answers in {', '.join(columns)}, taken with the policy's default"
        count = int(permission.silent[_MARKETING].sum())
        if count:
            shown += f" (opt_out: {count:,} who say nothing count as yes)"
        if each.measure == "without_permission" and permission.silent.any():
            asked = "needs each person's law: whether silence permits a use depends on it"
            return _lacking(asked, shown)
        if each.measure == "without_permission" and not permission.practice.any():
            return _lacking("needs at least one use; nobody permits any", shown)
        return replace(each.run(context, permission=permission), evidence=shown)

    return ("permission",), run


# -------------------------------------------------------------------------------- duty


def _of_decisions(each: MeasureStep) -> Any:
    def run(context: TableContext, *, duties: Any, model: OwnModel) -> Estimate:
        if model.why:
            return _lacking(model.why)
        if each.measure != "children_profiled":
            shown = "decision records of the table's people"
            return replace(each.run(context, duties=duties), evidence=shown)
        shown = "decision records of people under 18"
        if not np.isfinite(context.customers["age"].to_numpy(float)).any():
            return _lacking("needs a column age, in years, that has a role", shown)
        if not duties.minors.any():
            return _lacking("needs people under 18; this table has none", shown)
        return replace(each.run(context, duties=duties), evidence=shown)

    return ("duties", "model"), run


# ------------------------------------------------------------ as in a world, where it can be


def _files(context: TableContext, store: Any) -> str:
    return f"files of {len(store.people)} rows of the table, really written and read back"


#: What the measures that are a world's rest on here, from the results that they are handed.
_EVIDENCE: dict[str, Callable[..., str]] = {
    "privacy.columns_in_use": lambda context, collection: collection.note,
    "privacy.sensitive_columns": lambda context, collection: (
        f"roles of the table: {collection.note}"
    ),
    "privacy.values_kept": lambda context, collection: "columns in use times rows kept, counted",
    "privacy.readable_if_stolen": _files,
    "privacy.readable_after_erasure": lambda context, store: (
        f"{_files(context, store)}; {len(store.erased)} requests made for the test"
    ),
    "duty.erasures_late": lambda context, store: (
        f"{len(store.requests)} requests made for the test, days drawn up to what the policy "
        "allows; a calendar"
    ),
    "duty.tampering_noticed": lambda context, recording: (
        "records of decisions, really written and tampered with on people of the table"
    ),
}


def _as_there(each: MeasureStep) -> Any:
    def run(context: TableContext, **results: Any) -> Estimate:
        evidence = _EVIDENCE[each.key](context, **results)
        return replace(each.run(context, **results), evidence=evidence)

    return each.needs, run


def share_contacted(context: TableContext, *, repair: Any, model: OwnModel) -> Estimate:
    if model.why:
        return _lacking(model.why)
    shown = f"the policy's targeting on the table's {context.n:,} people, {_who(context)}"
    return Exact(float(repair.selected.mean()), evidence=shown)


def _own(known: Graph) -> dict[str, Any]:
    """Return by key which stages a measure is handed here, and how it is measured."""
    value = ("repair", "model", "wanted")
    found = {
        "value.share_contacted": (("repair", "model"), share_contacted),
        "value.visits_added": (value, visits_added),
        "value.unsubscribed": (value, unsubscribed),
        "value.profit_added": ((*value, "prices"), profit_added),
        "privacy.oldest_record": (("collection",), oldest_record),
    }
    rows = {"partners": "people", "purposes": "people", "months": "year"}
    keys = ("linked_across_partners", "linked_across_purposes", "linked_over_the_year")
    for key, (flags, people) in zip(keys, rows.items(), strict=True):
        found[f"privacy.{key}"] = (("tokens",), _linked(people, flags))
    for key in (*_RELEASED, *_ATTACKS):
        found[key] = (("release",), _of_release(key))
    steps = known.measures
    found |= {key: _as_there(steps[key]) for key in _EVIDENCE}
    for key in ("consent.reachable", "consent.without_permission"):
        found[key] = _of_consent(steps[key])
    for key in ("duty.decisions_without_recourse", "duty.children_profiled"):
        found[key] = _of_decisions(steps[key])
    found["fairness.audit_sees"] = _of_audit(
        steps["fairness.audit_sees"],
        lambda context: "fairness.audit on the people of the table whose data may be analysed",
    )
    unseen = steps["fairness.unseen_gap"]
    found["fairness.unseen_gap"] = _of_audit(
        unseen, lambda context: f"{unseen.evidence}; here {', '.join(context.groups)}"
    )
    return found


def graph_of_table(known: Graph, context: TableContext) -> Graph:
    """Return a world's graph as far as a table supports it, with measures of its own columns.

    Parameters
    ----------
    known : Graph
        Of a world.
    context : TableContext

    Returns
    -------
    Graph
        The same measures; those that the table cannot support say what they need.
    """
    gaps, others = _gaps(context, known)
    own = _own(known) | gaps
    measures = []
    for key, each in known.measures.items():
        if key not in own:
            what = Needs(_needs().get(key, _needs()[each.dimension]))
            away = replace(each, needs=(), run=lambda context, what=what: what, only_here=False)
            measures.append(replace(away, evidence="not measured on a table"))
            continue
        needs, run = own[key]
        # a table's experiment covers its own time, not the world's six simulated weeks
        unit = each.unit.replace(" in six weeks", ", in the table's own period")
        meaning = each.meaning.replace("within six weeks", "within the table's own period")
        measures.append(
            replace(each, needs=needs, run=run, unit=unit, meaning=meaning, only_here=False)
        )
    shared = [known.stages[name] for name in ("store", "recording", "duties")]
    stages = (*STAGES, prices, wanted, *shared)
    return Graph(stages, [*measures, *_outcomes(context), *others])
