"""Questions of lesson 04: is a hashed e-mail anonymous, and who holds the key?"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
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

LISTED = 2_000  # length of each partner's list, as the notebook sets it
DIGITS = range(1, 6)  # digits in a local address
HOSTS = ("com", "net", "org")
START, THEFT = "2025-01-01", "2025-02-01"
ROTATIONS = {"never": None, "half-yearly": 180, "quarterly": 90, "monthly": 30}


# ------------------------------------------------- the notebook's own steps, once a world


def _teaching_key(name: str) -> bytes:
    return hashlib.sha256(f"not a secret: {name}".encode()).digest()


@per_world
def _lists(world: Any) -> tuple[Any, Any]:
    """Return whom the broker's list and the insurer's list hold."""
    people = world.customers.set_index("customer_id")
    return people.nlargest(LISTED, "financial_stress"), people.nlargest(LISTED, "health_interest")


@per_world
def _neighbour(world: Any) -> Any:
    broker, _ = _lists(world)
    alone = (broker["gender"] == "female") & ~broker["full_name"].duplicated(keep=False)
    return broker[alone].iloc[0]


@per_world
def _guesses(world: Any) -> list[str]:
    from ethicalai_lab.privacy.pseudonymization import expand_pattern

    first, last = _neighbour(world)["full_name"].lower().split()
    return [
        guess
        for host in HOSTS
        for digits in DIGITS
        for guess in expand_pattern(f"{first}.{last}{'#' * digits}@example.{host}")
    ]


# ------------------------------------------------------------------------- predictions


@per_world
def _p1_facts(world: Any) -> dict[str, Any]:
    from ethicalai_lab.privacy.pseudonymization import (
        dictionary_attack,
        expand_pattern,
        hash_values,
    )

    broker, _ = _lists(world)
    numbers = expand_pattern("+44 7700 900###") + expand_pattern("+1 ### 555 01##")
    found = dictionary_attack(hash_values(broker["phone"]), numbers)
    return {
        "hits": found.hit_rate.value,
        "guesses": found.guesses,
        "email_guesses": len(_guesses(world)),
        "rows": len(broker),
    }


def _p1_outcome(world: Any) -> str:
    facts = _p1_facts(world)
    if facts["hits"] < 0.5:
        return "c"
    return "b" if facts["guesses"] < facts["email_guesses"] else "a"


P1 = Prediction(
    id="p1",
    prompt=(
        "One e-mail address is reversed. Now the clerk wants every telephone number on the "
        "list. How many guesses does that take, compared with the one address?"
    ),
    options={
        "a": "Thousands of times as many: each row is a search of its own.",
        "b": "Fewer than the one address took.",
        "c": "It does not work: most of the numbers stay hidden.",
    },
    outcome=_p1_outcome,
    says=(
        "{hits:.0%} of the {rows:,} numbers are reversed, with {guesses:,} guesses; the one "
        "address took {email_guesses:,}. Each guess is hashed once and compared with all rows, "
        "and a telephone number has few digits."
    ),
    facts=_p1_facts,
)


@per_world
def _p2_facts(world: Any) -> dict[str, float]:
    from ethicalai_lab.privacy.pseudonymization import Pseudonymizer, link_partners

    broker, insurer = _lists(world)
    master = _teaching_key("master")

    def linked(one: str, two: str) -> Any:
        sides = Pseudonymizer(master, one), Pseudonymizer(master, two)
        return link_partners(sides[0].tokens(broker["email"]), sides[1].tokens(insurer["email"]))

    same, each = linked("partners", "partners"), linked("loan broker", "insurer")
    return {
        "same": same.recall.value,
        "each": each.recall.value,
        "shared": same.shared_people,
    }


P2 = Prediction(
    id="p2",
    prompt=(
        "Both partners get keyed tokens, made with one key that stays in the shop. They lay "
        "their lists side by side. Which share of their common customers can they join?"
    ),
    options={
        "a": "None: neither of them has the key.",
        "b": "About half of them.",
        "c": "All of them.",
    },
    outcome=lambda world: (
        "c" if _p2_facts(world)["same"] > 0.9 else "a" if _p2_facts(world)["same"] < 0.1 else "b"
    ),
    says=(
        "With one key for both, {same:.0%} of the {shared:,} common customers are joined: equal "
        "people have equal tokens, and nobody needs the key to compare. With a key each, "
        "{each:.0%}."
    ),
    facts=_p2_facts,
)


@per_world
def _thefts(world: Any) -> dict[str, Any]:
    """Erase the neighbour, rotate the master key, and try every thief on what is left."""
    from ethicalai_lab.privacy.vault import Vault, breach

    broker, _ = _lists(world)
    who = _neighbour(world).name
    old, new = _teaching_key("vault"), _teaching_key("vault, next")
    columns = ["customer_id", "full_name", "email", "financial_stress"]
    table = broker.reset_index()[columns]
    with tempfile.TemporaryDirectory() as room:
        folder, copy = Path(room) / "vault", Path(room) / "old.keys"
        with Vault.create(folder, old) as vault:
            vault.put_table(table, person="customer_id")
            shutil.copy(folder / "vault.keys", copy)
            vault.erase(who)
            everything = ["data", "keys", "master"]
            found = {
                "before_rotation": breach(folder, everything, old, keys_backup=copy),
                "without_copy": breach(folder, everything, old),
            }
            vault.rotate(new)
        found |= {
            "a": breach(folder, everything, new),
            "b": breach(folder, everything, new, keys_backup=copy),
            "c": breach(folder, everything, old, keys_backup=copy),
            "d": breach(folder, ["keys", "master"], old, keys_backup=copy),
        }
    email = broker.loc[who, "email"]
    reads = {
        name: any(email in row.values() for row in one["values"].values())
        for name, one in found.items()
    }
    # an export in plain text holds what it held when it was made
    reads["e"] = email in table.to_csv()
    people = {name: one["people_read"] for name, one in found.items()}
    return {"reads": reads, "people": people, "name": broker.loc[who, "full_name"]}


P3 = Prediction(
    id="p3",
    prompt=(
        "Her key is destroyed. A thief takes the data file, the master key, and a copy of the "
        "key file from before the erasure. What does the thief read of her?"
    ),
    options={
        "a": "Nothing: what is erased is erased.",
        "b": "Only the names of the columns.",
        "c": "Everything.",
    },
    outcome=lambda world: "c" if _thefts(world)["reads"]["before_rotation"] else "b",
    says=(
        "The thief reads {copy:,} people; with the present key file it would be {now:,}. The one "
        "between them is {name}. Her key was destroyed in one place and lay in two."
    ),
    facts=lambda world: {
        "copy": _thefts(world)["people"]["before_rotation"],
        "now": _thefts(world)["people"]["without_copy"],
        "name": _thefts(world)["name"],
    },
)


# ------------------------------------------------------------------------------- exercises


@per_world
def _q1_facts(world: Any) -> dict[str, Any]:
    broker, _ = _lists(world)
    names = world.register["full_name"]
    return {
        "names": names.nunique(),
        "each": len(_guesses(world)),
        "total": names.nunique() * len(_guesses(world)),
        "rows": len(broker),
        "covered": float(broker["full_name"].isin(set(names)).mean()),
    }


def _takes(minutes: Any) -> Any:
    """Recognise minutes by what they should be at the reader's own speed."""

    def when(a: Any, f: Any) -> bool:
        wanted = minutes(f) / a["guesses_per_second"] if a["guesses_per_second"] > 0 else 0.0
        return abs(a["minutes"] - wanted) <= 0.05 * wanted

    return when


def _at(minutes: Any, speed: float = 1_500_000.0) -> Any:
    return lambda f: {"guesses_per_second": speed, "minutes": minutes(f) / speed}


Q1 = Exercise(
    id="q1",
    prompt=(
        "The clerk knew one name. The public register has many. How many minutes does your own "
        "machine need to try all of them against the whole list? `attack.guesses_per_second` is "
        "your speed; take as many guesses a name as `attack` made."
    ),
    answer=Judgement(fields={"guesses_per_second": Number(), "minutes": Number()}),
    expected=lambda world: None,
    facts=_q1_facts,
    reference=_at(lambda f: f.total / 60),
    mistakes=[
        Mistake(
            "not_a_speed",
            lambda f: {"guesses_per_second": f.each, "minutes": f.names / 60},
            "That is the number of guesses, not how many your machine makes in a second.",
            when=lambda a, f: a["guesses_per_second"] in (f.each, f.total),
        ),
        Mistake(
            "no_speed",
            {"guesses_per_second": 0.0, "minutes": 1.0},
            "A speed of zero or less tries nothing: read it from `attack`.",
            when=lambda a, f: a["guesses_per_second"] <= 0,
        ),
        Mistake(
            "once_a_row",
            _at(lambda f: f.total * f.rows / 60),
            "You counted every guess once for each row. A guess is hashed once, and that one hash "
            "is compared with all rows.",
            when=_takes(lambda f: f.total * f.rows / 60),
        ),
        Mistake(
            "one_name",
            _at(lambda f: f.each / 60),
            "That is the time for a single name. How many different names has the register?",
            when=_takes(lambda f: f.each / 60),
        ),
        Mistake(
            "seconds",
            _at(lambda f: f.total),
            "Those are seconds. Minutes are asked for.",
            when=_takes(lambda f: f.total),
        ),
        Mistake(
            "hours",
            _at(lambda f: f.total / 3600),
            "Those are hours. Minutes are asked for.",
            when=_takes(lambda f: f.total / 3600),
        ),
        Mistake(
            "does_not_follow",
            _at(lambda f: f.total / 60 * 7),
            "At your own speed it takes another time. Count the guesses first: different names "
            "in the register, times guesses a name.",
            when=lambda a, f: not _takes(lambda f: f.total / 60)(a, f),
        ),
    ],
    hints=[
        "First the work: how many different names, and how many guesses for each?",
        '`world.register["full_name"].nunique()` counts the names, `attack.guesses` the guesses '
        "for one.",
        "Divide all guesses by `attack.guesses_per_second`, and the seconds by 60.",
    ],
    solution=(
        'work = world.register["full_name"].nunique() * attack.guesses\n'
        "speed = attack.guesses_per_second\n"
        'answer = {"guesses_per_second": speed, "minutes": work / speed / 60}'
    ),
    why=(
        "{total:,} guesses for the whole list. {covered:.0%} of its people have a name that "
        "stands in the register, so they would be found. Your figure is for one core and this "
        "plain code; whoever attacks for a living has faster hardware."
    ),
)


@per_world
def _q2_facts(world: Any) -> dict[str, Any]:
    from ethicalai_lab.privacy.pseudonymization import link_partners

    broker, insurer = _lists(world)
    beside = [
        table[["postcode", "age", "gender"]].astype(str).agg(" ".join, axis=1)
        for table in (broker, insurer)
    ]
    found = link_partners(*beside)
    return {
        "precision": found.precision.value,
        "recall": found.recall.value,
        "matched": found.matched,
        "correct": found.correct,
        "shared": found.shared_people,
        "of_list": found.correct / len(broker),
    }


Q2 = Exercise(
    id="q2",
    prompt=(
        "Two partners, a key each: no token matches. But postcode, age and gender stand in both "
        "lists. Join them on these three. Which share of the matched pairs is truly one person?"
    ),
    answer=Number(absolute=0.005, unit="share", low=0, high=1),
    expected=lambda world: _q2_facts(world)["precision"],
    facts=_q2_facts,
    mistakes=[
        Mistake(
            "recall",
            lambda f: f.recall,
            "That is the recall: of the common customers, the share that was found. Asked for is "
            "the share of the pairs that is right.",
        ),
        Mistake(
            "tokens",
            0.0,
            "That is what the tokens match. Join on the other three columns.",
        ),
        Mistake(
            "count",
            lambda f: f.correct,
            "That is how many pairs are right. Divide by how many pairs there are.",
        ),
        Mistake(
            "of_list",
            lambda f: f.of_list,
            "You divided by the length of a list. Divide by the number of matched pairs.",
        ),
        Mistake(
            "wrong_ones",
            lambda f: 1 - f.precision,
            "That is the share of the pairs that is wrong.",
        ),
    ],
    hints=[
        "`beside(broker)` and `beside(insurer)` are the three columns written as one.",
        "`link_partners(...)` takes both and tells `matched`, `correct`, `recall` and `precision`.",
        "`precision` is an interval: its `.value` is the share.",
    ],
    solution="answer = link_partners(beside(broker), beside(insurer)).precision.value",
    why=(
        "{correct} of {matched} pairs are right, and {recall:.0%} of the common customers are "
        "among them. No key was needed, and no token. What singles somebody out is the "
        "combination of ordinary columns. That is the subject of lesson 05."
    ),
)


_THIEVES = {
    "a": "the data file, the present key file, the new master key",
    "b": "the data file, the old copy of the key file, the new master key",
    "c": "the data file, the old copy of the key file, the old master key",
    "d": "the old copy of the key file and the old master key, but no data file",
    "e": "a spreadsheet that was exported before the erasure",
}

Q3 = Exercise(
    id="q3",
    prompt=(
        "She is erased, and the master key is changed. Which thieves can still read her? "
        "Give a set of letters."
    ),
    answer=Choices(_THIEVES),
    expected=lambda world: frozenset(k for k in _THIEVES if _thefts(world)["reads"][k]),
    facts=lambda world: {
        "name": _thefts(world)["name"],
        "left": _thefts(world)["people"]["a"],
        "back": _thefts(world)["people"]["c"],
    },
    mistakes=[
        Mistake(
            "no_key_in_it",
            {"a", "c", "e"},
            "The present key file has no key of hers any more, so a new master key opens nothing "
            "that is hers.",
            when=lambda answer, f: "a" in answer,
        ),
        Mistake(
            "new_opens_old",
            {"b", "c", "e"},
            "The keys in the old copy are wrapped by the old master key. The new one does not "
            "open them.",
            when=lambda answer, f: "b" in answer,
        ),
        Mistake(
            "keys_without_data",
            {"c", "d", "e"},
            "Keys alone open nothing: without the data file there is nothing to decrypt.",
            when=lambda answer, f: "d" in answer,
        ),
        Mistake(
            "forgot_export",
            {"c"},
            "Not every copy was ever encrypted. Which of the thieves needs no key?",
            when=lambda answer, f: "e" not in answer,
        ),
        Mistake(
            "forgot_backup",
            {"e"},
            "The old copy of the key file and the old master key belong together. What if "
            "somebody kept both?",
            when=lambda answer, f: "c" not in answer,
        ),
    ],
    hints=[
        "To read her takes three things at once: her cells, her wrapped key, and the master key "
        "that wrapped it.",
        "Go through the letters with `breach(folder, [...], key, keys_backup=old_copy)`, or leave "
        "`keys_backup` out for the present key file.",
        "One of the thieves has something that never was in the vault.",
    ],
    solution='answer = {"c", "e"}',
    why=(
        "The present files and key give {left:,} people, and {name} is not among them. The old "
        "copy with the old master key gives {back:,}, and she is. So destroy the old master key "
        "as well. A plain export is out of reach of every key: keep a list of who exports what."
    ),
)


@per_world
def _q4_facts(world: Any) -> dict[str, Any]:
    from ethicalai_lab.privacy.pseudonymization import rotation_bill

    bought = world.events[world.events["kind"] == "purchase"]
    bills = {
        name: rotation_bill(
            bought["customer_id"], bought["time"], days=days, start=START, stolen=THEFT
        )
        for name, days in ROTATIONS.items()
    }
    joins = {name: found.joins_kept.value for name, found in bills.items()}
    return {
        "joins": joins,
        "exposed": {name: found.exposed.value for name, found in bills.items()},
        "joins_monthly": joins["monthly"],
        "joins_quarterly": joins["quarterly"],
    }


def _judged(f: Any, **change: Any) -> dict[str, Any]:
    return {
        "rotation": "quarterly",
        "holder": "separate_team",
        "reason": "limit a theft",
        "joins_quarterly": f.joins_quarterly,
        "least_joins": 0.0,
        **change,
    }


Q4 = Exercise(
    id="q4",
    prompt=(
        "Your judgement. How often should the tokens of the analytics table change, who holds "
        "the key, and for which reason? Give the share of joins that a quarterly change keeps, "
        "from the table `bill`, and the smallest share of joins that you would still work with."
    ),
    answer=Judgement(
        fields={
            "rotation": Choice(list(ROTATIONS)),
            "holder": Choice(["same_team", "separate_team", "third_party"]),
            "reason": Choice(["keep joins", "limit a theft"]),
            "joins_quarterly": Number(absolute=0.01, unit="share"),
            "least_joins": Number(unit="share"),
        },
        own={"joins_quarterly": "joins_quarterly"},
    ),
    expected=lambda world: None,
    facts=_q4_facts,
    reference=lambda f: _judged(f, least_joins=f.joins_quarterly - 0.02),
    mistakes=[
        Mistake(
            "no_share",
            lambda f: _judged(f, least_joins=60),
            "`least_joins` is a share, between 0 and 1.",
            when=lambda a, f: not 0 <= a["least_joins"] <= 1,
        ),
        Mistake(
            "below_own_floor",
            lambda f: _judged(f, rotation="monthly", least_joins=f.joins_monthly + 0.1),
            "By the table, the rotation you chose keeps fewer joins than you say you can work "
            "with.",
            when=lambda a, f: f.joins[a["rotation"]] < a["least_joins"] - 0.005,
        ),
        Mistake(
            "theft_without_rotation",
            lambda f: _judged(f, rotation="never"),
            "Your reason is to limit a theft, and tokens that never change are of use to a thief "
            "for ever.",
            when=lambda a, f: a["reason"] == "limit a theft" and a["rotation"] == "never",
        ),
        Mistake(
            "key_beside_tokens",
            lambda f: _judged(f, holder="same_team"),
            "Your reason is to limit a theft. If the team that uses the tokens holds the key too, "
            "one break-in yields both.",
            when=lambda a, f: a["reason"] == "limit a theft" and a["holder"] == "same_team",
        ),
        Mistake(
            "joins_with_fewest",
            lambda f: _judged(f, rotation="monthly", reason="keep joins"),
            "Your reason is to keep joins, and you chose the rotation that keeps the fewest.",
            when=lambda a, f: a["reason"] == "keep joins" and a["rotation"] == "monthly",
        ),
    ],
    hints=[
        "The figure stands in the table `bill`, column `joins kept`. Give it as a share.",
        "Compare the row of your rotation with your own smallest share.",
        "What does each reason ask for: tokens that stay, or tokens that go?",
    ],
    solution=(
        "answer = {\n"
        '    "rotation": "quarterly",\n'
        '    "holder": "separate_team",\n'
        '    "reason": "limit a theft",\n'
        '    "joins_quarterly": bill.loc["quarterly", "joins kept"],\n'
        '    "least_joins": 0.5,\n'
        "}"
    ),
    why=(
        "This holds together. A quarterly change keeps {joins_quarterly:.0%} of the joins, a "
        "monthly one {joins_monthly:.0%}. Somebody who needs long histories may choose otherwise, "
        "if the key is kept well away from the tokens."
    ),
)


# -------------------------------------------------------------------------------- quiz

QUIZ1 = Quiz(
    id="quiz1",
    prompt=(
        "“We hold tokens only. Our service provider keeps the key for us and uses it when we ask.” "
        "Does this company hold personal data?"
    ),
    options=[
        Option(
            "a",
            "No: without the key, tokens are noise.",
            "The company has the key used whenever it asks. Additional information kept elsewhere "
            "is what makes data pseudonymous; it does not make them anonymous.",
        ),
        Option(
            "b",
            "No: the Court of Justice decided so in 2025.",
            "The judgment is about a recipient without reasonable means to identify anybody. "
            "This company has the means: it asks.",
        ),
        Option(
            "c",
            "Yes: it can have every token turned back.",
            "Right: whoever holds the key, or can get it used, can attribute the data to people.",
            right=True,
        ),
    ],
)

QUIZ2 = Quiz(
    id="quiz2",
    prompt=(
        "A firm puts a long random salt in front of each address, one for each row, and sends "
        "the salts along in a column of their own. What has changed for a clerk who looks for "
        "one neighbour in one row?"
    ),
    options=[
        Option(
            "a",
            "Nothing: as many guesses as before.",
            "Right: a salt that is sent along joins every guess. It makes the whole list dearer, "
            "because no guess serves two rows any more.",
            right=True,
        ),
        Option(
            "b",
            "The search has become hopeless, because the salt is long and random.",
            "The clerk need not guess the salt: it stands in the next column.",
        ),
        Option(
            "c",
            "Only the telephone numbers can still be found.",
            "Addresses and numbers are guessed in the same way, with the salt in front.",
        ),
    ],
)

LESSON = Lesson(
    number="04",
    title="Pseudonymization: who holds the key?",
    exercises=[Q1, Q2, Q3, Q4],
    quizzes=[QUIZ1, QUIZ2],
    predictions=[P1, P2, P3],
    setup="""
import pandas as pd
from ethicalai_lab.privacy.pseudonymization import (
    dictionary_attack, expand_pattern, hash_values, link_partners, rotation_bill,
)
people = world.customers.set_index("customer_id")
broker = people.nlargest(2_000, "financial_stress")
insurer = people.nlargest(2_000, "health_interest")
alone = (broker["gender"] == "female") & ~broker["full_name"].duplicated(keep=False)
neighbour = broker[alone].iloc[0]
first, last = neighbour["full_name"].lower().split()
guesses = [
    guess for host in ("com", "net", "org") for digits in range(1, 6)
    for guess in expand_pattern(f"{first}.{last}{'#' * digits}@example.{host}")
]
attack = dictionary_attack(hash_values(broker["email"]), guesses)
def beside(table):
    return table[["postcode", "age", "gender"]].astype(str).agg(" ".join, axis=1)
bought = world.events[world.events["kind"] == "purchase"]
rotations = {"never": None, "half-yearly": 180, "quarterly": 90, "monthly": 30}
bills = {
    name: rotation_bill(bought["customer_id"], bought["time"], days=days,
                        start="2025-01-01", stolen="2025-02-01")
    for name, days in rotations.items()
}
bill = pd.DataFrame({name: {"joins kept": found.joins_kept.value} for name, found in bills.items()}).T
""",
    decides="pseudonymization",
)
