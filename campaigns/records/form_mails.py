"""The confirmation mails of forms: which went out, and which of these were answered."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.forms import forms, sign_ups
from campaigns.model.mail import messages
from campaigns.records.sign_ups import SignUp, SignUpState
from campaigns.values import MessageState

LONGEST_WAIT = timedelta(days=4)  #: no mail of a form goes out later than this after it was written


@dataclass(frozen=True, slots=True)
class Answered:
    """How many of a form's mails went out in a time, and how many of them were confirmed."""

    sent: int
    confirmed: int


_MAIL = sa.and_(messages.c.run_id == sign_ups.c.run_id, messages.c.seq == sign_ups.c.seq)


def _went_out(since: datetime) -> sa.ColumnElement[bool]:
    """Mails that went out from then on: what waits in the outbox, nobody can answer."""
    return sa.and_(messages.c.state == MessageState.SENT.value, messages.c.at >= since)


def answered(session: Session, form: int, *, since: datetime, until: datetime) -> Answered:
    """Count a form's mails that went out in a time."""
    c = sign_ups.c
    confirmed = sa.func.sum(sa.case((c.state == SignUpState.CONFIRMED.value, 1), else_=0))
    query = (
        sa.select(sa.func.count(), sa.func.coalesce(confirmed, 0))
        .join_from(sign_ups, messages, _MAIL)
        .where(c.form_id == form, c.mailed_at >= since - LONGEST_WAIT, c.mailed_at < until)
        .where(_went_out(since), messages.c.at < until)
    )
    sent_, yeses = session.execute(query).one()
    return Answered(int(sent_), int(yeses))


def sent(session: Session, of: Iterable[int], *, since: datetime) -> dict[int, int]:
    """How many mails of forms went out from then on, by form."""
    c = sign_ups.c
    query = (
        sa.select(c.form_id, sa.func.count().label("mails"))
        .join_from(sign_ups, messages, _MAIL)
        .where(c.form_id.in_(list(of)), c.mailed_at >= since - LONGEST_WAIT, _went_out(since))
        .group_by(c.form_id)
    )
    return {row.form_id: row.mails for row in session.execute(query)}


def mail_states(session: Session, of: Iterable[SignUp]) -> dict[int, MessageState]:
    """What became of the mails of sign-ups that nobody confirmed yet, by sign-up."""
    ids = [one.id for one in of if one.state is SignUpState.MAILED]
    query = sa.select(sign_ups.c.id, messages.c.state).join_from(sign_ups, messages, _MAIL)
    found = session.execute(query.where(sign_ups.c.id.in_(ids)))
    return {row.id: MessageState(row.state) for row in found}


def unanswered(session: Session, *, since: datetime) -> dict[int, int]:
    """How many mails that were written or went out from then on nobody confirmed yet, by form."""
    c = sign_ups.c
    query = (
        sa.select(c.form_id, sa.func.count().label("mails"))
        .outerjoin_from(sign_ups, messages, _MAIL)
        .where(
            c.form_id.in_(sa.select(forms.c.id)), c.mailed_at >= since - LONGEST_WAIT
        )  # by the index of both
        .where(c.state != SignUpState.CONFIRMED.value, sa.or_(c.mailed_at >= since, _went_out(since)))
        .group_by(c.form_id)
    )
    return {row.form_id: row.mails for row in session.execute(query)}
