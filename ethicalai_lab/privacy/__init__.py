"""Privacy: what a table gives away, how to protect it, and what protection costs.

The room's public face. Names load on first use, so importing the room is cheap.
"""

from __future__ import annotations

import importlib
from typing import Any

# public name -> the module of this room that holds it
_LAZY = {
    "Anonymity": "measures",
    "anonymity": "measures",
    "class_sizes": "measures",
    "AnonymityError": "errors",
    "PrivacyError": "errors",
    "Hierarchy": "hierarchies",
    "parse_label": "labels",
    "parse_release": "labels",
    "InformationLoss": "loss",
    "information_loss": "loss",
    "KAnonymizer": "anonymizer",
    "Minimization": "minimization",
    "Prediction": "minimization",
    "Targeting": "minimization",
    "column_values": "minimization",
    "compare_sets": "minimization",
    "find_leaks": "minimization",
    "minimize": "minimization",
    "set_value": "minimization",
    # the function ``retention`` shares its module's name: import it from there
    "Retention": "retention",
    "behaviour": "retention",
}
_MODULES = (
    "attacks",
    "bill",
    "minimization",
    "noise",
    "pseudonymization",
    "retention",
    "vault",
)

__all__ = [
    "Anonymity",
    "AnonymityError",
    "Hierarchy",
    "InformationLoss",
    "KAnonymizer",
    "Minimization",
    "Prediction",
    "PrivacyError",
    "Retention",
    "Targeting",
    "anonymity",
    "attacks",
    "behaviour",
    "bill",
    "class_sizes",
    "column_values",
    "compare_sets",
    "find_leaks",
    "information_loss",
    "minimization",
    "minimize",
    "noise",
    "parse_label",
    "parse_release",
    "pseudonymization",
    "retention",
    "set_value",
    "vault",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
