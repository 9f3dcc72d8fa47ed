"""How numbers and decisions are said: the same words in a terminal, on a page, in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = [
    "POINTS",
    "bounds",
    "decided",
    "is_share",
    "number",
    "plural",
    "said",
    "told",
    "with_interval",
]

#: The unit of a difference of two shares.
POINTS = "difference of shares"


def is_share(unit: str) -> bool:
    """Tell whether a unit is a share, which is shown in percent."""
    return unit == "share" or unit.startswith("share ")


def number(value: float, unit: str, *, sign: bool = False) -> str:
    """Return a number as people read it in its unit.

    Examples
    --------
    >>> number(0.031, "share"), number(-0.2, POINTS, sign=True), number(12000.0, "EUR")
    ('3.1 %', '-20.0 points', '12,000')
    """
    plus = "+" if sign else ""
    if is_share(unit) or unit == POINTS:
        percent = 100 * value
        digits = 1 if abs(percent) >= 0.95 or percent == 0 else 2
        text = f"{percent:{plus}.{digits}f}"
        ending = " points" if unit == POINTS else " %"
    else:
        whole = value == round(value) and abs(value) < 1e15
        text = f"{value:{plus},.0f}" if whole or abs(value) >= 1000 else f"{value:{plus},.3g}"
        ending = ""
    return (text if text.strip("+-0.,") else text.lstrip("+-")) + ending


def bounds(low: float, high: float, unit: str, *, sign: bool = False) -> str:
    """Return both ends of an interval, without the unit that the value says."""
    ends = (number(x, unit, sign=sign) for x in (low, high))
    return " to ".join(end.removesuffix(" %").removesuffix(" points") for end in ends)


def with_interval(
    value: float, low: float | None, high: float | None, unit: str, *, sign: bool = False
) -> str:
    """Return a number with its interval, where it has one."""
    text = number(value, unit, sign=sign)
    if low is None or high is None:
        return text
    return f"{text} ({bounds(low, high, unit, sign=sign)})"


def plural(count: int, word: str) -> str:
    """Return a count with its noun."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def said(value: Any, nothing: str = "none of them") -> str:
    """Return a field's value in words; `nothing` is what an empty list is called."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or nothing
    return "" if value is None else str(value)


def told(value: Any) -> str:
    """Return a plain value in words, large whole numbers with commas."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10_000:
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {told(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(told, value))
    return said(value)


def decided(decisions: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return one line a section: what is decided in it, without the reasons."""
    out = []
    for path, held in decisions.items():
        parts = [f"{name} {told(held[name]) or '(none)'}" for name in held if name != "reason"]
        if parts:
            out.append(f"{path}: {'; '.join(parts)}")
    return out
