"""The classroom: exercises with feedback, quizzes, predictions, decisions, progress."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ethicalai_lab.classroom.answers import (
        Choice,
        Choices,
        Column,
        Judgement,
        Number,
        Ranking,
        Rule,
    )
    from ethicalai_lab.classroom.decisions import decide, undo_decision
    from ethicalai_lab.classroom.engine import (
        Exercise,
        Lesson,
        Mistake,
        Option,
        Prediction,
        Quiz,
        lesson,
        per_world,
    )
    from ethicalai_lab.classroom.feedback import Feedback
    from ethicalai_lab.classroom.records import progress

_FROM = {
    "answers": ("Choice", "Choices", "Column", "Judgement", "Number", "Ranking", "Rule"),
    "decisions": ("decide", "undo_decision"),
    "engine": (
        "Exercise",
        "Lesson",
        "Mistake",
        "Option",
        "Prediction",
        "Quiz",
        "lesson",
        "per_world",
    ),
    "feedback": ("Feedback",),
    "records": ("progress",),
}
_HOME = {name: module for module, names in _FROM.items() for name in names}

__all__ = [
    "Choice",
    "Choices",
    "Column",
    "Exercise",
    "Feedback",
    "Judgement",
    "Lesson",
    "Mistake",
    "Number",
    "Option",
    "Prediction",
    "Quiz",
    "Ranking",
    "Rule",
    "decide",
    "lesson",
    "per_world",
    "progress",
    "undo_decision",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
