"""Who was in a model's training data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.privacy.errors import PrivacyError
from ethicalai_lab.stats import Interval, proportion_interval

__all__ = ["Membership", "membership_inference"]


@dataclass(frozen=True)
class Membership:
    """Whether a model betrays who was in its training data.

    Attributes
    ----------
    accuracy : Interval
        Balanced accuracy on people not used to set the threshold (0.5: coin toss).
    auc : float
        Of members over non-members.
    tpr_at_low_fpr : Interval
        Share of members found while at most ``fpr`` of non-members are accused.
    fpr : float
    """

    accuracy: Interval
    auc: float
    tpr_at_low_fpr: Interval
    fpr: float


def membership_inference(
    model: Any,
    members: tuple[Any, Any],
    others: tuple[Any, Any],
    *,
    fpr: float = 0.01,
    seed: int = 0,
) -> Membership:
    """Guess from a model's confidence who it was trained on.

    The attacker takes the loss of each known person: a model is surer of those it has
    seen. The threshold is set on one half of the people and judged on the other.

    Parameters
    ----------
    model : fitted classifier with ``predict_proba`` and ``classes_``
    members, others : (X, y)
        People in and not in the training data, drawn from the same population.
    fpr : float
        Rate of false accusations allowed for ``tpr_at_low_fpr``, above 0, below 1.
    seed : int

    Returns
    -------
    Membership

    Raises
    ------
    PrivacyError
        If either group has fewer than four people, or a label is unknown to the model.

    References
    ----------
    Shokri et al., "Membership inference attacks", IEEE S&P 2017. Yeom et al., "Privacy
    risk in machine learning", CSF 2018 (loss threshold). Carlini et al., "Membership
    inference attacks from first principles", IEEE S&P 2022 (report low false-positive
    rates).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from ethicalai_lab.privacy.attacks import membership_inference
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(400, 5)), rng.integers(0, 2, 400)
    >>> tree = DecisionTreeClassifier(random_state=0).fit(X[:200], y[:200])
    >>> membership_inference(tree, (X[:200], y[:200]), (X[200:], y[200:])).accuracy.value > 0.7
    True
    """
    if not 0 < fpr < 1:
        raise PrivacyError(f"fpr is {fpr!r}; a number above 0 and below 1 is accepted.")
    sure = [_confidence(model, *group) for group in (members, others)]
    if min(map(len, sure)) < 4:
        raise PrivacyError("members and others must hold at least four people each.")
    rng = np.random.default_rng(seed)
    halves = [np.array_split(rng.permutation(s), 2) for s in sure]
    (train_in, test_in), (train_out, test_out) = halves
    threshold = _best_threshold(train_in, train_out)
    found = int((test_in >= threshold).sum())
    cleared = int((test_out < threshold).sum())
    tpr = proportion_interval(found, len(test_in))
    tnr = proportion_interval(cleared, len(test_out))
    # variance of the mean of two independent shares, from the widths of Wilson's intervals
    value = (tpr.value + tnr.value) / 2
    low = value - np.hypot(tpr.value - tpr.low, tnr.value - tnr.low) / 2
    high = value + np.hypot(tpr.high - tpr.value, tnr.high - tnr.value) / 2
    ranks = pd.Series(np.concatenate(sure)).rank().to_numpy()[: len(sure[0])]
    n_in, n_out = len(sure[0]), len(sure[1])
    auc = (ranks.sum() - n_in * (n_in + 1) / 2) / (n_in * n_out)
    strict = np.sort(train_out)[::-1]
    cut = strict[min(int(np.floor(fpr * len(strict))), len(strict) - 1)]
    return Membership(
        Interval(float(value), float(low), float(high), tpr.confidence),
        float(auc),
        proportion_interval(int((test_in > cut).sum()), len(test_in)),
        fpr,
    )


def _confidence(model: Any, X: Any, y: Any) -> np.ndarray:
    classes = np.asarray(model.classes_)
    y = np.asarray(y)
    at = np.argmax(classes[None, :] == y[:, None], axis=1)
    unknown = classes[at] != y
    if unknown.any():
        raise PrivacyError(
            f"y holds {y[unknown][0]!r}, which the model does not know; it knows "
            f"{', '.join(map(str, classes))}."
        )
    p = model.predict_proba(X)[np.arange(len(y)), at]
    return np.log(np.maximum(p, 1e-12))


def _best_threshold(inside: np.ndarray, outside: np.ndarray) -> float:
    both = np.unique(np.concatenate([inside, outside]))
    tpr = 1 - np.searchsorted(np.sort(inside), both, "left") / len(inside)
    tnr = np.searchsorted(np.sort(outside), both, "left") / len(outside)
    return float(both[int((tpr + tnr).argmax())])
