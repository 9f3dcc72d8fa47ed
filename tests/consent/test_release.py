"""What leaves the gate, searched for anything of what stayed behind."""

import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.consent import ConsentError, ConsentLedger, Enforcement

NOW = pd.Timestamp("2026-01-12")
ME = 7


@pytest.fixture(scope="module")
def gate():
    """Person 7 permits analytics, nobody else does."""
    with ConsentLedger(None, now=NOW) as ledger:
        said = {"person": ME, "purpose": "analytics", "action": "grant", "time": "2025-03-01"}
        ledger.record({**said, "notice_version": "1", "source": "banner", "regime": "gdpr"})
        yield Enforcement(ledger)


def as_is(values):
    return pd.Series(values, dtype=object)


KINDS = {
    "object": as_is,
    "string": lambda v: pd.Series(v, dtype="string"),
    "arrow": lambda v: pd.Series(v, dtype=pd.ArrowDtype(pa.string())),
    "dictionary": lambda v: pd.Series(
        pd.arrays.ArrowExtensionArray(pa.array(v).dictionary_encode())
    ),
    "category": lambda v: pd.Series(v, dtype="category"),
    "ordered": lambda v: pd.Series(pd.Categorical(v, sorted(set(v)), ordered=True)),
    "lists": lambda v: as_is([[{"said": text}] for text in v]),
    "arrays": lambda v: as_is([np.array([text, 1], dtype=object) for text in v]),
}


def everything(frame):
    """Return all that can be read off a table, in bytes."""
    parts = [frame.to_csv(), repr(frame), repr(frame.attrs), repr(frame.columns)]
    parts += [repr(frame.index.names), repr(list(frame.index))]
    for level in getattr(frame.index, "levels", [frame.index]):
        parts += [repr(list(level)), repr(list(getattr(level, "categories", [])))]
    for name in frame:
        parts += [repr(list(getattr(frame[name].array, "categories", []))), repr(frame[name].attrs)]
    texts = "\n".join(parts).encode()
    return texts + b"".join(pickle.dumps(frame, protocol=p) for p in (4, 5))


def random_table(rng, withheld):
    """Return a table whose withheld cells, and nothing else, hold texts with `withheld`."""
    n = int(rng.integers(2, 9))
    person = rng.choice([ME, 1, 2, 3], n)
    kinds = list(KINDS)

    def column(usable):
        return [
            f"open{rng.integers(3)}" if p == ME and usable else f"{withheld}{rng.integers(99)}"
            for p in person
        ]

    frame = {"customer_id": person}
    for name, usable in (("channel", True), ("visit", True), ("email", False), ("note", False)):
        frame[name] = KINDS[kinds[rng.integers(len(kinds))]](column(usable))
    frame = pd.DataFrame(frame)
    if rng.random() < 0.5:
        frame["customer_id"] = frame["customer_id"].astype("category")
    frame["diagnosed"] = pd.Timestamp("2025-12-01 03:33:33")
    frame.attrs = {"note": withheld}
    frame.columns.name = withheld
    frame.index.name = withheld
    labels = ["email", "device", "both", "named", "none"][rng.integers(5)]
    if labels == "email":
        frame = frame.set_index("email")
    elif labels == "device":  # a label the purpose may use
        frame = frame.set_index(pd.CategoricalIndex(column(True), name="device"))
    elif labels == "both":
        levels = [column(True), column(True)]
        frame = frame.set_index(pd.MultiIndex.from_arrays(levels, names=["device", "newbie"]))
    elif labels == "named":
        frame = frame.set_index(pd.Index(column(False)))
    return frame, labels, int((person == ME).sum())


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_nothing_withheld_is_in_anything_that_leaves(gate, seed):
    withheld = "Zx9secret"
    table, labels, mine = random_table(np.random.default_rng(seed), withheld)
    assert withheld.encode() in everything(table)  # else the search could not fail
    time = "diagnosed" if seed % 2 else None
    out = gate.read(table, "analytics", NOW, time=time)
    assert len(out) == mine
    assert withheld.encode() not in everything(out)
    assert not {"diagnosed", "email", "note"} & set(out.columns)
    assert set(out["customer_id"]) <= {ME}
    for name in ("channel", "visit"):  # and what may leave is all there
        assert repr(list(out[name])) == repr(list(table.loc[table["customer_id"] == ME, name]))
        assert out[name].dtype.kind == table[name].dtype.kind
    assert list(out.index.names) == {
        "device": ["device"],
        "both": ["device", "newbie"],
    }.get(labels, [None])
    held = gate.expire(table, NOW, time="diagnosed")
    gone = table.index[~np.isin(table["customer_id"], held["customer_id"])]
    assert not len(gone)  # fraud prevention holds what it needs, of everybody


def test_labels_that_may_not_leave_give_way_to_positions(gate):
    table = pd.DataFrame({"customer_id": [1, ME, ME], "history": 1.0, "email": ["a", "b", "c"]})
    assert gate.read(table.set_index("email"), "analytics", NOW).index.tolist() == [1, 2]
    assert "email" in gate.log["withheld"].iloc[-1]
    table.index = [30, 10, 20]
    assert gate.read(table, "analytics", NOW).index.tolist() == [10, 20]


def test_a_time_leaves_only_where_it_may_be_used(gate):
    table = pd.DataFrame(
        {"customer_id": ME, "history": 1.0, "recency": ["2025-12-01", "2024-01-01"]}
    )
    out = gate.read(
        table.rename(columns={"recency": "diagnosed"}), "analytics", NOW, time="diagnosed"
    )
    assert list(out.columns) == ["customer_id", "history"]
    assert len(out) == 1
    assert "recency" in gate.read(table, "analytics", NOW, time="recency")


@pytest.mark.parametrize(
    "cell",
    [pd.DataFrame({"a": [1]}), pd.Series([1]), [pd.Categorical(["x"])], {"a": object()}],
    ids=["table", "series", "list", "object"],
)
def test_cells_that_may_carry_others_are_refused(gate, cell):
    table = pd.DataFrame({"customer_id": [1, ME]})
    table["channel"] = as_is(["web", cell])
    with pytest.raises(ConsentError, match='Column "channel", row 1: holds a'):
        gate.read(table, "analytics", NOW)


def test_sparse_columns_bring_no_fill_value(gate):
    table = pd.DataFrame({"customer_id": [1, 1, ME]})
    table["history"] = pd.arrays.SparseArray([123_454_321, 123_454_321, 5], fill_value=123_454_321)
    out = gate.read(table, "analytics", NOW)
    assert out["history"].tolist() == [5]
    assert "123454321" not in repr(out["history"].dtype)


def test_names_of_several_levels_are_refused(gate):
    columns = pd.MultiIndex.from_tuples([("customer_id", ""), ("channel", "secret")])
    with pytest.raises(ConsentError, match="several levels"):
        gate.read(pd.DataFrame([[ME, "web"]], columns=columns), "analytics", NOW)


def test_retention_leaves_no_category_of_who_was_deleted(gate):
    table = pd.DataFrame(
        {
            "customer_id": [ME, 1],
            "channel": pd.Categorical(["web", "gone"]),
            "time": pd.to_datetime(["2025-12-01", "2020-01-01"]),
        }
    )
    kept = gate.expire(table, NOW, time="time")
    assert kept["channel"].cat.categories.tolist() == ["web"]
    assert list(kept.columns) == list(table.columns)
