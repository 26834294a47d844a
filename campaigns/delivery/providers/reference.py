"""What names a message at a provider, so that its webhooks can say which mail they are about.

It is the return token of the envelope sender: signed by us, and personal to nobody who cannot read the store.
"""

import re

from campaigns.values import Outgoing

KEY = "postroom"  #: under which providers keep it: metadata, custom argument, tag, variable
TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")


def reference_of(mail: Outgoing) -> str:
    """The return token of a mail; empty where its envelope sender carries none."""
    return token_in(mail.mail_from)


def token_in(address: str) -> str:
    """The return token in an envelope sender, b+TOKEN@domain."""
    local = address.rpartition("@")[0]
    found = local.partition("+")[2]
    return found if TOKEN.fullmatch(found) else ""
