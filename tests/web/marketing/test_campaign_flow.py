"""A campaign through its pages: made, filled, checked, scheduled, sent, stopped, put away."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.model.mail import messages, runs
from campaigns.records import campaigns, segments, senders
from campaigns.records.staff import Desk
from campaigns.values import CampaignState, RunState, Sender
from tests.factories import NOW, a_contact, a_run
from tests.web.marketing.conftest import HOSTILE


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
    desktop.tick()
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
        desktop.post(f"/campaigns/{number}/{act}")
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


# ---- cards


@pytest.mark.parametrize("part", [False, True])
def test_all_problems_of_a_card_are_told_at_once_and_nothing_is_saved(desktop, part):
    number = desktop.create()
    page = desktop.post(
        f"/campaigns/{number}/who",
        422,
        part=part,
        topic_id="999",
        segment_id="x",
        hold_out_percent="91",
        cap_count="2",
    )
    for words in ("is not one of those offered.", "is not a whole number from 0 to 90.", "is missing."):
        assert words in page
    assert page.count("is not one of those offered.") >= 2
    assert desktop.campaign(number).cap_count is None
    if not part:
        assert 'value="91"' in page


def test_a_saved_card_tells_the_parts_that_depend_on_it(desktop):
    number = desktop.create()
    headers = {"Referer": "http://localhost/", "HX-Request": "true", "X-CSRFToken": ""}
    desktop.post(
        f"/campaigns/{number}/who", 200, part=True, topic_id=desktop.topic, segment_id=desktop.segment
    )
    from tests.web.conftest import token

    form = {"csrf_token": token(desktop.client, "/campaigns/"), "template_id": desktop.template}
    answer = desktop.client.post(f"/campaigns/{number}/what", data=form, headers=headers)
    assert answer.headers["HX-Trigger"] == "saved, saved-what"
    assert "Saved." in answer.get_data(as_text=True)


def test_a_moment_is_read_in_the_campaigns_zone(desktop):
    year = utc_now().year + 1
    number = desktop.create()
    desktop.post(
        f"/campaigns/{number}/when", schedule="at", starts_at=f"{year}-07-01T09:00", time_zone="Europe/Berlin"
    )
    assert desktop.campaign(number).starts_at == datetime(year, 7, 1, 7, 0, tzinfo=UTC)
    assert f'value="{year}-07-01T09:00"' in desktop.get(f"/campaigns/{number}")
    assert "09:00 (Europe/Berlin)" in desktop.get(f"/campaigns/{number}/dates")


@pytest.mark.parametrize(
    ("form", "cron"),
    [
        ({"every": "day", "at_time": "07:05"}, "5 7 * * *"),
        ({"every": "week", "weekday": "0", "at_time": "23:59"}, "59 23 * * 0"),
        ({"every": "month", "month_day": "31", "at_time": "9:00"}, "0 9 31 * *"),
        ({"every": "custom", "cron": "*/15 9-17 * * 1-5"}, "*/15 9-17 * * 1-5"),
    ],
)
def test_a_rhythm_becomes_cron_fields_and_is_shown_as_it_was_chosen(desktop, form, cron):
    number = desktop.create()
    desktop.post(f"/campaigns/{number}/when", schedule="recurring", time_zone="UTC", **form)
    assert desktop.campaign(number).cron == cron
    assert f'<option value="{form["every"]}" selected>' in desktop.get(f"/campaigns/{number}")
    assert desktop.get(f"/campaigns/{number}/dates").count("<li>") == 5


def test_what_is_wrong_with_a_schedule_is_told_at_once(desktop):
    number = desktop.create()
    bad = {
        "schedule": "recurring",
        "every": "custom",
        "cron": "61 * * * *",
        "time_zone": "Nowhere/Land",
        "per_minute": "-1",
        "ends_at": "2001-01-01",
    }
    page = desktop.post(f"/campaigns/{number}/when", 422, part=True, **bad)
    for words in ("cannot be read", "is not known.", "is not a whole number", "is past."):
        assert words in page


# ---- preview and test mail


def test_the_preview_goes_through_real_people_those_first_who_lack_the_most(desktop):
    number = desktop.create()
    desktop.fill(number)
    page = desktop.get(f"/campaigns/{number}/preview")
    assert "1 of 4" in page
    assert "Not known of them: first name" in page
    assert "Hello you" in page
    last = desktop.get(f"/campaigns/{number}/preview?at=99")
    assert "4 of 4" in last
    assert HOSTILE not in last


def test_the_mail_is_shown_under_a_policy_that_runs_nothing(desktop):
    number = desktop.create()
    desktop.fill(number)
    with desktop.stores.readers() as session:
        contact = session.scalar(sa.select(sa.func.min(sa.text("id"))).select_from(sa.text("contacts")))
    answer = desktop.client.get(f"/campaigns/{number}/mail/{contact}")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    desktop.get(f"/campaigns/{number}/mail/999999", 404)


def test_a_test_goes_to_whoever_asks_through_the_same_outbox_and_into_no_history(desktop):
    number = desktop.create()
    desktop.fill(number)
    assert "No test mail has been sent." in desktop.get(f"/campaigns/{number}/check")
    contact = re.search(r'name="contact" value="(\d+)"', desktop.get(f"/campaigns/{number}/preview"))[1]
    page = desktop.post(f"/campaigns/{number}/test", contact=contact)
    assert "A test is on its way to marketing@x.example." in page
    with desktop.stores.readers() as session:
        [run] = campaigns.runs_of(session, number, kind="test")
        row = session.execute(sa.select(messages)).one()
    assert (run.occurrence, row.address, row.contact_id) == ("test-1", "marketing@x.example", int(contact))
    assert "No test mail has been sent." not in desktop.get(f"/campaigns/{number}/check")
    desktop.post(f"/campaigns/{number}/test", contact=contact)
    desktop.post(f"/campaigns/{number}/name", name="Another name")
    assert "It has changed since the last test mail." in desktop.get(f"/campaigns/{number}/check")


def test_a_test_that_cannot_be_sent_says_what_is_missing(desktop):
    number = desktop.create()
    assert "Still missing: Topic, Template, Sender." in desktop.post(f"/campaigns/{number}/test", contact="1")
    desktop.fill(number)
    assert "choose a segment first" in desktop.post(f"/campaigns/{number}/test", contact="nobody")


# ---- who may, and what others wrote


@pytest.mark.parametrize("desk", [Desk.SALES, Desk.SERVICE])
def test_other_desks_see_and_do_nothing_here(desktop, desk):
    number = desktop.create()
    desktop.fill(number)
    other = desktop.at(desk)
    for path in (
        "/campaigns/",
        f"/campaigns/{number}",
        f"/campaigns/{number}/review",
        f"/campaigns/{number}/mail/0",
        "/segments/",
        "/content/",
        "/reports/",
        "/caught/",
    ):
        assert other.get(path).status_code == 403
    for path in (
        f"/campaigns/{number}/schedule",
        f"/campaigns/{number}/test",
        f"/campaigns/{number}/delete",
        "/segments/",
        "/content/",
    ):
        assert other.post(path, data={"csrf_token": "x"}).status_code in {400, 403}
    assert desktop.campaign(number).state is CampaignState.DRAFT


def test_without_a_token_nothing_is_done_and_without_a_login_nothing_is_shown(desktop):
    number = desktop.create()
    desktop.fill(number)
    assert desktop.client.post(f"/campaigns/{number}/schedule", data={"counted": "3"}).status_code == 400
    assert desktop.campaign(number).state is CampaignState.DRAFT
    assert desktop.client.application.test_client().get(f"/campaigns/{number}").status_code == 302


def test_hostile_names_are_shown_as_text_on_every_page(desktop):
    number = desktop.create(HOSTILE)
    desktop.fill(number)
    with desktop.stores.sessions.begin() as session:
        run = a_run(session, number)
    for path in ("", "/review", "/preview", "/reach", "/check", "/cancel", "/delete"):
        page = desktop.get(f"/campaigns/{number}{path}")
        assert "<script>alert" not in page
    for path in ("/campaigns/", "/reports/", f"/reports/{run}", "/segments/", f"/segments/{desktop.segment}"):
        page = desktop.get(path)
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page


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
