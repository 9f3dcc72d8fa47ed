"""Every question of every lesson works: reference, mistakes, untouched, solution."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ethicalai_lab.lessons.engine import (
    Lesson,
    Mistake,
    course_world,
    declaration,
    declared_lessons,
)
from ethicalai_lab.lessons.exercises import lesson_00
from ethicalai_lab.lessons.verify import _exercise, main, problems
from ethicalai_lab.world import make_world

LESSONS = declared_lessons()


@pytest.fixture(scope="module")
def world():
    return course_world()


@pytest.mark.parametrize("number", LESSONS)
def test_every_question_of_the_lesson_works(number, world):
    assert problems(number, world) == []


@pytest.mark.parametrize("number", LESSONS)
def test_expected_values_follow_the_world(number, world):
    """An expected value typed in would be the same on another world."""
    other = make_world(4_000, seed=11)
    for item in declaration(number).exercises:
        here, there = item.known(world), item.known(other)
        assert repr(dict(here)) != repr(dict(there)), item.id


@pytest.mark.parametrize("number", LESSONS)
def test_no_feedback_gives_the_answer_away(number, world):
    for item in declaration(number).exercises:
        facts = item.known(world)
        if not isinstance(facts.expected, float):
            continue
        given = {f"{facts.expected:.{d}f}" for d in (3, 4)} | {f"{facts.expected:.1%}"}
        for mistake in item.mistakes:
            said = item._says(mistake.feedback, facts)
            assert not any(text in said for text in given), (item.id, mistake.id)


def test_every_lesson_with_questions_has_a_notebook_that_asks_them():
    notebooks = Path(__file__).resolve().parents[2] / "notebooks"
    for number in LESSONS:
        found = list(notebooks.glob(f"{number}_*.ipynb"))
        assert len(found) == 1, number
        text = found[0].read_text(encoding="utf-8")
        for item in declaration(number).items:
            assert re.search(rf"\bex\.(?:{item.id}\b|(?:predict|compare)\(\W*{item.id}\b)", text), (
                number,
                item.id,
            )


# ------------------------------------------------- verify itself finds what is planted


def _found(world, **change):
    return list(_exercise(replace(lesson_00.Q1, **change), "campaign = world.campaign", world))


def test_verify_accepts_a_sound_exercise(toy_world):
    assert _found(toy_world) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"reference": 0.1}, "reference answer does not pass"),
        ({"solution": "answer = 0.1"}, "solution's answer does not pass"),
        ({"solution": "answer = nothing"}, "solution stops with NameError"),
        ({"why": "It is {missing}."}, "cannot be filled in"),
        ({"why": "It is {expected:d}."}, "cannot be filled in"),
        (
            {"mistakes": [*lesson_00.Q1.mistakes, Mistake("late", 75.0, "A percentage.")]},
            None,
        ),
        (
            {"mistakes": [*lesson_00.Q1.mistakes, Mistake("same", lambda f: f.count, "A count.")]},
            "example of mistake 'same' gets mistake 'count'",
        ),
        (
            {"mistakes": [*lesson_00.Q1.mistakes, Mistake("right", lambda f: f.expected, "No.")]},
            "example of mistake 'right' gets right",
        ),
    ],
)
def test_verify_finds_what_is_planted(toy_world, change, says):
    found = _found(toy_world, **change)
    assert any(says in text for text in found) if says else found == []


def test_a_lesson_cannot_declare_two_questions_with_one_id():
    with pytest.raises(ValueError, match="share an id"):
        Lesson("42", "Twice", exercises=[lesson_00.Q1, lesson_00.Q1])


def test_the_command_line(capsys):
    assert main(["99"]) == 1
    assert "there is no lesson_99.py" in capsys.readouterr().out
