"""A rep sees how closely a contact lets us look."""

from campaigns.clock import utc_now
from campaigns.records import tracking
from campaigns.records.consent import Provenance
from campaigns.records.customers import summary
from campaigns.values import ContactId, Tracking
from tests.factories import a_contact, a_customer, a_topic


def test_what_a_contact_chose_stands_beside_their_consents(session) -> None:
    a_topic(session)
    customer = a_customer(session)
    ada, bob = (a_contact(session, customer_id=customer) for _ in range(2))
    tracking.choose(
        session, ContactId(ada), Tracking.AGGREGATE, Provenance(utc_now(), "preferences"), now=utc_now()
    )
    shown = {one.contact.id: one.tracking for one in summary(session, customer, utc_now()).persons}
    assert shown == {ada: Tracking.AGGREGATE, bob: None}
