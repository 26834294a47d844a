"""What machines do fires nothing: each that lives on hits is asked, with a gateway's burst and with a person.

`PLACES` lists whatever in the code names what hits become. A new one fails the last test here until it is
listed with what it does; what acts on people's hits needs a test of its own above.
"""

import re
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from campaigns.flows import judging
from campaigns.model.customers import activity
from campaigns.model.customers import contacts as contacts_table
from campaigns.model.events import events
from campaigns.model.mail import messages, runs
from campaigns.model.service import tasks
from campaigns.model.surveys import responses
from campaigns.records import audience, campaigns, consent, hits, links, returns, segments, surveys
from campaigns.records.audience import Timing
from campaigns.records.gates import Gates
from campaigns.records.reports import (
    PeopleList,
    campaign_list_numbers,
    latest_runs,
    people,
    reasons_of,
    run_report,
)
from campaigns.segments.reading import parse_rule
from campaigns.surveys.form import parse_form
from campaigns.values import Hit, Link, TopicClass, Verdict
from tests.factories import NOW, a_campaign, a_run, a_topic
from tests.flows.test_judging import CHROME, LATER, OF_PEOPLE, sent_to

AFTER = NOW + timedelta(hours=3)
FORM = {
    "version": 1,
    "title": {"en": "Your visit"},
    "questions": [{"key": "nps", "type": "scale", "required": True, "text": {"en": "Would you recommend us?"}}],
}  # fmt: skip


def burst(run, seq, contact, kind="click"):
    """A gateway behind a plain browser's name follows everything, the hidden link too, and looks at the mail."""
    opened = Hit(AFTER, "open", run, seq, contact, None, "GET", CHROME, "203.0.113.7", OF_PEOPLE)
    links = range(11) if kind == "score" else (0, 1, 2, 3)
    return [
        opened,
        *[
            Hit(
                AFTER + timedelta(seconds=n / 10),
                kind,
                run,
                seq,
                contact,
                n,
                "GET",
                CHROME,
                "203.0.113.7",
                OF_PEOPLE,
            )
            for n in links
        ],
        Hit(AFTER, "view", run, seq, contact, None, "GET", CHROME, "203.0.113.7", OF_PEOPLE),
    ]


def visit(run, seq, contact, kind="click"):
    """A person looks and clicks."""
    at = AFTER + timedelta(minutes=20)
    return [
        Hit(at, "open", run, seq, contact, None, "GET", CHROME, "198.51.100.4", OF_PEOPLE),
        Hit(at + timedelta(seconds=9), kind, run, seq, contact, 2, "GET", CHROME, "198.51.100.4", OF_PEOPLE),
    ]


@pytest.fixture
def both(session):
    """Ada's mail was visited by a gateway alone; Bob's by one and by him: (run, ada, bob)."""
    run, contacts = sent_to(session, "ada@firm.example", "bob@firm.example")
    hits.store(session, burst(run, 1, contacts[1]))
    hits.store(session, [*burst(run, 2, contacts[2]), *visit(run, 2, contacts[2])])
    while judging.judge_hits(session, LATER):
        pass
    return run, contacts[1], contacts[2]


def test_activity_moves_for_people_alone(session, both):
    _, ada, bob = both
    c = activity.c
    known = {row.contact_id: row for row in session.execute(sa.select(activity))}
    assert ada not in known or (known[ada].last_opened_at, known[ada].last_clicked_at) == (None, None)
    assert known[bob].last_clicked_at == AFTER + timedelta(minutes=20, seconds=9)
    assert session.scalar(sa.select(sa.func.count()).where(c.last_clicked_at.is_not(None))) == 1


@pytest.mark.parametrize("done", ["opened", "clicked", "viewed"])
def test_a_segment_of_those_who_did_something_holds_people_unless_machines_are_asked_for(session, both, done):
    _, ada, bob = both
    by_people = set(segments.members(session, parse_rule({"version": 1, "rule": {"did": done}}), LATER, 10))
    by_any = set(
        segments.members(session, parse_rule({"version": 1, "rule": {"did": done, "by": "any"}}), LATER, 10)
    )
    assert by_people == ({bob} if done != "viewed" else set())
    assert by_any == {ada, bob}


@pytest.mark.parametrize("field", ["activity.last_opened_at", "activity.last_clicked_at"])
def test_a_segment_of_those_active_lately_holds_people(session, both, field):
    rule = parse_rule({"version": 1, "rule": {"field": field, "is": "set"}})
    assert segments.members(session, rule, LATER, 10) == [both[2]]


def test_rates_rankings_and_lists_of_people_are_of_people(session, both):
    run, _, bob = both
    report = run_report(session, run, LATER)
    assert (report.clicked.human, report.clicked.machine) == (1, 1)
    assert (report.opened.human, report.opened.machine) == (1, 1)
    assert report.click_rate.count == 1
    assert [person.contact for person in people(session, run, PeopleList.CLICKED)] == [bob]
    assert [person.contact for person in people(session, run, PeopleList.OPENED)] == [bob]
    assert sum(hour.clicked for hour in report.hours) == 1
    assert latest_runs(session)[0].numbers.clicked == 1
    campaign = campaigns.get_run(session, run).campaign_id
    assert campaign_list_numbers(session, [campaign])[campaign].clicked == 1


def test_no_machine_shows_that_an_address_is_alive(session, both):
    """Bounces in a row end where a person was; a gateway's look at a mail ends none."""
    run, ada, bob = both
    for contact, seq, address in ((ada, 1, "ada@firm.example"), (bob, 2, "bob@firm.example")):
        values = {"at": NOW + timedelta(minutes=1), "kind": "bounced", "contact_id": contact, "run_id": run,
                  "seq": seq, "source": "t", "dedupe": f"b{seq}", "detail": {"class": "inactive"}}  # fmt: skip
        session.execute(sa.insert(events).values(values))
        found = returns.in_a_row(session, contact, address, now=LATER)
        assert len(found) == (1 if contact == ada else 0)


@pytest.fixture
def asked(session):
    """A run that invites to a survey, and its two contacts by seq."""
    run, contacts = sent_to(session, "ada@firm.example", "bob@firm.example")
    version = surveys.save(session, "visit", "Visit", parse_form(FORM), author="mia", now=NOW)
    session.execute(sa.update(runs).where(runs.c.id == run).values(survey_version_id=version))
    return run, contacts


def test_scores_that_a_machine_clicked_begin_no_response_and_give_no_rep_a_task(session, asked):
    run, contacts = asked
    hits.store(session, burst(run, 1, contacts[1], "score"))
    hits.store(session, [*burst(run, 2, contacts[2], "score"), *visit(run, 2, contacts[2], "score")])
    while judging.judge_hits(session, LATER):
        pass
    begun = session.execute(sa.select(responses.c.contact_id, responses.c.posted)).all()
    assert [tuple(row) for row in begun] == [(contacts[2], False)]
    assert session.scalars(sa.select(tasks.c.id)).all() == []
    report = run_report(session, run, LATER)
    assert report.survey is not None
    assert report.survey.clicked_score == 1


def test_a_response_that_a_machine_began_is_taken_away_when_it_is_known_for_one(session, asked):
    run, contacts = asked
    clicks = burst(run, 1, contacts[1], "score")[1:-1]
    hits.store(session, clicks[:1])
    judging.judge_hits(session, AFTER + timedelta(seconds=4))
    assert len(session.scalars(sa.select(responses.c.id)).all()) == 1
    hits.store(session, clicks[1:])
    judging.judge_hits(session, LATER)
    assert session.scalars(sa.select(responses.c.id)).all() == []


def test_no_visit_of_whatever_kind_says_a_word_to_a_topic(session, both):
    for contact in both[1:]:
        assert consent.ledger(session, contact) == []


def test_the_hidden_link_stands_in_no_list_of_links(session, both):
    run, _, _ = both
    links.add(session, run, "en", [Link(number, f"https://shop.example/{number}") for number in (1, 2, 3)])
    assert sorted(line.number for line in run_report(session, run, LATER).links) == [1, 2, 3]


def test_a_report_says_why_hits_are_no_persons(session, both):
    run, _, _ = both
    told = [(line.verdict, line.reason, line.count) for line in reasons_of(session, run)]
    assert (Verdict.MACHINE, "4 links within 1 s", 6) in told
    assert (Verdict.MACHINE, "followed a link that no person sees", 2) in told
    assert all(verdict is not Verdict.HUMAN for verdict, _, _ in told)
    assert [count for _, _, count in told] == sorted((count for _, _, count in told), reverse=True)


def test_those_who_acted_lately_go_first_and_are_people(session, both):
    """A new account begins with them; a gateway's clicks bring nobody to the front."""
    _, ada, bob = both
    topic = a_topic(session, TopicClass.SERVICE)
    run = a_run(session, a_campaign(session, topic=topic))
    everybody = sa.select(contacts_table.c.id).where(contacts_table.c.id.in_([ada, bob]))
    gates = Gates(topic, TopicClass.SERVICE, None, LATER)
    timing = Timing(engaged_first=True)
    audience.freeze(session, run, everybody, gates, hold_out_percent=0, salt=1, timing=timing, now=LATER)
    order = session.scalars(
        sa.select(messages.c.contact_id).where(messages.c.run_id == run).order_by(messages.c.seq)
    )
    assert order.all() == [bob, ada]


@pytest.mark.parametrize("by", [Verdict.MACHINE, Verdict.HUMAN])
def test_a_score_that_a_person_clicked_shows_that_an_address_is_alive(session, by):
    run, people = sent_to(session, "ada@firm.example")
    at = {"at": NOW, "contact_id": people[1], "run_id": run, "seq": 1, "source": "t"}
    came = {**at, "kind": "bounced", "dedupe": "b", "detail": {"class": "inactive"}, "verdict": "unknown"}
    done = {**at, "kind": "score clicked", "dedupe": "s", "detail": {}, "verdict": by.value}
    session.execute(sa.insert(events), [came, done | {"at": NOW + timedelta(days=1)}])
    found = returns.in_a_row(session, people[1], "ada@firm.example", now=LATER)
    assert len(found) == (1 if by is Verdict.MACHINE else 0)


#: Files that name what hits become, and what they do with it.
PLACES = {
    "campaigns/flows/judging.py": "gives verdicts; begins a response by no machine's score",
    "campaigns/records/audience.py": "those who acted lately go first: people's",
    "campaigns/records/customers/stream.py": "shows all, each with its verdict",
    "campaigns/records/history.py": "moves activity: people's",
    "campaigns/records/outbox/doubts.py": "takes any hit for a proof that its mail arrived",
    "campaigns/records/returns.py": "shows that an address is alive: people's",
    "campaigns/records/reports/counts.py": "counts by verdict",
    "campaigns/records/reports/hits.py": "counts by verdict",
    "campaigns/records/reports/people.py": "lists people",
    "campaigns/records/reports/reasons.py": "tells why hits are no person's",
    "campaigns/records/reports/run.py": "rates of people",
    "campaigns/records/reports/survey.py": "counts who clicked a score: people's",
    "campaigns/segments/describe.py": "words",
    "campaigns/segments/german.py": "words",
    "campaigns/segments/leaves.py": "whoever did it: people unless all are asked for",
    "web/marketing/doubts.py": "words",
}
_NAMES = re.compile(r"EventKind\.(OPENED|CLICKED|VIEWED|SCORE_CLICKED)\b")


def test_nothing_else_reacts_to_hits():
    root = Path(__file__).parents[2]
    found = {
        path.relative_to(root).as_posix()
        for folder in ("campaigns", "web")
        for path in (root / folder).rglob("*.py")
        if _NAMES.search(path.read_text(encoding="utf-8"))
    }
    assert found == set(PLACES)
