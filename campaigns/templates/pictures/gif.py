"""GIF.

Source: GIF89a specification, CompuServe 1990.
"""

from campaigns.templates.pictures.parts import Broken, Reader, require_fit, require_short

EXTENSION, IMAGE, TRAILER = 0x21, 0x2C, 0x3B
CONTROL, APPLICATION = 0xF9, 0xFF
LOOPING = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
CONTROL_LENGTH, LOOPING_LENGTH = 6, 17  #: with what is longer something else came along
COLOUR_TABLE = 0x80
LOCAL_HEAD = 10
CODE_SIZES = range(2, 9)


def write_gif(data: bytes) -> bytes:
    """Write it anew.

    Raises:
        Broken: it is none, or too large.
    """
    reader = Reader(data)
    reader.take(6)
    width, height = reader.number(2, "little"), reader.number(2, "little")
    require_fit(width, height)
    reader.take(_table(reader.take(3)[0]))
    kept, pixels = [reader.since(0)], 0
    while (block := reader.peek()) not in {TRAILER, None}:
        begins = reader.at
        if block == EXTENSION:
            if _is_needed(reader):
                kept.append(reader.since(begins))
        elif block == IMAGE:
            pixels += _image(reader, width, height)
            kept.append(reader.since(begins))
        else:
            raise Broken("is damaged")
    if not pixels:
        raise Broken("has no pixels")
    require_short(pixels)
    return b"".join((*kept, bytes((TRAILER,))))


def _table(flags: int) -> int:
    """How many bytes a table of colours takes. 18, 20."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & COLOUR_TABLE else 0


def _is_needed(reader: Reader) -> bool:
    """Read an extension; keep how a picture is shown, and how often it moves, and no comment of anybody's."""
    reader.take(1)
    label, begins = reader.number(1), reader.at
    _blocks(reader)
    body = reader.since(begins)
    if label == CONTROL:
        return len(body) == CONTROL_LENGTH
    return label == APPLICATION and body[1:12] in LOOPING and len(body) == LOOPING_LENGTH


def _image(reader: Reader, width: int, height: int) -> int:
    """Read a picture; gives how many pixels it has."""
    head = reader.take(LOCAL_HEAD)
    x, y, across, down = (int.from_bytes(head[at : at + 2], "little") for at in (1, 3, 5, 7))
    require_fit(across, down)
    if x + across > width or y + down > height:
        raise Broken("is damaged")
    reader.take(_table(head[9]))
    if reader.number(1) not in CODE_SIZES:
        raise Broken("is damaged")
    _blocks(reader)
    return across * down


def _blocks(reader: Reader) -> None:
    """Pieces with their lengths before them, up to an empty one. 15."""
    while length := reader.number(1):
        reader.take(length)
