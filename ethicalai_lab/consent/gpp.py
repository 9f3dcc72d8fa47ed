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

from ethicalai_lab.consent import data, tcf, usprivacy
from ethicalai_lab.consent.bits import BitReader, BitWriter, runs
from ethicalai_lab.consent.errors import SignalError
from ethicalai_lab.errors import did_you_mean

__all__ = ["SECTIONS", "GPPString", "decode", "decode_section", "encode", "encode_section"]

SECTIONS: dict[int, str] = data.read("signals")["gpp"]["sections"]
_IDS = {name: number for number, name in SECTIONS.items()}
_TYPE, _VERSION = 3, 1
_LIST = "SensitiveDataProcessing"  # a list, however many answers it holds
_MUST = "MspaCoveredTransaction"  # answered by yes or no, never by "does not apply"
WITHOUT_GPC: list[str] = data.read("signals")["gpp"]["without_gpc"]


def _counts(fields: list[str]) -> dict[str, int]:
    split = [field.partition(" ") for field in fields]
    return {name: int(count or 1) for name, _, count in split}


# section -> version -> field -> how many answers of two bits
LAYOUTS: dict[str, dict[int, dict[str, int]]] = {
    name: {version: _counts(fields) for version, fields in versions.items()}
    for name, versions in data.read("signals")["us"].items()
}


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
        states = [self.section(name) for name in self.raw if name in LAYOUTS]
        says_no = ("SaleOptOut", "SharingOptOut", "TargetedAdvertisingOptOut")
        return ("uspv1" in self.raw and self.section("uspv1").opted_out) or any(
            fields.get("Gpc") or any(fields.get(key) == 1 for key in says_no) for fields in states
        )


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
    header, *parts = text.split("~") if isinstance(text, str) else [text]
    reader = BitReader(header, "GPP header")
    kind = reader.number(6, "Type")
    number = reader.number(6, "Version")
    if (kind, number) != (_TYPE, _VERSION):
        raise SignalError(
            f"The GPP header has type {kind} and version {number}; type {_TYPE}, version "
            f"{_VERSION} is read."
        )
    ids: list[int] = []
    last = 0
    for _ in range(reader.number(12, "number of section ranges")):
        grouped = reader.flag(1, "Sections")
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
    for name in sections:
        if name not in _IDS:
            raise _unread(name)
    names = sorted(sections, key=_IDS.__getitem__)
    writer = BitWriter()
    writer.number(_TYPE, 6, "Type")
    writer.number(_VERSION, 6, "Version")
    spans = runs([_IDS[name] for name in names])
    writer.number(len(spans), 12, "Sections")
    last = 0
    for first, end in spans:
        writer.flag(end > first, 1, "Sections")
        writer.fibonacci(first - last)
        if end > first:
            writer.fibonacci(end - first)
        last = end
    parts = []
    for name in names:
        value = sections[name]
        parts.append(value if isinstance(value, str) else encode_section(name, value))
        if not parts[-1] or "~" in parts[-1]:
            raise SignalError(f'The text of section "{name}" is empty or holds a tilde.')
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
    if name in ("tcfeuv2", "uspv1"):
        return (tcf if name == "tcfeuv2" else usprivacy).decode(text)
    if name not in LAYOUTS:
        raise _unread(name)
    core, *rest = text.split(".")
    reader = BitReader(core, f"{name} section")
    number = reader.number(6, "Version")
    layout = LAYOUTS[name].get(number)
    if layout is None:
        known = list(LAYOUTS[name])
        raise SignalError(f"The {name} section has version {number}; versions {known} are read.")
    if name == "usnat":
        # version numbers and lengths do not always go together in the wild: length decides
        layout = LAYOUTS[name][1 if len(core) <= 11 else 2]
    fields: dict[str, Any] = {"Version": number}
    for key, count in layout.items():
        values = [reader.number(2, key) for _ in range(count)]
        fields[key] = values if count > 1 or key == _LIST else values[0]
    reader.finish()
    if len(rest) > 1 or (rest and name in WITHOUT_GPC):
        raise SignalError(f"The {name} section has a part too many after its core.")
    if rest:
        part = BitReader(rest[0], f"{name} section's GPC part")
        kind = part.number(2, "SubsectionType")
        if kind != 1:
            raise SignalError(f"The {name} section has a part of type {kind}; 1 (GPC) is read.")
        fields["Gpc"] = part.flag(1, "Gpc")
        part.finish()
    return fields


def encode_section(name: str, fields: Mapping[str, Any]) -> str:
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
    if not isinstance(fields, Mapping):
        raise SignalError(f"fields of {name} is a {type(fields).__name__}; a mapping is accepted.")
    if name in ("tcfeuv2", "uspv1"):
        return tcf.encode(fields) if name == "tcfeuv2" else usprivacy.encode(**fields)
    if name not in LAYOUTS:
        raise _unread(name)
    number = fields.get("Version", max(LAYOUTS[name]))
    if number not in LAYOUTS[name]:
        raise SignalError(f"Version of {name} is {number!r}; {[*LAYOUTS[name]]} are written.")
    layout = LAYOUTS[name][number]
    known = {"Version", *layout} | (set() if name in WITHOUT_GPC else {"Gpc"})
    for key in fields:
        if key not in known:
            raise SignalError(f'The {name} section has no field "{key}".{did_you_mean(key, known)}')
    writer = BitWriter()
    writer.number(number, 6, "Version")
    for key, count in layout.items():
        low = int(key == _MUST)
        given = fields.get(key, [low] * count)
        _answers(writer, given if isinstance(given, list | tuple) else [given], count, low, key)
    text = writer.text()
    if "Gpc" in fields:
        part = BitWriter()
        part.number(1, 2, "SubsectionType")
        part.flag(fields["Gpc"], 1, "Gpc")
        text = f"{text}.{part.text()}"
    return text


def _answers(writer: BitWriter, values: Any, count: int, low: int, key: str) -> None:
    if len(values) != count:
        raise SignalError(f"{key} has {len(values)} answers; {count} are accepted.")
    for value in values:
        if isinstance(value, bool) or value not in range(low, 3):
            raise SignalError(f"{key} is {value!r}; whole numbers from {low} to 2 are accepted.")
        writer.number(value, 2, key)


def _unread(name: str) -> SignalError:
    if name in _IDS:
        return SignalError(
            f'The GPP section "{name}" is handed on but not read here; read are tcfeuv2, uspv1 '
            f"and {', '.join(LAYOUTS)}."
        )
    return SignalError(f'There is no GPP section "{name}"; known are {", ".join(_IDS)}.')
