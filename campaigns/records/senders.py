"""Senders: whom our mail is from."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import NotFound
from campaigns.model.mail import senders
from campaigns.values import Sender


def add(session: Session, sender: Sender, *, now: datetime) -> int:
    """Add a sender and give its id."""
    return session.execute(
        sa.insert(senders)
        .values(
            name=sender.name,
            address=sender.address,
            reply_to=sender.reply_to,
            bounce_domain=sender.bounce_domain,
            postal_address=sender.postal_address,
            created_at=now,
        )
        .returning(senders.c.id)
    ).scalar_one()


def change(session: Session, number: int, sender: Sender) -> None:
    """Write a sender anew; mails that are made from now on are from the new one.

    Raises:
        NotFound: there is no such sender.
    """
    get(session, number)
    values = {
        "name": sender.name,
        "address": sender.address,
        "reply_to": sender.reply_to,
        "bounce_domain": sender.bounce_domain,
        "postal_address": sender.postal_address,
    }
    session.execute(sa.update(senders).where(senders.c.id == number).values(values))


def get(session: Session, sender: int) -> Sender:
    """Load a sender.

    Raises:
        NotFound: there is no such sender.
    """
    row = session.execute(sa.select(senders).where(senders.c.id == sender)).one_or_none()
    if row is None:
        raise NotFound(f"There is no sender {sender}.")
    return Sender(row.name, row.address, row.bounce_domain, row.reply_to, row.postal_address)


def listing(session: Session) -> list[tuple[int, Sender]]:
    """All senders with their ids, by name."""
    rows = session.execute(sa.select(senders).order_by(senders.c.name, senders.c.id))
    return [
        (row.id, Sender(row.name, row.address, row.bounce_domain, row.reply_to, row.postal_address))
        for row in rows
    ]
