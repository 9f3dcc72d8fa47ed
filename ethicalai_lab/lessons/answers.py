"""The forms an answer may take, and kind sentences for every other form.

An answer type reads what the reader typed (:meth:`Answer.read`) and compares it
with what is expected (:meth:`Answer.matches`). Whatever comes in, reading either
gives a clean value or raises :class:`Unreadable` with one sentence that says
what was given and what would be accepted.
"""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ethicalai_lab.errors import InputError

__all__ = [
    "FORMS",
    "Answer",
    "Choice",
    "Choices",
    "Column",
    "Judgement",
    "Number",
    "Rule",
    "Unreadable",
    "Untouched",
    "kind_of",
]


class Unreadable(InputError):
    """The answer has another form than the exercise asks for."""


class Untouched(Exception):
    """Part of the answer is still ``...``; the message says which part."""


def _s(many: Any) -> str:
    return "" if len(many) == 1 else "s"


def kind_of(value: Any) -> str:
    """Name the form of `value` in a reader's words.

    Examples
    --------
    >>> kind_of([1, 2])
    'a list of 2 values'
    """
    name = type(value).__name__
    if value is None:
        return "`None` (did the last line forget its `return`, or end in a `print`?)"
    if isinstance(value, str):
        shown = value if len(value) <= 30 else value[:27] + "..."
        return f'the text "{shown}"'.replace("`", "'")
    if isinstance(value, bool) or name == "bool_":
        return f"`{bool(value)}`"
    if name == "DataFrame":
        return f"a whole table ({value.shape[0]:,} rows, {value.shape[1]} columns)"
    if name in ("Series", "Index"):
        return f"a column with {len(value):,} value{_s(value)}"
    if name == "ndarray":
        return f"an array of shape {tuple(value.shape)}"
    if isinstance(value, Mapping):
        return f"a dictionary with {len(value)} entr{'y' if len(value) == 1 else 'ies'}"
    if isinstance(value, set | frozenset):
        return f"a set of {len(value)} value{_s(value)}"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)} value{_s(value)}"
    if isinstance(value, numbers.Number):
        return f"the number {value}"
    if callable(value):
        return "a function (was it meant to be called, with parentheses?)"
    article = "an" if name[:1].lower() in "aeiou" else "a"
    return f"{article} {name}"


def _is_missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value)
    except Exception:
        return False


def _options(keys: Iterable[str]) -> str:
    quoted = [f'`"{key}"`' for key in keys]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " or " + quoted[-1]


class Answer:
    """Base of every form of answer."""

    def read(self, answer: Any) -> Any:
        """Return the clean value of `answer`, or raise :class:`Unreadable`."""
        raise Unreadable(f"{type(self).__name__} reads no answer.")

    def matches(self, value: Any, expected: Any) -> bool:
        """Whether the clean `value` is as good as `expected`."""
        return bool(value == expected)

    def resembles(self, value: Any, example: Any) -> bool:
        """Whether the clean `value` shows the same mistake as `example`."""
        return self.matches(value, example)

    def slip(self, value: Any, expected: Any) -> str:
        """Feedback for a slip that is typical of this form, or an empty string."""
        return ""

    def accepts(self) -> str:
        """Say in a few words what is accepted."""
        return "an answer"


@dataclass(frozen=True)
class Number(Answer):
    """A single number.

    Parameters
    ----------
    absolute : float, default 0.0
        Accepted distance from the expected value, in the answer's own unit.
    relative : float, default 0.0
        Accepted distance as a share of the expected value. The larger of both counts.
    unit : str, default ""
        Shown to the reader. ``"share"`` and ``"percent"`` also recognise the
        other of the two.
    low, high : float, default -inf, inf
        Range in which any sensible answer lies (ends included).

    Examples
    --------
    >>> Number(absolute=0.005, unit="share").read("0.3")
    Traceback (most recent call last):
    ...
    ethicalai_lab.lessons.answers.Unreadable: The answer is the text "0.3"; take the quotes \
away so that it is a number.
    """

    absolute: float = 0.0
    relative: float = 0.0
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf

    def accepts(self) -> str:
        """Say in a few words what is accepted."""
        return f"one number (a {self.unit})" if self.unit else "one number"

    def read(self, answer: Any) -> float:
        """Return the number as a float."""
        value = answer
        if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
            value = value.item()  # NumPy scalars and 0-d arrays
        if isinstance(value, bool):
            raise Unreadable(f"The answer is `{value}`; {self.accepts()} is asked for.")
        if isinstance(value, str):
            text = value.strip().rstrip("%").strip().replace(",", "")
            try:
                float(text)
            except ValueError:
                raise Unreadable(
                    f"The answer is {kind_of(value)}; {self.accepts()} is asked for."
                ) from None
            raise Unreadable(
                f"The answer is {kind_of(value)}; take the quotes away so that it is a number."
            )
        if isinstance(value, complex):
            raise Unreadable("The answer is a complex number; an ordinary number is asked for.")
        if not isinstance(value, numbers.Real | Decimal):
            if all(hasattr(value, name) for name in ("value", "low", "high")):
                raise Unreadable(
                    "The answer is an interval; take the number you need from it: "
                    "`.value`, `.low` or `.high`."
                )
            raise Unreadable(f"The answer is {kind_of(value)}; {self.accepts()} is asked for.")
        try:
            value = float(value)
        except OverflowError:
            value = math.inf
        if math.isnan(value):
            raise Unreadable(
                "The answer is NaN, which is no number: often a mean over no rows, "
                "or a division of zero by zero."
            )
        if math.isinf(value):
            raise Unreadable("The answer is infinite: often a division by zero.")
        return value

    def matches(self, value: float, expected: float) -> bool:
        """Whether `value` lies within the tolerance."""
        room = max(self.absolute, self.relative * abs(float(expected)), 1e-12)
        return abs(value - float(expected)) <= room

    def slip(self, value: float, expected: float) -> str:
        """Recognise percent for share, a flipped sign, and values out of range."""
        if self.unit == "share" and self.matches(value / 100, expected):
            return (
                "That is the percentage. A share is asked for, between 0 and 1: divide it by 100."
            )
        if self.unit == "percent" and self.matches(value * 100, expected):
            return "That is the share. A percentage is asked for: multiply it by 100."
        if expected and self.matches(-value, expected):
            return "The size is right and the sign is not: which of the two is taken from which?"
        if value < self.low:
            return f"{value:g} is too small to be possible here: the least is {self.low:g}."
        if value > self.high:
            percent = self.unit == "share" and value <= 100
            asks = " Is it a percentage? Then divide it by 100." if percent else ""
            return f"{value:g} is too large to be possible here: the most is {self.high:g}.{asks}"
        return ""


def _one_text(answer: Any, keys: Sequence[str], what: str) -> str:
    if not isinstance(answer, str):
        raise Unreadable(f"{what} is {kind_of(answer)}; choose one of {_options(keys)}.")
    text = answer.strip().casefold()
    for key in keys:
        if key.casefold() == text:
            return key
    close = difflib.get_close_matches(text, [key.casefold() for key in keys], n=1)
    hint = f' Was "{close[0]}" meant?' if close else ""
    raise Unreadable(f"{what} is {kind_of(answer)}; choose one of {_options(keys)}.{hint}")


def _members(answer: Any, what: str) -> list[Any]:
    """Return the members of a list-like answer."""
    name = type(answer).__name__
    if isinstance(answer, str | bytes | Mapping) or name == "DataFrame":
        raise Unreadable(f"The answer is {kind_of(answer)}; {what} is asked for.")
    if getattr(answer, "ndim", 1) != 1:
        raise Unreadable(f"The answer is {kind_of(answer)}; {what} is asked for.")
    if not (isinstance(answer, list | tuple | set | frozenset) or hasattr(answer, "__array__")):
        raise Unreadable(f"The answer is {kind_of(answer)}; {what} is asked for.")
    return list(answer)


@dataclass(frozen=True)
class Choice(Answer):
    """One of several named options.

    Parameters
    ----------
    options : mapping of str to str, or sequence of str
        Key typed by the reader, and the text it stands for.

    Examples
    --------
    >>> Choice({"a": "more", "b": "less"}).read(" B ")
    'b'
    """

    options: Mapping[str, str] | Sequence[str]

    @property
    def keys(self) -> tuple[str, ...]:
        """The options' keys."""
        return tuple(self.options)

    def accepts(self) -> str:
        """Say in a few words what is accepted."""
        return "one of " + _options(self.keys)

    def read(self, answer: Any) -> str:
        """Return the chosen key."""
        return _one_text(answer, self.keys, "The answer")


@dataclass(frozen=True)
class Choices(Choice):
    """Any number of the named options; their order does not matter.

    Examples
    --------
    >>> sorted(Choices(["x", "y", "z"]).read(["z", "x"]))
    ['x', 'z']
    """

    def accepts(self) -> str:
        """Say in a few words what is accepted."""
        return "a set of options, such as `{" + f'"{self.keys[0]}"' + "}`"

    def read(self, answer: Any) -> frozenset[str]:
        """Return the set of chosen keys."""
        members = _members(answer, self.accepts())
        return frozenset(_one_text(member, self.keys, "One of the options") for member in members)


@dataclass(frozen=True)
class Column(Answer):
    """One value a row: a Series, an array or a list.

    Parameters
    ----------
    of : {"number", "bool", "category"}, default "number"
        What the column holds.
    absolute, relative : float, default 1e-9
        Accepted distance of each number.
    may_differ : float, default 0.0
        Share of rows that may differ, 0 to 1.
    length : int or None, default None
        Rows asked for; by default, as many as expected.

    Examples
    --------
    >>> column = Column(of="bool")
    >>> column.matches(column.read([1, 0]), column.read([True, False]))
    True
    """

    of: str = "number"
    absolute: float = 1e-9
    relative: float = 1e-9
    may_differ: float = 0.0
    length: int | None = None

    def accepts(self) -> str:
        """Say in a few words what is accepted."""
        held = {"number": "numbers", "bool": "True or False", "category": "categories"}[self.of]
        size = f" with {self.length:,} values" if self.length else ""
        return f"a column{size} of {held}"

    def read(self, answer: Any) -> Any:
        """Return the column as a Series."""
        import numpy as np
        import pandas as pd

        if isinstance(answer, pd.DataFrame):
            if answer.shape[1] == 0:
                raise Unreadable("The answer is a table without columns; a column is asked for.")
            raise Unreadable(
                f"The answer is {kind_of(answer)}; {self.accepts()} is asked for: take one with "
                f'`table["{answer.columns[-1]}"]`.'
            )
        series = (
            answer.copy()
            if isinstance(answer, pd.Series)
            else pd.Series(_members(answer, self.accepts()))
        )
        if self.length is not None and len(series) != self.length:
            raise Unreadable(
                f"The answer has {len(series):,} values; {self.length:,} are asked for, "
                "one for each row."
            )
        missing = int(series.isna().sum())
        if missing:
            raise Unreadable(f"{missing:,} of the answer's {len(series):,} values are missing.")
        if self.of == "category":
            return series.astype(str)
        try:
            as_number = pd.to_numeric(series).astype(float)
        except (ValueError, TypeError):
            raise Unreadable(
                f"The answer holds values that are no numbers; {self.accepts()} is asked for."
            ) from None
        if not np.isfinite(as_number.to_numpy()).all():
            raise Unreadable("The answer holds infinite values: often a division by zero.")
        if self.of == "bool":
            if not as_number.isin([0.0, 1.0]).all():
                raise Unreadable(f"The answer holds other values; {self.accepts()} is asked for.")
            return as_number.astype(bool)
        return as_number

    def matches(self, value: Any, expected: Any) -> bool:
        """Whether enough rows agree."""
        import numpy as np
        import pandas as pd

        expected = expected if isinstance(expected, pd.Series) else pd.Series(list(expected))
        if len(value) != len(expected) or not len(value):
            return False
        if (
            not value.index.equals(expected.index)
            and value.index.is_unique
            and expected.index.is_unique
            and value.index.isin(expected.index).all()
        ):
            value = value.reindex(expected.index)
        if self.of == "number":
            same = np.isclose(
                value.to_numpy(float),
                expected.to_numpy(float),
                rtol=self.relative,
                atol=self.absolute,
            )
        else:
            same = value.to_numpy() == expected.astype(value.dtype).to_numpy()
        return bool(1 - same.mean() <= self.may_differ + 1e-12)

    def slip(self, value: Any, expected: Any) -> str:
        """Recognise a wrong number of rows."""
        if len(value) != len(expected):
            return f"The answer has {len(value):,} values and {len(expected):,} are expected."
        return ""


@dataclass(frozen=True)
class Rule(Column):
    """A targeting rule: True for each person chosen.

    The reader gives either the True/False column itself or a function that takes
    the table and returns it. A rule counts by what it does, not by how it is
    written: with `value`, every rule that is worth as much as the expected one
    passes.

    Parameters
    ----------
    table : DataFrame or None, default None
        Handed to the reader's function.
    value : callable or None, default None
        ``value(chosen)`` gives what a True/False column is worth. Without it, the rows
        themselves are compared.
    absolute, relative : float
        How much less than the expected rule's value still passes.
    """

    of: str = "bool"
    table: Any = None
    value: Callable[[Any], float] | None = None

    def __post_init__(self) -> None:
        if self.length is None and self.table is not None:
            object.__setattr__(self, "length", len(self.table))

    def accepts(self) -> str:
        """Say in a few words what is accepted."""
        size = f" with {self.length:,} values" if self.length else ""
        return f"a column{size} of True or False, or a function that returns one,"

    def read(self, answer: Any) -> Any:
        """Return the True/False column, calling the reader's function if it is one."""
        if callable(answer) and not hasattr(answer, "__array__"):
            if self.table is None:
                raise Unreadable("The answer is a function; the True/False column is asked for.")
            try:
                result = answer(self.table.copy())
            except Exception as error:
                text = " ".join(str(error).split())[:120].replace("`", "'")
                raise Unreadable(
                    f"The function stopped with {type(error).__name__}: {text}"
                ) from None
            if callable(result):
                raise Unreadable("The function returned another function; True/False is needed.")
            answer = result
        return super().read(answer)

    def matches(self, value: Any, expected: Any) -> bool:
        """Whether the rule is worth as much as the expected one."""
        if self.value is None:
            return super().matches(value, expected)
        if len(value) != len(expected):
            return False
        best = float(self.value(expected))
        room = max(self.absolute, self.relative * abs(best))
        return float(self.value(value)) >= best - room

    def resembles(self, value: Any, example: Any) -> bool:
        """Whether nearly the same people are chosen: worth alone would confuse two mistakes."""
        alike = (value.to_numpy() == example.to_numpy()).mean() if len(value) == len(example) else 0
        return bool(1 - alike <= max(self.may_differ, 0.02))


@dataclass(frozen=True)
class Judgement(Answer):
    """Several structured choices that must agree with the reader's own numbers.

    There is no single right judgement. Each field is read by its own answer type;
    the exercise's mistakes are the ways in which the fields contradict each other
    (a reason that the reader's own figure speaks against, a threshold that the
    reader's own interval cannot support). A judgement passes when every field is
    filled, each of the reader's figures is what the data gives, and no
    contradiction is left.

    Parameters
    ----------
    fields : mapping of str to Answer
        The choices and figures asked for, by name.
    own : mapping of str to str, default {}
        For each field that is the reader's own figure, the name of the fact it is
        checked against (so that a figure cannot be invented).
    """

    fields: Mapping[str, Answer]
    own: Mapping[str, str] = field(default_factory=dict)

    def accepts(self) -> str:
        """Say in a few words what is accepted."""
        return "the fields " + ", ".join(f"`{name}`" for name in self.fields)

    def read(self, answer: Any) -> dict[str, Any]:
        """Return the fields' clean values."""
        if not isinstance(answer, Mapping):
            raise Unreadable(
                f"The answer is {kind_of(answer)}; give {self.accepts()}, as in "
                f"`.check({next(iter(self.fields))}=...)`."
            )
        unknown = [str(name) for name in answer if name not in self.fields]
        if unknown:
            raise Unreadable(f"`{unknown[0]}` is no field of this question; give {self.accepts()}.")
        missing = [name for name in self.fields if name not in answer]
        if missing:
            raise Unreadable(f"`{missing[0]}` is missing; give {self.accepts()}.")
        open_fields = [name for name in self.fields if answer[name] is ...]
        if open_fields:
            raise Untouched(", ".join(f"`{name}`" for name in open_fields))
        read = {}
        for name, kind in self.fields.items():
            try:
                read[name] = kind.read(answer[name])
            except Unreadable as error:
                text = str(error)
                text = text.replace("The answer", f"`{name}`", 1)
                raise Unreadable(text if f"`{name}`" in text else f"`{name}`: {text}") from None
        return read

    def matches(self, value: dict[str, Any], expected: Any) -> bool:
        """Every consistent judgement is right; contradictions are found as mistakes."""
        return True

    def invented(self, value: dict[str, Any], facts: Mapping[str, Any]) -> str:
        """Name the first own figure that is not what the data gives, or an empty string."""
        for name, fact in self.own.items():
            if not self.fields[name].matches(value[name], facts[fact]):
                return name
        return ""


FORMS = ("Choice", "Choices", "Column", "Judgement", "Number", "Rule")
