"""Names found whatever accents were typed: "muller" finds Müller and Mueller, by the same index.

The index knows names as they are written. So each letter that may stand for several is tried in all its
forms, and a beginning with which no name begins goes no further: few are left after each look.
"""

import json
import unicodedata
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.dialect import is_postgres

LAST = "\U0010ffff"  #: sorts after every other character
WAITING = 60  #: beginnings that are looked for together
MOST = 12  #: ways to write one name that are followed
LONGEST = 60
#: What one or two letters may stand for, besides those that accents make.
_SPECIAL = {
    "ae": "äæ", "oe": "öøœ", "ue": "ü", "ss": "ß", "aa": "å",
    "o": "ø", "l": "ł", "d": "đð", "i": "ı",
}  # fmt: skip
_WHOLE = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i"}

_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


def _forms() -> dict[str, str]:
    """Every small Latin letter with an accent, by the letter under it."""
    found: dict[str, str] = {}
    for code in range(0xE0, 0x180):
        letter = chr(code)
        base = unicodedata.normalize("NFD", letter)[0]
        if letter.islower() and base != letter and base.isascii():
            found[base] = found.get(base, "") + letter
    for letters, forms in _SPECIAL.items():
        found[letters] = found.get(letters, "") + forms
    return found


FORMS = _forms()


def fold(text: str) -> str:
    """A text in small letters without accents."""
    plain = "".join(_WHOLE.get(letter, letter) for letter in text.casefold())
    return "".join(one for one in unicodedata.normalize("NFD", plain) if not unicodedata.combining(one))


def written(session: Session, column: sa.Column[str], name: str) -> list[str]:
    """How names begin in the store that are `name` but for accents; none for other than Latin letters."""
    ways = {fold(name), fold(name.casefold().translate(_GERMAN))}
    found = {start for way in ways for start in _ways_to_write(session, column, " ".join(way.split()))}
    return sorted(found)[:MOST]


def _ways_to_write(session: Session, column: sa.Column[str], plain: str) -> set[str]:
    if not plain or len(plain) > LONGEST or not plain.isascii() or not any(map(str.isalpha, plain)):
        return set()
    states = {("", 0)}
    while any(at < len(plain) for _, at in states):
        states = {after for state in states for after in _further(state, plain)}
        if len(states) > WAITING or all(at == len(plain) for _, at in states):
            states = _there(session, column, states)
    return {start for start, _ in states}


def _further(state: tuple[str, int], plain: str) -> Iterator[tuple[str, int]]:
    """The beginnings that are one letter longer, as names are written: large after a space."""
    start, at = state
    if at == len(plain):
        yield state
        return
    is_first = not start or not start[-1].isalpha()
    for size in (1, 2):
        letters = plain[at : at + size]
        if len(letters) < size:
            continue
        for form in (letters if size == 1 else "") + FORMS.get(letters, ""):
            large = form.upper() if is_first else form
            yield start + (large if len(large) == 1 else form), at + size


def _there(session: Session, column: sa.Column[str], states: set[tuple[str, int]]) -> set[tuple[str, int]]:
    """Those with which a name begins."""
    starts = sorted({start for start, _ in states})
    place = f"{column.table.name}.{column.name}"
    if is_postgres(session):
        given, begins = (
            "json_array_elements_text(CAST(:all AS json)) AS g(value)",
            "{0} ~>=~ {1} AND {0} ~<~ ({1} || :last)",
        )
    else:
        given, begins = "json_each(:all) g", "{0} >= {1} AND {0} < ({1} || :last)"
    where = begins.format(place, "g.value")
    statement = f"SELECT g.value FROM {given} WHERE EXISTS (SELECT 1 FROM {column.table.name} WHERE {where})"
    found = set(session.scalars(sa.text(statement), {"all": json.dumps(starts), "last": LAST}))
    return {state for state in states if state[0] in found}
