"""What a snapshot freezes of the lab's behaviour, part by part (see `tools.snapshot`).

A part meets the package only in the functions named ``_lab_...`` at its top. Where the package
changes its names, they change with it, and the golden files stay as they are.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import itertools
import json
import math
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

Cases = Iterator[tuple[str, Callable[[], Any]]]


# -- worlds: every table of the synthetic world, by checksum ------------------------------


@functools.lru_cache(maxsize=2)
def _lab_world(n: int, seed: int, **knobs: Any) -> Any:
    from ethicalai_lab.world import WorldConfig, make_world

    return make_world(n, seed=seed, config=WorldConfig(**knobs))


def _lab_tables(world: Any) -> tuple[dict[str, str], dict[str, pd.DataFrame]]:
    truth = {f"truth.{name}": table for name, table in world.truth.tables.items()}
    return world.checksums(), {**world.tables, **truth}


KNOBS = {
    "no_bias": {"label_bias": 0.0, "proxy_strength": 0.0, "representation": 1.0},
    "strong_bias": {"label_bias": 1.0, "proxy_strength": 1.0, "representation": 0.3},
    "same_effects": {"effect_heterogeneity": 0.0, "register_coverage": 0.2},
    "wary_and_nudged": {"privacy_concern": 0.8, "consent_default": "nudged"},
    "california_pre_ticked": {"regime_mix": (0.0, 1.0, 0.0), "consent_default": "pre_ticked"},
}


def _digest(column: pd.Series) -> str:
    rows = pd.util.hash_pandas_object(column, index=False).to_numpy().astype("<u8")
    return f"{column.dtype} {hashlib.sha256(rows.tobytes()).hexdigest()[:16]}"


def worlds() -> Cases:
    """Yield the worlds of seeds 1 and 7, small ones with other knobs among them."""

    def case(n: int, seed: int, knobs: dict[str, Any]) -> Any:
        checksums, tables = _lab_tables(_lab_world(n, seed, **knobs))
        about = {}
        for name, table in tables.items():
            columns = {column: _digest(table[column]) for column in table}
            about[name] = {"columns": columns, "order": list(table), "sha256": checksums[name]}
        return {"order": list(tables), "tables": about}

    for seed in (1, 7):
        yield f"seed_{seed}", functools.partial(case, 20_000, seed, {})
        for name, knobs in KNOBS.items():
            yield f"seed_{seed}_{name}", functools.partial(case, 2_000, seed, knobs)


# -- feedback: what the lessons say to right, wrong and odd answers -----------------------


def _lab_lessons() -> list[str]:
    from ethicalai_lab.lessons.questions import declared_lessons

    return declared_lessons()


def _lab_questions(number: str) -> Iterator[SimpleNamespace]:
    """Yield a lesson's questions: name, asked, answers to try, and how to judge one."""
    from ethicalai_lab.lessons.answers import Choices
    from ethicalai_lab.lessons.lesson import course_world
    from ethicalai_lab.lessons.questions import Exercise, Quiz, declaration

    lesson = declaration(number)
    known = lesson.known(course_world())
    for item in lesson.items.values():
        asked = {"prompt": item.ask}
        if isinstance(item, Exercise):
            reference = item.known_of(known).expected
            if isinstance(item.form(known), Choices):  # in whichever form the solution gives them
                reference = item.form(known).read(reference)
            answers = {"reference": reference, "untouched": ...}
            answers |= {f"mistake {m.name}": item.example_of(m, known) for m in item.mistakes}
            asked["hints"] = list(item.hints)
        elif isinstance(item, Quiz):
            asked["choices"] = item.choices
            answers = {"untouched": ..., "no option": "z"} | {key: key for key in item.choices}
        else:
            asked |= {"choices": item.choices, "came true": item.known_of(known).expected}
            asked["result"] = item.result(known)
            answers = {}

        def judge(answer: Any, item: Any = item) -> dict[str, str]:
            said = item.judge(answer, known)
            return {"kind": said.kind, "mistake": said.mistake, "text": said.message}

        yield SimpleNamespace(id=item.id, asked=asked, answers=answers, judge=judge)


def typical(reference: Any) -> dict[str, Any]:
    """Return typical answers that no exercise declares, by what they are.

    Examples
    --------
    >>> typical(0.25)["percent"], typical(0.25)["inverse"], typical({"a", "b"})["text"]
    (25.0, 4.0, 'a, b')
    """
    odd: dict[str, Any] = {"none": None, "nan": math.nan, "infinite": math.inf, "no text": ""}
    odd |= {"word": "about half", "empty list": [], "function": len, "true": True, "zero": 0}
    odd["table"] = pd.DataFrame({"answer": [0.1, 0.2]})
    if isinstance(reference, int | float):
        v = float(reference)
        odd |= {"percent": 100 * v, "percent text": f"{v:.1%}", "text": repr(v), "list": [v]}
        odd |= {"array": np.array([v]), "comma": f"{v:.3f}".replace(".", ",")}
        odd |= {"rounded": round(v, 2), "near": v * 1.03, "inverse": 1 / v if v else 0.0}
        return odd | {"rounded far": round(v, 1), "complement": 1 - v, "negative": -v}
    if isinstance(reference, dict):
        figures = {key: v for key, v in reference.items() if type(v) in (int, float)}
        odd["a field less"] = dict(list(reference.items())[:-1])
        odd |= {"a field more": reference | {"more": 1}}
        odd["a field open"] = reference | {next(iter(reference)): ...}
        odd["percent"] = reference | {key: 100 * v for key, v in figures.items()}
        odd["rounded"] = reference | {key: round(v, 1) for key, v in figures.items()}
        return odd | {"text": reference | {key: str(v) for key, v in figures.items()}}
    if isinstance(reference, set | frozenset):
        each = sorted(reference)
        odd |= {"text": ", ".join(each), "list": each, "backwards": each[::-1], "first": each[0]}
        return odd | {"one less": set(each[1:]), "one more": {*each, "more"}, "empty set": set()}
    values = np.asarray(reference)
    odd |= {"list": values.tolist(), "array": values, "text": [str(v) for v in values]}
    odd |= {"inverse": values == 0, "half": values[: len(values) // 2], "backwards": values[::-1]}
    return odd | {"numbers": values.astype(float), "a table of it": pd.DataFrame({"x": values})}


def feedback() -> Cases:
    """Yield what each lesson says to references, mistakes and typical undeclared answers."""

    def case(number: str) -> Any:
        found = {}
        for question in _lab_questions(number):
            answers = dict(question.answers)
            if "reference" in answers:
                more = typical(answers["reference"])
                answers |= {f"typical {name}": answer for name, answer in more.items()}
            said = {name: question.judge(answer) for name, answer in answers.items()}
            found[question.id] = {"asked": question.asked, "said": said}
        return found

    for number in _lab_lessons():
        yield f"lesson_{number}", functools.partial(case, number)


# -- scorecards: the presets on a world and on a table of one's own ------------------------


def _lab_presets() -> list[str]:
    from ethicalai_lab.policy import PRESETS

    return list(PRESETS)


def _lab_card(name: str, world: Any = None) -> dict[str, Any]:
    """Return a preset's scorecard as its JSON, on a world or on the table in the work folder."""
    from ethicalai_lab.policy import evaluate, preset
    from ethicalai_lab.tables import load_table

    ground = load_table("own.csv", "roles.yaml") if world is None else world
    return json.loads(evaluate(preset(name), ground).to_json())


ROLES = """\
columns: {person: identifier, age: [protected, quasi_identifier, feature], town: quasi_identifier,
  gender: protected, ethnic_group: protected, recency: feature, sports: feature, fashion: feature,
  strain: sensitive, mail: treatment, visit: outcome, spend: outcome, unsubscribed: outcome,
  agreed: consent, day: time}
control: none
outcome: visit
"""
RULES = """\
set_by: the board
rules: {value.share_contacted: {max: 0.25}, privacy.columns_in_use: {max: 3}}
"""


def own_table(n: int = 3_000) -> str:
    """Return a company's invented experiment as CSV: letters move recent buyers most.

    Examples
    --------
    >>> own_table(2).splitlines()[1]
    'p00000,52,west,f,B,3,0,1,high,letter,0,0.0,0,no,2025-04-10'
    """
    u = np.random.default_rng(2026).random((14, n))
    recency = (1 + 12 * u[0]).astype(int)
    mail = np.array(["none", "letter", "card"])[(3 * u[1]).astype(int)]
    chance = 0.1 + 0.25 * (recency < 5) * (mail == "letter") + 0.08 * (mail == "card")
    visit = (u[2] < chance).astype(int)
    gender = np.where(u[3] < 0.45, "m", np.where(u[3] < 0.93, "f", "x"))
    table = {
        "person": [f"p{i:05d}" for i in range(n)],
        "age": (16 + 70 * u[4] ** 1.5).astype(int),
        "town": np.array(["north", "south", "east", "west"])[(4 * u[5] ** 2).astype(int)],
        "gender": gender,
        "ethnic_group": np.where(u[6] < 0.5 + 0.02 * recency, "A", "B"),
        "recency": recency,
        "sports": (u[7] < 0.5).astype(int),
        "fashion": (u[8] < 0.4 + 0.2 * (gender == "f")).astype(int),
        "strain": np.where(u[9] < 0.3, "high", "low"),
        "mail": mail,
        "visit": visit,
        "spend": (visit * (10 + 60 * u[10])).round(2),
        "unsubscribed": ((u[13] < 0.05) & (mail != "none")).astype(int),
        "agreed": np.where(u[11] < 0.6, "yes", "no"),
        "day": pd.Timestamp("2025-03-01") + pd.to_timedelta((90 * u[12]).astype(int), unit="D"),
    }
    return pd.DataFrame(table).to_csv(index=False, lineterminator="\n")


@contextlib.contextmanager
def work_folder() -> Iterator[None]:
    """Work in a new folder that holds the own table and its roles, and remove it."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("own.csv").write_text(own_table(), encoding="utf-8", newline="\n")
        Path("roles.yaml").write_text(ROLES, encoding="utf-8", newline="\n")
        yield


def scorecards() -> Cases:
    """Yield the scorecard of every preset on both grounds."""

    def case(name: str, ground: str) -> Any:
        with work_folder():
            card = _lab_card(name, _lab_world(5_000, 7) if ground == "world" else None)
        del card["about"]["version"]
        rows = {f"{row['dimension']}.{row['measure']}": row for row in card["measures"]}
        return card | {"measures": rows, "order": list(rows)}

    for ground, name in itertools.product(("world", "own"), _lab_presets()):
        yield f"{ground}_{name}", functools.partial(case, name, ground)


# -- rooms: audits, anonymity, releases and the ledger's answers ---------------------------


def _lab_audit(*args: Any, **named: Any) -> dict[str, Any]:
    from ethicalai_lab.fairness import audit

    found = audit(*args, **named)
    names = ("overall", "overall_low", "overall_high", "by_group", "by_group_low", "by_group_high")
    names += ("disparities", "denominators", "four_fifths", "calibration", "chance", "undefined")
    return {name: getattr(found, name) for name in names}


def _lab_anonymity(table: pd.DataFrame, names: list[str], **named: Any) -> dict[str, Any]:
    from ethicalai_lab.privacy import anonymity

    rows = anonymity(table, names, **named).to_frame()
    return dict(zip(rows["measure"], rows["value"], strict=True))


def _lab_release(table: pd.DataFrame, cuts: dict[str, Any], **named: Any) -> dict[str, Any]:
    """Return a release; `cuts` gives a column a number of digits or the widths of intervals."""
    from ethicalai_lab.privacy import Hierarchy, KAnonymizer

    kinds = {int: Hierarchy.prefix, list: Hierarchy.intervals}
    made = {name: kinds[type(cut)](cut) for name, cut in cuts.items()}
    tool = KAnonymizer(hierarchies=made or None, **named)
    release = tool.fit_transform(table)
    return {"kept": tool.kept_, "loss": vars(tool.loss_), "release": release}


def _lab_ledger(world: Any, changes: bool, **named: Any) -> SimpleNamespace:
    """Return a ledger of the world's consent; after `changes`, with more said and one erased."""
    from ethicalai_lab.consent import ConsentLedger

    ledger = ConsentLedger(None, now=world.as_of, **named)
    ledger.register(world.customers[["customer_id", "jurisdiction", "birth_date"]])
    ledger.record(world.consent_events)
    if changes:
        said = {"notice_version": "2025-1", "source": "preference_centre", "regime": "gdpr"}
        acts = ("object", "withdraw", "grant", "refuse", "opt_out")
        for person in range(1, 101):
            act = {"action": acts[person % 5], "time": f"2025-1{person % 3}-01"}
            ledger.record({"person": person, "purpose": "direct_marketing", **act, **said})
        ledger.erase(int(world.customers["customer_id"].iloc[7]))
    names = ledger.purposes.names
    return SimpleNamespace(permitted=ledger.permitted, choices=ledger.choices, names=names)


def audits() -> Cases:
    """Yield audits of the old programme and of the experiment."""
    world = _lab_world(5_000, 7)
    band = pd.cut(world.customers["age"], [0, 34, 54, 120], labels=["young", "middle", "old"])
    people = world.customers.assign(age_band=band.astype(str))
    log = world.legacy_log.merge(people, on="customer_id")
    tried = world.campaign.merge(people, on="customer_id")
    sent, mailed = log["action"] != "rest", tried["arm"] != "no_mail"
    group = {"sensitive_features": log["ethnic_group"]}
    person = {"clusters": log["customer_id"], "score": log["propensity"]}
    crossed = {"sensitive_features": tried[["gender", "age_band"]]}
    weight = {"sample_weight": 1 + tried["history"] / 100}
    asked = {
        "log_by_group": (log["visit"], sent, group),
        "log_by_person": (log["visit"], sent, group | person),
        "log_without_outcome": (None, sent, {"sensitive_features": log["age_band"]}),
        "tried_crossed": (tried["visit"], mailed, crossed | {"control_features": tried["channel"]}),
        "tried_weighted": (tried["visit"], mailed, crossed | weight),
    }
    for name, (truth, chosen, named) in asked.items():
        yield name, functools.partial(_lab_audit, truth, chosen, **named)


def anonymity() -> Cases:
    """Yield what the customers' table gives away, by ever more quasi-identifiers."""
    people = _lab_world(5_000, 7).customers
    knows = ["gender", "age", "region", "education", "postcode"]
    for count in range(1, len(knows) + 1):
        ask = functools.partial(_lab_anonymity, people, knows[:count])
        yield f"{count}_known", functools.partial(ask, sensitive="financial_stress")
        yield f"{count}_known_category", functools.partial(ask, sensitive="occupation")
    part = people.iloc[::3]
    yield "population", functools.partial(_lab_anonymity, part, knows[:4], population=people)


def releases() -> Cases:
    """Yield releases by both methods, with and without bounds on the sensitive column."""
    names = ["age", "gender", "postcode", "marital_status"]
    table = _lab_world(2_000, 7).customers[[*names, "full_name", "loyalty_tier"]]
    cuts = {"age": [5, 10, 40], "postcode": int(table["postcode"].str.len().max())}
    plainly = {"drop": ["full_name"], "sensitive": "loyalty_tier"}
    whole = {"method": "full_domain", "suppression": 0.05}
    asked: dict[str, Any] = {
        "mondrian_k5": ({}, {"k": 5}),
        "mondrian_k20": ({}, {"k": 20}),
        "mondrian_l3": ({}, {"k": 5, "l": 3}),
        "mondrian_t": ({}, {"k": 5, "t": 0.2}),
        "mondrian_cuts": (cuts, {"k": 10}),
        "full_domain_k5": (cuts, {"k": 5, **whole}),
        "full_domain_l2": (cuts, {"k": 10, "l": 2, **whole}),
    }
    for name, (made, named) in asked.items():
        yield name, functools.partial(_lab_release, table, made, **plainly, **named)


def ledger() -> Cases:
    """Yield who may be used for what, when and under which rule, as one digit a person."""

    def case(changes: bool, named: dict[str, Any]) -> Any:
        world = _lab_world(5_000, 7)
        book = _lab_ledger(world, changes, **named)
        people = world.customers["customer_id"].to_numpy()
        times = ("2024-06-30", "2025-06-30", "2025-11-15", "2026-01-12")
        found, laws = {}, (None, "gdpr", "ccpa", "other")
        for law, purpose, at in itertools.product(laws, book.names, times):
            said = book.permitted(people, purpose, at, regime=law)
            found[f"{law or 'own'} {purpose} {at}"] = "".join("01"[int(yes)] for yes in said)
        choices = {person: book.choices(person, times[-1]) for person in range(1, 21)}
        return {"permitted": found, "choices": choices}

    yield "as_recorded", functools.partial(case, False, {})
    yield "after_changes", functools.partial(case, True, {})
    yield "default_other", functools.partial(case, True, {"default_regime": "other"})
    yield "child_age_13", functools.partial(case, False, {"child_age": 13})


# -- commands: exit codes, what is printed, and the files written --------------------------


def _lab_command(words: list[str]) -> tuple[int, str]:
    """Run the command; return its exit code, and the version that its texts may hold."""
    from ethicalai_lab import __version__
    from ethicalai_lab.cli import main

    return main(words), __version__


def chains(text: str) -> dict[str, list[str]]:
    r"""Return the commands under each heading of ``snapshot_commands.txt``.

    Examples
    --------
    >>> chains("# why\n[version]\n--version\n")
    {'version': ['--version']}
    """
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            found[line.strip("[]")] = []
        elif line and not line.startswith("#"):
            found[list(found)[-1]].append(line)
    return found


def _told(text: str, version: str) -> str:
    """Return what was printed or written, without version and pictures, which rightly vary."""
    text = re.sub(rf"(?<![\d.]){re.escape(version)}(?![\d.])", "VERSION", text)
    return re.sub(r"data:image/png;base64,[\w+/=]+", "PICTURE", text)


def _ran(command: str) -> dict[str, Any]:
    before = set(Path().rglob("*"))
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code, version = _lab_command(command.split())
    files = {
        path.as_posix(): ""
        if path.suffix == ".parquet"
        else _told(path.read_text("utf-8"), version)
        for path in set(Path().rglob("*")) - before
        if path.is_file()
    }
    told = {"out": _told(out.getvalue(), version), "err": _told(err.getvalue(), version)}
    return {"code": code, "files": files, **told}


def commands() -> Cases:
    """Yield the help of every verb, and chains of commands that share a folder."""

    def case(lines: list[str]) -> Any:
        with work_folder():
            Path("rules.yaml").write_text(RULES, encoding="utf-8")
            Path("broken.yaml").write_text("columns: {visit: outcom}\n", encoding="utf-8")
            Path("broken.csv").write_text("mail,visit\nletter,1\n,2\n", encoding="utf-8")
            _ran("policy new policy.yaml --preset average_practice")
            return {f"{i} {line}": _ran(line) for i, line in enumerate(lines, 1)}

    text = Path(__file__).with_name("snapshot_commands.txt").read_text(encoding="utf-8")
    for name, lines in chains(text).items():
        yield name, functools.partial(case, lines)


PARTS: dict[str, Callable[[], Cases]] = {
    part.__name__: part
    for part in (worlds, feedback, scorecards, audits, anonymity, releases, ledger, commands)
}
