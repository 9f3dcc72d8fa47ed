"""Errors that say what is wrong and what would be accepted.

Ground floor: every room may import this module, and it imports nothing.
"""

from __future__ import annotations

__all__ = ["InputError", "LabError"]


class LabError(Exception):
    """Base of every error that the lab raises on purpose."""


class InputError(LabError, ValueError):
    """Bad input, in one sentence.

    The message names the column, row, field or line at fault and what would be
    accepted. Rooms derive their own class from this one where a caller may want
    to catch just theirs.

    Examples
    --------
    >>> from ethicalai_lab.errors import InputError
    >>> issubclass(InputError, ValueError)
    True
    """
