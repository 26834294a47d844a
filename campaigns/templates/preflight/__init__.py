"""What to look at before a mail goes out: what must be mended, what had better be, what is good to know.

`letter` reads a mail once, for all; each other file looks at one thing. Nothing here asks anybody: what other
machines say of links, pictures and spam is judged in `outside`, when somebody has asked them.
"""

from collections.abc import Sequence

from campaigns.templates.preflight import (
    beginning,
    clients,
    contrast,
    dark,
    duty,
    language,
    links,
    markup,
    pictures,
    size,
    subject,
    text_part,
)
from campaigns.templates.preflight.duty import shown_without_fallback
from campaigns.templates.preflight.findings import (
    Finding,
    Level,
    Values,
    alike,
    blocker,
    hint,
    joined,
    sorted_by_level,
    warning,
)
from campaigns.templates.preflight.letter import Letter
from campaigns.templates.preflight.size import CLIPPED
from campaigns.values import Attachment, Compiled, Source

__all__ = [
    "CLIPPED",
    "Finding",
    "Letter",
    "Level",
    "Values",
    "alike",
    "blocker",
    "check",
    "check_all",
    "hint",
    "joined",
    "shown_without_fallback",
    "sorted_by_level",
    "warning",
]

CHECKS = (
    beginning.check,
    subject.check,
    duty.check,
    size.check,
    text_part.check,
    markup.check,
    links.check,
    pictures.check,
    language.check,
    contrast.check,
    dark.check,
)


def check(compiled: Compiled, source: Source, files: Sequence[Attachment] = ()) -> list[Finding]:
    """List what speaks against sending one language of a mail, blockers first."""
    letter = Letter(compiled, source, files)
    return sorted_by_level([*of_letter(letter), *clients.check([letter], None)])


def of_letter(letter: Letter) -> list[Finding]:
    """What is found in one language, but for what depends on who reads it."""
    return sorted_by_level(found for look in CHECKS for found in look(letter))


def check_all(letters: Sequence[Letter], audience: clients.Audience | None = None) -> list[Finding]:
    """List what speaks against sending a mail in all of its languages, to these people."""
    by_language = {one.compiled.language: of_letter(one) for one in letters}
    return sorted_by_level([*joined(by_language), *clients.check(letters, audience)])
