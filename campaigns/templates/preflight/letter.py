"""A mail as all checks read it: its source, what it compiles to, and a full example of what arrives."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import unescape
from typing import Any

from campaigns.errors import BadTemplate
from campaigns.templates.grammar import read
from campaigns.templates.plaintext import plaintext
from campaigns.templates.preflight.css import Rule, declarations, rules
from campaigns.templates.preflight.wording import ADDRESS, WORD
from campaigns.templates.reading import Shown
from campaigns.templates.render import prepare
from campaigns.templates.samples import sample_names
from campaigns.templates.scan import Attribute, Page, Tag, scan
from campaigns.templates.tokens import find_tokens
from campaigns.values import Attachment, Compiled, Content, Source

#: Stands in masked text for one letter of Jinja.
JINJA = "\ue000"
#: Elements looked at of one mail; more than any mail that is read.
MOST_TAGS = 50_000
#: Letters inside one element that are read.
LONGEST = 4000


@dataclass(frozen=True)
class Letter:
    """One language of a mail."""

    compiled: Compiled
    source: Source
    files: Sequence[Attachment] = ()

    @cached_property
    def html(self) -> str:
        """The compiled HTML, Jinja in it; empty for a letter in plain text."""
        return self.compiled.html or ""

    @cached_property
    def page(self) -> Page:
        """The HTML's marks; their places are those in `html`."""
        return scan(self.masked)

    @cached_property
    def tags(self) -> tuple[Tag, ...]:
        """Its opening tags."""
        return tuple(tag for tag in self.page.tags[:MOST_TAGS] if not tag.closing)

    @cached_property
    def example(self) -> Content | str:
        """What a full example of a recipient gets, or why that cannot be made."""
        try:
            return prepare(self.compiled).render(self.names())
        except BadTemplate as error:
            return str(error)

    def names(self) -> dict[str, Any]:
        """A full example of what the mail may name; attributes that it shows are there too."""
        names = sample_names(self.compiled.language)
        for shown in self.shown:
            group, _, key = shown.path.rpartition(".")
            if group == "contact.attributes":
                names["contact"]["attributes"].setdefault(key, key)
        return names

    @cached_property
    def shown(self) -> tuple[Shown, ...]:
        """Every name that the source shows."""
        fields = ("subject", "preheader", "body", "text")
        return tuple(one for name in fields for one in read(getattr(self.source, name), name).shown)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """What its style sheets say."""
        return tuple(
            rule
            for span in self.page.spans
            if span.tag is not None and span.tag.name == "style" and span.place == "raw"
            for rule in rules(self.html[span.start : span.end])
        )

    @cached_property
    def read_text(self) -> str:
        """What the HTML says, as words; of the full example."""
        html = self.example.html if isinstance(self.example, Content) else None
        return plaintext(html) if html else ""

    @cached_property
    def foot(self) -> frozenset[str]:
        """The words that every mail's foot has: the sender's postal address."""
        return frozenset(WORD.findall(self.names()["sender"]["postal_address"].casefold()))

    def own_words(self, text: str) -> list[str]:
        """The words of a text, without addresses of the web and without the foot's."""
        return [word for word in WORD.findall(ADDRESS.sub(" ", text).casefold()) if word not in self.foot]

    def value(self, tag: Tag, name: str) -> str | None:
        """What an attribute says, Jinja in it; None where it is not there."""
        found = attribute(tag, name)
        return None if found is None else unescape(self.html[found.start : found.end]).strip()

    @cached_property
    def masked(self) -> str:
        """The HTML, of the same length, with its Jinja filled."""
        return masked(self.html)

    def inside(self, tag: Tag) -> tuple[int, int]:
        """Where the inside of an element begins and ends; only so far as anybody writes one."""
        end = self.html.find(f"</{tag.name}", tag.end, tag.end + LONGEST)
        return tag.end, end if end >= 0 else min(len(self.html), tag.end + LONGEST)

    def words_in(self, tag: Tag) -> str:
        """The words between a tag and its end."""
        start, end = self.inside(tag)
        pieces, at = [], start
        for inner in self._tags_between(start, end):
            pieces.append(self.masked[at : inner.start])
            at = inner.end
        pieces.append(self.masked[at:end])
        return " ".join(unescape("".join(pieces)).replace(JINJA, "…").split())

    def _tags_between(self, start: int, end: int) -> Iterator[Tag]:
        first = bisect_left(self._starts, start)
        for tag in self.page.tags[first : first + 200]:
            if tag.start >= end:
                return
            yield tag

    @cached_property
    def _starts(self) -> list[int]:
        return [tag.start for tag in self.page.tags]

    def line_of(self, text: str) -> int:
        """Which line of the source's body has these words; 0: none, or none by itself."""
        at = self.source.body.find(text) if text else -1
        return self.source.body.count("\n", 0, at) + 1 if at >= 0 else 0


def attribute(tag: Tag, name: str) -> Attribute | None:
    """An attribute of a tag."""
    return next((one for one in tag.attributes if one.name == name), None)


def masked(text: str) -> str:
    """A text of the same length whose Jinja is filled with one letter."""
    if "{" not in text:
        return text
    letters = list(text)
    for token in find_tokens(text):
        letters[token.start : token.end] = JINJA * len(token.text)
    return "".join(letters)


def outside_jinja(text: str) -> str:
    """What of a text is written as it arrives."""
    return masked(text).replace(JINJA, "").strip()


def declared(style: str | None) -> Mapping[str, str]:
    """What a style attribute declares."""
    return declarations(style or "")
