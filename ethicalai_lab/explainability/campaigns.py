"""One campaign's evidence on pressure, in one table: what was measured and what was not.

Every reading is computed from the value and its interval, and describes; what follows from
it is for people to decide.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ethicalai_lab.explainability._text import clean
from ethicalai_lab.explainability._themes import COLOURS, tabled, themed
from ethicalai_lab.explainability.errors import ExplanationError
from ethicalai_lab.explainability.manipulation import (
    choice_asymmetry,
    price_by_willingness,
    repeated_claims,
    urgency_claims,
    vulnerability_targeting,
)
from ethicalai_lab.stats import Interval, proportion_interval

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CampaignReport", "check_campaign"]

_COLUMNS = ("check", "subject", "value", "low", "high", "unit", "n", "evidence", "reading")
_VULNERABILITIES = ("financial_stress", "health_interest")
_CLAIMS = "urgency and scarcity claims"
_REPEATS = "repeated or extended claims"
_TARGETING = "targeting by vulnerability"
_PRICE = "price by willingness"
_CHOICE = "asymmetry of choice"
_POINTS = "percentage points, lowest to highest fifth"
_CSS = (
    ".eal-campaign{font:1rem/1.4 sans-serif;padding:1rem}"
    ".eal-campaign div{overflow-x:auto;background:inherit}"
    + tabled(".eal-campaign", "border:1px solid #767676;color:inherit;background:inherit")
    + themed(
        ".eal-campaign", *(f"color:{ink};background:{paper}" for ink, paper in COLOURS.values())
    )
)


@dataclass(frozen=True, eq=False)
class CampaignReport:
    """What was measured of one campaign.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a measurement; columns check, subject, value, low, high, unit, n, evidence and
        reading. Where nothing was measured the value is missing and the reading says what is
        needed; where nothing was sampled, as with clicks, there is no interval.
    claims : pandas.DataFrame or None
        Every claim found, as by `urgency_claims`.
    repeats : pandas.DataFrame or None
        Every claim of an end, as by `repeated_claims`.
    confidence : float
        Of the intervals.

    Examples
    --------
    >>> report = check_campaign(accept_steps=["Yes"], refuse_steps=["More", "No"])
    >>> report.table.dropna(subset="value")[["subject", "value"]].to_dict("split")["data"]
    [['extra clicks to refuse', 1.0], ['extra words to refuse', 1.0]]
    """

    table: pd.DataFrame
    claims: pd.DataFrame | None
    repeats: pd.DataFrame | None
    confidence: float

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS[1:])
        rows = "".join(
            f'<tr><th scope="row">{html.escape(clean(r.check))}</th>'
            + "".join(
                f"<td>{html.escape(clean(x if isinstance(x, str) else _number(x)))}</td>"
                for x in tuple(r)[1:]
            )
            + "</tr>"
            for r in self.table.itertuples(index=False)
        )
        caption = f"Evidence on one campaign; intervals of {100 * self.confidence:g} %"
        return (
            f'<section class="eal-campaign" lang="en"><style>{_CSS}</style>'
            f'<div role="region" tabindex="0" aria-label="{caption}"><table>'
            f'<caption>{caption}</caption><thead><tr><th scope="col">check</th>{head}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div></section>"
        )


def check_campaign(
    *,
    messages: pd.DataFrame | None = None,
    people: pd.DataFrame | None = None,
    accept_steps: Sequence[str] | None = None,
    refuse_steps: Sequence[str] | None = None,
    accept_button: Mapping[str, Any] | None = None,
    refuse_button: Mapping[str, Any] | None = None,
    page: str = "#ffffff",
    uniform_price: float | None = None,
    n_boot: int = 500,
    seed: int = 0,
    confidence: float = 0.95,
) -> CampaignReport:
    """Join the checks for one campaign; return evidence, and leave the judgement to people.

    A check runs where its columns are there. What could not be checked stays in the table,
    with what it needs.

    Parameters
    ----------
    messages : pandas.DataFrame, optional
        One row a message sent: ``text``, and where known ``customer_id``, ``time`` (sent),
        ``stock`` (units then), ``ended`` (when the offer really ended) and ``offer``.
    people : pandas.DataFrame, optional
        One row a person who could have been reached: ``exposed`` (0/1), ``relevance``,
        ``financial_stress``, ``health_interest``, ``price`` (offered, in money),
        ``willingness`` (estimated, in money) and ``cost``; each where known.
    accept_steps, refuse_steps, accept_button, refuse_button, page
        As `choice_asymmetry` takes them.
    uniform_price : float, optional
        As `price_by_willingness` takes it.
    n_boot, seed : int
        Bootstrap replicates, and the source of their draws.
    confidence : float, default 0.95
        Of the intervals, in (0, 1).

    Returns
    -------
    CampaignReport

    Raises
    ------
    ExplanationError
        If a column misses a value or holds one of another kind, or only one path is given.

    References
    ----------
    EDPB Guidelines 03/2022 on deceptive design patterns; Mathur, A. et al. (2019), Proc.
    ACM Hum.-Comput. Interact. 3(CSCW), article 81.

    Examples
    --------
    >>> import pandas as pd
    >>> sent = pd.DataFrame({"text": ["Only 3 left"] * 4, "stock": [3, 250, 250, 250]})
    >>> report = check_campaign(messages=sent)
    >>> report.table["reading"][0]
    '75.0 % of the stock claims do not hold, interval 30.1 % to 95.4 %.'
    """
    import pandas as pd

    if not 0 < confidence < 1:
        raise ExplanationError(
            f"confidence is {confidence!r}; a number between 0 and 1 is accepted."
        )
    for name, given in (("messages", messages), ("people", people)):
        if given is not None and (not isinstance(given, pd.DataFrame) or given.empty):
            raise ExplanationError(f"{name} must be a table with at least one row.")
    rows: list[tuple] = []
    claims = _claims(messages, confidence, rows)
    repeats = _repeats(messages, confidence, rows)
    boot = {"n_boot": n_boot, "seed": seed, "confidence": confidence}
    _targeting(people, boot, rows)
    _price(people, uniform_price, boot, rows)
    _choice(accept_steps, refuse_steps, accept_button, refuse_button, page, rows)
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    table = table.astype({"value": float, "low": float, "high": float, "n": int})
    return CampaignReport(table, claims, repeats, confidence)


# ------------------------------------------------------------------------ the checks


def _claims(messages: pd.DataFrame | None, confidence: float, rows: list) -> pd.DataFrame | None:
    if messages is None or "text" not in messages:
        rows.append(_missing(_CLAIMS, "claims", "column text in messages"))
        return None
    found = _call(
        urgency_claims,
        list(messages["text"]),
        sent=_given(messages, "time"),
        stock=_given(messages, "stock"),
        ended=_given(messages, "ended"),
    )
    needs = {"stock": ("stock",), "end": ("time", "ended")}
    for kind, columns in needs.items():
        lacking = [c for c in columns if c not in messages]
        if lacking:
            rows.append(_missing(_CLAIMS, f"{kind} claims", _columns(lacking, "messages")))
            continue
        known = found[(found["kind"] == kind) & found["holds"].notna()]
        false = known[known["holds"] == False]  # noqa: E712  (three-valued)
        shown = "; ".join(
            f'message {r.text}: "{r.claim}", said {r.said:g}, true {r.true:g}'
            for r in false.head(3).itertuples()
        )
        unit = "units" if kind == "stock" else "hours to the end"
        rows.append(
            _share(
                _CLAIMS,
                f"{kind} claims",
                len(false),
                len(known),
                confidence,
                "share of claims",
                f"{shown} ({unit})" if shown else f"none of {len(known)} claims",
                f"of the {kind} claims do not hold",
                f"{kind} claims that can be held against the truth",
            )
        )
    open_ = found[found["holds"].isna()]
    words = sorted({w.lower() for w in open_["claim"]})
    reading = (
        f"{len(open_)} of {len(found)} claims cannot be held against anything given: they name "
        "no number and no end, or their truth is not known. Whether one came again to the same "
        "person is counted apart."
        if len(open_)
        else f"Each of the {len(found)} claims found could be held against the truth."
    )
    evidence = "; ".join(f'"{w}"' for w in words[:5]) or "none"
    rows.append(
        (
            _CLAIMS,
            "claims with nothing to hold them against",
            len(open_),
            math.nan,
            math.nan,
            "claims",
            len(found),
            evidence,
            reading,
        )
    )
    return found


def _repeats(messages: pd.DataFrame | None, confidence: float, rows: list) -> pd.DataFrame | None:
    needed = ("text", "customer_id", "time")
    lacking = [c for c in needed if messages is None or c not in messages]
    if messages is None or lacking:
        for subject in ("sent again", "end extended"):
            extra = ["ended"] if subject == "end extended" else []
            extra = [c for c in extra if messages is None or c not in messages]
            rows.append(_missing(_REPEATS, subject, _columns([*lacking, *extra], "messages")))
        return None
    found = _call(
        repeated_claims,
        list(messages["text"]),
        list(messages["customer_id"]),
        sent=messages["time"],
        ended=_given(messages, "ended"),
        offers=_given(messages, "offer"),
    )
    # people, not messages: two mails to one person are not two independent findings
    again = found.groupby("customer")["earlier"].max() if len(found) else found["earlier"]
    words = found.loc[found["earlier"] > 0, "claim"].str.lower().value_counts()
    rows.append(
        _share(
            _REPEATS,
            "sent again",
            int((again > 0).sum()),
            len(again),
            confidence,
            "share of people told so",
            "; ".join(f'"{w}" again {k} times' for w, k in words.head(3).items()) or "none",
            "of the people told that an offer ends were sent the same claim again",
            "people told that an offer ends",
        )
    )
    if "ended" not in messages:
        rows.append(_missing(_REPEATS, "end extended", _columns(["ended"], "messages")))
        return found
    known = found[found["extended"].notna()]
    told = known.assign(extended=known["extended"].astype(bool)).groupby("customer")["extended"]
    hours = known.loc[known["extended"] == True, "hours_over"]  # noqa: E712  (three-valued)
    rows.append(
        _share(
            _REPEATS,
            "end extended",
            int(told.max().sum()) if len(known) else 0,
            told.ngroups,
            confidence,
            "share of people told so",
            f"median {hours.median():.1f} hours later than said" if len(hours) else "none",
            "of the people told an end saw the offer go on after it",
            "people told an end that is known",
        )
    )
    return found


def _targeting(people: pd.DataFrame | None, boot: dict, rows: list) -> None:
    for name in _VULNERABILITIES:
        lacking = [c for c in ("exposed", name) if people is None or c not in people]
        if people is None or lacking:
            rows.append(_missing(_TARGETING, name, _columns(lacking, "people")))
            continue
        exposed, trait = _numbers(people, "exposed"), _numbers(people, name, vary=True)
        relevance = _numbers(people, "relevance") if "relevance" in people else None
        found = _call(
            vulnerability_targeting,
            exposed,
            trait,
            relevance=relevance,
            prefix=f"people, column {name}: ",
            **boot,
        )
        low, high = _fifths(trait)
        # the measured slope is a standard deviation's; people read lowest against highest better
        points = 100 * float(trait[high].mean() - trait[low].mean()) / float(trait.std())
        last = Interval(*(points * found.iloc[-1]), confidence=boot["confidence"])
        raw = points * found.loc["unadjusted", "value"]
        rows.append(
            (
                _TARGETING,
                name,
                last.value,
                last.low,
                last.high,
                _POINTS,
                len(trait),
                f"exposed: {100 * exposed[low].mean():.1f} % of the lowest fifth by "
                f"{_words(name)}, {100 * exposed[high].mean():.1f} % of the highest",
                _read_targeting(_words(name), last, raw, relevance is not None),
            )
        )


def _price(
    people: pd.DataFrame | None, uniform_price: float | None, boot: dict, rows: list
) -> None:
    share = None
    for name in ("willingness", "financial_stress"):
        lacking = [c for c in ("price", name) if people is None or c not in people]
        if people is None or lacking:
            rows.append(_missing(_PRICE, f"slope on {name}", _columns(lacking, "people")))
            continue
        price, trait = _numbers(people, "price"), _numbers(people, name, vary=True)
        cost = _numbers(people, "cost") if "cost" in people else None
        found = _call(
            price_by_willingness,
            price,
            trait,
            cost,
            uniform_price=uniform_price,
            prefix=f"people, column {name}: ",
            **boot,
        )
        slope = Interval(*found.loc["slope"], confidence=boot["confidence"])
        share = Interval(*found.loc["share above uniform"], confidence=boot["confidence"])
        low, high = _fifths(trait)
        rows.append(
            (
                _PRICE,
                f"slope on {name}",
                slope.value,
                slope.low,
                slope.high,
                f"money per unit of {_words(name)}",
                len(price),
                f"mean price: {price[low].mean():.2f} in the lowest fifth by {_words(name)}, "
                f"{price[high].mean():.2f} in the highest",
                _read_price(_words(name), slope, cost is not None),
            )
        )
    subject = "share above the uniform price"
    if people is None or share is None:
        rows.append(
            _missing(_PRICE, subject, "columns price and willingness or financial_stress in people")
        )
        return
    price = _numbers(people, "price")
    against = (
        f"{uniform_price:.2f}"
        if uniform_price is not None
        else f"the mean price {price.mean():.2f}"
        if "cost" not in people
        else f"cost plus the mean margin {(price - _numbers(people, 'cost')).mean():.2f}"
    )
    rows.append(
        (
            _PRICE,
            subject,
            share.value,
            share.low,
            share.high,
            "share of people",
            len(price),
            f"held against {against}; prices from {price.min():.2f} to {price.max():.2f}",
            f"{_percent(share.value)} of the people were offered more than {against}, "
            f"interval {_percent(share.low)} to {_percent(share.high)}.",
        )
    )


def _choice(
    accept: Any, refuse: Any, accept_button: Any, refuse_button: Any, page: str, rows: list
) -> None:
    if (accept is None) != (refuse is None):
        raise ExplanationError("accept_steps and refuse_steps belong together; give both.")
    if (accept_button is None) != (refuse_button is None):
        raise ExplanationError("accept_button and refuse_button belong together; give both.")
    # buttons can be compared without the paths: one step each adds nothing of its own
    path = (["a"], ["a"]) if accept is None else (accept, refuse)
    found = choice_asymmetry(
        *path, accept_button=accept_button, refuse_button=refuse_button, page=page
    )
    for name in ("clicks", "words"):
        subject = f"extra {name} to refuse"
        if accept is None:
            rows.append(_missing(_CHOICE, subject, "accept_steps and refuse_steps"))
            continue
        a, r, extra = (int(x) for x in found.loc[name])
        more = "as many" if extra == 0 else f"{abs(extra)} {'more' if extra > 0 else 'fewer'}"
        noun = name[:-1] if abs(extra) == 1 else name
        reading = f"Refusing takes {more} {noun} {'as' if extra == 0 else 'than'} accepting."
        rows.append(_exact(subject, extra, name, f"accept {a}, refuse {r}", reading))
    for name in ("area", "text contrast", "surface contrast"):
        subject = f"{name}, accept over refuse"
        if accept_button is None:
            rows.append(_missing(_CHOICE, subject, "accept_button and refuse_button"))
            continue
        a, r = float(found.loc[name, "accept"]), float(found.loc[name, "refuse"])
        more = 100 * (a / r - 1)
        size = "the same" if abs(more) < 0.05 else f"{abs(more):.1f} % "
        size += "" if abs(more) < 0.05 else "more" if more > 0 else "less"
        reading = f"The accept button has {size} {name} {'as' if 'same' in size else 'than'} "
        unit = "percent more" if name == "area" else "percent more, WCAG contrast ratio"
        rows.append(
            _exact(
                subject, more, unit, f"accept {a:.4g}, refuse {r:.4g}", reading + "the refuse one."
            )
        )


# --------------------------------------------------------------------- the sentences


def _read_targeting(name: str, found: Interval, raw: float, adjusted: bool) -> str:
    span = f"interval {found.low:.1f} to {found.high:.1f}"
    size = f"{abs(found.value):.1f} points from the lowest to the highest fifth"
    among = " among people of like relevance" if adjusted else ""
    if found.low > 0 or found.high < 0:
        verb = "rises" if found.value > 0 else "falls"
        text = f"Exposure {verb} with {name} by {size}{among}, {span}"
    else:
        text = (
            f"Exposure differs by {found.value:.1f} points from the lowest to the highest fifth "
            f"by {name}{among}, {span}; it includes 0, so no rise or fall is shown"
        )
    if adjusted:
        return f"{text}; relevance explains {raw - found.value:.1f} of {raw:.1f} points."
    return f"{text}; how much of it relevance explains is not known: no relevance was given."


def _read_price(name: str, found: Interval, adjusted: bool) -> str:
    at = " at the same cost" if adjusted else ""
    span = f"interval {found.low:.3f} to {found.high:.3f}"
    tail = "." if adjusted else "; no cost was given, so none of it is set against cost."
    if found.low > 0 or found.high < 0:
        verb = "rises" if found.value > 0 else "falls"
        return (
            f"The price {verb} by {abs(found.value):.3f} for each unit more of {name}{at}, "
            f"{span}{tail}"
        )
    return (
        f"The price differs by {found.value:.3f} for each unit more of {name}{at}, {span}; "
        f"it includes 0, so no rise or fall is shown{tail}"
    )


def _share(
    check: str,
    subject: str,
    hits: int,
    n: int,
    confidence: float,
    unit: str,
    evidence: str,
    of: str,
    none: str,
) -> tuple:
    if n == 0:
        reading = f"There are no {none}."
        return (check, subject, math.nan, math.nan, math.nan, unit, 0, "none found", reading)
    found = proportion_interval(hits, n, confidence)
    reading = f"{_percent(found.value)} {of}, interval {_percent(found.low)} to "
    reading += f"{_percent(found.high)}."
    return (check, subject, found.value, found.low, found.high, unit, n, evidence, reading)


def _exact(subject: str, value: float, unit: str, evidence: str, reading: str) -> tuple:
    # read off one interface: nothing is sampled, so there is no interval
    return (_CHOICE, subject, value, math.nan, math.nan, unit, 1, evidence, reading)


def _missing(check: str, subject: str, needs: str) -> tuple:
    nan = math.nan
    return (check, subject, nan, nan, nan, "", 0, "", f"not checked: needs {needs}")


def _columns(names: Sequence[str], table: str) -> str:
    return f"column{'s' if len(names) > 1 else ''} {' and '.join(names)} in {table}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _number(value: Any) -> str:
    if isinstance(value, int | np.integer):
        return str(int(value))
    return "" if math.isnan(value) else f"{value:.4g}"


# -------------------------------------------------------------------------- the input


def _given(table: pd.DataFrame, name: str) -> Any:
    return table.get(name)


def _call(function: Any, *args: Any, prefix: str = "messages: ", **kwargs: Any) -> Any:
    """Call a check of this room, and name the table in its complaint."""
    try:
        return function(*args, **kwargs)
    except ExplanationError as fault:
        raise ExplanationError(f"{prefix}{fault}") from None


def _numbers(people: pd.DataFrame, name: str, vary: bool = False) -> np.ndarray:
    values = []
    for row, value in enumerate(people[name]):
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise ExplanationError(
                f"people, column {name}, row {row}: expected a finite number, not {value!r}."
            )
        values.append(number)
    if len(values) < 5:
        raise ExplanationError(
            f"people has {len(values)} rows; at least 5 are needed, for fifths of column {name}."
        )
    found = np.array(values)
    if name == "exposed" and not np.isin(found, (0, 1)).all():
        row = int(np.flatnonzero(~np.isin(found, (0, 1)))[0])
        raise ExplanationError(
            f"people, column exposed, row {row}: expected 0 or 1, not {found[row]:g}."
        )
    if vary and found.std() == 0:
        raise ExplanationError(f"people, column {name}: it is the same for everyone; it must vary.")
    return found


def _fifths(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the lowest and of the highest fifth."""
    order = np.argsort(values, kind="stable")
    k = max(1, len(values) // 5)
    return order[:k], order[-k:]
