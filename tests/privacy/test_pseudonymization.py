"""Tokens separate what they should, weak hashes fall, and the vault of tokens lasts."""

import hashlib
import hmac
import json
import os
import stat
import unicodedata

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.core.files import Staged
from ethicalai_lab.privacy import PrivacyError
from ethicalai_lab.privacy import pseudonymization as ps

KEY = bytes(range(32))


def test_token_is_hmac_sha256_under_a_derived_key():
    tool = ps.Pseudonymizer(KEY, "analytics", bits=256)
    info = b'["ethicalai-lab", "token", "analytics", 1]\x01'
    subkey = hmac.new(KEY, info, hashlib.sha256).digest()
    want = hmac.new(subkey, b"ada@example.org", hashlib.sha256).digest()
    import base64

    text = tool.tokens(["ada@example.org"])[0].upper()
    assert base64.b32decode(text + "=" * (-len(text) % 8)) == want


def test_purposes_versions_and_keys_are_separate():
    people = [f"p{i}@example.org" for i in range(200)]
    base = ps.Pseudonymizer(KEY, "analytics")
    others = [
        ps.Pseudonymizer(KEY, "ads"),
        base.rotate(),
        ps.Pseudonymizer(KEY[::-1], "analytics"),
    ]
    seen = set(base.tokens(people))
    assert len(seen) == 200
    for other in others:
        assert not seen & set(other.tokens(people))
    assert base.rotate().version == 2
    assert KEY.hex() not in repr(base)


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=1, max_size=30))
def test_display_keeps_the_form(text):
    shown = ps.Pseudonymizer(KEY, "support").display([text])[0]
    assert len(shown) == len(text)
    for old, new in zip(text, shown, strict=True):
        assert old.isdecimal() == new.isdecimal()
        assert old.isalpha() == new.isalpha()
        if not old.isalnum():
            assert old == new or old.isnumeric()


def test_display_hides_and_repeats():
    tool = ps.Pseudonymizer(KEY, "support")
    phone = pd.Series(["+44 7700 900123"], index=[9])
    shown = tool.display(phone)
    assert shown.index.tolist() == [9]
    assert shown.iloc[0] != phone.iloc[0]
    assert shown.iloc[0] == tool.display(phone).iloc[0]
    assert shown.iloc[0].startswith("+")


def test_published_example_of_the_ftc():
    assert ps.hash_values(["123-456-7890"], algorithm="md5") == ["2813448ce6316cb70b38fa29c8c64130"]


@pytest.mark.parametrize("salt", [b"", b"in the open"])
def test_dictionary_attack_reverses_plain_and_openly_salted_hashes(salt):
    phones = [f"+44 7700 900{i:03d}" for i in range(0, 1000, 37)]
    hashes = ps.hash_values(phones, salt=salt)
    found = ps.dictionary_attack(hashes, ps.expand_pattern("+44 7700 900###"), salt=salt)
    assert found.hit_rate.value == 1.0
    assert found.hit_rate.low < 1.0
    assert [found.recovered[i] for i in range(len(phones))] == phones
    assert found.guesses == 1000
    assert found.guesses_per_second > 0


def test_salt_a_record_only_multiplies_the_work():
    phones = ["+44 7700 900500", "+44 7700 900999"]
    salts = [b"a", b"b"]
    found = ps.dictionary_attack(
        ps.hash_values(phones, salt=salts), ps.expand_pattern("+44 7700 900###"), salt=salts
    )
    assert found.hit_rate.value == 1.0
    assert found.guesses == 501 + 1000


def test_keyed_tokens_withstand_the_dictionary():
    phones = [f"+44 7700 900{i:03d}" for i in range(50)]
    tokens = ps.Pseudonymizer(ps.new_key(), "ads", bits=256).tokens(phones)
    import base64

    as_hex = [base64.b32decode(t.upper() + "=" * (-len(t) % 8)).hex() for t in tokens]
    found = ps.dictionary_attack(as_hex, ps.expand_pattern("+44 7700 900###"))
    assert found.hit_rate.value == 0.0
    assert found.hit_rate.high > 0.0


def test_a_dictionary_without_the_value_does_not_find_it():
    found = ps.dictionary_attack(ps.hash_values(["b", "x"]), ["a", "b", "c"])
    assert found.recovered == {0: "b"}
    assert found.hit_rate.value == 0.5


def test_partners_link_with_a_shared_key_only():
    people = pd.Series({i: f"p{i}@example.org" for i in range(300)})
    left, right = people.iloc[:200], people.iloc[100:]
    shared = [ps.Pseudonymizer(KEY, "ads").tokens(side) for side in (left, right)]
    joined = ps.link_partners(*shared)
    assert (joined.matched, joined.correct, joined.shared_people) == (100, 100, 100)
    assert joined.recall.value == joined.precision.value == 1.0
    apart = ps.link_partners(shared[0], ps.Pseudonymizer(ps.new_key(), "ads").tokens(right))
    assert (apart.matched, apart.recall.value) == (0, 0.0)
    plain = ps.link_partners(
        pd.Series(ps.hash_values(left), left.index), pd.Series(ps.hash_values(right), right.index)
    )
    assert plain.recall.value == 1.0


def test_token_vault_round_trip_and_forgetting(tmp_path):
    vault = ps.TokenVault()
    tokens = vault.tokenize(["Ada@example.org ", "bob@example.org", "ada@example.org"])
    assert tokens[0] == tokens[2] != tokens[1]
    path = tmp_path / "tokens.json"
    vault.save(path)
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = ps.TokenVault.load(path)
    assert again.detokenize(tokens[:2]) == ["ada@example.org", "bob@example.org"]
    assert again.forget(["ADA@example.org"]) == 1
    with pytest.raises(PrivacyError, match="number 0"):
        again.detokenize([tokens[0]])
    assert again.tokenize(["ada@example.org"]) != [tokens[0]]
    assert len(again) == 2
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(PrivacyError, match=r"tokens\.json is no whole"):
        ps.TokenVault.load(path)
    with pytest.raises(PrivacyError, match="no such"):
        ps.TokenVault.load(tmp_path / "none.json")


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "tokens.json"
    vault = ps.TokenVault()
    vault.tokenize(["a"])
    vault.save(path)
    before = path.read_bytes()
    vault.tokenize(["b"])

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(PrivacyError, match="disk full"):
        vault.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["tokens.json"]


NFC, NFD = "zo\u00eb@example.org", "zoe\u0308@example.org"


def test_ids_read_as_whole_numbers_and_after_a_gap_are_the_same_people():
    ids = pd.Series([7, 1001, 2**40])
    gap = pd.Series([7, None, 1001, 2**40]).dropna()
    assert gap.dtype == float
    tool = ps.Pseudonymizer(KEY, "analytics")
    want = tool.tokens(ids).tolist()
    for same in (gap, ids.astype("Int64"), ids.astype(str), ids.to_numpy(), iter(ids)):
        assert list(tool.tokens(same)) == want
    assert tool.display(gap).tolist() == tool.display(ids).tolist()
    assert tool.tokens(["007"]) != tool.tokens([7])
    vault = ps.TokenVault()
    assert vault.tokenize(ids) == vault.tokenize(gap)
    assert vault.forget([7.0]) == 1


def test_an_address_is_one_person_in_either_encoding():
    assert NFC != NFD
    tool, vault = ps.Pseudonymizer(KEY, "analytics"), ps.TokenVault()
    assert tool.tokens([NFC]) == tool.tokens([NFD]) == tool.tokens([f" {NFD.upper()}"])
    assert vault.tokenize([NFD]) == vault.tokenize([NFC])
    assert (vault.forget([NFC]), len(vault)) == (1, 0)


@given(st.text(min_size=1, max_size=12).filter(str.strip))
def test_normalized_is_what_normalizing_gives_again(text):
    once = ps.normalize([text])
    assert ps.normalize(once) == once
    for form in ("NFC", "NFD"):
        assert ps.normalize([unicodedata.normalize(form, text)]) == once


def test_what_was_forgotten_is_on_no_disk(tmp_path):
    path = tmp_path / "tokens.json"
    vault = ps.TokenVault()
    tokens = vault.tokenize(["ada@example.org", "bob@example.org"])
    vault.save(path)
    killed = Staged(path, path.read_bytes())
    killed.leave()  # as the system does
    assert len(os.listdir(tmp_path)) == 2
    vault = ps.TokenVault.load(path)
    assert os.listdir(tmp_path) == ["tokens.json"]
    stale = ps.TokenVault.load(path)
    assert vault.forget(["ada@example.org"]) == 1
    vault.save(path)
    for other in (stale, ps.TokenVault()):  # it would bring her back, or lose everybody
        with pytest.raises(PrivacyError, match="load it first"):
            other.save(path)
    content = path.read_bytes()
    assert b"ada@" not in content
    assert tokens[0].encode() not in content
    assert os.listdir(tmp_path) == ["tokens.json"]


def test_a_file_of_old_with_two_forms_of_a_person_forgets_both(tmp_path):
    path = tmp_path / "tokens.json"
    old = {"format": "ethicalai-lab token vault", "tokens": {"t1": NFC, "t2": NFD, "t3": "x"}}
    path.write_text(json.dumps(old), encoding="utf-8")
    vault = ps.TokenVault.load(path)
    assert vault.detokenize(["t1", "t2"]) == [NFC, NFC]
    assert vault.forget([NFD]) == 1
    for token in ("t1", "t2"):
        with pytest.raises(PrivacyError, match="number 0"):
            vault.detokenize([token])


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_a_token_vault_keeps_its_link_and_permissions(tmp_path):
    (tmp_path / "safe").mkdir()
    link = tmp_path / "link"
    link.symlink_to("safe/tokens.json")
    vault = ps.TokenVault()
    vault.save(link)
    (tmp_path / "safe" / "tokens.json").chmod(0o640)
    vault.tokenize(["a"])
    vault.save(link)
    assert link.is_symlink()
    assert stat.S_IMODE(link.stat().st_mode) == 0o640
    assert len(ps.TokenVault.load(link)) == 1


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: ps.Pseudonymizer(b"short", "ads"), "5 bytes"),
        (lambda: ps.Pseudonymizer("text", "ads"), "str"),
        (lambda: ps.Pseudonymizer(KEY, " "), "purpose"),
        (lambda: ps.Pseudonymizer(KEY, "ads", version=0), "version"),
        (lambda: ps.Pseudonymizer(KEY, "ads", bits=65), "bits"),
        (lambda: ps.Pseudonymizer(KEY, "ads").tokens(["a", None]), "number 1: .*gap"),
        (lambda: ps.Pseudonymizer(KEY, "ads").tokens([1.5]), "1.5, not a whole number"),
        (lambda: ps.Pseudonymizer(KEY, "ads").tokens([True]), "true or false"),
        (lambda: ps.Pseudonymizer(KEY, "ads").display([None]), "gap"),
        (lambda: ps.TokenVault().save(os.devnull), "no file"),
        (lambda: ps.TokenVault().save("no-such-folder/x"), "cannot be written"),
        (lambda: ps.hash_values(["a"], algorithm="rot13"), "'rot13'"),
        (lambda: ps.hash_values(["a"], salt=[b"1", b"2"]), "2 salts"),
        (lambda: ps.expand_pattern("none"), "'none'"),
        (lambda: ps.expand_pattern("#" * 12), "accepted"),
        (lambda: ps.dictionary_attack([], ["a"]), "at least one"),
        (lambda: ps.link_partners(pd.Series(["a", "b"], [1, 1]), pd.Series(["a"])), "twice"),
    ],
)
def test_refusals(call, word):
    with pytest.raises(PrivacyError, match=word):
        call()
