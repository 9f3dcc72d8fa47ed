"""Time and peak memory of `make_world`, beside the Synthetic Data Vault where there is one.

python benchmarks/world.py                          # 20,000, 100,000 and 1,000,000 customers
python benchmarks/world.py --sizes 2000 20000
python benchmarks/world.py --peer-python ENV/bin/python   # an environment with sdv in it

Each measurement runs in a fresh process. The peer learns one table (100,000 of our
customers) and samples as many rows; it keeps no truth and knows no second table, so the
ratio is per row of one table, and counts in its favour.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]

OURS = """
import json, sys, time
from ethicalai_lab.world import make_world
make_world(100)  # imports and caches are not what is measured
start = time.perf_counter()
world = make_world(int(sys.argv[1]), seed=7)
took = time.perf_counter() - start
tables = {**world.tables, **world.truth.tables}
rows = sum(len(table) for table in tables.values())
print(json.dumps({"seconds": took, "rows": rows, "customers": len(world.customers)}))
"""

PEER = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import pandas as pd
from sdv.metadata import Metadata
from sdv.single_table import GaussianCopulaSynthesizer
table = pd.read_csv(sys.argv[1])
if hasattr(Metadata, "detect_from_dataframe"):  # sdv 1
    data, metadata = table, Metadata.detect_from_dataframe(table)
else:  # sdv 2 takes tables by name
    data = {"customers": table}
    metadata = Metadata.detect_from_dataframes(data)
synthesizer = GaussianCopulaSynthesizer(metadata)
start = time.perf_counter()
synthesizer.fit(data)
fitted = time.perf_counter()
synthesizer.sample(len(table))
done = time.perf_counter()
print(json.dumps({"fit": fitted - start, "sample": done - fitted, "rows": len(table)}))
"""


def measure(python: str, code: str, *arguments: object) -> dict[str, float]:
    """Run the code in a fresh process; return what it prints, with its peak memory."""
    # resource knows the children's peak only where there is a wait4: not on Windows
    wrapped = code + (
        "\ntry:\n    import resource\n"
        "    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "    print(peak * (1 if sys.platform == 'darwin' else 1024))\n"
        "except ImportError:\n    print(-1)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [python, "-c", wrapped, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
    )
    if done.returncode:
        raise SystemExit(f"the measured process failed:\n{done.stderr}")
    *_, figures, peak = done.stdout.strip().splitlines()
    return {**json.loads(figures), "peak": int(peak)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[20_000, 100_000, 1_000_000])
    parser.add_argument("--peer-python", help="interpreter of an environment that has sdv")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    best = {}
    print("customers        rows of all tables     seconds      peak GiB")
    for size in options.sizes:
        runs = [measure(sys.executable, OURS, size) for _ in range(options.repeats)]
        best[size] = run = min(runs, key=lambda found: found["seconds"])
        worst = max(found["seconds"] for found in runs)
        peak = f"{run['peak'] / 2**30:.2f}" if run["peak"] > 0 else "unknown"
        print(
            f"{size:>9,}  {run['rows']:>22,}  {run['seconds']:>9.2f} (slowest {worst:.2f})  {peak}"
        )
    peer = options.peer_python
    if peer is None and importlib.util.find_spec("sdv"):
        peer = sys.executable
    if peer is None:
        print("sdv: not here; give --peer-python an environment that has it")
        return
    from ethicalai_lab.world import make_world

    size = 100_000
    if size not in best:
        best[size] = measure(sys.executable, OURS, size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "customers.csv"
        columns = ["age", "gender", "region", "household_income", "education", "occupation"]
        columns += ["marital_status", "household_size", "disability", "tenure_days", "device"]
        columns += ["loyalty_tier", "health_interest", "financial_stress"]
        table = make_world(size, seed=7).customers[columns]
        table = table.astype(dict.fromkeys(table.select_dtypes("category").columns, str))
        table.to_csv(path, index=False)
        found = measure(peer, PEER, path)
    ours = best[size]["seconds"] / best[size]["rows"]
    fit_and_sample = (found["fit"] + found["sample"]) / found["rows"]
    sample = found["sample"] / found["rows"]
    print(
        f"sdv (GaussianCopula, one table of {size:,} rows and {len(columns)} columns): "
        f"fit {found['fit']:.2f} s, sample {found['sample']:.2f} s"
    )
    print(
        f"seconds a row, peer over ours: {fit_and_sample / ours:.0f} with its fit, "
        f"{sample / ours:.0f} sampling alone; "
        f"a customer with all tables against a row of one: "
        f"{fit_and_sample / (best[size]['seconds'] / size):.1f} and "
        f"{sample / (best[size]['seconds'] / size):.1f}"
    )


if __name__ == "__main__":
    main()
