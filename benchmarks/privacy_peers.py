"""The peers of benchmarks/privacy.py; runs under the peers' own Python, imports nothing of ours.

python privacy_peers.py PEER INPUT.npz OUTPUT.npz K
"""

import os
import sys
import time

import numpy as np
import pandas as pd

clock = time.process_time if os.environ.get("BENCH_CPU") else time.perf_counter


def read(path):
    raw = np.load(path, allow_pickle=False)
    table = pd.DataFrame({name: raw[name] for name in raw.files if not name.startswith("_")})
    for name in table:
        if not pd.api.types.is_numeric_dtype(table[name]):
            table[name] = table[name].astype(object)
    return table


def owners(partitions, n):
    out = np.empty(n, np.int64)
    for i, part in enumerate(partitions):
        out[np.asarray(part)] = i
    return out


def categories(table):
    return table.assign(
        **{
            c: table[c].astype("category")
            for c in table
            if not pd.api.types.is_numeric_dtype(table[c])
        }
    )


def pycanon(table, k):
    from pycanon import anonymity as peer

    qi, s = [c for c in table if c != "illness"], ["illness"]
    start = clock()
    values = [
        peer.k_anonymity(table, qi),
        peer.l_diversity(table, qi, s),
        peer.t_closeness(table, qi, s),
    ]
    return {"seconds": clock() - start, "values": np.array(values, float)}


def anonypy(table, k):
    from anonypy import anonypy as peer

    table = categories(table)
    qi = [c for c in table if c != "illness"]
    start = clock()
    tool = peer.Preserver(table, qi, "illness")
    partitions = tool.modrian.partition(k, 0, 0.0)
    peer.anonymize(table, partitions, qi, "illness")
    return {"seconds": clock() - start, "owner": owners(partitions, len(table))}


def anonypyx(table, k):
    from anonypyx import models
    from anonypyx.mondrian import Mondrian

    table = categories(table)
    qi = [c for c in table if c != "illness"]
    start = clock()
    partitions = Mondrian(table, qi).partition([models.kAnonymity(k)])
    return {"seconds": clock() - start, "owner": owners(partitions, len(table))}


def anjana(table, k, raw):
    from anjana.anonymity import k_anonymity

    qi = [c for c in table if c != "illness"]
    levels = {}
    for c in qi:
        names = sorted(n for n in raw.files if n.startswith(f"_{c}_"))
        levels[c] = {i: raw[n].astype(str).astype(object) for i, n in enumerate(names)}
        table[c] = table[c].astype(str).astype(object)
    start = clock()
    made = k_anonymity(table, [], qi, k, 0, levels)
    seconds = clock() - start
    return {"seconds": seconds, **{c: made[c].to_numpy().astype(str) for c in qi}}


def main():
    peer, source, target, k = sys.argv[1:5]
    table = read(source)
    if peer == "anjana":
        out = anjana(table, int(k), np.load(source))
    else:
        out = {"pycanon": pycanon, "anonypy": anonypy, "anonypyx": anonypyx}[peer](table, int(k))
    np.savez(target, **out)


if __name__ == "__main__":
    main()
