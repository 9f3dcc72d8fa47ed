"""The privacy budget: what may be learned about one person, and what was spent of it."""

from __future__ import annotations

import html
import math
import os
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from ethicalai_lab.privacy.errors import PrivacyError

__all__ = [
    "Budget",
    "BudgetError",
    "advanced_composition",
    "basic_composition",
    "check_epsilon",
    "membership_bound",
]


class BudgetError(PrivacyError):
    """The privacy budget does not cover what was asked; nothing was released."""


def check_epsilon(epsilon: Any, name: str = "epsilon") -> float:
    """Return a finite number above 0, or refuse with the name that is wrong."""
    if isinstance(epsilon, bool) or not isinstance(epsilon, (int, float, np.integer, np.floating)):
        raise PrivacyError(f"{name} is {epsilon!r}; a number above 0 is accepted.")
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise PrivacyError(f"{name} is {epsilon!r}; a finite number above 0 is accepted.")
    return float(epsilon)


@dataclass(eq=False)
class _Account:
    """Where a budget is spent: one for all that stand for the same budget."""

    epsilon: float
    period: str
    unit: str
    entries: list[tuple[str, float]] = field(default_factory=list)
    total: Fraction = Fraction(0)  # exact, and added to rather than summed anew at each question
    lock: Any = field(default_factory=threading.Lock)
    process: int = field(default_factory=os.getpid)


# by the table's identity; the reference says whether it is still that table
_OF_TABLE: dict[int, tuple[weakref.ref, _Account]] = {}
_OF_TABLE_LOCK = threading.RLock()


class Budget:
    """What may be learned about one person over a period, and what was spent of it.

    Spending adds up (basic composition), which also holds when each question depends on
    the answers before.

    Parameters
    ----------
    epsilon : float
        Total, above 0.
    period : str
        What the total covers, such as ``"first quarter of 2026"``.
    unit : str, default 'person'
        Whose presence is protected.

    Notes
    -----
    A copy spends from the same account. Once a table is asked (see `bind`), a second budget
    of the same total, period and unit on that table spends from the first one's account too,
    and any other is refused. Threads may spend at once. A budget can't be pickled, and a
    forked process can't spend it: both would spend the same epsilon again. *Not* bound are a
    copy of the table, the same rows read from their file again, and a new session: whoever
    asks those again has to count it in.

    References
    ----------
    Dwork, McSherry, Nissim, Smith, "Calibrating noise to sensitivity in private data
    analysis", TCC 2006. NIST SP 800-226.

    Examples
    --------
    >>> from ethicalai_lab.privacy.noise import Budget
    >>> budget = Budget(1.0, "first quarter of 2026")
    >>> budget.spend(0.4, "visits by arm")
    >>> round(budget.remaining, 2), budget.statement
    (0.6, 'epsilon = 1 per person over first quarter of 2026')
    """

    def __init__(self, epsilon: float, period: str, unit: str = "person") -> None:
        epsilon = check_epsilon(epsilon)
        for name, text in (("period", period), ("unit", unit)):
            if not isinstance(text, str) or not text.strip():
                raise PrivacyError(
                    f"{name} is {text!r}; say what the budget covers, such as "
                    + ("'first quarter of 2026'." if name == "period" else "'person'.")
                )
        self._account = _Account(epsilon, period, unit)

    def __copy__(self) -> Budget:
        return self

    def __deepcopy__(self, memo: dict) -> Budget:
        return self

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise BudgetError(
            f"A budget can't be pickled or sent to another process ({self.statement}): each copy "
            "would spend the same epsilon again. Ask where the budget is."
        )

    @property
    def epsilon(self) -> float:
        """The total."""
        return self._account.epsilon

    @property
    def period(self) -> str:
        """What the total covers."""
        return self._account.period

    @property
    def unit(self) -> str:
        """Whose presence is protected."""
        return self._account.unit

    @property
    def spent(self) -> float:
        """Sum of the epsilons spent."""
        return float(self._account.total)

    @property
    def remaining(self) -> float:
        """What is left, 0 or more."""
        return max(self.epsilon - self.spent, 0.0)

    @property
    def statement(self) -> str:
        """The budget in one line, with its unit and period."""
        return f"epsilon = {self.epsilon:g} per {self.unit} over {self.period}"

    @property
    def ledger(self) -> pd.DataFrame:
        """What was spent on what: ``question``, ``epsilon``, ``left``."""
        entries = list(self._account.entries)
        left = self.epsilon - np.cumsum([e for _, e in entries])
        return pd.DataFrame(
            {
                "question": [q for q, _ in entries],
                "epsilon": [e for _, e in entries],
                "left": np.maximum(left, 0.0),
            }
        )

    def bind(self, table: pd.DataFrame) -> None:
        """Spend on this table from now on; a table has one budget.

        Raises
        ------
        BudgetError
            If the table has another budget, or the same and this one was already spent on
            something else.
        """
        with _OF_TABLE_LOCK:
            key = id(table)
            kept = _OF_TABLE.get(key)
            if kept is None or kept[0]() is not table:
                gone = weakref.ref(table, lambda ref: _forget(key, ref))
                _OF_TABLE[key] = (gone, self._account)
                return
            account = kept[1]
            if account is self._account:
                return
            same = ("epsilon", "period", "unit")
            if self._account.entries or any(
                getattr(account, name) != getattr(self._account, name) for name in same
            ):
                raise BudgetError(
                    f"this table is already asked under epsilon = {account.epsilon:g} per "
                    f"{account.unit} over {account.period}; a table has one budget. Pass that "
                    "one, or a table of the new period's rows."
                )
            self._account = account

    def check(self, epsilon: float, question: str) -> None:
        """Refuse if the budget does not cover the question."""
        epsilon = check_epsilon(epsilon)
        if os.getpid() != self._account.process:
            raise BudgetError(
                f"{question!r} was asked in another process than the budget's; nothing was "
                "released. A budget is spent where it was made, or two would spend it."
            )
        # 0.1 + 0.2 must fit into 0.3
        if self.spent + epsilon > self.epsilon * (1 + 1e-9):
            raise BudgetError(
                f"{question!r} asks for epsilon {epsilon:.4g}, and {self.remaining:.4g} is left of "
                f"{self.epsilon:g} per {self.unit} over {self.period}; nothing was released. Ask "
                "for less, or wait for the next period."
            )

    def spend(self, epsilon: float, question: str) -> None:
        """Take from the budget, or refuse.

        Raises
        ------
        BudgetError
            If less is left than asked for.
        """
        with self._account.lock:
            self.check(epsilon, question)
            self._account.entries.append((question, float(epsilon)))
            self._account.total += Fraction(float(epsilon))

    def __repr__(self) -> str:
        return f"Budget({self.statement}; spent {self.spent:g})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th scope="row">{html.escape(r.question)}</th><td>{r.epsilon:.4g}</td>'
            f"<td>{r.left:.4g}</td></tr>"
            for r in self.ledger.itertuples(index=False)
        )
        return (
            f"<table><caption>{html.escape(self.statement)}</caption><thead><tr>"
            '<th scope="col">question</th><th scope="col">epsilon</th><th scope="col">left</th>'
            f"</tr></thead><tbody>{rows}</tbody></table>"
        )


def _forget(key: int, ref: weakref.ref) -> None:
    """Let go of a table that is no more, unless its number is another table's by now."""
    with _OF_TABLE_LOCK:
        if key in _OF_TABLE and _OF_TABLE[key][0] is ref:
            del _OF_TABLE[key]


def basic_composition(epsilons: Sequence[float], deltas: Sequence[float] = ()) -> tuple:
    """Privacy loss of several releases: everything adds up.

    Parameters
    ----------
    epsilons : sequence of float
    deltas : sequence of float

    Returns
    -------
    (epsilon, delta)

    Raises
    ------
    PrivacyError
        If an epsilon is not above 0 or a delta not within 0 to 1.

    References
    ----------
    Dwork et al., "Our data, ourselves", EUROCRYPT 2006.

    Examples
    --------
    >>> from ethicalai_lab.privacy.noise import basic_composition
    >>> basic_composition([0.5, 0.25])
    (0.75, 0.0)
    """
    for e in epsilons:
        check_epsilon(e)
    if any(not 0 <= d < 1 for d in deltas):
        raise PrivacyError(f"deltas are {list(deltas)}; numbers from 0 to below 1 are accepted.")
    return math.fsum(epsilons), math.fsum(deltas)


def advanced_composition(
    epsilon: float, n_releases: int, slack: float, delta: float = 0.0
) -> tuple:
    """Privacy loss of many equal releases, where a small failure probability is allowed.

    ``epsilon sqrt(2 n ln(1/slack)) + n epsilon (exp(epsilon) - 1)``; for few releases or a
    large epsilon this is *more* than basic composition, and both bounds hold.

    Parameters
    ----------
    epsilon : float
        Of each release.
    n_releases : int
    slack : float
        Added delta, above 0, below 1; keep it far below 1 / number of people.
    delta : float
        Of each release.

    Returns
    -------
    (epsilon, delta)

    Raises
    ------
    PrivacyError
        If a number is out of range.

    References
    ----------
    Dwork, Rothblum, Vadhan, "Boosting and differential privacy", FOCS 2010.

    Examples
    --------
    >>> from ethicalai_lab.privacy.noise import advanced_composition
    >>> round(advanced_composition(0.1, 100, 1e-6)[0], 3)
    6.308
    """
    epsilon = check_epsilon(epsilon)
    if not isinstance(n_releases, (int, np.integer)) or n_releases < 1:
        raise PrivacyError(f"n_releases is {n_releases!r}; a whole number from 1 on is accepted.")
    if not 0 < slack < 1 or not 0 <= delta < 1:
        raise PrivacyError(
            f"slack is {slack!r} and delta {delta!r}; numbers within 0 to 1, please."
        )
    total = epsilon * math.sqrt(2 * n_releases * math.log(1 / slack))
    total += n_releases * epsilon * math.expm1(epsilon)
    return total, n_releases * delta + slack


def membership_bound(epsilon: float) -> float:
    """Best balanced accuracy of *any* attack that guesses whether a person is in the data.

    Parameters
    ----------
    epsilon : float
        Of a pure (delta = 0) differentially private release.

    Returns
    -------
    float
        ``e^eps / (1 + e^eps)``, 0.5 (coin toss) to 1.

    Raises
    ------
    PrivacyError
        If epsilon is not above 0.

    References
    ----------
    Kairouz, Oh, Viswanath, "The composition theorem for differential privacy", ICML 2015.

    Examples
    --------
    >>> from ethicalai_lab.privacy.noise import membership_bound
    >>> round(membership_bound(1.0), 3)
    0.731
    """
    return 1.0 / (1.0 + math.exp(-check_epsilon(epsilon)))
