"""One style for every figure, and a text alternative with each.

Functions here take data and return a :class:`Figure`: a picture whose ``alt`` says,
computed from the same data, what the picture shows. Groups differ by marker, line
or hatch as well as by colour; the palette keeps its steps apart for the common
forms of colour blindness and against white paper. The rooms do not import this
module.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import html
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ethicalai_lab.core.files import write_atomic
from ethicalai_lab.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MplFigure

__all__ = [
    "HATCHES",
    "INK",
    "MARKERS",
    "MUTED",
    "PALETTE",
    "Figure",
    "canvas",
    "causal_graph",
    "contributions",
    "curves",
    "frontier",
    "gains_and_losses",
    "intervals",
    "rule_values",
    "scorecard",
    "scorecard_difference",
    "segment_profile",
    "style",
    "trade_off",
    "uplift_groups",
]

#: Colours by order of use: at least 4.5:1 against white, and far apart from each other to
#: usual and to colour-blind eyes (searched for; a test measures both).
PALETTE = ("#0072B2", "#C44E00", "#601830", "#7818F0", "#A86078", "#5A5A5A")
#: Markers, lines and hatches that go with the colours, in the same order.
MARKERS = ("o", "s", "^", "D", "v", "P")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1)))
HATCHES = ("", "//", "..", "\\\\", "xx", "++")
#: Colour of text; and of secondary text and guides (at least 4.5:1).
INK = "#1A1A1A"
MUTED = "#595959"
_GRID = "#DDDDDD"
_FIRST, _TRUTH = PALETTE[0], "#000000"

_DPI = 160
_SHOWN = 96  # CSS pixels an inch: the picture holds more, for sharp screens and print

_STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same on each machine
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 2.0,
    "lines.markersize": 6.5,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "hatch.linewidth": 0.8,
    "path.simplify": True,
    "svg.hashsalt": "ethicalai-lab",
}


class PlotError(InputError):
    """The data handed to a figure cannot be drawn."""


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw with the lab's style, whatever the reader's own settings are.

    Examples
    --------
    >>> with style():
    ...     import matplotlib
    ...     matplotlib.rcParams["font.family"]
    ['DejaVu Sans']
    """
    import matplotlib
    from cycler import cycler

    with matplotlib.rc_context():
        # from the defaults, so that a reader's matplotlibrc changes no lesson
        backend = matplotlib.rcParams["backend"]
        matplotlib.rcParams.update(
            {k: v for k, v in matplotlib.rcParamsDefault.items() if not k.startswith("backend")}
        )
        matplotlib.rcParams["backend"] = backend
        matplotlib.rcParams.update(_STYLE)
        matplotlib.rcParams["axes.prop_cycle"] = cycler(color=PALETTE[:4]) + cycler(
            linestyle=LINES[:4]
        )
        yield


def _styled(function: Callable[..., Figure]) -> Callable[..., Figure]:
    @functools.wraps(function)
    def drawn(*args: Any, **kwargs: Any) -> Figure:
        with style():
            return function(*args, **kwargs)

    return drawn


def canvas(
    width: float = 7.5, height: float = 3.6, *, rows: int = 1, columns: int = 1, **kwargs: Any
) -> tuple[MplFigure, Any]:
    """Return a new figure and its axes in the lab's style.

    No global figure is kept, so nothing is shown twice and nothing leaks.

    Parameters
    ----------
    width, height : float
        Inches.
    rows, columns : int, default 1
        Number of axes; with one of each, a single Axes is returned.
    **kwargs
        Passed to ``Figure.subplots``.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : Axes or array of Axes

    Examples
    --------
    >>> figure, axes = canvas()
    >>> axes.spines["top"].get_visible()
    False
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as MplFigure

    with style():
        figure = MplFigure(figsize=(width, height), dpi=_DPI, layout="constrained")
        FigureCanvasAgg(figure)
        return figure, figure.subplots(rows, columns, **kwargs)


class Figure:
    """A picture with its text alternative.

    Parameters
    ----------
    picture : matplotlib.figure.Figure
        What is drawn.
    alt : str
        One to four sentences that tell a reader who does not see the picture what it
        shows. Compute it from the data.

    Raises
    ------
    PlotError
        If `alt` is empty.

    Examples
    --------
    >>> figure, axes = canvas(2, 1)
    >>> shown = Figure(figure, "An empty frame.")
    >>> shown._repr_html_().startswith('<img alt="An empty frame."')
    True
    """

    def __init__(self, picture: MplFigure, alt: str) -> None:
        self.picture = picture
        self.alt = " ".join(str(alt).split())
        if not self.alt:
            raise PlotError("a figure needs a text alternative: alt is empty")
        self._png: bytes | None = None

    @property
    def axes(self) -> list[Axes]:
        """The picture's axes."""
        return self.picture.axes

    def png(self) -> bytes:
        """Return the picture as PNG bytes, the same each time on one machine."""
        if self._png is None:
            from PIL import Image

            # a picture of a few flat colours needs no more than 128: a third of the bytes;
            # packing harder saves a fifth of them and costs a what-if a tenth of its answer
            self._png = self._packed(Image.Quantize.MEDIANCUT, 6)
        return self._png

    def _packed(self, method: int, level: int) -> bytes:
        from PIL import Image

        with style():  # drawn once; savefig draws twice, to the same pixels
            self.picture.canvas.draw()
        size = self.picture.canvas.get_width_height()
        raw = bytes(self.picture.canvas.buffer_rgba())
        image = Image.frombytes("RGBA", size, raw).convert("RGB")
        image = image.quantize(128, method=method, dither=Image.Dither.NONE)
        out = io.BytesIO()
        image.save(out, format="PNG", compress_level=level)
        return out.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write the picture to a PNG file and return its path."""
        write_atomic(path, self.png())
        return Path(path)

    def __repr__(self) -> str:
        return f"Figure: {self.alt}"

    def _repr_html_(self) -> str:
        return self._html(self.png())

    def live_html(self) -> str:
        """Return the figure as HTML for a live widget: packed in a hurry, never committed.

        Returns
        -------
        str
            The same picture with the same text alternative; its bytes are a little more,
            and colours may differ by a shade.
        """
        if self._png is not None:
            return self._html(self._png)
        from PIL import Image

        return self._html(self._packed(Image.Quantize.FASTOCTREE, 1))

    def _html(self, png: bytes) -> str:
        data = base64.b64encode(png).decode("ascii")
        width = round(self.picture.get_figwidth() * _SHOWN)
        return (
            f'<img alt="{html.escape(self.alt, quote=True)}" width="{width}" '
            'style="max-width:100%;height:auto;background:#fff" '
            f'src="data:image/png;base64,{data}">'
        )


# ------------------------------------------------------------------ numbers as words


def _format(kind: str, values: Any = ()) -> Callable[[float], str]:
    """Return how numbers of a kind are written, beside the other `values`."""
    size = float(np.nanmax(np.abs(np.asarray(values, dtype=float)), initial=0.0))
    cents = 0 if size >= 100 else 2
    formats: dict[str, Callable[[float], str]] = {
        "number": lambda x: f"{x:,.3g}" if abs(x) < 1000 else f"{x:,.0f}",
        "count": lambda x: f"{x:,.0f}",
        "share": lambda x: f"{100 * x:.1f} %",
        "points": lambda x: f"{100 * x:+.1f} points",
        "money": lambda x: f"{x:,.{cents}f}",
    }
    if kind not in formats:
        raise PlotError(f"unit must be one of {', '.join(formats)}, not {kind!r}")
    say = formats[kind]
    return lambda x: _plain(say(0.0 if x == 0 else x))


def _plain(text: str) -> str:
    return "0" + text[2:] if text.startswith("-0") and not text.strip("-0., %points") else text


def _axis_format(kind: str) -> Any:
    from matplotlib.ticker import FuncFormatter

    def written(x: float, _: Any) -> str:
        if kind in ("share", "points"):
            return f"{100 * x:g} %" if kind == "share" else f"{round(100 * x, 6):+g}"
        return f"{x:,.10g}"

    return FuncFormatter(lambda x, p: written(0.0 if abs(x) < 1e-12 else x, p).replace("+0", "0"))


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _need(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    missing = [column for column in columns if column not in getattr(table, "columns", ())]
    if missing:
        raise PlotError(f"{name}: column {missing[0]!r} is missing; it needs {', '.join(columns)}")
    if not len(table):
        raise PlotError(f"{name} has no rows")


# ------------------------------------------------------------------------- intervals


@_styled
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
    _need(table, ("value", "low", "high"), "intervals")
    if order == "value":
        table = table.sort_values("value", ascending=False, kind="stable")
    elif order != "given":
        raise PlotError(f"order must be 'given' or 'value', not {order!r}")
    truth = table["truth"].to_numpy(float) if "truth" in table else None
    value, low, high = (table[name].to_numpy(float) for name in ("value", "low", "high"))
    names = [str(name) for name in table.index]
    say = _format(unit, np.concatenate([low, high]))
    figure, axes = canvas(7.5, 1.5 + 0.46 * len(table))
    rows = np.arange(len(table))[::-1]
    axes.hlines(rows, low, high, color=_FIRST, linewidth=5, alpha=0.45, capstyle="butt")
    sure = np.isfinite(low) & np.isfinite(high)
    dots = {"color": _FIRST, "markersize": 9, "zorder": 3, "linestyle": "none", "marker": "o"}
    axes.plot(value[sure], rows[sure], label="estimate with 95 % interval", **dots)
    if (np.isfinite(value) & ~sure).any():
        axes.plot(value[~sure], rows[~sure], label="no interval", markerfacecolor="none", **dots)
    if truth is not None:
        axes.plot(
            truth,
            rows,
            "x",
            color=_TRUTH,
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
    axes.xaxis.set_major_formatter(_axis_format(unit))
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
    unit: str = "money",
    xlabel: str = "profit per 1,000 customers",
) -> Figure:
    """Draw what targeting rules are worth, the best first.

    Parameters
    ----------
    table : DataFrame
        Index: the rules. Columns ``value``, ``low``, ``high`` and, where the world
        tells, ``truth``.
    title, unit, xlabel : str
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
    _need(table, ("value", "low", "high"), "rule_values")
    ordered = table.sort_values(key, ascending=False, kind="stable")
    return intervals(ordered, title=title, unit=unit, xlabel=xlabel)


# ---------------------------------------------------------------------------- curves


@_styled
def curves(
    tables: Mapping[str, pd.DataFrame],
    *,
    y: str,
    title: str,
    ylabel: str,
    unit: str = "number",
    x: str = "share",
    xlabel: str = "share of customers mailed",
    baseline: pd.DataFrame | None = None,
    baseline_name: str = "random order",
    mark: float | None = None,
) -> Figure:
    """Draw curves over the share of customers reached: Qini, uplift or profit.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        For each ranking or rule a table with columns `x` (0 to 1, increasing) and
        `y`; where it has ``{y}_low`` and ``{y}_high``, the band between is shaded,
        and ``{y}_truth`` is drawn as black crosses.
    y : str
        Name of the column drawn, such as ``"qini"`` or ``"value"``.
    title, ylabel, xlabel : str
        Texts of the figure.
    unit : str
        How values are written, as in :func:`intervals`.
    x : str, default "share"
        Name of the column across.
    baseline : DataFrame, optional
        A curve to compare with, drawn thin and grey.
    baseline_name : str
        What the baseline is.
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
    say = _format(unit, [table[y].abs().max() for table in tables.values() if y in table])
    figure, axes = canvas(7.5, 4.1)
    ends: list[tuple[float, str, str]] = []
    told = []
    for i, (name, table) in enumerate(tables.items()):
        _need(table, (x, y), f"curve {name!r}")
        at, value = table[x].to_numpy(float), table[y].to_numpy(float)
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
                color=_TRUTH,
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
        _need(baseline, (x, y), "baseline")
        axes.plot(
            baseline[x], baseline[y], color=MUTED, linewidth=1.2, linestyle="-", label=baseline_name
        )
        told.append(f"{baseline_name}: {say(float(baseline[y].iloc[-1]))} at the end")
    axes.axhline(0, color=MUTED, linewidth=0.8)
    if mark is not None:
        axes.axvline(mark, color=INK, linewidth=1.2, linestyle=(0, (2, 2)))
    axes.set_xlim(0, 1)
    axes.grid(axis="y")
    axes.margins(y=0.08)
    axes.xaxis.set_major_formatter(_axis_format("share"))
    axes.yaxis.set_major_formatter(_axis_format(unit))
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.set_title(title)
    words = axes.get_legend_handles_labels()[1]
    across = len(words) if sum(map(len, words)) + 9 * len(words) < 85 else 2
    figure.legend(loc="outside lower left", ncols=across, handlelength=3.2)
    where = f" at {100 * mark:.0f} %" if mark is not None else ""
    return Figure(figure, f"{title} over {xlabel}{where}. {'; '.join(told)}.")


# -------------------------------------------------------------------------- frontier


@_styled
def frontier(
    table: pd.DataFrame,
    *,
    title: str,
    ylabel: str = "value kept",
    panel: str = "risk_measure",
) -> Figure:
    """Draw what is kept against what is risked, one panel for each measure of risk.

    Risks measured differently never share an axis. Left is less risk (on a scale of
    powers of ten), up is more kept.

    Parameters
    ----------
    table : DataFrame
        Index: the settings. Columns ``risk`` (above 0 to 1), ``kept``, ``kept_low``,
        ``kept_high`` (shares; intervals are drawn within the picture's frame) and `panel`.
    title, ylabel : str
        Texts of the figure.
    panel : str, default "risk_measure"
        Column that names the measure of risk.

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
    _need(table, ("risk", "kept", "kept_low", "kept_high", panel), "frontier")
    if not ((table["risk"] > 0) & (table["risk"] <= 1)).all():
        raise PlotError("frontier: column 'risk' needs shares above 0, up to 1")
    measures = list(dict.fromkeys(table[panel]))
    figure, axes = canvas(7.5, 3.9, columns=len(measures), sharey=True, squeeze=False)
    say = _format("share")
    told = []
    for i, measure in enumerate(measures):
        axis, part = axes[0, i], table[table[panel] == measure].sort_values("risk")
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
        axis.xaxis.set_major_formatter(_axis_format("share"))
        axis.xaxis.set_minor_formatter("")
        axis.yaxis.set_major_formatter(_axis_format("share"))
        axis.grid(axis="y")
        axis.set_xlabel(_wrapped(measure, 60 // len(measures)))
        lines = [
            f"{name}: risk {say(r)}, {ylabel} {say(v)} ({100 * a:.1f} to {100 * b:.1f})"
            for name, r, v, a, b in zip(part.index, part["risk"], kept, low, high, strict=True)
        ]
        told.append(f"By {measure}: {'; '.join(lines)}")
    axes[0, 0].set_ylabel(ylabel)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return Figure(figure, f"{title}. {'. '.join(told)}.")


# ---------------------------------------------------------------------- trade-offs


@_styled
def trade_off(
    table: pd.DataFrame,
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    x_unit: str = "share",
    y_unit: str = "",
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
    x_unit, y_unit : str
        Units as a scorecard writes them.

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
    _need(table, ("x", "y", "low", "high", "front"), "trade_off")
    say_x, say_y = _measured(x_unit), _measured(y_unit)
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
            axes.text(1.03, y_text, f"{number}  {_cut(str(name), 34)}", **key)
        y_text -= 1.6 * step
    axes.margins(x=0.08, y=0.1)
    if x_unit == "share":
        axes.xaxis.set_major_formatter(_axis_format("share"))
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


# ------------------------------------------------------------------ gains and losses


@_styled
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
    _need(table, ("gained", "lost"), "gains_and_losses")
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


# ------------------------------------------------------------------------ explanations


@_styled
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
    whole = _format(unit, [base, score])
    step = _format("points" if unit == "share" else unit, [value for _, value in steps])

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
    axes.xaxis.set_major_formatter(_axis_format(unit))
    axes.grid(axis="x")
    axes.set_xlabel(f"{xlabel}: from {whole(base)} (dotted) to {whole(score)} (solid)")
    axes.set_title(title)
    told = ", ".join(f"{name} {signed(value)}" for name, value in steps)
    return Figure(figure, f"{title}: from {whole(base)} to {whole(score)}. {told}.")


# ------------------------------------------------------------------------- segments


@_styled
def segment_profile(
    table: pd.DataFrame,
    *,
    title: str,
    units: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Figure:
    """Draw how segments differ: one panel a feature, one bar a segment.

    Parameters
    ----------
    table : DataFrame
        Index: the segments. Columns: features, such as size, recency, spend.
    title : str
        What the figure is about.
    units : mapping of str to str, optional
        For each column, how its values are written, as in :func:`intervals`.
    labels : mapping of str to str, optional
        For each column, the panel's title.

    Returns
    -------
    Figure

    Examples
    --------
    >>> import pandas as pd
    >>> t = pd.DataFrame({"size": [0.2, 0.8]}, index=["loyal", "new"])
    >>> segment_profile(t, title="Segments", units={"size": "share"}).alt
    'Segments. size: loyal 20.0 %, new 80.0 %.'
    """
    if not len(table) or not len(table.columns):
        raise PlotError("segment_profile: the table has no rows or no columns")
    if len(table.columns) > 5:
        raise PlotError("segment_profile: at most five columns fit; choose the telling ones")
    units, labels = dict(units or {}), dict(labels or {})
    figure, axes = canvas(
        7.5, 1.4 + 0.36 * len(table), columns=len(table.columns), sharey=True, squeeze=False
    )
    rows = np.arange(len(table))[::-1]
    names = [str(name) for name in table.index]
    told = []
    for i, column in enumerate(table.columns):
        panel, value = axes[0, i], table[column].to_numpy(float)
        say = _format(units.get(column, "number"), value)
        panel.barh(
            rows,
            value,
            height=0.62,
            color=PALETTE[i],
            hatch=HATCHES[i],
            edgecolor="white",
            linewidth=0,
        )
        low, high = min(0.0, np.nanmin(value)), max(0.0, np.nanmax(value))
        room = (high - low) or 1.0
        panel.set_xlim(low - (0.45 * room if low < 0 else 0), high + 0.62 * room)
        for row, one in zip(rows, value, strict=True):
            text = say(one).replace(" points", "")
            panel.annotate(
                text,
                (one, row),
                xytext=(4 if one >= 0 else -4, 0),
                textcoords="offset points",
                va="center",
                ha="left" if one >= 0 else "right",
                fontsize=9,
            )
        panel.set_title(
            _wrapped(labels.get(column, str(column)), 60 // len(table.columns)),
            fontsize=9.5,
            fontweight="normal",
        )
        panel.set_xticks([])
        panel.spines[["bottom", "left"]].set_visible(False)
        panel.axvline(0, color=MUTED, linewidth=1)
        panel.set_yticks(rows, names)
        panel.tick_params(axis="y", length=0)
        said = ", ".join(f"{name} {say(one)}" for name, one in zip(names, value, strict=True))
        told.append(f"{labels.get(column, column)}: {said}")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return Figure(figure, f"{title}. {'. '.join(told)}.")


# --------------------------------------------------------------------- uplift groups

_GROUPS = (
    # name, whether the chance reaches the threshold (without, with), marker
    ("persuadables", (False, True)),
    ("sure things", (True, True)),
    ("lost causes", (False, False)),
    ("do-not-disturbs", (True, False)),
)


@_styled
def uplift_groups(
    without: Any,
    with_offer: Any,
    *,
    threshold: float,
    title: str = "Four kinds of customers",
    event: str = "visit",
    offer: str = "the mail",
    at_most: int = 1500,
) -> Figure:
    """Draw each customer's chance without and with an offer, in four quadrants.

    Persuadables come only with the offer, sure things come anyway, lost causes do
    not come, do-not-disturbs come only without it. Only a world whose truth is known
    can draw this: nobody is ever seen both with and without.

    Parameters
    ----------
    without, with_offer : array-like of float
        Chance of the event for each customer, 0 to 1.
    threshold : float
        The chance from which on a customer counts as coming.
    title, event, offer : str
        Words of the figure.
    at_most : int, default 1500
        How many customers are drawn, evenly spaced in the order given. Shares are of
        all of them.

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
    shown = np.unique(np.linspace(0, a.size - 1, min(at_most, a.size)).astype(int))
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
    axes.set_xlabel(f"chance of a {event} without {offer}")
    axes.set_ylabel(f"chance of a {event} with {offer}")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_axis_format("share"))
    axes.set_title(f"{title} (dashed: {offer} changes nothing)")
    told = _listed([f"{name} {100 * share:.1f} %" for name, share in shares.items()])
    better = float((b > a).mean())
    return Figure(
        figure,
        f"{title}, by chance of a {event} without and with {offer}, counted as coming from "
        f"{100 * threshold:g} % on. {told}. {offer.capitalize()} raises the chance of "
        f"{100 * better:.1f} % of the {a.size:,} customers.",
    )


# ---------------------------------------------------------------------- causal graph


def _projected(edges: Sequence[tuple[str, str]], shown: Sequence[str]) -> list[tuple[str, str]]:
    """Return the edges between shown nodes, through hidden ones too."""
    children: dict[str, list[str]] = {}
    for cause, effect in edges:
        children.setdefault(cause, []).append(effect)
    kept = set(shown)
    found = []
    for start in shown:
        seen: set[str] = set()
        waiting = list(children.get(start, ()))
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            if node in kept:
                found.append((start, node))
            else:
                waiting += children.get(node, ())
    return sorted(set(found))


def _layers(shown: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return each node's layer: the longest path that leads to it."""
    layer = dict.fromkeys(shown, 0)
    for _ in range(len(shown) + 1):
        moved = False
        for cause, effect in edges:
            if layer[effect] < layer[cause] + 1:
                layer[effect] = layer[cause] + 1
                moved = True
        if not moved:
            return layer
    raise PlotError("causal_graph: the edges form a circle")


def _places(
    shown: Sequence[str], edges: Sequence[tuple[str, str]]
) -> tuple[dict[Any, tuple[float, float]], dict[tuple[str, str], list[Any]]]:
    """Place nodes in layers, each near the nodes it is joined to.

    An arrow that skips layers gets a free place in each of them (Sugiyama's way), so
    that it does not run behind a box. Returns the places, and each edge's stations.
    """
    layer: dict[Any, int] = dict(_layers(shown, edges))
    for name in shown:  # a node without causes stands just before its first effect
        effects = [layer[effect] for cause, effect in edges if cause == name]
        if effects and not any(effect == name for _, effect in edges):
            layer[name] = min(effects) - 1
    stations: dict[tuple[str, str], list[Any]] = {}
    for cause, effect in edges:
        between = [(cause, effect, i) for i in range(layer[cause] + 1, layer[effect])]
        layer.update({station: station[2] for station in between})
        stations[cause, effect] = [cause, *between, effect]
    columns: dict[int, list[Any]] = {}
    for name, i in layer.items():
        columns.setdefault(i, []).append(name)
    links = [link for chain in stations.values() for link in pairwise(chain)]
    height = _heights(columns, links)
    return {name: (layer[name], height[name]) for name in layer}, stations


def _heights(
    columns: Mapping[int, Sequence[Any]], links: Sequence[tuple[Any, Any]]
) -> dict[Any, float]:
    """Return a height for each node such that few links cross.

    The barycentre rule, swept forwards and backwards from a few shuffled starts (with
    a fixed seed); the start with the fewest crossings and the shortest links wins.
    """
    before: dict[Any, list[Any]] = {n: [] for column in columns.values() for n in column}
    after: dict[Any, list[Any]] = {n: [] for n in before}
    for left, right in links:
        after[left].append(right)
        before[right].append(left)
    rng = np.random.default_rng(0)
    best: tuple[tuple[int, float], dict[Any, float]] | None = None
    for _ in range(40):
        order = {
            i: [column[j] for j in rng.permutation(len(column))] for i, column in columns.items()
        }
        height = {n: (j + 0.5) / len(c) for c in order.values() for j, n in enumerate(c)}
        for sweep in range(12):
            near = before if sweep % 2 == 0 else after
            for i in sorted(order, reverse=bool(sweep % 2)):
                wish = {
                    n: sum(height[m] for m in near[n]) / len(near[n]) if near[n] else height[n]
                    for n in order[i]
                }
                order[i].sort(key=lambda n, wish=wish: (round(wish[n], 9), str(n)))
                height.update({n: (j + 0.5) / len(order[i]) for j, n in enumerate(order[i])})
            length = sum(abs(height[a] - height[b]) for a, b in links)
            score = (_crossings(columns, links, height), round(length, 9))
            if best is None or score < best[0]:
                best = (score, dict(height))
    assert best is not None
    return best[1]


def _crossings(
    columns: Mapping[int, Sequence[Any]],
    links: Sequence[tuple[Any, Any]],
    height: Mapping[Any, float],
) -> int:
    """Count the pairs of links between the same two layers that cross."""
    layer = {n: i for i, column in columns.items() for n in column}
    found = 0
    for k, (a, b) in enumerate(links):
        for c, d in links[:k]:
            if layer[a] == layer[c] and (height[a] - height[c]) * (height[b] - height[d]) < 0:
                found += 1
    return found


@_styled
def causal_graph(
    nodes: Mapping[str, str],
    edges: Sequence[tuple[str, str]],
    *,
    title: str = "What causes what in this world",
    labels: Mapping[str, str] | None = None,
) -> Figure:
    """Draw causes and effects, from left to right.

    Parameters
    ----------
    nodes : mapping of str to {"observed", "latent", "knob"}
        The nodes to draw. Latent ones, which only the world's truth knows, have a
        dashed round frame; knobs of the configuration have a hatched one.
    edges : sequence of (cause, effect)
        May name nodes that are not drawn: a path through them becomes one arrow.
    title : str
        What the figure is about.
    labels : mapping of str to str, optional
        What a node is called; by default its name with spaces for underscores.

    Returns
    -------
    Figure

    Examples
    --------
    >>> causal_graph({"age": "observed", "visit": "observed", "interest": "latent"},
    ...              [("age", "interest"), ("interest", "visit")], title="Graph").alt
    'Graph. age causes interest; interest (hidden) causes visit.'
    """
    if not nodes:
        raise PlotError("causal_graph: there is no node to draw")
    kinds = ("observed", "latent", "knob")
    for name, kind in nodes.items():
        if kind not in kinds:
            raise PlotError(f"causal_graph: node {name!r} is {kind!r}; use {', '.join(kinds)}")
    labels = {name: str(name).replace("_", " ") for name in nodes} | dict(labels or {})
    shown = list(nodes)
    drawn = _projected(edges, shown)
    place, stations = _places(shown, drawn)
    layers = 1 + max(x for x, _ in place.values())
    tallest = max(sum(p[0] == i for p in place.values()) for i in range(int(layers)))
    figure, axes = canvas(7.5, max(2.6, 1.2 + 0.62 * tallest))
    axes.set_axis_off()
    axes.set_xlim(-0.55, layers - 0.45)
    axes.set_ylim(-0.02, 1.02)
    boxes = {}
    for name, kind in nodes.items():
        x, y = place[name]
        face = {"observed": "#E8F1F8", "latent": "#FFFFFF", "knob": "#F4F0E2"}[kind]
        edge = {"observed": PALETTE[0], "latent": PALETTE[1], "knob": PALETTE[4]}[kind]
        boxes[name] = axes.text(
            x,
            1 - y,
            _wrapped(labels[name]),
            ha="center",
            va="center",
            fontsize=8.5,
            zorder=3,
            linespacing=1.05,
            bbox={
                "boxstyle": "round,pad=0.35"
                if kind != "latent"
                else "round,pad=0.35,rounding_size=0.9",
                "facecolor": face,
                "edgecolor": edge,
                "linestyle": {"observed": "-", "latent": "--", "knob": ":"}[kind],
                "linewidth": 1.4,
            },
        )
    for chain in stations.values():
        for left, right in pairwise(chain):
            ends = {"patchA": boxes.get(left), "patchB": boxes.get(right)}
            axes.annotate(
                "",
                xy=(place[right][0], 1 - place[right][1]),
                xytext=(place[left][0], 1 - place[left][1]),
                arrowprops={
                    "arrowstyle": "-|>" if right in boxes else "-",
                    "color": MUTED,
                    "linewidth": 0.9,
                    "shrinkA": 2 if left in boxes else 0,
                    "shrinkB": 2 if right in boxes else 0,
                    "mutation_scale": 9,
                    **{k: box.get_bbox_patch() for k, box in ends.items() if box is not None},
                },
                zorder=1,
            )
    axes.set_title(title)
    used = [kind for kind in kinds if kind in nodes.values()]
    if len(used) > 1:
        figure.legend(handles=_graph_key(used), loc="outside lower left", ncols=len(used))
    hidden = {n: labels[n] + (" (hidden)" if nodes[n] == "latent" else "") for n in shown}
    told = []
    for cause in sorted(shown, key=lambda n: (place[n][0], place[n][1])):
        effects = [labels[e] for c, e in drawn if c == cause]
        if effects:
            told.append(f"{hidden[cause]} causes {_listed(effects)}")
    return Figure(figure, f"{title}. {'; '.join(told) or 'No arrows'}.")


def _wrapped(text: str, width: int = 13) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, max(8, width))) or text


def _graph_key(kinds: Sequence[str]) -> list[Any]:
    from matplotlib.patches import Patch

    looks = {
        "observed": ("#E8F1F8", PALETTE[0], "-", "seen in the data"),
        "latent": ("#FFFFFF", PALETTE[1], "--", "hidden: only the truth knows it"),
        "knob": ("#F4F0E2", PALETTE[4], ":", "a knob of the world"),
    }
    return [
        Patch(facecolor=face, edgecolor=edge, linestyle=line, linewidth=1.4, label=label)
        for face, edge, line, label in (looks[kind] for kind in kinds)
    ]


# -------------------------------------------------------------------------- scorecard

_ROW = 0.43  # inches a measure: a line of text over a line with its mark


_SHARE_POINTS = "difference of shares"


def _is_share(unit: str) -> bool:
    return unit == "share" or unit.startswith("share ")


def _measured(unit: str, *, sign: bool = False) -> Callable[[float], str]:
    """Return how a scorecard's numbers of a unit are written."""
    plus = "+" if sign else ""

    def say(x: float) -> str:
        if _is_share(unit) or unit == _SHARE_POINTS:
            digits = 1 if abs(x) >= 0.0095 or x == 0 else 2
            text = f"{100 * x:{plus}.{digits}f}"
            ending = " points" if unit == _SHARE_POINTS else " %"
        else:
            whole = x == round(x) and abs(x) < 1e15
            text = f"{x:{plus},.0f}" if whole or abs(x) >= 1000 else f"{x:{plus},.3g}"
            ending = ""
        return (text if text.strip("+-0.,") else text.lstrip("+-")) + ending

    return say


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
    figure = MplFigure(figsize=(width, inches), dpi=_DPI)
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


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    short = text[: most - 2]
    word = short.rpartition(" ")[0] if text[most - 2] != " " else short
    return (word if len(word) > most // 2 else short).rstrip(" ,") + " \u2026"


def _unit_beside(name: str, unit: str) -> str:
    """Return the unit to write after a name, where neither name nor number says it."""
    if _is_share(unit) or unit == _SHARE_POINTS:
        return ""
    return "" if set(unit.lower().split()) <= set(name.lower().split()) else f", {unit}"


def _line(axis: Axes, y: float, name: str, shown: str, **looks: Any) -> None:
    # a long name gives way to the number beside it
    room = max(12, 57 - len(shown))
    size = min(9.0, max(8.0, 9.0 * room / len(name)))
    most = int(room * 9.0 / size)
    name = _cut(name, most)
    axis.text(0, y + 0.24, name, ha="left", va="bottom", fontsize=size)
    axis.text(1, y + 0.24, shown, ha="right", va="bottom", fontsize=9, **looks)


def _columns(part: pd.DataFrame, names: Sequence[str]) -> list[Any]:
    return [part[name].to_numpy(float) for name in names]


@_styled
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
    _need(table, (*needed, "threshold", "needs"), "scorecard")
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
            y, say = -float(i), _measured(unit)
            label = name.replace("_", " ")
            arrow = {"higher": " \u2191", "lower": " \u2193"}.get(direction, "")
            shown_unit = _unit_beside(label, unit)
            if not np.isfinite(value):
                short = _cut(needs, max(16, 55 - len(label)))
                _line(axis, y, label, short, color=MUTED, style="italic")
                axis.plot([0, 1], [y, y], ":", color=MUTED, linewidth=1)
                missing.append(f"{dimension} {label} ({needs})")
                continue
            known = [x for x in (value, low, high, truth, bound) if np.isfinite(x)]
            left, right = min(0.0, *known), max(0.0, *known)
            if _is_share(unit) and left >= 0 and 0.25 < right <= 1:
                right = 1.0
            span = (right - left) or 1.0

            def at(x: float, left: float = left, span: float = span) -> float:
                return (x - left) / span

            kind = _status(value, low, high, bound, direction)
            marker, colour = _STATUS[kind]
            _line(axis, y, f"{label}{arrow}{shown_unit}", _bounded(say, value, low, high))
            axis.plot([0, 1], [y, y], "-", color=_GRID, linewidth=1, zorder=1)
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
                    at(truth), y, "x", color=_TRUTH, markersize=7, markeredgewidth=1.6, zorder=4
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
            Line2D([], [], linestyle="", marker="x", color=_TRUTH, label="truth in this world")
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


@_styled
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
    _need(table, (*needed, "needs"), "scorecard_difference")
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
                short = _cut(needs, max(16, 55 - len(label)))
                _line(axis, y, label, short, color=MUTED, style="italic")
                said.append(f"{label}: {needs}")
                continue
            say = _measured(_SHARE_POINTS if _is_share(unit) else unit, sign=True)
            marker, colour = _READ.get(reading, _READ[""])
            shown = _bounded(say, value, low, high)
            shown_unit = _unit_beside(label, unit)
            _line(axis, y, f"{label}{shown_unit}", shown)
            largest = max(abs(x) for x in (value, low, high) if np.isfinite(x)) or 1.0
            turn = (-0.48 if direction == "lower" else 0.48) / largest
            axis.plot([0, 1], [y, y], "-", color=_GRID, linewidth=1, zorder=0.9)
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
