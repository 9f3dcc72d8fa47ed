"""Mechanism of the customers' messages, with exact spans of the personal data in them."""

# A mechanism's docstring describes its node in the graph.

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ethicalai_lab.world import pools
from ethicalai_lab.world.arrays import choose, join, take
from ethicalai_lab.world.causal import mechanism, stream

__all__: list[str] = []

STYLES = ("plain", "informal", "formal", "terse")
INTENTS = (
    "order_status",
    "return_request",
    "complaint",
    "product_question",
    "praise",
    "unsubscribe_request",
    "data_request",
)
SENTIMENTS = ("negative", "neutral", "positive")
KINDS = ("email", "phone", "card", "iban", "name")

GREETINGS = {
    "plain": ("Hello, ", "Good morning, ", "Hi there, ", "Hello team, "),
    "informal": ("hey! ", "hiya, ", "yo, ", "heya folks, "),
    "formal": ("Dear Sir or Madam, ", "To whom it may concern: ", "Dear customer service, "),
    "terse": ("", "", "Re order. ", "Question. "),
}
# (style or None for all, intent, sentiment, text before the slot, kind of slot, text after)
_TEMPLATES = """
plain|order_status|neutral|my {product} has not arrived yet. Could you write to |email| when it is on its way?
plain|order_status|neutral|when will the {product} be delivered? You can reach me at |phone| in the afternoon.
plain|order_status|negative|the {product} is a week late and nobody answers. Please call |phone| today.
plain|order_status|neutral|could you tell me where my parcel with the {product} is?||
informal|order_status|neutral|any news on my {product}? ping me at |email| pls
informal|order_status|negative|sooo where's my {product}?? been waiting ages, call me |phone| ok?
informal|order_status|neutral|did the {product} ship yet? cheers||
formal|order_status|neutral|I should be grateful for information on the delivery of the {product}; kindly reply to |email|.
formal|order_status|negative|I regret that the {product} announced for last week has still not been delivered. I may be reached under |phone|.
formal|order_status|neutral|would you be so kind as to inform me of the status of my order of the {product}?||
terse|order_status|neutral|{product} - where? |email|
terse|order_status|negative|{product} late. call |phone|
terse|order_status|neutral|status of {product}?||
plain|return_request|neutral|I would like to send the {product} back. Please refund to |iban|, thank you.
plain|return_request|negative|the {product} does not fit and I want my money back on card |card| this week.
plain|return_request|neutral|how can I return the {product}? It was a gift for |name|, who has one already.
informal|return_request|neutral|gonna return the {product}, its too small. money to |iban| thx
informal|return_request|negative|the {product} is rubbish tbh, put the cash back on |card| asap
informal|return_request|neutral|can i swap the {product} for a bigger one?||
formal|return_request|neutral|I hereby withdraw from the purchase of the {product} and request a refund to the account |iban|.
formal|return_request|negative|as the {product} does not match its description, I must insist on a refund to card |card|.
formal|return_request|neutral|please send the return label for the {product} to |email|.
terse|return_request|neutral|return {product}, refund |iban|
terse|return_request|neutral|return label for {product} please||
terse|return_request|negative|wrong size {product}. refund card |card| now
plain|complaint|negative|the {product} broke after two days. I am very disappointed, please call |phone|.
plain|complaint|negative|you charged me twice for the {product}. The card is |card| and I want it corrected.
plain|complaint|negative|I spoke with |name| about the faulty {product} and nothing has happened since.
informal|complaint|negative|not happy!! the {product} fell apart, what a joke. mail me |email|
informal|complaint|negative|u guys took money twice from |card| for one {product}, seriously?
informal|complaint|negative|the {product} smells weird and support ghosted me, so annoying||
formal|complaint|negative|I wish to complain formally about the {product}, which arrived damaged. I expect your answer at |email|.
formal|complaint|negative|despite the assurance given by |name|, the defective {product} has not been replaced.
formal|complaint|negative|the invoice for the {product} is wrong; the amount is to be returned to |iban| without delay.
terse|complaint|negative|{product} broken on arrival. |phone|
terse|complaint|negative|charged twice, card |card|, {product}
terse|complaint|negative|bad quality {product}, not acceptable||
plain|product_question|neutral|is the {product} also available in green, and does it fit a small room?||
plain|product_question|neutral|does the {product} come with a guarantee? Please answer to |email|.
plain|product_question|positive|the {product} looks lovely. Is it suitable for my friend |name|, who has allergies?
informal|product_question|neutral|quick q: does the {product} work outdoors? text me |phone|
informal|product_question|positive|omg love the {product}, do u have it in blue??||
informal|product_question|neutral|whats the {product} made of btw?||
formal|product_question|neutral|may I enquire whether the {product} is manufactured within Europe? I can be contacted at |email|.
formal|product_question|neutral|could you kindly state the dimensions of the {product}?||
formal|product_question|positive|I have read with pleasure of the {product} and should like advice by telephone on |phone|.
terse|product_question|neutral|{product}: size?||
terse|product_question|neutral|{product} in stock? answer |email|
terse|product_question|positive|nice {product}. other colours?||
plain|praise|positive|thank you for the quick delivery, the {product} is wonderful!||
plain|praise|positive|the {product} is even better than I hoped, and |name| from your shop was very helpful.
plain|praise|positive|I am very pleased with the {product}. You may quote me, write to |email| first.
informal|praise|positive|the {product} rocks, best thing ever, thanks guys||
informal|praise|positive|shoutout to |name| who helped me pick the {product}, you rule
informal|praise|positive|so happy with the {product}!! my mate wants one too, his mail is |email| haha
formal|praise|positive|I should like to express my satisfaction with the {product} and with the service of |name|.
formal|praise|positive|the {product} is of excellent quality, for which I thank you sincerely.||
formal|praise|positive|please convey my thanks for the {product}; I would gladly confirm this by telephone at |phone|.
terse|praise|positive|great {product}, thanks||
terse|praise|positive|{product} perfect. ask for |name| again next time
terse|praise|positive|very good {product}. 5 stars||
plain|unsubscribe_request|neutral|please take |email| off your mailing list, I no longer want the newsletter.
plain|unsubscribe_request|negative|I get far too many e-mails about the {product}. Stop writing to |email|.
plain|unsubscribe_request|negative|please do not call |phone| any more, I did not agree to advertising.
informal|unsubscribe_request|negative|enough with the {product} spam!! take |email| off ur list
informal|unsubscribe_request|neutral|pls unsubscribe me, the {product} mails are not for me||
informal|unsubscribe_request|negative|stop texting |phone|, for real
formal|unsubscribe_request|neutral|I object to the use of my address |email| for direct marketing.
formal|unsubscribe_request|negative|despite my objection I was again called on |phone| about the {product}. I ask you to cease.
formal|unsubscribe_request|neutral|I kindly ask to be removed from all mailing lists.||
terse|unsubscribe_request|neutral|unsubscribe |email|
terse|unsubscribe_request|negative|no more mails about {product}. stop.||
terse|unsubscribe_request|negative|stop calling |phone|
plain|data_request|neutral|which data do you hold about me? Please send a copy to |email|.
plain|data_request|neutral|please delete my account and the saved card |card|.
plain|data_request|negative|why do you know that I looked at the {product}? I want all my data deleted.||
informal|data_request|neutral|can u delete my data pls, account is |email|
informal|data_request|negative|how do u even know i want a {product}? creepy, delete everything||
informal|data_request|neutral|what do you guys store about me? send it to |email|
formal|data_request|neutral|pursuant to my right of access I request a copy of my personal data, to be sent to |email|.
formal|data_request|neutral|I request the erasure of the bank details |iban| from your records.
formal|data_request|negative|I did not consent to the transfer of my number |phone| to third parties and demand an explanation.
terse|data_request|neutral|send my data to |email|
terse|data_request|neutral|delete card |card|
terse|data_request|negative|delete all my data, now||
"""


# further sentences that say something about another matter: real messages are not tidy
_FILLERS = {
    "plain": (
        " I have been a customer for years.",
        " The delivery of my last order was quick, thank you.",
        " My last parcel arrived damaged, by the way.",
        " I also looked at another one on your website.",
        " It was meant as a present.",
        " I wrote to you last week already.",
        " Otherwise I am happy with your shop.",
        " I returned something once before and it was easy.",
        " Your newsletter said it would be in stock.",
        " I do not want to wait much longer.",
        " Please let me know what I have to do.",
        " I am not sure whether this is the right address.",
    ),
    "informal": (
        " .. love ur shop tho",
        " .. last parcel was super late lol",
        " .. sry for all the mails",
        " .. also saw a nice one on insta",
        " .. was for my mum",
        " .. ur newsletter said it's in stock?",
        " .. sent one back before, was easy",
        " .. cant wait any longer honestly",
        " .. no idea if im right here",
        " .. keep it up!",
    ),
    "formal": (
        " I have been a satisfied customer for many years.",
        " A previous delivery reached me damaged.",
        " I refer to my letter of last week.",
        " The item was intended as a gift.",
        " I would ask you to treat this matter with priority.",
        " According to your newsletter the article is available.",
        " Please confirm receipt of this message.",
        " Should a return be necessary, kindly inform me of the procedure.",
    ),
    "terse": (
        ". Second message.",
        ". Was a gift.",
        ". Long-time customer.",
        ". Last order was late too.",
        ". Newsletter said in stock.",
        ". Please reply.",
        ". Otherwise all good.",
    ),
}
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
    fields = [line.split("|") for line in _TEMPLATES.strip().split("\n")]
    style = np.array([STYLES.index(f[0]) for f in fields])
    intent = np.array([INTENTS.index(f[1]) for f in fields])
    kind = np.array([KINDS.index(f[4]) if f[4] else -1 for f in fields])
    before = [f[3].split("{product}") for f in fields]
    after = [f[5].split("{product}") for f in fields]
    # the product may stand before or after the personal value, or not at all
    place = np.array(
        [0 if len(b) == 2 else 1 if len(a) == 2 else 2 for b, a in zip(before, after, strict=True)]
    )
    return {
        "style": style,
        "intent": intent,
        "sentiment": np.array([SENTIMENTS.index(f[2]) for f in fields], dtype=np.int8),
        "kind": kind.astype(np.int8),
        "place": place,
        "a1": _variants([b[0] for b in before]),
        "a2": _variants([b[1] if len(b) == 2 else "" for b in before]),
        "b1": _variants([a[0] for a in after]),
        "b2": _variants([a[1] if len(a) == 2 else "" for a in after]),
    }


TEMPLATES = _parse()


def _asides() -> dict[str, tuple[str, ...]]:
    """Return, by style, sentences that ask for something else: the first matter counts."""
    opening = {
        "plain": " Also, ",
        "informal": " .. and ",
        "formal": " Furthermore, ",
        "terse": ". ",
    }
    made: dict[str, tuple[str, ...]] = {}
    for number, style in enumerate(STYLES):
        texts = []
        for row in np.flatnonzero((TEMPLATES["style"] == number) & (TEMPLATES["kind"] < 0)):
            place, at = TEMPLATES["place"][row], row * _VARIANTS
            body = TEMPLATES["a1"][at] + ("other thing" if place == 0 else "")
            texts.append(opening[style] + body + TEMPLATES["a2"][at])
        made[style] = _FILLERS[style] + tuple(texts)
    return made


_ADDITIONS = _asides()
_CLOSINGS = {
    "plain": (" Thanks, ", " Best wishes, ", " Kind regards, "),
    "informal": (" cheers, ", " thx ", " xo "),
    "formal": (" Yours faithfully, ", " Respectfully, ", " With kind regards, "),
    "terse": (" ", " - ", " / "),
}


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

    greeting = by_style(GREETINGS, drawn["greeting"])
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
    pick = (drawn["value"] * len(pools.cards())).astype(np.int64)
    friends = [*pools.FEMALE_NAMES, *pools.MALE_NAMES]
    families = [name for group in pools.surnames() for name in group]
    friend = join(
        take(friends, (drawn["value"] * len(friends)).astype(np.int64)),
        take(families, (drawn["friend"] * len(families)).astype(np.int64)),
        separator=" ",
    )
    value = blank
    options = (
        email.take(who),
        phone.take(who),
        take(pools.cards(), pick),
        take(pools.ibans(), pick),
        friend,
    )
    for number, option in enumerate(options):
        value = pc.if_else(pa.array(kind == number), option, value)
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

    def lengths(part):
        return pc.utf8_length(part).to_numpy(zero_copy_only=False).astype(np.int64)

    start = lengths(before)
    end = start + lengths(value)
    second_start = end + lengths(after) + lengths(closing)
    second_end = second_start + lengths(signature)

    def number(values):
        return pa.array(values).cast(pa.string())

    names = take([*KINDS, "name"], np.where(kind < 0, 0, kind))
    one = join('{"start": ', number(start), ', "end": ', number(end), ', "kind": "', names, '"}')
    two = join(
        '{"start": ', number(second_start), ', "end": ', number(second_end), ', "kind": "name"}'
    )
    has = pa.array(kind >= 0)
    both = pc.and_(has, signs)
    inner = join(
        pc.if_else(has, one, blank),
        pc.if_else(both, pa.scalar(", "), blank),
        pc.if_else(signs, two, blank),
    )
    return text, join("[", inner, "]")
