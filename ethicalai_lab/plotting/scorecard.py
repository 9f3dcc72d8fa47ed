"""The scorecard as a picture, and the difference of two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ethicalai_lab.plotting.style import (
    DPI,
    GRID,
    INK,
    MUTED,
    PALETTE,
    SHARE_POINTS,
    TRUTH,
    Figure,
    cut,
    is_share,
    measured,
    need,
    styled,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MplFigure

__all__ = ["scorecard", "scorecard_difference"]

_ROW = 0.43  # inches a measure: a line of text over a line with its mark


def _bounded(say: Callable[[float], str], value: float, low: float, high: float) -> str:
    if not (np.isfinite(low) and np.isfinite(high)):
        return say(value)
    bounds = f"{say(low)} to {say(high)}".replace(" points", "").replace(" %", "")
    return f"{say(value)} ({bounds})"


def _by_panel(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(name), table[table["dimension"] == name]) for name in table["dimension"].unique()]


def _panels(groups: list[tuple[str, pd.DataFrame]], title: str) -> tuple[MplFigure, list[Axes]]:
    """Return a panel a dimension, in two columns read downwards, with rows of one height."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as MplFigure

    head = 1.1  # rows that a panel's title takes
    sizes = [len(part) + head for _, part in groups]
    # the cut that keeps the taller column lowest
    cut = min(
        range(1, len(sizes) + 1), key=lambda at: max(sum(sizes[:at]), sum(sizes[at:], start=0.0))
    )
    columns = [groups[:cut], groups[cut:]] if cut < len(groups) else [groups]
    tallest = max(sum(len(part) + head for _, part in column) for column in columns)
    width = 4.75 * len(columns) if len(columns) > 1 else 6.5
    inches = 1.25 + _ROW * tallest
    figure = MplFigure(figsize=(width, inches), dpi=DPI)
    FigureCanvasAgg(figure)
    top, axes = 1 - 0.3 / inches, []
    unit = _ROW / inches
    for j, column in enumerate(columns):
        at = top
        for name, part in column:
            height = len(part) * unit
            left = (j + 0.04) / len(columns)
            axis = figure.add_axes((left, at - head * unit - height, 0.92 / len(columns), height))
            axis.set_xlim(-0.02, 1.02)
            axis.set_ylim(-len(part) + 0.6, 0.6)
            axis.set_xticks([])
            axis.set_yticks([])
            axis.spines[:].set_visible(False)
            axis.set_title(name, pad=9)
            axes.append(axis)
            at -= head * unit + height
    figure.suptitle(
        title, x=0.01, y=1 - 0.08 / inches, ha="left", va="top", fontsize=11, fontweight="bold"
    )
    return figure, axes


def _unit_beside(name: str, unit: str) -> str:
    """Return the unit to write after a name, where neither name nor number says it."""
    if is_share(unit) or unit == SHARE_POINTS:
        return ""
    return "" if set(unit.lower().split()) <= set(name.lower().split()) else f", {unit}"


def _line(axis: Axes, y: float, name: str, shown: str, **looks: Any) -> None:
    # a long name gives way to the number beside it
    room = max(12, 57 - len(shown))
    size = min(9.0, max(8.0, 9.0 * room / len(name)))
    most = int(room * 9.0 / size)
    name = cut(name, most)
    axis.text(0, y + 0.24, name, ha="left", va="bottom", fontsize=size)
    axis.text(1, y + 0.24, shown, ha="right", va="bottom", fontsize=9, **looks)


def _columns(part: pd.DataFrame, names: Sequence[str]) -> list[Any]:
    return [part[name].to_numpy(float) for name in names]


@styled
def scorecard(table: pd.DataFrame, *, title: str = "Scorecard") -> Figure:
    """Draw a scorecard: a panel a dimension, a line a measure.

    Each line has its own scale, with zero on it (the small grey tick). Shares that go
    beyond a quarter are drawn on 0 to 100 %.

    Parameters
    ----------
    table : DataFrame
        One row a measure: columns ``dimension``, ``measure``, ``value``, ``low``, ``high``,
        ``truth``, ``direction`` (``"higher"``, ``"lower"`` or ``"none"``), ``unit``,
        ``threshold`` and ``needs``. Missing numbers are nan; where the value is, ``needs``
        says why.
    title : str
        What the figure is about.

    Returns
    -------
    Figure

    Examples
    --------
    >>> import pandas as pd
    >>> card = pd.DataFrame([dict(
    ...     dimension="privacy", measure="reidentified_share", value=0.03, low=0.02, high=0.04,
    ...     truth=0.031, direction="lower", unit="share", threshold=0.01, needs="")])
    >>> scorecard(card).alt.split(". ")[1]
    'Beyond their bound: privacy reidentified share (3.0 %, bound 1.0 %)'
    """
    needed = ("dimension", "measure", "value", "low", "high", "truth", "direction", "unit")
    need(table, (*needed, "threshold", "needs"), "scorecard")
    groups = _by_panel(table)
    figure, axes = _panels(groups, title)
    told, beyond, unclear, missing = [], [], [], []
    drawn: set[str] = set()
    for axis, (dimension, part) in zip(axes, groups, strict=True):
        numbers = _columns(part, ("value", "low", "high", "truth", "threshold"))
        texts = [part[name].astype(str) for name in ("measure", "unit", "direction", "needs")]
        said = []
        for i, (name, unit, direction, needs) in enumerate(zip(*texts, strict=True)):
            value, low, high, truth, bound = (column[i] for column in numbers)
            y, say = -float(i), measured(unit)
            label = name.replace("_", " ")
            arrow = {"higher": " \u2191", "lower": " \u2193"}.get(direction, "")
            shown_unit = _unit_beside(label, unit)
            if not np.isfinite(value):
                short = cut(needs, max(16, 55 - len(label)))
                _line(axis, y, label, short, color=MUTED, style="italic")
                axis.plot([0, 1], [y, y], ":", color=MUTED, linewidth=1)
                missing.append(f"{dimension} {label} ({needs})")
                continue
            known = [x for x in (value, low, high, truth, bound) if np.isfinite(x)]
            left, right = min(0.0, *known), max(0.0, *known)
            if is_share(unit) and left >= 0 and 0.25 < right <= 1:
                right = 1.0
            span = (right - left) or 1.0

            def at(x: float, left: float = left, span: float = span) -> float:
                return (x - left) / span

            kind = _status(value, low, high, bound, direction)
            marker, colour = _STATUS[kind]
            _line(axis, y, f"{label}{arrow}{shown_unit}", _bounded(say, value, low, high))
            axis.plot([0, 1], [y, y], "-", color=GRID, linewidth=1, zorder=1)
            axis.vlines(at(0), y - 0.13, y + 0.13, color=MUTED, linewidth=1, zorder=1)
            if np.isfinite(bound):
                drawn.add("bound")
                _bound(axis, at(bound), y, direction)
            if np.isfinite(low) and np.isfinite(high):
                axis.hlines(
                    y, at(low), at(high), color=colour, linewidth=6, alpha=0.4, capstyle="butt"
                )
            axis.plot(at(value), y, marker, color=colour, markersize=8, zorder=3)
            drawn.add(kind)
            if np.isfinite(truth):
                drawn.add("truth")
                axis.plot(
                    at(truth), y, "x", color=TRUTH, markersize=7, markeredgewidth=1.6, zorder=4
                )
            said.append(f"{label} {say(value)}")
            if kind in (_BEYOND, _BOTH):
                report = f"{dimension} {label} ({say(value)}, bound {say(bound)})"
                (beyond if kind == _BEYOND else unclear).append(report)
        if said:
            told.append(f"{dimension}: {', '.join(said)}")
    handles = _scorecard_key(drawn)
    if handles:
        figure.legend(handles=handles, loc="lower left", ncols=3, fontsize=9)
    parts = [title]
    for words, items in (
        ("Beyond their bound", beyond),
        ("Interval on both sides of the bound", unclear),
        ("Without a number", missing),
    ):
        if items:
            parts.append(f"{words}: {'; '.join(items)}")
    return Figure(figure, ". ".join([*parts, *told]) + ".")


_NO_BOUND, _WITHIN = "held to no bound", "within its bound"
_BEYOND, _BOTH = "beyond its bound", "interval on both sides of it"
_STATUS = {
    _NO_BOUND: ("o", PALETTE[0]),
    _WITHIN: ("D", PALETTE[3]),
    _BOTH: ("^", PALETTE[5]),
    _BEYOND: ("s", PALETTE[1]),
}


def _status(value: float, low: float, high: float, bound: float, direction: str) -> str:
    # where neither way is better, the table does not say which side is too much
    if not np.isfinite(bound) or direction == "none":
        return _NO_BOUND
    sign = -1.0 if direction == "higher" else 1.0
    if np.isfinite(low) and np.isfinite(high) and low < bound < high:
        return _BOTH
    return _BEYOND if sign * value > sign * bound else _WITHIN


def _bound(axis: Axes, at: float, y: float, direction: str) -> None:
    """Draw a bound, with the side that is too much hatched."""
    from matplotlib.patches import Rectangle

    axis.vlines(at, y - 0.2, y + 0.2, color=INK, linewidth=1.5, linestyle=(0, (2, 1)), zorder=2)
    if direction == "none":
        return
    start, width = (at, 1.02 - at) if direction == "lower" else (-0.02, at + 0.02)
    axis.add_patch(
        Rectangle(
            (start, y - 0.17),
            width,
            0.34,
            facecolor="none",
            edgecolor="#B5B5B5",
            hatch="////",
            linewidth=0,
            zorder=0.5,
        )
    )


def _scorecard_key(drawn: set[str]) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Line2D([], [], linestyle="", marker=marker, color=colour, markersize=8, label=kind)
        for kind, (marker, colour) in _STATUS.items()
        if kind in drawn
    ]
    if handles:
        handles.append(Line2D([], [], color=PALETTE[0], alpha=0.4, linewidth=6, label="interval"))
    if "truth" in drawn:
        handles.append(
            Line2D([], [], linestyle="", marker="x", color=TRUTH, label="truth in this world")
        )
    if "bound" in drawn:
        handles.append(
            Patch(facecolor="none", edgecolor="#8A8A8A", hatch="////", label="beyond the bound")
        )
    if handles:
        arrows = "\u2191 higher, \u2193 lower is better"
        handles.append(Line2D([], [], linestyle="", marker="", label=arrows))
        handles.append(
            Line2D([], [], marker="|", linestyle="", color=MUTED, label="zero; own scale a line")
        )
    return handles


_READ = {
    "better": ("o", PALETTE[0]),
    "worse": ("s", PALETTE[1]),
    "cannot tell": ("^", PALETTE[5]),
    "needs refits": ("v", PALETTE[5]),
    "same": ("P", MUTED),
    "": ("D", PALETTE[4]),
}


@styled
def scorecard_difference(
    table: pd.DataFrame, *, title: str = "Differences between two scorecards"
) -> Figure:
    """Draw the differences of two scorecards, better to the right.

    Each line has its own scale around zero, the line in the middle; where neither way is
    better, more is to the right.

    Parameters
    ----------
    table : DataFrame
        One row a measure: columns ``dimension``, ``measure``, ``unit``, ``direction``,
        ``difference``, ``low``, ``high``, ``reading`` and ``needs``, as a comparison of two
        scorecards has them.
    title : str
        What the figure is about.

    Returns
    -------
    Figure

    Examples
    --------
    >>> import pandas as pd
    >>> pair = pd.DataFrame([dict(
    ...     dimension="privacy", measure="reidentified_share", unit="share", direction="lower",
    ...     difference=-0.02, low=-0.03, high=-0.01, reading="better", needs="")])
    >>> scorecard_difference(pair, title="Two policies").alt
    'Two policies. privacy: reidentified share -2.0 points (-3.0 to -1.0), better.'
    """
    needed = ("dimension", "measure", "unit", "direction", "difference", "low", "high", "reading")
    need(table, (*needed, "needs"), "scorecard_difference")
    groups = _by_panel(table)
    figure, axes = _panels(groups, title)
    told, drawn = [], set()
    for axis, (dimension, part) in zip(axes, groups, strict=True):
        numbers = _columns(part, ("difference", "low", "high"))
        names = ("measure", "unit", "direction", "reading", "needs")
        texts = [part[name].astype(str) for name in names]
        said = []
        for i, (name, unit, direction, reading, needs) in enumerate(zip(*texts, strict=True)):
            value, low, high = (column[i] for column in numbers)
            y, label = -float(i), name.replace("_", " ")
            if not np.isfinite(value):
                short = cut(needs, max(16, 55 - len(label)))
                _line(axis, y, label, short, color=MUTED, style="italic")
                said.append(f"{label}: {needs}")
                continue
            say = measured(SHARE_POINTS if is_share(unit) else unit, sign=True)
            marker, colour = _READ.get(reading, _READ[""])
            shown = _bounded(say, value, low, high)
            shown_unit = _unit_beside(label, unit)
            _line(axis, y, f"{label}{shown_unit}", shown)
            largest = max(abs(x) for x in (value, low, high) if np.isfinite(x)) or 1.0
            turn = (-0.48 if direction == "lower" else 0.48) / largest
            axis.plot([0, 1], [y, y], "-", color=GRID, linewidth=1, zorder=0.9)
            axis.vlines(0.5, y - 0.16, y + 0.16, color=MUTED, linewidth=1, zorder=1)
            if np.isfinite(low) and np.isfinite(high):
                ends = sorted((0.5 + turn * low, 0.5 + turn * high))
                axis.hlines(y, *ends, color=colour, linewidth=6, alpha=0.4, capstyle="butt")
            axis.plot(0.5 + turn * value, y, marker, color=colour, markersize=8, zorder=3)
            drawn.add(reading)
            said.append(f"{label} {shown}{f', {reading}' if reading else ''}")
        axis.text(
            1,
            0.85,
            "\u2190 worse   better \u2192",
            fontsize=8,
            color=MUTED,
            ha="right",
            va="bottom",
        )
        told.append(f"{dimension}: {'; '.join(said)}")
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [],
            [],
            linestyle="",
            marker=marker,
            color=colour,
            markersize=8,
            label=reading or "neither way is better",
        )
        for reading, (marker, colour) in _READ.items()
        if reading in drawn
    ]
    if handles:
        figure.legend(handles=handles, loc="lower left", ncols=5, fontsize=9)
    return Figure(figure, f"{title}. {'. '.join(told)}.")
