"""Fairness: audits that say what they can and cannot see, and mitigations with their price.

Names follow fairlearn and scikit-learn. Everything below is imported on first use.
"""

from __future__ import annotations

import importlib
from typing import Any

# public name -> the module that holds it
_LAZY = {
    "Audit": "auditing",
    "FOUR_FIFTHS_NOTE": "auditing",
    "FairnessInputError": "_coding",
    "Weighting": "population",
    "WorstGroup": "search",
    "attenuation": "attributes",
    "attribute_error_table": "attributes",
    "audit": "auditing",
    "cli_audit": "reporting",
    "compare_groups": "power",
    "correct_misclassified_rates": "attributes",
    "detectable": "power",
    "effective_sample_size": "population",
    "inferred_attribute_gap": "attributes",
    "missing_attribute_bounds": "attributes",
    "population_weights": "population",
    "report": "reporting",
    "representation": "population",
    "required_sample_size": "power",
    "smallest_detectable_gap": "power",
    "two_proportion_power": "power",
    "worst_group": "search",
}

__all__ = [
    "FOUR_FIFTHS_NOTE",
    "Audit",
    "FairnessInputError",
    "Weighting",
    "WorstGroup",
    "attenuation",
    "attribute_error_table",
    "audit",
    "cli_audit",
    "compare_groups",
    "correct_misclassified_rates",
    "detectable",
    "effective_sample_size",
    "inferred_attribute_gap",
    "missing_attribute_bounds",
    "population_weights",
    "report",
    "representation",
    "required_sample_size",
    "smallest_detectable_gap",
    "two_proportion_power",
    "worst_group",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
