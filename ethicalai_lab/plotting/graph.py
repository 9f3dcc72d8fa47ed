"""The drawing of what causes what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ethicalai_lab.plotting.style import (
    MUTED,
    PALETTE,
    Figure,
    PlotError,
    canvas,
    listed,
    styled,
    wrapped,
)

if TYPE_CHECKING:
    pass

__all__ = ["causal_graph"]


def _projected(edges: Sequence[tuple[str, str]], shown: Sequence[str]) -> list[tuple[str, str]]:
    """Return the edges between shown nodes, through hidden ones too."""
    children: dict[str, list[str]] = {}
    for cause, effect in edges:
        children.setdefault(cause, []).append(effect)
    kept = set(shown)
    found = []
    for start in shown:
        seen: set[str] = set()
        waiting = list(children.get(start, ()))
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            if node in kept:
                found.append((start, node))
            else:
                waiting += children.get(node, ())
    return sorted(set(found))


def _layers(shown: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return each node's layer: the longest path that leads to it."""
    layer = dict.fromkeys(shown, 0)
    for _ in range(len(shown) + 1):
        moved = False
        for cause, effect in edges:
            if layer[effect] < layer[cause] + 1:
                layer[effect] = layer[cause] + 1
                moved = True
        if not moved:
            return layer
    raise PlotError("causal_graph: the edges form a circle")


def _places(
    shown: Sequence[str], edges: Sequence[tuple[str, str]]
) -> tuple[dict[Any, tuple[float, float]], dict[tuple[str, str], list[Any]]]:
    """Place nodes in layers, each near the nodes it is joined to.

    An arrow that skips layers gets a free place in each of them (Sugiyama's way), so
    that it does not run behind a box. Returns the places, and each edge's stations.
    """
    layer: dict[Any, int] = dict(_layers(shown, edges))
    for name in shown:  # a node without causes stands just before its first effect
        effects = [layer[effect] for cause, effect in edges if cause == name]
        if effects and not any(effect == name for _, effect in edges):
            layer[name] = min(effects) - 1
    stations: dict[tuple[str, str], list[Any]] = {}
    for cause, effect in edges:
        between = [(cause, effect, i) for i in range(layer[cause] + 1, layer[effect])]
        layer.update({station: station[2] for station in between})
        stations[cause, effect] = [cause, *between, effect]
    columns: dict[int, list[Any]] = {}
    for name, i in layer.items():
        columns.setdefault(i, []).append(name)
    links = [link for chain in stations.values() for link in pairwise(chain)]
    height = _heights(columns, links)
    return {name: (layer[name], height[name]) for name in layer}, stations


def _heights(
    columns: Mapping[int, Sequence[Any]], links: Sequence[tuple[Any, Any]]
) -> dict[Any, float]:
    """Return a height for each node such that few links cross.

    The barycentre rule, swept forwards and backwards from a few shuffled starts (with
    a fixed seed); the start with the fewest crossings and the shortest links wins.
    """
    before: dict[Any, list[Any]] = {n: [] for column in columns.values() for n in column}
    after: dict[Any, list[Any]] = {n: [] for n in before}
    for left, right in links:
        after[left].append(right)
        before[right].append(left)
    rng = np.random.default_rng(0)
    best: tuple[tuple[int, float], dict[Any, float]] | None = None
    for _ in range(40):
        order = {
            i: [column[j] for j in rng.permutation(len(column))] for i, column in columns.items()
        }
        height = {n: (j + 0.5) / len(c) for c in order.values() for j, n in enumerate(c)}
        for sweep in range(12):
            near = before if sweep % 2 == 0 else after
            for i in sorted(order, reverse=bool(sweep % 2)):
                wish = {
                    n: sum(height[m] for m in near[n]) / len(near[n]) if near[n] else height[n]
                    for n in order[i]
                }
                order[i].sort(key=lambda n, wish=wish: (round(wish[n], 9), str(n)))
                height.update({n: (j + 0.5) / len(order[i]) for j, n in enumerate(order[i])})
            length = sum(abs(height[a] - height[b]) for a, b in links)
            score = (_crossings(columns, links, height), round(length, 9))
            if best is None or score < best[0]:
                best = (score, dict(height))
    assert best is not None
    return best[1]


def _crossings(
    columns: Mapping[int, Sequence[Any]],
    links: Sequence[tuple[Any, Any]],
    height: Mapping[Any, float],
) -> int:
    """Count the pairs of links between the same two layers that cross."""
    layer = {n: i for i, column in columns.items() for n in column}
    found = 0
    for k, (a, b) in enumerate(links):
        for c, d in links[:k]:
            if layer[a] == layer[c] and (height[a] - height[c]) * (height[b] - height[d]) < 0:
                found += 1
    return found


def _graph_key(kinds: Sequence[str]) -> list[Any]:
    from matplotlib.patches import Patch

    looks = {
        "observed": ("#E8F1F8", PALETTE[0], "-", "seen in the data"),
        "latent": ("#FFFFFF", PALETTE[1], "--", "hidden: only the truth knows it"),
        "knob": ("#F4F0E2", PALETTE[4], ":", "a knob of the world"),
    }
    return [
        Patch(facecolor=face, edgecolor=edge, linestyle=line, linewidth=1.4, label=label)
        for face, edge, line, label in (looks[kind] for kind in kinds)
    ]


@styled
def causal_graph(
    nodes: Mapping[str, str],
    edges: Sequence[tuple[str, str]],
    *,
    title: str = "What causes what in this world",
    labels: Mapping[str, str] | None = None,
) -> Figure:
    """Draw causes and effects, from left to right.

    Parameters
    ----------
    nodes : mapping of str to {"observed", "latent", "knob"}
        The nodes to draw. Latent ones, which only the world's truth knows, have a
        dashed round frame; knobs of the configuration have a hatched one.
    edges : sequence of (cause, effect)
        May name nodes that are not drawn: a path through them becomes one arrow.
    title : str
        What the figure is about.
    labels : mapping of str to str, optional
        What a node is called; by default its name with spaces for underscores.

    Returns
    -------
    Figure

    Examples
    --------
    >>> causal_graph({"age": "observed", "visit": "observed", "interest": "latent"},
    ...              [("age", "interest"), ("interest", "visit")], title="Graph").alt
    'Graph. age causes interest; interest (hidden) causes visit.'
    """
    if not nodes:
        raise PlotError("causal_graph: there is no node to draw")
    kinds = ("observed", "latent", "knob")
    for name, kind in nodes.items():
        if kind not in kinds:
            raise PlotError(f"causal_graph: node {name!r} is {kind!r}; use {', '.join(kinds)}")
    labels = {name: str(name).replace("_", " ") for name in nodes} | dict(labels or {})
    shown = list(nodes)
    drawn = _projected(edges, shown)
    place, stations = _places(shown, drawn)
    layers = 1 + max(x for x, _ in place.values())
    tallest = max(sum(p[0] == i for p in place.values()) for i in range(int(layers)))
    figure, axes = canvas(7.5, max(2.6, 1.2 + 0.62 * tallest))
    axes.set_axis_off()
    axes.set_xlim(-0.55, layers - 0.45)
    axes.set_ylim(-0.02, 1.02)
    boxes = {}
    for name, kind in nodes.items():
        x, y = place[name]
        face = {"observed": "#E8F1F8", "latent": "#FFFFFF", "knob": "#F4F0E2"}[kind]
        edge = {"observed": PALETTE[0], "latent": PALETTE[1], "knob": PALETTE[4]}[kind]
        boxes[name] = axes.text(
            x,
            1 - y,
            wrapped(labels[name]),
            ha="center",
            va="center",
            fontsize=8.5,
            zorder=3,
            linespacing=1.05,
            bbox={
                "boxstyle": "round,pad=0.35"
                if kind != "latent"
                else "round,pad=0.35,rounding_size=0.9",
                "facecolor": face,
                "edgecolor": edge,
                "linestyle": {"observed": "-", "latent": "--", "knob": ":"}[kind],
                "linewidth": 1.4,
            },
        )
    for chain in stations.values():
        for left, right in pairwise(chain):
            ends = {"patchA": boxes.get(left), "patchB": boxes.get(right)}
            axes.annotate(
                "",
                xy=(place[right][0], 1 - place[right][1]),
                xytext=(place[left][0], 1 - place[left][1]),
                arrowprops={
                    "arrowstyle": "-|>" if right in boxes else "-",
                    "color": MUTED,
                    "linewidth": 0.9,
                    "shrinkA": 2 if left in boxes else 0,
                    "shrinkB": 2 if right in boxes else 0,
                    "mutation_scale": 9,
                    **{k: box.get_bbox_patch() for k, box in ends.items() if box is not None},
                },
                zorder=1,
            )
    axes.set_title(title)
    used = [kind for kind in kinds if kind in nodes.values()]
    if len(used) > 1:
        figure.legend(handles=_graph_key(used), loc="outside lower left", ncols=len(used))
    hidden = {n: labels[n] + (" (hidden)" if nodes[n] == "latent" else "") for n in shown}
    told = []
    for cause in sorted(shown, key=lambda n: (place[n][0], place[n][1])):
        effects = [labels[e] for c, e in drawn if c == cause]
        if effects:
            told.append(f"{hidden[cause]} causes {listed(effects)}")
    return Figure(figure, f"{title}. {'; '.join(told) or 'No arrows'}.")
