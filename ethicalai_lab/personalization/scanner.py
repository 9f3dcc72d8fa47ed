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
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.core.checks import checked, need_columns
from ethicalai_lab.errors import InputError
from ethicalai_lab.personalization._finders import (
    addresses,
    cards,
    emails,
    iban_is_valid,
    ibans,
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


@checked()
def scan(text: str) -> list[Span]:
    """Return the spans of a text that look like personal data, of every kind in ``KINDS``.

    Parameters
    ----------
    text : str
        Free text.

    Returns
    -------
    list of Span
        In order, without overlaps; where two kinds claim a stretch, the one with the
        stronger check wins (e-mail, IBAN, card, internet address, phone, name).

    Raises
    ------
    InputError
        If ``text`` is no string.

    Examples
    --------
    >>> from ethicalai_lab.personalization.scanner import scan
    >>> text = "My name is Ada Byron, mail ada@example.com or call +1 555 0100 123."
    >>> [(span.kind, text[span.start:span.end]) for span in scan(text)]
    [('name', 'Ada Byron'), ('email', 'ada@example.com'), ('phone', '+1 555 0100 123')]
    """
    finders = {
        "email": emails,
        "iban": ibans,
        "card": cards,
        "ip": addresses,
        "phone": phones,
        "name": names,
    }
    taken = np.zeros(len(text), dtype=bool)
    found = []
    for kind, finder in finders.items():
        for start, end in finder(text):
            if not taken[start:end].any():
                taken[start:end] = True
                found.append(Span(start, end, kind))
    return sorted(found)


def redact(text: str) -> str:
    """Replace personal data by its kind in brackets, such as ``[EMAIL]``.

    Parameters
    ----------
    text : str
        Free text.

    Returns
    -------
    str
        A scan of it finds nothing more.

    Raises
    ------
    InputError
        If ``text`` is no string.

    Examples
    --------
    >>> from ethicalai_lab.personalization.scanner import redact
    >>> redact("Refund to GB82 WEST 1234 5698 7654 32 please, regards, Ada Byron")
    'Refund to [IBAN] please, regards, [NAME]'
    """
    # Replacing one span changes what its neighbours stand beside, so look again until
    # nothing is found; each round removes characters that can match, so this ends.
    while spans := scan(text):
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
        The same a style of writing and kind ("all" included).
    leaks : DataFrame
        One row a style that has some ("all" included): messages that hold personal data, and the share
        in which redaction would leave part of it readable: value, low, high.
    """

    by_kind: pd.DataFrame
    by_group: pd.DataFrame
    leaks: pd.DataFrame


def scanner_report(messages: pd.DataFrame) -> ScannerReport:
    """Compare found with planted spans, overall and for each style of writing.

    Parameters
    ----------
    messages : DataFrame
        Columns ``text``, ``spans`` (JSON: a list of objects with start, end, kind) and
        ``language_style``.

    Returns
    -------
    ScannerReport
        A planted span counts as found where spans of its own kind cover all of it; a
        found span counts as right where it touches a planted one of its kind. The Wilson
        intervals take spans as independent; spans of one message are not quite.

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
    need_columns(messages, ("text", "spans", "language_style"), "messages")
    spans_rows, message_rows = [], []
    for row in messages.itertuples():
        real, seen = _read_spans(row.spans, row.Index, len(row.text)), scan(row.text)
        style = str(row.language_style)
        spans_rows += [(style, s.kind, "planted", _covered(s, seen, s.kind)) for s in real]
        spans_rows += [
            (style, s.kind, "found", any(_touch(s, r) and s.kind == r.kind for r in real))
            for s in seen
        ]
        if real:
            message_rows.append((style, not all(_covered(s, seen, None) for s in real)))
    spans = pd.DataFrame(spans_rows, columns=["language_style", "kind", "side", "right"])
    planted = spans.loc[spans["side"] == "planted", "kind"]
    spans = spans[spans["kind"].isin(planted)]
    by_kind = spans.groupby("kind").apply(_rates, include_groups=False)
    by_style = {
        kind: (spans if kind == "all" else spans[spans["kind"] == kind])
        .groupby("language_style")
        .apply(_rates, include_groups=False)
        for kind in ("all", *by_kind.index)
    }
    leaking = pd.DataFrame(message_rows, columns=["language_style", "leak"])
    leaks = [("all", leaking["leak"]), *leaking.groupby("language_style")["leak"]]
    return ScannerReport(
        by_kind.reset_index(),
        pd.concat(by_style, names=["kind"]).reset_index(),
        pd.DataFrame(
            [(name, len(x), *proportion_interval(int(x.sum()), len(x))) for name, x in leaks],
            columns=["language_style", "messages", "value", "low", "high"],
        ),
    )


def _rates(part: pd.DataFrame) -> pd.Series:
    real = part.loc[part["side"] == "planted", "right"]
    seen = part.loc[part["side"] == "found", "right"]
    precision = proportion_interval(int(seen.sum()), len(seen))
    recall = proportion_interval(int(real.sum()), len(real))
    names = [name + end for name in ("precision", "recall") for end in ("", "_low", "_high")]
    return pd.Series(
        [len(real), len(seen), int(real.sum()), *precision, *recall],
        index=["planted", "found", "true_positives", *names],
    )


# ------------------------------------------------------------------ helpers


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
