"""The history's projection: newest moments only, whoever writes at the same time."""

import threading
from datetime import timedelta

import sqlalchemy as sa

from campaigns.model.customers import activity
from campaigns.records import history
from campaigns.values import EventKind, Fact, Judgement, Verdict
from tests.factories import NOW, a_contact


def opened(contact, hours, verdict=Verdict.HUMAN, kind=EventKind.OPENED):
    return Fact(
        kind, NOW + timedelta(hours=hours), f"{kind}{contact}{hours}{verdict}", contact, verdict=verdict
    )


def test_each_kind_moves_its_own_moment_forward_never_back_and_only_for_people(session):
    ada, bob = a_contact(session), a_contact(session)
    history.record_many(
        session, [opened(ada, 2), opened(bob, 1, kind=EventKind.CLICKED), opened(ada, 9, Verdict.MACHINE)]
    )
    history.record_many(
        session, [opened(ada, 1), opened(ada, 3, kind=EventKind.SENT), opened(bob, 4, kind=EventKind.CLICKED)]
    )
    kept = session.execute(sa.select(activity).order_by(activity.c.contact_id)).all()
    hours = [
        [
            moment and (moment - NOW) / timedelta(hours=1)
            for moment in (row.last_sent_at, row.last_opened_at, row.last_clicked_at)
        ]
        for row in kept
    ]
    assert hours == [[3, 2, None], [None, None, 4]]


def test_writers_with_contacts_in_common_never_wait_in_a_ring(stores):
    with stores.sessions.begin() as session:
        ids = [a_contact(session) for _ in range(200)]
    errors = []

    def write(name, kinds):
        try:
            for number in range(25):
                facts = [
                    Fact(kind, NOW, f"{name}{number}{contact}", contact, verdict=Verdict.HUMAN)
                    for kind, some in kinds
                    for contact in some
                ]
                with stores.sessions.begin() as session:
                    history.record_many(session, facts)
        except Exception as error:
            errors.append(error)

    hits = [(EventKind.OPENED, ids[100:]), (EventKind.CLICKED, ids[:100])]
    threads = [
        threading.Thread(target=write, args=("hits", hits)),
        threading.Thread(target=write, args=("sent", [(EventKind.SENT, ids)])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_score_is_a_click_and_when_it_is_no_persons_the_click_before_it_counts_again(session):
    ada = a_contact(session)
    click, score = opened(ada, 1, kind=EventKind.CLICKED), opened(ada, 5, kind=EventKind.SCORE_CLICKED)
    history.record_many(session, [click, score])
    newest = sa.select(activity.c.last_clicked_at)
    assert session.scalar(newest) == score.at
    judged = Judgement(Verdict.MACHINE, ("a burst",), 1, 9)
    for fact, left in ((score, click.at), (click, None)):
        history.rejudge(session, fact.dedupe, judged, {})
        history.take_back(session, [fact])
        assert session.scalar(newest) == left
