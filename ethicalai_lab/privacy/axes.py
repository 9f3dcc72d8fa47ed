"""One quasi-identifier as the anonymizing algorithms see it: ranks, spans, labels."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.privacy.errors import PrivacyError
from ethicalai_lab.privacy.hierarchies import Hierarchy, kind_of
from ethicalai_lab.privacy.labels import (
    DOTS,
    MISSING,
    date_text,
    moments,
    number_text,
    parse_label,
    range_text,
    set_text,
    timed,
    value_text,
    with_missing,
)

__all__ = ["Axis"]

_SET_LIMIT = 62  # values of a column that fit the bits of one integer


class Axis:
    """Ranks of one column's values, missing last, with spans, losses and labels.

    Parameters
    ----------
    column : pandas.Series
    hierarchy : Hierarchy, optional
        Given: labels are the hierarchy's; else ranges and sets of what is there.
    """

    def __init__(self, column: pd.Series, hierarchy: Hierarchy | None = None) -> None:
        self.name = column.name
        self.kind = kind_of(column)
        self.hierarchy = hierarchy
        if hierarchy is not None and hierarchy.kind != self.kind:
            raise PrivacyError(
                f"hierarchies: column {self.name!r} holds {self.kind}s, but {hierarchy!r} is made "
                f"for {hierarchy.kind}s."
            )
        self._timed = False
        self._rank(column)
        self.tree: np.ndarray | None = None
        if hierarchy is not None:
            self._grow_tree()
        else:
            self._place()

    # ---- reading -------------------------------------------------------------------
    def _rank(self, column: pd.Series) -> None:
        missing = column.isna().to_numpy()
        self._sorted = not getattr(column.dtype, "ordered", False)
        if self.kind == "text":
            if isinstance(column.dtype, pd.CategoricalDtype):
                raw = column.cat.codes.to_numpy().astype(np.int64)
                names = [str(c) for c in column.cat.categories]
                used = np.unique(raw[~missing])
                order = (
                    used if column.dtype.ordered else sorted(used.tolist(), key=names.__getitem__)
                )
                self.values: Any = [names[i] for i in order]
                rank = np.full(len(names) + 1, -1, np.int64)
                rank[np.asarray(order, np.int64)] = np.arange(len(self.values))
                codes = rank[raw]
            else:
                raw, uniques = pd.factorize(column)
                names = [str(u) for u in uniques]
                self.values = sorted(set(names))
                position = {v: i for i, v in enumerate(self.values)}
                rank = np.array([position[v] for v in names] + [-1], np.int64)
                codes = rank[raw]
        else:
            if self.kind == "number":
                numbers = column.to_numpy(dtype=float, na_value=np.nan)
                whole = isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu"
                plain = column.to_numpy() if whole else numbers
                if not whole and np.isinf(numbers).any():
                    row = column.index[np.isinf(numbers)].tolist()[0]
                    raise PrivacyError(
                        f"column {self.name!r}, row {row!r} is infinite; finite numbers and "
                        "missing values are accepted."
                    )
            else:
                plain = moments(column, missing=True)
                self._timed = timed(plain)
            codes, uniques = pd.factorize(plain, sort=True)
            self.values = uniques
            codes = np.asarray(codes).astype(np.int64)
        m = len(self.values)
        self.missing = m if missing.any() else None
        codes[missing] = m
        self.codes = codes
        self.size = m + (self.missing is not None)

    def _place(self) -> None:
        """Positions from 0 to 1, so that spans of all columns compare."""
        m = len(self.values)
        if self.kind == "number":
            at = np.asarray(self.values, float)
        elif self.kind == "date":
            at = np.asarray(self.values).astype(np.int64).astype(float)
        else:
            at = np.arange(m, dtype=float)
        at = at - at[0] if m else at
        # halved first: the largest floats differ by more than a float can hold
        width = at[-1] if m else 0.0
        if self.kind == "text":  # a gap counts as one value more
            width = float(self.size - 1)
        if not np.isfinite(width):
            at = np.asarray(self.values, float) / 2
            at = at - at[0]
            width = at[-1]
        self._at = np.append(at / width if width > 0 else at * 0.0, 2.0)

    def _grow_tree(self) -> None:
        """Order the values so that each label covers neighbours; number labels in that order."""
        self.hierarchy = (
            self.hierarchy if self.kind == "text" else self.hierarchy.for_values(self.values)
        )
        gaps = self.missing is not None
        values = list(self.values)
        try:
            codes, labels = self.hierarchy.tabulate(values, gaps)
        except PrivacyError as error:
            raise PrivacyError(f"column {self.name!r}: {error}") from None
        losses = self.hierarchy.losses(values, gaps, codes, labels)
        order = np.lexsort(tuple(codes))  # top level first, then down
        self.values = [values[i] if i < len(values) else None for i in order]
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        self.codes = place[self.codes]
        if gaps:
            self.missing = int(place[len(values)])
        codes, self.losses = codes[:, order], losses[:, order]
        tree, texts = np.empty_like(codes), []
        for level, row in enumerate(codes):
            new = np.concatenate([[0], np.cumsum(row[1:] != row[:-1])])
            tree[level] = new
            first = np.concatenate([[True], row[1:] != row[:-1]])
            texts.append([labels[level][c] for c in row[first]])
        self.tree, self.texts = tree, texts

    # ---- cutting -------------------------------------------------------------------
    def top_levels(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Lowest level at which the values from rank low to rank high share a label."""
        level = np.full(low.shape, len(self.tree) - 1, np.int64)
        for i in range(len(self.tree) - 2, -1, -1):
            level[self.tree[i, low] == self.tree[i, high]] = i
        return level

    def cut_levels(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Level whose labels a cut keeps whole: just below the shared one."""
        return np.maximum(self.top_levels(low, high) - 1, 0)

    def gains(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Normalised width that a cut in the middle takes away, twice over; 0 where none is left.

        A cut halves what is spread evenly, and removes the gap between its two sides on
        top: of two values nothing remains, so that a yes/no column gains twice what a fine
        one of equal width does.
        """
        if self.tree is not None:
            level = self.top_levels(low, high)
            below = np.maximum(level - 1, 0)
            width = self.losses[level, low]
            steps = self.tree[below, high] - self.tree[below, low]
        else:
            width = self._at[high] - self._at[low]
            steps = high - low
        # a width that rounds to nothing must not hide that values differ
        return np.where(low == high, 0.0, np.maximum(width * (1 + 1 / np.maximum(steps, 1)), 1e-9))

    # ---- writing -------------------------------------------------------------------
    def describe(
        self, order: np.ndarray, starts: np.ndarray
    ) -> tuple[np.ndarray, list[str], np.ndarray]:
        """Label every class.

        Parameters
        ----------
        order : numpy.ndarray of int64, shape (n_rows,)
            Rows sorted by class.
        starts : numpy.ndarray of int64, shape (n_classes,)
            Where each class begins in ``order``.

        Returns
        -------
        which : numpy.ndarray of int64, shape (n_classes,)
            Index of the class's label.
        texts : list of str
        loss : numpy.ndarray of float64, shape (n_classes,)
        """
        n_classes = len(starts)
        codes = self.codes[order]
        low = np.minimum.reduceat(codes, starts)
        high = np.maximum.reduceat(codes, starts)
        if self.tree is not None:
            level = self.top_levels(low, high)
            loss = self.losses[level, low]
            pairs, which = np.unique(level * self.size + low, return_inverse=True)
            # different first values of one label are one label
            texts = [
                self.texts[p // self.size][self.tree[p // self.size, p % self.size]]
                for p in pairs.tolist()
            ]
            return _merge(which, texts, loss)
        m = len(self.values)
        mixed = (
            (high == self.missing) & (low < m)
            if self.missing is not None
            else np.zeros(n_classes, bool)
        )
        if mixed.any():  # the highest value that is there
            known = np.where(codes == self.missing, -1, codes)
            high = np.where(mixed, np.maximum.reduceat(known, starts), high)
        if self.kind == "text" and m <= _SET_LIMIT:
            bits = np.bitwise_or.reduceat(np.where(codes < m, np.int64(1) << codes, 0), starts)
            count = np.bitwise_count(bits) if hasattr(np, "bitwise_count") else _count_bits(bits)
            loss = np.maximum(count.astype(float) - 1, 0) / max(self.size - 1, 1)
            loss[mixed] = 1.0
            keys, which = np.unique(
                np.stack([bits, mixed.astype(np.int64)]), axis=1, return_inverse=True
            )
            texts = [
                self._set_label([i for i in range(m) if b >> i & 1], gap)
                for b, gap in keys.T.tolist()
            ]
            return which.ravel(), texts, loss
        loss = np.where(low == high, 0.0, self._at[np.minimum(high, m - 1)] - self._at[low])
        loss[mixed] = 1.0
        # a missing code alone is m, so m + 1 values a digit
        pairs, which = np.unique(
            (low * (m + 1) + high) * 2 + mixed.astype(np.int64), return_inverse=True
        )
        texts = []
        ends: dict[int, str] = {}
        write = {"number": number_text, "date": partial(date_text, with_time=self._timed)}.get(
            self.kind, str
        )
        for pair in pairs.tolist():
            ij, gap = divmod(pair, 2)
            i, j = divmod(ij, m + 1)
            if i == m:
                texts.append(MISSING)
                continue
            for x in (i, j):
                if x not in ends:
                    ends[x] = write(self.values[x])
            whole = self.kind == "text"
            text = self._text_range(i, j) if whole else range_text(ends[i], ends[j])
            texts.append(with_missing(text) if gap else text)
        return _merge(which, texts, loss)

    def covered(self, texts: list[str], index: np.ndarray, code: np.ndarray) -> np.ndarray:
        """Whether the label given to each row covers the row's rank (texts without a tree)."""
        pairs, back = np.unique(index * self.size + code, return_inverse=True)
        labels = [parse_label(t, "text") for t in texts]
        values = [*self.values, None]
        good = [labels[p // self.size].covers(values[p % self.size]) for p in pairs.tolist()]
        return np.array(good, bool)[back.ravel()]

    def _text_range(self, i: int, j: int) -> str:
        low, high = self.values[i], self.values[j]
        if i == j:
            return value_text(low)
        # a range is read by sorted order, and must not be mistaken for another label
        label = parse_label(f"{low}{DOTS}{high}", "text")
        if self._sorted and (label.low, label.high) == (low, high) and not label.missing:
            return label.text
        return set_text(self.values[i : j + 1])

    def _set_label(self, members: list[int], gap: int) -> str:
        if not members:
            return MISSING
        text = set_text([self.values[i] for i in members])
        return with_missing(text) if gap else text

    def encode(self, column: pd.Series) -> np.ndarray:
        """Ranks of another table's values; -1 where a value was never seen.

        A number between two known ones takes the rank of the next one up.
        """
        other = Axis(column) if len(column) else self
        out = np.full(other.size + 1, -1, np.int64)
        if other.kind != self.kind and len(other.values):
            raise PrivacyError(
                f"column {self.name!r} holds {other.kind}s where fit saw {self.kind}s."
            )
        if self.tree is None and self.kind != "text":
            found = np.searchsorted(self.values, other.values)
            out[: len(other.values)] = np.where(found < len(self.values), found, -1)
        else:
            known = {self._key(v): i for i, v in enumerate(self.values) if v is not None}
            for i, value in enumerate(other.values):
                out[i] = known.get(self._key(value), -1)
        if other.missing is not None and self.missing is not None:
            out[len(other.values)] = self.missing
        return out[other.codes]

    @staticmethod
    def _key(value: Any) -> Any:
        return pd.Timestamp(value) if isinstance(value, np.datetime64) else value


def _merge(
    which: np.ndarray, texts: list[str], loss: np.ndarray
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Give equal texts one number (a release with two equal categories would not be one)."""
    index: dict[str, int] = {}
    to = np.array([index.setdefault(t, len(index)) for t in texts], np.int64)
    return to[which.ravel()], list(index), loss


def _count_bits(bits: np.ndarray) -> np.ndarray:
    """Bits set in each integer (NumPy before 2.0 has no bitwise_count)."""
    return np.unpackbits(bits.astype("<i8").view(np.uint8).reshape(-1, 8), axis=1).sum(axis=1)
