"""The causal model: the graph is the one that runs, and its facts hold in the data."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ethicalai_lab.world import CATEGORIES, WorldConfig, causal_graph, make_world
from ethicalai_lab.world.causal import KNOBS, load_mechanisms, run, stream

MECHANISMS = load_mechanisms()
EDGES = [(parent, node.name) for node in MECHANISMS.values() for parent in node.parents]
OTHER = {
    "label_bias": 0.9,
    "proxy_strength": 0.1,
    "representation": 0.3,
    "effect_heterogeneity": 0.4,
    "privacy_concern": 0.8,
    "register_coverage": 0.2,
    "consent_default": "pre_ticked",
    "regime_mix": (0.1, 0.6, 0.3),
}


def same(a, b):
    """Whether two values of a node are equal."""
    if isinstance(a, dict):
        return all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return all(same(x, y) for x, y in zip(a, b, strict=True))
    if hasattr(a, "__dataclass_fields__"):
        return same(vars(a), vars(b))
    return np.array_equal(a, b)


@pytest.fixture(scope="module")
def values():
    return run(4_000, 5, WorldConfig())


@pytest.fixture(scope="module")
def other_values():
    """Another draw: what a parent could have been instead."""
    return run(4_000, 6, WorldConfig())


def test_graph_is_acyclic_and_complete():
    graph = causal_graph()
    place = {node.name: number for number, node in enumerate(graph.nodes)}
    assert len(place) == len(graph.nodes) == len(MECHANISMS) + len(KNOBS)
    assert all(place[cause] < place[effect] for cause, effect in graph.edges)
    assert set(graph.edges) == set(EDGES)
    assert all(node.description for node in graph.nodes)
    assert {node.kind for node in graph.nodes} == {"knob", "latent", "observed"}
    # each knob does something
    assert {cause for cause, _ in graph.edges} >= set(KNOBS)


@pytest.mark.parametrize(("parent", "child"), EDGES)
def test_each_edge_is_used(values, other_values, parent, child):
    """With its stream held, a mechanism answers to each of its declared parents."""
    node = MECHANISMS[child]
    given = {p: values[p] if p in values else getattr(WorldConfig(), p) for p in node.parents}
    changed = {**given, parent: other_values[parent] if parent in values else OTHER[parent]}
    before = node.function(stream(5, child), 4_000, **given)
    after = node.function(stream(5, child), 4_000, **changed)
    assert same(before, values[child])
    assert not same(before, after)


def test_mechanisms_leave_their_parents_alone(values):
    again = run(4_000, 5, WorldConfig())
    for name, node in MECHANISMS.items():
        given = {p: again[p] if p in again else getattr(WorldConfig(), p) for p in node.parents}
        node.function(stream(1, name), 4_000, **given)
    for name in MECHANISMS:
        assert same(values[name], again[name]), name


def test_mermaid_shows_each_node_and_edge():
    graph = causal_graph()
    text = graph.to_mermaid()
    assert text.count("-->") == len(graph.edges)
    assert "age --> education" in text
    assert "knob_label_bias --> legacy_log" in text


def test_interest_drives_what_is_bought(mid_world):
    bought = mid_world.events.query("kind == 'purchase'").merge(mid_world.products, on="product_id")
    share = pd.crosstab(bought["customer_id"], bought["category"], normalize="index")
    interests = mid_world.truth.interests.set_index("customer_id").loc[share.index]
    for category in CATEGORIES:
        together = np.corrcoef(share[category], interests[category])[0, 1]
        assert together > 0.2, category


def test_age_and_education_drive_income_and_household(mid_world):
    people = mid_world.customers
    income = people.groupby("education", observed=True)["household_income"].median()
    assert income.is_monotonic_increasing
    assert people.loc[people["age"] > 70, "occupation"].eq("retired").mean() > 0.8
    assert people.loc[people["age"] < 30, "occupation"].eq("retired").sum() == 0
    size = people.groupby(pd.cut(people["age"], [17, 25, 50, 95]), observed=True)
    assert size["household_size"].mean().iloc[1] > size["household_size"].mean().iloc[2] + 0.4
    middle = people.loc[people["age"].between(40, 55), "household_income"].median()
    assert middle > 1.3 * people.loc[people["age"] < 25, "household_income"].median()


def test_ages_fit_birth_dates(mid_world):
    people = mid_world.customers
    born = people["birth_date"]
    turned = (born.dt.month < 1) | ((born.dt.month == 1) & (born.dt.day <= 12))
    expected = 2026 - born.dt.year - (~turned).astype(int)
    assert (people["age"] == expected).all()
    assert people["age"].min() >= 18


def test_inferred_traits_are_noisy_signals_of_the_hidden_ones(mid_world):
    people, hidden = mid_world.customers, mid_world.truth.people
    for shown, truth in (
        ("financial_stress", "financial_strain"),
        ("health_interest", "health_burden"),
    ):
        together = people[shown].corr(hidden[truth], method="spearman")
        assert 0.5 < together < 0.95, shown


def test_concern_and_trust_drive_consent(mid_world):
    hidden, purposes = mid_world.truth.people, mid_world.truth.purposes
    wary = hidden["privacy_concern"] > hidden["privacy_concern"].median()
    for purpose in purposes.columns[1:]:
        assert purposes.loc[~wary, purpose].mean() > purposes.loc[wary, purpose].mean() + 0.1


def test_campaign_features_are_those_of_the_events(mid_world):
    bought = mid_world.events.query("kind == 'purchase'").merge(
        mid_world.products[["product_id", "category"]], on="product_id"
    )
    features = mid_world.campaign.set_index("customer_id")
    spend = bought.groupby("customer_id")["amount"].sum().round(2)
    assert np.allclose(features["history"], spend.loc[features.index])
    for category in ("sports", "fashion"):
        buyers = bought.loc[bought["category"] == category, "customer_id"].unique()
        assert set(features.index[features[category] == 1]) == set(buyers)
    days = (mid_world.as_of - bought.groupby("customer_id")["time"].max()).dt.total_seconds()
    months = np.ceil(days / 86_400 / 30.4375).clip(1, 12)
    assert (features["recency"] == months.loc[features.index]).all()


def test_events_are_sorted_and_in_time(mid_world):
    events, people = mid_world.events, mid_world.customers.set_index("customer_id")
    key = list(zip(events["customer_id"], events["time"], strict=True))
    assert key == sorted(key)
    assert events["time"].min() >= pd.Timestamp("2025-01-01")
    assert events["time"].max() < pd.Timestamp("2026-01-01")
    joined = mid_world.as_of - pd.to_timedelta(people["tenure_days"], unit="D")
    first = events.groupby("customer_id")["time"].min()
    assert (first >= joined.loc[first.index] - pd.Timedelta(seconds=1)).mean() == 1
    assert ((events["product_id"] == -1) == (events["kind"] == "email_open")).all()
    assert ((events["amount"] > 0) == (events["kind"] == "purchase")).all()


def test_register_identities_are_true(mid_world):
    both = mid_world.register.merge(mid_world.truth.identity, on="register_id")
    known = both[both["customer_id"] > 0].merge(
        mid_world.customers, on="customer_id", suffixes=("", "_customer")
    )
    assert known["customer_id"].is_unique
    for column in ("full_name", "birth_date", "gender"):
        assert (known[column] == known[f"{column}_customer"]).all()
    moved = known["postcode"] != known["postcode_customer"]
    assert 0.01 < moved.mean() < 0.05
    assert (known.loc[~moved, "street"] == known.loc[~moved, "street_customer"]).mean() > 0.99
    assert len(known) / len(mid_world.customers) == pytest.approx(0.6, abs=0.015)


def test_register_order_tells_nothing(mid_world):
    owner = mid_world.truth.identity.query("customer_id > 0")
    assert abs(owner["register_id"].corr(owner["customer_id"])) < 0.05


def test_old_rule_favours_sure_buyers(mid_world):
    score = mid_world.legacy_log.groupby("customer_id")["score"].first()
    response = mid_world.truth.potential_outcomes.set_index("customer_id")["p_visit_no_mail"]
    assert score.corr(response) > 0.35
    # confounded: contrasting the mailed with the rested overstates the true effect, even
    # with expected outcomes in place of drawn ones
    action = mid_world.legacy_log.query("week == 0")["action"].to_numpy()
    grid = mid_world.truth.journey("visit")[:, :, 0]
    naive = grid[action == "sports_email", 1].mean() - grid[action == "rest", 0].mean()
    true = (grid[:, 1] - grid[:, 0]).mean()
    assert naive > 1.25 * true


def test_logged_propensities_are_the_rules(mid_world):
    """Inverse-propensity weights recover the true mean of each action (week 0)."""
    log = mid_world.legacy_log.query("week == 0")
    complete = mid_world.truth.legacy.query("week == 0")
    grid = mid_world.truth.journey("visit")[:, :, 0]
    for number, action in enumerate(log["action"].cat.categories):
        taken = (log["action"] == action).to_numpy()
        weight = taken / log["propensity"].to_numpy()
        assert weight.mean() == pytest.approx(1, abs=5 * weight.std() / np.sqrt(len(weight)))
        value = weight * complete["visit"].to_numpy()
        error = value.std() / np.sqrt(len(value))
        assert value.mean() == pytest.approx(grid[:, number].mean(), abs=4 * error)


def test_fatigue_costs(mid_world):
    visit, leave = (mid_world.truth.journey(o) for o in ("visit", "unsubscribed"))
    lift = visit[:, 1:] - visit[:, :1]
    assert (lift[..., 0].mean(axis=0) > lift[..., 1].mean(axis=0)).all()
    assert (lift[..., 1].mean(axis=0) > lift[..., 2].mean(axis=0)).all()
    assert (leave[:, 1:, 2].mean(axis=0) > 1.5 * leave[:, 1:, 0].mean(axis=0)).all()
    assert (leave[:, 0] == 0).all()


def test_journeys_agree_with_the_campaign(mid_world):
    """A rested person's e-mail has, a week, half the effect of the experiment's two weeks."""
    grid = mid_world.truth.journey("visit")
    potential = mid_world.truth.potential_outcomes
    for action, arm in ((0, "no_mail"), (1, "sports_mail"), (2, "fashion_mail")):
        assert np.allclose(grid[:, action, 0], potential[f"p_visit_{arm}"] / 2, atol=2e-6)


def test_recent_contacts_and_silence_after_unsubscribing(mid_world):
    log = mid_world.legacy_log
    contact = (log["action"] != "rest").to_numpy().reshape(-1, 6).astype(int)
    recent = log["recent_contacts"].to_numpy().reshape(-1, 6)
    for week in range(6):
        assert (recent[:, week] == contact[:, max(0, week - 2) : week].sum(axis=1)).all()
    left = log["unsubscribed"].to_numpy().reshape(-1, 6)
    after = np.cumsum(left, axis=1) - left > 0
    assert contact[after].sum() == 0
    assert (log["propensity"].to_numpy().reshape(-1, 6)[after] == 1).all()
    assert left.sum(axis=1).max() == 1


def gaps(world):
    """Differences that the knobs are meant to move, and those they are not."""
    log = world.legacy_log.merge(
        world.customers[["customer_id", "ethnic_group", "gender", "age"]], on="customer_id"
    )
    hit = log["ethnic_group"].isin(["C", "D"]) | ((log["gender"] == "female") & (log["age"] >= 55))
    complete = world.truth.legacy
    return {
        "score": float((log["score"] - complete["score"])[hit].mean()),
        "score_others": float((log["score"] - complete["score"])[~hit].abs().max()),
        "lost": float(1 - log["visit"][hit].sum() / complete["visit"][hit].sum()),
        "lost_others": float(1 - log["visit"][~hit].sum() / complete["visit"][~hit].sum()),
    }


@pytest.mark.parametrize("bias", [0.0, 0.4, 1.0])
def test_label_bias_is_injected_as_declared(bias):
    world = make_world(20_000, seed=2, config=WorldConfig(label_bias=bias))
    found = gaps(world)
    assert found["score"] == pytest.approx(-bias, abs=1e-4)
    assert found["score_others"] == 0
    assert found["lost"] == pytest.approx(0.5 * bias, abs=0.035)
    assert found["lost_others"] == 0
    declared = world.truth.bias.set_index("group")
    assert declared.loc["ethnic_group C", "score_shift"] == -bias
    assert declared.loc["ethnic_group A", "lost_share"] == 0
    assert declared.loc["women from 55", "lost_share"] == 0.5 * bias


def test_without_bias_and_proxies_the_old_rule_is_even():
    config = WorldConfig(label_bias=0, proxy_strength=0)
    world = make_world(60_000, seed=8, config=config)
    score = world.legacy_log.groupby("customer_id")["score"].first().to_numpy()
    group = world.customers["ethnic_group"].isin(["C", "D"]).to_numpy()
    error = np.sqrt(score[group].var() / group.sum() + score[~group].var() / (~group).sum())
    assert abs(score[group].mean() - score[~group].mean()) < 4 * error


@pytest.mark.parametrize(
    ("knob", "value", "moved"),
    [
        ("label_bias", 1.0, {"legacy_log", "truth.legacy", "truth.bias"}),
        ("consent_default", "pre_ticked", {"consent_events"}),
        ("register_coverage", 0.9, {"register", "truth.identity"}),
    ],
)
def test_a_knob_moves_its_own_tables_only(knob, value, moved):
    base = make_world(1_500, seed=3)
    other = make_world(1_500, seed=3, config=replace(WorldConfig(), **{knob: value}))
    one, two = base.checksums(), other.checksums()
    assert {name for name in one if one[name] != two[name]} == moved


def test_proxy_strength_makes_postcode_and_name_tell_the_group():
    told = []
    for strength in (0.0, 0.5, 1.0):
        people = make_world(20_000, seed=5, config=WorldConfig(proxy_strength=strength)).customers
        half = np.arange(len(people)) % 2 == 0
        keys = people["full_name"].str.split().str[-1]
        for key in (keys, people["postcode"]):
            # learn the shares of C and D by value on one half, look at the other half
            rate = people["ethnic_group"].isin(["C", "D"])
            by_value = rate[half].groupby(key[half]).mean()
            guess = key[~half].map(by_value).fillna(rate[half].mean())
            told.append(np.corrcoef(guess, rate[~half])[0, 1])
    names, postcodes = told[::2], told[1::2]
    for series in (names, postcodes):
        assert abs(series[0]) < 0.05
        assert series[0] + 0.1 < series[1] < series[2]
    assert names[2] > 0.9


def test_representation_thins_groups_as_declared():
    shares = {}
    for value in (1.0, 0.3):
        world = make_world(40_000, seed=6, config=WorldConfig(representation=value))
        shares[value] = world.customers["ethnic_group"].value_counts(normalize=True)
        declared = world.truth.bias.set_index("group")["customer_share"]
        assert declared["ethnic_group D"] == pytest.approx(shares[value]["D"], abs=1e-6)
    population = {"A": 0.60, "B": 0.19, "C": 0.13, "D": 0.08}
    for group, share in population.items():
        assert shares[1.0][group] == pytest.approx(share, abs=0.01)
        thinned = share * (0.3 if group in "CD" else 1) / (0.79 + 0.21 * 0.3)
        assert shares[0.3][group] == pytest.approx(thinned, abs=0.01)


def test_privacy_concern_lowers_acceptance_and_raises_refusals():
    results = []
    for concern in (0.2, 0.8):
        world = make_world(10_000, seed=7, config=WorldConfig(privacy_concern=concern))
        results.append(
            (
                world.truth.people["privacy_concern"].mean(),
                -world.truth.purposes.iloc[:, 1:].to_numpy().mean(),
                world.preferences["answer"].isna().mean(),
                -world.truth.answers["truthful"].mean(),
                world.truth.potential_outcomes["p_unsubscribe_sports_mail"].mean(),
            )
        )
    assert all(low < high for low, high in zip(*results, strict=True))
    assert results[0][0] == pytest.approx(0.2, abs=0.04)
    assert results[1][0] == pytest.approx(0.8, abs=0.04)


def test_consent_default_bends_the_record_not_the_will():
    recorded, willing = [], []
    for default in ("unticked", "nudged", "pre_ticked"):
        world = make_world(10_000, seed=8, config=WorldConfig(consent_default=default))
        first = world.consent_events.query("regime == 'gdpr' and source == 'banner'")
        recorded.append((first["action"] == "grant").mean())
        willing.append(world.truth.purposes.iloc[:, 1:].to_numpy().mean())
    assert recorded[0] + 0.05 < recorded[1] < recorded[2]
    assert len(set(willing)) == 1


def test_regime_mix_sets_the_jurisdictions():
    world = make_world(10_000, seed=9, config=WorldConfig(regime_mix=(0.1, 0.9, 0.0)))
    shares = world.customers["jurisdiction"].value_counts(normalize=True)
    assert shares["EU"] == pytest.approx(0.1, abs=0.015)
    assert shares["other"] == 0
    assert set(world.consent_events["regime"].unique()) == {"gdpr", "ccpa"}


def test_consent_events_follow_their_law(mid_world):
    events = mid_world.consent_events
    assert (events["time"] < mid_world.as_of).all()
    key = list(zip(events["customer_id"], events["time"], strict=True))
    assert key == sorted(key)
    law = events.merge(mid_world.customers[["customer_id", "jurisdiction"]], on="customer_id")
    expected = law["jurisdiction"].map({"EU": "gdpr", "California": "ccpa", "other": "other"})
    assert (law["regime"].astype(str) == expected.astype(str)).all()
    # opt-in laws know refusals, opt-out laws only objections
    assert not (events["regime"] == "ccpa").mul(events["action"].isin(["refuse", "withdraw"])).any()
    assert (events.loc[events["source"] == "gpc_signal", "regime"] == "ccpa").all()
    # each person has a first word on each purpose, and at most one change of mind
    counts = events.groupby(["customer_id", "purpose"], observed=True).size()
    assert len(counts) == 4 * mid_world.n_customers
    assert counts.max() <= 2
    first = events.groupby(["customer_id", "purpose"], observed=True)["action"].first()
    assert set(first.unique()) == {"grant", "refuse"}


def test_answers_are_true_as_often_as_they_say(mid_world):
    truth, given = mid_world.truth.answers, mid_world.preferences
    told = given["answer"].notna()
    assert (given["answer"] == truth["answer"])[told & truth["truthful"]].all()
    assert not (given["answer"] == truth["answer"])[told & ~truth["truthful"]].any()
    favourite = truth[truth["question"] == "favourite_category"].set_index("customer_id")
    interests = mid_world.truth.interests.set_index("customer_id").loc[favourite.index]
    assert (interests.idxmax(axis=1) == favourite["answer"]).all()
    refused = given["answer"].isna().groupby(given["question"], observed=True).mean()
    assert refused.iloc[-1] > 1.5 * refused.iloc[0]
