"""Numbers that a simulation assumes: each with a range, a meaning and its evidence, from a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ethicalai_lab.core.checks import check_value, number
from ethicalai_lab.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Numbers", "numbers_of"]


class Numbers:
    """Numbers, each within its range; :func:`numbers_of` makes a class of them.

    Raises
    ------
    InputError
        If a value is outside its range.
    """

    error: ClassVar[type[InputError]] = InputError

    if TYPE_CHECKING:

        def __init__(self, **changed: float) -> None: ...

        def __getattr__(self, name: str) -> float: ...

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):  # type: ignore[arg-type]
            span = number(item.metadata["low"], item.metadata["high"])
            value = check_value(getattr(self, item.name), span, item.name, self.error)
            object.__setattr__(self, item.name, float(value))

    def table(self) -> pd.DataFrame:
        """Return one row a number: name, value, meaning, low, high, evidence (and unit)."""
        import pandas as pd

        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return pd.DataFrame(
            [{"name": f.name, "value": getattr(self, f.name), **f.metadata} for f in fields]
        )


def numbers_of(base: type, name: str, told: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return a frozen dataclass of numbers, each as a data file tells of it.

    Parameters
    ----------
    base : type
        A :class:`Numbers` with an error and what else its class can do.
    name : str
        The class's name.
    told : mapping of str to mapping
        Of each number ``value``, ``range`` (lowest, highest), ``meaning``, and where known
        ``unit`` and ``evidence``.

    Returns
    -------
    type

    Examples
    --------
    >>> told = {"rate": {"value": 0.5, "range": [0, 1], "meaning": "share that agrees"}}
    >>> Rates = numbers_of(Numbers, "Rates", told)
    >>> Rates(rate=0.7).table()["evidence"].item()
    'assumption'
    >>> Rates(rate=7)
    Traceback (most recent call last):
    ethicalai_lab.errors.InputError: rate is 7; a number from 0 to 1 is accepted.
    """
    fields = []
    for field, entry in told.items():
        low, high = entry["range"]
        unit = {"unit": entry["unit"]} if "unit" in entry else {}
        known = {"meaning": entry["meaning"], **unit, "low": low, "high": high}
        known["evidence"] = entry.get("evidence", "assumption")
        fields.append((field, float, dataclasses.field(default=entry["value"], metadata=known)))
    namespace = {"__module__": base.__module__, "__doc__": base.__doc__}
    return dataclasses.make_dataclass(name, fields, bases=(base,), frozen=True, namespace=namespace)
