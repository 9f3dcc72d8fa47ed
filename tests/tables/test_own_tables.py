"""Own tables: every format read, every fault told with its column and line."""

import copy
import gzip
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.tables import Roles, TableError, how_read, load_roles, load_table
from ethicalai_lab.tables.drafts import suggest_roles
from ethicalai_lab.tables.loading import check_table, roles_of
from ethicalai_lab.tables.table_files import open_table

MAIL = Roles(
    {"id": "identifier", "mail": "treatment", "visit": "outcome", "age": "feature"}, control="none"
)
GOOD = "id,mail,visit,age\n1,none,0,30\n2,spring,1,41\n3,spring,0,\n4,none,1,22\n"


def write(tmp_path, content, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(path, roles=MAIL):
    with pytest.raises(TableError) as caught:
        load_table(path, roles)
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith(str(path))
    assert said.endswith((".", "?", "(a text such as NA counts as missing unless it is quoted)."))
    return said.removeprefix(str(path))


# -- what is read


def expected():
    return pd.DataFrame(
        {
            "id": [1, 2, 3, 4],
            "mail": ["none", "spring", "spring", "none"],
            "visit": [0, 1, 0, 1],
            "age": [30.0, 41.0, None, 22.0],
        }
    )


FORMS = {
    "comma": GOOD,
    "semicolon": GOOD.replace(",", ";"),
    "tab": GOOD.replace(",", "\t"),
    "bar": GOOD.replace(",", "|"),
    "windows": GOOD.replace("\n", "\r\n"),
    "no last line end": GOOD.rstrip("\n"),
    "byte order mark": b"\xef\xbb\xbf" + GOOD.encode(),
    "quoted": "\n".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) for line in GOOD.splitlines()
    ),
    "spaced header": GOOD.replace("id,mail", "id, mail "),
    "blank lines": "\n" + GOOD.replace("\n", "\n\n"),
    "gzip": gzip.compress(GOOD.encode(), mtime=0),
    "two gzip parts": gzip.compress(GOOD[:30].encode(), mtime=0)
    + gzip.compress(GOOD[30:].encode(), mtime=0),
    "further columns": GOOD.replace("\n", ",;x\n"),
    "other order": "\n".join(",".join(line.split(",")[::-1]) for line in GOOD.splitlines()),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_csv_gives_the_same_table(tmp_path, form):
    table = load_table(write(tmp_path, FORMS[form]), MAIL)
    pd.testing.assert_frame_equal(table, expected())


def test_parquet_gives_the_same_table(tmp_path):
    frame = expected().assign(further=1.5)
    frame.index = [7, 8, 9, 9]
    frame[["age", "further", "visit", "mail", "id"]].to_parquet(tmp_path / "table.parquet")
    pd.testing.assert_frame_equal(load_table(tmp_path / "table.parquet", MAIL), expected())


def test_the_content_decides_not_the_name(tmp_path):
    expected().to_parquet(tmp_path / "t.csv")
    pd.testing.assert_frame_equal(load_table(tmp_path / "t.csv", MAIL), expected())
    path = write(tmp_path, gzip.compress(GOOD.encode(), mtime=0), "t.txt")
    pd.testing.assert_frame_equal(load_table(path, MAIL), expected())
    pd.testing.assert_frame_equal(load_table(write(tmp_path, GOOD, "t.parquet"), MAIL), expected())


def test_roles_may_be_a_file(tmp_path):
    path = write(
        tmp_path, "columns: {mail: treatment, visit: outcome}\ncontrol: none\n", "roles.yaml"
    )
    table = load_table(write(tmp_path, GOOD), path)
    assert list(table.columns) == ["mail", "visit"]


def test_a_column_without_a_role_is_not_read(tmp_path):
    roles = Roles({"visit": "outcome", "mail": "treatment"}, control="none")
    assert list(load_table(write(tmp_path, GOOD), roles).columns) == ["visit", "mail"]


def test_the_roles_travel_with_the_table(tmp_path):
    table = load_table(write(tmp_path, GOOD), MAIL)
    assert roles_of(table) == MAIL
    assert roles_of(table.head(2)) == MAIL
    assert roles_of(copy.deepcopy(table)) == MAIL
    json.dumps(table.attrs)
    table.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(TableError, match="carries no roles"):
        roles_of(pd.DataFrame())


def test_text_that_looks_like_a_number_stays_text(tmp_path):
    path = write(
        tmp_path,
        "id,zip,code,mixed,big,flag,n\n007,01234,1e5,1,99999999999999999999,true,-0.5\n"
        "7,99999,2,x,1,FALSE,3\n",
    )
    roles = Roles(
        {
            "id": "identifier",
            **dict.fromkeys(["zip", "code", "mixed", "big", "flag", "n"], "feature"),
        }
    )
    table = load_table(path, roles)
    assert table["id"].tolist() == ["007", "7"]
    assert table["zip"].tolist() == ["01234", "99999"]
    assert table["code"].tolist() == [1e5, 2.0]
    assert table["mixed"].tolist() == ["1", "x"]
    assert table["big"].tolist() == [1e20, 1.0]
    assert table["flag"].tolist() == [True, False]
    assert table["n"].tolist() == [-0.5, 3.0]


def test_an_identifier_is_never_rounded(tmp_path):
    path = write(tmp_path, "id\n1e5\n100000\n1E5\n1.0\n1\n")
    table = load_table(path, Roles({"id": "identifier"}))
    assert table["id"].tolist() == ["1e5", "100000", "1E5", "1.0", "1"]


def test_lines_within_a_field_survive_the_border_of_a_block(tmp_path, monkeypatch):
    monkeypatch.setattr("ethicalai_lab.tables.delimited._BLOCK", 64)
    values = [f"{'x' * (i % 17)}\n\ny{i}" for i in range(60)]
    path = write(tmp_path, "a,b\n" + "".join(f'{i},"{text}"\n' for i, text in enumerate(values)))
    table = load_table(path, Roles({"a": "identifier", "b": "feature"}))
    assert table["a"].tolist() == list(range(60))
    assert table["b"].tolist() == values


def test_missing_values(tmp_path):
    path = write(
        tmp_path,
        'a,b,c,d\n,NA,"NA",none\nx,NaN,null,true\n"",N/A,N,\n',
    )
    table = load_table(path, Roles(dict.fromkeys("abcd", "feature")))
    assert table["a"].isna().tolist() == [True, False, True]
    assert table["b"].isna().all()
    assert table["c"].fillna("-").tolist() == ["NA", "-", "N"]
    assert table["d"].fillna("-").tolist() == ["none", "true", "-"]


def test_truth_values_with_gaps_are_numbers(tmp_path):
    path = write(tmp_path, "a,b\ntrue,1\n,2\nfalse,3\n")
    table = load_table(path, Roles({"a": "feature", "b": "feature"}))
    assert table["a"].dtype == float
    assert table["a"].fillna(-1).tolist() == [1.0, -1.0, 0.0]


@pytest.mark.parametrize(
    ("control", "levels", "found"),
    [
        (0, "0 1 1", 0),
        ("0", "0 1 1", 0),
        (None, "0 1 1", 0),
        (False, "true false true", "false"),
        ("FALSE", "true false true", "false"),
        (0, "true false true", "false"),
        (None, "true false true", "false"),
        (1, "1.0 2.5 1.0", "1.0"),
        ("a", "b a b", "a"),
        (2024, "2024 x x", "2024"),
    ],
)
def test_the_control_level_is_found_however_it_is_written(tmp_path, control, levels, found):
    rows = "".join(f"{level},{i % 2}\n" for i, level in enumerate(levels.split()))
    roles = Roles({"t": "treatment", "y": "outcome"}, control=control)
    table = load_table(write(tmp_path, "t,y\n" + rows), roles)
    given = roles_of(table).control
    assert given == found
    assert type(given) is type(found)
    assert given in table["t"].tolist()


@pytest.mark.parametrize(
    ("positive", "values", "coded"),
    [
        ("yes", "yes no yes", [1, 0, 1]),
        (2, "1 2 3", [0, 1, 0]),
        ("2", "1 2 3", [0, 1, 0]),
        (True, "true false false", [1, 0, 0]),
        (None, "true false false", [1, 0, 0]),
        (None, "0 1 1", [0, 1, 1]),
        (None, "0 2.5 1e2", [0, 2.5, 100]),
    ],
)
def test_the_outcome_becomes_a_number(tmp_path, positive, values, coded):
    path = write(tmp_path, "y\n" + "\n".join(values.split()) + "\n")
    table = load_table(path, Roles({"y": "outcome"}, positive=positive))
    assert table["y"].tolist() == coded
    assert roles_of(table).positive is None
    # what is returned can be checked again
    again = check_table(table, roles_of(table))
    pd.testing.assert_frame_equal(again, table)


def test_what_each_level_counts_as_is_told(tmp_path):
    path = write(tmp_path, "y,d\nyes,sent\nno,not sent\nunknown,sent\n")
    table = load_table(path, Roles({"y": "outcome"}, positive="yes"))
    assert how_read(table) == ('column "y" (outcome): yes counts as 1; no, unknown as 0.',)
    table = load_table(path, Roles({"d": "decision"}, positive="sent"))
    assert how_read(table) == ('column "d" (decision): sent counts as 1; not sent as 0.',)
    assert how_read(load_table(path, Roles({"y": "feature"}))) == ()


def test_times_are_read(tmp_path):
    path = write(
        tmp_path,
        "a,b,c\n2025-03-31,2025-03-31T14:05:00Z,\n2024-02-29 23:59,2025-01-01,2025-01-01\n",
    )
    table = load_table(path, Roles(dict.fromkeys("abc", "time")))
    assert table["a"].tolist() == [pd.Timestamp("2025-03-31"), pd.Timestamp("2024-02-29 23:59")]
    assert table["b"].tolist() == [pd.Timestamp("2025-03-31 14:05"), pd.Timestamp("2025-01-01")]
    assert table["c"].isna().tolist() == [True, False]


def test_a_table_of_events_may_repeat_its_people(tmp_path):
    text = "id,when,mail,y\n1,2025-01-01,a,0\n1,2025-01-02,b,1\n"
    events = {"id": "identifier", "when": "time", "y": "outcome"}
    assert len(load_table(write(tmp_path, text), Roles(events))) == 2
    said = refused(tmp_path / "table.csv", Roles({**events, "mail": "treatment"}, control="a"))
    assert said.startswith(', line 3: column "id" (identifier) repeats "1", first on line 2')


# -- what is refused


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", " is empty; a header line and rows are needed."),
        ("\n \n", " is empty"),
        ("id,mail,visit,age\n", " has a header but no rows."),
        (gzip.compress(b"", mtime=0), " is empty"),
        (GOOD.replace("2,spring,1,41", "2,spring,1"), ", line 3: 3 fields where the header has 4"),
        (GOOD.replace("41", "41,5"), ", line 3: 5 fields where the header has 4; quote a field"),
        (GOOD.replace("spring,0", '"two\nlines",0').replace("22", "22,1"), ", line 6: 5 fields"),
        (
            GOOD.replace("visit", "visits"),
            ' has no column "visit", which the roles name; there are',
        ),
        (GOOD.replace("visit", "visits"), 'Did you mean "visits"?'),
        (GOOD.replace("visit", "Visit"), 'Did you mean "Visit"?'),
        (GOOD.replace("age", "id"), 'the column "id" is there twice (columns 1 and 4)'),
        (GOOD.replace("2,spring,1", "2,,1"), ', line 3: column "mail" (treatment) has 1 missing'),
        (GOOD.replace("spring", "NA"), ', line 3: column "mail" (treatment) has 2 missing values'),
        (GOOD.replace("3,spring,0", "3,spring,"), ', line 4: column "visit" (outcome) has 1 miss'),
        (GOOD.replace("4,none", ",none"), ', line 5: column "id" (identifier) has 1 missing value'),
        (
            GOOD.replace("4,none", "2,none"),
            ', line 5: column "id" (identifier) repeats "2", first on '
            "line 3; one row for each is accepted.",
        ),
        (
            GOOD.replace("spring,1", "spring,1 visit"),
            ', line 3: column "visit" (outcome) holds "1 visit"',
        ),
        (GOOD.replace("spring,1", "spring,inf"), ', line 3: column "visit" (outcome) holds "inf"'),
        (
            GOOD.replace("spring,1", "spring,1e999"),
            ', line 3: column "visit" (outcome) is infinite',
        ),
        (GOOD.replace(",0,", ",1,"), ': column "visit" (outcome) is 1 in every row'),
        (GOOD.replace("spring", "none"), ': column "mail" (treatment) is none in every row'),
        (
            GOOD.replace("none", "non"),
            'has no level "none", which the roles give as control; there '
            'are: non, spring. Did you mean "non"?',
        ),
        (b"PK\x03\x04" + b"\0" * 40, " is a zip archive or a damaged Excel workbook"),
        ("<!DOCTYPE html><html><body>404</body></html>", " looks like a web page or XML"),
        ("\n  <html>", " looks like a web page"),
        ('[{"id": 1}]', " looks like JSON"),
        ('{"id": 1}', " looks like JSON"),
        (b"\x89PNG\r\n\x1a\n\0\0", " is a binary file, no table"),
        (b"id,mail\0,visit", " is a binary file, no table"),
        (
            GOOD.encode() + "5,café,0,1\n6,Zoë,0,1\n".encode() + b"7,caf\xe9,0,1\n",
            ", line 8: byte 0xe9 is not UTF-8, as other lines of the file are",
        ),
        (GOOD.encode() + b"5,caf\x81,0,1\n", ", line 6: byte 0x81 is not UTF-8; say how"),
        (gzip.compress(GOOD.encode() * 50, mtime=0)[:-20], ": the gzip file is cut off"),
        (gzip.compress(GOOD.encode(), mtime=0)[:14], ": the gzip file is cut off"),
        (gzip.compress(GOOD.encode(), mtime=0)[:-8] + b"\1" * 8, ": the gzip file is damaged"),
        (b"\x1f\x8b" + b"x" * 30, ": the gzip file is damaged"),
        (b"PAR1" + b"x" * 30, ": the Parquet file is damaged or cut off"),
        ("hello\nworld\n", ' has no column "id", which the roles name; there are: hello.'),
        (GOOD.replace("2,spring", '2,"spring'), ", line 3: "),
    ],
)
def test_each_fault_is_one_sentence_that_names_the_place(tmp_path, content, fault):
    assert fault in refused(write(tmp_path, content))


def test_a_line_is_counted_in_the_file_not_in_the_table(tmp_path):
    text = 'id,mail,visit,age\n\n1,"no\nne",0,30\n\n2,spring,1,"a\nb\nc"\n3,,1,\n'
    roles = Roles(dict(MAIL.columns), control="no\nne")
    said = refused(write(tmp_path, text), roles)
    assert said.startswith(', line 9: column "mail" (treatment)')
    assert text.splitlines()[9 - 1].startswith("3,,1")


def test_other_faults_name_their_place(tmp_path):
    path = write(tmp_path, "t,s,when,y,z\n1,0.5,2025-01-01,no,a\n0,high,yesterday,yes,b\n")
    assert refused(path, Roles({"s": "score"})).startswith(
        ', line 3: column "s" (score) holds "high"; numbers are accepted.'
    )
    assert refused(path, Roles({"when": "time"})).startswith(
        ", line 3: column \"when\" (time) is 'yesterday'; a time such as 2025-03-01 12:30 is"
    )
    assert ', line 2: column "t" (time) holds the number 1;' in refused(path, Roles({"t": "time"}))
    assert 'say which value counts, such as `positive: "yes"`' in refused(
        path, Roles({"y": "outcome"})
    )
    assert 'has no value "ye", which the roles give as positive; there are: no, yes. Did you' in (
        refused(path, Roles({"y": "outcome"}, positive="ye"))
    )
    assert "or give it another role" in refused(
        path, Roles({"t": "outcome", "z": "outcome"}, outcome="t")
    )
    three = write(tmp_path, "t,y\na,1\nb,0\nc,1\n")
    assert 'add "control" with one of: a, b, c.' in refused(
        three, Roles({"t": "treatment", "y": "outcome"})
    )


def test_files_that_are_not_there(tmp_path):
    assert ": there is no such file." in refused(tmp_path / "none.csv")
    assert " is a folder; give one CSV, Parquet or Excel file." in refused(tmp_path)


def test_parquet_faults_name_the_row(tmp_path):
    path = tmp_path / "t.parquet"
    frame = expected()
    frame.loc[2, "visit"] = np.nan
    frame.to_parquet(path)
    assert refused(path).startswith(', row 3: column "visit" (outcome) has 1 missing value')
    expected().assign(id=[1, 2, 2, 3]).to_parquet(path)
    assert refused(path).startswith(', row 3: column "id" (identifier) repeats "2", first on row 2')
    expected().iloc[:0].to_parquet(path)
    assert refused(path) == " has a header but no rows."
    pq.write_table(pa.table({"id": [1], "mail": ["a"], "visit": [[1]], "age": [1]}), path)
    assert 'column "visit" holds list<' in refused(path)
    expected().to_parquet(path)
    raw = path.read_bytes()
    for cut in (len(raw) // 2, len(raw) - 3, 6):
        path.write_bytes(raw[:cut])
        assert ": the Parquet file is damaged or cut off" in refused(path)
    changed = bytearray(raw)
    changed[20:60] = b"\xff" * 40
    path.write_bytes(bytes(changed))
    with pytest.raises(TableError):
        load_table(path, MAIL)


def test_parquet_types(tmp_path):
    import datetime
    import decimal

    path = tmp_path / "t.parquet"
    table = pa.table(
        {
            "y": pa.array([decimal.Decimal("1.50"), decimal.Decimal("0.25")]),
            "d": pa.array([datetime.date(2025, 1, 1), None]),
            "b": pa.array([True, None]),
            "c": pa.array(["u", "v"]).dictionary_encode(),
            "i": pa.array([1, None], pa.int32()),
        }
    )
    pq.write_table(table, path)
    roles = Roles({"y": "outcome", "d": "time", "b": "feature", "c": "feature", "i": "feature"})
    frame = load_table(path, roles)
    assert frame["y"].tolist() == [1.5, 0.25]
    assert frame["d"].iloc[0] == pd.Timestamp("2025-01-01")
    assert frame["b"].dtype == frame["i"].dtype == float
    assert isinstance(frame["c"].dtype, pd.CategoricalDtype)
    coded = pa.table({"y": pa.array([0, 1, 1]).dictionary_encode()})
    pq.write_table(coded, path)
    assert load_table(path, Roles({"y": "outcome"}))["y"].tolist() == [0, 1, 1]


def test_a_table_in_memory_is_checked_alike():
    frame = expected()
    kept = frame.copy()
    table = check_table(frame, MAIL)
    pd.testing.assert_frame_equal(table, expected())
    pd.testing.assert_frame_equal(frame, kept)
    assert roles_of(table) == MAIL
    assert "roles" not in frame.attrs
    with pytest.raises(TableError, match='the table, row 2: column "visit"'):
        check_table(frame.assign(visit=[0, None, 1, 1]), MAIL)
    with pytest.raises(TableError, match="the table has no rows"):
        check_table(frame.iloc[:0], MAIL)
    with pytest.raises(TableError, match="a pandas DataFrame is accepted"):
        check_table([1], MAIL)
    objects = frame.assign(visit=pd.Series([True, False, True, True], dtype=object))
    assert check_table(objects, MAIL)["visit"].tolist() == [1, 0, 1, 1]


# -- round trips


texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1, max_size=8
).filter(lambda t: t.strip() == t and t not in ("NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL"))


@settings(max_examples=60)
@given(
    data=st.lists(
        st.tuples(
            texts,
            st.integers(-(10**17), 10**17),
            st.floats(-1e12, 1e12, allow_nan=False),
            st.sampled_from(["yes", "no"]),
        ),
        min_size=2,
        max_size=12,
    ).filter(lambda rows: len({row[3] for row in rows}) == 2),
    delimiter=st.sampled_from([",", ";", "\t"]),
    quoting=st.sampled_from([0, 1]),
    zipped=st.booleans(),
)
def test_what_is_written_as_csv_is_read_back(tmp_path_factory, data, delimiter, quoting, zipped):
    frame = pd.DataFrame(data, columns=["a text", "whole", "float", "y"])
    frame.insert(0, "id", range(1, len(frame) + 1))
    path = tmp_path_factory.mktemp("t") / ("t.csv.gz" if zipped else "t.csv")
    frame.to_csv(path, index=False, sep=delimiter, quoting=quoting, lineterminator="\n")
    roles = Roles(
        {
            "id": "identifier",
            "a text": "feature",
            "whole": "feature",
            "float": "feature",
            "y": "outcome",
        },
        positive="yes",
    )
    table = load_table(path, roles)
    assert table["id"].tolist() == frame["id"].tolist()
    assert table["whole"].tolist() == frame["whole"].tolist()
    assert table["float"].tolist() == frame["float"].tolist()
    assert table["y"].tolist() == (frame["y"] == "yes").astype(int).tolist()
    if table["a text"].dtype.kind in "OU" or str(table["a text"].dtype) == "str":
        assert table["a text"].tolist() == frame["a text"].tolist()
    else:  # all of them were numbers or truth values
        assert table["a text"].astype(float).tolist() == [
            {"true": 1.0, "false": 0.0}.get(t.lower(), 0.0) if t.isalpha() else float(t)
            for t in frame["a text"]
        ]


@settings(max_examples=120)
@given(st.binary(max_size=60))
def test_any_bytes_give_a_table_or_a_clear_refusal(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("t") / "t"
    path.write_bytes(raw)
    with pytest.raises(TableError) as caught:
        load_table(path, MAIL)
    assert str(caught.value).startswith(str(path))


@settings(max_examples=120)
@given(st.text(alphabet='idy,;"\n\r\t 01a|', max_size=30))
def test_any_text_gives_a_table_or_a_clear_refusal(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("t") / "t"
    path.write_bytes(b"id,y\n" + text.encode())
    try:
        table = load_table(path, Roles({"id": "identifier", "y": "outcome"}))
    except TableError as problem:
        said = str(problem)
    else:
        assert table["id"].is_unique
        assert table["y"].nunique() > 1
        said = str(path)
    assert said.startswith(str(path))


# -- drafts


def test_a_draft_names_every_column_and_loads(tmp_path):
    path = write(
        tmp_path,
        "customer_id,e-mail,zip,gender,income,mail,visit,score,when: x,consent,event_time\n"
        "1,a@example.com,01234,f,10,Control,no,0.5,1,yes,2025-01-01\n"
        "2,a@example.com,01234,m,20,Spring,yes,0.1,2,no,2025-01-02\n",
    )
    draft = suggest_roles(path)
    roles = load_roles(write(tmp_path, draft, "roles.yaml"))
    assert dict(roles.columns) == {
        "customer_id": "identifier",
        "e-mail": "quasi_identifier",  # repeated, so it names nobody alone
        "zip": "quasi_identifier",
        "gender": "protected",
        "income": "sensitive",
        "mail": "treatment",
        "visit": "outcome",
        "score": "score",
        "when: x": "feature",
        "consent": "consent",
        "event_time": "time",
    }
    assert (roles.control, roles.outcome, roles.positive) == ("Control", "visit", "yes")
    assert "review every line" in draft.splitlines()[0]
    assert len(load_table(path, roles)) == 2
    assert open_table(path, None, {}, drafting=True).names[:2] == ["customer_id", "e-mail"]


@settings(max_examples=60)
@given(
    st.lists(
        st.one_of(st.sampled_from(["id", "mail", "visit", "age", "time", "score", "arm"]), texts),
        min_size=1,
        max_size=5,
        unique_by=str.strip,
    ),
    st.data(),
)
def test_a_draft_of_any_table_loads_it(tmp_path_factory, names, data):
    cells = st.sampled_from(["a", "b", "0", "1", "", "no", "true", "2025-01-01"])
    rows = data.draw(
        st.lists(st.lists(cells, min_size=len(names), max_size=len(names)), min_size=2, max_size=6)
    )
    folder = tmp_path_factory.mktemp("t")
    frame = pd.DataFrame([["k", *row] for row in rows], columns=["k0", *names])
    frame.to_csv(folder / "t.csv", index=False, lineterminator="\n")
    draft = suggest_roles(folder / "t.csv")
    (folder / "roles.yaml").write_bytes(draft.encode())
    table = load_table(folder / "t.csv", folder / "roles.yaml")
    assert list(table.columns) == ["k0", *names]
    assert len(table) == len(rows)


# -- real tables


def test_hillstrom(shared_data, tmp_path):
    path = shared_data / "hillstrom.csv.gz"
    roles = load_roles(write(tmp_path, suggest_roles(path), "roles.yaml"))
    assert roles.control == "No E-Mail"
    assert roles.of("outcome") == ["visit", "conversion", "spend"]
    table = load_table(path, roles)
    assert len(table) == 64_000
    means = table.groupby("segment", observed=True)[["visit", "conversion", "spend"]].mean()
    assert means.round(6).loc["No E-Mail"].tolist() == [0.106167, 0.005726, 0.652789]
    assert means.round(6).loc["Mens E-Mail"].tolist() == [0.182757, 0.012531, 1.422617]


def test_bank_marketing(shared_data):
    path = shared_data / "bank_marketing.csv.gz"
    columns = open_table(path, None, {}, drafting=True).names
    assert len(columns) == 17
    roles = Roles({**dict.fromkeys(columns, "feature"), "y": "outcome"}, positive="yes")
    table = load_table(path, roles)
    assert table.shape == (45_211, 17)
    assert table["y"].sum() == 5_289
    assert table["balance"].dtype == "int64"
    assert table["job"].nunique() == 12
    with pytest.raises(TableError, match=r'such as `positive: "yes"`'):
        load_table(path, Roles({"y": "outcome"}))


def test_a_stored_world_is_a_table_too(small_world, tmp_path):
    small_world.campaign.to_parquet(tmp_path / "c.parquet")
    small_world.campaign.to_csv(tmp_path / "c.csv", index=False)
    roles = Roles(small_world.roles["campaign"], control="no_mail", outcome="visit")
    a = load_table(tmp_path / "c.parquet", roles)
    b = load_table(tmp_path / "c.csv", roles)
    assert len(a) == len(b) == 2_000
    for column in a:
        assert a[column].astype(str).tolist() == b[column].astype(str).tolist()
