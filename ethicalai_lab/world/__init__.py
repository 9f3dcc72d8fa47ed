"""Ground floor: the synthetic world with its truth, and a team's own tables.

The names below are imported on first use: importing this package loads neither
pandas nor NumPy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ethicalai_lab.world.causal import causal_graph
    from ethicalai_lab.world.config import ARMS, CATEGORIES, PURPOSES, WorldConfig
    from ethicalai_lab.world.errors import WorldError
    from ethicalai_lab.world.generate import make_world
    from ethicalai_lab.world.interventions import direct_effects
    from ethicalai_lab.world.roles import ROLES, Roles, load_roles
    from ethicalai_lab.world.schema import ACTIONS, SCHEMA, Column, data_dictionary
    from ethicalai_lab.world.tables import TableError, how_read, load_table
    from ethicalai_lab.world.worlds import Truth, World

# public name -> the module that holds it
_LAZY = {
    "ACTIONS": "schema",
    "ARMS": "config",
    "CATEGORIES": "config",
    "Column": "schema",
    "PURPOSES": "config",
    "ROLES": "roles",
    "Roles": "roles",
    "SCHEMA": "schema",
    "TableError": "tables",
    "Truth": "worlds",
    "World": "worlds",
    "WorldConfig": "config",
    "WorldError": "errors",
    "causal_graph": "causal",
    "data_dictionary": "schema",
    "direct_effects": "interventions",
    "how_read": "tables",
    "load_roles": "roles",
    "load_table": "tables",
    "make_world": "generate",
}

__all__ = [
    "ACTIONS",
    "ARMS",
    "CATEGORIES",
    "PURPOSES",
    "ROLES",
    "SCHEMA",
    "Column",
    "Roles",
    "TableError",
    "Truth",
    "World",
    "WorldConfig",
    "WorldError",
    "causal_graph",
    "data_dictionary",
    "direct_effects",
    "how_read",
    "load_roles",
    "load_table",
    "make_world",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
