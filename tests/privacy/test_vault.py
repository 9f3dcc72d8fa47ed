"""The vault: what is sealed stays sealed, what is erased is gone, and nothing is lost."""

import base64
import json

import numpy as np
import pandas as pd
import pytest

from ethicalai_lab.privacy import vault as vt
from ethicalai_lab.privacy.vault import Vault, VaultError, breach, new_master_key

SECRET = "ada.lovelace@example.org"


@pytest.fixture
def key():
    return new_master_key()


@pytest.fixture
def vault(tmp_path, key):
    made = Vault.create(tmp_path / "v", key)
    table = pd.DataFrame(
        {
            "customer_id": [1, 2, 3],
            "email": [SECRET, "bob@example.org", "cyd@example.org"],
            "age": [36, 41, np.nan],
            "born": pd.to_datetime(["1990-01-02", None, "1985-05-05"]),
        }
    )
    made.put_table(table, "customer_id")
    return made


def files(vault):
    return {n: (vault.folder / n).read_bytes() for n in ("vault.data", "vault.keys")}


def reopened(vault, key):
    vault.close()
    return Vault.open(vault.folder, key)


def test_round_trip_through_the_files(vault, key):
    again = reopened(vault, key)
    assert again.get(1, "email") == SECRET
    assert again.get(1, "age") == 36
    assert again.get(3, "age") is None
    assert again.get(1, "born") == "1990-01-02T00:00:00"
    assert again.get(2, "born") is None
    assert again.verify().empty


def test_files_hold_no_plain_text_and_no_key(vault, key):
    for content in files(vault).values():
        for secret in (SECRET.encode(), b"bob", b'"1"', key, base64.b64encode(key)):
            assert secret not in content


def test_same_value_never_looks_the_same(vault):
    vault.put(1, {"note": "x"})
    vault.put(2, {"note": "x"})
    cells = [c["note"] for c in vault._cells.values() if "note" in c]
    assert len(set(cells)) == 2


def test_erasing_makes_unreadable_and_leaves_the_others(vault, key):
    who = vault._token(1)
    wrapped = base64.b64encode(vault._keys[who])
    assert wrapped in files(vault)["vault.keys"]
    data_before = files(vault)["vault.data"]
    vault.erase(1)
    after = files(vault)
    assert wrapped not in after["vault.keys"]
    assert after["vault.data"] == data_before  # the cells are there, and useless
    again = reopened(vault, key)
    with pytest.raises(vt.ErasedError, match="person 1"):
        again.get(1, "email")
    assert again.get(2, "email") == "bob@example.org"
    assert not again.has(1)
    assert breach(vault.folder, ["data", "keys", "master"], key)["people_read"] == 2
    with pytest.raises(vt.ErasedError):
        again.erase(1)
    assert again.purge() == 1
    assert who.encode() not in files(again)["vault.data"]
    assert again.get(3, "email") == "cyd@example.org"


def test_an_erased_person_who_returns_gets_a_new_key(vault, key):
    vault.erase(1)
    vault.put(1, {"email": "new@example.org"})
    assert vault.get(1, "email") == "new@example.org"
    with pytest.raises(VaultError, match="no column 'age'"):
        reopened(vault, key).get(1, "age")


def test_an_old_copy_of_the_key_file_undoes_erasure(vault, key, tmp_path):
    backup = tmp_path / "old.keys"
    backup.write_bytes(files(vault)["vault.keys"])
    vault.erase(1)
    parts = ["data", "keys", "master"]
    assert SECRET not in str(breach(vault.folder, parts, key))
    assert SECRET in str(breach(vault.folder, parts, key, keys_backup=backup))


def test_rotation_touches_no_data(vault, key):
    fresh = new_master_key()
    before = files(vault)
    vault.rotate(fresh)
    after = files(vault)
    assert after["vault.data"] == before["vault.data"]
    assert after["vault.keys"] != before["vault.keys"]
    vault = reopened(vault, fresh)
    assert vault.get(1, "email") == SECRET
    assert vault.get(2, "email") == "bob@example.org"
    vault.put(4, {"email": "dee@example.org"})
    with pytest.raises(VaultError, match="master key does not open"):
        reopened(vault, key)
    assert Vault.open(vault.folder, fresh).get(4, "email") == "dee@example.org"


@pytest.mark.parametrize(
    ("parts", "seen", "read"),
    [
        ([], 0, 0),
        (["data"], 9, 0),
        (["keys"], 0, 0),
        (["master"], 0, 0),
        (["data", "keys"], 9, 0),
        (["data", "master"], 9, 0),
        (["keys", "master"], 0, 0),
        (["data", "keys", "master"], 9, 9),
    ],
)
def test_what_a_thief_of_each_part_learns(vault, key, parts, seen, read):
    got = breach(vault.folder, parts, key)
    assert (got["cells_seen"], got["cells_read"]) == (seen, read)
    assert got["columns_seen"] == (["age", "born", "email"] if seen else [])


def rows_of(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def write_rows(path, rows):
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")


def test_a_flipped_byte_is_found_where_it_is(vault, key):
    path = vault.folder / "vault.data"
    rows = rows_of(path)
    who = vault._token(1)
    at = next(i for i, r in enumerate(rows) if isinstance(r, list) and r[:2] == [who, "email"])
    sealed = bytearray(base64.b64decode(rows[at][2]))
    again = vault
    for position in (0, 12, len(sealed) - 1):  # nonce, text, tag
        bad = bytearray(sealed)
        bad[position] ^= 1
        rows[at][2] = base64.b64encode(bad).decode()
        write_rows(path, rows)
        again = reopened(again, key)
        with pytest.raises(VaultError, match=r"person 1, column 'email': the bytes were altered"):
            again.get(1, "email")
        assert again.get(1, "age") == 36
        assert again.get(2, "email") == "bob@example.org"
        found = again.verify()[["part", "column"]].to_numpy().tolist()
        assert found == [["vault.data", ""], ["cell", "email"]]


def test_cells_cannot_be_swapped(vault, key):
    path = vault.folder / "vault.data"
    rows = rows_of(path)
    one, two = vault._token(1), vault._token(2)
    by = {tuple(r[:2]): r for r in rows if isinstance(r, list)}
    by[one, "age"][2], by[one, "email"][2] = by[one, "email"][2], by[one, "age"][2]
    by[two, "email"][2], by[one, "born"][2] = by[one, "born"][2], by[two, "email"][2]
    write_rows(path, rows)
    again = reopened(vault, key)
    for person, column in ((1, "age"), (1, "email"), (2, "email"), (1, "born")):
        with pytest.raises(VaultError, match="belong"):
            again.get(person, column)


def test_an_altered_wrapped_key_harms_one_person_only(vault, key):
    path = vault.folder / "vault.keys"
    rows = rows_of(path)
    sealed = bytearray(base64.b64decode(rows[1][1]))
    sealed[20] ^= 1
    rows[1][1] = base64.b64encode(sealed).decode()
    write_rows(path, rows)
    again = reopened(vault, key)
    with pytest.raises(VaultError, match="person 1: the wrapped key was altered"):
        again.get(1, "email")
    assert again.get(2, "email") == "bob@example.org"
    before = files(again)
    with pytest.raises(VaultError, match="altered"):
        again.rotate(new_master_key())
    assert files(again) == before


@pytest.mark.parametrize("name", ["vault.data", "vault.keys"])
def test_every_truncation_is_noticed(vault, key, name):
    vault.close()
    path = vault.folder / name
    whole = path.read_bytes()
    for cut in range(0, len(whole), 37):
        path.write_bytes(whole[:cut])
        with pytest.raises(VaultError, match=rf"{name}.*(cut short|altered)"):
            Vault.open(vault.folder, key)
        assert path.read_bytes() == whole[:cut]
    path.write_bytes(whole[:-1])
    with pytest.raises(VaultError):
        Vault.open(vault.folder, key)
    path.write_bytes(whole)
    assert reopened(vault, key).get(1, "email") == SECRET


@pytest.mark.parametrize("name", ["vault.data", "vault.keys"])
def test_a_missing_file_is_named(vault, key, name):
    vault.close()
    (vault.folder / name).unlink()
    with pytest.raises(VaultError, match=name):
        Vault.open(vault.folder, key)


def test_a_bad_value_stores_nothing(vault):
    before = files(vault)
    with pytest.raises(VaultError, match=r"person 7, column 'tags' is a set"):
        vault.put(7, {"email": "x", "tags": {1}})
    assert not vault.has(7)
    assert files(vault) == before


def test_refusals(vault, key, tmp_path):
    for make in (Vault.create, Vault.open):
        with pytest.raises(VaultError, match="open already, here or in another program"):
            make(vault.folder, key)
    (tmp_path / "old").mkdir()
    head = {"format": "ethicalai-lab vault keys", "version": 1}
    write_rows(tmp_path / "old" / "vault.keys", [head])
    with pytest.raises(VaultError, match="2 is accepted"):
        Vault.open(tmp_path / "old", key)
    with pytest.raises(VaultError, match="5 bytes"):
        Vault.create(tmp_path / "w", b"short")
    with pytest.raises(VaultError, match="no column 'nope'"):
        vault.get(1, "nope")
    with pytest.raises(VaultError, match="'safe' is no part"):
        breach(vault.folder, ["safe"])
    twice = pd.DataFrame({"id": [1, 1], "x": [1, 2]})
    with pytest.raises(VaultError, match="1 occurs twice"):
        vault.put_table(twice, "id")
    with pytest.raises(VaultError, match="row 1: column 'id' is nan, a gap"):
        vault.put_table(pd.DataFrame({"id": [1.0, np.nan], "x": [1, 2]}), "id")
    for nobody in (None, True, 1.5, [1, 2], b"7"):
        with pytest.raises(VaultError, match="whole number"):
            vault.get(nobody, "email")
    with pytest.raises(VaultError, match="no folder"):
        Vault.open(tmp_path / "none", key)
    vault.close()
    with pytest.raises(VaultError, match="exists already"):
        Vault.create(vault.folder, key)
    for act in (lambda: vault.get(1, "email"), lambda: vault.put(1, {}), vault.verify):
        with pytest.raises(VaultError, match="closed"):
            act()


def test_a_person_is_the_same_however_the_identifier_was_stored(vault, key):
    assert vault.get(1.0, "email") == vault.get("1", "email") == vault.get(np.int32(1), "email")
    assert not vault.has("01")
    vault.put("Zoe\u0308", {"email": "z"})
    again = reopened(vault, key)
    again.erase("Zo\u00eb")
    assert not again.has("Zoe\u0308")
    both = pd.DataFrame({"id": ["1", 1], "x": [1, 2]}, dtype=object)
    with pytest.raises(VaultError, match="1 occurs twice"):
        again.put_table(both, "id")
    table = pd.DataFrame({"id": [2, 3, None], "city": ["x", "y", "z"]}).dropna()
    again.put_table(table, "id")
    assert (again.get(2, "city"), again.get(2, "email")) == ("x", "bob@example.org")
