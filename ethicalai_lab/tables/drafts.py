"""A first draft of a ``roles.yaml``, guessed from a table for people to review."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from ethicalai_lab.core.times import read_times
from ethicalai_lab.core.yaml import own_data, scalar
from ethicalai_lab.errors import shown
from ethicalai_lab.tables import levels
from ethicalai_lab.tables.column_types import type_columns
from ethicalai_lab.tables.roles import ROLES, Roles, TableError
from ethicalai_lab.tables.table_files import TableFile, check_names, open_table

__all__ = ["suggest_roles"]

_UNTREATED = re.compile(
    r"(?i)(?:no|not|none|nothing|control|untreated|holdout|placebo|kontroll\w*|ohne|kein\w*|nicht|"
    r"sans|sin|without|0|false)(?:[^a-z]|$)"
)
_FIRST_ARM = re.compile(r"(?i)a(?:[^a-z]|$)")  # only where no arm says that nothing was done
_WIDE = 200  # columns from which only the first rows of features are looked at
_LOOKED_AT = 1000
_AROUND = {
    "": r"(?:^|_)(?:{})(?:_|$)",
    "=": r"^(?:{})$",
    "$": r"(?:^|_)(?:{})$",
    "~": r"{}",
}


def suggest_roles(path: str | Path) -> str:
    r"""Draft a ``roles.yaml`` from a table's column names, for people to review.

    A name says little about what a column means, so each line is a guess, checked
    against the values, and every column that no guess fits is called a feature.
    What was found out about how the file is written is proposed as ``format``.

    Parameters
    ----------
    path : path-like
        As for :func:`~ethicalai_lab.tables.load_table`.

    Returns
    -------
    str
        YAML with comments.

    Raises
    ------
    TableError
        If the file cannot be read as a table.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "people.csv")
    ...     _ = path.write_text("userid,PLZ,opt_out\n1,01099,yes\n2,01067,no\n")
    ...     draft = suggest_roles(path)
    >>> print(draft[draft.index("\ncolumns:"):].strip())
    columns:
      userid: identifier
      PLZ: quasi_identifier
      opt_out: consent
    # the value of opt_out that permits; there are: no, yes
    positive: {opt_out: "no"}
    """
    file = open_table(path, None, {}, drafting=True)
    names = [name for name in file.names if name]
    if not names:
        raise TableError(f"{file.name} has no named columns; a header line is needed.")
    check_names(file, names)
    return "\n".join(_Draft(file, names).lines()) + "\n"


class _Draft:
    """A table and the guesses about it."""

    def __init__(self, file: TableFile, names: list[str]) -> None:
        self.file = file
        self.text = file.table(names)
        if not self.text.num_rows:
            raise TableError(f"{file.name} has a header but no rows.")
        self._read: dict[tuple[str, bool], Any] = {}
        self.roles = {name: self._guess(name) for name in names}
        treatments = self.having("treatment")
        for name in treatments[1:]:  # a table has one
            self.roles[name] = "feature"
        self.other_treatments = treatments[1:]
        numbers = [name for name in names if self.roles[name] in ("feature", "outcome", "score")]
        wide = len(numbers) > _WIDE
        self.typed = type_columns(
            (self.text.slice(0, _LOOKED_AT) if wide else self.text).select(numbers),
            Roles(dict.fromkeys(names, "feature")),
            file.place,
            file.name,
            drafting=True,
        )

    def having(self, role: str) -> list[str]:
        return [name for name, given in self.roles.items() if given == role]

    def column(self, name: str, *, number: bool = False) -> pd.Series:
        """Return a column as labels, or as the numbers that it may hold."""
        if (name, number) not in self._read:
            role = "feature" if number else "identifier"
            made = type_columns(
                self.text.select([name]),
                Roles({name: role}),
                self.file.place,
                self.file.name,
                drafting=True,
            )
            self._read[name, number] = made.table.to_pandas()[name]
        return self._read[name, number]

    # -- guesses

    def _guess(self, name: str) -> str:
        words = levels.words_of(name)
        for role, pattern in _patterns().items():
            if role in ROLES and pattern.search(words):
                fits = getattr(self, f"_fits_{role}", None)
                found = role if fits is None else fits(name)
                if found:
                    return str(found)
        return "feature"

    def _fits_identifier(self, name: str) -> str:
        column = self.column(name)
        once = column.notna().all() and column.is_unique
        # an identifier is there once, in every row
        return "identifier" if once else "quasi_identifier"

    def _fits_treatment(self, name: str) -> str | None:
        column = self.column(name)
        return "treatment" if column.notna().all() and 2 <= column.nunique() <= 20 else None

    def _fits_outcome(self, name: str) -> str | None:
        column = self.column(name, number=True)
        many = column.nunique() > 2 and not _is_numeric(column) and not _doubles(column)
        return None if column.isna().any() or column.nunique() < 2 or many else "outcome"

    def _fits_score(self, name: str) -> str | None:
        column = self.column(name, number=True)
        return "score" if _is_numeric(column) and column.notna().all() else None

    def _fits_decision(self, name: str) -> str | None:
        column = self.column(name)
        return "decision" if column.notna().all() and column.nunique() <= 20 else None

    def _fits_consent(self, name: str) -> str | None:
        column = self.column(name)
        known = levels.levels_of(column)
        yes, no, odd = self._answers(name)
        permits = no if levels.is_refusal(name) else yes
        said = (yes or no) and (permits or not odd)
        # a lone mark, such as x, under a name that refuses: loading asks what it means
        said = said or (levels.is_refusal(name) and len(known) == 1)
        return "consent" if said and len(known) <= 20 else None

    def _answers(self, name: str) -> tuple[list[Any], list[Any], list[Any]]:
        """Return the levels that say yes, those that say no, and those that say neither."""
        known = levels.levels_of(self.column(name))
        yes = [level for level in known if levels.says_yes(level)]
        no = [level for level in known if levels.says_no(level)]
        odd = [v for v in known if v not in yes and v not in no and not levels.says_nothing(v)]
        return yes, no, odd

    def _fits_time(self, name: str) -> str | None:
        column = self.column(name)
        for order in (None, "dmy"):
            try:
                read_times(column, name, order=order, missing=True, error=TableError)  # type: ignore[arg-type]
            except TableError:
                continue
            if order:
                self.file.found["dates"] = order
            return "time"
        return None

    # -- the text

    def lines(self) -> list[str]:
        said = [*self.file.notes, *self.typed.notes]
        after = _patterns()["afterwards"]
        warnings = {
            name: "  # WARNING: known only afterwards? Then leave it out: it gives the answer away"
            for name in self.having("feature")
            if after.search(levels.words_of(name))
        }
        for name in self.other_treatments:
            warnings[name] = "  # WARNING: says what was done, too? Then leave it out"
        return [
            "# A draft, guessed from the names of the columns: review every line.",
            "# Leave out the columns you do not need: a column without a role is not read.",
            *(["# How the table was read:"] if said else []),
            *(f"#   {_comment(note)}" for note in said[:40]),
            "# The roles:",
            *(f"#   {role}: {meaning}" for role, meaning in ROLES.items()),
            "columns:",
            *(f"  {scalar(n)}: {role}{warnings.get(n, '')}" for n, role in self.roles.items()),
            *self._control(),
            *self._outcome(),
            *self._positive(),
            *self._cluster(),
            *self._format(),
        ]

    def _control(self) -> list[str]:
        for name in self.having("treatment"):
            known = levels.levels_of(self.column(name))
            found = (v for p in (_UNTREATED, _FIRST_ARM) for v in known if p.match(str(v)))
            control = next(found, known[0])
            return [
                f"# the untreated level of {_comment(name)}; there are: {levels.listed(known)}",
                f"control: {scalar(control)}",
            ]
        return []

    def _outcome(self) -> list[str]:
        outcomes = self.having("outcome")
        if not outcomes:
            return []
        which = ["# which outcome is meant"] if len(outcomes) > 1 else []
        return [*which, f"outcome: {scalar(outcomes[0])}"]

    def _positive(self) -> list[str]:
        """Name the values that count, where they are neither numbers nor true and false."""
        lines, found = [], {}
        for role in ("outcome", "decision", "consent"):
            for name in self.having(role):
                words = self._counting(name, role)
                if words:
                    what = "permits" if role == "consent" else "counts"
                    known = levels.listed(levels.levels_of(self.column(name)))
                    value = "value" if len(words) == 1 else "values"
                    what = what if len(words) == 1 else what[:-1]
                    lines.append(
                        f"# the {value} of {_comment(name)} that {what}; there are: {known}"
                    )
                    listed = ", ".join(scalar(word, flow=True) for word in words)
                    found[name] = listed if len(words) == 1 else f"[{listed}]"
        if not found:
            return []
        outcomes = self.having("outcome")
        if list(found) == outcomes[:1]:
            return [*lines, f"positive: {found[outcomes[0]]}"]
        inside = ", ".join(f"{scalar(name, flow=True)}: {words}" for name, words in found.items())
        return [*lines, f"positive: {{{inside}}}"]

    def _counting(self, name: str, role: str) -> list[Any]:
        known = levels.levels_of(self.column(name))
        yes, no, odd = self._answers(name)
        if role == "consent":
            if levels.is_refusal(name):
                return no or ["no"]
            return yes if odd else []
        if _is_numeric(self.column(name, number=True)) or not len(known):
            return []
        if role == "decision" and {str(level).casefold() for level in known} <= {"true", "false"}:
            return []
        # where every level says no, a load asks which counts
        return yes or [level for level in known if not levels.negates(level)][-1:]

    def _cluster(self) -> list[str]:
        pattern = _patterns()["cluster"]
        for name in self.roles:
            if pattern.search(levels.words_of(name)):
                column = self.column(name)
                if column.notna().all() and 1 < column.nunique() < len(column):
                    return [
                        f"# do people of one {_comment(name)} belong together? then write:",
                        f"# cluster: {scalar(name)}",
                    ]
        return []

    def _format(self) -> list[str]:
        found = {**self.file.found, **self.typed.found}
        groups = [n for n, r in self.roles.items() if r in ("treatment", "protected", "sensitive")]
        if any(_doubles(self.column(name)) for name in groups):
            found["case"] = "ignore"
        if not found:
            return []
        inside = ", ".join(f"{key}: {scalar(value, flow=True)}" for key, value in found.items())
        asked = "; which comes first, day or month, could not be told" if "dates" in found else ""
        said = f"# how the file is written, as far as it could be found{asked}"
        return [said, f"format: {{{inside}}}"]


def _comment(text: str) -> str:
    return shown(" ".join(text.split()), 300)


def _is_numeric(column: pd.Series) -> bool:
    return column.dtype.kind in "biuf"


def _doubles(column: pd.Series) -> bool:
    try:
        levels.no_doubles(column, "", "", str)
    except TableError:
        return True
    return False


@cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    """Return a pattern of names for each role, and for what else is told by a name."""
    made = {}
    for role, lines in own_data(__file__, "role_names.yaml").items():
        parts = []
        for line in lines:
            kind = line[0] if line[0] in "=$~" else ""
            parts.append(_AROUND[kind].format(line[len(kind) :]))
        made[role] = re.compile("|".join(parts))
    return made
