import numpy as np
import pandas as pd
import pytest

from ethicalai_lab.consent import ConsentLedger, Purposes

NOW = pd.Timestamp("2026-01-12")


@pytest.fixture(scope="session")
def purposes():
    return Purposes.default()


@pytest.fixture
def ledger():
    with ConsentLedger(None, now=NOW) as made:
        yield made


@pytest.fixture(scope="session")
def event():
    """One event with sensible values for what a test does not care about."""

    def make(person=1, purpose="analytics", action="grant", time="2025-03-01", **others):
        return {
            "person": person,
            "purpose": purpose,
            "action": action,
            "time": time,
            "notice_version": "2025-1",
            "source": "banner",
            "regime": "gdpr",
            **others,
        }

    return make


@pytest.fixture(scope="session")
def many_events(purposes):
    """Random events of few people, so that stamps and answers collide often."""

    def make(seed, n=200, n_people=12, affirmative=False):
        rng = np.random.default_rng(seed)
        regime = rng.choice(["gdpr", "ccpa", "other"], n)
        names = np.array(purposes.asked("ccpa"))
        sources = ["banner", "preference_centre", "email_link", "parental"]
        if not affirmative:
            sources += ["terms", "pre_ticked", "import"]
        days = rng.integers(0, 90, n)
        return pd.DataFrame(
            {
                "person": rng.integers(1, n_people + 1, n),
                "purpose": rng.choice(names, n),
                "action": rng.choice(
                    ["grant", "refuse", "withdraw", "object", "opt_out"],
                    n,
                    p=[0.5, 0.1, 0.15, 0.15, 0.1],
                ),
                "time": pd.Timestamp("2025-06-01") + pd.to_timedelta(days, unit="D"),
                "notice_version": "2025-1",
                "source": rng.choice(sources, n),
                "regime": regime,
            }
        )

    return make
