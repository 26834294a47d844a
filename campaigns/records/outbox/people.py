"""What a chunk's messages need to be made: recipients as plain data, and the gates asked again."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.customers import contacts, customers
from campaigns.model.mail import messages
from campaigns.records.gates import Gates
from campaigns.records.outbox.chunks import Chunk
from campaigns.values import Gate, MessageState

#: Everything of a contact and its customer, as one row holds the two; read by `recipient_of`.
PERSON = tuple(
    column.label(f"{table.name[:-1]}_{column.name}") for table in (contacts, customers) for column in table.c
)


@dataclass(frozen=True, slots=True)
class Recipient:
    """One message to send, with all that its rendering may name: plain data only."""

    seq: int
    attempts: int
    address: str
    contact_id: int
    customer_id: int
    contact: dict[str, Any]
    customer: dict[str, Any]


def load(session: Session, chunk: Chunk, gates: Gates | None) -> tuple[list[Recipient], dict[int, Gate]]:
    """The chunk's queued messages, and by seq those that a gate stops now though it did not at the freeze.

    Without gates (a test mail) nothing stops a message, except that its contact is gone.
    """
    gone = (contacts.c.id.is_(None), sa.literal(Gate.ERASED.value))
    gate = sa.case(gone, else_=sa.null() if gates is None else gates.stopping())
    query = (
        sa.select(
            messages.c.seq,
            messages.c.attempts,
            messages.c.address,
            gate.label("gate"),
            *PERSON,
        )
        .outerjoin(contacts, contacts.c.id == messages.c.contact_id)
        .outerjoin(customers, customers.c.id == contacts.c.customer_id)
        .where(
            messages.c.run_id == chunk.run,
            messages.c.seq.between(chunk.first, chunk.last),
            messages.c.state == MessageState.QUEUED.value,
        )
        .order_by(messages.c.seq)
    )
    ready: list[Recipient] = []
    stopped: dict[int, Gate] = {}
    for row in session.execute(query).mappings():
        if row["gate"] is not None:
            stopped[row["seq"]] = Gate(row["gate"])
        else:
            ready.append(recipient_of(row, seq=row["seq"], attempts=row["attempts"], address=row["address"]))
    return ready, stopped


def recipient_of(row: Any, *, seq: int, attempts: int, address: str) -> Recipient:
    """Make a recipient of a row that holds the columns of `PERSON`."""
    return Recipient(
        seq=seq,
        attempts=attempts,
        address=address,
        contact_id=row["contact_id"],
        customer_id=row["customer_id"],
        contact={column.name: row[f"contact_{column.name}"] for column in contacts.c},
        customer={column.name: row[f"customer_{column.name}"] for column in customers.c},
    )


def queued(session: Session, chunk: Chunk) -> list[int]:
    """The seqs of a chunk's messages that have no outcome yet."""
    query = sa.select(messages.c.seq).where(
        messages.c.run_id == chunk.run,
        messages.c.seq.between(chunk.first, chunk.last),
        messages.c.state == MessageState.QUEUED.value,
    )
    return list(session.scalars(query))
