"""What an organisation can show: a record of decisions, a register, an assessment.

The record is really written and then tampered with; what an auditor notices is counted. A
duty counts as shown only where an artefact shows it, never because a policy says so. None
of this says that a law is kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ethicalai_lab.policy.context import EvaluationContext
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

__all__ = ["MEASURES", "POINTS", "STAGES", "TAMPERING", "Duties", "Recording"]

_RECORDS = 200
_TRIALS = 8

TAMPERING = ("edit one", "delete one", "insert one", "cut the tail", "rewrite everything")
"""What is tried on a record, in this order."""


# ---------------------------------------------------------------------------- recording


@dataclass(frozen=True, eq=False)
class Recording:
    """A record of decisions as bytes, and what an auditor noticed of tampering with it.

    Attributes
    ----------
    entries : tuple of bytes
        The decisions: who, when, what, by which model.
    files : dict of str to bytes
        What the house wrote; empty where it keeps no record.
    noticed : dict of str to int
        By kind of tampering, how often the auditor noticed.
    tried : int
        Trials of each kind.
    intact_accepted : bool
        Whether the auditor accepts the record that nobody touched.
    """

    entries: tuple[bytes, ...]
    files: dict[str, bytes]
    noticed: dict[str, int]
    tried: int
    intact_accepted: bool


def _leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def merkle_root(entries: Sequence[bytes]) -> bytes:
    """Return the root of a Merkle tree over entries.

    Parameters
    ----------
    entries : sequence of bytes

    Returns
    -------
    bytes
        32 bytes; of no entries the hash of nothing.

    References
    ----------
    RFC 6962, section 2.1: a leaf and a node are hashed with different first bytes, and the
    tree is split at the largest power of two below the number of entries.

    Examples
    --------
    >>> merkle_root([]).hex()[:8], merkle_root([b""]).hex()[:8]
    ('e3b0c442', '6e340b9c')
    """
    if not entries:
        return hashlib.sha256(b"").digest()
    level = [_leaf(entry) for entry in entries]
    # pairing level by level, a node left over moving up, is the same tree as that split
    while len(level) > 1:
        above = [
            hashlib.sha256(b"\x01" + level[i] + level[i + 1]).digest()
            for i in range(0, len(level) - 1, 2)
        ]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0]


def _write(kind: str, entries: Sequence[bytes]) -> dict[str, bytes]:
    """Return the files of a record: its lines, and its head where the kind has one."""
    if kind == "none":
        return {}
    if kind == "plain_file":
        return {"log": b"\n".join(entries)}
    if kind == "hash_chain":
        link, lines = b"", []
        for entry in entries:
            link = hashlib.sha256(link + entry).digest()
            lines.append(link.hex().encode() + b" " + entry)
        return {"log": b"\n".join(lines), "head": link}
    return {"log": b"\n".join(entries), "head": merkle_root(entries)}


def _lines(files: Mapping[str, bytes]) -> list[bytes]:
    return files["log"].split(b"\n") if files["log"] else []


def _holds(kind: str, files: Mapping[str, bytes], witnessed: bytes | None) -> bool:
    """Tell whether an auditor finds nothing wrong with a record.

    Parameters
    ----------
    kind : str
    files : mapping of str to bytes
        What the house shows.
    witnessed : bytes or None
        The head that a witness kept, where there is one.
    """
    if kind == "none":
        return True  # nothing is shown, so nothing can be found
    lines = _lines(files)
    if kind == "plain_file":
        try:
            read = [json.loads(line) for line in lines]
            whole = all({"who", "when", "what", "model"} <= set(entry) for entry in read)
            # two decisions about one person at one time cannot both be true
            return whole and len({(e["who"], e["when"]) for e in read}) == len(read)
        except (ValueError, TypeError):
            return False
    if kind == "hash_chain":
        head = b""
        for line in lines:
            shown, _, entry = line.partition(b" ")
            head = hashlib.sha256(head + entry).digest()
            if head.hex().encode() != shown:
                return False
    else:
        head = merkle_root(lines)
    return head == files["head"] and (witnessed is None or head == witnessed)


def _other(entry: bytes) -> bytes:
    """Return a decision that says something else about the same person."""
    decision = json.loads(entry)
    decision["what"] = "no_mail" if decision["what"] != "no_mail" else "sports_mail"
    return json.dumps(decision).encode()


def _tampered(
    kind: str, how: str, files: Mapping[str, bytes], entries: Sequence[bytes], at: int
) -> dict[str, bytes]:
    """Return the files after somebody who controls them all has changed them.

    Single entries are changed in the lines; what is cut or rewritten is made consistent,
    the head in the house's own files included.
    """
    if kind == "none":
        return {}
    lines = _lines(files)
    start = 65 if kind == "hash_chain" else 0  # a link in hexadecimal, and a blank
    line = lines[at]
    if how == "edit one":
        lines[at] = line[:start] + _other(line[start:])
    elif how == "delete one":
        del lines[at]
    elif how == "insert one":
        lines.insert(at, line[:start] + _other(line[start:]))
    elif how == "cut the tail":
        return _write(kind, list(entries[: max(at, 1)]))
    else:
        changed = list(entries)
        changed[at] = _other(changed[at])
        return _write(kind, changed)
    return {**files, "log": b"\n".join(lines)}


def _decisions(context: EvaluationContext, repair: Any, model: Any) -> tuple[bytes, ...]:
    people = context.sample("recording", _RECORDS)
    when = context.as_of.isoformat()
    return tuple(
        json.dumps(
            {
                "who": int(context.ids[i]),
                "when": when,
                "what": context.offers[int(repair.offer[i])] if repair.selected[i] else "no_mail",
                "model": str(model.label) if repair.ranked[i] else "drawn by lot",
            }
        ).encode()
        for i in people
    )


@stage("log.kind", "log.witness")
def recording(
    context: EvaluationContext, settings: Settings, *, repair: Any, model: Any
) -> Recording:
    """Record decisions, tamper with the record, and let an auditor check it.

    The witness is handed the head after the last entry. A second team of the same house
    gives it up where the house's management rewrites everything; an outside one does not.
    """
    kind, witness = settings["log.kind"], settings["log.witness"]
    entries = _decisions(context, repair, model)
    files = _write(kind, entries)
    kept = files.get("head") if witness != "none" else None
    places = (context.chances("tampering", len(TAMPERING), _TRIALS) * len(entries)).astype(int)
    noticed = dict.fromkeys(TAMPERING, 0)
    for how, at in zip(TAMPERING, places, strict=True):
        for place in at:
            changed = _tampered(kind, how, files, entries, int(place))
            shown = kept
            if kept is not None and how == "rewrite everything" and witness == "second_team":
                shown = changed["head"]
            noticed[how] += not _holds(kind, changed, shown)
    return Recording(entries, files, noticed, _TRIALS, _holds(kind, files, kept))


@measure(
    "duty", "higher", "share of trials", "records of decisions, really written and tampered with"
)
def tampering_noticed(context: EvaluationContext, *, recording: Recording) -> Estimate:
    """Share of tampering with the record of decisions that an auditor notices.

    Tried by somebody who controls the house's files: editing, deleting and inserting one
    entry, cutting the tail, and rewriting everything consistently. It says nothing about
    whether an entry was true when it was written.
    """
    if not recording.intact_accepted:
        return Needs("needs an auditor who accepts a record that nobody touched")
    return Exact(sum(recording.noticed.values()) / (recording.tried * len(recording.noticed)))


# ------------------------------------------------------------------------------- duties

_CONTACT = ("full_name", "email")
_SHARED = ("age", "gender", "postcode", "recency", "history", "sports", "fashion")
_SHARED += ("financial_stress",)
_BEHAVIOUR = ("recency", "history", "sports", "fashion", "newbie", "channel")
_ACCOUNT = ("tenure_days", "device", "loyalty_tier", "jurisdiction")
_GUESSED = ("health_interest", "financial_stress")
# GDPR Art 9 covers what a special category can be deduced from; not gender, age or income
_SPECIAL = ("ethnic_group", "disability", "health_interest")
_ROUTES = ("none", "may ask a person", "a person looked before sending")
_DPIA_PARTS = ("description", "necessity and proportionality", "risks", "measures")

POINTS = (
    "a register entry for every use of data (GDPR Art 30)",
    "no use beyond what people permitted, provably (Art 7(1))",
    "no objector is contacted (Art 21(2)-(3))",
    "no objector is profiled for marketing (Art 21(2)-(3))",
    "no special-category column without explicit consent (Art 9)",
    "erasure within one month of the request (Art 12(3))",
    "erased people are no longer readable (Art 17)",
    "stored data is unreadable to a thief (Art 32)",
    "a data protection impact assessment with its four parts (Art 35)",
    "a person can change each decision (Art 22(3), where it applies)",
    "a rule for children stands in the decision records (Art 8)",
)
"""What a team may be asked to show; facts about duties, not a test of legality."""


@dataclass(frozen=True, eq=False)
class Duties:
    """What the house can show.

    Attributes
    ----------
    uses : tuple of (str, str, tuple of str)
        Uses of data that really occur: purpose, category and columns.
    register : bytes
        The register of processing, one entry a line; empty where none is kept.
    unregistered : tuple of (str, str)
        Purpose and category of the uses that the register does not cover.
    assessment : bytes
        The summary of the impact assessment; empty where none is made.
    decisions : ndarray of records
        customer_id, selected, ranked, route (position in the list of routes), age_rule.
    decided : ndarray of bool, shape (n,)
        Who was contacted or ranked.
    ignored, objected : ndarray of bool, shape (n,)
        Who was contacted after an objection, and who objected.
    minors : ndarray of bool, shape (n,)
    points : dict of str to bool
        Which of `POINTS` can be shown.
    """

    uses: tuple[tuple[str, str, tuple[str, ...]], ...]
    register: bytes
    unregistered: tuple[tuple[str, str], ...]
    assessment: bytes
    decisions: NDArray[Any]
    decided: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    objected: NDArray[np.bool_]
    minors: NDArray[np.bool_]
    points: dict[str, bool] = field(default_factory=dict)


def _category(column: str, role: str) -> str:
    if column in _CONTACT:
        return "contact details"
    if column in _GUESSED:
        return "inferred traits"
    if column in _BEHAVIOUR:
        return "purchases"
    if column in _ACCOUNT:
        return "account and device"
    if column.startswith("said_"):
        return "stated preferences"
    return "protected traits" if role == "protected" else "demographics"


def _uses(
    permission: Any, collection: Any, repair: Any
) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """List which columns are really used for which purpose."""
    practised = np.asarray(permission.practice).any(axis=1)
    columns = {
        "analytics": _BEHAVIOUR[:4],
        "direct_marketing": _CONTACT if np.any(repair.selected) else (),
        "personalization": tuple(collection.columns) if np.any(repair.ranked) else (),
        "third_party_sharing": _SHARED,
    }
    found: dict[tuple[str, str], list[str]] = {}
    for purpose, used in zip(PURPOSES, practised, strict=True):
        for column in columns[purpose] if used else ():
            category = _category(column, collection.roles.get(column, ""))
            found.setdefault((purpose, category), []).append(column)
    return tuple((*key, tuple(names)) for key, names in found.items())


def _register(uses: Sequence[tuple[str, str, tuple[str, ...]]], collection: Any) -> bytes:
    """Write the register: purpose, category, columns and the age of the oldest record."""
    entries = [
        {
            "purpose": purpose,
            "category": category,
            "columns": list(columns),
            # what people said or are has no date of its own here; behaviour has
            "oldest_days": float(collection.oldest_days) if category == "purchases" else None,
        }
        for purpose, category, columns in uses
    ]
    return b"\n".join(json.dumps(entry).encode() for entry in entries)


def _unregistered(
    uses: Sequence[tuple[str, str, tuple[str, ...]]], register: bytes, oldest_days: float
) -> tuple[tuple[str, str], ...]:
    """Read the register back and name the uses that it does not cover."""
    covered: dict[tuple[str, str], set[str]] = {}
    for line in register.splitlines():
        entry = json.loads(line)
        stale = entry["category"] == "purchases" and entry["oldest_days"] < oldest_days
        if not stale:
            covered.setdefault((entry["purpose"], entry["category"]), set()).update(
                entry["columns"]
            )
    return tuple(
        (purpose, category)
        for purpose, category, columns in uses
        if not set(columns) <= covered.get((purpose, category), set())
    )


def _assessment(
    context: EvaluationContext,
    yearly: bool,
    uses: Sequence[tuple[str, str, tuple[str, ...]]],
    permission: Any,
    collection: Any,
    repair: Any,
    store: Any,
) -> bytes:
    """Write the summary of an impact assessment from what was measured."""
    beyond = np.asarray(permission.practice) & ~np.asarray(permission.lawful)
    special = [name for name in collection.columns if name in _SPECIAL]
    review = context.as_of + pd.DateOffset(years=1)
    parts = {
        "description": [f"{purpose}: {', '.join(columns)}" for purpose, _, columns in uses],
        "necessity and proportionality": [
            f"{len(collection.columns)} columns about a person are read",
            f"the oldest purchase kept is {collection.oldest_days:.0f} days old",
            f"{np.mean(repair.selected):.1%} of customers are contacted",
        ],
        "risks": [
            f"{np.mean(store.stolen):.1%} of records readable in a stolen copy",
            f"{np.mean(store.still_readable):.1%} of erased people still readable",
            *(
                f"{purpose}: {rate:.1%} of customers beyond what they permitted"
                for purpose, rate in zip(PURPOSES, beyond.mean(axis=1), strict=True)
            ),
            f"special-category columns in use: {', '.join(special) or 'none'}",
        ],
        "measures": [
            f"erasures take up to {int(np.max(store.took_days, initial=0))} days",
            f"{np.mean(permission.objected):.1%} of customers objected and "
            f"{int(np.sum(np.asarray(permission.objected) & repair.selected))} were contacted",
        ],
    }
    summary = {
        "made": context.as_of.date().isoformat(),
        "review": review.date().isoformat() if yearly else "not planned",
        **parts,
    }
    return json.dumps(summary, indent=1).encode()


def _has_all_parts(assessment: bytes) -> bool:
    if not assessment:
        return False
    summary = json.loads(assessment)
    return all(summary.get(part) for part in _DPIA_PARTS)


def _decision_records(
    context: EvaluationContext,
    settings: Settings,
    selected: NDArray[np.bool_],
    ranked: NDArray[np.bool_],
) -> NDArray[Any]:
    """Write for each customer what was decided, and who can change it."""
    kinds = {"customer_id": np.int64, "selected": np.bool_, "ranked": np.bool_, "route": np.int8}
    decisions = np.zeros(context.n, dtype=[*kinds.items(), ("age_rule", "U20")])
    decisions["customer_id"] = context.ids
    decisions["selected"], decisions["ranked"] = selected, ranked
    if settings["duty.human_review"] == "on_request":
        decisions["route"][selected | ranked] = 1
    elif settings["duty.human_review"] == "before_sending":
        # what is sent is looked at; whom the ranking left out, nobody looks at
        decisions["route"][selected] = 2
    if settings["duty.children"] != "as_adults":
        decisions["age_rule"] = settings["duty.children"]
    return decisions


@stage("duty.retention_register", "duty.dpia", "duty.human_review", "duty.children")
def duties(
    context: EvaluationContext,
    settings: Settings,
    *,
    permission: Any,
    collection: Any,
    repair: Any,
    store: Any,
) -> Duties:
    """Write the register, the assessment and the decision records, and see what they show."""
    uses = _uses(permission, collection, repair)
    register = _register(uses, collection) if settings["duty.retention_register"] else b""
    unregistered = _unregistered(uses, register, float(collection.oldest_days))
    assessment = b""
    if settings["duty.dpia"] != "none":
        yearly = settings["duty.dpia"] == "before_launch_and_yearly"
        assessment = _assessment(context, yearly, uses, permission, collection, repair, store)

    selected, ranked = np.asarray(repair.selected), np.asarray(repair.ranked)
    objected, decided = np.asarray(permission.objected), selected | ranked
    decisions = _decision_records(context, settings, selected, ranked)
    beyond = np.asarray(permission.practice) & ~np.asarray(permission.lawful)
    shown = (
        not unregistered,
        not beyond.any(),
        not (objected & selected).any(),
        not (objected & ranked).any(),
        not any(name in _SPECIAL for name in collection.columns),
        not np.any(store.late),
        not np.any(store.still_readable),
        not np.any(store.stolen),
        _has_all_parts(assessment),
        bool((decisions["route"][decided] > 0).all()),
        bool((decisions["age_rule"][decided] != "").all()),
    )
    return Duties(
        uses,
        register,
        unregistered,
        assessment,
        decisions,
        decided,
        objected & selected,
        objected,
        context.customers["age"].to_numpy() < 18,
        dict(zip(POINTS, shown, strict=True)),
    )


@measure("duty", "lower", "share of uses", "the register as written, beside columns in use")
def categories_unregistered(context: EvaluationContext, *, duties: Duties) -> Estimate:
    """Share of uses (a category of data for a purpose) that no entry of the register covers."""
    if not duties.uses:
        return Needs("needs data in use; this policy uses none")
    return Exact(len(duties.unregistered) / len(duties.uses))


@measure("duty", "lower", "share of objectors", "decisions beside objections, all customers")
def objections_ignored(context: EvaluationContext, *, duties: Duties) -> Estimate:
    """Share of the people who objected to direct marketing who are contacted all the same."""
    if not duties.objected.any():
        return Needs("needs people who objected; under this policy nobody did")
    return Ratio(duties.ignored, duties.objected)


@measure("duty", "lower", "share of people decided about", "decision records, all customers")
def decisions_without_recourse(context: EvaluationContext, *, duties: Duties) -> Estimate:
    """Share of decisions (contacted, or ranked and left out) that no person could change.

    The decision record names no route: nobody looked before sending, and none may be asked.
    """
    if not duties.decided.any():
        return Needs("needs decisions about people; this policy makes none")
    return Ratio(duties.decided & (duties.decisions["route"] == 0), duties.decided)


@measure("duty", "lower", "share of people under 18", "decision records, people under 18")
def children_profiled(context: EvaluationContext, *, duties: Duties) -> Estimate:
    """Share of people under 18 who were ranked as individuals."""
    if not duties.minors.any():
        return Needs("needs people under 18; this world has none")
    return Ratio(duties.minors & duties.decisions["ranked"], duties.minors)


@measure("duty", "lower", "points", "register, assessment, decisions and files, as they are")
def open_points(context: EvaluationContext, *, duties: Duties) -> Estimate:
    """Count the points, out of eleven, for which nothing can be shown.

    A register entry for every use; no use beyond permission; no objector contacted; none
    profiled; no special-category column without explicit consent (nobody is asked for it
    here); erasure within a month; erased people unreadable; stored data unreadable to a
    thief; an impact assessment with its four parts; a person who can change each decision;
    a rule for children in the records. A count for discussion, and not a finding of law.
    """
    return Exact(float(sum(not shown for shown in duties.points.values())))


STAGES, MEASURES = steps(globals())
