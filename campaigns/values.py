"""Frozen values that more than one room speaks of; no behaviour beyond their own meaning.

Words are those of docs/GLOSSARY.md. Every member of an enum says what it means.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, NewType

ContactId = NewType("ContactId", int)
CustomerId = NewType("CustomerId", int)
CampaignId = NewType("CampaignId", int)
RunId = NewType("RunId", int)
EventId = NewType("EventId", int)


class MessageKey(NamedTuple):
    """Names one message of the ledger: the run, and the place within it (from 1, without gaps)."""

    run: int
    seq: int


class TopicClass(StrEnum):
    """What a topic is for; only marketing needs a consent before the first mail."""

    MARKETING = "marketing"  #: promotion; needs a granted consent, stops at a complaint
    SERVICE = "service"  #: about something the customer has; goes unless withdrawn
    TRANSACTIONAL = "transactional"  #: asked for by the customer's own act; goes unless suppressed


class ConsentState(StrEnum):
    """What a contact said about a topic, last."""

    GRANTED = "granted"  #: a yes, with proof
    PENDING = "pending"  #: asked for, not yet confirmed by the contact
    WITHDRAWN = "withdrawn"  #: a no


class CampaignState(StrEnum):
    """Where a campaign stands."""

    DRAFT = "draft"  #: being written; sends nothing
    SCHEDULED = "scheduled"  #: will open a run when due
    RUNNING = "running"  #: a run is open
    PAUSED = "paused"  #: a person stopped it; it can go on
    FINISHED = "finished"  #: every message has its outcome
    CANCELLED = "cancelled"  #: a person ended it; what was not sent never will be
    DOUBTS = "finished with doubts"  #: ended, with messages whose fate is unknown


class RunState(StrEnum):
    """Where one execution of a campaign stands."""

    OPEN = "open"  #: claimed by a scheduler; the audience is not frozen yet
    RUNNING = "running"  #: frozen; messages are going out
    PAUSED = "paused"  #: nothing is claimed until it is resumed
    FINISHED = "finished"  #: every message has its outcome
    CANCELLED = "cancelled"  #: ended by a person; the rest is skipped
    DOUBTS = "finished with doubts"  #: ended, with unknown messages


class MessageState(StrEnum):
    """What became of one message; delivered, opened and the like are events, not states."""

    QUEUED = "queued"  #: waits to be claimed
    SENDING = "sending"  #: claimed; may be on the wire
    SENT = "sent"  #: the backend took responsibility for it
    FAILED = "failed"  #: refused for good
    SKIPPED = "skipped"  #: a gate stopped it
    UNKNOWN = "unknown"  #: handed to the wire with no answer; never re-sent on its own


class Gate(StrEnum):
    """Why a message was skipped; the first that applies, in this order, is kept."""

    NO_ADDRESS = "no address"  #: the contact has no mail address
    ERASED = "erased"  #: the contact asked to be forgotten
    SUPPRESSED = "suppressed"  #: the address is never to be mailed
    DEAD_DOMAIN = "domain takes no mail"  #: by the DNS there is no such domain, or it refuses all mail
    NO_CONSENT = "no consent"  #: no yes to this topic, or a no, be it another contact's at the same address
    REPLIED = "replied"  #: a person wrote back to an earlier mail of this campaign, which was to end it
    COMPLAINT_OPEN = "complaint open"  #: the customer has an open complaint
    HELD = "held by rep"  #: a rep or a service agent asked marketing to wait
    FREQUENCY_CAP = "frequency cap"  #: had enough mail of this kind lately
    DUPLICATE_ADDRESS = "duplicate address"  #: another contact of this run has the same address
    HOLD_OUT = "hold-out"  #: kept without mail, by chance, to measure against
    RENDER_ERROR = "render error"  #: the template failed for this contact
    RECALLED = "recalled"  #: the run was cancelled before this message went
    EXPIRED = "expired"  #: the campaign's time was over before it could be sent


class OutcomeKind(StrEnum):
    """How one attempt to send ended."""

    SENT = "sent"  #: accepted
    DEFERRED = "deferred"  #: refused for now; may be tried again
    FAILED = "failed"  #: refused for good
    UNKNOWN = "unknown"  #: no answer after it may have been handed over


@dataclass(frozen=True, slots=True)
class Outcome:
    """The backend's word on one message."""

    kind: OutcomeKind
    code: int | None = None  #: SMTP reply code or HTTP status
    enhanced: str | None = None  #: RFC 3463 code, "5.1.1"
    text: str = ""  #: what the other side said, cut to 500 characters


class Verdict(StrEnum):
    """Who did what an event tells of."""

    HUMAN = "human"  #: a person, by what we know
    MACHINE = "machine"  #: a scanner or robot
    PRIVACY = "privacy"  #: a mail proxy's prefetch; says nothing of a person
    UNKNOWN = "unknown"  #: nothing speaks for either


class Tracking(StrEnum):
    """How much of what a contact does with our mails is kept."""

    INDIVIDUAL = "individual"  #: opens and clicks stand in the contact's own history
    AGGREGATE = "aggregate"  #: only counted, by run and link; nobody can tell whose they were
    OFF = "off"  #: no pixel and plain links


class EventKind(StrEnum):
    """What happened to a contact or customer."""

    SENT = "sent"  #: a message was taken by the backend
    FAILED = "failed"  #: a message was refused for good
    UNKNOWN = "unknown"  #: a message has no answer
    DOUBT_SETTLED = "doubt settled"  #: a person or a proof told what became of a message in doubt
    DELIVERED = "delivered"  #: the receiving side said so
    OPENED = "opened"  #: the pixel was fetched
    CLICKED = "clicked"  #: a link was followed
    VIEWED = "viewed"  #: the message was opened in a browser
    BOUNCED = "bounced"  #: came back after it had been taken
    COMPLAINED = "complained"  #: reported as spam
    DELAYED = "delayed"  #: a server on the way is still trying
    REPLIED = "replied"  #: a person wrote back
    AUTO_REPLIED = "auto-replied"  #: a robot wrote back: away, gone, or asking for proof
    UNSUBSCRIBED = "unsubscribed"  #: left a topic by a message's link
    CONSENT_GRANTED = "consent granted"  #: said yes to a topic
    CONSENT_WITHDRAWN = "consent withdrawn"  #: said no to a topic
    SUPPRESSED = "suppressed"  #: the address was put on the never-mail list
    SUPPRESSION_LIFTED = "suppression lifted"  #: a person of ours took the address off that list
    ANSWERED = "answered"  #: posted a survey
    SCORE_CLICKED = "score clicked"  #: clicked an answer in a mail; provisional
    IMPORTED = "imported"  #: came in, or changed, by an import
    ORDERED = "ordered"  #: bought something
    ORDER_CANCELLED = "order cancelled"  #: an order was cancelled
    ORDER_RETURNED = "order returned"  #: an order came back
    CASE_OPENED = "case opened"  #: service opened a case
    CASE_CLOSED = "case closed"  #: service closed a case
    TASK_CREATED = "task created"  #: a work item for a rep
    TASK_DONE = "task done"  #: a rep did it
    HELD = "held"  #: a rep or a service agent asked marketing to wait
    NOTE = "note"  #: a person of ours wrote something down
    ERASED = "erased"  #: the contact was forgotten on their own wish
    OWNER_CHANGED = "owner changed"  #: another rep looks after the customer, or nobody


#: What may be said of a topic, and what the ledger calls it; of an import's words the ledger alone tells.
WORDS = {
    EventKind.CONSENT_GRANTED: ConsentState.GRANTED,
    EventKind.CONSENT_WITHDRAWN: ConsentState.WITHDRAWN,
}


class BodyKind(StrEnum):
    """What a template's body is written in."""

    MJML = "mjml"  #: compiled by the reference MJML compiler
    HTML = "html"  #: pasted or uploaded; its CSS is inlined
    TEXT = "text"  #: a plain letter, no HTML part


@dataclass(frozen=True, slots=True)
class Source:
    """One language of a template, as a marketer wrote it: Jinja in every field."""

    kind: BodyKind
    subject: str
    body: str
    preheader: str = ""
    text: str = ""  #: a written text part; made from the HTML where empty
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A Source with MJML and CSS done: Jinja sources, ready to be rendered for each recipient."""

    subject: str
    html: str | None  #: None for a plain letter
    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a mail."""

    name: str
    media_type: str  #: "image/png"
    data: bytes
    content_id: str | None = None  #: of a picture within the mail, which shows it as cid:CONTENT_ID


@dataclass(frozen=True, slots=True)
class Content:
    """What one recipient reads."""

    subject: str
    html: str | None
    text: str
    files: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A destination of a message, stored by number so that no URL travels in a URL."""

    number: int
    url: str


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a mail is from."""

    name: str
    address: str  #: its domain is the sending domain
    bounce_domain: str  #: where returned mail goes; under the same organisation
    reply_to: str | None = None
    postal_address: str = ""


#: The account of an installation that names none.
MAIN = "main"


class AccountState(StrEnum):
    """How an account at a way out is, as far as senders have found out."""

    OPEN = "open"  #: takes mail, or nobody has tried
    RESTING = "resting"  #: works, and asked to be left alone for a while
    BROKEN = "broken"  #: failed, and nothing went out since


@dataclass(frozen=True, slots=True)
class Account:
    """One account at a way out, as the installation names it."""

    name: str  #: of this installation: "main", "ses-eu"
    kind: str  #: which backend: "smtp", "ses", "postmark", ...
    options: Mapping[str, str] = field(default_factory=dict, repr=False)  #: address, keys …
    rate: float | None = None  #: messages a second, all senders together; None: no limit


class Outgoing(NamedTuple):
    """One mail, ready for a backend."""

    key: MessageKey
    mail_from: str  #: envelope sender, carries the return token
    rcpt_to: str  #: envelope recipient, ASCII domain
    data: bytes  #: headers and body, CRLF lines, not dot-stuffed
    smtputf8: bool = False
    dotless: bool = False  #: known to have no line that begins with a dot


@dataclass(frozen=True, slots=True)
class Hit:
    """One request for a tracked address, raw: everything in it is hostile text."""

    at: datetime
    kind: str  #: "open", "click", "view", or "score": an answer clicked in the mail
    run: int
    seq: int
    contact: int
    link: int | None  #: of a score its value
    method: str
    agent: str
    address: str  #: the client's IP address
    headers: tuple[str, ...] = ()  #: the names of headers that people's browsers send, lower case
    id: int = 0  #: row id, once stored
    crowd: int = 0  #: other recipients of the domain whose mails the same address followed within a minute


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with what led to it."""

    verdict: Verdict
    reasons: tuple[str, ...]
    version: int
    points: int = 0  #: what speaks against a person, weighed; docs/VERDICTS.md


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened, to be recorded once: the dedupe key makes a repeat harmless."""

    kind: EventKind
    at: datetime
    dedupe: str
    contact: int | None = None
    customer: int | None = None
    run: int | None = None
    seq: int | None = None
    source: str = ""
    verdict: Verdict = Verdict.UNKNOWN
    detail: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input: where, what, and what to do."""

    where: str  #: a path or a line, "body line 12", "all[1].value", "line 7, column email"
    what: str
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" {self.cure}" if self.cure else "")
