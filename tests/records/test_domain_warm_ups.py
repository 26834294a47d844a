"""A new sending domain is warmed up lane by lane, beside the warm-up of the account."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from time import sleep

import pytest
import sqlalchemy as sa

from campaigns.delivery.warmup import Plan
from campaigns.model.customers import contacts
from campaigns.model.dialect import database_now
from campaigns.model.lanes import domain_lanes, lane_log
from campaigns.model.mail import chunks, messages, runs
from campaigns.records import audience, gates, history, lanes, outbox, senders
from campaigns.records import campaigns as campaign_records
from campaigns.records.lanes import EVERY_ACCOUNT, Limits, Place
from campaigns.values import EventKind, Fact, Outcome, OutcomeKind
from tests.factories import NOW, SENDER, a_campaign, a_contact, a_run, a_topic, step_all

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
SENT = Outcome(OutcomeKind.SENT, 250)
DEFERRED = Outcome(OutcomeKind.DEFERRED, 450)


class House:
    """A run of a new domain and one of an old one, to the same people at two providers."""

    def __init__(self, session):
        self.session, self.now = session, database_now(session)
        topic = a_topic(session)
        for n in range(40):
            a_contact(session, email=f"p{n}@{'gmail.com' if n < 30 else 'icloud.com'}", topic=topic)
        self.new = self._run(topic, "news@new.example", "new")
        self.old = self._run(topic, "news@old.example", "old")

    def _run(self, topic, address, name):
        session = self.session
        sender = senders.add(session, replace(SENDER, address=address), now=NOW)
        campaign = a_campaign(session, topic=topic, sender_id=sender)
        run = a_run(session, campaign, occurrence=name, now=self.now)
        asked = gates.of_campaign(session, campaign_records.get(session, campaign), topic, now=self.now)
        audience.freeze(
            session, run, sa.select(contacts.c.id), asked, hold_out_percent=0, salt=1, now=self.now
        )
        return run

    def plan(self, base=5, growth=2.0, target=100, *, account="main", domain="new.example"):
        lanes.set_plan(self.session, account, domain, Plan(base, growth, target), actor="ada", now=self.now)

    def claims(self):
        """Claim all that may go, and say how many of which run and lane."""
        found = {}
        while (chunk := outbox.claim(self.session, "me")) is not None:
            count = chunk.last - chunk.first + 1 if chunk.most is None else chunk.most
            key = ("new" if chunk.run == self.new else "old", chunk.lane)
            found[key] = found.get(key, 0) + count
            self.settle(chunk, dict.fromkeys(range(chunk.first, chunk.first + count), SENT))
        return found

    def settle(self, chunk, outcomes, *, hard=0, now=None):
        place = Place(chunk.run, chunk.account, chunk.lane)
        if chunk.granted is not None:
            lanes.settle_warm(
                self.session, place, outcomes, given=chunk.granted, hard=hard, now=now or self.now
            )
        outbox.settle(self.session, chunk, outcomes, skipped={}, retry_at=None, now=now or self.now)

    def line(self, lane="google"):
        [found] = [one for one in lanes.warming_lines(self.session) if one.lane == lane]
        return found


@pytest.fixture
def house(session):
    return House(session)


def test_a_new_domain_is_held_to_its_day_in_each_lane_and_an_old_one_is_not(house):
    house.plan(5)
    assert house.claims() == {
        ("new", "google"): 5,
        ("new", "apple"): 5,
        ("old", "google"): 30,
        ("old", "apple"): 10,
    }
    waits = house.session.scalars(
        sa.select(chunks.c.not_before).where(chunks.c.run_id == house.new, chunks.c.state == "ready")
    ).all()
    assert set(waits) == {lanes.tomorrow(house.now)}
    assert not outbox.has_work(house.session)


def test_a_plan_that_is_taken_away_lets_all_go_at_once(house):
    house.plan(5)
    house.claims()
    lanes.set_plan(house.session, "main", "new.example", None, actor="ada", now=house.now)
    assert set(house.claims()) == {("new", "google"), ("new", "apple")}
    assert not outbox.has_work(house.session)
    told = house.session.scalars(sa.select(lane_log.c.what)).all()
    assert "warm-up of new.example from 5 a day by 2 to 100" in told


def test_a_throttled_run_whose_plan_is_taken_away_goes_on_at_its_pace(house):
    house.plan(5)
    house.claims()
    session, mine = house.session, (chunks.c.run_id == house.new, chunks.c.state == "ready")
    session.execute(sa.update(runs).values(per_minute=1))
    outbox.space_out(session, house.new, 1, now=house.now)
    waiting = session.scalars(sa.select(chunks.c.not_before).where(*mine).order_by(chunks.c.not_before)).all()
    assert waiting[0] == lanes.tomorrow(house.now) < waiting[1]
    deferred = chunks.c.not_before == lanes.tomorrow(house.now)
    [(first, number)] = session.execute(sa.select(chunks.c.last_seq, chunks.c.number).where(*mine, deferred))
    later = house.now + 3 * DAY
    session.execute(
        sa.update(messages)
        .where(messages.c.run_id == house.new, messages.c.seq == first)
        .values(not_before=later)
    )
    session.execute(sa.update(chunks).where(*mine, deferred).values(not_before=later))
    house.plan(10)
    due = dict(session.execute(sa.select(chunks.c.number, chunks.c.not_before).where(*mine)).all())
    assert due.pop(number) == later
    assert due
    assert all(at - house.now < HOUR for at in due.values())


def test_the_domain_and_the_account_are_warmed_up_together_and_the_smaller_cap_holds(house):
    house.plan(20)
    lanes.set_limits(house.session, "main", "google", Limits(plan=Plan(7, 2, 99)), actor="ada", now=house.now)
    assert house.claims()["new", "google"] + house.claims().get(("old", "google"), 0) <= 7
    assert house.line().taken_today(house.now) <= 7


def test_a_plan_for_every_account_holds_for_those_without_their_own(house):
    house.plan(3, account=EVERY_ACCOUNT)
    assert house.claims()["new", "google"] == 3
    house.plan(4)
    assert house.claims()["new", "google"] == 4


@pytest.mark.parametrize("plan", [Plan(3, 2, 99), None])
def test_a_plan_for_every_account_leaves_an_account_that_has_its_own_where_it_stands(house, plan):
    house.plan(4)
    house.claims()
    step_all(house.session, house.now + DAY)
    before = house.line()
    assert before.day == 1
    lanes.set_plan(house.session, EVERY_ACCOUNT, "new.example", plan, actor="ada", now=house.now)
    assert house.line() == before


def test_who_changes_a_plan_is_in_no_deadlock_with_a_sender(stores):
    """A sender has a throttled run's chunks in its hands, of a lane that is used up, and asks for another's."""
    with stores.sessions.begin() as session:
        if stores.engine.dialect.name == "sqlite":
            pytest.skip("SQLite's writers are alone")
        house = House(session)
        house.plan(5)
        house.claims()
        session.execute(sa.update(runs).values(per_minute=1))
        outbox.space_out(session, house.new, 1, now=house.now)

    def change():
        with stores.sessions.begin() as session:
            lanes.set_plan(session, "main", "new.example", None, actor="ada", now=house.now)

    with ThreadPoolExecutor(1) as beside:
        with stores.sessions.begin() as session:
            outbox.space_out(session, house.new, 1, now=house.now)
            changing = beside.submit(change)
            sleep(0.3)
            warming = lanes.warming(session, Place(house.new, "main", "apple"))
            assert lanes.give_warm(session, warming, 1, now=house.now) == 0
        changing.result(120)
    with stores.readers() as session:
        assert lanes.warming_lines(session) == []


def test_what_was_given_and_not_begun_is_taken_back(house):
    house.plan(5)
    chunk = None
    while chunk is None or chunk.run != house.new or chunk.lane != "google":
        chunk = outbox.claim(house.session, "me")
    house.settle(chunk, {chunk.first: SENT, chunk.first + 1: DEFERRED})
    line = house.line()
    assert (line.taken, line.sent, line.deferred, line.left(house.now)) == (2, 1, 1, 3)
    again = outbox.claim(house.session, "me")
    while again.run != house.new or again.lane != "google":
        again = outbox.claim(house.session, "me")
    assert again.granted == 3
    outbox.put_off(house.session, again, until=house.now)
    assert house.line().left(house.now) == 3


@pytest.mark.parametrize(
    ("sent", "hard", "deferred", "day", "word"),
    [
        (5, 0, 0, 1, "on"),
        (2, 0, 0, 0, "idle"),
        (5, 1, 0, 0, "back: hard"),
        (9, 0, 1, 0, "again: deferred"),
        (20, 0, 6, 0, "back: deferred"),
    ],
)
def test_each_day_steps_by_what_became_of_the_one_before(house, sent, hard, deferred, day, word):
    house.plan(5)
    house.claims()
    kinds = {n: SENT if n < sent else DEFERRED for n in range(sent + deferred)}
    place = Place(house.new, "main", "google")
    before = house.line()
    house.session.execute(sa.text("UPDATE domain_lanes SET sent = 0, deferred = 0, hard = 0"))
    lanes.settle_warm(house.session, place, kinds, given=0, hard=hard, now=house.now)
    assert step_all(house.session, house.now) == 0
    assert step_all(house.session, house.now + DAY) == 2
    after = house.line()
    assert (after.day, after.word, after.sent) == (day, word, 0)
    assert after.date > before.date


def test_nothing_of_a_new_day_goes_before_the_day_before_was_judged(house):
    house.plan(5)
    house.claims()
    yesterday = (house.now - DAY).date().isoformat()
    house.session.execute(sa.update(domain_lanes).values(date=yesterday, taken_on=yesterday, hard=5))
    house.session.execute(sa.update(chunks).where(chunks.c.state == "ready").values(not_before=None))
    assert house.claims() == {}
    waits = house.session.scalars(sa.select(chunks.c.not_before).where(chunks.c.state == "ready")).all()
    assert waits
    assert all(at is not None and timedelta(0) < at - house.now <= 2 * MINUTE for at in waits)
    step_all(house.session, house.now)
    assert house.line().word == "back: hard"
    house.session.execute(sa.update(chunks).where(chunks.c.state == "ready").values(not_before=None))
    assert house.claims()["new", "google"] == 5


def test_complaints_about_the_domains_mails_speak_against_the_next_step(house):
    house.plan(5)
    house.claims()
    for run in (house.old, house.new):
        fact = Fact(EventKind.COMPLAINED, house.now, f"c{run}", 1, None, run, 1, "mail", detail={})
        history.record(house.session, fact)
    step_all(house.session, house.now + DAY)
    words = {one.lane: one.word for one in lanes.warming_lines(house.session)}
    first = house.session.scalar(
        sa.select(chunks.c.lane).where(chunks.c.run_id == house.new, chunks.c.first_seq == 1)
    )
    assert words.pop(first) == "back: complained"
    assert set(words.values()) == {"on"}


def test_a_domain_that_was_silent_for_a_month_begins_anew(house):
    house.plan(5)
    house.claims()
    step_all(house.session, house.now + DAY)
    assert house.line().day == 1
    step_all(house.session, house.now + 30 * DAY)
    assert house.line().day == 1
    step_all(house.session, house.now + 40 * DAY)
    assert lanes.warming_lines(house.session) == []


def test_the_log_tells_of_idle_days_once(house):
    house.plan(5)
    house.claims()
    for day in range(50):
        step_all(house.session, house.now + day * DAY)
    told = house.session.scalars(sa.select(lane_log.c.what).where(lane_log.c.lane == "google")).all()
    assert sorted(one.partition("(")[2] for one in told) == ["back: idle)", "idle)", "on)"]


def test_what_came_back_is_asked_once_for_all_lanes_and_nothing_is_written_meanwhile(house):
    house.plan(5)
    house.claims()
    asked = []
    engine = house.session.get_bind()
    sa.event.listen(engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    assert len(lanes.warm_ups_due(house.session, house.now + DAY)) == 2
    assert sum("events" in one for one in asked) == 1
    assert all(one.lstrip().startswith("SELECT") and "FOR UPDATE" not in one for one in asked)


def test_a_step_that_another_worker_took_is_not_taken_again(house):
    house.plan(5)
    house.claims()
    due = lanes.warm_ups_due(house.session, house.now + DAY)
    assert [lanes.warm_up(house.session, house.now + DAY, due=one) for one in [*due, *due]] == [
        True,
        True,
        False,
        False,
    ]


def test_people_who_act_go_first_while_a_domain_is_new(house):
    assert not lanes.is_warming(house.session)
    house.plan(5)
    assert lanes.is_warming(house.session)


def test_a_test_mail_waits_for_no_cap(house):
    house.plan(5)
    house.session.execute(sa.update(runs).values(kind="test"))
    assert house.claims()["new", "google"] == 30
