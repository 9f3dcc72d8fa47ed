"""A team's bounds on a scorecard: how far a measure may go, and who set it.

A rule names a measure, a bound and the person or body that answers for it. Rules are
kept in a file of their own, apart from the policy, since those who decide a policy
are seldom those who say what is too much.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ethicalai_lab.core.checks import Finite, check_fields
from ethicalai_lab.core.files import write_atomic
from ethicalai_lab.core.yaml import Node, Text, line_of, parse, read_text, scalar, to_data
from ethicalai_lab.errors import did_you_mean
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.faults import quoted
from ethicalai_lab.policy.measure import DIMENSIONS, Limit, Measure, RuleViolation

__all__ = ["Rule", "Rules", "near"]

_KEY = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\Z")
_WHAT = "rules file"
_FIELDS = ("max", "min", "certain", "set_by")
_EXAMPLE = "`rules:` holds lines such as `privacy.reidentified_by_linkage: {max: 0.01}`"


class _Card(Protocol):
    @property
    def measures(self) -> tuple[Measure, ...]: ...


def near(word: object, choices: Iterable[str]) -> str:
    """Return a hint that names up to three near choices, or an empty text."""
    choices = list(choices)
    wanted = str(word)[:200].strip().casefold().replace("-", "_").replace(" ", "_")
    found = [name for name in choices if name.rpartition(".")[2] == wanted]
    found += [
        name
        for name in difflib.get_close_matches(wanted, choices, n=3, cutoff=0.6)
        if name not in found
    ]
    if not found:
        found = [name for name in choices if name.split(".")[0] == wanted.split(".")[0]][:3]
        return f" Measured in this dimension are {', '.join(found)}." if found else ""
    quoted = [f'"{name}"' for name in found[:3]]
    return f" Did you mean {' or '.join(quoted)}?"


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
    max: Finite | None = None
    min: Finite | None = None
    set_by: str = ""
    certain: bool = False
    line: int | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        self._check_name()
        check_fields(self, lambda said: PolicyError(f"{self.measure}.{said}"))  # type: ignore
        if not self.limits:
            raise PolicyError(
                f"{self.measure} has no bound; give max, min or both, such as `max: 0.01`."
            )
        if self.max is not None and self.min is not None and self.min > self.max:
            raise PolicyError(
                f"{self.measure}.min is {self.min}, above its max, {self.max}; nothing could be "
                "within."
            )

    def _check_name(self) -> None:
        if not isinstance(self.measure, str) or not _KEY.match(self.measure):
            raise PolicyError(
                f'"{self.measure}" is no name of a measure; accepted: dimension, dot, measure, '
                "such as privacy.reidentified_by_linkage."
            )
        dimension = self.measure.split(".")[0]
        if dimension not in DIMENSIONS:
            raise PolicyError(
                f'{self.measure}: there is no dimension "{dimension}"; accepted are '
                f"{', '.join(DIMENSIONS)}.{did_you_mean(dimension, DIMENSIONS)}"
            )
        if self.set_by == "":
            raise PolicyError(
                f"{self.measure} names nobody who set it; give set_by in the rule, or once above "
                "`rules:` for all."
            )

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
        check_fields(self, PolicyError)
        object.__setattr__(self, "rules", tuple(self.rules))
        seen: set[str] = set()
        for rule in self.rules:
            if not isinstance(rule, Rule):
                raise PolicyError(f"rules hold Rule objects, not {type(rule).__name__}.")
            if rule.measure in seen:
                raise PolicyError(f"{rule.measure} has two rules; keep one.")
            seen.add(rule.measure)

    def __len__(self) -> int:
        return len(self.rules)

    def __iter__(self) -> Iterator[Rule]:
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
    def parse(cls, text: str) -> Rules:
        """Read rules from a text."""
        return _from_text(Text("rules", text))

    def to_yaml(self) -> str:
        """Return the rules as a rules file; comments stay as they were loaded."""
        if self._source is not None and _from_text(self._source) == self:
            return self._source.text
        out = [f"set_by: {scalar(self.set_by)}"] if self.set_by else []
        out.append("rules:" if self.rules else "rules: {}")
        return "\n".join([*out, *map(self._line, self.rules)]) + "\n"

    def _line(self, rule: Rule) -> str:
        bounds = {"max": rule.max, "min": rule.min}
        parts = [f"{name}: {scalar(value)}" for name, value in bounds.items() if value is not None]
        parts += ["certain: true"] if rule.certain else []
        if rule.set_by != self.set_by:
            parts.append(f"set_by: {scalar(rule.set_by, flow=True)}")
        return f"  {rule.measure}: {{{', '.join(parts)}}}"

    def save(self, path: str | Path) -> None:
        """Write the rules file, whole or not at all; its folder must exist."""
        write_atomic(path, self.to_yaml(), error=PolicyError)

    # -- use -------------------------------------------------------------------

    def check(self, scorecard: _Card) -> tuple[RuleViolation, ...]:
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
        held = self.measures(scorecard)
        by_key = {measure.key: measure for measure in scorecard.measures}
        judged = (limit.judge(by_key[key]) for key, rule in held.items() for limit in rule.limits)
        return tuple(found for found in judged if found is not None)

    def measures(self, scorecard: _Card) -> dict[str, Rule]:
        """Return the rule of each measure named; every one is a measure of the scorecard."""
        known = [measure.key for measure in scorecard.measures]
        name = self._source.name if self._source is not None else "rules"
        faults = [
            f"{f'{name}, line {rule.line}: ' if rule.line else ''}there is no measure "
            f'"{rule.measure}" on this scorecard.{near(rule.measure, known)}'
            for rule in self.rules
            if rule.measure not in known
        ]
        if faults:
            raise PolicyError(faults)
        return {rule.measure: rule for rule in self.rules}


# ------------------------------------------------------------------------- reading a file


class _Reader:
    """Reads the rules of a text and gathers every fault with its line."""

    def __init__(self, text: Text, root: Node) -> None:
        self.text, self.root = text, root
        self.faults: list[tuple[int, str]] = []

    def fault(self, path: tuple[str, ...], sentence: str) -> None:
        line = line_of(self.root, path) or 1
        self.faults.append((line, f"{self.text.name}, line {line}: {sentence}"))

    def read(self) -> Rules:
        for key in self.root.value:
            self._check_key(key)
        by = self._set_by()
        rules = self._rules(by)
        if self.faults:
            raise PolicyError([sentence for _, sentence in sorted(self.faults)])
        return Rules(tuple(rules), by, self.text)

    def _check_key(self, key: str) -> None:
        if key in ("set_by", "rules"):
            return
        hint = did_you_mean(key, ("set_by", "rules"))
        if not hint and "." in str(key):
            hint = " A measure belongs under `rules:`, indented."
        said = f'there is no "{key}" in a rules file; accepted are set_by and rules.{hint}'
        self.fault((key,), said)

    def _set_by(self) -> str:
        by = to_data(self.root.value["set_by"]) if "set_by" in self.root.value else None
        if by is None or (isinstance(by, str) and by.strip()):
            return by or ""
        said = f"set_by is {quoted(by)}; accepted: a text, such as a role's name."
        self.fault(("set_by",), said)
        return "-"  # said once; the rules are not at fault

    def _rules(self, by: str) -> list[Rule]:
        listed = self.root.value.get("rules")
        if listed is None or (listed.kind == "scalar" and listed.value is None):
            # a misspelt key was named already
            if listed is None and not self.faults:
                self.faults.append((1, f"{self.text.name}: the rules are missing; {_EXAMPLE}."))
            return []
        if listed.kind != "mapping":
            self.fault(("rules",), f"rules is {quoted(to_data(listed))}; {_EXAMPLE}.")
            return []
        found = (
            self._rule(name, to_data(node), listed.keys[name].line, by)
            for name, node in listed.value.items()
        )
        return [rule for rule in found if rule is not None]

    def _rule(self, name: str, values: Any, line: int, by: str) -> Rule | None:
        if not isinstance(values, dict):
            said = f"{name} is {quoted(values)}; accepted: a mapping such as `{{max: 0.01}}`."
            self.fault(("rules", name), said)
            return None
        before = len(self.faults)
        for key, value in values.items():
            if key not in _FIELDS:
                hint = did_you_mean(key, _FIELDS)
                said = f'there is no "{key}" in a rule ({name}); accepted are {", ".join(_FIELDS)}.'
                self.fault(("rules", name, key), said + hint)
            elif value is None:
                self.fault(("rules", name, key), f"{name}.{key} is empty; fill it or drop it.")
        if len(self.faults) > before:
            return None
        try:
            return Rule(name, **{"set_by": by, **values}, line=line)
        except PolicyError as problem:
            said = str(problem)
            place = next((key for key in values if said.startswith(f"{name}.{key} ")), None)
            self.fault(("rules", name, *([place] if place else [])), said)
            return None


def _from_text(text: Text) -> Rules:
    root = parse(text, what=_WHAT, error=PolicyError)
    if root is None:
        raise PolicyError(f"{text.name} is empty; {_EXAMPLE}.")
    if root.kind != "mapping":
        raise PolicyError(
            f"{text.name}, line {root.line}: this is no mapping; a rules file holds `set_by:` and "
            "`rules:`."
        )
    return _Reader(text, root).read()
