"""The page on the policy lab says what the code does."""

from __future__ import annotations

import re

import pytest

from ethicalai_lab.policy import (
    Rules,
    evaluation_graph,
    permission,
    protection,
    records,
    response,
)
from ethicalai_lab.policy.comparison import READINGS

BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def page(request):
    return (request.config.rootpath / "docs" / "policy_lab.md").read_text(encoding="utf-8")


def test_the_graph_is_the_one_that_runs(page):
    (graph,) = (text for kind, text in BLOCK.findall(page) if kind == "mermaid")
    assert graph == evaluation_graph().to_mermaid()


def test_the_assumptions_are_those_of_the_code(page):
    named = dict(re.findall(r"\| `(\w+\.\w+)` \| ([\d.]+) \|", page))
    assert named == {
        "response.MARGIN": f"{response.MARGIN:g}",
        "response.URGENCY_LIFT": f"{response.URGENCY_LIFT:g}",
        "permission.ERASURE_SHARE": f"{permission.ERASURE_SHARE:g}",
    }


def test_the_rules_can_be_read_and_name_real_measures(page, tmp_path):
    (rules,) = (text for kind, text in BLOCK.findall(page) if kind == "yaml")
    (tmp_path / "rules.yaml").write_text(rules, encoding="utf-8")
    read = Rules.load(tmp_path / "rules.yaml")
    named = set(re.findall(r"^  (\w+\.\w+):", rules, re.MULTILINE))
    assert len(named) == 3
    assert named <= set(evaluation_graph().measures)
    assert all(name in read.to_yaml() for name in named)


def test_the_measures_for_refits_and_those_known_only_here_are_all_named(page):
    section = page.split("## What an interval is for\n")[1].split("\n## ")[0]
    measures = evaluation_graph().measures

    def named(text):
        return {name for name in re.findall(r"`(\w+\.\w+)`", text) if name in measures}

    (listed,) = re.findall(r"picked:\n\n(.*?)\n\n", section, re.DOTALL)
    assert named(listed) == {key for key, each in measures.items() if each.learned}
    (told,) = re.findall(r"\*\*Known only here\.\*\*(.*?)\n\n", section, re.DOTALL)
    assert named(told) == {key for key, each in measures.items() if each.only_here}


def test_the_readings_of_a_comparison_are_all_told(page):
    rows = re.findall(r"^\| ([\w ,]+) \| .* \|$", page.split("| reading |")[1], re.MULTILINE)
    assert {word for row in rows[:4] for word in row.split(", ")} == {
        reading for reading in READINGS if reading
    }


def test_the_example_runs(page, tmp_path, monkeypatch):
    (example,) = (text for kind, text in BLOCK.findall(page) if kind == "python")
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {}
    exec(example.replace("20_000", "600"), space)
    assert (tmp_path / "card.html").stat().st_size > 10_000


def test_numbers_that_a_meaning_or_an_evidence_says_are_those_of_the_code():
    measures = evaluation_graph().measures
    words = {11: "eleven", 12: "twelve", 13: "thirteen"}
    assert f"out of {words[len(records.POINTS)]}," in measures["duty.open_points"].meaning
    assert f"margin is {100 * response.MARGIN:g} %" in measures["value.profit_added"].meaning
    stored = f"{protection._STORE_PEOPLE} customers' records"
    assert stored in measures["privacy.readable_if_stolen"].evidence
