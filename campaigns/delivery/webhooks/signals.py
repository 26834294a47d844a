"""What a provider says happened to one message: a signal, every text in it foreign, plain and cut."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from campaigns.delivery.returns import BounceClass
from campaigns.values import Verdict


class SignalKind(StrEnum):
    """What a provider can say; its own word stands beside it."""

    ACCEPTED = "accepted"  #: the provider took the mail; the receiving side has not
    DELIVERED = "delivered"  #: the receiving side took it
    DELAYED = "delayed"  #: the provider is still trying
    BOUNCED = "bounced"  #: it will not be delivered, whoever refused it
    COMPLAINED = "complained"  #: reported as spam
    UNSUBSCRIBED = "unsubscribed"  #: left by a link or header of the provider's
    OPENED = "opened"  #: the provider's pixel was fetched
    CLICKED = "clicked"  #: the provider's link was followed
    AUTO_REPLIED = "auto-replied"  #: a robot wrote back
    UNKNOWN = "unknown"  #: a word that this reader does not know, or that is about no mail


@dataclass(frozen=True, slots=True)
class Signal:
    """One event as a provider tells it. Believe it only by our token among the references."""

    kind: SignalKind
    id: str  #: the provider's own id of the event, or what makes it the same event
    at: datetime | None = None  #: None: not told, or not readable
    references: tuple[str, ...] = ()  #: texts in which our token may stand, the surest first
    recipient: str = ""
    said: str = ""  #: what the other server, or the provider, said
    status: str | None = None  #: RFC 3463 code
    reply: str | None = None  #: SMTP reply code
    word: str = ""  #: the provider's own word: "Bounce/Permanent/NoEmail"
    hint: BounceClass | None = None  #: what that word says of why it failed; None: nothing certain
    doer: Verdict | None = None  #: who opened or clicked, where the provider judges that: a machine, a proxy
    url: str = ""
    agent: str = ""
    address: str = ""  #: IP address of who opened or clicked
