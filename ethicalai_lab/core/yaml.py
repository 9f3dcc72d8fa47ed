"""Reading small YAML files strictly, with the line of every value; writing single values.

A policy or a roles file comes from anyone, so the reader takes only what such a
file needs: mappings, lists and scalars. Tags, anchors, aliases, duplicate keys,
several documents, deep nesting and large files are refused. It works on the
parser's events and builds plain Python values itself, so nothing in a file can
run code or make more memory than the file is long.
"""

from __future__ import annotations

import errno
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ethicalai_lab.errors import InputError

__all__ = ["Node", "Text", "line_of", "parse", "read_text", "scalar", "to_data"]

MAX_BYTES = 256 * 1024
MAX_DEPTH = 12

_NULL = re.compile(r"(?:|~|null|Null|NULL)\Z")
_TRUE = re.compile(r"(?:true|True|TRUE)\Z")
_FALSE = re.compile(r"(?:false|False|FALSE)\Z")
_INT = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")

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


def read_text(path: str | Path, *, what: str, error: type[InputError] = InputError) -> Text:
    """Read a small UTF-8 text file.

    Parameters
    ----------
    path : path-like
        The file.
    what : str
        How messages call the file, such as "policy file".
    error : type
        The InputError subclass to raise.

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
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise error(f"{name}: there is no such {what}.") from None
    except IsADirectoryError:
        raise error(f"{name} is a folder; give the {what} itself.") from None
    except (OSError, ValueError) as problem:
        if getattr(problem, "errno", None) == errno.EACCES and path.is_dir():  # on Windows
            raise error(f"{name} is a folder; give the {what} itself.") from None
        reason = getattr(problem, "strerror", None) or problem
        raise error(f"{name}: the {what} cannot be read ({reason}).") from None
    if len(raw) > MAX_BYTES:
        raise error(f"{name} is larger than {MAX_BYTES // 1024} KiB, too large for a {what}.")
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


def _scalar(value: str, plain: bool, where: str, error: type[InputError]) -> Any:
    if not plain:
        return value
    if _NULL.match(value):
        return None
    if _TRUE.match(value):
        return True
    if _FALSE.match(value):
        return False
    if _INT.match(value):
        if len(value) > 18:
            raise error(f"{where}: a number of {len(value)} digits; at most 18 are accepted.")
        return int(value)
    if _NOT_FINITE.match(value):
        raise error(f"{where}: {value} is not a finite number.")
    if _FLOAT.match(value):
        number = float(value)
        if not math.isfinite(number):
            raise error(f"{where}: {value[:30]} is too large a number.")
        return number
    return value


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
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.events import (
        AliasEvent,
        DocumentStartEvent,
        MappingEndEvent,
        MappingStartEvent,
        ScalarEvent,
        SequenceEndEvent,
        SequenceStartEvent,
    )

    if isinstance(source, str):
        source = Text(what, source)
    name = source.name
    root: Node | None = None
    documents = 0
    stack: list[Node] = []
    pending: list[tuple[str, Node] | None] = []  # the key that waits for its value

    def at(mark: Any) -> str:
        return f"{name}, line {mark.line + 1}"

    def place(node: Node, where: str) -> None:
        nonlocal root
        if not stack:
            root = node
            return
        parent = stack[-1]
        if parent.kind == "list":
            parent.value.append(node)
            return
        if pending[-1] is None:
            if node.kind != "scalar":
                raise error(f"{where}: a key must be a single word or text.")
            key = source.text[node.start : node.end] if not isinstance(node.value, str) else None
            key = node.value if key is None else key
            if key in parent.value:
                first = parent.keys[key].line
                raise error(
                    f'{where}: the key "{key}" is there twice (first on line {first}); keep one.'
                )
            pending[-1] = (key, node)
            return
        key, key_node = pending[-1]
        if node.kind == "scalar" and node.start == node.end:
            # the parser places an empty value at the next token, lines further on
            node.line = key_node.line
            colon = source.text.find(":", key_node.end)
            if 0 <= colon < node.start:
                node.start = node.end = colon + 1
        parent.value[key] = node
        parent.keys[key] = key_node
        pending[-1] = None

    try:
        for event in YAML(typ="safe", pure=True).parse(source.text):
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise error(
                        f"{at(event.start_mark)}: a second document starts (---); "
                        f"a {what} holds one."
                    )
                continue
            if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
                raise error(
                    f"{at(event.start_mark)}: anchors and aliases (& and *) are not accepted; "
                    "write the value out, in quotes if it starts with such a sign."
                )
            if getattr(event, "ctag", None) is not None:
                tag = str(event.tag)[:80]
                raise error(
                    f"{at(event.start_mark)}: the tag {tag} is not accepted; "
                    "write a plain value, in quotes if it starts with an exclamation mark."
                )
            mark = event.start_mark
            if isinstance(event, ScalarEvent):
                node = Node(
                    "scalar",
                    _scalar(event.value, event.implicit[0], at(mark), error),
                    mark.line + 1,
                    mark.index,
                    event.end_mark.index,
                    column=mark.column,
                )
                if event.style in ("|", ">"):  # ends before the blank lines that follow
                    written = source.text[node.start : node.end].rstrip()
                    node.end = node.start + len(written)
                place(node, at(mark))
            elif isinstance(event, MappingStartEvent | SequenceStartEvent):
                mapping = isinstance(event, MappingStartEvent)
                node = Node(
                    "mapping" if mapping else "list",
                    {} if mapping else [],
                    mark.line + 1,
                    mark.index,
                    mark.index,
                    flow=bool(event.flow_style),
                    column=mark.column,
                )
                place(node, at(mark))
                stack.append(node)
                pending.append(None)
                if len(stack) > MAX_DEPTH:
                    raise error(
                        f"{at(mark)}: nested deeper than {MAX_DEPTH} levels, which a {what} "
                        "never is."
                    )
            elif isinstance(event, MappingEndEvent | SequenceEndEvent):
                pending.pop()
                node = stack.pop()
                if node.flow:
                    node.end = event.end_mark.index
                else:
                    children = list(node.value.values()) if node.kind == "mapping" else node.value
                    ends = [child.end for child in children]
                    ends += [key.end for key in node.keys.values()]
                    node.end = max(ends, default=node.start)
    except MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        where = at(mark) if mark is not None else name
        text = (problem.problem or problem.context or "malformed").strip()
        raise error(f"{where}: not readable as YAML ({text}).") from None
    except YAMLError as problem:
        position = getattr(problem, "position", None)
        where = name
        if isinstance(position, int):
            where = f"{name}, line {source.text.count(chr(10), 0, position) + 1}"
        text = str(getattr(problem, "reason", "") or "malformed").strip()
        raise error(f"{where}: not readable as YAML ({text}).") from None
    except InputError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as problem:
        # a parser's own slip on malformed input is still only bad input
        raise error(f"{name}: not readable as YAML ({type(problem).__name__}).") from None
    if root is not None and root.kind == "scalar" and root.value is None:
        return None
    return root


def to_data(node: Node | None) -> Any:
    """Return the plain Python value of a node: dicts, lists and scalars."""
    if node is None:
        return None
    if node.kind == "mapping":
        return {key: to_data(child) for key, child in node.value.items()}
    if node.kind == "list":
        return [to_data(child) for child in node.value]
    return node.value


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
