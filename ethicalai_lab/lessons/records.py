"""Progress: one small local file, written so that nothing can be lost or mixed up.

It holds what a reader would want to come back to and no more: which questions were
tried, are right, or had their solution shown, and what was predicted. No answers,
no times, no names. Nothing is sent anywhere.
"""

from __future__ import annotations

import errno
import html
import json
import math
import os
from pathlib import Path
from typing import Any

from ethicalai_lab.core.files import locked, replace_file

__all__ = ["Progress", "ProgressFile", "progress", "work_folder"]

_VERSION = 1
_WAIT = 5.0  # seconds to wait for another kernel that is writing


def work_folder() -> Path:
    """Return the folder of the reader's own files.

    It is named by the environment variable ``ETHICALAI_LAB_WORK``; by default it is
    the current folder, which for a notebook is the notebook's own.
    """
    return Path(os.environ.get("ETHICALAI_LAB_WORK") or ".").expanduser()


def _aside(path: Path) -> Path:
    """Move a file that cannot be read to a free name beside it."""
    for number in range(1, 1000):
        kept = path.with_name(f"{path.stem}.broken-{number}{path.suffix}")
        if not kept.exists():
            os.replace(path, kept)
            return kept
    raise OSError(f"too many broken files beside {path.name}")


_LARGEST = 10_000_000  # bytes; a progress file has some thousand
_FORMS = {"tries": int, "right": bool, "seen": bool, "seen_first": bool, "predicted": str}


def _sound(entry: Any) -> bool:
    """Whether one question's entry has the form that this module writes."""
    return (
        isinstance(entry, dict)
        and all(type(entry[name]) is form for name, form in _FORMS.items() if name in entry)
        and 0 <= entry.get("tries", 0) < 10**9
        # what a later version adds may be any plain value
        and all(_plain(value) for value in entry.values())
    )


def _plain(value: Any) -> bool:
    if isinstance(value, str):  # half a surrogate pair can be read, but never shown
        return not any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int)


def _read(raw: bytes) -> tuple[dict[str, dict[str, dict[str, Any]]], str]:
    """Return the sound entries of a progress file, and why others were left out, if any."""
    try:
        if len(raw) > _LARGEST:
            raise ValueError
        data = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError, MemoryError):
        return {}, "it could not be read"
    if not isinstance(data, dict) or not isinstance(data.get("version"), int):
        return {}, "it could not be read"
    if data["version"] != _VERSION:
        return {}, "another version of the lab wrote it"
    lessons = data.get("lessons")
    if not isinstance(lessons, dict):
        return {}, "it could not be read"
    kept = {
        number: {item: entry for item, entry in entries.items() if _sound(entry)}
        for number, entries in lessons.items()
        if isinstance(entries, dict)
    }
    return kept, "" if kept == lessons else "part of it could not be read; the rest was kept"


class ProgressFile:
    """The reader's progress file.

    Parameters
    ----------
    folder : path-like or None, default None
        Where ``progress.json`` lies; by default the :func:`work_folder`, looked up
        anew each time.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = ProgressFile(folder)
    ...     _ = file.record("01", "q1", tried=True, right=True)
    ...     file.read()["01"]["q1"]
    {'right': True, 'tries': 1}
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self._folder = folder

    @property
    def path(self) -> Path:
        """Where the file is."""
        folder = work_folder() if self._folder is None else Path(self._folder)
        return folder / "progress.json"

    def _load(self) -> tuple[dict[str, Any], str]:
        """Return the content and a sentence about anything that was put aside."""
        lessons, why = self._entries()
        said = ""
        if why:
            said = f"The progress file was set aside as {_aside(self.path).name}, since {why}."
        return {"version": _VERSION, "lessons": lessons}, said

    def _entries(self) -> tuple[dict[str, dict[str, dict[str, Any]]], str]:
        """Return what the file holds, and what is wrong with it, if anything.

        Raises
        ------
        OSError
            If there is something of that name, and it cannot be read.
        """
        path = self.path
        if path.exists() and not path.is_file():  # to open a pipe would wait for ever
            raise OSError(errno.EISDIR, f"{path.name} is no file")
        try:
            with open(path, "rb") as file:
                return _read(file.read(_LARGEST + 1))
        except FileNotFoundError:
            return {}, ""

    def read(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Return the entries by lesson and question; empty when there is no file."""
        try:
            return self._entries()[0]
        except OSError:
            return {}

    def fault(self) -> str:
        """Return what is wrong with the file, in a sentence; empty where nothing is."""
        try:
            why = self._entries()[1]
        except OSError as problem:
            why = (problem.strerror or type(problem).__name__).lower()
        return f"Not all of {self.path.name} is shown: {why}." if why else ""

    def prediction(self, lesson: str, item: str) -> str | None:
        """Return what was predicted for `item`, if anything."""
        return self.read().get(lesson, {}).get(item, {}).get("predicted")

    def record(self, lesson: str, item: str, **event: Any) -> str:
        """Merge one event into the file.

        Two kernels may do this at once: each takes the lock, reads what is there,
        adds its event and puts the new file in the old one's place.

        Parameters
        ----------
        lesson, item : str
            Number of the lesson and id of the question.
        **event
            Any of ``tried``, ``right``, ``seen`` (bool) and ``predicted`` (str).

        Returns
        -------
        str
            Empty, or one sentence for the reader when something was out of order.
        """
        path = self.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with locked(path.with_name(".progress.lock"), wait=_WAIT):
                data, sentence = self._load()
                entry = data["lessons"].setdefault(lesson, {}).setdefault(item, {})
                _merge(entry, event)
                text = json.dumps(data, indent=1, sort_keys=True) + "\n"
                replace_file(path, text.encode("utf-8"))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            return f"Progress is not saved: {reason.lower()}. The exercises work all the same."
        return sentence


def _merge(entry: dict[str, Any], event: dict[str, Any]) -> None:
    if event.get("tried"):
        entry["tries"] = entry.get("tries", 0) + 1
    if event.get("right"):
        entry["right"] = True
    if event.get("seen"):
        entry["seen"] = True
        if not entry.get("right"):
            entry["seen_first"] = True
    if "predicted" in event:
        entry["predicted"] = str(event["predicted"])


def _state(entry: dict[str, Any]) -> str:
    if entry.get("right"):
        return "right after the solution" if entry.get("seen_first") else "right"
    if entry.get("seen"):
        return "solution seen"
    if entry.get("predicted"):
        return "predicted"
    return "tried" if entry.get("tries") else "open"


class Progress:
    """What was tried and what is right, by question and by lesson.

    Attributes
    ----------
    table : DataFrame
        One row a question: lesson, item, state, tries.
    by_lesson : DataFrame
        One row a lesson: lesson, title, right, asked, state.
    fault : str
        What of the file could not be read, in a sentence; empty where all could.
    """

    def __init__(self, entries: dict[str, dict[str, dict[str, Any]]], fault: str = "") -> None:
        import pandas as pd

        from ethicalai_lab.lessons.questions import declaration, declared_lessons

        self.fault = fault
        rows, lessons = [], []
        for number in declared_lessons():
            declared = declaration(number)
            known = entries.get(number, {})
            states = []
            for name in declared.items:
                entry = known.get(name, {})
                state = _state(entry)
                rows.append((number, name, state, entry.get("tries", 0)))
                if not name.startswith("p"):
                    states.append(state)
            right = sum(state.startswith("right") for state in states)
            if states and right == len(states):
                overall = "done"
            else:
                overall = "started" if any(known.values()) else "not started"
            lessons.append((number, declared.title, right, len(states), overall))
        self.table = pd.DataFrame(rows, columns=["lesson", "item", "state", "tries"])
        self.by_lesson = pd.DataFrame(
            lessons, columns=["lesson", "title", "right", "asked", "state"]
        )

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the table of questions to a CSV file and return its path."""
        target = Path(path)
        replace_file(target, self.table.to_csv(index=False, lineterminator="\n").encode("utf-8"))
        return target

    def __repr__(self) -> str:
        return "\n".join([self.by_lesson.to_string(index=False), self.fault]).rstrip("\n")

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th scope="col">{html.escape(name)}</th>' for name in self.by_lesson.columns
        )
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(str(value))}</td>" for value in row) + "</tr>"
            for row in self.by_lesson.itertuples(index=False)
        )
        return (
            "<table><caption>Your progress, kept in this folder only</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            + (f"<p>{html.escape(self.fault)}</p>" if self.fault else "")
        )


def progress(folder: str | os.PathLike[str] | None = None) -> Progress:
    """Return the reader's progress, from the local file.

    Parameters
    ----------
    folder : path-like or None, default None
        Where ``progress.json`` lies; by default the :func:`work_folder`.

    Returns
    -------
    Progress
        Shown as a table; ``.to_csv(path)`` exports it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     progress(folder).by_lesson.loc[0, "state"]
    'not started'
    """
    file = ProgressFile(folder)
    return Progress(file.read(), file.fault())
