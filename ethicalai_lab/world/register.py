"""Mechanism of the public register: the list an attacker could hold."""

# A mechanism's docstring describes its node in the graph.
# ruff: noqa: D401

from __future__ import annotations

import numpy as np

from ethicalai_lab.world.causal import mechanism

__all__: list[str] = []

OUTDATED_SHARE = 0.03  # entries that still show another address


@mechanism("observed")
def register_entries(rng, n, *, birth_date, gender, name, street, postcode, register_coverage):
    """Customers in the public register, a few with an outdated address."""
    listed = np.flatnonzero(rng.random(n) < register_coverage)
    moved = rng.random(listed.size) < OUTDATED_SHARE
    # the old address of who moved is one of the addresses of the land
    elsewhere = np.where(moved, (rng.random(listed.size) * n).astype(np.int64), listed)
    return {
        "person": listed,
        "birth_date": birth_date[listed],
        "gender": gender[listed],
        "name": name[:, listed],
        "street": street[:, elsewhere],
        "postcode": postcode[elsewhere],
    }
