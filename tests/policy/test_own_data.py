"""The bill of a policy on a table of one's own: measured on the table, or not at all."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.policy import Policy, PolicyError
from ethicalai_lab.policy.evaluation import PolicyLab, evaluate, evaluation_graph
from ethicalai_lab.policy.own_dates import plausible
from ethicalai_lab.tables import Roles, load_table
from ethicalai_lab.tables.loading import TableError, check_table

HILLSTROM = Roles(
    {
        "recency": "feature",
        "history": "feature",
        "mens": "feature",
        "womens": "feature",
        "newbie": ("feature", "protected"),
        "channel": ("feature", "quasi_identifier"),
        "zip_code": ("protected", "quasi_identifier"),
        "history_segment": "sensitive",
        "segment": "treatment",
        "visit": "outcome",
        "conversion": "outcome",
        "spend": "outcome",
    },
    control="No E-Mail",
    outcome="visit",
)
FULL = {
    "id": "identifier",
    "x": "feature",
    "shade": ("feature", "sensitive"),
    "age": ("protected", "quasi_identifier"),
    "town": "quasi_identifier",
    "group": "protected",
    "mail": "treatment",
    "visit": "outcome",
    "spend": "outcome",
    "unsubscribed": "outcome",
    "agreed": "consent",
}


def people(n=3_000, seed=0, **more):
    """An experiment in which the mail moves those with x = 1 by 0.3, and nobody else."""
    rng = np.random.default_rng(seed)
    x, mail = rng.integers(0, 2, n), rng.integers(0, 2, n)
    visit = (rng.random(n) < 0.2 + 0.3 * x * mail).astype(int)
    table = pd.DataFrame(
        {
            "id": [f"p{i:05d}" for i in range(n)],
            "x": x,
            "shade": rng.choice(["red", "blue", "green"], n),
            "age": rng.integers(15, 90, n),
            "town": rng.choice(["north", "south"], n),
            "group": np.where(rng.random(n) < 0.5 + 0.3 * x, "a", "b"),
            "mail": mail,
            "visit": visit,
            "spend": visit * 10.0,
            "unsubscribed": ((rng.random(n) < 0.1) & (mail == 1)).astype(int),
            "agreed": rng.choice(["yes", "no"], n, p=[0.7, 0.3]),
        }
    )
    return table.assign(**more)


def checked(table, *without, **roles):
    kept = {k: v for k, v in (FULL | roles).items() if k not in without and v is not None}
    outcome = None if "visit" in without else "visit"
    return check_table(table, Roles(kept, outcome=outcome))


def uplift(**more):
    return Policy().decide("personalization", **({"targeting": "uplift", "share": 0.3} | more))


@pytest.fixture(scope="module")
def table():
    return checked(people())


# ------------------------------------------------------------------- the same measures


def test_the_card_holds_the_measures_of_a_world_in_their_order(table):
    card = evaluate(uplift(), table, n_boot=20)
    measures = evaluation_graph().measures
    assert [m.key for m in card.measures if m.key in measures] == list(measures)
    extra = {m.key for m in card.measures} - set(measures)
    assert extra == {
        "value.added_visit",
        "value.added_spend",
        "value.added_unsubscribed",
        "fairness.selection_gap_group",
    }
    for key, each in measures.items():
        found = card[key]
        assert found.direction == each.direction
        own = each.meaning.replace("within six weeks", "within the table's own period")
        assert found.meaning == (each.meaning if found.evidence.startswith("not meas") else own)
        assert found.unit.split(" in six")[0].split(",")[0] == each.unit.split(" in six")[0]
        assert found.truth is None
        assert (found.value is None) == found.needs.startswith("needs ")


def test_what_only_a_world_knows_has_no_number(table):
    card = evaluate(uplift(), table, n_boot=0)
    for key in (
        "value.ranking_quality",
        "value.contacted_in_vain",
        "value.messages_sent",
        "privacy.reidentified_by_guessing",
        "privacy.reidentified_by_linkage",
        "privacy.presence_guessed",
        "consent.against_their_will",
        "consent.unmeant_consent",
        "transparency.trust_change",
        "transparency.notice_share",
        "duty.open_points",
    ):
        assert card[key].value is None
        assert card[key].evidence == "not measured on a table"
    measured = [m for m in card.measures if m.value is not None]
    assert not any("six weeks" in m.meaning + m.unit for m in measured)
    assert "which only a synthetic world knows" in card["value.ranking_quality"].needs
    assert "register" in card["privacy.reidentified_by_linkage"].needs


def test_evaluate_takes_a_table_as_it_takes_a_world(table):
    one = evaluate(uplift(), table, n_boot=30, seed=5)
    again = evaluate(uplift(), table, n_boot=30, seed=5)
    assert one.to_json() == again.to_json()
    assert evaluate(uplift(), table, n_boot=30, seed=6).to_json() != one.to_json()
    assert one["value.visits_added"].samples == again["value.visits_added"].samples


def test_an_evaluation_does_not_alter_the_table(table):
    before, attrs = table.copy(deep=True), dict(table.attrs)
    policy = uplift().decide("anonymization", generalization="mondrian", k=5)
    evaluate(policy.decide("storage", encryption="per_person_key"), table, n_boot=5)
    pd.testing.assert_frame_equal(table, before)
    assert table.attrs == attrs


# ------------------------------------------------------------------------------- value


def test_a_planted_effect_is_found_where_the_policy_sends(table):
    card = evaluate(uplift(), checked(people(20_000), "agreed"))
    found = card["value.visits_added"]
    # 30 % are contacted, all of them with x = 1, and each brings 0.3 visits
    assert card["value.share_contacted"].value == pytest.approx(0.3, abs=1e-4)
    assert found.low < 0.09 < found.high
    assert found.high - found.low < 0.03
    lot = evaluate(uplift(targeting="random"), checked(people(20_000), "agreed"))
    assert lot["value.visits_added"].low < 0.045 < lot["value.visits_added"].high
    assert lot["value.visits_added"].high < found.low
    assert card["value.unsubscribed"].low < 0.1 < card["value.unsubscribed"].high
    assert card["value.added_spend"].value == pytest.approx(10 * found.value)


def test_profit_needs_an_amount_and_decided_costs(table):
    assert "contact_cost" in evaluate(uplift(), table, n_boot=0)["value.profit_added"].needs
    policy = uplift(contact_cost=0.5, unsubscribe_cost=2.0)
    card = evaluate(policy, table, n_boot=0)
    expected = (
        0.35 * card["value.added_spend"].value
        - 0.5 * card["value.share_contacted"].value
        - 2.0 * card["value.added_unsubscribed"].value
    )
    assert card["value.profit_added"].value == pytest.approx(expected)
    bare = checked(people(), "spend")
    assert "amount of money" in evaluate(policy, bare, n_boot=0)["value.profit_added"].needs
    staying = checked(people(), "unsubscribed")
    found = evaluate(policy, staying, n_boot=0)["value.profit_added"]
    assert "unsubscribed" in found.needs


def test_an_outcome_that_is_no_visit_is_not_called_one():
    table = check_table(
        people().rename(columns={"visit": "answered"}),
        Roles({"mail": "treatment", "answered": "outcome", "x": "feature"}),
    )
    card = evaluate(uplift(), table, n_boot=20)
    assert card["value.visits_added"].value is None
    assert card["value.added_answered"].value > 0.05
    assert "outcome answered" in card["value.added_answered"].evidence


@pytest.mark.parametrize(
    ("lacking", "word"),
    [(["mail"], "treatment"), (["visit", "spend", "unsubscribed"], "outcome")],
)
def test_without_an_experiment_nothing_is_added_but_a_share_is_contacted(lacking, word):
    table = checked(people(400), *lacking)
    everyone = evaluate(Policy(), table, n_boot=0)
    assert everyone["value.share_contacted"].value == pytest.approx(
        (table["agreed"] == "yes").mean(), abs=0.3
    )
    assert f"role {word}" in everyone["value.visits_added"].needs
    ranked = evaluate(uplift(), table, n_boot=0)
    for key in ("value.share_contacted", "fairness.selection_gap_group"):
        assert f"role {word}" in ranked[key].needs
    assert ranked["privacy.smallest_class"].value is not None


def test_too_few_people_give_no_ranking_and_rfm_needs_its_columns():
    card = evaluate(uplift(), checked(people(100), "agreed"), n_boot=0)
    assert "200 people in each half" in card["value.share_contacted"].needs
    rfm = uplift(targeting="rfm")
    card = evaluate(rfm, checked(people(), "agreed"), n_boot=0)
    assert "recency and history" in card["value.share_contacted"].needs
    table = people(recency=np.arange(3_000), history=np.arange(3_000)[::-1])
    roles = {"recency": "feature", "history": "feature"}
    card = evaluate(rfm, checked(table, "agreed", **roles), n_boot=20)
    assert card["value.share_contacted"].value == pytest.approx(0.3, abs=1e-3)


# ---------------------------------------------------------------- consent and columns


def test_only_those_who_permit_it_are_contacted():
    table = people(seen=None)
    table["seen"] = table["agreed"]
    card = evaluate(
        Policy().decide("consent", default="opt_in"), checked(table, seen="protected"), n_boot=50
    )
    yes = float((table["agreed"] == "yes").mean())
    assert card["consent.reachable"].value == pytest.approx(yes)
    assert card["value.share_contacted"].value == pytest.approx(yes)
    # all who said yes, none who said no
    assert card["fairness.selection_gap_seen"].value == 1.0
    assert card["consent.without_permission"].value == 0.0
    assert card["privacy.people_shared"].value == pytest.approx(yes)


def test_silence_counts_as_the_policy_says_and_is_no_proof():
    table = people()
    table.loc[::2, "agreed"] = None
    own = checked(table)
    yes, no = ((own["agreed"] == word).mean() for word in ("yes", "no"))
    strict = evaluate(Policy().decide("consent", default="opt_in"), own, n_boot=0)
    loose = evaluate(Policy().decide("consent", default="opt_out"), own, n_boot=0)
    assert strict["consent.reachable"].value == pytest.approx(yes)
    assert loose["consent.reachable"].value == pytest.approx(1 - no)
    assert strict["consent.without_permission"].value == 0.0
    assert "silence" in loose["consent.without_permission"].needs


def test_a_purpose_named_by_its_column_is_asked_by_itself():
    table = people(direct_marketing_ok=1, third_party_sharing_ok=0)
    own = checked(table, "agreed", direct_marketing_ok="consent", third_party_sharing_ok="consent")
    card = evaluate(Policy(), own, n_boot=0)
    assert card["consent.reachable"].value == 1.0
    assert "nobody's data may be shared" in card["privacy.smallest_class"].needs


def test_consent_must_be_yes_or_no():
    table = people()
    table.loc[7, "agreed"] = "perhaps"
    with pytest.raises(
        TableError, match=r'row 8: column "agreed" \(consent\) holds "perhaps"; yes, no'
    ):
        checked(table)


def test_columns_in_use_are_those_the_policy_allows(table):
    card = evaluate(uplift(), table, n_boot=0)
    assert card["privacy.columns_in_use"].value == 2
    assert card["privacy.sensitive_columns"].value == 1
    less = evaluate(uplift().decide("data", features=["x"]), table, n_boot=0)
    assert less["privacy.columns_in_use"].value == 1
    assert less["privacy.sensitive_columns"].value == 0
    assert less["privacy.values_kept"].value < card["privacy.values_kept"].value
    none = evaluate(uplift().decide("data", features=[]), table, n_boot=0)
    assert "role feature" in none["value.visits_added"].needs


@pytest.mark.parametrize(
    ("section", "fields", "said"),
    [
        ("data", {"features": ["shad"]}, r'names the column "shad".*accepted are x, shade\. Did'),
        ("data", {"features": ["age"]}, r'names the column "age".*accepted are x, shade'),
        ("fairness.audit", {"groups": ["grop"]}, r'"grop".*accepted are age, group\. Did you mean'),
        (
            "anonymization",
            {"quasi_identifiers": ["x"]},
            r'names the column "x", which is no quasi_identifier.*accepted are age, town',
        ),
    ],
)
def test_a_column_that_is_not_there_is_named_with_those_that_are(table, section, fields, said):
    with pytest.raises(PolicyError, match=said) as caught:
        evaluate(Policy().decide(section, **fields), table)
    assert str(caught.value).count("\n") == 0


def test_retention_ends_what_is_learned_from():
    table = people(when=pd.date_range("2025-01-01", periods=3_000, freq="h"))
    own = checked(table, "agreed", when="time")
    long = evaluate(uplift(), own, n_boot=0)
    short = evaluate(uplift().decide("data", retention_days=30), own, n_boot=0)
    assert long["privacy.oldest_record"].value == pytest.approx(2_999 / 24)
    assert 29 < short["privacy.oldest_record"].value <= 30
    assert short["privacy.values_kept"].value == pytest.approx(2 * 721 / 3_000)
    assert short["value.visits_added"].value < long["value.visits_added"].value


# ----------------------------------------------------------------------------- privacy


def test_a_release_is_made_and_measured():
    table = checked(people(1_000), "agreed")
    plain = evaluate(Policy(), table, n_boot=20)
    sizes = table.groupby(["age", "town"]).size()
    assert plain["privacy.smallest_class"].value == sizes.min()
    assert plain["privacy.unique_share"].value == pytest.approx((sizes == 1).sum() / 1_000)
    assert plain["value.release_detail_kept"].value == 1.0
    policy = Policy().decide("anonymization", generalization="mondrian", k=20)
    coarse = evaluate(policy, table, n_boot=20)
    assert coarse["privacy.smallest_class"].value >= 20
    assert coarse["privacy.unique_share"].value == 0.0
    assert 0 < coarse["value.release_detail_kept"].value < 1
    assert coarse["privacy.secret_guessed"].value < plain["privacy.secret_guessed"].value


def test_a_secret_that_follows_from_what_is_known_is_revealed():
    table = people(1_000)
    table["shade"] = np.where(table["age"] > 50, "red", "blue")
    own = checked(table, "agreed", shade="sensitive")
    assert evaluate(Policy(), own, n_boot=0)["privacy.secret_revealed"].value == 1.0
    diverse = Policy().decide("anonymization", generalization="mondrian", k=5, l=2)
    assert evaluate(diverse, own, n_boot=0)["privacy.secret_revealed"].value == 0.0
    bare = checked(people(), "agreed", shade="feature")
    card = evaluate(Policy(), bare, n_boot=0)
    assert "role sensitive" in card["privacy.secret_revealed"].needs
    assert "role sensitive" in evaluate(diverse, bare, n_boot=0)["privacy.unique_share"].needs


def test_a_release_that_cannot_be_made_says_so():
    policy = Policy().decide("anonymization", generalization="mondrian", k=5_000)
    found = evaluate(policy, checked(people(200), "agreed"), n_boot=0)
    assert found["privacy.smallest_class"].needs.startswith("needs a release; none was made: ")
    card = evaluate(policy, checked(people(200), "agreed", "age", "town"), n_boot=0)
    assert card["privacy.smallest_class"].needs == "needs a column with the role quasi_identifier"


def test_tokens_are_made_of_the_identifiers_and_joined(table):
    keys = ("linked_across_partners", "linked_across_purposes", "linked_over_the_year")
    for decided, expected in (
        ({"method": "none"}, (1, 1, 1)),
        ({"method": "keyed"}, (1, 1, 1)),
        ({"method": "keyed", "per_partner": True}, (0, 1, 1)),
        ({"method": "keyed", "per_purpose": True}, (1, 0, 1)),
        ({"method": "keyed", "key_rotation_days": 20}, (1, 1, 0)),
    ):
        card = evaluate(Policy().decide("pseudonymization", **decided), table, n_boot=0)
        assert tuple(card[f"privacy.{key}"].value for key in keys) == expected
    bare = evaluate(Policy(), checked(people(), "id"), n_boot=0)
    assert bare[f"privacy.{keys[0]}"].needs == "needs a column with the role identifier"


def test_files_are_written_stolen_and_erased(table):
    for decided, stolen, readable in (
        ({"encryption": "none", "erasure": "mark_inactive"}, 1, 1),
        ({"encryption": "at_rest", "erasure": "delete_rows"}, 0, 1),
        ({"encryption": "per_person_key", "erasure": "destroy_key"}, 0, 0),
    ):
        card = evaluate(Policy().decide("storage", erasure_days=20, **decided), table, n_boot=0)
        assert card["privacy.readable_if_stolen"].value == stolen
        assert card["privacy.readable_after_erasure"].value == readable
        assert card["duty.erasures_late"].value == 0.0


# -------------------------------------------------------------------- fairness and duty


def test_roles_decide_what_a_column_is_not_its_spelling():
    table = people().rename(columns={"age": "Age", "group": "sex"})
    roles = {"age": None, "group": None, "Age": ("protected", "quasi_identifier")}
    card = evaluate(uplift(), checked(table, sex="protected", **roles), n_boot=0)
    same = evaluate(uplift(), checked(people()), n_boot=0)
    for own, known in (("sex", "group"), ("age_band", "age_band")):
        gap = card[f"fairness.selection_gap_{own}"].value
        assert gap == same[f"fairness.selection_gap_{known}"].value
    assert card["duty.children_profiled"].value == same["duty.children_profiled"].value
    needs = card["fairness.selection_gap_gender"].needs
    assert (
        needs == "needs a protected column of that kind; those here, sex, Age, have their own gap"
    )


def _on_days(days, extra=()):
    stamps = [pd.Timestamp("2025-01-01") + pd.Timedelta(days=int(d)) for d in days]
    return checked(
        people(len(stamps) + len(extra), sent=[*stamps, *map(pd.Timestamp, extra)]),
        "agreed",
        sent="time",
    )


def _odd(card):
    return [said for said in card.how_read if re.search(r"\bdates? (lies?|are|is) ", said)]


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_one_odd_date_is_named_and_moves_no_day(zone):
    days = np.arange(399) % 298
    policy = uplift().decide("data", retention_days=730)
    usual = evaluate(policy, _on_days(days), n_boot=0)
    assert usual["privacy.oldest_record"].value == 297
    assert not _odd(usual)
    table = _on_days(days, ["2052-03-01"])
    if zone:
        table["sent"] = table["sent"].dt.tz_localize(zone)
    card = evaluate(policy, table, n_boot=0)
    # a night in which clocks change costs an hour
    assert card["privacy.oldest_record"].value == pytest.approx(297, abs=0.05)
    # nobody's data is dropped as too old because of somebody's odd date
    held = "privacy.values_kept"
    assert card[held].value == pytest.approx(usual[held].value, rel=0.01)
    (said,) = _odd(card)
    assert said.startswith('column "sent": 1 date lies after today (2052-0')
    assert "2025-10-2" in said
    assert said in card.to_html().replace("&quot;", '"')
    assert "2052" in card.to_markdown()


def test_dates_far_before_all_others_are_named_and_old_ones_in_a_row_are_not():
    days = np.arange(400) % 298
    found = evaluate(uplift(), _on_days(days, ["1900-01-01"]), n_boot=0)
    (said,) = _odd(found)
    assert "1 date lies far before all others (1900-01-01, " in said
    assert "row 401" in said
    spread = evaluate(uplift(), _on_days(np.arange(400) * -20), n_boot=0)
    assert not _odd(spread)
    two_years = evaluate(uplift(), _on_days([*days, *(days - 900)]), n_boot=0)
    assert not _odd(two_years), "a season a year is no odd date"


@pytest.mark.parametrize(
    ("extra", "count", "said"),
    [
        ("2052-03-01", 5, "5 dates lie after today (first 2052-03-01, row 396); taken as unknown"),
        ("2052-03-01", 300, "300 dates lie after today (first 2052-03-01, row 101)"),
        ("9999-12-31", 200, "200 dates are in the year 9999, which stands for no date (first 9999"),
        ("1970-01-01", 40, "40 dates lie far before all others (first 1970-01-01, row 361)"),
    ],
)
def test_no_share_of_impossible_dates_moves_the_last_day(extra, count, said):
    days = np.arange(400 - count) % 298
    policy = uplift().decide("data", retention_days=730)
    card = evaluate(policy, _on_days(days, [extra] * count), n_boot=0)
    assert card["privacy.oldest_record"].value == days.max()
    assert any(said in sentence for sentence in _odd(card)), card.how_read


def test_dates_that_all_lie_after_today_are_a_simulated_table():
    day = pd.Timestamp("2025-06-01")
    dates = pd.Series(pd.date_range("2031-01-01", periods=50))
    found = plausible(dates, "sent", today=day)
    assert found.now == dates.max()
    assert (
        "50 dates lie after today, as all do (first 2031-01-01, row 1); taken as they"
        in (found.said[0])
    )
    # a zone is not the future
    assert not plausible(pd.Series([day + pd.Timedelta(hours=12)]), "sent", today=day).said


def test_without_one_date_there_is_no_oldest_record():
    table = _on_days([], ["9999-12-31"] * 400)
    needs = evaluate(uplift(), table, n_boot=0)["privacy.oldest_record"].needs
    assert needs == "needs a date in the rows kept"


def test_what_retention_leaves_out_is_said():
    days = np.where(np.arange(400) < 5, 0, np.arange(400) % 200 - 3650)
    policy = uplift().decide("data", retention_days=730)
    card = evaluate(policy, _on_days(days), n_boot=0)
    assert any(
        "395 of 400 rows are from more than 730 days before 2025-01-01; not kept" in said
        for said in card.how_read
    )


@pytest.mark.parametrize(("default", "taken"), [("opt_out", "a yes"), ("opt_in", "a no")])
def test_what_silence_counts_as_is_said_beside_the_figure(default, taken):
    agreed = ["yes"] * 300 + [None] * 100
    table = checked(people(400, agreed=agreed))
    policy = Policy().decide("consent", default=default)
    card = evaluate(policy, table, n_boot=0)
    said = " ".join(card.how_read)
    assert "100 of 400 people say nothing; under this policy's" in said
    assert f"({default}) silence counts as {taken}." in said
    reachable = card["consent.reachable"]
    assert reachable.value == (1.0 if default == "opt_out" else 0.75)
    counted = "100 who say nothing count as yes" in reachable.evidence
    assert counted == (default == "opt_out")
    assert "100 of 400 people say nothing" in card.to_markdown()


def test_what_people_are_ranked_by_is_said_where_it_is_not_the_objective(table):
    without = checked(people(), "visit", spend="outcome", unsubscribed=None)
    told = evaluate(uplift(objective="conversion"), table, n_boot=0).about["ranked_by"]
    assert told == (
        "visit, since this table has no outcome conversion, which is the policy's objective"
    )
    assert (
        evaluate(uplift(objective="visit"), without, n_boot=0)
        .about["ranked_by"]
        .startswith("spend, since this table has no outcome visit")
    )
    assert "ranked_by" not in evaluate(uplift(objective="visit"), table, n_boot=0).about
    lot = Policy().decide("personalization", targeting="random", objective="conversion")
    assert "ranked_by" not in evaluate(lot, table, n_boot=0).about


def test_rows_that_belong_together_are_refused_in_a_sentence():
    frame = people().assign(household=np.arange(3_000) // 2)
    table = check_table(frame, Roles(FULL, outcome="visit", cluster="household"))
    with pytest.raises(PolicyError, match=r'"household" \(cluster\) repeats'):
        evaluate(uplift(), table, n_boot=0)


def test_gaps_are_those_of_the_people_selected():
    table = checked(people(20_000), "agreed")
    card = evaluate(uplift(share=0.5), table, n_boot=50)
    # x = 1 is selected, and oftener in group a: 0.8 / 1.3 of it, 0.2 / 0.7 of b
    assert card["fairness.selection_gap_group"].value == pytest.approx(0.615 - 0.286, abs=0.03)
    assert card["fairness.selection_gap_age_band"].value < 0.05
    assert card["fairness.selection_gap_gender"].needs == (
        "needs a protected column of that kind; those here, age, group, have their own gap"
    )
    audit = {"groups": ["group"], "frequency": "monthly"}
    watched = evaluate(uplift(share=0.5).decide("fairness.audit", **audit), table, n_boot=0)
    assert watched["fairness.audit_sees"].value == pytest.approx(
        card["fairness.selection_gap_group"].value
    )
    repair = {"method": "threshold_optimizer", "max_value_loss": 1.0}
    policy = uplift(share=0.5).decide("fairness.audit", **audit)
    mended = evaluate(policy.decide("fairness.mitigation", **repair), table, n_boot=0)
    assert mended["fairness.selection_gap_group"].value < 0.01
    assert mended["value.visits_added"].value < card["value.visits_added"].value
    assert mended["value.share_contacted"].value == card["value.share_contacted"].value


def test_people_who_do_not_state_their_group_make_none():
    table = people()
    table.loc[::3, "group"] = None
    card = evaluate(Policy(), checked(table, "agreed"), n_boot=0)
    assert card["fairness.selection_gap_group"].value == 0.0
    assert "not stated" not in card["fairness.selection_gap_group"].evidence
    bare = evaluate(Policy(), checked(table, "agreed", "group", "age"), n_boot=0)
    assert bare["fairness.unseen_gap"].needs == "needs a column with the role protected"


def test_one_changed_decision_moves_only_its_own_measures(table):
    before = evaluate(uplift(), table, n_boot=0)
    for section, fields, moved in (
        ("log", {"kind": "merkle_tree", "witness": "external"}, {"duty.tampering_noticed"}),
        ("duty", {"human_review": "on_request"}, {"duty.decisions_without_recourse"}),
        ("storage", {"erasure_days": 20}, {"duty.erasures_late"}),
    ):
        after = evaluate(uplift().decide(section, **fields), table, n_boot=0)
        changed = {m.key for m in before.measures if m.value != after[m.key].value}
        assert changed == moved
    chain = uplift().decide("log", kind="merkle_tree", witness="external")
    assert evaluate(chain, table, n_boot=0)["duty.tampering_noticed"].value == 1.0


def test_children_are_counted_where_an_age_is_there():
    card = evaluate(uplift(), checked(people(), "agreed"), n_boot=0)
    assert card["duty.children_profiled"].value == 1.0
    bare = evaluate(uplift(), checked(people(), "agreed", "age"), n_boot=0)
    assert "column age" in bare["duty.children_profiled"].needs
    grown = checked(people(age=40), "agreed")
    assert "under 18" in evaluate(uplift(), grown, n_boot=0)["duty.children_profiled"].needs


# ---------------------------------------------------------------------------- bad input


def test_bad_input_is_refused_in_one_sentence(table):
    with pytest.raises(TableError, match="carries no roles"):
        evaluate(Policy(), people())
    with pytest.raises(PolicyError, match="policy is a dict"):
        evaluate({}, table)
    for name in ("n_boot", "seed"):
        for wrong in (-1, 1.5, True):
            with pytest.raises(PolicyError, match=rf"{name} is .*a whole number from 0"):
                evaluate(Policy(), table, **{name: wrong})
    events = check_table(
        pd.DataFrame({"who": [1, 1], "when": pd.to_datetime(["2025-01-01", "2025-01-02"])}),
        Roles({"who": "identifier", "when": "time"}),
    )
    with pytest.raises(PolicyError, match=r'"who" \(identifier\) repeats.*one row a person'):
        evaluate(Policy(), events)
    with pytest.raises(PolicyError, match='has no column "visit", which its roles name'):
        evaluate(Policy(), table.drop(columns="visit"))


@given(
    seed=st.integers(0, 1_000),
    n=st.integers(1, 700),
    gaps=st.booleans(),
    without=st.sets(st.sampled_from(sorted(FULL)), max_size=8),
    targeting=st.sampled_from(["nobody", "everyone", "random", "response", "uplift"]),
    learner=st.sampled_from(["t_learner", "x_learner", "class_transformation"]),
)
@settings(max_examples=25)
def test_any_table_gives_each_measure_a_number_or_what_it_needs(
    seed, n, gaps, without, targeting, learner
):
    table = people(n, seed)
    if gaps:
        holes = np.random.default_rng(seed).random((n, 4)) < 0.3
        columns = ["x", "shade", "age", "group"]
        table = table.astype({"x": float, "age": float})
        for i, name in enumerate(columns):
            table.loc[holes[:, i], name] = None
    if set(FULL) <= without | {"agreed"}:
        return
    try:
        own = checked(table, *without)
    except TableError:  # such as an outcome that never varies, in a tiny table
        return
    policy = uplift(targeting=targeting, learner=learner, contact_cost=0.1, unsubscribe_cost=0.1)
    policy = policy.decide("anonymization", generalization="mondrian", k=3)
    card = evaluate(policy, own, n_boot=10, seed=seed)
    for measure in card.measures:
        assert (measure.value is None) == measure.needs.startswith("needs ")
        if measure.value is not None and measure.unit.startswith("share of"):
            assert -1 <= measure.value <= 1


# ---------------------------------------------------------------------- a real table


def test_hillstrom_as_published_and_in_time(shared_data):
    table = load_table(shared_data / "hillstrom.csv.gz", HILLSTROM)
    men = table[table["segment"] != "Womens E-Mail"].reset_index(drop=True)
    own = check_table(men, HILLSTROM)
    card = evaluate(Policy(), own)
    found = card["value.visits_added"]
    assert round(found.value, 6) == 0.076590
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(0.003386, rel=0.15)
    assert card["value.added_spend"].value == pytest.approx(1.422617 - 0.652789, abs=2e-6)

    policy = uplift(contact_cost=0.01, unsubscribe_cost=0)
    policy = policy.decide("fairness.audit", groups=["zip_code"], frequency="monthly")
    policy = policy.decide("anonymization", generalization="mondrian", k=5)
    card = evaluate(policy, table)
    lot = evaluate(policy.decide("personalization", targeting="random"), table)
    # the best-ranked 30 % answer more than any 30 %
    assert card["value.visits_added"].low > lot["value.visits_added"].value
    assert card["value.profit_added"].value is not None
    assert (
        card["privacy.smallest_class"].value == table.groupby(["channel", "zip_code"]).size().min()
    )


def test_a_campaign_not_given_by_lot_is_warned_of():
    rng = np.random.default_rng(5)
    x = rng.normal(size=2_000)
    roles = Roles({"mail": "treatment", "visit": "outcome", "x": "feature"})

    def about(mail):
        frame = pd.DataFrame({"mail": mail.astype(int), "visit": x > 0, "x": x})
        return evaluate(Policy(), check_table(frame, roles), n_boot=0).about

    assert "experiment" not in about(rng.random(2_000) < 0.5)
    said = about(x + rng.normal(size=2_000) > 0)["experiment"]
    assert said.startswith("who got '1' can be told from the features (AUC 0.")
    assert "largest difference: 'x'" in said


def test_the_womens_mail_goes_to_those_it_moves(shared_data):
    table = load_table(shared_data / "hillstrom.csv.gz", HILLSTROM)
    women = table[table["segment"] != "Mens E-Mail"].reset_index(drop=True)
    women["bought"] = np.select(
        [women["mens"] < women["womens"], women["mens"] > women["womens"]],
        ["womens", "mens"],
        "both",
    )
    roles = Roles(
        {**HILLSTROM.columns, "bought": "protected"}, control="No E-Mail", outcome="visit"
    )
    policy = uplift(share=0.4).decide("data", features=["mens", "womens"])
    card = evaluate(policy, check_table(women, roles), n_boot=50)
    # it lifts visits of earlier women's-only buyers by .0740 and of men's-only by .0111
    assert card["fairness.selection_gap_bought"].value > 0.5
    assert "between womens and mens" in card["fairness.selection_gap_bought"].evidence
    added, share = card["value.visits_added"].value, card["value.share_contacted"].value
    assert added / share == pytest.approx(0.074, abs=0.01)


def test_a_change_is_computed_once_on_a_table_too():
    lab = PolicyLab(checked(people(), "agreed"), n_boot=10)
    before = lab.evaluate(uplift())
    after = lab.evaluate(uplift().decide("log", kind="hash_chain"))
    assert lab.computed == ("recording",)
    assert lab.measured == ("duty.tampering_noticed",)
    whole = evaluate(
        uplift().decide("log", kind="hash_chain"), checked(people(), "agreed"), n_boot=10
    )
    assert after.to_json() == whole.to_json()
    assert after["duty.tampering_noticed"].value > before["duty.tampering_noticed"].value
