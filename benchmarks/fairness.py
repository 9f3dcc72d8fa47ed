"""Time the audit beside fairlearn's MetricFrame, in one run.

python benchmarks/fairness.py                  # everything; fairlearn takes a minute or so
python benchmarks/fairness.py --plot out.png   # also draw the growth
python benchmarks/fairness.py --quick          # fewer of fairlearn's replicates
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
import pandas as pd

from ethicalai_lab.fairness import audit

RATES = (
    "selection_rate",
    "true_positive_rate",
    "false_positive_rate",
    "true_negative_rate",
    "false_negative_rate",
    "precision_score",
    "accuracy_score",
)
PEER_SEEDS = 3


def data(n_rows: int, shape: tuple[int, ...], seed: int = 0):
    rng = np.random.default_rng(seed)
    groups = pd.DataFrame({f"g{i}": rng.integers(0, size, n_rows) for i, size in enumerate(shape)})
    y = rng.random(n_rows) < 0.4
    p = rng.random(n_rows) < 0.25 + 0.1 * groups["g0"] / max(1, shape[0] - 1) + 0.3 * y
    return y.astype(int), p.to_numpy().astype(int), groups


def best(call, repeats: int = 5) -> tuple[float, object]:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - start)
    return min(times), result


def peer(y, p, groups, n_boot: int, seed: int):
    import fairlearn.metrics as fm
    from sklearn.metrics import accuracy_score, precision_score

    metrics = {name: getattr(fm, name) for name in RATES[:5]}
    metrics["precision_score"] = lambda t, q: precision_score(t, q, zero_division=0)
    metrics["accuracy_score"] = accuracy_score
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fm.MetricFrame(
            metrics=metrics,
            y_true=y,
            y_pred=p,
            sensitive_features=groups,
            n_boot=n_boot or None,
            ci_quantiles=[0.025, 0.975] if n_boot else None,
            random_state=seed if n_boot else None,
        )


def large() -> None:
    y, p, groups = data(1_000_000, (12, 12))
    seconds, result = best(lambda: audit(y, p, sensitive_features=groups))
    print(f"1,000,000 rows, {len(result.by_group)} groups: {seconds:.3f} s (budget 0.3 s)")


def beside(n_boot: int) -> None:
    y, p, groups = data(10_000, (3, 3, 2))
    ours, result = best(lambda: audit(y, p, sensitive_features=groups), 20)
    frames, times = [], []
    for seed in range(PEER_SEEDS):
        start = time.perf_counter()
        frames.append(peer(y, p, groups, n_boot, seed))
        times.append(time.perf_counter() - start)
    theirs = min(times)
    names = list(RATES)
    equal = np.array_equal(result.by_group[names].to_numpy(float), frames[0].by_group[names])
    mine = [f[names].to_numpy(float) for f in (result.by_group_low, result.by_group_high)]
    peers = [[q[names].to_numpy(float) for q in frame.by_group_ci] for frame in frames]
    across = np.mean([np.abs(np.subtract(mine, found)).mean() for found in peers])
    seeds = np.abs(np.subtract(*peers[:2])).mean()
    print(f"10,000 rows, {len(result.by_group)} groups, same seven metrics and their intervals")
    print(
        f"  MetricFrame with {n_boot} replicates {theirs:.2f} s, audit {ours * 1e3:.2f} ms: "
        f"{theirs / ours:,.0f} times"
    )
    print(f"  point values equal exactly: {equal}")
    print(
        f"  interval ends of rates differ on average by {across:.5f} (audit to MetricFrame), "
        f"{seeds:.5f} (two seeds of MetricFrame)"
    )


def growth(path: Path | None) -> None:
    series: dict[str, list[tuple[int, float]]] = {}
    for name, cases in {
        "rows": [(n, (6, 6)) for n in (10_000, 100_000, 1_000_000, 3_000_000)],
        "groups": [(300_000, s) for s in ((2,), (3, 4), (12, 12), (12, 12, 7))],
    }.items():
        for n, shape in cases:
            y, p, groups = data(n, shape)
            seconds, _ = best(lambda y=y, p=p, g=groups: audit(y, p, sensitive_features=g), 3)
            x = {"rows": n, "groups": int(np.prod(shape))}[name]
            series.setdefault(name, []).append((x, seconds))
            print(f"  {name:>10} {x:>10,}: {seconds:.3f} s")
    if path is None:
        return
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(7, 3.2), sharey=True, layout="constrained")
    for axis, (name, points) in zip(axes, series.items(), strict=True):
        axis.loglog(*zip(*points, strict=True), marker="o", color="black")
        axis.set_xlabel(name)
    axes[0].set_ylabel("seconds")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    print(f"  drawn: {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", type=Path, help="where to draw the growth (PNG or SVG)")
    parser.add_argument(
        "--quick", action="store_true", help="10 of fairlearn's replicates, not 100"
    )
    options = parser.parse_args()
    large()
    beside(10 if options.quick else 100)
    print("growth")
    growth(options.plot)


if __name__ == "__main__":
    main()
