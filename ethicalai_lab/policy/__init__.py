"""The policy file: what is decided about personalization, and why.

The names below are imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ethicalai_lab.policy.errors import PolicyError
    from ethicalai_lab.policy.policy import Policy, my_policy_path
    from ethicalai_lab.policy.sections import SECTIONS

# public name -> the module that holds it
_LAZY = {
    "SECTIONS": "sections",
    "Policy": "policy",
    "PolicyError": "errors",
    "my_policy_path": "policy",
}

__all__ = ["SECTIONS", "Policy", "PolicyError", "my_policy_path"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
