"""Pictures are written anew: pixels stay, what hides beside them goes, and none fills a reader's memory."""

import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.errors import BadTemplate
from campaigns.templates.files import read_file
from campaigns.templates.pictures import write_anew
from campaigns.templates.pictures.parts import ACROSS
from tests.pictures import JPEG, a_gif, a_png, chunk

MARK = b"hidden <script>"
KINDS = {"image/png": a_png(), "image/jpeg": JPEG, "image/gif": a_gif()}
LOOP = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
SHOWN_FOR = b"\x21\xf9\x04\0\x0a\0\0\0"
COMMENT = b"\x21\xfe" + bytes((len(MARK),)) + MARK + b"\0"
PROGRAM = b"\x21\xff\x0bXMP DataXMP" + bytes((len(MARK),)) + MARK + b"\0"


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def exif(orientation: int, order: str = ">") -> bytes:
    """What a phone writes: how it was held, and where (the mark stands for that)."""
    head = (b"MM\0\x2a" if order == ">" else b"II\x2a\0") + struct.pack(order + "I", 8)
    entries = [(0x010F, 2, 4, 0x61626300), (0x0112, 3, 1, orientation << (16 if order == ">" else 0))]
    told = struct.pack(order + "H", len(entries))
    told += b"".join(struct.pack(order + "HHII", *one) for one in entries)
    return segment(0xE1, b"Exif\0\0" + head + told + bytes(4) + MARK)


def jpeg(*more: bytes, after: bytes = b"") -> bytes:
    return JPEG[:2] + b"".join(more) + JPEG[2:] + after


def refused(kind: str, data: bytes) -> str:
    with pytest.raises(BadTemplate) as raised:
        write_anew("rose", kind, data)
    [problem] = raised.value.problems
    assert problem.cure
    return problem.what


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_picture_stays_as_it_is(kind: str):
    assert write_anew("rose", kind, KINDS[kind]) == KINDS[kind]


@pytest.mark.parametrize(
    ("kind", "data", "kept"),
    [
        ("image/png", a_png(8, 4, chunk(b"tEXt", b"Comment\0" + MARK)), a_png()),
        ("image/png", a_png(8, 4, chunk(b"eXIf", MARK), chunk(b"xxXx", MARK)), a_png()),
        ("image/png", a_png() + MARK, a_png()),
        ("image/png", a_png(8, 4, chunk(b"gAMA", b"\0\0\xb1\x8f")), a_png(8, 4, chunk(b"gAMA", b"\0\0\xb1\x8f"))),
        ("image/jpeg", jpeg(segment(0xFE, MARK), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + MARK)), JPEG),
        ("image/jpeg", jpeg(segment(0xED, MARK), segment(0xE2, b"MPF\0" + MARK), after=MARK), JPEG),
        ("image/jpeg", jpeg(exif(1)), JPEG),
        ("image/gif", a_gif(1, 1, COMMENT, PROGRAM) + MARK, a_gif()),
        ("image/gif", a_gif(1, 1, LOOP, COMMENT, SHOWN_FOR, frames=2), a_gif(1, 1, LOOP, SHOWN_FOR, frames=2)),
        ("image/gif", a_gif()[:-1], a_gif()),
    ],
)  # fmt: skip
def test_what_no_reader_sees_stays_behind(kind: str, data: bytes, kept: bytes):
    made = write_anew("rose", kind, data)
    assert made == kept
    assert MARK not in made


def png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


HEAD = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 4, 8, 2, 0, 0, 0))
ROWS = zlib.compress((b"\0" + b"\xcc\x33\x33" * 8) * 4)
PIXELS, END = chunk(b"IDAT", ROWS), chunk(b"IEND", b"")
MOVES = chunk(b"acTL", struct.pack(">II", 2, 0))
PROFILE = (struct.pack(">I", 200) + bytes(32) + b"acsp").ljust(200, b"x")


def shown(number: int, across: int = 8, down: int = 4) -> bytes:
    return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, across, down, 0, 0, 1, 10, 0, 0))


def frame(number: int, packed: bytes) -> bytes:
    return chunk(b"fdAT", struct.pack(">I", number) + packed)


def profile(packed: bytes, name: bytes = b"icc") -> bytes:
    return a_png(8, 4, chunk(b"iCCP", name + b"\0\0" + packed))


@pytest.mark.parametrize(
    "data",
    [
        png(HEAD, chunk(b"IDAT", ROWS + MARK), END),
        png(HEAD, PIXELS, chunk(b"IDAT", MARK), END),
        png(HEAD, chunk(b"PLTE", MARK * 60), PIXELS, END),
        png(HEAD, PIXELS, chunk(b"IEND", MARK)),
        png(HEAD, MOVES, shown(0), PIXELS, shown(1), frame(2, ROWS + MARK), END),
        png(HEAD, MOVES, shown(0), PIXELS, frame(1, MARK), END),
    ],
)
def test_nothing_hides_behind_packed_pixels(data: bytes):
    assert refused("image/png", data).endswith("is damaged.")


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (a_png(8, 4, chunk(b"gAMA", MARK * 100)), a_png()),
        (png(HEAD, PIXELS, frame(0, MARK), END), a_png()),
        (profile(zlib.compress(b"\0" * 60_000_000)), a_png()),
        (profile(zlib.compress(PROFILE) + MARK), a_png()),
        (profile(zlib.compress(MARK)), a_png()),
        (profile(MARK), a_png()),
        (profile(zlib.compress(PROFILE), name=MARK), profile(zlib.compress(PROFILE))),
    ],
)
def test_nothing_hides_in_what_a_png_says_of_its_colours(data: bytes, kept: bytes):
    assert write_anew("rose", "image/png", data) == kept


def test_a_moving_png_moves_on_and_each_of_its_pictures_is_whole():
    small = zlib.compress(b"\0" + b"\xcc\x33\x33" * 2)
    moving = png(HEAD, MOVES, shown(0), PIXELS, shown(1, 2, 1), frame(2, small[:5]), frame(3, small[5:]), END)
    assert write_anew("rose", "image/png", moving) == moving
    cut = png(HEAD, MOVES, shown(0), PIXELS, shown(1), frame(2, small), END)
    assert "is cut off" in refused("image/png", cut)


def test_a_jpeg_keeps_a_profile_that_is_one_and_no_smaller_picture_within():
    begin, rest = JPEG[:20], JPEG[20:]
    assert begin[6:11] == b"JFIF\0"
    thumbnail = JPEG[:2] + segment(0xE0, begin[6:18] + b"\1\5" + MARK) + rest
    assert write_anew("rose", "image/jpeg", thumbnail) == JPEG
    parts = [b"ICC_PROFILE\0\1\2" + PROFILE[:90], b"ICC_PROFILE\0\2\2" + PROFILE[90:]]
    told = jpeg(*(segment(0xE2, one) for one in parts))
    assert write_anew("rose", "image/jpeg", told) == told
    assert write_anew("rose", "image/jpeg", jpeg(segment(0xE2, parts[0] + MARK))) == JPEG
    assert write_anew("rose", "image/jpeg", told + MARK) == told


def test_nothing_hides_in_what_a_gif_says_of_its_moving():
    said = bytes((len(MARK),)) + MARK + b"\0"
    assert write_anew("rose", "image/gif", a_gif(1, 1, LOOP[:-1] + said, SHOWN_FOR[:-1] + said)) == a_gif()


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("order", "<>")
def test_a_photo_stays_as_it_was_turned_and_says_no_more_where_it_was_taken(orientation: int, order: str):
    made = write_anew("rose", "image/jpeg", jpeg(exif(orientation, order)))
    assert MARK not in made
    assert len(made) == len(JPEG) + 36
    assert write_anew("rose", "image/jpeg", made) == made
    assert made[2:38].endswith(struct.pack(">HHIHHI", 0x0112, 3, 1, orientation, 0, 0)[:10] + bytes(6))


@pytest.mark.parametrize(
    ("kind", "data", "what"),
    [
        ("image/png", a_png(ACROSS + 1, 1), "is too large"),
        ("image/png", a_png(7000, 7000, pixels=b""), "is too large"),
        ("image/png", a_png(0, 4), "has no pixels"),
        ("image/png", a_png(pixels=b"\0" * 10), "is cut off"),
        ("image/png", a_png().replace(b"IHDR\0\0\0\x08", b"IHDR\0\0\0\x09"), "is damaged"),
        ("image/png", a_png(8, 4, chunk(b"ABCD", b"x")), "mail programs do not show"),
        ("image/gif", a_gif(ACROSS + 1, 1), "is too large"),
        ("image/gif", a_gif(5000, 5000, frames=11), "moves for too long"),
        ("image/gif", a_gif(frames=0), "has no pixels"),
        ("image/gif", a_gif()[:-1] + b"\x99", "is damaged"),
        ("image/jpeg", JPEG.replace(b"\0\x04\0\x08\x03", b"\xff\x04\0\x08\x03"), "is too large"),
        ("image/jpeg", JPEG.replace(b"\xff\xc0", b"\xff\xc9"), "mail programs do not show"),
        ("image/jpeg", JPEG[:-2], "is cut off"),
        ("image/jpeg", b"\xff\xd8\xff\xd9", "has no pixels"),
    ],
)  # fmt: skip
def test_what_is_damaged_or_too_large_is_refused_and_says_so(kind: str, data: bytes, what: str):
    assert what in refused(kind, data)


def test_a_picture_that_unpacks_to_more_than_its_pixels_is_stopped_there():
    bomb = a_png(pixels=b"\0" * 100_000_000)
    assert len(bomb) < 200_000
    tracemalloc.start()
    assert refused("image/png", bomb).endswith("is damaged.")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2_000_000


def test_an_interlaced_picture_has_the_pixels_of_its_passes():
    passes = [(1, 1), (1, 1), (2, 1), (4, 1), (4, 2), (8, 2)]  # of 8 × 4 pixels; the third has none of them
    assert sum(across * down for across, down in passes) == 8 * 4
    rows = b"".join((b"\0" + b"\xcc\x33\x33" * across) * down for across, down in passes)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 4, 8, 2, 0, 0, 1))

    def made(pixels: bytes) -> bytes:
        body = chunk(b"IDAT", zlib.compress(pixels))
        return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")

    assert write_anew("rose", "image/png", made(rows)) == made(rows)
    assert "is cut off" in refused("image/png", made(rows[:-1]))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(KINDS)), st.data())
def test_a_cut_picture_is_refused_and_a_damaged_one_never_breaks_us(kind: str, draw: st.DataObject):
    whole = KINDS[kind]
    place = draw.draw(st.integers(8, len(whole) - 3))
    assert refused(kind, whole[:place])
    flipped = bytearray(whole)
    flipped[place] ^= draw.draw(st.integers(1, 255))
    try:
        made = write_anew("rose", kind, bytes(flipped))
    except BadTemplate:
        return
    assert write_anew("rose", kind, made) == made


def test_an_uploaded_picture_within_a_mail_is_written_anew_and_a_file_beside_it_is_not():
    told = a_png(8, 4, chunk(b"tEXt", MARK))
    assert read_file("a.png", told, within=True).data == a_png()
    assert read_file("a.png", told, within=False).data == told
