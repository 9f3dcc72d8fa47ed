"""Nothing that the tests or the lessons start may reach the outside."""

import asyncio
import os
import socket
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

# an address set aside for documentation: nobody answers there, and nobody may be asked
OUTSIDE = ("192.0.2.1", 80)


def test_connection_to_the_outside_is_refused():
    with socket.socket() as s, pytest.raises(ConnectionRefusedError, match="offline"):
        s.connect(OUTSIDE)


def test_datagram_to_the_outside_is_refused():
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with datagrams as s, pytest.raises(ConnectionRefusedError, match="offline"):
        s.sendto(b"hello", OUTSIDE)


def test_looking_up_a_name_is_refused():
    with pytest.raises(ConnectionRefusedError, match="offline"):
        socket.getaddrinfo("example.com", 80)


def test_asyncio_is_refused_too():
    async def connect():
        await asyncio.open_connection(*OUTSIDE)

    # in a thread of its own: a browser test may have left this one with a running loop
    with ThreadPoolExecutor(1) as pool, pytest.raises(ConnectionRefusedError, match="offline"):
        pool.submit(lambda: asyncio.run(connect())).result()


def test_a_web_request_fails_at_once():
    with pytest.raises(OSError, match=r"refused|offline"):
        urllib.request.urlopen("http://192.0.2.1/", timeout=5)


def test_loopback_stays_open():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=5) as client,
    ):
        client.sendall(b"x")
        peer, _ = server.accept()
        with peer:
            assert peer.recv(1) == b"x"


def test_child_processes_are_guarded():
    code = f"import socket; socket.create_connection({OUTSIDE!r}, timeout=2)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.returncode != 0
    assert "the lab works offline" in child.stderr


def test_without_the_guard_the_child_would_try():
    """The test above can fail: the refusal comes from the guard, not from a closed network."""
    code = f"import socket; socket.create_connection({OUTSIDE!r}, timeout=.2)"
    bare = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    child = subprocess.run([sys.executable, "-c", code], env=bare, capture_output=True, text=True)
    assert "the lab works offline" not in child.stderr
