"""Whatever is thrown at the command, it ends as documented; see fuzz_verbs.py for more of it."""

import importlib.util
from pathlib import Path

import pytest


def _tool():
    spec = importlib.util.spec_from_file_location(
        "fuzz_verbs", Path(__file__).with_name("fuzz_verbs.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("part", range(6))
def test_any_input_ends_as_documented(part):
    tool = _tool()
    for seed in range(part * 50, (part + 1) * 50):
        args, _, found, err = tool.once(seed)
        assert not found, (seed, args, err)


def test_a_planted_fault_is_found(tmp_path):
    tool = _tool()
    page = {"o.html": b"<!doctype html>"}
    said = "one sentence.\n"
    assert tool.faults(["uplift"], 2, "", said, {}, {}) == []
    assert tool.faults(["uplift"], 3, "", "A fault in the lab itself\n", {}, {})
    assert tool.faults(["uplift"], 1, "", "", {}, {})
    assert tool.faults(["evaluate"], 1, "", "", {}, {}) == []
    assert tool.faults(["roles"], 0, "\x1b[2J", "", {}, {}) == ["raw control characters"]
    assert tool.faults(["uplift"], 0, "", "", {}, page) == ["half of o.html"]
    assert tool.faults(["uplift"], 0, "", "", {"a": b"1"}, {}) == ["changed a file that was there"]
    assert tool.faults(["uplift", "--json"], 0, "NaN", "", {}, {}) == ["no strict JSON"]
    assert "wrote files although it failed" in tool.faults(["roles"], 2, "", "x\n", {}, page)
