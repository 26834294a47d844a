"""Who may be mailed: every gate as one SQL expression.

Asked at the freeze, and again when a chunk is loaded: consent may have gone in between. Each gate looks one
contact up by index: a chunk of some hundred must not cost a pass over everybody's words, and PostgreSQL
would go through a list that is too large to be hashed once for every contact.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.consent import consents, suppressions, topics
from campaigns.model.customers import contacts, customers
from campaigns.model.events import events
from campaigns.model.mail import runs
from campaigns.model.service import cases
from campaigns.records import domains
from campaigns.records.campaigns import Campaign
from campaigns.values import ConsentState, EventKind, Gate, TopicClass

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `count` messages of marketing in `days` days."""

    count: int
    days: int


@dataclass(frozen=True, slots=True)
class Gates:
    """What decides for one run whether a contact may be mailed."""

    topic: int
    topic_class: TopicClass
    cap: Cap | None
    now: datetime
    #: Whether a contact's domain takes no mail; None: no such domain is known, and nobody is asked.
    dead_domain: sa.ColumnElement[bool] | None = field(default=None, compare=False)
    ends_at_reply: int | None = None  #: the campaign, if a person's reply ends it for them

    def stopping(self, others: sa.ColumnElement[bool] | None = None) -> sa.ColumnElement[str | None]:
        """The first gate that stops a contact, or null; needs `contacts` and `customers` in the query.

        With `others` (`left_at`, or `left_in`) the words of others at the address count too.
        """
        rules: list[tuple[sa.ColumnElement[bool], sa.ColumnElement[str]]] = [
            (contacts.c.erased_at.is_not(None), _name(Gate.ERASED)),
            (contacts.c.email.is_(None), _name(Gate.NO_ADDRESS)),
            (_suppressed(), _name(Gate.SUPPRESSED)),
            *([] if self.dead_domain is None else [(self.dead_domain, _name(Gate.DEAD_DOMAIN))]),
            *self._of_consent(others),
        ]
        if self.ends_at_reply is not None:
            rules.append((_replied(self.ends_at_reply), _name(Gate.REPLIED)))
        if self.topic_class is TopicClass.MARKETING:
            rules += self._of_marketing()
        return sa.case(*rules, else_=sa.null())

    def left_addresses(self) -> sa.Subquery:
        """The addresses at which a contact's newest word on the topic is a no, with its moment.

        For the freeze, which looks all up at once; for few people it would be dear (`left_at`).
        """
        word, newer = consents.alias("word"), consents.alias("newer")
        later = sa.or_(newer.c.at > word.c.at, sa.and_(newer.c.at == word.c.at, newer.c.id > word.c.id))
        mine = sa.and_(newer.c.topic_id == word.c.topic_id, newer.c.contact_id == word.c.contact_id)
        # the word itself, not a parameter: so the index of withdrawn words is seen to fit
        no = word.c.state == sa.literal_column(f"'{ConsentState.WITHDRAWN.value}'")
        return (
            sa.select(contacts.c.email, sa.func.max(word.c.at).label("at"))
            .join(contacts, contacts.c.id == word.c.contact_id)
            .where(word.c.topic_id == self.topic, no, contacts.c.email.is_not(None))
            .where(~sa.exists().where(mine, later))
            .group_by(contacts.c.email)
            .subquery("left_addresses")
        )

    def left_in(self, left: sa.FromClause) -> sa.ColumnElement[bool]:
        """Whether another's no at the address holds; needs `left_addresses`, as `left`, joined by it."""
        yes_after = sa.func.coalesce(_newest_word(self.topic, consents.c.at) > left.c.at, sa.false())
        return sa.and_(left.c.at.is_not(None), ~yes_after)

    def left_at(self, address: sa.ColumnElement[str | None]) -> sa.ColumnElement[bool]:
        """Whether another's no at the address holds, looked up for one contact by index."""
        other = contacts.alias("other")
        said, at = (_newest_word(self.topic, column, other) for column in (consents.c.state, consents.c.at))
        yes_after = sa.func.coalesce(_newest_word(self.topic, consents.c.at) > at, sa.false())
        here = sa.select(other.c.id).where(other.c.email == address, other.c.id != contacts.c.id)
        no = here.where(said == ConsentState.WITHDRAWN.value, ~yes_after)
        return no.correlate_except(other).exists()

    def _of_consent(
        self, others: sa.ColumnElement[bool] | None
    ) -> list[tuple[sa.ColumnElement[bool], sa.ColumnElement[str]]]:
        if self.topic_class is TopicClass.TRANSACTIONAL:
            return []
        said = sa.func.coalesce(_newest_word(self.topic, consents.c.state), "")
        no = said != ConsentState.GRANTED.value
        if self.topic_class is TopicClass.SERVICE:
            no = said == ConsentState.WITHDRAWN.value
        rules = [(no, _name(Gate.NO_CONSENT))]
        if others is not None:
            rules.append((others, _name(Gate.NO_CONSENT)))
        return rules

    def _of_marketing(self) -> list[tuple[sa.ColumnElement[bool], sa.ColumnElement[str]]]:
        rules: list[tuple[sa.ColumnElement[bool], sa.ColumnElement[str]]] = [
            (_complaining(), _name(Gate.COMPLAINT_OPEN)),
            (sa.func.coalesce(customers.c.hold_until > self.now, sa.false()), _name(Gate.HELD)),
        ]
        if self.cap is not None:
            rules.append((self._had(self.cap) >= self.cap.count, _name(Gate.FREQUENCY_CAP)))
        return rules

    def _had(self, cap: Cap) -> sa.ScalarSelect[int]:
        """How many messages of marketing a contact had lately."""
        return (
            sa.select(sa.func.count())
            .select_from(events)
            .join(runs, runs.c.id == events.c.run_id)
            .join(topics, topics.c.id == runs.c.topic_id)
            .where(
                events.c.kind == EventKind.SENT.value,
                events.c.at >= self.now - timedelta(days=cap.days),
                events.c.contact_id == contacts.c.id,
                topics.c.topic_class == TopicClass.MARKETING.value,
            )
            .correlate(contacts)
            .scalar_subquery()
        )


def of_campaign(session: Session, campaign: Campaign, topic: int, *, now: datetime) -> Gates:
    """The gates of a campaign, for a moment."""
    cap = None
    if campaign.cap_count is not None and campaign.cap_days is not None:
        cap = Cap(campaign.cap_count, campaign.cap_days)
    topic_class = session.execute(sa.select(topics.c.topic_class).where(topics.c.id == topic)).scalar_one()
    dead = domains.is_dead(session) if domains.any_dead(session) else None
    ended = campaign.id if campaign.until_reply else None
    return Gates(topic, TopicClass(topic_class), cap, now, dead_domain=dead, ends_at_reply=ended)


def _name(gate: Gate) -> sa.ColumnElement[str]:
    return sa.literal(gate.value, sa.String(30))


def _suppressed() -> sa.ColumnElement[bool]:
    here = sa.select(suppressions.c.id).where(
        suppressions.c.address_hash == contacts.c.email_hash, suppressions.c.lifted_at.is_(None)
    )
    return here.correlate(contacts).exists()


def _replied(campaign: int) -> sa.ColumnElement[bool]:
    """Whether a contact wrote back to a mail of a campaign; a test mail is answered by one of us."""
    theirs = sa.select(events.c.id).join(runs, runs.c.id == events.c.run_id)
    theirs = theirs.where(events.c.contact_id == contacts.c.id, events.c.kind == EventKind.REPLIED.value)
    here = theirs.where(runs.c.campaign_id == campaign, runs.c.kind == "campaign")
    return here.correlate(contacts).exists()


def _complaining() -> sa.ColumnElement[bool]:
    theirs = sa.select(cases.c.id).where(
        cases.c.customer_id == contacts.c.customer_id,
        cases.c.kind == "complaint",
        cases.c.closed_at.is_(None),
    )
    return theirs.correlate(contacts).exists()


def _newest_word(topic: int, column: sa.ColumnElement[T], of: sa.FromClause = contacts) -> sa.ScalarSelect[T]:
    """What the view consent_states says of one contact: of two words at one moment, the later entered."""
    c = consents.c
    words = sa.select(column).where(c.topic_id == topic, c.contact_id == of.c.id)
    newest = words.order_by(c.at.desc(), c.id.desc()).limit(1)
    return newest.correlate(of).scalar_subquery()
