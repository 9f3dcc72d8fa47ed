"""An assistant that learns when and what to ask, so that people are asked less.

It may propose a question. It never answers one: it sees the ledger through a reader that
cannot write, and what it learns are only answers that people gave. It leaves alone who
objected or opted out within twelve months (California forbids asking again; elsewhere it
is decent), and who refused within the period the house has set.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ethicalai_lab.consent.errors import ConsentError
from ethicalai_lab.consent.events import microseconds
from ethicalai_lab.core.times import read_moment

if TYPE_CHECKING:
    import pandas as pd

    from ethicalai_lab.consent.ledger import ConsentLedger, LedgerReader

__all__ = ["ConsentAssistant", "Year", "compare_strategies", "live_a_year"]

STRATEGIES = ("always", "never", "assistant")
LASTING = ("opt_out", "object", "withdraw")
OPT_OUT_REST_DAYS = 365
DAY = 86_400_000_000


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

    def __init__(
        self,
        reader: LedgerReader | ConsentLedger,
        *,
        cost_of_asking: float = 0.4,
        rest_months: int = 12,
        seed: int = 0,
    ) -> None:
        if not 0 <= cost_of_asking <= 1:
            raise ConsentError(f"cost_of_asking is {cost_of_asking!r}; 0 to 1 is accepted.")
        if isinstance(rest_months, bool) or not isinstance(rest_months, int) or rest_months < 0:
            raise ConsentError(f"rest_months is {rest_months!r}; whole months from 0 accepted.")
        self._reader = getattr(reader, "reader", reader)
        self.cost_of_asking = cost_of_asking
        self.rest_months = rest_months
        self._rng = np.random.default_rng(seed)
        self._counts: dict[tuple[str, int], list[int]] = {}
        self._refusals: dict[tuple[int, str], int] = {}

    def may_ask(self, people: ArrayLike, purpose: str, at: Any) -> NDArray[np.bool_]:
        """Say whom one may ask: who has not permitted, and whose no has rested long enough."""
        people = np.asarray(people)
        ask = ~self._reader.permitted(people, purpose, at)
        now = int(microseconds([at], "at")[0])
        house = 30 * self.rest_months
        # a later event that is void, or a mere refusal, does not shorten an opt-out's rest
        for actions, rest in ((LASTING, max(OPT_OUT_REST_DAYS, house)), (("refuse",), house)):
            last = self._reader.last_event(people, purpose, at, actions=actions)
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
            Columns person, purpose, chance (drawn) and reason; only people to be asked.
            A proposal is no permission: what follows is the person's own answer, or none.
        """
        import pandas as pd

        people = np.asarray(people)
        names = [purposes] if isinstance(purposes, str) else list(purposes)
        chance = np.full((len(names), people.size), -1.0)
        for row, name in enumerate(names):
            may = np.flatnonzero(self.may_ask(people, name, at))
            past = self._past(people[may], name)
            for level in np.unique(past):
                yes, no = self._counts.get((name, int(level)), (0, 0))
                here = may[past == level]
                chance[row, here] = self._rng.beta(1 + yes, 1 + no, here.size)
        if not names or not people.size:
            return pd.DataFrame(columns=["person", "purpose", "chance", "reason"])
        best = chance.argmax(axis=0)
        top = chance[best, np.arange(people.size)]
        ask = np.flatnonzero(top > self.cost_of_asking)
        return pd.DataFrame(
            {
                "person": people[ask],
                "purpose": [names[i] for i in best[ask]],
                "chance": np.round(top[ask], 6),
                "reason": "The chance of a yes outweighs the disturbance.",
            }
        )

    def learn(self, people: ArrayLike, purpose: str, granted: ArrayLike) -> None:
        """Learn from what people answered; nothing else changes."""
        people, granted = np.asarray(people), np.asarray(granted, dtype=bool)
        if people.shape != granted.shape:
            raise ConsentError("people and granted must be of one length.")
        past = self._past(people, purpose)
        for person, level, yes in zip(
            people.tolist(), past.tolist(), granted.tolist(), strict=True
        ):
            count = self._counts.setdefault((purpose, level), [0, 0])
            count[0 if yes else 1] += 1
            if not yes:
                key = (person, purpose)
                self._refusals[key] = self._refusals.get(key, 0) + 1

    def learned(self) -> pd.DataFrame:
        """Return what it has learned: purpose, refusals before, asked, share that said yes."""
        import pandas as pd

        rows = [
            (name, level, yes + no, yes / (yes + no))
            for (name, level), (yes, no) in sorted(self._counts.items())
        ]
        return pd.DataFrame(rows, columns=["purpose", "refusals", "asked", "yes"])

    def _past(self, people: NDArray[Any], purpose: str) -> NDArray[np.int64]:
        found = [min(self._refusals.get((p, purpose), 0), 3) for p in people.tolist()]
        return np.array(found, dtype=np.int64)


@dataclass(frozen=True)
class Year:
    """A year under one strategy of asking.

    Attributes
    ----------
    strategy : str
    asks : float
        Questions a person.
    asked_share : float
        Share of people asked at all.
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
    asked_share: float
    reached: float
    unmeant: float
    fatigue: float
    events: pd.DataFrame = field(repr=False)


def live_a_year(
    people: pd.DataFrame,
    accepts: pd.DataFrame,
    strategy: str,
    ledger: ConsentLedger,
    *,
    start: Any = "2025-01-01",
    visits: int = 24,
    visit_share: float = 0.5,
    rest_months: int = 12,
    cost_of_asking: float = 0.4,
    assumptions: Any = None,
    seed: int = 0,
) -> Year:
    """Let people visit for a year while a strategy decides when to ask them.

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
    start : time, default "2025-01-01"
    visits : int, default 24
        Rounds in the year, evenly spaced.
    visit_share : float, default 0.5
        Share of people who come by in a round.
    rest_months : int, default 12
        How long a refusal rests for the assistant. Without rest it learns that tired
        people say yes, and asks them until they are: what is learned from answers is only
        as good as the way of asking.
    cost_of_asking : float, default 0.4
    assumptions : Assumptions, optional
    seed : int, default 0

    Returns
    -------
    Year
        Every change of what is permitted is an answer of the person's: the event is in
        ``.events`` and in the ledger.
    """
    import pandas as pd

    from ethicalai_lab.consent.simulation import Assumptions, logistic

    if strategy not in STRATEGIES:
        raise ConsentError(f"strategy is {strategy!r}; accepted are {', '.join(STRATEGIES)}.")
    chosen = assumptions or Assumptions()
    ids = people["customer_id"].to_numpy(dtype=np.int64)
    names = list(accepts.columns)
    truth = accepts.to_numpy(dtype=bool)
    n = ids.size
    position = pd.Series(np.arange(n), index=ids)
    sensitivity = people["fatigue_sensitivity"].to_numpy(dtype=float)
    pull = chosen.trust_weight * (people["trust"].to_numpy(dtype=float) - 0.5) - (
        chosen.concern_weight * (people["privacy_concern"].to_numpy(dtype=float) - 0.5)
    )
    assistant = ConsentAssistant(
        ledger.reader, cost_of_asking=cost_of_asking, rest_months=rest_months, seed=seed
    )
    came = np.random.default_rng([seed, 1])  # who comes by is the same under every strategy
    answer = np.random.default_rng([seed, 2])
    fatigue = np.zeros(n)
    mean_fatigue = 0.0
    asks = np.zeros(n, dtype=np.int64)
    recorded = []
    begin = read_moment(start, "start", error=ConsentError)
    for visit in range(visits):
        at = begin + pd.Timedelta(days=round(365 * visit / visits), hours=12)
        here = np.flatnonzero(came.random(n) < visit_share)
        before = at - pd.Timedelta(microseconds=1)
        if strategy == "assistant":
            proposal = assistant.propose(ids[here], names, before)
            who = position[proposal["person"].to_numpy()].to_numpy()
            what = np.array([names.index(p) for p in proposal["purpose"]], dtype=np.int64)
        elif strategy == "always":
            pairs = [
                (here[~ledger.permitted(ids[here], name, before)], i)
                for i, name in enumerate(names)
            ]
            who = np.concatenate([w for w, _ in pairs])
            what = np.concatenate([np.full(w.size, i) for w, i in pairs])
        else:
            who = what = np.empty(0, dtype=np.int64)
        if who.size:
            will = np.where(truth[who, what], 1.0, -1.0)
            strength = chosen.will * (1 - chosen.fatigue_on_will * fatigue[who])
            # tired people click what makes the question go away: the yes
            tired = 2.0 * fatigue[who]
            granted = answer.random(who.size) < logistic(strength * will + pull[who] + tired)
            events = pd.DataFrame(
                {
                    "person": ids[who],
                    "purpose": np.array(names, dtype=object)[what],
                    "action": np.where(granted, "grant", "refuse"),
                    "time": at,
                    "notice_version": "2025-1",
                    "source": "banner",
                    "regime": "gdpr",
                }
            )
            ledger.record(events)
            recorded.append(events)
            for i, name in enumerate(names):
                these = what == i
                if strategy == "assistant" and these.any():
                    assistant.learn(ids[who[these]], name, granted[these])
            count = np.bincount(who, minlength=n)
            asks += count
            fatigue = np.minimum(1.0, fatigue + chosen.fatigue_per_ask * 2 * sensitivity * count)
        fatigue = fatigue * (1 - chosen.fatigue_recovery / 2)
        mean_fatigue += float(fatigue.mean()) / visits
    end = begin + pd.Timedelta(days=365)
    held = np.column_stack([ledger.permitted(ids, name, end) for name in names])
    everything = (
        pd.concat(recorded, ignore_index=True)
        if recorded
        else pd.DataFrame(
            columns=["person", "purpose", "action", "time", "notice_version", "source", "regime"]
        )
    )
    return Year(
        strategy,
        float(asks.mean()),
        float((asks > 0).mean()),
        float((held & truth).sum() / max(truth.sum(), 1)),
        float((held & ~truth).sum() / max(held.sum(), 1)),
        mean_fatigue,
        everything,
    )


def compare_strategies(
    world: Any,
    *,
    purposes: tuple[str, ...] = (
        "analytics",
        "direct_marketing",
        "personalization",
        "third_party_sharing",
    ),
    n_people: int = 2_000,
    seed: int = 0,
    **options: Any,
) -> pd.DataFrame:
    """Compare asking always, never, and as the assistant proposes. Opens ``world.truth``.

    Returns
    -------
    DataFrame
        One row a strategy: strategy, asks, asked_share, reached, unmeant, fatigue.
    """
    import pandas as pd

    from ethicalai_lab.consent.ledger import ConsentLedger

    people = world.truth.people.head(n_people).reset_index(drop=True)
    accepts = world.truth.purposes[list(purposes)].head(n_people).reset_index(drop=True)
    rows = []
    for strategy in STRATEGIES:
        with ConsentLedger(None, now="2026-06-30") as ledger:
            year = live_a_year(people, accepts, strategy, ledger, seed=seed, **options)
        rows.append({k: getattr(year, k) for k in Year.__dataclass_fields__ if k != "events"})
    return pd.DataFrame(rows)
