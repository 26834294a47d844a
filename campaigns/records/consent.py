"""What contacts may hear about and what they said to it: topics, wordings, and the append-only ledger."""

from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import NotFound
from campaigns.model.consent import consent_states, consents, topics, wordings
from campaigns.model.customers import contacts
from campaigns.values import ConsentState, ContactId, TopicClass


class Topic(NamedTuple):
    """What a contact may hear about."""

    id: int
    key: str
    name: str
    topic_class: TopicClass
    description: str
    public: bool  #: shown on the preferences page


class Provenance(NamedTuple):
    """How we know of a word: without it nothing enters the ledger."""

    at: datetime  #: when the contact said it
    source: str  #: import, form, preferences, unsubscribe, survey, staff, complaint
    proof: str = ""  #: where it can be looked up
    wording: int | None = None  #: what was shown, where something was and it is known
    actor: str = "contact"  #: who entered it: the contact, or a member of staff


class Statement(NamedTuple):
    """One line of the ledger: a dated yes, no, or question put to a contact."""

    id: int
    contact: ContactId
    topic: int
    state: ConsentState
    at: datetime
    source: str
    wording: int | None
    proof: str
    actor: str
    recorded_at: datetime


def add_topic(
    session: Session,
    key: str,
    name: str,
    topic_class: TopicClass,
    *,
    now: datetime,
    description: str = "",
    public: bool = True,
) -> Topic:
    """Make a topic; its key must be new."""
    values = {
        "key": key,
        "name": name,
        "topic_class": topic_class.value,
        "description": description,
        "public": public,
        "created_at": now,
    }
    made = session.execute(sa.insert(topics).values(values).returning(topics.c.id)).scalar_one()
    return Topic(made, key, name, topic_class, description, public)


def change_topic(session: Session, number: int, *, name: str, description: str, public: bool) -> None:
    """Change what people read of a topic; its key and class stay, since consents were given to them.

    Raises:
        NotFound: there is no such topic.
    """
    topic_by_id(session, number)
    values = {"name": name, "description": description, "public": public}
    session.execute(sa.update(topics).where(topics.c.id == number).values(values))


def topic(session: Session, key: str) -> Topic:
    """Look a topic up by its key.

    Raises:
        NotFound: naming the topics there are.
    """
    known = all_topics(session)
    for one in known:
        if one.key == key:
            return one
    names = ", ".join(one.key for one in known) or "none yet"
    raise NotFound(f"No topic has the key {key!r}. Topics: {names}.")


def topic_by_id(session: Session, number: int) -> Topic:
    """Look a topic up by its id.

    Raises:
        NotFound: there is no such topic.
    """
    for one in all_topics(session):
        if one.id == number:
            return one
    raise NotFound(f"There is no topic {number}.")


def all_topics(session: Session) -> list[Topic]:
    """List the topics by name."""
    c = topics.c
    rows = session.execute(
        sa.select(c.id, c.key, c.name, c.topic_class, c.description, c.public).order_by(c.name, c.id)
    )
    return [
        Topic(row.id, row.key, row.name, TopicClass(row.topic_class), row.description, row.public)
        for row in rows
    ]


def grant(session: Session, contact: ContactId, topic_id: int, how: Provenance, *, now: datetime) -> bool:
    """Write down a yes; say whether the ledger grew (see `append`)."""
    return append(session, contact, topic_id, ConsentState.GRANTED, how, now=now)


def ask(session: Session, contact: ContactId, topic_id: int, how: Provenance, *, now: datetime) -> bool:
    """Write down that a yes was asked for and is not confirmed yet; say whether the ledger grew."""
    return append(session, contact, topic_id, ConsentState.PENDING, how, now=now)


def withdraw(session: Session, contact: ContactId, topic_id: int, how: Provenance, *, now: datetime) -> bool:
    """Write down a no; say whether the ledger grew."""
    return append(session, contact, topic_id, ConsentState.WITHDRAWN, how, now=now)


def append(
    session: Session,
    contact: ContactId,
    topic_id: int,
    said: ConsentState,
    how: Provenance,
    *,
    now: datetime,
) -> bool:
    """Add one word to the ledger, unless this very word (contact, topic, state, moment) stands there.

    The moment decides, not the order of entry: a word said before the newest one changes no state.
    """
    c = consents.c
    same = sa.select(c.id).where(
        c.topic_id == topic_id, c.contact_id == contact, c.at == how.at, c.state == said.value
    )
    if session.execute(same).first():
        return False
    row = {
        "contact_id": contact,
        "topic_id": topic_id,
        "state": said.value,
        "at": how.at,
        "source": how.source,
        "wording_id": how.wording,
        "proof": how.proof,
        "actor": how.actor,
        "recorded_at": now,
    }
    session.execute(sa.insert(consents).values(row))
    return True


def state(session: Session, contact: ContactId, topic_id: int) -> ConsentState | None:
    """Give a contact's newest word on a topic; None where they never said one."""
    c = consent_states.c
    found = session.scalar(sa.select(c.state).where(c.topic_id == topic_id, c.contact_id == contact))
    return None if found is None else ConsentState(found)


def hold(
    session: Session, contact: ContactId, topic_id: int, *, now: datetime
) -> tuple[ConsentState | None, datetime]:
    """Give the newest word, and keep other writers of this contact away until the end.

    Also gives the moment from which a new word counts: now, or just after a word that is dated later than
    now by some wrong clock. What a contact says with their own hand must never lose to that.
    """
    session.execute(sa.select(contacts.c.id).where(contacts.c.id == contact).with_for_update(key_share=True))
    c = consent_states.c
    newest = session.execute(
        sa.select(c.state, c.at).where(c.topic_id == topic_id, c.contact_id == contact)
    ).one_or_none()
    if newest is None:
        return None, now
    return ConsentState(newest.state), max(now, newest.at + timedelta(microseconds=1))


def withdrawn_since(session: Session, contact: ContactId, topic_id: int) -> datetime | None:
    """Give when a contact said no to a topic; None where that is not their newest word."""
    c = consent_states.c
    no = (c.topic_id == topic_id, c.contact_id == contact, c.state == ConsentState.WITHDRAWN.value)
    since: datetime | None = session.scalar(sa.select(c.at).where(*no))
    return since


def was_granted(session: Session, contact: ContactId, topic_id: int, *, since: datetime) -> bool:
    """Tell whether a contact has said yes to a topic after a moment."""
    yes = ConsentState.GRANTED
    said = ledger(session, contact)
    return any(one.topic == topic_id and one.state is yes and one.at > since for one in said)


def states(session: Session, contact: ContactId) -> dict[int, ConsentState]:
    """Give a contact's newest word on every topic they spoke of, by topic id."""
    c = consent_states.c
    rows = session.execute(sa.select(c.topic_id, c.state).where(c.contact_id == contact))
    return {row.topic_id: ConsentState(row.state) for row in rows}


def ledger(session: Session, contact: ContactId) -> list[Statement]:
    """List every word of a contact, newest first."""
    c = consents.c
    columns = (
        c.id,
        c.contact_id,
        c.topic_id,
        c.state,
        c.at,
        c.source,
        c.wording_id,
        c.proof,
        c.actor,
        c.recorded_at,
    )
    query = sa.select(*columns).where(c.contact_id == contact).order_by(c.at.desc(), c.id.desc())
    return [
        Statement._make(row)._replace(state=ConsentState(row.state), contact=ContactId(row.contact_id))
        for row in session.execute(query)
    ]


def add_wording(session: Session, key: str, language: str, text: str, *, now: datetime) -> int:
    """Keep a text exactly as it is shown; the same text again is the same version."""
    c = wordings.c
    newest = session.execute(
        sa.select(c.id, c.version, c.text)
        .where(c.key == key, c.language == language)
        .order_by(c.version.desc())
        .limit(1)
    ).first()
    if newest and newest.text == text:
        known: int = newest.id
        return known
    version = newest.version + 1 if newest else 1
    values = {"key": key, "version": version, "language": language, "text": text, "created_at": now}
    made: int = session.execute(sa.insert(wordings).values(values).returning(c.id)).scalar_one()
    return made


def wording(session: Session, key: str, language: str, version: int | None = None) -> int:
    """Look a wording up; the newest version where none is named.

    Raises:
        NotFound: nothing was ever shown under this key in this language.
    """
    c = wordings.c
    query = sa.select(c.id).where(c.key == key, c.language == language)
    if version is not None:
        query = query.where(c.version == version)
    found: int | None = session.scalar(query.order_by(c.version.desc()).limit(1))
    if found is None:
        raise NotFound(f"No wording {key!r} in {language!r}" + (f", version {version}." if version else "."))
    return found
