"""Where personal data stands in a text: one finder a kind, each giving start and end.

Patterns propose, checksums and what stands around decide. The finders of numbers read a text
in which every blank, hyphen and digit of Unicode is the plain one (:func:`plain`): a card
grouped with no-break spaces is a card.

References
----------
ISO/IEC 7812-1 (identification cards: numbering, Luhn's formula).

ISO 13616-1 and ISO/IEC 7064 (International Bank Account Number, MOD 97-10).

ITU-T E.164 (international numbers have at most 15 digits).

RFC 6531 and RFC 5890 (e-mail addresses and domain names beyond ASCII).
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterator

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

# letters of any script; marks stand apart where a text is not composed (NFD)
_MARKS = "\u0300-\u036f\u0900-\u0dff"
_ATOM = rf"[\w{_MARKS}!#$%&'*+/=?^`{{|}}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*\Z")
_DOMAIN = re.compile(
    rf"(?:[^\W_](?:[\w{_MARKS}-]*(?:[^\W_]|[{_MARKS}]))?\.)+"
    rf"(?:xn--[A-Za-z0-9-]*[A-Za-z0-9]|(?:[^\W\d_][{_MARKS}]*){{2,}})"
)
# "jo at example dot com", "jo (at) example.com": written so that a machine does not see it
_SPELLED_AT = re.compile(r"\s?(?:[(\[]\s?at\s?[)\]]|(?<=\s)at(?=\s))\s?", re.IGNORECASE)
_SPELLED_LOCAL = re.compile(r"\w[\w.+-]*\Z")
_SPELLED_DOMAIN = re.compile(
    r"[^\W_][\w-]*(?:(?:\s?[(\[]\s?dot\s?[)\]]\s?|\sdot\s|\.)[^\W_][\w-]*)*"
    r"(?:\s?[(\[]\s?dot\s?[)\]]\s?|\sdot\s|\.)[^\W\d_]{2,}\b",
    re.IGNORECASE,
)
_LONGEST_LOCAL = 256  # RFC 5321 allows 64 octets
_DIGIT_GROUPS = re.compile(r"[0-9]+(?:[ -][0-9]+)*")
_IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?=[ -]?[A-Za-z0-9])")
_PHONE = re.compile(
    r"(?<![\w.+/-])(?P<number>(?:\+[ ]?|\()?[0-9](?:[ ]?[./()-]?[ ]?[0-9(]){4,18}(?:\)?[0-9])?)"
    r"(?:[ ]?(?:x|ext\.?|extension)[ ]?[0-9]{1,6})?(?![\w/-]|\.[0-9])",
    re.IGNORECASE,
)
_DAY, _MONTH = "(?:0?[1-9]|[12][0-9]|3[01])", "(?:0?[1-9]|1[0-2])"
_YEAR = "(?:1[89]|2[01])[0-9]{2}"
_TIME = "[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?"
_MOMENT = re.compile(
    rf"(?<![\w.+/-])(?:{_YEAR}([./-]){_MONTH}\1{_DAY}|(?:{_DAY}([./-]){_MONTH}|{_MONTH}([./-]){_DAY})"
    rf"(?:(?:\2|\3){_YEAR}|(?:\2|\3)[0-9]{{2}}(?![./-]?[0-9])))(?![0-9])(?:(?:T|,? ){_TIME})?"
    rf"|(?<![\w.:+/-]){_TIME}(?![\w:])"
)
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?<![\w.-])(?:{_OCTET}\.){{3}}{_OCTET}(?![\w-]|\.[0-9])")
_IPV6 = re.compile(
    r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9]+(?:\.[0-9]+){3}|[0-9A-Fa-f]{0,4})(?![\w:])"
)
_VERSION = re.compile(
    r"\b(?:version|release|build|section|chapter|firmware)\s*:?\s*$", re.IGNORECASE
)
_CARD = re.compile(r"\b(?:cards?|cc|visa|mastercard|maestro|amex)\b[^0-9]{0,20}$", re.IGNORECASE)
_CALL_WORDS = "phone|mobile|cell|tel|telephone|fax|call|ring|text|whatsapp|reach|sms|handy"
_CALL = re.compile(rf"\b(?:{_CALL_WORDS}|number)\b[^0-9+(]{{0,25}}$", re.IGNORECASE)
_NOT_A_PHONE = re.compile(
    r"(?:\b(?:order|invoice|ticket|article|item|customer|reference|ref|tracking|parcel|case|"
    r"booking|voucher|code|postcode|zip|sku|sizes?|ssn|social security|licen[cs]e|passport|cards?)"
    rf"\b(?:(?!\b(?:{_CALL_WORDS})\b)[^0-9+(]){{0,15}}|[#€$£]\s?|\bno\.?\s?)$",
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


def plain(text: str) -> str:
    """Return a text of the same length with plain blanks, hyphens and digits.

    Examples
    --------
    >>> plain("4111\u00a01111\u20111111")
    '4111 1111-1111'
    """
    if text.isascii():
        return text
    return "".join(c if c.isascii() else _plain(c) for c in text)


def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Zs", "Cf"):  # no-break, narrow, of no width
        return " "
    if category == "Nd":
        return str(unicodedata.decimal(character))
    return "-" if category == "Pd" else character


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
    digits = plain(number).replace(" ", "").replace("-", "")
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
    code = plain(text).replace(" ", "").replace("-", "").upper()
    if not (code.isascii() and code.isalnum()) or len(code) < 5:
        return False
    if _IBAN_LENGTH.get(code[:2]) != len(code) or not code[2:4].isdigit():
        return False
    return int("".join(str(int(c, 36)) for c in code[4:] + code[:4])) % 97 == 1


def emails(text: str) -> Iterator[tuple[int, int]]:
    """Find e-mail addresses, of any script, and those spelled out."""
    ways = (
        (re.compile("@"), _LOCAL, _DOMAIN),
        (_SPELLED_AT, _SPELLED_LOCAL, _SPELLED_DOMAIN),
    )
    for sign, before, after in ways:
        for match in sign.finditer(text):
            first = max(0, match.start() - _LONGEST_LOCAL)
            local = before.search(text[first : match.start()])
            domain = after.match(text, match.end())
            if local and domain:
                yield first + local.start(), domain.end()


def ibans(text: str) -> Iterator[tuple[int, int]]:
    """Find International Bank Account Numbers by length and remainder."""
    text = plain(text)
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


def cards(text: str) -> Iterator[tuple[int, int]]:
    """Find payment cards by Luhn's formula and issuer, or by what stands before."""
    text = plain(text)
    for run in _DIGIT_GROUPS.finditer(text):
        # A card may stand beside other digits: try each sequence of whole groups.
        groups = [m.span() for m in re.finditer(r"[0-9]+", run.group())]
        first = 0
        while first < len(groups):
            at = run.start() + groups[first][0]
            named = _CARD.search(text, max(0, at - 35), at) is not None
            last = _card_end(run.group(), groups, first, named)
            if last is None:
                first += 1
            else:
                yield run.start() + groups[first][0], run.start() + groups[last][1]
                first = last + 1


def _card_end(run: str, groups: list[tuple[int, int]], first: int, named: bool) -> int | None:
    """Return the last group of the longest card that starts at the first one.

    Twelve digits, as Maestro has, and unknown issuers are taken where the text says "card".
    """
    best, digits = None, ""
    for last in range(first, len(groups)):
        digits += run[slice(*groups[last])]
        if len(digits) > 19:
            break
        likely = len(digits) >= 12 if named else len(digits) >= 13 and _issuer(digits)
        if likely and luhn_is_valid(digits):
            best = last
    return best


def _issuer(digits: str) -> bool:
    """Whether a card's first digits belong to payment cards."""
    old_jcb = len(digits) == 15 and digits[:4] in ("1800", "2131")
    return digits[0] in "3456" or 2221 <= int(digits[:4]) <= 2720 or old_jcb


def addresses(text: str) -> Iterator[tuple[int, int]]:
    """Find internet addresses, version 4 and 6."""
    for match in _IPV6.finditer(text):
        if re.search("[0-9]", match.group()) and _is_ipv6(match.group()):
            yield match.span()
    for match in _IPV4.finditer(text):
        if not _VERSION.search(text, max(0, match.start() - 20), match.start()):
            yield match.span()


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def phones(text: str) -> Iterator[tuple[int, int]]:
    """Find phone numbers by their form and by what stands before; dates and times are none."""
    text = plain(text)
    # a moment beside a number must neither lend it digits nor be taken for one
    shown = _MOMENT.sub(lambda match: "_" * len(match.group()), text)
    for match in _PHONE.finditer(shown):
        start, end = match.span()
        piece = match["number"]
        while not piece[-1].isdigit():  # only where no extension follows
            piece, end = piece[:-1], end - 1
        digits = re.sub(r"[^0-9]", "", piece)
        if not 7 <= len(digits) <= 15:
            continue
        before = text[max(0, start - 45) : start]
        other = _NOT_A_PHONE.search(before) is not None
        called = _CALL.search(before) is not None
        if (
            piece[0] == "+"
            or digits.startswith("00")
            or (not other and (called or _national(piece, digits)))
        ):
            yield start, end


def _national(piece: str, digits: str) -> bool:
    """Whether a number is written as national phone numbers are."""
    groups = [len(group) for group in re.findall(r"[0-9]+", piece)]
    if digits.startswith("0") and len(groups) == 1:
        return len(digits) >= 9
    if len(groups) < 2 or groups.count(1) > 1:  # sizes: 0 2 4 6 8 10
        return False
    return digits.startswith("0") or piece[0] == "(" or groups in ([3, 3, 4], [3, 7], [6, 4])


def names(text: str) -> Iterator[tuple[int, int]]:
    """Find names by the cue that they follow."""
    for cue, strong in _CUES:
        for match in cue.finditer(text):
            span = _name_after(text, match.end(), strong)
            if span is not None:
                yield span


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
