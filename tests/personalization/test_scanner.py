"""The scanner of personal data: published numbers, properties, and each group of writers."""

import itertools
import re
import string

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.errors import InputError
from ethicalai_lab.personalization.scanner import (
    KINDS,
    Span,
    iban_is_valid,
    luhn_is_valid,
    redact,
    scan,
    scanner_report,
)

# Card numbers that payment networks publish for tests.
CARDS = [
    "4111111111111111",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "6011111111111117",
    "3530111333300000",
]
# Examples of the ISO 13616 registry.
IBANS = [
    "GB29NWBK60161331926819",
    "DE89370400440532013000",
    "FR1420041010050500013M02606",
    "NL91ABNA0417164300",
    "NO9386011117947",
    "MT84MALT011000012345MTLCAST001S",
    "CH9300762011623852957",
    "ES9121000418450200051332",
]


def found(text, **options):
    return [(span.kind, text[span.start : span.end]) for span in scan(text, **options)]


@pytest.mark.parametrize("number", CARDS)
def test_published_cards_are_valid_and_found(number):
    assert luhn_is_valid(number)
    grouped = " ".join(re.findall("....|.+", number))
    for text in (number, grouped, grouped.replace(" ", "-")):
        assert found(f"refund to {text} please") == [("card", text)]
        assert redact(f"card {text}.") == "card [CARD]."


@pytest.mark.parametrize("number", CARDS)
def test_one_wrong_digit_is_never_a_card(number):
    # Luhn's formula notices each single wrong digit
    for place in range(len(number)):
        wrong = number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]
        assert not luhn_is_valid(wrong)
        assert ("card", wrong) not in found(f"order {wrong}")


@pytest.mark.parametrize("code", IBANS)
def test_published_ibans_are_valid_and_found(code):
    grouped = " ".join(re.findall("..?.?.?", code))
    for text in (code, grouped, code.lower()):
        assert iban_is_valid(text)
        assert found(f"my account is {text}, thanks") == [("iban", text)]


@pytest.mark.parametrize("code", IBANS)
def test_a_wrong_iban_is_none(code):
    for place in range(4, len(code)):
        if code[place].isdigit():
            wrong = code[:place] + str((int(code[place]) + 1) % 10) + code[place + 1 :]
            assert not iban_is_valid(wrong)
    assert not iban_is_valid(code[:-1])
    assert not iban_is_valid("ZZ" + code[2:])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to jo.fox+shop@mail.example.org.", [("email", "jo.fox+shop@mail.example.org")]),
        ("jo at example dot com", [("email", "jo at example dot com")]),
        ("jo (at) example.com", [("email", "jo (at) example.com")]),
        ("call +44 7700 900123 today", [("phone", "+44 7700 900123")]),
        ("ring me on (555) 010-0123", [("phone", "(555) 010-0123")]),
        ("my number is 0170 5550123", [("phone", "0170 5550123")]),
        ("order 20251204-77 of 2025-12-04", []),
        ("invoice 4471120953", []),
        ("it costs 49.90 or 1.249,00", []),
        ("My name is Ada Byron and I wait", [("name", "Ada Byron")]),
        ("my name is ada byron, thanks", [("name", "ada byron")]),
        ("Dear Mrs. O'Hara-Smith, hello", [("name", "O'Hara-Smith")]),
        ("Kind regards, Zoë van der Berg", [("name", "Zoë van der Berg")]),
        ("This is urgent. Thanks, team", []),
        ("Thank you sincerely. Respectfully, Ann Lee", [("name", "Ann Lee")]),
        ("see you at home", []),
    ],
)
def test_what_is_found(text, expected):
    assert found(text) == expected


# independent, simpler detectors: what must be gone after redaction
def _valid_cards(text):
    for run in re.findall(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])", text):
        digits = re.sub("[ -]", "", run)
        total = sum(sum(divmod(int(d) * (1 + i % 2), 10)) for i, d in enumerate(reversed(digits)))
        if total % 10 == 0 and digits[0] in "3456" and 13 <= len(digits) <= 19:
            yield run


def _valid_ibans(text):
    for run in re.findall(r"\b[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}\b", text):
        value = "".join(str(int(c, 36)) for c in run[4:] + run[:4])
        if int(value) % 97 == 1 and iban_is_valid(run):
            yield run


_EMAIL = re.compile(r"[a-z0-9]+@[a-z0-9]+\.[a-z]{2,}")

_piece = st.one_of(
    st.sampled_from(
        [
            *CARDS,
            *IBANS,
            *("a@b.example", "jo.fox@example.com", "+1 202 555 0143", "my name is "),
            *("Ada Byron", "thanks, ", "regards ", " ", " ", "\n", ", ", ". ", "@", "-", "4"),
            *("[EMAIL]", "4111 1111 1111 1111", "GB29 NWBK 6016 1331 9268 19"),
        ]
    ),
    st.text(alphabet=string.ascii_letters + string.digits + " .,@+-()[]ÄéЖ\n", max_size=8),
)


@given(st.lists(_piece, max_size=12).map("".join))
@settings(max_examples=300)
def test_redaction_leaves_nothing_valid_and_spans_lie_within(text):
    spans = scan(text)
    assert spans == sorted(spans)
    for span in spans:
        assert 0 <= span.start < span.end <= len(text)
        assert span.kind in KINDS
    for left, right in itertools.pairwise(spans):
        assert left.end <= right.start
    clean = redact(text)
    assert scan(clean) == []
    assert not list(_valid_cards(clean))
    assert not list(_valid_ibans(clean))
    assert not _EMAIL.search(clean)
    assert redact(clean) == clean


@given(st.text(max_size=60))
@settings(max_examples=200)
def test_any_text_is_scanned(text):
    for span in scan(text):
        assert text[span.start : span.end].strip()


# ------------------------------------------------------------------ planted spans


@pytest.fixture(scope="module")
def report(world):
    return scanner_report(world.messages)


def test_checked_kinds_are_found_nearly_always(report):
    table = report.by_kind.set_index("kind")
    for kind in ("email", "phone", "card", "iban"):
        assert table.loc[kind, "recall"] > 0.95, kind
        assert table.loc[kind, "precision"] > 0.98, kind


def test_names_are_missed_more_for_casual_writers(report, world):
    names = report.by_group[report.by_group["kind"] == "name"].set_index("language_style")
    assert names.loc["terse", "recall_high"] < names.loc["formal", "recall_low"]
    leaks = report.leaks.set_index("language_style")
    assert leaks.loc["formal", "high"] < leaks.loc["terse", "low"]


def test_report_counts_by_hand():
    messages = pd.DataFrame(
        {
            "text": ["mail a@b.example", "I met Ada", "thanks, Bob Roe"],
            "spans": [
                '[{"start": 5, "end": 16, "kind": "email"}]',
                '[{"start": 6, "end": 9, "kind": "name"}]',
                "[]",
            ],
            "language_style": ["plain", "plain", "terse"],
        }
    )
    report = scanner_report(messages)
    names = report.by_kind.set_index("kind").loc["name"]
    assert (names["planted"], names["found"], names["true_positives"]) == (1, 1, 0)
    assert (names["precision"], names["recall"]) == (0, 0)
    leaks = report.leaks.set_index("language_style")
    assert leaks.loc["all", ["messages", "value"]].tolist() == [2, 0.5]
    assert "terse" not in leaks.index  # nobody wrote tersely about anybody


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: scan(5), "text is 5"),
        (lambda: scanner_report(pd.DataFrame({"text": ["x"]})), "spans"),
        (
            lambda: scanner_report(
                pd.DataFrame({"text": ["x"], "spans": ["{"], "language_style": ["a"]})
            ),
            "row 0",
        ),
        (
            lambda: scanner_report(
                pd.DataFrame(
                    {
                        "text": ["x"],
                        "spans": ['[{"start": 0, "end": 5, "kind": "name"}]'],
                        "language_style": ["a"],
                    }
                ),
            ),
            "5",
        ),
    ],
)
def test_bad_input_is_named(call, word):
    with pytest.raises(InputError, match=word):
        call()


def test_span_orders_by_place():
    assert sorted([Span(4, 5, "name"), Span(1, 2, "card")])[0].kind == "card"


# ------------------------------------------------------------------ scripts, blanks, formats


@pytest.mark.parametrize(
    "address",
    [
        "müller@example.de", "ada@müller-example.de", "иван@пример.рф", "用户@例子.公司",
        "jo.müller+shop@post.example.org", "ada@xn--mller-example-osb.de", "ada@example.xn--p1ai",
        "mu\u0308ller@example.de", "अजय@डाटा.भारत", "o'hara@example.ie",
    ],
)  # fmt: skip
def test_an_address_of_any_script_is_found_whole(address):
    for text in (f"mail {address}, please", f"<{address}>", f"({address}).", f"„{address}“"):
        assert ("email", address) in found(text)
        assert address.split("@")[0] not in redact(text)
    assert found("write to jo at müller-example dot de") == [
        ("email", "jo at müller-example dot de")
    ]


@pytest.mark.parametrize("blank", ["\u00a0", "\u202f", "\u2007", "\u2009", "\u200b", "\u2011", "-"])
@pytest.mark.parametrize(
    ("kind", "groups"),
    [
        ("card", "4111 1111 1111 1111"),
        ("iban", "DE89 3704 0044 0532 0130 00"),
        ("phone", "0170 555 0123"),
        ("phone", "+49 30 555 0123"),
    ],
)
def test_numbers_are_found_whatever_groups_them(kind, groups, blank):
    written = groups.replace(" ", blank)
    assert found(f"please use {written} now") == [(kind, written)]
    assert redact(f"use {written}.") == f"use [{kind.upper()}]."


def test_digits_of_other_scripts_are_digits():
    card = "".join(chr(0x0660 + int(d)) for d in CARDS[0])
    assert found(f"x {card} y") == [("card", card)]
    assert luhn_is_valid("4111\u00a01111\u202f1111 1111")
    assert iban_is_valid("DE89\u00a03704 0044 0532 0130 00")


@pytest.mark.parametrize(
    "text",
    [
        "2026-06-02 20:17", "Ordered on 31.03.2025 14:05 Uhr", "sizes 36 38 40 42 44",
        "sizes 0 2 4 6 8 10 12", "UK sizes 04 06 08 10 12", "On 2018-01-14 03:07:41 it rang",
        "between 2026-06-02 20:17 and 2026-06-03 21:18:00.250", "12/31/2025, 11:59",
        "31.03.2025-02.04.2025", "2025-12-04T10:15:00", "open 09:00 - 18:30", "31.03.25 at 08:15",
        "from 10:00 12.06.2025 to 11:00 13.06.2025", "order 4471 120953", "SSN: 054-28-6917",
        "driver's license number is 6940579", "my passport number 031 195 8550",
        "social security number is 853-37-1694", "order number: 20251204 1234", "12 x 24 x 36 48",
        "36-38 40-42 44-46", "article no. 055 501 0123", "version 10.0.19.45", "see std::vector",
    ],
)  # fmt: skip
def test_dates_times_sizes_and_order_numbers_are_nothing(text):
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("call 555-010-1234x321 today", "555-010-1234x321"),
        ("fax +1-903-555-0108x769", "+1-903-555-0108x769"),
        ("(898)555-0121x0135", "(898)555-0121x0135"),
        ("259.555.0102 ext. 45", "259.555.0102 ext. 45"),
        ("call 555 010 1234 extension 7, please", "555 010 1234 extension 7"),
        ("Ordered on 31.03.2025 14:05, call 0170 5550123", "0170 5550123"),
        ("at 14:05 0170 5550123 rang", "0170 5550123"),
        ("appelez le 01.02.03.04.05", "01.02.03.04.05"),
        ("appelez le 06 12 34 56 78", "06 12 34 56 78"),
        ("lost my card, call 555 010 1234", "555 010 1234"),
        ("order late, phone 5550 1234 please", "5550 1234"),
    ],
)
def test_phones_beside_dates_and_with_extensions(text, number):
    assert found(text) == [("phone", number)]
    assert redact(text) == text.replace(number, "[PHONE]")


@pytest.mark.parametrize(
    "address",
    [
        "192.0.2.17", "203.0.113.255", "2001:db8::1", "2001:DB8:85a3:0:0:8a2e:370:7334", "::1",
        "::ffff:192.0.2.128", "fe80::1ff:fe23:4567:890a",
    ],
)  # fmt: skip
def test_internet_addresses_are_found(address):
    for text in (f"blocked {address} today", f"client_ip=|{address}|", f"from {address}."):
        assert found(text) == [("ip", address)]
        assert redact(text) == text.replace(address, "[IP]")


@pytest.mark.parametrize(
    "text", ["1.2.3.4.5", "256.1.1.1", "v1.2.3.4", "01.02.03.04", "20:17:05", "a::b", "1:2:3"]
)
def test_what_only_looks_like_an_internet_address_is_none(text):
    assert "ip" not in [kind for kind, _ in found(f"see {text} there")]


# Numbers made up after the formats of public synthetic texts; each satisfies Luhn's formula.
@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("What is the limit for card 501234567890?", None),
        ("card number {} is lost", "630400000000"),  # Maestro, twelve digits
        ("the last billed amount for cc {} on my", "503800000005"),
        ("please block card no {}", "676200000005"),
        ("increase the limit on my card # {} for", "587400000002"),
        ("won on credit card {} transactions", "060400000000"),  # an issuer of no network
        ("my credit card {} has been stolen", "180000000000002"),  # JCB, fifteen digits
        ("withdraw cash with {}", "213100000000001"),
        ("my card: {}", "4222222222222"),  # Visa, thirteen digits
    ],
)
def test_cards_of_old_and_rare_formats(text, number):
    if number is None:
        assert "card" not in dict(found(text))  # Luhn's formula fails
        return
    assert luhn_is_valid(number)
    assert found(text.format(number)) == [("card", number)]
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert "card" not in dict(found(text.format(wrong)))


def test_twelve_digits_are_a_card_only_where_the_text_says_so():
    assert found("order 503800000005") == []
    assert found("503800000005 arrived") == []
