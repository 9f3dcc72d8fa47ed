"""Every lesson in notebooks/ keeps the form."""

from pathlib import Path

import pytest

from ethicalai_lab.lessons.lint import lint

LESSONS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
#: Numbers that lessons not yet written will have; any other gap is a mistake.
PLANNED = ("11", "12", "13", "14")


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_keeps_the_form(path):
    assert [str(fault) for fault in lint(path)] == []


def test_lessons_are_numbered_without_a_gap_but_for_those_planned():
    numbers = [path.name[:2] for path in LESSONS]
    assert len(set(numbers)) == len(numbers)
    assert not set(numbers) & set(PLANNED), "written now: take it out of PLANNED"
    every = sorted([*numbers, *PLANNED])
    assert every == [f"{i:02d}" for i in range(len(every))]
