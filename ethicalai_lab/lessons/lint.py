"""Hold a lesson to its form: template, words, lengths, tags, slides, text alternatives.

``python -m ethicalai_lab.lessons.lint notebooks/01*.ipynb`` prints one line a
fault and ends with 1 if there is any. `docs/authoring.md` says why each rule is there.
"""

from __future__ import annotations

import glob
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

__all__ = ["RULES", "Fault", "lint", "main"]

# ------------------------------------------------------------------ the form's figures

#: Sections in order, as H2 headings. A heading may go on after the words given, as in
#: "Story: an inbox on Monday". Other H2 sections may stand between them.
TEMPLATE = (
    "Who is affected",
    "What you will be able to do",
    "Minutes",
    "Story",
    "The harm",
    "The defence",
    "The bill",
    "Quiz",
    "Decide",
    "What this does not show",
    "Take-aways",
    "Sources",
)
TEMPLATE_00 = (
    "Who is affected",
    "What you will be able to do",
    "Minutes",
    "The world",
    "A first touch",
    "A first exercise",
    "Where to go next",
    "What this does not show",
    "Sources",
)
WORDS = (1200, 2200)
WORDS_00 = (500, 1200)
CODE_LINES = 150
CELL_LINES = 15
CELL_WORDS = 150
EXERCISES = (3, 5)
NOTEBOOK_BYTES = 1_500_000

TAGS = {
    "predict",
    "exercise",
    "quiz",
    "decide",
    "facilitator",
    "truth",
    "number-ok",
    "hide-input",
}
NUMBER_OK_AT_MOST = 2
SLIDES = {"slide", "subslide", "fragment", "skip", "notes", "-"}

# word or phrase that claims too much, and what to say instead
FORBIDDEN = {
    r"de-?bias(?:ed|es|ing)?": "mitigate bias, reduce the difference",
    r"unbiased (?:model|algorithm|data|decision)s?": "say which difference was measured",
    r"bias-free": "say which difference was measured",
    r"(?:fully|completely|truly|perfectly) anonym\w+": "say which attack fails, at which k or t",
    r"(?<!not )(?<!non-)(?:is|are|be|being|fully|gdpr[- ]) ?compliant": "say which duty was checked",
    r"(?:solve|solves|solved|solving|eliminate|eliminates|remove|removes) (?:the )?(?:bias|"
    r"unfairness|discrimination|privacy)": "reduce, mitigate, assess",
    r"(?:guarantee|guarantees|guaranteed|ensure|ensures|ensured) (?:fairness|privacy|anonymity)": "say what was tested and what came out",
    r"perfectly (?:fair|private|safe)": "say what was tested and what came out",
    r"(?:obviously|simply|just|of course|trivial(?:ly)?),? (?:run|call|compute|do|use|note)": "leave the word out: it is not simple to everybody",
    r"lorem ipsum|to ?do:|fixme|tbd\b": "finish it or take it out",
}


@dataclass(frozen=True)
class Fault:
    """One fault: where, which rule, and what to do."""

    where: str
    rule: str
    says: str

    def __str__(self) -> str:
        return f"{self.where}: {self.rule}: {self.says}"


@dataclass(frozen=True)
class _Lesson:
    """A notebook, read for linting."""

    path: Path
    cells: list[dict[str, Any]]
    metadata: dict[str, Any]
    size: int

    @property
    def number(self) -> str:
        return self.path.name[:2]

    @property
    def is_first(self) -> bool:
        return self.number == "00"

    def where(self, i: int) -> str:
        return f"{self.path.name}, cell {i + 1}"

    def markdown(self) -> Iterator[tuple[int, dict[str, Any], str]]:
        for i, cell in enumerate(self.cells):
            if cell["cell_type"] == "markdown":
                yield i, cell, _source(cell)

    def code(self) -> Iterator[tuple[int, dict[str, Any], str]]:
        for i, cell in enumerate(self.cells):
            if cell["cell_type"] == "code":
                yield i, cell, _source(cell)

    def headings(self) -> list[tuple[int, int, str]]:
        """Return cell, level and text of each heading."""
        found = []
        for i, _, source in self.markdown():
            for line in _without_fences(source).splitlines():
                match = re.match(r"(#{1,6})\s+(.*?)\s*#*\s*$", line)
                if match:
                    found.append((i, len(match.group(1)), match.group(2)))
        return found


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _tags(cell: dict[str, Any]) -> list[str]:
    tags = cell.get("metadata", {}).get("tags", [])
    return tags if isinstance(tags, list) else []


def _without_fences(text: str) -> str:
    return re.sub(r"^(```|~~~).*?^\1[^\n]*$", "", text, flags=re.M | re.S)


def _prose(text: str) -> str:
    """Return the words a reader reads: no code, addresses, comments or markup."""
    text = _without_fences(text)
    text = re.sub(r"<!--.*?-->", " ", text, flags=re.S)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", " ", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"`[^`]*`", " ", text)
    text = re.sub(r"<[^>]+>", " ", text)
    text = re.sub(r"https?://\S+", " ", text)
    return re.sub(r"[#*_>|]+", " ", text)


def _words(text: str) -> int:
    return len(re.findall(r"[A-Za-zÀ-ÿ0-9][\w'’-]*", _prose(text)))


def _is_notes(cell: dict[str, Any]) -> bool:
    return "facilitator" in _tags(cell)


# ------------------------------------------------------------------------------ rules


def rule_title(lesson: _Lesson) -> Iterator[Fault]:
    """One H1, in the first cell, and nothing above it."""
    heads = lesson.headings()
    firsts = [(i, text) for i, level, text in heads if level == 1]
    if len(firsts) != 1:
        yield Fault(lesson.path.name, "title", f"{len(firsts)} H1 headings; one is needed")
    elif firsts[0][0] != 0 or not _source(lesson.cells[0]).lstrip().startswith("# "):
        yield Fault(lesson.where(firsts[0][0]), "title", "the H1 must open the first cell")


def rule_heading_order(lesson: _Lesson) -> Iterator[Fault]:
    """No level is left out on the way down."""
    before = 0
    for i, level, text in lesson.headings():
        if level > before + 1:
            yield Fault(lesson.where(i), "heading order", f"H{level} '{text}' after H{before}")
        before = level


def rule_template(lesson: _Lesson) -> Iterator[Fault]:
    """Hold the sections of the template, each once and in order; more may stand between."""
    wanted = TEMPLATE_00 if lesson.is_first else TEMPLATE
    found = [text for _, level, text in lesson.headings() if level == 2]
    places = []
    for section in wanted:
        at = [
            i
            for i, text in enumerate(found)
            if re.match(re.escape(section) + r"(?:\W|$)", text, flags=re.I)
        ]
        if len(at) != 1:
            yield Fault(lesson.path.name, "template", f"section '{section}': {len(at)} times")
        places += at[:1]
    if places != sorted(places):
        order = ", ".join(found[i] for i in places)
        yield Fault(lesson.path.name, "template", f"sections out of order: {order}")


def rule_words(lesson: _Lesson) -> Iterator[Fault]:
    """Neither too short nor too long."""
    low, high = WORDS_00 if lesson.is_first else WORDS
    count = sum(_words(source) for _, cell, source in lesson.markdown() if not _is_notes(cell))
    if not low <= count <= high:
        yield Fault(lesson.path.name, "words", f"{count} words; {low} to {high} are wanted")


def rule_cell_words(lesson: _Lesson) -> Iterator[Fault]:
    """No wall of text."""
    for i, _, source in lesson.markdown():
        count = _words(source)
        if count > CELL_WORDS:
            yield Fault(lesson.where(i), "cell words", f"{count} words; at most {CELL_WORDS}")


def _lines(source: str) -> int:
    return sum(bool(line.strip()) for line in source.splitlines())


def rule_code_lines(lesson: _Lesson) -> Iterator[Fault]:
    """Code that can be read: short cells, and not too many of them."""
    total = 0
    for i, cell, source in lesson.code():
        count = _lines(source)
        if count > CELL_LINES:
            yield Fault(lesson.where(i), "code lines", f"{count} lines; at most {CELL_LINES}")
        if "hide-input" not in _tags(cell):
            total += count
    if total > CODE_LINES:
        yield Fault(lesson.path.name, "code lines", f"{total} lines in all; at most {CODE_LINES}")


def rule_forbidden_words(lesson: _Lesson) -> Iterator[Fault]:
    """No word that claims too much; quotations in “ ” are free."""
    for i, _, source in lesson.markdown():
        text = re.sub(r"[“\"][^”\"]*[”\"]", " ", _prose(source))
        for pattern, instead in FORBIDDEN.items():
            for match in re.finditer(rf"\b(?:{pattern})", text, flags=re.I):
                word = " ".join(match.group().split())
                yield Fault(lesson.where(i), "forbidden words", f"'{word}'; {instead}")


def rule_tags(lesson: _Lesson) -> Iterator[Fault]:
    """Known tags on the right kind of cell, and each kind of cell where the template asks."""
    counts = dict.fromkeys(TAGS, 0)
    for i, cell in enumerate(lesson.cells):
        for tag in _tags(cell):
            if tag not in TAGS:
                yield Fault(lesson.where(i), "tags", f"unknown tag '{tag}'")
                continue
            counts[tag] += 1
            markdown_only = tag in ("facilitator", "number-ok")
            if markdown_only and cell["cell_type"] != "markdown":
                yield Fault(lesson.where(i), "tags", f"'{tag}' belongs on a text cell")
            if tag in ("exercise", "truth", "hide-input") and cell["cell_type"] != "code":
                yield Fault(lesson.where(i), "tags", f"'{tag}' belongs on a code cell")
    if counts["number-ok"] > NUMBER_OK_AT_MOST:
        says = f"'number-ok' on {counts['number-ok']} cells; at most {NUMBER_OK_AT_MOST}"
        yield Fault(lesson.path.name, "tags", says)
    if not lesson.is_first:
        for tag in ("predict", "quiz", "decide", "facilitator"):
            if not counts[tag]:
                yield Fault(lesson.path.name, "tags", f"no cell is tagged '{tag}'")


def rule_exercises(lesson: _Lesson) -> Iterator[Fault]:
    """Exercises start untouched, are checked, and are as many as the form asks."""
    low, high = (1, 5) if lesson.is_first else EXERCISES
    found = 0
    for i, cell, source in lesson.code():
        checks = re.findall(r"\bex\.q\d\.check\(", source)
        if "exercise" in _tags(cell):
            found += 1
            if len(checks) != 1:
                yield Fault(lesson.where(i), "exercises", "needs exactly one `ex.qN.check(`")
            if "..." not in source:
                yield Fault(lesson.where(i), "exercises", "the answer must start as `...`")
        elif checks:
            yield Fault(lesson.where(i), "exercises", "checks an answer without tag 'exercise'")
    if not low <= found <= high:
        yield Fault(lesson.path.name, "exercises", f"{found}; {low} to {high} are wanted")


def rule_truth(lesson: _Lesson) -> Iterator[Fault]:
    """Open the world's truth only in cells that say so."""
    for i, cell, source in lesson.code():
        if re.search(r"\.truth\b", source) and "truth" not in _tags(cell):
            yield Fault(lesson.where(i), "truth", "opens `.truth` without tag 'truth'")


def rule_slides(lesson: _Lesson) -> Iterator[Fault]:
    """Each cell says what it is in a slide show; notes for facilitators are notes."""
    for i, cell in enumerate(lesson.cells):
        kind = cell.get("metadata", {}).get("slideshow", {}).get("slide_type")
        if kind not in SLIDES:
            yield Fault(lesson.where(i), "slides", f"slide_type is {kind!r}; use {sorted(SLIDES)}")
        elif _is_notes(cell) and kind != "notes":
            yield Fault(lesson.where(i), "slides", "a facilitator's note has slide_type 'notes'")


class _Images(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str]] = []
        self.headers = 0
        self.tables = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.found.append({name: value or "" for name, value in attrs})
        self.headers += tag == "th"
        self.tables += tag == "table"


def _html_outputs(cell: dict[str, Any]) -> Iterator[str]:
    for output in cell.get("outputs", []):
        text = output.get("data", {}).get("text/html")
        if text is not None:
            yield text if isinstance(text, str) else "".join(text)


def rule_alt_text(lesson: _Lesson) -> Iterator[Fault]:
    """Each image says in words what it shows; none comes from elsewhere."""
    for i, cell in enumerate(lesson.cells):
        images: list[tuple[str, str]] = []
        texts = [_source(cell)] if cell["cell_type"] == "markdown" else list(_html_outputs(cell))
        for text in texts:
            if cell["cell_type"] == "markdown":
                images += re.findall(r"!\[([^\]]*)\]\(([^)\s]*)", _without_fences(text))
            parser = _Images()
            parser.feed(text)
            images += [(image.get("alt", ""), image.get("src", "")) for image in parser.found]
        for alt, address in images:
            if len(alt.split()) < 4:
                yield Fault(lesson.where(i), "alt text", f"an image's alt text is '{alt}'")
            if re.match(r"(?:https?:)?//", address):
                yield Fault(lesson.where(i), "alt text", f"an image from elsewhere: {address}")
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data and "text/html" not in data:
                says = "a bare picture has no alt text: return a plotting.Figure"
                yield Fault(lesson.where(i), "alt text", says)


def rule_table_headers(lesson: _Lesson) -> Iterator[Fault]:
    """Each table in an output has header cells."""
    for i, cell in enumerate(lesson.cells):
        for text in _html_outputs(cell):
            parser = _Images()
            parser.feed(text)
            if parser.tables and not parser.headers:
                yield Fault(lesson.where(i), "table headers", "a table without header cells")


_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
#: What may stand in prose as a typed number. Anything else comes from a cell.
_NUMBERS_ALLOWED = (
    r"\b\d{4}/\d+\b",  # numbers of legal acts
    rf"\d{{1,2}} (?:{_MONTHS})(?: \d{{4}})?",  # dates
    rf"(?:{_MONTHS}) (?:\d{{1,2}}, )?\d{{4}}",
    r"\b(?:19|20)\d\d(?:-\d\d(?:-\d\d)?)?\b",  # years and ISO dates
    r"\b(?:lessons?|exercises?|cells?|steps?|sections?|chapters?|figures?|parts?|questions?|q)\s*"
    r"\d{1,2}(?:\s*(?:,|to|and|or|–|-)\s*\d{1,2})*",
    r"\b(?:articles?|arts?\.|recitals?|section|§)\s*\d+(?:\(\d+\))*(?:\(\w\))*"
    r"(?:\s*(?:,|to|and|or|–|-)\s*\d+(?:\(\d+\))*)*",
    r"\b\d{1,3} (?:minutes?|min\b)",
    r"\b[0-9]\b(?![.,]?\d|\s*(?:%|percent|points?|times|euros?|dollars?|customers?|people))",
    r"\b95 % intervals?\b",  # the convention, not a result
    r"\b\w*[A-Za-z]\w*\d\w*\b|\b\d+[A-Za-z]\w*\b",  # names such as RFC6962, 2D, TCF2
    r"\b(?:RFC|ISO|CC BY|BSD|Python|version)[ -]?\d+(?:[.-]\d+)*",
    r"^\s*\d{1,2}\.\s",  # list numbers
)


def _typed_numbers(text: str) -> list[str]:
    text = re.sub(r"^\|.*\|\s*$", lambda m: m.group().replace("|", " | "), text, flags=re.M)
    text = _prose(text)
    for pattern in _NUMBERS_ALLOWED:
        text = re.sub(pattern, " ", text, flags=re.M | re.I)
    return re.findall(r"\d[\d.,]*(?:\s?%)?", text)


def rule_typed_numbers(lesson: _Lesson) -> Iterator[Fault]:
    """Compute each figure in prose by a cell: typed ones go stale.

    Free are years and dates, single digits that count no thing measured, numbers of
    lessons, articles and minutes, and the section *Sources*. A cell tagged
    ``number-ok`` is free too; there are at most two of them.
    """
    section = ""
    for i, cell, source in lesson.markdown():
        for line in _without_fences(source).splitlines():
            if line.startswith("## "):
                section = line[3:].strip()
            if section.lower().startswith(("sources", "minutes")) or "number-ok" in _tags(cell):
                continue
            for number in _typed_numbers(line):
                says = f"'{number}' is typed; show it from a cell"
                yield Fault(lesson.where(i), "typed numbers", says)


def rule_outputs(lesson: _Lesson) -> Iterator[Fault]:
    """Each code cell was run, in order, without an error, and nothing random is kept."""
    expected = 1
    for i, cell, source in lesson.code():
        if not source.strip():
            yield Fault(lesson.where(i), "outputs", "an empty code cell")
            continue
        if cell.get("execution_count") != expected:
            count = cell.get("execution_count")
            says = f"execution count {count}; {expected} in a fresh run from the top"
            yield Fault(lesson.where(i), "outputs", says)
        expected += 1
        for output in cell.get("outputs", []):
            if output.get("output_type") == "error":
                yield Fault(lesson.where(i), "outputs", f"an error: {output.get('ename')}")
            if output.get("output_type") == "stream" and output.get("name") == "stderr":
                yield Fault(lesson.where(i), "outputs", "text on standard error")
            data = output.get("data", {})
            if "application/vnd.jupyter.widget-view+json" in data:
                says = "a widget's random identifier is saved; run `lab.py refresh`"
                yield Fault(lesson.where(i), "outputs", says)
            if set(data) == {"text/plain"} and " object at 0x" in "".join(data["text/plain"]):
                yield Fault(lesson.where(i), "outputs", "shows a memory address")
    if not any(cell.get("outputs") for _, cell, _ in lesson.code()):
        yield Fault(lesson.path.name, "outputs", "no output is saved")
    if "widgets" in lesson.metadata:
        yield Fault(lesson.path.name, "outputs", "widget state is saved; run `lab.py refresh`")


def rule_ids(lesson: _Lesson) -> Iterator[Fault]:
    """Cells have stable ids that say what they are."""
    seen: set[str] = set()
    for i, cell in enumerate(lesson.cells):
        name = cell.get("id", "")
        if not re.fullmatch(r"[a-z][a-z0-9-]{1,40}", name) or re.fullmatch(r"[0-9a-f]{8}", name):
            yield Fault(lesson.where(i), "ids", f"id {name!r}; use words, such as 'story-1'")
        if name in seen:
            yield Fault(lesson.where(i), "ids", f"id {name!r} twice")
        seen.add(name)


def rule_metadata(lesson: _Lesson) -> Iterator[Fault]:
    """Name a kernel that every reader has, and no one's machine."""
    kernel = lesson.metadata.get("kernelspec", {}).get("name")
    if kernel != "python3":
        yield Fault(lesson.path.name, "metadata", f"kernel is {kernel!r}; use 'python3'")
    extra = set(lesson.metadata) - {"kernelspec", "language_info", "title"}
    if extra - {"widgets"}:
        yield Fault(lesson.path.name, "metadata", f"unknown entries: {sorted(extra)}")
    if "version" in lesson.metadata.get("language_info", {}):
        yield Fault(lesson.path.name, "metadata", "language_info names a Python version")


def rule_links(lesson: _Lesson) -> Iterator[Fault]:
    """Links say where they lead, and local ones lead somewhere."""
    for i, _, source in lesson.markdown():
        for text, address in re.findall(
            r"(?<!!)\[([^\]]*)\]\(([^)\s]+)[^)]*\)", _without_fences(source)
        ):
            if text.strip().lower() in ("here", "this", "link", "click here", ""):
                yield Fault(lesson.where(i), "links", f"the link text is '{text}'")
            if not re.match(r"[a-z]+:|#", address):
                target = lesson.path.parent / address.split("#")[0]
                if not target.exists():
                    yield Fault(lesson.where(i), "links", f"{address} does not exist")


def rule_size(lesson: _Lesson) -> Iterator[Fault]:
    """Stay light enough for a review and a slow line."""
    if lesson.size > NOTEBOOK_BYTES:
        says = f"{lesson.size:,} bytes; at most {NOTEBOOK_BYTES:,}"
        yield Fault(lesson.path.name, "size", says)


def rule_no_skips(lesson: _Lesson) -> Iterator[Fault]:
    """No cell leaves the notebook's own test."""
    for i, cell, source in lesson.code():
        marks = re.findall(r"(?:NBVAL_\w+|PYTEST_VALIDATE_IGNORE_OUTPUT)", source)
        marks += [t for t in _tags(cell) if t.startswith(("nbval", "raises-exception"))]
        for mark in marks:
            yield Fault(lesson.where(i), "no skips", f"'{mark}' takes the cell out of the test")


RULES: dict[str, Callable[[_Lesson], Iterator[Fault]]] = {
    name.removeprefix("rule_").replace("_", " "): rule
    for name, rule in list(globals().items())
    if name.startswith("rule_")
}


def lint(path: str | Path) -> list[Fault]:
    """Return the faults of one notebook, in the order of the rules.

    Parameters
    ----------
    path : path-like
        The notebook.

    Returns
    -------
    list of Fault
        Empty when the lesson keeps the form.

    Examples
    --------
    >>> str(Fault("01_x.ipynb, cell 2", "links", "the link text is 'here'"))
    "01_x.ipynb, cell 2: links: the link text is 'here'"
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
        notebook = json.loads(raw.decode("utf-8"))
        cells, metadata = notebook["cells"], notebook["metadata"]
    except OSError as error:
        return [Fault(path.name, "file", f"cannot be read: {error.strerror}")]
    except (ValueError, KeyError, TypeError):
        return [Fault(path.name, "file", "is no notebook")]
    lesson = _Lesson(path, cells, metadata, len(raw))
    if not cells:
        return [Fault(path.name, "file", "has no cells")]
    return [fault for rule in RULES.values() for fault in rule(lesson)]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the faults of the notebooks named; return 1 if there is any."""
    names = list(sys.argv[1:] if argv is None else argv)
    paths = [p for name in names for p in sorted(glob.glob(name)) or [name]]
    if not paths:
        print("usage: python -m ethicalai_lab.lessons.lint NOTEBOOK ...")
        return 2
    faults = [fault for path in paths for fault in lint(path)]
    for fault in faults:
        print(fault)
    print(f"{len(faults)} faults in {len(paths)} lessons" if faults else "no faults")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
