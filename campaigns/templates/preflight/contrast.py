"""Whether text can be read where it stands: in light, in dark, and where a program itself makes it dark."""

from collections.abc import Iterator
from typing import Any

from campaigns.templates.preflight.colours import LINK, Colour, inverted, luminance, ratio
from campaigns.templates.preflight.findings import Finding, hint, warning
from campaigns.templates.preflight.letter import Letter
from campaigns.templates.preflight.paint import Look, texts, tree_of
from campaigns.templates.preflight.selectors import Sheet, TooMuch, Work
from campaigns.values import Content

#: WCAG 2.2, 1.4.3 Contrast (Minimum).
SMALL_TEXT, LARGE_TEXT = 4.5, 3.0
UNREADABLE = 3.0
#: As bright as this, a ground is turned dark by programs that turn bright ones only.
BRIGHT = 0.4


def check(letter: Letter) -> Iterator[Finding]:
    """Compare each text's colour with what is behind it."""
    html = letter.example.html if isinstance(letter.example, Content) else None
    tree = tree_of(html) if html else None
    if tree is None:
        return
    try:
        yield from _of_tree(letter, tree, Work())
    except TooMuch:
        what = "There is too much to look at: its colours and contrasts were not all compared."
        yield hint(what, "Make its style sheet shorter: fewer selectors, each with fewer steps.")


def _of_tree(letter: Letter, tree: Any, work: Work) -> Iterator[Finding]:
    light = Sheet((rule for rule in letter.rules if not rule.media), work)
    seen = list(_each_pair(texts(tree, light)))
    yield from _faint(seen)
    if any(rule.is_dark for rule in letter.rules):
        both = Sheet((rule for rule in letter.rules if not rule.media or rule.is_dark), work)
        known = {(look.ink, look.ground) for _, look in seen}
        dark = [
            one
            for one in _each_pair(texts(tree, both, dark=True))
            if (one[1].ink, one[1].ground) not in known
        ]
        yield from _faint_in_dark(dark)
    else:
        yield from _faint_when_turned(seen)


def _each_pair(found: Iterator[tuple[str, Look]]) -> Iterator[tuple[str, Look]]:
    """Each pair of colours once, with the first text that has them."""
    met = set()
    for text, look in found:
        if look.sure and (key := (look.ink, look.ground, look.large)) not in met:
            met.add(key)
            yield " ".join(text.split()), look


def needed(look: Look) -> float:
    """How much contrast text of this size needs."""
    return LARGE_TEXT if look.large else SMALL_TEXT


def _rated(number: float) -> float:
    """Cut off after a digit, so that what is too little never looks enough."""
    return int(number * 10) / 10


def _faint(seen: list[tuple[str, Look]]) -> Iterator[Finding]:
    for text, look in seen:
        got = ratio(look.ink, look.ground)
        if got >= needed(look):
            continue
        if got < 1.15:
            what = "Text cannot be seen: it is %(ink)s on %(ground)s."
            cure = "Give it another colour, or take it out; filters take hidden words for spam."
            yield warning(what, cure, ink=str(look.ink), ground=str(look.ground)).at(text)
        else:
            what = (
                "Text is hard to read: %(ink)s on %(ground)s has a contrast of %(got)s : 1; "
                "%(needed)s is needed."
            )
            yield warning(what, "Make it darker, or what is behind it lighter.", **_said(look, got)).at(text)


def _faint_in_dark(seen: list[tuple[str, Look]]) -> Iterator[Finding]:
    for text, look in seen:
        got = ratio(look.ink, look.ground)
        if got < needed(look):
            what = (
                "In dark mode, text is hard to read: %(ink)s on %(ground)s has a contrast of %(got)s : 1; "
                "%(needed)s is needed."
            )
            cure = "Name its colour under @media (prefers-color-scheme: dark)."
            yield warning(what, cure, **_said(look, got)).at(text)


def _said(look: Look, got: float) -> dict[str, object]:
    return {
        "ink": str(look.ink),
        "ground": str(look.ground),
        "got": _rated(got),
        "needed": needed(look),
    }


def _faint_when_turned(seen: list[tuple[str, Look]]) -> Iterator[Finding]:
    """Try both ways in which programs make a mail dark; what was faint before is no news."""
    for text, look in seen:
        if ratio(look.ink, look.ground) < needed(look) or look.ink == LINK:
            continue  # a link's own blue is chosen by each program
        tried = [ratio(*turn(look)) for turn in (_wholly, _partly)]
        if min(tried) < UNREADABLE:
            what = "Made dark by a mail program itself, text may be hard to read: %(ink)s on %(ground)s."
            cure = "Choose a colour that is clearly dark or clearly light, or say what dark mode shows."
            yield hint(what, cure, ink=str(look.ink), ground=str(look.ground)).at(text)


def _wholly(look: Look) -> tuple[Colour, Colour]:
    return inverted(look.ink), inverted(look.ground)


def _partly(look: Look) -> tuple[Colour, Colour]:
    """Bright grounds and dark letters are turned; the others stay."""
    ink = inverted(look.ink) if luminance(look.ink) < BRIGHT else look.ink
    return ink, inverted(look.ground) if luminance(look.ground) > BRIGHT else look.ground
