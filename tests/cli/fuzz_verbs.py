"""Throw messy tables, roles, policies, rules and arguments at every verb.

``python tests/cli/fuzz_verbs.py 1400`` runs that many inputs and prints how they ended.
"""

import collections
import contextlib
import datetime
import decimal
import gzip
import io
import json
import os
import random
import signal
import sys
import tempfile
from pathlib import Path

import pandas as pd

from ethicalai_lab import cli
from ethicalai_lab.policy import PRESETS, Policy, preset
from ethicalai_lab.tables import ROLES
from ethicalai_lab.world import make_world

NAMES = (
    *("id", "email", "Age", "sex", "PLZ", "mail", "segment", "visit", "spend", "score", "sent"),
    *("approved", "consent", "email_opt_out", "när", "a b", 'q"uote', "c,omma", "x;y", "tab\there"),
    *("esc\x1b[31m", "new\nline", "", " ", "=1+1", "<b>", "\u202eabc", "n" * 300, "id", "nul\0"),
)
VALUES = (
    *("0", "1", "1", "0", "yes", "no", "Yes", "NO ", "true", "false", "", "NA", "n/a", "-", "?"),
    *("12", "3.5", "30,44", "1.234,50", "€30.44", "12%", "1e308", "-1e308", "inf", "nan", "007"),
    *("12345678901234500001", "2025-01-01", "31.03.2025", "04/13/2025", "03.04.2025", "0000-00-00"),
    *("33657-01-01", "2052-03-01", "2025-01-01 10:00:00+01", "a@b.de", "müller", '"', "'", "a,b"),
    *("\x1b[2J", "\x07", "line\nbreak", "=cmd()", "<script>", "\u202e", "x" * 2000, "none", "mail"),
)
MESSY_YAML = (
    *("", "[", "a: b: c", "columns", "columns: 3", "columns: {}", "&a [*a]", "- 1\n- 2", "\t- x"),
    *("columns: {id: feature}\n" * 2, "set_by: me\nrules: {}", "version: 99", "!!python/none ''"),
    *("{" * 500, "a: !!binary x", "? ? ?", "columns: {\x1b: feature}", "%YAML 9.9\n---\na: 1"),
)
BYTES = (
    *(
        b"",
        b"\xff\xfe\x00",
        b"\x00\x01\x02" * 50,
        b"PAR1garbagePAR1",
        b"PK\x03\x04zip",
        b"\x1f\x8b\x08x",
    ),
    *(
        b"\xef\xbb\xbf",
        "a;b\n1;ü\n".encode("cp1252"),
        "a,b\n1,2\n".encode("utf-16"),
        b"<html>",
        b'{"a":1}',
    ),
)


def table(rng, folder, messy):
    """Write a table; return its name and the columns somebody could think it has."""
    kind = rng.choice(
        ("csv",) * 10 + ("sane",) * 18 + ("parquet",) * 4 + ("xlsx", "gz", "bytes", "folder")
    )
    kind = kind if messy else "sane"
    columns = rng.sample(NAMES, rng.randint(1, 7))
    n = rng.choice((0, 1, 2, 9, 40, 120))
    if kind == "bytes":
        (folder / "t.csv").write_bytes(rng.choice(BYTES) * rng.choice((1, 1, 40)))
        return "t.csv", columns
    if kind == "folder":
        (folder / "t.csv").mkdir()
        return "t.csv", columns
    if kind == "sane":
        columns = ["id", "sex", "Age", "mail", "visit", "approved", "consent", "sent"]
        rows = [
            [
                *(i, rng.choice("fm"), rng.randint(15, 80), rng.choice(("none", "mail"))),
                *(rng.randint(0, 1), rng.randint(0, 1), rng.choice(("yes", "no"))),
                f"2025-0{rng.randint(1, 9)}-11",
            ]
            for i in range(rng.choice((40, 250)))
        ]
        for _ in range(rng.choice((0, 1, 3)) if messy else 0):
            rng.choice(rows)[rng.randrange(8)] = rng.choice(VALUES)
    else:
        pools = [rng.sample(VALUES, rng.choice((1, 2, 2, 4, 9))) for _ in columns]
        rows = [[rng.choice(pool) for pool in pools] for _ in range(n)]
    if kind == "parquet":
        return _parquet(rng, folder, columns, rows), columns
    if kind == "xlsx":
        frame = pd.DataFrame(rows, columns=columns).map(
            lambda v: "".join(c for c in str(v) if c >= " ")
        )
        with contextlib.suppress(Exception):  # what Excel itself cannot hold
            frame.to_excel(folder / "t.xlsx", index=False)
            return "t.xlsx", columns
    mark = rng.choice(",,,;\t|")
    quote = rng.random() < 0.7

    def cell(value):
        text = str(value)
        if quote and any(c in text for c in f'{mark}"\n'):
            return '"' + text.replace('"', '""') + '"'
        return text

    lines = [mark.join(map(cell, row)) for row in [columns, *rows]]
    if messy and rng.random() < 0.15:
        lines.insert(
            rng.randrange(len(lines) + 1),
            rng.choice(("", "sep=;", "# note", mark * 9, '"', "a b c")),
        )
    text = rng.choice(("\n", "\n", "\r\n", "\r")).join(lines) + rng.choice(("\n", ""))
    raw = text.encode(rng.choice(("utf-8",) * 6 + ("utf-8-sig", "utf-16", "cp1252")), "replace")
    if kind == "gz":
        raw = gzip.compress(raw, mtime=0)[: rng.choice((None, -9))]
    (folder / "t.csv").write_bytes(raw)
    return "t.csv", columns


def _parquet(rng, folder, columns, rows):
    import pyarrow as pa
    import pyarrow.parquet as pq

    makers = (
        lambda i, v: v,
        lambda i, v: i,
        lambda i, v: i % 2 == 0,
        lambda i, v: i / 7,
        lambda i, v: float("inf") if i == 3 else float(i),
        lambda i, v: None if i % 5 == 0 else v,
        lambda i, v: decimal.Decimal(i) / 4,
        lambda i, v: datetime.datetime(2025, 1, 1 + i % 28, tzinfo=datetime.UTC),
        lambda i, v: datetime.date(2025, 1 + i % 12, 1),
        lambda i, v: [i],
        lambda i, v: {"a": i},
        lambda i, v: v.encode("utf-16") if isinstance(v, str) else b"",
        lambda i, v: None,
    )
    made = {
        name: [rng_make(i, row[at]) for i, row in enumerate(rows)]
        for at, name in enumerate(columns)
        for rng_make in [rng.choice(makers)]
    }
    pq.write_table(pa.table(made), folder / "t.parquet")
    return "t.parquet"


def roles(rng, folder, columns, messy):
    """Write a roles.yaml, mostly one that fits."""
    if messy and rng.random() < 0.2:
        (folder / "r.yaml").write_text(rng.choice(MESSY_YAML), encoding="utf-8")
        return "r.yaml"
    known = {"id": "identifier", "sex": "protected", "Age": "protected", "mail": "treatment"}
    known |= {"visit": "outcome", "approved": "decision", "consent": "consent", "sent": "time"}
    given, wild = {}, rng.choice((0.1, 0.2, 0.4)) if messy else 0
    if columns[0] != "id" or len(columns) < 8:  # no role is known: enough of each for every verb
        parts = ("treatment", "outcome", "protected", "decision", "quasi_identifier", "feature")
        known = dict(zip(columns, rng.sample(parts, len(parts)), strict=False))
    for name in columns:
        if rng.random() > wild:
            fits = known.get(name, rng.choice(list(ROLES)))
            given[name] = (
                fits if rng.random() >= wild else rng.choice([*ROLES, "rôle", None, 3, []])
            )
    plain = {"columns": given}
    extra = {
        "control": ("none", 0, "0", False, "x", [1]),
        "outcome": ("visit", "spend", "nope", 3),
        "positive": ("yes", 1, True, ["yes", "Yes"], {"visit": "yes"}, {"nope": 1}, []),
        "cluster": ("id", "sex", "nope", 7),
        "format": ({"decimal": ","}, {"dates": "dmy"}, {"separator": ";"}, {"x": 1}, 3),
    }
    for key, values in extra.items():
        if key == "control" and "treatment" not in given.values() and rng.random() >= wild:
            continue
        if rng.random() < (0.9 if key == "control" else wild / 2):
            plain[key] = rng.choice(values) if rng.random() < wild else values[0]
    (folder / "r.yaml").write_text(json.dumps(plain), encoding="utf-8")
    return "r.yaml"


def policy(rng, folder, messy):
    """Write a policy: a preset, with some lines changed."""
    if messy and rng.random() < 0.1:
        (folder / "p.yaml").write_text(rng.choice(MESSY_YAML), encoding="utf-8")
        return "p.yaml"
    chosen = preset(rng.choice(list(PRESETS))) if rng.random() < 0.2 else Policy()
    if rng.random() < 0.8:  # the presets' columns are those of the synthetic world
        ways = {"targeting": rng.choice(("random", "uplift", "response", "everyone")), "share": 0.5}
        chosen = chosen.decide("data", features=None).decide("personalization", **ways)
    chosen.save(folder / "p.yaml")
    lines = (folder / "p.yaml").read_text("utf-8").split("\n")
    for _ in range(rng.choice((1, 2)) if messy else 0):
        at = rng.randrange(len(lines))
        head = lines[at].partition(":")[0]
        wild = (
            f"{head}: {rng.choice(('0', '-1', '1e99', 'x', '[a, b]', 'null', 'true', '.inf'))}",
            "",
            "  x",
        )
        lines[at] = rng.choice(wild)
    (folder / "p.yaml").write_text("\n".join(lines), encoding="utf-8")
    return "p.yaml"


def rules(rng, folder, messy):
    """Write bounds."""
    measures = (
        "value.share_contacted",
        "privacy.columns_in_use",
        "consent.reachable",
        "value.nope",
    )
    if not messy:
        measures = measures[:1]
    bounds = ({"max": 0.5}, {"min": 0.1}, {"max": "x"}, {"min": 2, "max": 1}, {}, {"max": 1e999})
    text = json.dumps(
        {
            "set_by": "us",
            "rules": {rng.choice(measures): rng.choice(bounds if messy else bounds[:2])},
        }
    )
    text = text.replace("Infinity", ".inf")
    (folder / "rules.yaml").write_text(
        rng.choice(MESSY_YAML) if messy and rng.random() < 0.2 else text, encoding="utf-8"
    )
    return "rules.yaml"


def arguments(rng, folder):
    """Return the arguments of one command, having written what it reads."""
    verb = rng.choice(
        ("uplift", "audit-bias", "evaluate") * 3 + ("roles", "policy", "world", "dictionary")
    )
    # one thing is messy, or everything: else nothing would get past the first check
    mess = rng.choice(("table", "table", "roles", "policy", "rules", "arguments", "all", "nothing"))
    data, columns = table(rng, folder, mess in ("table", "all"))
    args = [verb]
    wild = mess in ("arguments", "all")
    outs = ("o.html", "o.json", data, "r.yaml", "no/o.html", ".", "-", "", "o" * 300, "\x1b")

    def out(usual):
        return rng.choice(outs) if wild else usual

    if verb in ("uplift", "audit-bias", "evaluate"):
        own = ["--roles", roles(rng, folder, columns, mess in ("roles", "all"))]
        if verb == "evaluate":
            args += [policy(rng, folder, mess in ("policy", "all"))]
            args += ["--n-boot", rng.choice(("0", "5", "-1") if wild else ("0", "5"))]
            args += _ground(rng, folder, data, own)
            args += ["--json", out("o.json")] if rng.random() < 0.4 else []
            if rng.random() < 0.4:
                args += ["--fail-under", rules(rng, folder, mess in ("rules", "all"))]
        else:
            args += [data, *own, *(["--json"] if rng.random() < 0.4 else [])]
        args += ["--html", out("o.html")] if rng.random() < 0.4 else []
        if verb == "uplift" and rng.random() < 0.3:
            args += ["--by", rng.choice([*columns, "nope"] if wild else columns)]
        if verb == "audit-bias" and wild:
            args += ["--threshold", rng.choice(("0.5", "nan", "x", "1e9"))]
    elif verb == "roles":
        args += [data, *(["--out", out("new.yaml")] if rng.random() < 0.4 else [])]
    elif verb == "policy":
        action = rng.choice(("check", "new", "nope") if wild else ("check", "new"))
        written = policy(rng, folder, mess in ("policy", "all"))
        usual = written if action == "check" else "n.yaml"
        args += [action, rng.choice((written, data, "n.yaml", "no/n.yaml", ".")) if wild else usual]
        if rng.random() < 0.5:
            args += (
                ["--json"] if action == "check" else ["--preset", rng.choice((*PRESETS, "nope"))]
            )
    elif verb == "world":
        args += [rng.choice(("new", ".", data, "no/new")) if wild else "new"]
        args += ["--customers", rng.choice(("1", "2", "50", "0", "x", "-3"))]
    else:
        args += rng.choice(([], ["--truth"]))
    if wild and rng.random() < 0.3:
        args += ["--seed", rng.choice(("0", "7", "-1", "x", "1e9", str(2**40)))]
        args += rng.choice(([], [], ["--nope"], ["extra"], ["--help"], ["\x1b[31m"]))
    return args


def _ground(rng, folder, data, own):
    if rng.random() < 0.9:
        return ["--table", data, *own]
    make_world(200, seed=rng.randrange(5)).to_parquet(folder / "w")
    for damaged in rng.sample(sorted((folder / "w").iterdir()), rng.choice((0, 1))):
        damaged.write_bytes(damaged.read_bytes()[: rng.randrange(50)])
    return ["--world", rng.choice(("w", "w", "w", "nowhere", "t.csv"))]


def state(folder):
    """Return every file of a folder with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def faults(args, code, out, err, before, after):
    """Return what is wrong with how a command ended."""
    found = []
    allowed = {0, 1, 2} if args[0] == "evaluate" else {0, 2}
    if code not in allowed:
        found.append(f"ends with {code}")
    if "Traceback" in out + err or "fault in the lab" in err:
        found.append("a fault of its own")
    if any(not c.isprintable() and c != "\n" for c in out + err):
        found.append("raw control characters")
    if any(after.get(name) != raw for name, raw in before.items()):
        found.append("changed a file that was there")
    if any(".part" in name or name.endswith(".tmp") for name in after):
        found.append("left a temporary file")
    if code == 2:
        # of a policy or of rules every fault is told, each on a line that begins with the file
        each = err.splitlines()
        many = all(line.startswith(("p.yaml", "rules.yaml")) for line in each)
        if not each or (len(each) > 1 and not many):
            found.append(f"{err.count(chr(10))} lines of error")
        if len(err) > 4_000:
            found.append("an error of endless length")
        if set(after) - set(before):
            found.append("wrote files although it failed")
    for name in set(after) - set(before):
        text = after[name]
        if text.startswith(b"<!") and not text.rstrip().endswith(b"</html>"):
            found.append(f"half of {name}")
    if (
        code == 0
        and "--json" in args
        and args[0] in ("uplift", "audit-bias")
        and "--help" not in args
    ):
        try:
            json.loads(out, parse_constant=lambda word: 1 / 0)
        except (ValueError, ZeroDivisionError):
            found.append("no strict JSON")
    return found


def once(seed):
    """Run one input; return its arguments, its exit code, and what is wrong."""
    rng = random.Random(seed)
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        args = arguments(rng, folder)
        os.chdir(folder)
        try:
            before = state(folder)
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = cli.main(args)
            found = faults(args, code, out.getvalue(), err.getvalue(), before, state(folder))
        finally:
            os.chdir(here)
    return args, code, found, err.getvalue()


def main(count, start=0):
    """Run many inputs; print exit codes, faults and hangs; return the number of bad ones."""
    codes, bad = collections.Counter(), 0

    def hung(*_):
        raise TimeoutError("120 s")

    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, hung)
    for seed in range(start, start + count):
        if hasattr(signal, "SIGALRM"):
            signal.alarm(120)
        args, code, found, err = once(seed)
        codes[args[0], code] += 1
        if found:
            bad += 1
            print(f"seed {seed}: {found}\n  {args}\n  {err[:400]!r}", flush=True)
    print(f"{count} inputs, {bad} bad; by exit code:")
    for (verb, code), times in sorted(codes.items()):
        print(f"  {verb:12} {code}: {times}")
    return bad


if __name__ == "__main__":
    sys.exit(bool(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200, *map(int, sys.argv[2:3]))))
