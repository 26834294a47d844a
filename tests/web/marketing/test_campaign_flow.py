"""A campaign through its pages: made, filled, checked, scheduled, sent, stopped, put away."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.model.mail import messages, runs
from campaigns.records import campaigns, segments, senders
from campaigns.values import CampaignState, RunState, Sender
from tests.factories import NOW, a_contact, a_run


def test_from_an_empty_list_to_a_mail_that_is_sent(desktop):
    assert "No campaign yet" in desktop.get("/campaigns/")
    number = desktop.create()
    desktop.post(
        f"/campaigns/{number}/who",
        topic_id=desktop.topic,
        segment_id=desktop.segment,
        cap_count="3",
        cap_days="7",
    )
    desktop.post(
        f"/campaigns/{number}/what", template_id=desktop.template, sender_id=desktop.sender, tracking="1"
    )
    desktop.post(f"/campaigns/{number}/when", schedule="now", time_zone="Europe/Berlin", per_minute="600")
    campaign = desktop.campaign(number)
    assert (campaign.cap_count, campaign.cap_days, campaign.per_minute, campaign.tracking) == (
        3,
        7,
        600,
        True,
    )
    review = desktop.get(f"/campaigns/{number}/review")
    assert "Send it to 3 people?" in review
    assert "have not agreed to this topic" in review
    assert "Hello" in review
    page = desktop.post(f"/campaigns/{number}/schedule", counted="3")
    assert "It goes out now" in page
    asked = re.search(r'hx-get="(/campaigns/\d+/progress\?until=begun)" hx-trigger="every 2s"', page)
    answer = desktop.client.get(asked[1])
    assert "about to go out" in answer.get_data(as_text=True)
    assert asked[1] in answer.get_data(as_text=True)
    assert "HX-Refresh" not in answer.headers
    desktop.tick()
    assert desktop.client.get(asked[1]).headers["HX-Refresh"] == "true"
    assert "It is going out." in desktop.get(f"/campaigns/{number}")
    assert "0 of 3" in desktop.get(f"/campaigns/{number}/progress")
    desktop.send()
    desktop.tick()
    assert desktop.campaign(number).state is CampaignState.FINISHED
    assert desktop.client.get(f"/campaigns/{number}/progress").headers["HX-Refresh"] == "true"
    assert "Every message has its outcome." in desktop.get(f"/campaigns/{number}")


def test_a_run_is_paused_resumed_and_cancelled_from_its_page(desktop):
    number = desktop.create()
    desktop.fill(number)
    desktop.post(f"/campaigns/{number}/schedule", counted="3")
    desktop.tick()
    for act, state, run in (
        ("pause", CampaignState.PAUSED, RunState.PAUSED),
        ("resume", CampaignState.RUNNING, RunState.RUNNING),
        ("cancel", CampaignState.CANCELLED, RunState.CANCELLED),
    ):
        page = desktop.post(f"/campaigns/{number}/{act}")
        assert 'hx-trigger="every 2s"' in page  # what was on its way is still being counted
        assert desktop.campaign(number).state is state
        with desktop.stores.readers() as session:
            assert [one.state for one in campaigns.runs_of(session, number)] == [run]
    desktop.tick()
    desktop.send()
    with desktop.stores.readers() as session:
        assert set(session.scalars(sa.select(messages.c.state))) == {"skipped"}
        assert [line.what for line in campaigns.log_lines(session, number)][-2:] == [
            "scheduled for "
            + session.scalar(sa.select(runs.c.opened_at)).strftime("%Y-%m-%d %H:%M")
            + " UTC",
            "created",
        ]


def test_what_the_state_forbids_is_said_and_changes_nothing(desktop):
    number = desktop.create()
    for act in ("pause", "resume", "cancel", "unschedule"):
        assert "That cannot be done now: the campaign is a draft." in desktop.post(
            f"/campaigns/{number}/{act}"
        )
        assert desktop.campaign(number).state is CampaignState.DRAFT


def test_a_scheduled_campaign_is_read_only_until_it_is_taken_back(desktop):
    number = desktop.create()
    desktop.fill(number, schedule="at", starts_at=utc_now() + timedelta(days=2))
    desktop.post(f"/campaigns/{number}/schedule", counted="3")
    page = desktop.get(f"/campaigns/{number}")
    assert "Take it back to draft to change it." in page
    assert "<select" not in page
    assert "the campaign is scheduled." in desktop.post(
        f"/campaigns/{number}/who", topic_id="", segment_id=""
    )
    assert "the campaign is scheduled." in desktop.post(f"/campaigns/{number}/who", 409, part=True)
    assert desktop.campaign(number).topic_id == desktop.topic
    desktop.post(f"/campaigns/{number}/unschedule")
    assert desktop.campaign(number).state is CampaignState.DRAFT


def test_a_deleted_campaign_is_gone_from_every_page_but_its_report(desktop):
    number = desktop.create("Old letter")
    desktop.fill(number)
    with desktop.stores.sessions.begin() as session:
        run = a_run(session, number)
    desktop.post(f"/campaigns/{number}/delete")
    assert "Old letter" not in desktop.get("/campaigns/")
    for path in ("", "/review", "/reach", "/check", "/preview", "/dates", "/progress", "/cancel", "/mail/0"):
        desktop.get(f"/campaigns/{number}{path}", 404)
    for act in ("pause", "copy", "schedule", "test", "who"):
        desktop.post(f"/campaigns/{number}/{act}", 404)
    assert "Old letter" in desktop.get(f"/reports/{run}")


def test_what_is_under_way_is_not_deleted(desktop):
    number = desktop.create()
    desktop.fill(number)
    desktop.post(f"/campaigns/{number}/schedule", counted="3")
    assert "That cannot be done now: the campaign is scheduled." in desktop.post(
        f"/campaigns/{number}/delete"
    )
    assert desktop.campaign(number).deleted_at is None


def test_a_copy_is_a_draft_that_says_the_same(desktop):
    number = desktop.create()
    desktop.fill(number, schedule="at", starts_at=utc_now() + timedelta(days=2), hold_out_percent=10)
    page = desktop.post(f"/campaigns/{number}/copy")
    copy = desktop.campaign(int(re.search(r"/campaigns/(\d+)/who", page)[1]))
    assert (copy.name, copy.state, copy.schedule, copy.starts_at) == (
        "Copy of Spring letter",
        CampaignState.DRAFT,
        "now",
        None,
    )
    assert (copy.topic_id, copy.segment_id, copy.template_id, copy.hold_out_percent) == (
        desktop.topic,
        desktop.segment,
        desktop.template,
        10,
    )


# ---- the last look


def test_nothing_is_scheduled_while_anything_is_missing(desktop):
    number = desktop.create()
    review = desktop.get(f"/campaigns/{number}/review")
    assert "It cannot go out yet" in review
    for what in ("Topic", "Segment", "Template", "Sender"):
        assert f">{what}</a>" in review
    page = desktop.post(f"/campaigns/{number}/schedule", 422, counted="0")
    assert "4 things to put right" in page
    assert desktop.campaign(number).state is CampaignState.DRAFT


def test_an_audience_that_changed_since_the_look_is_looked_at_again(desktop):
    number = desktop.create()
    desktop.fill(number)
    with desktop.stores.sessions.begin() as session:
        for _ in range(3):
            a_contact(session, topic=desktop.topic)
    page = desktop.post(f"/campaigns/{number}/schedule", 422, counted="3")
    assert "has changed since you looked; it is 6 now." in page
    assert desktop.campaign(number).state is CampaignState.DRAFT


def test_for_many_recipients_their_number_is_typed(desktop, monkeypatch):
    monkeypatch.setattr("web.marketing.campaigns.review.MANY", 2)
    number = desktop.create()
    desktop.fill(number)
    assert 'name="typed"' in desktop.get(f"/campaigns/{number}/review")
    for typed in ("", "2", "three"):
        assert "is not the number of recipients." in desktop.post(
            f"/campaigns/{number}/schedule", 422, counted="3", typed=typed
        )
    desktop.post(f"/campaigns/{number}/schedule", counted="3", typed=" 3 ")
    assert desktop.campaign(number).state is CampaignState.SCHEDULED


def test_a_sender_without_a_postal_address_is_a_blocker(desktop):
    number = desktop.create()
    with desktop.stores.sessions.begin() as session:
        bare = senders.add(session, Sender("Bare %s", "a@b.example", "b.example"), now=NOW)
    desktop.fill(number, sender_id=bare)
    assert "The sender Bare %s has no postal address." in desktop.get(f"/campaigns/{number}/check")
    desktop.post(f"/campaigns/{number}/schedule", 422, counted="3")


def test_nobody_to_reach_is_a_blocker_but_a_warning_where_each_run_looks_afresh(desktop):
    with desktop.stores.sessions.begin() as session:
        segments.save(
            session, "none", "None", {"version": 1, "rule": {"not": {"everyone": True}}}, author="t", now=NOW
        )
        nobody = segments.find(session, "none")
    number = desktop.create()
    desktop.fill(number, segment_id=nobody)
    assert "It would reach nobody." in desktop.get(f"/campaigns/{number}/check")
    desktop.post(f"/campaigns/{number}/schedule", 422, counted="0")
    desktop.fill(number, segment_id=nobody, schedule="recurring", cron="0 9 * * 1")
    desktop.post(f"/campaigns/{number}/schedule", counted="0")
    assert desktop.campaign(number).state is CampaignState.SCHEDULED


def test_the_list_is_parted_by_state_and_searched(desktop):
    first, second = desktop.create("Tea for all"), desktop.create("Coffee 100 %")
    desktop.fill(first)
    desktop.post(f"/campaigns/{first}/schedule", counted="3")
    scheduled = desktop.get("/campaigns/?state=scheduled")
    assert ("Tea for all" in scheduled, "Coffee" in scheduled) == (True, False)
    found = desktop.get("/campaigns/?q=100 %25")
    assert ("Tea for all" in found, "Coffee 100 %" in found) == (False, True)
    assert "No campaign here has" in desktop.get("/campaigns/?q=nothing")
    assert f"/campaigns/{second}" in desktop.get("/campaigns/?before=x")


def test_a_recurrence_quicker_than_daily_without_a_cap_is_agreed_to(desktop):
    number = desktop.create()
    desktop.fill(number, schedule="recurring", cron="* * * * *", time_zone="Europe/Berlin")
    review = desktop.get(f"/campaigns/{number}/review")
    assert "Send it to 3 people, up to 1,440 times a day?" in review
    assert "no frequency cap holds" in review
    for often in ({}, {"often": "1"}):
        page = desktop.post(f"/campaigns/{number}/schedule", 422, counted="3", **often)
        assert "up to 1,440 times a day." in page
        assert desktop.campaign(number).state is CampaignState.DRAFT
    desktop.post(f"/campaigns/{number}/schedule", counted="3", often="1440")
    assert desktop.campaign(number).state is CampaignState.SCHEDULED


@pytest.mark.parametrize(
    "calm",
    [{"cron": "0 9 * * *"}, {"cron": "* * * * *", "cap_count": 1, "cap_days": 7}],
    ids=["daily", "capped"],
)
def test_a_calm_recurrence_asks_for_nothing_more(desktop, calm):
    number = desktop.create()
    desktop.fill(number, schedule="recurring", time_zone="Europe/Berlin", **calm)
    review = desktop.get(f"/campaigns/{number}/review")
    assert "Send it to 3 people each time?" in review
    assert 'name="often"' not in review
    desktop.post(f"/campaigns/{number}/schedule", counted="3")
    assert desktop.campaign(number).state is CampaignState.SCHEDULED
