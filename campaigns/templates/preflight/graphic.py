"""What a picture's first bytes tell: its kind and measures, whether it moves, whether one sees through it."""

import struct
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Graphic:
    """What is known of a picture."""

    kind: str = ""  #: png, gif, jpeg, webp, svg; empty: none of them
    width: int = 0
    height: int = 0
    moves: bool = False
    clear: bool = False  #: has places that may be seen through


def read_graphic(data: bytes) -> Graphic:
    """Read a picture's beginning; whatever it is, this never fails."""
    try:
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            return _png(data)
        if data[:6] in {b"GIF87a", b"GIF89a"}:
            return _gif(data)
        if data[:3] == b"\xff\xd8\xff":
            return Graphic("jpeg")
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            flags = data[20] if data[12:16] == b"VP8X" else 0
            return Graphic("webp", moves=bool(flags & 0x02), clear=bool(flags & 0x10))
    except (struct.error, IndexError):
        return Graphic()
    return Graphic("svg" if b"<svg" in data[:1000].lower() else "")


def _png(data: bytes) -> Graphic:
    """Source: PNG (third edition), 11.2.1 IHDR: colour types 4 and 6 have an alpha channel."""
    width, height, _depth, colours = struct.unpack(">IIBB", data[16:26])
    before = data[: data.find(b"IDAT")] if b"IDAT" in data else data
    return Graphic("png", width, height, b"acTL" in before, colours in {4, 6} or b"tRNS" in before)


def _gif(data: bytes) -> Graphic:
    """Source: GIF89a, 23 (graphic control extension); the NETSCAPE2.0 extension makes it move."""
    width, height = struct.unpack("<HH", data[6:10])
    controls = data.count(b"\x21\xf9\x04")
    at = data.find(b"\x21\xf9\x04")
    clear = at >= 0 and bool(data[at + 3] & 1)
    return Graphic("gif", width, height, b"NETSCAPE2.0" in data or controls > 1, clear)
