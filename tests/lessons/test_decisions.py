"""Deciding writes the policy, undoing restores it, and nothing half-done is ever there."""

import pytest

from ethicalai_lab.lessons import decide, undo_decision
from ethicalai_lab.policy import Policy


def _file(work):
    return work / "my_policy.yaml"


def test_an_open_field_writes_nothing(work):
    said = decide("personalization", targeting="uplift", share=...)
    assert said.kind == "untouched"
    assert "`share`" in repr(said)
    assert not list(work.iterdir())


def test_a_decision_is_written_with_what_stood_before(work):
    assert "(before: undecided)" in repr(decide("personalization", targeting="uplift", share=0.3))
    said = decide("personalization", targeting="everyone", share=None)
    assert "targeting: everyone (before: uplift)" in repr(said)
    assert Policy.load(_file(work)).personalization.targeting == "everyone"


def test_an_open_cell_shows_what_was_decided_before(work):
    decide("personalization", targeting="uplift", share=0.3)
    said = decide("personalization", targeting=..., share=...)
    assert "Your policy says now: targeting: uplift; share: 0.3." in said.message


def test_deciding_the_same_again_changes_no_byte(work):
    decide("personalization", targeting="uplift", share=0.3)
    before = _file(work).read_bytes()
    assert "already" in repr(decide("personalization", targeting="uplift", share=0.3))
    assert _file(work).read_bytes() == before


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"targeting": "all of them"}, "targeting"),
        ({"share": 30}, "share"),
        ({"share": "0.3"}, "share"),
        ({"whom": "everyone"}, "whom"),
        ({"targeting": object()}, "targeting"),
    ],
)
def test_what_is_not_accepted_is_said_and_writes_nothing(work, fields, says):
    said = decide("personalization", **fields)
    assert said.kind == "unreadable"
    assert says in said.message
    assert "Traceback" not in said.message
    assert not list(work.iterdir())


def test_an_unknown_section_is_said():
    assert decide("generosity", share=0.3).kind == "unreadable"


def test_undo_goes_back_step_by_step_to_no_file(work):
    decide("personalization", targeting="uplift", share=0.3)
    first = _file(work).read_bytes()
    decide("personalization", share=0.5)
    assert undo_decision().heading == "Taken back"
    assert _file(work).read_bytes() == first
    assert (work / "my_policy.undone.yaml").exists()
    undo_decision()
    assert not _file(work).exists()
    assert undo_decision().heading == "Nothing to take back"


def test_a_file_broken_by_hand_is_left_alone(work):
    decide("personalization", targeting="uplift", share=0.3)
    _file(work).write_text("personalization: [", encoding="utf-8")
    said = decide("personalization", share=0.5)
    assert said.kind == "unreadable"
    assert _file(work).read_text(encoding="utf-8") == "personalization: ["


def test_comments_written_by_hand_stay(work):
    decide("personalization", targeting="uplift", share=0.3)
    text = _file(work).read_text(encoding="utf-8") + "\n# agreed with the works council\n"
    _file(work).write_text(text, encoding="utf-8")
    decide("personalization", share=0.5)
    assert "# agreed with the works council" in _file(work).read_text(encoding="utf-8")


def test_two_kernels_deciding_different_sections_lose_nothing(work, python):
    code = "from ethicalai_lab.lessons import decide\ndecide({!r}, **{!r})\n"
    decisions = {
        "personalization": {"targeting": "uplift", "share": 0.3},
        "anonymization": {"k": 10},
        "consent": {"default": "opt_in"},
    }
    jobs = [python(code.format(section, fields)) for section, fields in decisions.items()]
    assert [job.wait(60) for job in jobs] == [0, 0, 0]
    policy = Policy.load(_file(work))
    assert policy.personalization.share == 0.3
    assert policy.anonymization.k == 10
    assert policy.consent.default == "opt_in"


def test_a_folder_that_cannot_be_written_is_said(work, monkeypatch):
    blocked = work / "file"
    blocked.write_text("", encoding="utf-8")
    monkeypatch.setenv("ETHICALAI_LAB_WORK", str(blocked))
    said = decide("personalization", targeting="uplift", share=0.3)
    assert said.heading == "Nothing is written"
