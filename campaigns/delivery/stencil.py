"""What all mails of a run have in common, written once; a mail fills the gaps.

`compose` writes a whole mail from a letter; a stencil is such a mail, cut where recipients differ.
"""

import re
from datetime import datetime
from typing import NamedTuple

from campaigns.delivery.compose import (
    Letter,
    date_header,
    later_headers,
    parts_of,
    sender_headers,
    subject_header,
    to_header,
)
from campaigns.delivery.headers import wire_address
from campaigns.values import MessageKey, Outgoing


class Filling(NamedTuple):
    """What one mail puts into the gaps."""

    key: MessageKey
    to_name: str
    to_address: str
    subject: str
    at: datetime
    message_id: str
    unsubscribe: str  #: the token of the leaving page; of no use where the mail cannot be left
    text: list[bytes]  #: encoded, its last line closed
    html: list[bytes]


class Stencil:
    """The constant parts of a run's mails in one language."""

    def __init__(self, letter: Letter, unsubscribe: str) -> None:
        """Cut a letter wherever its tokens stand: its message id, and the one of the leaving page.

        Raises:
            BadInput: a header cannot be written safely.
        """
        opening, self._middle, self._closing = parts_of(letter)
        gaps = re.escape(letter.message_id) + "|" + re.escape(unsubscribe)
        pieces = re.split(f"({gaps})", "".join(later_headers(letter)))
        self._ids = [place for place, piece in enumerate(pieces, 2) if piece == letter.message_id]
        self._leaving = [place for place, piece in enumerate(pieces, 2) if piece == unsubscribe]
        encoded = [piece.encode() for piece in pieces]
        encoded[-1] += opening
        self._head = [sender_headers(letter.sender).encode(), b"", *encoded]
        self._before, _, self._after = wire_address("return path", letter.return_path).partition(
            letter.message_id
        )
        self.size = sum(map(len, [*self._head, self._middle, self._closing]))  #: of what all mails have

    def fill(self, filling: Filling) -> Outgoing | None:
        """Make a mail; None for a recipient whose address needs more than ASCII.

        Raises:
            BadInput: the name, address or subject cannot be written safely.
        """
        key, to_name, to_address, subject, at, message_id, unsubscribe, text, html = filling
        address = wire_address("to", to_address)
        if not address.isascii():
            return None
        parts = self._head.copy()
        parts[1] = (to_header(to_name, address) + subject_header(subject) + date_header(at)).encode()
        token = message_id.encode()
        for place in self._ids:
            parts[place] = token
        for place in self._leaving:
            parts[place] = unsubscribe.encode()
        parts += text
        parts.append(self._middle)
        parts += html
        parts.append(self._closing)
        mail_from = f"{self._before}{message_id}{self._after}"
        return Outgoing(key, mail_from, address, b"".join(parts), dotless=True)
