"""Mechanisms of consent: what people accept, and what the records say."""

# A mechanism's docstring describes its node in the graph.

from __future__ import annotations

import numpy as np

from ethicalai_lab.world.arrays import blocks, logistic
from ethicalai_lab.world.causal import mechanism

__all__: list[str] = []

NOTICES = ("2023-1", "2024-1", "2025-1")
NOTICE_DAYS = np.array([730, 365])  # age in days at which an older notice applied
# how far each default moves an answer towards yes (logit); refusing takes effort or notice
DEFAULT_PUSH = {"unticked": 0.0, "nudged": 1.1, "pre_ticked": 2.9}


@mechanism("latent")
def accepted_purposes(rng, n, *, personal_concern, trust, age):
    """Purposes the person truly accepts, one row a purpose."""
    base = np.array([0.75, 0.10, 0.25, -1.60])[:, None]
    lean = -3.6 * (personal_concern - 0.5) + 2.0 * (trust - 0.5) - 0.006 * (age - 45)
    accepted = np.empty((4, n), dtype=bool)
    for rows in blocks(n):
        part = lean[rows]
        accepted[:, rows] = rng.random((4, part.size)) < logistic(base + part)
    return accepted


@mechanism("observed")
def consent_events(
    rng,
    n,
    *,
    accepted_purposes,
    jurisdiction,
    personal_concern,
    fatigue_sensitivity,
    tenure_days,
    device,
    consent_default,
):
    """Grants, refusals, withdrawals and objections, sorted by customer and time."""
    push = DEFAULT_PUSH[consent_default]
    given = (
        accepted_purposes,
        jurisdiction,
        personal_concern,
        fatigue_sensitivity,
        tenure_days,
        device,
    )
    parts = [
        _block(rng, rows.start, push, *(values[..., rows] for values in given))
        for rows in blocks(n)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _block(rng, start, push, accepted, jurisdiction, concern, fatigue, tenure_days, device):
    """Return the consent events of one block of people."""
    n = jurisdiction.size
    u = rng.random((4, n))
    # the first answer follows the true will, bent by the default; some answer by mistake
    will = np.where(accepted, 2.4, -2.4)
    bent = will + push - 0.7 * (concern - 0.5)
    opted_in = u < logistic(bent)
    opt_in_law = jurisdiction == 0
    california = jurisdiction == 1
    granted = np.where(opt_in_law, opted_in, True)
    first_day = np.minimum(tenure_days, 900) * rng.random(n) ** 0.2
    first_day = np.maximum(first_day, 2.0)
    # second thoughts: the unwilling who stand as granted withdraw or object, some willing too
    v = rng.random((4, n))
    regret = np.where(accepted, 0.02, np.where(opt_in_law, 0.16, 0.22) + 0.30 * (concern - 0.3))
    regret = np.clip(regret + 0.05 * (fatigue - 0.5), 0.0, 0.95)
    second = granted & (v < regret)
    # a browser's signal opts out of sharing at once in California; the shop's app sends none
    signal = california & (device != 1) & (rng.random(n) < 0.25 * concern + 0.02)
    second[3] |= signal
    later_day = first_day * rng.random((4, n)) ** 0.7
    later_day[3][signal] = first_day[signal] - 0.0007
    day = np.concatenate([np.broadcast_to(first_day, (4, n)), later_day]).T  # n x 8
    keep = np.concatenate([np.ones((4, n), dtype=bool), second]).T
    action = np.zeros((n, 8), dtype=np.int8)
    action[:, :4] = ~granted.T
    withdraws = np.where(california[:, None], 3, 2)
    action[:, 4:] = withdraws
    # objection is the right against direct marketing; the others withdraw
    action[:, 5] = np.where(v[1] < 0.5 * regret[1], 3, withdraws[:, 0])
    source = np.zeros((n, 8), dtype=np.int8)
    source[:, :4] = np.where(opt_in_law, 0, 4)[:, None]
    source[:, 4:] = 1
    source[:, 5] = np.where(rng.random(n) < 0.7, 2, 1)
    source[:, 7][signal] = 3
    person, slot = np.nonzero(keep)
    second_past = np.maximum((day[person, slot] * 86_400).astype(np.int64), 1)
    order = (person.astype(np.int64) << 30) | (((1 << 27) - second_past) << 3) | slot
    order.sort()
    person = order >> 30
    slot = order & 7
    second_past = (1 << 27) - ((order >> 3) & ((1 << 27) - 1))
    age_days = second_past // 86_400
    notice = 2 - np.searchsorted([377, 742], age_days, side="right")
    return {
        "person": person + start,
        "purpose": (slot & 3).astype(np.int8),
        "action": action[person, slot],
        "second_past": second_past,
        "notice": notice.astype(np.int8),
        "source": source[person, slot],
        "regime": jurisdiction[person],
    }
