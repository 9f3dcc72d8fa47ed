"""The policy: what is decided about personalization, why, and its whole bill.

The names below are imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ethicalai_lab.policy.coverage import coverage_table
    from ethicalai_lab.policy.errors import PolicyError
    from ethicalai_lab.policy.evaluation import PolicyLab, evaluate, evaluation_graph
    from ethicalai_lab.policy.frontier import (
        Better,
        Sweep,
        nearest_better,
        pareto,
        sweep,
        variants,
    )
    from ethicalai_lab.policy.policy import Policy, my_policy_path
    from ethicalai_lab.policy.presets import PRESETS, Preset, preset, preset_table
    from ethicalai_lab.policy.rules import Miss, Rules
    from ethicalai_lab.policy.scorecard import (
        DIMENSIONS,
        Comparison,
        Measure,
        Scorecard,
        compare_scorecards,
    )
    from ethicalai_lab.policy.sections import SECTIONS
    from ethicalai_lab.policy.stakeholders import never_together

# public name -> the module that holds it
_LAZY = {
    "DIMENSIONS": "scorecard",
    "PRESETS": "presets",
    "SECTIONS": "sections",
    "Better": "frontier",
    "Comparison": "scorecard",
    "Measure": "scorecard",
    "Miss": "rules",
    "Policy": "policy",
    "PolicyError": "errors",
    "PolicyLab": "evaluation",
    "Preset": "presets",
    "Rules": "rules",
    "Scorecard": "scorecard",
    "Sweep": "frontier",
    "compare_scorecards": "scorecard",
    "coverage_table": "coverage",
    "evaluate": "evaluation",
    "evaluation_graph": "evaluation",
    "my_policy_path": "policy",
    "nearest_better": "frontier",
    "never_together": "stakeholders",
    "pareto": "frontier",
    "preset": "presets",
    "preset_table": "presets",
    "sweep": "frontier",
    "variants": "frontier",
}

__all__ = [
    "DIMENSIONS",
    "PRESETS",
    "SECTIONS",
    "Better",
    "Comparison",
    "Measure",
    "Miss",
    "Policy",
    "PolicyError",
    "PolicyLab",
    "Preset",
    "Rules",
    "Scorecard",
    "Sweep",
    "compare_scorecards",
    "coverage_table",
    "evaluate",
    "evaluation_graph",
    "my_policy_path",
    "nearest_better",
    "never_together",
    "pareto",
    "preset",
    "preset_table",
    "sweep",
    "variants",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
