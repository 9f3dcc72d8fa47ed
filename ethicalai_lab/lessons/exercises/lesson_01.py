"""Questions of lesson 01: whom a mail changes, and what a targeting rule is worth."""

from __future__ import annotations

from typing import Any

from ethicalai_lab.lessons.answers import Choice, Judgement, Number, Rule
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

FEATURES = ["recency", "history", "sports", "fashion", "newbie", "channel"]
VISIT, MAIL, LEAVER = 4.0, 0.10, 20.0  # as the notebook sets them
SHARE = 0.3


# ------------------------------------------------- the notebook's own steps, once a world


@per_world
def _people(world: Any) -> Any:
    """Return the two arms compared."""
    people = world.campaign[world.campaign["arm"] != "sports_mail"].reset_index(drop=True)
    people["mailed"] = people["arm"] == "fashion_mail"
    return people


@per_world
def _response(world: Any) -> Any:
    from ethicalai_lab.personalization import response_scores

    people = _people(world)
    return response_scores(None, people[FEATURES], people["visit"], people["mailed"])


@per_world
def _trial(world: Any) -> Any:
    """Return the two arms with both scores, of nobody by a model that saw them."""
    from ethicalai_lab.personalization import TLearner, cross_fit_uplift

    people = _people(world)
    uplift = cross_fit_uplift(TLearner(), people[FEATURES], people["visit"], people["mailed"])
    return people.assign(response=_response(world), uplift=uplift)


@per_world
def _response_list(world: Any) -> Any:
    from ethicalai_lab.personalization import target_top

    return target_top(_response(world), SHARE)


@per_world
def _lists(world: Any) -> dict[str, Any]:
    from ethicalai_lab.personalization import target_top

    return {"response": _response_list(world), "uplift": target_top(_trial(world)["uplift"], SHARE)}


@per_world
def _outcomes(world: Any) -> Any:
    """Return the potential outcomes of the people in the trial, in their order."""
    known = world.truth.potential_outcomes.set_index("customer_id")
    return known.loc[_people(world)["customer_id"]].reset_index()


def _true_profit(chosen: Any, world: Any) -> float:
    """Return the true profit of a rule, per 1,000 customers, leavers paid for."""
    import numpy as np

    from ethicalai_lab.personalization import true_value

    found = true_value(
        np.asarray(chosen, dtype=bool),
        _outcomes(world),
        outcome="visit",
        value=VISIT,
        cost=MAIL,
        arm="fashion_mail",
    )
    return 1000 * (found.profit - LEAVER * found.bothered)


def _true_leavers(chosen: Any, world: Any) -> float:
    """Return how many people a rule makes leave the list, per 1,000 customers."""
    import numpy as np

    from ethicalai_lab.personalization import true_value

    chosen = np.asarray(chosen, dtype=bool)
    return 1000 * true_value(chosen, _outcomes(world), outcome="visit", arm="fashion_mail").bothered


def _true_lift(world: Any, chosen: Any = None) -> float:
    outcomes = _outcomes(world)
    change = outcomes["p_visit_fashion_mail"] - outcomes["p_visit_no_mail"]
    return float(change.mean() if chosen is None else change[chosen].mean())


# ---------------------------------------------------------------------------- prediction


def _p1_facts(world: Any) -> dict[str, float]:
    people, chosen = _people(world), _response_list(world)
    everyone, listed = _true_lift(world), _true_lift(world, chosen)
    unmailed = ~people["mailed"]
    return {
        "everyone": everyone,
        "listed": listed,
        "everyone_points": 100 * everyone,
        "listed_points": 100 * listed,
        "anyway": float(people.loc[chosen & unmailed, "visit"].mean()),
        "all_anyway": float(people.loc[unmailed, "visit"].mean()),
    }


def _p1_outcome(world: Any) -> str:
    facts = _p1_facts(world)
    ratio = facts["listed"] / facts["everyone"]
    return "a" if ratio >= 2 else "b" if ratio > 0.5 else "c"


P1 = Prediction(
    id="p1",
    prompt=(
        "The team mails the three in ten customers who are likeliest to visit. How much does "
        "the mail change these people, compared with customers in general?"
    ),
    options={
        "a": "At least twice as much: keen people react to mail.",
        "b": "Something like as much.",
        "c": "Less than half as much.",
    },
    outcome=_p1_outcome,
    says=(
        "In truth the mail raises the listed customers' chance of a visit by {listed_points:.1f} "
        "points, and everybody's by {everyone_points:.1f}. What sets the listed ones apart is that "
        "{anyway:.0%} of them came without any mail, against {all_anyway:.0%} of everybody."
    ),
    facts=_p1_facts,
)


# ------------------------------------------------------------------------------- exercises


def _q1_facts(world: Any) -> dict[str, float]:
    campaign = world.campaign
    rate = campaign.groupby("arm", observed=True)["visit"].mean()
    others = campaign.loc[campaign["arm"] != "fashion_mail", "visit"].mean()
    mailed, without = float(rate["fashion_mail"]), float(rate["no_mail"])
    return {
        "mailed": mailed,
        "without": without,
        "to_others": mailed - float(others),
        "relative": mailed / without - 1,
        "ratio": mailed / without,
        "points": 100 * (mailed - without),
    }


Q1 = Exercise(
    id="q1",
    prompt=(
        "How many visits does the fashion mail cause per customer mailed? Give the lift as a "
        "difference of shares."
    ),
    answer=Number(absolute=0.0005, unit="share", low=-1, high=2),
    expected=lambda world: _q1_facts(world)["mailed"] - _q1_facts(world)["without"],
    facts=_q1_facts,
    mistakes=[
        Mistake(
            "rate",
            lambda f: f.mailed,
            "That is the share of visitors after the mail. Many of them would have come "
            "anyway. Which group shows you how many?",
        ),
        Mistake(
            "reversed",
            lambda f: f.without - f.mailed,
            "The right size with the wrong sign: take those without mail away from those with.",
        ),
        Mistake(
            "wrong_control",
            lambda f: f.to_others,
            "You compared with everyone else, and a part of them got the sports mail. "
            "Compare with those who got no mail.",
        ),
        Mistake(
            "relative",
            lambda f: f.relative,
            "That is the relative lift: the difference, measured in visits without the mail. Asked "
            "for is the difference of the two shares itself.",
        ),
        Mistake(
            "ratio",
            lambda f: f.ratio,
            "That is the ratio: how many times as many visited. Asked for is the difference of "
            "the two shares.",
        ),
        Mistake(
            "control_only",
            lambda f: f.without,
            "That is the share that visited without the mail. How many more came with it?",
        ),
    ],
    hints=[
        "Chance decided who got the mail. So those without it show what the others would "
        "have done.",
        "Take the mean of `visit` among `trial[trial.mailed]`, and among the rest.",
        "`lift(trial.visit, trial.mailed, control=False)` does it too: look at its columns.",
    ],
    solution=(
        'answer = trial.visit[trial["mailed"]].mean() - trial.visit[~trial["mailed"]].mean()'
    ),
    why=(
        "{mailed:.2%} came after the mail and {without:.2%} without it. The difference, "
        "{points:.2f} points, is the estimate of what the mail did. Only chance made the two "
        "groups, so nothing but the mail and the luck of the draw sets them apart."
    ),
)


def _q2_facts(world: Any) -> dict[str, float]:
    lists = _lists(world)
    both = lists["response"] & lists["uplift"]
    either = lists["response"] | lists["uplift"]
    return {
        "both": float(both.mean()),
        "jaccard": float(both.sum() / either.sum()),
        "missed": float(1 - both.sum() / lists["response"].sum()),
        "count": int(both.sum()),
    }


Q2 = Exercise(
    id="q2",
    prompt=(
        "The two lists are equally long. What share of the customers on the response list "
        "also stands on the uplift list?"
    ),
    answer=Number(absolute=0.01, unit="share", low=0, high=1),
    expected=lambda world: 1 - _q2_facts(world)["missed"],
    facts=_q2_facts,
    mistakes=[
        Mistake(
            "of_everyone",
            lambda f: f.both,
            "You divided by all customers. Divide by those on the response list.",
        ),
        Mistake(
            "jaccard",
            lambda f: f.jaccard,
            "You divided by all who stand on either list. Divide by those on the response list.",
        ),
        Mistake(
            "missed",
            lambda f: f.missed,
            "That is the share that does *not* stand on the uplift list.",
        ),
        Mistake(
            "count",
            lambda f: f.count,
            "That is how many people stand on both. Divide by the length of the response list.",
        ),
    ],
    hints=[
        "Each list is a column of True and False. `&` keeps those that are on both.",
        "The mean of `by_uplift` over the rows where `by_response` is True is the share.",
        "`by_uplift[by_response]` leaves the rows of the response list only.",
    ],
    solution="answer = by_uplift[by_response].mean()",
    why=(
        "{expected:.0%} stand on both. The other {missed:.0%} of the response list get a mail "
        "that, by the uplift model's estimate, would have done more elsewhere."
    ),
)


@per_world
def _q3_facts(world: Any) -> dict[str, float]:
    import numpy as np

    from ethicalai_lab.personalization import evaluate_ranking

    trial = _trial(world)
    found = evaluate_ranking(trial["visit"], trial["uplift"], trial["mailed"], n_boot=2)
    at = found.curve.iloc[int(np.argmin(np.abs(found.curve["share"] - SHARE)))]
    return {
        "at": float(at["qini"]),
        "all": float(found.curve["qini"].iloc[-1]),
        "inside": found.uplift_at_k.value,
    }


Q3 = Exercise(
    id="q3",
    prompt=(
        "Read the Qini curve of the uplift ranking. Mailing its first three in ten brings what "
        "share of the extra visits that mailing everybody would bring?"
    ),
    answer=Number(absolute=0.02, unit="share", low=0, high=3),
    expected=lambda world: _q3_facts(world)["at"] / _q3_facts(world)["all"],
    facts=_q3_facts,
    mistakes=[
        Mistake(
            "height",
            lambda f: f.at,
            "That is the height of the curve at three in ten: extra visits per customer. Compare "
            "it with the height at the right end, where everybody is mailed.",
            when=lambda answer, f: abs(answer - f.at) < 0.002,
        ),
        Mistake(
            "random",
            SHARE,
            "That is what a random list of this length would bring: the grey line. Read the "
            "uplift ranking's curve.",
            when=lambda answer, f: abs(answer - SHARE) < 0.005,
        ),
        Mistake(
            "end",
            lambda f: f.all,
            "That is the height at the right end, where everybody is mailed. How high is the "
            "curve at three in ten, compared with it?",
            when=lambda answer, f: abs(answer - f.all) < 0.002,
        ),
        Mistake(
            "upside_down",
            lambda f: f.all / f.at,
            "You divided the right end by the point at three in ten; asked is the other way round.",
        ),
    ],
    hints=[
        "The right end of the curve is mailing everybody.",
        "In `ranking.curve`, find the row whose `share` is nearest to three in ten. "
        "Its column `qini` is the height.",
        "Divide that height by the last value of `qini`.",
    ],
    solution=(
        'heights = ranking.curve.set_index(ranking.curve["share"].round(2))["qini"]\n'
        "answer = heights[0.3] / heights[1.0]"
    ),
    why=(
        "{expected:.0%} of the extra visits, from three in ten of the mails. The other seven in "
        "ten bring the rest: less for each mail."
    ),
)


@per_world
def _q4_facts(world: Any) -> dict[str, Any]:
    trial = _trial(world)
    leaving = float(trial.loc[trial["mailed"], "unsubscribed"].mean())
    price = MAIL + LEAVER * leaving
    uplift = trial["uplift"]
    right = VISIT * uplift > price
    rules = {
        "right": right,
        "zero": uplift > 0,
        "mail_only": VISIT * uplift > MAIL,
        "everyone": uplift > -1,
        "nobody": uplift > 1,
        "inverted": VISIT * uplift <= price,
        "response": trial["response"] >= trial["response"].quantile(1 - right.mean()),
        "top": _lists(world)["uplift"],
    }
    worth = {f"{name}_worth": _true_profit(rule, world) for name, rule in rules.items()}
    return {**rules, **worth, "share": float(rules["right"].mean())}


def _same(name: str) -> Any:
    """Recognise a rule by the rows that it chooses."""
    return lambda answer, f: float((answer.to_numpy() == list(f[name])).mean()) > 0.995


Q4 = Exercise(
    id="q4",
    prompt=(
        "Write a better rule than a fixed share. Mail each customer whose expected gain, `VISIT` "
        "times uplift, is more than a mail costs. Remember that a part of those mailed leave."
    ),
    answer=Rule(
        table=lambda world: _trial(world).drop(columns="response"),
        value=_true_profit,
        absolute=2.0,
    ),
    expected=lambda world: _q4_facts(world)["right"],
    facts=_q4_facts,
    mistakes=[
        Mistake(
            "everyone",
            lambda f: f.everyone,
            "This rule mails everybody. In truth that makes {everyone_worth:,.0f} per 1,000 "
            "customers. Leave out those whom the mail does not pay for.",
            when=_same("everyone"),
        ),
        Mistake(
            "nobody",
            lambda f: f.nobody,
            "This rule mails nobody. That costs nothing and earns nothing, and there are customers "
            "whom a mail pays for.",
            when=lambda answer, f: not answer.any(),
        ),
        Mistake(
            "fixed_share",
            lambda f: f.top,
            "That is the fixed three in ten again. In truth it makes {top_worth:,.0f} per 1,000 "
            "customers. Let the price of a mail draw the line instead of a share.",
            when=_same("top"),
        ),
        Mistake(
            "inverted",
            lambda f: f.inverted,
            "This rule mails exactly those for whom the mail does not pay: turn the comparison.",
            when=_same("inverted"),
        ),
        Mistake(
            "zero",
            lambda f: f.zero,
            "This rule mails whoever is changed at all. It makes {zero_worth:,.0f} per 1,000 "
            "customers, since a small gain does not pay for the mail and for those who leave.",
            when=_same("zero"),
        ),
        Mistake(
            "mail_only",
            lambda f: f.mail_only,
            "You count the mail, but not the people who leave because of it: `LEAVER` times the "
            "share of mailed customers who unsubscribed.",
            when=_same("mail_only"),
        ),
        Mistake(
            "response",
            lambda f: f.response,
            "You used the chance of a visit. It counts visits that would have come anyway; the "
            "gain is in `uplift`.",
            when=_same("response"),
        ),
    ],
    hints=[
        "What does one mail cost in all? `MAIL`, and `LEAVER` for each person who leaves.",
        "The share who leave: the mean of `unsubscribed` among `trial[trial.mailed]`.",
        "`VISIT * uplift > ...` gives True for each customer worth a mail.",
    ],
    solution=(
        'price = MAIL + LEAVER * trial.unsubscribed[trial["mailed"]].mean()\n'
        "answer = VISIT * uplift > price"
    ),
    why=(
        "Your rule is worth what the reference is: it mails {share:.0%} of customers and in truth "
        "makes {right_worth:,.0f} per 1,000 customers. The fixed three in ten made {top_worth:,.0f}."
    ),
    otherwise=(
        "In truth this rule makes less than the one asked for. Compare `VISIT * uplift` with what "
        "a mail costs in all."
    ),
)


@per_world
def _q5_facts(world: Any) -> dict[str, Any]:
    """Return the estimates that the notebook's own table shows, per 1,000 customers."""
    import numpy as np

    from ethicalai_lab.personalization import compare_rules

    trial, lists = _trial(world), _lists(world)
    gain = VISIT * trial["visit"] - LEAVER * trial["unsubscribed"]
    rules = {
        "nobody": np.zeros(len(trial), dtype=bool),
        "everyone": np.ones(len(trial), dtype=bool),
        **lists,
    }
    table = compare_rules(rules, gain, trial["mailed"], cost=MAIL, control=False)
    table = table.set_index("rule")
    profit = {name: 1000 * float(table.loc[name, "profit"]) for name in rules}
    low = {name: 1000 * float(table.loc[name, "low"]) for name in rules}
    leavers = {name: _true_leavers(rule, world) for name, rule in rules.items()}
    return {
        "profit": profit,
        "low": low,
        "leavers": leavers,
        "best": max(profit, key=lambda name: profit[name]),
        "profit_uplift": profit["uplift"],
        "low_uplift": low["uplift"],
    }


Q5 = Exercise(
    id="q5",
    prompt=(
        "Your judgement. Which rule would you use, and for which reason? Give two figures of "
        "your own from the table: the estimated profit of the uplift list per 1,000 customers, "
        "and the low end of its interval. Then say how sure the *experiment* makes you that "
        "the uplift list earns anything at all: `sure` or `unsure`."
    ),
    answer=Judgement(
        fields={
            "rule": Choice(["nobody", "everyone", "response", "uplift"]),
            "reason": Choice(["profit", "fewest leavers"]),
            "profit_uplift": Number(absolute=1.0),
            "low_uplift": Number(absolute=1.0),
            "certainty": Choice(["sure", "unsure"]),
        },
        own={"profit_uplift": "profit_uplift", "low_uplift": "low_uplift"},
    ),
    expected=lambda world: None,
    facts=_q5_facts,
    reference=lambda f: {
        "rule": f.best,
        "reason": "profit",
        "profit_uplift": f.profit_uplift,
        "low_uplift": f.low_uplift,
        "certainty": "sure" if f.low_uplift > 0 else "unsure",
    },
    mistakes=[
        Mistake(
            "against_own_profit",
            lambda f: {
                "rule": "everyone" if f.best != "everyone" else "nobody",
                "reason": "profit",
                "profit_uplift": f.profit_uplift,
                "low_uplift": f.low_uplift,
                "certainty": "sure" if f.low_uplift > 0 else "unsure",
            },
            "Your reason is profit, and the table shows another rule with a higher one.",
            when=lambda a, f: a["reason"] == "profit" and a["rule"] != f.best,
        ),
        Mistake(
            "against_leavers",
            lambda f: {
                "rule": "uplift",
                "reason": "fewest leavers",
                "profit_uplift": f.profit_uplift,
                "low_uplift": f.low_uplift,
                "certainty": "sure" if f.low_uplift > 0 else "unsure",
            },
            "Your reason is that few people leave. There is a rule that makes nobody leave.",
            when=lambda a, f: a["reason"] == "fewest leavers" and a["rule"] != "nobody",
        ),
        Mistake(
            "against_interval",
            lambda f: {
                "rule": f.best,
                "reason": "profit",
                "profit_uplift": f.profit_uplift,
                "low_uplift": f.low_uplift,
                "certainty": "unsure" if f.low_uplift > 0 else "sure",
            },
            "Look at your own interval again. Does it leave a loss possible, or not?",
            when=lambda a, f: (a["certainty"] == "sure") != (a["low_uplift"] > 0),
        ),
    ],
    hints=[
        "Both figures stand in the table `worth`, in the row `uplift`.",
        "An interval that reaches below zero does not rule a loss out.",
        "`nobody` is a rule too. It earns nothing, and nobody leaves.",
    ],
    solution=(
        'top = worth.loc["uplift"]\n'
        "answer = {\n"
        '    "rule": worth["profit"].drop("random").idxmax(),\n'
        '    "reason": "profit",\n'
        '    "profit_uplift": top["profit"],\n'
        '    "low_uplift": top["low"],\n'
        '    "certainty": "sure" if top["low"] > 0 else "unsure",\n'
        "}"
    ),
    why=(
        "This holds together: rule, reason and figures agree. Somebody who weighs leavers above "
        "profit may decide otherwise and be as consistent. Write down which of the two you chose."
    ),
)


# -------------------------------------------------------------------------------- quiz

QUIZ1 = Quiz(
    id="quiz1",
    prompt="A colleague says: “Half of the people on my list bought, so the mail works.” You ask:",
    options=[
        Option(
            "a",
            "How many of them opened the mail?",
            "Opening is not buying because of it. The question left open is what would have "
            "happened without the mail.",
        ),
        Option(
            "b",
            "How many such people bought without the mail?",
            "Right: only the difference to people who were left out by chance is the mail's work.",
            right=True,
        ),
        Option(
            "c",
            "How large is the list?",
            "A larger list makes the same figure more precise, and it stays the wrong figure: "
            "it still counts those who would have bought anyway.",
        ),
    ],
)

QUIZ2 = Quiz(
    id="quiz2",
    prompt="Uplift finds the people whom a message moves most. When is that a reason to worry?",
    options=[
        Option(
            "a",
            "Never: they visit because they like the offer.",
            "The score cannot tell liking from pressure. It finds whoever moves, for whatever "
            "reason.",
        ),
        Option(
            "b",
            "When the model is wrong about them.",
            "That is a worry about waste. There is one that remains when the model is right.",
        ),
        Option(
            "c",
            "When those who move most are those who can least afford it.",
            "Right: the easiest people to influence may be the most vulnerable. Uplift ranks "
            "them first, and does not say so.",
            right=True,
        ),
    ],
)

LESSON = Lesson(
    number="01",
    title="Personalization: who gains from it, and how much?",
    exercises=[Q1, Q2, Q3, Q4, Q5],
    quizzes=[QUIZ1, QUIZ2],
    predictions=[P1],
    setup="""
import numpy as np
from ethicalai_lab.personalization import (
    TLearner, compare_rules, cross_fit_uplift, evaluate_ranking, lift, response_scores, target_top,
    random_rule,
)
trial = world.campaign[world.campaign["arm"] != "sports_mail"].reset_index(drop=True)
trial["mailed"] = trial["arm"] == "fashion_mail"
features = trial[["recency", "history", "sports", "fashion", "newbie", "channel"]]
response = response_scores(None, features, trial["visit"], trial["mailed"])
uplift = cross_fit_uplift(TLearner(), features, trial["visit"], trial["mailed"])
by_response, by_uplift = target_top(response, 0.3), target_top(uplift, 0.3)
ranking = evaluate_ranking(trial["visit"], uplift, trial["mailed"])
VISIT, MAIL, LEAVER = 4.0, 0.10, 20.0
gain = VISIT * trial["visit"] - LEAVER * trial["unsubscribed"]
rules = {
    "nobody": np.zeros(len(trial), bool), "everyone": np.ones(len(trial), bool),
    "random": random_rule(len(trial), 0.3), "response": by_response, "uplift": by_uplift,
}
worth = compare_rules(rules, gain, trial["mailed"], cost=MAIL, control=False).set_index("rule")
worth[["profit", "low", "high"]] *= 1000
""",
    decides="personalization",
)
