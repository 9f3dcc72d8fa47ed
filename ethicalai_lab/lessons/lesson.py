"""A lesson's questions as the reader meets them: bound to a world and to the reader's progress."""

from __future__ import annotations

import functools
import html
from dataclasses import replace
from typing import Any

from ethicalai_lab.errors import InputError
from ethicalai_lab.lessons.feedback import Feedback, inline
from ethicalai_lab.lessons.known import Facts, Known
from ethicalai_lab.lessons.questions import (
    Exercise,
    Lesson,
    Prediction,
    Quiz,
    chosen,
    declaration,
    declared_lessons,
)

__all__ = ["BoundLesson", "course_world", "lab_for", "lesson"]


@functools.lru_cache(maxsize=1)
def course_world() -> Any:
    """Return the world that the lessons run on: 20,000 customers, seed 7."""
    from ethicalai_lab.world import make_world

    return make_world(20_000, seed=7)


@functools.lru_cache(maxsize=2)
def lab_for(world: Any) -> Any:
    """Return a world's policy lab: one for the notebook and for the questions.

    Parameters
    ----------
    world : World

    Returns
    -------
    PolicyLab
        With memory for the policies that lesson 15 tries, so that none is run twice.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> world = make_world(500, seed=1)
    >>> lab_for(world) is lab_for(world)
    True
    """
    from ethicalai_lab.policy import PolicyLab

    return PolicyLab(world, remember=32)


class _Bound:
    """A question of a lesson, with whatever an answer to it does to progress."""

    def __init__(self, asked: Any, lesson: BoundLesson) -> None:
        self.asked, self.lesson = asked, lesson

    def _noted(self, feedback: Feedback, **event: Any) -> Feedback:
        """Return `feedback`, with a line if the event could not be saved."""
        note = self.lesson.progress_file.record(self.lesson.number, self.asked.id, **event)
        return replace(feedback, note=note) if note else feedback

    def _judged(self, answer: Any) -> Feedback:
        """Judge an answer and note a try; making a world takes a second, so not for `...`."""
        feedback = self.asked.judge(answer, None if answer is ... else self.lesson.known)
        if feedback.kind in ("right", "wrong"):
            return self._noted(feedback, tried=True, right=feedback.passed)
        return feedback

    @property
    def facts(self) -> Facts:
        """What is known about the right answer, or what came of a prediction."""
        return self.asked.known_of(self.lesson.known)

    def __repr__(self) -> str:
        return f"{self.asked.id}: {self.asked.ask}"


class BoundExercise(_Bound):
    """An exercise with ``.check(answer)``, ``.hint()`` and ``.solution()``."""

    hints_given = 0

    def check(self, answer: Any = ..., **fields: Any) -> Feedback:
        """Check an answer and say what is right or wrong with it.

        Parameters
        ----------
        answer : object
            The answer. Left at ``...`` it says so, and nothing fails.
        **fields
            The fields of a judgement, given by name instead of as a dictionary.

        Returns
        -------
        Feedback
        """
        if fields:
            answer = fields if answer is ... else {"answer": answer, **fields}
        return self._judged(answer)

    def hint(self) -> Feedback:
        """Give the next hint; after the last one, the last one again."""
        hints = self.asked.hints
        shown = min(self.hints_given, len(hints) - 1)
        self.hints_given = shown + 1
        left = len(hints) - 1 - shown
        more = (
            f"One more with `.hint()`: {left} left."
            if left
            else "That was the last hint; `.solution()` shows one way."
        )
        return Feedback(
            "hint", f"{hints[shown]}\n\n{more}", title=f"Hint {shown + 1} of {len(hints)}"
        )

    def solution(self) -> Feedback:
        """Show one solution; progress then says it was seen."""
        why = self.asked.explained(self.lesson.known)
        return self._noted(Feedback("solution", why, code=self.asked.solution), seen=True)

    def _repr_html_(self) -> str:
        return f"<p><strong>{html.escape(self.asked.id)}</strong>: {inline(self.asked.ask)}</p>"


class _BoundChoices(_Bound):
    """A question answered by choosing, by code or (with a kernel) by a widget."""

    verb = how = method = ""

    def _how(self) -> str:
        key = next(iter(self.asked.choices))
        return f'Without buttons, {self.how}: `ex.{self.asked.id}.{self.method}("{key}")`'

    def __repr__(self) -> str:
        lines = [f"  {key}: {text}" for key, text in self.asked.choices.items()]
        return "\n".join([self.asked.ask, *lines, self._how().replace("`", "")])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from ethicalai_lab.widgets.base import choice_widget, view_of

        items = "".join(
            f"<li><strong>{html.escape(key)}</strong>: {inline(text)}</li>"
            for key, text in self.asked.choices.items()
        )
        shown = (
            f"<p>{inline(self.asked.ask)}</p>"
            f'<ul style="list-style:none">{items}</ul><p>{inline(self._how())}</p>'
        )
        widget = choice_widget(
            self.asked.ask, self.asked.choices, getattr(self, self.method), self.verb
        )
        return {"text/plain": repr(self), "text/html": shown, **view_of(widget)}


class BoundQuiz(_BoundChoices):
    """A quiz: shown, it can be clicked; by code, ``.check("b")``."""

    verb, how, method = "Choose", "answer in a new cell", "check"

    def check(self, answer: Any = ...) -> Feedback:
        """Check the chosen option."""
        feedback = self.asked.judge(answer)
        if feedback.kind in ("right", "wrong"):
            return self._noted(feedback, tried=True, right=feedback.passed)
        return feedback


class BoundPrediction(_BoundChoices):
    """A prediction: ``.commit("b")`` before the result, ``.compare()`` after it."""

    verb, how, method = "Predict", "predict by code", "commit"

    def commit(self, answer: Any = ...) -> Feedback:
        """Write the prediction down; the result does not change it."""
        if answer is ...:
            return Feedback("untouched", "Say what you expect before you run on.", title="Predict")
        key = chosen(answer, self.asked.choices)
        if isinstance(key, Feedback):
            return key
        self.lesson.predicted[self.asked.id] = key
        said = Feedback("noted", f"You expect: {self.asked.choices[key]}")
        return self._noted(said, predicted=key)

    def compare(self) -> Feedback:
        """Put the prediction beside the result."""
        asked, lesson = self.asked, self.lesson
        result = asked.result(lesson.known)
        key = lesson.predicted.get(asked.id) or lesson.progress_file.prediction(
            lesson.number, asked.id
        )
        if key not in asked.choices:
            return Feedback("noted", f"{result}\n\nYou made no prediction this time.")
        hit = key == self.facts.expected
        verdict = "So it came." if hit else "It came otherwise. What did you overlook?"
        return Feedback(
            "noted",
            f"You expected: “{asked.choices[key]}” {verdict}\n\n{result}",
            title="Your prediction came true" if hit else "Another result than you predicted",
        )


_BINDINGS = {Exercise: BoundExercise, Quiz: BoundQuiz, Prediction: BoundPrediction}


class BoundLesson:
    """A lesson's questions as attributes: ``ex.q1``, ``ex.quiz1``, ``ex.p1``.

    Parameters
    ----------
    asked : Lesson
        What the lesson asks.
    world : World or None
        The world to compute expected answers from; by default the course's own.
    """

    def __init__(self, asked: Lesson, world: Any = None) -> None:
        from ethicalai_lab.lessons.records import ProgressFile

        self.asked = asked
        self.progress_file = ProgressFile()
        self.predicted: dict[str, str] = {}
        self._world = world
        self._items = {
            name: _BINDINGS[type(item)](item, self) for name, item in asked.items.items()
        }

    @property
    def number(self) -> str:
        """The lesson's number, two digits."""
        return self.asked.number

    @property
    def known(self) -> Known:
        """What the checker knows: the notebook's names, computed from the world."""
        return self.asked.known(course_world() if self._world is None else self._world)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._items[name]
        except KeyError:
            raise AttributeError(
                f"lesson {self.number} has no {name!r}; it has {', '.join(self._items)}"
            ) from None

    def __dir__(self) -> list[str]:
        return sorted([*super().__dir__(), *self._items])

    def predict(self, name: str, choice: Any = ...) -> Feedback:
        """Commit the prediction `name`; same as ``ex.p1.commit(choice)``."""
        return getattr(self, name).commit(choice)

    def compare(self, name: str) -> Feedback:
        """Put the prediction `name` beside the result; same as ``ex.p1.compare()``."""
        return getattr(self, name).compare()

    def decide(self, **fields: Any) -> Feedback:
        """Write this lesson's decision into the reader's policy.

        See :func:`ethicalai_lab.lessons.decide`.
        """
        from ethicalai_lab.lessons.decisions import decide

        if not self.asked.decides:
            return Feedback("noted", f"Lesson {self.number} decides nothing.")
        return decide(self.asked.decides, **fields)

    def __repr__(self) -> str:
        return f"Lesson {self.number}, {self.asked.title}: {', '.join(self._items)}"


def lesson(number: str | int, *, world: Any = None) -> BoundLesson:
    """Open the questions of a lesson.

    Parameters
    ----------
    number : str or int
        The lesson's number, such as ``"01"``.
    world : World or None, default None
        The world that expected answers are computed from. Hand over the notebook's
        own to save making it twice.

    Returns
    -------
    BoundLesson
        With an attribute for each question.

    Raises
    ------
    InputError
        If there is no such lesson.

    Examples
    --------
    >>> from ethicalai_lab.lessons import lesson
    >>> lesson("00").q1.check(...)
    [Not answered yet] Put your answer in place of `...` and run this cell again.
    """
    name, known = str(number).strip().zfill(2), declared_lessons()
    if name not in known:
        raise InputError(f"there is no lesson {number!r} with exercises; there are {known}")
    return BoundLesson(declaration(name), world)
