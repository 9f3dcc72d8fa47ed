"""A small experiment whose truth is known in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Hundreds of small fits: two threads that wait for each other cost ten times more."""
    import sklearn.ensemble  # noqa: F401  (loads the libraries whose threads are limited)

    with threadpool_limits(limits=1):
        yield


@dataclass
class Study:
    """A randomised mail with a known chance of buying for everybody, mailed or not."""

    x: np.ndarray  # feature, uniform in 0..1
    z: np.ndarray  # drives buying, not the effect
    t: np.ndarray
    y: np.ndarray
    p0: np.ndarray
    effect: np.ndarray

    @property
    def X(self) -> np.ndarray:
        return np.column_stack([self.x, self.z])


def draw_study(n: int, seed: int, share: float = 0.5) -> Study:
    rng = np.random.default_rng(seed)
    x, z = rng.random(n), rng.random(n)
    t = (rng.random(n) < share).astype(int)
    p0 = 0.1 + 0.4 * z
    effect = 0.4 * x - 0.1  # a quarter of the people are put off by the mail
    y = (rng.random(n) < p0 + effect * t).astype(int)
    return Study(x, z, t, y, p0, effect)


def covers_nominally(hits: list[bool], nominal: float = 0.95, slack: float = 0.015) -> bool:
    """Whether the share of hits is nominal within 3 standard errors plus ``slack``."""
    error = math.sqrt(nominal * (1 - nominal) / len(hits))
    return abs(float(np.mean(hits)) - nominal) <= 3 * error + slack


@pytest.fixture(scope="session")
def study():
    return draw_study


@pytest.fixture(scope="session")
def nominal():
    return covers_nominally


@pytest.fixture(scope="session")
def world():
    """A world that these tests share; copy a frame before changing it."""
    from ethicalai_lab.world import make_world

    return make_world(12_000, seed=7)
