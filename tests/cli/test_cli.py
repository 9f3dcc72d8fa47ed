"""The command: exit codes, one sentence on bad input, strict JSON, whole files."""

import json
import os
import signal
import subprocess
import sys
from html.parser import HTMLParser

import pandas as pd
import pytest

from ethicalai_lab import __version__, cli
from ethicalai_lab.policy import SECTIONS, Policy

HILLSTROM = """
columns: {recency: feature, history: feature, mens: feature, womens: feature, newbie: feature,
          channel: feature, segment: treatment, visit: outcome, conversion: outcome,
          spend: outcome}
control: No E-Mail
outcome: visit
"""
MAILS = "id,mail,visit,age\n" + "".join(
    f"{i},{'none' if i % 2 else 'mail'},{int(i % 7 in (0, 2, 3))},{20 + i % 50}\n"
    for i in range(400)
)
ROLES = "columns: {id: identifier, mail: treatment, visit: outcome, age: feature}\ncontrol: none\n"


def run(*args, cwd=None, env=None, **more):
    """Run the command as a process of its own."""
    repo = more.pop("repo")
    env = {**os.environ, "PYTHONPATH": str(repo), "OMP_NUM_THREADS": "2", **(env or {})}
    return subprocess.run(
        [sys.executable, "-m", "ethicalai_lab", *map(str, args)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env=env,
        timeout=300,
        **more,
    )


def main(capsys, *args):
    """Run the command in this process."""
    code = cli.main([str(arg) for arg in args])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def mails(tmp_path):
    (tmp_path / "mails.csv").write_text(MAILS, encoding="utf-8")
    (tmp_path / "roles.yaml").write_text(ROLES, encoding="utf-8")
    return tmp_path / "mails.csv", tmp_path / "roles.yaml"


# -- as a process


def test_version_and_help_come_without_loading_anything(repo):
    assert run("--version", repo=repo).stdout == f"ethicalai-lab {__version__}\n"
    code = (
        "import sys; from ethicalai_lab.cli import main; main(['--help']); "
        "heavy = {'numpy', 'pandas', 'sklearn', 'pydantic', 'ruamel.yaml'} & set(sys.modules); "
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=repo)
    assert (done.returncode, done.stderr) == (0, "")
    verbs = ("uplift", "roles", "world", "dictionary", "policy", "evaluate", "consent", "doctor")
    for verb in (*verbs, "refresh"):
        assert f"\n    {verb}" in done.stdout


def test_a_process_that_meets_bad_input_ends_with_2_and_one_line(repo, mails, tmp_path):
    data, roles = mails
    data.write_text(MAILS.replace("\n3,none", "\n3,", 1), encoding="utf-8")
    done = run("uplift", data, "--roles", roles, repo=repo)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f'{data}, line 5: column "mail" (treatment) has 1 missing value')


def test_uplift_as_a_process_gives_the_same_json_each_time(repo, mails):
    first = run("uplift", *_args(mails), "--json", repo=repo)
    again = run("uplift", *_args(mails), "--json", repo=repo)
    assert first.returncode == 0
    assert first.stderr == ""
    assert first.stdout == again.stdout
    assert json.loads(first.stdout)["n_rows"] == 400


MAKING = """
import sys
from ethicalai_lab import cli, world
make = world.make_world
def told(*args, **options):
    print("making", flush=True)
    return make(*args, **options)
world.make_world = told
sys.exit(cli.main(["world", "w", "--customers", "1000000"]))
"""


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_an_interrupted_world_ends_with_130_and_leaves_nothing(repo, tmp_path):
    env = {**os.environ, "PYTHONPATH": str(repo)}
    process = subprocess.Popen(
        [sys.executable, "-c", MAKING],
        cwd=tmp_path,
        env=env,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "making\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert (out, err) == ("", "interrupted\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="needs a pipe")
def test_a_reader_who_goes_early_is_no_fault(repo):
    env = {**os.environ, "PYTHONPATH": str(repo)}
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "ethicalai_lab", "dictionary"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        cwd=repo,
        env=env,
    )
    os.close(write)
    assert done.returncode == 141
    assert done.stderr == ""


def test_a_terminal_without_the_characters_is_no_fault(repo, tmp_path):
    (tmp_path / "p.yaml").write_text(
        "version: 1\nlog:\n  reason: \u2603 \u20ac\n", encoding="utf-8"
    )
    done = run("policy", "check", tmp_path / "p.yaml", repo=repo, env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert "\\u2603" in done.stdout


# -- the verbs


def _args(mails):
    data, roles = mails
    return data, "--roles", roles


def test_uplift_as_text_json_and_page(capsys, mails, tmp_path):
    code, out, err = main(capsys, "uplift", *_args(mails))
    assert (code, err) == (0, "")
    table = pd.read_csv(mails[0]).groupby("mail")["visit"].mean()
    lift = table["mail"] - table["none"]
    assert f"{lift:.6f}".rstrip("0") in out
    page = tmp_path / "r.html"
    code, out, _ = main(capsys, "uplift", *_args(mails), "--json", "--html", page, "--by", "visit")
    assert code == 0
    found = json.loads(out)
    assert found["lifts"][0]["lift"] == pytest.approx(lift, abs=1e-12)
    assert {row["group"] for row in found["by_group"]} == {"0", "1"}
    text = page.read_text("utf-8")
    assert "http" not in text.replace("http-equiv", "")
    assert text.count("<h1>") == 1
    assert "<h4" not in text
    assert text.count("<img alt=") == len(found["rankings"]) == 1
    assert "<h2>Predicted and observed lift by visit</h2>" in text


def test_names_in_the_page_are_escaped(capsys, tmp_path):
    (tmp_path / "<b>.csv").write_text(
        MAILS.replace("mail,", "<script>,").replace("visit", "<i>v"), encoding="utf-8"
    )
    (tmp_path / "roles.yaml").write_text(
        ROLES.replace("mail: t", "'<script>': t").replace("visit", '"<i>v"'), encoding="utf-8"
    )
    page = tmp_path / "p.html"
    code, _, err = main(
        capsys, "uplift", tmp_path / "<b>.csv", "--roles", tmp_path / "roles.yaml", "--html", page
    )
    assert (code, err) == (0, "")
    text = page.read_text("utf-8")
    assert "<script" not in text
    assert "<i>" not in text
    assert "&lt;i&gt;v" in text
    tags = set()
    reader = HTMLParser()
    reader.handle_starttag = lambda tag, attrs: tags.add(tag)
    reader.feed(text[text.index("<main>") :])
    assert tags <= {
        "main",
        "h1",
        "h2",
        "div",
        "p",
        "strong",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "img",
    }


def test_uplift_refuses(capsys, mails, tmp_path):
    _, roles = mails
    roles.write_text("columns: {visit: outcome}\n", encoding="utf-8")
    code, out, err = main(capsys, "uplift", *_args(mails))
    assert (code, out) == (2, "")
    assert err.startswith(f"{roles}: no column has the role treatment; an experiment needs")
    roles.write_text(ROLES, encoding="utf-8")
    code, out, err = main(capsys, "uplift", *_args(mails), "--by", "ages")
    assert code == 2
    assert 'accepted are id, mail, visit, age. Did you mean "age"?' in err
    code, out, err = main(capsys, "uplift", *_args(mails), "--by", "id")
    assert code == 2
    assert "makes 400 groups; up to 100 are accepted" in err
    code, out, err = main(capsys, "uplift", *_args(mails), "--html", tmp_path / "no" / "x.html")
    assert code == 2
    assert "its folder does not exist" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mails.csv", "roles.yaml"]


def test_hillstrom_as_published(capsys, shared_data, tmp_path):
    roles = tmp_path / "roles.yaml"
    roles.write_text(HILLSTROM, encoding="utf-8")
    code, out, err = main(
        capsys,
        "uplift",
        shared_data / "hillstrom.csv.gz",
        "--roles",
        roles,
        "--json",
        "--by",
        "mens",
        "womens",
    )
    assert (code, err) == (0, "")
    found = json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    by = {(row["outcome"], row["arm"]): row for row in found["lifts"]}
    mens, womens = by["visit", "Mens E-Mail"], by["visit", "Womens E-Mail"]
    assert (mens["n"], womens["n"], mens["control_n"]) == (21_307, 21_387, 21_306)
    assert [round(mens["lift"], 6), round(womens["lift"], 6)] == [0.076590, 0.045233]
    assert [round(mens["se"], 6), round(womens["se"], 6)] == [0.003386, 0.003234]
    for arm, figures in {
        "Mens E-Mail": [0.182757, 0.012531, 1.422617],
        "Womens E-Mail": [0.151400, 0.008837, 1.077202],
    }.items():
        for outcome, mean, control in zip(
            ("visit", "conversion", "spend"), figures, (0.106167, 0.005726, 0.652789), strict=True
        ):
            assert round(by[outcome, arm]["mean"], 6) == mean
            assert round(by[outcome, arm]["control_mean"], 6) == control
    groups = {row["group"]: row for row in found["by_group"] if row["arm"] == "Womens E-Mail"}
    only_womens, only_mens = groups["mens=0, womens=1"], groups["mens=1, womens=0"]
    assert round(only_womens["observed"], 4) == 0.0740
    assert round(only_mens["observed"], 4) == 0.0111
    assert only_womens["predicted"] > only_mens["predicted"] + 0.02
    assert found["rankings"]["Womens E-Mail"]["qini_coefficient"]["low"] > 0


def test_roles_drafts(capsys, mails, tmp_path):
    code, out, err = main(capsys, "roles", mails[0])
    assert (code, err) == (0, "")
    assert "  mail: treatment\n" in out
    assert "review every line" in out
    draft = tmp_path / "draft.yaml"
    code, nothing, err = main(capsys, "roles", mails[0], "--out", draft)
    assert (code, nothing) == (0, "")
    assert draft.read_text("utf-8") == out
    assert "review every line" in err
    draft.write_text("mine", encoding="utf-8")
    code, _, err = main(capsys, "roles", mails[0], "--out", draft)
    assert code == 2
    assert "is there already and was left alone" in err
    assert draft.read_text("utf-8") == "mine"
    assert main(capsys, "roles", tmp_path / "no.csv")[0] == 2


def test_world_is_written_and_read_back(capsys, tmp_path):
    from ethicalai_lab.world import World, make_world

    folder = tmp_path / "w"
    code, out, err = main(capsys, "world", folder, "--customers", "300", "--seed", "3")
    assert (code, err) == (0, "")
    assert out == f"{folder}: 9 tables, 300 customers\n"
    stored = World.from_parquet(folder)
    fresh = make_world(300, seed=3)
    assert stored.customers["customer_id"].tolist() == fresh.customers["customer_id"].tolist()
    assert stored.campaign["visit"].tolist() == fresh.campaign["visit"].tolist()
    assert list(tmp_path.iterdir()) == [folder]
    code, _, err = main(capsys, "world", folder, "--customers", "300")
    assert code == 2
    assert "is not empty" in err
    (tmp_path / "f").write_text("x", encoding="utf-8")
    assert main(capsys, "world", tmp_path / "f")[0] == 2
    for wrong in ("0", "-1", "ten", "1e3", "99999999999", "9" * 5000):
        code, _, err = main(capsys, "world", tmp_path / "v", "--customers", wrong)
        assert code == 2
        assert "a whole number from 1 to 10000000 is" in err
        assert err.count("\n") == 1
    assert not (tmp_path / "v").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Sec-GPC: 1", "signal: Global Privacy Control\noptOut: True\n"),
        ("1YNN", "optOutSale: N\n"),
        ("COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA", "purposesConsent: 2, 10\n"),
        ("DBABTA~1YNN", "sections:\n  uspv1:\n"),
    ],
)
def test_a_consent_signal_is_decoded(capsys, text, said):
    code, out, err = main(capsys, "consent", "decode", text)
    assert (code, err) == (0, "")
    assert said in out
    told = json.loads(main(capsys, "consent", "decode", text, "--json")[1])
    assert out.startswith(f"signal: {told['signal']}\n")


@pytest.mark.parametrize("text", ["hello", "C", "DBABTA~", "2YNN", "", "Sec-GPC", "C\x1b[2J"])
def test_what_is_no_consent_signal_ends_with_2_and_one_line(capsys, text):
    code, out, err = main(capsys, "consent", "decode", text)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "\x1b" not in err


def test_dictionary_lists_every_column(capsys):
    from ethicalai_lab.world import data_dictionary

    code, out, _ = main(capsys, "dictionary")
    rows = data_dictionary()
    assert code == 0
    lines = out.splitlines()
    assert sum(line.startswith("## ") for line in lines) == rows["table"].nunique()
    cells = [line for line in lines if line.startswith("| ") and "---" not in line]
    assert len(cells) == len(rows) + rows["table"].nunique()
    widths = {line.replace("\\|", "").count("|") for line in cells}
    assert widths == {len(rows.columns)}
    assert "## truth." not in out
    assert "## truth." in main(capsys, "dictionary", "--truth")[1]


def test_policy_new_and_check(capsys, tmp_path, monkeypatch):
    path = tmp_path / "p.yaml"
    code, out, _ = main(capsys, "policy", "new", path)
    assert code == 0
    assert path.read_text("utf-8") == Policy.template()
    code, out, _ = main(capsys, "policy", "check", path)
    assert code == 0
    assert out.startswith(f"{path}: 0 of 12 sections decided\n")
    assert main(capsys, "policy", "new", path)[0] == 2
    Policy.load(path).decide("consent", default="opt_in").save(path)
    code, out, _ = main(capsys, "policy", "check", path, "--json")
    found = json.loads(out)
    assert found["policy"] == {"version": 1, "consent": {"default": "opt_in"}}
    assert found["undecided"] == [section for section in SECTIONS if section != "consent"]
    path.write_text("version: 1\nlog: {kind: x, wit: y}\n", encoding="utf-8")
    code, out, err = main(capsys, "policy", "check", path)
    assert (code, out) == (2, "")
    assert [line.startswith(f"{path}, line 2: ") for line in err.splitlines()] == [True, True]
    monkeypatch.setenv("ETHICALAI_LAB_WORK", str(tmp_path))
    assert main(capsys, "policy", "new")[0] == 0
    assert (tmp_path / "my_policy.yaml").exists()
    assert main(capsys, "policy", "check")[0] == 0


def test_refresh_passes_on_what_it_is_told(capsys):
    code, out, err = main(capsys, "refresh", "no_such_lesson")
    assert (code, out) == (2, "")
    assert "no_such_lesson" in err
    assert err.count("\n") == 1


# -- the frame


def test_without_a_verb_there_is_help(capsys):
    code, out, _ = main(capsys)
    assert code == 0
    assert out.startswith("usage: ethicalai-lab")


@pytest.mark.parametrize(
    "args",
    [
        ["nope"],
        ["uplift"],
        ["uplift", "x"],
        ["policy"],
        ["policy", "nope"],
        ["--nope"],
        ["world", "w", "--seed", "-1"],
        ["uplift", "x", "--role", "y"],
    ],
)
def test_a_wrong_call_is_told_in_one_line(capsys, args):
    code, out, err = main(capsys, *args)
    assert (code, out) == (2, "")
    assert err.startswith("ethicalai-lab")
    assert "--help` tells more.\n" in err
    assert err.count("\n") == 1


def test_a_fault_of_our_own_shows_no_trace_unless_asked(capsys, mails, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("something\nodd")

    monkeypatch.setattr("ethicalai_lab.tables.loading.load_table", broken)
    monkeypatch.delenv("ETHICALAI_LAB_DEBUG", raising=False)
    code, out, err = main(capsys, "uplift", *_args(mails))
    assert (code, out) == (3, "")  # 1 is a rule missed
    assert err.startswith("A fault in the lab itself (RuntimeError: something odd)")
    assert err.count("\n") == 1
    monkeypatch.setenv("ETHICALAI_LAB_DEBUG", "1")
    with pytest.raises(RuntimeError):
        cli.main(["uplift", *map(str, _args(mails))])


def test_a_page_that_cannot_be_written_leaves_the_old_one(capsys, mails, tmp_path, monkeypatch):
    page = tmp_path / "r.html"
    page.write_text("old", encoding="utf-8")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    code, out, err = main(capsys, "uplift", *_args(mails), "--html", page)
    assert (code, out) == (2, "")
    assert "No space left on device" in err
    assert page.read_text("utf-8") == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mails.csv", "r.html", "roles.yaml"]


def test_progress_is_told_to_a_terminal_only(capsys, mails, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    code, _, err = main(capsys, "uplift", *_args(mails))
    assert code == 0
    assert "analysing 400 rows ..." in err


def test_json_is_strict():
    import numpy as np

    text = cli._json({"a": float("nan"), "b": [np.float64("inf"), np.int64(3)], 4: (True, None)})
    assert json.loads(text) == {"a": None, "b": [None, 3], "4": [True, None]}


def test_how_a_table_was_read_is_said_as_text_page_and_json(capsys, tmp_path):
    rows = "".join(
        f"{'none' if i % 2 else 'mail'},{'no' if i % 3 else 'yes'}\n" for i in range(300)
    )
    (tmp_path / "t.csv").write_text("mail,visit\n" + rows, encoding="utf-8")
    roles = 'columns: {mail: treatment, visit: outcome}\ncontrol: none\npositive: "yes"\n'
    (tmp_path / "r.yaml").write_text(roles, encoding="utf-8")
    args = ["uplift", tmp_path / "t.csv", "--roles", tmp_path / "r.yaml"]
    said = 'column "visit" (outcome): yes counts as 1; no as 0.'
    code, out, _ = main(capsys, *args, "--html", tmp_path / "p.html")
    assert (code, out.splitlines()[:2]) == (0, ["How this table was read", f"- {said}"])
    page = (tmp_path / "p.html").read_text("utf-8")
    assert "How this table was read" in page
    assert "yes counts as 1; no as 0." in page
    _, out, _ = main(capsys, *args, "--json")
    assert json.loads(out)["how_read"] == [said]
    Policy().decide("personalization", targeting="random", share=0.5).save(tmp_path / "p.yaml")
    own = ["--table", tmp_path / "t.csv", "--roles", tmp_path / "r.yaml", "--n-boot", "0"]
    code, out, _ = main(capsys, "evaluate", tmp_path / "p.yaml", *own)
    assert f"How this table was read\n- {said}\n" in out
    _, out, _ = main(capsys, "evaluate", tmp_path / "p.yaml", *own, "--json", "-")
    assert json.loads(out)["about"]["how_read"] == [said]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_uplift_of_true_and_false_ranks_people(capsys, tmp_path, kind):
    frame = pd.DataFrame(
        {
            "id": range(800),
            "x": [i // 2 % 2 for i in range(800)],
            "treated": [i % 2 == 0 for i in range(800)],
        }
    )
    frame["visit"] = [
        int((x and t) or i % 5 == 0) for i, x, t in frame.iloc[:, :3].itertuples(index=False)
    ]
    path = tmp_path / f"t.{kind}"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    code, draft, _ = main(capsys, "roles", path)
    assert code == 0
    (tmp_path / "r.yaml").write_text(draft, encoding="utf-8")
    code, out, err = main(capsys, "uplift", path, "--roles", tmp_path / "r.yaml", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    lift = frame.groupby("treated")["visit"].mean()
    assert found["lifts"][0]["lift"] == pytest.approx(lift[True] - lift[False])
    assert [name.lower() for name in found["rankings"]] == ["true"]
