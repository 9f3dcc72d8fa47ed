"""Questions of lesson 15: a policy, its whole bill, and better ones nearby."""

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

__all__ = ["LESSON", "lab_for"]

# As the notebook sets them.
MARKETING, OFFICER = "the head of marketing", "the data protection officer"
COUNCIL = "the customers' council"
BOUNDS = {
    MARKETING: """
set_by: the head of marketing
rules:
  value.profit_added: {min: 0.2}
  value.release_detail_kept: {min: 0.97}
  consent.reachable: {min: 0.6}
""",
    OFFICER: """
set_by: the data protection officer
rules:
  privacy.reidentified_by_guessing: {max: 0.01}
  privacy.reidentified_by_linkage: {max: 0.05}
  consent.without_permission: {max: 0}
  duty.open_points: {max: 4}
""",
    COUNCIL: """
set_by: the customers' council
rules:
  value.contacted_in_vain: {max: 0.025}
  fairness.selection_gap_gender: {max: 0.15}
  consent.against_their_will: {max: 0.1}
  transparency.notice_share: {min: 0.9}
  transparency.false_claims: {max: 0}
""",
}
USUAL = "average_practice"
GRID = {
    "consent.banner": ["neutral", "nudging", "hidden_refusal"],
    "consent.reask_months": [6, 12],
    "personalization.share": [0.3, 0.6],
}
WILL, PROFIT = "consent.against_their_will", "value.profit_added"
SEARCHED = ["consent.banner", "consent.reask_months"]
REVISION = {
    "personalization.targeting": "uplift",
    "personalization.objective": "visit",
    "pseudonymization.method": "keyed",
    "pseudonymization.key_holder": "separate_team",
    "anonymization.generalization": "mondrian",
    "anonymization.k": 10,
    "consent.banner": "neutral",
    "consent.reask_months": 12,
    "explanations.method": "shapley_values",
    "explanations.reasons_shown": 3,
    "explanations.notice": "layered",
    "transparency.urgency_claims": "only_if_true",
}


# ------------------------------------------------- the notebook's own steps, once a world


@per_world
def lab_for(world: Any) -> Any:
    """Return the world's policy lab: one for the notebook and for the questions.

    Parameters
    ----------
    world : World

    Returns
    -------
    PolicyLab
        With memory for the policies that the lesson tries, so that none is run twice.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> world = make_world(500, seed=1)
    >>> lab_for(world) is lab_for(world)
    True
    """
    from ethicalai_lab.policy import PolicyLab

    return PolicyLab(world, remember=32)


def _rules() -> dict[str, Any]:
    from ethicalai_lab.policy import Rules

    return {name: Rules.parse(text) for name, text in BOUNDS.items()}


@per_world
def _cards(world: Any) -> dict[str, Any]:
    """Return the scorecards of the presets and of the revised policy."""
    from ethicalai_lab.policy import PRESETS, preset
    from ethicalai_lab.policy.frontier import changed

    lab = lab_for(world)
    made = {name: lab.evaluate(preset(name)) for name in PRESETS}
    return made | {"revised": lab.evaluate(changed(preset(USUAL), REVISION))}


@per_world
def _tried(world: Any) -> list[Any]:
    """Return the scorecards of the presets and of all policies of the grid."""
    from ethicalai_lab.policy import PRESETS, variants

    cards, lab = _cards(world), lab_for(world)
    grid = [lab.evaluate(policy) for policy in variants(cards["revised"].policy, GRID)]
    return [cards[name] for name in PRESETS] + grid


def _pair(world: Any, name: str) -> Any:
    """Return a card's paired differences to the usual one, by key."""
    from ethicalai_lab.policy import compare_scorecards

    cards = _cards(world)
    table = compare_scorecards(cards[USUAL], cards[name]).table
    return table.set_index(table["dimension"] + "." + table["measure"])


def _missed(card: Any) -> dict[str, set[str]]:
    return {name: {miss.measure for miss in rules.check(card)} for name, rules in _rules().items()}


# --------------------------------------------------------------------------- predictions


def _p1_facts(world: Any) -> dict[str, float]:
    card = _cards(world)[USUAL]
    return {
        "without": card["consent.without_permission"].value,
        "against": card[WILL].value,
        "unmeant": card["consent.unmeant_consent"].value,
    }


def _p1_outcome(world: Any) -> str:
    against = _p1_facts(world)["against"]
    return "a" if against < 0.05 else "b" if against < 0.4 else "c"


P1 = Prediction(
    id="p1",
    prompt=(
        "Under this policy everybody is asked, and a no is respected. Of all uses of people's data "
        "(one person, one purpose), what share is against what the person truly accepts?"
    ),
    options={
        "a": "Hardly any: everybody could say no.",
        "b": "Some: between a twentieth and two in five.",
        "c": "More than two in five.",
    },
    outcome=_p1_outcome,
    says=(
        "The ledger forbids {without:.1%} of the uses, and {against:.1%} are against people's "
        "will. Of all yeses, {unmeant:.1%} are not meant."
    ),
    facts=_p1_facts,
)


def _p2_facts(world: Any) -> dict[str, float]:
    line = _pair(world, "consent_first").loc[PROFIT]
    return {name: float(line[name]) for name in ("difference", "low", "high")}


def _p2_outcome(world: Any) -> str:
    facts = _p2_facts(world)
    return "a" if facts["high"] < 0 else "c" if facts["low"] > 0 else "b"


P2 = Prediction(
    id="p2",
    prompt=(
        "The preset `consent_first` asks with two equal buttons, keeps a no for a year and mails "
        "those whom the mail moves. Beside average practice, what becomes of the profit?"
    ),
    options={
        "a": "It falls, and the interval shows it.",
        "b": "The data cannot tell the two apart.",
        "c": "It rises, and the interval shows it.",
    },
    outcome=_p2_outcome,
    says=(
        "The difference is {difference:+.3f} per customer, with an interval from {low:+.3f} to "
        "{high:+.3f}. That is no proof that both earn the same."
    ),
    facts=_p2_facts,
)


@per_world
def _p3_facts(world: Any) -> dict[str, int]:
    tried = _tried(world)
    whole = sum(not any(_missed(card).values()) for card in tried)
    return {"tried": len(tried), "whole": whole}


def _p3_outcome(world: Any) -> str:
    whole = _p3_facts(world)["whole"]
    return "a" if whole == 0 else "b" if whole <= 2 else "c"


P3 = Prediction(
    id="p3",
    prompt="How many of the policies tried keep every bound of all three?",
    options={"a": "None.", "b": "One or two.", "c": "More than two."},
    outcome=_p3_outcome,
    says="Of {tried} policies, {whole} keep every bound.",
    facts=_p3_facts,
)


# ----------------------------------------------------------------------------- exercises


@per_world
def _q1_facts(world: Any) -> dict[str, Any]:
    card = _cards(world)[USUAL]
    straddled, missed, bounded = set(), set(), set()
    for rules in _rules().values():
        held = card.with_rules(rules)
        for rule in rules:
            measure = held[rule.measure]
            bounded.add(rule.measure)
            if any(limit.straddled(measure) for limit in measure.limits):
                straddled.add(rule.measure)
        missed |= {miss.measure for miss in rules.check(card)}
    return {
        "answer": straddled,
        "missed": missed,
        "kept": bounded - missed,
        "missed_straddled": straddled & missed,
        "kept_straddled": straddled - missed,
    }


_BOUNDED = [
    line.strip().split(":")[0]
    for text in BOUNDS.values()
    for line in text.splitlines()
    if line.startswith("  ")
]

Q1 = Exercise(
    id="q1",
    prompt=(
        "On which bounds of the three can the data not tell, since the measure's interval lies on "
        "both sides? Give a list of measures, such as `consent.reachable`."
    ),
    answer=Choices(_BOUNDED),
    expected=lambda world: _q1_facts(world)["answer"],
    facts=_q1_facts,
    mistakes=[
        Mistake(
            "missed",
            lambda f: f.missed,
            "Those are the bounds that are missed. In most of them the whole interval is beyond, "
            "so the data can tell very well.",
        ),
        Mistake(
            "kept",
            lambda f: f.kept,
            "Those are the bounds that the value keeps. Look at the interval, too.",
        ),
        Mistake(
            "missed_straddled",
            lambda f: f.missed_straddled,
            "You looked among the misses only. A bound that the value keeps can be in doubt too.",
        ),
        Mistake(
            "kept_straddled",
            lambda f: f.kept_straddled,
            "You looked among the bounds that are kept. A miss can be in doubt too.",
        ),
    ],
    hints=[
        "`card.with_rules(rules)` holds each measure to its `limits`.",
        "`limit.straddled(measure)` is True where the interval lies on both sides.",
        "Go through the three rules, and through all measures of each held card.",
    ],
    solution=(
        "answer = {\n"
        "    measure.key\n"
        "    for rules in roles.values()\n"
        "    for measure in card.with_rules(rules).measures\n"
        "    for limit in measure.limits\n"
        "    if limit.straddled(measure)\n"
        "}"
    ),
    why=(
        "One of them is kept by its value and one is missed, and neither is certain. Whoever wants "
        "certainty writes `certain: true` into the rule, and then both are missed."
    ),
)


@per_world
def _q2_facts(world: Any) -> dict[str, float]:
    first, later = (_cards(world)[name][PROFIT] for name in (USUAL, "consent_first"))
    line = _pair(world, "consent_first").loc[PROFIT]
    widths = [measure.high - measure.low for measure in (first, later)]
    return {
        "answer": float(line["high"] - line["low"]),
        "worst": widths[0] + widths[1],
        "independent": (widths[0] ** 2 + widths[1] ** 2) ** 0.5,
        "ends": abs((later.high - first.high) - (later.low - first.low)),
        "difference": float(line["difference"]),
        "first": widths[0],
    }


Q2 = Exercise(
    id="q2",
    prompt=(
        "How wide is the paired interval of the difference in `profit_added` between "
        "`consent_first` and average practice?"
    ),
    answer=Number(absolute=0.001, unit="currency a customer", low=-1, high=1),
    expected=lambda world: _q2_facts(world)["answer"],
    facts=_q2_facts,
    mistakes=[
        Mistake(
            "worst",
            lambda f: f.worst,
            "You set the highest of one against the lowest of the other, both ways. But both cards "
            "are about the same people: whoever buys much does so under both.",
        ),
        Mistake(
            "independent",
            lambda f: f.independent,
            "So wide it would be for two groups of different people. These are the same people, "
            "drawn again together.",
        ),
        Mistake(
            "ends",
            lambda f: f.ends,
            "The ends of two intervals cannot be subtracted. The difference has an interval of "
            "its own: `low` and `high` in the comparison's table.",
        ),
        Mistake(
            "difference",
            lambda f: f.difference,
            "That is the difference itself. Asked is the width of its interval.",
        ),
        Mistake(
            "first",
            lambda f: f.first,
            "That is the width of the profit's own interval on one card.",
        ),
    ],
    hints=[
        "`pair` has a row a measure, with `difference`, `low` and `high`.",
        'Keep the row where `measure` is `"profit_added"`.',
        "Width is `high` minus `low`.",
    ],
    solution=(
        'line = pair[pair["measure"] == "profit_added"].iloc[0]\n'
        'answer = line["high"] - line["low"]'
    ),
    why=(
        "{expected:.3f}. Taken for two independent groups it would be {independent:.3f}: most of "
        "what makes one card's profit uncertain moves the other's as well."
    ),
)


@per_world
def _found(world: Any) -> Any:
    """Return the search's proposals for a better policy near the usual one."""
    from ethicalai_lab.policy import nearest_better, preset

    return nearest_better(
        preset(USUAL), lab_for(world), WILL, changes=1, fields=SEARCHED, progress=False
    )


@per_world
def _q3_facts(world: Any) -> dict[str, float]:
    from ethicalai_lab.policy import compare_scorecards

    found, lab, before = _found(world), lab_for(world), _cards(world)[USUAL]
    after = lab.evaluate(found.policies[0])
    table = compare_scorecards(before, after).table.set_index("measure")
    last = lab.evaluate(found.policies[1])
    reach = "consent.reachable"
    return {
        "answer": before[reach].value - after[reach].value,
        "relative": 1 - after[reach].value / before[reach].value,
        "after": after[reach].value,
        "gain": before[WILL].value - after[WILL].value,
        "second": before[reach].value - last[reach].value,
        "profit_low": float(table.loc["profit_added", "low"]),
        "profit_high": float(table.loc["profit_added", "high"]),
    }


Q3 = Exercise(
    id="q3",
    prompt=(
        "What does the first proposal cost the head of marketing in reach? Give the share of all "
        "customers who may be mailed before it and no longer after it, as the fall of `reachable`."
    ),
    answer=Number(absolute=0.0005, unit="share", low=-1, high=1),
    expected=lambda world: _q3_facts(world)["answer"],
    facts=_q3_facts,
    mistakes=[
        Mistake(
            "sign",
            lambda f: -f.answer,
            "The sign is turned: asked is the fall, before minus after.",
        ),
        Mistake(
            "relative",
            lambda f: f.relative,
            "That is the fall as a share of those who were reachable. Asked is a share of all "
            "customers.",
        ),
        Mistake(
            "after",
            lambda f: f.after,
            "That is who is still reachable.",
        ),
        Mistake(
            "gain",
            lambda f: f.gain,
            "That is what was gained: the fall of use against people's will.",
        ),
        Mistake(
            "second",
            lambda f: f.second,
            "That is the price of the second proposal.",
        ),
    ],
    hints=[
        "`better.policies[0]` is the first proposal; the lab evaluates it.",
        'A card is asked by key: `card["consent.reachable"].value`.',
        "Before minus after.",
    ],
    solution=(
        'key = "consent.reachable"\n'
        "answer = card[key].value - lab.evaluate(better.policies[0])[key].value"
    ),
    why=(
        "{expected:.1%} of all customers drop out of reach. Use against people's will falls by "
        "{gain:.1%} of all uses. In profit the paired interval, {profit_low:+.3f} to "
        "{profit_high:+.3f}, holds zero."
    ),
)


@per_world
def _q4_facts(world: Any) -> dict[str, Any]:
    import numpy as np

    from ethicalai_lab.policy import PRESETS, pareto

    cards = _cards(world)
    values = [[cards[name][PROFIT].value, cards[name][WILL].value] for name in PRESETS]

    def front(*directions: str) -> set[str]:
        return set(np.array(list(PRESETS))[pareto(values, directions)])

    profits, wills = ([row[i] for row in values] for i in (0, 1))
    names = list(PRESETS)
    ends = {names[profits.index(max(profits))]}
    ends |= {name for name, will in zip(names, wills, strict=True) if will == min(wills)}
    return {
        "answer": front("higher", "lower"),
        "will_up": front("higher", "higher"),
        "profit_down": front("lower", "lower"),
        "ends": ends,
        "all": set(names),
    }


Q4 = Exercise(
    id="q4",
    prompt=(
        "Of the five presets alone: which does no other beat in profit (more is better) and in use "
        "against people's will (less is better)? Give a list of names."
    ),
    answer=Choices(
        [
            "collect_everything",
            "average_practice",
            "privacy_first",
            "consent_first",
            "fairness_first",
        ]
    ),
    expected=lambda world: _q4_facts(world)["answer"],
    facts=_q4_facts,
    mistakes=[
        Mistake(
            "will_up",
            lambda f: f.will_up,
            "You took more use against people's will for better.",
        ),
        Mistake(
            "ends",
            lambda f: f.ends,
            "Those are the best in one or the other. One between them may be beaten by nobody, "
            "and of two equal in one measure, the other measure decides.",
        ),
        Mistake(
            "all",
            lambda f: f.all,
            "Not all: at least one of them is no better than another in anything, and worse in "
            "something.",
        ),
        Mistake(
            "profit_down",
            lambda f: f.profit_down,
            "You took less profit for better.",
        ),
    ],
    hints=[
        "`pareto(values, directions)` says which rows no other row beats.",
        'The directions are `["higher", "lower"]`.',
        "`values` needs a row a preset, with profit and use against the will.",
    ],
    solution=(
        "names = list(PRESETS)\n"
        "values = [[cards[n][PROFIT].value, cards[n][WILL].value] for n in names]\n"
        "kept = pareto(values, ['higher', 'lower'])\n"
        "answer = [name for name, keep in zip(names, kept) if keep]"
    ),
    why=(
        "Each of them is the best that these five offer at its own exchange between the two. Which "
        "exchange is right, no front can say; and in a third measure the beaten ones may shine."
    ),
)


# ------------------------------------------------------------------------- the judgement

POLICIES = (
    "collect_everything",
    "average_practice",
    "privacy_first",
    "consent_first",
    "fairness_first",
    "revised",
    "mine",
)
_HIGHER = {key for text in BOUNDS.values() for key in _BOUNDED if f"{key}: {{min" in text}


def _own_card(world: Any) -> Any:
    """Return the card of the reader's own policy as the file is now; None if unreadable."""
    from ethicalai_lab.policy import Policy, PolicyError

    try:
        return lab_for(world).evaluate(Policy.open())
    except PolicyError:
        return None


@per_world
def _q5_facts(world: Any) -> dict[str, Any]:
    rules = _rules()

    def value(policy: str, key: str) -> float | None:
        card = _own_card(world) if policy == "mine" else _cards(world)[policy]
        return None if card is None else card[key].value

    def missed(policy: str, role: str) -> set[str]:
        card = _own_card(world) if policy == "mine" else _cards(world)[policy]
        return set() if card is None else {miss.measure for miss in rules[role].check(card)}

    return {
        "value": value,
        "missed": missed,
        "bounds": {name: {rule.measure for rule in each} for name, each in rules.items()},
    }


def _close(a: Any, f: Any) -> bool:
    known = f.value(a["policy"], a["measure"])
    return known is not None and abs(a["figure"] - known) <= 0.0006 + 0.002 * abs(known)


def _within(a: Any) -> bool:
    """Return whether the reader's figure keeps the reader's own threshold."""
    if a["measure"] in _HIGHER:
        return a["figure"] >= a["threshold"] - 1e-9
    return a["figure"] <= a["threshold"] + 1e-9


def _is_trade(a: Any, f: Any) -> bool:
    """Return whether another policy has a better value in what is given up."""
    own = f.value(a["policy"], a["given_up"])
    others = [
        f.value(name, a["given_up"]) for name in POLICIES if name not in ("mine", a["policy"])
    ]
    known = [x for x in others if x is not None]
    if own is None or not known:
        return False
    gap = max(known) - own if a["given_up"] in _HIGHER else own - min(known)
    return gap > 1e-9


def _defended(f: Any, **changes: Any) -> dict[str, Any]:
    policy = changes.get("policy", "revised")
    measure = changes.get("measure", WILL)
    return {
        "policy": policy,
        "measure": measure,
        "threshold": 0.1,
        "figure": f.value(policy, measure),
        "objector": MARKETING,
        "objection": "consent.reachable",
        "given_up": "consent.reachable",
        **changes,
    }


Q5 = Exercise(
    id="q5",
    prompt=(
        "Which policy do you defend? Name the measure you stand by, the threshold you hold it to, "
        "and its value on your card; whose objection stays, on which measure; and the measure you "
        "give up, knowing that another of these policies does better there."
    ),
    answer=Judgement(
        fields={
            "policy": Choice(list(POLICIES)),
            "measure": Choice(_BOUNDED),
            "threshold": Number(absolute=0.001),
            "figure": Number(absolute=0.001),
            "objector": Choice(list(BOUNDS)),
            "objection": Choice(_BOUNDED),
            "given_up": Choice(_BOUNDED),
        },
    ),
    expected=lambda world: None,
    facts=_q5_facts,
    reference=lambda f: _defended(f),
    mistakes=[
        Mistake(
            "figure",
            lambda f: _defended(f, policy="consent_first", figure=f.value(USUAL, WILL)),
            "Your figure is not what this policy's own card says of this measure. Take it from "
            '`card["..."].value` of the policy that you defend. If it is your own file, see that '
            "it can be read.",
            when=lambda a, f: not _close(a, f),
        ),
        Mistake(
            "threshold",
            lambda f: _defended(f, policy=USUAL),
            "By your own figure the policy misses the threshold that you hold it to. Defend "
            "another policy, stand by another measure, or say openly that you accept more.",
            when=lambda a, f: not _within(a),
        ),
        Mistake(
            "not_theirs",
            lambda f: _defended(f, objector=COUNCIL),
            "This role set no bound on that measure: the objection is another's. Read their three "
            "texts again.",
            when=lambda a, f: a["objection"] not in f.bounds[a["objector"]],
        ),
        Mistake(
            "no_objection",
            lambda f: _defended(f, objector=COUNCIL, objection=WILL),
            "Your policy keeps this bound, so this role has nothing to object to there. Whom does "
            "it really disappoint?",
            when=lambda a, f: a["objection"] not in f.missed(a["policy"], a["objector"]),
        ),
        Mistake(
            "stands_and_gives_up",
            lambda f: _defended(
                f,
                policy="average_practice",
                measure="consent.reachable",
                figure=f.value(USUAL, "consent.reachable"),
                threshold=0.6,
                objector=COUNCIL,
                objection=WILL,
            ),
            "You stand by a measure and give up the same one.",
            when=lambda a, f: a["measure"] == a["given_up"],
        ),
        Mistake(
            "no_trade",
            lambda f: _defended(f, given_up="transparency.false_claims"),
            "None of the other policies does better in what you say you give up. So nothing is "
            "given up there. What does your policy really cost?",
            when=lambda a, f: not _is_trade(a, f),
        ),
    ],
    hints=[
        "Begin with the table of bounds missed: whose column is not empty for your policy?",
        'Your figure: `cards["revised"]["consent.against_their_will"].value`, for instance.',
        "What you give up must be better under another of the policies. Compare the cards.",
    ],
    solution=(
        "answer = {\n"
        '    "policy": "revised",\n'
        '    "measure": "consent.against_their_will",\n'
        '    "threshold": 0.1,\n'
        '    "figure": cards["revised"]["consent.against_their_will"].value,\n'
        '    "objector": "the head of marketing",\n'
        '    "objection": "consent.reachable",\n'
        '    "given_up": "consent.reachable",\n'
        "}"
    ),
    why=(
        "This holds together: your figure is the card's, it keeps your own threshold, the objection "
        "is a real one, and so is the price. Others defend another policy as soundly. Now say it "
        "aloud to the one who objects."
    ),
)


# -------------------------------------------------------------------------------- quiz

QUIZ1 = Quiz(
    id="quiz1",
    prompt="A policy lies on the Pareto front of profit and use against people's will. What follows?",
    options=[
        Option(
            "a",
            "It is one of the right choices.",
            "The front knows two measures. What it does to the others, and whether its exchange "
            "is one to be proud of, it cannot say.",
        ),
        Option(
            "b",
            "None of the policies tried is as good in both and better in one.",
            "Right: among those tried, and in these two measures.",
            right=True,
        ),
        Option(
            "c",
            "It keeps the bounds that were set on the two.",
            "A front knows no bounds. Both of its ends may be beyond somebody's.",
        ),
        Option(
            "d",
            "No better policy exists.",
            "Only those tried were compared. There may be a better one between them.",
        ),
    ],
)

QUIZ2 = Quiz(
    id="quiz2",
    prompt=(
        "The paired interval of a difference in profit holds zero. The head of marketing says: “So "
        "the new policy costs us nothing.” What do you answer?"
    ),
    options=[
        Option(
            "a",
            "Right, there is no difference.",
            "That an interval holds zero does not show that the difference is zero.",
        ),
        Option(
            "b",
            "The data cannot tell; the interval's lower end is the loss that they still allow.",
            "Right. Whether that loss would be bearable is a question to the head of marketing.",
            right=True,
        ),
        Option(
            "c",
            "Wrong: the value is below zero, so it costs something.",
            "The value alone may be chance. Read the interval with it.",
        ),
    ],
)

LESSON = Lesson(
    number="15",
    title="Policy lab: my policy, its whole bill, and better ones nearby",
    exercises=[Q1, Q2, Q3, Q4, Q5],
    quizzes=[QUIZ1, QUIZ2],
    predictions=[P1, P2, P3],
    setup=(
        "from ethicalai_lab.lessons.exercises import lesson_15\n"
        "from ethicalai_lab.policy import PRESETS, compare_scorecards, pareto\n"
        "from ethicalai_lab.lessons.exercises.lesson_15 import PROFIT, WILL\n"
        "lab, cards = lesson_15.lab_for(world), lesson_15._cards(world)\n"
        "card, roles = cards[lesson_15.USUAL], lesson_15._rules()\n"
        "pair = compare_scorecards(card, cards['consent_first']).table\n"
        "better = lesson_15._found(world)"
    ),
    decides="duty",
)
