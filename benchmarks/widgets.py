"""How long every what-if of every lesson takes to answer when one of its controls is moved.

Run as ``python benchmarks/widgets.py [NN ...]``. Each lesson's cells are run in this process; each
control of each what-if is then moved to values it had not before, as a reader moves it.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np

LESSONS = Path(__file__).resolve().parents[1] / "notebooks"
LIMIT = 0.150  # seconds; beyond it a reader waits
MOVES = 5


def run(lesson: Path) -> dict:
    """Run the lesson's code and return the names it defines."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    for cell in json.loads(lesson.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            shell.run_cell("".join(cell["source"]), silent=True).raise_error()
    return shell.user_ns


def controls(widget) -> list:
    """Return the controls below a widget, those a reader moves."""
    below = [found for child in getattr(widget, "children", ()) for found in controls(child)]
    moved = (
        hasattr(widget, "options")
        or hasattr(widget, "min")
        or isinstance(getattr(widget, "value", None), bool)
    )
    return [*below, *([widget] if moved else [])]


def others(control) -> list:
    """Return values that the control can take and does not have, in a few steps."""
    if hasattr(control, "options"):
        values = [o[1] if isinstance(o, tuple) else o for o in control.options]
    elif hasattr(control, "min"):
        steps = round((control.max - control.min) / control.step)
        places = np.unique(np.linspace(0, steps, min(steps, MOVES) + 1).astype(int))
        values = [type(control.value)(control.min + place * control.step) for place in places]
    else:
        values = [not control.value]
    return [value for value in values if value != control.value][:MOVES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", nargs="*", metavar="NN", help="01, 02, ... (default: all)")
    wanted = parser.parse_args().lessons
    from ethicalai_lab.widgets.base import WhatIf

    made: list[WhatIf] = []
    begin = WhatIf.__init__

    def noted(self, *args, **settings):
        begin(self, *args, **settings)
        made.append(self)

    WhatIf.__init__ = noted
    os.chdir(LESSONS)
    print(f"seconds an answer, over {LIMIT * 1000:g} ms are marked")
    for lesson in sorted(LESSONS.glob("*.ipynb")):
        if wanted and lesson.name[:2] not in wanted:
            continue
        made.clear()
        with tempfile.TemporaryDirectory() as work:
            os.environ["ETHICALAI_LAB_WORK"] = work
            run(lesson)
        for number, each in enumerate(made, 1):
            took = []
            for control in controls(each.widget()):
                for value in others(control):
                    start = time.perf_counter()
                    control.value = value
                    took.append(time.perf_counter() - start)
            if took:
                median, worst = np.median(took), max(took)
                slow = "  slow" if median > LIMIT else ""
                print(
                    f"{lesson.stem[:34]:34} what-if {number}: {len(took):3} moves, "
                    f"median {median:.3f}, worst {worst:.3f}{slow}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
