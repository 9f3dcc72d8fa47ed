"""How fast a policy is evaluated: one change, a whole evaluation, and what caching is worth.

Run as ``python benchmarks/policy.py``. No library offers the like, so the peer is the same
evaluation without its memory: every stage again for every change.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from ethicalai_lab import make_world
from ethicalai_lab.policy import PRESETS, Policy, PolicyError, PolicyLab, preset
from ethicalai_lab.policy.frontier import changed, neighbours
from ethicalai_lab.policy.stages import Memory

LIMIT_MOVE, LIMIT_WHOLE = 0.150, 5.0


def timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-customers", type=int, default=20_000)
    parser.add_argument("--n-boot", type=int, default=200)
    parser.add_argument("--moves", type=int, default=60, help="changes tried from each base")
    arguments = parser.parse_args()
    world = make_world(arguments.n_customers, seed=7)
    seconds, lab = timed(lambda: PolicyLab(world, n_boot=arguments.n_boot))
    whole, _ = timed(lambda: lab.evaluate(preset("average_practice")))
    print(f"{arguments.n_customers:,} customers, {arguments.n_boot} resamples of the people")
    print(f"first evaluation in a fresh process: {seconds + whole:.2f} s (limit {LIMIT_WHOLE:g} s)")
    bases = {"undecided": Policy(), **{name: each.policy() for name, each in PRESETS.items()}}
    for base in bases.values():  # what depends on the world only is prepared once
        lab.evaluate(base)
    rng = np.random.default_rng(0)
    moves: dict[str, list[float]] = {}
    fields: dict[str, list[float]] = {}
    for name, base in bases.items():
        steps = list(neighbours(base))
        for at in rng.permutation(len(steps))[: arguments.moves]:
            step = steps[at]
            try:
                candidate = changed(base, step)
            except PolicyError:
                continue  # it contradicts another decision: no move
            lab._memory.clear()
            lab.evaluate(base)
            seconds, _ = timed(lambda c=candidate: lab.evaluate(c))
            moves.setdefault(name, []).append(seconds)
            fields.setdefault(next(iter(step)), []).append(seconds)
    every = np.concatenate([np.array(v) for v in moves.values()])
    print(f"\none change of one field, from each base, {every.size} changes drawn from all,")
    print("none of them seen before:")
    for name, seconds in moves.items():
        print(
            f"  {name:20s} p50 {_ms(seconds, 50)}  p95 {_ms(seconds, 95)}  most {_ms(seconds, 100)}"
        )
    print(f"  {'all':20s} p50 {_ms(every, 50)}  p95 {_ms(every, 95)}  most {_ms(every, 100)}")
    slow = sorted(fields.items(), key=lambda item: -np.median(item[1]))[:6]
    print("  slowest fields: " + ", ".join(f"{f} {1e3 * np.median(s):.0f} ms" for f, s in slow))
    within = np.quantile(every, 0.95) <= LIMIT_MOVE
    print(f"  p95 {'within' if within else 'NOT within'} the limit of {1e3 * LIMIT_MOVE:.0f} ms")
    again = []
    for base in bases.values():
        lab._memory = Memory()
        seconds, _ = timed(lambda b=base: lab.evaluate(b))
        again.append(seconds)
    print(f"\nevery stage again: {1e3 * np.median(again):.0f} ms, most {1e3 * max(again):.0f} ms")
    print(
        f"ratio, every stage again to one change: {np.median(again) / np.median(every):.1f} times"
    )


def _ms(seconds, percent):
    return f"{1e3 * np.percentile(seconds, percent):5.0f} ms"


if __name__ == "__main__":
    main()
