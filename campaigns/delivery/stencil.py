"""What all mails of a run have in common, written once; a mail fills the gaps.

`compose` writes a whole mail from a letter; a stencil is such a mail, cut where recipients differ.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from campaigns.delivery.compose import (
    Letter,
    alternatives,
    boundary,
    date_header,
    later_headers,
    part_head,
    sender_headers,
    subject_header,
    to_header,
)
from campaigns.delivery.headers import wire_address
from campaigns.delivery.quoted import SOFT_BREAK
from campaigns.values import MessageKey, Outgoing


@dataclass(frozen=True, slots=True)
class Filling:
    """What one mail puts into the gaps; the texts are encoded already, piece by piece."""

    key: MessageKey
    to_name: str
    to_address: str
    subject: str
    at: datetime
    message_id: str
    unsubscribe: str | None  #: the token of the leaving page, where the mail can be left
    text: list[bytes]
    html: list[bytes] | None


class Stencil:
    """The constant parts of a run's mails in one language."""

    def __init__(self, letter: Letter, unsubscribe: str | None) -> None:
        """Cut a letter wherever its tokens stand: its message id, and the one of the leaving page.

        Raises:
            BadInput: a header cannot be written safely.
        """
        self._sender = sender_headers(letter.sender).encode()
        gaps = "|".join(re.escape(token) for token in (letter.message_id, unsubscribe) if token)
        rest = re.split(f"({gaps})", "".join(later_headers(letter)))
        self._headers = [piece.encode() for piece in rest]
        self._ids = [place for place, piece in enumerate(rest) if piece == letter.message_id]
        self._leaving = [place for place, piece in enumerate(rest) if piece == unsubscribe]
        self._opening, self._middle, self._closing = alternatives(boundary(letter))
        self._plain = part_head("plain")
        before, _, after = wire_address("return path", letter.return_path).partition(letter.message_id)
        self._return_path = (before, after)

    def fill(self, filling: Filling) -> Outgoing | None:
        """Make a mail; None for a recipient whose address needs more than ASCII.

        Raises:
            BadInput: the name, address or subject cannot be written safely.
        """
        address = wire_address("to", filling.to_address)
        if not address.isascii():
            return None
        first = (
            to_header(filling.to_name, address) + subject_header(filling.subject) + date_header(filling.at)
        )
        parts = [self._sender, first.encode(), *self._headers_of(filling), *self._body_of(filling)]
        before, after = self._return_path
        return Outgoing(filling.key, f"{before}{filling.message_id}{after}", address, b"".join(parts))

    def _headers_of(self, filling: Filling) -> list[bytes]:
        headers = self._headers.copy()
        message_id = filling.message_id.encode()
        for place in self._ids:
            headers[place] = message_id
        if filling.unsubscribe is not None:
            for place in self._leaving:
                headers[place] = filling.unsubscribe.encode()
        return headers

    def _body_of(self, filling: Filling) -> Iterable[bytes]:
        text = filling.text
        if filling.html is None:
            return [self._plain, *text, _line_end(text)]
        html = filling.html
        return [self._opening, *text, _line_end(text), self._middle, *html, _line_end(html), self._closing]


def _line_end(pieces: list[bytes]) -> bytes:
    """What a text still needs to end with its line."""
    for piece in reversed(pieces):
        if piece:
            return b"\r\n" if piece.endswith(SOFT_BREAK) else b""
    return b"\r\n"
