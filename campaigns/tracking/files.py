"""Hits in a file, one JSON object a line: read with every problem told, judged without a store."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from campaigns.tracking import crowds
from campaigns.tracking.crowds import Sighting
from campaigns.tracking.manners import UNTOLD
from campaigns.tracking.ranges import NONE, Ranges
from campaigns.tracking.sweepers import networks_of, of_others
from campaigns.tracking.verdicts import judge
from campaigns.values import Hit, Judgement, Problem, Verdict

KINDS = ("open", "click", "view", "score")
TRUTHS = tuple(verdict.value for verdict in Verdict if verdict is not Verdict.UNKNOWN)
LONGEST = 64 * 1024  #: of a line
SENT = datetime(2026, 1, 1, tzinfo=UTC)  #: where a line tells seconds since the sending, and no moment


#: Names that other programs give the same.
_OTHER_NAMES: Mapping[str, str] = {"user_agent": "agent", "ip": "address", "time": "at"}


class Line(NamedTuple):
    """One hit with what is known of its message."""

    number: int  #: of the line, from 1
    hit: Hit
    message: str
    sent_at: datetime | None
    links: int
    confirmed: bool
    domain: str  #: the recipient's; empty: not told
    secure: bool  #: whether the links are https
    truth: Verdict | None  #: who it was, where that is known
    scenario: str


def read_lines(lines: Iterable[str]) -> tuple[list[Line], list[Problem]]:
    """Read a file's lines; those that do not hold are left out and told."""
    found: list[Line] = []
    problems: list[Problem] = []
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        reading = _Reading(number, text)
        line = reading.line()
        if line is None:
            problems += reading.problems
        else:
            found.append(line)
    return found, problems


class _Reading:
    """One line on its way."""

    def __init__(self, number: int, text: str) -> None:
        self.number, self.problems = number, list[Problem]()
        self.given: Mapping[str, Any] = {}
        try:
            given = json.loads(text) if len(text) <= LONGEST else None
        except (ValueError, RecursionError) as error:
            self._wrong(f"cannot be read: {error}.", "Write one JSON object a line.")
            return
        if isinstance(given, dict):
            self.given = {_OTHER_NAMES.get(str(name), str(name)): value for name, value in given.items()}
        else:
            long = len(text) > LONGEST
            told = f"is longer than {LONGEST} characters." if long else "is no JSON object."
            self._wrong(told, "Write one JSON object a line.")

    def line(self) -> Line | None:
        if self.problems:
            return None
        sent_at = self._moment("sent_at")
        at = self._at(sent_at)
        sent_at = SENT if sent_at is None and "t" in self.given else sent_at
        kind, method = self._word("kind", KINDS), self._text("method", "GET")
        link = self._link(kind)
        truth = self._word("truth", TRUTHS) if "truth" in self.given else None
        message, domain = self._text("message", "1"), self._text("to", "").rpartition("@")[2].lower()
        hit = Hit(
            at or SENT, kind, 1, 1, 1, link, method[:8], self._text("agent", ""), self._text("address", ""),
            self._headers(), self.number,
        )  # fmt: skip
        links, confirmed = self._number("links", 0), self._flag("confirmed", usual=False)
        secure = self._flag("https", usual=True)
        if self.problems:
            return None
        known = None if truth is None else Verdict(truth)
        return Line(
            self.number, hit, message, sent_at, links, confirmed, domain, secure, known,
            self._text("scenario", ""),
        )  # fmt: skip

    def _wrong(self, what: str, cure: str = "") -> None:
        self.problems.append(Problem(f"line {self.number}", what, cure))

    def _at(self, sent_at: datetime | None) -> datetime | None:
        if "t" not in self.given:
            if "at" not in self.given:
                self._wrong("says neither at nor t.", "Give a moment, or seconds since the sending.")
            return self._moment("at")
        seconds = self.given["t"]
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not abs(seconds) < 1e9:
            self._wrong(f"t is {str(seconds)[:40]!r}, not a number of seconds.")
            return None
        return (sent_at or SENT) + timedelta(seconds=seconds)

    def _moment(self, name: str) -> datetime | None:
        if (given := self.given.get(name)) is None:
            return None
        try:
            moment = datetime.fromisoformat(given)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
            self._wrong(f"{name} has no time zone.", "Add Z, or +01:00.")
        except (ValueError, TypeError, OverflowError):
            self._wrong(f"{name} is {str(given)[:40]!r}, no moment.", "Write it as 2026-11-22T09:00:00Z.")
        return None

    def _word(self, name: str, words: Sequence[str]) -> str:
        given = self.given.get(name)
        if given not in words:
            self._wrong(f"{name} is {str(given)[:40]!r}, not one of {', '.join(words)}.")
        return str(given)

    def _text(self, name: str, usual: str) -> str:
        given = self.given.get(name, usual)
        if not isinstance(given, str):
            self._wrong(f"{name} is {str(given)[:40]!r}, not a text.")
            return usual
        return given

    def _number(self, name: str, usual: int) -> int:
        given = self.given.get(name, usual)
        if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given < 100_000:
            self._wrong(f"{name} is {str(given)[:40]!r}, not a whole number.")
            return usual
        return given

    def _flag(self, name: str, *, usual: bool) -> bool:
        given = self.given.get(name, usual)
        if not isinstance(given, bool):
            self._wrong(f"{name} is {str(given)[:40]!r}, neither true nor false.")
            return usual
        return given

    def _link(self, kind: str) -> int | None:
        if self.given.get("link") is None:
            if kind in {"click", "score"}:
                self._wrong(
                    f"a {kind} without a link.", "Give the number of the link, or the score, in link."
                )
            return None
        return self._number("link", 0)

    def _headers(self) -> tuple[str, ...]:
        given = self.given.get("headers", [UNTOLD])
        if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
            self._wrong(f"headers is {str(given)[:40]!r}, not a list of names.")
            return ()
        return tuple(name.lower() for name in given)


def judge_lines(
    lines: Sequence[Line], *, ranges: Ranges = NONE, is_shared: Callable[[str], bool] = lambda _domain: False
) -> list[Judgement]:
    """Judge a file's hits, those of one message together; in the order given.

    `is_shared` says of a domain that its people share addresses by chance (a large mail provider's).
    """
    numbers: dict[str, int] = {}
    for line in lines:
        numbers.setdefault(line.message, len(numbers))
    sightings = [
        Sighting(line.number, (1, numbers[line.message]), line.domain, line.hit.address, line.hit.at)
        for line in lines
        if line.domain
        and not is_shared(line.domain)
        and crowds.counts(line.hit.kind, line.hit.agent, line.hit.address)
    ]
    known = crowds.others(sightings)
    messages: defaultdict[str, list[Line]] = defaultdict(list)
    for line in lines:
        messages[line.message].append(line._replace(hit=replace(line.hit, crowd=known.get(line.number, 0))))
    scenes = [_Scene(message, is_shared, ranges) for message in messages.values()]
    houses: defaultdict[str, set[str]] = defaultdict(set)
    for scene in scenes:
        for near in scene.swept():
            houses[near].add(scene.house)
    found = {number: judgement for scene in scenes for number, judgement in scene.judge(houses).items()}
    return [found[line.number] for line in lines]


class _Scene:
    """A message of a file, with its hits."""

    def __init__(self, lines: Sequence[Line], is_shared: Callable[[str], bool], ranges: Ranges) -> None:
        self.lines, self.ranges = lines, ranges
        self.hits = [line.hit for line in lines]
        domain = next((line.domain for line in lines if line.domain), "")
        self.house = domain if domain and not is_shared(domain) else f"mail {lines[0].message}"
        self.alone = self._judge({})

    def swept(self) -> set[str]:
        return networks_of(self.hits, [judgement.verdict for judgement in self.alone])

    def judge(self, houses: Mapping[str, set[str]]) -> dict[int, Judgement]:
        swept = of_others(houses, self.house, self.hits)
        judgements = self._judge(swept) if swept else self.alone
        return {hit.id: judgement for hit, judgement in zip(self.hits, judgements, strict=True)}

    def _judge(self, swept: Mapping[str, int]) -> list[Judgement]:
        return judge(
            self.hits,
            sent_at=next((line.sent_at for line in self.lines if line.sent_at), None),
            link_count=max(line.links for line in self.lines),
            confirmed=any(line.confirmed for line in self.lines),
            ranges=self.ranges,
            swept=swept,
            secure=all(line.secure for line in self.lines),
        )
