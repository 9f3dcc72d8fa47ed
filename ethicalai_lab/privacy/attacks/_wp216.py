"""The three tests of WP216: singling out, linkability, inference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.privacy.attacks._matching import Matcher, prepare, rows_of, sample
from ethicalai_lab.privacy.attacks._risk import Risk, risk_of
from ethicalai_lab.privacy.codes import column_codes, pack_codes
from ethicalai_lab.privacy.errors import PrivacyError, check_columns
from ethicalai_lab.privacy.hierarchies import Hierarchy

__all__ = ["inference", "linkability", "singling_out"]


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
    names = prepare(release, release if original is None else original, columns)
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
        matcher = Matcher(claimed, names, original, hierarchies)
        total = np.zeros(matcher.n_classes, np.int64)
        for _, fits in matcher.chunks(len(original)):
            total += fits.sum(axis=1)
        fitting = total[matcher.owner]
    hit = fitting == 1
    return risk_of(
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
    names = prepare(release, auxiliary, on)
    row_of = rows_of(release, auxiliary, truth)
    both = np.flatnonzero(row_of >= 0)
    chosen = both[sample(len(both), n_attacks, seed)]
    targets, row_of = auxiliary.iloc[chosen], row_of[chosen]
    matcher = Matcher(release, names, targets, hierarchies)
    rng = np.random.default_rng(seed + 1)
    hits = 0
    for rows, fits in matcher.chunks(len(targets)):
        own = fits[matcher.owner[row_of[rows]], np.arange(len(rows))]
        chance = np.where(own, 1.0 / np.maximum(matcher.sizes @ fits, 1), 0.0)
        hits += int((rng.random(len(rows)) < chance).sum())
    base = int((rng.random(len(targets)) < 1.0 / len(release)).sum())
    return risk_of("linkability", hits, len(targets), base, len(targets), confidence)


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
    names = prepare(release, targets, on)
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
    return risk_of("inference", int(hits.sum()), len(hits), int(base.sum()), len(base), confidence)


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
    chosen = targets.iloc[sample(len(targets), n_attacks, seed)]
    matcher = Matcher(release, names, chosen, hierarchies)
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
