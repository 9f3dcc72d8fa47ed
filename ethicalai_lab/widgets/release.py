"""What if the file were made coarser, or a column were left out?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ethicalai_lab.widgets.base import WhatIf, what_if

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["release"]


def release(
    file: pd.DataFrame,
    quasi_identifiers: Sequence,
    sensitive: str,
    *,
    hierarchies: Mapping[Any, Any] | None = None,
    ks: Sequence[int] = (2, 5, 20, 100),
    n_people: int = 3_000,
    seed: int = 0,
) -> WhatIf:
    """Show the three tests of WP216 on a release, as its settings change.

    Parameters
    ----------
    file : DataFrame
        One row a person, names removed.
    quasi_identifiers : sequence of column names
        What an attacker may know. The last one can be protected, left as it is or dropped.
    sensitive : str
        The secret.
    hierarchies : mapping of column name to Hierarchy, optional
        How values are generalised.
    ks : sequence of int
        Choices for k.
    n_people : int, default 3000
        People drawn from the file, so that an answer comes at once.
    seed : int

    Returns
    -------
    WhatIf
        Controls: k, l, what happens to the last column.

    Examples
    --------
    >>> import pandas as pd
    >>> file = pd.DataFrame({"age": range(20, 60), "paid": range(40), "ill": ["a", "b"] * 20})
    >>> shown = release(file, ["age", "paid"], "ill", ks=(2, 5))
    >>> shown.set(k=5).values["k"]
    5
    """
    from functools import lru_cache

    import pandas as pd

    from ethicalai_lab import plotting
    from ethicalai_lab.privacy import KAnonymizer, attacks

    names, last = list(quasi_identifiers), list(quasi_identifiers)[-1]
    people = file[[*names, sensitive]]
    if len(people) > n_people:
        people = people.sample(n_people, random_state=seed)

    @lru_cache(maxsize=64)
    def measured(k: int, l: int, column: str) -> tuple[pd.DataFrame, float, float]:  # noqa: E741
        table = people.drop(columns=last) if column == "dropped" else people
        known = [name for name in names if name in table]
        hidden = [name for name in known if name != last or column == "protected"]
        tool = KAnonymizer(
            k,
            l=l,
            quasi_identifiers=hidden,
            sensitive=sensitive,
            hierarchies={c: h for c, h in (hierarchies or {}).items() if c in hidden},
        )
        out = tool.fit_transform(table).set_axis(table.index)  # to judge it
        tests = {
            "singling out": attacks.singling_out(out, known, n_attacks=1000, seed=seed),
            "linkability": attacks.linkability(out, table, known, n_attacks=400, seed=seed),
            "inference": attacks.inference(out, table, known, sensitive, n_attacks=400, seed=seed),
        }
        rows = {n: [r.risk.value, r.risk.low, r.risk.high] for n, r in tests.items()}
        found = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])
        # of all columns: one that is left as it is loses nothing, a dropped one everything
        lost = (tool.loss_.ncp * len(hidden) + (column == "dropped")) / len(names)
        return found, lost, attacks.homogeneity(out, known, sensitive)

    def shown(k: int, l: int, column: str) -> plotting.Figure:  # noqa: E741
        found, lost, alike = measured(int(k), int(l), column)
        title = (
            f"k = {k}, l = {l}, {last} {column}: {lost:.1%} of the detail lost\n"
            f"{alike:.1%} of people stand in groups that share one secret"
        )
        figure = plotting.intervals(
            found, title=title, unit="share", xlabel="risk that the release adds"
        )
        figure.axes[0].set_xlim(-0.04, 1.04)  # the same scale at each setting
        return figure

    return what_if(
        shown,
        title="What does this release add to an attacker's knowledge?",
        labels={"k": "Smallest group (k)", "l": "Secrets a group (l)", "column": f"Column {last}"},
        k=list(ks),
        l=[1, 2, 3],
        column=["protected", "as it is", "dropped"],
    )
