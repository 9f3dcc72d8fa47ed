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


@pytest.fixture(scope="module")
def phrased(world):
    return phrasings(world.messages["text"], vocabulary=world.products["name"])


def test_random_folds_flatter(world, phrased):
    options = {"n_boot": 30}
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


def test_groups_stay_in_one_fold_and_metrics_agree(report, phrased):
    folds = pd.Series(report.predictions["fold"].to_numpy()).groupby(phrased).nunique()
    assert (folds == 1).all()
    true, predicted = report.predictions["true"], report.predictions["predicted"]
    table = report.overall.set_index("measure")["value"]
    assert table["accuracy"] == pytest.approx((true == predicted).mean())
    assert table["macro_f1"] == pytest.approx(f1_score(true, predicted, average="macro"))
    assert report.by_group["messages"].sum() == len(true)


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
        (lambda: reliability([0], [1.2]), "from 0 to 1"),
        (lambda: reliability([0, 1], [0.5]), "1 rows where"),
        (lambda: reliability([0], [0.5], bins=0), "bins"),
        (lambda: MessageClassifier().fit(["a"], ["x"]), "one label"),
        (lambda: MessageClassifier().fit(["a", 3], ["x", "y"]), "text 1"),
        (lambda: classify_messages(pd.DataFrame({"text": ["a"]})), '"intent"'),
        (
            lambda: classify_messages(
                pd.DataFrame({"text": ["a", "b"], "intent": ["x", None], "language_style": "s"})
            ),
            "row 1",
        ),
    ],
)
def test_bad_input_is_named(call, word):
    with pytest.raises(InputError, match=word):
        call()
