"""Presets: five known positions, written as policies, each section with its source.

They are corners and landmarks to measure from. None is named as a recommendation:
the bill of each depends on the world it is sent into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ethicalai_lab.errors import did_you_mean
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.policy import Policy

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PRESETS", "Preset", "preset", "preset_table"]

_OURS = "the numbers are this lab's assumption"


@dataclass(frozen=True)
class Preset:
    """A known position, written as a policy.

    Attributes
    ----------
    name : str
        What `preset` takes, such as ``"consent_first"``.
    about : str
        The position in one sentence.
    sections : mapping of str to mapping
        Decided fields of each section. What is left out stays undecided, and
        what is then assumed is said by `Policy.with_defaults`.
    sources : mapping of str to str
        For each decided section, where the position comes from, and which part
        of it is this lab's assumption.

    Examples
    --------
    >>> PRESETS["consent_first"].policy().consent.default
    'opt_in'
    """

    name: str
    about: str
    sections: Mapping[str, Mapping[str, Any]]
    sources: Mapping[str, str]

    def policy(self) -> Policy:
        """Return the policy; each section's reason names the preset and its source.

        Returns
        -------
        Policy

        Examples
        --------
        >>> PRESETS["privacy_first"].policy().data.reason.startswith("Preset privacy_first: ")
        True
        """
        made = Policy()
        for path, values in self.sections.items():
            reason = f"Preset {self.name}: {self.sources[path]}."
            made = made.decide(path, reason=reason, **values)
        return made


def _preset(name: str, about: str, **parts: tuple[dict[str, Any], str]) -> Preset:
    found = {path.replace("__", "."): part for path, part in parts.items()}
    return Preset(
        name,
        about,
        MappingProxyType({path: MappingProxyType(values) for path, (values, _) in found.items()}),
        MappingProxyType({path: source for path, (_, source) in found.items()}),
    )


_ALL = (
    _preset(
        "collect_everything",
        "Everything is kept and used for everyone, and asking is a formality.",
        personalization=(
            {"targeting": "everyone", "offer": "best_per_customer", "wording": "style_matched"},
            "the far corner of the scale; no source recommends it",
        ),
        data=(
            {"inferred_traits": True, "retention_days": 3650},
            "the opposite of data minimisation and storage limitation, GDPR Art. 5(1)(c) and (e); "
            + _OURS,
        ),
        pseudonymization=(
            {"method": "none"},
            "pseudonyms are a safeguard, GDPR Art. 4(5) and 25(1); here there are none",
        ),
        storage=(
            {"encryption": "none", "erasure": "mark_inactive", "erasure_days": 365},
            "the opposite of GDPR Art. 32, which names encryption; " + _OURS,
        ),
        consent=(
            {
                "default": "opt_out",
                "banner": "pre_ticked",
                "regime": "weakest_for_all",
                "honour_gpc": False,
                "reask_months": 0,
            },
            "boxes already ticked, which are not consent by GDPR Recital 32; how many more people "
            "say yes to them is disputed (Johnson, Bellman and Lohse 2002; Chandrashekar et al. "
            "2023); " + _OURS,
        ),
        transparency=(
            {"ai_disclosure": "none", "data_source_shown": False, "urgency_claims": "any"},
            "the corner in which nothing is said",
        ),
    ),
    _preset(
        "average_practice",
        "What is often met: likely buyers are mailed, addresses hashed, and the banner nudges.",
        personalization=(
            {"targeting": "response", "share": 0.5, "objective": "conversion", "contact_cap": 3},
            "a response model taken for an uplift model, the mistake that Radcliffe (2007) "
            "describes; " + _OURS,
        ),
        data=(
            {"inferred_traits": True, "retention_days": 1095},
            "GDPR Art. 5(1)(e) sets no number of days; " + _OURS,
        ),
        pseudonymization=(
            {"method": "hash"},
            "plain hashing, common enough for the FTC's staff to warn of it on 24 July 2024",
        ),
        storage=(
            {"encryption": "at_rest", "erasure": "delete_rows", "erasure_days": 30},
            "an answer within one month, GDPR Art. 12(3), taken as 30 days",
        ),
        consent=(
            {
                "default": "opt_in",
                "banner": "nudging",
                "regime": "per_jurisdiction",
                "honour_gpc": True,
                "reask_months": 6,
            },
            "of 680 UK sites, 11.8% met three minimal conditions for consent (Nouwens et al., "
            "CHI 2020); " + _OURS,
        ),
        transparency=(
            {"ai_disclosure": "footer", "data_source_shown": False, "urgency_claims": "any"},
            "no survey is at hand; this lab's assumption",
        ),
    ),
    _preset(
        "privacy_first",
        "Few columns, kept for a short time; shared tables are coarse, published counts noisy.",
        personalization=(
            {"targeting": "uplift", "share": 0.3, "wording": "generic", "contact_cap": 1},
            "uplift can reduce contacts; " + _OURS,
        ),
        data=(
            {
                "features": ["recency", "sports", "fashion"],
                "inferred_traits": False,
                "retention_days": 90,
                "zero_party_questions": ["favourite_category", "contact_frequency"],
            },
            "data protection by default, GDPR Art. 25(2): amount, extent and storage period; "
            + _OURS,
        ),
        pseudonymization=(
            {
                "method": "keyed",
                "key_rotation_days": 30,
                "per_purpose": True,
                "per_partner": True,
                "key_holder": "separate_team",
            },
            "additional information kept separately, GDPR Art. 4(5); " + _OURS,
        ),
        storage=(
            {"encryption": "per_person_key", "erasure": "destroy_key", "erasure_days": 7},
            "one key a person, destroyed on erasure: cryptographic erase, NIST SP 800-88; " + _OURS,
        ),
        anonymization=(
            {
                "generalization": "mondrian",
                "k": 20,
                "l": 2,
                "suppression": 0.02,
                "epsilon": 1.0,
                "epsilon_days": 365,
            },
            "a shared table is made coarser and carries no noise; the counts that are published "
            "do, added in the house, not on the device as in Apple's Learning with Privacy at "
            "Scale (2017), which is not about ads; no law sets an epsilon; " + _OURS,
        ),
        consent=(
            {"default": "opt_in", "banner": "neutral", "regime": "strictest_for_all"}
            | {"honour_gpc": True, "reask_months": 12},
            "a clear affirmative action, GDPR Art. 4(11)",
        ),
    ),
    _preset(
        "consent_first",
        "Nothing is used before a free yes, a no is kept, and people read what is done.",
        personalization=(
            {"targeting": "uplift", "share": 0.5, "contact_cap": 2},
            "consent decides who may be ranked at all; " + _OURS,
        ),
        data=(
            {
                "inferred_traits": False,
                "retention_days": 365,
                "zero_party_questions": ["favourite_category", "contact_frequency"],
            },
            "traits that can be deduced fall under GDPR Art. 9 and would need explicit consent; "
            + _OURS,
        ),
        consent=(
            {
                "default": "opt_in",
                "banner": "neutral",
                "regime": "strictest_for_all",
                "purposes": [
                    "analytics",
                    "direct_marketing",
                    "personalization",
                    "third_party_sharing",
                ],
                "honour_gpc": True,
                "reask_months": 12,
            },
            "withdrawing as easy as giving, GDPR Art. 7(3); purposes asked one by one, Recital 43; "
            "the signal honoured, 11 CCR 7025",
        ),
        explanations=(
            {"method": "shapley_values", "reasons_shown": 3, "notice": "layered"},
            "an intelligible account of what was actually applied, as GDPR Art. 15 asks of "
            "automated decisions; " + _OURS,
        ),
        transparency=(
            {"ai_disclosure": "upfront", "data_source_shown": True}
            | {"urgency_claims": "only_if_true"},
            "the main parameters of targeting and how to change them, as DSA Art. 26(1) asks of "
            "platforms",
        ),
    ),
    _preset(
        "fairness_first",
        "Gaps between groups are measured at every campaign, and repaired at a stated cost.",
        personalization=(
            {"targeting": "uplift", "share": 0.3},
            "who is helped, rather than who buys anyway; " + _OURS,
        ),
        data=(
            {"inferred_traits": False},
            "traits guessed about people are left out; proxies remain (Feldman et al., KDD 2015)",
        ),
        fairness__audit=(
            {
                "metric": "demographic_parity_difference",
                "groups": ["gender", "ethnic_group"],
                "intersections": True,
                "tolerance": 0.05,
                "reviewer": "external_auditor",
                "frequency": "every_campaign",
                "min_group_size": 100,
            },
            "marginal checks can pass while a cell fails (Kearns et al. 2018); no law sets a "
            "tolerance for ads; " + _OURS,
        ),
        fairness__mitigation=(
            {
                "method": "exponentiated_gradient",
                "constraint": "demographic_parity",
                "max_value_loss": 0.1,
            },
            "the reductions approach of Agarwal et al., ICML 2018; " + _OURS,
        ),
    ),
)

PRESETS: Mapping[str, Preset] = MappingProxyType({each.name: each for each in _ALL})
"""Every preset by its name."""


def preset(name: str) -> Policy:
    """Return the policy of a preset.

    Parameters
    ----------
    name : str
        One of `PRESETS`.

    Returns
    -------
    Policy

    Raises
    ------
    PolicyError
        When there is no such preset.

    Examples
    --------
    >>> preset("average_practice").pseudonymization.method
    'hash'
    """
    if name not in PRESETS:
        hint = did_you_mean(str(name), PRESETS)
        raise PolicyError(f'There is no preset "{name}"; accepted: {", ".join(PRESETS)}.{hint}')
    return PRESETS[name].policy()


def preset_table() -> pd.DataFrame:
    """Return every decision of every preset, with its source.

    Returns
    -------
    pandas.DataFrame
        One row a decided field; columns preset, field, value, source.

    Examples
    --------
    >>> preset_table().query("field == 'consent.banner'").set_index("preset")["value"].to_dict()
    ... # doctest: +NORMALIZE_WHITESPACE
    {'collect_everything': 'pre_ticked', 'average_practice': 'nudging',
     'privacy_first': 'neutral', 'consent_first': 'neutral'}
    """
    import pandas as pd

    rows = [
        (each.name, f"{path}.{field}", value, each.sources[path])
        for each in PRESETS.values()
        for path, values in each.sections.items()
        for field, value in values.items()
    ]
    return pd.DataFrame(rows, columns=["preset", "field", "value", "source"]).astype(
        {"preset": "object", "value": "object"}
    )
