"""One key of a person, so that every room means the same person by the same identifier.

An identifier is a label. The same number is the same person however a file stored it (7, "7",
7.0), and so is the same text however its accents are encoded. Whatever else looks alike
("007", "7 ", "Ada" and "ada") stays apart, and is refused where apart would be a guess.

References
----------
Unicode Standard Annex 15, Normalization Form C.
"""

from __future__ import annotations

import math
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethicalai_lab.errors import InputError

__all__ = ["locate_people", "person_keys", "same_person"]

EXACT = 2**53  # beyond it a float no longer tells neighbouring whole numbers apart


def person_keys(
    values: Any,
    name: str,
    *,
    missing: bool = False,
    where: Callable[[int], str] = "row {}".format,
    error: type[ValueError] = InputError,
) -> NDArray[np.object_]:
    r"""Return the canonical text of identifiers.

    Parameters
    ----------
    values : array-like or one value
        Texts, or whole numbers of any type.
    name : str
        What to call the column in a message.
    missing : bool, default False
        Whether gaps and blank texts become None; otherwise they are refused.
    where : callable, optional
        How a message names a row, counted from 0; for a file, its line.
    error : type of ValueError, default InputError

    Returns
    -------
    ndarray of object
        Texts in Normalization Form C, whole numbers in decimal digits; one value gives an
        array of one.

    Raises
    ------
    error
        If a value is a gap, true or false, a number with decimals, or too large a float to
        be sure of its last digits.

    Examples
    --------
    >>> person_keys([7, "7", 7.0, "007", "Zoe\u0308"], "id").tolist()
    ['7', '7', '7', '007', 'Zoë']
    """
    single = isinstance(values, str | bytes) or np.ndim(values) == 0
    if not single and np.ndim(values) != 1:
        raise error(f"{name} must be one column of identifiers, one a row.")
    array = [values] if single else _array(values)
    keys = np.empty(len(array), dtype=object)
    if isinstance(array, np.ndarray) and array.dtype.kind in "iu":
        keys[:] = [str(number) for number in array.tolist()]
        return keys
    for row, value in enumerate(array):
        if isinstance(value, str) and value and value.isascii() and not value.isspace():
            keys[row] = str(value)
            continue
        key, why = _key(value)
        if why or (key is None and not missing):
            place = "" if single else f"{where(row)}: "
            raise error(
                f"{place}{name} is {value!r}{why or ', a gap'}; a text or a whole number is "
                "accepted."
            )
        keys[row] = key
    return keys


def same_person(
    column: Any, person: Any, name: str, *, error: type[ValueError] = InputError
) -> NDArray[np.bool_]:
    """Return which rows belong to a person.

    Parameters
    ----------
    column : array-like
        Identifiers; a row without one belongs to nobody.
    person : text or whole number
    name : str
        What to call the column in a message.
    error : type of ValueError, default InputError

    Returns
    -------
    ndarray of bool

    Raises
    ------
    error
        If the column holds what is no identifier, or only what looks like the person's and
        may be another's: ``"007"`` where 7 is asked for.

    Examples
    --------
    >>> same_person(["7", 7, 7.0, "8", None], 7, "id").tolist()
    [True, True, True, False, False]
    >>> same_person(["0007", "8"], 7, "id")
    Traceback (most recent call last):
    ...
    ethicalai_lab.errors.InputError: row 0: id is '0007', which may or may not be 7; write both \
alike.
    """
    wanted = person_keys(person, "the person asked for", error=error)
    if wanted.size != 1 or np.ndim(person) != 0:
        raise error("one person is asked for at a time; a text or a whole number is accepted.")
    keys = person_keys(column, name, missing=True, error=error)
    same = keys == wanted[0]
    # a text is a label and may have lookalikes beside it; a number may stand for any of them
    if not (isinstance(person, str) and same.any()):
        alike = {_loose(wanted[0]): person}
        _no_lookalikes(keys, np.flatnonzero(~same), alike, name, error)
    return same


def locate_people(
    column: Any, people: Any, name: str, *, error: type[ValueError] = InputError
) -> NDArray[np.int64]:
    """Return for each row the position of its person among the people asked for.

    Parameters
    ----------
    column : array-like
        Identifiers; a row without one belongs to nobody.
    people : array-like
        Whom to look for, each once.
    name : str
        What to call the column in a message.
    error : type of ValueError, default InputError

    Returns
    -------
    ndarray of int64
        -1 where the row's person is none of them.

    Raises
    ------
    error
        If a person is asked for twice, is no identifier, or is not in the column while one
        that looks alike is: ``"007"`` where the column holds 7.

    Examples
    --------
    >>> locate_people([1, 1, 3], ["1", "2"], "id").tolist()
    [0, 0, -1]
    """
    import pandas as pd

    wanted, held = (v if isinstance(v, list | tuple) else _array(v) for v in (people, column))
    if all(isinstance(v, np.ndarray) and v.dtype.kind == "i" for v in (wanted, held)):
        index = pd.Index(wanted)
        keys = held
    else:
        index = pd.Index(person_keys(wanted, "people asked for", error=error), dtype=object)
        keys = person_keys(held, name, missing=True, error=error)
    if not index.is_unique:
        raise error(f"{index[index.duplicated()][0]} is asked for twice; name each person once.")
    rows = index.get_indexer(keys)
    if index.dtype == object:
        found = np.zeros(len(index), dtype=bool)
        found[rows[rows >= 0]] = True
        alike = {_loose(key): key for key in index[~found]}
        _no_lookalikes(keys, np.flatnonzero(rows < 0) if alike else [], alike, name, error)
    return rows.astype(np.int64)


def _no_lookalikes(
    keys: NDArray[np.object_],
    rows: Iterable[int],
    alike: Mapping[str, Any],
    name: str,
    error: type[ValueError],
) -> None:
    """Refuse rows whose key only looks like that of a person asked for."""
    for row in rows:
        if keys[row] is not None and _loose(keys[row]) in alike:
            raise error(
                f"row {row}: {name} is {keys[row]!r}, which may or may not be "
                f"{alike[_loose(keys[row])]!r}; write both alike."
            )


def _array(values: Any) -> Any:
    import pandas as pd

    if isinstance(values, list | tuple):
        return values
    column = values if isinstance(values, pd.Series) else pd.Series(values)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu":
        return column.to_numpy()
    return column.to_numpy(dtype=object)


def _key(value: Any) -> tuple[str | None, str]:
    """Return a value's key, None for a gap, and what is wrong with it."""
    import pandas as pd

    if isinstance(value, str):
        return (unicodedata.normalize("NFC", value) if value.strip() else None), ""
    if isinstance(value, bool | np.bool_):
        return None, ", true or false"
    if isinstance(value, Integral):
        return str(int(value)), ""
    if isinstance(value, uuid.UUID):
        return str(value), ""
    if isinstance(value, float | np.floating | Decimal):
        if value != value:
            return None, ""
        if not math.isfinite(value) or value != int(value):
            return None, ", not a whole number"
        if not isinstance(value, Decimal) and abs(value) >= EXACT:
            return None, ", too large a number to be sure of its last digits"
        return str(int(value)), ""
    if np.ndim(value) == 0 and pd.isna(value) is True:
        return None, ""
    return None, f", a {type(value).__name__}"


def _loose(key: str) -> str:
    """Return a key without what exports add or lose: blanks, case, zeros in front, ".0"."""
    text = key.strip().casefold()
    whole = text.removesuffix(".0")
    return (whole.lstrip("0") or "0") if whole.isascii() and whole.isdigit() else text
