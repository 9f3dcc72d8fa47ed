"""Each lint rule passes a lesson that keeps the form, and fails one that does not."""

import copy
import json

import pytest

from ethicalai_lab.lessons import lint

FILLER = "The shop writes to people who would have come anyway, and nobody asks them first. "
ALT = "Two bars: the mailed group visits more often than the group without mail"


def _text(name, source, slide="slide", tags=()):
    metadata = {"slideshow": {"slide_type": slide}}
    if tags:
        metadata["tags"] = list(tags)
    return {"cell_type": "markdown", "id": name, "metadata": metadata, "source": source}


def _code(name, source, outputs=(), tags=(), slide="subslide"):
    cell = _text(name, source, slide, tags)
    cell.update(cell_type="code", outputs=list(outputs), execution_count=None)
    return cell


def _shown(html, text="text"):
    return {
        "output_type": "display_data",
        "data": {"text/html": html, "text/plain": text},
        "metadata": {},
    }


def _lesson(number):
    sections = lint.TEMPLATE_00 if number == "00" else lint.TEMPLATE
    repeat = 4 if number == "00" else 8
    cells = [_text("title", "# Personalization: who gains?\n\n" + FILLER)]
    for i, section in enumerate(sections):
        cells.append(_text(f"section-{i}", f"## {section}\n\n" + FILLER * repeat))
    cells.insert(
        5, _code("figure", "show()", [_shown(f'<img alt="{ALT}" src="data:image/png;base64,AA">')])
    )
    exercises = 1 if number == "00" else 3
    for q in range(1, exercises + 1):
        source = f"answer = ...\nex.q{q}.check(answer)"
        cells.insert(7, _code(f"exercise-{q}", source, [_shown("<p>a</p>")], ["exercise"]))
    cells.insert(7, _code("predict", "ex.p1", [_shown("<p>a</p>")], ["predict"]))
    cells.insert(9, _code("quiz", "ex.quiz1", [_shown("<p>a</p>")], ["quiz"]))
    cells.insert(10, _code("decide", "ex.decide(whom=...)", [_shown("<p>a</p>")], ["decide"]))
    cells.insert(10, _code("truth", "world.truth.uplift.mean()", [], ["truth"]))
    cells.insert(4, _text("notes", "Ask the room first.", "notes", ["facilitator"]))
    count = 0
    for cell in cells:
        if cell["cell_type"] == "code":
            count += 1
            cell["execution_count"] = count
    return {
        "cells": cells,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


@pytest.fixture(params=["00", "01"])
def number(request):
    return request.param


def _faults(folder, notebook, number="01"):
    path = folder / f"{number}_lesson.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return lint.lint(path)


def test_a_lesson_that_keeps_the_form_has_no_fault(tmp_path, number):
    assert [str(f) for f in _faults(tmp_path, _lesson(number), number)] == []


def _cell(notebook, name):
    return next(cell for cell in notebook["cells"] if cell["id"] == name)


def _add(name, text):
    def change(notebook):
        _cell(notebook, name)["source"] += text

    return change


def _set(name, key, value):
    def change(notebook):
        _cell(notebook, name)[key] = value

    return change


def _tag(name, *tags):
    def change(notebook):
        _cell(notebook, name)["metadata"]["tags"] = list(tags)

    return change


def _drop(*names):
    def change(notebook):
        notebook["cells"] = [c for c in notebook["cells"] if c["id"] not in names]

    return change


def _swap(one, other):
    def change(notebook):
        a, b = (notebook["cells"].index(_cell(notebook, name)) for name in (one, other))
        cells = notebook["cells"]
        cells[a], cells[b] = cells[b], cells[a]

    return change


def _out(name, *outputs):
    return _set(name, "outputs", list(outputs))


def _meta(**entries):
    def change(notebook):
        notebook["metadata"].update(entries)

    return change


def _many(notebook):
    for i in range(12):
        notebook["cells"].append(_code(f"more-{i}", "\n".join(["x = 1"] * 14)))
    count = 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            count += 1
            cell["execution_count"] = count


def _everywhere_ok(notebook):
    for i in range(3):
        _cell(notebook, f"section-{i}")["metadata"]["tags"] = ["number-ok"]


def _stream(name, text):
    return {"output_type": "stream", "name": name, "text": text}


PICTURE = {"output_type": "display_data", "data": {"image/png": "AA"}, "metadata": {}}
WIDGET = {
    "output_type": "display_data",
    "data": {"application/vnd.jupyter.widget-view+json": {"model_id": "a"}, "text/plain": "x"},
    "metadata": {},
}

BAD = [
    ("title", _add("section-1", "\n# Another"), "2 H1 headings"),
    ("title", _set("title", "source", "Some words first\n# Title"), "must open the first cell"),
    ("heading order", _add("section-1", "\n#### Too deep"), "H4 'Too deep' after H2"),
    ("template", _drop("section-3"), "section 'Story': 0 times"),
    ("template", _add("section-1", "\n\n## Story\n\nAgain."), "section 'Story': 2 times"),
    ("template", _swap("section-3", "section-6"), "out of order"),
    ("words", _drop(*[f"section-{i}" for i in range(6)]), "are wanted"),
    ("cell words", _add("section-1", FILLER * 5), "at most 150"),
    ("code lines", _set("predict", "source", "\n".join(["x = 1"] * 16)), "16 lines"),
    ("code lines", _many, "lines in all"),
    ("forbidden words", _add("section-1", "Now we debias the model."), "mitigate"),
    ("forbidden words", _add("section-1", "The file is fully anonymous."), "which attack"),
    ("forbidden words", _add("section-1", "The shop is compliant."), "which duty"),
    ("forbidden words", _add("section-1", "This **solves bias** at once."), "mitigate"),
    ("tags", _tag("figure", "harm"), "unknown tag 'harm'"),
    ("tags", _tag("section-1", "exercise"), "belongs on a code cell"),
    ("tags", _tag("quiz"), "no cell is tagged 'quiz'"),
    ("tags", _everywhere_ok, "'number-ok' on 3 cells"),
    ("exercises", _drop("exercise-1"), "2; 3 to 5"),
    ("exercises", _set("exercise-1", "source", "ex.q1.check(0.5)"), "must start as"),
    ("exercises", _set("exercise-1", "source", "answer = ..."), "exactly one"),
    ("exercises", _tag("exercise-2"), "without tag 'exercise'"),
    ("truth", _tag("truth"), "without tag 'truth'"),
    ("slides", _set("figure", "metadata", {}), "slide_type is None"),
    (
        "slides",
        _set("notes", "metadata", {"tags": ["facilitator"], "slideshow": {"slide_type": "slide"}}),
        "'notes'",
    ),
    ("alt text", _out("figure", _shown('<img src="data:image/png;base64,AA">')), "alt text is ''"),
    ("alt text", _out("figure", _shown('<img alt="figure 1" src="data:,A">')), "'figure 1'"),
    ("alt text", _add("section-1", "\n![](x.png)"), "alt text is ''"),
    ("alt text", _add("section-1", f"\n![{ALT}](https://e.org/x.png)"), "from elsewhere"),
    ("alt text", _out("figure", PICTURE), "bare picture"),
    ("table headers", _out("figure", _shown("<table><tr><td>1</td></tr></table>")), "header"),
    ("typed numbers", _add("section-1", "\nThe lift is 4.5 % here."), "'4.5 %' is typed"),
    ("typed numbers", _add("section-1", "\nOf 20,000 customers"), "'20,000' is typed"),
    ("typed numbers", _add("section-1", "\nabout 7 % visit"), "typed"),
    ("typed numbers", _add("section-1", "\n| arm | lift |\n|---|---|\n| a | 0.07 |"), "'0.07'"),
    ("outputs", _set("figure", "execution_count", 9), "execution count 9"),
    ("outputs", _out("figure", {"output_type": "error", "ename": "KeyError"}), "KeyError"),
    ("outputs", _out("figure", _stream("stderr", "warning")), "standard error"),
    ("outputs", _out("figure", WIDGET), "random identifier"),
    ("outputs", _meta(widgets={}), "widget state"),
    ("ids", _set("figure", "id", "1f2e3d4c"), "use words"),
    ("ids", _set("figure", "id", "Figure 1"), "use words"),
    ("ids", _set("figure", "id", "title"), "twice"),
    ("metadata", _meta(kernelspec={"name": "my-env"}), "kernel is 'my-env'"),
    ("metadata", _meta(language_info={"version": "3.11.7"}), "Python version"),
    ("metadata", _meta(author="x"), "unknown entries"),
    ("links", _add("section-1", "\n[here](https://example.org)"), "'here'"),
    ("links", _add("section-1", "\n[the next lesson](02_missing.ipynb)"), "does not exist"),
    ("size", _out("figure", _shown("<p>" + "a" * 1_600_000 + "</p>")), "bytes"),
    ("no skips", _set("figure", "source", "# NBVAL_SKIP\nshow()"), "NBVAL_SKIP"),
]


@pytest.mark.parametrize(("rule", "change", "says"), BAD)
def test_a_planted_fault_is_found(tmp_path, rule, change, says):
    notebook = _lesson("01")
    change(notebook)
    found = [str(f) for f in _faults(tmp_path, notebook) if f.rule == rule]
    assert any(says in text for text in found), found


def test_no_outputs_at_all_is_found(tmp_path):
    notebook = _lesson("01")
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = []
    assert "no output is saved" in [f.says for f in _faults(tmp_path, notebook)]


def test_every_rule_has_a_planted_fault():
    assert set(lint.RULES) == {rule for rule, _, _ in BAD}


@pytest.mark.parametrize(
    "text",
    [
        "The campaign went out on 12 January 2026.",
        "Regulation (EU) 2016/679, Article 5(1)(c), and recital 71.",
        "Lesson 05 takes this up, in about 10 minutes.",
        "There are 3 arms.",
        "Since 2018 the law asks for it.",
        "See RFC 6962 and Python 3.11.",
        "1. Split the table.\n2. Fit on one half.",
        "Each value has a 95 % interval.",
        "`k = 25` is written in code.",
    ],
)
def test_numbers_that_may_be_typed(text):
    assert [n for line in text.splitlines() for n in lint._typed_numbers(line)] == []


@pytest.mark.parametrize(
    "text",
    ["a lift of 4.5 points", "17 of them", "0.31", "1,000 customers", "3 % left", "2.5 times"],
)
def test_numbers_that_may_not(text):
    assert lint._typed_numbers(text)


def test_claims_in_quotation_marks_are_free(tmp_path):
    notebook = _lesson("01")
    _cell(notebook, "section-1")["source"] += '\nThe banner says "fully anonymous".'
    assert _faults(tmp_path, notebook) == []


def test_saying_what_is_not_claimed_is_free(tmp_path):
    notebook = _lesson("01")
    _cell(notebook, "section-1")["source"] += (
        "\nThat makes it not compliant; we assess and mitigate."
    )
    assert _faults(tmp_path, notebook) == []


def test_rules_leave_the_notebook_alone(tmp_path):
    notebook = _lesson("01")
    before = copy.deepcopy(notebook)
    _faults(tmp_path, notebook)
    assert notebook == before


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"\xff\xfe", b'{"cells": [], "metadata": {}}']
)
def test_no_notebook_is_one_fault(tmp_path, content):
    path = tmp_path / "01_x.ipynb"
    path.write_bytes(content)
    assert [f.rule for f in lint.lint(path)] == ["file"]


def test_a_missing_file_is_one_fault(tmp_path):
    assert "cannot be read" in str(lint.lint(tmp_path / "01_x.ipynb")[0])


def test_the_command_line(tmp_path, capsys):
    good, bad = tmp_path / "01_good.ipynb", tmp_path / "01_bad.ipynb"
    good.write_text(json.dumps(_lesson("01")), encoding="utf-8")
    notebook = _lesson("01")
    _tag("quiz")(notebook)
    bad.write_text(json.dumps(notebook), encoding="utf-8")
    assert lint.main([str(good)]) == 0
    assert lint.main([str(tmp_path / "*.ipynb")]) == 1
    assert "01_bad.ipynb: tags: no cell is tagged 'quiz'" in capsys.readouterr().out
    assert lint.main([]) == 2
