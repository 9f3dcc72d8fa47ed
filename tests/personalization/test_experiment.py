"""Experiment analysis: a real experiment's published figures, the world, and bad tables."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ethicalai_lab import personalization as room
from ethicalai_lab.errors import InputError

HILLSTROM = {
    "recency": "feature",
    "history_segment": "feature",
    "history": "feature",
    "mens": "feature",
    "womens": "feature",
    "zip_code": "feature",
    "newbie": "feature",
    "channel": "feature",
    "segment": "treatment",
    "visit": "outcome",
    "conversion": "outcome",
    "spend": "outcome",
}


def roles(columns, control=None, outcome=None, positive=None):
    return SimpleNamespace(columns=columns, control=control, outcome=outcome, positive=positive)


# ------------------------------------------------------------------ a real experiment


@pytest.fixture(scope="module")
def hillstrom(shared_data):
    return pd.read_csv(shared_data / "hillstrom.csv.gz")


@pytest.fixture(scope="module")
def report(hillstrom):
    return room.analyse_experiment(hillstrom, roles(HILLSTROM, "No E-Mail"))


def test_published_lifts_are_reproduced_to_six_digits(report):
    lifts = report.lifts.set_index(["outcome", "arm"])
    for arm, n, mean, lift, error in [
        ("Mens E-Mail", 21307, 0.182757, 0.076590, 0.003386),
        ("Womens E-Mail", 21387, 0.151400, 0.045233, 0.003234),
    ]:
        row = lifts.loc[("visit", arm)]
        assert row["n"] == n
        assert round(row["mean"], 6) == mean
        assert round(row["lift"], 6) == lift
        assert round(row["se"], 6) == error
        assert row["low"] < lift < row["high"]
    assert round(lifts.loc[("visit", "Mens E-Mail"), "control_mean"], 6) == 0.106167
    published = {"conversion": (0.012531, 0.008837, 0.005726), "spend": (1.422617, 1.077202)}
    for outcome, means in published.items():
        for arm, mean in zip(("Mens E-Mail", "Womens E-Mail"), means, strict=False):
            assert round(lifts.loc[(outcome, arm), "mean"], 6) == mean


def test_womens_mail_moves_earlier_womens_buyers(report, hillstrom):
    bought = hillstrom["womens"].map({1: "womens", 0: ""}) + hillstrom["mens"].map(
        {1: "mens", 0: ""}
    )
    groups = report.by_group(bought).set_index(["arm", "group"]).loc["Womens E-Mail"]
    assert round(groups.loc["womens", "observed"], 4) == 0.0740
    assert round(groups.loc["mens", "observed"], 4) == 0.0111
    assert groups.loc["womens", "predicted"] > groups.loc["mens", "predicted"] + 0.04
    for group in ("womens", "mens"):
        row = groups.loc[group]
        assert row["low"] <= row["predicted"] <= row["high"]
    ranking = report.rankings["Womens E-Mail"]
    assert ranking.qini_coefficient.low > 0
    assert ranking.qini_auc.low > 0
    assert ranking.uplift_at_k.low > ranking.lift.value
    assert report.warnings == ()
    assert (report.balance["p_value"] > 0.001).all()


def test_real_report_is_json_ready_and_readable(report):
    plain = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert plain["n_rows"] == 64_000
    assert plain["control"] == "No E-Mail"
    assert plain["arms"] == ["Mens E-Mail", "Womens E-Mail"]
    assert len(plain["lifts"]) == 6
    curve = plain["rankings"]["Womens E-Mail"]["curve"]
    assert curve["share"][0] == 0
    assert curve["share"][-1] == 1
    assert curve["qini"][-1] == pytest.approx(0.045233, abs=1e-6)
    text = str(report)
    assert "0.076590" in text
    assert "ranked for 'visit'" in text
    assert report._repr_html_().count("<table") == 3
    assert report.scores.shape == (64_000, 2)


def test_own_roles_file_and_loader_work_too(hillstrom, tmp_path):
    from ethicalai_lab.tables import Roles

    given = Roles(HILLSTROM, control="No E-Mail", outcome="spend")
    few = hillstrom.iloc[:6000]
    found = room.analyse_experiment(few, given)
    assert found.outcome == "spend"
    assert not found.rankings["Mens E-Mail"].qini_auc.is_defined
    assert found.rankings["Mens E-Mail"].qini_coefficient.is_defined


# ------------------------------------------------------------------------------ the world


def test_world_experiment_agrees_with_its_truth():
    from ethicalai_lab.world import make_world

    world = make_world(24_000, seed=4)
    columns = {
        "customer_id": "identifier",
        "arm": "treatment",
        "visit": "outcome",
        "unsubscribed": "outcome",
        **dict.fromkeys(
            ["recency", "history", "sports", "fashion", "newbie", "channel"], "feature"
        ),
    }
    found = room.analyse_experiment(world.campaign, roles(columns, "no_mail", "visit"))
    assert "customer_id" not in found.features
    assert found.warnings == ()
    truth = world.truth.uplift
    for row in found.lifts.query("outcome == 'visit'").itertuples():
        assert abs(row.lift - truth[f"visit_{row.arm}"].mean()) < 4 * row.se
        assert np.corrcoef(found.scores[row.arm], truth[f"visit_{row.arm}"])[0, 1] > 0.05
    bother = found.lifts.query("outcome == 'unsubscribed'")
    assert (bother["low"] > 0).all()


# -------------------------------------------------------------------------- a small table


def small(n=900, seed=0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.random(n)
    arm = rng.choice(["none", "mail"], n)
    visit = (rng.random(n) < 0.2 + 0.5 * x * (arm == "mail")).astype(int)
    return pd.DataFrame(
        {
            "who": [f"p{i}" for i in range(n)],
            "x": x,
            "channel": rng.choice(["web", "store", None], n),
            "arm": arm,
            "visit": visit,
        }
    )


COLUMNS = {"who": "identifier", "x": "feature", "channel": "feature"} | {
    "arm": "treatment",
    "visit": "outcome",
}


def analyse(table, control="none", columns=COLUMNS, **kwargs):
    given = roles(columns, control, kwargs.pop("outcome", None), kwargs.pop("positive", None))
    return room.analyse_experiment(table, given, **kwargs)


def test_text_outcomes_and_levels_of_any_type():
    table = small()
    expected = analyse(table).to_dict()
    assert expected["rankings"]["mail"]["qini_coefficient"]["value"] > 0
    words = table.assign(visit=table["visit"].map({1: "yes", 0: "no"}))
    assert analyse(words, positive="yes").to_dict() == expected
    assert analyse(table.assign(visit=table["visit"] == 1)).to_dict() == expected
    numbers = table.assign(arm=(table["arm"] == "mail").astype(int))
    for control in (0, "0", None):
        found = analyse(numbers, control)
        assert (found.control, found.arms) == (0, (1,))
        assert found.lifts["lift"].tolist() == [expected["lifts"][0]["lift"]]
    categories = table.assign(arm=table["arm"].astype("category"))
    assert analyse(categories).to_dict() == expected


def test_same_seed_same_report_whatever_the_row_labels():
    table = small()
    relabelled = table.set_axis(np.arange(len(table)) + 5000)
    first, again = analyse(table), analyse(relabelled)
    assert first.to_dict() == again.to_dict()
    assert again.scores.index.equals(relabelled.index)
    assert analyse(table, seed=1).to_dict() != first.to_dict()


def test_several_roles_and_protected_features_are_said():
    columns = COLUMNS | {"x": ("feature", "protected")}
    found = analyse(small(), columns=columns)
    assert any("protected columns: x" in note for note in found.notes)


def test_a_published_random_experiment_raises_no_alarm_at_any_seed(hillstrom):
    from ethicalai_lab.personalization.experiment import covariate_balance

    features = room.encode_features(
        hillstrom[[name for name, role in HILLSTROM.items() if role == "feature"]]
    )
    arms = ["Mens E-Mail", "Womens E-Mail"]
    arm_of = hillstrom["segment"].to_numpy()
    found = pd.concat(
        [covariate_balance(features, arm_of, "No E-Mail", arms, seed) for seed in (0, 1, 5)]
    )
    assert (found["p_value"] > 0.001).all()
    assert (found["p_value"] <= 1).all()


def test_selection_that_was_not_random_is_noticed():
    table = small(1500)
    rng = np.random.default_rng(1)
    table["arm"] = np.where(rng.random(1500) < 0.25 + 0.5 * table["x"], "mail", "none")
    found = analyse(table)
    assert any("was it randomised?" in text and "'x'" in text for text in found.warnings)
    assert found.balance.loc[0, "p_value"] < 0.001
    assert found.balance.loc[0, "smd"] > 0.5
    missing = small(1500)
    missing["channel"] = missing["channel"].where(missing["arm"] == "mail")
    assert any("'channel'" in text for text in analyse(missing).warnings)


def test_randomised_tables_rarely_raise_the_alarm():
    from ethicalai_lab.personalization.experiment import covariate_balance

    # Data and analysis share their seed on purpose: the two streams must differ.
    values = []
    for seed in range(40):
        table = small(300, seed=seed)
        features = room.encode_features(table[["x", "channel"]])
        values.append(
            covariate_balance(features, table["arm"].to_numpy(), "none", ["mail"], seed)[
                "p_value"
            ].iloc[0]
        )
    assert np.mean(np.array(values) < 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40)
    assert min(values) > 0.001


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda t: t.assign(visit=1), "is 1 for everybody"),
        (lambda t: t[(t["arm"] == "none") | (t.index < 60)], "'mail' has"),
        (lambda t: t[(t["arm"] == "mail") | (t.index < 60)], "Control 'none' has"),
        (lambda t: t.assign(visit=t["visit"] * (t.index < 20)), "above zero"),
        (lambda t: t.assign(x=1, channel="web"), "No usable column"),
    ],
)
def test_what_cannot_be_ranked_is_said_and_lifts_remain(change, text):
    found = analyse(change(small()))
    assert any(text in warning for warning in found.warnings), found.warnings
    assert found.rankings == {}
    assert len(found.lifts) == 1
    assert np.isfinite(found.lifts["lift"]).all()
    assert len(found.table) == 0
    json.dumps(found.to_dict(), allow_nan=False)
    assert "Warning" in str(found)
    assert "<table" in found._repr_html_()


def test_an_arm_too_small_does_not_stop_the_others():
    table = small()
    table.loc[:30, "arm"] = "push"
    found = analyse(table)
    assert set(found.rankings) == {"mail"}
    assert found.lifts["arm"].tolist() == ["mail", "push"]
    assert any("'push' has 31 people" in text for text in found.warnings)
    assert found.scores["mail"].notna().all()
    groups = found.by_group(np.where(table["x"] > 0.5, "high", "low"))
    assert groups.set_index(["arm", "group"]).loc[("push", "high"), "predicted"] is not None
    assert groups.query("arm == 'push'")["predicted"].isna().all()


def test_columns_like_names_are_left_out():
    found = analyse(small(), columns=COLUMNS | {"who": "feature"})
    assert "who" not in found.features
    assert any("'who'" in note for note in found.notes)


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"control": "letter"}, "'letter' is no level of column 'arm'; accepted: mail, none"),
        ({"control": None}, "column 'arm' is not named; give control as one of: mail, none"),
        ({"columns": COLUMNS | {"age": "feature"}}, "no column 'age'; it has: who, x, channel"),
        ({"columns": {"visit": "outcome"}}, "no column has the role treatment"),
        ({"columns": COLUMNS | {"x": "treatment"}}, "x, arm have the role treatment"),
        ({"columns": {"arm": "treatment"}}, "no column has the role outcome"),
        ({"outcome": "spend"}, "'spend' is no outcome column; accepted: visit"),
        ({"positive": "yes"}, "'yes' is no value of column 'visit'"),
    ],
)
def test_bad_roles_are_one_sentence(kwargs, text):
    with pytest.raises(InputError, match=text):
        analyse(small(), **kwargs)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda t: t.assign(arm="none"), "only the control level 'none'"),
        (lambda t: t.assign(arm=t["who"]), "'arm' has 900 levels"),
        (lambda t: t.assign(arm=t["arm"].where(t.index != 7)), r"'arm' has 1 .* row 8"),
        (lambda t: t.assign(visit=t["visit"].where(t.index != 7)), r"'visit' has 1 .* row 8"),
        (lambda t: t.assign(visit=t["visit"].map({1: "yes", 0: "no"})), "`positive`"),
        (lambda t: t.assign(visit=np.inf), "infinite"),
        (lambda t: t.iloc[:0], "no rows"),
    ],
)
def test_bad_tables_are_one_sentence(change, text):
    with pytest.raises(InputError, match=text):
        analyse(change(small()))
