"""roles.yaml: what it may say, and how a fault is told."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.core.yaml import scalar
from ethicalai_lab.errors import InputError
from ethicalai_lab.tables import ROLES, Roles, TableError, load_roles


def write(tmp_path, content):
    path = tmp_path / "roles.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_the_flat_file_of_the_design(tmp_path):
    roles = load_roles(
        write(
            tmp_path,
            "columns: {segment: treatment, visit: outcome, spend: outcome, recency: feature, "
            'womens: feature}\ncontrol: "No E-Mail"      # untreated\noutcome: visit\n'
            'positive: "yes"\n',
        )
    )
    assert roles.of("outcome") == ["visit", "spend"]
    assert roles.of("feature") == ["recency", "womens"]
    assert roles.of("identifier") == []
    assert (roles.treatment, roles.control, roles.outcome, roles.positive) == (
        "segment",
        "No E-Mail",
        "visit",
        "yes",
    )


def test_a_column_may_have_several_roles(tmp_path):
    path = write(tmp_path, "columns:\n  age: [feature, protected]\n  y: [outcome]\n")
    roles = load_roles(path)
    assert roles.columns["age"] == ("feature", "protected")
    assert roles.columns["y"] == "outcome"
    assert roles.of("protected") == roles.of("feature") == ["age"]


def test_yes_no_off_and_numbers_stay_what_they_are(tmp_path):
    path = write(tmp_path, "columns: {no: treatment, y: outcome}\ncontrol: off\npositive: 1\n")
    roles = load_roles(path)
    assert (roles.treatment, roles.control, roles.positive) == ("no", "off", 1)
    assert load_roles(write(tmp_path, "columns: {2024: feature, true: feature}\n")).of(
        "feature"
    ) == ["2024", "true"]


def test_all_roles_are_there_with_a_meaning():
    assert list(ROLES) == (
        [
            "identifier",
            "quasi_identifier",
            "sensitive",
            "protected",
            "feature",
            "treatment",
            "outcome",
            "score",
            "decision",
            "consent",
            "time",
        ]
    )
    assert all(len(meaning) > 15 and "\n" not in meaning for meaning in ROLES.values())
    for role in ROLES:
        assert Roles({"x": role}).of(role) == ["x"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", " is empty; write `columns:`"),
        ("# just a comment\n", " is empty"),
        ("- visit\n", ", line 1: this is no mapping"),
        ("visit\n", ", line 1: this is no mapping"),
        ("control: a\n", ': the key "columns" is missing'),
        ("columns:\n", ', line 1: under "columns" is no mapping'),
        ("columns: [a]\n", ', line 1: under "columns" is no mapping'),
        ("columns: {}\n", ', line 1: "columns" names no column'),
        (
            "columns:\n  a: feature\n  b: outcom\n",
            ', line 3: column "b": there is no role "outcom"',
        ),
        ("columns:\n  b: outcom\n", 'Did you mean "outcome"?'),
        ("columns:\n  b: Quasi-Identifier\n", 'Did you mean "quasi_identifier"?'),
        ("columns:\n  a:\n    - feature\n    - nope\n", ', line 4: column "a": there is no role'),
        ("columns:\n  a: [feature, feature]\n", "the same role twice"),
        ("columns:\n  a: []\n", ', line 2: column "a" has no role'),
        ("columns:\n  a:\n  b: feature\n", ', line 2: column "a" has no role'),
        ("columns:\n  a: {x: y}\n", 'there is no role "dict"'),
        ("columns:\n  a: 3\n", 'there is no role "3"'),
        ("columns:\n  a: feature\n  a: outcome\n", ', line 3: the key "a" is there twice'),
        ("columns: {a: feature}\ncontroll: x\n", ', line 2: unknown key "controll"'),
        ("columns: {a: feature}\ncontroll: x\n", 'Did you mean "control"?'),
        ("columns: {a: feature}\nvisit: outcome\n", "belong under `columns:`"),
        ("columns: {a: feature}\ncontrol: x\n", "no column has the role treatment"),
        ("columns: {a: feature}\npositive: x\n", "no column has the role outcome or decision"),
        ("columns: {a: treatment}\ncontrol: [x]\n", ', line 2: "control" must be one value'),
        ("columns: {a: treatment, b: treatment}\n", 'both "a" and "b" have the role treatment'),
        ("columns: {a: outcome, b: outcome}\n", "say which one is meant, such as `outcome: a`"),
        ("columns: {a: outcome, b: feature}\noutcome: b\n", ', line 2: "outcome" names "b"'),
        ("columns: {visit: outcome}\noutcome: visits\n", 'Did you mean "visit"?'),
        ("columns: {a: feature\n", "not readable as YAML"),
        ("columns:\n  a: feature\n b: feature\n", ", line 3: not readable as YAML"),
        ("columns: {a: !!python/name:os.system }\n", ", line 1: the tag"),
        ("columns: &c {a: feature}\n", ", line 1: anchors and aliases"),
        (b"columns: {caf\xe9: feature}\n", ", line 1: byte 0xe9 is not UTF-8"),
        ("columns: {a: feature}\n".encode("utf-16"), " is in UTF-16"),
    ],
)
def test_a_fault_is_one_sentence_with_file_and_line(tmp_path, content, fault):
    path = write(tmp_path, content)
    with pytest.raises(TableError) as caught:
        load_roles(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert fault in said
    assert "\n" not in said
    assert isinstance(caught.value, InputError)


def test_no_file_or_a_folder(tmp_path):
    with pytest.raises(TableError, match="there is no such roles file"):
        load_roles(tmp_path / "no.yaml")
    with pytest.raises(TableError, match="is a folder"):
        load_roles(tmp_path)


def test_roles_made_in_python_are_checked_too():
    with pytest.raises(TableError, match='Roles: column "a": there is no role "x"'):
        Roles({"a": "x"})
    with pytest.raises(TableError, match='Did you mean "feature"'):
        Roles({"a": "feature"}).of("features")
    with pytest.raises(TableError, match="a column name must be a text"):
        Roles({3: "feature"})


def test_roles_do_not_change():
    given = {"a": "feature"}
    roles = Roles(given)
    given["a"] = "outcome"
    assert roles.columns["a"] == "feature"
    with pytest.raises(TypeError):
        roles.columns["a"] = "outcome"
    with pytest.raises(AttributeError):
        roles.control = "x"


names = st.text(min_size=1, max_size=12)


@settings(max_examples=60)
@given(
    st.dictionaries(
        names,
        st.sampled_from([r for r in ROLES if r not in ("treatment", "outcome")]),
        min_size=1,
        max_size=5,
    ),
    names,
)
def test_what_is_written_is_read_back(tmp_path_factory, columns, control):
    columns.pop("mail", None)
    lines = [f"  {scalar(name)}: {role}" for name, role in columns.items()]
    path = tmp_path_factory.mktemp("r") / "roles.yaml"
    text = "columns:\n" + "\n".join(lines) + f"\n  mail: treatment\ncontrol: {scalar(control)}\n"
    path.write_bytes(text.encode())
    roles = load_roles(path)
    assert dict(roles.columns) == {**columns, "mail": "treatment"}
    assert roles.control == control
    assert Roles.from_dict(roles.to_dict()) == roles
    assert pickle.loads(pickle.dumps(roles)) == roles
    assert hash(Roles.from_dict(roles.to_dict())) == hash(roles)


def test_positive_format_and_cluster_are_read(tmp_path):
    path = write(
        tmp_path,
        "columns: {visit: outcome, sent: decision, ok: consent}\n"
        'positive: {visit: ["yes", Y], ok: [J]}\ncluster: household\n'
        "format: {separator: tab, decimal: ',', thousands: \"’\", dates: dmy, case: keep}\n",
    )
    roles = load_roles(path)
    assert roles.positives("visit") == ("yes", "Y")
    assert (roles.positives("ok"), roles.positives("sent")) == (("J",), ())
    assert roles.cluster == "household"
    expected = {"separator": "\t", "decimal": ",", "thousands": "'", "dates": "dmy", "case": "keep"}
    assert dict(roles.format) == expected
    assert Roles.from_dict(roles.to_dict()) == roles
    assert pickle.loads(pickle.dumps(roles)) == roles
    assert hash(Roles.from_dict(roles.to_dict())) == hash(roles)


def test_a_value_without_a_column_counts_in_the_outcome_meant_and_in_decisions():
    columns = {"a": "outcome", "b": "outcome", "c": "decision", "d": "consent"}
    roles = Roles(columns, outcome="b", positive=["yes", "Y"])
    assert [name for name in columns if roles.positives(name)] == ["b", "c"]
    assert roles.positives("b") == ("yes", "Y")


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ("positive: []\n", ', line 2: "positive" must be one value, a list of values, or'),
        ("positive: {c: x}\n", ', line 2: "positive" names the column "c"; accepted are columns'),
        ("positive: {vist: x}\n", 'Did you mean "visit"?'),
        ("cluster: [a]\n", ', line 2: "cluster" must be the name of one column'),
        ("format: dmy\n", ', line 2: under "format" is no mapping; accepted keys are separator'),
        ("format: {decimals: ','}\n", 'no key "decimals"; accepted are separator'),
        ("format: {decimal: ;}\n", '"decimal" is ";"; write what stands before the decimals'),
        ("format: {decimal: ',', thousands: ','}\n", "the same character cannot stand for"),
        ("format: {separator: ab}\n", '"separator" is "ab"; write what stands between fields'),
        ("format: {encoding: utf-9}\n", '"encoding" is "utf-9"; write how the file writes'),
        ("format: {dates: day}\n", '"dates" is "day"; write the order of day, month and year'),
        ("format: {case: yes}\n", '"case" is "yes"; write whether levels that differ'),
    ],
)
def test_faults_of_the_newer_keys(tmp_path, more, fault):
    path = write(tmp_path, "columns: {visit: outcome}\n" + more)
    with pytest.raises(TableError) as caught:
        load_roles(path)
    assert fault in str(caught.value)
    assert str(caught.value).startswith(f"{path}, line 2: ")
