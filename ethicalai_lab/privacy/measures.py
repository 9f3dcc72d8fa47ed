"""How exposed the people in a table are: k, l, t and their relatives, and risks.

Everything is read off one sparse contingency table, equivalence class by sensitive
value, that is counted once from integer codes.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from ethicalai_lab.privacy.codes import column_codes, pack_codes, sorted_runs, table_codes
from ethicalai_lab.privacy.errors import PrivacyError, check_columns, check_table

__all__ = ["Anonymity", "anonymity", "class_sizes"]


@dataclass(frozen=True, eq=False)
class Anonymity:
    """What one table gives away to someone who knows the quasi-identifiers.

    Made by :func:`anonymity`; the measures are attributes. Those that need a sensitive
    column (``l`` to ``delta``) are NaN where none was named, and those that need a
    population are NaN where none was given.
    """

    n: int
    quasi_identifiers: tuple
    sensitive: object = None
    distance: str = "equal"
    #: rows in each equivalence class
    sizes: np.ndarray = field(default=None, repr=False)
    # sparse contingency table, sorted by class, then by sensitive value
    _first: np.ndarray = field(default=None, repr=False)
    _value: np.ndarray = field(default=None, repr=False)
    _count: np.ndarray = field(default=None, repr=False)
    _total: np.ndarray = field(default=None, repr=False)
    # rows of the population that fall in each class, and the population's uniques
    _population: np.ndarray = field(default=None, repr=False)
    _population_unique_share: float = field(default=float("nan"), repr=False)

    # ---- classes -------------------------------------------------------------------
    @cached_property
    def k(self) -> int:
        """Smallest class: every row looks like at least ``k - 1`` others."""
        return int(self.sizes.min())

    @property
    def classes(self) -> int:
        """Number of equivalence classes."""
        return len(self.sizes)

    @cached_property
    def unique_share(self) -> float:
        """Share of rows that are alone in their class (0 to 1)."""
        return float((self.sizes == 1).sum() / self.n)

    @property
    def average_class_size(self) -> float:
        """Rows a class, on average."""
        return self.n / self.classes

    # ---- risks ---------------------------------------------------------------------
    @property
    def mean_risk(self) -> float:
        """Mean over rows of 1 / class size: expected share of right guesses."""
        return self.classes / self.n

    @property
    def prosecutor_risk(self) -> float:
        """Highest risk of a row for an attacker who knows its owner is in the table."""
        return 1.0 / self.k

    @cached_property
    def journalist_risk(self) -> float:
        """Highest risk for an attacker who must search the whole population."""
        if self._population is None:
            return float("nan")
        return float(1.0 / self._population.min())

    @cached_property
    def marketer_risk(self) -> float:
        """Expected share of rows matched rightly by linking all of them.

        Against the population where one was given, else against the table itself.
        """
        if self._population is None:
            return self.mean_risk
        return float((self.sizes / self._population).sum() / self.n)

    @property
    def population_unique_share(self) -> float:
        """Share of the *population* that is alone in its class."""
        return self._population_unique_share

    @cached_property
    def confirmed_unique_share(self) -> float:
        """Share of the table's rows that are alone in the table *and* in the population."""
        if self._population is None:
            return float("nan")
        return float(((self.sizes == 1) & (self._population == 1)).sum() / self.n)

    def records_at_risk(self, threshold: float = 0.2) -> float:
        """Share of rows whose risk 1 / class size lies above a threshold (0 to 1)."""
        if not 0 < threshold <= 1:
            raise PrivacyError(f"threshold is {threshold}; a risk above 0 and up to 1 is accepted.")
        return float(self.sizes[1.0 / self.sizes > threshold].sum() / self.n)

    # ---- diversity and closeness ---------------------------------------------------
    @property
    def _known(self) -> bool:
        return self._count is not None

    @cached_property
    def _distinct(self) -> np.ndarray:
        return np.diff(self._first, append=len(self._count))

    @cached_property
    def _q(self) -> np.ndarray:
        """Share of its class that each pair of the contingency table holds."""
        return self._count / np.repeat(self.sizes, self._distinct)

    @cached_property
    def _lift(self) -> np.ndarray:
        """Share in the class over share in the table, for the pairs that occur."""
        return self._q / (self._total[self._value] / self.n)

    @cached_property
    def l(self) -> float:  # noqa: E743 (the field's standard name)
        """Distinct l-diversity: fewest different sensitive values in a class."""
        return int(self._distinct.min()) if self._known else float("nan")

    @cached_property
    def entropy_l(self) -> float:
        """Entropy l-diversity: exp of the lowest entropy (natural log) of a class."""
        if not self._known:
            return float("nan")
        entropy = np.add.reduceat(-self._q * np.log(self._q), self._first)
        return float(np.exp(max(entropy.min(), 0.0)))

    @cached_property
    def alpha(self) -> float:
        """(alpha, k)-anonymity: highest share of one sensitive value in a class."""
        return float(self._q.max()) if self._known else float("nan")

    @cached_property
    def beta(self) -> float:
        """Basic beta-likeness: greatest relative gain ``(q - p) / p`` of a value."""
        return float(self._lift.max() - 1.0) if self._known else float("nan")

    @cached_property
    def enhanced_beta(self) -> float:
        """Enhanced beta-likeness: as ``beta`` if no gain passes ``-ln p``, else infinite.

        The definition asks every gain to stay below ``min(beta, -ln p)``; where a value's
        gain passes ``-ln p``, no beta satisfies it.
        """
        if not self._known:
            return float("nan")
        p = self._total[self._value] / self.n
        broken = self._lift - 1.0 > -np.log(p) + 1e-12
        return float("inf") if broken.any() else self.beta

    @cached_property
    def delta(self) -> float:
        """Delta-disclosure: greatest ``|ln(q / p)|``; infinite if a class lacks a value."""
        if not self._known:
            return float("nan")
        return float("inf") if self.l < len(self._total) else self.delta_present

    @cached_property
    def delta_present(self) -> float:
        """Delta-disclosure over the values that do occur in each class (always finite)."""
        return float(np.abs(np.log(self._lift)).max()) if self._known else float("nan")

    @cached_property
    def t(self) -> float:
        """t-closeness: greatest earth mover's distance of a class to the table (0 to 1)."""
        if not self._known:
            return float("nan")
        return float(self.class_distances.max())

    @cached_property
    def class_distances(self) -> np.ndarray:
        """Earth mover's distance of each class to the whole table, shape (classes,)."""
        m = len(self._total)
        if m == 1:
            return np.zeros(self.classes)
        if self.distance == "equal":
            gain = np.maximum(self._q - self._total[self._value] / self.n, 0.0)
            return np.add.reduceat(gain, self._first)
        return ordered_distances(
            self._q, self._value, self._first, self._distinct, np.cumsum(self._total) / self.n
        )

    def recursive_c(self, l: int | None = None) -> float:  # noqa: E741
        """Bound of recursive (c, l)-diversity: it holds for every c *above* this number.

        Parameters
        ----------
        l : int, optional
            Default: the table's own ``l``.

        Returns
        -------
        float
            The largest ``r_1 / (r_l + ... + r_m)`` of a class, where ``r_1 >= r_2 >= ...``
            are its counts; infinite if a class has fewer than ``l`` values.

        References
        ----------
        Machanavajjhala, Kifer, Gehrke, Venkitasubramaniam, "l-diversity", TKDD 2007.
        """
        if not self._known:
            return float("nan")
        l = self.l if l is None else l  # noqa: E741
        if l < 1:
            raise PrivacyError(f"l is {l}; a whole number from 1 on is accepted.")
        if self.l < l:
            return float("inf")
        owner = np.repeat(np.arange(self.classes), self._distinct)
        falling = np.lexsort((-self._count, owner))
        counts = self._count[falling]
        rank = np.arange(len(counts)) - np.repeat(self._first, self._distinct)
        tail = np.add.reduceat(np.where(rank >= l - 1, counts, 0), self._first)
        return float((counts[self._first] / tail).max())

    # ---- showing -------------------------------------------------------------------
    def to_frame(self) -> pd.DataFrame:
        """Return all measures as a table: measure, value, meaning."""
        rows = [
            ("k", self.k, "rows in the smallest class"),
            ("classes", self.classes, "different combinations of quasi-identifiers"),
            ("unique_share", self.unique_share, "share of rows alone in their class"),
            ("mean_risk", self.mean_risk, "expected share of right guesses"),
            ("prosecutor_risk", self.prosecutor_risk, "highest risk of a row"),
            ("journalist_risk", self.journalist_risk, "highest risk within the population"),
            ("marketer_risk", self.marketer_risk, "share matched by linking everyone"),
        ]
        if self._known:
            rows += [
                ("l", self.l, "fewest sensitive values in a class"),
                ("entropy_l", self.entropy_l, "the same, weighed by how even they are"),
                ("recursive_c", self.recursive_c(), f"recursive (c, {self.l}) holds above this c"),
                ("t", self.t, f"greatest distance to the table ({self.distance})"),
                ("alpha", self.alpha, "highest share of one value in a class"),
                ("beta", self.beta, "greatest relative gain of a value"),
                ("enhanced_beta", self.enhanced_beta, "the same, if within -ln p"),
                ("delta", self.delta, "greatest |ln(q / p)|"),
            ]
        return pd.DataFrame(rows, columns=["measure", "value", "meaning"])

    def __repr__(self) -> str:
        text = f"Anonymity(n={self.n}, k={self.k}, classes={self.classes}"
        text += f", unique_share={self.unique_share:.4f}, mean_risk={self.mean_risk:.4f}"
        if self._known:
            text += f", l={self.l}, entropy_l={self.entropy_l:.4f}, t={self.t:.4f}"
        return text + ")"

    def _repr_html_(self) -> str:
        esc = html.escape
        known = ", ".join(map(str, self.quasi_identifiers))
        caption = f"{self.n:,} rows; known to the attacker: {known}"
        if self._known:
            caption += f"; sensitive: {self.sensitive}"
        body = "".join(
            f'<tr><th scope="row">{esc(m)}</th><td>{_show(v)}</td><td>{esc(t)}</td></tr>'
            for m, v, t in self.to_frame().itertuples(index=False)
        )
        return (
            f"<table><caption>{esc(caption)}</caption><thead><tr>"
            '<th scope="col">measure</th><th scope="col">value</th><th scope="col">meaning</th>'
            f"</tr></thead><tbody>{body}</tbody></table>"
        )


def _show(value: float) -> str:
    if np.isnan(value):
        return "not known"
    if np.isinf(value):
        return "unbounded"
    return f"{int(value):,}" if float(value).is_integer() and abs(value) >= 1 else f"{value:.4f}"


def ordered_distances(
    q: np.ndarray,
    value: np.ndarray,
    first: np.ndarray,
    distinct: np.ndarray,
    cumulative: np.ndarray,
) -> np.ndarray:
    """Ordered-distance EMD of every class, in time of the pairs that occur.

    Between two values that a class holds, its cumulative share ``F`` is constant while the
    table's ``G`` rises, so ``sum |F - G|`` over that stretch splits in two where G passes
    F; both parts come from prefix sums of G. Nothing of size classes x values is built.
    """
    m = len(cumulative)
    prefix = np.concatenate([[0.0], np.cumsum(cumulative)])
    run = np.cumsum(q)
    before = np.repeat(run[first] - q[first], distinct)
    level = run - before
    end = np.empty_like(value)
    end[:-1] = value[1:]
    last = first + distinct - 1
    end[last] = m
    # the last stretch of a class holds F = 1 exactly, whatever the rounding
    level[last] = 1.0
    cross = np.clip(np.searchsorted(cumulative, level), value, end)
    part = level * (cross - value) - (prefix[cross] - prefix[value])
    part += (prefix[end] - prefix[cross]) - level * (end - cross)
    head = prefix[value[first]]  # stretch before a class's first value: F = 0
    return (np.add.reduceat(part, first) + head) / (m - 1)


def distance_of(column: pd.Series, distance: str) -> str:
    """Return ``"ordered"`` or ``"equal"``: what ``"auto"`` means for a column."""
    if distance not in ("auto", "ordered", "equal"):
        raise PrivacyError(f"distance is {distance!r}; 'auto', 'ordered' or 'equal' are accepted.")
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        can = bool(dtype.ordered)
    else:
        can = pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_datetime64_any_dtype(dtype)
        can = can and not pd.api.types.is_bool_dtype(dtype)
    if distance == "ordered" and not can:
        raise PrivacyError(
            f"sensitive: column {column.name!r} has no order; numbers, dates and ordered "
            "categories are accepted for distance='ordered'."
        )
    return ("ordered" if can else "equal") if distance == "auto" else distance


def anonymity(
    table: pd.DataFrame,
    quasi_identifiers: Sequence,
    sensitive: object = None,
    *,
    population: pd.DataFrame | None = None,
    distance: str = "auto",
) -> Anonymity:
    """Measure what a table gives away about the people in it.

    Rows that agree on all quasi-identifiers form an equivalence class. A missing value is
    a value of its own, in the quasi-identifiers as in the sensitive column: a gap can be
    seen, so it can single out.

    Parameters
    ----------
    table : pandas.DataFrame, shape (n_rows, n_columns)
        One row a person. The index plays no part.
    quasi_identifiers : sequence of column names
        What an attacker may know (age, postcode, ...). Any number.
    sensitive : column name, optional
        What the attacker wants to learn.
    population : pandas.DataFrame, optional
        The people the rows were drawn from, with the same quasi-identifiers written the
        same way (generalised alike). Gives journalist and marketer risk.
    distance : {'auto', 'ordered', 'equal'}
        Ground distance of t-closeness: by rank for numbers, dates and ordered categories,
        equal for other categories. A missing value ranks last.

    Returns
    -------
    Anonymity
        ``.k``, ``.l``, ``.entropy_l``, ``.t``, ``.alpha``, ``.beta``, ``.enhanced_beta``,
        ``.delta``, ``.recursive_c(l)``, ``.classes``, ``.unique_share``, ``.mean_risk``,
        ``.prosecutor_risk``, ``.journalist_risk``, ``.marketer_risk``.

    Raises
    ------
    PrivacyError
        If the table is empty, a column is not there, or a row of the table falls in a
        class that the population does not have.

    References
    ----------
    Sweeney, "k-anonymity", IJUFKS 2002. Machanavajjhala et al., "l-diversity", TKDD 2007.
    Li, Li, Venkatasubramanian, "t-closeness", ICDE 2007. Cao, Karras, "Publishing
    microdata with a robust privacy guarantee", VLDB 2012. Brickell, Shmatikov, "The cost
    of privacy", KDD 2008.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy import anonymity
    >>> table = pd.DataFrame({"age": [30, 30, 41, 41], "buys": ["tea", "tea", "tea", "gin"]})
    >>> a = anonymity(table, ["age"], "buys")
    >>> a.k, a.l, round(a.entropy_l, 3), a.t
    (2, 1, 1.0, 0.25)
    """
    check_table(table)
    names = check_columns(table, quasi_identifiers, "quasi_identifiers")
    if not names:
        raise PrivacyError("quasi_identifiers is empty; name at least one column.")
    if population is not None:
        sizes, matched, unique = _population_counts(table, population, names)
    else:
        sizes = matched = None
        unique = float("nan")
    if sensitive is None:
        if sizes is None:
            keys, levels = table_codes(table, names)
            sizes = sorted_runs(keys, levels)[1]
        return Anonymity(
            n=len(table),
            quasi_identifiers=tuple(names),
            sizes=sizes,
            _population=matched,
            _population_unique_share=unique,
        )
    (sensitive,) = check_columns(table, [sensitive], "sensitive")
    if sensitive in names:
        raise PrivacyError(
            f"sensitive: column {sensitive!r} is also a quasi-identifier; what the attacker "
            "knows already cannot be what he wants to learn."
        )
    used = distance_of(table[sensitive], distance)
    value, m = (
        column_codes(table[sensitive], ordered=True)
        if used == "ordered"
        else renumbered(column_codes(table[sensitive]))
    )
    if population is not None:
        columns = [_population_codes(table, population, names)]
    else:
        columns = [column_codes(table[c]) for c in names]
    keys, levels = pack_codes([*columns, (value, m)], len(table))
    pairs, count = sorted_runs(keys, levels)
    owner, value = np.divmod(pairs, m)
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    return Anonymity(
        n=len(table),
        quasi_identifiers=tuple(names),
        sensitive=sensitive,
        distance=used,
        sizes=np.add.reduceat(count, first),
        _first=first,
        _value=value,
        _count=count,
        _total=np.bincount(value, weights=count, minlength=m),
        _population=matched,
        _population_unique_share=unique,
    )


def renumbered(coded: tuple[np.ndarray, int]) -> tuple[np.ndarray, int]:
    """Renumber codes so that no number is skipped (an unused category is no value)."""
    codes, levels = coded
    present = np.bincount(codes, minlength=levels) > 0
    if present.all():
        return coded
    rank = np.cumsum(present) - 1
    return rank[codes], int(rank[-1]) + 1


def _both(table: pd.DataFrame, population: pd.DataFrame, names: list) -> pd.DataFrame:
    check_table(population, "population")
    check_columns(population, names, "population")

    def plain(column: pd.Series) -> pd.Series:
        categorical = isinstance(column.dtype, pd.CategoricalDtype)
        return column.astype(column.cat.categories.dtype) if categorical else column

    return pd.DataFrame(
        {
            i: pd.concat([plain(table[c]), plain(population[c])], ignore_index=True)
            for i, c in enumerate(names)
        }
    )


def _population_codes(
    table: pd.DataFrame, population: pd.DataFrame, names: list
) -> tuple[np.ndarray, int]:
    both = _both(table, population, names)
    keys, levels = table_codes(both, list(both.columns))
    return keys[: len(table)], levels


def _population_counts(
    table: pd.DataFrame, population: pd.DataFrame, names: list
) -> tuple[np.ndarray, np.ndarray, float]:
    """Sizes of the table's classes, of the same classes in the population, and uniques."""
    both = _both(table, population, names)
    keys, levels = table_codes(both, list(both.columns))
    n = len(table)
    wanted, sizes = sorted_runs(keys[:n], levels)
    found, counts = sorted_runs(keys[n:], levels)
    at = np.minimum(np.searchsorted(found, wanted), len(found) - 1)
    absent = found[at] != wanted
    if absent.any():
        row = int(np.flatnonzero(np.isin(keys[:n], wanted[absent]))[0])
        raise PrivacyError(
            f"population: row {table.index[[row]].tolist()[0]!r} of the table has a combination of "
            "quasi-identifiers that the population lacks; give the population the rows came "
            "from, generalised in the same way."
        )
    return sizes, counts[at], float((counts == 1).sum() / len(population))


def class_sizes(table: pd.DataFrame, quasi_identifiers: Sequence) -> pd.Series:
    """For each row, how many rows share its quasi-identifiers (itself included).

    Parameters
    ----------
    table : pandas.DataFrame
    quasi_identifiers : sequence of column names

    Returns
    -------
    pandas.Series of int64
        On the table's index. A row with 1 is alone.

    Raises
    ------
    PrivacyError
        If the table is empty or a column is not there.

    References
    ----------
    Sweeney, "k-anonymity", IJUFKS 2002.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy import class_sizes
    >>> class_sizes(pd.DataFrame({"age": [30, 30, 41]}), ["age"]).tolist()
    [2, 2, 1]
    """
    check_table(table)
    names = check_columns(table, quasi_identifiers, "quasi_identifiers")
    keys, levels = table_codes(table, names)
    if levels <= max(4 * len(keys), 1024):
        sizes = np.bincount(keys)[keys]
    else:
        codes, _ = pd.factorize(keys)
        sizes = np.bincount(codes)[codes]
    return pd.Series(sizes.astype(np.int64), index=table.index, name="class_size")
