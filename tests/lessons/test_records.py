"""Progress survives killed kernels, two kernels, broken files and read-only folders."""

import json
import os
import tempfile
import time
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.lessons import lesson, progress, records
from ethicalai_lab.lessons.records import ProgressFile


def _file(work):
    return work / "progress.json"


def test_checks_are_counted_and_a_right_answer_stays_right(work, toy_world):
    ex = lesson("00", world=toy_world)
    ex.q1.check(0.1)
    ex.q1.check(0.75)
    ex.q1.check(0.2)
    assert ProgressFile().read()["00"]["q1"] == {"tries": 3, "right": True}


def test_untouched_and_unreadable_answers_leave_no_trace(work, toy_world):
    ex = lesson("00", world=toy_world)
    ex.q1.check(...)
    ex.q1.check()
    ex.q1.check("0.75")
    ex.q1.hint()
    assert not list(work.iterdir())


def test_a_seen_solution_is_told_apart(work, toy_world):
    ex = lesson("00", world=toy_world)
    ex.q1.solution()
    assert progress().table.loc[0, "state"] == "solution seen"
    ex.q1.check(0.75)
    assert progress().table.loc[0, "state"] == "right after the solution"


def test_a_solution_seen_after_the_right_answer_changes_nothing(work, toy_world):
    ex = lesson("00", world=toy_world)
    ex.q1.check(0.75)
    ex.q1.solution()
    assert progress().table.loc[0, "state"] == "right"


def test_the_file_holds_no_answer_no_time_and_no_name(work, toy_world):
    ex = lesson("00", world=toy_world)
    ex.q1.check(0.123456)
    text = _file(work).read_text(encoding="utf-8")
    assert "123456" not in text
    assert json.loads(text) == {"version": 1, "lessons": {"00": {"q1": {"tries": 1}}}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"version": 99, "lessons": {}}',
        b'{"version": 1, "lessons": {"00": 3}}',
    ],
)
def test_a_broken_file_is_set_aside_and_said(work, toy_world, content):
    _file(work).write_bytes(content)
    said = lesson("00", world=toy_world).q1.check(0.75)
    assert said.passed
    assert "set aside as progress.broken-1.json" in said.note
    assert (work / "progress.broken-1.json").read_bytes() == content
    assert ProgressFile().read()["00"]["q1"]["right"] is True
    _file(work).write_bytes(content)
    lesson("00", world=toy_world).q1.check(0.75)
    assert (work / "progress.broken-2.json").exists()


GOOD = {"q1": {"tries": 2, "right": True}, "p1": {"predicted": "b"}}


def _around(entry):
    """A file in which one entry is damaged and the others are not."""
    return json.dumps({"version": 1, "lessons": {"00": {**GOOD, "q2": entry}}}).encode()


@pytest.mark.parametrize(
    "entry",
    [
        {"tries": "many"},
        {"tries": -1},
        {"tries": 10**400},
        {"tries": float("inf")},
        {"tries": float("nan")},
        {"tries": [1]},
        {"tries": True},
        {"right": "yes"},
        {"seen": {}},
        {"predicted": 7},
        {"predicted": "\ud800"},
        {"later": [[]]},
        [],
        "q",
        None,
    ],
)
def test_a_damaged_entry_costs_no_other(work, toy_world, entry):
    content = _around(entry)
    _file(work).write_bytes(content)
    assert ProgressFile().read()["00"] == GOOD
    shown = progress()
    assert "part of it could not be read" in repr(shown)
    assert shown.fault in shown._repr_html_()
    assert _file(work).read_bytes() == content, "looking changes nothing"
    said = ProgressFile().record("00", "q2", tried=True)
    assert said == (
        "The progress file was set aside as progress.broken-1.json, since part of it could not "
        "be read; the rest was kept."
    )
    assert (work / "progress.broken-1.json").read_bytes() == content
    assert ProgressFile().read()["00"] == {**GOOD, "q2": {"tries": 1}}
    assert ProgressFile().fault() == ""


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([10**400, "\ud800", 1]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=3)
            | st.sampled_from(["version", "lessons", "00", "q1", "tries", "right", "predicted"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
contents = (
    st.binary(max_size=60)
    | json_values.map(lambda value: json.dumps(value).encode())
    | json_values.map(lambda value: json.dumps({"version": 1, "lessons": value}).encode())
    | json_values.map(_around)
    | st.sampled_from(
        [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b'{"version":' + b"9" * 5000]
    )
)


@settings(max_examples=150, deadline=None)
@given(content=contents)
def test_no_content_of_the_file_ever_raises_or_is_lost(content):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _file(folder).write_bytes(content)
        file = ProgressFile(folder)
        before = file.read()
        assert isinstance(file.prediction("00", "q1"), str | None)
        shown = progress(folder)
        assert repr(shown)
        assert shown._repr_html_().encode()
        said = file.record("00", "q9", tried=True, predicted="b")
        aside = [path.read_bytes() for path in folder.glob("progress.broken-*.json")]
        assert aside == ([content] if said else [])
        after = file.read()
        assert after["00"]["q9"]["predicted"] == "b"
        for lesson_, entries in before.items():
            for item, entry in entries.items():
                assert item == "q9" or after[lesson_][item] == entry
        assert file.record("00", "q9", tried=True) == ""


def test_what_is_no_file_is_said_and_left_alone(work, toy_world):
    _file(work).mkdir()
    (_file(work) / "mine.txt").write_text("kept", encoding="utf-8")
    said = lesson("00", world=toy_world).q1.check(0.75)
    assert said.passed
    assert said.note.startswith("Progress is not saved: progress.json is no file.")
    assert "progress.json is no file" in repr(progress())
    assert (_file(work) / "mine.txt").read_text("utf-8") == "kept"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a system with pipes in folders")
def test_a_pipe_of_that_name_makes_nobody_wait(work):
    os.mkfifo(_file(work))
    assert "is no file" in ProgressFile().record("00", "q1", tried=True)
    assert "is no file" in progress().fault


def test_a_file_that_may_not_be_read_is_said_and_kept(work, monkeypatch):
    _file(work).write_bytes(_around({}))

    def refused(*args, **more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(records, "open", refused, raising=False)
    assert ProgressFile().read() == {}
    assert "permission denied" in progress().fault
    assert "permission denied" in ProgressFile().record("00", "q1", tried=True)
    assert _file(work).read_bytes() == _around({})


def test_showing_progress_never_breaks_on_a_broken_file(work):
    _file(work).write_bytes(b"{")
    assert (progress().by_lesson["state"] == "not started").all()
    assert _file(work).read_bytes() == b"{"


def test_without_a_folder_to_write_the_exercise_still_works(work, toy_world, monkeypatch):
    blocked = work / "file"
    blocked.write_text("", encoding="utf-8")
    monkeypatch.setenv("ETHICALAI_LAB_WORK", str(blocked))
    said = lesson("00", world=toy_world).q1.check(0.75)
    assert said.passed
    assert said.note.startswith("Progress is not saved")


def test_a_full_disk_keeps_the_old_file(work, toy_world, monkeypatch):
    ex = lesson("00", world=toy_world)
    ex.q1.check(0.1)
    before = _file(work).read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    said = ex.q1.check(0.75)
    assert said.passed
    assert "no space left on device" in said.note
    assert _file(work).read_bytes() == before
    assert not list(work.glob("*.part"))


def test_kernels_that_write_at_once_lose_nothing(work, python):
    code = (
        "from ethicalai_lab.lessons.records import ProgressFile\n"
        "file = ProgressFile()\n"
        "for _ in range(40): assert file.record('00', {item!r}, tried=True) == ''\n"
    )
    jobs = [python(code.format(item=item)) for item in ("q1", "q1", "q2")]
    assert [job.wait(120) for job in jobs] == [0, 0, 0]
    entries = ProgressFile(work).read()["00"]
    assert entries["q1"]["tries"] == 80
    assert entries["q2"]["tries"] == 40


def _tries(work):
    return ProgressFile(work).read().get("00", {}).get("q1", {}).get("tries", 0)


def test_a_kernel_killed_while_writing_leaves_a_whole_file_and_no_lock(work, python):
    code = (
        "from ethicalai_lab.lessons.records import ProgressFile\n"
        "file = ProgressFile()\n"
        "while True: file.record('00', 'q1', tried=True)\n"
    )
    tries = 0
    for _ in range(3):
        process = python(code)
        end = time.monotonic() + 240  # it only must not hang
        while _tries(work) <= tries + 3:
            assert time.monotonic() < end
            time.sleep(0.02)
        process.kill()
        process.wait()
        tries = _tries(work)
        assert ProgressFile(work).record("00", "q1", tried=True) == ""
        assert _tries(work) == tries + 1


def test_a_lock_that_is_held_too_long_is_said(work, monkeypatch):
    monkeypatch.setattr(records, "_WAIT", 0.1)
    file = ProgressFile(work)
    with records.locked(work / ".progress.lock"):
        assert file.record("00", "q1", tried=True).startswith("Progress is not saved")
    assert file.record("00", "q1", tried=True) == ""


def test_progress_by_lesson(work, toy_world):
    first = progress().by_lesson.set_index("lesson").loc["00"]
    assert first["state"] == "not started"
    ex = lesson("00", world=toy_world)
    ex.q1.check(0.1)
    assert progress().by_lesson.set_index("lesson").loc["00", "state"] == "started"
    ex.q1.check(0.75)
    last = progress().by_lesson.set_index("lesson").loc["00"]
    assert (last["right"], last["asked"], last["state"]) == (1, 1, "done")


def test_progress_exports_to_csv(work, toy_world, tmp_path):
    lesson("00", world=toy_world).q1.check(0.75)
    path = progress().to_csv(tmp_path / "mine.csv")
    table = pd.read_csv(path, dtype={"lesson": str})
    assert list(table.columns) == ["lesson", "item", "state", "tries"]
    assert table.loc[0].tolist() == ["00", "q1", "right", 1]


def test_progress_table_has_headers_and_a_caption(work):
    shown = progress()._repr_html_()
    assert "<caption>" in shown
    assert '<th scope="col">lesson</th>' in shown
