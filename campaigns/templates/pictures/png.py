"""PNG.

Source: PNG (third edition), W3C 2025.
"""

import struct
import zlib
from collections.abc import Iterator

from campaigns.templates.pictures.parts import Broken, Reader, require_fit, require_short

SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: What makes the picture; all else (texts, times, EXIF, a program's own) is left out. 5.6.
CRITICAL = frozenset((b"IHDR", b"PLTE", b"IDAT", b"IEND"))
ANCILLARY = frozenset((b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"pHYs", b"cICP"))
MOVING = frozenset((b"acTL", b"fcTL", b"fdAT"))
#: Channels of each colour type, with the depths that it may have. 11.2.1.
COLOURS = {0: (1, (1, 2, 4, 8, 16)), 2: (3, (8, 16)), 3: (1, (1, 2, 4, 8)), 4: (2, (8, 16)), 6: (4, (8, 16))}
#: First pixel and step of each pass of an interlaced picture. 8.2.
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
PROFILE = 64 * 1024  #: bytes of a colour profile that is kept


def write_png(data: bytes) -> bytes:
    """Write it anew.

    Raises:
        Broken: it is none, or too large.
    """
    kept, pixels, compressed, room = [SIGNATURE], 0, b"", None
    for kind, body, whole in _chunks(data):
        if room is None:
            room = _room(kind, body)
        if kind == b"IDAT":
            compressed += body
        if kind == b"fcTL":
            pixels += _frame(body, data)
        if kind in CRITICAL | MOVING or (kind in ANCILLARY and len(body) <= PROFILE):
            kept.append(whole)
    require_short(pixels)
    _require_whole(compressed, room or 0)
    return b"".join(kept)


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


def _frame(body: bytes, data: bytes) -> int:
    """How many pixels a picture of an animation has; it lies within the whole. 11.3.6.2."""
    if len(body) != 26:
        raise Broken("is damaged")
    width, height = struct.unpack(">II", data[16:24])
    across, down, x, y = struct.unpack(">IIII", body[4:20])
    if not across or not down or x + across > width or y + down > height:
        raise Broken("is damaged")
    return int(across * down)


def _require_whole(compressed: bytes, room: int) -> None:
    """Unpack its pixels as far as there may be any; a bomb is stopped there."""
    unpacking = zlib.decompressobj()
    try:
        unpacked = len(unpacking.decompress(compressed, room + 1))
    except zlib.error:
        raise Broken("is damaged") from None
    if unpacked != room:
        raise Broken("is cut off" if unpacked < room else "is damaged")
