"""An AI disclosure and a privacy notice, drawn from a policy and from what is told beside it.

Each row says one thing that a law asks for. What nobody has said stays visibly
open as "not stated". A full table says that something was written down, not that
it is true, sufficient or lawful.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ethicalai_lab.core.report import render
from ethicalai_lab.core.yaml import own_data
from ethicalai_lab.explainability._text import clean, markdown_cell
from ethicalai_lab.explainability._themes import COLOURS, tabled, themed
from ethicalai_lab.explainability.errors import ExplanationError

__all__ = ["NOT_STATED", "Disclosure", "Item", "ai_disclosure", "privacy_notice"]

NOT_STATED = "not stated"
_TEMPLATES = "explainability/templates"

_DATA = own_data(__file__, "disclosures.yaml")
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
    note: str = _DATA["note"]

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
        return render(f"{_TEMPLATES}/disclosure.md", document=self, cell=markdown_cell)

    @property
    def html(self) -> str:
        """The document as an HTML table, all text escaped, without scripts or remote parts."""
        return render(f"{_TEMPLATES}/disclosure.html", document=self, css=_CSS)

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"{self.title}: {self.summary}"

    def __str__(self) -> str:
        return self.markdown


def _decided(policy: Any, path: str) -> Any:
    found = policy
    for name in path.split("."):
        found = getattr(found, name, None)
    return found


def _field(policy: Any, path: str) -> tuple[str, bool]:
    """Return what a policy field says in words, and whether it says anything."""
    value, words = _decided(policy, path), _DATA["fields"][path]
    if value is None:
        return f"{words['open']}: {NOT_STATED}", False
    if isinstance(words["said"], str):
        if isinstance(value, (list, tuple)):
            value = ", ".join(map(clean, value)) or "none"
        return words["said"].format(value), True
    key = str(value).lower() if isinstance(value, bool) else value
    return words["said"].get(key, clean(value)), True


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


def _row(policy: Any, row: Mapping[str, Any], told: Mapping[str, Any]) -> Item:
    fields = tuple(row.get("fields", ()))
    parts = [_field(policy, path) for path in fields]
    parts += [_told(label, told.get(name)) for label, name in row.get("told", {}).items()]
    text = "; ".join(part for part, _ in parts)
    text = f"{text[0].upper()}{text[1:]}."
    if "law" in row:
        text = f"{row['law']} {text}"
    status = _DATA["checked"][row["checked"]]
    return Item(row["item"], text, row["source"], status, all(said for _, said in parts), fields)


def _disclosure(title: str, policy: Any, rows: list[dict[str, Any]], told: dict) -> Disclosure:
    """Fill the rows, of which one whose `told` has no label gives each purpose its basis."""
    _check(policy)
    asked = {name for row in rows for name in row.get("told", {}).values()}
    for name in told:
        if name not in asked:
            known = ", ".join(sorted(asked))
            raise ExplanationError(f'"{name}" is not asked for in this document; {known} are.')
    items = [
        _bases(row, told.get("legal_bases"), _decided(policy, "consent.purposes"))
        if "" in row.get("told", {})
        else _row(policy, row, told)
        for row in rows
    ]
    return Disclosure(title, tuple(items))


def _check(policy: Any) -> None:
    names = ("personalization", "data", "consent", "explanations", "transparency", "duty")
    missing = [name for name in names if not hasattr(policy, name)]
    if missing:
        raise ExplanationError(
            f"policy: expected a Policy, but this {type(policy).__name__} has no section "
            f'"{missing[0]}".'
        )


def ai_disclosure(policy: Any, **told: Any) -> Disclosure:
    """Say what a machine does in this marketing, from the policy.

    Parameters
    ----------
    policy : Policy
        Only what is decided in it counts as said.
    **told
        What the organisation tells beside it, each optional. Texts: ``sender`` and ``paid_by`` (on
        whose behalf messages are sent, and who pays for them), ``change`` (how a person changes
        what offers rest on), ``marking`` (how machines can read that content is generated). True or
        False: ``emotion_recognition`` (or biometric categories), ``public_interest_text``
        (deepfakes, or generated texts on matters of public interest).

    Returns
    -------
    Disclosure

    Raises
    ------
    ExplanationError
        If `policy` lacks a section, or something told is not asked for or is no text.

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
    return _disclosure("AI disclosure", policy, _DATA["ai_disclosure"], told)


def privacy_notice(policy: Any, **told: Any) -> Disclosure:
    """Draw a privacy notice from the policy and from what the organisation tells.

    Parameters
    ----------
    policy : Policy
        Only what is decided in it counts as said.
    **told
        What the organisation tells beside it, each optional; an empty list says that there are
        none. Texts: ``controller``, ``contact``, ``data_protection_officer``, ``withdraw`` (how
        consent is), ``stop`` (how people object to direct marketing), ``authority`` (where they
        complain), ``required`` (whether data must be given). Lists: ``columns`` (that are
        held), ``recipients``, ``transfers``
        (countries outside the EU, and the footing), ``legitimate_interests``. Mappings:
        ``sources`` (from whom data comes), ``legal_bases`` (of each purpose).

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
    return _disclosure("Privacy notice", policy, _DATA["privacy_notice"], told)


def _bases(row: Mapping[str, Any], told: Any, purposes: Any) -> Item:
    if told is not None and not isinstance(told, Mapping):
        raise ExplanationError(
            f"legal_bases: expected a mapping of purpose to basis, but it is {told!r}."
        )
    bases = dict.fromkeys(purposes or ()) | dict(told or {})
    text = "; ".join(f"{clean(name)}: {clean(b or NOT_STATED)}" for name, b in bases.items())
    text = text or f"legal basis: {NOT_STATED}"
    said = bool(bases) and purposes is not None and all(bases.values())
    status = _DATA["checked"][row["checked"]]
    fields = tuple(row["fields"])
    return Item(row["item"], f"{text[0].upper()}{text[1:]}.", row["source"], status, said, fields)
