"""What is seen of a mail: each run of text with its colour, what is behind it, and how large it is."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from lxml import etree
from lxml import html as lxml_html

from campaigns.templates.preflight.colours import BLACK, LINK, WHITE, Colour, over, read_colour
from campaigns.templates.preflight.css import IMPORTANT, declarations
from campaigns.templates.preflight.selectors import Sheet

MOST = 20_000  #: elements
LONGEST = 2000  #: letters of what says all about a background
LONGEST_VALUE = 100  #: letters of any other value
#: What a program that is dark shows where the mail says nothing.
DARK_CANVAS, DARK_INK, DARK_LINK = Colour(30, 30, 30), Colour(255, 255, 255), Colour(158, 158, 255)
_UNSEEN = frozenset({"head", "style", "script", "title", "template", "noscript", "option", "select"})
_SIZES = {"h1": 32.0, "h2": 24.0, "h3": 18.72, "h4": 16.0, "h5": 13.3, "h6": 10.7, "small": 13.3}
_BOLD = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "b", "strong", "th"})
_LENGTH = re.compile(r"([0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})(px|pt|em|rem|%)")
_WEIGHT = re.compile(r"[1-9][0-9]{0,3}\Z")
_HIDDEN = re.compile(r"none|hidden|collapse")
_NOTHING = re.compile(r"0+(?:\.0*)?(?:px|pt|em|%)?(?:\s|\Z)")
_TOKEN = re.compile(r"url\([^)]*\)|[a-z-]+\([^()]*(?:\([^()]*\)[^()]*)*\)|[^\s]+")
READ = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Look:
    """How text looks at one place."""

    ink: Colour
    ground: Colour
    size: float = 16.0
    bold: bool = False
    sure: bool = True  #: False: a picture is behind it

    @property
    def large(self) -> bool:
        """Large enough to be read with less contrast.

        Source: WCAG 2.2, large scale: 18 point, or 14 point bold.
        """
        return self.size >= 24 or (self.bold and self.size >= 18.66)


def tree_of(html: str) -> Any:
    """Parse a page; None where there is nothing in it. What is nested deeper than any mail is left out."""
    try:
        return lxml_html.document_fromstring(html)
    except (etree.LxmlError, ValueError):
        return None


def texts(tree: Any, sheet: Sheet, *, dark: bool = False) -> Iterator[tuple[str, Look]]:
    """Each visible run of text with its look; `dark` is the canvas of a program that is dark."""
    first = Look(DARK_INK, DARK_CANVAS) if dark else Look(BLACK, WHITE)
    link = DARK_LINK if dark else LINK
    waiting: list[tuple[Any, Look]] = [(tree, first)]
    seen = 0
    while waiting and seen < MOST:
        node, around = waiting.pop()
        seen += 1
        if not isinstance(node.tag, str) or node.tag in _UNSEEN:
            continue
        look = look_of(node, around, sheet, link)
        if look is None:
            continue
        yield from ((text, look) for text in _own(node) if READ.search(text))
        waiting += [(child, look) for child in reversed(node)]


def _own(node: Any) -> Iterator[str]:
    yield node.text or ""
    for child in node:
        yield child.tail or ""


def look_of(node: Any, around: Look, sheet: Sheet, link: Colour) -> Look | None:
    """How text looks in an element; None where it does not show."""
    said = style_of(node, sheet)
    if _is_hidden(node, said):
        return None
    look = _ground(around, said.get("background-color"), said.get("background"), node)
    size = _size(said.get("font-size"), around.size) or _SIZES.get(node.tag, around.size)
    weight = said.get("font-weight", "")
    bold = weight in {"bold", "bolder"} or (_WEIGHT.match(weight) is not None and int(weight) >= 700)
    bold = bold or (not weight and (around.bold or node.tag in _BOLD))
    ink = (
        _colour(said.get("color")) or _colour(node.get("color"))
        if node.tag == "font"
        else _colour(said.get("color"))
    )
    if ink is None and node.tag == "a" and node.get("href") is not None and "color" not in said:
        ink = link
    if ink is None:
        return replace(look, size=size, bold=bold)
    return replace(look, ink=over(ink, look.ground), size=size, bold=bold)


def style_of(node: Any, sheet: Sheet) -> dict[str, str]:
    """What holds for an element: its sheet's rules, its own style, and what is marked as important."""
    said: dict[str, str] = {}
    marked: dict[str, str] = {}
    own = declarations(node.get("style") or "")
    layers: list[Mapping[str, str]] = [declared for _, _, declared in sheet.declared(node)]
    for declared in (*layers, own):
        for name, value in declared.items():
            if value.endswith(IMPORTANT):
                marked[name] = value.removesuffix(IMPORTANT).strip()
            else:
                said[name] = value
    if "background-color" in marked and "background" in said:
        del said["background"]
    return said | marked


def _is_hidden(node: Any, said: Mapping[str, str]) -> bool:
    if node.get("hidden") is not None or _HIDDEN.match(said.get("display", "")):
        return True
    if _HIDDEN.match(said.get("visibility", "")) or _NOTHING.match(said.get("opacity", "")):
        return True
    folded = _NOTHING.match(said.get("max-height", "")) or _NOTHING.match(said.get("height", ""))
    return bool(
        _NOTHING.match(said.get("font-size", "")) or (folded and "hidden" in said.get("overflow", ""))
    )


def _ground(around: Look, colour: str | None, whole: str | None, node: Any) -> Look:
    """What is behind an element: its colour over what was there, and whether a picture is on it."""
    named, pictured = _background(whole[:LONGEST]) if whole else (None, False)
    found = _colour(colour) or named
    if found is None:
        found = _colour(node.get("bgcolor"))
    if found is not None and found.cover > 0:
        return replace(around, ground=over(found, around.ground), sure=not pictured or found.cover == 1.0)
    return replace(around, sure=around.sure and not pictured and node.get("background") is None)


@lru_cache(maxsize=256)
def _background(text: str) -> tuple[Colour | None, bool]:
    """Read the colour among what says all about a background, and whether a picture is."""
    words = _TOKEN.findall(text)
    colour = next((one for one in map(_colour, words) if one is not None), None)
    return colour, any(one.startswith(("url(", "linear-", "radial-", "conic-")) for one in words)


def _colour(text: str | None) -> Colour | None:
    return read_colour(text) if text and len(text) <= LONGEST_VALUE else None


def _size(text: str | None, around: float) -> float | None:
    found = _LENGTH.match((text or "")[:LONGEST_VALUE])
    if found is None:
        return None
    number = float(found[1])
    return {
        "px": number,
        "pt": number * 4 / 3,
        "em": number * around,
        "rem": number * 16,
        "%": number * around / 100,
    }[found[2]]
