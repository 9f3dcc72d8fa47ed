"""A tiny stand-in for the world, so that the engine is tested on known figures."""

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
