"""Run a lesson anew and save what it shows, touching the file only where that changed.

Lessons are committed with their outputs, so that they can be read without running them
and so that the tests can tell when one shows something else than before. What changes
by itself is not saved: times, versions of the kernel, identifiers of live widgets.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ethicalai_lab.core.files import replace_file
from ethicalai_lab.errors import InputError, LabError
from ethicalai_lab.lessons import offline

__all__ = ["LessonError", "Refreshed", "main", "refresh", "rerun"]

LESSONS = Path(__file__).resolve().parents[2] / "notebooks"
_CELL_SECONDS = 120

_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
_LIVE = (
    "application/vnd.jupyter.widget-view+json",  # names a widget of a kernel that has ended
    "application/vnd.jupyter.widget-state+json",
)
_PICTURE = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")  # in an output's HTML
# Of 255: no reader sees it. Another processor may round a colour, or the edge of a line, otherwise;
# a line or a letter that moved differs by far more.
_SHADE = 16
_VOLATILE = ("execution", "ExecuteTime", "collapsed", "scrolled", "trusted")


class LessonError(LabError):
    """A lesson that does not run through."""


@dataclass(frozen=True)
class Refreshed:
    """What came of one lesson.

    Attributes
    ----------
    name : str
        The file's name.
    seconds : float
        How long it ran, its kernel's start and end included.
    changed : tuple of str
        What differs from the file as it was: ids of cells, or ``"metadata"``.
    """

    name: str
    seconds: float
    changed: tuple[str, ...]


def rerun(
    names: Iterable[str] = (), *, check: bool = False, folder: str | os.PathLike[str] = LESSONS
) -> list[Refreshed]:
    """Run lessons in fresh kernels, offline, and save their outputs.

    Parameters
    ----------
    names : iterable of str, default ()
        Lessons by number (``"01"``) or file name; none means all.
    check : bool, default False
        Only tell what would change.
    folder : path, default the lab's notebooks
        Where the lessons are; also the folder they run in.

    Returns
    -------
    list of Refreshed
        One a lesson, in the order asked for.

    Raises
    ------
    InputError
        When no lesson, or no single one, has that name.
    LessonError
        When a cell fails or warns. The lesson's file is then as it was.

    Examples
    --------
    >>> rerun(["99"])
    Traceback (most recent call last):
        ...
    ethicalai_lab.errors.InputError: '99' names no lesson in notebooks/; give a number ...
    """
    return [_refresh(path, check) for path in _find(names, Path(folder))]


def _find(names: Iterable[str], folder: Path) -> list[Path]:
    there = sorted(folder.glob("*.ipynb"))
    if not (names := list(names)):
        return there
    found = []
    for name in names:
        stem = Path(name).name.removesuffix(".ipynb")
        fits = [path for path in there if path.stem == stem or path.stem.split("_")[0] == stem]
        if len(fits) != 1:
            numbers = ", ".join(path.stem.split("_")[0] for path in there) or "none yet"
            raise InputError(
                f"{name!r} names {'no lesson' if not fits else f'{len(fits)} lessons'} in "
                f"{folder.name}/; give a number or a file name of these: {numbers}."
            )
        found += fits
    return found


def _refresh(path: Path, check: bool) -> Refreshed:
    import nbformat

    before = path.read_text(encoding="utf-8")
    try:
        old, new = (nbformat.reads(before, as_version=4) for _ in range(2))
    except (ValueError, nbformat.ValidationError) as error:
        raise InputError(f"{path.name} is not a notebook: {str(error).splitlines()[0]}") from None
    start = time.perf_counter()
    _execute(new, path)
    seconds = time.perf_counter() - start

    _settle(new)
    changed = []
    for was, now in zip(old.cells, new.cells, strict=True):
        if now.cell_type == "code" and _same(was.outputs, now.outputs):
            now.outputs = was.outputs
        if was != now:
            changed.append(now.id)
    if old.metadata != new.metadata or old.nbformat_minor != new.nbformat_minor:
        changed.append("metadata")
    if changed and not check:
        replace_file(path, f"{nbformat.writes(new)}\n".encode())
    return Refreshed(path.name, seconds, tuple(changed))


def _execute(notebook: Any, path: Path) -> None:
    """Run all cells in place, as the tests run them."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    with tempfile.TemporaryDirectory() as work, tempfile.TemporaryDirectory() as ipython:
        env = os.environ | offline.environment(work)
        env |= {"IPYTHONDIR": ipython, "JUPYTER_PREFER_ENV_PATH": "1"}
        env.pop("MPLBACKEND", None)  # figures show as they do in JupyterLab
        client = NotebookClient(
            notebook,
            timeout=_CELL_SECONDS,
            kernel_name=_KERNEL["name"],
            resources={"metadata": {"path": str(path.parent)}},
            record_timing=False,
            store_widget_state=False,
            coalesce_streams=True,
        )
        kernel = client.create_kernel_manager()
        if kernel.has_trait("transport_encryption"):
            kernel.transport_encryption = "auto"
        try:
            client.execute(env=env)
        except CellExecutionError as error:
            cell = next(c for c in notebook.cells if _failed(c))
            raise LessonError(
                f"{path.name}, cell {cell.id}: {error.ename}: {error.evalue} "
                "The file is left as it was."
            ) from error
        except (CellTimeoutError, DeadKernelError) as error:
            what = str(error).strip().splitlines()[0]
            raise LessonError(f"{path.name}: {what} The file is left as it was.") from error
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "stream" and output.name == "stderr":
                first = output.text.strip().splitlines()[0]
                raise LessonError(
                    f"{path.name}, cell {cell.id} warns: {first} The file is left as it was."
                )


def _failed(cell: Any) -> bool:
    return any(output.output_type == "error" for output in cell.get("outputs", ()))


def _settle(notebook: Any) -> None:
    """Remove from a notebook that has run what another run would not repeat."""
    count = 0
    notebook.nbformat_minor = max(notebook.nbformat_minor, 5)
    for place, cell in enumerate(notebook.cells):
        cell.setdefault("id", f"cell-{place:02d}")
        for name in _VOLATILE:
            cell.metadata.pop(name, None)
        if cell.cell_type != "code":
            continue
        if cell.source.strip():
            count += 1
            cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = cell.execution_count
            for live in _LIVE:
                output.get("data", {}).pop(live, None)
                output.get("metadata", {}).pop(live, None)
        # a widget's output that had no other form
        cell.outputs = [o for o in cell.outputs if o.get("data", True)]
    notebook.metadata.pop("widgets", None)
    notebook.metadata["kernelspec"] = dict(_KERNEL)
    notebook.metadata["language_info"] = {"name": _KERNEL["language"]}


def _same(was: list[Any], now: list[Any]) -> bool:
    """Tell whether a reader sees the same: the same texts, and pictures of the same pixels."""
    (before, old), (after, new) = _shown(was), _shown(now)
    return before == after and all(map(_alike, old, new))


def _shown(outputs: list[Any]) -> tuple[list[Any], list[str]]:
    """Return the outputs with each picture in them, or in their HTML, put aside."""
    pictures: list[str] = []

    def put_aside(match: re.Match[str]) -> str:
        pictures.append(match[1])
        return "PICTURE"

    shown = json.loads(json.dumps(outputs))
    for output in shown:
        output.pop("execution_count", None)
        data = output.get("data", {})
        for form, content in data.items():
            if form == "image/png":
                pictures.append(content)
                data[form] = "PICTURE"
            elif isinstance(content, str):
                data[form] = _PICTURE.sub(put_aside, content)
    return shown, pictures


def _alike(was: str, now: str) -> bool:
    """Tell whether two pictures show the same, however each is packed."""
    import numpy as np

    if was == now:
        return True
    before, after = _pixels(was), _pixels(now)
    if before.shape != after.shape:
        return False
    return int(np.abs(before - after).max(initial=0)) <= _SHADE


def _pixels(png: str) -> Any:
    """Return a picture's pixels: rows, columns, and red, green, blue and cover of each."""
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        return np.asarray(image.convert("RGBA"), dtype=np.int16)


def refresh(
    names: Iterable[str] = (), *, check: bool = False, folder: str | os.PathLike[str] = LESSONS
) -> int:
    """Do as :func:`rerun` does and print a line a lesson: how long it ran, what changed.

    Parameters
    ----------
    names, check, folder
        As :func:`rerun` takes them.

    Returns
    -------
    int
        The exit code: 1 when a lesson failed or, under `check`, would change; else 0.

    Raises
    ------
    InputError
        When no lesson, or no single one, has that name.
    """
    differs = False
    for path in _find(names, Path(folder)):
        try:
            done = _refresh(path, check)
        except LessonError as error:
            print(error, file=sys.stderr)
            return 1
        differs |= bool(done.changed)
        what = f"changed: {', '.join(done.changed)}" if done.changed else "unchanged"
        print(f"{done.seconds:6.1f} s  {done.name}  {what}", flush=True)
    return int(check and differs)


def main(argv: list[str] | None = None) -> int:
    """Run ``python -m ethicalai_lab.lessons.refresh``, the verb with its ``--check``."""
    parser = argparse.ArgumentParser(description="Run lessons anew and save what they show.")
    parser.add_argument("lessons", nargs="*", metavar="NN", help="01, 02, ... (default: all)")
    parser.add_argument("--check", action="store_true", help="save nothing, tell what differs")
    args = parser.parse_args(argv)
    try:
        return refresh(args.lessons, check=args.check)
    except InputError as error:
        parser.error(str(error))


if __name__ == "__main__":
    raise SystemExit(main())
