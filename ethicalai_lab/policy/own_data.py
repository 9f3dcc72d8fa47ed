"""A team's own table as an evaluation's context: one row a person, and no truth behind it.

What its columns mean is taken from their roles. What it does not hold a measure says itself.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ethicalai_lab.policy.context import EvaluationContext
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.own_dates import Dates, plausible
from ethicalai_lab.tables.column_types import measured
from ethicalai_lab.tables.levels import consent_answers
from ethicalai_lab.tables.loading import how_read, place_of
from ethicalai_lab.world import PURPOSES

if TYPE_CHECKING:
    from ethicalai_lab.tables.roles import Roles

__all__ = ["ASK_LEAVES", "NOT_STATED", "TableContext", "slug"]

Bools = NDArray[np.bool_]

_AGES = ("age", "age_years", "age_in_years", "alter", "edad", "eta", "leeftijd", "idade")
NOT_STATED = "not stated"
ASK_LEAVES = "needs an outcome column that says who unsubscribed, named unsubscribed"


class TableContext(EvaluationContext):
    """A table as the stages see it.

    Parameters
    ----------
    table : DataFrame of shape (n_people, n_columns)
        From `load_table` or `check_table`. It is not changed.
    roles : Roles
    seed : int
        Of every draw.
    part : float, default 1.0
        Share of the table's people whom it holds, where it is one of several refits.

    Raises
    ------
    PolicyError
        If a column is not there, or a person has several rows.
    """

    name = "a table of one's own, with roles"

    def __init__(self, table: pd.DataFrame, roles: Roles, seed: int, part: float = 1.0) -> None:
        super().__init__(seed, part)
        for name in roles.columns:
            if name not in table.columns:
                raise PolicyError(
                    f'the table has no column "{name}", which its roles name; load it anew.'
                )
        _one_row_each(table, roles)
        self.how_read = how_read(table)
        self.table = table[list(roles.columns)].reset_index(drop=True)
        self.roles = roles
        self.n = len(table)
        self.ids = np.arange(1, self.n + 1, dtype=np.int64)
        times = roles.of("time")
        self.dates: Dates | None = None
        if times:
            self.dates = plausible(self.table[times[0]], times[0], partial(place_of, table))
        # without a date in the table any fixed day serves: only periods are measured
        now = pd.NaT if self.dates is None else self.dates.now
        self.as_of = pd.Timestamp("2026-01-12") if pd.isna(now) else now
        self.age_column = _age_column(self.table, roles)
        age = pd.Series(np.nan, index=self.table.index)
        if self.age_column is not None:
            age = pd.to_numeric(self.table[self.age_column], errors="coerce")
        self.customers = self.table[roles.of("protected")].assign(age=age)

    @cached_property
    def arms(self) -> tuple[Any, ...]:
        """What people got in the table's own experiment, the control first."""
        if not self.roles.of("treatment"):
            return ()
        levels = sorted(self.table[self.roles.treatment].unique().tolist(), key=str)
        return (self.roles.control, *(level for level in levels if level != self.roles.control))

    @property
    def offers(self) -> tuple[str, ...]:  # type: ignore[override]
        """What a message may be."""
        return tuple(map(str, self.arms[1:])) or ("a message",)

    @cached_property
    def groups(self) -> dict[str, tuple[NDArray[np.int64], tuple[str, ...]]]:
        """Protected groups by column; a numeric age by its bands, under that name."""
        found = {}
        for name in self.roles.of("protected"):
            column = measured(self.table[name])
            numeric = pd.api.types.is_numeric_dtype(column)
            if name == self.age_column and numeric and column.nunique() > 4:
                cuts: Any = np.array([30, 45, 60])
                words = ["under 30", "30 to 44", "45 to 59", "60 and over"]
                codes = np.digitize(column.to_numpy(float), cuts)
            elif numeric and column.nunique() > 12:
                values = column.to_numpy(float)
                cuts = np.unique(np.quantile(values[np.isfinite(values)], [0.25, 0.5, 0.75]))
                words = [f"up to {cuts[0]:g}", *(f"above {cut:g}" for cut in cuts)]
                codes = np.digitize(values, cuts, right=True)
            else:
                levels = column.astype(str).where(column.notna()).astype("category")
                words = [str(level) for level in levels.cat.categories]
                codes = levels.cat.codes.to_numpy(np.int64)
            codes = np.where(column.isna(), len(words), codes)
            if column.isna().any():
                words.append(NOT_STATED)
            # the audits know an age by its bands
            name = "age_band" if name == self.age_column else name
            found[name] = (codes.astype(np.int64), tuple(words))
        return found

    def half(self, number: int) -> TableContext:
        """Return a random half of the rows, as a table of its own."""
        rows, seed = self.half_rows(number)
        return TableContext(self.table.iloc[rows], self.roles, seed, self.part / 2)

    def records(self, people: NDArray[np.int64]) -> dict[int, dict[str, Any]]:
        """Return some rows, by number, each as one text."""
        rows = self.table.iloc[people].astype(str)
        written = {}
        for position, row in zip(people, rows.itertuples(index=False), strict=True):
            text = "; ".join(f"{a} {b}" for a, b in zip(rows.columns, row, strict=True))
            # one text a row that JSON writes as it is, so that a thief's search can find it
            plain = text.encode("ascii", "backslashreplace").decode("ascii")
            plain = plain.translate({ord(c): "/" for c in '\\"\n\r\t'})
            written[int(self.ids[position])] = {"email": f"row {position + 1}: {plain}"}
        return written

    def lacks(self, policy: Any, key: str, needs: str) -> str:
        """Return what a measure needs; profit needs prices that somebody decided."""
        if key == "value.profit_added" and needs in ("", ASK_LEAVES):
            for name in ("contact_cost", "unsubscribe_cost"):
                if policy[f"personalization.{name}"] is None:
                    return f"needs a decision on personalization.{name}"
        return needs

    def about(self, values: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any]:
        """Return how the table was read, and what its experiment leaves open."""
        model, silent = results["model"], results["permission"].silent
        lot = self.once("by lot", lambda: _by_lot(self, model.experiment))
        said = lot | _ranked(values, model)
        read = [*self.how_read, *(self.dates.said if self.dates is not None else ())]
        read += _too_old(self, values["data.retention_days"])
        read += _silence(self, values["consent.default"], silent)
        return said | ({"how_read": read} if read else {})

    @cached_property
    def identity(self) -> str:
        """A checksum of the table and its roles."""
        digest = hashlib.sha256(repr(sorted(self.roles.to_dict().items(), key=str)).encode())
        hashed = pd.util.hash_pandas_object(self.table, index=False)
        digest.update(np.ascontiguousarray(hashed.to_numpy()).tobytes())
        return digest.hexdigest()[:16]


def _age_column(table: pd.DataFrame, roles: Roles) -> str | None:
    """Return the column that holds ages in years, however it is written, if there is one."""
    for name in (*roles.of("protected"), *roles.columns):
        if slug(name) in _AGES and pd.api.types.is_numeric_dtype(table[name]):
            return name
    return None


def slug(name: str) -> str:
    """Return a column's name as a measure may carry it."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")
    return plain or "column"


def _one_row_each(table: pd.DataFrame, roles: Roles) -> None:
    """Refuse people with several rows: they would be counted as so many people."""
    for name in roles.of("identifier"):
        if table[name].duplicated().any():
            raise PolicyError(
                f'column "{name}" (identifier) repeats: this is a table of events; one row a '
                "person is accepted."
            )
    if roles.cluster is not None and table[roles.cluster].duplicated().any():
        raise PolicyError(
            f'column "{roles.cluster}" (cluster) repeats, and intervals here are those of '
            "independent rows; keep one row of each, or leave `cluster` out."
        )


def _too_old(context: TableContext, most: int) -> list[str]:
    """Say how many rows the policy no longer keeps, since they are dated too far back."""
    dates = context.dates
    count = 0 if dates is None else int((dates.days > most).sum())
    if dates is None or not count:
        return []
    rows = f"{count:,} of {context.n:,} rows are" if count > 1 else "1 row is"
    return [
        f'column "{context.roles.of("time")[0]}": {rows} from more than {most:,} days before '
        f"{dates.now:%Y-%m-%d}; not kept, by this policy's data.retention_days."
    ]


def _silence(context: TableContext, default: str, silent: Bools) -> list[str]:
    """Say whom the policy takes to have agreed, or not, since they say nothing."""
    told = []
    for column in context.roles.of("consent"):
        answers, _ = consent_answers(context.table[column], column, context.roles)
        count = int(np.isnan(answers).sum())
        if not count:
            continue
        people = f"{count:,} of {context.n:,} people say" if count > 1 else "1 person says"
        taken = "a yes" if default == "opt_out" else "a no"
        told.append(
            f'column "{column}" (consent): {people} nothing; under this policy\'s consent.default '
            f"({default}) silence counts as {taken}."
        )
    reached = int(silent[PURPOSES.index("direct_marketing")].sum())
    if reached:
        told.append(f"consent.reachable counts {reached:,} who say nothing among the reachable.")
    return told


def _ranked(values: Mapping[str, Any], model: Any) -> dict[str, str]:
    """Say by which outcome people are ranked where it is not the policy's objective."""
    found, wanted = model.experiment, values["personalization.objective"]
    ranks = values["personalization.targeting"] in ("response", "uplift")
    if isinstance(found, str) or model.why or not ranks or found.outcome == wanted:
        return {}
    return {
        "ranked_by": f"{found.outcome}, since this table has no outcome {wanted}, which is the "
        "policy's objective"
    }


def _by_lot(context: TableContext, found: Any) -> dict[str, str]:
    """Say so where the features tell who got which arm: the values then mix two things."""
    from threadpoolctl import threadpool_limits

    from ethicalai_lab.personalization.experiment import (
        BALANCE_P,
        covariate_balance,
        covariates,
        p_text,
    )

    if isinstance(found, str):
        return {}
    roles = context.roles
    given = {roles.treatment, *roles.of("outcome")}
    names = [name for name in roles.of("feature") if name not in given]
    features, _ = covariates(context.table, names)
    if not features.shape[1]:
        return {}
    arm_of = np.asarray([str(found.arms[i]) for i in found.arm], dtype=object)
    control, *arms = [str(level) for level in found.arms]
    with threadpool_limits(limits=1):
        rows = covariate_balance(features, arm_of, control, arms, context.seed)
    rows = rows[rows["p_value"] < BALANCE_P]
    if rows.empty:
        return {}
    first = rows.sort_values("auc", ascending=False).iloc[0]
    return {
        "experiment": (
            f"who got {first['arm']!r} can be told from the features (AUC {first['auc']:.3f}, p "
            f"{p_text(first['p_value'])}; largest difference: {first['feature']!r}). If it was "
            "not given by lot, what is added mixes the campaign with the choice of people"
        )
    }
