"""Reading small YAML files strictly, with the line of every value; writing single values.

A policy or a roles file comes from anyone, so the reader takes only what such a
file needs: mappings, lists and scalars. Tags, anchors, aliases, duplicate keys,
several documents, deep nesting and large files are refused. ruamel composes the
nodes, plain Python values are made of them here: nothing in a file can run code or
take more memory than the file is long.
"""

from __future__ import annotations

import errno
import functools
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from ethicalai_lab.errors import InputError

__all__ = ["Node", "Text", "line_of", "own_data", "parse", "read_text", "scalar", "to_data"]

MAX_BYTES = 256 * 1024
MAX_DEPTH = 12

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))")

_PLAIN = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_.,()/'%+-]|[ ](?=[A-Za-z0-9_(]))*\Z")
# words that some YAML reader takes for something other than a text
_RESERVED = re.compile(r"(?i:null|true|false|yes|no|on|off|y|n|nan|inf)\Z")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


@dataclass(frozen=True)
class Text:
    """The text of a file: without byte-order mark, line ends as they are."""

    name: str
    text: str
    bom: bool = False


@dataclass
class Node:
    """One YAML value with its place in the text.

    Attributes
    ----------
    kind : {"scalar", "list", "mapping"}
    value : object
        Typed scalar, list of Node, or dict of key to Node.
    line : int
        Line of the value, from 1.
    start, end : int
        Character offsets of the value; equal for a value left empty.
    flow : bool
        Written in braces or brackets.
    column : int
        Column of the value's first character, from 0.
    keys : dict of str to Node
        For a mapping: the node of each key.
    """

    kind: str
    value: Any
    line: int
    start: int
    end: int
    flow: bool = False
    column: int = 0
    keys: dict[str, Node] = field(default_factory=dict)


def read_text(
    path: str | Path, *, what: str, error: type[InputError] = InputError, most: int = MAX_BYTES
) -> Text:
    """Read a small UTF-8 text file.

    Parameters
    ----------
    path : path-like
        The file.
    what : str
        How messages call the file, such as "policy file".
    error : type
        The InputError subclass to raise.
    most : int, default 262_144
        Bytes that such a file may have.

    Returns
    -------
    Text

    Raises
    ------
    InputError
        If the file is missing, a folder, too large, empty or not UTF-8.
    """
    path = Path(path)
    name = str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except FileNotFoundError:
        raise error(f"{name}: there is no such {what}.") from None
    except IsADirectoryError:
        raise error(f"{name} is a folder; give the {what} itself.") from None
    except (OSError, ValueError) as problem:
        if getattr(problem, "errno", None) == errno.EACCES and path.is_dir():  # on Windows
            raise error(f"{name} is a folder; give the {what} itself.") from None
        reason = getattr(problem, "strerror", None) or problem
        raise error(f"{name}: the {what} cannot be read ({reason}).") from None
    if len(raw) > most:
        raise error(f"{name} is larger than {most // 1024:,} KiB, too large for a {what}.")
    bom = raw.startswith(b"\xef\xbb\xbf")
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise error(f"{name} is in UTF-16; save the {what} as UTF-8.")
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        raise error(
            f"{name}, line {line}: byte 0x{raw[problem.start]:02x} is not UTF-8; "
            f"save the {what} as UTF-8."
        ) from None
    return Text(name, text, bom)


def _composer(refuse: Callable[[Any, str], NoReturn]) -> type:
    """Return ruamel's composer, which refuses what could run code or grow beyond its file."""
    from ruamel.yaml.composer import Composer
    from ruamel.yaml.events import CollectionStartEvent

    class Strict(Composer):
        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            event = self.parser.peek_event()
            if event.anchor:
                refuse(
                    event.start_mark,
                    "anchors and aliases (& and *) are not accepted; write the value out, in "
                    "quotes if it starts with such a sign.",
                )
            if getattr(event, "ctag", None) is not None:
                refuse(
                    event.start_mark,
                    f"the tag {str(event.tag)[:80]} is not accepted; write a plain value, in "
                    "quotes if it starts with an exclamation mark.",
                )
            if self.depth >= MAX_DEPTH and isinstance(event, CollectionStartEvent):
                refuse(event.start_mark, f"nested deeper than {MAX_DEPTH} levels.")
            self.depth += 1
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

    return Strict


class _Places:
    """Makes nodes with their places of what ruamel composed."""

    def __init__(self, text: str, refuse: Callable[[Any, str], NoReturn]) -> None:
        self.text, self.refuse = text, refuse

    def node(self, found: Any) -> Node:
        start, end = found.start_mark, found.end_mark.index
        node = Node(found.id, None, start.line + 1, start.index, end, column=start.column)
        if found.id == "scalar":
            node.value = self._scalar(found)
            if found.style in ("|", ">"):  # ends before the blank lines that follow
                node.end = node.start + len(self.text[node.start : end].rstrip())
            return node
        node.flow = bool(found.flow_style)
        if found.id == "mapping":
            self._entries(node, found)
            inside = [*node.keys.values(), *node.value.values()]
        else:
            node.kind = "list"
            node.value = inside = [self.node(child) for child in found.value]
        if not node.flow:
            node.end = max((child.end for child in inside), default=node.start)
        return node

    def _entries(self, node: Node, found: Any) -> None:
        node.value = {}
        for written, child in found.value:
            if written.id != "scalar":
                self.refuse(written.start_mark, "a key must be a single word or text.")
            at, key = self.node(written), written.value
            if key in node.keys:
                first = node.keys[key].line
                self.refuse(
                    written.start_mark,
                    f'the key "{key}" is there twice (first on line {first}); keep one.',
                )
            value = self.node(child)
            colon = self.text.find(":", at.end) + 1
            if value.start == value.end and colon <= value.start:
                # ruamel places an empty value at what comes next, lines further on
                value.line, value.start, value.end = (
                    at.line,
                    colon or value.start,
                    colon or value.end,
                )
            node.keys[key], node.value[key] = at, value

    def _scalar(self, found: Any) -> Any:
        value = found.value
        if found.style:
            return value
        if value in _WORDS:
            return _WORDS[value]
        if value[0] not in "+-.0123456789":
            return value
        if _INT.fullmatch(value):
            if len(value) > 18:
                self.refuse(
                    found.start_mark,
                    f"a number of {len(value)} digits; at most 18 are accepted.",
                )
            return int(value)
        if _NOT_FINITE.fullmatch(value) or (_FLOAT.fullmatch(value) and math.isinf(float(value))):
            self.refuse(found.start_mark, f"{value[:30]} is not a finite number.")
        return float(value) if _FLOAT.fullmatch(value) else value


def parse(
    source: Text | str, *, what: str = "file", error: type[InputError] = InputError
) -> Node | None:
    r"""Parse one YAML document.

    Parameters
    ----------
    source : Text or str
        What to parse.
    what : str
        How messages call the file.
    error : type
        The InputError subclass to raise.

    Returns
    -------
    Node or None
        The top value; None where the text holds none.

    Raises
    ------
    InputError
        One sentence with the line: malformed YAML, a tag, anchor or alias, a
        duplicate key, a second document, nesting deeper than 12.

    Examples
    --------
    >>> node = parse("a: 1\nb: [x, y]\n")
    >>> to_data(node), line_of(node, ("b",))
    ({'a': 1, 'b': ['x', 'y']}, 2)
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.resolver import VersionedResolver

    if isinstance(source, str):
        source = Text(what, source)
    name, text = source.name, source.text

    def refuse(mark: Any, said: str) -> NoReturn:
        raise error(f"{name}, line {mark.line + 1}: {said}")

    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _composer(refuse)
    # which scalar is a number is decided here, not by ruamel
    yaml.Resolver = type("Untyped", (VersionedResolver,), {"resolve": lambda *_: None})
    try:
        root = yaml.compose(text)
        found = None if root is None else _Places(text, refuse).node(root)
    except YAMLError as problem:
        mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
        if getattr(problem, "problem", None) == "but found another document":
            refuse(mark, f"a second document starts (---); a {what} holds one.")
        said = [getattr(problem, key, None) for key in ("problem", "context", "reason")]
        position = getattr(problem, "position", None)  # of a sign that no YAML may hold
        line = (
            mark.line if mark else text.count("\n", 0, position) if position is not None else None
        )
        where = name if line is None else f"{name}, line {line + 1}"
        reason = str(next(filter(None, said), "malformed")).strip()
        raise error(f"{where}: not readable as YAML ({reason}).") from None
    except InputError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as problem:
        # a parser's own slip on malformed input is still only bad input
        raise error(f"{name}: not readable as YAML ({type(problem).__name__}).") from None
    return None if found is None or found.value is None else found


def to_data(node: Node | None) -> Any:
    """Return the plain Python value of a node: dicts, lists and scalars."""
    if node is None:
        return None
    if node.kind == "mapping":
        return {key: to_data(child) for key, child in node.value.items()}
    if node.kind == "list":
        return [to_data(child) for child in node.value]
    return node.value


@functools.cache
def own_data(module: str, name: str) -> Any:
    """Return what one of the package's own YAML files holds, read once.

    Parameters
    ----------
    module : str
        The ``__file__`` of the module beside which it lies.
    name : str
        The file.
    """
    return to_data(parse(read_text(Path(module).with_name(name), what="data file")))


def line_of(node: Node | None, path: Iterable[str | int]) -> int | None:
    """Return the line of the value at `path`, or of its nearest parent that exists.

    Parameters
    ----------
    node : Node or None
        The top value.
    path : iterable of str and int
        Keys and positions, outermost first.

    Returns
    -------
    int or None
        A line from 1; for a mapping's entry the line of its key.
    """
    if node is None:
        return None
    line = node.line
    for step in path:
        if node.kind == "mapping" and step in node.value:
            line = node.keys[step].line
            node = node.value[step]
        elif node.kind == "list" and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.line
        else:
            break
    return line


def scalar(item: str | int | float | bool | None, *, flow: bool = False) -> str:
    r"""Return one value as YAML.

    Parameters
    ----------
    item : str, int, float, bool or None
        The value.
    flow : bool
        Whether it will stand in brackets or braces, where a comma separates.

    Examples
    --------
    >>> scalar(True), scalar(0.25), scalar("uplift"), scalar("no"), scalar("a: b\n")
    ('true', '0.25', 'uplift', '"no"', '"a: b\\n"')
    """
    if item is None:
        return "null"
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, int | float):
        return repr(item)
    if _PLAIN.match(item) and not _RESERVED.match(item) and not (flow and "," in item):
        return item
    out = []
    for character in item:
        if character in _ESCAPES:
            out.append(_ESCAPES[character])
        elif character.isprintable():
            out.append(character)
        else:
            code = ord(character)
            width = 2 if code < 0x100 else 4 if code < 0x10000 else 8
            out.append(f"\\{ {2: 'x', 4: 'u', 8: 'U'}[width] }{code:0{width}x}")
    return '"' + "".join(out) + '"'
