"""Reading numbers as people and programs write them: 1.234,50, €30.44, 12 %, (5), n/a."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ethicalai_lab.core.yaml import own_data
from ethicalai_lab.tables.levels import words

__all__ = ["Amounts", "read_amounts"]

_CODES = "|".join(own_data(__file__, "words.yaml")["currencies"])
_CURRENCY = (
    rf"(?:[€£¥₹₽₺₩฿₫₴₪]|(?:US|CA|AU|NZ|HK|R|A|C|S)?\$|(?:{_CODES})\b|kr\.?|zł|Kč|Ft|lei|Fr\.)"
)
_BLANK = "[ \u00a0\u2009\u202f]"
_AMOUNT = re.compile(
    rf"(?P<open>\(?){_BLANK}*(?P<sign>[-+]?){_BLANK}*(?P<before>{_CURRENCY})?{_BLANK}*"
    rf"(?P<inner>[-+]?)(?P<digits>[0-9.,][0-9.,'’ \u00a0\u2009\u202f]*?)(?P<power>[eE][-+]?[0-9]+)?"
    rf"{_BLANK}*(?P<after>{_CURRENCY})?{_BLANK}*(?P<percent>%?){_BLANK}*(?P<close>[-)]?)"
)
# which sign stands before the decimals, and which groups thousands
_CONVENTIONS = tuple((d, t) for d in (".", ",") for t in (".", ",", " ", "'", "") if d != t)
_SHAPES = {
    (d, t): re.compile(
        rf"(?:[0-9]{{1,3}}(?:{re.escape(t)}[0-9]{{3}})+|[0-9]+)(?:{re.escape(d)}[0-9]*)?"
        rf"|{re.escape(d)}[0-9]+"
        + (r"|[0-9]{1,2}(?:,[0-9]{2})*,[0-9]{3}(?:\.[0-9]*)?" if (d, t) == (".", ",") else "")
        if t
        else rf"[0-9]+(?:{re.escape(d)}[0-9]*)?|{re.escape(d)}[0-9]+"
    )
    for d, t in _CONVENTIONS
}


@dataclass
class Amounts:
    """What a column's different texts are as numbers.

    Attributes
    ----------
    values : list of float or None
        One for each text; None for a gap, and for what is no number.
    odd : list of int
        Positions of texts that are neither numbers nor gaps.
    gaps : list of int
        Positions of words that stand for a gap.
    readings : tuple of float
        Where two conventions fit alike: what the text at `example` is in each of them.
    example : int or None
        A text that is written otherwise than computers write numbers.
    found : dict of str to str
        The convention, as keys of ``format:``.
    """

    values: list[float | None]
    odd: list[int] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)
    readings: tuple[float, ...] = ()
    example: int | None = None
    found: dict[str, str] = field(default_factory=dict)


def read_amounts(texts: Sequence[str], counts: Sequence[int], format: Mapping[str, str]) -> Amounts:
    """Read texts as numbers in the one convention that fits most of them.

    Parameters
    ----------
    texts : sequence of str
        The different texts of a column.
    counts : sequence of int
        How often each is there.
    format : mapping of str to str
        What is declared: ``decimal`` and ``thousands``.

    Returns
    -------
    Amounts

    Examples
    --------
    >>> read_amounts(["1.234,50 €", "7,25 €", "n/a"], [1, 1, 1], {}).values
    [1234.5, 7.25, None]
    >>> read_amounts(["1,234", "2,500"], [1, 1], {}).readings
    (1234.0, 1.234)
    """
    parts = [_AMOUNT.fullmatch(text.strip().replace("\u2212", "-")) for text in texts]
    made = Amounts([None] * len(texts))
    made.gaps = [i for i, text in enumerate(texts) if text.strip().lower() in words("gaps")]
    silent = set(made.gaps)
    digits = {
        i: re.sub(r"[\u00a0\u2009\u202f]", " ", part["digits"]).replace("’", "'").strip()
        for i, part in enumerate(parts)
        if part is not None and i not in silent and _whole(part)
    }
    units = _units(parts, digits, counts)
    digits = {i: text for i, text in digits.items() if _unit(parts[i]) in (units, "") or not units}
    if units == "%" or any(_unit(parts[i]) == "%" for i in digits):
        digits = {i: text for i, text in digits.items() if _unit(parts[i]) == "%"}
    fits = {
        pair: [i for i, text in digits.items() if _SHAPES[pair].fullmatch(text)]
        for pair in _CONVENTIONS
        if _declared(pair, format)
    }
    weight = {pair: sum(counts[i] for i in fits[pair]) for pair in fits}
    best = [pair for pair in fits if weight[pair] == max(weight.values())]
    read = [{i: _number(parts[i], digits[i], *pair) for i in fits[pair]} for pair in best]
    made.odd = [i for i in range(len(texts)) if i not in silent and i not in read[0]]
    for i, value in read[0].items():
        made.values[i] = value
    others = [other for other in read if other.keys() == read[0].keys()]
    for i in read[0]:
        if _as_computers_do(texts[i]) == read[0][i]:
            continue
        if made.example is None:
            made.example = i
        values = tuple(dict.fromkeys(other[i] for other in others))
        if len(values) > 1:
            made.example, made.readings = i, values[:2]
            break
    made.found = _convention(best[0], [digits[i] for i in read[0]], bool(made.readings))
    return made


def _whole(part: re.Match[str]) -> bool:
    """Tell whether the signs around a number belong together."""
    signs = sum(bool(part[name]) for name in ("sign", "inner"))
    closed = (part["open"] == "(") == (part["close"] == ")")
    return closed and signs + (part["close"] != "") <= 1 and not (part["before"] and part["after"])


def _unit(part: re.Match[str] | None) -> str:
    if part is None:
        return ""
    return part["percent"] or (part["before"] or part["after"] or "").rstrip(".")


def _units(
    parts: Sequence[re.Match[str] | None], digits: Mapping[int, str], counts: Sequence[int]
) -> str:
    """Return the unit that most numbers have: a column of dollars holds no euros."""
    seen: dict[str, int] = {}
    for i in digits:
        seen[_unit(parts[i])] = seen.get(_unit(parts[i]), 0) + counts[i]
    return max((unit for unit in seen if unit), key=lambda unit: seen[unit], default="")


def _declared(pair: tuple[str, str], format: Mapping[str, str]) -> bool:
    decimal, thousands = format.get("decimal"), format.get("thousands")
    return decimal in (None, pair[0]) and (thousands in (None, pair[1]) or pair[1] == "")


def _number(part: re.Match[str] | None, digits: str, decimal: str, thousands: str) -> float:
    assert part is not None
    plain = digits.replace(thousands, "") if thousands else digits
    value = float(plain.replace(decimal, ".") + (part["power"] or ""))
    if "-" in (part["sign"], part["inner"], part["close"]) or part["open"]:
        value = -value
    return value / 100 if part["percent"] else value


def _convention(pair: tuple[str, str], digits: list[str], asked: bool) -> dict[str, str]:
    """Return the convention as keys of ``format:``, where it is not the computer's own."""
    decimal, thousands = pair
    if thousands and any(thousands in text for text in digits):
        return {"decimal": decimal, "thousands": thousands}
    return {"decimal": decimal} if asked or (decimal == "," and digits) else {}


def _as_computers_do(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
