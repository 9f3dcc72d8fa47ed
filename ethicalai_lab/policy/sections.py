"""The sections of a policy: every decision, its unit, range and allowed values.

Each field is optional: ``None`` means *undecided*. Beside its range a field says
what is assumed while it is undecided, namely what usually happens in a shop in
which nobody decides. Not deciding is a decision too, and its bill can be shown.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

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


def _decision(meaning: str, undecided: Any, *, unit: str = "", **limits: Any) -> Any:
    """Declare a field: its meaning, what is assumed while undecided, unit and limits."""
    return Field(
        default=None,
        description=meaning,
        json_schema_extra={"unit": unit, "undecided": undecided},
        **limits,
    )


def _number(meaning: str, undecided: Any, *, unit: str = "", **limits: Any) -> Any:
    # strict: a text or a yes/no in place of a number is a slip worth naming
    return _decision(meaning, undecided, unit=unit, strict=True, allow_inf_nan=False, **limits)


def _whole(meaning: str, undecided: Any, *, unit: str = "", **limits: Any) -> Any:
    return _decision(meaning, undecided, unit=unit, strict=True, **limits)


def _reason() -> Any:
    return _decision("Why it was decided so, in a sentence for those who review it.", None)


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

    targeting: Literal["nobody", "everyone", "random", "rfm", "response", "uplift"] | None = (
        _decision(
            "Whom to contact first: nobody; everyone; a random share; the most recent, frequent "
            "and valuable buyers (rfm); those likeliest to buy (response); those whom the "
            "message changes most (uplift).",
            "everyone",
        )
    )
    share: float | None = _number(
        "Share of customers contacted, best-ranked first; not used with nobody or everyone.",
        1.0,
        unit="share of customers",
        ge=0,
        le=1,
    )
    learner: Literal["t_learner", "x_learner", "class_transformation"] | None = _decision(
        "How uplift is estimated; used only with targeting by uplift.", "t_learner"
    )
    objective: Literal["visit", "conversion", "spend"] | None = _decision(
        "The outcome that the ranking tries to raise.", "visit"
    )
    contact_cost: float | None = _number(
        "What one message costs the sender.", 0.0, unit="currency per message", ge=0, le=1000
    )
    unsubscribe_cost: float | None = _number(
        "What is lost with each person who unsubscribes.",
        0.0,
        unit="currency per person",
        ge=0,
        le=10_000,
    )
    offer: Literal["sports_mail", "fashion_mail", "best_per_customer"] | None = _decision(
        "What is offered: one mail to all, or for each customer the one expected to do best.",
        "best_per_customer",
    )
    recommender: Literal["none", "popularity", "item_to_item", "matrix_factorization"] | None = (
        _decision("How products in a message are chosen.", "popularity")
    )
    wording: Literal["generic", "style_matched"] | None = _decision(
        "The same words for everyone, or words matched to the customer's own style.", "generic"
    )
    contact_cap: int | None = _whole(
        "Most messages a person may get within contact_cap_days.", 50, unit="messages", ge=0, le=50
    )
    contact_cap_days: int | None = _whole(
        "The period in which contact_cap counts.", 7, unit="days", ge=1, le=366
    )
    channel: Literal["email", "push", "best_per_customer"] | None = _decision(
        "Where messages arrive.", "email"
    )
    reason: str | None = _reason()


class Data(Section):
    """Which data is used, for how long, and what people are simply asked."""

    features: Names | None = _decision(
        "Columns that models and rules may use; while undecided, every column there is.", None
    )
    inferred_traits: bool | None = _decision(
        "Whether traits guessed about a person, such as health interest or financial stress, "
        "may be used.",
        True,
    )
    retention_days: int | None = _whole(
        "How long behaviour is kept before it is deleted.", 3650, unit="days", ge=1, le=3650
    )
    zero_party_questions: Names | None = _decision(
        "Questions that people are asked instead of being watched.", []
    )
    reason: str | None = _reason()


class Pseudonymization(Section):
    """What stands in the place of a name or an e-mail address, and who can undo it."""

    method: Literal["none", "hash", "keyed"] | None = _decision(
        "None; a plain hash, which anyone can recompute from a guess; or a keyed token "
        "(HMAC-SHA-256).",
        "none",
    )
    key_rotation_days: int | None = _whole(
        "How often the key changes, which ends linkage to older tokens; needs a keyed method.",
        None,
        unit="days",
        ge=1,
        le=3650,
    )
    per_purpose: bool | None = _decision(
        "Different tokens for each purpose; needs a keyed method.", False
    )
    per_partner: bool | None = _decision(
        "Different tokens for each partner; needs a keyed method.", False
    )
    key_holder: Literal["same_team", "separate_team", "third_party"] | None = _decision(
        "Who holds the key, apart from those who use the tokens or not; needs a keyed method.",
        None,
    )
    reason: str | None = _reason()

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

    encryption: Literal["none", "at_rest", "per_person_key"] | None = _decision(
        "None; one key for the whole store; or one key a person (AES-GCM, wrapped by a master "
        "key).",
        "none",
    )
    erasure: Literal["mark_inactive", "delete_rows", "destroy_key"] | None = _decision(
        "What an erasure does: hides the person; deletes the rows, but not those in backups; "
        "destroys the person's key, so that cells in backups go dark too, unless an old copy of "
        "the key file survives.",
        "mark_inactive",
    )
    erasure_days: int | None = _whole(
        "Longest time from a request to its erasure.", 365, unit="days", ge=0, le=365
    )
    reason: str | None = _reason()

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

    generalization: Literal["none", "mondrian", "full_domain"] | None = _decision(
        "How values are made coarser: not at all; cut by cut where the data allows (mondrian); "
        "the same ranges for the whole column (full_domain).",
        "none",
    )
    quasi_identifiers: Names | None = _decision(
        "Columns that single a person out together; while undecided, those the roles name.", None
    )
    k: int | None = _whole(
        "Smallest number of people who look alike in a release.", 1, unit="people", ge=1, le=10_000
    )
    l: int | None = _whole(  # noqa: E741 -- the literature's name
        "Smallest number of different sensitive values among people who look alike.",
        1,
        unit="values",
        ge=1,
        le=1000,
    )
    t: float | None = _number(
        "Largest distance between a group's sensitive values and everyone's.",
        1.0,
        unit="distance",
        ge=0,
        le=1,
    )
    suppression: float | None = _number(
        "Largest share of rows that may be left out of a release.",
        0.0,
        unit="share of rows",
        ge=0,
        le=1,
    )
    epsilon: float | None = _number(
        "Privacy-loss budget of one person for published counts and means (differential "
        "privacy); smaller hides more. While undecided, no noise is added.",
        None,
        unit="epsilon per person",
        gt=0,
        le=100,
    )
    epsilon_days: int | None = _whole(
        "The period over which that budget is spent.", 365, unit="days", ge=1, le=3660
    )
    reason: str | None = _reason()


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
    ) = _decision("The disparity that is measured.", "demographic_parity_difference")
    groups: Annotated[Names, Field(min_length=1)] | None = _decision(
        "Columns whose groups are compared; while undecided, nobody is compared.", None
    )
    intersections: bool | None = _decision(
        "Whether groups are also crossed, such as gender with region.", False
    )
    tolerance: float | None = _number(
        "The limit that calls for action: largest difference, or smallest ratio.",
        None,
        unit="difference or ratio",
        ge=0,
        le=1,
    )
    reviewer: (
        Literal[
            "marketing",
            "data_science",
            "data_protection_officer",
            "ethics_board",
            "external_auditor",
        ]
        | None
    ) = _decision("The role that reads the audit and answers for what follows.", "marketing")
    frequency: Literal["never", "every_campaign", "monthly", "quarterly", "yearly"] | None = (
        _decision("How often the audit is run.", "never")
    )
    min_group_size: int | None = _whole(
        "Groups smaller than this are marked as too small to tell, not dropped.",
        1,
        unit="people",
        ge=1,
        le=1_000_000,
    )
    reason: str | None = _reason()


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
    ) = _decision("The repair: of the data, of the training, or of the decision.", "none")
    constraint: (
        Literal[
            "demographic_parity",
            "equalized_odds",
            "true_positive_rate_parity",
            "false_positive_rate_parity",
            "error_rate_parity",
        ]
        | None
    ) = _decision("The parity that the repair aims at.", "demographic_parity")
    max_value_loss: float | None = _number(
        "Largest share of the campaign's value given up for it.",
        0.0,
        unit="share of value",
        ge=0,
        le=1,
    )
    reason: str | None = _reason()


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

    default: Literal["opt_in", "opt_out"] | None = _decision(
        "Before an answer: nothing is used (opt_in), or all is used (opt_out).", "opt_out"
    )
    banner: Literal["neutral", "nudging", "pay_or_okay", "pre_ticked", "hidden_refusal"] | None = (
        _decision(
            "How the question is put: equal buttons; one that shines; refusal costs money; boxes "
            "already ticked; refusal two clicks deep.",
            "nudging",
        )
    )
    regime: Literal["per_jurisdiction", "strictest_for_all", "weakest_for_all"] | None = _decision(
        "Whose rule holds: each person's own, or one for all.", "weakest_for_all"
    )
    purposes: (
        list[Literal["analytics", "direct_marketing", "personalization", "third_party_sharing"]]
        | None
    ) = _decision(
        "Purposes that are asked about, each by itself.",
        ["analytics", "direct_marketing", "personalization", "third_party_sharing"],
    )
    honour_gpc: bool | None = _decision(
        "Whether a browser's Global Privacy Control counts as an opt-out of sale and sharing.",
        False,
    )
    reask_months: int | None = _whole(
        "How long a refusal rests before the question comes again; 0 asks at every visit.",
        0,
        unit="months",
        ge=0,
        le=120,
    )
    reason: str | None = _reason()


class Explanations(Section):
    """How a person learns why this offer came."""

    method: (
        Literal["none", "shapley_values", "permutation_importance", "surrogate_model"] | None
    ) = _decision("How the reasons for a decision are found.", "none")
    reasons_shown: int | None = _whole(
        "How many reasons a person is shown.", 0, unit="reasons", ge=0, le=20
    )
    counterfactuals: bool | None = _decision(
        "Whether people are told what would have to differ for another decision.", False
    )
    notice: Literal["none", "one_line", "layered", "full_text"] | None = _decision(
        "How the notice is layered: none; one line; a line that opens into more; all at once.",
        "none",
    )
    reason: str | None = _reason()


class Transparency(Section):
    """Informing, not manipulating."""

    ai_disclosure: Literal["none", "footer", "upfront"] | None = _decision(
        "Where people read that a machine chose or wrote the message.", "none"
    )
    data_source_shown: bool | None = _decision(
        "Whether a message says which data it rests on.", False
    )
    urgency_claims: Literal["never", "only_if_true", "any"] | None = _decision(
        "Whether messages may press with scarcity or countdowns.", "any"
    )
    reason: str | None = _reason()


class Duty(Section):
    """What an organisation must be able to show."""

    retention_register: bool | None = _decision(
        "Whether a register says for each data category its purpose, basis and retention.", False
    )
    dpia: Literal["none", "before_launch", "before_launch_and_yearly"] | None = _decision(
        "When a data protection impact assessment is made.", "none"
    )
    human_review: Literal["none", "on_request", "before_sending"] | None = _decision(
        "When a person who may change the decision looks at it.", "none"
    )
    children: Literal["as_adults", "parental_consent", "no_profiling"] | None = _decision(
        "How people known or likely to be children are treated.", "as_adults"
    )
    reason: str | None = _reason()


class Log(Section):
    """The record of decisions, and who could notice if it were rewritten."""

    kind: Literal["none", "plain_file", "hash_chain", "merkle_tree"] | None = _decision(
        "How decisions are recorded. A hash chain and a Merkle tree show an auditor the same "
        "changes; the tree proves one entry in a few hashes.",
        "none",
    )
    witness: Literal["none", "second_team", "external"] | None = _decision(
        "Who keeps a copy of the log's head; needs a hash chain or a Merkle tree.", "none"
    )
    reason: str | None = _reason()

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


def _inner(annotation: Any) -> Any:
    """Return the type of a field without its ``| None``, and without ``Annotated``."""
    parts = [part for part in get_args(annotation) if part is not type(None)]
    kind = parts[0] if type(None) in get_args(annotation) else annotation
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind


def choices(path: str) -> tuple[str, ...]:
    """Return the words a field accepts, or its list's items accept; empty where any fits."""
    kind = _inner(FIELDS[path].annotation)
    if get_origin(kind) is list:
        kind = get_args(kind)[0]
    return get_args(kind) if get_origin(kind) is Literal else ()


def is_list(path: str) -> bool:
    """Tell whether a field holds a list."""
    return get_origin(_inner(FIELDS[path].annotation)) is list


def limits(path: str) -> tuple[float | None, float | None, bool]:
    """Return a number field's lowest and highest value, and whether the lowest is excluded."""
    low = high = None
    excluded = False
    for item in FIELDS[path].metadata:
        if getattr(item, "ge", None) is not None:
            low = item.ge
        if getattr(item, "gt", None) is not None:
            low, excluded = item.gt, True
        if getattr(item, "le", None) is not None:
            high = item.le
    return low, high, excluded


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
    kind = _inner(FIELDS[path].annotation)
    if is_list(path):
        return f"a list of {_or(words)}" if words else "a list of names"
    if words:
        return _or(words)
    if kind is bool:
        return "yes or no"
    if kind is str:
        return "a text"
    low, high, excluded = limits(path)
    noun = "a whole number" if kind is int else "a number"
    if excluded:
        return f"{noun} above {low:g} up to {high:g}"
    return f"{noun} from {low} to {high}"


def _or(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def unit(path: str) -> str:
    """Return a field's unit; an empty text where it has none."""
    return FIELDS[path].json_schema_extra["unit"]


def assumed(path: str) -> Any:
    """Return what is assumed while a field is undecided."""
    value = FIELDS[path].json_schema_extra["undecided"]
    return list(value) if isinstance(value, list) else value
