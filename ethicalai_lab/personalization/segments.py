"""Who is who: RFM scores from the shopping record.

References
----------
Hughes, A. M. (1994). Strategic Database Marketing. Probus.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ethicalai_lab.core.checks import need_columns
from ethicalai_lab.core.identity import person_keys
from ethicalai_lab.core.times import read_moment, read_times
from ethicalai_lab.errors import InputError

__all__ = ["RFM_SEGMENTS", "rfm"]

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
)
_GRID_CODES = np.array([[RFM_SEGMENTS.index(name) for name in row] for row in _GRID])


def rfm(events: pd.DataFrame, as_of: pd.Timestamp | str) -> pd.DataFrame:
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

    Returns
    -------
    DataFrame
        Indexed 0.. with columns customer_id, recency_days (float, days since the last
        purchase), frequency (purchases), monetary (summed amount), r, f, m (1..5), segment
        (category, levels :data:`RFM_SEGMENTS`, named by r and f). One row a buyer, sorted by
        customer_id.

    Raises
    ------
    InputError
        If a column is missing or of the wrong type.

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
    >>> rfm(events, "2026-01-01")[
    ...     ["customer_id", "recency_days", "monetary", "r", "segment"]].values.tolist()
    [[1, 1.0, 40.0, 3, 'need_attention'], [2, 214.0, 5.0, 1, 'hibernating']]
    """
    need_columns(events, ("customer_id", "time", "kind", "amount"), "events")
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
    codes = _GRID_CODES[table["r"] - 1, table["f"] - 1]
    table["monetary"] = table["monetary"].round(6)
    table["segment"] = pd.Categorical.from_codes(codes, categories=list(RFM_SEGMENTS))
    columns = ["recency_days", "frequency", "monetary", "r", "f", "m", "segment"]
    return table[columns].reset_index()


def _fifths(values: pd.Series) -> NDArray[np.int8]:
    """Score 1 to 5, low to high, by the share of values strictly below."""
    below = values.rank(method="min").to_numpy().astype(np.int64) - 1
    return (below * 5 // max(len(values), 1) + 1).astype(np.int8)
