"""The snapshot of today's behaviour: what is written, what is called different, what is refused."""

import ast
import functools
import json
import re

import numpy as np
import pandas as pd
import pytest

from tools import snapshot, snapshot_parts


def case(value):
    return lambda: iter([("one", lambda: value)])


@pytest.fixture
def parts(monkeypatch):
    """Two tiny parts in place of the real ones; a test may change what they find."""
    found = {"first": {"k": 5, "who": ["a", "b"]}, "second": {"text": "as it was"}}
    for name in found:
        monkeypatch.setitem(
            snapshot.PARTS, name, lambda name=name: iter([("one", lambda: found[name])])
        )
    return found


def run(*words):
    return snapshot.main([str(word) for word in words])


def tamper(path, change):
    data = json.loads(path.read_text("utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


# -- the whole way


def test_what_was_written_compares_equal_until_a_golden_file_is_tampered_with(tmp_path, capsys):
    gold = tmp_path / "gold"
    assert run("write", gold, "--only", "anonymity") == 0
    assert run("compare", gold, "--only", "anonymity") == 0
    assert capsys.readouterr().out == "equal\n"
    tamper(gold / "anonymity" / "3_known.json", lambda data: data.update(k=99.0))
    assert run("compare", gold, "--only", "anonymity") == 1
    assert capsys.readouterr().out == "anonymity/3_known: k: 99.0 became 1.0\n1 differences\n"


def test_files_are_sorted_json_and_say_what_made_them(tmp_path, parts):
    assert run("write", tmp_path, "--only", "first", "second") == 0
    text = (tmp_path / "first" / "one.json").read_text("utf-8")
    assert text == '{\n "k": 5,\n "who": [\n  "a",\n  "b"\n ]\n}\n'
    about = json.loads((tmp_path / "snapshot.json").read_text("utf-8"))
    assert set(about["parts"]) == {"first", "second"}
    assert about["parts"]["first"]["pandas"] == pd.__version__


def test_one_part_is_written_anew_and_the_others_stay(tmp_path, parts):
    assert run("write", tmp_path, "--only", "first", "second") == 0
    (tmp_path / "first" / "old.json").write_text("{}", encoding="utf-8")
    parts["first"], parts["second"] = {"k": 6}, {"text": "changed"}
    assert run("write", tmp_path, "--only", "first") == 0
    assert [path.name for path in (tmp_path / "first").iterdir()] == ["one.json"]
    assert run("compare", tmp_path, "--only", "first") == 0
    assert run("compare", tmp_path, "--only", "second") == 1


def test_cases_that_came_and_went_are_named(tmp_path, parts, capsys):
    run("write", tmp_path, "--only", "first")
    (tmp_path / "first" / "one.json").rename(tmp_path / "first" / "two.json")
    assert run("compare", tmp_path, "--only", "first") == 1
    assert capsys.readouterr().out == "first/one: is new\nfirst/two: is gone\n2 differences\n"


# -- what is refused, with 2, and left alone


@pytest.mark.parametrize("verb", ["write", "compare"])
@pytest.mark.parametrize("holds", ["notes.txt", "snapshot.json"])
def test_a_folder_that_is_no_snapshot_is_left_alone(tmp_path, capsys, verb, holds):
    (tmp_path / holds).write_text("{}", encoding="utf-8")
    assert run(verb, tmp_path, "--only", "anonymity") == 2
    assert "is no snapshot" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [holds]


def test_golden_files_stay_out_of_the_checkout(repo, capsys):
    assert run("write", repo / "gold", "--only", "anonymity") == 2
    assert "is inside the checkout" in capsys.readouterr().err
    assert not (repo / "gold").exists()


def test_a_file_in_place_of_the_folder_is_refused(tmp_path, capsys):
    (tmp_path / "gold").write_text("mine", encoding="utf-8")
    assert run("write", tmp_path / "gold", "--only", "anonymity") == 2
    assert run("compare", tmp_path / "gold", "--only", "anonymity") == 2
    assert (tmp_path / "gold").read_text("utf-8") == "mine"


def test_what_could_not_be_compared_is_not_called_equal(tmp_path, parts, capsys, monkeypatch):
    run("write", tmp_path, "--only", "first")
    assert run("compare", tmp_path, "--only", "first", "second") == 2
    assert "does not hold second" in capsys.readouterr().err
    (tmp_path / "first" / "one.json").write_text("{", encoding="utf-8")
    assert run("compare", tmp_path, "--only", "first") == 2
    assert "one.json cannot be read" in capsys.readouterr().err

    def moved():
        raise ImportError("cannot import name 'audit'")

    monkeypatch.setitem(snapshot.PARTS, "first", lambda: iter([("one", moved)]))
    assert run("compare", tmp_path, "--only", "first") == 2
    assert "first/one could not be computed (ImportError: cannot" in capsys.readouterr().err
    assert run("write", tmp_path, "--only", "first") == 2
    monkeypatch.setitem(snapshot.PARTS, "first", moved)
    assert run("compare", tmp_path, "--only", "first") == 2  # the broken part is not held


# -- what counts as a difference


@pytest.mark.parametrize(
    ("golden", "found", "line"),
    [
        ({"a": 1}, {"a": 1.0}, "a: 1 became 1.0"),
        ({"a": True}, {"a": 1}, "a: True became 1"),
        ({"a": None}, {}, "a: None is gone"),
        ({"a": {"b": [1, 2, 3]}}, {"a": {"b": [1, 2]}}, "a.b: 3 entries became 2"),
        ({"a": [0.5, 1, 2]}, {"a": [0.5, 3, 4]}, "a: 2 of 3 entries, the first a[1]: 1 became 3"),
        ({"a": [{"b": "x"}]}, {"a": [{"b": "y"}]}, "a[0].b: 'x' became 'y'"),
        (
            {"a": "s" * 200 + "old"},
            {"a": "s" * 200 + "new"},
            f"a: from letter 201 on, '{'s' * 30}old' became '{'s' * 30}new'",
        ),
    ],
)
def test_a_difference_is_one_line_that_names_its_place(golden, found, line):
    assert list(snapshot.differences(golden, found)) == [line]
    assert list(snapshot.differences(golden, golden)) == []


CARD = {"m": {"value": 0.25, "low": 0.2, "replicates": [0.2, 0.3], "evidence": "a test", "n": 5}}


@pytest.mark.parametrize(
    ("change", "places"),
    [
        ({"value": 0.25 * (1 + 1e-13)}, []),
        ({"value": 0.25 * (1 + 1e-11)}, ["m.value"]),
        ({"low": 0.2005}, []),
        ({"low": 0.202}, ["m.low"]),
        ({"replicates": [0.2005, 0.3]}, []),
        ({"replicates": [0.2, 0.302]}, ["m.replicates"]),
        ({"evidence": "another"}, ["m.evidence"]),
        ({"n": 6}, ["m.n"]),
        ({"refits": [1.0]}, ["m.refits"]),
    ],
)
def test_a_scorecard_has_room_where_its_tolerance_says_so(change, places):
    slack = {"value": 1e-9, "interval": 1e-3}
    found = {"m": CARD["m"] | change}
    lines = list(snapshot.differences(CARD, found, slack))
    assert [line.split(":")[0] for line in lines] == places
    # everything else is compared to the last digit
    assert len(list(snapshot.differences(CARD, found))) == 1


def test_a_missing_tolerance_gives_no_room(tmp_path, monkeypatch):
    card = {"tolerance": {"value": 1e-9, "interval": 1e-3}, **CARD}
    monkeypatch.setitem(snapshot.PARTS, "scorecards", case(card))
    run("write", tmp_path, "--only", "scorecards")
    near = card | {"m": CARD["m"] | {"low": 0.2001}}
    monkeypatch.setitem(snapshot.PARTS, "scorecards", case(near))
    assert run("compare", tmp_path, "--only", "scorecards") == 0
    tamper(tmp_path / "scorecards" / "one.json", lambda data: data.pop("tolerance"))
    assert run("compare", tmp_path, "--only", "scorecards") == 1


# -- the parts


def cases(part):
    return dict(snapshot_parts.PARTS[part]())


def test_the_package_is_met_only_in_the_adapters(repo):
    """What a change of names has to touch are the functions named _lab_."""
    tree = ast.parse((repo / "tools" / "snapshot_parts.py").read_text("utf-8"))
    inside = set()
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name.startswith("_lab_"):
            inside |= {id(node) for node in ast.walk(function)}
    met = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module.startswith("ethicalai_lab")
    ]
    assert len(met) > 8
    assert [node.lineno for node in met if id(node) not in inside] == []
    engine = (repo / "tools" / "snapshot.py").read_text("utf-8")
    assert "import ethicalai_lab" not in engine
    assert "from ethicalai_lab" not in engine


def test_a_changed_cell_shows_in_its_column():
    column = pd.Series([1.0, 2.0, np.nan])
    assert snapshot_parts._digest(column) == snapshot_parts._digest(column.copy())
    assert snapshot_parts._digest(column) != snapshot_parts._digest(
        column.replace(2.0, 2.0 + 1e-15)
    )
    assert snapshot_parts._digest(column) != snapshot_parts._digest(column.astype("float32"))


def test_worlds_name_tables_columns_and_checksums(small_world):
    found = cases("worlds")["seed_7_no_bias"]()
    assert found["order"][: len(small_world.tables)] == list(small_world.tables)
    assert set(found["tables"]["customers"]["columns"]) == set(small_world.customers)
    assert found["tables"]["products"]["sha256"] == small_world.checksums()["products"]
    assert found["tables"]["legacy_log"]["sha256"] != small_world.checksums()["legacy_log"]


def test_feedback_is_kept_for_every_kind_of_answer():
    found = cases("feedback")["lesson_00"]()
    said = found["q1"]["said"]
    assert said["reference"]["kind"] == "right"
    assert said["untouched"]["kind"] == "untouched"
    mistakes = {name: each for name, each in said.items() if name.startswith("mistake ")}
    assert len(mistakes) >= 2
    assert all(each["mistake"] == name.split()[1] for name, each in mistakes.items())
    odd = {name: each["kind"] for name, each in said.items() if name.startswith("typical ")}
    assert len(odd) >= 12
    assert odd["typical table"] == odd["typical nan"] == odd["typical word"] == "unreadable"


@pytest.mark.parametrize(
    "reference", [0.25, 0.0, 3, {"a": 0.5, "b": "x"}, {"a", "b"}, pd.Series([True, False])]
)
def test_a_dozen_typical_answers_for_every_form(reference):
    assert len(snapshot_parts.typical(reference)) >= 12


def test_a_card_of_the_own_table_measures_what_its_roles_allow():
    card = cases("scorecards")["own_privacy_first"]()
    assert card["order"] == list(card["measures"])
    assert "version" not in card["about"]
    assert card["tolerance"]["interval"] > 0
    for key in ("value.added_visit", "consent.reachable", "privacy.oldest_record"):
        assert card["measures"][key]["value"] is not None, key


def test_what_is_printed_does_not_depend_on_the_terminal(tmp_path, monkeypatch, capsys):
    only = {"commands": lambda: iter([("help", cases("commands")["help"])])}
    monkeypatch.setattr(snapshot, "PARTS", only)
    monkeypatch.setenv("COLUMNS", "40")
    assert run("write", tmp_path) == 0
    monkeypatch.setenv("COLUMNS", "200")
    assert run("compare", tmp_path) == 0


def test_the_help_of_every_verb_is_kept():
    kept = {name.split(" ", 1)[1]: row for name, row in cases("commands")["help"]().items()}
    verbs = re.findall(r"^    ([a-z][\w-]*)", kept["--help"]["out"], re.M)
    assert len(verbs) >= 9
    assert [verb for verb in verbs if f"{verb} --help" not in kept] == []
    assert {row["code"] for row in kept.values()} == {0}


def test_commands_keep_code_text_and_files_and_no_version():
    from ethicalai_lab import __version__

    version = cases("commands")["version"]()
    row = {"code": 0, "out": "ethicalai-lab VERSION\n", "err": "", "files": {}}
    assert version == {"1 --version": row}
    found = cases("commands")["roles"]()
    draft, again = (
        found["2 roles own.csv --out draft.yaml"],
        found["3 roles own.csv --out draft.yaml"],
    )
    assert (draft["code"], again["code"]) == (0, 2)
    assert draft["files"] == {"draft.yaml": found["1 roles own.csv"]["out"]}
    assert again["files"] == {}
    assert __version__ not in json.dumps(found)


def test_a_case_is_a_function_that_gives_the_same_twice():
    for part in ("audits", "releases"):
        for name, compute in list(cases(part).items())[:2]:
            assert isinstance(compute, functools.partial), name
            assert snapshot.plain(compute()) == snapshot.plain(compute()), name
