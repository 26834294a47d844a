"""Reads style sheets far enough to tell what is used in them: media, selectors, declarations.

Every letter is looked at a bounded number of times, whatever the sheet says.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

MOST_RULES = 2000
LONGEST = 256 * 1024  #: letters of one sheet that are read
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)|<!--|-->", re.DOTALL)
_MARK = re.compile(r"\"(?:[^\"\\\n]|\\.)*+\"?|'(?:[^'\\\n]|\\.)*+'?|[{};]", re.DOTALL)
_PART = re.compile(r"\"[^\"]*+\"?|'[^']*+'?|[();]")
_NAME = re.compile(r"-{0,2}[a-z][\w-]*\Z")
#: At-rules that hold rules in turn.
_HOLDING = ("@media", "@supports", "@layer", "@container", "@document")
IMPORTANT = "!important"


class Rule(NamedTuple):
    """One rule of a style sheet."""

    media: tuple[str, ...]  #: the at-rules around it
    selector: str  #: or the at-rule's own name and words
    declared: Mapping[str, str]

    @property
    def is_dark(self) -> bool:
        """Whether it holds only where the reader wants it dark."""
        return any("prefers-color-scheme" in one and "dark" in one for one in self.media)


def declarations(text: str) -> dict[str, str]:
    """What a style says, property by property; of one that is declared twice, the last."""
    found = {}
    for one in _declared(text[:LONGEST].lower()):
        name, colon, value = one.partition(":")
        if colon and _NAME.match(name.strip()):
            found[name.strip()] = " ".join(value.split())
    return found


def _declared(text: str) -> Iterator[str]:
    """Cut at semicolons, but not at those within brackets or quotation marks."""
    begun = depth = 0
    for mark in _PART.finditer(text):
        if mark[0] == "(":
            depth += 1
        elif mark[0] == ")":
            depth = max(0, depth - 1)
        elif mark[0] == ";" and not depth:
            yield text[begun : mark.start()]
            begun = mark.end()
    yield text[begun:]


def rules(sheet: str) -> Iterator[Rule]:
    """Take a style sheet apart."""
    text = _COMMENT.sub(" ", sheet[:LONGEST])
    media: list[str] = []
    begun, prelude, count = 0, "", 0
    for mark in _MARK.finditer(text):
        match mark[0]:
            case ";" if not prelude:
                yield from _statement(text[begun : mark.start()], media)
                begun = mark.end()
            case "{" if not prelude:
                prelude = " ".join(text[begun : mark.start()].split()) or "*"
                begun = mark.end()
                if prelude.lower().startswith(_HOLDING):
                    media.append(prelude.lower())
                    prelude = ""
            case "}" if prelude:
                yield Rule(tuple(media), prelude, declarations(text[begun : mark.start()]))
                begun, prelude, count = mark.end(), "", count + 1
            case "}":
                begun = mark.end()
                if media:
                    media.pop()
        if count >= MOST_RULES or len(media) > 20:
            return
    if prelude:
        yield Rule(tuple(media), prelude, declarations(text[begun:]))


def _statement(text: str, media: list[str]) -> Iterator[Rule]:
    if text.strip().startswith("@"):
        yield Rule(tuple(media), " ".join(text.split()), {})
