"""Who may import whom, and what an import may cost."""

import ast
import importlib
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ethicalai_lab

# A part may import the floors below its own. On the context and among the rooms nobody imports
# a neighbour; on the top floor they may.
FLOORS = [
    {"errors"},
    {"core"},
    {"world", "tables", "stats"},
    {"personalization", "privacy", "fairness", "consent", "explainability"},
    {"policy"},
    {"assurance"},
    {"lessons", "widgets", "cli", "outputs", "__main__"},
]
TOP = len(FLOORS) - 1
FLOOR = {part: level for level, parts in enumerate(FLOORS) for part in parts}
# plotting takes data and returns figures: it needs no room, and no room needs it
PLOTTING_MAY_IMPORT = {"errors", "core", "stats"}
MAY_IMPORT_PLOTTING = {"policy", "assurance", "lessons", "widgets", "cli"}

# too slow to be paid by everyone who imports a package of ours
HEAVY = {
    *("pandas", "sklearn", "fairlearn", "scipy", "matplotlib", "shap", "opendp", "duckdb"),
    *("pyarrow", "ipywidgets", "IPython", "nbclient", "nbformat", "cryptography", "PIL"),
}


def imports(source, module, is_package=False):
    """Yield (line, absolute name) of all that a module of ours imports, by whatever means."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")
            base = base[: len(base) - node.level + is_package] if node.level else []
            base = ".".join([*base, *([node.module] if node.module else [])])
            yield node.lineno, base
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.fullmatch(r"ethicalai_lab(\.\w+)+", node.value)
        ):
            yield node.lineno, node.value  # a lazy import names its module in a string


def faults(source, module, is_package=False):
    """Return what a module imports although its floor does not allow it."""
    parts = module.split(".")
    if len(parts) == 1:
        return []  # the front door shows every room, lazily
    own, found = parts[1], set()
    if own not in FLOOR and own != "plotting":
        return [f"{module}: {own!r} stands on no floor; give it one in tests/gates"]
    for line, name in imports(source, module, is_package):
        package, _, rest = name.partition(".")
        other = rest.split(".")[0]
        if package == "tools":
            found.add(f"{module}:{line} imports {name}")  # they are not installed with the package
        if package != "ethicalai_lab" or other == own:
            continue
        if other not in FLOOR and other != "plotting":
            continue  # a name of the front door, such as __version__
        if own == "plotting":
            allowed = other in PLOTTING_MAY_IMPORT
        elif other == "plotting":
            allowed = own in MAY_IMPORT_PLOTTING
        else:
            allowed = FLOOR[other] < FLOOR[own] or FLOOR[other] == FLOOR[own] == TOP
        if not allowed:
            found.add(f"{module}:{line} imports {other}")
    return sorted(found)


def modules(repo):
    for path in sorted((repo / "ethicalai_lab").rglob("*.py")):
        parts = path.relative_to(repo).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        yield path, ".".join(parts[:-1] if is_package else parts), is_package


def test_floors_hold(repo):
    found = []
    for path, module, is_package in modules(repo):
        found += faults(path.read_text(encoding="utf-8"), module, is_package)
    assert not found, "\n".join(found)


def test_the_front_door_names_only_what_exists(repo):
    front = (repo / "ethicalai_lab" / "__init__.py").read_text(encoding="utf-8")
    for _, name in imports(front, "ethicalai_lab", True):
        if name.startswith("ethicalai_lab.") and name.count(".") == 1:
            assert importlib.util.find_spec(name), name


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("ethicalai_lab.fairness.x", "from ethicalai_lab.privacy import anonymity"),
        ("ethicalai_lab.fairness.x", "def f():\n    import ethicalai_lab.privacy.codes"),
        ("ethicalai_lab.fairness.x", "from ethicalai_lab import consent"),
        ("ethicalai_lab.fairness.x", "from ..privacy import codes"),
        ("ethicalai_lab.fairness.x", "from .. import plotting"),
        ("ethicalai_lab.fairness.x", "load('ethicalai_lab.policy')"),
        ("ethicalai_lab.world.x", "import ethicalai_lab.stats"),
        ("ethicalai_lab.errors", "from ethicalai_lab.world import make_world"),
        ("ethicalai_lab.policy.x", "from ethicalai_lab.lessons import lesson"),
        ("ethicalai_lab.assurance.x", "from ethicalai_lab.cli import main"),
        ("ethicalai_lab.plotting", "from ethicalai_lab.fairness import audit"),
        ("ethicalai_lab.attic", ""),
        ("ethicalai_lab.cli", "import tools.snapshot"),
    ],
)
def test_a_planted_fault_is_found(module, source):
    assert len(faults(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("ethicalai_lab.fairness.x", "from ethicalai_lab.fairness.y import z\nfrom . import y"),
        ("ethicalai_lab.fairness.x", "from ethicalai_lab import errors, stats, __version__"),
        ("ethicalai_lab.policy.x", "from ethicalai_lab.privacy import k\nimport pandas"),
        ("ethicalai_lab.cli", "import ethicalai_lab.lessons, ethicalai_lab.plotting"),
        ("ethicalai_lab.widgets.x", "'see ethicalai_lab.lessons for more'"),
    ],
)
def test_what_is_allowed_passes(module, source):
    assert faults(source, module) == []


FACES = sorted(path.parent for path in Path(ethicalai_lab.__file__).parent.rglob("__init__.pyi"))


@pytest.mark.parametrize("folder", FACES, ids=lambda folder: folder.name)
def test_every_name_on_a_face_is_there_and_the_face_is_cheap(folder):
    name = ".".join(folder.relative_to(FACES[0].parent).parts)
    face = importlib.import_module(name)
    assert face.__all__
    for public in face.__all__:
        assert getattr(face, public) is not None
    with pytest.raises(AttributeError, match="nothing_here"):
        face.nothing_here  # noqa: B018
    code = f"import sys, {name}; print({HEAVY!r} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


# the drawing in docs/architecture.md


def drawn_house(found):
    """Return the house as mermaid: the floors, and an arrow from each part to what it imports.

    `found` is {part: the parts it imports}. An arrow that longer ways already say is left out.
    """

    def reach(part):
        seen, waiting = set(), [part]
        while waiting:
            more = found.get(waiting.pop(), set()) - seen
            seen |= more
            waiting += more
        return seen

    below = {part: reach(part) for part in found}

    def told_already(part, other):
        # what imports a part back is no way round: of two in a circle both keep their arrows
        way = {between for between in found[part] if part not in below.get(between, ())}
        return any(
            other in below[between] and between not in below.get(other, ())
            for between in way & set(found)
        )

    lines = ["flowchart TD"]
    for level, parts in reversed(list(enumerate(FLOORS))):
        here = sorted(parts & set(found))
        if here:
            lines += [f'  subgraph floor{level}["floor {level}"]']
            lines += [f"    {part}" for part in here] + ["  end"]
    lines += [
        f"  {part} --> {other}"
        for part in sorted(found)
        for other in sorted(found[part])
        if not told_already(part, other)
    ]
    return "\n".join(lines)


def parts_imported(repo):
    """Return {part: the other parts that it imports}, from the code."""
    found = {}
    for path, module, is_package in modules(repo):
        own = module.split(".")[1] if "." in module else None
        if own and own != "__main__":  # two lines that call cli
            names = imports(path.read_text(encoding="utf-8"), module, is_package)
            others = {n.split(".")[1] for _, n in names if n.startswith("ethicalai_lab.")}
            found.setdefault(own, set()).update(others & ({*FLOOR, "plotting"} - {own}))
    return found


def test_the_house_is_drawn_as_it_stands(repo):
    page = (repo / "docs" / "architecture.md").read_text(encoding="utf-8")
    (drawing,) = re.findall(r"```mermaid\n(.*?)\n```", page, re.DOTALL)
    house = drawn_house(parts_imported(repo))
    assert drawing == house, f"docs/architecture.md should hold this drawing:\n{house}"


def test_a_new_import_changes_the_drawing():
    found = {"policy": {"privacy"}, "privacy": {"core", "errors"}, "core": {"errors"}}
    found["errors"] = set()
    arrows = [line.strip() for line in drawn_house(found).splitlines() if "-->" in line]
    assert arrows == ["core --> errors", "policy --> privacy", "privacy --> core"]
    found["policy"] = {"privacy", "fairness"}
    found["fairness"] = {"errors"}
    assert "policy --> fairness" in drawn_house(found)
    found["cli"] = {"widgets", "lessons"}
    found |= {"widgets": {"lessons", "policy"}, "lessons": {"widgets", "policy"}}
    circle = ["lessons --> policy", "lessons --> widgets", "cli --> lessons"]
    circle += ["cli --> widgets", "widgets --> lessons", "widgets --> policy"]
    assert [line for line in circle if line not in drawn_house(found)] == []


def test_packages_import_nothing_heavy_at_the_top(repo):
    found = []
    for path, module, is_package in modules(repo):
        if not is_package:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            found += [f"{module}: {name}" for name in names if name.split(".")[0] in HEAVY]
    assert not found


def test_importing_a_room_loads_nothing_heavy(repo):
    packages = [name for _, name, is_package in modules(repo) if is_package]
    names = [name for name in packages if ".guard" not in name]
    code = (
        "import importlib, json, sys\nloaded = {}\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
        f"    loaded[name] = sorted({HEAVY!r} & set(sys.modules))\n"
        "print(json.dumps(loaded))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repo, capture_output=True, text=True, check=True
    )
    loaded = json.loads(done.stdout)
    assert "ethicalai_lab" in loaded
    assert {name: heavy for name, heavy in loaded.items() if heavy} == {}
