"""Zero-party data: ask a few good questions instead of inferring.

Answers are data that people hand over knowingly. They are no truth: some refuse, some
answer falsely, and the more is asked the fewer answer. What they are worth is measured
against what watching gives, for people of short and of long history apart.

References
----------
Hoerl, A. E. and Kennard, R. W. (1970). Ridge regression: biased estimation for
nonorthogonal problems. Technometrics 12, 55-67.

Schein, A. I., Popescul, A., Ungar, L. H. and Pennock, D. M. (2002). Methods and metrics
for cold-start recommendations. SIGIR 2002, 253-260.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from ethicalai_lab.core.checks import checked, need_columns
from ethicalai_lab.core.identity import locate_people
from ethicalai_lab.core.times import read_moment, read_times
from ethicalai_lab.errors import InputError
from ethicalai_lab.stats import Interval, mean_interval, proportion_interval

__all__ = [
    "AskingReport",
    "PreferenceModel",
    "answer_quality",
    "compare_asking",
    "learn_preferences",
    "said",
    "shelf",
    "watched",
]

_RIDGE = 30.0
_PRIOR = 3.0  # events' worth of belief that a customer is like the average
_EDGES = (0, 2, 5, 10)
_PRICES = ("basic", "classic", "premium")
_FOLDS = 5


def watched(events: pd.DataFrame, products: pd.DataFrame, customers: Iterable[Any]) -> pd.DataFrame:
    """Count what each customer viewed and bought, by category.

    Parameters
    ----------
    events : DataFrame
        Columns ``customer_id``, ``kind``, ``product_id``.
    products : DataFrame
        Columns ``product_id``, ``category``.
    customers : iterable

    Returns
    -------
    DataFrame
        Indexed by customer, one column a kind and category, such as ``view:home``.
        Events without a product are left out.

    Raises
    ------
    InputError
        If a column is missing or a customer is named twice.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.personalization.zero_party import watched
    >>> events = pd.DataFrame({"customer_id": [1, 1], "kind": ["view", "view"],
    ...                        "product_id": [5, 5]})
    >>> products = pd.DataFrame({"product_id": [5], "category": ["home"]})
    >>> watched(events, products, [1, 2])["view:home"].tolist()
    [2, 0]
    """
    need_columns(events, ["customer_id", "kind", "product_id"], "events")
    need_columns(products, ["product_id", "category"], "products")
    people = _people(customers)
    category = products.set_index("product_id")["category"].astype(str)
    place = category.index.get_indexer(events["product_id"])
    at = locate_people(events["customer_id"], people, "events: customer_id")
    known = (place >= 0) & (at >= 0)
    levels = sorted(category.unique())
    code = pd.Index(levels).get_indexer(category.to_numpy()[place[known]])
    kinds = events["kind"].astype(str).to_numpy()[known]
    columns = {}
    for kind in sorted(set(kinds)):
        here = kinds == kind
        cell = at[known][here] * len(levels) + code[here]
        count = np.bincount(cell, minlength=len(people) * len(levels)).reshape(-1, len(levels))
        columns |= {f"{kind}:{level}": count[:, i] for i, level in enumerate(levels)}
    return pd.DataFrame(columns, index=people)


def said(
    preferences: pd.DataFrame, customers: Iterable[Any], questions: Sequence[str] | None = None
) -> pd.DataFrame:
    """Lay out each customer's answers as indicators.

    Parameters
    ----------
    preferences : DataFrame
        Columns ``customer_id``, ``question``, ``answer`` (missing where refused).
    customers : iterable
    questions : sequence of str, optional
        Which questions. Default: all.

    Returns
    -------
    DataFrame
        Indexed by customer, one 0/1 column a question and answer, such as
        ``favourite_category=home``; a refusal is 0 throughout. The latest answer counts
        where a question was asked twice and the times are known.

    Raises
    ------
    InputError
        If a column is missing or a question was never asked.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.personalization.zero_party import said
    >>> answers = pd.DataFrame({"customer_id": [1, 2], "question": ["favourite"] * 2,
    ...                         "answer": ["home", None]})
    >>> said(answers, [1, 2])["favourite=home"].tolist()
    [1, 0]
    """
    need_columns(preferences, ["customer_id", "question", "answer"], "preferences")
    people = _people(customers)
    asked = preferences["question"].astype(str)
    if questions is None:
        questions = list(dict.fromkeys(asked))
    columns = {}
    if "time" in preferences.columns:
        preferences = preferences.sort_values("time", kind="stable")
    given = preferences[preferences["answer"].notna().to_numpy()]
    latest = given.astype({"question": str}).drop_duplicates(
        ["customer_id", "question"], keep="last"
    )
    for question in questions:
        if question not in set(asked):
            raise InputError(
                f"questions: {question!r} was never asked; asked were "
                f"{', '.join(sorted(set(asked)))}."
            )
        part = latest[latest["question"] == question]
        at = locate_people(part["customer_id"], people, "preferences: customer_id")
        answers = part["answer"].astype(str).to_numpy()
        for answer in sorted(set(answers)):
            flags = np.zeros(len(people), dtype=np.int8)
            flags[at[(answers == answer) & (at >= 0)]] = 1
            columns[f"{question}={answer}"] = flags
    return pd.DataFrame(columns, index=people)


def answer_quality(
    preferences: pd.DataFrame, true_answers: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Show how many refuse each question and, where the truth is known, how many lie.

    Parameters
    ----------
    preferences : DataFrame
        Columns ``customer_id``, ``question``, ``answer``; in the order of asking.
    true_answers : DataFrame, optional
        ``customer_id``, ``question``, ``answer``: the world's ``truth.answers``.

    Returns
    -------
    DataFrame
        One row a question, in the order of asking: asked, refused with low and high
        (Wilson), and, where the truth is given, false (share of the given answers) with
        its low and high.

    Raises
    ------
    InputError
        If a column is missing.

    Examples
    --------
    >>> from ethicalai_lab.personalization.zero_party import answer_quality
    >>> from ethicalai_lab.world import make_world
    >>> quality = answer_quality(make_world(2_000, seed=1).preferences)
    >>> bool(quality["refused"].iloc[0] < quality["refused"].iloc[-1])
    True
    """
    need_columns(preferences, ["customer_id", "question", "answer"], "preferences")
    table = preferences[["customer_id", "question", "answer"]].astype({"question": str})
    if true_answers is not None:
        need_columns(true_answers, ["customer_id", "question", "answer"], "true_answers")
        true = true_answers[["customer_id", "question", "answer"]].astype({"question": str})
        table = table.merge(true, on=["customer_id", "question"], suffixes=("", "_true"))
    rows = []
    for question in dict.fromkeys(table["question"]):
        part = table[table["question"] == question]
        given = part["answer"].notna()
        row = [question, len(part)]
        row += proportion_interval(int((~given).sum()), len(part))
        if true_answers is not None:
            told, true = (part.loc[given, name].astype(str) for name in ("answer", "answer_true"))
            lies = told != true
            row += proportion_interval(int(lies.sum()), int(given.sum()))
        rows.append(row)
    columns = ["question", "asked", "refused", "refused_low", "refused_high"]
    if true_answers is not None:
        columns += ["false", "false_low", "false_high"]
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True)
class AskingReport:
    """What asking gives beside watching.

    Attributes
    ----------
    table : DataFrame
        One row a method (nothing, watching, asking, both) and measure: value, low, high.
        ``later``: share of the variance of later behaviour explained for customers not
        learned from; ``interest``: the customer's true interest in the category that the
        method would offer; and ``rank``: the correlation of its ranking of the categories
        with the true one.
    by_history : DataFrame
        One row a length of history (events watched): customers; interest of watching and
        of asking; and asking minus watching, paired, with low and high.
    questions : DataFrame
        One row a question in greedy order: the question that adds most to those before
        it; gain of interest with low and high, and total.
    offers : DataFrame
        The category that each method would offer each customer asked in time.
    """

    table: pd.DataFrame
    by_history: pd.DataFrame
    questions: pd.DataFrame
    offers: pd.DataFrame = field(repr=False)


class _Asked(NamedTuple):
    """Customers asked in time: what was known of them then, and what they did later."""

    people: pd.Index
    categories: list[str]
    answers: pd.DataFrame
    past: pd.DataFrame
    share: NDArray[np.float64]  # of later events, by category; 0 where there were none
    acted: NDArray[np.bool_]
    average: NDArray[np.float64]

    @property
    def lift(self) -> NDArray[np.float64]:
        return self.share / self.average


def _asked(
    events: pd.DataFrame,
    products: pd.DataFrame,
    preferences: pd.DataFrame,
    at: Any,
    questions: Sequence[str] | None = None,
) -> _Asked:
    need_columns(events, ["customer_id", "time", "kind", "product_id"], "events")
    need_columns(preferences, ["customer_id", "question", "answer", "time"], "preferences")
    need_columns(products, ["product_id", "category"], "products")
    moment = read_moment(at, "at")
    before = read_times(events["time"], "events: time") < moment.to_datetime64()
    answered = read_times(preferences["time"], "preferences: time")
    in_time = preferences[answered < moment.to_datetime64()]
    people = pd.Index(np.unique(in_time["customer_id"]))
    categories = sorted(products["category"].astype(str).unique())
    total = _by_category(watched(events[~before], products, people), categories)
    acted = total.sum(axis=1) > 0
    if not acted.any():
        raise InputError(
            f"of {len(people)} customers asked before {moment:%Y-%m-%d} nobody did anything from "
            "then on; choose another moment."
        )
    share = total / np.maximum(total.sum(axis=1, keepdims=True), 1)
    average = np.maximum(share[acted].mean(axis=0), 1e-6)
    answers = said(in_time, people, questions)
    past = watched(events[before], products, people)
    return _Asked(people, categories, answers, past, share, acted, average)


def compare_asking(
    events: pd.DataFrame,
    products: pd.DataFrame,
    preferences: pd.DataFrame,
    *,
    at: Any,
    interests: pd.DataFrame,
) -> AskingReport:
    """Compare what answers and what behaviour tell about people's interests.

    Parameters
    ----------
    events : DataFrame
        Columns ``customer_id``, ``time``, ``kind``, ``product_id``.
    products : DataFrame
        Columns ``product_id``, ``category``.
    preferences : DataFrame
        Columns ``customer_id``, ``question``, ``answer``, ``time``. Only customers asked
        before ``at`` are compared.
    at : Timestamp or str
        Events and answers before it are known; events from it on are to be foretold, and
        teach how far each kind of evidence can be trusted.
    interests : DataFrame
        ``customer_id`` and one column a category: the world's ``truth.interests``. It
        judges only; nothing is learned from it.

    Returns
    -------
    AskingReport

    Raises
    ------
    InputError
        If a column is missing, a date cannot be used, or too few were asked.

    Notes
    -----
    Each category's model is a ridge regression of its share in later behaviour, divided
    by its average share; customers are judged by models of other customers, in five
    folds. The category offered has the highest prediction times the square root of that
    average: half way between what everybody buys and what this customer likes more than
    others do. With no evidence that is the most popular category, the method "nothing".
    The greedy order was chosen on the rows it is shown for; its first gains are a little
    too high.

    Examples
    --------
    >>> from ethicalai_lab.personalization.zero_party import compare_asking
    >>> from ethicalai_lab.world import make_world
    >>> world = make_world(3_000, seed=1)
    >>> report = compare_asking(world.events, world.products, world.preferences,
    ...                         at="2025-11-01", interests=world.truth.interests)
    >>> report.questions["question"].iloc[0]
    'favourite_category'
    """
    asked = _asked(events, products, preferences, at)
    need_columns(interests, ["customer_id", *asked.categories], "interests")
    truth = interests.set_index("customer_id")[asked.categories].reindex(asked.people).to_numpy()
    unknown = np.isnan(truth).any(axis=1)
    if unknown.any():
        raise InputError(f"interests lacks customer_id {asked.people[unknown][0]}.")
    trial = _Trial(asked, truth)
    asking = asked.answers.to_numpy(dtype=float)
    watching = _watching_features(asked.past, asked.categories)
    guesses = {
        "nothing": trial.guess(),
        "watching": trial.guess(watching),
        "asking": trial.guess(asking),
        "both": trial.guess(watching, asking),
    }
    scores = {name: trial.judge(found) for name, found in guesses.items()}
    baseline = scores["nothing"]["later"]
    rows = [
        (name, measure, *_mean(values - baseline if measure == "later" else values))
        for name, score in scores.items()
        for measure, values in score.items()
    ]
    offers = {name: np.asarray(asked.categories)[trial.best(x)] for name, x in guesses.items()}
    interest = {name: score["interest"] for name, score in scores.items()}
    return AskingReport(
        table=pd.DataFrame(rows, columns=["method", "measure", "value", "low", "high"]),
        by_history=_by_history(asked.past, interest["watching"], interest["asking"]),
        questions=_greedy(trial),
        offers=pd.DataFrame(offers, index=asked.people),
    )


class _Trial:
    """Guesses by models of other customers, and how true they came."""

    def __init__(self, asked: _Asked, truth: NDArray[np.float64]) -> None:
        self.asked, self.truth = asked, truth
        # a stream of its own: what was drawn with the same seed must not tell the folds
        order = np.random.default_rng([0, 0xF01D]).permutation(len(asked.people))
        self.fold = order % _FOLDS

    def guess(self, *parts: NDArray[np.float64]) -> NDArray[np.float64]:
        evidence = np.hstack([np.ones((len(self.fold), 1)), *parts])
        return _ridge(evidence, self.asked.lift, self.asked.acted, self.fold)

    def best(self, found: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.round(found * np.sqrt(self.asked.average), 9).argmax(axis=1)

    def judge(self, found: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        lift, acted = self.asked.lift, self.asked.acted
        error = ((lift - found) ** 2).sum(axis=1)
        spread = ((lift - 1.0)[acted] ** 2).sum(axis=1).mean()
        return {
            "later": np.where(acted, -error / spread, np.nan),
            "interest": self.truth[np.arange(len(found)), self.best(found)],
            "rank": _row_correlation(found * np.sqrt(self.asked.average), self.truth),
        }


def _mean(values: NDArray[np.float64]) -> Interval:
    return mean_interval(values[~np.isnan(values)])


def _by_history(
    past: pd.DataFrame, watching: NDArray[np.float64], asking: NDArray[np.float64]
) -> pd.DataFrame:
    history = past.to_numpy().sum(axis=1)
    lows, highs = (-1, *_EDGES), (*_EDGES, np.inf)
    rows = []
    for low, high in zip(lows, highs, strict=True):
        inside = (history > low) & (history <= high)
        if inside.sum() < 2:
            continue
        label = f"over {low}" if high == np.inf else f"{low + 1}-{high}" if high else "0"
        watch, ask = watching[inside], asking[inside]
        rows.append((label, len(ask), watch.mean(), ask.mean(), *mean_interval(ask - watch)))
    columns = ["history", "customers", "watching", "asking", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _greedy(trial: _Trial) -> pd.DataFrame:
    """Add question after question, each time the one that adds most interest."""
    named = trial.asked.answers
    of = named.columns.str.split("=").str[0]
    blocks = {q: named.loc[:, of == q].to_numpy(dtype=float) for q in dict.fromkeys(of)}
    start = now = trial.judge(trial.guess())["interest"]
    left, chosen, rows = list(blocks), [], []
    while left:
        tried = {q: trial.judge(trial.guess(*chosen, blocks[q]))["interest"] for q in left}
        best = max(left, key=lambda q: (round(float(tried[q].mean()), 12), -left.index(q)))
        gain = mean_interval(tried[best] - now)
        rows.append((best, *gain, float((tried[best] - start).mean())))
        now = tried[best]
        chosen.append(blocks[best])
        left.remove(best)
    return pd.DataFrame(rows, columns=["question", "gain", "low", "high", "total"])


# ------------------------------------------------------------------ one person's answers


@dataclass(frozen=True)
class PreferenceModel:
    """What one person's answers, and if wanted behaviour, say about their interests.

    Attributes
    ----------
    categories : tuple of str
    options : dict of str to tuple of str
        The answers known to each question.
    average : Series
        Each category's share in everybody's later behaviour.
    customers : int
        Customers whose later behaviour the weights were learned from.
    """

    categories: tuple[str, ...]
    options: dict[str, tuple[str, ...]]
    average: pd.Series
    customers: int
    _weights: dict[str, NDArray[np.float64]] = field(repr=False)
    _usual: dict[str, NDArray[np.float64]] = field(repr=False)

    def predict(
        self, answers: Mapping[str, str | None] | None = None, seen: pd.Series | None = None
    ) -> pd.DataFrame:
        """Return how well each category fits one person.

        Parameters
        ----------
        answers : mapping of str to str or None, optional
            Answers by question. A question left out, or None, is an open field: it
            counts as no evidence.
        seen : Series, optional
            The person's row of :func:`watched`; without it nothing watched is used.

        Returns
        -------
        DataFrame
            Indexed by category, the best first: ``lift`` (expected share in the person's
            behaviour over everybody's) and ``score`` (what the offer is chosen by, see
            :func:`compare_asking`).

        Raises
        ------
        InputError
            If a question or an answer is not one of those known.

        Examples
        --------
        >>> from ethicalai_lab.personalization.zero_party import learn_preferences
        >>> from ethicalai_lab.world import make_world
        >>> world = make_world(3_000, seed=1)
        >>> model = learn_preferences(world.events, world.products, world.preferences,
        ...                           at="2025-11-01")
        >>> model.predict({"favourite_category": "sports"}).index[0]
        'sports'
        """
        given = {q: a for q, a in dict(answers or {}).items() if a is not None}
        flags = []
        for question, answer in given.items():
            if question not in self.options:
                raise InputError(
                    f"answers: {question!r} is no question; asked are {', '.join(self.options)}."
                )
            if answer not in self.options[question]:
                raise InputError(
                    f"answers: {answer!r} is no answer to {question!r}; accepted are "
                    f"{', '.join(self.options[question])}."
                )
        for question, known in self.options.items():
            flags += [float(given.get(question) == option) for option in known]
        evidence = [1.0, *flags]
        key = "asking"
        if seen is not None:
            columns = [f"{kind}:{c}" for kind in self._usual for c in self.categories]
            row = seen.reindex(columns, fill_value=0).to_frame().T
            evidence += list(_watching_features(row, self.categories, self._usual)[0])
            key = "both"
        average = self.average.to_numpy()
        if given or seen is not None:
            lift = np.asarray(evidence) @ self._weights[key]
        else:
            lift = np.ones(len(average))  # nothing known: everybody's average
        found = pd.DataFrame(
            {"lift": lift, "score": np.round(lift * np.sqrt(average), 9)},
            index=list(self.categories),
        )
        return found.sort_values("score", ascending=False, kind="stable")

    def rank(
        self, answers: Mapping[str, str | None] | None = None, seen: pd.Series | None = None
    ) -> pd.DataFrame:
        """Return the categories in the order to offer them, answers taken at their word.

        Weights learned from behaviour lean to what is popular: who names a rare favourite
        would seldom be offered it. Here the favourite comes first, the second next and the
        least liked last; the score orders only what was left open.

        Parameters
        ----------
        answers, seen
            As in :meth:`predict`. The questions ``favourite_category``,
            ``second_category`` and ``least_category`` are obeyed. Where the least liked is
            also named as liked, both answers count as open.

        Returns
        -------
        DataFrame
            As :meth:`predict` returns, in the order to offer, with ``told``:
            "favourite", "second", "least" or "".

        Raises
        ------
        InputError
            If a question or an answer is not one of those known.

        Examples
        --------
        >>> from ethicalai_lab.personalization.zero_party import learn_preferences
        >>> from ethicalai_lab.world import make_world
        >>> world = make_world(3_000, seed=1)
        >>> model = learn_preferences(world.events, world.products, world.preferences,
        ...                           at="2025-11-01")
        >>> model.rank({"favourite_category": "beauty"})["told"].iloc[0]
        'favourite'
        """
        self.predict(answers)  # names what is unknown, before anything is set aside
        given = {q: a for q, a in dict(answers or {}).items() if a is not None}
        least = given.get("least_category")
        against = [q for q in ("favourite_category", "second_category") if given.get(q) == least]
        if least is not None and against:
            given = {q: a for q, a in given.items() if q not in (*against, "least_category")}
        found = self.predict(given, seen)
        places = {"least": 3, "second": 1, "favourite": 0}
        told = {given[f"{name}_category"]: name for name in places if f"{name}_category" in given}
        found["told"] = [told.get(name, "") for name in found.index]
        order = found["told"].map(places).fillna(2)
        return found.loc[order.sort_values(kind="stable").index]


def learn_preferences(
    events: pd.DataFrame,
    products: pd.DataFrame,
    preferences: pd.DataFrame,
    *,
    at: Any,
    questions: Sequence[str] | None = None,
) -> PreferenceModel:
    """Learn from earlier answers how far each answer foretells what people do later.

    Parameters
    ----------
    events, products, preferences : DataFrame
        As in :func:`compare_asking`.
    at : Timestamp or str
        Answers and events before it are the evidence, events from it on what is foretold.
    questions : sequence of str, optional
        Default: all that were asked.

    Returns
    -------
    PreferenceModel

    Raises
    ------
    InputError
        If a column is missing, a date cannot be used, or nobody asked acted later.

    Notes
    -----
    The model is that of :func:`compare_asking`, fitted to everybody: one ridge regression
    on the answers, and one on answers and behaviour.

    Examples
    --------
    >>> from ethicalai_lab.personalization.zero_party import learn_preferences
    >>> from ethicalai_lab.world import make_world
    >>> world = make_world(3_000, seed=1)
    >>> model = learn_preferences(world.events, world.products, world.preferences,
    ...                           at="2025-11-01", questions=["favourite_category"])
    >>> list(model.options)
    ['favourite_category']
    """
    asked = _asked(events, products, preferences, at, questions)
    named = asked.answers.columns.str.split("=", n=1)
    options: dict[str, list[str]] = {}
    for question, option in named:
        options.setdefault(question, []).append(option)
    usual = _usual_shares(asked.past, asked.categories)
    answers = np.hstack([np.ones((len(asked.people), 1)), asked.answers.to_numpy(dtype=float)])
    seen = _watching_features(asked.past, asked.categories, usual)
    evidence = {"asking": answers, "both": np.hstack([answers, seen])}
    rows = asked.acted
    return PreferenceModel(
        categories=tuple(asked.categories),
        options={question: tuple(found) for question, found in options.items()},
        average=pd.Series(asked.average, index=asked.categories),
        customers=int(rows.sum()),
        _weights={name: _fit(x[rows], asked.lift[rows]) for name, x in evidence.items()},
        _usual=usual,
    )


@checked()
def shelf(
    events: pd.DataFrame,
    products: pd.DataFrame,
    *,
    category: str,
    price_range: Literal["basic", "classic", "premium"] | None = None,
) -> pd.DataFrame:
    """Return the products most bought of a category, within the price range named.

    Parameters
    ----------
    events : DataFrame
        Columns ``kind``, ``product_id``.
    products : DataFrame
        Columns ``product_id``, ``category``, ``price``.
    category : str
    price_range : {"basic", "classic", "premium"}, optional
        Taken at its word: the lowest, middle or highest third of the category's prices.

    Returns
    -------
    DataFrame
        Rows of ``products`` with ``bought``, the most bought first.

    Raises
    ------
    InputError
        If a column is missing, or the category or price range does not exist.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.personalization.zero_party import shelf
    >>> products = pd.DataFrame({"product_id": [1, 2, 3], "category": "home",
    ...                          "price": [5.0, 20.0, 80.0]})
    >>> events = pd.DataFrame({"kind": "purchase", "product_id": [3, 3, 1]})
    >>> shelf(events, products, category="home")["product_id"].tolist()
    [3, 1, 2]
    >>> shelf(events, products, category="home", price_range="basic")["product_id"].tolist()
    [1]
    """
    need_columns(events, ["kind", "product_id"], "events")
    need_columns(products, ["product_id", "category", "price"], "products")
    part = products[(products["category"].astype(str) == category).to_numpy()]
    if part.empty:
        raise InputError(
            f"category: there is no {category!r}; there are "
            f"{', '.join(sorted(products['category'].astype(str).unique()))}."
        )
    if price_range is not None:
        third = np.ceil(3 * part["price"].rank(method="first") / len(part)).astype(int) - 1
        part = part[(third == _PRICES.index(price_range)).to_numpy()]
    bought = events.loc[(events["kind"] == "purchase").to_numpy(), "product_id"].value_counts()
    count = bought.reindex(part["product_id"], fill_value=0).to_numpy()
    return part.assign(bought=count).sort_values("bought", ascending=False, kind="stable").head(3)


# ------------------------------------------------------------------ helpers


def _fit(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ridge weights; the intercept, the first column, is not shrunk."""
    penalty = np.full(x.shape[1], _RIDGE)
    penalty[0] = 0.0
    return np.linalg.solve(x.T @ x + np.diag(penalty), x.T @ y)


def _usual_shares(past: pd.DataFrame, categories: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Return, for each kind of event, everybody's shares of the categories."""
    shares = {}
    for kind in sorted({column.split(":")[0] for column in past.columns}):
        count = past[[f"{kind}:{c}" for c in categories]].to_numpy(dtype=float)
        shares[kind] = (count.sum(axis=0) + 1) / (count.sum() + len(categories))
    return shares


def _watching_features(
    past: pd.DataFrame,
    categories: Sequence[str],
    usual: Mapping[str, NDArray[np.float64]] | None = None,
) -> NDArray[np.float64]:
    """Return how far each kind's category shares lie from the usual, shrunk by evidence."""
    parts = []
    for kind, average in (_usual_shares(past, categories) if usual is None else usual).items():
        count = past[[f"{kind}:{c}" for c in categories]].to_numpy(dtype=float)
        total = count.sum(axis=1, keepdims=True)
        parts.append(((count + _PRIOR * average) / (total + _PRIOR) - average) / average)
    return np.hstack(parts) if parts else np.zeros((len(past), 0))


def _by_category(counts: pd.DataFrame, categories: Sequence[str]) -> NDArray[np.float64]:
    total = np.zeros((len(counts), len(categories)))
    for i, category in enumerate(categories):
        columns = [c for c in counts.columns if c.split(":", 1)[1] == category]
        total[:, i] = counts[columns].sum(axis=1)
    return total


def _ridge(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    learn: NDArray[np.bool_],
    fold: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return each row's prediction by a model of the other folds' rows."""
    found = np.empty((len(x), y.shape[1]))
    for f in np.unique(fold):
        rows = learn & (fold != f)
        found[fold == f] = x[fold == f] @ _fit(x[rows], y[rows])
    if x.shape[1] == 1:  # nobody differs: no category stands out for anyone
        found[:] = 1.0
    return found


def _row_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Spearman's correlation within each row; 0 where a row is constant."""
    x, y = (rankdata(np.round(m, 9), axis=1) for m in (a, b))
    x, y = (m - m.mean(axis=1, keepdims=True) for m in (x, y))
    below = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    return np.divide((x * y).sum(axis=1), below, out=np.zeros(len(x)), where=below > 0)


def _people(customers: Iterable[Any]) -> pd.Index:
    people = pd.Index(list(customers))
    if not people.is_unique:
        raise InputError(f"customers: {people[people.duplicated()][0]} is named twice.")
    return people
