"""The session: try a decision, see what moves, undo it, keep it, hand it on.

What the policy lab's page shows is worked out here, so that it is the same without a page.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ethicalai_lab.core.files import write_atomic
from ethicalai_lab.core.report import render
from ethicalai_lab.policy import wording
from ethicalai_lab.policy.background import REFITS, Judging, Search, one_sentence
from ethicalai_lab.policy.comparison import (
    Comparison,
    compare_scorecards,
    difference_of,
    shown_difference,
)
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.measure import DIRECTIONS, Measure
from ethicalai_lab.policy.notebook import to_notebook, world_recipe
from ethicalai_lab.policy.policy import Policy, my_policy_path
from ethicalai_lab.policy.rules import Rules
from ethicalai_lab.policy.scorecard import Scorecard, bar, one_page

if TYPE_CHECKING:
    from ethicalai_lab.policy.evaluation import PolicyLab

__all__ = ["UNCLEAR", "FileClash", "Move", "Session", "card_html"]

#: What the page calls the reading "needs refits".
UNCLEAR = "unclear without refits"
_TOGETHER = 1.0  # seconds: a slider being dragged makes one step to undo, not forty


class FileClash(PolicyError):
    """A file holds something that this session has not seen; nothing was written."""


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
        self.policy[path]  # raises where there is no such field
        section, _, name = path.rpartition(".")
        new = self.policy.decide(section, **{name: value})
        shown = "undecided" if value is None else wording.said(value)
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
        self._walk(self._past, self._future, "Undone")

    def redo(self) -> None:
        """Make the change again that was undone last."""
        self._walk(self._future, self._past, "Done again")

    def _walk(self, back: list[_Step], forth: list[_Step], how: str) -> None:
        if back:
            step, here = back[-1], self.policy
            self._show(step.policy, f"{how}: {step.what}")
            forth.append(_Step(here, step.what))
            back.pop()
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
        """Return refits of :attr:`unjudged` to be run in the background."""
        return Judging(self.lab, self.unjudged, self.turn, self.take_refits)

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
        made = world_recipe(self.lab.world)
        text = to_notebook(self.policy, made, self.card, rules=self.rules)
        write_atomic(path, text, error=PolicyError)
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

    def search(self, improve: str, *, changes: int = 1) -> Search:
        """Return a search for changes that improve a measure, to be run in the background."""
        return Search(self.lab, self.policy, improve, changes, self.turn)


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as problem:
        raise PolicyError(f"{path} cannot be read ({problem.strerror}).") from None


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
            reading = difference_of(old, measure, same_policy=False)[-1]
        found.append(Move(measure.key, old.shown, measure.shown, up, reading))
    return tuple(found)


# ------------------------------------------------------------------------ the live card

_ORDER = ("worse", "better", "", "needs refits", "cannot tell", "same")


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
    heads = ["measure", "value (interval)", "last change"]
    against: dict[str, Mapping[str, Any]] = {}
    comparison = session.comparison()
    if comparison is not None:  # what moved is also listed above the table
        heads[-1] = "A, difference to A (interval)"
        rows = comparison.table.to_dict("records")
        against = {f"{row['dimension']}.{row['measure']}": row for row in rows}
    bounds = any(measure.limits for measure in session.card.measures)
    if bounds:
        heads.insert(2, "bound")
    return render(
        "policy/templates/live.html",
        card=session.card,
        heads=heads,
        bounds=bounds,
        pinned=session.pinned,
        moved={move.key: move for move in session.moved},
        ordered=sorted(session.moved, key=lambda move: _ORDER.index(move.reading)),
        against=lambda measure: _against(measure, against.get(measure.key)),
        bar=bar,
        directions=DIRECTIONS,
    )


def _plain_reading(reading: str) -> str:
    return UNCLEAR if reading == "needs refits" else reading


def _against(measure: Measure, row: Mapping[str, Any] | None) -> tuple[str, str]:
    """Return the difference to A, and how it reads."""
    if row is None or row["difference"] != row["difference"]:
        return "", ""
    if row["reading"] == "same" or (row["difference"] == 0 and row["low"] == row["high"]):
        return "same", ""
    sign = "\u25b2 " if row["difference"] > 0 else "\u25bc " if row["difference"] < 0 else ""
    over = ", over refits" if row["refits"] else ""
    reading = f"{_plain_reading(row['reading'])}{over}" if row["reading"] else ""
    return f"{sign}{shown_difference(measure, row)}", reading
