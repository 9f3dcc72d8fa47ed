"""Writing files so that a reader never meets half of one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from ethicalai_lab.errors import InputError

__all__ = ["write_atomic"]


def write_atomic(
    path: str | Path, content: str | bytes, *, error: type[InputError] = InputError
) -> None:
    r"""Write a whole file or nothing: to a temporary neighbour, then replace.

    Parameters
    ----------
    path : path-like
        The file; its folder must exist. A symbolic link stays one.
    content : str or bytes
        Text is written as UTF-8, with its line ends as they are.
    error : type
        The InputError subclass to raise.

    Raises
    ------
    InputError
        If the folder is missing or the file cannot be written. What was there
        before is then still there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomic(Path(folder, "note.txt"), "kept\n")
    ...     [file.name for file in Path(folder).iterdir()]
    ['note.txt']
    """
    shown = str(path)
    target = Path(os.path.realpath(path))
    data = content.encode("utf-8") if isinstance(content, str) else content
    if target.is_dir():
        raise error(f"{shown} is a folder; give the name of a file to write.")
    if target.exists() and not target.is_file():
        # a device such as /dev/null would be replaced by a plain file, for everybody
        raise error(f"{shown} is a device or a pipe; give the name of a file to write.")
    if not target.parent.is_dir():
        raise error(f"{shown}: the folder {target.parent} does not exist; make it first.")
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.name[:40]}.", suffix=".part"
        )
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes private files: keep the old file's mode, or take the usual one
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        with contextlib.suppress(OSError):
            os.chmod(temporary, mode)
        os.replace(temporary, target)
        temporary = None
    except OSError as problem:
        reason = problem.strerror or problem
        raise error(f"{shown} cannot be written ({reason}).") from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
