"""The US Privacy string, four characters; superseded by the GPP, still met.

References
----------
IAB Tech Lab, *US Privacy String*, version 1 (uspv1).
"""

from __future__ import annotations

from dataclasses import dataclass

from ethicalai_lab.consent.errors import SignalError

__all__ = ["USPrivacy", "decode", "encode"]

_ANSWERS = ("Y", "N", "-")


@dataclass(frozen=True)
class USPrivacy:
    """Fields of a US Privacy string.

    Attributes
    ----------
    version : int
    notice : {"Y", "N", "-"}
        Whether notice and the chance to opt out were given; "-" does not apply.
    optOutSale : {"Y", "N", "-"}
    lspaCovered : {"Y", "N", "-"}
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
    if not isinstance(text, str) or len(text) != 4:
        raise SignalError(f"The US Privacy string is {text!r}; four characters as 1YNN are needed.")
    if text[0] != "1":
        raise SignalError(f"The US Privacy string has version {text[0]!r}; version 1 is read.")
    answers = text[1:].upper()
    for letter in answers:
        if letter not in _ANSWERS:
            raise SignalError(f"The US Privacy string holds {letter!r}; Y, N and - are accepted.")
    return USPrivacy(1, *answers)


def encode(notice: str = "-", optOutSale: str = "-", lspaCovered: str = "-") -> str:
    """Write a US Privacy string.

    Examples
    --------
    >>> encode("Y", "N", "N")
    '1YNN'
    """
    for name, value in (
        ("notice", notice),
        ("optOutSale", optOutSale),
        ("lspaCovered", lspaCovered),
    ):
        if value not in _ANSWERS:
            raise SignalError(f"{name} is {value!r}; Y, N and - are accepted.")
    return f"1{notice}{optOutSale}{lspaCovered}"
