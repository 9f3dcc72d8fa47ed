"""What generalization costs: NCP, discernibility, average class size."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ethicalai_lab.privacy.codes import sorted_runs, table_codes
from ethicalai_lab.privacy.errors import PrivacyError, check_columns, check_table
from ethicalai_lab.privacy.hierarchies import Hierarchy, kind_of
from ethicalai_lab.privacy.labels import moments, parse_label

__all__ = ["InformationLoss", "information_loss"]


@dataclass(frozen=True)
class InformationLoss:
    """What a release lost.

    Attributes
    ----------
    ncp : float
        Normalized certainty penalty, 0 (exact) to 1 (all ``*``): mean over rows and
        quasi-identifiers of the width of the label over the width of the column. A
        suppressed row counts 1.
    by_column : dict
        The same for each quasi-identifier.
    discernibility : int
        Sum of squared class sizes; a suppressed row counts the whole table.
    average_class_size : float
        Rows a class.
    suppressed : int
        Rows left out.
    """

    ncp: float
    by_column: dict
    discernibility: int
    average_class_size: float
    suppressed: int = 0

    def _repr_html_(self) -> str:
        rows = [("NCP", f"{self.ncp:.4f}")]
        rows += [(f"NCP of {name}", f"{value:.4f}") for name, value in self.by_column.items()]
        rows += [
            ("discernibility", f"{self.discernibility:,}"),
            ("average class size", f"{self.average_class_size:.1f}"),
            ("suppressed rows", f"{self.suppressed:,}"),
        ]
        body = "".join(
            f'<tr><th scope="row">{html.escape(str(n))}</th><td>{v}</td></tr>' for n, v in rows
        )
        return f"<table><caption>Information loss</caption><tbody>{body}</tbody></table>"


def summarize(by_column: dict, sizes: np.ndarray, n_rows: int, n_original: int) -> InformationLoss:
    """Put together the loss of ``n_rows`` released out of ``n_original`` rows.

    ``by_column`` holds mean NCP over the released rows.
    """
    suppressed = n_original - n_rows
    full = {c: (v * n_rows + suppressed) / n_original for c, v in by_column.items()}
    return InformationLoss(
        ncp=float(np.mean(list(full.values()))),
        by_column=full,
        discernibility=int((sizes.astype(object) ** 2).sum()) + suppressed * n_original,
        average_class_size=n_rows / len(sizes),
        suppressed=suppressed,
    )


def information_loss(
    original: pd.DataFrame,
    release: pd.DataFrame,
    quasi_identifiers: Sequence,
    hierarchies: Mapping[object, Hierarchy] | None = None,
) -> InformationLoss:
    """Measure what a release lost, by reading its labels.

    Parameters
    ----------
    original : pandas.DataFrame
        The table before.
    release : pandas.DataFrame
        The table after; rows may be missing (suppressed).
    quasi_identifiers : sequence of column names
    hierarchies : mapping of column name to Hierarchy, optional
        For columns whose labels come from :meth:`Hierarchy.table`.

    Returns
    -------
    InformationLoss

    Raises
    ------
    PrivacyError
        If a column is not there or a label cannot be read.

    References
    ----------
    Xu et al., "Utility-based anonymization using local recoding", KDD 2006 (NCP).
    Bayardo, Agrawal, "Data privacy through optimal k-anonymization", ICDE 2005
    (discernibility). LeFevre et al., ICDE 2006 (average class size).

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy import information_loss
    >>> before = pd.DataFrame({"age": [20, 30, 60, 70]})
    >>> after = pd.DataFrame({"age": ["20–30", "20–30", "60–70", "60–70"]})
    >>> information_loss(before, after, ["age"]).ncp
    0.2
    """
    check_table(original, "original")
    check_table(release, "release")
    names = check_columns(original, quasi_identifiers, "quasi_identifiers")
    check_columns(release, names, "release")
    if len(release) > len(original):
        raise PrivacyError(
            f"release has {len(release)} rows, more than the original's {len(original)}; a "
            "release of that very table is accepted."
        )
    hierarchies = dict(hierarchies or {})
    by_column = {
        name: _column_ncp(original[name], release[name], hierarchies.get(name)) for name in names
    }
    keys, levels = table_codes(release, names)
    return summarize(by_column, sorted_runs(keys, levels)[1], len(release), len(original))


def _column_ncp(before: pd.Series, after: pd.Series, hierarchy: Hierarchy | None) -> float:
    kind = kind_of(before)
    codes, texts = pd.factorize(after, use_na_sentinel=False)
    weights = np.bincount(codes)
    values = before.dropna().unique()
    gaps = bool(before.isna().any())
    count = len(values) + gaps
    if count <= 1:
        return 0.0
    tree = None
    if hierarchy is not None and hierarchy.kind == "text":
        level_codes, labels = hierarchy.tabulate(list(values), gaps)
        tree = {}
        for level in range(hierarchy.height, -1, -1):  # a finer level wins a shared name
            covered = np.bincount(level_codes[level])
            tree.update(zip(labels[level], covered, strict=True))
    if kind == "number":
        ends = np.array([values.min(), values.max()], float) if len(values) else np.zeros(2)
    elif kind == "date":
        known = moments(before, missing=True)
        known = known[~np.isnat(known)]
        ends = np.array([known.min(), known.max()], "datetime64[us]").astype(float)
    total = 0.0
    for text, weight in zip(texts, weights, strict=True):
        if tree is not None and text in tree:
            part = (tree[text] - 1) / (count - 1)
        else:
            label = parse_label(text, kind)
            if label.kind == "any" or (label.missing and label.kind != "missing"):
                part = 1.0
            elif label.kind == "missing":
                part = 0.0
            elif kind == "text":
                part = (sum(label.covers(v) for v in values) - 1) / (count - 1)
            else:
                low, high = label.low, label.high
                if kind == "date":
                    low, high = (
                        float(np.datetime64(e, "us").astype(np.int64)) for e in (low, high)
                    )
                width = min(high, ends[1]) - max(low, ends[0])
                part = max(width, 0.0) / (ends[1] - ends[0]) if ends[1] > ends[0] else 0.0
        total += max(part, 0.0) * weight
    out = total / len(after)
    return float(out) if math.isfinite(out) else 1.0
