"""JSON of strangers, asked by name: whatever is not of the asked kind is as good as absent."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parseaddr
from ipaddress import ip_address

from campaigns.delivery.smtp.replies import UNPRINTABLE

MOST_SAID = 2000  #: of a server's words
MOST_WORD = 80
MOST_URL = 2000
MOST_ID = 300
EARLIEST, LATEST = 946_684_800, 4_102_444_800  #: seconds since 1970: the years 2000 to 2100
IN_MILLISECONDS = 100_000_000_000  #: a larger number of seconds would be beyond the year 5000
STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
REPLY = re.compile(r"[2-5][0-9]{2}")


class Told:
    """An object of JSON; anything else is read as an empty one."""

    __slots__ = ("_held",)

    def __init__(self, held: object) -> None:
        self._held: dict[str, object] = held if isinstance(held, dict) else {}

    def __bool__(self) -> bool:
        return bool(self._held)

    def value(self, name: str) -> object:
        """Whatever stands there."""
        return self._held.get(name)

    def text(self, name: str, most: int = MOST_WORD) -> str:
        """A text or a number as one plain line, cut; empty where there is none."""
        return plain(self._held.get(name), most)

    def word(self, name: str) -> str:
        """A text in small letters, to be looked up."""
        return self.text(name).lower()

    def part(self, name: str) -> "Told":
        """The object that stands there."""
        return Told(self._held.get(name))

    def parts(self, name: str) -> Iterator["Told"]:
        """The objects of the list that stands there."""
        return parts(self._held.get(name))

    def texts(self, name: str, most: int = MOST_ID) -> list[str]:
        """The texts of the list that stands there; of a single text that one."""
        held = self._held.get(name)
        found = [plain(one, most) for one in (held if isinstance(held, list) else [held])[:50]]
        return [one for one in found if one]

    def true(self, name: str) -> bool:
        """Whether it says true; "false" does not."""
        held = self._held.get(name)
        return held is True or held == 1 or (isinstance(held, str) and held.lower() in {"true", "1", "yes"})

    def moment(self, *names: str) -> datetime | None:
        """The first of these that can be read as a moment."""
        found = (moment(self._held.get(name)) for name in names)
        return next((one for one in found if one is not None), None)

    def status(self, name: str) -> str | None:
        """An RFC 3463 code."""
        found = STATUS.fullmatch(self.text(name))
        return found[0] if found else None

    def reply(self, name: str) -> str | None:
        """An SMTP reply code."""
        found = REPLY.fullmatch(self.text(name))
        return found[0] if found else None

    def mailbox(self, name: str) -> str:
        """An address, without the name that may stand around it."""
        return mailbox(self.text(name, MOST_ID))

    def ip(self, name: str) -> str:
        """An IP address; empty where it is none."""
        try:
            return str(ip_address(self.text(name).partition("%")[0]))
        except ValueError:
            return ""

    def inner(self, name: str) -> "Told":
        """The object that stands there written as a text."""
        held = self._held.get(name)
        try:
            return Told(load(held) if isinstance(held, str) else held)
        except ValueError:
            return Told(None)


def load(text: str | bytes) -> object:
    """Read JSON.

    Raises:
        ValueError: it is none, or nested deeper or longer in a number than anything honest.
    """
    try:
        held: object = json.loads(text)
    except RecursionError:
        raise ValueError("is nested too deep") from None
    return held


def parts(held: object) -> Iterator[Told]:
    """The objects of a list; a single object is a list of one."""
    for one in held if isinstance(held, list) else [held]:
        if isinstance(one, dict):
            yield Told(one)


def plain(held: object, most: int) -> str:
    """One line without control characters; what a database cannot hold is replaced."""
    if isinstance(held, bool) or not isinstance(held, str | int | float):
        return ""
    if isinstance(held, int) and abs(held) >= 10**18:
        return ""
    text = str(held)[: 4 * most].encode("utf-8", "replace").decode()
    return UNPRINTABLE.sub(" ", text).strip()[:most]


def mailbox(text: str) -> str:
    """The address in "Ada <ada@example.com>"; empty where there is none."""
    found = parseaddr(text)[1] if "<" in text else text
    return found if "@" in found and " " not in found else ""


def moment(held: object) -> datetime | None:
    """Read seconds or milliseconds since 1970, or ISO 8601; None where it is neither."""
    text = plain(held, 40)
    try:
        if isinstance(held, int | float) or text.replace(".", "", 1).isdigit():
            number = float(text)
            seconds = number / 1000 if number >= IN_MILLISECONDS else number
            return datetime.fromtimestamp(seconds, UTC) if EARLIEST <= seconds <= LATEST else None
        read = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    read = read.replace(tzinfo=UTC) if read.tzinfo is None else read
    try:
        return read.astimezone(UTC) if EARLIEST <= read.timestamp() <= LATEST else None
    except (ValueError, OverflowError):
        return None


def same_address(one: str, other: str) -> bool:
    """Whether two addresses are one: in whatever letters, the domain as it travels."""
    return _travelling(one) == _travelling(other)


def _travelling(address: str) -> str:
    local, _, domain = address.strip().lower().rpartition("@")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode()
        except UnicodeError:
            return address
    return f"{local}@{domain}"
