"""Small pictures for tests: red on nothing, 8 × 4 pixels; a browser made the JPEG."""

import struct
import zlib
from base64 import b64decode


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def a_png(width: int = 8, height: int = 4, *more: bytes, pixels: bytes | None = None) -> bytes:
    rows = b"".join(b"\0" + b"\xcc\x33\x33" * width for _ in range(height)) if pixels is None else pixels
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + body + chunk(b"IEND", b"")


def a_gif(width: int = 1, height: int = 1, *more: bytes, frames: int = 1) -> bytes:
    size = struct.pack("<HH", width, height)
    image = b"\x2c\0\0\0\0" + size + b"\0" + b"\x02\x02\x44\x01\0"
    return (
        b"GIF89a"
        + size
        + b"\x80\0\0"
        + b"\xcc\x33\x33\xff\xff\xff"
        + b"".join(more)
        + image * frames
        + b"\x3b"
    )


JPEG = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeXBk"
    "eFxlZ2P/2wBDARESEhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2P/wAARCAAEAAgD"
    "ASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAb/xAAYEAEAAwEAAAAAAAAAAAAAAAAABkSCwf/EABUBAQEAAAAAAAAAAAAAAAAAAAIE/8QA"
    "GxEAAgEFAAAAAAAAAAAAAAAAAAEDBDIzQfD/2gAMAwEAAhEDEQA/AJeQV9cACO1FNXmfaP/Z"
)
