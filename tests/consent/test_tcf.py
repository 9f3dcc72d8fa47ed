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
        assert tcf.encode(signal, strict=False) == vector["tc_string"]


def test_published_negatives_are_refused(vectors):
    assert len(vectors["negative"]) >= 6
    for vector in vectors["negative"]:
        with pytest.raises(SignalError) as error:
            tcf.decode(vector["s"])
        assert "\n" not in str(error.value)
        if vector["expect"].startswith("version=="):
            assert tcf.version(vector["s"]) == int(vector["expect"][9:])
            assert f"version {vector['expect'][9:]}" in str(error.value)
        if "version 47" in vector["expect"]:
            assert "version 47" in str(error.value)


def test_the_specification_s_example():
    signal = tcf.decode(SPECIFIED)
    assert signal.cmpId == 880
    assert signal.vendorsDisclosed
    assert signal.pubPurposesConsent == []
    # the example is padded further than it need be; the fields are what counts
    assert tcf.decode(tcf.encode(signal, strict=False)) == signal


IDS = st.lists(st.integers(1, 3000), max_size=40)


@st.composite
def signals(draw):
    policy = draw(st.sampled_from([2, 4, 5]))
    interest = [2, 7, 8, 9, 10, 11] if policy >= 4 else [2, 3, 4, 5, 6, 7]
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
        "vendorConsents": draw(IDS),
        "vendorLegitimateInterests": draw(IDS),
        "vendorsDisclosed": draw(IDS),
        "publisherRestrictions": [
            tcf.PublisherRestriction(p, k, tuple(v))
            for p, k, v in draw(
                st.lists(st.tuples(st.integers(1, 24), st.integers(0, 2), IDS), max_size=3)
            )
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
    return (
        sorted(set(value)) if isinstance(value, list) and value and value[0] is not None else value
    )


@settings(max_examples=60)
@given(fields=signals())
def test_what_is_written_is_read_back(fields):
    text = tcf.encode(fields)
    signal = tcf.decode(text)
    for name, value in fields.items():
        if name == "lastUpdated":
            assert signal.lastUpdated == f"{value.isoformat()}T00:00:00Z" == signal.created
        elif name == "publisherRestrictions":
            assert [(r.purposeId, r.restrictionType, list(r.vendorIds)) for r in value] == [
                (r.purposeId, r.restrictionType, list(r.vendorIds))
                for r in signal.publisherRestrictions
            ] or [sorted(set(r.vendorIds)) for r in value] == [
                list(r.vendorIds) for r in signal.publisherRestrictions
            ]
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
    from ethicalai_lab.consent._bits import BitReader, BitWriter

    writer = BitWriter()
    core = BitReader(tcf.encode(lastUpdated="2026-01-12", tcfPolicyVersion=4), "core")
    writer.raw(core.bits[:213])
    writer.integer(65_535, 16, "max")
    writer.flag(True, "range")
    writer.integer(4_000, 12, "entries")
    for _ in range(4_000):
        writer.flag(True, "range")
        writer.integer(1, 16, "first")
        writer.integer(65_535, 16, "last")
    writer.raw("0" * 29)
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
