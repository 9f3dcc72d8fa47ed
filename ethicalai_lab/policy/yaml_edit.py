"""Changing single values in a YAML text, leaving every other character alone.

Re-writing a whole file would move comments, quotes and spacing that a reader put
there. So a value is replaced where it stands, and a new key is added below the
last one of its section.
"""

from __future__ import annotations

import difflib
from typing import Any

from ethicalai_lab.core.yaml import Node, scalar

__all__ = ["edit", "value"]


def value(item: Any, *, flow: bool = False) -> str:
    """Return a scalar, list or mapping as YAML on one line."""
    if isinstance(item, list):
        return "[" + ", ".join(scalar(part, flow=True) for part in item) + "]"
    if isinstance(item, dict):
        return (
            "{" + ", ".join(f"{key}: {value(part, flow=True)}" for key, part in item.items()) + "}"
        )
    return scalar(item, flow=flow)


def edit(text: str, root: Node, changes: dict[str, Any]) -> str:
    r"""Return `text` with values changed.

    Parameters
    ----------
    text : str
        The file's text.
    root : Node
        The mapping parsed from it.
    changes : dict
        Nested: key to new value, or to a further dict. None empties a value.

    Returns
    -------
    str

    Examples
    --------
    >>> from ethicalai_lab.core.yaml import parse
    >>> text = "a: 1  # one\nb:   # two\n"
    >>> print(edit(text, parse(text), {"a": 2, "b": ["x"]}), end="")
    a: 2  # one
    b: [x]   # two
    """
    return _Edit(text).run(root, changes)


class _Edit:
    def __init__(self, text: str) -> None:
        self.text = text
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.edits: list[tuple[int, int, str]] = []

    def run(self, root: Node, changes: dict[str, Any]) -> str:
        self._mapping(root, changes)
        text = self.text
        # from the back, so that earlier offsets stay right and equal places keep their order
        ordered = sorted(enumerate(self.edits), key=lambda e: (e[1][0], e[1][1], e[0]))
        for _, (start, end, new) in reversed(ordered):
            text = text[:start] + new + text[end:]
        return text

    def _mapping(self, node: Node, changes: dict[str, Any]) -> None:
        added: dict[str, Any] = {}
        for key, new in changes.items():
            if key not in node.value:
                new = _without_none(new)
                if new is not None:
                    added[key] = new
                continue
            child = node.value[key]
            if not isinstance(new, dict):
                self._replace(node, node.keys[key], child, new)
            elif child.kind == "mapping":
                self._mapping(child, new)
            else:
                new = _without_none(new)
                if new is not None:
                    self._fill(node, node.keys[key], child, new)
        if added:
            self._add(node, added)

    def _colon(self, key: Node) -> int:
        found = self.text.find(":", key.end) + 1
        return found or key.end  # `? key` alone has none; the result is checked by its reader

    def _line_end(self, position: int) -> int:
        end = self.text.find("\n", position)
        end = len(self.text) if end < 0 else end
        return end - 1 if end and self.text[end - 1 : end] == "\r" else end

    def _replace(self, parent: Node, key: Node, child: Node, new: Any) -> None:
        colon = self._colon(key)
        if new is None:
            if parent.flow:
                self.edits.append((child.start, child.end, "null"))
            else:
                self.edits.append((colon, child.end, ""))
        elif child.start == child.end:
            self.edits.append((colon, child.end, " " + value(new, flow=parent.flow)))
        elif child.kind == "list" and not child.flow:
            if not (isinstance(new, list) and new and self._items(child, new)):
                self.edits.append((colon, child.end, " " + value(new)))
        else:
            self.edits.append((child.start, child.end, value(new, flow=parent.flow)))

    def _items(self, child: Node, new: list[str]) -> bool:
        """Change a list that is written one item a line; say whether that was possible."""
        spans = []
        for item in child.value:
            start = self.text.rfind("\n", 0, item.start) + 1
            end = self._line_end(item.end)
            head = self.text[start : item.start]
            if (
                item.kind != "scalar"
                or head.strip() != "-"
                or "\n" in self.text[item.start : item.end]
            ):
                return False
            spans.append((start, end, head))
        old = [item.value for item in child.value]
        steps = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        head = spans[0][2]
        for step, i1, i2, j1, j2 in steps:
            if step == "equal":
                continue
            lines = [head + scalar(item) for item in new[j1:j2]]
            if step == "insert":
                if i1 == 0:
                    text = "".join(line + self.newline for line in lines)
                    self.edits.append((spans[0][0], spans[0][0], text))
                else:
                    text = "".join(self.newline + line for line in lines)
                    self.edits.append((spans[i1 - 1][1], spans[i1 - 1][1], text))
                continue
            for position in range(i1, i2):
                start, end, _ = spans[position]
                item = child.value[position]
                if position - i1 < len(lines):  # keeps a comment behind the item
                    fresh = scalar(new[j1 + position - i1])
                    self.edits.append((item.start, item.end, fresh))
                else:
                    after = min(end + len(self.newline), len(self.text))
                    self.edits.append((start, after, ""))
            rest = lines[i2 - i1 :]
            if rest:
                at = spans[i2 - 1][1]
                self.edits.append((at, at, "".join(self.newline + line for line in rest)))
        return True

    def _lines(self, entries: dict[str, Any], indent: int) -> str:
        out = []
        for key, new in entries.items():
            if isinstance(new, dict):
                out.append(self.newline + " " * indent + f"{key}:" + self._lines(new, indent + 2))
            else:
                out.append(self.newline + " " * indent + f"{key}: {value(new)}")
        return "".join(out)

    def _fill(self, parent: Node, key: Node, child: Node, new: dict[str, Any]) -> None:
        """Give a section that stands empty its first entries."""
        if parent.flow:
            space = " " if child.start == child.end else ""
            self.edits.append((child.start, child.end, space + value(new)))
            return
        colon = self._colon(key)
        if child.end > colon:
            self.edits.append((colon, child.end, ""))
        at = self._line_end(child.end)
        self.edits.append((at, at, self._lines(new, parent.column + 2)))

    def _add(self, node: Node, added: dict[str, Any]) -> None:
        if node.flow:
            text = value(added)[1:-1]
            if node.value:
                last = max(child.end for child in node.value.values())
                self.edits.append((last, last, ", " + text))
            else:
                self.edits.append((node.start + 1, node.start + 1, text))
            return
        at = self._line_end(node.end)
        self.edits.append((at, at, self._lines(added, node.column)))


def _without_none(new: Any) -> Any:
    if not isinstance(new, dict):
        return new
    kept = {key: _without_none(part) for key, part in new.items()}
    kept = {key: part for key, part in kept.items() if part is not None}
    return kept or None
