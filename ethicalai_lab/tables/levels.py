"""What the levels of a column count as: yes or no, untreated or treated, one group or two."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.core.yaml import own_data, scalar
from ethicalai_lab.errors import did_you_mean, shown
from ethicalai_lab.tables.roles import Roles, TableError
from ethicalai_lab.tables.telling import spelled

__all__ = [
    "consent_answers",
    "control_level",
    "counted",
    "holds",
    "is_agreement",
    "is_refusal",
    "levels_of",
    "listed",
    "negates",
    "no_doubles",
    "one_case",
    "says_no",
    "says_nothing",
    "says_yes",
    "words",
    "words_of",
]

_REFUSAL = re.compile(
    r"opt(?:ed)?_?out|unsub|do_?not|dont|(?:^|_)dn[cm](?:_|$)|^(?:no|kein|keine|sans|sin)_|"
    r"(?:^|_)no_(?:mail|email|e_mail|sms|call|calls|contact|marketing|phone|track)|"
    r"suppress|object(?:ed|ion)|oppos|refus|withdr[ae]w|revok|black_?list|block_?list|blocked|"
    r"robinson|widerspr|widerruf|abgemeldet|abbestell|werbesperre|desabonn|desinscri|baja(?:_|$)"
)
_NEGATION = re.compile(
    r"^(?:not?|non|nicht|kein\w*|ohne|sans|sin|without|never|nie)_|"
    r"^(?:reject|refus|den(?:y|ied)|declin|fail|lost|churn|cancel|dropped|exclu|ineligib|unsuccess|"
    r"abgelehnt|ablehn|verloren|gekuendigt|gekundigt|rechaz|perdu)"
)
_AFFIRMED = re.compile(
    r"opt(?:ed)?_?in(?:_|$)|(?:^|_)(?:consent(?:ed|s|ement|imiento)?|accepts?|accepted|agree[sd]?|"
    r"permi(?:ssion|ts?|tted)|allow(?:s|ed)?|ok|subscribed|subscriber|newsletter|notify(?:_me)?|"
    r"einwilligung|werbeeinwilligung|werbeerlaubnis|erlaubt|zustimmung|acepta)(?:_|$)"
)
_TURNS = re.compile(
    r"(?:^|_)(?:no|non|not|without|missing|expired|ohne|kein\w*|nicht|fehlt|sans|sin|ne|pas|never|"
    r"lapsed|invalid|lost|stop|exclu\w*|abgelaufen|expire|requ?ired|needed|pending)(?:_|$)"
)
_AGREEMENT = re.compile(r"opt(?:ed)?_?in(?:_|$)")


@cache
def words(kind: str) -> frozenset[str]:
    """Return words that cells hold for one thing, such as yes or a gap, in lower case.

    Examples
    --------
    >>> "ja" in words("yes")
    True
    """
    return frozenset(own_data(__file__, "words.yaml")[kind])


@lru_cache(maxsize=65536)
def words_of(name: str) -> str:
    """Return a column's name as words in lower case with underscores between.

    Examples
    --------
    >>> words_of("EmailOptOut"), words_of("IP"), words_of("Straße (Nr.)")
    ('email_opt_out', 'ip', 'strasse_nr')
    """
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    plain = unicodedata.normalize("NFKD", name.casefold())
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


def is_refusal(name: str) -> bool:
    """Tell whether a yes in a column of this name is a no: ``email_opt_out``.

    Parameters
    ----------
    name : str
        The column.

    Examples
    --------
    >>> is_refusal("email_opt_out"), is_refusal("DoNotCall"), is_refusal("email_opt_in")
    (True, True, False)
    """
    return bool(_REFUSAL.search(words_of(name)))


def is_agreement(name: str) -> bool:
    """Tell whether a yes in a column of this name plainly permits: ``email_opt_in``.

    Parameters
    ----------
    name : str
        The column.

    Examples
    --------
    >>> is_agreement("email_opt_in"), is_agreement("consent_missing"), is_agreement("bloctel")
    (True, False, False)
    """
    words = words_of(name)
    turned = is_refusal(name) or _TURNS.search(words)
    return bool(_AFFIRMED.search(words)) and not turned


def says_yes(level: Any) -> bool:
    """Tell whether a level is a word for yes."""
    return _word(level) in words("yes")


def says_no(level: Any) -> bool:
    """Tell whether a level is a word for no."""
    return _word(level) in words("no")


def negates(level: Any) -> bool:
    """Tell whether a level says that something did not happen or was not given.

    Examples
    --------
    >>> negates("rejected"), negates("not converted"), negates("approved")
    (True, True, False)
    """
    return says_no(level) or bool(_NEGATION.search(words_of(str(level))))


def says_nothing(level: Any) -> bool:
    """Tell whether a level says that nothing was said, such as "unknown"."""
    return _alike(level) in words("unsaid")


def _word(level: Any) -> str:
    return re.sub(r"[\s-]+", "_", str(level).strip().casefold())


def _alike(level: Any) -> str:
    """Return a level without what people and programs do not mean to differ in."""
    return " ".join(unicodedata.normalize("NFKC", str(level)).casefold().split())


def same(level: Any, word: Any) -> bool:
    """Tell whether a level of the table is the one that the roles file writes."""
    if str(level) == str(word):
        return True
    level_word = str(level).casefold()
    if level_word in ("true", "false"):
        truth = level_word == "true"
        return str(word).casefold() == level_word or (not isinstance(word, str) and word == truth)
    if isinstance(word, bool):
        return False
    if isinstance(level, str) and isinstance(word, str):
        return False  # labels: 1.1 and 1.10 are two
    try:
        return float(level) == float(word)
    except (TypeError, ValueError):
        return False


def levels_of(column: pd.Series) -> list[Any]:
    """Return the different values of a column, in order."""
    found = column.dropna().unique().tolist()
    try:
        return sorted(found)
    except TypeError:
        return sorted(found, key=str)


def listed(levels: Iterable[Any], most: int = 20) -> str:
    """Return levels as a message shows them."""
    levels = list(levels)
    more = ", ..." if len(levels) > most else ""
    return ", ".join(shown(level) for level in levels[:most]) + more


def _written(levels: Iterable[Any]) -> str:
    """Return levels in quotes, where it matters how they are written."""
    return ", ".join(f'"{shown(level)}"' for level in levels)


def control_level(column: pd.Series, name: str, control: Any, where: str) -> Any:
    """Return the treatment's untreated level, as the table writes it."""
    levels = levels_of(column)
    treated = spelled(name, "treatment")
    if len(levels) < 2:
        raise TableError(
            f"{where}: {treated} is {shown(levels[0])} in every row, so there is nothing to compare."
        )
    if control is None:
        no = [level for level in levels if same(level, 0) or same(level, False)]
        if len(levels) == 2 and len(no) == 1:
            return no[0]
        raise TableError(
            f'{where}: the roles do not say which level of "{shown(name)}" (treatment) is the '
            f'untreated one; add "control" with one of: {listed(levels)}.'
        )
    exact = [level for level in levels if isinstance(control, str) and str(level) == control]
    found = exact or [level for level in levels if same(level, control)]
    if len(found) > 1:
        raise TableError(
            f"{where}: {treated} has the levels {_written(found)}; write the untreated one in "
            f"quotes, such as `control: {scalar(str(found[0]))}`."
        )
    if found:
        return found[0]
    raise TableError(
        f'{where}: {treated} has no level "{shown(control)}", which the roles give as control; '
        f"there are: {listed(levels)}.{did_you_mean(control, levels)}"
    )


def no_doubles(column: pd.Series, name: str, role: str, where: Callable[[int], str]) -> None:
    """Refuse levels that differ only in case or blanks: nobody says whether they are one.

    Parameters
    ----------
    column : pandas.Series
        Of labels, such as groups.
    name, role : str
        How a message calls it.
    where : callable
        Returns the place of a row.

    Raises
    ------
    TableError
        With the two levels and how to answer.
    """
    if column.dtype.kind in "biufcM":
        return
    seen: dict[str, Any] = {}
    for level in levels_of(column):
        first = seen.setdefault(_alike(level), level)
        if first != level:
            raise TableError(
                f'{_first(column, [level], where)}: column "{shown(name)}" ({role}) holds '
                f'"{shown(first)}" and "{shown(level)}", which differ only in case or blanks; say '
                "whether they "
                "are one, with `format: {case: ignore}`, or not, with `format: {case: keep}`."
            )


def one_case(column: pd.Series, *, prefer: Iterable[Any] = ()) -> pd.Series:
    """Return a column in which levels that differ only in case or blanks are one.

    The most frequent spelling stays, or the one that is named in `prefer`.
    """
    if column.dtype.kind in "biufcM":
        return column
    spelled = {_alike(level): str(level) for level in prefer}
    wanted = {}
    for level in column.value_counts().index:
        wanted[level] = spelled.setdefault(_alike(level), level)
    return column.map(wanted)


def _first(column: pd.Series, levels: list[Any], where: Callable[[int], str]) -> str:
    return where(int(column.isin(levels).to_numpy().argmax()))


# -- what counts --------------------------------------------------------------------


def holds(column: pd.Series, positive: tuple[Any, ...]) -> bool:
    """Tell whether one of the values that count is there."""
    return any(same(level, word) for level in column.dropna().unique() for word in positive)


def counted(
    column: pd.Series,
    name: str,
    role: str,
    positive: tuple[Any, ...],
    where: Callable[[int], str],
    *,
    keep_case: bool = False,
) -> tuple[pd.Series, str]:
    """Return 1 where a level counts and 0 where it does not, and a sentence that says so.

    Parameters
    ----------
    column : pandas.Series
        Without gaps, or with gaps that stay gaps.
    name, role : str
        How a message calls the column.
    positive : tuple
        The values that count.
    where : callable
        Returns the place of a row, for messages.
    keep_case : bool
        Whether levels that differ from these only in case or blanks are meant to be others.

    Returns
    -------
    Series, str

    Raises
    ------
    TableError
        If a level differs from one that counts only in case or blanks.

    Examples
    --------
    >>> import pandas as pd
    >>> counted(pd.Series(["Yes", "No", "?"]), "visit", "outcome", ("Yes",), str)[1]
    'column "visit" (outcome): Yes counts as 1; ?, No as 0.'
    """
    levels = levels_of(column)
    yes = [level for level in levels if any(same(level, word) for word in positive)]
    no = [level for level in levels if level not in yes]
    near = {_alike(level) for level in yes}
    doubtful = [level for level in no if _alike(level) in near]
    if doubtful and not keep_case:
        all_of_them = [*yes, *doubtful]
        key = ", ".join(scalar(level, flow=True) for level in all_of_them[:6])
        rows = int(column.isin(doubtful).sum())
        raise TableError(
            f'{_first(column, doubtful, where)}: column "{shown(name)}" ({role}) holds '
            f"{_written(doubtful[:5])} ({rows:,} row{'s' if rows > 1 else ''}), which differs only "
            f"in case or blanks from {_written(yes[:5])}, which counts; if they are the same, "
            f"write `positive: [{key}]`, if not, `format: {{case: keep}}`."
        )
    coded = column.isin(yes).astype("int64")
    if column.isna().any():
        coded = coded.where(column.notna())
    rest = f"; {listed(no)} as 0" if no else ""
    verb = "counts" if len(yes) == 1 else "count"
    return coded, f'column "{shown(name)}" ({role}): {listed(yes)} {verb} as 1{rest}.'


def consent_answers(
    column: pd.Series,
    name: str,
    roles: Roles,
    where: Callable[[int], str] = lambda row: f"row {row + 1}",
) -> tuple[np.ndarray, str]:
    """Read a column with the role consent: 1 where it permits, 0 where not, nan if unsaid.

    Where `roles.positive` names no value, words for yes and no are understood; a yes in a
    column whose name says that people refuse, such as ``email_opt_out``, is a no.

    Parameters
    ----------
    column : pandas.Series
        The answers.
    name : str
        The column.
    roles : Roles
        Which values permit, if it says so; all others then do not.
    where : callable
        Returns the place of a row, for messages.

    Returns
    -------
    ndarray of float, str
        The answers, and a sentence that says what each level counts as.

    Raises
    ------
    TableError
        If a value is neither yes nor no, or the name can be read both ways.

    Examples
    --------
    >>> import pandas as pd
    >>> roles = Roles({"email_opt_out": "consent"})
    >>> consent_answers(pd.Series(["yes", "no", None]), "email_opt_out", roles)[0].tolist()
    [0.0, 1.0, nan]
    """
    meaning = _declared if roles.positives(name) else _understood
    yes, no, turned = meaning(column, name, roles, where)
    answers = np.where(column.isin(yes), 1.0, np.where(column.isin(no), 0.0, np.nan))
    parts = [f"{listed(yes)} permits" if yes else "", f"{listed(no)} does not" if no else ""]
    said = "; ".join(filter(None, parts)) or "nobody says anything"
    count = int(np.isnan(answers).sum())
    quiet = f"; {count:,} say nothing" if count else ""
    return answers, f"{spelled(name, 'consent')}: {said}{turned}{quiet}."


def _declared(
    column: pd.Series, name: str, roles: Roles, where: Callable[[int], str]
) -> tuple[list[Any], list[Any], str]:
    """Return the levels that permit, as the roles say, and those that do not."""
    known, positive = levels_of(column), roles.positives(name)
    keep_case = roles.format.get("case") == "keep"
    counted(column, name, "consent", positive, where, keep_case=keep_case)
    yes = [level for level in known if any(same(level, word) for word in positive)]
    if not yes:
        # nobody may have said the word; but what means the same, or anything at all, is asked
        meant = {(says_yes(word), says_no(word)) for word in positive} | {(False, False)}
        said = [v for v in known if not says_nothing(v) and (says_yes(v), says_no(v)) in meant]
        if said:
            raise TableError(
                f"{_first(column, said[:1], where)}: {spelled(name, 'consent')} never holds "
                f"{_written(positive)}, which the roles give as positive; there are: "
                f"{listed(known)}.{did_you_mean(positive[0], known)}"
            )
    return yes, [level for level in known if level not in yes], ""


def _understood(
    column: pd.Series, name: str, roles: Roles, where: Callable[[int], str]
) -> tuple[list[Any], list[Any], str]:
    """Return the levels that permit by their words and the column's name, and those that do not."""
    known, refusal = levels_of(column), is_refusal(name)
    clear = [level for level in known if says_yes(level) or says_no(level)]
    strange = [level for level in known if level not in clear and not says_nothing(level)]
    key = scalar(name, flow=True)

    def fault(found: list[Any], said: str) -> TableError:
        return TableError(f"{_first(column, found, where)}: {spelled(name, 'consent')}{said}")

    if strange:
        # a mark beside a name that refuses is the refusal: never propose it as what permits
        answer = (
            "write yes in its place if it means that the person refuses"
            if refusal
            else "or say which values permit, such as "
            f"`positive: {{{key}: {scalar(strange[0], flow=True)}}}`"
        )
        raise fault(
            strange,
            f' holds "{shown(strange[0])}"; yes, no, true, false, 1, 0 or nothing is accepted; '
            f"{answer}.",
        )
    if refusal and _AGREEMENT.search(words_of(name)):
        raise fault(
            known,
            ": its name speaks of agreeing and of refusing; say which values permit, such as "
            f"`positive: {{{key}: {scalar(known[0], flow=True)}}}`.",
        )
    if not (refusal or is_agreement(name) or all(map(_outright, clear))):
        raise fault(
            clear,
            ": its name does not tell whether yes permits or refuses; say which value permits, "
            f"with `positive`; there are: {listed(known)}.",
        )
    yes = [v for v in clear if says_yes(v) != (refusal and not _outright(v))]
    turned = ", as the column's name says that people refuse" if refusal else ""
    return yes, [level for level in clear if level not in yes], turned


def _outright(level: Any) -> bool:
    return _word(level) in words("outright")
