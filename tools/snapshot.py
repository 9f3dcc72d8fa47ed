"""Golden files of what the lab does today, and every difference from them.

``python tools/snapshot.py write FOLDER`` computes them, ``python tools/snapshot.py compare
FOLDER`` computes the same again and lists what differs: exit code 0 where nothing does, 1 where
something does, 2 where it could not be told. FOLDER stands outside the checkout. Files are JSON
with sorted keys, one a case, in a folder a part; `tools.snapshot_parts` says what they freeze.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # this checkout's package, whichever is installed
os.environ.setdefault("OMP_NUM_THREADS", "1")  # counted when NumPy loads; sums depend on it

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from tqdm import tqdm  # noqa: E402

from tools.snapshot_parts import PARTS  # noqa: E402

FORMAT = "ethicalai_lab.snapshot"
# what the surroundings may not change: the width of help, colours, the reader's own folder
STEADY = {"COLUMNS": "100", "NO_COLOR": "1", "ETHICALAI_LAB_WORK": ".", "MPLBACKEND": "Agg"}
# where a scorecard's last digits may differ from one machine to another, by its own tolerance
LOOSE = {"low", "high", "replicates", "refits", "spread_by"}


class SnapshotError(Exception):
    """A snapshot that cannot be written or compared, said in one sentence."""


def plain(value: Any) -> Any:
    """Return a result as JSON holds it, numbers in full and tables by column.

    Examples
    --------
    >>> plain({"gap": np.float64(0.1), "none": math.nan, "who": {"b", "a"}})
    {'gap': 0.1, 'none': 'nan', 'who': ['a', 'b']}
    """
    if isinstance(value, pd.DataFrame):
        data = {str(name): plain(value[name]) for name in value}
        return {"columns": [str(name) for name in value], "data": data, "index": plain(value.index)}
    if isinstance(value, pd.Series | pd.Index | np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(part) for part in value), key=repr)
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)


# -- comparing -----------------------------------------------------------------------------


def _near(golden: Any, found: Any, slack: dict[str, float] | None, field: str) -> bool:
    if slack is not None and type(golden) is type(found) is float:
        if field in LOOSE:
            return abs(golden - found) <= slack["interval"] * max(1.0, abs(golden))
        return math.isclose(golden, found, rel_tol=1e-12, abs_tol=1e-15)
    return type(golden) is type(found) and golden == found


def _shown(golden: Any, found: Any) -> str:
    """Return two values side by side; of long texts, what stands around the first difference."""
    if not (isinstance(golden, str) and isinstance(found, str) and len(golden + found) > 160):
        return f"{golden!r:.200} became {found!r:.200}"
    pairs = enumerate(zip(golden, found, strict=False))
    at = next((i for i, (a, b) in pairs if a != b), min(len(golden), len(found)))
    part = slice(max(0, at - 30), at + 60)
    return f"from letter {at + 1} on, {golden[part]!r} became {found[part]!r}"


def differences(
    golden: Any, found: Any, slack: dict[str, float] | None = None, where: str = "", field: str = ""
) -> Iterator[str]:
    """Yield one line a difference: where it is, what was there, and what is there now.

    With `slack`, a scorecard's ``tolerance``, decimals may differ: values by 1e-12, what is drawn
    by the tolerance of intervals. Plain values of one list share a line.

    Examples
    --------
    >>> list(differences({"k": 5, "rows": [1, 2]}, {"rows": [1, 3], "t": 0.1}))
    ['k: 5 is gone', 'rows: 1 of 2 entries, the first rows[1]: 2 became 3', 't: 0.1 is new']
    """
    if isinstance(golden, dict) and isinstance(found, dict):
        for name in sorted({*golden, *found}):
            place = f"{where}.{name}" if where else name
            if name in golden and name in found:
                yield from differences(golden[name], found[name], slack, place, name)
            elif name in golden:
                yield f"{place}: {golden[name]!r:.200} is gone"
            else:
                yield f"{place}: {found[name]!r:.200} is new"
    elif isinstance(golden, list) and isinstance(found, list):
        if len(golden) != len(found):
            yield f"{where}: {len(golden)} entries became {len(found)}"
        odd = []
        for i, (one, other) in enumerate(zip(golden, found, strict=False)):
            lines = differences(one, other, slack, f"{where}[{i}]", field)
            if isinstance(one, dict | list):
                yield from lines
            else:
                odd += lines
        if odd:
            yield f"{where}: {len(odd)} of {len(golden)} entries, the first {odd[0]}"
    elif not _near(golden, found, slack, field):
        yield f"{where}: {_shown(golden, found)}"


# -- files ---------------------------------------------------------------------------------


def _write(path: Path, value: Any) -> None:
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise SnapshotError(f"{path} cannot be read ({problem}).") from None


def _about(folder: Path) -> dict[str, Any]:
    """Return what a snapshot says of itself."""
    path = folder / "snapshot.json"
    about = _read(path) if path.is_file() else None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise SnapshotError(f"{folder} is no snapshot; `write` makes one in a new or empty folder.")
    return about


def made_with() -> dict[str, str]:
    """Return what golden files may depend on besides the code: Python and packages.

    Examples
    --------
    >>> made_with()["python"] == platform.python_version()
    True
    """
    packages = ("numpy", "pandas", "scipy", "scikit-learn", "pyarrow", "duckdb")
    versions = {name: metadata.version(name) for name in packages}
    return {"python": platform.python_version(), **versions}


def _commit() -> str:
    """Return the commit that is checked out, where git knows."""
    ask = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        return subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


# -- the verbs -----------------------------------------------------------------------------


def _computed(parts: Sequence[str]) -> Iterator[tuple[str, str, Any]]:
    """Yield part, name and result of each case, showing how far it is."""
    at = ", ".join(parts)
    try:
        cases = [(part, name, run) for part in parts for name, run in PARTS[part]()]
        with tqdm(cases, unit="case", file=sys.stderr) as bar:
            for part, name, run in bar:
                at = f"{part}/{name}"
                bar.set_description(f"{at:40.40}")
                yield part, name, json.loads(json.dumps(plain(run())))
    except Exception as problem:
        raise SnapshotError(
            f"{at} could not be computed ({type(problem).__name__}: {problem})."
        ) from problem


def write(folder: Path, parts: Sequence[str]) -> int:
    """Write the golden files of some parts; others that a snapshot holds stay as they are.

    Parameters
    ----------
    folder : path
        Outside the checkout: new, empty, or a snapshot.
    parts : sequence of str
        Some of ``PARTS``.

    Returns
    -------
    int
        0.

    Raises
    ------
    SnapshotError
        If the folder is not accepted, or a case stops with an error.
    """
    if ROOT in [folder.resolve(), *folder.resolve().parents]:
        raise SnapshotError(f"{folder} is inside the checkout; golden files stay out of git.")
    if folder.exists() and not folder.is_dir():
        raise SnapshotError(f"{folder} is a file; give a new or empty folder.")
    old = _about(folder) if folder.exists() and any(folder.iterdir()) else {"parts": {}}
    folder.mkdir(parents=True, exist_ok=True)
    about = {"format": FORMAT, "parts": old["parts"]}
    for part in parts:
        about["parts"].pop(part, None)
        _write(folder / "snapshot.json", about)
        shutil.rmtree(folder / part, ignore_errors=True)
        (folder / part).mkdir()
        for _, name, value in _computed([part]):
            _write(folder / part / f"{name}.json", value)
        about["parts"][part] = {"commit": _commit(), **made_with()}
        _write(folder / "snapshot.json", about)
    return 0


def compare(folder: Path, parts: Sequence[str]) -> int:
    """Print every difference from the golden files.

    Parameters
    ----------
    folder : path
        A snapshot.
    parts : sequence of str
        Some of ``PARTS``.

    Returns
    -------
    int
        0 where nothing differs, else 1.

    Raises
    ------
    SnapshotError
        If the folder is no snapshot, lacks a part, or a case stops with an error.
    """
    about = _about(folder)["parts"]
    lacking = [part for part in parts if part not in about]
    if lacking:
        raise SnapshotError(f"{folder} does not hold {', '.join(lacking)}; `write` them first.")
    then, now = about[parts[0]], made_with()
    changed = [f"{name} {then[name]} -> {now[name]}" for name in now if then[name] != now[name]]
    if changed:
        print(f"written with other versions: {', '.join(changed)}", file=sys.stderr)
    waiting = {(part, path.stem) for part in parts for path in (folder / part).glob("*.json")}
    count = 0
    for part, name, found in _computed(parts):
        if (part, name) in waiting:
            waiting.remove((part, name))
            golden = _read(folder / part / f"{name}.json")
            slack = golden.get("tolerance") if part == "scorecards" else None
            lines = list(differences(golden, found, slack))
        else:
            lines = ["is new"]
        for line in lines:
            tqdm.write(f"{part}/{name}: {line}", file=sys.stdout)
        count += len(lines)
    for part, name in sorted(waiting):
        print(f"{part}/{name}: is gone")
    count += len(waiting)
    print(f"{count:,} differences" if count else "equal")
    return 1 if count else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; return how the process should end."""
    parser = argparse.ArgumentParser(prog="snapshot.py", description=__doc__.split("\n")[0])
    parser.add_argument("verb", choices=("write", "compare"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    options = parser.parse_args(argv)
    try:
        with mock.patch.dict(os.environ, STEADY), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            os.environ.pop("ETHICALAI_LAB_DEBUG", None)
            does = write if options.verb == "write" else compare
            return does(options.folder.absolute(), options.only)
    except (SnapshotError, OSError) as problem:
        print(problem, file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
