"""Presets: five known positions, written as policies, each section with its source.

They are corners and landmarks to measure from. None is named as a recommendation:
the bill of each depends on the world it is sent into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ethicalai_lab.core.yaml import parse, to_data
from ethicalai_lab.errors import did_you_mean
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.policy import Policy

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PRESETS", "Preset", "preset", "preset_table"]


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


def _read() -> dict[str, Preset]:
    text = resources.files("ethicalai_lab.policy").joinpath("presets.yaml").read_text("utf-8")
    found = {}
    for name, said in to_data(parse(text)).items():
        sections = {path: part.get("decided") for path, part in said["sections"].items()}
        sources = {path: part["source"] for path, part in said["sections"].items()}
        found[name] = Preset(
            name, said["about"], MappingProxyType(sections), MappingProxyType(sources)
        )
    return found


PRESETS: Mapping[str, Preset] = MappingProxyType(_read())
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
