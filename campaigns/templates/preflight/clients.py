"""What the mail programs of this audience do not show of the mail; warnings, never more.

The table beside this file says which program shows what; who reads in which is told by the providers of the
audience's mailboxes, which is a good guess and no more.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

from campaigns.templates.preflight.findings import Finding, Phrases, Share, hint, warning
from campaigns.templates.preflight.letter import Letter, declared

#: Counts of an audience by the providers of its mailboxes (campaigns.delivery.lanes).
Audience = Mapping[str, int]


class Program(NamedTuple):
    """A family of mail programs, and the providers whose customers read in it."""

    key: str
    name: str
    providers: tuple[str, ...]


PROGRAMS = (
    Program("gmail", "Gmail", ("google",)),
    Program("outlook-windows", "Outlook for Windows", ("microsoft", "other")),
    Program("outlook", "Outlook.com", ("microsoft",)),
    Program("yahoo", "Yahoo and AOL", ("yahoo",)),
    Program("gmx", "GMX and WEB.DE", ("gmx",)),
    Program("orange", "Orange", ("orange",)),
    Program("proton", "Proton Mail", ("proton",)),
    Program("mail.ru", "Mail.ru", ("mail.ru",)),
)
#: Shown where nobody says who reads it.
USUAL = ("gmail", "outlook-windows", "outlook", "yahoo", "gmx")
FEW = 0.02  #: share of an audience below which a program is not worth a line


class Feature(NamedTuple):
    """Something that mails are made of, and who does not show it."""

    name: str
    kind: str  #: css, at, selector, tag or source
    names: tuple[str, ...]  #: properties or elements
    pattern: re.Pattern[str]
    content: bool  #: whether something is lost that is to be read or seen, not looks alone
    missing: frozenset[str]
    partly: frozenset[str]


@cache
def features() -> tuple[Feature, ...]:
    """Read the table."""
    text = resources.files(__package__).joinpath("clients.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    whole = " ".join(line if line.startswith(" ") else f"\n{line}" for line in lines)
    return tuple(_feature(line) for line in whole.split("\n") if line.strip())


def _feature(line: str) -> Feature:
    name, found, loss, missing, partly = (part.strip() for part in line.split(";"))
    kind, _, rest = found.partition(" ")
    names, _, pattern = rest.rpartition(": ") if kind == "css" else ("", "", rest)
    return Feature(
        name,
        kind,
        tuple(one.strip() for one in names.split(",")) if kind == "css" else (rest,),
        re.compile(pattern.strip()),
        loss == "content",
        frozenset(missing.split()),
        frozenset(partly.split()),
    )


def check(letters: Sequence[Letter], audience: Audience | None) -> list[Finding]:
    """Say for each program of this audience what it does not show; of looks, in one line for all."""
    used = [one for one in features() if any(_uses(letter, one) for letter in letters)]
    drawn = any("<v:" in letter.html for letter in letters)
    programs = list(_programs(audience))
    lost: dict[tuple[str, ...], list[tuple[Program, float | None]]] = {}
    partly: dict[tuple[str, ...], list[tuple[Program, float | None]]] = {}
    plainer: dict[str, tuple[str, ...]] = {}
    for program, share in programs:
        seen = [one for one in used if not (drawn and _is_drawn(program, one))]
        for kept, names in (
            (lost, tuple(one.name for one in seen if one.content and program.key in one.missing)),
            (partly, tuple(one.name for one in seen if one.content and program.key in one.partly)),
        ):
            if names:
                kept.setdefault(names, []).append((program, share))
        looks = (one.name for one in seen if not one.content and program.key in one.missing | one.partly)
        if names := tuple(looks):
            plainer[program.name] = names
    return [*_told(lost, whole=True), *_told(partly, whole=False), *_plainer(plainer)]


def _is_drawn(program: Program, feature: Feature) -> bool:
    """What MJML draws for Outlook a second time, in VML."""
    return program.key == "outlook-windows" and "background" in feature.name


def _plainer(by_program: Mapping[str, tuple[str, ...]]) -> Iterator[Finding]:
    if by_program:
        names = Phrases(dict.fromkeys(name for looks in by_program.values() for name in looks))
        what = "It looks plainer in %(programs)s: %(names)s."
        cure = "Nothing to do where it can be read without."
        yield hint(what, cure, programs=Phrases(by_program), names=names)


def _programs(audience: Audience | None) -> Iterator[tuple[Program, float | None]]:
    """The programs worth a word, those with the most readers first."""
    everybody = sum(audience.values()) if audience else 0
    if not audience or not everybody:
        yield from ((one, None) for one in PROGRAMS if one.key in USUAL)
        return
    shares = [(sum(audience.get(name, 0) for name in one.providers) / everybody, one) for one in PROGRAMS]
    yield from ((one, share) for share, one in sorted(shares, key=lambda pair: -pair[0]) if share >= FEW)


def _told(
    found: Mapping[tuple[str, ...], Sequence[tuple[Program, float | None]]], *, whole: bool
) -> Iterator[Finding]:
    cure = "Make sure that it can be read without; look at it there before it goes out."
    make = warning if whole else hint
    for names, programs in found.items():
        shared = [(program, share) for program, share in programs if share is not None]
        for program, share in shared:
            what = SHARED[whole, "other" in program.providers]
            values = {"program": Phrases((program.name,)), "share": Share(share), "names": Phrases(names)}
            yield make(what, cure, **values)
        if not shared:
            what = "Not shown in %(program)s: %(names)s."
            if not whole:
                what = "Shown only partly in %(program)s: %(names)s."
            everywhere = Phrases(program.name for program, _ in programs)
            yield make(what, cure, program=everywhere, names=Phrases(names))


#: By whether nothing is shown, and whether companies' own mailboxes are among the readers.
SHARED = {
    (
        True,
        False,
    ): "%(program)s, where %(share)s of this audience have their mailbox, does not show: %(names)s.",
    (True, True): "%(program)s, in which %(share)s of this audience may read, does not show: %(names)s.",
    (
        False,
        False,
    ): "%(program)s, where %(share)s of this audience have their mailbox, shows only partly: %(names)s.",
    (False, True): "%(program)s, in which %(share)s of this audience may read, shows only partly: %(names)s.",
}


def _uses(letter: Letter, feature: Feature) -> bool:
    return bool(letter.html) and LOOKS[feature.kind](letter, feature)


def _in_css(letter: Letter, feature: Feature) -> bool:
    return any(
        feature.pattern.search(value)
        for style in _styles(letter)
        for name, value in style.items()
        if name in feature.names or feature.names == ("*",)
    )


def _styles(letter: Letter) -> Iterator[Mapping[str, str]]:
    """What is declared for everybody; under @media stands what only some see anyway."""
    yield from _inline(letter)
    yield from (rule.declared for rule in letter.rules if not rule.media)


def _inline(letter: Letter) -> list[Mapping[str, str]]:
    held: list[Mapping[str, str]] | None = letter.__dict__.get("_inline")
    if held is None:
        texts = dict.fromkeys(letter.value(tag, "style") or "" for tag in letter.tags)
        held = [declared(text) for text in texts if text]
        letter.__dict__["_inline"] = held
    return held


def _in_at_rules(letter: Letter, feature: Feature) -> bool:
    return any(feature.pattern.match(rule.selector.lower()) for rule in letter.rules)


def _in_selectors(letter: Letter, feature: Feature) -> bool:
    return any(feature.pattern.search(rule.selector.lower()) for rule in letter.rules)


def _in_tags(letter: Letter, feature: Feature) -> bool:
    return any(tag.name in feature.names for tag in letter.tags)


def _in_sources(letter: Letter, feature: Feature) -> bool:
    return any(
        feature.pattern.search((letter.value(tag, "src") or "").lower()[:2000])
        for tag in letter.tags
        if tag.name == "img"
    )


LOOKS: Mapping[str, Callable[[Letter, Feature], bool]] = {
    "css": _in_css,
    "at": _in_at_rules,
    "selector": _in_selectors,
    "tag": _in_tags,
    "source": _in_sources,
}
