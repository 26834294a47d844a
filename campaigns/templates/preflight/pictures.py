"""A mail's pictures: what stands for them where they do not show, how heavy they are, whence they come."""

import re
from collections.abc import Iterator

from campaigns.templates.preflight.findings import Finding, Size, hint, warning
from campaigns.templates.preflight.graphic import read_graphic
from campaigns.templates.preflight.letter import Letter, attribute, declared
from campaigns.templates.scan import Tag
from campaigns.values import Content

MOST = 1000  #: pictures looked at of one mail
HEAVY = 1_000_000  #: bytes
NOT_LIGHT = 300_000
HEAVY_ANIMATION = 500_000
FEW_WORDS = 20
_FILE_NAME = re.compile(
    r"^[\w-]+\.(?:png|jpe?g|gif|webp|svg)$|^(?:image|img|picture|photo|bild|foto)[\s_-]*\d*$", re.IGNORECASE
)


def check(letter: Letter) -> Iterator[Finding]:
    """Look at each picture, then at all of them together."""
    shown = 0
    for tag in [one for one in letter.tags if one.name == "img"][:MOST]:
        source = attribute(tag, "src")
        address = letter.value(tag, "src") or ""
        line = letter.line_of(letter.html[source.start : source.end]) if source and address else 0
        shown += not _is_tiny(letter, tag)
        for found in (
            *_alternative(letter, tag, address),
            *_address(address),
            *_measures(letter, tag, address),
        ):
            yield found.at(line=line)
    if shown:
        yield from _without_words(letter)
    yield from _files(letter)


def _alternative(letter: Letter, tag: Tag, address: str) -> Iterator[Finding]:
    alt = letter.value(tag, "alt")
    name = address[-60:] or "without an address"
    if alt is None:
        what = "The picture %(picture)s has no alternative text."
        yield warning(what, 'Say in alt="…" what it shows, or alt="" if it only decorates.', picture=name)
    elif _FILE_NAME.match(alt):
        what = "The alternative text of the picture %(picture)s is a file's name: %(alt)s."
        yield warning(what, 'Say what it shows, or alt="" if it only decorates.', picture=name, alt=alt[:60])


def _address(address: str) -> Iterator[Finding]:
    if address.lower().startswith("http://"):
        what = "The picture %(picture)s is fetched without encryption."
        yield warning(what, "Use https.", picture=address[-60:])
    elif not address:
        yield warning("A picture has no address.", "Put in where it is.")
    elif not re.match(r"https?://|cid:|data:|\{|//", address, re.IGNORECASE):
        what = "The picture %(picture)s has no host; nobody can fetch it."
        yield warning(what, "Begin its address with https://.", picture=address[-60:])


def _measures(letter: Letter, tag: Tag, address: str) -> Iterator[Finding]:
    style = declared(letter.value(tag, "style"))
    if letter.value(tag, "width") or "width" in style or "max-width" in style:
        return
    what = "The picture %(picture)s has no width; Outlook shows it in its full size."
    yield hint(what, 'Write width="…".', picture=address[-60:] or "without an address")


def _is_tiny(letter: Letter, tag: Tag) -> bool:
    """A spacer or a pixel, which shows nothing."""
    return {letter.value(tag, "width"), letter.value(tag, "height")} & {"0", "1"} != set()


def _without_words(letter: Letter) -> Iterator[Finding]:
    """Count the words beside the pictures, without those that every mail's foot has."""
    count = len(letter.own_words(letter.read_text))
    if isinstance(letter.example, Content) and count < FEW_WORDS:
        what = "The mail is hardly more than pictures: %(count)s words beside them."
        cure = "Say the main thing in words; many see no pictures, and filters mistrust such mails."
        yield warning(what, cure, count=count)


def _files(letter: Letter) -> Iterator[Finding]:
    for one in letter.files:
        if one.content_id is None:
            continue
        known = read_graphic(one.data)
        if known.moves and len(one.data) > HEAVY_ANIMATION:
            what = "The animation %(name)s has %(size)s."
            cure = "Shorten it, or show fewer colours; Outlook for Windows shows its first frame only."
            yield warning(what, cure, name=one.name, size=Size(len(one.data)))
        elif len(one.data) > HEAVY:
            what = "The picture %(name)s has %(size)s; on the road it may never show."
            yield warning(
                what,
                "Make it smaller: 1200 pixels across are enough.",
                name=one.name,
                size=Size(len(one.data)),
            )
        elif len(one.data) > NOT_LIGHT:
            what = "The picture %(name)s has %(size)s; every recipient gets it."
            yield hint(what, "Make it smaller, or link to it.", name=one.name, size=Size(len(one.data)))
