"""What equal classes still say: homogeneity, skewness, similarity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.privacy.codes import column_codes, table_codes
from ethicalai_lab.privacy.errors import PrivacyError, check_columns, check_table

__all__ = ["homogeneity", "similarity", "skewness"]


def _classes(release: pd.DataFrame, quasi_identifiers: Sequence, sensitive: Any):
    check_table(release, "release")
    names = check_columns(release, quasi_identifiers, "quasi_identifiers")
    check_columns(release, [sensitive], "sensitive")
    owner, uniques = pd.factorize(table_codes(release, names)[0])
    return owner, np.bincount(owner, minlength=len(uniques))


def homogeneity(release: pd.DataFrame, quasi_identifiers: Sequence, sensitive: Any) -> float:
    """Share of rows whose whole class has one sensitive value: k does not help them, l does.

    Parameters
    ----------
    release : pandas.DataFrame
    quasi_identifiers : sequence of column names
    sensitive : column name

    Returns
    -------
    float
        0 to 1; a count of this release, so it has no interval.

    Raises
    ------
    PrivacyError
        If a column is not there.

    References
    ----------
    Machanavajjhala et al., "l-diversity", TKDD 2007.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy.attacks import homogeneity
    >>> homogeneity(pd.DataFrame({"q": [1, 1, 2, 2], "s": list("aaab")}), ["q"], "s")
    0.5
    """
    owner, sizes = _classes(release, quasi_identifiers, sensitive)
    code, levels = column_codes(release[sensitive])
    pairs = pd.unique(owner.astype(np.int64) * levels + code)
    distinct = np.bincount(pairs // levels, minlength=len(sizes))
    return float(sizes[distinct == 1].sum() / len(release))


def skewness(
    release: pd.DataFrame,
    quasi_identifiers: Sequence,
    sensitive: Any,
    value: Any,
    *,
    factor: float = 2.0,
) -> float:
    """Share of rows whose class makes a sensitive value far likelier than the table does.

    A class can hold l different values and still say "half of these are ill" where one in
    a hundred is; t-closeness bounds that.

    Parameters
    ----------
    release : pandas.DataFrame
    quasi_identifiers : sequence of column names
    sensitive : column name
    value : object
        The value that would harm.
    factor : float
        Above 1: how many times likelier counts.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    PrivacyError
        If a column is not there, the value does not occur, or the factor is not above 1.

    References
    ----------
    Li, Li, Venkatasubramanian, "t-closeness", ICDE 2007 (skewness attack).

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy.attacks import skewness
    >>> table = pd.DataFrame({"q": [1, 1, 2, 2, 2, 2], "s": list("abbbbb")})
    >>> skewness(table, ["q"], "s", "a") == 2 / 6
    True
    """
    if not factor > 1:
        raise PrivacyError(f"factor is {factor!r}; a number above 1 is accepted.")
    owner, sizes = _classes(release, quasi_identifiers, sensitive)
    hit = (release[sensitive] == value).to_numpy(dtype=bool, na_value=False)
    if not hit.any():
        raise PrivacyError(f"value: {value!r} does not occur in column {sensitive!r}.")
    share = np.bincount(owner, weights=hit, minlength=len(sizes)) / sizes
    return float(sizes[share >= factor * hit.mean()].sum() / len(release))


def similarity(
    release: pd.DataFrame,
    quasi_identifiers: Sequence,
    sensitive: Any,
    *,
    width: float | None = None,
    groups: Mapping[Any, Any] | None = None,
) -> float:
    """Share of rows whose class has different sensitive values that all mean the same.

    "Gastritis, ulcer, cancer": three values, one message. So are three incomes within a
    thousand of each other. l-diversity counts them as diverse; t-closeness does not, if
    its distance knows what is alike.

    Parameters
    ----------
    release : pandas.DataFrame
    quasi_identifiers : sequence of column names
    sensitive : column name
    width : float, optional
        For numbers: values that span at most this much are alike.
    groups : mapping, optional
        For categories: value to its group; equal groups are alike.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    PrivacyError
        If a column is not there, or not exactly one of width and groups is given.

    References
    ----------
    Li, Li, Venkatasubramanian, "t-closeness", ICDE 2007 (similarity attack).

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy.attacks import similarity
    >>> table = pd.DataFrame({"q": [1, 1, 2, 2], "pay": [10, 11, 10, 90]})
    >>> similarity(table, ["q"], "pay", width=5)
    0.5
    """
    if (width is None) == (groups is None):
        raise PrivacyError("give either width (for numbers) or groups (for categories).")
    owner, sizes = _classes(release, quasi_identifiers, sensitive)
    if groups is not None:
        unknown = [v for v in release[sensitive].dropna().unique() if v not in groups]
        if unknown:
            raise PrivacyError(f"groups lacks the value {unknown[0]!r} of column {sensitive!r}.")
        mapped = release[sensitive].astype(object).map(dict(groups))
        return homogeneity(
            release.assign(**{str(sensitive): mapped}), quasi_identifiers, str(sensitive)
        )
    if not pd.api.types.is_numeric_dtype(release[sensitive].dtype):
        raise PrivacyError(f"width: column {sensitive!r} is not numeric; use groups.")
    numbers = release[sensitive].to_numpy(dtype=float, na_value=np.nan)
    low, high = np.full(len(sizes), np.inf), np.full(len(sizes), -np.inf)
    np.fmin.at(low, owner, numbers)
    np.fmax.at(high, owner, numbers)
    gap = np.bincount(owner, weights=np.isnan(numbers), minlength=len(sizes)) > 0
    alike = (high - low <= width) & ~gap
    return float(sizes[alike].sum() / len(release))
