"""Quoted-printable, a whole text or piece by piece.

A piece that is encoded begins and ends at the start of a line, so that pieces can be put together in any
order; and since equal text is always written alike, each piece need be encoded only once.
"""

import re
from binascii import b2a_qp
from collections.abc import Iterable

KEPT = 1024  #: pieces that are kept beside the constant ones: some of them come again in the next mail
LONGEST_KEPT = 256
BEYOND_DOUBT = 4 * 1024 * 1024  #: bytes of a text that nobody has written
SOFT_BREAK = b"=\r\n"  #: a line end that is not part of the text (RFC 2045 §6.7)

_CLEAR_WIDTH = 75
_DOTS = re.compile(rb"^\.+", re.MULTILINE)


class NotSpliceable(Exception):
    """A text that cannot be made of its pieces, each by itself."""


def quoted_printable(text: str) -> bytes:
    """Encode text; it ends with a line end, and all of its line ends are CRLF."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    octets = lines.encode("utf-8", "replace")
    return b2a_qp(octets if octets.endswith(b"\n") else octets + b"\n").replace(b"\n", b"\r\n")


class QuotedPieces(dict[str, bytes]):
    """Pieces of text with what they are on the wire; an unknown one is encoded when it is asked for.

    No line is longer than 78 characters or begins with a dot.
    """

    def __init__(self, constants: Iterable[str]) -> None:
        super().__init__({text: _encoded(text) for text in constants if not text.endswith("\r")})
        self._constants = dict(self)
        self._longest = max(map(len, self.values()), default=0)
        self._most = len(self) + KEPT

    def __missing__(self, text: str) -> bytes:
        if len(text) > LONGEST_KEPT:
            return _encoded(text)
        if len(self) >= self._most:
            self.clear()
            self.update(self._constants)
        if len(text) <= _CLEAR_WIDTH and _is_literal(text):
            encoded = text.encode() + SOFT_BREAK
        else:
            encoded = _encoded(text)
        self[text] = encoded
        return encoded

    def encode(self, pieces: list[str]) -> list[bytes]:
        """Encode a text's pieces, its last line closed.

        Raises:
            NotSpliceable: a piece ends in half a line end, or the text would fill the memory.
        """
        encoded = list(map(self.__getitem__, pieces))
        if len(encoded) * self._longest > BEYOND_DOUBT and sum(map(len, encoded)) > BEYOND_DOUBT:
            raise NotSpliceable
        encoded.append(_line_end(encoded))
        return encoded


def _line_end(pieces: list[bytes]) -> bytes:
    """What a text still needs to end with its line."""
    for piece in reversed(pieces):
        if piece:
            return b"\r\n" if piece.endswith(SOFT_BREAK) else b""
    return b"\r\n"


def _is_literal(text: str) -> bool:
    """Whether a line stands for itself."""
    return text.isascii() and text.isprintable() and "=" not in text and text[:1] not in {"", "."}


def _encoded(text: str) -> bytes:
    """Encode a piece.

    Raises:
        NotSpliceable: it ends in a CR, which with an LF that may follow is one line end and not two.
    """
    if not text:
        return b""
    if text.endswith("\r"):
        raise NotSpliceable
    lines = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    octets = lines.encode("utf-8", "replace")
    if octets.endswith(b"\n"):
        return _dotless(b2a_qp(octets).replace(b"\n", b"\r\n"))
    # The NUL keeps room for the sign of a soft break, and a blank before it from being a line's last.
    encoded = b2a_qp(octets + b"\0").removesuffix(b"=00").replace(b"\n", b"\r\n")
    return _dotless(encoded if encoded.endswith(b"\n") else encoded + SOFT_BREAK)


def _dotless(encoded: bytes) -> bytes:
    """Write dots at the start of a line as codes, each on a line that is broken softly."""
    if b"\n." in encoded or encoded[:1] == b".":
        return _DOTS.sub(lambda dots: (b"=2E" + SOFT_BREAK) * len(dots[0]), encoded)
    return encoded
