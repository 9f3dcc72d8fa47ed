"""Determinism, storage, schema, spans and the knobs' checks."""

import copy
import json
import os
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ethicalai_lab.world as public
from ethicalai_lab.errors import InputError
from ethicalai_lab.tables import ROLES
from ethicalai_lab.world import (
    SCHEMA,
    World,
    WorldConfig,
    WorldError,
    data_dictionary,
    make_world,
)
from ethicalai_lab.world import causal as causal_module
from ethicalai_lab.world.schema import TRUTH_SCHEMA
from ethicalai_lab.world.store import checksum, conform

configs = st.builds(
    WorldConfig,
    label_bias=st.floats(0, 1),
    proxy_strength=st.floats(0, 1),
    representation=st.floats(0.05, 1),
    effect_heterogeneity=st.floats(0, 1),
    privacy_concern=st.floats(0, 1),
    register_coverage=st.floats(0, 1),
    consent_default=st.sampled_from(["unticked", "nudged", "pre_ticked"]),
    regime_mix=st.sampled_from([(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.5, 0.2, 0.3)]),
)


def assert_same_world(one, two):
    for a, b in ((one.tables, two.tables), (one.truth.tables, two.truth.tables)):
        assert list(a) == list(b)
        for name in a:
            pd.testing.assert_frame_equal(a[name], b[name])


def test_public_face_has_all_its_names():
    for name in public.__all__:
        assert getattr(public, name) is not None
    assert set(dir(public)) >= set(public.__all__)


def test_same_seed_same_bytes_other_seed_other_bytes():
    one, two, other = make_world(700, seed=1), make_world(700, seed=1), make_world(700, seed=2)
    assert_same_world(one, two)
    assert one.checksums() == two.checksums()
    first, second = one.checksums(), other.checksums()
    equal = {name for name in first if first[name] == second[name]}
    assert equal == {"products"}  # the range of goods is the same in each world


def test_a_further_mechanism_changes_no_other(monkeypatch):
    before = make_world(500, seed=3).checksums()
    mechanisms = dict(causal_module.load_mechanisms())
    extra = causal_module.Mechanism("extra", lambda rng, n: rng.random(n), (), "latent", "Extra")
    # drawn first of all, it must take nothing from the others' streams
    monkeypatch.setattr(causal_module, "load_mechanisms", lambda: {"extra": extra, **mechanisms})
    assert make_world(500, seed=3).checksums() == before
    # and one that nobody depends on can go without a trace in the others
    order = list(mechanisms)
    dropped = {k: v for k, v in mechanisms.items() if k != "messages"}
    monkeypatch.setattr(causal_module, "load_mechanisms", lambda: dropped)
    values = causal_module.run(500, 3, WorldConfig())
    monkeypatch.setattr(causal_module, "load_mechanisms", lambda: mechanisms)
    full = causal_module.run(500, 3, WorldConfig())
    assert set(order) - set(values) == {"messages"}
    assert np.array_equal(values["preferences"]["said"], full["preferences"]["said"])
    assert np.array_equal(values["register_entries"]["person"], full["register_entries"]["person"])


@settings(max_examples=25)
@given(n=st.integers(1, 120), seed=st.integers(0, 2**32), config=configs)
def test_any_knobs_make_a_world_that_fits_its_schema(n, seed, config):
    world = make_world(n, seed=seed, config=config)
    for tables, schema in ((world.tables, SCHEMA), (world.truth.tables, TRUTH_SCHEMA)):
        assert list(tables) == [name for name in schema if name in tables]
        assert set(tables) == set(schema)
        for name, table in tables.items():
            assert list(table.columns) == [column.name for column in schema[name]]
            # nothing to convert, nothing out of range, nothing missing that must not be
            pd.testing.assert_frame_equal(conform(table, schema[name], name), table)
    assert len(world.customers) == len(world.campaign) == n
    assert (world.customers["customer_id"] == np.arange(1, n + 1)).all()
    spend = world.campaign["spend"]
    assert ((spend > 0) == (world.campaign["conversion"] == 1)).all()
    assert (world.campaign["conversion"] <= world.campaign["visit"]).all()
    known = set(world.customers["customer_id"])
    for name in ("events", "messages", "consent_events", "preferences", "legacy_log"):
        assert set(world.tables[name]["customer_id"]) <= known
    uplift = world.truth.uplift
    for arm in ("sports_mail", "fashion_mail"):
        lift = world.truth.potential_outcomes
        difference = lift[f"p_visit_{arm}"] - lift["p_visit_no_mail"]
        assert np.allclose(uplift[f"visit_{arm}"], difference, atol=2e-6)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers(1, 60), seed=st.integers(0, 99), config=configs)
def test_parquet_round_trip(tmp_path, n, seed, config):
    world = make_world(n, seed=seed, config=config)
    world.to_parquet(tmp_path / "world")
    back = World.from_parquet(tmp_path / "world")
    assert_same_world(world, back)
    assert back.config == config
    assert back.seed == seed
    assert back.checksums() == world.checksums()
    assert [path.name for path in tmp_path.iterdir()] == ["world"]


def test_storing_replaces_a_world_but_nothing_else(tmp_path, small_world):
    folder = tmp_path / "deep" / "world"
    make_world(50, seed=1).to_parquet(folder)
    make_world(40, seed=2).to_parquet(folder)
    assert World.from_parquet(folder).n_customers == 40
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.txt").write_text("precious", encoding="utf-8")
    with pytest.raises(WorldError, match="is no stored world"):
        small_world.to_parquet(other)
    assert (other / "thesis.txt").read_text(encoding="utf-8") == "precious"
    single = tmp_path / "file"
    single.write_text("x", encoding="utf-8")
    with pytest.raises(WorldError, match="is no stored world"):
        small_world.to_parquet(single)


def test_an_interrupted_store_leaves_the_old_world(tmp_path, monkeypatch):
    folder = tmp_path / "world"
    make_world(50, seed=1).to_parquet(folder)
    from ethicalai_lab.world import store

    original, calls = store.pq.write_table, []

    def full_disk(*arguments, **options):
        calls.append(1)
        if len(calls) == 5:
            raise OSError(28, "No space left on device")
        return original(*arguments, **options)

    monkeypatch.setattr(store.pq, "write_table", full_disk)
    with pytest.raises(WorldError, match="No space left on device"):
        make_world(60, seed=2).to_parquet(folder)
    monkeypatch.undo()
    assert World.from_parquet(folder).n_customers == 50
    assert [path.name for path in tmp_path.iterdir()] == ["world"]

    # the same when the last step fails: the old folder is put back
    replace, moves = os.replace, []

    def no_swap(source, target):
        moves.append(1)
        if len(moves) == 2:
            raise OSError(13, "Permission denied")
        return replace(source, target)

    monkeypatch.setattr(store.os, "replace", no_swap)
    with pytest.raises(WorldError, match="Permission denied"):
        make_world(60, seed=2).to_parquet(folder)
    monkeypatch.undo()
    assert World.from_parquet(folder).n_customers == 50
    assert [path.name for path in tmp_path.iterdir()] == ["world"]


def test_damaged_stores_say_what_is_wrong(tmp_path):
    folder = tmp_path / "world"

    def fresh():
        make_world(300, seed=1).to_parquet(folder)

    fresh()
    path = folder / "campaign.parquet"
    data = bytearray(path.read_bytes())
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(WorldError, match=r"campaign\.parquet cannot be read"):
        World.from_parquet(folder)
    data[len(data) // 3] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(WorldError, match="campaign"):
        World.from_parquet(folder)
    path.unlink()
    with pytest.raises(WorldError, match=r"lacks the file campaign\.parquet"):
        World.from_parquet(folder)
    fresh()
    (folder / "world.json").write_text("{", encoding="utf-8")
    with pytest.raises(WorldError, match="damaged"):
        World.from_parquet(folder)
    about = {"format": 99, "seed": 1, "config": None, "tables": [], "truth": []}
    (folder / "world.json").write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(WorldError, match="format 99"):
        World.from_parquet(folder)
    with pytest.raises(WorldError, match="no stored world"):
        World.from_parquet(tmp_path / "nowhere")


def test_own_tables(small_world):
    own = World.from_tables(
        {"customers": small_world.customers.astype({"age": float, "gender": object})},
        campaign=small_world.campaign.assign(extra=1),
    )
    pd.testing.assert_frame_equal(own.customers, small_world.customers)
    assert own.campaign["extra"].eq(1).all()
    assert own.roles["campaign"]["arm"] == "treatment"
    assert set(own.data_dictionary()["table"]) == {"customers", "campaign"}
    with pytest.raises(WorldError, match="has no table events"):
        own.events  # noqa: B018
    with pytest.raises(WorldError, match="has no table uplift"):
        own.truth.uplift  # noqa: B018
    with pytest.raises(AttributeError, match="nonsense"):
        own.nonsense  # noqa: B018


def _broken(frame, column, row, value):
    frame = frame.copy()
    frame[column] = frame[column].astype(object)
    frame.loc[row, column] = value
    return frame


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.drop(columns="arm"), "campaign lacks column arm"),
        (lambda c: _broken(c, "arm", 4, "tv_ad"), "arm, row 5: 'tv_ad' is not accepted.*no_mail"),
        (lambda c: _broken(c, "visit", 2, 7), "visit, row 3: 7 is not accepted; wanted: 0 or 1"),
        (lambda c: _broken(c, "recency", 0, 13), "recency, row 1: 13 .*from 1 to 12"),
        (lambda c: _broken(c, "recency", 0, 1.5), "recency, row 1: 1.5 .*whole numbers"),
        (lambda c: _broken(c, "history", 9, "lots"), "history, row 10: 'lots' .*numbers"),
        (lambda c: _broken(c, "spend", 1, None), "spend, row 2: a missing value"),
        (
            lambda c: _broken(c, "spend", 1, float("inf")),
            "spend, row 2: inf is not accepted; wanted: numbers from 0",
        ),
        (lambda c: pd.concat([c, c.iloc[:1]]), "customer 1 stands twice"),
        (lambda c: pd.concat([c, c[["arm"]]], axis=1), "has column arm twice"),
        (lambda c: c.to_dict(), "must be a pandas DataFrame, not dict"),
    ],
)
def test_bad_tables_name_column_and_row(small_world, change, message):
    with pytest.raises(WorldError, match=message) as caught:
        World.from_tables(campaign=change(small_world.campaign))
    assert isinstance(caught.value, InputError)
    assert "\n" not in str(caught.value)


def test_tables_must_fit_each_other(small_world):
    with pytest.raises(WorldError, match="is not in table customers"):
        World.from_tables(customers=small_world.customers.head(10), campaign=small_world.campaign)
    with pytest.raises(WorldError, match="no table shoppers"):
        World.from_tables(shoppers=small_world.customers)
    with pytest.raises(WorldError, match="at least one table"):
        World.from_tables()
    with pytest.raises(WorldError, match="given twice"):
        World.from_tables({"campaign": small_world.campaign}, campaign=small_world.campaign)
    times = small_world.events.astype({"time": object})
    times.loc[3, "time"] = "yesterday-ish"
    with pytest.raises(WorldError, match="column time, row 4: time is 'yesterday-ish'"):
        World.from_tables(events=times)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"label_bias": -0.1}, "label_bias is -0.1; a number from 0 to 1"),
        ({"label_bias": "high"}, "label_bias is .*; a number from 0 to 1"),
        ({"label_bias": True}, "label_bias is .*; a number from 0 to 1"),
        ({"proxy_strength": float("nan")}, "proxy_strength is nan; a number"),
        ({"representation": 0}, "representation is 0; a number from 0.05 to 1"),
        ({"effect_heterogeneity": 1.01}, "effect_heterogeneity is 1.01; a number"),
        ({"privacy_concern": None}, "privacy_concern is None; a number"),
        ({"register_coverage": 2}, "register_coverage is 2; a number"),
        ({"consent_default": "opt-in"}, "consent_default is 'opt-in'; 'unticked' or"),
        ({"regime_mix": (0.5, 0.6, 0.2)}, "regime_mix is .*; three shares"),
        ({"regime_mix": (0.5, 0.5)}, "regime_mix is .*; three shares"),
        ({"regime_mix": 1}, "regime_mix is .*; three shares"),
        ({"regime_mix": (1.5, -0.5, 0)}, "regime_mix is .*; three shares"),
    ],
)
def test_knobs_are_checked(knobs, message):
    with pytest.raises(WorldError, match=message):
        WorldConfig(**knobs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_customers": 0}, "n_customers is 0; a whole number from 1 to 5,000,000"),
        ({"n_customers": 10.5}, "n_customers is .*; a whole number from 1"),
        ({"n_customers": True}, "n_customers is .*; a whole number from 1"),
        ({"n_customers": 10**9}, "n_customers is .*; a whole number from 1"),
        ({"n_customers": 10, "seed": -1}, "seed is .*; a whole number of at least 0"),
        ({"n_customers": 10, "seed": "seven"}, "seed is .*; a whole number of at least 0"),
        (
            {"n_customers": 10, "config": {"label_bias": 1}},
            "config must be a WorldConfig, not dict",
        ),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(WorldError, match=message):
        make_world(**arguments)


def test_roles_cover_every_column(small_world):
    for name, table in small_world.tables.items():
        assert set(small_world.roles[name]) == set(table.columns)
        assert set(small_world.roles[name].values()) <= set(ROLES)
    every = data_dictionary(truth=True)
    assert set(every["role"]) <= set(ROLES)
    assert every["description"].str.len().min() > 3
    assert not every.duplicated(["table", "column"]).any()
    columns = sum(len(c) for c in SCHEMA.values()) + sum(len(c) for c in TRUTH_SCHEMA.values())
    assert len(every) == columns
    # each role of a team's roles file occurs in the world, so that lessons can show it
    assert set(ROLES) == set(data_dictionary()["role"])


def test_spans_are_exact(mid_world):
    people = mid_world.customers.set_index("customer_id")
    shapes = {
        "email": r"[a-z]+\.[a-z]+\d+@example\.(com|org|net)",
        "phone": r"\+44 7700 900\d{3}|\+1 \d{3} 555 01\d\d",
        "card": r"\d{4}([ -]?)\d{4}\1\d{4}\1\d{4}",
        "iban": r"DE\d\d( ?\d){18}",
        "name": r"[^\W\d]+( [A-Z][a-z]+)?",
    }
    found = dict.fromkeys(shapes, 0)
    for row in mid_world.messages.itertuples():
        spans = json.loads(row.spans)
        last = 0
        for span in spans:
            assert set(span) == {"start", "end", "kind"}
            value = row.text[span["start"] : span["end"]]
            assert re.fullmatch(shapes[span["kind"]], value), (row.text, span)
            assert span["start"] >= last
            last = span["end"]
            found[span["kind"]] += 1
            if span["kind"] in ("email", "phone"):
                assert value == people.loc[row.customer_id, span["kind"]]
            if span["kind"] == "card":
                digits = [int(d) for d in re.sub(r"\D", "", value)]
                odd, even = digits[-1::-2], digits[-2::-2]
                assert (sum(odd) + sum(sum(divmod(2 * d, 10)) for d in even)) % 10 == 0
            if span["kind"] == "iban":
                plain = value.replace(" ", "")
                assert int(plain[4:] + "1314" + plain[2:4]) % 97 == 1
                assert plain[4:12] == "00000000"
        # nothing of these shapes stands outside a span
        rest = row.text
        for span in reversed(spans):
            rest = rest[: span["start"]] + " " + rest[span["end"] :]
        assert "@" not in rest
        assert not re.search(r"\d{4}", rest)
        assert people.loc[row.customer_id, "full_name"] not in rest
    assert min(found.values()) > 50


def test_strings_are_plainly_synthetic(mid_world):
    people = mid_world.customers
    assert people["email"].is_unique
    assert people["email"].str.fullmatch(r"[a-z]+\.[a-z]+\d+@example\.(com|org|net)").all()
    reserved = r"\+44 7700 900\d{3}|\+1 \d{3} 555 01\d\d"
    assert people["phone"].str.fullmatch(reserved).all()
    assert people["postcode"].str.fullmatch(r"\d{5}").all()
    assert people["full_name"].nunique() > 5_000


def test_the_world_looks_like_one(mid_world):
    history = mid_world.campaign["history"]
    assert history.mean() > 1.3 * history.median()  # long-tailed
    assert history.max() > 8 * history.mean()
    recency = mid_world.campaign["recency"].value_counts(normalize=True)
    assert set(recency.index) == set(range(1, 13))
    assert recency.max() < 0.3
    income = mid_world.customers["household_income"]
    assert 1.05 < income.mean() / income.median() < 1.6
    assert income.quantile(0.999) > 4 * income.median()
    events = mid_world.events
    by_month = events.loc[events["kind"] == "purchase", "time"].dt.month.value_counts()
    assert by_month.idxmax() == 12


def test_world_copies_and_shows(small_world):
    assert_same_world(pickle.loads(pickle.dumps(small_world)), small_world)
    assert_same_world(copy.deepcopy(small_world), small_world)
    shown = small_world._repr_html_()
    assert "2,000" in shown
    assert "<script" not in shown
    assert all(name in shown for name in small_world.tables)
    odd = World.from_tables(campaign=small_world.campaign.assign(**{"<b>": 1}))
    assert "<b>" not in odd._repr_html_()
    assert "campaign" in dir(small_world)
    assert "uplift" in dir(small_world.truth)


def test_unknown_journey_outcome(small_world):
    with pytest.raises(WorldError, match=r"outcome is .joy.; .visit. or"):
        small_world.truth.journey("joy")


def test_checksum_sees_each_kind_of_change(small_world):
    table = small_world.preferences
    base = checksum(table)
    assert checksum(table.copy()) == base
    assert checksum(table.assign(answer=table["answer"].fillna("x"))) != base
    assert checksum(table.rename(columns={"answer": "said"})) != base
    assert checksum(table.iloc[::-1]) != base
    later = table.assign(time=table["time"] + pd.Timedelta(microseconds=1))
    assert checksum(later) != base
    renamed = table.assign(question=table["question"].cat.rename_categories({"shops_for": "z"}))
    assert checksum(renamed) != base


def test_a_part_of_a_world_holds_what_is_of_its_customers(small_world):
    some = small_world.customers["customer_id"].to_numpy()[::3]
    part = small_world.part(some[::-1])
    assert part.customers["customer_id"].tolist() == some.tolist()
    whole = {**small_world.tables, **small_world.truth.tables}
    for name, table in {**part.tables, **part.truth.tables}.items():
        if "customer_id" not in table:
            pd.testing.assert_frame_equal(table, whole[name])
        elif name != "identity":
            kept = whole[name][whole[name]["customer_id"].isin(some)]
            pd.testing.assert_frame_equal(table, kept.reset_index(drop=True))
    # the public register stays whole; who is no longer a customer is nobody's entry
    before, after = small_world.truth.identity, part.truth.identity
    kept = before["customer_id"].isin(some)
    assert after["register_id"].equals(before["register_id"])
    assert (after["customer_id"][kept] == before["customer_id"][kept]).all()
    assert (after["customer_id"][~kept] == -1).all()
    World.from_tables(part.tables, truth=part.truth.tables)  # it still fits the schema
    with pytest.raises(WorldError, match="There is no customer 999999"):
        small_world.part([1, 999_999])
