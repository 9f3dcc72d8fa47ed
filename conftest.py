"""What holds for every test and every lesson run by pytest: offline, few threads, no screen.

`-n 2` (pytest-xdist) shares the test files out to two processes. Each is its own: a work folder,
the guard against the network, and one thread, so that they do not fight for the cores.
"""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from ethicalai_lab.lessons import offline

SANITIZE = "tests/nbval_sanitize.cfg"

# Before anything imports NumPy: threads are counted once, when it loads. Kernels and other
# children inherit the same, so a lesson under nbval can neither phone out nor leave files here.
# A worker's folder is inside the one of who started it, who removes what a killed worker leaves.
_threads = os.environ.get("OMP_NUM_THREADS")
_of_worker = os.environ["ETHICALAI_LAB_WORK"] if "PYTEST_XDIST_WORKER" in os.environ else None
_work = Path(tempfile.mkdtemp(prefix="ethicalai-lab-test-", dir=_of_worker))
os.environ.update(
    offline.environment(_work, threads=int(_threads or 2)), IPYTHONDIR=str(_work / "ipython")
)
(_work / "ipython").mkdir()
offline.install()

# A job run in the background may inherit that Ctrl-C is ignored; tests that press it, and the
# programs they start, need it as a terminal has it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_lessons = pytest.StashKey[set]()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Say how many processes `-n auto` means: one a core, but no more than memory has room for."""
    import psutil

    cores = len(psutil.Process().cpu_affinity()) if hasattr(os, "sched_getaffinity") else 0
    room = int(psutil.virtual_memory().total / 3e9)
    return max(1, min(cores or os.cpu_count() or 1, room, 8))


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config):
    # before pytest-xdist decides how to share the tests out:
    # a lesson's cells need one kernel, and a file's tests share what its fixtures made
    if config.getoption("numprocesses", None) and config.option.dist == "no":
        config.option.dist = "loadfile"
    return (yield)


def pytest_configure(config):
    config.stash[_lessons] = set()
    if config.getoption("numprocesses", None) and not _threads:
        os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # the workers inherit it
    if config.option.nbval:
        os.environ.pop("MPLBACKEND", None)  # figures show as they do in JupyterLab
        # pictures are packed differently on each system: their text alternatives are compared
        if not config.option.nbval_sanitize_with:
            config.option.nbval_sanitize_with = str(Path(__file__).parent / SANITIZE)
    else:
        os.environ["MPLBACKEND"] = "Agg"


def pytest_unconfigure():
    shutil.rmtree(_work, ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Let each lesson start as a new reader does: no policy, no progress, no start-up scripts."""
    begun = item.config.stash[_lessons]
    if item.path.suffix == ".ipynb" and item.path not in begun:
        begun.add(item.path)
        for name in ("ETHICALAI_LAB_WORK", "IPYTHONDIR"):
            os.environ[name] = tempfile.mkdtemp(dir=_work)


def pytest_terminal_summary(terminalreporter):
    """Say how long each lesson ran, its kernel's start included."""
    took = {}
    for report in (report for kind in terminalreporter.stats.values() for report in kind):
        lesson = getattr(report, "nodeid", "").split("::")[0]
        if lesson.endswith(".ipynb"):
            took[lesson] = took.get(lesson, 0) + report.duration
    if took:
        terminalreporter.section("seconds a lesson")
        for name, seconds in sorted(took.items()):
            terminalreporter.write_line(f"{seconds:6.1f}  {name.rsplit('/')[-1]}")
        terminalreporter.write_line(f"{sum(took.values()):6.1f}  in all")
