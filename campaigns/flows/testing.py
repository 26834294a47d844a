"""The test mail: a campaign's draft, with a real contact's data, to an address of our own."""

from datetime import datetime

from sqlalchemy.orm import Session

from campaigns import mailing
from campaigns.delivery.routes import Routing
from campaigns.errors import BadForm, NotFound
from campaigns.records import campaign_desk, campaigns, messages, names, routes, surveys, templates
from campaigns.records.campaigns import Campaign, Pinned
from campaigns.values import Problem

NEEDED = {
    "topic_id": "Choose the topic: the mail's headers name it.",
    "template_id": "Choose the template: it is what is sent.",
    "sender_id": "Choose the sender: the mail is from it.",
}


def send_test(
    session: Session,
    campaign_id: int,
    *,
    contact: int,
    address: str,
    now: datetime,
    routing: Routing | None = None,
) -> int:
    """Put a test mail into the outbox, with a contact's data but to `address`; gives the test run's id.

    It goes through the account that the campaign's mails to such an address go through.

    No gate is asked, and nothing that comes back enters anybody's history.

    Raises:
        BadForm: with everything that the mail still lacks.
        NotFound: there is no such contact.
    """
    campaign = campaigns.get(session, campaign_id)
    pinned = _pin(session, campaign)
    if names.recipient(session, contact) is None:
        raise NotFound(f"There is no contact {contact}.")
    run = campaigns.open_run(
        session,
        campaign,
        pinned,
        occurrence=campaign_desk.next_test(session, campaign_id),
        kind="test",
        now=now,
    )
    mailing.number_links(session, run)
    messages.add_test(session, run, contact, address, now=now)
    routes.assign(session, run, routing, now)
    return run


def _pin(session: Session, campaign: Campaign) -> Pinned:
    if missing := [
        Problem(name.removesuffix("_id"), "is missing.", cure)
        for name, cure in NEEDED.items()
        if getattr(campaign, name) is None
    ]:
        raise BadForm(missing)
    assert campaign.topic_id is not None
    assert campaign.sender_id is not None
    assert campaign.template_id is not None
    survey = campaign.survey_id
    return Pinned(
        topic=campaign.topic_id,
        sender=campaign.sender_id,
        template_version=templates.newest_version(session, campaign.template_id),
        segment_version=None,
        survey_version=None if survey is None else surveys.newest_version(session, survey),
    )
