"""Presets: real policies, each decision with a source, none recommended."""

import re

import pytest

from ethicalai_lab.cli import main
from ethicalai_lab.policy import PRESETS, SECTIONS, Policy, PolicyError, preset, preset_table


def test_the_five_positions_are_there():
    assert list(PRESETS) == [
        "collect_everything",
        "average_practice",
        "privacy_first",
        "consent_first",
        "fairness_first",
    ]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_policy_that_survives_its_file(name, tmp_path):
    made = preset(name)
    made.save(tmp_path / "p.yaml")
    assert Policy.load(tmp_path / "p.yaml") == made
    decided = set(SECTIONS) - set(made.undecided())
    assert decided == set(PRESETS[name].sections) == set(PRESETS[name].sources)


@pytest.mark.parametrize("name", PRESETS)
def test_each_section_says_where_it_comes_from(name):
    made = preset(name)
    for path in PRESETS[name].sections:
        reason = made[f"{path}.reason"]
        assert reason.startswith(f"Preset {name}: ")
        # a source of the field, or the plain word that it is ours
        assert re.search(r"GDPR|FTC|NIST|DSA|CCR|et al\.|\(\d{4}\)|assumption|corner", reason)
        assert len(reason) > 40
    text = " ".join([PRESETS[name].about, *PRESETS[name].sources.values()])
    assert not re.search(r"(?<!no source )recommend(?!s it)|\bbest practice\b|compliant", text)


def test_numbers_that_no_source_gives_are_called_ours():
    table = preset_table()
    numbers = table[table["value"].map(lambda v: type(v) in (int, float))]
    # the law's month, and the twelve months of California, are in the fact sheet
    of_law = numbers["field"].isin(["storage.erasure_days", "consent.reask_months"])
    ours = numbers[~of_law]
    assert ours["source"].str.contains("this lab's assumption").all()
    assert len(ours) >= 15


def test_presets_are_as_far_apart_as_they_say():
    everything, privacy = preset("collect_everything"), preset("privacy_first")
    assert everything.data.retention_days > 10 * privacy.data.retention_days
    assert everything.consent.default != privacy.consent.default
    assert privacy.with_defaults().anonymization.k > everything.with_defaults().anonymization.k


def test_an_unknown_preset_is_one_sentence():
    with pytest.raises(PolicyError, match=r'no preset "consent-frist".*Did you mean "consent_fi'):
        preset("consent-frist")


def test_the_command_begins_from_a_preset(tmp_path, capsys):
    path = tmp_path / "p.yaml"
    assert main(["policy", "new", str(path), "--preset", "consent_first"]) == 0
    assert "5 of 12 sections decided" in capsys.readouterr().out
    assert Policy.load(path) == preset("consent_first")
    other = tmp_path / "q.yaml"
    assert main(["policy", "new", str(other), "--preset", "nobody"]) == 2
    assert "no preset" in capsys.readouterr().err
    assert not other.exists()
