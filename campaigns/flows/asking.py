"""Asking for the confirmation: what a form took becomes one mail in the outbox, or a reason for none."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from campaigns.delivery.routes import Routing
from campaigns.forms.proof import asked
from campaigns.records import (
    campaign_desk,
    campaigns,
    consent,
    form_mails,
    form_people,
    forms,
    messages,
    routes,
    shared_addresses,
    sign_ups,
    suppressions,
    templates,
)
from campaigns.records.campaigns import Pinned
from campaigns.records.consent import Provenance
from campaigns.records.forms import SignUpForm
from campaigns.records.sign_ups import Refusal, SignUp
from campaigns.values import ConsentState, ContactId, RunState

log = structlog.get_logger()

WORKER = "worker"
KIND = "form"  #: of the runs that confirmation mails belong to
AT_ONCE = 50
DAY = timedelta(hours=24)
MOST_UNCONFIRMED = 3
SEND_WITHIN_HOURS = 48
#: The breaker: of mails that people had time to answer, so many must be confirmed, or the form is halted.
LOOKED_AT, ENOUGH, FEWEST = timedelta(hours=1), 30, 0.1
TIME_TO_ANSWER, MOST_UNTRIED = timedelta(minutes=10), 100
MOST_UNTRIED_IN_ALL = 300  #: of all forms together
HALT = timedelta(hours=1)


def write_mails(session: Session, now: datetime, routing: Routing | None = None) -> int:
    """Deal with what was posted: a mail into the outbox, or the reason for none; gives how many."""
    done = 0
    if not sign_ups.is_turn(session):
        return 0  # another worker's: two at once would both find that an address had no mail yet
    out = Counter(form_mails.unanswered(session, since=now - TIME_TO_ANSWER))
    if out.total() >= MOST_UNTRIED_IN_ALL:
        return 0
    full = [form for form, mails in out.items() if mails >= MOST_UNTRIED]  # they hold up no other form
    for one in sign_ups.waiting(session, limit=AT_ONCE, but=full):
        try:
            with session.begin_nested():
                done += _deal(session, one, out, now, routing)
        except OperationalError:
            raise  # about the store
        except Exception:
            log.exception("a sign-up could not be dealt with", sign_up=one.id)
            _refuse(session, one, Refusal.FAILED, now)
    return done


def _deal(session: Session, one: SignUp, out: Counter[int], now: datetime, routing: Routing | None) -> bool:
    form = forms.hold(session, one.form)
    wanted, contact = _wanted(session, one)
    why = _why_not(session, form, one, wanted, now)
    if why is not None:
        _refuse(session, one, why, now)
        return True
    if out[form.id] >= MOST_UNTRIED or out.total() >= MOST_UNTRIED_IN_ALL:
        return False  # it waits until people had time to answer
    made = contact is None
    if contact is None:
        contact = _pending(session, one, now)
    for topic in wanted:
        _ask_consent(session, form, one, contact, topic, now)
    run = _run(session, form, now)
    assert one.address is not None
    seq = messages.add_one(session, run, contact, one.address, now=now)
    routes.assign(session, run, routing, now, number=seq)
    sign_ups.mailed(session, one.id, contact=contact, made=made, run=run, seq=seq, now=now)
    out[form.id] += 1
    return True


def _wanted(session: Session, one: SignUp) -> tuple[list[int], int | None]:
    """The topics without a yes, or left by another at the address since, and the contact whose it is."""
    assert one.address is not None
    contact = form_people.known(session, one.address)
    if contact is None:
        return list(one.topics), None
    said = consent.states(session, ContactId(contact))

    def stands(topic: int) -> bool:
        granted = said.get(topic) is ConsentState.GRANTED
        return granted and shared_addresses.left_by_another(session, ContactId(contact), topic) is None

    return [topic for topic in one.topics if not stands(topic)], contact


def _why_not(
    session: Session, form: SignUpForm, one: SignUp, wanted: Sequence[int], now: datetime
) -> Refusal | None:
    if not form.is_open:
        return Refusal.OFF
    if suppressions.is_suppressed(session, one.address_hash):
        return Refusal.SUPPRESSED
    if not wanted:
        return Refusal.ALREADY
    had, last = sign_ups.mails_to(session, one.address_hash)
    if last is not None and now - last < DAY:
        return Refusal.TOO_SOON
    if had >= MOST_UNCONFIRMED:
        return Refusal.TOO_OFTEN
    return Refusal.HALTED if form.is_halted(now) or _trips(session, form, now) else None


def _trips(session: Session, form: SignUpForm, now: datetime) -> bool:
    """Halt a form whose mails hardly anybody confirms: somebody else signs people up."""
    until = now - TIME_TO_ANSWER
    seen = form_mails.answered(session, form.id, since=until - LOOKED_AT, until=until)
    if form.halted_until is not None and form.halted_until > until - LOOKED_AT:
        seen = form_mails.answered(session, form.id, since=form.halted_until, until=until)
    if seen.sent < ENOUGH or seen.confirmed >= seen.sent * FEWEST:
        return False
    forms.halt(session, form.id, until=now + HALT)
    log.warning("form halted", form=form.key, sent=seen.sent, confirmed=seen.confirmed)
    return True


def _refuse(session: Session, one: SignUp, why: Refusal, now: datetime) -> None:
    sign_ups.refuse(session, one.id, why.value)
    forms.count(session, one.form, why.value, now=now)


def _pending(session: Session, one: SignUp, now: datetime) -> int:
    """The contact that waits for this address to be confirmed."""
    assert one.address is not None
    earlier = sign_ups.pending_contact(session, one.address_hash)
    if earlier is not None and form_people.is_pending(session, earlier):
        return earlier
    return form_people.make_pending(session, one.address, one.language, now=now)


def _ask_consent(
    session: Session, form: SignUpForm, one: SignUp, contact: int, topic: int, now: datetime
) -> None:
    """Write down that a yes was asked for; what a known contact said, a stranger's post never changes."""
    state, at = consent.hold(session, ContactId(contact), topic, now=now)
    if state is not None:
        return
    wording = consent.add_wording(
        session, forms.wording_key(form.id, topic), one.language, one.topics[topic], now=now
    )
    proof = asked(form.key, one.version, one.id, one.posted_at, one.network, one.page, one.agent)
    consent.ask(session, ContactId(contact), topic, Provenance(at, "form", proof, wording), now=now)


def _run(session: Session, form: SignUpForm, now: datetime) -> int:
    """The form's run of today: one, unless its template or sender changed."""
    campaign = form.campaign_id or _campaign(session, form, now)
    campaigns.hold(session, campaign)
    version = templates.newest_version(session, form.template_id)
    runs = campaigns.runs_of(session, campaign, kind=KIND)
    for run in runs[:1]:
        alive = run.state is RunState.RUNNING and run.finished_at is None
        same = (run.template_version_id, run.sender_id) == (version, form.sender_id)
        if alive and same and run.opened_at.date() == now.date():
            return run.id
    today = sum(run.opened_at.date() == now.date() for run in runs)
    pinned = Pinned(forms.confirmation_topic(session, now=now), form.sender_id, version, None, None)
    return campaigns.open_run(
        session,
        campaigns.get(session, campaign),
        pinned,
        occurrence=f"{now:%Y-%m-%d}-{today + 1}",
        kind=KIND,
        now=now,
    )


def _campaign(session: Session, form: SignUpForm, now: datetime) -> int:
    """Make the campaign that a form's mails belong to; it is reached by its form, and stands in no list."""
    made = campaigns.create(
        session,
        form.name,
        actor=WORKER,
        now=now,
        topic_id=forms.confirmation_topic(session, now=now),
        template_id=form.template_id,
        sender_id=form.sender_id,
        tracking=False,
        send_within_hours=SEND_WITHIN_HOURS,
    )
    campaign_desk.delete(session, made, actor=WORKER, now=now)
    forms.note_campaign(session, form.id, made)
    return made
