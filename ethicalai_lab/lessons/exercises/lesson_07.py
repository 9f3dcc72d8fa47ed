"""Questions of lesson 07: what a repair does to the gap, what it costs, and whom."""

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

WORTH, COST = 10.0, 3.0  # as the notebook sets them
HISTORY = ["recency", "history", "sports", "fashion", "newbie", "channel"]
PERSON = ["tenure_days", "device", "region", "household_income"]
FIRST, SECOND = "A and B", "C and D"


# ------------------------------------------------- the notebook's own steps, once a world


@per_world
def _shop(world: Any) -> Any:
    """Return what the shop wrote down of each customer."""
    books = world.legacy_log.groupby("customer_id").agg(
        old_score=("score", "first"), visited=("visit", "max")
    )
    shop = world.campaign.set_index("customer_id")[HISTORY].join(
        [world.customers.set_index("customer_id")[[*PERSON, "ethnic_group"]], books]
    )
    shop["group"] = shop["ethnic_group"].isin(["C", "D"]).map({True: SECOND, False: FIRST})
    return shop


@per_world
def _came(world: Any) -> Any:
    """Return who truly came in the six weeks, by customer."""
    return world.truth.legacy.groupby("customer_id")["visit"].max()


def _compare(world: Any, methods: dict[str, Any], features: list[str]) -> Any:
    from ethicalai_lab.fairness import compare_mitigations

    shop = _shop(world)
    return compare_mitigations(
        shop[features],
        shop["visited"],
        sensitive_features=shop["group"],
        methods=methods,
        value=WORTH,
        cost=COST,
    )


@per_world
def _repairs(world: Any) -> Any:
    """Return the comparison of the repairs that take no time."""
    from ethicalai_lab.fairness import ProfitThresholds, Reweighing, Unmitigated

    methods = {
        "column deleted": Unmitigated(threshold=COST / WORTH),
        "old score left out": Unmitigated(threshold=COST / WORTH, sensitive="old_score"),
        "reweighing": Reweighing(threshold=COST / WORTH),
        "profit thresholds": ProfitThresholds(threshold=COST / WORTH),
    }
    return _compare(world, methods, [*HISTORY, *PERSON, "old_score"])


@per_world
def _gap_with_column(world: Any) -> float:
    from ethicalai_lab.fairness import Unmitigated

    methods = {"with the column": Unmitigated(threshold=COST / WORTH)}
    features = [*HISTORY, *PERSON, "old_score", "group"]
    return float(_compare(world, methods, features).table["gap"].iloc[0])


def _gap(world: Any, method: str) -> float:
    return float(_repairs(world).table.loc[method, "gap"])


# --------------------------------------------------------------------------- predictions


@per_world
def _p1_facts(world: Any) -> dict[str, float]:
    before, after = _gap_with_column(world), _gap(world, "column deleted")
    return {"before": before, "after": after, "left": after / before}


def _p1_outcome(world: Any) -> str:
    left = _p1_facts(world)["left"]
    return "a" if left < 0.2 else "b" if left < 0.5 else "c"


P1 = Prediction(
    id="p1",
    prompt=(
        "Delete the group from the model's columns and train it again. How much of the gap is left?"
    ),
    options={
        "a": "Next to nothing: a model cannot use what it does not know.",
        "b": "Some, but less than half.",
        "c": "More than half.",
    },
    outcome=_p1_outcome,
    says="The gap was {before:.1%} of the customers and is {after:.1%}: {left:.0%} of it is left.",
    facts=_p1_facts,
)


def _p2_facts(world: Any) -> dict[str, float]:
    before, after = _gap(world, "column deleted"), _gap(world, "reweighing")
    return {"before": before, "after": after, "closed": 1 - after / before}


def _p2_outcome(world: Any) -> str:
    closed = _p2_facts(world)["closed"]
    return "a" if closed > 0.8 else "b" if closed > 0.35 else "c"


P2 = Prediction(
    id="p2",
    prompt=(
        "Reweighing makes group and visit independent in the rows that the model learns from. "
        "How much of the gap that is left does it close?"
    ),
    options={
        "a": "Nearly all of it: there is no link left to learn.",
        "b": "About half of it.",
        "c": "A third of it or less.",
    },
    outcome=_p2_outcome,
    says=(
        "From {before:.1%} to {after:.1%}: it closes {closed:.0%}. The weights mend the visits, "
        "not the old score, and people of the second group still come with lower scores."
    ),
    facts=_p2_facts,
)


@per_world
def _p3_facts(world: Any) -> dict[str, Any]:
    import numpy as np

    from ethicalai_lab.stats import mean_interval

    found = _repairs(world)
    inside = found.group.index[found.group == SECOND]
    decided = found.decisions.loc[inside]
    moved = decided["profit thresholds"] - decided["column deleted"]
    written, came = _shop(world)["visited"][inside], _came(world)[inside]
    books = 1000 * moved * (WORTH * written - COST)
    truly = 1000 * moved * (WORTH * came - COST)
    more = mean_interval(np.asarray(truly - books))
    return {
        "books": float(books.mean()),
        "truly": float(truly.mean()),
        "more": more.value,
        "low": more.low,
        "high": more.high,
    }


def _p3_outcome(world: Any) -> str:
    facts = _p3_facts(world)
    off = facts["truly"] - facts["books"]
    return "b" if abs(off) < 20 else "c" if off > 0 else "a"


P3 = Prediction(
    id="p3",
    prompt=(
        "Now the visits as they were, not as they were written down. How do the books judge the "
        "vouchers that a repair newly gives to C and D?"
    ),
    options={
        "a": "Too kindly: in truth they bring less.",
        "b": "About rightly.",
        "c": "Too harshly: in truth they bring more.",
    },
    outcome=_p3_outcome,
    says=(
        "For profit thresholds, per 1,000 people of C and D: by the books {books:+.0f}, by the "
        "visits as they were {truly:+.0f}. Each of the two is uncertain. Their difference is "
        "{more:.0f}, with a 95 % interval from {low:.0f} to {high:.0f}."
    ),
    facts=_p3_facts,
)


# ------------------------------------------------------------------------------- exercises


@per_world
def _q1_facts(world: Any) -> dict[str, float]:
    facts = _p1_facts(world)
    before, after = facts["before"], facts["after"]
    return {
        **facts,
        "points": before - after,
        "over_after": before / after - 1,
    }


Q1 = Exercise(
    id="q1",
    prompt="What share of the gap did deleting the column close?",
    answer=Number(absolute=0.01, unit="share", low=-1, high=2),
    expected=lambda world: 1 - _q1_facts(world)["left"],
    facts=_q1_facts,
    mistakes=[
        Mistake(
            "left",
            lambda f: f.left,
            "That is the share of the gap that is still there. Asked is the part that went.",
        ),
        Mistake(
            "points",
            lambda f: f.points,
            "That is by how many share points the gap fell. Divide it by the gap at the start.",
        ),
        Mistake(
            "over_after",
            lambda f: f.over_after,
            "You divided by the gap that is left. Divide by the gap that was there at first.",
        ),
        Mistake(
            "after",
            lambda f: f.after,
            "That is the gap after deleting, a difference of two shares. How much smaller is it "
            "than before, as a share of before?",
        ),
    ],
    hints=[
        "Both gaps are in `gaps`, in the column `value`.",
        "The gap that went, over the gap that was there at first.",
        '`gaps["value"]` has two entries; `.iloc[0]` is the first.',
    ],
    solution='answer = 1 - gaps["value"].iloc[1] / gaps["value"].iloc[0]',
    why=(
        "{before:.1%} became {after:.1%}, so {expected:.0%} went. The model no longer sees the "
        "group. It sees what the old rule thought of the group."
    ),
)


@per_world
def _q2_facts(world: Any) -> dict[str, float]:
    shop = _shop(world)
    second, visited = shop["group"] == SECOND, shop["visited"] == 1
    both = (second & visited).mean()
    return {
        "expected_share": float(second.mean() * visited.mean()),
        "found_share": float(both),
        "upside_down": float(both / (second.mean() * visited.mean())),
        "without_visits": float(second.mean() / both),
        "absent": float(second.mean() * (~visited).mean() / (second & ~visited).mean()),
        "other_group": float((~second).mean() * visited.mean() / (~second & visited).mean()),
    }


Q2 = Exercise(
    id="q2",
    prompt=(
        "Reweighing gives each row the weight P(group) times P(visit) over P(group and visit). "
        "Which weight does a visitor of C and D get? Use all rows of `shop`."
    ),
    answer=Number(absolute=0.005, low=0),
    expected=lambda world: 1 / _q2_facts(world)["upside_down"],
    facts=_q2_facts,
    mistakes=[
        Mistake(
            "upside_down",
            lambda f: f.upside_down,
            "Upside down: what is too rare needs a weight above 1.",
        ),
        Mistake(
            "without_visits",
            lambda f: f.without_visits,
            "The share of visitors is missing above the line: P(group) *times P(visit)*.",
        ),
        Mistake(
            "absent",
            lambda f: f.absent,
            "That is the weight of somebody in C and D who did *not* visit.",
        ),
        Mistake(
            "other_group",
            lambda f: f.other_group,
            "That is the weight of a visitor of A and B.",
        ),
    ],
    hints=[
        'Two columns of True and False: `shop["group"] == "C and D"` and `shop["visited"] == 1`.',
        "The mean of such a column is its share. `&` keeps the rows where both hold.",
        "Multiply the two shares, and divide by the share of both.",
    ],
    solution=(
        'second, visits = shop["group"] == "C and D", shop["visited"] == 1\n'
        "answer = second.mean() * visits.mean() / (second & visits).mean()"
    ),
    why=(
        "If group and visit went apart, {expected_share:.1%} of the rows would be visitors of C "
        "and D. Written down are {found_share:.1%}. Weight {expected:.2f} makes up for it."
    ),
)


@per_world
def _q3_facts(world: Any) -> dict[str, float]:
    found = _repairs(world)
    row = found.who_pays.loc[("old score left out", FIRST)]
    thresholds = found.who_pays.loc[("profit thresholds", FIRST)]
    changed = row["gained"] + row["lost"]
    return {
        "changed": float(changed),
        "net": float((row["lost"] - row["gained"]) / row["people"]),
        "lost_only": float(row["lost"] / row["people"]),
        "of_everyone": float(changed / len(found.decisions)),
        "people": float(row["people"]),
        "thresholds": float((thresholds["gained"] + thresholds["lost"]) / thresholds["people"]),
    }


Q3 = Exercise(
    id="q3",
    prompt=(
        "Leaving out the old score changes the answer for how large a share of the people in A "
        "and B? Count everybody who gets a voucher now and did not before, or the reverse."
    ),
    answer=Number(absolute=0.003, unit="share", low=-1, high=1),
    expected=lambda world: _q3_facts(world)["changed"] / _q3_facts(world)["people"],
    facts=_q3_facts,
    mistakes=[
        Mistake(
            "net",
            lambda f: f.net,
            "That is the net change: gains and losses set against each other. Two people were "
            "swapped for each other, and both felt it. Add the two counts.",
            when=lambda answer, f: abs(abs(answer) - f.net) < 0.003,
        ),
        Mistake(
            "lost_only",
            lambda f: f.lost_only,
            "Those are the ones who lose their voucher. Some others in A and B gain one.",
        ),
        Mistake(
            "of_everyone",
            lambda f: f.of_everyone,
            "You divided by everybody held out. Divide by the people of A and B.",
        ),
        Mistake(
            "count",
            lambda f: f.changed,
            "That is how many people. Divide by `people` of the same row.",
        ),
    ],
    hints=[
        "`comparison.who_pays` has a row for each repair and group.",
        'The row is `comparison.who_pays.loc[("old score left out", "A and B")]`.',
        "`gained` and `lost` count people, and so does `people`.",
    ],
    solution=(
        'row = comparison.who_pays.loc[("old score left out", "A and B")]\n'
        'answer = (row["gained"] + row["lost"]) / row["people"]'
    ),
    why=(
        "{expected:.1%} get another answer, though the share with a voucher moves by {net:.1%} "
        "only. With profit thresholds {thresholds:.1%} of A and B get another answer."
    ),
)


@per_world
def _q4_facts(world: Any) -> dict[str, float]:
    from ethicalai_lab.fairness import audit, impossibility_table

    found = _repairs(world)
    people = found.decisions.index
    table = impossibility_table(
        audit(
            _shop(world)["visited"][people],
            found.decisions["profit thresholds"],
            sensitive_features=found.group,
        )
    )
    first, second = table.loc[FIRST], table.loc[SECOND]
    p, q = first["base_rate"], second["base_rate"]
    ppv, fnr = first["precision_score"], first["false_negative_rate"]
    return {
        "forced": float(q / (1 - q) * (1 - ppv) / ppv * (1 - fnr)),
        "first": float(first["false_positive_rate"]),
        "second": float(second["false_positive_rate"]),
        "no_odds": float(q * (1 - ppv) / ppv * (1 - fnr)),
        "upside_down": float(q / (1 - q) * ppv / (1 - ppv) * (1 - fnr)),
        "misses": float(q / (1 - q) * (1 - ppv) / ppv * fnr),
        "base_first": float(p),
        "base_second": float(q),
    }


Q4 = Exercise(
    id="q4",
    prompt=(
        "Promise C and D the precision and the false negative rate of A and B. With the base "
        "rate that the books give C and D, which false positive rate is forced on them?"
    ),
    answer=Number(absolute=0.003, unit="share", low=0, high=2),
    expected=lambda world: _q4_facts(world)["forced"],
    facts=_q4_facts,
    mistakes=[
        Mistake(
            "base_of_first",
            lambda f: f.first,
            "That is the false positive rate of A and B: you took their base rate as well. Only "
            "precision and false negative rate are promised; people keep their own base rate.",
        ),
        Mistake(
            "own",
            lambda f: f.second,
            "That is the rate C and D have now, with their own precision. What would the promise "
            "make of it?",
        ),
        Mistake(
            "no_odds",
            lambda f: f.no_odds,
            "The identity begins with the odds, p / (1 - p), not with the base rate p.",
        ),
        Mistake(
            "upside_down",
            lambda f: f.upside_down,
            "The precision is upside down: it is (1 - PPV) / PPV.",
        ),
        Mistake(
            "misses",
            lambda f: f.misses,
            "The last factor is 1 - FNR, the share of visitors who are reached.",
        ),
    ],
    hints=[
        "`implied_false_positive_rate(base_rate, precision, false_negative_rate)` does the sum.",
        'Take the base rate from `on_paper.loc["C and D"]`, the other two from '
        '`on_paper.loc["A and B"]`.',
        "The columns are `base_rate`, `precision_score` and `false_negative_rate`.",
    ],
    solution=(
        'first, second = on_paper.loc["A and B"], on_paper.loc["C and D"]\n'
        "answer = implied_false_positive_rate(\n"
        '    second["base_rate"], first["precision_score"], first["false_negative_rate"]\n'
        ")"
    ),
    why=(
        "{expected:.1%}, and A and B have {first:.1%}. Equal precision and equal misses leave the "
        "third rate no choice, because {base_second:.1%} is not {base_first:.1%}."
    ),
)


METHODS = ["none", "old score left out", "profit thresholds"]


@per_world
def _q5_facts(world: Any) -> dict[str, Any]:
    found = _repairs(world)
    gap = {
        "none": _gap(world, "column deleted"),
        "old score left out": _gap(world, "old score left out"),
        "profit thresholds": _gap(world, "profit thresholds"),
    }
    pays = found.who_pays.groupby(level="method")[["gained", "lost"]].sum().sum(axis=1)
    changed = {"none": 0, **{name: int(pays[name]) for name in METHODS[1:]}}
    low = found.table["value_change_low"]
    return {
        "gap": gap,
        "changed": changed,
        "gap_score": gap["old score left out"],
        "gap_thresholds": gap["profit thresholds"],
        "loss_thresholds": float(low["profit thresholds"]),
        "value": float(found.table.loc["column deleted", "value"]),
    }


def _judged(f: Any, **changed: Any) -> dict[str, Any]:
    return {
        "repair": "profit thresholds",
        "by_group": "allowed",
        "reason": "smallest gap",
        "largest_gap": 0.05,
        "gap_thresholds": f.gap_thresholds,
        "low_thresholds": f.loss_thresholds,
        "cost": "may be real",
        **changed,
    }


def _kept(a: Any, f: Any) -> dict[str, float]:
    """Return the gaps as far as they may be had: not by group where that is refused."""
    barred = "profit thresholds" if a["by_group"] == "not allowed" else None
    return {name: gap for name, gap in f.gap.items() if name != barred}


Q5 = Exercise(
    id="q5",
    prompt=(
        "Your judgement. Which repair, may the group decide at the moment of decision, for which "
        "reason, and which gap do you accept at most? Give two figures of your own: the gap of "
        "profit thresholds, and the low end of the interval of what they change in value. Then "
        "say what that interval means: a cost `ruled out`, or one that `may be real`."
    ),
    answer=Judgement(
        fields={
            "repair": Choice(METHODS),
            "by_group": Choice(["allowed", "not allowed"]),
            "reason": Choice(["smallest gap", "fewest people changed"]),
            "largest_gap": Number(absolute=0.0, unit="share", low=0, high=1),
            "gap_thresholds": Number(absolute=0.002, unit="share", low=0, high=1),
            "low_thresholds": Number(absolute=1.0),
            "cost": Choice(["ruled out", "may be real"]),
        },
        own={"gap_thresholds": "gap_thresholds", "low_thresholds": "loss_thresholds"},
    ),
    expected=lambda world: None,
    facts=_q5_facts,
    reference=lambda f: _judged(f),
    mistakes=[
        Mistake(
            "group_barred",
            lambda f: _judged(f, by_group="not allowed"),
            "You do not allow the group at the moment of decision, and profit thresholds read it "
            "there.",
            when=lambda a, f: a["by_group"] == "not allowed" and a["repair"] == "profit thresholds",
        ),
        Mistake(
            "own_limit",
            lambda f: _judged(f, largest_gap=f.gap_thresholds / 2),
            "The repair you chose leaves a gap above the one you accept at most.",
            when=lambda a, f: f.gap[a["repair"]] > a["largest_gap"],
        ),
        Mistake(
            "not_smallest",
            lambda f: _judged(f, repair="none", largest_gap=0.5),
            "Your reason is the smallest gap. Another repair that you allow leaves a smaller one.",
            when=lambda a, f: (
                a["reason"] == "smallest gap"
                and f.gap[a["repair"]] > min(_kept(a, f).values()) + 0.002
            ),
        ),
        Mistake(
            "not_fewest",
            lambda f: _judged(f, repair="old score left out", reason="fewest people changed"),
            "Your reason is that few people get another answer. Another choice that you allow "
            "stays below your largest gap and changes fewer.",
            when=lambda a, f: (
                a["reason"] == "fewest people changed"
                and f.changed[a["repair"]]
                > min(
                    f.changed[name] for name, gap in _kept(a, f).items() if gap <= a["largest_gap"]
                )
            ),
        ),
        Mistake(
            "cost_ruled_out",
            lambda f: _judged(f, cost="ruled out" if f.loss_thresholds < 0 else "may be real"),
            "Look at your own interval: does it reach below zero? What lies inside it has not been "
            "ruled out.",
            when=lambda a, f: (a["cost"] == "ruled out") != (a["low_thresholds"] >= 0),
        ),
    ],
    hints=[
        'The gap is `repaired.loc["profit thresholds", "value"]`; the low end is '
        '`comparison.table.loc["profit thresholds", "value_change_low"]`.',
        "`none` means the model with the column deleted and nothing else done.",
        "Gains and losses in `comparison.who_pays`, added up, say how many get another answer.",
    ],
    solution=(
        'low = comparison.table.loc["profit thresholds", "value_change_low"]\n'
        "answer = {\n"
        '    "repair": "profit thresholds",\n'
        '    "by_group": "allowed",\n'
        '    "reason": "smallest gap",\n'
        '    "largest_gap": 0.05,\n'
        '    "gap_thresholds": repaired.loc["profit thresholds", "value"],\n'
        '    "low_thresholds": low,\n'
        '    "cost": "ruled out" if low >= 0 else "may be real",\n'
        "}"
    ),
    why=(
        "This holds together. Others may forbid the group at the moment of decision, or accept a "
        "larger gap to change fewer people, and be as consistent. Write down which promise you "
        "put first."
    ),
)


# -------------------------------------------------------------------------------- quiz

QUIZ1 = Quiz(
    id="quiz1",
    prompt=(
        "“We measured the repair on held-out customers. Its cost does not differ from zero. So it "
        "is free.” What is missing?"
    ),
    options=[
        Option(
            "a",
            "Nothing: no difference was found.",
            "Not found is not the same as not there. The interval says how large a cost would "
            "have gone unseen.",
        ),
        Option(
            "b",
            "The low end of the interval, and who decided that such a loss would be bearable.",
            "Right: “free” needs an interval that keeps clear of every loss that matters.",
            right=True,
        ),
        Option(
            "c",
            "A larger sample would show that the cost is zero.",
            "A larger sample narrows the interval around whatever the cost is. It cannot promise "
            "that this is zero.",
        ),
    ],
)

QUIZ2 = Quiz(
    id="quiz2",
    prompt=(
        "By the books, equal error rates leave C and D with a lower precision than A and B. "
        "Which question do you ask first?"
    ),
    options=[
        Option(
            "a",
            "Which of the two promises is the true definition of fairness?",
            "No such one is known, and people who are affected weigh them differently. There is "
            "an earlier question here.",
        ),
        Option(
            "b",
            "How do we tune the thresholds until both promises hold?",
            "While the base rates differ and the model errs, no threshold can do that.",
        ),
        Option(
            "c",
            "Why do the base rates differ, and who wrote the visits down?",
            "Right: the conflict comes from unequal base rates. If the record made them unequal, "
            "mend the record.",
            right=True,
        ),
    ],
)

LESSON = Lesson(
    number="07",
    title="Bias mitigation: what does repair cost, and whom?",
    exercises=[Q1, Q2, Q3, Q4, Q5],
    quizzes=[QUIZ1, QUIZ2],
    predictions=[P1, P2, P3],
    setup="""
import pandas as pd
from ethicalai_lab.fairness import (
    ProfitThresholds, Unmitigated, audit, compare_mitigations, implied_false_positive_rate,
    impossibility_table,
)
books = world.legacy_log.groupby("customer_id").agg(
    old_score=("score", "first"), visited=("visit", "max")
)
history = ["recency", "history", "sports", "fashion", "newbie", "channel"]
person = ["tenure_days", "device", "region", "household_income"]
customers = world.customers.set_index("customer_id")
shop = world.campaign.set_index("customer_id")[history].join([customers[person], books])
shop["group"] = customers["ethnic_group"].isin(["C", "D"]).map({True: "C and D", False: "A and B"})
features = [*history, *person, "old_score"]


def compare(methods, features):
    return compare_mitigations(
        shop[features], shop["visited"], sensitive_features=shop["group"], methods=methods,
        value=10.0, cost=3.0,
    )


def gap_of(found):
    return pd.DataFrame({
        name: audit(None, chosen, sensitive_features=found.group)
        .disparities.loc["demographic_parity_difference"]
        for name, chosen in found.decisions.items()
    }).T


plain = Unmitigated(threshold=0.3)
informed = compare({"with the group": plain}, [*features, "group"])
deleted = compare({"column deleted": plain}, features)
gaps = pd.concat([gap_of(informed), gap_of(deleted)])
comparison = compare(
    {
        "column deleted": plain,
        "old score left out": Unmitigated(threshold=0.3, sensitive="old_score"),
        "profit thresholds": ProfitThresholds(threshold=0.3),
    },
    features,
)
repaired = gap_of(comparison)
on_paper = impossibility_table(audit(
    shop["visited"][comparison.decisions.index], comparison.decisions["profit thresholds"],
    sensitive_features=comparison.group,
))
""",
    decides="fairness.mitigation",
)
