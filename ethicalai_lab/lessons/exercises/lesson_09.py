"""Questions of lesson 09: why this offer, and is the explanation true?"""

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

# Columns of the shop's model that no mechanism of the world uses for a visit.
IDLE = ["tier", "views", "opens"]
SILVER = 2


# ------------------------------------------------- the notebook's own steps, once a world


@per_world
def _shop(world: Any) -> dict[str, Any]:
    """Return the shop's table, model and vouchers, as the notebook makes them."""
    import pandas as pd

    from ethicalai_lab.explainability.examples import voucher_table

    campaign = world.campaign.set_index("customer_id")
    X = voucher_table(world)
    visit = campaign["visit"]
    train = X.index[campaign["arm"] == "no_mail"]
    model = _fit(X, visit, train)
    rest = X.drop(index=train)
    chance = pd.Series(model.predict_proba(rest)[:, 1], index=rest.index)
    cut = chance.quantile(0.8)
    told = rest.index[(chance >= cut) & (rest["tier"] >= SILVER)]
    bare = pd.Series(model.predict_proba(rest.loc[told].assign(tier=0))[:, 1], index=told)
    false = chance[bare.index[bare >= cut]].sort_values(kind="stable")
    return {
        "X": X,
        "visit": visit,
        "train": train,
        "model": model,
        "rest": rest,
        "chance": chance,
        "cut": cut,
        "told": told,
        "bare": bare,
        "one": false.index[len(false) // 2],
    }


def _fit(X: Any, visit: Any, rows: Any) -> Any:
    from sklearn.ensemble import GradientBoostingClassifier

    model = GradientBoostingClassifier(
        n_estimators=80, learning_rate=0.06, subsample=0.5, min_samples_leaf=30, random_state=0
    )
    return model.fit(X.loc[rows], visit[rows])


@per_world
def _people(world: Any) -> tuple[Any, Any]:
    """Return the people explained, and the background they are compared with."""
    shop = _shop(world)
    back = shop["X"].loc[shop["train"]].sample(100, random_state=0)
    return shop["rest"].sample(300, random_state=1), back


def _shares(world: Any, model: Any) -> Any:
    from ethicalai_lab.explainability import shapley_attributions

    some, back = _people(world)
    return shapley_attributions(model, some, back, unit="log_odds", method="tree").values


@per_world
def _values(world: Any) -> Any:
    return _shares(world, _shop(world)["model"])


@per_world
def _again(world: Any) -> list[Any]:
    """Return the shares by three models trained anew, each on another draw."""
    import numpy as np

    shop = _shop(world)
    draws = (np.random.default_rng(k).choice(shop["train"], len(shop["train"])) for k in range(3))
    return [_shares(world, _fit(shop["X"], shop["visit"], rows)) for rows in draws]


@per_world
def _simple(world: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    shop = _shop(world)
    rows = shop["train"]
    return LogisticRegression(solver="newton-cholesky").fit(
        shop["X"].loc[rows], shop["visit"][rows]
    )


# --------------------------------------------------------------------------- predictions


@per_world
def _credit(world: Any) -> dict[str, float]:
    values = _values(world)
    size = values.abs().sum()
    return {
        "credit": float(size[IDLE].sum() / size.sum()),
        "signed": float(values[IDLE].sum().sum() / values.sum().sum()),
        "count": len(IDLE) / values.shape[1],
        "views": float(size["views"] / size.sum()),
        "causes": float(1 - size[IDLE].sum() / size.sum()),
        "netted": float(values[IDLE].sum().abs().sum() / values.sum().abs().sum()),
        "mean": float(size[IDLE].mean() / size.sum()),
    }


def _p1_outcome(world: Any) -> str:
    credit = _credit(world)["credit"]
    return "a" if credit < 0.05 else "b" if credit < 0.3 else "c"


P1 = Prediction(
    id="p1",
    prompt=(
        "Three of the nine columns cause no visit in this world: `tier`, `views`, `opens`. How "
        "much of all credit does a correct explanation of the model give them?"
    ),
    options={
        "a": "Hardly any: what causes nothing cannot help to predict.",
        "b": "Something like a fifth.",
        "c": "A third or more: as many as they are.",
    },
    outcome=_p1_outcome,
    says=(
        "They get {credit:.0%} of the credit, {views:.0%} of it `views` alone. They predict "
        "because they go along with causes."
    ),
    facts=_credit,
)


@per_world
def _overlap(world: Any) -> dict[str, float]:
    import itertools

    import numpy as np

    tops = [
        np.argsort(-table.abs().to_numpy(), axis=1, kind="stable")[:, :3] for table in _again(world)
    ]
    common = [
        np.mean([len(set(p) & set(q)) for p, q in zip(a, b, strict=True)])
        for a, b in itertools.combinations(tops, 2)
    ]
    return {"common": float(np.mean(common))}


def _p2_outcome(world: Any) -> str:
    common = _overlap(world)["common"]
    return "b" if common >= 2.6 else "a" if common >= 1.5 else "c"


P2 = Prediction(
    id="p2",
    prompt=(
        "The shop trains its model anew, on another draw of the same customers. Of a person's "
        "three main reasons, how many stay, on average?"
    ),
    options={
        "a": "About two.",
        "b": "All three, or nearly.",
        "c": "One at most.",
    },
    outcome=_p2_outcome,
    says="{common:.1f} of three stay. Nothing about the person has changed.",
    facts=_overlap,
)


@per_world
def _worth(world: Any) -> dict[str, float]:
    """Return the true chance of a visit of those whom each score puts in the top fifth."""
    import numpy as np

    from ethicalai_lab.explainability import AdditiveScorecard

    shop = _shop(world)
    rows, rest = shop["train"], shop["rest"]
    card = AdditiveScorecard(n_bins=5).fit(shop["X"].loc[rows], shop["visit"][rows])
    truth = world.truth.potential_outcomes.set_index("customer_id")["p_visit_no_mail"]
    true = truth[rest.index].to_numpy()
    fifth = len(rest) // 5

    def top(score: Any) -> float:
        return float(true[np.argsort(-np.asarray(score), kind="stable")[:fifth]].mean())

    return {
        "boosting": top(shop["chance"]),
        "scorecard": top(card.decision_function(rest)),
        "lot": float(true.mean()),
        "best": top(true),
        "numbers": float(len(card.points_) + 1),
    }


def _p3_outcome(world: Any) -> str:
    worth = _worth(world)
    ratio = worth["scorecard"] / worth["boosting"]
    return "a" if ratio < 0.95 else "c" if ratio <= 1.05 else "b"


P3 = Prediction(
    id="p3",
    prompt=(
        "A scorecard that fits on a page stands in for the shop's boosting. How good are the "
        "voucher holders it picks, by their true chance of a visit?"
    ),
    options={
        "a": "Clearly worse: more than a twentieth is lost.",
        "b": "Clearly better: more than a twentieth is gained.",
        "c": "About as good.",
    },
    outcome=_p3_outcome,
    says=(
        "Holders picked by the scorecard visit with a true chance of {scorecard:.1%}, by the "
        "shop's boosting {boosting:.1%}, by lot {lot:.1%}. {numbers:.0f} numbers are the whole "
        "scorecard."
    ),
    facts=_worth,
)


# ------------------------------------------------------------------------------- exercises


@per_world
def _q1_facts(world: Any) -> dict[str, float]:
    shop = _shop(world)
    model, cut, rest, chance = shop["model"], shop["cut"], shop["rest"], shop["chance"]
    holders = rest[chance >= cut]

    def keep(table: Any) -> float:
        return float((model.predict_proba(table)[:, 1] >= cut).mean())

    told = rest.loc[shop["told"]]
    return {
        "answer": float((shop["bare"] >= cut).mean()),
        "true": float((shop["bare"] < cut).mean()),
        "holders": keep(holders.assign(tier=0)),
        "told_share": len(told) / len(holders),
        "bronze": keep(told.assign(tier=1)),
        "gain": float((chance[told.index] - shop["bare"]).mean()),
        "mean": float(shop["bare"].mean()),
        "of_holders": float((shop["bare"] >= cut).sum() / len(holders)),
    }


Q1 = Exercise(
    id="q1",
    prompt=(
        "`told` holds all voucher holders who read that they get it as silver or gold members. "
        "What share of them would hold it with no tier at all (`tier` 0) as well?"
    ),
    answer=Number(absolute=0.0051, unit="share", low=0, high=1),
    expected=lambda world: _q1_facts(world)["answer"],
    facts=_q1_facts,
    mistakes=[
        Mistake(
            "true",
            lambda f: f.true,
            "Those are the ones who would lose it: for them the line is right. Asked are the others.",
        ),
        Mistake(
            "holders",
            lambda f: f.holders,
            "You took all voucher holders. Whoever is below silver never read the line: take `told`.",
        ),
        Mistake(
            "told_share",
            lambda f: f.told_share,
            "That is how many of the holders read the line. How many of these would hold the "
            "voucher without a tier?",
        ),
        Mistake(
            "bronze",
            lambda f: f.bronze,
            "You set the tier to bronze. No tier is 0.",
        ),
        Mistake(
            "gain",
            lambda f: f.gain,
            "That is how much the tier adds to their chance, on average. Compare each chance "
            "without it with the cut.",
        ),
        Mistake(
            "mean",
            lambda f: f.mean,
            "That is their mean chance without a tier. Asked is how many of them still reach the "
            "cut.",
        ),
        Mistake(
            "of_holders",
            lambda f: f.of_holders,
            "You divided by all voucher holders. Divide by those who were told.",
        ),
    ],
    hints=[
        "`X.loc[told].assign(tier=0)` is the same people without a tier.",
        "`model.predict_proba(...)[:, 1]` gives their chance; the voucher starts at `cut`.",
        "The mean of a True/False column is a share.",
    ],
    solution=(
        "bare = model.predict_proba(X.loc[told].assign(tier=0))[:, 1]\nanswer = (bare >= cut).mean()"
    ),
    why=(
        "For {expected:.0%} of them the tier makes no difference. The line is true of the person "
        "and false about the decision."
    ),
)


@per_world
def _q2_facts(world: Any) -> dict[str, float]:
    shop, simple = _shop(world), _simple(world)
    at = list(shop["X"].columns).index("views")
    weight = float(simple.coef_[0][at])
    own = float(shop["X"].loc[shop["one"], "views"])
    mean = float(shop["X"].loc[shop["train"], "views"].mean())
    return {
        "answer": weight * (own - mean),
        "term": weight * own,
        "turned": weight * (mean - own),
        "rest": weight * (own - float(shop["rest"]["views"].mean())),
        "weight": weight,
        "distance": own - mean,
        "own": own,
        "mean": mean,
    }


Q2 = Exercise(
    id="q2",
    prompt=(
        "How much does `views` add for customer `one` in the linear model, in log-odds, beside "
        "the mean of the training customers?"
    ),
    answer=Number(absolute=0.001, unit="log-odds", low=-10, high=10),
    expected=lambda world: _q2_facts(world)["answer"],
    facts=_q2_facts,
    mistakes=[
        Mistake(
            "term",
            lambda f: f.term,
            "That is weight times value. Beside whom? Others have some views too: subtract the "
            "mean first.",
        ),
        Mistake(
            "turned",
            lambda f: f.turned,
            "The size is right and the sign is turned. Take the own value minus the mean.",
        ),
        Mistake(
            "weight",
            lambda f: f.weight,
            "That is the weight, the same for everybody. What makes it this customer's?",
        ),
        Mistake(
            "distance",
            lambda f: f.distance,
            "That is the distance from the mean, in views. The weight turns it into log-odds.",
        ),
        Mistake(
            "rest",
            lambda f: f.rest,
            "You took the mean of those who are scored. The model was trained on `train`, and "
            "these customers are the ones to compare with.",
        ),
    ],
    hints=[
        "Weight times distance from the mean.",
        '`dict(zip(X.columns, simple.coef_[0]))["views"]` is the weight.',
        'The mean is that of the training customers: `X.loc[train, "views"].mean()`.',
    ],
    solution=(
        'weight = dict(zip(X.columns, simple.coef_[0]))["views"]\n'
        'answer = weight * (X.loc[one, "views"] - X.loc[train, "views"].mean())'
    ),
    why=(
        "{expected:+.3f} log-odds: {own:.0f} views, where the mean is {mean:.1f}. In a linear "
        "model this is the whole, exact account, and what is not there counts as well."
    ),
)

Q3 = Exercise(
    id="q3",
    prompt=(
        "What share of all credit falls on `tier`, `views` and `opens`? Credit is the size of a "
        "share, whatever its sign, over all people in `shares.values`."
    ),
    answer=Number(absolute=0.0051, unit="share", low=0, high=1),
    expected=lambda world: _credit(world)["credit"],
    facts=_credit,
    mistakes=[
        Mistake(
            "signed",
            lambda f: f.signed,
            "Plus and minus cancel in your sum. A column that lowers the score gets credit too: "
            "take the sizes with `.abs()`.",
        ),
        Mistake(
            "count",
            lambda f: f.count,
            "You counted columns. Weigh them by their credit.",
        ),
        Mistake(
            "views",
            lambda f: f.views,
            "That is `views` alone. Three columns are asked for.",
        ),
        Mistake(
            "causes",
            lambda f: f.causes,
            "That is the credit of the true causes. Asked is the rest.",
        ),
        Mistake(
            "netted",
            lambda f: f.netted,
            "You added up each column first and took the size then, so that plus and minus cancel "
            "between people. Sizes first.",
        ),
        Mistake(
            "mean",
            lambda f: f.mean,
            "You took the mean of the three. Their sum is asked for.",
        ),
    ],
    hints=[
        "`shares.values.abs().sum()` is the credit of each column.",
        'Pick three with `[["tier", "views", "opens"]]`.',
        "Divide their sum by the sum of all.",
    ],
    solution=(
        "credit = shares.values.abs().sum()\n"
        'answer = credit[["tier", "views", "opens"]].sum() / credit.sum()'
    ),
    why=(
        "{expected:.0%}. The account is right about the model and wrong as advice: more views "
        "bring a better score, and no visit."
    ),
)


@per_world
def _q4_facts(world: Any) -> dict[str, float]:
    import pandas as pd

    again, now = _again(world), _values(world).abs().idxmax(axis=1)
    main = pd.DataFrame({k: table.abs().idxmax(axis=1) for k, table in enumerate(again)})
    raised = [table.idxmax(axis=1) for table in again[:2]]
    return {
        "answer": float((main[0] != main[1]).mean()),
        "same": float((main[0] == main[1]).mean()),
        "signed": float((raised[0] != raised[1]).mean()),
        "any": float((main.nunique(axis=1) > 1).mean()),
        "first": float((main[0] != now).mean()),
        "third": float((main[1] != main[2]).mean()),
    }


Q4 = Exercise(
    id="q4",
    prompt=(
        "The main reason is the column with the largest share, whatever its sign. For what part "
        "of the people is it another one in `retrained[1]` than in `retrained[0]`?"
    ),
    answer=Number(absolute=0.0051, unit="share", low=0, high=1),
    expected=lambda world: _q4_facts(world)["answer"],
    facts=_q4_facts,
    mistakes=[
        Mistake(
            "same",
            lambda f: f.same,
            "For those it stayed. Asked are the people for whom it changed.",
        ),
        Mistake(
            "signed",
            lambda f: f.signed,
            "You compared what *raises* the score most. The main reason may lower it: take sizes.",
        ),
        Mistake(
            "any",
            lambda f: f.any,
            "You compared all three models. Two are asked for.",
        ),
        Mistake(
            "first",
            lambda f: f.first,
            "You compared with `shares`, the model of before. Both of the two asked for are in "
            "`retrained`.",
        ),
        Mistake(
            "third",
            lambda f: f.third,
            "Those are the second and the third training. Counting starts at 0: the first two are "
            "`retrained[0]` and `retrained[1]`.",
        ),
    ],
    hints=[
        "`retrained[0]` is a table of shares, people by columns.",
        "`.abs().idxmax(axis=1)` names each person's largest column.",
        "Compare the two with `!=` and take the mean.",
    ],
    solution=(
        "first, second = (table.abs().idxmax(axis=1) for table in retrained[:2])\n"
        "answer = (first != second).mean()"
    ),
    why=(
        "{expected:.0%} would read another main reason, after a training that changed nothing "
        "about them. Over all three models it is {any:.0%}."
    ),
)


@per_world
def _q5_facts(world: Any) -> dict[str, float]:
    worth = _worth(world)
    return {
        "boosting": worth["boosting"],
        "scorecard": worth["scorecard"],
        "credit": _credit(world)["credit"],
        "difference": 100 * (worth["boosting"] - worth["scorecard"]),
    }


def _judged(f: Any, **changes: Any) -> dict[str, Any]:
    return {
        "model": "scorecard",
        "reason": "readable",
        "line": "what the score weighed",
        "bias": "outcomes",
        "value_boosting": f.boosting,
        "value_scorecard": f.scorecard,
        "credit_on_no_causes": f.credit,
        **changes,
    }


Q5 = Exercise(
    id="q5",
    prompt=(
        "Which model would you use, for which reason? What may the line to the customer claim, "
        "and where do you look for bias? Give three figures of yours: the holders' true chance "
        "under both models, and the credit on columns that cause nothing."
    ),
    answer=Judgement(
        fields={
            "model": Choice(["boosting", "scorecard"]),
            "reason": Choice(["value", "readable"]),
            "line": Choice(["what the score weighed", "why you visit", "nothing"]),
            "bias": Choice(["attributions", "outcomes"]),
            "value_boosting": Number(absolute=0.002, unit="share", low=0, high=1),
            "value_scorecard": Number(absolute=0.002, unit="share", low=0, high=1),
            "credit_on_no_causes": Number(absolute=0.005, unit="share", low=0, high=1),
        },
        own={
            "value_boosting": "boosting",
            "value_scorecard": "scorecard",
            "credit_on_no_causes": "credit",
        },
    ),
    expected=lambda world: None,
    facts=_q5_facts,
    reference=lambda f: _judged(f),
    mistakes=[
        Mistake(
            "causes",
            lambda f: _judged(f, line="why you visit"),
            "By your own figure a part of the credit falls on columns that bring nobody. A line "
            "made of it cannot say why a person visits.",
            when=lambda a, f: a["line"] == "why you visit" and a["credit_on_no_causes"] > 0.05,
        ),
        Mistake(
            "no_gain",
            lambda f: _judged(f, model="boosting", reason="value"),
            "By your own figures the holders of the two models differ by less than half a point. "
            "Is value the reason?",
            when=lambda a, f: (
                a["reason"] == "value" and abs(a["value_boosting"] - a["value_scorecard"]) < 0.005
            ),
        ),
        Mistake(
            "unreadable",
            lambda f: _judged(f, model="boosting"),
            "Your reason is that people can read it, and you chose the model with far more "
            "numbers.",
            when=lambda a, f: a["model"] == "boosting" and a["reason"] == "readable",
        ),
        Mistake(
            "hidden",
            lambda f: _judged(f, bias="attributions"),
            "You saw a model whose bias the attributions do not show. Where could it not hide?",
            when=lambda a, f: a["bias"] == "attributions",
        ),
    ],
    hints=[
        "The figures are in the table `worth` and in exercise 3.",
        "What does a share in a score say, and what does it not?",
        "Which check looked at real people only?",
    ],
    solution=(
        "credit = shares.values.abs().sum()\n"
        "answer = {\n"
        '    "model": "scorecard",\n'
        '    "reason": "readable",\n'
        '    "line": "what the score weighed",\n'
        '    "bias": "outcomes",\n'
        '    "value_boosting": worth["boosting"],\n'
        '    "value_scorecard": worth["scorecard"],\n'
        '    "credit_on_no_causes": credit[["tier", "views", "opens"]].sum() / credit.sum(),\n'
        "}"
    ),
    why=(
        "This holds together. The two models differ by {difference:.1f} points here. In a world "
        "with more twists boosting may gain more: then the same figures would speak for it."
    ),
)


# -------------------------------------------------------------------------------- quiz

QUIZ1 = Quiz(
    id="quiz1",
    prompt=(
        "A customer's shares add up to the model's answer, exactly. What do you know about the "
        "explanation?"
    ),
    options=[
        Option(
            "a",
            "It is right about the model's answer; causes are another question.",
            "Right. Adding up is a check on the account, not on the world.",
            right=True,
        ),
        Option(
            "b",
            "It is true: nothing is missing.",
            "Nothing of the *answer* is missing. A column that causes nothing can still hold a "
            "part of it.",
        ),
        Option(
            "c",
            "Every other correct method would give the same shares.",
            "Shares depend on whom one compares with, and methods split what columns have in "
            "common differently.",
        ),
    ],
)

QUIZ2 = Quiz(
    id="quiz2",
    prompt=(
        "A supplier shows that the column gender hardly matters in its model, by shuffling it. "
        "What do you ask for?"
    ),
    options=[
        Option(
            "a",
            "A second explainer, to be sure.",
            "If it too asks the model about people who do not exist, it may be fooled likewise.",
        ),
        Option(
            "b",
            "That the column be taken out.",
            "Other columns may stand in for it, and you would no longer see whether they do.",
        ),
        Option(
            "c",
            "The decisions about real people, by gender.",
            "Right. Outcomes can be counted, and a model cannot tell the audit from its work.",
            right=True,
        ),
    ],
)

LESSON = Lesson(
    number="09",
    title="Explainability: why this offer, and is the explanation true?",
    exercises=[Q1, Q2, Q3, Q4, Q5],
    quizzes=[QUIZ1, QUIZ2],
    predictions=[P1, P2, P3],
    setup=(
        "from types import SimpleNamespace\n"
        "from ethicalai_lab.lessons.exercises import lesson_09\n"
        "shop = lesson_09._shop(world)\n"
        "X, train, model, cut, told, one = (\n"
        "    shop[k] for k in ('X', 'train', 'model', 'cut', 'told', 'one'))\n"
        "simple = lesson_09._simple(world)\n"
        "shares = SimpleNamespace(values=lesson_09._values(world))\n"
        "retrained = lesson_09._again(world)\n"
        "worth = lesson_09._worth(world)"
    ),
    decides="explanations",
)
