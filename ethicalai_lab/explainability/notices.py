"""From one decision to a notice that the person it is about can read.

Every sentence carries the facts it rests on. A sentence that rests on nothing
cannot be made, so a notice says less rather than more than was computed.
"""

from __future__ import annotations

import hashlib
import html
import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ethicalai_lab.explainability._text import clean
from ethicalai_lab.explainability._themes import COLOURS, themed
from ethicalai_lab.explainability.errors import ExplanationError
from ethicalai_lab.explainability.reading import reading_ease

__all__ = ["LAYERS", "Fact", "Notice", "Sentence", "offer_notice"]

LAYERS = ("none", "one_line", "layered", "full_text")
"""How a notice can be layered, the words of a policy's ``explanations.notice``."""

_DECIDERS = {
    "model": "a computer program that learned from data (AI)",
    "rule": "a fixed rule in a computer program",
    "person": "a person",
}
_REVIEWS = {
    "none": "No person checked it before it was sent.",
    "on_request": "A person can look at it again if you ask.",
    "before_sending": "A person looked at it before it was sent.",
}
_HEADINGS = {
    "why": "Why this offer",
    "data": "What data was used",
    "control": "How to change or stop it",
    "ai": "Who decided",
}
_TITLE = "Why am I seeing this?"


@dataclass(frozen=True)
class Fact:
    """Something computed or stated on which a sentence rests.

    Attributes
    ----------
    name : str
        Such as ``"contribution of recency"``.
    value : object
        What was computed or stated.
    source : str
        Where from: ``"attribution"``, ``"decision"``, ``"policy"``, ``"organisation"``
        or ``"law"``.

    Examples
    --------
    >>> Fact("offer", "sports_mail", "decision").value
    'sports_mail'
    """

    name: str
    value: Any
    source: str


@dataclass(frozen=True)
class Sentence:
    """A sentence of a notice and the facts it rests on.

    Attributes
    ----------
    text : str
        The sentence.
    facts : tuple of Fact
        At least one.
    topic : str
        ``"line"``, ``"why"``, ``"data"``, ``"control"`` or ``"ai"``.

    Raises
    ------
    ExplanationError
        If there is no fact for it.

    Examples
    --------
    >>> Sentence("You like sports.", ())
    Traceback (most recent call last):
    ...
    ethicalai_lab.explainability.errors.ExplanationError: The sentence "You like sports." ...
    """

    text: str
    facts: tuple[Fact, ...]
    topic: str = "why"

    def __post_init__(self) -> None:
        if not self.facts or not all(isinstance(fact, Fact) for fact in self.facts):
            raise ExplanationError(
                f'The sentence "{self.text}" rests on no fact; give it at least one Fact.'
            )


@dataclass(frozen=True, repr=False)
class Notice:
    """A notice to the person whom a decision is about.

    Attributes
    ----------
    sentences : tuple of Sentence
        In reading order; none where the notice is ``"none"``.
    layer : str
        One of :data:`LAYERS`.
    lang : str
        Language of the text, as BCP 47 writes it.

    Examples
    --------
    >>> Notice((), "none").text
    ''
    """

    sentences: tuple[Sentence, ...]
    layer: str
    lang: str = "en"

    def _topics(self) -> list[tuple[str, list[Sentence]]]:
        topics: dict[str, list[Sentence]] = {}
        for sentence in self.sentences:
            topics.setdefault(sentence.topic, []).append(sentence)
        return list(topics.items())

    @property
    def text(self) -> str:
        """The notice as plain text; empty where there is none."""
        parts = []
        for topic, sentences in self._topics():
            body = " ".join(sentence.text for sentence in sentences)
            parts.append(body if topic == "line" else f"{_HEADINGS[topic]}\n{body}")
        return "\n\n".join(parts)

    @property
    def reading_ease(self) -> float:
        """Flesch reading ease of the sentences, headings aside; NaN where there is none."""
        if not self.sentences:
            return math.nan
        return reading_ease(" ".join(sentence.text for sentence in self.sentences))

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Every fact that the notice rests on, once, in reading order."""
        found: list[Fact] = []
        for sentence in self.sentences:
            found.extend(fact for fact in sentence.facts if fact not in found)
        return tuple(found)

    @property
    def html(self) -> str:
        """The notice as an accessible card without scripts or remote parts; may be empty."""
        if not self.sentences:
            return ""
        name = "why-" + hashlib.sha256(self.text.encode()).hexdigest()[:12]
        parts = [
            f'<section class="eal-notice" lang="{html.escape(self.lang)}" aria-labelledby="{name}">',
            f"<style>{_css()}</style>",
            f'<h2 id="{name}">{_TITLE}</h2>',
        ]
        for topic, sentences in self._topics():
            body = "".join(f"<p>{html.escape(sentence.text)}</p>" for sentence in sentences)
            if topic == "line":
                parts.append(body)
            elif self.layer == "layered":
                parts.append(f"<details><summary>{_HEADINGS[topic]}</summary>{body}</details>")
            else:
                parts.append(f"<h3>{_HEADINGS[topic]}</h3>{body}")
        return "\n".join([*parts, "</section>"])

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        # the facts hold numbers to the last bit, and these differ between systems
        return self.text or "No notice."

    def __str__(self) -> str:
        return self.text


def _css() -> str:
    light, dark = (
        f"color:{ink};background:{paper};border-color:{ink}" for ink, paper in COLOURS.values()
    )
    return (
        ".eal-notice{max-width:40rem;padding:1rem;border:1px solid;border-radius:.5rem;"
        "font:1rem/1.5 sans-serif;overflow-wrap:anywhere}"
        ".eal-notice h2{font-size:1.2rem;font-weight:bold;margin:0 0 .5rem;color:inherit}"
        ".eal-notice h3{font-size:1rem;font-weight:bold;margin:1rem 0 .25rem;color:inherit}"
        ".eal-notice p{margin:.25rem 0;color:inherit}"
        ".eal-notice summary{cursor:pointer;font-weight:bold;padding:.25rem 0}"
        ".eal-notice summary:focus-visible{outline:3px solid currentColor;outline-offset:2px}"
        + themed(".eal-notice", light, dark)
    )


@dataclass(frozen=True)
class _Reason:
    column: str
    value: Any
    contribution: float
    label: str

    @property
    def facts(self) -> tuple[Fact, ...]:
        return (
            Fact(f"contribution of {self.column}", self.contribution, "attribution"),
            Fact(f"value of {self.column}", self.value, "attribution"),
        )

    @property
    def shown(self) -> str:
        return f"{self.label} ({_value(self.value)})"


def _clean(text: object) -> str:
    return clean(text, 200)


def _value(value: Any) -> str:
    if value is None or value != value:
        return "not known"
    if isinstance(value, bool) or type(value).__name__ == "bool_":
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, numbers.Real):
        number = float(value)
        if not math.isfinite(number):
            return "not known"
        if 0 < abs(number) < 0.01:  # two decimals would make it 0, which it is not
            return f"{number:.1g}"
        return f"{number:.2f}".rstrip("0").rstrip(".")
    return _clean(value) or "empty"


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _closed(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."


def _reasons(
    reasons: Iterable[Sequence[Any]] | None, labels: Mapping[str, str]
) -> list[_Reason] | None:
    if reasons is None:
        return None
    found: list[_Reason] = []
    for row, reason in enumerate(reasons):
        try:
            column, value, contribution = reason
        except (TypeError, ValueError):
            raise ExplanationError(
                f"reasons, row {row}: expected (column, value, contribution), but it is {reason!r}."
            ) from None
        if not isinstance(column, str) or not column:
            raise ExplanationError(
                f"reasons, row {row}: the column must be a name, but it is {column!r}."
            )
        real = isinstance(contribution, numbers.Real) and not isinstance(contribution, bool)
        if not real or not math.isfinite(contribution):
            raise ExplanationError(
                f'reasons, column "{column}": the contribution must be a finite number, '
                f"but it is {contribution!r}."
            )
        if any(known.column == column for known in found):
            raise ExplanationError(f'reasons: the column "{column}" comes twice; give it once.')
        label = _clean(labels.get(column, column.replace("_", " "))) or column
        same = next((known.column for known in found if known.label == label), None)
        if same is not None:
            raise ExplanationError(
                f'labels: the columns "{same}" and "{column}" would both be called "{label}", '
                "and a reader could not tell them apart; give each its own words."
            )
        found.append(_Reason(column, value, float(contribution), label))
    return found


def offer_notice(
    *,
    offer: str,
    sender: str,
    reasons: Iterable[tuple[str, Any, float]] | None = None,
    policy: Any = None,
    layer: str = "layered",
    reasons_shown: int = 3,
    decided_by: str = "model",
    human_review: str | None = None,
    labels: Mapping[str, str] | None = None,
    sensitive: Iterable[str] = (),
    inferred: Iterable[str] = (),
    sources: Mapping[str, str] | None = None,
    change: str | None = None,
    stop: str | None = None,
    jurisdiction: str | None = None,
) -> Notice:
    """Say to a person why an offer came, from which data, and how to stop it.

    Only reasons that a positive contribution was computed for are named as
    reasons, the largest first. Where none was computed, the notice says so. Data
    that was weighed but did not speak for the offer is named as data, not as a
    reason. "Mainly" is said only of a reason that holds more than half of what spoke for
    the offer. Sensitive and inferred traits that were weighed are always named. A
    contribution says what the model weighed, not what moves the person.

    Parameters
    ----------
    offer, sender : str
        What is offered and who offers it.
    reasons : iterable of (str, object, float), optional
        Column, the person's value, and the computed contribution to this offer, in any
        one unit. A contribution of 0 means that the column was not weighed. None
        where nothing was computed.
    policy : Policy, optional
        Its sections explanations, transparency and duty decide instead of `layer`,
        `reasons_shown` and `human_review`. What it leaves undecided is as assumed then.
    layer : {"none", "one_line", "layered", "full_text"}
        How the notice is layered; not used with a policy.
    reasons_shown : int
        Most reasons named, 0 or more; not used with a policy.
    decided_by : {"model", "rule", "person"}
        Who chose the offer.
    human_review : {"none", "on_request", "before_sending"}, optional
        When a person looks at it; not used with a policy.
    labels : mapping of str to str, optional
        Words for a column. By default its name with spaces.
    sensitive, inferred : iterable of str
        Columns that are sensitive, and columns that are guesses about the person.
    sources : mapping of str to str, optional
        From whom each column's data came, such as ``"your purchases"``.
    change, stop : str, optional
        How the person changes what the offers rest on, and how they stop.
    jurisdiction : str, optional
        With ``"EU"`` the right to object to direct marketing is named.

    Returns
    -------
    Notice

    Raises
    ------
    ExplanationError
        If a reason, layer or other argument is not accepted.

    References
    ----------
    Regulation (EU) 2016/679 (GDPR), Art 13-15 and 21(2)-(3).

    Examples
    --------
    >>> notice = offer_notice(
    ...     offer="the sports mail", sender="the shop", layer="one_line", stop="press Stop below",
    ...     reasons=[("region", "north", -0.2), ("sports_spend", 120, 0.6)],
    ... )
    >>> print(notice)
    The sports mail comes from the shop mainly because of sports spend (120). It was chosen by a
    computer program that learned from data (AI). To stop it: press Stop below.
    """
    computed = True
    data_shown, ai_place = True, "upfront"
    origin = "setting"
    if policy is not None:
        held = policy.with_defaults() if hasattr(policy, "with_defaults") else policy
        explanations = getattr(held, "explanations", None)
        transparency = getattr(held, "transparency", None)
        layer = getattr(explanations, "notice", None) or "none"
        reasons_shown = getattr(explanations, "reasons_shown", None) or 0
        computed = getattr(explanations, "method", None) not in (None, "none")
        data_shown = bool(getattr(transparency, "data_source_shown", None))
        ai_place = getattr(transparency, "ai_disclosure", None) or "none"
        human_review = getattr(getattr(held, "duty", None), "human_review", None)
        origin = "policy"
    if layer not in LAYERS:
        raise ExplanationError(f'layer: there is no "{layer}"; accepted are {_and(LAYERS)}.')
    if decided_by not in _DECIDERS:
        raise ExplanationError(
            f'decided_by: there is no "{decided_by}"; accepted are {_and(list(_DECIDERS))}.'
        )
    if human_review is not None and human_review not in _REVIEWS:
        raise ExplanationError(
            f'human_review: there is no "{human_review}"; accepted are {_and(list(_REVIEWS))}.'
        )
    if not isinstance(reasons_shown, numbers.Integral) or reasons_shown < 0:
        raise ExplanationError(
            f"reasons_shown: expected a whole number from 0, but it is {reasons_shown!r}."
        )
    for name, given in (("offer", offer), ("sender", sender)):
        if not isinstance(given, str) or not _clean(given):
            raise ExplanationError(f"{name}: expected a text, but it is {given!r}.")
    for name, given in (("sensitive", sensitive), ("inferred", inferred)):
        if isinstance(given, str):
            raise ExplanationError(
                f'{name}: expected a list of columns, but it is the text "{given}".'
            )
    weighed = _reasons(reasons, labels or {})
    if layer == "none":
        return Notice((), "none")
    used = [reason for reason in weighed or [] if reason.contribution != 0]
    for_it = sorted((r for r in used if r.contribution > 0), key=lambda r: -r.contribution)
    shown = for_it[:reasons_shown] if computed else []

    what = (Fact("offer", offer, "decision"), Fact("sender", sender, "decision"))
    limit = Fact("reasons_shown", int(reasons_shown), origin)
    start = _clean(offer)
    start = f"{start[0].upper()}{start[1:]} comes from {_clean(sender)}"
    if shown:
        share = _shares(for_it)[0]
        how = "mainly" if share > 0.5 else "partly"
        line = f"{start} {how} because of {shown[0].shown}."
        part = Fact(f"share of {shown[0].column}", share, "attribution")
        line_facts = (*what, *shown[0].facts, part)
    else:
        line, line_facts = _closed(start), what

    why = _why(weighed, for_it, shown, limit, computed)
    ai = Sentence(
        f"It was chosen by {_DECIDERS[decided_by]}.",
        (Fact("decided_by", decided_by, "decision"),),
        "ai",
    )
    openly = _openly(used, tuple(sensitive), tuple(inferred))
    control = _control(change, stop, jurisdiction)

    if layer == "one_line":
        sentences = [Sentence(line, line_facts, "line")]
        if not shown:
            sentences += why
        sentences += openly
        if ai_place != "none":
            sentences.append(ai)
        sentences += [s for s in control if s.facts[0].name == "stop"]
        return Notice(tuple(Sentence(s.text, s.facts, "line") for s in sentences), layer)

    sentences = [Sentence(line, line_facts, "line")]
    review = []
    if human_review is not None:
        review = [
            Sentence(_REVIEWS[human_review], (Fact("human_review", human_review, origin),), "ai")
        ]
    if ai_place == "upfront":
        sentences.append(Sentence(ai.text, ai.facts, "line"))
    sentences += why
    sentences += _data(weighed, used, sources or {}, data_shown, origin) + openly
    sentences += control
    if ai_place == "footer":
        sentences.append(ai)
    if ai_place != "none":
        sentences += review
    return Notice(tuple(sentences), layer)


def _shares(for_it: list[_Reason]) -> list[float]:
    """Return each reason's part of all that spoke for the offer, largest first."""
    # scaled by the largest, so that no sum of huge contributions overflows
    largest = for_it[0].contribution
    scaled = [reason.contribution / largest for reason in for_it]
    total = math.fsum(scaled)
    return [one / total for one in scaled]


def _why(
    weighed: list[_Reason] | None,
    for_it: list[_Reason],
    shown: list[_Reason],
    limit: Fact,
    computed: bool,
) -> list[Sentence]:
    if not computed:
        fact = Fact("explanations.method", "none", "policy")
        return [Sentence("The sender does not work out reasons, so none is given.", (fact,))]
    if not weighed:
        fact = Fact("reasons", None if weighed is None else 0, "attribution")
        return [Sentence("No reason could be found for this offer, so none is given.", (fact,))]
    if not for_it:
        facts = tuple(r.facts[0] for r in weighed)
        return [Sentence("None of the data that was looked at speaks for this offer.", facts)]
    if not shown:
        return [Sentence("The sender has chosen to show no reasons.", (limit,))]
    shares = _shares(for_it)
    alone = len(shares) == 1 or shares[0] > shares[1] * (1 + 1e-9)
    opening = "What counted most for it" if alone else "What counted for it, as much as the next"
    sentences = []
    for place, (reason, share) in enumerate(zip(shown, shares, strict=False)):
        first = "Next" if place else opening
        part = Fact(f"share of {reason.column}", share, "attribution")
        weight = "less than 1%" if share < 0.005 else f"about {share:.0%}"
        text = f"{first}: {reason.shown}, {weight} of what spoke for the offer."
        sentences.append(Sentence(text, (*reason.facts, part)))
    if len(for_it) > len(shown):
        more = len(for_it) - len(shown)
        text = f"There {'is 1 more reason' if more == 1 else f'are {more} more reasons'}."
        count = Fact("reasons with a positive contribution", len(for_it), "attribution")
        sentences.append(Sentence(text, (count, limit)))
    return sentences


def _data(
    weighed: list[_Reason] | None,
    used: list[_Reason],
    sources: Mapping[str, str],
    data_shown: bool,
    origin: str,
) -> list[Sentence]:
    if not data_shown:
        fact = Fact("transparency.data_source_shown", False, origin)
        return [Sentence("The sender has chosen not to list the data used.", (fact,), "data")]
    groups: dict[str | None, list[_Reason]] = {}
    for reason in used:
        given = sources.get(reason.column)
        groups.setdefault(_clean(given) if given else None, []).append(reason)
    sentences = []
    for source, group in groups.items():
        names = _and([reason.label for reason in group])
        facts = tuple(reason.facts[0] for reason in group)
        origins = tuple(
            Fact(f"source of {reason.column}", source, "organisation") for reason in group
        )
        text = (
            f"Where this data came from is not stated: {names}."
            if source is None
            else f"From {source}: {names}."
        )
        sentences.append(Sentence(text, facts + origins, "data"))
    if not sentences:
        none = Fact("columns with a contribution", 0, "attribution")
        text = "It is not known which data was used."
        if weighed:
            text = "None of the data that was looked at made a difference."
        sentences.append(Sentence(text, (none,), "data"))
    return sentences


def _openly(
    used: list[_Reason], sensitive: tuple[str, ...], inferred: tuple[str, ...]
) -> list[Sentence]:
    sentences = []
    for kind, columns, words in (
        ("sensitive", sensitive, "Sensitive data about you was used"),
        ("inferred", inferred, "Guesses about you were used, which may be wrong"),
    ):
        found = [reason for reason in used if reason.column in columns]
        if found:
            facts = tuple(
                fact
                for reason in found
                for fact in (reason.facts[0], Fact(f"{reason.column} is {kind}", True, "roles"))
            )
            text = f"{words}: {_and([reason.label for reason in found])}."
            sentences.append(Sentence(text, facts, "data"))
    return sentences


def _control(change: str | None, stop: str | None, jurisdiction: str | None) -> list[Sentence]:
    sentences = []
    for name, given, words in (
        ("change", change, "change what offers rest on"),
        ("stop", stop, "stop it"),
    ):
        fact = Fact(name, given, "organisation")
        text = (
            f"To {words}: {_closed(_clean(given))}"
            if given and _clean(given)
            else f"How to {words} is not stated."
        )
        sentences.append(Sentence(text, (fact,), "control"))
    if jurisdiction is not None and str(jurisdiction).casefold() == "eu":
        text = (
            "You may object to direct marketing, and to profiling for it, at any time and free "
            "of charge."
        )
        law = Fact("right to object to direct marketing", "GDPR Art 21(2)-(3)", "law")
        where = Fact("jurisdiction", jurisdiction, "decision")
        sentences.append(Sentence(text, (law, where), "control"))
    return sentences
