"""Questions of lesson 08: what happens to data, model and trust when people may say no."""

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

# As the notebook sets them: the box's day, and how fast two recipients act (assumed).
BOX_DAY, ASKED = "2025-01-02", "2025-07-01"
SHARING = "third_party_sharing"


# ------------------------------------------------- the notebook's own steps, once a world


@per_world
def _year(world: Any) -> dict[str, Any]:
    """Return the year of the ticked box: the box, the ledger and what recipients did."""
    from ethicalai_lab.consent import ConsentLedger, Recipients, simulation
    from ethicalai_lab.consent.downstream import Delay

    people = simulation.population(world, SHARING)
    regimes = world.customers["jurisdiction"].map(
        {"EU": "gdpr", "California": "ccpa", "other": "other"}
    )
    box = simulation.meet(people, "pre_ticked").events(SHARING, BOX_DAY)
    box["regime"] = regimes.to_numpy()
    said = world.consent_events
    noes = said[
        (said["purpose"] == SHARING)
        & said["action"].isin(["withdraw", "object"])
        & (said["time"] > BOX_DAY)
    ]
    ledger = ConsentLedger(None, now=world.as_of)
    ledger.register(world.customers[["customer_id", "jurisdiction", "birth_date"]])
    ledger.record(box)
    ledger.record(noes)
    delays = {"ad_platform": Delay(6, 0.8, 0.02), "data_partner": Delay(12, 0.8, 0.05)}
    delivered = Recipients(ledger, delays).deliver(noes)
    return {"box": box, "ledger": ledger, "noes": noes, "delivered": delivered}


@per_world
def _people(world: Any) -> Any:
    from ethicalai_lab.consent import simulation

    return simulation.population(world)


@per_world
def _meetings(world: Any) -> dict[str, Any]:
    from ethicalai_lab.consent import simulation

    people = _people(world)
    pushes = simulation.calibrate(people)
    return {
        name: simulation.meet(people, name, pushes=pushes)
        for name in ("neutral", "nudging", "hidden_refusal", "pay_or_okay", "pre_ticked")
    }


@per_world
def _selection(world: Any) -> Any:
    from ethicalai_lab.consent.selection import selection_effects

    return selection_effects(world, _meetings(world)["neutral"].granted).set_index("measure")


@per_world
def _courses(world: Any) -> dict[str, Any]:
    from ethicalai_lab.consent import simulation

    people = _people(world)
    pushes = simulation.calibrate(people)
    return {
        name: simulation.simulate(people, name, months=36, pushes=pushes).months
        for name in ("neutral", "pre_ticked")
    }


# --------------------------------------------------------------------------- predictions


@per_world
def _p1_facts(world: Any) -> dict[str, float]:
    met = _meetings(world)
    return {
        "rate": met["pre_ticked"].rate.value,
        "unmeant": met["pre_ticked"].unmeant.value,
        "neutral": met["neutral"].unmeant.value,
    }


def _p1_outcome(world: Any) -> str:
    unmeant = _p1_facts(world)["unmeant"]
    return "a" if unmeant < 0.15 else "b" if unmeant < 0.35 else "c"


P1 = Prediction(
    id="p1",
    prompt="Of all the yes that a ticked box collects, how many are not meant?",
    options={
        "a": "About one in ten: who minds will take the tick away.",
        "b": "About a quarter.",
        "c": "More than a third.",
    },
    outcome=_p1_outcome,
    says=(
        "{rate:.0%} leave the tick. {unmeant:.0%} of these yes come from people who do not accept "
        "mails. With two equal buttons {neutral:.0%} of the yes are not meant."
    ),
    facts=_p1_facts,
)

WHO = ["mean privacy concern", "mean trust", "share aged 60 and over"]
WHAT = [
    "visits that the sports mail adds",
    "share that unsubscribes after it",
    "audit: selection gap, under 60 minus over",
]


def _p2_outcome(world: Any) -> str:
    covered = _selection(world)["covered"]
    wrong_who, wrong_what = (~covered[WHO]).any(), (~covered[WHAT]).any()
    return "c" if wrong_who and wrong_what else "a" if wrong_who else "b"


P2 = Prediction(
    id="p2",
    prompt=(
        "A team reckons only with those who said yes to two equal buttons. Where will its 95 % "
        "intervals miss the truth about all customers?"
    ),
    options={
        "a": "In who these people are: their concern, their trust, their age.",
        "b": "In what the mail does: the visits it adds, the people who unsubscribe.",
        "c": "In both.",
    },
    outcome=_p2_outcome,
    says=(
        "Concern is {concern:.2f} among those who said yes and {all_concern:.2f} among all. The "
        "visits that a mail adds are estimated as {lift:.1%}, with an interval from {low:.1%} to "
        "{high:.1%}; the truth is {true_lift:.1%}."
    ),
    facts=lambda world: {
        "concern": _selection(world).loc[WHO[0], "consented"],
        "all_concern": _selection(world).loc[WHO[0], "truth"],
        "lift": _selection(world).loc[WHAT[0], "consented"],
        "low": _selection(world).loc[WHAT[0], "low"],
        "high": _selection(world).loc[WHAT[0], "high"],
        "true_lift": _selection(world).loc[WHAT[0], "truth"],
    },
)


@per_world
def _lead(world: Any) -> Any:
    """Return by month, in order, how far the ticked box leads: in the month, and so far."""
    import pandas as pd

    ticked, equal = _courses(world)["pre_ticked"], _courses(world)["neutral"]
    return pd.DataFrame(
        {
            "month": equal["month"],
            "now": ticked["value"] - equal["value"],
            "so_far": ticked["cumulative"] - equal["cumulative"],
        }
    )


def _p3_facts(world: Any) -> dict[str, float]:
    lead = _lead(world).set_index("month")["so_far"]
    return {"year": float(lead[12]), "three": float(lead[36])}


def _p3_outcome(world: Any) -> str:
    facts = _p3_facts(world)
    if facts["year"] > 0 and facts["three"] > 0:
        return "a"
    return "b" if facts["year"] < 0 and facts["three"] < 0 else "c"


P3 = Prediction(
    id="p3",
    prompt="Under the simulation's assumptions, which design makes more profit per customer?",
    options={
        "a": "The ticked box, over one year and over three.",
        "b": "Two equal buttons, over one year and over three.",
        "c": "One of them over one year, the other over three.",
    },
    outcome=_p3_outcome,
    says=(
        "The ticked box leads by {year:+.1f} per customer after 12 months, and by {three:+.1f} "
        "after 36. A minus is a lag. All of it rests on the assumptions."
    ),
    facts=_p3_facts,
)


# ------------------------------------------------------------------------------- exercises


@per_world
def _q1_facts(world: Any) -> dict[str, float]:
    met, unwilling = _meetings(world), ~_people(world)["accepts"].to_numpy()
    hidden, equal = met["hidden_refusal"].granted, met["neutral"].granted
    return {
        "answer": float(hidden[unwilling].mean()),
        "of_yes": float(unwilling[hidden].mean()),
        "of_all": float((hidden & unwilling).mean()),
        "rate": float(hidden.mean()),
        "equal": float(equal[unwilling].mean()),
        "refused": float((~hidden[unwilling]).mean()),
    }


Q1 = Exercise(
    id="q1",
    prompt=(
        "Think of the customers who do not accept mails. What share of them is recorded with a "
        "yes where the refusal is hidden?"
    ),
    answer=Number(absolute=0.005, unit="share", low=0, high=1),
    expected=lambda world: _q1_facts(world)["answer"],
    facts=_q1_facts,
    mistakes=[
        Mistake(
            "of_yes",
            lambda f: f.of_yes,
            "That is the share of the *yes* that is not meant. Asked is the share of the "
            "*unwilling* who gave one: divide by their number.",
        ),
        Mistake(
            "of_all",
            lambda f: f.of_all,
            "You divided by all customers. Divide by those who do not accept mails.",
        ),
        Mistake(
            "rate",
            lambda f: f.rate,
            "That is the share of all customers who said yes, willing or not.",
        ),
        Mistake(
            "equal",
            lambda f: f.equal,
            "That is the share under two equal buttons. Take the banner that hides the refusal.",
        ),
        Mistake(
            "refused",
            lambda f: f.refused,
            "Those are the unwilling who held out. Asked are the ones who are recorded with a yes.",
        ),
    ],
    hints=[
        '`~people["accepts"].to_numpy()` is True for who does not accept mails.',
        '`met["hidden_refusal"].granted` is True for who said yes, in the same order.',
        "Keep the unwilling in square brackets, then take the mean.",
    ],
    solution=(
        'unwilling = ~people["accepts"].to_numpy()\n'
        'answer = met["hidden_refusal"].granted[unwilling].mean()'
    ),
    why=(
        "{expected:.0%} of those who do not want mails are on the list. With two equal buttons it "
        "is {equal:.0%}. Nobody changed their mind: two clicks did it."
    ),
)


@per_world
def _q2_facts(world: Any) -> dict[str, float]:
    year = _year(world)
    box, ledger = year["box"], year["ledger"]
    ticked = box.loc[box["action"] == "grant", "person"]
    allowed = ledger.permitted(ticked, SHARING, ASKED)
    everyone = ledger.permitted(box["person"], SHARING, ASKED)
    strict = ledger.permitted(ticked, SHARING, ASKED, regime="gdpr")
    return {
        "answer": float(1 - allowed.mean()),
        "through": float(allowed.mean()),
        "of_all": float(1 - everyone.mean()),
        "strict": float(1 - strict.mean()),
    }


Q2 = Exercise(
    id="q2",
    prompt=(
        "`ticked` holds the customers on the shop's list of yes. For what share of them does the "
        "ledger, by each person's own rule, forbid sharing on 1 July 2025?"
    ),
    answer=Number(absolute=0.002, unit="share", low=0, high=1),
    expected=lambda world: _q2_facts(world)["answer"],
    facts=_q2_facts,
    mistakes=[
        Mistake(
            "through",
            lambda f: f.through,
            "That is the share that the ledger lets through. Asked is the other part.",
        ),
        Mistake(
            "of_all",
            lambda f: f.of_all,
            "You asked about all customers. Ask about those on the list, `ticked`.",
        ),
        Mistake(
            "strict",
            lambda f: f.strict,
            "You laid the GDPR on everybody. Leave `regime` out: each person's own rule holds.",
        ),
    ],
    hints=[
        "`ledger.permitted(people, purpose, at)` answers True or False for each person.",
        'The purpose is `"third_party_sharing"`, the moment is `"2025-07-01"`.',
        "The mean of the answers is the share that is permitted.",
    ],
    solution='answer = 1 - ledger.permitted(ticked, "third_party_sharing", "2025-07-01").mean()',
    why=(
        "For {expected:.0%} of the list there is no permission. Most of them live in the EU, where "
        "the tick never counted. The rest had said no by then."
    ),
)


@per_world
def _q3_facts(world: Any) -> dict[str, float]:
    table = _year(world)["delivered"].table
    partner = table[table["recipient"] == "data_partner"]
    clocked = partner[partner["due"].notna()]
    return {
        "answer": float(clocked["late"].mean()),
        "all_rows": float(partner["late"].mean()),
        "both": float(table.loc[table["due"].notna(), "late"].mean()),
        "arrived": float(clocked.loc[clocked["acted"].notna(), "late"].mean()),
        "in_time": float(1 - clocked["late"].mean()),
        "platform": float(
            table.loc[table["due"].notna() & (table["recipient"] == "ad_platform"), "late"].mean()
        ),
    }


Q3 = Exercise(
    id="q3",
    prompt=(
        "Of the notices to the data partner that have a deadline, what share is late? A notice "
        "that never arrives is late too."
    ),
    answer=Number(absolute=0.003, unit="share", low=0, high=1),
    expected=lambda world: _q3_facts(world)["answer"],
    facts=_q3_facts,
    mistakes=[
        Mistake(
            "all_rows",
            lambda f: f.all_rows,
            "You counted notices for which the law names no number of days: they cannot be late. "
            "Keep the rows where `due` is known.",
        ),
        Mistake(
            "both",
            lambda f: f.both,
            "Two recipients are in there. Keep the rows of `data_partner`.",
        ),
        Mistake(
            "arrived",
            lambda f: f.arrived,
            "You left out the notices that never arrived, where `acted` is missing. For these "
            "people the use goes on.",
        ),
        Mistake(
            "in_time",
            lambda f: f.in_time,
            "That is the share in time.",
        ),
        Mistake(
            "platform",
            lambda f: f.platform,
            "That is the ad platform. Asked is the data partner.",
        ),
    ],
    hints=[
        "`delivered.table` has a row for each notice, with `recipient`, `due` and `late`.",
        '`due` is missing where the law names no number of days: `table["due"].notna()`.',
        "Keep the rows with both, and take the mean of `late`.",
    ],
    solution=(
        "table = delivered.table\n"
        'partner = table[(table["recipient"] == "data_partner") & table["due"].notna()]\n'
        'answer = partner["late"].mean()'
    ),
    why=(
        "{expected:.0%} are late here, and {platform:.0%} at the ad platform. The delays are "
        "assumed. What is not assumed: the shop finds out only if it measures."
    ),
)


@per_world
def _q4_facts(world: Any) -> dict[str, float]:
    lead = _lead(world)
    behind = lead.loc[lead["so_far"] < 0, "month"]
    monthly = lead.loc[lead["now"] < 0, "month"]
    first = int(behind.iloc[0]) if len(behind) else 37
    return {
        "month": float(first),
        "row": float(first - 1),
        "monthly": float(monthly.iloc[0]) if len(monthly) else 37.0,
        "peak": float(lead["so_far"].max()),
        "last": 36.0,
    }


Q4 = Exercise(
    id="q4",
    prompt=(
        "In which month has the house with two equal buttons, for the first time, made more "
        "profit *in all the time so far* than the house with the ticked box?"
    ),
    answer=Number(absolute=0.5, low=1, high=36),
    expected=lambda world: _q4_facts(world)["month"],
    facts=_q4_facts,
    mistakes=[
        Mistake(
            "row",
            lambda f: f.row,
            "That is the number of the row, which counts from 0. The column `month` counts from 1.",
        ),
        Mistake(
            "monthly",
            lambda f: f.monthly,
            "In that month it earns more *in the month*, for the first time. The lead of the "
            "months before is still to be made up: take `cumulative`.",
        ),
        Mistake(
            "last",
            lambda f: f.last,
            "That is the end of the three years. When does it begin to hold?",
        ),
    ],
    hints=[
        "Each table in `months` has a row a month; `cumulative` is the profit so far.",
        "Where is `cumulative` of `neutral` above that of `pre_ticked`?",
        "Keep these rows, and read `month` in the first.",
    ],
    solution=(
        'equal, box_ticked = months["neutral"], months["pre_ticked"]\n'
        'ahead = equal["cumulative"] > box_ticked["cumulative"]\n'
        'answer = equal.loc[ahead, "month"].iloc[0]'
    ),
    why=(
        "In month {expected:.0f}. Whoever judges after a year sees the ticked box ahead. The month "
        "moves with the assumptions: try it below."
    ),
)


def _judged(f: Any, **changes: Any) -> dict[str, Any]:
    return {
        "banner": "neutral",
        "where": "in the EU too",
        "reason": "a yes that is meant",
        "horizon": "three years",
        "lead_one_year": f.year,
        "lead_three_years": f.three,
        "rests_on": "assumptions",
        **changes,
    }


Q5 = Exercise(
    id="q5",
    prompt=(
        "Which way of asking would you choose, for where, for which reason, over which time? Give "
        "the lead of the ticked box over equal buttons too, after 12 and after 36 months, and say "
        "what these two figures rest on."
    ),
    answer=Judgement(
        fields={
            "banner": Choice(["neutral", "pre_ticked"]),
            "where": Choice(["in the EU too", "outside the EU"]),
            "reason": Choice(["profit", "a yes that is meant"]),
            "horizon": Choice(["one year", "three years"]),
            "lead_one_year": Number(absolute=0.1),
            "lead_three_years": Number(absolute=0.1),
            "rests_on": Choice(["measurement", "assumptions"]),
        },
        own={"lead_one_year": "year", "lead_three_years": "three"},
    ),
    expected=lambda world: None,
    facts=_p3_facts,
    reference=lambda f: _judged(f),
    mistakes=[
        Mistake(
            "void",
            lambda f: _judged(f, banner="pre_ticked", reason="profit", horizon="one year"),
            "In the EU a ticked box is no consent, so there it yields nobody you may mail. Choose "
            "another banner, or another place.",
            when=lambda a, f: a["banner"] == "pre_ticked" and a["where"] == "in the EU too",
        ),
        Mistake(
            "not_meant",
            lambda f: _judged(f, banner="pre_ticked", where="outside the EU"),
            "Your reason is a yes that is meant, and the other banner has fewer that are not.",
            when=lambda a, f: a["reason"] == "a yes that is meant" and a["banner"] == "pre_ticked",
        ),
        Mistake(
            "year",
            lambda f: _judged(f, reason="profit", horizon="one year", where="outside the EU"),
            "By your own figures the ticked box earns more in one year. If you still do not want "
            "it, profit in one year is not your reason.",
            when=lambda a, f: (
                a["reason"] == "profit"
                and a["horizon"] == "one year"
                and a["where"] == "outside the EU"
                and a["banner"] == "neutral"
                and a["lead_one_year"] > 0
            ),
        ),
        Mistake(
            "three_years",
            lambda f: _judged(f, banner="pre_ticked", where="outside the EU", reason="profit"),
            "By your own figures the ticked box is behind after three years, and your reason is "
            "profit over that time.",
            when=lambda a, f: (
                a["reason"] == "profit"
                and a["horizon"] == "three years"
                and a["banner"] == "pre_ticked"
                and a["lead_three_years"] < 0
            ),
        ),
        Mistake(
            "measured",
            lambda f: _judged(f, rests_on="measurement"),
            "Nobody measured these two figures. How fast people find out, and what trust they "
            "lose, was put in by us.",
            when=lambda a, f: a["rests_on"] == "measurement",
        ),
    ],
    hints=[
        'The lead is `cumulative` of `months["pre_ticked"]` minus that of `months["neutral"]`.',
        "Row 11 is month 12, and row 35 is month 36.",
        "What of the simulation is published, and what is assumed? `studies()` lists the former.",
    ],
    solution=(
        'lead = months["pre_ticked"]["cumulative"] - months["neutral"]["cumulative"]\n'
        "answer = {\n"
        '    "banner": "neutral",\n'
        '    "where": "in the EU too",\n'
        '    "reason": "a yes that is meant",\n'
        '    "horizon": "three years",\n'
        '    "lead_one_year": lead.iloc[11],\n'
        '    "lead_three_years": lead.iloc[35],\n'
        '    "rests_on": "assumptions",\n'
        "}"
    ),
    why=(
        "This holds together. After one year the lead is {year:+.1f}, after three {three:+.1f}. "
        "Others choose otherwise and hold together too. Could you defend your choice if the "
        "assumptions were wrong?"
    ),
)


# -------------------------------------------------------------------------------- quiz

QUIZ1 = Quiz(
    id="quiz1",
    prompt=(
        "A customer in the EU objects to mails. The mails stop. The score that ranks customers "
        "for mailing goes on including this person. Is the objection honoured?"
    ),
    options=[
        Option(
            "a",
            "Yes: no mail arrives any more.",
            "The right covers more than the sending: it names the profiling too, as far as it "
            "serves direct marketing.",
        ),
        Option(
            "b",
            "No: profiling for that marketing has to stop as well.",
            "Right: Article 21(2) and (3) cover profiling related to direct marketing.",
            right=True,
        ),
        Option(
            "c",
            "It depends on whether the shop's interests weigh more.",
            "For direct marketing nothing is weighed: this objection always prevails.",
        ),
    ],
)

QUIZ2 = Quiz(
    id="quiz2",
    prompt=(
        "A request from California carries the header `Sec-GPC: 1`. The shop shares data with ad "
        "platforms. What now?"
    ),
    options=[
        Option(
            "a",
            "Show a form and ask the visitor to confirm who they are.",
            "Nothing more may be asked for than it takes to send the signal.",
        ),
        Option(
            "b",
            "Delete everything that is known about the visitor.",
            "The signal is no request for deletion. It says no to sale and sharing.",
        ),
        Option(
            "c",
            "Treat it as an opt-out of sale and sharing, with nothing asked back.",
            "Right. It holds for the browser and its profile, and for the person if known.",
            right=True,
        ),
    ],
)

LESSON = Lesson(
    number="08",
    title="Consent: what happens to data, model and trust when people may say no?",
    exercises=[Q1, Q2, Q3, Q4, Q5],
    quizzes=[QUIZ1, QUIZ2],
    predictions=[P1, P2, P3],
    setup=(
        "from ethicalai_lab.consent import simulation\n"
        "from ethicalai_lab.lessons.exercises import lesson_08\n"
        "year = lesson_08._year(world)\n"
        "box, ledger, delivered = year['box'], year['ledger'], year['delivered']\n"
        "ticked = box.loc[box['action'] == 'grant', 'person']\n"
        "people = simulation.population(world)\n"
        "pushes = simulation.calibrate(people)\n"
        "met = {b: simulation.meet(people, b, pushes=pushes) for b in simulation.BANNERS}\n"
        "months = {b: simulation.simulate(people, b, months=36, pushes=pushes).months\n"
        "          for b in ('neutral', 'pre_ticked')}"
    ),
    decides="consent",
)
