"""Cards: what is known of a model or a table, measured, with the gaps left open.

A figure on a card is measured from what was given. A question that only people can
answer (what is it for, whom may it harm) stays visibly open until someone answers it.

References
----------
Mitchell, M. et al. (2019). Model cards for model reporting. Proceedings of the
Conference on Fairness, Accountability, and Transparency, 220-229.

Gebru, T. et al. (2021). Datasheets for datasets. Communications of the ACM 64(12), 86-92.
"""

from __future__ import annotations

import html
import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.core.files import write_atomic
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

_HEADINGS = ("Question", "Answer", "Kind", "Source")
_STATED = "stated by the card's author"
_OPEN = "for people to answer"
_BANDS = 5
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
        The answer; None, or a blank text, leaves the question open.
    source : str
        Where the answer comes from, or why there is none.
    measured : bool
        Whether the answer is to be measured, rather than stated by people.

    Raises
    ------
    ExplanationError
        If a text is no text, or the question is blank.

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

    def __post_init__(self) -> None:
        if not isinstance(self.question, str) or not clean(self.question):
            raise ExplanationError(
                f"Entry: the question must be a text that is not blank, not {self.question!r}."
            )
        if not isinstance(self.answer, str | None):
            raise ExplanationError(
                f'Entry "{self.question}": the answer must be a text or None, '
                f"not {type(self.answer).__name__}."
            )
        if not isinstance(self.source, str):
            raise ExplanationError(
                f'Entry "{self.question}": the source must be a text, '
                f"not {type(self.source).__name__}."
            )
        if not isinstance(self.measured, bool):
            raise ExplanationError(f'Entry "{self.question}": measured must be True or False.')
        if self.answer is not None and not clean(self.answer):
            object.__setattr__(self, "answer", None)

    @property
    def is_open(self) -> bool:
        """Whether there is no answer."""
        return self.answer is None

    @property
    def shown(self) -> str:
        """The answer, or ``not measured`` or ``not stated``."""
        if self.answer is None:
            return "not measured" if self.measured else "not stated"
        return clean(self.answer)


@dataclass(frozen=True)
class Card:
    """Questions about a model or a table, by section; the open ones stay visible.

    Parameters
    ----------
    title : str
        The card's title.
    sections : mapping of str to iterable of Entry
        The entries of each section, in order; no question twice in a section.

    Raises
    ------
    ExplanationError
        If the title is blank, a section is no series of entries, or a section asks
        the same question twice.

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
    sections: Mapping[str, tuple[Entry, ...]]

    def __post_init__(self) -> None:
        if not isinstance(self.title, str) or not clean(self.title):
            raise ExplanationError(
                f"Card: the title must be a text that is not blank, not {self.title!r}."
            )
        if not isinstance(self.sections, Mapping):
            raise ExplanationError(
                "Card: sections must be a mapping of section names to lists of entries, "
                f"not {type(self.sections).__name__}."
            )
        sections = {}
        for name, entries in self.sections.items():
            if not isinstance(name, str) or not clean(name):
                raise ExplanationError(f"Card: a section's name must be a text, not {name!r}.")
            listed = tuple(entries) if isinstance(entries, Iterable) else (entries,)
            if not all(isinstance(entry, Entry) for entry in listed):
                raise ExplanationError(f'Card: section "{name}" must hold only Entry objects.')
            twice = [q for q, n in Counter(entry.question for entry in listed).items() if n > 1]
            if twice:
                raise ExplanationError(
                    f'Card: section "{name}" asks "{twice[0]}" twice; ask it once.'
                )
            sections[name] = listed
        object.__setattr__(self, "sections", MappingProxyType(sections))

    def __hash__(self) -> int:
        return hash((self.title, tuple(self.sections.items())))

    def __reduce__(self) -> tuple[Any, ...]:
        # a read-only mapping does not pickle by itself
        return (Card, (self.title, dict(self.sections)))

    @property
    def entries(self) -> list[Entry]:
        """All entries, in order."""
        return [entry for entries in self.sections.values() for entry in entries]

    @property
    def gaps(self) -> list[str]:
        """The open questions, in order."""
        return [entry.question for entry in self.entries if entry.is_open]

    @property
    def summary(self) -> str:
        """How many questions are open, in one sentence."""
        missing = [entry for entry in self.entries if entry.is_open]
        measured = sum(entry.measured for entry in missing)
        verb = "is" if len(missing) == 1 else "are"
        return (
            f"{len(missing)} of {len(self.entries)} questions {verb} open: "
            f"{len(missing) - measured} not stated, {measured} not measured."
        )

    @property
    def markdown(self) -> str:
        """The card as Markdown: one table a section."""
        lines = [f"# {_cell(self.title)}", "", f"**{_cell(self.summary)}**"]
        for name, entries in self.sections.items():
            lines += ["", f"## {_cell(name)}", "", f"| {' | '.join(_HEADINGS)} |"]
            lines.append("|" + " --- |" * len(_HEADINGS))
            for entry in entries:
                shown = _cell(entry.shown)
                cells = (
                    _cell(entry.question),
                    f"**{shown}**" if entry.is_open else shown,
                    _kind(entry),
                    _cell(entry.source),
                )
                lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"

    @property
    def html(self) -> str:
        """The card as a whole HTML page that loads nothing."""
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{_text(self.title)}</title>"
            "<style>:root{color-scheme:light dark}</style></head>"
            f"<body><main>{self._repr_html_()}</main></body></html>\n"
        )

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{heading}</th>' for heading in _HEADINGS)
        gap = ' class="gap"'
        parts = []
        for name, entries in self.sections.items():
            rows = "".join(
                f'<tr><th scope="row">{_text(entry.question)}</th>'
                f"<td{gap if entry.is_open else ''}>{_text(entry.shown)}</td>"
                f"<td>{_kind(entry)}</td><td>{_text(entry.source)}</td></tr>\n"
                for entry in entries
            )
            # focusable, so that a wide table scrolls from the keyboard too
            parts.append(
                f'<h2>{_text(name)}</h2>\n<div role="region" tabindex="0" '
                f'aria-label="{_text(name)}"><table><thead><tr>{head}</tr></thead>\n'
                f"<tbody>{rows}</tbody></table></div>\n"
            )
        return (
            f'<article class="eal-card" lang="en"><style>{_CSS}</style>\n'
            f"<h1>{_text(self.title)}</h1>\n<p><strong>{_text(self.summary)}</strong></p>\n"
            f"{''.join(parts)}</article>"
        )

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
        if not isinstance(path, str | Path):
            raise ExplanationError(f"path must be a file name, not {type(path).__name__}.")
        suffix = Path(path).suffix.lower()
        if suffix not in (".md", ".html"):
            raise ExplanationError(f"{path}: a card is saved under a name in .md or .html.")
        content = self.markdown if suffix == ".md" else self.html
        write_atomic(path, content, error=ExplanationError)


def _kind(entry: Entry) -> str:
    if entry.is_open:
        return "open"
    return "measured" if entry.measured else "stated"


def _text(text: str) -> str:
    return html.escape(clean(text), quote=True)


def _cell(text: str) -> str:
    # the dollar too: notebooks read a pair of them as mathematics
    return markdown_cell(text, also="~$")


def _stated(question: str, answer: Any, argument: str) -> Entry:
    if not isinstance(answer, str | None):
        raise ExplanationError(
            f"{argument} must be a text, or None to leave it open, not {type(answer).__name__}."
        )
    blank = answer is None or not clean(answer)
    return Entry(question, None if blank else answer, _OPEN if blank else _STATED, False)


def _name(name: Any) -> str:
    if not isinstance(name, str) or not clean(name):
        raise ExplanationError(f"name must be a text that is not blank, not {name!r}.")
    return name


def _short(problem: Exception) -> str:
    lines = str(problem).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(problem).__name__


# ------------------------------------------------------------------------ model card


def model_card(
    model: Any,
    X: ArrayLike | pd.DataFrame,
    y: ArrayLike,
    *,
    name: str,
    groups: ArrayLike | pd.DataFrame | str | None = None,
    score: Callable[[Any], ArrayLike] | ArrayLike | None = None,
    threshold: float | None = None,
    positive: Any = None,
    training: ArrayLike | pd.DataFrame | None = None,
    importance: Mapping[str, float | Interval] | pd.Series | None = None,
    importance_method: str | None = None,
    owner: str | None = None,
    version: str | None = None,
    intended_use: str | None = None,
    intended_users: str | None = None,
    out_of_scope: str | None = None,
    factors: str | None = None,
    evaluation_data: str | None = None,
    training_data: str | None = None,
    ethical_considerations: str | None = None,
    caveats: str | None = None,
    min_group: int = 30,
    confidence: float = 0.95,
    n_boot: int = 400,
    versions: bool = False,
    seed: int = 0,
) -> Card:
    """Return the card of a binary classifier, its performance measured on `X` and `y`.

    Parameters
    ----------
    model : object
        The fitted model. It scores through ``predict_proba``, else
        ``decision_function``, unless `score` is given.
    X : array-like or DataFrame of shape (n_rows, n_columns)
        The evaluation data: rows that the model was not trained on.
    y : array-like of shape (n_rows,)
        What happened; at most two values.
    name : str
        The model's name.
    groups : array-like (n_rows,), DataFrame (n_rows, n_attributes) or str, optional
        The groups to report, or the name of a column of `X`.
    score : callable or array-like of shape (n_rows,), optional
        The scores, or what makes them from `X`; higher means likelier positive.
    threshold : float, optional
        A row is selected where its score is at least this. 0.5 if all scores are in
        [0, 1]; otherwise it must be given.
    positive : object, optional
        The positive value of `y`; by default the second of ``model.classes_``, or 1.
    training : array-like or DataFrame, optional
        The training data, to be measured.
    importance : mapping of str to float or Interval, optional
        The importance of each feature, largest magnitude shown first.
    importance_method : str, optional
        How `importance` was found, with its unit.
    owner, version, intended_use, intended_users, out_of_scope, factors : str, optional
        What only people can state; what is left out stays open.
    evaluation_data, training_data, ethical_considerations, caveats : str, optional
        Likewise.
    min_group : int, default 30
        A group of fewer rows is marked too small and its figures are withheld.
    confidence : float, default 0.95
        Of the intervals, in (0, 1).
    n_boot : int, default 400
        Bootstrap replicates for the interval of the AUC.
    versions : bool, default False
        Whether to name library versions, which makes the card depend on the machine.
    seed : int, default 0
        Source of the bootstrap's draws.

    Returns
    -------
    Card

    Raises
    ------
    ExplanationError
        If lengths or row labels differ, `y` or a score is missing, `y` is not binary,
        or the model cannot score `X`.

    Notes
    -----
    Shares have Wilson intervals, means (calibration gap, Brier score) t-intervals, the
    AUC a percentile bootstrap within outcomes. The calibration gap is the mean score
    minus the observed rate. A bootstrap of a perfect separation has no width.

    References
    ----------
    Mitchell et al. (2019), see the module.

    Examples
    --------
    >>> import numpy as np
    >>> from ethicalai_lab.explainability.cards import model_card
    >>> y = np.tile([0, 0, 0, 1], 25)
    >>> card = model_card(None, np.ones((100, 1)), y, score=np.full(100, 0.25), name="Base rate")
    >>> answers = {entry.question: entry.answer for entry in card.entries}
    >>> answers["Observed rate, all rows"]
    '0.250 [0.175, 0.343]'
    >>> answers["Intended use"] is None
    True
    """
    _name(name)
    if not isinstance(confidence, int | float) or not 0 < confidence < 1:
        raise ExplanationError(f"confidence is {confidence!r}; give a share between 0 and 1.")
    for label, number, least in (("min_group", min_group, 1), ("n_boot", n_boot, 1)):
        _whole(label, number, least)
    _whole("seed", seed, 0)
    n, width = _shape(X, "X")
    actual, positive = _outcomes(model, X, y, n, positive)
    scores, scorer = _scores(model, X, n, score, positive)
    probabilities = bool(((scores >= 0) & (scores <= 1)).all())
    if threshold is None:
        if not probabilities:
            raise ExplanationError(
                "threshold is not given and the scores are not all between 0 and 1; "
                "give the score from which a row is selected."
            )
        threshold = 0.5
    if (
        isinstance(threshold, bool)
        or not isinstance(threshold, int | float | np.number)
        or not math.isfinite(threshold)
    ):
        raise ExplanationError(f"threshold is {threshold!r}; give a finite number.")
    attributes = _groups(X, groups, n)
    chosen = scores >= threshold

    details = [
        Entry("Class", type(model).__name__, "read from the model", True)
        if model is not None
        else Entry("Class", None, "no model was given, only scores", True),
        _parameters(model),
        _stated("Person or team responsible", owner, "owner"),
        _stated("Version", version, "version"),
    ]
    if versions:
        details.append(Entry("Libraries", _versions(), "read from the installation", True))

    metrics = [
        Entry("Score", scorer, "read from the call", True),
        Entry("Positive outcome", str(positive), "read from y", True),
        Entry(
            "Decision rule", f"selected where score >= {threshold:g}", "read from the call", True
        ),
        Entry(
            "Intervals",
            f"{confidence:.0%}: Wilson for shares, t for means, bootstrap "
            f"({n_boot:,} replicates, seed {seed}) for the AUC",
            "read from the call",
            True,
        ),
    ]
    evaluation = [
        Entry("Rows and columns", f"{n:,} rows, {width:,} columns", "measured on X", True),
        _stated("Where the evaluation data come from", evaluation_data, "evaluation_data"),
    ]

    def figures(rows: NDArray[np.bool_], label: str, stream: int) -> list[Entry]:
        draws = np.random.SeedSequence([int(seed), stream])
        return _figures(
            actual[rows],
            scores[rows],
            chosen[rows],
            label,
            probabilities,
            confidence,
            n_boot,
            draws,
        )

    overall = figures(np.ones(n, dtype=bool), "all rows", 0)
    overall += _bands(actual, scores, probabilities, confidence)
    by_group: list[Entry] = []
    stream = 0
    for attribute, values in attributes.items():
        for value in sorted(set(values)):
            stream += 1
            rows = values == value
            size, label = int(rows.sum()), f"{attribute} = {value}"
            small = size < min_group
            mark = f"; too small: fewer than {min_group} rows" if small else ""
            by_group.append(
                Entry(f"Rows, {label}", f"{size:,} ({size / n:.1%}){mark}", "measured on X", True)
            )
            if small:
                # an average over so few is noise, and close to telling who did what
                why = f"withheld: {size} rows, fewer than {min_group}"
                by_group.append(Entry(f"Performance, {label}", None, why, True))
            else:
                by_group += figures(rows, label, stream)
    if not attributes:
        by_group.append(Entry("Performance by group", None, "no groups were given", True))

    return Card(
        f"Model card: {name}",
        {
            "Model details": details,
            "Intended use": [
                _stated("Intended use", intended_use, "intended_use"),
                _stated("Intended users", intended_users, "intended_users"),
                _stated("Out of scope", out_of_scope, "out_of_scope"),
            ],
            "Factors": [
                Entry("Groups reported", ", ".join(attributes), "read from the call", True)
                if attributes
                else Entry("Groups reported", None, "no groups were given", True),
                _stated("Factors that matter, and why", factors, "factors"),
            ],
            "Metrics": metrics,
            "Evaluation data": evaluation,
            "Training data": [
                *_training(model, X, training),
                _stated("Where the training data come from", training_data, "training_data"),
            ],
            "Quantitative analyses, overall": overall,
            "Quantitative analyses, by group": by_group,
            "Importance": _importance(X, importance, importance_method),
            "Ethical considerations": [
                _stated("Ethical considerations", ethical_considerations, "ethical_considerations")
            ],
            "Caveats and recommendations": [
                _stated("Caveats and recommendations", caveats, "caveats")
            ],
        },
    )


def _whole(label: str, number: Any, least: int) -> None:
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < least:
        raise ExplanationError(f"{label} is {number!r}; give a whole number from {least}.")


def _shape(table: Any, label: str) -> tuple[int, int]:
    shape = table.shape if hasattr(table, "shape") else np.shape(np.asarray(table, dtype=object))
    if len(shape) != 2:
        raise ExplanationError(f"{label} must be a table of rows and columns.")
    if shape[0] == 0:
        raise ExplanationError(f"{label} has no rows; at least one is needed.")
    return int(shape[0]), int(shape[1])


def _column(X: Any, values: Any, label: str, n: int) -> NDArray[Any]:
    """One value a row, in the order of X: labels that differ would pair strangers."""
    index = getattr(values, "index", None)
    array = np.asarray(values, dtype=object)
    if array.ndim != 1 or array.shape[0] != n:
        raise ExplanationError(f"{label} has shape {array.shape}; X has {n} rows: give ({n},).")
    if hasattr(X, "index") and hasattr(index, "equals") and not index.equals(X.index):
        raise ExplanationError(f"{label} and X have different row labels; give the same index.")
    return array


def _outcomes(model: Any, X: Any, y: Any, n: int, positive: Any) -> tuple[NDArray[np.bool_], Any]:
    import pandas as pd

    values = _column(X, y, "y", n)
    missing = np.flatnonzero(pd.isna(values))
    if missing.size:
        raise ExplanationError(
            f"y is missing in row {missing[0]} (and {missing.size - 1} more); leave such rows out."
        )
    for row, value in enumerate(values):
        if not isinstance(value, Hashable):
            raise ExplanationError(
                f"y, row {row}: it holds a {type(value).__name__}; give one of two values a row."
            )
    found = set(values)
    if len(found) > 2:
        raise ExplanationError(f"y has {len(found)} values; a card needs at most two.")
    classes = getattr(model, "classes_", None)
    if classes is not None and len(classes) != 2:
        raise ExplanationError(f"the model has {len(classes)} classes; a card needs two.")
    if positive is None:
        if classes is not None:
            positive = classes[1]
        elif found <= {0, 1}:
            positive = 1
        else:
            raise ExplanationError(
                "positive is not given and y is not 0 and 1; name y's positive value."
            )
    elif positive not in found | set(() if classes is None else classes):
        raise ExplanationError(f"positive is {positive!r}, which y does not hold.")
    if classes is not None and not found <= set(classes):
        odd = next(value for value in values if value not in set(classes))
        raise ExplanationError(f"y holds {odd!r}, which is none of the model's classes.")
    return np.array([value == positive for value in values], dtype=bool), positive


def _scores(
    model: Any, X: Any, n: int, score: Any, positive: Any
) -> tuple[NDArray[np.float64], str]:
    try:
        if callable(score):
            raw, label = score(X), "a function given in the call"
        elif score is not None:
            raw, label = score, "scores given in the call"
        elif hasattr(model, "predict_proba"):
            # the position of the positive class is the model's, not always the second
            classes = getattr(model, "classes_", None)
            place = 1 if classes is None else list(classes).index(positive)
            raw, label = np.asarray(model.predict_proba(X))[:, place], "predict_proba"
        elif hasattr(model, "decision_function"):
            raw, label = np.asarray(model.decision_function(X)), "decision_function"
            classes = getattr(model, "classes_", None)
            if classes is not None and classes[1] != positive:
                raw = -raw
        else:
            raise ExplanationError(
                "the model has neither predict_proba nor decision_function; give score."
            )
    except ExplanationError:
        raise
    except Exception as problem:
        raise ExplanationError(f"X cannot be scored ({_short(problem)}).") from None
    values = _column(X, raw, "score", n)
    try:
        numbers = values.astype(float)
    except (TypeError, ValueError):
        raise ExplanationError("score holds values that are no numbers; give numbers.") from None
    bad = np.flatnonzero(~np.isfinite(numbers))
    if bad.size:
        raise ExplanationError(f"score is not a finite number in row {bad[0]}; give one a row.")
    return numbers, label


def _groups(X: Any, groups: Any, n: int) -> dict[str, NDArray[Any]]:
    import pandas as pd

    if groups is None:
        return {}
    if isinstance(groups, str):
        if not isinstance(X, pd.DataFrame) or groups not in X.columns:
            raise ExplanationError(
                f'groups: X has no column "{groups}"; name one, or give one value a row.'
            )
        columns = {groups: X[groups]}
    elif isinstance(groups, pd.DataFrame):
        if not groups.columns.is_unique:
            raise ExplanationError("groups names a column twice; give each column once.")
        columns = {str(column): groups[column] for column in groups.columns}
    else:
        columns = {str(getattr(groups, "name", None) or "group"): groups}
    return {
        label: np.array(
            [
                "(missing)" if gone else str(value)
                for value, gone in zip(values, pd.isna(values), strict=True)
            ],
            dtype=object,
        )
        for label, values in ((c, _column(X, v, f'groups "{c}"', n)) for c, v in columns.items())
    }


def _parameters(model: Any) -> Entry:
    if not hasattr(model, "get_params"):
        return Entry("Parameters", None, "the model has no get_params", True)
    try:
        given = model.get_params(deep=False)
    except Exception as problem:
        return Entry("Parameters", None, f"get_params failed ({_short(problem)})", True)
    # addresses in memory differ from run to run
    listed = [f"{k}={re.sub(r' at 0x[0-9a-fA-F]+', '', repr(v))}" for k, v in sorted(given.items())]
    return Entry("Parameters", ", ".join(listed) or "none", "read from the model", True)


def _versions() -> str:
    import platform
    from importlib import metadata

    found = [f"Python {platform.python_version()}"]
    for package in ("numpy", "pandas", "scikit-learn"):
        found.append(f"{package} {metadata.version(package)}")
    return ", ".join(found)


def _training(model: Any, X: Any, training: Any) -> list[Entry]:
    import pandas as pd

    question, overlap = "Rows and columns of training", "Evaluation rows that are also in training"
    if training is None:
        width = getattr(model, "n_features_in_", None)
        columns = (
            Entry("Features fitted", f"{width:,}", "read from the model", True)
            if width is not None
            else Entry("Features fitted", None, "the model does not say", True)
        )
        why = "the training data were not given"
        return [Entry(question, None, why, True), columns, Entry(overlap, None, why, True)]
    rows, width = _shape(training, "training")
    entries = [Entry(question, f"{rows:,} rows, {width:,} columns", "measured on training", True)]
    old, new = pd.DataFrame(training), pd.DataFrame(X)
    if list(old.columns) != list(new.columns):
        why = "X and training have different columns"
        return [*entries, Entry(overlap, None, why, True)]
    try:
        # as texts: the same categories may be coded differently in the two tables
        old_keys = set(old.astype(str).itertuples(index=False, name=None))
        shared = sum(row in old_keys for row in new.astype(str).itertuples(index=False, name=None))
    except (TypeError, ValueError) as problem:
        return [*entries, Entry(overlap, None, f"cannot be compared ({_short(problem)})", True)]
    share = f"{shared:,} of {len(new):,} ({shared / len(new):.1%}), equal in every column"
    return [*entries, Entry(overlap, share, "measured on X and training", True)]


def _importance(X: Any, importance: Any, method: Any) -> list[Entry]:
    how = _stated("How importance was found", method, "importance_method")
    if importance is None:
        gap = Entry("Importance of features", None, "not given", True)
        return [gap] if how.is_open else [gap, how]
    if not hasattr(importance, "items") or not len(importance):
        raise ExplanationError("importance must map feature names to numbers or Intervals.")
    known = {str(column) for column in X.columns} if hasattr(X, "columns") else None
    sized = []
    for feature, value in importance.items():
        if known is not None and str(feature) not in known:
            raise ExplanationError(f'importance names "{feature}", which is no column of X.')
        number = value.value if isinstance(value, Interval) else value
        if isinstance(number, bool) or not isinstance(number, int | float | np.number):
            raise ExplanationError(
                f'importance of "{feature}" must be a number or an Interval, '
                f"not {type(value).__name__}."
            )
        shown = value.format(3) if isinstance(value, Interval) else f"{number:.3f}"
        size = -1.0 if math.isnan(number) else abs(float(number))
        sized.append((-size, str(feature), None if math.isnan(number) else shown))
    source = "given in the call"
    return [how] + [
        Entry(f"Importance, {feature}", shown, source, True) for _, feature, shown in sorted(sized)
    ]


def _auc(codes: NDArray[np.int64], actual: NDArray[np.bool_], levels: int) -> float:
    """Return the chance that a positive outscores a negative, ties counted half."""
    good = np.bincount(codes[actual], minlength=levels).astype(float)
    bad = np.bincount(codes[~actual], minlength=levels).astype(float)
    if not good.sum() or not bad.sum():
        return math.nan
    below = np.cumsum(bad) - bad
    return float((good * (below + bad / 2)).sum() / (good.sum() * bad.sum()))


def _figure(question: str, found: Interval, source: str, why: str) -> Entry:
    if math.isnan(found.value):
        return Entry(question, None, why, True)
    return Entry(question, found.format(3), source, True)


def _figures(
    actual: NDArray[np.bool_],
    scores: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    label: str,
    probabilities: bool,
    confidence: float,
    n_boot: int,
    draws: np.random.SeedSequence,
) -> list[Entry]:
    n = actual.size
    source = f"measured on {n:,} rows"
    levels, codes = np.unique(scores, return_inverse=True)
    codes = codes.ravel()
    value = _auc(codes, actual, levels.size)
    replicates: NDArray[np.float64] = np.array([math.nan])
    if not math.isnan(value):
        replicates = bootstrap_rows(
            lambda rows: _auc(codes[rows], actual[rows], levels.size),
            n,
            n_boot,
            draws,
            strata=actual,
        )
    entries = [
        _figure(
            f"AUC, {label}",
            percentile_interval(value, replicates, confidence),
            source,
            "needs both outcomes",
        )
    ]
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
        share = proportion_interval(int(kept.sum()), kept.size, confidence)
        entries.append(_figure(f"{question}, {label}", share, where, why))
    why = "the scores are no probabilities"
    for question, values in (
        ("Calibration gap", scores - actual),
        ("Brier score", (scores - actual) ** 2),
    ):
        question = f"{question}, {label}"
        if probabilities:
            entries.append(_figure(question, mean_interval(values, confidence), source, why))
        else:
            entries.append(Entry(question, None, why, True))
    return entries


def _bands(
    actual: NDArray[np.bool_],
    scores: NDArray[np.float64],
    probabilities: bool,
    confidence: float,
) -> list[Entry]:
    if not probabilities:
        return [Entry("Calibration by score", None, "the scores are no probabilities", True)]
    # equal scores stay in one band, whatever the order of the rows
    cuts = np.unique(np.quantile(scores, np.arange(1, _BANDS) / _BANDS, method="higher"))
    band = np.searchsorted(cuts, scores, side="right")
    entries = []
    for number, code in enumerate(np.unique(band), start=1):
        rows = band == code
        rate = proportion_interval(int(actual[rows].sum()), int(rows.sum()), confidence)
        answer = f"mean score {scores[rows].mean():.3f}, observed rate {rate.format(3)}"
        entries.append(
            Entry(
                f"Calibration, score band {number}",
                answer,
                f"measured on {int(rows.sum()):,} rows",
                True,
            )
        )
    return entries


# ------------------------------------------------------------------------- datasheet


def dataset_datasheet(
    table: pd.DataFrame,
    roles: Roles | Mapping[str, str | tuple[str, ...]] | None = None,
    *,
    name: str,
    purpose: str | None = None,
    creators: str | None = None,
    funding: str | None = None,
    represents: str | None = None,
    collection: str | None = None,
    consent: str | None = None,
    preprocessing: str | None = None,
    uses: str | None = None,
    unsuitable_uses: str | None = None,
    distribution: str | None = None,
    maintenance: str | None = None,
    retention: str | None = None,
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
    purpose, creators, funding, represents, collection, consent : str, optional
        What only people can state; what is left out stays open.
    preprocessing, uses, unsuitable_uses, distribution, maintenance, retention : str, optional
        Likewise.

    Returns
    -------
    Card

    Raises
    ------
    ExplanationError
        If the table is empty or has a column name twice, or a role names a column that
        the table has not or is unknown.

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
    import pandas as pd

    _name(name)
    if not isinstance(table, pd.DataFrame):
        raise ExplanationError(f"table must be a DataFrame, not {type(table).__name__}.")
    n, width = _shape(table, "table")
    if width == 0:
        raise ExplanationError("table has no columns; at least one is needed.")
    labels = [str(column) for column in table.columns]
    twice = [label for label, times in Counter(labels).items() if times > 1]
    if twice:
        raise ExplanationError(f'table has two columns "{twice[0]}"; rename one.')
    given = _roles(roles, labels)

    source = "measured on the table"
    kinds = {label: _kind_of(table.iloc[:, i]) for i, label in enumerate(labels)}
    gone = {label: int(table.iloc[:, i].isna().sum()) for i, label in enumerate(labels)}
    total = sum(gone.values())
    counted = sorted(Counter(kinds.values()).items(), key=lambda item: (-item[1], item[0]))
    composition = [
        Entry("Rows and columns", f"{n:,} rows, {width:,} columns", source, True),
        Entry("Kinds of column", ", ".join(f"{k}: {times}" for k, times in counted), source, True),
        Entry("Missing values", f"{_of(total, n * width)} cells", source, True),
        _repeats("Rows that repeat an earlier row", table, source),
    ]
    if given is None:
        why = "no roles were given"
        composition += [
            Entry("Columns that identify a person", None, why, False),
            Entry("Sensitive and protected columns", None, why, False),
        ]
    else:
        identifiers = _having(given, "identifier")
        sensitive = _having(given, "sensitive", "protected")
        composition += [
            Entry("Columns that identify a person", _listed(identifiers), "roles given", False),
            Entry(
                "Columns that identify in combination",
                _listed(_having(given, "quasi_identifier")),
                "roles given",
                False,
            ),
            Entry("Sensitive and protected columns", _listed(sensitive), "roles given", False),
        ]
        roleless = [label for label in labels if label not in given]
        if roleless:
            why = f"no role was given for {_listed(roleless)}"
            composition.append(Entry("Roles of the other columns", None, why, False))
        if identifiers and len(identifiers) < width:
            kept = table.iloc[:, [i for i, c in enumerate(labels) if c not in identifiers]]
            composition.append(
                _repeats("Rows that repeat an earlier row but for identifiers", kept, source)
            )
    for i, label in enumerate(labels):
        known = () if given is None else given.get(label, ())
        parts = [kinds[label]]
        if known:
            parts.append(f"role {' and '.join(known)}")
        parts.append(f"{_of(gone[label], n).replace(' (', ' missing (')}")
        if kinds[label] == "date or time" and gone[label] < n:
            exact = bool(known) and not _ABOUT_PEOPLE & set(known)
            form = "%Y-%m-%d" if exact else "%Y"
            values = table.iloc[:, i].dropna()
            parts.append(f"from {values.min().strftime(form)} to {values.max().strftime(form)}")
        composition.append(Entry(f"Column {label}", "; ".join(parts), source, True))
    composition.append(
        _stated("What a row stands for, and who is left out", represents, "represents")
    )

    return Card(
        f"Datasheet: {name}",
        {
            "Motivation": [
                _stated("Purpose", purpose, "purpose"),
                _stated("Who made it", creators, "creators"),
                _stated("Who paid for it", funding, "funding"),
            ],
            "Composition": composition,
            "Collection": [
                _stated("How it was collected", collection, "collection"),
                _stated("What people were told and agreed to", consent, "consent"),
            ],
            "Preprocessing": [
                _stated("Cleaning and labelling", preprocessing, "preprocessing"),
            ],
            "Uses": [
                _stated("Uses", uses, "uses"),
                _stated("Uses it is not fit for", unsuitable_uses, "unsuitable_uses"),
            ],
            "Distribution": [_stated("Who receives it", distribution, "distribution")],
            "Maintenance": [
                _stated("Who maintains it", maintenance, "maintenance"),
                _stated("How long it is kept", retention, "retention"),
            ],
        },
    )


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


def _repeats(question: str, table: pd.DataFrame, source: str) -> Entry:
    try:
        return Entry(question, _of(int(table.duplicated().sum()), len(table)), source, True)
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
