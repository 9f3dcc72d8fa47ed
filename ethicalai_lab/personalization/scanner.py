"""Find and replace personal data in free text.

Patterns propose, checksums decide: a card number must satisfy Luhn's formula, an IBAN
its country's length and the mod-97 check, so that an order number is not taken for
either. Names have no checksum; they are found by what stands around them, which is why
they are the hardest, and why :func:`scanner_report` measures each group of writers apart.

References
----------
ISO/IEC 7812-1 (identification cards: numbering, Luhn's formula).

ISO 13616-1 and ISO/IEC 7064 (International Bank Account Number, MOD 97-10).

ITU-T E.164 (international numbers have at most 15 digits).

Wilson (1927), see :mod:`ethicalai_lab.stats`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.errors import InputError
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

KINDS = ("email", "phone", "card", "iban", "name")

# Length of an IBAN by country (ISO 13616 registry).
_IBAN_LENGTH = {
    **dict.fromkeys(["NO"], 15),
    **dict.fromkeys(["BE"], 16),
    **dict.fromkeys(["DK", "FI", "FO", "FK", "GL", "NL", "SD"], 18),
    **dict.fromkeys(["MK", "SI"], 19),
    **dict.fromkeys(["AT", "BA", "EE", "KZ", "LT", "LU", "XK", "MN"], 20),
    **dict.fromkeys(["CH", "HR", "LI", "LV"], 21),
    **dict.fromkeys(["BG", "BH", "CR", "DE", "GB", "GE", "IE", "ME", "RS", "VA"], 22),
    **dict.fromkeys(["AE", "GI", "IL", "IQ", "TL", "OM", "SO"], 23),
    **dict.fromkeys(["AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG"], 24),
    **dict.fromkeys(["LY", "PT", "ST"], 25),
    **dict.fromkeys(["IS", "TR"], 26),
    **dict.fromkeys(["BI", "DJ", "FR", "GR", "IT", "MC", "MR", "SM"], 27),
    **dict.fromkeys(["AL", "AZ", "BY", "CY", "DO", "GT", "HU", "LB", "NI", "PL", "SV"], 28),
    **dict.fromkeys(["BR", "EG", "PS", "QA", "UA"], 29),
    **dict.fromkeys(["JO", "KW", "MU", "YE"], 30),
    **dict.fromkeys(["MT", "SC"], 31),
    **dict.fromkeys(["LC"], 32),
    **dict.fromkeys(["RU"], 33),
}

_EMAIL = re.compile(
    r"[A-Za-z0-9_!#$%&'*+/=?^`{|}~-]+(?:\.[A-Za-z0-9_!#$%&'*+/=?^`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}"
)
# "jo at example dot com", "jo (at) example.com": written so that a machine does not see it
_SPELLED_EMAIL = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9_.+-]*\s?(?:[(\[]\s?at\s?[)\]]|(?<=\s)at(?=\s))\s?"
    r"[A-Za-z0-9-]+(?:(?:\s?[(\[]\s?dot\s?[)\]]\s?|\sdot\s|\.)[A-Za-z0-9-]+)*"
    r"(?:\s?[(\[]\s?dot\s?[)\]]\s?|\sdot\s|\.)[A-Za-z]{2,}\b",
    re.IGNORECASE,
)
_DIGIT_GROUPS = re.compile(r"[0-9]+(?:[ -][0-9]+)*")
_IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?=[ -]?[A-Za-z0-9])")
_PHONE = re.compile(
    r"(?<![\w.+/-])(?:\+[ ]?|\()?[0-9](?:[ ]?[./()-]?[ ]?[0-9(]){4,18}(?:\)?[0-9])?(?![\w/-]|\.[0-9])"
)
_DATE = re.compile(
    r"[0-9]{1,2}[./-][0-9]{1,2}[./-](?:[0-9]{4}|[0-9]{2})|[0-9]{4}[./-][0-9]{1,2}[./-][0-9]{1,2}"
)
_CALL = re.compile(
    r"\b(?:phone|mobile|cell|tel|telephone|call|ring|text|whatsapp|reach|number|sms|handy)\b"
    r"[^0-9+(]{0,25}$",
    re.IGNORECASE,
)
_NOT_A_PHONE = re.compile(
    r"(?:\b(?:order|invoice|ticket|article|item|customer|reference|ref|tracking|parcel|case|"
    r"booking|voucher|code|postcode|zip|sku)\b[^0-9+(]{0,15}|[#€$£]\s?|\bno\.?\s?)$",
    re.IGNORECASE,
)

_LETTERS = r"[^\W\d_]+(?:['’-][^\W\d_]+)*"
_WORD = re.compile(_LETTERS)
_TITLE = r"(?:mr|mrs|ms|miss|mx|dr|prof)\b\.?"
_CAPITAL = r"(?:(?![a-zß-öø-ÿ])[^\W\d_])(?:[^\W\d_]|['’-](?=[^\W\d_]))+"
_CAPITALISED = re.compile(rf"(?<![\w\[@.-]){_CAPITAL}(?: {_CAPITAL}){{1,3}}(?![\w\]@])")
_PARTICLES = re.compile(
    r"(?:(?:van|von|de|der|den|di|da|la|del|al|bin|ten|ter) )+(?=[^\W\d_])(?![a-z])"
)
# What stands before a name, and whether it is strong enough for names without capitals.
_CUES = (
    (re.compile(r"\bmy\s+(?:full\s+|sur|first\s+|last\s+)?name(?:\s+is|'s|\s*:)\s+", re.I), True),
    (
        re.compile(r"\b(?:full\s+|sur|last\s+|first\s+|account\s+|card\s*)?name\s*[:=]\s*", re.I),
        True,
    ),
    (re.compile(r"\b(?:in|under)\s+(?:the|my)\s+name\s+(?:of\s+|is\s+)?", re.I), True),
    (re.compile(r"\b(?:the\s+)?name(?:'s|\s+is)\s+", re.I), True),
    (re.compile(r"\b(?:ask|asking)\s+for\s+", re.I), False),
    (
        re.compile(
            r"\b(?:account\s*holder|card\s*holder|addressed\s+to|on\s+behalf\s+of|attention\s+of|attn)"
            r"\s*(?:is\s+|:\s*)?",
            re.I,
        ),
        True,
    ),
    (re.compile(r"\b(?:this\s+is|it's|it\s+is|i\s+am|i['’]m|im|here\s+is)\s+", re.I), False),
    (
        re.compile(r"\b(?:registered|booked|ordered|listed|filed)\s+(?:to|under|for|as)\s+", re.I),
        False,
    ),
    (
        re.compile(
            r"(?:\b(?:regards|sincerely|faithfully|truly|respectfully|wishes|thanks|thank\s+you|cheers|"
            r"greetings|thx|ta|best|love|bye|signed)\b)\s*[,.!:–—-]*\s+(?:from\s+)?",
            re.I,
        ),
        False,
    ),
    (re.compile(rf"\b{_TITLE}\s*", re.I), True),
    (re.compile(r"(?:^|\s)[-–—~]\s?(?=[^\W\d_])"), False),
)
# Words that never are a name here, so that "this is Urgent" or "thanks Team" is none.
_STOP_WORDS = """
respectfully faithfully greetings wishes bye signed ps cc
a about account again all already also always am an and angry another any are as ask at
available back bad be because been before best but buy by call can cannot card case cheers
client com company could customer date day days dear december delivery did disappointed do
does doesn done dot dr email english even ever extremely february first for found friday
friend from german getting glad good got had happy has have having he hello her here hey hi
his hope how i iban if in interested into invoice is it its january july just keep kind last
let like long look looking lot love madam mail many march me member message miss monday month
more mr mrs ms much mx my name never new next nice no not november now number october of off
on once one only or order our out over package parcel phone please pleased products prof
question quite really refund regards reply return sad same saturday see sending september
seriously service she shipping shop sincerely sir size so some sorry still store sunday
support sure team thank thanks that the their them there they this thursday to today tomorrow
too totally truly trying tuesday unhappy unsure until up upset urgent us using very wait
waiting want was we wednesday week well were what when where which who why will with without
would writing wrong year years yes yesterday you your yours
"""
_NOT_A_NAME = frozenset(_STOP_WORDS.split())


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


def luhn_is_valid(number: str) -> bool:
    """Return whether a digit string satisfies Luhn's formula.

    Parameters
    ----------
    number : str
        Digits; spaces and hyphens are ignored.

    Returns
    -------
    bool
        False where anything else is in it, or nothing.

    References
    ----------
    ISO/IEC 7812-1, annex B.

    Examples
    --------
    >>> from ethicalai_lab.personalization.scanner import luhn_is_valid
    >>> luhn_is_valid("4111 1111 1111 1111"), luhn_is_valid("4111 1111 1111 1112")
    (True, False)
    """
    digits = number.replace(" ", "").replace("-", "")
    if not (digits.isascii() and digits.isdigit()):
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def iban_is_valid(text: str) -> bool:
    """Return whether a text is an IBAN: known country, its length, remainder 1 modulo 97.

    Parameters
    ----------
    text : str
        Letters and digits; spaces and hyphens are ignored, as is case.

    Returns
    -------
    bool

    References
    ----------
    ISO 13616-1; ISO/IEC 7064 MOD 97-10.

    Examples
    --------
    >>> from ethicalai_lab.personalization.scanner import iban_is_valid
    >>> iban_is_valid("GB82 WEST 1234 5698 7654 32"), iban_is_valid("GB82 WEST 1234 5698 7654 33")
    (True, False)
    """
    code = text.replace(" ", "").replace("-", "").upper()
    if not (code.isascii() and code.isalnum()) or len(code) < 5:
        return False
    if _IBAN_LENGTH.get(code[:2]) != len(code) or not code[2:4].isdigit():
        return False
    return int("".join(str(int(c, 36)) for c in code[4:] + code[:4])) % 97 == 1


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
        What to look for: email, phone, card, iban, name.
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
        stronger check wins (e-mail, IBAN, card, phone, name).

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
    known = _known_pattern(known_names)
    finders = {
        "email": _emails,
        "iban": _ibans,
        "card": _cards,
        "phone": _phones,
        "name": lambda text: _names(text, known, eager),
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


# ------------------------------------------------------------------ finders


def _emails(text: str) -> Iterator[tuple[int, int]]:
    for match in _EMAIL.finditer(text):
        yield match.span()
    for match in _SPELLED_EMAIL.finditer(text):
        yield match.span()


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    for match in _IBAN_START.finditer(text):
        start = match.start()
        length = _IBAN_LENGTH.get(text[start : start + 2].upper())
        if length is None:
            continue
        at, taken = start, 0
        while at < len(text) and taken < length:
            character = text[at]
            if character.isascii() and character.isalnum():
                taken += 1
            elif character not in " -" or text[at - 1] in " -":
                break
            at += 1
        ended = at == len(text) or not (text[at].isascii() and text[at].isalnum())
        if taken == length and ended and iban_is_valid(text[start:at]):
            yield start, at


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for run in _DIGIT_GROUPS.finditer(text):
        # A card may stand beside other digits: try each sequence of whole groups.
        groups = [m.span() for m in re.finditer(r"[0-9]+", run.group())]
        first = 0
        while first < len(groups):
            last = _card_end(run.group(), groups, first)
            if last is None:
                first += 1
            else:
                yield run.start() + groups[first][0], run.start() + groups[last][1]
                first = last + 1


def _card_end(run: str, groups: list[tuple[int, int]], first: int) -> int | None:
    """Return the last group of the longest card that starts at the first one."""
    best, digits = None, ""
    for last in range(first, len(groups)):
        digits += run[slice(*groups[last])]
        if len(digits) > 19:
            break
        if len(digits) >= 13 and _issuer(digits) and luhn_is_valid(digits):
            best = last
    return best


def _issuer(digits: str) -> bool:
    """Whether a card's first digits belong to payment cards."""
    return digits[0] in "3456" or 2221 <= int(digits[:4]) <= 2720


def _phones(text: str) -> Iterator[tuple[int, int]]:
    for match in _PHONE.finditer(text):
        start, end = match.span()
        piece = match.group()
        while piece and not piece[-1].isdigit():
            piece, end = piece[:-1], end - 1
        digits = re.sub(r"[^0-9]", "", piece)
        if not 7 <= len(digits) <= 15 or _DATE.fullmatch(piece):
            continue
        before = text[max(0, start - 45) : start]
        called = bool(_CALL.search(before)) and not _NOT_A_PHONE.search(before)
        grouped = len(re.findall(r"[0-9]+", piece)) >= 2
        international = piece[0] == "+" or digits.startswith("00")
        national = digits.startswith("0") or piece[0] == "(" or len(digits) == 10
        if (
            international
            or called
            or (national and grouped and not _NOT_A_PHONE.search(before))
            or (digits.startswith("0") and len(digits) >= 9 and not _NOT_A_PHONE.search(before))
        ):
            yield start, end


def _known_pattern(names: Iterable[str]) -> re.Pattern[str] | None:
    if isinstance(names, str):
        names = (names,)
    words = sorted({name.strip() for name in names if name.strip()}, key=lambda n: (-len(n), n))
    if not words:
        return None
    inner = "|".join(r"\s+".join(map(re.escape, word.split())) for word in words)
    return re.compile(rf"(?<![\w\[])(?:{inner})(?![\w\]])", re.IGNORECASE)


def _names(text: str, known: re.Pattern[str] | None, eager: bool) -> Iterator[tuple[int, int]]:
    if known is not None:
        for match in known.finditer(text):
            yield match.span()
    for cue, strong in _CUES:
        for match in cue.finditer(text):
            span = _name_after(text, match.end(), strong)
            if span is not None:
                yield span
    if eager:
        for match in _CAPITALISED.finditer(text):
            words = match.group().split(" ")
            first = match.start()
            # the word that opens a sentence has its capital from there
            opens = re.search(r"(?:^|[.!?:]\s+)$", text[:first]) is not None
            if opens:
                first += len(words.pop(0)) + 1
            if len(words) >= 2 and not any(w.lower() in _NOT_A_NAME for w in words):
                yield first, match.end()


def _name_after(text: str, at: int, strong: bool) -> tuple[int, int] | None:
    """Return the span of up to four words that can be a name, from a position on."""
    title = re.compile(rf"{_TITLE}\s*", re.IGNORECASE).match(text, at)
    if title:
        at, strong = title.end(), True
    if at and (text[at - 1].isalnum()) and at < len(text) and text[at].isalnum():
        return None  # the cue ended inside a word
    start = end = at
    words = 0
    while words < 5:
        word = _WORD.match(text, at)
        initial = re.compile(r"[^\W\d_]\.(?=\s)").match(text, at)
        if word is None or word.group().lower() in _NOT_A_NAME:
            break
        capital = word.group()[0].isupper()
        # "Zoë van der Berg": particles belong to the name where a capital follows
        particle = bool(words and _PARTICLES.match(text, at))
        lower = strong and words < 2 and not (words and text[start].isupper())
        if not (capital or particle or lower):
            break
        end = (initial or word).end()
        words += 1
        gap = re.compile(r"[ ]").match(text, end)
        if gap is None:
            break
        at = gap.end()
    return (start, end) if words and end - start >= 2 else None


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
