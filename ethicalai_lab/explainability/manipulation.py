"""Evidence on pressure: claims that time or stock runs out, who is aimed at, unequal choices.

The rows are measurements for a person to weigh; nothing here is a legal judgement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ethicalai_lab.explainability.errors import ExplanationError
from ethicalai_lab.stats import bootstrap_rows, percentile_interval

__all__ = ["choice_asymmetry", "urgency_claims", "vulnerability_targeting"]

_CLAIMS = (
    (
        "stock",
        r"\b(?:only|just|last)\s+(?P<units>\d{1,6})\s+(?:\w+\s+)?(?:left|remaining|in stock)\b",
    ),
    ("end", r"\bends?\s+in\s+(?P<count>\d{1,4})\s+(?P<span>hour|day)s?\b"),
    ("end", r"\b(?:ends?|only)\s+(?P<today>today|tonight)\b"),
    ("vague", r"\blast\s+chance\b|\bselling\s+(?:out\s+)?fast\b|\balmost\s+gone\b|\bhurry\b"),
)


def urgency_claims(
    texts: Sequence[str],
    *,
    sent: ArrayLike | None = None,
    stock: ArrayLike | None = None,
    ended: ArrayLike | None = None,
) -> pd.DataFrame:
    """Find claims of scarcity and countdowns, and lay them beside what was true.

    Parameters
    ----------
    texts : sequence of str of length n
        Messages, English.
    sent : array-like of datetime of shape (n,), optional
        When each was sent.
    stock : array-like of float of shape (n,), optional
        Units in stock at that moment.
    ended : array-like of datetime of shape (n,), optional
        When the offer really ended; an offer that was extended ended later.

    Returns
    -------
    pandas.DataFrame
        One row a claim: ``text`` (position), ``start``, ``end``, ``claim`` (the words),
        ``kind`` (stock, end or vague), ``said``, ``true`` (units, or hours to the end) and
        ``holds``: True, False, or None where nothing is known to hold it against. A claim
        of stock holds where no more is in stock than said; a claim of an end holds where
        the offer had ended by then.

    Raises
    ------
    ExplanationError
        If a text is no text, or another column has another length or kind.

    References
    ----------
    California Code of Regulations, title 11, section 7004; EDPB Guidelines 03/2022.

    Examples
    --------
    >>> urgency_claims(["Only 3 left!", "Hello"], stock=[250, 250])[["claim", "true", "holds"]]
              claim   true  holds
    0  Only 3 left  250.0  False
    """
    texts = list(texts)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ExplanationError(f"texts, row {row}: expected a text, but it is {text!r}.")
    left = _column("stock", stock, len(texts), lambda v: np.asarray(v, dtype=float))
    at, over = (
        _column(name, value, len(texts), lambda v: pd.to_datetime(pd.Series(list(v))))
        for name, value in (("sent", sent), ("ended", ended))
    )
    rows = []
    for i, text in enumerate(texts):
        for kind, pattern in _CLAIMS:
            for found in re.finditer(pattern, text, re.IGNORECASE):
                said, true = np.nan, np.nan
                parts = found.groupdict()
                if kind == "stock":
                    said = float(parts["units"])
                    true = float(left[i]) if left is not None else np.nan
                elif kind == "end" and at is not None and not pd.isna(at[i]):
                    if parts.get("today"):
                        midnight = at[i].normalize() + pd.Timedelta(days=1)
                        said = (midnight - at[i]).total_seconds() / 3600
                    else:
                        said = float(parts["count"]) * (24 if parts["span"].lower() == "day" else 1)
                    if over is not None and not pd.isna(over[i]):
                        true = (over[i] - at[i]).total_seconds() / 3600
                known = not (np.isnan(said) or np.isnan(true))
                holds = bool(true <= said) if known else None
                rows.append((i, *found.span(), found[0], kind, said, true, holds))
    columns = ["text", "start", "end", "claim", "kind", "said", "true", "holds"]
    table = pd.DataFrame(rows, columns=columns).astype({"said": float, "true": float})
    table["holds"] = table["holds"].astype(object)
    return table.sort_values(["text", "start"], ignore_index=True)


def vulnerability_targeting(
    exposed: ArrayLike,
    vulnerability: ArrayLike,
    *,
    relevance: ArrayLike | None = None,
    bands: int = 20,
    n_boot: int = 500,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Measure whether exposure rises with a vulnerability, beyond what relevance explains.

    Parameters
    ----------
    exposed : array-like of 0/1 of shape (n,)
        Who was aimed at.
    vulnerability : array-like of float of shape (n,)
        Such as financial stress.
    relevance : array-like of float of shape (n,), optional
        How relevant the offer is to each person, whatever their vulnerability.
    bands : int, default 20
        Bands of equal size into which relevance is cut, 1 or more.
    n_boot, seed : int
        Bootstrap replicates, and the source of their draws.
    confidence : float, default 0.95
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        Index ``unadjusted`` and, with `relevance`, ``beyond relevance``; columns value, low,
        high: the change of exposure, as a share, with one standard deviation more of the
        vulnerability. Beyond relevance, both are first freed of their line and of their
        mean in each band of relevance.

    Raises
    ------
    ExplanationError
        If a column has another length, is not finite, or does not vary; or exposed is not 0/1.

    References
    ----------
    Frisch, R. and Waugh, F. V. (1933). Partial time regressions as compared with
    individual trends. Econometrica 1(4).

    Examples
    --------
    >>> stress = np.linspace(0, 1, 200)
    >>> found = vulnerability_targeting(stress > 0.5, stress, n_boot=100)
    >>> bool(found.loc["unadjusted", "low"] > 0.3)
    True
    """
    y = _finite("exposed", exposed)
    v = _finite("vulnerability", vulnerability, len(y))
    if not np.isin(y, (0, 1)).all():
        raise ExplanationError("exposed: expected 0 or 1 for each person.")
    if bands < 1:
        raise ExplanationError(f"bands is {bands}; accepted: 1 or more.")
    if v.std() == 0:
        raise ExplanationError("vulnerability: it is the same for everyone; it must vary.")
    v = (v - v.mean()) / v.std()
    pairs = {"unadjusted": (y - y.mean(), v)}
    if relevance is not None:
        r = _finite("relevance", relevance, len(y))
        band = pd.Series(r).rank(method="first").sub(1).floordiv(len(r) / bands).astype(int)
        dummies = pd.get_dummies(band).to_numpy(dtype=float)
        design = np.column_stack([dummies, r])
        free = [x - design @ np.linalg.lstsq(design, x, rcond=None)[0] for x in (y, v)]
        if free[1].std() < 1e-9:
            raise ExplanationError("vulnerability: relevance explains all of it; they must differ.")
        pairs["beyond relevance"] = (free[0], free[1])
    rows = {}
    for name, (a, b) in pairs.items():

        def slope(at: np.ndarray, a: np.ndarray = a, b: np.ndarray = b) -> float:
            return float((a[at] * b[at]).sum() / (b[at] ** 2).sum())

        draws = bootstrap_rows(slope, len(y), n_boot, seed)
        found = percentile_interval(slope(np.arange(len(y))), draws, confidence)
        rows[name] = (found.value, found.low, found.high)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])


def _column(name: str, values: Any, n: int, convert: Callable[[Any], Any]) -> Any:
    if values is None:
        return None
    try:
        found = convert(values)
    except (TypeError, ValueError):
        raise ExplanationError(
            f"{name}: a value is of another kind than the column asks."
        ) from None
    if len(found) != n:
        raise ExplanationError(f"{name} has {len(found)} rows; the texts have {n}.")
    return found


def _finite(name: str, values: ArrayLike, n: int | None = None) -> np.ndarray:
    try:
        found = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise ExplanationError(f"{name}: expected a number for each person.") from None
    if found.ndim != 1 or len(found) < 2 or (n is not None and len(found) != n):
        raise ExplanationError(f"{name}: expected one number a person, as many as in exposed.")
    if not np.isfinite(found).all():
        row = int(np.flatnonzero(~np.isfinite(found))[0])
        raise ExplanationError(f"{name}, row {row}: the value is missing or infinite.")
    return found


def choice_asymmetry(accept_steps: Sequence[str], refuse_steps: Sequence[str]) -> pd.DataFrame:
    """Compare the path to accept with the path to refuse.

    Parameters
    ----------
    accept_steps, refuse_steps : sequence of str
        The text a person reads at each click, in order; one entry a click, at least one.

    Returns
    -------
    pandas.DataFrame
        Index ``clicks`` and ``words``; columns ``accept``, ``refuse`` and ``extra_to_refuse``
        (refuse minus accept, a count; positive means refusing is the longer path).

    Raises
    ------
    ExplanationError
        If a path is a single string, is empty, or holds a step that is not text.

    References
    ----------
    California Code of Regulations, title 11, section 7004(a)(2): symmetry in choice.

    Examples
    --------
    >>> choice_asymmetry(["Accept"], ["Manage settings", "Refuse"])["extra_to_refuse"].to_dict()
    {'clicks': 1, 'words': 2}
    """
    paths = {"accept": accept_steps, "refuse": refuse_steps}
    for name, steps in paths.items():
        if isinstance(steps, str) or not len(steps):
            raise ExplanationError(f"{name}_steps must be a list with one text for each click.")
        for number, step in enumerate(steps, 1):
            if not isinstance(step, str) or not step.strip():
                raise ExplanationError(f"{name}_steps: step {number} must be a text, got {step!r}.")
    table = pd.DataFrame(
        {n: [len(s), sum(len(t.split()) for t in s)] for n, s in paths.items()},
        index=["clicks", "words"],
    )
    table["extra_to_refuse"] = table["refuse"] - table["accept"]
    return table
