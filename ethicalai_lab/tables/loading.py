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


class _Checked:
    """A table whose columns were checked against their roles, and what was told about them."""

    def __init__(
        self, frame: pd.DataFrame, roles: Roles, name: str, place: Callable[[int], str]
    ) -> None:
        self.frame = frame.copy().infer_objects()
        self.roles, self.name, self.place = roles, name, place
        self.notes: list[str] = []
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
            self._consent(column)
        self._no_value()
        for column in roles.of("score"):
            self._score(column)
        control = roles.control
        if roles.treatment is not None:
            treated = self.frame[roles.treatment]
            control = levels.control_level(treated, roles.treatment, control, name)
        consents = {c: list(roles.positives(c)) for c in roles.of("consent") if roles.positives(c)}
        found = replace(roles, control=control, positive=consents or None)
        self.frame.attrs["roles"] = found.to_dict()

    def where(self, row: int) -> str:
        """Return the file and the row's place in it."""
        return f"{self.name}, {self.place(row)}"

    def _complete(self) -> None:
        needed = {c: role for role in _COMPLETE for c in self.roles.of(role)}
        if self.roles.cluster:
            needed.setdefault(self.roles.cluster, "cluster")
        for column, role in needed.items():
            gaps = self.frame[column].isna().to_numpy()
            if gaps.any():
                count = int(gaps.sum())
                values = "1 missing value" if count == 1 else f"{count} missing values"
                raise TableError(
                    f'{self.where(int(gaps.argmax()))}: column "{shown(column)}" ({role}) has '
                    f"{values}, here the first; fill in or leave out such rows "
                    f"(a text such as NA counts as missing unless it is quoted)."
                )

    def _different(self) -> None:
        # in a table of events a person is there once an event
        events = bool(self.roles.of("time")) and self.roles.treatment is None
        for column in [] if events else self.roles.of("identifier"):
            again = self.frame[column].duplicated().to_numpy()
            if again.any():
                second = int(again.argmax())
                value = self.frame[column].iloc[second]
                first = int((self.frame[column] == value).to_numpy().argmax())
                raise TableError(
                    f'{self.where(second)}: column "{shown(column)}" (identifier) repeats '
                    f'"{shown(value)}", first on {self.place(first)}; one row for each is accepted.'
                )

    def _time(self, column: str) -> None:
        values = self.frame[column]
        spelled = f'column "{shown(column)}" (time)'
        if _is_numeric(values) and values.notna().any():
            row = int(values.notna().to_numpy().argmax())
            raise TableError(
                f"{self.where(row)}: {spelled} holds the number {values.iloc[row]}; a date such as "
                "2025-03-31 or 2025-03-31T14:05:00 is accepted."
            )
        order = self.roles.format.get("dates")
        try:
            read = read_times(
                values,
                spelled,
                order=order,
                missing=True,
                where=self.place,
                error=TableError,  # type: ignore[arg-type]
            )
        except TableError as problem:
            said = str(problem).replace(
                "declare the order", "declare `format: {dates: dmy}` or `format: {dates: mdy}`"
            )
            raise TableError(f"{self.name}, {said}") from None
        self._tell_order(values, spelled, read)
        self.frame[column] = read

    def _tell_order(self, values: pd.Series, spelled: str, read: np.ndarray) -> None:
        """Say how the first date was read whose day and month could be the reverse."""
        if values.dtype.kind in "mM" or not len(values):
            return
        texts = values.head(_LOOKED_AT).astype("str")
        ends_with_year = texts.str.match(r"\s*\d{1,2}[-./]\s?\d{1,2}[-./]\s?\d{4}")
        if ends_with_year.any():
            row = int(ends_with_year.to_numpy().argmax())
            self.notes.append(
                f'{spelled}: "{shown(texts.iloc[row])}" is read as {str(read[row])[:10]}.'
            )

    def _cases(self) -> None:
        """Ask whether groups that differ only in case or blanks are one, or make them one."""
        case, roles = self.roles.format.get("case"), self.roles
        for role in (*_GROUPS, "decision", "outcome", "consent") if case == "ignore" else _GROUPS:
            for column in roles.of(role):
                if case is None:
                    levels.no_doubles(self.frame[column], column, role, self.where)
                elif case == "ignore":
                    prefer = [roles.control] if role == "treatment" else roles.positives(column)
                    known = [word for word in prefer if isinstance(word, str)]
                    before = self.frame[column]
                    after = levels.one_case(before, prefer=known)
                    if before.nunique() > after.nunique():
                        self.notes.append(
                            f'column "{shown(column)}" ({role}): levels that differ only in case '
                            "or blanks are one."
                        )
                    self.frame[column] = after

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
            if not {str(v).casefold() for v in values.dropna().unique()} <= {"true", "false"}:
                return
            positive = tuple(v for v in values.dropna().unique() if str(v).casefold() == "true")
        gaps = values.isna().to_numpy()
        if gaps.any():
            raise TableError(
                f'{self.where(int(gaps.argmax()))}: column "{shown(column)}" (decision) is empty; '
                "say what was decided, or leave out such rows."
            )
        self._counted(column, "decision", positive)

    def _outcome(self, column: str) -> None:
        """Make the outcome numbers."""
        from pandas.api.types import is_bool_dtype

        values, positive = self.frame[column], self.roles.positives(column)
        if levels.holds(values, positive):
            self._counted(column, "outcome", positive)
            return
        if hasattr(values, "cat"):
            values = values.astype(values.cat.categories.dtype)
        if is_bool_dtype(values):
            self.frame[column] = values.astype("int64")
            return
        if _is_numeric(values):
            size = abs(values.to_numpy(dtype="float64"))
            if (size > LARGEST).any():
                row = int((size > LARGEST).argmax())
                said = "is infinite" if size[row] == float("inf") else f"holds {values.iloc[row]}"
                raise TableError(
                    f'{self.where(row)}: column "{shown(column)}" (outcome) {said}; a number up '
                    f"to {LARGEST:g} is accepted."
                )
            self._beyond(column, size)
            self.frame[column] = values
            return
        if positive and not self._serves_a_decision(column):
            raise self._no_positive(column, "outcome")
        raise self._no_number(column, values)

    def _beyond(self, column: str, size: np.ndarray) -> None:
        """Say which outcomes lie far beyond all others, or are their sum: it may be a total."""
        order = size.argsort(kind="stable")
        ranked = size[order]
        found = next(
            (
                few
                for few in range(1, min(_TOTALS, ranked.size - _ENOUGH) + 1)
                if 0 < ranked[-few - 1] * _BEYOND < ranked[-few]
            ),
            0,
        )
        if found:
            rows = order[-found:]
            text = f"all others at most {ranked[-found - 1]:g}"
        elif ranked.size > _ENOUGH and (ranked[:-1] > 0).sum() >= _ENOUGH:
            rest = ranked[:-1].sum()
            if abs(rest - ranked[-1]) > 1e-9 * rest:
                return
            rows, text = order[-1:], "the sum of all others"
        else:
            return
        row = int(rows.min())
        more = f" and {rows.size - 1} more like it" if rows.size > 1 else ""
        self.notes.append(
            f'column "{shown(column)}" (outcome): {self.place(row)} holds '
            f"{self.frame[column].iloc[row]:g}{more}, {text}: a total? It is counted as a person."
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
        return TableError(
            f'{self.where(row)}: column "{shown(column)}" (outcome) holds "{shown(value)}"; '
            f"numbers or true/false are accepted, {hint}."
        )

    def _serves_a_decision(self, column: str) -> bool:
        """Tell whether the value that counts, given without a column, is a decision's."""
        said = self.roles.positive
        return not isinstance(said, Mapping) and any(
            f'column "{shown(name)}" (decision)' in note
            for name in self.roles.of("decision")
            for note in self.notes
        )

    def _no_positive(self, column: str, role: str) -> TableError:
        known, words = levels.levels_of(self.frame[column]), self.roles.positives(column)
        said = ", ".join(f'"{shown(word)}"' for word in words)
        return TableError(
            f'{self.name}: column "{shown(column)}" ({role}) has no value {said}, which the roles '
            f"give as positive; there are: {levels.listed(known)}.{did_you_mean(words[0], known)}"
        )

    def _consent(self, column: str) -> None:
        _, said = levels.consent_answers(self.frame[column], column, self.roles, self.where)
        self.notes.append(said)

    def _no_value(self) -> None:
        """Refuse a positive value that no column holds, and an outcome that never varies."""
        roles = self.roles
        named = roles.of("decision") if roles.outcome is None else []
        told = any("(decision)" in note for note in self.notes)
        for column in named:
            if roles.positives(column) and not told:
                raise self._no_positive(column, "decision")
        if roles.outcome is not None and self.frame[roles.outcome].nunique() < 2:
            value = self.frame[roles.outcome].iloc[0]
            raise TableError(
                f'{self.name}: column "{shown(roles.outcome)}" (outcome) is {value} in every row, '
                "so there is nothing to compare; choose another outcome."
            )

    def _score(self, column: str) -> None:
        if not _is_numeric(self.frame[column]):
            row, value = first_odd(self.frame[column].tolist())
            raise TableError(
                f'{self.where(row)}: column "{shown(column)}" (score) holds "{shown(value)}"; '
                "numbers are accepted."
            )


def _is_numeric(column: pd.Series) -> bool:
    from pandas.api.types import is_bool_dtype, is_complex_dtype, is_numeric_dtype

    return is_bool_dtype(column) or (is_numeric_dtype(column) and not is_complex_dtype(column))
