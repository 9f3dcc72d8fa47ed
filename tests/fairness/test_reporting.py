"""The audit as a page, as JSON and as text."""

import json
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from ethicalai_lab.errors import InputError
from ethicalai_lab.fairness import audit, cli_audit, report

NASTY = '<script>alert("x")</script>&'


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.stack, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag  # every element is closed, in order

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture
def result():
    rng = np.random.default_rng(0)
    n = 300
    group = pd.Series(rng.choice([NASTY, "b", None], n), name="<i>group")
    y, p = rng.integers(0, 2, n), rng.integers(0, 2, n)
    return audit(y, p, sensitive_features=group)


def test_page_stands_alone_and_is_escaped(result):
    text = report({NASTY: result}, title=NASTY, notes=[NASTY])
    page = Page()
    page.feed(text)
    assert not page.stack
    names = [tag for tag, _ in page.tags]
    assert not {"script", "link", "img", "iframe", "i"} & set(names)
    assert "http" not in text
    assert "src=" not in text
    assert NASTY in "".join(page.text)  # shown as text, not run


def test_page_can_be_read_by_a_screen_reader(result):
    page = Page()
    page.feed(report(result))
    tags = page.tags
    names = [tag for tag, _ in tags]
    assert dict(tags)["html"]["lang"] == "en"
    assert names.count("h1") == 1
    assert names.count("title") == 1
    assert names.count("main") == 1
    levels = [int(name[1]) for name in names if name in ("h1", "h2", "h3", "h4")]
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert names.count("table") == names.count("caption") >= 3
    headers = [attrs for tag, attrs in tags if tag == "th"]
    assert headers
    assert all(attrs.get("scope") in ("col", "row") for attrs in headers)
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs in tags:
        if "aria-labelledby" in attrs:
            assert attrs["aria-labelledby"] in ids


def test_page_shows_the_audits_own_numbers(result):
    text = report(result)
    for value in result.disparities["value"].dropna()[:8]:
        assert f"{value:.3f}" in text
    assert "rule of thumb" in text


def test_page_is_written_whole_or_not_at_all(result, tmp_path, monkeypatch):
    path = tmp_path / "audit.html"
    text = report(result, path)
    assert path.read_text(encoding="utf-8") == text

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(InputError, match="disk full"):
        report(result, path, title="other")
    assert path.read_text(encoding="utf-8") == text
    assert [p.name for p in tmp_path.iterdir()] == ["audit.html"]
    with pytest.raises(InputError, match="does not exist"):
        report(result, tmp_path / "nowhere" / "audit.html")


def table(n=400, seed=0):
    rng = np.random.default_rng(seed)
    sex = rng.choice(["f", "m"], n)
    return pd.DataFrame(
        {
            "sex": sex,
            "age": rng.integers(18, 80, n),
            "bought": rng.choice(["yes", "no"], n),
            "sent": (rng.random(n) < np.where(sex == "f", 0.2, 0.6)).astype(int),
            "score": rng.random(n),
            "arm": rng.choice(["none", "mail"], n),
        }
    )


def test_cli_json_equals_the_audit(tmp_path):
    frame = table()
    roles = {
        "columns": {
            "sex": "protected",
            "age": "protected",
            "bought": "outcome",
            "sent": "decision",
        },
        "positive": "yes",
    }
    text = cli_audit(frame, roles, html=tmp_path / "a.html", json=True, seed=3)
    payload = json.loads(text)
    assert list(payload["audits"]) == ["sex", "age", "sex and age"]
    direct = audit(frame["bought"] == "yes", frame["sent"], sensitive_features=frame["sex"], seed=3)
    gaps = {row["disparity"]: row for row in payload["audits"]["sex"]["disparities"]}
    for name, row in direct.disparities.iterrows():
        for key in ("value", "low", "high"):
            assert gaps[name][key] == pytest.approx(row[key], abs=1e-12)
    assert len(payload["audits"]["age"]["by_group"]) == 4  # bands
    assert sum(row["count"] for row in payload["audits"]["age"]["by_group"]) == len(frame)
    assert (tmp_path / "a.html").read_text(encoding="utf-8").count("<h2") == 3


def test_cli_text_says_what_was_read_and_found():
    frame = table()
    roles = {"columns": {"sex": "protected", "sent": "decision"}}
    text = cli_audit(frame, roles)
    assert "No outcome column" in text
    assert "Selected: sent." in text
    assert "Below four fifths" in text
    score = cli_audit(frame, {"columns": {"sex": "protected", "score": "score"}}, threshold=0.9)
    assert "score of at least 0.9" in score
    arm = {"columns": {"sex": "protected", "arm": "treatment"}, "control": "none"}
    assert "arm other than none" in cli_audit(frame, arm)


def test_cli_reads_the_roles_of_a_roles_file():
    from ethicalai_lab.tables.roles import Roles

    roles = Roles({"sex": "protected", "age": ("feature", "protected"), "sent": "decision"})
    text = cli_audit(table(), roles)
    assert "By sex" in text
    assert "By sex and age" in text


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        ({}, ["columns"]),
        ({"columns": {"sent": "decision"}}, ["protected"]),
        ({"columns": {"sex": "protected"}}, ["decision", "score"]),
        ({"columns": {"gender": "protected"}}, ["gender", "sex"]),
        (
            {"columns": {"sex": "protected", "sent": "outcome", "bought": "outcome"}},
            ["sent, bought", "outcome: <name>"],
        ),
        (
            {
                "columns": {"sex": "protected", "sent": "decision", "bought": "outcome"},
                "positive": "ja",
            },
            ["bought", "'ja'", "'yes'"],
        ),
        ({"columns": {"sex": "protected", "sent": "decision", "bought": "outcome"}}, ["bought"]),
        ({"columns": {"sex": "protected", "age": "score"}}, ["age", "threshold"]),
        ({"columns": {"sex": "protected", "arm": "treatment"}}, ["arm", "control", "mail"]),
    ],
)
def test_cli_names_what_is_wrong(roles, words):
    with pytest.raises(InputError) as error:
        cli_audit(table(), roles)
    for word in words:
        assert word in str(error.value)


def test_cli_on_a_real_mail_experiment(shared_data):
    frame = pd.read_csv(shared_data / "hillstrom.csv.gz")
    roles = {
        "columns": {"zip_code": "protected", "segment": "treatment", "visit": "outcome"},
        "control": "No E-Mail",
    }
    payload = json.loads(cli_audit(frame, roles, json=True))
    gap = {r["disparity"]: r for r in payload["audits"]["zip_code"]["chance"]}
    # the mail was sent at random: no more of a gap than chance makes
    assert gap["demographic_parity_difference"]["p_value"] > 0.01
