"""One campaign's evidence, held against pressure that was planted on the world."""

import numpy as np
import pandas as pd
import pytest

from ethicalai_lab.explainability import (
    ExplanationError,
    check_campaign,
    choice_asymmetry,
    contrast_ratio,
    price_by_willingness,
    repeated_claims,
)

BUTTON = {"width": 200, "height": 48, "text": "#ffffff", "background": "#1f5fa8"}
FAINT = {"width": 100, "height": 24, "text": "#999999", "background": "#ffffff"}
COLUMNS = ["check", "subject", "value", "low", "high", "unit", "n", "evidence", "reading"]
SAMPLED = [
    "financial_stress",
    "health_interest",
    "slope on willingness",
    "slope on financial_stress",
]


_DONE = {}


def _campaign(world, seed=0, planted=None):
    """Return the report of `_new_campaign`, made once for each seed and plant."""
    if (seed, planted) not in _DONE:
        _DONE[seed, planted] = _new_campaign(world, seed, planted)
    return _DONE[seed, planted]


def _new_campaign(world, seed=0, planted=None):
    """A wellness campaign to the world's customers, with one kind of pressure planted, or none."""
    people = _people(world, seed, planted)
    reached = people["customer_id"].to_numpy()[:200]
    start = pd.Timestamp("2026-01-12 09:00")
    messages = pd.DataFrame(
        {
            "customer_id": np.tile(reached, 2),
            "time": [start] * 200 + [start + pd.Timedelta(days=1)] * 200,
            "text": ["Only 3 left. Ends in 2 days."] * 200 + ["Only 2 left. Ends today."] * 200,
            "stock": [3.0] * 200 + [2.0] * 200,
            "ended": [pd.Timestamp("2026-01-13 23:00")] * 400,
        }
    )
    if planted == "stock":
        messages.loc[:99, "stock"] = 250.0
    if planted == "again":
        messages.loc[200:299, "text"] = "Only 2 left. Ends in 2 days."
    if planted == "extended":
        messages.loc[:, "ended"] = pd.Timestamp("2026-01-20 23:00")
    return check_campaign(
        messages=messages,
        people=people,
        accept_steps=["Accept"],
        refuse_steps=["More", "Refuse"] if planted == "clicks" else ["Refuse"],
        accept_button=BUTTON,
        refuse_button=FAINT if planted == "buttons" else BUTTON,
        n_boot=200,
        seed=seed,
    )


def _people(world, seed, planted=None):
    """Whom the campaign reaches, at which price."""
    rng = np.random.default_rng(seed)
    people = world.customers[["customer_id", "financial_stress", "health_interest"]].copy()
    n = len(people)
    # wellness interest goes with health interest, so plain relevance already reaches them more
    people["relevance"] = world.truth.interests["wellness"].to_numpy()
    push = 2.0 * (people["relevance"] - people["relevance"].mean()) / people["relevance"].std()
    if planted == "targeting":
        push += 4.0 * (people["financial_stress"] - 0.5)
    people["exposed"] = (rng.random(n) < 1 / (1 + np.exp(-push))).astype(int)
    people["cost"] = rng.uniform(5, 15, n)
    people["willingness"] = people["cost"] + rng.normal(20, 5, n)
    people["price"] = people["cost"] + 10 + rng.normal(0, 1, n)
    if planted == "price":
        people["price"] += 0.3 * (people["willingness"] - 30)
    return people


def _moved(report):
    """Rows whose evidence points away from zero; how prices spread alone points nowhere."""
    t = report.table[report.table["subject"] != "share above the uniform price"]
    sampled = t["low"].notna()
    away = np.where(sampled, (t["low"] > 0) | (t["high"] < 0), t["value"].fillna(0) != 0)
    return set(t.loc[away, "subject"])


@pytest.mark.parametrize(
    ("planted", "rows"),
    [
        (None, set()),
        ("stock", {"stock claims"}),
        ("again", {"sent again"}),
        # an end that was extended is both: a claim that does not hold, and people it misled
        ("extended", {"end claims", "end extended"}),
        ("targeting", {"financial_stress"}),
        ("price", {"slope on willingness"}),
        ("clicks", {"extra clicks to refuse", "extra words to refuse"}),
        (
            "buttons",
            {
                "area, accept over refuse",
                "text contrast, accept over refuse",
                "surface contrast, accept over refuse",
            },
        ),
    ],
)
def test_what_is_planted_moves_its_own_rows_only(small_world, planted, rows):
    report = _campaign(small_world, seed=11, planted=planted)
    assert list(report.table.columns) == COLUMNS
    assert _moved(report) == rows


def test_what_is_planted_is_measured_at_its_size(small_world):
    def row(planted, subject):
        t = _campaign(small_world, seed=11, planted=planted).table
        return t[t["subject"] == subject].iloc[0]

    assert row("stock", "stock claims")["value"] == 0.25
    assert row("again", "sent again")["value"] == 0.5
    assert row("extended", "end extended")["value"] == 1
    slope = row("price", "slope on willingness")
    assert slope["low"] <= 0.3 <= slope["high"]
    assert slope["high"] - slope["low"] < 0.05
    assert row("clicks", "extra clicks to refuse")["value"] == 1
    assert row("buttons", "area, accept over refuse")["value"] == 300


def test_intervals_of_a_campaign_without_pressure_hold_zero(small_world):
    covered = total = 0
    for seed in range(20):
        people = _people(small_world, seed=100 + seed)
        found = check_campaign(people=people, n_boot=120, seed=100 + seed)
        t = found.table.set_index("subject").loc[SAMPLED]
        covered += int(((t["low"] <= 0) & (t["high"] >= 0)).sum())
        total += len(t)
    # of 80 intervals of 95 %, 76 are expected; 69 or fewer come about once in 200 times
    assert total == 80
    assert covered >= 70


def test_the_reading_changes_with_the_data(small_world):
    def read(planted, subject):
        t = _campaign(small_world, seed=11, planted=planted).table
        return t.loc[t["subject"] == subject, "reading"].iloc[0]

    assert "no rise or fall is shown" in read(None, "financial_stress")
    rise = read("targeting", "financial_stress")
    assert rise.startswith("Exposure rises with financial stress by ")
    assert "relevance explains" in rise
    assert read("price", "slope on willingness").startswith("The price rises by 0.3")
    assert "no rise or fall" in read(None, "slope on willingness")
    assert read("clicks", "extra clicks to refuse") == "Refusing takes 1 more click than accepting."
    assert read(None, "extra clicks to refuse") == "Refusing takes as many clicks as accepting."
    assert "has 300.0 % more area than" in read("buttons", "area, accept over refuse")
    assert "has the same area as" in read(None, "area, accept over refuse")


def test_the_numbers_in_a_reading_are_those_of_its_row(small_world):
    t = _campaign(small_world, seed=11, planted="targeting").table.set_index("subject")
    row = t.loc["financial_stress"]
    for number in (row["value"], row["low"], row["high"]):
        assert f"{abs(number):.1f}" in row["reading"]


def test_what_was_not_given_is_listed_with_what_it_needs():
    t = check_campaign().table
    assert t["value"].isna().all()
    assert (t["n"] == 0).all()
    assert t["reading"].str.startswith("not checked: needs ").all()
    assert t["check"].nunique() == 5
    some = check_campaign(people=pd.DataFrame({"exposed": [0, 1] * 5, "price": [1.0, 2] * 5})).table
    read = some.set_index("subject")["reading"]
    assert read["financial_stress"] == "not checked: needs column financial_stress in people"
    assert read["slope on willingness"] == "not checked: needs column willingness in people"
    sent = check_campaign(messages=pd.DataFrame({"text": ["Ends today", "Last chance"]})).table
    read = sent.set_index("subject")["reading"]
    assert read["end claims"] == "not checked: needs columns time and ended in messages"
    assert read["end extended"].endswith("customer_id and time and ended in messages")
    open_ = sent.set_index("subject").loc["claims with nothing to hold them against"]
    assert open_["value"] == 2
    assert open_["reading"].startswith("2 of 2 claims")


def test_relevance_that_was_not_given_is_said():
    rng = np.random.default_rng(0)
    stress = rng.random(500)
    people = pd.DataFrame({"financial_stress": stress, "exposed": (stress > 0.5).astype(int)})
    t = check_campaign(people=people, n_boot=100).table.set_index("subject")
    assert "no relevance was given" in t.loc["financial_stress", "reading"]


def test_the_html_is_one_table_and_escapes_what_it_quotes(small_world):
    sent = pd.DataFrame({"text": ["Only 3 <b>x</b> left", "Only 3 left"], "stock": [9.0, 9.0]})
    page = check_campaign(messages=sent)._repr_html_()
    assert page.count("<table>") == 1
    assert 'scope="col"' in page
    assert "<caption>" in page
    assert "&quot;Only 3 left&quot;" in page
    assert ">nan<" not in page
    report = _campaign(small_world, seed=1)
    with pytest.raises(AttributeError):
        report.table = None
    again = _new_campaign(small_world, seed=1)
    pd.testing.assert_frame_equal(report.table, again.table)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"messages": pd.DataFrame()}, "messages must be a table"),
        ({"people": [1]}, "people must be a table"),
        ({"messages": pd.DataFrame({"text": ["a", 3]})}, "messages: texts, row 1"),
        (
            {
                "messages": pd.DataFrame(
                    {"text": ["a"], "customer_id": [None], "time": ["2026-01-12"]}
                )
            },
            "messages: customers, row 0",
        ),
        (
            {"people": pd.DataFrame({"exposed": [0, 1] * 4, "financial_stress": [*"1234567", ""]})},
            "people, column financial_stress, row 7",
        ),
        (
            {"people": pd.DataFrame({"exposed": [0, 2] * 4, "health_interest": range(8)})},
            "people, column exposed, row 1",
        ),
        (
            {"people": pd.DataFrame({"price": [1.0] * 8, "willingness": [2.0] * 8})},
            "people, column willingness: it is the same",
        ),
        (
            {"people": pd.DataFrame({"price": [1.0, 2], "willingness": [2.0, 3]})},
            "at least 5",
        ),
        ({"accept_steps": ["Yes"]}, "accept_steps and refuse_steps"),
        ({"accept_button": BUTTON}, "accept_button and refuse_button"),
        ({"confidence": 95}, "confidence is 95"),
    ],
)
def test_bad_input_is_one_sentence(given, fault):
    with pytest.raises(ExplanationError, match=fault):
        check_campaign(**given)


# ------------------------------------------------------------------- repeated claims


def test_a_countdown_to_one_end_is_no_repeat_and_a_moved_end_is():
    sent = pd.to_datetime(["2026-01-12 09:00", "2026-01-14 09:00"])
    count = repeated_claims(["Ends in 2 days", "Ends today"], [1, 1], sent=sent)
    assert count["earlier"].tolist() == [0, 0]
    moved = repeated_claims(["Ends today", "Ends tonight"], [1, 1], sent=sent)
    assert moved["earlier"].tolist() == [0, 1]
    assert repeated_claims(["Last chance"] * 2, [1, 2], sent=sent)["earlier"].sum() == 0
    apart = repeated_claims(["Last chance"] * 2, [1, 1], sent=sent, offers=["a", "b"])
    assert apart["earlier"].sum() == 0
    # the order of the rows does not matter, the order of sending does
    back = repeated_claims(["Last chance"] * 2, [1, 1], sent=sent[::-1])
    assert back["text"].tolist() == [1, 0]
    assert back["earlier"].tolist() == [0, 1]


def test_an_end_that_came_later_is_counted_in_hours():
    found = repeated_claims(
        ["Ends in 2 days", "Ends in 2 days", "Ends in 2 days. Hurry"],
        [1, 2, 3],
        sent=["2026-01-12 09:00"] * 3,
        ended=["2026-01-14 09:00", "2026-01-15 09:00", None],
    )
    assert found["extended"].tolist() == [False, True, None, None]
    assert found["hours_over"].tolist()[:2] == [0, 24]


# ----------------------------------------------------------------------------- price


def test_the_slope_is_that_of_a_regression_on_cost_and_willingness():
    from sklearn.linear_model import LinearRegression

    rng = np.random.default_rng(4)
    cost = rng.uniform(5, 15, 400)
    willing = 2 * cost + rng.normal(size=400)
    price = 1.2 * cost + 0.4 * willing + rng.normal(size=400)
    found = price_by_willingness(price, willing, cost, n_boot=200)
    peer = LinearRegression().fit(np.column_stack([cost, willing]), price).coef_[1]
    assert found.loc["slope", "value"] == pytest.approx(peer, rel=1e-9)
    assert found.loc["slope", "low"] < 0.4 < found.loc["slope", "high"]
    # without cost, what cost explains is put down to willingness
    assert price_by_willingness(price, willing, n_boot=50).loc["slope", "low"] > 0.8


def test_one_price_for_all_has_no_slope_and_nobody_above_it():
    found = price_by_willingness([19.99] * 50, np.arange(50.0), n_boot=50)
    assert np.abs(found.to_numpy()).max() < 1e-9
    given = price_by_willingness([9.0, 9, 9, 12], [1, 2, 3, 4], uniform_price=9, n_boot=50)
    assert given.loc["share above uniform", "value"] == 0.25


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (([1, 2], [1, 2, 3]), "willingness: expected one number a person, as many as in price"),
        (([1, 2, 3], [1, 2, 3], [2, 4, 6]), "cost explains all"),
        (([1, np.inf], [1, 2]), "price, row 1"),
    ],
)
def test_bad_prices_are_one_sentence(arguments, fault):
    with pytest.raises(ExplanationError, match=fault):
        price_by_willingness(*arguments)


# ---------------------------------------------------------------------------- choice


def test_contrast_is_as_wcag_publishes_it():
    assert contrast_ratio("#000000", "#FFFFFF") == pytest.approx(21)
    # the lightest grey that passes 4.5 on white, and the next that does not
    assert contrast_ratio("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
    assert contrast_ratio("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
    assert contrast_ratio("#ff0000", "#ffffff") == pytest.approx(3.998, abs=0.001)
    assert contrast_ratio("#ffffff", "#777777") == contrast_ratio("#777777", "#ffffff")


def test_buttons_are_compared_by_area_and_contrast():
    found = choice_asymmetry(["Yes"], ["No"], accept_button=BUTTON, refuse_button=FAINT)
    assert found.loc["area", "extra_to_refuse"] == 2400 - 9600
    assert found.loc["text contrast", "accept"] == contrast_ratio("#ffffff", "#1f5fa8")
    assert found.loc["surface contrast", "refuse"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("button", "fault"),
    [
        ({"width": 1}, "refuse_button misses 'height'"),
        ({**BUTTON, "height": 0}, "refuse_button, height: 0"),
        ({**BUTTON, "text": "white"}, "refuse_button: 'white' is no colour"),
        (None, "belong together"),
    ],
)
def test_a_bad_button_is_named(button, fault):
    with pytest.raises(ExplanationError, match=fault):
        choice_asymmetry(["Yes"], ["No"], accept_button=BUTTON, refuse_button=button)
