"""Serve the policy lab as a page of its own, on this computer only."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from ethicalai_lab.core.report import render
from ethicalai_lab.errors import InputError

__all__ = ["ServeError", "free_port", "serve", "site"]

HOST = "127.0.0.1"
FIRST_PORT = 8866
_TRIES = 100
#: Seconds after which the kernel of a page that nobody has open any more is ended.
LEFT = 1_800


class ServeError(InputError):
    """The page cannot be served as asked."""


def free_port(wanted: int | None = None) -> int:
    """Return the port wanted, or the next free one.

    Parameters
    ----------
    wanted : int, optional
        From 1 to 65535; 8866 unless told.

    Returns
    -------
    int

    Raises
    ------
    ServeError
        If none of a hundred ports is free.

    Examples
    --------
    >>> 1 <= free_port() <= 65_535
    True
    """
    first = FIRST_PORT if wanted is None else wanted
    for port in range(first, min(first + _TRIES, 65_536)):
        with contextlib.suppress(OSError), socket.create_server((HOST, port)):
            return port
    raise ServeError(f"None of the ports from {first} on is free; name another with --port.")


def _template(name: str) -> str:
    return resources.files("ethicalai_lab.widgets").joinpath("templates", name).read_text("utf-8")


@contextlib.contextmanager
def site(n_customers: int, path: Path, token: str) -> Iterator[Path]:
    """Write what is served to a folder that goes away again; yield that folder."""
    notebook = json.loads(_template("policy_lab.json"))
    lab = notebook["cells"][-1]
    lab["source"] = (
        lab["source"].replace("<<n>>", str(n_customers)).replace("<<path>>", repr(str(path)))
    )
    with tempfile.TemporaryDirectory(prefix="policy-lab-", ignore_cleanup_errors=True) as folder:
        base = Path(folder)
        template = base / "share" / "voila" / "templates" / "policy_lab"
        template.mkdir(parents=True)
        (template / "conf.json").write_text('{"base_template": "lab"}', encoding="utf-8")
        (template / "index.html.j2").write_text(_template("voila.html.j2"), encoding="utf-8")
        page = base / "page"
        page.mkdir()
        (page / "policy_lab.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
        # in a file rather than on the command line, where other users of the computer see it
        settings = {
            "Voila": {
                "token": token,
                "ip": HOST,
                "open_browser": False,
                # a page that closes says so without the second cookie that this would ask for,
                # and its kernel would live on; no other site can send the first one (Strict)
                "tornado_settings": {"disable_check_xsrf": True},
            },
            "IdentityProvider": {"cookie_options": {"SameSite": "Strict"}},
            "KernelManager": {"transport_encryption": "auto"},
            # a browser that breaks off says nothing; its kernel ends once nobody is connected
            "MappingKernelManager": {"cull_idle_timeout": LEFT, "cull_interval": LEFT // 10},
        }
        (page / "voila.json").write_text(json.dumps(settings), encoding="utf-8")
        yield base


def serve(
    *,
    port: int | None = None,
    browser: bool = True,
    n_customers: int = 20_000,
    policy: str | Path | None = None,
) -> int:
    """Serve the policy lab until interrupted.

    Parameters
    ----------
    port : int, optional
        The first port to try; 8866 unless told.
    browser : bool, default True
        Open it in the browser.
    n_customers : int, default 20_000
        Of the synthetic world.
    policy : path-like, optional
        The policy file; ``my_policy.yaml`` unless told.

    Returns
    -------
    int
        0 after an interrupt, 1 where the server ended by itself.

    Raises
    ------
    ServeError
        If Voilà is not installed or no port is free.
    PolicyError
        If the policy file given cannot be read.
    """
    if importlib.util.find_spec("voila") is None:
        raise ServeError(
            "This page needs the package voila; install it with "
            '`python -m pip install "ethicalai-lab[present]"`.'
        )
    from ethicalai_lab.policy import Policy, my_policy_path

    if policy is not None:
        Policy.load(policy)
    path = Path(os.path.abspath(policy or my_policy_path()))
    chosen = free_port(port)
    token = secrets.token_urlsafe(24)
    with _interrupted_by_signals(), site(n_customers, path, token) as base:
        return _run(base, chosen, token, browser)


@contextlib.contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Let a closed terminal, or a kill that asks, end things as Ctrl-C does."""

    def ended(*_: Any) -> None:
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), ended) for name in names}
    try:
        yield
    finally:
        for name, kept in before.items():
            signal.signal(getattr(signal, name), kept)


def _run(base: Path, port: int, token: str, browser: bool) -> int:
    kept = os.environ.get("JUPYTER_PATH")
    environment = os.environ | {
        "JUPYTER_PATH": os.pathsep.join([str(base / "share"), *([kept] if kept else [])])
    }
    url = f"http://{HOST}:{port}/?token={token}"
    process = None
    try:
        with _redirect(url, browser) as page:
            folders = [str(base), *([str(page.parent)] if page else [])]
            command = [
                *(sys.executable, "-m", "ethicalai_lab.widgets.served", *folders, "--"),
                *("policy_lab.ipynb", "--template=policy_lab"),
                *(f"--port={port}", "--Voila.log_level=ERROR"),
            ]
            process = subprocess.Popen(
                command, cwd=base / "page", env=environment, stdin=subprocess.PIPE
            )
            while process.poll() is None and not _answers(port):
                time.sleep(0.1)
            if process.poll() is None:
                print(f"The policy lab is open at {url} until you press Ctrl-C here.", flush=True)
                if page:
                    import webbrowser

                    webbrowser.open(page.as_uri())
            process.wait()
        print("The page's server has ended; its own lines above say why.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        if process is not None:
            _end(process)


@contextlib.contextmanager
def _redirect(url: str, wanted: bool) -> Iterator[Path | None]:
    """Yield a page of our own that leads on to `url`, for a browser to open.

    What a browser is told to open stands on its command line, where other users of the
    computer read it. The token must not; so it goes in a file that only its owner reads.
    """
    if not wanted:
        yield None
        return
    # a browser in a sandbox sees what lies openly in the home folder, and no other's /tmp
    place = str(Path.home()) if os.access(Path.home(), os.W_OK) else None
    with tempfile.TemporaryDirectory(
        prefix="policy-lab-", dir=place, ignore_cleanup_errors=True
    ) as folder:
        page = Path(folder, "open.html")
        with open(os.open(page, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(render("widgets/templates/open.html", url=url))
        yield page


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let the server close its kernels; insist where it does not."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(10)
    if process.poll() is None:
        process.kill()
        process.wait()
