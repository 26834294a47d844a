"""The doctor tells which lanes are held or slowed, why, until when, and what comes too late at their pace."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.config import from_environment
from campaigns.delivery.backoff_rules import rule_of
from campaigns.doctor.findings import Level
from campaigns.doctor.lanes import examine_lanes
from campaigns.model.mail import chunks, runs
from campaigns.records import lanes
from campaigns.records.lanes import EVERY_ACCOUNT, Limits, Signal
from campaigns.values import Outcome, OutcomeKind
from tests.flows.test_lanes import a_scheduled_run


@pytest.fixture
def look(stores, database_url, tmp_path):
    url = stores.engine.url.render_as_string(hide_password=False)
    here = from_environment({"POSTROOM_DATA": str(tmp_path), "POSTROOM_DATABASE_URL": url})

    def found():
        findings = list(examine_lanes(here, utc_now()))
        assert all(one.cure for one in findings if one.level is not Level.OK)
        return {one.check: (one.level.value, one.found) for one in findings}

    return found


def test_lanes_that_nothing_holds_are_well(look, stores):
    assert look() == {}
    with stores.sessions.begin() as session:
        lanes.start(session, {"main": True}, now=utc_now())
        lanes.set_limits(session, EVERY_ACCOUNT, "apple", Limits(60), actor="ada", now=utc_now())
    assert look() == {}
    with stores.sessions.begin() as session:
        lanes.set_limits(session, "main", "google", Limits(60), actor="ada", now=utc_now())
    assert look() == {"lanes": ("ok", "1 in use, none is held or slowed")}


def test_what_is_held_or_slowed_is_told_with_the_reason_and_the_end(look, stores):
    a_scheduled_run(stores, ["a@yahoo.com", "b@yahoo.com"])
    said = "[TSS04] Messages temporarily deferred"
    now = utc_now()
    with stores.sessions.begin() as session:
        for lane, text in (("yahoo", said), ("google", "too many connections")):
            rule = rule_of(Outcome(OutcomeKind.DEFERRED, 450, None, text))
            lanes.strike(session, "main", lane, Signal(rule, text), now=now)
        lanes.hold(session, "main", "gmx", "they called", until=None, actor="ada", now=now)
    found = look()
    level, told = found["lane yahoo of main"]
    assert level == "warn"
    assert told.startswith("held until 20")
    assert "2 mails wait: Yahoo TSS04" in told
    assert told.endswith(said)
    assert found["lane google of main"][1].startswith("slowed, at most 1500 a minute: too many connections")
    assert found["lane gmx of main"][1] == "held until somebody opens it: held by ada: they called"


def test_mail_that_a_lane_would_be_given_too_late_is_told(look, stores):
    a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(50)])
    with stores.sessions.begin() as session:
        lanes.set_limits(session, "main", "google", Limits(per_minute=1), actor="ada", now=utc_now())
    assert set(look()) == {"lanes"}
    with stores.sessions.begin() as session:
        session.execute(sa.update(runs).values(expires_at=utc_now() + timedelta(minutes=30)))
    assert look()["lane google of main: pace"][0] == "warn"
    with stores.sessions.begin() as session:
        lanes.set_limits(session, "main", "google", Limits(per_day=10), actor="ada", now=utc_now())
        session.execute(sa.update(runs).values(expires_at=utc_now() + timedelta(days=3)))
    assert (
        "takes 4.0 days, and some of it is worth nothing in 3.0 days"
        in look()["lane google of main: pace"][1]
    )
    with stores.sessions.begin() as session:
        session.execute(sa.update(chunks).values(state="done"))
    assert set(look()) == {"lanes"}
