"""Who is who: RFM scores from the shopping record, and k-means segments.

References
----------
Hughes, A. M. (1994). Strategic Database Marketing. Probus.

Lloyd, S. P. (1982). Least squares quantization in PCM. IEEE Transactions on Information
Theory 28, 129-137.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from ethicalai_lab.core.identity import locate_people, person_keys
from ethicalai_lab.core.times import read_moment, read_times
from ethicalai_lab.errors import InputError

__all__ = ["RFM_SEGMENTS", "KMeansSegments", "rfm", "segment_profile"]

# The usual eleven names over the recency score (rows, 1..5) and frequency score (columns).
_GRID = (
    ("hibernating", "hibernating", "at_risk", "at_risk", "cannot_lose"),
    ("hibernating", "hibernating", "at_risk", "at_risk", "cannot_lose"),
    ("about_to_sleep", "about_to_sleep", "need_attention", "loyal", "loyal"),
    ("promising", "potential_loyalist", "potential_loyalist", "loyal", "loyal"),
    ("new_customer", "potential_loyalist", "potential_loyalist", "champion", "champion"),
)
RFM_SEGMENTS = (
    "champion",
    "loyal",
    "potential_loyalist",
    "new_customer",
    "promising",
    "need_attention",
    "about_to_sleep",
    "at_risk",
    "cannot_lose",
    "hibernating",
    "no_purchase",
)
_GRID_CODES = np.array([[RFM_SEGMENTS.index(name) for name in row] for row in _GRID])


def rfm(
    events: pd.DataFrame,
    as_of: pd.Timestamp | str,
    customers: ArrayLike | None = None,
) -> pd.DataFrame:
    """Score customers by recency, frequency and monetary value of their purchases.

    A score is 1 plus the full fifths of buyers who do strictly worse: 1 for the lowest
    fifth, 5 for the highest. Equal values share a score, so that the fifths are uneven
    where values repeat: everyone who bought just once has frequency score 1.

    Parameters
    ----------
    events : DataFrame
        Columns customer_id, time, kind, amount, as in ``world.events``; only rows of
        kind "purchase" before ``as_of`` count.
    as_of : Timestamp or str
        The day the scores are for: nothing later is looked at.
    customers : array-like, optional
        All customer ids; those without a purchase then appear with scores of 0.

    Returns
    -------
    DataFrame
        Indexed 0.. with columns customer_id, recency_days (float, days since the last
        purchase), frequency (purchases), monetary (summed amount), r, f, m (1..5; 0 where
        nothing was bought), segment (category, levels :data:`RFM_SEGMENTS`, named by
        r and f). Sorted by customer_id, or in the order of ``customers``.

    Raises
    ------
    InputError
        If a column is missing, of the wrong type, a customer id is repeated, or one asked
        for only resembles those of the events ("01" and 1).

    References
    ----------
    Hughes (1994), see the module.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.personalization import rfm
    >>> events = pd.DataFrame({
    ...     "customer_id": [1, 1, 2], "kind": "purchase", "amount": [10.0, 30.0, 5.0],
    ...     "time": pd.to_datetime(["2025-12-01", "2025-12-31", "2025-06-01"]),
    ... })
    >>> rfm(events, "2026-01-01", customers=[1, 2, 3])[
    ...     ["customer_id", "recency_days", "monetary", "r", "segment"]].values.tolist()
    [[1, 1.0, 40.0, 3, 'need_attention'], [2, 214.0, 5.0, 1, 'hibernating'], [3, nan, 0.0, 0, 'no_purchase']]
    """
    for name in ("customer_id", "time", "kind", "amount"):
        if name not in events.columns:
            raise InputError(
                f"events has no column {name!r}; needed: customer_id, time, kind, amount."
            )
    if not pd.api.types.is_numeric_dtype(events["amount"].dtype):
        raise InputError("events column 'amount' must hold numbers.")
    moment = read_moment(as_of, "as_of")

    bought = events.loc[(events["kind"] == "purchase").to_numpy()]
    bought = bought.assign(time=read_times(bought["time"], "events: time"))
    bought = bought.loc[bought["time"] < moment]
    if not pd.api.types.is_numeric_dtype(bought["customer_id"].dtype):
        keys = person_keys(bought["customer_id"], "events: customer_id", missing=True)
        bought = bought.assign(customer_id=keys)
    grouped = bought.groupby("customer_id", sort=True)
    table = grouped.agg(
        last=("time", "max"), frequency=("time", "size"), monetary=("amount", "sum")
    )
    table["recency_days"] = (moment - table.pop("last")) / pd.Timedelta(days=1)
    table["r"] = _fifths(-table["recency_days"])
    table["f"] = _fifths(table["frequency"])
    table["m"] = _fifths(table["monetary"])
    if customers is not None:
        ids = pd.Index(customers, name="customer_id")
        if ids.has_duplicates:
            raise InputError(f"customers repeats id {ids[ids.duplicated()][0]}; give each once.")
        # asked for as text or as number, it is the same person
        row = locate_people(table.index, ids, "events: customer_id")
        table = table[row >= 0].set_axis(ids[row[row >= 0]]).reindex(ids)
        for name in ("frequency", "monetary", "r", "f", "m"):
            table[name] = table[name].fillna(0)
    scores = table[["r", "f", "m"]].astype(np.int8)
    codes = np.where(
        scores["r"] > 0,
        _GRID_CODES[scores["r"].to_numpy() - 1, scores["f"].to_numpy() - 1],
        RFM_SEGMENTS.index("no_purchase"),
    )
    return pd.DataFrame(
        {
            "recency_days": table["recency_days"],
            "frequency": table["frequency"].astype(np.int64),
            "monetary": table["monetary"].round(6),
            "r": scores["r"],
            "f": scores["f"],
            "m": scores["m"],
            "segment": pd.Categorical.from_codes(codes, categories=list(RFM_SEGMENTS)),
        },
        index=table.index,
    ).reset_index()


def _fifths(values: pd.Series) -> NDArray[np.int8]:
    """Score 1 to 5, low to high, by the share of values strictly below."""
    below = values.rank(method="min").to_numpy().astype(np.int64) - 1
    return (below * 5 // max(len(values), 1) + 1).astype(np.int8)


class KMeansSegments(TransformerMixin, ClusterMixin, BaseEstimator):
    """K-means on standardised features, with segment numbers that stay put.

    scikit-learn's ``KMeans`` numbers its clusters by chance. Here segments are numbered by
    their centre: segment 0 has the highest mean of the first feature (ties by the next
    feature), so that the same data give the same numbers.

    Parameters
    ----------
    n_segments : int, default 5
        Number of segments.
    n_init : int, default 10
        Random starts; the best is kept.
    random_state : int, default 0
        Seed of the starts.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_segments, n_features)
        Mean of each segment, in the features' own units.
    labels_ : ndarray of int, shape (n_rows,)
        Segment of each row seen in ``fit``.
    inertia_ : float
        Sum of squared distances to the centres, in standardised units.
    n_features_in_ : int
        Features seen in ``fit``.

    References
    ----------
    Lloyd (1982), see the module.

    Examples
    --------
    >>> import numpy as np
    >>> from ethicalai_lab.personalization import KMeansSegments
    >>> X = np.array([[1.0, 500.0], [2.0, 510.0], [9.0, 20.0], [10.0, 25.0]])
    >>> segments = KMeansSegments(n_segments=2).fit(X)
    >>> segments.labels_.tolist(), segments.cluster_centers_[0].round(6).tolist()
    ([1, 1, 0, 0], [9.5, 22.5])
    """

    def __init__(self, n_segments: int = 5, *, n_init: int = 10, random_state: int = 0) -> None:
        self.n_segments = n_segments
        self.n_init = n_init
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> KMeansSegments:
        """Find the segments.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)
            Numbers without missing values.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        InputError
            If a column of a DataFrame is not numeric or has missing values, or there are
            fewer rows than segments.
        """
        _check_numeric(X)
        values = validate_data(self, X, dtype=np.float64)
        if not 1 <= self.n_segments <= values.shape[0]:
            raise InputError(
                f"n_segments is {self.n_segments}; with n_samples={values.shape[0]} rows, "
                f"1 to {values.shape[0]} are possible."
            )
        self.scaler_ = StandardScaler().fit(values)
        scaled = self.scaler_.transform(values)
        kmeans = KMeans(
            n_clusters=self.n_segments, n_init=self.n_init, random_state=self.random_state
        ).fit(scaled)
        # Rounding keeps the order from hanging on the last bit of a sum.
        keys = np.round(kmeans.cluster_centers_, 6)
        order = np.lexsort(-keys.T[::-1])
        rank = np.argsort(order)
        kmeans.cluster_centers_ = kmeans.cluster_centers_[order]
        kmeans.labels_ = rank[kmeans.labels_].astype(np.int32)
        self.kmeans_ = kmeans
        self.labels_ = kmeans.labels_
        self.inertia_ = float(kmeans.inertia_)
        self.cluster_centers_ = self.scaler_.inverse_transform(kmeans.cluster_centers_)
        return self

    def predict(self, X: Any) -> NDArray[np.int32]:
        """Return the segment of each row, 0 to ``n_segments - 1``."""
        scaled = self._scaled(X)
        return self.kmeans_.predict(scaled)

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Return distances to each segment's centre, in standardised units."""
        scaled = self._scaled(X)
        return self.kmeans_.transform(scaled)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of ``transform``'s columns: segment0, segment1, ..."""
        check_is_fitted(self)
        return np.array([f"segment{i}" for i in range(self.n_segments)], dtype=object)

    def _scaled(self, X: Any) -> NDArray[np.float64]:
        check_is_fitted(self)
        _check_numeric(X)
        values = validate_data(self, X, dtype=np.float64, reset=False)
        return self.scaler_.transform(values)


def _check_numeric(X: Any) -> None:
    if not isinstance(X, pd.DataFrame):
        return
    for name in X.columns:
        if not pd.api.types.is_numeric_dtype(X[name].dtype):
            raise InputError(
                f"column {name!r} has type {X[name].dtype}; k-means needs numbers "
                "(drop the column or encode it)."
            )
        missing = X[name].isna()
        if missing.any():
            raise InputError(
                f"column {name!r} has {int(missing.sum())} missing values; "
                "fill them or drop the rows first."
            )


def segment_profile(
    table: pd.DataFrame, segments: ArrayLike, columns: list[str] | None = None
) -> pd.DataFrame:
    """Describe segments: how many people, their means and most common levels.

    Parameters
    ----------
    table : DataFrame of n_rows rows
        What to describe the segments by.
    segments : array-like of shape (n_rows,)
        Segment of each row; names or numbers.
    columns : list of str, optional
        Columns of ``table`` to describe; all by default.

    Returns
    -------
    DataFrame
        Indexed by segment, with n, share (of all rows) and, for each column, its mean
        (numbers, yes/no) or its most common level (text, categories; the first in sort
        order among equals).

    Raises
    ------
    InputError
        If a column is not there, or lengths differ.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.personalization import segment_profile
    >>> table = pd.DataFrame({"spend": [1.0, 3.0, 8.0], "channel": ["web", "web", "store"]})
    >>> segment_profile(table, ["a", "a", "b"]).reset_index().values.tolist()
    [['a', 2, 0.6666666666666666, 2.0, 'web'], ['b', 1, 0.3333333333333333, 8.0, 'store']]
    """
    names = list(table.columns) if columns is None else list(columns)
    for name in names:
        if name not in table.columns:
            raise InputError(
                f"table has no column {name!r}; it has: {', '.join(map(str, table.columns))}."
            )
    labels = pd.Series(segments).reset_index(drop=True).rename("segment")
    if len(labels) != len(table):
        raise InputError(f"segments has {len(labels)} rows and table {len(table)}; must match.")
    chosen = table[names].reset_index(drop=True)
    groups = chosen.groupby(labels, observed=True, sort=True)
    size = groups.size()
    profile: dict[str, Any] = {"n": size, "share": size / len(table)}
    for name in names:
        if pd.api.types.is_numeric_dtype(chosen[name].dtype):
            profile[name] = groups[name].mean()
        else:
            profile[name] = groups[name].agg(_most_common)
    return pd.DataFrame(profile)


def _most_common(column: pd.Series) -> Any:
    counts = column.astype(str).where(column.notna()).value_counts(sort=False).sort_index()
    return counts.idxmax() if len(counts) else None
