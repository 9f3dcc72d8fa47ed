"""The page about the world in the documentation, written from the code it describes.

``python -m ethicalai_lab.world.document`` writes it anew to ``docs/world.md``.
"""

from __future__ import annotations

import inspect
import sys

from ethicalai_lab.core.files import write_atomic
from ethicalai_lab.core.report import render
from ethicalai_lab.world.campaign import PUBLISHED, UNSUBSCRIBE
from ethicalai_lab.world.causal import causal_graph
from ethicalai_lab.world.config import WorldConfig
from ethicalai_lab.world.schema import data_dictionary

__all__ = ["OVERVIEW", "world_page"]

# the nodes of the small drawing, in causal order
OVERVIEW = (
    "ethnic_group",
    "gender",
    "age",
    "postcode",
    "household_income",
    "activity",
    "personal_concern",
    "interests",
    "events",
    "history",
    "visit_uplift",
    "potential_outcomes",
    "arm",
    "campaign",
    "disfavoured",
    "legacy_score",
    "legacy_log",
    "accepted_purposes",
    "consent_events",
)


def _knobs() -> str:
    """Return the knobs as a list, from the docstring that documents them."""
    section = (inspect.getdoc(WorldConfig) or "").split("Parameters\n----------\n")[1]
    section = section.split("\n\nRaises")[0]
    text = ""
    for line in section.split("\n"):
        if line.startswith(" "):
            text += " " + line.strip()
        else:
            name, kind = line.split(" : ", 1)
            text += f"\n- **`{name}`** ({kind}):"
    return text.replace("``", "`").strip() + "\n"


def world_page() -> str:
    """Return the documentation's page about the world as Markdown.

    Returns
    -------
    str
        Prose, the drawn causal graph, its nodes and the data dictionary.

    Examples
    --------
    >>> from ethicalai_lab.world.document import world_page
    >>> world_page().splitlines()[0]
    '# The synthetic world'
    """
    return render(
        "world/templates/world.md",
        graph=causal_graph(),
        overview=OVERVIEW,
        published=PUBLISHED,
        unsubscribe=UNSUBSCRIBE,
        knobs=_knobs(),
        tables=data_dictionary(truth=True).groupby("table", sort=False),
    )


if __name__ == "__main__":
    write_atomic(sys.argv[1] if len(sys.argv) > 1 else "docs/world.md", world_page())
