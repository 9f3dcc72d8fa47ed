"""Time attributions beside shap called directly, and counterfactuals beside a random search.

Both of a pair run in this process, one after the other, on the same people and background.
Where trees differ, shap alone misses the model's answers: it reads thresholds in single
precision, and a value close to one falls on the wrong side.

python benchmarks/explainability.py
"""

from __future__ import annotations

import os
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from ethicalai_lab.explainability.attributions import linear_attributions, shapley_attributions
from ethicalai_lab.explainability.counterfactuals import Actionability, CounterfactualSearch

ROWS, COLUMNS, PEOPLE = 20_000, 10, 60
EXPLAINED, BACKGROUND, REPEATS = 10, 100, 3


def random_search(model, data, mads, person, n_rows, n_calls, rng, own, bound):
    """Change 1 to 3 columns to real values at random; the cheapest that crosses, near and any."""
    columns = data.shape[1]
    hits = []
    for size in np.full(n_calls, n_rows // n_calls):
        rows = np.tile(person, (size, 1))
        ranks = rng.random((size, columns)).argsort(1)
        change = ranks < rng.integers(1, 4, (size, 1))
        drawn = np.column_stack([rng.choice(data[:, j], size) for j in range(columns)])
        rows[change] = drawn[change]
        hit = model(rows) >= 0.5
        hits.append(rows[hit])
    hits = np.vstack(hits)
    if not len(hits):
        return np.inf, np.inf
    cost = (np.abs(hits - person) / mads).sum(1)
    others = np.delete(data, own, axis=0) / mads
    bound = max(bound, cdist(person[None] / mads, others, "cityblock").min())
    for k in cost.argsort():
        if cdist(hits[[k]] / mads, others, "cityblock").min() <= bound:
            return cost[k], cost.min()
    return np.inf, cost.min()


def attribution_times(data, y) -> None:
    """Print milliseconds a person of ours and of shap, their ratio, and how far they differ."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import shap

    model = HistGradientBoostingClassifier(random_state=0).fit(data, y)
    few, some, many = (data.iloc[: k * EXPLAINED] for k in (1, 4, 50))
    back = data.iloc[-BACKGROUND:]
    linear = LogisticRegression().fit(data, y)
    forest = RandomForestClassifier(50, max_depth=8, random_state=0, n_jobs=1).fit(data, y)

    def masker():
        return shap.maskers.Independent(back.to_numpy(), max_samples=len(back))

    def trees(one, people, output):
        explainer = shap.TreeExplainer(
            one, masker(), feature_perturbation="interventional", model_output=output
        )
        found = np.asarray(explainer.shap_values(people.to_numpy(), check_additivity=False))
        return found[..., 1] if found.ndim == 3 else found

    def permuted(one, people):
        def score(rows):
            return one.predict_proba(pd.DataFrame(rows, columns=data.columns))[:, 1]

        explainer = shap.PermutationExplainer(score, masker(), seed=0)
        evaluations = 10 * (2 * COLUMNS + 1)
        return explainer(people.to_numpy(), max_evals=evaluations, silent=True).values

    pairs = {
        "linear, log-odds": (
            many,
            lambda: linear_attributions(linear, many, back),
            lambda: shap.LinearExplainer(linear, masker()).shap_values(many.to_numpy()),
        ),
        "boosting, log-odds, tree": (
            some,
            lambda: shapley_attributions(model, some, back, unit="log_odds", method="tree"),
            lambda: trees(model, some, "raw"),
        ),
        "boosting, log-odds, auto": (
            some,
            lambda: shapley_attributions(model, some, back, unit="log_odds"),
            lambda: trees(model, some, "raw"),
        ),
        "forest, probability, tree": (
            few,
            lambda: shapley_attributions(forest, few, back, method="tree"),
            lambda: trees(forest, few, "probability"),
        ),
        "boosting, prob., permutation": (
            few,
            lambda: shapley_attributions(model, few, back, method="permutation"),
            lambda: permuted(model, few),
        ),
    }
    print(
        f"attributions, {COLUMNS} columns, {BACKGROUND} background rows, median of {REPEATS} runs"
    )
    for label, (people, ours, theirs) in pairs.items():
        # the first run of each pays for imports and compilation and is not counted
        gap = np.abs(ours().values.to_numpy() - theirs()).max()
        times = {}
        for _ in range(REPEATS):
            for name, call in (("ours", ours), ("shap", theirs)):
                start = time.perf_counter()
                call()
                times.setdefault(name, []).append(1e3 * (time.perf_counter() - start) / len(people))
        us, peer = (np.median(times[name]) for name in ("ours", "shap"))
        print(
            f"{label:29s} {len(people):5d} people, ms a person: ours {us:9.4f}  shap {peer:9.4f}  "
            f"ours / shap {us / peer:6.2f}  largest difference {gap:.1e}"
        )


def main() -> None:
    rng = np.random.default_rng(0)
    names = [f"x{i}" for i in range(COLUMNS)]
    data = pd.DataFrame(rng.normal(size=(ROWS, COLUMNS)), columns=names)
    z = data["x0"] + data["x1"] * data["x2"] + 0.5 * data[names[3:]].sum(axis=1)
    y = (z + rng.normal(size=ROWS) > 0.5).astype(int)
    model = HistGradientBoostingClassifier(random_state=0).fit(data, y)
    attribution_times(data, y)
    counterfactual_times(rng, data, model)


def counterfactual_times(rng, data, model) -> None:
    """Print ours beside a random search with the same number of scored rows."""
    names = list(data.columns)
    start = time.perf_counter()
    search = CounterfactualSearch(model, data, {c: Actionability() for c in names}, threshold=0.5)
    print(f"prepare, once, {ROWS:,} rows by {COLUMNS}      {time.perf_counter() - start:8.2f} s")
    values = data.to_numpy()
    mads = np.median(np.abs(values - np.median(values, axis=0)), axis=0)

    def score(rows):
        return model.predict_proba(pd.DataFrame(rows, columns=names))[:, 1]

    refused = np.flatnonzero(model.predict_proba(data)[:, 1] < 0.5)
    ours, theirs, ratios, loose, found, peer_found = [], [], [], [], 0, 0
    for i in rng.choice(refused, PEOPLE, replace=False):
        start = time.perf_counter()
        result = search.counterfactuals(data.iloc[i])
        ours.append(1e3 * (time.perf_counter() - start))
        start = time.perf_counter()
        budget = result.n_scored, result.n_calls
        cost, anywhere = random_search(
            score, values, mads, values[i], *budget, rng, i, search.bound
        )
        theirs.append(1e3 * (time.perf_counter() - start))
        found += result.found
        peer_found += bool(np.isfinite(cost))
        if result.found and np.isfinite(cost):
            ratios.append(result.table["total_cost"].iloc[0] / cost)
            loose.append(result.table["total_cost"].iloc[0] / anywhere)
    for label, times in (("ours", ours), ("random search", theirs)):
        p50, p95 = np.percentile(times, [50, 95])
        print(f"{label:14s} ms per person: p50 {p50:7.1f}  p95 {p95:7.1f}")
    print(f"found, of {PEOPLE}: ours {found}, random search {peer_found}, both near real rows")
    print(f"cost, ours / random search, median:  {np.median(ratios):.3f} (worst {max(ratios):.3f})")
    print(
        f"the same, random not held near real rows: {np.median(loose):.3f} (worst {max(loose):.3f})"
    )
    print(f"time, ours / random search, median:  {np.median(ours) / np.median(theirs):.2f}")


if __name__ == "__main__":
    main()
