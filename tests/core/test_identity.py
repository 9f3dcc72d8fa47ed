"""One key of a person: what is the same, what stays apart, what may not be guessed."""

import unicodedata
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from ethicalai_lab.core.identity import locate_people, person_keys, same_person
from ethicalai_lab.errors import InputError

NFC, NFD = (unicodedata.normalize(form, "zoë@example.org") for form in ("NFC", "NFD"))


def refused(call, *args, **options):
    with pytest.raises(InputError) as caught:
        call(*args, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    "column",
    [
        [7, 12], ["7", "12"], [7.0, 12.0], np.array([7, 12], dtype=np.uint8), np.array([7.0, 12.0]),
        pd.Series([7, 12], dtype="Int64"), pd.Series([7, 12], dtype="int64[pyarrow]"),
        pd.Series(["7", "12"], dtype="string"), pd.Series(["7", "12"], dtype="category"),
        pd.Series([7, 12], dtype="category"), pd.Index([7, 12]), [np.int16(7), Decimal(12)],
    ],
)  # fmt: skip
def test_a_number_is_one_person_however_it_is_stored(column):
    keys = person_keys(column, "id")
    assert keys.tolist() == ["7", "12"]
    assert {type(key) for key in keys} == {str}
    assert same_person(column, 7, "id").tolist() == [True, False]


def test_ids_read_beside_a_gap_keep_their_keys():
    whole = pd.Series([1, 2, 900_719_925_474_099])
    gapped = pd.concat([whole, pd.Series([np.nan])])
    assert gapped.dtype == float
    assert person_keys(gapped, "id", missing=True).tolist()[:3] == person_keys(whole, "id").tolist()


def test_accents_are_one_text_however_encoded():
    assert NFC != NFD
    assert person_keys([NFD, NFC], "mail").tolist() == [NFC, NFC]
    assert same_person([NFD, NFC], NFD, "mail").all()


def test_labels_stay_labels():
    labels = ["007", "7", "7.0", "+7", " 7", "1e3", "Ada", "ada"]
    assert person_keys(labels, "id").tolist() == labels
    assert person_keys([12345678901234500001, 12345678901234500002], "id").tolist() == [
        "12345678901234500001", "12345678901234500002",
    ]  # fmt: skip
    one = uuid.UUID(int=5)
    assert person_keys([one], "id").tolist() == [str(one)]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (True, "true or false"), (np.True_, "true or false"), (7.5, "not a whole number"),
        (float("inf"), "not a whole number"), (2.0**53, "last digits"), (b"7", "bytes"),
        (None, "gap"), (float("nan"), "gap"), (pd.NA, "gap"), ("", "gap"), ("  ", "gap"),
        (pd.Timestamp("2025-01-01"), "Timestamp"), ([7], "list"), (Decimal("7.5"), "not a whole"),
    ],
)  # fmt: skip
def test_what_is_no_identifier_is_refused_by_row(value, why):
    column = np.empty(2, dtype=object)
    column[:] = ["7", value]
    said = refused(person_keys, column, "id")
    assert said.startswith("row 1: id is ")
    assert why in said
    assert refused(person_keys, column, "id", where=lambda r: f"line {r}").startswith("line 1:")


def test_gaps_may_be_allowed():
    assert person_keys([7, None, "", np.nan], "id", missing=True).tolist() == [
        "7",
        None,
        None,
        None,
    ]
    assert same_person([None, 7], 7, "id").tolist() == [False, True]


def test_a_bool_column_and_a_table_are_refused():
    assert "true or false" in refused(person_keys, pd.Series([True, False]), "id")
    assert "one column" in refused(person_keys, pd.DataFrame({"a": [1]}), "id")


@pytest.mark.parametrize("lookalike", ["0007", "7.0", "07", " 7"])
def test_a_lookalike_of_a_number_is_no_quiet_nobody(lookalike):
    assert repr(lookalike) in refused(same_person, ["8", lookalike], 7, "id")
    assert repr(lookalike) in refused(same_person, ["7", lookalike], 7, "id")
    assert repr(lookalike) in refused(same_person, [8, lookalike], "7", "id")
    # as labels, both asked for by name, they are two people
    assert same_person(["7", lookalike], "7", "id").tolist() == [True, False]
    assert same_person(["7", lookalike], lookalike, "id").tolist() == [False, True]


def test_a_padded_text_asked_of_numbers_is_refused():
    assert "7" in refused(same_person, np.array([7, 8]), "0007", "id")
    assert "Ada@example.org" in refused(same_person, ["Ada@example.org"], "ada@example.org", "m")


def test_nobody_is_nobody():
    assert not same_person(np.array([1, 2]), 3, "id").any()
    assert not same_person([], 3, "id").any()
    assert not same_person(["10", "100"], 1, "id").any()


def test_one_person_at_a_time():
    for person in ([7, 8], [7], None, True, 7.5):
        refused(same_person, [7, 8], person, "id")


def test_people_are_located_by_key():
    assert locate_people(["2", 1.0, None, "x"], [1, 2, 3], "id").tolist() == [1, 0, -1, -1]
    assert locate_people(np.array([5, 6]), np.array([6, 5]), "id").tolist() == [1, 0]
    assert locate_people([NFD], [NFC], "id").tolist() == [0]
    assert locate_people([], [1], "id").tolist() == []
    # a label beside the person is another's; instead of the person it may be theirs
    assert locate_people(["7", "007"], ["7"], "id").tolist() == [0, -1]
    assert "row 1" in refused(locate_people, ["8", "007"], ["7"], "id")
    assert "twice" in refused(locate_people, [1], [1, "1"], "id")
