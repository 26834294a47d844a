"""What to look at before a mail goes out: what must be mended, and what had better be."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from campaigns.errors import BadTemplate
from campaigns.templates.grammar import read
from campaigns.templates.reading import Shown
from campaigns.templates.render import prepare
from campaigns.templates.samples import sample_names
from campaigns.templates.scan import Attribute, Tag, scan
from campaigns.templates.tokens import find_tokens
from campaigns.values import Compiled, Content, Source

#: Gmail shows only the first 102,400 bytes of the HTML, and hides the rest with the unsubscribe link in it.
CLIPPED = 102_400
NEARLY_CLIPPED = 95 * 1024
LONG_SUBJECT = 70
_PLACEHOLDERS = re.compile(
    r"^(?:#.*|https?://(?:www\.)?(?:example\.(?:com|org|net)|localhost|127\.0\.0\.1|test|yourdomain\.com)(?:[:/?#].*)?|)$"
)
_ALT_IN_JINJA = "\ue000"

_FONT = re.compile(
    r"""(?:<link\b[^>]*?\bhref=|@import\s+(?:url\()?)["']?(https?://[^"')\s>]+)""", re.IGNORECASE
)


class Level(StrEnum):
    """How bad it is."""

    BLOCKER = "blocker"  #: must be mended before a mail goes out
    WARNING = "warning"  #: goes out, but would be better mended


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at, in words, with what to do."""

    level: Level
    words: str
    cure: str


def check(compiled: Compiled, source: Source) -> list[Finding]:
    """List what speaks against sending, blockers first."""
    findings = [*_subject(source), *_letter(compiled, source), *_as_received(compiled, source)]
    if compiled.html is not None:
        findings += [
            *_preheader(source, compiled.html),
            *_pictures(compiled.html),
            *_links(compiled.html),
            *_fonts(compiled.html),
        ]
    findings += _fallbacks(source)
    return sorted(dict.fromkeys(findings), key=lambda finding: finding.level is Level.WARNING)


def _blocker(words: str, cure: str) -> Finding:
    return Finding(Level.BLOCKER, words, cure)


def _warning(words: str, cure: str) -> Finding:
    return Finding(Level.WARNING, words, cure)


def _subject(source: Source) -> list[Finding]:
    if not source.subject.strip():
        return [_blocker("There is no subject.", "Write one; it decides whether the mail is opened.")]
    plain = _outside_jinja(source.subject)
    findings = []
    if len(plain) > LONG_SUBJECT:
        cure = f"Say the main thing in the first {LONG_SUBJECT} characters; phones cut off the rest."
        findings.append(_warning(f"The subject has {len(plain)} characters.", cure))
    letters = [letter for letter in plain if letter.isalpha() and letter.upper() != letter.lower()]
    if len(letters) >= 8 and sum(letter.isupper() for letter in letters) > 0.7 * len(letters):
        findings.append(
            _warning(
                "The subject is written in capitals.", "Write it as a sentence; filters take it for spam."
            )
        )
    if plain.count("!") + plain.count("?") > 2:
        findings.append(_warning("The subject has many ! and ?.", "One is enough."))
    return findings


def _letter(compiled: Compiled, source: Source) -> list[Finding]:
    """Look for what the law asks of every mail: a way out, and who it is from."""
    parts = [("mail", compiled.html)] if compiled.html is not None else []
    if not parts or source.text.strip():
        parts.append(("text part", compiled.text))
    findings = []
    for name, part in parts:
        if "links.unsubscribe" not in part and "links.preferences" not in part:
            cure = "Put in {{ links.unsubscribe }}, in the mail as a link that says so."
            findings.append(_blocker(f"The {name} has no link to unsubscribe.", cure))
        if "sender.postal_address" not in part:
            words = f"The {name} does not give the sender's postal address."
            findings.append(_blocker(words, "Put in {{ sender.postal_address }}."))
    return findings


def _as_received(compiled: Compiled, source: Source) -> list[Finding]:
    """Look at the mail as a full example of a recipient gets it; loops make it longer than its source."""
    names = sample_names(compiled.language)
    for shown in _shown(source):
        group, _, key = shown.path.rpartition(".")
        if group == "contact.attributes":
            names["contact"]["attributes"].setdefault(key, key)
    try:
        content = prepare(compiled).render(names)
    except BadTemplate as error:
        return [_blocker(f"It cannot be rendered even for a full example: {error}", "Correct what is named.")]
    return [*_size(content), *_empty_text(content)]


def _size(content: Content) -> list[Finding]:
    size = len((content.html or "").encode())
    cure = "Show fewer entries, or move pictures written into the text to a server."
    if size > CLIPPED:
        return [_blocker(f"The HTML has {size:,} bytes; Gmail cuts it off at {CLIPPED:,}.", cure)]
    if size > NEARLY_CLIPPED:
        return [_warning(f"The HTML has {size:,} bytes; Gmail cuts off at {CLIPPED:,}.", cure)]
    return []


def _empty_text(content: Content) -> list[Finding]:
    if content.text.strip():
        return []
    return [
        _blocker(
            "The text part is empty.", "Write one, or put words into the body; pictures alone say nothing."
        )
    ]


def _preheader(source: Source, html: str) -> list[Finding]:
    if (
        source.preheader.strip()
        or "mj-preview" in source.body
        or re.search(r"<body\b[^>]*>\s*<div[^>]*display:\s*none", html)
    ):
        return []
    return [
        _warning(
            "There is no preheader.",
            "Write a sentence that goes on where the subject ends; inboxes show it beside it.",
        )
    ]


def _tags(html: str) -> tuple[Tag, ...]:
    masked = list(html)
    for token in find_tokens(html):
        masked[token.start : token.end] = _ALT_IN_JINJA * len(token.text)
    return scan("".join(masked)).tags


def _value(tag: Tag, name: str) -> Attribute | None:
    return next((attribute for attribute in tag.attributes if attribute.name == name), None)


def _pictures(html: str) -> list[Finding]:
    findings = []
    for tag in _tags(html):
        if tag.name != "img" or tag.closing:
            continue
        alt, source = _value(tag, "alt"), _value(tag, "src")
        address = html[source.start : source.end] if source else ""
        if alt is None:
            words = f"The picture {address[-60:] or 'without an address'} has no alternative text."
            findings.append(_warning(words, 'Say in alt="…" what it shows, or alt="" if it only decorates.'))
        if address.startswith("http://"):
            findings.append(
                _warning(f"The picture {address[-60:]} is fetched without encryption.", "Use https.")
            )
    return findings


def _links(html: str) -> list[Finding]:
    findings = []
    for tag in _tags(html):
        href = _value(tag, "href") if tag.name == "a" and not tag.closing else None
        if href is None:
            continue
        address = html[href.start : href.end].strip()
        if _PLACEHOLDERS.match(address):
            findings.append(
                _blocker(f"The link {address or '(empty)'} leads nowhere.", "Put in the real address.")
            )
        elif address.startswith("http://"):
            findings.append(
                _warning(f"The link {address[:80]} is not encrypted.", "Use https if the site has it.")
            )
        elif not re.match(r"(?:https?:|mailto:|tel:|sms:)", address) and not address.startswith("{"):
            findings.append(
                _blocker(
                    f"The link {address[:80]} has no host; in a mail it leads nowhere.",
                    "Begin it with https://.",
                )
            )
    return findings


def _fonts(html: str) -> list[Finding]:
    """Look for fonts fetched from elsewhere; MJML adds some by itself where it sees their names."""
    hosts = sorted({urlsplit(address).netloc for address in _FONT.findall(html)} - {""})
    cure = (
        "Name fonts that every device has; MJML by itself fetches Ubuntu, Roboto, Lato, Open and Droid Sans."
    )
    return [
        _warning(f"A font is fetched from {host}; that tells {host} who reads the mail.", cure)
        for host in hosts
    ]


def _fallbacks(source: Source) -> list[Finding]:
    return [
        _warning(
            f"{name.path} is shown without a fallback; whoever lacks it gets no mail.",
            f"Write {{{{ {name.path}|default('…') }}}}, or put {{% if {name.path} %}} around it.",
        )
        for name in shown_without_fallback(source)
    ]


def shown_without_fallback(source: Source) -> list[Shown]:
    """List the names that may be missing and have no fallback: whoever lacks one gets a render error."""
    found: dict[str, Shown] = {}
    for shown in _shown(source):
        if shown.may_be_missing and not shown.guarded:
            found.setdefault(shown.path, shown)
    return list(found.values())


def _shown(source: Source) -> Iterator[Shown]:
    for field in ("subject", "preheader", "body", "text"):
        yield from read(getattr(source, field), field).shown


def _outside_jinja(text: str) -> str:
    pieces, at = [], 0
    for token in find_tokens(text):
        pieces.append(text[at : token.start])
        at = token.end
    return "".join([*pieces, text[at:]]).strip()
