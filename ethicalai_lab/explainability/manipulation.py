"""Evidence on pressure: claims that time or stock runs out, who is aimed at, unequal choices.

The rows are measurements for a person to weigh; nothing here is a legal judgement.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ethicalai_lab.core.times import read_times
from ethicalai_lab.explainability.errors import ExplanationError
from ethicalai_lab.stats import bootstrap_rows, percentile_interval

__all__ = [
    "choice_asymmetry",
    "contrast_ratio",
    "price_by_willingness",
    "repeated_claims",
    "urgency_claims",
    "vulnerability_targeting",
]

_CLAIMS = (
    (
        "stock",
        r"\b(?:only|just|last)\s+(?P<units>\d{1,6})\s+(?:\w+\s+)?(?:left|remaining|in stock)\b",
    ),
    ("end", r"\bends?\s+in\s+(?P<count>\d{1,4})\s+(?P<span>hour|day)s?\b"),
    ("end", r"\b(?:ends?|only)\s+(?P<today>today|tonight)\b"),
    ("vague", r"\blast\s+chance\b|\bselling\s+(?:out\s+)?fast\b|\balmost\s+gone\b|\bhurry\b"),
)

# "ends in 2 days", then "ends today" is one countdown: an end moved by this much is another
_SLACK = pd.Timedelta(hours=24)
_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_BUTTON = ("width", "height", "text", "background")


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
        When each was sent; "today" ends at midnight in its zone, without one in UTC.
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
    Directive 2005/29/EC, Annex I, point 7 (a false claim of a very limited time is unfair in
    all circumstances) and Art 6 (false figures of stock).

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
        _times(name, value, len(texts)) for name, value in (("sent", sent), ("ended", ended))
    )
    given = list(sent) if at is not None else []
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
                        said = _hours_of_today(given[i], at[i])
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


def repeated_claims(
    texts: Sequence[str],
    customers: ArrayLike,
    *,
    sent: ArrayLike,
    ended: ArrayLike | None = None,
    offers: ArrayLike | None = None,
) -> pd.DataFrame:
    """Find claims of an end that came again, or whose end came later than said.

    Parameters
    ----------
    texts : sequence of str of length n
        Messages, English.
    customers : array-like of shape (n,)
        Who got each.
    sent : array-like of datetime of shape (n,)
        When each was sent.
    ended : array-like of datetime of shape (n,), optional
        When the offer really ended.
    offers : array-like of shape (n,), optional
        Which offer each is about; by default all are about one.

    Returns
    -------
    pandas.DataFrame
        One row a claim of an end, or a vague one such as "last chance", in order of time:
        ``text`` (position), ``customer``, ``offer``, ``sent``, ``claim`` (the words),
        ``earlier`` (how many earlier messages put the same claim to the same person),
        ``hours_over`` (how much later than said the offer ended; negative where earlier) and
        ``extended``: True, False, or None where no end was said or none is known. Vague claims
        are the same where their words are; claims of an end are the same where the later one
        moves the end said before, or repeats its words: a countdown to one end is none.

    Raises
    ------
    ExplanationError
        If a column has another length or kind, or a time or person is missing.

    References
    ----------
    Mathur, A. et al. (2019). Dark patterns at scale. Proc. ACM Hum.-Comput. Interact.
    3(CSCW), article 81: countdowns and limited-time messages.

    Examples
    --------
    >>> found = repeated_claims(
    ...     ["Ends today", "Ends today"], [1, 1], sent=["2026-01-12 09:00", "2026-01-13 09:00"]
    ... )
    >>> found["earlier"].tolist()
    [0, 1]
    """
    claims = urgency_claims(texts, sent=sent, ended=ended)
    n = len(texts)
    at = _times("sent", sent, n)
    who = _column("customers", customers, n, lambda v: pd.Series(list(v), dtype=object))
    what = _column("offers", offers, n, lambda v: pd.Series(list(v), dtype=object))
    if what is None:
        what = pd.Series("all", index=range(n), dtype=object)
    for name, column in (("sent", at), ("customers", who), ("offers", what)):
        if column.isna().any():
            row = int(np.flatnonzero(column.isna())[0])
            raise ExplanationError(f"{name}, row {row}: the value is missing.")
    claims = claims[claims["kind"] != "stock"].copy()
    claims["sent"] = at.reindex(claims["text"]).to_numpy()
    claims = claims.sort_values(["sent", "text", "start"])
    seen: dict[tuple, list[tuple[int, str, Any]]] = {}
    rows = []
    for row in claims.itertuples():
        key = (who[row.text], what[row.text], row.kind)
        words = " ".join(row.claim.lower().split())
        until = None if np.isnan(row.said) else row.sent + pd.Timedelta(hours=row.said)
        before = {
            text
            for text, earlier, end in seen.setdefault(key, [])
            # the same end said twice in other words is a countdown, a later end is a new claim
            if text != row.text
            and (earlier == words or (None not in (until, end) and until - end >= _SLACK))
        }
        seen[key].append((row.text, words, until))
        over = row.true - row.said
        extended = None if np.isnan(over) else bool(over > 0)
        rows.append((row.text, *key[:2], row.sent, row.claim, len(before), over, extended))
    columns = ["text", "customer", "offer", "sent", "claim", "earlier", "hours_over", "extended"]
    table = pd.DataFrame(rows, columns=columns).astype({"hours_over": float})
    table["extended"] = table["extended"].astype(object)
    return table


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


def price_by_willingness(
    price: ArrayLike,
    willingness: ArrayLike,
    cost: ArrayLike | None = None,
    *,
    uniform_price: float | None = None,
    n_boot: int = 500,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Measure whether the price offered follows what a person would pay, beyond cost.

    Parameters
    ----------
    price : array-like of float of shape (n,)
        Price offered to each person, in money; a discount is given as a negative amount.
    willingness : array-like of float of shape (n,)
        Estimated willingness to pay, in money, or a trait such as financial stress.
    cost : array-like of float of shape (n,), optional
        What serving each person costs, in money.
    uniform_price : float, optional
        The price to hold each person's against. By default the one that would bring the same
        total: the mean price or, with `cost`, each person's cost plus the mean margin.
    n_boot, seed : int
        Bootstrap replicates of the people, and the source of their draws.
    confidence : float, default 0.95
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        Index ``slope`` and ``share above uniform``; columns value, low, high. The slope is
        the change of price with one unit more of `willingness`, at the same cost; the share
        is of people who pay over half a cent more than the uniform price.

    Raises
    ------
    ExplanationError
        If a column has another length, is not finite or does not vary, or cost explains
        all of the willingness.

    References
    ----------
    Bergemann, D., Brooks, B. and Morris, S. (2015). The limits of price discrimination.
    American Economic Review 105(3).

    Examples
    --------
    >>> would_pay = np.linspace(10, 30, 200)
    >>> found = price_by_willingness(5 + 0.5 * would_pay, would_pay)
    >>> float(found.loc["slope", "value"].round(6))
    0.5
    """
    y = _finite("price", price, like="price")
    w = _finite("willingness", willingness, len(y), like="price")
    c = np.zeros(len(y)) if cost is None else _finite("cost", cost, len(y), like="price")
    if w.std() == 0:
        raise ExplanationError("willingness: it is the same for everyone; it must vary.")
    if uniform_price is not None and not np.isfinite(uniform_price):
        raise ExplanationError(f"uniform_price is {uniform_price!r}; a finite amount is accepted.")
    w0, y0, spread = w.mean(), y.mean(), w.std()
    z = (w - w0) / spread
    varies = c.std() > 0
    fixed = np.column_stack([np.ones(len(y)), *([(c - c.mean()) / c.std()] if varies else [])])
    left = z - fixed @ np.linalg.lstsq(fixed, z, rcond=None)[0]
    if left.std() < 1e-9:
        raise ExplanationError("willingness: cost explains all of it; they must differ.")
    design = np.column_stack([fixed, z])
    margin = y - c

    def measure(at: np.ndarray) -> np.ndarray:
        x = design[at]
        line = np.linalg.lstsq(x.T @ x, x.T @ (y[at] - y0), rcond=None)[0]
        own = uniform_price is None
        over = margin[at] - margin[at].mean() if own else y[at] - uniform_price
        return np.array([line[-1] / spread, (over > 0.005).mean()])

    value = measure(np.arange(len(y)))
    draws = bootstrap_rows(measure, len(y), n_boot, seed)
    found = [
        percentile_interval(float(v), d, confidence) for v, d in zip(value, draws.T, strict=True)
    ]
    return pd.DataFrame(
        [(f.value, f.low, f.high) for f in found],
        index=["slope", "share above uniform"],
        columns=["value", "low", "high"],
    )


def _times(name: str, values: Any, n: int) -> Any:
    if values is None:
        return None
    found = pd.Series(read_times(values, name, missing=True, error=ExplanationError))
    if len(found) != n:
        raise ExplanationError(f"{name} has {len(found)} rows; the texts have {n}.")
    return found


def _hours_of_today(value: Any, moment: pd.Timestamp) -> float:
    """Return the hours left of the day on which a message was sent, in the zone it names."""
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            value = None
    zone = getattr(value, "tzinfo", None)
    local = moment.tz_localize("UTC").tz_convert(zone) if zone else moment
    midnight = local.normalize() + pd.DateOffset(days=1)
    return (midnight - local).total_seconds() / 3600


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


def _finite(
    name: str, values: ArrayLike, n: int | None = None, *, like: str = "exposed"
) -> np.ndarray:
    try:
        found = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise ExplanationError(f"{name}: expected a number for each person.") from None
    if found.ndim != 1 or len(found) < 2 or (n is not None and len(found) != n):
        raise ExplanationError(f"{name}: expected one number a person, as many as in {like}.")
    if not np.isfinite(found).all():
        row = int(np.flatnonzero(~np.isfinite(found))[0])
        raise ExplanationError(f"{name}, row {row}: the value is missing or infinite.")
    return found


def contrast_ratio(first: str, second: str) -> float:
    """Return the contrast ratio of two colours as WCAG 2.2 defines it.

    Parameters
    ----------
    first, second : str
        Colours as ``"#rrggbb"``, sRGB.

    Returns
    -------
    float
        From 1 (the same) to 21 (black on white).

    Raises
    ------
    ExplanationError
        If a colour is written otherwise.

    References
    ----------
    W3C (2023). Web Content Accessibility Guidelines 2.2: contrast ratio, relative luminance.

    Examples
    --------
    >>> round(contrast_ratio("#000000", "#ffffff"), 2), round(contrast_ratio("#777777", "#ffffff"), 2)
    (21.0, 4.48)
    """
    light = []
    for colour in (first, second):
        if not isinstance(colour, str) or not _HEX.fullmatch(colour):
            raise ExplanationError(f"{colour!r} is no colour; written as '#rrggbb' it is accepted.")
        parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        light.append(float(linear @ (0.2126, 0.7152, 0.0722)))
    return (max(light) + 0.05) / (min(light) + 0.05)


def choice_asymmetry(
    accept_steps: Sequence[str],
    refuse_steps: Sequence[str],
    *,
    accept_button: Mapping[str, Any] | None = None,
    refuse_button: Mapping[str, Any] | None = None,
    page: str = "#ffffff",
) -> pd.DataFrame:
    """Compare the path to accept with the path to refuse.

    Parameters
    ----------
    accept_steps, refuse_steps : sequence of str
        The text a person reads at each click, in order; one entry a click, at least one.
    accept_button, refuse_button : mapping, optional
        How each looks where it is first shown: ``width`` and ``height`` in CSS pixels, and
        the colours ``text`` and ``background`` as ``"#rrggbb"``. Both or neither.
    page : str, default "#ffffff"
        Colour of the page behind the buttons.

    Returns
    -------
    pandas.DataFrame
        Index ``clicks`` and ``words``; columns ``accept``, ``refuse`` and ``extra_to_refuse``
        (refuse minus accept, a count; positive means refusing is the longer path). With
        buttons also ``area`` (square CSS pixels), ``text contrast`` (words on their button)
        and ``surface contrast`` (button on the page), both as WCAG contrast ratios, 1 to 21;
        there a negative difference means refusing is less prominent.

    Raises
    ------
    ExplanationError
        If a path is a single string, is empty, or holds a step that is not text; or a
        button misses a measure, or has one that is not positive or no colour.

    References
    ----------
    California Code of Regulations, title 11, section 7004(a)(2): symmetry in choice.
    W3C (2023). Web Content Accessibility Guidelines 2.2: contrast ratio.

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
    if (accept_button is None) != (refuse_button is None):
        raise ExplanationError("accept_button and refuse_button belong together; give both.")
    if accept_button is not None and refuse_button is not None:
        looks = {"accept": accept_button, "refuse": refuse_button}
        seen = pd.DataFrame({n: _prominence(f"{n}_button", b, page) for n, b in looks.items()})
        table = pd.concat([table.astype(object), seen.astype(object)])
    table["extra_to_refuse"] = table["refuse"] - table["accept"]
    return table


def _prominence(name: str, button: Mapping[str, Any], page: str) -> dict[str, float]:
    if not isinstance(button, Mapping):
        raise ExplanationError(f"{name} must be a mapping with {', '.join(_BUTTON)}.")
    for key in _BUTTON:
        if key not in button:
            raise ExplanationError(f"{name} misses {key!r}; needed are {', '.join(_BUTTON)}.")
    for key in ("width", "height"):
        size = button[key]
        number = isinstance(size, int | float | np.number) and not isinstance(size, bool)
        if not number or not np.isfinite(size) or size <= 0:
            raise ExplanationError(f"{name}, {key}: {size!r} is no size; above 0 is accepted.")
    contrasts = {}
    for label, pair in (
        ("text contrast", (button["text"], button["background"])),
        ("surface contrast", (button["background"], page)),
    ):
        try:
            contrasts[label] = contrast_ratio(*pair)
        except ExplanationError as fault:
            raise ExplanationError(f"{name}: {fault}") from None
    return {"area": float(button["width"] * button["height"]), **contrasts}
