"""The page of messages in doubt: seen by the desk, decided after a look, said wherever a campaign is shown."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.flows import doubting, schedule
from campaigns.model.mail import campaigns as campaign_table
from campaigns.model.mail import messages, runs
from campaigns.records import audience, campaigns, history, outbox
from campaigns.records import messages as ledger
from campaigns.records.staff import Desk
from campaigns.tracking.tokens import Keyring
from campaigns.values import CampaignState, EventKind, Fact, RunState
from tests.flows.test_doubting import frozen as frozen_at
from tests.flows.test_doubting import must_add_up, send, state_of, states
from tests.web.marketing.conftest import HOSTILE
from web.marketing import doubts

SINCE = utc_now() - timedelta(hours=1)


def frozen(session, **over):
    run = frozen_at(session, **over)
    session.execute(sa.update(runs).where(runs.c.id == run).values(expires_at=utc_now() + timedelta(days=1)))
    return run


@pytest.fixture
def run(desktop, monkeypatch):
    """A run that ended with messages 2, 3 and 7 in doubt; its campaign has a hostile name."""
    monkeypatch.setattr(audience, "CHUNK", 4)
    with desktop.stores.sessions.begin() as session:
        made = frozen(session)
        campaign = campaigns.get_run(session, made).campaign_id
        session.execute(sa.update(campaign_table).where(campaign_table.c.id == campaign).values(name=HOSTILE))
        send(session, made, doubtful=(2, 3, 7), now=SINCE)
        schedule.finish_runs(session, utc_now())
    return made


def chosen(run, *seqs):
    return [f"{run}.{seq}" for seq in seqs]


def campaign_of(desktop, run):
    with desktop.stores.readers() as session:
        return campaigns.get_run(session, run).campaign_id


def nav(page):
    return page.split('id="desks"')[1].split("</nav>")[0]


def test_without_doubts_the_page_says_what_they_are_and_the_navigation_is_silent(desktop):
    page = desktop.get("/doubts/")
    assert "Nothing is in doubt" in page
    assert "In doubt" not in nav(desktop.get("/campaigns/"))


def test_the_list_shows_whose_it_is_where_to_ask_and_what_proves_it(desktop, run):
    with desktop.stores.sessions.begin() as session:
        first = outbox.in_doubt(session)[0]
        session.execute(sa.update(messages).where(messages.c.seq == 3).values(reply=HOSTILE))
        history.record(session, Fact(EventKind.CLICKED, SINCE, "c", first.contact, None, run, 2, "web"))
    page = desktop.get("/doubts/")
    assert "3 messages in doubt" in page
    assert first.address in page
    identity = doubting.message_id(first, Keyring(desktop.settings.secret)).strip("<>")
    assert identity in page
    assert "it arrived: clicked" in page
    assert "<script>" not in page
    assert re.search(r'In doubt</span><span class="desk-count">3<', nav(page))


def test_it_is_said_wherever_the_campaign_is_shown(desktop, run):
    campaign = campaign_of(desktop, run)
    link = f"/doubts/?campaign={campaign}"
    for path in ("/campaigns/", f"/campaigns/{campaign}", f"/reports/{run}"):
        page = desktop.get(path)
        assert "Finished, 3 in doubt" in page, path
        assert link in page, path
    assert "Finished, 3 in doubt" in desktop.get("/reports/")


def test_a_campaign_that_goes_on_says_it_too(desktop, run):
    campaign = campaign_of(desktop, run)
    with desktop.stores.sessions.begin() as session:
        how = {"expected": list(CampaignState), "actor": "test", "what": "on", "now": SINCE}
        campaigns.move(session, campaign, CampaignState.SCHEDULED, **how)
    assert "3 messages in doubt" in desktop.get("/campaigns/")
    assert "The fate of 3 messages is not known" in desktop.get(f"/campaigns/{campaign}")


def test_the_list_of_a_campaign_holds_its_own_doubts_only(desktop, run):
    with desktop.stores.sessions.begin() as session:
        other = frozen(session)
        send(session, other, doubtful=(4,), now=SINCE)
    page = desktop.get(f"/doubts/?campaign={campaign_of(desktop, other)}")
    assert "One message in doubt" in page
    assert f'value="{other}.4"' in page
    assert f'value="{run}.2"' not in page
    desktop.get("/doubts/?campaign=999", 404)


def test_a_long_list_has_pages_and_all_means_all_of_them(desktop, run, monkeypatch):
    monkeypatch.setattr(doubts, "PAGE", 2)
    page = desktop.get("/doubts/")
    assert re.findall(r'name="m" value="([\d.]+)"', page) == chosen(run, 2, 3)
    following = re.search(r'rel="next" href="([^"]+)"', page)[1]
    page = desktop.get(following)
    assert re.findall(r'name="m" value="([\d.]+)"', page) == chosen(run, 7)
    until = re.search(r'name="until" value="([^"]+)"', page)[1].replace("&#43;", "+")
    page = desktop.post("/doubts/ask", 200, all="1", until=until, decision="arrived")
    assert "Count 3 messages as arrived?" in page


@pytest.mark.parametrize(
    ("decision", "question", "said", "state"),
    [
        ("arrived", "Count 2 messages as arrived?", "2 messages count as arrived.", RunState.DOUBTS),
        ("send-again", "Send 2 messages again?", "2 messages are sent again.", RunState.RUNNING),
    ],
)
def test_what_is_chosen_is_repeated_with_its_numbers_and_done_only_then(
    desktop, run, decision, question, said, state
):
    page = desktop.post("/doubts/ask", 200, m=chosen(run, 2, 7), decision=decision)
    assert question in page
    assert "2 of “" in page
    assert "<script>" not in page
    with desktop.stores.readers() as session:
        assert states(session, run).count("unknown") == 3, "a look changes nothing"
    named = re.findall(r'name="m" value="([\d.]+)"', page)
    assert named == chosen(run, 2, 7)
    assert said in desktop.post("/doubts/settle", m=named, decision=decision)
    with desktop.stores.readers() as session:
        assert states(session, run).count("unknown") == 1
        assert state_of(session, run)[1] is state
        must_add_up(session, run)
        log = campaigns.log_lines(session, campaigns.get_run(session, run).campaign_id)
        assert any(line.actor == "marketing@x.example" and "2 in doubt" in line.what for line in log)


def test_nothing_chosen_is_told_and_nothing_done(desktop, run):
    assert "Choose at least one message, or all." in desktop.post("/doubts/ask", 422, decision="arrived")
    assert "Choose at least one message" in desktop.post(
        "/doubts/ask", 422, decision="arrived", m="x.y", all="1"
    )


def test_what_somebody_else_has_decided_meanwhile_is_told(desktop, run):
    desktop.post("/doubts/settle", m=chosen(run, 2), decision="arrived")
    for path in ("/doubts/ask", "/doubts/settle"):
        page = desktop.post(path, m=chosen(run, 2), decision="send-again")
        assert "None of these is in doubt any more; nothing was changed." in page
    with desktop.stores.readers() as session:
        assert states(session, run)[1] == "sent"


def test_all_leaves_what_came_into_doubt_since_the_page_was_made(desktop, run):
    with desktop.stores.sessions.begin() as session:
        session.execute(
            sa.update(messages).where(messages.c.seq == 7).values(at=utc_now() - timedelta(seconds=1))
        )
    until = (utc_now() - timedelta(minutes=1)).isoformat()
    assert "2 messages count as arrived." in desktop.post(
        "/doubts/settle", all="1", until=until, decision="arrived"
    )
    assert "Choose at least one" in desktop.post(
        "/doubts/ask", 422, all="1", until="2026-13-45", decision="arrived"
    )


def test_what_is_late_goes_only_if_somebody_says_how_long_it_still_may(desktop, run):
    with desktop.stores.sessions.begin() as session:
        session.execute(sa.update(runs).values(expires_at=utc_now() - timedelta(hours=1)))
        fresh = frozen(session)
        send(session, fresh, doubtful=(1,), now=SINCE)
    both = [*chosen(run, 2, 3), *chosen(fresh, 1)]
    page = desktop.post("/doubts/ask", 200, m=both, decision="send-again")
    assert "Send one message again?" in page
    assert "2 more are late" in page
    assert 'name="within"' in page
    assert "from 1 to 720" in desktop.post("/doubts/settle", 422, m=both, decision="send-again", within="no")
    page = desktop.post("/doubts/settle", m=both, decision="send-again")
    assert "One message is sent again." in page
    assert "2 messages cannot be sent again now." in page
    page = desktop.post("/doubts/settle", m=both, decision="send-again", within="5")
    assert "2 messages are sent again." in page


def test_a_cancelled_campaign_sends_nothing_again_and_says_so(desktop, run):
    with desktop.stores.sessions.begin() as session:
        how = {"expected": list(CampaignState), "actor": "test", "what": "off", "now": SINCE}
        campaigns.move(session, campaigns.get_run(session, run).campaign_id, CampaignState.CANCELLED, **how)
    page = desktop.post("/doubts/ask", 200, m=chosen(run, 2), decision="send-again")
    assert "None of these can be sent again" in page
    assert "The campaign was ended; nothing of it is sent again." in page
    assert "Count one message as arrived?" in desktop.post(
        "/doubts/ask", 200, m=chosen(run, 2), decision="arrived"
    )


def test_what_is_proven_is_not_among_what_is_sent_again(desktop, run):
    with desktop.stores.sessions.begin() as session:
        first = outbox.in_doubt(session)[0]
        history.record(session, Fact(EventKind.CLICKED, SINCE, "c", first.contact, None, run, 2, "web"))
    page = desktop.post("/doubts/ask", 200, m=chosen(run, 2, 3), decision="send-again")
    assert "Send one message again?" in page
    assert "Of one there is proof that it arrived." in page
    page = desktop.post("/doubts/settle", m=chosen(run, 2, 3), decision="send-again")
    assert "One message is sent again." in page
    assert "One message was proven to have arrived, and counts so." in page


@pytest.mark.parametrize("desk", [Desk.SALES, Desk.SERVICE])
def test_other_desks_neither_see_nor_decide(desktop, run, desk):
    client = desktop.at(desk)
    assert client.get("/doubts/").status_code == 403
    assert "desk-count" not in client.get("/", follow_redirects=True).get_data(as_text=True)
    desktop.client, desktop.csrf = client, ""
    desktop.post("/doubts/settle", 403, m=chosen(run, 2), decision="arrived")
    with desktop.stores.readers() as session:
        assert states(session, run)[1] == "unknown"


def test_without_a_token_nothing_is_decided(desktop, run):
    answer = desktop.client.post("/doubts/settle", data={"m": chosen(run, 2), "decision": "arrived"})
    assert answer.status_code == 400
    with desktop.stores.readers() as session:
        assert states(session, run)[1] == "unknown"


def test_the_decision_stands_on_the_customers_record(desktop, run):
    desktop.post("/doubts/settle", m=chosen(run, 2), decision="send-again")
    desktop.post("/doubts/settle", m=chosen(run, 3), decision="arrived")
    for seq, words in ((2, "Let out again, being in doubt"), (3, "Was found to have arrived")):
        with desktop.stores.readers() as session:
            customer = ledger.find(session, run, seq).customer
        page = desktop.at(Desk.SALES).get(f"/customers/{customer}").get_data(as_text=True)
        assert words in page
        assert "In doubt whether it went out" in page
