"""Noise that everybody adds for himself: lies at a known rate."""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from decimal import Decimal, localcontext

import numpy as np

from ethicalai_lab.privacy.budget import check_epsilon
from ethicalai_lab.privacy.errors import PrivacyError
from ethicalai_lab.stats import Interval, proportion_interval

__all__ = ["RandomizedResponse"]

_BITS = 53  # of a draw: whole numbers below 2**53, and a whole number of them are lies


def _lies(epsilon: float, others: int) -> int:
    """Fewest of 2**53 equal draws that must be lies, so that no answer says more than epsilon."""
    with localcontext() as exact:
        exact.prec = 60
        # past e^120 less than one draw in 2**53 is a lie whatever the number of answers
        odds = Decimal(min(epsilon, 120.0)).exp()
        return math.ceil(Decimal(2**_BITS) * others / (odds + others))


class RandomizedResponse:
    """Everybody answers for himself, and lies at a known rate.

    The answer is true with probability ``e^eps / (e^eps + m - 1)``, else one of the other
    ``m - 1`` at random. Nobody can be held to an answer, and the shares can still be
    estimated, corrected for the known lie rate, at the price of a wider error.

    Parameters
    ----------
    epsilon : float
        Per person and question, above 0. Asking the same person again costs again.
    categories : sequence, default (False, True)
        Possible answers, two or more.

    References
    ----------
    Warner, "Randomized response", JASA 1965. Kairouz, Bonawitz, Ramage, "Discrete
    distribution estimation under local privacy", ICML 2016.

    Examples
    --------
    >>> import math
    >>> from ethicalai_lab.privacy.noise import RandomizedResponse
    >>> coins = RandomizedResponse(math.log(3))  # two coins: truth in three of four cases
    >>> round(coins.truth_rate, 6)
    0.75
    """

    def __init__(self, epsilon: float, categories: Sequence = (False, True)) -> None:
        self.epsilon = check_epsilon(epsilon)
        self.categories = tuple(categories)
        if len(self.categories) < 2 or len(set(self.categories)) < len(self.categories):
            raise PrivacyError(
                f"categories are {self.categories}; two or more different answers are accepted."
            )
        others = len(self.categories) - 1
        self._lies = _lies(self.epsilon, others)
        if self._lies <= 1:
            raise PrivacyError(
                f"epsilon is {epsilon!r}: not one answer in 2^53 would be a lie, which protects "
                "nobody; a smaller one is accepted, such as 1."
            )
        if (2**_BITS - self._lies) * others <= self._lies:
            raise PrivacyError(
                f"epsilon is {epsilon!r}: an answer would say nothing at all; a larger one is "
                "accepted, such as 1."
            )

    @property
    def truth_rate(self) -> float:
        """Probability that an answer is the true one."""
        return 1.0 - self._lies / 2**_BITS

    def report(self, answers: Sequence, seed: int | None = None) -> np.ndarray:
        """Give each person's randomised answer.

        Parameters
        ----------
        answers : sequence
            True answers, all among the categories.
        seed : int, optional
            For simulation. Without one the operating system's randomness is used, which
            nobody can draw again.

        Returns
        -------
        numpy.ndarray of object
        """
        index = {c: i for i, c in enumerate(self.categories)}
        true = np.empty(len(answers), np.int64)
        for i, answer in enumerate(answers):
            answer = answer.item() if hasattr(answer, "item") else answer
            if answer not in index:
                raise PrivacyError(
                    f"answers: number {i} is {answer!r}; one of {self.categories} is accepted."
                )
            true[i] = index[answer]
        # random bits against a whole-number threshold: no rounding of the draw
        limit = 2**_BITS - self._lies
        others = len(self.categories) - 1
        if seed is None:
            draw = np.array([secrets.randbits(_BITS) for _ in true], np.int64)
            other = np.array([secrets.randbelow(others) for _ in true], np.int64)
        else:
            # a stream of its own: data drawn with the same seed must not predict the lies
            rng = np.random.default_rng([seed, 1965])
            draw = rng.integers(0, 2**_BITS, len(true))
            other = rng.integers(0, others, len(true))
        lie = (true + 1 + other) % len(self.categories)
        chosen = np.where(draw < limit, true, lie)
        return np.array(self.categories, dtype=object)[chosen]

    def estimate(self, reported: Sequence, confidence: float = 0.95) -> dict:
        """Estimate the true shares, corrected for the known lie rate.

        Parameters
        ----------
        reported : sequence
        confidence : float

        Returns
        -------
        dict of category to Interval
            For the share among people like those asked. Clipped to 0 to 1, value and bounds
            alike: a share near an end comes out a little too far inside on average.

        Raises
        ------
        PrivacyError
            If there are no answers, or one is no category.

        Notes
        -----
        Wilson's interval of what was answered, corrected for the lies as the value is. At
        95 % it holds the true share in 95 to 96 of 100 cases, averaged over all shares, from
        5 answers on and up to epsilon 4; for a single share among fewer than 20 answers it
        can be as few as 83, and with 50 or more it is 93 to 98.

        References
        ----------
        Wilson, JASA 1927; Brown, Cai, DasGupta, Statistical Science 2001.
        """
        reported = np.asarray(reported, dtype=object)
        n = len(reported)
        if n == 0:
            raise PrivacyError("reported holds no answers; at least one is needed.")
        counts = [int((reported == c).sum()) for c in self.categories]
        if sum(counts) != n:
            row = next(i for i, answer in enumerate(reported) if answer not in self.categories)
            raise PrivacyError(
                f"reported: number {row} is {reported[row]!r}; one of {self.categories} is "
                "accepted."
            )
        p, m = self.truth_rate, len(self.categories)
        q = (1 - p) / (m - 1)
        out = {}
        for category, count in zip(self.categories, counts, strict=True):
            seen = proportion_interval(count, n, confidence)
            ends = ((x - q) / (p - q) for x in (seen.value, seen.low, seen.high))
            out[category] = Interval(*(min(max(x, 0.0), 1.0) for x in ends), confidence)
        return out

    def standard_error(self, share: float, n: int) -> float:
        """Return the standard error of the estimate, for a true share among n people."""
        p = self.truth_rate
        q = (1 - p) / (len(self.categories) - 1)
        seen = q + share * (p - q)
        return math.sqrt(seen * (1 - seen) / n) / (p - q)
