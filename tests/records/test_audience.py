"""The freeze: who becomes a message, who is stopped and by which gate."""

from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.delivery.lanes import LANES, lane_of
from campaigns.model.customers import contacts
from campaigns.model.dialect import insert_many
from campaigns.model.lanes import domains
from campaigns.model.mail import chunks, messages, run_gates
from campaigns.model.service import cases
from campaigns.records import audience, campaigns, consent, gates, suppressions
from campaigns.records.consent import Provenance
from campaigns.values import ContactId, EventKind, Fact, TopicClass
from tests.factories import NOW, SECRET, a_campaign, a_contact, a_customer, a_run, a_topic

EVERYBODY = sa.select(contacts.c.id)


def frozen(session, run, *, cap=None, hold_out=0, per_minute=None):
    campaign = campaigns.get(session, campaigns.get_run(session, run).campaign_id)
    asked = gates.of_campaign(session, campaign, campaign.topic_id, now=NOW)
    return audience.freeze(
        session,
        run,
        EVERYBODY,
        asked,
        hold_out_percent=hold_out,
        salt=campaign.id,
        timing=audience.Timing(per_minute),
        now=NOW,
    )


def gate_of(session, run):
    rows = session.execute(sa.select(messages.c.contact_id, messages.c.gate).where(messages.c.run_id == run))
    return dict(rows.all())


def test_each_gate_stops_whom_it_should_and_is_counted(session):
    topic = a_topic(session)
    fine = a_contact(session, topic=topic)
    silent = a_contact(session)
    gone = a_contact(session, topic=topic)
    consent.withdraw(
        session, ContactId(gone), topic, Provenance(NOW + timedelta(seconds=1), "unsubscribe"), now=NOW
    )
    dead = a_contact(session, email="dead@example.com", topic=topic)
    suppressions.add(session, suppressions.address_hash(SECRET, "dead@example.com"), "hard bounce", now=NOW)
    unreachable = a_contact(session, email=None, topic=topic)
    angry_customer = a_customer(session)
    angry = a_contact(session, topic=topic, customer_id=angry_customer)
    session.execute(
        sa.insert(cases).values(customer_id=angry_customer, kind="complaint", subject="late", opened_at=NOW)
    )
    held = a_contact(
        session, topic=topic, customer_id=a_customer(session, hold_until=NOW + timedelta(days=1))
    )
    no_longer_held = a_contact(
        session, topic=topic, customer_id=a_customer(session, hold_until=NOW - timedelta(days=1))
    )
    twin = a_contact(session, email="twin@example.com", topic=topic)
    second_twin = a_contact(session, email="twin@example.com", topic=topic)
    erased = a_contact(session, email=None, topic=topic, erased_at=NOW)

    run = a_run(session, a_campaign(session, topic=topic))
    assert frozen(session, run) == 3
    assert gate_of(session, run) == {
        fine: None,
        silent: "no consent",
        gone: "no consent",
        dead: "suppressed",
        unreachable: "no address",
        angry: "complaint open",
        held: "held by rep",
        no_longer_held: None,
        twin: None,
        second_twin: "duplicate address",
        erased: "erased",
    }
    counted = dict(session.execute(sa.select(run_gates.c.gate, run_gates.c.count)).all())
    assert counted == Counter(gate for gate in gate_of(session, run).values() if gate)
    kept = campaigns.get_run(session, run)
    assert (kept.audience, kept.mailable) == (11, 3)


def test_a_twin_takes_the_place_of_one_that_another_gate_stops(session):
    topic = a_topic(session)
    silent = a_contact(session, email="same@example.com")
    speaking = a_contact(session, email="same@example.com", topic=topic)
    run = a_run(session, a_campaign(session, topic=topic))
    frozen(session, run)
    assert gate_of(session, run) == {silent: "no consent", speaking: None}


def test_a_no_holds_for_all_contacts_at_the_address_until_one_of_them_says_yes_again(session):
    topic = a_topic(session)
    leaver = a_contact(session, email="same@example.com", topic=topic)
    twin = a_contact(session, email="same@example.com", topic=topic)
    elsewhere = a_contact(session, topic=topic)

    def say(contact, state, hours):
        how = Provenance(NOW + timedelta(hours=hours), "import")
        consent.append(session, ContactId(contact), topic, consent.ConsentState(state), how, now=NOW)

    def gates_now():
        run = a_run(session, a_campaign(session, topic=topic))
        frozen(session, run)
        return gate_of(session, run)

    say(leaver, "withdrawn", 1)
    assert gates_now() == {leaver: "no consent", twin: "no consent", elsewhere: None}
    say(twin, "granted", 2)
    assert gates_now() == {leaver: "no consent", twin: None, elsewhere: None}
    say(leaver, "withdrawn", 3)
    say(leaver, "granted", 4)
    assert gates_now() == {leaver: None, twin: "duplicate address", elsewhere: None}


def test_service_mail_heeds_a_no_of_another_contact_at_the_address(session):
    topic = a_topic(session, TopicClass.SERVICE)
    leaver = a_contact(session, email="same@example.com")
    twin = a_contact(session, email="same@example.com")
    consent.withdraw(session, ContactId(leaver), topic, Provenance(NOW, "preferences"), now=NOW)
    run = a_run(session, a_campaign(session, topic=topic))
    frozen(session, run)
    assert gate_of(session, run) == {leaver: "no consent", twin: "no consent"}


def test_service_mail_needs_no_yes_but_respects_a_no_and_ignores_complaints(session):
    topic = a_topic(session, TopicClass.SERVICE)
    customer = a_customer(session)
    silent = a_contact(session, customer_id=customer)
    session.execute(
        sa.insert(cases).values(customer_id=customer, kind="complaint", subject="late", opened_at=NOW)
    )
    gone = a_contact(session)
    consent.withdraw(session, ContactId(gone), topic, Provenance(NOW, "preferences"), now=NOW)
    run = a_run(session, a_campaign(session, topic=topic))
    frozen(session, run)
    assert gate_of(session, run) == {silent: None, gone: "no consent"}


def test_a_contact_that_had_its_share_of_marketing_is_capped(session):
    from campaigns.records import history

    topic = a_topic(session)
    full, fresh = a_contact(session, topic=topic), a_contact(session, topic=topic)
    campaign = a_campaign(session, topic=topic, cap_count=2, cap_days=7)
    earlier = a_run(session, campaign, occurrence="earlier")
    for number, days in enumerate((1, 2, 30)):
        history.record(
            session,
            Fact(
                EventKind.SENT,
                NOW - timedelta(days=days),
                f"s{number}",
                contact=full,
                run=earlier,
                seq=number,
            ),
        )
        if number:
            history.record(
                session,
                Fact(
                    EventKind.SENT,
                    NOW - timedelta(days=days),
                    f"f{number}",
                    contact=fresh,
                    run=earlier,
                    seq=9 + number,
                ),
            )
    run = a_run(session, campaign)
    frozen(session, run)
    assert gate_of(session, run) == {full: "frequency cap", fresh: None}


def test_a_second_freeze_of_the_same_run_changes_nothing(session):
    topic = a_topic(session)
    a_contact(session, topic=topic)
    run = a_run(session, a_campaign(session, topic=topic))
    assert frozen(session, run) == 1
    a_contact(session, topic=topic)
    assert frozen(session, run) == 0
    assert session.scalar(sa.select(sa.func.count()).select_from(messages)) == 1


def test_the_mailable_are_numbered_without_gaps_and_cut_into_chunks(session):
    topic = a_topic(session)
    for number in range(7):
        a_contact(session, topic=topic if number % 2 else None)
    run = a_run(session, a_campaign(session, topic=topic))
    assert frozen(session, run, per_minute=12) == 3
    rows = session.execute(sa.select(messages.c.seq, messages.c.state).order_by(messages.c.seq)).all()
    assert [tuple(row) for row in rows] == [(n, "queued") for n in (1, 2, 3)] + [
        (n, "skipped") for n in (4, 5, 6, 7)
    ]
    cut = session.execute(
        sa.select(chunks.c.first_seq, chunks.c.last_seq, chunks.c.not_before).order_by(chunks.c.number)
    ).all()
    assert [tuple(row) for row in cut] == [(1, 2, NOW), (3, 3, NOW + timedelta(seconds=10))]


def test_the_hold_out_is_near_its_share_and_the_same_for_preview_and_freeze(session):
    topic = a_topic(session)
    for _ in range(400):
        a_contact(session, topic=topic)
    campaign = a_campaign(session, topic=topic)
    asked = gates.of_campaign(session, campaigns.get(session, campaign), topic, now=NOW)
    before = audience.preview(session, EVERYBODY, asked, hold_out_percent=20, salt=campaign)
    run = a_run(session, campaign)
    assert frozen(session, run, hold_out=20) == before["mailable"]
    assert before == {"mailable": 400 - before["hold-out"], "hold-out": before["hold-out"]}
    assert 40 <= before["hold-out"] <= 125


def gate_in_python(email, newest, no_at, taken, *, complains):
    at, _, state = newest
    if email is None:
        return "no address"
    if state != "granted" or no_at >= at:
        return "no consent"
    if complains:
        return "complaint open"
    if email in taken:
        return "duplicate address"
    taken.add(email)
    return None


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, "a@x.example", "b@x.example", "c@x.example"]),
            st.lists(
                st.tuples(st.sampled_from(["granted", "withdrawn", "pending"]), st.integers(0, 3)), max_size=3
            ),
            st.booleans(),
        ),
        max_size=8,
    )
)
def test_the_freeze_agrees_with_the_rules_said_in_python(session, people):
    """Random people: address, words on the topic at moments in any order, complaint or not."""
    with session.begin_nested() as inside:
        topic = a_topic(session)
        expected, taken = {}, set()
        told, nos = [], {}
        others = sa.select(contacts.c.id).where(
            contacts.c.id > (session.scalar(sa.select(sa.func.max(contacts.c.id))) or 0)
        )
        for email, words, complains in people:
            customer = a_customer(session)
            contact = a_contact(session, email=email, customer_id=customer)
            newest = (-1, -1, None)
            for place, (state, hours) in enumerate(words):
                at = NOW - timedelta(hours=hours)
                said = consent.ConsentState(state)
                grew = consent.append(
                    session, ContactId(contact), topic, said, Provenance(at, "form"), now=NOW
                )
                if grew:
                    newest = max(newest, (-hours + 10, place, state), key=lambda word: word[:2])
            if complains:
                session.execute(
                    sa.insert(cases).values(customer_id=customer, kind="complaint", subject="", opened_at=NOW)
                )
            told.append((contact, email, newest, complains))
            if newest[2] == "withdrawn":
                nos[email] = max(nos.get(email, 0), newest[0])
        for contact, email, newest, complains in told:
            expected[contact] = gate_in_python(email, newest, nos.get(email, 0), taken, complains=complains)
        campaign = a_campaign(session, topic=topic)
        run = a_run(session, campaign)
        asked = gates.of_campaign(session, campaigns.get(session, campaign), topic, now=NOW)
        counted = Counter(gate or "mailable" for gate in expected.values())
        assert audience.preview(session, others, asked, hold_out_percent=0, salt=1) == counted
        audience.freeze(session, run, others, asked, hold_out_percent=0, salt=1, now=NOW)
        assert gate_of(session, run) == expected
        inside.rollback()


def test_looking_a_few_people_up_costs_the_same_however_many_have_left(stores):
    """In steps of the database, whose count does not hang on the machine."""
    if stores.engine.dialect.name != "sqlite":
        pytest.skip("only SQLite counts its steps")
    with stores.sessions.begin() as session:
        topic = a_topic(session)
        someone = a_contact(session, topic=topic)
        asked = gates.of_campaign(
            session, campaigns.get(session, a_campaign(session, topic=topic)), topic, now=NOW
        )
        members = EVERYBODY.where(contacts.c.id == someone)

        def steps():
            made = 0

            def step():
                nonlocal made
                made += 1

            connection = session.connection().connection.driver_connection
            connection.set_progress_handler(step, 1)
            assert audience.preview(session, members, asked, hold_out_percent=0, salt=1) == {"mailable": 1}
            assert list(session.scalars(audience.mailable(members, asked))) == [someone]
            connection.set_progress_handler(None, 1)
            return made

        before = steps()
        for _ in range(50):
            left = a_contact(session)
            consent.withdraw(session, ContactId(left), topic, Provenance(NOW, "unsubscribe"), now=NOW)
        assert steps() <= before + 100


def lanes_of_messages(session, run):
    rows = session.execute(
        sa.select(chunks.c.number, chunks.c.lane, chunks.c.first_seq, chunks.c.last_seq, messages.c.address)
        .join(messages, messages.c.seq.between(chunks.c.first_seq, chunks.c.last_seq))
        .where(chunks.c.run_id == run, messages.c.run_id == run)
        .order_by(messages.c.seq)
    )
    return [(row.number, row.lane, row.address) for row in rows]


def test_a_chunk_holds_one_lane_only_and_every_mailable_message_is_in_one(session, monkeypatch):
    monkeypatch.setattr(audience, "CHUNK", 4)
    topic = a_topic(session)
    domains = ["gmail.com", "firm.example", "web.de", "googlemail.com", "hotmail.co.uk", "gmx.net"]
    wanted = [f"p{n}@{domains[n * n % 6]}" for n in range(40)]
    for email in wanted:
        a_contact(session, email=email, topic=topic)
    a_contact(session, email="silent@gmail.com")
    run = a_run(session, a_campaign(session, topic=topic))
    assert frozen(session, run) == 40
    found = lanes_of_messages(session, run)
    assert sorted(address for _, _, address in found) == sorted(wanted)
    assert [lane for _, lane, _ in found] == [lane_of(address.partition("@")[2]) for _, _, address in found]
    per_lane = Counter(lane_of(email.partition("@")[2]) for email in wanted)
    cut = Counter(session.scalars(sa.select(chunks.c.lane).where(chunks.c.run_id == run)))
    assert cut == {lane: -(-count // 4) for lane, count in per_lane.items()}


def test_what_was_heard_of_a_domain_names_its_lane_unless_the_table_does(session):
    heard = {"a.example": "google", "b.example": "microsoft", "c.example": "of old", "gmail.com": "yahoo"}
    heard = {domain: lane for domain, lane in heard.items() if lane == "of old" or lane in audience.PLACES}
    insert_many(session, domains, ("domain", "lane", "state"), ((*one, "taken") for one in heard.items()))
    topic = a_topic(session)
    for n in range(8):
        for domain in (*heard, "d.example"):
            a_contact(session, topic=topic, email=f"p{n}@{domain}")
    run = a_run(session, a_campaign(session, topic=topic))
    frozen(session, run)
    wanted = {domain: audience.PLACES.get(lane) and lane for domain, lane in heard.items()} | LANES
    found = set()
    c = chunks.c
    for one in session.execute(sa.select(c.lane, c.first_seq, c.last_seq).where(c.run_id == run)):
        within = messages.c.seq.between(one.first_seq, one.last_seq)
        addresses = session.scalars(sa.select(messages.c.address).where(messages.c.run_id == run, within))
        found |= {(address.rpartition("@")[2], one.lane) for address in addresses}
    assert found == {(domain, wanted.get(domain) or "other") for domain in (*heard, "d.example")}


def test_a_small_run_does_not_pay_for_all_domains_that_were_ever_heard_of(session, monkeypatch):
    rows = ((f"firm{n}.example", "google", "taken") for n in range(2000))
    insert_many(session, domains, ("domain", "lane", "state"), rows)
    topic = a_topic(session)
    a_contact(session, topic=topic, email="ana@firm7.example")
    run = a_run(session, a_campaign(session, topic=topic))
    written = []

    def noting(session, table, columns, rows, **how):
        listed = list(rows)
        written.extend(listed)
        return insert_many(session, table, columns, listed, **how)

    monkeypatch.setattr(audience, "insert_many", noting)
    frozen(session, run)
    assert session.scalar(sa.select(chunks.c.lane).where(chunks.c.run_id == run)) == "google"
    assert len(written) <= len(LANES) + 1


def test_chunks_of_all_lanes_are_mixed_so_that_none_waits_for_another(session, monkeypatch):
    monkeypatch.setattr(audience, "CHUNK", 2)
    topic = a_topic(session)
    for n in range(24):
        a_contact(session, email=f"p{n}@{'gmail.com' if n % 3 else 'icloud.com'}", topic=topic)
    run = a_run(session, a_campaign(session, topic=topic))
    frozen(session, run, per_minute=60)
    rows = session.execute(sa.select(chunks.c.lane, chunks.c.not_before).order_by(chunks.c.number)).all()
    assert [row.lane for row in rows] == ["google", "apple", "google"] * 4
    assert [row.not_before for row in rows] == [NOW + timedelta(seconds=2 * n) for n in range(12)]


def test_those_entered_together_do_not_follow_each_other(session):
    topic = a_topic(session)
    for n in range(64):
        a_contact(session, email=f"p{n}@{'one' if n < 32 else 'two'}.example", topic=topic)
    run = a_run(session, a_campaign(session, topic=topic))
    frozen(session, run)
    order = [address for _, _, address in lanes_of_messages(session, run)]
    firsts = Counter(address.partition("@")[2] for address in order[:32])
    assert firsts["one.example"] == firsts["two.example"] == 16
