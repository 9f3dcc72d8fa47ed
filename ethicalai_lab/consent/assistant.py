"""An assistant that learns when and what to ask, so that people are asked less.

It may propose a question. It never answers one: it sees the ledger through a reader that
cannot write, and what it learns are only answers that people gave. It leaves alone who
objected or opted out within twelve months (California forbids asking again; elsewhere it
is decent), and who refused within the period the house has set.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.consent.errors import ConsentError
from ethicalai_lab.consent.events import COLUMNS, microseconds
from ethicalai_lab.consent.simulation import Assumptions, logistic
from ethicalai_lab.core.checks import Share, Whole, checked, same_length

if TYPE_CHECKING:
    import pandas as pd

    from ethicalai_lab.consent.ledger import ConsentLedger, LedgerReader

__all__ = ["ConsentAssistant", "Year", "compare_strategies", "live_a_year"]

STRATEGIES = ("always", "never", "assistant")
LASTING = ("opt_out", "object", "withdraw")
OPT_OUT_REST_DAYS = 365
DAY = 86_400_000_000
# the simulated year: its purposes and people, its rounds, the share that comes by in each
PURPOSES = ("analytics", "direct_marketing", "personalization", "third_party_sharing")
N_PEOPLE, START, VISITS, VISIT_SHARE, SEED = 2_000, "2025-01-01", 24, 0.5, 0


class ConsentAssistant:
    """Learns from answers which question is worth a person's attention.

    Parameters
    ----------
    reader : LedgerReader or ConsentLedger
        Only the reader of a ledger is kept.
    cost_of_asking : float, default 0.4
        What one question costs, in units of the worth of one yes; 0 to 1. A question is
        proposed where the chance of a yes, as far as known, is above it.
    rest_months : int, default 12
        How long a refusal rests, in months of 30 days.
    seed : int, default 0

    Notes
    -----
    For every purpose and every past of a person with it (never asked; refused once, twice,
    more often) the assistant counts yes and no, and draws a chance from the Beta
    distribution of these counts (Thompson sampling): it still asks a few where it knows
    little, and stops where it has learned that the answer is no. Of several purposes worth
    asking it proposes the likeliest: one question a visit.

    References
    ----------
    1798.135(c)(4) (no new request within 12 months of an opt-out).
    """

    @checked(ConsentError)
    def __init__(
        self,
        reader: LedgerReader | ConsentLedger,
        *,
        cost_of_asking: Share = 0.4,  # type: ignore[valid-type]
        rest_months: Whole = 12,  # type: ignore[valid-type]
        seed: int = 0,
    ) -> None:
        self._reader = getattr(reader, "reader", reader)
        self.cost_of_asking = cost_of_asking
        self.rest_months = rest_months
        self._rng = np.random.default_rng(seed)
        self._counts: Counter[tuple[str, int, bool]] = Counter()
        self._refusals: Counter[tuple[int, str]] = Counter()

    def may_ask(self, people: ArrayLike, purpose: str, at: Any) -> NDArray[np.bool_]:
        """Say whom one may ask: who has not permitted, and whose no has rested long enough."""
        people = np.asarray(people)
        ask = ~self._reader.permitted(people, purpose, at)
        now = int(microseconds([at], "at")[0])
        house = 30 * self.rest_months
        # a later event that is void, or a mere refusal, does not shorten an opt-out's rest
        for actions, rest in ((LASTING, max(OPT_OUT_REST_DAYS, house)), (("refuse",), house)):
            last = self._reader.last_event(people, purpose, at, actions)
            said = last["action"].notna().to_numpy()
            time = last["time"].to_numpy().astype("M8[us]").astype(np.int64)
            ask &= ~said | (now - np.where(said, time, now) >= rest * DAY)
        return ask

    def propose(self, people: ArrayLike, purposes: Any, at: Any) -> pd.DataFrame:
        """Propose at most one question a person.

        Parameters
        ----------
        people : array-like of int
            Who is here now.
        purposes : iterable of str
            What the house would like to ask.
        at : time

        Returns
        -------
        DataFrame
            Columns person and purpose; only people to be asked.
            A proposal is no permission: what follows is the person's own answer, or none.
        """
        import pandas as pd

        people, names = np.asarray(people), list(purposes)
        chance = np.full((len(names), people.size), -1.0)
        for row, name in enumerate(names):
            may = np.flatnonzero(self.may_ask(people, name, at))
            past = self._past(people[may], name)
            for level in np.unique(past):
                yes, no = (self._counts[name, level, answer] for answer in (True, False))
                here = may[past == level]
                chance[row, here] = self._rng.beta(1 + yes, 1 + no, here.size)
        if not names or not people.size:
            return pd.DataFrame(columns=["person", "purpose"])
        best = chance.argmax(axis=0)
        top = chance[best, np.arange(people.size)]
        ask = np.flatnonzero(top > self.cost_of_asking)
        return pd.DataFrame({"person": people[ask], "purpose": [names[i] for i in best[ask]]})

    def learn(self, people: ArrayLike, purpose: str, granted: ArrayLike) -> None:
        """Learn from what people answered; nothing else changes."""
        same_length(ConsentError, people=people, granted=granted)
        people, granted = np.asarray(people), np.asarray(granted, dtype=bool)
        past = self._past(people, purpose)
        self._counts.update((purpose, level, yes) for level, yes in zip(past, granted, strict=True))
        self._refusals.update((person, purpose) for person in people[~granted].tolist())

    def _past(self, people: NDArray[Any], purpose: str) -> NDArray[np.int64]:
        found = [min(self._refusals[person, purpose], 3) for person in people.tolist()]
        return np.array(found, dtype=np.int64)


@dataclass(frozen=True)
class Year:
    """A year under one strategy of asking.

    Attributes
    ----------
    strategy : str
    asks : float
        Questions a person.
    reached : float
        Of the purposes people truly accept, the share they granted.
    unmeant : float
        Share of the grants that are not meant.
    fatigue : float
        Mean fatigue over the year, 0 to 1.
    events : DataFrame
        Every answer given, as recorded in the ledger.
    """

    strategy: str
    asks: float
    reached: float
    unmeant: float
    fatigue: float
    events: pd.DataFrame = field(repr=False)


class _People:
    """People who visit now and then, answer what they are asked, and tire of it."""

    def __init__(self, people: pd.DataFrame, accepts: pd.DataFrame) -> None:
        self.chosen = Assumptions()
        self.ids = people["customer_id"].to_numpy(dtype=np.int64)
        self.names = list(accepts.columns)
        self.accepts = accepts.to_numpy(dtype=bool)
        self.sensitivity, trust, concern = (
            people[name].to_numpy(dtype=float)
            for name in ("fatigue_sensitivity", "trust", "privacy_concern")
        )
        self.pull = self.chosen.trust_weight * (trust - 0.5) - (
            self.chosen.concern_weight * (concern - 0.5)
        )
        self.fatigue = np.zeros(self.ids.size)
        self.asks = np.zeros(self.ids.size, dtype=np.int64)
        self.came = np.random.default_rng([SEED, 1])  # the same under every strategy
        self.answer = np.random.default_rng([SEED, 2])

    def visit(self) -> NDArray[np.int64]:
        """Return who comes by."""
        return np.flatnonzero(self.came.random(self.ids.size) < VISIT_SHARE)

    def ask(self, who: NDArray[np.int64], what: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Put questions, and return the answers."""
        chosen = self.chosen
        will = np.where(self.accepts[who, what], 1.0, -1.0)
        strength = chosen.will * (1 - chosen.fatigue_on_will * self.fatigue[who])
        # tired people click what makes the question go away: the yes
        tired = 2.0 * self.fatigue[who]
        granted = self.answer.random(who.size) < logistic(strength * will + self.pull[who] + tired)
        count = np.bincount(who, minlength=self.ids.size)
        self.asks += count
        more = chosen.fatigue_per_ask * 2 * self.sensitivity * count
        self.fatigue = np.minimum(1.0, self.fatigue + more)
        return granted

    def rest(self) -> None:
        """Recover until the next round."""
        self.fatigue = self.fatigue * (1 - self.chosen.fatigue_recovery / 2)


def live_a_year(
    people: pd.DataFrame, accepts: pd.DataFrame, strategy: str, ledger: ConsentLedger
) -> Year:
    """Let people visit for a year while a strategy decides when to ask them.

    A refusal rests for a year. Without rest the assistant learns that tired people say yes,
    and asks them until they are: what is learned from answers is only as good as the way of
    asking.

    Parameters
    ----------
    people : DataFrame
        customer_id, privacy_concern, trust, fatigue_sensitivity (0 to 1).
    accepts : DataFrame
        One bool column a purpose, rows as in `people`: what is truly accepted.
    strategy : {"always", "never", "assistant"}
        Ask every open purpose at every visit; never; or as the assistant proposes.
    ledger : ConsentLedger
        Where the answers go; its clock must be past the year.

    Returns
    -------
    Year
        Every change of what is permitted is an answer of the person's: the event is in
        ``.events`` and in the ledger.
    """
    import pandas as pd

    crowd = _People(people, accepts)
    assistant = ConsentAssistant(ledger.reader, seed=SEED)
    begin = pd.Timestamp(START)
    recorded = []
    fatigue = 0.0
    for visit in range(VISITS):
        at = begin + pd.Timedelta(days=round(365 * visit / VISITS), hours=12)
        before = at - pd.Timedelta(microseconds=1)
        who, what = _questions(strategy, crowd, assistant, ledger, before)
        if who.size:
            granted = crowd.ask(who, what)
            recorded.append(_events(crowd, who, what, granted, at))
            ledger.record(recorded[-1])
            for i, name in enumerate(crowd.names):
                these = what == i
                assistant.learn(crowd.ids[who[these]], name, granted[these])
        crowd.rest()
        fatigue += float(crowd.fatigue.mean()) / VISITS
    end = begin + pd.Timedelta(days=365)
    held = np.column_stack([ledger.permitted(crowd.ids, name, end) for name in crowd.names])
    return Year(
        strategy,
        float(crowd.asks.mean()),
        float((held & crowd.accepts).sum() / max(crowd.accepts.sum(), 1)),
        float((held & ~crowd.accepts).sum() / max(held.sum(), 1)),
        fatigue,
        pd.concat(recorded, ignore_index=True) if recorded else pd.DataFrame(columns=COLUMNS),
    )


def _questions(
    strategy: str, crowd: _People, assistant: ConsentAssistant, ledger: ConsentLedger, at: Any
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return whom a strategy asks what, as positions, of those who come by."""
    here = crowd.visit()
    if strategy == "assistant":
        proposal = assistant.propose(crowd.ids[here], crowd.names, at)
        what = np.array([crowd.names.index(p) for p in proposal["purpose"]], dtype=np.int64)
        return here[np.isin(crowd.ids[here], proposal["person"])], what
    open_ = [
        here[~ledger.permitted(crowd.ids[here], name, at)] if strategy == "always" else here[:0]
        for name in crowd.names
    ]
    return np.concatenate(open_), np.repeat(np.arange(len(open_)), [who.size for who in open_])


def _events(
    crowd: _People,
    who: NDArray[np.int64],
    what: NDArray[np.int64],
    granted: NDArray[np.bool_],
    at: Any,
) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "person": crowd.ids[who],
            "purpose": np.array(crowd.names, dtype=object)[what],
            "action": np.where(granted, "grant", "refuse"),
            "time": at,
            "notice_version": "2025-1",
            "source": "banner",
            "regime": "gdpr",
        }
    )


def compare_strategies(world: Any) -> pd.DataFrame:
    """Compare asking always, never, and as the assistant proposes. Opens ``world.truth``.

    Returns
    -------
    DataFrame
        One row a strategy: strategy, asks, reached, unmeant, fatigue.
    """
    import pandas as pd

    from ethicalai_lab.consent.ledger import ConsentLedger

    people = world.truth.people.head(N_PEOPLE).reset_index(drop=True)
    accepts = world.truth.purposes[list(PURPOSES)].head(N_PEOPLE).reset_index(drop=True)
    rows = []
    for strategy in STRATEGIES:
        with ConsentLedger(None, now="2026-06-30") as ledger:
            rows.append(vars(live_a_year(people, accepts, strategy, ledger)))
    return pd.DataFrame(rows).drop(columns="events")
