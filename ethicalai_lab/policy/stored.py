"""A scorecard as a file holds it: checked field by field, before anything is made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ethicalai_lab.core.yaml import read_text
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.faults import quoted, sentence

__all__ = ["FORMAT", "StoredCard", "StoredLimit", "StoredMeasure", "read_stored"]

FORMAT = "ethicalai_lab.scorecard"
_LARGEST = 100_000_000  # bytes; a card of 60 measures with 10,000 replicates each has 12 million
_DEEPEST = 20  # levels of lists and mappings

Finite = Annotated[float, Field(allow_inf_nan=False)]
Line = Annotated[str, Field(max_length=100_000)]


class _Strict(BaseModel):
    # a text is no number, and what no field is named for is a mistake
    model_config = ConfigDict(strict=True, extra="forbid")


class StoredLimit(_Strict):
    """One bound, with the fields of :class:`~ethicalai_lab.policy.rules.Limit`."""

    bound: Literal["max", "min"]
    threshold: Finite
    set_by: Line
    certain: bool = False


class StoredMeasure(_Strict):
    """One measure, with the fields of :class:`~ethicalai_lab.policy.scorecard.Measure`."""

    dimension: Line
    measure: Line
    meaning: Line
    unit: Line
    direction: Literal["higher", "lower", "none"]
    evidence: Line
    value: Finite | None
    low: Finite | None = None
    high: Finite | None = None
    truth: Finite | None = None
    needs: Line = ""
    limits: Annotated[list[StoredLimit], Field(max_length=100)] = []
    replicates: Annotated[list[Finite | None], Field(max_length=1_000_000)] | None = None
    samples: Line = ""
    basis: Line = ""
    learned: bool = False
    refits: Annotated[list[Finite | None], Field(max_length=100_000)] | None = None
    only_here: bool = False
    spread_by: Finite | None = None


class StoredCard(_Strict):
    """A whole scorecard."""

    format: Literal["ethicalai_lab.scorecard"]
    version: Literal[1]
    tolerance: dict[Literal["value", "interval"], float] = Field(default_factory=dict)
    about: dict[str, Any]
    policy: Line
    measures: Annotated[list[StoredMeasure], Field(max_length=10_000)]


def read_stored(source: str | Path) -> tuple[str, StoredCard]:
    """Read a stored scorecard.

    Parameters
    ----------
    source : path-like or str
        A file; a str that starts with ``{`` is the text of one.

    Returns
    -------
    tuple of (str, StoredCard)
        Its name for messages, and what it holds.

    Raises
    ------
    PolicyError
        In one sentence, naming the measure and the field at fault, and what is accepted.

    Examples
    --------
    >>> read_stored('{"format": "ethicalai_lab.scorecard", "version": 2}')
    Traceback (most recent call last):
    ...
    ethicalai_lab.policy.errors.PolicyError: scorecard: version is 2; this lab reads version 1.
    """
    if isinstance(source, str) and source.lstrip().startswith("{"):
        name, text = "scorecard", source
    else:
        held = read_text(source, what="scorecard", error=PolicyError, most=_LARGEST)
        name, text = held.name, held.text
    data = _json(name, text)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise PolicyError(f'{name} is no scorecard: "format" must be "{FORMAT}".')
    if data.get("version") != 1 or isinstance(data.get("version"), bool):
        shown = repr(data.get("version"))[:40]
        raise PolicyError(f"{name}: version is {shown}; this lab reads version 1.")
    where = _unshowable(data)
    if where:
        raise PolicyError(f"{name}: {where}.")
    try:
        return name, StoredCard.model_validate(data)
    except ValidationError as problem:
        raise PolicyError(_sentence(name, problem.errors()[0])) from None


def _json(name: str, text: str) -> Any:
    def refuse(word: str) -> Any:
        raise PolicyError(f"{name}: {word} is no number that a scorecard can hold.")

    try:
        return json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as problem:
        raise PolicyError(
            f"{name}, line {problem.lineno}: not readable as JSON ({problem.msg})."
        ) from None
    except PolicyError:
        raise
    except (RecursionError, ValueError) as problem:
        raise PolicyError(f"{name}: not readable as JSON ({type(problem).__name__}).") from None


def _unshowable(data: Any) -> str:
    """Say where a card holds what cannot be shown or written again; empty where it does not."""
    level = [(data, "")]
    for _ in range(_DEEPEST):
        below = []
        for value, where in level:
            if isinstance(value, dict):
                below += [(key, f"a name under {where or 'the top'}") for key in value]
                below += [(part, f'"{key[:60]}"') for key, part in value.items()]
            elif isinstance(value, list):
                below += [(part, where) for part in value]
            elif isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
                return f"{where.encode('ascii', 'replace').decode()} holds half a character"
            elif isinstance(value, int) and not -(2**63) <= value < 2**63:
                return f"{where} is a number of {len(str(value))} digits, too large for a scorecard"
            elif isinstance(value, float) and abs(value) == float("inf"):
                return f"{where} is too large a number for a scorecard"
        level = below
    return f"{level[0][1]} is nested too deeply, in more than {_DEEPEST} levels" if level else ""


def _sentence(name: str, fault: Any) -> str:
    """Return one of pydantic's findings as a sentence that names measure and field."""
    place, where, model = list(fault["loc"]), name, StoredCard
    while len(place) > 1 and place[0] in ("measures", "limits") and isinstance(place[1], int):
        word = place[0].removesuffix("s")
        model = StoredMeasure if word == "measure" else StoredLimit
        where += f", {word} {place[1] + 1}"
        place = place[2:]
    if not place:
        return f"{where} is {quoted(fault['input'])}; accepted: a mapping."
    # what stands in a list of numbers
    numbers = "a list of numbers" if place[0] in ("replicates", "refits") else ""
    said = sentence(fault, str(place[0]), options=model.model_fields, accepted=numbers)
    return f"{where}: {said}"
