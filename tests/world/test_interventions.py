"""The true direct effects are those of the mechanism that made the world."""

import numpy as np
import pandas as pd
import pytest

from ethicalai_lab.world import World, WorldError, causal_graph, direct_effects, make_world


@pytest.fixture(scope="module")
def made():
    return make_world(4_000, seed=3)


@pytest.fixture(scope="module")
def added(made):
    return direct_effects(made)


def test_only_direct_causes_have_a_column(added):
    causes = set(causal_graph().parents("base_visit")) - {"history"} | {"recency", "spend"}
    assert set(added.columns) == causes
    assert np.allclose(added.mean(), 0, atol=1e-9)


def test_the_effects_explain_the_true_chance_up_to_its_own_draw(made, added):
    chance = made.truth.potential_outcomes["p_visit_no_mail"].to_numpy()
    odds = np.log(chance / (1 - chance))
    rest = odds - odds.mean() - added.sum(axis=1).to_numpy()
    assert rest.std() < 0.3 < 0.6 < odds.std()
    assert abs(np.corrcoef(rest, added.sum(axis=1))[0, 1]) < 0.06
    assert abs(np.corrcoef(rest, made.customers["loyalty_tier"].cat.codes)[0, 1]) < 0.06


def test_they_agree_with_a_regression_of_the_truth_on_the_same_causes(made, added):
    # oracle: in an additive mechanism, least squares on its terms gives slopes of one
    chance = made.truth.potential_outcomes["p_visit_no_mail"].to_numpy()
    odds = np.log(chance / (1 - chance))
    slopes = np.linalg.lstsq(added.to_numpy(), odds - odds.mean(), rcond=None)[0]
    assert slopes == pytest.approx(np.ones(added.shape[1]), abs=0.35)
    table = made.campaign.set_index("customer_id")
    line = np.polyfit(table["recency"], added["recency"], 1)
    assert np.polyval(line, table["recency"]) == pytest.approx(added["recency"].to_numpy())


def test_the_world_is_left_as_it_was(made, added):
    assert made.checksums() == make_world(4_000, seed=3).checksums()
    pd.testing.assert_frame_equal(direct_effects(made), added)


@pytest.mark.parametrize(
    ("node", "said"),
    [("no_such", "no mechanism"), ("age", "not one probability"), ("visit_uplift", "not one")],
)
def test_a_node_without_such_effects_is_refused(made, node, said):
    with pytest.raises(WorldError, match=said):
        direct_effects(made, node)


def test_a_teams_own_tables_have_no_known_mechanism(made):
    with pytest.raises(WorldError, match="not made by make_world"):
        direct_effects(World(made.tables))
