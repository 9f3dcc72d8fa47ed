"""What each column of a table is for: the roles, and the ``roles.yaml`` file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ethicalai_lab.core.yaml import line_of, parse, read_text, to_data
from ethicalai_lab.errors import InputError, did_you_mean

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

_KEYS = ("columns", "control", "outcome", "positive", "cluster", "format")
_SCALARS = (str, int, float, bool)
_FORMAT = {
    "separator": "what stands between fields: one character, tab or space",
    "encoding": "how the file writes letters, such as utf-8, cp1252 or utf-16",
    "decimal": "what stands before the decimals: a point or a comma",
    "thousands": "what groups thousands: a comma, a point, a space or an apostrophe",
    "dates": "the order of day, month and year in dates: dmy, mdy or ymd",
    "sheet": "the name of a workbook's sheet",
    "case": "whether levels that differ only in case or blanks are one: ignore or keep",
}
_ACCEPTED = {
    "decimal": (".", ","),
    "thousands": (",", ".", " ", "'"),
    "dates": ("dmy", "mdy", "ymd"),
    "case": ("ignore", "keep"),
}
_SEPARATORS = {"tab": "\t", "space": " "}
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


def _validated(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the keys say, in the one form that is kept."""
    columns = _columns(given["columns"])

    def having(role: str) -> list[str]:
        return [c for c, r in columns.items() if r == role or (isinstance(r, tuple) and role in r)]

    treatments, control, cluster = having("treatment"), given.get("control"), given.get("cluster")
    if len(treatments) > 1:
        raise _Problem(
            f'both "{treatments[0]}" and "{treatments[1]}" have the role treatment; '
            "one column may.",
            ("columns", treatments[1]),
        )
    if control is not None and not isinstance(control, _SCALARS):
        raise _Problem('"control" must be one value, such as a word or a number.', ("control",))
    if control is not None and not treatments:
        raise _Problem('"control" is given, but no column has the role treatment.', ("control",))
    if cluster is not None and (not isinstance(cluster, str) or not cluster):
        raise _Problem(
            '"cluster" must be the name of one column, such as `cluster: household`.', ("cluster",)
        )
    return {
        "columns": columns,
        "outcome": _meant(given.get("outcome"), having("outcome")),
        "positive": _positive(
            given.get("positive"), having("outcome") + having("decision"), having("consent")
        ),
        "format": _format(given.get("format")),
    }


def _columns(columns: Any) -> dict[str, str | tuple[str, ...]]:
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
    return checked


def _meant(outcome: Any, outcomes: list[str]) -> str | None:
    if outcome is None:
        if len(outcomes) > 1:
            raise _Problem(
                f"several columns have the role outcome ({', '.join(outcomes)}); "
                f"say which one is meant, such as `outcome: {outcomes[0]}`."
            )
        return outcomes[0] if outcomes else None
    if not isinstance(outcome, str) or outcome not in outcomes:
        options = ", ".join(outcomes) or "none, as no column has the role outcome"
        raise _Problem(
            f'"outcome" names "{outcome}", which has not the role outcome; accepted: {options}.'
            f"{did_you_mean(outcome, outcomes)}",
            ("outcome",),
        )
    return outcome


def _positive(given: Any, counted: list[str], consents: list[str]) -> Any:
    """Return one value, several as a tuple, or a mapping of columns to these."""
    if isinstance(given, Mapping):
        known = [*counted, *consents]
        for column in given:
            if column not in known:
                raise _Problem(
                    f'"positive" names the column "{column}"; accepted are columns with the role '
                    f"outcome, decision or consent: {', '.join(known) or 'there is none'}."
                    f"{did_you_mean(column, known)}",
                    ("positive", column),
                )
        return {column: _values(value, ("positive", column)) for column, value in given.items()}
    if given is not None and not counted:
        more = f" For consent write `positive: {{{consents[0]}: ...}}`." if consents else ""
        raise _Problem(
            f'"positive" is given, but no column has the role outcome or decision.{more}',
            ("positive",),
        )
    return None if given is None else _values(given, ("positive",))


def _values(given: Any, place: tuple[str, ...]) -> Any:
    several = isinstance(given, list | tuple)
    listed = tuple(given) if several else (given,)
    if not listed or not all(isinstance(value, _SCALARS) for value in listed):
        raise _Problem(
            '"positive" must be one value, a list of values, or a mapping of columns to these, '
            "such as `positive: [Yes, YES]`.",
            place,
        )
    return listed if several and len(listed) > 1 else listed[0]


def _format(given: Any) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise _Problem(
            f'under "format" is no mapping; accepted keys are {", ".join(_FORMAT)}.', ("format",)
        )
    checked = {}
    for key, value in given.items():
        place = ("format", key)
        if key not in _FORMAT:
            raise _Problem(
                f'"format" has no key "{key}"; accepted are {", ".join(_FORMAT)}.'
                f"{did_you_mean(key, _FORMAT)}",
                place,
            )
        if value is None or not isinstance(value, _SCALARS):
            raise _Problem(f'"format", "{key}": write {_FORMAT[key]}.', place)
        text = _SEPARATORS.get(str(value), str(value)) if key == "separator" else str(value)
        text = {"\u2019": "'", "\xa0": " ", "\u202f": " "}.get(text, text)
        fits = text in _ACCEPTED.get(key, (text,))
        if key == "separator":
            fits = len(text) == 1 and text not in '"\r\n\0' and not text.isalnum()
        if key == "encoding":
            fits = _is_encoding(text)
        if not fits:
            raise _Problem(f'"format", "{key}" is "{value}"; write {_FORMAT[key]}.', place)
        checked[key] = text
    if "decimal" in checked and checked["decimal"] == checked.get("thousands"):
        raise _Problem(
            '"format": the same character cannot stand for decimals and for thousands.',
            ("format", "thousands"),
        )
    return checked


def _is_encoding(name: str) -> bool:
    try:
        "a".encode(name)
    except (LookupError, ValueError):
        return False
    return True


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
