"""What a claimed chunk needs to be sent: its run's mail, its recipients, and every gate asked again."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from campaigns import mailing
from campaigns.delivery.windows import zone_of
from campaigns.mailing import Mailing, Signing
from campaigns.model.dialect import database_now
from campaigns.records import campaigns, gates, names, outbox, suppressions
from campaigns.records.campaigns import Campaign, Run
from campaigns.records.outbox import Chunk, Recipient
from campaigns.values import Gate

KEPT_MAILINGS = 20


@dataclass(frozen=True, slots=True)
class Loaded:
    """All that is needed to make a chunk's messages; `skipped` are those that a gate stops by now."""

    mailing: Mailing
    is_test: bool
    recipients: dict[int, Recipient]
    bought: dict[int, list[dict[str, object]]]
    skipped: dict[int, tuple[Gate, str]]
    expires_at: datetime
    closes_at: datetime | None = None  #: when its campaign's window closes; None: it has none


class Closed(Exception):
    """The campaign sends at other hours."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"closed until {until:%Y-%m-%d %H:%M} UTC")
        self.until = until


def load(
    session: Session,
    chunk: Chunk,
    mailings: MutableMapping[int, Mailing],
    *,
    signing: Signing,
    secret: bytes,
    now: datetime,
) -> Loaded:
    """Load a chunk; `mailings` keeps what a run's messages have in common from one chunk to the next.

    Raises:
        Closed: it is outside the campaign's hours.
    """
    run = campaigns.get_run(session, chunk.run)
    campaign = campaigns.get(session, run.campaign_id)
    common = _mailing(session, run, campaign.name, mailings, signing)
    is_test, is_form = run.kind == "test", run.kind == "form"
    closes_at = None if is_test or is_form else _closes_at(campaign, chunk, now)
    # an address that waits for its confirmation is no contact's own yet: all that may stop it is suppression
    asked = None if is_test or is_form else gates.of_campaign(session, campaign, run.topic_id, now=now)
    ready, stopped = outbox.load(session, chunk, asked, due=max(now, database_now(session)))
    if not is_test:
        stopped |= _moved_and_suppressed(session, secret, ready, all_of_them=is_form)
        ready = [one for one in ready if one.seq not in stopped]
    skipped = {seq: (gate, "") for seq, gate in stopped.items()}
    if now >= run.expires_at:
        skipped |= {one.seq: (Gate.EXPIRED, "") for one in ready}
        ready = []
    bought = {}
    if common.uses_orders:
        bought = names.last_orders(session, [one.customer_id for one in ready])
    by_seq = {one.seq: one for one in ready}
    return Loaded(common, is_test, by_seq, bought, skipped, run.expires_at, closes_at)


def _closes_at(campaign: Campaign, chunk: Chunk, now: datetime) -> datetime | None:
    window = campaigns.window_of(campaign)
    if window.is_always_open:
        return None
    opens, closes = window.opening(now, zone_of(chunk.zone, campaign.time_zone))
    if opens > now:
        raise Closed(opens)
    return closes


def _moved_and_suppressed(
    session: Session, secret: bytes, ready: list[Recipient], *, all_of_them: bool = False
) -> dict[int, Gate]:
    """Those whose address changed after the freeze while the old one, where the mail goes, is suppressed."""
    moved = [one for one in ready if all_of_them or one.address != one.contact["email"]]
    hashed = {one.seq: suppressions.address_hash(secret, one.address) for one in moved}
    listed = suppressions.hashes(session, hashed.values())
    return {seq: Gate.SUPPRESSED for seq, one in hashed.items() if one in listed}


def _mailing(
    session: Session, run: Run, campaign: str, kept: MutableMapping[int, Mailing], signing: Signing
) -> Mailing:
    """Prepare a run's mail once; few runs are open at a time, so few are kept."""
    if run.id not in kept:
        if len(kept) >= KEPT_MAILINGS:
            kept.pop(next(iter(kept)))
        kept[run.id] = mailing.load(session, run, campaign, signing)
    return kept[run.id]
