"""What a report is made of: numbers with their names."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from campaigns.records.campaigns import LogLine, Run
from campaigns.records.reports.survey import SurveySummary
from campaigns.surveys.scoring import Share, share
from campaigns.tracking.instrument import SURVEY_PAGE
from campaigns.values import Gate, Verdict

SCORES = -3  #: stands among the numbers of links for all scores in a mail


@dataclass(frozen=True, slots=True)
class ByVerdict:
    """Contacts, each counted once, under the most human of their hits."""

    human: int = 0
    unknown: int = 0
    privacy: int = 0
    machine: int = 0

    @property
    def total(self) -> int:
        """All of them, whoever it was."""
        return self.human + self.unknown + self.privacy + self.machine

    def with_others(self, others: "ByVerdict") -> "ByVerdict":
        """Count some contacts more, none of whom was counted."""
        return ByVerdict(
            self.human + others.human,
            self.unknown + others.unknown,
            self.privacy + others.privacy,
            self.machine + others.machine,
        )


@dataclass(frozen=True, slots=True)
class GateCount:
    """How many contacts a gate kept without mail."""

    gate: Gate
    at_freeze: int
    later: int  #: stopped when their turn came, or by a recall


@dataclass(frozen=True, slots=True)
class Ledger:
    """A run's messages by state."""

    audience: int = 0
    waiting: int = 0
    sent: int = 0
    failed: int = 0
    unknown: int = 0
    gates: tuple[GateCount, ...] = ()

    @property
    def skipped(self) -> int:
        """Contacts of the segment that a gate kept without mail."""
        return sum(one.at_freeze + one.later for one in self.gates)


@dataclass(frozen=True, slots=True)
class LinkLine:
    """One link of the mail, in all its languages, and who followed it."""

    numbers: tuple[int, ...]  #: one of each language
    languages: tuple[str, ...]  #: none: of links to offered products, which all languages share
    url: str  #: "": it leads to the survey
    place: int  #: which of the links to the same address, from 1; 0: there is but one
    clicked: ByVerdict
    share: Share  #: of the people who clicked anything
    unnamed: int  #: clicks counted without a name

    @property
    def number(self) -> int:
        """The first of its numbers."""
        return self.numbers[0]

    @property
    def is_survey(self) -> bool:
        """Whether it leads to the survey."""
        return self.number in (SURVEY_PAGE, SCORES)

    @property
    def is_score(self) -> bool:
        """Whether it stands for the scores in the mail."""
        return self.number == SCORES


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour after the start: contacts whose first hit of this sort fell into it."""

    opened: int = 0
    clicked: int = 0
    machines: int = 0  #: opens and clicks by machines and mail proxies


@dataclass(frozen=True, slots=True)
class DomainLine:
    """One receiving domain; "" stands for all that are not listed by themselves."""

    domain: str
    mailed: int
    sent: int
    failed: int
    unknown: int
    bounced: int


@dataclass(frozen=True, slots=True)
class ApartLine:
    """Hits of one kind, each judged by itself."""

    others: int  #: that no program gave itself away by; people's, mostly
    programs: int  #: machines and mail proxies


@dataclass(frozen=True, slots=True)
class Apart:
    """Hits of contacts who are counted without a name; they are in no rate and no list."""

    opened: ApartLine
    clicked: ApartLine
    viewed: ApartLine
    links: Mapping[int, int]  #: clicks by the link's number, those of programs left out

    @property
    def any(self) -> bool:
        """Whether there are any."""
        lines = (self.opened, self.clicked, self.viewed)
        return any(line.others or line.programs for line in lines)


@dataclass(frozen=True, slots=True)
class ReasonLine:
    """Why hits were not taken for a person's, and how many."""

    verdict: Verdict
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Average:
    """What earlier runs of other campaigns came to, each run weighing the same."""

    runs: int
    click_rate: float


@dataclass(frozen=True, slots=True)
class RunReport:
    """Everything that a report's page says of one run."""

    run: Run
    campaign: str
    ledger: Ledger
    bounced: int
    bounced_hard: int  #: of them, those whose address is dead
    blocked: int  #: of them, those that were refused for what we are or wrote: no fault of the contacts'
    delivered: int
    opened: ByVerdict
    clicked: ByVerdict
    viewed: ByVerdict
    complained: int
    unsubscribed: int  #: contacts who left a topic by their message, and did not take it back
    replied: int
    open_rate: Share
    click_rate: Share
    bounce_rate: Share
    complaint_rate: Share
    unsubscribe_rate: Share
    answer_rate: Share | None  #: None: it invites to no survey
    average: Average | None  #: None: there is no earlier run to compare with
    hours: tuple[Hour, ...]
    links: tuple[LinkLine, ...]
    apart: Apart
    domains: tuple[DomainLine, ...]
    survey: SurveySummary | None
    log: tuple[LogLine, ...]
    at: datetime


def rate(count: int, of: int) -> Share:
    """Put a count over its base; a message in doubt may have arrived, so the count can pass the base."""
    return share(min(count, of), of)
