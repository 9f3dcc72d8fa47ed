"""Tables as the field exports them: each case with its right value, by load and by command."""

import gzip
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ethicalai_lab.cli import main
from ethicalai_lab.tables import Roles, TableError, how_read, load_roles, load_table
from ethicalai_lab.tables.column_types import measured
from ethicalai_lab.tables.drafts import suggest_roles
from ethicalai_lab.tables.levels import consent_answers, is_refusal
from ethicalai_lab.tables.loading import place_of, roles_of


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(content, name="t.csv"):
    with open(name, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    return name


def load(content, roles):
    return load_table(write(content), roles)


def refused(content, roles):
    with pytest.raises(TableError) as caught:
        load(content, roles)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def drafted(content, name="t.csv"):
    """Return the draft, the roles in it, and the table loaded with them."""
    path = write(content, name)
    draft = suggest_roles(path)
    roles = load_roles(write(draft, "roles.yaml"))
    return draft, roles, load_table(path, roles)


def lab(capsys, *words):
    code = main(list(words))
    out, err = capsys.readouterr()
    assert code in (0, 2), err
    return code, out, err


FEATURE = Roles({"a": "feature", "b": "feature"})
OUTCOME = Roles({"a": "outcome", "b": "feature"})


# -- labels stay labels


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_t1_true_and_false_are_arms(folder, capsys, form):
    rng = np.random.default_rng(0)
    treated = rng.random(400) < 0.5
    frame = pd.DataFrame({"treated": treated, "x": rng.random(400)})
    frame["visited"] = (rng.random(400) < 0.2 + 0.5 * frame.x * treated).astype(int)
    frame["treated"] = treated if form == "parquet" else np.where(treated, "true", "false")
    getattr(frame, f"to_{form}")(f"t.{form}", index=False)
    write(suggest_roles(f"t.{form}"), "roles.yaml")
    code, out, _ = lab(capsys, "uplift", f"t.{form}", "--roles", "roles.yaml", "--json")
    found = json.loads(out)
    assert (code, found["control"], found["arms"]) == (0, "false", ["true"])
    assert found["lifts"][0]["lift"] == pytest.approx(
        frame.visited[treated].mean() - frame.visited[~treated].mean()
    )
    assert list(found["rankings"]) == ["true"]
    # the file may say it without quotes
    roles = Roles({"treated": "treatment", "visited": "outcome"}, control=False)
    assert roles_of(load_table(f"t.{form}", roles)).control == "false"


def test_t5_long_numbers_are_not_floats(folder, capsys):
    write("q\n" + "".join(f"{12345678901234500000 + i}\n" for i in range(400)))
    write("columns: {q: quasi_identifier}\n", "roles.yaml")
    assert load_table("t.csv", "roles.yaml")["q"].nunique() == 400
    lab(capsys, "policy", "new", "p.yaml")
    words = ("evaluate", "p.yaml", "--table", "t.csv", "--roles", "roles.yaml", "--json", "-")
    card = json.loads(lab(capsys, *words, "--n-boot", "2")[1])
    values = {row["measure"]: row["value"] for row in card["measures"]}
    assert (values["smallest_class"], values["unique_share"]) == (1, 1.0)


@pytest.mark.parametrize(
    "role", ["identifier", "quasi_identifier", "treatment", "protected", "sensitive", "decision"]
)
@pytest.mark.parametrize(
    "cells", [["1.1", "1.10"], ["007", "7"], ["1e5", "100000"], ["12345678901234567890", "1"]]
)
def test_t11_a_label_keeps_its_text(folder, role, cells):
    roles = Roles({"t": role, "y": "outcome"}, control=cells[0] if role == "treatment" else None)
    text = load("t,y\n" + "".join(f"{cell},{i}\n" for i, cell in enumerate(cells)), roles)
    assert text["t"].tolist() == cells
    pq.write_table(pa.table({"t": cells, "y": [0, 1]}), "t.parquet")
    assert load_table("t.parquet", roles)["t"].tolist() == cells


def test_whole_numbers_stay_whole_whatever_holds_them(folder):
    roles = Roles({"q": "quasi_identifier", "g": "protected"})
    csv = load("q,g\n9007199254740993,1\n2,\n", roles)
    pq.write_table(
        pa.table({"q": [9007199254740993, 2], "g": pa.array([1, None], pa.int32())}), "t.parquet"
    )
    for table in (csv, load_table("t.parquet", roles)):
        assert table["q"].tolist() == [9007199254740993, 2]
        assert table["g"].fillna("-").tolist() == ["1", "-"]  # not 1.0
    pq.write_table(pa.table({"q": [1.0, 2.0], "g": [1.5, 2.0]}), "t.parquet")
    table = load_table("t.parquet", roles)
    assert (table["q"].tolist(), table["g"].tolist()) == ([1, 2], ["1.5", "2"])


def test_labels_that_are_numbers_keep_their_order_where_one_is_used(folder, capsys):
    assert measured(pd.Series(["10", None, "9.5"])).tolist()[::2] == [10, 9.5]
    for labels in (["1.1", "1.10"], ["007", "7"], ["12345678901234567890"], ["1", "x"]):
        assert measured(pd.Series(labels)).tolist() == labels
    rows = "".join(f"{20 + i % 60}.5,{20000 + i}.25,{i % 2}\n" for i in range(200))
    write("years,income,sent\n" + rows)
    write("columns: {years: protected, income: sensitive, sent: decision}\n", "r.yaml")
    out = lab(capsys, "audit-bias", "t.csv", "--roles", "r.yaml")[1]
    assert "years is cut into bands of about equal size." in out
    assert "By years: 200 rows, 4 groups" in out


def test_positive_values_of_consent_disturb_no_other_verb(folder, capsys):
    rows = "".join(
        f"{'fm'[i % 2]},{'ax'[i // 2 % 2]},{i % 3 == 0:d},{'JN'[i % 2]}\n" for i in range(40)
    )
    write("g,mail,visit,ok\n" + rows)
    write(
        "columns: {g: protected, mail: treatment, visit: outcome, ok: consent}\n"
        "control: a\npositive: {ok: J}\n",
        "r.yaml",
    )
    lab(capsys, "policy", "new", "p.yaml")
    evaluate = ("evaluate", "p.yaml", "--n-boot", "2", "--table", "t.csv")
    for words in (("uplift", "t.csv"), ("audit-bias", "t.csv"), evaluate):
        code, out, err = lab(capsys, *words, "--roles", "r.yaml")
        assert (code, err) == (0, "")
        assert 'column "ok" (consent): J permits; N does not.' in out


def test_a_control_that_fits_two_levels_is_asked_for_in_quotes(folder):
    text = "t,y\n1.1,0\n1.10,1\n"
    roles = {"t": "treatment", "y": "outcome"}
    assert 'write the untreated one in quotes, such as `control: "1.1"`' in refused(
        text, Roles(roles, control=1.1)
    )
    assert roles_of(load(text, Roles(roles, control="1.10"))).control == "1.10"


# -- levels are told


def test_t2_spellings_of_a_decision_are_a_question(folder, capsys):
    write("site,approved\n" + "A,Yes\nA,No\n" * 50 + "B,yes\nB,no\n" * 50)
    write('columns: {site: protected, approved: decision}\npositive: "yes"\n', "r.yaml")
    words = ("audit-bias", "t.csv", "--roles", "r.yaml", "--json")
    code, out, err = lab(capsys, *words)
    assert (code, out) == (2, "")
    assert err == (
        't.csv, line 2: column "approved" (decision) holds "Yes" (50 rows), which differs only in '
        'case or blanks from "yes", which counts; if they are the same, write `positive: ["yes", '
        '"Yes"]`, if not, `format: {case: keep}`.\n'
    )
    write('columns: {site: protected, approved: decision}\npositive: ["yes", "Yes"]\n', "r.yaml")
    audits = json.loads(lab(capsys, *words)[1])["audits"]
    gap = next(
        row
        for row in audits["site"]["disparities"]
        if "demographic_parity_difference" in row.values()
    )
    assert gap["value"] == 0


def test_t3_spellings_of_an_outcome_are_a_question(folder):
    rows = ["none,No", "none,yes", "x,Yes", "x,yes", "x,YES", "none,no"]
    text = "mail,visit\n" + "\n".join(rows) + "\n"
    roles = {"mail": "treatment", "visit": "outcome"}
    said = refused(text, Roles(roles, control="none", positive="yes"))
    assert '"YES", "Yes" (2 rows)' in said
    assert said.startswith('t.csv, line 4: column "visit" (outcome)')
    assert said.endswith("`format: {case: keep}`.")
    table = load(text, Roles(roles, control="none", positive=["yes", "Yes", "YES"]))
    assert table["visit"].tolist() == [0, 1, 1, 1, 1, 0]
    ignored = Roles(roles, control="none", positive="yes", format={"case": "ignore"})
    assert load(text, ignored)["visit"].tolist() == [0, 1, 1, 1, 1, 0]
    kept = Roles(roles, control="none", positive="yes", format={"case": "keep"})
    assert load(text, kept)["visit"].tolist() == [0, 1, 0, 1, 0, 0]
    _, drafted_roles, loaded = drafted(text)
    assert set(drafted_roles.positives("visit")) == {"yes", "Yes", "YES"}
    assert loaded["visit"].sum() == 4


@pytest.mark.parametrize("role", ["protected", "sensitive", "treatment"])
def test_groups_that_differ_only_in_case_or_blanks_are_a_question(folder, role):
    text = 'g,y\nF,0\n"f ",1\nM,1\nF,0\n'
    control = "M" if role == "treatment" else None
    said = refused(text, Roles({"g": role, "y": "outcome"}, control=control))
    assert said == (
        f't.csv, line 3: column "g" ({role}) holds "F" and "f ", which differ only in case or '
        "blanks; say whether they are one, with `format: {case: ignore}`, or not, with "
        "`format: {case: keep}`."
    )
    one = Roles({"g": role, "y": "outcome"}, control=control, format={"case": "ignore"})
    table = load(text, one)
    assert table["g"].tolist() == ["F", "F", "M", "F"]
    assert how_read(table)[0].endswith("levels that differ only in case or blanks are one.")
    two = Roles({"g": role, "y": "outcome"}, control=control, format={"case": "keep"})
    assert load(text, two)["g"].nunique() == 3


def test_t16_what_unknown_levels_count_as_is_told(folder):
    text = "y\nYes\nYes \nunknown\n"
    assert 'holds "Yes " (1 row)' in refused(text, Roles({"y": "outcome"}, positive="Yes"))
    table = load(text, Roles({"y": "outcome"}, positive=["Yes", "Yes "]))
    assert table["y"].tolist() == [1, 1, 0]
    assert how_read(table) == ('column "y" (outcome): Yes, Yes  count as 1; unknown as 0.',)


def test_each_column_may_have_its_own_positive_values(folder):
    text = "visit,click,ok\nyes,1,J\nno,0,N\nyes,0,J\n"
    roles = Roles(
        {"visit": "outcome", "click": "outcome", "ok": "consent"},
        outcome="visit",
        positive={"visit": "yes", "ok": ["Y", "J"]},
    )
    table = load(text, roles)
    assert (table["visit"].tolist(), table["click"].tolist()) == ([1, 0, 1], [1, 0, 0])
    assert roles_of(table).positives("ok") == ("Y", "J")
    assert how_read(table)[-1] == 'column "ok" (consent): J permits; N does not.'


# -- polarity


def test_t4_who_opted_out_cannot_be_reached(folder, capsys):
    text = "id,email_opt_out\n" + "".join(f"{i},{'yes' if i < 100 else 'no'}\n" for i in range(400))
    draft, _, table = drafted(text)
    assert 'positive: {email_opt_out: "no"}' in draft
    assert how_read(table) == ('column "email_opt_out" (consent): no permits; yes does not.',)
    lab(capsys, "policy", "new", "p.yaml")
    words = ("evaluate", "p.yaml", "--table", "t.csv", "--json", "-", "--n-boot", "2", "--roles")
    write("columns: {id: identifier, email_opt_out: consent}\n", "plain.yaml")
    for name in ("roles.yaml", "plain.yaml"):
        card = json.loads(lab(capsys, *words, name)[1])
        reach = [row["value"] for row in card["measures"] if row["measure"] == "reachable"]
        assert reach == [0.75]
    told = how_read(load_table("t.csv", "plain.yaml"))
    assert told[0].endswith(
        "no permits; yes does not, as the column's name says that people refuse."
    )


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        *(
            (name, True)
            for name in ("optout", "OptOut", "opted_out", "Unsubscribed", "do_not_call")
        ),
        *((name, True) for name in ("DoNotContact", "no_email", "Werbewiderspruch", "dnc_flag")),
        *((name, False) for name in ("opt_in", "email_consent", "newsletter", "Einwilligung")),
        *((name, False) for name in ("subscribed", "notify_me", "permission_marketing")),
    ],
)
def test_a_name_tells_its_polarity(name, refusal):
    assert is_refusal(name) is refusal
    answers, _ = consent_answers(pd.Series(["Yes", "no", None]), name, Roles({name: "consent"}))
    assert answers[:2].tolist() == ([0, 1] if refusal else [1, 0])
    assert np.isnan(answers[2])


def test_words_that_speak_for_themselves_are_not_turned():
    roles = Roles({"opt_out_status": "consent"})
    column = pd.Series(["opted out", "opted in", "unknown"])
    answers, said = consent_answers(column, "opt_out_status", roles)
    assert answers[:2].tolist() == [0, 1]
    assert np.isnan(answers[2])
    assert "1 say nothing" in said


def test_a_consent_that_is_neither_yes_nor_no_is_asked_for(folder):
    said = refused("ok\nyes\npending\n", Roles({"ok": "consent"}))
    assert said.startswith('t.csv, line 3: column "ok" (consent) holds "pending"; yes, no')
    assert said.endswith("`positive: {ok: pending}`.")
    table = load("ok\nyes\npending\n", Roles({"ok": "consent"}, positive={"ok": "yes"}))
    assert how_read(table) == ('column "ok" (consent): yes permits; pending does not.',)
    both = refused("opt_in_or_opt_out\nyes\nno\n", Roles({"opt_in_or_opt_out": "consent"}))
    assert "its name speaks of agreeing and of refusing" in both


# -- formats


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('id;mail;"spend, total, in EUR, net"\n1;none;3\n2;x;4\n', None),
        ("sep=;\nid;mail\n1;none\n2;x\n", "the first line, sep=;, is left out."),
        ('"sep=;"\r\nid;mail\r\n1;none\r\n2;x\r\n', "the first line"),
        ('"id,mail"\n"1,none"\n"2,x"\n', "each line stands in quotes as a whole"),
        ("id  mail\n1   none\n2 x\n", "fields are read as separated by blanks."),
        ("# from the shop\n# by Bob, Ann\nid,mail\n1,none\n2,x\n", "2 lines of comment above"),
        ("Report of spring\n\nid,mail\n1,none\n2,x\n", "above the header in line 3 is left out"),
        ("#id,mail\n1,none\n2,x\n", None),
    ],
)
def test_t8_t9_t10_separators_are_found_and_said(folder, content, told):
    draft, _, table = drafted(content)
    first = "#id" if content.startswith("#id") else "id"
    assert list(table)[:2] == [first, "mail"]
    assert table["mail"].tolist() == ["none", "x"]
    assert told is None or told in draft
    wanted = Roles({first: "identifier", "mail": "treatment"}, control="none")
    again = load_table("t.csv", wanted)  # and without anything declared
    assert again[first].tolist() == [1, 2]
    assert told is None or any(told in note for note in how_read(again))


def test_a_line_is_the_files_whatever_stands_above(folder):
    for above in ("sep=;\n", "# a\n# b\n", "Report\n\n"):
        text = f"{above}id;visit\n1;0\n\n2;\n"
        roles = Roles({"id": "identifier", "visit": "outcome"})
        line = text.split("\n").index("2;") + 1
        assert refused(text, roles).startswith(f't.csv, line {line}: column "visit" (outcome)')


@pytest.mark.parametrize(
    ("cells", "numbers", "told"),
    [
        (["30,44", "7"], [30.44, 7], '"30,44" is read as 30.44'),
        (["€30.44", "€7"], [30.44, 7], '"€30.44" is read as 30.44'),
        (["1.234,50 €", "-7,25 €"], [1234.5, -7.25], '"1.234,50 €" is read as 1234.5'),
        (["12%", "7 %"], [0.12, 0.07], '"12%" is read as 0.12'),
        (["$12.50", "($3)"], [12.5, -3], '"$12.50" is read as 12.5'),
        (["1,234.50", "7"], [1234.5, 7], '"1,234.50" is read as 1234.5'),
        (["1 234,5", "7"], [1234.5, 7], '"1 234,5" is read as 1234.5'),
        (["1'234.50", "7"], [1234.5, 7], "is read as 1234.5"),
        (["12,34,567", "7"], [1234567, 7], "is read as 1234567"),
        (["EUR 5", "7.5 EUR"], [5, 7.5], '"EUR 5" is read as 5'),
        (["1,234,567", "7"], [1234567, 7], "is read as 1234567"),
    ],
)
def test_t12_t13_amounts_are_read_and_said(folder, cells, numbers, told):
    text = "a|b\n" + "".join(f"{cell}|{i}\n" for i, cell in enumerate(cells))
    for roles in (FEATURE, OUTCOME):
        table = load(text, roles)
        assert table["a"].tolist() == numbers
        assert any(told in note for note in how_read(table))


def test_t12_a_single_blank_is_a_gap(folder):
    table = load("a,b\n5, \n6,1\n", FEATURE)
    assert table["b"].isna().tolist() == [True, False]
    assert how_read(table) == ('column "b": blanks count as a gap (1 in all, first in line 2).',)


def test_t12_the_odd_value_that_keeps_a_column_text_is_named(folder):
    table = load("a,b\n5,1\n6,1\nabout 7,1\n8,2\n", FEATURE)
    assert table["a"].tolist() == ["5", "6", "about 7", "8"]
    assert how_read(table) == (
        'column "a" stays text: "about 7" in line 4 is no number as the others are (1 of 4).',
    )
    said = refused("a,b\n5,1\n6,1\nabout 7,1\n8,2\n", OUTCOME)
    assert said.startswith('t.csv, line 4: column "a" (outcome) holds "about 7"; numbers')
    mixed = load("a|b\n€5|1\n€6|1\n$7|2\n", FEATURE)
    assert 'stays text: "$7" in line 4' in how_read(mixed)[0]


def test_t19_a_word_for_nothing_is_a_gap_among_numbers(folder):
    table = load("a,b\n5,1\nn/a,0\n-,1\n7.5,0\n", FEATURE)
    assert table["a"].fillna(-1).tolist() == [5, -1, -1, 7.5]
    assert how_read(table) == (
        'column "a": "n/a", "-" count as a gap (2 in all, first in line 3).',
    )


def test_a_number_with_two_readings_is_a_question(folder):
    said = refused("a|b\n1,234|1\n999|2\n", FEATURE)
    assert said == (
        't.csv, line 2: column "a" (feature) holds "1,234", which is 1234 or 1.234; say what '
        'stands before the decimals, with `format: {decimal: "."}` or `format: {decimal: ","}`.'
    )
    for decimal, value in ((".", 1234), (",", 1.234)):
        roles = Roles(dict(FEATURE.columns), format={"decimal": decimal})
        assert load("a|b\n1,234|1\n999|2\n", roles)["a"].tolist() == [value, 999]
    # other columns of the file may tell
    assert load("a|b\n1,234|1.5\n999|2\n", FEATURE)["a"].tolist() == [1234, 999]
    german = load("a|b\n1.234|1,5\n9.999|2\n", FEATURE)
    assert german["a"].tolist() == [1234, 9999]
    assert 'column "a": "1.234" is read as 1234.' in how_read(german)
    # a draft proposes what a reader then reviews
    _, roles, table = drafted("a|b\n1,234|1\n999|2\n")
    assert dict(roles.format) == {"decimal": ".", "thousands": ","}
    assert table["a"].tolist() == [1234, 999]


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("cp1252", "cp1252"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
    ],
)
def test_letters_are_read_in_each_encoding(folder, encoding, told):
    text = "id,city\n1,Zürich\n2,Besançon\n3,Málaga\n"
    table = load(text.encode(encoding), Roles({"id": "identifier", "city": "protected"}))
    assert table["city"].tolist() == ["Zürich", "Besançon", "Málaga"]
    assert bool(how_read(table)) == (told is not None)
    assert told is None or f"read as {told};" in how_read(table)[0]


def test_an_encoding_may_be_declared(folder):
    roles = Roles({"id": "identifier", "город": "protected"}, format={"encoding": "cp1251"})
    text = "id,город\n1,Москва\n2,Казань\n"
    assert load(text.encode("cp1251"), roles)["город"].tolist() == ["Москва", "Казань"]
    wrong = Roles({"id": "identifier"}, format={"encoding": "ascii"})
    assert "line 1: byte 0xe3 is not ascii; say how" in refused(text.encode("cp1251"), wrong)


def test_a_draft_of_consent_and_of_broken_letters_loads(folder):
    for text, permits in (
        ("email_opt_out\nyes\nn/a\n", ("no",)),
        ("consent\nyes\npending\n", ("yes",)),
        ("consent\nyes\nunknown\n", ()),
    ):
        _, roles, table = drafted(text)
        (column,) = roles.of("consent")
        assert roles.positives(column) == permits
        assert len(table) == 2
    assert drafted("consent\nno\npending\n")[1].of("feature") == ["consent"]
    broken = b"\xef\xbb\xbfid,city\n1,Z\xfcrich\n2,Ulm\n"
    _, roles, table = drafted(broken)
    assert list(table) == ["id", "city"]
    assert table["city"].tolist() == ["Zürich", "Ulm"]


def test_dates_in_the_order_that_is_declared(folder):
    roles = {"id": "identifier", "sent": "time"}
    text = "id,sent\n1,03.04.2025\n2,05.06.2025\n"
    said = refused(text, Roles(roles))
    assert said.startswith("t.csv, line 2: column \"sent\" (time) is '03.04.2025'")
    assert "`format: {dates: dmy}` or `format: {dates: mdy}`" in said
    for order, month in (("dmy", 4), ("mdy", 3)):
        table = load(text, Roles(roles, format={"dates": order}))
        assert table["sent"].dt.month.tolist()[0] == month
        assert f'"03.04.2025" is read as 2025-{month:02d}' in how_read(table)[0]
    _, found, _ = drafted(text)
    assert dict(found.format) == {"dates": "dmy"}


def test_t6_postgresql_times_are_read_in_utc(folder):
    text = "id,time\n1,2025-01-01 10:00:00+01\n2,2025-07-02 10:00:00+02\n"
    _, roles, table = drafted(text)
    assert roles.of("time") == ["time"]
    assert table["time"].astype(str).tolist() == ["2025-01-01 09:00:00", "2025-07-02 08:00:00"]


# -- places


def test_t18_a_gap_is_told_with_the_files_line_and_the_columns_spelling(folder, capsys):
    write('Grp,"Score "\n"a\nb",.5\n\nb,\n')
    write("columns: {Grp: protected, Score: score}\n", "r.yaml")
    code, out, err = lab(capsys, "audit-bias", "t.csv", "--roles", "r.yaml")
    assert (code, out) == (2, "")
    assert err.startswith('t.csv, line 5: column "Score" (score) has 1 missing value')


def test_t18_a_verb_names_the_line_of_what_it_cannot_use(folder, capsys):
    write("g,sent,spend\n\na,1,0\nb,0,1\na,1,12.5\n")
    write("columns: {g: protected, sent: decision, spend: outcome}\n", "r.yaml")
    code, out, err = lab(capsys, "audit-bias", "t.csv", "--roles", "r.yaml")
    assert (code, out) == (2, "")
    assert err.startswith('line 5: column "spend" holds 12.5; an audit needs 0/1 or true/false')


def test_a_row_of_a_loaded_table_has_its_place(folder):
    table = load('# note\na,b\n1,"x\ny"\n\n2,z\n', Roles({"b": "feature"}))
    assert [place_of(table, row) for row in (0, 1)] == ["line 3", "line 6"]


# -- drafts


def test_t17_names_of_crm_exports_get_their_role(folder):
    expected = {
        "identifier": ["customerID", "userid", "emailAddress", "IP", "device_ip", "Kundennummer"],
        "quasi_identifier": ["PLZ", "Pincode", "latitude", "Geburtsdatum", "code_postal"],
        "protected": ["MaritalStatus", "Geschlecht", "sexo"],
        "consent": ["emailOptIn", "do_not_call"],
    }
    names = [name for listed in expected.values() for name in listed]
    rows = [
        ",".join(
            "yn"[i % 2] if n in expected["consent"] + expected["protected"] else f"{n}{i}"
            for n in names
        )
        for i in range(6)
    ]
    _, roles, _ = drafted(",".join(names) + "\n" + "\n".join(rows) + "\n")
    assert {role: roles.of(role) for role in expected} == expected


@pytest.mark.parametrize("name", ["test group", "ab_group", "treatment_flg", "testGroup", "arm"])
def test_t17_names_of_treatments_and_outcomes(folder, name):
    text = f"customerID,{name},revenue,x\n1,a,0.5,1\n2,b,7,2\n3,a,2,3\n"
    _, roles, _ = drafted(text)
    assert (roles.treatment, roles.outcome) == (name, "revenue")
    assert roles.of("identifier") == ["customerID"]


def test_what_is_known_only_afterwards_is_drafted_with_a_warning(shared_data):
    draft = suggest_roles(shared_data / "bank_marketing.csv.gz")
    line = next(line for line in draft.splitlines() if line.startswith("  duration:"))
    assert "WARNING: known only afterwards" in line
    assert draft.count("WARNING") == 1


def test_a_column_that_repeats_what_was_done_is_warned_of(folder):
    draft, roles, _ = drafted("arm,treatment_flg,visit\na,0,0\nb,1,1\n")
    assert roles.treatment == "arm"
    assert "  treatment_flg: feature  # WARNING: says what was done, too?" in draft


def test_a_household_is_proposed_as_a_cluster(folder):
    draft, _, _ = drafted("id,household_id,visit\n1,7,0\n2,7,1\n3,8,0\n")
    assert "# cluster: household_id" in draft


def test_a_cluster_is_read_with_or_without_a_role(folder):
    text = "id,home,visit\n1,07,0\n2,7,1\n"
    roles = Roles({"id": "identifier", "visit": "outcome"}, cluster="home")
    table = load(text, roles)
    assert table["home"].tolist() == ["07", "7"]
    assert roles_of(table).cluster == "home"
    assert 'no column "hom"' in refused(text, Roles({"visit": "outcome"}, cluster="hom"))
    assert 'line 3: column "home" (cluster) has 1 missing value' in refused(
        "id,home,visit\n1,7,0\n2,,1\n", roles
    )


# -- extremes


def table(**changed):
    n = 12
    columns = {
        "id": list(range(n)),
        "g": ["f", "m"] * 6,
        "mail": ["none", "none", "x"] * 4,
        "visit": [0, 1, 1, 0] * 3,
        "age": [float(20 + i) for i in range(n)],
        "when": ["2025-01-01"] * n,
    }
    return pa.table({**columns, **changed})


ROLES = (
    "columns: {id: identifier, g: protected, mail: treatment, visit: outcome, age: feature, "
    "when: time}\ncontrol: none\n"
)
BYTES = pa.array([b"\xff\x00"] * 12)
NOT_UTF8 = pa.Array.from_buffers(pa.string(), 12, pa.array([b"\xff\xfe"] * 12).buffers())
FAR = pa.array([1_000_000_000_000] * 12).cast(pa.timestamp("s"))
FAR_DAY = pa.array([11_574_074] * 12, pa.int32()).cast(pa.date32())


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"visit": [1e308, *[0.0] * 11]}, 'row 1: column "visit" (outcome) holds 1e+308; numbers'),
        ({"age": [*[0.0] * 11, -1e308]}, 'row 12: column "age" (feature) holds -1e+308; numbers'),
        ({"age": [float("inf")] * 12}, 'row 1: column "age" (feature) is infinite; a number'),
        ({"g": BYTES}, 'column "g" holds bytes; a single value a row'),
        ({"g": NOT_UTF8}, 'column "g" holds text that is not UTF-8'),
        ({"when": FAR}, 'row 1: column "when" holds a date of about the year 336'),
        ({"age": FAR_DAY}, 'row 1: column "age" holds a date of about the year 336'),
        ({"when": ["33657-01-01"] * 12}, "row 1: column \"when\" (time) is '33657-01-01', in"),
    ],
)
def test_extremes_end_in_a_sentence_with_every_verb(folder, capsys, changed, fault):
    pq.write_table(table(**changed), "t.parquet")
    write(ROLES, "r.yaml")
    lab(capsys, "policy", "new", "p.yaml")
    for words in (
        ("uplift", "t.parquet"),
        ("audit-bias", "t.parquet"),
        ("evaluate", "p.yaml", "--table", "t.parquet"),
    ):
        code, out, err = lab(capsys, *words, "--roles", "r.yaml")
        assert (code, out) == (2, "")
        assert fault in err
        assert err.count("\n") == 1
    lab(capsys, "roles", "t.parquet")  # a draft or a sentence


def test_unusual_types_of_parquet_are_read(folder):
    odd = {
        "half": pa.array(np.ones(12, np.float16)),
        "clock": pa.array([100] * 12, pa.int32()).cast(pa.time32("s")),
        "large": pa.array([2**64 - 1 - i for i in range(12)], pa.uint64()),
        "none": pa.nulls(12),
    }
    pq.write_table(pa.table(odd), "t.parquet")
    for role in ("feature", "protected"):
        found = load_table("t.parquet", Roles(dict.fromkeys(odd, role)))
        assert found["large"].nunique() == (12 if role == "protected" else found["large"].nunique())
        assert found["none"].isna().all()
    assert load_table("t.parquet", Roles({"half": "feature"}))["half"].tolist() == [1.0] * 12


@pytest.mark.parametrize("sign", ["\x1b]0;x\x07", "\x9b31m", "\u202e", "\x7f"])
def test_control_characters_are_shown_and_never_obeyed(folder, capsys, sign):
    rows = "".join(f"a{sign}b,{i % 2}\nother,{(i + 1) % 2}\n" for i in range(20))
    write(f"g{sign},sent\n{rows}")
    write(f"columns: {{{json.dumps('g' + sign)}: protected, sent: decision}}\n", "r.yaml")
    outputs = [lab(capsys, "roles", "t.csv")]
    outputs.append(lab(capsys, "audit-bias", "t.csv", "--roles", "r.yaml"))
    outputs.append(lab(capsys, "audit-bias", "t.csv", "--roles", "r.yaml", "--json"))
    write(f"columns: {{{json.dumps('g' + sign)}: outcome}}\n", "r.yaml")
    outputs.append(lab(capsys, "audit-bias", "t.csv", "--roles", "r.yaml"))
    outputs.append(lab(capsys, "uplift", "t.csv", "--roles", "r.yaml"))
    for _, out, err in outputs:
        assert not set(out + err) & {"\x1b", "\x07", "\x9b", "\u202e", "\x7f"}
    assert "by_group" in json.loads(outputs[2][1])["audits"][f"g{sign}"]


@pytest.mark.parametrize("at", ["\n3,", "id,", "\n39,"])
def test_an_unbalanced_quote_never_prints_the_table(folder, capsys, at):
    text = "id,visit\n" + "".join(f"{i},{i % 2}\n" for i in range(40))
    broken = text.replace(at, at.replace(at.strip(), '"' + at.strip()), 1)
    write(broken)
    write("columns: {id: identifier, visit: outcome}\n", "r.yaml")
    line = broken[: broken.index('"')].count("\n") + 1
    for words in (("uplift", "t.csv", "--roles", "r.yaml"), ("roles", "t.csv")):
        code, out, err = lab(capsys, *words)
        if words[0] == "uplift" or code:
            assert (code, out) == (2, "")
        assert err.count("\n") == 1
    with pytest.raises(TableError) as caught:
        load_table("t.csv", "r.yaml")
    assert str(caught.value) == (
        f"t.csv, line {line}: a quote opens a field here and never closes; close it, or leave it out."
    )


def test_over_long_names_get_a_sentence(folder, capsys):
    write("a" * 5000 + ",visit\n1,0\n2,1\n")
    code, out, err = lab(capsys, "roles", "t.csv")
    assert code == 2
    assert "has a name of 5,000 characters; up to 200 are accepted." in err
    assert len(err) < 200
    for words in (("roles", "x" * 5000), ("uplift", "t.csv", "--roles", "z" * 5000)):
        code, out, err = lab(capsys, *words)
        assert (code, out) == (2, "")
        assert "File name too long" in err or "cannot be read" in err


def test_a_gzip_bomb_is_refused_before_it_is_in_memory(folder, monkeypatch):
    import tracemalloc

    monkeypatch.setattr("ethicalai_lab.tables.table_files.MAX_UNPACKED", 50 * 1024**2)
    write(gzip.compress(b"0" * 200 * 1024**2), "t.csv.gz")
    tracemalloc.start()
    with pytest.raises(TableError, match=r"unpacks to more than 0\.0488281 GiB"):
        load_table("t.csv.gz", FEATURE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 * 1024**2


def test_ten_thousand_columns_are_drafted(folder):
    names = [f"c{i}" for i in range(10_000)]
    rows = "".join(",".join(str(i * j % 7) for i in range(1, 10_001)) + "\n" for j in range(3))
    write(",".join(["visit", *names[1:]]) + "\n" + rows)
    roles = load_roles(write(suggest_roles("t.csv"), "roles.yaml"))
    assert len(roles.columns) == 10_000
    assert roles.outcome == "visit"


@pytest.mark.parametrize(
    ("last", "told"),
    [
        (["0,1500"], "line 402 holds 1500, all others at most 5: a total?"),
        (["0,750", "1,760"], "line 402 holds 750 and 1 more like it, all others at most 5: a"),
        (["0,800"], "line 402 holds 800, all others at most 4: a total?"),
        (["0,-1500"], "line 402 holds -1500, all others at most 5: a total?"),
        (["0,240"], None),
        (["0,5"], None),
    ],
)
def test_an_outcome_far_beyond_all_others_is_named_and_kept(folder, last, told):
    # 0 to 4 add up to 800 in 400 rows
    levels = 5 if last == ["0,800"] else 6
    rows = [f"{i % 2},{i % levels}" for i in range(400)]
    table = load("\n".join(["t,y", *rows, *last, ""]), Roles({"t": "treatment", "y": "outcome"}))
    assert len(table) == 400 + len(last)
    assert table["y"].iloc[-1] == float(last[-1].split(",")[1])
    said = [sentence for sentence in how_read(table) if "a total?" in sentence]
    assert bool(said) == (told is not None), said
    if told:
        assert f'column "y" (outcome): {told}' in said[0]


def test_a_sum_of_all_others_is_named_however_few_they_are(folder):
    rows = [f"{i % 2},{i + 1}" for i in range(12)]
    table = load("\n".join(["t,y", *rows, "0,78", ""]), Roles({"t": "treatment", "y": "outcome"}))
    (said,) = how_read(table)
    assert "line 14 holds 78, the sum of all others: a total?" in said


def test_one_buyer_among_many_is_no_total(folder):
    rows = [f"{i % 2},{1500 if i == 7 else 0}" for i in range(400)]
    table = load("\n".join(["t,y", *rows, ""]), Roles({"t": "treatment", "y": "outcome"}))
    assert not how_read(table)


@pytest.mark.parametrize(
    ("column", "one", "other", "counts"),
    [
        ("decision", "approved", "rejected", "approved"),
        ("decision", "accept", "reject", "accept"),
        ("decision", "not granted", "bewilligt", "bewilligt"),
        ("converted", "converted", "not converted", "converted"),
        ("achete", "achete", "non achete", "achete"),
        ("visit", "won", "lost", "won"),
    ],
)
def test_a_draft_counts_no_level_that_says_no(folder, column, one, other, counts):
    _, roles, table = drafted(f"id,{column}\n1,{one}\n2,{other}\n3,{one}\n")
    assert roles.positives(column) == (counts,)
    assert table[column].tolist() == ([1, 0, 1] if counts == one else [0, 1, 0])


@pytest.mark.parametrize("untreated", ["ohne Mail", "kein Kontakt", "sans", "placebo", "no_mail"])
def test_a_draft_takes_the_arm_without_as_control(folder, untreated):
    _, roles, _ = drafted(f"id,arm,visit\n1,A_mail,0\n2,{untreated},1\n3,A_mail,0\n")
    assert roles.control == untreated
    assert drafted("id,arm,visit\n1,B,0\n2,A,1\n3,B,0\n")[1].control == "A"


@pytest.mark.parametrize(
    "name",
    [
        *("nomail", "without_consent", "not_consented", "consent_missing", "consent_expired"),
        *("non_consentement", "ohne_einwilligung", "einwilligung_fehlt", "Kontaktsperre"),
        *("Werbeverbot", "sperrvermerk", "nicht_anschreiben", "bloctel", "ne_pas_contacter"),
        *("stop_sms", "excluded_from_marketing", "tps_registered"),
    ],
)
def test_a_consent_whose_name_is_not_plain_is_asked_for(folder, name):
    said = refused(f"{name}\nyes\nno\n", Roles({name: "consent"}))
    assert said.startswith(f't.csv, line 2: column "{name}" (consent): its name does not tell')
    assert said.endswith("with `positive`; there are: no, yes.")
    table = load(f"{name}\nyes\nno\n", Roles({name: "consent"}, positive={name: "no"}))
    assert how_read(table) == (f'column "{name}" (consent): no permits; yes does not.',)


@pytest.mark.parametrize(
    ("levels", "positive"), [(("yes", "no"), "No"), ((1, 0), False), (("y", "n"), "yes")]
)
def test_a_word_that_permits_but_never_stands_there_is_asked_for(folder, levels, positive):
    yes, no = levels
    name = "email_opt_in" if positive == "yes" else "email_opt_out"
    said = refused(f"{name}\n{yes}\n{no}\n", Roles({name: "consent"}, positive={name: positive}))
    assert f'never holds "{positive}"' in said
    # nobody said yes: then nobody agreed, and there is nothing to ask
    table = load("opt_in\nno\nno\n", Roles({"opt_in": "consent"}, positive={"opt_in": "yes"}))
    assert how_read(table) == ('column "opt_in" (consent): no does not.',)


def test_a_lone_mark_of_refusal_is_asked_about_and_never_proposed_as_a_yes(folder):
    content = "id,email_opt_out\n1,x\n2,\n3,\n4,x\n"
    assert "  email_opt_out: consent" in suggest_roles(write(content))
    said = refused(content, Roles({"id": "identifier", "email_opt_out": "consent"}))
    assert said.endswith("write yes in its place if it means that the person refuses.")
    assert "positive" not in said


def test_a_point_that_may_part_thousands_is_told(folder):
    roles = Roles({"id": "identifier", "revenue": "outcome"})
    read = load("id;revenue\n1;1.234\n2;999\n", roles)
    assert read["revenue"].tolist() == [1.234, 999]
    told = 'column "revenue": "1.234" is read as 1.234; if it means 1234, write '
    assert how_read(read) == (told + '`format: {decimal: ","}`.',)
    for decimal, value in ((",", 1234), (".", 1.234)):
        declared = Roles(dict(roles.columns), format={"decimal": decimal})
        read = load("id;revenue\n1;1.234\n2;999\n", declared)
        assert read["revenue"].tolist() == [value, 999]
        assert not any("if it means" in said for said in how_read(read))
    # one number that can only be decimal tells for all
    for other in ("0.125", "2.5", "0.5"):
        assert how_read(load(f"id;revenue\n1;1.234\n2;{other}\n", roles)) == ()
