"""Hits are judged together, at a bounded cost, and again when more is known or the rules are newer."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.config import from_environment
from campaigns.errors import BadInput, NotAllowed
from campaigns.flows import judging
from campaigns.model.customers import activity, contacts
from campaigns.model.events import events, hit_counts, verdict_rounds
from campaigns.model.events import hits as table
from campaigns.model.mail import messages
from campaigns.records import history, hits, links, rounds, tracking
from campaigns.records.consent import Provenance
from campaigns.records.reports import run_report, summary_lines
from campaigns.records.reports.figures import ApartLine
from campaigns.tracking.ranges import Range, RangeKind, Ranges
from campaigns.tracking.verdicts import RULES_VERSION
from campaigns.values import ContactId, EventKind, Fact, Hit, Link, Tracking
from campaigns.worker import Worker
from tests.factories import NOW, a_campaign, a_contact, a_run, a_topic

LATER = NOW + timedelta(days=1)
CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36"
OF_PEOPLE = ("accept-language", "sec-fetch-mode")
GATEWAY = "203.0.113.7"


def sent_to(session, *people):
    """A run whose mails were sent to these addresses; gives its id and the contacts by seq."""
    topic = a_topic(session)
    run = a_run(session, a_campaign(session, topic=topic))
    contacts_by_seq = {seq: a_contact(session, email=address) for seq, address in enumerate(people, start=1)}
    rows = [
        {"run_id": run, "seq": seq, "contact_id": contact, "address": address, "state": "sent", "at": NOW}
        for (seq, contact), address in zip(contacts_by_seq.items(), people, strict=True)
    ]
    session.execute(sa.insert(messages), rows)
    return run, contacts_by_seq


def click(
    run,
    seq,
    contact,
    seconds,
    *,
    link=1,
    agent=CHROME,
    address="198.51.100.4",
    kind="click",
    headers=OF_PEOPLE,
):
    at = NOW + timedelta(seconds=seconds)
    return Hit(at, kind, run, seq, contact, link if kind != "open" else None, "GET", agent, address, headers)


def verdicts(session, kind="clicked"):
    query = sa.select(events.c.verdict).where(events.c.kind == kind).order_by(events.c.at, events.c.id)
    return session.scalars(query).all()


@pytest.fixture
def ada(session):
    run, people = sent_to(session, "ada@example.com")
    return run, people[1]


def test_a_changed_verdict_brings_its_reasons_and_takes_back_the_moment_of_activity(session, ada):
    run, contact = ada
    hits.store(session, [click(run, 1, contact, 500), click(run, 1, contact, 4000, link=9)])
    judging.judge_hits(session, NOW + timedelta(hours=2))
    moment = sa.select(activity.c.last_clicked_at).where(activity.c.contact_id == contact)
    assert session.scalar(moment) == NOW + timedelta(seconds=4000)
    hits.store(session, [click(run, 1, contact, 4000 + n, link=n) for n in (1, 2, 3)])
    judging.judge_hits(session, LATER)
    assert verdicts(session) == ["human", "machine", "machine", "machine", "machine"]
    assert session.scalar(moment) == NOW + timedelta(seconds=500)
    details = session.scalars(sa.select(events.c.detail).order_by(events.c.id)).all()
    assert details[1]["reasons"] == ["4 links within 3 s"]
    assert details[1]["link"] == 9
    assert details[1]["points"] >= 4


def test_a_flood_on_one_message_is_judged_as_far_as_a_person_can_go(session, ada, monkeypatch):
    run, contact = ada
    monkeypatch.setattr(hits, "MOST", 50)
    monkeypatch.setattr(hits.of_messages, "__kwdefaults__", {"most": 50})
    hits.store(session, [click(run, 1, contact, 100 + n * 90, kind="open") for n in range(300)])
    other = sent_to(session, "bob@example.com")
    hits.store(session, [click(other[0], 1, other[1][1], 30_000)])
    assert judging.judge_hits(session, LATER + timedelta(days=2)) == 51
    assert hits.unjudged(session, until=LATER + timedelta(days=9), limit=10).messages == []
    assert len(verdicts(session, "opened")) == 50
    assert verdicts(session) == ["human"]
    hits.store(session, [click(run, 1, contact, 80_000, kind="open")])
    assert judging.judge_hits(session, LATER + timedelta(days=2)) == 0


def test_several_recipients_of_a_company_followed_from_one_address_are_a_gateways_doing(session):
    run, people = sent_to(session, *[f"p{n}@firm.example" for n in range(5)], "eve@gmail.com")
    by_gateway = [click(run, seq, contact, 20 + seq, address=GATEWAY) for seq, contact in people.items()]
    hits.store(session, by_gateway[:2])
    judging.judge_hits(session, NOW + timedelta(seconds=40))
    assert verdicts(session) == ["human", "human"]
    hits.store(session, by_gateway[2:])
    judging.judge_hits(session, LATER)
    judging.judge_hits(session, LATER)  # those that did not know of the crowd yet
    by_person = dict(
        session.execute(
            sa.select(contacts.c.email, events.c.verdict).join(events, events.c.contact_id == contacts.c.id)
        ).all()
    )
    assert by_person.pop("eve@gmail.com") == "human"  # people of a large provider are no crowd
    assert set(by_person.values()) == {"machine"}


def test_people_behind_one_door_who_click_in_one_minute_are_people(session):
    run, people = sent_to(session, *[f"p{n}@firm.example" for n in range(8)])
    hits.store(session, [click(run, seq, who, 3000 + 5 * seq) for seq, who in people.items()])
    judging.judge_hits(session, LATER)
    assert set(verdicts(session)) == {"human"}
    reasons = session.scalars(sa.select(events.c.detail)).first()["reasons"]
    assert reasons[1] == "7 others of the domain had theirs followed from there in a minute"


def test_published_networks_are_heard_when_hits_are_judged(session, ada):
    run, contact = ada
    ranges = Ranges([("203.0.113.0/24", Range(RangeKind.SCANNER, "Sentry"))])
    hits.store(session, [click(run, 1, contact, 5000, address=GATEWAY)])
    judging.judge_hits(session, LATER, ranges=ranges)
    assert verdicts(session) == ["machine"]


# ---- again


def all_again(session, since=None, **given):
    over = judging.open_round(session, since, now=LATER)
    steps = 0
    while over.finished_at is None:
        over, steps = judging.go_on(session, over, LATER, **given), steps + 1
    return over, steps


def test_a_round_says_what_changed_to_what_and_changes_nothing_the_second_time(session, ada):
    run, contact = ada
    hits.store(session, [click(run, 1, contact, 1000, address=GATEWAY), click(run, 1, contact, 5000)])
    judging.judge_hits(session, LATER)
    assert verdicts(session) == ["human", "human"]
    ranges = Ranges([("203.0.113.0/24", Range(RangeKind.SCANNER, "Sentry"))])
    over, _ = all_again(session, ranges=ranges)
    assert (over.judged, dict(over.changed)) == (2, {"human to machine": 1})
    assert verdicts(session) == ["machine", "human"]
    assert session.scalar(sa.select(activity.c.last_clicked_at)) == NOW + timedelta(seconds=5000)
    over, _ = all_again(session, ranges=ranges)
    assert (over.judged, dict(over.changed)) == (2, {})


def test_a_round_goes_in_steps_is_taken_up_again_and_meets_each_message_once(session, monkeypatch):
    monkeypatch.setattr(judging, "AT_ONCE", 3)
    run, people = sent_to(session, *[f"p{n}@example.com" for n in range(5)])
    order = [(seq, who, 1000 * turn) for turn in (1, 2) for seq, who in people.items()]
    hits.store(session, [click(run, seq, who, at) for seq, who, at in order])
    while judging.judge_hits(session, LATER):
        pass
    first = judging.go_on(session, judging.open_round(session, None, now=LATER), LATER)
    assert 0 < first.share < 1
    over, steps = all_again(session)  # the same round
    assert over.id == first.id
    assert steps >= 3
    assert over.judged == 10
    assert session.scalar(sa.select(sa.func.count()).select_from(verdict_rounds)) == 1


def test_another_round_waits_until_the_open_one_is_over(session, ada):
    run, contact = ada
    hits.store(session, [click(run, 1, contact, 1000)])
    judging.judge_hits(session, LATER)
    judging.open_round(session, None, now=LATER)
    with pytest.raises(NotAllowed, match="A round over all hits is under way"):
        judging.open_round(session, NOW, now=LATER)


def test_a_round_since_a_day_leaves_older_messages_alone(session):
    run, people = sent_to(session, "ada@example.com", "bob@example.com")
    hits.store(session, [click(run, 1, people[1], 1000), click(run, 2, people[2], 90_000)])
    judging.judge_hits(session, LATER + timedelta(days=1))
    ranges = Ranges([("198.51.100.0/24", Range(RangeKind.SCANNER, "Sentry"))])
    over, _ = all_again(session, since=LATER, ranges=ranges)
    assert over.judged == 1
    assert sorted(verdicts(session)) == ["human", "machine"]


def test_newer_rules_judge_all_again_by_themselves_and_once(session, ada, monkeypatch):
    run, contact = ada
    hits.store(session, [click(run, 1, contact, 1000)])
    judging.judge_hits(session, LATER)
    while judging.judge_again(session, LATER) is not None:
        pass
    assert not judging.is_due_again(session)
    monkeypatch.setattr(judging, "RULES_VERSION", RULES_VERSION + 1)
    assert judging.is_due_again(session)
    over = judging.judge_again(session, LATER)
    assert (over.version, over.judged) == (RULES_VERSION + 1, 1)
    assert over.finished_at is not None
    assert judging.judge_again(session, LATER) is None


HITS = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.sampled_from(["open", "click", "click", "view"]),
        st.integers(0, 4),
        st.sampled_from([CHROME, "curl/8", "Mozilla/5.0", ""]),
        st.sampled_from(["198.51.100.4", GATEWAY]),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@given(HITS, st.integers(1, 12), st.integers(0, 11))
@settings(max_examples=25, deadline=None)
def test_however_hits_come_in_the_verdicts_are_those_of_judging_all_at_once(session, seen, piece, turned):
    with session.begin_nested() as nested:
        run, people = sent_to(session, "ada@example.com")
        received = [
            click(run, 1, people[1], 5 * at, kind=kind, link=link, agent=agent, address=address)
            for at, kind, link, agent, address in seen
        ]
        received = received[turned % len(received) :] + received[: turned % len(received)]
        for start in range(0, len(received), piece):
            hits.store(session, received[start : start + piece])
            judging.judge_hits(session, LATER)
        by_pieces = session.execute(sa.select(table.c.id, table.c.verdict).order_by(table.c.id)).all()
        over, _ = all_again(session)
        assert dict(over.changed) == {}
        assert session.execute(sa.select(table.c.id, table.c.verdict).order_by(table.c.id)).all() == by_pieces
        stored = dict(session.execute(sa.select(events.c.dedupe, events.c.verdict)).all())
        assert {f"hit:{number}": verdict for number, verdict in by_pieces}.items() <= stored.items()
        nested.rollback()


# ---- levels of tracking


def chose(session, contact, level):
    tracking.choose(session, ContactId(contact), level, Provenance(NOW, "preferences", "a test"), now=NOW)


def counted(session):
    columns = (hit_counts.c.kind, hit_counts.c.link, hit_counts.c.verdict, hit_counts.c.count)
    return [tuple(row) for row in session.execute(sa.select(*columns).order_by(*columns))]


@pytest.mark.parametrize("level", [Tracking.AGGREGATE, Tracking.OFF])
def test_a_hit_of_a_contact_who_said_no_is_at_most_counted(session, ada, level):
    run, contact = ada
    chose(session, contact, level)
    hits.store(
        session,
        [click(run, 1, contact, 1000, link=2), click(run, 1, contact, 1500, link=2), click(run, 1, contact, 3, kind="open"),
         click(run, 1, contact, 9, agent="curl/8"), click(run, 1, contact, 9, kind="open", agent="Mozilla/5.0")],
    )  # fmt: skip
    assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 0
    assert judging.judge_hits(session, LATER) == 0
    in_all = [
        ("click", 1, "machine", 1), ("click", 2, "human", 2), ("open", -1, "human", 1), ("open", -1, "privacy", 1),
    ]  # fmt: skip
    assert counted(session) == (in_all if level is Tracking.AGGREGATE else [])
    chose(session, contact, Tracking.INDIVIDUAL)
    hits.store(session, [click(run, 1, contact, 5000)])
    assert judging.judge_hits(session, LATER) == 1
    assert [word.level for word in tracking.ledger(session, ContactId(contact))] == [
        Tracking.INDIVIDUAL,
        level,
    ]


@pytest.mark.parametrize("level", [Tracking.AGGREGATE, Tracking.OFF])
def test_a_hit_that_waits_while_its_contact_says_no_makes_no_event(session, ada, level):
    run, contact = ada
    hits.store(session, [click(run, 1, contact, 5000), click(run, 1, contact, 5001, kind="open")])
    session.execute(sa.update(messages).values(state="unknown"))
    chose(session, contact, level)
    assert judging.judge_hits(session, LATER) == 0
    assert session.execute(sa.select(events.c.kind)).all() == []
    assert session.execute(sa.select(activity)).all() == []
    assert judging.judge_hits(session, LATER) == 0


def test_a_hit_that_waits_while_the_installations_level_becomes_lower_makes_no_event(session):
    run, people = sent_to(session, "ada@example.com", "bob@example.com")
    hits.store(session, [click(run, seq, who, 5000) for seq, who in people.items()])
    chose(session, people[2], Tracking.INDIVIDUAL)
    assert judging.judge_hits(session, LATER, default=Tracking.AGGREGATE) == 1
    assert session.scalars(sa.select(events.c.contact_id).where(events.c.kind == "clicked")).all() == [
        people[2]
    ]


@pytest.mark.parametrize("level", [Tracking.AGGREGATE, Tracking.OFF])
def test_of_a_contact_who_said_no_a_verdict_comes_no_closer_and_may_go_away(session, ada, level):
    run, contact = ada
    hits.store(session, [click(run, 1, contact, 5000, agent="SomeMail/1.0", headers=())])
    judging.judge_hits(session, LATER)
    [before] = verdicts(session)
    assert before != "human"
    chose(session, contact, level)
    of_page = Fact(
        EventKind.CONSENT_WITHDRAWN, LATER, "page", contact, None, run, 1, detail={"how": "preferences page"}
    )
    history.record(session, of_page)
    hits.judge_again(session, run, 1)
    judging.judge_hits(session, LATER)
    assert verdicts(session) == [before]
    while judging.judge_again(session, LATER) is not None:
        pass
    assert verdicts(session) == [before]
    session.execute(sa.update(table).values(agent="curl/8"))
    hits.judge_again(session, run, 1)
    judging.judge_hits(session, LATER)
    assert verdicts(session) == ["machine"]


def test_where_the_installation_counts_all_together_only_a_yes_makes_it_one_by_one(session):
    run, people = sent_to(session, "ada@example.com", "bob@example.com")
    chose(session, people[2], Tracking.INDIVIDUAL)
    received = [click(run, seq, who, 1000) for seq, who in people.items()]
    hits.store(session, received, default=Tracking.AGGREGATE)
    assert session.scalars(sa.select(table.c.contact_id)).all() == [people[2]]
    assert counted(session) == [("click", 1, "human", 1)]


def test_where_the_installation_looks_at_nobody_a_yes_to_be_counted_counts(session):
    run, people = sent_to(session, "ada@example.com", "bob@example.com", "cy@example.com")
    chose(session, people[1], Tracking.AGGREGATE)
    chose(session, people[2], Tracking.INDIVIDUAL)
    received = [click(run, seq, who, 1000) for seq, who in people.items()]
    assert hits.store(session, received, default=Tracking.OFF) == 2
    assert session.scalars(sa.select(table.c.contact_id)).all() == [people[2]]
    assert counted(session) == [("click", 1, "human", 1)]


def test_a_link_of_nobody_in_particular_is_only_counted(session, ada):
    run, _ = ada
    hits.store(session, [click(run, 0, 0, 1000)])
    assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 0
    assert counted(session) == [("click", 1, "human", 1)]


def test_saying_the_same_again_adds_nothing_to_the_ledger(session, ada):
    _, contact = ada
    assert tracking.level(session, ContactId(contact)) is None
    chose(session, contact, Tracking.OFF)
    chose(session, contact, Tracking.OFF)
    assert len(tracking.ledger(session, ContactId(contact))) == 1
    assert tracking.level(session, ContactId(contact)) is Tracking.OFF


def test_a_report_tells_apart_what_is_counted_without_a_name(session, ada):
    run, contact = ada
    links.add(session, run, "en", [Link(1, "https://shop.example/a"), Link(2, "https://shop.example/b")])
    assert not run_report(session, run, LATER).apart.any
    hits.store(session, [click(run, 1, contact, 900)])
    nobody = [click(run, 0, 0, 1000, link=2), click(run, 0, 0, 1001, link=2), click(run, 0, 0, 1, link=0),
              click(run, 0, 0, 5, kind="open"), click(run, 0, 0, 5, kind="open", agent="Mozilla/5.0")]  # fmt: skip
    hits.store(session, nobody)
    judging.judge_hits(session, LATER)
    report = run_report(session, run, LATER)
    assert (report.clicked.human, report.click_rate.count) == (1, 1)
    assert report.apart.clicked == ApartLine(2, 1)
    assert report.apart.opened == ApartLine(1, 1)
    assert dict(report.apart.links) == {2: 2}
    assert dict(summary_lines(report))["clicks counted without a name"] == 2


# ---- the worker


def test_the_worker_judges_with_the_networks_that_are_loaded_and_again_when_rules_are_newer(stores, tmp_path):
    settings = from_environment({"POSTROOM_DATA": str(tmp_path)})
    worker = Worker(stores, settings, clock=lambda: LATER)
    ticks = {name: tick for name, _, tick in worker.ticks()}
    ticks["verdicts"]()
    with stores.sessions.begin() as session:
        run, people = sent_to(session, "ada@example.com")
        hits.store(session, [click(run, 1, people[1], 900, address=GATEWAY)])
    (tmp_path / "ranges").mkdir()
    (tmp_path / "ranges" / "scanner-sentry.txt").write_text("203.0.113.0/24\n")
    ticks["hits"]()
    with stores.sessions.begin() as session:
        assert verdicts(session) == ["machine"]
        older = sa.update(events).values(verdict="human")
        session.execute(older)
        session.execute(sa.update(table).values(verdict="human"))
        session.execute(sa.update(verdict_rounds).values(version=RULES_VERSION - 1))
    ticks["verdicts"]()
    with stores.readers() as session:
        assert verdicts(session) == ["machine"]
        newest = rounds.newest(session)
        assert newest is not None
        assert (newest.version, dict(newest.changed)) == (RULES_VERSION, {"human to machine": 1})


def test_a_list_of_networks_that_is_broken_keeps_no_hit_from_being_judged(stores, tmp_path):
    worker = Worker(stores, from_environment({"POSTROOM_DATA": str(tmp_path)}), clock=lambda: LATER)
    tick = {name: tick for name, _, tick in worker.ticks()}["hits"]
    with stores.sessions.begin() as session:
        run, people = sent_to(session, "ada@example.com")
        hits.store(session, [click(run, 1, people[1], 900, address=GATEWAY)])
    (tmp_path / "ranges").mkdir()
    (tmp_path / "ranges" / "scanner-sentry.txt").write_text("nonsense\n")
    with pytest.raises(BadInput, match=r"scanner-sentry.txt line 1: 'nonsense' is no network"):
        tick()
    tick()
    with stores.readers() as session:
        assert verdicts(session) == ["human"]
