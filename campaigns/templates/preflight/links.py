"""Where a mail's links lead, as far as they tell it themselves."""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from campaigns.templates.preflight.findings import Finding, blocker, hint, warning
from campaigns.templates.preflight.letter import JINJA, Letter, attribute, masked
from campaigns.templates.scan import Tag

_PLACEHOLDERS = re.compile(
    r"^(?:#.*|https?://(?:www\.)?(?:example\.(?:com|org|net)|localhost|127\.0\.0\.1|test|yourdomain\.com)(?:[:/?#].*)?|)$"
)
MOST = 1000  #: links looked at of one mail
_KNOWN = re.compile(r"(?:https?:|mailto:|tel:|sms:)", re.IGNORECASE)
#: Hosts that only lead on: filters cannot see where to, and mistrust them.
_SHORTENERS = """
    bit.ly t.co goo.gl tinyurl.com ow.ly is.gd buff.ly rb.gy cutt.ly t.ly tiny.cc shorturl.at rebrand.ly
    bl.ink s.id v.gd lnkd.in qr.ae adf.ly soo.gd x.co short.io t1p.de kurzelinks.de urlz.fr
"""
SHORTENERS = frozenset(_SHORTENERS.split())
#: Words of a link that are themselves the address of a web site.
_SAYS_HOST = re.compile(
    r"^(?:https?://)?(?P<host>(?:[\w-]+\.)+(?:[a-z]{2,24}))(?:[/?#:]\S*)?$", re.IGNORECASE
)
_FILE = re.compile(r"\.(?:pdf|html?|docx?|xlsx?|jpe?g|png|gif|zip|csv|js|py|md)$", re.IGNORECASE)


def check(letter: Letter) -> Iterator[Finding]:
    """Look at each link."""
    for tag in [one for one in letter.tags if one.name in {"a", "area"}][:MOST]:
        href = attribute(tag, "href")
        if href is None:
            continue
        address = letter.value(tag, "href") or ""
        words = letter.words_in(tag) if tag.name == "a" else ""
        line = letter.line_of(letter.html[href.start : href.end]) if address else 0
        for found in (*_address(address), *_words(letter, tag, address, words)):
            yield found.at(words, line)


def _address(address: str) -> Iterator[Finding]:
    shown = address[:80] or "(empty)"
    if _PLACEHOLDERS.match(address):
        yield blocker("The link %(link)s leads nowhere.", "Put in the real address.", link=shown)
    elif not _KNOWN.match(address) and not address.startswith("{"):
        what = "The link %(link)s has no host; in a mail it leads nowhere."
        yield blocker(what, "Begin it with https://.", link=shown)
    elif address.lower().startswith(("http:", "https:")):
        yield from _site(address, shown)


def _site(address: str, shown: str) -> Iterator[Finding]:
    host = host_of(address)
    if address.lower().startswith("http:"):
        what = "The link %(link)s is not encrypted."
        yield warning(what, "Use https if the site has it.", link=shown)
    if is_inner(host):
        what = "The link %(link)s leads to a machine of your own network; nobody else gets there."
        yield blocker(what, "Put in the public address.", link=shown)
    elif _is_number(host):
        what = "The link %(link)s names a number in place of a host; filters take that for fraud."
        yield warning(what, "Use the site's name.", link=shown)
    if host.removeprefix("www.") in SHORTENERS:
        what = "The link %(link)s hides where it leads; filters mistrust %(host)s."
        yield warning(
            what, "Put in the address that it leads to; we count clicks ourselves.", link=shown, host=host
        )


def _words(letter: Letter, tag: Tag, address: str, words: str) -> Iterator[Finding]:
    if not _KNOWN.match(address) and not address.startswith("{"):
        return
    says = _SAYS_HOST.match(words)
    leads = host_of(address)
    if says and leads and not _FILE.search(words) and not _is_kin(says["host"].lower(), leads):
        what = "A link shows %(shown)s and leads to %(leads)s; mail programs warn of that as fraud."
        yield warning(what, "Let its words say what is there.", shown=says["host"].lower(), leads=leads)
    if not words and tag.name == "a" and not _shows_picture(letter, tag):
        what = "The link %(link)s has no words; nobody sees it, and screen readers cannot say it."
        yield hint(what, "Give it words, or take it out.", link=address[:80])


def counted(letter: Letter, own: str) -> Iterator[Finding]:
    """Look for links whose words are an address, once clicks are counted by way of our own host."""
    ours = host_of(own)
    for tag in [one for one in letter.tags if one.name == "a"][:MOST]:
        words = letter.words_in(tag)
        says = _SAYS_HOST.match(words)
        if says is None or _FILE.search(words) or not host_of(letter.value(tag, "href") or ""):
            continue
        if not _is_kin(says["host"].lower(), ours):
            what = "A link shows %(shown)s and, with its clicks counted, leads by way of %(own)s."
            cure = "Let its words say what is there; some mail programs warn of such links as fraud."
            yield hint(what, cure, shown=says["host"].lower(), own=ours).at(words)


def _shows_picture(letter: Letter, tag: Tag) -> bool:
    """Whether a picture stands in a link; without an alternative text, that is told of the picture."""
    start, end = letter.inside(tag)
    inside = letter.html[start:end].lower()
    return "<img" in inside or "<v:" in inside or "background" in (letter.value(tag, "style") or "")


def host_of(address: str) -> str:
    """The host of an address of the web; empty where Jinja makes it, or there is none."""
    try:
        parts = urlsplit(masked(address))
        host = parts.hostname if parts.scheme.lower() in {"http", "https"} else None
    except ValueError:
        return ""
    return "" if not host or JINJA in host else host.rstrip(".")


def _is_kin(one: str, other: str) -> bool:
    """Whether one owner has both hosts, as far as their names tell."""
    one, other = one.removeprefix("www."), other.removeprefix("www.")
    near = one.endswith(f".{other}") or other.endswith(f".{one}")
    return one == other or near or one.split(".")[-2:] == other.split(".")[-2:]


def _is_number(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return re.fullmatch(r"(?:.*\.)?(?:0x[0-9a-f]*|\d+)", host) is not None
    return True


def is_inner(host: str) -> bool:
    """Whether a host's own name tells that it is of somebody's own network."""
    try:
        number = ip_address(host.strip("[]"))
    except ValueError:
        return host.endswith((".local", ".localhost", ".internal", ".intranet", ".lan", ".home.arpa")) or (
            "." not in host and host != ""
        )
    return not number.is_global or number.is_multicast
