"""Domains and mail addresses as people read them: münchen.example, not xn--mnchen-3ya.example.

A domain is told in its own letters only if no label of it could pass for another's: each label is of one
script, of letters in everyday use, and not made of letters alone that look like Latin ones. Browsers do so
too (Source: Unicode UTS #39, section 5.2, and Chromium's policy for IDN, of which this is the plain part).
Any other stays as it is in the DNS. What people type, what is stored and sent to never passes through here.
"""

import re
import unicodedata
from functools import lru_cache

import idna

#: Scripts that are written together, by what they are then called; every other stands by itself.
_TOGETHER = (
    frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC"}),
    frozenset({"CJK", "HANGUL"}),
    frozenset({"CJK", "BOPOMOFO"}),
)
#: Scripts whose letters are told; what is hardly ever written today has none who would miss it.
_TOLD = {
    *("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "HEBREW", "ARABIC", "DEVANAGARI", "BENGALI", "GURMUKHI"),
    *("GUJARATI", "ORIYA", "TAMIL", "TELUGU", "KANNADA", "MALAYALAM", "SINHALA", "THAI", "LAO", "TIBETAN"),
    *("MYANMAR", "GEORGIAN", "KHMER", "ETHIOPIC", "HANGUL", "BOPOMOFO"),
    *("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC"),
}
#: Latin letters beyond ASCII that living languages write and that none takes for another's plain letter.
_LATIN = re.compile("[a-z0-9ß-öø-ÿā-įĵ-ķĺ-ľł-ňŋ-žơưșțạ-ỹ-]*")
#: Letters that look like Latin ones: a label of nothing else could pass for one.
_LOOKALIKES = {
    "CYRILLIC": frozenset("асԁеһіјӏорԛѕԝхуъьҽпгѵѡ"),
    "GREEK": frozenset("αικνρυωηοτ"),
    "ARMENIAN": frozenset("ագզէլհյոսւօ"),
}


@lru_cache(maxsize=4096)
def told_domain(domain: str) -> str:
    """Give a domain in its own letters, or as it is where they could deceive."""
    if "xn--" not in domain.lower():
        return domain
    return ".".join(map(_told_label, domain.split(".")))


def _told_label(label: str) -> str:
    if not label.lower().startswith("xn--"):
        return label
    try:
        told = idna.decode(label, strict=True)
        same = idna.encode(told, strict=True).decode() == label.lower()
    except (idna.IDNAError, UnicodeError):
        return label
    return told if same and _is_plain(told) else label


def _is_plain(label: str) -> bool:
    """Say whether a label can be taken for no other."""
    letters = [one for one in label if not (one == "-" or "0" <= one <= "9")]
    scripts = {unicodedata.name(one, "?").partition(" ")[0] for one in letters}
    if not scripts or not scripts <= _TOLD:
        return False
    if scripts == {"LATIN"}:
        return _LATIN.fullmatch(label) is not None
    if len(scripts) > 1:
        return any(scripts <= group for group in _TOGETHER)
    return not set(letters) <= _LOOKALIKES.get(scripts.pop(), frozenset())


def told_address(stored: str | None) -> str:
    """Give a mail address with its domain in its own letters."""
    if not stored or "xn--" not in stored:  # nearly all, at the price of one look
        return stored or ""
    local, at, place = stored.rpartition("@")
    return f"{local}{at}{told_domain(place)}"
