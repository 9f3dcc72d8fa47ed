"""What pydantic finds at fault, as sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ethicalai_lab.errors import did_you_mean

__all__ = ["quoted", "sentence"]

_ACCEPTED = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "finite_number": "a finite number",
    "float_type": "a number",
    "list_type": "a list",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "string_type": "a text",
}


def quoted(value: Any) -> str:
    """Return a value from a file as a message shows it.

    Examples
    --------
    >>> quoted("much"), quoted(True), quoted(None), quoted([1])
    ('"much"', 'yes', 'empty', 'a list')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "empty"
    if isinstance(value, Mapping | list | tuple):
        return "a mapping" if isinstance(value, Mapping) else "a list"
    shown = f'"{value}"'.replace("\n", "\\n") if isinstance(value, str) else repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."


def sentence(
    error: Mapping[str, Any],
    field: str,
    *,
    options: Iterable[str] = (),
    place: str = "",
    accepted: str = "",
) -> str:
    """Return one of pydantic's findings as a sentence.

    Parameters
    ----------
    error : mapping
        From ``ValidationError.errors()``.
    field : str
        What it is about.
    options : iterable of str
        The names that are accepted where an unknown one stands.
    place : str, optional
        Where that is, such as ``" in a policy"``.
    accepted : str, optional
        What the field accepts; read from the finding unless told.
    """
    kind, about = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        names = list(options)
        hint = did_you_mean(field, names)
        return f'there is no "{field[:60]}"{place}; accepted are {", ".join(names)}.{hint}'
    if kind == "missing":
        return f"{field} is missing."
    if kind in ("too_long", "string_too_long"):
        return f"{field} is too long; up to {about['max_length']:,} is accepted."
    wanted = accepted or _ACCEPTED.get(kind) or about.get("expected", "another value")
    return f"{field} is {quoted(error.get('input'))}; accepted: {wanted}."
