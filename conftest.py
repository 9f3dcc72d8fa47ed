"""What holds for every test and every lesson run by pytest: offline, two threads, no screen."""

import atexit
import os
import shutil
import tempfile
import time

import pytest

from ethicalai_lab.classroom import offline

# Before anything imports NumPy: threads are counted once, when it loads. Kernels and other
# children inherit the same, so a lesson under nbval can neither phone out nor leave files here.
_work = tempfile.mkdtemp(prefix="ethicalai-lab-test-")
atexit.register(shutil.rmtree, _work, ignore_errors=True)
os.environ.update(offline.environment(_work))
offline.install()

LESSON_SECONDS = 20  # one lesson, its kernel's start included
ALL_LESSONS_SECONDS = 240

_seconds = pytest.StashKey[dict]()
_last_tick = pytest.StashKey[float]()


def pytest_configure(config):
    config.stash[_seconds] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Add a cell's whole time (its kernel's start and stop included) to its lesson's."""
    start = time.perf_counter()
    try:
        return (yield)
    finally:
        if item.path.suffix == ".ipynb":
            took = item.config.stash[_seconds]
            took[item.path.name] = took.get(item.path.name, 0) + time.perf_counter() - start


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Fail the cell at which a lesson, or all of them, has used up its time."""
    start = time.perf_counter()
    result = yield
    if item.path.suffix == ".ipynb":
        now = time.perf_counter() - start
        took = item.config.stash[_seconds]
        lesson, everything = took.get(item.path.name, 0) + now, sum(took.values()) + now
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
