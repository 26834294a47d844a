"""A campaign that many of its mails speak against is paused, once for each reason; one that is well is not."""

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.flows import guarding, schedule
from campaigns.flows.sending import heeding
from campaigns.model.dialect import insert_many
from campaigns.model.mail import messages, runs
from campaigns.records import campaigns, history
from campaigns.values import CampaignState, EventKind, Fact, RunState
from tests.factories import NOW, a_campaign, a_run, a_topic

DEAD, REPORTED, REFUSED = (
    what for what in (guarding.LIMITS[1][2], guarding.LIMITS[0][2], guarding.LIMITS[2][2])
)
SAYS = {
    "hard": (EventKind.BOUNCED, {"hard": True, "class": "hard.address"}),
    "at once": (EventKind.FAILED, {"class": "hard.domain", "code": 550}),
    "soft": (EventKind.BOUNCED, {"hard": False, "class": "soft.full"}),
    "block": (EventKind.BOUNCED, {"hard": False, "class": "block.reputation"}),
    "odd": (EventKind.FAILED, {"code": 550}),
    "complaint": (EventKind.COMPLAINED, {"feedback": "abuse"}),
}  # fmt: skip


def a_going_run(session, mailed=1000, *, state="sent", **said):
    """A run under way of which so many were mailed, and so many of each sort came back, each twice."""
    campaign = a_campaign(session, topic=a_topic(session))
    run = a_run(session, campaign)
    campaigns.move(
        session, campaign, CampaignState.RUNNING, expected=list(CampaignState), actor="t", what="t", now=NOW
    )
    session.execute(
        sa.update(runs).where(runs.c.id == run).values(state=RunState.RUNNING.value, frozen_at=NOW)
    )
    rows = [(run, seq, 10_000 * run + seq, f"p{seq}@example.com", state) for seq in range(1, mailed + 1)]
    insert_many(session, messages, ("run_id", "seq", "contact_id", "address", "state"), rows)
    seq, facts, refused_at_once = 0, [], set()
    for name, count in said.items():
        kind, detail = SAYS[name.replace("_", " ")]
        at_once = kind is EventKind.FAILED
        for _ in range(count):
            seq += 1
            refused_at_once |= {seq} if at_once else set()
            facts += [
                Fact(kind, NOW, f"{name}:{run}:{seq}:{n}", None, None, run, seq, detail=dict(detail))
                for n in range(1 if at_once else 2)
            ]
    if state == "sent":
        taken = set(range(1, mailed + 1)) - refused_at_once
        facts += [Fact(EventKind.SENT, NOW, f"sent:{run}:{n}", None, None, run, n) for n in taken]
    history.record_many(session, facts)
    return campaign, run


def guard(session):
    return [why for run, why in guarding.suspects(session) if guarding.pause(session, NOW, run=run, why=why)]


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"hard": 40, "at_once": 30}, DEAD),
        ({"complaint": 7}, REPORTED),
        ({"block": 130}, REFUSED),
        ({"complaint": 9, "hard": 200}, REPORTED),
    ],
)
def test_a_campaign_that_harms_our_name_is_paused_and_says_why(session, said, what):
    campaign, run = a_going_run(session, **said)
    [why] = guard(session)
    many = sum(said.values()) if what != REPORTED else said["complaint"]
    assert why == f"{many} of 1000 mails of run {run} {what}"
    assert campaigns.get(session, campaign).state is CampaignState.PAUSED
    assert campaigns.get_run(session, run).state is RunState.PAUSED
    assert campaigns.log_lines(session, campaign)[0].what == f"paused: {why}"
    assert guard(session) == []


@pytest.mark.parametrize(
    "said",
    [
        {"hard": 50, "complaint": 3, "block": 90},  # at the limits: what chance explains
        {"soft": 900, "odd": 90},
        {"complaint": 6},
    ],
)
def test_a_campaign_that_does_well_goes_on(session, said):
    campaign, _ = a_going_run(session, **said)
    assert guard(session) == []
    assert campaigns.get(session, campaign).state is CampaignState.RUNNING


def test_of_few_mails_nothing_is_said(session):
    a_going_run(session, 199, hard=150)
    a_going_run(session, 1000, state="queued", hard=500)
    assert guard(session) == []


def test_whoever_resumes_it_is_asked_again_only_for_another_reason(session):
    campaign, run = a_going_run(session, hard=100)
    assert len(guard(session)) == 1
    schedule.resume(session, campaign, actor="ada", now=NOW)
    assert guard(session) == []
    complaints = [
        Fact(EventKind.COMPLAINED, NOW, f"c:{seq}", None, None, run, seq, detail={}) for seq in range(1, 9)
    ]
    history.record_many(session, complaints)
    assert [why.endswith(REPORTED) for why in guard(session)] == [True]


def test_a_sender_that_pauses_a_campaign_stops_its_next_run_too_though_it_is_not_frozen_yet(session):
    campaign, run = a_going_run(session)
    following = a_run(session, campaign, occurrence="next")
    heeding.pause(session, run, "all was refused", NOW)
    assert {campaigns.get_run(session, one).state for one in (run, following)} == {RunState.PAUSED}
    schedule.resume(session, campaign, actor="ada", now=NOW)
    assert campaigns.get_run(session, run).state is RunState.RUNNING
    assert campaigns.get_run(session, following).state is RunState.OPEN


def test_a_test_run_is_never_paused(session):
    _, run = a_going_run(session, hard=500)
    session.execute(sa.update(runs).where(runs.c.id == run).values(kind="test"))
    assert guard(session) == []


@pytest.mark.parametrize("limit", [one[0] for one in guarding.LIMITS])
@given(st.integers(guarding.FEWEST, 100_000))
@settings(max_examples=100, deadline=None)
def test_counting_ends_where_nothing_could_be_too_many_any_more(limit, count):
    most = guarding.most_mailed(count, limit)
    if most >= guarding.LEAST_MAILED:
        assert guarding.is_too_many(count, most - 1, limit) or most - 1 < guarding.LEAST_MAILED
    assert not guarding.is_too_many(count, most + 2, limit)


def test_mails_are_counted_no_further_than_it_takes_and_not_at_all_where_it_was_told(session, monkeypatch):
    counted = []

    def count(session, run, *, up_to):
        counted.append((up_to, mailed(session, run, up_to=up_to)))
        return counted[-1][1]

    mailed = guarding.harm.mailed
    monkeypatch.setattr(guarding.harm, "mailed", count)
    campaign, _ = a_going_run(session, 5000, complaint=4)
    assert guard(session) == []
    [(up_to, found)] = counted
    assert found == up_to < 600
    _, run = a_going_run(session, 400, complaint=9)
    assert guard(session) == [f"9 of 400 mails of run {run} {REPORTED}"]
    counted.clear()
    schedule.resume(session, campaigns.get_run(session, run).campaign_id, actor="ada", now=NOW)
    campaigns.move(
        session,
        campaign,
        CampaignState.PAUSED,
        expected=[CampaignState.RUNNING],
        actor="t",
        what="t",
        now=NOW,
    )
    campaigns.move_runs(session, campaign, RunState.PAUSED, expected=[RunState.RUNNING])
    assert guard(session) == []
    assert counted == []


def test_no_message_is_read_to_know_how_many_were_mailed(session):
    _, run = a_going_run(session, 300)
    asked = []

    def note(conn, cursor, statement, *_):
        asked.append(statement)

    sa.event.listen(session.get_bind(), "before_cursor_execute", note)
    try:
        assert guarding.harm.mailed(session, run, up_to=250) == 250
        assert guarding.harm.mailed(session, run, up_to=1000) == 300
    finally:
        sa.event.remove(session.get_bind(), "before_cursor_execute", note)
    assert len(asked) == 2
    assert not [one for one in asked if "messages" in one]


@pytest.mark.parametrize("limit", [one[0] for one in guarding.LIMITS])
@pytest.mark.parametrize("mailed", [200, 1000, 10_000, 1_000_000])
def test_what_chance_explains_pauses_nobody_and_twice_the_limit_does_where_there_are_enough(limit, mailed):
    assert not guarding.is_too_many(int(limit * mailed), mailed, limit)
    assert guarding.is_too_many(max(int(4 * limit * mailed) + 1, 3), mailed, limit)
