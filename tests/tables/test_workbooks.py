"""Excel workbooks: a sheet by name, cells as they are held, each fault in one sentence."""

import datetime as dt
import io
import zipfile

import pandas as pd
import pytest
from openpyxl import Workbook

from ethicalai_lab.cli import main
from ethicalai_lab.tables import Roles, TableError, how_read, load_roles, load_table
from ethicalai_lab.tables.drafts import suggest_roles
from ethicalai_lab.tables.loading import place_of

ROLES = Roles({"id": "identifier", "mail": "treatment", "visit": "outcome"}, control="none")
ROWS = [["id", "mail", "visit"], [1, "none", 0], [2, "spring", 1], [3, "spring", 0]]


def book(path, **sheets):
    made = Workbook()
    made.remove(made.active)
    for title, rows in sheets.items():
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(row)
    made.save(path)
    return path


def refused(path, roles=ROLES):
    with pytest.raises(TableError) as caught:
        load_table(path, roles)
    said = str(caught.value)
    assert "\n" not in said
    return said


def test_a_sheet_is_read_like_a_csv(tmp_path):
    path = book(tmp_path / "t.xlsx", mails=ROWS)
    table = load_table(path, ROLES)
    (tmp_path / "t.csv").write_text("\n".join(",".join(map(str, row)) for row in ROWS))
    pd.testing.assert_frame_equal(table, load_table(tmp_path / "t.csv", ROLES))


def test_several_sheets_are_a_question_that_two_ways_answer(tmp_path, capsys):
    path = book(tmp_path / "t.xlsx", Notes=[["by Bob"]], Spring=ROWS)
    assert refused(path) == (
        f'{path} has 2 sheets (Notes, Spring); name one, as in "{path}#Notes" or with '
        "`format: {sheet: ...}` in the roles file."
    )
    named = Roles(dict(ROLES.columns), control="none", format={"sheet": "Spring"})
    for table in (load_table(path, named), load_table(f"{path}#Spring", ROLES)):
        assert table["visit"].tolist() == [0, 1, 0]
    assert 'has no sheet Sprin; there are: Notes, Spring. Did you mean "Spring"?' in refused(
        f"{path}#Sprin"
    )
    draft = suggest_roles(f"{path}#Spring")
    roles = tmp_path / "roles.yaml"
    roles.write_text(draft)
    assert dict(load_roles(roles).format) == {"sheet": "Spring"}
    for named_too in (path, f"{path}#Spring"):
        assert len(load_table(named_too, roles)) == 3
    said = refused(f"{path}#Notes", roles)
    assert said == (f"{path}: the sheet Notes is asked for, but the roles name Spring; name one.")
    assert main(["uplift", str(path), "--roles", str(roles), "--json"]) == 0
    assert main(["roles", str(path)]) == 2
    assert "name one, as in" in capsys.readouterr().err


def test_a_file_whose_name_holds_the_sign_is_itself(tmp_path):
    path = book(tmp_path / "mails#1.xlsx", mails=ROWS)
    assert len(load_table(path, ROLES)) == 3


def test_cells_give_what_they_hold(tmp_path):
    rows = [
        ["id", "sent", "spend", "zip", "ok", "age"],
        ["007", dt.datetime(2025, 3, 31, 14, 5), 12.5, 1067, True, 30],
        ["7", dt.datetime(2025, 4, 1), 7, 4109, False, None],
        ["8", None, 0.25, 1099, True, "n/a"],
    ]
    path = book(tmp_path / "t.xlsx", t=rows)
    roles = {"id": "identifier", "sent": "time", "spend": "outcome", "zip": "quasi_identifier"}
    table = load_table(path, Roles({**roles, "ok": "consent", "age": "feature"}))
    assert table["id"].tolist() == ["007", "7", "8"]
    assert table["sent"].tolist()[:2] == [rows[1][1], rows[2][1]]
    assert table["sent"].isna().tolist() == [False, False, True]
    assert table["spend"].tolist() == [12.5, 7, 0.25]
    assert table["zip"].tolist() == [1067, 4109, 1099]
    assert table["age"].fillna(-1).tolist() == [30, -1, -1]
    assert how_read(table) == (
        'column "age": "n/a" counts as a gap (1 in all, first in row 4).',
        'column "ok" (consent): true permits; false does not.',
    )


def test_errors_are_gaps_that_are_told(tmp_path):
    rows = [["id", "age"], [1, 30], [2, "#N/A"], [3, "#DIV/0!"]]
    table = load_table(
        book(tmp_path / "t.xlsx", t=rows), Roles({"id": "identifier", "age": "feature"})
    )
    assert table["age"].fillna(-1).tolist() == [30, -1, -1]
    assert how_read(table) == (
        'column "age": errors such as #N/A in row 3 count as gaps (2 in all).',
    )
    assert 'row 3: column "age" (outcome) has 2 missing values' in refused(
        tmp_path / "t.xlsx", Roles({"id": "identifier", "age": "outcome"})
    )


def with_stored_results(path, value):
    """Store a result with each formula, as a spreadsheet program does."""
    raw = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(raw) as old, zipfile.ZipFile(path, "w") as new:
        for part in old.namelist():
            text = old.read(part)
            if part.startswith("xl/worksheets/"):
                text = text.replace(b"<v></v>", b"<v>%d</v>" % value).replace(
                    b"<v />", b"<v>%d</v>" % value
                )
            new.writestr(part, text)


def test_formulas_give_their_stored_result_or_a_refusal(tmp_path):
    path = book(tmp_path / "t.xlsx", t=[["id", "y"], [1, 0], [2, "=A2*3"]])
    roles = Roles({"id": "identifier", "y": "outcome"})
    assert refused(path, roles) == (
        f"{path}, row 3: the formula =A2*3 has no stored result; open the workbook in a "
        "spreadsheet program and save it."
    )
    with_stored_results(path, 6)
    assert load_table(path, roles)["y"].tolist() == [0, 6]


def test_rows_are_those_of_the_sheet(tmp_path):
    rows = [[], ["id", None, "visit"], [1, None, 0], [], [2, "x", 1], [3, None, None]]
    path = book(tmp_path / "t.xlsx", t=rows)
    roles = Roles({"id": "identifier", "visit": "outcome"})
    assert ', row 6: column "visit" (outcome) has 1 missing value' in refused(path, roles)
    table = load_table(path, Roles({"id": "identifier"}))
    assert [place_of(table, row) for row in range(3)] == ["row 3", "row 5", "row 6"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda raw: raw[: len(raw) // 2], "a zip archive or a damaged Excel workbook"),
        (lambda raw: raw.replace(b"xl/workbook.xml", b"xl/workbooX.xml"), "a zip archive or a"),
        (lambda raw: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + raw, "an Excel file of the old kind"),
    ],
)
def test_damaged_workbooks_are_refused(tmp_path, change, fault):
    path = book(tmp_path / "t.xlsx", t=ROWS)
    path.write_bytes(change(path.read_bytes()))
    assert fault in refused(path)


def test_an_empty_sheet_and_a_bomb_are_refused(tmp_path, monkeypatch):
    path = book(tmp_path / "t.xlsx", t=[])
    assert "the sheet t is empty" in refused(path)
    monkeypatch.setattr("ethicalai_lab.tables.workbook._MAX_UNPACKED", 100)
    assert "unpacks to more than" in refused(path)


def test_a_sheet_is_asked_for_only_in_a_workbook(tmp_path):
    (tmp_path / "t.csv").write_text("id\n1\n2\n")
    roles = Roles({"id": "identifier"}, format={"sheet": "Spring"})
    assert "is no Excel workbook, so it has no sheet Spring." in refused(tmp_path / "t.csv", roles)
