"""Foreign text made safe to print: one line, no control characters, no markup of its own."""

from __future__ import annotations

import html
import re

__all__ = ["clean", "markdown_cell"]


def clean(text: object, most: int | None = None) -> str:
    """Return the text on one line, cut to ``most`` characters where that is given."""
    # control characters and line ends could fake a heading or a sentence of ours
    flat = str(text)
    if not flat.isprintable():
        flat = "".join(c if c.isprintable() else " " for c in flat)
    flat = " ".join(flat.split())
    return flat if most is None or len(flat) <= most else flat[: most - 1] + "…"


def markdown_cell(text: object, also: str = "") -> str:
    """Return the text for a cell of a Markdown table, its markup and that in ``also`` escaped."""
    return re.sub(
        rf"([{re.escape(chr(92) + '|*_`[]' + also)}])", r"\\\1", html.escape(clean(text), False)
    )
