"""Open the Ethical AI Lab: the one command that a newcomer needs.

python lab.py [--no-browser] [--port N]   set up what is missing, then open JupyterLab
python lab.py test [PYTEST OPTIONS]       run every test and lesson (or just what is asked for)
python lab.py lock [--upgrade]            write both locks anew from pyproject.toml
python lab.py VERB ...                    the same as `ethicalai-lab VERB ...`; try `--help`

The first start makes the folder .venv beside this file and installs there exactly what
requirements.lock names; the first `test` adds there what requirements-test.lock names.
Delete .venv to start afresh; nothing is installed anywhere else.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit("The lab needs Python 3.11 or newer, this is %d.%d." % sys.version_info[:2])  # noqa: UP031

import argparse
import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"  # what the lab needs
TEST_LOCK = ROOT / "requirements-test.lock"  # what its tests need besides
STAMP = VENV / "lab-stamp"  # written last: without it, or with another content, .venv is remade
TEST_STAMP = VENV / "lab-stamp-test"  # the same for what the tests add
RUNTIME = ROOT / "runtime"  # what runs now; only its owner may look inside
BEFORE = ROOT / ".venv-before"  # the earlier set-up, kept until a new one is complete
FIRST_LESSON = "00_start_here.ipynb"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = str(BIN / ("python.exe" if os.name == "nt" else "python"))
AGAIN = "then run the same command again."

# What an installer says -> what to do about it.
ADVICE = [
    (
        r"no space left|not enough space|os error (28|112)\b",
        f"The disk is full: free 2 GB, {AGAIN}",
    ),
    (
        r"permission denied|read-only file system|access is denied",
        f"Cannot write in {ROOT}: move the folder to a place that is yours, {AGAIN}",
    ),
    (
        r"do not match the hashes|hash mismatch",
        "A package that arrived is not the one that the lock names, and was not installed: "
        f"use a network that does not alter downloads, {AGAIN}",
    ),
    (
        r"connection (broken|refused|reset|error|timed)|failed to (establish|fetch)|timed out|"
        r"(could not|cannot|tcp) connect|name resolution|getaddrinfo|dns error|unreachable|"
        r"error sending request|certificate|ssl error|from versions: none",
        f"No network, and the set-up needs one: connect to the internet, {AGAIN}",
    ),
]


def advice(said):
    """Return the sentence for what an installer said, or None where none fits."""
    return next((then for seen, then in ADVICE if re.search(seen, said, re.I)), None)


def environment():
    """Return our environment, less what would lead Python or Jupyter to other installations."""
    elsewhere = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "CONDA_PREFIX")
    env = {k: v for k, v in os.environ.items() if k not in elsewhere and k[:8] != "JUPYTER_"}
    env.pop("__PYVENV_LAUNCHER__", None)
    own = VENV / "jupyter"  # neither read nor change the settings of the reader's other work
    env.update(
        VIRTUAL_ENV=str(VENV),
        PATH=os.pathsep.join([str(BIN), env.get("PATH", "")]),
        PIP_USER="0",
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        JUPYTER_CONFIG_DIR=str(own / "config"),
        JUPYTER_DATA_DIR=str(own / "data"),
        # not in a hidden folder: browsers in a sandbox could not read the file that opens the lab
        JUPYTER_RUNTIME_DIR=str(RUNTIME),
        IPYTHONDIR=str(own / "ipython"),
    )
    return env


def fingerprint(*more):
    """Return what .venv depends on: the lock, the package's metadata and the folder's place."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    # less the settings of the tools and the tests: to change those must not cost anyone a set-up
    project.get("project", {}).get("optional-dependencies", {}).pop("test", None)
    package = [project.get("project"), project.get("build-system")]
    package.append(project.get("tool", {}).get("hatch"))
    content = [path.read_bytes() for path in (LOCK, *more)]
    content.append(json.dumps([package, str(VENV)]).encode())
    return hashlib.sha256(b"".join(content)).hexdigest()


def is_set_up():
    """Tell whether .venv is complete, for this lock and this folder, and its Python runs."""
    try:
        wanted, version = STAMP.read_text(encoding="utf-8").split()
        ask = [PYTHON, "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        runs = subprocess.run(ask, capture_output=True, text=True)
    except (OSError, ValueError):
        return False
    return wanted == fingerprint() and runs.stdout.strip() == version


def can_test():
    """Tell whether .venv has all that the tests add, for these locks."""
    try:
        return TEST_STAMP.read_text(encoding="utf-8") == fingerprint(TEST_LOCK)
    except OSError:
        return False


def is_usable():
    """Tell whether .venv is complete, for whatever lock, and runs this folder's package."""
    ask = [PYTHON, "-I", "-c", "import ethicalai_lab; print(ethicalai_lab.__file__)"]
    try:
        runs = subprocess.run(ask, capture_output=True, text=True) if STAMP.exists() else None
        return bool(runs and not runs.returncode) and (
            Path(runs.stdout.strip()).resolve().parent.parent == ROOT
        )
    except (OSError, ValueError):
        return False


@contextlib.contextmanager
def alone():
    """Let one set-up run at a time; the system frees the lock even if we are killed."""
    with open(ROOT / ".venv.lock", "a") as handle:
        if os.name == "nt":
            import msvcrt

            def take(wait):
                while True:
                    try:
                        how = msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK
                        return msvcrt.locking(handle.fileno(), how, 1)
                    except OSError:  # even LK_LOCK gives up, after ten seconds
                        if not wait:
                            raise

        else:
            import fcntl

            def take(wait):
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))

        try:
            take(wait=False)
        except OSError:
            print("Another start is setting up the lab: waiting for it.", flush=True)
            take(wait=True)
        # An installer that outlives us keeps the lock, so that nobody clears .venv under it.
        os.set_inheritable(handle.fileno(), True)
        yield


def step(*command):
    """Run one step of the set-up and show its lines; return (it worked, what it said)."""
    said = []
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        close_fds=os.name == "nt",
    ) as process:
        for line in process.stdout:
            said.append(line)
            if not line.startswith((" +", " ~", " -")):  # the long list of what changed
                print("   ", line, end="", flush=True)
    return process.returncode == 0, "".join(said)


def installers():
    """Return how to call pip and uv; what they install is compiled afterwards."""
    return (
        [PYTHON, "-m", "pip", "install", "--progress-bar=off", "--no-compile"],
        [PYTHON, "-m", "uv", "pip", "install", f"--python={PYTHON}"],
    )


def compile_all():
    """Compile what is installed, less the packages' own tests (80 MB); the rest is made in use."""
    skip = ["-x", r"[\\/]tests[\\/]"]
    step(PYTHON, "-I", "-Wignore", "-m", "compileall", "-qq", "-j0", *skip, str(VENV / "lib"))


def install():
    """Install the lock, by uv where it can be had (several times faster), else by pip."""
    pip, uv = installers()
    locked = ["--require-hashes", "-r", str(LOCK)]
    itself = ["--no-deps", "--no-build-isolation", "-e", str(ROOT)]

    fast, said = False, ""
    pin = re.search(r"^uv==.*\n(?: .*\n)*", LOCK.read_text(encoding="utf-8"), re.M)
    if pin:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "uv.txt").write_text(pin[0], encoding="utf-8")
            only_uv = ["--require-hashes", "--only-binary=:all:", "-r", f"{folder}/uv.txt"]
            fast, said = step(*pip, "--quiet", *only_uv)
        if fast:
            fast, _ = step(*uv, *locked)
        elif advice(said):
            sys.exit(advice(said))
    if not fast:
        worked, said = step(*pip, *locked)
        if not worked:
            sys.exit(advice(said) or "The set-up failed, for the reason in the lines above.")
    worked, said = step(*(uv if fast else pip), *itself)
    if not worked:
        sys.exit(advice(said) or "The lab's own package was not installed: see the lines above.")
    compile_all()


def add_tests():
    """Add to a complete .venv what the tests need; cut short, the next try puts all in place."""
    start = time.monotonic()
    print("Adding what the tests need. This is done once.", flush=True)
    TEST_STAMP.unlink(missing_ok=True)
    pip, uv = installers()
    # the locks have no package in common: the lab's own packages stay as they are
    locked = ["--no-deps", "--require-hashes", "-r", str(TEST_LOCK)]
    fast, said = step(*uv, "--reinstall", *locked)
    if not fast:
        worked, said = step(*pip, "--ignore-installed", *locked)
        if not worked:
            sys.exit(advice(said) or "The tests cannot run, for the reason in the lines above.")
    compile_all()
    TEST_STAMP.write_text(fingerprint(TEST_LOCK), encoding="utf-8")
    print(f"The tests are set up ({time.monotonic() - start:.0f} s).", flush=True)


def set_up(or_earlier=False, tests=False):
    """Make .venv and fill it, unless that was done before; where asked, settle for an earlier."""
    if is_set_up() and (can_test() or not tests):
        return
    try:
        with alone():
            if not is_set_up():
                try:
                    make_anew()
                except SystemExit as stop:
                    if not (or_earlier and is_usable()):
                        raise
                    print(f"{stop.code}\nThe lab opens as it was set up before.", flush=True)
            if tests and not can_test():
                add_tests()
    except KeyboardInterrupt:
        sys.exit("\nStopped half-way. The next start repairs that: run the same command again.")
    except OSError as error:
        sys.exit(advice(error.strerror or "") or f"Cannot set up the lab in {ROOT}: {error}.")


def make_anew():
    """Make .venv from nothing, whatever state an earlier try left it in."""
    if not importlib.util.find_spec("ensurepip") or not importlib.util.find_spec("venv"):
        sys.exit(f"This Python has no venv: install it (Debian: apt install python3-venv), {AGAIN}")
    start = time.monotonic()
    print("Setting up the lab. This is done once and takes a minute or a few.", flush=True)
    if is_usable():
        shutil.rmtree(BEFORE, ignore_errors=True)
        with contextlib.suppress(OSError):  # Windows keeps a folder that is in use
            VENV.rename(BEFORE)
    try:
        fill(start)
    except (SystemExit, OSError):
        # every step has ended: without a network, say, the lab is no worse off than before
        if (BEFORE / STAMP.name).exists():
            shutil.rmtree(VENV, ignore_errors=True)
            with contextlib.suppress(OSError):
                BEFORE.rename(VENV)
        raise
    shutil.rmtree(BEFORE, ignore_errors=True)


def fill(start):
    """Make an empty .venv, install the lock there, and say so."""
    STAMP.unlink(missing_ok=True)
    # this script may run on the Python of the very .venv that has just been put aside
    python = getattr(sys, "_base_executable", None) or sys.executable
    worked, said = step(python, "-I", "-m", "venv", "--clear", str(VENV))
    if not worked:
        sys.exit(advice(said) or f"Cannot make {VENV}: close what uses it, delete it, {AGAIN}")
    install()
    (VENV / "jupyter" / "ipython").mkdir(parents=True, exist_ok=True)
    settle(VENV / "etc" / "jupyter" / "labconfig")
    version = "%d.%d" % sys.version_info[:2]  # noqa: UP031
    STAMP.write_text(f"{fingerprint()} {version}\n", encoding="utf-8")
    print(f"The lab is set up ({time.monotonic() - start:.0f} s).", flush=True)


def settle(folder):
    """Write JupyterLab's settings; the browser test uses the same."""
    settings = {
        # it would ask about news and look for newer versions
        "page_config": {
            "disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}
        },
        "default_setting_overrides": {
            # a lesson that the reader saved would show errors for its widgets when reopened
            "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True},
            # draw all cells at once: lessons are short, and the page does not jump while presented
            "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in settings.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


def own_folder(folder):
    """Make a folder that nobody else can look into, or close one that is there."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        sys.exit(f"Cannot use {folder}: {error.strerror}.")


def jupyter_command(port=None, browser=True):
    """Return the command line that opens the lab; the browser test starts it the same way."""
    command = [
        *(PYTHON, "-P", "-m", "jupyterlab", "--log-level=WARN"),
        f"--ServerApp.root_dir={ROOT / 'notebooks'}",
        f"--LabApp.default_url=/lab/tree/{FIRST_LESSON}",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.open_browser={browser}",
        # what a browser opens is on its command line, where others read it: a file, not the token
        "--ServerApp.use_redirect_file=True",
        "--ServerApp.answer_yes=True",  # Ctrl-C stops at once
        # nothing is asked of the outside: no extension lists, no versions, no news
        "--LabApp.extension_manager=readonly",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.news_url=None",
        "--KernelManager.transport_encryption=auto",
    ]
    if port is not None:
        command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return command


def run(command):
    """Give the terminal to the command and return its exit code; after Ctrl-C, end as it ended."""
    stopped = False
    with subprocess.Popen(command, cwd=ROOT, env=environment()) as process:
        while process.poll() is None:
            try:
                process.wait()
            except KeyboardInterrupt:  # the command got it too: let it end in its own way
                stopped = True
    if stopped:
        sys.exit("Stopped.")
    return process.returncode


def become(command, folder=None):
    """End this program by turning it into the command."""
    os.chdir(folder or os.getcwd())
    if os.name == "posix":
        sys.stdout.flush()
        os.execve(command[0], command, environment())
    sys.exit(subprocess.call(command, env=environment()))


def open_lab(options):
    """Open JupyterLab on the first lesson."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage="\n"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    parser.add_argument("--port", type=int, metavar="N", help="the port (default: a free one)")
    args = parser.parse_args(options)
    if args.port is not None:
        try:
            if not 0 <= args.port < 2**16:
                raise OSError
            socket.create_server(("127.0.0.1", args.port)).close()
        except OSError:
            sys.exit(f"Port {args.port} cannot be used: name another, or leave --port away.")
    set_up(or_earlier=True)
    with contextlib.suppress(OSError):  # a set-up of an earlier version has fewer of them
        settle(VENV / "etc" / "jupyter" / "labconfig")
    own_folder(RUNTIME)
    print("The lab is open until you press Ctrl-C here.", flush=True)
    become(jupyter_command(args.port, not args.no_browser), ROOT / "notebooks")


def test(options):
    """Run what pytest is asked for; without options every test, then every lesson, on all cores."""
    set_up(tests=True)
    python = [PYTHON, "-m"]
    shared = ["-n", "auto"]  # conftest.py says how many, and keeps a lesson's cells together
    steps = [
        [*python, "ruff", "check", "."],
        [*python, "ruff", "format", "--check", "."],
        [*python, "pytest", *shared],
        [*python, "pytest", *shared, "--nbval", "--nbval-current-env", "notebooks"],
    ]
    if options:
        steps = [[*python, "pytest", *options]]
    failed = []
    for number, command in enumerate(steps, 1):
        start = time.monotonic()
        print(f"[{number} of {len(steps)}] $ python", *command[1:], flush=True)
        if run(command) != 0:
            failed.append(" ".join(command[2:]))
        print(f"[{number} of {len(steps)}] {time.monotonic() - start:.0f} s", flush=True)
    if failed:
        sys.exit("FAILED: " + "; ".join(failed))


def left_over(whole, part):
    """Return the lines of a whole lock for the packages that a part of it does not have."""
    packages = [re.split(r"\n(?=\w)", text.strip()) for text in (whole, part)]
    first_lines = {package.partition("\n")[0] for package in packages[1]}
    kept = [package for package in packages[0] if package.partition("\n")[0] not in first_lines]
    return "\n".join([*kept, ""])


def lock(options):
    """Write both locks anew from the ranges in pyproject.toml, with one version of each package."""
    set_up()
    compile_ = [PYTHON, "-m", "uv", "pip", "compile", "pyproject.toml", "--quiet"]
    form = ["--universal", "--python-version=3.11", "--generate-hashes", "--no-header"]
    command = [*compile_, *form, "--extra=present", "--extra=setup"]
    with tempfile.TemporaryDirectory() as folder:
        whole, part = Path(folder) / "whole", Path(folder) / "part"
        # uv keeps the versions that it finds in the file that it is to write
        whole.write_bytes(LOCK.read_bytes() + TEST_LOCK.read_bytes())
        failed = run([*command, "--extra=test", f"--output-file={whole}", *options])
        if not failed:
            shutil.copyfile(whole, part)
            failed = run([*command, f"--output-file={part}"])
        if failed:
            sys.exit(failed)
        texts = [path.read_text(encoding="utf-8") for path in (whole, part)]
    LOCK.write_text(texts[1], encoding="utf-8", newline="\n")
    TEST_LOCK.write_text(left_over(*texts), encoding="utf-8", newline="\n")


def main(argv):
    """Do what the command line asks for."""
    if not argv or argv[0].startswith("-"):
        open_lab(argv)
    elif argv[0] == "test":
        test(argv[1:])
    elif argv[0] == "lock":
        lock(argv[1:])
    else:
        set_up()
        os.environ.setdefault("ETHICALAI_LAB_WORK", str(ROOT / "notebooks"))  # as the lessons do
        become([PYTHON, "-P", "-m", "ethicalai_lab", *argv])  # -P: not what lies in this folder


if __name__ == "__main__":
    main(sys.argv[1:])
