"""Why rounding matters: textbook noise in floating point, and the attack on its last bits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ethicalai_lab.privacy.budget import check_epsilon, membership_bound
from ethicalai_lab.privacy.errors import PrivacyError
from ethicalai_lab.stats import Interval, proportion_interval

__all__ = ["FloatingPointLeak", "floating_point_leak"]


@dataclass(frozen=True)
class FloatingPointLeak:
    """What the last bits of noisy answers told.

    Attributes
    ----------
    exposed : Interval
        Share of answers that only one of the two tables can produce.
    wrong : int
        Answers for which the attacker, being certain, was wrong.
    bound : float
        The share of right guesses that the promise allows at this epsilon.
    """

    exposed: Interval
    wrong: int
    bound: float


def floating_point_leak(
    epsilon: float,
    answers: tuple[float, float] = (0.0, 1.0),
    *,
    n: int = 2_000,
    seed: int = 0,
    grid: float | None = None,
) -> FloatingPointLeak:
    """Show that textbook Laplace noise in floating point breaks its promise.

    The textbook draws ``answer - b log(1 - U)``. U takes 2^53 values, so only some floats
    can come out, and *which* depends on the answer. The attacker asks of each output
    whether each answer can reach it. With noise on a grid of whole numbers every output
    can come from both, and nothing is exposed.

    Parameters
    ----------
    epsilon : float
    answers : (float, float)
        True answers of two tables that differ by one person.
    n : int
        Releases attacked.
    seed : int
    grid : float, optional
        Round the *output* to multiples of this. Rounding later repairs nothing unless
        the grid is coarse enough to cover the gaps.

    Returns
    -------
    FloatingPointLeak

    Raises
    ------
    PrivacyError
        If the answers are equal or a number is out of range.

    References
    ----------
    Mironov, "On significance of the least significant bits for differential privacy",
    CCS 2012.

    Examples
    --------
    >>> from ethicalai_lab.privacy.noise import floating_point_leak
    >>> leak = floating_point_leak(0.1, n=500)
    >>> leak.exposed.value > 0.2, leak.wrong
    (True, 0)
    """
    epsilon = check_epsilon(epsilon)
    first, second = map(float, answers)
    if first == second or not (math.isfinite(first) and math.isfinite(second)):
        raise PrivacyError(f"answers are {answers}; two different finite numbers are accepted.")
    if grid is not None:
        check_epsilon(grid, "grid")
    scale = abs(first - second) / epsilon
    rng = np.random.default_rng(seed)
    which = rng.integers(0, 2, n)
    true = np.where(which == 0, first, second)
    sign = np.where(rng.integers(0, 2, n) == 0, -1.0, 1.0)
    output = _textbook(true, sign, rng.integers(0, 2**53, n), scale)
    if grid is not None:
        output = np.rint(output / grid) * grid
    can = [_reachable(output, answer, scale, grid) for answer in (first, second)]
    certain = can[0] != can[1]
    guess = np.where(can[0], 0, 1)
    wrong = int((certain & (guess != which)).sum())
    return FloatingPointLeak(
        proportion_interval(int(certain.sum()), n), wrong, membership_bound(epsilon)
    )


def _textbook(answer: Any, sign: Any, draw: np.ndarray, scale: float) -> np.ndarray:
    """Draw as textbooks do, and as many programs do: not for a release."""
    return answer - sign * scale * np.log(1.0 - draw * 2.0**-53)


def _reachable(output: np.ndarray, answer: float, scale: float, grid: float | None) -> np.ndarray:
    """Whether some draw U leads from the answer to exactly this output."""
    cell = 0.0 if grid is None else grid / 2
    distance = np.abs(output - answer)
    sign = np.where(output >= answer, 1.0, -1.0)

    def draw_at(noise: np.ndarray) -> np.ndarray:
        return np.rint(-np.expm1(-np.maximum(noise, 0.0) / scale) * 2.0**53)

    first, last = draw_at(distance - cell), draw_at(distance + cell)
    # the inverse is exact to a few units: inside a wide stretch a draw surely lands in the
    # cell, in a narrow one every draw in and around it is tried
    wide = last - first > 64
    offsets = np.arange(-24, 25)
    tries = np.concatenate([first[:, None] + offsets, last[:, None] + offsets], axis=1)
    made = _textbook(answer, sign[:, None], np.clip(tries, 0, 2**53 - 1), scale)
    if grid is not None:
        made = np.rint(made / grid) * grid
    return wide | (made == output[:, None]).any(axis=1)
