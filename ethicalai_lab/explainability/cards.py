"""Cards: what is known of a model or a table, measured, with the gaps left open.

A figure on a card is measured from what was given. A question that only people can
answer (what is it for, whom may it harm) stays visibly open until someone answers it;
those questions stand in ``cards.yaml``.

References
----------
Mitchell, M. et al. (2019). Model cards for model reporting. Proceedings of the
Conference on Fairness, Accountability, and Transparency, 220-229.

Gebru, T. et al. (2021). Datasheets for datasets. Communications of the ACM 64(12), 86-92.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.core.files import write_atomic
from ethicalai_lab.core.report import render
from ethicalai_lab.core.yaml import own_data
from ethicalai_lab.explainability._auc import auc
from ethicalai_lab.explainability._text import clean, markdown_cell
from ethicalai_lab.explainability._themes import tabled, themed
from ethicalai_lab.explainability.errors import ExplanationError
from ethicalai_lab.stats import (
    Interval,
    bootstrap_rows,
    mean_interval,
    percentile_interval,
    proportion_interval,
)

if TYPE_CHECKING:
    import pandas as pd

    from ethicalai_lab.tables.roles import Roles

__all__ = ["Card", "Entry", "dataset_datasheet", "model_card"]

_BANDS = 5
# an average over fewer is noise, and close to telling who did what
_MIN_GROUP = 30
# one person's extreme date must not be readable off the sheet
_ABOUT_PEOPLE = {"identifier", "quasi_identifier", "sensitive", "protected"}

_CSS = (
    ".eal-card{color-scheme:light dark;color:var(--ink);background:var(--paper);"
    "font:1rem/1.5 system-ui,sans-serif;padding:1rem;max-width:70rem;margin:auto}\n"
    + tabled(".eal-card", "border:1px solid var(--line);color:var(--ink);background:var(--paper)")
    + "\n.eal-card.eal-card.eal-card .gap{color:var(--gap);font-weight:bold}\n"
    ".eal-card div{overflow-x:auto}\n"
    + themed(
        ".eal-card",
        "--ink:#1b1b1b;--paper:#ffffff;--line:#767676;--gap:#8a1c00",
        "--ink:#eeeeee;--paper:#161616;--line:#8c8c8c;--gap:#ffb199",
    )
    + "\n"
)


# ------------------------------------------------------------------------ the card


@dataclass(frozen=True)
class Entry:
    """One question of a card, with its answer or its gap.

    Parameters
    ----------
    question : str
        What is asked.
    answer : str or None
        The answer; None leaves the question open.
    source : str
        Where the answer comes from, or why there is none.
    measured : bool
        Whether the answer is to be measured, rather than stated by people.

    Examples
    --------
    >>> from ethicalai_lab.explainability.cards import Entry
    >>> Entry("Intended use", None, "for people to answer", measured=False).shown
    'not stated'
    """

    question: str
    answer: str | None
    source: str
    measured: bool

    @property
    def shown(self) -> str:
        """The answer, or ``not measured`` or ``not stated``."""
        if self.answer is None:
            return "not measured" if self.measured else "not stated"
        return clean(self.answer)

    @property
    def kind(self) -> str:
        """``open``, ``measured`` or ``stated``."""
        return "open" if self.answer is None else "measured" if self.measured else "stated"


@dataclass(frozen=True)
class Card:
    """Questions about a model or a table, by section; the open ones stay visible.

    Parameters
    ----------
    title : str
        The card's title.
    sections : mapping of str to list of Entry
        The entries of each section, in order.

    References
    ----------
    Mitchell et al. (2019) and Gebru et al. (2021), see the module.

    Examples
    --------
    >>> from ethicalai_lab.explainability.cards import Card, Entry
    >>> card = Card("Mail model", {"Use": [Entry("Intended use", None, "", measured=False)]})
    >>> card.gaps
    ['Intended use']
    >>> card.summary
    '1 of 1 questions is open: 1 not stated, 0 not measured.'
    """

    title: str
    sections: Mapping[str, list[Entry]]

    @property
    def entries(self) -> list[Entry]:
        """All entries, in order."""
        return [entry for entries in self.sections.values() for entry in entries]

    @property
    def gaps(self) -> list[str]:
        """The open questions, in order."""
        return [entry.question for entry in self.entries if entry.answer is None]

    @property
    def summary(self) -> str:
        """How many questions are open, in one sentence."""
        missing = [entry for entry in self.entries if entry.answer is None]
        measured = sum(entry.measured for entry in missing)
        verb = "is" if len(missing) == 1 else "are"
        return (
            f"{len(missing)} of {len(self.entries)} questions {verb} open: "
            f"{len(missing) - measured} not stated, {measured} not measured."
        )

    @property
    def markdown(self) -> str:
        """The card as Markdown: one table a section."""
        return render("explainability/templates/card.md", card=self, cell=_cell)

    @property
    def html(self) -> str:
        """The card as a whole HTML page that loads nothing."""
        return render(
            "explainability/templates/card_page.html", card=self, shown=self._repr_html_()
        )

    def _repr_html_(self) -> str:
        return render("explainability/templates/card.html", card=self, css=_CSS, text=clean)

    def __str__(self) -> str:
        return self.markdown

    def save(self, path: str | Path) -> None:
        """Write the card, whole or not at all.

        Parameters
        ----------
        path : path-like
            A name ending in ``.md`` or ``.html``; its folder must exist.

        Raises
        ------
        ExplanationError
            If the name ends otherwise or the file cannot be written.
        """
        suffix = Path(path).suffix.lower()
        if suffix not in (".md", ".html"):
            raise ExplanationError(f"{path}: a card is saved under a name in .md or .html.")
        content = self.markdown if suffix == ".md" else self.html
        write_atomic(path, content, error=ExplanationError)


def _cell(text: str) -> str:
    # the dollar too: notebooks read a pair of them as mathematics
    return markdown_cell(text, also="~$")


def _card(
    title: str, name: Any, kind: str, measured: Mapping[str, list[Entry]], told: Mapping[str, Any]
) -> Card:
    """Return each section's measured entries, and after them what people state."""
    if not isinstance(name, str) or not clean(name):
        raise ExplanationError(f"name must be a text that is not blank, not {name!r}.")
    sections = own_data(__file__, "cards.yaml")[kind]
    asked = {field for stated in sections.values() for field in stated or {}}
    for field, answer in told.items():
        if field not in asked:
            known = ", ".join(sorted(asked))
            raise ExplanationError(f'"{field}" is not asked for on this card; {known} are.')
        if not isinstance(answer, str | None):
            raise ExplanationError(
                f"{field} must be a text, or None to leave it open, not {type(answer).__name__}."
            )
    filled = {}
    for section, stated in sections.items():
        filled[section] = list(measured.get(section, []))
        for field, question in (stated or {}).items():
            answer = told.get(field)
            blank = answer is None or not clean(answer)
            source = "for people to answer" if blank else "stated by the card's author"
            filled[section].append(Entry(question, None if blank else answer, source, False))
    return Card(f"{title}: {name}", filled)


# ------------------------------------------------------------------------ model card


def model_card(
    model: Any,
    X: pd.DataFrame,
    y: ArrayLike,
    *,
    name: str,
    groups: pd.DataFrame | pd.Series | None = None,
    threshold: float | None = None,
    n_boot: int = 400,
    **told: str | None,
) -> Card:
    """Return the card of a binary classifier, its performance measured on `X` and `y`.

    Parameters
    ----------
    model : fitted classifier of two classes
        Scored by ``predict_proba``, else ``decision_function``.
    X : DataFrame of shape (n_rows, n_columns)
        The evaluation data: rows that the model was not trained on.
    y : array-like of shape (n_rows,)
        What happened: one of the model's classes a row. The second counts as positive.
    name : str
        The model's name.
    groups : Series or DataFrame of n_rows, optional
        The groups to report, by one attribute or several. A group of fewer than 30 rows is marked
        too small and its figures are withheld.
    threshold : float, optional
        A row is selected where its score is at least this. 0.5 if all scores are in
        [0, 1]; otherwise it must be given.
    n_boot : int, default 400
        Bootstrap replicates for the interval of the AUC.
    **told : str
        What only people can state; what is left out stays open: ``owner``, ``version``,
        ``intended_use``, ``intended_users``, ``out_of_scope``, ``factors``, ``evaluation_data``,
        ``training_data``, ``ethical_considerations``, ``caveats``.

    Returns
    -------
    Card

    Raises
    ------
    ExplanationError
        If lengths or row labels differ, `y` or a score is missing, `y` is none of the model's two
        classes, the model cannot score `X`, or something is told that is not asked for.

    Notes
    -----
    Shares have Wilson intervals, means (calibration gap, Brier score) t-intervals, the
    AUC a percentile bootstrap within outcomes; all of 95 %. The calibration gap is the mean score
    minus the observed rate. A bootstrap of a perfect separation has no width.

    References
    ----------
    Mitchell et al. (2019), see the module.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.dummy import DummyClassifier
    >>> from ethicalai_lab.explainability.cards import model_card
    >>> X, y = pd.DataFrame({"age": range(100)}), [0, 0, 0, 1] * 25
    >>> card = model_card(DummyClassifier().fit(X, y), X, y, name="Base rate")
    >>> answers = {entry.question: entry.answer for entry in card.entries}
    >>> answers["Observed rate, all rows"]
    '0.250 [0.175, 0.343]'
    >>> answers["Intended use"] is None
    True
    """
    n, width = _shape(X, "X")
    actual, positive = _outcomes(model, X, y)
    scores, scorer = _scores(model, X)
    sure = bool(((scores >= 0) & (scores <= 1)).all())
    if threshold is None:
        if not sure:
            raise ExplanationError(
                "threshold is not given and the scores are not all between 0 and 1; "
                "give the score from which a row is selected."
            )
        threshold = 0.5
    measure = _Measured(actual, scores, threshold, sure, n_boot)
    attributes = _groups(X, groups)
    names = ", ".join(attributes) or None
    why = "read from the call" if attributes else "no groups were given"
    fitted = getattr(model, "n_features_in_", None)
    features = (
        (None, "the model does not say")
        if fitted is None
        else (f"{fitted:,}", "read from the model")
    )
    measured = {
        "Model details": [
            Entry("Class", type(model).__name__, "read from the model", True),
            _parameters(model),
        ],
        "Factors": [Entry("Groups reported", names, why, True)],
        "Metrics": [
            Entry("Score", scorer, "read from the model", True),
            Entry("Positive outcome", str(positive), "read from the model", True),
            Entry(
                "Decision rule",
                f"selected where score >= {threshold:g}",
                "read from the call",
                True,
            ),
            Entry(
                "Intervals",
                "95%: Wilson for shares, t for means, bootstrap "
                f"({n_boot:,} replicates, seed 0) for the AUC",
                "read from the call",
                True,
            ),
        ],
        "Evaluation data": [
            Entry("Rows and columns", f"{n:,} rows, {width:,} columns", "measured on X", True)
        ],
        "Training data": [Entry("Features fitted", *features, True)],
        "Quantitative analyses, overall": [
            *measure.figures(np.ones(n, dtype=bool), "all rows", 0),
            *measure.bands(),
        ],
        "Quantitative analyses, by group": measure.by_group(attributes),
    }
    return _card("Model card", name, "model_card", measured, told)


def _shape(table: Any, label: str) -> tuple[int, int]:
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise ExplanationError(f"{label} must be a DataFrame, not {type(table).__name__}.")
    if not len(table):
        raise ExplanationError(f"{label} has no rows; at least one is needed.")
    return len(table), table.shape[1]


def _column(X: pd.DataFrame, values: Any, label: str) -> NDArray[Any]:
    """One value a row, in the order of X: labels that differ would pair strangers."""
    array = np.asarray(values)
    if array.shape != (len(X),):
        raise ExplanationError(
            f"{label} has shape {array.shape}; X has {len(X)} rows: give ({len(X)},)."
        )
    index = getattr(values, "index", None)
    if hasattr(index, "equals") and not index.equals(X.index):
        raise ExplanationError(f"{label} and X have different row labels; give the same index.")
    return array


def _outcomes(model: Any, X: pd.DataFrame, y: Any) -> tuple[NDArray[np.bool_], Any]:
    import pandas as pd

    values = _column(X, y, "y")
    missing = np.flatnonzero(pd.isna(values))
    if missing.size:
        raise ExplanationError(
            f"y is missing in row {missing[0]} (and {missing.size - 1} more); leave such rows out."
        )
    classes = list(getattr(model, "classes_", (0, 1)))
    if len(classes) != 2:
        raise ExplanationError(f"the model has {len(classes)} classes; a card needs two.")
    found = values.tolist()
    odd = [v for v in found if not isinstance(v, Hashable) or v not in classes]
    if odd:
        raise ExplanationError(f"y holds {odd[0]!r}, which is none of the model's classes.")
    return values == classes[1], classes[1]


def _scores(model: Any, X: pd.DataFrame) -> tuple[NDArray[np.float64], str]:
    label = next((way for way in ("predict_proba", "decision_function") if hasattr(model, way)), "")
    if not label:
        raise ExplanationError("the model has neither predict_proba nor decision_function.")
    try:
        found = np.asarray(getattr(model, label)(X), dtype=float)
    except Exception as problem:
        raise ExplanationError(f"X cannot be scored ({_short(problem)}).") from None
    scores = found if label == "decision_function" else found[:, 1]
    bad = np.flatnonzero(~np.isfinite(scores))
    if bad.size:
        raise ExplanationError(f"the score is not a finite number in row {bad[0]}.")
    return scores, label


def _short(problem: Exception) -> str:
    lines = str(problem).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(problem).__name__


def _groups(X: pd.DataFrame, groups: Any) -> dict[str, NDArray[Any]]:
    import pandas as pd

    if groups is None:
        return {}
    table = groups if isinstance(groups, pd.DataFrame) else pd.DataFrame({_named(groups): groups})
    if not table.columns.is_unique:
        raise ExplanationError("groups names a column twice; give each column once.")
    shown = table.astype(object).where(table.notna(), "(missing)").astype(str)
    return {str(name): _column(X, shown[name], f'groups "{name}"') for name in shown}


def _named(groups: Any) -> str:
    return str(getattr(groups, "name", None) or "group")


def _parameters(model: Any) -> Entry:
    if not hasattr(model, "get_params"):
        return Entry("Parameters", None, "the model has no get_params", True)
    # addresses in memory differ from run to run
    given = sorted(model.get_params(deep=False).items())
    listed = [f"{k}={re.sub(r' at 0x[0-9a-fA-F]+', '', repr(v))}" for k, v in given]
    return Entry("Parameters", ", ".join(listed) or "none", "read from the model", True)


@dataclass(frozen=True, eq=False)
class _Measured:
    """The figures of a card: of all rows, of a group's rows and by score."""

    actual: NDArray[np.bool_]
    scores: NDArray[np.float64]
    threshold: float
    probabilities: bool
    n_boot: int

    def figures(self, chosen_rows: NDArray[np.bool_], label: str, stream: int) -> list[Entry]:
        actual, scores = self.actual[chosen_rows], self.scores[chosen_rows]
        chosen = scores >= self.threshold
        source = f"measured on {actual.size:,} rows"
        value = auc(scores, actual)
        replicates: NDArray[np.float64] = np.array([math.nan])
        if not math.isnan(value):
            replicates = bootstrap_rows(
                lambda rows: auc(scores[rows], actual[rows]),
                actual.size,
                self.n_boot,
                np.random.SeedSequence([0, stream]),
                strata=actual,
            )
        found = percentile_interval(value, replicates)
        entries = [_figure(f"AUC, {label}", found, source, "needs both outcomes")]
        shares = (
            ("Observed rate", actual, None, ""),
            ("Selection rate", chosen, None, ""),
            ("Accuracy", chosen == actual, None, ""),
            ("True positive rate", chosen, actual, "no positive outcome"),
            ("False positive rate", chosen, ~actual, "no negative outcome"),
        )
        for question, hits, among, why in shares:
            kept = hits if among is None else hits[among]
            where = source if among is None else f"measured on {kept.size:,} rows"
            if kept.size == 0:
                entries.append(Entry(f"{question}, {label}", None, why, True))
                continue
            share = proportion_interval(int(kept.sum()), kept.size)
            entries.append(_figure(f"{question}, {label}", share, where, why))
        why = "the scores are no probabilities"
        for question, values in (
            (f"Calibration gap, {label}", scores - actual),
            (f"Brier score, {label}", (scores - actual) ** 2),
        ):
            if self.probabilities:
                entries.append(_figure(question, mean_interval(values), source, why))
            else:
                entries.append(Entry(question, None, why, True))
        return entries

    def bands(self) -> list[Entry]:
        if not self.probabilities:
            return [Entry("Calibration by score", None, "the scores are no probabilities", True)]
        # equal scores stay in one band, whatever the order of the rows
        levels = np.arange(1, _BANDS) / _BANDS
        cuts = np.unique(np.quantile(self.scores, levels, method="higher"))
        band = np.searchsorted(cuts, self.scores, side="right")
        entries = []
        for number, code in enumerate(np.unique(band), start=1):
            rows = band == code
            rate = proportion_interval(int(self.actual[rows].sum()), int(rows.sum()))
            answer = f"mean score {self.scores[rows].mean():.3f}, observed rate {rate.format(3)}"
            source = f"measured on {int(rows.sum()):,} rows"
            entries.append(Entry(f"Calibration, score band {number}", answer, source, True))
        return entries

    def by_group(self, attributes: Mapping[str, NDArray[Any]]) -> list[Entry]:
        if not attributes:
            return [Entry("Performance by group", None, "no groups were given", True)]
        entries = []
        cells = [(name, value) for name, held in attributes.items() for value in sorted(set(held))]
        for stream, (name, value) in enumerate(cells, start=1):
            rows = attributes[name] == value
            size, label = int(rows.sum()), f"{name} = {value}"
            small = size < _MIN_GROUP
            mark = f"; too small: fewer than {_MIN_GROUP} rows" if small else ""
            share = f"{size:,} ({size / len(rows):.1%}){mark}"
            entries.append(Entry(f"Rows, {label}", share, "measured on X", True))
            if small:
                why = f"withheld: {size} rows, fewer than {_MIN_GROUP}"
                entries.append(Entry(f"Performance, {label}", None, why, True))
            else:
                entries += self.figures(rows, label, stream)
        return entries


def _figure(question: str, found: Interval, source: str, why: str) -> Entry:
    if math.isnan(found.value):
        return Entry(question, None, why, True)
    return Entry(question, found.format(3), source, True)


# ------------------------------------------------------------------------- datasheet


def dataset_datasheet(
    table: pd.DataFrame,
    roles: Roles | Mapping[str, str | tuple[str, ...]] | None = None,
    *,
    name: str,
    **told: str | None,
) -> Card:
    """Return the datasheet of a table: its composition measured, the rest for people.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns)
        The data. No value of a person is shown but the range of dates, in whole years
        unless the column's role is known not to describe people.
    roles : Roles or mapping of str to str, optional
        The role of each column, as :class:`ethicalai_lab.tables.Roles` or one table of
        ``world.roles``.
    name : str
        The table's name.
    **told : str
        What only people can state; what is left out stays open: ``purpose``, ``creators``,
        ``funding``, ``represents``, ``collection``, ``consent``, ``preprocessing``, ``uses``,
        ``unsuitable_uses``, ``distribution``, ``maintenance``, ``retention``.

    Returns
    -------
    Card

    Raises
    ------
    ExplanationError
        If the table is empty or has a column name twice, a role names a column that
        the table has not or is unknown, or something is told that is not asked for.

    References
    ----------
    Gebru et al. (2021), see the module.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.explainability.cards import dataset_datasheet
    >>> table = pd.DataFrame({"age": [31, None, 58, 31], "visit": [0, 1, 1, 0]})
    >>> sheet = dataset_datasheet(table, {"age": "protected", "visit": "outcome"}, name="Visits")
    >>> answers = {entry.question: entry.answer for entry in sheet.entries}
    >>> answers["Column age"]
    'decimal number; role protected; 1 of 4 missing (25.0%)'
    >>> answers["Rows that repeat an earlier row"]
    '1 of 4 (25.0%)'
    >>> "Purpose" in sheet.gaps
    True
    """
    if _shape(table, "table")[1] == 0:
        raise ExplanationError("table has no columns; at least one is needed.")
    labels = [str(column) for column in table.columns]
    twice = [label for label, times in Counter(labels).items() if times > 1]
    if twice:
        raise ExplanationError(f'table has two columns "{twice[0]}"; rename one.')
    given = _roles(roles, labels)
    kinds = {label: _kind_of(table.iloc[:, i]) for i, label in enumerate(labels)}
    composition = [
        *_whole_table(table, kinds),
        *_by_role(table, labels, given),
        *(
            _one_column(table.iloc[:, i], label, kinds[label], given)
            for i, label in enumerate(labels)
        ),
    ]
    return _card("Datasheet", name, "dataset_datasheet", {"Composition": composition}, told)


_MEASURED = "measured on the table"


def _whole_table(table: pd.DataFrame, kinds: Mapping[str, str]) -> list[Entry]:
    n, width = table.shape
    counted = sorted(Counter(kinds.values()).items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{k}: {times}" for k, times in counted)
    gone = f"{_of(int(table.isna().sum().sum()), n * width)} cells"
    return [
        Entry("Rows and columns", f"{n:,} rows, {width:,} columns", _MEASURED, True),
        Entry("Kinds of column", shown, _MEASURED, True),
        Entry("Missing values", gone, _MEASURED, True),
        _repeats("Rows that repeat an earlier row", table),
    ]


def _by_role(
    table: pd.DataFrame, labels: list[str], given: Mapping[str, tuple[str, ...]] | None
) -> list[Entry]:
    identify, sensitive = "Columns that identify a person", "Sensitive and protected columns"
    if given is None:
        why = "no roles were given"
        return [Entry(question, None, why, False) for question in (identify, sensitive)]
    identifiers = _having(given, "identifier")
    together = _having(given, "quasi_identifier")
    guarded = _having(given, "sensitive", "protected")
    entries = [
        Entry(identify, _listed(identifiers), "roles given", False),
        Entry("Columns that identify in combination", _listed(together), "roles given", False),
        Entry(sensitive, _listed(guarded), "roles given", False),
    ]
    roleless = [label for label in labels if label not in given]
    if roleless:
        why = f"no role was given for {_listed(roleless)}"
        entries.append(Entry("Roles of the other columns", None, why, False))
    if identifiers and len(identifiers) < len(labels):
        kept = table.iloc[:, [i for i, c in enumerate(labels) if c not in identifiers]]
        entries.append(_repeats("Rows that repeat an earlier row but for identifiers", kept))
    return entries


def _one_column(
    values: pd.Series, label: str, kind: str, given: Mapping[str, tuple[str, ...]] | None
) -> Entry:
    known = () if given is None else given.get(label, ())
    gone = int(values.isna().sum())
    parts = [kind]
    if known:
        parts.append(f"role {' and '.join(known)}")
    parts.append(f"{_of(gone, len(values)).replace(' (', ' missing (')}")
    if kind == "date or time" and gone < len(values):
        form = "%Y-%m-%d" if known and not _ABOUT_PEOPLE & set(known) else "%Y"
        held = values.dropna()
        parts.append(f"from {held.min().strftime(form)} to {held.max().strftime(form)}")
    return Entry(f"Column {label}", "; ".join(parts), _MEASURED, True)


def _roles(roles: Any, labels: list[str]) -> dict[str, tuple[str, ...]] | None:
    from ethicalai_lab.tables.loading import TableError
    from ethicalai_lab.tables.roles import Roles

    if roles is None:
        return None
    if not isinstance(roles, Roles):
        if not isinstance(roles, Mapping):
            raise ExplanationError(
                f"roles must be Roles or a mapping of columns to roles, not {type(roles).__name__}."
            )
        # not through Roles itself: a whole table may have several of what an analysis has once
        for column, role in roles.items():
            try:
                Roles({column: role})
            except TableError as problem:
                raise ExplanationError(_short(problem) + ".") from None
    columns = roles.columns if isinstance(roles, Roles) else roles
    for column in columns:
        if column not in labels:
            raise ExplanationError(f'roles names "{column}", which is no column of the table.')
    return {c: (r,) if isinstance(r, str) else tuple(r) for c, r in columns.items()}


def _having(given: Mapping[str, tuple[str, ...]], *roles: str) -> list[str]:
    return [column for column, held in given.items() if set(held) & set(roles)]


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _of(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({part / whole:.1%})"


def _repeats(question: str, table: pd.DataFrame) -> Entry:
    try:
        return Entry(question, _of(int(table.duplicated().sum()), len(table)), _MEASURED, True)
    except TypeError:
        return Entry(question, None, "a column holds values that cannot be compared", True)


def _kind_of(values: pd.Series) -> str:
    """Say the kind in words: names of dtypes differ between versions of pandas."""
    import pandas as pd
    from pandas.api import types

    if isinstance(values.dtype, pd.CategoricalDtype):
        return "ordered category" if values.dtype.ordered else "category"
    for test, word in (
        (types.is_bool_dtype, "yes or no"),
        (types.is_datetime64_any_dtype, "date or time"),
        (types.is_timedelta64_dtype, "duration"),
        (types.is_integer_dtype, "whole number"),
        (types.is_numeric_dtype, "decimal number"),
    ):
        if test(values.dtype):
            return word
    found = types.infer_dtype(values, skipna=True)
    return {"string": "text", "empty": "empty"}.get(found, "mixed")
