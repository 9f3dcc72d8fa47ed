"""What holds for every test and every lesson run by pytest: offline, two threads, no screen."""

import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest

from ethicalai_lab.classroom import offline

LESSON_SECONDS = 20  # one lesson, its kernel's start included
ALL_LESSONS_SECONDS = 240
SANITIZE = "tests/nbval_sanitize.cfg"

# Before anything imports NumPy: threads are counted once, when it loads. Kernels and other
# children inherit the same, so a lesson under nbval can neither phone out nor leave files here.
_work = Path(tempfile.mkdtemp(prefix="ethicalai-lab-test-"))
os.environ.update(offline.environment(_work), IPYTHONDIR=str(_work / "ipython"))
(_work / "ipython").mkdir()
offline.install()

# A job run in the background may inherit that Ctrl-C is ignored; tests that press it, and the
# programs they start, need it as a terminal has it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_seconds = pytest.StashKey[dict]()


def pytest_configure(config):
    config.stash[_seconds] = {}
    if config.option.nbval:
        os.environ.pop("MPLBACKEND", None)  # figures show as they do in JupyterLab
        # pictures are packed differently on each system: their text alternatives are compared
        if not config.option.nbval_sanitize_with:
            config.option.nbval_sanitize_with = str(Path(__file__).parent / SANITIZE)
    else:
        os.environ["MPLBACKEND"] = "Agg"


def pytest_unconfigure():
    shutil.rmtree(_work, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Add a cell's whole time (its kernel's start included) to its lesson's."""
    if item.path.suffix != ".ipynb":
        return (yield)
    took = item.config.stash[_seconds]
    if item.path.name not in took:
        # each lesson starts as a new reader does: no policy, no progress, no start-up scripts
        took[item.path.name] = 0.0
        for name in ("ETHICALAI_LAB_WORK", "IPYTHONDIR"):
            os.environ[name] = tempfile.mkdtemp(dir=_work)
    start = time.perf_counter()
    try:
        return (yield)
    finally:
        took[item.path.name] += time.perf_counter() - start


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Fail the cell at which a lesson, or all of them, has used up its time."""
    start = time.perf_counter()
    result = yield
    if item.path.suffix == ".ipynb":
        now = time.perf_counter() - start
        took = item.config.stash[_seconds]
        lesson, everything = took[item.path.name] + now, sum(took.values()) + now
        if lesson > LESSON_SECONDS:
            pytest.fail(f"{item.path.name} took {lesson:.0f} s so far, over {LESSON_SECONDS} s")
        if everything > ALL_LESSONS_SECONDS:
            pytest.fail(f"the lessons took {everything:.0f} s, over {ALL_LESSONS_SECONDS} s")
    return result


def pytest_terminal_summary(terminalreporter, config):
    took = config.stash[_seconds]
    if took:
        terminalreporter.section("seconds a lesson")
        for name, seconds in took.items():
            terminalreporter.write_line(f"{seconds:6.1f}  {name}")
        terminalreporter.write_line(f"{sum(took.values()):6.1f}  in all")
