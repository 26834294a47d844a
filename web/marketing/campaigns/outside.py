"""What others say of a campaign's mail: sites behind its links, the sender's DNS, a spam filter.

They are asked when somebody presses the button, outside of any transaction and in bounded time; the answers
are kept for some minutes, so that looking again asks nobody.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import NamedTuple

from flask import Flask, current_app, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from campaigns.clock import utc_now
from campaigns.delivery import spam
from campaigns.delivery.fetching import Fetcher, Memory, ask_all
from campaigns.delivery.fetching.rounds import KEPT
from campaigns.delivery.spam import Score
from campaigns.doctor.findings import Finding as Seen
from campaigns.doctor.findings import Level as Grade
from campaigns.doctor.senders import Identity, ask, checks_of, delivering_host_of
from campaigns.doctor.ways import ways_of
from campaigns.errors import BackendError
from campaigns.flows.checking import Finding
from campaigns.flows.checking.findings import hint, warning
from campaigns.flows.checking.outside import judge_differing, judge_links, judge_spam
from campaigns.flows.checking.specimen import Specimen, of_campaign
from campaigns.records import campaign_desk, dkim_keys, senders, templates
from campaigns.records.campaigns import Campaign
from campaigns.templates.preflight.findings import RANK
from web.marketing.campaigns.blueprint import campaigns
from web.marketing.desk import is_part, signing
from web.session import read, routing, settings

ROUNDS_KEPT = 200
MATTERS = 0.1  #: points of a spam filter's rule below which it is not worth a line


class Asked(NamedTuple):
    """What a round of questions brought, and of what."""

    at: datetime
    about: tuple[int, int | None]  #: the template's version and the sender
    findings: tuple[Finding, ...]
    score: Score | None
    links: int


@dataclass
class Outside:
    """What was asked lately; one of an app."""

    memory: Memory = field(default_factory=Memory)
    asking: Lock = field(default_factory=Lock)  #: held during a round: one at a time
    rounds: dict[int, Asked] = field(default_factory=dict)  #: by campaign
    of_templates: dict[int, Asked] = field(default_factory=dict)


def keep(rounds: dict[int, Asked], number: int, asked: Asked) -> None:
    """Remember a round, and forget the oldest of many."""
    rounds.pop(number, None)
    rounds[number] = asked
    while len(rounds) > ROUNDS_KEPT:
        del rounds[next(iter(rounds))]


def outside_of(app: Flask) -> Outside:
    """What an app has asked."""
    held: Outside = app.extensions.setdefault("outside", Outside())
    return held


class Questions(NamedTuple):
    """All that a round needs to know of a campaign."""

    specimen: Specimen
    identity: Identity | None
    about: tuple[int, int | None]


@campaigns.get("/<int:campaign_id>/outside")
def outside(campaign_id: int) -> ResponseReturnValue:
    """Show what others said lately; nobody is asked."""
    with read() as session:
        campaign = campaign_desk.shown(session, campaign_id)
        asked = lately(session, campaign)
    return _page(campaign, asked)


@campaigns.post("/<int:campaign_id>/outside")
def ask_outside(campaign_id: int) -> ResponseReturnValue:
    """Ask the sites, the name servers and the spam filter, and show what they say."""
    now = utc_now()
    with read() as session:  # over before anybody is asked: a site may take its time
        campaign = campaign_desk.shown(session, campaign_id)
        questions = _questions(session, campaign, now)
    held = outside_of(current_app)
    if questions is None:
        return _page(campaign, None)
    if not held.asking.acquire(blocking=False):
        return _page(campaign, held.rounds.get(campaign_id), busy=True)
    try:
        asked = ask_others(held, questions, now)
        keep(held.rounds, campaign_id, asked)
    finally:
        held.asking.release()
    if not is_part():
        return redirect(url_for("campaigns.review", campaign_id=campaign_id, _anchor="outside"))
    return _page(campaign, asked)


def lately(session: Session, campaign: Campaign) -> Asked | None:
    """What was asked in the last minutes, of the mail as it is now."""
    return fresh(outside_of(current_app).rounds.get(campaign.id), _about(session, campaign))


def fresh(asked: Asked | None, about: tuple[int, int | None]) -> Asked | None:
    """A round that is not old, and was about the same."""
    if asked is None or (utc_now() - asked.at).total_seconds() > KEPT:
        return None
    return asked if asked.about == about else None


def _about(session: Session, campaign: Campaign) -> tuple[int, int | None]:
    template = campaign.template_id
    return templates.newest_version(session, template) if template else 0, campaign.sender_id


def _questions(session: Session, campaign: Campaign, now: datetime) -> Questions | None:
    specimen = of_campaign(session, campaign, signing(), now)
    if specimen is None:
        return None
    identity = None
    if campaign.sender_id is not None:
        sender = senders.get(session, campaign.sender_id)
        host, ways = delivering_host_of(routing(), sender), ways_of(routing(), sender)
        identity = Identity.of(sender, dkim_keys.listing(session), host, ways)
    return Questions(specimen, identity, (specimen.version, campaign.sender_id))


def ask_others(held: Outside, questions: Questions, now: datetime) -> Asked:
    """Ask all at the same time; each has its own bounds."""
    specimen = questions.specimen
    fetcher: Fetcher = current_app.extensions.get("fetcher") or Fetcher()
    resolver, url = current_app.extensions.get("resolver"), settings().spam_url
    identity = questions.identity
    with ThreadPoolExecutor(3, thread_name_prefix="outside") as pool:
        links = pool.submit(ask_all, fetcher, [one.wanted for one in specimen.links], held.memory)
        score = pool.submit(_score, url, specimen.mail)
        checks = checks_of(identity, now) if identity else []
        seen = pool.submit(ask, "DNS", checks, resolver)
        found = [*judge_links(specimen.links, links.result()), *judge_differing(specimen.differing)]
        found += _sender(seen.result() if checks else [])
        points, failed = score.result()
    found += [failed] if failed else judge_spam(points)
    ordered = sorted(dict.fromkeys(found), key=lambda one: RANK[one.level])
    return Asked(utc_now(), questions.about, tuple(ordered), points, len(specimen.links))


def _score(url: str, mail: bytes | None) -> tuple[Score | None, Finding | None]:
    where = spam.find_filter(url) if mail is not None else None
    if where is None or mail is None:
        return None, None
    try:
        return spam.ask(where, mail), None
    except BackendError as error:
        what = "The spam filter gave no judgement: %(error)s"
        return None, hint("what", what, "Look whether it runs.", error=str(error))


def _sender(seen: Sequence[Seen]) -> list[Finding]:
    """Put what the DNS says of a sender in words; a dead network is told once, and calmly."""
    if seen and all("could not ask" in one.found for one in seen if ": DKIM" not in one.check):
        what = "The sender's DNS could not be asked: no name server answered."
        return [hint("what", what, "Ask again where there is a network.")]
    return [
        (warning if one.level is Grade.BAD else hint)(
            "what",
            "%(check)s: %(found)s.",
            "%(help)s The sender's page shows the records to set.",
            check=one.check,
            found=one.found,
            help=one.cure,
        )
        for one in seen
        if one.level is not Grade.OK
    ]


def _page(campaign: Campaign, asked: Asked | None, *, busy: bool = False) -> ResponseReturnValue:
    return render_template(
        "marketing/campaigns/outside.html", campaign=campaign, asked=asked, busy=busy, matters=MATTERS
    )
