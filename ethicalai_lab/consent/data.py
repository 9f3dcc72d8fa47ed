"""The room's data files, each read once."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

__all__ = ["read"]


@functools.cache
def read(name: str) -> Any:
    """Return what one of this folder's own YAML files holds.

    Examples
    --------
    >>> read("signals")["tcf"]["core"]["cmpId"]
    'number 12'
    """
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(Path(__file__).with_name(f"{name}.yaml"))
