"""How long `import ethicalai_lab` takes beside `import pandas`, each in fresh processes.

Run it with ``python benchmarks/imports.py``.
"""

import subprocess
import sys

TIMED = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def seconds(*modules, repeats=5):
    """Return the best time of each module's import; the modules take turns."""
    best = dict.fromkeys(modules, float("inf"))
    for _ in range(repeats):
        for module in modules:
            timed = [sys.executable, "-c", TIMED.format(module)]
            took = float(subprocess.run(timed, capture_output=True, text=True, check=True).stdout)
            best[module] = min(best[module], took)
    return best


def main():
    """Print the times and their ratio."""
    rooms = ("world", "personalization", "privacy", "fairness", "policy", "lessons", "widgets")
    ours = ["ethicalai_lab", *(f"ethicalai_lab.{room}" for room in rooms)]
    took = seconds("pandas", *ours)
    for module, time in took.items():
        print(f"{module:32} {1000 * time:7.1f} ms   {time / took['pandas']:.3f} of pandas")


if __name__ == "__main__":
    main()
