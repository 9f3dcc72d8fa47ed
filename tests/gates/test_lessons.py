"""Every lesson is committed as it ran: in order, without errors, nothing kept from nbval."""

import copy
import json

import pytest

# tags and comments by which nbval would look away
LOOK_AWAY = ("nbval-", "nbval_", "pytest_validate", "raises-exception")
# lesson and cell id -> why its output cannot be compared
ALLOWED = {}
ALLOWED_AT_MOST = 3


def faults(notebook, name="lesson"):
    """Return what keeps a lesson from being held to its outputs."""
    found = []
    count = 0
    for cell in notebook["cells"]:
        where = f"{name}, cell {cell.get('id')}"
        if cell["cell_type"] != "code":
            continue
        marks = cell["metadata"].get("tags", []) + [
            line.strip(" #") for line in "".join(cell["source"]).splitlines() if "#" in line
        ]
        looks_away = any(look in mark.lower() for mark in marks for look in LOOK_AWAY)
        if looks_away and (name, cell.get("id")) not in ALLOWED:
            found.append(f"{where}: nbval would look away")
        if "".join(cell["source"]).strip():
            count += 1
            if cell["execution_count"] != count:
                found.append(f"{where}: ran as {cell['execution_count']}, not as {count}")
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                found.append(f"{where}: shows an error")
            if output.get("name") == "stderr":
                found.append(f"{where}: shows a warning")
            if any("widget" in kind for kind in output.get("data", {})):
                found.append(f"{where}: keeps a live widget of a kernel that has ended")
    if count == 0:
        found.append(f"{name}: runs nothing")
    if "widgets" in notebook["metadata"]:
        found.append(f"{name}: keeps the state of widgets")
    if notebook["metadata"].get("kernelspec", {}).get("name") != "python3":
        found.append(f"{name}: asks for another kernel")
    return found


@pytest.fixture(scope="module")
def lessons(repo):
    paths = sorted((repo / "notebooks").rglob("*.ipynb"))
    paths = [path for path in paths if ".ipynb_checkpoints" not in path.parts]
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def test_lessons_are_there_and_held_to_their_outputs(lessons):
    assert any(name.startswith("00_") for name in lessons)
    assert [fault for name, lesson in lessons.items() for fault in faults(lesson, name)] == []


def test_the_allow_list_is_short_and_used(lessons):
    assert len(ALLOWED) <= ALLOWED_AT_MOST
    cells = {(name, cell["id"]) for name, lesson in lessons.items() for cell in lesson["cells"]}
    assert set(ALLOWED) <= cells
    assert all(len(reason.split()) > 3 for reason in ALLOWED.values())


GOOD = {
    "metadata": {"kernelspec": {"name": "python3"}},
    "cells": [
        {
            "cell_type": "code",
            "id": "a",
            "metadata": {"tags": ["predict"]},
            "source": ["x = 1  # one\n", "x"],
            "execution_count": 1,
            "outputs": [
                {"output_type": "execute_result", "data": {"text/plain": "1"}, "metadata": {}}
            ],
        }
    ],
}
WIDGET = {"application/vnd.jupyter.widget-view+json": {}}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda n, c: c["metadata"].update(tags=["nbval-skip"]), "look away"),
        (lambda n, c: c["metadata"].update(tags=["nbval-ignore-output"]), "look away"),
        (lambda n, c: c["metadata"].update(tags=["raises-exception"]), "look away"),
        (lambda n, c: c.update(source="# NBVAL_SKIP\nx"), "look away"),
        (lambda n, c: c.update(source="#PYTEST_VALIDATE_IGNORE_OUTPUT\nx"), "look away"),
        (lambda n, c: c.update(execution_count=None), "ran as None"),
        (lambda n, c: c.update(execution_count=7), "ran as 7"),
        (lambda n, c: c["outputs"].append({"output_type": "error"}), "an error"),
        (lambda n, c: c["outputs"].append({"output_type": "stream", "name": "stderr"}), "warning"),
        (lambda n, c: c["outputs"][0].update(data=WIDGET), "live widget"),
        (lambda n, c: n["metadata"].update(widgets={}), "state of widgets"),
        (lambda n, c: n["metadata"].update(kernelspec={"name": "ir"}), "another kernel"),
        (lambda n, c: n.update(cells=[]), "runs nothing"),
    ],
)
def test_a_planted_fault_is_found(change, says):
    notebook = copy.deepcopy(GOOD)
    assert faults(notebook) == []
    change(notebook, notebook["cells"][0])
    (fault,) = faults(notebook)
    assert says in fault
