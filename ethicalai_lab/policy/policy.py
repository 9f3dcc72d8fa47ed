"""The policy: load, decide, save, show."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
)

from ethicalai_lab.core.files import write_atomic
from ethicalai_lab.core.report import render
from ethicalai_lab.core.yaml import (
    Node,
    Text,
    line_of,
    parse,
    read_text,
    to_data,
)
from ethicalai_lab.errors import did_you_mean
from ethicalai_lab.policy import sections as s
from ethicalai_lab.policy import wording
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.faults import quoted, sentence
from ethicalai_lab.policy.yaml_edit import edit
from ethicalai_lab.policy.yaml_edit import value as yaml_value

__all__ = ["Policy", "my_policy_path"]

_WHAT = "policy file"


def my_policy_path() -> Path:
    """Return where the reader's own policy lives.

    Returns
    -------
    pathlib.Path
        ``my_policy.yaml`` in the folder named by the environment variable
        ``ETHICALAI_LAB_WORK``, else in the current folder.

    Examples
    --------
    >>> my_policy_path().name
    'my_policy.yaml'
    """
    return Path(os.environ.get("ETHICALAI_LAB_WORK") or ".") / "my_policy.yaml"


class Policy(BaseModel):
    """What is decided about personalization, section by section.

    A policy is frozen: :meth:`decide` checks a decision and returns a *new* policy.
    Every section, and every field of one, may be undecided (None).
    ``fairness`` always exists and holds the sections ``audit`` and ``mitigation``.

    Raises
    ------
    PolicyError
        Every fault in one sentence: the field and what is accepted.

    Examples
    --------
    >>> policy = Policy().decide(
    ...     "personalization", targeting="uplift", share=0.3, reason="mails only those it moves"
    ... )
    >>> policy.personalization.share
    0.3
    >>> policy.undecided()[:2]
    ['data', 'pseudonymization']
    """

    model_config = ConfigDict(extra="forbid", frozen=True, title="Policy")

    version: Literal[1] = 1
    personalization: s.Personalization | None = None
    data: s.Data | None = None
    pseudonymization: s.Pseudonymization | None = None
    storage: s.Storage | None = None
    anonymization: s.Anonymization | None = None
    fairness: s.Fairness = Field(default_factory=s.Fairness)
    consent: s.Consent | None = None
    explanations: s.Explanations | None = None
    transparency: s.Transparency | None = None
    duty: s.Duty | None = None
    log: s.Log | None = None

    # the text it was loaded from, so that a copy saved elsewhere keeps the comments
    _source: Text | None = PrivateAttr(default=None)

    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as problem:
            raise PolicyError(_faults(problem, None, "")) from None

    @field_validator("fairness", mode="before")
    @classmethod
    def _fairness_always_exists(cls, value: Any) -> Any:
        return {} if value is None else value

    @field_validator("*", mode="after")
    @classmethod
    def _empty_is_undecided(cls, value: Any) -> Any:
        return s.empty_is_undecided(value) if isinstance(value, s.Section) else value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Policy):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(repr(self.to_dict()))

    # -- reading ---------------------------------------------------------------

    def section(self, path: str) -> s.Section | None:
        """Return a section, or None while it is undecided.

        Parameters
        ----------
        path : str
            One of :data:`ethicalai_lab.policy.SECTIONS`, such as ``"fairness.audit"``.

        Returns
        -------
        Section or None

        Raises
        ------
        PolicyError
            If there is no such section.
        """
        _check_section(path)
        found: Any = self
        for name in path.split("."):
            found = getattr(found, name)
        return found

    @property
    def decisions(self) -> dict[str, dict[str, Any]]:
        """What is decided in each section that says something, a reason too."""
        held = {path: self.section(path) for path in s.SECTIONS}
        return {
            path: section.model_dump(exclude_none=True)
            for path, section in held.items()
            if section is not None
        }

    def undecided(self) -> list[str]:
        """Return the sections in which nothing is decided; a reason alone decides nothing."""
        decisions = self.decisions
        return [path for path in s.SECTIONS if not decisions.get(path, {}).keys() - {"reason"}]

    def __getitem__(self, path: str) -> Any:
        if path not in s.FIELDS:
            raise PolicyError(
                f'there is no field "{path}" in a policy; fields are named such as '
                f"personalization.share.{did_you_mean(path, s.FIELDS)}"
            )
        section, _, name = path.rpartition(".")
        found = self.section(section)
        return None if found is None else getattr(found, name)

    def to_dict(self) -> dict[str, Any]:
        """Return the decisions as nested plain values; what is undecided is left out."""
        return _nested({"version": self.version, **self.decisions})

    def to_yaml(self) -> str:
        """Return the decisions as the text of a policy file, without comments."""
        out, opened = ["version: 1"], ""
        for path, held in self.decisions.items():
            outer, _, name = path.rpartition(".")
            if outer != opened and outer:
                out.append(f"{outer}:")
            opened, indent = outer, "  " if outer else ""
            out.append(f"{indent}{name}:")
            out += [f"{indent}  {field}: {yaml_value(item)}" for field, item in held.items()]
        return "\n".join(out) + "\n"

    # -- deciding --------------------------------------------------------------

    def decide(self, section: str, /, **values: Any) -> Policy:
        """Return a new policy with a decision in it.

        Fields not named keep what was decided before; None makes a field
        undecided again.

        Parameters
        ----------
        section : str
            One of :data:`ethicalai_lab.policy.SECTIONS`, such as ``"personalization"``
            or ``"fairness.audit"``.
        **values
            Fields of the section, and ``reason``: why, for those who review it. NumPy scalars, arrays, tuples and sets are taken
            as the plain values they hold.

        Returns
        -------
        Policy

        Raises
        ------
        PolicyError
            If the section or a field is unknown, a value is not accepted, or two
            decisions contradict each other. This policy stays as it was.

        Examples
        --------
        >>> policy = Policy().decide("anonymization", k=10, reason="the files leave the house")
        >>> policy.anonymization.k
        10
        >>> policy.decide("anonymization", k=None).anonymization.k is None
        True
        """
        _check_section(section)
        decisions = self.decisions
        given = {name: plain(value) for name, value in values.items()}
        decisions[section] = decisions.get(section, {}) | given
        return self._with(_nested({"version": 1, **decisions}))

    def _with(self, data: dict[str, Any]) -> Policy:
        new = Policy(**data)
        new._source = self._source
        return new

    def with_defaults(self) -> Policy:
        """Return the policy that holds while the rest stays undecided.

        Each undecided field gets what is assumed then: what usually happens in a
        shop in which nobody decides. A decision that means
        nothing without another one still missing, such as how often a key changes
        while there is no key, falls back to what is assumed, too.

        Returns
        -------
        Policy
            A few fields may stay None: data.features (then every column is used),
            limits that do not exist, and reasons.
        """
        data = {path: self._section_with_defaults(path) for path in s.SECTIONS}
        return self._with(_nested({"version": 1, **data}))

    def _section_with_defaults(self, path: str) -> dict[str, Any]:
        model = s.SECTIONS[path]
        values = {}
        for name in model.model_fields:
            decided = self[f"{path}.{name}"]
            values[name] = s.assumed(f"{path}.{name}") if decided is None else decided
        for name in model.model_fields:
            try:
                model(**values)
            except ValidationError as problem:
                fallen = problem.errors()[0].get("ctx", {}).get("field", name)
                values[fallen] = s.assumed(f"{path}.{fallen}")
        return values

    @classmethod
    def default(cls) -> Policy:
        """Return the policy of a shop in which nobody decides: ``Policy().with_defaults()``.

        Returns
        -------
        Policy

        Examples
        --------
        >>> Policy.default().personalization.targeting
        'everyone'
        """
        return cls().with_defaults()

    # -- files -----------------------------------------------------------------

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """Read a policy file.

        Parameters
        ----------
        path : path-like
            A YAML file with ``version: 1``; see :meth:`template`.

        Returns
        -------
        Policy

        Raises
        ------
        PolicyError
            All faults, each in one sentence with file, line, field and what is
            accepted. YAML tags, anchors and aliases are refused; nothing in a file
            can run code.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "policy.yaml")
        ...     Policy().decide("consent", default="opt_in").save(path)
        ...     Policy.load(path).consent.default
        'opt_in'
        """
        return _from_text(read_text(path, what=_WHAT, error=PolicyError))[0]

    @classmethod
    def parse(cls, text: str, *, name: str = "policy") -> Policy:
        """Read a policy from a text that is no file to save over; `name` is for messages."""
        policy = _from_text(Text(name, text))[0]
        policy._source = None
        return policy

    @classmethod
    def open(cls, path: str | Path | None = None) -> Policy:
        """Read the reader's own policy, or start one in which nothing is decided.

        Parameters
        ----------
        path : path-like, optional
            Where; :func:`my_policy_path` unless told otherwise.

        Returns
        -------
        Policy
            Nothing is written before :meth:`save`.
        """
        path = my_policy_path() if path is None else Path(path)
        return cls.load(path) if path.exists() else cls()

    def save(self, path: str | Path | None = None) -> None:
        """Write the policy, whole or not at all.

        Where the file exists, only values that differ change: comments, order,
        quotes and spacing stay. A new file starts from the text this policy was
        loaded from, else from the commented :meth:`template`.

        Parameters
        ----------
        path : path-like, optional
            Where; :func:`my_policy_path` unless told otherwise.

        Raises
        ------
        PolicyError
            If the file there is no policy (it is left alone), or the folder cannot
            be written to.
        """
        path = my_policy_path() if path is None else Path(path)
        if path.exists():
            base = read_text(path, what=_WHAT, error=PolicyError)
            try:
                old, root = _from_text(base)
            except PolicyError as problem:
                raise PolicyError(
                    [*problem.faults, f"{path} was left as it is; repair it or move it away."]
                ) from None
        else:
            base = self._source or Text(str(path), self.template())
            old, root = _from_text(base)
        text = base.text
        changes = _changes(old, self)
        if changes:
            text = edit(text, root, changes)
            if not _says(text, self):
                text = _rewritten(base.text, changes)
                if not _says(text, self):
                    raise PolicyError(
                        f"{path}: the way this file is written cannot be changed in place; it was "
                        "left as it is, so save to a new file."
                    )
        if not path.exists() or changes:
            write_atomic(path, ("\ufeff" if base.bom else "") + text, error=PolicyError)
        self._source = Text(str(path), text, base.bom)

    @classmethod
    def template(cls) -> str:
        """Return a commented policy file in which nothing is decided.

        Returns
        -------
        str
            YAML; for each field its meaning, unit and what is accepted.

        Examples
        --------
        >>> Policy.template().splitlines()[0]
        '# A policy for personal, automated marketing: what is decided, and why.'
        """
        out = [
            "# A policy for personal, automated marketing: what is decided, and why.",
            "# A field left empty is undecided; what is then assumed stands in its comment.",
            "",
            "version: 1",
        ]
        opened = ""
        for path, model in s.SECTIONS.items():
            outer, _, last = path.rpartition(".")
            out += ["", f"{outer}:"] if outer != opened and outer else [""]
            opened, indent = outer, "  " if outer else ""
            out += [*_comment(s.title(path), indent), f"{indent}{last}:"]
            for name in model.model_fields:
                out += _comment(_about(f"{path}.{name}"), indent + "  ")
                out.append(f"{indent}  {name}:")
        return "\n".join(out) + "\n"

    # -- showing ---------------------------------------------------------------

    def _shown(self) -> list[tuple[str, list[tuple[str, str, str]], int]]:
        """Return for each section what is decided, as read, and how many fields are not."""
        out = []
        for path, model in s.SECTIONS.items():
            held = self.decisions.get(path, {})
            rows = [(name, _said(held[name]), s.unit(f"{path}.{name}")) for name in held]
            out.append((path, rows, len(model.model_fields) - len({*held, "reason"})))
        return out

    def __str__(self) -> str:
        out = []
        for path, rows, left in self._shown():
            out.append(f"{path}:" if rows else f"{path}: undecided")
            out += [f"  {name}: {value}" for name, value, _ in rows]
            if left and rows:
                out.append(f"  ({left} more undecided)")
        return "\n".join(out)

    def _repr_html_(self) -> str:
        decided = len(s.SECTIONS) - len(self.undecided())
        return render("policy/templates/policy.html", sections=self._shown(), decided=decided)


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by dotted path as mappings in mappings."""
    out: dict[str, Any] = {}
    for path, value in flat.items():
        inner = out
        *outer, last = path.split(".")
        for name in outer:
            inner = inner.setdefault(name, {})
        inner[last] = value
    return out


def _check_section(path: object) -> None:
    if path not in s.SECTIONS:
        hint = did_you_mean(path, s.SECTIONS)
        if path == "fairness":
            hint = ' Say "fairness.audit" or "fairness.mitigation".'
        raise PolicyError(
            f'there is no section "{path}" in a policy; accepted are {", ".join(s.SECTIONS)}.{hint}'
        )


def plain(value: Any) -> Any:
    """Return a NumPy or pandas value, a tuple or a set as plain Python."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, set | frozenset):
        return sorted(plain(item) for item in value)
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def _said(value: Any) -> str:
    return wording.said(value, "(none)")


def _about(field: str) -> str:
    """Return what the template says of a field."""
    if field.endswith(".reason"):
        return s.meaning(field)
    unit = f" ({s.unit(field)})" if s.unit(field) else ""
    about = f"{s.meaning(field)} Accepted: {s.accepted(field)}{unit}."
    assumed = s.assumed(field)
    return about if assumed is None else f"{about} Assumed while undecided: {_said(assumed)}."


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        width=92,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}#   ",
        break_long_words=False,
    )


def _from_text(text: Text) -> tuple[Policy, Node]:
    root = parse(text, what=_WHAT, error=PolicyError)
    if root is None:
        raise PolicyError(
            f"{text.name} is empty; `ethicalai-lab policy new FILE` or Policy().save(FILE) writes "
            "one to fill in."
        )
    if root.kind != "mapping":
        raise PolicyError(
            f"{text.name}, line {root.line}: this is no mapping; a policy starts with "
            "`version: 1` and sections such as `personalization:`."
        )
    data = to_data(root)
    faults = []
    if data.get("version") is None:
        faults.append(f"{text.name}: the version is missing; add a line `version: 1`.")
        data["version"] = 1
    try:
        BaseModel.__init__(policy := Policy.__new__(Policy), **data)
    except ValidationError as problem:
        faults += _faults(problem, root, text.name)
    if faults:
        raise PolicyError(faults)
    policy._source = text
    return policy, root


def _faults(problem: ValidationError, root: Node | None, name: str) -> list[str]:
    found = []
    for error in problem.errors(include_url=False):
        loc = tuple(error["loc"])
        if error["type"] == "contradiction":
            loc = (*loc, error["ctx"]["field"])
        line = line_of(root, loc)
        where = f"{name}, line {line}: " if line else f"{name}: " if name else ""
        # in the order of the file
        found.append((line or 0, where + _sentence(error, loc)))
    found.sort(key=lambda item: item[0])
    return [sentence for _, sentence in found]


def _sentence(error: Mapping[str, Any], loc: tuple[str | int, ...]) -> str:
    names = [str(step) for step in loc if isinstance(step, str)]
    path = ".".join(names)
    value = error.get("input")
    kind = error["type"]
    if kind == "contradiction":
        return f"{path} {error['msg']}."
    if kind == "repeated":
        return f"{path} {error['msg']}; name it once."
    if kind in ("not_storable", "string_unicode"):
        return f"{path} holds a character that no text file can hold; leave it out."
    if kind == "extra_forbidden":
        return _unknown_key(error, names)
    if path == "version":
        return f"version is {quoted(value)}; this lab reads version 1."
    if path not in s.FIELDS:
        first = next(iter(s.SECTIONS[path].model_fields)) if path in s.SECTIONS else "audit"
        return (
            f"{path} is {quoted(value)}; a section holds its fields, such as `{first}: ...`, or is "
            "left empty."
        )
    words, wanted = s.choices(path), s.accepted(path)
    hint = did_you_mean(value, words) if isinstance(value, str) else ""
    if kind == "too_short":
        return f"{path} is an empty list; accepted: {wanted} with at least one name."
    if s.is_list(path) and isinstance(loc[-1], int):
        wanted = s.either(words) if words else "a text of 1 to 200 characters"
        path = f"an item of {path}"
    return f"{path} is {quoted(value)}; accepted: {wanted}.{hint}"


def _unknown_key(error: Mapping[str, Any], names: list[str]) -> str:
    *outer, key = names
    inside = ".".join(outer)
    model = s.SECTIONS.get(inside) or (s.Fairness if inside else Policy)
    place = f" in {inside or 'a policy'}"
    said = sentence(error, key, options=model.model_fields, place=place)
    homes = [path.rpartition(".")[0] for path in s.FIELDS if path.endswith(f".{key}")]
    if len(homes) == 1 and not said.endswith("?"):
        said += f" It belongs in {homes[0]}."
    return said


def _changes(old: Policy, new: Policy) -> dict[str, Any]:
    """Return what differs, nested as in the file."""
    pairs = {path: (old[path], new[path]) for path in s.FIELDS}
    return _nested({path: b for path, (a, b) in pairs.items() if a != b or type(a) is not type(b)})


def _says(text: str, policy: Policy) -> bool:
    try:
        return _from_text(Text("edited", text))[0] == policy
    except PolicyError:
        return False


def _rewritten(text: str, changes: dict[str, Any]) -> str:
    """Change an unusually written file through a round-trip writer, comments kept."""
    import io

    from ruamel.yaml import YAML

    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 10_000
    document = yaml.load(text)

    def merge(target: Any, values: dict[str, Any]) -> None:
        for key, value in values.items():
            if isinstance(value, dict):
                if not isinstance(target.get(key), dict):
                    target[key] = {}
                merge(target[key], value)
            else:
                target[key] = value

    merge(document, changes)
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()
