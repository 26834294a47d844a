"""Lanes under way: servers that follow a script, moments that are moved, and who gets what when."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.config import from_environment
from campaigns.delivery.backend import open_backend
from campaigns.delivery.mx import KNOWN, Heard, Mail
from campaigns.delivery.warmup import Plan
from campaigns.errors import BackendError
from campaigns.flows import audience as freezing
from campaigns.flows import dispatching, finding_lanes, schedule
from campaigns.flows.sending import drain, heeding
from campaigns.model.consent import suppressions
from campaigns.model.customers import contacts
from campaigns.model.events import events
from campaigns.model.lanes import domain_lanes, lane_refusals
from campaigns.model.lanes import domains as domains_table
from campaigns.model.lanes import lanes as table
from campaigns.model.mail import chunks, messages, run_gates, runs
from campaigns.records import audience, campaigns, domains, lanes, outbox, segments
from campaigns.records.lanes import Limits
from campaigns.values import CampaignState, Outcome, OutcomeKind
from campaigns.worker import Worker
from tests.delivery.peers import Peer, Say
from tests.factories import NOW, a_campaign, a_contact, a_postbox, a_run, a_topic
from tests.name_server import NameServer
from tests.timed import until

EVERYBODY = {"version": 1, "rule": {"field": "contact.email", "is": "set"}}
MOMENTS = {
    table: ("held_until", "open_at", "quiet_from", "slow_until"),
    chunks: ("not_before", "lease_until"),
    messages: ("not_before",),
    runs: ("expires_at",),
}


def later(stores, length):
    """Let time pass for all that is stored."""
    with stores.sessions.begin() as session:
        for kept, names in MOMENTS.items():
            rows = session.execute(sa.select(kept)).mappings().all()
            for row in rows:
                moved = {name: row[name] - length for name in names if row[name] is not None}
                if moved:
                    key = sa.and_(*[column == row[column.name] for column in kept.primary_key])
                    session.execute(sa.update(kept).where(key).values(moved))


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(audience, "CHUNK", 10)


def a_scheduled_run(stores, addresses, **over):
    """A campaign to all of these, its run open and frozen as the worker does it."""
    with stores.sessions.begin() as session:
        topic = a_topic(session)
        for one in addresses:
            given = one if isinstance(one, dict) else {"email": one}
            a_contact(session, topic=topic, **given)
        segments.save(session, "all", "All", EVERYBODY, author="test", now=NOW)
        segment = segments.find(session, "all")
        campaign = a_campaign(session, topic=topic, segment_id=segment, **over)
        schedule.schedule(session, campaign, actor="test", now=utc_now())
        [run] = schedule.open_runs(session, utc_now() + timedelta(seconds=1))
        freezing.freeze_open_runs(session, utc_now())
    return run


def sending(stores, tmp_path, peer, connections=2):
    return a_postbox(stores, open_backend(f"smtp://127.0.0.1:{peer.port}", connections=connections), tmp_path)


def states(stores, run):
    """Each address's domain with its states counted."""
    with stores.readers() as session:
        rows = session.execute(
            sa.select(messages.c.address, messages.c.state).where(messages.c.run_id == run)
        )
        return Counter((row.address.partition("@")[2], row.state) for row in rows)


def say(text, *domains):
    return lambda stage, seen: Say(text) if stage == "rcpt" and seen.recipient.endswith(domains) else None


PEOPLE = [f"p{n}@{'gmail.com' if n % 2 else 'icloud.com'}" for n in range(60)]
UNUSUAL = b"421 4.7.28 Our system has detected an unusual rate of unsolicited mail\r\n"


@pytest.mark.usefixtures("small_chunks")
def test_a_lane_that_is_held_delays_no_other_and_goes_on_later_until_all_have_it(stores, tmp_path):
    run = a_scheduled_run(stores, PEOPLE)
    refuse = [say(b"450 4.7.28 unusual rate of unsolicited mail\r\n", "@gmail.com")]
    with Peer(lambda stage, seen: refuse[0](stage, seen) if refuse else None) as peer:
        post = sending(stores, tmp_path, peer)
        drain(post)
        found = states(stores, run)
        assert found["icloud.com", "sent"] == 30
        assert found["gmail.com", "sent"] == 0
        with stores.readers() as session:
            assert lanes.held(session, "main", utc_now()) == {"google"}
            tried = session.scalar(sa.select(sa.func.count()).where(messages.c.attempts > 0))
        assert tried <= 20  # a chunk, and what was on its way
        assert drain(post) == 0

        refuse.clear()
        later(stores, timedelta(minutes=2))
        assert drain(post) == 3  # half open: a few decide
        with stores.readers() as session:
            [line] = [one for one in lanes.lane_lines(session, utc_now()) if one.lane == "google"]
            assert (line.word, line.rate) == ("slowed", 1500)
        for _ in range(20):
            later(stores, timedelta(minutes=3))
            drain(post)
        post.backend.close()
        assert states(stores, run) == {("gmail.com", "sent"): 30, ("icloud.com", "sent"): 30}
        assert set(peer.recipients.values()) == {1}


@pytest.mark.timed
def test_a_signal_stops_the_rest_of_its_chunk_within_a_second(stores, tmp_path):
    run = a_scheduled_run(stores, [f"p{n}@yahoo.com" for n in range(200)])

    def script(stage, seen):
        if stage != "rcpt":
            return None
        first = seen.recipient == "p0@yahoo.com"
        return Say(b"450 4.7.0 [TSS04] temporarily deferred\r\n") if first else Say(b"250 ok\r\n", delay=0.02)

    with Peer(script) as peer:
        post = sending(stores, tmp_path, peer, connections=1)
        began = time.monotonic()
        drain(post)
        post.backend.close()
        assert time.monotonic() - began < 2
    found = states(stores, run)
    assert 5 < found["yahoo.com", "sent"] < 80
    assert found["yahoo.com", "sent"] + found["yahoo.com", "queued"] == 200
    with stores.readers() as session:
        [line] = lanes.lane_lines(session, utc_now())
        assert line.word == "held"
        assert timedelta(minutes=119) < line.reopens_at - utc_now() < timedelta(minutes=145)
        assert "TSS04" in line.sample


@pytest.mark.timed
def test_another_sender_in_the_same_lane_stops_too(stores, tmp_path):
    a_scheduled_run(stores, [f"p{n}@yahoo.com" for n in range(100)])
    with Peer(lambda stage, _: Say(b"250 ok\r\n", delay=0.04) if stage == "rcpt" else None) as peer:
        post = sending(stores, tmp_path, peer, connections=1)
        thread = threading.Thread(target=drain, args=(post,))
        thread.start()
        until(lambda: len(peer.taken) >= 5)
        with stores.sessions.begin() as session:
            lanes.hold(
                session, "main", "yahoo", "on the phone with them", until=None, actor="ada", now=utc_now()
            )
        held = time.monotonic()
        thread.join()
        assert time.monotonic() - held < 1.5
        assert len(peer.taken) < 75
        later(stores, timedelta(days=1))
        assert drain(post) == 0
        with stores.sessions.begin() as session:
            lanes.reopen(session, "main", "yahoo", actor="ada", now=utc_now())
        drain(post)
        post.backend.close()
        assert len(peer.recipients) == 100
        assert set(peer.recipients.values()) == {1}


@pytest.mark.timed
def test_two_senders_together_stay_within_a_lanes_rate(stores, tmp_path):
    a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(150)] + [f"q{n}@gmx.de" for n in range(100)])
    with stores.sessions.begin() as session:
        lanes.set_limits(session, "main", "google", Limits(per_minute=1200), actor="ada", now=utc_now())
    arrived = []

    def script(stage, seen):
        if stage == "body" and seen.recipient.endswith("@gmail.com"):
            arrived.append(time.monotonic())

    with Peer(script) as peer:
        posts = [sending(stores, tmp_path / name, peer) for name in ("one", "two")]
        began = time.monotonic()

        def work(post):
            while time.monotonic() < began + 2.0 or len(peer.taken) < 100 + 30:
                drain(post)
                time.sleep(0.05)
                assert time.monotonic() < began + 60

        threads = [threading.Thread(target=work, args=(post,)) for post in posts]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        seconds = time.monotonic() - began
        for post in posts:
            post.backend.close()
        others = sum(1 for recipient in peer.recipients if recipient.endswith("@gmx.de"))
    assert others == 100
    assert 30 <= len(arrived) <= seconds * 20 + 2 * 20  # 20 a second, and two blocks of a second
    for n, first in enumerate(arrived):
        within = sum(1 for at in arrived[n:] if at - first < 1.0)
        assert within <= 3 * 20


def test_a_recipient_whose_server_names_a_time_is_tried_again_then_and_holds_up_nobody(stores, tmp_path):
    run = a_scheduled_run(stores, ["grey@firm.example", "fine@firm.example"])
    with Peer(say(b"450 4.7.1 Greylisted, try again in 3 minutes\r\n", "grey@firm.example")) as peer:
        post = sending(stores, tmp_path, peer)
        drain(post)
        assert states(stores, run) == {("firm.example", "sent"): 1, ("firm.example", "queued"): 1}
        with stores.readers() as session:
            assert lanes.held(session, "main", utc_now()) == frozenset()
            due = session.scalar(sa.select(messages.c.not_before).where(messages.c.state == "queued"))
            assert timedelta(seconds=120) < due - utc_now() < timedelta(seconds=185)
            assert session.scalar(sa.select(chunks.c.not_before)) == due
        post.backend.close()


def test_a_retry_that_would_come_too_late_is_expired_and_not_lost(stores, tmp_path):
    run = a_scheduled_run(stores, ["busy@firm.example"], send_within_hours=1)
    later(stores, timedelta(minutes=58))
    with Peer(say(b"451 4.3.0 not now\r\n", "firm.example")) as peer:
        post = sending(stores, tmp_path, peer)
        drain(post)
        with stores.readers() as session:
            due = session.scalar(sa.select(messages.c.not_before))
            assert due <= utc_now() + timedelta(minutes=2, seconds=5)
        later(stores, timedelta(minutes=3))
        drain(post)
        post.backend.close()
    assert states(stores, run) == {("firm.example", "skipped"): 1}


@pytest.mark.parametrize(
    ("text", "held"),
    [
        (
            b"550 5.7.26 Unauthenticated email from shop.example is not accepted due to DMARC policy\r\n",
            False,
        ),
        (b"554 5.7.1 Message rejected: content looks like spam\r\n", False),
        (b"554 Transaction failed\r\n", False),
        (b"554 5.7.1 Service unavailable; your host is blocked using zen.spamhaus.org\r\n", True),
    ],
)
def test_where_every_mail_is_refused_for_what_we_are_none_has_failed(stores, tmp_path, text, held):
    run = a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(30)])
    with Peer(lambda stage, seen: Say(text, takes=False) if stage == "body" else None) as peer:
        post = sending(stores, tmp_path, peer)
        drain(post)
        post.backend.close()
    assert states(stores, run) == {("gmail.com", "queued"): 30}
    with stores.readers() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(suppressions)) == 0
        assert "failed" not in session.scalars(sa.select(events.c.kind)).all()
        campaign = campaigns.get(session, campaigns.get_run(session, run).campaign_id)
        newest = campaigns.log_lines(session, campaign.id)[0].what
        if held:
            assert campaign.state is CampaignState.RUNNING
            assert lanes.held(session, "main", utc_now()) == {"google"}
        else:
            assert campaign.state is CampaignState.PAUSED
            assert newest.startswith("paused: every mail is refused")


def test_addresses_that_are_all_dead_are_that_and_pause_nothing(stores, tmp_path):
    run = a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(20)])
    with Peer(say(b"550 5.1.1 No such user here\r\n", "gmail.com")) as peer:
        post = sending(stores, tmp_path, peer)
        drain(post)
        post.backend.close()
    assert states(stores, run) == {("gmail.com", "failed"): 20}
    with stores.readers() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(suppressions)) == 20
        detail = session.scalars(sa.select(events.c.detail).where(events.c.kind == "failed")).first()
        assert (detail["class"], detail["rule"]) == ("hard.address", "no such mailbox")


def test_a_pause_that_comes_second_changes_nothing(session):
    topic = a_topic(session)
    run = a_run(session, a_campaign(session, topic=topic))
    heeding.pause(session, run, "twice", NOW)
    assert campaigns.get(session, campaigns.get_run(session, run).campaign_id).state is CampaignState.DRAFT


class Shut:
    """A backend whose server would not have us now."""

    name = "shut"

    def send(self, batch, watch):
        next(iter(batch))
        raise BackendError("smtp://mail.example:25: its greeting was 421 4.3.2 busy, try again in 10 minutes")


def test_a_server_that_will_not_have_us_is_left_alone_for_as_long_as_it_says(stores, tmp_path):
    run = a_scheduled_run(stores, ["a@gmail.com"])
    with pytest.raises(BackendError) as raised:
        drain(a_postbox(stores, Shut(), tmp_path))
    assert raised.value.retry_after == timedelta(minutes=10)
    assert states(stores, run) == {("gmail.com", "queued"): 1}


# ---- hours


def shut_now(zone="UTC"):
    """A window that is open for an hour, eleven hours from now."""
    wall = utc_now().astimezone(ZoneInfo(zone))
    start = (wall.hour * 60 + wall.minute + 11 * 60) % 1440
    return {"window_from": start, "window_to": (start + 60) % 1440, "time_zone": zone}


@pytest.mark.usefixtures("small_chunks")
def test_outside_its_hours_a_campaign_waits_for_the_next_opening(stores, tmp_path):
    run = a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(30)], **shut_now())
    with Peer() as peer:
        post = sending(stores, tmp_path, peer)
        assert drain(post) == 0
        with stores.readers() as session:
            due = session.scalars(sa.select(chunks.c.not_before)).all()
            assert len(due) == 3
            assert all(timedelta(hours=10, minutes=58) < at - utc_now() <= timedelta(hours=11) for at in due)
        post.clock = lambda: utc_now() + timedelta(hours=11, minutes=1)
        later(stores, timedelta(hours=11))
        assert drain(post) == 30
        post.backend.close()
    assert states(stores, run) == {("gmail.com", "sent"): 30}


@pytest.mark.usefixtures("small_chunks")
def test_a_throttled_campaign_keeps_its_pace_when_its_hours_begin(stores, tmp_path):
    run = a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(30)], per_minute=60, **shut_now())
    with Peer() as peer:
        post = sending(stores, tmp_path, peer)
        assert drain(post) == 0
        post.backend.close()
    with stores.readers() as session:
        query = sa.select(chunks.c.not_before, chunks.c.last_seq - chunks.c.first_seq + 1)
        rows = session.execute(query.where(chunks.c.run_id == run).order_by(chunks.c.not_before)).all()
    assert rows[0][0] - utc_now() > timedelta(hours=10, minutes=58)
    assert len(rows) >= 3
    for (at, size), (then, _) in pairwise(rows):
        assert then - at == timedelta(seconds=size)


@pytest.mark.usefixtures("small_chunks")
def test_a_retry_of_tomorrow_holds_up_no_other_chunk_of_a_throttled_campaign(stores):
    run = a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(30)], per_minute=60)
    now = utc_now()
    with stores.sessions.begin() as session:
        session.execute(sa.update(chunks).values(not_before=None))
        first = sa.update(chunks).where(chunks.c.number == 1)
        session.execute(first.values(not_before=now + timedelta(days=1)))
        outbox.space_out(session, run, 60, now=now)
        due = session.scalars(sa.select(chunks.c.not_before).order_by(chunks.c.number)).all()
    assert due[0] == now + timedelta(days=1)
    assert max(due[1:]) < now + timedelta(seconds=30)


def test_when_its_hours_end_the_rest_of_a_chunk_waits(stores, tmp_path):
    now = utc_now()
    minute = now.hour * 60 + now.minute
    hours = {"window_from": minute, "window_to": (minute + 1) % 1440}
    a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(150)], **hours)
    closes = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    with Peer(lambda stage, _: Say(b"250 ok\r\n", delay=0.03) if stage == "rcpt" else None) as peer:
        post = sending(stores, tmp_path, peer, connections=1)
        ahead = closes - timedelta(seconds=2.5) - utc_now()
        post.clock = lambda: utc_now() + ahead
        drain(post)
        post.backend.close()
        assert 0 < len(peer.taken) < 140


@pytest.mark.usefixtures("small_chunks")
def test_each_recipient_is_asked_by_the_clock_on_their_own_wall(stores, tmp_path):
    hour = utc_now().astimezone(UTC).hour
    people = [{"email": f"b{n}@gmail.com", "time_zone": "Asia/Tokyo"} for n in range(15)]
    people += [{"email": f"u{n}@gmail.com", "time_zone": None} for n in range(15)]
    hours = {"window_from": (hour * 60 - 60) % 1440, "window_to": (hour * 60 + 120) % 1440}
    run = a_scheduled_run(stores, people, **hours, window_zone="recipient", time_zone="UTC")
    with Peer() as peer:
        post = sending(stores, tmp_path, peer)
        drain(post)
        post.backend.close()
        assert {recipient[0] for recipient in peer.recipients} == {"u"}
        assert len(peer.taken) == 15
    with stores.readers() as session:
        rows = session.execute(sa.select(chunks.c.zone, chunks.c.state, chunks.c.not_before)).all()
    assert Counter((row.zone, row.state) for row in rows) == {(None, "done"): 2, ("Asia/Tokyo", "ready"): 2}
    [due] = {row.not_before for row in rows if row.zone}
    assert due > utc_now() + timedelta(hours=10)
    assert states(stores, run)["gmail.com", "queued"] == 15


def test_a_spread_campaign_gives_each_recipient_a_moment_that_does_not_go_by_their_number(stores):
    run = a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(240)], spread_minutes=120)
    with stores.readers() as session:
        rows = session.execute(
            sa.select(chunks.c.not_before, chunks.c.first_seq, chunks.c.last_seq, messages.c.contact_id)
            .join(
                messages,
                sa.and_(
                    messages.c.run_id == run, messages.c.seq.between(chunks.c.first_seq, chunks.c.last_seq)
                ),
            )
            .order_by(chunks.c.not_before, messages.c.seq)
        ).all()
    moments = [row.not_before for row in rows]
    assert timedelta(minutes=118) < max(moments) - min(moments) < timedelta(minutes=120)
    assert max(Counter(moments).values()) == 1
    first_half = {row.contact_id % 2 for row in rows[:120]}, sum(row.contact_id for row in rows[:120]) / 120
    assert first_half[0] == {0, 1}
    ids = [row.contact_id for row in rows]
    assert abs(first_half[1] - sum(ids) / 240) < 30
    assert ids != sorted(ids)


def test_those_who_clicked_go_first_while_an_account_is_warmed_up(stores):
    with stores.sessions.begin() as session:
        lanes.set_limits(session, "main", "google", Limits(plan=Plan(50, 1.5, 9999)), actor="a", now=NOW)
        session.execute(
            sa.insert(events).values(at=utc_now(), kind="clicked", contact_id=40, verdict="human", dedupe="x")
        )
        session.execute(
            sa.insert(events).values(
                at=utc_now(), kind="clicked", contact_id=41, verdict="machine", dedupe="y"
            )
        )
    run = a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(60)])
    with stores.readers() as session:
        first = session.scalar(
            sa.select(messages.c.contact_id).where(messages.c.run_id == run, messages.c.seq == 1)
        )
    assert first == 40


# ---- domains

TABLE = {
    **{(name, "MX"): ["1 mx.own.net."] for name in KNOWN},
    ("firm.net", "MX"): ["0 aspmx.l.google.com."],
    ("null.net", "MX"): ["0 ."],
    ("own.net", "MX"): ["10 mail.own.net."],
}


def ask(stores, server, now):
    with stores.readers() as session:
        names = finding_lanes.gather(session, now, {})
    with stores.sessions.begin() as session:
        domains.want(session, names, now=now)
        asked = domains.due(session, now=now)
    heard = finding_lanes.ask(asked, server.resolver())
    with stores.sessions.begin() as session:
        domains.hear(session, asked, heard, now=now)
    return sorted(one.domain for one in asked)


def test_the_lane_of_a_hosted_domain_is_found_before_the_freeze_and_a_dead_domain_is_not_mailed(stores):
    people = ["a@firm.net", "b@own.net", "c@null.net", "d@gone.net", "e@gmail.com", "f@shop.example"]
    with stores.sessions.begin() as session:
        topic = a_topic(session)
        for one in people:
            a_contact(session, topic=topic, email=one)
        segments.save(session, "all", "All", EVERYBODY, author="test", now=NOW)
        segment = segments.find(session, "all")
        at = NOW + timedelta(hours=10)
        campaign = a_campaign(session, topic=topic, segment_id=segment, schedule="at", starts_at=at)
        schedule.schedule(session, campaign, actor="test", now=NOW)
    with NameServer(TABLE) as server:
        assert ask(stores, server, NOW) == ["firm.net", "gone.net", "null.net", "own.net"]
        assert ask(stores, server, NOW + timedelta(minutes=5)) == []
        with stores.readers() as session:
            known = dict(session.execute(sa.select(domains_table.c.domain, domains_table.c.state)).all())
            assert known == {
                "firm.net": "taken",
                "own.net": "taken",
                "null.net": "dead",
                "gone.net": "doubtful",
            }
        assert ask(stores, server, NOW + timedelta(hours=4)) == ["gone.net"]  # twice, and hours apart
        server.table[("late.net", "MX")] = ["1 mail.late.net."]
    with stores.sessions.begin() as session:
        [run] = schedule.open_runs(session, NOW + timedelta(hours=10))
        freezing.freeze_open_runs(session, NOW + timedelta(hours=10))
        found = dict(session.execute(sa.select(messages.c.contact_id, messages.c.gate)).all())
        assert list(found.values()).count("domain takes no mail") == 2
        counted = dict(session.execute(sa.select(run_gates.c.gate, run_gates.c.count)).all())
        assert counted == {"domain takes no mail": 2}
        cut = Counter(session.scalars(sa.select(chunks.c.lane).where(chunks.c.run_id == run)))
        sizes = dict(
            session.execute(sa.select(chunks.c.lane, chunks.c.last_seq - chunks.c.first_seq + 1)).all()
        )
    assert cut == {"google": 1, "other": 1}
    assert sizes == {"google": 2, "other": 2}


def test_a_domain_that_nobody_answers_for_is_mailed_and_asked_about_again(stores):
    with stores.sessions.begin() as session:
        domains.want(session, ["quiet.net"], now=NOW)
        asked = domains.due(session, now=NOW)
        domains.hear(session, asked, [Heard("quiet.net", Mail.UNHEARD)], now=NOW)
        assert domains.due(session, now=NOW + timedelta(minutes=14)) == []
        assert [one.failures for one in domains.due(session, now=NOW + timedelta(minutes=15))] == [1]
        assert not domains.any_dead(session)


@pytest.mark.parametrize(
    ("mail", "days"),
    [(Mail.MISSING, 1), (Mail.REFUSED, 30)],
)
def test_a_missing_domain_is_asked_about_again_after_a_day_and_one_that_refuses_after_many(
    stores, mail, days
):
    now = NOW
    with stores.sessions.begin() as session:
        domains.want(session, ["gone.net"], now=now)
        for _ in range(2):
            if asked := domains.due(session, now=now):
                domains.hear(session, asked, [Heard("gone.net", mail)], now=now)
                heard = now
            now += timedelta(hours=4)
        assert domains.any_dead(session)
        assert domains.due(session, now=heard + timedelta(days=days, minutes=-1)) == []
        assert len(domains.due(session, now=heard + timedelta(days=days))) == 1


def test_what_was_heard_holds_for_a_day(stores):
    with stores.sessions.begin() as session:
        topic = a_topic(session)
        a_contact(session, topic=topic, email="a@own.net")
        everybody = sa.select(contacts.c.id)
        assert domains.unknown(session, everybody, now=NOW) == ["own.net"]
        domains.want(session, ["own.net"], now=NOW)
        assert domains.unknown(session, everybody, now=NOW) == []
        domains.hear(session, domains.due(session, now=NOW), [Heard("own.net", Mail.TAKEN)], now=NOW)
        assert domains.unknown(session, everybody, now=NOW + timedelta(hours=23)) == []
        assert domains.unknown(session, everybody, now=NOW + timedelta(hours=25)) == ["own.net"]


# ---- the worker and the broker


def a_worker(stores, tmp_path, server, now):
    settings = from_environment({"POSTROOM_DATA": str(tmp_path / "var")})
    return Worker(stores, settings, clock=lambda: now, resolver=server.resolver())


def test_the_worker_asks_about_the_domains_of_a_scheduled_campaign_by_itself(stores, tmp_path):
    with stores.sessions.begin() as session:
        topic = a_topic(session)
        for one in ("a@firm.net", "b@null.net", "c@gmail.com"):
            a_contact(session, topic=topic, email=one)
        segments.save(session, "all", "All", EVERYBODY, author="test", now=NOW)
        over = {"segment_id": segments.find(session, "all"), "schedule": "at"}
        campaign = a_campaign(session, topic=topic, starts_at=NOW + timedelta(hours=2), **over)
        schedule.schedule(session, campaign, actor="test", now=NOW)
    with NameServer(TABLE) as server:
        worker = a_worker(stores, tmp_path, server, NOW)
        assert worker.tick_domains() == 2
        assert worker.tick_domains() == 0
    with stores.readers() as session:
        assert domains.any_dead(session)
        known = sa.select(domains_table.c.domain).where(domains_table.c.lane == "google")
        assert session.scalars(known).all() == ["firm.net"]


def test_a_warm_up_takes_its_step_by_the_workers_tick(stores, tmp_path):
    with stores.sessions.begin() as session:
        lanes.set_limits(session, "main", "google", Limits(plan=Plan(100, 2.0, 999)), actor="a", now=NOW)
    with NameServer({}) as server:
        for day in range(3):
            now = NOW + timedelta(days=day)
            ticks = {name: tick for name, _, tick in a_worker(stores, tmp_path, server, now).ticks()}
            ticks["warm-ups"]()
            with stores.sessions.begin() as session:
                [line] = lanes.lane_lines(session, now)
                assert line.cap_today == 100 * 2**day
                sent = [Outcome(OutcomeKind.SENT, 250)] * line.cap_today
                lanes.count_day(session, "main", "google", sent, hard=0, now=now)


def test_workers_and_senders_do_not_wait_for_each_other_in_a_ring(stores, tmp_path):
    long_ago, now = NOW - timedelta(days=2), NOW
    place = lanes.Place(7, "main", "google")
    with stores.sessions.begin() as session:
        lanes.set_plan(session, "main", "new.example", Plan(5, 2.0, 99), actor="ada", now=NOW)
        values = {"account": "main", "domain": "new.example", "lane": "google", "date": "2026-01-01"}
        session.execute(sa.insert(domain_lanes).values(**values, sent_on=now.date().isoformat()))
        lanes.keep_refused(session, place, {"go away": [1]}, long_ago)
    with NameServer({}) as server, ThreadPoolExecutor() as threads:
        ticks = {name: tick for name, _, tick in a_worker(stores, tmp_path, server, now).ticks()}
        with stores.sessions.begin() as sender:
            lanes.keep_refused(sender, place, {"go away": [2]}, long_ago)
            stepping = threads.submit(ticks["warm-ups"])
            forgetting = threads.submit(ticks["old words of lanes"])
            time.sleep(0.5)
            sender.execute(sa.update(domain_lanes).values(sent=1))
        stepping.result(120)
        forgetting.result(120)
    with stores.readers() as session:
        assert session.scalar(sa.select(domain_lanes.c.date)) == now.date().isoformat()


def test_what_was_said_of_lanes_is_kept_for_a_year(stores, tmp_path):
    with stores.sessions.begin() as session:
        for days in (400, 367, 300, 1):
            at = NOW - timedelta(days=days)
            lanes.hold(session, "main", "google", f"{days} days ago", until=at, actor="ada", now=at)
        lanes.keep_refused(session, lanes.Place(7, "main", "google"), {"go": [1]}, NOW - timedelta(days=2))
    with NameServer({}) as server:
        ticks = {name: tick for name, _, tick in a_worker(stores, tmp_path, server, NOW).ticks()}
        ticks["old words of lanes"]()
    with stores.readers() as session:
        kept = [one.what.partition(": ")[2] for one in lanes.log_lines(session)]
        assert kept == ["1 days ago", "300 days ago"]
        assert session.scalar(sa.select(sa.func.count()).select_from(lane_refusals)) == 0


def test_no_broker_holds_chunks_of_a_lane_that_is_closed_and_few_of_one_with_a_budget(stores):
    people = [f"p{n}@{domain}" for domain in ("gmail.com", "icloud.com", "gmx.de") for n in range(30)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(audience, "CHUNK", 10)
        run = a_scheduled_run(stores, people)
    with stores.sessions.begin() as session:
        lanes.hold(session, "main", "apple", "x", until=None, actor="ada", now=utc_now())
        lanes.set_limits(session, "main", "gmx", Limits(per_minute=60), actor="ada", now=utc_now())
        chosen = dispatching.choose(session, window=16)
        assert Counter(one.lane for one in chosen) == {"google": 3, "gmx": 1}
        apple = session.scalar(sa.select(chunks.c.number).where(chunks.c.lane == "apple").limit(1))
        assert outbox.claim_this(session, "a sender", run, apple) is None
        [gmx] = [one for one in chosen if one.lane == "gmx"]
        assert outbox.claim_this(session, "a sender", run, gmx.number).most == 1
        [gmx] = dispatching.choose(session, window=16)  # a late sender may catch up a second
        assert outbox.claim_this(session, "a sender", run, gmx.number).most == 1
        assert dispatching.choose(session, window=16) == []
