"""Consent: a ledger of what people said, what it permits, and what happens when they say no.

The room's public face. Names load on first use, so importing the room is cheap.
"""

from __future__ import annotations

import importlib
from typing import Any

# public name -> the module of this room that holds it
_LAZY = {
    "ConsentError": "errors",
    "LedgerError": "errors",
    "SignalError": "errors",
    "Purpose": "purposes",
    "Purposes": "purposes",
    "ConsentLedger": "ledger",
    "LedgerReader": "ledger",
    "PermissionSnapshot": "snapshot",
    "Gate": "gate",
    "Recipients": "downstream",
    "RightsDesk": "rights",
    "due": "deadlines",
    "Assumptions": "simulation",
    "Banner": "simulation",
    "ConsentAssistant": "assistant",
}
_MODULES = (
    "assistant",
    "deadlines",
    "downstream",
    "gate",
    "gpc",
    "gpp",
    "ledger",
    "purposes",
    "rights",
    "selection",
    "simulation",
    "tcf",
    "usprivacy",
)

__all__ = [
    "Assumptions",
    "Banner",
    "ConsentAssistant",
    "ConsentError",
    "ConsentLedger",
    "Gate",
    "LedgerError",
    "LedgerReader",
    "PermissionSnapshot",
    "Purpose",
    "Purposes",
    "Recipients",
    "RightsDesk",
    "SignalError",
    "assistant",
    "deadlines",
    "downstream",
    "due",
    "gate",
    "gpc",
    "gpp",
    "ledger",
    "purposes",
    "rights",
    "selection",
    "simulation",
    "tcf",
    "usprivacy",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
