"""Explainability: why a decision came, whether the account is true, and what people are told.

The room's public face. Names load on first use, so importing the room is cheap.
"""

from __future__ import annotations

import importlib
from typing import Any

# public name -> the module of this room that holds it
_LAZY = {
    "ExplanationError": "errors",
    "Attributions": "attributions",
    "PartialDependence": "attributions",
    "linear_attributions": "attributions",
    "partial_dependence": "attributions",
    "permutation_importance": "attributions",
    "shapley_attributions": "attributions",
    "agreement": "truthfulness",
    "attribution_beside_uplift": "truthfulness",
    "fidelity": "truthfulness",
    "sensitivity": "truthfulness",
    "stability": "truthfulness",
    "ScaffoldedModel": "adversarial",
    "AdditiveScorecard": "glass_box",
    "compare_glass_box": "glass_box",
    "Actionability": "counterfactuals",
    "CounterfactualSearch": "counterfactuals",
    "Counterfactuals": "counterfactuals",
    "Fact": "notices",
    "Notice": "notices",
    "Sentence": "notices",
    "offer_notice": "notices",
    "Disclosure": "disclosures",
    "Item": "disclosures",
    "ai_disclosure": "disclosures",
    "privacy_notice": "disclosures",
    "count_syllables": "reading",
    "reading_ease": "reading",
    "choice_asymmetry": "manipulation",
    "urgency_claims": "manipulation",
    "vulnerability_targeting": "manipulation",
    "Card": "cards",
    "Entry": "cards",
    "dataset_datasheet": "cards",
    "model_card": "cards",
}

__all__ = [
    "Actionability",
    "AdditiveScorecard",
    "Attributions",
    "Card",
    "CounterfactualSearch",
    "Counterfactuals",
    "Disclosure",
    "Entry",
    "ExplanationError",
    "Fact",
    "Item",
    "Notice",
    "PartialDependence",
    "ScaffoldedModel",
    "Sentence",
    "agreement",
    "ai_disclosure",
    "attribution_beside_uplift",
    "choice_asymmetry",
    "compare_glass_box",
    "count_syllables",
    "dataset_datasheet",
    "fidelity",
    "linear_attributions",
    "model_card",
    "offer_notice",
    "partial_dependence",
    "permutation_importance",
    "privacy_notice",
    "reading_ease",
    "sensitivity",
    "shapley_attributions",
    "stability",
    "urgency_claims",
    "vulnerability_targeting",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
