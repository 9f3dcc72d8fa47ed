"""Bounds that policies keep one at a time and never together."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethicalai_lab.policy import Measure, Policy, PolicyError, Rules, Scorecard, never_together


def card(**values):
    measures = [
        Measure("value", name, "Something.", "points", "higher", "made up", value)
        for name, value in values.items()
    ]
    return Scorecard(measures, Policy(), {})


def rules(who, **least):
    lines = [f"  value.{name}: {{min: {bound}}}" for name, bound in least.items()]
    return Rules.parse("\n".join([f"set_by: {who}", "rules:", *lines]))


def test_a_pair_kept_singly_and_never_both_is_found_with_who_set_it():
    cards = {"one": card(a=1, b=0, c=1), "other": card(a=0, b=1, c=1)}
    found = never_together(cards, [rules("x", a=1, c=1), rules("y", b=1)])
    assert found.to_dict("records") == [
        {
            "bound": "value.a",
            "set_by": "x",
            "kept": 1,
            "other_bound": "value.b",
            "other_set_by": "y",
            "other_kept": 1,
        }
    ]


def test_a_bound_that_nobody_keeps_is_in_no_pair():
    assert never_together({"one": card(a=0, b=1)}, [rules("x", a=1, b=1)]).empty


def test_two_roles_may_bound_one_measure():
    cards = {"low": card(a=1), "high": card(a=3)}
    most = Rules.parse("{set_by: y, rules: {value.a: {max: 2}}}")
    found = never_together(cards, [rules("x", a=2), most])
    assert found[["set_by", "other_set_by"]].values.tolist() == [["x", "y"]]


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=6))
def test_as_counted_by_hand(rows):
    names = ("a", "b", "c")
    cards = {str(i): card(**dict(zip(names, row, strict=True))) for i, row in enumerate(rows)}
    found = never_together(cards, [rules("x", a=1, b=1), rules("y", c=2)])
    least = {"a": 1, "b": 1, "c": 2}
    keep = {n: {i for i, row in enumerate(rows) if row[names.index(n)] >= least[n]} for n in names}
    wanted = {
        (f"value.{p}", f"value.{q}")
        for p, q in itertools.combinations(names, 2)
        if keep[p] and keep[q] and not keep[p] & keep[q]
    }
    assert set(zip(found["bound"], found["other_bound"], strict=True)) == wanted


def test_nothing_given_is_said_so():
    with pytest.raises(PolicyError, match="at least one scorecard"):
        never_together({}, [rules("x", a=1)])
    with pytest.raises(PolicyError, match="at least one stakeholder"):
        never_together({"one": card(a=1)}, [])
    with pytest.raises(PolicyError, match="no measure"):
        never_together({"one": card(a=1)}, [rules("x", z=1)])
