"""See a mail before anybody gets it: as one contact would, from a stored template, a starter or a file."""

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from campaigns.errors import NotFound
from campaigns.mailing import UNSAID, Mailing, Signing, editions
from campaigns.records import named_templates, names, senders, surveys
from campaigns.records.named_templates import NOWHERE, STAND_IN
from campaigns.values import Content


class Preview(NamedTuple):
    """A mail as it would be sent, and what its recipient reads."""

    eml: bytes
    content: Content


def preview(session: Session, template: str, contact: int, signing: Signing, *, now: datetime) -> Preview:
    """Make a contact's mail; its links lead to pages that know no such message.

    Raises:
        NotFound: there is no such contact or template.
        BadTemplate: the template does not compile, or fails for this contact.
    """
    whom = names.recipient(session, contact)
    if whom is None:
        raise NotFound(f"There is no contact {contact}. Look one up: postroom count RULE.json --list 5.")
    named = named_templates.find(session, template)
    known = senders.listing(session)
    offered = surveys.listing(session)
    mailing = Mailing(
        run=0,
        campaign=0,
        topic=UNSAID,
        shared=names.common(session, "Preview", known[0][1] if known else STAND_IN),
        editions=editions([compiled for _source, compiled in named.bodies], tracking=False),
        signing=signing,
        files=named.files,
        form=surveys.form_of(session, surveys.newest_version(session, offered[0].id)) if offered else None,
    )
    addressed = replace(whom, address=whom.address or NOWHERE)
    bought = names.last_orders(session, [whom.customer_id]).get(whom.customer_id, [])
    return Preview(
        mailing.mail(addressed, bought=bought, now=now).data,
        mailing.content(addressed, bought=bought, now=now),
    )
