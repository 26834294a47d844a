"""A campaign's cards, preview and test mail; who may see them, and what others wrote in them."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from flask import g

from campaigns import mailing
from campaigns.clock import utc_now
from campaigns.flows import schedule as flow
from campaigns.mailing import Signing
from campaigns.model.mail import messages
from campaigns.records import campaigns
from campaigns.records.staff import Desk
from campaigns.tracking.tokens import Keyring
from campaigns.values import CampaignState
from tests.factories import a_run
from tests.web.conftest import token
from tests.web.marketing.conftest import HOSTILE
from web.language import hour_words
from web.marketing.campaigns import times


@pytest.fixture
def database_url(sqlite_only):
    return sqlite_only


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


def test_a_recurring_campaign_ends_for_whoever_replies_if_it_is_ticked(desktop):
    number = desktop.create()
    rhythm = {"schedule": "recurring", "time_zone": "UTC", "every": "day", "at_time": "07:05"}
    for schedule, ticked, ends in [
        ("recurring", True, True),
        ("recurring", False, False),
        ("now", True, False),
    ]:
        form = rhythm | {"schedule": schedule} | ({"until_reply": "1"} if ticked else {})
        desktop.post(f"/campaigns/{number}/when", **form)
        assert desktop.campaign(number).until_reply is ends
        box = re.search(r'<input[^>]*name="until_reply"[^>]*>', desktop.get(f"/campaigns/{number}"))[0]
        assert ("checked" in box) is ends
    page = desktop.post(f"/campaigns/{number}/when", 422, **rhythm | {"at_time": "", "until_reply": "1"})
    assert "checked" in re.search(r'<input[^>]*name="until_reply"[^>]*>', page)[0]
    assert desktop.campaign(number).until_reply is False
    desktop.fill(number, schedule="recurring", cron="5 7 * * *", until_reply=True)
    with desktop.stores.sessions.begin() as session:
        flow.schedule(session, number, actor="ada", now=utc_now())
    assert "It ends for whoever replies" in desktop.get(f"/campaigns/{number}")


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


def test_a_test_mail_says_that_it_is_one_and_the_mail_itself_does_not(desktop):
    number = desktop.create()
    desktop.fill(number)
    page = desktop.get(f"/campaigns/{number}/preview")
    assert "its subject begins with [Test]" in page
    contact = re.search(r'name="contact" value="(\d+)"', page)[1]
    desktop.post(f"/campaigns/{number}/test", contact=contact)
    with desktop.stores.readers() as session:
        [run] = campaigns.runs_of(session, number, kind="test")
        signing = Signing(Keyring(b"x" * 32), "https://mail.shop.example")
        told = [
            {
                edition.compiled.subject
                for edition in mailing.load(session, one, "x", signing).editions.values()
            }
            for one in (run, replace(run, kind="campaign"))
        ]
    assert told[0] == {f"[Test] {subject}" for subject in told[1]}


def test_what_was_sent_is_read_as_those_who_got_it(desktop):
    number = desktop.create()
    desktop.fill(number)
    desktop.post(f"/campaigns/{number}/schedule", counted="4")
    desktop.tick()
    desktop.send()
    with desktop.stores.sessions.begin() as session:
        session.execute(sa.update(messages).where(messages.c.seq == 1).values(state="skipped"))
        went = sa.select(sa.func.count()).where(messages.c.state == "sent")
        got = session.scalar(went)
    assert got > 1
    for order in ("worst", "first"):
        assert f"1 of {got}" in desktop.get(f"/campaigns/{number}/preview?order={order}")
    with desktop.stores.sessions.begin() as session:
        session.execute(sa.update(messages).values(state="skipped"))
    assert "because nobody was sent it" in desktop.get(f"/campaigns/{number}/preview")


def test_without_a_segment_the_preview_says_that_none_is_chosen(desktop):
    number = desktop.create()
    desktop.fill(number)
    desktop.post(f"/campaigns/{number}/who", 200, part=True, topic_id=desktop.topic, segment_id="")
    assert "until a segment is chosen" in desktop.get(f"/campaigns/{number}/preview")


def test_the_review_says_pace_expiry_survey_and_tracking(desktop):
    number = desktop.create()
    desktop.fill(number)
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", desktop.get(f"/campaigns/{number}/review")))
    for words in (
        "as fast as the backend takes them",
        "is left out.",
        "Survey none",
        "Opens and clicks counted",
    ):
        assert words in page


@pytest.mark.parametrize(("language", "shown"), [("en_US", "2:05"), ("de_DE", "14:05")])
def test_times_stand_as_the_reader_writes_them(desktop, language, shown):
    with desktop.client.application.test_request_context():
        g.locale = language
        assert shown in times.in_zone(datetime(2026, 11, 22, 13, 5, tzinfo=UTC), "Europe/Berlin")
        assert shown in hour_words("14:05")
        assert hour_words("soon") == "soon"
