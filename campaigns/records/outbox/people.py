"""What a chunk's messages need to be made: recipients as plain data, and the gates asked again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.customers import contacts, customers
from campaigns.model.dialect import rows_at_once
from campaigns.model.mail import messages
from campaigns.records.gates import Gates
from campaigns.records.outbox.chunks import Chunk
from campaigns.values import Gate, MessageState

#: What the making of a mail may ask about a contact and its customer; read by `recipient_of`.
CONTACT = (
    *("id", "customer_id", "email", "given_name", "family_name", "salutation"),
    *("locale", "country", "region", "city", "attributes", "tracking"),
)
CUSTOMER = ("name", "stage", "owner_id")
PERSON = (
    *[contacts.c[name].label(f"contact_{name}") for name in CONTACT],
    *[customers.c[name].label(f"customer_{name}") for name in CUSTOMER],
)


@dataclass(slots=True)
class Recipient:
    """One message to send, with all that its rendering may name: plain data only."""

    seq: int
    attempts: int
    address: str
    contact_id: int
    customer_id: int
    contact: dict[str, Any]
    customer: dict[str, Any]


def load(
    session: Session, chunk: Chunk, gates: Gates | None, *, due: datetime | None = None
) -> tuple[list[Recipient], dict[int, Gate]]:
    """The chunk's queued messages, and by seq those that a gate stops now though it did not at the freeze.

    Without gates (a test mail) nothing stops a message, except that its contact is gone or erased. With a
    moment in `due` those are left out that were deferred until later, and what goes beyond the lane's budget.
    """
    forgotten = sa.or_(contacts.c.id.is_(None), contacts.c.erased_at.is_not(None))
    gone = (forgotten, sa.literal(Gate.ERASED.value))
    stops = None if gates is None else gates.stopping(gates.left_at(messages.c.address))
    gate = sa.case(gone, else_=sa.null() if stops is None else stops)
    query = (
        sa.select(messages.c.seq, gate.label("gate"), messages.c.attempts, messages.c.address, *PERSON)
        .outerjoin(contacts, contacts.c.id == messages.c.contact_id)
        .outerjoin(customers, customers.c.id == contacts.c.customer_id)
        .where(
            messages.c.run_id == chunk.run,
            messages.c.seq.between(chunk.first, chunk.last),
            messages.c.state == MessageState.QUEUED.value,
        )
    )
    if due is not None:
        query = query.where(sa.or_(messages.c.not_before.is_(None), messages.c.not_before <= due))
    if due is not None and chunk.most is not None:
        query = query.order_by(messages.c.seq).limit(chunk.most)
    ready: list[Recipient] = []
    stopped: dict[int, Gate] = {}
    for seq, gate_name, attempts, address, *person in sorted(rows_at_once(session, query), key=_first):
        if gate_name is not None:
            stopped[seq] = Gate(gate_name)
        else:
            ready.append(recipient_of(person, seq=seq, attempts=attempts, address=address))
    return ready, stopped


_first = itemgetter(0)


def recipient_of(person: Sequence[Any], *, seq: int, attempts: int, address: str) -> Recipient:
    """Make a recipient of the values of `PERSON`."""
    contact = dict(zip(CONTACT, person, strict=False))
    customer = dict(zip(CUSTOMER, person[len(CONTACT) :], strict=True))
    return Recipient(seq, attempts, address, contact["id"], contact["customer_id"], contact, customer)


def queued(session: Session, chunk: Chunk) -> list[int]:
    """The seqs of a chunk's messages that have no outcome yet."""
    query = sa.select(messages.c.seq).where(
        messages.c.run_id == chunk.run,
        messages.c.seq.between(chunk.first, chunk.last),
        messages.c.state == MessageState.QUEUED.value,
    )
    return list(session.scalars(query))
