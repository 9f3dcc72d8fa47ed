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
    "contrast_ratio": "manipulation",
    "price_by_willingness": "manipulation",
    "repeated_claims": "manipulation",
    "urgency_claims": "manipulation",
    "vulnerability_targeting": "manipulation",
    "CampaignReport": "campaigns",
    "check_campaign": "campaigns",
    "TrustAssumptions": "trust",
    "TrustExperiment": "trust",
    "message_response": "trust",
    "response_factor": "trust",
    "trust_after": "trust",
    "trust_experiment": "trust",
    "what_would_reverse": "trust",
    "Card": "cards",
    "Entry": "cards",
    "dataset_datasheet": "cards",
    "model_card": "cards",
}

__all__ = [
    "Actionability",
    "AdditiveScorecard",
    "Attributions",
    "CampaignReport",
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
    "TrustAssumptions",
    "TrustExperiment",
    "agreement",
    "ai_disclosure",
    "attribution_beside_uplift",
    "check_campaign",
    "choice_asymmetry",
    "compare_glass_box",
    "contrast_ratio",
    "count_syllables",
    "dataset_datasheet",
    "fidelity",
    "linear_attributions",
    "message_response",
    "model_card",
    "offer_notice",
    "partial_dependence",
    "permutation_importance",
    "price_by_willingness",
    "privacy_notice",
    "reading_ease",
    "repeated_claims",
    "response_factor",
    "sensitivity",
    "shapley_attributions",
    "stability",
    "trust_after",
    "trust_experiment",
    "urgency_claims",
    "vulnerability_targeting",
    "what_would_reverse",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
