"""Releases hold what was asked for, say what they did, and load back."""

import io
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from ethicalai_lab.privacy import (
    AnonymityError,
    Hierarchy,
    KAnonymizer,
    PrivacyError,
    anonymity,
    information_loss,
    parse_label,
    parse_release,
)

QI = ["age", "postcode", "city", "born"]


def people(n=400, seed=0, gaps=0.0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "name": [f"person {i}" for i in range(n)],
            "age": rng.integers(18, 90, n),
            "postcode": [f"{x:05d}" for x in rng.integers(52000, 52400, n)],
            "city": pd.Categorical(rng.choice(["north", "south", "east"], n)),
            "born": pd.Timestamp("1940-01-01") + pd.to_timedelta(rng.integers(0, 20000, n), "D"),
            "illness": rng.choice(["flu", "cold", "gout", "none"], n, p=[0.4, 0.3, 0.2, 0.1]),
            "income": rng.lognormal(10, 0.5, n).round(2),
        },
        index=rng.permutation(n) + 1000,
    )
    if gaps:
        for c in ("age", "postcode", "city", "born"):
            hole = rng.random(n) < gaps
            table[c] = table[c].astype("float64") if c == "age" else table[c]
            table.loc[hole, c] = pd.NaT if c == "born" else None
    return table


def assert_true_labels(table, release, names, hierarchies=None):
    """Every label covers the value it stands for (labels of a table hierarchy aside)."""
    kinds = {"age": "number", "income": "number", "born": "date"}
    for name in names:
        seen = {}
        for text, value in zip(release[name], table.loc[release.index, name], strict=True):
            label = seen.setdefault(text, parse_label(text, kinds.get(name, "text")))
            assert label.covers(value), (name, text, value)


@pytest.mark.parametrize("gaps", [0.0, 0.1])
@pytest.mark.parametrize("method", ["mondrian", "full_domain"])
@pytest.mark.parametrize("k", [2, 7])
def test_release_is_k_anonymous_and_true(k, method, gaps):
    table = people(gaps=gaps)
    tool = KAnonymizer(k, method=method, quasi_identifiers=QI, sensitive="illness", drop=["name"])
    release = tool.fit_transform(table)
    assert anonymity(release, QI).k >= k
    assert list(release.columns) == [*QI, "illness", "income"]
    assert release.index.equals(pd.RangeIndex(len(table)))
    assert tool.kept_.equals(table.index)
    known = release.set_axis(tool.kept_)
    assert_true_labels(table, known, QI)
    pd.testing.assert_series_equal(known["income"], table["income"])
    found = information_loss(table, release, QI)
    assert found.ncp == pytest.approx(tool.loss_.ncp, abs=1e-6)
    assert found.discernibility == tool.loss_.discernibility
    assert 0 <= tool.loss_.ncp <= 1


def test_mondrian_cuts_at_the_median_of_the_widest_column():
    table = pd.DataFrame({"a": range(8), "b": [0, 1] * 4})
    release = KAnonymizer(2).fit_transform(table)
    # both columns span 1: the first is cut, then b where it spans more than a's 3/7
    assert sorted(set(zip(release["a"], release["b"], strict=True))) == [
        ("0–2", "0"),
        ("1–3", "1"),
        ("4–6", "0"),
        ("5–7", "1"),
    ]


def test_spans_are_normalised():
    # a long-tailed column must not take every cut
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"age": rng.integers(20, 80, 500), "spend": rng.pareto(1, 500) * 1e6})
    tool = KAnonymizer(5)
    tool.fit(table)
    assert tool.loss_.by_column["age"] < 0.3


@pytest.mark.parametrize("method", ["mondrian", "full_domain"])
def test_l_and_t_hold(method):
    table = people(600)
    for sensitive in ("illness", "income"):
        tool = KAnonymizer(
            4,
            l=3,
            t=0.25,
            method=method,
            quasi_identifiers=["age", "postcode"],
            sensitive=sensitive,
            drop=["name"],
        )
        release = tool.fit_transform(table)
        got = anonymity(release, ["age", "postcode"], sensitive)
        assert got.k >= 4
        assert got.l >= 3
        assert got.t <= 0.25 + 1e-9
        assert got.classes > 1


_value = st.one_of(
    st.none(),
    st.sampled_from(["a", "b", "*", "(missing)", "{a, b}", "a, b", "x\\", "30–39", "1*", ""]),
)
_number = st.one_of(
    st.none(),
    st.integers(-5, 5).map(float),
    st.floats(allow_nan=False, allow_infinity=False, width=64),
)


@settings(max_examples=80, deadline=None)
@given(
    rows=st.lists(st.tuples(_number, _value, st.sampled_from("xyz")), min_size=1, max_size=40),
    k=st.integers(2, 6),
    l=st.sampled_from([None, 1, 2, 3]),
    t=st.sampled_from([None, 0.0, 0.3]),
    method=st.sampled_from(["mondrian", "full_domain"]),
    suppression=st.sampled_from([0.0, 0.2, 1.0]),
)
def test_any_input_is_released_rightly_or_refused(rows, k, l, t, method, suppression):  # noqa: E741
    table = pd.DataFrame(
        {
            "n": pd.array([r[0] for r in rows], dtype="Float64").to_numpy(float, na_value=np.nan),
            "v": pd.Series([r[1] for r in rows], dtype=object),
            "s": [r[2] for r in rows],
        }
    )
    tool = KAnonymizer(
        k, l, t, method=method, suppression=suppression, quasi_identifiers=["n", "v"], sensitive="s"
    )
    try:
        release = tool.fit_transform(table)
    except AnonymityError as refusal:
        refused = refusal.rows
    else:
        refused = None
    # refused only where the whole table as one class fails
    impossible = len(table) < k or (l is not None and table["s"].nunique() < l)
    assert (refused is not None) == impossible
    if impossible:
        assert len(refused) == len(table)
        return
    got = anonymity(release, ["n", "v"], "s")
    assert got.k >= k
    assert l is None or got.l >= l
    assert t is None or got.t <= t + 1e-9
    assert len(table) - len(release) <= suppression * len(table) * (method == "full_domain") + 1e-9
    for name, kind in (("n", "number"), ("v", "text")):
        for text, value in zip(release[name], table.loc[tool.kept_, name], strict=True):
            assert parse_label(text, kind).covers(value), (text, value)


# ---- the lattice's optimum, by brute force ----------------------------------------------


def brute_force(table, names, hierarchies, good, suppression, k):
    """Lowest NCP over every node, each built and measured on its own."""
    best = np.inf
    for node in itertools.product(*[range(hierarchies[c].height + 1) for c in names]):
        release = table.copy()
        for c, level in zip(names, node, strict=True):
            release[c] = [hierarchies[c].label(v, level) for v in table[c]]
        sizes = release.groupby(names, observed=True)[names[0]].transform("size")
        bad = sizes < k
        if suppression == 0 and not good(release):
            continue
        if suppression and (bad.sum() > suppression * len(table) or bad.all()):
            continue
        kept = release[~bad] if suppression else release
        if not good(kept):
            continue
        best = min(best, information_loss(table, kept, names, hierarchies).ncp)
    return best


@pytest.mark.parametrize("suppression", [0.0, 0.1])
@pytest.mark.parametrize("seed", range(4))
def test_full_domain_is_optimal(seed, suppression):
    table = people(60, seed)[["age", "postcode", "city", "illness"]]
    names = ["age", "postcode", "city"]
    hierarchies = {
        "age": Hierarchy.intervals([5, 10, 40]),
        "postcode": Hierarchy.prefix(5),
        "city": Hierarchy.table({"north": "cold", "east": "cold", "south": "warm"}),
    }
    k = 3
    tool = KAnonymizer(
        k,
        hierarchies=hierarchies,
        suppression=suppression,
        method="full_domain",
        quasi_identifiers=names,
    )
    tool.fit(table)
    want = brute_force(
        table, names, hierarchies, lambda r: anonymity(r, names).k >= k, suppression, k
    )
    assert tool.loss_.ncp == pytest.approx(want, abs=1e-9)
    assert tool.evaluated_ < tool.nodes_ == 5 * 6 * 3


@pytest.mark.parametrize("seed", range(3))
def test_full_domain_is_optimal_with_l_and_t(seed):
    table = people(80, seed)[["age", "postcode", "illness"]]
    names = ["age", "postcode"]
    hierarchies = {"age": Hierarchy.intervals([5, 10, 40]), "postcode": Hierarchy.prefix(5)}

    def good(r):
        got = anonymity(r, names, "illness")
        return got.k >= 3 and got.l >= 2 and got.t <= 0.3

    tool = KAnonymizer(
        3,
        2,
        0.3,
        hierarchies,
        method="full_domain",
        quasi_identifiers=names,
        sensitive="illness",
    ).fit(table)
    assert tool.loss_.ncp == pytest.approx(
        brute_force(table, names, hierarchies, good, 0.0, 3), abs=1e-9
    )


def test_suppressed_rows_are_named():
    table = pd.DataFrame({"age": [30] * 9 + [99]}, index=list("abcdefghij"))
    tool = KAnonymizer(3, suppression=0.1, method="full_domain")
    release = tool.fit_transform(table)
    assert tool.suppressed_.tolist() == ["j"]
    assert release["age"].tolist() == ["30"] * 9
    assert tool.loss_.ncp == pytest.approx(0.1)
    assert tool.loss_.discernibility == 81 + 10


# ---- labels load back --------------------------------------------------------------------


@pytest.mark.parametrize("gaps", [0.0, 0.1])
@pytest.mark.parametrize("method", ["mondrian", "full_domain"])
def test_a_release_survives_a_csv_file(method, gaps):
    table = people(gaps=gaps)
    tool = KAnonymizer(5, method=method, quasi_identifiers=[*QI, "income"], drop=["name"])
    release = tool.fit_transform(table)
    back = pd.read_csv(io.StringIO(release.to_csv(index=False)), dtype=dict.fromkeys(QI, str))
    assert anonymity(back, [*QI, "income"]).classes == tool.anonymity_.classes
    typed = parse_release(back, tool.kinds_)
    direct = parse_release(release, tool.kinds_)
    for c in ("age", "age_low", "age_high", "income_low", "income_high"):
        assert np.array_equal(typed[c].to_numpy(), direct[c].to_numpy(), equal_nan=True)
    known = table["age"].notna().to_numpy() & np.isfinite(typed["age_low"].to_numpy())
    age = table["age"].to_numpy(float)[known]
    assert (typed["age_low"].to_numpy()[known] <= age).all()
    assert (age <= typed["age_high"].to_numpy()[known]).all()
    assert typed["born_low"].dtype.kind == "M"


@pytest.mark.parametrize(
    ("text", "kind", "inside", "outside"),
    [
        ("30–39", "number", [30, 34.5, 39], [29, 40, None]),
        ("-5–-1", "number", [-5, -1], [0, -6]),
        ("1.5–2e+20", "number", [2.0], [1.4]),
        ("30–<40", "number", [39.99], [40]),
        ("30–39 or (missing)", "number", [30, None, float("nan")], [40]),
        ("1980–1989", "date", ["1980-01-01", "1989-12-31"], ["1990-01-01"]),
        ("1980-02", "date", ["1980-02-29"], ["1980-03-01", "1980-01-31"]),
        ("521**", "text", ["52199"], ["5219", "52200", None]),
        ("{a\\, b, c}", "text", ["a, b", "c"], ["a", "b"]),
        ("adams…baker", "text", ["adams", "allen"], ["bill"]),
        ("(missing)", "text", [None], ["x"]),
        ("*", "number", [1, None], []),
    ],
)
def test_labels_cover_what_they_say(text, kind, inside, outside):
    label = parse_label(text, kind)
    assert all(label.covers(v) for v in inside)
    assert not any(label.covers(v) for v in outside)


def test_unreadable_labels_are_named():
    with pytest.raises(PrivacyError, match="number"):
        parse_label("thirty", "number")
    with pytest.raises(PrivacyError, match=r"'age', row 7"):
        parse_release(pd.DataFrame({"age": ["30", "x"]}, index=[6, 7]), {"age": "number"})
    with pytest.raises(PrivacyError, match="kind"):
        parse_label("1", "colour")


# ---- hierarchies ------------------------------------------------------------------------


def test_hierarchies_write_readable_labels():
    assert [Hierarchy.prefix(5).label("52062", i) for i in range(6)] == [
        "52062",
        "5206*",
        "520**",
        "52***",
        "5****",
        "*",
    ]
    ages = Hierarchy.intervals([5, 10])
    assert [ages.label(34, i) for i in range(4)] == ["34", "30–34", "30–39", "*"]
    assert ages.for_values([30.5]).label(34, 1) == "30–<35"
    days = Hierarchy.dates()
    day = pd.Timestamp("1984-02-29")
    assert [days.label(day, i) for i in range(5)] == [
        "1984-02-29",
        "1984-02",
        "1984",
        "1980–1989",
        "*",
    ]


def test_mondrian_keeps_hierarchy_labels():
    table = people(500)
    tool = KAnonymizer(
        5, hierarchies={"postcode": Hierarchy.prefix(5)}, quasi_identifiers=["age", "postcode"]
    )
    release = tool.fit_transform(table)
    assert release["postcode"].astype(str).str.fullmatch(r"\d*\**").all()
    assert release["postcode"].astype(str).str.len().isin([1, 5]).all()
    assert_true_labels(table, release.set_axis(table.index), ["age", "postcode"])
    assert tool.loss_.by_column["postcode"] < 0.5


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Hierarchy.prefix(0), "length"),
        (lambda: Hierarchy.prefix(3).label("12", 1), "'12'"),
        (lambda: Hierarchy.intervals([5, 12]), "multiple"),
        (lambda: Hierarchy.intervals([-5]), "above 0"),
        (lambda: Hierarchy.dates(["decade", "month"]), "fine to coarse"),
        (lambda: Hierarchy.table({}), "empty"),
        (lambda: Hierarchy.table({"a": ["x", "y"], "b": ["x"]}), "'b'"),
        (lambda: Hierarchy.table({"a": ["x", "y"], "b": ["x", "z"]}), "'x'"),
        (lambda: Hierarchy.table({"a": "x"}).label("q", 1), "'q'"),
    ],
)
def test_wrong_hierarchies_are_refused(make, word):
    with pytest.raises(PrivacyError, match=word):
        make()


def test_a_level_that_splits_is_refused():
    tangled = Hierarchy([lambda v: "one", lambda v: str(v)], "text", "tangled")
    with pytest.raises(PrivacyError, match=r"'c'.*only join"):
        KAnonymizer(2, hierarchies={"c": tangled}).fit(pd.DataFrame({"c": list("aabb")}))


# ---- refusals and odd tables ---------------------------------------------------------------


def test_too_few_rows_says_which_and_why():
    with pytest.raises(AnonymityError, match=r"3 rows and k is 5.*'x', 'y', 'z'") as found:
        KAnonymizer(5).fit(pd.DataFrame({"a": [1, 2, 3]}, index=list("xyz")))
    assert found.value.rows == ["x", "y", "z"]


def test_impossible_l_says_so():
    with pytest.raises(AnonymityError, match=r"'s' has 2 different values and l is 3"):
        KAnonymizer(2, l=3, sensitive="s").fit(pd.DataFrame({"a": range(6), "s": list("ababab")}))


@pytest.mark.parametrize(
    ("settings_", "word"),
    [
        ({"k": 1}, "k is 1"),
        ({"k": 2.5}, "k is 2.5"),
        ({"k": True}, "k is True"),
        ({"l": 0}, "l is 0"),
        ({"t": 2.0, "sensitive": "s"}, "t is 2.0"),
        ({"suppression": -1}, "suppression is -1"),
        ({"method": "magic"}, "'magic'"),
        ({"l": 2}, "sensitive="),
        ({"quasi_identifiers": ["nope"]}, "'nope'"),
        ({"quasi_identifiers": ["s"], "sensitive": "s"}, "one role"),
        ({"drop": ["nope"]}, "'nope'"),
        ({"hierarchies": {"zzz": Hierarchy.prefix(2)}}, "'zzz'"),
        ({"hierarchies": {"a": "prefix"}}, "a str"),
        ({"hierarchies": {"a": Hierarchy.prefix(2)}}, "holds numbers"),
    ],
)
def test_wrong_settings_are_refused(settings_, word):
    table = pd.DataFrame({"a": range(10), "s": list("ab") * 5})
    with pytest.raises(PrivacyError, match=word):
        KAnonymizer(**settings_).fit(table)


def test_infinite_numbers_are_named():
    with pytest.raises(PrivacyError, match="'a', row 1 is infinite"):
        KAnonymizer(2).fit(pd.DataFrame({"a": [1.0, np.inf, 2.0]}))


@pytest.mark.parametrize("method", ["mondrian", "full_domain"])
def test_odd_tables(method):
    constant = pd.DataFrame({"a": [1] * 6, "b": ["x"] * 6})
    assert KAnonymizer(3, method=method).fit_transform(constant)["b"].tolist() == ["x"] * 6
    empty = pd.DataFrame({"a": [np.nan] * 6, "b": [None] * 6})
    release = KAnonymizer(3, method=method).fit_transform(empty)
    assert anonymity(release, ["a", "b"]).k == 6
    unused = pd.DataFrame({"c": pd.Categorical(list("aabb"), categories=list("zyxba"))})
    assert KAnonymizer(2, method=method).fit_transform(unused)["c"].tolist() == list("aabb")
    big = pd.DataFrame({"a": [2**62, 2**62 + 1, 2**62 + 2, -(2**62)]})
    assert anonymity(KAnonymizer(2, method=method).fit_transform(big), ["a"]).k >= 2
    truth = pd.DataFrame({"a": [True, False, True, False]})
    assert KAnonymizer(2, method=method).fit_transform(truth)["a"].tolist()[:2] == [
        "True",
        "False",
    ]


def test_thirty_quasi_identifiers():
    rng = np.random.default_rng(1)
    table = pd.DataFrame({f"q{i}": rng.integers(0, 50, 300) for i in range(30)})
    assert anonymity(KAnonymizer(4).fit_transform(table), list(table)).k >= 4
    with pytest.raises(PrivacyError, match="mondrian"):
        KAnonymizer(4, method="full_domain").fit(table)


def test_many_texts_become_sorted_ranges():
    table = pd.DataFrame({"word": [f"w{i:03d}" for i in range(200)]})
    release = KAnonymizer(50).fit_transform(table)
    assert release["word"].iloc[0] == "w000…w049"
    assert_true_labels(table, release, ["word"])
    odd = pd.DataFrame({"word": [f"{i:03d}…" for i in range(200)]})
    assert_true_labels(odd, KAnonymizer(50).fit_transform(odd), ["word"])


# ---- scikit-learn --------------------------------------------------------------------------


def test_behaves_as_a_transformer():
    table = people(300)[["age", "postcode", "illness"]]
    tool = KAnonymizer(4, sensitive="illness")
    other = clone(tool).set_params(k=9)
    assert other.get_params()["k"] == 9
    assert tool.fit(table) is tool
    assert tool.get_feature_names_out().tolist() == ["age", "postcode", "illness"]
    same = tool.transform(table)
    again = KAnonymizer(4, sensitive="illness").fit_transform(table)
    pd.testing.assert_frame_equal(same.astype(str), again.astype(str))
    wide = KAnonymizer(4, sensitive="illness").set_output(transform="pandas")
    assert isinstance(wide.fit_transform(table), pd.DataFrame)


@pytest.mark.parametrize("method", ["mondrian", "full_domain"])
def test_other_rows_are_released_truthfully_or_refused(method):
    table = people(2000, 1)[["age", "postcode", "city"]]
    tool = KAnonymizer(5, method=method).fit(table)
    shuffled = table.sample(frac=1, random_state=0)
    same = tool.transform(shuffled)
    assert anonymity(same, list(table)).k >= 5
    assert_true_labels(table, same.set_axis(shuffled.index), list(table))
    with pytest.raises(AnonymityError, match="classes that miss k = 5") as few:
        tool.transform(table.iloc[:3])
    assert few.value.rows
    strange = pd.concat([table, table.iloc[:1].assign(age=200).set_axis(["new"])])
    with pytest.raises(AnonymityError, match="'new'"):
        tool.transform(strange)


def test_same_input_same_release():
    table = people(500)
    one = KAnonymizer(5, quasi_identifiers=QI).fit_transform(table)
    two = KAnonymizer(5, quasi_identifiers=QI).fit_transform(table)
    pd.testing.assert_frame_equal(one, two)
