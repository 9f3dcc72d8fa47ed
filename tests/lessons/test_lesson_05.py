"""What lesson 05 says in words is what its world shows; its pictures say their numbers."""

import numpy as np
import pandas as pd
import pytest

from ethicalai_lab import make_world, plotting
from ethicalai_lab.lessons import lesson
from ethicalai_lab.privacy import KAnonymizer, anonymity, attacks
from ethicalai_lab.privacy.bill import frontier
from ethicalai_lab.privacy.noise import floating_point_leak, membership_bound, simulate_noise
from ethicalai_lab.widgets.release import release

EX = lesson("05")


@pytest.fixture(scope="module")
def world():
    return make_world(20_000, seed=7)


@pytest.fixture(scope="module")
def file(world):
    return EX.known["file"]


@pytest.fixture(scope="module")
def widget(file):
    return release(
        file,
        EX.known["known4"],
        "money",
        hierarchies=EX.known["coarser"],
    )


def test_somebody_under_strain_is_found_and_claims_err(world, file):
    register = world.register.set_index("register_id")
    register["age"] = attacks.age_at(register["birth_date"], world.as_of)
    fits = register.reset_index().merge(file.reset_index(), on=EX.known["known"])
    alone = fits[~fits.duplicated("register_id", keep=False)]
    identity = world.truth.identity.set_index("register_id")["customer_id"]
    right = alone["row"].to_numpy() == identity[alone["register_id"]].to_numpy()
    assert (right & (alone["money"] == "under strain")).sum() > 100
    assert 0.5 < right.mean() < 0.8  # "a wrong claim harms too": there are many
    assert EX.p1.facts["low"] > 0.5


def test_one_column_tells_hardly_anybody_apart_and_a_region_hides_most(world, file):
    for column in EX.known["known"]:
        assert anonymity(file, [column]).unique_share < 0.01
    assert anonymity(file, EX.known["known"]).unique_share > 0.5
    table = file.assign(region=world.customers.set_index("customer_id")["region"])
    columns = ["region", "age", "gender"]
    alone = table[table.groupby(columns, observed=True)["spent"].transform("size") == 1]
    # "very old, or of a rare gender"
    assert ((alone["gender"] == "nonbinary") | (alone["age"] >= 80)).all()


def test_the_forgotten_column_undoes_nearly_everything(world, file):
    facts = EX.p2.facts
    assert facts["before"] == 0
    assert facts["alone"] > 0.85
    tool = EX.known["tools"]["k = 5"]
    safe = tool.release_.set_axis(tool.kept_)
    risks = {
        "singled out": attacks.singling_out(safe, EX.known["known4"]).risk,
        "linked": attacks.linkability(safe, file, EX.known["known4"], n_attacks=1000).risk,
        "inferred": attacks.inference(safe, file, EX.known["known4"], "money", n_attacks=1000).risk,
    }
    assert all(risk.value < 0.15 and risk.high < 0.3 for risk in risks.values())
    assert risks["linked"].low > 0  # "they do not reach zero"
    assert risks["inferred"].high > 0.05


def test_l_empties_and_t_nearly_empties_and_each_step_loses_detail(world):
    tools = EX.known["tools"]
    alike = {
        n: attacks.homogeneity(t.release_, EX.known["known4"], "money") for n, t in tools.items()
    }
    leaning = {
        n: attacks.skewness(t.release_, EX.known["known4"], "money", "under strain")
        for n, t in tools.items()
    }
    assert alike["k = 5"] > 0
    assert alike["k = 5, l = 2"] == 0
    assert leaning["k = 5, t = 0.3"] < 0.2 * leaning["k = 5, l = 2"]
    lost = [tools[n].loss_.ncp for n in EX.known["options"]]
    assert lost == sorted(lost)
    assert lost[0] < lost[1]
    assert len(tools["same ranges for all"].suppressed_) > 0
    assert EX.q3.facts["groups"] >= 3  # the lesson shows three of them


def test_noise_makes_the_attack_a_coin_toss_and_a_large_epsilon_does_not():
    marked = np.random.default_rng(5).integers(0, 2, 20_000)
    right = {}
    for epsilon in (0.1, 1.0, 3.0, 8.0):
        before, after = simulate_noise(1 / epsilon, (2, len(marked)), seed=5)
        right[epsilon] = ((after - before - marked < 0) == (marked == 1)).mean()
        assert right[epsilon] <= membership_bound(epsilon) + 0.005
    assert right[0.1] < 0.55
    assert right[8.0] > 0.99
    leak = floating_point_leak(0.1)
    assert leak.exposed.low > 0.5
    assert leak.wrong == 0


def test_k_costs_little_here_and_strong_noise_more(world):
    cost = frontier(world, ks=(2, 10, 200), epsilons=(0.01, 0.1, 1.0), repeats=5)
    assert (cost.loc[cost["defence"] == "k", "kept"] > 0.85).all()
    strong = cost[(cost["defence"] == "epsilon") & (cost["parameter"] == 0.01)].iloc[0]
    assert strong["kept_high"] < 0.9


def test_the_rare_pay(world, file):
    out = file.loc[EX.known["tools"]["same ranges for all"].suppressed_, "gender"]
    rare = file["gender"].value_counts(normalize=True)
    assert rare["nonbinary"] < 0.05
    assert out.value_counts(normalize=True)["nonbinary"] > 5 * rare["nonbinary"]
    strained = file.loc[file["money"] == "under strain", "gender"].value_counts()
    average = strained / world.customers["region"].nunique()
    off = np.quantile(np.abs(simulate_noise(10, 100_000, seed=5)), 0.95)
    assert off > average["nonbinary"]
    assert off < 0.1 * average["female"]


def test_the_what_if_answers_and_its_words_say_the_numbers(widget):
    weak, strict = widget.figure.alt, widget.set(k=100, l=3).figure.alt
    assert weak != strict
    assert "k = 100, l = 3" in strict
    naked = widget.set(k=100, l=3, column="as it is").figure.alt
    # "looks strict and protects little"
    risk = float(naked.split("singling out: ")[1].split(" %")[0])
    assert risk > 30 > float(strict.split("singling out: ")[1].split(" %")[0])
    dropped = widget.set(column="dropped").figure.alt
    assert dropped not in (weak, strict, naked)


def test_a_dropped_column_counts_as_lost_detail():
    people = pd.DataFrame({"age": [30] * 20, "paid": range(20), "ill": ["a", "b"] * 10})
    shown = release(people, ["age", "paid"], "ill", ks=(2,))
    assert "50.0% of the detail lost" in shown.set(column="dropped").figure.alt
    assert " 0.0% of the detail lost" in shown.set(column="as it is").figure.alt


def test_the_frontier_keeps_measures_apart_and_refuses_what_it_cannot_draw():
    table = pd.DataFrame(
        {
            "risk": [0.1, 0.02, 0.4],
            "kept": [0.9, 0.8, 1.0],
            "kept_low": [0.8, 0.6, 0.9],
            "kept_high": [1.0, 1.0, 1.1],
            "risk_measure": ["share found", "share found", "bound"],
        },
        index=["k 5", "k 50", "epsilon 1"],
    )
    figure = plotting.frontier(table, title="The bill")
    assert len(figure.axes) == 2
    assert [axis.get_xlabel() for axis in figure.axes] == ["share found", "bound"]
    assert "k 50: risk 2.0 %, value kept 80.0 % (60.0 to 100.0)" in figure.alt
    with pytest.raises(plotting.PlotError, match="risk"):
        plotting.frontier(table.assign(risk=0.0), title="The bill")


def test_k_refuses_nobody_in_the_first_release(file):
    tool = KAnonymizer(
        5,
        quasi_identifiers=EX.known["known"],
        hierarchies={n: EX.known["coarser"][n] for n in ("postcode", "age")},
    )
    first = tool.fit_transform(file)
    assert len(first) == len(file)
    assert first["age"].astype(str).str.contains("–").mean() > 0.5
    assert first["postcode"].astype(str).str.endswith("**").mean() > 0.5
