"""Evaluate a policy: run every stage on a world, measure what came out, fill the scorecard."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ethicalai_lab.policy.context import EvaluationContext
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.measure import DIMENSIONS, FEWEST_REFITS, Measure
from ethicalai_lab.policy.own_data import TableContext
from ethicalai_lab.policy.own_measures import graph_of_table
from ethicalai_lab.policy.policy import Policy
from ethicalai_lab.policy.scorecard import Scorecard
from ethicalai_lab.policy.stages import (
    Graph,
    MeasureStep,
    Memory,
    Reading,
    read_all,
    read_half,
    resampling_weights,
    values_of,
)
from ethicalai_lab.tables.loading import roles_of

if TYPE_CHECKING:
    from ethicalai_lab.world import World

__all__ = ["PolicyLab", "evaluate", "evaluation_graph"]

# in the order in which a policy's sections are applied
_MODULES = (
    "permission",
    "modelling",
    "repair",
    "informing",
    "response",
    "protection",
    "publishing",
    "records",
)
_GRAPH: list[Graph] = []


def evaluation_graph() -> Graph:
    """Return the stages of an evaluation and the measures of what they produce.

    Returns
    -------
    Graph
        ``graph.affected("consent.banner")`` names the stages that a change of a field can
        change; ``graph.to_mermaid()`` draws it.

    Examples
    --------
    >>> evaluation_graph().affected("log.kind")
    ('recording',)
    >>> evaluation_graph().unread()
    ()
    """
    if not _GRAPH:
        modules = [importlib.import_module(f"ethicalai_lab.policy.{name}") for name in _MODULES]
        stages = [step for module in modules for step in module.STAGES]
        measures = [each for module in modules for each in module.MEASURES]
        measures.sort(key=lambda each: DIMENSIONS.index(each.dimension))
        _GRAPH.append(Graph(stages, measures))
    return _GRAPH[0]


class _Threads:
    """Keeps the linear algebra to one thread.

    The matrices are small, and threads that wait for a busy core cost ten times what they save.
    """

    def __init__(self) -> None:
        self._controller: Any = None

    def one(self) -> Any:
        """Return a context in which one thread works."""
        if self._controller is None:
            import sklearn.linear_model  # noqa: F401 -- its libraries must be loaded to be found
            from threadpoolctl import ThreadpoolController

            self._controller = ThreadpoolController()
        return self._controller.limit(limits=1)


class PolicyLab:
    """A world in which policies are evaluated again and again, each change only once.

    Parameters
    ----------
    world : World or DataFrame
        A world with its truth, or a team's own table with its roles, as in `evaluate`.
    n_boot : int, default 200
        Resamples of the people, for the intervals; 0 gives none.
    seed : int, default 0
        Of every draw. The same people meet the same chances under each policy.
    graph : Graph, optional
        Other stages and measures, to break one on purpose.
    remember : int, default 8
        Results kept of each stage.

    Attributes
    ----------
    computed : tuple of str
        The stages that the last evaluation really ran; the others were known.

    Raises
    ------
    PolicyError
        If the world lacks a table or its truth, or a number is out of range.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.policy import PolicyLab, preset
    >>> lab = PolicyLab(make_world(1_000, seed=1), n_boot=50)
    >>> policy = preset("consent_first")
    >>> before = lab.evaluate(policy)
    >>> after = lab.evaluate(policy.decide("log", kind="hash_chain"))
    >>> lab.computed
    ('recording',)
    """

    def __init__(
        self,
        world: World | pd.DataFrame,
        *,
        n_boot: int = 200,
        seed: int = 0,
        graph: Graph | None = None,
        remember: int = 8,
    ) -> None:
        if isinstance(n_boot, bool) or not isinstance(n_boot, int) or not 0 <= n_boot <= 10_000:
            raise PolicyError(f"n_boot is {n_boot!r}; a whole number from 0 to 10000 is accepted.")
        if isinstance(world, pd.DataFrame):
            table = TableContext(world, roles_of(world), seed)
            self.context: EvaluationContext = table
            self.graph = graph_of_table(evaluation_graph(), table) if graph is None else graph
        else:
            self.context = EvaluationContext.of_world(world, seed=seed)
            self.graph = evaluation_graph() if graph is None else graph
        self.n_boot = n_boot
        self._memory = Memory(remember)
        self._weights = resampling_weights(self.context.n, n_boot, seed)
        self._threads = _Threads()
        self.computed: tuple[str, ...] = ()
        self.measured: tuple[str, ...] = ()

    @property
    def world(self) -> World:
        """The world."""
        return self.context.world  # type: ignore[attr-defined]

    def results(self, policy: Policy, wanted: Iterable[str] | None = None) -> dict[str, Any]:
        """Run the stages and return their results by name, for those who look inside."""
        computed: list[str] = []
        with self._threads.one():
            found = self.graph.run(
                self.context, values_of(policy), self._memory, wanted=wanted, computed=computed
            )
        self.computed = tuple(computed)
        return found

    def evaluate(
        self, policy: Policy, *, refit: int = 0, step: Callable[[], object] | None = None
    ) -> Scorecard:
        """Return the policy's scorecard.

        Parameters
        ----------
        policy : Policy
            What is undecided counts as what usually happens, see `Policy.with_defaults`.
        refit : int, default 0
            Random halves of the people on which all is learned and drawn anew, for those
            measures whose verdict depends on it; 10 or more give an interval, 40 a steady one.
            Each costs about as much as every stage again, once a policy.
        step : callable, optional
            Called after each refit, to show how far it is.

        Returns
        -------
        Scorecard

        Raises
        ------
        PolicyError
            If `refit` is no whole number from 10 on, or 0.
        """
        refit = checked_refits(refit)
        if not isinstance(policy, Policy):
            raise PolicyError(
                f"policy is a {type(policy).__name__}; a Policy is accepted: Policy.load(path)."
            )
        values = values_of(policy)
        results = self.results(policy)
        readings, missing, keys = {}, {}, {}
        for name, each in self.graph.measures.items():
            keys[name] = self.graph.key(each.needs, values)
            known, reading = self._memory.get(f"measure {name}", keys[name])
            if known:
                readings[name] = reading
            else:
                missing[name] = each.run(self.context, **{n: results[n] for n in each.needs})
        self.measured = tuple(missing)
        with self._threads.one():
            shares = {k for k in missing if self.graph.measures[k].unit.startswith("share")}
            read = read_all(missing, self._weights, shares=shares, seed=self.context.seed)
        for name, reading in read.items():
            self._memory.put(f"measure {name}", keys[name], reading)
            readings[name] = reading
        refits = self.run_refits(policy, refit, step=step)
        samples = f"{self.context.identity}-{self.n_boot}-{self.context.seed}"
        measures = []
        for name, each in self.graph.measures.items():
            found = readings[name]
            lacks = self.context.lacks(policy, name, found.needs)
            if lacks != found.needs:
                found = Reading(None, needs=lacks, evidence="the policy")
            measures.append(
                Measure(
                    each.dimension,
                    each.measure,
                    meaning=each.meaning,
                    unit=each.unit,
                    direction=each.direction,
                    evidence=found.says(each.evidence),
                    value=found.value,
                    low=found.low,
                    high=found.high,
                    truth=found.truth,
                    needs=lacks,
                    replicates=found.replicates,
                    samples=samples,
                    basis=self._basis(each, keys[name]),
                    learned=each.learned,
                    refits=None if found.value is None else refits.get(name),
                    only_here=each.only_here,
                    spread_by=found.spread_by,
                )
            )
        about = self._about(refit) | self.context.about(values, results)
        return Scorecard(tuple(measures), policy, about)

    def run_refits(
        self,
        policy: Policy,
        refit: int,
        *,
        step: Callable[[], object] | None = None,
        turn: AbstractContextManager[Any] | None = None,
    ) -> dict[str, NDArray[np.float64]]:
        """Run the refits of a policy, so that `evaluate` knows them from now on.

        Parameters
        ----------
        policy : Policy
        refit, step
            As in `evaluate`.
        turn : lock, optional
            Held while what is known is read or kept; for a thread beside one that evaluates.

        Returns
        -------
        dict of str to ndarray
            Each measure that depends on learning, one value a refit.

        Raises
        ------
        PolicyError
            If `refit` is no whole number from 10 on, or 0.

        Examples
        --------
        >>> from ethicalai_lab import make_world
        >>> lab = PolicyLab(make_world(200, seed=1), n_boot=0)
        >>> len(lab.lacking_refits([Policy()], 10))
        1
        >>> _ = lab.run_refits(Policy(), 10)
        >>> lab.lacking_refits([Policy(), Policy().decide("log", kind="hash_chain")], 10)
        []
        """
        refit = checked_refits(refit)
        turn = nullcontext() if turn is None else turn
        values = values_of(policy)
        key = self._refits_key(values, refit)
        with turn:
            known, found = self._memory.get("refits", key)
        if not refit or known:
            return found or {}
        found = self._refits(values, refit, step)
        with turn:
            self._memory.put("refits", key, found)
        return found

    def lacking_refits(self, policies: Iterable[Policy], refit: int) -> list[Policy]:
        """Return the policies whose refits are not known yet; of several alike, the first.

        Policies are alike here where they differ in nothing that is learned.
        """
        found: dict[Any, Policy] = {}
        for policy in policies:
            key = self._refits_key(values_of(policy), refit)
            if not self._memory.get("refits", key)[0]:
                found.setdefault(key, policy)
        return list(found.values())

    def _behind_refits(self) -> tuple[str, ...]:
        learned = (each for each in self.graph.measures.values() if each.learned)
        return self.graph.behind(*(stage for each in learned for stage in each.needs))

    def _refits_key(self, values: dict[str, Any], refit: int) -> Any:
        return refit, self.graph.key(self._behind_refits(), values)

    def _refits(
        self, values: dict[str, Any], refit: int, step: Callable[[], object] | None
    ) -> dict[str, NDArray[np.float64]]:
        """Return what the learned measures are on each of so many halves of the people."""
        learned = {name: each for name, each in self.graph.measures.items() if each.learned}
        found = {name: np.full(refit, np.nan) for name in learned}
        needed = self._behind_refits()
        for number in range(refit):
            context = self.context.half(number)
            with self._threads.one():
                results = self.graph.run(context, values, Memory(1), wanted=needed)
                read = read_half(
                    {
                        name: each.run(context, **{n: results[n] for n in each.needs})
                        for name, each in learned.items()
                    },
                    context.n,
                )
            for name, value in read.items():
                found[name][number] = value
            if step is not None:
                step()
        return found

    def _basis(self, each: MeasureStep, key: Any) -> str:
        """Name all that a measure depends on: the fields behind it and the code that ran."""
        if not self.context.fingerprint:
            return ""
        steps = [self.graph.stages[name] for name in self.graph.behind(*each.needs)]
        ran = [each.run.__qualname__, *(step.run.__qualname__ for step in steps)]
        what = (self.context.fingerprint, key, ran)
        return hashlib.sha256(repr(what).encode()).hexdigest()[:16]

    def _about(self, refit: int) -> dict[str, Any]:
        from ethicalai_lab import __version__

        return {
            "world": self.context.name,
            "n": self.context.n,
            "seed": self.context.seed,
            "n_boot": self.n_boot,
            **({"refits": refit} if refit else {}),
            "version": __version__,
        }


def checked_refits(refit: Any) -> int:
    """Return a number of refits, or say what is accepted."""
    whole = isinstance(refit, int) and not isinstance(refit, bool)
    if not whole or not (refit == 0 or FEWEST_REFITS <= refit <= 1_000):
        raise PolicyError(
            f"refit is {refit!r}; 0, or a whole number from {FEWEST_REFITS} to 1000, is accepted."
        )
    return refit


def evaluate(
    policy: Policy,
    world: Any,
    *,
    n_boot: int = 200,
    seed: int = 0,
    refit: int = 0,
    step: Callable[[], object] | None = None,
) -> Scorecard:
    """Apply every section of a policy to a world, and measure the whole bill.

    Consent is asked and given, data is kept or not, a model is learned, people are chosen,
    messages are written, people respond, and the attacks of the privacy room are run on
    what came out. Nothing is computed from the policy's fields alone.

    Parameters
    ----------
    policy : Policy
        What is undecided counts as what usually happens, see `Policy.with_defaults`.
    world : World or DataFrame
        A world with its truth; or a team's own table, from `load_table`, one row a person:
        its roles say what can be measured on it, and what cannot says what it needs. On a
        table there are also ``value.added_<outcome>`` for each outcome, against no contact, and
        ``fairness.selection_gap_<column>`` for each protected column.
    n_boot : int, default 200
        Resamples of the people, for the intervals.
    seed : int, default 0
        Of every draw.
    refit : int, default 0
        Random halves of the people on which all is learned and drawn anew, as in
        `PolicyLab.evaluate`; verdicts on gaps, on rankings and on who is chosen need them.
    step : callable, optional
        Called after each refit, to show how far it is.

    Returns
    -------
    Scorecard
        Six dimensions; ``.table`` has one row a measure.

    Raises
    ------
    PolicyError
        If the policy names a column that is not there, or the world or table cannot be
        evaluated.
    TableError
        If a table carries no roles.

    See Also
    --------
    PolicyLab : the same for many policies, far faster from the second on.

    Notes
    -----
    On a table the treatment must have been given by lot, with the same chance for everybody:
    the weights are the arms' shares. People are ranked by a model that has not seen them.
    Without a consent column everybody is taken as permitting everything.

    References
    ----------
    Every measure names its evidence; the sources are those of the rooms.
    Horvitz and Thompson (1952). A generalization of sampling without replacement from a
    finite universe. JASA 47 (what a policy adds on a table).
    Athey and Wager (2021). Policy learning with observational data. Econometrica 89.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.policy import evaluate, preset
    >>> card = evaluate(preset("privacy_first"), make_world(1_000, seed=1), n_boot=50)
    >>> card["privacy.sensitive_columns"].value
    0.0
    """
    return PolicyLab(world, n_boot=n_boot, seed=seed).evaluate(policy, refit=refit, step=step)
