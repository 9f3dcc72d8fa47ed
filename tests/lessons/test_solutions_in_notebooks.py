"""Each solution, put into its own notebook in place of `answer = ...`, is right there too."""

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from ethicalai_lab.lessons.questions import Exercise, declaration, declared_lessons

REPO = Path(__file__).resolve().parents[2]


def _solved(notebook, solutions):
    """Put the solutions in; return which exercise each changed cell checks."""
    solved = {}
    for i, cell in enumerate(notebook.cells):
        if "exercise" in cell.metadata.get("tags", ()):
            name = re.search(r"\bex\.(q\d)\.check\(", cell.source).group(1)
            cell.source = f"{solutions[name]}\nex.{name}.check(answer)"
            solved[i] = name
    return solved


@pytest.mark.parametrize("number", declared_lessons())
def test_solutions_are_right_in_the_notebook(number, work, monkeypatch):
    (path,) = (REPO / "notebooks").glob(f"{number}_*.ipynb")
    notebook = nbformat.read(path, as_version=4)
    items = declaration(number).items.values()
    solutions = {item.id: item.solution for item in items if isinstance(item, Exercise)}
    solved = _solved(notebook, solutions)
    assert set(solved.values()) == set(solutions)
    notebook.cells = notebook.cells[: max(solved) + 1]
    others = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [others, str(REPO)])))
    monkeypatch.setenv("IPYTHONDIR", str(work / "ipython"))
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(work)}}
    ).execute()
    for i, name in solved.items():
        shown = [out.data["text/plain"] for out in notebook.cells[i].outputs if "data" in out]
        assert any(text.startswith("[Right]") for text in shown), (name, shown)
    assert set((work / "progress.json").read_text(encoding="utf-8").split('"')) >= {
        *solved.values()
    }
