"""Numbered links and the pixel, put into a compiled mail once, before anybody's copy is rendered.

Only the HTML part is instrumented. Addresses in the text part stay as they are: a reader of plain text sees
the whole address, and a long tracked one there looks like fraud.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from html import unescape
from typing import NamedTuple
from urllib.parse import urlsplit

from campaigns.values import Link

PIXEL = (
    '<img src="{{ links.open }}" width="1" height="1" alt=""'
    ' style="display:block;width:1px;height:1px;border:0">'
)
#: The number of a link that no person sees, so that only what follows all links of a mail follows it.
HONEYPOT = 0
#: Stands for a survey's own page, whose links have no number: the hits on it are clicks too. It is not -1,
#: which stands for no link at all where hits are only counted.
SURVEY_PAGE = -2
#: Empty, so that there is nothing to see even where a mail program knows no styles. It has the token of the
#: other links, and stands beside the pixel: of all pieces of a mail it is the least.
TRAP = (
    f'<a href="{{{{ links.click }}}}/{HONEYPOT}" aria-hidden="true" tabindex="-1"'
    ' style="display:none;mso-hide:all"></a>'
)
#: Gmail cuts a mail off at about 102 KB; a pixel at the end of a longer one would never be fetched.
LONG_HTML = 90 * 1024

_STRING = r"\"(?:\\.|[^\"\\])*+\"|'(?:\\.|[^'\\])*+'"
_BRACES = rf"\{{(?>{_STRING}|[^{{}}\"']|\{{(?>{_STRING}|[^{{}}\"'])*+\}})*+\}}"
_JINJA = re.compile(
    r"(?P<raw>\{%[-+]?\s*raw\s*[-+]?%\}.*?\{%[-+]?\s*endraw\s*[-+]?%\})"
    r"|\{\#.*?\#\}"
    rf"|\{{%(?>{_STRING}|[^\"'%]|%(?!\}}))*+%\}}"
    rf"|\{{\{{(?>{_STRING}|{_BRACES}|[^\"'{{}}]|\}}(?!\}}))*+\}}\}}",
    re.DOTALL,
)
# As in the HTML standard, what is never closed reaches to the end; so no input is read twice over.
_VALUE = r"\"(?P<dq>[^\"]*+)(?:\"|\Z)|'(?P<sq>[^']*+)(?:'|\Z)|(?P<bare>[^\s>\"'][^\s>]*+)"
_ATTRIBUTE = rf"(?P<name>[^\s/>][^\s/>=]*+)(?:\s*=\s*(?:{_VALUE}))?+"
_ATTRIBUTES = re.compile(_ATTRIBUTE)
_NAMELESS = re.sub(r"\?P<\w+>", "?:", _ATTRIBUTE)
#: What a document is made of, for our purpose. A conditional comment's content is read like any other:
#: Outlook follows the links in it. Everything else in comments, styles and the like is no markup.
_MARKUP = re.compile(
    r"<!--\[if[^>]*>"
    r"|<!--(?:-?>|.*?(?:-->|\Z))"
    r"|<(?P<text>script|style|title|textarea|xmp)\b.*?(?:</(?P=text)\s*>|\Z)"
    r"|(?P<end></body\s*>)"
    rf"|<(?P<tag>[a-z][^\s/>]*+)(?P<attributes>(?>[\s/]+|{_NAMELESS})*+)(?:>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_OUR_LINK = re.compile(r"\{\{[-+]?\s*links\.\w+\s*[-+]?\}\}[/?#\w=&;.-]*")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_WHITE = " \t\n\f\r"
_UNTRACKABLE = frozenset({"mailto", "tel", "sms", "cid", "data"})


class Untracked(NamedTuple):
    """A link that people can follow without our knowing, and why."""

    href: str  #: as it is written
    why: str
    line: int  #: of the compiled HTML
    personal_host: bool = False  #: a merge field decides which site the link leads to


class Instrumented(NamedTuple):
    """A compiled mail with its links numbered, and what the numbers stand for."""

    html: str
    links: tuple[Link, ...]
    untracked: tuple[Untracked, ...]


class _Href(NamedTuple):
    start: int
    value: str


def instrument(html: str, *, first: int = 1, track: bool = True) -> Instrumented:
    """Number the links of compiled HTML (a Jinja source that parses) from `first`, and place pixel and trap.

    Each literal http or https address of <a>, <area> and Outlook's <v:…> becomes `{{ links.click }}/N`; the
    same address twice gets two numbers, so that places can be told apart. An address that Jinja makes is
    left as it is and listed. A mail with numbered links also gets the one that only machines follow. No other
    character of the document changes.
    """
    if not track:
        return Instrumented(html, (), ())
    page = _Page(html)
    links: list[Link] = []
    untracked: list[Untracked] = []
    pieces, done = [], 0
    for href in page.hrefs():
        why = page.obstacle(href)
        if why is None:
            links.append(Link(first + len(links), destination(href.value)))
            pieces += [html[done : href.start], f"{{{{ links.click }}}}/{links[-1].number}"]
            done = href.start + len(href.value)
        elif why:
            untracked.append(page.untracked(href, why))
    pieces.append(html[done:])
    mark = PIXEL + TRAP if links else PIXEL
    return Instrumented(_marked("".join(pieces), mark), tuple(links), tuple(untracked))


def destination(value: str) -> str:
    """Read an href's value as a browser does: entities, edges, and line breaks within.

    The address may still hold letters beyond ASCII; who puts it into a Location header must encode them.
    """
    return re.sub(r"[\t\n\r]", "", unescape(value).strip(_WHITE)).replace(" ", "%20")


class _Page:
    """A document with its Jinja masked: same length, so that every offset holds in both."""

    def __init__(self, html: str) -> None:
        self.html = html
        self.filler = next(letter for letter in map(chr, range(0xE000, 0xF900)) if letter not in html)
        self.raw: list[tuple[int, int]] = []
        self.masked = _JINJA.sub(self._mask, html)

    def _mask(self, match: re.Match[str]) -> str:
        if match["raw"] is None:
            return self.filler * len(match[0])
        self.raw.append(match.span())
        opening, closing = match[0].index("%}") + 2, len(match[0]) - match[0].rindex("{%")
        return self.filler * opening + match[0][opening:-closing] + self.filler * closing

    def markup(self) -> Iterator[re.Match[str]]:
        return _MARKUP.finditer(self.masked)

    def in_raw(self, place: int) -> bool:
        found = bisect_right(self.raw, (place, len(self.html)))
        return bool(found) and place < self.raw[found - 1][1]

    def hrefs(self) -> Iterator[_Href]:
        for tag in self.markup():
            if tag["tag"] and tag[0].endswith(">") and self._leads_somewhere(tag["tag"]):
                yield from self._hrefs_of(tag)

    def _leads_somewhere(self, tag: str) -> bool:
        name = tag.strip(self.filler).lower()
        return name in {"a", "area"} or name.startswith("v:")

    def _hrefs_of(self, tag: re.Match[str]) -> Iterator[_Href]:
        for attribute in _ATTRIBUTES.finditer(self.masked, *tag.span("attributes")):
            # {% if … %} right before a name is masked without a space between.
            if attribute["name"].strip(self.filler).lower() != "href":
                continue
            for group in ("dq", "sq", "bare"):
                if attribute[group] is not None:
                    start, end = attribute.span(group)
                    yield _Href(start, self.html[start:end])

    def obstacle(self, href: _Href) -> str | None:
        """Say why a link is not tracked: None for one that is, "" for one that nobody misses."""
        masked = self.masked[href.start : href.start + len(href.value)]
        value = destination(masked)
        scheme = _SCHEME.match(value)
        if not value or value.startswith("#") or (scheme and scheme[1].lower() in _UNTRACKABLE):
            return ""
        if self.in_raw(href.start):
            return "it stands inside {% raw %}"
        if self.filler in value:
            return "" if _OUR_LINK.fullmatch(href.value.strip(_WHITE)) else self._personal(value)
        if not scheme:
            return "it has no https:// in front, so it leads nowhere from a mail"
        return _unsafe(value)

    def _personal(self, masked: str) -> str:
        if self.has_personal_host(masked):
            return "a merge field decides which site it leads to"
        return "its address differs from contact to contact"

    def has_personal_host(self, masked: str) -> bool:
        """Whether Jinja can change the host: it does unless a literal one ends before the first Jinja."""
        return re.match(rf"https?://[^/?#{self.filler}]+[/?#]", masked, re.IGNORECASE) is None

    def untracked(self, href: _Href, why: str) -> Untracked:
        masked = destination(self.masked[href.start : href.start + len(href.value)])
        personal = self.filler in masked and self.has_personal_host(masked)
        return Untracked(href.value, why, self.html.count("\n", 0, href.start) + 1, personal)


def _unsafe(url: str) -> str | None:
    """Say why a literal address must not become a redirect of ours, if it must not."""
    try:
        parts = urlsplit(url)
        host, user = parts.hostname, parts.username
        _ = parts.port
    except ValueError:
        return "it cannot be read as an address"
    if parts.scheme not in {"http", "https"}:
        return f"{parts.scheme}: is neither http nor https"
    if not host or re.search(r"[\x00-\x20\x7f\\]", url):
        return "it cannot be read as an address"
    if user is not None:
        return "it has a user name in front of its host"
    return None


def _marked(html: str, mark: str) -> str:
    place = _pixel_place(_Page(html), at_top=len(html.encode(errors="replace")) > LONG_HTML)
    return html[:place] + mark + html[place:]


def _pixel_place(page: _Page, *, at_top: bool) -> int:
    """Before the last </body>; in a long document right after <body …>, where no mail program cuts it."""
    found = [match for match in page.markup() if not page.in_raw(match.start())]
    if at_top:
        for match in found:
            if match["tag"] and match["tag"].strip(page.filler).lower() == "body":
                return match.end()
    for match in reversed(found):
        if match["end"]:
            return match.start()
    return len(page.html)
