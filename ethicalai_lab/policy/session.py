"""The session: try a decision, see what moves, undo it, keep it, hand it on.

What the policy lab's page shows is worked out here, so that it is the same without a page.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ethicalai_lab.core.files import write_atomic
from ethicalai_lab.core.reading import READING
from ethicalai_lab.policy import sections
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.policy import Policy, my_policy_path
from ethicalai_lab.policy.rules import DIMENSIONS, TOLERANCE, Rules
from ethicalai_lab.policy.scorecard import (
    _CSS,
    _POINTS,
    DIRECTIONS,
    Comparison,
    Measure,
    Scorecard,
    _bar,
    _decided,
    _difference,
    _held,
    _is_share,
    _none,
    _policy_yaml,
    _text,
    _unit,
    _with_interval,
    compare_scorecards,
)
from ethicalai_lab.policy.stages import Memory

if TYPE_CHECKING:
    from typing import Self

    from ethicalai_lab.policy.evaluation import PolicyLab
    from ethicalai_lab.policy.frontier import Better
    from ethicalai_lab.world import World

__all__ = [
    "REFITS",
    "UNCLEAR",
    "FileClash",
    "Judging",
    "Move",
    "Search",
    "Session",
    "Stopped",
    "card_html",
    "list_assumed",
    "list_options",
    "one_page",
    "stops",
    "to_notebook",
    "world_recipe",
]

#: Refits that a policy on the page is judged with.
REFITS = 40
#: What the page calls the reading "needs refits".
UNCLEAR = "unclear without refits"
_TOGETHER = 1.0  # seconds: a slider being dragged makes one step to undo, not forty


class FileClash(PolicyError):
    """A file holds something that this session has not seen; nothing was written."""


class Stopped(Exception):
    """Work in the background was stopped on purpose."""


@dataclass(frozen=True)
class Move:
    """A measure that the last change moved.

    Attributes
    ----------
    key : str
        Such as ``"privacy.smallest_class"``.
    before, after : str
        As people read them.
    up : bool or None
        Whether the number grew; None where there is none on one side.
    reading : str
        ``"better"``, ``"worse"``, ``"cannot tell"``, ``"needs refits"``, ``"same"`` or, where
        neither way is better or a number came or went, an empty text.
    """

    key: str
    before: str
    after: str
    up: bool | None
    reading: str

    @property
    def mark(self) -> str:
        """A sign and a word, so that neither colour nor sign stands alone."""
        sign = "\u25c6" if self.up is None else "\u25b2" if self.up else "\u25bc"
        way = "changed" if self.up is None else "up" if self.up else "down"
        return f"{sign} {way}{f', {_plain_reading(self.reading)}' if self.reading else ''}"


@dataclass(frozen=True)
class _Step:
    policy: Policy
    what: str


class Session:
    """A policy at work on a lab: every change is evaluated, and can be undone.

    Parameters
    ----------
    lab : PolicyLab
        Evaluates the policies.
    policy : Policy, optional
        Where to begin; the file at `path` where there is one, unless told.
    path : path-like, optional
        The policy file; :func:`my_policy_path` unless told.
    clock : callable, optional
        Seconds that only grow; for tests.

    Attributes
    ----------
    policy : Policy
    card : Scorecard
        The present policy's, held to the rules.
    computed : tuple of str
        The stages that the last change really ran.
    moved : tuple of Move
        What the last change moved.
    said : str
        The last change in words.
    seconds : float
        What it took.
    pinned : Scorecard or None
        The card that is compared with.
    rules : Rules or None

    Raises
    ------
    PolicyError
        If the policy or its file cannot be used.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.policy import Policy, PolicyLab
    >>> session = Session(PolicyLab(make_world(500, seed=1), n_boot=50), Policy())
    >>> session.decide("log.kind", "hash_chain")
    >>> [move.key for move in session.moved if move.reading == "better"]
    ['duty.tampering_noticed']
    >>> session.undo()
    >>> session.policy.log is None
    True
    """

    def __init__(
        self,
        lab: PolicyLab,
        policy: Policy | None = None,
        *,
        path: str | Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lab = lab
        self.path = my_policy_path() if path is None else Path(path)
        self._clock = clock
        self._seen: dict[str, str] = {}
        self._kinds: dict[str, str] = {}  # what a file of this session is, by its real name
        # what runs in the background and the page take turns
        self.turn = threading.RLock()
        if policy is None:
            policy = Policy.open(self.path)
            self._saw(self.path, "the policy")
        self._start = policy
        self._past: list[_Step] = []
        self._future: list[_Step] = []
        self._last: tuple[str, float] | None = None
        self.rules: Rules | None = None
        self.pinned: Scorecard | None = None
        self.policy = policy
        self.said = "Nothing has been changed yet."
        self.moved: tuple[Move, ...] = ()
        self.computed: tuple[str, ...] = ()
        start = time.perf_counter()
        self._plain = self._evaluated(policy)
        self.computed = self.lab.computed
        self.seconds = time.perf_counter() - start
        self.card = self._plain
        self._before: Scorecard | None = None  # what the last change is compared with

    # -- changing --------------------------------------------------------------

    def decide(self, path: str, value: Any) -> None:
        """Decide one field, or leave it undecided with None.

        Parameters
        ----------
        path : str
            Such as ``"anonymization.k"``.
        value : object

        Raises
        ------
        PolicyError
            If the value is not accepted or contradicts another; nothing has changed then.
        """
        if path not in sections.FIELDS:
            self.policy[path]  # raises, with the names near it
        section, _, name = path.rpartition(".")
        if name == "reason" and value is None:
            new = _without_reason(self.policy, section)
        else:
            new = self.policy.decide(section, **{name: value})
        shown = "undecided" if value is None else _said(value)
        self._to(new, f"{path} is now {shown}.", together=path)

    def use(self, policy: Policy, what: str) -> None:
        """Take another policy as a whole; `what` says in words what was done."""
        if not isinstance(policy, Policy):
            raise PolicyError(f"policy is a {type(policy).__name__}; a Policy is accepted.")
        self._to(policy, what)

    def reset(self) -> None:
        """Go back to where this session began; that can be undone, too."""
        self._to(self._start, "Back to where this session began.")

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to undo."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone change to make again."""
        return bool(self._future)

    def undo(self) -> None:
        """Take the last change back; nothing happens where there is none."""
        if self._past:
            step, here = self._past[-1], self.policy
            self._show(step.policy, f"Undone: {step.what}")
            self._future.append(_Step(here, step.what))
            self._past.pop()
            self._last = None

    def redo(self) -> None:
        """Make the change again that was undone last."""
        if self._future:
            step, here = self._future[-1], self.policy
            self._show(step.policy, f"Done again: {step.what}")
            self._past.append(_Step(here, step.what))
            self._future.pop()
            self._last = None

    def _to(self, policy: Policy, what: str, *, together: str | None = None) -> None:
        if policy == self.policy:
            return
        before = self.policy
        self._show(policy, what)
        now = self._clock()
        joins = (
            together is not None
            and bool(self._past)
            and self._last is not None
            and self._last[0] == together
            and now - self._last[1] < _TOGETHER
        )
        if joins and policy == self._past[-1].policy:
            # a slider that came back to where it was leaves nothing to undo
            self._past.pop()
            together = None
        elif joins:
            self._past[-1] = replace(self._past[-1], what=what)
        else:
            self._past.append(_Step(before, what))
        self._future.clear()
        self._last = None if together is None else (together, now)

    def _show(self, policy: Policy, what: str) -> None:
        """Evaluate a policy and put it in place; where that fails, nothing has changed."""
        start = time.perf_counter()
        with self.turn:
            card = self._evaluated(policy)
            self.computed = self.lab.computed
            self.moved, self._before = _moves(self._plain, card), self._plain
            self.policy, self._plain, self.said = policy, card, what
            self.card = card if self.rules is None else card.with_rules(self.rules)
        self.seconds = time.perf_counter() - start

    def _evaluated(self, policy: Policy) -> Scorecard:
        """Return a policy's card, with refits where they were run before: none is run here."""
        with self.turn:
            known = not self.lab.lacking_refits([policy], REFITS)
            return self.lab.evaluate(policy, refit=REFITS if known else 0)

    # -- judging with refits ---------------------------------------------------

    @property
    def unjudged(self) -> list[Policy]:
        """The policies that are compared here and whose refits are yet to be run.

        Of the present one, the one before the last change and A; of those that differ in
        nothing that is learned, one.
        """
        with self.turn:
            cards = (self._plain, self._before, self.pinned)
            policies = [card.policy for card in cards if card is not None]
            return self.lab.lacking_refits(policies, REFITS)

    def judge(self) -> Judging:
        """Start refits of :attr:`unjudged` in the background; the session stays usable."""
        return Judging(self)

    def take_refits(self) -> None:
        """Show all again with the refits that are known by now."""
        with self.turn:
            self._plain = self._evaluated(self.policy)
            if self._before is not None:
                self._before = self._evaluated(self._before.policy)
                self.moved = _moves(self._before, self._plain)
            if self.pinned is not None:
                self.pinned = self._evaluated(self.pinned.policy)
            self.card = self._plain if self.rules is None else self._plain.with_rules(self.rules)

    # -- comparing -------------------------------------------------------------

    def pin(self) -> None:
        """Keep the present card as A, with which later ones are compared."""
        self.pinned = self._plain

    def unpin(self) -> None:
        """Compare with nothing."""
        self.pinned = None

    def comparison(self) -> Comparison | None:
        """Return A and the present policy, with paired differences; None while A is not set."""
        if self.pinned is None:
            return None
        return compare_scorecards(self.pinned, self._plain, names=("A", "now"))

    # -- rules -----------------------------------------------------------------

    def load_rules(self, path: str | Path) -> None:
        """Hold the card to a team's rules.

        Raises
        ------
        PolicyError
            If they cannot be read or name a measure that is not there; the rules before
            stay in force then.
        """
        rules = Rules.load(path)
        self.card = self._plain.with_rules(rules)
        self.rules = rules
        self._saw(Path(path), "the rules")

    def drop_rules(self) -> None:
        """Hold the card to nothing."""
        self.rules = None
        self.card = self._plain

    # -- files -----------------------------------------------------------------

    def load(self, path: str | Path | None = None) -> None:
        """Take the policy of a file.

        Raises
        ------
        PolicyError
            If it cannot be read, or not evaluated here; nothing has changed then.
        """
        path = self.path if path is None else Path(path)
        policy = Policy.load(path)
        self._to(policy, f"Loaded {path}.")
        self._saw(path, "the policy")

    def save(self, path: str | Path | None = None, *, overwrite: bool = False) -> None:
        """Write the policy to its file.

        Parameters
        ----------
        path : path-like, optional
        overwrite : bool
            Write even where the file holds something new; a second press says so. What
            changed after the first press is told once more.

        Raises
        ------
        FileClash
            If the file holds decisions that this session has not seen.
        PolicyError
            If it cannot be written.
        """
        path = self.path if path is None else Path(path)
        self._keep_others(path, "the policy")
        if not self._agrees(path):
            self._guard(
                path,
                overwrite,
                f"{path} has changed on disk since it was loaded",
                f"{path} is there already and was not loaded here",
            )
        try:
            self.policy.save(path)
        except PolicyError as error:
            raise PolicyError(
                f"Not saved, nothing was written: {one_sentence(error)} Mend that file, or give "
                "another name."
            ) from None
        self._saw(path, "the policy")

    def export_card(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the card as one page of HTML that loads nothing."""
        path = Path(path)
        self._guard_export(path, overwrite, "a card")
        write_atomic(path, one_page(self.card, title="Policy scorecard"), error=PolicyError)
        self._saw(path, "a card")

    def export_notebook(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write a notebook that makes this card again and checks it."""
        path = Path(path)
        self._guard_export(path, overwrite, "a notebook")
        to_notebook(self.policy, world_recipe(self.lab.world), self.card, path, rules=self.rules)
        self._saw(path, "a notebook")

    def _guard_export(self, path: Path, overwrite: bool, kind: str) -> None:
        self._keep_others(path, kind)
        self._guard(
            path,
            overwrite,
            f"{path} has changed on disk since it was written here",
            f"{path} is there already",
        )

    def _keep_others(self, path: Path, kind: str) -> None:
        """Refuse to write one thing of this session over another, however it is spelt."""
        for known, held in self._kinds.items():
            there = held != kind and path.exists() and os.path.exists(known)
            if there and os.path.samefile(path, known):
                raise PolicyError(
                    f"{path} holds {held} of this session; nothing was written. Give another name."
                )

    def _guard(self, path: Path, overwrite: bool, changed: str, there: str) -> None:
        if not path.is_file():
            if path.exists() and not path.is_dir():
                # what is written replaces what is there, and a device must not be replaced
                raise PolicyError(
                    f"{path} is a device or a pipe; give the name of a file to write."
                )
            return
        found, key = _digest(path), str(path.resolve())
        if self._seen.get(key) == found or (overwrite and self._seen.get(f"told {key}") == found):
            return
        self._seen[f"told {key}"] = found
        raise FileClash(
            f"{changed if key in self._seen else there}; nothing was written. Press again to "
            "write over it, or give another name."
        )

    def _agrees(self, path: Path) -> bool:
        """Tell whether a file says what is decided here, so that saving loses nothing."""
        try:
            return Policy.load(path) == self.policy
        except PolicyError:
            return False

    def _saw(self, path: Path, kind: str) -> None:
        if path.is_file():
            self._kinds[str(path.resolve())] = kind
            self._seen[str(path.resolve())] = _digest(path)

    # -- a better one nearby ---------------------------------------------------

    def better(
        self,
        improve: str,
        *,
        changes: int = 1,
        top: int = 5,
        told: Callable[[int, int], None] = lambda done, of: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Better:
        """Find changes that improve a measure at the least cost elsewhere.

        Parameters
        ----------
        improve : str
            A measure with a direction and a number.
        changes : {1, 2}
        top : int
        told : callable
            ``told(done, of)`` after each policy evaluated.
        stop : callable
            Asked before each; True ends the search.

        Returns
        -------
        Better

        Raises
        ------
        Stopped
            If it was stopped.
        PolicyError
            As :func:`nearest_better`.
        """
        from ethicalai_lab.policy.frontier import nearest_better, neighbours

        policy = self.policy
        # the policy before, its neighbours, pairs of the best (at most 15 and 12), the rows
        of = 1 + sum(1 for _ in neighbours(policy)) + (27 if changes == 2 else 0) + top
        watched: Any = _Watched(self.lab, self.turn, of, told, stop)
        found = nearest_better(policy, watched, improve, changes=changes, top=top, progress=False)
        told(of, of)
        return found

    def search(self, improve: str, *, changes: int = 1, top: int = 5) -> Search:
        """Start :meth:`better` in the background; the session stays usable."""
        return Search(self, improve, changes, top)


class _Watched:
    """A lab that counts its evaluations, remembers by itself, and can be stopped."""

    def __init__(
        self,
        lab: PolicyLab,
        turn: AbstractContextManager[Any],
        of: int,
        told: Callable[[int, int], None],
        stop: Callable[[], bool],
    ) -> None:
        # the same context and graph, so nothing is read twice; its own memory, so that the
        # page's next move still finds what it knows
        self._lab = copy.copy(lab)
        self._lab._memory = Memory(8)
        self._turn, self._of, self._told, self._stop = turn, of, told, stop
        self._done = 0

    def evaluate(self, policy: Policy, *, refit: int = 0) -> Scorecard:
        self._go_on()
        with self._turn:
            card = self._lab.evaluate(policy)
        if refit:  # on halves of the people, which nobody else reads
            return self._lab.evaluate(policy, refit=refit, step=self._go_on)
        self._done += 1
        self._told(min(self._done, self._of), self._of)
        return card

    def _go_on(self) -> None:
        if self._stop():
            raise Stopped("Stopped; nothing was changed.")


class _Task:
    """Work in a thread of its own, which tells how far it is and can be stopped."""

    #: What it is called where it fails.
    name = "work"

    def __init__(self) -> None:
        self.done, self.of = 0, 1
        self.problem = ""
        self._halt = threading.Event()
        self._over = threading.Event()
        self._watchers: list[Callable[[Any], None]] = []
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def _work(self) -> None:
        raise TypeError(f"{type(self).__name__} does nothing")

    def _run(self) -> None:
        try:
            self._work()
        except Stopped as stopped:
            self.problem = str(stopped)
        except PolicyError as error:
            self.problem = one_sentence(error)
        except Exception as error:  # in the background nobody else would hear of it
            self.problem = f"The {self.name} failed ({type(error).__name__}: {error})."
        finally:
            self._over.set()
            self._tell()

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return not self._over.is_set()

    def watch(self, told: Callable[[Any], None]) -> Self:
        """Call `told(task)` at each step."""
        self._watchers.append(told)
        return self

    def start(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End it before its next step."""
        self._halt.set()

    def wait(self, seconds: float | None = None) -> Self:
        """Wait for the end."""
        self._thread.join(seconds)
        return self

    def _tell(self) -> None:
        for told in self._watchers:
            told(self)


class Search(_Task):
    """A search for a better policy that runs in the background.

    Attributes
    ----------
    improve : str
        The measure's key.
    changes : {1, 2}
        At most that many at once.
    done, of : int
        Policies evaluated so far, and at most.
    found : Better or None
    problem : str
        What went wrong, in words; empty where nothing did.
    """

    name = "search"

    def __init__(self, session: Session, improve: str, changes: int, top: int) -> None:
        super().__init__()
        self._session, self._top = session, top
        self.improve, self.changes = improve, changes
        self.found: Better | None = None

    def _work(self) -> None:
        self.found = self._session.better(
            self.improve,
            changes=self.changes,
            top=self._top,
            told=self._told,
            stop=self._halt.is_set,
        )

    def _told(self, done: int, of: int) -> None:
        self.done, self.of = done, of
        self._tell()


class Judging(_Task):
    """Refits of the policies that a session compares, run in the background.

    Each policy whose refits are all run keeps them, also where the rest is stopped.

    Attributes
    ----------
    done, of : int
        Refits run so far, and all.
    seconds : float
        What one took so far, on average; 0 before the first.
    problem : str
        What went wrong, in words; empty where nothing did.
    """

    name = "judging"

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session, self.seconds = session, 0.0
        self._policies = session.unjudged
        self.of = REFITS * len(self._policies)

    def _work(self) -> None:
        start = time.perf_counter()

        def step() -> None:
            self.done += 1
            self.seconds = (time.perf_counter() - start) / self.done
            if self.done % REFITS:  # a policy whose last refit is run keeps them
                self._go_on()
            self._tell()

        session = self._session
        try:
            for policy in self._policies:
                self._go_on()
                # on halves of the people, which nobody else reads
                session.lab.run_refits(policy, REFITS, step=step, turn=session.turn)
        finally:
            session.take_refits()

    def _go_on(self) -> None:
        if self._halt.is_set():
            raise Stopped(f"Stopped after {self.done} of {self.of} refits.")


# ------------------------------------------------------------------------ helpers


def one_sentence(error: Exception) -> str:
    """Return an error as one line; of several faults the first, and how many follow."""
    faults = getattr(error, "faults", None) or (str(error),)
    more = len(faults) - 1
    also = f" (and {more} more fault{'s' if more > 1 else ''})" if more else ""
    return f"{' '.join(str(faults[0]).split())}{also}"


def _without_reason(policy: Policy, section: str) -> Policy:
    data = inner = policy.to_dict()
    for name in section.split("."):
        inner = inner.get(name, {})
    inner.pop("reason", None)
    return policy._with(data)


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as problem:
        raise PolicyError(f"{path} cannot be read ({problem.strerror}).") from None


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none of them"
    return str(value)


def _moves(before: Scorecard, after: Scorecard) -> tuple[Move, ...]:
    """Return what differs between two cards, in their order."""
    found = []
    earlier = {measure.key: measure for measure in before.measures}
    for measure in after.measures:
        old = earlier.get(measure.key)
        if old is None or (old.value == measure.value and old.needs == measure.needs):
            continue
        if old.value is None or measure.value is None:
            up, reading = None, ""
        else:
            up = measure.value > old.value
            reading = _difference(old, measure, same_policy=False)[-1]
        found.append(Move(measure.key, old.shown, measure.shown, up, reading))
    return tuple(found)


def list_options(path: str, lab: PolicyLab) -> tuple[str, ...]:
    """Return the names that a field which holds a list may hold on a lab's world.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.policy import PolicyLab
    >>> lab = PolicyLab(make_world(200, seed=1), n_boot=0)
    >>> list_options("fairness.audit.groups", lab)[:2]
    ('gender', 'ethnic_group')
    """
    words = sections.choices(path)
    if words:
        return words
    context = lab.context
    if path == "data.features":
        from ethicalai_lab.policy.modelling import COLUMNS

        return tuple(COLUMNS)
    if path == "data.zero_party_questions":
        return tuple(map(str, context.world.preferences["question"].cat.categories))
    if path == "anonymization.quasi_identifiers":
        from ethicalai_lab.policy.protection import _DETAIL

        return tuple(_DETAIL)
    return (*context.groups, "region", "education", "jurisdiction", "loyalty_tier")


def list_assumed(path: str, lab: PolicyLab) -> tuple[str, ...]:
    """Return what a field that holds a list stands for on a lab's world while undecided.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.policy import PolicyLab
    >>> list_assumed("anonymization.quasi_identifiers", PolicyLab(make_world(200, seed=1)))
    ('age', 'gender', 'postcode')
    """
    if path == "data.features":
        return list_options(path, lab)
    if path == "anonymization.quasi_identifiers":
        from ethicalai_lab.policy.protection import _quasi_identifiers

        return tuple(_quasi_identifiers(lab.context, None))
    return tuple(sections.assumed(path) or ())


_SERIES = (1, 1.5, 2, 3, 5, 7)
_DAYS = (1, 2, 3, 7, 14, 30, 60, 90, 120, 180, 270, 365, 545, 730, 1095, 1460, 1825, 2555, 3650)
_LOG = {
    "anonymization.k": (1, 10_000),
    "anonymization.l": (1, 1_000),
    "fairness.audit.min_group_size": (1, 1_000_000),
    "personalization.contact_cost": (0.01, 1_000),
    "personalization.unsubscribe_cost": (0.1, 10_000),
    "anonymization.epsilon": (0.01, 100),
}
_STEPS = {"personalization.share": 0.01, "anonymization.suppression": 0.01}


def stops(path: str) -> tuple[float, ...] | tuple[int, ...]:
    """Return where a number's slider stops: by ratios where ratios matter, else evenly.

    Examples
    --------
    >>> stops("anonymization.k")[:8]
    (1, 2, 3, 5, 7, 10, 15, 20)
    >>> stops("data.retention_days")[-2:]
    (2555, 3650)
    """
    low, high, _ = sections.limits(path)
    whole = sections._inner(sections.FIELDS[path].annotation) is int
    if low is None or high is None:
        raise PolicyError(f"{path} is no number with two limits.")
    if path.endswith("_days") and high > 3_000:
        return tuple(dict.fromkeys((*(d for d in _DAYS if low <= d <= high), int(high))))
    if path in _LOG:
        first, last = _LOG[path]
        found: list[float] = [] if low > 0 or path.endswith("epsilon") else [low]
        exponent = -3
        while 10**exponent <= last:
            for part in _SERIES:
                value = round(part * 10.0**exponent, 6)
                if first <= value <= last and (not whole or value == int(value)):
                    found.append(int(value) if whole else value)
            exponent += 1
        return tuple(dict.fromkeys(found))
    if whole:
        step = 1 if high - low <= 400 else 10
        return tuple(range(int(low), int(high) + 1, step))
    step = _STEPS.get(path, 0.01)
    count = round((high - low) / step)
    return tuple(round(low + i * step, 6) for i in range(count + 1))


# ------------------------------------------------------------------------ the live card

_LIVE_CSS = """
.eal-live{font-size:.8125rem}.eal-live td.num{white-space:normal}
.eal-live th[scope=row]{font-weight:normal;min-width:9em}
.eal-live th[scope=row] small{display:block}
.eal-live tr.moved>*{box-shadow:inset 0 0 0 100vmax color-mix(in srgb,var(--bar) 14%,transparent)}
.eal-live .mark{white-space:nowrap;font-weight:bold}.eal-live .lack{font-style:italic}
.eal-live ul{margin:.15rem 0 .4rem;padding-left:1.1rem}.eal-live p{margin:.25rem 0}
.eal-live .now{height:7.4em;overflow:auto;border:1px solid var(--line);padding:.15rem .5rem;
margin-bottom:.4rem;box-sizing:border-box}
.eal-live .now ul{list-style:none;padding:0}
.eal-live thead th{position:sticky;top:0;z-index:1}
.eal-live .box{max-height:40rem;overflow:auto;border:1px solid var(--line)}
"""


def card_html(session: Session) -> str:
    """Return the scorecard as the page shows it: what moved is marked, by sign and word.

    Parameters
    ----------
    session : Session

    Returns
    -------
    str
        HTML that loads nothing. With a pinned card A the table also holds the paired
        difference to it.
    """
    moved = {move.key: move for move in session.moved}
    heads = ["measure", "value (interval)", "last change"]
    if session.pinned is not None:  # what moved is also listed above the table
        heads[-1] = "A, difference to A (interval)"
    against: dict[str, Mapping[str, Any]] = {}
    if session.pinned is not None:
        comparison = session.comparison()
        assert comparison is not None
        rows = comparison.table.to_dict("records")
        against = {f"{row['dimension']}.{row['measure']}": row for row in rows}
    bounds = any(measure.limits for measure in session.card.measures)
    if bounds:
        heads.insert(2, "bound")
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in heads)
    bodies = []
    for dimension in DIMENSIONS:
        measures = [m for m in session.card.measures if m.dimension == dimension]
        lines = "".join(
            _live_row(measure, moved.get(measure.key), bounds, session.pinned, against)
            for measure in measures
        )
        if measures:
            bodies.append(
                f'<tbody><tr class="dim"><th scope="rowgroup" colspan="{len(heads)}">'
                f"{dimension}</th></tr>{lines}</tbody>"
            )
    misses = "".join(f"<li>{_text(miss.text)}</li>" for miss in session.card.misses)
    return (
        '<section class="eal-score eal-live" lang="en" aria-label="Scorecard">'
        f"<style>{_CSS}{_LIVE_CSS}</style>{_now_html(session.moved)}"
        f'<p class="sum"><strong>Scorecard.</strong> {_text(session.card.summary)}</p>'
        + (f"<p><strong>Bounds missed</strong></p><ul>{misses}</ul>" if misses else "")
        + '<div class="box" role="region" tabindex="0" aria-label="Measures"><table>'
        f"<thead><tr>{head}</tr></thead>{''.join(bodies)}</table></div>"
        "<p><small>Each bar has its own scale and contains zero: thick, the interval; round, the "
        "value; cross, the truth where this world knows it; dashed, a bound. An interval is over "
        "people drawn again; one with refits also counts chance in learning and choosing. Results "
        "of the tests named in the exported card, no verdict.</small></p></section>"
    )


_ORDER = ("worse", "better", "", "needs refits", "cannot tell", "same")


def _now_html(moved: tuple[Move, ...]) -> str:
    """Return what the last change moved, in a box of one height, so that the page stays put."""
    lines = "".join(
        f'<li><span class="mark">{_text(move.mark)}</span>: '
        f"{_text(move.key.replace('.', ': ').replace('_', ' '))}, {_text(move.before)} \u2192 "
        f"{_text(move.after)}</li>"
        for move in sorted(moved, key=lambda move: _ORDER.index(move.reading))
    )
    inner = f"<ul>{lines}</ul>" if lines else "<p>Nothing moved yet.</p>"
    return (
        '<div class="now" role="region" tabindex="0" aria-label="What the last change moved">'
        f"<strong>What the last change moved</strong>{inner}</div>"
    )


def _live_row(
    measure: Measure,
    move: Move | None,
    bounds: bool,
    pinned: Scorecard | None,
    against: Mapping[str, Mapping[str, Any]],
) -> str:
    name = measure.measure.replace("_", " ")
    title = f"{measure.meaning} Evidence: {measure.evidence}"
    cells = [
        f'<th scope="row" title="{_text(title)}">{_text(name)} '
        f"<small>{_text(_unit(measure))}; {DIRECTIONS[measure.direction]}</small></th>"
    ]
    if measure.value is None:
        cells.append(f'<td class="lack"><small>{_text(measure.needs)}</small></td>')
    else:
        over = f"<br><small>{_text(measure.shown_refits)}</small>" if measure.shown_refits else ""
        truth = f"<small>{_text(_told_truth(measure))}</small>"
        cells.append(f'<td class="num">{_text(measure.shown)}{over}{_bar(measure)}{truth}</td>')
    if bounds:
        gap = ' class="gap"' if measure.misses else ""
        cells.append(f"<td{gap}>{'<br>'.join(_text(line) for line in _held(measure))}</td>")
    if pinned is not None:
        old = pinned.get(measure.key)
        shown = f"A: {_text(old.shown)}<br>" if old is not None else ""
        cells.append(f'<td class="num">{shown}{_against(measure, against.get(measure.key))}</td>')
    elif move is not None:
        cells.append(
            f'<td><span class="mark">{_text(move.mark)}</span><br><small>was '
            f"{_text(move.before)}</small></td>"
        )
    else:
        cells.append("<td></td>")
    return f"<tr{' class=moved' if move is not None else ''}>{''.join(cells)}</tr>"


def _told_truth(measure: Measure) -> str:
    known = measure.truth is not None and not measure.only_here
    return f"truth {measure.shown_truth}" if known else measure.shown_truth


def _plain_reading(reading: str) -> str:
    return UNCLEAR if reading == "needs refits" else reading


def _against(measure: Measure, row: Mapping[str, Any] | None) -> str:
    if row is None or row["difference"] != row["difference"]:
        return ""
    if row["reading"] == "same" or (row["difference"] == 0 and row["low"] == row["high"]):
        return "same"
    unit = _POINTS if _is_share(measure.unit) else measure.unit
    text = _with_interval(row["difference"], _none(row["low"]), _none(row["high"]), unit, sign=True)
    sign = "\u25b2 " if row["difference"] > 0 else "\u25bc " if row["difference"] < 0 else ""
    over = ", over refits" if row["refits"] else ""
    reading = _plain_reading(row["reading"])
    reading = f"<br><small>{_text(reading + over)}</small>" if reading else ""
    return f"<strong>{sign}{_text(text)}</strong>{reading}"


# ------------------------------------------------------------------------ the printed sheet

# no type below 7 pt: what does not fit goes on to a second sheet instead
_SHEET_CSS = """
.sheet{display:none}
@media print{.page.eal-score{display:none}
.sheet.eal-score{display:block;--ink:#000;--paper:#fff;--line:#999;--gap:#8a1c00;--bar:#0072b2;
--band:#8fc1e3;--soft:#eee;font:7pt/1.15 system-ui,sans-serif;-webkit-print-color-adjust:exact;
print-color-adjust:exact}
.sheet h1{font-size:12pt;margin:0 0 1mm}.sheet h2{font-size:8pt;margin:1.4mm 0 .3mm;padding:.3mm .8mm;
background:var(--soft);break-after:avoid}.sheet h2:first-child{margin-top:0}.sheet p{margin:.6mm 0}
.sheet .two{columns:2;column-gap:5mm;margin-top:1mm}
.sheet.eal-score small{font-size:7pt}
.sheet table{margin:0}.sheet.eal-score th,.sheet.eal-score td{padding:.15mm .8mm;max-width:none;
border:0}.sheet tbody{break-inside:avoid;border-bottom:.2mm solid #ccc}
.sheet.eal-score th{font-weight:normal}.sheet.eal-score th b{display:block}
.sheet.eal-score td{width:41mm}.sheet.eal-score .held{width:auto;padding-top:0}
.sheet.eal-score svg{display:inline-block;vertical-align:middle;width:18mm;height:2.6mm}.sheet ul{margin:0;padding-left:3mm}
.sheet .lack{padding:.25mm .8mm}.sheet li,.sheet .lack p{break-inside:avoid}}
"""
_SHEET_NOTE = (
    "Bars: each on its own scale, which holds zero; thick, the interval over people; round, the "
    "value; cross, the truth where it is known; dashed, a bound. What each measure means and rests on stands on "
    "the page on screen. Results of tests on the data named above, no verdict."
)
_ABOUT = {
    "world": "Measured on",
    "n": "people",
    "seed": "seed of the evaluation",
    "n_boot": "resamples",
    "refits": "refits",
    "experiment": "Warning",
}


def one_page(card: Scorecard, *, title: str = "Scorecard") -> str:
    """Return a scorecard as a page of HTML that prints as a sheet one can read.

    On screen it is the page of :meth:`Scorecard.to_html`. On paper it is one A4 sheet of two
    columns, in type of 7 points or more; what does not fit goes on to a second sheet.

    Parameters
    ----------
    card : Scorecard
    title : str

    Returns
    -------
    str
        HTML that loads nothing.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.policy import Policy, PolicyLab
    >>> card = PolicyLab(make_world(200, seed=1), n_boot=0).evaluate(Policy())
    >>> page = one_page(card, title="Ours")
    >>> page.count("<h1>Ours</h1>")  # on screen, and on paper
    2
    """
    page = card.to_html(title=title)
    head, body = page.index("</style></head>"), page.rindex("</body>")
    sheet = _sheet(card, title)
    return f"{page[:head]}{_SHEET_CSS}{page[head:body]}{sheet}{page[body:]}"


def _sheet(card: Scorecard, title: str) -> str:
    told = (
        f"{_text(_ABOUT.get(name, name))}: {_text(f'{v:,}' if name == 'n' and isinstance(v, int) else v)}"
        for name, v in card.facts.items()
    )
    read = f"<p>{READING}: {_text(' '.join(card.how_read))}</p>" if card.how_read else ""
    parts = [
        f'<section class="eal-score sheet" lang="en"><h1>{_text(title)}</h1>',
        f"<p><strong>{_text(card.summary)}</strong></p><p>{'; '.join(told)}.</p>{read}",
    ]
    if card.misses:
        misses = "".join(f"<li>{_text(miss.text)}</li>" for miss in card.misses)
        parts.append(f"<h2>Bounds missed</h2><ul>{misses}</ul>")
    parts.append('<div class="two">')
    for dimension in DIMENSIONS:
        here = [measure for measure in card.measures if measure.dimension == dimension]
        rows = "".join(_sheet_row(m) for m in here if m.value is not None or m.limits)
        lacking: dict[str, list[str]] = {}
        for m in here:
            if m.value is None and not m.limits:
                lacking.setdefault(m.needs, []).append(m.measure.replace("_", " "))
        lacks = "".join(
            f"<p>{_text(', '.join(names))}: <i>{_text(needs)}</i></p>"
            for needs, names in lacking.items()
        )
        if here:
            parts.append(f"<h2>{dimension}</h2>")
            parts.append(f"<table>{rows}</table>" if rows else "")
            parts.append(f'<div class="lack">{lacks}</div>' if lacks else "")
    decided = "".join(f"<li>{_text(line)}</li>" for line in _decided(card.policy))
    parts.append(
        f"<h2>What was decided</h2>{f'<ul>{decided}</ul>' if decided else '<p>Nothing.</p>'}"
    )
    parts.append(f"</div><p>{_SHEET_NOTE}</p></section>")
    return "".join(parts)


def _sheet_row(measure: Measure) -> str:
    name = f"<b>{_text(measure.measure.replace('_', ' '))}</b>"
    unit = f"{_text(_unit(measure))}; {DIRECTIONS[measure.direction]}"
    held = "<br>".join(_text(line) for line in _held(measure))
    if held:
        gap = " gap" if measure.misses else ""
        held = f'<tr><td class="held{gap}" colspan="2">{held}</td></tr>'
    if measure.value is None:
        value = f"<i>{_text(measure.needs)}</i>"
    else:
        lines = map(_text, filter(None, (measure.shown, measure.shown_refits)))
        value = f"{'<br>'.join(lines)}<br>{_bar(measure)} {_text(_told_truth(measure))}"
    return f'<tbody><tr><th scope="row">{name}{unit}</th><td>{value}</td></tr>{held}</tbody>'


# ------------------------------------------------------------------------ the notebook


def world_recipe(world: World) -> dict[str, Any]:
    """Return how to make a world again.

    Parameters
    ----------
    world : World

    Returns
    -------
    dict
        ``n``, ``seed`` and ``config``, the knobs that differ from the default.

    Raises
    ------
    PolicyError
        If the world does not come from a seed, or not only.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> world_recipe(make_world(200, seed=3))
    {'n': 200, 'seed': 3, 'config': {}}
    """
    from dataclasses import fields

    from ethicalai_lab.policy.frontier import _recipe
    from ethicalai_lab.world import WorldConfig

    found = _recipe(world)
    if found is None:
        raise PolicyError(
            "This world cannot be made again from a seed, so no notebook can reproduce its "
            "scorecard; export the card instead."
        )
    usual = WorldConfig()
    knobs = {
        each.name: getattr(found["config"], each.name)
        for each in fields(WorldConfig)
        if getattr(found["config"], each.name) != getattr(usual, each.name)
    }
    return {"n": found["n"], "seed": found["seed"], "config": knobs}


def to_notebook(
    policy: Policy,
    world: Mapping[str, Any],
    scorecard: Scorecard,
    path: str | Path | None = None,
    *,
    rules: Rules | None = None,
) -> str:
    """Return a notebook that makes a scorecard again and checks each value.

    Parameters
    ----------
    policy : Policy
        What was measured.
    world : mapping
        From :func:`world_recipe`: ``n``, ``seed`` and, where not the default, ``config``.
    scorecard : Scorecard
        What came out; its `about` says with which seed and resamples.
    path : path-like, optional
        A file to write, whole or not at all.
    rules : Rules, optional
        The team's bounds, shown beside the values.

    Returns
    -------
    str
        The notebook as JSON, without outputs.

    Raises
    ------
    PolicyError
        If the card does not belong to the policy, or the file cannot be written.
    """
    if scorecard.policy != policy:
        raise PolicyError("The scorecard is another policy's; evaluate this one first.")
    about = scorecard.about
    lacking = [name for name in ("n_boot", "seed", "version") if name not in about]
    if lacking:
        raise PolicyError(f"The scorecard does not say its {lacking[0]}; evaluate the policy anew.")
    # whoever runs the notebook runs this text: every value goes in as a literal, or not at all
    n, world_seed = (_whole(name, world.get(name)) for name in ("n", "seed"))
    n_boot, seed = (_whole(name, about[name]) for name in ("n_boot", "seed"))
    refit = f", refit={_whole('refits', about['refits'])}" if "refits" in about else ""
    version = re.sub(r"[^0-9A-Za-z.+-]", "", str(about["version"]))[:40]
    expected = {measure.key: measure.value for measure in scorecard.measures}
    values = "".join(f"    {json.dumps(k)}: {_literal(v)},\n" for k, v in expected.items())
    config = _config(world.get("config") or {})
    knobs = bool(config)
    names = "make_world, WorldConfig" if knobs else "make_world"
    ruled = rules is not None
    parts: list[tuple[str, str, str]] = [
        (
            "markdown",
            "about",
            "# Scorecard of a policy, to be made again\n\n"
            f"A policy, a synthetic world of {n:,} customers (seed {world_seed}) and "
            f"the values that came out with version {version} of the lab. Run all "
            "cells: the last one compares.\n\nAll people in it are synthetic. These are results "
            "of the tests named under evidence, no verdict.",
        ),
        (
            "code",
            "setup",
            "import math\nfrom pathlib import Path\nfrom tempfile import TemporaryDirectory\n\n"
            "import pandas as pd\n\n"
            f"from ethicalai_lab.world import {names}\n"
            f"from ethicalai_lab.policy import Policy, {'Rules, ' if ruled else ''}evaluate\n\n"
            # pandas shows sixty rows, and leaves out the middle of a longer table
            'pd.set_option("display.max_rows", None)',
        ),
        (
            "code",
            "policy",
            f"POLICY = {_literal(_policy_yaml(policy))}\n\n"
            "with TemporaryDirectory() as folder:\n"
            '    file = Path(folder, "policy.yaml")\n'
            '    file.write_text(POLICY, encoding="utf-8")\n'
            "    policy = Policy.load(file)\npolicy",
        ),
        (
            "code",
            "evaluate",
            f"world = make_world({n}, seed={world_seed}{config})\n"
            f"card = evaluate(policy, world, n_boot={n_boot}, seed={seed}{refit})",
        ),
    ]
    if rules is not None:
        parts.append(
            (
                "code",
                "rules",
                f"RULES = {_literal(rules.to_yaml())}\n\n"
                "card = card.with_rules(Rules.parse(RULES))",
            )
        )
    parts += [
        ("code", "card", "card"),
        ("code", "table", "card.table"),
        (
            "code",
            "check",
            f"EXPECTED = {{\n{values}}}\n\n\n"
            "def same(found, expected):\n"
            "    if found is None or expected is None:\n"
            "        return found is expected\n"
            f"    return math.isclose(found, expected, rel_tol={TOLERANCE}, abs_tol={TOLERANCE})\n"
            "\n\n"
            "found = {measure.key: measure.value for measure in card.measures}\n"
            "differing = {\n"
            "    key: (found.get(key), EXPECTED.get(key))\n"
            "    for key in found | EXPECTED\n"
            "    if key not in found or key not in EXPECTED"
            " or not same(found[key], EXPECTED[key])\n"
            "}\n"
            'assert not differing, f"These values differ (found, expected): {differing}"\n'
            'print(f"All {len(found)} measures are as exported.")',
        ),
    ]
    cells = []
    for kind, name, source in parts:
        cell: dict[str, Any] = {
            "cell_type": kind,
            "id": name,
            "metadata": {},
            "source": source.splitlines(keepends=True),
        }
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        cells.append(cell)
    notebook = {
        "cells": cells,
        "metadata": {
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    if path is not None:
        write_atomic(path, text, error=PolicyError)
    return text


def _whole(name: str, value: Any) -> int:
    """Return a whole number that may stand in the notebook's source."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise PolicyError(
            f"The scorecard's {name} is {str(value)[:40]!r}; a notebook needs a whole number."
        )
    return int(value)


def _config(knobs: Mapping[str, Any]) -> str:
    """Return the source of a world's knobs: known names, literal values."""
    from dataclasses import fields

    from ethicalai_lab.world import WorldConfig

    known = [each.name for each in fields(WorldConfig)]
    for name in knobs:
        if name not in known:
            raise PolicyError(
                f"A world has no knob {str(name)[:40]!r}; accepted are {', '.join(known)}."
            )
    inside = ", ".join(f"{name}={_literal(value)}" for name, value in knobs.items())
    return f", config=WorldConfig({inside})" if inside else ""


def _literal(value: Any) -> str:
    """Return Python source that is a literal and nothing else, readable where it can be."""
    if isinstance(value, str):
        plain = '"""' not in value and "\\" not in value and not value.endswith('"')
        if plain and len(value) > 60 and all(c.isprintable() or c == "\n" for c in value):
            return f'"""\\\n{value}"""'
        return repr(str(value))
    source = repr(value.tolist() if hasattr(value, "tolist") else value)
    try:
        if ast.literal_eval(source) == value:
            return source
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    raise PolicyError(f"{source[:60]} cannot be written into a notebook as a plain value.")
