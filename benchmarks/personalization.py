"""Time uplift evaluation beside scikit-uplift, in one run, and a real experiment's report.

    python benchmarks/personalization.py [--rows 64000] [--replicates 1000] [--loops 20]

The peer has no intervals: its bootstrap is the loop a user would write around it, timed for
``--loops`` replicates and scaled up to ``--replicates``.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from ethicalai_lab import personalization as room


def best_of(call: Callable[[], Any], times: int = 3) -> float:
    """Return the shortest of several runs, in seconds."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return min(found)


def data(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    score, t = rng.random(n), rng.integers(0, 2, n)
    return (rng.random(n) < 0.1 + 0.1 * score * t).astype(int), score, t


def compare_with_peer(n: int, replicates: int, loops: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sklift import metrics as peer

    warnings.filterwarnings("ignore", message="Function stable_cumsum", category=FutureWarning)
    y, u, t = data(n)
    rng = np.random.default_rng(1)

    def peer_scores(y: np.ndarray, u: np.ndarray, t: np.ndarray) -> tuple[float, ...]:
        peer.qini_curve(y, u, t)
        peer.uplift_curve(y, u, t)
        return (
            peer.qini_auc_score(y, u, t),
            peer.uplift_auc_score(y, u, t),
            peer.uplift_at_k(y, u, t, "overall", 0.3),
        )

    def our_scores() -> tuple[float, ...]:
        room.qini_curve(y, u, t)
        room.uplift_curve(y, u, t)
        return (
            room.qini_auc_score(y, u, t),
            room.uplift_auc_score(y, u, t),
            room.uplift_at_k(y, u, t, 0.3),
        )

    def peer_loop() -> np.ndarray:
        found = []
        for _ in range(loops):
            rows = rng.integers(0, n, n)
            found.append(peer_scores(y[rows], u[rows], t[rows]))
        return np.array(found)

    assert np.allclose(our_scores(), peer_scores(y, u, t), rtol=1e-9)
    ours, theirs = best_of(our_scores), best_of(lambda: peer_scores(y, u, t))
    print(f"both curves and three scores, {n:,} rows, equal to 1e-9:")
    print(f"  ours {ours * 1000:8.1f} ms   scikit-uplift {theirs * 1000:8.1f} ms", end="")
    print(f"   ratio {theirs / ours:6.1f}")

    ours = best_of(lambda: room.evaluate_ranking(y, u, t, n_boot=replicates))
    theirs = best_of(peer_loop, 1) * replicates / loops
    print(f"the same with intervals, {replicates:,} replicates:")
    print(f"  ours {ours:8.2f} s    scikit-uplift loop {theirs:8.1f} s", end="")
    print(f"    ratio {theirs / ours:6.0f}   (loop timed for {loops} replicates)")

    amounts = y * np.random.default_rng(2).gamma(2, 20, n)
    ours = best_of(lambda: room.evaluate_ranking(amounts, u, t, n_boot=replicates), 2)
    print(f"amounts instead of 0/1, {replicates:,} replicates: ours {ours:.2f} s (no peer)")


def hillstrom() -> None:
    path = Path(__file__).resolve().parents[2] / "shared" / "data" / "hillstrom.csv.gz"
    if not path.is_file():
        print("Hillstrom: ../shared/data is not there, left out")
        return
    table = pd.read_csv(path)
    columns = dict.fromkeys(table.columns, "feature") | {"segment": "treatment"}
    columns |= dict.fromkeys(["visit", "conversion", "spend"], "outcome")
    roles = SimpleNamespace(columns=columns, control="No E-Mail", outcome="visit", positive=None)
    start, busy = time.perf_counter(), time.process_time()
    report = room.analyse_experiment(table, roles)
    took, busy = time.perf_counter() - start, time.process_time() - busy
    print(f"Hillstrom, {len(table):,} rows, whole report with 1,000 replicates: ", end="")
    print(f"{took:.2f} s ({busy:.2f} s of one core)")
    lifts = report.lifts.query("outcome == 'visit'")
    for row in lifts.itertuples():
        print(f"  {row.arm}: visit lift {row.lift:.6f}, standard error {row.se:.6f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=64_000)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--loops", type=int, default=20)
    given = parser.parse_args()
    compare_with_peer(given.rows, given.replicates, given.loops)
    hillstrom()


if __name__ == "__main__":
    main()
