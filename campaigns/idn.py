"""Domains and mail addresses as people read them: münchen.example, not xn--mnchen-3ya.example.

A domain is told in its own letters only if no label of it could pass for another's: each label is of one
script, of letters in everyday use, not made of letters alone that look like Latin ones, and stands under a
top-level domain where that script is at home. Browsers do so too (Source: Unicode UTS #39, section 5.2, and
Chromium's policy for IDN, of which this is the plain part, but for homes, where it is stricter). Any
other stays as it is in the DNS. What people type, what is stored and sent to never passes through here.
"""

import unicodedata
from functools import lru_cache

import idna

#: Scripts that are written together, by what they are then called; every other stands by itself.
_TOGETHER = (
    frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC"}),
    frozenset({"CJK", "HANGUL"}),
    frozenset({"CJK", "BOPOMOFO"}),
)
_EAST_ASIA = frozenset[str]().union(*_TOGETHER)
#: Countries' domains under which a script is at home; so it is under every domain that is written in it.
_HOMES = {
    "GREEK": "gr cy",
    "CYRILLIC": "ru su ua by bg rs me mk ba kz kg tj uz mn",
    "ARMENIAN": "am",
    "HEBREW": "il",
    "ARABIC": "ae af bh dz eg iq ir jo kw lb ly ma mr om pk ps qa sa sd sy tn ye",
    "DEVANAGARI": "in np",
    "BENGALI": "in bd",
    **dict.fromkeys(("GURMUKHI", "GUJARATI", "ORIYA", "TELUGU", "KANNADA", "MALAYALAM"), "in"),
    "TAMIL": "in lk sg",
    "SINHALA": "lk",
    "THAI": "th",
    "LAO": "la",
    "TIBETAN": "cn bt",
    "MYANMAR": "mm",
    "GEORGIAN": "ge",
    "KHMER": "kh",
    "ETHIOPIC": "et er",
    **dict.fromkeys(_EAST_ASIA, "jp cn tw hk mo sg kr"),
}
#: Latin letters beyond ASCII that living languages write and that none takes for another's plain letter.
_LATIN = frozenset(
    "abcdefghijklmnopqrstuvwxyz0123456789-ßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿāăćĉčďēĕěĝğĥĩīĭĵĺľńňōŏőœŕřśŝšťũūŭůűŵŷźž"
)
#: Those whose dot, hook or stroke is easily overlooked, or that look like others: by where they are told.
_LATIN_AT_HOME = {
    "pl": "ąęłż",
    "lt": "ąęėįų",
    "lv": "ģķļņŗ",
    "ro": "șțşţ",
    "md": "șțşţ",
    "tr": "ş",
    "hr": "đ",
    "ba": "đ",
    "rs": "đ",
    "me": "đ",
    "si": "đ",
    "no": "đŋŧ",
    "is": "þð",
    "fo": "ð",
    "mt": "ħċġż",
    "vn": "đơư" + "".join(map(chr, range(0x1EA1, 0x1EFA, 2))),
}
#: Letters that look like Latin ones: a label of nothing else could pass for one, even at home.
_LOOKALIKES = frozenset(
    "асԁеһіјӏорԛѕԝхуүъьҽпгѵѡ"
    "αικνρυωηοτχγϳ"
    "ագզէլհյոսւօ"
    "וחטיןסװײ"
    "اهہە"
    "იოყძხჽჿ"
    "ဝဂငပဒသ"
    "ഠധ"
    "ଠ"
    "ทนบพรห"
    "ບປຍຣນ"
    "ዐሀበ"
    "一二工口丨丶卜〇"
    "ニロエトノー"
)


@lru_cache(maxsize=4096)
def told_domain(domain: str) -> str:
    """Give a domain in its own letters, or as it is where they could deceive."""
    if "xn--" not in domain.lower():
        return domain
    labels = [_decoded(label) for label in domain.split(".")]
    return ".".join(told if _is_plain(told, labels[-1][1]) else stored for stored, told in labels)


def _decoded(label: str) -> tuple[str, str]:
    """A label as it is, and in its own letters; twice the same where it has none."""
    if not label.lower().startswith("xn--"):
        return label, label
    try:
        told = idna.decode(label, strict=True)
        same = idna.encode(told, strict=True).decode() == label.lower()
    except (idna.IDNAError, UnicodeError):
        return label, label
    return label, told if same else label


def _is_plain(label: str, top: str) -> bool:
    """Say whether a label can be taken for no other under a top-level domain."""
    letters = {one for one in label if not (one == "-" or "0" <= one <= "9")}
    scripts = _scripts(letters)
    if scripts == {"LATIN"}:
        return letters <= _LATIN.union(_LATIN_AT_HOME.get(top.lower(), ""))
    together = len(scripts) == 1 or any(scripts <= group for group in _TOGETHER)
    return together and _is_at_home(scripts, top.lower()) and not letters <= _LOOKALIKES


def _is_at_home(scripts: set[str], top: str) -> bool:
    """Say whether people expect these scripts under a top-level domain."""
    if top.isascii():
        return all(top in _HOMES.get(script, "").split() for script in scripts)
    here = _scripts(set(top))
    return scripts <= _HOMES.keys() and (scripts == here or scripts | here <= _EAST_ASIA)


def _scripts(letters: set[str]) -> set[str]:
    return {unicodedata.name(one, "?").partition(" ")[0] for one in letters}


def told_address(stored: str | None) -> str:
    """Give a mail address with its domain in its own letters."""
    if not stored or "xn--" not in stored:  # nearly all, at the price of one look
        return stored or ""
    local, at, place = stored.rpartition("@")
    return f"{local}{at}{told_domain(place)}"
