"""What each direct cause truly adds: the world's mechanism asked by intervention.

A mechanism is run again with one cause held at one value for everybody and everything
else as it was, its random draws included. What changes is due to that cause alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ethicalai_lab.world.causal import KNOBS, load_mechanisms, run, stream
from ethicalai_lab.world.errors import WorldError

if TYPE_CHECKING:
    import pandas as pd

    from ethicalai_lab.world.worlds import World

__all__ = ["direct_effects"]


def direct_effects(world: World, node: str = "base_visit") -> pd.DataFrame:
    """Return what each direct cause of a probability adds to each person's log-odds.

    Parameters
    ----------
    world : World
        A world made by `make_world`, so that its mechanisms can be run again.
    node : str, default "base_visit"
        Mechanism whose value is one probability a person, strictly between 0 and 1, and
        whose causes add up in log-odds. ``"base_visit"`` is the chance of a visit without
        any mail.

    Returns
    -------
    DataFrame of shape (people, causes), indexed by customer_id
        Log-odds beside the mean person. A cause that is a summary of several numbers has
        a column for each number that matters. Features without a column cause nothing
        directly; what remains is the mechanism's own chance.

    Raises
    ------
    WorldError
        If the world was not made here, or the node is unknown, no such probability, or
        its causes do not add up.

    Notes
    -----
    A mechanism may fix the mean of its result, as the campaign's are calibrated. That
    shifts everybody alike when a cause is held, and is taken out by centring.

    References
    ----------
    Pearl, J. (2009). Causality, 2nd edition, section 4.5.3 (direct effects).

    Examples
    --------
    >>> from ethicalai_lab.world import make_world
    >>> added = direct_effects(make_world(500))
    >>> "recency" in added, "loyalty_tier" in added
    (True, False)
    """
    import pandas as pd

    if world.seed is None or world.config is None:
        raise WorldError("This world was not made by make_world, so its mechanism is not known.")
    known = load_mechanisms()
    if node not in known:
        raise WorldError(f"The world has no mechanism {node!r}; see the nodes of causal_graph().")
    mechanism, n = known[node], world.n_customers
    before: set[str] = set()
    front = [node]
    while front:
        name = front.pop()
        if name in known and name not in before:
            before.add(name)
            front += known[name].parents
    values = run(n, world.seed, world.config, before)
    given = {p: getattr(world.config, p) if p in KNOBS else values[p] for p in mechanism.parents}

    def log_odds(changed: dict[str, Any]) -> np.ndarray:
        p = np.asarray(mechanism.function(stream(world.seed, node), n, **{**given, **changed}))
        if p.shape != (n,) or p.dtype.kind != "f" or not ((p > 0) & (p < 1)).all():
            raise WorldError(f"{node} is not one probability a person, so it has no log-odds.")
        return np.log(p / (1 - p))

    now = log_odds({})
    added, everything = {}, {}
    for parent in mechanism.parents:
        if parent in KNOBS:
            continue
        for name, held in _held(parent, given[parent]):
            moved = now - log_odds({parent: held})
            if np.ptp(moved) > 1e-9:
                added[name] = moved - moved.mean()
        everything[parent] = _all_held(given[parent])
    together = now - log_odds(everything)
    gap = np.abs(sum(added.values(), np.zeros(n)) - (together - together.mean())).max()
    if gap > 1e-6:
        raise WorldError(
            f"The causes of {node} do not add up in log-odds (they miss by {gap:.2g}), so none "
            "has an effect of its own."
        )
    index = pd.Index(world.customers["customer_id"], name="customer_id")
    return pd.DataFrame(added, index=index)


def _middle(values: np.ndarray) -> np.ndarray:
    """Return the values with the middle one, which occurs, in place of each."""
    axis = values.ndim - 1
    middle = np.quantile(values, 0.5, axis=axis, method="nearest", keepdims=True)
    return np.broadcast_to(middle.astype(values.dtype), values.shape).copy()


def _held(parent: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name of each number of a cause, and the cause with that number held."""
    if isinstance(value, dict):
        for key in value:
            yield key, {**value, key: _middle(value[key])}
    else:
        yield parent, _middle(value)


def _all_held(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _middle(one) for key, one in value.items()}
    return _middle(value)
