"""What came back when an address was asked; never the body itself."""

from dataclasses import dataclass
from enum import StrEnum


class Trouble(StrEnum):
    """Why there is no answer with a status."""

    NO_ADDRESS = "no address"  #: it cannot be read as an address of the web, or not in one way only
    INNER = "inner address"  #: it leads to a machine of a private network; it was not asked
    NO_HOST = "no such host"  #: its host's name does not exist
    NO_NAMES = "no name server"  #: no name server answered; this says nothing about the address
    NO_NETWORK = "no network"  #: this machine reaches nobody
    SHUT = "shut"  #: nobody answers at the host
    SLOW = "timed out"  #: it took longer than it may
    TLS_NAME = "wrong certificate"  #: its certificate is another host's
    TLS = "bad certificate"  #: its certificate is not to be trusted, or it speaks no TLS of today
    LOOP = "redirect loop"  #: it leads back to itself
    FAR = "too many redirects"  #: it leads on and on
    ODD = "no web server"  #: what came back is not HTTP, or was cut off
    NOT_ASKED = "not asked"  #: the time for all was over before its turn came


#: These tell of our own network, not of the address.
OURS = frozenset({Trouble.NO_NAMES, Trouble.NO_NETWORK, Trouble.NOT_ASKED})


class Refused(Exception):
    """An address that is not asked, or could not be."""

    def __init__(self, trouble: Trouble, detail: str = "") -> None:
        super().__init__(f"{trouble}: {detail}" if detail else str(trouble))
        self.trouble, self.detail = trouble, detail


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one address."""

    url: str  #: as it was asked for
    status: int = 0  #: of the last hop; 0: none came
    trouble: Trouble | None = None
    detail: str = ""  #: what the trouble is about: a host, an address
    final: str = ""  #: where redirects led
    kind: str = ""  #: media type, without parameters
    size: int | None = None  #: bytes, as told or counted; None: not known
    begins: bytes = b""  #: of a picture the first bytes

    @property
    def is_alive(self) -> bool:
        """Whether it leads somewhere."""
        return self.trouble is None and 200 <= self.status < 400

    @property
    def is_gone(self) -> bool:
        """Whether there surely is nothing there."""
        return self.status in {404, 410} or self.trouble is Trouble.NO_HOST
