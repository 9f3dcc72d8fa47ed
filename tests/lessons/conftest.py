"""A tiny stand-in for the world, so that the engine is tested on known figures."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    """The reader's own folder: each test has its own."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.setenv("ETHICALAI_LAB_WORK", str(folder))
    return folder


@pytest.fixture(scope="session")
def toy_world():
    """Ten customers: with the sports mail 3 of 4 visit, without 1 of 4."""
    campaign = pd.DataFrame(
        {
            "customer_id": range(1, 11),
            "arm": ["sports_mail"] * 4 + ["no_mail"] * 4 + ["fashion_mail"] * 2,
            "visit": [1, 1, 1, 0, 1, 0, 0, 0, 1, 0],
        }
    )
    return SimpleNamespace(campaign=campaign)


@pytest.fixture
def python(work):
    """Start a Python process of its own that runs some code, as another kernel would."""
    root = str(Path(__file__).resolve().parents[2])
    started = []

    def start(code):
        env = {**os.environ, "PYTHONPATH": root, "ETHICALAI_LAB_WORK": str(work)}
        started.append(subprocess.Popen([sys.executable, "-c", code], env=env, cwd=work))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
