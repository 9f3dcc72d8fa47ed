"""What each column of a table is for: the roles, and the ``roles.yaml`` file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ethicalai_lab.core.yaml import line_of, own_data, parse, read_text, to_data
from ethicalai_lab.errors import InputError, did_you_mean

__all__ = ["ROLES", "Roles", "TableError", "load_roles"]


class TableError(InputError):
    """A table or roles file that cannot be used, said in one sentence."""


_KNOWN = own_data(__file__, "roles.yaml")
ROLES: Mapping[str, str] = MappingProxyType(_KNOWN["roles"])
"""Every role a column may have, with its meaning."""

_KEYS = ("columns", "control", "outcome", "positive", "cluster", "format")
_SCALARS = (str, int, float, bool)
_FORMAT: dict[str, str] = _KNOWN["format"]
_SEPARATORS = {"tab": "\t", "space": " "}
_SIGNS = {"\u2019": "'", "\xa0": " ", "\u202f": " "}
Value = str | int | float | bool


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
    positive : str, int, float, bool, tuple, mapping or None
        The value of the outcome, and of a decision, that counts, where it is not 0/1 or
        true/false; several values as a tuple; or a mapping of columns to such values, which
        also says what counts as a yes in a column with the role consent.
    cluster : str or None
        The column that says who belongs together, such as a household or a shop. It needs
        no role of its own.
    format : mapping of str to str
        How the file is written, where it should not be found out: separator, encoding,
        decimal, thousands, dates, sheet, case.

    Raises
    ------
    TableError
        If a role is unknown, there are two treatment columns, `outcome` is not
        an outcome column, or `format` says what is not accepted.

    Examples
    --------
    >>> roles = Roles({"mail": "treatment", "visit": "outcome", "age": ("feature", "protected")})
    >>> roles.of("feature"), roles.outcome
    (['age'], 'visit')
    """

    columns: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    control: str | int | float | bool | None = None
    outcome: str | None = None
    positive: Value | tuple[Value, ...] | Mapping[str, Value | tuple[Value, ...]] | None = None
    cluster: str | None = None
    format: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            checked = _validated({key: getattr(self, key) for key in _KEYS})
        except _Problem as problem:
            raise TableError(f"Roles: {problem.message}") from None
        for key, value in checked.items():
            read_only = MappingProxyType(value) if isinstance(value, dict) else value
            object.__setattr__(self, key, read_only)

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

    def positives(self, column: str) -> tuple[Value, ...]:
        """Return the values of `column` that count, as far as the roles say.

        Parameters
        ----------
        column : str
            A column with the role outcome, decision or consent.

        Returns
        -------
        tuple
            Empty where nothing is said about this column. A value that is given without
            a column is of the outcome that is meant, and of every decision.

        Examples
        --------
        >>> roles = Roles({"visit": "outcome"}, positive=["Yes", "YES"])
        >>> roles.positives("visit")
        ('Yes', 'YES')
        """
        said = self.positive
        if isinstance(said, Mapping):
            said = said.get(column)
        elif column != self.outcome and column not in self.of("decision"):
            said = None
        if said is None:
            return ()
        return said if isinstance(said, tuple) else (said,)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as :func:`load_roles` reads them and JSON can hold them."""
        return {
            key: _plain(getattr(self, key))
            for key in _KEYS
            if key == "columns" or getattr(self, key) not in (None, {})
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Roles:
        """Return the roles that :meth:`to_dict` gave."""
        return cls(**dict(plain))

    def __reduce__(self) -> tuple[Any, ...]:
        # a read-only mapping does not pickle by itself
        return (Roles.from_dict, (self.to_dict(),))

    def __hash__(self) -> int:
        return hash(repr(self.to_dict()))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _unknown_role(role: object) -> str:
    return f'there is no role "{role}"; accepted are {", ".join(ROLES)}.{did_you_mean(role, ROLES)}'


def _need(right: object, said: str, *place: str | int) -> None:
    if not right:
        raise _Problem(said, place)


def _validated(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the keys say, in the one form that is kept."""
    columns = _columns(given["columns"])

    def having(role: str) -> list[str]:
        return [c for c, r in columns.items() if r == role or (isinstance(r, tuple) and role in r)]

    treatments, control, cluster = having("treatment"), given.get("control"), given.get("cluster")
    if len(treatments) > 1:
        both = f'both "{treatments[0]}" and "{treatments[1]}" have the role treatment; '
        raise _Problem(both + "one column may.", ("columns", treatments[1]))
    if control is not None:
        one = isinstance(control, _SCALARS)
        _need(one, '"control" must be one value, such as a word or a number.', "control")
        said = '"control" is given, but no column has the role treatment.'
        _need(treatments, said, "control")
    _need(
        cluster is None or (isinstance(cluster, str) and cluster),
        '"cluster" must be the name of one column, such as `cluster: household`.',
        "cluster",
    )
    counted, consents = having("outcome") + having("decision"), having("consent")
    return {
        "columns": columns,
        "outcome": _meant(given.get("outcome"), having("outcome")),
        "positive": _positive(given.get("positive"), counted, consents),
        "format": _format(given.get("format")),
    }


def _columns(columns: Any) -> dict[str, str | tuple[str, ...]]:
    said = 'under "columns" is no mapping of column names to roles, such as `visit: outcome`.'
    _need(isinstance(columns, Mapping), said, "columns")
    said = '"columns" names no column; write lines such as `visit: outcome`.'
    _need(columns, said, "columns")
    checked: dict[str, str | tuple[str, ...]] = {}
    for column, given in columns.items():
        place = ("columns", column)
        named = isinstance(column, str) and column
        _need(named, f"a column name must be a text, not {column!r}.", *place)
        several = isinstance(given, list | tuple)
        said = f'column "{column}" has no role; accepted are {", ".join(ROLES)}, '
        _need(
            given or (given is not None and not several), said + "or leave the column out.", *place
        )
        listed = list(given) if several else [given]
        for position, role in enumerate(listed):
            if not isinstance(role, str) or role not in ROLES:
                written = role if isinstance(role, _SCALARS) else type(role).__name__
                inner = (*place, position) if several else place
                raise _Problem(f'column "{column}": {_unknown_role(written)}', inner)
        once = len(set(listed)) == len(listed)
        _need(once, f'column "{column}" has the same role twice; keep one.', *place)
        checked[column] = listed[0] if len(listed) == 1 else tuple(listed)
    return checked


def _meant(outcome: Any, outcomes: list[str]) -> str | None:
    if outcome is None:
        _need(
            len(outcomes) < 2,
            f"several columns have the role outcome ({', '.join(outcomes)}); say which one is "
            f"meant, such as `outcome: {', '.join(outcomes[:1])}`.",
        )
        return outcomes[0] if outcomes else None
    options = ", ".join(outcomes) or "none, as no column has the role outcome"
    _need(
        isinstance(outcome, str) and outcome in outcomes,
        f'"outcome" names "{outcome}", which has not the role outcome; accepted: {options}.'
        f"{did_you_mean(outcome, outcomes)}",
        "outcome",
    )
    return str(outcome)


def _positive(given: Any, counted: list[str], consents: list[str]) -> Any:
    """Return one value, several as a tuple, or a mapping of columns to these."""
    if isinstance(given, Mapping):
        known = [*counted, *consents]
        for column in given:
            _need(
                column in known,
                f'"positive" names the column "{column}"; accepted are columns with the role '
                f"outcome, decision or consent: {', '.join(known) or 'there is none'}."
                f"{did_you_mean(column, known)}",
                "positive",
                column,
            )
        return {column: _values(value, "positive", column) for column, value in given.items()}
    if given is None:
        return None
    more = f" For consent write `positive: {{{consents[0]}: ...}}`." if consents else ""
    said = '"positive" is given, but no column has the role outcome or decision.'
    _need(counted, said + more, "positive")
    return _values(given, "positive")


def _values(given: Any, *place: str) -> Any:
    listed = tuple(given) if isinstance(given, list | tuple) else (given,)
    _need(
        listed and all(isinstance(value, _SCALARS) for value in listed),
        '"positive" must be one value, a list of values, or a mapping of columns to these, '
        "such as `positive: [Yes, YES]`.",
        *place,
    )
    return listed if len(listed) > 1 else listed[0]


def _format(given: Any) -> dict[str, str]:
    given, accepted = {} if given is None else given, ", ".join(_FORMAT)
    said = f'under "format" is no mapping; accepted keys are {accepted}.'
    _need(isinstance(given, Mapping), said, "format")
    checked = {}
    for key, value in given.items():
        said = f'"format" has no key "{key}"; accepted are {accepted}.{did_you_mean(key, _FORMAT)}'
        _need(key in _FORMAT, said, "format", key)
        written = isinstance(value, _SCALARS)
        _need(written, f'"format", "{key}": write {_FORMAT[key]}.', "format", key)
        text = _SEPARATORS.get(str(value), str(value)) if key == "separator" else str(value)
        text = _SIGNS.get(text, text)
        fits = text in _KNOWN["accepted"].get(key, (text,))
        if key == "separator":
            fits = len(text) == 1 and text not in '"\r\n\0' and not text.isalnum()
        if key == "encoding":
            fits = _is_encoding(text)
        _need(fits, f'"format", "{key}" is "{value}"; write {_FORMAT[key]}.', "format", key)
        checked[key] = text
    _need(
        "decimal" not in checked or checked["decimal"] != checked.get("thousands"),
        '"format": the same character cannot stand for decimals and for thousands.',
        "format",
        "thousands",
    )
    return checked


def _is_encoding(name: str) -> bool:
    try:
        return bool("a".encode(name))
    except (LookupError, ValueError):
        return False


def load_roles(path: str | Path) -> Roles:
    r"""Read a ``roles.yaml``.

    Parameters
    ----------
    path : path-like
        A flat YAML mapping with the keys ``columns`` (column name to role, or to
        a list of roles) and, where needed, ``control``, ``outcome``, ``positive``,
        ``cluster`` and ``format``.

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
        _validated(plain)
    except _Problem as problem:
        line = line_of(root, problem.path) if problem.path else None
        where = f", line {line}" if line else ""
        raise TableError(f"{text.name}{where}: {problem.message}") from None
    return Roles.from_dict(plain)
