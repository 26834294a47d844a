"""Says what the rooms below found in the reader's language, with its numbers, sizes and languages."""

from collections.abc import Mapping

from babel import Locale, UnknownLocaleError
from flask_babel import get_locale

from campaigns.doctor.findings import Told
from campaigns.templates.preflight import alike
from campaigns.templates.preflight.findings import Phrases, Share, Size, Tongue
from web.language import number, said, share


def tell(words: str, values: Mapping[str, object]) -> str:
    """Say a sentence of the rooms below, its values written as the reader does."""
    return said(words) % {name: _told(value) for name, value in values.items()}


def _told(value: object) -> object:
    """Write one value; what is none of ours stays as it is."""
    match value:
        case Size():
            amount, unit = value.said
            return f"{number(amount, 0 if amount == int(amount) else 1)} {unit}"
        case Share():
            return share(float(value), 0)
        case int():
            return number(int(value))
        case float():
            return number(value, 1)
        case _:
            return _words(value)


def _words(value: object) -> object:
    if isinstance(value, Tongue):
        return language_name(value)
    if isinstance(value, Phrases):
        return ", ".join(said(one) for one in value)
    return tell(value.pattern, value.values) if isinstance(value, Told) else value


def language_name(tag: str) -> str:
    """Name a language in the reader's own; an unknown tag stays as it is."""
    try:
        named = Locale.parse(tag.replace("-", "_")).get_display_name(get_locale())
    except (ValueError, UnknownLocaleError):
        named = None
    return named or tag


#: What the templates that show findings need.
FINDINGS = {"tell": tell, "alike": alike, "language_name": language_name}
