"""The committed snapshot of the world: a small world, its datasheet and its checksums.

``python -m ethicalai_lab.world.snapshot`` writes them anew into ``data/``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ethicalai_lab.core.files import write_atomic
from ethicalai_lab.core.report import render
from ethicalai_lab.world.config import WorldConfig
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
    truth = {f"truth.{name}": table for name, table in world.truth.tables.items()}
    return render(
        "world/templates/datasheet.md",
        world=world,
        tables=world.tables | truth,
        config=(world.config or WorldConfig()).to_dict(),
    )


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
