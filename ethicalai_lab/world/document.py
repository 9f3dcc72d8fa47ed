"""The page about the world in the documentation, written from the code it describes.

``python -m ethicalai_lab.world.document`` writes it anew to ``docs/world.md``.
"""

from __future__ import annotations

import inspect
import os
import sys

from ethicalai_lab.core.files import write_atomic
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


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |\n"


def _dictionary() -> str:
    text = ""
    for table, rows in data_dictionary(truth=True).groupby("table", sort=False):
        if table == "truth.journeys":
            text += (
                f"\n### `{table}`\n\nOne row a customer: `customer_id`, and "
                f"{len(rows) - 1} columns named outcome_action_contacts, such as "
                "`visit_sports_email_2`: the expected weekly outcome under an action after 0, 1 "
                "or 2 recent contacts. `world.truth.journey(outcome)` gives them as one array.\n"
            )
            continue
        text += f"\n### `{table}`\n\n"
        text += _row("column", "type", "role", "meaning", "values") + _row(*["---"] * 5)
        for row in rows.itertuples():
            optional = " (may be missing)" if row.missing == "yes" else ""
            text += _row(
                f"`{row.column}`", row.type, row.role, row.description + optional, row.values
            )
    return text


def _nodes() -> str:
    graph = causal_graph()
    text = _row("node", "kind", "what it is", "caused by") + _row(*["---"] * 4)
    for node in graph.nodes:
        if node.kind != "knob":
            causes = ", ".join(f"`{name}`" for name in graph.parents(node.name)) or "chance alone"
            text += _row(f"`{node.name}`", node.kind, node.description, causes)
    return text


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


def _figures() -> str:
    text = _row("arm", "visit", "conversion", "spend (euros)", "unsubscribed (ours)")
    text += _row("---", *["---:"] * 4)
    for arm, (visit, conversion, spend) in PUBLISHED.items():
        left = UNSUBSCRIBE[arm]
        text += _row(arm, f"{visit:.6f}", f"{conversion:.6f}", f"{spend:.6f}", f"{left:.4f}")
    return text


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
    graph = causal_graph()
    return f"""# The synthetic world

`make_world(n_customers, seed=..., config=WorldConfig(...))` draws a retailer's customers,
shopping, messages, consents, a mail experiment, an old programme's log and a public
register from a causal model, and keeps the truth behind them in `world.truth`. So a
lesson can set an estimate beside what it estimates.

This page is written by `python -m ethicalai_lab.world.document` from the code itself; a
test compares.

## How it is drawn
- **One function a node.** A mechanism of the model is a function whose keyword-only
  parameters are its causal parents. It is handed exactly these and a random stream of
  its own, so the graph below is the one that runs. A test also holds each stream and
  changes each parent in turn: the node must change.
- **One stream a node.** Streams are derived from the seed and the node's name. A further
  table changes no other, and the order or number of threads changes nothing.
- **Rounded when stored**, so that the last bit of a platform's arithmetic does not show.
  `world.checksums()` gives the SHA-256 of each table's content.
- **A fixed calendar.** History covers 2025; the mail goes out on 2026-01-12
  (`world.as_of`); its outcomes are those of the two weeks after.

## The causal graph in short
Boxes are observed, rounded boxes are known only to `world.truth`. Many nodes are left
out here: an edge may stand for a chain through them, and an edge that a chain of drawn
edges implies is not drawn. All nodes with all their direct causes stand further below.

```mermaid
{graph.keep(OVERVIEW, reduced=True).to_mermaid()}```

What to notice:
- `ethnic_group` acts on nothing but where people live and what they are called (as far as
  `proxy_strength` says), and on the old rule's prejudice. It has no effect of its own on
  shopping. Income follows education, age, occupation and quarter; quarters differ in
  affluence; so groups may differ in income without any prejudice.
- `arm` has no cause but the lot. `legacy_log` has many: its naive contrasts are confounded.
- `label_bias` enters `legacy_score` and what `legacy_log` records, and nothing else.

## The knobs
{_knobs()}
## The mail experiment
Averages are those of Hillstrom's e-mail experiment (2008; 64,000 customers): its men's
mail is our sports mail, its women's mail our fashion mail. Expected means over the
customers equal them in each world; observed means miss them by sampling error.

{_figures()}
- `effect_heterogeneity` 0 gives each customer the same effect; 1 lets it follow earlier
  purchases, interests, age and recency. Who would come anyway has less to gain.
- People who mind mail visit less when mailed (negative uplift). Unsubscribing happens only
  when mailed. Hillstrom's table has no unsubscribing: those rates are assumptions of ours.
- All arms share one person's draws, so `potential_outcomes` tells the persuaded from the
  sure, the lost and the put off.
- The means are set world by world. Rows are therefore not quite independent: an interval
  for an average effect covers the world's truth slightly more often than it says.

## The old programme
Six weeks, five actions, logged propensities of at least one in a hundred (a twentieth of
the decisions was left to chance). The score favours high spend, recent purchases and
affluent quarters. With `label_bias` b it is lowered by b for ethnic groups C and D and
women from 55, and b/2 of their responses go unrecorded: `truth.legacy` has all of them.
Each contact in the two weeks before weakens the next one, sours the rest and raises
unsubscribing; who unsubscribed rests, with propensity 1.

## What is an assumption
All of it but the experiment's averages. Shares, slopes and noise are chosen so that the
tables look plausible and each lesson's effect can be seen. The world shows what methods
do when the truth is known; it is no evidence about real people.

## All nodes
{_nodes()}
## Data dictionary
Roles are those of a team's own `roles.yaml`.
{_dictionary()}"""


def write_page(path: str | os.PathLike[str]) -> None:
    """Write the page to a file, all or nothing.

    Parameters
    ----------
    path : path
        The Markdown file.
    """
    write_atomic(path, world_page())


if __name__ == "__main__":
    write_page(sys.argv[1] if len(sys.argv) > 1 else "docs/world.md")
