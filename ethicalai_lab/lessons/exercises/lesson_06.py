"""Questions of lesson 06: whom a campaign passes over, and what an audit can see."""

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

ASKED = 1_000  # as the notebook sets them
MATTERS = 0.05
CROSSED = ["ethnic_group", "gender", "age_band"]
SEARCHED = [*CROSSED, "region", "education"]
SHUFFLES = 40
GAP = {
    "demographic_parity": "demographic_parity_difference",
    "equal_opportunity": "equal_opportunity_difference",
}


# ------------------------------------------------- the notebook's own steps, once a world


@per_world
def _people(world: Any) -> Any:
    """Return what the shop recorded about each customer."""
    import pandas as pd

    from ethicalai_lab.fairness import old_rule

    rule = old_rule(world).set_index("customer_id")
    people = world.customers.set_index("customer_id").join(rule[["score", "selected", "visited"]])
    bands = ["under 35", "35 to 54", "from 55"]
    people["age_band"] = pd.cut(people["age"], [0, 34, 54, 120], labels=bands)
    return people


@per_world
def _asked(world: Any) -> Any:
    """Return those who told their group."""
    return _people(world).sample(ASKED, random_state=0)


@per_world
def _found(world: Any) -> Any:
    from ethicalai_lab.fairness import audit

    asked = _asked(world)
    return audit(asked["visited"], asked["selected"], sensitive_features=asked["ethnic_group"])


@per_world
def _shuffled(world: Any) -> list[Any]:
    """Return the worst group of each campaign in which nobody is passed over."""
    import numpy as np

    from ethicalai_lab.fairness import worst_group

    asked, rng = _asked(world), np.random.default_rng(0)
    return [
        worst_group(
            None,
            rng.permutation(asked["selected"]),
            sensitive_features=asked[SEARCHED],
            depth=2,
            min_size=15,
            seed=i,
        )
        for i in range(SHUFFLES)
    ]


# --------------------------------------------------------------------------- predictions


def _p1_facts(world: Any) -> dict[str, float]:
    from ethicalai_lab.fairness import detectable

    seen = detectable(_found(world), gap=0.1).loc["D"]
    return {"smallest": seen["smallest_gap"], "n": seen["n"], "power": seen["power"]}


def _p1_outcome(world: Any) -> str:
    smallest = _p1_facts(world)["smallest"]
    return "a" if smallest < 0.05 else "b" if smallest < 0.10 else "c"


P1 = Prediction(
    id="p1",
    prompt=(
        "The audit asked 1,000 customers. Suppose group D is truly selected less often than the "
        "others. How large must the gap be before such an audit sees it 8 times in 10?"
    ),
    options={
        "a": "Less than 5 points: a thousand customers are many.",
        "b": "5 to 10 points.",
        "c": "More than 10 points.",
    },
    outcome=_p1_outcome,
    says=(
        "{smallest:.1%}, as a difference of shares. Of all who were asked, {n:.0f} belong to "
        "group D, and they decide what can be seen. A gap of 10 points would be found with a "
        "chance of {power:.0%}."
    ),
    facts=_p1_facts,
)


def _p2_facts(world: Any) -> dict[str, float]:
    worst = _shuffled(world)
    return {
        "convinced": sum(one.found.high < 0 for one in worst) / len(worst),
        "confirmed": sum(one.is_confirmed for one in worst) / len(worst),
    }


def _p2_outcome(world: Any) -> str:
    convinced = _p2_facts(world)["convinced"]
    return "a" if convinced < 0.2 else "b" if convinced < 0.6 else "c"


P2 = Prediction(
    id="p2",
    prompt=(
        "Shuffle the decisions among the customers: now no group is passed over. Search more "
        "than a hundred groups for the one selected least, and look at its own 95 % interval. "
        "How often does that interval say that the group is passed over?"
    ),
    options={
        "a": "About 1 time in 20: that is what 95 % means.",
        "b": "In less than half of the searches, but more often than that.",
        "c": "In most of them.",
    },
    outcome=_p2_outcome,
    says=(
        "In {convinced:.0%} of the searches. The 95 % hold for a group named beforehand, not for "
        "the most extreme of many. Measured again on people the search had not seen, {confirmed:.0%} "
        "were confirmed."
    ),
    facts=_p2_facts,
)


@per_world
def _p3_facts(world: Any) -> dict[str, float]:
    from ethicalai_lab.fairness import alarm_rates

    rates = alarm_rates(world, [1.0], sample=ASKED, repeats=80).set_index("rule")["false_alarm"]
    return {"four_fifths": rates["four_fifths"], "interval": rates["interval"]}


def _p3_outcome(world: Any) -> str:
    rate = _p3_facts(world)["four_fifths"]
    return "a" if rate < 0.1 else "b" if rate < 0.4 else "c"


P3 = Prediction(
    id="p3",
    prompt=(
        "Another campaign, in which every group is truly treated alike. A thousand customers are "
        "asked, and the lowest selection rate is divided by the highest. How often does the "
        "result fall below four fifths?"
    ),
    options={
        "a": "Seldom: in less than 1 audit in 10.",
        "b": "In something like a quarter of the audits.",
        "c": "In half of the audits, or about that, or more.",
    },
    outcome=_p3_outcome,
    says=(
        "In {four_fifths:.0%} of the audits. An interval that allows for chance raised the alarm "
        "in {interval:.0%}."
    ),
    facts=_p3_facts,
)


# ------------------------------------------------------------------------------- exercises


def _q1_facts(world: Any) -> dict[str, float]:
    found = _found(world)
    rate = found.by_group["selection_rate"]
    low, high = float(rate.min()), float(rate.max())
    return {
        "low": low,
        "high": high,
        "difference": high - low,
        "upside_down": high / low,
        "to_overall": low / float(found.overall["selection_rate"]),
        "passed_over": (1 - high) / (1 - low),
    }


Q1 = Exercise(
    id="q1",
    prompt=(
        "Compute the number that most audits report: the lowest selection rate of any group over "
        "the highest. The rates are in `found.by_group`."
    ),
    answer=Number(absolute=0.005, low=0, high=100),
    expected=lambda world: _q1_facts(world)["low"] / _q1_facts(world)["high"],
    facts=_q1_facts,
    mistakes=[
        Mistake(
            "difference",
            lambda f: f.difference,
            "That is the difference of the two rates. It is a good measure too; asked for is "
            "the ratio.",
        ),
        Mistake(
            "upside_down",
            lambda f: f.upside_down,
            "You divided the highest by the lowest. Turned round, the ratio lies between 0 and 1.",
        ),
        Mistake(
            "to_overall",
            lambda f: f.to_overall,
            "You compared with everybody together. The rule of thumb compares with the group "
            "that is selected most.",
        ),
        Mistake(
            "passed_over",
            lambda f: f.passed_over,
            "That is the ratio of those *not* selected. Which outcome one calls “selected” "
            "changes the ratio: a weakness of the rule. Take `selection_rate` itself.",
        ),
    ],
    hints=[
        "One rate a group: `found.by_group['selection_rate']`.",
        "You need its smallest and its largest value.",
        "`.min()` over `.max()`.",
    ],
    solution=('rates = found.by_group["selection_rate"]\nanswer = rates.min() / rates.max()'),
    why=(
        "{low:.1%} over {high:.1%} is {expected:.2f}. Four fifths would be 0.80. The division says "
        "nothing about how many people stand behind either rate."
    ),
)


@per_world
def _q2_facts(world: Any) -> dict[str, float]:
    from ethicalai_lab.fairness import detectable, required_sample_size

    seen = detectable(_found(world)).loc["D"]
    rate, share = float(seen["rate_of_others"]), float(seen["n"]) / ASKED
    need = required_sample_size(rate - MATTERS, rate, share=share)
    return {
        "need": need,
        "share": share,
        "equal": required_sample_size(rate - MATTERS, rate),
        "only_d": round(need * share),
        "relative": required_sample_size(rate * (1 - MATTERS), rate, share=share),
        "coin": required_sample_size(rate - MATTERS, rate, share=share, power=0.5),
    }


Q2 = Exercise(
    id="q2",
    prompt=(
        "Suppose 5 points matter to you. How many customers must be asked *in all*, so that an "
        "audit sees 8 times in 10 that group D is selected 5 points less often than the others? "
        "Keep the others' rate and group D's share as they are in `seen`."
    ),
    answer=Number(relative=0.02, low=1, high=1e9),
    expected=lambda world: _q2_facts(world)["need"],
    facts=_q2_facts,
    mistakes=[
        Mistake(
            "equal",
            lambda f: f.equal,
            "You assumed that half of those asked belong to group D. What is its share?",
        ),
        Mistake(
            "only_d",
            lambda f: f.only_d,
            "That many are needed *of group D*. How many must be asked so that so many are "
            "among them?",
        ),
        Mistake(
            "relative",
            lambda f: f.relative,
            "You took 5 % of the others' rate. Points are differences of shares: take 0.05 away.",
        ),
        Mistake(
            "coin",
            lambda f: f.coin,
            "With so few the gap would be seen every other time. Asked for is 8 times in 10.",
        ),
    ],
    hints=[
        "`required_sample_size(rate_1, rate_0, share=...)` counts both groups together.",
        "`rate_0` is the others' rate, `rate_1` the same less 0.05.",
        "`share` is the first group's share of those asked: its `n` over the length of `asked`.",
    ],
    solution=(
        'd = seen.loc["D"]\n'
        'rate, share = d["rate_of_others"], d["n"] / len(asked)\n'
        "answer = required_sample_size(rate - 0.05, rate, share=share)"
    ),
    why=(
        "{expected:,.0f}. Were the groups equally large, {equal:,.0f} would do. The smaller a "
        "group, the more people must be asked about themselves to protect it."
    ),
)


@per_world
def _q3_facts(world: Any) -> dict[str, float]:
    from ethicalai_lab.fairness import audit

    asked = _asked(world)
    crossed = audit(None, asked["selected"], sensitive_features=asked[CROSSED])
    groups = int(crossed.by_group["count"].notna().sum())
    return {
        "groups": groups,
        "any": 1 - 0.95**groups,
        "one": 0.05,
        "expected_number": 0.05 * groups,
        "none": 0.95**groups,
    }


Q3 = Exercise(
    id="q3",
    prompt=(
        "Nobody is passed over, and each of the groups in `crossed` is tested at a false-alarm "
        "rate of 5 %. How likely is at least one false alarm? Count the groups in which somebody "
        "was asked, and take the tests as independent."
    ),
    answer=Number(absolute=0.01, unit="share", low=0, high=5),
    expected=lambda world: _q3_facts(world)["any"],
    facts=_q3_facts,
    mistakes=[
        Mistake(
            "one",
            lambda f: f.one,
            "That is the chance for one test, and there are {groups} of them.",
        ),
        Mistake(
            "expected_number",
            lambda f: f.expected_number,
            "That is how many false alarms to expect, a number that may exceed 1. Asked for is the "
            "chance of one or more.",
        ),
        Mistake(
            "none",
            lambda f: f.none,
            "That is the chance that *no* test raises an alarm. You are one step away.",
        ),
    ],
    hints=[
        "How likely is it that a single test stays silent?",
        "All of them stay silent with that chance, multiplied by itself once a group.",
        "Groups in which somebody was asked: `crossed.by_group['count'].count()`.",
    ],
    solution="groups = crossed.by_group['count'].count()\nanswer = 1 - 0.95 ** groups",
    why=(
        "{expected:.0%} with {groups} groups. An audit that looks everywhere finds something "
        "more often than not. That is no reason to look less; it is a reason to confirm."
    ),
)


@per_world
def _q4_facts(world: Any) -> dict[str, float]:
    from ethicalai_lab.fairness import audit_beside_truth

    row = audit_beside_truth(world, sample=ASKED).loc[GAP["demographic_parity"]]
    truth, without, value = (float(row[name]) for name in ("truth", "without_bias", "value"))
    return {
        "truth": truth,
        "without": without,
        "points": truth - without,
        "rest": without / truth,
        "estimate": (value - without) / value,
    }


Q4 = Exercise(
    id="q4",
    prompt=(
        "`beside` holds the true gap in who is selected, and the gap that would be there had the "
        "rule not been prejudiced. What share of the true gap did the prejudice make?"
    ),
    answer=Number(absolute=0.01, unit="share", low=0, high=1),
    expected=lambda world: 1 - _q4_facts(world)["rest"],
    facts=_q4_facts,
    mistakes=[
        Mistake(
            "points",
            lambda f: f.points,
            "That is what the prejudice added, in points. Asked for is its share of the whole gap.",
        ),
        Mistake(
            "rest",
            lambda f: f.rest,
            "That is the share that would be there anyway.",
        ),
        Mistake(
            "estimate",
            lambda f: f.estimate,
            "You started from the audit's estimate. The true gap is in the column `truth`.",
        ),
    ],
    hints=[
        "The row is `demographic_parity_difference`.",
        "What the prejudice made: the column `truth` less the column `without_bias`.",
        "Divide that by the column `truth`.",
    ],
    solution=(
        'row = beside.loc["demographic_parity_difference"]\n'
        'answer = (row["truth"] - row["without_bias"]) / row["truth"]'
    ),
    why=(
        "{expected:.0%}: the gap is {truth:.1%}, and {without:.1%} would be there without any "
        "prejudice. The rule also favours affluent quarters, and quarters go with groups. An audit "
        "measures the sum; it cannot tell the parts apart, and those passed over feel both."
    ),
)


@per_world
def _q5_facts(world: Any) -> dict[str, Any]:
    found = _found(world).disparities
    return {
        "low": {name: float(found.loc[gap, "low"]) for name, gap in GAP.items()},
        "high": {name: float(found.loc[gap, "high"]) for name, gap in GAP.items()},
    }


def _verdict(low: float, high: float, tolerance: float) -> str:
    return "above" if low > tolerance else "below" if high <= tolerance else "cannot tell"


def _judged(f: Any, metric: str = "demographic_parity", **change: Any) -> dict[str, Any]:
    low, high, tolerance = f.low[metric], f.high[metric], change.get("tolerance", MATTERS)
    harm = "allocation" if metric == "demographic_parity" else "quality of service"
    fields = {
        "harm": harm,
        "metric": metric,
        "tolerance": tolerance,
        "low": low,
        "high": high,
        "verdict": _verdict(low, high, tolerance),
    }
    return {**fields, **change}


_WANTED = {"demographic_parity": "allocation", "equal_opportunity": "quality of service"}

Q5 = Exercise(
    id="q5",
    prompt=(
        "Your judgement. Which harm do you audit for, by which metric, and which gap do you "
        "tolerate? Give the two bounds of your metric's difference from `found.disparities`, and "
        "say what this audit lets you conclude: the true gap is `above` your tolerance, `below` "
        "it, or you `cannot tell`."
    ),
    answer=Judgement(
        fields={
            "harm": Choice(["allocation", "quality of service"]),
            "metric": Choice(["demographic_parity", "equal_opportunity"]),
            "tolerance": Number(absolute=0.001, unit="share", low=0, high=1),
            "low": Number(absolute=0.002, unit="share", low=0, high=1),
            "high": Number(absolute=0.002, unit="share", low=0, high=1),
            "verdict": Choice(["above", "below", "cannot tell"]),
        },
    ),
    expected=lambda world: None,
    facts=_q5_facts,
    reference=_judged,
    mistakes=[
        Mistake(
            "other_figures",
            lambda f: _judged(
                f, low=f.low["equal_opportunity"], high=f.high["equal_opportunity"] + 0.01
            ),
            "These are not the bounds of the metric you chose. They stand in `found.disparities`, "
            "in the row of your metric that ends in `_difference`.",
            when=lambda a, f: (
                abs(a["low"] - f.low[a["metric"]]) > 0.002
                or abs(a["high"] - f.high[a["metric"]]) > 0.002
            ),
        ),
        Mistake(
            "harm_against_metric",
            lambda f: _judged(f, harm="quality of service"),
            "Harm and metric do not belong together. Demographic parity compares who gets the "
            "offer; equal opportunity compares how well the rule finds those who would come.",
            when=lambda a, f: _WANTED[a["metric"]] != a["harm"],
        ),
        Mistake(
            "above_unproven",
            lambda f: _judged(f, tolerance=f.low["demographic_parity"] + 0.05, verdict="above"),
            "You conclude that the gap is above your tolerance, and your own lower bound leaves a "
            "smaller one possible.",
            when=lambda a, f: a["verdict"] == "above" and a["low"] <= a["tolerance"],
        ),
        Mistake(
            "below_unproven",
            lambda f: _judged(f, verdict="below"),
            "You conclude that the gap is below your tolerance, and your own upper bound leaves a "
            "larger one possible.",
            when=lambda a, f: a["verdict"] == "below" and a["high"] > a["tolerance"],
        ),
        Mistake(
            "undecided",
            lambda f: _judged(
                f, tolerance=f.high["demographic_parity"] + 0.05, verdict="cannot tell"
            ),
            "Compare your bounds with your tolerance again: both lie on the same side of it, so "
            "this audit does let you tell.",
            when=lambda a, f: (
                a["verdict"] == "cannot tell"
                and _verdict(a["low"], a["high"], a["tolerance"]) != "cannot tell"
            ),
        ),
    ],
    hints=[
        "Allocation harm: somebody does not get the offer. Quality-of-service harm: the rule works "
        "less well for some.",
        "`found.disparities.loc['demographic_parity_difference']` has the two bounds.",
        "Above: even the lower bound exceeds the tolerance. Below: even the upper bound does not.",
    ],
    solution=(
        'row = found.disparities.loc["demographic_parity_difference"]\n'
        "tolerance = 0.05\n"
        "answer = {\n"
        '    "harm": "allocation",\n'
        '    "metric": "demographic_parity",\n'
        '    "tolerance": tolerance,\n'
        '    "low": row["low"],\n'
        '    "high": row["high"],\n'
        '    "verdict": (\n'
        '        "above" if row["low"] > tolerance\n'
        '        else "below" if row["high"] <= tolerance else "cannot tell"\n'
        "    ),\n"
        "}"
    ),
    why=(
        "This holds together: harm, metric, bounds and conclusion agree. Another tolerance may "
        "lead to another conclusion from the same bounds. So fix it before the next audit."
    ),
)


# -------------------------------------------------------------------------------- quiz

QUIZ1 = Quiz(
    id="quiz1",
    prompt=(
        "A colleague audits 300 customers, finds no gap that chance would not make, and writes: "
        "“We treat all groups alike.” You answer:"
    ),
    options=[
        Option(
            "a",
            "Right, as long as the ratio is above four fifths.",
            "The ratio ignores how many people stand behind it, as the sentence does.",
        ),
        Option(
            "b",
            "Which gap would 300 customers have shown you?",
            "Right: finding nothing means little where even a large gap would have stayed hidden.",
            right=True,
        ),
        Option(
            "c",
            "Repeat it with other groups until one differs.",
            "Search long enough and chance provides one. What is found so needs new people to "
            "confirm it.",
        ),
    ],
)

QUIZ2 = Quiz(
    id="quiz2",
    prompt="A team has no protected attribute in any of its tables. What follows?",
    options=[
        Option(
            "a",
            "Its campaigns cannot disadvantage a group.",
            "Names and postcodes carry the attribute, and auctions need none at all.",
        ),
        Option(
            "b",
            "It need not audit.",
            "Whatever it does to groups goes on. Only the team's view of it is gone.",
        ),
        Option(
            "c",
            "It cannot see what its campaigns do to groups.",
            "Right: without the attribute nothing protects anybody, and nobody can count the harm.",
            right=True,
        ),
    ],
)

LESSON = Lesson(
    number="06",
    title="Bias audit: whom does the campaign pass over, and could we even see it?",
    exercises=[Q1, Q2, Q3, Q4, Q5],
    quizzes=[QUIZ1, QUIZ2],
    predictions=[P1, P2, P3],
    setup="""
import pandas as pd
from ethicalai_lab.fairness import (
    audit, audit_beside_truth, detectable, old_rule, required_sample_size,
)
rule = old_rule(world).set_index("customer_id")
people = world.customers.set_index("customer_id").join(rule[["score", "selected", "visited"]])
bands = ["under 35", "35 to 54", "from 55"]
people["age_band"] = pd.cut(people["age"], [0, 34, 54, 120], labels=bands)
asked = people.sample(1_000, random_state=0)
found = audit(asked["visited"], asked["selected"], sensitive_features=asked["ethnic_group"])
seen = detectable(found, gap=0.1)
crossed = audit(
    None, asked["selected"], sensitive_features=asked[["ethnic_group", "gender", "age_band"]],
)
beside = audit_beside_truth(world, sample=1_000)
""",
    decides="fairness.audit",
)
