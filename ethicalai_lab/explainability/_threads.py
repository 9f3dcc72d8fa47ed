"""Keeping many small calls of a model to one thread."""

from __future__ import annotations

import contextlib
import sys
from functools import lru_cache
from typing import Any

# Up to so many rows a second thread costs more than it saves.
FEW_ROWS = 20_000


@lru_cache(maxsize=1)
def _controller() -> Any:
    import sklearn.linear_model  # noqa: F401 -- its libraries must be loaded to be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_thread() -> contextlib.AbstractContextManager:
    """Return a context in which scikit-learn's models answer in one thread.

    A search or an explanation asks a model many times about few rows. Threads that wait
    for a busy core then cost ten times what they save.

    Examples
    --------
    >>> with one_thread():
    ...     1 + 1
    2
    """
    if "sklearn" not in sys.modules:  # then the model is no model of scikit-learn
        return contextlib.nullcontext()
    return _controller().limit(limits=1)
