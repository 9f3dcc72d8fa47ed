"""Attacks succeed where they should, fail where they should, and know by how much."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab import make_world
from ethicalai_lab.privacy import Hierarchy, KAnonymizer, PrivacyError, anonymity, attacks
from ethicalai_lab.privacy.attacks._matching import Matcher
from ethicalai_lab.privacy.attacks._risk import risk_of
from ethicalai_lab.privacy.labels import parse_label

ON = ["postcode", "birth_date", "gender"]


@pytest.fixture(scope="module")
def world():
    return make_world(3_000, seed=5)


@pytest.fixture(scope="module")
def raw(world):
    columns = [*ON, "household_income", "occupation"]
    return world.customers.set_index("customer_id")[columns]


@pytest.fixture(scope="module")
def register(world):
    return world.register.set_index("register_id")


@pytest.fixture(scope="module")
def truth(world):
    return world.truth.identity.set_index("register_id")["customer_id"]


@pytest.fixture(scope="module")
def release(raw):
    tool = KAnonymizer(10, quasi_identifiers=ON, sensitive="occupation")
    return tool.fit_transform(raw).set_axis(raw.index)  # nobody is left out


# ---- linkage -------------------------------------------------------------------------------


def test_register_finds_people_in_a_table_without_names(raw, register, truth):
    got = attacks.linkage(raw, register, ON, truth)
    exact = raw.reset_index().merge(register.reset_index(), on=ON)
    once = exact[~exact["register_id"].duplicated(keep=False)]  # register people whom one row fits
    right = truth.reindex(once["register_id"]).to_numpy() == once["customer_id"].to_numpy()
    assert got.claims == len(once)
    assert got.correct == right.sum()
    assert got.in_release == truth.reindex(register.index).isin(raw.index).sum()
    assert got.recall.value > 0.9
    assert got.found["correct"].sum() == got.correct
    one = got.found[got.found["correct"]].iloc[0]
    assert truth[one["target"]] == one["row"]


def test_k_anonymity_stops_the_claims_and_bounds_the_guesses(release, register, truth):
    got = attacks.linkage(release, register, ON, truth)
    assert got.claims == 0
    assert got.recall.value == 0.0
    # whoever is in the release is one of at least k
    assert 0 < got.expected <= got.in_release / 10


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 9), st.sampled_from(["ab", "ac", "bc"])), min_size=4, max_size=25
    ),
    method=st.sampled_from(["mondrian", "full_domain"]),
)
def test_candidates_are_the_rows_whose_labels_cover_the_target(rows, method):
    table = pd.DataFrame(rows, columns=["n", "v"])
    made = KAnonymizer(2, method=method).fit_transform(table)
    matcher = Matcher(made, ["n", "v"], table, None)
    fits = matcher.fits(np.arange(len(table)))
    for j, (n, v) in enumerate(rows):
        want = [
            parse_label(a, "number").covers(n) and parse_label(b, "text").covers(v)
            for a, b in zip(made["n"], made["v"], strict=True)
        ]
        assert fits[matcher.owner, j].tolist() == want
        assert want[j]


def test_candidates_through_a_written_hierarchy_and_gaps():
    table = pd.DataFrame(
        {"job": ["nurse", "cook", "smith", "smith"], "age": [30.0, None, 40.0, 40.0]}
    )
    jobs = Hierarchy.table({"nurse": "service", "cook": "service", "smith": "craft"})
    made = table.assign(
        job=["service", "service", "craft", "craft"], age=["30–39", "*", "40", "40"]
    )
    matcher = Matcher(made, ["job", "age"], table, {"job": jobs})
    # the cook's age is not known to the attacker, so any age fits
    want = [
        [True, True, False, False],
        [True, True, False, False],
        [False, False, True, True],
        [False, False, True, True],
    ]
    assert matcher.fits(np.arange(4))[matcher.owner].T.tolist() == want


# ---- WP216 ---------------------------------------------------------------------------------


def test_singling_out_before_and_after(raw, release):
    before = attacks.singling_out(raw, ON)
    after = attacks.singling_out(release, ON)
    assert before.attack.value > 0.95
    assert after.attack.value == 0.0
    assert after.attack.high < 0.01
    # an untouched column undoes it
    assert attacks.singling_out(release, [*ON, "household_income"]).attack.value > 0.5


def test_singling_out_counts_people_of_the_original():
    original = pd.DataFrame({"age": [30, 31, 55]})
    made = pd.DataFrame({"age": ["30–39", "30–39", "50–59"]})
    got = attacks.singling_out(made, ["age"], original=original, n_attacks=900, seed=1)
    assert got.attack.low < 1 / 3 < got.attack.high


def test_singling_out_interval_covers_the_unique_share():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.integers(0, 60, 200), "b": rng.integers(0, 4, 200)})
    share = anonymity(table, ["a", "b"]).unique_share
    hits = sum(
        share in attacks.singling_out(table, ["a", "b"], n_attacks=300, seed=s).attack
        for s in range(60)
    )
    assert hits >= 52  # 95 % intervals: fewer than 52 of 60 has probability below 0.01


def test_linkability_is_one_over_the_class(raw, release):
    assert attacks.linkability(raw, raw, ON).attack.value > 0.99
    got = attacks.linkability(release, raw, ON)
    assert anonymity(release, ON).mean_risk in got.attack
    assert got.risk.low <= got.risk.value <= got.risk.high
    assert got.baseline.high < 0.01


def test_linkability_needs_people_in_both(raw):
    with pytest.raises(PrivacyError, match="nobody"):
        attacks.linkability(raw, raw.set_axis(raw.index + 10**6), ON)


def test_inference_against_naive_and_against_control(raw):
    rng = np.random.default_rng(2)
    # the secret follows the age group: everybody's business, not the release's
    table = raw.assign(secret=np.where(raw["birth_date"].dt.year < 1980, "x", "y"))
    inside = table.iloc[rng.permutation(len(table))]
    half = len(table) // 2
    members, others = inside.iloc[:half], inside.iloc[half:]
    made = KAnonymizer(10, quasi_identifiers=ON, sensitive="secret").fit_transform(members)
    naive = attacks.inference(made, members, ON, "secret")
    control = attacks.inference(made, members, ON, "secret", control=others)
    assert naive.attack.value > 0.9
    assert naive.risk.value > 0.5
    # people who are not in it can be guessed nearly as well
    assert control.risk.high < naive.risk.low
    # a secret that follows nothing: the raw table gives it away, to members only
    random = members.assign(secret=rng.integers(0, 5, half))
    other = others.assign(secret=rng.integers(0, 5, len(others)))
    raw_risk = attacks.inference(random, random, ON, "secret", control=other)
    assert raw_risk.risk.low > 0.9


def test_inference_of_numbers_with_tolerance(raw):
    got = attacks.inference(raw, raw, ON, "household_income", tolerance=1.0, n_attacks=300)
    assert got.attack.value > 0.95
    with pytest.raises(PrivacyError, match="not a number"):
        attacks.inference(raw, raw, ON, "occupation", tolerance=1.0, n_attacks=10)


def test_risk_is_zero_where_the_baseline_does_as_well():
    risk = risk_of("x", 50, 100, 60, 100, 0.95)
    assert risk.risk.value == 0.0
    assert risk.risk.low == 0.0
    assert risk_of("x", 75, 100, 50, 100, 0.95).risk.value == pytest.approx(0.5)
    assert "x: 100 attempts" in risk._repr_html_()


# ---- several releases --------------------------------------------------------------------------


def test_differencing_reveals_exactly_the_one_who_left():
    rng = np.random.default_rng(3)
    people = pd.DataFrame(
        {"city": pd.Categorical(rng.choice(list("abc"), 300)), "spend": rng.lognormal(4, 1, 300)}
    )

    def board(table):
        return (
            table.groupby("city", observed=True)["spend"].agg(n="size", spend="sum").reset_index()
        )

    got = attacks.differencing(board(people), board(people.drop(index=17)), ["city"], "n", "spend")
    assert got.groups == 3
    assert got.revealed["city"].tolist() == [people.loc[17, "city"]]
    assert got.revealed["change"].tolist() == [-1]
    assert got.revealed["value"].iloc[0] == pytest.approx(people.loc[17, "spend"], abs=1e-6)
    two = attacks.differencing(
        board(people),
        board(people.drop(index=people.index[people["city"] == "a"][:2])),
        ["city"],
        "n",
        "spend",
    )
    assert two.revealed.empty


def test_differencing_sees_a_group_of_one_appear():
    before = pd.DataFrame({"g": ["a"], "n": [5], "t": [10.0]})
    after = pd.DataFrame({"g": ["a", "b"], "n": [5, 1], "t": [10.0, 3.0]})
    got = attacks.differencing(before, after, ["g"], "n", "t").revealed
    assert got.to_numpy().tolist() == [["b", 1, 3.0]]
    with pytest.raises(PrivacyError, match="occurs twice"):
        attacks.differencing(pd.concat([before, before]), after, ["g"], "n", "t")


def test_two_releases_together_tell_more_than_each():
    rng = np.random.default_rng(4)
    n = 1500
    people = pd.DataFrame(
        {
            "age": rng.integers(18, 90, n),
            "postcode": [f"{x:04d}" for x in rng.integers(0, 900, n)],
            "secret": [f"s{x}" for x in rng.integers(0, 40, n)],
        }
    )
    one = KAnonymizer(4, quasi_identifiers=["age"], drop=["postcode"]).fit_transform(
        people[["age", "postcode", "secret"]]
    )
    two = KAnonymizer(4, quasi_identifiers=["postcode"], drop=["age"]).fit_transform(people)
    got = attacks.intersection([one, two], people, [["age"], ["postcode"]], "secret")
    assert got["low"].iloc[2] > got["high"].iloc[:2].max()
    assert got["mean_possible"].iloc[2] < got["mean_possible"].iloc[:2].min()
    assert (got["low"] <= got["pinned"]).all()


# ---- what classes say ------------------------------------------------------------------------------


def test_l_answers_homogeneity_and_t_answers_skewness():
    rng = np.random.default_rng(6)
    n = 4000
    table = pd.DataFrame({"age": rng.integers(18, 90, n), "zip": rng.integers(0, 50, n)})
    ill = rng.random(n) < np.where(table["age"] > 70, 0.3, 0.02)
    table["illness"] = np.where(
        ill, "hiv", rng.choice(["flu", "cold", "gout"], n, p=[0.8, 0.1, 0.1])
    )
    qi = ["age", "zip"]

    def made(**more):
        tool = KAnonymizer(5, quasi_identifiers=qi, sensitive="illness", **more)
        return tool.fit_transform(table)

    k_only, with_l, with_t = made(), made(l=3), made(t=0.1)
    assert attacks.homogeneity(k_only, qi, "illness") > 0
    assert attacks.homogeneity(with_l, qi, "illness") == 0
    assert attacks.skewness(with_l, qi, "illness", "hiv") > 0.1
    few = attacks.skewness(with_t, qi, "illness", "hiv", factor=4)
    assert few < attacks.skewness(k_only, qi, "illness", "hiv", factor=4)


# ---- membership -------------------------------------------------------------------------------------


# ---- the rest -----------------------------------------------------------------------------------------


def test_age_at_birthdays():
    born = pd.to_datetime(pd.Series(["2000-01-12", "2000-01-13", "2000-02-29", None]))
    got = attacks.age_at(born, "2026-01-12")
    assert got.tolist()[:3] == [26, 25, 25]
    assert np.isnan(got.iloc[3])
    with pytest.raises(PrivacyError, match="no dates"):
        attacks.age_at(pd.Series([1], name="x"), "2026-01-12")


def test_compare_runs_the_same_attacks_on_each(raw, release, register, truth):
    got = attacks.compare(
        {"without names": raw, "k = 10": release},
        {
            "linkage": lambda r: attacks.linkage(r, register, ON, truth, n_attacks=300),
            "singling out": lambda r: attacks.singling_out(r, ON, n_attacks=300),
            "homogeneity": lambda r: attacks.homogeneity(r, ON, "occupation"),
        },
    )
    assert got.shape == (6, 6)
    wide = got.pivot(index="attack", columns="release", values="value")
    assert (wide["without names"] > wide["k = 10"]).all()
    with pytest.raises(PrivacyError, match="'odd' returned a str"):
        attacks.compare({"raw": raw}, {"odd": lambda r: "no"})


def test_same_seed_same_attack(raw, release):
    one = attacks.linkability(release, raw, ON, n_attacks=200, seed=3)
    two = attacks.linkability(release, raw, ON, n_attacks=200, seed=3)
    assert one == two


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda t: attacks.linkage(t, t, [], pd.Series(dtype=int)), "on is empty"),
        (lambda t: attacks.linkage(t, t, ["nope"], pd.Series(dtype=int)), "'nope'"),
        (lambda t: attacks.linkage(t, t, ["q"], pd.Series([0], [0])), "truth lacks person 1"),
        (lambda t: attacks.linkability(t.set_axis([0, 0, 1]), t, ["q"]), "twice"),
        (lambda t: attacks.singling_out(t, ["zz"]), "'zz'"),
        (lambda t: attacks.skewness(t, ["q"], "s", "zz"), "'zz'"),
        (lambda t: attacks.skewness(t, ["q"], "s", "a", factor=1), "factor"),
        (lambda t: attacks.intersection([t], t, [], "s"), "one list"),
    ],
)
def test_refusals(call, word):
    with pytest.raises(PrivacyError, match=word):
        call(pd.DataFrame({"q": [1, 2, 3], "s": list("abc")}))
