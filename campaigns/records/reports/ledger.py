"""Numbers from the ledger: what became of a run's messages, and where they came back from."""

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.delivery.returns import OURS
from campaigns.model.events import events
from campaigns.model.expressions import domain_of
from campaigns.model.mail import messages
from campaigns.records.reports.figures import DomainLine, GateCount, Ledger
from campaigns.values import EventKind, Gate, MessageState

DOMAINS = 15  #: shown one by one; the rest is one line


def ledger_of(session: Session, run: int) -> Ledger:
    """Count a run's messages by state, and by the gate that stopped them."""
    frozen_out = messages.c.address.is_(None)
    query = (
        sa.select(messages.c.state, messages.c.gate, frozen_out.label("early"), sa.func.count().label("n"))
        .where(messages.c.run_id == run)
        .group_by(messages.c.state, messages.c.gate, frozen_out)
    )
    states = dict.fromkeys((state.value for state in MessageState), 0)
    gates: dict[str, list[int]] = {}
    for row in session.execute(query):
        states[row.state] += row.n
        if row.state == MessageState.SKIPPED.value:
            gates.setdefault(row.gate, [0, 0])[0 if row.early else 1] += row.n
    return Ledger(
        audience=sum(states.values()),
        waiting=states["queued"] + states["sending"],
        sent=states["sent"],
        failed=states["failed"],
        unknown=states["unknown"],
        gates=tuple(GateCount(gate, *gates[gate.value]) for gate in Gate if gate.value in gates),
    )


class Bounces(NamedTuple):
    """Messages that came back from one domain, alike in what their notices say."""

    domain: str
    hard: bool  #: one notice was for good
    blocked: bool  #: one was about us: no fault of the contact's
    messages: int


def bounces_of(session: Session, run: int) -> list[Bounces]:
    """Count returned messages among those sent."""
    hard = sa.case((events.c.detail["hard"].as_boolean(), 1), else_=0)
    ours = events.c.detail["class"].as_string().in_(sorted(kind.value for kind in OURS))
    blocked = sa.case((ours, 1), else_=0)
    each = (
        sa.select(messages.c.address, sa.func.max(hard).label("hard"), sa.func.max(blocked).label("blocked"))
        .select_from(events)
        .join(messages, sa.and_(messages.c.run_id == events.c.run_id, messages.c.seq == events.c.seq))
        .where(
            events.c.run_id == run,
            events.c.kind == EventKind.BOUNCED.value,
            messages.c.state == MessageState.SENT.value,
        )
        .group_by(messages.c.seq, messages.c.address)
        .subquery()
    )
    domain = domain_of(session, each.c.address)
    alike = (domain, each.c.hard, each.c.blocked)
    query = sa.select(*alike, sa.func.count()).group_by(*alike)
    return [Bounces(name or "", bool(dead), bool(ours), n) for name, dead, ours, n in session.execute(query)]


def domains_of(session: Session, run: int, bounces: Sequence[Bounces]) -> tuple[DomainLine, ...]:
    """The largest receiving domains, and one line for all others together."""
    domain = domain_of(session, messages.c.address)

    def of(state: MessageState) -> sa.ColumnElement[int]:
        return sa.func.sum(sa.case((messages.c.state == state.value, 1), else_=0))

    sent, failed, unknown = of(MessageState.SENT), of(MessageState.FAILED), of(MessageState.UNKNOWN)
    query = (
        sa.select(domain, sa.func.count(), sent, failed, unknown)
        .where(messages.c.run_id == run, messages.c.address.is_not(None))
        .group_by(domain)
        .order_by(sa.func.count().desc(), domain)
    )
    returned: dict[str, int] = {}
    for one in bounces:
        returned[one.domain] = returned.get(one.domain, 0) + one.messages
    lines = [
        DomainLine(name, mailed, sent, failed, unknown, returned.get(name, 0))
        for name, mailed, sent, failed, unknown in session.execute(query)
    ]
    return (*lines[:DOMAINS], *([_together(lines[DOMAINS:])] if lines[DOMAINS:] else []))


def _together(lines: Sequence[DomainLine]) -> DomainLine:
    names = ("mailed", "sent", "failed", "unknown", "bounced")
    return DomainLine("", *(sum(getattr(line, name) for line in lines) for name in names))
