"""Global Privacy Control, US Privacy and the Global Privacy Platform."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethicalai_lab.consent import SignalError, gpc, gpp, signals, tcf, usprivacy
from ethicalai_lab.consent.gpp import LAYOUTS, WITHOUT_GPC


@pytest.mark.parametrize(
    ("headers", "signal"),
    [
        ({"Sec-GPC": "1"}, True),
        ({"sec-gpc": "1"}, True),
        ({"SEC-GPC": b"1"}, True),
        ({b"Sec-GPC": b"1"}, True),
        ({"Sec-GPC": " 1\t"}, True),  # optional white space is no part of a field's value
        ([("Sec-GPC", "0"), ("Sec-GPC", "1")], True),
        ({"Sec-GPC": ["x", "1"]}, True),
        *[
            ({"Sec-GPC": value}, False)
            for value in (
                "0",
                "",
                "true",
                "1, 1",
                "01",
                "1.0",
                "?1",
                "11",
                "１",
                "yes",
                1,
                True,
                None,
            )
        ],
        ({"GPC": "1"}, False),
        ({"DNT": "1"}, False),
        ({}, False),
        ([], False),
    ],
)
def test_only_exactly_one_counts(headers, signal):
    assert gpc.read(headers) is signal


@given(value=st.text(max_size=6))
def test_any_other_value_is_as_if_absent(value):
    assert gpc.read({"Sec-GPC": value}) == (value.strip(" \t") == "1")


@pytest.mark.parametrize("headers", ["Sec-GPC: 1", 7, [("a", "b", "c")], ["ab"]])
def test_what_are_no_headers_is_refused(headers):
    with pytest.raises(SignalError):
        gpc.read(headers)


def test_a_signal_opts_out_of_sharing_and_of_nothing_else(ledger, event):
    import pandas as pd

    ledger.register(pd.DataFrame({"person": [1], "regime": ["ccpa"]}))
    at = "2025-06-01"
    assert ledger.permitted([1], "third_party_sharing", at)[0]
    ledger.record(gpc.opt_out_events(1, at, purposes=ledger.purposes))
    assert not ledger.permitted([1], "third_party_sharing", at)[0]
    assert ledger.permitted([1], "personalization", at)[0]  # use in the same context
    assert len(ledger.history(1)) == 1


@pytest.mark.parametrize("text", ["1YNN", "1---", "1NYN", "1YYY"])
def test_us_privacy_strings_round_trip(text):
    read = usprivacy.decode(text)
    assert usprivacy.encode(read.notice, read.optOutSale, read.lspaCovered) == text
    assert read.opted_out == (text[2] == "Y")


@pytest.mark.parametrize("text", ["", "1YN", "1YNNN", "2YNN", "1XNN", "1Y N", None, 1, "xYNN"])
def test_malformed_us_privacy_strings_are_refused(text):
    with pytest.raises(SignalError):
        usprivacy.decode(text)


# strings and fields published in the tests of the IAB's own reference implementation
NAT2 = {
    **dict.fromkeys(
        (
            *("SharingNotice", "SaleOptOutNotice", "SharingOptOutNotice"),
            *("TargetedAdvertisingOptOutNotice", "SensitiveDataProcessingOptOutNotice"),
            *("SensitiveDataLimitUseNotice", "SaleOptOut", "SharingOptOut"),
            *("TargetedAdvertisingOptOut", "PersonalDataConsents", "MspaCoveredTransaction"),
            "MspaOptOutOptionMode",
        ),
        1,
    ),
    "SensitiveDataProcessing": [2, 1, 0] * 5 + [2],
    "KnownChildSensitiveDataConsents": [2, 1, 0],
    "MspaServiceProviderMode": 2,
    "Gpc": True,
}
SENSITIVE = [2, 1, 0, 2, 1, 0, 2, 1, 0, 1, 2]
CHILD = [2, 1, 0, 2, 1]
STATES = {
    "usca": ("BVWSSSVY.YA", 9, [2, 1]),
    "usva": ("BVWSSVY", 8, 1),
    "usco": ("BVWSSVg.YA", 7, 1),
    "usut": ("BVVkklWA", 8, 1),
    "usct": ("BVWSSZFg.YA", 8, CHILD[:3]),
    "usfl": ("BVWSSZlY", 8, [2, 1, 2]),
    "usmt": ("BVWSSZFY.YA", 8, CHILD[:3]),
    "usor": ("BVWSSRpFYA.YA", 11, CHILD[:3]),
    "ustx": ("BVWSSVWA.YA", 8, 1),
    "usde": ("BVWSSSSVYA.YA", 9, CHILD),
    "usia": ("BVVkklWA.YA", 8, 1),
    "usne": ("BVWSSVWA.YA", 8, 1),
    "usnh": ("BVWSSZFY.YA", 8, CHILD[:3]),
    "usnj": ("BVWSSRklWA.YA", 10, CHILD),
    "ustn": ("BVWSSVWA.YA", 8, 1),
    "usmn": ("BVWSSVWA.YA", 8, 1),
}


@pytest.mark.parametrize("name", STATES)
def test_published_state_sections(name):
    text, sensitive, child = STATES[name]
    fields = gpp.decode_section(name, text)
    for key, value in fields.items():
        if key == "SensitiveDataProcessing":
            assert value == SENSITIVE[:sensitive]
        elif key == "KnownChildSensitiveDataConsents":
            assert value == child
        elif key == "MspaServiceProviderMode":
            assert value == 2
        elif key == "Gpc":
            assert value is True
        else:
            assert value == 1, key
    assert ("Gpc" in fields) == (name not in WITHOUT_GPC)
    assert gpp.encode_section(name, fields) == text


def test_published_national_sections():
    assert gpp.encode_section("usnat", NAT2) == "CVVVkkkkkpFY.YA"
    assert gpp.decode_section("usnat", "CVVVkkkkkpFY.YA") == {"Version": 2, **NAT2}
    first = gpp.decode_section("usnat", "BAAAVVVVUQA.QA")
    assert first["Version"] == 1
    assert first["SensitiveDataProcessing"] == [1] * 12
    assert first["KnownChildSensitiveDataConsents"] == [1, 1]
    short = gpp.decode_section("usnat", "CVQqAAAACg")
    assert (short["SharingOptOut"], short["MspaCoveredTransaction"]) == (2, 2)
    assert short["PersonalDataConsents"] == 2


ALL = (
    "DBACOcGA~CPSG_8APSG_8ANwAAAENAAFgAAAAAAAAAAAAAAAAAAAA.IAAA.YAAAAAAAAAAA~BPSG_8APSG_8AAAAAAENAA"
    "CAAAAAAAAAAAAAAAAAAA.YAAAAAAAAAA~1---~BAAAAAAAAABA.QA~BAAAAABA.QA~BAAAABA~BAAAAEA.QA~BAAAAAQA~"
    "BAAAAAEA.QA~BAAAAABA~BAAAAABA.QA~BAAAAAABAA.QA~BAAAAAQA.QA~BAAAAAABAA.QA~BAAAAAQA.QA~BAAAAAQA.Q"
    "A~BAAAAABA.QA~BAAAAAAAQA.QA~BAAAAAQA.QA~BAAAAAQA.QA~BQAA.QA~BQAA.AAA~BQAA.AAA~BQAA.AAA"
)


def test_a_string_with_every_section():
    signal = gpp.decode(ALL)
    assert signal.sectionIds == (2, 5, *range(6, 28))
    assert list(signal.raw) == list(gpp.SECTIONS.values())
    read = [name for name in signal.raw if name not in ("tcfcav1", "usmd", "usin", "usky", "usri")]
    for name in read:
        assert signal.section(name) is not None
    for name in set(signal.raw) - set(read):
        with pytest.raises(SignalError, match="handed on but not read"):
            signal.section(name)
    assert not signal.opted_out
    assert gpp.encode(signal.raw) == ALL


@pytest.mark.parametrize(
    ("header", "ids"),
    [("DBABM", (2,)), ("DBACNY", (2, 6)), ("DBABjw", (5, 6)), ("DBAA", ()), ("DBABMA", (2,))],
)
def test_the_specification_s_headers(header, ids):
    signal = gpp.decode("~".join([header, *["1---"] * len(ids)]))
    assert signal.sectionIds == ids


def test_tcf_travels_in_gpp():
    core = "CPSG_8APSG_8ANwAAAENAwCgAAAAAAAAAAYgACPAAAAA.IDKQA4AAgAKAGQAygAAA.YAAAAAAAAAAA"
    signal = gpp.decode(f"DBABMA~{core}")
    assert signal.section("tcfeuv2") == tcf.decode(core)
    assert gpp.encode({"tcfeuv2": core}) == f"DBABMA~{core}"


def test_opting_out_is_seen_wherever_it_is_said():
    for sections in (
        {"uspv1": "1YYN"},
        {"usca": {"SharingOptOut": 1}},
        {"usva": {"TargetedAdvertisingOptOut": 1}},
        {"usnat": {"Gpc": True}},
    ):
        assert gpp.decode(gpp.encode(sections)).opted_out
    assert not gpp.decode(gpp.encode({"usca": {"SharingOptOut": 2, "Gpc": False}})).opted_out


@settings(max_examples=80)
@given(
    data=st.data(), which=st.sampled_from([(name, v) for name in LAYOUTS for v in LAYOUTS[name]])
)
def test_sections_round_trip(data, which):
    name, version = which
    fields = {"Version": version}
    for key, count in LAYOUTS[name][version].items():
        low = 1 if key == "MspaCoveredTransaction" else 0
        value = data.draw(st.lists(st.integers(low, 2), min_size=count, max_size=count))
        fields[key] = value if count > 1 or key == "SensitiveDataProcessing" else value[0]
    if name not in WITHOUT_GPC and data.draw(st.booleans()):
        fields["Gpc"] = data.draw(st.booleans())
    text = gpp.encode_section(name, fields)
    assert gpp.decode_section(name, text) == fields
    assert gpp.decode(gpp.encode({name: text})).section(name) == fields


@pytest.mark.parametrize(
    "text",
    ["", None, "invalid gpp string", "DBABM", "DBABM~a~b", "CBABM~a", "D", "DBABB~x", "=~", "DB\n"],
)
def test_malformed_gpp_strings_are_refused(text):
    with pytest.raises(SignalError):
        gpp.decode(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("usca", "z"),
        ("usca", ""),
        ("usca", "BVWSSSVY.YA.YA"),
        ("usca", "BVWSSSVY.gA"),
        ("usca", "BVWSSSVZ"),
        ("usca", "DVWSSSVY"),
        ("usva", "BVWSSVY.YA"),
        ("usxx", "BVWSSVY"),
        ("usmd", "BQAA"),
    ],
)
def test_malformed_sections_are_refused(name, text):
    with pytest.raises(SignalError):
        gpp.decode_section(name, text)


@pytest.mark.parametrize(
    "fields",
    [
        {"SaleOptOut": 3},
        {"SaleOptOut": True},
        {"SaleOptout": 1},
        {"SensitiveDataProcessing": [0]},
        {"MspaCoveredTransaction": 0},
        {"Version": 9},
        {"Gpc": 1},
        7,
    ],
)
def test_wrong_fields_are_refused(fields):
    with pytest.raises(SignalError):
        gpp.encode_section("usca", fields)


def test_unknown_sections_are_named():
    with pytest.raises(SignalError, match="usxx"):
        gpp.encode({"usxx": "B"})
    with pytest.raises(SignalError, match="it holds uspv1"):
        gpp.decode("DBABTA~1YNN").section("usca")


# ---------------------------------------------------------------- any of them, by its form


@pytest.mark.parametrize(
    ("text", "name", "field", "value"),
    [
        ("Sec-GPC: 1", "Global Privacy Control", "optOut", True),
        ("sec-gpc:0", "Global Privacy Control", "optOut", False),
        (" 1YYN\n", "US Privacy string", "optOutSale", "Y"),
        ("COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA", "TC string", "purposesConsent", [2, 10]),
        ("DBABTA~1YNN", "GPP string", "version", 1),
    ],
)
def test_a_signal_is_known_by_its_form(text, name, field, value):
    told = signals.decode(text)
    assert told["signal"] == name
    assert told[field] == value


def test_a_carrier_s_sections_are_told_apart():
    told = signals.decode(ALL)["sections"]
    assert told["tcfeuv2"]["cmpId"] == 880
    assert told["uspv1"]["notice"] == "-"
    assert told["usca"]["Gpc"] is False
    assert told["usmd"] == "BQAA.QA"  # handed on as it is


@pytest.mark.parametrize("text", ["", "hello", "Sec-GPC", "DNT: 1", "CO", "Dx", "12", 7, None])
def test_what_is_no_signal_is_refused(text):
    with pytest.raises(SignalError) as error:
        signals.decode(text)
    assert "\n" not in str(error.value)
