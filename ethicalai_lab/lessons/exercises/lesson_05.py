"""Questions of lesson 05: who is found in a file without names, and what hides them."""

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

KNOWN = ["postcode", "age", "gender"]
KNOWN4 = [*KNOWN, "spent"]
LEVELS = ["at ease", "middling", "under strain"]
RELEASES: dict[str, dict[str, Any]] = {  # as the notebook sets them
    "k = 5": {},
    "k = 5, l = 2": {"l": 2},
    "k = 5, t = 0.3": {"t": 0.3},
    "same ranges for all": {"method": "full_domain", "suppression": 0.02},
}
EPSILON = 0.1


# ------------------------------------------------- the notebook's own steps, once a world


@per_world
def _file(world: Any) -> Any:
    """Return the file without names, indexed by customer."""
    import pandas as pd

    customers = world.customers.set_index("customer_id").rename_axis("row")
    money = pd.cut(customers["financial_stress"], [0, 0.35, 0.65, 1], labels=LEVELS)
    spent = world.campaign.set_index("customer_id")["history"].round().astype(int)
    return customers[KNOWN].assign(spent=spent, money=money.astype(str))


def _coarser(*names: str) -> dict[str, Any]:
    from ethicalai_lab.privacy import Hierarchy

    every = {
        "postcode": Hierarchy.prefix(5),
        "age": Hierarchy.intervals([10, 20, 40]),
        "spent": Hierarchy.intervals([50, 100, 200, 1000]),
    }
    return {name: every[name] for name in names}


@per_world
def _attack(world: Any) -> Any:
    """Return the register's attack on a thousand people."""
    from ethicalai_lab.privacy import attacks

    register = world.register.set_index("register_id")
    register["age"] = attacks.age_at(register["birth_date"], world.as_of)
    identity = world.truth.identity.set_index("register_id")["customer_id"]
    return attacks.linkage(_file(world), register, KNOWN, identity, n_attacks=1000)


@per_world
def _tools(world: Any) -> dict[str, Any]:
    from ethicalai_lab.privacy import KAnonymizer

    settings = {
        "quasi_identifiers": KNOWN4,
        "hierarchies": _coarser("postcode", "age", "spent"),
        "sensitive": "money",
    }
    return {
        name: KAnonymizer(k=5, **more, **settings).fit(_file(world))
        for name, more in RELEASES.items()
    }


# ---------------------------------------------------------------------------- predictions


def _p1_facts(world: Any) -> dict[str, float]:
    recall = _attack(world).recall
    return {"named": recall.value, "low": recall.low, "high": recall.high}


P1 = Prediction(
    id="p1",
    prompt=(
        "Of the customers who stand in the register, what share is named rightly by postcode, "
        "age and gender alone?"
    ),
    options={
        "a": "Fewer than one in ten.",
        "b": "About a third.",
        "c": "More than half.",
    },
    outcome=lambda world: (
        "a" if (named := _p1_facts(world)["named"]) < 0.1 else "b" if named <= 0.5 else "c"
    ),
    says=(
        "Of a thousand people tried, those with a row were named rightly in {named:.0%} of cases "
        "(95 % interval {low:.0%} to {high:.0%})."
    ),
    facts=_p1_facts,
)


@per_world
def _p2_facts(world: Any) -> dict[str, float]:
    from ethicalai_lab.privacy import KAnonymizer, attacks

    tool = KAnonymizer(
        k=5, quasi_identifiers=KNOWN, hierarchies=_coarser("postcode", "age"), sensitive="money"
    )
    release = tool.fit_transform(_file(world))
    return {
        "alone": attacks.singling_out(release, KNOWN4).attack.value,
        "before": attacks.singling_out(release, KNOWN).attack.value,
    }


P2 = Prediction(
    id="p2",
    prompt=(
        "Each row looks like at least four others in postcode, age and gender. What share of "
        "rows can still be singled out by somebody who also knows the yearly spend?"
    ),
    options={
        "a": "Nobody: k is still five.",
        "b": "About half.",
        "c": "Nearly all.",
    },
    outcome=lambda world: (
        "a" if (alone := _p2_facts(world)["alone"]) < 0.25 else "b" if alone < 0.75 else "c"
    ),
    says=(
        "Without the spend {before:.0%} are singled out, with it {alone:.0%}. The release is "
        "5-anonymous on the three columns that were listed, and on no others."
    ),
    facts=_p2_facts,
)


# ------------------------------------------------------------------------------- exercises


def _q1_facts(world: Any) -> dict[str, Any]:
    attack = _attack(world)
    return {
        "recall": attack.correct / attack.in_release,
        "of_targets": attack.correct / attack.targets,
        "claimed": attack.claims / attack.targets,
        "wrong": 1 - attack.correct / attack.claims,
        "count": attack.correct,
        "claims": attack.claims,
    }


Q1 = Exercise(
    id="q1",
    prompt="What share of the attacker's claims is right?",
    answer=Number(absolute=0.003, unit="share", low=0, high=1),
    expected=lambda world: 1 - _q1_facts(world)["wrong"],
    facts=_q1_facts,
    mistakes=[
        Mistake(
            "recall",
            lambda f: f.recall,
            "You divided by the people who have a row. That is how many of them were found. "
            "Asked is how far a *claim* can be believed.",
        ),
        Mistake(
            "of_targets",
            lambda f: f.of_targets,
            "You divided by everybody who was tried. For many of them the attacker claims nothing.",
        ),
        Mistake(
            "claimed",
            lambda f: f.claimed,
            "That is how often the attacker claims anything. How many of the claims are right?",
        ),
        Mistake("wrong", lambda f: f.wrong, "That is the share of claims that are wrong."),
        Mistake(
            "count",
            lambda f: f.count,
            "That is how many claims are right. Divide by how many were made.",
        ),
    ],
    hints=[
        "Only those whom the attacker names can be named wrongly.",
        "Divide `attack.correct` by the number of claims.",
    ],
    solution="answer = attack.correct / attack.claims",
    why=(
        "{expected:.0%} of {claims:,} claims are right, and {wrong:.0%} put a customer's row on "
        "somebody else. The attacker cannot tell which is which. Nor can the people concerned."
    ),
)


@per_world
def _q2_facts(world: Any) -> dict[str, float]:
    from ethicalai_lab.privacy import anonymity

    table = _file(world).assign(region=world.customers.set_index("customer_id")["region"])
    found = anonymity(table, ["region", "age", "gender"])
    return {
        "alone": found.unique_share,
        "with_postcode": anonymity(table, KNOWN).unique_share,
        "of_groups": float((found.sizes == 1).mean()),
        "mean_risk": found.mean_risk,
        "hidden": 1 - found.unique_share,
    }


Q2 = Exercise(
    id="q2",
    prompt="What share of rows is alone with its region, age and gender?",
    answer=Number(absolute=0.0005, unit="share", low=0, high=1),
    expected=lambda world: _q2_facts(world)["alone"],
    facts=_q2_facts,
    mistakes=[
        Mistake(
            "with_postcode",
            lambda f: f.with_postcode,
            "That is the share with the postcode. Put `region` in its place.",
        ),
        Mistake(
            "of_groups",
            lambda f: f.of_groups,
            "You divided by the groups. How many of the *people* are alone?",
        ),
        Mistake(
            "mean_risk",
            lambda f: f.mean_risk,
            "That is the mean risk: the share of right guesses if one of the fitting rows is "
            "picked at random. Asked is who is alone.",
        ),
        Mistake("hidden", lambda f: f.hidden, "That is the share that is *not* alone."),
    ],
    hints=[
        "`anonymity(table, columns)` measures this; look at the cell above.",
        "Its `unique_share` is the share of rows alone in their group.",
    ],
    solution='answer = anonymity(wide, ["region", "age", "gender"]).unique_share',
    why=(
        "From {with_postcode:.0%} down to {expected:.1%}. One coarser column did it. But those "
        "who are still alone are the unusual ones: very old, or of a rare gender."
    ),
)


@per_world
def _q3_facts(world: Any) -> dict[str, int]:
    release = _tools(world)["k = 5"].release_
    groups = release.groupby(KNOWN4, observed=True)["money"]
    table = groups.agg(people="size", secrets="nunique", secret="first")
    alike = table[table["secrets"] == 1]
    told = alike[alike["secret"] == "under strain"]
    return {
        "people": int(told["people"].sum()),
        "groups": len(told),
        "any_secret": int(alike["people"].sum()),
        "marked": int((release["money"] == "under strain").sum()),
    }


Q3 = Exercise(
    id="q3",
    prompt="How many people stand in a group in which everybody is marked `under strain`?",
    answer=Number(absolute=0.4, low=0),
    expected=lambda world: _q3_facts(world)["people"],
    facts=_q3_facts,
    mistakes=[
        Mistake(
            "groups",
            lambda f: f.groups,
            "That is the number of groups. Each of them holds several people.",
        ),
        Mistake(
            "any_secret",
            lambda f: f.any_secret,
            "You counted every group with one secret, whichever it is. Keep `under strain`.",
        ),
        Mistake(
            "marked",
            lambda f: f.marked,
            "That is everybody with the mark. Most of them stand beside people with another one.",
        ),
    ],
    hints=["`told` holds the groups asked about.", "Its column `people` says how large each is."],
    solution='answer = told["people"].sum()',
    why=(
        "{people} people in {groups} groups: few among so many, and no comfort to them. k was "
        "kept to the letter."
    ),
)


@per_world
def _q4_facts(world: Any) -> dict[str, float]:
    import numpy as np

    from ethicalai_lab.privacy.noise import simulate_noise

    noise = simulate_noise(1 / EPSILON, 100_000, seed=5)
    return {
        "off": float(np.quantile(np.abs(noise), 0.95)),
        "one_sided": float(np.quantile(noise, 0.95)),
        "scale": 1 / EPSILON,
        "spread": float(noise.std()),
        "mean": float(noise.mean()),
        "wrong_scale": float(np.quantile(np.abs(simulate_noise(EPSILON, 100_000, 5)), 0.95)),
        "sample": int((_file(world)["money"] == "under strain").sum()),
    }


Q4 = Exercise(
    id="q4",
    prompt="At epsilon 0.1, which distance from the truth do 95 of 100 draws not pass?",
    answer=Number(absolute=1.5, low=0),
    expected=lambda world: _q4_facts(world)["off"],
    facts=_q4_facts,
    mistakes=[
        Mistake(
            "scale",
            lambda f: f.scale,
            "That is the scale of the noise. Many draws lie further out.",
        ),
        Mistake(
            "one_sided",
            lambda f: f.one_sided,
            "You took the upper side alone. Noise falls below the truth too: take distances.",
        ),
        Mistake(
            "spread",
            lambda f: f.spread,
            "That is the standard deviation. More than one draw in twenty lies beyond it.",
        ),
        Mistake(
            "wrong_scale",
            lambda f: f.wrong_scale,
            "The scale is one *over* epsilon: a smaller epsilon makes more noise.",
            when=lambda answer, f: abs(answer - f.wrong_scale) < 0.4 or abs(answer - f.mean) < 0.2,
        ),
    ],
    hints=[
        "`simulate_noise(1 / 0.1, 100_000, seed=5)` gives the draws.",
        "Take their absolute value, then `np.quantile(..., 0.95)`.",
    ],
    solution="answer = np.quantile(np.abs(simulate_noise(1 / 0.1, 100_000, seed=5)), 0.95)",
    why=(
        "About {expected:.0f} people. Beside the {sample:,} who are marked that is nothing. "
        "Beside a group of thirty it is everything: noise asks for large groups."
    ),
)


@per_world
def _q5_facts(world: Any) -> dict[str, Any]:
    from ethicalai_lab.privacy import attacks

    tools = _tools(world)
    alike = {n: attacks.homogeneity(t.release_, KNOWN4, "money") for n, t in tools.items()}
    return {
        "lost": {name: float(tool.loss_.ncp) for name, tool in tools.items()},
        "alike": alike,
        "out": {name: len(tool.suppressed_) for name, tool in tools.items()},
    }


def _q5_answer(f: Any, release: str, reason: str, label: str, *, of: str = "") -> dict[str, Any]:
    of = of or release
    return {
        "release": release,
        "reason": reason,
        "detail_lost": f.lost[of],
        "one_secret": f.alike[of],
        "label": label,
    }


def _most_detailed(f: Any) -> str:
    return min(f.lost, key=lambda name: f.lost[name])


def _other(f: Any, release: str) -> str:
    """Return the release whose figures differ most from this one's."""
    return max(f.lost, key=lambda name: abs(f.lost[name] - f.lost[release]))


def _others_figures(a: dict[str, Any], f: Any) -> bool:
    own = abs(a["detail_lost"] - f.lost[a["release"]]) < 0.0006
    return not (own and abs(a["one_secret"] - f.alike[a["release"]]) < 0.0006)


Q5 = Exercise(
    id="q5",
    prompt=(
        "Your judgement. Which release goes to the agency, for which reason, with which label? "
        "Give `detail_lost` and `one_secret` of the release that you choose, as in `compared`."
    ),
    answer=Judgement(
        fields={
            "release": Choice(list(RELEASES)),
            "reason": Choice(["most detail", "no group with one secret", "nobody left out"]),
            "detail_lost": Number(absolute=0.0006, unit="share", low=0, high=1),
            "one_secret": Number(absolute=0.0006, unit="share", low=0, high=1),
            "label": Choice(["anonymous", "names removed", "attacks tried"]),
        },
    ),
    expected=lambda world: None,
    facts=_q5_facts,
    reference=lambda f: _q5_answer(f, "k = 5, l = 2", "no group with one secret", "attacks tried"),
    mistakes=[
        Mistake(
            "figures",
            lambda f: _q5_answer(
                f,
                "k = 5, l = 2",
                "no group with one secret",
                "attacks tried",
                of=_other(f, "k = 5, l = 2"),
            ),
            "These are not the figures of the release that you chose. Read its own row of "
            "`compared`.",
            when=_others_figures,
        ),
        Mistake(
            "against_detail",
            lambda f: _q5_answer(f, _other(f, _most_detailed(f)), "most detail", "attacks tried"),
            "Your reason is detail, and the table holds a release that loses less.",
            when=lambda a, f: (
                a["reason"] == "most detail"
                and f.lost[a["release"]] > f.lost[_most_detailed(f)] + 1e-4
            ),
        ),
        Mistake(
            "against_secrets",
            lambda f: _q5_answer(f, "k = 5", "no group with one secret", "attacks tried"),
            "Your reason is that no group shares one secret. By your own figure some still do.",
            when=lambda a, f: (
                a["reason"] == "no group with one secret" and f.alike[a["release"]] > 0
            ),
        ),
        Mistake(
            "against_left_out",
            lambda f: _q5_answer(f, "same ranges for all", "nobody left out", "attacks tried"),
            "Your reason is that nobody is left out. This release leaves people out.",
            when=lambda a, f: a["reason"] == "nobody left out" and f.out[a["release"]] > 0,
        ),
        Mistake(
            "label_anonymous",
            lambda f: _q5_answer(f, "k = 5, l = 2", "no group with one secret", "anonymous"),
            "“Anonymous” claims that no attack works. You tried a few, and their intervals do "
            "not end at zero. Write what you can show.",
            when=lambda a, f: a["label"] == "anonymous",
        ),
        Mistake(
            "label_names",
            lambda f: _q5_answer(f, "k = 5, l = 2", "no group with one secret", "names removed"),
            "“Names removed” was true of the file in which the register found people. It tells "
            "the agency nothing of what you did and tried.",
            when=lambda a, f: a["label"] == "names removed",
        ),
    ],
    hints=[
        "Choose the reason first. Then look for the row of `compared` that serves it.",
        '`compared.loc["k = 5"]` gives a row; its figures are shares.',
        "Which label could an outsider check?",
    ],
    solution=(
        'mine = compared.loc["k = 5, l = 2"]\n'
        "answer = {\n"
        '    "release": "k = 5, l = 2",\n'
        '    "reason": "no group with one secret",\n'
        '    "detail_lost": mine["detail lost"],\n'
        '    "one_secret": mine["one secret"],\n'
        '    "label": "attacks tried",\n'
        "}"
    ),
    why=(
        "Release, reason and label agree with your figures. Another release can be as consistent, "
        "for another reason. Write down what your choice costs, and whom."
    ),
)


# -------------------------------------------------------------------------------- quiz

QUIZ1 = Quiz(
    id="quiz1",
    prompt="“Our file has k = 5, so it is anonymous.” What is the best reply?",
    options=[
        Option(
            "a",
            "Take k = 50, then it is.",
            "Larger groups help, and the same questions remain: which columns were listed, what "
            "do groups share, what was released before?",
        ),
        Option(
            "b",
            "Five on which columns, and what do people in a group have in common?",
            "Right: k counts look-alikes on the listed columns. It leaves linking and inference "
            "open, and says nothing about a second release.",
            right=True,
        ),
        Option(
            "c",
            "Only if the names were deleted as well.",
            "They were. The register brought them back from ordinary columns.",
        ),
    ],
)

QUIZ2 = Quiz(
    id="quiz2",
    prompt=(
        "The shop keeps the key that links rows to customers; the agency gets the file. Is the "
        "file personal data? (EU Court of Justice, EDPS v SRB, 2025)"
    ),
    options=[
        Option(
            "a",
            "No: the agency has no key, so it is anonymous for everyone.",
            "For the shop, which holds the key, it stays personal data. And an agency that can "
            "single people out by a register has means of its own.",
        ),
        Option(
            "b",
            "Yes, always, for anyone who holds it.",
            "The Court did not say so: data without names are not personal for everybody in every "
            "case. It depends on the means of whoever holds them.",
        ),
        Option(
            "c",
            "For the shop yes. For the agency it depends on its reasonable means to identify.",
            "Right. From the shop's side they stay personal data, and customers must be told of "
            "recipients from that side. An agency that can buy the register has means.",
            right=True,
        ),
    ],
)

LESSON = Lesson(
    number="05",
    title="Anonymization: can I be found in the “anonymous” file?",
    exercises=[Q1, Q2, Q3, Q4, Q5],
    quizzes=[QUIZ1, QUIZ2],
    predictions=[P1, P2],
    setup="""
import numpy as np
import pandas as pd
from ethicalai_lab.privacy import Hierarchy, KAnonymizer, anonymity, attacks
from ethicalai_lab.privacy.noise import simulate_noise
customers = world.customers.set_index("customer_id").rename_axis("row")
levels = ["at ease", "middling", "under strain"]
money = pd.cut(customers["financial_stress"], [0, 0.35, 0.65, 1], labels=levels)
spent = world.campaign.set_index("customer_id")["history"].round().astype(int)
file = customers[["postcode", "age", "gender"]].assign(spent=spent, money=money.astype(str))
known = ["postcode", "age", "gender"]
known4 = [*known, "spent"]
register = world.register.set_index("register_id")
register["age"] = attacks.age_at(register["birth_date"], world.as_of)
identity = world.truth.identity.set_index("register_id")["customer_id"]
attack = attacks.linkage(file, register, known, identity, n_attacks=1000)
wide = file.assign(birth_date=customers["birth_date"], region=customers["region"])
coarser = {
    "postcode": Hierarchy.prefix(5), "age": Hierarchy.intervals([10, 20, 40]),
    "spent": Hierarchy.intervals([50, 100, 200, 1000]),
}
settings = dict(quasi_identifiers=known4, hierarchies=coarser, sensitive="money")
safe = KAnonymizer(k=5, **settings).fit_transform(file).set_axis(file.index)
groups = safe.groupby(known4, observed=True)["money"]
group = groups.agg(people="size", secrets="nunique", secret="first").reset_index()
told = group[(group["secrets"] == 1) & (group["secret"] == "under strain")]
options = {
    "k = 5": {}, "k = 5, l = 2": {"l": 2}, "k = 5, t = 0.3": {"t": 0.3},
    "same ranges for all": {"method": "full_domain", "suppression": 0.02},
}
tools = {name: KAnonymizer(k=5, **more, **settings).fit(file) for name, more in options.items()}
compared = pd.DataFrame({
    name: {
        "one secret": attacks.homogeneity(made.release_, known4, "money"),
        "detail lost": made.loss_.ncp,
    }
    for name, made in tools.items()
}).T
""",
    decides="anonymization",
)
