"""The engine: every answer gets a kind sentence, every mistake its own, no traceback ever."""

import html
import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.errors import InputError
from ethicalai_lab.lessons import Feedback, lesson
from ethicalai_lab.lessons.feedback import KINDS
from ethicalai_lab.lessons.known import Known
from ethicalai_lab.lessons.lesson import BoundLesson
from ethicalai_lab.lessons.questions import (
    DeclarationError,
    Exercise,
    Lesson,
    Mistake,
    Option,
    Prediction,
    Quiz,
    parse_lesson,
)
from ethicalai_lab.stats import Interval

WORLD = SimpleNamespace(table=pd.DataFrame({"score": [0.9, 0.2, 0.7, 0.1], "gain": [5, -1, 3, -2]}))
GIVEN = """
import pandas as pd

def gain(chosen):
    return float(world.table["gain"][chosen.to_numpy()].sum())
"""
NEVER = [
    Mistake("one", "None", "That is the first mistake.", when="False"),
    Mistake("two", "None", "That is the second mistake.", when="False"),
]


def _exercise(answer, expected, mistakes=NEVER, **more):
    """An exercise around one form of answer; `expected` is code."""
    asked = {
        "id": "q1",
        "ask": "What is it?",
        "answer": answer,
        "solution": f"answer = {expected}",
        "mistakes": mistakes,
        "hints": ["Look.", "Look closer."],
        "why": "Because it is so.",
    }
    return Exercise(**asked | more)


SHARE = _exercise(
    'Number(absolute=0.01, unit="share", low=0, high=1)',
    "0.3",
    [
        Mistake("half", "0.15", "That is half of it."),
        Mistake("rest", "1 - expected", "That is the rest, {rest:.0%} of all."),
        Mistake("large", "0.95", "Most of all? {{no}}", when="0.9 < a <= 1"),
    ],
    facts="rest = 0.7",
    why="It is {expected:.0%}; the rest is {rest:.0%}.",
)


def _say(exercise, answer):
    return exercise.judge(answer, Known(GIVEN, WORLD))


def test_right_answers_get_the_why_with_figures_filled_in():
    assert _say(SHARE, 0.305) == Feedback("right", "It is 30%; the rest is 70%.")


@pytest.mark.parametrize(
    "answer",
    [0.3, np.float32(0.3), np.float64(0.3), np.array(0.3), Decimal("0.3"), Fraction(3, 10)],
)
def test_any_kind_of_number_is_a_number(answer):
    assert _say(SHARE, answer).passed


def test_each_mistake_gets_its_own_feedback():
    assert _say(SHARE, 0.151).mistake == "half"
    assert _say(SHARE, 0.7).message == "That is the rest, 70% of all."
    assert _say(SHARE, 0.99).message == "Most of all? {no}"
    assert _say(SHARE, 0.45).mistake == ""


def test_untouched_says_so_and_asks_for_no_world():
    said = SHARE.judge(...)
    assert said.kind == "untouched"
    assert not said.passed


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("0.3", "take the quotes away"),
        ("30 %", "take the quotes away"),
        ("a third", 'the text "a third"'),
        (float("nan"), "NaN"),
        (np.nan, "NaN"),
        (pd.NA, "one number"),
        (None, "`None`"),
        (True, "`True`"),
        (np.bool_(False), "`False`"),
        (float("inf"), "infinite"),
        (10**400, "infinite"),
        (0.3 + 0j, "complex"),
        ([0.3], "a list of 1 value;"),
        ((0.3, 0.4), "a tuple of 2 values"),
        (np.array([0.3, 0.4]), "an array of shape (2,)"),
        (pd.Series([0.3]), "a column with 1 value"),
        (pd.DataFrame({"a": [0.3]}), "a whole table (1 rows, 1 columns)"),
        ({"a": 0.3}, "a dictionary with 1 entry"),
        ({0.3}, "a set of 1 value;"),
        (lambda: 0.3, "a function"),
        (Interval(0.3, 0.2, 0.4), "`.value`"),
        (object(), "an object"),
        (pd.Timestamp("2026-01-12"), "a Timestamp"),
    ],
)
def test_another_form_gets_a_sentence_that_names_it(answer, says):
    said = _say(SHARE, answer)
    assert said.kind == "unreadable"
    assert says in said.message


@pytest.mark.parametrize(
    ("unit", "expected", "answer", "says"),
    [
        ("share", 0.3, 30, "percentage"),
        ("percent", 30, 0.3, "multiply it by 100"),
        ("", 4.0, -4.0, "sign"),
        ("share", 0.3, 7, "too large"),
        ("share", 0.3, -0.1, "too small"),
    ],
)
def test_slips_of_a_number(unit, expected, answer, says):
    low, high = (0, 1) if unit == "share" else (-100, 100)
    form = f"Number(absolute=0.01, unit={unit!r}, low={low}, high={high})"
    exercise = _exercise(form, expected)
    assert says in _say(exercise, answer).message


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.floats(1e-6, 10))
@settings(max_examples=80)
def test_a_number_passes_exactly_within_its_tolerance(answer, room):
    exercise = _exercise(f"Number(absolute={room!r})", "1.5")
    assert _say(exercise, answer).passed == (abs(answer - 1.5) <= room)


def test_choice():
    exercise = _exercise('Choice({"uplift": "by uplift", "response": "by response"})', "'uplift'")
    assert _say(exercise, " Uplift ").passed
    assert _say(exercise, "response").kind == "wrong"
    assert 'Was "uplift" meant?' in _say(exercise, "uplfit").message
    for answer in (1, ["uplift"], None, pd.Series(["uplift"]), {"uplift"}):
        assert _say(exercise, answer).kind == "unreadable"


def test_choices_have_no_order():
    exercise = _exercise('Choices(["x", "y", "z"])', '["x", "z"]')
    for answer in (
        ["z", "x"],
        {"x", "z"},
        ("x", "z", "x"),
        np.array(["x", "z"]),
        pd.Index(["x", "z"]),
    ):
        assert _say(exercise, answer).passed
    assert _say(exercise, {"x"}).kind == "wrong"
    assert _say(exercise, set()).kind == "wrong"
    for answer in ("xz", "x", {"x": 1}, ["x", 3], ["w"], pd.DataFrame({"a": ["x"]}), np.eye(2), 3):
        assert _say(exercise, answer).kind == "unreadable"


def test_column():
    exercise = _exercise("Column()", "pd.Series([1.0, 2.0, 3.0], index=[10, 11, 12])")
    for answer in ([1, 2, 3], np.array([1.0, 2, 3]), pd.Series([3.0, 1, 2], index=[12, 10, 11])):
        assert _say(exercise, answer).passed
    assert "2 values and 3" in _say(exercise, [1, 2]).message
    assert _say(exercise, [3, 2, 1]).kind == "wrong"
    for answer, says in [
        ([1, None, 3], "1 of the answer's 3 values are missing"),
        (["a", "b", "c"], "no numbers"),
        ([1, float("inf"), 2], "infinite"),
        (pd.DataFrame({"a": [1], "b": [2]}), 'table["b"]'),
        (pd.DataFrame(), "without columns"),
        (3, "the number 3"),
        ("123", "the text"),
        (np.eye(3), "shape (3, 3)"),
    ]:
        assert says in _say(exercise, answer).message


def test_a_column_may_differ_in_a_share_of_rows():
    exercise = _exercise('Column(of="bool", may_differ=0.25)', "[True, False, True, True]")
    assert _say(exercise, [1, 0, 1, 0]).passed
    assert not _say(exercise, [0, 0, 1, 0]).passed
    assert "other values" in _say(exercise, [0, 1, 2, 3]).message


RULE = _exercise(
    "Rule(table=world.table, value=gain, absolute=0.5)",
    "[True, False, True, False]",
    [
        Mistake("everyone", "[True] * 4", "Everybody includes those it costs."),
        Mistake("nobody", "[False] * 4", "Nobody brings nothing."),
    ],
)


def test_a_rule_counts_by_what_it_does():
    assert _say(RULE, lambda table: table["score"] > 0.5).passed
    assert _say(RULE, lambda table: table["gain"] > 0).passed
    assert _say(RULE, [True, False, True, False]).passed
    assert _say(RULE, np.array([1, 0, 1, 0])).passed
    assert _say(RULE, lambda table: table["score"] > 0).mistake == "everyone"
    assert _say(RULE, [False] * 4).mistake == "nobody"


def test_a_mistake_is_recognised_by_whom_it_chooses_not_by_its_worth():
    low = Mistake("low", "[False, True, False, True]", "The lowest.")
    exercise = replace(RULE, mistakes=[low, *RULE.mistakes])
    assert _say(exercise, [True] * 4).mistake == "everyone"  # worth more than the example of low


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda table: table["missing"], "stopped with KeyError: 'missing'"),
        (lambda: True, "stopped with TypeError"),
        (lambda table: None, "`None`"),
        (lambda table: lambda x: x, "another function"),
        (lambda table: table, "a whole table"),
        (lambda table: [True], "1 values; 4 are asked for"),
        ([True, False], "2 values; 4 are asked for"),
        ([0.5, 1, 0, 1], "other values"),
        (lambda table: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_rule_that_does_not_work_is_told_why(answer, says):
    said = _say(RULE, answer)
    assert said.kind == "unreadable"
    assert says in said.message


def test_a_readers_function_cannot_change_the_world():
    def spoil(table):
        table["gain"] = 100
        return table["score"] > 0.5

    assert _say(RULE, spoil).passed
    assert WORLD.table["gain"].tolist() == [5, -1, 3, -2]


JUDGE = _exercise(
    """Judgement(
        {
            "rule": Choice(["everyone", "uplift"]),
            "reason": Choice(["profit", "fewest bothered"]),
            "profit_everyone": Number(absolute=1),
            "profit_uplift": Number(absolute=1),
        },
        own={"profit_everyone": "everyone", "profit_uplift": "uplift"},
    )""",
    '{"rule": "uplift", "reason": "profit", "profit_everyone": 5, "profit_uplift": 8}',
    [
        Mistake(
            "profit-against-own-figures",
            '{**expected, "rule": "everyone"}',
            "Your reason is profit, and by your own figures the other rule earns more.",
            when='a["reason"] == "profit" and a["rule"] == "everyone" '
            'and a["profit_everyone"] < a["profit_uplift"]',
        ),
        Mistake(
            "bothers-all",
            '{**expected, "rule": "everyone", "reason": "fewest bothered"}',
            "Mailing everyone bothers the most people there are.",
            when='a["reason"] == "fewest bothered" and a["rule"] == "everyone"',
        ),
    ],
    facts="everyone, uplift = 5, 8",
)


def test_a_judgement_passes_when_it_agrees_with_the_readers_own_figures():
    own = {"profit_everyone": 5.2, "profit_uplift": 7.9}
    assert _say(JUDGE, {"rule": "uplift", "reason": "profit", **own}).passed
    assert _say(JUDGE, {"rule": "uplift", "reason": "fewest bothered", **own}).passed
    contradiction = _say(JUDGE, {"rule": "everyone", "reason": "profit", **own})
    assert contradiction.mistake == "profit-against-own-figures"


def test_a_judgement_on_invented_figures_does_not_pass():
    said = _say(
        JUDGE,
        {"rule": "everyone", "reason": "profit", "profit_everyone": 90, "profit_uplift": 8},
    )
    assert said.kind == "wrong"
    assert "`profit_everyone` is not what the data gives" in said.message


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (
            {"rule": ..., "reason": "profit", "profit_everyone": 5, "profit_uplift": ...},
            "untouched",
            "`rule`, `profit_uplift`",
        ),
        ({"rule": "uplift"}, "unreadable", "`reason` is missing"),
        ({"rule": "uplift", "colour": "blue"}, "unreadable", "`colour` is no field"),
        (
            {"rule": "none", "reason": "profit", "profit_everyone": 5, "profit_uplift": 8},
            "unreadable",
            "`rule` is",
        ),
        (
            {"rule": "uplift", "reason": "profit", "profit_everyone": "5", "profit_uplift": 8},
            "unreadable",
            "`profit_everyone` is",
        ),
        ("uplift", "unreadable", "give the fields"),
        (pd.Series([1]), "unreadable", "give the fields"),
    ],
)
def test_a_judgement_with_something_missing_names_it(answer, kind, says):
    said = _say(JUDGE, answer)
    assert said.kind == kind
    assert says in said.message


class Breaks:
    """An object that raises whenever it is looked at."""

    def __getattribute__(self, name):
        raise RuntimeError("no")


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=20),
    st.binary(max_size=5),
    st.lists(st.one_of(st.integers(), st.text(max_size=3), st.none()), max_size=5),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=3),
    st.sets(st.integers(), max_size=3),
    st.builds(object),
    st.just(Breaks),
    st.just(np.array([])),
    st.just(np.array([[1, 2], [3, 4]])),
    st.just(np.array(["a", None], dtype=object)),
    st.just(pd.Series(dtype=float)),
    st.just(pd.DataFrame()),
    st.just(pd.Series(pd.Categorical(["a", "b"]))),
    st.just(pd.Series([[1], [2]])),
    st.just(pd.Series(pd.to_datetime(["2026-01-01"]))),
    st.just(len),
    st.just(type),
    st.just(NotImplemented),
)


@pytest.mark.parametrize(
    "exercise",
    [
        SHARE,
        RULE,
        JUDGE,
        _exercise('Choice(["x", "y"])', "'x'"),
        _exercise('Choices(["x", "y"])', "['x']"),
        _exercise("Column()", "[1.0, 2.0]"),
        _exercise('Column(of="category")', "['a', 'b']"),
    ],
    ids=lambda e: e.answer.partition("(")[0],
)
@given(answer=ODD)
@settings(max_examples=30)
def test_no_answer_whatever_raises(exercise, answer):
    said = _say(exercise, answer)
    assert said.kind in ("right", "wrong", "unreadable", "untouched")
    assert said.message.strip()
    assert "Traceback" not in said.message


def test_an_object_that_breaks_when_looked_at_gets_a_sentence_too():
    for exercise in (SHARE, RULE, JUDGE):
        assert _say(exercise, Breaks()).kind == "unreadable"


SOUND = """\
title: A test
given: |
  share = 0.3
q1:
  ask: What share?
  answer: Number(absolute=0.01)
  facts: rest = 1 - share
  solution: answer = share
  mistakes:
    - {name: rest, if: rest, say: That is the rest.}
    - {name: double, if: 2 * share, say: Twice as much.}
  hints: [Look., Look closer.]
  why: It is {expected:.1f}.
quiz1:
  ask: Whom?
  right: b
  options:
    a: {text: The sure things., say: They come anyway.}
    b: {text: The persuadables., say: They come because of it.}
"""


def test_a_sound_file_is_read():
    asked = parse_lesson("42", SOUND)
    assert list(asked.items) == ["q1", "quiz1"]
    assert asked.items["q1"].judge(0.7, asked.known(None)).mistake == "rest"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("title: A test\n", "", "title is needed"),
        ("q1:", "q0:", 'line 5: "q0" is no question'),
        ("  why:", "  wyh:", 'line 13: "wyh" is no part of it.*Did you mean "why"'),
        ("  why: It is {expected:.1f}.\n", "", '"why" is missing'),
        ("What share?", '""', '"ask" is missing or empty'),
        ("    - {name: double, if: 2 * share, say: Twice as much.}\n", "", "two typical mistakes"),
        ("Twice as much.", "That is the rest.", "share their say"),
        ("name: double", "name: rest", "share their name"),
        ("if: 2 * share", "if: 2 *", "no Python.*2 [*]"),
        ("[Look., Look closer.]", "[Look.]", "two hints"),
        ("answer = share", "answer =", "line 8: this is no Python"),
        ("answer = share", "result = share", "must assign `answer`"),
        ("  share = 0.3", "  share =", "line 2: this is no Python"),
        ("right: b", "right: c", "one option is right"),
        ("They come because of it.", "They come anyway.", "feedback of its own"),
        ("{text: The sure things., say: They come anyway.}", "The sure things.", "a mapping is"),
        ("quiz1:", "q1:", "there twice"),
    ],
)
def test_a_file_that_cannot_work_is_refused_with_its_line(old, new, says):
    assert old in SOUND
    with pytest.raises(DeclarationError, match=says):
        parse_lesson("42", SOUND.replace(old, new))


def test_names_are_computed_once_in_order_and_only_when_needed():
    counted = []
    world = SimpleNamespace(count=lambda: counted.append(1) or len(counted))
    code = """
rows = {"n": world.count()}
rows["twice"] = 2 * rows["n"]
never = 1 / 0
kept = []
kept.append(rows["n"])
def total(extra):
    return rows["twice"] + extra + later
later = 100
loop = [rows for rows in range(3)]
"""
    known = Known(code, world)
    assert known["rows"] == {"n": 1, "twice": 2}
    assert known["kept"] == [1]
    assert known.value("total(1)") == 103
    assert known.run("own = total(0)\nown += 1") == {"own": 103}
    assert counted == [1]
    with pytest.raises(ZeroDivisionError):
        known["never"]
    with pytest.raises(NameError):
        known["nothing"]


QUIZ = Quiz(
    "quiz1",
    "Whom?",
    "b",
    {
        "a": Option("The sure things.", "They come anyway."),
        "b": Option("The persuadables.", "They come because of it."),
        "c": Option("Nobody.", "Then nothing happens."),
    },
)


def test_each_option_of_a_quiz_has_its_own_feedback():
    said = [QUIZ.judge(key) for key in "abc"]
    assert [one.passed for one in said] == [False, True, False]
    assert len({one.message for one in said}) == 3
    assert QUIZ.judge(...).kind == "untouched"
    for odd in ("d", 2, None, ["b"], Breaks()):
        assert QUIZ.judge(odd).kind == "unreadable"


PREDICTION = Prediction(
    "p1",
    "More or fewer?",
    {"a": "More.", "b": "Fewer."},
    outcome='"a" if size > 0 else "b"',
    says="It is {size:+.1%}.",
    facts="size = 0.05",
)


@pytest.fixture
def bound():
    return BoundLesson(
        Lesson("42", "A test", {"p1": PREDICTION, "q1": SHARE, "quiz1": QUIZ}, given=GIVEN), WORLD
    )


def test_predictions_are_put_beside_the_result(bound, work):
    assert "no prediction" in bound.p1.compare().message
    assert bound.predict("p1").kind == "untouched"
    assert bound.p1.commit("z").kind == "unreadable"
    assert bound.predict("p1", "b").message == "You expect: Fewer."
    later = BoundLesson(bound.asked, WORLD)  # a new kernel
    said = later.compare("p1")
    assert said.heading == "Another result than you predicted"
    assert "Fewer." in said.message
    assert "+5.0%" in said.message
    bound.p1.commit("a")
    assert bound.p1.compare().heading == "Your prediction came true"


def test_hints_come_one_by_one_and_then_stay(bound):
    assert [bound.q1.hint().heading for _ in range(4)] == [
        "Hint 1 of 2",
        "Hint 2 of 2",
        "Hint 2 of 2",
        "Hint 2 of 2",
    ]


def test_the_solution_shows_code_and_why(bound):
    said = bound.q1.solution()
    assert said.code == "answer = 0.3"
    assert "It is 30%" in said.message


def test_a_question_that_is_not_there_says_which_are(bound):
    with pytest.raises(AttributeError, match="it has p1, q1, quiz1"):
        _ = bound.q9
    assert {"q1", "quiz1", "p1"} <= set(dir(bound))


def test_a_lesson_that_is_not_there_says_which_are():
    with pytest.raises(InputError, match="no lesson '77'"):
        lesson("77")
    assert lesson(0).number == "00"


def test_judgement_fields_can_be_given_by_name():
    bound = BoundLesson(Lesson("42", "A test", {"q1": JUDGE}), WORLD)
    assert bound.q1.check(rule="uplift", reason="profit", profit_everyone=5, profit_uplift=8).passed
    assert bound.q1.check(rule=..., reason="profit", profit_everyone=5, profit_uplift=8).kind == (
        "untouched"
    )


def test_what_is_known_is_kept_for_the_last_two_worlds():
    asked = Lesson("42", "A test", given="found = object()")
    one, two, three = object(), object(), object()
    first = asked.known(one)["found"]
    assert asked.known(one)["found"] is first
    assert asked.known(two)["found"] is not first
    assert asked.known(one)["found"] is first
    asked.known(three)
    assert asked.known(one)["found"] is not first


# ---------------------------------------------------------------- how feedback is shown


def _luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one, other):
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_cards_are_readable_in_the_light_and_the_dark_theme(kind):
    _, word, *themes = KINDS[kind]
    shown = Feedback(kind, "text")._repr_html_()
    for background, text, edge in themes:
        assert _contrast(background, text) >= 4.5
        assert _contrast(background, edge) >= 3
        assert background in shown
    assert word in re.sub(r"<style>.*?</style>|<[^>]+>", "", shown)
    assert 'role="status"' in shown
    assert 'aria-hidden="true"' in shown


NASTY = '<script>alert("x")</script> & `<b>code</b>`'


def test_everything_shown_is_escaped():
    shown = Feedback("wrong", NASTY, code=NASTY, title=NASTY, note=NASTY)._repr_html_()
    assert "<script>" not in shown
    assert "<b>" not in shown
    assert html.escape('alert("x")') in shown


def test_an_answer_with_markup_is_escaped():
    shown = _say(SHARE, "<img src=x onerror=alert(1)>")._repr_html_()
    assert "<img" not in shown


def test_an_odd_backtick_does_not_open_code():
    assert "<code>" not in Feedback("wrong", "it`s")._repr_html_()


def test_the_same_feedback_has_the_same_bytes():
    one, other = (_say(SHARE, 0.7) for _ in range(2))
    assert one._repr_html_() == other._repr_html_()
    assert repr(one) == repr(other)
    assert "0x" not in repr(one)


def test_plain_text_holds_word_message_code_and_note():
    shown = repr(Feedback("solution", "First.\n\nSecond.", code="answer = 1", note="Not saved"))
    assert shown == "[One solution] First.\nSecond.\n    answer = 1\n(Not saved)"
    assert shown.isascii()


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="kind must be one of"):
        Feedback("great", "text")
