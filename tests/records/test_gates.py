"""The gates as SQL: what they cost, whoever else is in the store."""

import pytest
import sqlalchemy as sa

from campaigns.model.customers import contacts, customers
from campaigns.model.mail import messages
from campaigns.records import campaigns, gates
from campaigns.values import TopicClass
from tests.factories import NOW, a_campaign, a_topic

EVERY_GATE = {"cap_count": 3, "cap_days": 7, "until_reply": True}


def test_asking_for_one_contact_reads_nobody_elses_words_mails_or_complaints(stores):
    if stores.engine.dialect.name != "sqlite":
        pytest.skip("an empty table is always scanned there")
    with stores.sessions.begin() as session:
        for topic_class in TopicClass:
            topic = a_topic(session, topic_class)
            campaign = campaigns.get(session, a_campaign(session, topic=topic, **EVERY_GATE))
            asked = gates.of_campaign(session, campaign, topic, now=NOW)
            known = contacts.join(customers, customers.c.id == contacts.c.customer_id)
            query = (
                sa.select(asked.stopping(asked.left_at(messages.c.address)))
                .select_from(messages.join(known, contacts.c.id == messages.c.contact_id))
                .where(messages.c.run_id == 1, messages.c.seq == 1)
            )
            plain = query.compile(session.connection(), compile_kwargs={"literal_binds": True})
            plan = [row.detail for row in session.execute(sa.text(f"EXPLAIN QUERY PLAN {plain}"))]
            assert [step for step in plan if "SEARCH" in step]
            assert [step for step in plan if step.startswith("SCAN")] == []
