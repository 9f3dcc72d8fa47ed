"""README, lessons, environment.yml, pyproject.toml, the locks and the package say the same."""

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import ethicalai_lab


@pytest.fixture(scope="module")
def pyproject(repo):
    return tomllib.loads((repo / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def readme(repo):
    return (repo / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def environment(repo):
    return yaml.safe_load((repo / "environment.yml").read_text(encoding="utf-8"))


def read_lock(text):
    """Return (name -> pinned versions, names without a hash) of a lock."""
    pins, bare = {}, []
    for block in re.split(r"\n(?=[A-Za-z0-9])", text.strip()):
        name, version = re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", block).groups()
        pins.setdefault(canonicalize_name(name), []).append(Version(version))
        if "--hash=sha256:" not in block:
            bare.append(name)
    return pins, bare


@pytest.fixture(scope="module")
def locks(repo):
    """What the lab needs and what its tests add, as text."""
    names = ("requirements.lock", "requirements-test.lock")
    return [(repo / name).read_text(encoding="utf-8") for name in names]


@pytest.fixture(scope="module")
def locked(locks):
    """Both locks as one."""
    return read_lock("".join(locks))


def wanted(pyproject, tests=True):
    """Return what the lab asks for by itself, with or without what its tests ask for."""
    project = pyproject["project"]
    extras = project["optional-dependencies"]
    lines = [line for name, more in extras.items() if tests or name != "test" for line in more]
    return [Requirement(line) for line in project["dependencies"] + lines]


def closure(requirements):
    """Return the names of all that the requirements bring, down to the last, on this machine."""
    env = default_environment()
    waiting, seen = [(requirement, "") for requirement in requirements], set()
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate(env | {"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for asked in {"", *requirement.extras}:
            if (name, asked) not in seen:
                seen.add((name, asked))
                needs = importlib.metadata.requires(name) or []
                waiting += [(Requirement(line), asked) for line in needs]
    return {name for name, _ in seen}


def packages(lock):
    """Return [(name, who asks for it, whether this machine wants it)] of a lock's packages."""
    found = []
    for block in re.split(r"\n(?=[A-Za-z0-9])", lock.strip()):
        head, _, via = block.partition("\n    # via")
        requirement = Requirement(head.partition("\\")[0])
        here = requirement.marker is None or requirement.marker.evaluate()
        parents = {line.strip(" #") for line in via.splitlines()} - {""}
        found.append((canonicalize_name(requirement.name), parents, here))
    return found


# packages


def test_every_dependency_is_locked_inside_its_range(pyproject, locked):
    pins, bare = locked
    assert bare == []
    for requirement in wanted(pyproject):
        versions = pins.get(canonicalize_name(requirement.name))
        assert versions, f"{requirement.name} is in neither lock: python lab.py lock"
        for version in versions:
            assert requirement.specifier.contains(version), (requirement, version)


def test_the_lock_reader_sees_a_pin_without_hash_and_two_pins():
    text = "a==1 ; python_version < '3'\na==2 \\\n    --hash=sha256:00\n    # via b\nb-c==3.1\n"
    pins, bare = read_lock(text)
    assert pins == {"a": [Version("1"), Version("2")], "b-c": [Version("3.1")]}
    assert bare == ["a", "b-c"]


def test_what_runs_here_is_what_is_locked(pyproject, locked):
    """The tests speak for the lock: they ran on just these versions."""
    pins, _ = locked
    for requirement in wanted(pyproject):
        name = canonicalize_name(requirement.name)
        assert Version(importlib.metadata.version(name)) in pins[name], name


def test_the_labs_lock_holds_what_the_set_up_itself_uses(locks):
    pins, _ = read_lock(locks[0])
    assert {"uv", "hatchling"} <= set(pins)


def test_each_lock_holds_what_its_group_brings_and_no_more(pyproject, locks):
    """The lab runs on the first alone; the second adds just what the tests ask for besides."""
    lab, tests = ({name for name, _, here in packages(lock) if here} for lock in locks)
    assert lab == closure(wanted(pyproject, tests=False))
    assert lab | tests == closure(wanted(pyproject))
    assert not lab & tests


def test_the_locks_are_whole_on_every_system(locks):
    """As the lock itself tells who asks for what: no machine has all of its markers."""
    lab, tests = map(packages, locks)
    names = [{name for name, _, _ in group} for group in (lab, tests)]
    assert not names[0] & names[1]
    itself = {"ethicalai-lab (pyproject.toml)"}
    for group, known in ((lab, names[0]), (tests, names[0] | names[1])):
        for name, parents, _ in group:
            assert parents, name
            assert parents - itself <= known, name


def test_the_locks_name_no_registry(locks):
    assert not any("://" in lock or "--index" in lock for lock in locks)


def test_the_package_reader_sees_who_asks_and_where():
    text = (
        "a==1 ; sys_platform == 'nowhere' \\\n    --hash=sha256:00\n    # via b\n"
        "B==2 \\\n    --hash=sha256:11\n    # via\n    #   c\n    #   d (x)\n"
    )
    assert packages(text) == [("a", {"b"}, False), ("b", {"c", "d (x)"}, True)]


def test_dependencies_are_sorted_and_named_once(pyproject):
    project = pyproject["project"]
    for lines in (project["dependencies"], *project["optional-dependencies"].values()):
        names = [canonicalize_name(Requirement(line).name) for line in lines]
        assert names == sorted(set(names))


def foreign_imports(source):
    """Return the top names of all that a file imports from elsewhere."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
    ours = {"ethicalai_lab", "conftest", "lab", "tools", "__future__"}
    return names - sys.stdlib_module_names - ours


@pytest.mark.parametrize("folder", ["ethicalai_lab", "tests", "tools"])
def test_what_the_code_imports_is_declared(repo, pyproject, folder):
    """Nobody relies on a package that merely came along with another."""
    project = pyproject["project"]
    extras = project["optional-dependencies"]
    lines = list(project["dependencies"])
    for extra, more in extras.items():
        # a room may import the packages of an extra, lazily, and say what to install
        lines += more if (extra == "test") == (folder == "tests") else []
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    homes = importlib.metadata.packages_distributions()
    missing = {}
    for path in sorted((repo / folder).rglob("*.py")):
        for name in foreign_imports(path.read_text(encoding="utf-8")) - CAME_ALONG:
            if not declared & {canonicalize_name(home) for home in homes.get(name, ())}:
                missing.setdefault(name, path.name)
    assert missing == {}


# they belong to a declared package: it hands out their objects, or they run its machinery
CAME_ALONG = {
    *("IPython", "traitlets", "ipykernel", "jupyter_client", "nbclient", "nbconvert", "nbformat"),
    *("PIL", "cycler", "pydantic_core", "threadpoolctl"),
}


def test_only_the_package_is_installed(pyproject):
    """Tests, benchmarks and authors' tools stay in the checkout."""
    wheel = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["ethicalai_lab"]


def test_no_copyleft_in_what_readers_install(pyproject):
    """Walk the core's packages down to their last dependency and read their licences."""
    env = default_environment() | {"extra": ""}
    waiting = [Requirement(line) for line in pyproject["project"]["dependencies"]]
    seen, found = set(), []
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in seen or (requirement.marker and not requirement.marker.evaluate(env)):
            continue
        seen.add(name)
        about = importlib.metadata.metadata(name)
        licences = [*about.get_all("Classifier", []), about.get("License-Expression", "")]
        licences += (about.get("License") or "").splitlines()[:1]
        found += [f"{name}: {text}" for text in licences if is_copyleft(text)]
        waiting += [Requirement(line) for line in importlib.metadata.requires(name) or []]
    assert len(seen) > 50
    assert found == []


def is_copyleft(licence):
    strong = re.search(r"(?<!L)GPL|(?<!Lesser )General Public License|Affero", licence)
    return bool(strong) and "Lesser" not in licence and " OR " not in licence


@pytest.mark.parametrize(
    ("licence", "copyleft"),
    [
        ("GPL-3.0-only", True),
        ("AGPL-3.0", True),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", True),
        ("GNU Affero General Public License v3", True),
        ("LGPL-3.0", False),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", False),
        ("BSD-3-Clause", False),
        ("MIT OR GPL-2.0", False),
    ],
)
def test_copyleft_is_told_apart(licence, copyleft):
    assert is_copyleft(licence) is copyleft


# versions of Python


def test_one_oldest_python_everywhere(repo, pyproject, readme, environment):
    oldest = re.fullmatch(r">=(3\.\d+)", pyproject["project"]["requires-python"])[1]
    assert pyproject["tool"]["ruff"]["target-version"] == "py" + oldest.replace(".", "")
    assert f"Python {oldest} or newer" in readme
    lab = (repo / "lab.py").read_text(encoding="utf-8")
    assert f"needs Python {oldest} or newer" in lab
    assert f"sys.version_info < ({oldest.replace('.', ', ')})" in lab
    assert f"--python-version={oldest}" in lab
    (conda,) = [d for d in environment["dependencies"] if str(d).startswith("python=")]
    assert SpecifierSet(f">={oldest}").contains(conda.removeprefix("python="))
    runtime = (repo / ".binder" / "runtime.txt").read_text(encoding="utf-8").strip()
    assert runtime.removeprefix("python-") == conda.removeprefix("python=")


def test_conda_and_binder_install_the_lock(repo, environment):
    (pip,) = [d["pip"] for d in environment["dependencies"] if isinstance(d, dict)]
    assert pip == ["-r requirements.lock"]  # what `python lab.py` installs
    assert environment["channels"] == ["conda-forge"]
    assert environment["name"] == "ethicalai-lab"
    binder = (repo / ".binder" / "requirements.txt").read_text(encoding="utf-8")
    assert binder.strip() == "-r ../requirements.lock"
    post = (repo / ".binder" / "postBuild").read_text(encoding="utf-8")
    assert "-e ." in post
    assert "@jupyterlab/apputils-extension:announcements" in post


def test_ci_calls_the_command_that_the_readme_names(repo, readme):
    assert "python lab.py test" in readme
    run = (repo / ".ci" / "run").read_text(encoding="utf-8")
    assert re.search(r"^step .* python3 lab\.py test$", run, re.M)
    assert "--require-hashes -r requirements.lock -r requirements-test.lock" in run
    assert subprocess.run(["bash", "-n", str(repo / ".ci" / "run")]).returncode == 0


# the package


def test_one_version_everywhere(repo, pyproject):
    version = pyproject["project"]["version"]
    assert ethicalai_lab.__version__ == version
    citation = yaml.safe_load((repo / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == version
    assert citation["license"] == pyproject["project"]["license"] == "BSD-3-Clause"
    assert citation["authors"] == pyproject["project"]["authors"]
    assert all(set(author) == {"name"} for author in citation["authors"])


def test_licences_are_there_and_named(repo, readme):
    code = (repo / "LICENSE").read_text(encoding="utf-8")
    assert code.startswith("BSD 3-Clause License")
    content = (repo / "LICENSE-CONTENT").read_text(encoding="utf-8")
    assert "Creative Commons Attribution 4.0 International" in content
    assert "(LICENSE)" in readme
    assert "(LICENSE-CONTENT)" in readme


def test_the_command_is_the_package(repo, pyproject):
    assert pyproject["project"]["scripts"] == {"ethicalai-lab": "ethicalai_lab.cli:main"}
    said = [
        subprocess.run(
            [sys.executable, *words, "--version"], cwd=repo, capture_output=True, text=True
        ).stdout
        for words in (["-m", "ethicalai_lab"], ["-c", "from ethicalai_lab.cli import main; main()"])
    ]
    assert said[0] == f"ethicalai-lab {ethicalai_lab.__version__}\n"
    assert said[1] == said[0]


# README and lessons


def lesson_table(readme):
    """Return [(number, title, path, question)] of the README's table of lessons."""
    return re.findall(r"^\| (\d\d) \| \[([^]]+)\]\(([^)]+)\) \| (.+?) \|$", readme, re.M)


def test_the_readme_lists_the_lessons_that_are_there(repo, readme):
    rows = lesson_table(readme)
    paths = sorted((repo / "notebooks").glob("*.ipynb"))
    assert [path for _, _, path, _ in rows] == [f"notebooks/{path.name}" for path in paths]
    for (number, title, _, question), path in zip(rows, paths, strict=True):
        assert path.name.startswith(f"{number}_")
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
        heading = re.search(r"^# (.+)$", text, re.M)[1].removeprefix(f"Lesson {number} · ")
        assert heading.lower() == f"{title}: {question}".lower()


def test_the_readmes_links_lead_somewhere(repo, readme):
    links = re.findall(r"\]\(([^)#]+)\)", readme)
    assert len(links) > 4
    missing = [link for link in links if "://" not in link and not (repo / link).exists()]
    assert missing == []


def test_the_readme_names_the_two_commands_and_the_three_ways_in(readme):
    commands = re.search(r"## Two commands.*?```\n(.*?)```", readme, re.S)[1].splitlines()
    assert [line.split("#")[0].strip() for line in commands] == [
        "python lab.py",
        "python lab.py test",
    ]
    ways = re.search(r"## Three ways in\n(.*?)\n## ", readme, re.S)[1]
    assert re.findall(r"^\*\*(.+?)\.?\*\*", ways, re.M) == [
        "You learn",
        "You teach",
        "You run campaigns",
    ]


def test_the_readme_is_read_in_two_minutes(readme):
    prose = re.sub(r"^\|.*\n", "", readme, flags=re.M)  # the lessons' table is looked up, not read
    assert len(re.findall(r"\w+", prose)) < 500
