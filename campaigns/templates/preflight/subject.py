"""What an inbox shows of a mail before it is opened: subject and preheader."""

import re
from collections.abc import Iterator
from typing import Any

from campaigns.errors import BadTemplate
from campaigns.templates.preflight.findings import Finding, blocker, hint, warning
from campaigns.templates.preflight.letter import Letter, outside_jinja
from campaigns.templates.render import prepare
from campaigns.values import Compiled, Content

LONG_SUBJECT = 70
LONG_PREHEADER = 140
SHORT_PREHEADER = 20
MANY_EMOJI = 2
_HIDDEN = re.compile(r"<body\b[^>]*>\s*<div[^>]*display:\s*none", re.IGNORECASE)
#: Pictures among the letters: symbols, emoji, and what joins them.
_EMOJI = re.compile("[\u2600-\u27bf\u2b50\u2b55\U0001f000-\U0001faff]")
_REPLY = re.compile(r"^\s*(?:re|fw|fwd|aw|wg|antw|tr|sv)\s*:", re.IGNORECASE)
#: What is left where a name was to stand and nothing came.
_GAP = re.compile(r"^\s*[,;:!]|\s[,!](?=\s|$)|,\s*,|\(\s*\)|\w \s+\w", re.MULTILINE)
LACKED = ("given_name", "family_name", "name", "salutation", "country", "region", "city")


def check(letter: Letter) -> Iterator[Finding]:
    """Look at both."""
    if not letter.source.subject.strip():
        yield blocker("There is no subject.", "Write one; it decides whether the mail is opened.")
        return
    yield from _shape(outside_jinja(letter.source.subject))
    yield from _gaps(letter)
    if letter.compiled.html is not None:
        yield from _preheader(letter)


def _shape(plain: str) -> Iterator[Finding]:
    if len(plain) > LONG_SUBJECT:
        cure = "Say the main thing in the first %(most)s characters; phones cut off the rest."
        yield warning("The subject has %(count)s characters.", cure, count=len(plain), most=LONG_SUBJECT)
    letters = [letter for letter in plain if letter.isalpha() and letter.upper() != letter.lower()]
    if len(letters) >= 8 and sum(letter.isupper() for letter in letters) > 0.7 * len(letters):
        yield warning(
            "The subject is written in capitals.", "Write it as a sentence; filters take it for spam."
        )
    if plain.count("!") + plain.count("?") > 2:
        yield warning("The subject has many ! and ?.", "One is enough.")
    if _REPLY.match(plain):
        yield warning(
            "The subject begins as a reply does, and the mail is none.",
            "Leave Re: and Fwd: to people; laws and filters call it deceit.",
        )
    if (count := len(_EMOJI.findall(plain))) > MANY_EMOJI:
        cure = "One says as much, and is read aloud once."
        yield hint("The subject has %(count)s emoji.", cure, count=count)


def _gaps(letter: Letter) -> Iterator[Finding]:
    """Read the subject as somebody does of whom nothing is known; a mail that fails is told elsewhere."""
    full = letter.example
    if not isinstance(full, Content) or "{" not in letter.source.subject:
        return
    names: dict[str, Any] = letter.names()
    names["contact"] |= dict.fromkeys(LACKED)
    alone = Compiled(letter.compiled.subject, None, "alone", letter.compiled.language)
    try:
        bare = prepare(alone).render(names)
    except BadTemplate:
        return
    if full.subject == bare.subject:
        return
    if not bare.subject.strip():
        cure = "Give it words that stand by themselves."
        yield blocker("The subject is empty for people of whom no name is known.", cure)
    elif _GAP.search(bare.subject) and not _GAP.search(full.subject):
        what = "The subject has a gap for people of whom no name is known: “%(subject)s”."
        yield warning(
            what, "Put the comma and the name together into {%% if %%}.", subject=bare.subject[:100]
        )


def _preheader(letter: Letter) -> Iterator[Finding]:
    plain = outside_jinja(letter.source.preheader)
    if not letter.source.preheader.strip():
        if "mj-preview" not in letter.source.body and not _HIDDEN.search(letter.html):
            cure = "Write a sentence that goes on where the subject ends; inboxes show it beside it."
            yield warning("There is no preheader.", cure)
        return
    if len(plain) > LONG_PREHEADER:
        cure = "Inboxes show 40 to %(most)s of them."
        yield hint("The preheader has %(count)s characters.", cure, count=len(plain), most=LONG_PREHEADER)
    if plain.casefold() == outside_jinja(letter.source.subject).casefold():
        yield hint("The preheader repeats the subject.", "Let it go on where the subject ends.")
