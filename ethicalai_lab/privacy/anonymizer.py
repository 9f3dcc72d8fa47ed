"""A scikit-learn transformer that makes a table k-anonymous, l-diverse and t-close."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ethicalai_lab.privacy.axes import Axis
from ethicalai_lab.privacy.codes import column_codes, pack_codes, sorted_runs
from ethicalai_lab.privacy.errors import (
    AnonymityError,
    PrivacyError,
    check_columns,
    check_table,
)
from ethicalai_lab.privacy.hierarchies import Hierarchy
from ethicalai_lab.privacy.labels import moments, parse_label
from ethicalai_lab.privacy.lattice import cheapest_node
from ethicalai_lab.privacy.loss import information_loss, summarize
from ethicalai_lab.privacy.measures import anonymity, distance_of, ordered_distances, renumbered
from ethicalai_lab.privacy.mondrian import mondrian

__all__ = ["KAnonymizer"]

_NODE_LIMIT = 2_000_000


class KAnonymizer(TransformerMixin, BaseEstimator):
    """Generalise quasi-identifiers until every row looks like at least ``k - 1`` others.

    Parameters
    ----------
    k : int, default 5
        Smallest class of rows that agree on all quasi-identifiers, 2 or more.
    l : int, optional
        Fewest different sensitive values in a class (distinct l-diversity).
    t : float, optional
        Greatest distance of a class's sensitive values to the table's, 0 to 1.
    hierarchies : mapping of column name to Hierarchy, optional
        How values are generalised. Without one, Mondrian writes ranges and sets of what
        is there, and full-domain uses :meth:`Hierarchy.suitable`.
    suppression : float, default 0.0
        Largest share of rows that full-domain generalization may leave out (0 to 1).
        Mondrian never leaves a row out, so that there it changes nothing.
    method : {'mondrian', 'full_domain'}
        Cut the table into boxes, each with ranges of its own (keeps more detail), or
        find the one level a column that loses least (same ranges everywhere). The latter
        is exact: no combination of levels that holds for the rows kept has a lower NCP.
    quasi_identifiers : sequence of column names, optional
        Default: all columns but the sensitive and the dropped ones.
    sensitive : column name, optional
        Needed for ``l`` and ``t``. Released as it is.
    drop : sequence of column names, optional
        Columns that name people directly; left out of the release.

    Attributes
    ----------
    release_ : pandas.DataFrame
        What ``fit_transform`` returned; columns of labels are categories, and rows are
        numbered anew.
    kept_ : pandas.Index
        Whose rows they are, in the release's order: for judging the release in house,
        ``release.set_axis(tool.kept_)``, and for nobody else.
    anonymity_ : Anonymity
        The release, measured.
    loss_ : InformationLoss
        NCP, discernibility, average class size, suppressed rows.
    suppressed_ : pandas.Index
        Rows left out. The release is the one that their table without them gets.
    levels_ : dict
        Full-domain: the level of each column.
    kinds_ : dict
        What each quasi-identifier held, for :func:`parse_release`.
    nodes_, evaluated_ : int
        Full-domain: size of the lattice, and how many of its nodes were computed.

    Notes
    -----
    The release satisfies k, l and t as measured by :func:`anonymity` on the release, or
    no release is made and :class:`AnonymityError` says why. That is a statement about
    these tests, not about every attack: see :mod:`ethicalai_lab.privacy.attacks`. Rows keep
    the table's order; shuffle a table whose order says who is who. What stays in house is
    the fitted tool: it knows the rows that were left out.

    References
    ----------
    LeFevre, DeWitt, Ramakrishnan, "Mondrian multidimensional k-anonymity", ICDE 2006;
    "Incognito", SIGMOD 2005. Samarati, TKDE 2001.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy import KAnonymizer
    >>> table = pd.DataFrame({"age": [31, 34, 38, 52, 55, 59]})
    >>> KAnonymizer(k=3).fit_transform(table)["age"].tolist()
    ['31–38', '31–38', '31–38', '52–59', '52–59', '52–59']
    """

    def __init__(
        self,
        k: int = 5,
        l: int | None = None,  # noqa: E741 (the field's standard name)
        t: float | None = None,
        hierarchies: Mapping[Any, Hierarchy] | None = None,
        suppression: float = 0.0,
        method: str = "mondrian",
        *,
        quasi_identifiers: Sequence | None = None,
        sensitive: Any = None,
        drop: Sequence | None = None,
    ) -> None:
        self.k = k
        self.l = l
        self.t = t
        self.hierarchies = hierarchies
        self.suppression = suppression
        self.method = method
        self.quasi_identifiers = quasi_identifiers
        self.sensitive = sensitive
        self.drop = drop

    # ---- scikit-learn's face ---------------------------------------------------------
    def fit(self, X: pd.DataFrame, y: Any = None) -> KAnonymizer:
        """Find the generalization for a table, shape (n_rows, n_columns)."""
        self._fit(X)
        return self

    def fit_transform(self, X: pd.DataFrame, y: Any = None) -> pd.DataFrame:
        """Find the generalization and return the release of that table.

        Raises
        ------
        AnonymityError
            If no release satisfies the parameters; says which rows and why.
        PrivacyError
            If a parameter or a column is wrong.
        """
        return self._fit(X).release_.copy(deep=False)

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Release another table in the same terms, or refuse.

        Raises
        ------
        AnonymityError
            If a row lies outside every label, or the rows do not satisfy k, l and t.
        """
        check_is_fitted(self)
        check_table(X)
        names = list(self._axes_names)
        check_columns(X, names, "quasi_identifiers")
        if self.sensitive is not None:
            check_columns(X, [self.sensitive], "sensitive")
        columns, outside = self._relabel(X)
        room = self.suppression if self.method == "full_domain" else 0.0
        if outside.any() and outside.mean() > room:
            rows = X.index[outside]
            raise AnonymityError(
                f"{len(rows)} rows hold values that no label learned by fit covers: "
                f"{_some(rows)}; fit on a table that includes them.",
                rows,
            )
        release = self._assemble(X, columns, ~outside)
        bad = self._failing_rows(release)
        left_out = outside.copy()
        left_out[~outside] = bad
        if bad.any() and not bad.all() and left_out.mean() <= room:
            release = self._assemble(X, columns, ~left_out)
            bad = self._failing_rows(release)
        if bad.any():
            rows = X.index[~outside if len(bad) == (~outside).sum() else ~left_out][bad]
            raise AnonymityError(
                f"{len(rows)} rows would be in classes that miss {self._wanted()}: "
                f"{_some(rows)}; transform them together with more rows, or fit anew.",
                rows,
            )
        return release

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Columns of the release."""
        check_is_fitted(self)
        return np.asarray(self.release_.columns, dtype=object)

    # ---- work ------------------------------------------------------------------------
    def _relabel(self, X: pd.DataFrame) -> tuple[dict, np.ndarray]:
        """Label another table as fit would; also which rows no label covers."""
        columns, outside = {}, np.zeros(len(X), bool)
        codes = []
        for axis in self._axes:
            code = axis.encode(X[axis.name])
            outside |= code < 0
            codes.append(np.maximum(code, 0))
        if self.method == "mondrian":
            owner = self._partition.route(np.stack(codes), self._axes)
            for axis, code in zip(self._axes, codes, strict=True):
                which, texts, low, high = self._labels[axis.name]
                index = which[owner]
                if axis.tree is None and axis.kind != "text":
                    outside |= ~_inside(X[axis.name], texts, index, axis.kind)
                elif axis.tree is None:
                    outside |= ~axis.covered(texts, index, code)
                else:
                    level = axis.top_levels(low, high)[owner]
                    outside |= axis.tree[level, code] != axis.tree[level, low[owner]]
                columns[axis.name] = pd.Categorical.from_codes(index, texts)
        else:
            for axis, code in zip(self._axes, codes, strict=True):
                level = self.levels_[axis.name]
                columns[axis.name] = pd.Categorical.from_codes(
                    axis.tree[level][code], axis.texts[level]
                )
        return columns, outside

    def _wanted(self) -> str:
        parts = [f"k = {self.k}"]
        parts += [f"l = {self.l}"] if self.l is not None else []
        parts += [f"t = {self.t}"] if self.t is not None else []
        return ", ".join(parts)

    def _check(self, table: pd.DataFrame) -> tuple[list, list]:
        check_table(table)
        for name, low in (("k", 2), ("l", 1)):
            value = getattr(self, name)
            if value is None and name == "l":
                continue
            if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < low:
                raise PrivacyError(
                    f"{name} is {value!r}; a whole number from {low} on is accepted."
                )
        for name in ("t", "suppression"):
            value = getattr(self, name)
            if name == "t" and value is None:
                continue
            if not isinstance(value, numbers.Real) or not 0 <= value <= 1:
                raise PrivacyError(f"{name} is {value!r}; a number from 0 to 1 is accepted.")
        if self.method not in ("mondrian", "full_domain"):
            raise PrivacyError(
                f"method is {self.method!r}; 'mondrian' or 'full_domain' is accepted."
            )
        if (self.l is not None or self.t is not None) and self.sensitive is None:
            raise PrivacyError("l and t speak of a sensitive column; name it with sensitive=...")
        dropped = check_columns(table, self.drop or [], "drop")
        if self.sensitive is not None:
            check_columns(table, [self.sensitive], "sensitive")
        if self.quasi_identifiers is None:
            names = [c for c in table.columns if c not in dropped and c != self.sensitive]
        else:
            names = check_columns(table, self.quasi_identifiers, "quasi_identifiers")
        if not names:
            raise PrivacyError("quasi_identifiers is empty; name at least one column.")
        for name in names:
            if name in dropped or (self.sensitive is not None and name == self.sensitive):
                raise PrivacyError(
                    f"quasi_identifiers: column {name!r} is also sensitive or dropped; one role "
                    "a column is accepted."
                )
        for name, hierarchy in (self.hierarchies or {}).items():
            if name not in names:
                raise PrivacyError(
                    f"hierarchies: {name!r} is no quasi-identifier; those are "
                    f"{', '.join(map(str, names))}."
                )
            if not isinstance(hierarchy, Hierarchy):
                raise PrivacyError(
                    f"hierarchies: {name!r} has a {type(hierarchy).__name__}; a Hierarchy is "
                    "accepted, such as Hierarchy.prefix(5)."
                )
        return names, dropped

    def _fit(self, table: pd.DataFrame) -> KAnonymizer:
        names, dropped = self._check(table)
        n = len(table)
        self._dropped, self._axes_names = dropped, names
        if n < self.k:
            raise AnonymityError(
                f"the table has {n} rows and k is {self.k}: no row can look like {self.k - 1} "
                f"others. Rows {_some(table.index)}; at least {self.k} rows are needed.",
                table.index,
            )
        value, m, used = self._sensitive_codes(table)
        if self.l is not None and m < self.l:
            raise AnonymityError(
                f"column {self.sensitive!r} has {m} different values and l is {self.l}: no class "
                f"of rows can hold {self.l}. All rows are concerned; an l up to {m} is possible.",
                table.index,
            )
        kept = np.ones(n, bool)
        if self.method == "mondrian":
            columns = self._fit_mondrian(table, names, value, m, used)
        else:
            columns, found = self._fit_lattice(table, names, value, m, used, self.suppression)
            nodes = self.nodes_, self.evaluated_
            if not found.all():
                # once more on what stays: no label, level or hierarchy may come from the others
                kept = found
                columns, _ = self._fit_lattice(
                    table[kept], names, None if value is None else value[kept], m, used, 0.0
                )
                self.nodes_, self.evaluated_ = nodes
        self.kinds_ = {axis.name: axis.kind for axis in self._axes}
        self.suppressed_, self.kept_ = table.index[~kept], table.index[kept]
        stays = table if kept.all() else table[kept]
        self.release_ = self._assemble(stays, columns)
        self.anonymity_ = anonymity(self.release_, names, self.sensitive)
        self.n_features_in_ = table.shape[1]
        self.feature_names_in_ = np.asarray(table.columns, dtype=object)
        if kept.all():
            self.loss_ = summarize(self._by_column, self.anonymity_.sizes, n, n)
        else:  # against all that was there, which the second search no longer saw
            self.loss_ = information_loss(table, self.release_, names, self.hierarchies)
        self._prove()
        return self

    def _prove(self) -> None:
        """Measure the release with the independent ruler; never hand out one that fails."""
        got = self.anonymity_
        holds = got.k >= self.k
        holds = holds and (self.l is None or got.l >= self.l)
        holds = holds and (self.t is None or got.t <= self.t + 1e-9)
        if not holds:
            raise AnonymityError(
                f"the release reaches k = {got.k}, l = {got.l}, t = {got.t} where "
                f"{self._wanted()} was asked for; no release is made."
            )

    def _sensitive_codes(self, table: pd.DataFrame) -> tuple[np.ndarray | None, int, str]:
        if self.sensitive is None:
            return None, 1, "equal"
        column = table[self.sensitive]
        used = distance_of(column, "auto")
        if used == "ordered":
            value, m = column_codes(column, ordered=True)
        else:
            value, m = renumbered(column_codes(column))
        return value, m, used

    def _violations(self, m: int, used: str, total: np.ndarray | None):
        """Build a test of classes: owner, counts, sensitive codes to a bool a class.

        ``total`` is the table that t compares with; None: the rows given.
        """

        def violates(
            owner: np.ndarray, counts: np.ndarray | None, value: np.ndarray | None
        ) -> np.ndarray:
            sizes = np.bincount(owner, weights=counts)
            bad = sizes < self.k
            if value is None or (self.l is None and self.t is None):
                return bad
            keys = owner * m + value
            order = np.argsort(keys, kind="stable")
            keys = keys[order]
            first = np.flatnonzero(np.diff(keys, prepend=-1))
            weight = np.ones(len(keys)) if counts is None else counts[order].astype(float)
            count = np.add.reduceat(weight, first)
            pairs = keys[first]
            parent, val = np.divmod(pairs, m)
            start = np.flatnonzero(np.diff(parent, prepend=-1))
            distinct = np.diff(start, append=len(pairs))
            if self.l is not None:
                bad |= distinct < self.l
            if self.t is not None:
                whole = np.bincount(val, weights=count, minlength=m) if total is None else total
                present = whole > 0
                if present.sum() > 1:
                    q = count / np.repeat(sizes, distinct)
                    if used == "equal":
                        gain = np.maximum(q - whole[val] / whole.sum(), 0.0)
                        far = np.add.reduceat(gain, start)
                    else:
                        rank = np.cumsum(present) - 1
                        far = ordered_distances(
                            q, rank[val], start, distinct, np.cumsum(whole[present]) / whole.sum()
                        )
                    bad |= far > self.t + 1e-12
            return bad

        return violates

    def _fit_mondrian(
        self, table: pd.DataFrame, names: list, value: np.ndarray | None, m: int, used: str
    ) -> dict:
        hierarchies = self.hierarchies or {}
        self._axes = [Axis(table[c], hierarchies.get(c)) for c in names]
        allowed = None
        if self.l is not None or self.t is not None:
            total = np.bincount(value, minlength=m).astype(float)
            violates = self._violations(m, used, total)

            def allowed(rows: np.ndarray, part: np.ndarray, n_parts: int) -> np.ndarray:
                return ~violates(part, None, value[rows])

        self._partition = mondrian(self._axes, self.k, allowed)
        owner, n_classes = self._partition.owner, self._partition.n_classes
        weight = np.bincount(owner, minlength=n_classes) / len(owner)
        self._labels, self._by_column, columns = {}, {}, {}
        order = np.argsort(owner, kind="stable")
        starts = np.searchsorted(owner[order], np.arange(n_classes))
        for axis in self._axes:
            which, texts, loss = axis.describe(order, starts)
            codes = axis.codes[order]
            low, high = np.minimum.reduceat(codes, starts), np.maximum.reduceat(codes, starts)
            self._labels[axis.name] = which, texts, low, high
            self._by_column[axis.name] = float(loss @ weight)
            columns[axis.name] = pd.Categorical.from_codes(which[owner], texts)
        self.levels_, self.nodes_, self.evaluated_ = {}, 0, 0
        return columns

    def _fit_lattice(
        self,
        table: pd.DataFrame,
        names: list,
        value: np.ndarray | None,
        m: int,
        used: str,
        suppression: float,
    ) -> tuple[dict, np.ndarray]:
        """Find the levels that lose least; the labels of all rows, and which rows stay."""
        hierarchies = self.hierarchies or {}
        self._axes = [
            Axis(table[c], hierarchies.get(c) or Hierarchy.suitable(table[c])) for c in names
        ]
        nodes = int(np.prod([len(a.tree) for a in self._axes], dtype=object))
        if nodes > _NODE_LIMIT:
            raise PrivacyError(
                f"hierarchies: {len(names)} quasi-identifiers span {nodes:,} combinations of levels; "
                f"up to {_NODE_LIMIT:,} are accepted. Give shorter hierarchies, fewer columns, or "
                "method='mondrian'."
            )
        parts = [(a.codes, a.size) for a in self._axes]
        use = value is not None and (self.l is not None or self.t is not None)
        if use:
            parts.append((value, m))
        keys, levels = pack_codes(parts, len(table))
        found, counts = sorted_runs(keys, levels)
        # one row of each kind stands for all of them
        cell = np.searchsorted(found, keys)
        example = np.empty(len(found), np.int64)
        example[cell] = np.arange(len(table))
        cells = np.stack([a.codes[example] for a in self._axes])
        result = cheapest_node(
            self._axes,
            cells,
            counts,
            value[example] if use else None,
            m,
            self._violations(m, used, None),
            float(suppression),
            # with rows left out the table that t compares with moves from node to node
            monotone=self.t is None or suppression == 0,
        )
        if result is None:  # the top node joins all rows, and n >= k, m >= l were checked
            raise AnonymityError(f"no generalization satisfies {self._wanted()}.", table.index)
        self.levels_ = dict(zip(names, result.node, strict=True))
        self.nodes_, self.evaluated_ = result.nodes, result.evaluated
        columns, self._by_column = {}, {}
        for axis, level in zip(self._axes, result.node, strict=True):
            columns[axis.name] = pd.Categorical.from_codes(
                axis.tree[level][axis.codes], axis.texts[level]
            )
            self._by_column[axis.name] = float(axis.losses[level][axis.codes].mean())
        return columns, result.kept[cell]

    def _assemble(
        self, table: pd.DataFrame, columns: dict, rows: np.ndarray | None = None
    ) -> pd.DataFrame:
        """Put a release together from nothing but the values of the rows in it.

        Of what a table has besides them nothing goes along: index, ``attrs``, the axis's name,
        categories that no row has, and memory that a slice of a larger table shares with it.
        """
        at = np.arange(len(table)) if rows is None else np.flatnonzero(rows)
        out = {
            c: _only_there(columns[c] if c in columns else table[c].array, at)
            for c in table.columns
            if c not in self._dropped
        }
        return pd.DataFrame(out, index=pd.RangeIndex(len(at)))

    def _failing_rows(self, release: pd.DataFrame) -> np.ndarray:
        keys, _ = pack_codes([column_codes(release[c]) for c in self._axes_names], len(release))
        owner = pd.factorize(keys)[0].astype(np.int64)
        value, m, used = self._sensitive_codes(release)
        return self._violations(m, used, None)(owner, None, value)[owner]


def _only_there(values: Any, at: np.ndarray) -> pd.Series:
    """Copy some values, without the categories that none of them has."""
    values = values.take(at)
    if isinstance(values, pd.Categorical):
        used = np.unique(values.codes[values.codes >= 0])
        codes = np.where(values.codes < 0, -1, np.searchsorted(used, values.codes))
        values = pd.Categorical.from_codes(
            codes, values.categories.take(used), ordered=values.ordered
        )
    # of objects the type is said, or pandas 3 guesses text
    return pd.Series(values, dtype=values.dtype)


def _some(rows: pd.Index) -> str:
    text = ", ".join(repr(r) for r in rows[:5].tolist())
    return text + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")


def _inside(column: pd.Series, texts: list[str], index: np.ndarray, kind: str) -> np.ndarray:
    """Whether each number or date lies within its label."""
    labels = [parse_label(t, kind) for t in texts]
    missing = column.isna().to_numpy()
    gap = np.array([x.missing for x in labels])[index]
    if kind == "date":
        gone = np.datetime64("NaT", "us")
        spans = [(gone, gone) if x.low is None else x.span for x in labels]
        low, stop = np.array(spans, "datetime64[us]").T[:, index]
        values = moments(column, missing=True)
        within = (low <= values) & (values < stop)
    else:
        low = np.array([np.nan if x.low is None else x.low for x in labels])[index]
        high = np.array([np.nan if x.high is None else x.high for x in labels])[index]
        values = column.to_numpy(dtype=float, na_value=np.nan)
        within = (low <= values) & (values <= high)
    return np.where(missing, gap, within)
