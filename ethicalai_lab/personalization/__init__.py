"""Personalization: who is who, whom a message changes, and what a rule is worth.

Names are imported on first use.
"""

from __future__ import annotations

import importlib
from typing import Any

# public name -> the module that holds it
_LAZY = {
    "KMeansSegments": "segments",
    "rfm": "segments",
    "segment_profile": "segments",
    "ClassTransformation": "uplift",
    "FeatureEncoder": "uplift",
    "TLearner": "uplift",
    "XLearner": "uplift",
    "cross_fit_uplift": "uplift",
    "encode_features": "uplift",
    "response_scores": "uplift",
    "RankingEvaluation": "evaluation",
    "evaluate_ranking": "evaluation",
    "perfect_qini_curve": "evaluation",
    "perfect_uplift_curve": "evaluation",
    "qini_auc_score": "evaluation",
    "qini_coefficient": "evaluation",
    "qini_curve": "evaluation",
    "uplift_at_k": "evaluation",
    "uplift_auc_score": "evaluation",
    "uplift_curve": "evaluation",
    "TrueValue": "rules",
    "assign_best_arm": "rules",
    "best_rule": "rules",
    "compare_rules": "rules",
    "expected_profit": "rules",
    "lift": "rules",
    "random_rule": "rules",
    "target_top": "rules",
    "true_value": "rules",
    "UpliftReport": "experiment",
    "analyse_experiment": "experiment",
    "Interactions": "recommendation",
    "ItemToItem": "recommendation",
    "MatrixFactorization": "recommendation",
    "Popularity": "recommendation",
    "compare_recommenders": "recommendation",
    "interactions": "recommendation",
    "time_split": "recommendation",
    "value_of_following": "recommendation",
    "MessageClassifier": "messages",
    "classify_messages": "messages",
    "phrasings": "messages",
    "redact": "scanner",
    "scan": "scanner",
    "scanner_report": "scanner",
    "expected_calibration_error": "calibration",
    "reliability": "calibration",
    "ContactPolicy": "journeys",
    "Reward": "journeys",
    "contact_curve": "journeys",
    "evaluate_policy": "journeys",
    "journey_people": "journeys",
    "learn_policy": "journeys",
    "off_policy_study": "journeys",
    "true_policy_value": "journeys",
    "ValueModel": "prediction",
    "customer_features": "prediction",
    "forecast": "prediction",
    "next_period": "prediction",
    "answer_quality": "zero_party",
    "compare_asking": "zero_party",
    "learn_preferences": "zero_party",
    "said": "zero_party",
    "shelf": "zero_party",
    "watched": "zero_party",
}

__all__ = sorted(_LAZY)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
