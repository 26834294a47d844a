"""Reports: every number against a plain count of the same history, and what the words mean."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.model.mail import links, messages, runs
from campaigns.model.surveys import answers, responses
from campaigns.records import campaigns, catalog, history, reports, surveys
from campaigns.records.reports import PeopleList
from campaigns.records.reports.figures import SCORES
from campaigns.surveys.form import parse_form
from campaigns.tracking.instrument import SURVEY_PAGE
from campaigns.values import EventKind, Fact, Gate, MessageState, Verdict
from tests.factories import NOW, a_campaign, a_contact, a_run, a_topic

RANKS = [Verdict.HUMAN, Verdict.UNKNOWN, Verdict.PRIVACY, Verdict.MACHINE]
AFTER = NOW + timedelta(days=3)
ONE_QUESTION = parse_form(
    {"version": 1, "title": "Visit", "questions": [{"key": "nps", "type": "scale", "text": "Recommend?"}]}
)


@dataclass
class One:
    """One contact of a run: its message's state, and what happened to it."""

    state: str
    gate: str | None = None
    late: bool = False  #: the gate stopped it after the freeze
    domain: str = "example.com"
    events: list[tuple[EventKind, Verdict, int, dict]] = field(default_factory=list)


def play(
    session, people, *, campaign=None, occurrence="2026-11-22T09:00", opened=NOW, finished=True, linked=False
):
    """Write a run by hand, with the tables alone; one link, if its mail has any."""
    campaign = campaign or a_campaign(session, topic=a_topic(session))
    run = a_run(session, campaign, occurrence=occurrence, now=opened)
    rows, facts = [], []
    for seq, one in enumerate(people, start=1):
        contact = a_contact(session)
        stopped_early = one.state == "skipped" and not one.late
        rows.append(
            {
                "run_id": run,
                "seq": seq,
                "contact_id": contact,
                "address": None if stopped_early else f"p{seq}@{one.domain}",
                "state": one.state,
                "gate": one.gate,
            }
        )
        for number, (kind, verdict, minutes, detail) in enumerate(one.events):
            at = opened + timedelta(minutes=minutes)
            key = f"{run}:{seq}:{number}"
            facts.append(Fact(kind, at, key, contact, None, run, seq, "test", verdict, detail))
    if rows:
        session.execute(sa.insert(messages), rows)
    history.record_many(session, facts, version=1)
    counts = Counter(one.state for one in people)
    done = {"finished_at": opened, "state": "finished"} if finished else {}
    session.execute(
        sa.update(runs)
        .where(runs.c.id == run)
        .values(
            frozen_at=opened,
            sent=counts["sent"],
            failed=counts["failed"],
            unknown=counts["unknown"],
            audience=len(people),
            mailable=len(people) - counts["skipped"],
            **done,
        )
    )
    if linked:
        session.execute(
            sa.insert(links).values(run_id=run, number=1, language="en", url="https://a.example/")
        )
    return run


def sent(*events, domain="example.com"):
    return One("sent", domain=domain, events=list(events))


def opened(verdict, minutes=5):
    return (EventKind.OPENED, verdict, minutes, {})


def clicked(verdict, link=1, minutes=6):
    return (EventKind.CLICKED, verdict, minutes, {"link": link})


def bounced(*, hard, kind="full"):
    return (
        EventKind.BOUNCED,
        Verdict.UNKNOWN,
        9,
        {"hard": hard, "class": kind, "status": "5.1.1", "diagnostic": "no such user"},
    )


def happened(kind):
    return (kind, Verdict.UNKNOWN, 10, {})


def scored(verdict, score=9):
    return (EventKind.SCORE_CLICKED, verdict, 7, {"score": score})


# ---- what the words mean


def test_a_contact_that_a_machine_and_a_person_opened_counts_as_a_person(session):
    run = play(session, [sent(opened(Verdict.MACHINE), opened(Verdict.HUMAN)), sent(opened(Verdict.MACHINE))])
    report = reports.run_report(session, run, AFTER)
    assert (report.opened.human, report.opened.machine, report.opened.total) == (1, 1, 2)


def test_many_clicks_of_one_person_count_once_and_rates_are_over_delivered(session):
    people = [
        sent(clicked(Verdict.HUMAN, 1), clicked(Verdict.HUMAN, 2), clicked(Verdict.HUMAN, 1)),
        sent(),
        sent(bounced(hard=True)),
    ]
    report = reports.run_report(session, play(session, people), AFTER)
    assert (report.ledger.sent, report.bounced, report.delivered) == (3, 1, 2)
    assert (report.click_rate.count, report.click_rate.n, report.click_rate.value) == (1, 2, 0.5)
    assert report.click_rate.low < 0.5 < report.click_rate.high


def test_of_what_came_back_it_is_told_how_much_was_refused_for_what_we_are(session):
    people = [
        sent(bounced(hard=False, kind="block.reputation"), bounced(hard=False, kind="block.content")),
        sent(bounced(hard=False, kind="size")),
        sent(bounced(hard=True, kind="hard.address")),
        sent(bounced(hard=False)),
        sent(),
    ]
    report = reports.run_report(session, play(session, people), AFTER)
    assert (report.bounced, report.bounced_hard, report.blocked) == (4, 1, 2)
    assert sum(line.bounced for line in report.domains) == 4


def test_a_notice_about_a_message_in_doubt_takes_nothing_from_what_was_delivered(session):
    people = [sent(), One("unknown", events=[bounced(hard=False)])]
    report = reports.run_report(session, play(session, people), AFTER)
    assert (report.delivered, report.bounced, report.ledger.unknown) == (1, 0, 1)


def test_a_person_who_clicked_a_mail_that_came_back_does_not_break_the_rate(session):
    report = reports.run_report(
        session, play(session, [sent(bounced(hard=True), clicked(Verdict.HUMAN))]), AFTER
    )
    assert report.clicked.human == 1
    assert report.click_rate.value is None


def test_gates_tell_at_the_freeze_from_later(session):
    people = [
        One("skipped", "no consent"),
        One("skipped", "no consent", late=True),
        One("skipped", "suppressed"),
    ]
    report = reports.run_report(session, play(session, people), AFTER)
    assert [(one.gate, one.at_freeze, one.later) for one in report.ledger.gates] == [
        (Gate.SUPPRESSED, 1, 0),
        (Gate.NO_CONSENT, 1, 1),
    ]
    assert report.ledger.skipped == report.ledger.audience == 3


def test_an_hour_holds_each_contact_once_at_the_first_hit(session):
    people = [
        sent(opened(Verdict.HUMAN, 61), opened(Verdict.HUMAN, 700), clicked(Verdict.HUMAN, minutes=119)),
        sent(opened(Verdict.PRIVACY, 0), opened(Verdict.HUMAN, 60 * 49)),
    ]
    hours = reports.run_report(session, play(session, people), AFTER).hours
    assert len(hours) == 48
    assert [
        (n, hour.opened, hour.clicked, hour.machines)
        for n, hour in enumerate(hours)
        if hour.opened or hour.clicked or hour.machines
    ] == [(0, 0, 0, 1), (1, 1, 1, 0)]


def test_links_are_ranked_by_people_and_an_unclicked_one_stands_there_too(session):
    run = play(
        session,
        [
            sent(clicked(Verdict.HUMAN, 2)),
            sent(clicked(Verdict.HUMAN, 2), clicked(Verdict.HUMAN, 1)),
            sent(clicked(Verdict.MACHINE, 3)),
        ],
    )
    session.execute(
        sa.insert(links),
        [
            {"run_id": run, "number": n, "language": "en", "url": f"https://x.example/{n}"}
            for n in (1, 2, 3, 4)
        ],
    )
    lines = reports.run_report(session, run, AFTER).links
    assert [(line.number, line.clicked.human, line.clicked.machine) for line in lines] == [
        (2, 2, 0),
        (1, 1, 0),
        (3, 0, 1),
        (4, 0, 0),
    ]
    assert (lines[0].share.count, lines[0].share.n) == (2, 2)


def test_domains_are_listed_by_size_with_what_came_back(session):
    people = [
        sent(domain="big.example"),
        sent(bounced(hard=False), domain="big.example"),
        One("failed", domain="small.example"),
    ]
    lines = reports.run_report(session, play(session, people), AFTER).domains
    assert [(line.domain, line.mailed, line.sent, line.failed, line.bounced) for line in lines] == [
        ("big.example", 2, 2, 0, 1),
        ("small.example", 1, 0, 1, 0),
    ]


def test_beyond_fifteen_domains_the_rest_is_one_line(session):
    people = [sent(domain=f"d{n}.example") for n in range(18)]
    lines = reports.run_report(session, play(session, people), AFTER).domains
    assert len(lines) == 16
    assert (lines[-1].domain, lines[-1].mailed, lines[-1].sent) == ("", 3, 3)


def test_the_average_is_of_earlier_finished_runs_of_other_campaigns(session):
    lively = [sent(clicked(Verdict.HUMAN)), sent(), sent(), sent()]
    play(session, lively, opened=NOW - timedelta(days=9), linked=True)
    play(
        session, [sent(), sent()], opened=NOW - timedelta(days=9)
    )  # a mail without links: nobody could click
    play(
        session,
        [sent(clicked(Verdict.HUMAN)), sent(clicked(Verdict.MACHINE))],
        opened=NOW - timedelta(days=8),
        linked=True,
    )
    play(session, [sent(clicked(Verdict.HUMAN))], opened=NOW - timedelta(days=7), finished=False)
    run = play(session, [sent()])
    play(session, [sent(clicked(Verdict.HUMAN))], opened=NOW + timedelta(days=1))
    average = reports.run_report(session, run, AFTER).average
    assert average is not None
    assert (average.runs, average.click_rate) == (2, 0.375)


def test_without_earlier_runs_there_is_no_average_and_without_mail_no_rate(session):
    report = reports.run_report(session, play(session, []), AFTER)
    assert report.average is None
    assert report.click_rate.value is None
    assert dict(reports.summary_lines(report))["click rate"] == "none delivered"


def test_a_survey_is_summed_up_from_posted_responses_alone(session):
    form = parse_form({"version": 1, "title": "Visit", "questions": [
        {"key": "nps", "type": "scale", "text": "Recommend?"},
        {"key": "like", "type": "multiple", "text": "What?", "choices": [{"key": "a", "text": "A"}, {"key": "b", "text": "B"}]},
        {"key": "next", "type": "product", "text": "Next?", "skus": ["T-1", "T-2"]},
        {"key": "why", "type": "text", "text": "Why?"},
    ]})  # fmt: skip
    surveys.save(session, "visit", "Visit", form, author="test", now=NOW)
    for sku in ("T-1", "T-9"):
        catalog.put_on_sale(
            session, catalog.Offer(sku, f"Tea {sku}", "tea", 100, "EUR", "https://shop.example/")
        )
    survey = surveys.find(session, "visit")
    version = surveys.newest_version(session, survey)
    run = play(session, [sent(), sent(), sent()])
    session.execute(sa.update(runs).where(runs.c.id == run).values(survey_version_id=version))
    contacts = list(
        session.scalars(
            sa.select(messages.c.contact_id).where(messages.c.run_id == run).order_by(messages.c.seq)
        )
    )
    for contact, posted, score in zip(contacts, (True, True, False), (10, 3, 10), strict=True):
        made = session.execute(
            sa.insert(responses)
            .values(
                survey_id=survey,
                version_id=version,
                contact_id=contact,
                run_id=run,
                seq=contacts.index(contact) + 1,
                posted=posted,
                started_at=NOW,
            )
            .returning(responses.c.id)
        ).scalar_one()
        answer = {"response_id": made, "survey_id": survey, "contact_id": contact, "at": NOW}
        session.execute(sa.insert(answers).values(question="nps", number=score, **answer))
        session.execute(sa.insert(answers).values(question="like", choice="b", **answer))
        session.execute(sa.insert(answers).values(question="next", choice="T-9", **answer))
        session.execute(sa.insert(answers).values(question="why", text=f"for {score}", **answer))
    found = reports.run_report(session, run, AFTER).survey
    assert found is not None
    nps, like, following, why = found.questions
    named = [(choice.text.read("en"), choice.share.count) for choice in following.choices]
    assert named == [("Tea T-1", 0), ("T-2", 0), ("Tea T-9", 2)]  # by name, by number where there is none
    assert (found.posted, found.invited, nps.n, nps.nps.score, nps.nps.promoters, nps.nps.detractors) == (
        2,
        3,
        2,
        0.0,
        1,
        1,
    )
    assert [(choice.key, choice.share.count, choice.share.n) for choice in like.choices] == [
        ("a", 0, 2),
        ("b", 2, 2),
    ]
    assert {text.text for text in why.texts} == {"for 10", "for 3"}
    report = reports.run_report(session, run, AFTER)
    assert (report.answer_rate.count, report.answer_rate.n) == (2, 3)
    listed = reports.people(session, run, PeopleList.ANSWERED)
    assert [(person.contact, person.address) for person in listed] == [
        (contacts[0], "p1@example.com"),
        (contacts[1], "p2@example.com"),
    ]


def test_whoever_follows_a_score_or_the_surveys_page_has_clicked(session):
    run = play(
        session,
        [
            sent(scored(Verdict.HUMAN, 9), scored(Verdict.HUMAN, 10)),
            sent(scored(Verdict.HUMAN), clicked(Verdict.HUMAN, SURVEY_PAGE)),
            sent(clicked(Verdict.MACHINE, SURVEY_PAGE), scored(Verdict.MACHINE)),
            sent(clicked(Verdict.HUMAN, 1), scored(Verdict.MACHINE)),
            sent(),
        ],
        linked=True,
    )
    assert [line.number for line in reports.run_report(session, run, AFTER).links] == [1]  # and no survey
    surveys.save(session, "visit", "Visit", ONE_QUESTION, author="test", now=NOW)
    version = surveys.newest_version(session, surveys.find(session, "visit"))
    session.execute(sa.update(runs).where(runs.c.id == run).values(survey_version_id=version))
    report = reports.run_report(session, run, AFTER)
    assert (report.clicked.human, report.clicked.machine, report.click_rate.count) == (3, 1, 3)
    assert sum(hour.clicked for hour in report.hours) == 3
    assert [
        (line.number, line.clicked.human, line.clicked.machine, line.share.n) for line in report.links
    ] == [
        (SCORES, 2, 2, 3),
        (SURVEY_PAGE, 1, 1, 3),
        (1, 1, 0, 3),
    ]
    assert [(line.is_survey, line.is_score, line.place) for line in report.links] == [
        (True, True, 0),
        (True, False, 0),
        (False, False, 0),
    ]
    assert len(reports.people(session, run, PeopleList.CLICKED)) == 3
    assert [line.numbers.clicked for line in reports.latest_runs(session)] == [3]


def test_one_address_has_one_line_for_all_languages_and_one_for_each_place(session):
    run = play(session, [sent(clicked(Verdict.HUMAN, n)) for n in (1, 1, 3, 4, 6, 6)])
    addresses = {1: "en a", 2: "en b", 3: "en a", 4: "de a", 5: "de b", 6: "de a", 7: "fr a", 8: " a"}
    session.execute(
        sa.insert(links),
        [
            {"run_id": run, "number": n, "language": where.split(" ")[0], "url": where.split(" ")[1]}
            for n, where in addresses.items()
        ],
    )
    lines = reports.run_report(session, run, AFTER).links
    told = [(line.url, line.place, line.numbers, line.languages, line.clicked.human) for line in lines]
    assert told == [
        ("a", 1, (1, 4, 7), ("en", "de", "fr"), 3),
        ("a", 2, (3, 6), ("en", "de"), 3),
        ("b", 0, (2, 5), ("en", "de"), 0),
        ("a", 0, (8,), (), 0),
    ]


# ---- people, and lists of campaigns


def test_the_lists_hold_exactly_the_people_that_the_numbers_count(session):
    people = [
        sent(opened(Verdict.HUMAN), clicked(Verdict.HUMAN), happened(EventKind.UNSUBSCRIBED)),
        sent(opened(Verdict.MACHINE), happened(EventKind.COMPLAINED)),
        sent(bounced(hard=True)), One("failed"), One("unknown"), One("skipped", "no consent"),
    ]  # fmt: skip
    run = play(session, people)
    sizes = {which: len(reports.people(session, run, which)) for which in PeopleList}
    assert sizes == dict.fromkeys(PeopleList, 1) | {PeopleList.ANSWERED: 0}
    [person] = reports.people(session, run, PeopleList.BOUNCED)
    assert (person.why, person.address) == ("5.1.1 no such user", "p3@example.com")
    assert reports.people(session, run, PeopleList.SKIPPED)[0].why == "no consent"


def test_a_list_is_read_on_by_the_last_contact(session):
    run = play(session, [sent(clicked(Verdict.HUMAN)) for _ in range(5)])
    first = reports.people(session, run, PeopleList.CLICKED, limit=3)
    rest = reports.people(session, run, PeopleList.CLICKED, after=first[-1].contact, limit=3)
    assert len({person.contact for person in (*first, *rest)}) == 5


def test_the_numbers_of_a_list_come_in_four_queries_and_leave_tests_out(session, stores):
    campaign = a_campaign(session, topic=a_topic(session))
    play(session, [sent(clicked(Verdict.HUMAN)), sent(bounced(hard=True))], campaign=campaign)
    newest = play(
        session,
        [sent(clicked(Verdict.HUMAN), clicked(Verdict.HUMAN)), sent()],
        campaign=campaign,
        occurrence="later",
    )
    test = play(session, [sent(clicked(Verdict.HUMAN))], campaign=campaign, occurrence="test-1")
    session.execute(sa.update(runs).where(runs.c.id == test).values(kind="test"))
    other = a_campaign(session, topic=a_topic(session))
    asked: list[str] = []
    sa.event.listen(stores.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    numbers = reports.campaign_list_numbers(session, [campaign, other])
    assert len(asked) == 4
    mine = numbers[campaign]
    assert (mine.runs, mine.newest_run, mine.sent, mine.clicked, mine.bounced) == (2, newest, 4, 2, 1)
    assert (mine.click_rate.count, mine.click_rate.n) == (2, 3)
    assert (numbers[other].runs, numbers[other].click_rate.value) == (0, None)


def test_a_deleted_campaign_keeps_its_report_but_leaves_the_list_of_runs(session):
    from campaigns.records import campaign_desk

    run = play(session, [sent()])
    campaign = campaigns.get_run(session, run).campaign_id
    assert [line.run for line in reports.latest_runs(session)] == [run]
    campaign_desk.delete(session, campaign, actor="test", now=NOW)
    assert reports.latest_runs(session) == []
    assert reports.run_report(session, run, AFTER).ledger.sent == 1


# ---- any history, against a plain count

hits = st.tuples(
    st.sampled_from([EventKind.OPENED, EventKind.CLICKED, EventKind.VIEWED, EventKind.SCORE_CLICKED]),
    st.sampled_from(RANKS),
    st.integers(0, 60 * 72),
    st.just({"link": 1}),
)
others = st.sampled_from(
    [
        happened(EventKind.UNSUBSCRIBED),
        happened(EventKind.COMPLAINED),
        happened(EventKind.REPLIED),
        bounced(hard=True),
        bounced(hard=False),
    ]
)
a_person = st.builds(
    One,
    state=st.sampled_from(["sent", "sent", "sent", "failed", "unknown", "queued"]),
    domain=st.sampled_from(["a.example", "b.example"]),
    events=st.lists(st.one_of(hits, others), max_size=6),
) | st.builds(
    One,
    state=st.just("skipped"),
    gate=st.sampled_from(["no consent", "suppressed", "recalled"]),
    late=st.booleans(),
)


def rank_of(one, kind):
    kinds = {kind, EventKind.SCORE_CLICKED} if kind is EventKind.CLICKED else {kind}
    return min((RANKS.index(verdict) for found, verdict, _, _ in one.events if found in kinds), default=None)


def by_verdict(people, kind):
    ranks = Counter(rank_of(one, kind) for one in people)
    return {verdict.value: ranks[number] for number, verdict in enumerate(RANKS)}


def has(one, kind):
    return any(found is kind for found, *_ in one.events)


@settings(max_examples=15, deadline=None)
@given(people=st.lists(a_person, max_size=12))
def test_every_number_is_what_a_plain_count_of_the_history_gives(stores, people):
    with stores.sessions() as session:
        report = reports.run_report(session, play(session, people), AFTER)
        session.rollback()
    states = Counter(one.state for one in people)
    ledger = report.ledger
    assert (ledger.audience, ledger.sent, ledger.failed, ledger.unknown, ledger.waiting, ledger.skipped) == (
        len(people), states["sent"], states["failed"], states["unknown"], states["queued"], states["skipped"],
    )  # fmt: skip
    for kind, found in (
        (EventKind.OPENED, report.opened),
        (EventKind.CLICKED, report.clicked),
        (EventKind.VIEWED, report.viewed),
    ):
        assert {verdict.value: getattr(found, verdict.value) for verdict in RANKS} == by_verdict(people, kind)
    returned = [one for one in people if one.state == "sent" and has(one, EventKind.BOUNCED)]
    assert (report.bounced, report.delivered) == (len(returned), states["sent"] - len(returned))
    assert (report.unsubscribed, report.complained, report.replied) == tuple(
        sum(has(one, kind) for one in people)
        for kind in (EventKind.UNSUBSCRIBED, EventKind.COMPLAINED, EventKind.REPLIED)
    )
    within = [
        min(
            (
                minutes
                for kind, verdict, minutes, _ in one.events
                if kind is EventKind.OPENED and verdict is Verdict.HUMAN
            ),
            default=None,
        )
        for one in people
    ]
    assert [hour.opened for hour in report.hours] == [
        sum(first is not None and first // 60 == hour for first in within) for hour in range(48)
    ]
    assert {line.domain: line.mailed for line in report.domains} == Counter(
        one.domain for one in people if one.state != "skipped" or one.late
    )


def test_every_state_of_a_message_is_counted_somewhere(session):
    run = play(
        session,
        [One(state.value, "no consent" if state is MessageState.SKIPPED else None) for state in MessageState],
    )
    ledger = reports.run_report(session, run, AFTER).ledger
    assert (
        ledger.sent + ledger.failed + ledger.unknown + ledger.waiting + ledger.skipped
        == ledger.audience
        == len(MessageState)
    )


def test_a_share_is_written_with_what_it_is_of():
    assert reports.written(reports.rate(21, 1000)) == "2.1% (1.4% to 3.2%) of 1,000"


@pytest.mark.parametrize("missing", [0, 999])
def test_a_run_that_is_not_there_is_not_found(session, missing):
    from campaigns.errors import NotFound

    with pytest.raises(NotFound):
        reports.run_report(session, missing, AFTER)
