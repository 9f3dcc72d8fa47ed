"""Scorecards side by side, with intervals of their differences.

References
----------
Newcombe, R. G. (1998). Interval estimation for the difference between independent
proportions: comparison of eleven methods. Statistics in Medicine 17, 873-890.

Zou, G. Y. and Donner, A. (2008). Construction of confidence limits about effect measures:
a general approach. Statistics in Medicine 27, 1693-1702.

Efron, B. and Tibshirani, R. J. (1993). An Introduction to the Bootstrap. Chapman & Hall.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.core.report import render
from ethicalai_lab.errors import did_you_mean
from ethicalai_lab.policy import wording
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.measure import DIMENSIONS, DIRECTIONS, Measure, refit_bounds
from ethicalai_lab.policy.scorecard import Scorecard
from ethicalai_lab.policy.stages import widened
from ethicalai_lab.stats import percentile_interval

__all__ = ["READINGS", "Comparison", "compare_scorecards", "difference_of", "shown_difference"]

READINGS = ("better", "worse", "cannot tell", "needs refits", "same", "")


@dataclass(frozen=True, eq=False)
class Comparison:
    """Scorecards side by side, with their differences to the first one.

    Attributes
    ----------
    names : tuple of str
        What the cards are called.
    cards : tuple of Scorecard
        The cards, in the same order.
    table : pandas.DataFrame
        One row a measure: dimension, measure, unit, direction, one column a card, then
        difference, low, high, paired, refits (whether the bounds are over them), reading and
        needs. With more than two cards these
        columns are there for each later card, as ``"difference: NAME"``.

    Notes
    -----
    A difference is the later card minus the first. Where both cards hold replicates on
    the same resamples of people, it is taken on each resample (`paired`): what moves both
    cards alike then cancels. Else the interval is put together from the two cards' own
    (Zou and Donner 2008), which supposes that the two are independent. Where chance in
    learning moves the measure it must exclude zero over refits as well; without them the
    reading is ``"needs refits"``. Counts on other people, or under another seed, are no
    verdict on the policies.
    """

    names: tuple[str, ...]
    cards: tuple[Scorecard, ...]
    table: pd.DataFrame = field(repr=False)

    def against(self, name: str) -> pd.DataFrame:
        """Return the comparison of a later card with the first, as one of the two alone."""
        if name not in self.names[1:]:
            raise PolicyError(
                f'there is no later card "{name}"; accepted are {", ".join(self.names[1:])}.'
                f"{did_you_mean(name, self.names[1:])}"
            )
        at = self.names.index(name)
        return _pair_table(self.names[0], self.cards[0], name, self.cards[at], _keys(self.cards))

    @property
    def summary(self) -> str:
        """How many measures read better, worse or neither, in a sentence a card."""
        out = []
        for name in self.names[1:]:
            readings = self.against(name)["reading"].tolist()
            counts = [f"{readings.count(word)} {word}" for word in READINGS if word]
            out.append(f"{name} against {self.names[0]}: {', '.join(counts)}.")
        return " ".join(out)

    def _repr_html_(self) -> str:
        return render(
            "policy/templates/comparison.html",
            comparison=self,
            heads=self._heads(),
            groups=self._groups(),
        )

    def _heads(self) -> list[str]:
        heads = ["measure", *self.names]
        for name in self.names[1:]:
            tail = f": {name}" if len(self.names) > 2 else ""
            heads += [f"{head}{tail}" for head in ("difference (interval)", "paired", "reading")]
        return heads

    def _groups(self) -> list[tuple[str, list[list[str]]]]:
        pairs = [self.against(name).to_dict("records") for name in self.names[1:]]
        groups: dict[str, list[list[str]]] = {}
        for position, key in enumerate(_keys(self.cards)):
            dimension, _, name = key.partition(".")
            holder = next(card[key] for card in self.cards if key in card)
            row = [f"{name} ({holder.shown_unit}; {DIRECTIONS[holder.direction]})"]
            for own, card in zip(self.names, self.cards, strict=True):
                row.append(card[key].shown if key in card else _absent(own))
            for pair in pairs:
                row += _shown_line(holder, pair[position])
            groups.setdefault(dimension, []).append(row)
        return list(groups.items())


def shown_difference(measure: Measure, line: Mapping[str, Any]) -> str:
    """Return a difference with its interval as people read it, a line of a comparison's table."""
    unit = wording.POINTS if wording.is_share(measure.unit) else measure.unit
    low, high = (None if math.isnan(line[name]) else line[name] for name in ("low", "high"))
    return wording.with_interval(line["difference"], low, high, unit, sign=True)


def _shown_line(measure: Measure, line: Mapping[str, Any]) -> list[str]:
    if math.isnan(line["difference"]):
        return ["", "", ""]
    drawn_on = "over refits" if line["refits"] else "yes" if line["paired"] else "no"
    return [shown_difference(measure, line), drawn_on, line["reading"]]


def compare_scorecards(
    first: Scorecard,
    second: Scorecard,
    *more: Scorecard,
    names: Sequence[str] | None = None,
) -> Comparison:
    """Compare scorecards with the first one, measure by measure.

    Parameters
    ----------
    first, second, *more : Scorecard
        The cards; each later one is compared with the first.
    names : sequence of str, optional
        What to call them; ``"first"``, ``"second"``, ``"third"``, … unless told.

    Returns
    -------
    Comparison

    Raises
    ------
    PolicyError
        If a name is missing, blank or there twice, or two cards give one measure in
        different units or directions.

    References
    ----------
    Efron and Tibshirani (1993), Newcombe (1998), Zou and Donner (2008), see the module.

    Examples
    --------
    >>> from ethicalai_lab.policy import Policy
    >>> def card(value, draws):
    ...     return Scorecard([Measure(
    ...         "value", "profit", "Profit a customer.", "EUR", "higher", "the campaign",
    ...         value, min(draws), max(draws), replicates=draws, samples="world 7")], Policy())
    >>> pair = compare_scorecards(card(2.0, [1.0, 3.0]), card(2.5, [1.5, 3.4]))
    >>> row = pair.table.loc[0]
    >>> float(row["difference"]), bool(row["paired"]), row["reading"]
    (0.5, True, 'better')
    """
    cards = (first, second, *more)
    for card in cards:
        if not isinstance(card, Scorecard):
            raise PolicyError(f"compare_scorecards takes scorecards, not {type(card).__name__}.")
    names = _names(names, len(cards))
    keys = _keys(cards)
    for key in keys:
        _check_alike([card[key] for card in cards if key in card])
    pairs = {
        name: _pair_table(names[0], first, name, card, keys)
        for name, card in zip(names[1:], cards[1:], strict=True)
    }
    table = pairs[names[1]]
    if more:
        values = {name: pair[name] for name, pair in pairs.items()}
        found = {f"{c}: {name}": pair[c] for name, pair in pairs.items() for c in _BACK}
        table = table[[*_FRONT, names[0]]].assign(**values, **found)
    return Comparison(names, cards, table)


_FRONT = ("dimension", "measure", "unit", "direction")
_BACK = ("difference", "low", "high", "paired", "refits", "reading", "needs")
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")


def _names(names: Sequence[str] | None, n: int) -> tuple[str, ...]:
    """Return what the cards are called: texts, each once, and no column of the table."""
    if names is None:
        return tuple(_ORDINALS[i] if i < len(_ORDINALS) else f"card {i + 1}" for i in range(n))
    names = (names,) if isinstance(names, str) else tuple(names)
    if len(names) != n:
        raise PolicyError(f"names holds {len(names)} names for {n} scorecards.")
    taken = {*_FRONT, *_BACK}
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise PolicyError(f"names holds {name!r}; accepted: a text that is not blank.")
        if name in taken:
            column = name in (*_FRONT, *_BACK)
            why = "is a column of the comparison" if column else "is there twice"
            raise PolicyError(f'the name "{name}" {why}; call the card something else.')
        taken.add(name)
    return names


def _check_alike(holders: Sequence[Measure]) -> None:
    for name in ("unit", "direction"):
        said = list(dict.fromkeys(getattr(measure, name) for measure in holders))
        if len(said) > 1:
            raise PolicyError(
                f'{holders[0].key}: the cards give different {name}s, "{said[0]}" and '
                f'"{said[1]}"; they cannot be compared.'
            )


def _keys(cards: Iterable[Scorecard]) -> list[str]:
    found = dict.fromkeys(measure.key for card in cards for measure in card.measures)
    return sorted(found, key=lambda key: DIMENSIONS.index(key.partition(".")[0]))


def _absent(name: str) -> str:
    return f"needs this measure, which {name} lacks"


def _pair_table(
    name: str, card: Scorecard, other_name: str, other_card: Scorecard, keys: list[str]
) -> pd.DataFrame:
    same = card.policy == other_card.policy
    rows = []
    for key in keys:
        one, two = card.get(key), other_card.get(key)
        holder = one or two
        lacks = [
            f"{label}: {_absent(label) if measure is None else measure.needs}"
            for label, measure in ((name, one), (other_name, two))
            if measure is None or measure.value is None
        ]
        values = [None if measure is None else measure.value for measure in (one, two)]
        found: tuple[Any, ...] = (None, None, None, False, False, "")
        if one is not None and two is not None and not lacks:
            found = difference_of(one, two, same_policy=same)
        about = (getattr(holder, column) for column in _FRONT)
        rows.append((*about, *values, *found, "; ".join(lacks)))
    table = pd.DataFrame(rows, columns=[*_FRONT, name, other_name, *_BACK])
    numbers = dict.fromkeys((name, other_name, "difference", "low", "high"), float)
    return table.astype({**numbers, "paired": bool, "refits": bool})


def difference_of(
    one: Measure, two: Measure, *, same_policy: bool
) -> tuple[float, float | None, float | None, bool, bool, str]:
    """Return difference, low, high, paired, whether over refits, and reading of two values."""
    assert one.value is not None
    assert two.value is not None
    if one.basis and (one.basis, one.samples) == (two.basis, two.samples):
        bounds = (None, None) if one.exact and two.exact else (0.0, 0.0)
        return 0.0, *bounds, not one.exact, False, "same"
    value = two.value - one.value
    # counted on other people, or under other chances, it says nothing of the policies
    apart = bool(one.samples and two.samples and one.samples != two.samples and value != 0)
    apart &= one.replicates is None or two.replicates is None
    unclear = "cannot tell" if one.direction != "none" else ""
    if one.exact and two.exact and not (one.learned or two.learned):
        reading = "same" if value == 0 else _reading(one.direction, value)
        return value, None, None, False, False, unclear if apart else reading
    paired = _paired(one, two, same_policy=same_policy)
    bounds = _paired_bounds(one, two, value) if paired else _independent(one, two, value)
    wide = _refit_bounds(one, two, value, bounds)
    low, high = bounds if wide is None else wide
    found = (value, low, high, paired, wide is not None)
    if low == high == 0:
        return *found, "same"
    if apart or low is None or high is None or low <= 0 <= high:
        return *found, unclear
    if wide is None and one.direction != "none" and (one.learned or two.learned):
        return *found, "needs refits"
    return *found, _reading(one.direction, value)


def _paired_bounds(
    one: Measure, two: Measure, value: float
) -> tuple[float, float] | tuple[None, None]:
    drawn = two.replicates - one.replicates  # type: ignore[operator]
    found = percentile_interval(value, drawn)
    if math.isnan(found.low) or math.isnan(found.high):
        return None, None
    few = [m.spread_by for m in (one, two) if m.spread_by is not None]
    return widened(value, found.low, found.high, drawn, min(few)) if few else tuple(found)[1:]


def _refit_bounds(
    one: Measure, two: Measure, value: float, bounds: tuple[float | None, float | None]
) -> tuple[float, float] | None:
    """Return the bounds over refits on the same halves of people, no narrower than over people."""
    if one.refits is None or two.refits is None or one.refits.shape != two.refits.shape:
        return None
    if not one.samples or one.samples != two.samples:
        return None
    low, high = refit_bounds(value, two.refits - one.refits, *bounds)
    return None if low is None or high is None else (low, high)


def _reading(direction: str, value: float) -> str:
    if direction == "none":
        return ""
    return "better" if (value > 0) == (direction == "higher") else "worse"


def _paired(one: Measure, two: Measure, *, same_policy: bool) -> bool:
    if one.replicates is None or two.replicates is None:
        return False
    if not one.samples or one.samples != two.samples:
        return False
    if one.replicates.shape != two.replicates.shape:
        return False
    # nobody found among 500 is nobody in each resample, too: the bootstrap then knows less
    # than the interval does; but one policy on one world is the same in each
    return same_policy or not (_silent(one) or _silent(two))


def _silent(measure: Measure) -> bool:
    draws = measure.replicates
    if draws is None or measure.low is None or measure.high is None:
        return False
    return bool(np.ptp(draws[~np.isnan(draws)]) == 0) if not np.isnan(draws).all() else True


def _independent(one: Measure, two: Measure, value: float) -> tuple[float | None, float | None]:
    """Square and add the distances of the bounds to their values (Zou and Donner 2008)."""
    reach = []
    for measure in (one, two):
        if measure.exact:
            reach.append((0.0, 0.0))
        elif measure.low is None or measure.high is None or measure.value is None:
            return None, None
        else:
            reach.append((measure.value - measure.low, measure.high - measure.value))
    (down_1, up_1), (down_2, up_2) = reach
    return value - math.hypot(down_2, up_1), value + math.hypot(up_2, down_1)
