"""From whom the mail is: whether the law and the providers can take the sender for who it says it is."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from campaigns.delivery.headers import ascii_domain
from campaigns.delivery.lanes import OTHER, lane_of
from campaigns.errors import BadInput
from campaigns.flows.checking.findings import Finding, blocker, hint, warning
from campaigns.records import dkim_keys, senders
from campaigns.records.campaigns import Campaign
from campaigns.values import Sender


def check(session: Session, campaign: Campaign, *, is_ours: bool = True) -> Iterator[Finding]:
    """Look at the sender's addresses and keys; the DNS is asked elsewhere, when somebody wants it.

    Where no way out leaves our signature and return address as they are (`is_ours`), neither matters.
    """
    if campaign.sender_id is None:
        return
    sender = senders.get(session, campaign.sender_id)
    if not sender.postal_address.strip():
        cure = "The law asks for one in every mail of this kind; add it to the sender."
        yield blocker("what", "The sender %(sender)s has no postal address.", cure, sender=sender.name)
    own = domain_of(sender)
    if own == "" or not sender.bounce_domain:
        cure = "Correct the sender."
        yield blocker("what", "The sender %(sender)s has no full mail address.", cure, sender=sender.name)
        return
    yield from _provider(own)
    if is_ours:
        yield from _alignment(sender, own)
        yield from _signature(session, own)


def domain_of(sender: Sender) -> str:
    """The domain that readers see."""
    try:
        return ascii_domain(sender.address.rpartition("@")[2].lower())
    except BadInput:
        return ""


def _provider(own: str) -> Iterator[Finding]:
    """Providers' domains forbid others to write in their name."""
    if lane_of(own) != OTHER:
        what = "The sender's address is at %(domain)s; its owner lets nobody else send in its name."
        cure = "Write from a domain of your own; such mail goes to spam or is refused (DMARC)."
        yield warning("what", what, cure, domain=own)


def _alignment(sender: Sender, own: str) -> Iterator[Finding]:
    """Source: RFC 9989 §4.4."""
    if lane_of(own) == OTHER and not _under_one_roof(own, sender.bounce_domain.lower()):
        what = "Mail from %(domain)s returns to %(bounce)s, another owner's domain by its name."
        cure = "Use a bounce domain under %(domain)s, or SPF does not speak for the sender (DMARC alignment)."
        yield hint("what", what, cure, domain=own, bounce=sender.bounce_domain)


def _signature(session: Session, own: str) -> Iterator[Finding]:
    """Look for a key that speaks for the sender's domain."""
    if not dkim_keys.signing(session, own):
        what = "We sign no mail of %(domain)s (DKIM); large providers refuse bulk mail without it."
        cure = "Make a key where the sender's page shows what the DNS says, or let your mail server sign."
        yield hint("what", what, cure, domain=own)


def _under_one_roof(one: str, other: str) -> bool:
    """Whether two domains look like one owner's."""
    below = one.endswith(f".{other}") or other.endswith(f".{one}")
    return one == other or below or one.split(".")[-2:] == other.split(".")[-2:]
