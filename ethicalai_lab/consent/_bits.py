"""Bits of consent strings: web-safe base64 without padding, read and written field by field."""

from __future__ import annotations

from collections.abc import Iterable

from ethicalai_lab.consent.errors import SignalError

__all__ = ["BitReader", "BitWriter", "fibonacci_code"]

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_VALUE = {letter: f"{i:06b}" for i, letter in enumerate(_ALPHABET)}
MAX_CHARACTERS = 100_000
_FIBONACCI = [1, 2]
while _FIBONACCI[-1] < 1 << 17:
    _FIBONACCI.append(_FIBONACCI[-1] + _FIBONACCI[-2])


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

    @property
    def left(self) -> int:
        """Bits not read yet."""
        return len(self.bits) - self.place

    def take(self, count: int, name: str) -> str:
        """Return the next bits as text of 0 and 1."""
        if count > self.left:
            raise SignalError(
                f"The {self.what} ends within {name}: {count} bits needed, {self.left} left."
            )
        bits = self.bits[self.place : self.place + count]
        self.place += count
        return bits

    def integer(self, count: int, name: str) -> int:
        """Return an unsigned whole number."""
        return int(self.take(count, name), 2)

    def flag(self, name: str) -> bool:
        """Return one bit."""
        return self.take(1, name) == "1"

    def numbers(self, count: int, name: str) -> list[int]:
        """Return the positions, from 1, of the ones in a bit field."""
        bits = self.take(count, name)
        return [i for i, bit in enumerate(bits, 1) if bit == "1"]

    def letters(self, name: str) -> str:
        """Return two capital letters of 6 bits each."""
        codes = [self.integer(6, name), self.integer(6, name)]
        if max(codes) > 25:
            raise SignalError(f"The {self.what} has no two letters in {name}.")
        return "".join(chr(65 + code) for code in codes)

    def fibonacci(self, name: str) -> int:
        """Return a whole number from 1 in Fibonacci coding."""
        number, last = 0, "0"
        for step in _FIBONACCI:
            bit = self.take(1, name)
            if bit == "1":
                if last == "1":
                    return number
                number += step
            last = bit
        raise SignalError(f"The {self.what} has too long a Fibonacci code in {name}.")

    def finish(self) -> None:
        """Refuse anything but zeros after the last field."""
        if "1" in self.bits[self.place :]:
            raise SignalError(
                f"The {self.what} has bits set after its last field; its parts do not fit."
            )


class BitWriter:
    """Writes fields from the left."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def integer(self, value: int, count: int, name: str) -> None:
        """Add an unsigned whole number."""
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << count:
            raise SignalError(
                f"{name} is {value!r}; a whole number from 0 to {(1 << count) - 1} is accepted."
            )
        self.parts.append(f"{value:0{count}b}")

    def flag(self, value: bool, name: str) -> None:
        """Add one bit."""
        if not isinstance(value, bool):
            raise SignalError(f"{name} is {value!r}; True or False is accepted.")
        self.parts.append("1" if value else "0")

    def numbers(self, values: Iterable[int], count: int, name: str) -> None:
        """Add a bit field with ones at the given positions, from 1."""
        bits = ["0"] * count
        for value in numbers(values, name, count):
            bits[value - 1] = "1"
        self.parts.append("".join(bits))

    def letters(self, value: str, name: str) -> None:
        """Add two letters."""
        if (
            not isinstance(value, str)
            or len(value) != 2
            or not value.isascii()
            or not value.isalpha()
        ):
            raise SignalError(f"{name} is {value!r}; two letters such as EN are accepted.")
        for letter in value.upper():
            self.integer(ord(letter) - 65, 6, name)

    def raw(self, bits: str) -> None:
        """Add bits as they are."""
        self.parts.append(bits)

    def text(self) -> str:
        """Return the fields in base64, padded to whole bytes with zeros."""
        bits = "".join(self.parts)
        bits += "0" * (-len(bits) % 8)
        bits += "0" * (-len(bits) % 6)
        return "".join(_ALPHABET[int(bits[i : i + 6], 2)] for i in range(0, len(bits), 6))


def numbers(values: Iterable[int], name: str, highest: int) -> list[int]:
    """Return sorted distinct whole numbers from 1 to `highest`, or refuse."""
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
    return sorted(found)


def fibonacci_code(value: int) -> str:
    """Return a whole number from 1 in Fibonacci coding.

    Examples
    --------
    >>> [fibonacci_code(number) for number in (1, 2, 3, 4, 5)]
    ['11', '011', '0011', '1011', '00011']
    """
    top = max(i for i, step in enumerate(_FIBONACCI) if step <= value)
    bits = ["0"] * (top + 1)
    for i in range(top, -1, -1):
        if _FIBONACCI[i] <= value:
            value -= _FIBONACCI[i]
            bits[i] = "1"
    return "".join(bits) + "1"
