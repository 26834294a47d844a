"""PostgreSQL's partitions: made ahead, filled apart, dropped by month; nothing fails without them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from time import sleep

import pytest
import sqlalchemy as sa

from campaigns.model.events import event_keys, events
from campaigns.model.mail import messages
from campaigns.records import history, outbox, partitions
from campaigns.values import EventKind, Fact, Outcome, OutcomeKind
from tests.factories import NOW, a_campaign, a_contact, a_run, a_topic
from tests.records.test_audience import frozen, gate_of


@pytest.fixture
def divided(session):
    if session.get_bind().dialect.name == "sqlite":
        pytest.skip("SQLite divides nothing")
    return session


def rows_by_partition(session, table):
    name = sa.literal_column(f"{table}.tableoid::regclass::text")
    return dict(
        session.execute(sa.select(name, sa.func.count()).select_from(sa.table(table)).group_by(name)).all()
    )


def a_run_to(session, people):
    topic = a_topic(session)
    for _ in range(people):
        a_contact(session, topic=topic)
    a_contact(session)
    return a_run(session, a_campaign(session, topic=topic))


def test_partitions_are_made_ahead_once(session):
    made = partitions.make_ahead(session, NOW)
    if session.get_bind().dialect.name == "sqlite":
        assert made == []
        return
    months = ["events_2025_11", "events_2026_11", "events_2027_01"]
    assert set(months) <= set(made)
    assert len(made) == 15 + 2
    assert partitions.make_ahead(session, NOW + timedelta(days=2)) == []
    assert partitions.make_ahead(session, NOW + timedelta(days=20)) == ["events_2027_02"]
    assert partitions.months(session)[0] == date(2025, 11, 1)


def test_what_came_before_its_partition_is_moved_into_it(divided):
    for days in (0, 40, 4000):
        history.record(divided, Fact(EventKind.NOTE, NOW - timedelta(days=days), f"k{days}"))
    run = a_run_to(divided, 2)
    frozen(divided, run)
    assert rows_by_partition(divided, "messages") == {"messages_default": 3}
    partitions.make_ahead(divided, NOW)
    assert rows_by_partition(divided, "events") == {
        "events_2026_11": 1,
        "events_2026_10": 1,
        "events_default": 1,
    }
    assert rows_by_partition(divided, "messages") == {"messages_from_0_small": 3}


def test_who_writes_while_a_table_is_divided_waits_and_is_not_refused(divided, stores):
    divided.rollback()

    def write():
        with stores.sessions.begin() as session:
            history.record(session, Fact(EventKind.NOTE, NOW, "while"))

    with ThreadPoolExecutor(1) as beside:
        with stores.sessions.begin() as dividing:
            partitions.make_ahead(dividing, NOW, ("events",))
            writing = beside.submit(write)
            with pytest.raises(TimeoutError):
                writing.result(0.5)
        writing.result(120)
    assert rows_by_partition(divided, "events") == {"events_2026_11": 1}


@pytest.mark.timed
def test_who_read_a_table_and_then_writes_it_is_in_no_deadlock_with_its_division(
    divided, stores, monkeypatch
):
    monkeypatch.setattr(partitions, "GIVE_WAY", "800ms")
    divided.rollback()

    def divide():
        with stores.sessions.begin() as dividing:
            return partitions.make_ahead(dividing, NOW, ("events",))

    with ThreadPoolExecutor(1) as beside:
        with stores.sessions.begin() as session:
            history.timeline(session, contact=1)  # so the default partition is held
            dividing = beside.submit(divide)
            sleep(0.2)
            assert not dividing.done()  # it has the table, and waits for its default partition
            assert history.record(session, Fact(EventKind.NOTE, NOW, "while"))
            assert dividing.result(120) == []
        assert len(divide()) == 15
    assert rows_by_partition(divided, "events") == {"events_2026_11": 1}


def test_who_reads_while_rows_are_put_into_their_partition_finds_them(divided, stores):
    divided.rollback()
    with stores.sessions.begin() as session:
        history.record(session, Fact(EventKind.NOTE, NOW, "before"))  # in the default partition

    def counted():
        with stores.readers() as session:
            return session.scalar(sa.select(sa.func.count()).select_from(events))

    waiting = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with ThreadPoolExecutor(1) as beside:
        with stores.sessions.begin() as session:
            partitions.make_ahead(session, NOW)
            reading = beside.submit(counted)
            while not reading.done() and not divided.scalar(waiting):
                sleep(0.01)
        assert reading.result(120) == 1


@pytest.mark.parametrize("ahead", [True, False])
def test_an_event_is_the_same_event_in_whichever_month_it_is_told_again(session, ahead):
    if ahead:
        partitions.make_ahead(session, NOW)
    fact = Fact(EventKind.BOUNCED, NOW, "bounced:1:1")
    later = Fact(EventKind.BOUNCED, NOW + timedelta(days=45), "bounced:1:1")
    assert history.record_many(session, [fact, later, fact]) == 1
    assert history.record(session, later) is False
    assert session.scalars(sa.select(events.c.at)).all() == [NOW]
    if session.get_bind().dialect.name == "postgresql":
        assert session.execute(sa.select(event_keys.c.dedupe, event_keys.c.at)).all() == [
            ("bounced:1:1", NOW)
        ]


@pytest.mark.parametrize("ahead", [True, False])
def test_a_large_run_has_a_partition_of_its_own_and_a_small_one_has_not(divided, monkeypatch, ahead):
    if ahead:
        partitions.make_ahead(divided, NOW)
    small, large = a_run_to(divided, 2), a_run_to(divided, 3)
    frozen(divided, small)
    monkeypatch.setattr(partitions, "LARGE", 6)
    assert frozen(divided, large) == 3
    found = rows_by_partition(divided, "messages")
    assert found[f"messages_run_{large}"] == len(gate_of(divided, large)) == 7
    assert sum(found.values()) == 7 + 7
    with pytest.raises(sa.exc.IntegrityError), divided.begin_nested():
        divided.execute(
            sa.insert(messages).from_select(
                ["run_id", "seq", "contact_id", "state"],
                sa.select(messages.c.run_id, messages.c.seq + 100, messages.c.contact_id, messages.c.state),
            )
        )


@pytest.mark.parametrize("ahead", [True, False])
def test_the_planner_knows_of_a_run_among_others_before_the_first_chunk_is_read(divided, monkeypatch, ahead):
    if ahead:
        partitions.make_ahead(divided, NOW)
    monkeypatch.setattr(partitions, "KNOWN", 10)
    first, second = a_run_to(divided, 20), a_run_to(divided, 1)
    frozen(divided, first)
    frozen(divided, second)
    for run in (first, second):
        plan = divided.scalar(
            sa.text(f"EXPLAIN (FORMAT JSON) SELECT * FROM messages WHERE run_id = {run} AND seq < 1000")
        )
        there = divided.scalar(sa.select(sa.func.count()).where(messages.c.run_id == run))
        assert plan[0]["Plan"]["Plan Rows"] == there


def test_a_run_is_frozen_though_somebody_cleans_its_table_up_for_long(divided, stores, monkeypatch):
    divided.rollback()
    with stores.sessions.begin() as writing:
        run = a_run_to(writing, 3)
    monkeypatch.setattr(partitions, "KNOWN", 1)
    monkeypatch.setattr(partitions, "PATIENCE", "50ms")
    with stores.sessions.begin() as cleaning:
        cleaning.execute(sa.text("LOCK TABLE messages_default IN SHARE UPDATE EXCLUSIVE MODE"))
        with stores.sessions.begin() as writing:
            assert frozen(writing, run) == 3
    assert rows_by_partition(divided, "messages") == {"messages_default": 4}


def test_a_large_run_goes_to_the_shared_partition_when_that_is_held_for_too_long(
    divided, stores, monkeypatch
):
    divided.rollback()
    with stores.sessions.begin() as writing:
        partitions.make_ahead(writing, NOW)
        run = a_run_to(writing, 3)
    monkeypatch.setattr(partitions, "LARGE", 1)
    monkeypatch.setattr(partitions, "PATIENCE", "50ms")
    with stores.readers() as reading:
        reading.execute(sa.text("SELECT * FROM messages_from_0_small")).all()
        with stores.sessions.begin() as writing:
            assert frozen(writing, run) == 3
    assert rows_by_partition(divided, "messages") == {"messages_from_0_small": 4}


def test_a_large_run_whose_partitions_nobody_made_yet_keeps_no_writer_waiting(divided, stores, monkeypatch):
    divided.rollback()
    with stores.sessions.begin() as writing:
        run = a_run_to(writing, 3)
    monkeypatch.setattr(partitions, "LARGE", 1)
    monkeypatch.setattr(partitions, "GIVE_WAY", "50ms")
    with stores.readers() as reading:
        reading.execute(sa.text("SELECT * FROM messages_default")).all()
        with pytest.raises(sa.exc.OperationalError, match="lock timeout"), stores.sessions.begin() as writing:
            frozen(writing, run)
    with stores.sessions.begin() as writing:
        assert frozen(writing, run) == 3
    assert rows_by_partition(divided, "messages") == {f"messages_run_{run}": 4}


def test_settling_changes_rows_in_place(divided, stores, monkeypatch):
    """HOT: no index names the state, and each page has room for the next one of its rows."""
    divided.rollback()
    monkeypatch.setattr(partitions, "LARGE", 1)
    with stores.sessions.begin() as writing:
        run = a_run_to(writing, 200)
        frozen(writing, run)
    with stores.sessions.begin() as writing:
        while (chunk := outbox.claim(writing, "test")) is not None:
            sent = {seq: Outcome(OutcomeKind.SENT, 250, "ok") for seq in range(chunk.first, chunk.last + 1)}
            outbox.settle(writing, chunk, sent, skipped={}, retry_at=None, now=NOW)
        writing.execute(sa.text("SELECT pg_stat_force_next_flush()"))
    moved = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = :name"
    updated, in_place = divided.execute(sa.text(moved), {"name": f"messages_run_{run}"}).one()
    assert updated == 200
    assert in_place >= 150  # a whole page is changed at once, and has room for most of its rows' next state


def test_what_sending_changes_has_room_on_its_pages(divided):
    partitions.make_ahead(divided, NOW)
    leaves = "SELECT relid FROM pg_partition_tree('messages') WHERE isleaf UNION SELECT 'activity'::regclass"
    options = divided.execute(
        sa.text(f"SELECT relname, reloptions FROM pg_class WHERE oid IN ({leaves})")
    ).all()
    assert len(options) > 2
    assert {tuple(found or ()) for _, found in options} == {("fillfactor=50",)}


def test_a_month_is_dropped_with_all_its_events_and_no_others(divided):
    partitions.make_ahead(divided, NOW)
    for days in (0, 40):
        history.record(divided, Fact(EventKind.NOTE, NOW - timedelta(days=days), f"k{days}"))
    partitions.drop_month(divided, date(2026, 10, 1))
    assert divided.scalars(sa.select(events.c.dedupe)).all() == ["k0"]
    assert date(2026, 10, 1) not in partitions.months(divided)
