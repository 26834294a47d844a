"""The consent ledger: only appended to, and the newest word of a contact counts."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from campaigns.errors import NotFound
from campaigns.model.customers import contacts, customers
from campaigns.records import consent
from campaigns.records.consent import Provenance
from campaigns.values import ConsentState, ContactId, TopicClass

DAY = timedelta(days=1)


@pytest.fixture
def contact(session: Session, now: datetime) -> ContactId:
    stamps = {"created_at": now, "updated_at": now}
    customer = session.execute(sa.insert(customers).values(stamps).returning(customers.c.id)).scalar_one()
    row = {"customer_id": customer, "email": "ada@example.com", **stamps}
    return ContactId(session.execute(sa.insert(contacts).values(row).returning(contacts.c.id)).scalar_one())


@pytest.fixture
def news(session: Session, now: datetime) -> int:
    return consent.add_topic(session, "news", "News", TopicClass.MARKETING, now=now).id


def said(at: datetime, source: str = "form") -> Provenance:
    return Provenance(at, source, proof="page 3")


def test_who_never_spoke_has_no_state(session: Session, contact: ContactId, news: int) -> None:
    assert consent.state(session, contact, news) is None
    assert consent.states(session, contact) == {}
    assert consent.ledger(session, contact) == []


def test_the_newest_word_counts_whatever_the_order_of_entry(
    session: Session, contact: ContactId, news: int, now: datetime
) -> None:
    assert consent.withdraw(session, contact, news, said(now), now=now)
    assert consent.grant(session, contact, news, said(now - DAY), now=now + DAY)
    assert consent.state(session, contact, news) is ConsentState.WITHDRAWN
    assert consent.grant(session, contact, news, said(now + DAY), now=now + DAY)
    assert consent.states(session, contact) == {news: ConsentState.GRANTED}


def test_of_two_words_at_one_moment_the_later_entered_counts(
    session: Session, contact: ContactId, news: int, now: datetime
) -> None:
    consent.grant(session, contact, news, said(now), now=now)
    consent.withdraw(session, contact, news, said(now), now=now)
    assert consent.state(session, contact, news) is ConsentState.WITHDRAWN


def test_the_same_word_again_adds_nothing(
    session: Session, contact: ContactId, news: int, now: datetime
) -> None:
    assert consent.ask(session, contact, news, said(now), now=now)
    assert not consent.ask(session, contact, news, said(now), now=now + DAY)
    assert consent.ask(session, contact, news, said(now + DAY), now=now + DAY)
    assert [line.at for line in consent.ledger(session, contact)] == [now + DAY, now]


def test_the_ledger_tells_where_a_word_came_from(
    session: Session, contact: ContactId, news: int, now: datetime
) -> None:
    text = consent.add_wording(session, "footer", "de", "Ja, ich möchte Neues hören.", now=now)
    how = Provenance(now - DAY, "form", "ticket 8", text, "rep@example.com")
    consent.grant(session, contact, news, how, now=now)
    (line,) = consent.ledger(session, contact)
    assert line._replace(id=0) == (
        0, contact, news, ConsentState.GRANTED, now - DAY, "form", text, "ticket 8", "rep@example.com", now,
    )  # fmt: skip


def test_an_unknown_topic_names_the_known_ones(session: Session, news: int) -> None:
    assert consent.topic(session, "news").id == news
    with pytest.raises(NotFound, match=r"'nwes'.*Topics: news\."):
        consent.topic(session, "nwes")


def test_a_changed_wording_is_a_new_version_and_an_unchanged_one_is_not(
    session: Session, now: datetime
) -> None:
    first = consent.add_wording(session, "footer", "en", "Yes, please.", now=now)
    assert consent.add_wording(session, "footer", "en", "Yes, please.", now=now) == first
    second = consent.add_wording(session, "footer", "en", "Yes!", now=now)
    assert second != first
    assert consent.wording(session, "footer", "en") == second
    assert consent.wording(session, "footer", "en", 1) == first
    with pytest.raises(NotFound, match="version 3"):
        consent.wording(session, "footer", "en", 3)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(ConsentState)), max_size=8))
def test_the_state_is_the_last_of_the_newest_words(
    session: Session, news: int, contact: ContactId, now: datetime, words: list[tuple[int, ConsentState]]
) -> None:
    mark = session.begin_nested()
    kept: list[tuple[int, ConsentState]] = []
    for day, state in words:
        if consent.append(session, contact, news, state, said(now + day * DAY), now=now):
            kept.append((day, state))
    newest = max(range(len(kept)), key=lambda n: (kept[n][0], n), default=None)
    assert consent.state(session, contact, news) == (None if newest is None else kept[newest][1])
    assert len(kept) == len(set(words))
    mark.rollback()
