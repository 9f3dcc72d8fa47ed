"""What lesson 09 says in words, held to the world that it is said about."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from ethicalai_lab.explainability import (
    Actionability,
    AdditiveScorecard,
    CounterfactualSearch,
    ScaffoldedModel,
    attribution_beside_uplift,
    fidelity,
    linear_attributions,
    partial_dependence,
    permutation_importance,
    shapley_attributions,
    stability,
)
from ethicalai_lab.explainability.examples import customer_file, voucher_table
from ethicalai_lab.fairness import audit
from ethicalai_lab.lessons import lesson
from ethicalai_lab.lessons.lesson import course_world
from ethicalai_lab.widgets.why_this_offer import METHODS, why_this_offer
from ethicalai_lab.world import direct_effects

EX = lesson("09")


@pytest.fixture(scope="module")
def world():
    return course_world()


@pytest.fixture(scope="module")
def shop(world):
    names = ("X", "visit", "train", "model", "rest", "chance", "cut", "told", "bare", "one")
    return {name: EX.known[name] for name in names}


@pytest.fixture(scope="module")
def real(world, shop):
    same = {"channel": "buys_online", "household_income": "income"}
    found = direct_effects(world).rename(columns=same)
    assert set(shop["X"].columns) - set(found.columns) == set(EX.known["IDLE"])
    return found.reindex(columns=shop["X"].columns, fill_value=0.0)


@pytest.fixture(scope="module")
def search(shop):
    actions = {
        "recency": Actionability(direction="decrease", low=1),
        "spend": Actionability(direction="increase", step=10),
        "views": Actionability(direction="increase"),
        "buys_online": Actionability(values=(0, 1)),
    }
    rows = shop["rest"].iloc[:5000]
    return CounterfactualSearch(shop["model"], rows, actions, threshold=shop["cut"], max_changes=2)


@pytest.fixture(scope="module")
def other(shop):
    without = shop["chance"][shop["chance"] < shop["cut"]].sort_values(kind="stable").index
    return without[int(0.9 * len(without))]


def test_the_line_is_false_for_most_who_read_it_and_bad_advice_for_the_others(shop):
    assert 0.8 < (shop["bare"] >= shop["cut"]).mean() < 0.95
    rest, chance, cut = shop["rest"], shop["chance"], shop["cut"]
    below = rest[(chance < cut) & (rest["tier"] < 2)]
    raised = shop["model"].predict_proba(below.assign(tier=2))[:, 1] >= cut
    assert raised.mean() < 0.1
    assert shop["bare"][shop["one"]] >= cut
    assert rest.loc[shop["one"], "tier"] >= 2


def test_two_models_give_two_reasons_for_the_same_customer(world, shop):
    one, X, train = shop["one"], shop["X"], shop["train"]
    exact = linear_attributions(EX.known["simple"], X.loc[[one]], X.loc[train])
    assert exact.adds_up()
    assert exact.top(one, 1)["feature"].tolist() == ["tier"]
    assert exact.values.loc[one, "views"] == pytest.approx(EX.q2.facts["expected"])
    back = EX.known["back"]
    mine = shapley_attributions(shop["model"], X.loc[[one]], back, unit="log_odds", method="tree")
    assert mine.adds_up()
    assert mine.values.loc[one, "tier"] < 0.6 * mine.values.loc[one].max()
    # the largest true cause is hidden, and the column that stands in for it errs
    true = direct_effects(world).loc[one]
    assert true.idxmax() == "activity"
    assert mine.values.loc[one, "views"] < 0
    said = shapley_attributions(shop["model"], X.loc[[one]], back, method="tree").note
    assert "rescaled to the probability" in said


def test_columns_that_cause_nothing_get_a_fifth_of_the_credit(world, real):
    assert EX.p1.facts.expected == "b"
    assert 0.15 < EX.known["credit"] < 0.25
    values = EX.known["shares"].values
    found = fidelity(values, real.loc[values.index])
    assert found.loc["credit_on_non_causes", "value"] == pytest.approx(EX.known["credit"])
    assert 0.4 < found.loc["rank_agreement", "value"] < 0.85


def test_views_follow_activity_and_the_tier_follows_spend(world, shop):
    people = world.truth.people.set_index("customer_id")
    assert shop["X"]["views"].corr(people["activity"], method="spearman") > 0.15
    assert shop["X"]["tier"].corr(shop["X"]["spend"], method="spearman") > 0.7
    some = EX.known["some"]
    assert "'spend'" in partial_dependence(shop["model"], some, "tier", grid=4, n_boot=5).warning


def test_shuffling_the_tier_hardly_matters(world, shop):
    came = world.truth.potential_outcomes.set_index("customer_id")["visit_no_mail"]
    judge = shop["rest"].index[:2000]
    found = permutation_importance(
        shop["model"], shop["X"].loc[judge], came[judge], n_boot=20
    ).set_index("feature")["importance"]
    assert found["tier"] < 0.3 * found["spend"]


def test_a_training_on_another_draw_changes_reasons(world):
    assert EX.p2.facts.expected == "a"
    assert 0.35 < EX.q4.facts["expected"] < 0.65
    found = stability(EX.known["retrained"], k=3)
    assert 0.4 < found.loc["top_k_overlap", "value"] < 0.65
    assert found.loc["sign_agreement", "low"] > found.loc["rank_correlation", "high"] + 0.1


def test_the_score_says_nearly_nothing_about_whom_the_mail_moves(world):
    values = EX.known["shares"].values
    uplift = world.truth.uplift.set_index("customer_id").loc[values.index, "visit_sports_mail"]
    found = attribution_beside_uplift(values, uplift, ["recency", "views"])
    assert found.loc["recency", "high"] < 0
    assert found.loc["(score)", "low"] < 0 < found.loc["(score)", "high"]
    assert abs(found.loc["(score)", "value"]) < 0.1


class PassesOverWomen(LogisticRegression):
    """As in the notebook."""

    def predict_proba(self, rows):
        p = np.where(rows["woman"] > 0, 0.01, super().predict_proba(rows)[:, 1])
        return np.column_stack([1 - p, p])


def test_the_explainer_is_fooled_and_the_audit_is_not(world, shop):
    file, visit = customer_file(world), shop["visit"]
    forest = RandomForestClassifier(40, class_weight="balanced", min_samples_leaf=2, random_state=0)
    hiding = ScaffoldedModel(
        PassesOverWomen(C=0.05),
        LogisticRegression(C=0.05),
        ["woman", "salutation"],
        detector=forest,
        recall=0.9,
    ).fit(file[:4000], visit[:4000])
    new = file[4000:8000]
    ranks, gaps = {}, {}
    for kind, asked in {"open": hiding.biased_, "hiding": hiding}.items():
        score = asked.predict_proba(new)[:, 1]
        offer = score >= np.quantile(score, 0.8)
        table = permutation_importance(asked, new, offer, n_repeats=2, n_boot=1).set_index(
            "feature"
        )["importance"]
        ranks[kind] = (table["woman"], table.index.get_loc("woman"))
        group = np.where(new["woman"] > 0, "women", "others")
        found = audit(None, offer, sensitive_features=group)
        gaps[kind] = found.disparities.loc["demographic_parity_difference"]
    assert ranks["open"][1] == 0
    assert ranks["hiding"][1] >= 4
    assert ranks["hiding"][0] < 0.4 * ranks["open"][0]
    assert gaps["hiding"]["low"] > 0.3
    assert gaps["hiding"]["value"] > 0.8 * gaps["open"]["value"]


def test_the_scorecard_loses_next_to_nothing_and_also_blames_the_tier(world, shop):
    assert EX.p3.facts.expected == "c"
    worth = EX.known["worth"]
    assert abs(worth["boosting"] - worth["scorecard"]) < 0.004
    X, visit = shop["X"].loc[shop["train"]], shop["visit"][shop["train"]]
    points = AdditiveScorecard(n_bins=5).fit(X, visit).points_.query("feature == 'tier'")["points"]
    assert points.iloc[-1] > points.iloc[0] + 10
    nodes = sum(tree.tree_.node_count for tree in shop["model"].estimators_.ravel())
    assert nodes > 15 * EX.p3.facts["numbers"]


def test_a_change_asks_for_views_that_bring_nobody(shop, search, other):
    found = search.counterfactuals(shop["rest"].loc[other])
    assert found.found
    assert "views" in set(found.table["column"])
    assert (found.table["new_score"] >= shop["cut"]).all()
    assert not {"age", "tier", "income"} & set(found.table["column"])


def test_the_widget_answers_fast_and_says_what_it_shows(world, shop, search, other):
    one = shop["one"]
    back = EX.known["back"]
    people = [other, one]
    names = {other: "Erik", one: "Julia"}
    shown = why_this_offer(
        shop["model"],
        shop["X"].loc[people],
        back,
        search,
        names,
        more={"views": (12, 1), "spend": (500, 50)},
    )
    assert shown.figure.alt.startswith("Erik gets no voucher")
    assert "as the model does" in shown.figure.alt
    assert "Smallest change that brings it: " in shown.figure.alt
    holder = shown.set(customer="Julia")
    assert holder.figure.alt.startswith("Julia has the voucher")
    assert "Nothing has to change" in holder.figure.alt
    for method in METHODS[1:]:
        assert "the model says" in shown.set(method=method).figure.alt
    rich = shown.set(spend=500).figure.alt
    assert rich.startswith("Erik has the voucher")


def test_the_tables_hold_what_they_say(world):
    X = voucher_table(world)
    assert X.index.equals(pd.Index(world.customers["customer_id"]))
    assert not X.isna().any(axis=None)
    recent = world.events[world.events["time"] >= world.as_of - pd.Timedelta(days=90)]
    assert X["views"].sum() == (recent["kind"] == "view").sum()
    assert X["opens"].sum() == (recent["kind"] == "email_open").sum()
    file = customer_file(world)
    assert np.allclose(file.mean(), 0, atol=1e-9)
    assert file["age"].corr(file["birth_year"]) < -0.99
