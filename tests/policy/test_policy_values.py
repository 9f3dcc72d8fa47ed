"""Deciding: what a policy accepts, refuses, assumes and shows."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pydantic
import pytest

from ethicalai_lab.errors import InputError
from ethicalai_lab.policy import SECTIONS, Policy, PolicyError, my_policy_path
from ethicalai_lab.policy import sections as s


def test_nothing_is_decided_at_first():
    policy = Policy()
    assert policy.undecided() == list(SECTIONS)
    assert len(SECTIONS) == 12
    assert policy.to_dict() == {"version": 1}
    assert policy.personalization is None
    assert policy.fairness.audit is None


def test_decide_gives_a_new_policy_and_keeps_earlier_decisions():
    first = Policy().decide("personalization", targeting="uplift", share=0.3, reason="why")
    second = first.decide("personalization", share=0.1)
    assert first.personalization.share == 0.3
    assert second.personalization.share == 0.1
    assert second.personalization.targeting == "uplift"
    assert second.personalization.reason == "why"
    assert "personalization" not in second.undecided()
    assert second.decisions == {
        "personalization": {"targeting": "uplift", "share": 0.1, "reason": "why"}
    }


def test_sections_inside_fairness_are_decided_by_their_path():
    policy = Policy().decide("fairness.audit", metric="equalized_odds_difference")
    assert policy.fairness.audit.metric == "equalized_odds_difference"
    assert policy.fairness.mitigation is None
    assert policy["fairness.audit.metric"] == "equalized_odds_difference"
    assert policy.section("fairness.audit") is policy.fairness.audit
    with pytest.raises(PolicyError, match=r'Say "fairness\.audit" or "fairness\.mitigation"'):
        policy.decide("fairness", metric="x")


def test_a_policy_is_frozen():
    policy = Policy().decide("log", kind="merkle_tree")
    with pytest.raises(pydantic.ValidationError):
        policy.version = 1
    with pytest.raises(pydantic.ValidationError):
        policy.log.kind = "none"


def test_what_is_made_undecided_again_is_gone():
    policy = Policy().decide("fairness.audit", tolerance=0.1).decide("storage", erasure_days=30)
    policy = policy.decide("storage", erasure_days=None)
    assert policy.storage is None
    assert policy.decide("fairness.audit", tolerance=None) == Policy()
    reasoned = Policy().decide("duty", dpia="none", reason="a slip")
    assert reasoned.decide("duty", reason=None).decisions == {"duty": {"dpia": "none"}}


def test_a_reason_alone_decides_nothing():
    policy = Policy().decide("duty", reason="not yet")
    assert "duty" in policy.undecided()
    assert policy.duty.reason == "not yet"


def test_numpy_values_are_taken_as_what_they_hold():
    policy = Policy().decide(
        "fairness.audit",
        tolerance=np.float64(0.1),
        min_group_size=np.int64(30),
        intersections=np.bool_(True),
        groups=pd.Index(["gender", "region"]),
    )
    audit = policy.fairness.audit
    assert type(audit.tolerance) is float
    assert type(audit.min_group_size) is int
    assert audit.intersections is True
    assert audit.groups == ["gender", "region"]
    assert Policy().decide("data", features={"b", "a"}).data.features == ["a", "b"]
    assert Policy().decide("data", features=("b", "a")).data.features == ["b", "a"]


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("personalization", {"share": 1.01}, "share is 1.01; accepted: a number from 0 to 1."),
        ("personalization", {"share": float("nan")}, "share is nan; accepted: a number from 0 to"),
        ("personalization", {"share": "0.3"}, 'share is "0.3"; accepted: a number from 0 to 1.'),
        ("personalization", {"share": True}, "share is yes; accepted: a number from 0 to 1."),
        ("personalization", {"contact_cap": 1.5}, "contact_cap is 1.5; accepted: a whole number"),
        ("personalization", {"contact_cap": -1}, "from 0 to 50."),
        ("personalization", {"targeting": "Uplift"}, 'Did you mean "uplift"?'),
        ("personalization", {"tageting": "uplift"}, 'Did you mean "targeting"?'),
        ("personalization", {"kind": "none"}, "It belongs in log."),
        ("anonymization", {"epsilon": 0}, "epsilon is 0; accepted: a number above 0 up to 100."),
        ("data", {"features": "age"}, 'features is "age"; accepted: a list of names.'),
        ("data", {"features": [""]}, "an item of data.features is"),
        ("data", {"features": ["a", "b", "a"]}, 'names "a" twice; name it once.'),
        ("fairness.audit", {"groups": []}, "with at least one name."),
        ("consent", {"purposes": ["analytics", "marketing"]}, 'Did you mean "direct_marketing"?'),
        ("consent", {"honour_gpc": "maybe"}, 'honour_gpc is "maybe"; accepted: yes or no.'),
        ("pseudonymization", {"method": "hash", "per_partner": True}, "the method hash has no key"),
        ("pseudonymization", {"method": "none", "key_rotation_days": 30}, "key_rotation_days is"),
        ("storage", {"encryption": "at_rest", "erasure": "destroy_key"}, "per_person_key"),
        ("log", {"kind": "plain_file", "witness": "external"}, "has no head to keep"),
        ("duty", {"reason": "\ud800"}, "reason holds a character that no text file can hold"),
    ],
)
def test_what_is_not_accepted_is_said_in_one_sentence(section, values, message):
    before = Policy().decide("consent", default="opt_in")
    with pytest.raises(PolicyError) as caught:
        before.decide(section, **values)
    assert isinstance(caught.value, InputError)
    assert message in str(caught.value)
    assert str(caught.value).startswith((section, "there is no", "an item of"))
    assert "\n" not in str(caught.value)
    assert before == Policy().decide("consent", default="opt_in")


def test_all_faults_are_told_at_once():
    with pytest.raises(PolicyError) as caught:
        Policy(personalization={"share": 3, "targeting": "x"}, log=3, foo=1, version=2)
    faults = caught.value.faults
    assert len(faults) == 5
    assert str(caught.value).splitlines() == list(faults)
    assert all(fault.endswith((".", "?")) for fault in faults)


def test_unknown_sections_and_fields_are_refused():
    for call in (Policy().section, Policy().decide):
        with pytest.raises(PolicyError, match='Did you mean "consent"'):
            call("consents")
    with pytest.raises(PolicyError, match=r'Did you mean "personalization\.share"'):
        Policy()["personalization.shar"]


# -- what is assumed while undecided


def test_defaults_fill_every_field_but_those_without_a_value():
    policy = Policy.default()
    assert policy.undecided() == []
    left = {path for path in s.FIELDS if policy[path] is None and not path.endswith(".reason")}
    assert left == {path for path in s.FIELDS if s.assumed(path) is None} - {
        path for path in s.FIELDS if path.endswith(".reason")
    }
    assert policy.with_defaults() == policy


def test_what_is_decided_wins_over_what_is_assumed():
    policy = Policy().decide("personalization", share=0.2).with_defaults()
    assert policy["personalization.share"] == 0.2
    assert policy["personalization.targeting"] == "everyone"


@pytest.mark.parametrize(
    ("section", "values", "fallen"),
    [
        ("pseudonymization", {"key_rotation_days": 30, "per_purpose": True}, "key_rotation_days"),
        ("pseudonymization", {"key_holder": "third_party"}, "key_holder"),
        ("storage", {"erasure": "destroy_key"}, "erasure"),
        ("log", {"witness": "external"}, "witness"),
    ],
)
def test_a_decision_that_rests_on_a_missing_one_falls_back(section, values, fallen):
    policy = Policy().decide(section, **values)
    assert policy.with_defaults()[f"{section}.{fallen}"] == s.assumed(f"{section}.{fallen}")


@pytest.mark.parametrize("path", s.FIELDS)
def test_what_is_assumed_is_itself_accepted(path):
    section, _, name = path.rpartition(".")
    assumed = s.assumed(path)
    assert Policy().decide(section, **{name: assumed})[path] == assumed


# -- showing


@pytest.mark.parametrize("path", s.FIELDS)
def test_each_field_has_a_meaning_and_numbers_have_unit_and_range(path):
    info = s.FIELDS[path]
    assert s.meaning(path).endswith(".")
    assert "_" not in s.accepted(path).split(" ")[0] or s.choices(path)
    low, high, _ = s.limits(path)
    kind = str(info.annotation)
    if "int" in kind or "float" in kind:
        assert s.unit(path)
        assert low is not None
        assert high is not None
        section, _, name = path.rpartition(".")
        for inside in (high,):
            assert Policy().decide(section, **{name: inside})[path] == inside
        for outside in (high + 1, low - 1):
            with pytest.raises(PolicyError, match="accepted: a"):
                Policy().decide(section, **{name: outside})


def test_html_is_well_formed_escaped_and_says_undecided_in_words():
    policy = Policy().decide("data", features=["<b>&age"], reason="a < b")
    text = policy._repr_html_()
    root = ET.fromstring(text)
    assert "1 of 12 sections decided" in "".join(root.itertext())
    assert "<b>&age" in "".join(root.itertext())
    assert len(root.findall(".//th[@scope='rowgroup']")) == len(SECTIONS)
    assert sum("undecided" in (cell.text or "") for cell in root.iter("em")) == len(SECTIONS)


def test_text_lists_decisions():
    text = str(Policy().decide("storage", encryption="at_rest"))
    assert "storage:\n  encryption: at_rest\n  (2 more undecided)" in text
    assert text.count(": undecided") == 11


def test_own_policy_lives_in_the_work_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("ETHICALAI_LAB_WORK", str(tmp_path))
    assert my_policy_path() == tmp_path / "my_policy.yaml"
    policy = Policy.open()
    assert policy == Policy()
    assert not my_policy_path().exists()
    policy.decide("consent", default="opt_in").save()
    assert Policy.open().consent.default == "opt_in"
    monkeypatch.delenv("ETHICALAI_LAB_WORK")
    monkeypatch.chdir(tmp_path)
    assert Policy.open().consent.default == "opt_in"


def test_importing_the_room_is_cheap(repo):
    import subprocess
    import sys

    code = (
        "import sys, ethicalai_lab.policy as p; a = 'pydantic' in sys.modules; p.Policy; "
        "print(a, 'pandas' in sys.modules, 'sklearn' in sys.modules)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=repo
    ).stdout
    assert out.split() == ["False", "False", "False"]


def test_the_words_used_promise_nothing():
    text = Policy.template() + " ".join(map(s.meaning, s.FIELDS))
    assert not re.search(r"(?i)debias|fully anonymous|compliant|unbiased", text)
