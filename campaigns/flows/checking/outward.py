"""Where a mail leads: each link and picture of its languages, those too that are made for each reader.

An address that is some real reader's own is never asked for: it may work once only, and carry who they are.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from campaigns.delivery.fetching.rounds import Wanted
from campaigns.templates.preflight import Letter
from campaigns.templates.preflight.letter import JINJA, masked
from campaigns.templates.preflight.links import host_of, is_inner
from campaigns.templates.preflight.wording import ADDRESS
from campaigns.templates.scan import Tag
from campaigns.values import Compiled, Content

#: What examples are written with; nobody is there.
_EXAMPLES = re.compile(r"https?://(?:[\w-]+\.)*example\.(?:com|org|net)(?:[:/?#]|$)", re.IGNORECASE)
_WEB = re.compile(r"https?://", re.IGNORECASE)
MOST = 100  #: of one mail


@dataclass(frozen=True, slots=True)
class Outward:
    """An address that readers are led to, or whose picture they see."""

    url: str
    picture: bool
    near: str  #: the words around it
    line: int
    languages: tuple[str, ...]

    @property
    def wanted(self) -> Wanted:
        """How it is asked for."""
        return Wanted(self.url, self.picture)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail as one reader has it."""

    language: str
    content: Content
    customer: int | None = None  #: whose reader it is; None: nobody's, for the reader is invented

    @property
    def invented(self) -> bool:
        """Whether no real person reads it."""
        return self.customer is None


def outward(letters: Sequence[Letter], rendered: Sequence[Rendered], own: str) -> tuple[list[Outward], int]:
    """List what a mail leads to, of what was rendered for some readers too; `own` are our own pages.

    Of what real readers have, only what readers of several customers all have; and how much was left out.
    """
    safe = [
        *_led_to(letters, own),
        *_led_to(_letters(letters, [one for one in rendered if one.invented]), own),
    ]
    known = {one.wanted for one in safe}
    left_out: set[Wanted] = set()
    for language in dict.fromkeys(one.language for one in rendered):
        real = [one for one in rendered if one.language == language and not one.invented]
        each = [list(_led_to(_letters(letters, [one]), own)) for one in real]
        every = set.intersection(*({one.wanted for one in found} for found in each)) if each else set()
        common = every if len({one.customer for one in real}) > 1 else set()
        safe += [one for found in each for one in found if one.wanted in common]
        left_out |= {one.wanted for found in each for one in found} - common
    return _once(safe, letters), len(left_out - known - {one.wanted for one in safe})


def _letters(letters: Sequence[Letter], rendered: Iterable[Rendered]) -> list[Letter]:
    return [
        Letter(Compiled(one.content.subject, one.content.html, one.content.text, one.language), letter.source)
        for one in rendered
        for letter in letters
        if letter.compiled.language == one.language and one.content.html
    ]


def _led_to(letters: Iterable[Letter], own: str) -> Iterator[Outward]:
    for letter in letters:
        yield from _of_html(letter, own)
        yield from _of_text(letter, own)


def _once(led: Iterable[Outward], letters: Sequence[Letter]) -> list[Outward]:
    """Each once, with the languages in which it stands."""
    found: dict[Wanted, Outward] = {}
    for one in led:
        known = found.get(one.wanted)
        languages = known.languages if known else ()
        if known is None or not set(one.languages) <= set(languages):
            near, line = (known.near, known.line) if known else (one.near, one.line)
            both = tuple(dict.fromkeys((*languages, *one.languages)))
            found[one.wanted] = Outward(one.url, one.picture, near, line, both)
    every = {letter.compiled.language for letter in letters}
    return [
        replace(one, languages=()) if set(one.languages) == every else one
        for one in list(found.values())[:MOST]
    ]


def _of_html(letter: Letter, own: str) -> Iterator[Outward]:
    for tag in letter.tags:
        name = {"a": "href", "area": "href", "img": "src"}.get(tag.name)
        url = letter.value(tag, name) if name else None
        if url and _is_outward(url, own):
            line = letter.line_of(url) or letter.line_of(url.replace("&", "&amp;"))
            yield _found(letter, url, _near(letter, tag), line, picture=tag.name == "img")


def _of_text(letter: Letter, own: str) -> Iterator[Outward]:
    """A letter in plain text has its addresses among its words, as has a text part written by hand."""
    if letter.compiled.html is not None and not letter.source.text.strip():
        return
    text = masked(letter.compiled.text)
    for found in ADDRESS.finditer(text):
        url = found[0].strip("().,;:!?<>\"'")
        if _is_outward(url, own):
            yield _found(letter, url, "", letter.line_of(url))


def _found(letter: Letter, url: str, near: str, line: int, *, picture: bool = False) -> Outward:
    return Outward(url.partition("#")[0], picture, near, line, (letter.compiled.language,))


def _is_outward(url: str, own: str) -> bool:
    """Whether an address leads to somebody else's site, and to one that is somewhere."""
    if not _WEB.match(url) or JINJA in masked(url) or _EXAMPLES.match(url) or url.startswith(f"{own}/"):
        return False
    return not is_inner(host_of(url))


def _near(letter: Letter, tag: Tag) -> str:
    return letter.words_in(tag) if tag.name == "a" else letter.value(tag, "alt") or ""
