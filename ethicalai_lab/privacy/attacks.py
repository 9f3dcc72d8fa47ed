"""Attacks on releases, tables and models, each scored against the truth.

The judge knows who is who; the attacker does not. Every rate has an interval, and the
three tests of WP216 (singling out, linkability, inference) are given as risks over what
an attacker reaches *without* the release's help.

References
----------
Article 29 Working Party, Opinion 05/2014 on anonymisation techniques (WP216). Giomi,
Boenisch, Wehmeyer, Tasnadi, "A unified framework for quantifying privacy risk in
synthetic data", PoPETs 2023.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.privacy.codes import column_codes, pack_codes, table_codes
from ethicalai_lab.privacy.errors import PrivacyError, check_columns, check_table
from ethicalai_lab.privacy.hierarchies import Hierarchy, kind_of
from ethicalai_lab.privacy.labels import parse_label
from ethicalai_lab.stats import Interval, proportion_interval

__all__ = [
    "Differencing",
    "Linkage",
    "Membership",
    "Risk",
    "age_at",
    "compare",
    "differencing",
    "homogeneity",
    "inference",
    "intersection",
    "linkability",
    "linkage",
    "membership_inference",
    "similarity",
    "singling_out",
    "skewness",
]

_CHUNK = 8_000_000  # cells of a candidate matrix held at once


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
    day = pd.Timestamp(as_of)
    dates = birth_date.dt
    before = (dates.month > day.month) | ((dates.month == day.month) & (dates.day > day.day))
    return (day.year - dates.year - before).rename("age")


@dataclass(frozen=True)
class Risk:
    """An attack's success beside what is reached without the release.

    Attributes
    ----------
    name : str
    attack : Interval
        Share of attempts that succeeded (Wilson).
    baseline : Interval
        The same for the attacker who does without.
    risk : Interval
        ``(attack - baseline) / (1 - baseline)``, 0 to 1: of what could still go wrong, how
        much the release adds. Its ends join the worst ends of both intervals, so that it
        covers at least as often as they do together.
    n_attacks : int
    """

    name: str
    attack: Interval
    baseline: Interval
    risk: Interval
    n_attacks: int

    def _repr_html_(self) -> str:
        def show(i: Interval) -> str:
            return f"{i.value:.1%} ({i.low:.1%} to {i.high:.1%})"

        body = "".join(
            f'<tr><th scope="row">{n}</th><td>{show(v)}</td></tr>'
            for n, v in (
                ("success", self.attack),
                ("success without the release", self.baseline),
                ("risk added", self.risk),
            )
        )
        caption = html.escape(f"{self.name}: {self.n_attacks:,} attempts")
        return f"<table><caption>{caption}</caption><tbody>{body}</tbody></table>"


def _risk(name: str, hits: int, n: int, base_hits: int, base_n: int, confidence: float) -> Risk:
    a = proportion_interval(hits, n, confidence)
    b = proportion_interval(base_hits, base_n, confidence)

    def over(rate: float, base: float) -> float:
        return float(np.clip((rate - base) / (1 - base), 0, 1)) if base < 1 else 0.0

    risk = Interval(over(a.value, b.value), over(a.low, b.high), over(a.high, b.low), confidence)
    return Risk(name, a, b, risk, n)


# ---- who fits what the attacker knows ------------------------------------------------------


def _cover_rows(
    texts: Sequence, values: Sequence, kind: str, hierarchy: Hierarchy | None
) -> np.ndarray:
    """Which labels cover which values, shape (labels, values); values sorted, no gaps."""
    out = np.zeros((len(texts), len(values)), bool)
    if hierarchy is not None and hierarchy.kind == "text":
        for j, value in enumerate(values):
            own = {hierarchy.label(value, level) for level in range(hierarchy.height + 1)}
            out[:, j] = [str(t) in own for t in texts]
        return out
    if kind == "text":
        keys = np.asarray([str(v) for v in values], dtype=object)
        position = {v: j for j, v in enumerate(keys)}
    else:
        keys = np.asarray(values)
    for i, text in enumerate(texts):
        label = parse_label(text, kind)
        if label.kind == "any":
            out[i] = True
        elif label.values is not None:
            out[i, [position[v] for v in label.values if v in position]] = True
        elif label.prefix is not None:
            out[i] = [len(v) == label.length and v.startswith(label.prefix) for v in keys]
        elif label.low is not None:
            low, high = label.low, label.high
            if kind == "date":
                low, high = np.datetime64(low, "ns"), np.datetime64(high, "ns")
            start = np.searchsorted(keys, low, "left")
            stop = np.searchsorted(keys, high, "left" if label.high_open else "right")
            out[i, start:stop] = True
    return out


class _Matcher:
    """Classes of a release, and which of them fit a target's known values."""

    def __init__(
        self,
        release: pd.DataFrame,
        on: Sequence,
        targets: pd.DataFrame,
        hierarchies: Mapping | None,
    ) -> None:
        self.on = list(on)
        keys, _ = table_codes(release, self.on)
        self.owner, uniques = pd.factorize(keys)
        self.n_classes = len(uniques)
        first = np.full(self.n_classes, len(release))
        np.minimum.at(first, self.owner, np.arange(len(release)))
        self.sizes = np.bincount(self.owner, minlength=self.n_classes)
        self._covers, self._class_label, self._target_value = [], [], []
        for name in self.on:
            known = targets[name]
            kind = kind_of(known)
            which, texts = _texts(release[name], kind)
            code, values = pd.factorize(known, sort=kind != "text")
            if kind == "text":
                order = np.argsort(np.asarray([str(v) for v in values], dtype=object))
                back = np.empty(len(order), np.int64)
                back[order] = np.arange(len(order))
                values = [str(values[i]) for i in order]
                code = np.where(code >= 0, back[code] if len(back) else code, -1)
            elif kind == "date":
                values = pd.DatetimeIndex(values).to_numpy().astype("datetime64[ns]")
            cover = _cover_rows(texts, values, kind, (hierarchies or {}).get(name))
            # who lacks the value fits everything: the attacker knows nothing there
            self._covers.append(np.column_stack([cover, np.ones(len(texts), bool)]))
            self._class_label.append(which[first])
            self._target_value.append(code)

    def fits(self, rows: np.ndarray) -> np.ndarray:
        """Which classes fit which targets, shape (n_classes, len(rows))."""
        out = np.ones((self.n_classes, len(rows)), bool)
        for cover, label, value in zip(
            self._covers, self._class_label, self._target_value, strict=True
        ):
            out &= cover[label[:, None], value[rows][None, :]]
        return out

    def chunks(self, n_targets: int):
        """Targets in pieces whose matrix stays small, with the matrix."""
        step = max(1, _CHUNK // self.n_classes)
        for start in range(0, n_targets, step):
            rows = np.arange(start, min(start + step, n_targets))
            yield rows, self.fits(rows)


def _texts(column: pd.Series, kind: str) -> tuple[np.ndarray, list]:
    """Codes and label texts of a released column, generalised or not."""
    codes, uniques = pd.factorize(column, use_na_sentinel=False)
    if kind == "date" and pd.api.types.is_datetime64_any_dtype(column.dtype):
        return codes, [None if u is pd.NaT else pd.Timestamp(u).isoformat() for u in uniques]
    return codes, list(uniques)


def _sample(n: int, wanted: int | None, seed: int) -> np.ndarray:
    if wanted is None or wanted >= n:
        return np.arange(n)
    if wanted < 1:
        raise PrivacyError(f"n_attacks is {wanted}; a whole number from 1 on is accepted.")
    return np.sort(np.random.default_rng(seed).choice(n, wanted, replace=False))


def _prepare(release: pd.DataFrame, targets: pd.DataFrame, on: Sequence) -> list:
    check_table(release, "release")
    check_table(targets, "targets")
    names = check_columns(release, on, "on")
    check_columns(targets, names, "on (targets)")
    if not names:
        raise PrivacyError("on is empty; name the columns that the attacker knows.")
    return names


# ---- linkage -------------------------------------------------------------------------------


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
    names = _prepare(release, register, on)
    if not release.index.is_unique:
        raise PrivacyError("release: its index names a row twice; distinct labels are needed.")
    lost = ~register.index.isin(truth.index)
    if lost.any():
        raise PrivacyError(
            f"truth lacks person {register.index[lost].tolist()[0]!r} of the register; give -1 "
            "for people without a row."
        )
    targets = register.iloc[_sample(len(register), n_attacks, seed)]
    row_of = release.index.get_indexer(truth.reindex(targets.index).to_numpy())
    matcher = _Matcher(release, names, targets, hierarchies)
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


# ---- the three tests of WP216 ----------------------------------------------------------------


def singling_out(
    release: pd.DataFrame,
    columns: Sequence,
    *,
    original: pd.DataFrame | None = None,
    n_attacks: int = 2_000,
    seed: int = 0,
    confidence: float = 0.95,
    hierarchies: Mapping[Any, Hierarchy] | None = None,
) -> Risk:
    """Can somebody be told apart from all others by what the release says?

    The attacker takes a row and says "there is exactly one person with these values".
    Without the release he can only put together values that occur, column by column.

    Parameters
    ----------
    release : pandas.DataFrame
    columns : sequence of column names
        What the attacker combines; try sensitive and untouched columns too.
    original : pandas.DataFrame, optional
        People among whom the claim must hold. Default: the rows of the release.
    n_attacks : int
    seed : int
    confidence : float
    hierarchies : mapping, optional
        For columns generalised by :meth:`Hierarchy.table`.

    Returns
    -------
    Risk

    Raises
    ------
    PrivacyError
        If a column is not there.

    References
    ----------
    WP216, section 2.2.2; GDPR Recital 26 ("such as singling out").

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy.attacks import singling_out
    >>> unique = pd.DataFrame({"a": range(100), "b": range(100)})
    >>> singling_out(unique, ["a", "b"]).attack.value
    1.0
    """
    names = _prepare(release, release if original is None else original, columns)
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(release), n_attacks)
    # claims read off rows, then claims put together from values that occur
    claims = {c: np.concatenate([rows, rng.integers(0, len(release), n_attacks)]) for c in names}
    if original is None:
        columns_ = [column_codes(release[c]) for c in names]
        packed, _ = pack_codes(
            [
                (np.concatenate([code, code[claims[c]]]), levels)
                for (code, levels), c in zip(columns_, names, strict=True)
            ],
            len(release) + 2 * n_attacks,
        )
        owner, _ = pd.factorize(packed)
        count = np.bincount(owner[: len(release)], minlength=owner.max() + 1)
        fitting = count[owner[len(release) :]]
    else:
        claimed = pd.DataFrame(
            {c: release[c].iloc[claims[c]].reset_index(drop=True) for c in names}
        )
        matcher = _Matcher(claimed, names, original, hierarchies)
        total = np.zeros(matcher.n_classes, np.int64)
        for _, fits in matcher.chunks(len(original)):
            total += fits.sum(axis=1)
        fitting = total[matcher.owner]
    hit = fitting == 1
    return _risk(
        "singling out",
        int(hit[:n_attacks].sum()),
        n_attacks,
        int(hit[n_attacks:].sum()),
        n_attacks,
        confidence,
    )


def linkability(
    release: pd.DataFrame,
    auxiliary: pd.DataFrame,
    on: Sequence,
    truth: pd.Series | None = None,
    *,
    n_attacks: int = 2_000,
    seed: int = 0,
    confidence: float = 0.95,
    hierarchies: Mapping[Any, Hierarchy] | None = None,
) -> Risk:
    """Can a person's record elsewhere be joined to the person's row of the release?

    The attacker names one of the rows that fit what he knows, at random; without that
    knowledge, any row.

    Parameters
    ----------
    release, auxiliary : pandas.DataFrame
    on : sequence of column names
        What both hold.
    truth : pandas.Series, optional
        Index label of the auxiliary table to index label of the release. Default: equal
        labels are one person. Only people who are in both are attacked.
    n_attacks, seed, confidence, hierarchies
        As in :func:`singling_out`.

    Returns
    -------
    Risk

    Raises
    ------
    PrivacyError
        If a column is not there or nobody is in both tables.

    References
    ----------
    WP216, section 2.2.2.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy.attacks import linkability
    >>> table = pd.DataFrame({"age": range(500)})
    >>> linkability(table, table, ["age"]).attack.value
    1.0
    """
    names = _prepare(release, auxiliary, on)
    row_of = _rows_of(release, auxiliary, truth)
    both = np.flatnonzero(row_of >= 0)
    chosen = both[_sample(len(both), n_attacks, seed)]
    targets, row_of = auxiliary.iloc[chosen], row_of[chosen]
    matcher = _Matcher(release, names, targets, hierarchies)
    rng = np.random.default_rng(seed + 1)
    hits = 0
    for rows, fits in matcher.chunks(len(targets)):
        own = fits[matcher.owner[row_of[rows]], np.arange(len(rows))]
        chance = np.where(own, 1.0 / np.maximum(matcher.sizes @ fits, 1), 0.0)
        hits += int((rng.random(len(rows)) < chance).sum())
    base = int((rng.random(len(targets)) < 1.0 / len(release)).sum())
    return _risk("linkability", hits, len(targets), base, len(targets), confidence)


def _rows_of(release: pd.DataFrame, auxiliary: pd.DataFrame, truth: pd.Series | None) -> np.ndarray:
    if not release.index.is_unique:
        raise PrivacyError("release: its index names a row twice; distinct labels are needed.")
    wanted = auxiliary.index if truth is None else truth.reindex(auxiliary.index).to_numpy()
    row_of = release.index.get_indexer(wanted)
    if not (row_of >= 0).any():
        raise PrivacyError("truth: nobody is in both tables; index labels or truth must connect.")
    return row_of


def inference(
    release: pd.DataFrame,
    targets: pd.DataFrame,
    on: Sequence,
    secret: Any,
    *,
    control: pd.DataFrame | None = None,
    tolerance: float = 0.0,
    n_attacks: int = 2_000,
    seed: int = 0,
    confidence: float = 0.95,
    hierarchies: Mapping[Any, Hierarchy] | None = None,
) -> Risk:
    """Can a person's secret be read off the rows that fit what is known?

    The attacker guesses the commonest secret among those rows. The baseline is the same
    attack on people who are *not* in the release (what it teaches about everybody), or,
    without such a control, always guessing the release's commonest secret.

    Parameters
    ----------
    release : pandas.DataFrame
    targets : pandas.DataFrame
        People in the release, with exact values of ``on`` and their true ``secret``.
    on : sequence of column names
    secret : column name
    control : pandas.DataFrame, optional
        Like ``targets``, but people who are not in the release.
    tolerance : float
        For numbers: a guess within this distance counts as right.
    n_attacks, seed, confidence, hierarchies
        As in :func:`singling_out`.

    Returns
    -------
    Risk

    Raises
    ------
    PrivacyError
        If a column is not there.

    References
    ----------
    WP216, section 2.2.2. Giomi et al., PoPETs 2023 (control group).

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy.attacks import inference
    >>> table = pd.DataFrame({"age": [1, 1, 2, 2], "ill": ["a", "a", "b", "b"]})
    >>> inference(table, table, ["age"], "ill").attack.value
    1.0
    """
    names = _prepare(release, targets, on)
    check_columns(release, [secret], "secret")
    guess, values = _guesses(release, targets, names, secret, n_attacks, seed, hierarchies)
    hits = _right(guess, values, tolerance)
    if control is not None:
        check_columns(control, [*names, secret], "control")
        other, truths = _guesses(release, control, names, secret, n_attacks, seed + 1, hierarchies)
        base = _right(other, truths, tolerance)
    else:
        common = release[secret].mode().iloc[0]
        base = _right(np.full(len(values), common, dtype=object), values, tolerance)
    return _risk("inference", int(hits.sum()), len(hits), int(base.sum()), len(base), confidence)


def _guesses(
    release: pd.DataFrame,
    targets: pd.DataFrame,
    names: list,
    secret: Any,
    n_attacks: int | None,
    seed: int,
    hierarchies: Mapping | None,
) -> tuple[np.ndarray, np.ndarray]:
    check_columns(targets, [secret], "secret (targets)")
    chosen = targets.iloc[_sample(len(targets), n_attacks, seed)]
    matcher = _Matcher(release, names, chosen, hierarchies)
    code, uniques = pd.factorize(release[secret])
    seen = code >= 0
    table = np.zeros((matcher.n_classes, len(uniques)), np.float32)
    np.add.at(table, (matcher.owner[seen], code[seen]), 1)
    overall = table.sum(axis=0)
    guess = np.empty(len(chosen), np.int64)
    for rows, fits in matcher.chunks(len(chosen)):
        votes = fits.T.astype(np.float32) @ table
        # nobody fits: the commonest secret is the best guess; ties go to the commoner one
        votes += overall / (2 * overall.sum() + 1)
        guess[rows] = votes.argmax(axis=1)
    return np.asarray(uniques, dtype=object)[guess], chosen[secret].to_numpy(dtype=object)


def _right(guess: np.ndarray, truth: np.ndarray, tolerance: float) -> np.ndarray:
    if tolerance > 0:
        try:
            return np.abs(guess.astype(float) - truth.astype(float)) <= tolerance
        except (TypeError, ValueError):
            raise PrivacyError(
                "tolerance: the secret is not a number; 0 is accepted for other secrets."
            ) from None
    return np.array([g == t for g, t in zip(guess, truth, strict=True)], bool)


# ---- several releases of the same people -------------------------------------------------------


@dataclass(frozen=True)
class Differencing:
    """What the difference of two statistics gives away.

    Attributes
    ----------
    revealed : pandas.DataFrame
        One row a group whose count changed by exactly one person: the group,
        ``change`` (+1 came, -1 left) and ``value`` (that person's own value).
    groups : int
        Groups compared.
    """

    revealed: pd.DataFrame
    groups: int


def differencing(
    before: pd.DataFrame, after: pd.DataFrame, by: Sequence, count: Any, total: Any
) -> Differencing:
    """Subtract two releases of group statistics and read single people off the difference.

    Parameters
    ----------
    before, after : pandas.DataFrame
        One row a group: the columns ``by``, a count and a total.
    by : sequence of column names
    count, total : column names

    Returns
    -------
    Differencing
        Groups that appear in one release only are compared with zero.

    Raises
    ------
    PrivacyError
        If a column is not there or a group occurs twice.

    References
    ----------
    Dwork, Roth, "The algorithmic foundations of differential privacy", 2014, section 1.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy.attacks import differencing
    >>> monday = pd.DataFrame({"city": ["x"], "n": [20], "spend": [700.0]})
    >>> friday = pd.DataFrame({"city": ["x"], "n": [19], "spend": [612.5]})
    >>> differencing(monday, friday, ["city"], "n", "spend").revealed["value"].tolist()
    [87.5]
    """
    parts = []
    for name, table in (("before", before), ("after", after)):
        check_table(table, name)
        groups = check_columns(table, by, f"by ({name})")
        check_columns(table, [count, total], name)
        if table.duplicated(groups).any():
            raise PrivacyError(f"{name}: a group of {groups} occurs twice; one row a group.")
        part = table[[*groups, count, total]].copy()
        for g in groups:  # categories of two releases need not agree
            if isinstance(part[g].dtype, pd.CategoricalDtype):
                part[g] = part[g].astype(part[g].cat.categories.dtype)
        parts.append(part)
    both = parts[0].merge(parts[1], on=groups, how="outer", suffixes=("_before", "_after"))
    both = both.fillna({f"{c}_{s}": 0 for c in (count, total) for s in ("before", "after")})
    change = both[f"{count}_after"] - both[f"{count}_before"]
    moved = both[f"{total}_after"] - both[f"{total}_before"]
    one = change.abs() == 1
    revealed = both.loc[one, groups].copy()
    revealed["change"] = change[one].astype(int)
    revealed["value"] = (moved * np.sign(change))[one].round(9)
    return Differencing(revealed.reset_index(drop=True), len(both))


def intersection(
    releases: Sequence[pd.DataFrame],
    targets: pd.DataFrame,
    on: Sequence[Sequence],
    secret: Any,
    *,
    n_attacks: int | None = 2_000,
    seed: int = 0,
    hierarchies: Mapping[Any, Hierarchy] | None = None,
) -> pd.DataFrame:
    """Intersect what several releases leave possible for the same person.

    Parameters
    ----------
    releases : sequence of pandas.DataFrame
        Each k-anonymous on its own, perhaps.
    targets : pandas.DataFrame
        People who are in all of them, with exact values and their true ``secret``.
    on : sequence of sequences of column names
        What the attacker knows for each release.
    secret : column name
        Released as it is in each.
    n_attacks, seed, hierarchies
        As in :func:`singling_out`.

    Returns
    -------
    pandas.DataFrame
        One row a release and one for all together: ``release``, ``pinned`` (share of the
        targets for whom one secret only remains and it is the true one), ``low``,
        ``high``, ``mean_possible`` (secrets that remain, on average).

    Raises
    ------
    PrivacyError
        If a column is not there or there is no release.

    References
    ----------
    Ganta, Kasiviswanathan, Smith, "Composition attacks and auxiliary information in data
    privacy", KDD 2008.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy.attacks import intersection
    >>> one = pd.DataFrame({"age": ["30–39"] * 2, "ill": ["flu", "gout"]})
    >>> two = pd.DataFrame({"city": ["x"] * 2, "ill": ["flu", "cold"]})
    >>> ann = pd.DataFrame({"age": [34], "city": ["x"], "ill": ["flu"]})
    >>> intersection([one, two], ann, [["age"], ["city"]], "ill")["pinned"].tolist()
    [0.0, 0.0, 1.0]
    """
    if not releases or len(releases) != len(on):
        raise PrivacyError(
            f"there are {len(releases)} releases and {len(on)} lists in on; one list a release."
        )
    check_table(targets, "targets")
    check_columns(targets, [secret], "secret (targets)")
    chosen = targets.iloc[_sample(len(targets), n_attacks, seed)]
    values = pd.unique(
        pd.concat([r[secret].astype(object) for r in [*releases, chosen] if secret in r])
    )
    true = pd.Index(values).get_indexer(chosen[secret].astype(object))
    together = np.ones((len(chosen), len(values)), bool)
    rows = []

    def row(name: str, possible: np.ndarray) -> tuple:
        count = possible.sum(axis=1)
        hit = (count == 1) & possible[np.arange(len(chosen)), true]
        share = proportion_interval(int(hit.sum()), len(chosen))
        return name, share.value, share.low, share.high, float(count.mean())

    for i, (release, known) in enumerate(zip(releases, on, strict=True), start=1):
        names = _prepare(release, chosen, known)
        check_columns(release, [secret], f"secret (release {i})")
        matcher = _Matcher(release, names, chosen, hierarchies)
        code = pd.Index(values).get_indexer(release[secret].astype(object))
        table = np.zeros((matcher.n_classes, len(values)), np.float32)
        table[matcher.owner, code] = 1
        possible = np.zeros_like(together)
        for at, fits in matcher.chunks(len(chosen)):
            possible[at] = (fits.T.astype(np.float32) @ table) > 0
        together &= possible
        rows.append(row(f"release {i}", possible))
    rows.append(row("all together", together))
    return pd.DataFrame(rows, columns=["release", "pinned", "low", "high", "mean_possible"])


# ---- what equal classes still say ----------------------------------------------------------------


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


# ---- membership in a model's training data ----------------------------------------------------------


@dataclass(frozen=True)
class Membership:
    """Whether a model betrays who was in its training data.

    Attributes
    ----------
    accuracy : Interval
        Balanced accuracy on people not used to set the threshold (0.5: coin toss).
    auc : float
        Of members over non-members.
    tpr_at_low_fpr : Interval
        Share of members found while at most ``fpr`` of non-members are accused.
    fpr : float
    """

    accuracy: Interval
    auc: float
    tpr_at_low_fpr: Interval
    fpr: float


def membership_inference(
    model: Any,
    members: tuple[Any, Any],
    others: tuple[Any, Any],
    *,
    fpr: float = 0.01,
    seed: int = 0,
) -> Membership:
    """Guess from a model's confidence who it was trained on.

    The attacker takes the loss of each known person: a model is surer of those it has
    seen. The threshold is set on one half of the people and judged on the other.

    Parameters
    ----------
    model : fitted classifier with ``predict_proba`` and ``classes_``
    members, others : (X, y)
        People in and not in the training data, drawn from the same population.
    fpr : float
        Rate of false accusations allowed for ``tpr_at_low_fpr``, above 0, below 1.
    seed : int

    Returns
    -------
    Membership

    Raises
    ------
    PrivacyError
        If either group has fewer than four people, or a label is unknown to the model.

    References
    ----------
    Shokri et al., "Membership inference attacks", IEEE S&P 2017. Yeom et al., "Privacy
    risk in machine learning", CSF 2018 (loss threshold). Carlini et al., "Membership
    inference attacks from first principles", IEEE S&P 2022 (report low false-positive
    rates).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from ethicalai_lab.privacy.attacks import membership_inference
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(400, 5)), rng.integers(0, 2, 400)
    >>> tree = DecisionTreeClassifier(random_state=0).fit(X[:200], y[:200])
    >>> membership_inference(tree, (X[:200], y[:200]), (X[200:], y[200:])).accuracy.value > 0.7
    True
    """
    if not 0 < fpr < 1:
        raise PrivacyError(f"fpr is {fpr!r}; a number above 0 and below 1 is accepted.")
    sure = [_confidence(model, *group) for group in (members, others)]
    if min(map(len, sure)) < 4:
        raise PrivacyError("members and others must hold at least four people each.")
    rng = np.random.default_rng(seed)
    halves = [np.array_split(rng.permutation(s), 2) for s in sure]
    (train_in, test_in), (train_out, test_out) = halves
    threshold = _best_threshold(train_in, train_out)
    found = int((test_in >= threshold).sum())
    cleared = int((test_out < threshold).sum())
    tpr = proportion_interval(found, len(test_in))
    tnr = proportion_interval(cleared, len(test_out))
    # variance of the mean of two independent shares, from the widths of Wilson's intervals
    value = (tpr.value + tnr.value) / 2
    low = value - np.hypot(tpr.value - tpr.low, tnr.value - tnr.low) / 2
    high = value + np.hypot(tpr.high - tpr.value, tnr.high - tnr.value) / 2
    ranks = pd.Series(np.concatenate(sure)).rank().to_numpy()[: len(sure[0])]
    n_in, n_out = len(sure[0]), len(sure[1])
    auc = (ranks.sum() - n_in * (n_in + 1) / 2) / (n_in * n_out)
    strict = np.sort(train_out)[::-1]
    cut = strict[min(int(np.floor(fpr * len(strict))), len(strict) - 1)]
    return Membership(
        Interval(float(value), float(low), float(high), tpr.confidence),
        float(auc),
        proportion_interval(int((test_in > cut).sum()), len(test_in)),
        fpr,
    )


def _confidence(model: Any, X: Any, y: Any) -> np.ndarray:
    classes = np.asarray(model.classes_)
    y = np.asarray(y)
    at = np.argmax(classes[None, :] == y[:, None], axis=1)
    unknown = classes[at] != y
    if unknown.any():
        raise PrivacyError(
            f"y holds {y[unknown][0]!r}, which the model does not know; it knows "
            f"{', '.join(map(str, classes))}."
        )
    p = model.predict_proba(X)[np.arange(len(y)), at]
    return np.log(np.maximum(p, 1e-12))


def _best_threshold(inside: np.ndarray, outside: np.ndarray) -> float:
    both = np.unique(np.concatenate([inside, outside]))
    tpr = 1 - np.searchsorted(np.sort(inside), both, "left") / len(inside)
    tnr = np.searchsorted(np.sort(outside), both, "left") / len(outside)
    return float(both[int((tpr + tnr).argmax())])


# ---- side by side ------------------------------------------------------------------------------------


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
