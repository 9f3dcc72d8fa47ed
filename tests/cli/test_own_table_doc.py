"""docs/own_table.md does what it says: its files, commands and output are run."""

import re
import subprocess
import sys

import pytest

from ethicalai_lab import cli
from ethicalai_lab.tables import ROLES, load_roles


@pytest.fixture
def doc(repo):
    return (repo / "docs" / "own_table.md").read_text("utf-8")


def blocks(doc, language):
    return re.findall(rf"```{language}\n(.*?)```", doc, re.S)


@pytest.fixture
def folder(doc, tmp_path, monkeypatch):
    (table,) = blocks(doc, "csv")
    roles, rules = blocks(doc, "yaml")
    (tmp_path / "mails.csv").write_text(table, encoding="utf-8")
    (tmp_path / "roles.yaml").write_text(roles, encoding="utf-8")
    (tmp_path / "rules.yaml").write_text(rules, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_give_the_output_shown(doc, folder, capsys):
    commands = [line for block in blocks(doc, "sh") for line in block.splitlines()]
    assert len(commands) == 5
    for command in commands[:2]:
        name, *args = command.split()
        assert name == "ethicalai-lab"
        assert cli.main(args) == 0
    out = capsys.readouterr().out
    shown = blocks(doc, "text")[0]
    assert out.startswith(shown)
    assert "100 are needed to rank" in out
    draft = load_roles("draft.yaml")
    final = load_roles("roles.yaml")
    assert (draft.control, draft.positive) == (final.control, final.positive)
    for column, role in final.columns.items():
        assert draft.columns[column] == role


def test_the_bill_of_a_policy_is_as_shown(doc, folder, capsys):
    new, bill, held = [line for block in blocks(doc, "sh") for line in block.splitlines()][2:]
    assert cli.main(new.split()[1:]) == 0
    capsys.readouterr()
    assert cli.main(bill.split()[1:]) == 0
    out = capsys.readouterr().out
    for line in blocks(doc, "text")[1].splitlines():
        assert line in out.splitlines()
    # the policy decides nothing, so everybody is contacted, and the rule is missed
    assert cli.main(held.split()[1:]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("value.share_contacted is 1")
    assert "the head of marketing asks for at most 0.5" in last.replace("50 %", "0.5")


def test_the_python_shown_runs(doc, folder, repo):
    (code,) = blocks(doc, "python")
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PYTHONPATH": str(repo), "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-4:] == ["spring", "0.25", "-0.32", "0.655"]


def test_the_fault_shown_is_the_fault_told(doc, folder, capsys):
    table = (folder / "mails.csv").read_text("utf-8").splitlines()
    rows = [table[0] + ";sent"] + [line + ";2024-05-01" for line in table[1:]]
    rows[3] = rows[3].replace(";2024", ";2O24")
    (folder / "mails.csv").write_text("\n".join(rows), encoding="utf-8")
    roles = (
        (folder / "roles.yaml").read_text("utf-8").replace("control", "  sent: time\ncontrol", 1)
    )
    (folder / "roles.yaml").write_text(roles, encoding="utf-8")
    assert cli.main(["uplift", "mails.csv", "--roles", "roles.yaml"]) == 2
    assert capsys.readouterr().err == blocks(doc, "text")[2]


def test_the_table_of_roles_is_the_code(doc):
    table = doc[doc.index("| role | what") : doc.index("A column with several roles")]
    rows = dict(re.findall(r"^\| (\w+) \| (.+) \|$", table, re.M))
    rows.pop("role")
    assert rows == dict(ROLES)
