"""Work for customers: cases and tasks, each with its events; an open complaint stops promotion."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.errors import BadForm, NotAllowed, NotFound
from campaigns.model.customers import contacts
from campaigns.model.mail import messages
from campaigns.records import audience, campaigns, cases, gates, history, tasks
from campaigns.records.cases import NewCase
from campaigns.records.tasks import NewTask
from campaigns.values import TopicClass
from tests.factories import NOW, a_campaign, a_contact, a_customer, a_run, a_topic

AGENT = "agent@shop.example"
DAY = timedelta(days=1)


def mailed(session, topic, occurrence) -> dict[int, str | None]:
    """Freeze a run of everybody and tell which gate stopped whom."""
    run = a_run(session, a_campaign(session, topic=topic), occurrence=occurrence)
    campaign = campaigns.get(session, campaigns.get_run(session, run).campaign_id)
    asked = gates.of_campaign(session, campaign, topic, now=NOW)
    everybody = sa.select(contacts.c.id)
    audience.freeze(session, run, everybody, asked, hold_out_percent=0, salt=1, now=NOW)
    rows = session.execute(sa.select(messages.c.contact_id, messages.c.gate).where(messages.c.run_id == run))
    return dict(rows.all())


def test_an_open_complaint_stops_promotion_to_the_whole_customer_until_it_is_closed(session):
    topic, service = a_topic(session), a_topic(session, TopicClass.SERVICE)
    customer = a_customer(session)
    angry, colleague = (a_contact(session, customer_id=customer, topic=topic) for _ in range(2))
    calm = a_contact(session, topic=topic)
    case = cases.open_case(session, NewCase(customer, "complaint", "Broken", angry), actor=AGENT, now=NOW)
    stopped = {angry: "complaint open", colleague: "complaint open", calm: None}
    assert mailed(session, topic, "one") == stopped
    assert set(mailed(session, service, "service").values()) == {None}
    second = cases.open_case(session, NewCase(customer, "complaint", "Again"), actor=AGENT, now=NOW)
    cases.close_case(session, case, outcome="Replaced", actor=AGENT, now=NOW)
    assert mailed(session, topic, "two") == stopped
    cases.close_case(session, second, outcome="", actor=AGENT, now=NOW)
    assert set(mailed(session, topic, "three").values()) == {None}


@pytest.mark.parametrize("kind", ["request", "return", "question"])
def test_a_case_that_is_no_complaint_stops_nothing(session, kind):
    topic = a_topic(session)
    contact = a_contact(session, topic=topic)
    customer = session.scalar(sa.select(contacts.c.customer_id))
    cases.open_case(session, NewCase(customer, kind, "Hello"), actor=AGENT, now=NOW)
    assert mailed(session, topic, "one") == {contact: None}


def test_a_case_leaves_one_event_when_opened_and_one_when_closed(session):
    customer = a_customer(session)
    case = cases.open_case(session, NewCase(customer, "return", " Dry trees "), actor=AGENT, now=NOW)
    cases.close_case(session, case, outcome="Refunded", actor=AGENT, now=NOW + DAY)
    with pytest.raises(NotAllowed, match="closed before"):
        cases.close_case(session, case, outcome="Twice", actor=AGENT, now=NOW + DAY)
    told = [(event.kind, event.detail) for event in history.timeline(session, customer=customer)]
    common = {"case": case, "kind": "return", "subject": "Dry trees", "by": AGENT}
    assert told == [("case closed", {**common, "outcome": "Refunded"}), ("case opened", common)]


def test_the_same_page_sent_twice_opens_one_case(session):
    customer = a_customer(session)
    new = NewCase(customer, "question", "When?")
    first = cases.open_case(session, new, actor=AGENT, now=NOW, once="p1")
    assert cases.open_case(session, new, actor=AGENT, now=NOW + DAY, once="p1") == first
    assert cases.open_case(session, new, actor=AGENT, now=NOW, once="p2") != first
    assert len(cases.of_customer(session, customer)) == 2


@pytest.mark.parametrize(
    ("kind", "subject", "wheres"), [("rant", " ", {"kind", "subject"}), ("request", "x" * 2001, {"subject"})]
)
def test_a_case_that_says_nothing_is_refused_with_all_that_is_wrong(session, kind, subject, wheres):
    with pytest.raises(BadForm) as refused:
        cases.open_case(session, NewCase(a_customer(session), kind, subject), actor=AGENT, now=NOW)
    assert {problem.where for problem in refused.value.problems} == wheres


def test_open_cases_are_listed_the_longest_waiting_first_and_closed_ones_the_last_first(session):
    customer = a_customer(session)
    made = [
        cases.open_case(session, NewCase(customer, kind, "x"), actor=AGENT, now=NOW - days * DAY)
        for days, kind in ((1, "request"), (5, "complaint"), (3, "request"), (9, "question"))
    ]
    cases.close_case(session, made[3], outcome="", actor=AGENT, now=NOW)
    cases.close_case(session, made[2], outcome="", actor=AGENT, now=NOW + DAY)
    assert [case.id for case in cases.listing(session)[0]] == [made[1], made[0]]
    assert [case.id for case in cases.listing(session, closed=True)[0]] == [made[2], made[3]]
    assert [case.id for case in cases.listing(session, kind="request")[0]] == [made[0]]
    assert cases.listing(session, size=1)[1] is True
    assert cases.counts_open(session) == {"request": 1, "complaint": 1}


def test_a_case_is_taken_only_while_it_is_open(session):
    case = cases.open_case(session, NewCase(a_customer(session), "request", "x"), actor=AGENT, now=NOW)
    cases.take(session, case, 7)
    assert cases.get(session, case).owner == 7
    cases.close_case(session, case, outcome="", actor=AGENT, now=NOW)
    with pytest.raises(NotAllowed):
        cases.take(session, case, 8)
    with pytest.raises(NotFound):
        cases.get(session, case + 1)


def test_the_same_cause_makes_one_task_and_one_event(session):
    customer = a_customer(session)
    new = NewTask(customer, None, "Call", "", 3, dedupe="cause")
    assert tasks.create(session, new, actor=AGENT, now=NOW)
    assert not tasks.create(session, new, actor=AGENT, now=NOW + DAY)
    assert [event.kind for event in history.timeline(session, customer=customer)] == ["task created"]
    with pytest.raises(BadForm):
        tasks.create(session, NewTask(customer, None, " ", "", 3), actor=AGENT, now=NOW)


def test_tasks_are_listed_by_owner_the_most_urgent_first(session):
    customer = a_customer(session, name="Ada")
    plans = [
        ("none", None, 1),
        ("late", NOW - DAY, 1),
        ("soon", NOW + DAY, 1),
        ("other", NOW, 2),
        ("free", NOW, None),
    ]
    for title, due, owner in plans:
        tasks.create(session, NewTask(customer, None, title, "", owner, due, title), actor=AGENT, now=NOW)
    mine, more = tasks.listing(session, owner=1)
    assert ([task.title for task in mine], more) == (["late", "soon", "none"], False)
    assert mine[0].customer_name == "Ada"
    assert [task.title for task in tasks.listing(session, owner=None)[0]] == ["free"]
    assert tasks.listing(session, owner=1, size=2)[1] is True
    assert (tasks.count_open(session, 1), tasks.count_open(session, None)) == (3, 1)


def test_a_task_is_done_once_and_says_what_came_of_it(session):
    customer = a_customer(session)
    tasks.create(session, NewTask(customer, None, "Call", "", 1, dedupe="d"), actor=AGENT, now=NOW)
    (task,) = tasks.of_customer(session, customer)
    tasks.finish(session, task.id, actor=AGENT, now=NOW + DAY, outcome=" Reached ")
    with pytest.raises(NotAllowed):
        tasks.finish(session, task.id, actor=AGENT, now=NOW)
    done = history.timeline(session, customer=customer)[0]
    assert (done.kind, done.detail) == ("task done", {"title": "Call", "by": AGENT, "outcome": "Reached"})
    assert [one.title for one in tasks.listing(session, owner=1, done=True)[0]] == ["Call"]
    assert tasks.open_of_customer(session, customer) == []


def test_a_task_is_taken_by_the_first_who_takes_it(session):
    tasks.create(
        session, NewTask(a_customer(session), None, "Call", "", None, dedupe="d"), actor=AGENT, now=NOW
    )
    (task,) = tasks.listing(session, owner=None)[0]
    tasks.take(session, task.id, 1)
    with pytest.raises(NotAllowed):
        tasks.take(session, task.id, 2)
    assert tasks.get(session, task.id).owner == 1
