"""PNG.

Source: PNG (third edition), W3C 2025.
"""

import struct
import zlib
from collections.abc import Iterator

from campaigns.templates.pictures.parts import Broken, Reader, is_profile, require_fit, require_short

SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: What makes the picture; all else (texts, times, EXIF, a program's own) is left out. 5.6.
CRITICAL = frozenset((b"IHDR", b"PLTE", b"IDAT", b"IEND"))
#: What is kept beside that, with the most bytes that it needs: a longer one holds something else. 11.3.
ANCILLARY = {
    b"tRNS": 256, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"sBIT": 4,
    b"bKGD": 6, b"pHYs": 9, b"cICP": 4, b"acTL": 8,
}  # fmt: skip
PALETTE = 3 * 256
MOVING = frozenset((b"fcTL", b"fdAT"))
#: Channels of each colour type, with the depths that it may have. 11.2.1.
COLOURS = {0: (1, (1, 2, 4, 8, 16)), 2: (3, (8, 16)), 3: (1, (1, 2, 4, 8)), 4: (2, (8, 16)), 6: (4, (8, 16))}
#: First pixel and step of each pass of an interlaced picture. 8.2.
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
PROFILE = 64 * 1024  #: bytes of a colour profile that is kept, unpacked
PIECE = 64 * 1024  #: bytes that are unpacked at once


def write_png(data: bytes) -> bytes:
    """Write it anew.

    Raises:
        Broken: it is none, or too large.
    """
    chunks = _chunks(data)
    kind, head, whole = next(chunks)
    pixels, moving = _Packed(_room(kind, head)), _Moving(head)
    kept, seen = [SIGNATURE, whole], {kind}
    for kind, body, whole in chunks:
        if kind == b"IDAT":
            pixels.feed(body)
        elif kind in MOVING and b"acTL" in seen:
            moving.feed(kind, body, first=b"IDAT" not in seen)
        elif not _is_needed(kind, body, seen):
            continue
        kept.append(_profile(body) if kind == b"iCCP" else whole)
        seen.add(kind)
    pixels.finish()
    moving.finish()
    return b"".join(kept)


def _is_needed(kind: bytes, body: bytes, seen: set[bytes]) -> bool:
    """Whether a chunk says how the picture is shown, and no more; what makes it must be as it has to."""
    if kind in CRITICAL:
        if kind in seen or len(body) > (PALETTE if kind == b"PLTE" else 0) or len(body) % 3:
            raise Broken("is damaged")
        return True
    return kind not in seen and (kind == b"iCCP" or len(body) <= ANCILLARY.get(kind, -1))


def _profile(body: bytes) -> bytes:
    """A colour profile anew, without its name; nothing where more is packed into it than a profile has."""
    packed = body.partition(b"\0")[2]
    unpacking = zlib.decompressobj()
    try:
        profile = unpacking.decompress(packed[1:], PROFILE + 1)
    except zlib.error:
        return b""
    if packed[:1] != b"\0" or not unpacking.eof or unpacking.unused_data or not is_profile(profile):
        return b""
    named = b"iCCP" + b"icc\0" + packed
    return struct.pack(">I", len(named) - 4) + named + struct.pack(">I", zlib.crc32(named))


class _Packed:
    """Packed pixels, which come to just so many bytes; no more is ever unpacked, and none kept."""

    def __init__(self, room: int) -> None:
        self._unpacking, self._room = zlib.decompressobj(), room

    def feed(self, packed: bytes) -> None:
        """Unpack some more, as far as there may be any; a bomb is stopped there."""
        unpacked = b"begin"
        while packed or unpacked:
            try:
                unpacked = self._unpacking.decompress(packed, PIECE)
            except zlib.error:
                raise Broken("is damaged") from None
            self._room -= len(unpacked)
            packed = self._unpacking.unconsumed_tail
            if self._room < 0 or self._unpacking.unused_data:
                raise Broken("is damaged")

    def finish(self) -> None:
        """See that nothing is missing."""
        if self._room or not self._unpacking.eof:
            raise Broken("is cut off")


class _Moving:
    """The pictures of an animation, after the first."""

    def __init__(self, head: bytes) -> None:
        self._head, self._area, self._frame = head, 0, _Packed(0)
        self._begun = False

    def feed(self, kind: bytes, body: bytes, *, first: bool) -> None:
        """Read what tells of a picture, or some of its pixels. The first has those of the whole. 11.3.6."""
        if kind == b"fdAT":
            if not self._begun:
                raise Broken("is damaged")
            self._frame.feed(body[4:])
            return
        across, down = _frame(body, self._head)
        self._area += across * down
        require_short(self._area)
        if first:
            return
        self.finish()
        self._begun = True
        self._frame = _Packed(_room(b"IHDR", struct.pack(">II", across, down) + self._head[8:]))

    def finish(self) -> None:
        """See that nothing is missing of the last one."""
        if self._begun:
            self._frame.finish()


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Each chunk up to the last: its type, its body, the whole."""
    reader, kind = Reader(data, len(SIGNATURE)), b""
    while kind != b"IEND":
        begins = reader.at
        body_length, kind = reader.number(4), reader.take(4)
        if body_length > len(data) or not (kind.isalpha() and kind.isascii()):
            raise Broken("is damaged")
        body = reader.take(body_length)
        if reader.number(4) != zlib.crc32(kind + body):
            raise Broken("is damaged")
        if kind not in CRITICAL and kind[:1].isupper():
            raise Broken("is of a kind that mail programs do not show")
        yield kind, body, reader.since(begins)


def _room(kind: bytes, body: bytes) -> int:
    """How many bytes its pixels take, from its first chunk."""
    if kind != b"IHDR" or len(body) != 13:
        raise Broken("is damaged")
    width, height, depth, colours, _compression, _filters, interlaced = struct.unpack(">IIBBBBB", body)
    require_fit(width, height)
    channels, depths = COLOURS.get(colours, (0, ()))
    if depth not in depths or interlaced > 1:
        raise Broken("is damaged")
    bits = channels * depth
    if not interlaced:
        return _rows(width, height, bits)
    sizes = ((-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in ADAM7)
    return sum(_rows(across, down, bits) for across, down in sizes if across > 0 and down > 0)


def _rows(width: int, height: int, bits: int) -> int:
    return height * (1 + -(-width * bits // 8))


def _frame(body: bytes, head: bytes) -> tuple[int, int]:
    """How large a picture of an animation is; it lies within the whole. 11.3.6.2."""
    if len(body) != 26:
        raise Broken("is damaged")
    width, height = struct.unpack(">II", head[:8])
    across, down, x, y = struct.unpack(">IIII", body[4:20])
    if not across or not down or x + across > width or y + down > height:
        raise Broken("is damaged")
    return across, down
