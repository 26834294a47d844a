"""Words, numbers and times in the reader's language and time zone.

Catalogues are the .po files in every `translations` folder of `web`; they are read as they are, so
there is nothing to compile and nothing to go stale.
"""

import io
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale, UnknownLocaleError, dates, numbers
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, g, has_request_context, request, session
from flask_babel import Babel, Domain, get_locale, get_timezone, gettext
from markupsafe import Markup

from campaigns.clock import utc_now
from web.reasons import reason

LANGUAGES = {"en": "English", "de": "Deutsch"}
#: English without a region: day before month, 24 hours.
PLAIN = {"en": "en_GB", "de": "de_DE"}
WEB = Path(__file__).parent
NOTHING = "–"
LONGEST_ZONE = 5  #: letters of a zone's short name


class Catalogues(Domain):  # type: ignore[misc] # the library has no types
    """All our .po files of the reader's language as one catalogue."""

    def get_translations(self) -> NullTranslations:
        locale = get_locale()
        return translations(locale.language) if locale else NullTranslations()


@cache
def translations(language: str) -> NullTranslations:
    """Read and join the catalogues of a language; empty for one we have none for."""
    joined = Catalog(locale=language)
    for file in catalogue_files(language):
        with file.open("rb") as source:
            for message in read_po(source, locale=language):
                if message.id and message.string and not message.fuzzy:
                    joined[message.id] = message
    binary = io.BytesIO()
    write_mo(binary, joined)
    binary.seek(0)
    return Translations(binary)


def catalogue_files(language: str) -> list[Path]:
    """Find the catalogues of a language: the shell's first, then each desk's own."""
    tail = f"translations/{language}/LC_MESSAGES/messages.po"
    return [file for file in (WEB / tail, *sorted(WEB.glob(f"*/{tail}"))) if file.exists()]


def install(app: Flask) -> None:
    """Give an app its languages, and templates the filters that follow them."""
    babel = Babel(app, locale_selector=chosen_locale, timezone_selector=chosen_timezone)
    babel.domain_instance = Catalogues()
    app.jinja_env.filters.update(
        number=number, share=share, share_of=share_of, money=money, day=day, moment=moment, ago=ago, span=span
    )
    app.jinja_env.filters.update(initials=initials, capitalize_first=capitalize_first, zone=zone)
    app.jinja_env.filters.update(occurrence=occurrence, reason=reason)
    app.jinja_env.globals.update(languages=LANGUAGES, current_locale=get_locale, said=said)


def said(text: str) -> str:
    """Translate a text that comes from below the pages, such as a Problem's; it stays plain text."""
    words: str = gettext(text) if text else ""  # of nothing, gettext gives the catalogue's own header
    return words


def chosen_locale() -> str:
    """Choose by what the page set (`g.locale`), what the person set, then what the browser says."""
    if chosen := g.get("locale") or session.get("locale"):
        return locale_for([chosen])
    return locale_for(request.accept_languages.values())


def reader_language() -> str:
    """Name the language that the page is read in."""
    return str(_locale().language)


def locale_for(tags: Iterable[str]) -> str:
    """Give the first language we speak, with its region's way of writing numbers and dates."""
    for tag in tags:
        try:
            locale = Locale.parse(tag.replace("-", "_"))
        except (ValueError, UnknownLocaleError):
            continue
        if locale.language in LANGUAGES:
            return str(locale) if locale.territory else PLAIN[locale.language]
    return PLAIN["en"]


def chosen_timezone() -> ZoneInfo:
    """Take the zone that the browser named (web/static/shell.js), or UTC."""
    named = request.cookies.get("zone", "")
    return ZoneInfo(named if named in _zones() else "UTC")


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def number(value: float | Decimal | None, digits: int = 0) -> str:
    """Write a number with the reader's separators."""
    if value is None:
        return NOTHING
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    return numbers.format_decimal(value, pattern, locale=_locale())


def share(value: float | None, digits: int = 1) -> str:
    """Write a fraction (0.021) as per cent."""
    if value is None:
        return NOTHING
    locale = _locale()
    shape = "#,##0" + ("." + "0" * digits if digits else "")
    pattern = locale.percent_formats[None].pattern.replace("#,##0", shape)  # keeps the language's place for %
    return numbers.format_percent(value, pattern, locale=locale)


def share_of(part: float | None, whole: float | None, digits: int = 1) -> str:
    """Write one count as per cent of another; a dash where the whole is nothing."""
    return share(part / whole, digits) if whole and part is not None else NOTHING


def money(minor: int | None, currency: str) -> str:
    """Write an amount given in minor units of its currency."""
    if minor is None:
        return NOTHING
    amount = Decimal(minor).scaleb(-numbers.get_currency_precision(currency))
    return numbers.format_currency(amount, currency, locale=_locale())


def day(value: datetime | date | None) -> Markup | str:
    """Write a date, in the reader's zone if it is a moment."""
    if value is None:
        return NOTHING
    local = value.astimezone(_zone()).date() if isinstance(value, datetime) else value
    return _time(value, dates.format_date(local, "medium", locale=_locale()), "")


def moment(value: datetime | None) -> Markup | str:
    """Write a date and time of day in the reader's zone, and that zone; all of it shows on pointing."""
    if value is None:
        return NOTHING
    locale, local = _locale(), value.astimezone(_zone())
    text = _clocked(local)
    named = Markup('{} <span class="zone">{}</span>').format(text, zone_name(local))
    return _time(value, named, dates.format_datetime(value, "full", tzinfo=local.tzinfo, locale=locale))


def occurrence(text: str, zone: str = "") -> str:
    """Write when a run was due, as the clock of its campaign showed it; what is no moment stays as it is."""
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        return text
    return _clocked(local) + (f" ({zone})" if zone else "")


def _clocked(local: datetime) -> str:
    """Write a date and a time of day, as they stand."""
    locale = _locale()
    return f"{dates.format_date(local, 'medium', locale)}, {dates.format_time(local, 'short', locale=locale)}"


def hour_words(value: str) -> str:
    """Write a time of day, "09:30", as the reader does; what is none stays as it is."""
    try:
        return dates.format_time(time.fromisoformat(value), "short", locale=_locale())
    except ValueError:
        return value


def moment_words(value: datetime) -> str:
    """Write a moment within a sentence."""
    local = value.astimezone(_zone())
    return f"{_clocked(local)} {zone_name(local)}"


def zone(value: datetime) -> str:
    """Name the reader's zone as it is at a moment, for times that stand below it."""
    return zone_name(value.astimezone(_zone()))


def zone_name(local: datetime) -> str:
    """Name the zone of a moment in as few letters as are understood: MEZ, GMT, else UTC+5:30."""
    named = dates.get_timezone_name(local, "short", locale=_locale())
    if named.isalpha() and len(named) <= LONGEST_ZONE:
        return named
    minutes = round((local.utcoffset() or timedelta()).total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes >= 0 else '−'}{hours}" + (f":{rest:02}" if rest else "")


def ago(value: datetime | None, now: datetime | None = None) -> Markup | str:
    """Write how long ago, or in how long; the full moment shows on pointing."""
    if value is None:
        return NOTHING
    locale = _locale()
    text = dates.format_timedelta(value - (now or utc_now()), add_direction=True, locale=locale)
    return _time(value, text, dates.format_datetime(value, "full", tzinfo=_zone(), locale=locale))


def span(value: timedelta | float | None) -> str:
    """Write a length of time, given as such or in seconds: "3 minutes"."""
    if value is None:
        return NOTHING
    return dates.format_timedelta(
        value if isinstance(value, timedelta) else timedelta(seconds=value), locale=_locale()
    )


def initials(name: str) -> str:
    """Give the first letters of a name's first and last word."""
    words = name.split()
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()


def capitalize_first(text: str) -> str:
    """Begin a sentence with a capital letter and leave the rest as it is."""
    return text[:1].upper() + text[1:]


def _time(value: datetime | date, text: Markup | str, title: str) -> Markup:
    return Markup('<time datetime="{}"{}>{}</time>').format(
        value.isoformat(), Markup(' title="{}"').format(title) if title else "", text
    )


def _locale() -> Locale:
    return (get_locale() if has_request_context() else None) or Locale.parse(PLAIN["en"])


def _zone() -> ZoneInfo:
    zone: ZoneInfo = get_timezone() if has_request_context() else ZoneInfo("UTC")
    return zone
