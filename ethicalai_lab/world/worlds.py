"""A world: its tables, its truth, and how both are stored and shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ethicalai_lab.world.config import WorldConfig
from ethicalai_lab.world.errors import WorldError
from ethicalai_lab.world.schema import SCHEMA, TRUTH_SCHEMA, data_dictionary

__all__ = ["Truth", "World"]

FORMAT = 1
AS_OF = pd.Timestamp("2026-01-12")


class Truth:
    """What practitioners never have: the tables behind the world.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        The tables, each reachable as an attribute.

    Examples
    --------
    >>> from ethicalai_lab.world import make_world
    >>> truth = make_world(200, seed=1).truth
    >>> truth.uplift["visit_sports_mail"].mean().round(4).item()
    0.0766
    """

    def __init__(self, tables: Mapping[str, pd.DataFrame]) -> None:
        self._tables = dict(tables)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by name."""
        return dict(self._tables)

    def __getattr__(self, name: str) -> pd.DataFrame:
        return _get(self, name, TRUTH_SCHEMA, "truth")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._tables})

    def __repr__(self) -> str:
        return f"Truth({', '.join(self._tables)})"


def _get(holder: Any, name: str, schema: Mapping[str, Any], what: str) -> pd.DataFrame:
    tables = holder.__dict__.get("_tables", {})
    if name in tables:
        return tables[name]
    if name in schema:
        have = ", ".join(tables) or "none"
        raise WorldError(f"This {what} has no table {name}; it has: {have}.")
    raise AttributeError(f"{type(holder).__name__!r} object has no attribute {name!r}")


class World:
    """Tables of a retailer, with the truth where it is known.

    Made by `make_world`, `World.from_parquet` or `World.from_tables`. Each table is an
    attribute: ``customers``, ``products``, ``events``, ``messages``, ``campaign``,
    ``legacy_log``, ``consent_events``, ``register``, ``preferences``.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        The tables by name.
    truth : Truth
        The truth; empty for a team's own tables.
    seed : int, optional
        Seed it was drawn with.
    config : WorldConfig, optional
        Knobs it was drawn with.

    Examples
    --------
    >>> from ethicalai_lab.world import make_world
    >>> make_world(100).as_of
    Timestamp('2026-01-12 00:00:00')
    """

    def __init__(
        self,
        tables: Mapping[str, pd.DataFrame],
        truth: Truth | None = None,
        *,
        seed: int | None = None,
        config: WorldConfig | None = None,
    ) -> None:
        self._tables = dict(tables)
        self.truth = Truth({}) if truth is None else truth
        self.seed = seed
        self.config = config
        self.as_of = AS_OF

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by name, without the truth."""
        return dict(self._tables)

    @property
    def n_customers(self) -> int:
        """Number of customers."""
        return len(self.customers)

    @property
    def roles(self) -> dict[str, dict[str, str]]:
        """Role of each column, by table."""
        return {
            name: {column.name: column.role for column in SCHEMA[name]} for name in self._tables
        }

    def __getattr__(self, name: str) -> pd.DataFrame:
        return _get(self, name, SCHEMA, "world")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._tables})

    def data_dictionary(self, truth: bool = False) -> pd.DataFrame:
        """Return one row a column: table, type, role, meaning and allowed values.

        Parameters
        ----------
        truth : bool, default False
            Whether to list the truth's tables too.

        Returns
        -------
        pandas.DataFrame
            As `ethicalai_lab.world.data_dictionary`, for the tables this world has.
        """
        have = {*self._tables, *(f"truth.{name}" for name in self.truth.tables)}
        rows = data_dictionary(truth)
        return rows[rows["table"].isin(have)].reset_index(drop=True)
