"""Customers: found by what one knows of them, summed up, and acted for with a trace of who and why."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.errors import BadForm, NotAllowed, NotFound
from campaigns.model.commerce import orders
from campaigns.model.customers import addresses, attribute_definitions, contacts
from campaigns.model.customers import customers as table
from campaigns.model.mail import campaigns as campaign_table
from campaigns.model.mail import messages, runs
from campaigns.records import attributes, cases, consent, customers, history, suppressions, tasks
from campaigns.records.attributes import Source
from campaigns.records.cases import NewCase
from campaigns.records.consent import Provenance
from campaigns.records.customers import Wanted, finding
from campaigns.records.customers.finding import countries
from campaigns.records.tasks import NewTask
from campaigns.values import ContactId, EventKind, Fact, TopicClass, Verdict
from tests.factories import NOW, SECRET, a_campaign, a_contact, a_customer, a_run, a_topic

DAY = timedelta(days=1)
REP = "rep@shop.example"


def ids(found) -> list[int]:
    return [row.id for row in found.rows]


def events_of(session, customer) -> list[tuple[str, dict]]:
    return [(event.kind, event.detail) for event in history.timeline(session, customer=customer)]


# ---- finding ----


@pytest.mark.parametrize(
    "typed",
    [
        "Aylin", "aylin", "AYLIN", "aylin ø", "Øver", "øver", "ØVERGÅRD", "Aylin Øvergård", "øvergård aylin",
        "aylin@exa", "AYLIN@EXAMPLE.COM", "second@example.com", "K-17", "P-17", "+4540123456", "+45 40 12-34 56",
        "0045 40123456", "+4599999999", "ORDER/9", "  Aylin   Øver ",
    ],
)  # fmt: skip
def test_a_customer_is_found_by_what_a_caller_gives(session, typed):
    a_contact(session)
    customer = a_customer(session, name="Aylin Øvergård", external_id="K-17")
    contact = a_contact(
        session, customer_id=customer, email="aylin@example.com", given_name="Aylin", family_name="Øvergård",
        external_id="P-17", phone="+4540123456",
    )  # fmt: skip
    for kind, value in (("email", "second@example.com"), ("phone", "+4599999999")):
        session.execute(
            sa.insert(addresses).values(contact_id=contact, kind=kind, value=value, created_at=NOW)
        )
    session.execute(
        sa.insert(orders).values(
            external_id="ORDER/9",
            customer_id=customer,
            status="paid",
            placed_at=NOW,
            total_minor=1,
            updated_at=NOW,
        )
    )
    assert ids(customers.search(session, typed)) == [customer]


@pytest.mark.parametrize(
    "typed",
    ["", "   ", "\0", "ylin", "%", "_", "Aylin%", "nobody", "'; DROP TABLE customers", "+49", "x" * 5000],
)
def test_what_matches_nobody_finds_nobody(session, typed):
    a_contact(session, customer_id=a_customer(session, name="Aylin"), email="aylin@example.com")
    assert ids(customers.search(session, typed)) == []


@pytest.mark.parametrize("typed", ["015795221159", "01579 522-1159", "(01579) 5221159", "00491579 5221159"])
def test_a_number_is_found_as_it_is_dialled_in_a_country_of_ours(session, typed):
    german = a_customer(session)
    a_contact(session, customer_id=german, phone="+4915795221159", country="DE")
    a_contact(session, phone="+4315795221159", country="CH")
    further = a_contact(session, customer_id=a_customer(session), country="FR")
    session.execute(
        sa.insert(addresses).values(contact_id=further, kind="phone", value="+33612345678", created_at=NOW)
    )
    assert ids(customers.search(session, typed)) == [german]
    assert len(ids(customers.search(session, "06 12 34 56 78"))) == 1


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("Jörg Müller", "jorg mull"), ("Jörg Müller", "Joerg Mueller"), ("Joerg Mueller", "Jörg Müller"),
        ("Özdemir", "ozdemir"), ("Weiß", "WEISS"), ("Weiss", "weiß"), ("Łukasz", "lukasz"), ("Ærø", "aero"),
        ("Renée Françoise", "renee franc"), ("Sørensen", "sorensen"), ("Muller", "müller"), ("Šťastný", "stastny"),
    ],
)  # fmt: skip
def test_a_name_is_found_whatever_accents_are_typed(session, name, typed):
    customer = a_customer(session, name=name)
    a_customer(session, name="Moller")
    assert ids(customers.search(session, typed)) == [customer]
    person = a_contact(session, given_name="Zoë", family_name=name.split()[-1], email=None)
    owner = session.scalar(sa.select(contacts.c.customer_id).where(contacts.c.id == person))
    assert owner in ids(customers.search(session, f"zoe {typed.split()[-1]}"))


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("Sinéad O'Brien", "sinéad o'b"),
        ("McDonald", "mcdon"),
        ("王伟", "王"),
        ("محمد الأحمد", "محمد"),
        ("Ada 👩‍🚀", "ada 👩"),
        ("ΠΑΠΑΔΟΠΟΥΛΟΥ", "παπαδ"),
    ],
)
def test_names_of_every_script_are_found(session, name, typed):
    customer = a_customer(session, name=name)
    assert ids(customers.search(session, typed)) == [customer]


def test_whole_matches_come_before_beginnings_and_beginnings_by_name(session):
    second = a_customer(session, name="Anna B")
    first = a_customer(session, name="Anna A")
    exact = a_customer(session, name="Zoë", external_id="Anna")
    assert ids(customers.search(session, "Anna")) == [exact, first, second]


def test_a_search_is_narrowed_and_paged(session):
    active = [a_customer(session, name=f"Anna {n:02}", stage="active", country="DE") for n in range(5)]
    a_customer(session, name="Anna 99", stage="lapsed", country="DE")
    one = customers.search(session, "Anna", wanted=Wanted(stage="active", country="DE"), size=3)
    two = customers.search(session, "Anna", wanted=Wanted(stage="active"), page=2, size=3)
    assert (ids(one), one.more) == (active[:3], True)
    assert (ids(two), two.more) == (active[3:], False)
    assert ids(customers.search(session, "Anna", wanted=Wanted(country="FR"))) == []


@settings(max_examples=25, deadline=None)
@given(
    name=st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=12),
    cut=st.integers(1, 12),
)
def test_every_beginning_of_a_name_as_written_finds_it(session, name, cut):
    with session.begin_nested() as inner:
        customer = a_customer(session, name=name)
        assert customer in ids(customers.search(session, name[:cut]))
        inner.rollback()


@settings(max_examples=15, deadline=None)
@given(
    stages=st.lists(st.sampled_from(["new", "active"]), max_size=12),
    wanted=st.sampled_from([None, "new", "lapsed"]),
    size=st.integers(1, 5),
)
def test_leafing_through_shows_everybody_once_newest_first(session, stages, wanted, size):
    with session.begin_nested() as inner:
        made = [(a_customer(session, stage=stage), stage) for stage in stages]
        seen, before = [], None
        for _ in range(20):
            page = customers.browse(session, wanted=Wanted(stage=wanted), before=before, size=size)
            seen += ids(page)
            if not page.more:
                break
            before = page.next
        assert seen == [one for one, stage in reversed(made) if wanted in (None, stage)]
        inner.rollback()


def test_a_filtered_page_looks_at_so_many_customers_at_most_and_goes_on(session, monkeypatch):
    monkeypatch.setattr("campaigns.records.customers.finding.SCANNED", 3)
    rare = a_customer(session, stage="won back")
    for _ in range(7):
        a_customer(session, stage="active")
    found, before, pages = [], None, 0
    while True:
        page = customers.browse(session, wanted=Wanted(stage="won back"), before=before)
        found += ids(page)
        pages += 1
        if not page.more:
            break
        before = page.next
    assert found == [rare]
    assert 1 < pages <= 4 + 1


def test_countries_are_those_that_contacts_are_in(session):
    for code in ("DE", "AT", "DE", None):
        a_contact(session, country=code)
    assert countries(session) == ["AT", "DE"]


def test_a_customer_without_any_name_is_still_called_something(session):
    customer = a_customer(session, name="  ")
    assert ids(customers.browse(session)) == [customer]
    assert customers.browse(session).rows[0].name == f"#{customer}"
    a_contact(session, customer_id=customer, given_name=None, email="who@example.com")
    assert customers.browse(session).rows[0].name == "who@example.com"
    assert customers.summary(session, customer, NOW).title == "who@example.com"


# ---- the summary ----


def test_the_summary_of_a_bare_customer_says_nothing_false(session):
    customer = a_customer(session, name="Bare")
    found = customers.summary(session, customer, NOW)
    assert (found.title, found.persons, found.cases, found.tasks, found.held, found.complaint) == (
        "Bare",
        (),
        (),
        (),
        False,
        None,
    )
    assert (found.value.count, found.value.held, found.value.last_at) == (0, (), None)
    assert found.last == type(found.last)(None, None, None, None)
    with pytest.raises(NotFound):
        customers.summary(session, customer + 1, NOW)


def an_order(session, customer, number, status, minor, *, days=0, currency="EUR"):
    session.execute(
        sa.insert(orders).values(
            external_id=number, customer_id=customer, status=status, placed_at=NOW - days * DAY, total_minor=minor,
            currency=currency, updated_at=NOW,
        )
    )  # fmt: skip


def test_cancelled_and_returned_orders_are_in_no_other_number(session):
    customer, other = a_customer(session), a_customer(session)
    an_order(session, customer, "1", "paid", 1000, days=9)
    an_order(session, customer, "2", "shipped", 500, days=5)
    an_order(session, customer, "3", "cancelled", 70000, days=1)
    an_order(session, customer, "4", "returned", 300, days=2)
    an_order(session, customer, "5", "placed", 99, days=7, currency="JPY")
    an_order(session, other, "6", "paid", 5)
    value = customers.summary(session, customer, NOW).value
    assert [(one.currency, one.count, one.minor) for one in value.held] == [("EUR", 2, 1500), ("JPY", 1, 99)]
    assert [(one.count, one.minor) for one in value.cancelled] == [(1, 70000)]
    assert [(one.count, one.minor) for one in value.returned] == [(1, 300)]
    assert (value.count, value.first_at, value.last_at) == (3, NOW - 9 * DAY, NOW - 5 * DAY)


def test_the_last_sign_of_a_person_is_no_machines(session):
    customer = a_customer(session)
    one, two = (a_contact(session, customer_id=customer) for _ in range(2))
    for contact, verdict, days in (
        (one, Verdict.HUMAN, 9),
        (two, Verdict.MACHINE, 1),
        (two, Verdict.PRIVACY, 2),
    ):
        history.record(
            session,
            Fact(
                EventKind.OPENED,
                NOW - days * DAY,
                f"{contact}{days}",
                contact,
                customer,
                1,
                1,
                verdict=verdict,
            ),
        )
    history.record(session, Fact(EventKind.SENT, NOW - 3 * DAY, "s", two, customer, 1, 1))
    last = customers.summary(session, customer, NOW).last
    assert (last.opened_at, last.sent_at, last.clicked_at) == (NOW - 9 * DAY, NOW - 3 * DAY, None)


def test_to_leave_or_to_write_back_is_a_sign_of_theirs_and_what_staff_wrote_down_is_none(session):
    customer = a_customer(session)
    contact = a_contact(session, customer_id=customer)
    said = [
        (EventKind.UNSUBSCRIBED, 1, "web"),
        (EventKind.CONSENT_WITHDRAWN, 2, "web"),
        (EventKind.CONSENT_GRANTED, 3, "web"),
        (EventKind.CONSENT_WITHDRAWN, 9, "staff"),
        (EventKind.REPLIED, 4, "returns"),
        (EventKind.COMPLAINED, 5, "returns"),
    ]
    history.record_many(
        session,
        [
            Fact(kind, NOW + timedelta(hours=hours), f"{kind}:{hours}", contact, customer, None, None, source)
            for kind, hours, source in said
        ],
    )
    history.record(
        session, Fact(EventKind.UNSUBSCRIBED, NOW + timedelta(days=9), "other", a_contact(session))
    )
    last = customers.summary(session, customer, NOW).last
    hours = [at - NOW for at in (last.left_at, last.chose_at, last.replied_at, last.complained_at)]
    assert hours == [timedelta(hours=n) for n in (1, 3, 4, 5)]


def test_each_contact_has_each_topic_with_its_newest_word(session):
    marketing, service = a_topic(session), a_topic(session, TopicClass.SERVICE)
    contact = a_contact(session, topic=marketing)
    customer = session.scalar(sa.select(contacts.c.customer_id))
    (person,) = customers.summary(session, customer, NOW).persons
    by_topic = {said.topic: said for said in person.consent}
    assert (by_topic[marketing].state, by_topic[marketing].source, by_topic[marketing].mailed) == (
        "granted",
        "form",
        True,
    )
    assert (by_topic[service].state, by_topic[service].mailed) == (None, True)
    consent.withdraw(session, ContactId(contact), marketing, Provenance(NOW + DAY, "unsubscribe"), now=NOW)
    (person,) = customers.summary(session, customer, NOW).persons
    word = next(said for said in person.consent if said.topic == marketing)
    assert (word.state, word.at, word.mailed) == ("withdrawn", NOW + DAY, False)


def test_a_suppression_in_force_is_shown_and_a_lifted_one_is_not(session):
    contact = a_contact(session, email="dead@example.com")
    customer = session.scalar(sa.select(contacts.c.customer_id))
    suppressions.add(session, suppressions.address_hash(SECRET, "dead@example.com"), "hard bounce", now=NOW)
    assert [one.reason for one in customers.summary(session, customer, NOW).persons[0].suppressed] == [
        "hard bounce"
    ]
    customers.lift_suppression(session, customer, contact, actor=REP, reason="New mailbox", now=NOW + DAY)
    assert customers.summary(session, customer, NOW).persons[0].suppressed == ()
    assert events_of(session, customer)[0] == ("suppression lifted", {"reason": "New mailbox", "by": REP})
    with pytest.raises(NotFound):
        customers.lift_suppression(session, customer, contact, actor=REP, reason="again", now=NOW)


def test_attributes_have_their_label_and_where_they_come_from(session):
    contact = a_contact(session, attributes={"typed": "by hand"})
    customer = session.scalar(sa.select(contacts.c.customer_id))
    session.execute(sa.update(table).where(table.c.id == customer).values(attributes={"size": 12}))
    rows = [("contact", "nps", "number", "Would recommend us"), ("customer", "size", "number", "Employees")]
    session.execute(
        sa.insert(attribute_definitions),
        [dict(zip(("entity", "key", "type", "label"), row, strict=True), created_at=NOW) for row in rows],
    )
    attributes.learn(session, contact, {"nps": 9}, at=NOW, source=Source("survey", "response 4"))
    found = customers.summary(session, customer, NOW)
    traits = {trait.key: trait for trait in found.persons[0].traits}
    assert (traits["nps"].label, traits["nps"].value, traits["nps"].at, traits["nps"].source) == (
        "Would recommend us",
        9,
        NOW,
        "survey",
    )
    assert (traits["typed"].label, traits["typed"].at) == ("typed", None)
    assert [(trait.label, trait.value) for trait in found.traits] == [("Employees", 12)]


def test_what_marketing_plans_is_the_queued_mails_of_its_contacts_and_the_schedule(session):
    topic = a_topic(session)
    contact = a_contact(session, topic=topic)
    stranger = a_contact(session, topic=topic)
    customer = session.scalar(sa.select(contacts.c.customer_id).where(contacts.c.id == contact))
    waiting, planned, gone = (a_campaign(session, topic=topic) for _ in range(3))
    run = a_run(session, waiting)
    session.execute(sa.update(runs).where(runs.c.id == run).values(state="paused"))
    session.execute(
        sa.insert(messages),
        [
            {"run_id": run, "seq": 1, "contact_id": contact, "address": "a@x.example", "state": "queued"},
            {"run_id": run, "seq": 2, "contact_id": stranger, "address": "b@x.example", "state": "queued"},
        ],
    )
    for number, state in ((planned, "scheduled"), (gone, "cancelled")):
        session.execute(
            sa.update(campaign_table)
            .where(campaign_table.c.id == number)
            .values(state=state, due_at=NOW + DAY)
        )
    found = customers.summary(session, customer, NOW)
    assert [(one.campaign, one.contact, str(one.state)) for one in found.queued] == [
        (waiting, contact, "paused")
    ]
    assert [(one.campaign, one.due_at) for one in found.planned] == [(planned, NOW + DAY)]
    session.execute(sa.update(messages).values(state="sent"))
    assert customers.summary(session, customer, NOW).queued == ()


def test_open_work_is_on_the_summary_until_it_is_done(session):
    customer = a_customer(session)
    case = cases.open_case(session, NewCase(customer, "complaint", "Late"), actor=REP, now=NOW)
    tasks.create(session, NewTask(customer, None, "Call", "", None), actor=REP, now=NOW)
    found = customers.summary(session, customer, NOW)
    assert found.complaint is not None
    assert [task.title for task in found.tasks] == ["Call"]
    cases.close_case(session, case, outcome="", actor=REP, now=NOW)
    tasks.finish(session, found.tasks[0].id, actor=REP, now=NOW)
    found = customers.summary(session, customer, NOW)
    assert (found.cases, found.tasks, found.complaint) == ((), (), None)


# ---- acts ----


def test_a_hold_lasts_until_its_day_and_says_who_asked_and_why(session):
    customer = a_customer(session)
    assert customers.hold(session, customer, NOW + DAY, actor=REP, reason="Contract talks", now=NOW)
    assert not customers.hold(session, customer, NOW + DAY, actor=REP, reason="Contract talks", now=NOW)
    assert customers.summary(session, customer, NOW).held
    assert not customers.summary(session, customer, NOW + DAY).held
    assert customers.hold(session, customer, None, actor=REP, reason="", now=NOW + timedelta(hours=1))
    assert not customers.summary(session, customer, NOW).held
    assert [detail["until"] for _, detail in events_of(session, customer)] == [None, (NOW + DAY).isoformat()]


@pytest.mark.parametrize(
    ("days", "reason", "wheres"),
    [(0, "x", {"until"}), (-3, " ", {"until", "reason"}), (1, "", {"reason"}), (1, "x" * 501, {"reason"})],
)
def test_a_hold_that_makes_no_sense_is_refused_whole(session, days, reason, wheres):
    customer = a_customer(session)
    with pytest.raises(BadForm) as refused:
        customers.hold(session, customer, NOW + days * DAY, actor=REP, reason=reason, now=NOW)
    assert {problem.where for problem in refused.value.problems} == wheres
    assert events_of(session, customer) == []


def test_a_note_is_kept_once_for_each_page_it_was_written_on(session):
    customer = a_customer(session)
    for _ in range(2):
        customers.note(session, customer, " She moved. ", actor=REP, now=NOW, channel="call", once="abc")
    assert events_of(session, customer) == [("note", {"text": "She moved.", "channel": "call", "by": REP})]
    with pytest.raises(BadForm):
        customers.note(session, customer, " \n", actor=REP, now=NOW, channel="pigeon")


def test_consent_told_to_staff_is_in_the_ledger_with_the_reason_as_proof(session):
    topic = a_topic(session)
    contact = a_contact(session)
    customer = session.scalar(sa.select(contacts.c.customer_id))
    assert customers.grant_consent(
        session, customer, contact, topic, actor=REP, reason="On the phone", now=NOW
    )
    assert not customers.grant_consent(
        session, customer, contact, topic, actor=REP, reason="On the phone", now=NOW + DAY
    )
    assert customers.withdraw_consent(
        session, customer, contact, topic, actor=REP, reason="By letter", now=NOW + 2 * DAY
    )
    said = [
        (one.state.value, one.source, one.proof, one.actor)
        for one in consent.ledger(session, ContactId(contact))
    ]
    assert said == [("withdrawn", "staff", "By letter", REP), ("granted", "staff", "On the phone", REP)]
    assert [kind for kind, _ in events_of(session, customer)] == ["consent withdrawn", "consent granted"]


def test_consent_needs_a_reason_a_contact_of_the_customer_and_one_who_is_not_forgotten(session):
    topic, customer = a_topic(session), a_customer(session)
    stranger = a_contact(session)
    erased = a_contact(session, customer_id=customer, email=None, erased_at=NOW)
    for contact, reason, error in (
        (stranger, "", BadForm),
        (stranger, "x", NotFound),
        (erased, "x", NotAllowed),
    ):
        with pytest.raises(error):
            customers.grant_consent(session, customer, contact, topic, actor=REP, reason=reason, now=NOW)
    assert consent.states(session, ContactId(stranger)) == {}


def test_a_no_told_to_staff_holds_even_against_a_yes_dated_later(session):
    topic = a_topic(session)
    contact = a_contact(session)
    customer = session.scalar(sa.select(contacts.c.customer_id))
    consent.grant(session, ContactId(contact), topic, Provenance(NOW + 5 * DAY, "import"), now=NOW)
    customers.withdraw_consent(session, customer, contact, topic, actor=REP, reason="On the phone", now=NOW)
    assert consent.state(session, ContactId(contact), topic) == "withdrawn"


def test_a_contact_of_elsewhere_with_a_role_here_stands_after_those_who_belong_here(session):
    customer = a_customer(session)
    own = a_contact(session, customer_id=customer)
    other = a_contact(session)
    assert customers.add_role(session, other, customer, " decider ", now=NOW)
    assert not customers.add_role(session, other, customer, "decider", now=NOW)
    found = customers.summary(session, customer, NOW)
    assert [person.contact.id for person in found.persons] == [own, other]
    assert [role.role for role in found.persons[1].roles] == ["decider"]
    with pytest.raises(BadForm):
        customers.add_role(session, other, customer, " ", now=NOW)


def test_of_a_large_customer_some_contacts_are_shown_and_the_rest_is_counted(session):
    customer = a_customer(session)
    for _ in range(27):
        a_contact(session, customer_id=customer)
    found = customers.summary(session, customer, NOW)
    assert (len(found.persons), found.more_contacts) == (25, 2)


@pytest.mark.parametrize("typed", ["anna vogt", "anna@x", "+49301234567", "K-1"])
def test_every_way_of_finding_goes_by_an_index(session, typed):
    if session.get_bind().dialect.name != "sqlite":
        pytest.skip("PostgreSQL scans a table this small, whatever its indexes")
    for _rank, query in finding._ways(session, typed):
        text = query.limit(5).compile(session.get_bind(), compile_kwargs={"literal_binds": True})
        plan = session.execute(sa.text("EXPLAIN QUERY PLAN " + str(text).replace(":", "\\:"))).all()
        assert [row.detail for row in plan if "SCAN" in row.detail] == [], str(text)
