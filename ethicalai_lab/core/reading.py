"""The block "How this table was read": the same words on a screen and on a page."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from ethicalai_lab.errors import printable

__all__ = ["READING", "reading_html", "reading_text"]

READING = "How this table was read"


def reading_text(sentences: Iterable[str]) -> str:
    """Return the block as lines of text; empty where everything was read as written.

    Parameters
    ----------
    sentences : iterable of str
        From :func:`ethicalai_lab.tables.how_read`.

    Returns
    -------
    str

    Examples
    --------
    >>> print(reading_text(['column "visit" (outcome): yes counts as 1; no as 0.']))
    How this table was read
    - column "visit" (outcome): yes counts as 1; no as 0.
    """
    shown = [f"- {printable(sentence)}" for sentence in sentences]
    return "\n".join([READING, *shown]) if shown else ""


def reading_html(sentences: Iterable[str]) -> str:
    r"""Return the block as HTML; empty where everything was read as written.

    Parameters
    ----------
    sentences : iterable of str

    Returns
    -------
    str

    Examples
    --------
    >>> reading_html(["a < b."])
    '<h2>How this table was read</h2>\n<ul>\n<li>a &lt; b.</li>\n</ul>'
    """
    shown = "\n".join(f"<li>{escape(printable(sentence))}</li>" for sentence in sentences)
    return f"<h2>{READING}</h2>\n<ul>\n{shown}\n</ul>" if shown else ""
