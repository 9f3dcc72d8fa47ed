"""The same attacks on several releases, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.privacy.attacks._linkage import Linkage
from ethicalai_lab.privacy.attacks._risk import Risk
from ethicalai_lab.privacy.errors import PrivacyError
from ethicalai_lab.stats import Interval

__all__ = ["compare"]


def compare(
    releases: Mapping[str, pd.DataFrame], attacks: Mapping[str, Callable[[pd.DataFrame], Any]]
) -> pd.DataFrame:
    """Run the same attacks on several releases: before a defence, and after.

    Parameters
    ----------
    releases : mapping of name to DataFrame
    attacks : mapping of name to callable
        Each takes a release and returns a :class:`Risk`, :class:`Linkage`,
        :class:`~ethicalai_lab.stats.Interval` or a share.

    Returns
    -------
    pandas.DataFrame
        Columns ``release``, ``attack``, ``value``, ``low``, ``high``, ``baseline``.
        For a Risk the value is the risk added; for a Linkage its recall. A share counted
        on the release itself has equal bounds.

    Raises
    ------
    PrivacyError
        If an attack returns something else.

    References
    ----------
    WP216, section 2.2.2.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy import attacks
    >>> raw = pd.DataFrame({"age": range(40), "s": ["a", "b"] * 20})
    >>> safe = raw.assign(age="*")
    >>> table = attacks.compare(
    ...     {"raw": raw, "safe": safe},
    ...     {"homogeneity": lambda r: attacks.homogeneity(r, ["age"], "s")},
    ... )
    >>> table["value"].tolist()
    [1.0, 0.0]
    """
    rows = []
    for release_name, release in releases.items():
        for attack_name, attack in attacks.items():
            got = attack(release)
            baseline = np.nan
            if isinstance(got, Risk):
                baseline, got = got.baseline.value, got.risk
            elif isinstance(got, Linkage):
                got = got.recall
            elif isinstance(got, (float, int)) and not isinstance(got, bool):
                got = Interval(float(got), float(got), float(got))
            if not isinstance(got, Interval):
                raise PrivacyError(
                    f"attack {attack_name!r} returned a {type(got).__name__}; a Risk, Linkage, "
                    "Interval or share is accepted."
                )
            rows.append((release_name, attack_name, got.value, got.low, got.high, baseline))
    return pd.DataFrame(rows, columns=["release", "attack", "value", "low", "high", "baseline"])
