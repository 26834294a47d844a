"""What contacts said to being tracked: an append-only ledger, and the newest word on the contact."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.consent import tracking_choices
from campaigns.model.customers import contacts
from campaigns.model.dialect import rows_among
from campaigns.records.consent import Provenance
from campaigns.values import ContactId, Tracking

#: By the index of the few that chose; the contacts themselves are not fetched.
_CHOSE = "SELECT id, tracking FROM contacts {by} WHERE tracking IS NOT NULL AND id {ids}"


class Word(NamedTuple):
    """One line of the ledger."""

    level: Tracking
    at: datetime
    source: str
    wording: int | None
    proof: str
    actor: str
    recorded_at: datetime


def level(session: Session, contact: ContactId) -> Tracking | None:
    """What a contact chose last; None: nothing yet, so the installation's own level holds."""
    found = session.scalar(sa.select(contacts.c.tracking).where(contacts.c.id == contact))
    return None if found is None else Tracking(found)


def levels(session: Session, asked: Collection[int]) -> dict[int, Tracking]:
    """What those among some contacts chose who chose anything."""
    found = rows_among(session, _CHOSE, list(asked), index="ix_contacts_tracking")
    return {row.id: Tracking(row.tracking) for row in found}


def choose(session: Session, contact: ContactId, said: Tracking, how: Provenance, *, now: datetime) -> bool:
    """Write down what a contact wants; False if it stands so already."""
    mine = contacts.c.id == contact
    held = sa.select(contacts.c.tracking).where(mine).with_for_update(key_share=True)
    if session.scalar(held) == said.value:
        return False
    row = {
        "contact_id": contact,
        "level": said.value,
        "at": how.at,
        "source": how.source,
        "wording_id": how.wording,
        "proof": how.proof,
        "actor": how.actor,
        "recorded_at": now,
    }
    session.execute(sa.insert(tracking_choices).values(row))
    session.execute(sa.update(contacts).where(mine).values(tracking=said.value))
    return True


def ledger(session: Session, contact: ContactId) -> list[Word]:
    """Every word of a contact on being tracked, newest first."""
    c = tracking_choices.c
    columns = (c.level, c.at, c.source, c.wording_id, c.proof, c.actor, c.recorded_at)
    query = sa.select(*columns).where(c.contact_id == contact).order_by(c.at.desc(), c.id.desc())
    return [Word(Tracking(row.level), *row[1:]) for row in session.execute(query)]


def levels_in_force(session: Session, asked: Collection[int], default: Tracking) -> dict[int, Tracking]:
    """How closely each of some contacts may be looked at; `default` is for those who never chose."""
    return dict.fromkeys(asked, default) | levels(session, asked) if asked else {}


def one_by_one(session: Session, asked: Collection[int], default: Tracking) -> Collection[int]:
    """Those among some contacts whose opens and clicks may stand in their own history."""
    found = levels_in_force(session, asked, default)
    return {contact for contact, level in found.items() if level is Tracking.INDIVIDUAL}
