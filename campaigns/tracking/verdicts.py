"""Who made each hit on a message: a person, a machine, a mail proxy's prefetch, or nobody can say.

A verdict comes from the hits of one message, is the same whatever order they are given in, and tells its
reasons in words. Strong signals decide by themselves; the others are weighed in points (docs/VERDICTS.md).
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from campaigns.tracking.agents import Agent, Kind, recognise
from campaigns.tracking.bursts import by_group, containing, groups_of, in_words, network, seconds, windows
from campaigns.tracking.instrument import HONEYPOT
from campaigns.tracking.ranges import NONE, RangeKind, Ranges
from campaigns.values import Hit, Judgement, Verdict

#: Raise it with any change of a rule or of the agents' table: all hits are judged again then, by and by.
RULES_VERSION = 2

SOON = timedelta(seconds=10)  #: nobody has read a mail so soon after it was taken
EARLY = timedelta(seconds=60)  #: few have
BURST = timedelta(seconds=5)  #: nobody follows BURST_LINKS different links in that time
BURST_LINKS = 3
PAIR = timedelta(seconds=2)  #: nor, mostly, both links of a mail that has two
DASH = timedelta(milliseconds=800)  #: from one link to another a hand takes longer
SWEEP = timedelta(minutes=10)  #: nor all links of a mail that has SWEEP_LINKS or more
SWEEP_LINKS = 5
COMPANY = timedelta(seconds=60)  #: what a machine's address and agent ask for so near to it is the machine's
TRAPPED = timedelta(minutes=10)  #: and so near to a link that no person sees
ECHO = timedelta(seconds=30)  #: a gateway that checks a link at the click follows it beside the person
LET_THROUGH = timedelta(seconds=5)  #: for so long at most, before it lets the person through
READ = (
    timedelta(seconds=3),
    timedelta(hours=12),
)  #: between the pictures of a mail and a click of its reader
CROWD = 3  #: other recipients of a company

CERTAIN = 9  #: what a hit is by itself
MUCH = 5  #: what its neighbours did, or whose address it has
STRONG = 3
WEAK = 2
FAINT = 1
MACHINE_AT = 4
UNKNOWN_AT = 2

_BROWSER_HEADERS = ("accept-language", "sec-fetch-")
_AHEAD = {"purpose", "sec-purpose", "x-moz"}  #: browsers say so when they fetch what nobody asked for yet
BY_PROVIDER = "x-machine"  #: stands among the headers where the provider that tracked the hit calls it so
BY_PROXY = "x-proxy"  #: and where it says that a mail proxy fetched it, ahead of any person
UNTOLD = "?"  #: stands among the headers where nobody told which there were
NO_AGENT = "?agent"  #: stands among the headers where nobody told of an agent, which says nothing of it
_FOLLOWED = {"click", "score"}  #: hits on the numbered links of a mail, and on the answers in it
_FOLLOWS_NO_LINKS = {Kind.PREFETCH, Kind.IMAGE_PROXY}
_SHOWS_TO_PEOPLE = {Kind.BROWSER, Kind.MAIL_PROGRAM, Kind.IMAGE_PROXY}


class Doubt(NamedTuple):
    """One thing that speaks against a person."""

    points: int
    reason: str


class _Finding(NamedTuple):
    verdict: Verdict
    points: int
    reasons: tuple[str, ...]


def judge(
    hits: Sequence[Hit],
    *,
    sent_at: datetime | None,
    link_count: int,
    confirmed: bool = False,
    ranges: Ranges = NONE,
) -> list[Judgement]:
    """Judge all hits of one message, in the order given.

    `sent_at` is when the backend took the message, `link_count` how many links it has; `confirmed` says that
    a form behind one of its links was posted, which machines do not do. `ranges` know whose addresses are
    whose.
    """
    scene = _Scene(hits, sent_at, link_count, ranges)
    findings = {hit: scene.judge(hit) for hit in set(hits)}
    if confirmed:
        _lift(findings)
    return [
        Judgement(findings[hit].verdict, findings[hit].reasons, RULES_VERSION, findings[hit].points)
        for hit in hits
    ]


def _lift(findings: dict[Hit, _Finding]) -> None:
    """Give a confirmed message at least one click by a person, if any of its clicks can be."""
    followed = {hit: finding for hit, finding in findings.items() if hit.kind != "open"}
    least = min((finding.points for finding in followed.values()), default=CERTAIN)
    if not UNKNOWN_AT <= least < CERTAIN:
        return
    for hit, finding in followed.items():
        if finding.points == least:
            reasons = ("a form behind it was posted", *finding.reasons)
            findings[hit] = _Finding(Verdict.HUMAN, 0, reasons)


class _Scene:
    """What the hits of one message say of each other."""

    def __init__(
        self, hits: Sequence[Hit], sent_at: datetime | None, link_count: int, ranges: Ranges
    ) -> None:
        self.sent_at, self.ranges = sent_at, ranges
        clicks = [hit for hit in hits if hit.kind in _FOLLOWED and hit.link is not None]
        links = [hit for hit in clicks if hit.kind == "click"]
        self.groups = by_group(clicks, BURST, BURST_LINKS)
        self.dashes = by_group(clicks, DASH, 2)
        self.everywhere = windows(clicks, BURST, BURST_LINKS)
        self.pairs = windows(links, PAIR, 2) if link_count == 2 else []
        seen = [hit for hit in links if hit.link is not None and hit.link > HONEYPOT]  # the numbered ones
        self.sweeps = by_group(seen, SWEEP, link_count) if link_count >= SWEEP_LINKS else {}
        self.machines, self.trapped = self._known(hits)
        looks = [hit for hit in hits if self._is_look(hit)]
        self.looks, self.screens = sorted(hit.at for hit in looks), {network(hit.address) for hit in looks}
        self.twins: defaultdict[tuple[str, int | None], list[Hit]] = defaultdict(list)
        for hit in clicks:
            self.twins[hit.kind, hit.link].append(hit)
        for twins in self.twins.values():
            twins.sort(key=lambda hit: hit.at)

    def _known(self, hits: Sequence[Hit]) -> tuple["_Times", "_Times"]:
        """When each address and agent did what only machines do, and when it followed the hidden link."""
        machines, trapped = _Times(list), _Times(list)
        for hit in sorted(hits, key=lambda hit: hit.at):
            if hit.address and (_by_itself(hit) or self._burst(hit)):
                machines[hit.address, hit.agent].append(hit.at)
                if _is_trapped(hit):
                    trapped[hit.address, hit.agent].append(hit.at)
        return machines, trapped

    def judge(self, hit: Hit) -> _Finding:
        if reason := _by_itself(hit):
            return _Finding(Verdict.MACHINE, CERTAIN, (reason,))
        if reason := self._burst(hit) or self._company(hit):
            return _Finding(Verdict.MACHINE, MUCH, (reason,))
        if reason := self._ahead_of_people(hit):
            return _Finding(Verdict.PRIVACY, CERTAIN, (reason,))
        doubts = self._doubts(hit)
        points = sum(doubt.points for doubt in doubts)
        reasons = tuple(doubt.reason for doubt in doubts)
        if points >= MACHINE_AT:
            return _Finding(Verdict.MACHINE, points, reasons)
        if points >= UNKNOWN_AT:
            return _Finding(Verdict.UNKNOWN, points, reasons)
        return _Finding(Verdict.HUMAN, points, (_in_favour(hit), *reasons))

    def _doubts(self, hit: Hit) -> list[Doubt]:
        doubts = [*self._timing(hit), *self._neighbours(hit), *_manners(hit), *self._origin(hit)]
        if hit.crowd >= CROWD:
            points = STRONG if self._is_early(hit) else FAINT
            told = f"{hit.crowd} others of the domain had theirs followed from there in a minute"
            doubts.append(Doubt(points, told))
        points = sum(doubt.points for doubt in doubts)
        if echo := self._echo(hit, points):
            doubts.append(echo)
        elif points >= UNKNOWN_AT and (reason := self._read(hit)):
            doubts.append(Doubt(-FAINT, reason))
        return doubts

    def _burst(self, hit: Hit) -> str | None:
        """Clicks of one agent, or from one network, on more links than a person follows in that time."""
        if hit.kind not in _FOLLOWED:
            return None
        for groups, words in ((self.groups, ""), (self.sweeps, "all ")):
            found = [containing(groups.get(group, []), hit.at) for group in groups_of(hit)]
            if known := [window for window in found if window]:
                return words + in_words(max(known, key=lambda one: (one.links, one.start - one.end)))
        return None

    def _company(self, hit: Hit) -> str | None:
        key = hit.address, hit.agent
        trap, machine = _nearest(self.trapped.get(key), hit.at), _nearest(self.machines.get(key), hit.at)
        if trap is not None and trap < TRAPPED:
            return f"same address and agent followed a link that no person sees, {seconds(trap)} apart"
        if machine is not None and machine < COMPANY:
            return f"same address and agent as a machine's request {seconds(machine)} apart"
        return None

    def _ahead_of_people(self, hit: Hit) -> str | None:
        """Say which proxy fetched a picture that nobody has looked at yet."""
        if BY_PROXY in hit.headers:
            return "the provider that tracked it calls it a mail proxy's"
        agent = recognise(hit.agent)
        if agent.kind is Kind.PREFETCH:
            return agent.name
        owner = self.ranges.find(hit.address)
        if hit.kind != "open" or owner is None or owner.kind is not RangeKind.RELAY:
            return None
        return f"address of {owner.name}'s relay" if agent.kind in {Kind.EMPTY, Kind.OTHER} else None

    def _is_look(self, hit: Hit) -> bool:
        """Whether a picture was fetched by what shows it to a person."""
        shows = hit.kind == "open" and recognise(hit.agent).kind in _SHOWS_TO_PEOPLE
        return shows and not self._is_early(hit) and not _by_itself(hit) and not self._company(hit)

    def _is_early(self, hit: Hit) -> bool:
        return self.sent_at is not None and hit.at - self.sent_at < EARLY

    def _read(self, hit: Hit) -> str | None:
        """Say that the mail was on somebody's screen before its link was followed."""
        if hit.kind == "open":
            return None
        after = bisect_left(self.looks, hit.at - READ[1])
        before = bisect_left(self.looks, hit.at - READ[0])
        return "the mail was looked at before" if before > after else None

    def _timing(self, hit: Hit) -> Iterable[Doubt]:
        if self.sent_at is None or not self._is_early(hit):
            return
        after = hit.at - self.sent_at
        if after < timedelta(0):
            yield Doubt(WEAK, "came before the sending was confirmed")
        else:
            yield Doubt(WEAK if after < SOON else FAINT, f"came {seconds(after)} after sending")

    def _neighbours(self, hit: Hit) -> Iterable[Doubt]:
        if hit.kind not in _FOLLOWED:
            return
        if window := containing(self.everywhere, hit.at):
            yield Doubt(WEAK, in_words(window) + ", from several places")
        if any(containing(self.dashes.get(group, []), hit.at) for group in groups_of(hit)):
            yield Doubt(WEAK, "two links in less than a second")
        if window := containing(self.pairs, hit.at):
            yield Doubt(WEAK, in_words(window) + ", which are all there are")

    def _origin(self, hit: Hit) -> Iterable[Doubt]:
        owner = self.ranges.find(hit.address) if hit.address else None
        if owner is None or recognise(hit.agent).kind is Kind.IMAGE_PROXY:
            return
        if owner.kind is RangeKind.SCANNER:
            yield Doubt(MUCH, f"address of {owner.name}, a mail security service")
        elif owner.kind is RangeKind.CLOUD:
            yield Doubt(STRONG, f"address of {owner.name}, where programs run")

    def _echo(self, hit: Hit, points: int) -> Doubt | None:
        """The same link, followed from another network at the same time by somebody with nothing odd.

        A gateway that checks a link at the click lets the person through when it has; so of two who are alike
        it is the first, unless the mail was looked at from there.
        """
        here = network(hit.address)
        for twin in _around(self.twins.get((hit.kind, hit.link), []), hit.at, ECHO):
            if network(twin.address) == here or _by_itself(twin):
                continue
            plain, after = self._plain_points(twin), twin.at - hit.at
            if plain < min(points, UNKNOWN_AT):
                return Doubt(WEAK, f"the same link was followed from elsewhere within {seconds(ECHO)}")
            if plain <= points and timedelta(0) < after <= LET_THROUGH and here not in self.screens:
                return Doubt(MACHINE_AT, f"somebody else followed the same link {seconds(after)} later")
        return None

    def _plain_points(self, hit: Hit) -> int:
        return sum(doubt.points for doubt in (*self._timing(hit), *_manners(hit), *self._origin(hit)))


_Times = defaultdict[tuple[str, str], list[datetime]]


def _nearest(times: Sequence[datetime] | None, at: datetime) -> timedelta | None:
    if not times:
        return None
    place = bisect_left(times, at)
    return min(abs(at - time) for time in times[max(0, place - 1) : place + 1])


def _around(hits: Sequence[Hit], at: datetime, span: timedelta) -> Sequence[Hit]:
    first = bisect_left(hits, at - span, key=lambda hit: hit.at)
    last = bisect_left(hits, at + span, key=lambda hit: hit.at)
    return hits[first : min(last, first + _MOST_TWINS)]


_MOST_TWINS = 20


def _is_trapped(hit: Hit) -> bool:
    return hit.kind == "click" and hit.link == HONEYPOT


def _by_itself(hit: Hit) -> str | None:
    """Say what makes this hit a machine's, whatever else happened."""
    if hit.method != "GET":
        return f"asked with {hit.method[:12] if hit.method.isalnum() else 'no method of HTTP'}"
    agent = recognise(hit.agent)
    if agent.kind is Kind.SCANNER:
        return f"agent is {agent.name}"
    if BY_PROVIDER in hit.headers:
        return "the provider that tracked it calls it a machine's"
    return _following(hit, agent) if hit.kind != "open" else None


def _following(hit: Hit, agent: Agent) -> str | None:
    """Say why no person followed this link."""
    if _is_trapped(hit):
        return "followed a link that no person sees"
    if agent.kind is Kind.EMPTY and NO_AGENT not in hit.headers:
        return "followed a link without naming an agent"
    if agent.kind in _FOLLOWS_NO_LINKS:
        return f"followed a link, which no mail proxy does: {agent.name}"
    return None


def _manners(hit: Hit) -> Iterable[Doubt]:
    """Tell what a person's program would have done otherwise."""
    agent = recognise(hit.agent)
    shows = agent.kind in _SHOWS_TO_PEOPLE if hit.kind == "open" else agent.kind is Kind.BROWSER
    if not shows:
        yield Doubt(WEAK, f"asked by {agent.name}" if agent.kind is not Kind.EMPTY else "no agent given")
    if hit.kind == "open":
        return
    if UNTOLD not in hit.headers and not any(name.startswith(_BROWSER_HEADERS) for name in hit.headers):
        yield Doubt(WEAK, "none of the headers that browsers send")
    if _AHEAD.intersection(hit.headers):
        yield Doubt(WEAK, "fetched ahead by a browser")


def _in_favour(hit: Hit) -> str:
    agent = recognise(hit.agent)
    if agent.kind is Kind.IMAGE_PROXY:
        return f"{agent.name}, which fetches when a person looks"
    return f"asked by {agent.name}, and nothing speaks against a person"
