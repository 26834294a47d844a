"""DKIM: our signature on a mail, made just before it goes to the wire.

The body is taken as it is (c=…/simple): it is 7-bit with CRLF line ends already, which no relay has a reason
to change, and relaxing it by regular expression would cost more than the signature. Headers are relaxed.

Source: RFC 6376, RFC 8301 (no SHA-1, no short keys), RFC 8463 (Ed25519), RFC 8058 §4 (what leaves is signed).
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from re import compile as pattern
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from campaigns.delivery.headers import LINE, bad
from campaigns.values import Outgoing

#: Named once more than they stand in the mail, even if they do not: then nobody can add one (RFC 6376 §8.15).
SEALED = (b"from", b"reply-to", b"subject", b"to", b"cc")
#: The same where there is one.
SEALED_IF_PRESENT = (
    *(b"date", b"message-id", b"mime-version", b"content-type", b"content-transfer-encoding"),
    *(b"list-unsubscribe", b"list-unsubscribe-post"),
)
#: A list or relay may add its own.
SIGNED_IF_PRESENT = (b"list-id", b"feedback-id", b"auto-submitted", b"content-language", b"in-reply-to")
WANTED = frozenset((*SEALED, *SEALED_IF_PRESENT, *SIGNED_IF_PRESENT))

#: How long a signature holds, in seconds: longer than queues keep a mail (RFC 5321 §4.5.4.1: 5 days), twice.
HOLDS = 14 * 86400

_BLANKS = pattern(rb"[ \t]+")
_PADDING, _DIGEST = PKCS1v15(), SHA256()

PrivateKey = RSAPrivateKey | Ed25519PrivateKey


class Algorithm(StrEnum):
    """What a key signs by."""

    RSA = "rsa"  #: everybody verifies it
    ED25519 = "ed25519"  #: small and quick; some large receivers do not know it: beside RSA only


class Layout(NamedTuple):
    """A signature's header but for time, body hash and signature: as it is signed, and as it is written."""

    canonical: bytes
    written: bytes


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the selector under which the world finds its public half."""

    selector: str
    private: PrivateKey

    @property
    def algorithm(self) -> Algorithm:
        """What it signs by."""
        return Algorithm.ED25519 if isinstance(self.private, Ed25519PrivateKey) else Algorithm.RSA

    def sign(self, text: bytes) -> bytes:
        """Sign; other threads can work meanwhile.

        Source: RFC 8463 §3: what Ed25519 signs is the hash of the text.
        """
        if isinstance(self.private, Ed25519PrivateKey):
            return self.private.sign(sha256(text).digest())
        return self.private.sign(text, _PADDING, _DIGEST)


class Signer:
    """Signs for one domain, by each of its keys; may be used by several threads at once."""

    def __init__(self, domain: str, keys: Sequence[SigningKey]) -> None:
        self.domain = domain
        self.keys = tuple(keys)
        self._layouts: dict[tuple[int, tuple[bytes, ...]], Layout] = {}

    def signed(self, mail: Outgoing, now: datetime) -> Outgoing:
        """The mail below our signatures.

        Raises:
            BadInput: it is not 7-bit text with CRLF line ends, which a relay would change.
        """
        return mail._replace(data=self.signatures(mail.data, now) + mail.data)

    def signatures(self, data: bytes, now: datetime) -> bytes:
        """The header lines to be put above a mail.

        Raises:
            BadInput: it is not 7-bit text with CRLF line ends, which a relay would change.
        """
        end = data.find(b"\r\n\r\n")
        head, start = (data, len(data)) if end < 0 else (data[:end], end + 4)
        _require_canonical(data, start)
        fields = _relaxed(head)
        names = _names(fields)
        above = b"".join(_lines(fields, names))
        since = int(now.timestamp())
        filling = (since, since + HOLDS, b64encode(_body_hash(data, start)))
        return b"".join(self._signature(place, names, above, filling) for place in range(len(self.keys)))

    def _signature(
        self, place: int, names: tuple[bytes, ...], above: bytes, filling: tuple[int, int, bytes]
    ) -> bytes:
        layout = self._layouts.get((place, names))
        if layout is None:
            layout = self._layouts[place, names] = _layout(self.domain, self.keys[place], names)
        signature = b64encode(self.keys[place].sign(above + layout.canonical % filling))
        folded = [signature[at : at + LINE - 6] for at in range(0, len(signature), LINE - 6)]
        return layout.written % filling + b"\r\n ".join(folded) + b"\r\n"


def _layout(domain: str, key: SigningKey, names: Sequence[bytes]) -> Layout:
    lines = [
        f"v=1; a={key.algorithm}-sha256; c=relaxed/simple;",
        f"d={domain};",
        f"s={key.selector};",
        "t=%d; x=%d;",
        *_named(names),
        "bh=%s;",
        "b=",
    ]
    return Layout(
        canonical=f"dkim-signature:{' '.join(lines)}".encode(),
        written=("DKIM-Signature: " + "\r\n ".join(lines)).encode(),
    )


def _named(names: Sequence[bytes]) -> list[str]:
    """The list of names, in lines; blanks may stand beside its colons (RFC 6376 §3.5)."""
    lines, line = [], "h="
    for name in b":\n".join(names).decode().split("\n"):
        if len(line) + len(name) > LINE - 2:
            lines.append(line)
            line = ""
        line += name
    return [*lines, f"{line};"]


def _relaxed(head: bytes) -> dict[bytes, list[bytes]]:
    """The values of those headers that are signed, from the first to the last of a name.

    Source: RFC 6376 §3.4.2.
    """
    text = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    if b"  " in text or b"\t" in text:
        text = _BLANKS.sub(b" ", text)
    found: dict[bytes, list[bytes]] = {}
    for line in text.split(b"\r\n"):
        name, _, value = line.partition(b":")
        name = name.strip(b" ").lower()
        if name in WANTED:
            found.setdefault(name, []).append(value.strip(b" "))
    return found


def _names(fields: dict[bytes, list[bytes]]) -> tuple[bytes, ...]:
    names: list[bytes] = []
    for name in SEALED:
        names += [name] * (len(fields.get(name, ())) + 1)
    for name in SEALED_IF_PRESENT:
        if name in fields:
            names += [name] * (len(fields[name]) + 1)
    for name in SIGNED_IF_PRESENT:
        names += [name] * len(fields.get(name, ()))
    return tuple(names)


def _lines(fields: dict[bytes, list[bytes]], names: Sequence[bytes]) -> list[bytes]:
    """The signed headers in the order of their names, the lowest of a name first; none for one too many.

    Source: RFC 6376 §5.4.2.
    """
    left = {name: iter(reversed(values)) for name, values in fields.items()}
    lines = []
    for name in names:
        value = next(left[name], None) if name in left else None
        if value is not None:
            lines.append(b"%s:%s\r\n" % (name, value))
    return lines


def _body_hash(data: bytes, start: int) -> bytes:
    """Hash the body up to its last line that is not empty; one without any is one line end.

    Source: RFC 6376 §3.4.3.
    """
    end = len(data)
    while data.endswith(b"\r\n", start, end):
        end -= 2
    digest = sha256(memoryview(data)[start:end])
    digest.update(b"\r\n")
    return digest.digest()


def _require_canonical(data: bytes, start: int) -> None:
    if not data[start:].isascii():
        raise bad("body", "is not 7-bit: a relay may encode it anew.", "Encode it as quoted-printable.")
    if not data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r"):
        raise bad(
            "mail", "holds a line end that is not CRLF: a relay would change it.", "End lines with CRLF."
        )
