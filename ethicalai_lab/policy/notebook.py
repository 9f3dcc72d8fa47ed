"""A notebook that makes a scorecard again and checks each value."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import fields
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.measure import TOLERANCE
from ethicalai_lab.policy.policy import Policy
from ethicalai_lab.policy.rules import Rules
from ethicalai_lab.policy.scorecard import Scorecard

if TYPE_CHECKING:
    from ethicalai_lab.world import World

__all__ = ["to_notebook", "world_recipe"]

_TEMPLATE = "templates/notebook.json"


def world_recipe(world: World) -> dict[str, Any]:
    """Return how to make a world again.

    Parameters
    ----------
    world : World

    Returns
    -------
    dict
        ``n``, ``seed`` and ``config``, the knobs that differ from the default.

    Raises
    ------
    PolicyError
        If the world does not come from a seed, or not only.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> world_recipe(make_world(200, seed=3))
    {'n': 200, 'seed': 3, 'config': {}}
    """
    from ethicalai_lab.policy.frontier import recipe
    from ethicalai_lab.world import WorldConfig

    found = recipe(world)
    if found is None:
        raise PolicyError(
            "This world cannot be made again from a seed, so no notebook can reproduce its "
            "scorecard; export the card instead."
        )
    usual, config = WorldConfig(), found.pop("config")
    names = [each.name for each in fields(WorldConfig)]
    knobs = {name: getattr(config, name) for name in names}
    differing = {name: knobs[name] for name in names if knobs[name] != getattr(usual, name)}
    return {**found, "config": differing}


def to_notebook(
    policy: Policy,
    world: Mapping[str, Any],
    scorecard: Scorecard,
    *,
    rules: Rules | None = None,
) -> str:
    """Return a notebook that makes a scorecard again and checks each value.

    Parameters
    ----------
    policy : Policy
        What was measured.
    world : mapping
        From :func:`world_recipe`: ``n``, ``seed`` and, where not the default, ``config``.
    scorecard : Scorecard
        What came out; its `about` says with which seed and resamples.
    rules : Rules, optional
        The team's bounds, shown beside the values.

    Returns
    -------
    str
        The notebook as JSON, without outputs.

    Raises
    ------
    PolicyError
        If the card does not belong to the policy.
    """
    if scorecard.policy != policy:
        raise PolicyError("The scorecard is another policy's; evaluate this one first.")
    about = scorecard.about
    lacking = [name for name in ("n_boot", "seed", "version") if name not in about]
    if lacking:
        raise PolicyError(f"The scorecard does not say its {lacking[0]}; evaluate the policy anew.")
    values = _values(policy, world, scorecard, rules)
    text = resources.files("ethicalai_lab.policy").joinpath(_TEMPLATE).read_text("utf-8")
    notebook = json.loads(text)
    notebook["cells"] = [c for c in notebook["cells"] if c["id"] != "rules" or rules is not None]
    for cell in notebook["cells"]:
        # in one go, so that no value is read as a place for another one
        source = re.sub(r"<<(\w+)>>", lambda found: values[found[1]], "".join(cell["source"]))
        cell["source"] = source.splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _values(
    policy: Policy, world: Mapping[str, Any], scorecard: Scorecard, rules: Rules | None
) -> dict[str, str]:
    """Return what goes into the template: whoever runs it runs this, so literals alone."""
    about, config = scorecard.about, _config(world.get("config") or {})
    n = _whole("n", world.get("n"))
    expected = {measure.key: measure.value for measure in scorecard.measures}
    return {
        "customers": f"{n:,}",
        "n": str(n),
        "world_seed": str(_whole("seed", world.get("seed"))),
        "n_boot": str(_whole("n_boot", about["n_boot"])),
        "seed": str(_whole("seed", about["seed"])),
        "refit": f", refit={_whole('refits', about['refits'])}" if "refits" in about else "",
        "version": re.sub(r"[^0-9A-Za-z.+-]", "", str(about["version"]))[:40],
        "config": config,
        "world_config": ", WorldConfig" if config else "",
        "rules_name": "Rules, " if rules is not None else "",
        "policy": _literal(policy.to_yaml()),
        "rules": "" if rules is None else _literal(rules.to_yaml()),
        "expected": "".join(f"    {json.dumps(k)}: {_literal(v)},\n" for k, v in expected.items()),
        "tolerance": str(TOLERANCE),
    }


def _whole(name: str, value: Any) -> int:
    """Return a whole number that may stand in the notebook's source."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise PolicyError(
            f"The scorecard's {name} is {str(value)[:40]!r}; a notebook needs a whole number."
        )
    return int(value)


def _config(knobs: Mapping[str, Any]) -> str:
    """Return the source of a world's knobs: known names, literal values."""
    from ethicalai_lab.world import WorldConfig

    known = [each.name for each in fields(WorldConfig)]
    for name in knobs:
        if name not in known:
            raise PolicyError(
                f"A world has no knob {str(name)[:40]!r}; accepted are {', '.join(known)}."
            )
    inside = ", ".join(f"{name}={_literal(value)}" for name, value in knobs.items())
    return f", config=WorldConfig({inside})" if inside else ""


def _literal(value: Any) -> str:
    """Return Python source that is a literal and nothing else, readable where it can be."""
    if isinstance(value, str):
        plain = '"""' not in value and "\\" not in value and not value.endswith('"')
        if plain and len(value) > 60 and all(c.isprintable() or c == "\n" for c in value):
            return f'"""\\\n{value}"""'
        return repr(str(value))
    source = repr(value.tolist() if hasattr(value, "tolist") else value)
    try:
        if ast.literal_eval(source) == value:
            return source
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    raise PolicyError(f"{source[:60]} cannot be written into a notebook as a plain value.")
