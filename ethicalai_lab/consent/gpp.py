"""The Global Privacy Platform string: a carrier for many regional signals.

Read and written here: the header, the EU's TCF section, the US Privacy section, and the
US sections ``usnat`` to ``usmn`` (ids 7 to 23). Not read: the Canadian section and the
sections 24 to 27 of 2026, whose layout differs; they are handed on as they are, and asking
for their fields says so.

References
----------
IAB Tech Lab, *Global Privacy Platform*: Consent String Specification and the sections'
technical specifications.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ethicalai_lab.consent import tcf, usprivacy
from ethicalai_lab.consent._bits import BitReader, BitWriter, fibonacci_code
from ethicalai_lab.consent.errors import SignalError

__all__ = ["SECTIONS", "GPPString", "decode", "decode_section", "encode", "encode_section"]

SECTIONS = {
    2: "tcfeuv2",
    5: "tcfcav1",
    6: "uspv1",
    7: "usnat",
    8: "usca",
    9: "usva",
    10: "usco",
    11: "usut",
    12: "usct",
    13: "usfl",
    14: "usmt",
    15: "usor",
    16: "ustx",
    17: "usde",
    18: "usia",
    19: "usne",
    20: "usnh",
    21: "usnj",
    22: "ustn",
    23: "usmn",
    24: "usmd",
    25: "usin",
    26: "usky",
    27: "usri",
}
_IDS = {name: number for number, name in SECTIONS.items()}
_TYPE, _VERSION = 3, 1

_MSPA = (
    ("MspaCoveredTransaction", 1),
    ("MspaOptOutOptionMode", 1),
    ("MspaServiceProviderMode", 1),
)
_ADS = ("SaleOptOutNotice", "TargetedAdvertisingOptOutNotice")
_OUT = ("SaleOptOut", "TargetedAdvertisingOptOut")


def _layout(
    notice: str,
    sensitive: int,
    child: int,
    *,
    extra_notice: str | None = None,
    additional: bool = False,
) -> tuple[tuple[str, int], ...]:
    """Return (field, how many answers of two bits) for the states that share a pattern."""
    fields = [(notice, 1)] + [(name, 1) for name in _ADS]
    if extra_notice:
        fields.append((extra_notice, 1))
    fields += [(name, 1) for name in _OUT]
    fields += [("SensitiveDataProcessing", sensitive), ("KnownChildSensitiveDataConsents", child)]
    if additional:
        fields.append(("AdditionalDataProcessingConsent", 1))
    return (*fields, *_MSPA)


def _usnat(sensitive: int, child: int) -> tuple[tuple[str, int], ...]:
    return (
        ("SharingNotice", 1),
        ("SaleOptOutNotice", 1),
        ("SharingOptOutNotice", 1),
        ("TargetedAdvertisingOptOutNotice", 1),
        ("SensitiveDataProcessingOptOutNotice", 1),
        ("SensitiveDataLimitUseNotice", 1),
        ("SaleOptOut", 1),
        ("SharingOptOut", 1),
        ("TargetedAdvertisingOptOut", 1),
        ("SensitiveDataProcessing", sensitive),
        ("KnownChildSensitiveDataConsents", child),
        ("PersonalDataConsents", 1),
        *_MSPA,
    )


_PROCESSING = "ProcessingNotice"
# (section, version) -> fields; every answer takes two bits
_LAYOUTS: dict[tuple[str, int], tuple[tuple[str, int], ...]] = {
    ("usnat", 1): _usnat(12, 2),
    ("usnat", 2): _usnat(16, 3),
    ("usca", 1): (
        ("SaleOptOutNotice", 1),
        ("SharingOptOutNotice", 1),
        ("SensitiveDataLimitUseNotice", 1),
        ("SaleOptOut", 1),
        ("SharingOptOut", 1),
        ("SensitiveDataProcessing", 9),
        ("KnownChildSensitiveDataConsents", 2),
        ("PersonalDataConsents", 1),
        *_MSPA,
    ),
    ("usva", 1): _layout("SharingNotice", 8, 1),
    ("usco", 1): _layout("SharingNotice", 7, 1),
    ("usut", 1): _layout("SharingNotice", 8, 1, extra_notice="SensitiveDataProcessingOptOutNotice"),
    ("usct", 1): _layout("SharingNotice", 8, 3),
    ("usfl", 1): _layout(_PROCESSING, 8, 3, additional=True),
    ("usmt", 1): _layout("SharingNotice", 8, 3, additional=True),
    ("usor", 1): _layout(_PROCESSING, 11, 3, additional=True),
    ("ustx", 1): _layout(_PROCESSING, 8, 1, additional=True),
    ("usde", 1): _layout(_PROCESSING, 9, 5, additional=True),
    ("usia", 1): _layout(_PROCESSING, 8, 1, extra_notice="SensitiveDataOptOutNotice"),
    ("usne", 1): _layout(_PROCESSING, 8, 1, additional=True),
    ("usnh", 1): _layout(_PROCESSING, 8, 3, additional=True),
    ("usnj", 1): _layout(_PROCESSING, 10, 5, additional=True),
    ("ustn", 1): _layout(_PROCESSING, 8, 1, additional=True),
    ("usmn", 1): _layout(_PROCESSING, 8, 1, additional=True),
}
# states whose section has no part for the Global Privacy Control
_WITHOUT_GPC = ("usva", "usut", "usfl")
_US = tuple(dict.fromkeys(name for name, _ in _LAYOUTS))


@dataclass(frozen=True)
class GPPString:
    """A GPP string taken apart.

    Attributes
    ----------
    version : int
    sectionIds : tuple of int
        In the order of the string.
    raw : dict
        Each section's text by name.
    """

    version: int
    sectionIds: tuple[int, ...]
    raw: Mapping[str, str]

    def section(self, name: str) -> Any:
        """Return a section's fields.

        Raises
        ------
        SignalError
            If the string lacks the section, or it is of a kind that is not read.
        """
        if name not in self.raw:
            held = ", ".join(self.raw) or "none"
            raise SignalError(f'The GPP string has no section "{name}"; it holds {held}.')
        return decode_section(name, self.raw[name])

    @property
    def opted_out(self) -> bool:
        """Whether any readable US section says no to sale, sharing or targeted advertising."""
        for name in self.raw:
            if name == "uspv1" and self.section(name).opted_out:
                return True
            if name in _US:
                fields = self.section(name)
                if fields.get("Gpc") or any(
                    fields.get(key) == 1
                    for key in ("SaleOptOut", "SharingOptOut", "TargetedAdvertisingOptOut")
                ):
                    return True
        return False


def decode(text: str) -> GPPString:
    """Take a GPP string apart.

    Raises
    ------
    SignalError
        If the header is malformed or does not match the sections.

    Examples
    --------
    >>> signal = decode("DBABTA~1YNN")
    >>> signal.sectionIds, signal.section("uspv1").optOutSale
    ((6,), 'N')
    """
    if not isinstance(text, str) or not text:
        raise SignalError("The GPP string is empty; a text such as DBABTA~1YNN is accepted.")
    header, *parts = text.split("~")
    reader = BitReader(header, "GPP header")
    kind = reader.integer(6, "Type")
    number = reader.integer(6, "Version")
    if (kind, number) != (_TYPE, _VERSION):
        raise SignalError(
            f"The GPP header has type {kind} and version {number}; type {_TYPE}, version "
            f"{_VERSION} is read."
        )
    ids: list[int] = []
    last = 0
    for _ in range(reader.integer(12, "number of section ranges")):
        grouped = reader.flag("Sections")
        first = last + reader.fibonacci("Sections")
        last = first + reader.fibonacci("Sections") if grouped else first
        if last > 4095:
            raise SignalError(f"The GPP header names section {last}; ids up to 4095 are accepted.")
        ids += range(first, last + 1)
    reader.finish()
    if len(ids) != len(parts):
        raise SignalError(
            f"The GPP header names {len(ids)} sections and {len(parts)} follow; they must agree."
        )
    raw = {SECTIONS.get(i, f"section_{i}"): part for i, part in zip(ids, parts, strict=True)}
    return GPPString(number, tuple(ids), raw)


def encode(sections: Mapping[str, Any]) -> str:
    """Write a GPP string.

    Parameters
    ----------
    sections : mapping
        Section name to its encoded text, or to its fields.

    Examples
    --------
    >>> encode({"uspv1": "1YNN"})
    'DBABTA~1YNN'
    >>> encode({"usca": {"SaleOptOutNotice": 1, "SaleOptOut": 1, "Gpc": True}})
    'DBABBg~BQQAAABA.YA'
    """
    if not isinstance(sections, Mapping):
        raise SignalError(f"sections is a {type(sections).__name__}; a mapping is accepted.")
    for name in sections:
        if name not in _IDS:
            raise SignalError(f'There is no GPP section "{name}"; known are {", ".join(_IDS)}.')
    names = sorted(sections, key=_IDS.__getitem__)
    ids = [_IDS[name] for name in names]
    writer = BitWriter()
    writer.integer(_TYPE, 6, "Type")
    writer.integer(_VERSION, 6, "Version")
    runs: list[list[int]] = []
    for number in ids:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    writer.integer(len(runs), 12, "Sections")
    last = 0
    for first, end in runs:
        writer.flag(end > first, "Sections")
        writer.raw(fibonacci_code(first - last))
        if end > first:
            writer.raw(fibonacci_code(end - first))
        last = end
    parts = []
    for name in names:
        value = sections[name]
        text = value if isinstance(value, str) else encode_section(name, value)
        if not text or "~" in text:
            raise SignalError(f'The text of section "{name}" is empty or holds a tilde.')
        parts.append(text)
    return "~".join([writer.text(), *parts])


def decode_section(name: str, text: str) -> Any:
    """Read one section: a dict of fields, a TCString or a USPrivacy.

    Raises
    ------
    SignalError
        If the section is malformed or of a kind that is not read.

    Examples
    --------
    >>> decode_section("usca", "BVWSSSVY.YA")["SharingOptOut"]
    1
    """
    if name == "tcfeuv2":
        return tcf.decode(text)
    if name == "uspv1":
        return usprivacy.decode(text)
    if name not in _US:
        raise _unsupported(name)
    if not isinstance(text, str) or not text:
        raise SignalError(f"The {name} section is empty; a text of base64 characters is accepted.")
    core, *rest = text.split(".")
    reader = BitReader(core, f"{name} section")
    number = reader.integer(6, "Version")
    layout = _LAYOUTS.get((name, number))
    if layout is None:
        known = [v for n, v in _LAYOUTS if n == name]
        raise SignalError(f"The {name} section has version {number}; versions {known} are read.")
    if name == "usnat":
        # version numbers and lengths do not always go together in the wild: length decides
        layout = _LAYOUTS["usnat", 1 if len(core) <= 11 else 2]
    fields: dict[str, Any] = {"Version": number}
    for key, count in layout:
        values = [reader.integer(2, key) for _ in range(count)]
        fields[key] = values if key in _LISTS and (count > 1 or key in _ALWAYS_LIST) else values[0]
    reader.finish()
    if len(rest) > 1 or (rest and name in _WITHOUT_GPC):
        raise SignalError(f"The {name} section has a part too many after its core.")
    if rest:
        part = BitReader(rest[0], f"{name} section's GPC part")
        kind = part.integer(2, "SubsectionType")
        if kind != 1:
            raise SignalError(f"The {name} section has a part of type {kind}; 1 (GPC) is read.")
        fields["Gpc"] = part.flag("Gpc")
        part.finish()
    return fields


def encode_section(name: str, fields: Any) -> str:
    """Write one section from its fields; what is not given is 0 (not applicable).

    Raises
    ------
    SignalError
        If a field is unknown or a value none of 0, 1, 2.

    Examples
    --------
    >>> encode_section("usca", {"SaleOptOutNotice": 1, "SaleOptOut": 1})
    'BQQAAABA'
    """
    if name == "tcfeuv2":
        return tcf.encode(fields)
    if name == "uspv1":
        return usprivacy.encode(
            **(
                {k: fields[k] for k in fields}
                if isinstance(fields, Mapping)
                else {
                    "notice": fields.notice,
                    "optOutSale": fields.optOutSale,
                    "lspaCovered": fields.lspaCovered,
                }
            )
        )
    if name not in _US:
        raise _unsupported(name)
    if not isinstance(fields, Mapping):
        raise SignalError(f"fields of {name} is a {type(fields).__name__}; a mapping is accepted.")
    newest = max(v for n, v in _LAYOUTS if n == name)
    number = fields.get("Version", newest)
    layout = _LAYOUTS.get((name, number))
    if layout is None:
        raise SignalError(f"Version of {name} is {number!r}; up to {newest} is written.")
    known = {"Version", *(key for key, _ in layout)} | (set() if name in _WITHOUT_GPC else {"Gpc"})
    for key in fields:
        if key not in known:
            from ethicalai_lab.errors import did_you_mean

            raise SignalError(f'The {name} section has no field "{key}".{did_you_mean(key, known)}')
    writer = BitWriter()
    writer.integer(number, 6, "Version")
    for key, count in layout:
        default = 1 if key == "MspaCoveredTransaction" else 0
        value = fields.get(key, default if count == 1 else [default] * count)
        values = list(value) if isinstance(value, list | tuple) else [value]
        if len(values) != count:
            raise SignalError(f"{key} of {name} has {len(values)} answers; {count} are accepted.")
        for item in values:
            if item not in (0, 1, 2) or isinstance(item, bool):
                raise SignalError(f"{key} of {name} is {item!r}; 0, 1 and 2 are accepted.")
            if key == "MspaCoveredTransaction" and item == 0:
                raise SignalError(f"{key} of {name} is 0; 1 (yes) and 2 (no) are accepted.")
            writer.integer(item, 2, key)
    text = writer.text()
    if "Gpc" in fields:
        part = BitWriter()
        part.integer(1, 2, "SubsectionType")
        part.flag(fields["Gpc"], "Gpc")
        text = f"{text}.{part.text()}"
    return text


_LISTS = ("SensitiveDataProcessing", "KnownChildSensitiveDataConsents")
_ALWAYS_LIST = ("SensitiveDataProcessing",)


def _unsupported(name: str) -> SignalError:
    if name in _IDS:
        return SignalError(
            f'The GPP section "{name}" is handed on but not read here; read are tcfeuv2, uspv1 '
            f"and {', '.join(_US)}."
        )
    return SignalError(f'There is no GPP section "{name}"; known are {", ".join(_IDS)}.')
