"""Worlds that the tests of this area share."""

import pytest

from ethicalai_lab.world import make_world


@pytest.fixture(scope="session")
def mid_world():
    """A world of 20,000 customers. It is shared: copy a frame before changing it."""
    return make_world(20_000, seed=11)


@pytest.fixture(scope="session")
def big_world():
    """A world of as many customers as the published experiment had."""
    return make_world(64_000, seed=3)
