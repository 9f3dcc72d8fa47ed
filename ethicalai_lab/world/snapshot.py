"""The committed snapshot of the world: a small world, its datasheet and its checksums.

``python -m ethicalai_lab.world.snapshot`` writes them anew into ``data/``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ethicalai_lab.core.files import write_atomic
from ethicalai_lab.world.config import ARMS, WorldConfig
from ethicalai_lab.world.generate import make_world
from ethicalai_lab.world.worlds import World

__all__ = ["N_CUSTOMERS", "SEED", "checksum_text", "datasheet", "write_snapshot"]

N_CUSTOMERS = 1_500
SEED = 7


def checksum_text(world: World) -> str:
    """Return one line a table: the SHA-256 of its content, two spaces, its name.

    Parameters
    ----------
    world : World
        Any world.

    Returns
    -------
    str
        What ``data/CHECKSUMS.txt`` holds. The sums are of content, not of Parquet
        bytes, which change with the library that writes them.

    Examples
    --------
    >>> from ethicalai_lab.world import make_world
    >>> from ethicalai_lab.world.snapshot import checksum_text
    >>> checksum_text(make_world(20)).split()[1]
    'customers'
    """
    return "".join(f"{digest}  {name}\n" for name, digest in world.checksums().items())


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def _measured(world: World) -> str:
    """Return the datasheet's measured facts as Markdown."""
    text = _row("table", "rows", "columns", "missing values") + _row("---", "---:", "---:", "---:")
    for name, table in world.tables.items():
        text += _row(name, f"{len(table):,}", table.shape[1], f"{int(table.isna().sum().sum()):,}")
    for name, table in world.truth.tables.items():
        missing = int(table.isna().sum().sum())
        text += _row(f"truth.{name}", f"{len(table):,}", table.shape[1], f"{missing:,}")
    text += "\nShares among the customers:\n\n" + _row("column", "shares") + _row("---", "---")
    for column in ("gender", "ethnic_group", "jurisdiction", "education", "loyalty_tier"):
        shares = world.customers[column].value_counts(normalize=True, sort=False)
        text += _row(column, ", ".join(f"{name} {share:.1%}" for name, share in shares.items()))
    age = world.customers["age"]
    text += _row("age", f"from {age.min()} to {age.max()}, median {age.median():.0f}")
    text += _row("disability", f"{world.customers['disability'].mean():.1%}")
    text += "\nThe mail experiment, observed here and expected from the truth:\n\n"
    text += _row("arm", "customers", "visit", "conversion", "spend", "expected visit")
    text += _row("---", *["---:"] * 5)
    for arm in ARMS:
        rows = world.campaign[world.campaign["arm"] == arm]
        expected = world.truth.potential_outcomes[f"p_visit_{arm}"].mean()
        text += _row(
            arm,
            f"{len(rows):,}",
            f"{rows['visit'].mean():.4f}",
            f"{rows['conversion'].mean():.4f}",
            f"{rows['spend'].mean():.2f}",
            f"{expected:.4f}",
        )
    return text


def datasheet(world: World) -> str:
    """Return the datasheet of a stored world, with its facts measured from it.

    Parameters
    ----------
    world : World
        A world made by `make_world`.

    Returns
    -------
    str
        Markdown, after the questions of "Datasheets for Datasets".

    References
    ----------
    Gebru, T. et al. (2021). Datasheets for Datasets. Communications of the ACM 64(12).

    Examples
    --------
    >>> from ethicalai_lab.world import make_world
    >>> from ethicalai_lab.world.snapshot import datasheet
    >>> datasheet(make_world(200)).splitlines()[0]
    '# Datasheet: a small synthetic world'
    """
    knobs = "; ".join(
        f"{name} {value}" for name, value in (world.config or WorldConfig()).to_dict().items()
    )
    return f"""# Datasheet: a small synthetic world

The questions are those of Gebru et al., "Datasheets for Datasets" (2021). This file and
the tables are written by `python -m ethicalai_lab.world.snapshot`; the figures are
measured from the tables, and a test draws them anew and compares.

## Motivation
**Why was it made?** To teach and test how personal automated marketing may be, on data
whose truth is known: each customer's outcome under each mail, the bias put in, the
person behind each record, the purposes really accepted. No real table has these.

**Who made it?** The contributors of the Ethical AI Lab. No one funded it for a purpose
of their own.

## Composition
**What do the rows stand for?** Invented customers of an invented retailer, their
shopping, messages, consents and answers, a mail experiment, an old programme's log and
a public register. Each column is described by `ethicalai_lab.world.data_dictionary()`.

**How many are there?** {world.n_customers:,} customers, drawn with seed {world.seed} and the knobs: {knobs}.

{_measured(world)}
**Is it a sample?** Of a model, not of people. `make_world(n, seed=...)` draws as many
more as wanted.

**What is missing?** Refused answers in `preferences`, on purpose; and the population
share in `truth.bias` of groups that no knob thins.

**Errors and noise?** On purpose: inferred traits are noisy, some register entries are
outdated, some answers are false, messages have typing slips, their labels are an
annotator's with some misread, and the old programme lost part of the responses of groups
C and D and of women from 55.

**Does it hold confidential or personal data?** No. Names are invented, e-mail domains
reserved (RFC 2606), phone numbers from ranges kept for fiction, card numbers and IBANs
formally valid but without account. A match with a real person would be chance.

**Does it name groups of people?** Gender, age, disability, and ethnic groups under the
neutral labels A to D. The labels stand for no real group; surnames are made of
syllables dealt to the groups in turn.

**Might it offend?** Some messages are angry. None insults.

## Collection
**How was it obtained?** Drawn from the causal model in `docs/world.md`. No person was
asked, observed or paid. The averages of the mail experiment are calibrated to the
published figures of Hillstrom's experiment (2008); no row of that table is in here.

## Preprocessing
**Was anything cleaned or labelled?** No. Numbers are rounded when stored, so that
the last bit of a platform's arithmetic does not show.

## Uses
**What for?** Lessons, tests, demonstrations.

**What not for?** Nothing here is evidence about real people, groups, shops or laws. A
rate found in it must not be quoted as one found in the world; a model trained on it must
not decide about anyone.

## Distribution
**Under which terms?** CC BY 4.0, as the lessons.

## Maintenance
**Who looks after it, and how does it change?** The project's contributors. When the
model changes, the tables, this file and `CHECKSUMS.txt` are written anew in the same
commit; older ones stay in the project's history.
"""


def write_snapshot(folder: str | os.PathLike[str]) -> World:
    """Write the snapshot: Parquet tables, datasheet and checksums.

    Parameters
    ----------
    folder : path
        Gets ``snapshot/`` (see `World.to_parquet`), ``DATASHEET.md`` and
        ``CHECKSUMS.txt``.

    Returns
    -------
    World
        The world written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from ethicalai_lab.world.snapshot import write_snapshot
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     world = write_snapshot(folder)
    ...     sorted(path.name for path in Path(folder).iterdir())
    ['CHECKSUMS.txt', 'DATASHEET.md', 'snapshot']
    """
    target = Path(folder)
    world = make_world(N_CUSTOMERS, seed=SEED)
    world.to_parquet(target / "snapshot")
    for name, text in (("DATASHEET.md", datasheet(world)), ("CHECKSUMS.txt", checksum_text(world))):
        write_atomic(target / name, text)
    return world


if __name__ == "__main__":
    write_snapshot(sys.argv[1] if len(sys.argv) > 1 else "data")
