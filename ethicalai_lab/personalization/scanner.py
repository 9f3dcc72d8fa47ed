"""Find and replace personal data in free text.

Patterns propose, checksums decide: a card number must satisfy Luhn's formula, an IBAN
its country's length and the mod-97 check, so that an order number is not taken for
either. Names have no checksum; they are found by what stands around them, which is why
they are the hardest, and why :func:`scanner_report` measures each group of writers apart.

References
----------
Wilson (1927), see :mod:`ethicalai_lab.stats`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.errors import InputError
from ethicalai_lab.personalization._finders import (
    addresses,
    cards,
    emails,
    iban_is_valid,
    ibans,
    known_pattern,
    luhn_is_valid,
    names,
    phones,
)
from ethicalai_lab.stats import proportion_interval

__all__ = [
    "KINDS",
    "ScannerReport",
    "Span",
    "iban_is_valid",
    "luhn_is_valid",
    "redact",
    "scan",
    "scanner_report",
]

KINDS = ("email", "phone", "card", "iban", "ip", "name")


@dataclass(frozen=True, order=True)
class Span:
    """A stretch of text that holds personal data.

    Parameters
    ----------
    start, end : int
        Character positions, ``text[start:end]``.
    kind : str
        One of ``KINDS``.

    Examples
    --------
    >>> from ethicalai_lab.personalization.scanner import Span
    >>> Span(3, 9, "name").length
    6
    """

    start: int
    end: int
    kind: str

    @property
    def length(self) -> int:
        """Characters held."""
        return self.end - self.start


def scan(
    text: str,
    kinds: Iterable[str] = KINDS,
    *,
    known_names: Iterable[str] = (),
    eager: bool = False,
) -> list[Span]:
    """Return the spans of a text that look like personal data.

    Parameters
    ----------
    text : str
        Free text.
    kinds : iterable of str, default KINDS
        What to look for: email, phone, card, iban, ip (an internet address), name.
    known_names : iterable of str, default ()
        Names to find wherever they stand as whole words, in any case: say, the sender's
        own from the customer record. It does not help those the sender writes about.
    eager : bool, default False
        Whether to take any two capitalised words within a sentence for a name. Finds
        more, and takes places and brands along.

    Returns
    -------
    list of Span
        In order, without overlaps; where two kinds claim a stretch, the one with the
        stronger check wins (e-mail, IBAN, card, internet address, phone, name).

    Raises
    ------
    InputError
        If ``text`` is no string or a kind is unknown.

    Examples
    --------
    >>> from ethicalai_lab.personalization.scanner import scan
    >>> text = "My name is Ada Byron, mail ada@example.com or call +1 555 0100 123."
    >>> [(span.kind, text[span.start:span.end]) for span in scan(text)]
    [('name', 'Ada Byron'), ('email', 'ada@example.com'), ('phone', '+1 555 0100 123')]
    """
    if not isinstance(text, str):
        raise InputError(f"text is a {type(text).__name__}; a string is accepted.")
    wanted = _check_kinds(kinds)
    known = known_pattern(known_names)
    finders = {
        "email": emails,
        "iban": ibans,
        "card": cards,
        "ip": addresses,
        "phone": phones,
        "name": lambda text: names(text, known, eager),
    }
    taken = np.zeros(len(text), dtype=bool)
    found = []
    # All finders run even where only some kinds are wanted: a card must not become a
    # phone because nobody asked for cards.
    for kind, finder in finders.items():
        for start, end in finder(text):
            if not taken[start:end].any():
                taken[start:end] = True
                found.append(Span(start, end, kind))
    return sorted(span for span in found if span.kind in wanted)


def redact(
    text: str,
    kinds: Iterable[str] = KINDS,
    *,
    known_names: Iterable[str] = (),
    eager: bool = False,
) -> str:
    """Replace personal data by its kind in brackets, such as ``[EMAIL]``.

    Parameters
    ----------
    text : str
        Free text.
    kinds : iterable of str, default KINDS
        What to replace.
    known_names : iterable of str, default ()
    eager : bool, default False
        As in :func:`scan`.

    Returns
    -------
    str
        A scan of it for the same kinds finds nothing more.

    Raises
    ------
    InputError
        If ``text`` is no string or a kind is unknown.

    Examples
    --------
    >>> from ethicalai_lab.personalization.scanner import redact
    >>> redact("Refund to GB82 WEST 1234 5698 7654 32 please, regards, Ada Byron")
    'Refund to [IBAN] please, regards, [NAME]'
    """
    kinds = _check_kinds(kinds)
    # Replacing one span changes what its neighbours stand beside, so look again until
    # nothing is found; each round removes characters that can match, so this ends.
    known_names = tuple(known_names)
    while spans := scan(text, kinds, known_names=known_names, eager=eager):
        pieces, at = [], 0
        for span in spans:
            pieces += [text[at : span.start], f"[{span.kind.upper()}]"]
            at = span.end
        text = "".join([*pieces, text[at:]])
    return text


@dataclass(frozen=True)
class ScannerReport:
    """How much planted personal data a scanner finds, and for whom it fails.

    Attributes
    ----------
    by_kind : DataFrame
        One row a kind: planted, found, true_positives, and precision and recall, each
        with low and high.
    by_group : DataFrame
        The same a group and kind ("all" included), where a group column was named.
    leaks : DataFrame
        One row a group ("all" included): messages that hold personal data, and the share
        in which redaction would leave part of it readable: value, low, high.
    """

    by_kind: pd.DataFrame
    by_group: pd.DataFrame
    leaks: pd.DataFrame

    def _repr_html_(self) -> str:
        return self.by_kind.to_html(index=False, float_format="{:.3f}".format)


def scanner_report(
    messages: pd.DataFrame,
    *,
    by: str | None = "language_style",
    kinds: Sequence[str] | None = None,
    found: Sequence[Sequence[Span]] | None = None,
    confidence: float = 0.95,
) -> ScannerReport:
    """Compare found with planted spans, overall and for each group of writers.

    Parameters
    ----------
    messages : DataFrame
        Columns ``text`` and ``spans`` (JSON: a list of objects with start, end, kind).
    by : str or None, default "language_style"
        Column of the groups.
    kinds : sequence of str, optional
        Kinds to judge. Default: all kinds of the scanner that are planted somewhere.
    found : sequence of lists of Span, optional
        One list a message, from another scanner. Default: :func:`scan` is run.
    confidence : float, default 0.95
        Of the Wilson intervals. They take spans as independent; spans of one message
        are not quite.

    Returns
    -------
    ScannerReport
        A planted span counts as found where spans of its own kind cover all of it; a
        found span counts as right where it touches a planted one of its kind.

    Raises
    ------
    InputError
        If a column is missing or a row's spans cannot be read, naming the row.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.personalization.scanner import scanner_report
    >>> messages = pd.DataFrame({
    ...     "text": ["Mail a@example.com", "Write to a AT example"],
    ...     "spans": ['[{"start": 5, "end": 18, "kind": "email"}]',
    ...               '[{"start": 9, "end": 21, "kind": "email"}]'],
    ...     "language_style": ["plain", "informal"]})
    >>> scanner_report(messages).by_kind[["planted", "precision", "recall"]].values.tolist()
    [[2.0, 1.0, 0.5]]
    """
    if not isinstance(messages, pd.DataFrame):
        raise InputError(f"messages is a {type(messages).__name__}; a DataFrame is accepted.")
    for column in ("text", "spans", *([by] if by else [])):
        if column not in messages.columns:
            raise InputError(f"messages lacks the column {column!r}.")
    texts = messages["text"].tolist()
    planted = [
        _read_spans(raw, label, len(text))
        for raw, label, text in zip(messages["spans"], messages.index, texts, strict=True)
    ]
    if found is None:
        found = [scan(text) for text in texts]
    elif len(found) != len(texts):
        raise InputError(f"found has {len(found)} lists; one for each of {len(texts)} messages.")
    if kinds is None:
        there = {span.kind for spans in planted for span in spans}
        kinds = [kind for kind in KINDS if kind in there] + sorted(there - set(KINDS))
    groups = messages[by].astype(str).to_numpy() if by else np.full(len(texts), "all")

    spans_rows, message_rows = [], []
    for group, real, seen in zip(groups, planted, found, strict=True):
        real = [span for span in real if span.kind in kinds]
        seen = [span for span in seen if span.kind in kinds]
        spans_rows += [(group, s.kind, "planted", _covered(s, seen, s.kind)) for s in real]
        spans_rows += [
            (group, s.kind, "found", any(_touch(s, r) and s.kind == r.kind for r in real))
            for s in seen
        ]
        if real:
            message_rows.append((group, not all(_covered(s, seen, None) for s in real)))
    counted = pd.DataFrame(spans_rows, columns=["group", "kind", "side", "right"])
    leaking = pd.DataFrame(message_rows, columns=["group", "leak"])

    def rates(part: pd.DataFrame) -> list[float]:
        real = part.loc[part["side"] == "planted", "right"]
        seen = part.loc[part["side"] == "found", "right"]
        precision = proportion_interval(int(seen.sum()), len(seen), confidence)
        recall = proportion_interval(int(real.sum()), len(real), confidence)
        return [len(real), len(seen), int(real.sum()), *precision, *recall]

    columns = ["planted", "found", "true_positives"] + [
        name + suffix for name in ("precision", "recall") for suffix in ("", "_low", "_high")
    ]
    by_kind = pd.DataFrame(
        [[kind, *rates(counted[counted["kind"] == kind])] for kind in kinds],
        columns=["kind", *columns],
    )
    names = sorted(set(groups)) if by else []
    by_group = pd.DataFrame(
        [
            [name, kind, *rates(part if kind == "all" else part[part["kind"] == kind])]
            for name in names
            for part in [counted[counted["group"] == name]]
            for kind in ("all", *kinds)
        ],
        columns=[by or "group", "kind", *columns],
    )
    leaks = pd.DataFrame(
        [
            [name, len(part), *proportion_interval(int(part["leak"].sum()), len(part), confidence)]
            for name in ("all", *names)
            for part in [leaking if name == "all" else leaking[leaking["group"] == name]]
        ],
        columns=[by or "group", "messages", "value", "low", "high"],
    )
    return ScannerReport(by_kind, by_group, leaks)


# ------------------------------------------------------------------ helpers


def _check_kinds(kinds: Iterable[str]) -> tuple[str, ...]:
    kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    for kind in kinds:
        if kind not in KINDS:
            raise InputError(f"kinds: {kind!r} is unknown; accepted: {', '.join(KINDS)}.")
    return kinds


def _read_spans(raw: Any, label: Any, length: int) -> list[Span]:
    wanted = "a JSON list of objects with start, end and kind is accepted"
    try:
        spans = [Span(int(s["start"]), int(s["end"]), str(s["kind"])) for s in json.loads(raw)]
    except (TypeError, ValueError, KeyError):
        raise InputError(f"messages, row {label!r}: spans cannot be read; {wanted}.") from None
    for span in spans:
        if not 0 <= span.start < span.end <= length:
            raise InputError(
                f"messages, row {label!r}: span {span.start} to {span.end} is not within the "
                f"text of {length} characters."
            )
    return spans


def _touch(a: Span, b: Span) -> bool:
    return a.start < b.end and b.start < a.end


def _covered(span: Span, found: Sequence[Span], kind: str | None) -> bool:
    """Whether found spans (of a kind, or of any) cover each character."""
    left = np.ones(span.length, dtype=bool)
    for other in found:
        if kind is None or other.kind == kind:
            left[max(0, other.start - span.start) : max(0, other.end - span.start)] = False
    return not left.any()
