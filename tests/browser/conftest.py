"""JupyterLab, started as lab.py starts it, and a headless Chromium that sees no outside."""

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ethicalai_lab.widgets.serve import free_port

REPO = Path(__file__).resolve().parents[2]
SHOTS = REPO / "test-artifacts" / "screenshots"
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
]


def _chromium():
    for name in ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge"):
        if found := shutil.which(name):
            return found
    return None


def _lab():
    spec = importlib.util.spec_from_file_location("lab_entry", REPO / "lab.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def chromium():
    """Path of a Chromium. Without one these tests are skipped, but never on CI."""
    found = _chromium()
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI needs a Chromium: install the package chromium")
        pytest.skip("needs Chromium")
    return found


class Server:
    """A running JupyterLab and the folders it works in."""

    def __init__(self, url, token, folder, work):
        self.url, self.token, self.folder, self.work = url, token, folder, work

    def lab(self, name):
        return f"{self.url}/lab/tree/{name}?token={self.token}&reset"


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """JupyterLab on copies of the lessons; everything it writes goes to a temporary folder."""
    base = tmp_path_factory.mktemp("lab")
    folder, work = base / "notebooks", base / "work"
    work.mkdir()
    shutil.copytree(REPO / "notebooks", folder)
    shutil.copy(Path(__file__).with_name("widgets_and_exercises.ipynb"), folder)
    lab = _lab()
    if not lab.STAMP.exists():  # a .venv made by hand lacks what lab.py sets beside the lock
        lab.settle(base / "config" / "labconfig")
    # from a place of this process's own: another one that starts now would find the same port free
    token, port = "browser-test", free_port(20_000 + os.getpid() % 10_000)
    command = [
        f"--ServerApp.root_dir={folder}" if part.startswith("--ServerApp.root_dir=") else part
        for part in lab.jupyter_command(port, browser=False)
    ]
    command[0] = sys.executable
    environment = lab.environment() | {
        "JUPYTER_CONFIG_DIR": str(base / "config"),
        "JUPYTER_DATA_DIR": str(base / "data"),
        "JUPYTER_RUNTIME_DIR": str(base / "runtime"),
        "IPYTHONDIR": str(base / "ipython"),
        "ETHICALAI_LAB_WORK": str(work),
        "PYTHONPATH": str(REPO),
        "OMP_NUM_THREADS": "2",
    }
    with open(base / "server.log", "wb") as log:
        process = subprocess.Popen(
            [*command, f"--IdentityProvider.token={token}"],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 240
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{url}/api/status?token={token}", timeout=5).close()
                break
            if process.poll() is not None or time.monotonic() > end:
                pytest.fail((base / "server.log").read_text(encoding="utf-8")[-3000:])
            time.sleep(0.3)
        yield Server(url, token, folder, work)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def browser(chromium):
    """One Chromium for the whole run."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium, headless=True, args=CHROMIUM_FLAGS
        )
        yield running
        running.close()


class Page:
    """A page with a lesson in it, and all that it asked for."""

    def __init__(self, page, server):
        from playwright.sync_api import TimeoutError

        self.page, self.server, self.timeout = page, server, TimeoutError
        self.outside, self.failed, self.errors = [], [], []
        page.on("request", self._asked)
        page.on("requestfailed", self._broke)
        page.on("response", self._answered)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("websocket", lambda socket: self._is_outside(socket.url))

    def _is_outside(self, url):
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in (
            "127.0.0.1",
            "localhost",
        ):
            self.outside.append(url)

    def _asked(self, request):
        self._is_outside(request.url)

    def _broke(self, request):
        if "ERR_ABORTED" not in (request.failure or ""):  # a page that goes on to another
            self.failed.append(f"{request.url} {request.failure}")

    def _answered(self, response):
        # the workspace of a first start is not there yet; JupyterLab asks and gets a 404
        if response.status >= 400 and "/lab/api/workspaces" not in response.url:
            self.failed.append(f"{response.url} {response.status}")

    def _said(self, message):
        if "displaying widget" in message.text.lower():
            self.errors.append(message.text)

    # -- what a reader does ----------------------------------------------------------

    def open(self, name):
        self.name = name
        self.page.goto(self.server.lab(name), wait_until="domcontentloaded")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=240_000)
        self.page.wait_for_selector(
            '.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=240_000
        )
        self.page.locator(".jp-mod-current .lm-TabBar-tabLabel", has_text=name).wait_for()
        self.no_prompt()

    def no_prompt(self):
        """Nobody asks the newcomer about news, updates or builds."""
        for kind in (".jp-Dialog", ".jp-toastContainer .Toastify__toast"):
            prompt = self.page.locator(kind)
            assert prompt.count() == 0, prompt.first.inner_text()

    def menu(self, *names):
        self.page.locator(".lm-MenuBar-itemLabel", has_text=names[0]).first.click()
        for name in names[1:]:
            self.page.locator(".lm-Menu-itemLabel", has_text=name).filter(
                visible=True
            ).first.click()

    def run_all(self, timeout=480):
        marked = (
            "() => [...document.querySelectorAll('.jp-InputPrompt')]"
            ".some(prompt => prompt.textContent.includes('[*]'))"
        )
        never = self.page.locator(".jp-CodeCell .jp-InputPrompt", has_text="[ ]:")
        for _ in range(4):  # while its kernel connects, JupyterLab drops the command, or asks
            self.take_offered_kernel()
            self.menu("Run", "Run All Cells")
            with contextlib.suppress(self.timeout):
                self.page.wait_for_function(marked, timeout=15_000)
                self.idle(timeout)
                if not never.count():
                    return
        raise AssertionError(f"{self.name}: not all cells run")

    def take_offered_kernel(self):
        """Take the kernel that JupyterLab offers where it has none yet on a busy machine."""
        offered = self.page.locator(".jp-Dialog .jp-mod-accept")
        if offered.count():
            offered.first.click()
            self.page.wait_for_timeout(1_000)

    def idle(self, timeout=240):
        end = time.monotonic() + timeout
        calm = 0
        while calm < 3:
            busy = self.page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').count()
            waiting = self.page.locator(".jp-InputPrompt", has_text="[*]").count()
            calm = calm + 1 if busy and not waiting else 0
            assert time.monotonic() < end, f"{self.name} still runs after {timeout} s"
            self.page.wait_for_timeout(200)

    def saved(self):
        """Save, and return the notebook as it now is on disk."""
        path = self.server.folder / self.name
        before = path.stat().st_mtime_ns
        self.page.keyboard.press("Escape")
        self.menu("File", "Save Notebook")
        end = time.monotonic() + 30
        while time.monotonic() < end:
            self.page.wait_for_timeout(100)
            if path.stat().st_mtime_ns != before:
                with contextlib.suppress(ValueError):  # it is still being written
                    return json.loads(path.read_text(encoding="utf-8"))
        return json.loads(path.read_text(encoding="utf-8"))

    def cell(self, text):
        """Return the code cell that holds `text`, scrolled to."""
        found = self.page.locator(".jp-CodeCell", has_text=text).first
        found.scroll_into_view_if_needed()
        return found

    def run_in(self, cell, source):
        """Put `source` into the cell's editor and run it."""
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(source)
        self.page.keyboard.press("Control+Enter")
        self.page.wait_for_timeout(300)
        self.idle()

    def theme(self, name):
        self.page.locator(".lm-MenuBar-itemLabel", has_text="Settings").first.click()
        self.page.locator(".lm-Menu-itemLabel", has_text="Theme").filter(visible=True).first.hover()
        self.page.locator(".lm-Menu-itemLabel", has_text=name).filter(visible=True).first.click()
        light = "true" if "Light" in name else "false"
        self.page.wait_for_selector(f'body[data-jp-theme-light="{light}"]', state="attached")
        self.page.wait_for_timeout(300)

    def shot(self, name, of=None):
        SHOTS.mkdir(parents=True, exist_ok=True)
        (of or self.page).screenshot(path=str(SHOTS / f"{name}.png"))

    def asked_nothing_outside(self):
        self.no_prompt()
        assert self.outside == []
        assert self.failed == []
        assert self.errors == []


@pytest.fixture
def page(browser, server):
    """A fresh browser profile, as a newcomer has."""
    context = browser.new_context(
        viewport={"width": 1360, "height": 900}, device_scale_factor=1, locale="en-US"
    )
    context.set_default_timeout(90_000)  # against a hang; a busy machine is slow
    opened = Page(context.new_page(), server)
    yield opened
    context.close()
