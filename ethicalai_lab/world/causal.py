"""The engine that runs the causal model, and the graph it really runs.

A mechanism is a function ``name(rng, n, *, parent, ...)``. The engine hands it a
random stream of its own and exactly the values its keyword-only parameters name:
other mechanisms' results, or knobs of the configuration. So the signature *is* the
list of causal parents, and the drawn graph cannot differ from the code.
"""

from __future__ import annotations

import importlib
import inspect
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np

from ethicalai_lab.world.config import WorldConfig
from ethicalai_lab.world.errors import WorldError

__all__ = ["CausalGraph", "Mechanism", "Node", "causal_graph", "mechanism", "run", "stream"]

# the modules whose import registers the mechanisms, in causal order
_MODULES = (
    "people",
    "shopping",
    "campaign",
    "legacy",
    "consents",
    "answers",
    "messages",
    "register",
)
KNOBS = tuple(field.name for field in fields(WorldConfig))


@dataclass(frozen=True)
class Mechanism:
    """One node's generator: its name, function, causal parents and kind."""

    name: str
    function: Callable[..., Any]
    parents: tuple[str, ...]
    kind: str
    description: str


_REGISTERED: dict[str, Mechanism] = {}


def mechanism(kind: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as the mechanism of the node that bears its name.

    Parameters
    ----------
    kind : {"observed", "latent"}
        Whether practitioners see the node, or only ``world.truth`` does.

    Returns
    -------
    callable
        The decorator; it returns the function unchanged.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        parameters = inspect.signature(function).parameters.values()
        parents = tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
        summary = (inspect.getdoc(function) or "").split("\n")[0].rstrip(".")
        _REGISTERED[function.__name__] = Mechanism(
            function.__name__, function, parents, kind, summary
        )
        return function

    return register


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the random stream that belongs to a name, whatever else is drawn.

    Parameters
    ----------
    seed : int
        The world's seed, 0 or more.
    name : str
        Name of the mechanism.

    Returns
    -------
    numpy.random.Generator
        Depends on ``seed`` and ``name`` only.
    """
    return np.random.default_rng(
        np.random.SeedSequence(seed, spawn_key=(zlib.crc32(name.encode("utf-8")),))
    )


@lru_cache(maxsize=1)
def load_mechanisms() -> dict[str, Mechanism]:
    """Import the modules that register mechanisms and return them in causal order."""
    modules = [f"ethicalai_lab.world.{module}" for module in _MODULES]
    for module in modules:
        importlib.import_module(module)
    # whichever module was imported first, the order is the one of the list
    nodes = sorted(_REGISTERED.values(), key=lambda node: modules.index(node.function.__module__))
    ordered: dict[str, Mechanism] = {}
    for node in nodes:
        for parent in node.parents:
            if parent not in ordered and parent not in KNOBS:
                raise LookupError(f"{node.name}: its parent {parent} is not defined before it")
        ordered[node.name] = node
    return ordered


def run(
    n: int,
    seed: int,
    config: WorldConfig,
    names: Iterable[str] | None = None,
    prefix: str = "",
) -> dict[str, Any]:
    """Run mechanisms in causal order.

    Parameters
    ----------
    n : int
        Number of people.
    seed : int
        The world's seed.
    config : WorldConfig
        The knobs.
    names : iterable of str, optional
        Which mechanisms to run; all by default. Their parents must be among them.
    prefix : str, default ""
        Put before each stream's name: another population needs other draws.

    Returns
    -------
    dict
        Mechanism name to its value.
    """
    mechanisms = load_mechanisms()
    wanted = mechanisms if names is None else set(names)
    knobs = {knob: getattr(config, knob) for knob in KNOBS}
    values: dict[str, Any] = {}
    for name, node in mechanisms.items():
        if name in wanted:
            given = {p: values[p] if p in mechanisms else knobs[p] for p in node.parents}
            values[name] = node.function(stream(seed, prefix + name), n, **given)
    return values


@dataclass(frozen=True)
class Node:
    """A node of the causal graph.

    Parameters
    ----------
    name : str
        Name, unique in the graph.
    kind : {"knob", "latent", "observed"}
        Knob of the configuration, hidden from practitioners, or seen by them.
    description : str
        One sentence.
    """

    name: str
    kind: str
    description: str


@dataclass(frozen=True)
class CausalGraph:
    """The causal graph of the world: nodes, and edges from cause to effect.

    Parameters
    ----------
    nodes : tuple of Node
        In causal order: no cause comes after its effect.
    edges : tuple of (str, str)
        Names of cause and effect.
    """

    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str], ...]

    def parents(self, name: str) -> tuple[str, ...]:
        """Return the causes of a node.

        Parameters
        ----------
        name : str
            Name of a node.

        Returns
        -------
        tuple of str
            Its parents, in the order its mechanism names them.
        """
        return tuple(cause for cause, effect in self.edges if effect == name)

    def keep(self, names: Iterable[str], reduced: bool = False) -> CausalGraph:
        """Return the graph of some nodes, for a drawing that fits a page.

        Parameters
        ----------
        names : iterable of str
            Nodes to keep.
        reduced : bool, default False
            Whether to leave out edges that a chain of other edges implies. The paths
            stay, but direct causes may go: for an overview only.

        Returns
        -------
        CausalGraph
            An edge joins two kept nodes where a directed path led from one to the other
            through dropped nodes only. A dropped common cause is not shown.

        Raises
        ------
        WorldError
            If a node is unknown.

        Examples
        --------
        >>> from ethicalai_lab.world import causal_graph
        >>> causal_graph().keep(["birth_date", "education"]).edges
        (('birth_date', 'education'),)
        """
        kept = list(names)
        known = {node.name for node in self.nodes}
        for name in kept:
            if name not in known:
                raise WorldError(f"The causal graph has no node {name}; see its nodes.")
        below: dict[str, list[str]] = {}
        for cause, effect in self.edges:
            below.setdefault(cause, []).append(effect)
        edges = []
        for cause in kept:
            reached: set[str] = set()
            front = list(below.get(cause, []))
            while front:
                node = front.pop()
                if node not in reached:
                    reached.add(node)
                    if node not in kept:
                        front += below.get(node, [])
            edges += [(cause, effect) for effect in kept if effect in reached]
        if reduced:
            after = {name: {effect for cause, effect in edges if cause == name} for name in kept}
            # edges join each node with all that a path reaches through dropped nodes, so
            # closing over the kept ones gives all descendants
            place = {node.name: number for number, node in enumerate(self.nodes)}
            for name in sorted(kept, key=place.__getitem__, reverse=True):
                after[name] = after[name].union(*(after[effect] for effect in after[name]))
            edges = [
                (cause, effect)
                for cause, effect in edges
                if not any(effect in after[between] for other, between in edges if other == cause)
            ]
        nodes = tuple(node for node in self.nodes if node.name in kept)
        return CausalGraph(nodes, tuple(edges))

    def to_mermaid(self) -> str:
        """Return the graph as a Mermaid flowchart.

        Returns
        -------
        str
            Knobs are hexagons, latent nodes rounded, observed nodes boxes: the kind
            is readable without colour.
        """
        shapes = {"knob": "{{%s}}", "latent": "(%s)", "observed": "[%s]"}
        lines = ["flowchart LR"]
        for node in self.nodes:
            prefix = "knob_" if node.kind == "knob" else ""
            label = shapes[node.kind] % node.name.replace("_", " ")
            lines.append(f"  {prefix}{node.name}{label}")
        knobs = {node.name for node in self.nodes if node.kind == "knob"}
        for cause, effect in self.edges:
            lines.append(f"  {'knob_' if cause in knobs else ''}{cause} --> {effect}")
        return "\n".join(lines) + "\n"


def causal_graph() -> CausalGraph:
    """Return the causal graph that `make_world` runs.

    The edges are read from the mechanisms' signatures: a mechanism receives its
    parents' values and nothing else.

    Returns
    -------
    CausalGraph
        With ``nodes``, ``edges``, ``parents(name)`` and ``to_mermaid()``.

    References
    ----------
    Pearl, J. (2009). Causality, 2nd edition, section 1.4 (functional causal models).

    Examples
    --------
    >>> from ethicalai_lab.world import causal_graph
    >>> causal_graph().parents("age")
    ('birth_date',)
    """
    mechanisms = load_mechanisms()
    knobs = tuple(Node(knob, "knob", "knob of the configuration") for knob in KNOBS)
    nodes = knobs + tuple(Node(m.name, m.kind, m.description) for m in mechanisms.values())
    edges = tuple((parent, m.name) for m in mechanisms.values() for parent in m.parents)
    return CausalGraph(nodes, edges)
