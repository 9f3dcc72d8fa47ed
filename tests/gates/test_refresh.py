"""Lessons run anew: saved where they changed, untouched where not, and held by nbval."""

import base64
import io
import os
import re
import subprocess
import sys

import nbformat
import pytest

from ethicalai_lab.errors import InputError
from ethicalai_lab.lessons.refresh import LessonError, refresh, rerun

PICTURE = """
import io
from IPython.display import Image
from matplotlib.figure import Figure
figure = Figure(figsize=(1, 1), dpi=40)
figure.subplots().plot([1, 3, {last}])
buffer = io.BytesIO()
figure.savefig(buffer)
Image(data=buffer.getvalue())
"""
# like the lab's own figures: the picture is inside the HTML
IN_HTML = f"""{PICTURE.format(last=2).strip().rsplit(chr(10), 1)[0]}
import base64
from IPython.display import HTML
HTML(f'<img alt="a line" src="data:image/png;base64,{{base64.b64encode(buffer.getvalue()).decode()}}">')
"""
# like the lab's widgets: one output holds the live form and the static one
WIDGET = """
import ipywidgets
from IPython.display import display
slider = ipywidgets.IntSlider(value=3)
view = {"version_major": 2, "version_minor": 0, "model_id": slider.model_id}
display({"application/vnd.jupyter.widget-view+json": view, "text/plain": "at 3"}, raw=True)
"""
OUTSIDE = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=2)"


def write(folder, *sources, name="07_lesson"):
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_markdown_cell("# Lesson", id="l07-title")]
    notebook.cells += [
        nbformat.v4.new_code_cell(source.strip(), id=f"l07-{i}") for i, source in enumerate(sources)
    ]
    path = folder / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return path


def edit(path, cell, change):
    notebook = nbformat.read(path, as_version=4)
    change(notebook.cells[cell])
    nbformat.write(notebook, path)


def nbval(path, repo, *options, env=None):
    """Hold a lesson to its outputs as `lab.py test` does; return (exit code, output)."""
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider"]
    command += ["--nbval", "--nbval-current-env", *options, str(path)]
    done = subprocess.run(command, cwd=repo, env=env, capture_output=True, text=True, timeout=500)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    """A lesson that was refreshed once."""
    folder = tmp_path_factory.mktemp("notebooks")
    path = write(
        folder, "import sys\nprint('seen', end=' ')\nprint('it')", PICTURE.format(last=2), WIDGET
    )
    (done,) = rerun(["07"], folder=folder)
    assert done.changed == ("l07-0", "l07-1", "l07-2", "metadata")
    assert done.seconds > 0.1
    return path


@pytest.fixture
def copy(lesson, tmp_path):
    path = tmp_path / lesson.name
    path.write_bytes(lesson.read_bytes())
    return path


def test_outputs_ids_and_metadata_are_saved_in_their_lasting_form(lesson):
    notebook = nbformat.read(lesson, as_version=4)
    nbformat.validate(notebook)
    assert [cell.id for cell in notebook.cells] == ["l07-title", "l07-0", "l07-1", "l07-2"]
    assert [cell.execution_count for cell in notebook.cells[1:]] == [1, 2, 3]
    assert all(not cell.metadata for cell in notebook.cells)
    assert notebook.cells[1].outputs[0].text == "seen it\n"
    assert "image/png" in notebook.cells[2].outputs[0].data
    assert notebook.cells[3].outputs[0].data == {"text/plain": "at 3"}
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


def test_nothing_changed_nothing_touched(copy):
    # another writer's layout is no change either
    copy.write_text(copy.read_text(encoding="utf-8") + "\n\n", encoding="utf-8")
    # nor is a picture packed in another way
    from PIL import Image

    def repack(cell):
        data = cell.outputs[0].data
        with Image.open(io.BytesIO(base64.b64decode(data["image/png"]))) as image:
            packed = io.BytesIO()
            image.save(packed, "PNG", compress_level=1)
        assert base64.b64encode(packed.getvalue()).decode() != data["image/png"].strip()
        data["image/png"] = base64.b64encode(packed.getvalue()).decode()

    edit(copy, 2, repack)
    before, time = copy.read_bytes(), copy.stat().st_mtime_ns
    (done,) = rerun(folder=copy.parent)
    assert done.changed == ()
    assert copy.read_bytes() == before
    assert copy.stat().st_mtime_ns == time


def test_pictures_in_html_are_compared_by_pixels(tmp_path):
    from PIL import Image, ImageDraw

    def redrawn(change, level=6):
        """Return what draws a cell's saved picture anew."""

        def redraw(cell):
            data = cell.outputs[0].data
            packed = re.search('base64,([^"]+)', data["text/html"])[1]
            with Image.open(io.BytesIO(base64.b64decode(packed))) as image:
                image = change(image.convert("RGB"))
            buffer = io.BytesIO()
            image.save(buffer, "PNG", compress_level=level)
            anew = base64.b64encode(buffer.getvalue()).decode()
            assert anew != packed
            data["text/html"] = data["text/html"].replace(packed, anew)

        return redraw

    def line(image):
        ImageDraw.Draw(image).line([(5, 9), (12, 9)], fill=(40, 40, 40))
        return image

    changes = {
        "packed": redrawn(lambda image: image, level=1),
        "shaded": redrawn(lambda image: image.point(lambda v: v + (2 if v < 128 else -2))),
        "moved": redrawn(line),
        "larger": redrawn(lambda image: image.resize((80, 40))),
        "said": lambda cell: cell.outputs[0].data.update(
            {"text/html": cell.outputs[0].data["text/html"].replace("a line", "a bar")}
        ),
    }
    path = write(tmp_path, *[IN_HTML] * len(changes))
    rerun(folder=tmp_path)
    for place, change in enumerate(changes.values(), 1):
        edit(path, place, change)
    (done,) = rerun(folder=tmp_path, check=True)
    differ = [list(changes)[int(name.removeprefix("l07-"))] for name in done.changed]
    assert differ == ["moved", "larger", "said"]


def test_only_what_changed_is_saved_and_check_saves_nothing(copy, capsys):
    edit(copy, 1, lambda cell: cell.update(source="print('something else')"))
    edit(copy, 2, lambda cell: cell.update(source=PICTURE.format(last=9).strip()))
    before = nbformat.read(copy, as_version=4)
    raw = copy.read_bytes()
    (done,) = rerun(["07_lesson.ipynb"], folder=copy.parent, check=True)
    assert done.changed == ("l07-0", "l07-1")
    assert copy.read_bytes() == raw
    assert refresh(["07"], folder=copy.parent) == 0
    assert capsys.readouterr().out.endswith("s  07_lesson.ipynb  changed: l07-0, l07-1\n")
    after = nbformat.read(copy, as_version=4)
    assert [a != b for a, b in zip(after.cells, before.cells, strict=True)] == [False, 1, 1, False]
    assert after.cells[1].outputs[0].text == "something else\n"
    assert [p.name for p in copy.parent.iterdir()] == [copy.name]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", r"07_lesson.ipynb, cell l07-1: ZeroDivisionError: division by zero"),
        (OUTSIDE, r"cell l07-1: ConnectionRefusedError: the lab works offline"),
        ("import warnings; warnings.warn('old')", r"cell l07-1 warns: .*UserWarning: old"),
        ("import os; os._exit(3)", r"07_lesson.ipynb: .*died.* The file is left as it was"),
    ],
)
def test_a_failing_cell_leaves_the_file_as_it_was(tmp_path, source, message):
    path = write(tmp_path, "print('fine')", source)
    before = path.read_bytes()
    with pytest.raises(LessonError, match=message):
        rerun(folder=tmp_path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_unknown_and_ambiguous_names_say_what_there_is(tmp_path):
    write(tmp_path, name="07_a")
    with pytest.raises(InputError, match=r"'08' names no lesson in .* of these: 07\."):
        rerun(["08"], folder=tmp_path)
    write(tmp_path, name="07_b")
    with pytest.raises(InputError, match="'07' names 2 lessons"):
        rerun(["07"], folder=tmp_path)
    (tmp_path / "09_broken.ipynb").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"09_broken.ipynb is not a notebook"):
        rerun(["09"], folder=tmp_path)


def test_each_lesson_works_in_a_folder_of_its_own(tmp_path):
    source = "import os; print(os.listdir(os.environ['ETHICALAI_LAB_WORK']) == []); "
    source += "open(os.path.join(os.environ['ETHICALAI_LAB_WORK'], 'policy'), 'w').close()"
    for name in ("01_a", "02_b"):
        write(tmp_path, source, name=name)
    assert refresh(folder=tmp_path, check=True) == 1
    assert refresh(folder=tmp_path) == 0
    for path in tmp_path.glob("*.ipynb"):
        assert nbformat.read(path, as_version=4).cells[1].outputs[0].text == "True\n"


# the gate itself: what it must let through, and what it must not


def test_nbval_accepts_a_refreshed_lesson_and_reports_its_time(copy, repo):
    code, said = nbval(copy, repo)
    assert code == 0, said
    assert "3 passed" in said
    assert "07_lesson.ipynb" in said.split("seconds a lesson")[1]


def test_nbval_refuses_another_output_and_the_outside(copy, repo):
    edit(copy, 1, lambda cell: cell.outputs[0].update(text="seen that\n"))
    edit(copy, 3, lambda cell: cell.update(source=OUTSIDE))
    code, said = nbval(copy, repo)
    assert code == 1
    assert "2 failed, 1 passed" in said
    assert "the lab works offline" in said


def test_nbval_on_two_processes_keeps_a_lesson_s_cells_together(tmp_path, repo):
    cells = [
        "import os; open(os.environ['PYTEST_XDIST_WORKER'], 'x').close()",
        "assert os.environ['OMP_NUM_THREADS'] == '1'",
        "work = os.environ['ETHICALAI_LAB_WORK']; assert os.listdir(work) == []",
        "open(os.path.join(work, 'policy'), 'x').close()",
        OUTSIDE,
    ]
    paths = [write(tmp_path, *cells, name=f"0{number}_lesson") for number in (1, 2)]
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    code, said = nbval(paths[0], repo, "-n", "2", str(paths[1]), env=environment)
    # all pass but the two that reach outside: each process has one thread and the guard, each
    # lesson an empty folder, and its cells follow on one another
    assert code == 1
    assert "2 failed, 8 passed" in said, said
    assert "the lab works offline" in said
    assert {path.name for path in tmp_path.iterdir()} >= {"gw0", "gw1"}
    assert "02_lesson.ipynb" in said.split("seconds a lesson")[1]
