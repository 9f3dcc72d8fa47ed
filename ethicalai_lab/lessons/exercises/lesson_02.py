"""Questions of lesson 02: what to offer, in which words, and how often."""

from __future__ import annotations

from typing import Any

from ethicalai_lab.lessons.answers import Choice, Judgement, Number
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

VISIT, MAIL, LEAVER = 4.0, 0.02, 10.0  # as the notebook sets them
SPLIT = "2025-10-01"
CLASS = "6-10"  # length of history that exercise 2 asks about


# ------------------------------------------------- the notebook's own steps, once a world


@per_world
def _log(world: Any) -> Any:
    log = world.legacy_log
    return log.assign(contact=log["action"] != "rest")


@per_world
def _dashboard(world: Any) -> Any:
    """Return what the team's report shows: means by number of contacts."""
    each = (
        _log(world)
        .groupby("customer_id")
        .agg(contacts=("contact", "sum"), visits=("visit", "sum"), left=("unsubscribed", "max"))
    )
    return each.groupby("contacts")[["visits", "left"]].mean()


@per_world
def _people(world: Any) -> Any:
    from ethicalai_lab.personalization import journey_people

    return journey_people(world.customers, world.campaign)


def _price() -> Any:
    from ethicalai_lab.personalization import Reward

    return Reward(visit=VISIT, spend=0.0, contact=MAIL, unsubscribed=LEAVER)


@per_world
def _curve(world: Any) -> Any:
    """Return the truth by number of contacts, spread over six weeks."""
    from ethicalai_lab.personalization import contact_curve

    return contact_curve(world.truth, _people(world), reward=_price())


@per_world
def _lists(world: Any) -> Any:
    """Return the report on recommenders; only its values are used, so few bootstraps."""
    from ethicalai_lab.personalization import (
        ItemToItem,
        MatrixFactorization,
        Popularity,
        compare_recommenders,
        interactions,
        time_split,
    )

    seen, later = time_split(world.events[world.events["kind"] != "email_open"], SPLIT)
    ids = {
        "customers": world.customers["customer_id"],
        "products": world.products["product_id"],
    }
    models = {
        "popularity": Popularity(),
        "item to item": ItemToItem(),
        "matrix factorization": MatrixFactorization(),
    }
    return compare_recommenders(
        models, interactions(seen, **ids), interactions(later, **ids), n_boot=2
    )


@per_world
def _sorted(world: Any) -> tuple[Any, Any]:
    """Return the messages as sorted with copies in every fold, and with phrasings kept whole."""
    from ethicalai_lab.personalization import (
        MessageClassifier,
        classify_messages,
        phrasings,
        redact,
    )

    inbox = world.messages.assign(text=[redact(text) for text in world.messages["text"]])
    model = MessageClassifier(redacted=False)
    plain = {"model": model, "n_boot": 2}
    same = phrasings(inbox["text"], vocabulary=world.products["name"])
    return (
        classify_messages(inbox, "intent", **plain),
        classify_messages(inbox, "intent", groups=same, **plain),
    )


# -------------------------------------------------------------------------- predictions


def _p1_facts(world: Any) -> dict[str, float]:
    leave = 1000 * _curve(world)["unsubscribed"]
    return {"two": float(leave[2]), "six": float(leave[6])}


def _p1_outcome(world: Any) -> str:
    facts = _p1_facts(world)
    ratio = facts["six"] / facts["two"]
    return "a" if ratio < 0.8 else "b" if ratio < 2 else "c"


P1 = Prediction(
    id="p1",
    prompt=(
        "Suppose the shop wrote to everybody in all six weeks, instead of in two. How many "
        "people would leave?"
    ),
    options={
        "a": "Fewer: the report shows that well-informed customers stay.",
        "b": "About as many, up to twice as many.",
        "c": "More than twice as many.",
    },
    outcome=_p1_outcome,
    says=(
        "In truth {two:.0f} of 1,000 customers leave after two contacts, and {six:.0f} after six. "
        "The report pointed the other way."
    ),
    facts=_p1_facts,
)


@per_world
def _p2_facts(world: Any) -> dict[str, float]:
    value = _ndcg(world)
    gain = value["item to item"] - value["popularity"]
    return {"none": float(gain["0"]), "few": float(gain["1-2"]), "many": float(gain[CLASS])}


def _ndcg(world: Any, measure: str = "ndcg") -> Any:
    table = _lists(world).by_history
    return table[table["measure"] == measure].pivot(
        index="history", columns="model", values="value"
    )


def _p2_outcome(world: Any) -> str:
    facts = _p2_facts(world)
    if facts["none"] > facts["many"]:
        return "a"
    return "c" if facts["many"] > 2 * abs(facts["none"]) + 0.01 else "b"


P2 = Prediction(
    id="p2",
    prompt="Whom does the item-to-item list serve better than the list of bestsellers?",
    options={
        "a": "Above all newcomers, since the shop knows so little of them.",
        "b": "Everybody about alike.",
        "c": "Above all people with a history.",
    },
    outcome=_p2_outcome,
    says=(
        "With six to ten products in the history the gain in NDCG is {many:+.3f}, with one or "
        "two it is {few:+.3f}, and without a history {none:+.3f}."
    ),
    facts=_p2_facts,
)


def _p3_facts(world: Any) -> dict[str, float]:
    gain = 1000 * _curve(world)["gain"]
    best = int(gain.idxmax())
    return {"best": best, "gain": float(gain[best]), "six": float(gain[6])}


def _p3_outcome(world: Any) -> str:
    best = _p3_facts(world)["best"]
    return "a" if best == 0 else "b" if best <= 2 else "c" if best <= 4 else "d"


P3 = Prediction(
    id="p3",
    prompt=(
        "A visit is worth 4, a message costs 2 cents, a subscriber who leaves is a loss of 10. "
        "Everybody gets the same number of messages in six weeks. Which number earns most?"
    ),
    options={"a": "None.", "b": "One or two.", "c": "Three or four.", "d": "Five or six."},
    outcome=_p3_outcome,
    says=(
        "Most is earned at {best}: {gain:+,.0f} per 1,000 customers, against never writing. "
        "Six make it {six:+,.0f}."
    ),
    facts=_p3_facts,
)


# ---------------------------------------------------------------------------- exercises


@per_world
def _q1_facts(world: Any) -> dict[str, float]:
    log = _log(world)
    sent = log[log["contact"]].groupby("recent_contacts")["unsubscribed"].mean()
    every = log.groupby("recent_contacts")["unsubscribed"].mean()
    left = _dashboard(world)["left"]
    return {
        "fresh": float(sent[0]),
        "after_one": float(sent[1]),
        "after_two": float(sent[2]),
        "one": float(sent[1] / sent[0]),
        "difference": float(sent[2] - sent[0]),
        "resting": float(every[2] / every[0]),
        "reversed": float(sent[0] / sent[2]),
        "report": float(left[6] / left[1]),
    }


Q1 = Exercise(
    id="q1",
    prompt=(
        "Take the messages that were sent. How many times as likely is it that a message makes "
        "its reader leave, if two came in the weeks before it rather than none?"
    ),
    answer=Number(absolute=0.02, low=0, high=100),
    expected=lambda world: _q1_facts(world)["after_two"] / _q1_facts(world)["fresh"],
    facts=_q1_facts,
    mistakes=[
        Mistake(
            "resting",
            lambda f: f.resting,
            "You counted weeks of rest too, and nobody leaves because of a message that was not "
            "sent. Keep the rows in which `contact` is True.",
        ),
        Mistake(
            "one",
            lambda f: f.one,
            "That compares one earlier message with none. Asked is two with none.",
        ),
        Mistake(
            "difference",
            lambda f: f.difference,
            "That is the difference of the two shares. Asked is how many times as likely.",
            when=lambda answer, f: abs(answer - f.difference) < 0.002,
        ),
        Mistake("reversed", lambda f: f.reversed, "Turn the fraction over."),
        Mistake(
            "report",
            lambda f: f.report,
            "You compared customers by the number of contacts, as the report does. Compare "
            "messages, by what came in the two weeks before.",
        ),
    ],
    hints=[
        "`log[log.contact]` holds one row for each message sent.",
        "Group these rows by `recent_contacts` and take the mean of `unsubscribed`.",
        "Divide the value at 2 by the value at 0.",
    ],
    solution=(
        'leaving = log[log["contact"]].groupby("recent_contacts")["unsubscribed"].mean()\n'
        "answer = leaving[2] / leaving[0]"
    ),
    why=(
        "{after_two:.2%} leave after a message that follows two others, {fresh:.2%} after one "
        "that comes fresh: {expected:.1f} times as many. The same log that praises six contacts "
        "shows what they wear out."
    ),
)


@per_world
def _q2_facts(world: Any) -> dict[str, float]:
    report = _lists(world)
    value, hits = _ndcg(world), _ndcg(world, "hit_rate")
    against = report.against.set_index(["model", "measure"])["value"]
    ours, base = value["item to item"][CLASS], value["popularity"][CLASS]
    return {
        "ours": float(ours),
        "base": float(base),
        "overall": float(against["item to item", "ndcg"]),
        "hits": float(hits["item to item"][CLASS] - hits["popularity"][CLASS]),
        "factors": float(value["matrix factorization"][CLASS] - base),
        "reversed": float(base - ours),
        "relative": float(ours / base - 1),
    }


Q2 = Exercise(
    id="q2",
    prompt=(
        "Customers with a history of 6-10 products: by how much is the NDCG of the item-to-item "
        "list higher than that of the bestsellers?"
    ),
    answer=Number(absolute=0.001, low=-1, high=1),
    expected=lambda world: _q2_facts(world)["ours"] - _q2_facts(world)["base"],
    facts=_q2_facts,
    mistakes=[
        Mistake(
            "overall",
            lambda f: f.overall,
            "That is the gain over all customers. It mixes those with a history and those "
            "without one. Take the row `6-10`.",
        ),
        Mistake(
            "hits",
            lambda f: f.hits,
            "That is the difference in hit rate. Asked is NDCG, which also counts how far up "
            "in the list a hit stands.",
        ),
        Mistake(
            "factors",
            lambda f: f.factors,
            "That is the gain of matrix factorization. Take the column `item to item`.",
        ),
        Mistake("reversed", lambda f: f.reversed, "Right size, wrong sign: bestsellers come off."),
        Mistake(
            "relative",
            lambda f: f.relative,
            "That is the gain as a share of the bestsellers' NDCG. Asked is the difference.",
        ),
        Mistake(
            "level",
            lambda f: f.ours,
            "That is the NDCG of the item-to-item list itself. What would the bestsellers have "
            "reached with the same people?",
        ),
    ],
    hints=[
        "The table `cold` has a row for each length of history.",
        '`cold.loc["6-10"]` is the row, and its columns are the recommenders.',
        'Take `cold.loc["6-10", "popularity"]` away from the value of `"item to item"`.',
    ],
    solution='answer = cold.loc["6-10", "item to item"] - cold.loc["6-10", "popularity"]',
    why=(
        "{expected:+.3f}, where the average over all customers shows {overall:+.3f}. The average "
        "hides two groups: those for whom it works well, and newcomers, for whom it does nothing."
    ),
)


@per_world
def _q3_facts(world: Any) -> dict[str, float]:
    memory, fresh = (report.predictions for report in _sorted(world))
    asked = fresh["true"] == "unsubscribe_request"
    said = fresh["predicted"] == "unsubscribe_request"
    kept = memory[memory["true"] == "unsubscribe_request"]
    return {
        "understood": float(said[asked].mean()),
        "wrong_alarm": float(1 - asked[said].mean()),
        "of_all": float((asked & ~said).mean()),
        "all_wrong": float((fresh["true"] != fresh["predicted"]).mean()),
        "memory": float((kept["predicted"] != kept["true"]).mean()),
        "count": int((asked & ~said).sum()),
    }


Q3 = Exercise(
    id="q3",
    prompt=(
        "“Take me off your list”: of all messages whose intent is `unsubscribe_request`, which "
        "share does the model sort as something else?"
    ),
    answer=Number(absolute=0.003, unit="share", low=0, high=1),
    expected=lambda world: 1 - _q3_facts(world)["understood"],
    facts=_q3_facts,
    mistakes=[
        Mistake(
            "understood",
            lambda f: f.understood,
            "That is the share it understands (the recall). Asked is the share it overlooks.",
        ),
        Mistake(
            "wrong_alarm",
            lambda f: f.wrong_alarm,
            "You started from the messages that the model *called* a request. Start from those "
            "that are one: `inbox.intent`.",
        ),
        Mistake(
            "of_all",
            lambda f: f.of_all,
            "You divided by all messages. Divide by the requests.",
        ),
        Mistake(
            "all_wrong",
            lambda f: f.all_wrong,
            "That is the share of all messages sorted wrongly. Keep the requests only.",
        ),
        Mistake(
            "memory",
            lambda f: f.memory,
            "That is the result with copies in every fold. Use `inbox.predicted`, which is "
            "about phrasings never seen.",
        ),
        Mistake(
            "count",
            lambda f: f.count,
            "That is how many are overlooked. Divide by the number of requests.",
        ),
    ],
    hints=[
        'Keep the rows with `inbox["intent"] == "unsubscribe_request"`.',
        "In how many of them does `predicted` differ from `intent`?",
        "The mean of a True/False column is a share.",
    ],
    solution=(
        'asked = inbox[inbox["intent"] == "unsubscribe_request"]\n'
        'answer = (asked["predicted"] != asked["intent"]).mean()'
    ),
    why=(
        "{expected:.0%} of the requests are overlooked, and each is a person who goes on getting "
        "mail after saying no. With copies in every fold it seemed to be {memory:.0%}."
    ),
)


@per_world
def _q4_facts(world: Any) -> dict[str, float]:
    from ethicalai_lab.personalization import ContactPolicy, true_policy_value

    def total(*weeks: int) -> Any:
        plan = ContactPolicy(weeks=weeks)
        return true_policy_value(world.truth, _people(world), plan, _price()).loc["all"]

    spread, close = total(0, 3), total(0, 1)
    return {
        "spread": 1000 * float(spread["reward"]),
        "close": 1000 * float(close["reward"]),
        "each": float(spread["reward"] - close["reward"]),
        "visits": 1000 * float(spread["visit"] - close["visit"]),
        "leavers": 1000 * float(close["unsubscribed"] - spread["unsubscribed"]),
        "against_one": 1000 * float(spread["reward"] - total(0)["reward"]),
    }


Q4 = Exercise(
    id="q4",
    prompt=(
        "The same two messages, in weeks 0 and 3 or in weeks 0 and 1. How much more are they "
        "worth spread out, per 1,000 customers?"
    ),
    answer=Number(absolute=0.6),
    expected=lambda world: _q4_facts(world)["spread"] - _q4_facts(world)["close"],
    facts=_q4_facts,
    mistakes=[
        Mistake(
            "each",
            lambda f: f.each,
            "That is per customer. Asked is per 1,000 customers.",
            when=lambda answer, f: abs(answer - f.each) < 0.002,
        ),
        Mistake(
            "reversed",
            lambda f: f.close - f.spread,
            "Right size, wrong sign: take the close pair away from the spread one.",
        ),
        Mistake(
            "level",
            lambda f: f.spread,
            "That is what the spread pair is worth. What is the close pair worth?",
        ),
        Mistake(
            "against_one",
            lambda f: f.against_one,
            "You compared two messages with one. Compare two with two: `worth(0, 3)` and "
            "`worth(0, 1)`.",
        ),
        Mistake(
            "visits",
            lambda f: f.visits,
            "That counts visits. `worth` also counts what messages cost and who leaves.",
        ),
    ],
    hints=[
        "`worth(0, 3)` gives what writing in weeks 0 and 3 is worth per 1,000 customers.",
        "The close pair is `worth(0, 1)`.",
        "Take one away from the other.",
    ],
    solution="answer = worth(0, 3) - worth(0, 1)",
    why=(
        "{expected:,.0f} more, from the same number of messages: {visits:.0f} more visits, and "
        "{leavers:.0f} fewer people leave. A cap without a period leaves this on the table."
    ),
)


@per_world
def _q5_facts(world: Any) -> dict[str, Any]:
    from ethicalai_lab.personalization import ContactPolicy, evaluate_policy
    from ethicalai_lab.personalization.journeys import spaced_weeks

    curve = _curve(world)
    low, high = {}, {}
    for n in (2, 6):
        plan = ContactPolicy(weeks=spaced_weeks(n))
        found = evaluate_policy(world.legacy_log, _people(world), plan, _price()).interval("dr")
        low[n], high[n] = found.low, found.high
    return {
        "best": int(curve["gain"].idxmax()),
        "most_visits": int(curve["visit"].idxmax()),
        "gain_two": 1000 * float(curve["gain"][2]),
        "leave_six": 1000 * float(curve["unsubscribed"][6]),
        # without an interval nothing is told apart
        "overlap": not (low[2] > high[6] or low[6] > high[2]),
    }


def _q5_answer(f: Any, **other: Any) -> dict[str, Any]:
    return {
        "contacts": str(f.best),
        "reason": "gain",
        "gain_two": f.gain_two,
        "leave_six": f.leave_six,
        "log_enough": "no" if f.overlap else "yes",
        **other,
    }


Q5 = Exercise(
    id="q5",
    prompt=(
        "Your judgement. How many contacts in six weeks, and for which reason? Give two figures "
        "from the table `bill`: the gain of two contacts, and how many people leave after six. "
        "Then say whether the log *alone*, by its weighted estimates, could have told two from six."
    ),
    answer=Judgement(
        fields={
            "contacts": Choice([str(n) for n in range(7)]),
            "reason": Choice(["gain", "fewest leavers", "most visits"]),
            "gain_two": Number(absolute=1.0),
            "leave_six": Number(absolute=1.0),
            "log_enough": Choice(["yes", "no"]),
        },
        own={"gain_two": "gain_two", "leave_six": "leave_six"},
    ),
    expected=lambda world: None,
    facts=_q5_facts,
    reference=_q5_answer,
    mistakes=[
        Mistake(
            "against_gain",
            lambda f: _q5_answer(f, contacts="6" if f.best != 6 else "1"),
            "Your reason is the gain, and the table shows another number with a higher one.",
            when=lambda a, f: a["reason"] == "gain" and int(a["contacts"]) != f.best,
        ),
        Mistake(
            "against_leavers",
            lambda f: _q5_answer(f, contacts="2", reason="fewest leavers"),
            "Your reason is that few people leave. There is a number that makes nobody leave.",
            when=lambda a, f: a["reason"] == "fewest leavers" and a["contacts"] != "0",
        ),
        Mistake(
            "against_visits",
            lambda f: _q5_answer(f, contacts="0", reason="most visits"),
            "Your reason is visits, and the table shows another number with more of them.",
            when=lambda a, f: a["reason"] == "most visits" and int(a["contacts"]) != f.most_visits,
        ),
        Mistake(
            "against_intervals",
            lambda f: _q5_answer(f, log_enough="yes" if f.overlap else "no"),
            "Look at the weighted estimates in the figure again. Does each have an interval, and "
            "do the two part?",
            when=lambda a, f: (a["log_enough"] == "no") != f.overlap,
        ),
    ],
    hints=[
        "`bill` has a row for each number of contacts.",
        "Two intervals that overlap widely do not tell two plans apart, and one that is missing "
        "tells nothing.",
        "The number may be 0: not writing is a plan too.",
    ],
    solution=(
        "answer = {\n"
        '    "contacts": str(bill["gain"].idxmax()),\n'
        '    "reason": "gain",\n'
        '    "gain_two": bill["gain"][2],\n'
        '    "leave_six": bill["people who leave"][6],\n'
        '    "log_enough": "no",\n'
        "}"
    ),
    why=(
        "Number, reason and figures agree. Another reason gives another number: whoever counts "
        "only visits writes more, whoever counts only leavers never writes. The reason belongs "
        "beside the number."
    ),
)


# -------------------------------------------------------------------------------- quiz

QUIZ1 = Quiz(
    id="quiz1",
    prompt=(
        "“Customers with six contacts left less often than those with one.” What explains it "
        "best, in a log such as this one?"
    ),
    options=[
        Option(
            "a",
            "Frequent messages make people loyal.",
            "The risk of a single message grows with those before it. So it cannot be that.",
        ),
        Option(
            "b",
            "Whoever leaves early cannot reach six contacts.",
            "Right: leaving ends the count. The group with most contacts is made of those who "
            "stayed.",
            right=True,
        ),
        Option(
            "c",
            "The group is too small to say anything.",
            "A small group gives a wide interval. This pattern would remain in a log ten times "
            "as long.",
        ),
    ],
)

QUIZ2 = Quiz(
    id="quiz2",
    prompt=(
        "In the EU a customer writes: “I object to the use of my address for direct marketing.” "
        "The shop stops its mails and goes on computing her score for the next campaign."
    ),
    options=[
        Option(
            "a",
            "That honours her objection: she gets no more mail.",
            "It stops one use. The objection also covers profiling related to direct marketing.",
        ),
        Option(
            "b",
            "It does not fully honour it: the score is profiling for marketing.",
            "Right: after the objection her data is no longer processed for this purpose, scores "
            "included.",
            right=True,
        ),
        Option(
            "c",
            "It depends on whether the shop's interests weigh more.",
            "No balancing is made here: against direct marketing the right to object is absolute.",
        ),
    ],
)

LESSON = Lesson(
    number="02",
    title="Recommendations and journeys: what to offer, in which words, how often?",
    exercises=[Q1, Q2, Q3, Q4, Q5],
    quizzes=[QUIZ1, QUIZ2],
    predictions=[P1, P2, P3],
    setup="""
from ethicalai_lab.personalization import (
    ContactPolicy, ItemToItem, MatrixFactorization, MessageClassifier, Popularity, Reward,
    classify_messages, compare_recommenders, contact_curve, interactions, journey_people,
    phrasings, redact, time_split, true_policy_value,
)
log = world.legacy_log.assign(contact=world.legacy_log["action"] != "rest")
seen, later = time_split(world.events[world.events["kind"] != "email_open"], "2025-10-01")
ids = {"customers": world.customers["customer_id"], "products": world.products["product_id"]}
models = {
    "popularity": Popularity(), "item to item": ItemToItem(),
    "matrix factorization": MatrixFactorization(),
}
report = compare_recommenders(
    models, interactions(seen, **ids), interactions(later, **ids), n_boot=2
)
cold = report.by_history[report.by_history["measure"] == "ndcg"]
cold = cold.pivot(index="history", columns="model", values="value")
inbox = world.messages.assign(text=[redact(text) for text in world.messages["text"]])
same = phrasings(inbox["text"], vocabulary=world.products["name"])
fresh = classify_messages(
    inbox, "intent", model=MessageClassifier(redacted=False), n_boot=2, groups=same
)
inbox["predicted"] = fresh.predictions["predicted"]
people = journey_people(world.customers, world.campaign)
price = Reward(visit=4.0, spend=0.0, contact=0.02, unsubscribed=10.0)
def worth(*weeks):
    found = true_policy_value(world.truth, people, ContactPolicy(weeks=weeks), price)
    return 1000 * found.loc["all", "reward"]
curve = contact_curve(world.truth, people, reward=price)
bill = 1000 * curve[["visit", "unsubscribed", "gain"]]
bill.columns = ["visits", "people who leave", "gain"]
""",
    decides="personalization",
)
