"""Claims of scarcity against the truth, and exposure against vulnerability."""

import numpy as np
import pandas as pd
import pytest

from ethicalai_lab.explainability import ExplanationError, urgency_claims, vulnerability_targeting


def test_claims_are_held_against_stock_and_end():
    texts = [
        "Only 3 left in your size!",
        "Just 5 pairs left.",
        "The offer ends tonight.",
        "Ends in 2 days. Hurry!",
        "Only for you: three new shoes, 3 days of sun left.",
    ]
    sent = pd.to_datetime(["2026-01-12 12:00"] * 5)
    ended = pd.to_datetime(["2026-01-13 00:00"] * 3 + ["2026-01-20 12:00"] * 2)
    found = urgency_claims(texts, sent=sent, stock=[250, 5, 1, 1, 1], ended=ended)
    assert found["claim"].tolist() == [
        "Only 3 left",
        "Just 5 pairs left",
        "ends tonight",
        "Ends in 2 days",
        "Hurry",
    ]
    assert found["holds"].tolist() == [False, True, True, False, None]
    assert found["said"].tolist()[:4] == [3, 5, 12, 48]
    assert found["true"].tolist()[:4] == [250, 5, 12, 192]
    for row in found.itertuples():
        assert texts[row.text][row.start : row.end] == row.claim


def test_without_the_truth_nothing_is_said_of_it():
    found = urgency_claims(["Only 3 left", "ends today", "Last chance"])
    assert found["holds"].tolist() == [None, None, None]
    assert urgency_claims(["Good morning"]).empty


def test_the_result_is_evidence_not_a_verdict():
    words = " ".join(urgency_claims(["Only 3 left"], stock=[9]).columns)
    for verdict in ("manipulative", "illegal", "compliant"):
        assert verdict not in words


def _people(seed, n=3000):
    rng = np.random.default_rng(seed)
    relevance = rng.normal(size=n)
    stress = 0.7 * relevance + rng.normal(size=n)
    return rng, relevance, stress


def test_exposure_by_relevance_is_explained_by_relevance():
    covered = 0
    for seed in range(20):
        rng, relevance, stress = _people(seed)
        exposed = rng.random(len(stress)) < 1 / (1 + np.exp(-1.5 * relevance))
        found = vulnerability_targeting(exposed, stress, relevance=relevance, n_boot=200, seed=1)
        assert found.loc["unadjusted", "low"] > 0.05
        covered += (
            found.loc["beyond relevance", "low"] <= 0 <= found.loc["beyond relevance", "high"]
        )
    # of 20 intervals of 95 %, 16 or fewer hold the truth once in 400 times
    assert covered >= 17


def test_exposure_by_stress_is_seen_beyond_relevance():
    rng, relevance, stress = _people(3)
    chance = 1 / (1 + np.exp(-(relevance + stress)))
    found = vulnerability_targeting(rng.random(len(stress)) < chance, stress, relevance=relevance)
    assert found.loc["beyond relevance", "low"] > 0.05
    assert found.loc["beyond relevance", "value"] < found.loc["unadjusted", "value"]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (([0, 1, 2], [1, 2, 3]), "exposed: expected 0 or 1"),
        (([0, 1], [1, 2, 3]), "vulnerability: expected one number"),
        (([0, 1], [1, np.nan]), "vulnerability, row 1"),
        (([0, 1], [1, 1]), "must vary"),
    ],
)
def test_bad_columns_are_one_sentence(arguments, fault):
    with pytest.raises(ExplanationError, match=fault):
        vulnerability_targeting(*arguments)


def test_bad_texts_are_one_sentence():
    with pytest.raises(ExplanationError, match="texts, row 1"):
        urgency_claims(["a", 3])
    with pytest.raises(ExplanationError, match="stock has 1 rows; the texts have 2"):
        urgency_claims(["a", "b"], stock=[1])
    with pytest.raises(ExplanationError, match="sent: a value is of another kind"):
        urgency_claims(["a"], sent=["soon"])
