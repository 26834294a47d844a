"""Which way a mail goes: whether the accounts that it may go through can carry it, and to everybody."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from campaigns.delivery.contract import Capabilities
from campaigns.delivery.providers import PROVIDERS
from campaigns.delivery.routes import Route, Routing
from campaigns.flows.checking.findings import Finding, blocker, warning
from campaigns.flows.checking.who import recipients
from campaigns.records import consent, samples, senders
from campaigns.records.campaigns import Campaign
from campaigns.templates.preflight import Letter

Ways = dict[str, Capabilities]
CURE = "Link to the pictures instead, or choose a route to another account."


def check(
    session: Session, campaign: Campaign, letters: Sequence[Letter], routing: Routing, now: datetime
) -> Iterator[Finding]:
    """Look at the accounts that the campaign's routes lead to; nobody is asked."""
    ways, spare = _ways(_led(session, campaign, routing), routing)
    yield from _pictures(letters, ways, spare)
    refusing = [name for name, can in (ways | spare).items() if not can.smtputf8]
    if refusing and campaign.segment_id is not None and campaign.topic_id is not None:
        yield from _addresses(session, campaign, refusing, now)


def leave_ours(session: Session, campaign: Campaign, routing: Routing) -> bool:
    """Whether some of its mails leave with our return address and signature as they are."""
    ways, spare = _ways(_led(session, campaign, routing), routing)
    return any(one.envelope_sender or one.own_signature for one in (ways | spare).values())


def of_template(letters: Sequence[Letter], routing: Routing) -> Iterator[Finding]:
    """Look at all accounts that some mail may go through; a campaign will say which of them it uses."""
    ways, spare = _ways(routing.routes, routing)
    for one in _pictures(letters, ways, spare):
        yield warning(one.card, one.what, one.cure, **one.values)


def _led(session: Session, campaign: Campaign, routing: Routing) -> list[Route]:
    """The routes that its mails may take, to whatever lane; all while it has no topic, or no sender."""
    if campaign.topic_id is None or campaign.sender_id is None:
        return list(routing.routes)
    topic_class = consent.topic_by_id(session, campaign.topic_id).topic_class
    return routing.routes_of(topic_class, senders.get(session, campaign.sender_id).address)


def _ways(routes: Sequence[Route], routing: Routing) -> tuple[Ways, Ways]:
    """What the accounts can that take mail, and those that take it where the others fail."""
    first = {name for route in routes for name in route.accounts}
    then = {name for route in routes for name in route.failover} - first

    def able(names: set[str]) -> Ways:
        return {name: PROVIDERS[routing.accounts[name].kind].capabilities for name in sorted(names)}

    return able(first), able(then)


def _pictures(letters: Sequence[Letter], ways: Ways, spare: Ways) -> Iterator[Finding]:
    if not any(one.content_id for letter in letters for one in letter.files):
        return
    without = [name for name, can in (ways | spare).items() if not can.pictures]
    if ways and not ways.keys() - without:
        what = "Its mails go through %(accounts)s, which shows no pictures within a mail: each would fail."
        yield blocker("what", what, CURE, accounts=", ".join(sorted(ways)))
    elif without:
        what = "What goes through %(accounts)s fails, for it shows no pictures within a mail."
        yield warning("what", what, CURE, accounts=", ".join(without))


def _addresses(
    session: Session, campaign: Campaign, refusing: Sequence[str], now: datetime
) -> Iterator[Finding]:
    count = samples.beyond_ascii(session, recipients(session, campaign, now))
    if count:
        what = "%(count)s people have addresses beyond ASCII, which %(accounts)s cannot write to."
        cure = "Those mails fail, each with its reason; a mail server that takes SMTPUTF8 could deliver them."
        yield warning("who", what, cure, count=count, accounts=", ".join(refusing))
