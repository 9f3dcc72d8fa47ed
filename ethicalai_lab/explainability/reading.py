"""How easily a text reads: Flesch's reading ease for English."""

from __future__ import annotations

import re
from functools import lru_cache

from ethicalai_lab.explainability.errors import ExplanationError

__all__ = ["count_syllables", "reading_ease"]

_WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ0-9]+(?:['’.,][A-Za-zÀ-ÖØ-öø-ÿ0-9]+)*")
# a full stop inside a number or an address ends nothing: it is not followed by a space
_END = re.compile(r"[.!?:;]+[\"'”’)\]]*(?=\s|$)|\n+")
_VOWELS = "aeiouyàáâãäåæèéêëìíîïòóôõöøùúûüýÿ"
_GROUP = re.compile(f"[{_VOWELS}]+")
# vowels that are spoken apart, as in "reliable", "video", "idea", "client" and "science"
_APART = re.compile(
    r"(?<![cgtsx])i(?:a|o(?!n))|(?<!p)eo(?!us)|(?<=[aeiou][^aeiou])ea$"
    r"|(?<![ct])ie(?=t|n[ct])|sci(?=e)|[ey]ing|(?<![gq])ua[lt]"
)
_KNOWN = {"business": 2, "businesses": 3, "every": 2, "society": 4}


def count_syllables(word: str) -> int:
    """Count the syllables of one English word, by a heuristic.

    Vowel groups are counted, a silent final *e*, *-es* or *-ed* is not. Digits
    count one each, and so does each letter of a short abbreviation in capitals. A
    silent *e* inside a compound, as in "beforehand", is counted though it is not heard.

    Parameters
    ----------
    word : str
        One word.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> [count_syllables(word) for word in ("mail", "table", "offered", "stopped", "AI")]
    [1, 2, 2, 1, 2]
    """
    return _counted(word)


@lru_cache(maxsize=4096)
def _counted(word: str) -> int:
    digits = sum(c.isdigit() for c in word)
    if digits:
        letters = re.sub(r"[\d.,'’]", "", word)
        return digits + (count_syllables(letters) if letters else 0)
    if word.isupper() and 2 <= len(word) <= 4:
        return sum(3 if c == "W" else 1 for c in word)
    text = re.sub(r"['’]s?$|['’.,]", "", word.lower())
    if text in _KNOWN:
        return _KNOWN[text]
    count = len(_GROUP.findall(text))
    if re.search(rf"[^{_VOWELS}]e$", text) and not re.search(rf"[^{_VOWELS}]le$", text):
        count -= 1  # "make", but not "table"
    elif re.search(rf"[^{_VOWELS}td]ed$", text) and not re.search(rf"[^{_VOWELS}]led$", text):
        count -= 1  # "stopped", but not "wanted"
    elif re.search(rf"[^{_VOWELS}sxzcg]es$", text) and not re.search(r"(?:sh|ch|[^l]l)es$", text):
        count -= 1  # "makes", but not "boxes"
    return max(count + len(_APART.findall(text)), 1)


def reading_ease(text: str) -> float:
    """Return Flesch's reading ease of an English text.

    ``206.835 - 1.015 * words per sentence - 84.6 * syllables per word``. Higher is
    easier: 60 to 70 is plain English, below 30 is very difficult. The formula sees
    the length of words and sentences only; a text that reads well may still be
    false, and only a test with readers shows whether people understand it.

    Parameters
    ----------
    text : str
        English text with at least one word. A new line ends a sentence, too.

    Returns
    -------
    float
        Usually 0 to 100; very short words and sentences give up to 121.22.

    Raises
    ------
    ExplanationError
        If there is no word in the text.

    References
    ----------
    Flesch, R. (1948). A new readability yardstick. *Journal of Applied
    Psychology*, 32(3), 221-233.

    Examples
    --------
    >>> round(reading_ease("The cat sat on the mat."), 3)
    116.145
    """
    if not isinstance(text, str):
        raise ExplanationError(f"text: expected a text, but it is {type(text).__name__}.")
    sentences = [words for part in _END.split(text) if (words := _WORD.findall(part))]
    words = [word for sentence in sentences for word in sentence]
    if not words:
        raise ExplanationError("text: there is no word in it, so it has no reading ease.")
    syllables = sum(map(count_syllables, words))
    return 206.835 - 1.015 * len(words) / len(sentences) - 84.6 * syllables / len(words)
