"""Who made each hit on a message: a person, a machine, a mail proxy's prefetch, or nobody can say.

A verdict comes from the hits of one message, is the same whatever order they are given in, and tells its
reasons in words. Strong signals decide by themselves; the others are weighed in points (docs/VERDICTS.md).
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from campaigns.tracking.agents import Kind, recognise
from campaigns.tracking.bursts import by_group, containing, groups_of, in_words, network, seconds, windows
from campaigns.tracking.instrument import HONEYPOT
from campaigns.tracking.manners import (
    BY_PROXY,
    CERTAIN,
    FAINT,
    MUCH,
    SHOWS_TO_PEOPLE,
    STRONG,
    WEAK,
    Doubt,
    by_itself,
    is_trapped,
    manners,
)
from campaigns.tracking.ranges import NONE, RangeKind, Ranges
from campaigns.values import Hit, Judgement, Verdict

#: Raise it with any change of a rule or of the agents' table: all hits are judged again then, by and by.
RULES_VERSION = 3

SOON = timedelta(seconds=10)  #: nobody has read a mail so soon after it was taken
EARLY = timedelta(seconds=60)  #: few have
BURST = timedelta(seconds=5)  #: nobody follows BURST_LINKS different links in that time
BURST_LINKS = 3
PAIR = timedelta(seconds=2)  #: nor, mostly, both links of a mail that has two
DASH = timedelta(milliseconds=800)  #: from one link to another a hand takes longer
HURRY = timedelta(seconds=3)  #: and much longer in the first minute, when the mail is to be read yet
SWEEP = timedelta(minutes=10)  #: nor all links of a mail that has SWEEP_LINKS or more
SWEEP_LINKS = 5
COMPANY = timedelta(seconds=60)  #: what a machine's address and agent ask for so near to it is the machine's
TRAPPED = timedelta(minutes=10)  #: and so near to a link that no person sees
ECHO = timedelta(seconds=30)  #: a gateway that checks a link at the click follows it beside the person
LET_THROUGH = timedelta(seconds=5)  #: for so long at most, before it lets the person through; or afterwards
READ = (
    timedelta(seconds=3),
    timedelta(hours=12),
)  #: between the pictures of a mail and a click of its reader
CROWD = 3  #: other recipients of a company

MACHINE_AT = 4
UNKNOWN_AT = 2

_FOLLOWED = {"click", "score"}  #: hits on the numbered links of a mail, and on the answers in it


class _Finding(NamedTuple):
    verdict: Verdict
    points: int
    reasons: tuple[str, ...]
    weighed: bool = False  #: else it is what one strong sign says


def judge(
    hits: Sequence[Hit],
    *,
    sent_at: datetime | None,
    link_count: int,
    confirmed: bool = False,
    ranges: Ranges = NONE,
    swept: Mapping[str, int] = MappingProxyType({}),
    secure: bool = True,
) -> list[Judgement]:
    """Judge all hits of one message, in the order given.

    `sent_at` is when the backend took the message, `link_count` how many links it has; `confirmed` says that
    a form behind one of its links was posted, which machines do not do. `ranges` know whose addresses are
    whose, `swept` how many other companies' mails were swept from a network, and `secure` says that the links
    are https.
    """
    scene = _Scene(hits, sent_at, link_count, _Known(ranges, swept, secure))
    findings = {hit: scene.judge(hit) for hit in set(hits)}
    _join(findings)
    if confirmed:
        _lift(findings)
    return [
        Judgement(findings[hit].verdict, findings[hit].reasons, RULES_VERSION, findings[hit].points)
        for hit in hits
    ]


def _join(findings: dict[Hit, _Finding]) -> None:
    """Give a machine what came from the address and agent of what was weighed to be a machine's."""
    weighed = _Times(list)
    for hit in sorted(findings, key=lambda hit: hit.at):
        if hit.address and findings[hit].weighed and findings[hit].verdict is Verdict.MACHINE:
            weighed[hit.address, hit.agent].append(hit.at)
    for hit, finding in findings.items():
        apart = _nearest(weighed.get((hit.address, hit.agent)), hit.at)
        if apart is not None and apart < COMPANY and finding.verdict in {Verdict.HUMAN, Verdict.UNKNOWN}:
            findings[hit] = _Finding(Verdict.MACHINE, MUCH, (_near(apart),))


def _lift(findings: dict[Hit, _Finding]) -> None:
    """Give a confirmed message at least one click by a person, if any of its clicks can be, and its like."""
    followed = {hit: finding for hit, finding in findings.items() if hit.kind != "open"}
    least = min((finding.points for finding in followed.values()), default=CERTAIN)
    if least >= CERTAIN:
        return
    posted = {hit for hit, finding in followed.items() if finding.points == least}
    makers = {(hit.address, hit.agent) for hit in posted if hit.address}
    for hit, finding in followed.items():
        like = (hit.address, hit.agent) in makers and finding.verdict is Verdict.UNKNOWN
        if finding.points >= UNKNOWN_AT and (hit in posted or like):
            reasons = ("a form behind it was posted", *finding.reasons)
            findings[hit] = _Finding(Verdict.HUMAN, 0, reasons)


class _Known(NamedTuple):
    """What is known beside the hits of a message."""

    ranges: Ranges
    swept: Mapping[str, int]
    secure: bool


class _Scene:
    """What the hits of one message say of each other."""

    def __init__(self, hits: Sequence[Hit], sent_at: datetime | None, link_count: int, known: _Known) -> None:
        self.sent_at, self.known = sent_at, known
        clicks = [hit for hit in hits if hit.kind in _FOLLOWED and hit.link is not None]
        links = [hit for hit in clicks if hit.kind == "click"]
        self.groups = by_group(clicks, BURST, BURST_LINKS)
        self.dashes = by_group(clicks, DASH, 2)
        early = [hit for hit in clicks if self._is_early(hit)]
        self.hurries = by_group(early, HURRY, 2)
        self.firsts = self._first(hits)
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
            if hit.address and (by_itself(hit) or self._burst(hit)):
                machines[hit.address, hit.agent].append(hit.at)
                if is_trapped(hit):
                    trapped[hit.address, hit.agent].append(hit.at)
        return machines, trapped

    def judge(self, hit: Hit) -> _Finding:
        if reason := by_itself(hit):
            return _Finding(Verdict.MACHINE, CERTAIN, (reason,))
        if reason := self._burst(hit) or self._company(hit):
            return _Finding(Verdict.MACHINE, MUCH, (reason,))
        if reason := self._ahead_of_people(hit):
            return _Finding(Verdict.PRIVACY, CERTAIN, (reason,))
        doubts = self._doubts(hit)
        points = sum(doubt.points for doubt in doubts)
        reasons = tuple(doubt.reason for doubt in doubts)
        if points >= MACHINE_AT:
            return _Finding(Verdict.MACHINE, points, reasons, weighed=True)
        if points >= UNKNOWN_AT:
            return _Finding(Verdict.UNKNOWN, points, reasons)
        return _Finding(Verdict.HUMAN, points, (_in_favour(hit), *reasons))

    def _doubts(self, hit: Hit) -> list[Doubt]:
        doubts = [*self._timing(hit), *self._neighbours(hit), *self._manners(hit), *self._origin(hit)]
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
            return _near(machine)
        return None

    def _ahead_of_people(self, hit: Hit) -> str | None:
        """Say which proxy fetched a picture that nobody has looked at yet."""
        if BY_PROXY in hit.headers:
            return "the provider that tracked it calls it a mail proxy's"
        agent = recognise(hit.agent)
        if agent.kind is Kind.PREFETCH:
            return agent.name
        owner = self.known.ranges.find(hit.address)
        if hit.kind != "open" or owner is None or owner.kind is not RangeKind.RELAY:
            return None
        return f"address of {owner.name}'s relay" if agent.kind in {Kind.EMPTY, Kind.OTHER} else None

    def _is_look(self, hit: Hit) -> bool:
        """Whether a picture was fetched by what shows it to a person."""
        shows = hit.kind == "open" and recognise(hit.agent).kind in SHOWS_TO_PEOPLE
        return shows and not self._is_early(hit) and not by_itself(hit) and not self._company(hit)

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
        after, first = hit.at - self.sent_at, self.firsts.get((hit.address, hit.agent))
        if after < timedelta(0):
            yield Doubt(WEAK, "came before the sending was confirmed")
        elif after >= SOON and first is not None:
            yield Doubt(WEAK, f"same address and agent as what came {seconds(first)} after sending")
        else:
            yield Doubt(WEAK if after < SOON else FAINT, f"came {seconds(after)} after sending")

    def _first(self, hits: Sequence[Hit]) -> dict[tuple[str, str], timedelta]:
        """How soon after the sending each address and agent was there that was too soon for a person."""
        found: dict[tuple[str, str], timedelta] = {}
        for hit in hits:
            if hit.address and self.sent_at is not None and (after := hit.at - self.sent_at) < SOON:
                known = found.get((hit.address, hit.agent), SOON)
                found[hit.address, hit.agent] = max(timedelta(0), min(after, known))
        return found

    def _manners(self, hit: Hit) -> Iterable[Doubt]:
        return manners(hit, secure=self.known.secure)

    def _neighbours(self, hit: Hit) -> Iterable[Doubt]:
        if hit.kind not in _FOLLOWED:
            return
        if window := containing(self.everywhere, hit.at):
            yield Doubt(WEAK, in_words(window) + ", from several places")
        hurried = any(containing(self.hurries.get(group, []), hit.at) for group in groups_of(hit))
        if any(containing(self.dashes.get(group, []), hit.at) for group in groups_of(hit)):
            yield Doubt(STRONG if hurried else WEAK, "two links in less than a second")
        elif hurried:
            yield Doubt(WEAK, f"two links within {seconds(HURRY)} of the first minute")
        if window := containing(self.pairs, hit.at):
            yield Doubt(WEAK, in_words(window) + ", which are all there are")

    def _origin(self, hit: Hit) -> Iterable[Doubt]:
        near = network(hit.address) if hit.address else ""
        others = self.known.swept.get(near, 0)
        if others and near not in self.screens and recognise(hit.agent).kind is not Kind.IMAGE_PROXY:
            mails = f"mails to {others} others" if others > 1 else "a mail to somebody else"
            points = STRONG if others > 1 else WEAK
            yield Doubt(points, f"all links of {mails} were followed from its network")
        owner = self.known.ranges.find(hit.address) if hit.address else None
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
            if network(twin.address) == here or by_itself(twin):
                continue
            plain, after = self._plain_points(twin), twin.at - hit.at
            checked = plain <= points and after < -LET_THROUGH and here not in self.screens
            if plain < min(points, UNKNOWN_AT) or checked:
                return Doubt(WEAK, f"the same link was followed from elsewhere within {seconds(ECHO)}")
            if plain <= points and timedelta(0) < after <= LET_THROUGH and here not in self.screens:
                return Doubt(MACHINE_AT, f"somebody else followed the same link {seconds(after)} later")
        return None

    def _plain_points(self, hit: Hit) -> int:
        return sum(doubt.points for doubt in (*self._timing(hit), *self._manners(hit), *self._origin(hit)))


_Times = defaultdict[tuple[str, str], list[datetime]]


def _near(apart: timedelta) -> str:
    return f"same address and agent as a machine's request {seconds(apart)} apart"


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


def _in_favour(hit: Hit) -> str:
    agent = recognise(hit.agent)
    if agent.kind is Kind.IMAGE_PROXY:
        return f"{agent.name}, which fetches when a person looks"
    return f"asked by {agent.name}, and nothing speaks against a person"
