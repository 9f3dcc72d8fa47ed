"""Joining a list of known people to a release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.core.times import read_moment
from ethicalai_lab.privacy.attacks._matching import Matcher, prepare, sample
from ethicalai_lab.privacy.errors import PrivacyError
from ethicalai_lab.privacy.hierarchies import Hierarchy
from ethicalai_lab.stats import Interval, proportion_interval

__all__ = ["Linkage", "age_at", "linkage"]


def age_at(birth_date: pd.Series, as_of: Any) -> pd.Series:
    """Whole years of age on a day: what an attacker works out from a date of birth.

    Parameters
    ----------
    birth_date : pandas.Series of datetime
    as_of : date

    Returns
    -------
    pandas.Series of int64 (float64 where dates are missing)

    Raises
    ------
    PrivacyError
        If the column holds no dates.

    References
    ----------
    Sweeney, "Simple demographics often identify people uniquely", CMU 2000.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy.attacks import age_at
    >>> age_at(pd.to_datetime(pd.Series(["1990-06-15"])), "2026-01-12").tolist()
    [35]
    """
    if not pd.api.types.is_datetime64_any_dtype(birth_date.dtype):
        raise PrivacyError(
            f"column {birth_date.name!r} holds no dates; dates of birth are accepted."
        )
    day = read_moment(as_of, "as_of", error=PrivacyError)
    dates = birth_date.dt
    before = (dates.month > day.month) | ((dates.month == day.month) & (dates.day > day.day))
    return (day.year - dates.year - before).rename("age")


@dataclass(frozen=True)
class Linkage:
    """What joining a list of known people to a release gave.

    Attributes
    ----------
    targets : int
        People on the attacker's list who were tried.
    claims : int
        Those whom exactly one row of the release fits: the attacker names that row.
    correct : int
        Claims that are right.
    in_release : int
        Targets who truly have a row.
    expected : float
        Right guesses to expect if the attacker names one fitting row at random whenever
        any fits.
    found : pandas.DataFrame
        One row a claim: ``target`` and ``row`` (index labels), ``correct``.
    """

    targets: int
    claims: int
    correct: int
    in_release: int
    expected: float
    found: pd.DataFrame = field(repr=False)

    @property
    def precision(self) -> Interval:
        """Share of claims that are right."""
        return proportion_interval(self.correct, self.claims)

    @property
    def recall(self) -> Interval:
        """Share of the people with a row who were found by a right claim."""
        return proportion_interval(self.correct, self.in_release)


def linkage(
    release: pd.DataFrame,
    register: pd.DataFrame,
    on: Sequence,
    truth: pd.Series,
    *,
    n_attacks: int | None = None,
    seed: int = 0,
    hierarchies: Mapping[Any, Hierarchy] | None = None,
) -> Linkage:
    """Find the people of a public list in a release "without names".

    Parameters
    ----------
    release : pandas.DataFrame
        Raw or generalised.
    register : pandas.DataFrame
        Known people, with exact values in the columns ``on``.
    on : sequence of column names
        What both hold.
    truth : pandas.Series
        For each index label of the register the index label of the person's row in the
        release; missing or not in the release if there is none.
    n_attacks : int, optional
        Try this many people, drawn at random. Default: all.
    seed : int
    hierarchies : mapping, optional
        For columns generalised by :meth:`Hierarchy.table`.

    Returns
    -------
    Linkage

    Raises
    ------
    PrivacyError
        If a column is not there or the truth lacks a person of the register.

    References
    ----------
    Sweeney, "k-anonymity", IJUFKS 2002.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy.attacks import linkage
    >>> release = pd.DataFrame({"age": ["30–39", "40"]}, index=[7, 8])
    >>> known = pd.DataFrame({"age": [34, 40, 50]}, index=["ann", "bob", "cyd"])
    >>> linkage(release, known, ["age"], pd.Series({"ann": 7, "bob": 8, "cyd": -1})).correct
    2
    """
    names = prepare(release, register, on)
    if not release.index.is_unique:
        raise PrivacyError("release: its index names a row twice; distinct labels are needed.")
    lost = ~register.index.isin(truth.index)
    if lost.any():
        raise PrivacyError(
            f"truth lacks person {register.index[lost].tolist()[0]!r} of the register; give -1 "
            "for people without a row."
        )
    targets = register.iloc[sample(len(register), n_attacks, seed)]
    row_of = release.index.get_indexer(truth.reindex(targets.index).to_numpy())
    matcher = Matcher(release, names, targets, hierarchies)
    claims, expected = [], 0.0
    alone = np.full(matcher.n_classes, -1)
    alone[matcher.owner] = np.arange(len(release))
    own = np.where(row_of >= 0, matcher.owner[row_of], -1)
    for rows, fits in matcher.chunks(len(targets)):
        count = matcher.sizes @ fits
        there = (own[rows] >= 0) & fits[np.maximum(own[rows], 0), np.arange(len(rows))]
        expected += float((1.0 / count[there]).sum())
        single = np.flatnonzero(count == 1)
        if len(single):
            claims.append(np.column_stack([rows[single], alone[fits[:, single].argmax(axis=0)]]))
    pairs = np.concatenate(claims) if claims else np.empty((0, 2), np.int64)
    right = row_of[pairs[:, 0]] == pairs[:, 1]
    found = pd.DataFrame(
        {
            "target": targets.index[pairs[:, 0]],
            "row": release.index[pairs[:, 1]],
            "correct": right,
        }
    )
    return Linkage(
        len(targets), len(pairs), int(right.sum()), int((row_of >= 0).sum()), expected, found
    )
