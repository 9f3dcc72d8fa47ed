"""Mechanism of the customers' messages, with exact spans of the personal data in them."""

# A mechanism's docstring describes its node in the graph.

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ethicalai_lab.world import pools
from ethicalai_lab.world.arrays import choose, join, take
from ethicalai_lab.world.causal import mechanism, stream
from ethicalai_lab.world.schema import levels
from ethicalai_lab.world.texts import phrases, rows

__all__: list[str] = []

STYLES = levels("messages", "language_style")
INTENTS = levels("messages", "intent")
SENTIMENTS = levels("messages", "sentiment")
KINDS = ("email", "phone", "card", "iban", "name")
ADDITION_SHARE = 0.5
# share of the messages whose intent and whose tone the annotator misread
MISREAD = {"intent": 0.03, "sentiment": 0.05}
# share of the messages typed with slips, by style
_TYPO_SHARE = np.array([0.15, 0.60, 0.03, 0.35])
_VARIANTS = 8  # the first is clean, the others have slips of their own


def _mistype(text: str, rng: np.random.Generator) -> str:
    """Return the text with a slip in about each fourth word."""
    words = text.split(" ")
    for place, word in enumerate(words):
        if len(word) > 3 and word.isalpha() and rng.random() < 0.28:
            at = 1 + int(rng.random() * (len(word) - 2))
            slip = int(rng.random() * 3)
            if slip == 0:
                words[place] = word[:at] + word[at + 1 :]
            elif slip == 1:
                words[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
            else:
                words[place] = word[:at] + word[at] + word[at:]
    return " ".join(words)


def _variants(texts: list[str]) -> list[str]:
    rng = stream(0, "typing slips")
    return [text if k == 0 else _mistype(text, rng) for text in texts for k in range(_VARIANTS)]


def _parse() -> dict[str, np.ndarray | list[str]]:
    found = rows("messages")
    before = [row["before"].split("{product}") for row in found]
    after = [row["after"].split("{product}") for row in found]
    # the product may stand before or after the personal value, or not at all
    place = np.array(
        [0 if len(b) == 2 else 1 if len(a) == 2 else 2 for b, a in zip(before, after, strict=True)]
    )
    return {
        "style": np.array([STYLES.index(row["style"]) for row in found]),
        "intent": np.array([INTENTS.index(row["intent"]) for row in found]),
        "sentiment": np.array([SENTIMENTS.index(row["sentiment"]) for row in found], np.int8),
        "kind": np.array([KINDS.index(k) if (k := row["kind"]) else -1 for row in found], np.int8),
        "place": place,
        "a1": _variants([b[0] for b in before]),
        "a2": _variants([b[1] if len(b) == 2 else "" for b in before]),
        "b1": _variants([a[0] for a in after]),
        "b2": _variants([a[1] if len(a) == 2 else "" for a in after]),
    }


TEMPLATES = _parse()


def _asides() -> dict[str, tuple[str, ...]]:
    """Return, by style, sentences that ask for something else: the first matter counts."""
    made: dict[str, tuple[str, ...]] = {}
    for number, style in enumerate(STYLES):
        (opening,), texts = phrases("opening", style), []
        for row in np.flatnonzero((TEMPLATES["style"] == number) & (TEMPLATES["kind"] < 0)):
            place, at = TEMPLATES["place"][row], row * _VARIANTS
            body = TEMPLATES["a1"][at] + ("other thing" if place == 0 else "")
            texts.append(opening + body + TEMPLATES["a2"][at])
        made[style] = phrases("filler", style) + tuple(texts)
    return made


_ADDITIONS = _asides()
_GREETINGS = {style: phrases("greeting", style) for style in STYLES}
_CLOSINGS = {style: phrases("closing", style) for style in STYLES}


@mechanism("observed")
def messages(rng, n, *, age, activity, education, trust, accepted_purposes, events):
    """Who writes, when, in which style, with which intent, and which template it becomes."""
    pace = 0.16 * np.exp(0.3 * activity)
    count = np.minimum(
        (-np.log1p(-rng.random(n)) * pace + rng.random(n) * 0.18).astype(np.int64), 5
    )
    count += rng.random(n) < 0.12
    person = np.repeat(np.arange(n), count)
    m = person.size
    u = rng.random(m)
    young = 1.0 / (1.0 + np.exp((age[person] - 34.0) / 8.0))
    informal = 0.12 + 0.50 * young
    formal = 0.06 + 0.07 * education[person] * (1 - young)
    style = np.where(u < informal, 1, np.where(u < informal + formal, 2, np.where(u > 0.86, 3, 0)))
    content = rng.random(m) < 0.25 + 0.5 * trust[person]
    intent = np.where(
        content,
        choose(rng.random(m), (0.26, 0.16, 0.06, 0.26, 0.20, 0.03, 0.03)),
        choose(rng.random(m), (0.20, 0.18, 0.30, 0.10, 0.03, 0.12, 0.07)),
    )
    # those who do not accept direct marketing ask to be taken off the list more often
    unwilling = ~accepted_purposes[1][person] & (rng.random(m) < 0.08)
    intent = np.where(unwilling, 5, intent)
    cell = TEMPLATES["style"] * len(INTENTS) + TEMPLATES["intent"]
    order = np.argsort(cell, kind="stable")
    start = np.searchsorted(cell[order], np.arange(len(STYLES) * len(INTENTS) + 1))
    wanted = style * len(INTENTS) + intent
    size = start[wanted + 1] - start[wanted]
    template = order[start[wanted] + (rng.random(m) * size).astype(np.int64)]
    total = np.bincount(events["person"], minlength=n)
    # the message is about something the person had before them
    offset = np.cumsum(total) - total
    row = offset[person] + (rng.random(m) * total[person]).astype(np.int64)
    product = events["product"][row].astype(np.int64)
    product = np.where(product < 0, (rng.random(m) * 180).astype(np.int64), product)
    second = np.minimum(
        events["second"][row] + (rng.random(m) * 9 * 86_400).astype(np.int64), 375 * 86_400
    )
    return {
        "person": person,
        "style": style.astype(np.int8),
        "intent": _misread(rng, intent, len(INTENTS), MISREAD["intent"]),
        "sentiment": _misread(
            rng, TEMPLATES["sentiment"][template], len(SENTIMENTS), MISREAD["sentiment"]
        ),
        "template": template,
        "product": product,
        "second": second,
        "greeting": rng.random(m),
        "closing": rng.random(m),
        "signs": rng.random(m) < np.array([0.45, 0.35, 0.75, 0.25])[style],
        "variant": np.where(
            rng.random(m) < _TYPO_SHARE[style],
            1 + (rng.random(m) * (_VARIANTS - 1)).astype(np.int64),
            0,
        ),
        "adds": rng.random(m) < ADDITION_SHARE,
        "filler": rng.random(m),
        "value": rng.random(m),
        "friend": rng.random(m),
    }


def _misread(rng, codes, size, share):
    """Return the labels with a share of them replaced by another one."""
    other = (codes + 1 + (rng.random(codes.size) * (size - 1)).astype(np.int64)) % size
    return np.where(rng.random(codes.size) < share, other, codes).astype(np.int8)


def write(drawn, first, full_name, email, phone, product_names):
    """Return the texts and their spans as JSON.

    Parameters
    ----------
    drawn : dict
        Value of the mechanism ``messages``.
    first, full_name, email, phone : pyarrow.Array
        Strings of the customers, one a customer.
    product_names : sequence of str
        Names of the products by position.

    Returns
    -------
    texts, spans : pyarrow.Array
        One a message; offsets count characters, the end is exclusive.
    """
    person, template, style = drawn["person"], drawn["template"], drawn["style"]
    m = person.size
    if not m:
        empty = pa.array([], pa.string())
        return empty, empty
    who = pa.array(person)

    def by_style(lists, u):
        size = np.array([len(lists[s]) for s in STYLES])
        base = np.cumsum(size) - size
        pool = [text for s in STYLES for text in lists[s]]
        return take(pool, base[style] + (u * size[style]).astype(np.int64))

    greeting = by_style(_GREETINGS, drawn["greeting"])
    product = take([name.lower() for name in product_names], drawn["product"])
    place = TEMPLATES["place"][template]
    kind = TEMPLATES["kind"][template]
    typed = template * _VARIANTS + drawn["variant"]
    blank = pa.nulls(m, pa.string()).fill_null("")
    before = join(
        greeting,
        take(TEMPLATES["a1"], typed),
        pc.if_else(pa.array(place == 0), product, blank),
        take(TEMPLATES["a2"], typed),
    )
    value = _personal(drawn, kind, email.take(who), phone.take(who), blank)
    after = join(
        take(TEMPLATES["b1"], typed),
        pc.if_else(pa.array(place == 1), product, blank),
        take(TEMPLATES["b2"], typed),
        pc.if_else(pa.array(drawn["adds"]), by_style(_ADDITIONS, drawn["filler"]), blank),
    )
    signs = pa.array(drawn["signs"])
    closing = pc.if_else(signs, by_style(_CLOSINGS, drawn["closing"]), blank)
    casual = pa.array((style == 1) | (style == 3))
    signature = pc.if_else(casual, first.take(who), full_name.take(who))
    signature = pc.if_else(signs, signature, blank)
    text = join(before, value, after, closing, signature)
    start = _lengths(before)
    end = start + _lengths(value)
    signed = end + _lengths(after) + _lengths(closing)
    one = _span(start, end, take([*KINDS, "name"], np.where(kind < 0, 0, kind)))
    two = _span(signed, signed + _lengths(signature), "name")
    has = pa.array(kind >= 0)
    inner = join(
        pc.if_else(has, one, blank),
        pc.if_else(pc.and_(has, signs), pa.scalar(", "), blank),
        pc.if_else(signs, two, blank),
    )
    return text, join("[", inner, "]")


def _personal(
    drawn: dict[str, np.ndarray],
    kind: np.ndarray,
    email: pa.Array,
    phone: pa.Array,
    value: pa.Array,
) -> pa.Array:
    """Return the personal value of the template's kind, where it has one."""
    pick = (drawn["value"] * len(pools.cards())).astype(np.int64)
    friends = [name for names in pools.first_names()[:2] for name in names]
    families = [name for group in pools.surnames() for name in group]
    friend = join(
        take(friends, (drawn["value"] * len(friends)).astype(np.int64)),
        take(families, (drawn["friend"] * len(families)).astype(np.int64)),
        separator=" ",
    )
    options = (email, phone, take(pools.cards(), pick), take(pools.ibans(), pick), friend)
    for number, option in enumerate(options):
        value = pc.if_else(pa.array(kind == number), option, value)
    return value


def _lengths(part: pa.Array) -> np.ndarray:
    return pc.utf8_length(part).to_numpy(zero_copy_only=False).astype(np.int64)


def _span(start: np.ndarray, end: np.ndarray, kind: pa.Array | str) -> pa.Array:
    """Return spans of personal data as JSON."""
    start, end = (pa.array(place).cast(pa.string()) for place in (start, end))
    return join('{"start": ', start, ', "end": ', end, ', "kind": "', kind, '"}')
