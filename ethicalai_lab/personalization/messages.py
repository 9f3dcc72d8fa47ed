"""What customers write: intent and sentiment, with chances one can rely on.

The classifier is deliberately plain, words and their weights, so that a reader can see
why a message was sorted as it was. It is judged on messages it did not learn from, and
for each group of writers apart: an average hides whom it fails.

References
----------
Salton, G. and Buckley, C. (1988). Term-weighting approaches in automatic text retrieval.
Information Processing & Management 24, 513-523.

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

from ethicalai_lab.core.checks import Count, checked, need_columns, same_length
from ethicalai_lab.errors import InputError
from ethicalai_lab.personalization.calibration import expected_calibration_error
from ethicalai_lab.personalization.scanner import redact
from ethicalai_lab.stats import percentile_interval, proportion_interval

__all__ = [
    "MessageClassifier",
    "MessageReport",
    "classify_messages",
    "phrasings",
]

_FOLDS = 5


class MessageClassifier(ClassifierMixin, BaseEstimator):
    """Sort messages by TF-IDF of one or two words and a logistic regression.

    A word counts if it occurs in two messages or more.

    Parameters
    ----------
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

    def __init__(self, *, redacted: bool = True) -> None:
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
        same_length(texts=texts, y=y)
        if len(np.unique(y)) < 2:
            raise InputError("y holds one label only; at least two are needed to tell apart.")
        self._words = TfidfVectorizer(
            ngram_range=(1, 2),
            min_df=2,
            sublinear_tf=True,
            token_pattern=r"(?u)\[[A-Z]+\]|\b\w+\b|[?!]",
            lowercase=False,
        )
        try:
            x = self._words.fit_transform(self._prepared(texts))
        except ValueError:
            raise InputError("no word occurs in two texts; give more texts.") from None
        # many tiny matrix products: threads wait for each other far longer than they work
        with threadpool_limits(limits=1):
            self._model = LogisticRegression(C=10.0, max_iter=2000).fit(x, y)
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

    def _prepared(self, texts: Sequence[str]) -> list[str]:
        if not self.redacted:
            return [text.lower() for text in texts]
        # placeholders stay in capitals, so that "[CARD]" is no word somebody wrote
        return [_lower_outside_brackets(redact(text)) for text in texts]


def phrasings(texts: Sequence[str], *, vocabulary: Iterable[str] = ()) -> NDArray[np.int64]:
    """Group texts that say the same in nearly the same words.

    People copy, and shops get the same sentence a thousand times. If one copy is learned
    from and another is judged, the judgement is of memory. Folds should keep a group
    whole.

    Parameters
    ----------
    texts : sequence of str
    vocabulary : iterable of str, default ()
        Names that do not make a sentence different, such as those of products.

    Returns
    -------
    ndarray of int64, shape (n,)
        Group numbers from 0. From a cosine of .5 on, of TF-IDF vectors of one to three
        words in sequence, two texts are taken for one phrasing; groups are chained.

    Raises
    ------
    InputError
        If a text is no string.

    Examples
    --------
    >>> from ethicalai_lab.personalization.messages import phrasings
    >>> groups = phrasings(["where is my lamp?", "where is my chair?", "lovely, thank you"],
    ...                    vocabulary=["lamp", "chair"])
    >>> bool(groups[0] == groups[1]), bool(groups[1] == groups[2])
    (True, False)
    """
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
        near.data = (near.data >= 0.5 - 1e-9).astype(np.int8)
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
        Rows accuracy, baseline (always saying the commonest class), macro_f1 and
        calibration_error (of the chance given to the chosen class); columns value, low,
        high.
    by_group : DataFrame
        One row a style of writing: messages, accuracy with low and high (Wilson).
    predictions : DataFrame
        One row a message, in its order: true, predicted, confidence, fold.
    """

    overall: pd.DataFrame
    by_group: pd.DataFrame
    predictions: pd.DataFrame = field(repr=False)


@checked()
def classify_messages(
    messages: pd.DataFrame,
    target: str = "intent",
    *,
    model: BaseEstimator | None = None,
    groups: ArrayLike | None = None,
    n_boot: Count = 500,
) -> MessageReport:
    """Sort each message by a model that did not see it, and judge that.

    Parameters
    ----------
    messages : DataFrame
        Columns ``text``, ``language_style`` and ``target``.
    target : str, default "intent"
        Column to predict.
    model : estimator, optional
        With ``fit`` and ``predict_proba`` on texts. Default: :class:`MessageClassifier`.
    groups : array-like of shape (n,), optional
        Rows of one group go into one of five folds, as :func:`phrasings` gives them.
        Without it copies of a message are learned from and judged, and the result
        flatters.
    n_boot : int, default 500
        Resamples of the groups.

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
    >>> report = classify_messages(messages, "sentiment", n_boot=20)
    >>> report.overall["measure"].tolist()
    ['accuracy', 'baseline', 'macro_f1', 'calibration_error']
    """
    columns = ("text", target, "language_style")
    need_columns(messages, columns, "messages")
    for column in columns:
        if messages[column].isna().any():
            row = messages.index[messages[column].isna().to_numpy()][0]
            raise InputError(f"messages, row {row!r}: column {column!r} is missing; fill or drop.")
    texts = _texts(messages["text"].tolist())
    truth = messages[target].astype(str).to_numpy().astype(str)
    group = np.arange(len(texts)) if groups is None else np.asarray(groups)
    same_length(messages=messages, groups=group)
    found = _sorted_by_others(texts, truth, group, MessageClassifier() if model is None else model)
    found.index = messages.index
    right = (found["true"] == found["predicted"]).to_numpy()
    by_group = [
        (name, len(hit), *proportion_interval(int(hit.sum()), len(hit)))
        for name, hit in pd.Series(right).groupby(messages["language_style"].astype(str).to_numpy())
    ]
    three = ["accuracy", "accuracy_low", "accuracy_high"]
    return MessageReport(
        overall=_overall(found, right, group, n_boot),
        by_group=pd.DataFrame(by_group, columns=["language_style", "messages", *three]),
        predictions=found,
    )


def _sorted_by_others(
    texts: list[str], truth: NDArray[Any], group: NDArray[Any], model: Any
) -> pd.DataFrame:
    """Return each message's class by the model of the other folds, and its chance."""
    fold = _folds(group, truth, _FOLDS)
    classes = np.unique(truth)
    chance = np.zeros((len(texts), classes.size))
    for f in range(_FOLDS):
        learn, judge = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        fitted = clone(model).fit([texts[i] for i in learn], truth[learn])
        at = np.searchsorted(classes, fitted.classes_.astype(str))
        chance[np.ix_(judge, at)] = fitted.predict_proba([texts[i] for i in judge])
    chosen = classes[chance.argmax(axis=1)]
    sure = np.clip(chance.max(axis=1), 0, 1)
    return pd.DataFrame({"true": truth, "predicted": chosen, "confidence": sure, "fold": fold})


def _overall(
    found: pd.DataFrame, right: NDArray[np.bool_], group: NDArray[Any], n_boot: int
) -> pd.DataFrame:
    # copies of one message are no independent evidence: the bootstrap draws groups
    members = np.unique(group, return_inverse=True)[1].ravel()
    count, classes = int(members.max()) + 1, np.unique(found["true"])
    size = classes.size
    pair = np.searchsorted(classes, found["true"]) * size
    pair += np.searchsorted(classes, found["predicted"])
    cells = sparse.csr_matrix((np.ones(len(found)), (members, pair)), shape=(count, size**2))
    draws = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=n_boot)
    tables = np.asarray((cells.T @ draws.T).T).reshape(n_boot, size, size)
    table = np.asarray(cells.sum(axis=0)).reshape(size, size)
    commonest = int(table.sum(axis=1).max())
    error = expected_calibration_error(right, found["confidence"].to_numpy(), n_boot=n_boot)
    rows = {
        "accuracy": percentile_interval(_accuracy(table[None])[0], _accuracy(tables), 0.95),
        "baseline": proportion_interval(commonest, len(found)),
        "macro_f1": percentile_interval(_macro_f1(table[None])[0], _macro_f1(tables), 0.95),
        "calibration_error": error,
    }
    columns = ["measure", "value", "low", "high"]
    return pd.DataFrame([(name, *row) for name, row in rows.items()], columns=columns)


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


def _folds(group: NDArray[Any], truth: NDArray[Any], n_folds: int) -> NDArray[np.int64]:
    """Return folds that keep groups whole and spread classes, largest groups first."""
    members = np.unique(group, return_inverse=True)[1].ravel()
    classes = np.unique(truth, return_inverse=True)[1].ravel()
    counts = np.zeros((int(members.max()) + 1, int(classes.max()) + 1))
    np.add.at(counts, (members, classes), 1)
    if len(counts) < n_folds:
        raise InputError(f"{len(counts)} groups are too few for {n_folds} folds.")
    share = counts / counts.sum(axis=0)
    order = np.random.default_rng(0).permutation(len(counts))
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
