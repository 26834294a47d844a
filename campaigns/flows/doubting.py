"""Messages in doubt are decided: by a person, as arrived or to be sent again; or by what proves an arrival.

Nothing is sent here. What is queued again is due like any other message: a sender asks all the gates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from campaigns.delivery.headers import wire_address
from campaigns.errors import NotAllowed
from campaigns.records import campaigns, outbox
from campaigns.records.campaigns import Campaign, Run
from campaigns.records.outbox import Doubt
from campaigns.tracking.tokens import Keyring, Purpose
from campaigns.values import CampaignState, MessageKey, RunState

#: States of a campaign in which a run of it can go on.
GOING = (
    CampaignState.SCHEDULED,
    CampaignState.RUNNING,
    CampaignState.PAUSED,
    CampaignState.FINISHED,
    CampaignState.DOUBTS,
)


class Decision(StrEnum):
    """What a person says of a message in doubt."""

    ARRIVED = "arrived"  #: it counts as sent
    SEND_AGAIN = "send-again"  #: it is queued again, at the risk of a second copy


class Refusal(StrEnum):
    """Why messages in doubt cannot be sent again."""

    TEST = "test"  #: a test is made anew
    DELETED = "deleted"  #: the campaign was put away
    ENDED = "ended"  #: the campaign was cancelled, or is a draft again
    LATE = "late"  #: the run's time is over; a person may give it more
    ENDING = "ending"  #: the run's time is over, and the worker is just about to end it


WORDS = {
    Refusal.TEST: "Run {run} is a test; send another test instead.",
    Refusal.DELETED: "The campaign was deleted; nothing of it is sent again.",
    Refusal.ENDED: "The campaign is {state}; nothing of run {run} is sent again.",
    Refusal.LATE: "The time of run {run} was over at {over}: its mails are not to go out later. "
    "Say how long they still may: --within HOURS.",
    Refusal.ENDING: "The time of run {run} was over at {over}; it is just being ended. Try again soon.",
}


@dataclass(frozen=True, slots=True)
class Resolved:
    """What came of a decision on messages of one run."""

    decided: int  #: messages that the decision changed
    proven: int  #: counted as sent because a proof had come; whatever was decided


def resolve(
    session: Session,
    run_id: int,
    decision: Decision,
    *,
    seqs: Sequence[int] | None,
    until: datetime,
    by: str,
    now: datetime,
    within: timedelta | None = None,
) -> Resolved:
    """Decide on messages in doubt of one run: those named, or all that were in doubt at a moment.

    What is not in doubt any more is left as it is, so a repeat changes nothing.

    Args:
        session: joined; one run to a transaction, else two who decide might wait for each other.
        run_id: the run.
        decision: what to do with them.
        seqs: places in the run; None for all.
        until: of all, what has come into doubt only since then is left: the person has not seen it.
        by: mail address of the person who decides.
        now: the moment.
        within: gives a run whose time is over so much more for what is sent again.

    Raises:
        NotFound: there is no such run.
        NotAllowed: it cannot be sent again: says why, and what to do.

    """
    run = campaigns.get_run(session, run_id)
    campaigns.hold(session, run.campaign_id)
    proven = _proven_of(session, run_id, seqs)
    first = outbox.prove(session, proven, now=now)
    run, campaign = campaigns.get_run(session, run_id), campaigns.get(session, run.campaign_id)
    if decision is Decision.ARRIVED:
        count = outbox.arrive(session, run_id, seqs, until=until, by=by, now=now)
    else:
        _refuse(run, campaign, now, within)
        count = outbox.send_again(session, run_id, seqs, until=until, by=by, now=now)
    if count:
        words = "counted as arrived" if decision is Decision.ARRIVED else "are sent again"
        campaigns.log(session, campaign.id, f"{count} in doubt {words} (run {run_id})", actor=by, now=now)
        if decision is Decision.ARRIVED:
            outbox.close(session, campaign.id, run_id, actor=by, now=now)
        else:
            _go_on(session, run, campaign, by, now, within)
    return Resolved(count, len(first))


def refusal(run: Run, campaign: Campaign, *, now: datetime, within: timedelta | None) -> Refusal | None:
    """Why a run's doubts cannot be sent again; None if they can."""
    if run.kind == "test":
        return Refusal.TEST
    if campaign.deleted_at is not None:
        return Refusal.DELETED
    if campaign.state not in GOING or run.state is RunState.CANCELLED:
        return Refusal.ENDED
    if now < run.expires_at:
        return None
    if run.finished_at is None:
        return Refusal.ENDING
    return Refusal.LATE if within is None else None


def _refuse(run: Run, campaign: Campaign, now: datetime, within: timedelta | None) -> None:
    why = refusal(run, campaign, now=now, within=within)
    if why is not None:
        state = "cancelled" if run.state is RunState.CANCELLED else campaign.state
        raise NotAllowed(
            WORDS[why].format(run=run.id, state=state, over=f"{run.expires_at:%Y-%m-%d %H:%M} UTC")
        )


def _proven_of(session: Session, run: int, seqs: Sequence[int] | None) -> dict[MessageKey, outbox.Evidence]:
    chosen = None if seqs is None else set(seqs)
    proven = outbox.proven(session, run=run)
    return {key: proof for key, proof in proven.items() if chosen is None or key.seq in chosen}


def _go_on(
    session: Session, run: Run, campaign: Campaign, by: str, now: datetime, within: timedelta | None
) -> None:
    """Let the run go on if it had ended: its campaign with it, except a paused one, which waits."""
    to = RunState.PAUSED if campaign.state is CampaignState.PAUSED else RunState.RUNNING
    expires_at = run.expires_at
    if within is not None and now >= run.expires_at:
        expires_at = now + within
    reopened = outbox.reopen(session, run.id, to, expires_at=expires_at)
    if run.per_minute is not None:
        outbox.space_out(session, run.id, run.per_minute, now=now)
    if not reopened:
        return
    if to is RunState.RUNNING and campaign.state is not CampaignState.RUNNING:
        campaigns.move(
            session,
            campaign.id,
            CampaignState.RUNNING,
            expected=GOING,
            actor=by,
            what="is running again",
            now=now,
        )


def settle_proven(session: Session, now: datetime) -> int:
    """Count as sent what is in doubt though the history holds a proof of its arrival; gives how many.

    Most proofs come after the doubt and settle it as they come (flows/intake); this is for those that were
    there before, such as an open that came while the sender that had sent the mail was not yet known lost.
    """
    return len(outbox.prove(session, outbox.proven(session), now=now))


def message_id(doubt: Doubt, keyring: Keyring) -> str:
    """The Message-ID as it stood in the mail; what a mail server writes into its log."""
    token = keyring.sign(Purpose.RETURN, doubt.run, doubt.seq, doubt.contact)
    return f"<{token}@{wire_address('sender', doubt.sender).rpartition('@')[2]}>"
