"""The explainability room's own error."""

from __future__ import annotations

from ethicalai_lab.errors import InputError

__all__ = ["ExplanationError"]


class ExplanationError(InputError):
    """An explanation cannot be made from what was given, said in one sentence.

    The message names the column, person, row or argument at fault and what
    would be accepted.

    Examples
    --------
    >>> from ethicalai_lab.errors import InputError
    >>> issubclass(ExplanationError, InputError)
    True
    """
