"""Whoever reads the list of processes learns no token; whoever kills the page ends its server."""

import contextlib
import http.client
import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="the stand-in for a browser is a script"),
    pytest.mark.skipif(importlib.util.find_spec("voila") is None, reason="needs Voilà"),
]
GUARD = 120  # seconds: nothing here is measured, it only must not hang

BROWSER = """\
#!{python}
import pathlib, sys, time, urllib.parse, urllib.request
told = sys.argv[1]
page = pathlib.Path(urllib.request.url2pathname(urllib.parse.urlsplit(told).path))
seen = pathlib.Path({seen!r})
part = seen.with_suffix(".part")
part.write_text("\\n".join([oct(page.stat().st_mode), oct(page.parent.stat().st_mode), told,
                          page.read_text()]))
part.rename(seen)
time.sleep(600)
"""


@pytest.fixture
def lab(repo):
    spec = importlib.util.spec_from_file_location("lab_under_test", repo / "lab.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def opened(tmp_path):
    """An environment whose browser writes down what it was told, and stays open."""
    seen = tmp_path / "seen.txt"
    script = tmp_path / "browser"
    script.write_text(BROWSER.format(python=sys.executable, seen=str(seen)), encoding="utf-8")
    script.chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    kept = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")}
    environment = kept | {
        "HOME": str(home),
        "TMPDIR": str(tmp_path),
        "BROWSER": f"{script} %s",
        "ETHICALAI_LAB_WORK": str(home),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "OMP_NUM_THREADS": "2",
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }
    yield seen, environment
    for process in psutil.process_iter():  # the stand-in outlives who started it
        with contextlib.suppress(psutil.Error):
            if str(script) in process.cmdline():
                process.kill()


def policy_lab():
    """Return a command that no other test, run at the same time, can take the port from."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    start = [sys.executable, "-m", "ethicalai_lab", "policy-lab"]
    return [*start, "--customers", "300", "--port", port]


def wait_for(what):
    end = time.monotonic() + GUARD
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.1)
    raise AssertionError("nothing came of it")


def command_lines():
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            yield " ".join(process.cmdline())


def start(command, environment, cwd):
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def stop(process, sent=signal.SIGINT):
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(sent)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GUARD)
    process.kill()
    process.wait()
    process.stdout.close()


def watched(seen):
    """Read command lines until the browser has been told; return what it saw, and the lines."""
    lines = set()

    def told():
        lines.update(command_lines())
        return seen.exists()

    wait_for(told)
    lines.update(command_lines())
    return seen.read_text(encoding="utf-8").split("\n", 3), lines


def test_the_policy_labs_token_is_on_no_command_line(opened, tmp_path):
    seen, environment = opened
    command = policy_lab()
    process = start(command, environment, tmp_path)
    try:
        (mode, folder_mode, told, page), lines = watched(seen)
        url, token = re.search(r"(http://127\.0\.0\.1:\d+/)\?token=([\w-]{32})", page).groups()
        assert "open.html" in told
        assert any("open.html" in line for line in lines), "the browser was among them"
        assert not any(token in line for line in lines)
        assert (mode, folder_mode) == ("0o100600", "0o40700")
        with urllib.request.urlopen(url, timeout=GUARD) as answer:
            assert "/login?" in answer.url, "without the token there is no page"
        with urllib.request.urlopen(f"{url}?token={token}", timeout=GUARD) as answer:
            assert "/login?" not in answer.url
        assert not any(token in line for line in command_lines())
    finally:
        stop(process)
    assert list((tmp_path / "home").iterdir()) == [], "the page that opens it is gone"


def test_jupyterlabs_token_is_on_no_command_line(opened, tmp_path, lab):
    seen, environment = opened
    command = [
        f"--ServerApp.root_dir={tmp_path}" if part.startswith("--ServerApp.root_dir=") else part
        for part in lab.jupyter_command()
    ]
    environment["BROWSER"] += " &"  # else the server waits for its browser's end
    process = start([sys.executable, *command[1:]], environment, tmp_path)
    try:
        (_, folder_mode, told, page), lines = watched(seen)
        token = re.search(r"token=(\w{32,})", page)[1]
        assert told.startswith("file:")
        assert any(told in line for line in lines), "the browser was among them"
        assert not any(token in line for line in lines)
        assert folder_mode == "0o40700"
    finally:
        stop(process, signal.SIGTERM)


def test_what_runs_is_for_its_owner_and_not_hidden_from_browsers(lab, tmp_path):
    place = Path(lab.environment()["JUPYTER_RUNTIME_DIR"])
    assert place.parent == lab.ROOT
    assert not place.name.startswith(".")
    folder = tmp_path / "runtime"
    for _ in range(2):
        lab.own_folder(folder)
        assert folder.stat().st_mode & 0o777 == 0o700
        folder.chmod(0o755)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGHUP", "SIGINT"])
def test_a_killed_policy_lab_leaves_no_server_behind(opened, tmp_path, name):
    seen, environment = opened
    command = policy_lab()
    process = start(command, environment, tmp_path)
    try:
        page = watched(seen)[0][3]
        url = re.search(r"http://[^\"]+", page)[0]

        def visit():  # so that a kernel runs as well
            # the server is killed while it answers
            with (
                contextlib.suppress(OSError, http.client.HTTPException),
                urllib.request.urlopen(url, timeout=GUARD) as answer,
            ):
                answer.read()

        threading.Thread(target=visit, daemon=True).start()
        parent = psutil.Process(process.pid)

        def all_of_it():
            with contextlib.suppress(psutil.Error):
                below = [
                    p
                    for p in parent.children(recursive=True)
                    if "browser" not in str(p.cmdline()[1:2])
                ]
                return below if any("ipykernel" in " ".join(p.cmdline()) for p in below) else []

        below = wait_for(all_of_it)
        process.send_signal(getattr(signal, name))
        assert process.wait(GUARD) == (-signal.SIGKILL if name == "SIGKILL" else 0)
        alive = psutil.wait_procs(below, timeout=GUARD)[1]
        assert [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []
        left = wait_for(lambda: {p.name for p in tmp_path.iterdir()} or None)
        assert not any(each.startswith("policy-lab-") for each in left)
        assert list((tmp_path / "home").iterdir()) == []
    finally:
        stop(process, signal.SIGKILL)
