"""What mail programs take away, and filters take for an attack: scripts, frames, forms, foreign fonts."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from campaigns.templates.preflight.findings import Finding, blocker, warning
from campaigns.templates.preflight.letter import Letter

_FONT = re.compile(
    r"""(?:<link\b[^>]{0,400}?\bhref=|@import\s+(?:url\()?)["']?(https?://[^"')\s>]+)""", re.IGNORECASE
)
#: Refused by every provider; they do not compile here, and are looked for all the same.
ATTACKS = frozenset(
    {"script", "iframe", "frame", "frameset", "object", "embed", "applet", "base", "portal", "form"}
)
CONTROLS = frozenset({"input", "select", "textarea", "button"})


def check(letter: Letter) -> Iterator[Finding]:
    """Look at the elements, then at where fonts come from."""
    names = {tag.name: tag for tag in reversed(letter.tags)}
    for name in sorted(names.keys() & ATTACKS):
        what = "There is <%(element)s> in the mail; every provider takes it out or refuses the mail."
        yield blocker(what, "Remove it; link to a page instead.", element=name).at(
            line=letter.line_of(f"<{name}")
        )
    for name in sorted(names.keys() & CONTROLS):
        what = "There is <%(element)s> in the mail; most mail programs let nobody type or press there."
        yield warning(what, "Link to a page that asks.", element=name).at(line=letter.line_of(f"<{name}"))
    yield from _fonts(letter.html)


def _fonts(html: str) -> Iterator[Finding]:
    """Look for fonts fetched from elsewhere; MJML adds some by itself where it sees their names."""
    hosts = sorted({urlsplit(address).netloc for address in _FONT.findall(html)} - {""})
    for host in hosts:
        what = "A font is fetched from %(host)s; that tells %(host)s who reads the mail."
        cure = (
            "Name fonts that every device has; "
            "MJML by itself fetches Ubuntu, Roboto, Lato, Open and Droid Sans."
        )
        yield warning(what, cure, host=host)
