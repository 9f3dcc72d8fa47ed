"""What a small YAML file may hold, where its values stand, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethicalai_lab.core.yaml import line_of, parse, scalar, to_data
from ethicalai_lab.errors import InputError


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: &x 1\nb: *x\n", "line 1: anchors and aliases"),
        ("a: 1\nb: *x\n", "line 2: anchors and aliases"),
        ("a: !!python/object:os.system x\n", "line 1: the tag"),
        ("a: ! x\n", "line 1: the tag"),
        ("a: 1\nb: 2\na: 3\n", 'line 3: the key "a" is there twice .first on line 1'),
        ("a: 1\n---\nb: 2\n", "line 2: a second document starts"),
        ("[" * 13 + "]" * 13, "line 1: nested deeper than 12"),
        ("? [a]\n: 1\n", "line 1: a key must be a single word"),
        ("a: 1234567890123456789\n", "line 1: a number of 19 digits"),
        ("a: .inf\n", "line 1: .inf is not a finite number"),
        ("a: 1e999\n", "line 1: 1e999 is not a finite number"),
        ("a: 1\nb: [\n", r"line \d: not readable as YAML"),
        ("a: 1\nb: \x01\n", "line 2: not readable as YAML"),
        ("[" * 5000, "nested deeper than 12"),
    ],
)
def test_what_is_refused_is_said_with_its_line(text, fault):
    with pytest.raises(InputError, match=fault):
        parse(text)


def test_a_value_left_empty_stands_on_the_line_of_its_key():
    root = parse("a:\n\n# a comment\nb: [1,\n  2]\n")
    assert [root.value[key].line for key in "ab"] == [1, 4]
    assert line_of(root, ("b", 1)) == 5
    assert line_of(root, ("b", 7)) == 4
    assert to_data(root) == {"a": None, "b": [1, 2]}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "~\n"])
def test_a_text_may_hold_nothing(text):
    assert parse(text) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(max_size=20),
        lambda inner: st.lists(inner, min_size=1, max_size=3),
        max_leaves=8,
    )
)
def test_what_is_written_is_read_again(data):
    def flow(item):
        if isinstance(item, list):
            return "[" + ", ".join(map(flow, item)) + "]"
        return scalar(item, flow=True)

    assert to_data(parse(f"key: {flow(data)}\n"))["key"] == data
