"""Each table and column of the world: type, role, range and meaning.

The one source of the data dictionary and of the checks on loaded worlds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ethicalai_lab.world.config import ARMS, CATEGORIES, JURISDICTIONS, PURPOSES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ACTIONS", "SCHEMA", "TRUTH_SCHEMA", "Column", "data_dictionary"]

ACTIONS = ("rest", "sports_email", "fashion_email", "sports_push", "fashion_push")
OUTCOMES = ("visit", "conversion", "spend", "unsubscribed")


@dataclass(frozen=True)
class Column:
    """What a column holds.

    Parameters
    ----------
    name : str
        Column name.
    kind : {"int", "float", "bool", "flag", "text", "category", "ordered", "date", "time"}
        Logical type; a flag is 0 or 1, a date has no time of day.
    role : str
        One of `ethicalai_lab.tables.ROLES`.
    description : str
        One sentence, with the unit where there is one.
    categories : tuple of str, default ()
        Allowed values of a category, in order.
    low, high : float, optional
        Allowed range, both ends included.
    nullable : bool, default False
        Whether values may be missing.
    """

    name: str
    kind: str
    role: str
    description: str
    categories: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    nullable: bool = False


def _cid() -> Column:
    return Column("customer_id", "int", "identifier", "Customer, 1 to n", low=1)


def _cat(name: str, role: str, values: tuple[str, ...], description: str) -> Column:
    return Column(name, "category", role, description, values)


def _unit(name: str, role: str, description: str) -> Column:
    return Column(name, "float", role, description, low=0, high=1)


def _flag(name: str, role: str, description: str) -> Column:
    return Column(name, "flag", role, description, low=0, high=1)


_GENDERS = ("female", "male", "nonbinary")
_REGIONS = ("north", "south", "east", "west", "california", "overseas")

SCHEMA: dict[str, tuple[Column, ...]] = {
    "customers": (
        _cid(),
        Column("full_name", "text", "identifier", "First name and invented surname"),
        Column("email", "text", "identifier", "E-mail address at a reserved domain, unique"),
        Column(
            "phone", "text", "identifier", "Number from a range reserved for fiction, not unique"
        ),
        Column("street", "text", "identifier", "Street and house number"),
        Column("postcode", "text", "quasi_identifier", "Postcode, five digits"),
        _cat("region", "quasi_identifier", _REGIONS, "Region of the land"),
        Column("birth_date", "date", "quasi_identifier", "Date of birth"),
        Column(
            "age", "int", "quasi_identifier", "Full years on the reference day", low=18, high=93
        ),
        _cat("gender", "protected", _GENDERS, "Gender"),
        _cat(
            "ethnic_group", "protected", ("A", "B", "C", "D"), "Neutral label of the ethnic group"
        ),
        Column("household_income", "int", "sensitive", "Euros a year before tax", low=0),
        Column(
            "education",
            "ordered",
            "quasi_identifier",
            "Highest education",
            ("primary", "secondary", "vocational", "bachelor", "postgraduate"),
        ),
        _cat(
            "occupation",
            "quasi_identifier",
            (
                "student",
                "manual",
                "service",
                "clerical",
                "professional",
                "manager",
                "self_employed",
                "unemployed",
                "retired",
            ),
            "Occupation",
        ),
        _cat(
            "marital_status",
            "quasi_identifier",
            ("single", "partnered", "married", "divorced", "widowed"),
            "Marital status",
        ),
        Column(
            "household_size", "int", "quasi_identifier", "People in the household", low=1, high=8
        ),
        Column("disability", "bool", "protected", "Lives with a disability"),
        Column("tenure_days", "int", "feature", "Days since the first order", low=0),
        _cat("device", "feature", ("mobile", "app", "desktop", "tablet"), "Device used most"),
        Column(
            "loyalty_tier",
            "ordered",
            "feature",
            "Loyalty tier",
            ("none", "bronze", "silver", "gold"),
        ),
        _cat("jurisdiction", "feature", JURISDICTIONS, "Law the customer lives under"),
        _unit("health_interest", "sensitive", "Health worries as a broker infers them, 0 to 1"),
        _unit("financial_stress", "sensitive", "Money worries as a broker infers them, 0 to 1"),
    ),
    "products": (
        Column("product_id", "int", "identifier", "Product, 1 to 180", low=1),
        Column("name", "text", "feature", "Name of the product"),
        _cat("category", "feature", CATEGORIES, "Category of the product"),
        Column("price", "float", "feature", "Euros", low=0),
        _unit("margin", "feature", "Share of the price that is margin"),
    ),
    "events": (
        _cid(),
        Column("time", "time", "time", "When it happened, in 2025"),
        _cat("kind", "feature", ("view", "purchase", "email_open"), "What happened"),
        Column("product_id", "int", "feature", "Product, -1 for an e-mail open", low=-1),
        Column("amount", "float", "feature", "Euros paid, 0 unless a purchase", low=0),
    ),
    "messages": (
        Column("message_id", "int", "identifier", "Message, 1 to m", low=1),
        _cid(),
        Column("time", "time", "time", "When it was sent"),
        Column("text", "text", "sensitive", "What the customer wrote; may hold personal data"),
        _cat(
            "language_style",
            "feature",
            ("plain", "informal", "formal", "terse"),
            "Style of the text",
        ),
        _cat(
            "intent",
            "feature",
            (
                "order_status",
                "return_request",
                "complaint",
                "product_question",
                "praise",
                "unsubscribe_request",
                "data_request",
            ),
            "What the customer wants first, as an annotator read it",
        ),
        _cat(
            "sentiment",
            "feature",
            ("negative", "neutral", "positive"),
            "Tone of the text, as an annotator read it",
        ),
        Column(
            "spans",
            "text",
            "feature",
            "JSON list of {start, end, kind} of the personal data; kinds email, phone, card, iban, name",
        ),
    ),
    "campaign": (
        _cid(),
        Column("recency", "int", "feature", "Months since the last purchase", low=1, high=12),
        Column("history", "float", "feature", "Euros spent in the last 12 months", low=0),
        _flag("sports", "feature", "1 if sports goods were bought in the last 12 months"),
        _flag("fashion", "feature", "1 if fashion was bought in the last 12 months"),
        _flag("newbie", "feature", "1 if a customer for a year or less"),
        _cat("channel", "feature", ("web", "store", "both"), "Where the customer buys"),
        _cat("arm", "treatment", ARMS, "Mail received, by lot in thirds"),
        _flag("visit", "outcome", "1 if the shop was visited in the two weeks after"),
        _flag("conversion", "outcome", "1 if something was bought in the two weeks after"),
        Column("spend", "float", "outcome", "Euros spent in the two weeks after", low=0),
        _flag("unsubscribed", "outcome", "1 if the mail made the customer unsubscribe"),
    ),
    "legacy_log": (
        _cid(),
        Column("week", "int", "time", "Week of the old programme, 0 to 5", low=0, high=5),
        _cat("action", "decision", ACTIONS, "What the old rule did"),
        Column(
            "propensity",
            "float",
            "feature",
            "Probability the rule gave to that action; 1 for rest after unsubscribing",
            low=0,
            high=1,
        ),
        Column("score", "float", "score", "Score of the old rule; higher is contacted more"),
        Column(
            "recent_contacts",
            "int",
            "feature",
            "Contacts in the two preceding weeks",
            low=0,
            high=2,
        ),
        _flag("visit", "outcome", "1 if a visit in the week was recorded"),
        _flag("conversion", "outcome", "1 if a purchase in the week was recorded"),
        Column("spend", "float", "outcome", "Euros recorded in the week", low=0),
        _flag("unsubscribed", "outcome", "1 if the contact made the customer unsubscribe"),
    ),
    "consent_events": (
        _cid(),
        _cat("purpose", "consent", PURPOSES, "Purpose the event is about"),
        _cat(
            "action", "consent", ("grant", "refuse", "withdraw", "object"), "What the person said"
        ),
        Column("time", "time", "time", "When it was said"),
        Column("notice_version", "text", "consent", "Version of the notice then shown"),
        _cat(
            "source",
            "consent",
            ("banner", "preference_centre", "email_link", "gpc_signal", "terms"),
            "How it was said",
        ),
        _cat("regime", "consent", ("gdpr", "ccpa", "other"), "Law that applied"),
    ),
    "register": (
        Column("register_id", "int", "identifier", "Entry of the public register", low=1),
        Column("full_name", "text", "identifier", "Name"),
        Column("street", "text", "identifier", "Street and house number"),
        Column("postcode", "text", "quasi_identifier", "Postcode"),
        Column("birth_date", "date", "quasi_identifier", "Date of birth"),
        _cat("gender", "quasi_identifier", _GENDERS, "Gender"),
    ),
    "preferences": (
        _cid(),
        _cat(
            "question",
            "feature",
            (
                "favourite_category",
                "second_category",
                "least_category",
                "contact_frequency",
                "price_range",
                "shops_for",
            ),
            "Question asked",
        ),
        Column("answer", "text", "feature", "Answer given; missing where refused", nullable=True),
        Column("time", "time", "time", "When it was asked"),
    ),
}


def _potential() -> tuple[Column, ...]:
    columns = [_cid()]
    for arm in ARMS:
        columns += [
            _unit(f"p_visit_{arm}", "outcome", f"Chance of a visit under {arm}"),
            _unit(f"p_conversion_{arm}", "outcome", f"Chance of a purchase under {arm}"),
            Column(f"expected_spend_{arm}", "float", "outcome", f"Expected euros under {arm}"),
            _unit(f"p_unsubscribe_{arm}", "outcome", f"Chance of unsubscribing under {arm}"),
            _flag(f"visit_{arm}", "outcome", f"Visit drawn under {arm}"),
            _flag(f"conversion_{arm}", "outcome", f"Purchase drawn under {arm}"),
            Column(f"spend_{arm}", "float", "outcome", f"Euros drawn under {arm}", low=0),
            _flag(f"unsubscribed_{arm}", "outcome", f"Unsubscription drawn under {arm}"),
        ]
    return tuple(columns)


def _journeys() -> tuple[Column, ...]:
    columns = [_cid()]
    for outcome in OUTCOMES:
        for action in ACTIONS:
            columns += [
                Column(
                    f"{outcome}_{action}_{k}",
                    "float",
                    "outcome",
                    f"Expected weekly {outcome} under {action} after {k} recent contacts",
                )
                for k in range(3)
            ]
    return tuple(columns)


TRUTH_SCHEMA: dict[str, tuple[Column, ...]] = {
    "potential_outcomes": _potential(),
    "uplift": (
        _cid(),
        *(
            Column(
                f"{outcome}_{arm}",
                "float",
                "outcome",
                f"Expected {outcome} under {arm} less that under no_mail",
            )
            for outcome in ("visit", "conversion", "spend", "unsubscribe")
            for arm in ARMS[1:]
        ),
    ),
    "interests": (
        _cid(),
        *(_unit(name, "sensitive", f"Interest in {name}, 0 to 1") for name in CATEGORIES),
    ),
    "people": (
        _cid(),
        _unit("privacy_concern", "sensitive", "Privacy concern, 0 to 1"),
        _unit("trust", "sensitive", "Trust in the retailer, 0 to 1"),
        _unit("fatigue_sensitivity", "sensitive", "How soon messages tire the person, 0 to 1"),
        _unit("honesty", "sensitive", "Chance of a truthful answer"),
        _unit("price_sensitivity", "sensitive", "How much the price decides, 0 to 1"),
        Column(
            "activity",
            "float",
            "sensitive",
            "How much the person shops by nature (standard normal)",
        ),
        Column("financial_strain", "float", "sensitive", "Money worries (about standard normal)"),
        Column("health_burden", "float", "sensitive", "Health worries (about standard normal)"),
        _unit(
            "active_share",
            "sensitive",
            "Share of the time since joining before shopping stopped; 1 if it did not",
        ),
        _cat(
            "favoured_line", "sensitive", ("basic", "classic", "premium"), "Line of goods favoured"
        ),
        Column(
            "disfavoured", "bool", "protected", "Whether the old rule was prejudiced against them"
        ),
    ),
    "purposes": (
        _cid(),
        *(Column(name, "bool", "consent", f"Truly accepts {name}") for name in PURPOSES),
    ),
    "bias": (
        Column("group", "text", "protected", "Group of people"),
        Column(
            "population_share",
            "float",
            "feature",
            "Share in the population, where a knob can thin the group",
            low=0,
            high=1,
            nullable=True,
        ),
        _unit("customer_share", "feature", "Share among the customers"),
        Column("score_shift", "float", "score", "What prejudice adds to the old rule's score"),
        _unit("lost_share", "outcome", "Chance that a response goes unrecorded"),
        Column(
            "true_visit_rate",
            "float",
            "outcome",
            "Weekly visit rate in the old programme",
            nullable=True,
        ),
        Column("recorded_visit_rate", "float", "outcome", "The same as recorded", nullable=True),
        Column("contact_rate", "float", "decision", "Share of weeks with a contact", nullable=True),
    ),
    "legacy": (
        _cid(),
        Column("week", "int", "time", "Week of the old programme, 0 to 5", low=0, high=5),
        Column("score", "float", "score", "Score without the prejudice"),
        _flag("visit", "outcome", "1 if a visit happened, recorded or not"),
        _flag("conversion", "outcome", "1 if a purchase happened, recorded or not"),
        Column("spend", "float", "outcome", "Euros spent, recorded or not", low=0),
    ),
    "identity": (
        Column("register_id", "int", "identifier", "Entry of the public register", low=1),
        Column("customer_id", "int", "identifier", "The customer it is, -1 for nobody's", low=-1),
    ),
    "answers": (
        _cid(),
        SCHEMA["preferences"][1],
        Column("answer", "text", "feature", "The true answer"),
        Column("truthful", "bool", "feature", "Whether a given answer would be the true one"),
    ),
    "journeys": _journeys(),
}


def data_dictionary(truth: bool = False) -> pd.DataFrame:
    """Return the data dictionary: one row a column of the world.

    Parameters
    ----------
    truth : bool, default False
        Whether to list the tables of ``world.truth`` too.

    Returns
    -------
    pandas.DataFrame
        Columns table, column, type, role, description, values (allowed ones or range)
        and missing (whether values may be).

    Examples
    --------
    >>> from ethicalai_lab.world import data_dictionary
    >>> data_dictionary().query("column == 'ethnic_group'")["role"].item()
    'protected'
    """
    import pandas as pd

    tables = dict(SCHEMA)
    if truth:
        tables |= {f"truth.{name}": columns for name, columns in TRUTH_SCHEMA.items()}
    rows = []
    for table, columns in tables.items():
        for column in columns:
            values = ", ".join(column.categories)
            if column.low is not None:
                values = f"from {column.low:g}" + (
                    "" if column.high is None else f" to {column.high:g}"
                )
            rows.append(
                (
                    table,
                    column.name,
                    column.kind,
                    column.role,
                    column.description,
                    values,
                    "yes" if column.nullable else "no",
                )
            )
    names = ["table", "column", "type", "role", "description", "values", "missing"]
    return pd.DataFrame(rows, columns=names)
