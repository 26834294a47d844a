"""What a request tells of its maker by itself: its method, its agent, the headers that it has and lacks."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from campaigns.tracking.agents import Agent, Kind, recognise
from campaigns.tracking.instrument import HONEYPOT
from campaigns.values import Hit

CERTAIN = 9  #: what a hit is by itself
MUCH = 5  #: what its neighbours did, or whose address it has
STRONG = 3
WEAK = 2
FAINT = 1

_BROWSER_HEADERS = ("accept-language", "sec-fetch-")
_AHEAD = {"purpose", "sec-purpose", "x-moz"}  #: browsers say so when they fetch what nobody asked for yet
BY_PROVIDER = "x-machine"  #: stands among the headers where the provider that tracked the hit calls it so
BY_PROXY = "x-proxy"  #: and where it says that a mail proxy fetched it, ahead of any person
UNTOLD = "?"  #: stands among the headers where nobody told which there were
NO_AGENT = "?agent"  #: stands among the headers where nobody told of an agent, which says nothing of it
_FOLLOWS_NO_LINKS = {Kind.PREFETCH, Kind.IMAGE_PROXY}
SHOWS_TO_PEOPLE = {Kind.BROWSER, Kind.MAIL_PROGRAM, Kind.IMAGE_PROXY}

#: Browsers that say with each request over https how it came about, from these versions on. Safari does so
#: too, but what shows pages inside other programs of Apple's has not always.
#: Source: https://developer.mozilla.org/docs/Web/HTTP/Headers/Sec-Fetch-Mode, browser compatibility
_TELLS_OF_FETCHING = {"chrome": 80, "firefox": 90}
_VERSION = re.compile(r"\b(chrome|firefox)/(\d{2,3})\b", re.IGNORECASE)
#: A version with its month, and how long one is the newest.
#: Source: https://chromiumdash.appspot.com/schedule, https://whattrainisitnow.com/calendar
_CALENDAR = {
    "chrome": (100, datetime.fromisoformat("2022-03-29T00:00:00Z")),
    "firefox": (100, datetime.fromisoformat("2022-05-03T00:00:00Z")),
}
_REIGN = timedelta(days=30)
_OLD, _VERY_OLD = timedelta(days=3 * 365), timedelta(days=5 * 365)


class Doubt(NamedTuple):
    """One thing that speaks against a person."""

    points: int
    reason: str


def is_secure(url: str) -> bool:
    """Whether browsers trust an address, and so tell it how a request came about.

    Source: https://www.w3.org/TR/secure-contexts/#is-origin-trustworthy
    """
    parts = urlsplit(url)
    return parts.scheme == "https" or _is_here(parts.hostname or "")


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def by_itself(hit: Hit) -> str | None:
    """Say what makes this hit a machine's, whatever else happened."""
    if hit.method != "GET":
        return f"asked with {hit.method[:12] if hit.method.isalnum() else 'no method of HTTP'}"
    agent = recognise(hit.agent)
    if agent.kind is Kind.SCANNER:
        return f"agent is {agent.name}"
    if BY_PROVIDER in hit.headers:
        return "the provider that tracked it calls it a machine's"
    return _following(hit, agent) if hit.kind != "open" else None


def is_trapped(hit: Hit) -> bool:
    """Whether it followed the link that no person sees."""
    return hit.kind == "click" and hit.link == HONEYPOT


def _following(hit: Hit, agent: Agent) -> str | None:
    """Say why no person followed this link."""
    if is_trapped(hit):
        return "followed a link that no person sees"
    if agent.kind is Kind.EMPTY and NO_AGENT not in hit.headers:
        return "followed a link without naming an agent"
    if agent.kind in _FOLLOWS_NO_LINKS:
        return f"followed a link, which no mail proxy does: {agent.name}"
    return None


def manners(hit: Hit, *, secure: bool) -> Iterable[Doubt]:
    """Tell what a person's program would have done otherwise; `secure` says that our address is https."""
    agent = recognise(hit.agent)
    shows = agent.kind in SHOWS_TO_PEOPLE if hit.kind == "open" else agent.kind is Kind.BROWSER
    if not shows:
        yield Doubt(WEAK, f"asked by {agent.name}" if agent.kind is not Kind.EMPTY else "no agent given")
    if hit.kind == "open":
        return
    if agent.kind is Kind.BROWSER and (doubt := _age(hit)):
        yield doubt
    if UNTOLD not in hit.headers and (reason := _lacking(hit, secure=secure)):
        yield Doubt(WEAK, reason)
    if _AHEAD.intersection(hit.headers):
        yield Doubt(WEAK, "fetched ahead by a browser")


def _lacking(hit: Hit, *, secure: bool) -> str | None:
    """Say which headers are missing that its program sends."""
    if not any(name.startswith(_BROWSER_HEADERS) for name in hit.headers):
        return "none of the headers that browsers send"
    if not secure or any(name.startswith("sec-fetch-") for name in hit.headers):
        return None
    named = _VERSION.search(hit.agent[:512])
    if named and int(named[2]) >= _TELLS_OF_FETCHING[named[1].lower()]:
        return f"calls itself {named[1].title()} {named[2]} and sends not what that sends"
    return None


def _age(hit: Hit) -> Doubt | None:
    """Browsers renew themselves; what looks like one keeps the name that it was once given."""
    if not (named := _VERSION.search(hit.agent[:512])):
        return None
    known, month = _CALENDAR[named[1].lower()]
    age = hit.at - month - (int(named[2]) - known) * _REIGN
    if age < _OLD:
        return None
    told = f"calls itself {named[1].title()} {named[2]}, which is {age.days // 365} years old"
    return Doubt(WEAK if age >= _VERY_OLD else FAINT, told)
