"""The parts of a mail: what stands around its text and its HTML, and the files that go with it.

mixed( alternative( text, related( html, pictures within it ) ), attachments ), each as far as it is needed.
"""

import re
from base64 import encodebytes
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from campaigns.delivery.headers import FORBIDDEN, bad
from campaigns.values import Attachment

MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
CONTENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}(?:@[A-Za-z0-9.-]{1,60})?")
LONGEST_NAME = 200

_QUOTABLE = re.compile(r"[ !#-\[\]-~]{1,50}")
_SECTION = 54  #: characters of a name on one line


class Frame(NamedTuple):
    """What stands before the text, between it and the HTML, and behind all."""

    opening: bytes
    middle: bytes
    closing: bytes


def frame(run: int, files: Sequence[Attachment], *, has_html: bool) -> Frame:
    """Write all that is not text; '=_' cannot occur in quoted-printable text, nor '_' in base64.

    Pictures need an HTML part to be in; without one they are attached like any other file.

    Raises:
        BadInput: a file's name, type or content id fits no header.

    Source: RFC 2046 §5.1, RFC 2387, RFC 2045 §6.7.
    """
    inline = [one for one in files if one.content_id is not None and has_html]
    attached = [one for one in files if one not in inline]
    made = _alternatives(run, inline) if has_html else Frame(part_head("plain"), b"", b"")
    if not attached:
        return made
    between = b"=_mixed_%d" % run
    opening = multipart("mixed", between) + b"--%s\r\n" % between + made.opening
    return Frame(opening, made.middle, made.closing + _closed(between, attached))


def _alternatives(run: int, inline: Sequence[Attachment]) -> Frame:
    between = b"=_run_%d" % run
    opening = multipart("alternative", between) + b"--%s\r\n" % between + part_head("plain")
    middle, closing = b"\r\n--%s\r\n" % between, b"\r\n--%s--\r\n" % between
    if not inline:
        return Frame(opening, middle + part_head("html"), closing)
    within = b"=_related_%d" % run
    related = multipart("related", within, b' type="text/html";') + b"--%s\r\n" % within
    return Frame(opening, middle + related + part_head("html"), _closed(within, inline) + closing)


def multipart(kind: str, boundary: bytes, more: bytes = b"") -> bytes:
    """The headers of a part of parts, and the empty line below them."""
    return b'Content-Type: multipart/%s;%s\r\n boundary="%s"\r\n\r\n' % (kind.encode(), more, boundary)


def part_head(kind: str) -> bytes:
    """The headers of a text, and the empty line below them."""
    head = f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    return head.encode()


def _closed(between: bytes, files: Sequence[Attachment]) -> bytes:
    parts = [b"\r\n--%s\r\n%s" % (between, _file(one)) for one in files]
    return b"".join(parts) + b"\r\n--%s--\r\n" % between


@lru_cache(maxsize=32)
def _file(one: Attachment) -> bytes:
    """A file as a part.

    Source: RFC 2183, RFC 2231, RFC 2392.
    """
    if not MEDIA_TYPE.fullmatch(one.media_type) or one.media_type.lower().startswith(
        ("multipart/", "message/")
    ):
        raise bad(f"file {one.name[:80]}", f"{one.media_type[:80]!r} is no type of a file.")
    lines = [f"Content-Type: {one.media_type}", "Content-Transfer-Encoding: base64"]
    placed = "attachment" if one.content_id is None else "inline"
    lines.append(f"Content-Disposition: {placed};\r\n {_file_name(one.name)}")
    if one.content_id is not None:
        if not CONTENT_ID.fullmatch(one.content_id):
            raise bad(f"file {one.name[:80]}", f"{one.content_id[:80]!r} cannot be written after cid:.")
        lines.append(f"Content-ID: <{one.content_id}>")
    head = "\r\n".join(lines) + "\r\n\r\n"
    return head.encode() + encodebytes(one.data).replace(b"\n", b"\r\n")


def _file_name(name: str) -> str:
    if FORBIDDEN.search(name) or not name.strip() or len(name) > LONGEST_NAME:
        raise bad(f"file {name[:80]!r}", f"a name of 1 to {LONGEST_NAME} characters on one line is needed.")
    if _QUOTABLE.fullmatch(name) and "=?" not in name:  # many readers decode what looks like an encoded word
        return f'filename="{name}"'
    sections = [""]
    for sign in name:  # some readers decode each line by itself, so no character is cut
        written = quote(sign.encode("utf-8", "replace"), safe="!#$&+^_`{}~")
        if len(sections[-1]) + len(written) > _SECTION:
            sections.append("")
        sections[-1] += written
    if len(sections) == 1:
        return f"filename*=utf-8''{sections[0]}"
    first, *others = sections
    rest = [f" filename*{number}*={section}" for number, section in enumerate(others, 1)]
    return ";\r\n".join([f"filename*0*=utf-8''{first}", *rest])
