"""Run a lesson's declaration against a world: what an author would otherwise miss.

``python -m ethicalai_lab.lessons.verify 01`` prints what is wrong with the
questions of lesson 01, and nothing else; the tests hold every lesson to it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from ethicalai_lab.lessons.answers import Judgement
from ethicalai_lab.lessons.engine import (
    Exercise,
    Facts,
    Prediction,
    Quiz,
    course_world,
    declaration,
    declared_lessons,
)

__all__ = ["main", "problems"]


def run_solution(setup: str, solution: str, world: Any) -> Any:
    """Run a lesson's `setup` and a `solution`; return the ``answer`` it assigns."""
    names: dict[str, Any] = {"world": world}
    exec(compile(setup, "setup", "exec"), names)
    exec(compile(solution, "solution", "exec"), names)
    return names["answer"]


def _exercise(item: Exercise, setup: str, world: Any) -> Iterator[str]:
    facts = item.known(world)
    for text in (item.why, item.otherwise, *(mistake.feedback for mistake in item.mistakes)):
        try:
            item._says(text, facts)
        except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
            yield f"a text cannot be filled in ({type(error).__name__}: {error}): {text[:60]}"
            return
    untouched = item.judge(..., world=world)
    if untouched.kind != "untouched":
        yield f"an untouched answer is called {untouched.kind}"
    reference = item.judge(item.reference_for(facts), world=world)
    if not reference.passed:
        yield f"the reference answer does not pass: {reference.message}"
    try:
        answer = run_solution(setup, item.solution, world)
    except Exception as error:
        yield f"the solution stops with {type(error).__name__}: {error}"
    else:
        solved = item.judge(answer, world=world)
        if not solved.passed:
            yield f"the solution's answer does not pass: {solved.message}"
    for mistake in item.mistakes:
        said = item.judge(mistake.example_for(facts), world=world)
        if said.mistake != mistake.id:
            got = f"mistake {said.mistake!r}" if said.mistake else f"{said.kind}: {said.message}"
            yield f"the example of mistake {mistake.id!r} gets {got}"
    for odd in (None, "", "0.3", object(), float("nan"), [], {}, [[1], [2]], len):
        said = item.judge(odd, world=world)
        if said.passed:
            yield f"the answer {odd!r} passes"
    if isinstance(item.answer, Judgement):
        reference_answer = item.reference_for(facts)
        part = dict.fromkeys(reference_answer, ...)
        if item.judge(part, world=world).kind != "untouched":
            yield "a judgement with open fields is not called untouched"


def _quiz(item: Quiz) -> Iterator[str]:
    for option in item.options:
        said = item.judge(option.key)
        if said.passed is not option.right or said.message != option.feedback:
            yield f"option {option.key!r} gets another option's feedback"


def _prediction(item: Prediction, world: Any) -> Iterator[str]:
    outcome = item.outcome(world)
    if outcome not in item.options:
        yield f"the outcome {outcome!r} is none of the options"
    try:
        item.says.format_map(
            Facts({**(item.facts(world) if item.facts else {}), "expected": outcome})
        )
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        yield f"its text cannot be filled in ({type(error).__name__}: {error})"


def problems(number: str, world: Any = None) -> list[str]:
    """Return what is wrong with the questions of a lesson; empty when nothing is.

    Parameters
    ----------
    number : str
        The lesson's number.
    world : World or None, default None
        By default the world of the course.

    Examples
    --------
    >>> problems("99")
    ['there is no lesson_99.py']
    """
    if number not in declared_lessons():
        return [f"there is no lesson_{number}.py"]
    declared = declaration(number)
    world = course_world() if world is None else world
    found = []
    for item in declared.items:
        if isinstance(item, Exercise):
            each = _exercise(item, declared.setup, world)
        elif isinstance(item, Quiz):
            each = _quiz(item)
        else:
            each = _prediction(item, world)
        found += [f"{item.id}: {text}" for text in each]
    return found


def main(argv: list[str] | None = None) -> int:
    """Print the problems of the lessons named; return how the process should end."""
    numbers = (sys.argv[1:] if argv is None else argv) or declared_lessons()
    found = [f"lesson {number}: {text}" for number in numbers for text in problems(number)]
    print("\n".join(found) or f"lessons {', '.join(numbers)}: every question works")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
