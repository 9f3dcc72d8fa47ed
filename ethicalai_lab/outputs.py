"""Which files a command may write: never one that it reads, never one file for two results."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from ethicalai_lab.core.files import writable
from ethicalai_lab.errors import InputError

__all__ = ["apart", "new_file"]

#: Endings of what the lab reads. A result does not replace such a file, whoever made it.
READ = (".yaml", ".yml", ".csv", ".tsv", ".gz", ".parquet", ".xlsx", ".ipynb", ".py")


def new_file(path: str | Path) -> None:
    """Refuse a file that is there already.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    InputError
        As :func:`~ethicalai_lab.core.files.writable`, or if anything has that name.
    """
    writable(path)
    if os.path.lexists(path):
        raise InputError(f"{path} is there already and was left alone; give a new name.")


def apart(outputs: Iterable[str | Path | None], inputs: Iterable[str | Path | None]) -> None:
    """Refuse outputs that cannot be written, or would replace an input or each other.

    Two names are one file also through links, hard links and other spellings, and where a
    file system does not tell ``A`` from ``a``.

    Parameters
    ----------
    outputs, inputs : iterable of path-like or None
        Files; of the inputs also folders, in which nothing is written. None stands for an
        option that is not given, ``-`` for standard output.

    Raises
    ------
    InputError
        Naming both files.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = Path(folder, "t.csv")
    ...     _ = table.write_text("visit")
    ...     try:
    ...         apart([Path(folder, ".", "t.csv")], [table])
    ...     except InputError as problem:
    ...         "would replace" in str(problem)
    True
    """
    read = [path for path in inputs if path]
    before: list[str | Path] = []
    for out in outputs:
        if out is None or str(out) == "-":
            continue
        writable(out)
        for path in read:
            if _same(out, path) or _inside(out, path):
                raise InputError(
                    f"{out} would replace {path}, which this command uses; give another name to "
                    "write to."
                )
        for path in before:
            if _same(out, path) or _spelt(out) == _spelt(path):
                raise InputError(
                    f"{out} would replace {path}, which this command writes; give another name "
                    "to write to."
                )
        if os.path.exists(out) and os.path.realpath(out).casefold().endswith(READ):
            raise InputError(
                f"{out} is there already and looks like something the lab reads; it was left "
                "alone: give another name to write to."
            )
        before.append(out)


def _same(one: str | Path, two: str | Path) -> bool:
    try:
        return os.path.samefile(one, two)
    except (OSError, ValueError):  # one of them is not there
        return os.path.realpath(one) == os.path.realpath(two)


def _inside(path: str | Path, folder: str | Path) -> bool:
    """Tell whether a file would lie in a folder that is read."""
    if not os.path.isdir(folder):
        return False
    return any(_same(parent, folder) for parent in Path(os.path.realpath(path)).parents)


def _spelt(path: str | Path) -> str:
    """Return a name as a file system compares it that tells neither case nor accents apart."""
    return unicodedata.normalize("NFC", os.path.realpath(path)).casefold()
