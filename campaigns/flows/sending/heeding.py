"""Heeding what servers say of us while mails are on their way: lanes are slowed or held, campaigns paused."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from random import random

import structlog
from sqlalchemy.orm import Session

from campaigns.delivery.backoff_rules import Act, Rule, told
from campaigns.delivery.refusals import rule_about_us
from campaigns.delivery.returns import without_addresses
from campaigns.flows.sending.flight import Batch, Postbox
from campaigns.records import campaigns, lanes, pausing
from campaigns.records.lanes import Signal
from campaigns.values import Outcome

SAMPLE = 300  #: characters of what a server said
ACTOR = "sender"

log = structlog.get_logger()


def heed(post: Postbox, batch: Batch) -> None:
    """Write down, for all senders, what was heard of a batch's lane since the last time."""
    heard = [batch.heard.popleft() for _ in range(len(batch.heard))]
    signals = _signals(heard)
    if not signals:
        return
    chunk, now = batch.chunk, post.clock()
    with post.sessions.begin() as session:
        for signal in signals:
            if lanes.strike(session, chunk.account, chunk.lane, signal, now=now, chance=random()):  # noqa: S311
                log.warning("a lane is slowed", lane=chunk.lane, account=chunk.account, rule=signal.rule.name)


def _signals(heard: Iterable[Outcome]) -> list[Signal]:
    """What of some answers speaks against us, by rule; what is about single messages is left out."""
    by_rule: defaultdict[Rule, list[Outcome]] = defaultdict(list)
    for outcome in heard:
        rule = rule_about_us(outcome)
        if rule is not None and rule.act is not Act.NOTHING:
            by_rule[rule].append(outcome)
    return [_signal(rule, answers) for rule, answers in by_rule.items()]


def _signal(rule: Rule, answers: list[Outcome]) -> Signal:
    asked = [wait for one in answers if (wait := told(one.text)) is not None]
    sample = without_addresses(f"{answers[0].code or ''} {answers[0].text}".strip())[:SAMPLE]
    return Signal(rule, sample, len(answers), max(asked, default=None))


def stop(post: Postbox, session: Session, batches: Iterable[Batch]) -> None:
    """Begin nothing more of batches whose lane is held or limited by now, or whose time is over."""
    under_way = [one for one in batches if not one.handed]
    if not under_way:
        return
    now = post.clock()
    held = lanes.held(session, post.account, now)
    unlimited = {one.chunk.lane for one in under_way if one.chunk.granted is None}
    limited = {lane for lane in unlimited if lanes.is_limited(session, post.account, lane, now)}
    for batch in under_way:
        lane, loaded = batch.chunk.lane, batch.loaded
        ends = [at for at in (loaded.closes_at, loaded.expires_at) if at is not None]
        over = bool({lane, lanes.WHOLE} & held) or (batch.chunk.granted is None and lane in limited)
        batch.stopped |= over or min(ends) <= now
        if batch.at_once is not None:
            batch.at_once = places(post, session, lane)


def places(post: Postbox, session: Session, lane: str) -> int | None:
    """How many mails of a lane may be under way here at once; a provider's API has limits of its own."""
    if post.backend.capabilities.max_batch is not None:
        return None
    return lanes.share(session, post.journal.owner, post.account, lane)


def pause(session: Session, run: int, why: str, now: datetime) -> None:
    """Pause a run's campaign for a person to look at; one that is paused or over stays what it is."""
    campaign = campaigns.get_run(session, run).campaign_id
    if pausing.pause(session, campaign, why, actor=ACTOR, now=now):
        log.error("a campaign was paused", campaign=campaign, why=why)
