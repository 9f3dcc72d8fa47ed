"""The policy file: round trip, comments, one-line changes, refusals."""

import os
import stat
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.core.yaml import parse, to_data
from ethicalai_lab.policy import Policy, PolicyError
from ethicalai_lab.policy import policy as policy_module
from ethicalai_lab.policy import sections as s

# -- policies of every kind


def _values(path):
    words = s.choices(path)
    names = st.text(min_size=1, max_size=20)
    kind = str(s.FIELDS[path].annotation)
    if s.is_list(path):
        least = 1 if path == "fairness.audit.groups" else 0
        item = st.sampled_from(words) if words else names
        return st.lists(item, unique=True, min_size=least, max_size=4)
    if words:
        return st.sampled_from(words)
    if "bool" in kind:
        return st.booleans()
    if "str" in kind:
        return st.text(max_size=60)
    low, high, excluded = s.limits(path)
    if "int" in kind:
        return st.integers(low, high)
    return st.floats(low, high, exclude_min=excluded, allow_nan=False)


@st.composite
def policies(draw):
    data = {}
    for section, model in s.SECTIONS.items():
        if draw(st.booleans()):
            continue
        for name in model.model_fields:
            if draw(st.booleans()):
                data.setdefault(section, {})[name] = draw(_values(f"{section}.{name}"))
    policy = Policy()
    for section, values in data.items():
        try:
            policy = policy.decide(section, **values)
        except PolicyError as problem:
            # only decisions that contradict each other may be refused here
            if "choose the" not in str(problem):
                raise
    return policy


@settings(max_examples=40)
@given(policies())
def test_save_then_load_is_the_same_policy(tmp_path_factory, policy):
    path = tmp_path_factory.mktemp("p") / "policy.yaml"
    policy.save(path)
    loaded = Policy.load(path)
    assert loaded == policy
    assert hash(loaded) == hash(policy)
    assert loaded.to_dict() == policy.to_dict()
    assert list(path.parent.iterdir()) == [path]


@settings(max_examples=40)
@given(policies(), policies())
def test_saving_over_another_policy_leaves_just_the_new_one(tmp_path_factory, old, new):
    path = tmp_path_factory.mktemp("p") / "policy.yaml"
    old.save(path)
    comments = [line for line in path.read_text("utf-8").split("\n") if "#" in line[:5]]
    new.save(path)
    assert Policy.load(path) == new
    kept = [line for line in path.read_text("utf-8").split("\n") if "#" in line[:5]]
    assert kept == comments


STYLES = {
    "template": Policy.template(),
    "bare": "version: 1\n",
    "no last line end": "version: 1\nlog:\n  kind: none",
    "flow": "{version: 1, personalization: {targeting: uplift, share: 0.3}, data: }\n",
    "json": '{"version": 1, "consent": {"purposes": ["analytics"], "honour_gpc": true}, "log": null}',
    "deep indent": "version: 1\nfairness:\n      audit:\n            tolerance:   0.1\n\n\nlog:\n",
    "block list": (
        "version: 1\ndata:\n  features:\n  # the essentials\n  - age   # why\n"
        "  - 'history'\n\n  - region\n  retention_days: 30\n"
    ),
    "indented list": "version: 1\ndata:\n    features:\n        - age\n        - history\n",
    "block text": "version: 1\nduty:\n  reason: |\n    one\n    two\n\n  dpia: none\n",
    "folded text": "version: 1\nduty:\n  reason: >-\n    one\n    two\nlog: {}\n",
    "many lines": "version: 1\nduty:\n  reason: one\n    two\n  dpia: none\nlog: ~ # no\n",
    "quoted keys": "'version': 1\n\"log\":\n  'kind': \"none\"  # c\n",
    "explicit key": "version: 1\n? log\n: kind: none\n",
    "document marks": "---\nversion: 1\nlog:\n  kind: none\n...\n",
    "section last": "log:\n  kind: none\n\n# the end\nversion: 1\n",
    "windows": "version: 1\r\nlog:   # l\r\n  kind: none\r\ndata:\r\n  features:\r\n  - a\r\n  - b\r\n",
    "odd": "version:    1\nstorage:\n  {encryption: none,\n   erasure_days: 30} # two lines\n",
}


@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=8)
@given(new=policies())
def test_any_way_of_writing_survives_being_saved_over(tmp_path_factory, style, new):
    path = tmp_path_factory.mktemp("p") / "policy.yaml"
    path.write_bytes(STYLES[style].encode())
    Policy.load(path)
    new.save(path)
    assert Policy.load(path) == new
    if style == "windows":
        raw = path.read_bytes()
        assert raw.count(b"\n") == raw.count(b"\r\n")


@pytest.mark.parametrize("style", STYLES)
def test_saving_what_was_loaded_changes_no_byte(tmp_path, style):
    path = tmp_path / "policy.yaml"
    path.write_bytes(STYLES[style].encode())
    before = path.stat().st_mtime_ns
    Policy.load(path).save(path)
    assert path.read_bytes() == STYLES[style].encode()
    assert path.stat().st_mtime_ns == before


MINE = """\
# my policy, written by hand

version: 1   # the only one
personalization:
    share:   0.30      # three in ten
    targeting: 'uplift'


    # the cap was discussed at length
    contact_cap: 2
consent: {default: opt_in,   honour_gpc: yes}  # one line
data:
  features:
    - age      # old and young
    - history
    - region   # where
  retention_days: 90
# the end
"""


@pytest.mark.parametrize(
    ("section", "values", "was", "becomes"),
    [
        ("personalization", {"share": 0.2}, "    share:   0.30  ", "    share:   0.2  "),
        ("personalization", {"targeting": "rfm"}, "'uplift'", "rfm"),
        ("personalization", {"contact_cap": None}, "contact_cap: 2", "contact_cap:"),
        ("personalization", {"wording": "generic"}, "cap: 2\n", "cap: 2\n    wording: generic\n"),
        ("consent", {"honour_gpc": False}, "honour_gpc: yes}", "honour_gpc: false}"),
        ("consent", {"honour_gpc": None}, "honour_gpc: yes}", "honour_gpc: null}"),
        ("consent", {"regime": "strictest_for_all"}, "yes}", "yes, regime: strictest_for_all}"),
        ("data", {"features": ["age", "region"]}, "    - history\n", ""),
        ("data", {"features": ["age", "zip", "region"]}, "- history", "- zip"),
        (
            "data",
            {"features": ["age", "history", "region", "no"]},
            "- region   # where\n",
            '- region   # where\n    - "no"\n',
        ),
        (
            "data",
            {"features": ["x", "age", "history", "region"]},
            "    - age",
            "    - x\n    - age",
        ),
        (
            "data",
            {"features": []},
            "\n    - age      # old and young\n    - history\n    - region   # where",
            " []   # where",
        ),
        ("log", {"kind": "none"}, "_days: 90\n", "_days: 90\nlog:\n  kind: none\n"),
        (
            "fairness.audit",
            {"groups": ["a", "b"]},
            "_days: 90\n",
            "_days: 90\nfairness:\n  audit:\n    groups: [a, b]\n",
        ),
    ],
)
def test_a_decision_changes_its_own_line_and_no_other(
    tmp_path, section, values, was, becomes, monkeypatch
):
    def never(*_):
        raise AssertionError("the whole file would be re-written")

    monkeypatch.setattr(policy_module, "_rewritten", never)
    path = tmp_path / "policy.yaml"
    path.write_text(MINE, encoding="utf-8", newline="\n")
    assert MINE.count(was) == 1
    policy = Policy.load(path).decide(section, **values)
    policy.save(path)
    assert path.read_text("utf-8") == MINE.replace(was, becomes)
    assert Policy.load(path) == policy


def test_the_other_writer_keeps_comments_where_values_cannot_be_changed_in_place(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("version: 1\nlog:\n  kind: none  # k\n  ? witness\n", encoding="utf-8")
    policy = Policy.load(path).decide("log", witness="none")
    policy.save(path)
    assert Policy.load(path) == policy
    assert "# k" in path.read_text("utf-8")


def test_a_new_file_starts_from_the_template_or_from_what_was_loaded(tmp_path):
    Policy().decide("log", kind="none").save(tmp_path / "a.yaml")
    text = (tmp_path / "a.yaml").read_text("utf-8")
    assert text == Policy.template().replace("  kind:\n", "  kind: none\n")
    (tmp_path / "b.yaml").write_text(MINE, encoding="utf-8")
    Policy.load(tmp_path / "b.yaml").decide("data", retention_days=30).save(tmp_path / "c.yaml")
    text = (tmp_path / "c.yaml").read_text("utf-8")
    assert text == MINE.replace("days: 90", "days: 30")


def test_the_template_names_every_field_and_decides_nothing(tmp_path):
    path = tmp_path / "t.yaml"
    path.write_text(Policy.template(), encoding="utf-8")
    assert Policy.load(path) == Policy()
    data = to_data(parse(Policy.template()))
    for field in s.FIELDS:
        inner = data
        for name in field.split("."):
            inner = inner[name]
        assert inner is None
    assert max(map(len, Policy.template().splitlines())) < 100


def test_byte_order_mark_and_mode_and_links_stay(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_bytes(b"\xef\xbb\xbfversion: 1\nlog:\n  kind: none\n")
    Policy.load(path).decide("log", kind="hash_chain").save(path)
    assert path.read_bytes() == b"\xef\xbb\xbfversion: 1\nlog:\n  kind: hash_chain\n"
    if os.name == "posix":
        path.chmod(0o640)
        link = tmp_path / "link.yaml"
        link.symlink_to(path)
        Policy.load(link).decide("log", kind="none").save(link)
        assert link.is_symlink()
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert Policy.load(path).log.kind == "none"


# -- refusals


def refused(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(PolicyError) as caught:
        Policy.load(path)
    for fault in caught.value.faults:
        assert fault.startswith(str(path))
    return [fault.removeprefix(str(path)) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", " is empty; "),
        ("# nothing\n", " is empty; "),
        ("- a\n", ", line 1: this is no mapping"),
        ("just words\n", ", line 1: this is no mapping"),
        ("log: {kind: none}\n", ": the version is missing; add a line `version: 1`."),
        ("version: 2\n", ", line 1: version is 2; this lab reads version 1."),
        (
            "version: 1\nversion: 1\n",
            ', line 2: the key "version" is there twice (first on line 1)',
        ),
        (
            "version: 1\nlog:\n  kind: none\n  kind: none\n",
            ', line 4: the key "kind" is there twice',
        ),
        ("version: 1\nlogg:\n", ', line 2: there is no "logg" in a policy;'),
        ("version: 1\n\nlog:\n  knd: none\n", ', line 4: there is no "knd" in log;'),
        ("version: 1\nlog: [kind]\n", ", line 2: log is a list; a section holds its fields"),
        ("version: 1\nfairness: yes\n", ', line 2: fairness is "yes"; a section holds'),
        ("version: 1\nfairness:\n  audits:\n", ', line 3: there is no "audits" in fairness;'),
        ("version: 1\nlog: {kind: none\n", "not readable as YAML"),
        ("version: 1\n\tlog: x\n", ", line 2: not readable as YAML"),
        ("version: 1\nlog:\n  kind: nonne\n", ', line 3: log.kind is "nonne"; accepted: none,'),
        (
            "version: 1\ndata:\n  features:\n    - a\n    - 3\n",
            ", line 5: an item of data.features",
        ),
        ("version: 1\n---\nversion: 1\n", ", line 2: a second document starts"),
        (b"version: 1\nlog:\n  reason: caf\xe9\n", ", line 3: byte 0xe9 is not UTF-8"),
        ("version: 1\n".encode("utf-16"), " is in UTF-16"),
        (b"version: 1\nlog:\n  reason: a\0b\n", ", line 3: not readable as YAML"),
        ("version: 1\n[a, b]: c\n", "a key must be a single word or text"),
        ("version: 1\n<<: {log: }\n", ', line 2: there is no "<<" in a policy'),
    ],
)
def test_a_broken_file_is_told_by_line(tmp_path, content, fault):
    faults = refused(tmp_path / "policy.yaml", content)
    assert len(faults) == 1
    assert fault in faults[0]


def test_several_faults_come_in_the_order_of_the_file(tmp_path):
    faults = refused(
        tmp_path / "policy.yaml",
        "log:\n  witness: me\npersonalization:\n  share: 3\n  sare: 1\nversion: 1\nfoo: 1\n",
    )
    assert [fault.split(":")[0] for fault in faults] == [
        ", line 2",
        ", line 4",
        ", line 5",
        ", line 7",
    ]


MARK = "ran_code_from_yaml"


@pytest.mark.parametrize(
    "content",
    [
        f"version: 1\nlog: !!python/object/apply:os.system ['touch {MARK}']\n",
        f"version: 1\nlog: !!python/object/new:os.system [touch {MARK}]\n",
        f"!!python/object/apply:subprocess.check_output\n- [touch, {MARK}]\n",
        f"version: 1\nlog:\n  reason: !!python/object/apply:eval [\"open('{MARK}','w')\"]\n",
        "version: 1\nlog:\n  reason: !!python/name:os.system\n",
        "version: 1\nlog: !custom {kind: none}\n",
        "%TAG ! tag:yaml.org,2002:python/\n---\nversion: !object/apply:os.getcwd []\n",
        "version: 1\nlog: !!binary aGk=\n",
        "version: &v 1\nlog: {kind: *v}\n",
        "a: &a [x, x]\n"
        + "".join(f"{c}: &{c} [*{p}, *{p}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)),
        "version: 1\nlog: " + "[" * 5000 + "\n",
        "version: 1\nlog: " + "{a: " * 5000 + "\n",
        "version: 1\n" + "\n".join(" " * i + "a:" for i in range(400)) + "\n",
        "version: " + "9" * 10_000 + "\n",
        "version: 1\npersonalization: {share: 1e999}\n",
        "version: 1\npersonalization: {share: .inf}\n",
        "version: 1\npersonalization: {share: 0x10}\n",
        "version: 1\nlog:\n  reason: '" + "x" * 300_000 + "'\n",
    ],
    ids=range(18),
)
def test_a_malicious_file_is_refused_and_does_nothing(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    ran = []
    monkeypatch.setattr(os, "system", lambda *a: ran.append(a))
    faults = refused(tmp_path / "policy.yaml", content)
    assert not ran
    assert os.listdir(tmp_path) == ["policy.yaml"]
    assert all(len(fault) < 500 for fault in faults)


@settings(max_examples=150)
@given(st.text(alphabet="abversion: 1\n[]{},-#'\"&*!|>%@`?~\t\r\\\u2028\ufeff0", max_size=40))
def test_no_text_at_all_gives_anything_but_a_policy_or_a_clear_refusal(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("p") / "policy.yaml"
    path.write_bytes(text.encode())
    try:
        policy = Policy.load(path)
    except PolicyError as problem:
        policy, said = Policy(), str(problem)
    else:
        said = str(path)
    assert policy == Policy()
    assert said.startswith(str(path))


def test_files_that_cannot_be_read_or_written(tmp_path):
    with pytest.raises(PolicyError, match="there is no such policy file"):
        Policy.load(tmp_path / "none.yaml")
    with pytest.raises(PolicyError, match="is a folder"):
        Policy.load(tmp_path)
    with pytest.raises(PolicyError, match=r"no such policy file|cannot be read"):
        Policy.load(tmp_path / "a\0b")
    with pytest.raises(PolicyError, match="does not exist; make it first"):
        Policy().save(tmp_path / "no" / "p.yaml")


def test_what_is_no_policy_is_never_overwritten(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("version: 1\nlogg:\n", encoding="utf-8")
    with pytest.raises(PolicyError, match="left as it is; repair it or move it away"):
        Policy().decide("log", kind="none").save(path)
    assert path.read_text("utf-8") == "version: 1\nlogg:\n"


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch):
    path = tmp_path / "policy.yaml"
    path.write_text(MINE, encoding="utf-8")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(PolicyError, match="No space left on device"):
        Policy.load(path).decide("log", kind="none").save(path)
    assert path.read_text("utf-8") == MINE
    assert os.listdir(tmp_path) == ["policy.yaml"]


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such mode there")
def test_a_folder_without_permission(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(PolicyError, match="cannot be written"):
        Policy().save(tmp_path / "p.yaml")
    tmp_path.chmod(0o700)
