"""Countries by what people write for them: ISO 3166-1 codes, and names in English and German."""

from functools import cache

from babel import Locale

#: Territories that are no countries.
_OTHERS = frozenset({"EU", "EZ", "UN", "XA", "XB", "ZZ", "QO"})
_SHORT = {"uk": "GB", "usa": "US", "u.s.a.": "US", "great britain": "GB", "holland": "NL"}


def code_of(text: str) -> str | None:
    """Give the two-letter code of a country; None if it is none that we know."""
    return _codes().get(text.strip().casefold())


@cache
def _codes() -> dict[str, str]:
    known: dict[str, str] = {}
    for language in ("en", "de"):
        for code, name in Locale(language).territories.items():
            if len(code) == 2 and code.isalpha() and code not in _OTHERS:
                known[code.casefold()] = code
                known[name.casefold()] = code
    return known | _SHORT
