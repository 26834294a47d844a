"""The addresses in mails: a page of ours and a token each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from campaigns.tracking.tokens import Keyring, Purpose, packed
from campaigns.values import Tracking

#: The page each token opens, by its first path element. Short: an address is in every mail many times.
PAGES = {
    "open": ("o", Purpose.OPEN),
    "click": ("c", Purpose.CLICK),
    "unsubscribe": ("u", Purpose.UNSUBSCRIBE),
    "view": ("v", Purpose.VIEW),
    "preferences": ("p", Purpose.PREFERENCES),
    "survey": ("s", Purpose.SURVEY),
    "confirm": ("y", Purpose.CONFIRM),
}
#: Of contacts who are not tracked one by one, these are the same for all recipients of a run.
SHARED = ("open", "click")


@dataclass(frozen=True, slots=True)
class Signing:
    """What addresses in mails are made with."""

    keyring: Keyring
    public_url: str  #: without a slash at the end
    tracking: Tracking = Tracking.INDIVIDUAL  #: of contacts who never chose

    def level(self, contact: Mapping[str, Any]) -> Tracking:
        """How much is kept of what a contact does."""
        chosen = contact.get("tracking")
        return self.tracking if chosen is None else Tracking(chosen)

    def links(
        self, run: int, seq: int, contact: int, level: Tracking = Tracking.INDIVIDUAL
    ) -> dict[str, str]:
        """The addresses of one message, each with a token of its own purpose."""
        made = {
            name: f"{self.public_url}/{path}/{self.keyring.sign(purpose, run, seq, contact)}"
            for name, (path, purpose) in PAGES.items()
        }
        return made if level is Tracking.INDIVIDUAL else made | self.shared(run)

    def shared(self, run: int) -> dict[str, str]:
        """The addresses that tell of no recipient: nobody has the number 0."""
        ids = packed(run, 0, 0)
        return {name: f"{before}{write(ids)}" for name, before, write in self.writers(SHARED.__contains__)}

    def writers(self, wanted: Callable[[str], bool]) -> list[tuple[str, str, Callable[[bytes], str]]]:
        """For each wanted address its name, what stands before its token, and what writes the token."""
        return [
            (name, f"{self.public_url}/{path}/", self.keyring.pen(purpose))
            for name, (path, purpose) in PAGES.items()
            if wanted(name)
        ]
