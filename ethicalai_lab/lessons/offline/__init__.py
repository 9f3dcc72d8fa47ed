"""A process in which nothing reaches the outside world.

The guard is an audit hook in :mod:`sitecustomize` of the folder ``guard``. Put that
folder on ``PYTHONPATH`` and every Python process started from then on, kernels
included, refuses to look up or connect to any host that is not this machine.
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path

__all__ = ["GUARD", "environment", "install"]

GUARD = Path(__file__).parent / "guard"

# Programs that are not Python cannot be hooked: they get a proxy that nobody answers.
_NOWHERE = "http://127.0.0.1:9"


def environment(work: str | os.PathLike[str], *, threads: int = 2) -> dict[str, str]:
    """Return the variables that make child processes offline and repeatable.

    Parameters
    ----------
    work : path
        The folder that takes ``my_policy.yaml`` and the progress file.
    threads : int, default 2
        For linear algebra, in each process; more than there are free cores is many times slower.

    Returns
    -------
    dict of str to str
        Update ``os.environ`` (or a copy for one child) with it.

    Examples
    --------
    >>> env = environment("work")
    >>> env["OMP_NUM_THREADS"], env["no_proxy"]
    ('2', '127.0.0.1,localhost,::1')
    """
    others = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    path = [str(GUARD), *(p for p in others if p != str(GUARD))]
    return {
        "ETHICALAI_LAB_WORK": os.fspath(work),
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONHASHSEED": "0",
        "http_proxy": _NOWHERE,
        "https_proxy": _NOWHERE,
        "all_proxy": _NOWHERE,
        "HTTP_PROXY": _NOWHERE,
        "HTTPS_PROXY": _NOWHERE,
        "ALL_PROXY": _NOWHERE,
        "no_proxy": "127.0.0.1,localhost,::1",
        "NO_PROXY": "127.0.0.1,localhost,::1",
    }


def install() -> None:
    """Put the guard on this very process; it cannot be taken off again."""
    runpy.run_path(str(GUARD / "sitecustomize.py"))
