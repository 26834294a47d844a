"""JPEG.

Source: ITU-T T.81, annex B; JFIF 1.02; Exif 2.32, 4.6.4 (orientation).
"""

import struct
from collections.abc import Mapping

from campaigns.templates.pictures.parts import Broken, Reader, is_profile, require_fit

SOI, EOI, SOS, DRI, DQT, DHT, APP0, APP1, APP2, APP14, COM = (
    *(0xD8, 0xD9, 0xDA, 0xDD, 0xDB, 0xC4),
    *(0xE0, 0xE1, 0xE2, 0xEE, 0xFE),
)
FRAMES = frozenset((0xC0, 0xC1, 0xC2))  #: baseline, extended and progressive: what is shown everywhere
OTHER_FRAMES = frozenset(range(0xC0, 0xD0)) - FRAMES - {DHT, 0xC8, 0xCC}
RESTARTS = range(0xD0, 0xD8)
TABLES = frozenset((DQT, DHT, DRI))
PROFILE = b"ICC_PROFILE\0"
NUMBERED = len(PROFILE) + 2  #: a part of a profile says which of how many it is
#: Of what programs add, what the colours and the pixels' shape depend on, with its length.
KEPT = {APP0: (b"JFIF\0", 14), APP14: (b"Adobe", 12)}
UPRIGHT = 1


def write_jpeg(data: bytes) -> bytes:
    """Write it anew.

    Raises:
        Broken: it is none, or too large.
    """
    reader, kept, profile = Reader(data, 2), [b"\xff\xd8"], dict[int, bytes]()
    orientation, framed, scanned = UPRIGHT, False, False
    while True:
        begins, marker = reader.at, _marker(reader)
        if marker == EOI:
            break
        body = reader.take(_length(reader) - 2)
        whole = reader.since(begins)
        if marker in OTHER_FRAMES:
            raise Broken("is of a kind that mail programs do not show")
        if marker in FRAMES:
            _require_frame(body)
            framed = True
        if marker == APP1 and orientation == UPRIGHT:
            orientation = _orientation(body)
        if marker == SOS:
            scanned = framed
            whole += _scan(reader)
        if marker == APP2 and body.startswith(PROFILE):
            profile[len(kept)] = body
        kept.append(whole if marker in FRAMES | TABLES | {SOS} else _needed(marker, body))
    if not scanned:
        raise Broken("has no pixels")
    kept = _without_false(profile, kept)
    if orientation != UPRIGHT:
        kept.insert(1, _exif(orientation))
    return b"".join((*kept, b"\xff\xd9"))


def _needed(marker: int, body: bytes) -> bytes:
    """What a program added, as far as it is kept: JFIF's may have a smaller picture within; or nothing."""
    if marker == APP2 and body.startswith(PROFILE):
        return _segment(marker, body)
    begin, length = KEPT.get(marker, (b"", 0))
    if not length or not body.startswith(begin) or len(body) < length:
        return b""
    return _segment(marker, body[:12] + b"\0\0" if marker == APP0 else body[:length])


def _without_false(profile: Mapping[int, bytes], kept: list[bytes]) -> list[bytes]:
    """Leave out the parts of a profile, told by their places, where together they are none."""
    if is_profile(b"".join(part[NUMBERED:] for part in profile.values())):
        return kept
    return [one for place, one in enumerate(kept) if place not in profile]


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def _marker(reader: Reader) -> int:
    """The next marker; any number of fill bytes may stand before it. B.1.1.2."""
    if reader.take(1) != b"\xff":
        raise Broken("is damaged")
    found = reader.number(1)
    while found == 0xFF:
        found = reader.number(1)
    if found in {0x00, 0x01, SOI} or found in RESTARTS:
        raise Broken("is damaged")
    return found


def _length(reader: Reader) -> int:
    found = reader.number(2)
    if found < 2:
        raise Broken("is damaged")
    return found


def _require_frame(body: bytes) -> None:
    if len(body) < 6:
        raise Broken("is damaged")
    _precision, height, width, components = struct.unpack(">BHHB", body[:6])
    if not components or len(body) != 6 + 3 * components:
        raise Broken("is damaged")
    require_fit(width, height)


def _scan(reader: Reader) -> bytes:
    """The pixels behind a scan's head, up to the next marker."""
    begins = reader.at
    while True:
        reader.at = reader.find(b"\xff")
        marker = reader.take(2)[1]
        if marker != 0x00 and marker not in RESTARTS:
            reader.at -= 2
            return reader.since(begins)


def _orientation(body: bytes) -> int:
    """How the picture is to be turned; upright where that cannot be told."""
    try:
        if not body.startswith(b"Exif\0\0"):
            return UPRIGHT
        order = {b"II": "<", b"MM": ">"}[body[6:8]]
        tiff = body[6:]
        (place,) = struct.unpack(order + "I", tiff[4:8])
        (count,) = struct.unpack(order + "H", tiff[place : place + 2])
        for number in range(min(count, 200)):
            entry = tiff[place + 2 + 12 * number :][:12]
            tag, _kind, _count, value = struct.unpack(order + "HHIH2x", entry)
            if tag == 0x0112:
                return value if 1 <= value <= 8 else UPRIGHT
    except (KeyError, struct.error):
        pass
    return UPRIGHT


def _exif(orientation: int) -> bytes:
    """A segment that says how the picture is to be turned, and nothing else."""
    tiff = b"MM\0\x2a\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    return _segment(APP1, b"Exif\0\0" + tiff)
