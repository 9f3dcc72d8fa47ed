"""What a lesson asks, as its question file says it: ``lessons/questions/NN.yaml``.

A file holds code: `given`, which stands in the notebook word for word, `aside`, which only the
checker knows, and an expression for every answer, fact and mistake. So an expected value is never
stored. Only the package's own files are read this way.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib import resources
from typing import Any

from ethicalai_lab.core.yaml import Node, Text, parse, to_data
from ethicalai_lab.errors import InputError, did_you_mean
from ethicalai_lab.lessons.answers import (
    Answer,
    Choice,
    Judgement,
    Unreadable,
    Untouched,
    kind_of,
)
from ethicalai_lab.lessons.feedback import Feedback
from ethicalai_lab.lessons.known import Facts, Known

__all__ = [
    "DeclarationError",
    "Exercise",
    "Lesson",
    "Mistake",
    "Prediction",
    "Quiz",
    "declaration",
    "declared_lessons",
    "parse_lesson",
]


class DeclarationError(InputError):
    """A question file says something that cannot work."""


def _filled(text: str, facts: Mapping[str, Any]) -> str:
    return text.format_map(facts) if "{" in text or "}" in text else text


def _unreadable(answer: Any, wanted: str) -> Feedback:
    try:
        kind = kind_of(answer)
    except Exception:  # an object that breaks when looked at is the reader's answer too
        kind = f"a {type(answer).__name__}"
    return Feedback("unreadable", f"The answer is {kind}; {wanted}.")


@dataclass(frozen=True)
class Mistake:
    """A typical wrong answer, and what to say to it.

    Attributes
    ----------
    name : str
        Unique in its exercise.
    example : str
        The wrong answer itself, an expression over the lesson's names and the exercise's facts.
    say : str
        Names the mistake and points on, without giving the answer away. May use facts:
        ``"{lift:.1%} is the lift of ..."``.
    when : str
        True when the answer `a` shows this mistake. By default, when it matches the example
        within the exercise's tolerance.
    """

    name: str
    example: str
    say: str
    when: str = ""


@dataclass(frozen=True)
class Exercise:
    """A question with one checked answer.

    Attributes
    ----------
    id : str
        ``"q1"``, ``"q2"``, ...
    ask : str
        Plain sentences; backticks mark code.
    answer : str
        The form of the answer with its tolerance, such as ``Number(absolute=0.01)``.
    solution : str
        Code that assigns ``answer`` from names of the notebook: the expected answer.
    mistakes : sequence of Mistake
        At least two typical wrong answers, the more specific first.
    hints : sequence of str
        At least two, from a nudge to nearly the whole way.
    why : str
        Said after a right answer: why it is right and what follows. May use facts.
    facts : str
        Code; each name that it binds is a fact for texts and mistakes.
    expected : str
        The expected answer, where the solution only states it; may use facts.
    otherwise : str
        Said to a wrong answer that shows none of the mistakes.
    """

    id: str
    ask: str
    answer: str
    solution: str
    mistakes: Sequence[Mistake]
    hints: Sequence[str]
    why: str
    facts: str = ""
    expected: str = ""
    otherwise: str = "This is not what the data gives. Ask for a hint with `.hint()`."

    def form(self, known: Known) -> Answer:
        """Return the form of the answer."""
        return known.value(self.answer)

    def known_of(self, known: Known) -> Facts:
        """Return the expected answer (a judgement's reference) and all facts, computed once."""
        return _facts(self, known)

    def explained(self, known: Known) -> str:
        """Return why the right answer is right."""
        return _filled(self.why, self.known_of(known))

    def example_of(self, mistake: Mistake, known: Known) -> Any:
        """Return the wrong answer that shows a mistake."""
        facts = self.known_of(known)
        return known.value(mistake.example, {"f": facts, **facts})

    def judge(self, answer: Any = ..., known: Known | None = None) -> Feedback:
        """Say what is right or wrong with `answer`.

        Never raises for an answer, whatever it is.

        Parameters
        ----------
        answer : object
            The reader's answer; ``...`` stands for none yet.
        known : Known
            The world's names, from which the expected answer is computed.

        Returns
        -------
        Feedback
        """
        if answer is ... or known is None:
            return Feedback(
                "untouched", "Put your answer in place of `...` and run this cell again."
            )
        form = self.form(known)
        try:
            value = form.read(answer)
        except Untouched as open_fields:
            return Feedback("untouched", f"Still open: {open_fields}.")
        except Unreadable as error:
            return Feedback("unreadable", str(error))
        except Exception:
            return _unreadable(answer, f"{form.accepts()} is needed")
        facts = self.known_of(known)
        judged = isinstance(form, Judgement)
        if judged and (name := form.invented(value, facts)):
            return Feedback(
                "wrong",
                f"`{name}` is not what the data gives. Take it from your own result above, "
                "then judge again.",
            )
        if not judged and form.matches(value, form.read(facts.expected)):
            return Feedback("right", self.explained(known))
        for mistake in self.mistakes:
            if self._shows(mistake, form, value, known):
                return Feedback("wrong", _filled(mistake.say, facts), mistake=mistake.name)
        if judged:
            return Feedback("right", self.explained(known))
        slip = form.slip(value, form.read(facts.expected))
        return Feedback("wrong", slip or _filled(self.otherwise, facts))

    def _shows(self, mistake: Mistake, form: Answer, value: Any, known: Known) -> bool:
        facts = self.known_of(known)
        if mistake.when:
            return bool(known.value(mistake.when, {"f": facts, **facts, "a": value}))
        return form.resembles(value, form.read(self.example_of(mistake, known)))


def _plain(value: Any) -> Any:
    """Return NumPy's single values as Python's."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value.item() if getattr(value, "ndim", None) == 0 else value


def _facts(item: Exercise | Prediction, known: Known) -> Facts:
    kept = known.__dict__.setdefault("facts", {})
    if item.id not in kept:
        facts = Facts({k: v for k, v in known.run(item.facts).items() if not k.startswith("_")})
        stated = item.expected if isinstance(item, Exercise) else item.outcome
        if stated:
            facts["expected"] = known.value(stated, {"f": facts, **facts})
        else:
            facts["expected"] = _plain(known.run(item.solution)["answer"])
        kept[item.id] = facts
    return kept[item.id]


@dataclass(frozen=True)
class Option:
    """One option of a quiz, with its own feedback."""

    text: str
    say: str


@dataclass(frozen=True)
class Quiz:
    """A multiple-choice question; each option has its own feedback.

    Attributes
    ----------
    id : str
        ``"quiz1"``, ``"quiz2"``, ...
    ask : str
    right : str
        The key of the right option.
    options : mapping of str to Option
        At least two.
    """

    id: str
    ask: str
    right: str
    options: Mapping[str, Option]

    @property
    def choices(self) -> dict[str, str]:
        """Text of each option by its key."""
        return {key: option.text for key, option in self.options.items()}

    def judge(self, answer: Any = ..., known: Known | None = None) -> Feedback:
        """Say whether the chosen option is right, and why."""
        if answer is ...:
            return Feedback("untouched", f"Choose one of {', '.join(self.choices)}.")
        key = chosen(answer, self.choices)
        if isinstance(key, Feedback):
            return key
        right = key == self.right
        return Feedback(
            "right" if right else "wrong", self.options[key].say, mistake="" if right else key
        )


@dataclass(frozen=True)
class Prediction:
    """What the reader expects, said before the result is shown.

    Attributes
    ----------
    id : str
        ``"p1"``, ``"p2"``, ...
    ask : str
    options : mapping of str to str
        Key and text of each possible prediction.
    outcome : str
        Expression that gives the key that came true.
    says : str
        What the result is; may use facts and ``{expected}``.
    facts : str
        Code; each name that it binds is a fact.
    """

    id: str
    ask: str
    options: Mapping[str, str]
    outcome: str
    says: str
    facts: str = ""

    @property
    def choices(self) -> dict[str, str]:
        """Text of each option by its key."""
        return dict(self.options)

    def known_of(self, known: Known) -> Facts:
        """Return the key that came true, as ``expected``, and all facts, computed once."""
        return _facts(self, known)

    def result(self, known: Known) -> str:
        """Return what came out, in words."""
        return self.says.format_map(self.known_of(known))


def chosen(answer: Any, choices: Mapping[str, str]) -> str | Feedback:
    """Return the key that an answer names, or what to say to one that names none."""
    try:
        return Choice(choices).read(answer)
    except Unreadable as error:
        return Feedback("unreadable", str(error))
    except Exception:
        return _unreadable(answer, "give a letter")


@dataclass(frozen=True)
class Lesson:
    """All that one lesson asks.

    Attributes
    ----------
    number : str
        Two digits, such as ``"01"``.
    title : str
    items : mapping of str to Prediction, Exercise or Quiz
        By id, in the file's order.
    given : str
        Code that stands in the notebook; a solution may use its names.
    aside : str
        Code that stands in no notebook: what facts and mistakes need besides.
    decides : str
        The section of the policy decided in this lesson.
    """

    number: str
    title: str
    items: Mapping[str, Any] = field(default_factory=dict)
    given: str = ""
    aside: str = ""
    decides: str = ""

    def known(self, world: Any) -> Known:
        """Return what the checker knows on a world, kept for the last two worlds."""
        kept = _KNOWN.setdefault(self.number, [])
        for of, code, known in kept:
            if of is world and code is self:
                return known
        kept.append((world, self, Known(f"{self.given}\n{self.aside}", world)))
        del kept[:-2]
        return kept[-1][2]


_KNOWN: dict[str, list[tuple[Any, Lesson, Known]]] = {}


# ------------------------------------------------------------------------ reading a file

_KINDS = {"q": Exercise, "quiz": Quiz, "p": Prediction}
_TOP = ("title", "decides", "given", "aside")


def _fault(source: Text, node: Node, sentence: str) -> DeclarationError:
    return DeclarationError(f"{source.name}, line {node.line}: {sentence}")


def _record(source: Text, node: Node, kind: type, names: Mapping[str, str], **given: Any) -> Any:
    """Build `kind` from a mapping whose keys are its fields; `names` calls some otherwise."""
    wanted = {names.get(f.name, f.name): f for f in fields(kind) if f.name not in given}
    if node.kind != "mapping":
        raise _fault(source, node, f"a mapping is needed, with {', '.join(wanted)}.")
    for key, written in node.keys.items():
        if key not in wanted:
            hint = did_you_mean(key, wanted)
            raise _fault(source, written, f'"{key}" is no part of it; {", ".join(wanted)}.{hint}')
    values = {wanted[key].name: value for key, value in to_data(node).items()}
    missing = [
        key
        for key, f in wanted.items()
        if f.default is f.default_factory and not str(values.get(f.name, "")).strip()
    ]
    if missing:
        raise _fault(source, node, f'"{missing[0]}" is missing or empty.')
    texts = {k: str(v) if isinstance(v, int | float) else v for k, v in values.items()}
    return kind(**{**texts, **given})


def _item(source: Text, name: str, node: Node) -> Any:
    found = re.fullmatch(r"(q|quiz|p)[1-9]", name)
    if found is None:
        raise _fault(source, node, f'"{name}" is no question; q1, quiz1 or p1 is.')
    kind = _KINDS[found[1]]
    item = _record(source, node, kind, {}, id=name)
    if isinstance(item, Exercise):
        mistakes = [
            _record(source, each, Mistake, {"example": "if"})
            for each in node.value["mistakes"].value
        ]
        for part in ("name", "say"):
            if len({getattr(each, part) for each in mistakes}) < len(mistakes):
                raise _fault(source, node, f"two mistakes share their {part}.")
        if len(mistakes) < 2 or len(item.hints) < 2:
            raise _fault(source, node, "at least two typical mistakes and two hints are needed.")
        object.__setattr__(item, "mistakes", mistakes)
    elif len(item.options) < 2:
        raise _fault(source, node, "at least two options are needed.")
    if isinstance(item, Quiz):
        written = node.value["options"].value
        options = {key: _record(source, each, Option, {}) for key, each in written.items()}
        if item.right not in options or len({o.say for o in options.values()}) < len(options):
            raise _fault(source, node, "one option is right, and each has feedback of its own.")
        object.__setattr__(item, "options", options)
    _compiled(source, node, item)
    return item


def _compiled(source: Text, node: Node, item: Any) -> None:
    """Refuse code that is no Python, with the line of its place."""
    blocks = dict.fromkeys(("facts", "solution"), "exec") | dict.fromkeys(
        ("answer", "outcome", "expected"), "eval"
    )
    texts = [(getattr(item, name, ""), mode, node.value.get(name)) for name, mode in blocks.items()]
    for mistake in getattr(item, "mistakes", ()):
        texts += [(mistake.example, "eval", node), (mistake.when or "True", "eval", node)]
    for text, mode, place in texts:
        try:
            compile(text.strip(), "question", mode)
        except SyntaxError as error:
            where = place or node
            if text:
                raise _fault(source, where, f"this is no Python ({error.msg}): {text}") from None
    if isinstance(item, Exercise) and "answer" not in compile(item.solution, "q", "exec").co_names:
        raise _fault(source, node, "the solution must assign `answer`.")


def parse_lesson(number: str, text: str) -> Lesson:
    r"""Read a question file.

    Parameters
    ----------
    number : str
        Two digits.
    text : str
        YAML, as in docs/authoring.md.

    Returns
    -------
    Lesson

    Raises
    ------
    DeclarationError
        With the file's line, if something is unknown, missing or no Python.

    Examples
    --------
    >>> parse_lesson("42", "title: A test\nquestion: 1")
    Traceback (most recent call last):
    ...
    ethicalai_lab.lessons.questions.DeclarationError: 42.yaml, line 2: "question" is no...
    """
    source = Text(f"{number}.yaml", text)
    root = parse(source, what="question file", error=DeclarationError)
    if root is None or root.kind != "mapping" or "title" not in root.value:
        raise DeclarationError(f"{source.name}: a mapping with a title is needed.")
    head = {key: str(root.value[key].value or "") for key in _TOP if key in root.value}
    for key in ("given", "aside"):
        try:
            compile(head.get(key, ""), key, "exec")
        except SyntaxError as error:
            raise _fault(source, root.value[key], f"this is no Python ({error.msg}).") from None
    asked = {key: node for key, node in root.value.items() if key not in _TOP}
    items = {key: _item(source, key, node) for key, node in asked.items()}
    return Lesson(number, items=items, **head)


def _folder() -> Any:
    return resources.files("ethicalai_lab.lessons").joinpath("questions")


def declared_lessons() -> list[str]:
    """Return the numbers of the lessons that ask something."""
    return sorted(path.name[:2] for path in _folder().iterdir() if path.name.endswith(".yaml"))


@functools.cache
def declaration(number: str) -> Lesson:
    """Return what lesson `number` asks."""
    return parse_lesson(number, _folder().joinpath(f"{number}.yaml").read_text("utf-8"))
