"""What all messages of a run have in common, but for what they say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from campaigns.delivery.compose import Letter
from campaigns.mailing.signing import Signing
from campaigns.records.names import Common
from campaigns.surveys.form import Form
from campaigns.tracking.tokens import Purpose
from campaigns.values import Attachment, Content, MessageKey, TopicClass


@dataclass(frozen=True, slots=True)
class Topic:
    """What of a topic stands in a mail's headers."""

    key: str
    name: str
    topic_class: TopicClass


class Addressing(NamedTuple):
    """Whom a mail goes to, with the tokens in its headers."""

    seq: int
    address: str
    returning: str
    unsubscribe: str


@dataclass(frozen=True, kw_only=True)
class Basis:
    """Whose mail it is, from whom, about what, and how its addresses are signed."""

    run: int
    campaign: int
    topic: Topic
    shared: Common
    signing: Signing
    form: Form | None = None
    numbered: Mapping[str, int] = field(default_factory=dict)  #: pages of products, by their link's number
    headers: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Attachment, ...] = ()  #: go with every mail

    def addressing(self, seq: int, contact: int, address: str) -> Addressing:
        """Sign what a message's headers carry."""
        sign = self.signing.keyring.sign
        return Addressing(
            seq,
            address,
            sign(Purpose.RETURN, self.run, seq, contact),
            sign(Purpose.UNSUBSCRIBE, self.run, seq, contact),
        )

    def letter(
        self, whom: Addressing, to_name: str, content: Content, language: str, now: datetime
    ) -> Letter:
        """Everything that a mail to somebody is made of."""
        sender, leavable = self.shared.sender, self.topic.topic_class is not TopicClass.TRANSACTIONAL
        domain = sender.address.rpartition("@")[2]
        leaving = f"unsub+{whom.returning}@{sender.bounce_domain}?subject=unsubscribe"
        return Letter(
            key=MessageKey(self.run, whom.seq),
            sender=sender,
            to_name=to_name,
            to_address=whom.address,
            content=content,
            at=now,
            message_id=whom.returning,
            return_path=f"b+{whom.returning}@{sender.bounce_domain}",
            language=language,
            list_id=(self.topic.name, f"{self.topic.key}.{domain}") if leavable else None,
            unsubscribe_url=f"{self.signing.public_url}/u/{whom.unsubscribe}" if leavable else None,
            unsubscribe_mailto=leaving if leavable else None,
            feedback_id=(
                f"c{self.campaign}",
                f"r{self.run}",
                self.topic.topic_class.value,
                domain.replace(".", "-"),
            ),
            extra=self.headers,
        )
