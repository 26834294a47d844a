"""The one rule by which mail addresses are valid, and equal (docs/decisions/0010)."""

import re
import unicodedata
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from campaigns.imports.values import Bad

LONGEST = 254  # RFC 5321 4.5.3.1.3
MOST_DOMAINS = 200_000  # remembered at once; a file of more distinct domains only gets slower
HASH_BYTES = 16
NO_AT_SIGN = "An email address must have an @-sign."  #: in the library's words
_PURPOSE = b"suppression"
#: A local part whose verdict is certain without the library (RFC 5322 dot-atom in ASCII), and a domain.
_SPLIT = r"([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)@([^@\n]+)"
_ADDRESS = re.compile(_SPLIT, re.ASCII)
#: Many addresses, each on a line: both groups are empty where it has no such local part.
_ADDRESSES = re.compile(rf"^(?:{_SPLIT}|.*)$", re.ASCII | re.MULTILINE)
#: A domain whose verdict is certain without the library, but for the names that are kept for special uses.
_PLAIN_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", re.ASCII)


class BadAddress(ValueError):
    """No mail can be sent to this address; says why."""


class _Domain(NamedTuple):
    end: str  #: of the address: the at sign, and the domain in lower case and A-labels
    room: int  #: for the local part, in characters


def normalise(address: str) -> str:
    """Give the form under which an address is stored, compared and hashed.

    Raises:
        BadAddress: with the reason, in words for the one who typed it.
    """
    if "@" not in address:  # the commonest mistake, at a hundredth of the library's price
        raise BadAddress(NO_AT_SIGN)
    try:
        found = validate_email(address.strip(), check_deliverability=False)
    except EmailNotValidError as error:
        raise BadAddress(str(error)) from error
    local = unicodedata.normalize("NFC", found.local_part.lower())
    return f"{local}@{found.ascii_domain.lower()}"


class AddressHasher:
    """Hashes normalised addresses with the installation's secret; can be pickled.

    In hexadecimal where they travel as text.
    """

    def __init__(self, secret: bytes, *, as_hex: bool = False) -> None:
        self._given = secret, as_hex
        key = blake2b(secret, digest_size=32, person=_PURPOSE).digest()
        self._keyed = blake2b(digest_size=HASH_BYTES, key=key, person=_PURPOSE)

    def __reduce__(self) -> tuple[Any, ...]:
        secret, as_hex = self._given
        return _hasher, (secret, as_hex)

    def one(self, address: str) -> bytes:
        """Give an address's hash."""
        state = self._keyed.copy()
        state.update(address.encode())
        return state.digest()

    def many(self, addresses: Sequence[str | None]) -> list[Any]:
        """Give the hash of each, None for None."""
        found: list[Any] = []
        copy, as_hex = self._keyed.copy, self._given[1]
        for address in addresses:
            if address is None:
                found.append(None)
                continue
            state = copy()
            state.update(address.encode())
            found.append(state.hexdigest() if as_hex else state.digest())
        return found


def _hasher(secret: bytes, as_hex: bool) -> AddressHasher:  # noqa: FBT001 - called by pickle, by position
    return AddressHasher(secret, as_hex=as_hex)


class AddressReader:
    """`normalise` for many addresses: each distinct domain is judged once.

    The verdicts are those of the library, which takes 45 µs an address; this takes under 1 µs.
    """

    def __init__(self) -> None:
        self._domains: dict[str, _Domain | None] = {}

    def read(self, address: str) -> str:
        """Give the normalised address.

        Raises:
            BadAddress: with the reason.
        """
        address = address.strip()
        split = _ADDRESS.fullmatch(address)
        if split:
            local, written = split.groups()
            domain = self._domains[written] if written in self._domains else self._judge(written)
            if domain is not None and len(local) <= domain.room:
                return str(local.lower() + domain.end)
        return normalise(address)

    def read_many(self, addresses: Sequence[str]) -> list[str | Bad]:
        """Give each normalised address, or what is wrong with it."""
        pairs = _ADDRESSES.findall("\n".join(addresses))
        if len(pairs) != len(addresses):  # some hold line ends
            return list(map(self.read_cell, addresses))
        known = self._domains
        return [
            local.lower() + domain.end
            if (domain := known.get(written)) is not None and len(local) <= domain.room
            else self.read_cell(address)
            for (local, written), address in zip(pairs, addresses, strict=True)
        ]

    def read_cell(self, address: str) -> str | Bad:
        """Give the normalised address, or what is wrong with it."""
        try:
            return self.read(address)
        except BadAddress as error:
            return Bad(str(error))

    def _judge(self, written: str) -> _Domain | None:
        if len(self._domains) >= MOST_DOMAINS:
            self._domains.clear()
        domain = self._domains[written] = _plain(written) or _looked_up(written)
        return domain


def _plain(written: str) -> _Domain | None:
    """Judge a domain of ASCII letters, digits and hyphens, as long as nothing is special about it."""
    if not _PLAIN_DOMAIN.fullmatch(written) or "--" in written:
        return None
    if any(written == name or written.endswith("." + name) for name in SPECIAL_USE_DOMAIN_NAMES):
        return None
    return _Domain(f"@{written}", LONGEST - 1 - len(written))


def _looked_up(written: str) -> _Domain | None:
    try:
        found = validate_email(f"a@{written}", check_deliverability=False)
    except EmailNotValidError:
        return None
    forms = (written, found.domain, found.ascii_domain)
    longest = max(len(form.encode()) for form in forms)
    return _Domain(f"@{found.ascii_domain.lower()}", LONGEST - 1 - longest)
