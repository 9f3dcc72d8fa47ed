"""Loading a team's own table, with a role for each column that is used."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.core.times import read_times
from ethicalai_lab.core.yaml import scalar
from ethicalai_lab.errors import did_you_mean, shown
from ethicalai_lab.tables import levels
from ethicalai_lab.tables.column_types import LARGEST, first_odd, type_columns
from ethicalai_lab.tables.roles import Roles, TableError, load_roles
from ethicalai_lab.tables.table_files import check_names, open_table
from ethicalai_lab.tables.telling import Telling, spelled

__all__ = [
    "TableError",
    "check_table",
    "how_read",
    "load_table",
    "place_of",
    "roles_of",
]

_COMPLETE = ("identifier", "treatment", "outcome", "score")  # roles that may not have gaps
_LOOKED_AT = 1000  # rows in which a date is looked for to say how it was read
_BEYOND = 50  # times the others, from which an outcome is asked after
_TOTALS = 3  # rows at most that may be totals: the whole, or one an arm
_ENOUGH = 10  # outcomes to compare with
_GROUPS = ("treatment", "protected", "sensitive")  # whose levels are compared


def load_table(path: str | Path, roles: Roles | str | Path) -> pd.DataFrame:
    r"""Read a CSV or Parquet table, checked against the roles of its columns.

    Only the columns that have a role are read: data without a purpose stays out.

    Parameters
    ----------
    path : path-like
        A CSV file (with a header line; also gzipped), a Parquet file or an Excel workbook,
        whose sheet may be named after it: ``mails.xlsx#Spring``. The content decides, not the
        name; how it is written is found out, unless ``format`` in the roles declares it.
    roles : Roles or path-like
        The roles, or the ``roles.yaml`` that holds them.

    Returns
    -------
    pandas.DataFrame
        Columns in the order of `roles`. Features, outcomes and scores are numbers where
        they can be; labels are exact texts or integers. Where `roles.positive` names values
        of an outcome or decision, these are 1 and any other is 0. :func:`roles_of` gives the
        roles of the returned table, :func:`how_read` what was read otherwise than written.

    Raises
    ------
    TableError
        One sentence with the column and the line (for Parquet: the row): no such
        file, empty, not a table, ragged line, wrong column, missing value in an
        identifier, treatment, outcome or score, duplicated identifier, wrong type, a time
        that cannot be read, a control level that is not there, a constant outcome; or what
        can be read in two ways, with how to say which is meant.

    Notes
    -----
    Empty fields are missing, and so are NA, N/A, NaN and null unless quoted.
    Among numbers, words such as n/a are missing too; this is told. Numbers with leading
    zeros (postcodes) stay text. Columns of other roles may have missing values. An
    identifier may repeat only in a table of events: one with a time and no treatment.

    Examples
    --------
    >>> import tempfile
    >>> roles = Roles({"mail": "treatment", "visit": "outcome"}, control="none", positive="yes")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "mails.csv")
    ...     _ = path.write_text("name,mail,visit\nAnn,none,no\nBo,spring,yes\n")
    ...     table = load_table(path, roles)
    >>> table["visit"].tolist(), roles_of(table).control
    ([0, 1], 'none')
    """
    if not isinstance(roles, Roles):
        roles = load_roles(roles)
    wanted = _wanted(roles)
    file = open_table(path, wanted, roles.format)
    check_names(file, wanted)
    typed = type_columns(file.table(wanted), roles, file.place, file.name)
    frame = typed.table.to_pandas()
    if not len(frame):
        raise TableError(f"{file.name} has a header but no rows.")
    checked = _Checked(frame, roles, file.name, file.place)
    # the file is opened again where a message about this table needs its line
    checked.frame.attrs["file"] = {"path": str(path), "format": dict(roles.format)}
    checked.frame.attrs["how_read"] = [*file.notes, *typed.notes, *checked.notes]
    return checked.frame


def check_table(table: pd.DataFrame, roles: Roles | str | Path) -> pd.DataFrame:
    """Check a table that is already in memory, as :func:`load_table` does.

    Parameters
    ----------
    table : pandas.DataFrame
        The table.
    roles : Roles or path-like
        The roles, or the ``roles.yaml`` that holds them.

    Returns
    -------
    pandas.DataFrame
        A new table with the columns that have a role.

    Raises
    ------
    TableError
        As :func:`load_table`; rows are counted from 1.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"visit": [0, 1, 1]})
    >>> check_table(table, Roles({"visit": "outcome"}))["visit"].tolist()
    [0, 1, 1]
    """
    if not isinstance(roles, Roles):
        roles = load_roles(roles)
    if not isinstance(table, pd.DataFrame):
        raise TableError(f"the table is a {type(table).__name__}; a pandas DataFrame is accepted.")
    wanted = _wanted(roles)
    memory = _InMemory([str(name) for name in table.columns])
    check_names(memory, wanted)
    if not len(table):
        raise TableError("the table has no rows.")
    kept = table.set_axis(memory.names, axis=1)[wanted].reset_index(drop=True)
    checked = _Checked(kept, roles, memory.name, lambda row: f"row {row + 1}")
    checked.frame.attrs["how_read"] = checked.notes
    return checked.frame


def roles_of(table: pd.DataFrame) -> Roles:
    """Return the roles of a table that :func:`load_table` or :func:`check_table` gave.

    Parameters
    ----------
    table : pandas.DataFrame
        With the roles in its ``.attrs``.

    Returns
    -------
    Roles
        With `control` as it is written in the table; `positive` is only of columns with the
        role consent, since outcome and decision are numbers by then.

    Raises
    ------
    TableError
        If the table carries no roles.
    """
    try:
        return Roles.from_dict(table.attrs["roles"])
    except (AttributeError, KeyError, TypeError):
        raise TableError(
            "this table carries no roles; pass them, or load it with load_table."
        ) from None


def how_read(table: pd.DataFrame) -> tuple[str, ...]:
    """Say what in a table was read otherwise than it is written.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`load_table` or :func:`check_table`.

    Returns
    -------
    tuple of str
        Short sentences: how the file is written, how numbers and dates are, what each level
        of a yes/no column counts as, which odd value keeps a column text. None where
        everything was read as it is written.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"visit": ["yes", "no", "maybe"]})
    >>> how_read(check_table(table, Roles({"visit": "outcome"}, positive="yes")))
    ('column "visit" (outcome): yes counts as 1; maybe, no as 0.',)
    """
    return tuple(table.attrs.get("how_read", ()))


def place_of(table: pd.DataFrame, row: int) -> str:
    """Say where a row of a loaded table stands in its file.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`load_table` or :func:`check_table`, with all its rows.
    row : int
        The row, from 0.

    Returns
    -------
    str
        Such as "line 4" for a text file, else "row 3", counted from 1.

    Examples
    --------
    >>> import pandas as pd
    >>> place_of(check_table(pd.DataFrame({"y": [0, 1]}), Roles({"y": "outcome"})), 1)
    'row 2'
    """
    file = table.attrs.get("file")
    if file is not None:
        try:
            return open_table(file["path"], list(table.columns), file["format"]).place(row)
        except (TableError, IndexError):
            pass  # it has gone, or is another one now
    return f"row {row + 1}"


# -- the checks --------------------------------------------------------------------


def _wanted(roles: Roles) -> list[str]:
    """Return the columns to read: those with a role, and the one that names clusters."""
    return list(dict.fromkeys([*roles.columns, *([roles.cluster] if roles.cluster else [])]))


@dataclass
class _InMemory:
    """A table that is no file, for messages."""

    names: list[str]
    name: str = "the table"


class _Checked(Telling):
    """A table whose columns were checked against their roles, and what was told about them."""

    def __init__(
        self, frame: pd.DataFrame, roles: Roles, name: str, place: Callable[[int], str]
    ) -> None:
        super().__init__(name, place)
        self.frame, self.roles = frame.copy().infer_objects(), roles
        self._complete()
        self._different()
        for column in roles.of("time"):
            self._time(column)
        self._cases()
        for column in roles.of("decision"):
            self._decision(column)
        for column in roles.of("outcome"):
            self._outcome(column)
        for column in roles.of("consent"):
            values = self.frame[column]
            self.notes.append(levels.consent_answers(values, column, roles, self.where)[1])
        self._no_value()
        for column in roles.of("score"):
            if not _is_numeric(self.frame[column]):
                row, value = first_odd(self.frame[column].tolist())
                said = f'holds "{shown(value)}"; numbers are accepted.'
                raise self.fault(said, column, "score", row)
        control = roles.control
        if roles.treatment is not None:
            treated = self.frame[roles.treatment]
            control = levels.control_level(treated, roles.treatment, control, name)
        consents = {c: list(roles.positives(c)) for c in roles.of("consent") if roles.positives(c)}
        found = replace(roles, control=control, positive=consents or None)
        self.frame.attrs["roles"] = found.to_dict()

    def _complete(self) -> None:
        needed = {c: role for role in _COMPLETE for c in self.roles.of(role)}
        if self.roles.cluster:
            needed.setdefault(self.roles.cluster, "cluster")
        for column, role in needed.items():
            gaps = self.frame[column].isna()
            if count := int(gaps.sum()):
                raise self.fault(
                    f"has {count} missing value{'s' if count > 1 else ''}, here the first; fill in "
                    "or leave out such rows (a text such as NA counts as missing unless it is "
                    "quoted).",
                    column,
                    role,
                    gaps,
                )

    def _different(self) -> None:
        # in a table of events a person is there once an event
        events = bool(self.roles.of("time")) and self.roles.treatment is None
        for column in [] if events else self.roles.of("identifier"):
            values = self.frame[column]
            again = values.duplicated()
            if again.any():
                value = values[again].iloc[0]
                first = self.place(int((values == value).to_numpy().argmax()))
                raise self.fault(
                    f'repeats "{shown(value)}", first on {first}; one row for each is accepted.',
                    column,
                    "identifier",
                    again,
                )

    def _time(self, column: str) -> None:
        values = self.frame[column]
        known = values.notna()
        if _is_numeric(values) and known.any():
            raise self.fault(
                f"holds the number {values[known].iloc[0]}; a date such as 2025-03-31 or "
                "2025-03-31T14:05:00 is accepted.",
                column,
                "time",
                known,
            )
        order, name = self.roles.format.get("dates"), spelled(column, "time")
        try:
            read = read_times(
                values,
                name,
                order=order,  # type: ignore[arg-type]
                missing=True,
                where=self.place,
                error=TableError,
            )
        except TableError as problem:
            said = str(problem).replace(
                "declare the order", "declare `format: {dates: dmy}` or `format: {dates: mdy}`"
            )
            raise TableError(f"{self.name}, {said}") from None
        self.frame[column] = read
        if values.dtype.kind not in "mM":
            # say how the first date was read whose day and month could be the reverse
            texts = values.head(_LOOKED_AT).astype("str")
            unclear = texts.str.match(r"\s*\d{1,2}[-./]\s?\d{1,2}[-./]\s?\d{4}").to_numpy(bool)
            if unclear.any():
                row = int(unclear.argmax())
                said = f': "{shown(texts.iloc[row])}" is read as {str(read[row])[:10]}.'
                self.note(said, column, "time")

    def _cases(self) -> None:
        """Ask whether groups that differ only in case or blanks are one, or make them one."""
        case, roles = self.roles.format.get("case"), self.roles
        for role in (*_GROUPS, "decision", "outcome", "consent") if case == "ignore" else _GROUPS:
            for column in roles.of(role):
                before = self.frame[column]
                if case is None:
                    levels.no_doubles(before, column, role, self.where)
                elif case == "ignore":
                    prefer = [roles.control] if role == "treatment" else roles.positives(column)
                    known = [word for word in prefer if isinstance(word, str)]
                    self.frame[column] = after = levels.one_case(before, prefer=known)
                    if before.nunique() > after.nunique():
                        said = ": levels that differ only in case or blanks are one."
                        self.note(said, column, role)

    def _counted(self, column: str, role: str, positive: tuple[Any, ...]) -> None:
        keep = self.roles.format.get("case") == "keep"
        self.frame[column], said = levels.counted(
            self.frame[column], column, role, positive, self.where, keep_case=keep
        )
        self.notes.append(said)

    def _decision(self, column: str) -> None:
        values, positive = self.frame[column], self.roles.positives(column)
        if not levels.holds(values, positive):
            # true and false leave no doubt
            known = values.dropna().unique()
            if not {str(value).casefold() for value in known} <= {"true", "false"}:
                return
            positive = tuple(value for value in known if str(value).casefold() == "true")
        if values.isna().any():
            said = "is empty; say what was decided, or leave out such rows."
            raise self.fault(said, column, "decision", values.isna())
        self._counted(column, "decision", positive)

    def _outcome(self, column: str) -> None:
        """Make the outcome numbers."""
        values, positive = self.frame[column], self.roles.positives(column)
        if levels.holds(values, positive):
            self._counted(column, "outcome", positive)
            return
        if hasattr(values, "cat"):
            values = values.astype(values.cat.categories.dtype)
        if pd.api.types.is_bool_dtype(values):
            self.frame[column] = values.astype("int64")
        elif _is_numeric(values):
            size = abs(values.to_numpy(dtype="float64"))
            if (size > LARGEST).any():
                large = values[size > LARGEST].iloc[0]
                said = "is infinite" if np.isinf(size[size > LARGEST][0]) else f"holds {large}"
                said += f"; a number up to {LARGEST:g} is accepted."
                raise self.fault(said, column, "outcome", size > LARGEST)
            self._beyond(column, size)
            self.frame[column] = values
        elif positive and not self._serves_a_decision(column):
            raise self._no_positive(column, "outcome")
        else:
            raise self._no_number(column, values)

    def _beyond(self, column: str, size: np.ndarray) -> None:
        """Say which outcomes lie far beyond all others, or are their sum: it may be a total."""
        order = size.argsort(kind="stable")
        ranked = size[order]
        few = range(1, min(_TOTALS, ranked.size - _ENOUGH) + 1)
        far = [n for n in few if 0 < ranked[-n - 1] * _BEYOND < ranked[-n]]
        rest = ranked[:-1].sum()
        if far:
            rows, text = order[-far[0] :], f"all others at most {ranked[-far[0] - 1]:g}"
        elif (ranked[:-1] > 0).sum() >= _ENOUGH and abs(rest - ranked[-1]) <= 1e-9 * rest:
            rows, text = order[-1:], "the sum of all others"
        else:
            return
        row = int(rows.min())
        more = f" and {rows.size - 1} more like it" if rows.size > 1 else ""
        held = f"{self.frame[column].iloc[row]:g}"
        self.note(
            f": {self.place(row)} holds {held}{more}, {text}: a total? It is counted as a person.",
            column,
            "outcome",
        )

    def _no_number(self, column: str, values: pd.Series) -> TableError:
        row, value = first_odd(values.tolist())
        known = levels.levels_of(values)
        if any(re.search("[0-9]", str(level)) for level in known):
            hint = "write it as the others, or say how numbers are written with `format`"
        else:
            yes = next((level for level in known if levels.says_yes(level)), value)
            word = scalar(str(yes)) if scalar(str(yes))[0] == '"' else f'"{yes}"'
            hint = f"say which value counts, such as `positive: {word}`"
            if column != self.roles.outcome:
                key = f"{scalar(column, flow=True)}: {word}"
                hint = f"say which value counts, such as `positive: {{{key}}}`, or give it another role"
        said = f'holds "{shown(value)}"; numbers or true/false are accepted, {hint}.'
        return self.fault(said, column, "outcome", row)

    def _serves_a_decision(self, column: str) -> bool:
        """Tell whether the value that counts, given without a column, is a decision's."""
        return not isinstance(self.roles.positive, Mapping) and any(
            spelled(name, "decision") in note
            for name in self.roles.of("decision")
            for note in self.notes
        )

    def _no_positive(self, column: str, role: str) -> TableError:
        known, words = levels.levels_of(self.frame[column]), self.roles.positives(column)
        said = ", ".join(f'"{shown(word)}"' for word in words)
        return self.fault(
            f"has no value {said}, which the roles give as positive; there are: "
            f"{levels.listed(known)}.{did_you_mean(words[0], known)}",
            column,
            role,
        )

    def _no_value(self) -> None:
        """Refuse a positive value that no column holds, and an outcome that never varies."""
        outcome = self.roles.outcome
        if outcome is None:
            told = any("(decision)" in note for note in self.notes)
            for column in self.roles.of("decision"):
                if self.roles.positives(column) and not told:
                    raise self._no_positive(column, "decision")
        elif self.frame[outcome].nunique() < 2:
            value = self.frame[outcome].iloc[0]
            raise self.fault(
                f"is {value} in every row, so there is nothing to compare; choose another outcome.",
                outcome,
                "outcome",
            )


def _is_numeric(column: pd.Series) -> bool:
    kinds = pd.api.types
    return kinds.is_numeric_dtype(column) and not kinds.is_complex_dtype(column)
