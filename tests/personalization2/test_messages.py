"""Messages and calibration: honest folds, calibration, and whom the average hides."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from ethicalai_lab.errors import InputError
from ethicalai_lab.personalization.calibration import expected_calibration_error, reliability
from ethicalai_lab.personalization.messages import (
    MessageClassifier,
    _temperature,
    classify_messages,
    phrasings,
)


def test_classifier_agrees_with_a_plain_pipeline():
    texts = ["where is my parcel", "my parcel is late", "lovely lamp", "the lamp is lovely"] * 3
    labels = ["order", "order", "praise", "praise"] * 3
    ours = MessageClassifier().fit(texts, labels)
    words = TfidfVectorizer(
        ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"(?u)\b\w+\b"
    )
    theirs = LogisticRegression(C=10.0, max_iter=2000).fit(words.fit_transform(texts), labels)
    np.testing.assert_allclose(
        ours.predict_proba(["a late lamp"]),
        theirs.predict_proba(words.transform(["a late lamp"])),
        atol=1e-6,
    )


def test_no_personal_data_enters_the_vocabulary():
    texts = ["refund to 4111 1111 1111 1111 please", "mail zed@example.com now"] * 4
    model = MessageClassifier().fit(texts, ["a", "b"] * 4)
    words = " ".join(model.vocabulary_)
    assert "4111" not in words
    assert "zed" not in words
    assert "[CARD]" in words


def test_reasons_name_the_words_that_decided():
    model = MessageClassifier(ngrams=1).fit(
        ["broken lamp", "broken chair", "lovely lamp", "lovely chair"] * 2,
        ["bad", "bad", "good", "good"] * 2,
    )
    assert model.reasons("a broken lamp")["word"].iloc[0] == "broken"


@pytest.fixture(scope="module")
def phrased(world):
    return phrasings(world.messages["text"], vocabulary=world.products["name"])


def test_random_folds_flatter(world, phrased):
    options = {"n_boot": 30, "n_folds": 2}
    memory = classify_messages(world.messages, **options).overall.set_index("measure")
    honest = classify_messages(world.messages, groups=phrased, **options).overall.set_index(
        "measure"
    )
    assert memory.loc["accuracy", "low"] > honest.loc["accuracy", "high"]
    assert honest.loc["accuracy", "low"] > honest.loc["baseline", "high"]


@pytest.fixture(scope="module")
def report(world, phrased):
    return classify_messages(world.messages, groups=phrased, n_boot=200)


def test_the_average_hides_whom_the_model_fails(report):
    groups = report.by_group.set_index("language_style")
    worst, best = groups["accuracy"].idxmin(), groups["accuracy"].idxmax()
    assert groups.loc[worst, "accuracy_high"] < groups.loc[best, "accuracy_low"]
    overall = report.overall.set_index("measure")
    assert groups.loc[worst, "calibration_error"] > overall.loc["calibration_error", "high"]


def test_temperature_improves_calibration(report):
    table = report.overall.set_index("measure")
    # the two share their messages, so their own intervals say little about the difference
    after, before = (table.loc[name, "value"] for name in table.index[-2:])
    assert after < 0.6 * before
    assert table.loc["calibration_error_before", "low"] > table.loc["calibration_error", "low"]


def test_groups_stay_in_one_fold_and_metrics_agree(report, phrased):
    folds = pd.Series(report.predictions["fold"].to_numpy()).groupby(phrased).nunique()
    assert (folds == 1).all()
    true, predicted = report.predictions["true"], report.predictions["predicted"]
    table = report.overall.set_index("measure")["value"]
    assert table["accuracy"] == pytest.approx((true == predicted).mean())
    assert table["macro_f1"] == pytest.approx(f1_score(true, predicted, average="macro"))
    assert report.by_group["messages"].sum() == len(true)


def test_temperature_recovers_the_one_that_was_applied():
    rng = np.random.default_rng(0)
    level = rng.normal(0, 2, (20_000, 3))
    chance = np.exp(level) / np.exp(level).sum(axis=1, keepdims=True)
    label = (rng.random((20_000, 1)) > chance.cumsum(axis=1)).sum(axis=1)
    blurred = np.exp(level / 2) / np.exp(level / 2).sum(axis=1, keepdims=True)
    assert _temperature(blurred, label) == pytest.approx(0.5, abs=0.02)


# ------------------------------------------------------------------ calibration


def test_reliability_against_counts_by_hand():
    table = reliability([0, 1, 1, 1], [0.2, 0.2, 0.9, 0.9], bins=2)
    assert table["rows"].tolist() == [2, 2]
    assert table["observed"].tolist() == [0.5, 1.0]
    assert table["predicted"].tolist() == pytest.approx([0.2, 0.9])


def test_calibration_error_of_true_chances_is_about_zero_and_its_interval_covers():
    true_gap, held, values, plain = 0.08, 0, [], []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        p = rng.uniform(0.2, 0.7, 800)
        happened = rng.random(800) < p
        values.append(expected_calibration_error(happened, p, n_boot=100).value)
        table = reliability(happened, p)
        gaps = (table["predicted"] - table["observed"]).abs() * table["rows"]
        plain.append(gaps.sum() / 800)
        found = expected_calibration_error(rng.random(800) < p + true_gap, p, n_boot=100)
        held += true_gap in found
        assert found.low <= found.value <= found.high
    assert np.mean(values) < 0.6 * np.mean(plain)  # chance alone looks like miscalibration
    assert held >= 85


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: reliability([0, 2], [0.1, 0.2]), "0 and 1"),
        (lambda: reliability([0], [1.2]), "between 0 and 1"),
        (lambda: reliability([0, 1], [0.5]), "equal lengths"),
        (lambda: reliability([0], [0.5], bins=0), "bins"),
        (lambda: MessageClassifier().fit(["a"], ["x"]), "one label"),
        (lambda: MessageClassifier().fit(["a", 3], ["x", "y"]), "text 1"),
        (lambda: phrasings(["a"], similarity=0), "similarity"),
        (lambda: classify_messages(pd.DataFrame({"text": ["a"]})), "'intent'"),
        (
            lambda: classify_messages(
                pd.DataFrame({"text": ["a", "b"], "intent": ["x", None]}), by=None
            ),
            "row 1",
        ),
    ],
)
def test_bad_input_is_named(call, word):
    with pytest.raises(InputError, match=word):
        call()
