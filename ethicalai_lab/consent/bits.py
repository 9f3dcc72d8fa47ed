"""Bits of consent strings: web-safe base64 without padding, read and written field by field.

What a string holds stands in ``signals.yaml``; here is how each kind of field is read and written.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from ethicalai_lab.consent.errors import SignalError
from ethicalai_lab.core.times import read_moment

__all__ = ["HIGHEST_VENDOR", "BitReader", "BitWriter", "numbers", "runs"]

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_VALUE = {letter: f"{i:06b}" for i, letter in enumerate(_ALPHABET)}
MAX_CHARACTERS = 100_000
HIGHEST_VENDOR = (1 << 16) - 1
_MOST_RUNS = (1 << 12) - 1
_FIBONACCI = [1, 2]
while _FIBONACCI[-1] < 1 << 17:
    _FIBONACCI.append(_FIBONACCI[-1] + _FIBONACCI[-2])
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class BitReader:
    """Reads fields from the left; complains by name where the bits end too early."""

    def __init__(self, text: str, what: str) -> None:
        if not isinstance(text, str) or not text:
            raise SignalError(f"The {what} is empty; a text of base64 characters is accepted.")
        if len(text) > MAX_CHARACTERS:
            raise SignalError(f"The {what} has {len(text)} characters, too many for a signal.")
        try:
            self.bits = "".join([_VALUE[letter] for letter in text])
        except KeyError as problem:
            raise SignalError(
                f"The {what} holds {str(problem.args[0])!r}; letters, digits, - and _ are accepted."
            ) from None
        self.what = what
        self.place = 0

    def take(self, count: int, name: str) -> str:
        """Return the next bits as text of 0 and 1."""
        left = len(self.bits) - self.place
        if count > left:
            raise SignalError(
                f"The {self.what} ends within {name}: {count} bits needed, {left} left."
            )
        self.place += count
        return self.bits[self.place - count : self.place]

    def fields(self, layout: Mapping[str, str]) -> dict[str, Any]:
        """Return the fields of a layout in order, each as its kind is read."""
        found: dict[str, Any] = {}
        for name, kind in layout.items():
            word, _, size = kind.partition(" ")
            count = found[size] if size in found else int(size or 0)
            found[name] = getattr(self, word)(count, name)
        return found

    def number(self, count: int, name: str) -> int:
        """Return an unsigned whole number."""
        return int(self.take(count, name), 2)

    def flag(self, count: int, name: str) -> bool:
        """Return one bit."""
        return self.take(count, name) == "1"

    def members(self, count: int, name: str) -> list[int]:
        """Return the positions, from 1, of the ones."""
        return [i for i, bit in enumerate(self.take(count, name), 1) if bit == "1"]

    def letters(self, count: int, name: str) -> str:
        """Return two capital letters of 6 bits each."""
        codes = [self.number(count // 2, name) for _ in range(2)]
        if max(codes) > 25:
            raise SignalError(f"The {self.what} has no two letters in {name}.")
        return "".join(chr(65 + code) for code in codes)

    def time(self, count: int, name: str) -> str:
        """Return tenths of seconds since 1970 as ISO 8601."""
        return _iso(self.number(count, name))

    def vendors(self, _: int, name: str) -> list[int]:
        """Return vendors given by a bit each, or by ranges."""
        highest = self.number(16, f"MaxVendorId of {name}")
        if self.flag(1, f"IsRangeEncoding of {name}"):
            return self._ranges(highest, name)
        return self.members(highest, f"BitField of {name}")

    def _ranges(self, highest: int, name: str) -> list[int]:
        # a bit a vendor: overlapping ranges cannot make the list longer than the number space
        marks = bytearray(HIGHEST_VENDOR + 2)
        for _ in range(self.number(12, f"NumEntries of {name}")):
            ranged = self.flag(1, f"IsARange of {name}")
            first = self.number(16, f"StartOrOnlyVendorId of {name}")
            last = self.number(16, f"EndVendorId of {name}") if ranged else first
            if not 1 <= first <= last <= highest:
                raise SignalError(
                    f"The {self.what} has vendors {first} to {last} in {name}, where numbers from "
                    f"1 to {highest} in ascending order are accepted."
                )
            marks[first : last + 1] = b"\x01" * (last - first + 1)
        return [vendor for vendor, mark in enumerate(marks) if mark]

    def restrictions(self, _: int, name: str) -> list[dict[str, Any]]:
        """Return a publisher's restrictions of purposes for vendors."""
        found = []
        for _ in range(self.number(12, f"number of {name}")):
            purpose, kind = self.number(6, "PurposeId"), self.number(2, "RestrictionType")
            if purpose == 0 or kind == 3:
                raise SignalError(
                    f"The {self.what} restricts purpose {purpose} with type {kind}; purposes from "
                    "1 and types 0 to 2 are accepted."
                )
            vendors = self._ranges(HIGHEST_VENDOR, name)
            found.append({"purposeId": purpose, "restrictionType": kind, "vendorIds": vendors})
        return found

    def fibonacci(self, name: str) -> int:
        """Return a whole number from 1 in Fibonacci coding."""
        number, last = 0, "0"
        for step in _FIBONACCI:
            bit = self.take(1, name)
            if bit == last == "1":
                return number
            number += step * (bit == "1")
            last = bit
        raise SignalError(f"The {self.what} has too long a Fibonacci code in {name}.")

    def finish(self) -> None:
        """Refuse anything but zeros after the last field."""
        if "1" in self.bits[self.place :]:
            raise SignalError(
                f"The {self.what} has bits set after its last field; its parts do not fit."
            )


class BitWriter:
    """Writes fields from the left.

    Examples
    --------
    >>> writer = BitWriter()
    >>> for number in (1, 2, 3, 4, 5):
    ...     writer.fibonacci(number)
    >>> writer.parts
    ['11', '011', '0011', '1011', '00011']
    """

    def __init__(self) -> None:
        self.parts: list[str] = []

    def fields(self, layout: Mapping[str, str], values: Mapping[str, Any]) -> None:
        """Add the fields of a layout in order, each as its kind is written."""
        for name, kind in layout.items():
            word, _, size = kind.partition(" ")
            getattr(self, word)(values[name], int(values.get(size, size or 0)), name)

    def number(self, value: int, count: int, name: str) -> None:
        """Add an unsigned whole number."""
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << count:
            raise SignalError(
                f"{name} is {value!r}; a whole number from 0 to {(1 << count) - 1} is accepted."
            )
        self.parts.append(f"{value:0{count}b}")

    def flag(self, value: bool, _: int, name: str) -> None:
        """Add one bit."""
        if not isinstance(value, bool):
            raise SignalError(f"{name} is {value!r}; True or False is accepted.")
        self.parts.append(str(int(value)))

    def members(self, values: Iterable[int], count: int, name: str) -> None:
        """Add a bit field with ones at the given positions, from 1."""
        chosen = numbers(values, name, count)
        self.parts.append("".join("01"[place in chosen] for place in range(1, count + 1)))

    def letters(self, value: str, count: int, name: str) -> None:
        """Add two letters."""
        if not (isinstance(value, str) and len(value) == 2 and value.isascii() and value.isalpha()):
            raise SignalError(f"{name} is {value!r}; two letters such as EN are accepted.")
        for letter in value.upper():
            self.number(ord(letter) - 65, count // 2, name)

    def time(self, value: Any, count: int, name: str) -> None:
        """Add a time in tenths of seconds since 1970."""
        moment = read_moment(value, name, error=SignalError).to_datetime64()
        tick = int(moment.astype("M8[us]").astype("int64")) // 100_000
        if tick < 0:
            raise SignalError(f"{name} is {value}; times from 1970 on are accepted.")
        self.number(tick, count, name)

    def vendors(self, values: Iterable[int], _: int, name: str) -> None:
        """Add vendors, by the smaller of the two encodings, as the format asks."""
        vendors = numbers(values, name, HIGHEST_VENDOR)
        highest = max(vendors, default=0)
        self.number(highest, 16, name)
        ranges = BitWriter()
        short = 0 < len(runs(vendors)) <= _MOST_RUNS
        if short:
            ranges._ranges(vendors)
            short = sum(map(len, ranges.parts)) < highest
        self.flag(short, 1, name)
        if short:
            self.parts += ranges.parts
        else:
            self.members(vendors, highest, name)

    def _ranges(self, vendors: Iterable[int]) -> None:
        entries = runs(vendors)
        self.number(len(entries), 12, "NumEntries")
        for first, last in entries:
            self.flag(first != last, 1, "IsARange")
            self.number(first, 16, "StartOrOnlyVendorId")
            if first != last:
                self.number(last, 16, "EndVendorId")

    def restrictions(self, values: Iterable[Mapping[str, Any]], _: int, name: str) -> None:
        """Add a publisher's restrictions of purposes for vendors."""
        values = list(values)
        self.number(len(values), 12, name)
        for one in values:
            if one["restrictionType"] not in (0, 1, 2):
                raise SignalError(f"{name} holds {one!r}; a restrictionType of 0 to 2 is accepted.")
            numbers([one["purposeId"]], "purposeId", 63)
            self.number(one["purposeId"], 6, "purposeId")
            self.number(one["restrictionType"], 2, "restrictionType")
            self._ranges(numbers(one["vendorIds"], "vendorIds", HIGHEST_VENDOR))

    def fibonacci(self, value: int) -> None:
        """Add a whole number from 1 in Fibonacci coding."""
        bits = ""
        for step in reversed([step for step in _FIBONACCI if step <= value]):
            bits = "01"[step <= value] + bits
            value -= step * (step <= value)
        self.parts.append(bits + "1")

    def text(self) -> str:
        """Return the fields in base64, padded to whole bytes with zeros."""
        bits = "".join(self.parts)
        bits += "0" * (-len(bits) % 8)
        bits += "0" * (-len(bits) % 6)
        return "".join(_ALPHABET[int(bits[i : i + 6], 2)] for i in range(0, len(bits), 6))


def numbers(values: Iterable[int], name: str, highest: int) -> dict[int, None]:
    """Return distinct whole numbers from 1 to `highest` in order, or refuse."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise SignalError(f"{name} is {values!r}; a list of whole numbers is accepted.")
    found = set()
    for value in values:
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise SignalError(f"{name} holds {value!r}; whole numbers are accepted.")
        number = value.__index__()
        if not 1 <= number <= highest:
            raise SignalError(f"{name} holds {number}; numbers from 1 to {highest} are accepted.")
        found.add(number)
    return dict.fromkeys(sorted(found))


def runs(values: Iterable[int]) -> list[tuple[int, int]]:
    """Return the first and last of each run of numbers without a gap, in ascending order.

    Examples
    --------
    >>> runs([2, 3, 4, 7])
    [(2, 4), (7, 7)]
    """
    found: list[tuple[int, int]] = []
    for value in values:
        joins = bool(found) and value == found[-1][1] + 1
        first = found.pop()[0] if joins else value
        found.append((first, value))
    return found


def _iso(tick: int) -> str:
    text = (_EPOCH + datetime.timedelta(milliseconds=100 * tick)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{tick % 10}Z" if tick % 10 else f"{text}Z"
