"""`ethicalai-lab evaluate`: what is printed and written, and with which code it ends."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from ethicalai_lab import cli
from ethicalai_lab.policy import Policy
from ethicalai_lab.policy.scorecard import Scorecard
from ethicalai_lab.world import make_world

ROLES = (
    "columns: {id: identifier, mail: treatment, visit: outcome, age: [feature, protected]}\n"
    "control: none\n"
)
MAILS = "id,mail,visit,age\n" + "".join(
    f"{i},{'none' if i % 2 else 'mail'},{int(i % 7 in (0, 2, 3))},{20 + i % 50}\n"
    for i in range(400)
)
RULES = """
set_by: the ethics board
rules:
  value.share_contacted: {max: 0.25}
  duty.tampering_noticed: {min: 0.9, set_by: the auditor}
  privacy.columns_in_use: {max: 3}
  consent.reachable: {min: 0.1}
"""


def main(capsys, *args):
    code = cli.main([str(arg) for arg in args])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mails.csv").write_text(MAILS, encoding="utf-8")
    (tmp_path / "roles.yaml").write_text(ROLES, encoding="utf-8")
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    Policy().decide("personalization", targeting="random", share=0.5).save(tmp_path / "p.yaml")
    return tmp_path


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate") / "world"
    make_world(600, seed=3).to_parquet(folder)
    return folder


OWN = ("--table", "mails.csv", "--roles", "roles.yaml", "--n-boot", "20")


def test_a_table_is_measured_and_shown_by_dimension(capsys, files):
    code, out, err = main(capsys, "evaluate", "p.yaml", *OWN)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("p.yaml: ")
    assert "400 people" in lines[1]
    heads = [line for line in lines if line and not line.startswith(" ")][2:]
    assert heads == ["value", "privacy", "fairness", "consent", "transparency", "duty"]
    assert "  reachable: needs a column with the role consent that says yes or no" in out
    (shown,) = [line for line in lines if line.startswith("  share_contacted")]
    assert "0.5" in shown or "50" in shown
    assert "selection_gap_age_band" in out


def test_the_same_seed_gives_the_same_text_and_another_another(capsys, files):
    first = main(capsys, "evaluate", "p.yaml", *OWN, "--seed", "1")
    assert main(capsys, "evaluate", "p.yaml", *OWN, "--seed", "1") == first
    assert main(capsys, "evaluate", "p.yaml", *OWN, "--seed", "2")[1] != first[1]


def test_json_alone_on_standard_output(capsys, files):
    code, out, err = main(
        capsys, "evaluate", "p.yaml", *OWN, "--json", "-", "--fail-under", "rules.yaml"
    )
    assert code == 1
    found = json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert found["about"]["n"] == 400
    assert [line.split(" ")[0] for line in err.splitlines()] == [
        "value.share_contacted",
        "duty.tampering_noticed",
        "consent.reachable",
    ]
    card = Scorecard.from_json(out)
    assert card["value.share_contacted"].value == 0.5
    assert card["value.share_contacted"].set_by == "the ethics board"


def test_refits_are_printed_and_written(capsys, files, world):
    options = ("--n-boot", "20", "--json", "card.json", "--html", "card.html", "--refit")
    code, out, err = main(capsys, "evaluate", "p.yaml", "--world", world, *options, "10")
    assert (code, err) == (0, "")
    assert "10 refits" in out.splitlines()[1]
    card = Scorecard.from_json(files / "card.json")
    assert card.about["refits"] == 10
    wide = [m for m in card.measures if m.shown_refits]
    assert "fairness.selection_gap_gender" in [m.key for m in wide]
    page = (files / "card.html").read_text("utf-8")
    lines = out.splitlines()
    for measure in wide:
        at = next(i for i, line in enumerate(lines) if line.startswith(f"  {measure.measure} "))
        assert lines[at + 1].strip() == measure.shown_refits
        # below the value
        assert lines[at].index(measure.shown) == lines[at + 1].index(measure.shown_refits)
        assert measure.shown_refits in page


def test_forty_refits_where_no_number_is_given_and_none_unless_asked(capsys, files):
    code, out, _ = main(capsys, "evaluate", "p.yaml", *OWN, "--json", "-", "--refit")
    card = Scorecard.from_json(out)
    assert (code, card.about["refits"]) == (0, 40)
    assert any(measure.refits is not None for measure in card.measures)
    code, out, _ = main(capsys, "evaluate", "p.yaml", *OWN, "--json", "-")
    assert (code, "refits" in out) == (0, False)


def test_each_missed_rule_is_named_with_value_limit_and_who_set_it(capsys, files):
    code, out, err = main(capsys, "evaluate", "p.yaml", *OWN, "--fail-under", "rules.yaml")
    assert (code, err) == (1, "")
    shares, log, consent = out.splitlines()[-3:]
    assert shares.startswith("value.share_contacted is ")
    assert "the ethics board asks for at most" in shares
    assert log.startswith("duty.tampering_noticed is 0")
    assert "the auditor asks for at least" in log
    # what has no number is not passed over
    assert consent.startswith("consent.reachable has no number: needs a column with the role")
    assert "the ethics board" in consent
    table = out.splitlines()[:-3]
    assert any("share_contacted" in line and ": missed" in line for line in table)
    assert any("columns_in_use" in line and ": kept" in line for line in table)
    assert any("reachable: needs" in line and "no number" in line for line in table)


def test_rules_that_are_kept_end_with_0(capsys, files):
    (files / "rules.yaml").write_text(
        "set_by: us\nrules: {value.share_contacted: {max: 0.5}}\n", encoding="utf-8"
    )
    code, out, err = main(capsys, "evaluate", "p.yaml", *OWN, "--fail-under", "rules.yaml")
    assert (code, err) == (0, "")
    assert ": missed" not in out


def test_files_are_written_whole_even_where_a_rule_is_missed(capsys, files):
    args = ("--json", "card.json", "--html", "card.html", "--fail-under", "rules.yaml")
    (files / "card.json").write_text("old", encoding="utf-8")
    code, out, _ = main(capsys, "evaluate", "p.yaml", *OWN, *args)
    assert code == 1
    assert "the ethics board" in out
    card = Scorecard.from_json(files / "card.json")
    page = (files / "card.html").read_text("utf-8")
    assert "<title>Scorecard: p.yaml</title>" in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert len(card.misses) == 3
    names = ["card.html", "card.json", "mails.csv", "p.yaml", "roles.yaml", "rules.yaml"]
    assert sorted(path.name for path in files.iterdir()) == names


def test_a_world_from_a_folder(capsys, files, world):
    code, out, err = main(
        capsys, "evaluate", "p.yaml", "--world", world, "--n-boot", "20", "--json", "-"
    )
    assert (code, err) == (0, "")
    card = Scorecard.from_json(out)
    assert card.about["n"] == 600
    assert card["consent.against_their_will"].value is not None
    assert card["value.visits_added"].truth is not None


def test_without_world_or_table_twenty_thousand_customers_are_drawn(capsys, files):
    code, out, err = main(capsys, "evaluate", "p.yaml", "--n-boot", "0", "--json", "-")
    assert (code, err) == (0, "")
    assert json.loads(out)["about"]["n"] == 20_000


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["no.yaml"], "no.yaml"),
        (["mails.csv"], "mails.csv"),
        (["p.yaml", "--world", "."], "holds no stored world"),
        (["p.yaml", "--world", "nowhere"], "nowhere holds no stored world"),
        (["p.yaml", "--world", "p.yaml"], "p.yaml holds no stored world"),
        (["p.yaml", "--table", "mails.csv"], "--table is given without --roles"),
        (["p.yaml", "--roles", "roles.yaml"], "--roles is given without --table"),
        (["p.yaml", "--table", "no.csv", "--roles", "roles.yaml"], "no.csv: there is no such file"),
        (["p.yaml", *OWN, "--world", "."], "not allowed with argument --table"),
        (["p.yaml", *OWN, "--fail-under", "no.yaml"], "no.yaml"),
        (["p.yaml", *OWN, "--html", "no/x.html"], "its folder does not exist"),
        (["p.yaml", *OWN, "--json", "."], "is a folder"),
        (["p.yaml", *OWN, "--json", ""], "is a folder"),
        (["p.yaml", *OWN, "--html", "-"], "--html - is not accepted"),
        (["p.yaml", *OWN, "--json", "p.yaml"], "would replace p.yaml"),
        (["p.yaml", *OWN, "--html", "mails.csv"], "would replace mails.csv"),
        (["p.yaml", *OWN, "--json", "x", "--html", "./x"], "./x would replace x"),
        (["p.yaml", *OWN[:4], "--n-boot", "-1"], "a whole number from 0 to 10000 is"),
        (["p.yaml", *OWN, "--seed", "one"], "a whole number from 0"),
        (["p.yaml", *OWN, "--refit", "9"], '--refit: "9" is not accepted, a whole number from 10'),
        (["p.yaml", *OWN, "--refit", "1001"], "a whole number from 10 to 1000 is"),
        (["p.yaml", *OWN, "--refit", "some"], '--refit: "some" is not accepted'),
        (["--refit", "p.yaml", *OWN], '--refit: "p.yaml" is not accepted'),
        ([], "the following arguments are required: POLICY"),
    ],
)
def test_bad_input_ends_with_2_in_one_line_and_changes_nothing(capsys, files, args, said):
    before = {path.name: path.read_bytes() for path in files.iterdir()}
    code, out, err = main(capsys, "evaluate", *args)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert {path.name: path.read_bytes() for path in files.iterdir()} == before


def test_what_is_found_wrong_late_leaves_the_old_files(capsys, files):
    outputs = ("--json", "card.json", "--html", "card.html")
    for name in ("card.json", "card.html"):
        (files / name).write_text("old", encoding="utf-8")
    unknown = "set_by: us\nrules:\n  value.share_contactd: {max: 0.5}\n"
    (files / "rules.yaml").write_text(unknown, encoding="utf-8")
    code, out, err = main(
        capsys, "evaluate", "p.yaml", *OWN, *outputs, "--fail-under", "rules.yaml"
    )
    assert (code, out) == (2, "")
    assert err.startswith('rules.yaml, line 3: there is no measure "value.share_contactd"')
    assert 'Did you mean "value.share_contacted"' in err
    Policy().decide("data", features=["ages"]).save(files / "q.yaml")
    code, out, err = main(capsys, "evaluate", "q.yaml", *OWN, *outputs)
    assert (code, out) == (2, "")
    assert 'data.features names the column "ages"' in err
    assert "accepted are age" in err
    for name in ("card.json", "card.html"):
        assert (files / name).read_text("utf-8") == "old"


def test_a_world_that_lacks_a_file_is_refused(capsys, files, world):
    shutil.copytree(world, files / "w")
    (files / "w" / "customers.parquet").unlink()
    code, out, err = main(capsys, "evaluate", "p.yaml", "--world", "w")
    assert (code, out) == (2, "")
    assert "customers" in err


@pytest.mark.skipif(
    os.name != "posix" or getattr(os, "geteuid", lambda: 0)() == 0, reason="needs a plain user"
)
def test_a_folder_that_allows_no_writing_is_told_before_the_work(capsys, files):
    (files / "locked").mkdir(mode=0o500)
    code, out, err = main(capsys, "evaluate", "p.yaml", *OWN, "--json", "locked/card.json")
    assert (code, out) == (2, "")
    assert "its folder is read-only" in err


def test_as_a_process_with_progress_only_at_a_terminal(repo, files):
    env = {**os.environ, "PYTHONPATH": str(repo), "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-m", "ethicalai_lab", "evaluate", "p.yaml", *OWN],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=files,
        env=env,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("p.yaml: ")


def test_progress_is_told_to_a_person(capsys, files, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    code, out, err = main(capsys, "evaluate", "p.yaml", *OWN)
    assert code == 0
    assert "reading mails.csv ..." in err
    assert "evaluating p.yaml ..." in err
    assert "refits" not in err
    assert " ..." not in out
    code, out, err = main(capsys, "evaluate", "p.yaml", *OWN, "--refit", "10")
    assert code == 0
    assert "refits: " in err
    assert "/10 [" in err
    assert "0/10 [" not in out


def test_the_printed_page_and_an_experiment_in_doubt(capsys, files):
    # the older half got the mail
    rows = "".join(
        f"{i},{'mail' if i % 50 > 24 else 'none'},{i % 3 % 2},{20 + i % 50}\n" for i in range(400)
    )
    (files / "mails.csv").write_text("id,mail,visit,age\n" + rows, encoding="utf-8")
    code, out, _ = main(capsys, "evaluate", "p.yaml", *OWN, "--html", "card.html")
    assert code == 0
    assert out.splitlines()[2].startswith("Warning: who got 'mail' can be told from the features")
    page = (files / "card.html").read_text(encoding="utf-8")
    assert page.count("<h1>Scorecard: p.yaml</h1>") == 2
    assert "Warning: who got" in page


def test_rules_without_a_bound_are_refused(capsys, files):
    (files / "none.yaml").write_text("set_by: me\nrules: {}\n", encoding="utf-8")
    code, out, err = main(capsys, "evaluate", "p.yaml", *OWN, "--fail-under", "none.yaml")
    assert (code, out) == (2, "")
    assert err.startswith("none.yaml sets no bound")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a system with pipes in folders")
@pytest.mark.parametrize("option", ["--json", "--html"])
def test_a_device_or_pipe_is_not_replaced_by_a_file(capsys, files, option):
    os.mkfifo(files / "pipe")
    code, out, err = main(capsys, "evaluate", "p.yaml", *OWN, option, "pipe")
    assert (code, out) == (2, "")
    assert err == "pipe is a device or a pipe; give the name of a file to write.\n"
    assert (files / "pipe").is_fifo()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_no_rule_missed(files):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ethicalai_lab", "evaluate", "p.yaml", *OWN],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "The output cannot be written (No space left on device).\n"
