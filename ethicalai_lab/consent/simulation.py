"""People who may say no meet a banner, and live with what was made of their answer.

What was published, the banners and every number assumed stand in ``banners.yaml``:
:func:`studies` and ``Assumptions().table()`` show them.

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

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ethicalai_lab.consent import data
from ethicalai_lab.consent.errors import ConsentError
from ethicalai_lab.consent.purposes import Purposes
from ethicalai_lab.core.assumptions import Numbers, numbers_of
from ethicalai_lab.core.checks import Shares, check_value, checked, need_columns, whole
from ethicalai_lab.core.times import read_moment

if TYPE_CHECKING:
    import pandas as pd

    from ethicalai_lab.stats import Interval

__all__ = [
    "BANNERS",
    "Assumptions",
    "Banner",
    "Course",
    "Meeting",
    "answer_chance",
    "calibrate",
    "compare_designs",
    "logistic",
    "meet",
    "population",
    "simulate",
    "studies",
]

_SHARES = ("privacy_concern", "trust", "fatigue_sensitivity")
NEEDED = ("customer_id", *_SHARES, "accepts")
HIGHEST_RATE = 0.99


@dataclass(frozen=True)
class Banner:
    """A way of asking.

    Attributes
    ----------
    name, title, label, short : str
        In code, over a row, as an option of a control, beside a line.
    honest : bool
        Whether saying no is as easy as saying yes.
    evidence, law : str
        Where its opt-in rate comes from; what the law says of it.
    source : str
        How a yes through it is recorded in a ledger.
    rate, points : str
        The assumption that is its opt-in rate, or is added to the neutral rate.
    """

    name: str
    title: str
    label: str
    short: str
    honest: bool
    evidence: str
    law: str
    source: str = "banner"
    rate: str = "neutral_rate"
    points: str = ""


BANNERS = {name: Banner(name, **told) for name, told in data.read("banners")["banners"].items()}
_NAMES = Literal[tuple(BANNERS)]  # type: ignore[valid-type]


class _Numbers(Numbers):
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

    error = ConsentError

    def target(self, banner: str) -> float:
        """Return the opt-in rate a banner is calibrated to."""
        told = BANNERS[banner]
        if not told.points:
            return getattr(self, told.rate)
        return min(self.neutral_rate + getattr(self, told.points), HIGHEST_RATE)


Assumptions: type[_Numbers] = numbers_of(
    _Numbers, "Assumptions", data.read("banners")["assumptions"]
)


def studies() -> pd.DataFrame:
    """Return the published figures and the caution each needs."""
    import pandas as pd

    table = pd.DataFrame.from_dict(data.read("banners")["studies"], orient="index")
    return table.rename_axis("asked by").reset_index()


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
    truth = world.truth
    need_columns(truth.purposes, [purpose], "world.truth.purposes", ConsentError)
    gain = truth.uplift[["spend_sports_mail", "spend_fashion_mail"]].max(axis=1)
    return (
        truth.people[["customer_id", *_SHARES]]
        .reset_index(drop=True)
        .assign(
            accepts=truth.purposes[purpose].to_numpy(dtype=bool),
            gain=gain.to_numpy(dtype=float),
            baseline=world.campaign["history"].to_numpy(dtype=float) / 12.0,
        )
    )


def calibrate(people: pd.DataFrame, assumptions: _Numbers | None = None) -> dict[str, float]:
    """Return for each banner the push (logit) that gives its target rate in these people.

    Calibrate once, on the people as they are; then change the people, and the rates move.
    """
    chosen = assumptions or Assumptions()
    lean = _lean(_people(people), chosen, people["trust"].to_numpy(), 0.0)
    pushes = {}
    for name in BANNERS:
        low, high = -30.0, 30.0
        target = chosen.target(name)
        for _ in range(60):  # the mean rises with the push: halve the interval
            middle = (low + high) / 2
            below = logistic(middle + lean).mean() < target
            low, high = (middle, high) if below else (low, middle)
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
    unmeant : Interval
        Share of those who said yes without truly accepting the purpose.
    """

    banner: Banner
    granted: NDArray[np.bool_] = field(repr=False)
    rate: Interval
    unmeant: Interval
    customer_id: NDArray[np.int64] = field(repr=False)

    def events(self, purpose: str, time: Any) -> pd.DataFrame:
        """Return the answers as events for the ledger, under the GDPR."""
        import pandas as pd

        return pd.DataFrame(
            {
                "person": self.customer_id,
                "purpose": purpose,
                "action": np.where(self.granted, "grant", "refuse"),
                "time": read_moment(time, "time", error=ConsentError),
                "notice_version": "2025-1",
                "source": self.banner.source,
                "regime": "gdpr",
            }
        )


def meet(
    people: pd.DataFrame,
    banner: str,
    *,
    pushes: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Meeting:
    """Let people meet a banner once.

    Parameters
    ----------
    people : DataFrame
        From :func:`population`, or with the same columns.
    banner : {"neutral", "nudging", "pay_or_okay", "pre_ticked", "hidden_refusal"}
    pushes : mapping, optional
        From :func:`calibrate`, on other people; by default calibrated on these.
    seed : int, default 0

    Returns
    -------
    Meeting
    """
    from ethicalai_lab.stats import proportion_interval

    chance = answer_chance(people, banner, pushes=pushes)
    # one number a person whatever the banner: designs are compared on the same people
    granted = np.random.default_rng(seed).random(chance.size) < chance
    accepts = people["accepts"].to_numpy(dtype=bool)
    n_granted = int(granted.sum())
    return Meeting(
        BANNERS[banner],
        granted,
        proportion_interval(n_granted, granted.size),
        proportion_interval(int((granted & ~accepts).sum()), n_granted),
        people["customer_id"].to_numpy(dtype=np.int64),
    )


@checked(ConsentError)
def answer_chance(
    people: pd.DataFrame,
    banner: _NAMES,
    *,
    pushes: Mapping[str, float] | None = None,
    fatigue: float = 0.0,
) -> NDArray[np.float64]:
    """Return each person's chance of a yes to a banner: what :func:`meet` draws from.

    Parameters
    ----------
    people, banner, pushes
        As in :func:`meet`.
    fatigue : float, default 0
        In [0, 1]: the tired follow their will less.

    Returns
    -------
    ndarray of float, shape (n,)
    """
    frame = _people(people)
    chosen = Assumptions()
    push = (pushes or calibrate(frame))[banner]
    return logistic(push + _lean(frame, chosen, frame["trust"].to_numpy(), fatigue))


@dataclass(frozen=True)
class Course:
    """Months under one design.

    Attributes
    ----------
    months : DataFrame
        One row a month: month, permitted (share of all who began), unmeant (share of the
        permitted), trust (mean of who stays), left (share gone), asks (questions a person),
        value (profit a person who began), cumulative.
    """

    months: pd.DataFrame

    @property
    def value(self) -> float:
        """Profit a person over all months."""
        return float(self.months["cumulative"].iloc[-1])


@checked(ConsentError)
def simulate(
    people: pd.DataFrame,
    banner: _NAMES = "neutral",
    *,
    regime: Literal["gdpr", "ccpa", "other"] = "gdpr",
    purpose: str = "direct_marketing",
    months: whole(1, 240) = 24,  # type: ignore[valid-type]
    reask_months: whole(0, 240) = 12,  # type: ignore[valid-type]
    assumptions: _Numbers | None = None,
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
    assumptions : Assumptions, optional
    pushes : mapping, optional
    seed : int, default 0

    Returns
    -------
    Course

    Notes
    -----
    A design is *honest* where the banner is, and where a refusal rests at least a year; under
    an opt-out rule, where signals count. Only under an honest design trust grows by itself.
    Value counts the mail a permission allows; for another purpose than direct marketing only
    the purchases of those who stay, as nothing here says what a use for it earns.

    References
    ----------
    11 CCR 7025 (signals); W3C Global Privacy Control: no limit on use in the same context.
    """
    import pandas as pd

    mail = purpose == "direct_marketing"
    signals = regime == "ccpa" and not mail and Purposes.default()[purpose].sale_or_sharing
    chosen = assumptions or Assumptions()
    frame = _people(people, "gain", "baseline")
    push = (pushes or calibrate(frame, chosen))[banner]
    house = _House(frame, chosen, push, mail=mail)
    rng = np.random.default_rng(seed)
    house.open(BANNERS[banner], regime, reask_months, rng.random(len(frame)), signals=signals)
    table = pd.DataFrame([house.month(rng.random((4, len(frame)))) for _ in range(months)])
    table.insert(0, "month", np.arange(1, months + 1))
    return Course(table.assign(cumulative=np.cumsum(table["value"].to_numpy())))


class _House:
    """A house and its people, month by month."""

    def __init__(self, people: pd.DataFrame, chosen: _Numbers, push: float, *, mail: bool) -> None:
        n = len(people)
        self.people, self.chosen, self.push = people, chosen, push
        self.accepts = people["accepts"].to_numpy(dtype=bool)
        self.sensitivity, self.concern, self.first_trust, self.gain, self.baseline = (
            people[name].to_numpy(dtype=float)
            for name in ("fatigue_sensitivity", "privacy_concern", "trust", "gain", "baseline")
        )
        self.gain = self.gain * mail
        self.trust = self.first_trust
        self.fatigue = np.zeros(n)
        self.stays = np.ones(n, dtype=bool)
        self.since_asked = np.full(n, np.inf)

    def open(
        self, banner: Banner, regime: str, rest: int, u: NDArray[np.float64], *, signals: bool
    ) -> None:
        """Begin: under an opt-out rule all is permitted but what a signal stops."""
        self.opt_in = regime == "gdpr"
        self.rest = max(rest, 1)
        self.honest = not self.opt_in or (banner.honest and rest >= 12)
        if self.opt_in and not banner.honest:
            self.trust = self.trust * (1 - self.chosen.annoyance * self.concern)
        self.permitted = np.full(self.stays.size, not self.opt_in)
        if signals:
            self.permitted[u < self.chosen.signal_share] = False

    def month(self, u: NDArray[np.float64]) -> dict[str, float]:
        """Live a month by its chances, and tell what came of it."""
        asked = self._ask(u[0])
        self._find_out(u[1], u[2])
        self._leave(u[3])
        n, permitted = self.stays.size, self.permitted
        chosen = self.chosen
        response = np.maximum(0.0, 1 + chosen.trust_on_response * (self.trust - self.first_trust))
        mailed = chosen.mails_per_month * self.gain * response
        value = float((self.stays * self.baseline + permitted * mailed).sum())
        return {
            "permitted": float(permitted.mean()),
            "unmeant": float((permitted & ~self.accepts).sum() / max(permitted.sum(), 1)),
            "trust": float(self.trust[self.stays].mean()) if self.stays.any() else np.nan,
            "left": float(1 - self.stays.mean()),
            "asks": float(asked.mean()),
            "value": chosen.margin * value / n,
        }

    def _ask(self, u: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Put the question to whom it may be put; else let who minds find the way out."""
        chosen = self.chosen
        asked = self.opt_in & self.stays & ~self.permitted & (self.since_asked >= self.rest)
        if self.opt_in:
            lean = _lean(self.people, chosen, self.trust, self.fatigue)
            self.permitted |= asked & (u < logistic(self.push + lean))
            self.since_asked = np.where(asked, 0, self.since_asked + 1)
        else:
            minds = self.permitted & ~self.accepts & self.stays
            self.permitted &= ~(minds & (u < chosen.notice_opt_out * 2 * self.concern))
        tired = np.minimum(1.0, self.fatigue + chosen.fatigue_per_ask * 2 * self.sensitivity)
        self.fatigue = np.where(asked, tired, self.fatigue * (1 - chosen.fatigue_recovery))
        return asked

    def _find_out(self, finds: NDArray[np.float64], withdraws: NDArray[np.float64]) -> None:
        """Let some find out that they are used in a way they never meant."""
        chosen = self.chosen
        found = self.stays & self.permitted & ~self.accepts & (finds < chosen.discovery)
        ends = found & (withdraws < chosen.withdraw_on_discovery)
        self.permitted &= ~ends
        self.since_asked = np.where(ends, 0, self.since_asked)
        grown = self.trust + chosen.disclosure_gain * (1 - self.trust) * self.honest
        self.trust = np.where(found, self.trust * (1 - chosen.betrayal_loss), grown)

    def _leave(self, u: NDArray[np.float64]) -> None:
        often = self.chosen.leaving
        odds = np.log(often / (1 - often)) if often > 0 else -30.0
        self.stays &= ~(u < logistic(odds + self.chosen.leaving_slope * (0.5 - self.trust)))
        self.permitted &= self.stays


@checked(ConsentError)
def compare_designs(
    people: pd.DataFrame,
    banners: Iterable[str] = tuple(BANNERS),
    *,
    months: int = 36,
    reask_months: int = 12,
    assumptions: _Numbers | None = None,
    repeats: whole(2, 500) = 8,  # type: ignore[valid-type]
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

    chosen = assumptions or Assumptions()
    options = {"months": months, "reask_months": reask_months, "assumptions": chosen}
    options["pushes"] = calibrate(people, chosen)

    def run(name: str) -> list[Course]:
        return [simulate(people, name, seed=seed, **options) for seed in range(repeats)]

    names = list(banners)
    courses = {name: run(name) for name in dict.fromkeys(["neutral", *names])}
    reference = np.array([course.value for course in courses["neutral"]])
    rows = []
    for name in names:
        values = np.array([course.value for course in courses[name]])
        mean, difference = mean_interval(values), mean_interval(values - reference)
        first, last = (
            pd.concat([course.months.iloc[[at]] for course in courses[name]]).mean()
            for at in (0, -1)
        )
        row = {"banner": name, "first_month": first["permitted"], "last_month": last["permitted"]}
        row |= {"unmeant": first["unmeant"], "trust": last["trust"], "left": last["left"]}
        row |= {"value": mean.value, "low": mean.low, "high": mean.high}
        row |= {"versus_neutral": difference.value}
        rows.append(row | {"versus_low": difference.low, "versus_high": difference.high})
    return pd.DataFrame(rows)


def logistic(x: Any) -> NDArray[np.float64]:
    """Return the chance of which `x` is the logit.

    Examples
    --------
    >>> logistic(0.0).item()
    0.5
    """
    return 1.0 / (1.0 + np.exp(-np.clip(x, -35, 35)))


def _lean(
    people: pd.DataFrame, assumptions: _Numbers, trust: NDArray[np.float64], fatigue: Any
) -> NDArray[np.float64]:
    """Return each person's own pull towards yes (logit)."""
    will = np.where(people["accepts"].to_numpy(dtype=bool), 1.0, -1.0)
    return (
        assumptions.will * (1 - assumptions.fatigue_on_will * fatigue) * will
        - assumptions.concern_weight * (people["privacy_concern"].to_numpy() - 0.5)
        + assumptions.trust_weight * (trust - 0.5)
    )


def _people(people: Any, *extra: str) -> pd.DataFrame:
    need_columns(people, (*NEEDED, *extra), "people", ConsentError)
    if not len(people):
        raise ConsentError("people must have at least one row; see population().")
    for column in _SHARES:
        check_value(people[column], Shares, f"people: {column}", ConsentError)
    return people.reset_index(drop=True)
