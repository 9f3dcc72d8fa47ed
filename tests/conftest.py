"""Fixtures that every test area may use."""

from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile(
    "lab", deadline=None, derandomize=True, database=None, print_blob=False
)
hypothesis.settings.load_profile("lab")

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repo():
    """The checkout's root."""
    return REPO


@pytest.fixture(scope="session")
def shared_data():
    """The real tables beside the checkout; without them the test is skipped."""
    folder = REPO.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the real tables in ../shared/data")
    return folder


@pytest.fixture(scope="session")
def small_world():
    """A world of 2,000 customers. It is shared: copy a frame before changing it."""
    from ethicalai_lab.world import make_world

    return make_world(2_000, seed=7)
