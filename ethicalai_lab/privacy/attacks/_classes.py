"""What equal classes still say: homogeneity and skewness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.privacy.codes import column_codes, table_codes
from ethicalai_lab.privacy.errors import PrivacyError, check_columns, check_table

__all__ = ["homogeneity", "skewness"]


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
