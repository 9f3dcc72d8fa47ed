"""Arguments checked by their annotations: what is accepted is said once, where it is declared.

``@checked(Error)`` reads a function's annotations, and `check_fields` those of a dataclass or
estimator. Whatever does not fit raises `Error` with one sentence that names the argument, shows
its value and says what is accepted. An annotation that says nothing checkable (``Any``, a
protocol, a class of ours) is left alone.
"""

from __future__ import annotations

import functools
import inspect
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.errors import InputError, did_you_mean, shown

__all__ = [
    "Count",
    "Finite",
    "Flags",
    "Inside",
    "NonNegative",
    "Numbers",
    "Positive",
    "Seed",
    "Share",
    "Shares",
    "Whole",
    "check_fields",
    "check_value",
    "checked",
    "need_columns",
    "number",
    "numbers",
    "same_length",
    "whole",
]

F = TypeVar("F", bound=Callable[..., Any])

_PLAIN: dict[Any, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a text",
    pd.DataFrame: "a DataFrame",
}


class _Accepts:
    """What an annotated type accepts, and how a value is read into it."""

    def __init__(self, words: str, read: Callable[[Any], Any]) -> None:
        self.words, self.read = words, read


class _Unfit(ValueError):
    """A value that does not fit; the text, if any, says what it holds and where."""


# ------------------------------------------------------------------------------- kinds


def _range(low: float, high: float, opened: bool) -> str:
    form = "{:,}".format
    if opened and math.isfinite(high):
        return f" above {form(low)} and below {form(high)}"
    if opened:
        return f" above {form(low)}"
    if math.isfinite(low) and math.isfinite(high):
        return f" from {form(low)} to {form(high)}"
    if math.isfinite(low):
        return f" of at least {form(low)}"
    return f" of at most {form(high)}" if math.isfinite(high) else ""


def _within(value: Any, low: float, high: float, opened: bool) -> Any:
    return (low < value) & (value < high) if opened else (low <= value) & (value <= high)


def number(low: float = -math.inf, high: float = math.inf, *, opened: bool = False) -> Any:
    """Return the type of one finite number in a range.

    Parameters
    ----------
    low, high : float
        The range; without one, any finite number.
    opened : bool, default False
        Whether the ends are left out.

    Returns
    -------
    Annotated[float, ...]
        For an annotation.

    Examples
    --------
    >>> check_value(2, number(0, 1), "share")
    Traceback (most recent call last):
    ...
    ethicalai_lab.errors.InputError: share is 2; a number from 0 to 1 is accepted.
    """

    def read(value: Any) -> Any:
        right = isinstance(value, int | float) and not isinstance(value, bool)
        if not right or not math.isfinite(value) or not _within(value, low, high, opened):
            raise _Unfit
        return value

    return Annotated[float, _Accepts("a number" + _range(low, high, opened), read)]


def whole(low: float = -math.inf, high: float = math.inf) -> Any:
    """Return the type of one whole number in a range, its ends included.

    Examples
    --------
    >>> check_value(2.5, whole(1), "folds")
    Traceback (most recent call last):
    ...
    ethicalai_lab.errors.InputError: folds is 2.5; a whole number of at least 1 is accepted.
    """

    def read(value: Any) -> Any:
        right = isinstance(value, int) and not isinstance(value, bool)
        if not right or not low <= value <= high:
            raise _Unfit
        return value

    return Annotated[int, _Accepts("a whole number" + _range(low, high, False), read)]


def numbers(low: float = -math.inf, high: float = math.inf, *, opened: bool = False) -> Any:
    """Return the type of a column of finite numbers in a range: an array of float64.

    Examples
    --------
    >>> check_value([0.2, float("nan")], numbers(0, 1), "score")
    Traceback (most recent call last):
    ...
    ethicalai_lab.errors.InputError: score holds nan in row 1; a column of numbers from 0 to 1 is \
accepted.
    """

    def read(value: Any) -> NDArray[np.float64]:
        try:
            column = np.asarray(value, dtype=float)
        except (TypeError, ValueError):
            raise _Unfit("holds what is no number") from None
        if column.ndim != 1:
            raise _Unfit(f"has {column.ndim} dimensions")
        wrong = ~(np.isfinite(column) & _within(column, low, high, opened))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise _Unfit(f"holds {column[row]:g} in row {row}")
        return column

    words = "a column of numbers" + _range(low, high, opened)
    return Annotated[ArrayLike, _Accepts(words, read)]


def _read_flags(value: Any) -> NDArray[np.bool_]:
    column = np.asarray(value)
    if column.ndim != 1:
        raise _Unfit(f"has {column.ndim} dimensions")
    try:
        held = column.astype(float)
    except (TypeError, ValueError):
        raise _Unfit("holds what is neither 0 nor 1") from None
    wrong = (held != 0) & (held != 1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise _Unfit(f"holds {held[row]:g} in row {row}")
    return held.astype(bool)


Finite = number()
Share = number(0, 1)
Inside = number(0, 1, opened=True)
Positive = number(0, opened=True)
NonNegative = number(0)
Count = whole(1)
Whole = whole(0)
Seed = whole(0, 2**63 - 1)
Numbers = numbers()
Shares = numbers(0, 1)
Flags = Annotated[ArrayLike, _Accepts("a column of 0 and 1", _read_flags)]


# ---------------------------------------------------------------------------- checking


def _accepts(annotation: Any) -> _Accepts | None:
    """Return what an annotation accepts, or None where it says nothing that can be checked."""
    for said in getattr(annotation, "__metadata__", ()):
        if isinstance(said, _Accepts):
            return said
    origin = typing.get_origin(annotation)
    if origin is Literal:
        return _accepts_words(typing.get_args(annotation))
    if origin in (types.UnionType, typing.Union):
        return _accepts_either(typing.get_args(annotation))
    if annotation in _PLAIN:
        return _accepts_plain(annotation)
    return None


def _accepts_words(words: tuple[Any, ...]) -> _Accepts:
    def read(value: Any) -> Any:
        if not isinstance(value, str | bool | int) or value not in words:
            raise _Unfit
        return value

    return _Accepts(" or ".join(map(repr, words)), read)


def _accepts_either(options: tuple[Any, ...]) -> _Accepts | None:
    known = [_accepts(option) for option in options if option is not types.NoneType]
    if not known or None in known:
        return None
    empty = types.NoneType in options

    def read(value: Any) -> Any:
        if value is None and empty:
            return None
        for one in known:
            try:
                return one.read(value)
            except _Unfit as problem:
                last = problem
        raise last

    return _Accepts(" or ".join([one.words for one in known] + ["None"] * empty), read)


def _accepts_plain(kind: Any) -> _Accepts:
    # a whole number is a number, and True is neither
    kinds = (int, float) if kind is float else kind

    def read(value: Any) -> Any:
        if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
            raise _Unfit(f"is a {type(value).__name__}" if kind is pd.DataFrame else "")
        return value

    return _Accepts(_PLAIN[kind], read)


def _read(accepts: _Accepts, value: Any, name: str, error: type[InputError]) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    try:
        return accepts.read(plain)
    except _Unfit as problem:
        what = str(problem) or f"is {shown(repr(plain))}"
        # texts with a near miss among what is accepted
        words = accepts.words.replace("'", "").split(" or ") if isinstance(plain, str) else ()
        hint = did_you_mean(plain, words) if "'" in accepts.words and words else ""
        raise error(f"{name} {what}; {accepts.words} is accepted.{hint}") from None


def _annotations(function: Callable[..., Any]) -> dict[str, _Accepts]:
    """Return what each parameter accepts, those left out about which nothing is known."""
    found = {}
    for name, said in inspect.get_annotations(function).items():
        if isinstance(said, str):
            try:
                said = eval(said, getattr(function, "__globals__", {}))
            except (NameError, TypeError, AttributeError):
                continue  # named for the type checker only
        accepts = _accepts(said)
        if name != "return" and accepts is not None:
            found[name] = accepts
    return found


def checked(error: type[InputError] = InputError) -> Callable[[F], F]:
    """Check a function's arguments by their annotations, each time it is called.

    Parameters
    ----------
    error : type of InputError
        Raised with one sentence.

    Returns
    -------
    callable
        A decorator. The function gets what the annotations read: a float for a NumPy scalar, an
        array for a column.

    Examples
    --------
    >>> @checked()
    ... def take(share: Share, side: Literal["left", "right"] = "left") -> float:
    ...     return share
    >>> take(0.5)
    0.5
    >>> take(0.5, side="rigth")
    Traceback (most recent call last):
    ...
    ethicalai_lab.errors.InputError: side is 'rigth'; 'left' or 'right' is accepted. Did you \
mean "right"?
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        known: dict[str, _Accepts] = {}

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not known:  # read at the first call: annotations may name what comes later
                known.update(_annotations(function))
            bound = signature.bind(*args, **kwargs)
            for name, value in bound.arguments.items():
                if name in known:
                    bound.arguments[name] = _read(known[name], value, name, error)
            return function(*bound.args, **bound.kwargs)

        return typing.cast(F, call)

    return decorate


@functools.cache
def _fields(kind: type) -> Mapping[str, _Accepts]:
    if hasattr(kind, "__dataclass_fields__"):
        import sys

        space = vars(sys.modules[kind.__module__])
        holder = types.FunctionType((lambda: None).__code__, space)
        holder.__annotations__ = {
            name: field.type for name, field in kind.__dataclass_fields__.items()
        }
        return _annotations(holder)
    return _annotations(kind.__init__)  # type: ignore[misc]


def check_fields(instance: Any, error: type[InputError] = InputError) -> None:
    """Check a dataclass's fields or an estimator's parameters by their annotations.

    Parameters
    ----------
    instance : object
        A dataclass (call it in ``__post_init__``), or an estimator whose ``__init__`` keeps its
        parameters under their names, as scikit-learn's do (call it in ``fit``).
    error : type of InputError
        Raised with one sentence that names the field.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Offer:
    ...     share: Share
    ...     def __post_init__(self):
    ...         check_fields(self)
    >>> Offer(share=3)
    Traceback (most recent call last):
    ...
    ethicalai_lab.errors.InputError: share is 3; a number from 0 to 1 is accepted.
    """
    for name, accepts in _fields(type(instance)).items():
        _read(accepts, getattr(instance, name), name, error)


def check_value(value: Any, kind: Any, name: str, error: type[InputError] = InputError) -> Any:
    """Return one value as `kind` reads it; see :func:`number`, :func:`whole` and :func:`numbers`.

    Examples
    --------
    >>> check_value([1, 0], Flags, "treatment")
    array([ True, False])
    """
    accepts = _accepts(kind)
    assert accepts is not None, kind
    return _read(accepts, value, name, error)


# ------------------------------------------------------------------ several at once


def same_length(error: type[InputError] = InputError, **columns: Any) -> int:
    """Return how many rows all columns have, and refuse where one has another number.

    Examples
    --------
    >>> same_length(y=[0, 1], score=[0.3, 0.4])
    2
    >>> same_length(y=[0, 1], score=[0.3])
    Traceback (most recent call last):
    ...
    ethicalai_lab.errors.InputError: score has 1 rows where y has 2; as many are needed.
    """
    sizes = {name: len(column) for name, column in columns.items() if column is not None}
    (first, n), *others = sizes.items()
    for name, size in others:
        if size != n:
            raise error(f"{name} has {size:,} rows where {first} has {n:,}; as many are needed.")
    return n


def need_columns(
    table: pd.DataFrame, names: Iterable[str], what: str, error: type[InputError] = InputError
) -> None:
    """Refuse a table that lacks a column, or is none.

    Examples
    --------
    >>> need_columns(pd.DataFrame({"age": [3]}), ["agee"], "people")
    Traceback (most recent call last):
    ...
    ethicalai_lab.errors.InputError: people has no column "agee"; it has age. Did you mean "age"?
    """
    _read(_accepts_plain(pd.DataFrame), table, what, error)
    for name in names:
        if name not in table.columns:
            known = shown(", ".join(map(str, table.columns)), 200) or "none"
            hint = did_you_mean(name, table.columns)
            raise error(f'{what} has no column "{shown(name)}"; it has {known}.{hint}')
