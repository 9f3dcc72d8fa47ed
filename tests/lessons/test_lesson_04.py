"""What lesson 04 says in words, held to the world that it is said about."""

import itertools

import pandas as pd
import pytest

from ethicalai_lab.lessons import lesson
from ethicalai_lab.lessons.lesson import course_world
from ethicalai_lab.privacy.errors import PrivacyError
from ethicalai_lab.privacy.pseudonymization import (
    Pseudonymizer,
    dictionary_attack,
    expand_pattern,
    hash_values,
    rotation_bill,
)

EX = lesson("04")


@pytest.fixture(scope="module")
def world():
    return course_world()


@pytest.fixture(scope="module")
def purchases(world):
    return world.events[world.events["kind"] == "purchase"]


def test_her_hash_is_turned_back_and_nobody_elses(world):
    broker = EX.known["broker"]
    her = EX.known["neighbour"]
    found = dictionary_attack(hash_values(broker["email"]), EX.known["guesses"])
    assert list(found.recovered.values()) == [her["email"]]
    assert broker.index[next(iter(found.recovered))] == her.name
    assert her["email"].startswith(".".join(her["full_name"].lower().split()))


def test_all_numbers_fall_with_fewer_guesses_than_one_address(world):
    facts = EX.p1.facts
    assert facts["hits"] == 1.0
    assert facts["tries"] < facts["email_guesses"]
    assert EX.p1.facts.expected == "b"


def test_an_open_salt_a_row_costs_more_and_saves_nobody(world):
    few = EX.known["broker"]["phone"].head(20)
    numbers = expand_pattern("+44 7700 900###") + expand_pattern("+1 ### 555 01##")
    each = [f"row {i}".encode() for i in range(len(few))]
    plain = dictionary_attack(hash_values(few), numbers)
    salted = dictionary_attack(hash_values(few, salt=each), numbers, salt=each)
    assert len(plain.recovered) == len(salted.recovered) == len(few)
    assert salted.guesses > 2 * plain.guesses


def test_only_the_key_finds_her_among_the_tokens(world):
    broker = EX.known["broker"]
    key, five_digits = EX.known["teaching_key"]("master"), EX.known["guesses"][-100_000:]
    hers = [EX.known["neighbour"]["email"]]
    guesses = {*five_digits, *hers}  # a part of the dictionary: tokens take time
    sent = set(Pseudonymizer(key, "loan broker").tokens(broker["email"]))
    right = set(Pseudonymizer(key, "loan broker").tokens(guesses))
    wrong = set(Pseudonymizer(b"key of the shop!", "loan broker").tokens(guesses))
    assert (len(sent & right), len(sent & wrong)) == (1, 0)


def test_a_shared_key_joins_everybody_and_a_key_each_nobody(world):
    facts = EX.p2.facts
    assert (facts["same"], facts["each"]) == (1.0, 0.0)
    assert facts["shared"] > 100


def test_left_over_columns_join_the_common_customers_anyway(world):
    facts = EX.q2.facts
    assert facts["recall"] > 0.95
    assert 0.6 < facts["precision"] < 0.95  # neither nothing nor the whole story


def test_an_old_copy_of_the_keys_undoes_the_erasure_until_the_master_goes(world):
    reads, people = EX.known["thefts"]()
    assert reads["before_rotation"]
    assert not reads["without_copy"]
    assert people["before_rotation"] == people["without_copy"] + 1
    assert {letter for letter in "abcde" if reads[letter]} == {"c", "e"}
    assert people["b"] == 0


def test_each_faster_rotation_keeps_fewer_joins_and_exposes_less(world):
    facts = EX.q4.facts
    joins, exposed = (facts[name].tolist() for name in ("joins", "exposed"))
    assert joins[0] == exposed[0] == 1.0
    assert all(later < earlier - 0.03 for earlier, later in itertools.pairwise(joins))
    assert all(later < earlier - 0.03 for earlier, later in itertools.pairwise(exposed))


def test_the_rotation_bill_is_what_real_tokens_give(purchases):
    some = purchases[purchases["customer_id"] <= 60].sort_values(["customer_id", "time"])
    start, stolen = pd.Timestamp("2025-01-01"), pd.Timestamp("2025-03-10")

    def token(customer, time):
        version = (time - start).days // 45 + 1
        return Pseudonymizer(b"k" * 32, "analytics", version=version).tokens([str(customer)])[0]

    tokens = [token(c, t) for c, t in zip(some["customer_id"], some["time"], strict=True)]
    known = {token(customer, stolen) for customer in some["customer_id"].unique()}
    pairs = [
        tokens[i] == tokens[i - 1]
        for i in range(1, len(some))
        if some["customer_id"].iloc[i] == some["customer_id"].iloc[i - 1]
    ]
    after = [t in known for t, time in zip(tokens, some["time"], strict=True) if time >= stolen]
    shuffled = some.sample(frac=1, random_state=3)
    bill = rotation_bill(
        shuffled["customer_id"], shuffled["time"], days=45, start=start, stolen=stolen
    )
    assert bill.joins_kept.value == pytest.approx(sum(pairs) / len(pairs))
    assert bill.exposed.value == pytest.approx(sum(after) / len(after))
    assert 0 < bill.joins_kept.value < 1
    assert 0 < bill.exposed.value < 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"days": 0}, "days is 0"),
        ({"days": 1.5}, "days is 1.5"),
        ({"start": "2025-06-01"}, "from 2025-06-01 on"),
        ({"stolen": "2026-01-01"}, "after the theft"),
        ({"people": pd.Series([1, 2, 3])}, "a repeat event"),
        ({"people": pd.Series([1])}, "1 rows and times 3"),
        ({"times": pd.Series([pd.Timestamp("2025-02-01"), pd.NaT, pd.NaT])}, "a person and a time"),
    ],
)
def test_a_rotation_bill_says_what_it_cannot_count(change, says):
    given = {
        "people": pd.Series([1, 1, 2]),
        "times": pd.Series(pd.to_datetime(["2025-02-01", "2025-03-01", "2025-03-02"])),
        "days": 30,
        "start": "2025-01-01",
        "stolen": "2025-02-01",
    }
    want = rotation_bill(**given)
    gap = pd.Series([1, None, 1, 2]).dropna()  # the same people, read as floats
    texts = pd.Series(["2025-02-01", "2025-03-01T02:00+02:00", "2025-03-02"])
    assert rotation_bill(**{**given, "people": gap, "times": texts}) == want
    with pytest.raises(PrivacyError, match=says):
        rotation_bill(**{**given, **change})


@pytest.mark.parametrize(
    ("speed", "factor", "passed"),
    [(900_000.0, 1.0, True), (40_000_000.0, 1.02, True), (900_000.0, 1.4, False)],
)
def test_the_readers_own_speed_is_held_to_the_readers_own_minutes(world, speed, factor, passed):
    minutes = EX.q1.facts["total"] / speed / 60
    answer = {"guesses_per_second": speed, "minutes": factor * minutes}
    assert EX.q1.check(answer).passed is passed


def test_what_if_moves_its_figure_and_says_so(world, purchases):
    from ethicalai_lab.widgets.key_policy import key_policy

    broker, insurer = EX.known["broker"], EX.known["insurer"]
    shown = key_policy(broker, insurer, purchases, key=EX.known["teaching_key"]("master"))
    partners = "partners join their common customers"
    assert f"{partners}: 100.0 %" in shown.figure.alt
    each = shown.set(separate=True)
    assert f"{partners}: 0.0 %" in each.figure.alt
    assert each.figure.png() != shown.figure.png()
    assert f"{partners}: 100.0 %" in each.set(columns=True).figure.alt
    joins = EX.q4.facts["joins"]
    analyst = "an analyst joins a purchase to the one before"
    assert f"{analyst}: {100 * joins['quarterly']:.1f} %" in shown.figure.alt
    assert f"{analyst}: 100.0 %" in shown.set(days=0).figure.alt
    assert f"{analyst}: {100 * joins['monthly']:.1f} %" in shown.set(days=30).figure.alt
