"""Recommendation and minimization beside their peers, in one run.

    python benchmarks/recommendation.py [customers]

Peers: alternating least squares with one linear system a customer, as the paper writes it
(and the package ``implicit`` where it is installed); scikit-learn refitted for each set of
columns. Results are checked to be equal before times are compared.
"""

import itertools
import sys
import time

import numpy as np

from ethicalai_lab.personalization.recommendation import (
    ItemToItem,
    MatrixFactorization,
    interactions,
)
from ethicalai_lab.privacy.minimization import Prediction, _Problem
from ethicalai_lab.world import make_world


def clock(work, repeats=3):
    """Return the least seconds of some runs, and the last result."""
    best, result = np.inf, None
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return best, result


def plain_half_round(seen, items, alpha, reg):
    """Solve each customer's system in a loop (Hu, Koren and Volinsky 2008, equation 4)."""
    gram = items.T @ items
    solved = np.zeros((seen.shape[0], items.shape[1]))
    for u in range(seen.shape[0]):
        start, stop = seen.indptr[u], seen.indptr[u + 1]
        own, weight = items[seen.indices[start:stop]], seen.data[start:stop]
        left = gram + own.T @ (own * (alpha * weight)[:, None]) + reg * np.eye(items.shape[1])
        solved[u] = np.linalg.solve(left, own.T @ (1 + alpha * weight))
    return solved


def main():
    """Measure and print."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    world = make_world(n, seed=7)
    events = world.events[world.events["product_id"] > 0]
    data = interactions(
        events,
        customers=world.customers["customer_id"],
        products=world.products["product_id"],
    )
    print(data)
    model = MatrixFactorization(16)
    seconds, _ = clock(lambda: model.fit(data), repeats=1)
    print(f"ALS, 16 factors, 10 rounds: {seconds:.2f} s")
    damped = data.matrix.copy()
    damped.data = np.log1p(damped.data)
    ours, a = clock(lambda: model.transform(data))
    theirs, b = clock(
        lambda: plain_half_round(damped, model.item_factors_, model.alpha, model.regularization),
        repeats=1,
    )
    np.testing.assert_allclose(a, b, atol=1e-8)
    print(
        f"half a round: ours {ours:.3f} s, one system a customer {theirs:.3f} s, "
        f"ratio {theirs / ours:.1f}"
    )
    try:
        from implicit.als import AlternatingLeastSquares
    except ImportError:
        print("implicit is not installed: no comparison")
    else:
        peer = AlternatingLeastSquares(
            factors=16, iterations=10, regularization=30.0, num_threads=1, use_cg=False
        )
        theirs, _ = clock(lambda: peer.fit(damped, show_progress=False), repeats=1)
        print(f"implicit (exact): {theirs:.2f} s, ratio {theirs / seconds:.2f}")
    seconds, _ = clock(lambda: ItemToItem().fit(data).recommend(data))
    print(f"item to item, fit and ten offers to each customer: {seconds:.2f} s")

    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import OneHotEncoder

    people = world.customers.merge(world.campaign, on="customer_id")
    columns = ["gender", "education", "device", "loyalty_tier", "channel", "sports", "fashion"]
    table = people[[*columns, "visit"]]
    sets = [s for k in range(1, 8) for s in itertools.combinations(columns, k)]

    def search():
        problem = _Problem(table, Prediction("visit"), columns, 5, 0)
        return problem, [problem.value(s) for s in sets]

    ours, (problem, values) = clock(search, repeats=2)
    y = table["visit"].to_numpy(dtype=float)

    def refit():
        found = []
        for chosen in sets:
            x = OneHotEncoder(sparse_output=False).fit_transform(table[list(chosen)].astype(str))
            fitted = np.empty(len(y))
            for f in range(5):
                here = problem.fold == f
                fitted[here] = Ridge(alpha=5.0).fit(x[~here], y[~here]).predict(x[here])
            found.append(-((y - fitted) ** 2).mean() / y.var())
        return found

    theirs, peer_values = clock(refit, repeats=1)
    np.testing.assert_allclose(values, peer_values, atol=1e-9)
    print(
        f"value of all {len(sets)} sets of 7 columns: ours {ours:.2f} s, scikit-learn "
        f"{theirs:.2f} s, ratio {theirs / ours:.0f} (equal values)"
    )


if __name__ == "__main__":
    main()
