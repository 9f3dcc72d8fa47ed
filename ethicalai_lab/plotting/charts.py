"""Charts: a table in, a figure with its words out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ethicalai_lab.plotting.style import (
    FIRST,
    HATCHES,
    INK,
    LINES,
    MARKERS,
    MUTED,
    PALETTE,
    TRUTH,
    Figure,
    PlotError,
    axis_format,
    canvas,
    cut,
    listed,
    measured,
    need,
    number_format,
    styled,
    wrapped,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "contributions",
    "curves",
    "frontier",
    "gains_and_losses",
    "intervals",
    "rule_values",
    "trade_off",
    "uplift_groups",
]


@styled
def intervals(
    table: pd.DataFrame,
    *,
    title: str,
    unit: str = "number",
    xlabel: str = "",
    zero: bool = True,
    order: str = "given",
) -> Figure:
    """Draw values with their intervals, one line a row.

    Parameters
    ----------
    table : DataFrame
        Index: what is measured. Columns ``value``, ``low``, ``high`` (missing where
        nothing was estimated, or no interval holds); optional ``truth``, drawn as a black cross.
    title : str
        What the figure is about.
    unit : {"number", "count", "share", "points", "money"}
        How values are written. ``points`` are differences of shares.
    xlabel : str
        Label of the axis.
    zero : bool, default True
        Whether to mark zero, the line of no effect.
    order : {"given", "value"}
        Rows as given, or the largest first.

    Returns
    -------
    Figure

    Examples
    --------
    >>> import pandas as pd
    >>> lifts = pd.DataFrame({"value": [0.076], "low": [0.065], "high": [0.088]},
    ...                      index=["sports mail"])
    >>> intervals(lifts, title="Lift in visits", unit="points").alt
    'Lift in visits, with 95 % intervals. sports mail: +7.6 points (+6.5 to +8.8).'
    """
    need(table, ("value", "low", "high"), "intervals")
    if order == "value":
        table = table.sort_values("value", ascending=False, kind="stable")
    elif order != "given":
        raise PlotError(f"order must be 'given' or 'value', not {order!r}")
    truth = table["truth"].to_numpy(float) if "truth" in table else None
    value, low, high = (table[name].to_numpy(float) for name in ("value", "low", "high"))
    names = [str(name) for name in table.index]
    say = number_format(unit, np.concatenate([low, high]))
    figure, axes = canvas(7.5, 1.5 + 0.46 * len(table))
    rows = np.arange(len(table))[::-1]
    axes.hlines(rows, low, high, color=FIRST, linewidth=5, alpha=0.45, capstyle="butt")
    sure = np.isfinite(low) & np.isfinite(high)
    dots = {"color": FIRST, "markersize": 9, "zorder": 3, "linestyle": "none", "marker": "o"}
    axes.plot(value[sure], rows[sure], label="estimate with 95 % interval", **dots)
    if (np.isfinite(value) & ~sure).any():
        axes.plot(value[~sure], rows[~sure], label="no interval", markerfacecolor="none", **dots)
    if truth is not None:
        axes.plot(
            truth,
            rows,
            "x",
            color=TRUTH,
            markersize=10,
            markeredgewidth=2,
            label="truth in this world",
            zorder=4,
        )
    edges = [value, low, high] if truth is None else [value, low, high, truth]
    left, right = np.nanmin(np.concatenate(edges)), np.nanmax(np.concatenate(edges))
    if zero:
        left, right = min(left, 0.0), max(right, 0.0)
        axes.axvline(0, color=MUTED, linewidth=1, zorder=1)
    span = (right - left) or 1.0
    axes.set_xlim(left - 0.06 * span, right + 0.06 * span)
    axes.set_ylim(-0.6, len(table) - 0.4)
    axes.set_yticks(rows, names)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    side = axes.twinx()  # the figures themselves, beside their dots
    side.set_ylim(axes.get_ylim())
    known = np.isfinite(value)
    side.set_yticks(rows, [say(x) if there else "" for x, there in zip(value, known, strict=True)])
    side.tick_params(axis="y", length=0)
    side.spines[:].set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_formatter(axis_format(unit))
    axes.set_xlabel(xlabel)
    axes.set_title(title)
    figure.legend(loc="outside lower left", ncols=2)
    lines = []
    for i, name in enumerate(names):
        bounds = f"{say(low[i])} to {say(high[i])}".replace(" points", "").replace(" %", "")
        bounds = bounds if sure[i] else "no interval"
        text = f"{name}: {say(value[i])} ({bounds})" if known[i] else f"{name}: no estimate"
        if truth is not None and np.isfinite(truth[i]):
            text += f", truth {say(truth[i])}"
        lines.append(text)
    return Figure(figure, f"{title}, with 95 % intervals. {'; '.join(lines)}.")


def rule_values(
    table: pd.DataFrame,
    *,
    title: str = "What each targeting rule brings",
) -> Figure:
    """Draw what targeting rules are worth, the best first.

    Parameters
    ----------
    table : DataFrame
        Index: the rules. Columns ``value``, ``low``, ``high`` and, where the world
        tells, ``truth``.
    title : str
        As in :func:`intervals`.

    Returns
    -------
    Figure

    Examples
    --------
    >>> import pandas as pd
    >>> rules = pd.DataFrame({"value": [10, 250], "low": [5, 200], "high": [15, 300]},
    ...                      index=["everyone", "by uplift"])
    >>> rule_values(rules).alt.split(". ")[1]
    'by uplift: 250 (200 to 300); everyone: 10 (5 to 15).'
    """
    key = "truth" if "truth" in table and table["truth"].notna().all() else "value"
    need(table, ("value", "low", "high"), "rule_values")
    ordered = table.sort_values(key, ascending=False, kind="stable")
    return intervals(ordered, title=title, unit="money", xlabel="profit per 1,000 customers")


@styled
def curves(
    tables: Mapping[str, pd.DataFrame],
    *,
    y: str,
    title: str,
    ylabel: str,
    unit: str = "number",
    xlabel: str = "share of customers mailed",
    baseline: pd.DataFrame | None = None,
    mark: float | None = None,
) -> Figure:
    """Draw curves over the share of customers reached: Qini, uplift or profit.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        For each ranking or rule a table with columns ``share`` (0 to 1, increasing) and
        `y`; where it has ``{y}_low`` and ``{y}_high``, the band between is shaded,
        and ``{y}_truth`` is drawn as black crosses.
    y : str
        Name of the column drawn, such as ``"qini"`` or ``"value"``.
    title, ylabel, xlabel : str
        Texts of the figure.
    unit : str
        How values are written, as in :func:`intervals`.
    baseline : DataFrame, optional
        A curve to compare with, drawn thin and grey.
    mark : float, optional
        A share to mark with a vertical line and to report in the text alternative;
        by default the text reports where each curve peaks.

    Returns
    -------
    Figure

    Examples
    --------
    >>> import pandas as pd
    >>> t = pd.DataFrame({"share": [0, 0.5, 1], "qini": [0, 0.06, 0.05]})
    >>> curves({"by uplift": t}, y="qini", title="Qini curve", ylabel="extra visits",
    ...        unit="share").alt
    'Qini curve over share of customers mailed. by uplift: highest 6.0 % at share 50 %, \
5.0 % at share 100 %.'
    """
    if not tables:
        raise PlotError("curves: there is no curve to draw")
    if len(tables) > len(PALETTE) - 1:
        raise PlotError(f"curves: at most {len(PALETTE) - 1} can be told apart")
    say = number_format(unit, [table[y].abs().max() for table in tables.values() if y in table])
    figure, axes = canvas(7.5, 4.1)
    ends: list[tuple[float, str, str]] = []
    told = []
    for i, (name, table) in enumerate(tables.items()):
        need(table, ("share", y), f"curve {name!r}")
        at, value = table["share"].to_numpy(float), table[y].to_numpy(float)
        colour = PALETTE[i]
        if f"{y}_low" in table and f"{y}_high" in table:
            axes.fill_between(
                at,
                table[f"{y}_low"].to_numpy(float),
                table[f"{y}_high"].to_numpy(float),
                color=colour,
                alpha=0.16,
                linewidth=0,
            )
        every = max(1, len(at) // 8)
        axes.plot(
            at,
            value,
            color=colour,
            linestyle=LINES[i],
            marker=MARKERS[i],
            markevery=(every // 2, every),
            label=name,
        )
        if f"{y}_truth" in table:
            axes.plot(
                at[::every],
                table[f"{y}_truth"].to_numpy(float)[::every],
                "x",
                color=TRUTH,
                markersize=8,
                markeredgewidth=1.8,
                label="truth in this world" if i == 0 else None,
            )
        ends.append((value[-1], name, colour))
        if mark is None:
            top = int(np.nanargmax(value))
            last = f"{say(value[-1])} at share {100 * at[-1]:.0f} %"
            peak = f"highest {say(value[top])} at share {100 * at[top]:.0f} %, "
            told.append(f"{name}: {peak if top < len(at) - 1 else 'highest '}{last}")
        else:
            told.append(f"{name}: {say(float(np.interp(mark, at, value)))}")
    if baseline is not None:
        need(baseline, ("share", y), "baseline")
        axes.plot(
            baseline["share"],
            baseline[y],
            color=MUTED,
            linewidth=1.2,
            linestyle="-",
            label="random order",
        )
        told.append(f"random order: {say(float(baseline[y].iloc[-1]))} at the end")
    axes.axhline(0, color=MUTED, linewidth=0.8)
    if mark is not None:
        axes.axvline(mark, color=INK, linewidth=1.2, linestyle=(0, (2, 2)))
    axes.set_xlim(0, 1)
    axes.grid(axis="y")
    axes.margins(y=0.08)
    axes.xaxis.set_major_formatter(axis_format("share"))
    axes.yaxis.set_major_formatter(axis_format(unit))
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.set_title(title)
    words = axes.get_legend_handles_labels()[1]
    across = len(words) if sum(map(len, words)) + 9 * len(words) < 85 else 2
    figure.legend(loc="outside lower left", ncols=across, handlelength=3.2)
    where = f" at {100 * mark:.0f} %" if mark is not None else ""
    return Figure(figure, f"{title} over {xlabel}{where}. {'; '.join(told)}.")


@styled
def frontier(
    table: pd.DataFrame,
    *,
    title: str,
    ylabel: str = "value kept",
) -> Figure:
    """Draw what is kept against what is risked, one panel for each measure of risk.

    Risks measured differently never share an axis. Left is less risk (on a scale of
    powers of ten), up is more kept.

    Parameters
    ----------
    table : DataFrame
        Index: the settings. Columns ``risk`` (above 0 to 1), ``kept``, ``kept_low``,
        ``kept_high`` (shares; intervals are drawn within the picture's frame) and ``risk_measure``.
    title, ylabel : str
        Texts of the figure.

    Returns
    -------
    Figure

    Examples
    --------
    >>> import pandas as pd
    >>> t = pd.DataFrame({"risk": [0.1], "kept": [0.9], "kept_low": [0.8], "kept_high": [1.0],
    ...                   "risk_measure": ["share found"]}, index=["k = 10"])
    >>> frontier(t, title="The bill").alt
    'The bill. By share found: k = 10: risk 10.0 %, value kept 90.0 % (80.0 to 100.0).'
    """
    need(table, ("risk", "kept", "kept_low", "kept_high", "risk_measure"), "frontier")
    if not ((table["risk"] > 0) & (table["risk"] <= 1)).all():
        raise PlotError("frontier: column 'risk' needs shares above 0, up to 1")
    measures = list(dict.fromkeys(table["risk_measure"]))
    figure, axes = canvas(7.5, 3.9, columns=len(measures), sharey=True, squeeze=False)
    say = number_format("share")
    told = []
    for i, measure in enumerate(measures):
        axis, part = axes[0, i], table[table["risk_measure"] == measure].sort_values("risk")
        kept, low, high = (part[c].to_numpy(float) for c in ("kept", "kept_low", "kept_high"))
        axis.errorbar(
            part["risk"],
            kept,
            yerr=[kept - low, high - kept],
            fmt="none",
            ecolor=PALETTE[i],
            elinewidth=4,
            alpha=0.4,
        )
        axis.plot(part["risk"], kept, MARKERS[i], color=PALETTE[i], markersize=8, zorder=4)
        middle = np.sqrt(part["risk"].min() * part["risk"].max())
        for risk, one, name in zip(part["risk"], kept, part.index, strict=True):
            right = risk <= middle  # beside the interval, towards the panel's middle
            axis.annotate(
                str(name),
                (risk, one),
                xytext=(7 if right else -7, -11),
                textcoords="offset points",
                ha="left" if right else "right",
                fontsize=9,
                zorder=2.5,  # below the markers
                bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"},
            )
        axis.axhline(1, color=MUTED, linewidth=1, zorder=1)
        axis.set_xscale("log")
        axis.set_xlim(part["risk"].min() / 2.2, part["risk"].max() * 2.2)
        axis.set_ylim(0, 1.25)
        axis.xaxis.set_major_formatter(axis_format("share"))
        axis.xaxis.set_minor_formatter("")
        axis.yaxis.set_major_formatter(axis_format("share"))
        axis.grid(axis="y")
        axis.set_xlabel(wrapped(measure, 60 // len(measures)))
        lines = [
            f"{name}: risk {say(r)}, {ylabel} {say(v)} ({100 * a:.1f} to {100 * b:.1f})"
            for name, r, v, a, b in zip(part.index, part["risk"], kept, low, high, strict=True)
        ]
        told.append(f"By {measure}: {'; '.join(lines)}")
    axes[0, 0].set_ylabel(ylabel)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return Figure(figure, f"{title}. {'. '.join(told)}.")


@styled
def trade_off(
    table: pd.DataFrame,
    *,
    title: str,
    xlabel: str,
    ylabel: str,
) -> Figure:
    """Draw policies in two measures, and join those that no other beats.

    Parameters
    ----------
    table : DataFrame
        One row a policy, named by the index. Columns ``x`` and ``y`` (the two measures),
        ``low`` and ``high`` (the interval of y) and ``front`` (True where no other row is as
        good in both and better in one).
    title, xlabel, ylabel : str
        Texts of the figure.

    Returns
    -------
    Figure

    Examples
    --------
    >>> import pandas as pd
    >>> tried = pd.DataFrame(
    ...     {"x": [0.1, 0.2], "y": [1.0, 0.8], "low": [0.9, 0.7], "high": [1.1, 0.9],
    ...      "front": [True, False]}, index=["ask", "do not ask"])
    >>> trade_off(tried, title="Two policies", xlabel="unasked", ylabel="profit").alt
    'Two policies. Beaten by none: ask (unasked 10.0 %, profit 1). Beaten: do not ask (20.0 %, 0.8).'
    """
    need(table, ("x", "y", "low", "high", "front"), "trade_off")
    say_x, say_y = measured("share"), measured("")
    front = table[table["front"]].sort_values(["x", "y"])
    beaten = table[~table["front"]].sort_values(["x", "y"])
    kinds = (
        ("beaten by none tried", front, "o", PALETTE[0], (-7, 5)),
        ("beaten by another", beaten, "s", PALETTE[1], (7, -13)),
    )
    height = max(4.0, 0.9 + 0.2 * (len(table) + 3))
    figure, axes = canvas(8.6, height)
    axes.vlines(front["x"], front["low"], front["high"], color=PALETTE[0], linewidth=5, alpha=0.3)
    axes.plot(front["x"], front["y"], "-", color=PALETTE[0], linewidth=1.2)
    # numbers at the points and names beside: long names would cover each other
    number, y_text = 0, 1.0
    for kind, part, marker, colour, beside in kinds:
        if part.empty:
            continue
        face = colour if part is front else "white"
        looks = {"color": colour, "markerfacecolor": face, "markersize": 7}
        axes.plot(part["x"], part["y"], marker, zorder=5 if part is front else 4, **looks)
        key = {"transform": axes.transAxes, "va": "top", "fontsize": 9}
        step = 0.2 / (height - 0.95)
        axes.text(1.07, y_text, kind, fontweight="bold", **key)
        axes.plot(
            [1.045],
            [y_text - step * 0.4],
            marker,
            transform=axes.transAxes,
            clip_on=False,
            **looks,
        )
        for name, x, y in zip(part.index, part["x"], part["y"], strict=True):
            number += 1
            y_text -= step
            axes.annotate(
                str(number),
                (x, y),
                xytext=beside,
                textcoords="offset points",
                ha="center",
                fontsize=8.5,
                color=colour,
                fontweight="bold",
            )
            axes.text(1.03, y_text, f"{number}  {cut(str(name), 34)}", **key)
        y_text -= 1.6 * step
    axes.margins(x=0.08, y=0.1)
    axes.xaxis.set_major_formatter(axis_format("share"))
    axes.set_title(title)
    axes.set_xlabel(f"{xlabel} \u2192 worse")
    axes.set_ylabel(f"{ylabel} \u2192 better")
    axes.grid()
    best = [
        f"{name} ({xlabel} {say_x(x)}, {ylabel} {say_y(y)})"
        for name, x, y in zip(front.index, front["x"], front["y"], strict=True)
    ]
    rest = [
        f"{name} ({say_x(x)}, {say_y(y)})"
        for name, x, y in zip(beaten.index, beaten["x"], beaten["y"], strict=True)
    ]
    alt = f"{title}. Beaten by none: {'; '.join(best)}."
    return Figure(figure, alt + (f" Beaten: {'; '.join(rest)}." if rest else ""))


@styled
def gains_and_losses(
    table: pd.DataFrame,
    *,
    title: str,
    xlabel: str = "people per 1,000 of the group",
) -> Figure:
    """Draw whom a change gives something and from whom it takes it, by group.

    Parameters
    ----------
    table : DataFrame
        Index of two levels: the change, and the group. Columns ``gained`` and ``lost``,
        both at least 0; gains are drawn to the right, losses to the left.
    title, xlabel : str
        Texts of the figure.

    Returns
    -------
    Figure

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.MultiIndex.from_product([["repair"], ["a", "b"]])
    >>> t = pd.DataFrame({"gained": [0, 115.6], "lost": [23.8, 0]}, index=rows)
    >>> gains_and_losses(t, title="Who pays").alt
    'Who pays, people per 1,000 of the group. repair: a: 0 gain, 24 lose; b: 116 gain, 0 lose.'
    """
    need(table, ("gained", "lost"), "gains_and_losses")
    if (table[["gained", "lost"]] < 0).any(axis=None):
        raise PlotError("gains_and_losses: columns 'gained' and 'lost' need numbers from 0")
    changes, groups = (list(dict.fromkeys(table.index.get_level_values(i))) for i in (0, 1))
    if len(groups) > len(HATCHES):
        raise PlotError(f"gains_and_losses: at most {len(HATCHES)} groups can be told apart")
    height = 0.8 / len(groups)
    figure, axes = canvas(7.5, 1.4 + 0.22 * len(changes) * (len(groups) + 0.6))
    told = []
    widest = float(table[["gained", "lost"]].to_numpy().max()) or 1.0
    for row, change in enumerate(changes):
        said = []
        for i, group in enumerate(groups):
            gained, lost = (float(table.loc[(change, group), c]) for c in ("gained", "lost"))
            at = len(changes) - 1 - row + height * ((len(groups) - 1) / 2 - i)
            for value, side in ((gained, 1), (lost, -1)):
                axes.barh(
                    at,
                    side * value,
                    height=0.86 * height,
                    color="white" if HATCHES[i] else PALETTE[i],
                    edgecolor=PALETTE[i],
                    hatch=2 * HATCHES[i],
                    label=str(group) if not row and side > 0 else None,
                )
                if round(value):
                    text = f"{value:,.0f}"
                    x = side * (value + 0.015 * widest)
                    axes.text(
                        x, at, text, ha="left" if side > 0 else "right", va="center", fontsize=8.5
                    )
            said.append(f"{group}: {gained:,.0f} gain, {lost:,.0f} lose")
        told.append(f"{change}: {'; '.join(said)}")
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_yticks(range(len(changes)), [str(change) for change in reversed(changes)])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    left, right = float(table["lost"].max()), float(table["gained"].max())
    axes.set_xlim(-left - 0.14 * widest, right + 0.14 * widest)
    axes.xaxis.set_major_formatter(lambda x, _: f"{abs(x):,.0f}")
    axes.grid(axis="x")
    axes.set_xlabel(f"← lose it    {xlabel}    gain it →")
    axes.set_title(title)
    figure.legend(loc="outside lower left", ncols=len(groups))
    return Figure(figure, f"{title}, {xlabel}. {'. '.join(told)}.")


@styled
def contributions(
    parts: Mapping[str, float] | pd.Series,
    base: float,
    *,
    title: str,
    unit: str = "share",
    most: int = 7,
    xlabel: str = "score",
) -> Figure:
    """Draw how one score comes about: from a base, column by column, to the score.

    Parameters
    ----------
    parts : mapping or Series of str to float
        What each column adds to the score, or takes from it; the score is `base` plus
        their sum.
    base : float
        Where the account begins, such as the mean score of the background.
    title, xlabel : str
        Texts of the figure.
    unit : {"share", "points", "money", "count", "number"}, default "share"
        How the score is written; steps of a share are written in points.
    most : int, default 7
        Most columns drawn; the others are drawn together, as one step.

    Returns
    -------
    Figure

    Raises
    ------
    PlotError
        If there are no parts, a number is missing, or `most` is below 1.

    Examples
    --------
    >>> contributions({"recency": 0.06, "age": -0.02}, 0.11, title="Why Ada").alt
    'Why Ada: from 11.0 % to 15.0 %. recency +6.0 points, age -2.0 points.'
    """
    values = {str(name): float(value) for name, value in dict(parts).items()}
    if not values:
        raise PlotError("contributions: there are no parts to draw")
    wrong = [name for name, value in values.items() if not np.isfinite(value)]
    if wrong or not np.isfinite(base):
        at = f"part {wrong[0]!r}" if wrong else "base"
        raise PlotError(f"contributions: {at} is not a number")
    if most < 1:
        raise PlotError(f"contributions: most is {most}; accepted: 1 or more")
    ranked = sorted(values, key=lambda name: -abs(values[name]))
    steps = [(name, values[name]) for name in ranked[:most]]
    if len(ranked) > most:
        rest = ranked[most:]
        steps.append((f"{len(rest)} other columns", sum(values[name] for name in rest)))
    score = base + sum(values.values())
    ends = base + np.cumsum([0.0, *(value for _, value in steps)])
    whole = number_format(unit, [base, score])
    step = number_format("points" if unit == "share" else unit, [value for _, value in steps])

    def signed(value: float) -> str:
        text = step(value)
        return text if text.startswith(("+", "-")) or text.strip("0., ") == "" else f"+{text}"

    figure, axes = canvas(7.5, 1.5 + 0.34 * (len(steps) + 1))
    low, high = float(ends.min()), float(ends.max())
    span = (high - low) or abs(high) or 1.0
    for i, (_, value) in enumerate(steps):
        at = len(steps) - 1 - i
        up = value >= 0
        axes.barh(
            at,
            value,
            left=ends[i],
            height=0.62,
            color=PALETTE[0] if up else "white",
            edgecolor=PALETTE[0 if up else 1],
            hatch="" if up else 2 * HATCHES[1],
        )
        # the line to the next step shows that nothing is lost between them
        below = at - 1 if i < len(steps) - 1 else at - 0.5
        axes.plot([ends[i + 1]] * 2, [at, below], "-", color=MUTED, linewidth=0.8)
        right = max(ends[i], ends[i + 1])
        axes.text(
            *(right + 0.015 * span, at, signed(value)),
            ha="left",
            va="center",
            fontsize=8.5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )
    for value, said in ((base, "base"), (score, "score")):
        axes.axvline(
            value, color=INK, linewidth=1, zorder=0.5, linestyle=":" if said == "base" else "-"
        )
    axes.set_yticks(range(len(steps)), [name for name, _ in reversed(steps)])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlim(low - 0.08 * span, high + 0.22 * span)
    axes.set_ylim(-0.6, len(steps) - 0.4)
    axes.xaxis.set_major_formatter(axis_format(unit))
    axes.grid(axis="x")
    axes.set_xlabel(f"{xlabel}: from {whole(base)} (dotted) to {whole(score)} (solid)")
    axes.set_title(title)
    told = ", ".join(f"{name} {signed(value)}" for name, value in steps)
    return Figure(figure, f"{title}: from {whole(base)} to {whole(score)}. {told}.")


_GROUPS = (
    # name, whether the chance reaches the threshold (without, with), marker
    ("persuadables", (False, True)),
    ("sure things", (True, True)),
    ("lost causes", (False, False)),
    ("do-not-disturbs", (True, False)),
)


@styled
def uplift_groups(
    without: Any,
    with_offer: Any,
    *,
    threshold: float,
    title: str = "Four kinds of customers",
    offer: str = "the mail",
) -> Figure:
    """Draw each customer's chance without and with an offer, in four quadrants.

    Persuadables come only with the offer, sure things come anyway, lost causes do
    not come, do-not-disturbs come only without it. Only a world whose truth is known
    can draw this: nobody is ever seen both with and without.

    Parameters
    ----------
    without, with_offer : array-like of float
        Chance of a visit for each customer, 0 to 1.
    threshold : float
        The chance from which on a customer counts as coming.
    title, offer : str
        Words of the figure.

    Returns
    -------
    Figure

    References
    ----------
    Radcliffe, N. J. (2007). Using control groups to target on predicted lift:
    building and assessing uplift models. Direct Marketing Analytics Journal, 14-21.

    Examples
    --------
    >>> figure = uplift_groups([0.1, 0.5, 0.1, 0.5], [0.5, 0.5, 0.1, 0.1], threshold=0.3)
    >>> figure.alt.split(". ")[1]
    'persuadables 25.0 %, sure things 25.0 %, lost causes 25.0 % and do-not-disturbs 25.0 %'
    """
    a, b = np.asarray(without, dtype=float), np.asarray(with_offer, dtype=float)
    if a.ndim != 1 or a.shape != b.shape or not a.size:
        raise PlotError("uplift_groups: without and with_offer must be columns of equal length")
    if not (np.isfinite(a).all() and np.isfinite(b).all()) or min(a.min(), b.min()) < 0:
        raise PlotError("uplift_groups: chances must be numbers from 0 to 1")
    if max(a.max(), b.max()) > 1:
        raise PlotError("uplift_groups: chances must be numbers from 0 to 1")
    figure, axes = canvas(7.5, 5.2)
    shown = np.unique(np.linspace(0, a.size - 1, min(1500, a.size)).astype(int))
    top = float(np.quantile(np.concatenate([a, b]), 0.995))
    top = min(1.0, max(top, 2 * threshold) * 1.06)
    shares = {}
    for i, (name, (comes_without, comes_with)) in enumerate(_GROUPS):
        member = ((a >= threshold) == comes_without) & ((b >= threshold) == comes_with)
        shares[name] = float(member.mean())
        drawn = shown[member[shown]]
        axes.plot(
            a[drawn],
            b[drawn],
            MARKERS[i],
            color=PALETTE[i],
            markersize=4.2,
            alpha=0.55,
            markeredgewidth=0,
            linestyle="",
        )
        axes.annotate(
            f"{name}\n{100 * shares[name]:.1f} %",
            (1.0 if comes_without else 0.0, 1.0 if comes_with else 0.0),
            xycoords="axes fraction",
            xytext=(-6 if comes_without else 6, -6 if comes_with else 6),
            textcoords="offset points",
            ha="right" if comes_without else "left",
            va="top" if comes_with else "bottom",
            color=PALETTE[i],
            fontweight="bold",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},
            zorder=5,
        )
    axes.axline((0, 0), slope=1, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.axvline(threshold, color=INK, linewidth=0.9)
    axes.axhline(threshold, color=INK, linewidth=0.9)
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)
    axes.set_xlabel(f"chance of a visit without {offer}")
    axes.set_ylabel(f"chance of a visit with {offer}")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(axis_format("share"))
    axes.set_title(f"{title} (dashed: {offer} changes nothing)")
    told = listed([f"{name} {100 * share:.1f} %" for name, share in shares.items()])
    better = float((b > a).mean())
    return Figure(
        figure,
        f"{title}, by chance of a visit without and with {offer}, counted as coming from "
        f"{100 * threshold:g} % on. {told}. {offer.capitalize()} raises the chance of "
        f"{100 * better:.1f} % of the {a.size:,} customers.",
    )
