"""The policy file: what is decided about personalization, and why.

The names below are imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ethicalai_lab.policy.errors import PolicyError
    from ethicalai_lab.policy.policy import Policy, my_policy_path
    from ethicalai_lab.policy.presets import PRESETS, Preset, preset, preset_table
    from ethicalai_lab.policy.rules import DIMENSIONS, Limit, Miss, Rule, Rules
    from ethicalai_lab.policy.scorecard import (
        Comparison,
        Measure,
        Scorecard,
        compare_scorecards,
    )
    from ethicalai_lab.policy.sections import SECTIONS

# public name -> the module that holds it
_LAZY = {
    "DIMENSIONS": "rules",
    "PRESETS": "presets",
    "SECTIONS": "sections",
    "Comparison": "scorecard",
    "Limit": "rules",
    "Measure": "scorecard",
    "Miss": "rules",
    "Policy": "policy",
    "PolicyError": "errors",
    "Preset": "presets",
    "Rule": "rules",
    "Rules": "rules",
    "Scorecard": "scorecard",
    "compare_scorecards": "scorecard",
    "my_policy_path": "policy",
    "preset": "presets",
    "preset_table": "presets",
}

__all__ = [
    "DIMENSIONS",
    "PRESETS",
    "SECTIONS",
    "Comparison",
    "Limit",
    "Measure",
    "Miss",
    "Policy",
    "PolicyError",
    "Preset",
    "Rule",
    "Rules",
    "Scorecard",
    "compare_scorecards",
    "my_policy_path",
    "preset",
    "preset_table",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
