"""Purposes: what the packaged file must say."""

import pytest

from ethicalai_lab.consent import ConsentError, tcf
from ethicalai_lab.consent.purposes import BASES, REGIMES

FOUR = ("analytics", "direct_marketing", "personalization", "third_party_sharing")
# terms of DPV 2.3
DPV = {
    *("DirectMarketing", "Personalisation", "TargetedAdvertising", "RequestedServiceProvision"),
    *("ProvideProductRecommendations", "ServiceUsageAnalytics", "FraudPreventionAndDetection"),
}
# California tells what to say and what may be refused, and lists no lawful bases; "other" is the
# lab's third rule, after the pattern of several US states
LAWFUL = ("consent", "explicit_consent", "legitimate_interests", "contract", "legal_obligation")


def test_the_world_s_purposes_are_all_there_and_asked(purposes, small_world):
    named = set(small_world.consent_events["purpose"].cat.categories)
    assert named == set(FOUR) <= set(purposes)
    for regime in REGIMES:
        assert set(FOUR) <= set(purposes.asked(regime))


def test_every_column_of_the_world_s_people_has_one_category(purposes, small_world):
    columns = [c for kind in purposes.categories.values() for c in kind.columns]
    assert len(columns) == len(set(columns))
    for frame in (small_world.customers, small_world.campaign, small_world.messages):
        assert set(frame.columns) - {"customer_id", "time"} <= set(columns)
    origins = {kind.origin for kind in purposes.categories.values()}
    assert origins == {"provided", "observed", "inferred"}


def test_every_basis_is_one_its_law_knows(purposes):
    for purpose in purposes.values():
        assert purpose.dpv in DPV
        assert 1 <= purpose.retention_days <= 36_525
        assert purpose.recipients
        assert set(purpose.basis) == set(REGIMES)
        for regime, basis in purpose.basis.items():
            assert basis in BASES
            assert (basis in LAWFUL) == (regime == "gdpr")
        assert set(purpose.objection_covers) <= set(purposes) - {purpose.name}
        if any(purposes.categories[kind].sensitive for kind in purpose.data):
            # neither contract nor legitimate interests carries special categories (Art 9(2))
            assert purpose.basis["gdpr"] == "explicit_consent"
        if purpose.sale_or_sharing:
            assert purpose.basis["ccpa"] in ("opt_out", "opt_in")
        for number in purpose.tcf:
            assert number in tcf.PURPOSES
            assert number not in (1, 3, 4, 5, 6) or "consent" in purpose.basis["gdpr"]


def test_only_a_choice_that_may_be_refused_is_presumed():
    for name, basis in BASES.items():
        assert not basis.presumed or (basis.unasked and basis.refusable), name


def test_an_unknown_purpose_is_named_with_a_suggestion(purposes):
    with pytest.raises(ConsentError, match='Did you mean "direct_marketing"'):
        purposes["direct_marketng"]
