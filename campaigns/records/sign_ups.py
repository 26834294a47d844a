"""Who asked by a form to hear from us, and what became of it: the only writer of sign-ups."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.dialect import changed, is_alone, is_postgres
from campaigns.model.forms import sign_ups


class SignUpState(StrEnum):
    """What became of a sign-up."""

    POSTED = "posted"  #: it came in; nothing was done yet
    MAILED = "mailed"  #: a mail asks for the confirmation
    CONFIRMED = "confirmed"  #: the owner of the address said yes
    REFUSED = "refused"  #: no mail was written
    EXPIRED = "expired"  #: nobody confirmed


class Refusal(StrEnum):
    """Why a sign-up got no mail, or a post was not taken at all."""

    SUPPRESSED = "suppressed"  #: the address is never to be mailed
    ALREADY = "already"  #: everything asked for is granted
    TOO_SOON = "too soon"  #: had a confirmation mail within a day
    TOO_OFTEN = "too often"  #: had three and confirmed none
    HALTED = "halted"  #: the form is stopped, since too few confirm
    OFF = "off"  #: the form was switched off meanwhile
    FAILED = "failed"  #: something went wrong with it; the log knows more
    HONEYPOT = "honeypot"  #: filled a field that people do not see
    FORGED = "forged"  #: the page's stamp was not ours, too old, or used before
    NETWORK = "network"  #: too many from there
    CROWD = "crowd"  #: too many for this form
    PUZZLE = "puzzle"  #: a script asked without the work done
    ORIGIN = "origin"  #: a script of a site that is not allowed to ask


@dataclass(frozen=True, slots=True)
class Posted:
    """What comes in by a form."""

    form: int
    version: int
    address: str
    masked: str
    address_hash: bytes
    flags: str
    topics: Mapping[int, str]  #: exactly what was shown of each, by id
    fields: Mapping[str, Any]
    language: str
    page: str
    network: str
    agent: str


@dataclass(frozen=True, slots=True)
class SignUp:
    """One sign-up."""

    id: int
    form: int
    version: int
    state: SignUpState
    reason: str
    address: str | None
    masked: str
    address_hash: bytes
    flags: str
    topics: Mapping[int, str]
    fields: Mapping[str, Any]
    language: str
    page: str
    network: str
    agent: str
    posted_at: datetime
    contact: int | None
    made_contact: bool
    run: int | None
    seq: int | None
    mailed_at: datetime | None
    confirmed_at: datetime | None


def add(session: Session, posted: Posted, *, now: datetime) -> int:
    """Keep what came in."""
    values = {
        "form_id": posted.form,
        "version": posted.version,
        "state": SignUpState.POSTED.value,
        "address": posted.address,
        "masked": posted.masked,
        "address_hash": posted.address_hash,
        "flags": posted.flags,
        "topics": {str(topic): words for topic, words in posted.topics.items()},
        "fields": dict(posted.fields),
        "language": posted.language,
        "page": posted.page,
        "network": posted.network,
        "agent": posted.agent,
        "posted_at": now,
    }
    made: int = session.execute(sa.insert(sign_ups).values(values).returning(sign_ups.c.id)).scalar_one()
    return made


def waiting(session: Session, *, limit: int, but: Iterable[int] = ()) -> list[SignUp]:
    """Those to which nothing was done yet, oldest first, `but` those of some forms; one worker takes each."""
    query = (
        sa.select(sign_ups)
        .where(sign_ups.c.state == SignUpState.POSTED.value, sign_ups.c.form_id.not_in(list(but)))
        .order_by(sign_ups.c.posted_at, sign_ups.c.id)
        .limit(limit)
    )
    if is_postgres(session):
        query = query.with_for_update(skip_locked=True)
    return [_sign_up(row) for row in session.execute(query).mappings()]


def is_turn(session: Session) -> bool:
    """Tell whether this worker may write mails: one at a time does, whatever the form and the address."""
    return is_alone(session, "sign-ups")


def any_waiting(session: Session) -> bool:
    """Tell whether there is something to do."""
    query = sa.select(sign_ups.c.id).where(sign_ups.c.state == SignUpState.POSTED.value).limit(1)
    return session.execute(query).first() is not None


def of_message(session: Session, run: int, seq: int, *, held: bool = False) -> SignUp | None:
    """The sign-up that a confirmation mail was written for; `held` keeps others away until the end."""
    query = sa.select(sign_ups).where(sign_ups.c.run_id == run, sign_ups.c.seq == seq)
    row = session.execute(query.with_for_update() if held else query).mappings().one_or_none()
    return None if row is None else _sign_up(row)


def refuse(session: Session, sign_up: int, why: str) -> None:
    """Write down that no mail is written; the address is not kept."""
    values: dict[str, Any] = {"state": SignUpState.REFUSED.value, "reason": why}
    values |= {"address": None, "fields": {}}
    session.execute(sa.update(sign_ups).where(sign_ups.c.id == sign_up).values(values))


def mailed(
    session: Session, sign_up: int, *, contact: int, made: bool, run: int, seq: int, now: datetime
) -> None:
    """Write down that a mail asks for the confirmation."""
    values = {
        "state": SignUpState.MAILED.value,
        "contact_id": contact,
        "made_contact": made,
        "run_id": run,
        "seq": seq,
        "mailed_at": now,
    }
    session.execute(sa.update(sign_ups).where(sign_ups.c.id == sign_up).values(values))


def confirm(
    session: Session, sign_up: SignUp, *, contact: int, network: str, agent: str, now: datetime
) -> bool:
    """Write down the yes, once; the address and what was typed stand with the contact from now on."""
    values = {
        "state": SignUpState.CONFIRMED.value,
        "contact_id": contact,
        "address": None,
        "fields": {},
        "confirmed_at": now,
        "confirmed_network": network,
        "confirmed_agent": agent,
    }
    unconfirmed = sign_ups.c.state.in_([SignUpState.MAILED.value, SignUpState.EXPIRED.value])
    once = sa.update(sign_ups).where(sign_ups.c.id == sign_up.id, unconfirmed)
    return changed(session, once.values(values)) == 1


def mails_to(session: Session, hashed: bytes) -> tuple[int, datetime | None]:
    """How many confirmation mails an address had since it last confirmed one, and when the last went."""
    c = sign_ups.c
    last_yes = (
        sa.select(sa.func.max(c.mailed_at))
        .where(c.address_hash == hashed, c.state == SignUpState.CONFIRMED.value)
        .scalar_subquery()
    )
    query = sa.select(
        sa.func.coalesce(
            sa.func.sum(sa.case((sa.or_(last_yes.is_(None), c.mailed_at > last_yes), 1), else_=0)), 0
        ),
        sa.func.max(c.mailed_at),
    ).where(c.address_hash == hashed, c.mailed_at.is_not(None))
    count, last = session.execute(query).one()
    return int(count), last


def pending_contact(session: Session, hashed: bytes) -> int | None:
    """The contact that an earlier, unconfirmed sign-up of this address made; None without one."""
    c = sign_ups.c
    query = (
        sa.select(c.contact_id)
        .where(
            c.address_hash == hashed,
            c.made_contact.is_(True),
            c.contact_id.is_not(None),
            c.state == SignUpState.MAILED.value,
        )
        .order_by(c.id.desc())
        .limit(1)
    )
    return session.scalar(query)


def newest(session: Session, form: int, *, limit: int = 50) -> list[SignUp]:
    """A form's last sign-ups, newest first."""
    query = sa.select(sign_ups).where(sign_ups.c.form_id == form).order_by(sign_ups.c.id.desc()).limit(limit)
    return [_sign_up(row) for row in session.execute(query).mappings()]


def stale(session: Session, *, before: datetime, limit: int) -> list[SignUp]:
    """Mails that nobody confirmed in time, oldest first."""
    c = sign_ups.c
    query = (
        sa.select(sign_ups)
        .where(c.state == SignUpState.MAILED.value, c.posted_at < before)
        .order_by(c.posted_at)
        .limit(limit)
    )
    return [_sign_up(row) for row in session.execute(query).mappings()]


def expire(session: Session, sign_up: int) -> None:
    """Keep of an unconfirmed sign-up only that there was one: it counts against more mails to the address."""
    values: dict[str, Any] = {
        "state": SignUpState.EXPIRED.value,
        "address": None,
        "masked": "",
        "fields": {},
        "topics": {},
        "page": "",
        "network": "",
        "agent": "",
        "contact_id": None,
    }
    session.execute(sa.update(sign_ups).where(sign_ups.c.id == sign_up).values(values))


def forget_refused(session: Session, *, before: datetime) -> int:
    """Delete old sign-ups that got no mail."""
    c = sign_ups.c
    old = sa.delete(sign_ups).where(c.state == SignUpState.REFUSED.value, c.posted_at < before)
    return changed(session, old)


def is_awaited(session: Session, contact: int, *, since: datetime) -> bool:
    """Tell whether a contact's sign-up may still be confirmed, or was."""
    c = sign_ups.c
    alive = sa.or_(
        c.state == SignUpState.CONFIRMED.value,
        sa.and_(c.state == SignUpState.MAILED.value, c.posted_at >= since),
    )
    return session.execute(sa.select(c.id).where(c.contact_id == contact, alive).limit(1)).first() is not None


def _sign_up(row: Any) -> SignUp:
    return SignUp(
        id=row["id"],
        form=row["form_id"],
        version=row["version"],
        state=SignUpState(row["state"]),
        reason=row["reason"],
        address=row["address"],
        masked=row["masked"],
        address_hash=row["address_hash"],
        flags=row["flags"],
        topics={int(topic): words for topic, words in (row["topics"] or {}).items()},
        fields=row["fields"] or {},
        language=row["language"],
        page=row["page"],
        network=row["network"],
        agent=row["agent"],
        posted_at=row["posted_at"],
        contact=row["contact_id"],
        made_contact=row["made_contact"],
        run=row["run_id"],
        seq=row["seq"],
        mailed_at=row["mailed_at"],
        confirmed_at=row["confirmed_at"],
    )
