"""Recommendation from implicit feedback: what to offer, and what following it is worth.

Views and purchases say what people did, not what they like: an item nobody was shown is
not an item nobody wants. Three recommenders of rising ambition share one interface
(``fit``, ``score``, ``recommend``), are judged on a later period than they learned from,
and are compared with the plainest of them, popularity, customer by customer.

References
----------
Hu, Y., Koren, Y. and Volinsky, C. (2008). Collaborative filtering for implicit feedback
datasets. ICDM 2008, 263-272.

Sarwar, B., Karypis, G., Konstan, J. and Riedl, J. (2001). Item-based collaborative
filtering recommendation algorithms. WWW 2001, 285-295.

Järvelin, K. and Kekäläinen, J. (2002). Cumulated gain-based evaluation of IR techniques.
ACM Transactions on Information Systems 20, 422-446.

Dacrema, M. F., Cremonesi, P. and Jannach, D. (2019). Are we really making much progress?
A worrying analysis of recent neural recommendation approaches. RecSys 2019, 101-109.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from ethicalai_lab.core.identity import locate_people
from ethicalai_lab.core.times import read_moment, read_times
from ethicalai_lab.errors import InputError
from ethicalai_lab.stats import Interval, mean_interval, percentile_interval

__all__ = [
    "Interactions",
    "ItemToItem",
    "MatrixFactorization",
    "Popularity",
    "RecommendationReport",
    "compare_recommenders",
    "hit_rate",
    "interactions",
    "ndcg",
    "time_split",
    "value_of_following",
]

# A purchase says more than a view; the ratio is a convention, not a fact.
_WEIGHTS = {"view": 1.0, "purchase": 4.0}
# Upper ends of the history-length classes in which cold start is shown.
_HISTORY_EDGES = (0, 2, 5, 10, 20)
_CHUNK = 4096


# ------------------------------------------------------------------ interactions


@dataclass(frozen=True)
class Interactions:
    """Who touched what: a sparse matrix with the ids of its rows and columns.

    Parameters
    ----------
    matrix : scipy.sparse.csr_matrix of shape (n_customers, n_products)
        Summed weights; 0 where nothing was seen.
    customer_ids, product_ids : ndarray
        The ids of rows and columns, ascending.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.personalization.recommendation import interactions
    >>> events = pd.DataFrame({"customer_id": [1, 1, 2], "product_id": [10, 11, 10],
    ...                        "kind": ["view", "purchase", "view"]})
    >>> interactions(events).matrix.toarray().tolist()
    [[1.0, 4.0], [1.0, 0.0]]
    """

    matrix: sparse.csr_matrix
    customer_ids: NDArray[Any]
    product_ids: NDArray[Any]

    @property
    def shape(self) -> tuple[int, int]:
        """Customers and products."""
        return self.matrix.shape

    def __repr__(self) -> str:
        n, m = self.shape
        share = self.matrix.nnz / (n * m) if n * m else math.nan
        return f"Interactions({n} customers, {m} products, {share:.2%} of the pairs seen)"

    def _repr_html_(self) -> str:
        return f"<span>{self!r}</span>"


def interactions(
    events: pd.DataFrame,
    *,
    customers: ArrayLike | None = None,
    products: ArrayLike | None = None,
    weights: Mapping[str, float] | None = None,
) -> Interactions:
    """Count who touched which product, purchases weighing more than views.

    Parameters
    ----------
    events : DataFrame
        Columns ``customer_id``, ``product_id`` and ``kind``. Events of a kind without a
        weight (such as e-mail opens) are left out.
    customers, products : array-like, optional
        All ids that should have a row or column, so that customers without a history and
        products nobody touched are kept. Default: those in ``events``.
    weights : mapping of kind to float, optional
        Positive. Default: a view 1, a purchase 4.

    Returns
    -------
    Interactions

    Raises
    ------
    InputError
        If a column is missing, a weight is not positive, or an event names an id that
        ``customers`` or ``products`` does not hold.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.personalization.recommendation import interactions
    >>> events = pd.DataFrame({"customer_id": [1], "product_id": [7], "kind": ["view"]})
    >>> interactions(events, customers=[1, 2], products=[7, 8])
    Interactions(2 customers, 2 products, 25.00% of the pairs seen)
    """
    _need(events, ("customer_id", "product_id", "kind"), "events")
    weights = dict(_WEIGHTS if weights is None else weights)
    for kind, weight in weights.items():
        if not (math.isfinite(weight) and weight > 0):
            raise InputError(f"weights: {kind!r} has weight {weight}; a positive one is accepted.")
    kinds = events["kind"].astype(str)
    kept = events.loc[kinds.isin(list(weights)).to_numpy()]
    value = kept["kind"].astype(str).map(weights).to_numpy(dtype=float)

    def axis(ids: ArrayLike | None, column: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
        seen = kept[column].to_numpy()
        levels = np.unique(seen if ids is None else np.asarray(ids))
        position = locate_people(seen, levels, f"events: {column}")
        if (position < 0).any():
            raise InputError(
                f"events: {column} {seen[position < 0][0]} is not among the ids given; "
                "leave such events out or add the id."
            )
        return levels, position

    customer_ids, rows = axis(customers, "customer_id")
    product_ids, columns = axis(products, "product_id")
    matrix = sparse.coo_matrix(
        (value, (rows, columns)), shape=(len(customer_ids), len(product_ids))
    ).tocsr()
    return Interactions(matrix, customer_ids, product_ids)


def time_split(events: pd.DataFrame, at: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split events into those before a moment and those from it on.

    A random split would let a recommender learn from the future; a time split never does.

    Parameters
    ----------
    events : DataFrame
        With a column ``time`` of dates.
    at : Timestamp or str
        The first moment of the later part.

    Returns
    -------
    before, after : DataFrame

    Raises
    ------
    InputError
        If ``time`` is missing or no date, has two readings, or one of the parts would be empty.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.personalization.recommendation import time_split
    >>> events = pd.DataFrame({"time": pd.to_datetime(["2025-03-01", "2025-11-01"])})
    >>> [len(part) for part in time_split(events, "2025-10-01")]
    [1, 1]
    """
    _need(events, ("time",), "events")
    time = read_times(events["time"], "events: time")
    at = read_moment(at, "at")
    later = time >= at.to_datetime64()
    if later.all() or not later.any():
        span = f"{time.min()} to {time.max()}" if time.size else "nowhere"
        raise InputError(f"at is {at}, but the events run from {span}; choose a date within.")
    return events.loc[~later], events.loc[later]


# ------------------------------------------------------------------ recommenders


class _Recommender(BaseEstimator):
    """What the recommenders share: the ranking of scores."""

    def recommend(self, X: Any, k: int = 10, *, exclude_seen: bool = True) -> NDArray[np.int64]:
        """Return the positions of each customer's ``k`` best products, best first.

        Parameters
        ----------
        X : Interactions or sparse matrix of shape (n_customers, n_products)
            The customers' histories; columns as in ``fit``.
        k : int, default 10
            At least 1.
        exclude_seen : bool, default True
            Whether to leave out products in the customer's own history.

        Returns
        -------
        ndarray of int64, shape (n_customers, k)
            Column positions; -1 where fewer than ``k`` products remain. Ties go to the
            more popular product, so that a customer without a history is offered what
            is popular.

        Raises
        ------
        InputError
            If ``k`` is below 1 or ``X`` has another number of columns than in ``fit``.
        """
        check_is_fitted(self)
        matrix = self._check(X)
        if int(k) != k or k < 1:
            raise InputError(f"k is {k}; a whole number of at least 1 is accepted.")
        k = int(k)
        n, m = matrix.shape
        order = np.argsort(-self.popularity_, kind="stable")
        result = np.full((n, k), -1, dtype=np.int64)
        for start in range(0, n, _CHUNK):
            rows = matrix[start : start + _CHUNK]
            scores = np.array(self.score_items(rows), dtype=float)
            if exclude_seen:
                seen = rows.tocoo()
                scores[seen.row, seen.col] = -np.inf
            chosen = _top(scores[:, order], min(k, m))
            result[start : start + rows.shape[0], : min(k, m)] = np.where(
                chosen >= 0, order[chosen], -1
            )
        return result

    def _fit_popularity(self, X: Any) -> sparse.csr_matrix:
        matrix = _matrix(X)
        self.n_features_in_ = matrix.shape[1]
        self.popularity_ = np.asarray((matrix > 0).sum(axis=0), dtype=float).ravel()
        return matrix

    def _check(self, X: Any) -> sparse.csr_matrix:
        matrix = _matrix(X)
        if matrix.shape[1] != self.n_features_in_:
            raise InputError(
                f"X has {matrix.shape[1]} products; the {self.n_features_in_} of fit are needed."
            )
        return matrix


class Popularity(_Recommender):
    """Offer everybody what most people touched: the baseline that must be beaten.

    Attributes
    ----------
    popularity_ : ndarray of shape (n_products,)
        Customers who touched each product.

    Examples
    --------
    >>> from scipy.sparse import csr_matrix
    >>> from ethicalai_lab.personalization.recommendation import Popularity
    >>> seen = csr_matrix([[1.0, 0, 0], [1, 1, 0], [0, 1, 1], [0, 1, 0]])
    >>> Popularity().fit(seen).recommend(seen, k=1).ravel().tolist()
    [1, 2, 0, 0]
    """

    def fit(self, X: Any, y: Any = None) -> Popularity:
        """Count the customers of each product.

        Parameters
        ----------
        X : Interactions or sparse matrix of shape (n_customers, n_products)
        y : ignored

        Returns
        -------
        self
        """
        self._fit_popularity(X)
        return self

    def score_items(self, X: Any) -> NDArray[np.float64]:
        """Return one score a customer and product, the higher the better.

        Parameters
        ----------
        X : Interactions or sparse matrix of shape (n_customers, n_products)

        Returns
        -------
        ndarray of float, shape (n_customers, n_products)
        """
        check_is_fitted(self)
        return np.tile(self.popularity_, (self._check(X).shape[0], 1))


class ItemToItem(_Recommender):
    """Offer what the buyers of this customer's products also touched.

    Parameters
    ----------
    similarity : {"cosine", "jaccard"}, default "cosine"
        Of two products, from the customers who touched both: shared customers over the
        geometric mean of each product's customers, or over the customers of either.
    n_neighbors : int or None, default None
        How many most similar products count for each; None for all.
    shrinkage : float, default 50.0
        Added to the denominator, at least 0: it holds back similarities that rest on few
        customers.

    Attributes
    ----------
    similarity_ : sparse matrix of shape (n_products, n_products)
        With an empty diagonal.

    References
    ----------
    Sarwar et al. (2001), see the module.

    Examples
    --------
    >>> from scipy.sparse import csr_matrix
    >>> from ethicalai_lab.personalization.recommendation import ItemToItem
    >>> seen = csr_matrix([[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 0]])
    >>> ItemToItem(shrinkage=0).fit(seen).recommend(seen, k=1).ravel().tolist()[-1]
    1
    """

    def __init__(
        self, similarity: str = "cosine", *, n_neighbors: int | None = None, shrinkage: float = 50.0
    ) -> None:
        self.similarity = similarity
        self.n_neighbors = n_neighbors
        self.shrinkage = shrinkage

    def fit(self, X: Any, y: Any = None) -> ItemToItem:
        """Learn which products share customers.

        Parameters
        ----------
        X : Interactions or sparse matrix of shape (n_customers, n_products)
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        InputError
            If a parameter is outside its range.
        """
        if self.similarity not in ("cosine", "jaccard"):
            raise InputError(f"similarity is {self.similarity!r}; accepted: 'cosine', 'jaccard'.")
        if self.n_neighbors is not None and self.n_neighbors < 1:
            raise InputError(f"n_neighbors is {self.n_neighbors}; at least 1 is accepted.")
        if not self.shrinkage >= 0:
            raise InputError(f"shrinkage is {self.shrinkage}; at least 0 is accepted.")
        matrix = self._fit_popularity(X)
        touched = (matrix > 0).astype(float)
        both = np.asarray((touched.T @ touched).todense())
        own = np.diag(both).copy()
        if self.similarity == "cosine":
            below = np.sqrt(np.outer(own, own))
        else:
            below = own[:, None] + own[None, :] - both
        below += self.shrinkage
        similar = np.divide(both, below, out=np.zeros_like(both), where=below > 0)
        np.fill_diagonal(similar, 0.0)
        if self.n_neighbors is not None and self.n_neighbors < similar.shape[1]:
            nearest = _top(similar, self.n_neighbors)
            kept = np.zeros(similar.shape, dtype=bool)
            np.put_along_axis(kept, nearest, True, axis=1)
            similar[~kept] = 0.0
        self.similarity_ = sparse.csr_matrix(similar)
        return self

    def score_items(self, X: Any) -> NDArray[np.float64]:
        """Return one score a customer and product, the higher the better.

        Parameters
        ----------
        X : Interactions or sparse matrix of shape (n_customers, n_products)

        Returns
        -------
        ndarray of float, shape (n_customers, n_products)
        """
        check_is_fitted(self)
        touched = _damped(self._check(X))
        return np.asarray((touched @ self.similarity_.T).todense())


class MatrixFactorization(_Recommender):
    """Describe customers and products by a few latent factors.

    Parameters
    ----------
    n_factors : int, default 8
        Length of each description, at least 1.
    method : {"als", "svd"}, default "als"
        Weighted alternating least squares, in which an unseen pair is a weak "no"; or the
        truncated singular value decomposition, in which it is a full one.
    regularization : float, default 30.0
        Penalty on long descriptions, above 0 ("als").
    alpha : float, default 2.0
        How much surer a seen pair is than an unseen one, a unit of weight; above 0 ("als").
    n_iterations : int, default 10
        Rounds over customers and products ("als").
    seed : int, default 0
        Of the starting values; the same seed gives the same result.

    Attributes
    ----------
    item_factors_ : ndarray of shape (n_products, n_factors)

    Notes
    -----
    A customer's own description is solved from the history passed to ``score_items``, so
    customers who were not in ``fit`` are served too. One round costs two sparse products
    and a batch of small linear systems; there is no loop over customers.

    References
    ----------
    Hu, Koren and Volinsky (2008), see the module.

    Examples
    --------
    >>> from scipy.sparse import csr_matrix
    >>> from ethicalai_lab.personalization.recommendation import MatrixFactorization
    >>> seen = csr_matrix([[1.0, 1, 1, 0, 0, 0]] * 4 + [[0.0, 0, 0, 1, 1, 1]] * 4
    ...                   + [[1.0, 1, 0, 0, 0, 0]])
    >>> MatrixFactorization(2, regularization=0.1).fit(seen).recommend(seen[-1], k=1).tolist()
    [[2]]
    """

    def __init__(
        self,
        n_factors: int = 8,
        *,
        method: str = "als",
        regularization: float = 30.0,
        alpha: float = 2.0,
        n_iterations: int = 10,
        seed: int = 0,
    ) -> None:
        self.n_factors = n_factors
        self.method = method
        self.regularization = regularization
        self.alpha = alpha
        self.n_iterations = n_iterations
        self.seed = seed

    def fit(self, X: Any, y: Any = None) -> MatrixFactorization:
        """Learn the products' factors.

        Parameters
        ----------
        X : Interactions or sparse matrix of shape (n_customers, n_products)
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        InputError
            If a parameter is outside its range, or ``n_factors`` is too large for ``X``.
        """
        matrix = _matrix(X)
        limit = min(matrix.shape) - (1 if self.method == "svd" else 0)
        if self.method not in ("als", "svd"):
            raise InputError(f"method is {self.method!r}; accepted: 'als', 'svd'.")
        if int(self.n_factors) != self.n_factors or not 1 <= self.n_factors <= limit:
            raise InputError(
                f"n_factors is {self.n_factors}; 1 to {limit} is accepted for this matrix."
            )
        for name in ("regularization", "alpha", "n_iterations"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} is {getattr(self, name)}; more than 0 is accepted.")
        self._fit_popularity(matrix)
        rng = np.random.default_rng(self.seed)
        damped = _damped(matrix)
        if self.method == "svd":
            from scipy.sparse.linalg import svds

            start = rng.normal(size=min(matrix.shape))
            _, _, right = svds(damped, k=int(self.n_factors), v0=start, solver="arpack")
            factors = right[::-1].T  # svds returns the weakest factor first
            flip = np.sign(factors[np.abs(factors).argmax(axis=0), np.arange(factors.shape[1])])
            self.item_factors_ = factors * flip
            return self
        transposed = damped.T.tocsr()
        items = rng.normal(scale=0.1, size=(matrix.shape[1], int(self.n_factors)))
        for _ in range(int(self.n_iterations)):
            people = self._solve(damped, items)
            items = self._solve(transposed, people)
        self.item_factors_ = items
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Return the customers' factors, solved from their histories.

        Parameters
        ----------
        X : Interactions or sparse matrix of shape (n_customers, n_products)

        Returns
        -------
        ndarray of float, shape (n_customers, n_factors)
            Zeros for a customer without a history.
        """
        check_is_fitted(self)
        damped = _damped(self._check(X))
        if self.method == "svd":
            return np.asarray(damped @ self.item_factors_)
        return self._solve(damped, self.item_factors_)

    def score_items(self, X: Any) -> NDArray[np.float64]:
        """Return one score a customer and product, the higher the better.

        Parameters
        ----------
        X : Interactions or sparse matrix of shape (n_customers, n_products)

        Returns
        -------
        ndarray of float, shape (n_customers, n_products)
        """
        return self.transform(X) @ self.item_factors_.T

    def _solve(self, seen: sparse.csr_matrix, other: NDArray[np.float64]) -> NDArray[np.float64]:
        """Solve every row's description at once, given the other side's.

        For row u: (O'O + alpha * sum_i r_ui o_i o_i' + reg * I) x = sum_i (1 + alpha r_ui) o_i.
        The sum of outer products is one sparse product with all outer products flattened.
        """
        f = other.shape[1]
        outer = (other[:, :, None] * other[:, None, :]).reshape(len(other), f * f)
        base = other.T @ other + self.regularization * np.eye(f)
        solved = np.zeros((seen.shape[0], f))
        for start in range(0, seen.shape[0], _CHUNK):
            part = seen[start : start + _CHUNK]
            left = self.alpha * (part @ outer).reshape(-1, f, f) + base
            sure = part.copy()
            sure.data = 1.0 + self.alpha * sure.data
            right = np.asarray(sure @ other)
            solved[start : start + part.shape[0]] = np.linalg.solve(left, right[:, :, None])[
                :, :, 0
            ]
        return solved


# ------------------------------------------------------------------ metrics


def hit_rate(recommended: ArrayLike, relevant: Any) -> NDArray[np.float64]:
    """Return for each customer whether a recommended product was then touched.

    Parameters
    ----------
    recommended : array-like of int, shape (n_customers, k)
        Column positions, -1 for none.
    relevant : Interactions or sparse matrix of shape (n_customers, n_products)
        What the customers touched later.

    Returns
    -------
    ndarray of float, shape (n_customers,)
        0 or 1; ``nan`` for customers who touched nothing later.

    Examples
    --------
    >>> from scipy.sparse import csr_matrix
    >>> from ethicalai_lab.personalization.recommendation import hit_rate
    >>> hit_rate([[0, 2], [1, 0], [0, 1]], csr_matrix([[0, 0, 1.0], [0, 0, 1], [0, 0, 0]]))
    array([ 1.,  0., nan])
    """
    gains, total = _gains(recommended, relevant)
    return np.where(total > 0, (gains.any(axis=1)).astype(float), np.nan)


def ndcg(recommended: ArrayLike, relevant: Any) -> NDArray[np.float64]:
    """Return each customer's normalised discounted cumulative gain of the ranking.

    A relevant product gains 1 / log2(rank + 1); the sum is divided by that of the best
    ranking of the same length.

    Parameters
    ----------
    recommended : array-like of int, shape (n_customers, k)
        Column positions, best first, -1 for none.
    relevant : Interactions or sparse matrix of shape (n_customers, n_products)
        What the customers touched later; any positive weight counts as relevant.

    Returns
    -------
    ndarray of float, shape (n_customers,)
        In [0, 1]; ``nan`` for customers who touched nothing later.

    References
    ----------
    Järvelin and Kekäläinen (2002), see the module.

    Examples
    --------
    >>> from scipy.sparse import csr_matrix
    >>> from ethicalai_lab.personalization.recommendation import ndcg
    >>> ndcg([[0, 2]], csr_matrix([[0, 0, 1.0]])).round(4).tolist()
    [0.6309]
    """
    gains, total = _gains(recommended, relevant)
    k = gains.shape[1]
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    best = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(total, k)]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (gains @ discount) / best, np.nan)


@dataclass(frozen=True)
class RecommendationReport:
    """What each recommender reached on the later period, with intervals.

    Attributes
    ----------
    table : DataFrame
        One row a model and measure (hit_rate, ndcg, coverage): value, low, high.
    against : DataFrame
        Paired differences to the baseline, customer by customer: model, measure, value,
        low, high.
    by_history : DataFrame
        Hit rate and NDCG by the length of the customer's history, with customers: the
        cold start.
    recommended : dict of str to ndarray
        Each model's recommendations for *all* customers, column positions.
    k : int
        Length of the list.
    customers : int
        Customers who were judged: those who touched something new in the later period.
    """

    table: pd.DataFrame
    against: pd.DataFrame
    by_history: pd.DataFrame
    recommended: dict[str, NDArray[np.int64]] = field(repr=False)
    k: int
    customers: int

    def interval(self, model: str, measure: str) -> Interval:
        """Return one cell of ``table``.

        Parameters
        ----------
        model, measure : str

        Returns
        -------
        Interval

        Raises
        ------
        InputError
            If there is no such row.
        """
        row = self.table[(self.table["model"] == model) & (self.table["measure"] == measure)]
        if row.empty:
            known = ", ".join(map(str, self.table["model"].unique()))
            raise InputError(
                f"no {measure!r} of {model!r}; models: {known}; measures: hit_rate, ndcg, coverage."
            )
        return Interval(*row[["value", "low", "high"]].to_numpy()[0])

    def _repr_html_(self) -> str:
        return self.table.to_html(index=False, float_format="{:.4f}".format)


def compare_recommenders(
    models: Mapping[str, _Recommender],
    train: Interactions,
    later: Interactions,
    *,
    k: int = 10,
    baseline: str | None = None,
    only_new: bool = True,
    n_boot: int = 500,
    seed: int = 0,
    confidence: float = 0.95,
) -> RecommendationReport:
    """Fit recommenders on one period and judge them on the next.

    Parameters
    ----------
    models : mapping of name to recommender
        Not yet fitted; they are cloned.
    train, later : Interactions
        Of the two periods, with the same customers and products.
    k : int, default 10
        Products offered to each customer.
    baseline : str, optional
        The model the others are compared with. Default: the first.
    only_new : bool, default True
        Whether only products new to the customer are offered and counted. What somebody
        buys again needs no recommender.
    n_boot : int, default 500
        Bootstrap replicates over customers.
    seed : int, default 0
    confidence : float, default 0.95

    Returns
    -------
    RecommendationReport

    Raises
    ------
    InputError
        If the periods have other customers or products, nobody touched anything new in
        the later one, or the baseline is unknown.

    Notes
    -----
    Catalogue coverage grows with the number of customers, so a bootstrap sample, which
    repeats some, always covers less: its percentiles would lie below the value. The
    interval is therefore the value plus and minus the bootstrap's standard deviation
    times the normal quantile, cut at 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_matrix
    >>> from ethicalai_lab.personalization.recommendation import (
    ...     Interactions, ItemToItem, Popularity, compare_recommenders)
    >>> ids = np.arange(6)
    >>> before = csr_matrix([[1.0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0],
    ...                      [0, 0, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1]])
    >>> after = csr_matrix([[0.0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0],
    ...                     [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]])
    >>> report = compare_recommenders(
    ...     {"popularity": Popularity(), "item to item": ItemToItem(shrinkage=0)},
    ...     Interactions(before, ids, ids[:4]), Interactions(after, ids, ids[:4]), k=1)
    >>> report.interval("popularity", "hit_rate").value
    0.0
    >>> report.interval("item to item", "hit_rate").value
    1.0
    """
    if not models:
        raise InputError("models is empty; at least one recommender is needed.")
    for name in ("customer_ids", "product_ids"):
        if not np.array_equal(getattr(train, name), getattr(later, name)):
            raise InputError(
                f"train and later have other {name}; pass the same customers and products "
                "to interactions() for both."
            )
    baseline = next(iter(models)) if baseline is None else baseline
    if baseline not in models:
        raise InputError(f"baseline {baseline!r} is unknown; models: {', '.join(models)}.")
    target = later.matrix
    if only_new:
        target = target - target.multiply(train.matrix > 0)
        target = sparse.csr_matrix(target)
        target.eliminate_zeros()
    judged = np.asarray((target > 0).sum(axis=1)).ravel() > 0
    n = int(judged.sum())
    if n == 0:
        raise InputError("nobody touched a new product in the later period; choose a longer one.")

    history = np.asarray((train.matrix > 0).sum(axis=1)).ravel()[judged]
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n, np.full(n, 1 / n), size=n_boot)  # one bootstrap for all models
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    kinds = _history_classes(history)

    rows, against, cold, lists, per_customer = [], [], [], {}, {}
    for name, model in models.items():
        fitted = clone(model).fit(train.matrix)
        lists[name] = fitted.recommend(train.matrix, k, exclude_seen=only_new)
        offered = lists[name][judged]
        scores = {
            "hit_rate": hit_rate(offered, target[judged]),
            "ndcg": ndcg(offered, target[judged]),
        }
        per_customer[name] = scores
        for measure, values in scores.items():
            interval = percentile_interval(values.mean(), draws @ values / n, confidence)
            rows.append((name, measure, *interval))
            for label in kinds.categories:
                inside = np.asarray(kinds == label)
                if inside.any():
                    part = draws[:, inside]
                    with np.errstate(invalid="ignore"):
                        replicates = part @ values[inside] / part.sum(axis=1)
                    piece = percentile_interval(values[inside].mean(), replicates, confidence)
                    cold.append((name, measure, label, int(inside.sum()), *piece))
        covered, spread = _coverage(offered, target.shape[1], draws)
        rows.append(
            (
                name,
                "coverage",
                covered,
                max(0.0, covered - z * spread),
                min(1.0, covered + z * spread),
            )
        )
    for name in models:
        if name == baseline:
            continue
        for measure in ("hit_rate", "ndcg"):
            gap = per_customer[name][measure] - per_customer[baseline][measure]
            interval = percentile_interval(gap.mean(), draws @ gap / n, confidence)
            against.append((name, measure, *interval))
    columns = ["model", "measure", "value", "low", "high"]
    return RecommendationReport(
        table=pd.DataFrame(rows, columns=columns),
        against=pd.DataFrame(against, columns=columns),
        by_history=pd.DataFrame(
            cold,
            columns=["model", "measure", "history", "customers", "value", "low", "high"],
        ),
        recommended=lists,
        k=int(k),
        customers=n,
    )


def value_of_following(
    recommended: Mapping[str, ArrayLike],
    data: Interactions,
    products: pd.DataFrame,
    interests: pd.DataFrame,
    *,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return what the recommendations are worth by the customers' *true* interests.

    Clicks reward what people were shown before; the world knows what they like.

    Parameters
    ----------
    recommended : mapping of name to array-like of int, shape (n_customers, k)
        Column positions in ``data``, -1 for none, as in a report's ``recommended``.
    data : Interactions
        Gives the ids of rows and columns.
    products : DataFrame
        Columns ``product_id``, ``category``, ``price`` and ``margin`` (share of the price).
    interests : DataFrame
        ``customer_id`` and one column a category: the world's ``truth.interests``.
    confidence : float, default 0.95

    Returns
    -------
    DataFrame
        One row a model and measure: ``interest`` is the customer's true interest in the
        category of an offered product, ``margin`` is that interest times the product's
        price and margin (currency units an offer, up to the scale of interest). Columns
        value, low, high, from the means of customers. Two further models bound what can
        be had: "any product" takes a product at random, "best possible" knows the truth.

    Raises
    ------
    InputError
        If a column, a product or a customer is missing.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from scipy.sparse import csr_matrix
    >>> from ethicalai_lab.personalization.recommendation import (
    ...     Interactions, value_of_following)
    >>> data = Interactions(csr_matrix((2, 2)), np.array([1, 2]), np.array([5, 6]))
    >>> products = pd.DataFrame({"product_id": [5, 6], "category": ["home", "beauty"],
    ...                          "price": [10.0, 20.0], "margin": [0.5, 0.5]})
    >>> liked = pd.DataFrame({"customer_id": [1, 2], "home": [0.9, 0.5], "beauty": [0.1, 0.5]})
    >>> value = value_of_following({"home for all": [[0], [0]]}, data, products, liked)
    >>> value["value"].tolist()
    [0.7, 3.5, 0.5, 0.7, 3.25, 4.75]
    """
    _need(products, ("product_id", "category", "price", "margin"), "products")
    _need(interests, ("customer_id",), "interests")
    goods = products.set_index("product_id")
    missing = ~np.isin(data.product_ids, goods.index)
    if missing.any():
        raise InputError(f"products lacks product_id {data.product_ids[missing][0]}.")
    goods = goods.loc[data.product_ids]
    people = interests.set_index("customer_id")
    missing = ~np.isin(data.customer_ids, people.index)
    if missing.any():
        raise InputError(f"interests lacks customer_id {data.customer_ids[missing][0]}.")
    category = goods["category"].astype(str)
    unknown = sorted(set(category) - set(map(str, people.columns)))
    if unknown:
        raise InputError(f"interests lacks a column for the category {unknown[0]!r}.")
    liking = people.loc[data.customer_ids, list(category)].to_numpy(dtype=float)
    worth = (goods["price"] * goods["margin"]).to_numpy(dtype=float)
    rows = []
    k = 1
    for name, positions in recommended.items():
        offered = np.asarray(positions)
        if offered.ndim != 2 or len(offered) != len(data.customer_ids):
            raise InputError(
                f"recommended[{name!r}] has shape {offered.shape}; one row for each of the "
                f"{len(data.customer_ids)} customers is needed."
            )
        k = max(k, min(offered.shape[1], len(goods)))
        there = offered >= 0
        at = np.where(there, offered, 0)
        interest = np.where(there, np.take_along_axis(liking, at, axis=1), 0.0)
        count = there.sum(axis=1)
        served = count > 0
        for measure, gain in (("interest", interest), ("margin", interest * worth[at])):
            mean = gain[served].sum(axis=1) / count[served]
            rows.append((name, measure, *mean_interval(mean, confidence)))
    for measure, gain in (("interest", liking), ("margin", liking * worth)):
        best = np.sort(gain, axis=1)[:, -k:].mean(axis=1)
        rows.append(("any product", measure, *mean_interval(gain.mean(axis=1), confidence)))
        rows.append(("best possible", measure, *mean_interval(best, confidence)))
    return pd.DataFrame(rows, columns=["model", "measure", "value", "low", "high"])


# ------------------------------------------------------------------ helpers


def _matrix(X: Any) -> sparse.csr_matrix:
    matrix = X.matrix if isinstance(X, Interactions) else X
    if not sparse.issparse(matrix):
        matrix = np.asarray(matrix, dtype=float)
        if matrix.ndim != 2:
            raise InputError(
                f"X has {matrix.ndim} dimensions; a matrix of customers by products is needed."
            )
    matrix = sparse.csr_matrix(matrix, dtype=float)
    if matrix.nnz and not (np.isfinite(matrix.data).all() and matrix.data.min() >= 0):
        raise InputError("X must hold finite weights of at least 0.")
    return matrix


def _damped(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return log(1 + weight): the tenth view says less than the first."""
    damped = matrix.copy()
    damped.data = np.log1p(damped.data)
    return damped


def _top(scores: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """Return the k best positions a row, ties to the first; -1 where the score is -inf."""
    # Scores are rounded so that platforms whose sums differ in the last digits agree.
    scale = np.max(np.abs(scores), axis=1, where=np.isfinite(scores), initial=0.0)
    scale[scale == 0] = 1.0
    rounded = np.round(scores / scale[:, None], 9)
    order = np.argsort(-rounded, axis=1, kind="stable")[:, :k]
    chosen = np.take_along_axis(scores, order, axis=1)
    return np.where(np.isneginf(chosen), -1, order)


def _gains(recommended: ArrayLike, relevant: Any) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    offered = np.asarray(recommended, dtype=np.int64)
    target = _matrix(relevant)
    if offered.ndim != 2 or len(offered) != target.shape[0]:
        raise InputError(
            f"recommended has shape {offered.shape}; one row for each of the "
            f"{target.shape[0]} customers is needed."
        )
    if offered.size and offered.max() >= target.shape[1]:
        raise InputError(
            f"recommended names product position {offered.max()}; "
            f"positions up to {target.shape[1] - 1} are accepted."
        )
    flags = sparse.csr_matrix(target > 0)
    rows = np.repeat(np.arange(len(offered)), offered.shape[1])
    at = np.where(offered >= 0, offered, 0).ravel()
    found = np.asarray(flags[rows, at]).reshape(offered.shape).astype(bool)
    return found & (offered >= 0), np.asarray(flags.sum(axis=1)).ravel().astype(np.int64)


def _coverage(
    offered: NDArray[np.int64], n_products: int, draws: NDArray[np.int64]
) -> tuple[float, float]:
    rows, ranks = np.nonzero(offered >= 0)
    shown = sparse.csr_matrix(
        (np.ones(len(rows)), (offered[rows, ranks], rows)), shape=(n_products, len(offered))
    )
    covered = float((np.asarray(shown.sum(axis=1)).ravel() > 0).mean())
    replicates = np.asarray(shown @ (draws.T > 0).astype(float))
    return covered, float((replicates > 0).mean(axis=0).std(ddof=1)) if len(draws) > 1 else 0.0


def _history_classes(history: NDArray[np.int64]) -> pd.Categorical:
    edges = _HISTORY_EDGES
    labels = [
        str(high) if high == 0 or high - low == 1 else f"{low + 1}-{high}"
        for low, high in zip((-1, *edges[:-1]), edges, strict=True)
    ] + [f"over {edges[-1]}"]
    return pd.Categorical.from_codes(np.searchsorted(edges, history), categories=labels)


def _need(frame: Any, columns: Iterable[str], name: str) -> None:
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"{name} is a {type(frame).__name__}; a pandas DataFrame is accepted.")
    for column in columns:
        if column not in frame.columns:
            raise InputError(
                f"{name} lacks the column {column!r}; it has {', '.join(map(str, frame.columns))}."
            )
