"""A team's bounds on a scorecard: how far a measure may go, and who set it.

A rule names a measure, a bound and the person or body that answers for it. Rules are
kept in a file of their own, apart from the policy, since those who decide a policy
are seldom those who say what is too much.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ethicalai_lab.core.files import write_atomic
from ethicalai_lab.core.yaml import Node, Text, line_of, parse, read_text, scalar, to_data
from ethicalai_lab.errors import did_you_mean
from ethicalai_lab.policy.errors import PolicyError

if TYPE_CHECKING:
    from ethicalai_lab.policy.scorecard import Measure, Scorecard

__all__ = [
    "DIMENSIONS",
    "ENOUGH",
    "INTERVAL_TOLERANCE",
    "TOLERANCE",
    "Limit",
    "Rule",
    "RuleViolation",
    "Rules",
]

#: What a policy is measured on, in the order of the scorecard.
DIMENSIONS = ("value", "privacy", "fairness", "consent", "transparency", "duty")

_KEY = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\Z")
_WHAT = "rules file"
_FIELDS = ("max", "min", "certain", "set_by")
_SAYS = {"max": "at most", "min": "at least"}
#: How far a value, relative to 1 or to itself, may be off and still count as equal: processors and
#: versions of linear algebra sum in other orders, and bounds are typed in decimals.
TOLERANCE = 1e-9
#: The same for the ends of an interval and its replicates, in which one person may change sides.
INTERVAL_TOLERANCE = 1e-3
#: An interval whose spread is made by fewer people than this is not to be relied upon.
ENOUGH = 10.0


def _number(value: float, *beside: float | None) -> str:
    """Write a number in four digits, or in full where it would look like another one."""
    short = f"{value:.4g}"
    if any(
        other is not None and other != value and f"{other:.4g}" == short for other in beside
    ) or (abs(value) >= 1e4 and value == round(value)):
        return f"{value:.15g}"
    return short


def near(word: object, choices: Iterable[str], n: int = 3) -> str:
    """Return a hint that names up to `n` near choices, or an empty text."""
    choices = list(choices)
    wanted = str(word)[:200].strip().casefold().replace("-", "_").replace(" ", "_")
    found = [name for name in choices if name.rpartition(".")[2] == wanted]
    found += [
        name
        for name in difflib.get_close_matches(wanted, choices, n=n, cutoff=0.6)
        if name not in found
    ]
    if not found:
        found = [name for name in choices if name.split(".")[0] == wanted.split(".")[0]][:n]
        return f" Measured in this dimension are {', '.join(found)}." if found else ""
    quoted = [f'"{name}"' for name in found[:n]]
    return f" Did you mean {' or '.join(quoted)}?"


@dataclass(frozen=True)
class Limit:
    """One bound on a measure.

    Parameters
    ----------
    bound : {"max", "min"}
        Whether the measure may be at most, or must be at least, `threshold`.
    threshold : float
        The bound, in the measure's unit. On it is within.
    set_by : str
        Who set it.
    certain : bool
        Whether the whole interval must be within, rather than the value alone: the one over
        refits where they were run. A measure without an interval that is counted, not
        estimated, is its value; one whose spread a few people make is never certain.

    Raises
    ------
    PolicyError
        If the threshold is no finite number or nobody is named.

    Examples
    --------
    >>> str(Limit("max", 0.01, "the board"))
    'at most 0.01 (set by the board)'
    """

    bound: str
    threshold: float
    set_by: str
    certain: bool = False

    def __post_init__(self) -> None:
        if self.bound not in _SAYS:
            raise PolicyError(f'a limit\'s bound is {self.bound!r}; accepted: "max" or "min".')
        if not _is_number(self.threshold):
            raise PolicyError(
                f"a limit's threshold is {self.threshold!r}; accepted: a finite number."
            )
        object.__setattr__(self, "threshold", float(self.threshold))
        if not isinstance(self.set_by, str) or not self.set_by.strip():
            raise PolicyError("a limit names nobody who set it; set_by is needed.")
        if not isinstance(self.certain, bool):
            raise PolicyError(f"a limit's certain is {self.certain!r}; accepted: True or False.")

    def __str__(self) -> str:
        certain = ", for certain" if self.certain else ""
        return f"{_SAYS[self.bound]} {_number(self.threshold)}{certain} (set by {self.set_by})"

    def is_beyond(self, number: float) -> bool:
        """Return whether a number is beyond the bound."""
        slack = TOLERANCE * max(1.0, abs(self.threshold))
        if self.bound == "max":
            return number > self.threshold + slack
        return number < self.threshold - slack

    def straddled(self, measure: Measure) -> bool:
        """Return whether the measure's interval lies on both sides of the bound."""
        low, high = measure.reach
        if low is None or high is None:
            return False
        return self.is_beyond(low) != self.is_beyond(high)

    def judge(self, measure: Measure) -> RuleViolation | None:
        """Return how the measure misses this bound, or None where it is within.

        Parameters
        ----------
        measure : Measure
            What is held to the bound.

        Returns
        -------
        RuleViolation or None
            A measure that has no number misses every bound: nothing shows that it
            is within.
        """
        asked = f"{_SAYS[self.bound]} {_number(self.threshold, measure.value)}"
        found: dict[str, Any] = {
            "measure": measure.key,
            "value": measure.value,
            "threshold": self.threshold,
            "set_by": self.set_by,
            "bound": self.bound,
            "low": measure.reach[0],
            "high": measure.reach[1],
        }
        if measure.value is None:
            text = f"{measure.key} has no number: {measure.needs}; {self.set_by} asks for {asked}."
            return RuleViolation(**found, text=text, kind="needs")
        says = f"{measure.key} is {_number(measure.value, self.threshold)}"
        reach = ""
        if found["low"] is not None and found["high"] is not None:
            reach = f"{_number(found['low'], self.threshold)} to "
            reach += _number(found["high"], self.threshold)
        straddles = self.straddled(measure)
        if self.is_beyond(measure.value):
            text = f"{says}; {self.set_by} asks for {asked}."
            if straddles:
                text += f" Its interval, {reach}, lies on both sides of that: cannot tell."
            elif reach:
                text += f" Its whole interval, {reach}, is beyond that."
            return RuleViolation(**found, text=text, kind="beyond", straddles=straddles)
        if not self.certain or measure.exact:
            return None
        if straddles:
            text = (
                f"{says}; {self.set_by} asks for {asked}, for certain. "
                f"Its interval, {reach}, lies on both sides of that: cannot tell."
            )
            return RuleViolation(**found, text=text, kind="uncertain", straddles=True)
        if not reach:
            text = (
                f"{says}; {self.set_by} asks for {asked}, for certain. "
                "It has no interval, so nothing shows that it is: cannot tell."
            )
            return RuleViolation(**found, text=text, kind="uncertain")
        if measure.spread_by is not None and measure.spread_by < ENOUGH:
            text = (
                f"{says}; {self.set_by} asks for {asked}, for certain. Its interval, {reach}, "
                f"is made by about {round(measure.spread_by)} cases: cannot tell."
            )
            return RuleViolation(**found, text=text, kind="uncertain")
        return None


@dataclass(frozen=True)
class RuleViolation:
    """A bound that a measure does not keep.

    Attributes
    ----------
    measure : str
        The measure's key, such as ``"privacy.reidentified_by_linkage"``.
    value : float or None
        What was measured; None where there is no number.
    threshold : float
        The bound.
    set_by : str
        Who set it.
    text : str
        The miss in words.
    bound : {"max", "min"}
        Whether the threshold is the most or the least accepted.
    kind : {"beyond", "uncertain", "needs"}
        The value is beyond the bound; or is within, but not for certain, where that
        was asked; or there is no number.
    straddles : bool
        Whether the interval lies on both sides of the bound, so that the data
        cannot tell.
    low, high : float or None
        The measure's interval.
    """

    measure: str
    value: float | None
    threshold: float
    set_by: str
    text: str
    bound: str
    kind: str
    straddles: bool = False
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Rule:
    """What one measure may be.

    Parameters
    ----------
    measure : str
        The measure's key: dimension, dot, name.
    max, min : float, optional
        The most and the least accepted, in the measure's unit; one or both.
    set_by : str
        Who set it.
    certain : bool
        Whether the whole interval must be within.

    Raises
    ------
    PolicyError
        If a value is not accepted, naming the rule and its field.

    Examples
    --------
    >>> Rule("fairness.selection_gap", max=0.05, set_by="the board").limits[0].threshold
    0.05
    """

    measure: str
    max: float | None = None
    min: float | None = None
    set_by: str = ""
    certain: bool = False
    line: int | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        faults = _rule_faults(self.measure, {name: getattr(self, name) for name in _FIELDS})
        if faults:
            raise PolicyError([sentence for _, sentence in faults])
        for name in ("max", "min"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, float(getattr(self, name)))

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The rule's bounds, the most accepted first."""
        return tuple(
            Limit(name, getattr(self, name), self.set_by, self.certain)
            for name in ("max", "min")
            if getattr(self, name) is not None
        )


@dataclass(frozen=True)
class Rules:
    """A team's bounds, each with who set it.

    Parameters
    ----------
    rules : iterable of Rule
        At most one a measure.
    set_by : str
        Who set them, as the file says for all; a rule's own name goes first.

    Raises
    ------
    PolicyError
        If a measure has two rules.

    Examples
    --------
    >>> rules = Rules.parse('''
    ... set_by: the ethics board
    ... rules:
    ...   privacy.reidentified_by_linkage: {max: 0.01}
    ... ''')
    >>> print(rules.rules[0].limits[0])
    at most 0.01 (set by the ethics board)
    """

    rules: tuple[Rule, ...]
    set_by: str = ""
    _source: Text | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", tuple(self.rules))
        if not isinstance(self.set_by, str):
            raise PolicyError(f"set_by is {self.set_by!r}; accepted: a text.")
        seen: set[str] = set()
        for rule in self.rules:
            if not isinstance(rule, Rule):
                raise PolicyError(f"rules hold Rule objects, not {type(rule).__name__}.")
            if rule.measure in seen:
                raise PolicyError(f"{rule.measure} has two rules; keep one.")
            seen.add(rule.measure)

    def __len__(self) -> int:
        return len(self.rules)

    def __iter__(self) -> Any:
        return iter(self.rules)

    # -- files -----------------------------------------------------------------

    @classmethod
    def load(cls, path: str | Path) -> Rules:
        """Read a rules file.

        Parameters
        ----------
        path : path-like
            A YAML file: ``set_by`` and, under ``rules``, for each measure ``max``,
            ``min``, ``certain`` and ``set_by``.

        Returns
        -------
        Rules

        Raises
        ------
        PolicyError
            All faults, each in one sentence with file, line, field and what is
            accepted.
        """
        return _from_text(read_text(path, what=_WHAT, error=PolicyError))

    @classmethod
    def parse(cls, text: str, *, name: str = "rules") -> Rules:
        """Read rules from a text; `name` is what messages call it."""
        if not isinstance(text, str):
            raise PolicyError(f"rules are parsed from a text, not {type(text).__name__}.")
        return _from_text(Text(name, text))

    def to_yaml(self) -> str:
        """Return the rules as a rules file; comments stay as they were loaded."""
        if self._source is not None and _from_text(self._source) == self:
            return self._source.text
        out = []
        if self.set_by:
            out.append(f"set_by: {scalar(self.set_by)}")
        out.append("rules:" if self.rules else "rules: {}")
        for rule in self.rules:
            parts = [
                f"{name}: {scalar(getattr(rule, name))}"
                for name in ("max", "min")
                if getattr(rule, name) is not None
            ]
            if rule.certain:
                parts.append("certain: true")
            if rule.set_by != self.set_by:
                parts.append(f"set_by: {scalar(rule.set_by, flow=True)}")
            out.append(f"  {rule.measure}: {{{', '.join(parts)}}}")
        return "\n".join(out) + "\n"

    def save(self, path: str | Path) -> None:
        """Write the rules file, whole or not at all.

        Parameters
        ----------
        path : path-like
            The file; its folder must exist.

        Raises
        ------
        PolicyError
            If it cannot be written.
        """
        write_atomic(path, self.to_yaml(), error=PolicyError)

    # -- use -------------------------------------------------------------------

    def check(self, scorecard: Scorecard) -> tuple[RuleViolation, ...]:
        """Return the bounds that a scorecard misses, in the order of the rules.

        Parameters
        ----------
        scorecard : Scorecard
            What was measured.

        Returns
        -------
        tuple of RuleViolation
            Empty where every bound is kept. A rule on a measure that has no number
            is missed.

        Raises
        ------
        PolicyError
            If a rule names a measure that the scorecard does not know, with the
            names near it.
        """
        self.measures(scorecard)
        found = []
        for rule in self.rules:
            misses = (limit.judge(scorecard[rule.measure]) for limit in rule.limits)
            found += [miss for miss in misses if miss is not None]
        return tuple(found)

    def measures(self, scorecard: Scorecard) -> dict[str, Rule]:
        """Return the rule of each measure named; every one is a measure of the scorecard."""
        known = [measure.key for measure in scorecard.measures]
        name = self._source.name if self._source is not None else "rules"
        faults = []
        for rule in self.rules:
            if rule.measure not in known:
                where = f"{name}, line {rule.line}: " if rule.line else ""
                faults.append(
                    f'{where}there is no measure "{rule.measure}" on this scorecard.'
                    f"{near(rule.measure, known)}"
                )
        if faults:
            raise PolicyError(faults)
        return {rule.measure: rule for rule in self.rules}


def _is_number(value: object) -> bool:
    # bool is an int to Python, but no one means max: true
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return False
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def _rule_faults(measure: object, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (field, sentence) for each fault of a rule."""
    faults = []
    if not isinstance(measure, str) or not _KEY.match(measure):
        faults.append(
            (
                "",
                f'"{measure}" is no name of a measure; accepted: dimension, dot, measure, such as '
                "privacy.reidentified_by_linkage.",
            )
        )
    elif measure.split(".")[0] not in DIMENSIONS:
        dimension = measure.split(".")[0]
        faults.append(
            (
                "",
                f'{measure}: there is no dimension "{dimension}"; accepted are '
                f"{', '.join(DIMENSIONS)}.{did_you_mean(dimension, DIMENSIONS)}",
            )
        )
    for name in ("max", "min"):
        value = values.get(name)
        if value is not None and not _is_number(value):
            faults.append((name, f"{measure}.{name} is {_shown(value)}; accepted: a number."))
    low, high = values.get("min"), values.get("max")
    if low is None and high is None:
        faults.append(("", f"{measure} has no bound; give max, min or both, such as `max: 0.01`."))
    elif _is_number(low) and _is_number(high) and float(low) > float(high):
        faults.append(
            ("min", f"{measure}.min is {low}, above its max, {high}; nothing could be within.")
        )
    if not isinstance(values.get("certain", False), bool):
        faults.append(
            (
                "certain",
                f"{measure}.certain is {_shown(values['certain'])}; accepted: true or false.",
            )
        )
    by = values.get("set_by")
    if by is not None and not isinstance(by, str):
        faults.append(("set_by", f"{measure}.set_by is {_shown(by)}; accepted: a text."))
    elif not by or not by.strip():
        faults.append(
            (
                "set_by",
                f"{measure} names nobody who set it; give set_by in the rule, or once above "
                "`rules:` for all.",
            )
        )
    return faults


def _shown(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return repr(value)[:80]


def _from_text(text: Text) -> Rules:
    root = parse(text, what=_WHAT, error=PolicyError)
    example = "`rules:` holds lines such as `privacy.reidentified_by_linkage: {max: 0.01}`"
    if root is None:
        raise PolicyError(f"{text.name} is empty; {example}.")
    if root.kind != "mapping":
        raise PolicyError(
            f"{text.name}, line {root.line}: this is no mapping; a rules file holds `set_by:` and "
            "`rules:`."
        )
    faults: list[tuple[int, str]] = []

    def fault(path: tuple[str, ...], sentence: str) -> None:
        line = line_of(root, path) or 1
        faults.append((line, f"{text.name}, line {line}: {sentence}"))

    for key in root.value:
        if key not in ("set_by", "rules"):
            hint = did_you_mean(key, ("set_by", "rules"))
            if not hint and "." in str(key):
                hint = " A measure belongs under `rules:`, indented."
            fault(
                (key,),
                f'there is no "{key}" in a rules file; accepted are set_by and rules.{hint}',
            )
    set_by = to_data(root.value["set_by"]) if "set_by" in root.value else None
    if set_by is not None and (not isinstance(set_by, str) or not set_by.strip()):
        fault(("set_by",), f"set_by is {_shown(set_by)}; accepted: a text, such as a role's name.")
        set_by = "-"  # said once; the rules are not at fault
    listed: Node | None = root.value.get("rules")
    rules = []
    if listed is None or (listed.kind == "scalar" and listed.value is None):
        # a misspelt key was named already
        if "rules" not in root.value and not faults:
            faults.append((1, f"{text.name}: the rules are missing; {example}."))
    elif listed.kind != "mapping":
        fault(("rules",), f"rules is {_shown(to_data(listed))}; {example}.")
    else:
        for measure, node in listed.value.items():
            line = listed.keys[measure].line
            if node.kind != "mapping":
                fault(
                    ("rules", measure),
                    f"{measure} is {_shown(to_data(node))}; accepted: a mapping such as "
                    "`{max: 0.01}`.",
                )
                continue
            values = to_data(node)
            unknown = [name for name in values if name not in _FIELDS]
            for name in unknown:
                fault(
                    ("rules", measure, name),
                    f'there is no "{name}" in a rule ({measure}); accepted are '
                    f"{', '.join(_FIELDS)}.{did_you_mean(name, _FIELDS)}",
                )
            empty = [name for name in values if name in _FIELDS and values[name] is None]
            for name in empty:
                fault(("rules", measure, name), f"{measure}.{name} is empty; fill it or drop it.")
            given = {"set_by": set_by} | {
                name: value
                for name, value in values.items()
                if name in _FIELDS and value is not None
            }
            found = _rule_faults(measure, given)
            # a misspelt or empty bound was named already
            if (unknown or empty) and "max" not in given and "min" not in given:
                found = [item for item in found if "has no bound" not in item[1]]
            for name, sentence in found:
                fault(("rules", measure, *([name] if name else [])), sentence)
            if not (found or unknown or empty):
                rules.append(Rule(measure, **given, line=line))
    if faults:
        faults.sort(key=lambda item: item[0])
        raise PolicyError([sentence for _, sentence in faults])
    return Rules(tuple(rules), set_by or "", text)
