"""An AI disclosure and a privacy notice, drawn from a policy and from what is told beside it.

Each row says one thing that a law asks for. What nobody has said stays visibly
open as "not stated". A full table says that something was written down, not that
it is true, sufficient or lawful.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ethicalai_lab.explainability._text import clean, markdown_cell
from ethicalai_lab.explainability._themes import COLOURS, tabled, themed
from ethicalai_lab.explainability.errors import ExplanationError

__all__ = ["NOT_STATED", "Disclosure", "Item", "ai_disclosure", "privacy_notice"]

NOT_STATED = "not stated"

_NOTE = (
    "This is teaching material, not legal advice. The law is as known in mid-2026. "
    "A row that is filled says that something was stated, not that it is enough."
)
_CSS = (
    ".eal-disclosure{font:1rem/1.4 sans-serif;padding:1rem;max-width:70rem}"
    ".eal-disclosure div{overflow-x:auto;background:inherit}"
    ".eal-disclosure h2,.eal-disclosure p{color:inherit}"
    + tabled(".eal-disclosure", "border:1px solid #767676;color:inherit;background:inherit")
    + themed(
        ".eal-disclosure",
        *(f"color:{ink};background:{paper}" for ink, paper in COLOURS.values()),
    )
)
_READ = "read in the legal text, as of mid-2026"
_SECOND = "read in a secondary source, as of mid-2026"
_PLATFORMS = "to our knowledge this binds online platforms, not every advertiser or web shop"
_SINCE = "applies since 2 Aug 2026"


@dataclass(frozen=True)
class Item:
    """One row of a disclosure.

    Attributes
    ----------
    item : str
        What is asked for.
    text : str
        What is said; ``"not stated"`` stands for every part that nobody has said.
    source : str
        The article that asks for it, whom it binds and since when, where known.
    status : str
        How well the source was checked, and as of when.
    given : bool
        Whether every part of it was said.
    fields : tuple of str
        The policy fields that the row rests on.

    Examples
    --------
    >>> Item("Retention", "not stated", "GDPR Art 13", "", False).given
    False
    """

    item: str
    text: str
    source: str
    status: str
    given: bool
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Disclosure:
    """A titled list of rows, as Markdown and as HTML.

    Attributes
    ----------
    title : str
        Such as ``"Privacy notice"``.
    items : tuple of Item
        The rows.
    note : str
        What the document is and is not.

    Examples
    --------
    >>> row = Item("Retention", "not stated", "GDPR Art 13", "", False)
    >>> [item.item for item in Disclosure("Privacy notice", (row,)).open]
    ['Retention']
    """

    title: str
    items: tuple[Item, ...]
    note: str = _NOTE

    @property
    def open(self) -> tuple[Item, ...]:
        """The rows in which something is not stated."""
        return tuple(item for item in self.items if not item.given)

    def __getitem__(self, item: str) -> Item:
        for found in self.items:
            if found.item == item:
                return found
        names = ", ".join(found.item for found in self.items)
        raise ExplanationError(f'there is no row "{item}"; the rows are {names}.')

    @property
    def summary(self) -> str:
        """How many rows are stated in full, in one sentence."""
        said = len(self.items) - len(self.open)
        return f"{said} of {len(self.items)} rows are stated in full; {len(self.open)} are open."

    def to_frame(self) -> Any:
        """Return the rows as a table.

        Returns
        -------
        pandas.DataFrame
            One row an item; columns item, text, source, status and given.
        """
        import pandas as pd

        columns = ["item", "text", "source", "status", "given"]
        return pd.DataFrame(
            [[getattr(item, name) for name in columns] for item in self.items], columns=columns
        )

    @property
    def markdown(self) -> str:
        """The document as Markdown."""
        lines = [f"# {self.title}", "", self.summary, ""]
        lines += ["| Item | What is said | Stated | Asked by | Checked |", "|---|---|---|---|---|"]
        for item in self.items:
            said = "yes" if item.given else "**open**"
            cells = (
                markdown_cell(item.item),
                markdown_cell(item.text),
                said,
                item.source,
                item.status,
            )
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join([*lines, "", f"*{self.note}*", ""])

    @property
    def html(self) -> str:
        """The document as an HTML table, all text escaped, without scripts or remote parts."""
        rows = []
        for item in self.items:
            said = "yes" if item.given else "<strong>open</strong>"
            cells = (item.source, item.status)
            rows.append(
                f'<tr><th scope="row">{html.escape(item.item)}</th>'
                f"<td>{html.escape(item.text)}</td><td>{said}</td>"
                + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
                + "</tr>"
            )
        heads = ("Item", "What is said", "Stated", "Asked by", "Checked")
        head = "".join(f'<th scope="col">{text}</th>' for text in heads)
        return (
            f'<section class="eal-disclosure" lang="en"><style>{_CSS}</style>'
            f"<h2>{html.escape(self.title)}</h2>"
            f"<p>{html.escape(self.summary)}</p>"
            f'<div role="region" tabindex="0" aria-label="{html.escape(self.title)}">'
            f"<table><thead><tr>{head}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table></div><p><em>{html.escape(self.note)}</em></p></section>"
        )

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"{self.title}: {self.summary}"

    def __str__(self) -> str:
        return self.markdown


_WORDS: dict[str, Mapping[Any, str] | str] = {
    "transparency.ai_disclosure": {
        "none": "a message does not say that a machine chose or wrote it",
        "footer": "said at the foot of a message",
        "upfront": "said at the start of a message",
    },
    "transparency.data_source_shown": {
        True: "a message says which data it rests on",
        False: "a message does not say which data it rests on",
    },
    "personalization.targeting": {
        "nobody": "nobody is contacted",
        "everyone": "everyone is contacted",
        "random": "people are drawn by lot",
        "rfm": "recent, frequent and valuable buyers are contacted first",
        "response": "those likeliest to buy are contacted first",
        "uplift": "those whom a message changes most are contacted first",
    },
    "personalization.objective": "the ranking tries to raise: {}",
    "personalization.offer": {
        "sports_mail": "everyone contacted gets the sports mail",
        "fashion_mail": "everyone contacted gets the fashion mail",
        "best_per_customer": "each person gets the mail expected to do best",
    },
    "personalization.recommender": {
        "none": "products are not chosen by a recommender",
        "popularity": "what most people bought",
        "item_to_item": "what goes with things that the person looked at or bought",
        "matrix_factorization": "what people with a similar history bought",
    },
    "personalization.wording": {
        "generic": "the same words for everyone",
        "style_matched": "words matched to the person's own style",
    },
    "data.inferred_traits": {
        True: "traits guessed about a person, such as health interest, may be used",
        False: "traits guessed about a person are not used",
    },
    "data.retention_days": "behaviour is kept for {} days",
    "consent.purposes": "purposes asked about: {}",
    "consent.default": {
        "opt_in": "before an answer nothing is used",
        "opt_out": "before an answer all is used",
    },
    "duty.human_review": {
        "none": "no person looks at a decision",
        "on_request": "a person looks at a decision on request",
        "before_sending": "a person looks at decisions before sending",
    },
    "explanations.method": {
        "none": "reasons are not computed",
        "shapley_values": "reasons are computed as Shapley values",
        "permutation_importance": "reasons are computed as permutation importance",
        "surrogate_model": "reasons are read from a simpler model",
    },
    "explanations.reasons_shown": "reasons shown to a person, at most: {}",
    "explanations.counterfactuals": {
        True: "people are told what would have to differ",
        False: "people are not told what would have to differ",
    },
    "explanations.notice": {
        "none": "no notice is shown",
        "one_line": "the notice is one line",
        "layered": "the notice is a line that opens into more",
        "full_text": "the notice is shown in full",
    },
    "storage.erasure": {
        "mark_inactive": "an erasure hides the person, and the data stays",
        "delete_rows": "an erasure deletes the rows, but not those in backups",
        "destroy_key": "an erasure destroys the person's key",
    },
    "storage.erasure_days": "an erasure takes at most {} days",
    "data.features": "columns that may be used: {}",
}
_MISSING = {
    "transparency.ai_disclosure": "where it is said",
    "transparency.data_source_shown": "whether a message says which data it rests on",
    "personalization.targeting": "who is contacted",
    "personalization.objective": "what the ranking tries to raise",
    "personalization.offer": "how the mail is chosen",
    "personalization.recommender": "how products are chosen",
    "personalization.wording": "how the words are chosen",
    "data.inferred_traits": "whether guessed traits are used",
    "data.retention_days": "how long behaviour is kept",
    "consent.purposes": "which purposes are asked about",
    "consent.default": "what holds before an answer",
    "duty.human_review": "whether a person looks at decisions",
    "explanations.method": "how reasons are found",
    "explanations.reasons_shown": "how many reasons are shown",
    "explanations.counterfactuals": "whether people are told what would have to differ",
    "explanations.notice": "how the notice is layered",
    "storage.erasure": "what an erasure does",
    "storage.erasure_days": "how long an erasure takes",
    "data.features": "which columns may be used",
}


def _decided(policy: Any, path: str) -> Any:
    found = policy
    for name in path.split("."):
        found = getattr(found, name, None)
    return found


def _field(policy: Any, path: str) -> tuple[str, bool]:
    """Return what a policy field says in words, and whether it says anything."""
    value = _decided(policy, path)
    if value is None:
        return f"{_MISSING[path]}: {NOT_STATED}", False
    words = _WORDS[path]
    if isinstance(words, str):
        if isinstance(value, (list, tuple)):
            value = ", ".join(map(clean, value)) or "none"
        return words.format(value), True
    return words.get(value, clean(value)), True


def _told(name: str, value: Any) -> tuple[str, bool]:
    """Return what the organisation said about `name`, and whether it said anything."""
    if isinstance(value, bool):
        return f"{name}: {'yes' if value else 'no'}", True
    if isinstance(value, Mapping):
        value = [f"{key}: {text}" for key, text in value.items()]
    if isinstance(value, str) or value is None:
        text = clean(value or "").rstrip(".")
    elif isinstance(value, Iterable):
        # an empty list is an answer: there are none
        text = "; ".join(clean(part) for part in value).rstrip(".") or "none"
    else:
        raise ExplanationError(
            f"{name}: expected a text, a list or a mapping of texts, but it is {value!r}."
        )
    return f"{name}: {text or NOT_STATED}", bool(text)


def _row(
    policy: Any,
    item: str,
    source: str,
    status: str,
    fields: tuple[str, ...] = (),
    told: Mapping[str, Any] | None = None,
    law: str = "",
) -> Item:
    parts = [_field(policy, path) for path in fields]
    parts += [_told(name, value) for name, value in (told or {}).items()]
    text = "; ".join(part for part, _ in parts)
    text = f"{text[0].upper()}{text[1:]}."
    if law:
        text = f"{law} {text}"
    return Item(item, text, source, status, all(said for _, said in parts), fields)


def _check(policy: Any) -> None:
    names = ("personalization", "data", "consent", "explanations", "transparency", "duty")
    missing = [name for name in names if not hasattr(policy, name)]
    if missing:
        raise ExplanationError(
            f"policy: expected a Policy, but this {type(policy).__name__} has no section "
            f'"{missing[0]}".'
        )


def ai_disclosure(
    policy: Any,
    *,
    sender: str | None = None,
    paid_by: str | None = None,
    change: str | None = None,
    marking: str | None = None,
    emotion_recognition: bool | None = None,
    public_interest_text: bool | None = None,
) -> Disclosure:
    """Say what a machine does in this marketing, from the policy.

    Parameters
    ----------
    policy : Policy
        Only what is decided in it counts as said.
    sender, paid_by : str, optional
        On whose behalf messages are sent, and who pays for them.
    change : str, optional
        How a person changes what offers and recommendations rest on.
    marking : str, optional
        How generated content is marked so that machines can read it.
    emotion_recognition : bool, optional
        Whether emotions are recognised or people put in biometric categories.
    public_interest_text : bool, optional
        Whether deepfakes, or generated texts on matters of public interest, are published.

    Returns
    -------
    Disclosure

    Raises
    ------
    ExplanationError
        If `policy` lacks a section, or a value is no text.

    References
    ----------
    Regulation (EU) 2024/1689 (AI Act), Art 50. Regulation (EU) 2022/2065 (DSA), Art 26-27.
    Regulation (EU) 2016/679 (GDPR), Art 13, 15 and 22.

    Examples
    --------
    >>> from types import SimpleNamespace as Space
    >>> undecided = dict.fromkeys(
    ...     ["personalization", "data", "consent", "explanations", "transparency", "duty"])
    >>> card = ai_disclosure(Space(**undecided), sender="the shop", paid_by="the shop")
    >>> card["On whose behalf"].text
    'Sent for: the shop; paid by: the shop.'
    >>> card["That AI is at work"].given
    False
    """
    _check(policy)
    rows = (
        _row(
            policy,
            "That AI is at work",
            "AI Act Art 50(1): people must know that they interact directly with AI, such as a chat; "
            f"{_SINCE}. A one-way mail, or the choice of whom to mail, is in our reading no such "
            "interaction: to say it here is good practice",
            _SECOND,
            ("transparency.ai_disclosure",),
        ),
        _row(
            policy,
            "Generated wording and its marking",
            "AI Act Art 50(2): generated content is marked so that machines can read it, with "
            "exceptions; a text chosen from a bank and matched in style is in our reading not "
            f"necessarily generated. A duty of the generator's provider; {_SINCE}, for systems on "
            "the market before that day from 2 Dec 2026",
            _SECOND,
            ("personalization.wording",),
            {"marking": marking},
        ),
        _row(
            policy,
            "Emotion recognition or biometric categories",
            f"AI Act Art 50(3): disclosed by the deployer, {_SINCE}",
            _SECOND,
            told={"in use": emotion_recognition},
        ),
        _row(
            policy,
            "Deepfakes and texts of public interest",
            "AI Act Art 50(4): disclosed by the deployer, with exceptions; it does not ask for a "
            f"label on every marketing e-mail; {_SINCE}",
            _SECOND,
            told={"published": public_interest_text},
        ),
        _row(
            policy,
            "On whose behalf",
            "DSA Art 26(1): that it is an ad, on whose behalf, and who paid if different; "
            + _PLATFORMS,
            _READ,
            told={"sent for": sender, "paid by": paid_by},
        ),
        _row(
            policy,
            "Main parameters of targeting",
            "DSA Art 26(1): main parameters used to target and how to change them; " + _PLATFORMS,
            _READ,
            (
                "personalization.targeting",
                "personalization.objective",
                "personalization.offer",
                "data.features",
            ),
            {"how to change them": change},
        ),
        _row(
            policy,
            "Sensitive and guessed traits",
            "DSA Art 26(3): no ads based on profiling that uses special categories, with no "
            "exception for consent; " + _PLATFORMS,
            _READ,
            ("data.inferred_traits",),
        ),
        _row(
            policy,
            "Main parameters of recommendations",
            "DSA Art 27: main parameters in the terms and, where there are several options, a way "
            "to change them; " + _PLATFORMS,
            _SECOND,
            ("personalization.recommender",),
            {"how to change them": change},
        ),
        _row(
            policy,
            "Reasons for a decision",
            "GDPR Art 13 and 15: the logic of decisions under Art 22",
            _READ,
            (
                "explanations.method",
                "explanations.reasons_shown",
                "explanations.counterfactuals",
                "explanations.notice",
                "transparency.data_source_shown",
            ),
        ),
        _row(
            policy,
            "A person who looks at it",
            "GDPR Art 22(1)-(3): for decisions made solely by machine with legal or similarly "
            "significant effects; most targeting of ads is, to our knowledge, not of this kind, "
            "some is",
            _READ,
            ("duty.human_review",),
        ),
    )
    return Disclosure("AI disclosure", rows)


def privacy_notice(
    policy: Any,
    *,
    controller: str | None = None,
    contact: str | None = None,
    columns: Iterable[str] | None = None,
    roles: Any = None,
    sources: Mapping[str, str] | None = None,
    recipients: Iterable[str] | None = None,
    transfers: Iterable[str] | str | None = None,
    data_protection_officer: str | None = None,
    legal_bases: Mapping[str, str] | None = None,
    legitimate_interests: Iterable[str] | str | None = None,
    withdraw: str | None = None,
    stop: str | None = None,
    authority: str | None = None,
    required: str | None = None,
) -> Disclosure:
    """Draw a privacy notice from the policy and from what the organisation tells.

    Parameters
    ----------
    policy : Policy
        Only what is decided in it counts as said.
    controller, contact : str, optional
        Who answers for the data, and where people reach them.
    columns : iterable of str, optional
        Columns that are held. By default those that `roles` names.
    roles : Roles or mapping of str to str or tuple of str, optional
        Role of each column; the data is listed by role.
    sources : mapping of str to str, optional
        From whom data comes.
    recipients : iterable of str, optional
        Who receives data; an empty list says that nobody does.
    transfers : iterable of str or str, optional
        Countries outside the EU it goes to, and on what footing; an empty list: none.
    data_protection_officer : str, optional
        Where the officer is reached, or that there is none.
    legal_bases : mapping of str to str, optional
        Legal basis of each purpose. A purpose of the policy without one stays open.
    legitimate_interests : iterable of str or str, optional
        Those relied on; an empty list: none.
    withdraw, stop : str, optional
        How consent is withdrawn, and how people object to direct marketing.
    authority : str, optional
        Where people complain.
    required : str, optional
        Whether people must give the data, and what follows if they do not.

    Returns
    -------
    Disclosure

    Raises
    ------
    ExplanationError
        If `policy` lacks a section, or another argument is not accepted.

    References
    ----------
    Regulation (EU) 2016/679 (GDPR), Art 13-15, 21 and 22.

    Examples
    --------
    >>> from types import SimpleNamespace as Space
    >>> sections = dict.fromkeys(
    ...     ["personalization", "consent", "explanations", "transparency", "duty"])
    >>> policy = Space(data=Space(retention_days=90), **sections)
    >>> notice = privacy_notice(policy, controller="the shop")
    >>> notice["How long"].text
    'Behaviour is kept for 90 days.'
    >>> notice["Who answers for the data"].text
    'Controller: the shop; contact: not stated.'
    """
    _check(policy)
    purposes = _decided(policy, "consent.purposes")
    bases: Any = legal_bases
    if purposes is not None:
        bases = {name: (legal_bases or {}).get(name) for name in purposes}
        bases |= legal_bases or {}
    bought = (
        "GDPR Art 14, for data not obtained from the person: categories and source, within one "
        "month, or at the first communication or disclosure"
    )
    rows = [
        _row(
            policy,
            "Who answers for the data",
            "GDPR Art 13",
            _READ,
            told={"controller": controller, "contact": contact},
        ),
        _row(
            policy,
            "Data protection officer",
            "GDPR Art 13",
            _READ,
            told={"officer": data_protection_officer},
        ),
        _row(policy, "Purposes", "GDPR Art 13 and 15", _READ, ("consent.purposes",)),
        _bases(bases, purposes),
        _row(
            policy,
            "Legitimate interests",
            "GDPR Art 13",
            _READ,
            told={"relied on": legitimate_interests},
        ),
        _row(
            policy,
            "Categories of data",
            f"{bought}; GDPR Art 15",
            _READ,
            ("data.features", "data.inferred_traits"),
            {"columns held": _held(columns, roles)},
        ),
        _row(
            policy,
            "Where data comes from",
            f"{bought}; GDPR Art 15",
            _READ,
            (),
            {"source": sources},
        ),
        _row(
            policy,
            "Who receives it",
            "GDPR Art 13 and 15; on access, to our knowledge, the actual recipients by name "
            "(CJEU C-154/21, 12 Jan 2023)",
            _READ,
            told={"recipients": recipients},
        ),
        _row(policy, "Transfers", "GDPR Art 13", _READ, told={"transfers": transfers}),
        _row(policy, "How long", "GDPR Art 13 and 15", _READ, ("data.retention_days",)),
        _row(
            policy,
            "Access and a copy",
            "GDPR Art 15; answered within one month, with two more where it is complex (Art 12(3))",
            _READ,
            told={"where to ask": contact},
            law="You may ask what is held about you and get a copy.",
        ),
        _row(
            policy,
            "Other rights",
            "GDPR Art 13 and 16 to 20",
            _READ,
            ("storage.erasure", "storage.erasure_days"),
            {"where to ask": contact},
            law="You may have data corrected, erased, restricted or, where you provided it on "
            "consent or contract, handed over to you; each within limits.",
        ),
        _row(
            policy,
            "Withdrawing consent",
            "GDPR Art 13",
            _READ,
            ("consent.default",),
            {"how": withdraw},
            law="You may withdraw a consent.",
        ),
        _row(
            policy,
            "Saying no to marketing",
            "GDPR Art 21(2)-(4); shown clearly and separately, at the latest at the first "
            "communication",
            _READ,
            told={"how": stop},
            law="You may object to direct marketing, and to profiling for it, at any time and "
            "free of charge.",
        ),
        _row(policy, "Complaint", "GDPR Art 13", _READ, told={"authority": authority}),
        _row(
            policy,
            "Whether data must be given",
            "GDPR Art 13",
            _READ,
            told={"required": required},
        ),
        _row(
            policy,
            "Automated decisions and their logic",
            "GDPR Art 13, 15 and 22; the logic is, to our knowledge, an intelligible explanation "
            "of what is applied, not a formula (CJEU C-203/22, 27 Feb 2025)",
            _READ,
            ("personalization.targeting", "explanations.method", "duty.human_review"),
        ),
    ]
    return Disclosure("Privacy notice", tuple(rows))


def _bases(bases: Mapping[str, str | None] | None, purposes: Any) -> Item:
    source = "GDPR Art 13: the legal basis of each purpose"
    fields = ("consent.purposes",)
    if bases is not None and not isinstance(bases, Mapping):
        raise ExplanationError(
            f"legal_bases: expected a mapping of purpose to basis, but it is {bases!r}."
        )
    if not bases:
        return Item("Legal basis", f"Legal basis: {NOT_STATED}.", source, _READ, False, fields)
    text = "; ".join(f"{clean(name)}: {clean(b or NOT_STATED)}" for name, b in bases.items())
    said = purposes is not None and all(bases.values())
    return Item("Legal basis", f"{text[0].upper()}{text[1:]}.", source, _READ, said, fields)


def _held(columns: Iterable[str] | None, roles: Any) -> list[str] | None:
    """Return the columns held, listed by role where roles are known."""
    if isinstance(columns, str):
        raise ExplanationError(f'columns: expected a list of names, but it is "{columns}".')
    known = getattr(roles, "columns", roles)
    if known is None:
        return None if columns is None else [", ".join(map(clean, columns))]
    if not isinstance(known, Mapping):
        raise ExplanationError(
            f"roles: expected Roles or a mapping of column to role, but it is {roles!r}."
        )
    groups: dict[str, list[str]] = {}
    for column in known if columns is None else columns:
        given = known.get(column, "without a role")
        role = given if isinstance(given, str) else " and ".join(given)
        groups.setdefault(role.replace("_", " "), []).append(clean(column))
    return [f"{role} ({', '.join(names)})" for role, names in groups.items()]
