"""Other processors round otherwise: a scorecard shows the same, and differs by what it states."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import threadpoolctl

from ethicalai_lab.policy import PolicyLab, Scorecard, preset
from ethicalai_lab.world import make_world

FLAGS = Path("/proc/cpuinfo")
KINDS = {"Haswell": "avx2", "SkylakeX": "avx512f"}  # of OpenBLAS, and what a processor needs
PRESETS = ("fairness_first", "privacy_first")
MEASURE = f"""
import json, threadpoolctl
from ethicalai_lab.policy import PolicyLab, preset
from ethicalai_lab.world import make_world
lab = PolicyLab(make_world(2_000, seed=7), n_boot=60)
cards = [lab.evaluate(preset(name)).to_json() for name in {PRESETS}]
print(json.dumps([cards, [p.get("architecture") for p in threadpoolctl.threadpool_info()]]))
"""


@pytest.fixture(scope="module")
def cards():
    lab = PolicyLab(make_world(2_000, seed=7), n_boot=60)
    return [lab.evaluate(preset(name)) for name in PRESETS]


def near(one, other, tolerance):
    if one is None or other is None:
        return one is other
    return abs(one - other) <= tolerance * max(1.0, abs(one))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_scorecard_shows_the_same_and_differs_by_what_it_states(cards, kind, threads):
    if platform.machine() not in ("x86_64", "AMD64") or not FLAGS.exists():
        pytest.skip("needs Linux on x86")
    if KINDS[kind] not in FLAGS.read_text().split():
        pytest.skip(f"this processor cannot run {kind}")
    number = str(threads)
    other = {"OPENBLAS_CORETYPE": kind, "OMP_NUM_THREADS": number, "OPENBLAS_NUM_THREADS": number}
    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        env=os.environ | other,
        capture_output=True,
        text=True,
        check=True,
    )
    texts, architectures = json.loads(done.stdout)
    assert kind in architectures
    for here, text in zip(cards, texts, strict=True):
        there, allowed = Scorecard.from_json(text), json.loads(text)["tolerance"]
        assert set(allowed) == {"value", "interval"}
        assert [m.key for m in there.measures] == [m.key for m in here.measures]
        for one, two in zip(here.measures, there.measures, strict=True):
            assert one.shown == two.shown, one.key
            assert near(one.value, two.value, allowed["value"]), one.key
            assert near(one.low, two.low, allowed["interval"]), one.key
            assert near(one.high, two.high, allowed["interval"]), one.key


def test_the_processor_asked_for_is_the_one_that_computes():
    asked = os.environ.get("OPENBLAS_CORETYPE")
    if not asked:
        pytest.skip("no OPENBLAS_CORETYPE is set")
    found = {each.get("architecture") for each in threadpoolctl.threadpool_info()} - {None}
    assert found == {asked}
