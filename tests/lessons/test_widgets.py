"""Widgets: one picture, static without a kernel, live with one."""

import html
import re

import ipywidgets
import pytest

from ethicalai_lab import plotting
from ethicalai_lab.lessons.lesson import BoundLesson
from ethicalai_lab.lessons.questions import Lesson, Option, Prediction, Quiz
from ethicalai_lab.widgets import what_if
from ethicalai_lab.widgets.base import WIDGET_VIEW, WidgetError, choice_widget

DRAWN = []


def _line(slope, shape="plain", dotted=False):
    DRAWN.append((slope, shape, dotted))
    figure, axes = plotting.canvas(3, 2)
    axes.plot([0, 1], [0, slope], ":" if dotted else "-")
    return plotting.Figure(figure, f"A {shape} line that rises by {slope}.")


@pytest.fixture
def shown():
    DRAWN.clear()
    return what_if(
        _line,
        slope=(1, 5, 1, 2),
        shape={"plain one": "plain", "fancy one": "fancy"},
        dotted=False,
        labels={"slope": "Slope"},
        title="What if it rose?",
    )


def _parts(widget, kind):
    found = [widget] if isinstance(widget, kind) else []
    for child in getattr(widget, "children", ()):
        found += _parts(child, kind)
    return found


def test_one_bundle_holds_the_static_and_the_live_form(shown):
    bundle = shown._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", WIDGET_VIEW}
    assert bundle["text/html"].count("<img ") == 1
    assert "A plain line that rises by 2." in bundle["text/plain"]
    assert "Slope <strong>2</strong>" in bundle["text/html"]


def test_the_static_form_is_the_same_each_time(shown):
    one, other = shown._repr_mimebundle_(), shown._repr_mimebundle_()
    assert one[WIDGET_VIEW]["model_id"] != other[WIDGET_VIEW]["model_id"]
    for kind in ("text/plain", "text/html"):
        assert one[kind] == other[kind]
        assert one[WIDGET_VIEW]["model_id"] not in one[kind]


def test_moving_a_slider_changes_the_picture_and_its_alt(shown):
    widget = shown.widget()
    picture = _parts(widget, ipywidgets.HTML)[-1]
    before = picture.value
    _parts(widget, ipywidgets.IntSlider)[0].value = 4
    assert "rises by 4." in picture.value
    assert picture.value != before
    _parts(widget, ipywidgets.ToggleButtons)[0].value = "fancy"
    assert "A fancy line that rises by 4." in picture.value
    _parts(widget, ipywidgets.Checkbox)[0].value = True
    assert DRAWN[-1] == (4, "fancy", True)


def test_many_options_are_a_dropdown(shown):
    many = {f"option number {i}": f"kind {i}" for i in range(6)}
    widget = what_if(_line, slope=(1, 5, 1), shape=many).widget()
    _parts(widget, ipywidgets.Dropdown)[0].value = "kind 4"
    assert "A kind 4 line" in _parts(widget, ipywidgets.HTML)[-1].value


def test_slider_and_number_box_stay_equal(shown):
    widget = shown.widget()
    slider = _parts(widget, ipywidgets.IntSlider)[0]
    box = _parts(widget, ipywidgets.BoundedIntText)[0]
    box.value = 5
    assert slider.value == 5
    slider.value = 3
    assert box.value == 3
    assert box.description == "Slope"


def test_a_value_seen_before_is_not_drawn_again(shown):
    slider = _parts(shown.widget(), ipywidgets.IntSlider)[0]
    for value in (4, 2, 4, 2):
        slider.value = value
    assert [slope for slope, *_ in DRAWN] == [2, 4]


def test_the_picture_announces_its_change(shown):
    picture = _parts(shown.widget(), ipywidgets.HTML)[-1]
    assert 'aria-live="polite"' in picture.value
    assert re.search(r'<img alt="A plain line', picture.value)


def test_a_function_that_fails_says_so_in_the_widget():
    def fails(share):
        if share > 1:
            raise ValueError("<b>too much</b>")
        return _line(share)

    widget = what_if(fails, share=(0, 5, 1)).widget()
    _parts(widget, ipywidgets.IntSlider)[0].value = 3
    said = _parts(widget, ipywidgets.HTML)[-1].value
    assert html.escape("<b>too much</b>") in said
    assert "<b>" not in said


def test_set_moves_without_a_widget(shown):
    assert shown.set(slope=5).figure.alt == "A plain line that rises by 5."
    assert shown.figure.alt == "A plain line that rises by 2."


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"slope": 9}, "slope cannot be 9"),
        ({"shape": "round"}, "shape cannot be 'round'"),
        ({"dotted": 3}, "dotted cannot be 3"),
        ({"colour": 1}, "no control 'colour'"),
    ],
)
def test_set_refuses_what_the_controls_could_not_do(shown, values, says):
    with pytest.raises(WidgetError, match=says):
        shown.set(**values)


@pytest.mark.parametrize(
    ("controls", "says"),
    [
        ({}, "at least one control"),
        ({"colour": (0, 1, 0.1)}, "no argument 'colour'"),
        ({"slope": (5, 1, 1)}, "slope: a range is"),
        ({"slope": (1, 5, 0)}, "slope: a range is"),
        ({"slope": (1, 5, 1, 9)}, "slope: a range is"),
        ({"slope": []}, "slope: describe a control"),
        ({"slope": "high"}, "slope: describe a control"),
        ({"slope": 3.0}, "slope: describe a control"),
    ],
)
def test_a_control_that_cannot_work_is_refused(controls, says):
    with pytest.raises(WidgetError, match=says):
        what_if(_line, **controls)


QUIZ = Quiz(
    "quiz1",
    "Whom `really`?",
    "b",
    {"a": Option("One <b>.", "No, not one."), "b": Option("Two.", "Yes, two.")},
)
PREDICTION = Prediction("p1", "More?", {"a": "Yes.", "b": "No."}, "'a'", "It is so.")


@pytest.fixture
def asked():
    return BoundLesson(Lesson("42", "A test", {"p1": PREDICTION, "quiz1": QUIZ}), object())


def test_a_quiz_can_be_read_without_a_kernel(asked):
    bundle = asked.quiz1._repr_mimebundle_()
    for kind in ("text/plain", "text/html"):
        assert "Two." in bundle[kind]
        assert "ex.quiz1.check(" in bundle[kind]
        assert "Yes, two." not in bundle[kind]
    assert "<b>" not in bundle["text/html"]


def _press(widget, key):
    button = next(b for b in _parts(widget, ipywidgets.Button) if b.description == key)
    button.click()
    return _parts(widget, ipywidgets.HTML)[-1].value


def test_a_quiz_can_be_pressed(asked, work):
    widget = choice_widget("Whom?", QUIZ.choices, asked.quiz1.check)
    assert "No, not one." in _press(widget, "a")
    said = _press(widget, "b")
    assert "Yes, two." in said
    assert 'role="status"' in said
    chosen = [b.description for b in _parts(widget, ipywidgets.Button) if b.icon == "check"]
    assert chosen == ["b"]


def test_every_button_says_what_it_chooses():
    widget = choice_widget("Whom?", QUIZ.choices, print, "Predict")
    tips = [button.tooltip for button in _parts(widget, ipywidgets.Button)]
    assert tips == ["Predict a: One <b>.", "Predict b: Two."]
    assert not any("<b>" in text.value for text in _parts(widget, ipywidgets.HTML))


def test_a_prediction_pressed_is_remembered(asked, work):
    widget = choice_widget("More?", PREDICTION.choices, asked.p1.commit)
    assert "You expect: No." in _press(widget, "b")
    assert asked.p1.compare().heading == "Another result than you predicted"
