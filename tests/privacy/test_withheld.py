"""Nothing of a person who is not in a release leaves with it, in no part of it."""

import datetime as dt
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.privacy import (
    AnonymityError,
    Hierarchy,
    KAnonymizer,
    anonymity,
    information_loss,
    parse_release,
)

QI = ["job", "age", "born"]
DTYPES = ["object", "category", "ordered", "string[pyarrow]", "string[python]"]


def typed(values, dtype):
    column = pd.Series(values, dtype=object)
    if dtype == "ordered":
        return column.astype(pd.CategoricalDtype(sorted(set(values)), ordered=True))
    return column.astype(dtype)


@st.composite
def tables(draw):
    """A table cut from a larger one, with some people like nobody else; and who is in neither."""
    common, odd, before = draw(st.tuples(st.integers(5, 20), st.integers(0, 4), st.integers(0, 3)))
    n = common + odd + before
    # who is odd, or was cut off before, is unlike everybody in every column
    rare = np.array([False] * common + [True] * (odd + before))
    pick = st.integers(0, 3)
    kind = [draw(pick) for _ in range(n)]
    made = pd.DataFrame(
        {
            "job": typed(
                [f"bishop{i}" if rare[i] else ["cook", "nurse"][kind[i] % 2] for i in range(n)],
                draw(st.sampled_from(DTYPES)),
            ),
            "age": pd.Series(
                [70_003 + 10 * i if rare[i] else 30 + kind[i] for i in range(n)]
            ).astype(draw(st.sampled_from(["int64", "float64", "Int64"]))),
            "born": pd.Series(
                [
                    pd.Timestamp(1210 + i, 5, 6, 7, 8) if rare[i] else pd.Timestamp(1990, 1, 1)
                    for i in range(n)
                ]
            ),
            "note": typed(
                [f"secret{i}" if rare[i] else "plain" for i in range(n)],
                draw(st.sampled_from(DTYPES)),
            ),
        }
    )
    made.index = pd.Index([f"person{i}@mail.example" for i in range(n)], name="kept by zoe")
    made.columns.name = "list of zoe"
    order = draw(st.permutations(range(common + odd)))
    cut = made.iloc[: common + odd] if draw(st.booleans()) else made.iloc[list(order)]
    cut.attrs["source"] = {"people": made.index.tolist()}
    return cut, rare


def traces(release, words):
    """Words found in any part of what leaves."""
    shown = [
        release.to_csv(),
        release.to_json(date_format="iso"),
        repr(release),
        str(release.attrs),
    ]
    shown += [release._repr_html_(), str(release.dtypes.to_dict()), repr(release.index)]
    for column in release.columns:
        shown += [repr(release[column]), str(release[column].value_counts(dropna=False))]
        if isinstance(release[column].dtype, pd.CategoricalDtype):
            shown.append(str(release[column].cat.categories.tolist()))
    everything = "\n".join(shown).encode()
    for protocol in (2, pickle.HIGHEST_PROTOCOL):
        everything += pickle.dumps(release, protocol)
    return [word for word in words if word.encode() in everything]


def words_of(rare, rows):
    found = ["zoe", "person", "mail.example"]
    for i in rows:
        found += [f"bishop{i}", f"secret{i}", f"{70_003 + 10 * i}", f"{1210 + i}-05-06"]
    return found


HIERARCHIES = {
    "none": {},
    "some": {"age": Hierarchy.intervals([5, 10, 100])},
    "all": {
        "age": Hierarchy.intervals([5, 10, 100]),
        "born": Hierarchy.dates(),
        "job": Hierarchy.table(
            {
                **{f"bishop{i}": "church" for i in range(30)},
                **dict.fromkeys(["cook", "nurse"], "service"),
            }
        ),
    },
}


@settings(max_examples=60, deadline=None)
@given(
    made=tables(),
    method=st.sampled_from(["mondrian", "full_domain", "full_domain"]),
    suppression=st.sampled_from([0.1, 0.3, 0.6]),
    hierarchies=st.sampled_from(list(HIERARCHIES)),
    k=st.integers(2, 4),
)
def test_who_is_left_out_leaves_no_trace(made, method, suppression, hierarchies, k):
    table, rare = made
    settings_ = {
        "k": k,
        "method": method,
        "hierarchies": HIERARCHIES[hierarchies],
        "quasi_identifiers": QI,
    }
    tool = KAnonymizer(suppression=suppression, **settings_)
    release = tool.fit_transform(table)
    assert anonymity(release, QI).k >= k
    place = {f"person{i}@mail.example": i for i in range(len(rare))}
    inside = {place[name] for name in tool.kept_}
    outside = [i for i in range(len(rare)) if rare[i] and i not in inside]
    assert traces(release, words_of(rare, outside)) == []
    # (a midpoint of those who stay may be a number of somebody who does not)
    texts = [word for word in words_of(rare, outside) if not word[:1].isdigit()]
    assert traces(parse_release(release, tool.kinds_), texts) == []
    # and it is what the table of those who stay gets, were there nobody else
    alone = KAnonymizer(**settings_).fit(table.loc[tool.kept_])
    pd.testing.assert_frame_equal(release, alone.release_)
    assert alone.levels_ == tool.levels_
    assert list(release.columns) == list(table.columns)
    assert release["note"].tolist() == table.loc[tool.kept_, "note"].tolist()
    if not isinstance(table["note"].dtype, pd.CategoricalDtype):
        assert release["note"].dtype == table["note"].dtype
    found = information_loss(table, release, QI, HIERARCHIES[hierarchies])
    assert tool.loss_.ncp == pytest.approx(found.ncp, abs=1e-6)
    assert tool.loss_.suppressed == len(table) - len(release)


@settings(max_examples=30, deadline=None)
@given(made=tables(), method=st.sampled_from(["mondrian", "full_domain"]), k=st.integers(2, 3))
def test_who_is_left_out_of_another_table_leaves_no_trace(made, method, k):
    table, rare = made
    tool = KAnonymizer(k, method=method, suppression=0.6, quasi_identifiers=QI)
    tool.fit(table)
    place = {f"person{i}@mail.example": i for i in range(len(rare))}
    usual = [not rare[place[name]] for name in table.index]
    other = pd.concat([table[usual], table[usual], table[~np.array(usual)][:1]])
    try:
        release = tool.transform(other)
    except AnonymityError:
        return
    inside = set(release["note"])
    outside = [i for i in range(len(rare)) if rare[i] and f"secret{i}" not in inside]
    if method == "full_domain":
        assert traces(release, words_of(rare, outside)) == []
    # a Mondrian range may end where fit saw somebody; all else may not tell of anybody
    words = [word for word in words_of(rare, outside) if not word[:1].isdigit()]
    assert traces(release.drop(columns="job"), words) == []
    assert release.index.equals(pd.RangeIndex(len(release)))


def test_the_one_bishop_of_ten():
    table = pd.DataFrame(
        {
            "job": pd.Categorical(["cook"] * 9 + ["bishop"]),
            "age": [30, 31, 32, 33, 34, 30, 31, 32, 33, 97],
            "paid": range(10),
        },
        index=[f"{i}@mail.example" for i in range(10)],
    )
    tool = KAnonymizer(3, suppression=0.1, method="full_domain", quasi_identifiers=["job", "age"])
    release = tool.fit_transform(table)
    assert tool.suppressed_.tolist() == ["9@mail.example"]
    assert release["job"].cat.categories.tolist() == ["cook"]
    assert traces(release, ["bishop", "95", "97", "99", "mail.example"]) == []
    # the same rows are released again by the fitted tool
    pd.testing.assert_frame_equal(tool.transform(table), release)


def test_a_width_or_a_fraction_does_not_tell_of_a_value_left_out():
    ages = [30, 31, 32, 33, 34, 30, 31, 32, 33]
    for odd in (1_000_000, 30.5, -4.0):
        table = pd.DataFrame({"age": [*ages, odd]})
        tool = KAnonymizer(4, suppression=0.1, method="full_domain")
        release = tool.fit_transform(table)
        if tool.suppressed_.tolist() == [9]:
            alone = KAnonymizer(4, method="full_domain").fit_transform(pd.DataFrame({"age": ages}))
            assert release["age"].tolist() == alone["age"].tolist()
            assert "<" not in "".join(release["age"])


def test_memory_shared_with_a_larger_table_stays_behind():
    whole = pd.DataFrame(
        {"age": [30] * 40, "note": pd.array(["plain"] * 39 + ["secret"], "string[pyarrow]")}
    )
    part = whole.iloc[:20]  # a slice that pickles with its parent's memory
    release = KAnonymizer(5, quasi_identifiers=["age"]).fit_transform(part)
    assert traces(release, ["secret"]) == []


def test_dates_of_birth_of_who_is_left_out():
    born = [dt.date(1990, 5, 1)] * 8 + [dt.date(1903, 2, 2)]
    table = pd.DataFrame({"born": pd.to_datetime(born)})
    tool = KAnonymizer(4, suppression=0.2, method="full_domain")
    assert traces(tool.fit_transform(table), ["1903", "190", "02-02"]) == []
