"""The verb audit-bias: figures equal to fairlearn's, one sentence on bad input, whole files."""

import json

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
    assert out == numbers
    words.write_text("group,sent,visit\na,yes,1\nb,,0\na,no,1\n", encoding="utf-8")
    code, _, err = main(capsys, "audit-bias", words, "--roles", roles)
    assert code == 2
    assert 'words.csv, line 3: column "sent" (decision) is empty' in err
