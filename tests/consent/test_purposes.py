"""Purposes: the packaged file, its round trip, and every complaint."""

import pytest

from ethicalai_lab.consent import ConsentError, Purposes
from ethicalai_lab.consent.purposes import DPV_PURPOSES, REGIMES, TCF_PURPOSES

FOUR = ("analytics", "direct_marketing", "personalization", "third_party_sharing")


@pytest.fixture(scope="module")
def purposes():
    return Purposes.default()


def test_the_world_s_purposes_are_all_there_and_asked(purposes, small_world):
    named = set(small_world.consent_events["purpose"].cat.categories)
    assert named == set(FOUR) <= set(purposes)
    for regime in REGIMES:
        assert set(FOUR) <= set(purposes.asked(regime))


def test_every_column_of_the_world_s_people_has_a_category(purposes, small_world):
    for frame in (small_world.customers, small_world.campaign, small_world.messages):
        for column in frame.columns:
            if column not in ("customer_id", "time"):
                assert purposes.category_of(column) is not None, column


def test_save_and_load_give_equal_purposes(purposes, tmp_path):
    purposes.save(tmp_path / "mine.yaml")
    again = Purposes.load(tmp_path / "mine.yaml")
    assert again == purposes
    assert again.to_yaml() == purposes.to_yaml()


def test_dpv_is_a_graph_whose_parents_exist():
    assert DPV_PURPOSES["PersonalisedAdvertising"] == ("Advertising", "Personalisation")
    assert all(parent in DPV_PURPOSES for parents in DPV_PURPOSES.values() for parent in parents)
    assert len(TCF_PURPOSES) == 11
    assert TCF_PURPOSES[1] == "Store and/or access information on a device"


def test_an_unknown_purpose_is_named_with_a_suggestion(purposes):
    with pytest.raises(ConsentError, match='Did you mean "direct_marketing"'):
        purposes["direct_marketng"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dpv: DirectMarketing", "dpv: Directmarketing", 'Did you mean "DirectMarketing"'),
        ("tcf: [5, 6]", "tcf: [5, 12]", "from 1 to 11"),
        ("tcf: [5, 6]", "tcf: [5, 5]", "twice"),
        ("retention_days: 90", "retention_days: 0", "days from 1"),
        ("retention_days: 90", "retention_days: soon", "days from 1"),
        ("recipients: [ad_platform, data_partner]", "recipients: []", "list"),
        ("gdpr: explicit_consent", "gdpr: legitimate_interests", "Art 9"),
        ("ccpa: limit_use", "ccpa: consent", "accepted are opt_in"),
        ("sale_or_sharing: true", "sale_or_sharing: maybe", "true or false"),
        ("objection_covers: [personalization,", "objection_covers: [personalisation,", "mean"),
        ("title: Detect and prevent fraud", "titel: x", 'Did you mean "title"'),
        ("data: [behaviour, transactions, health]", "data: [weather]", "accepted are contact"),
        ("origin: observed", "origin: guessed", "provided, observed, inferred"),
        ("columns: [score, propensity]", "columns: [score, text]", "belongs to one category"),
    ],
)
def test_a_fault_is_told_with_its_line(purposes, old, new, message):
    text = purposes.to_yaml()
    assert old in text
    with pytest.raises(ConsentError, match=r"line \d+") as error:
        Purposes.parse(text.replace(old, new, 1))
    assert message in str(error.value)


def test_tcf_purposes_that_take_consent_only_refuse_another_basis(purposes):
    text = purposes.to_yaml().replace(
        "tcf: [5, 6]\n    basis: {gdpr: consent", "tcf: [5, 6]\n    basis: {gdpr: contract", 1
    )
    with pytest.raises(ConsentError, match="TCF purpose 5 rests on consent only"):
        Purposes.parse(text)


@pytest.mark.parametrize("text", ["", "a: 1", "purposes: []", "- x", "data_categories: {}"])
def test_what_is_no_purposes_file_is_refused(text):
    with pytest.raises(ConsentError):
        Purposes.parse(text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConsentError, match="no such purposes file"):
        Purposes.load(tmp_path / "none.yaml")
