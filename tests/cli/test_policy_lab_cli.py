"""`ethicalai-lab policy-lab`: what it refuses, where it serves, what it writes."""

import importlib.util
import json
import re
import socket
from pathlib import Path

import pytest

from ethicalai_lab.cli import main
from ethicalai_lab.widgets import serve


def test_without_voila_one_sentence_says_what_to_install(monkeypatch, capsys):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "voila" else real(name, *a)
    )
    assert main(["policy-lab", "--no-browser"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert 'pip install "ethicalai-lab[present]"' in said.err


@pytest.fixture
def started(monkeypatch):
    """What would be served, without serving it."""
    calls = []
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *a, real=importlib.util.find_spec: name == "voila" or real(name, *a),
    )

    def run(base, port, token, browser):
        files = {
            str(path.relative_to(base)).replace("\\", "/"): path.read_text(encoding="utf-8")
            for path in base.rglob("*")
            if path.is_file()
        }
        calls.append((base, port, token, browser, files))
        return 0

    monkeypatch.setattr(serve, "_run", run)
    return calls


def test_a_policy_that_cannot_be_read_is_named(started, tmp_path, capsys):
    assert main(["policy-lab", "--policy", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml" in capsys.readouterr().err
    (tmp_path / "bad.yaml").write_text("version: 1\nlog: {kind: stone}\n", encoding="utf-8")
    assert main(["policy-lab", "--policy", str(tmp_path / "bad.yaml")]) == 2
    assert "bad.yaml, line 2: log.kind" in capsys.readouterr().err
    assert started == []


@pytest.mark.parametrize("port", ["0", "70000", "eighty"])
def test_a_port_out_of_range_is_refused(started, port, capsys):
    assert main(["policy-lab", "--port", port]) == 2
    assert "65535" in capsys.readouterr().err
    assert started == []


def test_a_busy_port_gives_way_to_the_next_free_one(started):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        taken = busy.getsockname()[1]
        assert main(["policy-lab", "--no-browser", "--port", str(taken)]) == 0
    _, port, _, browser, _ = started[0]
    assert taken < port < taken + 100
    assert browser is False


def test_what_is_served_stays_on_this_computer_and_goes_away(started, tmp_path, monkeypatch):
    monkeypatch.setenv("ETHICALAI_LAB_WORK", str(tmp_path))
    assert main(["policy-lab", "--no-browser", "--n-customers", "321"]) == 0
    base, _, token, _, files = started[0]
    assert not base.exists(), "nothing is left behind"
    assert list(tmp_path.iterdir()) == [], "nothing is written before it is saved"
    source = json.loads(files["page/policy_lab.ipynb"])["cells"][-1]["source"]
    compile(source, "cell", "exec")
    assert "make_world(321)" in source
    assert repr(str(tmp_path / "my_policy.yaml")) in source
    every = json.loads(files["page/voila.json"])
    # a browser that breaks off leaves no kernel for good; one that is connected keeps its own
    assert 0 < every["MappingKernelManager"]["cull_interval"] < serve.LEFT
    assert every["MappingKernelManager"]["cull_idle_timeout"] == serve.LEFT
    assert "cull_connected" not in every["MappingKernelManager"]
    settings = every["Voila"]
    assert settings["ip"] == "127.0.0.1"
    assert settings["token"] == token
    assert len(token) >= 32
    for text in files.values():
        assert not re.search(r"https?://|cdn", text)


@pytest.mark.parametrize("option", ["--customers", "--n-customers"])
def test_customers_are_counted_as_by_the_verb_world(started, option):
    assert main(["policy-lab", "--no-browser", option, "321"]) == 0
    assert "make_world(321)" in started[0][4]["page/policy_lab.ipynb"]


def test_each_start_has_a_token_of_its_own(started):
    for _ in range(2):
        assert main(["policy-lab", "--no-browser"]) == 0
    assert started[0][2] != started[1][2]
    assert Path(started[0][0]) != Path(started[1][0])
