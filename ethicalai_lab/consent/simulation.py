"""People who may say no meet a banner, and live with what was made of their answer.

No study has measured these banners on these people. What was published on other questions
and other people stands in :data:`STUDIES`; each yes-rate used here is an assumption with a
name, to be moved and doubted, and ``Assumptions().table()`` says which study it leans on.

The model: a person's answer follows what they truly accept, bent by the banner, by concern
and by trust; tired people follow their will less and the banner more. Who granted without
meaning it may find out, then loses trust, and may withdraw or leave. Trust also grows
slowly where a house is open. Value comes from mail to those who permit it and from the
ordinary purchases of those who stay.

References
----------
Utz et al. (CCS 2019); Nouwens et al. (CHI 2020); Bellman, Johnson, Lohse (CACM 2001);
Johnson, Bellman, Lohse (Marketing Letters 2002); Chandrashekar et al. (Meta-Psychology 2023);
Johnson, Shriver, Du (2020); Kim, Barasz, John (JCR 2019).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ethicalai_lab.consent.errors import ConsentError
from ethicalai_lab.consent.purposes import REGIMES, Purposes
from ethicalai_lab.core.times import read_moment

if TYPE_CHECKING:
    import pandas as pd

    from ethicalai_lab.stats import Interval

__all__ = [
    "BANNERS",
    "STUDIES",
    "Assumptions",
    "Banner",
    "Course",
    "Meeting",
    "answer_chance",
    "calibrate",
    "compare_designs",
    "meet",
    "population",
    "simulate",
    "studies",
]

_DEFAULTS = "Bellman, Johnson, Lohse 2001 and 2002: consent to mail about health surveys"
# what was found: (figure, unit, source, caution)
STUDIES = {
    "empty box: notify me": (
        0.48,
        "said yes",
        _DEFAULTS,
        "an empty box, not two buttons",
    ),
    "ticked box: notify me": (
        0.74,
        "said yes",
        _DEFAULTS,
        "about 74 %; a ticked box, worded as the empty one",
    ),
    "empty box: do NOT notify me": (
        0.96,
        "said yes",
        _DEFAULTS,
        "empty too, with the wording turned round: no figure for a ticked box",
    ),
    "default, tried again": (
        -0.006,
        "points added",
        "Chandrashekar et al. 2023: 1,920 people, preregistered",
        "no effect of the default (60.5 and 61.1 %), a large one of the wording",
    ),
    "no refusal on the first page": (
        0.225,
        "points added",
        "Nouwens et al. 2020: an experiment with 40 people",
        "22 to 23 points; rests on 40 people, the direction is supported elsewhere",
    ),
    "granular, nothing preselected": (
        0.001,
        "allow everything",
        "Utz et al. 2019: one German shop, over 80,000 visitors",
        "all categories and vendors; no general rate of consent",
    ),
}
NEEDED = ("customer_id", "privacy_concern", "trust", "fatigue_sensitivity", "accepts")


@dataclass(frozen=True)
class Banner:
    """A way of asking.

    Attributes
    ----------
    name : str
    title : str
    honest : bool
        Whether saying no is as easy as saying yes.
    valid : bool
        Whether a yes through it can be consent at all under the GDPR.
    evidence : str
        Where its opt-in rate comes from.
    law : str
        What the law says of it.
    source : str
        How a yes through it is recorded in a ledger.
    """

    name: str
    title: str
    honest: bool
    valid: bool
    evidence: str
    law: str
    source: str = "banner"


BANNERS = {
    banner.name: banner
    for banner in (
        Banner(
            "neutral",
            "Two equal buttons",
            True,
            True,
            "assumption near a published figure",
            "Refusing is as easy as accepting (GDPR Art 7; 11 CCR 7004(a)(2)).",
        ),
        Banner(
            "nudging",
            "The yes shines",
            False,
            True,
            "direction only (Utz et al. 2019)",
            "Nudging makes a yes less free; where it subverts the choice it is no consent.",
        ),
        Banner(
            "pay_or_okay",
            "Refusing costs money",
            False,
            True,
            "assumption",
            "Mostly no valid consent for large platforms (EDPB Opinion 08/2024).",
        ),
        Banner(
            "pre_ticked",
            "The box is ticked already",
            False,
            False,
            "assumption near a published figure; studies differ",
            "No consent (GDPR Recital 32).",
            "pre_ticked",
        ),
        Banner(
            "hidden_refusal",
            "Refusing is two clicks away",
            False,
            False,
            "points published, on 40 people (Nouwens et al. 2020)",
            "An infringement for most authorities in the EU (EDPB taskforce 2023); a yes through a "
            "dark pattern is no consent in California (1798.140(h)).",
            "dark_pattern",
        ),
    )
}


def _assume(
    value: float, meaning: str, low: float, high: float, evidence: str = "assumption"
) -> Any:
    return field(
        default=value,
        metadata={"meaning": meaning, "low": low, "high": high, "evidence": evidence},
    )


@dataclass(frozen=True)
class Assumptions:
    """Every number the simulation rests on, with its range and where it comes from.

    Raises
    ------
    ConsentError
        If a value is outside its range.

    Examples
    --------
    >>> from ethicalai_lab.consent import Assumptions
    >>> Assumptions().neutral_rate
    0.48
    >>> Assumptions(discovery=0.1).table().query("name == 'discovery'")["value"].item()
    0.1
    """

    neutral_rate: float = _assume(
        0.48,
        "share that says yes to equal buttons",
        0.02,
        0.98,
        "assumption, near 48 % with an empty box: Bellman, Johnson, Lohse 2001",
    )
    pre_ticked_rate: float = _assume(
        0.74,
        "share that leaves a ticked box ticked",
        0.02,
        0.99,
        "assumption, near about 74 %: Johnson, Bellman, Lohse 2002; no effect of the tick in "
        "Chandrashekar et al. 2023",
    )
    hidden_refusal_points: float = _assume(
        0.225,
        "added by hiding the refusal",
        0.0,
        0.5,
        "22 to 23 points among 40 people: Nouwens et al. 2020",
    )
    nudging_points: float = _assume(
        0.12, "added by a button that shines", 0.0, 0.5, "assumption; direction: Utz et al. 2019"
    )
    pay_or_okay_rate: float = _assume(0.85, "share that says yes where no costs money", 0.02, 0.99)
    will: float = _assume(
        1.8, "how strongly an answer follows what is truly accepted (logit)", 0, 6
    )
    concern_weight: float = _assume(1.0, "pull of privacy concern on the answer (logit)", 0, 6)
    trust_weight: float = _assume(1.0, "pull of trust on the answer (logit)", 0, 6)
    fatigue_per_ask: float = _assume(0.15, "fatigue that one more question adds", 0, 1)
    fatigue_recovery: float = _assume(
        0.10, "share of fatigue lost in a month without question", 0, 1
    )
    fatigue_on_will: float = _assume(0.8, "share of the will lost at full fatigue", 0, 1)
    discovery: float = _assume(0.06, "monthly chance to find out a consent not meant", 0, 1)
    betrayal_loss: float = _assume(0.5, "share of trust lost on finding out", 0, 1)
    withdraw_on_discovery: float = _assume(0.6, "chance to withdraw on finding out", 0, 1)
    disclosure_gain: float = _assume(
        0.015,
        "monthly approach to full trust under an honest design",
        0,
        1,
        "assumption; direction: Kim, Barasz, John 2019",
    )
    annoyance: float = _assume(0.06, "trust lost at once to a banner that presses", 0, 1)
    leaving: float = _assume(0.012, "monthly chance to leave at middling trust", 0, 0.5)
    leaving_slope: float = _assume(3.0, "how fast leaving rises as trust falls (logit)", 0, 10)
    mails_per_month: float = _assume(2.0, "mails to those who permit them", 0, 30)
    margin: float = _assume(0.3, "profit share of spending", 0, 1)
    trust_on_response: float = _assume(1.0, "how much response grows with trust", 0, 5)
    notice_opt_out: float = _assume(
        0.03,
        "monthly chance that an unwilling person finds and uses an opt-out",
        0,
        1,
        "assumption; opt-outs are rare: Johnson, Shriver, Du 2020, 0.23 % of impressions",
    )
    signal_share: float = _assume(
        0.10, "share of people whose browser sends an opt-out signal", 0, 1
    )

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            low, high = item.metadata["low"], item.metadata["high"]
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float | np.floating | np.integer)
                or not low <= value <= high
            ):
                raise ConsentError(f"{item.name} is {value!r}; {low:g} to {high:g} is accepted.")

    def table(self) -> pd.DataFrame:
        """Return one row a number: name, value, meaning, low, high, evidence."""
        import pandas as pd

        return pd.DataFrame(
            [
                {"name": f.name, "value": getattr(self, f.name), **f.metadata}
                for f in dataclasses.fields(self)
            ]
        )

    def target(self, banner: str) -> float:
        """Return the opt-in rate a banner is calibrated to."""
        return {
            "neutral": self.neutral_rate,
            "nudging": min(self.neutral_rate + self.nudging_points, 0.99),
            "hidden_refusal": min(self.neutral_rate + self.hidden_refusal_points, 0.99),
            "pay_or_okay": self.pay_or_okay_rate,
            "pre_ticked": self.pre_ticked_rate,
        }[_banner(banner).name]


def studies() -> pd.DataFrame:
    """Return the published figures and the caution each needs."""
    import pandas as pd

    return pd.DataFrame(
        [(name, *figures) for name, figures in STUDIES.items()],
        columns=["asked by", "figure", "unit", "source", "caution"],
    )


def population(world: Any, purpose: str = "direct_marketing") -> pd.DataFrame:
    """Return a world's people as the simulation needs them. This opens ``world.truth``.

    Parameters
    ----------
    world : World
    purpose : str, default "direct_marketing"
        Whose true acceptance ``accepts`` holds.

    Returns
    -------
    DataFrame
        customer_id, privacy_concern, trust and fatigue_sensitivity (0 to 1), accepts
        (bool), gain (spending a mail adds) and baseline (spending a month without any).
    """
    import pandas as pd

    truth = world.truth
    if purpose not in truth.purposes.columns:
        raise ConsentError(
            f'The world knows no true acceptance of "{purpose}"; it knows '
            f"{', '.join(c for c in truth.purposes.columns if c != 'customer_id')}."
        )
    people = truth.people[["customer_id", "privacy_concern", "trust", "fatigue_sensitivity"]]
    gain = truth.uplift[["spend_sports_mail", "spend_fashion_mail"]].max(axis=1)
    return pd.DataFrame(
        {
            **{c: people[c].to_numpy() for c in people.columns},
            "accepts": truth.purposes[purpose].to_numpy(dtype=bool),
            "gain": gain.to_numpy(dtype=float),
            "baseline": world.campaign["history"].to_numpy(dtype=float) / 12.0,
        }
    )


def calibrate(people: pd.DataFrame, assumptions: Assumptions | None = None) -> dict[str, float]:
    """Return for each banner the push (logit) that gives its target rate in these people.

    Calibrate once, on the people as they are; then change the people, and the rates move.
    """
    chosen = assumptions or Assumptions()
    frame = _people(people)
    lean = _lean(frame, chosen, frame["trust"].to_numpy(), np.zeros(len(frame)))
    pushes = {}
    for name in BANNERS:
        low, high = -30.0, 30.0
        target = chosen.target(name)
        for _ in range(60):  # the mean rises with the push: halve the interval
            middle = (low + high) / 2
            if _logistic(middle + lean).mean() < target:
                low = middle
            else:
                high = middle
        pushes[name] = round((low + high) / 2, 9)
    return pushes


@dataclass(frozen=True)
class Meeting:
    """People met a banner once.

    Attributes
    ----------
    banner : Banner
    granted : ndarray of bool, shape (n,)
    rate : Interval
        Share that said yes.
    target : float
        What the banner was calibrated to.
    unmeant : Interval
        Share of those who said yes without truly accepting the purpose.
    valid : float
        Share with a consent that can be valid under the GDPR.
    """

    banner: Banner
    granted: NDArray[np.bool_] = field(repr=False)
    rate: Interval
    target: float
    unmeant: Interval
    valid: float
    customer_id: NDArray[np.int64] = field(repr=False)

    def events(
        self, purpose: str, time: Any, *, notice_version: str = "2025-1", regime: str = "gdpr"
    ) -> pd.DataFrame:
        """Return the answers as events for the ledger."""
        import pandas as pd

        return pd.DataFrame(
            {
                "person": self.customer_id,
                "purpose": purpose,
                "action": np.where(self.granted, "grant", "refuse"),
                "time": read_moment(time, "time", error=ConsentError),
                "notice_version": notice_version,
                "source": self.banner.source,
                "regime": regime,
            }
        )


def meet(
    people: pd.DataFrame,
    banner: str,
    *,
    assumptions: Assumptions | None = None,
    pushes: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Meeting:
    """Let people meet a banner once.

    Parameters
    ----------
    people : DataFrame
        From :func:`population`, or with the same columns.
    banner : {"neutral", "nudging", "pay_or_okay", "pre_ticked", "hidden_refusal"}
    assumptions : Assumptions, optional
    pushes : mapping, optional
        From :func:`calibrate`, on other people; by default calibrated on these.
    seed : int, default 0

    Returns
    -------
    Meeting
    """
    from ethicalai_lab.stats import proportion_interval

    design = _banner(banner)
    chosen = assumptions or Assumptions()
    frame = _people(people)
    push = (pushes or calibrate(frame, chosen))[banner]
    lean = _lean(frame, chosen, frame["trust"].to_numpy(), np.zeros(len(frame)))
    # one number a person whatever the banner: designs are compared on the same people
    granted = np.random.default_rng(seed).random(len(frame)) < _logistic(push + lean)
    accepts = frame["accepts"].to_numpy(dtype=bool)
    n_granted = int(granted.sum())
    return Meeting(
        design,
        granted,
        proportion_interval(n_granted, len(frame)),
        chosen.target(banner),
        proportion_interval(int((granted & ~accepts).sum()), n_granted),
        n_granted / len(frame) if design.valid else 0.0,
        frame["customer_id"].to_numpy(dtype=np.int64),
    )


def answer_chance(
    people: pd.DataFrame,
    banner: str,
    *,
    assumptions: Assumptions | None = None,
    pushes: Mapping[str, float] | None = None,
    fatigue: Any = 0.0,
) -> NDArray[np.float64]:
    """Return each person's chance of a yes to a banner: what :func:`meet` draws from.

    Parameters
    ----------
    people : DataFrame
        From :func:`population`, or with the same columns.
    banner : {"neutral", "nudging", "pay_or_okay", "pre_ticked", "hidden_refusal"}
    assumptions : Assumptions, optional
    pushes : mapping, optional
        From :func:`calibrate`, on other people; by default calibrated on these.
    fatigue : float or ndarray of shape (n,), default 0
        In [0, 1]: the tired follow their will less.

    Returns
    -------
    ndarray of float, shape (n,)
    """
    _banner(banner)
    chosen = assumptions or Assumptions()
    frame = _people(people)
    push = (pushes or calibrate(frame, chosen))[banner]
    tired = np.broadcast_to(np.asarray(fatigue, dtype=float), (len(frame),))
    return _logistic(push + _lean(frame, chosen, frame["trust"].to_numpy(), tired))


@dataclass(frozen=True)
class Course:
    """Months under one design.

    Attributes
    ----------
    design : str
    regime : str
    months : DataFrame
        One row a month: month, permitted (share of all who began), unmeant (share of the
        permitted), trust (mean of who stays), left (share gone), asks (questions a person),
        value (profit a person who began), cumulative.
    withdrawn : float
        Share that withdrew or opted out in the time.
    """

    design: str
    regime: str
    months: pd.DataFrame = field(repr=False)
    withdrawn: float

    @property
    def value(self) -> float:
        """Profit a person over all months."""
        return float(self.months["cumulative"].iloc[-1])


def simulate(
    people: pd.DataFrame,
    banner: str = "neutral",
    *,
    regime: str = "gdpr",
    purpose: str = "direct_marketing",
    months: int = 24,
    reask_months: int = 12,
    honour_signal: bool = True,
    assumptions: Assumptions | None = None,
    pushes: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Course:
    """Let people live with a design for some months.

    Parameters
    ----------
    people : DataFrame
        From :func:`population`.
    banner : str, default "neutral"
        How the question is put; under an opt-out rule it is not put.
    regime : {"gdpr", "ccpa", "other"}, default "gdpr"
        Opt-in; opt-out with browser signals; the lab's third rule, opt-out without signals.
    purpose : str, default "direct_marketing"
        What is asked for. A browser's signal opts out of sale and sharing, as
        "third_party_sharing" is; a shop's own mail goes on.
    months : int, default 24
    reask_months : int, default 12
        How long a refusal rests before the question comes again; 0 asks every month.
    honour_signal : bool, default True
        Whether a browser's signal counts (under "ccpa" it must, for sale and sharing).
    assumptions : Assumptions, optional
    pushes : mapping, optional
    seed : int, default 0

    Returns
    -------
    Course

    Notes
    -----
    A design is *honest* where the banner is, where a refusal rests at least a year, and
    where signals are honoured. Only under an honest design trust grows by itself. Value
    counts the mail a permission allows; for another purpose than direct marketing only the
    purchases of those who stay, as nothing here says what a use for it earns.

    References
    ----------
    11 CCR 7025 (signals); W3C Global Privacy Control: no limit on use in the same context.
    """
    import pandas as pd

    design = _banner(banner)
    if regime not in REGIMES:
        raise ConsentError(f"regime is {regime!r}; accepted are {', '.join(REGIMES)}.")
    for name, value, low, high in (
        ("months", months, 1, 240),
        ("reask_months", reask_months, 0, 240),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ConsentError(f"{name} is {value!r}; whole months from {low} to {high} accepted.")
    mail = purpose == "direct_marketing"
    shared = not mail and Purposes.default()[purpose].sale_or_sharing
    chosen = assumptions or Assumptions()
    frame = _people(people, extra=("gain", "baseline"))
    push = (pushes or calibrate(frame, chosen))[banner]
    rng = np.random.default_rng(seed)
    n = len(frame)
    accepts = frame["accepts"].to_numpy(dtype=bool)
    sensitivity = frame["fatigue_sensitivity"].to_numpy(dtype=float)
    concern = frame["privacy_concern"].to_numpy(dtype=float)
    gain, baseline = (frame[c].to_numpy(dtype=float) for c in ("gain", "baseline"))
    if not mail:
        gain = np.zeros(n)
    first_trust = frame["trust"].to_numpy(dtype=float)
    trust = first_trust.copy()
    fatigue = np.zeros(n)
    stays = np.ones(n, dtype=bool)
    permitted = np.zeros(n, dtype=bool)
    withdrew = np.zeros(n, dtype=bool)
    since_asked = np.full(n, 10_000)
    opt_in = regime == "gdpr"
    signal = rng.random(n) < chosen.signal_share
    honest = (design.honest and reask_months >= 12) if opt_in else honour_signal
    if opt_in and not design.honest:
        trust = trust * (1 - chosen.annoyance * concern)
    if not opt_in:
        permitted[:] = True
        if regime == "ccpa" and honour_signal and shared:
            permitted[signal] = False
    rows = []
    total = 0.0
    for month in range(1, months + 1):
        u = rng.random((4, n))
        asked = np.zeros(n, dtype=bool)
        if opt_in:
            rest = np.where(since_asked >= 10_000, True, since_asked >= max(reask_months, 1))
            asked = stays & ~permitted & rest
            lean = _lean(frame, chosen, trust, fatigue)
            permitted |= asked & (u[0] < _logistic(push + lean))
            since_asked = np.where(asked, 0, since_asked + 1)
        else:
            finds = permitted & ~accepts & stays & (u[0] < chosen.notice_opt_out * 2 * concern)
            permitted &= ~finds
            withdrew |= finds
        fatigue = np.where(
            asked,
            np.minimum(1.0, fatigue + chosen.fatigue_per_ask * 2 * sensitivity),
            fatigue * (1 - chosen.fatigue_recovery),
        )
        # some find out that they are used in a way they never meant
        found = stays & permitted & ~accepts & (u[1] < chosen.discovery)
        trust = np.where(found, trust * (1 - chosen.betrayal_loss), trust)
        leaves_use = found & (u[2] < chosen.withdraw_on_discovery)
        permitted &= ~leaves_use
        withdrew |= leaves_use
        since_asked = np.where(leaves_use, 0, since_asked)
        if honest:
            trust = np.where(found, trust, trust + chosen.disclosure_gain * (1 - trust))
        odds = np.log(chosen.leaving / (1 - chosen.leaving)) if chosen.leaving > 0 else -30.0
        goes = stays & (u[3] < _logistic(odds + chosen.leaving_slope * (0.5 - trust)))
        stays &= ~goes
        permitted &= stays
        response = np.maximum(0.0, 1 + chosen.trust_on_response * (trust - first_trust))
        mailed = chosen.mails_per_month * gain * response
        value = chosen.margin * float((stays * baseline + permitted * mailed).sum()) / n
        total += value
        share = permitted.mean()
        rows.append(
            {
                "month": month,
                "permitted": float(share),
                "unmeant": float((permitted & ~accepts).sum() / max(permitted.sum(), 1)),
                "trust": float(trust[stays].mean()) if stays.any() else np.nan,
                "left": float(1 - stays.mean()),
                "asks": float(asked.mean()),
                "value": value,
                "cumulative": total,
            }
        )
    return Course(
        banner if opt_in else "no question", regime, pd.DataFrame(rows), float(withdrew.mean())
    )


def compare_designs(
    people: pd.DataFrame,
    banners: Iterable[str] = tuple(BANNERS),
    *,
    months: int = 36,
    reask_months: int = 12,
    assumptions: Assumptions | None = None,
    seed: int = 0,
    repeats: int = 8,
) -> pd.DataFrame:
    """Compare designs over the months, on the same people and the same chances.

    Returns
    -------
    DataFrame
        One row a banner: banner, first_month and last_month (permitted), unmeant, trust,
        left, value with low and high (95 % interval of the mean over the repeats: of the
        chances, not of the assumptions), versus_neutral with low and high (paired).
    """
    import pandas as pd

    from ethicalai_lab.stats import mean_interval

    if isinstance(repeats, bool) or not isinstance(repeats, int) or not 2 <= repeats <= 500:
        raise ConsentError(f"repeats is {repeats!r}; whole numbers from 2 to 500 are accepted.")
    chosen = assumptions or Assumptions()
    frame = _people(people, extra=("gain", "baseline"))
    pushes = calibrate(frame, chosen)
    names = list(banners)
    for name in names:
        _banner(name)

    def run(name: str) -> list[Course]:
        return [
            simulate(
                frame,
                name,
                months=months,
                reask_months=reask_months,
                assumptions=chosen,
                pushes=pushes,
                seed=seed + i,
            )
            for i in range(repeats)
        ]

    courses = {name: run(name) for name in dict.fromkeys(["neutral", *names])}
    reference = np.array([c.value for c in courses["neutral"]])
    rows = []
    for name in names:
        values = np.array([c.value for c in courses[name]])
        mean, difference = mean_interval(values), mean_interval(values - reference)
        last = pd.concat([c.months.tail(1) for c in courses[name]]).mean()
        rows.append(
            {
                "banner": name,
                "first_month": np.mean([c.months["permitted"].iloc[0] for c in courses[name]]),
                "last_month": last["permitted"],
                "unmeant": np.mean([c.months["unmeant"].iloc[0] for c in courses[name]]),
                "trust": last["trust"],
                "left": last["left"],
                "value": mean.value,
                "low": mean.low,
                "high": mean.high,
                "versus_neutral": difference.value,
                "versus_low": difference.low,
                "versus_high": difference.high,
            }
        )
    return pd.DataFrame(rows)


def _logistic(x: Any) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-np.clip(x, -35, 35)))


def _lean(
    people: pd.DataFrame,
    assumptions: Assumptions,
    trust: NDArray[np.float64],
    fatigue: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return each person's own pull towards yes (logit)."""
    will = np.where(people["accepts"].to_numpy(dtype=bool), 1.0, -1.0)
    return (
        assumptions.will * (1 - assumptions.fatigue_on_will * fatigue) * will
        - assumptions.concern_weight * (people["privacy_concern"].to_numpy() - 0.5)
        + assumptions.trust_weight * (trust - 0.5)
    )


def _banner(name: Any) -> Banner:
    if name not in BANNERS:
        raise ConsentError(f'There is no banner "{name}"; known are {", ".join(BANNERS)}.')
    return BANNERS[name]


def _people(people: Any, extra: tuple[str, ...] = ()) -> pd.DataFrame:
    import pandas as pd

    if not isinstance(people, pd.DataFrame) or not len(people):
        raise ConsentError("people must be a DataFrame with at least one row; see population().")
    for column in (*NEEDED, *extra):
        if column not in people.columns:
            raise ConsentError(f'people lacks the column "{column}"; see population().')
    for column in ("privacy_concern", "trust", "fatigue_sensitivity"):
        values = people[column].to_numpy(dtype=float)
        if not ((values >= 0) & (values <= 1)).all():
            raise ConsentError(f'Column "{column}" must hold numbers from 0 to 1.')
    return people.reset_index(drop=True)
