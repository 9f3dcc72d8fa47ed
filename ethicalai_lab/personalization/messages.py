"""What customers write: intent and sentiment, with chances one can rely on.

The classifier is deliberately plain, words and their weights, so that a reader can see
why a message was sorted as it was. It is judged on messages it did not learn from, and
for each group of writers apart: an average hides whom it fails.

References
----------
Salton, G. and Buckley, C. (1988). Term-weighting approaches in automatic text retrieval.
Information Processing & Management 24, 513-523.

Guo, C., Pleiss, G., Sun, Y. and Weinberger, K. Q. (2017). On calibration of modern
neural networks. ICML 2017, 1321-1330 (temperature scaling).

Blodgett, S. L., Green, L. and O'Connor, B. (2016). Demographic dialectal variation in
social media: a case study of African-American English. EMNLP 2016, 1119-1130.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from ethicalai_lab.errors import InputError
from ethicalai_lab.personalization.calibration import expected_calibration_error, reliability
from ethicalai_lab.personalization.scanner import redact
from ethicalai_lab.stats import percentile_interval, proportion_interval

__all__ = [
    "MessageClassifier",
    "MessageReport",
    "classify_messages",
    "phrasings",
]


class MessageClassifier(ClassifierMixin, BaseEstimator):
    """Sort messages by TF-IDF of words and a logistic regression.

    Parameters
    ----------
    C : float, default 10.0
        Inverse strength of the penalty, positive.
    ngrams : int, default 2
        Longest sequence of words that counts as one, at least 1.
    min_count : int, default 2
        Messages in which a sequence must occur, at least 1.
    redacted : bool, default True
        Whether personal data is replaced by its kind before anything is learned. What
        somebody is called is no evidence of what they want, and a model that never saw a
        card number cannot give one away.

    Attributes
    ----------
    classes_ : ndarray
    vocabulary_ : ndarray of str

    References
    ----------
    Salton and Buckley (1988), see the module.

    Examples
    --------
    >>> from ethicalai_lab.personalization.messages import MessageClassifier
    >>> texts = ["where is my parcel", "parcel is late", "lovely lamp", "lovely chair"] * 3
    >>> model = MessageClassifier().fit(texts, ["order", "order", "praise", "praise"] * 3)
    >>> model.predict(["is the parcel here"]).tolist()
    ['order']
    """

    def __init__(
        self, *, C: float = 10.0, ngrams: int = 2, min_count: int = 2, redacted: bool = True
    ) -> None:
        self.C = C
        self.ngrams = ngrams
        self.min_count = min_count
        self.redacted = redacted

    def fit(self, texts: Sequence[str], y: ArrayLike) -> MessageClassifier:
        """Learn from texts and their labels.

        Parameters
        ----------
        texts : sequence of str
        y : array-like of shape (n,)
            At least two different labels.

        Returns
        -------
        self

        Raises
        ------
        InputError
            If a text is no string, lengths differ, or there is only one label.
        """
        texts = _texts(texts)
        y = np.asarray(y)
        if len(y) != len(texts):
            raise InputError(f"y has {len(y)} labels for {len(texts)} texts; one each is needed.")
        if len(np.unique(y)) < 2:
            raise InputError("y holds one label only; at least two are needed to tell apart.")
        self._words = TfidfVectorizer(
            ngram_range=(1, int(self.ngrams)),
            min_df=int(self.min_count),
            sublinear_tf=True,
            token_pattern=r"(?u)\[[A-Z]+\]|\b\w+\b|[?!]",
            lowercase=False,
        )
        try:
            x = self._words.fit_transform(self._prepared(texts))
        except ValueError:
            raise InputError(
                f"no word occurs in {self.min_count} texts; give more texts or a lower min_count."
            ) from None
        # many tiny matrix products: threads wait for each other far longer than they work
        with threadpool_limits(limits=1):
            self._model = LogisticRegression(C=self.C, max_iter=2000).fit(x, y)
        self.classes_ = self._model.classes_
        self.vocabulary_ = self._words.get_feature_names_out()
        return self

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return each text's chance of each class.

        Parameters
        ----------
        texts : sequence of str

        Returns
        -------
        ndarray of float, shape (n, n_classes)
            Rows sum to 1; columns in the order of ``classes_``.
        """
        check_is_fitted(self)
        return self._model.predict_proba(self._words.transform(self._prepared(_texts(texts))))

    def predict(self, texts: Sequence[str]) -> NDArray[Any]:
        """Return each text's likeliest class.

        Parameters
        ----------
        texts : sequence of str

        Returns
        -------
        ndarray of shape (n,)
        """
        return self.classes_[self.predict_proba(texts).argmax(axis=1)]

    def reasons(self, text: str, *, top: int = 5) -> pd.DataFrame:
        """Return the words that spoke most for the predicted class.

        Parameters
        ----------
        text : str
        top : int, default 5

        Returns
        -------
        DataFrame
            Columns word and weight: its TF-IDF times its coefficient for that class,
            less the mean over classes. Most weight first.
        """
        check_is_fitted(self)
        x = self._words.transform(self._prepared(_texts([text]))).toarray()[0]
        coefficients = self._model.coef_
        if len(coefficients) == 1:
            coefficients = np.vstack([-coefficients[0], coefficients[0]]) / 2
        best = int(self.predict_proba([text])[0].argmax())
        weight = x * (coefficients[best] - coefficients.mean(axis=0))
        order = np.argsort(-weight, kind="stable")[:top]
        order = order[x[order] > 0]
        return pd.DataFrame({"word": self.vocabulary_[order], "weight": weight[order]})

    def _prepared(self, texts: Sequence[str]) -> list[str]:
        if not self.redacted:
            return [text.lower() for text in texts]
        # placeholders stay in capitals, so that "[CARD]" is no word somebody wrote
        return [_lower_outside_brackets(redact(text)) for text in texts]


def phrasings(
    texts: Sequence[str],
    *,
    vocabulary: Iterable[str] = (),
    similarity: float = 0.5,
) -> NDArray[np.int64]:
    """Group texts that say the same in nearly the same words.

    People copy, and shops get the same sentence a thousand times. If one copy is learned
    from and another is judged, the judgement is of memory. Folds should keep a group
    whole.

    Parameters
    ----------
    texts : sequence of str
    vocabulary : iterable of str, default ()
        Names that do not make a sentence different, such as those of products.
    similarity : float, default 0.5
        Cosine of TF-IDF vectors (of one to three words in sequence) from which two texts
        are taken for one phrasing, in (0, 1]; groups are chained. Lower keeps more
        copies together, and at some point joins what differs.

    Returns
    -------
    ndarray of int64, shape (n,)
        Group numbers from 0.

    Raises
    ------
    InputError
        If a text is no string or ``similarity`` is out of range.

    Examples
    --------
    >>> from ethicalai_lab.personalization.messages import phrasings
    >>> groups = phrasings(["where is my lamp?", "where is my chair?", "lovely, thank you"],
    ...                    vocabulary=["lamp", "chair"])
    >>> bool(groups[0] == groups[1]), bool(groups[1] == groups[2])
    (True, False)
    """
    if not 0 < similarity <= 1:
        raise InputError(f"similarity is {similarity}; more than 0 and at most 1 is accepted.")
    texts = _texts(texts)
    if not texts:
        return np.zeros(0, dtype=np.int64)
    names = sorted({name.lower() for name in vocabulary if name}, key=lambda n: (-len(n), n))
    pattern = re.compile("|".join(rf"\b{re.escape(n)}\b" for n in names)) if names else None
    plain = []
    for text in texts:
        text = _lower_outside_brackets(redact(text))
        text = pattern.sub("[THING]", text) if pattern else text
        plain.append(" ".join(re.findall(r"\[[A-Z]+\]|\w+", text)))
    unique, code = np.unique(np.asarray(plain, dtype=object).astype(str), return_inverse=True)
    x = TfidfVectorizer(
        token_pattern=r"\[[A-Z]+\]|\w+", lowercase=False, ngram_range=(1, 3), sublinear_tf=True
    )
    try:
        vectors = x.fit_transform(unique)
    except ValueError:  # no words at all
        return code.ravel().astype(np.int64)
    rows = []
    for start in range(0, vectors.shape[0], 2000):  # blocks, so that memory stays small
        near = vectors[start : start + 2000] @ vectors.T
        near.data = (near.data >= similarity - 1e-9).astype(np.int8)
        near.eliminate_zeros()
        rows.append(near)
    _, group = connected_components(sparse.vstack(rows), directed=False)
    return group[code.ravel()].astype(np.int64)


@dataclass(frozen=True)
class MessageReport:
    """How well messages are sorted, overall and for each group of writers.

    Attributes
    ----------
    overall : DataFrame
        Rows accuracy, baseline (always saying the commonest class), macro_f1,
        calibration_error, and calibration_error_before (without the temperature); columns
        value, low, high.
    by_group : DataFrame
        One row a group: messages, accuracy with low and high (Wilson),
        calibration_error with _low and _high, and mean_confidence. Calibration is that
        of the chance given to the chosen class.
    by_class : DataFrame
        One row a class: messages, precision and recall, each with low and high.
    reliability : DataFrame
        Of the chance given to the chosen class.
    predictions : DataFrame
        One row a message, in its order: true, predicted, confidence, fold.
    """

    overall: pd.DataFrame
    by_group: pd.DataFrame
    by_class: pd.DataFrame
    reliability: pd.DataFrame
    predictions: pd.DataFrame = field(repr=False)

    def _repr_html_(self) -> str:
        form = "{:.3f}".format
        return self.overall.to_html(index=False, float_format=form) + self.by_group.to_html(
            index=False, float_format=form
        )


def classify_messages(
    messages: pd.DataFrame,
    target: str = "intent",
    *,
    by: str | None = "language_style",
    model: BaseEstimator | None = None,
    groups: ArrayLike | None = None,
    calibrate: bool = True,
    n_folds: int = 5,
    bins: int = 10,
    n_boot: int = 500,
    seed: int = 0,
    confidence: float = 0.95,
) -> MessageReport:
    """Sort each message by a model that did not see it, and judge that.

    Parameters
    ----------
    messages : DataFrame
        Columns ``text``, ``target`` and ``by``.
    target : str, default "intent"
        Column to predict.
    by : str or None, default "language_style"
        Column of the groups of writers.
    model : estimator, optional
        With ``fit`` and ``predict_proba`` on texts. Default: :class:`MessageClassifier`.
    groups : array-like of shape (n,), optional
        Rows of one group go into one fold, as :func:`phrasings` gives them. Without it
        copies of a message are learned from and judged, and the result flatters.
    calibrate : bool, default True
        Whether to sharpen or soften the chances by one temperature, found for each fold
        on the out-of-fold chances of the *other* folds.
    n_folds : int, default 5
    bins : int, default 10
        Of the reliability table.
    n_boot : int, default 500
    seed : int, default 0
        Of folds and bootstrap.
    confidence : float, default 0.95

    Returns
    -------
    MessageReport

    Raises
    ------
    InputError
        If a column is missing or empty somewhere, or there are too few groups.

    Examples
    --------
    >>> from ethicalai_lab.personalization.messages import classify_messages
    >>> from ethicalai_lab.world import make_world
    >>> messages = make_world(3_000, seed=1).messages
    >>> report = classify_messages(messages, "sentiment", n_boot=20, n_folds=2)
    >>> report.overall["measure"].tolist()
    ['accuracy', 'baseline', 'macro_f1', 'calibration_error', 'calibration_error_before']
    """
    if not isinstance(messages, pd.DataFrame):
        raise InputError(f"messages is a {type(messages).__name__}; a DataFrame is accepted.")
    for column in ("text", target, *([by] if by else [])):
        if column not in messages.columns:
            raise InputError(f"messages lacks the column {column!r}.")
        if messages[column].isna().any():
            row = messages.index[messages[column].isna().to_numpy()][0]
            raise InputError(f"messages, row {row!r}: column {column!r} is missing; fill or drop.")
    texts = _texts(messages["text"].tolist())
    truth = messages[target].astype(str).to_numpy().astype(str)
    n = len(texts)
    group = np.arange(n) if groups is None else np.asarray(groups)
    if group.shape != (n,):
        raise InputError(f"groups has shape {group.shape}; ({n},) is needed.")
    fold = _folds(group, truth, int(n_folds), seed)

    classes = np.unique(truth)
    chance = np.zeros((n, classes.size))
    model = MessageClassifier() if model is None else model
    for f in range(int(n_folds)):
        learn, judge = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        fitted = clone(model).fit([texts[i] for i in learn], truth[learn])
        at = np.searchsorted(classes, fitted.classes_.astype(str))
        chance[np.ix_(judge, at)] = fitted.predict_proba([texts[i] for i in judge])
    before = np.clip(chance.max(axis=1), 0, 1)
    if calibrate:
        label = np.searchsorted(classes, truth)
        tempered = np.empty_like(chance)
        for f in range(int(n_folds)):
            other = fold != f
            tempered[~other] = _tempered(chance[~other], _temperature(chance[other], label[other]))
        chance = tempered
    chosen = classes[chance.argmax(axis=1)]
    sure = np.clip(chance.max(axis=1), 0, 1)
    right = (chosen == truth).astype(float)

    # copies of one message are no independent evidence: the bootstrap draws groups
    members = np.unique(group, return_inverse=True)[1].ravel()
    count = int(members.max()) + 1
    rng = np.random.default_rng(seed)
    pair = np.searchsorted(classes, truth) * classes.size + np.searchsorted(classes, chosen)
    cells = sparse.csr_matrix((np.ones(n), (members, pair)), shape=(count, classes.size**2))
    draws = rng.multinomial(count, np.full(count, 1 / count), size=n_boot)
    tables = np.asarray((cells.T @ draws.T).T).reshape(n_boot, classes.size, classes.size)
    table = np.asarray(cells.sum(axis=0)).reshape(classes.size, classes.size)

    error, uncorrected = (
        expected_calibration_error(
            right, chances, bins=bins, n_boot=n_boot, seed=seed, confidence=confidence
        )
        for chances in (sure, before)
    )
    overall = [
        (
            "accuracy",
            *percentile_interval(_accuracy(table[None])[0], _accuracy(tables), confidence),
        ),
        ("baseline", *_baseline(table, confidence)),
        (
            "macro_f1",
            *percentile_interval(_macro_f1(table[None])[0], _macro_f1(tables), confidence),
        ),
        ("calibration_error", *error),
        ("calibration_error_before", *uncorrected),
    ]
    writers = messages[by].astype(str).to_numpy() if by else np.full(n, "all")
    by_group = []
    for name in np.unique(writers):
        inside = writers == name
        by_group.append(
            (
                name,
                int(inside.sum()),
                *proportion_interval(int(right[inside].sum()), int(inside.sum()), confidence),
                *expected_calibration_error(
                    right[inside],
                    sure[inside],
                    bins=bins,
                    n_boot=n_boot,
                    seed=seed,
                    confidence=confidence,
                ),
                float(sure[inside].mean()),
            )
        )
    by_class = [
        (
            name,
            int(table[i].sum()),
            *proportion_interval(int(table[i, i]), int(table[:, i].sum()), confidence),
            *proportion_interval(int(table[i, i]), int(table[i].sum()), confidence),
        )
        for i, name in enumerate(classes)
    ]

    def three(name: str) -> list[str]:
        return [name, f"{name}_low", f"{name}_high"]

    return MessageReport(
        overall=pd.DataFrame(overall, columns=["measure", "value", "low", "high"]),
        by_group=pd.DataFrame(
            by_group,
            columns=[
                by or "group",
                "messages",
                *three("accuracy"),
                *three("calibration_error"),
                "mean_confidence",
            ],
        ),
        by_class=pd.DataFrame(
            by_class, columns=[target, "messages", *three("precision"), *three("recall")]
        ),
        reliability=reliability(right, sure, bins=bins, confidence=confidence),
        predictions=pd.DataFrame(
            {"true": truth, "predicted": chosen, "confidence": sure, "fold": fold},
            index=messages.index,
        ),
    )


# ------------------------------------------------------------------ helpers


def _texts(texts: Sequence[str]) -> list[str]:
    texts = list(texts)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"text {i} is a {type(text).__name__}; a string is accepted.")
    return texts


def _lower_outside_brackets(text: str) -> str:
    return "".join(
        part if part.startswith("[") else part.lower()
        for part in re.split(r"(\[(?:EMAIL|PHONE|CARD|IBAN|NAME)\])", text)
    )


def _tempered(chance: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    level = np.log(np.clip(chance, 1e-12, 1)) / temperature
    level = np.exp(level - level.max(axis=1, keepdims=True))
    return level / level.sum(axis=1, keepdims=True)


def _temperature(chance: NDArray[np.float64], label: NDArray[np.int64]) -> float:
    """Return the temperature under which the labels were likeliest."""
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(label))

    def surprise(log_temperature: float) -> float:
        p = _tempered(chance, float(np.exp(log_temperature)))[rows, label]
        return -float(np.log(np.clip(p, 1e-12, 1)).mean())

    found = minimize_scalar(surprise, bounds=(-3.0, 3.0), method="bounded")
    return float(np.exp(found.x))


def _folds(group: NDArray[Any], truth: NDArray[Any], n_folds: int, seed: int) -> NDArray[np.int64]:
    """Return folds that keep groups whole and spread classes, largest groups first."""
    if n_folds < 2:
        raise InputError(f"n_folds is {n_folds}; at least 2 is accepted.")
    members = np.unique(group, return_inverse=True)[1].ravel()
    classes = np.unique(truth, return_inverse=True)[1].ravel()
    counts = np.zeros((int(members.max()) + 1, int(classes.max()) + 1))
    np.add.at(counts, (members, classes), 1)
    if len(counts) < n_folds:
        raise InputError(f"{len(counts)} groups are too few for {n_folds} folds.")
    share = counts / counts.sum(axis=0)
    order = np.random.default_rng(seed).permutation(len(counts))
    order = order[np.argsort(-counts[order].max(axis=1), kind="stable")]
    filled = np.zeros((n_folds, counts.shape[1]))
    fold = np.empty(len(counts), dtype=np.int64)
    for g in order:
        # the fold that has least of what this group brings
        need = filled @ share[g]
        fold[g] = int(np.argmin(np.round(need, 12) + 1e-9 * filled.sum(axis=1)))
        filled[fold[g]] += share[g]
    return fold[members]


def _accuracy(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        return np.trace(tables, axis1=1, axis2=2) / tables.sum(axis=(1, 2))


def _macro_f1(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    hits = np.diagonal(tables, axis1=1, axis2=2)
    total = tables.sum(axis=1) + tables.sum(axis=2)
    with np.errstate(invalid="ignore"):
        return np.nanmean(np.where(total > 0, 2 * hits / total, np.nan), axis=1)


def _baseline(table: NDArray[np.float64], confidence: float) -> tuple[float, float, float]:
    count = table.sum(axis=1)
    return tuple(proportion_interval(int(count.max()), int(count.sum()), confidence))
