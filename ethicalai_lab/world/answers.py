"""Mechanism of zero-party answers: what people say when asked."""

# A mechanism's docstring describes its node in the graph.

from __future__ import annotations

import numpy as np

from ethicalai_lab.world.arrays import logistic
from ethicalai_lab.world.causal import mechanism
from ethicalai_lab.world.config import CATEGORIES
from ethicalai_lab.world.schema import levels

__all__: list[str] = []

ASKED_SHARE = 0.30
QUESTIONS = levels("preferences", "question")
OPTIONS = (
    CATEGORIES,
    CATEGORIES,
    CATEGORIES,
    ("weekly", "monthly", "rarely", "never"),
    ("basic", "classic", "premium"),
    ("myself", "family", "gifts"),
)
ANSWER_POOL = tuple(dict.fromkeys(option for options in OPTIONS for option in options))
_CODES = [np.array([ANSWER_POOL.index(o) for o in options], dtype=np.int8) for options in OPTIONS]


@mechanism("observed")
def preferences(
    rng,
    n,
    *,
    interests,
    favoured_line,
    household_size,
    fatigue_sensitivity,
    personal_concern,
    trust,
    honesty,
):
    """Answers to six questions, with refusals, fatigue and false answers."""
    asked = np.flatnonzero(rng.random(n) < ASKED_SHARE)
    m, width = asked.size, len(QUESTIONS)
    liked = np.argsort(-interests[:, asked], axis=0, kind="stable")
    tired = fatigue_sensitivity[asked]
    often = np.searchsorted([0.33, 0.55, 0.75], tired + 0.12 * rng.standard_normal(m))
    shops = np.where(household_size[asked] > 2, 1, 0)
    shops = np.where(rng.random(m) < 0.12, 2, shops)
    true = [liked[0], liked[1], liked[5], often, favoured_line[asked], shops]
    said = np.empty((m, width), dtype=np.int8)
    truth = np.empty((m, width), dtype=np.int8)
    wary = 1.6 * (personal_concern[asked] - 0.5) - 1.2 * (trust[asked] - 0.5)
    truthful = np.empty((m, width), dtype=bool)
    for q in range(width):
        size = len(OPTIONS[q])
        truthful[:, q] = rng.random(m) < honesty[asked]
        # a false answer is one of the other options
        other = (true[q] + 1 + (rng.random(m) * (size - 1)).astype(np.int64)) % size
        truth[:, q] = _CODES[q][true[q]]
        said[:, q] = np.where(truthful[:, q], truth[:, q], _CODES[q][other])
        # each further question is refused more often, by the tired most
        refusal = logistic(-2.6 + wary + (0.10 + 0.45 * tired) * q)
        said[rng.random(m) < refusal, q] = -1
    started = (rng.random(m) * 180 * 86_400).astype(np.int64) + 12 * 86_400
    return {
        "person": np.repeat(asked, width),
        "question": np.tile(np.arange(width, dtype=np.int8), m),
        "said": said.ravel(),
        "truth": truth.ravel(),
        "truthful": truthful.ravel(),
        "second_past": np.repeat(started, width) - np.tile(np.arange(width) * 9, m),
    }
