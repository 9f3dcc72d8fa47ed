"""An audit in words, as plain data, and as a table for the reader."""

from __future__ import annotations

import math
from html import escape
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["FOUR_FIFTHS_NOTE", "audit_body", "audit_dict", "gap_lines", "rate_lines", "size_of"]

FOUR_FIFTHS_NOTE = (
    "Four-fifths rule: a US rule of thumb for employment selection (29 CFR 1607.4(D), 1978). "
    "It is not a legal threshold for marketing, ignores sample size and error rates, and "
    "compares with the highest rate, so many groups raise more false alarms."
)
_SHOWN = 40  # groups in the text; JSON and the page have them all
_MEANING = {
    "demographic_parity": "who is selected",
    "equalized_odds": "true and false positive rates, the larger gap",
    "equal_opportunity": "who is selected among those with the outcome",
    "predictive_parity": "how often a selection is right",
    "mean_score": "the mean score",
    "calibration": "mean score minus observed rate",
}


def audit_dict(result: Any) -> dict[str, Any]:
    """Return an audit as a JSON-ready mapping; undefined numbers become ``None``."""
    return {
        "n_rows": result.n_rows,
        "n_clusters": result.n_clusters,
        "sensitive_features": list(result.sensitive_names),
        "control_features": list(result.control_names),
        "weighted": result.weighted,
        "confidence": result.confidence,
        "seed": result.seed,
        "overall": _records(result.overall),
        "by_group": _records(result.by_group),
        "by_group_low": _records(result.by_group_low),
        "by_group_high": _records(result.by_group_high),
        "disparities": _records(result.disparities),
        "chance": _records(result.chance),
        "four_fifths": {
            "note": FOUR_FIFTHS_NOTE,
            "flag": result.four_fifths_flag,
            "by_group": _records(result.four_fifths),
        },
        "undefined": [
            {"group": _name(group), "metric": metric} for group, metric in result.undefined
        ],
    }


def _name(group: Any) -> str:
    return ", ".join(map(str, group)) if isinstance(group, tuple) else str(group)


def _number(value: Any, digits: int = 3) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if value is None or (isinstance(value, (float, np.floating)) and math.isnan(value)):
        return "undefined"
    if isinstance(value, (int, np.integer)):
        return f"{value:,}"
    return f"{value:.{digits}f}"


def _some(groups: Any, at_most: int = 8) -> str:
    """Return the groups' names, the rest of a long list as a count (JSON has them all)."""
    names = [_name(group) for group in groups]
    more = f"; and {len(names) - at_most} more" if len(names) > at_most else ""
    return "; ".join(names[:at_most]) + more


def _units(result: Any) -> str:
    return "rows" if result.n_clusters is None else "clusters"


def size_of(result: Any) -> str:
    """Return how many rows, and independent units, an audit rests on."""
    rows = f"{result.n_rows:,} rows"
    if result.n_clusters is None:
        return rows
    return f"{rows} of {result.n_clusters:,} cluster{'s' if result.n_clusters > 1 else ''}"


def rate_lines(result: Any) -> list[str]:
    """Return the rates of each group as lines of text."""
    """Return the rates of each group with their bounds, as the rows of a text table."""
    wanted = ("selection_rate", "true_positive_rate", "false_positive_rate", "precision_score")
    metrics = [m for m in (*wanted, "mean_score") if m in result.by_group]
    rows = [("group", "rows", *metrics)]
    for position, group in enumerate(result.by_group.index[:_SHOWN]):
        row = result.by_group.iloc[position]
        count = "0" if pd.isna(row["count"]) else f"{int(row['count']):,}"
        mark = " (small)" if row["small_group"] else ""
        cells = (_rate(result, m, position) for m in metrics)
        rows.append((_name(group) + mark, count, *cells))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    more = len(result.by_group) - _SHOWN
    return [*lines, f"  and {more:,} groups more"] if more > 0 else lines


def _rate(result: Any, metric: str, position: int) -> str:
    """Return one rate of one group with its bounds."""
    text = _number(float(result.by_group[metric].iloc[position]))
    low = float(result.by_group_low[metric].iloc[position])
    high = float(result.by_group_high[metric].iloc[position])
    return text if math.isnan(low) else f"{text} ({_number(low)} to {_number(high)})"


def gap_lines(result: Any) -> list[str]:
    """Return one line for each gap between groups, beside what chance alone makes."""
    lines = []
    chance = result.chance
    for at, row in chance.iterrows():
        found = result.disparities.loc[at]
        text = f"{_name(at)}: {_number(row['value'])}"
        if result.n_clusters != 1:
            text += f" [{_number(found['low'])}, {_number(found['high'])}]"
        if not math.isnan(row["by_chance"]):
            side = "down to" if "_ratio" in _name(at) else "up to"
            text += f", by chance alone {side} {_number(row['by_chance'])}"
        lines.append(text)
    below = result.four_fifths.index[result.four_fifths["below"]]
    if (result.by_group["selection_rate"].fillna(0.0) == 0).all():
        lines.append("Nobody is selected, so no rate can be held to four fifths of the highest.")
    elif result.four_fifths["ratio_to_highest"].isna().all():
        lines.append(
            f"No group has {result.small} {_units(result)}, so none is held to four fifths."
        )
    elif len(below):
        lines.append(f"Below four fifths of the highest selection rate: {_some(below)}.")
    else:
        lines.append("No group is below four fifths of the highest selection rate.")
    if result.small_groups:
        lines.append(
            f"Groups of fewer than {result.small} {_units(result)}, whose rates are unsteady: "
            f"{_some(result.small_groups)}; four fifths is never reckoned from theirs."
        )
    if result.undefined:
        lines.append(
            f"{len(result.undefined)} rates have nothing in the denominator; they stay undefined "
            "and take no part in the gaps."
        )
    return lines


def audit_body(result: Any, level: int) -> str:
    """Return an audit as HTML, its headings from `level` on; all text from the data is escaped."""
    h = f"h{level}"
    percent = f"{result.confidence * 100:g} %"
    parts = [
        f"<p>{size_of(result)}, {len(result.by_group):,} groups"
        f"{', weighted' if result.weighted else ''}. Intervals: {percent}, Wilson's for rates; "
        "those of gaps allow for every pair of groups.</p>",
        f"<{h}>Gaps</{h}>",
    ]
    rows = []
    for at, row in result.chance.iterrows():
        family = (at[-1] if isinstance(at, tuple) else at).rsplit("_", 1)[0]
        bounds = result.disparities.loc[at]
        rows.append(
            (
                _name(at),
                _MEANING.get(family, ""),
                _number(row["value"]),
                f"{_number(bounds['low'])} to {_number(bounds['high'])}",
                _number(row["by_chance"]),
                _number(row["p_value"]),
            )
        )
    heads = (
        "disparity",
        "of",
        "value",
        f"{percent} interval",
        "by chance alone",
        "p-value",
    )
    parts.append(_table("Largest gaps and smallest ratios between groups", heads, rows))
    parts.append(
        '<p class="note">"By chance alone" is the gap (for ratios, the ratio) that '
        f"{percent} of samples stay within when all groups share one rate.</p>"
    )
    parts.append(f"<{h}>Each group</{h}>")
    metrics = [c for c in result.by_group if c not in ("count", "small_group")]
    rows = []
    for position, group in enumerate(result.by_group.index):
        row = result.by_group.iloc[position]
        count = row["count"]
        size = "0" if pd.isna(count) else f"{int(count):,}"
        cells = [_rate(result, m, position) for m in metrics]
        mark = "small" if row["small_group"] else ""
        rows.append((_name(group), size, mark, *cells))
    parts.append(_table("Rates by group", ("group", "count", "mark", *metrics), rows))
    parts.append(f"<{h}>Four-fifths rule</{h}>")
    parts.append(f'<p class="note">{escape(FOUR_FIFTHS_NOTE)}</p>')
    rows = [
        (
            _name(group),
            _number(float(row["selection_rate"])),
            _number(float(row["ratio_to_highest"])),
            f"{_number(float(row['low']))} to {_number(float(row['high']))}",
            ("below" if row["below"] else "not below") + (", small" if row["small_group"] else ""),
        )
        for group, row in result.four_fifths.iterrows()
    ]
    heads = ("group", "selection_rate", "ratio to highest", f"{percent} interval", "four fifths")
    parts.append(
        _table("Selection rate over the highest one of a group that is not small", heads, rows)
    )
    tail = gap_lines(result)
    parts += [
        f"<p>{escape(line)}</p>"
        for line in tail
        if line.startswith("Groups of") or "denominator" in line
    ]
    return "\n".join(parts)


def _table(caption: str, heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>\n"
        for row in rows
    )
    # A wide table scrolls; tabindex lets a keyboard reach the scrolling part.
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )


def _plain(value: Any) -> Any:
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return round(float(value), 12) if math.isfinite(value) else None
    return str(value)


def _records(frame: Any) -> Any:
    if isinstance(frame, pd.Series):
        return {str(k): _plain(v) for k, v in frame.items()}
    names = [str(n) for n in frame.index.names]
    rows = []
    for at, row in zip(frame.index, frame.to_dict("records"), strict=True):
        keys = at if isinstance(at, tuple) else (at,)
        rows.append(
            {n: _plain(k) for n, k in zip(names, keys, strict=True)}
            | {str(k): _plain(v) for k, v in row.items()}
        )
    return rows
