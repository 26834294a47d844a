"""One run's mail: the rooms put together, from a recipient to the bytes on the wire.

templates/render → tracking/instrument (once) → names of one recipient → content → delivery/compose

`basis` is what a run's mails have in common, and `opening` reads it. `making` makes a mail the plain way;
`press` makes the same mail out of pieces that are encoded already. `identities` know what signs it.
"""

from campaigns.mailing.basis import Topic
from campaigns.mailing.identities import Identities
from campaigns.mailing.making import Mailing
from campaigns.mailing.opening import NOBODY, UNSAID, draft, editions, load, number_links
from campaigns.mailing.signing import PAGES, Signing

__all__ = [
    "NOBODY",
    "PAGES",
    "UNSAID",
    "Identities",
    "Mailing",
    "Signing",
    "Topic",
    "draft",
    "editions",
    "load",
    "number_links",
]
