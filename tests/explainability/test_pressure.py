"""Claims of scarcity against the truth, and exposure against vulnerability."""

import re

import numpy as np
import pandas as pd
import pytest

from ethicalai_lab.explainability import (
    CampaignReport,
    ExplanationError,
    campaigns,
    check_campaign,
    choice_asymmetry,
    price_by_willingness,
    repeated_claims,
    urgency_claims,
    vulnerability_targeting,
)


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


VERDICT = re.compile(
    r"manipulat|lawful|illegal|complian|violat|decept|deceiv"
    r"|dark pattern|guilt|fraud|unfair|unethical|abus|exploit|mislead|breach|infring|forbidden",
    re.IGNORECASE,
)


def _verdicts(*results):
    """Return every verdict word in whatever text the results show a reader."""
    shown = []
    for result in results:
        if isinstance(result, pd.DataFrame):
            index = [*result.columns, *result.index]
            shown += [str(x) for x in [*index, *result.astype(object).to_numpy().ravel()]]
            shown.append(result.to_html())
        elif isinstance(result, CampaignReport):
            shown += _verdicts(result.table, result.claims, result.repeats)
            shown += [repr(result), result._repr_html_()]
        else:
            shown.append(str(result))
    return [found[0] for text in shown for found in VERDICT.finditer(text)]


def _everything(extreme):
    """Run every function of pressure, on a plain or on an extreme campaign."""
    rng = np.random.default_rng(0)
    n = 400
    stress = rng.random(n)
    people = pd.DataFrame({"financial_stress": stress, "health_interest": rng.random(n)})
    people["relevance"] = rng.random(n)
    people["exposed"] = (stress > 0.5 if extreme else rng.random(n) > 0.5).astype(int)
    people["willingness"] = rng.uniform(10, 30, n)
    people["cost"] = rng.uniform(3, 5, n)
    people["price"] = people["cost"] + (people["willingness"] if extreme else rng.random(n))
    messages = pd.DataFrame(
        {
            "customer_id": [1, 1, 2],
            "text": ["Only 3 left, ends today", "Last chance, ends today", "Last chance"],
            "time": pd.to_datetime(["2026-01-12 09:00", "2026-01-13 09:00", "2026-01-13 09:00"]),
            "stock": [900 if extreme else 3] * 3,
            "ended": pd.to_datetime(["2026-01-30" if extreme else "2026-01-12 10:00"] * 3),
        }
    )
    wide = {"width": 200, "height": 50, "text": "#ffffff", "background": "#000000"}
    thin = {"width": 50, "height": 20, "text": "#cccccc", "background": "#ffffff"}
    choice = {
        "accept_steps": ["Yes"],
        "refuse_steps": ["More", "Settings", "No"] if extreme else ["No"],
        "accept_button": wide,
        "refuse_button": thin if extreme else wide,
    }
    texts = list(messages["text"])
    truth = {"sent": messages["time"], "ended": messages["ended"]}
    return [
        urgency_claims(texts, stock=messages["stock"], **truth),
        repeated_claims(texts, messages["customer_id"], **truth),
        vulnerability_targeting(
            people["exposed"], stress, relevance=people["relevance"], n_boot=50
        ),
        price_by_willingness(people["price"], people["willingness"], people["cost"], n_boot=50),
        choice_asymmetry(**choice),
        check_campaign(messages=messages, people=people, n_boot=50, **choice),
        check_campaign(messages=messages[["text"]], people=people[["exposed", "price"]]),
        check_campaign(),
    ]


@pytest.mark.parametrize("extreme", [False, True])
def test_the_result_is_evidence_not_a_verdict(extreme):
    assert _verdicts(*_everything(extreme)) == []


def test_a_verdict_in_a_reading_or_a_column_would_be_caught(monkeypatch):
    plain = campaigns._read_targeting
    monkeypatch.setattr(
        campaigns, "_read_targeting", lambda *given: plain(*given) + " This is manipulative."
    )
    # in the table's cell and in the page, for either vulnerability
    assert _verdicts(*_everything(True)).count("manipulat") >= 4
    monkeypatch.undo()
    monkeypatch.setattr(campaigns, "_CHOICE", "illegal asymmetry")
    assert "illegal" in _verdicts(check_campaign())
    assert _verdicts(pd.DataFrame({"unlawful": [1]})) != []
    assert _verdicts(pd.DataFrame({"x": [1]}, index=["a dark pattern"])) != []


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
    with pytest.raises(ExplanationError, match="row 0: sent is 'soon'"):
        urgency_claims(["a"], sent=["soon"])


def test_times_in_a_zone_are_held_against_each_other():
    sent = pd.Series(pd.DatetimeIndex(["2026-01-12 20:00"] * 2).tz_localize("Europe/Berlin"))
    ended = ["2026-01-12 21:00+00:00", "2026-01-12 23:30+00:00"]
    found = urgency_claims(["Ends in 2 hours", "Ends today"], sent=sent, ended=ended)
    # 20:00 in Berlin is 19:00 in UTC, and its day has four hours left
    assert found["true"].tolist() == [2.0, 4.5]
    assert found["said"].tolist() == [2.0, 4.0]
    assert found["holds"].tolist() == [True, False]
    for given in (sent.tolist(), ["2026-01-12 20:00+01:00"] * 2):
        again = urgency_claims(["Ends in 2 hours", "Ends today"], sent=given, ended=ended)
        pd.testing.assert_frame_equal(again, found)
    with pytest.raises(ExplanationError, match="2026-03-04 if the month"):
        urgency_claims(["Ends today"], sent=["03.04.2026"])
