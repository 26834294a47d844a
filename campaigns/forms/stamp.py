"""The stamp of a form's page: which form was shown, saying what, when; signed, and good for one post."""

import binascii
import secrets
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from hashlib import blake2b
from hmac import compare_digest

LASTS = timedelta(hours=4)
QUICKEST = timedelta(seconds=2)  #: nobody types an address faster
_LAYOUT = struct.Struct(">I8sIB8s")  # form, digest, seconds, step, nonce
_MAC = 16
_LONGEST = 80


class Step(IntEnum):
    """Which page a stamp stood on."""

    FORM = 1
    CHECK = 2  #: the second page: what was typed, to be looked at and sent


class Fault(IntEnum):
    """Why a stamp says nothing."""

    FORGED = 1  #: or there was none
    OLD = 2
    QUICK = 3  #: sooner than a person can type
    CHANGED = 4  #: the form says something else by now


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a form's page was, when it was shown."""

    form: int
    digest: bytes  #: of every word that is agreed to
    at: datetime  #: whole seconds
    step: Step
    nonce: bytes

    def again(self, now: datetime, step: Step) -> "Stamp":
        """A new stamp for the next page of the same form."""
        return replace(self, at=now.replace(microsecond=0), step=step, nonce=secrets.token_bytes(8))


def new_stamp(form: int, digest: bytes, now: datetime, step: Step = Step.FORM) -> Stamp:
    """Make the stamp of a page."""
    return Stamp(form, digest, now.replace(microsecond=0), step, secrets.token_bytes(8))


def digest_of(*texts: str) -> bytes:
    """Give the digest of what a page says."""
    return blake2b("\x1f".join(texts).encode("utf-8", "replace"), digest_size=8).digest()


class Stamper:
    """Signs stamps with the installation's secret, under a key of their own."""

    def __init__(self, secret: bytes) -> None:
        self._key = blake2b(secret, digest_size=32, person=b"postroom form").digest()

    def sign(self, stamp: Stamp) -> str:
        """Write a stamp."""
        body = _LAYOUT.pack(stamp.form, stamp.digest, int(stamp.at.timestamp()), stamp.step, stamp.nonce)
        return urlsafe_b64encode(body + self._mac(body)).decode().rstrip("=")

    def read(self, text: str, *, form: int, digest: bytes, now: datetime) -> Stamp | Fault:
        """Read the stamp of this form's page, or say why it is worth nothing."""
        stamp = self._open(text, now)
        if stamp is None or stamp.form != form:
            return Fault.FORGED
        if not timedelta() <= now - stamp.at + timedelta(seconds=1) <= LASTS:
            return Fault.OLD
        if stamp.digest != digest:
            return Fault.CHANGED
        return Fault.QUICK if now - stamp.at < QUICKEST else stamp

    def secret_of(self, purpose: bytes) -> bytes:
        """A key for something else of forms."""
        return blake2b(purpose, key=self._key, digest_size=32).digest()

    def _open(self, text: str, now: datetime) -> Stamp | None:
        if len(text) > _LONGEST or not text.isascii():
            return None
        try:
            raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            return None
        body, mac = raw[: _LAYOUT.size], raw[_LAYOUT.size :]
        if len(body) != _LAYOUT.size or not compare_digest(mac, self._mac(body)):
            return None
        form, digest, seconds, step, nonce = _LAYOUT.unpack(body)
        return Stamp(form, digest, datetime.fromtimestamp(seconds, now.tzinfo), Step(step), nonce)

    def _mac(self, body: bytes) -> bytes:
        return blake2b(body, key=self._key, digest_size=_MAC).digest()
