"""What no file of the project may hold."""

import re
import subprocess

import pytest

RULES = {
    "a registry's address": r"\bpypi[.]org|python[h]osted[.]org|npm[j]s[.](?:org|com)|anaconda[.](?:org|com)"
    r"|debian[.]org|crates[.]io|proxy[.]golang[.]org|--(?:extra-)?index-url|--find-links",
    "a path of one machine": r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+|tmp/\w+)/|[A-Z]:\\\\?Users",
    "something unfinished": r"\b(?:TODO|FIXME|XXX|NotImplementedError)\b",
    "a claim too large": r"(?i)\bde-?bias|\bunbiased model|\bfully anonymous|\bsolv\w+ bias",
}
# files that must name what they forbid
SPEAK_OF_IT = {
    "a claim too large": {
        "ethicalai_lab/lessons/lint.py",
        "tests/lint/test_lint_rules.py",
        "tests/policy/test_policy_values.py",
    },
}
HERE = "tests/gates/test_tree.py"


def faults(name, text):
    """Return (rule, excerpt) of what a file holds and may not."""
    found = []
    for rule, pattern in RULES.items():
        if name in SPEAK_OF_IT.get(rule, ()):
            continue
        found += [(rule, match[0]) for match in re.finditer(pattern, text)]
    return found


@pytest.fixture(scope="module")
def files(repo):
    """Name and text of every file that is, or is about to be, committed."""
    ask = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(ask, cwd=repo, capture_output=True, text=True, check=True).stdout
    texts = {}
    for name in filter(None, listed.split("\0")):
        path = repo / name
        if not path.is_file() or name == HERE:
            continue
        data = path.read_bytes()
        if b"\0" not in data[:4096]:
            text = data.decode("utf-8")
            if name.endswith(".ipynb"):  # pictures hold any letters
                text = re.sub(r'"image/png": "[^"]*"', "", text)
            texts[name] = text
    return texts


def test_no_file_holds_what_it_may_not(files):
    assert "lab.py" in files
    assert len(files) > 50
    found = [(name, *fault) for name, text in files.items() for fault in faults(name, text)]
    assert found == []


def test_no_file_is_too_large_for_a_checkout(repo):
    ask = ["git", "ls-files", "-z"]
    listed = subprocess.run(ask, cwd=repo, capture_output=True, text=True, check=True).stdout
    sizes = {n: (repo / n).stat().st_size for n in listed.split("\0") if n and (repo / n).is_file()}
    assert {name: size for name, size in sizes.items() if size > 5_000_000} == {}
    assert sum(sizes.values()) < 40_000_000


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("https://" + "pypi" + ".org/simple", "a registry's address"),
        ("pip install --index-url x", "a registry's address"),
        ("open('/ro" + "ot/x')", "a path of one machine"),
        ("see /home/somebody/lab", "a path of one machine"),
        (r"C:\Users\somebody", "a path of one machine"),
        ("# TODO later", "something unfinished"),
        ("raise NotImplementedError", "something unfinished"),
        ("We debias it.", "a claim too large"),
    ],
)
def test_a_planted_fault_is_found(text, rule):
    assert faults("x.py", text)[0][0] == rule


@pytest.mark.parametrize("text", ["/simple/network", "work/main", "return NotImplemented", "todo"])
def test_the_innocent_pass(text):
    assert faults("x.py", text) == []
