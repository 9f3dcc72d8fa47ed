"""What a page offers for a field: the names that a list may hold, the stops of a slider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethicalai_lab.policy import sections
from ethicalai_lab.policy.errors import PolicyError

if TYPE_CHECKING:
    from ethicalai_lab.policy.evaluation import PolicyLab

__all__ = ["list_assumed", "list_options", "stops"]


def list_options(path: str, lab: PolicyLab) -> tuple[str, ...]:
    """Return the names that a field which holds a list may hold on a lab's world.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.policy import PolicyLab
    >>> lab = PolicyLab(make_world(200, seed=1), n_boot=0)
    >>> list_options("fairness.audit.groups", lab)[:2]
    ('gender', 'ethnic_group')
    """
    words = sections.choices(path)
    if words:
        return words
    context = lab.context
    if path == "data.features":
        from ethicalai_lab.policy.modelling import COLUMNS

        return tuple(COLUMNS)
    if path == "data.zero_party_questions":
        return tuple(map(str, context.world.preferences["question"].cat.categories))
    if path == "anonymization.quasi_identifiers":
        from ethicalai_lab.policy.publishing import DETAIL

        return tuple(DETAIL)
    return (*context.groups, "region", "education", "jurisdiction", "loyalty_tier")


def list_assumed(path: str, lab: PolicyLab) -> tuple[str, ...]:
    """Return what a field that holds a list stands for on a lab's world while undecided.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.policy import PolicyLab
    >>> list_assumed("anonymization.quasi_identifiers", PolicyLab(make_world(200, seed=1)))
    ('age', 'gender', 'postcode')
    """
    if path == "data.features":
        return list_options(path, lab)
    if path == "anonymization.quasi_identifiers":
        from ethicalai_lab.policy.publishing import quasi_identifiers

        return tuple(quasi_identifiers(lab.context, None))
    return tuple(sections.assumed(path) or ())


_SERIES = (1, 1.5, 2, 3, 5, 7)
_DAYS = (1, 2, 3, 7, 14, 30, 60, 90, 120, 180, 270, 365, 545, 730, 1095, 1460, 1825, 2555, 3650)
_LOG = {
    "anonymization.k": (1, 10_000),
    "anonymization.l": (1, 1_000),
    "fairness.audit.min_group_size": (1, 1_000_000),
    "personalization.contact_cost": (0.01, 1_000),
    "personalization.unsubscribe_cost": (0.1, 10_000),
    "anonymization.epsilon": (0.01, 100),
}


def stops(path: str) -> tuple[float, ...] | tuple[int, ...]:
    """Return where a number's slider stops: by ratios where ratios matter, else evenly.

    Examples
    --------
    >>> stops("anonymization.k")[:8]
    (1, 2, 3, 5, 7, 10, 15, 20)
    >>> stops("data.retention_days")[-2:]
    (2555, 3650)
    """
    low, high, _ = sections.limits(path)
    if low is None or high is None:
        raise PolicyError(f"{path} is no number with two limits.")
    whole = sections.kind(path) is int
    if path.endswith("_days") and high > 3_000:
        return tuple(dict.fromkeys((*(d for d in _DAYS if low <= d <= high), int(high))))
    if path in _LOG:
        return _by_ratio(*_LOG[path], whole=whole, zero=low == 0 and not path.endswith("epsilon"))
    if whole:
        return tuple(range(int(low), int(high) + 1, 1 if high - low <= 400 else 10))
    return tuple(round(low + i / 100, 6) for i in range(round(100 * (high - low)) + 1))


def _by_ratio(first: float, last: float, *, whole: bool, zero: bool) -> tuple[float, ...]:
    parts = (round(part * 10.0**power, 6) for power in range(-3, 8) for part in _SERIES)
    found = [x for x in parts if first <= x <= last and (not whole or x == int(x))]
    return tuple(dict.fromkeys(int(x) if whole else x for x in ([0.0] if zero else []) + found))
