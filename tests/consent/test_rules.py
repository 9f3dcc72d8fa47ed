"""The consent rules a second time, from the documented rules alone, one question at a time."""

import dataclasses
import datetime

import numpy as np
import pandas as pd
import pytest

from ethicalai_lab.consent import ConsentAssistant, ConsentLedger, Purposes

PURPOSES = Purposes.default()
ASKED = PURPOSES.asked("ccpa")
HEALTH, SHARING = "health_personalization", "third_party_sharing"
NOW = pd.Timestamp("2026-01-12")
SOURCES = [
    *("banner", "preference_centre", "email_link", "parental", "signed_form", "support"),
    *("terms", "pre_ticked", "inactivity", "import"),
]
SENSITIVE = [p for p in ASKED if any(PURPOSES.categories[d].sensitive for d in PURPOSES[p].data)]


@dataclasses.dataclass
class Someone:
    """What a house knows of a person."""

    born: datetime.date | None = None
    places: list = dataclasses.field(default_factory=list)  # (since or None, regime)
    events: list = dataclasses.field(default_factory=list)  # dictionaries
    erased_noes: set = dataclasses.field(default_factory=set)

    def lives(self, when):
        here = [p for p in self.places if p[0] is None or p[0] <= when]
        return max(here, key=lambda p: p[0] or pd.Timestamp.min)[1] if here else None

    def younger(self, years, when):
        if self.born is None:
            return False
        day = when.date()
        birthday = (day.month, day.day) >= (self.born.month, self.born.day)
        return day.year - self.born.year - (not birthday) < years


class House:
    """The rules of `ConsentLedger.permitted`, of Purposes and of the law, said plainly."""

    def __init__(self, default, child_age):
        self.default, self.child_age = default, child_age
        self.people = {}

    def someone(self, person):
        return self.people.setdefault(person, Someone())

    def laws_of_event(self, who, event, switch):
        lives = who.lives(event["time"])
        if switch:
            return {switch} if who.places else {switch, self.default}
        return {event["regime"]} | ({lives} if lives else set())

    def has_force(self, who, purpose, event, law):
        if event["action"] != "grant":
            return True  # a no always counts
        if event["source"] in ("terms", "pre_ticked", "inactivity", "import"):
            return False  # no affirmative act
        explicit = event["source"] in ("preference_centre", "signed_form", "parental")
        if law == "gdpr" and purpose in SENSITIVE and not explicit:
            return False
        if event["source"] == "parental":
            return True
        return not who.younger(13 if law == "ccpa" else self.child_age, event["time"])

    def answers(self, who, purpose, at, switch):
        """Return (time, yes or no) of everything said with force about a purpose."""
        for event in who.events:
            if event["time"] > at:
                continue
            laws = self.laws_of_event(who, event, switch)
            objects = event["action"] == "object" and "gdpr" in laws
            reached = {event["purpose"]}
            if objects:  # direct marketing: also the profiling that serves it
                reached |= set(PURPOSES[event["purpose"]].objection_covers)
            if purpose in reached and all(self.has_force(who, purpose, event, law) for law in laws):
                yield event["time"], event["action"] == "grant"

    def silence(self, who, purpose, at, law):
        if law == "gdpr":
            return False  # every purpose one is asked about needs a yes there
        child = who.younger(self.child_age, at)
        under_16 = who.younger(16, at)
        if law == "other":
            return purpose not in SENSITIVE and not child
        if PURPOSES[purpose].sale_or_sharing:
            return not under_16
        return not (purpose in SENSITIVE and (child or under_16))

    def permitted(self, person, purpose, at, switch=None):
        who = self.someone(person)
        said = list(self.answers(who, purpose, at, switch))
        if said:
            last = max(time for time, _ in said)
            return all(yes for time, yes in said if time == last)
        if purpose in who.erased_noes:
            return False  # a no outlives an erasure
        if switch:
            laws = {switch} if who.places else {switch, self.default}
        else:
            laws = {who.lives(at) or self.default}
        return all(self.silence(who, purpose, at, law) for law in laws)

    def erase(self, person, at):
        who = self.someone(person)
        noes = set()
        for purpose in ASKED:
            said = list(self.answers(who, purpose, at, None))
            if said:
                if not self.permitted(person, purpose, at):
                    noes.add(purpose)
            elif purpose in who.erased_noes:
                noes.add(purpose)
        self.people[person] = Someone(erased_noes=noes)


def random_events(rng, n, first, days):
    for _ in range(n):
        yield {
            "person": int(rng.integers(1, 15)),
            "purpose": str(rng.choice(ASKED)),
            "action": str(
                rng.choice(
                    ["grant", "refuse", "withdraw", "object", "opt_out"], p=[0.6, *[0.1] * 4]
                )
            ),
            "time": first + pd.Timedelta(days=int(rng.integers(0, days))),
            "notice_version": "2025-1",
            "source": str(rng.choice(SOURCES)),
            "regime": str(rng.choice(["gdpr", "ccpa", "other"])),
        }


def record(ledger, house, events):
    taken = []
    for event in events:
        who = house.someone(event["person"])
        back = event["purpose"] in who.erased_noes and event["action"] == "grant"
        if back and event["source"] == "import":
            continue  # refused by the ledger, see test_ledger
        taken.append(event)
        who.events.append(event)
    ledger.record(taken)


def lived(seed):
    """Return a ledger and a house that have lived through the same random two years."""
    rng = np.random.default_rng(seed)
    default = str(rng.choice(["gdpr", "gdpr", "ccpa", "other"]))
    child_age = int(rng.choice([13, 14, 16, 18]))
    clock = [pd.Timestamp("2025-01-01")]
    house = House(default, child_age)
    ledger = ConsentLedger(None, now=lambda: clock[0], default_regime=default, child_age=child_age)
    for person in range(1, 15):
        if rng.random() < 0.7:
            born = None
            if rng.random() < 0.7:
                years, days = int(rng.choice([8, 12, 13, 14, 15, 16, 17, 40])), rng.integers(0, 700)
                born = (pd.Timestamp(2026 - years, 1, 1) - pd.Timedelta(days=int(days))).date()
            register(ledger, house, person, str(rng.choice(["gdpr", "ccpa", "other"])), born=born)
    half = list(random_events(rng, 70, pd.Timestamp("2024-06-01"), 215))
    record(ledger, house, half)
    clock[0] = pd.Timestamp("2025-03-01 10:00")
    for person in rng.choice(np.arange(1, 15), 4, replace=False).tolist():
        if house.someone(person).places or house.someone(person).events:
            ledger.erase(person)
            house.erase(person, clock[0])
    for person in rng.choice(np.arange(1, 15), 6, replace=False).tolist():  # some move
        since = None if rng.random() < 0.5 else pd.Timestamp("2024-11-05 12:00")
        place = str(rng.choice(["gdpr", "ccpa", "other"]))
        register(ledger, house, person, place, since=since, now=clock[0])
    clock[0] = NOW
    record(ledger, house, list(random_events(rng, 70, pd.Timestamp("2025-01-01"), 300)))
    return ledger, house, rng


def register(ledger, house, person, place, *, born=None, since=None, now=None):
    row = {"person": person, "regime": place, "birth_date": born, "since": since}
    ledger.register(pd.DataFrame([row]).astype({"birth_date": object, "since": "M8[us]"}))
    who = house.someone(person)
    who.born = born or who.born
    if since is not None:
        who.places = [p for p in who.places if p[0] is None or p[0] < since] + [(since, place)]
    elif not who.places:
        who.places = [(None, place)]
    elif who.lives(now) != place:
        who.places.append((now, place))


def random_questions(rng, house, n):
    stamps = [e["time"] for who in house.people.values() for e in who.events]
    at = pd.Timestamp("2024-05-01") + pd.to_timedelta(rng.integers(0, 620 * 24, n), unit="h")
    at = at.to_series().reset_index(drop=True)
    exact = np.flatnonzero(rng.random(n) < 0.4)  # at an event's very moment, or just before
    at[exact] = [stamps[i] for i in rng.integers(0, len(stamps), exact.size)]
    at[exact] -= pd.to_timedelta(rng.integers(0, 2, exact.size), unit="us")
    return rng.integers(1, 17, n), rng.choice(ASKED, n), at


@pytest.mark.parametrize("seed", range(26))
def test_every_random_question_is_answered_as_the_rules_say(seed):
    ledger, house, rng = lived(seed)
    with ledger:
        for switch, n in ((None, 500), ("gdpr", 100), ("ccpa", 100), ("other", 100)):
            people, purposes, at = random_questions(rng, house, n)
            answer = ledger.permitted(people, purposes, at, regime=switch)
            expected = [
                house.permitted(p, name, t, switch)
                for p, name, t in zip(people.tolist(), purposes, at, strict=True)
            ]
            wrong = np.flatnonzero(answer != expected)
            assert not wrong.size, (switch, people[wrong], purposes[wrong], at[wrong].tolist())
            assert 0 < np.mean(expected) < 1  # the questions tell the rules apart


@pytest.mark.parametrize("seed", range(4))
def test_reasons_agree_with_the_answers(seed):
    ledger, house, _ = lived(seed)
    with ledger:
        for person in range(1, 16):
            for switch in (None, "ccpa"):
                for row in ledger.choices(person, NOW, regime=switch).itertuples():
                    if not row.asked or row.purpose not in ASKED:
                        continue
                    said = list(house.answers(house.someone(person), row.purpose, NOW, switch))
                    assert row.permitted == house.permitted(person, row.purpose, NOW, switch)
                    silent = "until you say no" in row.because
                    assert silent == (row.permitted and not said)
                    assert row.because.startswith("You said yes") == (row.permitted and bool(said))


@pytest.mark.parametrize("seed", range(3))
def test_an_event_without_force_changes_no_answer(seed):
    ledger, house, rng = lived(seed)
    questions = random_questions(rng, house, 800)
    switches = (None, "gdpr", "ccpa", "other")
    with ledger:
        before = [ledger.permitted(*questions, regime=switch) for switch in switches]
        void = [
            {**event, "action": "grant", "source": str(rng.choice(["terms", "pre_ticked"]))}
            for event in random_events(rng, 200, pd.Timestamp("2024-06-01"), 500)
        ]
        ledger.record(void)
        after = [ledger.permitted(*questions, regime=switch) for switch in switches]
    assert np.array_equal(before, after)


def people(*rows):
    return pd.DataFrame(rows, columns=["person", "regime", "birth_date"])


@pytest.mark.parametrize("law", ["gdpr", "ccpa", "other"])
@pytest.mark.parametrize("switch", [None, "gdpr", "ccpa", "other"])
def test_a_ticked_box_gives_strangers_no_other_law(ledger, event, law, switch):
    ticked = event(purpose=HEALTH, source="pre_ticked", regime=law)
    ledger.record(ticked)
    assert not ledger.permitted([1], HEALTH, NOW, regime=switch)[0]
    told = ledger.choices(1, regime=switch).set_index("purpose").loc[HEALTH]
    assert not told["permitted"]
    assert "nothing without a yes" in told["because"]


@pytest.mark.parametrize("child_age", [13, 16, 18])
def test_californian_ages_are_fixed_and_small_children_have_parents(event, child_age):
    ages = {8: 1, 14: 2, 17: 3}
    with ConsentLedger(None, now=NOW, child_age=child_age) as ledger:
        ledger.register(people(*[(p, "ccpa", f"{2025 - a}-06-01") for a, p in ages.items()]))
        # unasked: from 16 on, whatever age a state in Europe has chosen
        assert ledger.permitted([1, 2, 3], SHARING, NOW).tolist() == [False, False, True]
        for purpose in (SHARING, HEALTH):
            ledger.record(
                [
                    event(p, purpose=purpose, regime="ccpa", source="preference_centre")
                    for p in ages.values()
                ]
            )
            assert ledger.permitted([1, 2, 3], purpose, NOW).tolist() == [False, True, True]
        ledger.record(event(1, purpose=HEALTH, regime="ccpa", source="parental"))
        assert ledger.permitted([1], HEALTH, NOW)[0]


@pytest.mark.parametrize(
    ("later", "rest_months"),
    [({"source": "import"}, 12), ({"source": "terms"}, 1), ({"action": "refuse"}, 1), (None, 0)],
)
def test_nothing_shortens_the_rest_after_an_opt_out(ledger, event, later, rest_months):
    ledger.register(people((1, "ccpa", None)))
    sharing = {"purpose": SHARING, "regime": "ccpa"}
    ledger.record(event(action="opt_out", time="2025-06-01", **sharing))
    if later:
        ledger.record(event(time="2025-06-02", **sharing, **later))
    assistant = ConsentAssistant(ledger, rest_months=rest_months)
    asked = {at: assistant.may_ask([1], SHARING, at)[0] for at in ("2025-07-01", "2026-01-12")}
    assert not any(asked.values())
    assert assistant.may_ask([1], SHARING, "2026-06-03")[0]
    # who said yes again, and no again, rests from the last no on
    ledger.record(event(time="2025-08-01", source="banner", **sharing))
    ledger.record(event(action="withdraw", time="2025-10-01", **sharing))
    assert not assistant.may_ask([1], SHARING, "2026-06-03")[0]


def test_who_moves_keeps_the_past(event):
    clock = [pd.Timestamp("2025-01-10")]
    with ConsentLedger(None, now=lambda: clock[0]) as ledger:
        ledger.register(people((1, "gdpr", "1980-01-01"), (2, "ccpa", None)))
        clock[0] = NOW
        last_year = pd.date_range("2024-12-01", "2025-12-31", freq="17D")
        before = [ledger.permitted([p] * 24, SHARING, last_year) for p in (1, 2)]
        assert not before[0].any()
        assert before[1].all()
        ledger.register(people((1, "ccpa", None), (2, "gdpr", None)))
        after = [ledger.permitted([p] * 24, SHARING, last_year) for p in (1, 2)]
        assert np.array_equal(before, after)
        assert ledger.permitted([1, 2], SHARING, NOW).tolist() == [True, False]
        # the day may be told, and what is told again changes nothing
        clock[0] = pd.Timestamp("2026-06-01")
        ledger.register(pd.DataFrame({"person": [1], "regime": ["other"], "since": ["2026-03-01"]}))
        ledger.register(people((1, "other", None)))
        health = ledger.permitted([1, 1], HEALTH, ["2026-02-28 23:59", "2026-03-01"])
        assert health.tolist() == [True, False]
        with pytest.raises(ValueError, match="since lies in the future"):
            ledger.register(
                pd.DataFrame({"person": [1], "regime": ["ccpa"], "since": ["2027-01-01"]})
            )


def test_who_moves_is_as_old_as_before(event):
    with ConsentLedger(None, now=NOW) as ledger:
        ledger.register(people((1, "gdpr", "2012-05-01")))
        ledger.register(people((1, "ccpa", None)))
        assert not ledger.permitted([1], SHARING, NOW)[0]


def test_a_move_is_kept_in_the_file(tmp_path):
    path = tmp_path / "l.duckdb"
    with ConsentLedger(path, now="2025-01-01") as ledger:
        ledger.register(people((1, "gdpr", None)))
    with ConsentLedger(path, now=NOW) as ledger:
        ledger.register(people((1, "ccpa", None)))
    with ConsentLedger(path, now=NOW) as ledger:
        at = ["2025-06-01", "2026-01-12"]
        assert ledger.permitted([1, 1], SHARING, at).tolist() == [False, True]


def test_a_withdrawal_with_an_ambiguous_date_is_never_lost(ledger, event):
    ledger.record(event(time="2025-02-01"))
    with pytest.raises(ValueError, match=r"05\.03\.2025"):
        ledger.record(event(action="withdraw", time="05.03.2025"))
    # of a whole column there is one order of day and month
    days = ["05.03.2025", "25.03.2025"]
    ledger.record([event(p, action="withdraw", time=t) for p, t in zip((1, 2), days, strict=True)])
    assert not ledger.permitted([1], "analytics", "2025-03-15")[0]
