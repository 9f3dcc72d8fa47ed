"""The server of the policy lab's page, as a process that ends with the one that started it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence

__all__ = ["main"]

_GRACE = 10  # seconds in which the server may close its kernels


def main(argv: Sequence[str]) -> None:
    """Run Voilà until it ends, or until standard input does.

    Standard input is a pipe that only the starting process holds open: however that one
    ends, killed outright or with its terminal, the pipe ends too.

    Parameters
    ----------
    argv : sequence of str
        Folders to remove where the starting process can no longer do so, ``--``, and what
        Voilà is told.
    """
    border = list(argv).index("--")
    threading.Thread(target=_follow, args=(argv[:border],), daemon=True).start()
    sys.argv = ["voila", *argv[border + 1 :]]
    from voila.app import main as voila

    voila()


def _follow(folders: Sequence[str]) -> None:
    sys.stdin.buffer.read()
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
