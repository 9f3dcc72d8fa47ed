"""Attacks on releases, tables and models, each scored against the truth.

The judge knows who is who; the attacker does not. Every rate has an interval, and the
three tests of WP216 (singling out, linkability, inference) are given as risks over what
an attacker reaches *without* the release's help.

References
----------
Article 29 Working Party, Opinion 05/2014 on anonymisation techniques (WP216). Giomi,
Boenisch, Wehmeyer, Tasnadi, "A unified framework for quantifying privacy risk in
synthetic data", PoPETs 2023.
"""

from __future__ import annotations

import importlib
from typing import Any

# public name -> the module of this folder that holds it
_LAZY = {
    "Differencing": "_releases",
    "Fitting": "_fitting",
    "Linkage": "_linkage",
    "Membership": "_membership",
    "Risk": "_risk",
    "age_at": "_linkage",
    "compare": "_compare",
    "differencing": "_releases",
    "fitting_rows": "_fitting",
    "homogeneity": "_classes",
    "inference": "_wp216",
    "intersection": "_releases",
    "linkability": "_wp216",
    "linkage": "_linkage",
    "membership_inference": "_membership",
    "similarity": "_classes",
    "singling_out": "_wp216",
    "skewness": "_classes",
}

__all__ = [
    "Differencing",
    "Fitting",
    "Linkage",
    "Membership",
    "Risk",
    "age_at",
    "compare",
    "differencing",
    "fitting_rows",
    "homogeneity",
    "inference",
    "intersection",
    "linkability",
    "linkage",
    "membership_inference",
    "similarity",
    "singling_out",
    "skewness",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
