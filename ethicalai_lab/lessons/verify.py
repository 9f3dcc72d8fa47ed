"""Work through every question of a lesson: once right, once with each mistake, once untouched.

For authors: ``python -m ethicalai_lab.lessons.verify 01``. The tests do the same.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from ethicalai_lab.lessons.answers import Judgement
from ethicalai_lab.lessons.known import Known
from ethicalai_lab.lessons.lesson import course_world
from ethicalai_lab.lessons.questions import (
    Exercise,
    Lesson,
    Prediction,
    declaration,
    declared_lessons,
)

__all__ = ["main", "problems"]

_ODD = (None, "", "0.3", object(), float("nan"), [], {}, [[1], [2]], len)
_UNFILLED = (KeyError, IndexError, ValueError, TypeError, AttributeError)


def _texts(item: Exercise | Prediction, known: Known) -> Iterator[str]:
    facts = item.known_of(known)
    if isinstance(item, Prediction):
        texts = [item.says]
        if facts.expected not in item.options:
            yield f"the outcome {facts.expected!r} is none of the options"
    else:
        texts = [item.why, item.otherwise, *(mistake.say for mistake in item.mistakes)]
    for text in texts:
        try:
            text.format_map(facts)
        except _UNFILLED as error:
            yield f"a text cannot be filled in ({type(error).__name__}: {error}): {text[:60]}"


def _exercise(item: Exercise, lesson: Lesson, world: Any) -> Iterator[str]:
    known = lesson.known(world)
    try:
        answer = Known(lesson.given, world).run(item.solution)["answer"]
    except Exception as error:
        yield f"the solution stops in the notebook with {type(error).__name__}: {error}"
        return
    untold = list(_texts(item, known))
    if untold:
        yield from untold
        return
    solved = item.judge(answer, known)
    if not solved.passed:
        yield f"the solution's answer does not pass: {solved.message}"
    for mistake in item.mistakes:
        said = item.judge(item.example_of(mistake, known), known)
        if said.mistake != mistake.name:
            got = f"mistake {said.mistake!r}" if said.mistake else f"{said.kind}: {said.message}"
            yield f"the example of mistake {mistake.name!r} gets {got}"
    for odd in _ODD:
        if item.judge(odd, known).passed:
            yield f"the answer {odd!r} passes"
    if isinstance(item.form(known), Judgement):
        part = dict.fromkeys(answer, ...)
        if item.judge(part, known).kind != "untouched":
            yield "a judgement with open fields is not called untouched"


def problems(lesson: Lesson, world: Any) -> list[str]:
    """Return what is wrong with the questions of a lesson; empty when nothing is.

    Parameters
    ----------
    lesson : Lesson
    world : World

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> problems(declaration("00"), make_world(500, seed=1))
    []
    """
    found = []
    for name, item in lesson.items.items():
        if isinstance(item, Exercise):
            found += [f"{name}: {text}" for text in _exercise(item, lesson, world)]
        elif isinstance(item, Prediction):
            found += [f"{name}: {text}" for text in _texts(item, lesson.known(world))]
    return found


def main(argv: list[str] | None = None) -> int:
    """Print the problems of the lessons named; return how the process should end."""
    known = declared_lessons()
    numbers = (sys.argv[1:] if argv is None else argv) or known
    found = [
        f"there is no question file {number}.yaml" for number in numbers if number not in known
    ]
    for number in set(numbers) & set(known):
        found += [f"lesson {number}: {x}" for x in problems(declaration(number), course_world())]
    print("\n".join(found) or f"lessons {', '.join(numbers)}: every question works")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
