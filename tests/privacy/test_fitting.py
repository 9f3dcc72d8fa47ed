"""What fits a person in a release: the same rows as reading every label by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.privacy import KAnonymizer, PrivacyError
from ethicalai_lab.privacy.attacks import fitting_rows

PEOPLE = st.lists(
    st.tuples(st.integers(18, 30), st.sampled_from("xyz"), st.sampled_from(["no", "yes"])),
    min_size=4,
    max_size=40,
)


def as_table(people):
    return pd.DataFrame(people, columns=["age", "town", "ill"])


@given(PEOPLE)
@settings(max_examples=25)
def test_in_a_raw_table_the_rows_that_fit_are_the_equal_ones(people):
    table = as_table(people)
    found = fitting_rows(table, table, ["age", "town"], "ill")
    for i, (age, town, _) in enumerate(people):
        for level, count in zip(found.levels, found.counts[i], strict=True):
            same = (table["age"] == age) & (table["town"] == town) & (table["ill"] == level)
            assert count == same.sum()
    assert found.own_fits.all()
    assert (found.rows >= 1).all()


@given(PEOPLE, st.integers(2, 4))
@settings(max_examples=25)
def test_in_a_k_anonymous_release_at_least_k_rows_fit(people, k):
    table = as_table(people)
    tool = KAnonymizer(k, quasi_identifiers=["age", "town"], sensitive="ill")
    release = tool.fit_transform(table)
    found = fitting_rows(release, table, ["age", "town"], "ill")
    assert found.own_fits[table.index.isin(release.index)].all()
    assert (found.rows[found.own_fits] >= k).all()


def test_strangers_fit_without_a_row_of_their_own():
    table = as_table([(20, "x", "no"), (20, "x", "yes"), (30, "y", "no")])
    found = fitting_rows(
        table, table[["age", "town"]].iloc[[0, 2]], ["age", "town"], "ill", own=[99, 1]
    )
    assert found.counts.tolist() == [[1, 1], [1, 0]]
    assert found.own_fits.tolist() == [False, False]  # nobody's row; a row that does not fit


def test_a_missing_secret_tells_nothing():
    table = as_table([(20, "x", None), (20, "x", "yes")])
    assert fitting_rows(table, table, ["age"], "ill").counts.tolist() == [[1], [1]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"on": ["agee"]}, "agee"),
        ({"on": []}, "on is empty"),
        ({"sensitive": "il"}, "il"),
        ({"own": [1]}, "own has 1 labels for 3 targets"),
        ({"release": as_table([(1, "x", "no")] * 2).set_axis([0, 0])}, "names a row twice"),
    ],
    ids=str,
)
def test_bad_input_is_named(change, words):
    table = as_table([(20, "x", "no"), (21, "y", "yes"), (22, "z", "no")])
    given_ = {"release": table, "targets": table, "on": ["age"], "sensitive": "ill", **change}
    with pytest.raises(PrivacyError, match=words):
        fitting_rows(**given_)


def test_counts_are_whole_numbers():
    table = as_table([(20, "x", "no")] * 5_000)
    found = fitting_rows(table, table.head(3), ["age"], "ill")
    assert found.counts.dtype == np.int64
    assert found.counts.tolist() == [[5_000]] * 3
