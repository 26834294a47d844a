"""The addresses in mails: a page of ours and a token each."""

from collections.abc import Callable
from dataclasses import dataclass

from campaigns.tracking.tokens import Keyring, Purpose

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


@dataclass(frozen=True, slots=True)
class Signing:
    """What addresses in mails are made with."""

    keyring: Keyring
    public_url: str  #: without a slash at the end

    def links(self, run: int, seq: int, contact: int) -> dict[str, str]:
        """The addresses of one message, each with a token of its own purpose."""
        return {
            name: f"{self.public_url}/{path}/{self.keyring.sign(purpose, run, seq, contact)}"
            for name, (path, purpose) in PAGES.items()
        }

    def writers(self, wanted: Callable[[str], bool]) -> list[tuple[str, str, Callable[[bytes], str]]]:
        """For each wanted address its name, what stands before its token, and what writes the token."""
        return [
            (name, f"{self.public_url}/{path}/", self.keyring.pen(purpose))
            for name, (path, purpose) in PAGES.items()
            if wanted(name)
        ]
