"""Keys that sign: made, sealed for the store, and as the DNS record by which the world believes them."""

import os
import re
from base64 import b64encode
from enum import StrEnum

import dns.resolver
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from campaigns.delivery.dkim import Algorithm, PrivateKey
from campaigns.delivery.domains import tags, texts
from campaigns.errors import BadSettings
from campaigns.values import Problem

RSA_BITS = 2048  #: 1024 is too short by now, 4096 fits few DNS answers (RFC 8301 §3.2)
SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
LONGEST_STRING = 255  #: of a TXT record's pieces (RFC 1035 §3.3)

_VERSION, _NONCE = b"\x01", 12
_PURPOSE = b"postroom: private keys of DKIM"


def make_key(algorithm: Algorithm) -> PrivateKey:
    """Make a new private key."""
    if algorithm is Algorithm.ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)


def public_text(private: PrivateKey) -> str:
    """The public half as its record carries it.

    Source: RFC 6376 §3.6.1 (RSA: SubjectPublicKeyInfo in practice), RFC 8463 §4 (Ed25519: its 32 bytes).
    """
    public = private.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        return b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    return b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def record_name(selector: str, domain: str) -> str:
    """Where a key's record stands."""
    return f"{selector}._domainkey.{domain}"


def record_text(algorithm: Algorithm, public: str) -> str:
    """What stands there."""
    return f"v=DKIM1; k={algorithm}; p={public}"


def zone_line(name: str, text: str) -> str:
    """A TXT record as a zone file has it, its text in strings that are short enough."""
    escaped = [
        '"' + text[at : at + LONGEST_STRING].replace("\\", "\\\\").replace('"', '\\"') + '"'
        for at in range(0, len(text), LONGEST_STRING)
    ]
    strings = escaped[0] if len(escaped) == 1 else f"( {' '.join(escaped)} )"
    return f"{name}. 3600 IN TXT {strings}"


class Published(StrEnum):
    """What the DNS says of a key."""

    MISSING = "missing"  #: there is no record
    SAME = "same"  #: it is there
    TESTED = "tested"  #: it is there, marked as a test: receivers may take the mail for unsigned
    REVOKED = "revoked"  #: the record has no key any more
    OTHER = "other"  #: another key stands there
    SEVERAL = "several"  #: there are several records: receivers take any of them, or none


#: What lets a key sign: receivers find it, if some only to try it out.
SEEN = frozenset({Published.SAME, Published.TESTED})


def published(algorithm: Algorithm, public: str, resolver: dns.resolver.Resolver, name: str) -> Published:
    """Look a key up under its name (record_name).

    Raises:
        Unasked: no name server answered.

    Source: RFC 6376 §3.6.1.
    """
    found = [tags(text) for text in texts(name, resolver)]
    found = [one for one in found if "p" in one and one.get("v", "DKIM1") == "DKIM1"]
    if len(found) != 1:
        return Published.SEVERAL if found else Published.MISSING
    [record] = found
    key = "".join(record["p"].split())
    if not key:
        return Published.REVOKED
    if key != public or record.get("k", "rsa").lower() != algorithm:
        return Published.OTHER
    flags = {flag.strip().lower() for flag in record.get("t", "").split(":")}
    return Published.TESTED if "y" in flags else Published.SAME


class Vault:
    """Seals private keys with a key that is derived from the installation's secret."""

    def __init__(self, secret: bytes) -> None:
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret)
        self._cipher = AESGCM(derived)

    def seal(self, private: PrivateKey, name: str) -> bytes:
        """Seal a key; it can only be opened under the same name (record_name)."""
        plain = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        nonce = os.urandom(_NONCE)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain, _VERSION + name.encode())

    def open(self, sealed: bytes, name: str) -> PrivateKey:
        """Open a sealed key.

        Raises:
            BadSettings: it was sealed with another secret, or it is damaged.
        """
        version, nonce, rest = sealed[:1], sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        try:
            # the version is told with the name, so that another one does not open
            private = load_der_private_key(self._cipher.decrypt(nonce, rest, version + name.encode()), None)
        except (InvalidTag, ValueError):
            what = f"does not open the key {name}, which was sealed with another secret, or is damaged."
            cure = "Set the secret that made it, or make a new key: postroom dkim rotate."
            raise BadSettings([Problem("POSTROOM_SECRET", what, cure)]) from None
        if not isinstance(private, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
            raise TypeError(f"{name} is no key that DKIM knows")
        return private
