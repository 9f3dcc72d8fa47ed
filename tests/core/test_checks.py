"""An argument that does not fit is refused in one sentence that names it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator

from ethicalai_lab.core.checks import (
    Count,
    Flags,
    Inside,
    Numbers,
    Positive,
    Seed,
    Share,
    Shares,
    check_fields,
    check_value,
    checked,
    need_columns,
    same_length,
)
from ethicalai_lab.errors import InputError


class RoomError(InputError):
    """A room's own."""


@checked(RoomError)
def asked(
    share: Share,
    table: pd.DataFrame | None = None,
    *,
    n: Count = 1,
    side: Literal["left", "right"] = "left",
    loud: bool = False,
    limit: Positive | None = None,
    anything: Any = None,
    later: NotKnownHere = None,  # noqa: F821
) -> tuple:
    return share, n, side, loud, limit


def test_what_fits_passes_and_numpy_scalars_become_pythons():
    share, n, *_ = asked(np.float64(0.5), n=np.int64(3))
    assert (type(share), type(n)) == (float, int)
    assert asked(1, limit=None)[0] == 1
    asked(0, pd.DataFrame(), anything=object(), later="x")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"share": 1.5}, r"share is 1.5; a number from 0 to 1 is accepted"),
        ({"share": math.nan}, "share is nan"),
        ({"share": True}, "share is True"),
        ({"share": "0.5"}, "share is '0.5'"),
        ({"share": np.array([0.1, 0.2])}, "share is array"),
        ({"n": 0}, "n is 0; a whole number of at least 1 is accepted"),
        ({"n": 2.0}, "n is 2.0"),
        ({"n": True}, "n is True"),
        ({"side": "rigth"}, "'left' or 'right' is accepted. Did you mean \"right\"?"),
        ({"side": None}, "side is None"),
        ({"side": ["left"]}, r"side is \['left'\]"),
        ({"loud": 1}, "loud is 1; True or False is accepted"),
        ({"limit": 0}, "limit is 0; a number above 0 or None is accepted"),
        ({"table": [1]}, "table is a list; a DataFrame or None is accepted"),
        ({"share": "x" * 500}, r"x\.\.\.; "),
    ],
)
def test_what_does_not_fit_is_named(wrong, says):
    with pytest.raises(RoomError, match=says):
        asked(**{"share": 0.5, **wrong})


def test_a_missing_or_unknown_argument_is_pythons_own_error():
    with pytest.raises(TypeError, match="share"):
        asked()
    with pytest.raises(TypeError, match="shaer"):
        asked(0.5, shaer=1)


@given(st.floats())
def test_a_share_is_from_0_to_1_and_an_inside_number_leaves_out_the_ends(value):
    for kind, fits in ((Share, 0 <= value <= 1), (Inside, 0 < value < 1)):
        if fits:
            assert check_value(value, kind, "x") == value
        else:
            with pytest.raises(InputError, match="x is"):
                check_value(value, kind, "x")


@given(st.lists(st.floats(allow_infinity=True, allow_nan=True), max_size=8))
def test_a_column_holds_finite_numbers_or_its_first_wrong_row_is_named(values):
    wrong = [row for row, value in enumerate(values) if not math.isfinite(value)]
    if not wrong:
        np.testing.assert_array_equal(check_value(values, Numbers, "x"), np.array(values, float))
    else:
        with pytest.raises(InputError, match=f"in row {wrong[0]};"):
            check_value(pd.Series(values), Numbers, "x")


@pytest.mark.parametrize(
    ("kind", "values", "says"),
    [
        (Numbers, ["a"], "holds what is no number"),
        (Numbers, [[1.0]], "has 2 dimensions"),
        (Shares, [0.5, 1.5], "holds 1.5 in row 1; a column of numbers from 0 to 1"),
        (Flags, [0, 1, 2], "holds 2 in row 2; a column of 0 and 1"),
        (Flags, ["yes"], "neither 0 nor 1"),
        (Flags, [0, math.nan], "holds nan in row 1"),
        (Seed, -1, "a whole number from 0 to"),
    ],
)
def test_columns_that_do_not_fit(kind, values, says):
    with pytest.raises(InputError, match=says):
        check_value(values, kind, "x")


def test_flags_are_read_from_whatever_says_0_and_1():
    for values in ([0, 1], [False, True], np.array([0.0, 1.0]), pd.Series([0, 1], dtype="Int8")):
        assert check_value(values, Flags, "x").tolist() == [False, True]


def test_fields_of_a_dataclass_and_of_an_estimator_are_checked():
    @dataclass(frozen=True)
    class Offer:
        share: Share
        side: Literal["left"] = "left"

        def __post_init__(self):
            check_fields(self, RoomError)

    class Model(BaseEstimator):
        def __init__(self, *, folds: Count = 5):
            self.folds = folds

        def fit(self):
            check_fields(self, RoomError)

    Offer(0.3)
    with pytest.raises(RoomError, match="share is 3"):
        Offer(3)
    Model().fit()
    with pytest.raises(RoomError, match="folds is 0; a whole number of at least 1"):
        Model(folds=0).fit()


def test_lengths_and_columns():
    assert same_length(y=[1, 2], score=np.zeros(2), weight=None) == 2
    with pytest.raises(RoomError, match="score has 3 rows where y has 2"):
        same_length(RoomError, y=[1, 2], score=np.zeros(3))
    people = pd.DataFrame({"age": [1]})
    need_columns(people, ["age"], "people")
    with pytest.raises(RoomError, match='people has no column "name"; it has age'):
        need_columns(people, ["age", "name"], "people", RoomError)
    with pytest.raises(RoomError, match="people is a list"):
        need_columns([1], [], "people", RoomError)
