"""Questions of lesson 03: which data earns its keep, and what asking is worth."""

from __future__ import annotations

from typing import Any

from ethicalai_lab.lessons.answers import Choice, Choices, Judgement, Number
from ethicalai_lab.lessons.engine import (
    Exercise,
    Lesson,
    Mistake,
    Option,
    Prediction,
    Quiz,
    per_world,
)

__all__ = ["LESSON"]

GROUPS = {
    "what they bought": [
        "recency",
        "history",
        "sports",
        "fashion",
        "newbie",
        "channel",
        "loyalty_tier",
    ],
    "age and gender": ["age", "gender"],
    "work and money": ["household_income", "education", "occupation"],
    "home and device": ["marital_status", "household_size", "region", "device"],
    "a broker's guesses": ["health_interest", "financial_stress"],
}
GUESSES = GROUPS["a broker's guesses"]
COLUMNS = [column for group in GROUPS.values() for column in group]
FEW = ["recency", "history", "newbie", "age"]
MOST, ENOUGH = 6, 0.9  # as exercise 1 says them
SPLIT = "2025-11-01"
QUESTIONS = [
    "favourite_category",
    "second_category",
    "least_category",
    "contact_frequency",
    "price_range",
    "shops_for",
]


# ------------------------------------------------- the notebook's own steps, once a world


@per_world
def _table(world: Any) -> Any:
    """Return the campaign with what is held about each customer."""
    held = world.customers[["customer_id", *(c for c in COLUMNS if c in world.customers)]]
    return world.campaign.merge(held, on="customer_id")


@per_world
def _worth(world: Any) -> Any:
    """Return a function that values a set of columns for foretelling visits."""
    from functools import cache

    from ethicalai_lab.privacy import Prediction as Foretell
    from ethicalai_lab.privacy import set_value

    @cache
    def value(columns: tuple[str, ...]) -> Any:
        return set_value(_table(world), Foretell("visit"), columns)

    return lambda columns: value(tuple(c for c in COLUMNS if c in columns)).value


@per_world
def _guess_loss(world: Any) -> Any:
    """Return what foretelling visits loses without the guesses, paired."""
    from ethicalai_lab.privacy import Prediction as Foretell
    from ethicalai_lab.privacy import set_value

    without = [c for c in COLUMNS if c not in GUESSES]
    return set_value(_table(world), Foretell("visit"), COLUMNS, than=without)


@per_world
def _asking(world: Any) -> Any:
    from ethicalai_lab.personalization import compare_asking

    return compare_asking(
        world.events, world.products, world.preferences, at=SPLIT, interests=world.truth.interests
    )


@per_world
def _kept(world: Any) -> Any:
    """Return the retention table, by days."""
    from ethicalai_lab.privacy.retention import behaviour, retention

    shop = world.events.merge(world.products[["product_id", "category"]], on="product_id")
    later = behaviour(
        shop,
        customers=world.customers["customer_id"],
        by="category",
        start=SPLIT,
        end=world.as_of,
        share=True,
    )
    return retention(shop, later, as_of=SPLIT).table.set_index("days")


# ---------------------------------------------------------------------------- predictions


def _p1_facts(world: Any) -> dict[str, float]:
    loss, everything = _guess_loss(world), _worth(world)(tuple(COLUMNS))
    return {"loss": loss.value, "low": loss.low, "high": loss.high, "all": everything}


def _p1_outcome(world: Any) -> str:
    facts = _p1_facts(world)
    if facts["low"] <= 0:
        return "c"
    return "a" if facts["loss"] > 0.1 * facts["all"] else "b"


P1 = Prediction(
    id="p1",
    prompt=(
        "The shop foretells who will visit, from eighteen columns. Two of them are the broker's "
        "guesses. How much worse does it foretell visits without these two?"
    ),
    options={
        "a": "Clearly worse: over a tenth of what the columns hold is gone.",
        "b": "A little worse, and it can be measured.",
        "c": "No loss can be told from zero.",
    },
    outcome=_p1_outcome,
    says=(
        "All columns explain {all:.2%} of the variance of visits. Giving the guesses up costs "
        "{loss:+.2%} of the variance, with an interval from {low:+.2%} to {high:+.2%}. A minus "
        "means that the shop foretells better without them."
    ),
    facts=_p1_facts,
)


def _p2_facts(world: Any) -> dict[str, Any]:
    by = _asking(world).by_history
    return {
        "none": float(by["difference"].iloc[0]),
        "long": float(by["difference"].iloc[-1]),
        "long_low": float(by["low"].iloc[-1]),
        "long_high": float(by["high"].iloc[-1]),
    }


def _p2_outcome(world: Any) -> str:
    facts = _p2_facts(world)
    gap = facts["none"] - facts["long"]
    return "b" if abs(gap) < 0.02 else "a" if gap > 0 else "c"


P2 = Prediction(
    id="p2",
    prompt="For whom does asking beat watching by the most?",
    options={
        "a": "For those about whom the shop knows nothing yet.",
        "b": "For all alike.",
        "c": "For those with a long history: they know best what they like.",
    },
    outcome=_p2_outcome,
    says=(
        "Without history, asking finds a category that the customer likes better by {none:+.2f} "
        "(interest runs from 0 to 1). With the longest history the difference is {long:+.2f}, with "
        "an interval from {long_low:+.2f} to {long_high:+.2f}."
    ),
    facts=_p2_facts,
)


# ------------------------------------------------------------------------------- exercises


def _kept_columns(world: Any, columns: list[str], value: float | None = None) -> dict[str, Any]:
    return {"keep": columns, "value": _worth(world)(tuple(columns)) if value is None else value}


@per_world
def _q1_facts(world: Any) -> dict[str, Any]:
    worth = _worth(world)
    everything = worth(tuple(COLUMNS))
    return {
        "all": everything,
        "worth": worth,
        "few": _kept_columns(world, FEW),
        "wrong_value": _kept_columns(world, FEW, 2 * everything),
        "shopping": _kept_columns(world, GROUPS["what they bought"]),
        "guessing": _kept_columns(world, [*FEW, "health_interest"]),
        "one": _kept_columns(world, ["history"]),
    }


Q1 = Exercise(
    id="q1",
    prompt=(
        "Remove columns until you feel it. Keep at most six, and keep at least nine tenths of what "
        "all eighteen explain. Give the columns, and what they are worth by `set_value`."
    ),
    answer=Judgement(fields={"keep": Choices(COLUMNS), "value": Number(low=-1, high=1)}),
    expected=lambda world: None,
    facts=_q1_facts,
    reference=lambda f: f.few,
    mistakes=[
        Mistake(
            "other_value",
            lambda f: f.wrong_value,
            "The columns and the figure do not belong together. Let `set_value` value exactly the "
            "columns you keep.",
            when=lambda a, f: abs(a["value"] - f.worth(a["keep"])) > 0.0005,
        ),
        Mistake(
            "too_many",
            lambda f: f.shopping,
            "You keep more than six. Take one more away and look whether the figure falls.",
            when=lambda a, f: len(a["keep"]) > MOST,
        ),
        Mistake(
            "guess",
            lambda f: f.guessing,
            "You keep a guess about health or money. Compare the value of your columns with and "
            "without it.",
            when=lambda a, f: bool(set(a["keep"]) & set(GUESSES)),
        ),
        Mistake(
            "too_little",
            lambda f: f.one,
            "Now it is felt: these columns hold less than nine tenths of what all hold. Which "
            "group was the one that counted? Try two or three columns of it, beside age.",
            when=lambda a, f: f.worth(a["keep"]) < ENOUGH * f.all,
        ),
    ],
    hints=[
        "The figure above shows the one group that matters. Begin there.",
        "`set_value(table, foretell, [...]).value` values a list of columns.",
        "Columns that say nearly the same need not both stay: `history` and `loyalty_tier`.",
    ],
    solution=(
        'keep = ["recency", "history", "newbie", "age"]\n'
        'answer = {"keep": keep, "value": set_value(table, foretell, keep).value}'
    ),
    why=(
        "Your columns do the work of all eighteen, which explain {all:.2%} of the variance. "
        "Other sets would pass as well: minimal is a size, not one list."
    ),
)


@per_world
def _q2_facts(world: Any) -> dict[str, Any]:
    after = {c for c, role in world.roles["campaign"].items() if role == "outcome"} - {"visit"}
    campaign = world.campaign
    spent, left = campaign["spend"] > 0, campaign["unsubscribed"] == 1
    return {
        "after": after,
        "plus_arm": after | {"arm"},
        "plus_history": after | {"history"},
        "spent": int(spent.sum()),
        "spent_came": float(campaign.loc[spent, "visit"].mean()),
        "left_came": float(campaign.loc[left, "visit"].mean()),
        "came": float(campaign["visit"].mean()),
    }


Q2 = Exercise(
    id="q2",
    prompt=(
        "Which columns of `campaign` must not be used to foretell a visit, because they are "
        "written only after the mail went out? Give a set of names."
    ),
    answer=Choices(
        [
            "recency",
            "history",
            "sports",
            "fashion",
            "newbie",
            "channel",
            "arm",
            "conversion",
            "spend",
            "unsubscribed",
        ]
    ),
    expected=lambda world: _q2_facts(world)["after"],
    facts=_q2_facts,
    mistakes=[
        Mistake(
            "only_suspects",
            {"conversion", "spend"},
            "These two the figures betray. There is one more that nothing betrays, since it hardly "
            "goes with visits. Ask of each column: when is it written?",
        ),
        Mistake(
            "arm",
            lambda f: f.plus_arm,
            "The arm is settled *before* anything happens: the shop drew it itself. It is known "
            "on the morning of the mailing.",
            when=lambda answer, f: "arm" in answer,
        ),
        Mistake(
            "strong_is_not_leaky",
            lambda f: f.plus_history,
            "`history` foretells much because it counts the months before the mail. Strong is "
            "not the same as late.",
            when=lambda answer, f: bool(answer & {"history", "recency"}),
        ),
        Mistake(
            "incomplete",
            {"spend"},
            "What you named is written after the mail. Something else is written then, too.",
            when=lambda answer, f: bool(answer) and answer < f.after,
        ),
    ],
    hints=[
        "No figure tells when a field is filled in. People who know the shop do.",
        "Imagine the morning of the mailing. Which cells are still empty?",
        "A sale, its amount, and leaving the list all come after the mail.",
    ],
    solution='answer = {"conversion", "spend", "unsubscribed"}',
    why=(
        "All three are outcomes of the mailing. Of the {spent:,} who spent something, "
        "{spent_came:.0%} had come, so the search named these columns. Of those who left the list, "
        "{left_came:.0%} came, against {came:.0%} of everybody: `unsubscribed` gives nothing "
        "away, and only somebody who knows the calendar can name it."
    ),
)


@per_world
def _q3_facts(world: Any) -> dict[str, float]:
    report = _asking(world)
    of = report.table[report.table["measure"] == "interest"].set_index("method")["value"]
    none = report.by_history.iloc[0]
    return {
        "watching": float(none["watching"]),
        "asking": float(none["asking"]),
        "average": float(of["asking"] - of["watching"]),
        "relative": float(none["asking"] / none["watching"] - 1),
        "reversed": float(none["watching"] - none["asking"]),
    }


Q3 = Exercise(
    id="q3",
    prompt=(
        "Customers without any history: how much better do they like the category found by asking "
        "than the one found by watching? Give the difference of true interest, from 0 to 1."
    ),
    answer=Number(absolute=0.002, unit="number", low=-1, high=1),
    expected=lambda world: _q3_facts(world)["asking"] - _q3_facts(world)["watching"],
    facts=_q3_facts,
    mistakes=[
        Mistake(
            "average",
            lambda f: f.average,
            "That is the difference over all customers who were asked. Look only at those whose "
            "history is `0`.",
        ),
        Mistake(
            "level",
            lambda f: f.asking,
            "That is how well asking does. By how much does it beat watching?",
        ),
        Mistake(
            "relative",
            lambda f: f.relative,
            "That is how many per cent more. Asked for is the difference itself.",
        ),
        Mistake(
            "reversed",
            lambda f: f.reversed,
            "The size is right, the sign is turned: asking minus watching.",
        ),
    ],
    hints=[
        "The table `asking.by_history` has one row for each length of history.",
        "The first row holds those about whom nothing is known.",
        "Its column `difference` is asking minus watching.",
    ],
    solution='answer = asking.by_history.set_index("history").loc["0", "difference"]',
    why=(
        "Without history, watching is left with what everybody likes: {watching:.2f}. "
        "A few questions bring {asking:.2f}, without one purchase on record."
    ),
)


@per_world
def _q4_facts(world: Any) -> dict[str, float]:
    kept = _kept(world)
    longest = kept["value"].iloc[-1]
    loss = float(kept.loc[90, "loss"])
    return {
        "loss": loss,
        "remaining": float(kept.loc[90, "value"] / longest),
        "events": float(1 - kept.loc[90, "kept_share"]),
        "share": float(loss / longest),
        "to_left": float(loss / kept.loc[90, "value"]),
        "longest": float(longest),
    }


Q4 = Exercise(
    id="q4",
    prompt=(
        "The shop deletes behaviour after 90 days. What share of what the longest period explains "
        "does it lose?"
    ),
    answer=Number(absolute=0.01, unit="share", low=0, high=1),
    expected=lambda world: _q4_facts(world)["share"],
    facts=_q4_facts,
    mistakes=[
        Mistake(
            "absolute",
            lambda f: f.loss,
            "That is the loss itself. Which share is it of what the longest period explains?",
            when=lambda answer, f: abs(answer - f.loss) < 0.002,
        ),
        Mistake(
            "remaining",
            lambda f: f.remaining,
            "That is what remains. Asked for is what is lost.",
        ),
        Mistake(
            "events",
            lambda f: f.events,
            "That is the share of *events* deleted. What they were good for is in the column `loss`.",
        ),
        Mistake(
            "to_left",
            lambda f: f.to_left,
            "You divided by what 90 days explain. Divide by what the longest period explains.",
        ),
    ],
    hints=[
        "The table `kept.table` has a row for each period; `loss` compares with the longest.",
        "Divide the loss at 90 days by the value of the last row.",
        'With `by_days = kept.table.set_index("days")`, one cell is `by_days.loc[90, "loss"]`.',
    ],
    solution=(
        'by_days = kept.table.set_index("days")\n'
        'answer = by_days.loc[90, "loss"] / by_days["value"].iloc[-1]'
    ),
    why=(
        "{share:.0%} of the value goes, with {events:.0%} of the events. But the value was small: "
        "the longest period explains {longest:.1%} of what people turn to later."
    ),
)


@per_world
def _q5_facts(world: Any) -> dict[str, Any]:
    from ethicalai_lab.personalization import answer_quality

    ranked = _asking(world).questions.set_index("question")
    refused = answer_quality(world.preferences).set_index("question")["refused"]
    return {
        "useful": set(ranked.index[ranked["low"] > 0]),
        "first": str(ranked.index[0]),
        "low_price": float(ranked.loc["price_range", "low"]),
        "refused_price": float(refused["price_range"]),
    }


def _judged(f: Any, **other: Any) -> dict[str, Any]:
    """Return a judgement that agrees with itself, with some fields otherwise."""
    fields = {
        "questions": sorted(f.useful),
        "reason": "true interest",
        "low_price": f.low_price,
        "refused_price": f.refused_price,
        "price_adds": "sure" if f.low_price > 0 else "unsure",
    }
    return {**fields, **other}


Q5 = Exercise(
    id="q5",
    prompt=(
        "Which questions would you ask, if they only serve to choose the offer? The reason is "
        '`"true interest"` (what each adds to the offer) or `"fewest refusals"`. Give two figures '
        "of your own about `price_range`: the low end of its gain, and the share that left it open. "
        'Are you `"sure"` or `"unsure"` that it adds anything to the offer?'
    ),
    answer=Judgement(
        fields={
            "questions": Choices(QUESTIONS),
            "reason": Choice(["true interest", "fewest refusals"]),
            "low_price": Number(absolute=0.0006),
            "refused_price": Number(absolute=0.006),
            "price_adds": Choice(["sure", "unsure"]),
        },
        own={"low_price": "low_price", "refused_price": "refused_price"},
    ),
    expected=lambda world: None,
    facts=_q5_facts,
    reference=_judged,
    mistakes=[
        Mistake(
            "idle_question",
            lambda f: _judged(f, questions=QUESTIONS),
            "Your reason is what each question adds. You ask at least one whose interval "
            "does not exclude zero. Each question costs the customer's time.",
            when=lambda a, f: a["reason"] == "true interest" and not a["questions"] <= f.useful,
        ),
        Mistake(
            "left_out",
            lambda f: _judged(f, questions=[]),
            "Your reason is what each question adds, and you leave one out that adds something.",
            when=lambda a, f: a["reason"] == "true interest" and not f.useful <= a["questions"],
        ),
        Mistake(
            "against_refusals",
            lambda f: _judged(f, reason="fewest refusals", questions=QUESTIONS),
            "Your reason is few refusals, and each further question was refused by more people. "
            "Which list of questions suits that reason?",
            when=lambda a, f: a["reason"] == "fewest refusals" and len(a["questions"]) > 1,
        ),
        Mistake(
            "against_interval",
            lambda f: _judged(f, price_adds="unsure" if f.low_price > 0 else "sure"),
            "Look at the low end that you gave. Does it leave “adds nothing” possible?",
            when=lambda a, f: (a["price_adds"] == "sure") != (a["low_price"] > 0),
        ),
    ],
    hints=[
        "`asking.questions` shows what each question adds beside those above it.",
        "Refusals stand in `quality`. Both tables have a column `question`.",
        "An interval that reaches below zero does not exclude that the question adds nothing.",
    ],
    solution=(
        'ranked = asking.questions.set_index("question")\n'
        'low = ranked["low"]\n'
        "answer = {\n"
        '    "questions": list(low[low > 0].index),\n'
        '    "reason": "true interest",\n'
        '    "low_price": low["price_range"],\n'
        '    "refused_price": quality.set_index("question").loc["price_range", "refused"],\n'
        '    "price_adds": "sure" if low["price_range"] > 0 else "unsure",\n'
        "}"
    ),
    why=(
        "Reason, questions and figures agree. A question may still serve another purpose, such as "
        "how often to write. Then it is that purpose that must justify it."
    ),
)


# -------------------------------------------------------------------------------- quiz

QUIZ1 = Quiz(
    id="quiz1",
    prompt="“She typed it into the form herself, so we may use it for anything.” What is wrong?",
    options=[
        Option(
            "a",
            "Nothing: an answer is consent.",
            "Handing something over is not a legal basis. The form asked for one purpose.",
        ),
        Option(
            "b",
            "Answers are personal data: they need a basis, a purpose and an end date.",
            "Right: “zero-party” is a word of marketing, not of the law. A told favourite is as "
            "personal as a guessed one.",
            right=True,
        ),
        Option(
            "c",
            "Answers may be false, so they are no personal data.",
            "A false statement about a person is still data about that person.",
        ),
    ],
)

QUIZ2 = Quiz(
    id="quiz2",
    prompt="A new column foretells visits better than all the others together. You ask first:",
    options=[
        Option(
            "a",
            "When is this field written?",
            "Right: if it is written after the visit, the model will not have it on the day it "
            "is needed.",
            right=True,
        ),
        Option(
            "b",
            "Can we buy more such columns?",
            "Perhaps there is nothing to buy: a column that looks too good may only repeat the "
            "outcome.",
        ),
        Option(
            "c",
            "May we drop the others now?",
            "Not before you know why it is so strong. On the day of the mailing it may be empty.",
        ),
    ],
)

LESSON = Lesson(
    number="03",
    title="Data minimization: which data earns its keep?",
    exercises=[Q1, Q2, Q3, Q4, Q5],
    quizzes=[QUIZ1, QUIZ2],
    predictions=[P1, P2],
    setup="""
from ethicalai_lab.personalization import answer_quality, compare_asking
from ethicalai_lab.privacy import Prediction, set_value
from ethicalai_lab.privacy.retention import behaviour, retention

held = ["age", "gender", "household_income", "education", "occupation", "marital_status",
        "household_size", "region", "device", "loyalty_tier", "health_interest",
        "financial_stress"]
table = world.campaign.merge(world.customers[["customer_id", *held]], on="customer_id")
foretell = Prediction("visit")
asking = compare_asking(
    world.events, world.products, world.preferences, at="2025-11-01",
    interests=world.truth.interests,
)
quality = answer_quality(world.preferences, world.truth.answers)
shop = world.events.merge(world.products[["product_id", "category"]], on="product_id")
later = behaviour(
    shop, customers=world.customers["customer_id"], by="category", start="2025-11-01",
    end=world.as_of, share=True,
)
kept = retention(shop, later, as_of="2025-11-01")
""",
    decides="data",
)
