"""Lanes that are held or slowed, why and until when, and what would come too late at their pace."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from campaigns.config import Settings
from campaigns.doctor.findings import Finding, ok, warn
from campaigns.doctor.store import is_missing
from campaigns.records import lanes
from campaigns.records.lanes import EVERY_ACCOUNT, LaneLine, Waiting
from campaigns.wiring import open_stores

LOOK = "postroom lanes tells more; mend what its servers complain of."


def examine_lanes(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Look at each lane that is served through some account."""
    lines, waiting = _read(settings, now)
    served = [one for one in lines if one.account != EVERY_ACCOUNT]
    found = [finding for one in served for finding in _examine(one, waiting, now)]
    yield from found
    if served and not found:
        yield ok("lanes", f"{len(served)} in use, none is held or slowed")


def _read(settings: Settings, now: datetime) -> tuple[list[LaneLine], Mapping[tuple[str, str], Waiting]]:
    """The lanes and what waits for them; none where the store cannot tell, for which there is a finding."""
    if is_missing(settings.database_url):
        return [], {}
    stores = open_stores(settings.database_url)
    try:
        with stores.readers() as session:
            return lanes.lane_lines(session, now), lanes.waiting(session)
    except SQLAlchemyError:
        return [], {}
    finally:
        stores.engine.dispose()


def _examine(one: LaneLine, waiting: Mapping[tuple[str, str], Waiting], now: datetime) -> Iterator[Finding]:
    check, mine = f"lane {one.lane} of {one.account}", waiting.get((one.account, one.lane))
    waits = f", {mine.mails} mails wait" if mine else ""
    why = f": {one.rule}" + (f": {one.sample}" if one.sample else "") if one.rule else ""
    if one.word == "held" and one.reopens_at is None:
        cure = f"postroom lanes open {one.lane!r} --account {one.account} --by YOU, when it may go on."
        yield warn(check, f"held until somebody opens it{waits}{why}", cure)
    elif one.word == "held":
        yield warn(check, f"held until {one.reopens_at:%Y-%m-%d %H:%M} UTC{waits}{why}", LOOK)
    elif one.word in {"slowed", "half open"}:
        pace = f"at most {one.rate:g} a minute" if one.rate is not None else "a few mails decide"
        yield warn(check, f"{one.word}, {pace}{waits}{why}", LOOK)
    if mine and (lasts := lasting(one, mine, now)) > mine.until - now:
        cure = "Raise its caps, give other accounts a share of it, or give its campaigns more time."
        told = f"what waits takes {_length(lasts)}, and some of it is worth nothing in"
        yield warn(f"{check}: pace", f"{told} {_length(mine.until - now)}", cure)


def lasting(one: LaneLine, mine: Waiting, now: datetime) -> timedelta:
    """How long what waits for a lane takes, as far as the lane holds it up."""
    holds = max(timedelta(0), one.reopens_at - now) if one.word == "held" and one.reopens_at else timedelta(0)
    if one.rate is None and one.cap_today is None:
        return holds
    return holds + mine.lasts(one.rate or float("inf"), one.cap_today)


def _length(time: timedelta) -> str:
    hours = max(0.0, time / timedelta(hours=1))
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"
