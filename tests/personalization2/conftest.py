"""Worlds shared by this area's tests; copy a frame before changing it."""

import pytest


@pytest.fixture(scope="session")
def world():
    from ethicalai_lab.world import make_world

    return make_world(12_000, seed=7)
