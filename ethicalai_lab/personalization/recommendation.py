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
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from ethicalai_lab.core.checks import (
    Count,
    NonNegative,
    Positive,
    Seed,
    check_fields,
    check_value,
    checked,
    need_columns,
    whole,
)
from ethicalai_lab.core.identity import locate_people
from ethicalai_lab.core.times import read_moment, read_times
from ethicalai_lab.errors import InputError
from ethicalai_lab.stats import Interval, mean_interval, percentile_interval

__all__ = [
    "Interactions",
    "ItemToItem",
    "MatrixFactorization",
    "Popularity",
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
_Z = NormalDist().inv_cdf(0.975)


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


def interactions(
    events: pd.DataFrame,
    *,
    customers: ArrayLike | None = None,
    products: ArrayLike | None = None,
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
    need_columns(events, ("customer_id", "product_id", "kind"), "events")
    kinds = events["kind"].astype(str)
    kept = events.loc[kinds.isin(list(_WEIGHTS)).to_numpy()]
    value = kept["kind"].astype(str).map(_WEIGHTS).to_numpy(dtype=float)

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
    need_columns(events, ("time",), "events")
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

    def recommend(self, X: Any, k: int = 10) -> NDArray[np.int64]:
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
        check_value(k, Count, "k")
        n, m = matrix.shape
        order = np.argsort(-self.popularity_, kind="stable")
        result = np.full((n, k), -1, dtype=np.int64)
        for start in range(0, n, _CHUNK):
            rows = matrix[start : start + _CHUNK]
            scores = np.array(self.score_items(rows), dtype=float)
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

    Two products are as similar as the cosine of their customers: those who touched both,
    over the geometric mean of each product's customers.

    Parameters
    ----------
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

    def __init__(self, *, shrinkage: NonNegative = 50.0) -> None:
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
        check_fields(self)
        matrix = self._fit_popularity(X)
        touched = (matrix > 0).astype(float)
        both = np.asarray((touched.T @ touched).todense())
        own = np.diag(both).copy()
        below = np.sqrt(np.outer(own, own)) + self.shrinkage
        similar = np.divide(both, below, out=np.zeros_like(both), where=below > 0)
        np.fill_diagonal(similar, 0.0)
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

    Weighted alternating least squares, in which an unseen pair is a weak "no".

    Parameters
    ----------
    n_factors : int, default 8
        Length of each description, at least 1.
    regularization : float, default 30.0
        Penalty on long descriptions, above 0.
    alpha : float, default 2.0
        How much surer a seen pair is than an unseen one, a unit of weight; above 0.
    n_iterations : int, default 10
        Rounds over customers and products.
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
        n_factors: Count = 8,
        *,
        regularization: Positive = 30.0,
        alpha: Positive = 2.0,
        n_iterations: Count = 10,
        seed: Seed = 0,
    ) -> None:
        self.n_factors = n_factors
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
        check_fields(self)
        check_value(self.n_factors, whole(1, min(matrix.shape)), "n_factors")
        self._fit_popularity(matrix)
        rng = np.random.default_rng(self.seed)
        damped = _damped(matrix)
        transposed = damped.T.tocsr()
        items = rng.normal(scale=0.1, size=(matrix.shape[1], self.n_factors))
        for _ in range(self.n_iterations):
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
        return self._solve(_damped(self._check(X)), self.item_factors_)

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
    """What each recommender reached on the later period, with 95 % intervals.

    Attributes
    ----------
    table : DataFrame
        One row a model and measure (hit_rate, ndcg, coverage): value, low, high.
    against : DataFrame
        The same for the difference of hit_rate and ndcg to the first model, paired.
    by_history : DataFrame
        One row a model, measure and class of history length (products touched before):
        customers, value, low, high.
    recommended : dict of str to ndarray of int, shape (n_customers, k)
        Each model's lists, as positions of products.
    """

    table: pd.DataFrame
    against: pd.DataFrame
    by_history: pd.DataFrame
    recommended: dict[str, NDArray[np.int64]] = field(repr=False)


@checked()
def compare_recommenders(
    models: Mapping[str, _Recommender],
    train: Interactions,
    later: Interactions,
    *,
    n_boot: Count = 500,
) -> RecommendationReport:
    """Fit recommenders on one period and judge their ten best new products on the next.

    Parameters
    ----------
    models : mapping of str to recommender
        Cloned before fitting; the first is the one that others are compared with.
    train, later : Interactions
        The two periods, with the same customers and products.
    n_boot : int, default 500
        Resamples of the customers, the same for all models.

    Returns
    -------
    RecommendationReport

    Raises
    ------
    InputError
        If there is no model, ids differ, or nobody touched anything new later.

    Notes
    -----
    Coverage is the share of all products that are on at least one list. A bootstrap draws
    some customers twice and others never, which covers less; so its interval lies around
    the value with the replicates' standard deviation, and not at their quantiles.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.personalization.recommendation import (
    ...     ItemToItem, Popularity, compare_recommenders, interactions)
    >>> def frame(pairs):
    ...     return pd.DataFrame(pairs, columns=["customer_id", "product_id"]).assign(kind="view")
    >>> ids = {"customers": [1, 2, 3], "products": [7, 8, 9]}
    >>> early = interactions(frame([(1, 7), (1, 8), (2, 7), (3, 9)]), **ids)
    >>> late = interactions(frame([(2, 8)]), **ids)
    >>> models = {"popular": Popularity(), "near": ItemToItem()}
    >>> compare_recommenders(models, early, late, n_boot=20).table["value"].iloc[0].item()
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
    target = sparse.csr_matrix(later.matrix - later.matrix.multiply(train.matrix > 0))
    target.eliminate_zeros()
    judged = np.asarray((target > 0).sum(axis=1)).ravel() > 0
    n = int(judged.sum())
    if n == 0:
        raise InputError("nobody touched a new product in the later period; choose a longer one.")
    kinds = _history_classes(np.asarray((train.matrix > 0).sum(axis=1)).ravel()[judged])
    # one bootstrap for all models
    draws = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=n_boot)
    lists, reached = {}, {}
    for name, model in models.items():
        lists[name] = clone(model).fit(train.matrix).recommend(train.matrix)
        offered = lists[name][judged]
        reached[name, "hit_rate"] = hit_rate(offered, target[judged])
        reached[name, "ndcg"] = ndcg(offered, target[judged])
    rows = [(*key, *_mean(values, draws)) for key, values in reached.items()]
    rows += [
        (name, "coverage", *_coverage(offered[judged], target.shape[1], draws))
        for name, offered in lists.items()
    ]
    first = next(iter(models))
    against = [
        (name, measure, *_mean(values - reached[first, measure], draws))
        for (name, measure), values in reached.items()
        if name != first
    ]
    cold = [
        (*key, label, int(inside.sum()), *_mean(values[inside], draws[:, inside]))
        for key, values in reached.items()
        for label, inside in ((label, np.asarray(kinds == label)) for label in kinds.categories)
        if inside.any()
    ]
    columns = ["model", "measure", "value", "low", "high"]
    return RecommendationReport(
        table=pd.DataFrame(rows, columns=columns),
        against=pd.DataFrame(against, columns=columns),
        by_history=pd.DataFrame(
            cold, columns=["model", "measure", "history", "customers", "value", "low", "high"]
        ),
        recommended=lists,
    )


def _mean(values: NDArray[np.float64], draws: NDArray[np.int64]) -> Interval:
    with np.errstate(invalid="ignore"):
        replicates = draws @ values / draws.sum(axis=1)
    return percentile_interval(float(values.mean()), replicates, 0.95)


def value_of_following(
    recommended: Mapping[str, ArrayLike],
    data: Interactions,
    products: pd.DataFrame,
    interests: pd.DataFrame,
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
    need_columns(products, ("product_id", "category", "price", "margin"), "products")
    goods = products.set_index("product_id")
    missing = ~np.isin(data.product_ids, goods.index)
    if missing.any():
        raise InputError(f"products lacks product_id {data.product_ids[missing][0]}.")
    goods = goods.loc[data.product_ids]
    category = goods["category"].astype(str)
    need_columns(interests, ("customer_id", *category.unique()), "interests")
    people = interests.set_index("customer_id")
    missing = ~np.isin(data.customer_ids, people.index)
    if missing.any():
        raise InputError(f"interests lacks customer_id {data.customer_ids[missing][0]}.")
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
            rows.append((name, measure, *mean_interval(mean)))
    for measure, gain in (("interest", liking), ("margin", liking * worth)):
        best = np.sort(gain, axis=1)[:, -k:].mean(axis=1)
        rows.append(("any product", measure, *mean_interval(gain.mean(axis=1))))
        rows.append(("best possible", measure, *mean_interval(best)))
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
) -> tuple[float, float, float]:
    rows, ranks = np.nonzero(offered >= 0)
    shown = sparse.csr_matrix(
        (np.ones(len(rows)), (offered[rows, ranks], rows)), shape=(n_products, len(offered))
    )
    covered = float((np.asarray(shown.sum(axis=1)).ravel() > 0).mean())
    replicates = (np.asarray(shown @ (draws.T > 0).astype(float)) > 0).mean(axis=0)
    half = _Z * float(replicates.std(ddof=1)) if len(draws) > 1 else 0.0
    return covered, max(0.0, covered - half), min(1.0, covered + half)


def _history_classes(history: NDArray[np.int64]) -> pd.Categorical:
    edges = _HISTORY_EDGES
    labels = [
        str(high) if high == 0 or high - low == 1 else f"{low + 1}-{high}"
        for low, high in zip((-1, *edges[:-1]), edges, strict=True)
    ] + [f"over {edges[-1]}"]
    return pd.Categorical.from_codes(np.searchsorted(edges, history), categories=labels)
