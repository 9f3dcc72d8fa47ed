"""What if the partners' keys differed, or the key changed more often?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethicalai_lab.widgets.base import WhatIf, what_if

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["key_policy"]

_DAYS = [90, 0, 180, 30, 7]  # 0: for ever; the first is shown without a kernel


def key_policy(
    left: pd.DataFrame,
    right: pd.DataFrame,
    purchases: pd.DataFrame,
    *,
    key: bytes,
    left_over: tuple[str, ...] = ("birth_date", "postcode", "gender"),
    start: str = "2025-01-01",
    stolen: str = "2025-02-01",
) -> WhatIf:
    """Show what partners and thieves can join, and what the firm's analysts still can.

    Parameters
    ----------
    left, right : DataFrame
        The partners' lists, indexed by the person's true number, with ``email`` and the
        columns named in `left_over`.
    purchases : DataFrame
        Columns ``customer_id`` and ``time``.
    key : bytes
        Master key of the tokens.
    left_over : tuple of str
        Columns that may stay in both lists beside the token.
    start, stolen : str
        First day of the first key, and the day on which a thief takes the tokens.

    Returns
    -------
    WhatIf
        Controls: days that a key lasts, whether each partner has its own, columns left in.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> world = make_world(600, seed=1)
    >>> people = world.customers.set_index("customer_id")
    >>> bought = world.events[world.events["kind"] == "purchase"]
    >>> shown = key_policy(people.head(300), people.tail(400), bought, key=b"0" * 32)
    >>> "partners join their common customers: 0.0 %" in shown.set(separate=True).figure.alt
    True
    """
    import pandas as pd

    from ethicalai_lab import plotting
    from ethicalai_lab.privacy.pseudonymization import (
        Pseudonymizer,
        link_partners,
        rotation_bill,
    )

    # all of it at once, so that no control waits: tokens for every customer take time
    def by_token(*purposes: str) -> Any:
        sides = [
            Pseudonymizer(key, purpose).tokens(table["email"])
            for purpose, table in zip(purposes, (left, right), strict=True)
        ]
        return link_partners(*sides).recall

    beside = [table[list(left_over)].astype(str).agg("|".join, axis=1) for table in (left, right)]
    by_columns = link_partners(*beside).recall
    linked = {
        (separate, False): by_token(*(("left", "right") if separate else ("both", "both")))
        for separate in (False, True)
    }
    for separate in (False, True):
        linked[separate, True] = max(
            linked[separate, False], by_columns, key=lambda found: found.value
        )
    bills = {
        days: rotation_bill(
            purchases["customer_id"],
            purchases["time"],
            days=days or None,
            start=start,
            stolen=stolen,
        )
        for days in _DAYS
    }

    def joins(days: int, separate: bool, columns: bool) -> plotting.Figure:
        rotation = bills[days]
        found = {
            "partners join their common customers": linked[separate, columns],
            "a thief follows purchases after the theft": rotation.exposed,
            "an analyst joins a purchase to the one before": rotation.joins_kept,
        }
        table = pd.DataFrame(
            {name: {"value": i.value, "low": i.low, "high": i.high} for name, i in found.items()}
        ).T
        return plotting.intervals(
            table,
            title="Who can still join what",
            unit="share",
            xlabel="share of the common customers, or of the purchases",
        )

    return what_if(
        joins,
        title="What would other keys keep apart, and what would they cost?",
        labels={
            "days": "Days that a key lasts (0: for ever)",
            "separate": "A key for each partner",
            "columns": "Birth date, postcode and gender stay in",
        },
        days=_DAYS,
        separate=False,
        columns=False,
    )
