"""Time the ledger's decisions beside pandas.merge_asof, in one run.

python benchmarks/consent.py            # 1M questions over 1M events
python benchmarks/consent.py --small    # a tenth of it
python benchmarks/consent.py --events 10000000
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
import pandas as pd

from ethicalai_lab.consent import ConsentLedger

ASKED = ("analytics", "direct_marketing", "personalization", "third_party_sharing")


def best(call, repeats: int = 5) -> tuple[float, object]:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - start)
    return min(times), result


def events(n: int, rng: np.random.Generator) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "person": rng.integers(1, n // 5, n),
            "purpose": pd.Categorical.from_codes(rng.integers(0, 4, n), ASKED),
            "action": pd.Categorical(rng.choice(["grant", "refuse", "withdraw"], n)),
            "time": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 63e6, n), "s"),
            "notice_version": "2025-1",
            "source": pd.Categorical.from_codes(np.zeros(n, int), ["banner"]),
            "regime": pd.Categorical.from_codes(np.zeros(n, int), ["gdpr"]),
        }
    )
    # merge_asof takes the last of equal stamps, the ledger the stricter: leave one each
    return frame.drop_duplicates(["person", "purpose", "time"])


def one_more(ledger: ConsentLedger, person: int) -> float:
    """Return how long it takes to record an event and to ask about it."""
    when = "2024-01-01"  # before all others, so that the answers below stay what they are
    said = {"person": person, "purpose": "analytics", "action": "refuse", "time": when}
    start = time.perf_counter()
    ledger.record({**said, "notice_version": "2025-1", "source": "banner", "regime": "gdpr"})
    assert not ledger.permitted([person], "analytics", when)[0]
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--events", type=int, default=1_000_000)
    chosen = parser.parse_args()
    n = 100_000 if chosen.small else chosen.events
    rng = np.random.default_rng(0)
    past = events(n, rng)
    people = rng.integers(1, n // 5 + n // 50, n)  # some are strangers
    names = pd.Categorical.from_codes(rng.integers(0, 4, n), ASKED)
    at = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 66e6, n), "s")
    asked = pd.DataFrame({"person": people, "purpose": names, "time": at})
    with (
        tempfile.TemporaryDirectory() as folder,
        ConsentLedger(Path(folder, "ledger.duckdb"), now="2026-12-31") as ledger,
    ):
        start = time.perf_counter()
        ledger.record(past)
        print(f"record {len(past):,} events, committed      {time.perf_counter() - start:8.3f} s")
        start = time.perf_counter()
        ledger.permitted([1], "analytics", "2025-01-01")
        whole = time.perf_counter() - start
        print(f"read them back and build the index      {whole:8.3f} s")
        more = [one_more(ledger, int(person)) for person in rng.integers(1, n // 5, 20)]
        print(
            f"record one event more and ask           {np.median(more):8.3f} s"
            f" (longest of 20: {max(more):.3f} s), {whole / np.median(more):,.0f} times sooner"
        )
        ours, answer = best(lambda: ledger.permitted(asked["person"], asked["purpose"], at))
        one, _ = best(lambda: ledger.permitted(people, "direct_marketing", "2025-06-01"))
    print(f"{n:,} questions, each its purpose and time  {ours:8.3f} s")
    print(f"{n:,} questions, one purpose and time       {one:8.3f} s")
    left = asked.reset_index().sort_values("time")
    right = past.sort_values("time")[["person", "purpose", "action", "time"]]
    peer, merged = best(
        lambda: pd.merge_asof(left, right, on="time", by=["person", "purpose"]), repeats=3
    )
    print(f"pandas.merge_asof, sorted beforehand        {peer:8.3f} s")
    expected = np.empty(n, dtype=bool)
    expected[merged["index"].to_numpy()] = (merged["action"] == "grant").to_numpy()
    print(f"ratio {peer / ours:.1f}; answers equal: {np.array_equal(answer, expected)}")


if __name__ == "__main__":
    main()
