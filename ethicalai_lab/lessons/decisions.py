"""Decisions: what a lesson's last cell writes into the reader's own policy file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ethicalai_lab.core.files import locked, replace_file
from ethicalai_lab.lessons.feedback import Feedback

__all__ = ["decide", "undo_decision"]

_HISTORY = ".my_policy_history"
_NOTHING = "# there was no policy before\n"


def _path() -> Path:
    from ethicalai_lab.policy import my_policy_path

    return my_policy_path()


def _written(value: Any) -> str:
    if value is None:
        return "undecided"
    if isinstance(value, list):
        return "[" + ", ".join(map(str, value)) + "]"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _entries(folder: Path) -> list[Path]:
    """Return the earlier versions, the oldest first."""
    found = folder.glob("*.yaml") if folder.is_dir() else ()
    return sorted(path for path in found if re.fullmatch(r"\d{4,}", path.stem))


def decide(section: str, **fields: Any) -> Feedback:
    """Write a decision into ``my_policy.yaml``, once every field is decided.

    Parameters
    ----------
    section : str
        Section of the policy, such as ``"personalization"`` or ``"fairness.audit"``.
    **fields
        The section's fields. While one of them is ``...`` nothing is written.

    Returns
    -------
    Feedback
        What was written and what stood there before, or what is still open or not
        accepted. Never raises for a value.

    Examples
    --------
    >>> decide("personalization", targeting=..., share=0.3)
    [Not decided yet] Still open: `targeting`. Nothing is written.
    """
    from ethicalai_lab.policy import Policy, PolicyError

    path = _path()
    try:
        before = Policy.open(path)
        was = {name: before[f"{section}.{name}"] for name in fields}
    except PolicyError as error:
        return Feedback("unreadable", _sentences(error), title="Nothing is written")
    still_open = [name for name, value in fields.items() if value is ...]
    if still_open or not fields:
        known = [f"{name}: {_written(value)}" for name, value in was.items() if value is not None]
        earlier = f"\n\nYour policy says now: {'; '.join(known)}." if known else ""
        names = ", ".join(f"`{name}`" for name in still_open) or "everything"
        text = f"Still open: {names}. Nothing is written.{earlier}"
        return Feedback("untouched", text, title="Not decided yet")
    try:
        after = before.decide(section, **fields)
        if after == before and path.exists():
            return Feedback("noted", "Your policy says so already.", title="Decided")
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.with_name(".my_policy.lock")):
            _keep(path)
            # read again under the lock: another kernel may have decided something else
            Policy.open(path).decide(section, **fields).save(path)
    except PolicyError as error:
        return Feedback("unreadable", _sentences(error), title="Nothing is written")
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        return Feedback(
            "unreadable", f"my_policy.yaml cannot be written: {reason}.", title="Nothing is written"
        )
    changed = [
        f"{name}: {_written(after[f'{section}.{name}'])} (before: {_written(was[name])})"
        for name in fields
    ]
    text = f"Written into `my_policy.yaml`, section {section}:\n\n" + "\n\n".join(changed)
    return Feedback("noted", text + "\n\n`undo_decision()` takes it back.", title="Decided")


def _sentences(error: Exception) -> str:
    return "\n\n".join(line.strip() for line in str(error).splitlines() if line.strip())


def _keep(path: Path) -> None:
    """Keep the present version among the earlier ones."""
    folder = path.parent / _HISTORY
    folder.mkdir(exist_ok=True)
    entries = _entries(folder)
    number = int(entries[-1].stem) + 1 if entries else 1
    text = path.read_bytes() if path.exists() else _NOTHING.encode("utf-8")
    replace_file(folder / f"{number:04d}.yaml", text)


def undo_decision() -> Feedback:
    """Take the last decision back: ``my_policy.yaml`` becomes what it was before it.

    What is taken back is kept as ``my_policy.undone.yaml``.

    Returns
    -------
    Feedback

    Examples
    --------
    >>> undo_decision().heading in ("Nothing to take back", "Taken back")
    True
    """
    path = _path()
    folder = path.parent / _HISTORY
    if not _entries(folder):
        return Feedback("noted", "No decision was written here.", title="Nothing to take back")
    try:
        with locked(path.with_name(".my_policy.lock")):
            last = _entries(folder)[-1]
            if path.exists():
                replace_file(path.with_name("my_policy.undone.yaml"), path.read_bytes())
            earlier = last.read_bytes()
            if earlier == _NOTHING.encode("utf-8"):
                path.unlink(missing_ok=True)
            else:
                replace_file(path, earlier)
            last.unlink()
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        return Feedback("unreadable", f"It cannot be taken back: {reason}.", title="Unchanged")
    return Feedback(
        "noted",
        "`my_policy.yaml` is again what it was before your last decision.",
        title="Taken back",
    )
