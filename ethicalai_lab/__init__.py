"""The Ethical AI Lab: how personal may automated marketing be, and at what price?

The names below are imported on first use, so that ``import ethicalai_lab`` stays
far cheaper than ``import pandas``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ethicalai_lab.policy import Policy, evaluate
    from ethicalai_lab.world import World, WorldConfig, load_table, make_world

__version__ = "0.1.0"

# public name -> the room that holds it
_LAZY = {
    "Policy": "ethicalai_lab.policy",
    "World": "ethicalai_lab.world",
    "WorldConfig": "ethicalai_lab.world",
    "evaluate": "ethicalai_lab.policy",
    "load_table": "ethicalai_lab.world",
    "make_world": "ethicalai_lab.world",
}
_ROOMS = (
    "classroom",
    "consent",
    "explainability",
    "fairness",
    "personalization",
    "plotting",
    "policy",
    "privacy",
    "stats",
    "widgets",
    "world",
)

__all__ = [
    "Policy",
    "World",
    "WorldConfig",
    "__version__",
    "evaluate",
    "load_table",
    "make_world",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_ROOMS])
