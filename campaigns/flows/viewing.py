"""A message in a browser: rendered again from the version that was pinned when its run opened."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from campaigns.mailing import Signing, load
from campaigns.records import campaigns, names
from campaigns.records.addressees import Addressee
from campaigns.templates.files import on_a_page
from campaigns.tracking.instrument import PIXEL, TRAP
from campaigns.values import Content


def view(session: Session, whom: Addressee, signing: Signing, *, now: datetime) -> Content | None:
    """Render what the contact was sent, as of the day it was sent; None for a contact who was forgotten.

    The pixel is left out, whoever looks at the page is counted by the page; and the trap, which is for mails.

    Raises:
        BadTemplate: the contact lacks by now what the template needs.
    """
    recipient = names.recipient(session, whom.contact)
    if recipient is None or whom.erased:
        return None
    run = campaigns.get_run(session, whom.run)
    mailing = load(session, run, whom.campaign, signing)
    bought = names.last_orders(session, [whom.customer]).get(whom.customer, [])
    recipient = replace(recipient, seq=whom.seq, address=whom.address or recipient.address)
    content = mailing.content(recipient, bought=bought, now=whom.sent_at or now)
    if content.html is None:
        return content
    page = on_a_page(content) or ""
    links = signing.links(whom.run, whom.seq, whom.contact, signing.level(recipient.contact))
    for mark, name in ((PIXEL, "open"), (TRAP, "click")):
        page = page.replace(mark.replace(f"{{{{ links.{name} }}}}", links[name]), "")
    return replace(content, html=page)
