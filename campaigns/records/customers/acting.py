"""What people of ours do for a customer from its record; each act is in the history, by whom and why."""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import BadForm, NotAllowed
from campaigns.model.customers import customers
from campaigns.model.customers import roles as role_table
from campaigns.model.dialect import changed, insert_many, update_many
from campaigns.records import consent, history, shared_addresses, staff, suppressions
from campaigns.records.consent import Provenance
from campaigns.records.customers import people
from campaigns.records.staff import Desk, Staff
from campaigns.values import ConsentState, ContactId, EventKind, Fact, Problem

CHANNELS = ("note", "call", "meeting", "letter", "message")
LONGEST_NOTE = 5000
LONGEST_REASON = 500
LONGEST_ROLE = 50
AT_ONCE = 500  #: customers given away in one statement


def hold(
    session: Session, customer: int, until: datetime | None, *, actor: str, reason: str, now: datetime
) -> bool:
    """Ask marketing to wait until a moment, or (None) no longer; False if it is so already.

    The only writer of `customers.hold_until`.

    Raises:
        BadForm: the moment has passed, or there is no reason.
        NotFound: there is no such customer.
    """
    problems = []
    if until is not None and until <= now:
        problems.append(Problem("until", "has passed.", "Choose a day after today."))
    if until is not None:
        problems += _check_text("reason", reason, LONGEST_REASON, "Say why marketing should wait.")
    if problems:
        raise BadForm(problems)
    people.get(session, customer)
    same = customers.c.hold_until.is_not_distinct_from(until)
    if not changed(
        session,
        sa.update(customers)
        .where(customers.c.id == customer, sa.not_(same))
        .values(hold_until=until, updated_at=now),
    ):
        return False
    detail = {"until": until.isoformat() if until else None, "reason": reason.strip()}
    _record(session, EventKind.HELD, customer, None, f"held:{customer}:{now.isoformat()}", actor, now, detail)
    return True


def assign(session: Session, customer: int, owner: int | None, *, actor: str, now: datetime) -> bool:
    """Give a customer to a rep, or (None) to nobody; False if it is so already.

    Raises:
        BadForm: the rep may not log in, or does not sit at the sales desk.
        NotFound: there is no such customer.
    """
    rep = None if owner is None else staff.by_id(session, owner)
    if owner is not None and (rep is None or not rep.sits_at(Desk.SALES)):
        raise BadForm([Problem("owner", "does not work at the sales desk.", "Choose somebody of the list.")])
    people.get(session, customer)
    return assign_all(session, {customer: rep}, actor=actor, now=now) == 1


def assign_all(session: Session, wanted: Mapping[int, Staff | None], *, actor: str, now: datetime) -> int:
    """Give customers to reps, each with its line in the history; gives how many changed hands.

    The only writer of `customers.owner_id`.
    """
    ids = list(wanted)
    facts = []
    for at in range(0, len(ids), AT_ONCE):
        had = sa.select(customers.c.id, customers.c.owner_id).where(
            customers.c.id.in_(ids[at : at + AT_ONCE])
        )
        for customer, before in session.execute(had.with_for_update(key_share=True)).all():
            rep = wanted[customer]
            if (rep.id if rep else None) != before:
                facts.append(_owner_fact(customer, rep, actor=actor, now=now))
    rows = [(fact.customer, fact.detail["owner"], now) for fact in facts]
    update_many(session, customers, ("id",), ("owner_id", "updated_at"), rows)
    history.record_many(session, facts)
    return len(facts)


def _owner_fact(customer: int, rep: Staff | None, *, actor: str, now: datetime) -> Fact:
    dedupe = f"owner changed:{customer}:{now.isoformat()}"
    detail: dict[str, object] = {
        "owner": rep.id if rep else None,
        "name": rep.name if rep else "",
        "by": actor,
    }
    return Fact(EventKind.OWNER_CHANGED, now, dedupe, None, customer, source="staff", detail=detail)


def note(
    session: Session,
    customer: int,
    text: str,
    *,
    actor: str,
    now: datetime,
    contact: int | None = None,
    channel: str = "note",
    once: str | None = None,
) -> bool:
    """Write down what was said or seen, by which channel; the same `once` again is the same note.

    Raises:
        BadForm: there is no text, or the channel is not known.
    """
    problems = _check_text("text", text, LONGEST_NOTE, "Write what others should know.")
    if channel not in CHANNELS:
        problems.append(Problem("channel", "is not known.", "Choose one of the list."))
    if problems:
        raise BadForm(problems)
    detail = {"text": text.strip(), "channel": channel}
    dedupe = f"note:{once or f'{customer}:{now.isoformat()}'}"
    return _record(session, EventKind.NOTE, customer, contact, dedupe, actor, now, detail)


def add_role(session: Session, contact: int, customer: int, role: str, *, now: datetime) -> bool:
    """Say what a contact is at a customer; False if that is known.

    Raises:
        BadForm: the role is empty or too long.
    """
    role = " ".join(role.split())
    if problems := _check_text("role", role, LONGEST_ROLE, "Name the role, such as decider."):
        raise BadForm(problems)
    row = (contact, customer, role, now)
    conflict = "ON CONFLICT (contact_id, customer_id, role) DO NOTHING"
    columns = ("contact_id", "customer_id", "role", "since")
    return insert_many(session, role_table, columns, [row], conflict=conflict) == 1


def grant_consent(
    session: Session, customer: int, contact: int, topic: int, *, actor: str, reason: str, now: datetime
) -> bool:
    """Write down a yes that a contact gave to one of us; the reason says how we know. False if it stood so.

    Raises:
        BadForm: there is no reason.
        NotAllowed: the contact was forgotten.
        NotFound: there is no such contact at the customer, or no such topic.
    """
    return _say(session, customer, contact, topic, ConsentState.GRANTED, actor=actor, reason=reason, now=now)


def withdraw_consent(
    session: Session, customer: int, contact: int, topic: int, *, actor: str, reason: str, now: datetime
) -> bool:
    """Write down a no that a contact gave to one of us. False if it stood so.

    Raises:
        BadForm: there is no reason.
        NotAllowed: the contact was forgotten.
        NotFound: there is no such contact at the customer, or no such topic.
    """
    return _say(
        session, customer, contact, topic, ConsentState.WITHDRAWN, actor=actor, reason=reason, now=now
    )


def _say(
    session: Session,
    customer: int,
    contact: int,
    topic: int,
    said: ConsentState,
    *,
    actor: str,
    reason: str,
    now: datetime,
) -> bool:
    if problems := _check_text("reason", reason, LONGEST_REASON, "Say how and when they told us."):
        raise BadForm(problems)
    if people.contact_of(session, customer, contact).erased_at is not None:
        raise NotAllowed("This contact was forgotten; nothing more is written down about them.")
    known = consent.topic_by_id(session, topic)
    shared_addresses.hold(session, ContactId(contact), None)
    newest, at = consent.hold(session, ContactId(contact), topic, now=now)
    how = Provenance(at, "staff", reason.strip(), actor=actor)
    if said is ConsentState.WITHDRAWN:
        shared_addresses.withdraw(session, ContactId(contact), None, known, how, source="staff", now=now)
    granted = said is ConsentState.GRANTED
    left_at = shared_addresses.left_by_another(session, ContactId(contact), known.id) if granted else None
    stands = granted or shared_addresses.is_own(session, ContactId(contact), known)
    if newest is said and stands and left_at is None:
        return False
    at = shared_addresses.after(left_at, at)
    consent.append(session, ContactId(contact), topic, said, how._replace(at=at), now=now)
    kind = EventKind.CONSENT_GRANTED if granted else EventKind.CONSENT_WITHDRAWN
    detail = {"topic": known.id, "how": "staff", "reason": reason.strip()}
    dedupe = f"{kind}:{contact}:{topic}:{now.isoformat()}"
    return _record(session, kind, customer, contact, dedupe, actor, now, detail)


def lift_suppression(
    session: Session, customer: int, contact: int, *, actor: str, reason: str, now: datetime
) -> int:
    """Take a contact's mail address off the never-mail list; gives how many entries that ended.

    Consent stays as it is: whoever said no still gets nothing.

    Raises:
        BadForm: there is no reason.
        NotFound: there is no such contact, or its address is not on the list.
    """
    if problems := _check_text("reason", reason, LONGEST_REASON, "Say why the address may be mailed again."):
        raise BadForm(problems)
    whom = people.contact_of(session, customer, contact)
    if whom.email_hash is None:
        raise NotAllowed("This contact has no mail address.")
    ended = suppressions.lift(session, whom.email_hash, by=actor, why=reason.strip(), now=now)
    dedupe = f"suppression lifted:{contact}:{now.isoformat()}"
    detail = {"reason": reason.strip()}
    _record(session, EventKind.SUPPRESSION_LIFTED, customer, contact, dedupe, actor, now, detail)
    return ended


def _check_text(where: str, text: str, longest: int, cure: str) -> list[Problem]:
    if not text.strip():
        return [Problem(where, "is empty.", cure)]
    if len(text) > longest:
        return [Problem(where, "is too long.", "Make it shorter.")]
    return []


def _record(
    session: Session,
    kind: EventKind,
    customer: int,
    contact: int | None,
    dedupe: str,
    actor: str,
    now: datetime,
    detail: Mapping[str, object],
) -> bool:
    fact = Fact(kind, now, dedupe, contact, customer, source="staff", detail={**detail, "by": actor})
    return history.record(session, fact)
