"""The ``ethicalai-lab`` command.

Results go to standard output, everything else to standard error. The command ends
with 0 where all went well, 2 on bad input (one sentence says what and where), 1 where
``evaluate`` finds a rule missed (and ``doctor`` or ``refresh`` a problem), 3 on a fault of
the lab's own, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import errno
import html
import json
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from ethicalai_lab import __version__
from ethicalai_lab.core.reading import reading_html, reading_text
from ethicalai_lab.errors import InputError, printable, shown
from ethicalai_lab.outputs import apart, new_file

__all__ = ["main"]

MAX_CUSTOMERS = 10_000_000
MAX_GROUPS = 100


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(
            2, f"{self.prog}: {shown(message.rstrip('.'), 500)}; `{self.prog} --help` tells more.\n"
        )


def _whole(low: int, high: int) -> Any:
    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or not low <= number <= high:
            raise argparse.ArgumentTypeError(
                f'"{text[:40]}" is not accepted, a whole number from {low} to {high} is'
            )
        return number

    return read


def _finite(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f'"{text[:40]}" is not accepted, a number is')
    return number


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="ethicalai-lab",
        description="Measure how personal automated marketing may be, and at what price.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"ethicalai-lab {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=_Parser)

    def verb(name: str, does: Any, says: str, more: str = "") -> argparse.ArgumentParser:
        added = verbs.add_parser(
            name, help=says, description=f"{says} {more}".strip(), allow_abbrev=False
        )
        added.set_defaults(does=does)
        return added

    seed = _whole(0, 2**32 - 1)

    def own_table(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("data", metavar="DATA", help="CSV (also .gz), Parquet or .xlsx file")
        parser.add_argument("--roles", required=True, help="roles.yaml: the role of each column")
        parser.add_argument("--json", action="store_true", help="print JSON instead of text")
        parser.add_argument("--html", metavar="OUT", help="also write a self-contained web page")
        parser.add_argument("--seed", type=seed, default=0, help="random seed (default 0)")

    uplift = verb(
        "uplift",
        _uplift,
        "Analyse a randomised experiment of your own: the lift of each arm, whom it moves.",
        "DATA needs a treatment and an outcome column; docs/own_table.md has an example.",
    )
    own_table(uplift)
    uplift.add_argument(
        "--by",
        metavar="COLUMN",
        nargs="+",
        default=[],
        help="also compare predicted with observed lift in each group of these columns",
    )

    bias = verb(
        "audit-bias",
        _audit_bias,
        "Audit the decisions in a table of your own: rates by group, gaps, intervals.",
        "DATA needs a protected column, and a decision, score or treatment column.",
    )
    own_table(bias)
    bias.add_argument(
        "--threshold",
        metavar="T",
        type=_finite,
        help="the score from which a person counts as selected, without a decision column",
    )

    roles = verb(
        "roles",
        _roles,
        "Draft a roles.yaml from the column names of a table.",
        "Every line of it is a guess for you to review.",
    )
    roles.add_argument("data", metavar="DATA", help="CSV (also .gz), Parquet or .xlsx file")
    roles.add_argument("--out", help="write it to this new file instead of printing it")

    world = verb("world", _world, "Draw a synthetic world and write its tables as Parquet.")
    world.add_argument("folder", metavar="DIR", help="a new or empty folder")
    world.add_argument(
        "--customers",
        metavar="N",
        type=_whole(1, MAX_CUSTOMERS),
        default=20_000,
        help="number of customers (default 20000)",
    )
    world.add_argument("--seed", type=seed, default=7, help="random seed (default 7)")

    dictionary = verb("dictionary", _dictionary, "Print the world's data dictionary as Markdown.")
    dictionary.add_argument("--truth", action="store_true", help="list the truth's tables too")

    policy = verb("policy", None, "Check a policy file, or start a new one.")
    actions = policy.add_subparsers(
        dest="action", metavar="ACTION", required=True, parser_class=_Parser
    )
    check = actions.add_parser("check", help="say what is decided, undecided or wrong")
    check.add_argument("file", metavar="FILE", nargs="?", help="default: my_policy.yaml")
    check.add_argument("--json", action="store_true", help="print JSON instead of text")
    check.set_defaults(does=_policy_check)
    new = actions.add_parser("new", help="write a commented policy in which nothing is decided")
    new.add_argument("file", metavar="FILE", nargs="?", help="default: my_policy.yaml")
    new.add_argument(
        "--preset",
        metavar="NAME",
        help="begin from a known position with its sources: collect_everything, "
        "average_practice, privacy_first, consent_first or fairness_first",
    )
    new.set_defaults(does=_policy_new)

    evaluate = verb(
        "evaluate",
        _evaluate,
        "Measure the whole bill of a policy, on a synthetic world or a table of your own.",
        "Without --world or --table a world of 20,000 customers is drawn. Ends with 1 where "
        "a rule is missed.",
    )
    evaluate.add_argument("policy", metavar="POLICY", help="policy file, such as my_policy.yaml")
    ground = evaluate.add_mutually_exclusive_group()
    ground.add_argument("--world", metavar="DIR", help="a world that `world` wrote")
    ground.add_argument(
        "--table", metavar="FILE", help="your own CSV (also .gz), Parquet or .xlsx file"
    )
    evaluate.add_argument("--roles", help="roles.yaml of your own table")
    evaluate.add_argument(
        "--fail-under", metavar="RULES", help="rules.yaml: bounds on measures, and who set them"
    )
    evaluate.add_argument(
        "--json", metavar="OUT", help="write the scorecard as JSON; - prints it instead of text"
    )
    evaluate.add_argument("--html", metavar="OUT", help="also write a self-contained web page")
    evaluate.add_argument(
        "--n-boot",
        metavar="N",
        type=_whole(0, 10_000),
        default=200,
        help="resamples of the people, for the intervals (default 200)",
    )
    evaluate.add_argument(
        "--refit",
        metavar="N",
        nargs="?",
        type=_whole(10, 1_000),
        const=40,
        default=0,
        help="also learn and choose anew on N random halves of the people (40 where no number "
        "is given): intervals and bounds then count that chance, too. Takes some seconds",
    )
    evaluate.add_argument("--seed", type=seed, default=0, help="random seed (default 0)")

    consent = verb("consent", None, "Read a consent signal, such as a banner or a browser sends.")
    actions = consent.add_subparsers(
        dest="action", metavar="ACTION", required=True, parser_class=_Parser
    )
    decode = actions.add_parser("decode", help="print its fields")
    decode.add_argument(
        "text",
        metavar="STRING",
        help='a TC string, a GPP string, a US Privacy string, or the header "Sec-GPC: 1"',
    )
    decode.add_argument("--json", action="store_true", help="print JSON instead of text")
    decode.set_defaults(does=_consent_decode)

    page = verb(
        "policy-lab",
        _policy_lab,
        "Open the policy lab as a page of its own, on this computer only.",
        "Needs the extra `present` (Voilà). Ctrl-C ends it.",
    )
    page.add_argument(
        "--port",
        metavar="N",
        type=_whole(1, 65_535),
        help="the first port to try (default 8866); a busy one gives way to the next",
    )
    page.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    page.add_argument(
        "--customers",
        "--n-customers",
        dest="n_customers",
        metavar="N",
        type=_whole(1, MAX_CUSTOMERS),
        default=20_000,
        help="number of synthetic customers (default 20000)",
    )
    page.add_argument("--policy", metavar="FILE", help="the policy file (default: my_policy.yaml)")

    doctor = verb("doctor", _doctor, "Say whether this installation can run the lessons.")
    doctor.add_argument("--quick", action="store_true", help="do not run the lessons")

    refresh = verb("refresh", _refresh, "Re-execute lessons and save them with their outputs.")
    refresh.add_argument("lessons", metavar="NN", nargs="*", help="such as 01 (default: all)")
    refresh.add_argument("--check", action="store_true", help="save nothing, tell what differs")
    return parser


# -- verbs: each returns the exit code ------------------------------------------------


def _uplift(options: argparse.Namespace) -> int:
    from ethicalai_lab.tables.loading import how_read, roles_of
    from ethicalai_lab.tables.roles import TableError, load_roles

    roles = load_roles(options.roles)
    for role in ("treatment", "outcome"):
        if not roles.of(role):
            raise TableError(
                f"{options.roles}: no column has the role {role}; an experiment needs a treatment "
                "(what was done) and an outcome (what was measured)."
            )
    table = _read(options, roles)
    if roles.cluster is not None and table[roles.cluster].duplicated().any():
        raise TableError(
            f'{options.data}: column "{roles.cluster}" (cluster) repeats, and the intervals of '
            "uplift are those of independent rows; keep one row of each, or leave `cluster` out."
        )
    with _stage(f"analysing {len(table):,} rows"):
        from ethicalai_lab.personalization.experiment import analyse_experiment

        report = analyse_experiment(table, roles_of(table), seed=options.seed)
    groups = None if not options.by else report.by_group(_groups(table, options.by))
    if options.html:
        from ethicalai_lab.core.files import write_atomic

        with _stage(f"writing {options.html}"):
            title = f"Uplift: {Path(options.data).name}"
            page = _uplift_page(title, report, groups, options.by, how_read(table))
            write_atomic(options.html, page)
    if options.json:
        found = {"how_read": list(how_read(table))} | report.to_dict()
        if groups is not None:
            found["by_group"] = groups.to_dict(orient="records")
        print(_json(found))
        return 0
    if how_read(table):
        _tell(reading_text(how_read(table)) + "\n")
    _tell(report)
    if groups is not None:
        _tell(f"\nPredicted and observed lift by {', '.join(options.by)}")
        _tell(groups.round(6).to_string(index=False))
    return 0


def _read(options: argparse.Namespace, roles: Any) -> Any:
    """Return one's own table, once what is asked for can be written and replaces nothing read."""
    from ethicalai_lab.tables.loading import load_table

    _page_name(options)
    apart([options.html], [options.data, options.roles])
    with _stage(f"reading {options.data}"):
        return load_table(options.data, roles)


def _groups(table: Any, columns: list[str]) -> Any:
    """Return each row's group: the value of one column, or of several together."""
    from ethicalai_lab.errors import did_you_mean
    from ethicalai_lab.tables.roles import TableError

    labels = None
    for column in columns:
        if column not in table:
            raise TableError(
                f'--by names "{column}", which has no role; accepted are '
                f"{', '.join(table.columns)}.{did_you_mean(column, table.columns)}"
            )
        own = table[column].astype("str").where(table[column].notna())
        if len(columns) > 1:
            own = f"{column}=" + own
        labels = own if labels is None else labels + ", " + own
    if labels.nunique() > MAX_GROUPS:
        raise TableError(
            f"--by {' '.join(columns)} makes {labels.nunique():,} groups; up to {MAX_GROUPS} are "
            "accepted, so name columns with few values."
        )
    return labels


def _uplift_page(title: str, report: Any, groups: Any, by: list[str], read: tuple[str, ...]) -> str:
    """Return the report with its Qini curves as a web page that needs no other file."""
    import pandas as pd

    from ethicalai_lab.plotting import curves

    # below the page's one first heading the report's sections are second ones
    parts = [reading_html(read), report._repr_html_().replace("h4>", "h2>")]
    for arm, ranking in report.rankings.items():
        curve = ranking.curve
        figure = curves(
            {"by predicted uplift": curve},
            y="qini",
            title=f"Qini curve: {arm}",
            ylabel=f"extra {report.outcome} per treated person",
            xlabel="share of people treated, highest predicted uplift first",
            baseline=pd.DataFrame({"share": curve["share"], "qini": curve["random"]}),
        )
        parts.append(f"<h2>Qini curve: {html.escape(str(arm))}</h2>\n{figure._repr_html_()}")
    if groups is not None:
        parts.append(f"<h2>Predicted and observed lift by {html.escape(', '.join(by))}</h2>")
        parts.append(groups.round(6).to_html(index=False))
    return _page(title, "\n".join(parts))


def _audit_bias(options: argparse.Namespace) -> int:
    from ethicalai_lab.tables.loading import roles_of
    from ethicalai_lab.tables.roles import TableError, load_roles

    roles = load_roles(options.roles)
    if not roles.of("protected"):
        raise TableError(
            f"{options.roles}: no column has the role protected; an audit compares the groups "
            "of at least one such column."
        )
    if not any(roles.of(role) for role in ("decision", "score", "treatment")):
        raise TableError(
            f"{options.roles}: no column has the role decision, score or treatment; an audit "
            "needs to know who was chosen."
        )
    table = _read(options, roles)
    with _stage(f"auditing {len(table):,} rows"):
        from ethicalai_lab.fairness import cli_audit

        text = cli_audit(
            table,
            roles_of(table),
            html=options.html,
            json=options.json,
            seed=options.seed,
            threshold=options.threshold,
        )
    print(_seen(text) if options.json else printable(text))
    return 0


def _roles(options: argparse.Namespace) -> int:
    from ethicalai_lab.tables.drafts import suggest_roles

    if options.out:
        new_file(options.out)
    draft = suggest_roles(options.data)
    if not options.out:
        _tell(draft, end="")
        return 0
    from ethicalai_lab.core.files import write_atomic

    write_atomic(options.out, draft)
    _say(f"{options.out} is a draft: review every line.")
    return 0


def _world(options: argparse.Namespace) -> int:
    target = Path(options.folder)
    if target.exists() and not target.is_dir():
        raise InputError(f"{target} is a file; give a new or empty folder.")
    if target.is_dir() and any(target.iterdir()):
        raise InputError(f"{target} is not empty; give a new or empty folder.")
    with _stage(f"drawing {options.customers:,} customers"):
        from ethicalai_lab.world import make_world

        world = make_world(options.customers, seed=options.seed)
    with _stage(f"writing {target}"):
        world.to_parquet(target)
    _tell(f"{target}: {len(world.tables)} tables, {options.customers:,} customers")
    return 0


def _dictionary(options: argparse.Namespace) -> int:
    from ethicalai_lab.world import data_dictionary

    rows = data_dictionary(truth=options.truth)
    columns = [name for name in rows.columns if name != "table"]
    out = ["# Data dictionary", ""]
    out.append("All people and events are synthetic. Every column has one role.")
    for name, part in rows.groupby("table", sort=False):
        out += ["", f"## {name}", "", f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
        for row in part[columns].itertuples(index=False):
            out.append(f"| {' | '.join(_cell(value) for value in row)} |")
    print("\n".join(out))
    return 0


def _policy_check(options: argparse.Namespace) -> int:
    from ethicalai_lab.policy import SECTIONS, Policy, my_policy_path

    path = options.file or my_policy_path()
    policy = Policy.load(path)
    undecided = policy.undecided()
    if options.json:
        print(_json({"file": str(path), "policy": policy.to_dict(), "undecided": undecided}))
        return 0
    _tell(f"{path}: {len(SECTIONS) - len(undecided)} of {len(SECTIONS)} sections decided")
    _tell(policy)
    return 0


def _policy_new(options: argparse.Namespace) -> int:
    from ethicalai_lab.policy import SECTIONS, Policy, my_policy_path, preset

    path = Path(options.file or my_policy_path())
    policy = preset(options.preset) if options.preset else Policy()
    new_file(path)
    policy.save(path)
    decided = len(SECTIONS) - len(policy.undecided())
    said = f"{decided} of {len(SECTIONS)} sections decided" if decided else "nothing decided yet"
    _tell(f"{path}: written, {said}")
    return 0


def _consent_decode(options: argparse.Namespace) -> int:
    from ethicalai_lab.consent import signals

    signal = signals.decode(options.text)
    if options.json:
        print(_json(signal))
    else:
        _tell_fields(signal)
    return 0


def _tell_fields(fields: dict[str, Any], indent: str = "") -> None:
    for name, value in fields.items():
        if isinstance(value, dict):
            _tell(f"{indent}{name}:")
            _tell_fields(value, indent + "  ")
        elif value is not None:  # else its segment is absent
            text = ", ".join(map(str, value)) or "none" if isinstance(value, list) else value
            _tell(f"{indent}{name}: {text}")


def _evaluate(options: argparse.Namespace) -> int:
    if (options.table is None) != (options.roles is None):
        given, lacking = ("--table", "--roles") if options.table else ("--roles", "--table")
        raise InputError(f"{given} is given without {lacking}; a table of your own needs both.")
    _page_name(options)
    used = [options.policy, options.table, options.roles, options.fail_under, options.world]
    apart([options.json, options.html], used)
    from ethicalai_lab.policy.policy import Policy
    from ethicalai_lab.policy.rules import Rules

    policy = Policy.load(options.policy)
    rules = Rules.load(options.fail_under) if options.fail_under else None
    if rules is not None and not len(rules):
        raise InputError(
            f"{options.fail_under} sets no bound, so no rule could be missed; add one, or leave "
            "--fail-under out."
        )
    ground = _ground(options)
    card = _card(options, policy, ground)
    # before anything is written: a rule may name what is not measured
    card = card if rules is None else card.with_rules(rules)
    misses = () if rules is None else rules.check(card)
    # both texts are made before either file is written
    made = card.to_json() if options.json else ""
    page = ""
    if options.html:
        from ethicalai_lab.policy.scorecard import one_page

        page = one_page(card, title=f"Scorecard: {Path(options.policy).name}")
    from ethicalai_lab.core.files import write_atomic

    for out, text in ((options.json, made), (options.html, page)):
        if out not in (None, "-"):
            with _stage(f"writing {out}"):
                write_atomic(out, text)
    if options.json == "-":
        print(_seen(made), end="")
    else:
        _tell(_card_text(options.policy, card), end="")
    for miss in misses:
        # results go to standard output, unless it has to stay JSON
        _tell(miss, file=sys.stderr if options.json == "-" else sys.stdout)
    return 1 if misses else 0


def _card(options: argparse.Namespace, policy: Any, ground: Any) -> Any:
    with _stage(f"evaluating {options.policy}"):
        from ethicalai_lab.policy.evaluation import evaluate

        with _steps(options.refit, "refits") as step:
            return evaluate(
                policy,
                ground,
                n_boot=options.n_boot,
                seed=options.seed,
                refit=options.refit,
                step=step,
            )


def _page_name(options: argparse.Namespace) -> None:
    if options.html == "-":
        raise InputError("--html - is not accepted; give the name of a file to write.")


def _ground(options: argparse.Namespace) -> Any:
    """Return the world or the table on which a policy is evaluated."""
    if options.table:
        from ethicalai_lab.tables.loading import load_table

        with _stage(f"reading {options.table}"):
            return load_table(options.table, options.roles)
    from ethicalai_lab.world import World, make_world

    if options.world:
        with _stage(f"reading {options.world}"):
            return World.from_parquet(options.world)
    with _stage("drawing 20,000 customers"):
        return make_world(20_000)


def _card_text(policy: str, card: Any) -> str:
    """Return a scorecard as a table to read: headings, values, bounds, then what is missing."""
    about = card.facts
    warning = about.pop("experiment", "")
    told = (_ABOUT.get(name, f"{name} {{}}").format(value) for name, value in about.items())
    out = [f"{policy}: {card.summary}", "; ".join(told)]
    if warning:
        out.append(f"Warning: {warning}.")
    if card.how_read:
        out += ["", reading_text(card.how_read)]
    rows = {
        measure.key: (
            measure.measure,
            measure.shown,
            measure.unit,
            "; ".join(f"{limit}{_missed(measure, limit)}" for limit in measure.limits),
        )
        for measure in card.measures
        if measure.value is not None
    }
    widths = [max((len(row[i]) for row in rows.values()), default=0) for i in range(3)]
    for dimension in dict.fromkeys(measure.dimension for measure in card.measures):
        out += ["", dimension]
        here = [measure for measure in card.measures if measure.dimension == dimension]
        for measure in here:
            if measure.key in rows:
                cells = rows[measure.key]
                cells = [*(c.ljust(w) for c, w in zip(cells[:3], widths, strict=True)), cells[3]]
                out.append(f"  {'  '.join(cells)}".rstrip())
                if measure.shown_refits:
                    out.append(f"  {'':{widths[0]}}  {measure.shown_refits}")
        for measure in here:
            if measure.key not in rows:
                bounds = "".join(f"; {limit}: no number" for limit in measure.limits)
                out.append(f"  {measure.measure}: {measure.needs}{bounds}")
    return "\n".join(out) + "\n\n"


_ABOUT = {
    "world": "measured on: {}",
    "n": "{:,} people",
    "seed": "seed of the evaluation {}",
    "n_boot": "{:,} resamples",
    "refits": "{:,} refits",
    "ranked_by": "people are ranked by {}",
}


def _missed(measure: Any, limit: Any) -> str:
    miss = limit.judge(measure)
    unsure = miss.straddles if miss else limit.straddled(measure)
    return f": {'missed' if miss else 'kept'}{', cannot tell for certain' if unsure else ''}"


def _policy_lab(options: argparse.Namespace) -> int:
    from ethicalai_lab.widgets.serve import serve

    return serve(
        port=options.port,
        browser=not options.no_browser,
        n_customers=options.n_customers,
        policy=options.policy,
    )


def _doctor(options: argparse.Namespace) -> int:
    from ethicalai_lab.lessons.doctor import main as doctor

    return doctor(["--quick"] if options.quick else [])


def _refresh(options: argparse.Namespace) -> int:
    from ethicalai_lab.lessons.refresh import refresh

    return int(refresh(options.lessons, check=options.check))


# -- helpers ----------------------------------------------------------------------------


def _tell(text: object, **more: Any) -> None:
    """Print text for people: what would steer their screen is written out."""
    print(printable(str(text)), **more)


def _say(text: str) -> None:
    _tell(text, file=sys.stderr, flush=True)


@contextmanager
def _stage(what: str) -> Iterator[None]:
    """Tell a person at a terminal what takes the time; say nothing to a pipe."""
    shown = sys.stderr is not None and sys.stderr.isatty()
    if shown:
        print(f"{what} ...", end="", file=sys.stderr, flush=True)
    start = time.perf_counter()
    ended = "stopped"
    try:
        yield
        ended = f"{time.perf_counter() - start:.1f} s"
    finally:
        if shown:
            print(f" {ended}", file=sys.stderr, flush=True)


@contextmanager
def _steps(of: int, what: str) -> Iterator[Callable[[], object]]:
    """Give what is to be called after each of so many steps: a bar for a person at a terminal."""
    from tqdm import tqdm

    silent = not of or sys.stderr is None or not sys.stderr.isatty()
    if not silent:
        print(file=sys.stderr)  # the bar has a line of its own
    with tqdm(total=of, desc=what, leave=False, disable=silent, file=sys.stderr) as bar:
        yield bar.update


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "yes" if value else "no"
    return " ".join(str(value).replace("\\", "\\\\").replace("|", "\\|").split())


def _strict(value: Any) -> Any:
    """Return what JSON can hold: a number that is not one becomes null."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _strict(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(part) for part in value]
    if value is None or isinstance(value, str | int | bool):
        return value
    return str(value)


def _json(value: Any) -> str:
    return _seen(json.dumps(_strict(value), indent=2, ensure_ascii=False, allow_nan=False))


def _seen(text: str) -> str:
    """Return JSON in which what would steer a screen is written as JSON writes it."""

    def escaped(found: re.Match[str]) -> str:
        letter = found[0]
        return letter if letter.isprintable() else json.dumps(letter)[1:-1]

    return re.sub(r"[^\n -~]", escaped, text)


_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
       max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { border: 1px solid #767676; padding: .25rem .6rem; text-align: right; }
th[scope=row], td:first-child, caption { text-align: left; }
pre { overflow-x: auto; }
"""


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<main>\n<h1>{html.escape(title)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _quiet_stdout() -> None:
    # the reader of our output has gone; what is still buffered goes nowhere
    try:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        pass


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process unless told otherwise.

    Returns
    -------
    int
        0 done; 1 a rule missed, or what `doctor` and `refresh` found; 2 bad input; 3 a
        fault of the lab's own; 130 interrupted; 141 the reader of the output has gone.

    Examples
    --------
    >>> main(["--version"]) # doctest: +ELLIPSIS
    ethicalai-lab ...
    0
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # an old terminal that lacks a character shows its code instead of failing
            stream.reconfigure(errors="backslashreplace")
    parser = _parser()
    try:
        try:
            options = parser.parse_args(argv)
            if options.verb is None:
                parser.print_help()
                return 0
            code = options.does(options)
        finally:
            sys.stdout.flush()
        return code
    except SystemExit as stop:  # --help, --version, or a refused option
        return stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except InputError as problem:
        _say(str(problem))
        return 2
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    except BrokenPipeError:
        _quiet_stdout()
        return 141
    except MemoryError:
        _say("There is not enough memory for this; try a smaller table or fewer customers.")
        return 3  # not 1: a CI would take it for a rule missed
    except Exception as problem:
        if getattr(problem, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            _quiet_stdout()
            _say(f"The output cannot be written ({os.strerror(problem.errno)}).")  # type: ignore[attr-defined]
            return 2
        if os.environ.get("ETHICALAI_LAB_DEBUG"):
            raise
        text = " ".join(str(problem).split())[:300]
        _say(
            f"A fault in the lab itself ({type(problem).__name__}: {text}); "
            "set ETHICALAI_LAB_DEBUG=1 to see where."
        )
        return 3
