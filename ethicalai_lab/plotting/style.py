"""One style for every figure, and a text alternative with each.

The palette keeps its steps apart for the common forms of colour blindness and against white
paper.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import html
import io
from collections.abc import Callable, Iterator, Sequence
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
    "DPI",
    "FIRST",
    "GRID",
    "HATCHES",
    "INK",
    "LINES",
    "MARKERS",
    "MUTED",
    "PALETTE",
    "TRUTH",
    "Figure",
    "PlotError",
    "axis_format",
    "canvas",
    "cut",
    "is_share",
    "listed",
    "measured",
    "need",
    "number_format",
    "style",
    "styled",
    "wrapped",
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
GRID = "#DDDDDD"
FIRST, TRUTH = PALETTE[0], "#000000"

DPI = 160
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
    "grid.color": GRID,
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

SHARE_POINTS = "difference of shares"


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


def styled(function: Callable[..., Figure]) -> Callable[..., Figure]:
    """Let a function draw in the lab's style."""

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
        figure = MplFigure(figsize=(width, height), dpi=DPI, layout="constrained")
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


def number_format(kind: str, values: Any = ()) -> Callable[[float], str]:
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


def axis_format(kind: str) -> Any:
    """Return a formatter for an axis of that kind."""
    from matplotlib.ticker import FuncFormatter

    def written(x: float, _: Any) -> str:
        if kind in ("share", "points"):
            return f"{100 * x:g} %" if kind == "share" else f"{round(100 * x, 6):+g}"
        return f"{x:,.10g}"

    return FuncFormatter(lambda x, p: written(0.0 if abs(x) < 1e-12 else x, p).replace("+0", "0"))


def listed(parts: Sequence[str]) -> str:
    """Join words as a sentence does: "a, b and c"."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def need(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    """Refuse a table that lacks a column or has no rows."""
    missing = [column for column in columns if column not in getattr(table, "columns", ())]
    if missing:
        raise PlotError(f"{name}: column {missing[0]!r} is missing; it needs {', '.join(columns)}")
    if not len(table):
        raise PlotError(f"{name} has no rows")


def is_share(unit: str) -> bool:
    """Whether a unit is a share, shown in percent."""
    return unit == "share" or unit.startswith("share ")


def measured(unit: str, *, sign: bool = False) -> Callable[[float], str]:
    """Return how a scorecard's numbers of a unit are written."""
    plus = "+" if sign else ""

    def say(x: float) -> str:
        if is_share(unit) or unit == SHARE_POINTS:
            digits = 1 if abs(x) >= 0.0095 or x == 0 else 2
            text = f"{100 * x:{plus}.{digits}f}"
            ending = " points" if unit == SHARE_POINTS else " %"
        else:
            whole = x == round(x) and abs(x) < 1e15
            text = f"{x:{plus},.0f}" if whole or abs(x) >= 1000 else f"{x:{plus},.3g}"
            ending = ""
        return (text if text.strip("+-0.,") else text.lstrip("+-")) + ending

    return say


def wrapped(text: str, width: int = 13) -> str:
    """Break a label into lines."""
    import textwrap

    return "\n".join(textwrap.wrap(text, max(8, width))) or text


def cut(text: str, most: int) -> str:
    """Shorten a text that is too long."""
    if len(text) <= most:
        return text
    short = text[: most - 2]
    word = short.rpartition(" ")[0] if text[most - 2] != " " else short
    return (word if len(word) > most // 2 else short).rstrip(" ,") + " \u2026"
