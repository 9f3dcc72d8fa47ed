"""What can be wrong with purposes, events, signals and questions."""

from __future__ import annotations

from ethicalai_lab.errors import InputError

__all__ = ["ConsentError", "LedgerError", "SignalError"]


class ConsentError(InputError):
    """Input that the consent room cannot work with; the message says why."""


class LedgerError(ConsentError):
    """An event that the ledger does not take, or a ledger that cannot be opened."""


class SignalError(ConsentError):
    """A consent signal that is malformed, or of a kind that is not read here."""
