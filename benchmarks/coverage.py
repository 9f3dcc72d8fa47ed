"""How often the policy lab's intervals hold the truth, and how often its verdicts are chance.

python benchmarks/coverage.py                               # 60 worlds of 5,000 customers
python benchmarks/coverage.py --n 20000 --presets average_practice fairness_first
python benchmarks/coverage.py --worlds 150 --processes 2 --out table.csv

Every world is drawn with a seed of its own, and so is what an evaluation draws in it. Each
policy is evaluated in each world: how often does the interval hold the truth? And policies
that do not differ are compared in it: whatever then reads "better" or "worse" is wrong.

The table has one row a measure and policy, and one over all policies of a kind:

kind, policy        a preset, a null pair, or "all" of them
worlds              in which there is a number
coverage            share of the intervals that hold the truth, with its Monte-Carlo error
bias                mean of value less truth, in standard deviations of it
width               mean width of an interval
withheld            share of worlds with a number, a truth or resamples, and no interval
verdicts            share of worlds that read "better" or "worse" though nothing differs, with
                    its error; empty where neither is better, or the pair leaves a measure alone

Why nothing differs:

another deal        A preset is compared with itself in the same world under another seed of the
                    evaluation: other folds, other lots, the same policy.
placebo ...         In a copy of the world two columns, education and occupation, are replaced by
                    independent draws of one distribution. One policy learns from common columns
                    and the first, the other from the same and the second. The rooms treat the
                    two columns alike, down to the number of syllables in their names, so the
                    policies have one law for every measure; but their models, rankings and
                    selections differ. "placebo alone" has no other column: two lotteries in
                    disguise.
offers swapped      Everybody is mailed, under pressure without regard to the shelf, about sports
                    in one policy and fashion in the other. Both shelves have as many products,
                    of which one law draws stock and end of offer, and half get each claim. Only
                    `false_claims` has one law for both; people respond to the two differently.
lottery audited     A lottery, without an audit and with one of gender. In a copy of the world
                    gender, ethnic group, age and disability are dealt to people anew, all
                    together: so nothing, consent included, depends on them, all true gaps are
                    zero, and none is unseen by either. In the world as it is the young consent
                    more often, and an audit would truly see something. Only `unseen_gap` counts.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from ethicalai_lab import make_world
from ethicalai_lab.policy import PRESETS, Policy, PolicyLab, Scorecard, compare_scorecards, preset
from ethicalai_lab.policy.frontier import changed
from ethicalai_lab.world import World

LOW, HIGH, MOST_VERDICTS = 0.93, 0.97, 0.05

_PLACEBOS = ("education", "occupation")
_COMMON = ("recency", "history", "sports", "fashion", "newbie", "channel")
_GROUPS = ["gender", "ethnic_group", "age", "disability"]
_FALSE_CLAIMS, _UNSEEN_GAP = "transparency.false_claims", "fairness.unseen_gap"
_RECORD = (
    *("world", "kind", "policy", "measure"),
    *("value", "low", "high", "truth", "counted", "difference", "reading"),
)


# ----------------------------------------------------------------- pairs that do not differ


@dataclass(frozen=True)
class Pair:
    """Two policies that do not differ, in a copy of the world.

    Attributes
    ----------
    copy : callable
        Makes the copy, of the world and a seed.
    first, second : Policy
    only : str
        The measure for which they do not differ; every one where empty.
    """

    copy: Callable[[World, int], World]
    first: Policy
    second: Policy
    only: str = ""


def _rng(seed: int, stream: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0xC0FE, stream)))


def _with_customers(world: World, customers: pd.DataFrame) -> World:
    tables = {**world.tables, "customers": customers}
    return World(tables, world.truth, seed=world.seed, config=world.config)


def as_it_is(world: World, seed: int) -> World:
    """Return the world."""
    return world


def with_placebos(world: World, seed: int) -> World:
    """Return a copy in which two columns are draws of one distribution, and mean nothing."""
    drawn = _rng(seed, 0).integers(1, 9, (len(_PLACEBOS), world.n_customers))
    columns = dict(zip(_PLACEBOS, drawn, strict=True))
    return _with_customers(world, world.customers.assign(**columns))


def with_groups_dealt(world: World, seed: int) -> World:
    """Return a copy in which people's groups are dealt anew, and nothing depends on them."""
    order = _rng(seed, 1).permutation(world.n_customers)
    dealt = world.customers[_GROUPS].take(order).set_axis(world.customers.index)
    return _with_customers(world, world.customers.assign(**dict(dealt.items())))


def null_pairs() -> dict[str, Pair]:
    """Return the pairs, with a shop in which every section has something to do."""
    fair = PRESETS["fairness_first"].sections
    shop = changed(
        preset("average_practice").decide("fairness.audit", **fair["fairness.audit"]),
        {
            "personalization.share": 0.3,
            "personalization.objective": "visit",
            "explanations.method": "shapley_values",
            "explanations.reasons_shown": 3,
            "explanations.notice": "layered",
            "transparency.data_source_shown": True,
        },
    )
    repaired = shop.decide("fairness.mitigation", **fair["fairness.mitigation"])

    def placebo(base: Policy, targeting: str, common: Sequence[str] = _COMMON) -> Pair:
        base = base.decide("personalization", targeting=targeting)
        one, two = (base.decide("data", features=[*common, name]) for name in _PLACEBOS)
        return Pair(with_placebos, one, two)

    pressing = changed(
        Policy(), {"personalization.targeting": "everyone", "transparency.urgency_claims": "any"}
    )
    sports, fashion = (
        pressing.decide("personalization", offer=f"{name}_mail") for name in ("sports", "fashion")
    )
    lottery = Policy().decide("personalization", targeting="random", share=0.3)
    unaudited, audited = (
        lottery.decide("fairness.audit", groups=["gender"], frequency=how_often)
        for how_often in ("never", "monthly")
    )
    return {
        "placebo uplift": placebo(shop, "uplift"),
        "placebo response": placebo(shop, "response"),
        "placebo uplift repaired": placebo(repaired, "uplift"),
        "placebo response repaired": placebo(repaired, "response"),
        "placebo alone": placebo(shop, "uplift", ()),
        "offers swapped": Pair(as_it_is, sports, fashion, _FALSE_CLAIMS),
        "lottery audited": Pair(with_groups_dealt, unaudited, audited, _UNSEEN_GAP),
    }


# -------------------------------------------------------------------------------- one world


def observe(
    seed: int,
    n: int,
    presets: Sequence[str],
    pairs: Sequence[str],
    n_boot: int = 200,
    refit: int = 0,
) -> list[tuple[Any, ...]]:
    """Return what one world shows: a record a policy and measure, as `_RECORD` names them.

    Parameters
    ----------
    seed : int
        Of the world; the seeds of the evaluation are drawn from it.
    n : int
        Customers.
    presets, pairs : sequence of str
        Names, of `PRESETS` and of `null_pairs`.
    n_boot : int, default 200
    """
    world = make_world(n, seed=seed)
    deal, other_deal = (int(x) for x in _rng(seed, 2).integers(0, 2**31, 2))
    labs: dict[Any, PolicyLab] = {as_it_is: PolicyLab(world, n_boot=n_boot, seed=deal)}
    found = []
    if presets:
        again = PolicyLab(world, n_boot=n_boot, seed=other_deal)
        for name in presets:
            policy = preset(name)
            cards = labs[as_it_is].evaluate(policy), again.evaluate(policy)
            found += _records(seed, "preset", name, cards)
    known = null_pairs()
    for name in pairs:
        pair = known[name]
        if pair.copy not in labs:
            copy = pair.copy(world, seed)
            labs[pair.copy] = PolicyLab(copy, n_boot=n_boot, seed=deal)
        lab = labs[pair.copy]
        cards = lab.evaluate(pair.first, refit=refit), lab.evaluate(pair.second, refit=refit)
        found += _records(seed, "pair", name, cards, pair.only)
    return found


def _records(
    seed: int, kind: str, name: str, cards: tuple[Scorecard, Scorecard], only: str = ""
) -> Iterator[tuple[Any, ...]]:
    table = compare_scorecards(*cards).table
    keys = table["dimension"] + "." + table["measure"]
    told = dict(zip(keys, zip(table["difference"], table["reading"], strict=True), strict=True))
    for measure in cards[0].measures:
        if measure.value is None or only not in ("", measure.key):
            continue
        yield (
            *(seed, kind, name, measure.key),
            *(measure.value, measure.low, measure.high, measure.truth),
            *(measure.exact and measure.truth is None, *told[measure.key]),
        )


# -------------------------------------------------------------------------------- the table


def summarize(records: Iterable[tuple[Any, ...]]) -> pd.DataFrame:
    """Return one row a measure and policy, and one over all policies of a kind."""
    every = pd.DataFrame(records, columns=_RECORD)
    numbers = ["value", "low", "high", "truth"]
    every[numbers] = every[numbers].astype(float)
    every["counted"] = every["counted"].astype(bool)
    has_interval = every["low"].notna()
    # a value that the truth was computed with may differ from it in the last digits
    slack = 1e-9 * every["truth"].abs()
    holds = (every["low"] - slack <= every["truth"]) & (every["truth"] <= every["high"] + slack)
    every["holds"] = holds.where(has_interval & every["truth"].notna()).astype(float)
    every["error"] = (every["value"] - every["truth"]).where(
        (every["value"] - every["truth"]).abs() > slack, 0.0
    )
    every.loc[every["truth"].isna(), "error"] = np.nan
    every["width"] = every["high"] - every["low"]
    every["withheld"] = (~has_interval).astype(float).where(~every["counted"])
    by_policy = every.groupby(["measure", "kind", "policy"], sort=False)
    every["standard"] = every["error"] / by_policy["error"].transform("std")
    # what a pair leaves alone says nothing about verdicts
    touched = every["difference"].fillna(0).ne(0).groupby(by_policy.ngroup()).transform("any")
    verdict = every["reading"].isin(["better", "worse"]).astype(float)
    every["verdict"] = verdict.where(touched & (every["reading"] != ""))
    every = every[(every["kind"] == "preset") | touched]
    rows = [_row(key, part) for key, part in every.groupby(["measure", "kind", "policy"])]
    rows += [_row((*key, "all"), part) for key, part in every.groupby(["measure", "kind"])]
    order = ["measure", "kind", "policy"]
    table = pd.DataFrame(rows).sort_values(order, ignore_index=True)
    return table.sort_values("kind", ascending=False, kind="stable", ignore_index=True)


def _row(key: tuple[str, ...], part: pd.DataFrame) -> dict[str, Any]:
    coverage, coverage_error = _share(part["holds"], part["world"])
    verdicts, verdict_error = _share(part["verdict"], part["world"])
    return {
        **dict(zip(("measure", "kind", "policy"), key, strict=True)),
        "worlds": part["world"].nunique(),
        "coverage": coverage,
        "coverage_error": coverage_error,
        "bias": part["standard"].mean(),
        "width": part["width"].mean(),
        "withheld": part["withheld"].mean(),
        "verdicts": verdicts,
        "verdict_error": verdict_error,
    }


def _share(hits: pd.Series, worlds: pd.Series) -> tuple[float, float]:
    """Return a share and its standard error; what is seen in one world may go together.

    Two hits and two misses are added for the error (Agresti and Coull 1998), so that none or
    all of a few worlds is no certainty.
    """
    hits = hits.dropna()
    n = len(hits)
    if not n:
        return math.nan, math.nan
    share = float(hits.mean())
    sums = (hits - share).groupby(worlds[hits.index]).sum()
    plain = n * share * (1 - share)
    together = max(1.0, float((sums**2).sum()) / plain) if plain > 0 else 1.0
    trials = n / together
    middle = (share * trials + 2) / (trials + 4)
    return share, math.sqrt(middle * (1 - middle) / (trials + 4))


def failures(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that miss what is asked by more than two Monte-Carlo errors, and how.

    A value that never differs from its truth was computed from it, and tests nothing.
    """
    reach = 2 * table["coverage_error"]
    never_off = table["coverage"].notna() & table["bias"].isna()
    verdicts = table["verdicts"] - 2 * table["verdict_error"]
    said = {
        "covers too little": table["coverage"] + reach < LOW,
        "covers too much": (table["coverage"] - reach > HIGH) & ~never_off,
        "is its own truth": never_off,
        "verdicts by chance": verdicts > MOST_VERDICTS,
    }
    return pd.concat([table[rows].assign(fails=why) for why, rows in said.items()])


# ------------------------------------------------------------------------------- at a prompt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = null_pairs()
    parser.add_argument("--n", type=int, default=5_000, help="customers of a world")
    parser.add_argument("--worlds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="of the first world; then one more")
    parser.add_argument("--presets", nargs="*", default=list(PRESETS), choices=list(PRESETS))
    parser.add_argument("--pairs", nargs="*", default=list(known), metavar="PAIR")
    parser.add_argument("--n-boot", type=int, default=200)
    parser.add_argument(
        "--refit", type=int, default=20, help="refits of the null pairs; 0 for none"
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", default="coverage.csv", help="where the table is written")
    given = parser.parse_args()
    for name in given.pairs:
        if name not in known:
            parser.error(f'there is no pair "{name}"; accepted: {", ".join(known)}')
    start = time.perf_counter()
    work = (
        delayed(observe)(seed, given.n, given.presets, given.pairs, given.n_boot, given.refit)
        for seed in range(given.seed, given.seed + given.worlds)
    )
    worlds = Parallel(n_jobs=given.processes, return_as="generator")(work)
    seen = tqdm(worlds, total=given.worlds, unit="world")
    table = summarize(record for world in seen for record in world)
    table.to_csv(given.out, index=False, float_format="%.4g")
    took = time.perf_counter() - start
    print(
        f"{given.worlds} worlds of {given.n:,} customers, seeds from {given.seed}, in {took:.0f} s"
    )
    found = failures(table)
    print("what misses its mark by more than two Monte-Carlo errors:")
    for why, rows in found.drop(columns=["worlds", "width", "withheld"]).groupby("fails"):
        print(f"\n{why}: {len(rows)} rows")
        print(rows.drop(columns="fails").to_string(index=False, float_format="{:.3f}".format))
    print(f"\nthe whole table, {len(table)} rows: {given.out}")


if __name__ == "__main__":
    main()
