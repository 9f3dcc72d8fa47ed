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
    "delivery_skew": "exposure",
    "left_out": "exposure",
    "over_contact": "exposure",
    "price_disparity": "exposure",
    "simulate_delivery": "exposure",
    "steering": "exposure",
    "ProxyReport": "proxies",
    "dropping_effect": "proxies",
    "feldman_threshold": "proxies",
    "proxy_strength": "proxies",
    "roc_auc": "proxies",
    "alarm_rates": "truth",
    "audit_beside_truth": "truth",
    "detection_rates": "truth",
    "interval_coverage": "truth",
    "old_rule": "truth",
    "select_at_strength": "truth",
    "CorrelationRemoval": "mitigation",
    "ExponentiatedGradientReduction": "mitigation",
    "GridSearchReduction": "mitigation",
    "GroupThresholds": "mitigation",
    "MitigationComparison": "mitigation",
    "ProfitThresholds": "mitigation",
    "Resampling": "mitigation",
    "Reweighing": "mitigation",
    "Unmitigated": "mitigation",
    "compare_mitigations": "mitigation",
    "reweighing_weights": "mitigation",
    "calibration_and_balance": "impossibility",
    "implied_false_positive_rate": "impossibility",
    "impossibility_table": "impossibility",
}

__all__ = [
    "FOUR_FIFTHS_NOTE",
    "Audit",
    "CorrelationRemoval",
    "ExponentiatedGradientReduction",
    "FairnessInputError",
    "GridSearchReduction",
    "GroupThresholds",
    "MitigationComparison",
    "ProfitThresholds",
    "ProxyReport",
    "Resampling",
    "Reweighing",
    "Unmitigated",
    "Weighting",
    "WorstGroup",
    "alarm_rates",
    "attenuation",
    "attribute_error_table",
    "audit",
    "audit_beside_truth",
    "calibration_and_balance",
    "cli_audit",
    "compare_groups",
    "compare_mitigations",
    "correct_misclassified_rates",
    "delivery_skew",
    "detectable",
    "detection_rates",
    "dropping_effect",
    "effective_sample_size",
    "feldman_threshold",
    "implied_false_positive_rate",
    "impossibility_table",
    "inferred_attribute_gap",
    "interval_coverage",
    "left_out",
    "missing_attribute_bounds",
    "old_rule",
    "over_contact",
    "population_weights",
    "price_disparity",
    "proxy_strength",
    "report",
    "representation",
    "required_sample_size",
    "reweighing_weights",
    "roc_auc",
    "select_at_strength",
    "simulate_delivery",
    "smallest_detectable_gap",
    "steering",
    "two_proportion_power",
    "worst_group",
]

_MODULES = (
    "attributes",
    "auditing",
    "exposure",
    "impossibility",
    "mitigation",
    "population",
    "power",
    "proxies",
    "reporting",
    "search",
    "truth",
)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES])
