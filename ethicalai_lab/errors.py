"""Errors that say what is wrong and what would be accepted.

Ground floor: every room may import this module, and it imports nothing of ours.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

__all__ = ["InputError", "LabError", "did_you_mean", "printable", "shown"]

# what a terminal obeys or hides instead of showing: control characters but the line's end,
# marks that turn the direction of writing, and halves of a surrogate pair
_UNSEEN = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ufff9-\ufffb\ud800-\udfff]"
)


def printable(text: object) -> str:
    r"""Return a text whose control characters are written out instead of obeyed.

    Parameters
    ----------
    text : object
        What comes from a file or a person.

    Returns
    -------
    str
        With codes such as ``\x1b`` for what cannot be seen; line ends are kept.

    Examples
    --------
    >>> printable("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return _UNSEEN.sub(lambda found: _code(found[0]), str(text))


def shown(value: object, most: int = 60) -> str:
    r"""Return a value from a file as a message may show it: on one line, not too long.

    Parameters
    ----------
    value : object
        A cell, or the name of a column.
    most : int
        How many characters are shown before "...".

    Returns
    -------
    str

    Examples
    --------
    >>> shown("a\nb"), shown("x" * 100, 10)
    ('a\\nb', 'xxxxxxxxxx...')
    """
    text = str(value)
    return printable(text[:most]).replace("\n", "\\n") + ("..." if len(text) > most else "")


def did_you_mean(word: object, choices: Iterable[object]) -> str:
    """Return `` Did you mean "x"?`` for a near miss, else an empty text.

    Parameters
    ----------
    word : object
        What was written.
    choices : iterable
        What would be accepted.

    Examples
    --------
    >>> did_you_mean("tratment", ["treatment", "outcome"])
    ' Did you mean "treatment"?'
    >>> did_you_mean("zzz", ["treatment", "outcome"])
    ''
    """
    names = [str(choice) for choice in choices]
    folded = {}
    for name in names:
        folded.setdefault(name.strip().casefold().replace("-", "_").replace(" ", "_"), name)
    wanted = str(word)[:200].strip().casefold().replace("-", "_").replace(" ", "_")
    close = difflib.get_close_matches(wanted, folded, n=1, cutoff=0.6)
    return f' Did you mean "{folded[close[0]]}"?' if close else ""


def _code(character: str) -> str:
    named = {"\t": "\\t", "\r": "\\r"}.get(character)
    number = ord(character)
    # beyond ASCII in the form that JSON knows, too
    return named or (f"\\x{number:02x}" if number < 0x20 else f"\\u{number:04x}")


class LabError(Exception):
    """Base of every error that the lab raises on purpose."""


class InputError(LabError, ValueError):
    """Bad input, in one sentence.

    The message names the column, row, field or line at fault and what would be
    accepted. Control characters in it, as a file may hold them, are written out.
    Rooms derive their own class from this one where a caller may want to catch
    just theirs.

    Examples
    --------
    >>> from ethicalai_lab.errors import InputError
    >>> issubclass(InputError, ValueError)
    True
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*(printable(arg) if isinstance(arg, str) else arg for arg in args))
