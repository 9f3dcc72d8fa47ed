"""What lesson 02 says in words, held to the world that it is said about."""

import pytest

from ethicalai_lab.lessons import lesson
from ethicalai_lab.lessons.lesson import course_world

EX = lesson("02")


@pytest.fixture(scope="module")
def world():
    return course_world()


def test_the_report_praises_contacts_and_hides_leavers(world):
    report = EX.known["each"].groupby("contacts")[["visits", "left"]].mean()
    assert report["visits"].is_monotonic_increasing
    assert report.loc[6, "left"] < min(report.loc[1, "left"], report.loc[2, "left"])
    scores = EX.known["log"].groupby("customer_id").agg(n=("contact", "sum"), s=("score", "first"))
    assert scores.groupby("n")["s"].mean().is_monotonic_increasing
    assert EX.p1.facts.expected == "c"


def test_messages_wear_their_readers_out(world):
    facts = EX.q1.facts
    assert facts["fresh"] < facts["after_one"] < facts["after_two"]


def test_somebody_was_written_to_each_week_and_left(world):
    log = EX.known["log"]
    each = log.groupby("customer_id").agg(n=("contact", "sum"), left=("unsubscribed", "max"))
    gone = each.index[(each["n"] == 6) & (each["left"] == 1)]
    who = world.truth.people.set_index("customer_id")["fatigue_sensitivity"][gone].idxmax()
    row = list(world.truth.journeys["customer_id"]).index(who)
    actions = list(log.loc[log["customer_id"] == who, "action"].cat.codes)
    recent = log.loc[log["customer_id"] == who, "recent_contacts"]
    risk = world.truth.journey("unsubscribed")[row]
    chances = [risk[a, r] for a, r in zip(actions, recent, strict=True)]
    assert chances[0] < min(chances[1:])


def test_recommenders_gain_little_and_newcomers_nothing(world):
    report = EX.known["report"]
    gain = report.against[report.against["measure"] == "ndcg"].set_index("model")["value"]
    assert 0 < gain["matrix factorization"] < gain["item to item"] < 0.06
    for measure in ("ndcg", "hit_rate"):
        value = EX.known["cold" if measure == "ndcg" else "by_hits"]
        assert value.loc["0"].nunique() == 1
        assert value.loc["1-2", "matrix factorization"] < value.loc["1-2", "popularity"]
    sizes = report.by_history.groupby("history", sort=False)["customers"].first()
    assert sizes.idxmax() == "0"
    assert EX.p2.facts.expected == "c"


def test_clicks_are_not_liking(world):
    from ethicalai_lab.personalization import interactions, time_split, value_of_following

    seen, _ = time_split(world.events[world.events["kind"] != "email_open"], "2025-10-01")
    data = interactions(
        seen, customers=world.customers["customer_id"], products=world.products["product_id"]
    )
    found = value_of_following(
        EX.known["report"].recommended, data, world.products, world.truth.interests
    )
    liked = found[found["measure"] == "interest"].set_index("model")["value"]
    assert abs(liked["item to item"] - liked["matrix factorization"]) < 0.02
    assert liked["best possible"] - liked["item to item"] > 0.1


def test_memory_flatters_and_formal_writers_are_failed(world):
    memory, fresh = EX.known["memory"], EX.known["fresh"]
    assert memory.overall["value"][0] > 0.9
    assert fresh.overall["value"][0] < 0.75
    style = fresh.by_group.set_index("language_style")
    assert style["accuracy"]["formal"] < 0.5 * style["accuracy"]["plain"]
    assert style["accuracy"].idxmin() == "formal"
    assert style["messages"]["terse"] < style["messages"]["formal"]
    formal = fresh.predictions[(world.messages["language_style"] == "formal").to_numpy()]
    asked = formal["true"] == "unsubscribe_request"
    assert (formal["predicted"][asked] != "unsubscribe_request").any()


def test_the_classifier_learns_on_one_thread(monkeypatch):
    """With two, the same fit took up to thirty times as long."""
    import threadpoolctl
    from sklearn.linear_model import LogisticRegression

    from ethicalai_lab.personalization import MessageClassifier

    seen = []
    fit = LogisticRegression.fit

    def watched(self, *args, **kwargs):
        seen.extend(pool["num_threads"] for pool in threadpoolctl.threadpool_info())
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(LogisticRegression, "fit", watched)
    MessageClassifier().fit(["a parcel", "a lamp"] * 3, ["x", "y"] * 3)
    assert seen
    assert set(seen) == {1}


def test_report_is_narrow_and_wrong_the_weighted_way_wide(world):
    from ethicalai_lab.personalization import ContactPolicy, evaluate_policy, true_policy_value
    from ethicalai_lab.personalization.journeys import spaced_weeks

    people, price = EX.known["people"], EX.known["price"]
    report, weighted, truth = {}, {}, {}
    for n in (1, 2, 6):
        plan = ContactPolicy(weeks=spaced_weeks(n))
        found = evaluate_policy(EX.known["log"], people, plan, price)
        report[n], weighted[n] = found.interval("matching"), found.interval("dr")
        truth[n] = true_policy_value(world.truth, people, plan, price).loc["all", "reward"]
        assert found.weeks["effective_sample_size"].iloc[-1] < 0.01 * len(people)
        if n < 6:
            assert weighted[n].high - weighted[n].low > 2 * (report[n].high - report[n].low)
    assert truth[6] < report[6].low - (report[6].high - report[6].low)
    assert not weighted[6].is_defined  # "for six contacts there is none at all"
    assert EX.q5.facts["overlap"]
    lost = world.truth.bias.set_index("group")
    share = lost["recorded_visit_rate"] / lost["true_visit_rate"]
    failed = ["ethnic_group C", "ethnic_group D", "women from 55"]
    assert share[failed].max() < 0.9 < share[["ethnic_group A", "ethnic_group B"]].min()


def test_fatigue_eats_the_gain(world):
    curve = EX.known["curve"]
    assert EX.p3.facts.expected == "b"
    assert curve["gain"][6] < curve["gain"][3] < curve["gain"][1]
    assert curve["gain"][6] < 0
    assert curve["unsubscribed"].is_monotonic_increasing
    assert curve["visit"][6] > curve["visit"][2]
    facts = EX.q4.facts
    assert facts["visits"] > 0
    assert facts["leavers"] > 0


def test_what_is_offered_and_where_matters(world):
    from ethicalai_lab.personalization import ContactPolicy, true_policy_value

    def gain(**kinds):
        plan = ContactPolicy(weeks=(0, 3), **kinds)
        found = true_policy_value(world.truth, EX.known["people"], plan, EX.known["price"])
        return found.loc["all", "reward"]

    by_interest = gain()
    assert gain(what="fashion") < by_interest - 0.05
    assert gain(channel="push") < by_interest - 0.05


def test_what_if_moves_its_figure_and_says_so(world):
    from ethicalai_lab.widgets.contacts import contacts

    shown = contacts(world.truth, EX.known["people"])
    gain = 1000 * EX.known["curve"]["gain"]
    assert f"2 contacts in six weeks, spread out: {gain[2]:+,.0f} per 1,000" in shown.figure.alt
    more = shown.set(number=6)
    assert f"{gain[6]:+,.0f} per 1,000" in more.figure.alt
    assert more.figure.png() != shown.figure.png()
    assert shown.set(number=2, spacing="week after week").figure.alt != shown.figure.alt
    free = shown.set(number=2, spacing="spread out", leaver=0.0).figure.alt
    assert "Most is earned at 2 contacts" not in free
    dear = shown.set(leaver=40.0).figure.alt
    assert "Most is earned at 0 contacts" in dear


def test_the_decision_joins_what_lesson_01_decided(work):
    from ethicalai_lab.lessons.decisions import decide
    from ethicalai_lab.policy import Policy, my_policy_path

    decide("personalization", targeting="uplift", share=0.3, reason="it moves them")
    decide(
        "personalization",
        recommender="item_to_item",
        offer="best_per_customer",
        wording="generic",
        contact_cap=2,
        contact_cap_days=42,
        channel="email",
    )
    policy = Policy.open(my_policy_path())
    kept = [policy[f"personalization.{name}"] for name in ("targeting", "share", "reason")]
    assert kept == ["uplift", 0.3, "it moves them"]
    assert policy["personalization.contact_cap"] == 2
