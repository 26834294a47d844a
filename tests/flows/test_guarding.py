"""A campaign that many of its mails speak against is paused, once for each reason; one that is well is not."""

import pytest
import sqlalchemy as sa

from campaigns.flows import guarding, schedule
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
    seq, facts = 0, []
    for name, count in said.items():
        kind, detail = SAYS[name.replace("_", " ")]
        for _ in range(count):
            seq += 1
            facts += [
                Fact(kind, NOW, f"{name}:{run}:{seq}:{n}", None, None, run, seq, detail=dict(detail))
                for n in (1, 2)
            ]
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


def test_a_test_run_is_never_paused(session):
    _, run = a_going_run(session, hard=500)
    session.execute(sa.update(runs).where(runs.c.id == run).values(kind="test"))
    assert guard(session) == []


@pytest.mark.parametrize("limit", [one[0] for one in guarding.LIMITS])
@pytest.mark.parametrize("mailed", [200, 1000, 10_000, 1_000_000])
def test_what_chance_explains_pauses_nobody_and_twice_the_limit_does_where_there_are_enough(limit, mailed):
    assert not guarding.is_too_many(int(limit * mailed), mailed, limit)
    assert guarding.is_too_many(max(int(4 * limit * mailed) + 1, 3), mailed, limit)
