"""A world: its tables, its truth, and how both are stored and shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ethicalai_lab.core.checks import checked
from ethicalai_lab.core.report import render
from ethicalai_lab.world import store
from ethicalai_lab.world.config import WorldConfig
from ethicalai_lab.world.errors import WorldError
from ethicalai_lab.world.schema import ACTIONS, SCHEMA, TRUTH_SCHEMA, data_dictionary

__all__ = ["Truth", "World"]

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

    __slots__ = ("__weakref__", "_tables")

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

    @checked(WorldError)
    def journey(
        self, outcome: Literal["visit", "conversion", "spend", "unsubscribed"]
    ) -> np.ndarray:
        """Return the expected weekly outcome of each action after 0, 1 or 2 recent contacts.

        Parameters
        ----------
        outcome : {"visit", "conversion", "spend", "unsubscribed"}
            Which outcome; spend is in euros, the others are probabilities.

        Returns
        -------
        ndarray of float, shape (n_customers, 5, 3)
            By customer, action (in the order of `ethicalai_lab.world.ACTIONS`) and
            number of recent contacts: the value of any contact policy can be looked up.

        Raises
        ------
        WorldError
            If the outcome is unknown or the world has no such truth.

        Examples
        --------
        >>> from ethicalai_lab.world import make_world
        >>> make_world(50).truth.journey("visit").shape
        (50, 5, 3)
        """
        columns = [f"{outcome}_{action}_{k}" for action in ACTIONS for k in range(3)]
        values = self.journeys[columns].to_numpy(dtype=float)
        return values.reshape(len(values), len(ACTIONS), 3)


def _get(holder: Any, name: str, schema: Mapping[str, Any], what: str) -> pd.DataFrame:
    # a copy in the making has no tables yet
    tables = {} if name.startswith("_") else holder._tables
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

    __slots__ = ("__weakref__", "_tables", "as_of", "config", "seed", "truth")

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

    @classmethod
    def from_tables(
        cls,
        tables: Mapping[str, pd.DataFrame] | None = None,
        *,
        truth: Mapping[str, pd.DataFrame] | None = None,
        **more: pd.DataFrame,
    ) -> World:
        """Make a world of tables that came from elsewhere, a team's own for instance.

        Parameters
        ----------
        tables : mapping of str to pandas.DataFrame, optional
            The tables by name; any subset of the world's.
        truth : mapping of str to pandas.DataFrame, optional
            Tables of the truth, for a simulation of one's own; real data has none.
        **more : pandas.DataFrame
            Tables by name, as keywords.

        Returns
        -------
        World
            With the tables in the schema's types; further columns are kept.

        Raises
        ------
        WorldError
            If a table or column is unknown, missing or holds what it must not: the
            message names table, column and row, and what is accepted.

        Examples
        --------
        >>> from ethicalai_lab.world import World, make_world
        >>> own = World.from_tables(customers=make_world(20).customers)
        >>> own
        World(20 customers; tables customers; no truth)
        """
        both = set(tables or {}) & set(more)
        if both:
            raise WorldError(f"Table {min(both)} is given twice; give each table once.")
        given = {**(tables or {}), **more}
        if not given:
            raise WorldError(f"A world needs at least one table of: {', '.join(SCHEMA)}.")
        return cls(
            store.conform_all(given, SCHEMA, "world"),
            Truth(store.conform_all(truth or {}, TRUTH_SCHEMA, "truth")),
        )

    def part(self, customers: ArrayLike) -> World:
        """Return the world of some of its customers, as if the others had never been.

        Parameters
        ----------
        customers : array-like of int
            Their customer_id.

        Returns
        -------
        World
            Each table without the rows of the others; the public register stays whole, and
            its entries of the others belong to nobody.

        Raises
        ------
        WorldError
            If there is no such customer.

        Examples
        --------
        >>> from ethicalai_lab.world import make_world
        >>> make_world(50).part([3, 7]).customers["customer_id"].tolist()
        [3, 7]
        """
        known = self.customers["customer_id"].to_numpy()
        wanted = np.unique(np.asarray(customers))
        strangers = wanted[~np.isin(wanted, known)]
        if strangers.size:
            raise WorldError(f"There is no customer {strangers[0]}; this world has {known.size}.")

        def those(table: pd.DataFrame) -> pd.DataFrame:
            if "customer_id" not in table:
                return table
            return table[np.isin(table["customer_id"].to_numpy(), wanted)].reset_index(drop=True)

        truth = {name: those(table) for name, table in self.truth.tables.items()}
        if "identity" in truth:
            whole = self.truth.identity
            truth["identity"] = whole.assign(
                customer_id=whole["customer_id"].where(whole["customer_id"].isin(wanted), -1)
            )
        tables = {name: those(table) for name, table in self._tables.items()}
        some = World(tables, Truth(truth), seed=self.seed, config=self.config)
        some.as_of = self.as_of
        return some

    def to_parquet(self, folder: str | os.PathLike[str]) -> Path:
        """Write the world into a folder, one Parquet file a table: all or nothing.

        Parameters
        ----------
        folder : path
            New, empty, or holding a stored world, which is then replaced.

        Returns
        -------
        pathlib.Path
            The folder.

        Raises
        ------
        WorldError
            If the folder holds something else or cannot be written; what it held stays.

        Examples
        --------
        >>> import tempfile
        >>> from ethicalai_lab.world import World, make_world
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = make_world(30, seed=2).to_parquet(folder + "/small")
        ...     World.from_parquet(path).seed
        2
        """
        return store.write(folder, self._tables, self.truth.tables, self.seed, self.config)

    @classmethod
    def from_parquet(cls, folder: str | os.PathLike[str]) -> World:
        """Read a world that `to_parquet` wrote.

        Parameters
        ----------
        folder : path
            The folder.

        Returns
        -------
        World
            Equal to the one written, column by column.

        Raises
        ------
        WorldError
            If the folder holds no world, or a file is missing, damaged or does not fit
            the schema.

        Examples
        --------
        >>> from ethicalai_lab.world import World, WorldError
        >>> try:
        ...     World.from_parquet("no/such/folder")
        ... except WorldError as error:
        ...     print(str(error).split(":")[0])
        no/such/folder holds no stored world
        """
        found = store.read(folder)
        return cls(
            found["tables"], Truth(found["truth"]), seed=found["seed"], config=found["config"]
        )

    def checksums(self) -> dict[str, str]:
        """Return the SHA-256 of what each table holds, the truth's tables included.

        Returns
        -------
        dict of str to str
            By table; the truth's are named ``truth.uplift`` and so on. Equal for the
            same seed, knobs and number of customers, whatever libraries wrote them.

        Examples
        --------
        >>> from ethicalai_lab.world import make_world
        >>> make_world(20).checksums() == make_world(20).checksums()
        True
        """
        every = {**self._tables, **{f"truth.{k}": v for k, v in self.truth.tables.items()}}
        return {name: store.checksum(table) for name, table in every.items()}

    def __repr__(self) -> str:
        count = f"{self.n_customers:,} customers; " if "customers" in self._tables else ""
        drawn = f"; seed {self.seed}" if self.seed is not None else ""
        truth = "with truth" if self.truth.tables else "no truth"
        return f"World({count}tables {', '.join(self._tables)}; {truth}{drawn})"

    def _repr_html_(self) -> str:
        return render("world/templates/world.html", world=self)
