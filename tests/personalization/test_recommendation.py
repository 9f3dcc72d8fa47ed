"""Recommendation: known answers, oracles, properties, and the world's truth."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import ndcg_score
from sklearn.metrics.pairwise import cosine_similarity

from ethicalai_lab.errors import InputError
from ethicalai_lab.personalization.recommendation import (
    Interactions,
    ItemToItem,
    MatrixFactorization,
    Popularity,
    compare_recommenders,
    hit_rate,
    interactions,
    ndcg,
    time_split,
    value_of_following,
)
from ethicalai_lab.stats import Interval

MODELS = {
    "popularity": Popularity(),
    "cosine": ItemToItem(),
    "als": MatrixFactorization(2, n_iterations=3),
}


def cell(report, model, measure):
    row = report.table.set_index(["model", "measure"]).loc[(model, measure)]
    return Interval(*row)


def planted(seed=0, n=120, block=6, blocks=3):
    """Customers touch all but one of the products of their block; the one is the answer."""
    rng = np.random.default_rng(seed)
    matrix = np.zeros((n, block * blocks))
    missing = np.empty(n, dtype=int)
    for i in range(n):
        own = np.arange(block) + block * (i % blocks)
        missing[i] = rng.choice(own)
        matrix[i, own] = 1.0
        matrix[i, missing[i]] = 0.0
    return sparse.csr_matrix(matrix), missing


@pytest.mark.parametrize(
    "model",
    [
        ItemToItem(shrinkage=0),
        MatrixFactorization(3, regularization=0.5),
    ],
    ids=["cosine", "als"],
)
def test_known_answer_of_a_planted_matrix(model):
    matrix, missing = planted()
    first = model.fit(matrix).recommend(matrix, k=1).ravel()
    np.testing.assert_array_equal(first, missing)


def test_popularity_misses_the_planted_answer():
    matrix, missing = planted()
    first = Popularity().fit(matrix).recommend(matrix, k=1).ravel()
    assert (first == missing).mean() < 0.5


def test_similarities_agree_with_the_peers():
    rng = np.random.default_rng(1)
    seen = (rng.random((80, 12)) < 0.3).astype(float)
    off = ~np.eye(12, dtype=bool)
    cosine = ItemToItem(shrinkage=0).fit(seen).similarity_.toarray()
    np.testing.assert_allclose(cosine[off], cosine_similarity(seen.T)[off], atol=1e-12)


def test_als_solves_each_customers_system_exactly():
    matrix, _ = planted(n=30)
    model = MatrixFactorization(4, regularization=0.7, alpha=3.0, n_iterations=2).fit(matrix)
    found = model.transform(matrix)
    items = model.item_factors_
    for row in range(0, 30, 7):  # Hu, Koren and Volinsky (2008), equation 4, written out
        seen = np.log1p(matrix[row].toarray().ravel())
        confidence = np.diag(1 + 3.0 * seen)
        left = items.T @ confidence @ items + 0.7 * np.eye(4)
        right = items.T @ confidence @ (seen > 0)
        np.testing.assert_allclose(found[row], np.linalg.solve(left, right), atol=1e-9)


def test_als_lowers_its_objective_each_round():
    matrix, _ = planted(n=60)
    seen = np.log1p(matrix.toarray())

    def objective(rounds):
        model = MatrixFactorization(3, n_iterations=rounds, regularization=1.0).fit(matrix)
        people = model.transform(matrix)
        gap = (seen > 0) - people @ model.item_factors_.T
        size = (people**2).sum() + (model.item_factors_**2).sum()
        return ((1 + 2.0 * seen) * gap**2).sum() + size

    values = [objective(rounds) for rounds in (1, 2, 4, 8)]
    assert values == sorted(values, reverse=True)


@given(st.integers(0, 10_000))
@settings(max_examples=40)
def test_ndcg_agrees_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    n, m, k = 6, 9, int(rng.integers(1, 9))
    relevant = (rng.random((n, m)) < 0.3).astype(float)
    relevant[relevant.sum(axis=1) == 0, 0] = 1
    score = rng.permuted(np.tile(np.arange(m, dtype=float), (n, 1)), axis=1)
    ours = ndcg(np.argsort(-score, axis=1)[:, :k], sparse.csr_matrix(relevant))
    theirs = [ndcg_score(relevant[[i]], score[[i]], k=k) for i in range(n)]
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


@given(st.integers(0, 10_000), st.sampled_from(sorted(MODELS)))
@settings(max_examples=40)
def test_lists_are_new_distinct_and_scored_consistently(seed, name):
    rng = np.random.default_rng(seed)
    matrix = sparse.csr_matrix(rng.poisson(0.4, (15, 8)).astype(float))
    model = clone(MODELS[name]).fit(matrix)
    offered = model.recommend(matrix, k=5)
    seen = matrix.toarray() > 0
    for row, products in zip(seen, offered, strict=True):
        real = products[products >= 0]
        assert len(set(real)) == len(real) == min(5, (~row).sum())
        assert not row[real].any()
    later = sparse.csr_matrix((rng.random((15, 8)) < 0.3).astype(float))
    hit, gain = hit_rate(offered, later), ndcg(offered, later)
    np.testing.assert_array_equal(hit == 1, gain > 0)
    known = ~np.isnan(gain)
    assert ((gain[known] >= 0) & (gain[known] <= 1)).all()
    np.testing.assert_array_equal(model.recommend(matrix, k=5), offered)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_without_a_history_the_popular_is_offered(name):
    matrix, _ = planted()
    matrix = sparse.vstack([matrix, matrix[:31], sparse.csr_matrix((1, 18))]).tocsr()
    popular = Popularity().fit(matrix).recommend(matrix, k=4)[-1]
    np.testing.assert_array_equal(
        clone(MODELS[name]).fit(matrix).recommend(matrix, k=4)[-1], popular
    )


def test_intervals_cover_what_endless_customers_would_show():
    # fixed lists, a large population of later behaviour, many samples of 150 customers
    rng = np.random.default_rng(3)
    big, m, n = 4000, 30, 150
    ids = np.arange(n)
    before = sparse.csr_matrix((rng.random((big, m)) < 0.1).astype(float))
    after = sparse.csr_matrix((rng.random((big, m)) < rng.uniform(0.02, 0.3, m)).astype(float))
    target = sparse.csr_matrix(after - after.multiply(before > 0))
    judged = np.flatnonzero(np.asarray(target.sum(axis=1)).ravel() > 0)
    order = Popularity().fit(np.ones((1, m)))  # the same list for all: m in order
    truth = hit_rate(order.recommend(before, 10), target)[judged].mean()

    class Fixed(Popularity):
        def fit(self, X, y=None):
            super().fit(np.ones((1, m)))
            return self

    held = 0
    for i in range(120):
        at = np.random.default_rng(i).choice(judged, n)
        report = compare_recommenders(
            {"fixed": Fixed()},
            Interactions(before[at], ids, np.arange(m)),
            Interactions(after[at], ids, np.arange(m)),
            n_boot=200,
        )
        held += truth in cell(report, "fixed", "hit_rate")
    assert 0.88 <= held / 120 <= 1.0


def test_coverage_interval_holds_the_mean_over_samples():
    rng = np.random.default_rng(4)
    m, n = 60, 80
    ids = np.arange(n)
    share = rng.dirichlet(np.full(m, 0.3))

    def sample(seed):
        draw = np.random.default_rng(seed)
        matrix = sparse.csr_matrix((np.ones(n), (ids, draw.choice(m, n, p=share))), shape=(n, m))
        late = sparse.csr_matrix(np.ones((n, m)))
        report = compare_recommenders(
            {"near": ItemToItem(shrinkage=0)},
            Interactions(matrix, ids, np.arange(m)),
            Interactions(late, ids, np.arange(m)),
            n_boot=150,
        )
        return cell(report, "near", "coverage")

    found = [sample(i) for i in range(60)]
    mean = np.mean([interval.value for interval in found])
    assert np.mean([mean in interval for interval in found]) >= 0.85


def test_differences_to_the_baseline_are_paired():
    matrix, missing = planted()
    later = sparse.csr_matrix((np.ones(120), (np.arange(120), missing)), shape=(120, 18))
    ids = np.arange(120)
    report = compare_recommenders(
        {"popularity": Popularity(), "cosine": ItemToItem(shrinkage=0)},
        Interactions(matrix, ids, np.arange(18)),
        Interactions(later, ids, np.arange(18)),
    )
    assert cell(report, "cosine", "hit_rate").value == 1.0
    gap = report.against.set_index("measure").loc["hit_rate"]
    assert gap["value"] == pytest.approx(1 - cell(report, "popularity", "hit_rate").value)
    assert gap["low"] > 0
    assert report.by_history["customers"].groupby(report.by_history["history"]).first().sum() == 120


# ------------------------------------------------------------------ the world


@pytest.fixture(scope="module")
def split(world):
    events = world.events[world.events["product_id"] > 0]
    before, after = time_split(events, "2025-10-01")
    ids = {
        "customers": world.customers["customer_id"],
        "products": world.products["product_id"],
    }
    return interactions(before, **ids), interactions(after, **ids)


@pytest.fixture(scope="module")
def report(split):
    models = {
        "popularity": Popularity(),
        "cosine": ItemToItem(),
        "als": MatrixFactorization(),
    }
    return compare_recommenders(models, *split, n_boot=200)


def test_personal_lists_win_with_a_history_and_tie_without(report):
    table = report.by_history[report.by_history["measure"] == "ndcg"].pivot(
        index="history", columns="model", values="value"
    )
    assert table.loc["0", "cosine"] == table.loc["0", "popularity"] == table.loc["0", "als"]
    for history in ("3-5", "6-10"):
        assert table.loc[history, "cosine"] > table.loc[history, "popularity"]
    gap = report.against.query("model == 'cosine' and measure == 'ndcg'").iloc[0]
    assert gap["low"] > 0


def test_following_is_worth_more_by_the_truth_within_the_possible(report, split, world):
    value = value_of_following(report.recommended, split[0], world.products, world.truth.interests)
    interest = value[value["measure"] == "interest"].set_index("model")
    assert interest.loc["cosine", "low"] > interest.loc["popularity", "high"]
    assert (interest["value"] <= interest.loc["best possible", "value"] + 1e-12).all()
    assert interest.loc["popularity", "value"] > interest.loc["any product", "value"]


def test_personal_lists_cover_more_of_the_catalogue(report):
    assert cell(report, "cosine", "coverage").low > cell(report, "popularity", "coverage").high


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda e: interactions(e.drop(columns="kind")), '"kind"'),
        (lambda e: interactions(e, customers=[2]), "customer_id 1"),
        (lambda e: time_split(e, "2031-01-01"), "2031"),
        (lambda e: time_split(e.assign(time="x"), "2025-06-01"), "time"),
        (lambda e: ItemToItem(shrinkage=-1).fit(np.ones((2, 2))), "shrinkage is -1"),
        (lambda e: MatrixFactorization(5).fit(np.ones((2, 2))), "1 to 2"),
        (lambda e: MatrixFactorization(1, alpha=0).fit(np.ones((2, 2))), "alpha"),
        (lambda e: Popularity().fit(np.ones((2, 2))).recommend(np.ones((2, 3))), "3 products"),
        (lambda e: Popularity().fit(np.ones((2, 2))).recommend(np.ones((2, 2)), k=0), "k is 0"),
        (lambda e: Popularity().fit(-np.ones((2, 2))), "at least 0"),
    ],
)
def test_bad_input_is_named(call, word):
    events = pd.DataFrame(
        {
            "customer_id": [1, 1],
            "product_id": [1, 2],
            "kind": ["view", "purchase"],
            "time": pd.to_datetime(["2025-01-01", "2025-09-01"]),
        }
    )
    with pytest.raises(InputError, match=word):
        call(events)


def test_a_split_in_a_zone_is_the_split_in_utc():
    time = pd.Series(pd.to_datetime(["2025-09-30 23:30", "2025-10-01 00:30"]))
    berlin = time.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    for column in (time, berlin, berlin.astype(object), berlin.astype(str)):
        for at in ("2025-10-01", pd.Timestamp("2025-10-01 02:00", tz="Europe/Berlin")):
            before, after = time_split(pd.DataFrame({"time": column}), at)
            assert before.index.tolist() == [0]
            assert after.index.tolist() == [1]


def test_ids_as_text_meet_ids_as_numbers():
    events = pd.DataFrame({"customer_id": [1, 2], "product_id": [7.0, 8.0], "kind": "view"})
    seen = interactions(events, customers=["2", "1"], products=["7", "8"])
    assert seen.customer_ids.tolist() == ["1", "2"]
    assert seen.matrix.toarray().tolist() == [[1, 0], [0, 1]]
    with pytest.raises(InputError, match="may or may not be"):
        interactions(events, customers=["01", "2"])
