"""TC strings: published vectors, malformed ones, round trips, and an independent reader."""

import contextlib
import datetime
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.consent import SignalError, tcf

# the example in the specification of v2.3
SPECIFIED = "CQSbk4AQSbk4ANwAAAENAwCgAAAAAAAAAAYgACPAAAAA.IDKQA4AAgAKAGQAygAAA.YAAAAAAAAAAA"


@pytest.fixture(scope="module")
def vectors(shared_data):
    return json.loads((shared_data / "consent_vectors.json").read_text(encoding="utf-8"))


def test_published_fields_are_equal(vectors):
    assert len(vectors["tcf_v2"]) >= 6
    for vector in vectors["tcf_v2"]:
        signal = tcf.decode(vector["tc_string"])
        for name, value in vector["published"].items():
            assert signal[name] == value, (vector["source"], name)
            assert getattr(signal, name) == value


def test_published_strings_are_written_back_letter_by_letter(vectors):
    for vector in vectors["tcf_v2"]:
        signal = tcf.decode(vector["tc_string"])
        assert tcf._write(signal) == vector["tc_string"]


def test_published_negatives_are_refused(vectors):
    assert len(vectors["negative"]) >= 6
    for vector in vectors["negative"]:
        with pytest.raises(SignalError) as error:
            tcf.decode(vector["s"])
        assert "\n" not in str(error.value)
        if vector["expect"].startswith("version=="):
            assert f"version {vector['expect'][9:]}" in str(error.value)
        if "version 47" in vector["expect"]:
            assert "version 47" in str(error.value)


def test_the_specification_s_example():
    signal = tcf.decode(SPECIFIED)
    assert signal.cmpId == 880
    assert signal.vendorsDisclosed
    assert signal.pubPurposesConsent == []
    # the example is padded further than it need be; the fields are what counts
    assert tcf.decode(tcf._write(signal)) == signal


def _restrict(purpose, kind, vendors=(2,)):
    return {"purposeId": purpose, "restrictionType": kind, "vendorIds": vendors}


IDS = st.lists(st.integers(1, 3000), max_size=40)


@st.composite
def signals(draw):
    policy = draw(st.sampled_from([2, 4, 5]))
    interest = [2, 7, 8, 9, 10, 11] if policy >= 4 else [2, 3, 4, 5, 6, 7]
    restricted = st.tuples(st.sampled_from([2, 7, 8, 12, 24]), st.integers(0, 2), IDS)
    consents, interests = draw(IDS), draw(IDS)
    fields = {
        "lastUpdated": draw(st.dates(datetime.date(2018, 5, 25), datetime.date(2180, 1, 1))),
        "cmpId": draw(st.integers(0, 4095)),
        "cmpVersion": draw(st.integers(0, 4095)),
        "consentScreen": draw(st.integers(0, 63)),
        "consentLanguage": draw(st.sampled_from(["EN", "DE", "ZZ"])),
        "vendorListVersion": draw(st.integers(0, 4095)),
        "tcfPolicyVersion": policy,
        "useNonStandardTexts": draw(st.booleans()),
        "specialFeatureOptIns": draw(st.lists(st.integers(1, 12))),
        "purposesConsent": draw(st.lists(st.integers(1, 24))),
        "purposesLITransparency": draw(st.lists(st.sampled_from(interest))),
        "purposeOneTreatment": draw(st.booleans()),
        "publisherCC": draw(st.sampled_from(["AA", "FR", "DE"])),
        "vendorConsents": consents,
        "vendorLegitimateInterests": interests,
        "vendorsDisclosed": [*draw(IDS), *consents, *interests],
        "publisherRestrictions": [
            _restrict(p, k, v)
            for p, k, v in draw(st.lists(restricted, max_size=3, unique_by=lambda one: one[0]))
        ],
    }
    if draw(st.booleans()):
        fields |= {
            "pubPurposesConsent": draw(st.lists(st.integers(1, 24))),
            "customPurposesConsent": draw(st.lists(st.integers(1, 5))),
            "numCustomPurposes": 5,
        }
    return fields


def same(value):
    return sorted(set(value)) if isinstance(value, list) else value


@settings(max_examples=60)
@given(fields=signals())
def test_what_is_written_is_read_back(fields):
    text = tcf.encode(fields)
    signal = tcf.decode(text)
    for name, value in fields.items():
        if name == "lastUpdated":
            assert signal.lastUpdated == f"{value.isoformat()}T00:00:00Z" == signal.created
        elif name == "publisherRestrictions":
            assert signal[name] == [{**r, "vendorIds": same(r["vendorIds"])} for r in value]
        else:
            assert signal[name] == same(value), name
    assert tcf.encode(signal) == text
    assert signal.problems == ()


@settings(max_examples=25)
@given(fields=signals())
def test_an_independent_reader_sees_the_same(fields):
    iab_tcf = pytest.importorskip("iab_tcf")
    ours = tcf.decode(tcf.encode(fields))
    theirs = iab_tcf.decode_v2(tcf.encode(fields))
    assert theirs.cmp_id == ours.cmpId
    assert theirs.cmp_version == ours.cmpVersion
    assert theirs.consent_screen == ours.consentScreen
    assert theirs.vendor_list_version == ours.vendorListVersion
    assert theirs.tcf_policy_version == ours.tcfPolicyVersion
    assert bytes(theirs.consent_language).decode() == ours.consentLanguage
    for number in range(1, 25):
        assert bool(theirs.is_purpose_allowed(number)) == (number in ours.purposesConsent)
    for vendor in {*ours.vendorConsents, 1, 3000}:
        assert bool(theirs.is_vendor_allowed(vendor)) == (vendor in ours.vendorConsents)
    for vendor in {*ours.vendorLegitimateInterests, 1, 3000}:
        assert bool(theirs.is_interest_allowed(vendor)) == (
            vendor in ours.vendorLegitimateInterests
        )


@settings(max_examples=300)
@given(
    text=st.one_of(
        st.text(max_size=80),
        st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.").map(
            lambda tail: "CO" + tail
        ),
    )
)
def test_garbage_is_refused_or_read_but_never_breaks(text):
    with contextlib.suppress(SignalError):
        assert tcf.decode(text).version == 2


@settings(max_examples=200)
@given(place=st.integers(0, 10**6), letter=st.sampled_from("AQgw7_-"), cut=st.booleans())
def test_a_damaged_string_is_refused_or_read_but_never_breaks(place, letter, cut):
    place %= len(SPECIFIED)
    damaged = SPECIFIED[:place] if cut else SPECIFIED[:place] + letter + SPECIFIED[place + 1 :]
    with contextlib.suppress(SignalError):
        assert tcf.decode(damaged).version == 2


def test_overlapping_ranges_cannot_fill_the_memory():
    from ethicalai_lab.consent.bits import BitReader, BitWriter

    writer = BitWriter()
    core = BitReader(tcf.encode(lastUpdated="2026-01-12", tcfPolicyVersion=4), "core")
    writer.parts.append(core.bits[:213])
    writer.number(65_535, 16, "max")
    writer.flag(True, 1, "range")
    writer.number(4_000, 12, "entries")
    for _ in range(4_000):
        writer.flag(True, 1, "range")
        writer.number(1, 16, "first")
        writer.number(65_535, 16, "last")
    writer.parts.append("0" * 29)
    assert len(tcf.decode(writer.text()).vendorConsents) == 65_535


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tcfPolicyVersion": 5, "vendorsDisclosed": None}, "v2.3 requires it"),
        ({"purposesLITransparency": [3]}, "consent only"),
        ({"purposesLITransparency": [1]}, "purpose 1 takes consent only"),
        ({"isServiceSpecific": False}, "invalid"),
        ({"lastUpdated": "2026-01-12T10:00:00"}, "only the day"),
        ({"created": "2026-01-11"}, "equal"),
        ({"vendorConsents": [1, 7]}, "vendorConsents sets 7, which vendorsDisclosed"),
        ({"vendorLegitimateInterests": [9]}, "sets 9, which vendorsDisclosed"),
        ({"publisherRestrictions": [_restrict(3, 2)]}, "purpose 3, which takes consent only"),
        ({"publisherRestrictions": [_restrict(2, 1), _restrict(2, 2)]}, "contradict themselves"),
        ({"purposesConsent": [25]}, "from 1 to 24"),
        ({"purposesConsent": "13"}, "list of whole numbers"),
        ({"vendorConsents": [0]}, "from 1 to 65535"),
        ({"vendorConsents": [True]}, "whole numbers"),
        ({"cmpId": 4096}, "0 to 4095"),
        ({"cmpId": -1}, "0 to 4095"),
        ({"consentLanguage": "ENG"}, "two letters"),
        ({"publisherCC": "1A"}, "two letters"),
        ({"useNonStandardTexts": 1}, "True or False"),
        ({"version": 1}, "version 2 is written"),
        ({"lastUpdated": None}, "missing"),
        ({"lastUpdated": "yesterday"}, "a time such as"),
        ({"lastUpdated": "1969-01-01"}, "from 1970"),
        ({"purposeConsents": [1]}, 'Did you mean "purposesConsent"'),
        ({"publisherRestrictions": [{"purposeId": 1, "restrictionType": 3, "vendorIds": ()}]}, "0"),
    ],
)
def test_what_breaks_format_or_rules_is_not_written(fields, message):
    good = {"lastUpdated": "2026-01-12", "vendorsDisclosed": [1]}
    assert tcf.encode(good)
    with pytest.raises(SignalError, match=message):
        tcf.encode({**good, **fields})


@pytest.mark.parametrize(
    "text",
    [None, 7, b"COty", SPECIFIED + ".IAAA", SPECIFIED + ".", SPECIFIED.split(".")[0] + ".gAAA"],
)
def test_other_malformed_strings(text):
    with pytest.raises(SignalError):
        tcf.decode(text)


@pytest.mark.parametrize(
    "given_day",
    [
        datetime.datetime(2026, 1, 12, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
        datetime.date(2026, 1, 12),
        "2026-01-12 01:00:00+01",
        "12 January 2026",
    ],
)
def test_a_string_s_day_is_read_as_every_date_is(given_day):
    text = tcf.encode(lastUpdated="2026-01-12", tcfPolicyVersion=4)
    assert tcf.encode(lastUpdated=given_day, tcfPolicyVersion=4) == text
    with pytest.raises(SignalError, match="2026-04-03 if the day comes first"):
        tcf.encode(lastUpdated="03.04.2026", tcfPolicyVersion=4)


# ---------------------------------------------------------------- may a vendor do it?

VENDOR = 2
# by hand from "what are publisher restrictions" of the specification: what the string carries
# (consent, interest), what the publisher restricts, and what follows
NO, C, LI = None, "consent", "legitimate_interest"
TRUTH = [
    ((True, True), None, C),
    ((True, False), None, C),
    ((False, True), None, LI),
    ((False, False), None, NO),
    ((True, True), 0, NO),  # forbidden whatever the string carries
    ((True, True), 1, C),
    ((True, False), 1, C),
    ((False, True), 1, NO),  # must not fall back on legitimate interest
    ((True, True), 2, LI),
    ((False, True), 2, LI),
    ((True, False), 2, NO),
]


def a_string(purpose=7, carries=(True, True), kinds=(), **fields):
    consent, interest = carries
    return tcf.TCString(
        **{
            "created": "2026-01-12T00:00:00Z",
            "lastUpdated": "2026-01-12T00:00:00Z",
            "purposesConsent": [purpose] if consent else [],
            "vendorConsents": [VENDOR] if consent else [],
            "purposesLITransparency": [purpose] if interest else [],
            "vendorLegitimateInterests": [VENDOR] if interest else [],
            "publisherRestrictions": [_restrict(purpose, kind, [VENDOR]) for kind in kinds],
            "vendorsDisclosed": [VENDOR],
            **fields,
        }
    )


@pytest.mark.parametrize(("carries", "kind", "basis"), TRUTH)
def test_a_vendor_may_do_what_string_and_publisher_allow(carries, kind, basis):
    kinds = () if kind is None else (kind,)
    signal = a_string(carries=carries, kinds=kinds)
    answer = tcf.may_process(signal, VENDOR, 7)
    assert (answer.basis, answer.permitted) == (basis, basis is not None)
    assert answer.because.endswith(".")
    # written and read again it says the same
    text = tcf.encode(signal)
    assert tcf.may_process(text, VENDOR, 7) == answer
    # and nobody else may do anything
    assert not tcf.may_process(signal, 3, 7).permitted
    # nor where only the purpose's bit, or only the vendor's, is set
    for name in ("purposesConsent", "purposesLITransparency"):
        half = a_string(carries=carries, kinds=kinds, **{name: []})
        answer = tcf.may_process(half, VENDOR, 7)
        assert answer.basis != (C if name == "purposesConsent" else LI)


@pytest.mark.parametrize(
    ("fields", "purpose", "permitted", "because"),
    [
        ({"vendorsDisclosed": [3]}, 7, False, "not disclosed"),
        ({"vendorsDisclosed": None}, 7, False, "which vendors were disclosed"),
        ({"vendorsDisclosed": None, "tcfPolicyVersion": 4}, 7, True, "carries"),
        ({"isServiceSpecific": False}, 7, False, "global scope"),
        ({"carries": (False, True)}, 4, False, "consent only"),
        ({"carries": (False, True), "tcfPolicyVersion": 2}, 4, True, "carries"),
        ({"carries": (False, True), "tcfPolicyVersion": 2}, 1, False, "consent only"),
        ({"kinds": (1, 2)}, 7, False, "both bases"),
        ({"kinds": (0, 1)}, 7, False, "does not allow"),
        ({"kinds": (2,)}, 3, False, "consent only"),
        (
            {"carries": (False, False), "purposeOneTreatment": True, "publisherCC": "DE"},
            1,
            False,
            "law of DE decides",
        ),
        ({"carries": (True, False), "purposeOneTreatment": True}, 1, True, "carries consent"),
    ],
)
def test_what_else_forbids(fields, purpose, permitted, because):
    answer = tcf.may_process(a_string(purpose, **fields), VENDOR, purpose)
    assert answer.permitted == permitted
    assert because in answer.because


@settings(max_examples=100)
@given(
    fields=signals(),
    vendors=st.lists(st.lists(st.integers(1, 4), max_size=4), min_size=2, max_size=2),
    shown=st.lists(st.integers(5, 9)),
    vendor=st.integers(1, 4),
    purpose=st.sampled_from([1, 2, 7, 8]),
)
def test_answers_rest_on_the_bits_another_reader_sees(fields, vendors, shown, vendor, purpose):
    iab_tcf = pytest.importorskip("iab_tcf")
    fields |= dict(zip(("vendorConsents", "vendorLegitimateInterests"), vendors, strict=True))
    fields["vendorsDisclosed"] = [*shown, *vendors[0], *vendors[1]]
    text = tcf.encode(fields)
    theirs = iab_tcf.decode_v2(text)
    carried = {
        C: theirs.is_purpose_allowed(purpose) and theirs.is_vendor_allowed(vendor),
        LI: theirs.has_purpose_legitimate_interest(purpose) and theirs.is_interest_allowed(vendor),
    }
    kinds = {
        one["restrictionType"]
        for one in fields["publisherRestrictions"]
        if one["purposeId"] == purpose and vendor in one["vendorIds"]
    }
    answer = tcf.may_process(text, vendor, purpose)
    allowed = {basis for basis, kind in ((C, 1), (LI, 2)) if carried[basis] and kinds <= {kind}}
    assert answer.permitted == bool(allowed)
    assert answer.basis in (allowed or {None})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vendor": 0}, "from 1 to 65,535"),
        ({"purpose": 12}, "from 1 to 11"),
        ({"purpose": True}, "purpose is True"),
        ({"signal": "COty"}, "TC string"),
    ],
)
def test_questions_that_do_not_fit_are_refused(options, message):
    with pytest.raises(SignalError, match=message):
        tcf.may_process(**{"signal": a_string(), "vendor": VENDOR, "purpose": 7, **options})
