"""Purposes: what data is used for, on which basis, for how long, and who receives it.

A purposes file is short YAML that anyone can read. Names follow the W3C Data Privacy
Vocabulary (DPV) and the IAB Transparency & Consent Framework (TCF), so that a purpose
here means what it means elsewhere. Purposes form no tree in which one consent covers
what lies beneath: DPV's branches share children, and consent to ``Personalisation`` must
not silently cover ``TargetedAdvertising``. Each purpose is asked and answered by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ethicalai_lab.consent.errors import ConsentError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BASES",
    "DPV_PURPOSES",
    "REGIMES",
    "TCF_PURPOSES",
    "DataCategory",
    "Purpose",
    "Purposes",
]

REGIMES = ("gdpr", "ccpa", "other")
ORIGINS = ("provided", "observed", "inferred")

# basis or model of choice -> (may be used before any answer, the person may say no)
BASES: dict[str, tuple[bool, bool]] = {
    # lawful bases of the GDPR
    "consent": (False, True),
    "explicit_consent": (False, True),
    "legitimate_interests": (True, True),
    "contract": (True, False),
    "legal_obligation": (True, False),
    # models of choice, where the law lists no bases
    "opt_in": (False, True),
    "opt_out": (True, True),  # by law of sale and sharing only
    "limit_use": (True, True),  # of sensitive data
    "unsubscribe": (True, True),  # from marketing mail
    "house_opt_out": (True, True),  # no law gives this no: the house does, and keeps to it
    "notice": (True, False),  # told at collection, and no more than necessary
}
# where silence is read as a yes, which it is not from a child
PRESUMED = ("opt_out", "limit_use", "unsubscribe", "house_opt_out")
# California tells what to say and what may be refused, and lists no lawful bases
# (1798.100, 1798.120, 1798.121); mail is under CAN-SPAM there. "other" is the lab's third
# rule, after the pattern of several US states.
_CHOICES = ("opt_in", "opt_out", "limit_use", "unsubscribe", "house_opt_out", "notice")
REGIME_BASES = {
    "gdpr": (
        "consent",
        "explicit_consent",
        "legitimate_interests",
        "contract",
        "legal_obligation",
    ),
    "ccpa": _CHOICES,
    "other": _CHOICES,
}

TCF_PURPOSES = {
    1: "Store and/or access information on a device",
    2: "Use limited data to select advertising",
    3: "Create profiles for personalised advertising",
    4: "Use profiles to select personalised advertising",
    5: "Create profiles to personalise content",
    6: "Use profiles to select personalised content",
    7: "Measure advertising performance",
    8: "Measure content performance",
    9: ("Understand audiences through statistics or combinations of data from different sources"),
    10: "Develop and improve services",
    11: "Use limited data to select content",
}
# purposes for which the framework takes consent only: 1 always, 3 to 6 since v2.2
TCF_CONSENT_ONLY = (1, 3, 4, 5, 6)

# the terms of DPV 2.3 that marketing meets, each with its broader terms: a graph, not a tree
DPV_PURPOSES: dict[str, tuple[str, ...]] = {
    "Marketing": (),
    "Advertising": ("Marketing",),
    "DirectMarketing": ("Marketing",),
    "PublicRelations": ("Marketing",),
    "SocialMediaMarketing": ("Marketing",),
    "Personalisation": (),
    "PersonalisedAdvertising": ("Advertising", "Personalisation"),
    "TargetedAdvertising": ("PersonalisedAdvertising",),
    "PoliticalCampaign": ("Advertising", "Personalisation"),
    "ServicePersonalisation": ("Personalisation",),
    "PersonalisedBenefits": ("ServicePersonalisation",),
    "UserInterfacePersonalisation": ("ServicePersonalisation",),
    "ProvidePersonalisedRecommendations": ("ServicePersonalisation",),
    "ProvideProductRecommendations": ("ProvidePersonalisedRecommendations",),
    "ProvideEventRecommendations": ("ProvidePersonalisedRecommendations",),
    "ServiceUsageAnalytics": (),
    "ImproveExistingProductsAndServices": (),
    "CustomerRelationshipManagement": (),
    "FraudPreventionAndDetection": (),
    "LegalCompliance": (),
    "SellDataToThirdParties": (),
    "RequestedServiceProvision": (),
    "ResearchAndDevelopment": (),
}


@dataclass(frozen=True)
class DataCategory:
    """A kind of data, and the columns that hold it.

    Attributes
    ----------
    name : str
    origin : {"provided", "observed", "inferred"}
        Whether the person gave it, it was seen, or it was concluded. Portability reaches
        the first two (GDPR Art 20(1); WP242).
    columns : tuple of str
    sensitive : bool
        Of a special category (GDPR Art 9) or sensitive by the Californian list.
    """

    name: str
    origin: str
    columns: tuple[str, ...]
    sensitive: bool = False


@dataclass(frozen=True)
class Purpose:
    """One purpose.

    Attributes
    ----------
    name : str
        How code and ledger call it.
    title : str
        How people read it.
    dpv : str
        Term of the W3C Data Privacy Vocabulary.
    tcf : tuple of int
        Purposes of the IAB framework, 1 to 11; may be empty.
    basis : dict
        By regime: a lawful basis under the GDPR, elsewhere a model of choice.
    data : tuple of str
        Names of data categories.
    retention_days : int
        How long the data may be used for it, from 1 on.
    recipients : tuple of str
    objection_covers : tuple of str
        Purposes that an objection to this one ends as well: for direct marketing the
        profiling that serves it (GDPR Art 21(2)).
    sale_or_sharing : bool
        Whether it is a sale or sharing by Californian law.
    """

    name: str
    title: str
    dpv: str
    basis: Mapping[str, str]
    data: tuple[str, ...]
    retention_days: int
    recipients: tuple[str, ...]
    tcf: tuple[int, ...] = ()
    objection_covers: tuple[str, ...] = ()
    sale_or_sharing: bool = False

    @property
    def dpv_iri(self) -> str:
        """The term's full address."""
        return f"https://w3id.org/dpv#{self.dpv}"

    def asked(self, regime: str) -> bool:
        """Whether a person may say no to it under a regime."""
        return BASES[self.basis[regime]][1]

    def before_answer(self, regime: str) -> bool:
        """Whether data may be used for it before any answer of an adult."""
        return BASES[self.basis[regime]][0]


@dataclass(frozen=True)
class Purposes(Mapping[str, Purpose]):
    """The purposes of a house, by name, and the data categories they use.

    Examples
    --------
    >>> from ethicalai_lab.consent import Purposes
    >>> purposes = Purposes.default()
    >>> purposes["direct_marketing"].basis["gdpr"]
    'consent'
    >>> purposes["direct_marketing"].objection_covers
    ('personalization', 'health_personalization')
    """

    items_: Mapping[str, Purpose]
    categories: Mapping[str, DataCategory] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Purpose:
        try:
            return self.items_[name]
        except (KeyError, TypeError):
            from ethicalai_lab.errors import did_you_mean

            raise ConsentError(
                f'There is no purpose "{name}"; known are {", ".join(self.items_)}.'
                f"{did_you_mean(name, self.items_)}"
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self.items_

    def get(self, name: str, default: Any = None) -> Any:
        """Return the purpose, or the default."""
        return self.items_.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self.items_)

    def __len__(self) -> int:
        return len(self.items_)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the file's order."""
        return tuple(self.items_)

    def asked(self, regime: str) -> tuple[str, ...]:
        """Return the names of the purposes that people may say no to under a regime."""
        return tuple(name for name, purpose in self.items_.items() if purpose.asked(regime))

    def columns(self, purpose: str) -> tuple[str, ...]:
        """Return the columns that a purpose may use."""
        return tuple(
            column
            for category in self[purpose].data
            for column in self.categories[category].columns
        )

    def category_of(self, column: str) -> DataCategory | None:
        """Return the data category of a column, or None where it has none."""
        for category in self.categories.values():
            if column in category.columns:
                return category
        return None

    def table(self) -> pd.DataFrame:
        """Return one row a purpose, for reading."""
        import pandas as pd

        rows = [
            {
                "purpose": p.name,
                "title": p.title,
                "dpv": p.dpv,
                "tcf": ", ".join(map(str, p.tcf)),
                **{f"basis_{regime}": p.basis[regime] for regime in REGIMES},
                "data": ", ".join(p.data),
                "retention_days": p.retention_days,
                "recipients": ", ".join(p.recipients),
            }
            for p in self.items_.values()
        ]
        return pd.DataFrame(rows)

    def _repr_html_(self) -> str:
        return self.table().to_html(index=False)

    @classmethod
    def default(cls) -> Purposes:
        """Return the purposes that come with the lab."""
        return cls.load(Path(__file__).with_name("purposes.yaml"))

    @classmethod
    def load(cls, path: str | Path) -> Purposes:
        """Read a purposes file.

        Parameters
        ----------
        path : path-like
            YAML with the mappings ``data_categories`` and ``purposes``; the file that
            comes with the lab is the pattern.

        Raises
        ------
        ConsentError
            One sentence with the line at fault and what would be accepted.
        """
        from ethicalai_lab.world.strict_yaml import read_text

        return cls.parse(read_text(path, what="purposes file", error=ConsentError))

    @classmethod
    def parse(cls, source: Any) -> Purposes:
        """Read purposes from a text; otherwise like :meth:`load`."""
        return _Reader(source).read()

    def save(self, path: str | Path) -> None:
        """Write the purposes as YAML, all of it or nothing."""
        from ethicalai_lab.core.files import write_atomic

        write_atomic(path, self.to_yaml(), error=ConsentError)

    def to_yaml(self) -> str:
        """Return the purposes as YAML that :meth:`parse` reads back to equal ones."""
        from ethicalai_lab.world.strict_yaml import scalar

        def flow(values: Any) -> str:
            return "[" + ", ".join(scalar(v, flow=True) for v in values) + "]"

        out = ["data_categories:"]
        for category in self.categories.values():
            out += [f"  {scalar(category.name)}:", f"    origin: {category.origin}"]
            if category.sensitive:
                out.append("    sensitive: true")
            out.append(f"    columns: {flow(category.columns)}")
        out += ["", "purposes:"]
        for p in self.items_.values():
            basis = ", ".join(f"{regime}: {p.basis[regime]}" for regime in REGIMES)
            out += [f"  {scalar(p.name)}:", f"    title: {scalar(p.title)}", f"    dpv: {p.dpv}"]
            if p.tcf:
                out.append(f"    tcf: {flow(p.tcf)}")
            out += [
                f"    basis: {{{basis}}}",
                f"    data: {flow(p.data)}",
                f"    retention_days: {p.retention_days}",
                f"    recipients: {flow(p.recipients)}",
            ]
            if p.objection_covers:
                out.append(f"    objection_covers: {flow(p.objection_covers)}")
            if p.sale_or_sharing:
                out.append("    sale_or_sharing: true")
        return "\n".join(out) + "\n"


class _Reader:
    """Checks a parsed file piece by piece; every complaint names its line."""

    PURPOSE_KEYS = (
        *("title", "dpv", "tcf", "basis", "data", "retention_days", "recipients"),
        *("objection_covers", "sale_or_sharing"),
    )
    NEEDED = ("title", "dpv", "basis", "data", "retention_days", "recipients")

    def __init__(self, source: Any) -> None:
        from ethicalai_lab.world.strict_yaml import Text, parse

        self.file = source.name if isinstance(source, Text) else "purposes"
        self.root = parse(source, what="purposes file", error=ConsentError)

    def fault(self, node: Any, message: str) -> ConsentError:
        line = node.line if node is not None else 1
        return ConsentError(f"{self.file}, line {line}: {message}")

    def mapping(self, node: Any, what: str) -> dict[str, Any]:
        if node is None or node.kind != "mapping" or not node.value:
            raise self.fault(node, f"{what} must be a mapping with at least one entry.")
        return node.value

    def keys(self, node: Any, accepted: tuple[str, ...], needed: tuple[str, ...], what: str):
        from ethicalai_lab.errors import did_you_mean

        entries = self.mapping(node, what)
        for key in entries:
            if key not in accepted:
                raise self.fault(
                    node.keys[key],
                    f'{what} has no field "{key}"; accepted are {", ".join(accepted)}.'
                    f"{did_you_mean(key, accepted)}",
                )
        for key in needed:
            if key not in entries:
                raise self.fault(node, f'{what} lacks the field "{key}".')
        return entries

    def text(self, node: Any, what: str) -> str:
        if node.kind != "scalar" or not isinstance(node.value, str) or not node.value.strip():
            raise self.fault(node, f"{what} must be a text.")
        return node.value

    def choice(self, node: Any, accepted: Any, what: str) -> str:
        from ethicalai_lab.errors import did_you_mean

        value = node.value if node.kind == "scalar" else "a list or mapping"
        if value not in accepted or not isinstance(value, str):
            raise self.fault(
                node,
                f'{what} is "{value}"; accepted are {", ".join(accepted)}.'
                f"{did_you_mean(value, accepted)}",
            )
        return value

    def flag(self, node: Any, what: str) -> bool:
        if node.kind != "scalar" or not isinstance(node.value, bool):
            raise self.fault(node, f"{what} must be true or false.")
        return node.value

    def items(self, node: Any, what: str, *, empty: bool = False) -> list[Any]:
        if node.kind != "list" or (not node.value and not empty):
            raise self.fault(node, f"{what} must be a list [in, brackets].")
        seen: list[Any] = []
        for item in node.value:
            if item.kind != "scalar" or item.value is None:
                raise self.fault(item, f"{what} must hold plain values.")
            if item.value in seen:
                raise self.fault(item, f'{what} names "{item.value}" twice; keep one.')
            seen.append(item.value)
        return node.value

    def texts(self, node: Any, what: str) -> tuple[str, ...]:
        return tuple(self.text(item, f"an entry of {what}") for item in self.items(node, what))

    def read(self) -> Purposes:
        top = self.keys(
            self.root,
            ("data_categories", "purposes"),
            ("data_categories", "purposes"),
            "the file",
        )
        categories = self.categories(top["data_categories"])
        node = top["purposes"]
        names = tuple(self.mapping(node, "purposes"))
        found = {
            name: self.purpose(name, node.value[name], categories, names, node.keys[name])
            for name in names
        }
        return Purposes(found, categories)

    def categories(self, node: Any) -> dict[str, DataCategory]:
        found: dict[str, DataCategory] = {}
        owner: dict[str, str] = {}
        for name, body in self.mapping(node, "data_categories").items():
            what = f'data category "{name}"'
            entries = self.keys(
                body, ("origin", "columns", "sensitive"), ("origin", "columns"), what
            )
            columns = self.texts(entries["columns"], f"columns of {what}")
            for column in columns:
                if column in owner:
                    raise self.fault(
                        entries["columns"],
                        f'column "{column}" is in {what} and in "{owner[column]}"; '
                        "a column belongs to one category.",
                    )
                owner[column] = name
            found[name] = DataCategory(
                name,
                self.choice(entries["origin"], ORIGINS, f"origin of {what}"),
                columns,
                "sensitive" in entries and self.flag(entries["sensitive"], f"sensitive of {what}"),
            )
        return found

    def purpose(
        self,
        name: str,
        body: Any,
        categories: dict[str, DataCategory],
        names: tuple[str, ...],
        key: Any,
    ) -> Purpose:
        what = f'purpose "{name}"'
        if not name.isidentifier():
            raise self.fault(key, f"{what}: a name of letters, digits and _ is accepted.")
        entries = self.keys(body, self.PURPOSE_KEYS, self.NEEDED, what)
        basis = self.basis(entries["basis"], what)
        tcf = self.tcf(entries["tcf"], basis, what) if "tcf" in entries else ()
        data = self.texts(entries["data"], f"data of {what}")
        for item, category in zip(entries["data"].value, data, strict=True):
            self.choice(item, tuple(categories), f"data of {what}")
            if categories[category].sensitive and basis["gdpr"] != "explicit_consent":
                raise self.fault(
                    item,
                    f'{what} uses "{category}", which is sensitive: its basis under gdpr must be '
                    "explicit_consent, as neither contract nor legitimate interests carries "
                    "special categories (Art 9(2)).",
                )
        days = entries["retention_days"]
        number = days.value if days.kind == "scalar" else None
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 36_525:
            raise self.fault(days, f"retention_days of {what}: days from 1 to 36525 are accepted.")
        covers: tuple[str, ...] = ()
        if "objection_covers" in entries:
            covers = self.texts(entries["objection_covers"], f"objection_covers of {what}")
            for item in entries["objection_covers"].value:
                self.choice(item, [n for n in names if n != name], f"objection_covers of {what}")
        shared = "sale_or_sharing" in entries and self.flag(
            entries["sale_or_sharing"], f"sale_or_sharing of {what}"
        )
        if shared and basis["ccpa"] not in ("opt_out", "opt_in"):
            raise self.fault(
                entries["basis"],
                f"{what} is a sale or sharing: its basis under ccpa must be opt_out or opt_in.",
            )
        return Purpose(
            name,
            self.text(entries["title"], f"title of {what}"),
            self.choice(entries["dpv"], tuple(DPV_PURPOSES), f"dpv of {what}"),
            basis,
            data,
            number,
            self.texts(entries["recipients"], f"recipients of {what}"),
            tcf,
            covers,
            shared,
        )

    def basis(self, node: Any, what: str) -> dict[str, str]:
        entries = self.keys(node, REGIMES, REGIMES, f"basis of {what}")
        return {
            regime: self.choice(
                entries[regime], REGIME_BASES[regime], f"basis of {what} under {regime}"
            )
            for regime in REGIMES
        }

    def tcf(self, node: Any, basis: dict[str, str], what: str) -> tuple[int, ...]:
        numbers = []
        for item in self.items(node, f"tcf of {what}", empty=True):
            if item.value not in TCF_PURPOSES or isinstance(item.value, bool | float | str):
                raise self.fault(item, f"tcf of {what}: purposes from 1 to 11 are accepted.")
            if item.value in TCF_CONSENT_ONLY and "consent" not in basis["gdpr"]:
                raise self.fault(
                    item,
                    f"{what}: TCF purpose {item.value} rests on consent only, and its basis under "
                    f"gdpr is {basis['gdpr']}.",
                )
            numbers.append(item.value)
        return tuple(numbers)
