"""Who may be mailed: every gate as one SQL expression.

Asked at the freeze, and again when a chunk is loaded: consent may have gone in between.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.consent import consent_states, suppressions, topics
from campaigns.model.customers import contacts, customers
from campaigns.model.events import events
from campaigns.model.mail import runs
from campaigns.model.service import cases
from campaigns.records.campaigns import Campaign
from campaigns.values import ConsentState, EventKind, Gate, TopicClass


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

    def stopping(self) -> sa.ColumnElement[str | None]:
        """The first gate that stops a contact, or null; needs `contacts` and `customers` in the query."""
        rules: list[tuple[sa.ColumnElement[bool], sa.ColumnElement[str]]] = [
            (contacts.c.erased_at.is_not(None), _name(Gate.ERASED)),
            (contacts.c.email.is_(None), _name(Gate.NO_ADDRESS)),
            (contacts.c.email_hash.in_(_suppressed()), _name(Gate.SUPPRESSED)),
            *self._of_consent(),
        ]
        if self.topic_class is TopicClass.MARKETING:
            rules += self._of_marketing()
        return sa.case(*rules, else_=sa.null())

    def _of_consent(self) -> list[tuple[sa.ColumnElement[bool], sa.ColumnElement[str]]]:
        said = sa.select(consent_states.c.contact_id).where(consent_states.c.topic_id == self.topic)
        if self.topic_class is TopicClass.MARKETING:
            yes = said.where(consent_states.c.state == ConsentState.GRANTED.value)
            return [(contacts.c.id.not_in(yes), _name(Gate.NO_CONSENT))]
        if self.topic_class is TopicClass.SERVICE:
            no = said.where(consent_states.c.state == ConsentState.WITHDRAWN.value)
            return [(contacts.c.id.in_(no), _name(Gate.NO_CONSENT))]
        return []

    def _of_marketing(self) -> list[tuple[sa.ColumnElement[bool], sa.ColumnElement[str]]]:
        complaining = sa.select(cases.c.customer_id).where(
            cases.c.kind == "complaint", cases.c.closed_at.is_(None)
        )
        rules: list[tuple[sa.ColumnElement[bool], sa.ColumnElement[str]]] = [
            (contacts.c.customer_id.in_(complaining), _name(Gate.COMPLAINT_OPEN)),
            (sa.func.coalesce(customers.c.hold_until > self.now, sa.false()), _name(Gate.HELD)),
        ]
        if self.cap is not None:
            rules.append((contacts.c.id.in_(self._capped(self.cap)), _name(Gate.FREQUENCY_CAP)))
        return rules

    def _capped(self, cap: Cap) -> sa.Select[Any]:
        """Contacts that had their share of marketing lately."""
        return (
            sa.select(events.c.contact_id)
            .join(runs, runs.c.id == events.c.run_id)
            .join(topics, topics.c.id == runs.c.topic_id)
            .where(
                events.c.kind == EventKind.SENT.value,
                events.c.at >= self.now - timedelta(days=cap.days),
                events.c.contact_id.is_not(None),
                topics.c.topic_class == TopicClass.MARKETING.value,
            )
            .group_by(events.c.contact_id)
            .having(sa.func.count() >= cap.count)
        )


def of_campaign(session: Session, campaign: Campaign, topic: int, *, now: datetime) -> Gates:
    """The gates of a campaign, for a moment."""
    cap = None
    if campaign.cap_count is not None and campaign.cap_days is not None:
        cap = Cap(campaign.cap_count, campaign.cap_days)
    topic_class = session.execute(sa.select(topics.c.topic_class).where(topics.c.id == topic)).scalar_one()
    return Gates(topic=topic, topic_class=TopicClass(topic_class), cap=cap, now=now)


def _name(gate: Gate) -> sa.ColumnElement[str]:
    return sa.literal(gate.value, sa.String(30))


def _suppressed() -> sa.Select[Any]:
    return sa.select(suppressions.c.address_hash).where(suppressions.c.lifted_at.is_(None))
