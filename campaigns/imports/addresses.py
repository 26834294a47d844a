"""The one rule by which mail addresses are valid, and equal (docs/decisions/0010)."""

import re
import unicodedata
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from email_validator import EmailNotValidError, validate_email

from campaigns.imports.values import Bad

LONGEST = 254  # RFC 5321 4.5.3.1.3
MOST_DOMAINS = 200_000  # remembered at once; a file of more distinct domains only gets slower
HASH_BYTES = 16
_PURPOSE = b"suppression"
#: A local part whose verdict is certain without the library: RFC 5322 dot-atom in ASCII.
_PLAIN_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII)


class BadAddress(ValueError):
    """No mail can be sent to this address; says why."""


class _Domain(NamedTuple):
    ascii: str  #: lower case, A-labels
    longest: int  #: of its written, Unicode and ASCII forms, in bytes


def normalise(address: str) -> str:
    """Give the form under which an address is stored, compared and hashed.

    Raises:
        BadAddress: with the reason, in words for the one who typed it.
    """
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
        local, _, written = address.rpartition("@")
        if _PLAIN_LOCAL.fullmatch(local):
            try:
                domain = self._domains[written]
            except KeyError:
                domain = self._judge(written)
            if domain is not None and len(local) + 1 + domain.longest <= LONGEST:
                return f"{local.lower()}@{domain.ascii}"
        return normalise(address)

    def read_many(self, addresses: Sequence[str]) -> list[str | Bad]:
        """Give each normalised address, or what is wrong with it."""
        found: list[str | Bad] = []
        known, plain = self._domains, _PLAIN_LOCAL.fullmatch
        for address in addresses:
            local, _, written = address.rpartition("@")
            domain = known.get(written)
            if domain is not None and plain(local) and len(local) + 1 + domain.longest <= LONGEST:
                found.append(f"{local.lower()}@{domain.ascii}")
                continue
            try:
                found.append(self.read(address))
            except BadAddress as error:
                found.append(Bad(str(error)))
        return found

    def _judge(self, written: str) -> _Domain | None:
        if len(self._domains) >= MOST_DOMAINS:
            self._domains.clear()
        try:
            found = validate_email(f"a@{written}", check_deliverability=False)
        except EmailNotValidError:
            domain = None
        else:
            forms = (written, found.domain, found.ascii_domain)
            domain = _Domain(found.ascii_domain.lower(), max(len(form.encode()) for form in forms))
        self._domains[written] = domain
        return domain
