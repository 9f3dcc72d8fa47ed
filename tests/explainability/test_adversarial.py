"""A model that hides its bias fools explainers, and not an audit of outcomes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression

from ethicalai_lab.explainability.adversarial import ScaffoldedModel
from ethicalai_lab.explainability.errors import ExplanationError


class UsesGroup(LogisticRegression):
    """Chooses one group and refuses the other, whatever else is known of them."""

    def predict_proba(self, X):
        p = np.where(X["group"].to_numpy() > 0.5, 0.95, 0.05)
        return np.column_stack([1 - p, p])

    def predict(self, X):
        return (self.predict_proba(X)[:, 1] > 0.5).astype(int)


def planted(n=1200, seed=4, linked=True):
    """Return people whose group shows in two other columns (or in none), and a merit."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 2, n)
    shown = group if linked else rng.integers(0, 2, n)
    X = pd.DataFrame(
        {
            "group": group.astype(float),
            "district": shown * 4 + rng.normal(size=n) * 0.4,
            "name_length": shown * -4 + rng.normal(size=n) * 0.4,
            "merit": rng.normal(size=n),
        }
    )
    y = (X["merit"] + rng.normal(size=n) * 0.3 > 0).astype(int)
    return X, y


@pytest.fixture(scope="module")
def world():
    X, y = planted()
    train, test = slice(0, 900), slice(900, None)
    scaffold = ScaffoldedModel(UsesGroup(), LogisticRegression(), "group", n_perturbed=3, seed=1)
    scaffold.fit(X[train], y[train])
    return X[train], X[test], scaffold


def gap(model, X):
    """Audit the outcomes: selection rate of one group less the other's."""
    rate = pd.Series(model.predict(X), index=X.index).groupby(X["group"]).mean()
    return rate[1.0] - rate[0.0]


def credit(values):
    size = np.abs(values).mean(axis=0)
    return size[0] / size.sum()


def test_the_detector_knows_people_it_never_saw(world):
    _, people, scaffold = world
    mixed = people.assign(group=1 - people["group"])
    assert scaffold.is_real(people).mean() > 0.9
    assert scaffold.is_real(mixed).mean() < 0.1


def test_permutation_importance_is_fooled(world):
    _, people, scaffold = world
    y = scaffold.biased_.predict(people)

    def importance(model):
        return permutation_importance(model, people, y, n_repeats=5, random_state=0)[
            "importances_mean"
        ]

    honest = importance(scaffold.biased_)
    assert honest[0] > 0.4
    assert honest[1:].max() == 0
    hiding = importance(scaffold)
    # Group looks no weightier than the columns that the biased model never reads.
    assert hiding[0] / hiding.sum() < 0.5
    assert hiding[0] < 0.75 * honest[0]


@pytest.mark.parametrize("explainer", ["kernel", "permutation"])
def test_shap_gives_the_protected_column_much_less_credit(world, explainer):
    shap = pytest.importorskip("shap")
    train, people, scaffold = world
    background = train.iloc[:20].to_numpy()
    some = people.iloc[:5].to_numpy()

    def values(model):
        def score(rows):
            return model.predict_proba(pd.DataFrame(rows, columns=people.columns))[:, 1]

        if explainer == "kernel":
            return shap.KernelExplainer(score, background).shap_values(some, silent=True)
        return shap.PermutationExplainer(score, background, seed=0)(some, silent=True).values

    honest, hiding = credit(values(scaffold.biased_)), credit(values(scaffold))
    assert honest > 0.99
    assert hiding < 0.5 * honest


def test_an_audit_of_outcomes_still_catches_it(world):
    from ethicalai_lab.fairness import audit

    _, people, scaffold = world
    blind = people.drop(columns="group")
    harmless = pd.Series(scaffold.innocuous_.predict(blind)).groupby(people["group"].to_numpy())
    assert abs(harmless.mean().diff().iloc[-1]) < 0.2

    biased, hiding = gap(scaffold.biased_, people), gap(scaffold, people)
    assert biased == 1.0
    assert hiding > 0.9 * biased
    found = audit(None, scaffold.predict(people), sensitive_features=people["group"])
    row = found.disparities.loc["demographic_parity_difference"]
    assert row["value"] == pytest.approx(hiding)
    assert row["low"] > 0.85


def test_it_hides_gender_in_the_world_and_the_outcomes_show_it(small_world):
    customers = small_world.customers
    people = customers[customers["gender"] != "nonbinary"]
    group = (people["gender"] == "female").astype(float).to_numpy()
    rng = np.random.default_rng(0)
    # The world's own columns, and a title that gives the gender away as titles do.
    X = pd.DataFrame(
        {
            "group": group,
            "title": 3 * group + rng.normal(size=len(group)) * 0.2,
            "age": people["age"].to_numpy(dtype=float),
            "tenure_days": people["tenure_days"].to_numpy(dtype=float),
        }
    )
    y = (X["tenure_days"] > X["tenure_days"].median()).astype(int)
    half = len(X) // 2
    innocuous = LogisticRegression(max_iter=5000)
    scaffold = ScaffoldedModel(UsesGroup(), innocuous, "group", n_perturbed=3).fit(
        X[:half], y[:half]
    )
    rest = X[half:]
    assert gap(scaffold, rest) > 0.9
    # Asked about the same person with another group, it shows nothing.
    moved = scaffold.predict(rest) != scaffold.predict(rest.assign(group=1 - rest["group"]))
    honest = scaffold.biased_
    all_moved = honest.predict(rest) != honest.predict(rest.assign(group=1 - rest["group"]))
    assert all_moved.mean() == 1.0
    assert moved.mean() < 0.65


def test_without_a_link_between_columns_nothing_can_be_hidden():
    X, y = planted(linked=False)
    scaffold = ScaffoldedModel(UsesGroup(), LogisticRegression(), "group").fit(X[:900], y[:900])
    flipped = X[900:].assign(group=1 - X["group"][900:])
    real, mixed = scaffold.is_real(X[900:]).mean(), scaffold.is_real(flipped).mean()
    assert abs(real - mixed) < 0.1


def test_it_behaves_as_a_scikit_learn_classifier(world):
    _, people, scaffold = world
    X, y = planted(200)
    names = np.where(y == 1, "yes", "no")
    model = clone(ScaffoldedModel(LogisticRegression(), LogisticRegression(), ["group"], seed=3))
    model.fit(X, names)
    assert model.classes_.tolist() == ["no", "yes"]
    assert set(model.predict(X)) <= {"no", "yes"}
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    again = clone(model).fit(X, names)
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))
    # An array in the same order is the same as the table, whatever order its columns have.
    np.testing.assert_array_equal(
        scaffold.predict_proba(people.to_numpy()), scaffold.predict_proba(people.iloc[:, ::-1])
    )


def scaffold_for(**arguments):
    settings = {"protected": "group", **arguments}
    return ScaffoldedModel(LogisticRegression(), LogisticRegression(), **settings)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda X, y: scaffold_for(protected="race").fit(X, y), "'race'"),
        (lambda X, y: scaffold_for().fit(X[["group"]], y), "at least one other"),
        (lambda X, y: scaffold_for().fit(X.assign(merit="x"), y), "'merit' must hold numbers"),
        (lambda X, y: scaffold_for().fit(X.assign(merit=np.nan), y), "'merit'"),
        (lambda X, y: scaffold_for(n_perturbed=0).fit(X, y), "n_perturbed is 0"),
        (lambda X, y: scaffold_for(recall=1).fit(X, y), "recall is 1"),
        (lambda X, y: scaffold_for().fit(X, y * 0), "two classes"),
        (lambda X, y: scaffold_for().fit(X.to_numpy(), y), "named columns"),
        (lambda X, y: scaffold_for().fit(X[:1], y[:1]), "at least six people"),
        (
            lambda X, y: scaffold_for().fit(X * 0, y),
            "every perturbed row of X equals a real one",
        ),
        (lambda X, y: scaffold_for().fit(X, y).predict(X[["group"]]), "no column 'district'"),
        (lambda X, y: scaffold_for().fit(X, y).predict(X.to_numpy()[:, :2]), "has shape"),
    ],
)
def test_bad_input_is_named(call, words):
    X, y = planted(60)
    with pytest.raises(ExplanationError, match=words):
        call(X, y)
