"""A shop's bargains, as lesson 10 tells of them: what people did, and who bought one later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Bargains", "bargains"]

LAST_QUARTER = "2025-10-01"


@dataclass(frozen=True)
class Bargains:
    """What the shop knows.

    Attributes
    ----------
    offers : DataFrame
        Index product_id; the cheapest third of each category: name, category, price, sold
        (pieces, in 2025).
    own : DataFrame
        Index customer_id, a row for every customer; how many bargains and dearer things each
        bought and looked at before the last quarter.
    bought : Series of bool
        Index customer_id, for those who bought in the last quarter: whether a bargain.
    looked : DataFrame
        Index customer_id; time, product_id and name of the last bargain that a person looked
        at before the last quarter.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> bargains(make_world(500)).own.columns.tolist()
    ['bargains_bought', 'bargains_looked_at', 'dearer_things_bought', 'dearer_things_looked_at']
    """

    offers: pd.DataFrame
    own: pd.DataFrame
    bought: pd.Series
    looked: pd.DataFrame


def bargains(world: Any) -> Bargains:
    """Return what the shop knows of its bargains.

    Parameters
    ----------
    world : World
        Its products, events and customers are read.

    Returns
    -------
    Bargains
    """
    import pandas as pd

    goods = world.products.copy()
    goods["bargain"] = goods.groupby("category", observed=True)["price"].rank(pct=True) <= 1 / 3
    log = world.events.merge(goods[["product_id", "name", "bargain"]], on="product_id")
    everyone = pd.Index(world.customers["customer_id"])
    early, late = log[log["time"] < LAST_QUARTER], log[log["time"] >= LAST_QUARTER]

    def count(kind: str, bargain: bool) -> pd.Series:
        rows = early[(early["kind"] == kind) & (early["bargain"] == bargain)]
        return rows["customer_id"].value_counts().reindex(everyone, fill_value=0)

    own = pd.DataFrame(
        {
            "bargains_bought": count("purchase", True),
            "bargains_looked_at": count("view", True),
            "dearer_things_bought": count("purchase", False),
            "dearer_things_looked_at": count("view", False),
        }
    )
    offers = goods.loc[goods["bargain"], ["product_id", "name", "category", "price"]]
    offers = offers.set_index("product_id")
    sold = log.loc[log["kind"] == "purchase", "product_id"].value_counts()
    offers["sold"] = sold.reindex(offers.index, fill_value=0)
    bought = late[late["kind"] == "purchase"].groupby("customer_id")["bargain"].max()
    looked = early[(early["kind"] == "view") & early["bargain"]].groupby("customer_id").last()
    return Bargains(offers, own, bought, looked[["time", "product_id", "name"]])
