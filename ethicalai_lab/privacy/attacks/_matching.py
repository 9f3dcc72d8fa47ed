"""Who in a release fits what an attacker knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ethicalai_lab.privacy.codes import table_codes
from ethicalai_lab.privacy.errors import PrivacyError, check_columns, check_table
from ethicalai_lab.privacy.hierarchies import Hierarchy, kind_of
from ethicalai_lab.privacy.labels import date_text, moments, parse_label, timed

__all__ = ["Matcher", "prepare", "rows_of", "sample"]

_CHUNK = 8_000_000  # cells of a candidate matrix held at once


def _cover_rows(
    texts: Sequence, values: Sequence, kind: str, hierarchy: Hierarchy | None
) -> np.ndarray:
    """Which labels cover which values, shape (labels, values); values sorted, no gaps."""
    out = np.zeros((len(texts), len(values)), bool)
    if hierarchy is not None and hierarchy.kind == "text":
        for j, value in enumerate(values):
            own = {hierarchy.label(value, level) for level in range(hierarchy.height + 1)}
            out[:, j] = [str(t) in own for t in texts]
        return out
    if kind == "text":
        keys = np.asarray([str(v) for v in values], dtype=object)
        position = {v: j for j, v in enumerate(keys)}
    else:
        keys = np.asarray(values)
    for i, text in enumerate(texts):
        label = parse_label(text, kind)
        if label.kind == "any":
            out[i] = True
        elif label.values is not None:
            out[i, [position[v] for v in label.values if v in position]] = True
        elif label.prefix is not None:
            out[i] = [len(v) == label.length and v.startswith(label.prefix) for v in keys]
        elif label.low is not None:
            low, high = label.span if kind == "date" else (label.low, label.high)
            opened = kind == "date" or label.high_open
            start = np.searchsorted(keys, low, "left")
            stop = np.searchsorted(keys, high, "left" if opened else "right")
            out[i, start:stop] = True
    return out


class Matcher:
    """Classes of a release, and which of them fit a target's known values."""

    def __init__(
        self,
        release: pd.DataFrame,
        on: Sequence,
        targets: pd.DataFrame,
        hierarchies: Mapping | None,
    ) -> None:
        self.on = list(on)
        keys, _ = table_codes(release, self.on)
        self.owner, uniques = pd.factorize(keys)
        self.n_classes = len(uniques)
        first = np.full(self.n_classes, len(release))
        np.minimum.at(first, self.owner, np.arange(len(release)))
        self.sizes = np.bincount(self.owner, minlength=self.n_classes)
        self._covers, self._class_label, self._target_value = [], [], []
        for name in self.on:
            known = targets[name]
            kind = kind_of(known)
            which, texts = _texts(release[name], kind)
            if kind == "date":
                known = pd.Series(moments(known, missing=True))
            code, values = pd.factorize(known, sort=kind != "text")
            if kind == "text":
                order = np.argsort(np.asarray([str(v) for v in values], dtype=object))
                back = np.empty(len(order), np.int64)
                back[order] = np.arange(len(order))
                values = [str(values[i]) for i in order]
                code = np.where(code >= 0, back[code] if len(back) else code, -1)
            elif kind == "date":
                values = np.asarray(values, "datetime64[us]")
            cover = _cover_rows(texts, values, kind, (hierarchies or {}).get(name))
            # who lacks the value fits everything: the attacker knows nothing there
            self._covers.append(np.column_stack([cover, np.ones(len(texts), bool)]))
            self._class_label.append(which[first])
            self._target_value.append(code)

    def fits(self, rows: np.ndarray) -> np.ndarray:
        """Which classes fit which targets, shape (n_classes, len(rows))."""
        out = np.ones((self.n_classes, len(rows)), bool)
        for cover, label, value in zip(
            self._covers, self._class_label, self._target_value, strict=True
        ):
            out &= cover[label[:, None], value[rows][None, :]]
        return out

    def chunks(self, n_targets: int):
        """Targets in pieces whose matrix stays small, with the matrix."""
        step = max(1, _CHUNK // self.n_classes)
        for start in range(0, n_targets, step):
            rows = np.arange(start, min(start + step, n_targets))
            yield rows, self.fits(rows)


def _texts(column: pd.Series, kind: str) -> tuple[np.ndarray, list]:
    """Codes and label texts of a released column, generalised or not."""
    if kind == "date" and pd.api.types.is_datetime64_any_dtype(column.dtype):
        found = moments(column, missing=True)
        codes, uniques = pd.factorize(found, use_na_sentinel=False)
        # of midnights alone nobody knows that they are no days
        exact = timed(found)
        return codes, [None if np.isnat(u) else date_text(u, exact) for u in uniques]
    codes, uniques = pd.factorize(column, use_na_sentinel=False)
    return codes, list(uniques)


def sample(n: int, wanted: int | None, seed: int) -> np.ndarray:
    if wanted is None or wanted >= n:
        return np.arange(n)
    if wanted < 1:
        raise PrivacyError(f"n_attacks is {wanted}; a whole number from 1 on is accepted.")
    return np.sort(np.random.default_rng(seed).choice(n, wanted, replace=False))


def prepare(release: pd.DataFrame, targets: pd.DataFrame, on: Sequence) -> list:
    check_table(release, "release")
    check_table(targets, "targets")
    names = check_columns(release, on, "on")
    check_columns(targets, names, "on (targets)")
    if not names:
        raise PrivacyError("on is empty; name the columns that the attacker knows.")
    return names


def rows_of(release: pd.DataFrame, auxiliary: pd.DataFrame, truth: pd.Series | None) -> np.ndarray:
    if not release.index.is_unique:
        raise PrivacyError("release: its index names a row twice; distinct labels are needed.")
    wanted = auxiliary.index if truth is None else truth.reindex(auxiliary.index).to_numpy()
    row_of = release.index.get_indexer(wanted)
    if not (row_of >= 0).any():
        raise PrivacyError("truth: nobody is in both tables; index labels or truth must connect.")
    return row_of
