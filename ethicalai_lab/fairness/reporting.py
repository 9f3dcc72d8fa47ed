"""Show an audit: as JSON, as a fragment for a notebook, as a page that stands alone.

The page needs no network, no script and no colour; every table has a caption and header
cells, so that a screen reader can say where it is. All text from the data is escaped.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.core.files import write_atomic
from ethicalai_lab.core.reading import reading_html, reading_text
from ethicalai_lab.fairness._coding import FairnessInputError, binary
from ethicalai_lab.fairness.auditing import Audit, audit
from ethicalai_lab.fairness.presentation import (
    FOUR_FIFTHS_NOTE,
    audit_body,
    audit_dict,
    gap_lines,
    rate_lines,
    size_of,
)
from ethicalai_lab.tables.column_types import measured
from ethicalai_lab.tables.loading import place_of

__all__ = ["cli_audit", "report"]

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#1a1a1a;background:#fff;max-width:70rem;
margin:0 auto;padding:1rem}
table{border-collapse:collapse;margin:1rem 0}
caption{text-align:left;font-weight:600;padding:.3rem 0}
th,td{border:1px solid #767676;padding:.25rem .6rem;text-align:right}
th[scope=row]{text-align:left}thead th{background:#f0f0f0}
.scroll{overflow-x:auto}.scroll:focus{outline:3px solid #1a4f8b}
.note{border-left:4px solid #595959;padding-left:.8rem}
"""


def report(
    audits: Audit | Mapping[str, Audit],
    path: str | os.PathLike[str] | None = None,
    *,
    title: str = "Fairness audit",
    notes: Any = (),
    reading: Any = (),
) -> str:
    """Render audits as one self-contained HTML page.

    Parameters
    ----------
    audits : Audit or mapping of str to Audit
        One audit, or several by heading.
    path : path-like, optional
        Where to write the page (UTF-8). It is written whole or not at all.
    title : str, default "Fairness audit"
        The page's heading.
    notes : iterable of str, optional
        Sentences to show under the heading, such as what counts as selected.
    reading : iterable of str, optional
        What was read otherwise than it is written (:func:`ethicalai_lab.tables.how_read`).

    Returns
    -------
    str
        The page. It holds no script and asks nothing of the network.

    Raises
    ------
    FairnessInputError
        If the folder of ``path`` does not exist.

    Examples
    --------
    >>> from ethicalai_lab.fairness import audit, report
    >>> result = audit([1, 0, 1], [1, 0, 0], sensitive_features=["<b>", "a", "a"])
    >>> page = report(result)
    >>> "<b>" in page, "&lt;b&gt;" in page
    (False, True)
    """
    if isinstance(audits, Audit):
        audits = {" and ".join(audits.sensitive_names): audits}
    parts = [f"<h1>{escape(title)}</h1>"]
    parts += [f"<p>{escape(str(note))}</p>" for note in notes]
    parts.append(reading_html(reading))
    parts.append(
        "<p>This page reports which tests were run and what came out. It does not say that "
        "a decision is fair, lawful or unlawful.</p>"
    )
    for i, (heading, result) in enumerate(audits.items()):
        parts.append(f'<section aria-labelledby="a{i}"><h2 id="a{i}">By {escape(heading)}</h2>')
        parts.append(audit_body(result, level=3))
        parts.append("</section>")
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><main>\n{chr(10).join(parts)}\n</main></body></html>\n"
    )
    if path is not None:
        write_atomic(path, page, error=FairnessInputError)
    return page


def cli_audit(
    table: pd.DataFrame,
    roles: Any,
    html: str | os.PathLike[str] | None = None,
    json: bool = False,
    seed: int = 0,
    *,
    threshold: float | None = None,
) -> str:
    """Audit one's own table, and return the text to print.

    Parameters
    ----------
    table : DataFrame
        One row a person or decision.
    roles : mapping or object
        With ``columns`` (column name to role) and, optionally, ``outcome`` (which outcome),
        ``positive`` (the value of outcome and decision that counts) and ``control`` (the
        treatment's untreated level).
    html : path-like, optional
        Where to write the page of :func:`report`.
    json : bool, default False
        Whether to return JSON rather than plain text.
    seed : int, default 0
        Source of every draw: of the gaps to expect by chance.
    threshold : float, optional
        The score from which a person counts as selected, where there is no decision column.
        Default: 0.5, for scores within [0, 1].

    Returns
    -------
    str
        JSON, or a summary: one block for each protected column and, where there are
        several, one for their intersection.

    Raises
    ------
    FairnessInputError
        If no column is protected, nothing can serve as the decision, or a column named in
        ``roles`` is not in the table.

    Notes
    -----
    The decision is the ``decision`` column; without one, the ``score`` column at
    ``threshold``; without one, whether the ``treatment`` column differs from ``control``.
    A number column with more than 12 different values is cut into four bands of about equal
    size. Without an outcome column only selection is audited. Several decisions are audited
    one by one. Rows with one value of ``cluster``, or of an identifier that repeats, are not
    independent: intervals are then those of as many people as there are.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.fairness import cli_audit
    >>> table = pd.DataFrame({"sex": ["f", "m"] * 50, "sent": [1, 1, 0, 1] * 25})
    >>> text = cli_audit(table, {"columns": {"sex": "protected", "sent": "decision"}})
    >>> print(text.splitlines()[7])
    demographic_parity_difference: 0.500 [0.349, 0.634], by chance alone up to 0.180
    """
    from json import dumps

    from ethicalai_lab.tables import how_read

    chosen = _choose(table, roles, threshold)
    reading = how_read(table)
    audits: dict[str, Audit] = {}
    groups, notes = chosen["groups"], chosen["notes"]
    blocks = {name: groups[[name]] for name in groups}
    if groups.shape[1] > 1:
        blocks[" and ".join(groups.columns)] = groups
    several = len(chosen["decisions"]) > 1
    for decision, y_pred in chosen["decisions"].items():
        for heading, columns in blocks.items():
            found = audit(
                chosen["y_true"],
                y_pred,
                sensitive_features=columns,
                score=chosen["score"],
                clusters=chosen["clusters"],
                seed=seed,
            )
            audits[f"{heading}, decision {decision}" if several else heading] = found
            said = _withheld(found, chosen["clusters"])
            notes += [sentence for sentence in said if sentence not in notes]
    if html is not None:
        report(audits, html, notes=notes, reading=reading)
    if json:
        payload = {
            "how_read": list(reading),
            "notes": notes,
            "audits": {heading: audit_dict(result) for heading, result in audits.items()},
        }
        return dumps(payload, indent=2, ensure_ascii=False, allow_nan=False)
    lines = [reading_text(reading), ""] if reading else []
    lines += notes
    for heading, result in audits.items():
        lines += ["", f"By {heading}: {size_of(result)}, {len(result.by_group):,} groups"]
        lines += rate_lines(result)
        lines += gap_lines(result)
    return "\n".join([*lines, "", FOUR_FIFTHS_NOTE]).lstrip("\n")


# --------------------------------------------------------------------- reading roles


def _get(roles: Any, name: str) -> Any:
    return roles.get(name) if isinstance(roles, Mapping) else getattr(roles, name, None)


def _choose(table: pd.DataFrame, roles: Any, threshold: float | None) -> dict[str, Any]:
    by_role = _by_role(table, roles)
    protected = by_role.get("protected", [])
    if not protected:
        raise FairnessInputError(
            "no column has the role 'protected'; name at least one, such as gender: protected."
        )
    notes: list[str] = []
    y_true = _what_happened(table, roles, by_role, notes)
    score = table[by_role["score"][0]] if by_role.get("score") else None
    decisions = _who_was_selected(table, roles, by_role, score, threshold, notes)
    clusters = _who_is_the_same(table, roles, by_role, notes)
    groups = {}
    for name in protected:
        column = measured(table[name])
        if pd.api.types.is_numeric_dtype(column) and column.nunique() > 12:
            column = _bands(column)
            notes.append(f"{name} is cut into bands of about equal size.")
        groups[name] = column.reset_index(drop=True)
    return {
        "y_true": y_true,
        "decisions": decisions,
        "score": score,
        "clusters": clusters,
        "groups": pd.DataFrame(groups),
        "notes": notes,
    }


def _by_role(table: pd.DataFrame, roles: Any) -> dict[str, list[str]]:
    columns = _get(roles, "columns")
    if not isinstance(columns, Mapping):
        raise FairnessInputError("roles has no 'columns'; give a mapping of column name to role.")
    found: dict[str, list[str]] = {}
    for name, role in columns.items():
        if name not in table:
            raise FairnessInputError(
                f"roles names column {name!r}, which the table lacks; it has "
                f"{', '.join(map(str, table.columns))}."
            )
        for one in (role,) if isinstance(role, str) else tuple(role):
            found.setdefault(str(one), []).append(name)
    return found


def _what_happened(
    table: pd.DataFrame, roles: Any, by_role: dict[str, list[str]], notes: list[str]
) -> Any:
    outcome = _get(roles, "outcome")
    outcomes = by_role.get("outcome", [])
    if outcome is None and len(outcomes) > 1:
        raise FairnessInputError(
            f"roles has {len(outcomes)} outcomes ({', '.join(outcomes)}); "
            "say which with 'outcome: <name>'."
        )
    outcome = outcome or (outcomes[0] if outcomes else None)
    if outcome is None:
        notes.append("No outcome column: only selection is audited.")
        return None
    if outcome not in table:
        raise FairnessInputError(f"outcome {outcome!r} is not a column of the table.")
    positive = _positive(roles, outcome)
    notes.append(f"Outcome: {outcome}" + ("" if positive is None else f" = {positive}") + ".")
    return _flag(table, outcome, positive)


def _who_was_selected(
    table: pd.DataFrame,
    roles: Any,
    by_role: dict[str, list[str]],
    score: pd.Series | None,
    threshold: float | None,
    notes: list[str],
) -> dict[str, Any]:
    """Return 0/1 for each decision that the table holds, by its column's name."""
    if by_role.get("decision"):
        names = by_role["decision"]
        if len(names) > 1:
            notes.append(f"{len(names)} decisions, each audited: {', '.join(names)}.")
        else:
            notes.append(f"Selected: {names[0]}.")
        return {name: _flag(table, name, _positive(roles, name)) for name in names}
    if score is not None:
        values = np.asarray(pd.to_numeric(score, errors="coerce"), dtype=float)
        inside = bool(np.nanmin(values) >= 0 and np.nanmax(values) <= 1) if len(values) else True
        if threshold is None and not inside:
            raise FairnessInputError(
                f"score column {score.name!r} is not within [0, 1]; give the threshold from "
                "which a person counts as selected."
            )
        cut = 0.5 if threshold is None else threshold
        notes.append(f"Selected: {score.name} of at least {cut:g}.")
        return {str(score.name): values >= cut}
    if by_role.get("treatment"):
        name, control = by_role["treatment"][0], _get(roles, "control")
        if control is None or not (table[name] == control).any():
            raise FairnessInputError(
                f"treatment column {name!r} needs its untreated level: 'control: <value>', one of "
                f"{', '.join(map(str, pd.unique(table[name])[:6]))}."
            )
        notes.append(f"Selected: {name} other than {control}.")
        return {name: np.asarray(table[name] != control)}
    raise FairnessInputError(
        "no column has the role 'decision', 'score' or 'treatment'; one of them must say "
        "who was selected."
    )


def _who_is_the_same(
    table: pd.DataFrame, roles: Any, by_role: dict[str, list[str]], notes: list[str]
) -> pd.Series | None:
    """Return the column by which rows hang together, where they do."""
    name = _get(roles, "cluster")
    if name is None:
        repeated = {n: table[n].nunique() for n in by_role.get("identifier", [])}
        repeated = {n: count for n, count in repeated.items() if count < len(table)}
        # of several that repeat, the one with the fewest values promises least
        name = min(repeated, key=repeated.__getitem__) if repeated else None
    if name is None:
        return None
    if name not in table:
        raise FairnessInputError(f"cluster {name!r} is not a column of the table.")
    count = table[name].nunique()
    if 1 < count < len(table):
        notes.append(
            f"{count:,} different values of {name} in {len(table):,} rows: intervals are those "
            f"of {count:,}, since rows of one {name} are not independent."
        )
    return table[name]


def _positive(roles: Any, column: str) -> Any:
    """Return the value that counts in a column, where the roles name one."""
    said = _get(roles, "positive")
    return said.get(column) if isinstance(said, Mapping) else said


def _flag(table: pd.DataFrame, name: str, positive: Any) -> Any:
    values = table[name]
    if isinstance(positive, list | tuple):
        # several spellings of one value
        alike = values.astype(str).isin([str(word) for word in positive])
        values, positive = values.astype(object).mask(alike, positive[0]), positive[0]
    if pd.api.types.is_numeric_dtype(values) or positive is None:
        if positive is not None and positive in set(values.dropna().unique()):
            return _equal(values, positive, name)
        texts = [v for v in pd.unique(values.dropna()) if isinstance(v, str)]
        if texts:
            raise FairnessInputError(
                f"column {name!r} holds {texts[0]!r}; 0/1 or true/false are accepted, or text once "
                f'the roles say which value counts, such as `positive: "{max(texts)}"`.'
            )
        other = ~values.isin([0, 1, -1] if (values == -1).any() else [0, 1]) & values.notna()
        if other.any():
            row = int(np.argmax(np.asarray(other)))
            raise FairnessInputError(
                f'{place_of(table, row)}: column "{name}" holds {values.iloc[row]:g}; an audit needs '
                "0/1 or true/false, such as bought or not instead of an amount."
            )
        return binary(values, f"column {name!r}")
    seen = [str(v) for v in pd.unique(values.dropna())]
    if str(positive) not in seen:
        raise FairnessInputError(
            f"column {name!r} never holds the positive value {positive!r}; it holds "
            f"{', '.join(repr(v) for v in seen[:6])}."
        )
    return _equal(values.astype(str).where(values.notna()), str(positive), name)


def _equal(values: pd.Series, positive: Any, name: str) -> Any:
    missing = np.asarray(values.isna())
    if missing.any():
        raise FairnessInputError(
            f"column {name!r} is missing in {int(missing.sum()):,} rows, first in row "
            f"{int(np.argmax(missing)) + 1}; drop or fill them first."
        )
    return np.asarray(values == positive)


def _bands(values: pd.Series) -> pd.Series:
    edges = np.unique(np.nanquantile(values.to_numpy(float), [0, 0.25, 0.5, 0.75, 1]))
    if len(edges) < 3:
        return values
    labels = [
        f"{low:g} to {'below ' if i < len(edges) - 2 else ''}{high:g}"
        for i, (low, high) in enumerate(pairwise(edges))
    ]
    codes = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(labels) - 1)
    codes = np.where(values.isna(), -1, codes)
    return pd.Series(pd.Categorical.from_codes(codes, labels, ordered=True), name=values.name)


# ---------------------------------------------------------------------------- words


def _withheld(result: Audit, clusters: pd.Series | None) -> list[str]:
    """Say which intervals are not given, for want of people who could differ."""
    if result.n_clusters is None or clusters is None:
        return []
    if result.n_clusters == 1:
        return [
            f"All rows are of one {clusters.name}: how far chance reaches cannot be known, so no "
            "interval is given."
        ]
    if (result.by_group_low["selection_rate"].isna() & result.by_group["count"].notna()).any():
        return [f"A group of one {clusters.name} has no interval: nothing can vary within it."]
    return []
