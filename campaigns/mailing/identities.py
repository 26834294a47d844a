"""What signs the mail of each sender."""

from sqlalchemy.orm import Session

from campaigns.delivery.dkim import Signer, SigningKey
from campaigns.delivery.dkim_keys import Vault, record_name
from campaigns.delivery.headers import ascii_domain
from campaigns.records import dkim_keys
from campaigns.values import Sender


class Identities:
    """The signers of this installation's domains; which keys sign is asked anew, a key is opened once."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._opened: dict[str, tuple[list[int], Signer]] = {}

    def of(self, session: Session, sender: Sender) -> Signer | None:
        """What signs for a sender by now; None if no key does.

        Raises:
            BadSettings: a key was sealed with another secret; nothing may leave without its signature.
        """
        keys = dkim_keys.signing(session, ascii_domain(sender.address.rpartition("@")[2].lower()))
        if not keys:
            return None
        domain, ids = keys[0].domain, [key.id for key in keys]
        known = self._opened.get(domain)
        if known is None or known[0] != ids:
            opened = [
                SigningKey(key.selector, self._vault.open(key.sealed, record_name(key.selector, key.domain)))
                for key in keys
            ]
            known = self._opened[domain] = (ids, Signer(domain, opened))
        return known[1]
