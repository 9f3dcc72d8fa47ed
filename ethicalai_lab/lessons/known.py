"""What the checker knows of a lesson on a world: the notebook's own steps, run when asked for.

The code comes from the package's own question files and from nowhere else.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from ethicalai_lab.lessons import answers

__all__ = ["Facts", "Known"]

_FORMS = {name: getattr(answers, name) for name in answers.FORMS}


class Facts(dict):
    """What is known about the right answer; entries are also attributes.

    Examples
    --------
    >>> Facts(expected=0.5).expected
    0.5
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no fact named {name!r}; there are {', '.join(self)}") from None


_OWN_NAMES = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)


def _made(node: ast.AST) -> set[str]:
    """Return the names that a statement binds, or whose object it changes by an assignment."""
    if isinstance(node, ast.FunctionDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, _OWN_NAMES):
        return set()
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        node = ast.Attribute(node.value.func, "", ast.Store())  # ledger.record(...) changes ledger
    if isinstance(getattr(node, "ctx", None), ast.Store):
        while isinstance(node, ast.Subscript | ast.Attribute):
            node = node.value
        if isinstance(node, ast.Name):
            return {node.id}
    return set().union(*(_made(child) for child in ast.iter_child_nodes(node)))


def _used(code: ast.AST) -> set[str]:
    nodes = list(ast.walk(code))
    named = {node.id for node in nodes if isinstance(node, ast.Name)}
    texts = [node.value for node in nodes if isinstance(node, ast.Constant)]
    # in a query of pandas, "@limit" is a name of ours
    return named.union(*(re.findall(r"@(\w+)", text) for text in texts if isinstance(text, str)))


def _deferred(code: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts that run later, when a function is called."""
    for node in ast.walk(code):
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            yield node


class Known:
    r"""The names that a lesson's questions may use, each computed once, when first needed.

    Parameters
    ----------
    code : str
        Statements at module level, as they stand in the notebook. A name may be bound and then
        changed (``people["band"] = ...``); these statements run in order.
    world : object
        Bound to the name ``world``.

    Examples
    --------
    >>> known = Known('rows = [1, 2]\ntotal = sum(rows)', world=None)
    >>> known.value("total + 1")
    4
    """

    def __init__(self, code: str, world: Any) -> None:
        self._statements = ast.parse(code).body
        self._values: dict[str, Any] = {"world": world, "once": functools.cache, **_FORMS}
        self._makers: dict[str, list[int]] = {}
        for i, statement in enumerate(self._statements):
            for name in _made(statement):
                self._makers.setdefault(name, []).append(i)
        self._run: set[int] = set()

    def __getitem__(self, name: str) -> Any:
        """Return what a name stands for, as the notebook has it at its end."""
        return self.value(name)

    def _need(self, names: Iterable[str], before: int | None = None) -> None:
        for name in names:
            for i in self._makers.get(name, ()):
                if i not in self._run and (before is None or i < before):
                    self._execute(i)

    def _execute(self, i: int) -> None:
        self._run.add(i)
        statement = self._statements[i]
        self._need(_used(statement) | _made(statement), before=i)
        for later in _deferred(statement):
            self._need(_used(later))
        exec(compile(ast.Module([statement], []), "<question file>", "exec"), self._values)

    def _space(self, code: ast.AST, more: Mapping[str, Any]) -> dict[str, Any]:
        self._need(_used(code) - set(more))
        return {**self._values, **more}

    def value(self, expression: str, more: Mapping[str, Any] = MappingProxyType({})) -> Any:
        """Return the value of an expression.

        Parameters
        ----------
        expression : str
        more : mapping of str to object
            Names that stand for these values in it, before the lesson's own.

        Returns
        -------
        object
        """
        code = ast.parse(expression.strip(), mode="eval")
        return eval(compile(code, "<question file>", "eval"), self._space(code, more))

    def run(self, code: str) -> dict[str, Any]:
        """Run statements on their own and return the names that they bind.

        Parameters
        ----------
        code : str

        Returns
        -------
        dict of str to object
        """
        tree = ast.parse(code)
        space = self._space(tree, {})
        exec(compile(tree, "<question file>", "exec"), space)
        names = {name for statement in tree.body for name in _made(statement)}
        return {name: space[name] for name in names}
