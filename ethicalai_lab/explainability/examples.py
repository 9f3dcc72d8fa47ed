"""Tables of the world whose models are worth explaining: a voucher, and a customer file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from ethicalai_lab.world import World

__all__ = ["customer_file", "voucher_table"]


def voucher_table(world: World) -> pd.DataFrame:
    """Return what a shop may score for a visit: causes, proxies and columns that do nothing.

    Parameters
    ----------
    world : World
        Any world with customers, campaign and events.

    Returns
    -------
    DataFrame of shape (customers, 9), indexed by customer_id
        Whole numbers: ``recency`` (months), ``spend`` (last 12 months), ``tenure_days``,
        ``age``, ``income`` (a year), ``buys_online`` (0 or 1), ``tier`` (0 none to 3 gold),
        ``views`` and ``opens`` (products looked at and mails opened in the last 90 days).

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> voucher_table(make_world(200)).dtypes.unique()
    array([dtype('int64')], dtype=object)
    """
    import pandas as pd

    campaign = world.campaign.set_index("customer_id")
    customers = world.customers.set_index("customer_id")
    recent = world.events[world.events["time"] >= world.as_of - pd.Timedelta(days=90)]
    counts = pd.crosstab(recent["customer_id"], recent["kind"].astype(str))
    counts = counts.reindex(index=campaign.index, columns=["view", "email_open"]).fillna(0)
    return pd.DataFrame(
        {
            "recency": campaign["recency"],
            "spend": campaign["history"].round(),
            "tenure_days": customers["tenure_days"],
            "age": customers["age"],
            "income": customers["household_income"],
            "buys_online": campaign["channel"] != "store",
            "tier": customers["loyalty_tier"].cat.codes,
            "views": counts["view"],
            "opens": counts["email_open"],
        }
    ).astype("int64")


def customer_file(world: World) -> pd.DataFrame:
    """Return a file that says several things twice, so that mixed rows show.

    Parameters
    ----------
    world : World
        Any world with customers, campaign and events.

    Returns
    -------
    DataFrame of shape (customers, 7), indexed by customer_id
        ``woman`` and ``salutation``, ``age`` and ``birth_year``, and ``spend``, ``orders`` and
        ``basket`` (spend an order), each with mean 0 and standard deviation 1.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> list(customer_file(make_world(200)))[:3]
    ['woman', 'salutation', 'age']
    """
    import pandas as pd

    campaign = world.campaign.set_index("customer_id")
    customers = world.customers.set_index("customer_id")
    bought = world.events[world.events["kind"] == "purchase"]
    orders = bought.groupby("customer_id").size().reindex(customers.index).fillna(1)
    file = pd.DataFrame(
        {
            "woman": customers["gender"] == "female",
            "salutation": customers["gender"].cat.codes,
            "age": customers["age"],
            "birth_year": customers["birth_date"].dt.year,
            "spend": campaign["history"],
            "orders": orders,
            "basket": campaign["history"] / orders,
        }
    ).astype(float)
    return (file - file.mean()) / file.std()
