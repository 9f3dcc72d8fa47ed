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
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.core.assumptions import Numbers, numbers_of
from ethicalai_lab.core.checks import Seed, check_value
from ethicalai_lab.core.yaml import own_data
from ethicalai_lab.explainability.errors import ExplanationError
from ethicalai_lab.stats import (
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
_CONDITIONS = ("acceptable", "reasons_true", "false_claims", "ai_disclosed", "choice_given")
_THIRDS = ["low", "middle", "high"]
_POINTS = 5  # of the scale on which people state their trust


class _Assumed(Numbers):
    """Every number the trust model rests on, with its unit, range and evidence.

    No size is published for a shop like this one. Where the evidence says "direction
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

    error = ExplanationError

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


TrustAssumptions: type[_Assumed] = numbers_of(
    _Assumed, "TrustAssumptions", own_data(__file__, "trust.yaml")["assumptions"]
)


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
    assumptions: _Assumed | None = None,
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
    before: ArrayLike, after: ArrayLike, assumptions: _Assumed | None = None
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
    concern: Array, trust: Array, level: str, given: dict[str, Any], a: _Assumed
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
        points 1 to 5), level, n (people), value, low, high (95 % interval), truth
        (expected over all people of the world, if the assumptions hold), difference,
        difference_low, difference_high and difference_truth (to no notice; missing in its own
        row).
    by_band : DataFrame
        The same for the low, middle and high third of privacy concern, in a leading column band.
    """

    table: pd.DataFrame
    by_band: pd.DataFrame


def trust_experiment(
    world: Any,
    *,
    acceptable: bool | ArrayLike = True,
    seed: int = 0,
    assumptions: _Assumed | None = None,
) -> TrustExperiment:
    """Randomise people over disclosure levels and report how they respond.

    Each person gets the same sports mail with a notice drawn at random. Whether they visit and
    unsubscribe is drawn from the world's own probabilities, changed by :func:`response_factor`;
    their trust is asked on a scale of 1 to 5. This opens ``world.truth``: it is a simulation of
    an experiment, not the result of one.

    Parameters
    ----------
    world : World
    acceptable : bool or array-like of shape (people,)
        As in :func:`trust_after`; an array follows the rows of ``world.truth.people``.
    seed : int, default 0
        Source of every draw.
    assumptions : TrustAssumptions, optional

    Returns
    -------
    TrustExperiment

    Raises
    ------
    ExplanationError
        If an argument is not among what is accepted.

    Notes
    -----
    Rates have Wilson's intervals and their differences Newcombe's; stated trust has
    Student's and Welch's. Everybody takes part, so the intervals are a little too wide for these
    people, never too narrow for that reason.

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
    frame, given, outcomes = _world(world, acceptable)
    total = len(frame[0])
    check_value(seed, Seed, "seed", ExplanationError)
    # one stream a purpose: another assumption must not shift the rest
    _, lots, answers = (
        np.random.default_rng(s) for s in np.random.SeedSequence(int(seed)).spawn(3)
    )
    level_of = lots.permutation(np.arange(total) % len(DISCLOSURES))
    uniform = answers.random((2, total))
    noise = answers.standard_normal(total)

    truth = {level: _expected(frame, given, outcomes, level, chosen) for level in DISCLOSURES}
    seen: dict[str, Array] = {outcome: np.zeros(total) for outcome in TRUST_OUTCOMES}
    for number, level in enumerate(DISCLOSURES):
        mine = level_of == number
        expected = truth[level]
        seen["visit"][mine] = uniform[0][mine] < expected["visit"][mine]
        seen["unsubscribe"][mine] = uniform[1][mine] < expected["unsubscribe"][mine]
        points = 1.0 + (_POINTS - 1) * expected["trust"][mine] + chosen.stated_noise * noise[mine]
        seen["stated_trust"][mine] = np.clip(np.floor(points + 0.5), 1.0, _POINTS)

    everyone = np.ones(total, dtype=bool)
    concern = frame[0]
    band = np.searchsorted(np.quantile(concern, [1 / 3, 2 / 3]), concern, side="right")
    parts = {
        label: _report(level_of, seen, truth, band == number)
        for number, label in enumerate(_THIRDS)
    }
    by_band = pd.concat(parts, names=["band"]).reset_index("band").reset_index(drop=True)
    by_band["band"] = pd.Categorical(by_band["band"], categories=_THIRDS, ordered=True)
    return TrustExperiment(_report(level_of, seen, truth, everyone), by_band)


def what_would_reverse(
    world: Any,
    first: str,
    second: str,
    *,
    names: str | Iterable[str] | None = None,
    acceptable: bool | ArrayLike = True,
) -> pd.DataFrame:
    """Return how far each assumption must move before two levels change their order in visits.

    One assumption moves over its whole range while all others stay. The search looks at 33
    points and halves the nearest interval in which the order turns; a turn and a turn back
    between two neighbouring points would be missed. The expectation is taken over 2,000 people at
    even distances in the world's rows.

    Parameters
    ----------
    world : World
    first, second : str
        Two of :data:`DISCLOSURES`.
    names : str or iterable of str, optional
        Assumptions to move; all by default.
    acceptable : bool or array-like of shape (people,)
        As in :func:`trust_after`; an array follows the rows of ``world.truth.people``.

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

    chosen = TrustAssumptions()
    one, two = _level(first, "first"), _level(second, "second")
    if one == two:
        raise ExplanationError(f'second is "{two}" like first; two different levels are needed.')
    known = {f.name: f for f in dataclasses.fields(TrustAssumptions)}
    wanted = list(known) if names is None else [names] if isinstance(names, str) else list(names)
    for name in wanted:
        if name not in known:
            raise ExplanationError(f'names holds "{name}"; the assumptions are {", ".join(known)}.')
    frame, given, outcomes = _world(world, acceptable)
    size = min(2000, len(frame[0]))
    rows = np.arange(size) * len(frame[0]) // size
    frame = (frame[0][rows], frame[1][rows])
    given = {k: v[rows] if isinstance(v, np.ndarray) else v for k, v in given.items()}
    outcomes = {k: v[rows] for k, v in outcomes.items()}

    def difference(name: str, value: float) -> float:
        moved = dataclasses.replace(chosen, **{name: value})
        sides = [
            _expected(frame, given, outcomes, level, moved)["visit"].mean() for level in (one, two)
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
    chosen: _Assumed,
) -> dict[str, Array]:
    """Return each person's trust after the message and the expected value of each outcome."""
    concern, before = frame
    after = _trust_after(concern, before, level, given, chosen)
    visit, unsubscribe = response_factor(before, after, chosen)
    visits = message_response(outcomes["without"], outcomes["mailed"], visit)
    return {
        "trust": after,
        "visit": np.minimum(visits, 1.0),
        "unsubscribe": np.minimum(outcomes["unsubscribe"] * unsubscribe, 1.0),
        "stated_trust": _stated(after, chosen.stated_noise),
    }


def _stated(trust: Array, noise: float) -> Array:
    """Return the expected answer: a noisy point between 1 and 5, rounded and kept on the scale."""
    from scipy.special import ndtr

    centre = 1.0 + (_POINTS - 1) * trust
    edges = np.arange(1, _POINTS) + 0.5
    return 1.0 + sum(ndtr((centre - edge) / noise) for edge in edges)


def _report(
    level_of: NDArray[np.int64],
    seen: dict[str, Array],
    truth: dict[str, dict[str, Array]],
    group: NDArray[np.bool_],
) -> pd.DataFrame:
    import pandas as pd

    base = group & (level_of == 0)
    records = []
    for outcome in TRUST_OUTCOMES:
        values = seen[outcome]
        base_truth = truth["none"][outcome][group].mean()
        for number, level in enumerate(DISCLOSURES):
            mine = values[group & (level_of == number)]
            control = values[base]
            if outcome == "stated_trust":
                value = mean_interval(mine)
                change = welch_interval(*_moments(mine), *_moments(control))
            else:
                value = proportion_interval(mine.sum(), mine.size)
                change = proportion_difference_interval(
                    mine.sum(), mine.size, control.sum(), control.size
                )
            expected = truth[level][outcome][group].mean()
            itself = level == "none"
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


# --------------------------------------------------------------------------------- checks


def _world(
    world: Any, acceptable: bool | ArrayLike
) -> tuple[tuple[Array, Array], dict[str, Any], dict[str, Array]]:
    """Return people's concern and trust, the message's conditions, and what it would bring."""
    people, chances = world.truth.people, world.truth.potential_outcomes
    outcomes = {
        "without": chances["p_visit_no_mail"].to_numpy(dtype=float),
        "mailed": chances["p_visit_sports_mail"].to_numpy(dtype=float),
        "unsubscribe": chances["p_unsubscribe_sports_mail"].to_numpy(dtype=float),
    }
    plain = {"reasons_true": 1.0, "false_claims": 0.0, "ai_disclosed": True, "choice_given": True}
    return _people(people), _conditions(len(people), acceptable=acceptable, **plain), outcomes


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


def _level(value: Any, name: str = "disclosure") -> str:
    if not isinstance(value, str) or value not in DISCLOSURES:
        raise ExplanationError(f"{name} is {value!r}; one of {', '.join(DISCLOSURES)} is accepted.")
    return value


def _assumptions(value: Any) -> _Assumed:
    if value is None:
        return TrustAssumptions()
    if not isinstance(value, TrustAssumptions):
        raise ExplanationError(
            f"assumptions is a {type(value).__name__}; TrustAssumptions are accepted."
        )
    return value
