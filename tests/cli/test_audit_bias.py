"""The verb audit-bias: figures equal to fairlearn's, one sentence on bad input, whole files."""

import json
import os

import pytest

from ethicalai_lab import cli

ROLES = "columns: {group: protected, sent: decision, visit: outcome}\n"


def main(capsys, *args):
    code = cli.main([str(arg) for arg in args])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def table(tmp_path):
    rows = [
        ("a" if i % 3 else "b", int(i % 3 == 1 or i % 6 == 0), int(i % 5 < 2)) for i in range(900)
    ]
    lines = "".join(f"{group},{sent},{visit}\n" for group, sent, visit in rows)
    (tmp_path / "log.csv").write_text("group,sent,visit\n" + lines, encoding="utf-8")
    (tmp_path / "roles.yaml").write_text(ROLES, encoding="utf-8")
    return rows, tmp_path / "log.csv", tmp_path / "roles.yaml"


def test_json_holds_what_fairlearn_measures(capsys, table):
    from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference

    rows, data, roles = table
    code, out, _ = main(capsys, "audit-bias", data, "--roles", roles, "--json")
    assert code == 0
    gaps = {
        row["disparity"]: row["value"] for row in json.loads(out)["audits"]["group"]["disparities"]
    }
    group, sent, visit = zip(*rows, strict=True)
    known = {"sensitive_features": group}
    assert gaps["demographic_parity_difference"] == demographic_parity_difference(
        visit, sent, **known
    )
    assert gaps["equalized_odds_difference"] == equalized_odds_difference(visit, sent, **known)


def test_text_says_the_rule_of_thumb_once(capsys, table):
    _, data, roles = table
    code, out, _ = main(capsys, "audit-bias", data, "--roles", roles)
    assert code == 0
    assert out.count("US rule of thumb for employment selection") == 1
    assert "By group: 900 rows, 2 groups" in out


def test_page_is_whole_and_asks_nothing_of_the_outside(capsys, table, tmp_path):
    _, data, roles = table
    page = tmp_path / "audit.html"
    code, _, _ = main(capsys, "audit-bias", data, "--roles", roles, "--html", page)
    text = page.read_text(encoding="utf-8")
    assert code == 0
    assert text.rstrip().endswith("</html>")
    assert "<script" not in text
    assert "http" not in text.replace("http://www.w3.org", "")


@pytest.mark.parametrize(
    ("roles", "says"),
    [
        ("columns: {sent: decision}", "no column has the role protected"),
        ("columns: {group: protected, visit: outcome}", "decision, score or treatment"),
        ("columns: {group: protected, sent: decison}", "decision"),
    ],
)
def test_bad_roles_are_one_sentence(capsys, table, tmp_path, roles, says):
    _, data, _ = table
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(roles + "\n", encoding="utf-8")
    page = tmp_path / "never.html"
    code, out, err = main(capsys, "audit-bias", data, "--roles", wrong, "--html", page)
    assert code == 2
    assert says in err
    assert "Traceback" not in err
    assert not out
    assert not page.exists()


def test_threshold_must_be_a_number(capsys, table):
    _, data, roles = table
    code, _, err = main(capsys, "audit-bias", data, "--roles", roles, "--threshold", "nan")
    assert code == 2
    assert "a number is" in err


def test_a_decision_in_words_is_read_by_the_value_that_counts(capsys, table, tmp_path):
    rows, data, roles = table
    _, numbers, _ = main(capsys, "audit-bias", data, "--roles", roles)
    words = tmp_path / "words.csv"
    lines = "".join(f"{g},{'yes' if sent else 'no'},{visit}\n" for g, sent, visit in rows)
    words.write_text("group,sent,visit\n" + lines, encoding="utf-8")
    code, out, err = main(capsys, "audit-bias", words, "--roles", roles)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "column 'sent'" in err
    assert 'positive: "yes"' in err
    roles.write_text(ROLES + 'positive: "yes"\n', encoding="utf-8")
    code, out, _ = main(capsys, "audit-bias", words, "--roles", roles)
    assert code == 0
    read = 'How this table was read\n- column "sent" (decision): yes counts as 1; no as 0.\n\n'
    assert out == read + numbers
    page = tmp_path / "page.html"
    _, found, _ = main(capsys, "audit-bias", words, "--roles", roles, "--json", "--html", page)
    assert json.loads(found)["how_read"] == [read.splitlines()[1].removeprefix("- ")]
    assert "<h2>How this table was read</h2>" in page.read_text("utf-8")
    words.write_text("group,sent,visit\na,yes,1\nb,,0\na,no,1\n", encoding="utf-8")
    code, _, err = main(capsys, "audit-bias", words, "--roles", roles)
    assert code == 2
    assert 'words.csv, line 3: column "sent" (decision) is empty' in err


def _written(folder, header, rows, roles):
    lines = "".join(",".join(map(str, row)) + "\n" for row in rows)
    (folder / "own.csv").write_text(f"{header}\n{lines}", encoding="utf-8")
    (folder / "own.yaml").write_text(roles + "\n", encoding="utf-8")
    return ["audit-bias", folder / "own.csv", "--roles", folder / "own.yaml"]


def test_the_text_gives_each_groups_rates_with_bounds(capsys, table):
    _, data, roles = table
    _, out, _ = main(capsys, "audit-bias", data, "--roles", roles)
    _, found, _ = main(capsys, "audit-bias", data, "--roles", roles, "--json")
    audit = json.loads(found)["audits"]["group"]
    low, high = audit["by_group_low"], audit["by_group_high"]
    for i, row in enumerate(audit["by_group"]):
        line = next(
            x for x in out.splitlines() if x.split()[:2] == [row["group"], f"{row['count']:,}"]
        )
        for metric in ("selection_rate", "true_positive_rate", "precision_score"):
            bounds = f"({low[i][metric]:.3f} to {high[i][metric]:.3f})"
            assert f"{row[metric]:.3f} {bounds}" in line


def test_a_person_on_many_dates_is_one_person(capsys, tmp_path):
    people = [(i, "fm"[i % 2], int(i % 4 == 0 or i % 10 == 3)) for i in range(100)]
    roles = "columns: {id: identifier, gender: protected, selected: decision%s}"
    once = _written(tmp_path, "id,gender,selected", people, roles % "")
    _, found, _ = main(capsys, *once, "--json")
    one = json.loads(found)["audits"]["gender"]
    rows = [(*person, f"2025-01-{day:02d}") for day in range(1, 29) for person in people]
    often = _written(tmp_path, "id,gender,selected,day", rows, roles % ", day: time")
    _, found, _ = main(capsys, *often, "--json")
    many = json.loads(found)["audits"]["gender"]
    assert (many["n_rows"], many["n_clusters"]) == (2800, 100)
    for a, b in zip(one["disparities"], many["disparities"], strict=True):
        assert b["value"] == pytest.approx(a["value"])
        assert b["high"] - b["low"] == pytest.approx(a["high"] - a["low"], rel=0.02)
    _, out, _ = main(capsys, *often)
    assert "100 different values of id in 2,800 rows: intervals are those of 100" in out
    assert "By gender: 2,800 rows of 100 clusters, 2 groups" in out


def test_every_decision_of_a_table_is_audited(capsys, tmp_path):
    rows = [("ab"[i % 2], int(i % 4 == 0), int(i % 3 == 0)) for i in range(600)]
    roles = "columns: {g: protected, first: decision, second: decision}"
    args = _written(tmp_path, "g,first,second", rows, roles)
    code, found, _ = main(capsys, *args, "--json")
    assert code == 0
    audits = json.loads(found)["audits"]
    rates = {
        heading: [row["selection_rate"] for row in audit["by_group"]]
        for heading, audit in audits.items()
    }
    assert rates["g, decision first"] == [0.5, 0.0]
    assert rates["g, decision second"] == pytest.approx([1 / 3, 1 / 3], abs=1e-9)
    _, out, _ = main(capsys, *args)
    assert "2 decisions, each audited: first, second." in out
    assert "By g, decision second: 600 rows, 2 groups" in out


def test_seven_groups_are_not_below_four_fifths_of_a_tiny_one(capsys, tmp_path):
    rows = [("abcdefg"[i % 7], int(i % 14 < 7)) for i in range(1400)] + [("tiny", 1)] * 5
    args = _written(tmp_path, "g,sent", rows, "columns: {g: protected, sent: decision}")
    _, out, _ = main(capsys, *args)
    assert "No group is below four fifths of the highest selection rate." in out
    assert "Groups of fewer than 30 rows, whose rates are unsteady: tiny;" in out
    assert "tiny (small)" in out
    _, found, _ = main(capsys, *args, "--json")
    ratios = json.loads(found)["audits"]["g"]["four_fifths"]
    assert ratios["flag"] is False
    assert [row["g"] for row in ratios["by_group"] if row["small_group"]] == ["tiny"]


@pytest.mark.skipif(os.name != "posix", reason="modes are those of Unix")
def test_the_page_can_be_read_by_whom_other_files_can(capsys, table, tmp_path):
    _, data, roles = table
    page, plain = tmp_path / "p.html", tmp_path / "plain"
    plain.write_text("", encoding="utf-8")
    main(capsys, "audit-bias", data, "--roles", roles, "--html", page)
    assert page.stat().st_mode == plain.stat().st_mode


def audited(capsys, tmp_path, rows, roles="columns: {g: protected, d: decision}\n", head="g,d"):
    (tmp_path / "t.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    (tmp_path / "r.yaml").write_text(roles, encoding="utf-8")
    given = ("audit-bias", tmp_path / "t.csv", "--roles", tmp_path / "r.yaml")
    code, text, _ = main(capsys, *given)
    assert code == 0
    found = json.loads(main(capsys, *given, "--json")[1])
    return text, found["audits"]["g"], found["notes"]


@pytest.mark.parametrize("size", [5, 30])
def test_people_all_treated_alike_still_leave_a_doubt(capsys, tmp_path, size):
    from ethicalai_lab.stats import newcombe_bounds, wilson_bounds

    text, found, _ = audited(capsys, tmp_path, ["a,1"] * size + ["b,1"] * size)
    low = round(float(wilson_bounds(size, size)[0]), 12)
    assert [row["selection_rate"] for row in found["by_group_low"]] == [low, low]
    assert f"1.000 ({low:.3f} to 1.000)" in text
    gaps = {row["disparity"]: row for row in found["disparities"]}
    most = float(newcombe_bounds(size, size, size, size)[1])
    gap = gaps["demographic_parity_difference"]
    assert (gap["low"], gap["high"]) == (0.0, pytest.approx(most))
    beside = gaps["demographic_parity_difference_to_overall"]
    # of two groups as large as each other, each is half as far from everybody
    assert (beside["low"], beside["high"]) == (0.0, pytest.approx(most / 2))
    for row in found["four_fifths"]["by_group"]:
        assert row["low"] == (low if size == 30 else None)


def test_a_gap_rests_on_no_two_people_without_saying_so(capsys, tmp_path):
    _, found, _ = audited(capsys, tmp_path, ["a,1"] * 2 + ["b,1", "b,0"] * 500)
    gap = found["disparities"][0]
    assert gap["value"] == 0.5
    assert gap["low"] < 0.01
    none, all_of = audited(capsys, tmp_path, ["a,0"] * 40 + ["b,1"] * 40)[1]["disparities"][:2]
    assert none["low"] < none["value"] == 1.0
    assert all_of["value"] == 0.0 < all_of["high"]


def test_nobody_selected_has_no_ratio(capsys, tmp_path):
    text, found, _ = audited(capsys, tmp_path, ["a,0"] * 40 + ["b,0"] * 40)
    assert "demographic_parity_ratio: undefined [undefined, undefined]" in text
    assert "Nobody is selected" in text
    assert "No group has 30 rows" not in text
    assert found["by_group_high"][0]["selection_rate"] == pytest.approx(0.0876, abs=1e-4)


def test_one_person_has_no_interval(capsys, tmp_path):
    roles = "columns: {id: feature, g: protected, d: decision}\ncluster: id\n"
    rows = [f"7,{'ab'[i % 2]},{int(i % 3 == 0)}" for i in range(400)]
    text, found, notes = audited(capsys, tmp_path, rows, roles, "id,g,d")
    assert found["by_group_low"][0]["selection_rate"] is None
    assert found["disparities"][0]["low"] is None
    assert any(note.startswith("All rows are of one id: ") for note in notes)
    assert "0.335 (" not in text
    assert "0.000 [" not in text
    rows = [f"{7 if i < 200 else i},{'ab'[i // 200]},{int(i % 3 == 0)}" for i in range(400)]
    text, found, notes = audited(capsys, tmp_path, rows, roles, "id,g,d")
    low = [row["selection_rate"] for row in found["by_group_low"]]
    assert low[0] is None
    assert low[1] is not None
    assert any("A group of one id has no interval" in note for note in notes)
    # one person is one, whatever rounding leaves of 0.335
    assert found["disparities"][0]["high"] > 0.5


def test_the_command_gives_the_audit_itself(capsys, tmp_path):
    from ethicalai_lab.fairness import audit

    rows = [("ab"[i % 2], int(i % 7 < 3)) for i in range(400)]
    _, found, _ = audited(capsys, tmp_path, [f"{g},{d}" for g, d in rows])
    group, decided = zip(*rows, strict=True)
    usual = audit(None, decided, sensitive_features={"g": list(group)}).to_dict()
    assert found["disparities"] == usual["disparities"]
    assert found["by_group_low"] == usual["by_group_low"]
