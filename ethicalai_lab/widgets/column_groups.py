"""What if the shop kept fewer columns?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ethicalai_lab.widgets.base import WhatIf, what_if

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["column_groups"]


def column_groups(table: pd.DataFrame, purpose: Any, groups: Mapping[str, Sequence[str]]) -> WhatIf:
    """Show what the columns that are kept are worth for a purpose.

    Parameters
    ----------
    table : DataFrame
        One row a person.
    purpose : Prediction or Targeting
        Of :mod:`ethicalai_lab.privacy.minimization`.
    groups : mapping of str to sequence of str
        Columns by the name of their group; at most six groups.

    Returns
    -------
    WhatIf
        Controls: a checkbox a group.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from ethicalai_lab.privacy import Prediction
    >>> rng = np.random.default_rng(0)
    >>> x = rng.integers(0, 2, 400)
    >>> table = pd.DataFrame({"x": x, "noise": rng.integers(0, 2, 400),
    ...                       "y": (rng.random(400) < 0.2 + 0.6 * x).astype(int)})
    >>> shown = column_groups(table, Prediction("y"), {"useful": ["x"], "idle": ["noise"]})
    >>> shown.set(group_1=False).figure.alt.startswith("You keep 1 of 2 columns")
    True
    """
    from ethicalai_lab import plotting
    from ethicalai_lab.privacy import compare_sets

    names = list(groups)
    sets = {
        kept: [column for name in kept for column in groups[name]]
        for size in range(len(names) + 1)
        for kept in combinations(names, size)
    }
    worth = compare_sets(table, purpose, {"+".join(kept): cols for kept, cols in sets.items()})
    every = "+".join(names)

    def keep(**switches: bool) -> plotting.Figure:
        kept = "+".join(n for i, n in enumerate(names) if switches[f"group_{i}"])
        shown = worth.loc[[every, kept]]
        count, total = int(shown["columns"].iloc[1]), int(shown["columns"].iloc[0])
        shown = shown.set_axis([f"all {total} columns", f"your {count} columns"])
        share = worth.loc[kept, "value"] / worth.loc[every, "value"]
        return plotting.intervals(
            shown[["value", "low", "high"]],
            title=f"You keep {count} of {total} columns: {share:.0%} of what all of them hold",
            unit="share",
            xlabel="variance of the outcome explained on unseen people",
        )

    return what_if(
        keep,
        title="Remove columns until you feel it",
        labels={f"group_{i}": name for i, name in enumerate(names)},
        **{f"group_{i}": True for i in range(len(names))},
    )
