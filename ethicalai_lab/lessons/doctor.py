"""Pre-flight for whoever teaches: can this machine run the lessons tomorrow?

One line a check, `ok` or `problem`, and after a problem what to do. Nothing is
changed and nothing is asked of the outside.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Finding", "main"]

ROOT = Path(__file__).resolve().parents[2]
PORT = 8888
MEMORY_GB = 2.0
DISK_GB = 1.0
KERNEL_SECONDS = 60


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    ok : bool
        Whether the lessons can do with it.
    says : str
        What was found.
    do : str
        What to do about it; empty when it is fine.
    """

    ok: bool
    says: str
    do: str = ""

    def __str__(self) -> str:
        line = f"{'ok' if self.ok else 'problem':8} {self.says}"
        return f"{line}: {self.do}" if self.do else line


def check_python(version: tuple[int, ...] | None = None) -> Finding:
    """Check that Python is new enough."""
    found = tuple(version or sys.version_info[:3])
    says = "Python " + ".".join(map(str, found))
    return Finding(
        found >= (3, 11), says, "" if found >= (3, 11) else "install Python 3.11 or newer"
    )


def _locked(text: str) -> dict[str, str]:
    """Return the versions in a lock that apply to this machine."""
    from packaging.requirements import Requirement

    found = {}
    for line in text.replace("\\\n", " ").splitlines():
        line = re.sub(r"\s--hash=\S+", "", line.split(" #")[0]).strip()
        if not line or line.startswith(("#", "-")):
            continue
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            found[requirement.name] = str(requirement.specifier).removeprefix("==")
    return found


def check_packages(lock: Path | None = None) -> Finding:
    """Check that the packages installed are those of the lock."""
    from importlib.metadata import PackageNotFoundError, version

    lock = lock or ROOT / "requirements.lock"
    if not lock.exists():
        return Finding(True, "packages: no requirements.lock beside this installation")
    wanted = _locked(lock.read_text(encoding="utf-8"))
    differ = []
    for name, locked in wanted.items():
        try:
            have = version(name)
        except PackageNotFoundError:
            have = "missing"
        if have != locked:
            differ.append(f"{name} {have} (locked {locked})")
    if not differ:
        return Finding(True, f"packages: all {len(wanted)} as locked")
    shown = ", ".join(differ[:3]) + (f" and {len(differ) - 3} more" if len(differ) > 3 else "")
    do = "delete the folder .venv and start `python lab.py` once"
    return Finding(False, f"packages: {len(differ)} of {len(wanted)} differ, {shown}", do)


def check_kernel(name: str = "python3") -> Finding:
    """Check that a kernel starts and finds the lab."""
    from jupyter_client.manager import start_new_kernel

    start = time.perf_counter()
    try:
        manager, client = start_new_kernel(
            kernel_name=name, startup_timeout=KERNEL_SECONDS, stderr=subprocess.DEVNULL
        )
    except Exception as error:
        do = "start `python lab.py` once; if that fails too, delete .venv and start it again"
        return Finding(False, f"kernel does not start ({type(error).__name__})", do)
    try:
        code = "import ethicalai_lab, sys; sys.stdout.write(ethicalai_lab.__version__)"
        said: list[str] = []

        def hear(message: dict) -> None:
            if message["msg_type"] == "stream":
                said.append(message["content"]["text"])

        reply = client.execute_interactive(code, timeout=KERNEL_SECONDS, output_hook=hear)
    except TimeoutError:
        return Finding(False, "kernel starts but does not answer", "restart the machine, try again")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    if reply["content"]["status"] != "ok":
        return Finding(
            False, "kernel cannot import ethicalai_lab", "start the lab with `python lab.py`"
        )
    seconds = time.perf_counter() - start
    return Finding(True, f"kernel starts in {seconds:.1f} s, ethicalai_lab {''.join(said)}")


def check_writing(folder: Path | None = None) -> Finding:
    """Check that progress and policy can be saved."""
    from ethicalai_lab.core.files import replace_file
    from ethicalai_lab.lessons.records import work_folder

    named = bool(os.environ.get("ETHICALAI_LAB_WORK"))
    folder = folder or (work_folder() if named else ROOT / "notebooks")
    probe = folder / f".doctor-{os.getpid()}.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(probe, b"ok\n")
        probe.unlink()
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        do = "move the lab's folder to a place of your own, or set ETHICALAI_LAB_WORK to one"
        return Finding(False, f"{folder} cannot be written ({reason})", do)
    return Finding(True, f"progress and policy can be saved in {folder}")


def check_port(port: int = PORT) -> Finding:
    """Check that the usual port is free, or at least another one near it."""
    for number in range(port, port + 20):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                continue
        beside = "" if number == port else f" ({port} is taken; the lab uses this one by itself)"
        return Finding(True, f"port {number} is free{beside}")
    do = "close other JupyterLab windows, or start with `python lab.py --port N`"
    return Finding(False, f"ports {port} to {port + 19} are all taken", do)


def check_memory(available: float | None = None) -> Finding:
    """Check that there is memory for a lesson or two."""
    import psutil

    free = psutil.virtual_memory().available / 1e9 if available is None else available
    do = f"close other programs: a lesson wants {MEMORY_GB:g} GB" if free < MEMORY_GB else ""
    return Finding(not do, f"{free:.1f} GB of memory free", do)


def check_disk(free: float | None = None) -> Finding:
    """Check that there is room on the disk."""
    room = shutil.disk_usage(ROOT).free / 1e9 if free is None else free
    do = f"free at least {DISK_GB:g} GB" if room < DISK_GB else ""
    return Finding(not do, f"{room:.1f} GB of disk free", do)


def check_browser() -> Finding:
    """Check that a browser can be opened."""
    try:
        name = getattr(webbrowser.get(), "name", "a browser")
    except webbrowser.Error:
        do = "install one, or open the address that `python lab.py --no-browser` prints elsewhere"
        return Finding(False, "no browser found", do)
    return Finding(True, f"browser: {Path(str(name)).name}")


def _class_minutes(path: Path) -> str:
    """Return what the lesson's own section says about its minutes."""
    import json

    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        match = re.search(r"^## Minutes\s+(.*?\d+)", source, flags=re.M | re.S)
        if match:
            return f"{re.findall(r'[0-9]+', match.group(1))[0]} minutes in class"
    return "minutes in class not given"


def check_lessons(folder: Path | None = None, *, run: bool = True) -> Iterator[Finding]:
    """Check that each lesson has its outputs, runs, and shows the same as before."""
    from ethicalai_lab.errors import LabError
    from ethicalai_lab.lessons.lint import lint
    from ethicalai_lab.lessons.refresh import rerun

    folder = folder or ROOT / "notebooks"
    paths = sorted(folder.glob("*.ipynb"))
    if not paths:
        yield Finding(False, f"no lessons in {folder}", "unpack the lab again, with its notebooks")
    for path in paths:
        faults = [f for f in lint(path) if f.rule in ("file", "outputs")]
        if faults:
            do = f"run `python lab.py refresh {path.name[:2]}`"
            yield Finding(False, f"{path.name}: {faults[0].says}", do)
            continue
        minutes = _class_minutes(path)
        if not run:
            yield Finding(True, f"{path.name}: outputs are there; {minutes}")
            continue
        try:
            done = rerun([path.name], check=True, folder=folder)[0]
        except LabError as error:
            yield Finding(False, str(error), "repair the lesson, or unpack the lab again")
            continue
        seconds = f"runs in {done.seconds:.0f} s here"
        count = sum(name != "metadata" for name in done.changed)
        if count:
            do = f"see what differs with `python lab.py refresh {path.name[:2]}`"
            cells = f"{count} cell{'s' if count > 1 else ''} with another output than saved"
            yield Finding(False, f"{path.name}: {seconds}, {cells}", do)
        else:
            yield Finding(True, f"{path.name}: {seconds}, shows what it should; {minutes}")


CHECKS: tuple[Callable[[], Finding], ...] = (
    check_python,
    check_packages,
    check_kernel,
    check_writing,
    check_port,
    check_memory,
    check_disk,
    check_browser,
)


def main(argv: list[str] | None = None) -> int:
    """Print one line a check; return 0 when all is well, 1 otherwise."""
    parser = argparse.ArgumentParser(
        prog="ethicalai-lab doctor", description="Say whether this machine can run the lessons."
    )
    parser.add_argument("--quick", action="store_true", help="do not run the lessons")
    options = parser.parse_args(argv)
    found = []

    def say(finding: Finding) -> None:
        found.append(finding)
        print(finding, flush=True)

    for check in CHECKS:
        say(check())
    for finding in check_lessons(run=not options.quick):
        say(finding)
    problems = sum(not finding.ok for finding in found)
    print(f"{problems} of {len(found)} checks found a problem" if problems else "all is well")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
