"""Fairness: audits that say what they can and cannot see, and mitigations with their price.

Names follow fairlearn and scikit-learn. Everything below is imported on first use.
"""

from __future__ import annotations

import importlib
from typing import Any

# public name -> the module that holds it
_LAZY = {
    "FOUR_FIFTHS_NOTE": "auditing",
    "Audit": "auditing",
    "FairnessInputError": "_coding",
    "audit": "auditing",
    "cli_audit": "reporting",
    "report": "reporting",
}

__all__ = ["FOUR_FIFTHS_NOTE", "Audit", "FairnessInputError", "audit", "cli_audit", "report"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
