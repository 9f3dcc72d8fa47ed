"""The doctor finds what is planted, says what to do, and leaves nothing behind."""

import contextlib
import json
import socket
import webbrowser
from pathlib import Path

import pytest

from ethicalai_lab.lessons import doctor

CELL = {"cell_type": "code", "id": "one", "metadata": {}, "execution_count": 1, "outputs": []}
SHOWN = [
    {
        "output_type": "execute_result",
        "data": {"text/plain": "2"},
        "metadata": {},
        "execution_count": 1,
    }
]


def _lesson(folder, source="1 + 1", outputs=SHOWN):
    notebook = {
        "cells": [
            {
                "cell_type": "markdown",
                "id": "minutes",
                "metadata": {},
                "source": "## Minutes\n\nAbout 10: the world 4.",
            },
            CELL | {"source": source, "outputs": outputs},
        ],
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = folder / "00_start.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def test_every_problem_says_what_to_do(monkeypatch, tmp_path):
    def no_browser():
        raise webbrowser.Error("none")

    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    lock = tmp_path / "requirements.lock"
    lock.write_text(
        "numpy==0.0.1 \\\n    --hash=sha256:aa\nno-such-package==1.0\n", encoding="utf-8"
    )
    monkeypatch.setattr(webbrowser, "get", no_browser)
    findings = [
        doctor.check_python((3, 10, 1)),
        doctor.check_packages(lock),
        doctor.check_kernel("no-such-kernel"),
        doctor.check_writing(blocked),
        doctor.check_memory(0.4),
        doctor.check_disk(0.01),
        doctor.check_browser(),
        *doctor.check_lessons(tmp_path / "empty"),
    ]
    for finding in findings:
        assert not finding.ok, finding
        assert finding.do, finding
        assert str(finding).startswith("problem")
        assert "\n" not in str(finding)


def test_what_is_fine_is_called_ok(work, monkeypatch):
    monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.GenericBrowser("firefox"))
    for finding in (
        doctor.check_python(),
        doctor.check_writing(work),
        doctor.check_memory(16.0),
        doctor.check_disk(100.0),
        doctor.check_browser(),
        doctor.check_port(),
    ):
        assert finding.ok, finding
        assert str(finding).startswith("ok ")
    assert not list(work.iterdir())


def test_a_kernel_is_started_and_ended():
    import psutil

    finding = doctor.check_kernel()
    assert finding.ok, finding
    assert "ethicalai_lab" in finding.says
    left = [p.name() for p in psutil.Process().children() if "ipykernel" in " ".join(p.cmdline())]
    assert left == []


def test_the_lock_is_read_with_its_markers(tmp_path):
    text = (
        "# a comment\nnumpy==2.4.6 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
        "    # via pandas\nwinonly==1.0 ; sys_platform == 'nowhere' \\\n    --hash=sha256:cc\n"
        "anyos==2.0 ; python_full_version >= '3.8' \\\n    --hash=sha256:dd\n"
    )
    assert doctor._locked(text) == {"numpy": "2.4.6", "anyos": "2.0"}


def test_the_project_s_own_lock_can_be_read(repo):
    found = doctor._locked((repo / "requirements.lock").read_text(encoding="utf-8"))
    assert {"numpy", "pandas", "jupyterlab", "voila"} <= set(found)
    assert all(version[:1].isdigit() for version in found.values())


def test_a_taken_port_leads_to_the_next_one():
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        finding = doctor.check_port(port)
    assert finding.ok
    assert f"{port} is taken" in finding.says


def test_a_sound_lesson_is_run_and_timed(tmp_path):
    path = _lesson(tmp_path)
    before = path.read_bytes()
    (finding,) = doctor.check_lessons(tmp_path)
    assert finding.ok, finding
    assert "runs in" in finding.says
    assert "10 minutes in class" in finding.says
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("source", "outputs", "says"),
    [
        ("1 + 1", [], "no output is saved"),
        ("1 + 2", SHOWN, "1 cell with another output"),
        ("1 / 0", SHOWN, "ZeroDivisionError"),
    ],
)
def test_an_unsound_lesson_is_found(tmp_path, source, outputs, says):
    path = _lesson(tmp_path, source, outputs)
    before = path.read_bytes()
    (finding,) = doctor.check_lessons(tmp_path)
    assert not finding.ok
    assert says in finding.says
    assert path.read_bytes() == before


def test_the_command_says_how_many_problems_there_are(monkeypatch, capsys):
    sick = lambda: doctor.Finding(False, "the moon is out", "wait")  # noqa: E731
    monkeypatch.setattr(doctor, "CHECKS", (doctor.check_python, sick))
    monkeypatch.setattr(doctor, "check_lessons", lambda run: iter(()))
    assert doctor.main([]) == 1
    assert "1 of 2 checks found a problem" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "CHECKS", (doctor.check_python,))
    assert doctor.main(["--quick"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "all is well"


def test_every_check_has_a_line_of_its_own():
    names = [name for name in vars(doctor) if name.startswith("check_")]
    assert {check.__name__ for check in doctor.CHECKS} == set(names) - {"check_lessons"}
    assert Path(doctor.__file__).name == "doctor.py"
