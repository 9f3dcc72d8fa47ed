"""Every lesson in notebooks/ keeps the form."""

from pathlib import Path

import pytest

from ethicalai_lab.classroom.lint import lint

LESSONS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_keeps_the_form(path):
    assert [str(fault) for fault in lint(path)] == []


def test_lessons_are_numbered_without_a_gap():
    assert [path.name[:2] for path in LESSONS] == [f"{i:02d}" for i in range(len(LESSONS))]
