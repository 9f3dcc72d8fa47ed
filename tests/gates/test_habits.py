"""What contributors are told, and what runs before and after a commit, agrees with the tree."""

import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile

import pytest
import yaml
from packaging.specifiers import SpecifierSet

KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}  # keepachangelog.com


@pytest.fixture(scope="module")
def guide(repo):
    return (repo / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def workflow(repo):
    return yaml.safe_load((repo / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def hooks(repo):
    text = (repo / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    repos = yaml.safe_load(text)["repos"]
    assert [each["repo"] for each in repos] == ["local"]  # what is installed runs, nothing else
    return {hook["id"]: hook for hook in repos[0]["hooks"]}


@pytest.fixture
def lab_steps(repo, monkeypatch):
    """Return the commands, less the Python, that `python lab.py test` runs."""
    spec = importlib.util.spec_from_file_location("lab", repo / "lab.py")
    lab = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lab)
    ran = []
    monkeypatch.setattr(lab, "set_up", lambda tests=False: None)
    monkeypatch.setattr(lab, "run", lambda command: ran.append(command[1:]) or 0)
    lab.test([])
    return ran


# CONTRIBUTING.md, docs/architecture.md, CHANGELOG.md


def paths_named(text):
    """Return what stands between backticks and looks like a path of the tree."""
    words = re.findall(r"`([^`\s]+)`", text)
    return {
        word
        for word in words
        if re.search(r"/|\.(?:py|md|toml|yaml|yml|lock)$", word) and "://" not in word
    }


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md", "CHANGELOG.md"])
def test_the_paths_named_are_there(repo, page):
    named = paths_named((repo / page).read_text(encoding="utf-8"))
    assert len(named) > 1
    not_ours = {"roles.yaml", "my_policy.yaml"}  # a reader's own files
    assert [path for path in named - not_ours if not list(repo.glob(path))] == []


def test_the_links_lead_somewhere(repo):
    for page in ("CONTRIBUTING.md", "docs/architecture.md"):
        text = (repo / page).read_text(encoding="utf-8")
        links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
        assert [link for link in links if not ((repo / page).parent / link).exists()] == []


def test_each_part_of_the_package_says_what_goes_in(repo, guide):
    told = re.findall(r"^\| `ethicalai_lab/([\w.]+?)(?:\.py|/)` \| .{15,} \|$", guide, re.M)
    parts = {
        path.stem
        for path in (repo / "ethicalai_lab").iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists()) and path.stem[0] != "_"
    }
    assert len(told) == len(set(told))
    assert set(told) == parts


def steps_of(text):
    """Return [(path, names in backticks)] of the numbered steps that begin with a file."""
    found = []
    for step in re.findall(r"^\d+\. (.+(?:\n+   .+)*)", text, re.M):
        begins = re.match(r"`([^`\s]+\.\w+)`", step)
        if begins:
            found.append((begins[1], re.findall(r"`([A-Za-z_]\w*)`", step)))
    return found


def test_the_worked_examples_name_what_their_files_hold(repo, guide):
    examples = guide.split("\n## Worked examples\n")[1].split("\n## ")[0].split("\n### ")[1:]
    assert len(examples) == 5
    for example in examples:
        title, steps = example.splitlines()[0], steps_of(example)
        assert len(steps) >= 2, title
        for path, names in steps:
            text = (repo / path).read_text(encoding="utf-8")
            assert [name for name in names if name not in text] == [], (title, path)


def test_a_name_that_moved_is_found():
    text = "1. `a/b.py`: write it.\n\n   Add it to `OLD_NAME`.\n2. Run the tests of `a/b.py`.\n"
    assert steps_of(text) == [("a/b.py", ["OLD_NAME"])]


def test_the_changelog_keeps_the_form(repo):
    text = (repo / "CHANGELOG.md").read_text(encoding="utf-8")
    first, *later = re.findall(r"^## (.+)$", text, re.M)
    assert first == "[Unreleased]"
    assert [
        line for line in later if not re.match(r"\[\d+\.\d+\.\d+\] - 20\d\d-\d\d-\d\d$", line)
    ] == []
    for part in text.split("\n## ")[1:]:
        kinds = re.findall(r"^### (.+)$", part, re.M)
        assert set(kinds) <= KINDS
        assert len(kinds) == len(set(kinds))


# hooks and workflow


def test_the_hooks_run_what_the_tests_run(hooks, lab_steps):
    steps = [" ".join(["python", *step]) for step in lab_steps]
    for name in ("ruff-check", "ruff-format"):
        assert hooks[name]["entry"] in steps
        assert hooks[name]["pass_filenames"] is False
    assert all(hook["language"] == "system" for hook in hooks.values())


def test_the_hook_for_lessons_takes_every_lesson(repo, hooks):
    hook = hooks["lesson-lint"]
    python, option, module = hook["entry"].split()
    assert (python, option) == ("python", "-m")
    assert importlib.util.find_spec(module)
    lessons = sorted((repo / "notebooks").glob("*.ipynb"))
    assert lessons
    assert all(re.search(hook["files"], f"notebooks/{path.name}") for path in lessons)


def test_the_workflow_calls_what_is_there(repo, workflow):
    runs = [
        step["run"].split()
        for job in workflow["jobs"].values()
        for step in job["steps"]
        if "run" in step
    ]
    assert ["python", "lab.py", "test"] in runs
    for words in runs:
        assert words[:3] == ["python", "lab.py", "test"]
        paths = [w for w in words[3:] if "/" in w or w in ("ethicalai_lab", "notebooks")]
        assert [path for path in paths if not (repo / path).exists()] == []


def test_the_workflow_runs_what_a_second_python_runs(repo, workflow):
    ci = (repo / ".ci" / "run").read_text(encoding="utf-8").replace("\\\n", " ")
    (tests,) = re.findall(r'step "\$name: tests" pytest "\S+" (.+)', ci)
    (lessons,) = re.findall(r"^lessons=\((.+)\)", ci, re.M)
    shared = ["python", "lab.py", "test", "-q", "-n", "auto"]
    runs = [step["run"].split() for step in workflow["jobs"]["each"]["steps"] if "run" in step]
    assert runs == [shared + tests.split(), shared + lessons.split()]


def test_the_workflow_runs_on_three_systems_and_each_python(repo, workflow):
    matrix = workflow["jobs"]["each"]["strategy"]["matrix"]
    assert [name.split("-")[0] for name in matrix["os"]] == ["ubuntu", "macos", "windows"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    project = tomllib.loads((repo / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    accepted = SpecifierSet(project["requires-python"])
    assert all(accepted.contains(version) for version in matrix["python"])
    # YAML reads a bare `on` as true
    assert set(workflow[True]) == {"push", "pull_request"}


# the package


def test_the_wheel_says_that_it_is_typed(repo, tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=repo, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        assert "ethicalai_lab/py.typed" in packed.namelist()
