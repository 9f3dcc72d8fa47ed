"""Time measuring and anonymizing beside pycanon, anonypy, anonypyx and anjana, in one run.

python benchmarks/privacy.py                                  # ours only
python benchmarks/privacy.py --peer-python A --peer-python B  # and the peers found there
python benchmarks/privacy.py --peer-python A --plot out.png --csv out.csv

The peers' versions of pandas and NumPy clash with ours, so each ``--peer-python`` is the
interpreter of a virtual environment of theirs (``pip install pycanon anonypy anjana``, and
``anonypyx`` in another). A peer is run at the sizes of ``--peer-rows``; what it would take at
larger sizes is extrapolated by the power of rows (1 to 2) seen at the two largest, and marked
so. anonypyx is timed without writing labels, the others with.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
import pandas as pd

from ethicalai_lab.privacy import Hierarchy, KAnonymizer, anonymity, information_loss

ROWS = (10_000, 100_000, 1_000_000)
KS = (5, 10, 50)
MONDRIAN = ("age", "income", "tenure", "spend", "gender", "education")
MEASURE = ("age", "postcode", "gender", "education")
LATTICE = ("age", "postcode", "gender", "education")
SCHOOLS = {
    "none": ("basic", "low"),
    "primary": ("basic", "low"),
    "secondary": ("middle", "low"),
    "vocational": ("middle", "low"),
    "bachelor": ("degree", "high"),
    "master": ("degree", "high"),
}
HIERARCHIES = {
    "age": Hierarchy.intervals([10, 20]),
    "postcode": Hierarchy.prefix(5),
    "gender": Hierarchy.table({"female": [], "male": [], "nonbinary": []}),
    "education": Hierarchy.table(SCHOOLS),
}


def data(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, n)
    return pd.DataFrame(
        {
            "age": age,
            "income": np.round(rng.lognormal(10, 0.6, n), -2).astype(np.int64),
            "tenure": rng.integers(0, 4000, n),
            "spend": np.round(rng.pareto(1.5, n) * 100, 2),
            "postcode": np.char.zfill((rng.integers(0, 2000, n) * 37 + 10_000).astype(str), 5),
            "gender": rng.choice(["female", "male", "nonbinary"], n, p=[0.5, 0.48, 0.02]),
            "education": rng.choice(list(SCHOOLS), n),
            "illness": rng.choice([f"i{j}" for j in range(6)], n),
        }
    )


def clock() -> float:
    """Wall clock, or CPU time where the machine is shared (``--cpu``)."""
    return time.process_time() if os.environ.get("BENCH_CPU") else time.perf_counter()


def best(call, repeats: int = 3) -> tuple[float, object]:
    times, result = [], None
    for _ in range(repeats):
        start = clock()
        result = call()
        times.append(clock() - start)
    return min(times), result


def ncp_of(table: pd.DataFrame, owner: np.ndarray, names: tuple) -> float:
    """NCP of a partition by one ruler for every tool: span of what is there over all."""
    weight = np.bincount(owner) / len(owner)
    total = 0.0
    for name in names:
        column = table[name]
        groups = column.groupby(owner)
        if column.dtype.kind in "if":
            part = (groups.max() - groups.min()) / (column.max() - column.min())
        else:
            part = (groups.nunique() - 1) / (column.nunique() - 1)
        total += float(part.to_numpy() @ weight)
    return total / len(names)


class Peers:
    """Runs a peer in whichever of the interpreters has it."""

    def __init__(self, pythons: list[str]) -> None:
        self.home = {}
        for python in pythons:
            for peer in ("pycanon", "anonypy", "anonypyx", "anjana"):
                found = subprocess.run(
                    [python, "-c", f"import {peer}"], capture_output=True, check=False
                )
                if found.returncode == 0:
                    self.home.setdefault(peer, python)

    def run(self, peer: str, table: pd.DataFrame, k: int, extra: dict | None = None):
        if peer not in self.home:
            return None
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "in.npz", Path(folder) / "out.npz"
            columns = {
                c: table[c].to_numpy()
                if table[c].dtype.kind in "if"
                else table[c].to_numpy(dtype="U")
                for c in table
            }
            np.savez(source, **columns, **(extra or {}))
            script = Path(__file__).with_name("privacy_peers.py")
            done = subprocess.run(
                [self.home[peer], str(script), peer, str(source), str(target), str(k)],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                print(f"  {peer} failed: {done.stderr.strip().splitlines()[-1]}")
                return None
            raw = np.load(target, allow_pickle=False)
            return {name: raw[name] for name in raw.files}


def extrapolate(seen: dict[int, float], n: int) -> float:
    """Seconds at n rows, by the power of rows between the two largest sizes seen."""
    sizes = sorted(seen)
    power = 1.0
    if len(sizes) > 1:
        a, b = sizes[-2:]
        # on a busy machine a ratio of two short times can say anything; none is above square
        power = float(np.clip(np.log(seen[b] / seen[a]) / np.log(b / a), 1.0, 2.0))
    return seen[sizes[-1]] * (n / sizes[-1]) ** power


def measure(rows, peers, peer_rows, out):
    print("\nk, l, t of a raw table with many classes")
    names, ours, theirs = [*MEASURE], {}, {}
    for n in sorted({*rows, *peer_rows}):
        table = data(n)[[*names, "illness"]]

        def call(table=table):
            a = anonymity(table, names, "illness")
            return a.k, a.l, a.t

        ours[n], values = best(call)
        peer = peers.run("pycanon", table, 0) if n in peer_rows else None
        if peer is not None:
            theirs[n] = float(peer["seconds"])
            if not np.allclose(peer["values"], values, atol=1e-9):
                raise SystemExit(f"pycanon differs: {peer['values']} against {values}")
    report(out, "k, l, t", "", "pycanon", ours, theirs, {}, {}, "values equal")


def mondrian(rows, ks, peers, peer_rows, out):
    names = [*MONDRIAN]
    for k in ks:
        print(f"\nMondrian release with labels, k = {k}")
        ours, our_ncp = {}, {}
        theirs: dict = {"anonypy": {}, "anonypyx": {}}
        their_ncp: dict = {"anonypy": {}, "anonypyx": {}}
        for n in sorted({*rows, *peer_rows}):
            table = data(n)[[*names, "illness"]]
            tool = KAnonymizer(k, quasi_identifiers=names, sensitive="illness")
            ours[n], _ = best(lambda tool=tool, table=table: tool.fit_transform(table))
            our_ncp[n] = ncp_of(table, tool._partition.owner, MONDRIAN)
            for peer in theirs:
                got = peers.run(peer, table, k) if n in peer_rows else None
                if got is not None:
                    theirs[peer][n] = float(got["seconds"])
                    their_ncp[peer][n] = ncp_of(table, got["owner"], MONDRIAN)
        for peer in theirs:
            report(out, "Mondrian", k, peer, ours, theirs[peer], our_ncp, their_ncp[peer])


def lattice(rows, ks, peers, peer_rows, out):
    names = [*LATTICE]
    for k in ks:
        print(f"\nfull-domain generalization, k = {k}")
        ours, our_ncp, theirs, their_ncp, size = {}, {}, {}, {}, ""
        for n in sorted({*rows, *peer_rows}):
            table = data(n)[[*names, "illness"]]
            tool = KAnonymizer(
                k,
                method="full_domain",
                hierarchies=HIERARCHIES,
                quasi_identifiers=names,
                sensitive="illness",
            )
            ours[n], _ = best(lambda tool=tool, table=table: tool.fit_transform(table))
            our_ncp[n] = tool.loss_.ncp
            size = f"{tool.evaluated_} of {tool.nodes_} nodes computed, optimum"
            if n in peer_rows and "anjana" in peers.home:
                extra = {}
                for c in names:
                    values = sorted(table[c].unique())
                    for level in range(HIERARCHIES[c].height + 1):
                        labels = [HIERARCHIES[c].label(v, level) for v in values]
                        extra[f"_{c}_{level}"] = np.array(labels, dtype="U")
                got = peers.run("anjana", table, k, extra)
                if got is not None:
                    theirs[n] = float(got["seconds"])
                    release = pd.DataFrame({c: got[c] for c in names})
                    their_ncp[n] = information_loss(table, release, names, HIERARCHIES).ncp
        report(out, "full-domain", k, "anjana", ours, theirs, our_ncp, their_ncp, size)


def report(out, what, k, peer, ours, theirs, our_ncp, their_ncp, remark=""):
    if not theirs:
        print(f"  {peer}: not in any --peer-python, skipped")
    for n in sorted(ours):
        seconds, how = float("nan"), ""
        if n in theirs:
            seconds, how = theirs[n], "measured"
        elif theirs and n > max(theirs):
            seconds, how = extrapolate(theirs, n), "extrapolated"
        row = {
            "what": what,
            "k": k,
            "rows": n,
            "ours_s": ours[n],
            "peer": peer,
            "peer_s": seconds,
            "peer_time": how,
            "ratio": seconds / ours[n],
            "ours_ncp": our_ncp.get(n, float("nan")),
            "peer_ncp": their_ncp.get(n, float("nan")),
        }
        out.append(row)
        line = f"  {n:>9,} rows: ours {ours[n]:8.4f} s"
        if n in our_ncp:
            line += f", NCP {our_ncp[n]:.4f}"
        if how:
            line += f"; {peer} {seconds:10.2f} s {how}, {row['ratio']:,.0f} times"
        if n in their_ncp:
            line += f", NCP {their_ncp[n]:.4f}"
        print(line)
    if remark:
        print(f"  ({remark})")


def plot(table: pd.DataFrame, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 3, figsize=(15, 4.5))
    for name, marker, part in (
        ("k, l, t", "o", table[table["what"] == "k, l, t"]),
        ("Mondrian, k = 10", "s", table[(table["what"] == "Mondrian") & (table["k"] == 10)]),
        ("full-domain, k = 10", "^", table[(table["what"] == "full-domain") & (table["k"] == 10)]),
    ):
        for i, (peer, rows) in enumerate(part.groupby("peer")):
            if i == 0:
                axes[0].plot(rows["rows"], rows["ours_s"], marker=marker, label=f"ours: {name}")
            for how, style, fill in (("measured", "--", "full"), ("extrapolated", ":", "none")):
                some = rows[rows["peer_time"] == how]
                if len(some):
                    axes[0].plot(
                        some["rows"],
                        some["peer_s"],
                        style,
                        marker=marker,
                        fillstyle=fill,
                        label=f"{peer}: {name} ({how})",
                    )
    axes[0].set(xscale="log", yscale="log", xlabel="rows", ylabel="seconds", title="time")
    axes[0].legend(fontsize=6)
    mondrian_ = table[table["what"] == "Mondrian"]
    for k, marker in zip(KS, "os^", strict=True):
        part = mondrian_[mondrian_["k"] == k]
        first = part[part["peer"] == part["peer"].iloc[0]] if len(part) else part
        axes[1].plot(first["rows"], first["ours_ncp"], marker=marker, label=f"ours, k = {k}")
        for peer, rows in part.groupby("peer"):
            rows = rows.dropna(subset=["peer_ncp"])
            if len(rows):
                axes[1].plot(
                    rows["rows"], rows["peer_ncp"], "--", marker=marker, label=f"{peer}, k = {k}"
                )
    axes[1].set(xscale="log", xlabel="rows", ylabel="NCP", title="Mondrian: loss against rows")
    axes[1].legend(fontsize=6)
    for n, rows in mondrian_.groupby("rows"):
        rows = rows.drop_duplicates("k")
        axes[2].plot(rows["k"], rows["ours_s"], marker="o", label=f"ours, {n:,} rows")
    axes[2].set(xscale="log", yscale="log", xlabel="k", ylabel="seconds", title="Mondrian: k")
    axes[2].legend(fontsize=6)
    fig.tight_layout()
    fig.savefig(path, dpi=120)
    print(f"drawn to {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-python", action="append", default=[])
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS))
    parser.add_argument("--k", type=int, nargs="+", default=list(KS))
    parser.add_argument("--peer-rows", type=int, nargs="+", default=[2_500, 5_000, 10_000])
    parser.add_argument("--cpu", action="store_true", help="CPU seconds, for a busy machine")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args()
    if args.cpu:
        os.environ["BENCH_CPU"] = "1"
    peers = Peers(args.peer_python)
    print("CPU seconds" if args.cpu else "wall-clock seconds")
    print(f"Python {sys.version.split()[0]}, NumPy {np.__version__}, pandas {pd.__version__}")
    print("peers: " + (", ".join(sorted(peers.home)) or "none (give --peer-python)"))
    out: list = []
    measure(args.rows, peers, args.peer_rows, out)
    mondrian(args.rows, args.k, peers, args.peer_rows, out)
    lattice(args.rows, args.k, peers, args.peer_rows, out)
    table = pd.DataFrame(out)
    if args.csv:
        table.to_csv(args.csv, index=False)
    if args.plot:
        plot(table, args.plot)


if __name__ == "__main__":
    main()
