"""The knobs of the world, and the names it is built from."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ethicalai_lab.core.checks import Share, check_fields, number
from ethicalai_lab.world.errors import WorldError

__all__ = ["ARMS", "CATEGORIES", "CONSENT_DEFAULTS", "JURISDICTIONS", "PURPOSES", "WorldConfig"]

CATEGORIES = ("sports", "fashion", "home", "garden", "beauty", "wellness")
ARMS = ("no_mail", "sports_mail", "fashion_mail")
PURPOSES = ("analytics", "direct_marketing", "personalization", "third_party_sharing")
JURISDICTIONS = ("EU", "California", "other")
CONSENT_DEFAULTS = ("unticked", "nudged", "pre_ticked")

_Ratio = number(0.05, 1)  # a group of nobody is no group


@dataclass(frozen=True)
class WorldConfig:
    """The knobs of the world, checked when set.

    Parameters
    ----------
    label_bias : float, share from 0 to 1, default 0.5
        How strongly the old rule was prejudiced against ethnic groups C and D and
        against women of 55 and older: it lowers their logged score (by this many
        standard deviations of the score) and loses part of their responses from the
        legacy log (half of this share). 0 injects nothing. Touches ``legacy_log`` only.
    proxy_strength : float, share from 0 to 1, default 0.6
        How well postcode and surname reveal the ethnic group. 0 makes both
        independent of it.
    representation : float, ratio from 0.05 to 1, default 0.7
        Chance that a person of group C or D is a customer, relative to groups A and B.
        1 gives customers the shares of the population.
    effect_heterogeneity : float, share from 0 to 1, default 1.0
        How much the mails' effects differ between people. 0 gives each person the
        same effect; the average effect never changes.
    privacy_concern : float, mean on a 0 to 1 scale, default 0.5
        Average privacy concern of the people. It lowers acceptance of each purpose,
        and raises refusals, false answers and unsubscribing.
    register_coverage : float, share from 0 to 1, default 0.6
        Share of the customers who also stand in the public register.
    consent_default : {"unticked", "nudged", "pre_ticked"}, default "unticked"
        How consent was asked for: empty boxes, empty boxes under a page that presses
        for "accept all", or boxes already ticked.
    regime_mix : tuple of 3 floats, shares from 0 to 1 with sum 1, default (0.6, 0.15, 0.25)
        Shares of customers under the jurisdictions EU, California and other.

    Raises
    ------
    WorldError
        If a knob is outside its range, naming the knob and what it accepts.

    Examples
    --------
    >>> from ethicalai_lab.world import WorldConfig
    >>> WorldConfig(label_bias=0).label_bias
    0.0
    """

    label_bias: Share = 0.5
    proxy_strength: Share = 0.6
    representation: _Ratio = 0.7
    effect_heterogeneity: Share = 1.0
    privacy_concern: Share = 0.5
    register_coverage: Share = 0.6
    consent_default: Literal["unticked", "nudged", "pre_ticked"] = "unticked"
    regime_mix: tuple[float, float, float] = (0.6, 0.15, 0.25)

    def __post_init__(self) -> None:
        check_fields(self, WorldError)
        for name, value in asdict(self).items():
            if name not in ("consent_default", "regime_mix"):
                object.__setattr__(self, name, float(value))
        wanted = (
            f"regime_mix is {self.regime_mix!r}; three shares from 0 to 1 that sum to 1 are accepted "
            f"(for {', '.join(JURISDICTIONS)})."
        )
        try:
            mix = tuple(float(share) for share in self.regime_mix)
        except (TypeError, ValueError):
            raise WorldError(wanted) from None
        if (
            len(mix) != 3
            or isinstance(self.regime_mix, str)
            or not all(0 <= share <= 1 for share in mix)
            or not math.isclose(sum(mix), 1, abs_tol=1e-6)
        ):
            raise WorldError(wanted)
        object.__setattr__(self, "regime_mix", mix)

    def to_dict(self) -> dict[str, Any]:
        """Return the knobs as plain values, ready for JSON.

        Returns
        -------
        dict
            One entry a knob; ``regime_mix`` is a list.

        Examples
        --------
        >>> from ethicalai_lab.world import WorldConfig
        >>> WorldConfig(**WorldConfig().to_dict()) == WorldConfig()
        True
        """
        return {**asdict(self), "regime_mix": list(self.regime_mix)}
