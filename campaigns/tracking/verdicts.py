"""Who made each hit on a message: a person, a machine, a mail proxy's prefetch, or nobody can say.

A verdict comes from the hits of one message alone, is the same whatever order they are given in, and tells
its reasons in words. Strong signals decide by themselves; of the weak ones it takes two.
"""

import ipaddress
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from typing import NamedTuple

from campaigns.tracking.agents import Kind, recognise
from campaigns.values import Hit, Judgement, Verdict

#: Raise it with any change of a rule or of the agents' table: verdicts of older versions are due again.
RULES_VERSION = 1

SOON = timedelta(seconds=10)  #: nobody has read a mail so soon after it was taken
BURST = timedelta(seconds=5)  #: nobody follows BURST_LINKS different links in that time
BURST_LINKS = 3
PAIR = timedelta(seconds=2)  #: nor, mostly, both links of a mail that has two
COMPANY = timedelta(seconds=60)  #: what a machine's address and agent ask for so near to it is the machine's

_BROWSER_HEADERS = ("accept-language", "sec-fetch-")
_GATEWAY_BITS = {4: 24, 6: 48}  # scanners ask from many addresses of one network
_FOLLOWED = {"click", "score"}  #: hits on the numbered links of a mail, and on the answers in it
_FOLLOWS_NO_LINKS = {Kind.PREFETCH, Kind.IMAGE_PROXY}
_SHOWS_TO_PEOPLE = {Kind.BROWSER, Kind.MAIL_PROGRAM, Kind.IMAGE_PROXY}


class _Doubt(IntEnum):
    """How much speaks against a person; a confirmed message's least doubtful click was a person's."""

    NONE = 0
    LITTLE = 1  #: one weak signal
    SOME = 2  #: two
    MUCH = 3  #: what its neighbours did
    CERTAIN = 4  #: what it is itself


class _Finding(NamedTuple):
    verdict: Verdict
    doubt: _Doubt
    reasons: tuple[str, ...]


class _Window(NamedTuple):
    """Clicks on different links that came close together."""

    start: datetime
    end: datetime
    links: int


def judge(
    hits: Sequence[Hit], *, sent_at: datetime | None, link_count: int, confirmed: bool = False
) -> list[Judgement]:
    """Judge all hits of one message, in the order given.

    `sent_at` is when the backend took the message, `link_count` how many links it has; `confirmed` says that
    a form behind one of its links was posted, which machines do not do.
    """
    scene = _Scene(hits, sent_at, link_count)
    findings = {hit: scene.judge(hit) for hit in set(hits)}
    if confirmed:
        _lift(findings)
    return [Judgement(findings[hit].verdict, findings[hit].reasons, RULES_VERSION) for hit in hits]


def _lift(findings: dict[Hit, _Finding]) -> None:
    """Give a confirmed message at least one click by a person, if any of its clicks can be."""
    followed = {hit: finding for hit, finding in findings.items() if hit.kind != "open"}
    least = min((finding.doubt for finding in followed.values()), default=_Doubt.CERTAIN)
    if least in {_Doubt.NONE, _Doubt.CERTAIN}:
        return
    for hit, finding in followed.items():
        if finding.doubt is least:
            reasons = ("a form behind it was posted", *finding.reasons)
            findings[hit] = _Finding(Verdict.HUMAN, _Doubt.NONE, reasons)


class _Scene:
    """What the hits of one message say of each other."""

    def __init__(self, hits: Sequence[Hit], sent_at: datetime | None, link_count: int) -> None:
        self.sent_at = sent_at
        clicks = [hit for hit in hits if hit.kind in _FOLLOWED and hit.link is not None]
        self.groups = _windows_by_group(clicks)
        self.everywhere = _windows(clicks, BURST, BURST_LINKS)
        links = [hit for hit in clicks if hit.kind == "click"]
        self.pairs = _windows(links, PAIR, 2) if link_count == 2 else []
        self.machines: defaultdict[tuple[str, str], list[datetime]] = defaultdict(list)
        for hit in sorted(hits, key=lambda hit: hit.at):
            if hit.address and (_by_itself(hit) or self._burst(hit)):
                self.machines[hit.address, hit.agent].append(hit.at)

    def judge(self, hit: Hit) -> _Finding:
        if reason := _by_itself(hit):
            return _Finding(Verdict.MACHINE, _Doubt.CERTAIN, (reason,))
        if reason := self._burst(hit) or self._company(hit):
            return _Finding(Verdict.MACHINE, _Doubt.MUCH, (reason,))
        agent = recognise(hit.agent)
        if agent.kind is Kind.PREFETCH:
            return _Finding(Verdict.PRIVACY, _Doubt.CERTAIN, (agent.name,))
        weak = [*self._timing(hit), *self._neighbours(hit), *_manners(hit)]
        if len(weak) > 1:
            return _Finding(Verdict.MACHINE, _Doubt.SOME, tuple(weak))
        if weak:
            return _Finding(Verdict.UNKNOWN, _Doubt.LITTLE, tuple(weak))
        return _Finding(Verdict.HUMAN, _Doubt.NONE, (_in_favour(hit),))

    def _burst(self, hit: Hit) -> str | None:
        """Clicks of one agent, or from one network, on more links than a person follows in that time."""
        if hit.kind not in _FOLLOWED:
            return None
        found = [_containing(self.groups.get(group, []), hit.at) for group in _groups_of(hit)]
        windows = [window for window in found if window]
        if not windows:
            return None
        return _in_words(max(windows, key=lambda window: (window.links, window.start - window.end)))

    def _company(self, hit: Hit) -> str | None:
        times = self.machines.get((hit.address, hit.agent), [])
        place = bisect_left(times, hit.at)
        apart = min((abs(hit.at - time) for time in times[max(0, place - 1) : place + 1]), default=COMPANY)
        if apart >= COMPANY:
            return None
        return f"same address and agent as a machine's request {_seconds(apart)} apart"

    def _timing(self, hit: Hit) -> Iterable[str]:
        if self.sent_at is None or hit.at - self.sent_at >= SOON:
            return
        if hit.at < self.sent_at:
            yield "came before the sending was confirmed"
        else:
            yield f"came {_seconds(hit.at - self.sent_at)} after sending"

    def _neighbours(self, hit: Hit) -> Iterable[str]:
        if hit.kind not in _FOLLOWED:
            return
        if window := _containing(self.everywhere, hit.at):
            yield _in_words(window) + ", from several places"
        if window := _containing(self.pairs, hit.at):
            yield _in_words(window) + ", which are all there are"


def _by_itself(hit: Hit) -> str | None:
    """Say what makes this hit a machine's, whatever else happened."""
    if hit.method != "GET":
        return f"asked with {hit.method[:12] if hit.method.isalnum() else 'no method of HTTP'}"
    agent = recognise(hit.agent)
    if agent.kind is Kind.SCANNER:
        return f"agent is {agent.name}"
    if hit.kind == "open":
        return None
    if agent.kind is Kind.EMPTY:
        return "followed a link without naming an agent"
    if agent.kind in _FOLLOWS_NO_LINKS:
        return f"followed a link, which no mail proxy does: {agent.name}"
    return None


def _manners(hit: Hit) -> Iterable[str]:
    """Tell what a person's program would have done otherwise."""
    agent = recognise(hit.agent)
    shows = agent.kind in _SHOWS_TO_PEOPLE if hit.kind == "open" else agent.kind is Kind.BROWSER
    if not shows:
        yield f"asked by {agent.name}" if agent.kind is not Kind.EMPTY else "no agent given"
    if hit.kind != "open" and not any(name.startswith(_BROWSER_HEADERS) for name in hit.headers):
        yield "none of the headers that browsers send"


def _in_favour(hit: Hit) -> str:
    agent = recognise(hit.agent)
    if agent.kind is Kind.IMAGE_PROXY:
        return f"{agent.name}, which fetches when a person looks"
    return f"asked by {agent.name}, and nothing speaks against a person"


def _groups_of(hit: Hit) -> list[tuple[str, str]]:
    network = _network(hit.address)
    return [("agent", hit.agent), *([("network", network)] if network else [])]


def _network(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address)
        return str(ipaddress.ip_network((ip, _GATEWAY_BITS[ip.version]), strict=False))
    except ValueError:
        return address


def _windows_by_group(clicks: Sequence[Hit]) -> dict[tuple[str, str], list[_Window]]:
    groups: defaultdict[tuple[str, str], list[Hit]] = defaultdict(list)
    for hit in clicks:
        for group in _groups_of(hit):
            groups[group].append(hit)
    return {group: _windows(members, BURST, BURST_LINKS) for group, members in groups.items()}


def _windows(clicks: Sequence[Hit], span: timedelta, least: int) -> list[_Window]:
    """Find the stretches in which `least` different links were followed within `span`; overlaps are one."""
    ordered = sorted(clicks, key=lambda hit: hit.at)
    stretches: list[tuple[int, int]] = []
    within: Counter[tuple[str, int | None]] = Counter()
    end = 0
    for start, first in enumerate(ordered):
        while end < len(ordered) and ordered[end].at - first.at <= span:
            within[_target(ordered[end])] += 1
            end += 1
        if len(within) >= least:
            overlaps = stretches and first.at <= ordered[stretches[-1][1] - 1].at
            begin = stretches.pop()[0] if overlaps else start
            stretches.append((begin, end))
        within[_target(first)] -= 1
        if not within[_target(first)]:
            del within[_target(first)]
    return [
        _Window(ordered[begin].at, ordered[end - 1].at, len({_target(hit) for hit in ordered[begin:end]}))
        for begin, end in stretches
    ]


def _target(hit: Hit) -> tuple[str, int | None]:
    """What was followed: score 3 and link 3 of a mail are two things."""
    return hit.kind, hit.link


def _containing(windows: Sequence[_Window], at: datetime) -> _Window | None:
    place = bisect_right(windows, at, key=lambda window: window.start) - 1
    return windows[place] if place >= 0 and at <= windows[place].end else None


def _in_words(window: _Window) -> str:
    return f"{window.links} links within {_seconds(window.end - window.start)}"


def _seconds(span: timedelta) -> str:
    return f"{max(1, round(span.total_seconds()))} s"
