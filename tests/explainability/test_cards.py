"""Cards: figures against hand counts and scikit-learn, gaps that stay open, safe pages."""

import html
import pickle
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, recall_score, roc_auc_score

from ethicalai_lab.explainability.cards import Card, Entry, dataset_datasheet, model_card
from ethicalai_lab.explainability.errors import ExplanationError
from ethicalai_lab.stats import mean_interval, proportion_interval
from ethicalai_lab.tables import Roles

FEATURES = ["recency", "history", "sports", "fashion", "newbie"]


class Scored:
    """A model whose scores are given, probabilities or not."""

    classes_ = (0, 1)

    def __init__(self, scores):
        self.scores = np.asarray(scores, dtype=float)
        if not ((self.scores < 0) | (self.scores > 1)).any():
            self.predict_proba = lambda X: np.column_stack([1 - self.scores, self.scores])

    def decision_function(self, X):
        return self.scores


def scored(y, scores, **given):
    """The card of such a model."""
    X = pd.DataFrame({"a": np.zeros(len(y))})
    return model_card(Scored(scores), X, y, **{"name": "Scored"} | given)


def answers(card):
    return {entry.question: entry.answer for entry in card.entries}


def number(text):
    return float(text.split(" ")[0])


class _Tables(HTMLParser):
    """The rows of every table body, and the tags met."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.tags, self._text = [], [], None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self._text = ""

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1].append(self._text)
            self._text = None

    def handle_data(self, data):
        if self._text is not None:
            self._text += data


def html_rows(card):
    return [tuple(row) for row in _Tables(card.html).rows if row[0] != "Question"]


def markdown_rows(card):
    """Read the tables as a Markdown reader does: split at bare pipes, then unescape."""
    rows = []
    for line in card.markdown.splitlines():
        if not line.startswith("| ") or line.startswith(("| --- ", "| Question | Answer")):
            continue
        cells = [c.strip() for c in re.split(r"(?<!\\)(?:\\\\)*\|", line)[1:-1]]
        cells[1] = re.sub(r"^\*\*(not stated|not measured)\*\*$", r"\1", cells[1])
        rows.append(tuple(html.unescape(re.sub(r"\\(.)", r"\1", c)) for c in cells))
    return rows


@pytest.fixture(scope="module")
def mail(small_world):
    table = small_world.campaign.merge(small_world.customers[["customer_id", "gender"]])
    X, y = table[FEATURES].astype(float), table["visit"]
    model = LogisticRegression(C=0.5, max_iter=500).fit(X[:1000], y[:1000])
    X, y = X[1000:], y[1000:]
    return model, X, y, table["gender"][1000:]


# --------------------------------------------------------------------- the model's card


def test_figures_are_scikit_learns(mail):
    model, X, y, gender = mail
    cut = 0.2
    card = model_card(model, X, y, groups=gender, threshold=cut, name="Visits")
    found = answers(card)
    p = model.predict_proba(X)[:, 1]
    checked = 0
    everyone = np.ones(len(y), bool)
    for label, rows in [
        ("all rows", everyone),
        *((f"gender = {g}", (gender == g).to_numpy()) for g in ("female", "male")),
    ]:
        assert rows.sum() >= 30
        t, s = y[rows].to_numpy(), p[rows]
        d = s >= cut
        oracle = {
            "AUC": roc_auc_score(t, s),
            "Accuracy": accuracy_score(t, d),
            "True positive rate": recall_score(t, d),
            "False positive rate": 1 - recall_score(t, d, pos_label=0),
            "Selection rate": d.mean(),
            "Observed rate": t.mean(),
            "Brier score": brier_score_loss(t, s),
            "Calibration gap": s.mean() - t.mean(),
        }
        for question, value in oracle.items():
            assert number(found[f"{question}, {label}"]) == pytest.approx(value, abs=5.1e-4)
            checked += 1
        hits = int((d == t).sum())
        assert found[f"Accuracy, {label}"] == proportion_interval(hits, len(t)).format(3)
        assert found[f"Brier score, {label}"] == mean_interval((s - t) ** 2).format(3)
        assert found.get(f"Rows, {label}", f"{len(t):,} ").startswith(f"{len(t):,} ")
    assert checked == 24
    assert found["Class"] == "LogisticRegression"
    assert "C=0.5" in found["Parameters"]
    assert found["Rows and columns"] == "1,000 rows, 5 columns"
    assert found["Features fitted"] == "5"


def test_figures_by_hand():
    y = np.array([0, 0, 1, 1, 1, 0])
    s = np.array([0.1, 0.6, 0.6, 0.9, 0.2, 0.3])
    found = answers(scored(y, s))
    # of the 9 pairs: 0.6 beats 0.1, 0.3, ties 0.6; 0.9 beats all; 0.2 beats 0.1
    assert number(found["AUC, all rows"]) == pytest.approx((2.5 + 3 + 1) / 9, abs=5e-4)
    assert number(found["Accuracy, all rows"]) == pytest.approx(4 / 6, abs=5e-4)
    assert number(found["Selection rate, all rows"]) == 0.5
    assert number(found["Calibration gap, all rows"]) == pytest.approx(2.7 / 6 - 0.5, abs=5e-4)


def test_the_interval_of_the_auc_holds_delongs(mail):
    """Against the analytic standard error of DeLong et al. (1988)."""
    model, X, y, _ = mail
    p, t = model.predict_proba(X)[:, 1], y.to_numpy().astype(bool)
    beats = (p[t][:, None] > p[~t]) + 0.5 * (p[t][:, None] == p[~t])
    error = np.sqrt(beats.mean(1).var(ddof=1) / t.sum() + beats.mean(0).var(ddof=1) / (~t).sum())
    text = answers(model_card(model, X, y, name="Visits", n_boot=1000))["AUC, all rows"]
    _, low, high = (float(n) for n in re.findall(r"[\d.]+", text))
    assert (high - low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.12)


def test_calibration_bands_by_hand():
    s = np.repeat([0.1, 0.3, 0.5, 0.7, 0.9], 40)
    y = np.concatenate([np.arange(40) < k for k in (4, 10, 22, 30, 39)]).astype(int)
    shuffled = np.random.default_rng(0).permutation(200)
    for order in (np.arange(200), shuffled):
        found = answers(scored(y[order], s[order]))
        for band, (mean, k) in enumerate(
            zip((0.1, 0.3, 0.5, 0.7, 0.9), (4, 10, 22, 30, 39), strict=True), start=1
        ):
            expected = f"mean score {mean:.3f}, observed rate {proportion_interval(k, 40).format()}"
            assert found[f"Calibration, score band {band}"] == expected


def test_a_broken_model_changes_the_figures(mail):
    model, X, y, _ = mail
    sound = answers(model_card(model, X, y, name="Visits", threshold=0.2))
    broken = LogisticRegression(max_iter=1000).fit(X, y)
    broken.coef_, broken.intercept_ = -model.coef_, -model.intercept_
    found = answers(model_card(broken, X, y, name="Visits", threshold=0.2))
    for figure in ("AUC", "Accuracy", "Selection rate", "Calibration gap", "Brier score"):
        assert found[f"{figure}, all rows"] != sound[f"{figure}, all rows"]
    assert number(found["AUC, all rows"]) == pytest.approx(
        1 - number(sound["AUC, all rows"]), abs=1.1e-3
    )
    assert found["Observed rate, all rows"] == sound["Observed rate, all rows"]


def test_the_same_card_twice(mail):
    model, X, y, gender = mail
    one, two = (model_card(model, X, y, groups=gender, name="V") for _ in range(2))
    assert one == two
    assert one.html == two.html
    assert pickle.loads(pickle.dumps(one)) == one


def test_small_groups_are_marked_and_withheld():
    n = 60
    y = np.arange(n) % 2
    groups = pd.Series(["big"] * 50 + ["few"] * 9 + [None], name="club")
    card = scored(y, y * 0.5, groups=groups)
    found = answers(card)
    assert found["Rows, club = few"] == "9 (15.0%); too small: fewer than 30 rows"
    assert found["Rows, club = (missing)"].startswith("1 ")
    assert found["Rows, club = big"] == "50 (83.3%)"
    assert found["AUC, club = big"].startswith("1.000")
    assert "AUC, club = few" not in found
    assert {"Performance, club = few", "Performance, club = (missing)"} <= set(card.gaps)


def test_what_cannot_be_measured_is_a_gap():
    card = scored(np.zeros(40, int), np.arange(40.0), threshold=20)
    assert {
        "AUC, all rows",
        "True positive rate, all rows",
        "Calibration gap, all rows",
        "Brier score, all rows",
        "Calibration by score",
        "Performance by group",
        "Features fitted",
        "Parameters",
    } <= set(card.gaps)
    assert number(answers(card)["Selection rate, all rows"]) == 0.5


# ----------------------------------------------------------------------------- the gaps

HUMAN = {
    "owner": "Person or team responsible",
    "version": "Version",
    "intended_use": "Intended use",
    "intended_users": "Intended users",
    "out_of_scope": "Out of scope",
    "factors": "Factors that matter, and why",
    "evaluation_data": "Where the evaluation data come from",
    "training_data": "Where the training data come from",
    "ethical_considerations": "Ethical considerations",
    "caveats": "Caveats and recommendations",
}
SHEET = {
    "purpose": "Purpose",
    "creators": "Who made it",
    "funding": "Who paid for it",
    "represents": "What a row stands for, and who is left out",
    "collection": "How it was collected",
    "consent": "What people were told and agreed to",
    "preprocessing": "Cleaning and labelling",
    "uses": "Uses",
    "unsuitable_uses": "Uses it is not fit for",
    "distribution": "Who receives it",
    "maintenance": "Who maintains it",
    "retention": "How long it is kept",
}


def _model(**given):
    y = np.arange(40) % 2
    return scored(y, y * 0.5 + 0.2, n_boot=5, **given)


def _sheet(**given):
    return dataset_datasheet(pd.DataFrame({"a": [1, 2]}), {"a": "feature"}, name="Gaps", **given)


@pytest.mark.parametrize(("make", "human"), [(_model, HUMAN), (_sheet, SHEET)])
def test_a_question_left_out_is_a_gap_and_never_filled(make, human):
    full = make(**{argument: f"answer to {argument}" for argument in human})
    assert not set(human.values()) & set(full.gaps)
    for argument, question in human.items():
        assert answers(full)[question] == f"answer to {argument}"
        for blank in (None, " \n"):
            card = make(**{a: blank if a == argument else f"answer to {a}" for a in human})
            assert set(card.gaps) - set(full.gaps) == {question}
            assert (question, "not stated", "open", "for people to answer") in html_rows(card)
            assert (question, "not stated", "open", "for people to answer") in markdown_rows(card)


@settings(max_examples=25)
@given(st.sets(st.sampled_from(sorted(SHEET))))
def test_the_count_of_gaps_is_right(left_out):
    card = _sheet(**{argument: "told" for argument in SHEET if argument not in left_out})
    total = len(card.entries)
    assert len(card.gaps) == len(left_out)
    verb = "is" if len(left_out) == 1 else "are"
    summary = f"{len(left_out)} of {total} questions {verb} open: {len(left_out)} not stated, "
    assert card.summary.startswith(summary)
    assert f"**{card.summary}**" == card.markdown.splitlines()[2]
    assert card.html.index(card.summary) < card.html.index("<h2>")
    assert card.html.count('class="gap"') == len(left_out)


_PIECES = [*"ab|\\*_`[]<>&\"'$~#\n\t é", "<script>"]
_texts = st.lists(st.sampled_from(_PIECES), max_size=12).map("".join)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(_texts, st.none() | _texts, _texts, st.booleans()),
        max_size=6,
        unique_by=lambda e: e[0],
    )
)
def test_markdown_and_html_agree_on_every_entry(drawn):
    entries = [Entry("q" + q, a, s, m) for q, a, s, m in drawn]
    card = Card("T", {"S": entries})
    assert len(card.gaps) == sum(a is None for _, a, _, _ in drawn)
    expected = [
        (
            " ".join(e.question.split()),
            e.shown,
            "open" if e.answer is None else "measured" if e.measured else "stated",
            " ".join(e.source.split()),
        )
        for e in entries
    ]
    assert html_rows(card) == expected
    assert markdown_rows(card) == expected


def test_real_cards_agree_too(mail, small_world):
    model, X, y, gender = mail
    for card in (
        model_card(model, X, y, groups=gender, name="V"),
        dataset_datasheet(small_world.customers, small_world.roles["customers"], name="C"),
    ):
        assert html_rows(card) == markdown_rows(card)
        assert [r[:2] for r in html_rows(card)] == [(e.question, e.shown) for e in card.entries]


# ----------------------------------------------------------------------------- the page


def test_nothing_written_by_people_becomes_markup():
    evil = "<script>alert(1)</script> a|b"
    card = Card(evil, {evil: [Entry(evil, evil, evil, False)]})
    assert "<script" not in card.html
    assert "<script" not in card.markdown
    assert "a\\|b" in card.markdown
    assert html_rows(card) == [(evil, evil, "stated", evil)]
    assert markdown_rows(card) == [(evil, evil, "stated", evil)]
    quoted = Card("t", {'" onmouseover="x': [Entry("q", None, "", True)]}).html
    assert not any("onmouseover" in attrs for _, attrs in _Tables(quoted).tags)


def test_the_page_is_accessible_and_loads_nothing():
    card = _model()
    tags = _Tables(card.html).tags
    names = [tag for tag, _ in tags]
    assert names.count("h1") == 1
    assert names.count("h2") == len(card.sections) == names.count("table")
    assert dict(tags)["html"] == {"lang": "en"}
    assert names.count("title") == names.count("main") == 1
    scopes = [attrs.get("scope") for tag, attrs in tags if tag == "th"]
    assert scopes.count("row") == len(card.entries)
    assert scopes.count("col") == 4 * len(card.sections)
    assert None not in scopes
    assert not {"script", "link", "img", "iframe"} & set(names)
    assert not re.search(r"https?:|url\(|@import|src=", card.html)
    assert card._repr_html_() in card.html


def test_contrast_in_light_and_dark():
    def light(colour):
        c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        return float(c @ [0.2126, 0.7152, 0.0722])

    def contrast(a, b):
        high, low = sorted((light(a), light(b)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    palettes = re.findall(
        r"--ink:(#\w{6});--paper:(#\w{6});--line:(#\w{6});\s*--gap:(#\w{6})", _model().html
    )
    assert len(palettes) == 4  # the system's light and dark, and the page's
    assert palettes[:2] == palettes[2:]
    for ink, paper, line, gap in palettes:
        assert contrast(ink, paper) >= 4.5
        assert contrast(gap, paper) >= 4.5
        assert contrast(line, paper) >= 3


def test_save(tmp_path):
    card = _sheet()
    for suffix, content in ((".md", card.markdown), (".html", card.html), (".HTML", card.html)):
        path = tmp_path / f"card{suffix}"
        card.save(path)
        assert path.read_bytes().decode("utf-8") == content
    for path, words in (
        (tmp_path / "card.pdf", r"\.md or \.html"),
        (tmp_path / "none" / "card.md", "does not exist"),
    ):
        with pytest.raises(ExplanationError, match=words):
            card.save(path)
    assert not (tmp_path / "card.pdf").exists()


# ------------------------------------------------------------------------ the datasheet


def test_composition_of_the_worlds_tables(small_world):
    for name in ("customers", "campaign"):
        table, roles = getattr(small_world, name), small_world.roles[name]
        card = dataset_datasheet(table, roles, name=name)
        found = answers(card)
        assert found["Rows and columns"] == f"{len(table):,} rows, {table.shape[1]:,} columns"
        for column in table.columns:
            assert f"role {roles[column]}; 0 of 2,000 missing" in found[f"Column {column}"]
        listed = [c for c in table if roles[c] in ("sensitive", "protected")]
        assert found["Sensitive and protected columns"] == (", ".join(listed) or "none")
        assert found["Rows that repeat an earlier row"] == "0 of 2,000 (0.0%)"
    campaign = small_world.campaign
    repeated = len(campaign) - len(campaign.drop(columns="customer_id").drop_duplicates())
    assert repeated > 0
    assert found["Rows that repeat an earlier row but for identifiers"].startswith(
        f"{repeated:,} of"
    )


def test_dates_of_people_are_shown_in_years(small_world):
    customers = small_world.customers
    born = customers["birth_date"]
    for roles in (small_world.roles["customers"], None):
        card = dataset_datasheet(customers, roles, name="C")
        text = answers(card)["Column birth_date"]
        assert f"from {born.min().year} to {born.max().year}" in text
        assert str(born.min().date()) not in card.html
    times = pd.DataFrame({"sent": pd.to_datetime(["2025-03-01", None, "2025-01-02"])})
    found = answers(dataset_datasheet(times, {"sent": "time"}, name="Sent"))
    assert found["Column sent"] == (
        "date or time; role time; 1 of 3 missing (33.3%); from 2025-01-02 to 2025-03-01"
    )


def test_kinds_missing_and_repeats_by_hand():
    table = pd.DataFrame(
        {
            "n": [1, 1, 2],
            "f": [0.5, 0.5, None],
            "t": ["a", "a", None],
            "b": [True, True, False],
            "c": pd.Categorical(["x", "x", "y"]),
            "o": pd.Categorical(["x", "x", "y"], ordered=True),
            "m": [1, 1, "z"],
            "e": [None, None, None],
        }
    )
    found = answers(dataset_datasheet(table, Roles({"n": ("feature", "protected")}), name="K"))
    kinds = {c: found[f"Column {c}"].split(";")[0] for c in table}
    assert kinds == {
        "n": "whole number",
        "f": "decimal number",
        "t": "text",
        "b": "yes or no",
        "c": "category",
        "o": "ordered category",
        "m": "mixed",
        "e": "empty",
    }
    assert found["Missing values"] == "5 of 24 (20.8%) cells"
    assert found["Rows that repeat an earlier row"] == "1 of 3 (33.3%)"
    assert found["Sensitive and protected columns"] == "n"
    assert "role feature and protected" in found["Column n"]
    assert found["Roles of the other columns"] is None
    lists = dataset_datasheet(pd.DataFrame({"a": [[1], [1]], "b": [1, 1]}), name="L")
    assert "Rows that repeat an earlier row" in lists.gaps
    assert "Sensitive and protected columns" in lists.gaps


# ---------------------------------------------------------------------------- bad input

_X = pd.DataFrame({"a": np.arange(4.0)})
_Y = [0, 1, 0, 1]
_S = [0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": " "}, "name"),
        ({"X": np.zeros((4, 1))}, "X must be a DataFrame"),
        ({"X": _X[:0], "y": []}, "no rows"),
        ({"y": [0, 1]}, "X has 4 rows"),
        ({"y": [0, 1, None, 1]}, "missing in row 2"),
        ({"y": [0, 1, 2, 1]}, "holds 2"),
        ({"y": pd.Series(_Y, index=[3, 2, 1, 0])}, "different row labels"),
        ({"model": object()}, "neither predict_proba"),
        ({"model": Scored([0.1, np.nan, 0.2, 0.3])}, "row 1"),
        ({"model": LogisticRegression()}, "cannot be scored"),
        ({"model": Scored([1, 2, 3, 4])}, "threshold is not given"),
        ({"groups": pd.Series(["x"])}, "groups"),
        ({"intended_use": 3}, "intended_use must be a text"),
        ({"intended_users_": "all"}, '"intended_users_" is not asked for'),
    ],
)
def test_bad_input_of_a_model_card_is_one_sentence(change, words):
    given = {"model": Scored(_S), "X": _X, "y": _Y, "name": "N"} | change
    model, X, y = given.pop("model"), given.pop("X"), given.pop("y")
    with pytest.raises(ExplanationError, match=re.escape(words)) as caught:
        model_card(model, X, y, **given)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_three_classes_and_strange_outcomes_are_refused():
    X = pd.DataFrame({"a": np.arange(6.0)})
    three = LogisticRegression().fit(X, [0, 1, 2, 0, 1, 2])
    with pytest.raises(ExplanationError, match="3 classes"):
        model_card(three, X, [0, 1, 0, 1, 0, 1], name="N")
    two = LogisticRegression().fit(X, list("ababab"))
    with pytest.raises(ExplanationError, match="none of the model's classes"):
        model_card(two, X, list("acacac"), name="N")


@pytest.mark.parametrize(
    ("table", "roles", "words"),
    [
        ([1], None, "must be a DataFrame"),
        (_X[:0], None, "no rows"),
        (_X[[]], None, "no columns"),
        (pd.concat([_X, _X], axis=1), None, 'two columns "a"'),
        (_X, {"b": "feature"}, 'names "b"'),
        (_X, {"a": "featur"}, 'no role "featur"'),
        (_X, ["a"], "roles must be"),
    ],
)
def test_bad_input_of_a_datasheet_is_one_sentence(table, roles, words):
    with pytest.raises(ExplanationError, match=re.escape(words)) as caught:
        dataset_datasheet(table, roles, name="N")
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith((".", "?"))


def test_an_outcome_that_is_a_list_is_one_sentence():
    X = pd.DataFrame({"a": [1.0, 2, 3, 4] * 5})
    model = LogisticRegression().fit(X, [0, 1] * 10)
    y = pd.Series([0, 1] * 9 + [0, [1]])
    with pytest.raises(ExplanationError, match=r"y holds \[1\]"):
        model_card(model, X, y, name="x", threshold=0.5)
