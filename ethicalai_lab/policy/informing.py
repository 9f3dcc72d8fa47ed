"""What people are told and shown: notices, claims of urgency, and the products in a message.

Texts are really written and then read again: what a message tells is found in its words, not
in the policy's fields, and a reason is true only where the score moves as it says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.stats import binom

from ethicalai_lab.policy.context import EvaluationContext
from ethicalai_lab.policy.modelling import INFERRED, OFFERS, Collection, Model, points
from ethicalai_lab.policy.permission import Permission
from ethicalai_lab.policy.repair import Repair
from ethicalai_lab.policy.stages import Estimate, Needs, Ratio, Settings, measure, stage
from ethicalai_lab.world import CATEGORIES, PURPOSES
from ethicalai_lab.world.shopping import APPEAL

__all__ = ["MEASURES", "STAGES", "Claims", "Notices", "Recommending"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

_PERSONAL = PURPOSES.index("personalization")
_READERS = 60  # notices written; the texts differ only by the person's values
_EASED = 12  # of whose notices the reading ease is worked out
_LEARN = 2_000  # people from whom a global list or a surrogate is found
_DEPTH = 3  # of the surrogate tree
_SENDER = "the shop"
_STOP = 'press "Stop" in any message'
_CHANGE = 'open "Preferences" in your account'
_LABELS = {
    "recency": "months since your last purchase",
    "history": "what you spent in a year",
    "sports": "whether you bought sports goods",
    "fashion": "whether you bought fashion",
    "newbie": "whether you are new",
    "channel": "where you buy",
    "tenure_days": "days since you joined",
    "health_interest": "a guess about your interest in health",
    "financial_stress": "a guess about your money worries",
}
_FROM = {
    **dict.fromkeys(("recency", "history", "sports", "fashion"), "your purchases"),
    **dict.fromkeys(("newbie", "channel"), "your visits"),
    **dict.fromkeys(INFERRED, "guesses about you"),
}
# columns of which a person may be told what would have to differ
_YES_OR_NO = ("sports", "fashion", "newbie", "disability")
_CHANGEABLE = ("recency", "history", "sports", "fashion")

_SAYS_AI = re.compile(r"\bAI\b|\bcomputer program\b")
_SAYS_STOP = re.compile(r"\bTo stop it:|\bunsubscribe\b", re.IGNORECASE)
_SAYS_FROM = re.compile(r"\bFrom [^:.]+: ([^.]+)\.")
_SAYS_OPENLY = re.compile(
    r"(?:Sensitive data about you was used|Guesses about you were used, which may be wrong): "
    r"([^.]+)\."
)


# ------------------------------------------------------------------------------ notices


@dataclass(frozen=True, eq=False)
class Notices:
    """The notices that were written to a fixed sample of those contacted.

    Attributes
    ----------
    disclosure : str
        The policy's layer of notices.
    read : ndarray of bool, shape (n,)
        Whose message was written and read again.
    texts : tuple of str
        Their messages, in the order of people.
    has_notice, ai, data, stop : ndarray of bool, shape (n,)
        What was found in the text: a notice; that a machine decided; each column used, with
        where it is from; how to stop.
    words, ease : ndarray of float, shape (n,)
        Words of the notice, and its Flesch reading ease; of some, 0 for the others.
    reasons, true_reasons : ndarray of int, shape (n,)
        Reasons shown, and how many of them the score bears out.
    counterfactual : ndarray of bool, shape (n,)
        Whether a change was found, scored again, and told.
    uses_data : ndarray of bool, shape (n,)
        On whom the choice rests on personal data.
    unaccepted, unlawful : ndarray of bool, shape (n,)
        On whom data is used that is guessed or sensitive, or, in truth or by the ledger,
        against the person's will.
    hides_unlawful : ndarray of bool, shape (n,)
        And the message does not say so.
    acceptable : ndarray of bool, shape (n,)
    reasons_true : float
    ai_told, choice_given, shown : bool
    """

    disclosure: str
    read: Bools
    texts: tuple[str, ...]
    has_notice: Bools
    ai: Bools
    data: Bools
    stop: Bools
    words: Floats
    ease: Floats
    reasons: NDArray[np.int64]
    true_reasons: NDArray[np.int64]
    counterfactual: Bools
    uses_data: Bools
    unaccepted: Bools
    unlawful: Bools
    hides_unlawful: Bools
    acceptable: Bools
    reasons_true: float
    ai_told: bool
    choice_given: bool
    shown: bool


@dataclass(frozen=True, eq=False)
class _Account:
    """A ranking as the sum of what each feature adds; a linear model, or the rule of points."""

    columns: tuple[str, ...]
    source: NDArray[np.int64]  # the column of each feature
    features: Floats  # (n, p), 0 at the average
    added: Floats  # (n, p)
    score: Floats
    cell: NDArray[np.int64]  # (n,) people with one cell share the slopes

    def per_column(self, values: Floats) -> Floats:
        """Sum encoded features to the columns they come from."""
        to = np.zeros((self.source.size, len(self.columns)))
        to[np.arange(self.source.size), self.source] = 1.0
        return values @ to


@dataclass(frozen=True, eq=False)
class _Weighed:
    """What the choice rests on: columns, and how much each of them added for the readers."""

    columns: tuple[str, ...]
    added: Floats  # (readers, columns), exact
    found: Floats | None  # (readers, columns), by the policy's method
    adds_up: Bools  # whether the score is the sum of what the columns added
    slopes: Floats  # (4, p), of the score in each feature, by cell
    cell: NDArray[np.int64]  # (n,)
    moves: frozenset[str]  # columns that move anybody's score


def _account(
    context: EvaluationContext, repair: Repair, model: Model, collection: Collection
) -> _Account | None:
    if model.contributions is not None:
        cell = (context.chances("fold", context.n) < 0.5) * 2 + model.offer
        return _Account(
            collection.columns,
            collection.source,
            collection.matrix,
            model.contributions,
            model.score,
            cell,
        )
    if not repair.ranked.any():
        return None
    # ranked without a model: by recency and spending, each as a share of people behind
    parts = points(collection)
    added = np.column_stack([part - part[collection.kept].mean() for part in parts.values()])
    added = added * collection.kept[:, None]
    return _Account(
        tuple(parts),
        np.arange(len(parts)),
        added,
        added,
        model.score,
        collection.kept.astype(np.int64),
    )


def _label(column: str) -> str:
    return _LABELS.get(column, column.replace("_", " "))


def _source(column: str) -> str:
    return _FROM.get(column, "your answers" if column.startswith("said_") else "your account")


def _weigh(
    context: EvaluationContext, method: str, readers: NDArray[np.int64], account: _Account
) -> _Weighed:
    cell = account.cell
    some = np.argsort(context.chances("explained", context.n), kind="stable")[:_LEARN]
    # the score is linear within a cell, so a slope is what one unit adds
    slopes = np.zeros((4, account.features.shape[1]))
    for code in range(4):
        rows = some[cell[some] == code]
        if not rows.size:
            rows = np.flatnonzero(cell == code)
        below = (account.features[rows] ** 2).sum(axis=0)
        above = (account.features[rows] * account.added[rows]).sum(axis=0)
        slopes[code] = np.divide(above, below, out=np.zeros_like(above), where=below > 1e-12)
    added = account.per_column(account.added[readers])
    who = np.concatenate([some, readers])
    rest = account.score[who] - account.added[who].sum(axis=1)
    constant = np.array(
        [np.median(rest[cell[who] == c]) if (cell[who] == c).any() else 0.0 for c in range(4)]
    )
    off = np.abs(rest[some.size :] - constant[cell[readers]])
    adds_up = off <= 1e-6 * (float(account.score[some].std()) + 1e-12)
    found: Floats | None = None
    if method == "shapley_values":
        found = added  # of a linear model, exactly: Shapley's shares against the average
    elif method == "permutation_importance":
        everybody = _importance(context, some, slopes[cell[some]], account)
        found = np.tile(everybody, (readers.size, 1))
    elif method == "surrogate_model":
        found = _surrogate(some, readers, account)
    any_slope = account.per_column(np.abs(slopes).max(axis=0)[None])[0] > 0
    moves = frozenset(c for c, any_ in zip(account.columns, any_slope, strict=True) if any_)
    return _Weighed(account.columns, added, found, adds_up, slopes, cell, moves)


def _importance(
    context: EvaluationContext, some: NDArray[np.int64], slopes: Floats, account: _Account
) -> Floats:
    """Return by how much the fit to the score falls when a column is shuffled (Breiman 2001).

    The fit is R squared; for a linear score its fall is the mean square of the change over the
    score's variance, so no new score need be computed.
    """
    order = np.argsort(context.chances("shuffled", context.n)[some], kind="stable")
    now = account.features[some]
    moved = account.per_column((now[order] - now) * slopes)
    spread = float(account.score[some].var())
    return (moved**2).mean(axis=0) / spread if spread > 0 else np.zeros(moved.shape[1])


def _surrogate(some: NDArray[np.int64], readers: NDArray[np.int64], account: _Account) -> Floats:
    """Return what a shallow tree fitted to the score says each column added, split by split."""
    from sklearn.tree import DecisionTreeRegressor

    fitted = DecisionTreeRegressor(max_depth=_DEPTH, random_state=0)
    tree = fitted.fit(account.features[some], account.score[some]).tree_
    value = tree.value[:, 0, 0]
    found = np.zeros((readers.size, account.features.shape[1]))
    rows = account.features[readers].astype(np.float32)
    at = np.zeros(readers.size, dtype=np.int64)
    for _ in range(_DEPTH):
        inner = np.flatnonzero(tree.children_left[at] >= 0)
        node = at[inner]
        feature = tree.feature[node]
        left = rows[inner, feature] <= tree.threshold[node]
        at[inner] = np.where(left, tree.children_left[node], tree.children_right[node])
        found[inner, feature] += value[at[inner]] - value[node]
    return account.per_column(found)


def _plain(value: Any, column: str) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return bool(value) if column in _YES_OR_NO else value


@stage(
    "explanations.method",
    "explanations.reasons_shown",
    "explanations.counterfactuals",
    "explanations.notice",
    "transparency.ai_disclosure",
    "transparency.data_source_shown",
    "duty.human_review",
)
def notices(
    context: EvaluationContext,
    settings: Settings,
    *,
    permission: Permission,
    repair: Repair,
    model: Model,
    collection: Collection,
) -> Notices:
    """Write to people why their offer came, and find in the text what they are told."""
    from ethicalai_lab.explainability import offer_notice, reading_ease

    n = context.n
    layer, method = settings["explanations.notice"], settings["explanations.method"]
    people = np.flatnonzero(repair.selected)
    lot = context.chances("readers", n)[people]
    readers = np.sort(people[np.argsort(lot, kind="stable")[:_READERS]])
    personal = permission.practice[_PERSONAL]
    modelled = personal & repair.selected & (model.contributions is not None)
    ruled = repair.ranked & repair.selected & ~modelled
    uses_data = modelled | ruled

    weighed = None
    account = _account(context, repair, model, collection)
    if account is not None and readers.size and account.columns:
        weighed = _weigh(context, method, readers, account)
    roles = collection.roles
    delicate = tuple(
        c for c in collection.columns if roles[c] in ("sensitive", "protected") or c in INFERRED
    )
    guessed = modelled & (weighed is not None and bool(weighed.moves & set(delicate)))
    unaccepted = guessed | (uses_data & ~context.accepts[_PERSONAL])
    unlawful = guessed | (uses_data & ~permission.lawful[_PERSONAL])

    said = SimpleNamespace(
        explanations=SimpleNamespace(
            method=method, notice=layer, reasons_shown=settings["explanations.reasons_shown"]
        ),
        transparency=SimpleNamespace(
            ai_disclosure=settings["transparency.ai_disclosure"],
            data_source_shown=settings["transparency.data_source_shown"],
        ),
        duty=SimpleNamespace(human_review=settings["duty.human_review"]),
    )
    told = {name: np.zeros(n, dtype=bool) for name in ("notice", "ai", "data", "stop", "other")}
    hides = {name: np.zeros(n, dtype=bool) for name in ("unaccepted", "unlawful")}
    words, ease = np.zeros(n), np.zeros(n)
    shown, true = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    changes: dict[int, str] = {}
    if settings["explanations.counterfactuals"] and weighed is not None and modelled.any():
        changes = _changes(readers, modelled & repair.ranked, weighed, repair, model, collection)
    texts = []
    eased = set(np.linspace(0, readers.size - 1, min(_EASED, readers.size)).astype(int).tolist())
    values: dict[str, Any] = {}
    for column in () if weighed is None else weighed.columns:
        table = collection.table if column in collection.table else collection.behaviour
        values[column] = table[column].iloc[readers].to_numpy(object)
    labels = {c: _label(c) for c in values}
    sources = {c: _source(c) for c in values}
    for row, person in enumerate(readers):
        reasons, used = None, ()
        if uses_data[person] and weighed is not None:
            added = weighed.added[row]
            used = tuple(
                c
                for c, a in zip(weighed.columns, added, strict=True)
                if a != 0 and c in weighed.moves
            )
            counts = added if weighed.found is None else weighed.found[row]
            reasons = [
                (c, _plain(values[c][row], c), float(counts[j]))
                for j, c in enumerate(weighed.columns)
                if counts[j] != 0
            ]
        offer = OFFERS[repair.offer[person]].replace("_", " ")
        notice = offer_notice(
            offer=f"the {offer}",
            sender=_SENDER,
            reasons=reasons,
            policy=said,
            decided_by="model" if modelled[person] else "rule",
            labels=labels,
            sensitive=[c for c in delicate if c not in INFERRED],
            inferred=INFERRED,
            sources=sources,
            change=_CHANGE,
            stop=_STOP,
            jurisdiction="EU" if context.regime[person] == 0 else None,
        )
        if person in changes and notice.sentences:
            told["other"][person] = True
        body = notice.text + (f"\n{changes[person]}" if told["other"][person] else "")
        text = _message(body, offer, settings, modelled[person], used)
        texts.append(text)
        told["notice"][person] = bool(notice.sentences)
        told["ai"][person] = bool(_SAYS_AI.search(text))
        told["stop"][person] = bool(_SAYS_STOP.search(text))
        listed = " ".join(_SAYS_FROM.findall(text))
        told["data"][person] = bool(used) and all(_label(c) in listed for c in used)
        openly = listed + " ".join(_SAYS_OPENLY.findall(text))
        for name, accepted in (
            ("unaccepted", context.accepts[_PERSONAL, person]),
            ("unlawful", permission.lawful[_PERSONAL, person]),
        ):
            to_say = [c for c in used if not accepted or c in delicate]
            hides[name][person] = not all(_label(c) in openly for c in to_say)
        if notice.sentences:
            words[person] = len(body.split())
            if row in eased:
                ease[person] = reading_ease(body)
        if weighed is not None:
            shown[person], true[person] = _checked(notice, row, weighed)
    read = np.zeros(n, dtype=bool)
    read[readers] = True
    total = int(shown.sum())
    return Notices(
        disclosure=layer,
        read=read,
        texts=tuple(texts),
        has_notice=told["notice"],
        ai=told["ai"],
        data=told["data"],
        stop=told["stop"],
        words=words,
        ease=ease,
        reasons=shown,
        true_reasons=true,
        counterfactual=told["other"],
        uses_data=uses_data,
        unaccepted=unaccepted,
        unlawful=unlawful,
        hides_unlawful=hides["unlawful"],
        acceptable=~unaccepted,
        # where no reason is given, none is false
        reasons_true=float(true.sum() / total) if total else 1.0,
        ai_told=bool(readers.size and told["ai"][readers].mean() > 0.5),
        choice_given=bool(readers.size and told["stop"][readers].mean() > 0.5),
        shown=bool(readers.size and told["notice"][readers].mean() > 0.5),
    )


def _message(body: str, offer: str, settings: Settings, modelled: bool, used: tuple) -> str:
    """Put the notice into the message, with what the policy has it say besides."""
    what = "a computer program that learned from data (AI)" if modelled else "a computer program"
    ai = f"This message was chosen by {what}."
    place = settings["transparency.ai_disclosure"]
    said_ai = bool(_SAYS_AI.search(body))
    parts = [ai] if place == "upfront" and not said_ai else []
    parts.append(f"Your {offer}: new things this week.")
    parts += [body] if body else []
    if settings["transparency.data_source_shown"] and used and not _SAYS_FROM.search(body):
        groups: dict[str, list[str]] = {}
        for column in used:
            groups.setdefault(_source(column), []).append(_label(column))
        parts.append(" ".join(f"From {source}: {', '.join(c)}." for source, c in groups.items()))
    if place == "footer" and not said_ai:
        parts.append(ai)
    return "\n\n".join(parts)


def _checked(notice: Any, row: int, weighed: _Weighed) -> tuple[int, int]:
    """Count the reasons that a notice shows, and those that the score bears out.

    With a column at the average, the score must be lower than it is, and by as much that the
    column is among those that count most; the number of these is the number shown.
    """
    named = [
        fact.name.removeprefix("contribution of ")
        for sentence in notice.sentences
        if sentence.topic in ("why", "line")
        for fact in sentence.facts
        if fact.name.startswith("contribution of ")
        and any(other.name.startswith("value of ") for other in sentence.facts)
    ]
    named = list(dict.fromkeys(named))
    if not named:
        return 0, 0
    if not weighed.adds_up[row]:
        return len(named), 0
    added = weighed.added[row]
    best = np.argsort(-added, kind="stable")[: len(named)]
    top = {weighed.columns[j] for j in best if added[j] > 0}
    return len(named), sum(column in top for column in named)


def _changes(
    readers: NDArray[np.int64],
    ranked: Bools,
    weighed: _Weighed,
    repair: Repair,
    model: Model,
    collection: Collection,
) -> dict[int, str]:
    """Find for each reader the smallest change of one column that takes the mail away.

    A change is told only where the score, computed again with the value as it is told, is
    below that of everybody who was chosen by rank.
    """
    chosen = repair.selected & repair.ranked
    if not chosen.any():
        return {}
    cut = float(model.score[chosen].min())
    found: dict[int, str] = {}
    scales = {}
    for column in _CHANGEABLE:
        if column in collection.names and column in collection.columns:
            raw = collection.table[column].to_numpy(float)
            flat = np.log1p(raw) if column == "history" else raw
            scales[column] = (
                collection.names.index(column),
                raw,
                float(flat.mean()),
                float(flat.std()) or 1.0,
                float(raw.max()),
            )
    for person in readers:
        if not ranked[person] or not collection.kept[person]:
            continue
        excess = float(model.score[person]) - cut
        best: tuple[float, str] | None = None
        for column, (j, raw, mean, spread, most) in scales.items():
            slope = weighed.slopes[weighed.cell[person], j]
            old, z = float(raw[person]), float(collection.matrix[person, j])
            if slope == 0 or (column == "recency" and old > 12):
                continue
            want = z - (excess + 1e-9) / slope
            flat = want * spread + mean
            if column == "history":
                value = np.expm1(min(flat, 20.0))
            elif column in ("sports", "fashion"):
                value = 1.0 - old
            else:
                value = flat
            value = float(np.floor(value) if slope > 0 else np.ceil(value))
            roof = 12.0 if column == "recency" else most
            if not (1.0 if column == "recency" else 0.0) <= value <= roof or value == old:
                continue
            again = np.log1p(value) if column == "history" else value
            move = (again - mean) / spread - z
            if float(model.score[person]) + slope * move >= cut:
                continue
            if best is None or abs(move) < best[0]:
                best = (
                    abs(move),
                    f"With {_label(column)} at {_told(value, column)} instead of "
                    f"{_told(old, column)}, this mail would not have come to you.",
                )
        if best is not None:
            found[int(person)] = best[1]
    return found


def _told(value: float, column: str) -> str:
    if column in _YES_OR_NO:
        return "yes" if value else "no"
    return f"{value:.2f}".rstrip("0").rstrip(".")


# ------------------------------------------------------------------------------- claims


@dataclass(frozen=True, eq=False)
class Claims:
    """Claims of urgency in the campaign's texts.

    Attributes
    ----------
    claim, false_claim : ndarray of bool, shape (n,)
        Who reads a claim, and one that does not hold.
    product : ndarray of int, shape (n,)
        The product that each person's message is about, or would be, by position.
    texts : tuple of str
        The distinct texts.
    evidence : DataFrame
        `ethicalai_lab.explainability.urgency_claims` on them.
    """

    claim: Bools
    false_claim: Bools
    product: NDArray[np.int64]
    texts: tuple[str, ...]
    evidence: pd.DataFrame


def _shelf(context: EvaluationContext) -> tuple[NDArray[np.int64], Any, NDArray[np.int64]]:
    """Return each product's stock and end of offer, and the product each person reads of."""
    kept = context.__dict__.get("_shelf")
    if kept is None:
        products = context.world.products
        m = len(products)
        # long-tailed: about a quarter of the products are down to three or fewer
        stock = np.floor(np.exp(6 * context.chances("stock", m))).astype(np.int64)
        hours = np.where(context.chances("ending", m) < 0.25, 12, 24 * 14)
        ended = context.as_of + pd.to_timedelta(hours, unit="h")
        lines = [
            np.flatnonzero((products["category"] == mail.removesuffix("_mail")).to_numpy())
            for mail in OFFERS
        ]
        draw = context.chances("product", context.n)
        product = np.stack([line[(draw * line.size).astype(np.int64)] for line in lines])
        kept = context.__dict__["_shelf"] = stock, ended, product
    return kept


@stage("transparency.urgency_claims")
def claims(context: EvaluationContext, settings: Settings, *, repair: Repair) -> Claims:
    """Write the campaign's lines, with the pressure the policy allows, and hold them to the truth."""
    from ethicalai_lab.explainability import urgency_claims

    stock, ended, product = _shelf(context)
    people = np.flatnonzero(repair.selected)
    product = product[repair.offer, np.arange(context.n)]
    which, place = np.unique(product[people], return_inverse=True)
    rule = settings["transparency.urgency_claims"]
    today = (ended - context.as_of) <= pd.Timedelta(days=1)
    names = context.world.products["name"].to_numpy(object)
    texts = []
    for item in which:
        text = f"{names[item]} is waiting for you."
        if rule == "any":
            # pressure works without regard to what is on the shelf
            text += " Only 3 left!" if item % 2 else " Ends today!"
        elif rule == "only_if_true":
            text += f" Only {stock[item]} left!" if stock[item] <= 3 else ""
            text += " Ends today!" if today[item] else ""
        texts.append(text)
    evidence = urgency_claims(
        texts, sent=[context.as_of] * len(texts), stock=stock[which], ended=ended[which]
    )
    pressed, untrue = np.zeros(len(texts), dtype=bool), np.zeros(len(texts), dtype=bool)
    pressed[evidence["text"].to_numpy(np.int64)] = True
    untrue[evidence.loc[[h is not True for h in evidence["holds"]], "text"].to_numpy(np.int64)] = (
        True
    )
    claim, false_claim = np.zeros(context.n, dtype=bool), np.zeros(context.n, dtype=bool)
    claim[people], false_claim[people] = pressed[place.ravel()], untrue[place.ravel()]
    return Claims(claim, false_claim, product, tuple(texts), evidence)


# ------------------------------------------------------------------------- recommending

_SHOWN = 3_000  # people whose product is worked out; a fixed sample of those contacted
_FACTORS_FROM = 2_000  # people from whom latent factors are learned
_LATER_DAYS = 28.0  # the period after the decision in which a recommendation is judged
# how much a liking pulls on what people do, and its scale, as the world's shopping has it
_PULL = 1.6


@dataclass(frozen=True, eq=False)
class Recommending:
    """The products shown, and whose words were read to choose the tone.

    Attributes
    ----------
    category : ndarray of int, shape (n,)
        Category of the product shown, in the order of CATEGORIES; -1 where none is shown or
        the person is outside the sample.
    product : ndarray of int, shape (n,)
        Position among the products, or -1.
    later, later_in : ndarray of float, shape (n,)
        How much people look at and buy in the weeks after the decision; and how much of it is
        in the category shown.
    expected_in : ndarray of float, shape (n,)
        The same without chance, from the world's truth.
    messages_read : ndarray of bool, shape (n,)
        Whose own messages were read.
    style : ndarray of str, shape (n,)
        The tone of each person's message; "generic" where nothing was matched.
    """

    category: NDArray[np.int64]
    product: NDArray[np.int64]
    later: Floats
    later_in: Floats
    expected_in: Floats
    messages_read: Bools
    style: NDArray[Any]


def _touches(context: EvaluationContext) -> dict[str, NDArray[Any]]:
    """Return views and purchases as arrays: person, product, weight and age in days."""
    kept = context.__dict__.get("_touches")
    if kept is None:
        events = context.world.events
        kind = events["kind"].astype(str).to_numpy()
        rows = events[(kind == "view") | (kind == "purchase")]
        age = (context.as_of - rows["time"]).dt.total_seconds().to_numpy() / 86_400
        place = pd.Index(context.world.products["product_id"]).get_indexer(rows["product_id"])
        kept = context.__dict__["_touches"] = {
            "person": context.rows_of(rows["customer_id"]),
            "product": place,
            "weight": np.where(kind[rows.index] == "purchase", 4.0, 1.0),
            "days": age,
        }
    return kept


def _pulls(context: EvaluationContext) -> Floats:
    """Return the share of what each person does that falls in each category, from the truth."""
    kept = context.__dict__.get("_pulls")
    if kept is None:
        likes = context.aligned(context.world.truth.interests)[list(CATEGORIES)].to_numpy(float)
        pull = np.asarray(APPEAL)[None] * likes**_PULL
        kept = context.__dict__["_pulls"] = pull / pull.sum(axis=1, keepdims=True)
    return kept


def _styles(
    context: EvaluationContext,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[Any]]:
    """Return each message's writer, age in days and style as a classifier reads it."""
    kept = context.__dict__.get("_styles")
    if kept is None:
        from ethicalai_lab.personalization import MessageClassifier

        messages = context.world.messages
        texts = messages["text"].astype(str).tolist()
        labels = messages["language_style"].astype(str).to_numpy().astype(str)
        found = labels
        if np.unique(labels).size > 1:
            # each half is read by a classifier that has not seen it
            half = context.chances("halves", len(texts)) < 0.5
            found = labels.copy()
            for side in (half, ~half):
                learn = np.flatnonzero(~side)
                if np.unique(labels[learn]).size > 1 and side.any():
                    fitted = MessageClassifier().fit([texts[i] for i in learn], labels[learn])
                    judge = np.flatnonzero(side)
                    found[judge] = fitted.predict([texts[i] for i in judge])
        age = (context.as_of - messages["time"]).dt.total_seconds().to_numpy() / 86_400
        kept = context.__dict__["_styles"] = context.rows_of(messages["customer_id"]), age, found
    return kept


@stage("personalization.recommender", "personalization.wording")
def recommending(
    context: EvaluationContext,
    settings: Settings,
    *,
    permission: Permission,
    collection: Collection,
    repair: Repair,
) -> Recommending:
    """Choose the product each message shows, and its tone."""
    n = context.n
    nothing = np.full(n, -1, dtype=np.int64)
    product, category = nothing.copy(), nothing.copy()
    later, later_in, expected_in = np.zeros(n), np.zeros(n), np.zeros(n)
    kind = settings["personalization.recommender"]
    people = np.flatnonzero(repair.selected)
    people = np.sort(
        people[np.argsort(context.chances("shown", n)[people], kind="stable")[:_SHOWN]]
    )
    personal = permission.practice[_PERSONAL]
    if kind != "none" and people.size:
        touches = _touches(context)
        held = collection.kept[touches["person"]] & (touches["days"] <= collection.oldest_days)
        best = _offered(context, kind, touches, held, people, personal)
        product[people] = best
        codes = context.world.products["category"].astype(str).map(CATEGORIES.index)
        known = people[best >= 0]
        category[known] = codes.to_numpy(np.int64)[product[known]]
        # days that chose the people say too much of them: they are judged by days to come
        lately = held & (touches["days"] <= _LATER_DAYS)
        later[known] = np.bincount(touches["person"][lately], minlength=n)[known]
        pull = _pulls(context)[known, category[known]]
        later_in[known] = binom.ppf(context.chances("later", n)[known], later[known], pull)
        expected_in[known] = later[known] * pull
    read, style = np.zeros(n, dtype=bool), np.full(n, "generic", dtype=object)
    if settings["personalization.wording"] == "style_matched":
        writer, age, found = _styles(context)
        own = personal & repair.selected & collection.kept
        rows = np.flatnonzero((writer >= 0) & own[writer] & (age <= max(collection.oldest_days, 1)))
        read[writer[rows]] = True
        style[writer[rows]] = found[rows]
    return Recommending(category, product, later, later_in, expected_in, read, style)


def _offered(
    context: EvaluationContext,
    kind: str,
    touches: dict[str, NDArray[Any]],
    learn: Bools,
    people: NDArray[np.int64],
    personal: Bools,
) -> NDArray[np.int64]:
    """Return the position of the product that each person is shown."""
    from ethicalai_lab.personalization.recommendation import (
        ItemToItem,
        MatrixFactorization,
        Popularity,
    )

    shape = (context.n, len(context.world.products))
    matrix = sparse.csr_matrix(
        (touches["weight"][learn], (touches["person"][learn], touches["product"][learn])), shape
    )
    best = np.full(people.size, -1, dtype=np.int64)
    if not matrix.nnz:
        return best
    plain = Popularity().fit(matrix)
    # what most people touched is known without a look at anyone's own history
    best[:] = plain.recommend(matrix[:1] * 0, k=1)[0, 0]
    if kind == "popularity":
        return best
    rows = np.flatnonzero(personal[people])
    if not rows.size:
        return best
    if kind == "item_to_item":
        fitted = ItemToItem().fit(matrix)
    else:
        active = np.flatnonzero(np.diff(matrix.indptr))
        lot = context.chances("factors", context.n)[active]
        some = matrix[active[np.argsort(lot, kind="stable")[:_FACTORS_FROM]]]
        if min(some.shape) < 8:
            return best
        fitted = MatrixFactorization(n_iterations=3, seed=context.seed).fit(some)
    best[rows] = _first(fitted, matrix[people[rows]])
    return best


def _first(fitted: Any, histories: sparse.csr_matrix) -> NDArray[np.int64]:
    """Return what ``fitted.recommend(histories, k=1)`` returns, without sorting the rest."""
    order = np.argsort(-fitted.popularity_, kind="stable")
    scores = np.array(fitted.score_items(histories), dtype=float)
    seen = histories.tocoo()
    scores[seen.row, seen.col] = -np.inf
    scores = scores[:, order]
    best = scores.argmax(axis=1)  # of equals the more popular one, which comes first
    return np.where(np.isfinite(scores[np.arange(best.size), best]), order[best], -1)


# ------------------------------------------------------------------------------- measures

_TEXTS = "texts written to a fixed sample of up to 60 contacted people, read again"


@measure("transparency", "higher", "share of contacted", _TEXTS)
def notice_share(context: EvaluationContext, *, notices: Notices) -> Estimate:
    """Share of contacted people whose message says why it came."""
    return Ratio(notices.has_notice & notices.read, notices.read)


@measure("transparency", "higher", "points of Flesch's reading ease", _TEXTS)
def reading_ease(context: EvaluationContext, *, notices: Notices) -> Estimate:
    """How easily the notices read; 60 to 70 is plain English."""
    if not notices.has_notice.any():
        return Needs("needs a notice: nobody gets one")
    return Ratio(notices.ease, notices.ease != 0)


@measure("transparency", "none", "words", _TEXTS)
def words_shown(context: EvaluationContext, *, notices: Notices) -> Estimate:
    """How many words a notice has; 0 where there is none."""
    return Ratio(notices.words, notices.read)


@measure(
    "transparency",
    "higher",
    "share of reasons shown",
    "each reason's column set to the average and scored again, exactly, on the linear model",
)
def reasons_true(context: EvaluationContext, *, notices: Notices) -> Estimate:
    """Share of the reasons shown that are among those that raised this person's score most."""
    if not notices.reasons.any():
        return Needs("needs reasons: no message shows any")
    return Ratio(notices.true_reasons, notices.reasons)


@measure("transparency", "higher", "share of contacted", _TEXTS)
def ai_told(context: EvaluationContext, *, notices: Notices) -> Estimate:
    """Share of contacted people who read that a machine chose the message."""
    return Ratio(notices.ai & notices.read, notices.read)


@measure("transparency", "higher", "share of contacted on whom data is used", _TEXTS)
def data_source_told(context: EvaluationContext, *, notices: Notices) -> Estimate:
    """Share of those chosen by their data who read each column used, and where it is from."""
    used = notices.read & notices.uses_data
    if not used.any():
        return Needs("needs people chosen by their data; this policy uses nobody's")
    return Ratio(notices.data & used, used)


@measure("transparency", "higher", "share of contacted", _TEXTS)
def can_stop_told(context: EvaluationContext, *, notices: Notices) -> Estimate:
    """Share of contacted people who read how to stop it."""
    return Ratio(notices.stop & notices.read, notices.read)


@measure(
    "transparency",
    "lower",
    "share of contacted",
    "explainability.urgency_claims on the campaign's texts, beside stock and end of the offer",
)
def false_claims(context: EvaluationContext, *, claims: Claims, repair: Repair) -> Estimate:
    """Share of contacted people who read a claim of scarcity or time that does not hold."""
    if not claims.claim.any():  # no claim, no product that could belie it
        return Ratio(claims.false_claim, repair.selected)
    return Ratio(
        claims.false_claim,
        repair.selected,
        drawn=claims.product,
        kinds=len(context.world.products),
    )


@measure(
    "transparency",
    "lower",
    "share of contacted",
    _TEXTS + "; use by the consent ledger",
)
def hidden_use(context: EvaluationContext, *, notices: Notices) -> Estimate:
    """Share of contacted people on whom guessed, sensitive or refused data is used unsaid."""
    if not notices.read.any():
        return Needs("needs at least one contacted person")
    return Ratio(notices.hides_unlawful & notices.read, notices.read)


@measure(
    "value",
    "higher",
    "share of later views and purchases",
    "up to 3,000 contacted people over the four weeks after the decision, simulated from "
    "world.truth.interests, each as active as in the four weeks before it",
    learned=True,
)
def recommendation_interest(context: EvaluationContext, *, recommending: Recommending) -> Estimate:
    """Share of what people look at and buy later that is in the category they were shown."""
    if not (recommending.category >= 0).any():
        return Needs("needs a recommender and contacted people: nobody is shown a product")
    if not recommending.later.any():
        return Needs("needs people who were active of late, to hold recommendations against")
    truth = recommending.expected_in.sum() / recommending.later.sum()
    return Ratio(recommending.later_in, recommending.later, float(truth))


@measure("privacy", "lower", "share of customers", "recommending, counted")
def messages_read(context: EvaluationContext, *, recommending: Recommending) -> Estimate:
    """Share of customers whose own messages were read to match their tone."""
    return Ratio(recommending.messages_read)


STAGES = (notices, claims, recommending)
MEASURES = (
    notice_share,
    reading_ease,
    words_shown,
    reasons_true,
    ai_told,
    data_source_told,
    can_stop_told,
    false_claims,
    hidden_use,
    recommendation_interest,
    messages_read,
)
