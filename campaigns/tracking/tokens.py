"""Signed tokens: what a tracked address or return path carries instead of names and addresses.

A token is 15 bytes of packed ids (version and purpose, key id, run u32, seq u32, contact u40) and a 96-bit
truncated MAC: 36 base64url characters. The return path alone is written in 44 base32 letters, since some
mail servers fold the case of a local part. Nothing in a token is secret; it only cannot be forged.
"""

import binascii
import re
import struct
from collections.abc import Callable, Iterable
from enum import IntEnum
from hashlib import blake2b
from hmac import compare_digest
from typing import NamedTuple

VERSION = 1
TOKEN_LENGTH = 36
RETURN_LENGTH = 44

_MAC_BYTES = 12
_IDS = struct.Struct(">IIBI")  # run, seq, contact's high byte, contact's low four bytes
_BODY_BYTES = 2 + _IDS.size
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_BASE64_SHAPE = re.compile(rf"[A-Za-z0-9_-]{{{TOKEN_LENGTH}}}").fullmatch
_BASE32_SHAPE = re.compile(rf"[a-z2-7]{{{RETURN_LENGTH}}}").fullmatch
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_TO_LETTERS = bytes.maketrans(bytes(range(32)), _LETTERS.encode())
#: Python reads base 32 with digits 0-9a-v; RFC 4648 writes it with a-z2-7.
_TO_DIGITS = str.maketrans(_LETTERS, "0123456789abcdefghijklmnopqrstuv")


def _spreading() -> list[tuple[int, int, int]]:
    """How 64 packed groups of 5 bits are drawn apart to a byte each: halves, then quarters, and so on."""
    steps = []
    for half in (32, 16, 8, 4, 2, 1):
        low = sum(((1 << 5 * half) - 1) << 8 * start for start in range(0, 64, 2 * half))
        steps.append((low, low << 5 * half, 3 * half))
    return steps


_SPREADING = _spreading()
_SPARE_BITS = 4
_RAW_BYTES = _BODY_BYTES + _MAC_BYTES


class Purpose(IntEnum):
    """What a token allows; a token of one purpose is worth nothing for another."""

    OPEN = 1  #: the pixel
    CLICK = 2  #: a numbered link
    UNSUBSCRIBE = 3  #: leaving a topic, by page or RFC 8058
    VIEW = 4  #: the message in a browser
    SURVEY = 5  #: the survey's page
    PREFERENCES = 6  #: the contact's own page of topics
    RETURN = 7  #: the envelope sender that a bounce comes back to; base32, any case
    CONFIRM = 8  #: the yes of a double opt-in


class Token(NamedTuple):
    """What a genuine token says."""

    purpose: Purpose
    run: int
    seq: int
    contact: int


class Keyring:
    """Signs with one secret; reads what that secret or an older one has signed."""

    def __init__(self, secret: bytes, old: Iterable[bytes] = ()) -> None:
        secrets = [secret, *old]
        if not all(secrets):
            raise ValueError("A token secret is empty: anybody could forge tokens. Set POSTROOM_SECRET.")
        self._signing = [_Signer(secret, purpose) for purpose in Purpose]
        self._reading: dict[bytes, list[_Signer]] = {}
        for each in secrets:
            for purpose in Purpose:
                signer = _Signer(each, purpose)
                self._reading.setdefault(signer.head, []).append(signer)

    def sign(self, purpose: Purpose, run: int, seq: int, contact: int) -> str:
        """Write a token.

        Raises:
            ValueError: if an id is negative or too large (run and seq: 32 bits, contact: 40 bits).
        """
        return self.pen(purpose)(packed(run, seq, contact))

    def pen(self, purpose: Purpose) -> Callable[[bytes], str]:
        """Give what writes tokens of one purpose, from ids that are `packed` once for all purposes."""
        return self._signing[purpose - 1].sign

    def read(self, purpose: Purpose, text: str) -> Token | None:
        """Read a token of this purpose; None for whatever else the text may be."""
        raw = _from_base32(text) if purpose is Purpose.RETURN else _from_base64(text)
        if raw is None or raw[0] != VERSION << 4 | purpose:
            return None
        body, mac = raw[:_BODY_BYTES], raw[_BODY_BYTES:]
        # Two secrets can share a key id, which is a fingerprint of one byte: then each is tried.
        for signer in self._reading.get(raw[:2], ()):
            if compare_digest(signer.mac(body), mac):
                run, seq, high, low = _IDS.unpack(raw[2:_BODY_BYTES])
                return Token(purpose, run, seq, high << 32 | low)
        return None


def packed(run: int, seq: int, contact: int) -> bytes:
    """Pack what every token of a message names.

    Raises:
        ValueError: if an id is negative or too large (run and seq: 32 bits, contact: 40 bits).
    """
    try:
        return _IDS.pack(run, seq, contact >> 32, contact & 0xFFFFFFFF)
    except struct.error as error:
        raise ValueError(
            f"run {run}, seq {seq}, contact {contact}: an id is negative or too large for a token."
        ) from error


class _Signer:
    """One secret for one purpose: its two-byte head, its MAC and its way of writing."""

    __slots__ = ("_keyed", "_write", "head")

    def __init__(self, secret: bytes, purpose: Purpose) -> None:
        # Any length of secret becomes a whole key; the fingerprint tells keys apart after a rotation.
        key = blake2b(secret, digest_size=64, person=b"postroom key").digest()
        derived = blake2b(purpose.name.encode(), key=key, person=b"postroom token").digest()
        fingerprint = blake2b(key, digest_size=1, person=b"postroom key id").digest()
        self.head = bytes((VERSION << 4 | purpose,)) + fingerprint
        self._write: Callable[[bytes], str] = _to_base32 if purpose is Purpose.RETURN else _to_base64
        self._keyed = blake2b(key=derived, digest_size=_MAC_BYTES)

    def sign(self, ids: bytes) -> str:
        body = self.head + ids
        return self._write(body + self.mac(body))

    def mac(self, body: bytes) -> bytes:
        """Copying the keyed state saves hashing the key for each token."""
        state = self._keyed.copy()
        state.update(body)
        return state.digest()


def _to_base64(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).translate(_TO_URL).decode()


def _from_base64(text: str) -> bytes | None:
    # 27 bytes fill 36 characters to the last bit, so each token has one spelling only.
    if not _BASE64_SHAPE(text):
        return None
    return binascii.a2b_base64(text.encode().translate(_FROM_URL))


def _to_base32(raw: bytes) -> str:
    # 44 letters hold 220 bits: the 216 of a token, and 4 zeros
    number = int.from_bytes(raw) << _SPARE_BITS
    for low, high, shift in _SPREADING:
        number = number & low | (number & high) << shift
    return number.to_bytes(RETURN_LENGTH).translate(_TO_LETTERS).decode()


def _from_base32(text: str) -> bytes | None:
    # isascii first: lower() would turn the Kelvin sign into a k.
    if not (text.isascii() and _BASE32_SHAPE(text := text.lower())):
        return None
    number = int(text.translate(_TO_DIGITS), 32)
    if number & ((1 << _SPARE_BITS) - 1):
        return None
    return (number >> _SPARE_BITS).to_bytes(_RAW_BYTES)
