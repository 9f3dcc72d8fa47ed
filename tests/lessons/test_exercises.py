"""Every question of every lesson works: solution, mistakes, untouched, in words and on any world."""

import ast
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from ethicalai_lab.lessons.lesson import course_world
from ethicalai_lab.lessons.questions import (
    Exercise,
    Mistake,
    declaration,
    declared_lessons,
)
from ethicalai_lab.lessons.verify import main, problems
from ethicalai_lab.world import make_world

LESSONS = declared_lessons()
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@pytest.fixture(scope="module")
def world():
    return course_world()


def exercises(number):
    return [item for item in declaration(number).items.values() if isinstance(item, Exercise)]


def code_of(number):
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def statements(code):
    """Yield each statement in one form, imports name by name."""
    for statement in ast.parse(code).body:
        names = getattr(statement, "names", [None])
        for name in names:
            if name is not None:
                statement.names = [name]
            yield ast.unparse(statement)


@pytest.mark.parametrize("number", LESSONS)
def test_every_question_of_the_lesson_works(number, world):
    assert problems(declaration(number), world) == []


@pytest.mark.parametrize("number", LESSONS)
def test_expected_values_follow_the_world(number, world):
    """An expected value typed in would be the same on another world."""
    asked, other = declaration(number), make_world(4_000, seed=11)
    for item in exercises(number):
        here, there = item.known_of(asked.known(world)), item.known_of(asked.known(other))
        plain = [{k: v for k, v in facts.items() if not callable(v)} for facts in (here, there)]
        assert repr(plain[0]) != repr(plain[1]), item.id


@pytest.mark.parametrize("number", LESSONS)
def test_no_feedback_gives_the_answer_away(number, world):
    for item in exercises(number):
        facts = item.known_of(declaration(number).known(world))
        if not isinstance(facts.expected, float):
            continue
        given = {f"{facts.expected:.{d}f}" for d in (3, 4)} | {f"{facts.expected:.1%}"}
        for mistake in item.mistakes:
            said = mistake.say.format_map(facts)
            assert not any(text in said for text in given), (item.id, mistake.name)


@pytest.mark.parametrize("number", LESSONS)
def test_what_is_given_stands_in_the_notebook(number):
    in_notebook = set(statements("\n".join(code_of(number))))
    for statement in statements(declaration(number).given):
        assert statement in in_notebook


@pytest.mark.parametrize("number", LESSONS)
def test_the_notebook_asks_every_question(number):
    text = "\n".join(code_of(number))
    for name in declaration(number).items:
        assert re.search(rf"\bex\.(?:{name}\b|(?:predict|compare)\(\W*{name}\b)", text), name


# ------------------------------------------------- verify itself finds what is planted


def found(world, **change):
    lesson = declaration("00")
    return problems(replace(lesson, items={"q1": replace(lesson.items["q1"], **change)}), world)


def test_verify_accepts_a_sound_exercise(toy_world):
    assert found(toy_world) == []


def more(name, example):
    return {"mistakes": [*declaration("00").items["q1"].mistakes, Mistake(name, example, "So.")]}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"expected": "0.1"}, "solution's answer does not pass"),
        ({"solution": "answer = nothing"}, "solution stops in the notebook with NameError"),
        ({"why": "It is {missing}."}, "cannot be filled in"),
        ({"why": "It is {expected:d}."}, "cannot be filled in"),
        (more("late", "75.0"), None),
        (more("same", "count"), "example of mistake 'same' gets mistake 'count'"),
        (more("right", "expected"), "example of mistake 'right' gets right"),
    ],
)
def test_verify_finds_what_is_planted(toy_world, change, says):
    texts = found(toy_world, **change)
    assert any(says in text for text in texts) if says else texts == []


def test_a_solution_may_not_use_what_only_the_checker_knows(toy_world):
    lesson = replace(declaration("00"), aside="secret = 0.75", given="")
    asked = replace(
        lesson.items["q1"], solution="answer = secret", facts="", mistakes=[], why="So."
    )
    texts = problems(replace(lesson, items={"q1": asked}), toy_world)
    assert texts == [
        "q1: the solution stops in the notebook with NameError: name 'secret' is not defined"
    ]


def test_the_command_line(capsys):
    assert main(["99"]) == 1
    assert "there is no question file 99.yaml" in capsys.readouterr().out
