"""What is planned for a customer's people: each campaign's own segment and gates, asked for them alone."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.model.customers import contacts, customers
from campaigns.model.mail import campaigns as table
from campaigns.model.mail import messages, segment_versions
from campaigns.records import audience, cases, consent, gates, history, plans, segments, suppressions
from campaigns.records import campaigns as records
from campaigns.records.audience import Timing
from campaigns.records.consent import Provenance
from campaigns.records.plans import OUTSIDE, UNREADABLE
from campaigns.values import ContactId, EventKind, Fact, Gate, Verdict
from tests.factories import NOW, SECRET, a_campaign, a_contact, a_run, a_topic

DAY = timedelta(days=1)
BERLIN = {"field": "contact.city", "is": "=", "value": "Berlin"}


def a_plan(session, topic: int, rule: object = BERLIN, **over: object) -> int:
    """A recurring campaign whose next run is tomorrow."""
    key = f"of-{topic}-{session.scalar(sa.select(sa.func.count()).select_from(table))}"
    segments.save(session, key, key, {"version": 1, "rule": rule}, author="test", now=NOW)
    made = a_campaign(session, topic=topic, segment_id=segments.find(session, key), **over)
    session.execute(sa.update(table).where(table.c.id == made).values(state="running", due_at=NOW + DAY))
    return made


def why(session, *people: int) -> list[str | None]:
    (plan,) = plans.planned(session, people, NOW)
    return [reason for _contact, reason in plan.stopped]


def replies_to(session, contact: int, campaign: int) -> None:
    run = a_run(session, campaign)
    fact = Fact(EventKind.REPLIED, NOW, "reply", contact, run=run, verdict=Verdict.HUMAN)
    history.record(session, fact)


def test_who_is_in_the_segment_and_stopped_by_nothing_is_reached(session):
    topic = a_topic(session)
    here = a_contact(session, topic=topic, city="Berlin")
    a_plan(session, topic)
    (plan,) = plans.planned(session, [here], NOW)
    assert (plan.reached, plan.due_at) == ((here,), NOW + DAY)


def test_each_way_of_not_being_mailed_is_named(session):
    topic = a_topic(session)
    elsewhere = a_contact(session, topic=topic, city="Bristol")
    silent = a_contact(session, city="Berlin")
    refused = a_contact(session, topic=topic, city="Berlin")
    consent.withdraw(session, ContactId(refused), topic, Provenance(NOW + DAY / 2, "unsubscribe"), now=NOW)
    listed = a_contact(session, email="dead@example.com", topic=topic, city="Berlin")
    suppressions.add(session, suppressions.address_hash(SECRET, "dead@example.com"), "hard bounce", now=NOW)
    replied = a_contact(session, topic=topic, city="Berlin")
    angry = a_contact(session, topic=topic, city="Berlin")
    customer = session.scalar(sa.select(contacts.c.customer_id).where(contacts.c.id == angry))
    cases.open_case(session, cases.NewCase(customer, "complaint", "Late"), actor="rep@x.example", now=NOW)
    campaign = a_plan(session, topic, until_reply=True)
    replies_to(session, replied, campaign)
    assert why(session, elsewhere, silent, refused, listed, replied, angry) == [
        OUTSIDE, Gate.NO_CONSENT, Gate.NO_CONSENT, Gate.SUPPRESSED, Gate.REPLIED, Gate.COMPLAINT_OPEN,
    ]  # fmt: skip


def test_a_hold_that_ends_before_the_campaign_is_due_stops_nothing(session):
    topic = a_topic(session)
    here = a_contact(session, topic=topic, city="Berlin")
    a_plan(session, topic)
    session.execute(sa.update(customers).values(hold_until=NOW + DAY / 2))
    assert why(session, here) == [None]
    session.execute(sa.update(customers).values(hold_until=NOW + 2 * DAY))
    assert why(session, here) == [Gate.HELD]


def test_two_at_one_address_are_one_mail(session):
    topic = a_topic(session)
    pair = [a_contact(session, email="both@example.com", topic=topic, city="Berlin") for _ in range(2)]
    a_plan(session, topic)
    assert why(session, *pair) == [None, Gate.DUPLICATE_ADDRESS]


def test_a_segment_that_can_no_longer_be_read_lets_nobody_be_told_in(session):
    topic = a_topic(session)
    here = a_contact(session, topic=topic, city="Berlin")
    a_plan(session, topic)
    gone = {"version": 1, "rule": {"field": "contact.attributes.gone", "is": "=", "value": "x"}}
    session.execute(sa.update(segment_versions).values(rule=gone))
    assert why(session, here) == [UNREADABLE]


@pytest.mark.parametrize("percent", [0, 40])
def test_it_foretells_what_the_freeze_then_does(session, percent):
    topic = a_topic(session)
    people = [
        a_contact(session, topic=None if n % 5 == 0 else topic, city="Berlin" if n % 3 else "Bristol")
        for n in range(30)
    ]
    number = a_plan(session, topic, hold_out_percent=percent)
    (plan,) = plans.planned(session, people, NOW)
    campaign, run = records.get(session, number), a_run(session, number)
    members = segments.members_of_version(
        session, segments.newest_version(session, campaign.segment_id), now=NOW + DAY
    )
    asked = gates.of_campaign(session, campaign, topic, now=NOW + DAY)
    audience.freeze(
        session, run, members, asked, hold_out_percent=percent, salt=campaign.id, timing=Timing(), now=NOW + DAY
    )  # fmt: skip
    frozen = {row.contact_id: row.gate for row in session.execute(sa.select(messages))}
    assert dict(plan.stopped) == {one: frozen.get(one, OUTSIDE) for one in people}


def test_what_is_asked_grows_with_the_campaigns_and_not_with_the_people(session):
    topic = a_topic(session)
    people = [a_contact(session, topic=topic, city="Berlin") for _ in range(20)]
    a_plan(session, topic)
    asked: list[str] = []
    engine = session.get_bind()

    def note(_connection, _cursor, statement, *_rest) -> None:
        asked.append(statement)

    def count(few: list[int]) -> int:
        asked.clear()
        plans.planned(session, few, NOW)
        return len(asked)

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        assert count(people[:1]) == count(people) <= 10
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
