"""What telling people does to their trust, and through it to visits and unsubscribing.

Field evidence gives directions, hardly ever sizes. So each size here is an assumption with a
name, a range and a note on what is known; ``TrustAssumptions().table()`` lists them,
:func:`trust_experiment` shows what an experiment would find if they held, and
:func:`what_would_reverse` how far one of them must move before its conclusion turns round.

The model, for one message. A notice is noticed and read by some: by fewer the longer it is,
by more of those who care about privacy. Its readers learn which data the message rests on.
Acceptable data (their own purchases, answers they gave) then costs no trust; unacceptable
data (guessed traits, other sites, uses they did not permit) does. Who is told nothing may
find out all the same, and being kept in the dark costs more than being told. Invented
reasons, false claims, a machine that passes for a person and the lack of a choice cost trust
too. Everything is an expectation: the same person before and after, without any draw. What
a month or a year of such messages does is not in it.

References
----------
Kim, T., Barasz, K., John, L. K. (2019). Why am I seeing this ad? The effect of ad transparency
on ad effectiveness. Journal of Consumer Research 45(5), 906-932.

Aguirre, E., Mahr, D., Grewal, D., de Ruyter, K., Wetzels, M. (2015). Unraveling the
personalization paradox. Journal of Retailing 91(1), 34-49.
"""

from __future__ import annotations

import dataclasses
import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.explainability.errors import ExplanationError
from ethicalai_lab.stats import (
    bootstrap_counts,
    mean_interval,
    proportion_difference_interval,
    proportion_interval,
    welch_interval,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DISCLOSURES",
    "TRUST_OUTCOMES",
    "TrustAssumptions",
    "TrustExperiment",
    "message_response",
    "response_factor",
    "trust_after",
    "trust_experiment",
    "what_would_reverse",
]

DISCLOSURES = ("none", "one_line", "layered", "full_text")
TRUST_OUTCOMES = ("visit", "unsubscribe", "stated_trust")

Array = NDArray[np.float64]
# policy's and the world's names; of the arms only those in which a message is sent
_MAILS = ("sports_mail", "fashion_mail")
_CONDITIONS = ("acceptable", "reasons_true", "false_claims", "ai_disclosed", "choice_given")
_POINTS = 5  # of the scale on which people state their trust

_KIM = "direction only, Kim, Barasz, John 2019"
_AGUIRRE = "direction only, Aguirre et al. 2015"


def _assume(
    value: float, meaning: str, unit: str, low: float, high: float, evidence: str = "assumption"
) -> Any:
    return field(
        default=value,
        metadata={
            "meaning": meaning,
            "unit": unit,
            "low": float(low),
            "high": float(high),
            "evidence": evidence,
        },
    )


@dataclass(frozen=True)
class TrustAssumptions:
    """Every number the trust model rests on, with its unit, range and evidence.

    No size below is published for a shop like this one. Where the evidence says "direction
    only", a study supports the sign and the size is assumed.

    Raises
    ------
    ExplanationError
        If a value is no number or outside its range.

    Examples
    --------
    >>> from ethicalai_lab.explainability import TrustAssumptions
    >>> TrustAssumptions().unacceptable_loss
    0.3
    >>> table = TrustAssumptions(discovery=0.2).table().set_index("name")
    >>> table.loc["discovery", "value"].item(), table.loc["discovery", "evidence"]
    (0.2, 'assumption')
    """

    # reading
    noticed: float = _assume(0.6, "share that would read a notice of no length", "share", 0, 1)
    words_one_line: float = _assume(15, "length of one line", "words", 1, 2000)
    words_first_layer: float = _assume(25, "length of the layer seen first", "words", 1, 2000)
    words_full_text: float = _assume(500, "length of a full text", "words", 1, 20_000)
    words_that_halve_readers: float = _assume(
        150, "length at which half as many read; longer is read by fewer", "words", 10, 100_000
    )
    layer_opened: float = _assume(
        0.15, "readers of the first layer who open the rest", "share", 0, 1
    )
    told_by_line: float = _assume(
        0.5, "readers of a line, or a first layer, who grasp which data is used", "share", 0, 1
    )
    reading_by_concern: float = _assume(
        0.3, "added to reading at full privacy concern, taken off at none", "share of it", 0, 1
    )
    # the data a message rests on
    acceptable_gain: float = _assume(
        0.05,
        "way to full trust that telling acceptable data covers",
        "share of distrust",
        0,
        1,
        f"assumption; that it does no harm: {_KIM}",
    )
    unacceptable_loss: float = _assume(
        0.3,
        "trust lost on being told that unacceptable data was used",
        "share of trust",
        0,
        1,
        _KIM,
    )
    covert_loss: float = _assume(
        0.45,
        "trust lost on finding out unacceptable data that nobody told of",
        "share of trust",
        0,
        1,
        _AGUIRRE,
    )
    discovery: float = _assume(
        0.08, "chance to find out untold unacceptable data after one message", "chance", 0, 1
    )
    loss_by_concern: float = _assume(
        0.6,
        "added to those losses at full privacy concern, taken off at none",
        "share of the loss",
        0,
        1,
    )
    # what else a message says, or leaves out
    false_reason_found: float = _assume(
        0.25, "readers who see that an invented reason is not true of them", "share", 0, 1
    )
    false_reason_loss: float = _assume(
        0.3, "trust lost on seeing through an invented reason", "share of trust", 0, 1
    )
    false_claim_found: float = _assume(
        0.15, "chance to find out that a scarcity or countdown claim is false", "chance", 0, 1
    )
    false_claim_loss: float = _assume(
        0.3, "trust lost on finding out a false claim", "share of trust", 0, 1
    )
    ai_told_loss: float = _assume(
        0.01, "trust lost on being told that a machine chose or wrote it", "share of trust", 0, 1
    )
    ai_discovery: float = _assume(0.1, "chance to find out an undisclosed machine", "chance", 0, 1)
    ai_hidden_loss: float = _assume(
        0.3, "trust lost on finding out an undisclosed machine", "share of trust", 0, 1
    )
    no_choice_loss: float = _assume(
        0.04,
        "trust lost where a message offers no way to change or stop it",
        "share of trust",
        0,
        1,
    )
    # what trust does
    visits_by_trust: float = _assume(
        1.0,
        "log of the effect on visits and spending, per unit of trust",
        "log per trust",
        0,
        5,
        f"{_KIM}; {_AGUIRRE.removeprefix('direction only, ')}",
    )
    unsubscribing_by_trust: float = _assume(
        3.0, "log of the chance to unsubscribe, per unit of trust lost", "log per trust", 0, 10
    )
    # how trust is asked
    stated_noise: float = _assume(
        0.8, "spread of an answer around the person's trust", "points of 5", 0.05, 4
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
                raise ExplanationError(
                    f"{item.name} is {value!r}; {low:g} to {high:g} ({item.metadata['unit']}) "
                    "is accepted."
                )
            object.__setattr__(self, item.name, float(value))

    def table(self) -> pd.DataFrame:
        """Return one row a number: name, value, meaning, unit, low, high, evidence."""
        import pandas as pd

        return pd.DataFrame(
            [
                {"name": f.name, "value": getattr(self, f.name), **f.metadata}
                for f in dataclasses.fields(self)
            ]
        )

    def read(self, disclosure: str) -> float:
        """Return the share that reads a notice, at middling privacy concern.

        Parameters
        ----------
        disclosure : str
            One of :data:`DISCLOSURES`; of a layered notice, its first layer.

        Returns
        -------
        float
            In 0 to 1; zero for "none".
        """
        level = _level(disclosure)
        if level == "none":
            return 0.0
        words = {
            "one_line": self.words_one_line,
            "layered": self.words_first_layer,
            "full_text": self.words_full_text,
        }[level]
        return self.noticed * 2.0 ** (-words / self.words_that_halve_readers)

    def grasped(self, disclosure: str) -> float:
        """Return the share of a notice's readers who learn which data is used.

        Parameters
        ----------
        disclosure : str
            One of :data:`DISCLOSURES`.

        Returns
        -------
        float
            In 0 to 1; zero for "none", one for "full_text".
        """
        opened = self.told_by_line + (1.0 - self.told_by_line) * self.layer_opened
        return {"none": 0.0, "one_line": self.told_by_line, "layered": opened, "full_text": 1.0}[
            _level(disclosure)
        ]


# ----------------------------------------------------------------------------- the model


def trust_after(
    people: pd.DataFrame,
    *,
    disclosure: str,
    acceptable: bool | ArrayLike,
    reasons_true: float | ArrayLike = 1.0,
    false_claims: float | ArrayLike = 0.0,
    ai_disclosed: bool | ArrayLike = True,
    choice_given: bool | ArrayLike = True,
    assumptions: TrustAssumptions | None = None,
) -> Array:
    """Return each person's expected trust after one message.

    Parameters
    ----------
    people : DataFrame of shape (n, ...)
        Columns privacy_concern and trust, each 0 to 1, as in ``world.truth.people``.
    disclosure : {"none", "one_line", "layered", "full_text"}
        How much the message says about itself; the policy's ``explanations.notice``.
    acceptable : bool or array-like of shape (n,)
        Whether the data behind the message is acceptable (own purchases, given answers) or not
        (guessed traits, other sites, uses not permitted). A share between 0 and 1 is the part
        of the data that is acceptable. Arrays are taken row by row, without their index.
    reasons_true : float or array-like of shape (n,), default 1.0
        Share of the stated reasons that are true, 0 to 1. Matters only where a notice is read.
    false_claims : float or array-like of shape (n,), default 0.0
        Chance, 0 to 1, that the message holds a false claim of scarcity or time.
    ai_disclosed : bool or array-like of shape (n,), default True
        Whether the person is told that a machine chose or wrote it; a share is accepted.
    choice_given : bool or array-like of shape (n,), default True
        Whether the message offers a way to change or stop it; a share is accepted.
    assumptions : TrustAssumptions, optional

    Returns
    -------
    ndarray of float, shape (n,)
        Trust, 0 to 1, in the order of ``people``. No draw is made.

    Raises
    ------
    ExplanationError
        If a column is missing or outside 0 to 1, the disclosure is unknown, or an argument
        has another length than ``people`` or values outside 0 to 1.

    References
    ----------
    Kim, Barasz, John (2019); Aguirre et al. (2015), see the module.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.explainability import trust_after
    >>> people = pd.DataFrame({"privacy_concern": [0.2, 0.8], "trust": [0.6, 0.6]})
    >>> trust_after(people, disclosure="layered", acceptable=True).round(3).tolist()
    [0.599, 0.601]
    >>> trust_after(people, disclosure="layered", acceptable=False).round(3).tolist()
    [0.555, 0.486]
    """
    frame = _people(people)
    conditions = _conditions(
        len(frame[0]),
        acceptable=acceptable,
        reasons_true=reasons_true,
        false_claims=false_claims,
        ai_disclosed=ai_disclosed,
        choice_given=choice_given,
    )
    return _trust_after(*frame, _level(disclosure), conditions, _assumptions(assumptions))


def response_factor(
    before: ArrayLike, after: ArrayLike, assumptions: TrustAssumptions | None = None
) -> tuple[Array, Array]:
    """Return what a change of trust does to a message's effect and to unsubscribing.

    Parameters
    ----------
    before, after : array-like of shape (n,)
        Trust, 0 to 1.
    assumptions : TrustAssumptions, optional

    Returns
    -------
    visit_factor, unsubscribe_factor : ndarray of float, shape (n,)
        Multiply the effect of a message on visits and spending (not the visits that come
        without it; see :func:`message_response`), and the probability to unsubscribe.
        Both are 1 where trust is unchanged; lower trust makes the first smaller, the second
        larger.

    Raises
    ------
    ExplanationError
        If trust is outside 0 to 1, or the two have different lengths.

    Examples
    --------
    >>> from ethicalai_lab.explainability import response_factor
    >>> visit, unsubscribe = response_factor([0.6, 0.6], [0.6, 0.5])
    >>> visit.round(3).tolist(), unsubscribe.round(3).tolist()
    ([1.0, 0.905], [1.0, 1.35])
    """
    old = _unit_array(before, "before")
    new = _unit_array(after, "after", len(old))
    chosen = _assumptions(assumptions)
    return (
        np.exp(chosen.visits_by_trust * (new - old)),
        np.exp(-chosen.unsubscribing_by_trust * (new - old)),
    )


def message_response(without: ArrayLike, mailed: ArrayLike, factor: ArrayLike) -> Array:
    """Return the response to a message whose effect has been scaled.

    Parameters
    ----------
    without, mailed : array-like of shape (n,)
        Probability to visit (or expected spending) without the message and with it.
    factor : array-like of shape (n,)
        The first result of :func:`response_factor`, above 0.

    Returns
    -------
    ndarray of float, shape (n,)
        ``without`` plus the effect times ``factor``. Where the message *repels* the person,
        the effect is divided by it: lost trust makes a bad effect worse, not smaller. Never
        below 0; the caller caps probabilities at 1.

    Raises
    ------
    ExplanationError
        If the lengths differ, or a value is missing or negative.

    Examples
    --------
    >>> from ethicalai_lab.explainability import message_response
    >>> message_response([0.10, 0.10], [0.20, 0.06], [0.8, 0.8]).round(3).tolist()
    [0.18, 0.05]
    """
    base = _numbers(without, "without")
    treated = _numbers(mailed, "mailed", len(base))
    scale = _numbers(factor, "factor", len(base))
    if len(scale) and scale.min() <= 0:
        raise ExplanationError("factor holds a 0; numbers above 0 are accepted.")
    effect = treated - base
    return np.maximum(base + np.where(effect < 0, effect / scale, effect * scale), 0.0)


def _trust_after(
    concern: Array, trust: Array, level: str, given: dict[str, Any], a: TrustAssumptions
) -> Array:
    lean = 2.0 * concern - 1.0
    losses = 1.0 + a.loss_by_concern * lean
    unacceptable = 1.0 - given["acceptable"]
    if level == "none":
        informed: Any = 0.0
        read: Any = 0.0
    else:
        read = np.clip(a.read(level) * (1.0 + a.reading_by_concern * lean), 0.0, 1.0)
        informed = read * a.grasped(level)
    covert = (1.0 - informed) * a.discovery * a.covert_loss
    lost = losses * unacceptable * (informed * a.unacceptable_loss + covert)
    lost = lost + losses * (1.0 - given["choice_given"]) * a.no_choice_loss
    lost = lost + (1.0 - given["reasons_true"]) * read * a.false_reason_found * a.false_reason_loss
    lost = lost + given["false_claims"] * a.false_claim_found * a.false_claim_loss
    lost = lost + given["ai_disclosed"] * a.ai_told_loss
    lost = lost + (1.0 - given["ai_disclosed"]) * a.ai_discovery * a.ai_hidden_loss
    gained = informed * given["acceptable"] * a.acceptable_gain
    return np.clip(trust * (1.0 - np.minimum(lost, 1.0)) + (1.0 - trust) * gained, 0.0, 1.0)


# -------------------------------------------------------------------------- the experiment


@dataclass(frozen=True, repr=False)
class TrustExperiment:
    """What a randomised experiment over disclosure levels found, and the truth beside it.

    Attributes
    ----------
    table : DataFrame
        A row an outcome and level: outcome (visit and unsubscribe as shares, stated_trust in
        points 1 to 5), level, n (people), value, low, high (95 % interval unless told), truth
        (expected over all people of the world, if the assumptions hold), difference,
        difference_low, difference_high and difference_truth (to ``reference``; missing in the
        reference's own row).
    by_band : DataFrame
        The same within each band of ``by``, in a leading column band.
    ranking : DataFrame
        A row an outcome and level: rank (1 is best for the shop: more visits, fewer
        unsubscribed, more trust), rank_truth, and share_best, the share of bootstrap
        resamples in which the level came first (ties shared).
    balance : DataFrame
        A row a level: n, and the standardised mean difference of privacy_concern and trust to
        all others before any message. Randomised, it differs from 0 by chance alone.
    reference : str
        The level that differences are taken to: "none" where it is among the levels.
    arm, by : str
    assumptions : TrustAssumptions
    confidence : float
    n_people : int
    """

    table: pd.DataFrame
    by_band: pd.DataFrame
    ranking: pd.DataFrame
    balance: pd.DataFrame
    reference: str
    arm: str
    by: str
    assumptions: TrustAssumptions
    confidence: float
    n_people: int

    def __repr__(self) -> str:
        return (
            f"TrustExperiment({self.n_people} people, {self.table['level'].nunique()} levels, "
            f"{self.arm}, reference {self.reference})"
        )

    def _repr_html_(self) -> str:
        share = f"{100 * self.confidence:g} %"
        note = (
            "The truth is what the assumptions imply for all people; no experiment sees it. "
            "The sizes are assumed: see assumptions.table()."
        )
        return (
            _html_table(
                self.table,
                f"Response by disclosure, {self.arm.replace('_', ' ')}, {self.n_people} people "
                f"at random, {share} intervals",
                self.reference,
            )
            + _html_table(self.by_band, f"The same by {self.by.replace('_', ' ')}", self.reference)
            + f"<p>{html.escape(note)}</p>"
        )


def trust_experiment(
    world: Any,
    *,
    levels: Sequence[str] = DISCLOSURES,
    acceptable: bool | ArrayLike = True,
    arm: str = "sports_mail",
    n_people: int | None = None,
    by: str = "privacy_concern",
    bands: int = 3,
    seed: int = 0,
    n_boot: int = 500,
    assumptions: TrustAssumptions | None = None,
    reasons_true: float | ArrayLike = 1.0,
    false_claims: float | ArrayLike = 0.0,
    ai_disclosed: bool | ArrayLike = True,
    choice_given: bool | ArrayLike = True,
    confidence: float = 0.95,
) -> TrustExperiment:
    """Randomise people over disclosure levels and report how they respond.

    Each person gets the same mail with a notice drawn at random. Whether they visit and
    unsubscribe is drawn from the world's own probabilities, changed by :func:`response_factor`;
    their trust is asked on a scale of 1 to 5. This opens ``world.truth``: it is a simulation of
    an experiment, not the result of one.

    Parameters
    ----------
    world : World
    levels : sequence of str, default DISCLOSURES
        Levels to compare, two or more.
    acceptable, reasons_true, false_claims, ai_disclosed, choice_given
        As in :func:`trust_after`; arrays follow the rows of ``world.truth.people``.
    arm : {"sports_mail", "fashion_mail"}, default "sports_mail"
        The mail that everybody gets.
    n_people : int, optional
        How many take part, drawn at random; everybody by default.
    by : str, default "privacy_concern"
        A number in ``world.truth.people`` whose bands are reported too.
    bands : int, default 3
        How many bands of about equal size in the world, 1 to 20.
    seed : int, default 0
        Source of every draw.
    n_boot : int, default 500
        Resamples for ``ranking``.
    assumptions : TrustAssumptions, optional
    confidence : float, default 0.95

    Returns
    -------
    TrustExperiment

    Raises
    ------
    ExplanationError
        If an argument is not among what is accepted, or a level would have fewer than two
        people.

    Notes
    -----
    Rates have Wilson's intervals and their differences Newcombe's; stated trust has
    Student's and Welch's. Taking part is random, so the intervals hold for all people; where
    everybody takes part they are a little too wide, never too narrow for that reason.

    Examples
    --------
    >>> from ethicalai_lab.explainability import trust_experiment
    >>> from ethicalai_lab.world import make_world
    >>> found = trust_experiment(make_world(2000), acceptable=False, seed=1)
    >>> table = found.table.set_index(["outcome", "level"])
    >>> trust = table.loc["stated_trust"]
    >>> trust.loc["one_line", "difference_truth"].round(2).item()
    -0.16
    >>> trust["n"].tolist()
    [500, 500, 500, 500]
    """
    import pandas as pd

    chosen = _assumptions(assumptions)
    names = _levels(levels)
    people, frame, given, outcomes = _world(
        world,
        arm,
        acceptable=acceptable,
        reasons_true=reasons_true,
        false_claims=false_claims,
        ai_disclosed=ai_disclosed,
        choice_given=choice_given,
    )
    total = len(people)
    size = total if n_people is None else _whole(n_people, "n_people", 2 * len(names), total)
    if size < 2 * len(names):
        raise ExplanationError(
            f"world has {total} people; {2 * len(names)} or more are needed for "
            f"{len(names)} levels."
        )
    _whole(n_boot, "n_boot", 1, 1_000_000)
    _whole(seed, "seed", 0, 2**63 - 1)
    if isinstance(confidence, bool) or not isinstance(confidence, float) or not 0 < confidence < 1:
        raise ExplanationError(f"confidence is {confidence!r}; above 0 and below 1 is accepted.")
    band, labels = _bands(people, by, _whole(bands, "bands", 1, 20))

    # one stream a purpose: another level or resample must not shift the rest
    draws = [np.random.default_rng(s) for s in np.random.SeedSequence(int(seed)).spawn(4)]
    chosen_people = np.sort(draws[0].permutation(total)[:size])
    level_of = draws[1].permutation(np.arange(size) % len(names))
    uniform = draws[2].random((2, size))
    noise = draws[2].standard_normal(size)

    truth = {
        level: _expected(frame, given, outcomes, level, chosen) for level in names
    }  # over all people
    seen: dict[str, Array] = {outcome: np.zeros(size) for outcome in TRUST_OUTCOMES}
    for number, level in enumerate(names):
        mine = level_of == number
        rows = chosen_people[mine]
        expected = truth[level]
        seen["visit"][mine] = uniform[0][mine] < expected["visit"][rows]
        seen["unsubscribe"][mine] = uniform[1][mine] < expected["unsubscribe"][rows]
        points = 1.0 + (_POINTS - 1) * expected["trust"][rows] + chosen.stated_noise * noise[mine]
        seen["stated_trust"][mine] = np.clip(np.floor(points + 0.5), 1.0, _POINTS)

    reference = "none" if "none" in names else names[0]
    everyone = np.ones(total, dtype=bool)
    table = _report(names, reference, level_of, seen, truth, everyone, chosen_people, confidence)
    parts = []
    for number, label in enumerate(labels):
        part = _report(
            names, reference, level_of, seen, truth, band == number, chosen_people, confidence
        )
        part.insert(0, "band", label)
        parts.append(part)
    by_band = pd.concat(parts, ignore_index=True)
    by_band["band"] = pd.Categorical(by_band["band"], categories=labels, ordered=True)
    return TrustExperiment(
        table=table,
        by_band=by_band,
        ranking=_ranking(names, level_of, seen, truth, int(n_boot), draws[3]),
        balance=_balance(names, level_of, frame, chosen_people),
        reference=reference,
        arm=arm,
        by=by,
        assumptions=chosen,
        confidence=confidence,
        n_people=size,
    )


def what_would_reverse(
    world: Any,
    first: str,
    second: str,
    *,
    outcome: str = "visit",
    names: str | Iterable[str] | None = None,
    acceptable: bool | ArrayLike = True,
    arm: str = "sports_mail",
    n_people: int | None = 2000,
    assumptions: TrustAssumptions | None = None,
    reasons_true: float | ArrayLike = 1.0,
    false_claims: float | ArrayLike = 0.0,
    ai_disclosed: bool | ArrayLike = True,
    choice_given: bool | ArrayLike = True,
) -> pd.DataFrame:
    """Return how far each assumption must move before two levels change their order.

    One assumption moves over its whole range while all others stay. The search looks at 33
    points and halves the nearest interval in which the order turns; a turn and a turn back
    between two neighbouring points would be missed.

    Parameters
    ----------
    world : World
    first, second : str
        Two of :data:`DISCLOSURES`.
    outcome : {"visit", "unsubscribe", "stated_trust"}, default "visit"
        What they are compared by.
    names : str or iterable of str, optional
        Assumptions to move; all by default.
    acceptable, reasons_true, false_claims, ai_disclosed, choice_given
        As in :func:`trust_after`; arrays follow the rows of ``world.truth.people``.
    arm : {"sports_mail", "fashion_mail"}, default "sports_mail"
    n_people : int or None, default 2000
        People at even distances in the world's rows that the expectation is taken over;
        None takes all.
    assumptions : TrustAssumptions, optional

    Returns
    -------
    DataFrame
        A row an assumption, those that turn the order by the smallest part of their range
        first: name, value, result ("flips", "vanishes" where the difference reaches zero
        without changing sign, or "holds"; "tied" where there is no difference to begin
        with), turns_at, move (turns_at minus value), move_of_range (its size as a part of the
        range), low, high, difference (first minus second now), difference_low and
        difference_high (at both ends of the range), evidence.

    Raises
    ------
    ExplanationError
        If a name is unknown or the two levels are the same.

    Examples
    --------
    >>> from ethicalai_lab.explainability import what_would_reverse
    >>> from ethicalai_lab.world import make_world
    >>> world = make_world(2000)
    >>> found = what_would_reverse(
    ...     world, "none", "one_line", names="discovery", acceptable=False
    ... )
    >>> found["value"].item(), found["result"].item(), found["turns_at"].round(2).item()
    (0.08, 'flips', 0.67)
    """
    import pandas as pd

    chosen = _assumptions(assumptions)
    one, two = _level(first, "first"), _level(second, "second")
    if one == two:
        raise ExplanationError(f'second is "{two}" like first; two different levels are needed.')
    if outcome not in TRUST_OUTCOMES:
        raise ExplanationError(
            f'outcome is "{outcome}"; one of {", ".join(TRUST_OUTCOMES)} is accepted.'
        )
    known = {f.name: f for f in dataclasses.fields(TrustAssumptions)}
    if names is not None and not isinstance(names, Iterable):
        raise ExplanationError(f"names is {names!r}; names of assumptions are accepted.")
    wanted = list(known) if names is None else [names] if isinstance(names, str) else list(names)
    for name in wanted:
        if name not in known:
            raise ExplanationError(f'names holds "{name}"; the assumptions are {", ".join(known)}.')
    people, frame, given, outcomes = _world(
        world,
        arm,
        acceptable=acceptable,
        reasons_true=reasons_true,
        false_claims=false_claims,
        ai_disclosed=ai_disclosed,
        choice_given=choice_given,
    )
    if n_people is not None:
        size = min(_whole(n_people, "n_people", 1, 2**31), len(people))
        rows = np.arange(size) * len(people) // size
        frame = (frame[0][rows], frame[1][rows])
        given = {k: v[rows] if isinstance(v, np.ndarray) else v for k, v in given.items()}
        outcomes = {k: v[rows] for k, v in outcomes.items()}

    def difference(name: str, value: float) -> float:
        moved = dataclasses.replace(chosen, **{name: value})
        sides = [
            _expected(frame, given, outcomes, level, moved, only=outcome)[outcome].mean()
            for level in (one, two)
        ]
        gap = float(sides[0] - sides[1])
        return 0.0 if abs(gap) < 1e-12 else gap  # rounding is no order

    records = []
    for name in wanted:
        meta, value = known[name].metadata, getattr(chosen, name)
        low, high = meta["low"], meta["high"]
        now = difference(name, value)
        result, turns_at = _turn(lambda v, name=name: difference(name, v), value, low, high, now)
        records.append(
            {
                "name": name,
                "value": value,
                "result": result,
                "turns_at": round(turns_at, 6),
                "move": round(turns_at - value, 6),
                "move_of_range": round(abs(turns_at - value) / (high - low), 6),
                "low": low,
                "high": high,
                "difference": round(now, 10),
                "difference_low": round(difference(name, low), 10),
                "difference_high": round(difference(name, high), 10),
                "evidence": meta["evidence"],
            }
        )
    table = pd.DataFrame(records)
    order = table["result"].map({"flips": 0, "vanishes": 1, "holds": 2, "tied": 3})
    return (
        table.assign(_order=order)
        .sort_values(["_order", "move_of_range"], kind="stable", na_position="last")
        .drop(columns="_order")
        .reset_index(drop=True)
    )


def _turn(difference: Any, value: float, low: float, high: float, now: float) -> tuple[str, float]:
    """Return what becomes of the order, and the value nearest to ``value`` where it turns."""
    if now == 0.0:
        return "tied", math.nan
    sign = math.copysign(1.0, now)
    grid = np.linspace(low, high, 33)
    found: list[tuple[str, float]] = []
    for path in (grid[grid > value], grid[grid < value][::-1]):
        inside, vanished = value, math.nan
        for point in path:
            at = sign * difference(float(point))
            if at < 0.0:
                start, end = (inside, float(point))
                for _ in range(50):
                    middle = (start + end) / 2
                    if sign * difference(middle) > 0.0:
                        start = middle
                    else:
                        end = middle
                found.append(("flips", end))
                break
            if at > 0.0:
                inside, vanished = float(point), math.nan
            elif math.isnan(vanished):
                vanished = float(point)
        else:
            if not math.isnan(vanished):
                found.append(("vanishes", vanished))
    if not found:
        return "holds", math.nan
    # a turn says more than a difference that merely fades
    return min(found, key=lambda item: (item[0] != "flips", abs(item[1] - value)))


def _expected(
    frame: tuple[Array, Array],
    given: dict[str, Any],
    outcomes: dict[str, Array],
    level: str,
    chosen: TrustAssumptions,
    only: str | None = None,
) -> dict[str, Array]:
    """Return each person's trust after the message and the expected value of each outcome."""
    concern, before = frame
    after = _trust_after(concern, before, level, given, chosen)
    expected = {"trust": after}
    if only in (None, "visit", "unsubscribe"):
        visit, unsubscribe = response_factor(before, after, chosen)
        expected["visit"] = np.minimum(
            message_response(outcomes["without"], outcomes["mailed"], visit), 1.0
        )
        expected["unsubscribe"] = np.minimum(outcomes["unsubscribe"] * unsubscribe, 1.0)
    if only in (None, "stated_trust"):
        expected["stated_trust"] = _stated(after, chosen.stated_noise)
    return expected


def _stated(trust: Array, noise: float) -> Array:
    """Return the expected answer: a noisy point between 1 and 5, rounded and kept on the scale."""
    from scipy.special import ndtr

    centre = 1.0 + (_POINTS - 1) * trust
    edges = np.arange(1, _POINTS) + 0.5
    return 1.0 + sum(ndtr((centre - edge) / noise) for edge in edges)


def _report(
    names: list[str],
    reference: str,
    level_of: NDArray[np.int64],
    seen: dict[str, Array],
    truth: dict[str, dict[str, Array]],
    group: NDArray[np.bool_],
    rows: NDArray[np.int64],
    confidence: float,
) -> pd.DataFrame:
    import pandas as pd

    inside = group[rows]
    base = inside & (level_of == names.index(reference))
    records = []
    for outcome in TRUST_OUTCOMES:
        values = seen[outcome]
        base_truth = truth[reference][outcome][group].mean()
        for number, level in enumerate(names):
            mine = values[inside & (level_of == number)]
            control = values[base]
            if outcome == "stated_trust":
                value = mean_interval(mine, confidence)
                change = welch_interval(*_moments(mine), *_moments(control), confidence=confidence)
            else:
                value = proportion_interval(mine.sum(), mine.size, confidence)
                change = proportion_difference_interval(
                    mine.sum(), mine.size, control.sum(), control.size, confidence
                )
            expected = truth[level][outcome][group].mean()
            itself = level == reference
            records.append(
                {
                    "outcome": outcome,
                    "level": level,
                    "n": mine.size,
                    "value": value.value,
                    "low": value.low,
                    "high": value.high,
                    "truth": expected,
                    "difference": math.nan if itself else change.value,
                    "difference_low": math.nan if itself else change.low,
                    "difference_high": math.nan if itself else change.high,
                    "difference_truth": math.nan if itself else expected - base_truth,
                }
            )
    return pd.DataFrame(records).round(10)


def _moments(x: Array) -> tuple[float, float, int]:
    mean = float(x.mean()) if x.size else math.nan
    return mean, float(x.var(ddof=1)) if x.size > 1 else math.nan, x.size


def _ranking(
    names: list[str],
    level_of: NDArray[np.int64],
    seen: dict[str, Array],
    truth: dict[str, dict[str, Array]],
    n_boot: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    import pandas as pd

    records = []
    for outcome in TRUST_OUTCOMES:
        sign = -1.0 if outcome == "unsubscribe" else 1.0
        scores = np.arange(_POINTS + 1, dtype=float)
        counts = np.zeros((len(names), _POINTS + 1), dtype=np.int64)
        np.add.at(counts, (level_of, seen[outcome].astype(np.int64)), 1)
        n = counts.sum(axis=1)
        means = sign * (counts @ scores) / n
        # the outcome's few values make the row bootstrap a draw of counts
        drawn = sign * (bootstrap_counts(counts, n_boot, rng, fixed=0) @ scores) / n
        best = drawn == drawn.max(axis=1, keepdims=True)
        share = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
        expected = np.array([sign * truth[level][outcome].mean() for level in names]).round(12)
        for number, level in enumerate(names):
            records.append(
                {
                    "outcome": outcome,
                    "level": level,
                    "rank": int((means > means[number]).sum()) + 1,
                    "rank_truth": int((expected > expected[number]).sum()) + 1,
                    "share_best": round(float(share[number]), 10),
                }
            )
    return pd.DataFrame(records)


def _balance(
    names: list[str],
    level_of: NDArray[np.int64],
    frame: tuple[Array, Array],
    rows: NDArray[np.int64],
) -> pd.DataFrame:
    import pandas as pd

    records = []
    for number, level in enumerate(names):
        mine = level_of == number
        record: dict[str, Any] = {"level": level, "n": int(mine.sum())}
        for name, values in zip(("privacy_concern", "trust"), frame, strict=True):
            x = values[rows]
            spread = x.std(ddof=1)
            gap = x[mine].mean() - x[~mine].mean()
            record[name] = round(float(gap / spread), 10) if spread > 0 else 0.0
        records.append(record)
    return pd.DataFrame(records)


def _bands(people: pd.DataFrame, by: str, bands: int) -> tuple[NDArray[np.int64], list[str]]:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    numeric = [
        c
        for c in people.columns
        if c != "customer_id" and is_numeric_dtype(people[c]) and not is_bool_dtype(people[c])
    ]
    if by not in numeric:
        raise ExplanationError(
            f"by is {by!r}; a number in world.truth.people is accepted: {', '.join(numeric)}."
        )
    values = people[by].to_numpy(dtype=float)
    edges = np.quantile(values, np.arange(1, bands) / bands)
    band = np.searchsorted(edges, values, side="right")
    if len(np.unique(band)) < bands:
        raise ExplanationError(
            f"bands is {bands}, but {by} has too few different values for that; ask for fewer."
        )
    if bands == 3:
        return band, ["low", "middle", "high"]
    return band, [f"{i + 1} of {bands}" for i in range(bands)]


# --------------------------------------------------------------------------------- checks


def _world(
    world: Any, arm: str, **conditions: Any
) -> tuple[pd.DataFrame, tuple[Array, Array], dict[str, Any], dict[str, Array]]:
    if arm not in _MAILS:
        raise ExplanationError(f"arm is {arm!r}; one of {', '.join(_MAILS)} is accepted.")
    truth = getattr(world, "truth", None)
    if truth is None:
        raise ExplanationError(
            f"world is a {type(world).__name__} without truth; a World is accepted."
        )
    people, chances = truth.people, truth.potential_outcomes
    if not np.array_equal(people["customer_id"].to_numpy(), chances["customer_id"].to_numpy()):
        raise ExplanationError(
            "truth.potential_outcomes has other customers than truth.people, row by row; the "
            "same customer_id in the same order is needed."
        )
    frame = _people(people)
    outcomes = {
        "without": chances["p_visit_no_mail"].to_numpy(dtype=float),
        "mailed": chances[f"p_visit_{arm}"].to_numpy(dtype=float),
        "unsubscribe": chances[f"p_unsubscribe_{arm}"].to_numpy(dtype=float),
    }
    return people, frame, _conditions(len(people), **conditions), outcomes


def _people(people: Any) -> tuple[Array, Array]:
    columns = getattr(people, "columns", None)
    if columns is None:
        raise ExplanationError(
            f"people is a {type(people).__name__}; a DataFrame with privacy_concern and trust "
            "is accepted."
        )
    for name in ("privacy_concern", "trust"):
        if name not in columns:
            raise ExplanationError(f"people has no column {name}; numbers 0 to 1 are needed.")
    concern = _unit_array(people["privacy_concern"], "people, column privacy_concern")
    return concern, _unit_array(people["trust"], "people, column trust")


def _conditions(n: int, **given: Any) -> dict[str, Any]:
    """Return each condition as a float, or an array of n of them, within 0 to 1."""
    checked: dict[str, Any] = {}
    for name in _CONDITIONS:
        value = given[name]
        if isinstance(value, np.generic) or not hasattr(value, "__len__"):
            checked[name] = float(_unit_array([value], name)[0])
        else:
            checked[name] = _unit_array(value, name, n)
    return checked


def _numbers(values: Any, name: str, n: int | None = None) -> Array:
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "bifuO":
            raise TypeError
        if array.dtype == object:
            if any(isinstance(v, str | bytes) for v in np.ravel(array)):
                raise TypeError
            array = array.astype(float)
    except (TypeError, ValueError):
        raise ExplanationError(f"{name} holds something that is no number.") from None
    array = np.atleast_1d(array).astype(float, copy=False)
    if array.ndim != 1:
        raise ExplanationError(f"{name} has {array.ndim} dimensions; one value a person is needed.")
    if n is not None and len(array) != n:
        raise ExplanationError(f"{name} has {len(array)} values for {n} people; {n} are needed.")
    # one sum finds a missing or infinite value far faster than a mask
    with np.errstate(all="ignore"):
        suspect = not math.isfinite(float(array.sum()))
    wrong: Any = ()
    if suspect or (len(array) and float(array.min()) < 0.0):
        wrong = np.flatnonzero(~(np.isfinite(array) & (array >= 0)))
    if len(wrong):
        row = int(wrong[0])
        raise ExplanationError(f"{name}, row {row} is {array[row]:g}; a number from 0 is accepted.")
    return array


def _unit_array(values: Any, name: str, n: int | None = None) -> Array:
    array = _numbers(values, name, n)
    if len(array) and float(array.max()) > 1.0:
        row = int(np.argmax(array > 1.0))
        raise ExplanationError(f"{name}, row {row} is {array[row]:g}; 0 to 1 is accepted.")
    return array


def _whole(value: Any, name: str, low: int, high: int) -> int:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | np.integer)
        or not low <= value <= high
    ):
        raise ExplanationError(
            f"{name} is {value!r}; a whole number from {low} to {high} is accepted."
        )
    return int(value)


def _level(value: Any, name: str = "disclosure") -> str:
    if not isinstance(value, str) or value not in DISCLOSURES:
        raise ExplanationError(f"{name} is {value!r}; one of {', '.join(DISCLOSURES)} is accepted.")
    return value


def _levels(levels: Any) -> list[str]:
    if isinstance(levels, str) or not isinstance(levels, Iterable):
        raise ExplanationError(
            f"levels is {levels!r}; a list of two or more of {', '.join(DISCLOSURES)} is accepted."
        )
    names = [_level(level, "levels, one entry") for level in levels]
    if len(names) < 2 or len(set(names)) < len(names):
        raise ExplanationError(
            f"levels is {names!r}; two or more different ones of {', '.join(DISCLOSURES)} are "
            "accepted."
        )
    return names


def _assumptions(value: Any) -> TrustAssumptions:
    if value is None:
        return TrustAssumptions()
    if not isinstance(value, TrustAssumptions):
        raise ExplanationError(
            f"assumptions is a {type(value).__name__}; TrustAssumptions are accepted."
        )
    return value


def _html_table(table: pd.DataFrame, caption: str, reference: str) -> str:
    banded = "band" in table.columns
    heads = [
        *(["Band"] if banded else []),
        "Outcome",
        "Disclosure",
        "People",
        "Measured",
        "Truth",
        f"Difference to {reference.replace('_', ' ')}",
        "True difference",
    ]
    rows = []
    for r in table.itertuples(index=False):
        scale, unit = (1.0, "") if r.outcome == "stated_trust" else (100.0, " %")

        def text(*numbers: float, scale: float = scale, unit: str = unit, sign: str = "") -> str:
            if math.isnan(numbers[0]):
                return ""
            first, *rest = (f"{scale * x:{sign}.2f}" for x in numbers)
            if any(math.isnan(x) for x in numbers):
                return f"{first}{unit} [too few people]"
            return f"{first}{unit}" + (f" [{rest[0]}, {rest[1]}]" if rest else "")

        cells = [
            f"{r.n}",
            text(r.value, r.low, r.high),
            text(r.truth),
            text(r.difference, r.difference_low, r.difference_high, sign="+"),
            text(r.difference_truth, sign="+"),
        ]
        lead = [str(r.band)] if banded else []
        lead += [r.outcome.replace("_", " "), r.level.replace("_", " ")]
        rows.append(
            "<tr>"
            + "".join(f'<th scope="row">{html.escape(x)}</th>' for x in lead)
            + "".join(f"<td>{x}</td>" for x in cells)
            + "</tr>"
        )
    head = "".join(f'<th scope="col">{html.escape(h)}</th>' for h in heads)
    return (
        f"<table><caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
