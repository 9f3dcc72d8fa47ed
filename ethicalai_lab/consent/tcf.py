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

import dataclasses
import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from ethicalai_lab.consent._bits import BitReader, BitWriter, numbers
from ethicalai_lab.consent.errors import SignalError
from ethicalai_lab.consent.purposes import TCF_CONSENT_ONLY, TCF_PURPOSES
from ethicalai_lab.core.times import read_moment

__all__ = [
    "PublisherRestriction",
    "TCString",
    "VendorAnswer",
    "decode",
    "encode",
    "may_process",
    "version",
]

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_CORE, _DISCLOSED, _ALLOWED, _PUBLISHER = range(4)
HIGHEST_VENDOR = (1 << 16) - 1
RESTRICTIONS = ("not_allowed", "require_consent", "require_legitimate_interest")


@dataclass(frozen=True)
class PublisherRestriction:
    """A publisher's restriction of a purpose for some vendors.

    Attributes
    ----------
    purposeId : int
        From 1 to 63.
    restrictionType : int
        0 the purpose is not allowed, 1 it requires consent, 2 it requires legitimate
        interest.
    vendorIds : tuple of int
    """

    purposeId: int
    restrictionType: int
    vendorIds: tuple[int, ...]


@dataclass(frozen=True)
class TCString(Mapping[str, Any]):
    """The fields of a TC string, named as the specification names them.

    Fields can be read as attributes or as keys. Lists hold the numbers of what is set.
    Times are texts in ISO 8601, UTC. ``vendorsDisclosed``, ``vendorsAllowed`` and the
    ``pub...`` fields are None where their segment is absent.
    """

    version: int = 2
    created: str | None = None
    lastUpdated: str | None = None
    cmpId: int = 0
    cmpVersion: int = 0
    consentScreen: int = 0
    consentLanguage: str = "EN"
    vendorListVersion: int = 0
    tcfPolicyVersion: int = 5
    isServiceSpecific: bool = True
    useNonStandardTexts: bool = False
    specialFeatureOptIns: list[int] = field(default_factory=list)
    purposesConsent: list[int] = field(default_factory=list)
    purposesLITransparency: list[int] = field(default_factory=list)
    purposeOneTreatment: bool = False
    publisherCC: str = "AA"
    vendorConsents: list[int] = field(default_factory=list)
    vendorLegitimateInterests: list[int] = field(default_factory=list)
    publisherRestrictions: list[PublisherRestriction] = field(default_factory=list)
    vendorsDisclosed: list[int] | None = None
    vendorsAllowed: list[int] | None = None
    pubPurposesConsent: list[int] | None = None
    pubPurposesLITransparency: list[int] | None = None
    numCustomPurposes: int | None = None
    customPurposesConsent: list[int] | None = None
    customPurposesLITransparency: list[int] | None = None

    def __getitem__(self, name: str) -> Any:
        if name not in _FIELDS:
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(_FIELDS)

    def __len__(self) -> int:
        return len(_FIELDS)

    @property
    def problems(self) -> tuple[str, ...]:
        """What the framework's own rules say against this string; empty where nothing."""
        found = []
        if self.tcfPolicyVersion >= 4:
            banned = [p for p in self.purposesLITransparency if p in (3, 4, 5, 6)]
            if banned:
                found.append(
                    f"purposesLITransparency sets {banned}; since v2.2 purposes 3 to 6 take "
                    "consent only."
                )
            if not self.isServiceSpecific:
                found.append("isServiceSpecific is false; vendors take such a string as invalid.")
            if self.created != self.lastUpdated:
                found.append("created and lastUpdated differ; since v2.2 they are equal.")
            if self.lastUpdated and "T00:00:00Z" not in self.lastUpdated:
                found.append("lastUpdated has a time of day; since v2.2 only the day is told.")
        if 1 in self.purposesLITransparency:
            found.append("purposesLITransparency sets 1; purpose 1 takes consent only.")
        if self.tcfPolicyVersion >= 5 and self.vendorsDisclosed is None:
            found.append("The segment of disclosed vendors is missing; v2.3 requires it.")
        if self.vendorsDisclosed is not None:
            shown = set(self.vendorsDisclosed)
            for name in ("vendorConsents", "vendorLegitimateInterests"):
                hidden = sorted(set(self[name]) - shown)
                if hidden:
                    found.append(
                        f"{name} sets {_some(hidden)}, which vendorsDisclosed does not name: no "
                        "choice can be made about a vendor that was not shown."
                    )
        found += self._restriction_problems()
        return tuple(found)

    def _restriction_problems(self) -> list[str]:
        found: list[str] = []
        vendors: dict[int, dict[int, set[int]]] = {}
        for one in self.publisherRestrictions:
            if one.restrictionType == 2 and one.purposeId in _consent_only(self):
                found.append(
                    f"publisherRestrictions require legitimate interest for purpose "
                    f"{one.purposeId}, which takes consent only."
                )
            kinds = vendors.setdefault(one.purposeId, {})
            kinds.setdefault(one.restrictionType, set()).update(one.vendorIds)
        for purpose, kinds in vendors.items():
            for one, other in combinations(kinds.values(), 2):
                if one & other:
                    found.append(
                        f"publisherRestrictions contradict themselves on purpose {purpose} for "
                        f"vendors {_some(sorted(one & other))}."
                    )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return dataclasses.asdict(self)


_FIELDS = tuple(f.name for f in dataclasses.fields(TCString))


@dataclass(frozen=True)
class VendorAnswer:
    """Whether a string lets a vendor process data for a purpose.

    Attributes
    ----------
    permitted : bool
    basis : {"consent", "legitimate_interest"} or None
        What the permission rests on.
    because : str
        One sentence.
    contradictions : tuple of str
        Where the string contradicts itself about this vendor and purpose, or breaks the
        framework's rules for it; empty where nothing.
    """

    permitted: bool
    basis: str | None
    because: str
    contradictions: tuple[str, ...] = ()


def may_process(
    signal: TCString | str,
    vendor: int,
    purpose: int,
    *,
    registered: str | None = None,
    flexible: bool = False,
) -> VendorAnswer:
    """Say whether a vendor may process data for a purpose, by a TC string.

    Parameters
    ----------
    signal : TCString or str
    vendor : int
        Number on the global vendor list, from 1 on.
    purpose : int
        From 1 to 11.
    registered : {"consent", "legitimate_interest"}, optional
        The basis that the vendor registered for the purpose, which stands on the vendor list
        and not in the string. By default either counts that the string carries.
    flexible : bool, default False
        Whether the vendor registered the purpose as flexible: a publisher's restriction can
        then change the basis.

    Returns
    -------
    VendorAnswer

    Raises
    ------
    SignalError
        If the string is malformed, or vendor, purpose or basis is not accepted.

    Notes
    -----
    Both must be set, the purpose's bit and the vendor's, for consent as for legitimate
    interest. A restriction of type 0 forbids the purpose whatever was registered; types 1
    and 2 require a basis, and who is not flexible and registered another may not process.
    Purpose 1 takes consent only, and purposes 3 to 6 since v2.2. A vendor that was not
    disclosed may do nothing (v2.3); nor may anybody by a string of global scope since v2.2.

    References
    ----------
    IAB Tech Lab, *Consent string and vendor list formats v2*: what are publisher
    restrictions; disclosed vendors.

    Examples
    --------
    >>> from ethicalai_lab.consent import tcf
    >>> text = tcf.encode(lastUpdated="2026-01-12", purposesConsent=[1, 3], vendorConsents=[2],
    ...                   purposesLITransparency=[7], vendorLegitimateInterests=[2],
    ...                   vendorsDisclosed=[2])
    >>> tcf.may_process(text, vendor=2, purpose=3).basis
    'consent'
    >>> tcf.may_process(text, vendor=2, purpose=7, registered="consent").because
    'The user gave no consent to purpose 7.'
    >>> tcf.may_process(text, vendor=9, purpose=3).permitted
    False
    """
    if isinstance(signal, str):
        signal = decode(signal)
    vendor = numbers([vendor], "vendor", HIGHEST_VENDOR)[0]
    if isinstance(purpose, bool) or purpose not in TCF_PURPOSES:
        raise SignalError(f"purpose is {purpose!r}; purposes from 1 to 11 are accepted.")
    if registered is not None and registered not in _SIGNALS:
        raise SignalError(f"registered is {registered!r}; accepted are {', '.join(_SIGNALS)}.")
    kinds = {
        one.restrictionType
        for one in signal.publisherRestrictions
        if one.purposeId == purpose and vendor in one.vendorIds
    }
    odd = tuple(_contradictions(signal, vendor, purpose, kinds))
    barred = _barred(signal, vendor, purpose, kinds)
    if barred:
        return VendorAnswer(False, None, barred, odd)
    required = {1: "consent", 2: "legitimate_interest"}.get(next(iter(kinds), 0))
    if required and registered not in (None, required) and not flexible:
        words = [name.replace("_", " ") for name in (required, registered)]
        because = f"The publisher requires {words[0]}, and the vendor registered {words[1]} only."
        return VendorAnswer(False, None, because, odd)
    basis = required or registered
    missing = []
    for name in _SIGNALS if basis is None else (basis,):
        lacks = _lacks(signal, vendor, purpose, name)
        if not lacks:
            because = f"The string carries {name.replace('_', ' ')} for purpose and vendor."
            return VendorAnswer(True, name, because, odd)
        missing.append(lacks)
    return VendorAnswer(False, None, " ".join(missing), odd)


# basis -> the fields that carry it, of the purpose and of the vendor
_SIGNALS = {
    "consent": ("purposesConsent", "vendorConsents"),
    "legitimate_interest": ("purposesLITransparency", "vendorLegitimateInterests"),
}


def _consent_only(signal: TCString) -> tuple[int, ...]:
    return TCF_CONSENT_ONLY if signal.tcfPolicyVersion >= 4 else (1,)


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
    of_purpose, of_vendor = _SIGNALS[basis]
    if basis == "consent":
        if purpose not in signal[of_purpose]:
            unasked = purpose == 1 and signal.purposeOneTreatment
            return (
                f"Purpose 1 was not put to the user; the law of {signal.publisherCC} decides."
                if unasked
                else f"The user gave no consent to purpose {purpose}."
            )
        if vendor not in signal[of_vendor]:
            return f"The user gave no consent to vendor {vendor}."
        return None
    if purpose in _consent_only(signal):
        return f"Purpose {purpose} takes consent only."
    if purpose not in signal[of_purpose]:
        return f"No legitimate interest stands for purpose {purpose}."
    if vendor not in signal[of_vendor]:
        return f"No legitimate interest stands for vendor {vendor}."
    return None


def _contradictions(signal: TCString, vendor: int, purpose: int, kinds: set[int]) -> Iterator[str]:
    """Yield where the string contradicts itself about a vendor and a purpose."""
    set_for = [name for _, name in _SIGNALS.values() if vendor in signal[name]]
    if signal.vendorsDisclosed is not None and vendor not in signal.vendorsDisclosed and set_for:
        yield f"Vendor {vendor} is set in {' and '.join(set_for)} and was not disclosed."
    if purpose in _consent_only(signal):
        if purpose in signal.purposesLITransparency:
            yield f"purposesLITransparency sets purpose {purpose}, which takes consent only."
        if 2 in kinds:
            yield (
                f"The publisher requires legitimate interest for purpose {purpose}, which takes "
                "consent only."
            )
    if len(kinds) > 1:
        words = " and ".join(RESTRICTIONS[kind] for kind in sorted(kinds))
        yield f"The publisher restricts purpose {purpose} in two ways: {words}."
    if purpose == 1 and signal.purposeOneTreatment and 1 in signal.purposesConsent:
        yield "purposeOneTreatment says that purpose 1 was not put to the user, who consented to it."


def _some(values: list[int]) -> str:
    shown = ", ".join(map(str, values[:5]))
    return shown if len(values) <= 5 else f"{shown} and {len(values) - 5} more"


def version(text: str) -> int:
    """Return the version in a string's first 6 bits, without reading the rest.

    Examples
    --------
    >>> version("COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA")
    2
    """
    return BitReader(_checked(text).split(".")[0], "TC string").integer(6, "Version")


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
    core, *others = _checked(text).split(".")
    fields = _read_core(BitReader(core, "TC string"))
    seen: set[int] = set()
    for part in others:
        reader = BitReader(part, "TC string's further segment")
        kind = reader.integer(3, "SegmentType")
        if kind in seen or kind == _CORE:
            raise SignalError(f"The TC string has segment type {kind} twice; one each is accepted.")
        seen.add(kind)
        if kind == _DISCLOSED:
            fields["vendorsDisclosed"] = _read_vendors(reader, "DisclosedVendors")
        elif kind == _ALLOWED:
            fields["vendorsAllowed"] = _read_vendors(reader, "AllowedVendors")
        elif kind == _PUBLISHER:
            _read_publisher(reader, fields)
        else:
            raise SignalError(
                f"The TC string has a segment of type {kind}; 1 (disclosed vendors), 2 (allowed "
                "vendors) and 3 (publisher) are accepted."
            )
        reader.finish()
    return TCString(**fields)


def encode(fields: Mapping[str, Any] | None = None, *, strict: bool = True, **named: Any) -> str:
    """Write a TC string.

    Parameters
    ----------
    fields : TCString or mapping, optional
        Values by field name.
    strict : bool, default True
        Refuse what breaks the framework's rules for the given policy version; without it
        only the format binds.
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
        If a field is unknown or out of range.

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
    values = {**(dict(fields) if fields is not None else {}), **named}
    for name in values:
        if name not in _FIELDS:
            from ethicalai_lab.errors import did_you_mean

            raise SignalError(f'TC strings have no field "{name}".{did_you_mean(name, _FIELDS)}')
    if values.get("lastUpdated") is None:
        raise SignalError("lastUpdated is missing; the day on which the string was updated.")
    if values.get("created") is None:
        values["created"] = values["lastUpdated"]
    ticks = {name: _ticks(values[name], name) for name in ("created", "lastUpdated")}
    values |= {name: _iso(tick) for name, tick in ticks.items()}
    signal = TCString(**values)
    if signal.version != 2:
        raise SignalError(f"version is {signal.version!r}; version 2 is written.")
    core = _write_core(signal, ticks)
    segments = [core]
    for kind, name in ((_DISCLOSED, "vendorsDisclosed"), (_ALLOWED, "vendorsAllowed")):
        if signal[name] is not None:
            writer = BitWriter()
            writer.integer(kind, 3, "SegmentType")
            _write_vendors(writer, signal[name], name)
            segments.append(writer.text())
    if any(signal[name] is not None for name in _FIELDS[-5:]):
        segments.append(_write_publisher(signal))
    # normalised once more, so that the rules see sorted numbers
    text = ".".join(segments)
    problems = decode(text).problems
    if strict and problems:
        raise SignalError(problems[0])
    return text


def _checked(text: Any) -> str:
    if not isinstance(text, str) or not text:
        raise SignalError("The TC string is empty; a text such as COty... is accepted.")
    return text


def _read_core(reader: BitReader) -> dict[str, Any]:
    number = reader.integer(6, "Version")
    if number != 2:
        hint = " (the framework retired it in 2020)" if number == 1 else ""
        raise SignalError(f"The TC string is of version {number}{hint}; version 2 is read.")
    fields: dict[str, Any] = {"version": number}
    fields["created"] = _iso(reader.integer(36, "Created"))
    fields["lastUpdated"] = _iso(reader.integer(36, "LastUpdated"))
    fields["cmpId"] = reader.integer(12, "CmpId")
    fields["cmpVersion"] = reader.integer(12, "CmpVersion")
    fields["consentScreen"] = reader.integer(6, "ConsentScreen")
    fields["consentLanguage"] = reader.letters("ConsentLanguage")
    fields["vendorListVersion"] = reader.integer(12, "VendorListVersion")
    fields["tcfPolicyVersion"] = reader.integer(6, "TcfPolicyVersion")
    fields["isServiceSpecific"] = reader.flag("IsServiceSpecific")
    fields["useNonStandardTexts"] = reader.flag("UseNonStandardTexts")
    fields["specialFeatureOptIns"] = reader.numbers(12, "SpecialFeatureOptIns")
    fields["purposesConsent"] = reader.numbers(24, "PurposesConsent")
    fields["purposesLITransparency"] = reader.numbers(24, "PurposesLITransparency")
    fields["purposeOneTreatment"] = reader.flag("PurposeOneTreatment")
    fields["publisherCC"] = reader.letters("PublisherCC")
    fields["vendorConsents"] = _read_vendors(reader, "Vendor Consent Section")
    fields["vendorLegitimateInterests"] = _read_vendors(
        reader, "Vendor Legitimate Interest Section"
    )
    restrictions = []
    for _ in range(reader.integer(12, "NumPubRestrictions")):
        purpose = reader.integer(6, "PurposeId")
        kind = reader.integer(2, "RestrictionType")
        if purpose == 0 or kind == 3:
            raise SignalError(
                f"The TC string restricts purpose {purpose} with type {kind}; purposes from 1 and "
                "types 0 to 2 are accepted."
            )
        vendors = _read_range(reader, HIGHEST_VENDOR, "PubRestrictions")
        restrictions.append(PublisherRestriction(purpose, kind, tuple(vendors)))
    fields["publisherRestrictions"] = restrictions
    reader.finish()
    return fields


def _read_vendors(reader: BitReader, name: str) -> list[int]:
    highest = reader.integer(16, f"MaxVendorId of {name}")
    if reader.flag(f"IsRangeEncoding of {name}"):
        return _read_range(reader, highest, name)
    return reader.numbers(highest, f"BitField of {name}")


def _read_range(reader: BitReader, highest: int, name: str) -> list[int]:
    # a bit a vendor: overlapping ranges cannot make the list longer than the number space
    marks = bytearray(HIGHEST_VENDOR + 2)
    for _ in range(reader.integer(12, f"NumEntries of {name}")):
        ranged = reader.flag(f"IsARange of {name}")
        first = reader.integer(16, f"StartOrOnlyVendorId of {name}")
        last = reader.integer(16, f"EndVendorId of {name}") if ranged else first
        if not 1 <= first <= last <= highest:
            raise SignalError(
                f"The TC string has vendors {first} to {last} in {name}, where numbers from 1 to "
                f"{highest} in ascending order are accepted."
            )
        marks[first : last + 1] = b"\x01" * (last - first + 1)
    return [vendor for vendor, mark in enumerate(marks) if mark]


def _read_publisher(reader: BitReader, fields: dict[str, Any]) -> None:
    fields["pubPurposesConsent"] = reader.numbers(24, "PubPurposesConsent")
    fields["pubPurposesLITransparency"] = reader.numbers(24, "PubPurposesLITransparency")
    count = reader.integer(6, "NumCustomPurposes")
    fields["numCustomPurposes"] = count
    fields["customPurposesConsent"] = reader.numbers(count, "CustomPurposesConsent")
    fields["customPurposesLITransparency"] = reader.numbers(count, "CustomPurposesLITransparency")


def _write_core(signal: TCString, ticks: dict[str, int]) -> str:
    writer = BitWriter()
    writer.integer(2, 6, "version")
    writer.integer(ticks["created"], 36, "created")
    writer.integer(ticks["lastUpdated"], 36, "lastUpdated")
    writer.integer(signal.cmpId, 12, "cmpId")
    writer.integer(signal.cmpVersion, 12, "cmpVersion")
    writer.integer(signal.consentScreen, 6, "consentScreen")
    writer.letters(signal.consentLanguage, "consentLanguage")
    writer.integer(signal.vendorListVersion, 12, "vendorListVersion")
    writer.integer(signal.tcfPolicyVersion, 6, "tcfPolicyVersion")
    writer.flag(signal.isServiceSpecific, "isServiceSpecific")
    writer.flag(signal.useNonStandardTexts, "useNonStandardTexts")
    writer.numbers(signal.specialFeatureOptIns, 12, "specialFeatureOptIns")
    writer.numbers(signal.purposesConsent, 24, "purposesConsent")
    writer.numbers(signal.purposesLITransparency, 24, "purposesLITransparency")
    writer.flag(signal.purposeOneTreatment, "purposeOneTreatment")
    writer.letters(signal.publisherCC, "publisherCC")
    _write_vendors(writer, signal.vendorConsents, "vendorConsents")
    _write_vendors(writer, signal.vendorLegitimateInterests, "vendorLegitimateInterests")
    writer.integer(len(signal.publisherRestrictions), 12, "publisherRestrictions")
    for item in signal.publisherRestrictions:
        if isinstance(item, Mapping):
            item = PublisherRestriction(**item)
        if not isinstance(item, PublisherRestriction) or item.restrictionType not in (0, 1, 2):
            raise SignalError(
                f"publisherRestrictions holds {item!r}; a PublisherRestriction of type 0, 1 or 2 "
                "is accepted."
            )
        numbers([item.purposeId], "purposeId", 63)
        writer.integer(item.purposeId, 6, "purposeId")
        writer.integer(item.restrictionType, 2, "restrictionType")
        writer.raw(_range_bits(numbers(item.vendorIds, "vendorIds", HIGHEST_VENDOR)))
    return writer.text()


def _write_publisher(signal: TCString) -> str:
    writer = BitWriter()
    writer.integer(_PUBLISHER, 3, "SegmentType")
    writer.numbers(signal.pubPurposesConsent or (), 24, "pubPurposesConsent")
    writer.numbers(signal.pubPurposesLITransparency or (), 24, "pubPurposesLITransparency")
    consent = list(signal.customPurposesConsent or ())
    interest = list(signal.customPurposesLITransparency or ())
    count = signal.numCustomPurposes
    count = max([0, *consent, *interest]) if count is None else count
    writer.integer(count, 6, "numCustomPurposes")
    writer.numbers(consent, count, "customPurposesConsent")
    writer.numbers(interest, count, "customPurposesLITransparency")
    return writer.text()


def _write_vendors(writer: BitWriter, values: Any, name: str) -> None:
    vendors = numbers(values, name, HIGHEST_VENDOR)
    highest = vendors[-1] if vendors else 0
    writer.integer(highest, 16, name)
    bits = _range_bits(vendors) if vendors else None
    if bits is None or len(bits) >= highest:  # the smaller encoding, as the format asks
        writer.flag(False, name)
        writer.numbers(vendors, highest, name)
    else:
        writer.flag(True, name)
        writer.raw(bits)


def _range_bits(vendors: list[int]) -> str | None:
    runs: list[list[int]] = []
    for vendor in vendors:
        if runs and vendor == runs[-1][1] + 1:
            runs[-1][1] = vendor
        else:
            runs.append([vendor, vendor])
    if len(runs) >= 1 << 12:
        return None
    writer = BitWriter()
    writer.integer(len(runs), 12, "NumEntries")
    for first, last in runs:
        writer.flag(first != last, "IsARange")
        writer.integer(first, 16, "StartOrOnlyVendorId")
        if first != last:
            writer.integer(last, 16, "EndVendorId")
    return "".join(writer.parts)


def _iso(tick: int) -> str:
    """Return tenths of seconds since 1970 as ISO 8601."""
    moment = _EPOCH + datetime.timedelta(milliseconds=100 * tick)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{tick % 10}Z" if tick % 10 else f"{text}Z"


def _ticks(value: Any, name: str) -> int:
    moment = read_moment(value, name, error=SignalError).to_datetime64()
    tick = int(moment.astype("M8[us]").astype("int64")) // 100_000
    if tick < 0:
        raise SignalError(f"{name} is {value}; times from 1970 on are accepted.")
    return tick
