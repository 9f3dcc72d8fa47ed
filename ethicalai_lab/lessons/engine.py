"""Exercises, quizzes and predictions: what a lesson asks, and how it answers back.

A lesson *declares* its questions (:class:`Exercise`, :class:`Quiz`,
:class:`Prediction`) in ``lessons/exercises/lesson_NN.py``. The reader meets them
through :func:`lesson`, bound to a world and to the reader's progress. Expected
values are never stored: they are recomputed from the world.
"""

from __future__ import annotations

import functools
import html
import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ethicalai_lab.errors import InputError
from ethicalai_lab.lessons.answers import (
    Answer,
    Choice,
    Judgement,
    Rule,
    Unreadable,
    Untouched,
    _kind,
)
from ethicalai_lab.lessons.feedback import Feedback, _inline

__all__ = [
    "BoundLesson",
    "Exercise",
    "Facts",
    "Lesson",
    "Mistake",
    "Option",
    "Prediction",
    "Quiz",
    "course_world",
    "lesson",
    "per_world",
]


class DeclarationError(InputError):
    """A lesson's question is declared in a way that cannot work."""


class Facts(dict):
    """What is known about the right answer; entries are also attributes.

    Examples
    --------
    >>> Facts(expected=0.5).expected
    0.5
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no fact named {name!r}; there are {', '.join(self)}") from None


@functools.lru_cache(maxsize=1)
def course_world() -> Any:
    """Return the world that the lessons run on: 20,000 customers, seed 7."""
    from ethicalai_lab.world import make_world

    return make_world(20_000, seed=7)


def per_world(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Cache `function` of a world, for as long as the last two worlds are in use.

    Examples
    --------
    >>> @per_world
    ... def count(world):
    ...     print("computed")
    ...     return len(world)
    >>> world = [1, 2]
    >>> count(world), count(world)
    computed
    (2, 2)
    """
    kept: list[tuple[Any, Any]] = []

    @functools.wraps(function)
    def cached(world: Any) -> Any:
        for known, value in kept:
            if known is world:
                return value
        value = function(world)
        kept.append((world, value))
        del kept[:-2]
        return value

    return cached


@dataclass(frozen=True)
class Mistake:
    """A typical wrong answer, and what to say to it.

    Parameters
    ----------
    id : str
        Name of the mistake, unique in its exercise.
    example : object or callable
        The wrong answer itself, or ``example(facts)`` that computes it.
    feedback : str
        Names the mistake and points on, without giving the answer away. May use the
        exercise's facts: ``"{lift:.1%} is the lift of ..."``.
    when : callable or None, default None
        ``when(answer, facts)`` is true when `answer` shows this mistake. By default,
        when it matches the example within the exercise's tolerance.
    """

    id: str
    example: Any
    feedback: str
    when: Callable[[Any, Facts], bool] | None = None

    def example_for(self, facts: Facts) -> Any:
        """Return the wrong answer for these facts."""
        return self.example(facts) if callable(self.example) else self.example


def _check_id(name: str, pattern: str, what: str) -> None:
    if not re.fullmatch(pattern, name):
        raise DeclarationError(f"{what} id {name!r} must look like {pattern}")


@dataclass(frozen=True)
class Exercise:
    """A question with one checked answer.

    Parameters
    ----------
    id : str
        ``"q1"``, ``"q2"``, ...
    prompt : str
        What is asked. Plain sentences; backticks mark code.
    answer : Answer
        The form of the answer, with its tolerance.
    expected : callable
        ``expected(world)`` recomputes the right answer.
    mistakes : sequence of Mistake
        At least two typical wrong answers, the more specific first.
    hints : sequence of str
        At least two, from a nudge to nearly the whole way.
    solution : str
        Code that assigns ``answer``, run with the names of the lesson's `setup`.
    why : str
        Said after a right answer: why it is right and what follows. May use facts.
    facts : callable or None, default None
        ``facts(world)`` gives a dictionary of further figures for texts and mistakes.
    reference : object, callable or None, default None
        A right answer, or ``reference(facts)``; by default the expected value.
    otherwise : str
        Said to a wrong answer that shows none of the mistakes.

    Examples
    --------
    >>> from ethicalai_lab.lessons import Number
    >>> half = Exercise(
    ...     id="q1", prompt="What is half of one?", answer=Number(absolute=0.01),
    ...     expected=lambda world: 0.5,
    ...     mistakes=[Mistake("double", 2.0, "That is the double."),
    ...               Mistake("whole", 1.0, "That is the whole.")],
    ...     hints=["Cut it.", "Divide by two."], solution="answer = 1 / 2",
    ...     why="Half of one is {expected:.1f}.")
    >>> half.judge(2.0, world=None)
    [Not yet] That is the double.
    """

    id: str
    prompt: str
    answer: Answer
    expected: Callable[[Any], Any]
    mistakes: Sequence[Mistake]
    hints: Sequence[str]
    solution: str
    why: str
    facts: Callable[[Any], Mapping[str, Any]] | None = None
    reference: Any = None
    otherwise: str = "This is not what the data gives. Ask for a hint with `.hint()`."

    def __post_init__(self) -> None:
        _check_id(self.id, r"q[1-9]", "exercise")
        if not self.prompt.strip() or not self.why.strip() or not self.otherwise.strip():
            raise DeclarationError(f"{self.id}: prompt, why and otherwise must have text")
        if len(self.mistakes) < 2:
            raise DeclarationError(f"{self.id}: at least two typical mistakes are needed")
        if len(self.hints) < 2:
            raise DeclarationError(f"{self.id}: at least two hints are needed")
        if isinstance(self.answer, Judgement) and self.reference is None:
            raise DeclarationError(f"{self.id}: a judgement needs a reference answer")
        for part in ("id", "feedback"):
            values = [getattr(mistake, part) for mistake in self.mistakes]
            if len(set(values)) < len(values):
                raise DeclarationError(f"{self.id}: two mistakes share their {part}")
        try:
            code = compile(self.solution, f"{self.id} solution", "exec")
        except SyntaxError as error:
            raise DeclarationError(f"{self.id}: the solution is no Python: {error}") from None
        if "answer" not in code.co_names:
            raise DeclarationError(f"{self.id}: the solution must assign `answer`")

    def known(self, world: Any) -> Facts:
        """Return the expected answer and all facts for `world`, computed once."""
        return _facts(self, world)

    def reference_for(self, facts: Facts) -> Any:
        """Return an answer that passes."""
        if self.reference is None:
            return facts.expected
        return self.reference(facts) if callable(self.reference) else self.reference

    def _says(self, text: str, facts: Facts) -> str:
        return text.format_map(facts) if "{" in text or "}" in text else text

    def judge(self, answer: Any = ..., *, world: Any = None) -> Feedback:
        """Say what is right or wrong with `answer`.

        Never raises for an answer, whatever it is.

        Parameters
        ----------
        answer : object
            The reader's answer; ``...`` stands for none yet.
        world : World
            The world the expected answer is computed from.

        Returns
        -------
        Feedback
        """
        if answer is ...:
            return Feedback(
                "untouched", "Put your answer in place of `...` and run this cell again."
            )
        form = self.answer.bound(world) if isinstance(self.answer, Rule) else self.answer
        try:
            value = form.read(answer)
        except Untouched as open_fields:
            return Feedback("untouched", f"Still open: {open_fields}.")
        except Unreadable as error:
            return Feedback("unreadable", str(error))
        except Exception:  # an object that breaks when looked at is the reader's answer too
            return Feedback(
                "unreadable", f"The answer is {_kind_safely(answer)}; {form.accepts()} is needed."
            )
        facts = self.known(world)
        if isinstance(form, Judgement):
            name = form.invented(value, facts)
            if name:
                return Feedback(
                    "wrong",
                    f"`{name}` is not what the data gives. Take it from your own result above, "
                    "then judge again.",
                )
        elif form.matches(value, facts.expected):
            return Feedback("right", self._says(self.why, facts))
        for mistake in self.mistakes:
            if self._shows(mistake, form, value, facts):
                return Feedback("wrong", self._says(mistake.feedback, facts), mistake=mistake.id)
        if isinstance(form, Judgement):
            return Feedback("right", self._says(self.why, facts))
        slip = form.slip(value, facts.expected)
        return Feedback("wrong", slip or self._says(self.otherwise, facts))

    def _shows(self, mistake: Mistake, form: Answer, value: Any, facts: Facts) -> bool:
        if mistake.when is not None:
            return bool(mistake.when(value, facts))
        return form.resembles(value, form.read(mistake.example_for(facts)))


def _kind_safely(answer: Any) -> str:
    try:
        return _kind(answer)
    except Exception:
        return f"a {type(answer).__name__}"


# exercise and world by identity: neither needs to be hashable, both stay referenced
_FACTS: list[tuple[Exercise, Any, Facts]] = []


def _facts(exercise: Exercise, world: Any) -> Facts:
    for known, of, facts in _FACTS:
        if known is exercise and of is world:
            return facts
    facts = Facts(exercise.facts(world) if exercise.facts else {})
    facts["expected"] = exercise.expected(world)
    _FACTS.append((exercise, world, facts))
    del _FACTS[:-200]
    return facts


@dataclass(frozen=True)
class Option:
    """One option of a quiz, with its own feedback."""

    key: str
    text: str
    feedback: str
    right: bool = False


@dataclass(frozen=True)
class Quiz:
    """A multiple-choice question; each option has its own feedback.

    Parameters
    ----------
    id : str
        ``"quiz1"``, ``"quiz2"``, ...
    prompt : str
        The question.
    options : sequence of Option
        At least two, exactly one of them right.
    """

    id: str
    prompt: str
    options: Sequence[Option]

    def __post_init__(self) -> None:
        _check_id(self.id, r"quiz[1-9]", "quiz")
        keys = [option.key for option in self.options]
        if len(keys) < 2 or len(set(keys)) < len(keys):
            raise DeclarationError(f"{self.id}: at least two options with different keys")
        if sum(option.right for option in self.options) != 1:
            raise DeclarationError(f"{self.id}: exactly one option must be right")
        if len({option.feedback for option in self.options}) < len(keys):
            raise DeclarationError(f"{self.id}: each option needs its own feedback")

    @property
    def choices(self) -> dict[str, str]:
        """Text of each option by its key."""
        return {option.key: option.text for option in self.options}

    def judge(self, answer: Any = ..., *, world: Any = None) -> Feedback:
        """Say whether the chosen option is right, and why."""
        if answer is ...:
            return Feedback("untouched", f"Choose one of {', '.join(self.choices)}.")
        try:
            key = Choice(self.choices).read(answer)
        except Unreadable as error:
            return Feedback("unreadable", str(error))
        except Exception:
            return Feedback("unreadable", f"The answer is {_kind_safely(answer)}; give a letter.")
        option = next(option for option in self.options if option.key == key)
        return Feedback(
            "right" if option.right else "wrong",
            option.feedback,
            mistake="" if option.right else option.key,
        )


@dataclass(frozen=True)
class Prediction:
    """What the reader expects, said before the result is shown.

    Parameters
    ----------
    id : str
        ``"p1"``, ``"p2"``, ...
    prompt : str
        What to predict.
    options : mapping of str to str
        Key and text of each possible prediction.
    outcome : callable
        ``outcome(world)`` gives the key that came true.
    says : str
        What the result is; may use facts and ``{expected}``.
    facts : callable or None, default None
        ``facts(world)`` gives further figures for `says`.
    """

    id: str
    prompt: str
    options: Mapping[str, str]
    outcome: Callable[[Any], str]
    says: str
    facts: Callable[[Any], Mapping[str, Any]] | None = None

    def __post_init__(self) -> None:
        _check_id(self.id, r"p[1-9]", "prediction")
        if len(self.options) < 2:
            raise DeclarationError(f"{self.id}: at least two options are needed")

    @property
    def choices(self) -> dict[str, str]:
        """Text of each option by its key."""
        return dict(self.options)


@dataclass(frozen=True)
class Lesson:
    """All that one lesson asks.

    Parameters
    ----------
    number : str
        Two digits, such as ``"01"``.
    title : str
        The lesson's title.
    exercises : sequence of Exercise
    quizzes : sequence of Quiz
    predictions : sequence of Prediction
    setup : str, default ""
        Code that makes the names a solution may use, as the notebook does before it
        asks. The name ``world`` is always there.
    decides : str, default ""
        The section of the policy decided in this lesson.
    """

    number: str
    title: str
    exercises: Sequence[Exercise] = ()
    quizzes: Sequence[Quiz] = ()
    predictions: Sequence[Prediction] = ()
    setup: str = ""
    decides: str = ""

    def __post_init__(self) -> None:
        _check_id(self.number, r"\d\d", "lesson")
        ids = [item.id for item in self.items]
        if len(set(ids)) < len(ids):
            raise DeclarationError(f"lesson {self.number}: two questions share an id")
        compile(self.setup, f"lesson {self.number} setup", "exec")

    @property
    def items(self) -> list[Any]:
        """Everything the lesson asks, in order."""
        return [*self.predictions, *self.exercises, *self.quizzes]


class _Bound:
    """A question as the reader meets it: bound to a world and to progress."""

    def __init__(self, declared: Any, lesson: BoundLesson) -> None:
        self._declared = declared
        self._lesson = lesson

    @property
    def prompt(self) -> str:
        """What is asked."""
        return self._declared.prompt

    def _noted(self, feedback: Feedback, **event: Any) -> Feedback:
        """Return `feedback`, with a line if the event could not be saved."""
        from dataclasses import replace

        note = self._lesson._progress.record(self._lesson.number, self._declared.id, **event)
        return replace(feedback, note=note) if note else feedback

    def __repr__(self) -> str:
        return f"{self._declared.id}: {' '.join(self.prompt.split())}"


class BoundExercise(_Bound):
    """An exercise with ``.check(answer)``, ``.hint()`` and ``.solution()``."""

    def __init__(self, declared: Exercise, lesson: BoundLesson) -> None:
        super().__init__(declared, lesson)
        self._hints_given = 0

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
        world = None if answer is ... else self._lesson.world  # making a world takes a second
        feedback = self._declared.judge(answer, world=world)
        if feedback.kind in ("right", "wrong"):
            return self._noted(feedback, tried=True, right=feedback.passed)
        return feedback

    def hint(self) -> Feedback:
        """Give the next hint; after the last one, the last one again."""
        hints = self._declared.hints
        shown = min(self._hints_given, len(hints) - 1)
        self._hints_given = min(self._hints_given + 1, len(hints))
        left = len(hints) - 1 - shown
        more = f"\n\nOne more with `.hint()`: {left} left." if left else ""
        more = more or "\n\nThat was the last hint; `.solution()` shows one way."
        return Feedback("hint", hints[shown] + more, title=f"Hint {shown + 1} of {len(hints)}")

    def solution(self) -> Feedback:
        """Show one solution; progress then says it was seen."""
        facts = self._declared.known(self._lesson.world)
        shown = Feedback(
            "solution",
            self._declared._says(self._declared.why, facts),
            code=self._declared.solution,
        )
        return self._noted(shown, seen=True)

    def _repr_html_(self) -> str:
        name = html.escape(self._declared.id)
        return f"<p><strong>{name}</strong>: {_inline(' '.join(self.prompt.split()))}</p>"


def _choices_html(declared: Any, how: str) -> str:
    items = "".join(
        f"<li><strong>{html.escape(key)}</strong>: {_inline(text)}</li>"
        for key, text in declared.choices.items()
    )
    return (
        f"<p>{_inline(' '.join(declared.prompt.split()))}</p>"
        f'<ul style="list-style:none">{items}</ul><p>{_inline(how)}</p>'
    )


def _choices_text(declared: Any, how: str) -> str:
    lines = [" ".join(declared.prompt.split())]
    lines += [f"  {key}: {text}" for key, text in declared.choices.items()]
    return "\n".join([*lines, how.replace("`", "")])


class _BoundChoices(_Bound):
    """A question answered by choosing, by code or (with a kernel) by a widget."""

    _how = ""
    _verb = ""

    def _react(self, key: str) -> Feedback:
        raise AssertionError(key)

    def __repr__(self) -> str:
        return _choices_text(self._declared, self._how)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = {
            "text/plain": repr(self),
            "text/html": _choices_html(self._declared, self._how),
        }
        from ethicalai_lab.widgets.base import choice_widget, view_of

        widget = choice_widget(
            self._declared.prompt, self._declared.choices, self._react, self._verb
        )
        bundle.update(view_of(widget))
        return bundle


class BoundQuiz(_BoundChoices):
    """A quiz: shown, it can be clicked; by code, ``.check("b")``."""

    _verb = "Choose"

    @property
    def _how(self) -> str:
        key = next(iter(self._declared.choices))
        return f'Without buttons, answer in a new cell: `ex.{self._declared.id}.check("{key}")`'

    def check(self, answer: Any = ...) -> Feedback:
        """Check the chosen option."""
        feedback = self._declared.judge(answer)
        if feedback.kind in ("right", "wrong"):
            return self._noted(feedback, tried=True, right=feedback.passed)
        return feedback

    def _react(self, key: str) -> Feedback:
        return self.check(key)


class BoundPrediction(_BoundChoices):
    """A prediction: ``.commit("b")`` before the result, ``.compare()`` after it."""

    _verb = "Predict"

    @property
    def _how(self) -> str:
        key = next(iter(self._declared.choices))
        return f'Without buttons, predict by code: `ex.{self._declared.id}.commit("{key}")`'

    def commit(self, answer: Any = ...) -> Feedback:
        """Write the prediction down; the result does not change it."""
        if answer is ...:
            return Feedback("untouched", "Say what you expect before you run on.", title="Predict")
        try:
            key = Choice(self._declared.choices).read(answer)
        except Unreadable as error:
            return Feedback("unreadable", str(error))
        except Exception:
            return Feedback("unreadable", f"The answer is {_kind_safely(answer)}; give a letter.")
        self._lesson._predicted[self._declared.id] = key
        said = Feedback("noted", f"You expect: {self._declared.choices[key]}")
        return self._noted(said, predicted=key)

    def _react(self, key: str) -> Feedback:
        return self.commit(key)

    def compare(self) -> Feedback:
        """Put the prediction beside the result."""
        declared, world = self._declared, self._lesson.world
        facts = Facts(declared.facts(world) if declared.facts else {})
        facts["expected"] = declared.outcome(world)
        result = declared.says.format_map(facts)
        number, name = self._lesson.number, declared.id
        key = self._lesson._predicted.get(name) or self._lesson._progress.prediction(number, name)
        if key not in declared.choices:
            return Feedback("noted", f"{result}\n\nYou made no prediction this time.")
        hit = key == facts.expected
        verdict = "So it came." if hit else "It came otherwise. What did you overlook?"
        return Feedback(
            "noted",
            f"You expected: “{declared.choices[key]}” {verdict}\n\n{result}",
            title="Your prediction came true" if hit else "Another result than you predicted",
        )


_BINDINGS = {Exercise: BoundExercise, Quiz: BoundQuiz, Prediction: BoundPrediction}


class BoundLesson:
    """A lesson's questions as attributes: ``ex.q1``, ``ex.quiz1``, ``ex.p1``.

    Parameters
    ----------
    declared : Lesson
        What the lesson asks.
    world : World or None
        The world to compute expected answers from; by default the course's own.
    """

    def __init__(self, declared: Lesson, world: Any = None) -> None:
        from ethicalai_lab.lessons.records import ProgressFile

        self._declared = declared
        self._world = world
        self._progress = ProgressFile()
        self._predicted: dict[str, str] = {}
        self._items = {item.id: _BINDINGS[type(item)](item, self) for item in declared.items}

    @property
    def number(self) -> str:
        """The lesson's number, two digits."""
        return self._declared.number

    @property
    def world(self) -> Any:
        """The world that expected answers are computed from."""
        return course_world() if self._world is None else self._world

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

        if not self._declared.decides:
            return Feedback("noted", f"Lesson {self.number} decides nothing.")
        return decide(self._declared.decides, **fields)

    def __repr__(self) -> str:
        asked = ", ".join(self._items)
        return f"Lesson {self.number}, {self._declared.title}: {asked}"


def declared_lessons() -> list[str]:
    """Return the numbers of the lessons that ask something."""
    from importlib import resources

    names = [p.name for p in resources.files("ethicalai_lab.lessons.exercises").iterdir()]
    found = (re.fullmatch(r"lesson_(\d\d)\.py", name) for name in names)
    return sorted(match.group(1) for match in found if match)


def declaration(number: str) -> Lesson:
    """Return the declaration of lesson `number`."""
    module = importlib.import_module(f"ethicalai_lab.lessons.exercises.lesson_{number}")
    declared = module.LESSON
    if declared.number != number:
        raise DeclarationError(f"lesson_{number}.py declares lesson {declared.number}")
    return declared


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
    name = str(number).strip().zfill(2)
    known = declared_lessons()
    if name not in known:
        raise InputError(f"there is no lesson {number!r} with exercises; there are {known}")
    return BoundLesson(declaration(name), world)
