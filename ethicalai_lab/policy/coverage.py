"""How often the scorecard's intervals hold, and its verdicts are chance, as measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ethicalai_lab.policy.measure import DIMENSIONS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["coverage_table"]

# what benchmarks/coverage.py wrote
_FILE = Path(__file__).with_name("coverage.csv")


def coverage_table() -> pd.DataFrame:
    """Return how often intervals held the truth, and verdicts were chance, in many worlds.

    `benchmarks/coverage.py` measured it and describes it; the file beside this module is what
    it wrote. Of policies that do not differ there are two kinds: one preset under two seeds, and
    pairs that are alike by design. Verdicts are those of the kind that had more of them.

    Returns
    -------
    pandas.DataFrame
        A row a measure, by key. Columns `worlds`; `coverage`, the share of intervals that hold
        the truth, nan where the world knows none; `verdicts`, the share that read better or
        worse though nothing differs, nan where neither is better; each with its Monte-Carlo
        error, `coverage_error` and `verdict_error`.

    Examples
    --------
    >>> table = coverage_table()
    >>> list(table.columns)
    ['worlds', 'coverage', 'coverage_error', 'verdicts', 'verdict_error']
    >>> bool(table.loc["value.profit_added", "coverage"] > 0.9)
    True
    """
    import pandas as pd

    whole = pd.read_csv(_FILE)
    by_kind = dict(tuple(whole[whole["policy"] == "all"].set_index("measure").groupby("kind")))
    presets = by_kind["preset"][["worlds", "coverage", "coverage_error"]]
    verdicts = pd.concat(
        [each[["verdicts", "verdict_error"]].dropna() for each in by_kind.values()]
    )
    most = verdicts.sort_values("verdicts", kind="stable").groupby(level=0).last()

    def place(keys: pd.Index) -> pd.Index:
        return keys.map(lambda key: DIMENSIONS.index(key.partition(".")[0]))

    return presets.join(most).sort_index(key=place, kind="stable")
