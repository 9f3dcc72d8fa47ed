"""Why this offer: one customer, one method, and the smallest change that would bring it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ethicalai_lab.widgets.base import WhatIf, what_if

if TYPE_CHECKING:
    import pandas as pd

    from ethicalai_lab.explainability import CounterfactualSearch

__all__ = ["METHODS", "why_this_offer"]

METHODS = ("tree shares", "linear stand-in", "one at a time")


def why_this_offer(
    model: Any,
    people: pd.DataFrame,
    background: pd.DataFrame,
    search: CounterfactualSearch,
    names: Mapping[Any, str],
    *,
    more: Mapping[str, tuple[int, int]],
    offer: str = "voucher",
) -> WhatIf:
    """Show how a score comes about by three methods, and the smallest change for the offer.

    Parameters
    ----------
    model : fitted tree ensemble of scikit-learn
        A classifier whose log-odds are explained.
    people : DataFrame of shape (people, columns)
        The customers to choose from; whole numbers.
    background : DataFrame of shape (rows, columns)
        With whom they are compared.
    search : CounterfactualSearch
        Looks for changes; its threshold is where the offer starts.
    names : mapping of label to str
        What each customer of ``people`` is called.
    more : mapping of str to (int, int)
        Columns with a slider: the largest amount that can be added, and its step.
    offer : str, default "voucher"
        What the decision is about.

    Returns
    -------
    WhatIf
        Controls: the customer, the method, and how much is added to each column of ``more``.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.ensemble import HistGradientBoostingClassifier
    >>> from ethicalai_lab.explainability import Actionability, CounterfactualSearch
    >>> X = pd.DataFrame({"visits": np.arange(300) % 10, "age": 20 + np.arange(300) % 7})
    >>> trees = HistGradientBoostingClassifier(max_iter=5).fit(X, X["visits"] > 5)
    >>> search = CounterfactualSearch(trees, X, {"visits": Actionability()}, threshold=0.5)
    >>> shown = why_this_offer(trees, X[:3], X[:50], search, {1: "Ada"}, more={"visits": (9, 1)})
    >>> shown.set(visits=9).figure.alt.startswith("Ada has the voucher")
    True
    """
    from functools import lru_cache

    import numpy as np
    from sklearn.linear_model import LinearRegression

    from ethicalai_lab import plotting
    from ethicalai_lab.explainability import linear_attributions, shapley_attributions

    stand_in = LinearRegression().fit(background, model.decision_function(background))
    middle = background.median().round().astype(int)
    start = float(model.decision_function(middle.to_frame().T)[0])
    labels = {text: label for label, text in names.items()}

    def chance(odds: float) -> float:
        return float(1 / (1 + np.exp(-odds)))

    def parts(row: pd.DataFrame, method: str) -> tuple[dict[str, float], float]:
        """Return the shares of the columns, and where the account begins."""
        if method == METHODS[0]:
            found = shapley_attributions(model, row, background, unit="log_odds", method="tree")
            return found.values.iloc[0].to_dict(), found.base
        if method == METHODS[1]:
            found = linear_attributions(stand_in, row, background)
            return found.values.iloc[0].to_dict(), found.base
        # one call for the person as they are and with each column at the middle
        rows = row.loc[row.index.repeat(1 + row.shape[1])].reset_index(drop=True)
        for place, name in enumerate(row.columns, start=1):
            rows.loc[place, name] = middle[name]
        odds = model.decision_function(rows)
        return dict(zip(row.columns, odds[0] - odds[1:], strict=True)), start

    @lru_cache(maxsize=512)
    def answer(label: Any, method: str, added: tuple[int, ...]) -> tuple:
        row = people.loc[[label]].copy()
        for name, amount in zip(more, added, strict=True):
            row[name] = row[name] + amount
        shares, base = parts(row, method)
        score = float(model.predict_proba(row)[0, 1])
        change = None
        if score < search.threshold:
            found = search.counterfactuals(row, n=1)
            change = found.table if found.found else found.reason
        return shares, base, score, change

    def why(customer: str, method: str, **added: int) -> plotting.Figure:
        shares, base, score, change = answer(
            labels[customer], method, tuple(added[name] for name in more)
        )
        has = score >= search.threshold
        said = (
            f"{customer} {'has the' if has else 'gets no'} {offer}: chance {score:.1%}, "
            f"it starts at {search.threshold:.1%}"
        )
        total = chance(base + sum(shares.values()))
        fits = f"{total:.1%}" == f"{score:.1%}"
        account = f"By {method} the parts give {total:.1%}, " + (
            "as the model does" if fits else f"the model says {score:.1%}"
        )
        if change is None:
            smallest = "Nothing has to change"
        elif isinstance(change, str):
            smallest = change
        else:
            ends = zip(change["column"], change["from"], change["to"], strict=True)
            steps = [f"{column} from {now} to {then}" for column, now, then in ends]
            smallest = f"Smallest change that brings it: {' and '.join(steps)}"
        lines = [said, account, *textwrap.wrap(smallest, 66)]
        figure = plotting.contributions(
            shares,
            base,
            title="\n".join(lines),
            unit="number",
            most=9,
            xlabel="log-odds of a visit",
        )
        told = figure.alt.rsplit(": from ", 1)[1]
        return plotting.Figure(
            figure.picture, f"{said}. {account}. {smallest}. Log-odds from {told}"
        )

    return what_if(
        why,
        title=f"Why this {offer}, and what would bring it?",
        labels={
            "customer": "Customer",
            "method": "Method",
            **{name: f"Added to {name.replace('_', ' ')}" for name in more},
        },
        customer=list(labels),
        method=list(METHODS),
        **{name: (0, most, step, 0) for name, (most, step) in more.items()},
    )
