"""Risk: an attack beside what is reached without the release."""

from __future__ import annotations

import html
from dataclasses import dataclass

import numpy as np

from ethicalai_lab.stats import Interval, proportion_interval

__all__ = ["Risk", "risk_of"]


@dataclass(frozen=True)
class Risk:
    """An attack's success beside what is reached without the release.

    Attributes
    ----------
    name : str
    attack : Interval
        Share of attempts that succeeded (Wilson).
    baseline : Interval
        The same for the attacker who does without.
    risk : Interval
        ``(attack - baseline) / (1 - baseline)``, 0 to 1: of what could still go wrong, how
        much the release adds. Its ends join the worst ends of both intervals, so that it
        covers at least as often as they do together.
    n_attacks : int
    """

    name: str
    attack: Interval
    baseline: Interval
    risk: Interval
    n_attacks: int

    def _repr_html_(self) -> str:
        def show(i: Interval) -> str:
            return f"{i.value:.1%} ({i.low:.1%} to {i.high:.1%})"

        body = "".join(
            f'<tr><th scope="row">{n}</th><td>{show(v)}</td></tr>'
            for n, v in (
                ("success", self.attack),
                ("success without the release", self.baseline),
                ("risk added", self.risk),
            )
        )
        caption = html.escape(f"{self.name}: {self.n_attacks:,} attempts")
        return f"<table><caption>{caption}</caption><tbody>{body}</tbody></table>"


def risk_of(name: str, hits: int, n: int, base_hits: int, base_n: int, confidence: float) -> Risk:
    a = proportion_interval(hits, n, confidence)
    b = proportion_interval(base_hits, base_n, confidence)

    def over(rate: float, base: float) -> float:
        return float(np.clip((rate - base) / (1 - base), 0, 1)) if base < 1 else 0.0

    risk = Interval(over(a.value, b.value), over(a.low, b.high), over(a.high, b.low), confidence)
    return Risk(name, a, b, risk, n)
