"""Questions of lesson 10: informing or manipulating."""

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

# As the notebook sets them. The world knows no stock and no end of an offer: both are assumed.
LOT, COST = 40, 10
SENT, MIDNIGHT, LATER = "2026-01-12 18:00", "2026-01-13", "2026-02-09"
GUESSES = {
    "financial_stress": "guessed_money_worries",
    "health_interest": "guessed_health_worries",
}
MONEY = GUESSES["financial_stress"]
MODELS = ("own data", "with guesses")


# ------------------------------------------------- the notebook's own steps, once a world


@per_world
def _shop(world: Any) -> Any:
    from ethicalai_lab.lessons.bargains import bargains

    return bargains(world)


@per_world
def _table(world: Any) -> Any:
    """Return what the model sees of each customer: the shop's own data, and the guesses."""
    people = world.customers.set_index("customer_id")[list(GUESSES)]
    return _shop(world).own.join(people.rename(columns=GUESSES))


@per_world
def _lists(world: Any) -> dict[str, Any]:
    """Return both models, their lists of a fifth of all customers, and their accounts."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from ethicalai_lab.explainability import linear_attributions
    from ethicalai_lab.personalization import target_top

    shop, table = _shop(world), _table(world)
    learn = shop.bought[shop.bought.index % 2 == 0]
    models, listed, accounts = {}, {}, {}
    for name, columns in zip(MODELS, (list(shop.own), list(table)), strict=True):
        model = make_pipeline(StandardScaler(), LogisticRegression())
        models[name] = model.fit(table.loc[learn.index, columns], learn)
        score = model.decision_function(table[columns]).round(6)  # equal rows, equal scores
        best = target_top(score, 0.2)
        listed[name] = pd.Series(best, table.index)
        accounts[name] = linear_attributions(model, table[columns], table[columns])
    return {"models": models, "listed": listed, "accounts": accounts}


@per_world
def _claims(world: Any) -> Any:
    """Return each claim of urgency in the bargain mails, beside what was true."""
    import numpy as np
    import pandas as pd

    from ethicalai_lab.explainability import urgency_claims

    offers = _shop(world).offers
    runs_on = ~offers["category"].isin(["sports", "fashion"])
    texts = "Only 3 left! " + offers["name"] + ". The offer ends tonight. Last chance!"
    return urgency_claims(
        texts,
        sent=[pd.Timestamp(SENT)] * len(offers),
        stock=LOT - offers["sold"] % LOT,
        ended=pd.to_datetime(np.where(runs_on, LATER, MIDNIGHT)),
    )


@per_world
def _trials(world: Any) -> dict[str, Any]:
    """Return the trust experiment, for a message on own data and for one on guesses."""
    from ethicalai_lab.explainability import trust_experiment

    return {
        name: trust_experiment(world, acceptable=name == "own data", ai_disclosed=True)
        for name in MODELS
    }


def _row(found: Any, outcome: str, level: str, band: str | None = None) -> Any:
    table = found.table if band is None else found.by_band[found.by_band["band"] == band]
    return table[(table["outcome"] == outcome) & (table["level"] == level)].iloc[0]


# --------------------------------------------------------------------------- predictions


@per_world
def _p1_facts(world: Any) -> dict[str, float]:
    bought, money = _shop(world).bought, _table(world)[MONEY]
    lists = _lists(world)["listed"]
    kept = bought[bought.index % 2 == 1]
    facts = {}
    for key, name in zip(("own", "guess"), MODELS, strict=True):
        chosen = lists[name]
        facts[f"hits_{key}"] = float(kept[chosen[kept.index]].mean())
        facts[f"stress_{key}"] = float(money[chosen].mean())
    facts["stress_all"] = float(money.mean())
    return facts


def _p1_outcome(world: Any) -> str:
    f = _p1_facts(world)
    hits, stress = f["hits_guess"] - f["hits_own"], f["stress_guess"] - f["stress_own"]
    if stress < 0.05:
        return "a"
    return "b" if hits > 0.05 else "c"


P1 = Prediction(
    id="p1",
    prompt=(
        "The shop buys a broker's guesses and lets its model use them. What happens to the list "
        "of customers who get the bargain mail?"
    ),
    options={
        "a": "Hardly anything: what people buy says it all already.",
        "b": "It hits clearly more bargain buyers.",
        "c": "It hits hardly more bargain buyers, and more people with money worries.",
    },
    outcome=_p1_outcome,
    says=(
        "Of those on the list who bought in the next quarter, {hits_own:.0%} took a bargain, and "
        "{hits_guess:.0%} with the guesses. The mean guess of money worries rose from "
        "{stress_own:.2f} to {stress_guess:.2f}; among all customers it is {stress_all:.2f}."
    ),
    facts=_p1_facts,
)


@per_world
def _p2_facts(world: Any) -> dict[str, Any]:
    visits = _trials(world)["with guesses"].table.query("outcome == 'visit'").set_index("level")
    told = visits.drop(index="none")
    return {
        "none": float(visits.loc["none", "value"]),
        "layered": float(visits.loc["layered", "value"]),
        "low": float(told.loc["layered", "difference_low"]),
        "high": float(told.loc["layered", "difference_high"]),
        "more": bool((told["difference_low"] > 0).any()),
        "less": bool((told["difference_high"] < 0).any()),
    }


def _p2_outcome(world: Any) -> str:
    f = _p2_facts(world)
    return "a" if f["more"] else "b" if f["less"] else "c"


P2 = Prediction(
    id="p2",
    prompt=(
        "All customers get a mail that rests on guesses, with one of four notices drawn by lot. "
        "What will the visits show?"
    ),
    options={
        "a": "A notice brings more visits than none.",
        "b": "A notice brings fewer visits than none.",
        "c": "That this many people are too few to tell.",
    },
    outcome=_p2_outcome,
    says=(
        "{none:.1%} visit without a notice and {layered:.1%} with the layered one. The 95 % "
        "interval of the difference goes from {low:+.1%} to {high:+.1%}."
    ),
    facts=_p2_facts,
)

_TURNS = {"a": "discovery", "b": "noticed", "c": "ai_told_loss"}


@per_world
def _turns(world: Any) -> Any:
    from ethicalai_lab.explainability import what_would_reverse

    return what_would_reverse(
        world, "none", "layered", names=list(_TURNS.values()), acceptable=False
    ).set_index("name")


def _p3_outcome(world: Any) -> str:
    flips = _turns(world)["result"].eq("flips")
    right = [key for key, name in _TURNS.items() if flips[name]]
    return right[0] if len(right) == 1 else "b"


P3 = Prediction(
    id="p3",
    prompt=(
        "By the assumptions, saying nothing about the guesses wins a few visits. Which of these "
        "would turn that round?"
    ),
    options={
        "a": "More people find out about the guesses by themselves.",
        "b": "More people read the notice.",
        "c": "People mind more that AI was at work.",
    },
    outcome=_p3_outcome,
    says=(
        "The assumed chance to find out after one mail is {value:.0%}. From {turns:.0%} on, "
        "telling wins."
    ),
    facts=lambda world: {
        "value": float(_turns(world).loc["discovery", "value"]),
        "turns": float(_turns(world).loc["discovery", "turns_at"]),
    },
)


# ------------------------------------------------------------------------------- exercises


@per_world
def _q1_facts(world: Any) -> dict[str, float]:
    claims = _claims(world)
    stock = claims[claims["kind"] == "stock"]
    known = claims[claims["holds"].notna()]
    false = claims["holds"].eq(False)
    return {
        "answer": float(stock["holds"].eq(False).mean()),
        "true": float(stock["holds"].eq(True).mean()),
        "known": float(known["holds"].eq(False).mean()),
        "all_rows": float(false.mean()),
        "vague": float((~claims["holds"].eq(True)).mean()),
        "of_false": float(stock["holds"].eq(False).sum() / false.sum()),
        "ends": float(claims.loc[claims["kind"] == "end", "holds"].eq(False).mean()),
    }


Q1 = Exercise(
    id="q1",
    prompt="Of all claims of stock in the bargain mails, what share is false?",
    answer=Number(absolute=0.0051, unit="share", low=0, high=1),
    expected=lambda world: _q1_facts(world)["answer"],
    facts=_q1_facts,
    mistakes=[
        Mistake(
            "true",
            lambda f: f.true,
            "That is the share that holds. Asked is the other part.",
        ),
        Mistake(
            "known",
            lambda f: f.known,
            "Claims of an end are in there too. Keep the rows whose `kind` is `stock`.",
        ),
        Mistake(
            "all_rows",
            lambda f: f.all_rows,
            "You divided by all claims, of every kind. Divide by the claims of stock.",
        ),
        Mistake(
            "vague",
            lambda f: f.vague,
            "You counted vague claims as false. Nothing is known to hold them against: `holds` is "
            "None there. And only the claims of stock are asked about.",
        ),
        Mistake(
            "ends",
            lambda f: f.ends,
            "Those are the countdowns. Asked are the claims of stock.",
        ),
        Mistake(
            "of_false",
            lambda f: f.of_false,
            "You divided by all false claims: that is how many of these are about stock. Divide "
            "by all claims of stock.",
        ),
    ],
    hints=[
        '`claims["kind"]` says what is claimed: `stock`, `end` or `vague`.',
        "`holds` is True, False or None. It is False where the claim is not true.",
        "`.eq(False)` is True where the claim is false; its mean is a share.",
    ],
    solution=(
        'stock = claims[claims["kind"] == "stock"]\nanswer = stock["holds"].eq(False).mean()'
    ),
    why=(
        "{expected:.0%} are false, and {ends:.0%} of the countdowns. The vague claims can be "
        "neither: “last chance” says nothing that could be checked. That is no excuse for it."
    ),
)


@per_world
def _q2_facts(world: Any) -> dict[str, float]:
    lists = _lists(world)["listed"]
    own, guess = (lists[name] for name in MODELS)
    return {
        "answer": float(1 - own[guess].mean()),
        "both": float(own[guess].mean()),
        "of_all": float((guess & ~own).mean()),
        "of_either": float((guess & ~own).sum() / (guess | own).sum()),
        "number": float((guess & ~own).sum()),
        "either_way": float((guess ^ own).sum() / guess.sum()),
    }


Q2 = Exercise(
    id="q2",
    prompt=(
        "Of the customers on the list with guesses, what share is there only because of the "
        "guesses?"
    ),
    answer=Number(absolute=0.0051, unit="share", low=0, high=1),
    expected=lambda world: _q2_facts(world)["answer"],
    facts=_q2_facts,
    mistakes=[
        Mistake(
            "both",
            lambda f: f.both,
            "Those stand on both lists: their own shopping put them there. Asked are the others.",
        ),
        Mistake(
            "of_all",
            lambda f: f.of_all,
            "You divided by all customers. Divide by those on the list.",
        ),
        Mistake(
            "of_either",
            lambda f: f.of_either,
            "You divided by everybody who is on one of the two lists. Divide by the list with "
            "guesses.",
        ),
        Mistake(
            "either_way",
            lambda f: f.either_way,
            "You counted those who came and those who lost their place. Asked are those who came.",
        ),
    ],
    hints=[
        '`listed["with guesses"]` and `listed["own data"]` are True for who is on the list.',
        "Who is on the one and not on the other? `a & ~b`",
        "Divide their number by the length of the list with guesses.",
    ],
    solution=(
        'added = listed["with guesses"] & ~listed["own data"]\n'
        'answer = added.sum() / listed["with guesses"].sum()'
    ),
    why=(
        "{expected:.0%}, or {number:,.0f} people. As many others lost their place, and nobody "
        "will tell them either."
    ),
)


@per_world
def _q3_facts(world: Any) -> dict[str, float]:
    lists = _lists(world)
    parts = lists["accounts"]["with guesses"].values
    listed, own = lists["listed"]["with guesses"], lists["listed"]["own data"]
    first = parts.idxmax(axis=1).eq(MONEY)
    return {
        "answer": float(first[listed].mean()),
        "everyone": float(first.mean()),
        "some": float(parts.loc[listed, MONEY].gt(0).mean()),
        "not_listed": float(first[~listed].mean()),
        "added": float(first[listed & ~own].mean()),
        "of_all": float((first & listed).mean()),
        "own_list": float(first[own].mean()),
    }


Q3 = Exercise(
    id="q3",
    prompt=(
        "For what share of the customers on the list would an honest notice name the guessed "
        "money worries as the *first* reason?"
    ),
    answer=Number(absolute=0.0051, unit="share", low=0, high=1),
    expected=lambda world: _q3_facts(world)["answer"],
    facts=_q3_facts,
    mistakes=[
        Mistake(
            "everyone",
            lambda f: f.everyone,
            "You counted all customers. Keep those on the list, who get the mail.",
        ),
        Mistake(
            "some",
            lambda f: f.some,
            "There the money worries speak for the offer, as one reason among others. Asked is "
            "where they are the largest.",
        ),
        Mistake(
            "not_listed",
            lambda f: f.not_listed,
            "You kept those who are *not* on the list: take the `~` away.",
        ),
        Mistake(
            "added",
            lambda f: f.added,
            "Those are only the people whom the guesses put on the list. Asked is the whole list.",
        ),
        Mistake(
            "of_all",
            lambda f: f.of_all,
            "You divided by all customers. Divide by those on the list.",
        ),
        Mistake(
            "own_list",
            lambda f: f.own_list,
            "You kept the list by own data. The notice goes to the list with guesses.",
        ),
    ],
    hints=[
        "`parts` has a row for each customer and a column for each feature.",
        "`parts.idxmax(axis=1)` names the column with the largest part.",
        'Compare it with `"guessed_money_worries"`, keep the list, and take the mean.',
    ],
    solution=(
        'first = parts.idxmax(axis=1) == "guessed_money_worries"\n'
        'answer = first[listed["with guesses"]].mean()'
    ),
    why=(
        "For {expected:.0%}. Among those whom the guesses put on the list it is {added:.0%}. A "
        "notice that hides this is not short, it is false."
    ),
)


@per_world
def _prices(world: Any) -> dict[str, Any]:
    """Return what a bargain is worth to each (assumed), one best price, and one a tenth."""
    import numpy as np
    import pandas as pd

    worth = 40 * np.exp(-1.5 * world.truth.people.set_index("customer_id")["price_sensitivity"])
    prices = np.arange(COST, 40, 0.25)

    def best_price(group: Any) -> float:
        return float(prices[np.argmax([(p - COST) * (group >= p).sum() for p in prices])])

    tenth = pd.qcut(_table(world)[MONEY], 10)
    personal = worth.groupby(tenth, observed=True).transform(best_price)
    return {"worth": worth, "uniform": best_price(worth), "personal": personal}


@per_world
def _q4_facts(world: Any) -> dict[str, float]:
    found = _prices(world)
    worth, uniform, personal = found["worth"], found["uniform"], found["personal"]

    def kept(price: Any) -> float:
        return float((worth - price).clip(lower=0).sum())

    def profit(price: Any) -> float:
        return float(((price - COST) * (worth >= price)).sum())

    return {
        "answer": kept(personal) / kept(uniform) - 1,
        "lost": 1 - kept(personal) / kept(uniform),
        "left": kept(personal) / kept(uniform),
        "profit": profit(personal) / profit(uniform) - 1,
        "unclipped": float((worth - personal).sum() / (worth - uniform).sum() - 1),
        "price": float(personal.mean() / uniform - 1),
        "all": float(
            (worth - COST)[worth >= personal].sum() / (worth - COST)[worth >= uniform].sum() - 1
        ),
        "less": float((personal < uniform).mean()),
        "more": float((personal > uniform).mean()),
    }


Q4 = Exercise(
    id="q4",
    prompt=(
        "What people keep is what a bargain is worth to them minus its price, where they buy. By "
        "what share does the sum change with personal prices, beside one price for all?"
    ),
    answer=Number(absolute=0.0051, unit="share", low=-1, high=1),
    expected=lambda world: _q4_facts(world)["answer"],
    facts=_q4_facts,
    mistakes=[
        Mistake(
            "lost",
            lambda f: f.lost,
            "That is how much is lost. A change has a sign.",
        ),
        Mistake(
            "left",
            lambda f: f.left,
            "That is what is left, as a share of before. The change is this minus 1.",
        ),
        Mistake(
            "profit",
            lambda f: f.profit,
            "That is the shop's half. Asked is what the buyers keep.",
        ),
        Mistake(
            "unclipped",
            lambda f: f.unclipped,
            "Some would pay more than the thing is worth to them. They do not buy, and keep 0: "
            "`.clip(lower=0)`.",
        ),
        Mistake(
            "less",
            lambda f: f.less,
            "That is the share of people who are offered less. Asked is a sum of money.",
        ),
        Mistake(
            "price",
            lambda f: f.price,
            "That is how the mean price changes. What do the buyers keep, beyond the price?",
        ),
        Mistake(
            "all",
            lambda f: f.all,
            "That is what buyers and shop have together: you took the cost away and not the price.",
        ),
    ],
    hints=[
        "`worth - uniform` is what each would keep at one price for all.",
        "Who would keep less than nothing does not buy: `.clip(lower=0)`, then `.sum()`.",
        "Do the same with `personal`, divide, and take 1 away.",
    ],
    solution=(
        "kept_before = (worth - uniform).clip(lower=0).sum()\n"
        "kept_after = (worth - personal).clip(lower=0).sum()\n"
        "answer = kept_after / kept_before - 1"
    ),
    why=(
        "{expected:+.1%}. {less:.0%} are offered less, and the buyers together keep less: the "
        "{more:.0%} who are offered more pay for that and for the shop's gain. Both are true."
    ),
)


@per_world
def _q5_facts(world: Any) -> dict[str, Any]:
    own, guess = (_row(_trials(world)[name], "stated_trust", "layered") for name in MODELS)
    return {
        "guess": float(guess["difference"]),
        "own": float(own["difference"]),
        "own_low": float(own["difference_low"]),
        "own_high": float(own["difference_high"]),
        "turns": float(_turns(world).loc["discovery", "turns_at"]),
    }


def _judged(f: Any, **changes: Any) -> dict[str, Any]:
    return {
        "data": "own data",
        "notice": "layered",
        "reason": "people can know",
        "trust_own_data": f.own,
        "trust_with_guesses": f.guess,
        "visits_shown": "no",
        "turns_on": "discovery",
        **changes,
    }


Q5 = Exercise(
    id="q5",
    prompt=(
        "Which data, which notice, for which reason? Give from the experiment what the layered "
        "notice changes in stated trust, for both kinds of data. Did the trial show a difference "
        "in visits? And which assumption would turn the truth about visits?"
    ),
    answer=Judgement(
        fields={
            "data": Choice(["own data", "with guesses"]),
            "notice": Choice(["none", "layered"]),
            "reason": Choice(["visits", "stated trust", "people can know"]),
            "trust_own_data": Number(absolute=0.01),
            "trust_with_guesses": Number(absolute=0.01),
            "visits_shown": Choice(["yes", "no"]),
            "turns_on": Choice(["discovery", "noticed", "ai_told_loss"]),
        },
        own={"trust_own_data": "own", "trust_with_guesses": "guess"},
    ),
    expected=lambda world: None,
    facts=_q5_facts,
    reference=lambda f: _judged(f),
    mistakes=[
        Mistake(
            "shown",
            lambda f: _judged(f, visits_shown="yes"),
            "Every interval of a difference in visits holds zero. The trial does not show one.",
            when=lambda a, f: a["visits_shown"] == "yes",
        ),
        Mistake(
            "turn",
            lambda f: _judged(f, turns_on="noticed"),
            "Moved over its whole range, that assumption makes the difference smaller or larger "
            "and never turns it round. Look for `flips`.",
            when=lambda a, f: a["turns_on"] != "discovery",
        ),
        Mistake(
            "silent",
            lambda f: _judged(f, notice="none"),
            "Your reason is that people can know, and nothing is told to them.",
            when=lambda a, f: a["reason"] == "people can know" and a["notice"] == "none",
        ),
        Mistake(
            "costs",
            lambda f: _judged(f, reason="stated trust", data="with guesses"),
            "By your own figures stated trust falls once people are told of the guesses; kept "
            "quiet, they wait to be found out. If trust is your reason, which data would you have "
            "to leave alone?",
            when=lambda a, f: (
                a["reason"] == "stated trust"
                and a["data"] == "with guesses"
                and a["trust_with_guesses"] < a["trust_own_data"]
            ),
        ),
        Mistake(
            "visits",
            lambda f: _judged(f, reason="visits", data="with guesses", notice="none"),
            "You say that the trial shows no difference in visits, and visits are your reason for "
            "the choice. What do you base it on?",
            when=lambda a, f: a["reason"] == "visits" and a["visits_shown"] == "no",
        ),
    ],
    hints=[
        "`trials[name].table` has a row for each outcome and level; take `stated_trust`, `layered`.",
        "Its column `difference` is what the notice changes, beside none.",
        "For the visits, look whether `difference_low` and `difference_high` lie on one side of "
        "zero; for the assumption, at the table with `flips`.",
    ],
    solution=(
        "def changed(name):\n"
        '    rows = trials[name].table.set_index(["outcome", "level"])\n'
        '    return rows.loc[("stated_trust", "layered"), "difference"]\n'
        "\n"
        "answer = {\n"
        '    "data": "own data",\n'
        '    "notice": "layered",\n'
        '    "reason": "people can know",\n'
        '    "trust_own_data": changed("own data"),\n'
        '    "trust_with_guesses": changed("with guesses"),\n'
        '    "visits_shown": "no",\n'
        '    "turns_on": "discovery",\n'
        "}"
    ),
    why=(
        "This holds together. Telling changes stated trust by {guess:+.2f} points where guesses "
        "were used and by {own:+.2f} where they were not. What costs trust is the data, and the "
        "notice is how it comes out."
    ),
)


# -------------------------------------------------------------------------------- quiz

QUIZ1 = Quiz(
    id="quiz1",
    prompt="Does the EU's AI Act ban the use of AI to choose who gets an advertisement?",
    options=[
        Option(
            "a",
            "Yes: personal advertising by AI has been banned since February 2025.",
            "What is banned since then is narrower: manipulative or deceptive techniques, or the "
            "exploiting of certain vulnerabilities, that materially distort what people do and "
            "cause significant harm, or are likely to. All of it together.",
        ),
        Option(
            "b",
            "No, not as such: what is banned must distort behaviour and do significant harm.",
            "Right. The ban covers the *effect* too, whatever was meant, and it names age, "
            "disability and a specific social or economic situation. So it is worth measuring.",
            right=True,
        ),
        Option(
            "c",
            "Not yet: nothing of it applies before the end of 2027.",
            "Only the dates for high-risk systems moved. The bans have applied since 2 February "
            "2025, and Article 50 since 2 August 2026.",
        ),
    ],
)

QUIZ2 = Quiz(
    id="quiz2",
    prompt=(
        "For one customer no reason could be computed: the method failed. What may the notice say?"
    ),
    options=[
        Option(
            "a",
            "“Because it fits your interests.”",
            "Nobody found that out. It is friendly, likely, and invented.",
        ),
        Option(
            "b",
            "Nothing, so that nobody is confused.",
            "Then the person learns neither that a machine chose nor how to stop it. These two are "
            "known without any reason.",
        ),
        Option(
            "c",
            "That no reason could be found, who decided, and how to stop it.",
            "Right: what is known is said, and what is not known is said to be so.",
            right=True,
        ),
    ],
)

LESSON = Lesson(
    number="10",
    title="Trust and transparency: informing or manipulating?",
    exercises=[Q1, Q2, Q3, Q4, Q5],
    quizzes=[QUIZ1, QUIZ2],
    predictions=[P1, P2, P3],
    setup=(
        "from ethicalai_lab.lessons.exercises import lesson_10\n"
        "claims = lesson_10._claims(world)\n"
        "lists = lesson_10._lists(world)\n"
        "listed = lists['listed']\n"
        "parts = lists['accounts']['with guesses'].values\n"
        "prices = lesson_10._prices(world)\n"
        "worth, uniform, personal = prices['worth'], prices['uniform'], prices['personal']\n"
        "trials = lesson_10._trials(world)"
    ),
    decides="transparency",
)
