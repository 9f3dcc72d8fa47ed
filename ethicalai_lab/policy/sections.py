"""The sections of a policy: every decision, its range and allowed values.

Each field is optional: ``None`` means *undecided*. What a field means, its unit and what is
assumed while it is undecided stand in ``sections.yaml``. Not deciding is a decision too, and its
bill can be shown.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from ethicalai_lab.core.yaml import parse, to_data

__all__ = [
    "FIELDS",
    "SECTIONS",
    "Anonymization",
    "Audit",
    "Consent",
    "Data",
    "Duty",
    "Explanations",
    "Fairness",
    "Log",
    "Mitigation",
    "Personalization",
    "Pseudonymization",
    "Section",
    "Storage",
    "Transparency",
]

Name = Annotated[str, Field(min_length=1, max_length=200)]
Names = list[Name]
_REASON = "Why it was decided so, in a sentence for those who review it."


def _whole(low: int, high: int) -> Any:
    # strict: a text or a yes/no in place of a number is a slip worth naming
    return Field(default=None, strict=True, ge=low, le=high)


def _number(low: float, high: float, *, above: bool = False) -> Any:
    lowest: Any = {"gt" if above else "ge": low}
    return Field(default=None, strict=True, allow_inf_nan=False, le=high, **lowest)


def _contradiction(field: str, message: str) -> PydanticCustomError:
    return PydanticCustomError("contradiction", message, {"field": field})


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys refused, every field optional."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    @field_validator("*", mode="after")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and any("\ud800" <= c <= "\udfff" for c in text):
                raise PydanticCustomError("not_storable", "holds half a character")
        if isinstance(value, list):
            seen: set[str] = set()
            for item in value:
                if item in seen:
                    raise PydanticCustomError("repeated", 'names "{item}" twice', {"item": item})
                seen.add(item)
        return value


class Personalization(Section):
    """Whom to contact, with what, how often and where."""

    targeting: Literal["nobody", "everyone", "random", "rfm", "response", "uplift"] | None = None
    share: float | None = _number(0, 1)
    learner: Literal["t_learner", "x_learner", "class_transformation"] | None = None
    objective: Literal["visit", "conversion", "spend"] | None = None
    contact_cost: float | None = _number(0, 1_000)
    unsubscribe_cost: float | None = _number(0, 10_000)
    offer: Literal["sports_mail", "fashion_mail", "best_per_customer"] | None = None
    recommender: Literal["none", "popularity", "item_to_item", "matrix_factorization"] | None = None
    wording: Literal["generic", "style_matched"] | None = None
    contact_cap: int | None = _whole(0, 50)
    contact_cap_days: int | None = _whole(1, 366)
    channel: Literal["email", "push", "best_per_customer"] | None = None
    reason: str | None = None


class Data(Section):
    """Which data is used, for how long, and what people are simply asked."""

    features: Names | None = None
    inferred_traits: bool | None = None
    retention_days: int | None = _whole(1, 3_650)
    zero_party_questions: Names | None = None
    reason: str | None = None


class Pseudonymization(Section):
    """What stands in the place of a name or an e-mail address, and who can undo it."""

    method: Literal["none", "hash", "keyed"] | None = None
    key_rotation_days: int | None = _whole(1, 3_650)
    per_purpose: bool | None = None
    per_partner: bool | None = None
    key_holder: Literal["same_team", "separate_team", "third_party"] | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _keys_need_a_keyed_method(self) -> Pseudonymization:
        if self.method in ("none", "hash"):
            for field in ("key_rotation_days", "per_purpose", "per_partner", "key_holder"):
                if getattr(self, field) not in (None, False):
                    raise _contradiction(
                        field,
                        f"is decided, but the method {self.method} has no key; "
                        f"choose the method keyed, or leave {field} undecided",
                    )
        return self


class Storage(Section):
    """How data at rest is protected, and how a person's data is erased."""

    encryption: Literal["none", "at_rest", "per_person_key"] | None = None
    erasure: Literal["mark_inactive", "delete_rows", "destroy_key"] | None = None
    erasure_days: int | None = _whole(0, 365)
    reason: str | None = None

    @model_validator(mode="after")
    def _shredding_needs_a_key_a_person(self) -> Storage:
        if self.erasure == "destroy_key" and self.encryption in ("none", "at_rest"):
            raise _contradiction(
                "erasure",
                f"is destroy_key, but the encryption {self.encryption} has no key of one "
                "person's own; choose the encryption per_person_key, or another erasure",
            )
        return self


class Anonymization(Section):
    """What a released table or figure still reveals about one person."""

    generalization: Literal["none", "mondrian", "full_domain"] | None = None
    quasi_identifiers: Names | None = None
    k: int | None = _whole(1, 10_000)
    l: int | None = _whole(1, 1_000)  # noqa: E741 -- the literature's name
    t: float | None = _number(0, 1)
    suppression: float | None = _number(0, 1)
    epsilon: float | None = _number(0, 100, above=True)
    epsilon_days: int | None = _whole(1, 3_660)
    reason: str | None = None


class Audit(Section):
    """What a regular bias audit measures, for whom, and what follows."""

    metric: (
        Literal[
            "demographic_parity_difference",
            "demographic_parity_ratio",
            "equalized_odds_difference",
            "equalized_odds_ratio",
            "equal_opportunity_difference",
            "equal_opportunity_ratio",
            "predictive_parity_difference",
            "predictive_parity_ratio",
        ]
        | None
    ) = None
    groups: Annotated[Names, Field(min_length=1)] | None = None
    intersections: bool | None = None
    tolerance: float | None = _number(0, 1)
    reviewer: (
        Literal[
            "marketing",
            "data_science",
            "data_protection_officer",
            "ethics_board",
            "external_auditor",
        ]
        | None
    ) = None
    frequency: Literal["never", "every_campaign", "monthly", "quarterly", "yearly"] | None = None
    min_group_size: int | None = _whole(1, 1_000_000)
    reason: str | None = None


class Mitigation(Section):
    """What is done about a disparity, and what it may cost."""

    method: (
        Literal[
            "none",
            "reweighting",
            "resampling",
            "correlation_remover",
            "threshold_optimizer",
            "exponentiated_gradient",
            "grid_search",
            "group_profit_thresholds",
        ]
        | None
    ) = None
    constraint: (
        Literal[
            "demographic_parity",
            "equalized_odds",
            "true_positive_rate_parity",
            "false_positive_rate_parity",
            "error_rate_parity",
        ]
        | None
    ) = None
    max_value_loss: float | None = _number(0, 1)
    reason: str | None = None


class Fairness(BaseModel):
    """Both fairness sections; each may be undecided."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    audit: Audit | None = None
    mitigation: Mitigation | None = None

    @field_validator("audit", "mitigation", mode="after")
    @classmethod
    def _empty_is_undecided(cls, value: Section | None) -> Section | None:
        return empty_is_undecided(value)


class Consent(Section):
    """What is asked, how, and what holds while nothing is answered."""

    default: Literal["opt_in", "opt_out"] | None = None
    banner: Literal["neutral", "nudging", "pay_or_okay", "pre_ticked", "hidden_refusal"] | None = (
        None
    )
    regime: Literal["per_jurisdiction", "strictest_for_all", "weakest_for_all"] | None = None
    purposes: (
        list[Literal["analytics", "direct_marketing", "personalization", "third_party_sharing"]]
        | None
    ) = None
    honour_gpc: bool | None = None
    reask_months: int | None = _whole(0, 120)
    reason: str | None = None


class Explanations(Section):
    """How a person learns why this offer came."""

    method: (
        Literal["none", "shapley_values", "permutation_importance", "surrogate_model"] | None
    ) = None
    reasons_shown: int | None = _whole(0, 20)
    counterfactuals: bool | None = None
    notice: Literal["none", "one_line", "layered", "full_text"] | None = None
    reason: str | None = None


class Transparency(Section):
    """Informing, not manipulating."""

    ai_disclosure: Literal["none", "footer", "upfront"] | None = None
    data_source_shown: bool | None = None
    urgency_claims: Literal["never", "only_if_true", "any"] | None = None
    reason: str | None = None


class Duty(Section):
    """What an organisation must be able to show."""

    retention_register: bool | None = None
    dpia: Literal["none", "before_launch", "before_launch_and_yearly"] | None = None
    human_review: Literal["none", "on_request", "before_sending"] | None = None
    children: Literal["as_adults", "parental_consent", "no_profiling"] | None = None
    reason: str | None = None


class Log(Section):
    """The record of decisions, and who could notice if it were rewritten."""

    kind: Literal["none", "plain_file", "hash_chain", "merkle_tree"] | None = None
    witness: Literal["none", "second_team", "external"] | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _a_witness_needs_a_head(self) -> Log:
        if self.kind in ("none", "plain_file") and self.witness not in (None, "none"):
            raise _contradiction(
                "witness",
                f"is {self.witness}, but the kind {self.kind} has no head to keep; choose the "
                "kind hash_chain or merkle_tree, or the witness none",
            )
        return self


SECTIONS: dict[str, type[Section]] = {
    "personalization": Personalization,
    "data": Data,
    "pseudonymization": Pseudonymization,
    "storage": Storage,
    "anonymization": Anonymization,
    "fairness.audit": Audit,
    "fairness.mitigation": Mitigation,
    "consent": Consent,
    "explanations": Explanations,
    "transparency": Transparency,
    "duty": Duty,
    "log": Log,
}
"""Every section by its path, in the order of the lessons."""

FIELDS: dict[str, Any] = {
    f"{path}.{name}": info
    for path, model in SECTIONS.items()
    for name, info in model.model_fields.items()
}
"""Every field by its path."""


def empty_is_undecided(value: Section | None) -> Section | None:
    """Return None for a section in which nothing at all is said."""
    if value is not None and all(getattr(value, name) is None for name in type(value).model_fields):
        return None
    return value


def kind(path: str) -> Any:
    """Return the type of a field without its ``| None``, and without ``Annotated``."""
    annotation = FIELDS[path].annotation
    parts = [part for part in get_args(annotation) if part is not type(None)]
    inner = parts[0] if type(None) in get_args(annotation) else annotation
    return get_args(inner)[0] if get_origin(inner) is Annotated else inner


def choices(path: str) -> tuple[str, ...]:
    """Return the words a field accepts, or its list's items accept; empty where any fits."""
    inner = get_args(kind(path))[0] if is_list(path) else kind(path)
    return get_args(inner) if get_origin(inner) is Literal else ()


def is_list(path: str) -> bool:
    """Tell whether a field holds a list."""
    return get_origin(kind(path)) is list


def limits(path: str) -> tuple[float | None, float | None, bool]:
    """Return a number field's lowest and highest value, and whether the lowest is excluded."""
    said = {
        name: getattr(item, name)
        for item in FIELDS[path].metadata
        for name in ("ge", "gt", "le")
        if getattr(item, name, None) is not None
    }
    return said.get("ge", said.get("gt")), said.get("le"), "gt" in said


def accepted(path: str) -> str:
    """Say in words what a field accepts.

    Parameters
    ----------
    path : str
        Such as ``"personalization.share"``.

    Returns
    -------
    str

    Examples
    --------
    >>> accepted("personalization.share")
    'a number from 0 to 1'
    >>> accepted("log.witness")
    'none, second_team or external'
    """
    words = choices(path)
    if is_list(path):
        return f"a list of {either(words)}" if words else "a list of names"
    if words:
        return either(words)
    if kind(path) is bool:
        return "yes or no"
    if kind(path) is str:
        return "a text"
    low, high, excluded = limits(path)
    noun = "a whole number" if kind(path) is int else "a number"
    if excluded:
        return f"{noun} above {low:g} up to {high:g}"
    return f"{noun} from {low} to {high}"


def either(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


@functools.cache
def _words() -> dict[str, dict[str, dict[str, Any]]]:
    text = resources.files("ethicalai_lab.policy").joinpath("sections.yaml").read_text("utf-8")
    return to_data(parse(text))


def _said(path: str) -> dict[str, Any]:
    section, _, name = path.rpartition(".")
    return {"meaning": _REASON} if name == "reason" else _words()[section][name]


def title(path: str) -> str:
    """Return what a section decides, in a line."""
    return (SECTIONS[path].__doc__ or "").splitlines()[0]


def meaning(path: str) -> str:
    """Return what a field means."""
    return _said(path)["meaning"]


def unit(path: str) -> str:
    """Return a field's unit; an empty text where it has none."""
    return _said(path).get("unit", "")


def assumed(path: str) -> Any:
    """Return what is assumed while a field is undecided."""
    value = _said(path).get("undecided")
    return list(value) if isinstance(value, list) else value
