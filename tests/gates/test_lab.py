"""`python lab.py`, driven for real on a project of one small package, without a network."""

import ast
import hashlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import types
import zipfile

import pytest

HERE_IS_POSIX = os.name == "posix"

# builds the small project's package without any build tool
BACKEND = """
import os, zipfile

def build_editable(directory, config_settings=None, metadata_directory=None):
    name = "small_lab-1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as wheel:
        info = "small_lab-1.dist-info/"
        wheel.writestr("small_lab.pth", os.path.dirname(os.path.abspath(__file__)))
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: small-lab\\nVersion: 1\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\n"
                       "Tag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return name
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "small-lab"
version = "1"
"""
# the verb: tells where it runs
MAIN = """
import json, os, sys, ethicalai_lab, locked
print(json.dumps({"argv": sys.argv[1:], "prefix": sys.prefix, "package": ethicalai_lab.__file__,
                  "locked": locked.__file__, "cwd": os.getcwd(),
                  "jupyter": os.environ["JUPYTER_CONFIG_DIR"]}))
"""


def write_wheel(folder, name="locked", source=""):
    """Write a wheel of one module and return its line for a lock."""
    path = folder / f"{name}-1-py3-none-any.whl"
    info = f"{name}-1.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", source)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        wheel.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/RECORD,,\n")
    return f"{name}==1 \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


# what the small project runs as its tests
PYTEST = "import sys; print('tests run with', *sys.argv[1:])"


class Project:
    """A checkout in small: lab.py, two locks of one package each, and the lab's own package."""

    def __init__(self, folder, repo):
        self.root = folder / "a lab with spaces"
        self.wheels = folder / "wheels"
        package = self.root / "ethicalai_lab"
        for new in (package, self.root / "notebooks", self.wheels):
            new.mkdir(parents=True)
        (self.root / "lab.py").write_bytes((repo / "lab.py").read_bytes())
        (self.root / "backend.py").write_text(BACKEND, encoding="utf-8")
        (self.root / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
        (package / "__init__.py").write_text("", encoding="utf-8")
        (package / "__main__.py").write_text(MAIN, encoding="utf-8")
        self.lock = write_wheel(self.wheels)
        (self.root / "requirements.lock").write_text(self.lock, encoding="utf-8")
        self.test_lock.write_text(write_wheel(self.wheels, "pytest", PYTEST), encoding="utf-8")

    @property
    def test_lock(self):
        return self.root / "requirements-test.lock"  # the folder is moved by a test

    @property
    def stamp(self):
        return self.root / ".venv" / "lab-stamp"

    def command(self, *words):
        # -B: no bytecode beside lab.py; the interpreter that made this environment, not ours
        return [sys.executable, "-B", str(self.root / "lab.py"), *words]

    def environment(self, **more):
        env = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels)}
        return {**env, **more}

    def run(self, *words, **more):
        return subprocess.run(
            self.command(*words),
            env=self.environment(**more),
            cwd=self.wheels,  # never where lab.py is
            capture_output=True,
            text=True,
            timeout=300,
        )

    def outdate(self):
        """Make the set-up out of date, as a new version of the project does."""
        path = self.root / "requirements.lock"
        path.write_text(path.read_text(encoding="utf-8") + "# newer\n", encoding="utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory, repo):
    project = Project(tmp_path_factory.mktemp("project"), repo)
    first = project.run("probe", "--x", "1")
    assert first.returncode == 0, first.stdout + first.stderr
    project.first = first.stdout
    return project


def told(result):
    """Return what the small project's verb told, once it ran well."""
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture
def lab(repo):
    """lab.py as a module."""
    spec = importlib.util.spec_from_file_location("lab_under_test", repo / "lab.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# the set-up, for real


def test_first_start_installs_and_passes_the_verb_on(project):
    assert "Setting up the lab" in project.first
    assert "The lab is set up" in project.first
    probe = json.loads(project.first.splitlines()[-1])
    venv = project.root / ".venv"
    assert probe["argv"] == ["probe", "--x", "1"]
    assert os.path.samefile(probe["prefix"], venv)
    assert os.path.samefile(os.path.dirname(probe["package"]), project.root / "ethicalai_lab")
    assert str(venv) in probe["locked"]
    assert os.path.samefile(probe["cwd"], project.wheels)
    config = json.loads((venv / "etc/jupyter/labconfig/page_config.json").read_text())
    assert config["disabledExtensions"] == {"@jupyterlab/apputils-extension:announcements": True}
    kept = json.loads((venv / "etc/jupyter/labconfig/default_setting_overrides.json").read_text())
    assert kept["@jupyter-widgets/jupyterlab-manager:plugin"] == {"saveState": True}


def test_second_start_is_silent(project):
    second = project.run("again")
    assert told(second)["argv"] == ["again"]
    assert len(second.stdout.splitlines()) == 1


def test_other_environments_do_not_leak_in(project, tmp_path):
    for name in ("ethicalai_lab", "locked"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong one')", encoding="utf-8")
    probe = told(
        project.run(
            "x",
            PYTHONPATH=str(tmp_path),
            VIRTUAL_ENV=str(tmp_path),
            CONDA_PREFIX=str(tmp_path),
            JUPYTER_CONFIG_DIR=str(tmp_path),
        )
    )
    assert os.path.samefile(os.path.dirname(probe["package"]), project.root / "ethicalai_lab")
    assert str(project.root) in probe["jupyter"]


@pytest.mark.skipif(not HERE_IS_POSIX, reason="kills a process group")
def test_killed_half_way_then_repaired(project):
    project.outdate()
    process = subprocess.Popen(
        project.command("x"),
        env=project.environment(),
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:  # the first line comes before .venv is cleared
        if "Setting up" in line:
            break
    time.sleep(0.5)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not project.stamp.exists()
    repaired = project.run("x")
    assert "Setting up the lab" in repaired.stdout
    assert told(repaired)["argv"] == ["x"]


@pytest.mark.skipif(not HERE_IS_POSIX, reason="sends SIGINT")
def test_ctrl_c_says_that_the_next_start_repairs(project):
    project.outdate()
    process = subprocess.Popen(
        project.command("x"),
        env=project.environment(),
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.readline()
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "run the same command again" in error
    assert "Traceback" not in error.split("Stopped half-way")[-1]
    assert not project.stamp.exists()


def test_two_starts_at_once_set_up_once(project):
    project.outdate()
    both = [
        subprocess.Popen(
            project.command(str(i)), env=project.environment(), stdout=subprocess.PIPE, text=True
        )
        for i in range(2)
    ]
    outputs = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sum("Setting up the lab" in output for output in outputs) == 1
    assert sum("waiting for it" in output for output in outputs) == 1


def test_altered_download_is_refused_then_repaired(project):
    path = project.root / "requirements.lock"
    digest = project.lock.split(":")[-1].strip()
    path.write_text(project.lock.replace(digest, "0" * 64), encoding="utf-8")
    refused = project.run("x")
    assert refused.returncode == 1
    assert "is not the one that the lock names" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    # and a lock without hashes does not get through either
    path.write_text("locked==1\n", encoding="utf-8")
    assert project.run("x").returncode == 1
    path.write_text(project.lock, encoding="utf-8")
    assert told(project.run("x"))["argv"] == ["x"]


def test_no_network_on_the_first_start(project):
    project.outdate()
    path = project.root / "requirements.lock"
    path.write_text(project.lock.replace("locked", "unheard-of"), encoding="utf-8")
    nowhere = {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0"}
    failed = project.run("x", **nowhere)
    path.write_text(project.lock, encoding="utf-8")
    assert failed.returncode == 1
    assert failed.stderr.strip() == (
        "No network, and the set-up needs one: connect to the internet, "
        "then run the same command again."
    )


def test_an_earlier_set_up_outlives_a_failed_new_one(project):
    told(project.run("x"))
    stamp = project.stamp.read_text(encoding="utf-8")
    lock = project.root / "requirements.lock"
    content = lock.read_text(encoding="utf-8")
    lock.write_text(project.lock.replace("locked", "unheard-of"), encoding="utf-8")
    nowhere = {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0"}
    # JupyterLab itself is not in the small project: that it is started is what counts
    opened = project.run("--no-browser", **nowhere)
    assert "No network" in opened.stdout
    assert "The lab opens as it was set up before." in opened.stdout
    assert "No module named jupyterlab" in opened.stderr
    # tests and verbs ask for what the lock names, and say why they cannot run
    failed = project.run("x", **nowhere)
    assert failed.returncode == 1
    assert failed.stderr.startswith("No network")
    assert project.stamp.read_text(encoding="utf-8") == stamp
    assert not (project.root / ".venv-before").exists()
    # back to the earlier lock: nothing is set up anew
    lock.write_text(content, encoding="utf-8")
    again = project.run("x")
    assert told(again)["argv"] == ["x"]
    assert "Setting up" not in again.stdout


@pytest.mark.skipif(not HERE_IS_POSIX, reason="kills a process group")
def test_killed_half_way_and_then_offline_still_opens(project):
    told(project.run("x"))
    lock = project.root / "requirements.lock"
    content = lock.read_text(encoding="utf-8")
    project.outdate()
    process = subprocess.Popen(
        project.command("x"),
        env=project.environment(),
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    process.stdout.readline()
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert (project.root / ".venv-before").exists()
    lock.write_text(project.lock.replace("locked", "unheard-of"), encoding="utf-8")
    opened = project.run("--no-browser")
    assert "The lab opens as it was set up before." in opened.stdout
    lock.write_text(content, encoding="utf-8")
    assert "Setting up" not in project.run("x").stdout


def test_moved_folder_and_lost_python_are_repaired(project):
    told(project.run("x"))
    moved = project.root.with_name("moved")
    project.root.rename(moved)
    project.root = moved
    probe = told(project.run("x"))
    assert os.path.samefile(probe["prefix"], moved / ".venv")
    for name in ("bin/python", "Scripts/python.exe"):
        (moved / ".venv" / name).unlink(missing_ok=True)
    again = project.run("x")
    assert "Setting up the lab" in again.stdout
    assert told(again)["argv"] == ["x"]


# what the tests add


@pytest.fixture
def base(project):
    """The small project, set up for the lab only, and where it keeps its packages."""
    project.outdate()
    told(project.run("x"))
    (module,) = (project.root / ".venv").rglob("locked.py")
    return project, module.parent


def test_the_lab_is_set_up_without_what_the_tests_add(base):
    project, packages = base
    assert not list(packages.glob("pytest*"))
    added = project.run("test", "one")
    assert "Adding what the tests need" in added.stdout
    assert "Setting up the lab" not in added.stdout
    assert "tests run with one" in added.stdout
    assert (packages / "locked.py").exists()
    # and neither is done twice, nor looked up again where there is no network
    again = project.run("test", "two", PIP_FIND_LINKS="")
    assert "tests run with two" in again.stdout
    assert "Adding" not in again.stdout
    assert len(project.run("x", PIP_FIND_LINKS="").stdout.splitlines()) == 1


def test_an_addition_cut_short_is_repaired_and_the_lab_runs_meanwhile(base):
    project, packages = base
    project.run("test")
    # killed while it put files in place
    (project.root / ".venv" / "lab-stamp-test").unlink()
    (packages / "pytest.py").write_text("raise SystemExit('half a package')", encoding="utf-8")
    (packages / "pytest-1.dist-info" / "RECORD").unlink()
    assert told(project.run("x", PIP_FIND_LINKS=""))["argv"] == ["x"]
    repaired = project.run("test", "again")
    assert "Adding what the tests need" in repaired.stdout
    assert "Setting up the lab" not in repaired.stdout
    assert "tests run with again" in repaired.stdout


def test_a_failed_addition_leaves_the_lab_as_it_was(base):
    project, packages = base
    content = project.test_lock.read_text(encoding="utf-8")
    project.test_lock.write_text(content.replace("sha256:", "sha256:0")[:-2] + "\n", "utf-8")
    refused = project.run("test")
    project.test_lock.write_text(content, encoding="utf-8")
    assert refused.returncode == 1
    assert "is not the one that the lock names" in refused.stderr
    assert not list(packages.glob("pytest*"))
    second = project.run("x")
    assert told(second)["argv"] == ["x"]
    assert len(second.stdout.splitlines()) == 1


def test_another_lock_of_the_tests_costs_the_lab_nothing(base):
    project, _ = base
    project.run("test")
    with project.test_lock.open("a", encoding="utf-8") as lock:
        lock.write("# newer\n")
    assert len(project.run("x").stdout.splitlines()) == 1
    added = project.run("test").stdout
    assert "Adding what the tests need" in added
    assert "Setting up the lab" not in added


def test_the_locks_are_parted_by_package(lab):
    part = "a==1 \\\n    --hash=sha256:00\n    # via c\n"
    more = "b-b==2 ; x \\\n    --hash=sha256:11\n    # via\n    #   a\n    #   t\n"
    whole = part.replace("via c", "via\n    #   c\n    #   t") + more
    assert lab.left_over(whole, part) == more
    assert lab.left_over(whole + "z==3\n", part) == more + "z==3\n"


# what stops a set-up, in one sentence


def test_older_pythons_get_one_sentence(repo):
    source = (repo / "lab.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 7))
    pretend = (
        "import sys; sys.version_info = (3, 9, 1, 'final', 0); "
        f"exec(compile(open({str(repo / 'lab.py')!r}, encoding='utf-8').read(), 'lab.py', 'exec'))"
    )
    old = subprocess.run([sys.executable, "-c", pretend], capture_output=True, text=True)
    assert old.returncode == 1
    assert old.stderr == "The lab needs Python 3.11 or newer, this is 3.9.\n"


def test_only_the_standard_library_is_imported(repo):
    tree = ast.parse((repo / "lab.py").read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
    assert imported <= sys.stdlib_module_names


def test_no_write_permission(lab, monkeypatch, tmp_path):
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_text("", encoding="utf-8")
    monkeypatch.setattr(lab, "ROOT", tmp_path)
    monkeypatch.setattr(lab, "STAMP", tmp_path / ".venv" / "lab-stamp")
    tmp_path.chmod(0o555)
    root = HERE_IS_POSIX and os.geteuid() == 0
    if root:
        os.seteuid(65534)  # root may write anywhere
    try:
        with pytest.raises(SystemExit, match=r"Cannot write in .*: move the folder to a place"):
            lab.set_up()
    finally:
        if root:
            os.seteuid(0)
        tmp_path.chmod(0o755)
    assert not (tmp_path / ".venv").exists()


def test_python_without_venv(lab, monkeypatch):
    monkeypatch.setattr(lab, "is_set_up", lambda: False)
    monkeypatch.setattr(lab.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        lab.make_anew()


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
         "The disk is full"),
        ("error: failed to write `x`: There is not enough space on the disk. (os error 112)",
         "The disk is full"),
        ("ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/x'",
         "Cannot write in"),
        ("WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError("
         "'<...>: Failed to establish a new connection: [Errno 101] Network is unreachable')'",
         "No network"),
        ("  Caused by: dns error: failed to lookup address information: Temporary failure in name "
         "resolution", "No network"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE",
         "A package that arrived"),
        ("Resolved 133 packages in 519ms\nerror: Failed to build `x`: invalid metadata", None),
    ],
)  # fmt: skip
def test_what_installers_say_becomes_one_sentence(lab, said, sentence):
    advice = lab.advice(said)
    assert advice is None if sentence is None else advice.startswith(sentence)


def test_uv_is_tried_first_and_pip_is_the_way_back(lab, monkeypatch, repo):
    """The real lock pins uv; when uv fails, pip installs the same lock."""
    steps = []

    def step(*command):
        steps.append(command)
        uses_uv = command[1:3] == ("-m", "uv")
        return not (uses_uv and uv_fails), ""

    monkeypatch.setattr(lab, "step", step)
    for uv_fails, last_two in ((False, ["uv", "uv"]), (True, ["pip", "pip"])):  # noqa: B007
        steps.clear()
        lab.install()
        assert steps[0][2] == "pip"
        assert "--require-hashes" in steps[0]
        # the last step is compileall
        assert [command[2] for command in steps[-3:-1]] == last_two
        assert "--require-hashes" in steps[-3]
        assert str(repo / "requirements.lock") in steps[-3]
        assert "--no-deps" in steps[-2]
        assert steps[-1][3:5] == ("-m", "compileall")


# opening, testing


def test_jupyterlab_listens_here_only_and_asks_nothing_of_the_outside(lab):
    command = lab.jupyter_command(port=8899, browser=False)
    assert {
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port=8899",
        "--ServerApp.open_browser=False",
        "--LabApp.extension_manager=readonly",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.news_url=None",
        f"--LabApp.default_url=/lab/tree/{lab.FIRST_LESSON}",
    } <= set(command)
    assert not any("token" in word or "password" in word for word in command)
    assert not any(word.startswith("--ServerApp.port") for word in lab.jupyter_command())


def test_a_port_in_use_is_one_sentence(lab):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(SystemExit, match=f"Port {port} cannot be used"):
            lab.open_lab(["--port", str(port)])
    with pytest.raises(SystemExit, match="Port 700000 cannot be used"):
        lab.open_lab(["--port", "700000"])


def test_options_reach_jupyterlab(lab, monkeypatch):
    opened = []
    monkeypatch.setattr(lab, "set_up", lambda or_earlier=False: None)
    monkeypatch.setattr(lab, "become", lambda command, folder=None: opened.append(command))
    lab.main(["--no-browser", "--port", "0"])
    lab.main([])
    assert "--ServerApp.open_browser=False" in opened[0]
    assert "--ServerApp.open_browser=True" in opened[1]


def test_verbs_work_where_the_lessons_keep_policy_and_progress(lab, monkeypatch, repo):
    seen = []
    monkeypatch.setattr(lab, "set_up", lambda **asked: None)
    monkeypatch.setattr(lab, "become", lambda command: seen.append(lab.environment()))
    monkeypatch.delenv("ETHICALAI_LAB_WORK", raising=False)
    monkeypatch.setattr(lab.os, "environ", dict(os.environ))
    lab.main(["policy", "check"])
    lab.os.environ["ETHICALAI_LAB_WORK"] = "elsewhere"
    lab.main(["policy", "check"])
    assert [env["ETHICALAI_LAB_WORK"] for env in seen] == [str(repo / "notebooks"), "elsewhere"]


def test_only_what_is_installed_calls_for_a_new_set_up(lab, monkeypatch, tmp_path):
    monkeypatch.setattr(lab, "ROOT", tmp_path)
    monkeypatch.setattr(lab, "LOCK", tmp_path / "requirements.lock")

    def found(lock="a==1", dependencies='"a"', tool="line-length = 100", test='"t"', present='"p"'):
        (tmp_path / "requirements.lock").write_text(lock)
        (tmp_path / "pyproject.toml").write_text(
            f'[project]\nname = "x"\ndependencies = [{dependencies}]\n'
            f"[project.optional-dependencies]\ntest = [{test}]\npresent = [{present}]\n"
            f"[tool.ruff]\n{tool}\n"
        )
        return lab.fingerprint()

    assert found() == found(tool="line-length = 90") == found(test='"t", "u"')
    others = [found(lock="a==2"), found(dependencies='"a", "b"'), found(present='"q"')]
    assert len({found(), *others}) == 4


def test_a_failing_step_fails_the_whole_run_but_stops_none(lab, monkeypatch):
    ran = []
    monkeypatch.setattr(lab, "set_up", lambda **asked: None)
    codes = iter([0, 1, 0, 0])
    monkeypatch.setattr(lab, "run", lambda command: ran.append(command) or next(codes))
    with pytest.raises(SystemExit, match="FAILED: ruff format --check"):
        lab.main(["test"])
    assert [command[2] for command in ran] == ["ruff", "ruff", "pytest", "pytest"]
    assert "--nbval" in ran[-1]
    assert [command[3:5] for command in ran[2:]] == [["-n", "auto"]] * 2
    assert not any("lax" in word for command in ran for word in command)


def test_windows_waits_for_a_long_set_up(lab, monkeypatch, tmp_path):
    tries = []

    def locking(handle, how, count):  # gives up four times
        tries.append(how)
        if len(tries) < 5:
            raise OSError(36, "Resource deadlock avoided")

    fake = types.SimpleNamespace(LK_LOCK=1, LK_NBLCK=2, locking=locking)
    monkeypatch.setitem(sys.modules, "msvcrt", fake)
    monkeypatch.setattr(lab, "ROOT", tmp_path)
    monkeypatch.setattr(lab, "os", types.SimpleNamespace(name="nt", set_inheritable=lambda *_: 0))
    with lab.alone():
        assert tries == [2, 1, 1, 1, 1]


def test_says_how_far_it_is(lab, monkeypatch, capsys):
    monkeypatch.setattr(lab, "set_up", lambda **asked: None)
    monkeypatch.setattr(lab, "run", lambda command: 0)
    lab.main(["test"])
    said = capsys.readouterr().out.splitlines()
    assert [line[:8] for line in said] == [f"[{n} of 4]" for n in (1, 1, 2, 2, 3, 3, 4, 4)]
    assert "pytest -n auto" in said[4]
    assert said[5].endswith(" s")


@pytest.mark.skipif(not HERE_IS_POSIX, reason="sends SIGINT")
def test_ctrl_c_ends_all_steps_and_waits_for_the_one_that_runs(lab, monkeypatch, tmp_path):
    # the step gets Ctrl-C as we do, and ends in its own time
    step = (
        "import os, pathlib, signal, time; os.kill(os.getppid(), signal.SIGINT); "
        "time.sleep(1); pathlib.Path('ended').touch()"
    )
    monkeypatch.setattr(lab, "set_up", lambda **asked: None)
    monkeypatch.setattr(lab, "ROOT", tmp_path)
    monkeypatch.setattr(lab, "PYTHON", sys.executable)
    ran, run = [], lab.run
    monkeypatch.setattr(
        lab, "run", lambda command: ran.append(command) or run([sys.executable, "-c", step])
    )
    with pytest.raises(SystemExit, match="Stopped"):
        lab.main(["test"])
    assert len(ran) == 1
    assert (tmp_path / "ended").exists()


def test_no_test_is_no_success(lab, repo, monkeypatch):
    monkeypatch.setattr(lab, "set_up", lambda **asked: None)
    monkeypatch.setattr(lab, "PYTHON", sys.executable)
    monkeypatch.setattr(lab, "environment", lambda: os.environ)
    with pytest.raises(SystemExit, match="FAILED: pytest -q -n 2 tests/stats -k there_is_none"):
        lab.main(["test", "-q", "-n", "2", "tests/stats", "-k", "there_is_none"])


def test_options_of_test_reach_pytest(lab, monkeypatch):
    ran = []
    monkeypatch.setattr(lab, "set_up", lambda **asked: None)
    monkeypatch.setattr(lab, "run", lambda command: ran.append(command) or 0)
    lab.main(["test", "tests/gates", "-k", "offline"])
    assert [command[2:] for command in ran] == [["pytest", "tests/gates", "-k", "offline"]]
