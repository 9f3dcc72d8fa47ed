"""The US Privacy string, four characters; superseded by the GPP, still met.

References
----------
IAB Tech Lab, *US Privacy String*, version 1 (uspv1).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ethicalai_lab.consent.errors import SignalError

__all__ = ["USPrivacy", "decode", "encode"]


class USPrivacy(NamedTuple):
    """Fields of a US Privacy string.

    Attributes
    ----------
    version : int
    notice : {"Y", "N", "-"}
        Whether notice and the chance to opt out were given; "-" does not apply.
    optOutSale, lspaCovered : {"Y", "N", "-"}
    """

    version: int = 1
    notice: str = "-"
    optOutSale: str = "-"
    lspaCovered: str = "-"

    @property
    def opted_out(self) -> bool:
        """Whether the person opted out of sale; "-" and "N" are no opt-out, and no consent."""
        return self.optOutSale == "Y"


def decode(text: str) -> USPrivacy:
    """Read a US Privacy string.

    Raises
    ------
    SignalError
        If it has another length, version or letter.

    Examples
    --------
    >>> decode("1YYN").opted_out
    True
    """
    if not isinstance(text, str) or not re.fullmatch("1[YN-]{3}", text, re.IGNORECASE):
        raise SignalError(
            f"The US Privacy string is {text!r}; version 1 is read, four characters as in 1YNN: "
            "Y, N and - are accepted."
        )
    return USPrivacy(1, *text[1:].upper())


def encode(notice: str = "-", optOutSale: str = "-", lspaCovered: str = "-") -> str:
    """Write a US Privacy string.

    Examples
    --------
    >>> encode("Y", "N", "N")
    '1YNN'
    """
    decode(text := f"1{notice}{optOutSale}{lspaCovered}")
    return text
