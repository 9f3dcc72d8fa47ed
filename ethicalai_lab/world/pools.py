"""Names, numbers and the map that people are drawn from.

Everything is invented or reserved for fiction. Surnames are built from syllables and
dealt to the four groups in turn, so that they carry a group's label in this world and
evoke no group of ours.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np

from ethicalai_lab.world.texts import words

__all__ = ["ascii_lower", "cards", "first_names", "geography", "ibans", "surnames"]


def ascii_lower(text: str) -> str:
    """Return the text in lower case without accents, as an address needs it."""
    plain = unicodedata.normalize("NFKD", text.lower())
    return "".join(c for c in plain if c.isascii() and c.isalnum())


@lru_cache(maxsize=1)
def first_names() -> tuple[tuple[str, ...], ...]:
    """Return the first names of women, of men, and of those who are neither."""
    return words("female_names"), words("male_names"), words("neutral_names")


@lru_cache(maxsize=1)
def surnames() -> tuple[tuple[str, ...], ...]:
    """Return four tuples of invented surnames, one a group, of one and the same make."""
    heads, tails = words("surname_heads"), words("surname_tails")
    dealt: list[list[str]] = [[], [], [], []]
    for row, head in enumerate(heads):
        for step in range(8):
            tail = tails[(3 * row + 5 * step) % len(tails)]
            dealt[(row + step) % 4].append(head + tail)
    return tuple(tuple(names) for names in dealt)


class Geography:
    """The land: postcodes with region, district, affluence and the groups' quarters.

    It is a map, not a draw: the same in each world.
    """

    def __init__(self) -> None:
        # an additive sequence spreads the values evenly and needs no generator
        regions, districts, quarters = 6, 12, 8
        count = regions * districts * quarters
        index = np.arange(count)
        self.region = (index // (districts * quarters)).astype(np.int8)
        self.district = index // quarters
        district_wealth = (self.district * 0.6180339887) % 1.0
        quarter_wealth = (index * 0.7548776662) % 1.0
        # standardised: mean about 0, standard deviation about 1
        self.affluence = np.round(3.0 * (district_wealth - 0.5) + 1.6 * (quarter_wealth - 0.5), 4)
        self.size = np.round(1.0 / (1.0 + 6.0 * ((index * 0.5698402910) % 1.0)), 4)
        self.codes = [
            f"{region + 1}{district % districts + 10:02d}{quarter * 11 + 10:02d}"
            for region, district, quarter in zip(
                self.region, self.district, index % quarters, strict=True
            )
        ]
        # each group is at home in some quarters; C and D mostly in the less affluent ones
        pull = (index * 0.8191725134) % 1.0
        home = np.empty((4, count))
        home[0] = np.exp(0.3 * self.affluence)
        home[1] = np.where(pull < 0.35, 6.0, 0.6)
        home[2] = np.where(pull > 0.70, 8.0, 0.4) * np.exp(-0.7 * self.affluence)
        home[3] = np.where((pull > 0.4) & (pull < 0.65), 10.0, 0.4) * np.exp(-0.6 * self.affluence)
        self.home = home


@lru_cache(maxsize=1)
def geography() -> Geography:
    """Return the one map of the land."""
    return Geography()


def _luhn_digit(digits: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str((10 - total % 10) % 10)


@lru_cache(maxsize=1)
def cards() -> tuple[str, ...]:
    """Return card numbers of the kind used for testing: valid check digit, no account."""
    made = []
    for number in range(120):
        digits = f"40000000{(number * 37 + 11) % 10**4:04d}{number * 7 % 1000:03d}"
        digits += _luhn_digit(digits)
        if number % 3 == 0:
            made.append(digits)
        else:
            made.append(
                (" " if number % 3 == 1 else "-").join(digits[i : i + 4] for i in (0, 4, 8, 12))
            )
    return tuple(made)


@lru_cache(maxsize=1)
def ibans() -> tuple[str, ...]:
    """Return account numbers with a valid checksum at a bank code that no bank has."""
    made = []
    for number in range(120):
        account = f"00000000{number * 97 + 13:010d}"
        check = 98 - int(account + "131400") % 97  # "DE00" as digits: D = 13, E = 14
        text = f"DE{check:02d}{account}"
        made.append(text if number % 2 else " ".join(text[i : i + 4] for i in range(0, 22, 4)))
    return tuple(made)
