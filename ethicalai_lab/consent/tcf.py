"""Consent strings of the IAB Transparency & Consent Framework (TCF), v2.0 to v2.3.

Read and written bit by bit after the published format. A string carries what a banner
recorded; it is no proof that the recording was lawful, and can itself be personal data.
:func:`may_process` says what it lets a vendor do.

References
----------
IAB Tech Lab, *Consent string and vendor list formats v2*; TCF v2.2 (May 2023: no
legitimate interest for purposes 3 to 6) and v2.3 (April 2025: the segment of disclosed
vendors is mandatory).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple

from ethicalai_lab.consent import data
from ethicalai_lab.consent.bits import HIGHEST_VENDOR, BitReader, BitWriter
from ethicalai_lab.consent.errors import SignalError
from ethicalai_lab.core.checks import check_value, checked, whole
from ethicalai_lab.errors import did_you_mean

__all__ = ["PURPOSES", "TCString", "VendorAnswer", "decode", "encode", "may_process"]

_FORMAT = data.read("signals")["tcf"]
_CORE, _SEGMENTS = _FORMAT["core"], _FORMAT["segments"]
PURPOSES: dict[int, str] = _FORMAT["purposes"]
_LATER = [name for segment in _SEGMENTS.values() for name in segment]
_EMPTY = {"number": 0, "flag": False, "members": [], "vendors": [], "restrictions": []}


def _empty(layout: Mapping[str, str]) -> dict[str, Any]:
    return {name: _EMPTY.get(kind.split()[0]) for name, kind in layout.items()}


_USUAL = _empty(_CORE) | _FORMAT["usual"] | dict.fromkeys(_LATER)


class TCString(dict[str, Any]):
    """The fields of a TC string, named as the specification names them.

    Fields can be read as keys or as attributes. Lists hold the numbers of what is set.
    Times are texts in ISO 8601, UTC. The fields of a segment that is absent are None.
    """

    def __init__(self, **fields: Any) -> None:
        super().__init__(_USUAL | fields)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def problems(self) -> tuple[str, ...]:
        """What the framework's own rules say against this string; empty where nothing."""
        return (*self._policy_problems(), *self._vendor_problems(), *self._restriction_problems())

    def _policy_problems(self) -> Iterator[str]:
        if self.tcfPolicyVersion >= 4:
            if banned := [p for p in self.purposesLITransparency if p in (3, 4, 5, 6)]:
                yield (
                    f"purposesLITransparency sets {banned}; since v2.2 purposes 3 to 6 take "
                    "consent only."
                )
            if not self.isServiceSpecific:
                yield "isServiceSpecific is false; vendors take such a string as invalid."
            if self.created != self.lastUpdated:
                yield "created and lastUpdated differ; since v2.2 they are equal."
            if self.lastUpdated and "T00:00:00Z" not in self.lastUpdated:
                yield "lastUpdated has a time of day; since v2.2 only the day is told."
        if 1 in self.purposesLITransparency:
            yield "purposesLITransparency sets 1; purpose 1 takes consent only."

    def _vendor_problems(self) -> Iterator[str]:
        if self.vendorsDisclosed is None:
            if self.tcfPolicyVersion >= 5:
                yield "The segment of disclosed vendors is missing; v2.3 requires it."
            return
        for name in ("vendorConsents", "vendorLegitimateInterests"):
            if hidden := sorted(set(self[name]) - set(self.vendorsDisclosed)):
                yield (
                    f"{name} sets {_some(hidden)}, which vendorsDisclosed does not name: no "
                    "choice can be made about a vendor that was not shown."
                )

    def _restriction_problems(self) -> Iterator[str]:
        for one in self.publisherRestrictions:
            if one["restrictionType"] == 2 and one["purposeId"] in _consent_only(self):
                yield (
                    f"publisherRestrictions require legitimate interest for purpose "
                    f"{one['purposeId']}, which takes consent only."
                )
        for one, other in combinations(self.publisherRestrictions, 2):
            both = set(one["vendorIds"]) & set(other["vendorIds"])
            if (
                both
                and one["purposeId"] == other["purposeId"]
                and one["restrictionType"] != other["restrictionType"]
            ):
                yield (
                    f"publisherRestrictions contradict themselves on purpose {one['purposeId']} "
                    f"for vendors {_some(sorted(both))}."
                )


class VendorAnswer(NamedTuple):
    """Whether a string lets a vendor process data for a purpose.

    Attributes
    ----------
    permitted : bool
    basis : {"consent", "legitimate_interest"} or None
        What the permission rests on.
    because : str
        One sentence.
    """

    permitted: bool
    basis: str | None
    because: str


@checked(SignalError)
def may_process(
    signal: TCString | str, vendor: whole(1, HIGHEST_VENDOR), purpose: whole(1, len(PURPOSES))
) -> VendorAnswer:
    """Say whether a vendor may process data for a purpose, by a TC string.

    Parameters
    ----------
    signal : TCString or str
    vendor : int
        Number on the global vendor list, from 1 on.
    purpose : int
        From 1 to 11.

    Returns
    -------
    VendorAnswer

    Raises
    ------
    SignalError
        If the string is malformed, or vendor or purpose is not accepted.

    Notes
    -----
    Both must be set, the purpose's bit and the vendor's, for consent as for legitimate
    interest; which of the two a vendor has registered stands on the vendor list, not in the
    string. A restriction of type 0 forbids the purpose; types 1 and 2 require a basis.
    Purpose 1 takes consent only, and purposes 3 to 6 since v2.2. A vendor that was not
    disclosed may do nothing (v2.3); nor may anybody by a string of global scope since v2.2.

    Examples
    --------
    >>> from ethicalai_lab.consent import tcf
    >>> text = tcf.encode(lastUpdated="2026-01-12", purposesConsent=[1, 3], vendorConsents=[2],
    ...                   vendorsDisclosed=[2])
    >>> tcf.may_process(text, vendor=2, purpose=3).basis
    'consent'
    >>> tcf.may_process(text, vendor=9, purpose=3).because
    'Vendor 9 was not disclosed to the user.'
    """
    if isinstance(signal, str):
        signal = decode(signal)
    kinds = {
        one["restrictionType"]
        for one in signal.publisherRestrictions
        if one["purposeId"] == purpose and vendor in one["vendorIds"]
    }
    if barred := _barred(signal, vendor, purpose, kinds):
        return VendorAnswer(False, None, barred)
    required = {1: ("consent",), 2: ("legitimate_interest",)}.get(next(iter(kinds), 0))
    missing = []
    for name in required or _SIGNALS:
        lacks = _lacks(signal, vendor, purpose, name)
        if not lacks:
            because = f"The string carries {name.replace('_', ' ')} for purpose and vendor."
            return VendorAnswer(True, name, because)
        missing.append(lacks)
    return VendorAnswer(False, None, " ".join(missing))


# basis -> the fields that carry it, of the purpose and of the vendor; what is said without it
_SIGNALS = {
    "consent": ("purposesConsent", "vendorConsents", "The user gave no consent to"),
    "legitimate_interest": (
        "purposesLITransparency",
        "vendorLegitimateInterests",
        "No legitimate interest stands for",
    ),
}


def _consent_only(signal: TCString) -> list[int]:
    return _FORMAT["consent_only"] if signal.tcfPolicyVersion >= 4 else [1]


def _barred(signal: TCString, vendor: int, purpose: int, kinds: set[int]) -> str | None:
    """Return what forbids the purpose whatever the user said, or None."""
    if signal.tcfPolicyVersion >= 4 and not signal.isServiceSpecific:
        return "The string is of global scope, which vendors take as invalid since v2.2."
    if signal.vendorsDisclosed is None:
        if signal.tcfPolicyVersion >= 5:
            return "The string does not say which vendors were disclosed, as v2.3 requires."
    elif vendor not in signal.vendorsDisclosed:
        return f"Vendor {vendor} was not disclosed to the user."
    if 0 in kinds:
        return f"The publisher does not allow purpose {purpose} to vendor {vendor}."
    if len(kinds) > 1:
        return f"The publisher requires both bases for purpose {purpose}, which cannot be met."
    return None


def _lacks(signal: TCString, vendor: int, purpose: int, basis: str) -> str | None:
    """Return what is missing of a basis for vendor and purpose, or None."""
    of_purpose, of_vendor, without = _SIGNALS[basis]
    if basis == "legitimate_interest" and purpose in _consent_only(signal):
        return f"Purpose {purpose} takes consent only."
    if purpose not in signal[of_purpose]:
        if basis == "consent" and purpose == 1 and signal.purposeOneTreatment:
            return f"Purpose 1 was not put to the user; the law of {signal.publisherCC} decides."
        return f"{without} purpose {purpose}."
    return None if vendor in signal[of_vendor] else f"{without} vendor {vendor}."


def _some(values: list[int]) -> str:
    shown = ", ".join(map(str, values[:5]))
    return shown if len(values) <= 5 else f"{shown} and {len(values) - 5} more"


def decode(text: str) -> TCString:
    """Read a TC string.

    Parameters
    ----------
    text : str
        Version 2; a core segment and, after dots, optional segments in any order.

    Returns
    -------
    TCString
        What it breaks of the framework's rules is in ``.problems``.

    Raises
    ------
    SignalError
        If the string is malformed or of another version, saying where.

    Examples
    --------
    >>> from ethicalai_lab.consent import tcf
    >>> signal = tcf.decode("COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA")
    >>> signal.cmpId, signal.purposesConsent, signal.created
    (675, [2, 10], '2020-01-26T17:01:00Z')
    """
    core, *others = check_value(text, str, "The TC string", SignalError).split(".")
    number = BitReader(core, "TC string").number(6, "Version")
    if number != 2:
        hint = " (the framework retired it in 2020)" if number == 1 else ""
        raise SignalError(f"The TC string is of version {number}{hint}; version 2 is read.")
    reader = BitReader(core, "TC string")
    signal = TCString(**reader.fields(_CORE))
    reader.finish()
    seen: set[int] = set()
    for part in others:
        reader = BitReader(part, "TC string's further segment")
        kind = reader.number(3, "SegmentType")
        if kind in seen or kind not in _SEGMENTS:
            raise SignalError(
                f"The TC string has a segment of type {kind} too many; 1 (disclosed vendors), 2 "
                "(allowed vendors) and 3 (publisher) are accepted, one each."
            )
        seen.add(kind)
        signal.update(reader.fields(_SEGMENTS[kind]))
        reader.finish()
    return signal


def encode(fields: Mapping[str, Any] | None = None, **named: Any) -> str:
    """Write a TC string.

    Parameters
    ----------
    fields : TCString or mapping, optional
        Values by field name.
    **named
        Further values; they take precedence.

    Returns
    -------
    str
        Version 2. ``lastUpdated`` must be given (the library has no clock of its own);
        ``created`` follows it.

    Raises
    ------
    SignalError
        If a field is unknown or out of range, or the framework's rules are broken.

    Examples
    --------
    >>> from ethicalai_lab.consent import tcf
    >>> text = tcf.encode(lastUpdated="2026-01-12", cmpId=10, purposesConsent=[1, 3],
    ...                   vendorConsents=[2, 700], vendorsDisclosed=[2, 700])
    >>> text
    'CQd6j8AQd6j8AAKAAAENAAFgAKAAAAAAAAAAFeQAgABAK8AAAAAA.IFeQAgABAK8A'
    >>> tcf.decode(text).vendorConsents
    [2, 700]
    """
    values = dict(fields or {}) | named
    for name in values:
        if name not in _USUAL:
            raise SignalError(f'TC strings have no field "{name}".{did_you_mean(name, _USUAL)}')
    if values.get("lastUpdated") is None:
        raise SignalError("lastUpdated is missing; the day on which the string was updated.")
    if values.get("created") is None:
        values["created"] = values["lastUpdated"]
    text = _write(TCString(**values))
    # read again, so that the rules see sorted numbers
    if problems := decode(text).problems:
        raise SignalError(problems[0])
    return text


def _write(signal: TCString) -> str:
    """Return a string that keeps to the format, whatever the framework's rules say."""
    if signal.version != 2:
        raise SignalError(f"version is {signal.version!r}; version 2 is written.")
    writer = BitWriter()
    writer.fields(_CORE, signal)
    parts = [writer.text()]
    for kind, layout in _SEGMENTS.items():
        given = {name: signal[name] for name in layout if signal[name] is not None}
        if given:
            writer = BitWriter()
            writer.number(kind, 3, "SegmentType")
            custom = [*given.get("customPurposesConsent", ())]
            custom += given.get("customPurposesLITransparency", ())
            most = {"numCustomPurposes": max(custom, default=0)}
            writer.fields(layout, _empty(layout) | most | given)
            parts.append(writer.text())
    return ".".join(parts)
