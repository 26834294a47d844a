"""What a returned mail can say: its kinds, the classes of failure, and what is told of each recipient."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ReturnKind(StrEnum):
    """What a returned mail is."""

    BOUNCE = "bounce"  #: at least one recipient was not reached
    DELAY = "delay"  #: the receiving side is still trying
    RECEIPT = "receipt"  #: a notice of success, or that it was displayed
    COMPLAINT = "complaint"  #: a feedback report: somebody called it spam, or wants to be left alone
    AUTO_REPLY = "auto-reply"  #: a robot answers: on holiday, no longer here
    CHALLENGE = "challenge"  #: a robot wants proof that the sender is a person
    REPLY = "reply"  #: a person wrote
    OTHER = "other"  #: none of these


class BounceClass(StrEnum):
    """Why a mail came back, by what follows from it."""

    HARD_ADDRESS = "hard.address"  #: there is no such mailbox
    HARD_DOMAIN = "hard.domain"  #: the domain does not exist, or takes no mail
    INACTIVE = "inactive"  #: there is a mailbox, and it is switched off
    FULL = "full"  #: the mailbox, or its server's disk, is full
    TRANSIENT = "transient"  #: it may work another time
    REFUSED = "refused"  #: the recipient's own filter, or a dead address that is not called so
    BLOCK_REPUTATION = "block.reputation"  #: our address, domain or pace is not liked
    BLOCK_AUTH = "block.auth"  #: our sender could not be authenticated
    BLOCK_CONTENT = "block.content"  #: what we wrote is not liked
    BLOCK_POLICY = "block.policy"  #: a rule of theirs, not told which
    SIZE = "size"  #: larger than they take
    PROTOCOL = "protocol"  #: they did not understand us, or we them
    LISTED = "listed"  #: our provider has the address on a list of its own, and did not try
    UNKNOWN = "unknown"  #: nothing tells why


#: Says of an address that it is dead, at once; all others need time, or are no fault of the address.
HARD = frozenset({BounceClass.HARD_ADDRESS, BounceClass.HARD_DOMAIN})
#: About us, not about the address.
OURS = frozenset(
    {
        BounceClass.BLOCK_REPUTATION,
        BounceClass.BLOCK_AUTH,
        BounceClass.BLOCK_CONTENT,
        BounceClass.BLOCK_POLICY,
        BounceClass.SIZE,
        BounceClass.PROTOCOL,
    }
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one failure, before it is judged."""

    status: str | None  #: RFC 3463 code of the notice
    reply: str | None  #: SMTP reply code
    diagnostic: str  #: what the other server said
    around: str = ""  #: prose near the address
    after_data: bool = False  #: refused when the whole mail had been handed over


@dataclass(frozen=True, slots=True)
class Finding:
    """A class with the rule that decided."""

    kind: BounceClass
    rule: str


@dataclass(frozen=True, slots=True)
class ReturnedRecipient:
    """One recipient's part of a returned mail."""

    address: str
    action: str  #: failed, delayed, delivered, relayed, expanded, or as it was written
    status: str | None  #: RFC 3463 code
    diagnostic: str
    finding: Finding | None  #: None: it did not fail
    reply: str | None = None  #: SMTP reply code

    @property
    def hard(self) -> bool | None:
        """The address is dead (True), the failure may pass (False), or there is no failure (None)."""
        failed = self.action == "failed" and self.finding is not None
        return self.finding.kind in HARD if failed and self.finding else None


@dataclass(frozen=True, slots=True)
class Returned:
    """What a returned mail says. Believe it only about an address that was mailed."""

    kind: ReturnKind
    rule: str  #: what made it this kind
    addressed_to: tuple[str, ...]  #: where it arrived, and our return path: one of them carries the token
    envelope_id: str | None  #: our ENVID, where it was kept
    message_id: str | None  #: of our mail, where its headers came along
    recipients: tuple[ReturnedRecipient, ...] = ()
    feedback: str | None = None  #: a complaint's type: abuse, fraud, opt-out …
    subject: str = ""
    sender: str = ""  #: the address in From
    references: tuple[str, ...] = ()  #: message ids that it answers
    own_id: str | None = None  #: its own Message-ID
    written: datetime | None = None  #: when, by its own word
    words: str = ""  #: what a person or robot wrote, without what it quotes; cut
