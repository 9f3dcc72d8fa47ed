"""What each column of a table is for: the roles, and the ``roles.yaml`` file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ethicalai_lab.errors import InputError
from ethicalai_lab.world.strict_yaml import did_you_mean, line_of, parse, read_text, to_data

__all__ = ["ROLES", "Roles", "TableError", "load_roles"]


class TableError(InputError):
    """A table or roles file that cannot be used, said in one sentence."""


ROLES: Mapping[str, str] = MappingProxyType(
    {
        "identifier": "names one person or record, such as a customer number or an e-mail address",
        "quasi_identifier": "singles a person out together with others, such as birth date and "
        "postcode",
        "sensitive": "harms when revealed, such as health or financial stress",
        "protected": "a characteristic people must not be treated worse for, such as gender",
        "feature": "may be used to predict or to choose an offer",
        "treatment": "what was done to the person, such as which mail was sent",
        "outcome": "what was measured afterwards, such as a visit or the spend",
        "score": "a model's output for the person",
        "decision": "what was decided for the person, such as selected or not",
        "consent": "whether the person agreed to a purpose",
        "time": "when it happened",
    }
)
"""Every role a column may have, with its meaning."""

_KEYS = ("columns", "control", "outcome", "positive")
_SCALARS = (str, int, float, bool)


class _Problem(Exception):
    """A fault with the place it was found at, before the file's name is known."""

    def __init__(self, message: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path = path


@dataclass(frozen=True)
class Roles:
    """The roles of a table's columns.

    Attributes
    ----------
    columns : mapping of str to str or tuple of str
        Role of each column, one of :data:`ROLES`; a tuple where it has several.
    control : str, int, float, bool or None
        The treatment column's untreated level.
    outcome : str or None
        Which outcome column is meant. The only one, where there is just one.
    positive : str, int, float, bool or None
        The value of the outcome, and of a decision, that counts, where it is not 0/1 or
        true/false.

    Raises
    ------
    TableError
        If a role is unknown, there are two treatment columns, or `outcome` is not
        an outcome column.

    Examples
    --------
    >>> roles = Roles({"mail": "treatment", "visit": "outcome", "age": ("feature", "protected")})
    >>> roles.of("feature"), roles.outcome
    (['age'], 'visit')
    """

    columns: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    control: str | int | float | bool | None = None
    outcome: str | None = None
    positive: str | int | float | bool | None = None

    def __post_init__(self) -> None:
        try:
            columns, outcome = _validated(self.columns, self.control, self.outcome, self.positive)
        except _Problem as problem:
            raise TableError(f"Roles: {problem.message}") from None
        object.__setattr__(self, "columns", MappingProxyType(columns))
        object.__setattr__(self, "outcome", outcome)

    def of(self, role: str) -> list[str]:
        """Return the columns that have `role`, in order.

        Parameters
        ----------
        role : str
            One of :data:`ROLES`.

        Returns
        -------
        list of str

        Raises
        ------
        TableError
            If there is no such role.
        """
        if role not in ROLES:
            raise TableError(_unknown_role(role))
        return [
            column
            for column, given in self.columns.items()
            if given == role or (isinstance(given, tuple) and role in given)
        ]

    @property
    def treatment(self) -> str | None:
        """The treatment column, or None."""
        found = self.of("treatment")
        return found[0] if found else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as :func:`load_roles` reads them and JSON can hold them."""
        plain: dict[str, Any] = {
            "columns": {
                column: list(given) if isinstance(given, tuple) else given
                for column, given in self.columns.items()
            }
        }
        for key in _KEYS[1:]:
            if getattr(self, key) is not None:
                plain[key] = getattr(self, key)
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Roles:
        """Return the roles that :meth:`to_dict` gave."""
        return cls(**dict(plain))

    def __reduce__(self) -> tuple[Any, ...]:
        # a read-only mapping does not pickle by itself
        return (Roles, (dict(self.columns), self.control, self.outcome, self.positive))

    def __hash__(self) -> int:
        return hash((tuple(self.columns.items()), self.control, self.outcome, self.positive))


def _unknown_role(role: object) -> str:
    return f'there is no role "{role}"; accepted are {", ".join(ROLES)}.{did_you_mean(role, ROLES)}'


def _validated(
    columns: Any, control: Any, outcome: Any, positive: Any
) -> tuple[dict[str, str | tuple[str, ...]], str | None]:
    if not isinstance(columns, Mapping):
        raise _Problem(
            'under "columns" is no mapping of column names to roles, such as `visit: outcome`.',
            ("columns",),
        )
    if not columns:
        raise _Problem(
            '"columns" names no column; write lines such as `visit: outcome`.', ("columns",)
        )
    checked: dict[str, str | tuple[str, ...]] = {}
    for column, given in columns.items():
        place: tuple[str | int, ...] = ("columns", column)
        if not isinstance(column, str) or not column:
            raise _Problem(f"a column name must be a text, not {column!r}.", place)
        several = isinstance(given, list | tuple)
        if given is None or (several and not given):
            raise _Problem(
                f'column "{column}" has no role; accepted are {", ".join(ROLES)}, '
                "or leave the column out.",
                place,
            )
        listed = list(given) if several else [given]
        for position, role in enumerate(listed):
            if not isinstance(role, str) or role not in ROLES:
                shown = role if isinstance(role, _SCALARS) else type(role).__name__
                raise _Problem(
                    f'column "{column}": {_unknown_role(shown)}',
                    (*place, position) if several else place,
                )
        if len(set(listed)) < len(listed):
            raise _Problem(f'column "{column}" has the same role twice; keep one.', place)
        checked[column] = listed[0] if len(listed) == 1 else tuple(listed)

    def having(role: str) -> list[str]:
        return [c for c, r in checked.items() if r == role or (isinstance(r, tuple) and role in r)]

    treatments = having("treatment")
    if len(treatments) > 1:
        raise _Problem(
            f'both "{treatments[0]}" and "{treatments[1]}" have the role treatment; '
            "one column may.",
            ("columns", treatments[1]),
        )
    for key, value in (("control", control), ("positive", positive)):
        if value is not None and not isinstance(value, _SCALARS):
            raise _Problem(f'"{key}" must be one value, such as a word or a number.', (key,))
    if control is not None and not treatments:
        raise _Problem('"control" is given, but no column has the role treatment.', ("control",))
    outcomes = having("outcome")
    if positive is not None and not outcomes and not having("decision"):
        raise _Problem(
            '"positive" is given, but no column has the role outcome or decision.', ("positive",)
        )
    if outcome is None:
        if len(outcomes) > 1:
            raise _Problem(
                f"several columns have the role outcome ({', '.join(outcomes)}); "
                f"say which one is meant, such as `outcome: {outcomes[0]}`."
            )
        outcome = outcomes[0] if outcomes else None
    elif not isinstance(outcome, str) or outcome not in outcomes:
        options = ", ".join(outcomes) or "none, as no column has the role outcome"
        raise _Problem(
            f'"outcome" names "{outcome}", which has not the role outcome; accepted: {options}.'
            f"{did_you_mean(outcome, outcomes)}",
            ("outcome",),
        )
    return checked, outcome


def load_roles(path: str | Path) -> Roles:
    r"""Read a ``roles.yaml``.

    Parameters
    ----------
    path : path-like
        A flat YAML mapping with the keys ``columns`` (column name to role, or to
        a list of roles) and, where needed, ``control``, ``outcome`` and ``positive``.

    Returns
    -------
    Roles

    Raises
    ------
    TableError
        One sentence with file and line: no such file, not UTF-8, not YAML, not a
        mapping, an unknown or duplicate key, an unknown role.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "roles.yaml")
    >>> _ = path.write_text("columns: {segment: treatment, visit: outcome}\ncontrol: none\n")
    >>> load_roles(path).control
    'none'
    >>> folder.cleanup()
    """
    text = read_text(path, what="roles file", error=TableError)
    root = parse(text, what="roles file", error=TableError)
    example = "write `columns:` and below it lines such as `visit: outcome`"
    if root is None:
        raise TableError(f"{text.name} is empty; {example}.")
    if root.kind != "mapping":
        raise TableError(f"{text.name}, line {root.line}: this is no mapping; {example}.")
    for key in root.value:
        if key not in _KEYS:
            inside = " Column names belong under `columns:`." if key not in ("", "<<") else ""
            hint = did_you_mean(key, _KEYS) or inside
            raise TableError(
                f'{text.name}, line {root.keys[key].line}: unknown key "{key}"; accepted are '
                f"{', '.join(_KEYS)}.{hint}"
            )
    if "columns" not in root.value:
        raise TableError(f'{text.name}: the key "columns" is missing; {example}.')
    plain = to_data(root)
    try:
        _validated(
            plain["columns"], plain.get("control"), plain.get("outcome"), plain.get("positive")
        )
    except _Problem as problem:
        line = line_of(root, problem.path) if problem.path else None
        where = f", line {line}" if line else ""
        raise TableError(f"{text.name}{where}: {problem.message}") from None
    return Roles.from_dict(plain)
