"""What the lab says back to a reader: a short card, readable everywhere.

A :class:`Feedback` shows as a styled card in JupyterLab (light and dark theme)
and as plain text anywhere else. It holds no identifier, time or machine detail,
so the same answer always gives the same bytes.
"""

from __future__ import annotations

import html
import re
import textwrap
from dataclasses import dataclass

__all__ = ["Feedback"]

# icon, heading word, then (background, text, edge) for the light and the dark theme.
# The word carries the meaning; icon and colour only repeat it.
KINDS: dict[str, tuple[str, str, tuple[str, str, str], tuple[str, str, str]]] = {
    "right": (
        "✔",
        "Right",
        ("#e9f5ee", "#12331f", "#1a7f4b"),
        ("#12301f", "#e3f6ea", "#4fc98a"),
    ),
    "wrong": (
        "✘",
        "Not yet",
        ("#fdf1e7", "#42230a", "#b35900"),
        ("#38230f", "#fdeedd", "#f0a35a"),
    ),
    "unreadable": (
        "?",
        "This answer has another form than asked",
        ("#fdf1e7", "#42230a", "#b35900"),
        ("#38230f", "#fdeedd", "#f0a35a"),
    ),
    "untouched": (
        "○",
        "Not answered yet",
        ("#eef2f7", "#1f2d3d", "#4a6078"),
        ("#1f2a36", "#e6edf5", "#93adc8"),
    ),
    "hint": (
        "➜",
        "Hint",
        ("#fff8db", "#3a2f00", "#8a6d00"),
        ("#332b08", "#fff3c4", "#e0bd3f"),
    ),
    "solution": (
        "≡",
        "One solution",
        ("#f3effa", "#2c1f47", "#6b4fa0"),
        ("#2a213d", "#efe8fb", "#b79be6"),
    ),
    "noted": (
        "✎",
        "Noted",
        ("#eef2f7", "#1f2d3d", "#4a6078"),
        ("#1f2a36", "#e6edf5", "#93adc8"),
    ),
}


def inline(text: str) -> str:
    """Escape `text`; text between backticks becomes code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # an odd number of backticks is no code span
        return html.escape(text)
    return "".join(
        f"<code>{html.escape(part)}</code>" if i % 2 else html.escape(part)
        for i, part in enumerate(parts)
    )


def _css(kind: str) -> str:
    _, _, light, dark = KINDS[kind]
    name = f".eal-{kind}"
    off = 'body[data-jp-theme-light="false"] '
    return (
        f"{name}{{background:{light[0]};color:{light[1]};border-left:.35em solid {light[2]};"
        "padding:.6em 1em;margin:.3em 0;max-width:46em;line-height:1.5}"
        # JupyterLab gives code a background of its own
        f"{name} p{{margin:.25em 0}}{name} code,{name} pre{{background:transparent!important;"
        "color:inherit!important;font-size:.95em}"
        f"{name} pre{{white-space:pre-wrap;margin:.4em 0;padding:0}}"
        f"{off}{name}{{background:{dark[0]};color:{dark[1]};border-left-color:{dark[2]}}}"
    )


@dataclass(frozen=True)
class Feedback:
    r"""One card of feedback.

    Parameters
    ----------
    kind : {"right", "wrong", "unreadable", "untouched", "hint", "solution", "noted"}
        What sort of message this is; sets icon, heading word and colour.
    message : str
        The text; blank lines part paragraphs, backticks mark code.
    code : str, default ""
        Code to show below the message.
    title : str, default ""
        Replaces the kind's own heading word.
    note : str, default ""
        A small last line, for example that progress could not be saved.
    mistake : str, default ""
        Identifier of the :class:`~ethicalai_lab.lessons.Mistake` recognised, if any.

    Examples
    --------
    >>> Feedback("right", "Mailing costs `0.5` a person.")
    [Right] Mailing costs `0.5` a person.
    >>> Feedback("wrong", "a < b")._repr_html_().count("&lt;")
    1
    """

    kind: str
    message: str
    code: str = ""
    title: str = ""
    note: str = ""
    mistake: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {self.kind!r}")

    @property
    def passed(self) -> bool:
        """Whether the answer was right."""
        return self.kind == "right"

    @property
    def heading(self) -> str:
        """The word that heads the card."""
        return self.title or KINDS[self.kind][1]

    def __repr__(self) -> str:
        blocks = re.split(r"\n\s*\n", self.message.strip())
        lines = [
            textwrap.fill(" ".join(block.split()), width=88, break_long_words=False)
            for block in [f"[{self.heading}] {blocks[0]}", *blocks[1:]]
        ]
        if self.code:
            lines.append(textwrap.indent(self.code.strip("\n"), "    "))
        if self.note:
            lines.append(f"({self.note})")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        icon = KINDS[self.kind][0]
        body = "".join(
            f"<p>{inline(' '.join(block.split()))}</p>"
            for block in re.split(r"\n\s*\n", self.message.strip())
            if block.strip()
        )
        if self.code:
            body += f"<pre><code>{html.escape(self.code.strip(chr(10)))}</code></pre>"
        if self.note:
            body += f"<p><em>{inline(self.note)}</em></p>"
        return (
            f"<style>{_css(self.kind)}</style>"
            f'<div class="eal-{self.kind}" role="status">'
            f'<p><strong><span aria-hidden="true">{icon}</span> '
            f"{html.escape(self.heading)}</strong></p>{body}</div>"
        )
