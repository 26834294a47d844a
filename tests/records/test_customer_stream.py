"""The stream: everything once, newest first, whatever the pages it is read in."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.model.consent import consents
from campaigns.model.mail import messages, runs
from campaigns.records import customers, history
from campaigns.records.customers import Cursor
from campaigns.records.customers.stream import GROUPS, Unsent
from campaigns.values import EventKind, Fact, Verdict
from tests.factories import NOW, a_campaign, a_contact, a_customer, a_run, a_topic

#: Few moments, so that many things happen at the same one.
MOMENTS = st.integers(0, 4).map(lambda hours: NOW - timedelta(hours=hours))
HAPPENED = st.tuples(
    MOMENTS, st.sampled_from(list(EventKind)), st.sampled_from(list(Verdict)), st.integers(0, 2)
)
SKIPPED = st.tuples(st.none() | MOMENTS, st.booleans())
WORDS, SOURCES = ("granted", "pending", "withdrawn"), ("import", "form")
NOT_PEOPLE = {"machine", "privacy"}


def read_through(session, customer, limit, **how):
    seen, after = [], None
    for _ in range(60):
        page = customers.stream(session, customer, after=after, limit=limit, **how)
        assert len(page.entries) <= limit
        seen += page.entries
        if page.next is None:
            return seen
        after = Cursor(*map(int, str(page.next).split(".")))
    raise AssertionError("the stream does not end")


def key(entry):
    if isinstance(entry, Unsent):
        return "unsent", entry.run, entry.seq
    if entry.id:
        return "event", entry.id
    return ("word", entry.detail["word"]) if "word" in entry.detail else ("arrival", entry.contact)


@settings(max_examples=25, deadline=None)
@given(
    happened=st.lists(HAPPENED, max_size=14),
    skipped=st.lists(SKIPPED, max_size=5),
    arrived=st.lists(MOMENTS, max_size=4),
    said=st.lists(st.tuples(MOMENTS, st.sampled_from(WORDS), st.sampled_from(SOURCES)), max_size=5),
    limit=st.integers(1, 6),
    group=st.none() | st.sampled_from(sorted(GROUPS)),
    only_people=st.booleans(),
)
def test_pages_have_no_gaps_and_no_doubles(
    session, happened, skipped, arrived, said, limit, group, only_people
):
    with session.begin_nested() as inner:
        customer, other = a_customer(session), a_customer(session)
        mine = a_contact(session, customer_id=customer)
        strangers = a_contact(session, customer_id=other)
        topic = a_topic(session)
        for number, (at, kind, verdict, whose) in enumerate(happened):
            # of a contact of mine, of the customer as a whole, or of somebody else
            contact, of = ((mine, None), (None, customer), (strangers, other))[whose]
            history.record(session, Fact(kind, at, f"n{number}", contact, of, verdict=verdict))
        for number, (at, is_mine) in enumerate(skipped):
            run = a_run(session, a_campaign(session, topic=topic), occurrence=f"o{number}")
            session.execute(
                sa.update(runs).where(runs.c.id == run).values(frozen_at=NOW - timedelta(hours=2))
            )
            session.execute(
                sa.insert(messages).values(
                    run_id=run,
                    seq=1,
                    contact_id=mine if is_mine else strangers,
                    state="skipped",
                    gate="no consent",
                    at=at,
                )
            )
        for line, at in enumerate(arrived):
            a_contact(session, customer_id=customer, created_at=at, import_id=1, import_line=line)
        for at, state, source in said:  # all but an import write an event beside the ledger
            word = {"contact_id": mine, "topic_id": topic, "state": state, "at": at, "source": source}
            session.execute(sa.insert(consents).values(recorded_at=NOW, **word))
        seen = read_through(session, customer, limit, group=group, only_people=only_people)
        wanted = [
            number
            for number, (_, kind, verdict, whose) in enumerate(happened)
            if whose < 2
            and (group is None or kind in GROUPS[group])
            and not (only_people and verdict in NOT_PEOPLE)
        ]
        mails = sum(is_mine for _, is_mine in skipped) if group in (None, "mail") else 0
        assert len({key(entry) for entry in seen}) == len(seen)
        words = sum(source == "import" and state != "pending" for _, state, source in said)
        words = words if group in (None, "consent") else 0
        assert len(seen) == len(wanted) + mails + (0 if group else len(arrived)) + words
        assert [entry.at for entry in seen] == sorted((entry.at for entry in seen), reverse=True)
        inner.rollback()


def test_an_unsent_message_stands_where_the_audience_was_frozen_with_its_gate_and_topic(session):
    topic = a_topic(session)
    contact = a_contact(session)
    run = a_run(session, a_campaign(session, topic=topic))
    session.execute(sa.update(runs).where(runs.c.id == run).values(frozen_at=NOW - timedelta(days=3)))
    session.execute(
        sa.insert(messages).values(run_id=run, seq=1, contact_id=contact, state="skipped", gate="no consent")
    )
    customer = session.scalar(sa.text("select customer_id from contacts"))
    (entry,) = customers.stream(session, customer).entries
    assert isinstance(entry, Unsent)
    assert (entry.at, entry.gate, entry.topic.startswith("Topic")) == (
        NOW - timedelta(days=3),
        "no consent",
        True,
    )
    assert customers.stream(session, customer, group="orders").entries == ()


def test_queued_and_test_messages_are_no_part_of_the_history(session):
    topic = a_topic(session)
    contact = a_contact(session)
    campaign = a_campaign(session, topic=topic)
    for occurrence, kind, state in (("a", "campaign", "queued"), ("b", "test", "skipped")):
        run = a_run(session, campaign, occurrence=occurrence)
        session.execute(sa.update(runs).where(runs.c.id == run).values(kind=kind, frozen_at=NOW))
        session.execute(
            sa.insert(messages).values(
                run_id=run, seq=1, contact_id=contact, address="a@x.example", state=state
            )
        )
    assert (
        customers.stream(session, session.scalar(sa.text("select customer_id from contacts"))).entries == ()
    )


def test_a_page_names_all_that_its_lines_speak_of(session):
    topic = a_topic(session)
    contact = a_contact(session, family_name="Lovelace")
    customer = session.scalar(sa.text("select customer_id from contacts"))
    campaign = a_campaign(session, topic=topic)
    run = a_run(session, campaign)
    session.execute(
        sa.text(
            "insert into links (run_id, number, language, url) values (:r, 2, 'en', 'https://x.example/')"
        ),
        {"r": run},
    )
    session.execute(
        sa.insert(messages).values(
            run_id=run, seq=7, contact_id=contact, address="a@x.example", state="unknown"
        )
    )
    history.record(session, Fact(EventKind.CLICKED, NOW, "c", contact, customer, run, 7, detail={"link": 2}))
    page = customers.stream(session, customer)
    assert page.contacts == {contact: "Ada Lovelace"}
    assert page.runs[run].campaign == campaign
    assert page.mails[run, 7].state == "unknown"
    assert page.links == {(run, 2): "https://x.example/"}
    assert topic in page.topics


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_no_kind_is_in_two_groups(group):
    others = [kind for name, kinds in GROUPS.items() if name != group for kind in kinds]
    assert not set(GROUPS[group]) & set(others)
