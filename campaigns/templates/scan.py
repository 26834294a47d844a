"""Reads MJML and HTML as marks on a page: where tags, values, comments and raw text begin and end.

A parser would repair what it reads; this only looks, so that each position is one of the author's source.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

#: Elements whose content is text, whatever it looks like.
RAW_TEXT = frozenset({"style", "script", "title", "textarea", "mj-style", "mj-title", "mj-preview"})

_MARK = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<!\[CDATA\[.*?(?:\]\]>|\Z)"
    r"|<[!?][^>]*>"
    r"|</(?P<closing>[A-Za-z][^\s/>]*)[^>]*>"
    r"""|<(?P<opening>[A-Za-z][^\s/>]*)(?P<inside>(?:"[^"]*"|'[^']*'|[^"'<>])*)>""",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(
    r"""(?P<name>[^\s"'<>/=]+)(?:\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s"'>]+)))?""",
    re.DOTALL,
)


class Place(StrEnum):
    """Where in the markup a position stands."""

    TEXT = "text"  #: between tags
    VALUE = "value"  #: inside a quoted attribute value
    BARE = "bare"  #: inside an attribute value without quotes
    TAG = "tag"  #: inside a tag, but in no value
    RAW = "raw"  #: inside style, title, preview
    COMMENT = "comment"  #: inside a comment, conditional ones included


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a tag; the span is that of its value."""

    name: str
    value: str
    start: int
    end: int
    quoted: bool


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag as written."""

    name: str
    start: int
    end: int
    closing: bool = False
    self_closed: bool = False
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the source that is not text."""

    place: Place
    start: int
    end: int
    tag: Tag | None = None
    attribute: Attribute | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """All marks of a source, in order."""

    tags: tuple[Tag, ...]
    spans: tuple[Span, ...]
    _starts: list[int] = field(default_factory=list)

    def at(self, position: int) -> Span:
        """Tell what a position is part of; text is a span without extent."""
        index = bisect_right(self._starts, position) - 1
        if index >= 0 and position < self.spans[index].end:
            return self._narrow(self.spans[index], position)
        return Span(Place.TEXT, position, position)

    def _narrow(self, span: Span, position: int) -> Span:
        if span.place is not Place.TAG or span.tag is None:
            return span
        for attribute in span.tag.attributes:
            if attribute.start <= position < attribute.end:
                place = Place.VALUE if attribute.quoted else Place.BARE
                return Span(place, attribute.start, attribute.end, span.tag, attribute)
        return span


def scan(source: str) -> Page:
    """Find every tag, comment and stretch of raw text; text that only looks like a tag stays text."""
    tags: list[Tag] = []
    spans: list[Span] = []
    for mark in _marks(source):
        if isinstance(mark, Tag):
            tags.append(mark)
            spans.append(Span(Place.TAG, mark.start, mark.end, mark))
        else:
            spans.append(mark)
    return Page(tuple(tags), tuple(spans), [span.start for span in spans])


def _marks(source: str) -> Iterator[Tag | Span]:
    at = 0
    while match := _MARK.search(source, at):
        at = match.end()
        if match["closing"]:
            yield Tag(match["closing"].lower(), match.start(), at, closing=True)
        elif match["opening"]:
            tag = _opening(match)
            yield tag
            if tag.name in RAW_TEXT and not tag.self_closed:
                end = _end_of_raw(source, tag.name, at)
                yield Span(Place.RAW, at, end, tag)
                at = end
        else:
            yield Span(Place.COMMENT, match.start(), at)


def _end_of_raw(source: str, name: str, at: int) -> int:
    closing = re.compile(rf"</{re.escape(name)}[\s>/]", re.IGNORECASE).search(source, at)
    return closing.start() if closing else len(source)


def _opening(match: re.Match[str]) -> Tag:
    inside, offset = match["inside"], match.start("inside")
    return Tag(
        match["opening"].lower(),
        match.start(),
        match.end(),
        self_closed=inside.rstrip().endswith("/"),
        attributes=tuple(_attributes(inside, offset)),
    )


def _attributes(inside: str, offset: int) -> Iterator[Attribute]:
    for match in _ATTRIBUTE.finditer(inside):
        group = next((name for name in ("double", "single", "bare") if match[name] is not None), None)
        if group:
            start, end = match.span(group)
            yield Attribute(
                match["name"].lower(), match[group], offset + start, offset + end, quoted=group != "bare"
            )
        else:
            yield Attribute(
                match["name"].lower(), "", offset + match.end(), offset + match.end(), quoted=True
            )
