"""k, l, t and their relatives: against pycanon, against the definitions, and the traps."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.privacy import PrivacyError, anonymity, class_sizes
from ethicalai_lab.privacy.codes import pack_codes


def clean_table(seed, n=300, values=5):
    """A table of the kind pycanon handles: no gaps, index 0..n-1, no unused levels."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(2, 6, n) * 10,
            "city": rng.choice(["north", "south"], n),
            "illness": rng.choice([f"v{i}" for i in range(values)], n),
            "income": rng.integers(1, values + 1, n) ** 2,
        }
    )


def by_definition(table, qi, s, ordered):
    """Every measure straight from its published definition, class by class."""
    values = sorted(table[s].unique())
    p = np.array([(table[s] == v).mean() for v in values])
    out = {"l": math.inf, "entropy": math.inf, "t": 0.0, "alpha": 0.0, "beta": -1.0, "delta": 0.0}
    for _, part in table.groupby(qi):
        q = np.array([(part[s] == v).mean() for v in values])
        seen = q > 0
        out["l"] = min(out["l"], seen.sum())
        out["entropy"] = min(out["entropy"], math.exp(-(q[seen] * np.log(q[seen])).sum()))
        if ordered:
            t = np.abs(np.cumsum(q - p)).sum() / (len(values) - 1)
        else:
            t = 0.5 * np.abs(q - p).sum()
        out["t"] = max(out["t"], t)
        out["alpha"] = max(out["alpha"], q.max())
        out["beta"] = max(out["beta"], ((q - p) / p).max())
        out["delta"] = max(out["delta"], np.abs(np.log(q[seen] / p[seen])).max())
    return out


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("sensitive", ["illness", "income"])
def test_equals_pycanon_on_clean_tables(seed, sensitive):
    from pycanon import anonymity as peer

    table, qi = clean_table(seed), ["age", "city"]
    ours = anonymity(table, qi, sensitive)
    args = (table, qi, [sensitive])
    assert ours.k == peer.k_anonymity(table, qi)
    assert ours.l == peer.l_diversity(*args)
    assert math.floor(ours.entropy_l + 1e-12) == peer.entropy_l_diversity(*args)
    assert ours.t == pytest.approx(peer.t_closeness(*args), abs=1e-12)
    assert ours.alpha == pytest.approx(peer.alpha_k_anonymity(*args)[0], abs=1e-12)
    assert ours.beta == pytest.approx(peer.basic_beta_likeness(*args), abs=1e-12)
    assert ours.delta_present == pytest.approx(peer.delta_disclosure(*args), abs=1e-12)
    if np.isfinite(ours.enhanced_beta):
        assert ours.enhanced_beta == pytest.approx(peer.enhanced_beta_likeness(*args), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.integers(0, 6)),
        min_size=2,
        max_size=60,
    )
)
def test_equals_the_definitions(rows):
    table = pd.DataFrame(rows, columns=["x", "y", "s"])
    table["name"] = table["s"].map(lambda v: f"v{v}")
    for sensitive, ordered in (("s", True), ("name", False)):
        got = anonymity(table, ["x", "y"], sensitive)
        if table[sensitive].nunique() == 1:
            assert got.t == 0
            assert got.l == 1
            continue
        want = by_definition(table, ["x", "y"], sensitive, ordered)
        assert got.l == want["l"]
        assert got.entropy_l == pytest.approx(want["entropy"], abs=1e-9)
        assert got.t == pytest.approx(want["t"], abs=1e-9)
        assert got.alpha == pytest.approx(want["alpha"])
        assert got.beta == pytest.approx(want["beta"])
        assert got.delta_present == pytest.approx(want["delta"], abs=1e-12)
        assert got.k == table.groupby(["x", "y"]).size().min()
        assert got.mean_risk == pytest.approx((1 / class_sizes(table, ["x", "y"])).mean())


# ---- traps met in other tools ----------------------------------------------------------


def test_missing_quasi_identifier_is_a_class_of_its_own():
    table = pd.DataFrame({"age": [30, 30, 30, None], "s": list("aabb")})
    got = anonymity(table, ["age"], "s")
    assert got.k == 1
    assert got.classes == 2
    assert got.n == 4


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([None, "x", "x"], dtype=object),
        pd.Series([None, "x", "x"], dtype="str"),
        pd.Series([np.nan, 1.0, 1.0]),
        pd.Series([pd.NA, 1, 1], dtype="Int64"),
        pd.Series([pd.NaT, pd.Timestamp("2020-01-01"), pd.Timestamp("2020-01-01")]),
        pd.Series([None, "x", "x"], dtype="category"),
        pd.Series([None, True, True], dtype="boolean"),
    ],
)
def test_missing_value_of_every_type(column):
    table = pd.DataFrame({"q": column, "s": [1, 1, 2]})
    assert class_sizes(table, ["q"]).tolist() == [1, 2, 2]
    assert anonymity(table, ["s"], "q").l == 1
    assert anonymity(pd.DataFrame({"q": 1, "s": column}), ["q"], "s").l == 2


def test_missing_date_ranks_last_in_ordered_distance():
    dates = pd.to_datetime(["2020-01-01", "2020-01-01", None, "2020-01-02"])
    numbers = [1.0, 1.0, np.nan, 2.0]
    as_dates = anonymity(pd.DataFrame({"q": [1, 1, 2, 2], "s": dates}), ["q"], "s")
    as_numbers = anonymity(pd.DataFrame({"q": [1, 1, 2, 2], "s": numbers}), ["q"], "s")
    as_ranks = anonymity(pd.DataFrame({"q": [1, 1, 2, 2], "s": [0, 0, 2, 1]}), ["q"], "s")
    assert as_dates.t == as_numbers.t == as_ranks.t > 0


def test_shuffled_index_changes_nothing():
    table = clean_table(1)
    shuffled = table.sample(frac=1, random_state=3)
    repeated = table.set_axis([0] * len(table), axis=0)
    want = anonymity(table, ["age", "city"], "income")
    for other in (shuffled, repeated):
        got = anonymity(other, ["age", "city"], "income")
        assert (got.k, got.l) == (want.k, want.l)
        assert got.t == pytest.approx(want.t)
        assert got.entropy_l == pytest.approx(want.entropy_l)
    assert class_sizes(shuffled, ["age"]).index.equals(shuffled.index)


def test_unused_category_levels_are_no_values():
    q = pd.Categorical(["a", "a", "b", "b"], categories=list("abcdef"))
    s = pd.Categorical(["x", "y", "x", "y"], categories=["w", "x", "y", "z"], ordered=True)
    got = anonymity(pd.DataFrame({"q": q, "s": s}), ["q"], "s")
    assert (got.k, got.classes, got.l, got.t) == (2, 2, 2, 0.0)
    skewed = pd.DataFrame({"q": [1, 1, 2, 2], "s": s[[0, 0, 1, 1]]})
    assert anonymity(skewed, ["q"], "s").t == 0.5  # two values, not four


def test_entropy_l_is_not_floored():
    table = pd.DataFrame({"q": [1] * 10, "s": ["a"] * 8 + ["b", "c"]})
    p = np.array([0.8, 0.1, 0.1])
    assert anonymity(table, ["q"], "s").entropy_l == pytest.approx(np.exp(-(p * np.log(p)).sum()))


def test_recursive_cl_counts_from_the_commonest_value():
    # counts 4, 3, 2: r1 < c (r2 + r3) needs c > 4/5; r1 < c r3 needs c > 2
    table = pd.DataFrame({"q": 1, "s": list("aaaabbbcc")})
    got = anonymity(table, ["q"], "s")
    assert got.recursive_c(2) == pytest.approx(4 / 5)
    assert got.recursive_c(3) == got.recursive_c() == pytest.approx(2.0)
    assert got.recursive_c(1) == pytest.approx(4 / 9)
    assert math.isinf(got.recursive_c(4))


def test_recursive_cl_takes_the_worst_class():
    table = pd.DataFrame({"q": [1] * 4 + [2] * 9, "s": list("aabb") + list("aaaaaaabb")})
    assert anonymity(table, ["q"], "s").recursive_c(2) == pytest.approx(3.5)


def test_enhanced_beta_says_when_no_beta_holds():
    # value b: p = 1/4, q = 1: gain 3 > -ln(1/4)
    table = pd.DataFrame({"q": [1, 1, 1, 2], "s": list("aaab")})
    assert math.isinf(anonymity(table, ["q"], "s").enhanced_beta)
    assert anonymity(table, ["q"], "s").beta == pytest.approx(3)


def test_delta_is_infinite_where_a_class_lacks_a_value():
    got = anonymity(pd.DataFrame({"q": [1, 1, 2], "s": list("aba")}), ["q"], "s")
    assert math.isinf(got.delta)
    assert math.isfinite(got.delta_present)


# ---- odd tables ------------------------------------------------------------------------


def test_single_row():
    got = anonymity(pd.DataFrame({"q": [5], "s": ["a"]}), ["q"], "s")
    assert (got.k, got.l, got.entropy_l, got.t, got.unique_share) == (1, 1, 1.0, 0.0, 1.0)


def test_constant_columns():
    got = anonymity(pd.DataFrame({"q": ["x"] * 7, "s": [1.5] * 7}), ["q"], "s")
    assert (got.k, got.l, got.t, got.classes) == (7, 1, 0.0, 1)


def test_all_unique():
    got = anonymity(pd.DataFrame({"q": range(50), "s": range(50)}), ["q"], "s")
    assert (got.k, got.l, got.unique_share, got.mean_risk) == (1, 1, 1.0, 1.0)


def test_thirty_quasi_identifiers_do_not_overflow():
    rng = np.random.default_rng(0)
    n = 2000
    base = pd.DataFrame({f"q{i}": rng.integers(0, 1000, n) for i in range(30)})
    table = pd.concat([base, base, base.iloc[:5]], ignore_index=True)
    table["s"] = rng.integers(0, 9, len(table))
    got = anonymity(table, [f"q{i}" for i in range(30)], "s")
    assert got.k == 2
    assert got.classes == n
    sizes = class_sizes(table, [f"q{i}" for i in range(30)])
    assert sizes.value_counts().to_dict() == {2: 2 * (n - 5), 3: 15}


def test_packing_keeps_distinct_rows_distinct_past_62_bits():
    a = np.arange(4, dtype=np.int64)
    keys, levels = pack_codes([(a, 2**40), (a[::-1].copy(), 2**40), (a, 2**40)], 4)
    assert len(set(keys.tolist())) == 4
    assert keys.min() >= 0
    assert keys.max() < levels <= 2**62


def test_extreme_integers():
    info = np.iinfo(np.int64)
    table = pd.DataFrame({"q": np.array([info.min, info.max, info.max]), "s": [1, 2, 3]})
    assert class_sizes(table, ["q"]).tolist() == [1, 2, 2]
    table = pd.DataFrame({"q": np.array([0, 2**64 - 1, 2**64 - 1], dtype=np.uint64)})
    assert class_sizes(table, ["q"]).tolist() == [1, 2, 2]
    small = pd.DataFrame({"q": np.array([-128, 127, 127], dtype=np.int8)})
    assert class_sizes(small, ["q"]).tolist() == [1, 2, 2]


# ---- risks against a population ----------------------------------------------------------


def test_population_risks():
    sample = pd.DataFrame({"q": ["a", "a", "b", "c"]})
    people = pd.DataFrame({"q": pd.Categorical(["a"] * 5 + ["b"] * 4 + ["c"] + ["d"])})
    got = anonymity(sample, ["q"], population=people)
    assert got.prosecutor_risk == 1.0
    assert got.journalist_risk == 1.0
    assert got.marketer_risk == pytest.approx((2 / 5 + 1 / 4 + 1 / 1) / 4)
    assert got.unique_share == 0.5
    assert got.confirmed_unique_share == 0.25
    assert got.population_unique_share == pytest.approx(2 / 11)
    assert anonymity(sample.iloc[:3], ["q"], population=people).journalist_risk == 0.25


def test_population_with_sensitive_agrees_with_none():
    table = clean_table(2)
    plain = anonymity(table, ["age", "city"], "income")
    beside = anonymity(table, ["age", "city"], "income", population=table)
    assert (plain.k, plain.l, plain.t) == (beside.k, beside.l, beside.t)
    assert beside.marketer_risk == pytest.approx(plain.mean_risk)
    assert math.isnan(plain.journalist_risk)


def test_records_at_risk():
    got = anonymity(pd.DataFrame({"q": [1] + [2] * 9}), ["q"])
    assert got.records_at_risk(0.2) == 0.1
    assert got.records_at_risk(1.0) == 0.0
    assert math.isnan(got.l)
    assert math.isnan(got.t)


# ---- refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda t: anonymity(t, ["nope"]), "'nope'"),
        (lambda t: anonymity(t, []), "empty"),
        (lambda t: anonymity(t, ["q", "q"]), "twice"),
        (lambda t: anonymity(t, ["q"], "q"), "also a quasi-identifier"),
        (lambda t: anonymity(t.iloc[:0], ["q"]), "no rows"),
        (lambda t: anonymity([1], ["q"]), "DataFrame"),
        (lambda t: anonymity(t, ["q"], "s", distance="far"), "'far'"),
        (lambda t: anonymity(t, ["q"], "s", distance="ordered"), "no order"),
        (lambda t: anonymity(t.assign(l=[[1]] * len(t)), ["l"]), "'l'"),
        (lambda t: anonymity(t, ["q"], population=t.iloc[:1]), "population"),
        (lambda t: anonymity(t, ["q"]).records_at_risk(0), "threshold"),
    ],
)
def test_refusals_name_what_is_wrong(call, word):
    table = pd.DataFrame({"q": [1, 2, 3], "s": list("abc")})
    with pytest.raises(PrivacyError, match=word):
        call(table)


def test_html_shows_the_measures_and_escapes_names():
    table = pd.DataFrame({"<b>": [1, 1], "s": ["a", "b"]})
    text = anonymity(table, ["<b>"], "s")._repr_html_()
    assert "&lt;b&gt;" in text
    assert "<b>" not in text
    assert "entropy_l" in text
    assert "2.0000" in text or ">2<" in text
