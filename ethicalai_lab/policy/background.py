"""Work beside the page: searches and refits that tell how far they are and can be stopped."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.frontier import BEST, Better, nearest_better, neighbours
from ethicalai_lab.policy.policy import Policy
from ethicalai_lab.policy.scorecard import Scorecard
from ethicalai_lab.policy.stages import Graph, Memory

if TYPE_CHECKING:
    from typing import Self

    from ethicalai_lab.policy.evaluation import PolicyLab

__all__ = ["REFITS", "Judging", "Search", "Stopped", "one_sentence"]

#: Refits that a policy on the page is judged with.
REFITS = 40


class Stopped(Exception):
    """Work in the background was stopped on purpose."""


def one_sentence(error: Exception) -> str:
    """Return an error as one line; of several faults the first, and how many follow."""
    faults = getattr(error, "faults", None) or (str(error),)
    more = len(faults) - 1
    also = f" (and {more} more fault{'s' if more > 1 else ''})" if more else ""
    return f"{' '.join(str(faults[0]).split())}{also}"


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

    def _go_on(self, said: str) -> None:
        if self._halt.is_set():
            raise Stopped(said)

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

    def __init__(
        self,
        lab: PolicyLab,
        policy: Policy,
        improve: str,
        changes: int,
        turn: AbstractContextManager[Any],
    ) -> None:
        super().__init__()
        # the same context and graph, so nothing is read twice; its own memory, so that the
        # page's next move still finds what it knows
        self._lab = copy.copy(lab)
        self._lab._memory = Memory(8)
        self._policy, self._turn = policy, turn
        self.improve, self.changes = improve, changes
        self.found: Better | None = None
        # the policy before, its neighbours, pairs of the best (at most 15 and 12), the rows
        pairs = 27 if changes == 2 else 0
        self.of = 1 + sum(1 for _ in neighbours(policy)) + pairs + BEST

    def _work(self) -> None:
        lab: Any = self  # a lab that counts, takes turns and can be stopped
        self.found = nearest_better(
            self._policy, lab, self.improve, changes=self.changes, progress=False
        )
        self.done = self.of

    @property
    def graph(self) -> Graph:
        """The lab's stages and measures."""
        return self._lab.graph

    def evaluate(self, policy: Policy, *, refit: int = 0) -> Scorecard:
        """Evaluate a policy, unless the search is to end."""
        self._check()
        with self._turn:
            card = self._lab.evaluate(policy)
        if refit:  # on halves of the people, which nobody else reads
            return self._lab.evaluate(policy, refit=refit, step=self._check)
        self.done = min(self.done + 1, self.of)
        self._tell()
        return card

    def _check(self) -> None:
        self._go_on("Stopped; nothing was changed.")


class Judging(_Task):
    """Refits of the policies run in the background.

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

    def __init__(
        self,
        lab: PolicyLab,
        policies: Sequence[Policy],
        turn: AbstractContextManager[Any],
        ended: Callable[[], None],
    ) -> None:
        super().__init__()
        self._lab, self._policies, self._turn, self._ended = lab, policies, turn, ended
        self.seconds = 0.0
        self.of = REFITS * len(policies)

    def _work(self) -> None:
        self._began = time.perf_counter()
        try:
            for policy in self._policies:
                self._check()
                # on halves of the people, which nobody else reads
                self._lab.run_refits(policy, REFITS, step=self._step, turn=self._turn)
        finally:
            self._ended()

    def _step(self) -> None:
        self.done += 1
        self.seconds = (time.perf_counter() - self._began) / self.done
        if self.done % REFITS:  # a policy whose last refit is run keeps them
            self._check()
        self._tell()

    def _check(self) -> None:
        self._go_on(f"Stopped after {self.done} of {self.of} refits.")
