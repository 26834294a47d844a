"""Header lines written by us: folded, encoded, and closed to injection.

CPython's email policy turns any token longer than 77 characters into an encoded word, which breaks
List-Unsubscribe; so nothing here goes through it.
"""

import re
import unicodedata
from binascii import b2a_base64
from collections.abc import Iterable, Iterator
from functools import lru_cache

import idna

from campaigns.errors import BadInput
from campaigns.values import Problem

LINE = 76  #: what a line should not exceed (RFC 2047 §2 for encoded words; RFC 5322 §2.1.1 asks for 78)
HARD_LINE = 900  #: what a single token may have; 998 with its name and line end (RFC 5322 §2.1.1)
MAX_LOCAL = 64
MAX_ADDRESS = 254

FORBIDDEN = re.compile(r"[\r\n\0]")
CONTROLS = re.compile(
    r"[\x01-\x08\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]"
)
BLANKS = re.compile(r"[ \t\x0b\x0c]+")
TOKEN = re.compile(r"[!-~]+")
FIELD_NAME = re.compile(r"[!-9;-~]{1,76}")
LOCAL_PART = re.compile(
    r"[^\s\x00-\x20\x7f-\x9f<>()\[\]\\,;:\"@.]+(?:\.[^\s\x00-\x20\x7f-\x9f<>()\[\]\\,;:\"@.]+)*"
)
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ASCII_DOMAIN = re.compile(rf"{LABEL}(?:\.{LABEL})*")
#: What nearly every address is: nothing in it is changed on its way.
PLAIN_ADDRESS = re.compile(rf"[A-Za-z0-9_+'-]+(?:\.[A-Za-z0-9_+'-]+)*@{LABEL}(?:\.{LABEL})*").fullmatch
PLAIN_PHRASE = re.compile(r"[ !#-\[\]-~]+").fullmatch


def bad(where: str, what: str, cure: str = "") -> BadInput:
    """One problem as an error."""
    return BadInput([Problem(where, what, cure)])


def clean(where: str, text: str) -> str:
    """Make one line of visible text: controls and bidi overrides removed, blanks made single.

    Direction marks and joiners stay: Arabic, Hebrew and emoji need them.

    Raises:
        BadInput: when it holds CR, LF or NUL, the means of header injection.
    """
    if text.isprintable() and "  " not in text:  # so is nearly every one: no control and no mark in it
        return text.strip(" ")
    if FORBIDDEN.search(text):
        raise bad(where, "holds a line end or a NUL.", "Write it on one line.")
    visible = CONTROLS.sub("", text).encode("utf-8", "replace").decode()
    return BLANKS.sub(" ", visible).strip(" ")


def unstructured(name: str, text: str) -> str:
    """A header of free text, such as Subject; the text is clean already."""
    if text.isascii() and len(name) + 2 + len(text) <= LINE and "=?" not in text:
        return f"{name}: {text}\r\n"
    if not (text.isascii() and "=?" not in text and all(len(word) < HARD_LINE for word in text.split(" "))):
        return fold(name, encoded_words(text, LINE - len(name) - 2), " ")
    return fold(name, text.split(" "), " ")


def fold(name: str, tokens: Iterable[str], glue: str) -> str:
    """Join tokens by the glue, breaking the line at its blank before it gets too long."""
    line = name + ": "
    lines: list[str] = []
    empty = True
    for token in tokens:
        if not empty and len(line) + len(glue) + len(token) > LINE:
            lines.append(line + glue.rstrip(" "))
            line = " " + token
        else:
            line += token if empty else glue + token
        empty = False
    lines.append(line)
    return "\r\n".join(lines) + "\r\n"


def encoded_words(text: str, first: int = LINE) -> Iterator[str]:
    """Write text as encoded words that end between characters, the first one to fit its line.

    Source: RFC 2047 §2, §5.
    """
    octets, room = text.encode(), _octets(first)
    while len(octets) > room:
        end = room
        while octets[end] & 0xC0 == 0x80:  # within a character
            end -= 1
        yield _encoded_word(octets[:end])
        octets, room = octets[end:], _octets(LINE - 1)
    yield _encoded_word(octets)


def _octets(width: int) -> int:
    """How many octets fit into an encoded word of this width, which is 75 at most."""
    return max(6, (min(width, 75) - len("=?utf-8?b??=")) // 4 * 3)


def _encoded_word(octets: bytes) -> str:
    return f"=?utf-8?b?{b2a_base64(octets, newline=False).decode()}?="


def mailbox(name: str, display: str, address: str) -> str:
    """A header of one address with a display name, which is clean already."""
    if not display:
        return fold(name, [address], " ")
    if len(name) + len(display) + len(address) + 7 <= LINE and PLAIN_PHRASE(display) and "=?" not in display:
        return f'{name}: "{display}" <{address}>\r\n'
    return fold(name, [*phrase(display, LINE - len(name) - 2), f"<{address}>"], " ")


def phrase(text: str, first: int = LINE) -> list[str]:
    """A display name: quoted where it is ASCII, else encoded words; cut where a line may break."""
    if text.isascii() and "=?" not in text and all(len(word) < HARD_LINE for word in text.split(" ")):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'.split(" ")
    return list(encoded_words(text, first))


@lru_cache(maxsize=8192)
def ascii_domain(domain: str) -> str:
    """The domain as A-labels.

    Raises:
        BadInput: when it is no domain.

    Source: IDNA 2008 (RFC 5891) after UTS-46 mapping, as browsers do.
    """
    if len(domain) <= 253 and ASCII_DOMAIN.fullmatch(domain):
        return domain
    try:
        encoded = idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        encoded = ""
    if not encoded or len(encoded) > 253 or not ASCII_DOMAIN.fullmatch(encoded):
        raise bad("address", f"{domain[:80]!r} is no domain.", "Correct the part after the @.")
    return encoded


def wire_address(where: str, address: str) -> str:
    """The address as it travels: its domain as A-labels, its local part in one form (NFC).

    Raises:
        BadInput: when it is none, or holds what SMTP or a header would misread.
    """
    local, _, domain = address.rpartition("@")
    if PLAIN_ADDRESS(address) and len(address) <= MAX_ADDRESS and len(local) <= MAX_LOCAL:
        return address
    if not LOCAL_PART.fullmatch(local):
        what = f"{address[:80]!r} is no mail address that can be written safely."
        raise bad(where, what, "Use name@domain, without quotes, blanks or brackets.")
    if not local.isascii():
        local = unicodedata.normalize("NFC", local)
    whole = f"{local}@{ascii_domain(domain)}"
    if len(local.encode("utf-8", "replace")) > MAX_LOCAL or len(whole) > MAX_ADDRESS or "\ufffd" in whole:
        what = f"{address[:80]!r} is longer than mail allows."
        raise bad(where, what, "At most 64 characters before the @ and 254 in all.")
    return whole


def token(where: str, text: str) -> str:
    """A value without blanks that is written as it is.

    Raises:
        BadInput: when it is empty, too long, or not visible ASCII.
    """
    if not TOKEN.fullmatch(text) or len(text) > HARD_LINE:
        raise bad(where, f"{text[:80]!r} must be 1 to {HARD_LINE} visible ASCII characters without blanks.")
    return text
